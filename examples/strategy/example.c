/* SPDX-License-Identifier: MIT
 * example.c - a strategy for sctrun, outside its tree: a gate on the channels of MLP branches.
 *
 * The output y of an MLP branch, before the residual is added, becomes y + gate * y with a
 * trained gate [channels] that starts at zero: the plain model. `keep` gates only those
 * branches whose output is largest on the training pictures, which shows how a strategy looks
 * at data.
 *
 * A strategy exports one function and reaches nothing but the table it is handed (h->...);
 * <sctrun/strategy.h> is the contract. Every function below returns SCT_OK, or fails with
 * h->fail(err, code, "what was expected, what was found, what to do"). */
#include <sctrun/strategy.h>

#include <stdio.h>

/* What the strategy knows. The host allocates it, zeroes it and fills it from `options`. */
struct example {
    const char *sites;
    uint32_t keep;
    /* decided by choose or load: site ids, model order */
    uint32_t *chosen;
    size_t n_chosen;
};

/* All sites that the options name; *out belongs to the caller (h->free). Never none. */
static sct_status find(const struct example *x, const struct sct_strategy_host *h,
                       const sct_model *m, struct sct_site **out, size_t *n, sct_error *err)
{
    *n = h->sites(m, x->sites, NULL, 0); /* ask how many, then with room */
    *out = NULL;
    if (*n == 0)
        return h->fail(err, SCT_EUSAGE,
                       "no site of this model is called \"%s\"; try **.mlp.out", x->sites);
    if (x->keep > *n)
        return h->fail(err, SCT_EUSAGE, "keep: %u sites wanted, \"%s\" has %zu", x->keep,
                       x->sites, *n);
    *out = h->alloc(*n * sizeof **out);
    if (!*out)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    (void)h->sites(m, x->sites, *out, *n);
    return SCT_OK;
}

/* Before training, on the plain model: what should be measured. One pass over the training
 * list; sums of squares per channel, all classes together. */
static sct_status observe(void *st, const struct sct_strategy_host *h, sct_model *m,
                          sct_error *err)
{
    const struct example *x = st;
    const struct sct_protocol p = {.size = sizeof p, .list = SCT_LIST_TRAIN, .any_class = 1};
    struct sct_site *site;
    size_t n;
    SCT_TRY(find(x, h, m, &site, &n, err));
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && x->keep && rc == SCT_OK; i++)
        rc = h->watch(m, SCT_WATCH_SUMSQ_LABEL, site[i].id, &p, err);
    h->free(site);
    return rc;
}

/* Sum of squares of a site, per channel. */
static double energy(const struct sct_strategy_host *h, const struct sct_readings *r,
                     uint32_t id)
{
    size_t rows = 0, cols = 0;
    const float *v = h->reading(r, SCT_WATCH_SUMSQ_LABEL, id, &rows, &cols, NULL);
    double sum = 0;
    for (size_t i = 0; v && i < rows * cols; i++)
        sum += (double)v[i];
    return cols ? sum / (double)cols : 0;
}

/* After the measurement: decide. Ties go to the earlier site, so the choice is the same on
 * every machine that measures the same. */
static sct_status choose(void *st, const struct sct_strategy_host *h, const sct_model *m,
                         const struct sct_readings *r, sct_error *err)
{
    struct example *x = st;
    struct sct_site *site;
    size_t n;
    SCT_TRY(find(x, h, m, &site, &n, err));
    const size_t want = x->keep ? x->keep : n;
    x->chosen = h->alloc(want * sizeof *x->chosen);
    sct_status rc = x->chosen ? SCT_OK : h->fail(err, SCT_ENOMEM, "out of memory");
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        size_t above = 0;
        for (size_t k = 0; k < n && x->keep; k++) {
            const double a = energy(h, r, site[k].id), b = energy(h, r, site[i].id);
            above += a > b || (k < i && !(a < b));
        }
        if (!x->keep || above < want)
            x->chosen[x->n_chosen++] = site[i].id;
    }
    h->free(site);
    return rc;
}

static void gate_name(char *buf, size_t size, const struct sct_site *s)
{
    (void)snprintf(buf, size, "example.%.80s.gate", s->path);
}

/* Instead of observe and choose, when an adapter is read: restore what was decided. Here the
 * names of the stored tensors say it. */
static sct_status load(void *st, const struct sct_strategy_host *h, const sct_model *m,
                       const sct_adapter *a, sct_error *err)
{
    struct example *x = st;
    struct sct_site *site;
    size_t n;
    SCT_TRY(find(x, h, m, &site, &n, err));
    x->chosen = h->alloc(n * sizeof *x->chosen);
    sct_status rc = x->chosen ? SCT_OK : h->fail(err, SCT_ENOMEM, "out of memory");
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        char name[128];
        struct sct_desc d;
        const void *data;
        gate_name(name, sizeof name, &site[i]);
        if (h->get(a, name, &d, &data, NULL) == SCT_OK)
            x->chosen[x->n_chosen++] = site[i].id;
    }
    if (rc == SCT_OK && x->n_chosen != (x->keep ? x->keep : n))
        rc = h->fail(err, SCT_EFILE, "expected %zu gates, found %zu: tensors are missing",
                     x->keep ? (size_t)x->keep : n, x->n_chosen);
    h->free(site);
    return rc;
}

/* Changes one site: build from site->out with the ops of <sctrun/ops.h>, commit the result. */
static sct_status gate(const struct sct_strategy_host *h, sct_model *m,
                       const struct sct_site *s, sct_error *err)
{
    char name[128];
    gate_name(name, sizeof name, s);
    struct sct_builder *b = h->edit_begin(m, s);
    const sct_val w = h->new_param(m, name, &s->channels, 1, "zeros", NULL);
    const sct_val y = sct_add(b, s->out, sct_mul(b, s->out, w));
    return h->edit_commit(m, y, err); /* reports what went wrong before, too */
}

/* The only call that is required. It must build the same graph after choose and after load. */
static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct example *x = st;
    struct sct_site *site;
    size_t n;
    SCT_TRY(find(x, h, m, &site, &n, err));
    sct_status rc = SCT_OK;
    for (size_t k = 0; k < x->n_chosen && rc == SCT_OK; k++) {
        (void)h->sites(m, x->sites, site, n); /* an edit moves values: ask again */
        for (size_t i = 0; i < n && rc == SCT_OK; i++)
            if (site[i].id == x->chosen[k])
                rc = gate(h, m, &site[i], err);
    }
    h->free(site);
    return rc;
}

static void fini(void *st, const struct sct_strategy_host *h)
{
    struct example *x = st;
    h->free(x->chosen);
}

/* One row an option: key of --set and YAML, help, type, where it goes, default, range. */
static const struct sct_option options[] = {
    {"sites", "where, as a pattern of sites", SCT_OPT_STRING, offsetof(struct example, sites),
     0, 0, 0, "**.mlp.out"},
    {"keep", "gates, where the output is largest; 0: everywhere", SCT_OPT_UINT,
     offsetof(struct example, keep), 0, 0, 1000, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "example",
        .summary = "a gate on the channels of MLP branches",
        .options = options,
        .state_size = sizeof(struct example),
        .observe = observe,
        .choose = choose,
        .apply = apply,
        .load = load,
        .fini = fini,
    };
    return &s;
}
