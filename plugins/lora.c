/* SPDX-License-Identifier: MIT
 * lora.c - LoRA (Hu et al. 2022, arXiv 2106.09685): y = W x + bias + s B A dropout(x), and DoRA
 * (Liu et al. 2024, arXiv 2402.09353): W' = m (W + s B A) / |W + s B A|, row by row.
 *
 * Targets are LINEAR sites; q, k and v are ranges of the fused qkv, each with its own pair; qkv
 * is the fused layer with one pair, as peft and NOAH have it. Rows of a layer are independent
 * of each other in DoRA too, so its parts work alike; the rows of a fused layer that are no
 * target keep the magnitude they have. Ranks: lora_rank.c; the adapter on disk: lora_disk.c. */
#include <stdio.h>
#include <string.h>

#include "plugins/lora.h"

const struct lora_target lora_targets[LORA_TARGETS] = {
    {"q", "**.attn.qkv", "attn.qkv", 0},    {"k", "**.attn.qkv", "attn.qkv", 1},
    {"v", "**.attn.qkv", "attn.qkv", 2},    {"proj", "**.attn.proj", "attn.proj", -1},
    {"fc1", "**.mlp.fc1", "mlp.fc1", -1},   {"fc2", "**.mlp.fc2", "mlp.fc2", -1},
    {"qkv", "**.attn.qkv", "attn.qkv", -1},
};

#define TARGETS "q,k,v,proj,fc1,fc2, or qkv for q,k,v"

sct_status lora_want(const struct lora *l, const struct sct_strategy_host *h,
                     int want[LORA_TARGETS], sct_error *err)
{
    memset(want, 0, LORA_TARGETS * sizeof *want);
    for (const char *p = l->targets; *p;) {
        const size_t n = strcspn(p, ",");
        int found = 0;
        for (int t = 0; t < LORA_TARGETS; t++)
            if (strlen(lora_targets[t].name) == n && memcmp(lora_targets[t].name, p, n) == 0)
                found = want[t] = 1;
        if (!found)
            return h->fail(err, SCT_EUSAGE,
                           "targets: \"%.*s\" is unknown; expected a list of " TARGETS, (int)n,
                           p);
        p += n + (p[n] == ',');
    }
    if (want[LORA_WHOLE_QKV] && (want[0] || want[1] || want[2]))
        return h->fail(err, SCT_EUSAGE,
                       "targets: \"%s\": qkv is one pair for all three, beside it there is no "
                       "q, k or v",
                       l->targets);
    for (int t = 0; t < LORA_TARGETS; t++)
        if (want[t])
            return SCT_OK;
    return h->fail(err, SCT_EUSAGE, "targets: expected a list of " TARGETS);
}

struct lora_layer lora_layer_of(const char *name, const char *end)
{
    struct lora_layer s = {""};
    const char *at = name ? strstr(name, end) : NULL;
    if (at && (size_t)(at - name) < sizeof s.text)
        memcpy(s.text, name, (size_t)(at - name));
    return s;
}

void lora_name(char buf[LORA_NAME], const struct lora_layer *layer, const struct lora_target *t,
               const char *tensor)
{
    if (t->part >= 0)
        (void)snprintf(buf, LORA_NAME, "%s.%s.%s", layer->text, t->name, tensor);
    else
        (void)snprintf(buf, LORA_NAME, "%s.%s", layer->text, tensor);
}

/* ---- the graph ---- */

/* One layer while it is edited. */
struct work {
    const struct lora *l;
    const struct sct_strategy_host *h;
    sct_model *m;
    struct sct_builder *b;
    struct sct_site site;
    struct lora_layer layer;
    struct lora_values values;
    const int *want;
    const char *pattern; /* of the layer's site */
    sct_val w, x;        /* DoRA: the weight; input behind dropout */
    sct_val factor;      /* DoRA: m / norm of all rows of the layer */
    int told;            /* that a rank is larger than its layer */
};

struct rows {
    uint32_t first, n;
};

static struct rows rows_of(const struct work *k, const struct lora_target *t)
{
    if (t->part < 0)
        return (struct rows){0, k->site.channels};
    const uint32_t first = k->site.qkv[t->part];
    return (struct rows){first, k->site.qkv[t->part + 1] - first};
}

static int has_pair(const struct work *k, int t)
{
    return k->want[t] && strcmp(lora_targets[t].site, k->pattern) == 0;
}

static void inits(const struct lora *l, uint32_t r, char a[48], char b[48])
{
    (void)snprintf(b, 48, l->init == LORA_TRUNC_NORMAL ? "trunc_normal(0.02)" : "zeros");
    if (l->init == LORA_TRUNC_NORMAL)
        (void)snprintf(a, 48, "trunc_normal(0.02)");
    else if (l->init == LORA_GAUSSIAN)
        (void)snprintf(a, 48, "normal(0, %.17g)", 1.0 / (double)r);
    else
        (void)snprintf(a, 48, "kaiming_uniform(2.2360679775)"); /* a = sqrt 5 */
}

/* Magnitudes of the rows of t, and their factor put into its place among all rows. */
static void add_factor(struct work *k, const struct lora_target *t, sct_val a, sct_val up)
{
    char name[LORA_NAME];
    const struct rows rows = rows_of(k, t);
    lora_name(name, &k->layer, t, "lora_magnitude_vector");
    const sct_val m =
        k->h->new_row_norms(k->m, name, k->site.weight - 1, rows.first, rows.n, a.id != 0);
    sct_val f = sct_dora_scale(k->b, m, k->w, a, up, (float)k->values.scale, rows.first);
    if (rows.n < k->site.channels)
        f = sct_pad_ch(k->b, f, rows.first, k->site.channels);
    k->factor = k->factor.id ? sct_add(k->b, k->factor, f) : f;
}

/* Nothing is wrong with such a rank but what it costs, and PEFT takes it: it is said, once. */
static void tell_large(struct work *k, uint32_t rows, const char *name)
{
    const uint32_t r = k->values.r,
                   most = rows < k->site.in_channels ? rows : k->site.in_channels;
    if (r <= most || k->told)
        return;
    k->told = 1;
    k->h->log(SCT_LOG_WARN,
              "rank %u is larger than a layer: no update of %ux%u weights has a rank above %u "
              "(%s)",
              r, rows, k->site.in_channels, most, name);
}

/* y with the update of the rows of t. */
static sct_val add_pair(struct work *k, const struct lora_target *t, sct_val y)
{
    char name[LORA_NAME], init_a[48], init_b[48];
    const struct rows rows = rows_of(k, t);
    const uint32_t r = k->values.r, da[2] = {r, k->site.in_channels}, db[2] = {rows.n, r};
    inits(k->l, r, init_a, init_b);
    lora_name(name, &k->layer, t, "lora_A.weight");
    const sct_val a = k->h->new_param(k->m, name, da, 2, init_a, NULL);
    lora_name(name, &k->layer, t, "lora_B.weight");
    const sct_val up = k->h->new_param(k->m, name, db, 2, init_b, NULL);
    tell_large(k, rows.n, name);
    const sct_val d = sct_linear(k->b, sct_linear(k->b, k->x, a, sct_none()), up, sct_none());
    if (k->l->dora)
        add_factor(k, t, a, up);
    return sct_add_ch(k->b, y, sct_scale(k->b, d, (float)k->values.scale, 0.0f), rows.first);
}

static sct_val add_pairs(struct work *k, sct_val y)
{
    for (int t = 0; t < LORA_TARGETS; t++)
        if (has_pair(k, t))
            y = add_pair(k, &lora_targets[t], y);
    return y;
}

/* Rows of a fused layer without a pair keep their magnitude. */
static void keep_others(struct work *k)
{
    if (k->want[LORA_WHOLE_QKV] || k->site.role != SCT_ROLE_ATTN_QKV)
        return;
    for (int t = 0; t < LORA_PARTS; t++)
        if (!k->want[t])
            add_factor(k, &lora_targets[t], sct_none(), sct_none());
}

/* Without dropout factor * (W + s B A) x + bias. With it the input of the plain layer is not
 * dropped, as in peft: W x + bias + (factor - 1) W d + factor * s B A d, d = dropout(x); that
 * also keeps what another strategy did to the layer's output. */
static sct_val decompose(struct work *k)
{
    const struct sct_site *site = &k->site;
    k->w = k->h->param_value(k->m, site->weight - 1);
    const sct_val plain = sct_linear(k->b, k->x, k->w, sct_none()), z = add_pairs(k, plain);
    keep_others(k);
    const sct_val y = sct_mul(k->b, z, k->factor);
    if (k->l->dropout > 0.0f || k->h->edited(k->m, site))
        return sct_add(k->b, sct_add(k->b, site->out, sct_scale(k->b, plain, -1.0f, 0.0f)), y);
    return site->bias ? sct_add(k->b, y, k->h->param_value(k->m, site->bias - 1)) : y;
}

/* All targets of one site in one edit. */
static sct_status edit_site(struct work *k, sct_error *err)
{
    SCT_TRY(lora_values_of(k->l, k->h, k->layer.text, &k->values, err));
    k->b = k->h->edit_begin(k->m, &k->site);
    k->x = k->site.in;
    k->factor = sct_none();
    if (k->l->dropout > 0.0f)
        k->x = sct_dropout(k->b, k->x, k->l->dropout,
                           k->h->random_key(k->m, &k->site, "lora.dropout"));
    return k->h->edit_commit(k->m, k->l->dora ? decompose(k) : add_pairs(k, k->site.out), err);
}

/* ---- the model ---- */

static const char *const patterns[] = {"**.attn.qkv", "**.attn.proj", "**.mlp.fc1",
                                       "**.mlp.fc2"};

enum { PATTERNS = sizeof patterns / sizeof patterns[0] };

static int wanted(const int *want, const char *pattern)
{
    for (int t = 0; t < LORA_TARGETS; t++)
        if (want[t] && strcmp(lora_targets[t].site, pattern) == 0)
            return 1;
    return 0;
}

static size_t count_sites(const struct sct_strategy_host *h, const sct_model *m,
                          const int *want, const char **missing)
{
    size_t all = 0;
    *missing = NULL;
    for (size_t p = 0; p < PATTERNS; p++) {
        const size_t n = wanted(want, patterns[p]) ? h->sites(m, patterns[p], NULL, 0) : 0;
        if (n == 0 && wanted(want, patterns[p]))
            *missing = patterns[p];
        all += n;
    }
    return all;
}

static sct_status name_layer(struct work *k, sct_error *err)
{
    const char *weight = k->site.weight ? k->h->param_name(k->m, k->site.weight - 1) : NULL;
    k->layer = lora_layer_of(weight, ".weight");
    if (k->layer.text[0])
        return SCT_OK;
    return k->h->fail(err, SCT_EUSAGE, "%s: its weight has no name like \"*.weight\"",
                      k->site.path);
}

/* Site i of those that patterns[p] fits. An edit moves values, so they are asked for again. */
static void ask(struct work *k, size_t p, size_t i, struct sct_site *room, size_t n)
{
    (void)k->h->sites(k->m, patterns[p], room, n);
    k->pattern = patterns[p];
    k->site = room[i];
}

/* Names first, so that patterns are checked before anything is changed; then the edits. */
static sct_status walk(struct work *k, struct sct_site *room, struct lora_layer *layer,
                       size_t all, sct_error *err)
{
    for (int edit = 0; edit < 2; edit++) {
        size_t done = 0;
        for (size_t p = 0; p < PATTERNS; p++) {
            const size_t n =
                wanted(k->want, patterns[p]) ? k->h->sites(k->m, patterns[p], NULL, 0) : 0;
            for (size_t i = 0; i < n && done < all; i++) {
                ask(k, p, i, room, n);
                SCT_TRY(name_layer(k, err));
                layer[done++] = k->layer;
                if (edit)
                    SCT_TRY(edit_site(k, err));
            }
        }
        if (!edit)
            SCT_TRY(lora_check_patterns(k->l, k->h, layer, done, err));
    }
    return SCT_OK;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct lora *l = st;
    int want[LORA_TARGETS];
    const char *missing;
    SCT_TRY(lora_want(l, h, want, err));
    const size_t n = count_sites(h, m, want, &missing);
    if (missing)
        return h->fail(err, SCT_EUSAGE, "targets: this model has no %s", missing);
    struct sct_site *room = h->alloc(n * sizeof *room);
    struct lora_layer *layer = h->alloc(n * sizeof *layer);
    struct work k = {.l = l, .h = h, .m = m, .want = want};
    const sct_status rc = room && layer ? walk(&k, room, layer, n, err)
                                        : h->fail(err, SCT_ENOMEM, "out of memory");
    h->free(room);
    h->free(layer);
    return rc;
}

static const struct sct_option options[] = {
    {"r", "rank", SCT_OPT_UINT, offsetof(struct lora, r), 8, 1, 4096, NULL},
    {"alpha", "the update is scaled by alpha / r", SCT_OPT_FLOAT, offsetof(struct lora, alpha),
     8, -1e6, 1e6, NULL},
    {"dropout", "dropout rate of the update's input", SCT_OPT_FLOAT,
     offsetof(struct lora, dropout), 0, 0, 0.99, NULL},
    {"targets", "layers: a list of " TARGETS, SCT_OPT_STRING, offsetof(struct lora, targets), 0,
     0, 0, "q,v"},
    {"rslora", "scale by alpha / sqrt(r) instead", SCT_OPT_BOOL, offsetof(struct lora, rslora),
     0, 0, 1, NULL},
    {"dora", "DoRA: magnitudes of the rows are trained apart from their directions",
     SCT_OPT_BOOL, offsetof(struct lora, dora), 0, 0, 1, NULL},
    {"rank_pattern", "ranks of some layers: fc1=16,blocks[0:6].attn.*=4; the first that fits",
     SCT_OPT_STRING, offsetof(struct lora, rank_pattern), 0, 0, 0, ""},
    {"alpha_pattern", "alphas of some layers, in the same form", SCT_OPT_STRING,
     offsetof(struct lora, alpha_pattern), 0, 0, 0, ""},
    {"init", "start of A; B starts at zero, but with trunc_normal (0.02 for both, NOAH's runs)",
     SCT_OPT_CHOICE, offsetof(struct lora, init), 0, 0, 0, "kaiming|gaussian|trunc_normal"},
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
        .to_disk = lora_to_disk,
        .from_disk = lora_from_disk,
    };
    return &s;
}
