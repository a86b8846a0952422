/* SPDX-License-Identifier: MIT
 * sct.c - SCT, salient channel tuning (Zhao et al., IJCV 2023, doi 10.1007/s11263-023-01918-3).
 *
 * In every block, after the attention residual, the K most salient channels S of the stream h
 * go through one K x K linear layer. Form A (training form of the published code): scaleonx
 * off: h[S] <- h[S] + scale (W h[S] + b) scaleonx on:  h[S] <- scale h[S] + (W h[S] + b) on all
 * tokens. Selection (class-aware importance score): with a[c][d] the L2 norm of channel d over
 * the patch tokens of all training images of class c, the score of d is the mean of a[c][d]
 * over the classes present; the K largest win, ties go to the lower channel. */
#include <math.h>

#include <sctrun/strategy.h>

enum { SELECT_CLASS_AWARE, SELECT_CLASS_AGNOSTIC };

struct choice {
    uint32_t *idx, k;
};

struct sct {
    uint32_t mode, select, scaleonx;
    struct sct_count k;
    float scale;
    const char *sites;
    /* decided by choose or load, one per matching site */
    struct choice *choice;
    size_t n;
};

static sct_status all_sites(const struct sct *s, const struct sct_strategy_host *h,
                            const sct_model *m, struct sct_site **out, size_t *n,
                            sct_error *err)
{
    *n = h->sites(m, s->sites, NULL, 0);
    *out = NULL;
    if (*n == 0)
        return h->fail(err, SCT_EUSAGE, "sites: nothing in this model matches \"%s\"",
                       s->sites);
    *out = h->alloc(*n * sizeof **out);
    if (!*out)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    (void)h->sites(m, s->sites, *out, *n);
    for (size_t i = 0; i < *n; i++) {
        if ((*out)[i].kind == SCT_SITE_VALUE && (*out)[i].block != SCT_NO_BLOCK)
            continue;
        const sct_status rc =
            h->fail(err, SCT_EUSAGE,
                    "sites: %s is not a value inside a block; mode attn wants "
                    "sites like \"**.attn.res\"",
                    (*out)[i].path);
        h->free(*out);
        *out = NULL;
        return rc;
    }
    return SCT_OK;
}

/* "sct.blocks.3.weight"; models with stages get "sct.layers.2.blocks.3.weight". */
static void name_of(char *buf, size_t size, const struct sct_site *site, int stages,
                    const char *what)
{
    if (stages)
        (void)snprintf(buf, size, "sct.layers.%u.blocks.%u.%s", site->stage, site->block, what);
    else
        (void)snprintf(buf, size, "sct.blocks.%u.%s", site->block, what);
}

static int has_stages(const struct sct_strategy_host *h, const sct_model *m)
{
    return h->sites(m, "stage[1:].block[*].out", NULL, 0) > 0;
}

static sct_status width(const struct sct *s, const struct sct_strategy_host *h,
                        const struct sct_site *site, uint32_t *k, sct_error *err)
{
    *k = s->k.den ? (uint32_t)((uint64_t)site->channels * s->k.num / s->k.den) : s->k.number;
    if (*k == 0 || *k > site->channels)
        return h->fail(
            err, SCT_EUSAGE,
            "k: %u channels wanted at %s, which has %u; expected 1 to %u, or a fraction "
            "like 1/8",
            *k, site->path, site->channels, site->channels);
    return SCT_OK;
}

static sct_status observe(void *st, const struct sct_strategy_host *h, sct_model *m,
                          sct_error *err)
{
    struct sct *s = st;
    struct sct_site *site;
    size_t n;
    SCT_TRY(all_sites(s, h, m, &site, &n, err));
    const struct sct_protocol p = {.size = sizeof p, .list = SCT_LIST_TRAIN, .skip_prefix = 1};
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        uint32_t k;
        rc = width(s, h, &site[i], &k, err);
        if (rc == SCT_OK)
            rc = h->watch(m, SCT_WATCH_SUMSQ_LABEL, site[i].id, &p, err);
    }
    h->free(site);
    return rc;
}

static void score(const struct sct *s, const float *sumsq, const float *seen, size_t rows,
                  size_t cols, double *out)
{
    size_t present = 0;
    for (size_t c = 0; c < rows; c++)
        present += seen[c] > 0.0f;
    for (size_t d = 0; d < cols; d++) {
        double a = 0;
        for (size_t c = 0; c < rows; c++) {
            const double x = (double)sumsq[c * cols + d];
            a += s->select == SELECT_CLASS_AWARE ? sqrt(x) : x;
        }
        out[d] =
            s->select == SELECT_CLASS_AWARE ? a / (double)(present ? present : 1) : sqrt(a);
    }
}

/* The k largest scores, marked, then listed in ascending channel order. */
static void top(const double *sc, unsigned char *taken, size_t cols, uint32_t k, uint32_t *idx)
{
    for (uint32_t j = 0; j < k; j++) {
        size_t best = cols;
        for (size_t d = 0; d < cols; d++)
            if (!taken[d] && (best == cols || sc[d] > sc[best]))
                best = d;
        taken[best] = 1;
    }
    uint32_t n = 0;
    for (size_t d = 0; d < cols; d++)
        if (taken[d])
            idx[n++] = (uint32_t)d;
}

static sct_status choose_one(const struct sct *s, const struct sct_strategy_host *h,
                             const sct_readings *r, const struct sct_site *site,
                             struct choice *out, sct_error *err)
{
    size_t rows, cols;
    const float *seen = NULL;
    const float *sumsq = h->reading(r, SCT_WATCH_SUMSQ_LABEL, site->id, &rows, &cols, &seen);
    if (!sumsq || !seen || cols != site->channels)
        return h->fail(err, SCT_EFAIL, "no reading for %s", site->path);
    SCT_TRY(width(s, h, site, &out->k, err));
    out->idx = h->alloc(out->k * sizeof *out->idx);
    double *sc = h->alloc(cols * sizeof *sc);
    unsigned char *taken = h->alloc(cols);
    sct_status rc = SCT_OK;
    if (!out->idx || !sc || !taken)
        rc = h->fail(err, SCT_ENOMEM, "out of memory");
    if (rc == SCT_OK) {
        score(s, sumsq, seen, rows, cols, sc);
        for (size_t d = 0; d < cols && rc == SCT_OK; d++)
            if (!isfinite(sc[d]))
                rc = h->fail(err, SCT_ENONFINITE,
                             "the score of channel %zu at %s is not finite", d, site->path);
    }
    if (rc == SCT_OK)
        top(sc, taken, cols, out->k, out->idx);
    h->free(sc);
    h->free(taken);
    return rc;
}

static sct_status choose(void *st, const struct sct_strategy_host *h, const sct_model *m,
                         const sct_readings *r, sct_error *err)
{
    struct sct *s = st;
    struct sct_site *site;
    SCT_TRY(all_sites(s, h, m, &site, &s->n, err));
    s->choice = h->alloc(s->n * sizeof *s->choice);
    sct_status rc = s->choice ? SCT_OK : h->fail(err, SCT_ENOMEM, "out of memory");
    for (size_t i = 0; i < s->n && rc == SCT_OK; i++)
        rc = choose_one(s, h, r, &site[i], &s->choice[i], err);
    h->free(site);
    return rc;
}

static sct_status load_one(const struct sct_strategy_host *h, const struct sct_site *site,
                           int stages, const sct_adapter *a, struct choice *out, sct_error *err)
{
    char name[96];
    struct sct_desc d;
    const void *data;
    name_of(name, sizeof name, site, stages, "index");
    SCT_TRY(h->get(a, name, &d, &data, err));
    if (d.dtype != SCT_I32 || d.nd != 1 || d.dim[0] > site->channels)
        return h->fail(err, SCT_EFILE,
                       "%s: expected at most %u channel indices (i32, one dimension)", name,
                       site->channels);
    out->k = d.dim[0];
    out->idx = h->alloc(out->k * sizeof *out->idx);
    if (!out->idx)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    const int32_t *idx = data;
    for (uint32_t j = 0; j < out->k; j++) {
        if (idx[j] < 0 || (uint32_t)idx[j] >= site->channels || (j && idx[j] <= idx[j - 1]))
            return h->fail(err, SCT_EFILE,
                           "%s: entry %u is %d; expected ascending channels below %u", name, j,
                           (int)idx[j], site->channels);
        out->idx[j] = (uint32_t)idx[j];
    }
    return SCT_OK;
}

static sct_status load(void *st, const struct sct_strategy_host *h, const sct_model *m,
                       const sct_adapter *a, sct_error *err)
{
    struct sct *s = st;
    struct sct_site *site;
    SCT_TRY(all_sites(s, h, m, &site, &s->n, err));
    s->choice = h->alloc(s->n * sizeof *s->choice);
    sct_status rc = s->choice ? SCT_OK : h->fail(err, SCT_ENOMEM, "out of memory");
    for (size_t i = 0; i < s->n && rc == SCT_OK; i++)
        rc = load_one(h, &site[i], has_stages(h, m), a, &s->choice[i], err);
    h->free(site);
    return rc;
}

static sct_status insert(const struct sct *s, const struct sct_strategy_host *h, sct_model *m,
                         const struct sct_site *site, int stages, const struct choice *c,
                         sct_error *err)
{
    char name[96];
    const uint32_t dim[2] = {c->k, c->k};
    struct sct_builder *b = h->edit_begin(m, site);
    name_of(name, sizeof name, site, stages, "index");
    const sct_val idx = h->new_index(m, name, c->idx, c->k);
    name_of(name, sizeof name, site, stages, "weight");
    const sct_val w = h->new_param(m, name, dim, 2, "trunc_normal(0.02)", NULL);
    name_of(name, sizeof name, site, stages, "bias");
    const sct_val bias = h->new_param(m, name, dim, 1, "zeros", NULL);
    const sct_val g = sct_gather_ch(b, site->out, idx);
    const sct_val l = sct_linear(b, g, w, bias);
    sct_val out;
    if (s->scaleonx)
        out = sct_scatter_set_ch(b, site->out, idx,
                                 sct_add(b, sct_scale(b, g, s->scale, 0.0f), l));
    else
        out = sct_scatter_add_ch(b, site->out, idx, sct_scale(b, l, s->scale, 0.0f));
    return h->edit_commit(m, out, err);
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    struct sct *s = st;
    struct sct_site *site;
    size_t n;
    SCT_TRY(all_sites(s, h, m, &site, &n, err));
    sct_status rc = SCT_OK;
    if (n != s->n)
        rc = h->fail(err, SCT_EFAIL, "%zu sites now, %zu were chosen", n, s->n);
    for (size_t i = 0; i < n && rc == SCT_OK; i++)
        rc = insert(s, h, m, &site[i], has_stages(h, m), &s->choice[i], err);
    h->free(site);
    return rc;
}

static void fini(void *st, const struct sct_strategy_host *h)
{
    struct sct *s = st;
    for (size_t i = 0; s->choice && i < s->n; i++)
        h->free(s->choice[i].idx);
    h->free(s->choice);
}

static const struct sct_option options[] = {
    {"mode", "where the modules go: attn = on the stream after the attention residual",
     SCT_OPT_CHOICE, offsetof(struct sct, mode), 0, 0, 0, "attn"},
    {"k", "channels of a block: a number, or a fraction of the width", SCT_OPT_COUNT,
     offsetof(struct sct, k), 0, 1, 1e6, "1/8"},
    {"select", "score: class_aware = mean over classes of norms, class_agnostic = one norm",
     SCT_OPT_CHOICE, offsetof(struct sct, select), 0, 0, 0, "class_aware|class_agnostic"},
    {"scale", "factor of the module's output (of the channels with scaleonx)", SCT_OPT_FLOAT,
     offsetof(struct sct, scale), 1.0, -1000, 1000, NULL},
    {"scaleonx", "scale the channels instead of the module's output", SCT_OPT_BOOL,
     offsetof(struct sct, scaleonx), 0, 0, 1, NULL},
    {"sites", "which blocks, as a pattern", SCT_OPT_STRING, offsetof(struct sct, sites), 0, 0,
     0, "**.attn.res"},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "sct",
        .summary =
            "salient channel tuning: a K x K linear layer on the K most salient channels",
        .options = options,
        .state_size = sizeof(struct sct),
        .observe = observe,
        .choose = choose,
        .apply = apply,
        .load = load,
        .fini = fini,
    };
    return &s;
}
