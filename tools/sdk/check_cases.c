/* SPDX-License-Identifier: MIT
 * check_cases.c - what is asked of a strategy. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/plug/module.h"
#include "tools/sdk/check.h"

static enum check_verdict verdict_of(sct_status rc, const sct_error *e, char *why, size_t size)
{
    if (rc == SCT_OK)
        return CHECK_PASS;
    (void)snprintf(why, size, "%s", e->msg);
    return CHECK_FAIL;
}

/* ---- the table ---- */

static const char *bad_option(const struct sct_option *o, size_t state_size)
{
    static const size_t bytes[] = {sizeof(uint32_t), sizeof(uint32_t),
                                   sizeof(float),    sizeof(const char *),
                                   sizeof(uint32_t), sizeof(struct sct_count)};
    if (!o->key[0] || strspn(o->key, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(o->key))
        return "its key is not lower-case letters, digits and _";
    if (!o->help || !o->help[0])
        return "it has no help";
    if (o->type > SCT_OPT_COUNT)
        return "its type is unknown";
    if (o->offset > state_size || state_size - o->offset < bytes[o->type])
        return "it lies outside the state";
    if ((o->type == SCT_OPT_CHOICE || o->type == SCT_OPT_COUNT) && !o->def_str)
        return "it has no def_str";
    if ((o->type == SCT_OPT_UINT || o->type == SCT_OPT_FLOAT) && (o->min != 0 || o->max != 0) &&
        !(o->min <= o->def && o->def <= o->max))
        return "its default is out of its range";
    return NULL;
}

static enum check_verdict table(const struct check *c, const char *arch, char *why, size_t size)
{
    const struct sct_strategy *s = NULL;
    sct_error e = SCT_ERROR_INIT;
    (void)arch;
    if (sct_plug_strategy(c->file, &s, &e) != SCT_OK)
        return verdict_of(e.code, &e, why, size);
    if (!s->summary || !s->summary[0]) {
        (void)snprintf(why, size, "it has no summary");
        return CHECK_FAIL;
    }
    if (s->observe && !s->choose) {
        (void)snprintf(why, size, "it observes but does not choose");
        return CHECK_FAIL;
    }
    if (s->choose && !s->load) {
        (void)snprintf(why, size, "it chooses but has no load: its adapters cannot be read");
        return CHECK_FAIL;
    }
    uint32_t n = 0;
    for (const struct sct_option *o = s->options; o && o->key; o++, n++) {
        const char *bad = bad_option(o, s->state_size);
        for (const struct sct_option *p = s->options; p < o && !bad; p++)
            bad = strcmp(p->key, o->key) == 0 ? "another one has its key" : NULL;
        if (bad) {
            (void)snprintf(why, size, "option %s: %s", o->key, bad);
            return CHECK_FAIL;
        }
    }
    (void)snprintf(why, size, "%s, ABI %u, %u option%s: %s", s->name, s->abi, n,
                   n == 1 ? "" : "s", s->summary);
    return CHECK_PASS;
}

/* ---- models ---- */

static enum check_verdict applies(const struct check *c, const char *arch, char *why,
                                  size_t size)
{
    struct sct_settings_run run;
    struct sct_session x;
    sct_error e = SCT_ERROR_INIT;
    const struct check_run r = {.arch = arch, .backend = "ref"};
    const sct_status rc = check_session(c, &r, &run, &x, &e);
    if (rc != SCT_OK) {
        (void)snprintf(why, size, "refused: %s", e.msg);
        /* a refusal names its reason; what the host found wrong is no refusal */
        return rc == SCT_EINVAL || rc == SCT_EPLUGIN || !e.msg[0] ? CHECK_FAIL : CHECK_SKIP;
    }
    uint64_t trainable, head, all;
    sct_model_count(x.model, &trainable, &head, &all);
    (void)snprintf(why, size, "%llu of %llu parameters are trained, %llu of them the head's",
                   (unsigned long long)trainable, (unsigned long long)all,
                   (unsigned long long)head);
    sct_session_close(&x);
    sct_settings_fini(&run);
    return CHECK_PASS;
}

/* ---- bits ---- */

static bool same_bits(const struct check_result *a, const struct check_result *b)
{
    return a->n_loss == b->n_loss &&
           memcmp(a->loss, b->loss, a->n_loss * sizeof a->loss[0]) == 0 &&
           strcmp(a->adapter, b->adapter) == 0;
}

/* False: one of them failed, and why says how. */
static bool train_both(const struct check *c, const struct check_run *a,
                       const struct check_run *b, struct check_result *x,
                       struct check_result *y, char *why, size_t size)
{
    sct_error e = SCT_ERROR_INIT;
    sct_status rc = check_train(c, a, x, &e);
    if (rc == SCT_OK)
        rc = check_train(c, b, y, &e);
    return verdict_of(rc, &e, why, size) == CHECK_PASS;
}

/* Two runs that differ in `more` only: the same adapter, bit for bit. */
static enum check_verdict compare(const struct check *c, const struct check_run *a,
                                  const struct check_run *b, const char *what, char *why,
                                  size_t size)
{
    struct check_result x, y;
    if (!train_both(c, a, b, &x, &y, why, size))
        return CHECK_FAIL;
    if (same_bits(&x, &y))
        return CHECK_PASS;
    (void)snprintf(why, size, "%s: another adapter (losses %.9g and %.9g)", what,
                   (double)x.loss[x.n_loss - 1], (double)y.loss[y.n_loss - 1]);
    return CHECK_FAIL;
}

static enum check_verdict repeats(const struct check *c, const char *arch, char *why,
                                  size_t size)
{
    const struct check_run a = {.arch = arch, .backend = "cpu", .name = "again-1"},
                           b = {.arch = arch, .backend = "cpu", .name = "again-2"};
    return compare(c, &a, &b, "the same run twice", why, size);
}

static enum check_verdict threads(const struct check *c, const char *arch, char *why,
                                  size_t size)
{
    const struct check_run a = {
        .arch = arch, .backend = "cpu", .more = {"--threads", "1"}, .name = "threads-1"};
    const struct check_run b = {
        .arch = arch, .backend = "cpu", .more = {"--threads", "3"}, .name = "threads-3"};
    return compare(c, &a, &b, "one thread and three", why, size);
}

/* A weight that several nodes read has one running sum: its last bits may depend on it. */
static enum check_verdict micro(const struct check *c, const char *arch, char *why, size_t size)
{
    const struct check_run a = {
        .arch = arch, .backend = "cpu", .more = {"--micro-batch", "1"}, .name = "micro-1"};
    const struct check_run b = {
        .arch = arch, .backend = "cpu", .more = {"--micro-batch", "2"}, .name = "micro-2"};
    struct check_result x, y;
    if (!train_both(c, &a, &b, &x, &y, why, size))
        return CHECK_FAIL;
    if (same_bits(&x, &y))
        return CHECK_PASS;
    for (uint32_t i = 0; i < x.n_loss; i++)
        if (!(fabs((double)x.loss[i] - (double)y.loss[i]) <= 1e-5 * fabs((double)x.loss[i]))) {
            (void)snprintf(why, size, "one image at once and two: losses %.9g and %.9g",
                           (double)x.loss[i], (double)y.loss[i]);
            return CHECK_FAIL;
        }
    (void)snprintf(why, size, "the last bits differ: a weight has several users");
    return CHECK_PASS;
}

static enum check_verdict other_backend(const struct check *c, const char *arch, char *why,
                                        size_t size)
{
    const struct check_run a = {.arch = arch, .backend = "cpu", .name = "cpu"},
                           b = {.arch = arch, .backend = "ref", .name = "ref"};
    struct check_result x, y;
    if (!train_both(c, &a, &b, &x, &y, why, size))
        return CHECK_FAIL;
    double worst = 0;
    for (uint32_t i = 0; i < x.n_loss; i++)
        worst = fmax(worst, fabs((double)x.loss[i] / (double)y.loss[i] - 1));
    (void)snprintf(why, size, "losses of cpu and ref differ by %.1e", worst);
    return worst <= 1e-4 ? CHECK_PASS : CHECK_FAIL; /* a few steps of f32 */
}

static enum check_verdict save_load(const struct check *c, const char *arch, char *why,
                                    size_t size)
{
    const struct check_run r = {.arch = arch, .backend = "cpu", .name = "saved"};
    struct check_result x;
    double loss = 0;
    sct_error e = SCT_ERROR_INIT;
    sct_status rc = check_train(c, &r, &x, &e);
    if (rc == SCT_OK)
        rc = check_eval(c, &r, &loss, &e);
    if (rc != SCT_OK)
        return verdict_of(rc, &e, why, size);
    if (loss == x.eval_loss)
        return CHECK_PASS;
    (void)snprintf(why, size,
                   "loss %.9g before, %.9g after: load must restore what choose decided",
                   x.eval_loss, loss);
    return CHECK_FAIL;
}

/* ---- memory ---- */

enum { MAX_POINTS = 20000 };

/* apply on fresh models while the n-th allocation fails, for every n. */
static enum check_verdict out_of_memory(const struct check *c, const char *arch, char *why,
                                        size_t size)
{
    struct sct_settings_run run;
    struct sct_session x;
    sct_error e = SCT_ERROR_INIT;
    const struct check_run r = {.arch = arch, .backend = "ref"};
    sct_status rc = check_session(c, &r, &run, &x, &e);
    if (rc != SCT_OK)
        return verdict_of(rc, &e, why, size);
    uint64_t n = 0;
    rc = SCT_ENOMEM;
    while (rc == SCT_ENOMEM && n < MAX_POINTS) {
        struct sct_model *m = NULL;
        e = (sct_error)SCT_ERROR_INIT;
        rc = sct_session_plain(&x, &m, &e);
        if (rc == SCT_OK) {
            (void)sct_mem_fail_at(++n, 0);
            rc = sct_tuner_apply(&x.tuner, m, &e);
            (void)sct_mem_fail_at(0, 0);
        }
        sct_model_destroy(&m);
    }
    sct_session_close(&x);
    sct_settings_fini(&run);
    (void)snprintf(why, size, "allocation %llu of apply failed: %s", (unsigned long long)n,
                   rc == SCT_OK ? "none is left" : e.msg);
    if (rc != SCT_OK)
        return CHECK_FAIL;
    (void)snprintf(why, size, "apply fails cleanly at each of its %llu allocations",
                   (unsigned long long)n - 1);
    return CHECK_PASS;
}

const struct check_case check_cases[] = {
    {"table and options", false, table},
    {"builds on a model", true, applies},
    {"gradients are those of the loss", true, check_gradient},
    {"the same bits in every run", true, repeats},
    {"the same bits for any threads", true, threads},
    {"the same numbers for any micro-batch", true, micro},
    {"the same numbers on cpu and ref", true, other_backend},
    {"an adapter is read as it was saved", true, save_load},
    {"running out of memory", true, out_of_memory},
    {NULL, false, NULL},
};
