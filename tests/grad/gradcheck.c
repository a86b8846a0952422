/* SPDX-License-Identifier: MIT
 * gradcheck.c - every vjp equals finite differences of its op, in f64.
 * Loss = sum dout * out[0] with random dout; <gradient, direction> against a five-point central
 * difference along a random direction, each differentiable input by itself. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/grad/tape.h"

static const double step_size = 1e-5, tolerance = 1e-6;

enum { MAX_CASES = 160 };

struct list {
    struct case_sink sink; /* first: collect gets its address */
    struct sct_case *item;
    uint32_t n;
};

struct result {
    uint32_t cases, failed, inputs; /* inputs: bit i: checked at least once */
    uint32_t seen;                  /* bit i: some case has f32 input i that has a gradient */
    double worst;
};

/* One op on one case: its inputs, dout and outputs as double. */
struct point {
    const struct sct_case *c;
    struct sct_opdesc d;
    struct sct_step_state step;
    struct sct_micro micro;
    void *in[SCT_MAX_IN], *out[SCT_MAX_OUT];
    double *dout;
    uint64_t n_out0;
};

/* Inputs that are f32 and yet have no gradient, with the reason. */
static bool no_gradient(uint32_t op, uint32_t input)
{
    if (op == SCT_OP_DORA_SCALE)
        return input >= 1;                  /* the norm is a constant */
    return op == SCT_OP_XENT && input >= 2; /* mix and sample weight are data */
}

static void collect(struct case_sink *s, const struct sct_case *c)
{
    struct list *l = (struct list *)(void *)s;
    if (l->n < MAX_CASES)
        l->item[l->n++] = *c;
}

/* ---- the point ---- */

static void *to_double(const struct sct_desc *d, const void *x)
{
    void *y = malloc(tape_bytes(d));
    if (y && d->dtype != SCT_F32)
        memcpy(y, x, tape_bytes(d));
    for (uint64_t i = 0, n = sct_desc_count(d); y && d->dtype == SCT_F32 && i < n; i++)
        ((double *)y)[i] = (double)((const float *)x)[i];
    return y;
}

static void point_free(struct point *p)
{
    for (uint32_t i = 0; i < SCT_MAX_IN; i++)
        free(p->in[i]);
    for (uint32_t i = 0; i < SCT_MAX_OUT; i++)
        free(p->out[i]);
    free(p->dout);
}

static bool point_make(struct point *p, const struct sct_case *c, uint64_t seed, sct_error *err)
{
    struct sct_desc out[SCT_MAX_OUT];
    void *data[CASE_MAX_IN];
    memset(p, 0, sizeof *p);
    if (case_infer(c, out, err) != SCT_OK || !case_data(c, seed, data)) {
        (void)sct_fail(err, SCT_ENOMEM, "no data");
        return false;
    }
    p->c = c;
    p->step = c->step;
    p->micro = case_micro(c);
    case_opdesc(c, out, &p->d);
    bool ok = true;
    for (uint32_t i = 0; i < c->n_in; i++)
        ok = (p->in[i] = to_double(&c->in[i].d, data[i])) != NULL && ok;
    for (uint32_t i = 0; i < p->d.n_out; i++)
        ok = (p->out[i] = calloc(1, tape_bytes(&out[i]))) != NULL && ok;
    p->n_out0 = sct_desc_count(&out[0]);
    p->dout = malloc(p->n_out0 * sizeof *p->dout);
    case_data_free(data);
    if (!ok || !p->dout) {
        point_free(p);
        (void)sct_fail(err, SCT_ENOMEM, "out of memory");
        return false;
    }
    struct case_rng r = case_rng(seed, c->op, c->index, 1000);
    for (uint64_t i = 0; i < p->n_out0; i++)
        p->dout[i] = case_rng_normal(&r);
    return true;
}

static void forward(struct point *p)
{
    const void *in[SCT_MAX_IN] = {NULL};
    for (uint32_t i = 0; i < p->c->n_in; i++)
        in[i] = p->in[i];
    tape_run(&p->d, &p->step, &p->micro, in, p->out);
}

/* Loss with input i moved by h along v. */
static double loss_at(struct point *p, uint32_t i, const double *v, double h)
{
    const uint64_t n = sct_desc_count(&p->c->in[i].d);
    double *x = p->in[i], *kept = malloc(n * sizeof *kept), loss = 0.0;
    if (!kept)
        return (double)NAN;
    memcpy(kept, x, n * sizeof *kept);
    for (uint64_t j = 0; j < n; j++)
        x[j] = kept[j] + h * v[j];
    forward(p);
    const double *y = p->out[0];
    for (uint64_t j = 0; j < p->n_out0; j++)
        loss += p->dout[j] * y[j];
    memcpy(x, kept, n * sizeof *kept);
    free(kept);
    return loss;
}

/* ---- the gradient ---- */

struct sweep {
    struct tape t;
    struct sct_vjp v;
    sct_val in[SCT_MAX_IN], out[SCT_MAX_OUT], dout[SCT_MAX_OUT], din[SCT_MAX_IN];
    uint8_t need[SCT_MAX_IN];
};

/* The recorded vjp finds its tape through the builder. */
static sct_val accumulator(struct sct_vjp *v, uint32_t i)
{
    struct tape *t = (struct tape *)(void *)v->b;
    return tape_new(t, &v->in_desc[i]);
}

static sct_val put(struct tape *t, const struct sct_desc *d, const void *data)
{
    const sct_val v = tape_new(t, d);
    if (v.id)
        memcpy(t->data[v.id], data, tape_bytes(d));
    return v;
}

/* din of the inputs in `mask`. dout: of out[0], in its own dtype. */
static bool sweep_run(struct sweep *s, const struct point *p, const void *dout, uint32_t mask,
                      sct_error *err)
{
    const struct sct_case *c = p->c;
    memset(s, 0, sizeof *s);
    tape_init(&s->t, c);
    for (uint32_t i = 0; i < c->n_in; i++) {
        s->in[i] = put(&s->t, &p->d.in[i], p->in[i]);
        s->need[i] = (mask >> i & 1) != 0;
    }
    for (uint32_t i = 0; i < p->d.n_out; i++)
        s->out[i] = put(&s->t, &p->d.out[i], p->out[i]);
    s->dout[0] = put(&s->t, &p->d.out[0], dout);
    s->v = (struct sct_vjp){.b = &s->t.base,
                            .in = s->in,
                            .out = s->out,
                            .dout = s->dout,
                            .in_desc = p->d.in,
                            .out_desc = p->d.out,
                            .n_in = c->n_in,
                            .n_out = p->d.n_out,
                            .params = c->params,
                            .need = s->need,
                            .din = s->din,
                            .acc = accumulator};
    sct_op_info(c->op)->vjp(&s->v);
    if (s->t.err.code != SCT_OK) {
        (void)sct_fail(err, s->t.err.code, "vjp: %s", s->t.err.msg);
        return false;
    }
    for (uint32_t i = 0; i < c->n_in; i++)
        if (s->din[i].id && (!sct_desc_same_dims(&s->t.desc[s->din[i].id], &p->d.in[i]) ||
                             s->t.desc[s->din[i].id].dtype != p->d.in[i].dtype)) {
            (void)sct_fail(err, SCT_EFAIL, "gradient of input %u has another shape or type", i);
            return false;
        }
    return true;
}

static uint32_t wanted(const struct sct_case *c)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (c->in[i].d.dtype == SCT_F32 && !no_gradient(c->op, i))
            mask |= 1u << i;
    return mask;
}

/* ---- the comparison ---- */

static bool compare(struct point *p, uint32_t i, const double *grad, uint64_t seed,
                    double *worst, sct_error *err)
{
    const uint64_t n = sct_desc_count(&p->d.in[i]);
    const double h = step_size;
    double *v = malloc(n * sizeof *v), exact = 0.0, norm = 0.0, dout = 0.0;
    if (!v)
        return sct_fail(err, SCT_ENOMEM, "out of memory") == SCT_OK;
    struct case_rng r = case_rng(seed, p->c->op, p->c->index, 2000 + i);
    for (uint64_t j = 0; j < n; j++) {
        v[j] = case_rng_normal(&r);
        exact += grad[j] * v[j];
        norm += grad[j] * grad[j];
    }
    for (uint64_t j = 0; j < p->n_out0; j++)
        dout += p->dout[j] * p->dout[j];
    const double near = loss_at(p, i, v, h) - loss_at(p, i, v, -h);
    const double far = loss_at(p, i, v, 2 * h) - loss_at(p, i, v, -2 * h);
    const double found = (8.0 * near - far) / (12.0 * h);
    free(v);
    /* the direction may be nearly orthogonal to the gradient, and the loss has rounding */
    const double scale = fmax(fmax(fabs(exact), fabs(found)), 0.1 * sqrt(norm));
    const double limit = tolerance * scale + 1e-9 * sqrt(dout);
    const double error = fabs(exact - found);
    if (error / limit > *worst)
        *worst = error / limit;
    if (error <= limit)
        return true;
    (void)sct_fail(err, SCT_EFAIL,
                   "input %u: vjp says %.12g, differences say %.12g (limit %.3g)", i, exact,
                   found, limit);
    return false;
}

/* Asked for alone, a gradient has the same bits as asked for with the others. */
static bool alone(struct point *p, const struct sweep *all, uint32_t i, sct_error *err)
{
    struct sweep one;
    forward(p); /* the differences left other outputs */
    bool ok = sweep_run(&one, p, p->dout, 1u << i, err);
    if (ok) {
        const sct_val a = all->din[i], b = one.din[i];
        ok = b.id && memcmp(all->t.data[a.id], one.t.data[b.id], tape_bytes(&p->d.in[i])) == 0;
        if (!ok)
            (void)sct_fail(err, SCT_EFAIL, "input %u: another gradient when asked for alone",
                           i);
    }
    tape_free(&one.t);
    return ok;
}

static bool check_case(const struct sct_case *c, uint64_t seed, struct result *res,
                       sct_error *err)
{
    struct point p;
    struct sweep s;
    const uint32_t mask = wanted(c);
    if (!point_make(&p, c, seed, err))
        return false;
    forward(&p);
    bool ok = sweep_run(&s, &p, p.dout, mask, err);
    res->seen |= mask;
    for (uint32_t i = 0; ok && i < c->n_in; i++) {
        if (!(mask >> i & 1))
            continue;
        if (!s.din[i].id) {
            (void)sct_fail(err, SCT_EFAIL, "input %u: the vjp gives no gradient", i);
            ok = false;
            break;
        }
        ok = compare(&p, i, s.t.data[s.din[i].id], seed, &res->worst, err) &&
             alone(&p, &s, i, err);
        res->inputs |= ok ? 1u << i : 0;
    }
    tape_free(&s.t);
    point_free(&p);
    return ok;
}

/* ---- CAST: rounding has no derivative; its gradient is dout in the input's type ---- */

static sct_val cast(struct tape *t, sct_val x, uint32_t dtype)
{
    return t->desc[x.id].dtype == dtype ? x : sct_cast(&t->base, x, dtype);
}

static bool check_cast(const struct sct_case *c, uint64_t seed, struct result *res,
                       sct_error *err)
{
    struct point p;
    struct sweep s;
    struct tape t;
    if (!point_make(&p, c, seed, err))
        return false;
    tape_init(&t, c);
    struct sct_desc d = p.d.out[0];
    d.dtype = SCT_F32;
    for (uint64_t i = 0; i < p.n_out0; i++)
        p.dout[i] = (double)(int)(i % 9) - 4.0; /* every type holds these */
    const sct_val dout = cast(&t, put(&t, &d, p.dout), p.d.out[0].dtype);
    bool ok = t.err.code == SCT_OK && sweep_run(&s, &p, t.data[dout.id], 1, err);
    if (ok) {
        const sct_val back = cast(&s.t, s.din[0], SCT_F32);
        ok = back.id && memcmp(s.t.data[back.id], p.dout, p.n_out0 * sizeof *p.dout) == 0;
        if (!ok)
            (void)sct_fail(err, SCT_EFAIL, "gradient is not dout");
        tape_free(&s.t);
    }
    res->seen |= 1;
    res->inputs |= ok ? 1 : 0;
    tape_free(&t);
    point_free(&p);
    return ok;
}

/* ---- the program ---- */

static bool check_op(uint32_t op, uint64_t seed)
{
    struct list l = {.sink = {collect, 0}};
    struct result res = {0};
    const struct case_op *info = case_op(op);
    l.item = malloc(MAX_CASES * sizeof *l.item);
    if (!l.item)
        return false;
    info->cases(&l.sink);
    for (uint32_t i = 0; i < l.n; i++) {
        const struct sct_case *c = &l.item[i];
        const bool is_cast = op == SCT_OP_CAST;
        sct_error err = SCT_ERROR_INIT;
        if (c->variant != CASE_REAL || (c->flags & CASE_BIG) ||
            (!is_cast && c->flags & CASE_FWD))
            continue;
        res.cases++;
        if (is_cast ? check_cast(c, seed, &res, &err) : check_case(c, seed, &res, &err))
            continue;
        if (res.failed++ < 4)
            printf("    %s: %s: %s\n", info->name, c->name, err.msg);
    }
    free(l.item);
    const bool ok = res.failed == 0 && res.cases > 0 && res.seen && res.seen == res.inputs;
    printf("%-18s %3u cases  inputs 0x%02x of 0x%02x  worst %.3f  %s\n", info->name, res.cases,
           res.inputs, res.seen, res.worst, ok ? "ok" : "FAIL");
    (void)fflush(stdout);
    return ok;
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    uint32_t passed = 0, failed = 0;
    if (only && strcmp(only, "all") != 0 && sct_op_find(only) == SCT_OP_NONE) {
        fprintf(stderr, "usage: gradcheck [OP|all [SEED]]; there is no op \"%s\"\n", only);
        return 2;
    }
    for (uint32_t op = 1; op < SCT_OP_COUNT; op++) {
        if (!case_op(op)->diff ||
            (only && strcmp(only, "all") != 0 && strcmp(only, case_op(op)->name) != 0))
            continue;
        if (check_op(op, seed))
            passed++;
        else
            failed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
