/* SPDX-License-Identifier: MIT
 * lora.c - LoRA (Hu et al. 2022, arXiv 2106.09685): y = W x + bias + alpha/r B A dropout(x).
 *
 * Targets are LINEAR sites; q, k and v are ranges of the fused qkv, each with its own pair. On
 * disk the adapter is a Hugging Face PEFT folder in timm's names: the pairs of one qkv are
 * written as one wider pair, A' = [A_q; A_v] and B' with B_q and B_v in their own rows and
 * columns, rank and alpha multiplied by the number of pairs, which is the same function;
 * from_disk takes it apart again. */
#include <stdlib.h>
#include <string.h>

#include <sctrun/strategy.h>

enum { MAX_TARGETS = 6 };

struct target {
    const char *name, *site, *module; /* q: "**.attn.qkv", "attn.qkv" */
    int part;                         /* of qkv: 0, 1, 2; -1: whole layer */
};

static const struct target known[MAX_TARGETS] = {
    {"q", "**.attn.qkv", "attn.qkv", 0},  {"k", "**.attn.qkv", "attn.qkv", 1},
    {"v", "**.attn.qkv", "attn.qkv", 2},  {"proj", "**.attn.proj", "attn.proj", -1},
    {"fc1", "**.mlp.fc1", "mlp.fc1", -1}, {"fc2", "**.mlp.fc2", "mlp.fc2", -1},
};

struct lora {
    uint32_t r;
    float alpha, dropout;
    const char *targets;
};

/* Which of known[] the option names. */
static sct_status parse(const struct lora *l, const struct sct_strategy_host *h,
                        int want[MAX_TARGETS], sct_error *err)
{
    memset(want, 0, MAX_TARGETS * sizeof *want);
    for (const char *p = l->targets; *p;) {
        const size_t n = strcspn(p, ",");
        int found = 0;
        for (int t = 0; t < MAX_TARGETS; t++)
            if (strlen(known[t].name) == n && memcmp(known[t].name, p, n) == 0)
                found = want[t] = 1;
        if (!found)
            return h->fail(
                err, SCT_EUSAGE,
                "targets: \"%.*s\" is unknown; expected a list of q,k,v,proj,fc1,fc2", (int)n,
                p);
        p += n + (p[n] == ',');
    }
    for (int t = 0; t < MAX_TARGETS; t++)
        if (want[t])
            return SCT_OK;
    return h->fail(err, SCT_EUSAGE, "targets: expected a list of q,k,v,proj,fc1,fc2");
}

/* The base's name of a layer: "blocks.3.attn.qkv", "layers.2.blocks.3.attn.qkv". */
struct stem {
    char text[128];
};

/* What stands in front of `end` in a parameter's name; empty: does not, or is too long. */
static struct stem stem_of(const char *name, const char *end)
{
    struct stem s = {""};
    const char *at = name ? strstr(name, end) : NULL;
    if (at && (size_t)(at - name) < sizeof s.text)
        memcpy(s.text, name, (size_t)(at - name));
    return s;
}

/* "blocks.3.attn.qkv" of the names of pairs on disk and of our own; empty for other layers. */
static struct stem stem_of_qkv(const char *name)
{
    static const char qkv[] = ".attn.qkv";
    struct stem s = stem_of(name, ".attn.qkv.");
    const size_t n = strlen(s.text);
    if (n && n + sizeof qkv <= sizeof s.text)
        memcpy(s.text + n, qkv, sizeof qkv);
    else
        s.text[0] = 0;
    return s;
}

/* "blocks.3.attn.qkv.q.lora_A.weight": own name of a pair's half. */
static void name_of(char *buf, size_t size, const struct stem *layer, const struct target *t,
                    const char *half)
{
    if (t->part >= 0)
        (void)snprintf(buf, size, "%s.%s.%s.weight", layer->text, t->name, half);
    else
        (void)snprintf(buf, size, "%s.%s.weight", layer->text, half);
}

/* All targets of one site in one edit; want[] limits to this site's. */
static sct_status edit_site(const struct lora *l, const struct sct_strategy_host *h,
                            sct_model *m, const struct sct_site *site, const char *module,
                            const int *want, sct_error *err)
{
    char name[160];
    const char *weight = site->weight ? h->param_name(m, site->weight - 1) : NULL;
    const struct stem layer = stem_of(weight, ".weight");
    struct sct_builder *b = h->edit_begin(m, site);
    sct_val x = site->in, y = site->out;
    if (!layer.text[0])
        return h->fail(err, SCT_EUSAGE, "%s: its weight has no name like \"*.weight\"",
                       site->path);
    if (l->dropout > 0.0f)
        x = sct_dropout(b, x, l->dropout, h->random_key(m, site, "lora.dropout"));
    for (int t = 0; t < MAX_TARGETS; t++) {
        if (!want[t] || strcmp(known[t].module, module) != 0)
            continue;
        const int part = known[t].part;
        const uint32_t first = part < 0 ? 0 : site->qkv[part];
        const uint32_t out = part < 0 ? site->channels : site->qkv[part + 1] - first;
        const uint32_t da[2] = {l->r, site->in_channels}, db[2] = {out, l->r};
        name_of(name, sizeof name, &layer, &known[t], "lora_A");
        /* peft: kaiming_uniform_(a = sqrt 5) for A, zeros for B */
        const sct_val a = h->new_param(m, name, da, 2, "kaiming_uniform(2.2360679775)", NULL);
        name_of(name, sizeof name, &layer, &known[t], "lora_B");
        const sct_val up = h->new_param(m, name, db, 2, "zeros", NULL);
        const sct_val d = sct_linear(b, sct_linear(b, x, a, sct_none()), up, sct_none());
        y = sct_add_ch(b, y, sct_scale(b, d, l->alpha / (float)l->r, 0.0f), first);
    }
    return h->edit_commit(m, y, err);
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    static const char *const module[] = {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"};
    const struct lora *l = st;
    int want[MAX_TARGETS];
    SCT_TRY(parse(l, h, want, err));
    for (size_t k = 0; k < sizeof module / sizeof module[0]; k++) {
        const char *pattern = NULL;
        for (int t = 0; t < MAX_TARGETS; t++)
            if (want[t] && strcmp(known[t].module, module[k]) == 0)
                pattern = known[t].site;
        if (!pattern)
            continue;
        const size_t n = h->sites(m, pattern, NULL, 0);
        if (n == 0)
            return h->fail(err, SCT_EUSAGE, "targets: this model has no %s", pattern);
        struct sct_site *site = h->alloc(n * sizeof *site);
        if (!site)
            return h->fail(err, SCT_ENOMEM, "out of memory");
        sct_status rc = SCT_OK;
        for (size_t i = 0; i < n && rc == SCT_OK; i++) {
            (void)h->sites(m, pattern, site, n); /* an edit moves values: ask again */
            rc = edit_site(l, h, m, &site[i], module[k], want, err);
        }
        h->free(site);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

/* ---- the PEFT folder ---- */

#define PREFIX "base_model.model."

static int put_number(const struct sct_strategy_host *h, sct_adapter *to, const char *key,
                      double v, sct_error *err)
{
    char json[48];
    (void)snprintf(json, sizeof json, "%.9g", v);
    return h->put_key(to, key, json, err);
}

static sct_status keys_to_disk(const struct lora *l, const struct sct_strategy_host *h,
                               const int *want, sct_adapter *to, sct_error *err)
{
    char modules[128] = "[", rank[256] = "{", alpha[256] = "{", targets[64];
    const int pairs = want[0] + want[1] + want[2];
    const uint32_t wide = pairs ? l->r * (uint32_t)pairs : l->r;
    size_t n = 1, nr = 1, na = 1;
    for (int t = 0; t < MAX_TARGETS; t++) {
        if (!want[t] || (known[t].part > 0 && (want[0] || (known[t].part == 2 && want[1]))))
            continue;
        const char *last = strrchr(known[t].module, '.') + 1;
        /* attn.proj, not proj: that would match patch_embed.proj too */
        const char *word = known[t].part < 0 ? known[t].module : last;
        n += (size_t)snprintf(modules + n, sizeof modules - n, "%s\"%s\"", n > 1 ? ", " : "",
                              word);
        if (known[t].part < 0 && wide != l->r) {
            nr += (size_t)snprintf(rank + nr, sizeof rank - nr, "%s\"%s\": %u",
                                   nr > 1 ? ", " : "", word, l->r);
            na += (size_t)snprintf(alpha + na, sizeof alpha - na, "%s\"%s\": %.9g",
                                   na > 1 ? ", " : "", word, (double)l->alpha);
        }
    }
    (void)snprintf(modules + n, sizeof modules - n, "]");
    (void)snprintf(rank + nr, sizeof rank - nr, "}");
    (void)snprintf(alpha + na, sizeof alpha - na, "}");
    (void)snprintf(targets, sizeof targets, "\"%s\"", l->targets);
    SCT_TRY(h->put_key(to, "peft_type", "\"LORA\"", err));
    SCT_TRY(put_number(h, to, "r", wide, err));
    SCT_TRY(
        put_number(h, to, "lora_alpha", (double)l->alpha * (pairs ? (double)pairs : 1.0), err));
    SCT_TRY(put_number(h, to, "lora_dropout", (double)l->dropout, err));
    SCT_TRY(h->put_key(to, "target_modules", modules, err));
    SCT_TRY(h->put_key(to, "rank_pattern", rank, err));
    return h->put_key(to, "alpha_pattern", alpha, err);
}

struct pair {
    struct sct_desc da, db;
    const float *a, *b;
};

static sct_status get_pair(const struct sct_strategy_host *h, const sct_adapter *from,
                           const struct stem *layer, const struct target *t, struct pair *p,
                           sct_error *err)
{
    char name[160];
    const void *data;
    name_of(name, sizeof name, layer, t, "lora_A");
    SCT_TRY(h->get(from, name, &p->da, &data, err));
    p->a = data;
    name_of(name, sizeof name, layer, t, "lora_B");
    SCT_TRY(h->get(from, name, &p->db, &data, err));
    p->b = data;
    return SCT_OK;
}

/* The wider pair of one fused qkv: A' [P r][in], B' [3 D][P r]. */
static sct_status widen(const struct lora *l, const struct sct_strategy_host *h,
                        const sct_adapter *from, const struct stem *layer, const int *want,
                        sct_adapter *to, sct_error *err)
{
    char name[192];
    struct pair p = {0};
    const uint32_t pairs = (uint32_t)(want[0] + want[1] + want[2]), R = pairs * l->r;
    uint32_t at = 0, in = 0, D = 0;
    float *a = NULL, *b = NULL;
    sct_status rc = SCT_OK;
    for (int t = 0; t < 3 && rc == SCT_OK; t++) {
        if (!want[t])
            continue;
        rc = get_pair(h, from, layer, &known[t], &p, err);
        if (rc == SCT_OK && !a) {
            in = p.da.dim[1];
            D = p.db.dim[0];
            a = h->alloc((size_t)R * in * sizeof *a);
            b = h->alloc((size_t)3 * D * R * sizeof *b);
            if (!a || !b)
                rc = h->fail(err, SCT_ENOMEM, "out of memory");
        }
        if (rc != SCT_OK)
            break;
        memcpy(a + (size_t)at * in, p.a, (size_t)l->r * in * sizeof *a);
        for (uint32_t o = 0; o < D; o++)
            memcpy(b + ((size_t)(uint32_t)t * D + o) * R + at, p.b + (size_t)o * l->r,
                   l->r * sizeof *b);
        at += l->r;
    }
    if (rc == SCT_OK) {
        const uint32_t da[2] = {R, in}, db[2] = {3 * D, R};
        const struct sct_desc xa = sct_desc_make(SCT_F32, 2, da),
                              xb = sct_desc_make(SCT_F32, 2, db);
        (void)snprintf(name, sizeof name, PREFIX "%s.lora_A.weight", layer->text);
        rc = h->put(to, name, &xa, a, err);
        (void)snprintf(name, sizeof name, PREFIX "%s.lora_B.weight", layer->text);
        if (rc == SCT_OK)
            rc = h->put(to, name, &xb, b, err);
    }
    h->free(a);
    h->free(b);
    return rc;
}

static sct_status to_disk(const void *st, const struct sct_strategy_host *h,
                          const sct_adapter *from, sct_adapter *to, sct_error *err)
{
    const struct lora *l = st;
    int want[MAX_TARGETS];
    SCT_TRY(parse(l, h, want, err));
    struct stem last = {""};
    for (size_t i = 0; h->tensor_name(from, i); i++) {
        const char *own = h->tensor_name(from, i);
        const struct stem qkv = stem_of_qkv(own);
        struct sct_desc d;
        const void *data;
        char name[192];
        if (qkv.text[0]) {
            if (strcmp(qkv.text, last.text) != 0)
                SCT_TRY(widen(l, h, from, &qkv, want, to, err));
            last = qkv;
            continue;
        }
        SCT_TRY(h->get(from, own, &d, &data, err));
        (void)snprintf(name, sizeof name, PREFIX "%s", own);
        SCT_TRY(h->put(to, name, &d, data, err));
    }
    return keys_to_disk(l, h, want, to, err);
}

static sct_status narrow(const struct lora *l, const struct sct_strategy_host *h,
                         const sct_adapter *from, const struct stem *layer, const int *want,
                         sct_adapter *to, sct_error *err)
{
    char na[192], nb[192], name[160];
    struct sct_desc da, db;
    const void *pa, *pb;
    const uint32_t pairs = (uint32_t)(want[0] + want[1] + want[2]), R = pairs * l->r;
    (void)snprintf(na, sizeof na, PREFIX "%s.lora_A.weight", layer->text);
    (void)snprintf(nb, sizeof nb, PREFIX "%s.lora_B.weight", layer->text);
    SCT_TRY(h->get(from, na, &da, &pa, err));
    SCT_TRY(h->get(from, nb, &db, &pb, err));
    if (da.dtype != SCT_F32 || db.dtype != SCT_F32 || da.nd != 2 || db.nd != 2 ||
        da.dim[0] != R || db.dim[1] != R || db.dim[0] % 3)
        return h->fail(err, SCT_EFILE,
                       "%s: rank %u does not fit %u pair(s) of rank %u (targets %s)", na,
                       da.dim[0], pairs, l->r, l->targets);
    const uint32_t in = da.dim[1], D = db.dim[0] / 3;
    const float *a = pa, *b = pb;
    float *half = h->alloc((size_t)D * l->r * sizeof *half);
    if (!half)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc = SCT_OK;
    uint32_t at = 0;
    for (uint32_t t = 0; t < 3 && rc == SCT_OK; t++) {
        if (!want[t])
            continue;
        for (uint32_t o = 0; o < 3 * D; o++) {
            const float *row = b + (size_t)o * R + at;
            const int mine = o / D == t;
            for (uint32_t j = 0; j < l->r && rc == SCT_OK; j++) {
                if (mine)
                    half[(size_t)(o - t * D) * l->r + j] = row[j];
                else if (row[j] != 0.0f)
                    rc = h->fail(
                        err, SCT_EFILE,
                        "%s: row %u, column %u is not zero: the pairs of %s were trained "
                        "together and cannot be taken apart",
                        nb, o, at + j, l->targets);
            }
        }
        const uint32_t xa[2] = {l->r, in}, xb[2] = {D, l->r};
        const struct sct_desc ya = sct_desc_make(SCT_F32, 2, xa),
                              yb = sct_desc_make(SCT_F32, 2, xb);
        name_of(name, sizeof name, layer, &known[t], "lora_A");
        if (rc == SCT_OK)
            rc = h->put(to, name, &ya, a + (size_t)at * in, err);
        name_of(name, sizeof name, layer, &known[t], "lora_B");
        if (rc == SCT_OK)
            rc = h->put(to, name, &yb, half, err);
        at += l->r;
    }
    h->free(half);
    return rc;
}

static sct_status from_disk(void *st, const struct sct_strategy_host *h,
                            const sct_adapter *from, sct_adapter *to, sct_error *err)
{
    struct lora *l = st;
    int want[MAX_TARGETS];
    SCT_TRY(parse(l, h, want, err));
    for (size_t i = 0; h->tensor_name(from, i); i++) {
        const char *name = h->tensor_name(from, i);
        struct sct_desc d;
        const void *data;
        if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
            return h->fail(err, SCT_EFILE,
                           "tensor %s: expected a name that begins with " PREFIX, name);
        const char *own = name + sizeof PREFIX - 1;
        const struct stem qkv = stem_of_qkv(own);
        if (qkv.text[0]) {
            if (strstr(own, "lora_A"))
                SCT_TRY(narrow(l, h, from, &qkv, want, to, err));
            continue;
        }
        SCT_TRY(h->get(from, name, &d, &data, err));
        SCT_TRY(h->put(to, own, &d, data, err));
    }
    return SCT_OK;
}

static const struct sct_option options[] = {
    {"r", "rank", SCT_OPT_UINT, offsetof(struct lora, r), 8, 1, 4096, NULL},
    {"alpha", "the update is scaled by alpha / r", SCT_OPT_FLOAT, offsetof(struct lora, alpha),
     8, -1e6, 1e6, NULL},
    {"dropout", "dropout rate of the update's input", SCT_OPT_FLOAT,
     offsetof(struct lora, dropout), 0, 0, 0.99, NULL},
    {"targets", "layers: a list of q,k,v,proj,fc1,fc2", SCT_OPT_STRING,
     offsetof(struct lora, targets), 0, 0, 0, "q,v"},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "lora",
        .summary = "low-rank updates of linear layers",
        .options = options,
        .state_size = sizeof(struct lora),
        .apply = apply,
        .to_disk = to_disk,
        .from_disk = from_disk,
    };
    return &s;
}
