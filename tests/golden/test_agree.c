/* SPDX-License-Identifier: MIT
 * test_agree.c - cpu and opencl, each against the other: the gradients of one step of linear,
 * LoRA, SCT and full fine-tuning to 1e-5 of a tensor's norm, and the losses of ten steps to a
 * relative 1e-5 or three times what PyTorch's own float32 is off. usage: test_agree [swin]
 * [opencl [option]] */
#include <math.h>
#include <string.h>

#include "tests/golden/tuned.h"

enum { MAX_STEPS = 16 };

static const char *const strategies[] = {"linear", "lora", "sct", "full"};

static const double limit = 1e-5;

/* A strategy on one of the two devices. */
struct side {
    struct golden g;
    struct tuned t;
    struct tuned_feeds feeds;
    float loss[MAX_STEPS];
};

static sct_status fetch_grad(struct tuned_ready *r, const struct sct_param *p, float **out,
                             sct_error *err)
{
    char name[192];
    (void)snprintf(name, sizeof name, "grad.%s", p->name);
    *out = sct_calloc((size_t)sct_desc_count(&p->t->desc), sizeof **out);
    if (!*out)
        return sct_fail(err, SCT_ENOMEM, "no memory for %s", name);
    return sct_exec_fetch(r->x, name, *out, err);
}

/* ||a - b|| / ||b|| of every trainable tensor: the largest, and whose. */
static sct_status compare(struct tuned_ready *a, struct tuned_ready *b,
                          const struct sct_model *m, double *worst, const char **which,
                          uint32_t *tensors, sct_error *err)
{
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        float *x = NULL, *y = NULL;
        if (!p->trainable)
            continue;
        sct_status rc = fetch_grad(a, p, &x, err);
        if (rc == SCT_OK)
            rc = fetch_grad(b, p, &y, err);
        if (rc == SCT_OK) {
            const uint64_t n = sct_desc_count(&p->t->desc);
            tuned_hide_key_bias(p->name, x, y, n);
            const double off = golden_rel_diff(x, y, n);
            if (!(off <= *worst)) {
                *worst = off;
                *which = p->name;
            }
            ++*tensors;
        }
        sct_free(x);
        sct_free(y);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

static sct_status one_step(struct side *s, struct tuned_ready *r, sct_error *err)
{
    SCT_TRY(tuned_ready_open(r, &s->g, &s->t, &golden_plans[0], s->t.smoothing, true, err));
    SCT_TRY(tuned_feed(r->x, &s->g, &s->feeds, err));
    return golden_step(r->x, 0, 0.0f, GOLDEN_BATCH, err);
}

static sct_status check_grads(struct side *cpu, struct side *cl, sct_error *err)
{
    struct tuned_ready a = {0}, b = {0};
    const char *which = "-", *name = cpu->t.name;
    double worst = -1;
    uint32_t tensors = 0;
    sct_status rc = one_step(cpu, &a, err);
    if (rc == SCT_OK)
        rc = one_step(cl, &b, err);
    if (rc == SCT_OK)
        rc = compare(&b, &a, cpu->t.m, &worst, &which, &tensors, err);
    if (rc == SCT_OK)
        golden_expect(worst >= 0 && worst <= limit,
                      "%s: gradients of %u tensors, worst %.1e of its norm (limit %.0e): %s",
                      name, tensors, worst, limit, which);
    tuned_ready_close(&a);
    tuned_ready_close(&b);
    return rc;
}

static sct_status train(struct side *s, uint32_t steps, sct_error *err)
{
    struct tuned_ready r = {0};
    sct_status rc =
        tuned_ready_open(&r, &s->g, &s->t, &golden_plans[0], s->t.smoothing, false, err);
    if (rc == SCT_OK)
        rc = tuned_train(&r, &s->g, &s->t, &s->feeds, steps, s->loss, err);
    tuned_ready_close(&r);
    return rc;
}

static sct_status check_losses(struct side *cpu, struct side *cl, sct_error *err)
{
    uint64_t n = 0, n32 = 0;
    double *f64 = golden_f64(cpu->t.file, "loss", &n),
           *f32 = golden_f64(cpu->t.file, "loss_f32", &n32);
    sct_status rc = SCT_OK;
    if (!f64 || !f32 || n != n32 || n < 10 || n > MAX_STEPS)
        rc = sct_fail(err, SCT_EFILE, "%s: expected 10 to %d losses", cpu->t.name, MAX_STEPS);
    if (rc == SCT_OK)
        rc = train(cpu, (uint32_t)n, err);
    if (rc == SCT_OK)
        rc = train(cl, (uint32_t)n, err);
    for (uint64_t i = 0; rc == SCT_OK && i < n; i++) {
        const double off = fabs((double)cl->loss[i] - (double)cpu->loss[i]),
                     most = fmax(limit * f64[i], 3 * fabs(f32[i] - f64[i]));
        golden_expect(off <= most, "%s: loss of step %u off by %.1e (limit %.1e)", cpu->t.name,
                      (unsigned)i, off, most);
    }
    sct_free(f64);
    sct_free(f32);
    return rc;
}

static void check_strategy(struct side *cpu, struct side *cl, const json_t *row)
{
    struct side *const side[] = {cpu, cl};
    sct_error err = SCT_ERROR_INIT;
    sct_status rc = SCT_OK;
    for (int k = 0; k < 2 && rc == SCT_OK; k++) {
        struct side *s = side[k];
        rc = tuned_open(&s->t, &s->g, row, &err);
        if (rc == SCT_OK)
            rc = tuned_feeds(&s->feeds, &s->g, 1.0, GOLDEN_BATCH, &err);
    }
    if (rc == SCT_OK)
        rc = check_grads(cpu, cl, &err);
    if (rc == SCT_OK)
        rc = check_losses(cpu, cl, &err);
    (void)golden_ok(rc, &err, "a strategy on both");
    tuned_close(&cpu->t);
    tuned_close(&cl->t);
}

/* Those that the golden files have; the Swin has no linear. */
static void check_all(struct side *cpu, struct side *cl)
{
    char path[4096];
    json_t *root = NULL;
    sct_error err = SCT_ERROR_INIT;
    (void)golden_ok(
        sct_json_load(golden_path("cases.json", path, sizeof path), SCT_EFILE, &root, &err),
        &err, "cases.json");
    const json_t *cases = json_object_get(root, "cases");
    uint32_t n = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *row = json_array_get(cases, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        for (size_t k = 0; name && k < sizeof strategies / sizeof strategies[0]; k++)
            if (strcmp(name, strategies[k]) == 0) {
                check_strategy(cpu, cl, row);
                n++;
            }
    }
    golden_expect(n == (cpu->g.base->window ? 3 : 4), "%u strategies on both devices", n);
    json_decref(root);
}

int main(int argc, char **argv)
{
    static struct side cpu, cl;
    char *with[] = {argv[0], (char[]){"swin"}, (char[]){"cpu"}};
    const bool swin = argc > 1 && strcmp(argv[1], "swin") == 0;
    int skip = golden_init(&cl.g, argc, argv);
    if (skip)
        return skip;
    if (!swin)
        with[1] = with[2];
    skip = golden_init(&cpu.g, swin ? 3 : 2, with);
    if (skip)
        return skip;
    check_all(&cpu, &cl);
    golden_fini(&cl.g);
    golden_fini(&cpu.g);
    return golden_result();
}
