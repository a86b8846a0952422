/* SPDX-License-Identifier: MIT
 * cl_testrun.c - the self-test itself: a candidate row against the plain row of its op.
 * Both run on the device over the same random values; every value lies between NaN-filled
 * guards, and the candidate runs twice, so that stray reads, stray writes and races show. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/cl_internal.h"

enum { GUARD = 4096, MAX_VALUES = 2 * SCT_MAX_IN + SCT_MAX_OUT + 1, MAX_CASES = 64 };

struct op_facts {
    uint32_t flags;
    bool sums; /* tolerance policy SUM: linear in its operands, so a wide range of values is
                  fair */
};

#define POLICY_EXACT false
#define POLICY_ULP   false
#define POLICY_SUM   true
#define POLICY_NMSE  false
static const struct op_facts facts[SCT_OP_COUNT] = {
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    [SCT_OP_##ID] = {FLAGS, POLICY_##TOL},
#include <sctrun/ops.def>
#undef SCT_OP
};

/* One value: host image of the buffer, guards included. */
struct value {
    struct sct_desc d;
    uint64_t bytes;
    unsigned char *host, *back; /* as uploaded, as read back */
    sct_buf *buf;
};

/* A node, the PACK nodes before it, and everything they read and write. */
struct bench {
    sct_device *dev;
    struct sct_opdesc d;
    struct value v[MAX_VALUES];
    uint32_t n_v;
    struct sct_node pack[SCT_MAX_IN], node;
    struct sct_pack_params layout[SCT_MAX_IN];
    uint32_t n_pack;
};

/* ---- values
 * ---------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = (*s += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint16_t half_of(float f) /* magnitudes 2^-14 .. 65504 only; truncates */
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    const uint32_t e = u >> 23 & 255;
    if (e < 113)
        return (uint16_t)(u >> 16 & 0x8000);
    return (uint16_t)((u >> 16 & 0x8000) | (e - 112) << 10 | (u >> 13 & 0x3ff));
}

static float float_of_half(uint16_t h)
{
    const uint32_t e = h >> 10 & 31, m = h & 0x3ff;
    float f = e == 31 ? (m ? NAN : INFINITY)
              : e     ? ldexpf(1.0f + (float)m / 1024.0f, (int)e - 15)
                      : ldexpf((float)m, -24);
    return h & 0x8000 ? -f : f;
}

static void put(unsigned char *at, uint32_t dtype, uint64_t i, float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    const uint16_t h = dtype == SCT_F16 ? half_of(f) : (uint16_t)(u >> 16);
    if (dtype == SCT_F32)
        memcpy(at + 4 * i, &u, 4);
    else
        memcpy(at + 2 * i, &h, 2);
}

static float get(const unsigned char *at, uint32_t dtype, uint64_t i)
{
    uint32_t u = 0;
    uint16_t h = 0;
    float f;
    if (dtype == SCT_F32) {
        memcpy(&u, at + 4 * i, 4);
    } else {
        memcpy(&h, at + 2 * i, 2);
        if (dtype == SCT_F16)
            return float_of_half(h);
        u = (uint32_t)h << 16;
    }
    memcpy(&f, &u, 4);
    return f;
}

static void fill(struct value *v, const struct cl_test *t, uint32_t i, bool wide,
                 uint64_t *seed)
{
    unsigned char *at = v->host + GUARD;
    const uint64_t n = sct_desc_count(&v->d), limit = t->index_limit[i];
    uint64_t last = 0;
    for (uint64_t k = 0; k < n; k++) {
        const uint64_t r = next_random(seed);
        if (v->d.dtype == SCT_U8) {
            at[k] = (unsigned char)r;
        } else if (v->d.dtype == SCT_I32) { /* ascending: the k-th of n strides below limit */
            const uint64_t lo = n ? k * limit / n : 0;
            last = lo > last || k == 0 ? lo : last + 1;
            const int32_t index = (int32_t)last;
            memcpy(at + 4 * k, &index, 4);
        } else {
            const float u = (float)(r >> 40) * 0x1p-24f;
            float f = t->lo + (t->hi - t->lo) * u;
            if (wide)
                f = ldexpf(f, (int)(r & 15) - 8);
            put(at, v->d.dtype, k, f);
        }
    }
}

/* guard: what lies around the value; the value itself begins as NaNs. Inputs lie in NaNs (0xff
 * in f32, bf16 and f16), so that a stray read shows; outputs in a finite pattern, so that a
 * stray write of a NaN shows too. */
enum { GUARD_IN = 0xff, GUARD_OUT = 0x5a };

static sct_status add_value(struct bench *b, const struct sct_desc *d, int guard,
                            uint32_t *index, sct_error *err)
{
    struct value *v = &b->v[b->n_v];
    v->d = *d;
    v->bytes = cl_value_bytes(d);
    v->host = malloc((size_t)v->bytes + 2 * GUARD);
    v->back = malloc((size_t)v->bytes + 2 * GUARD);
    *index = b->n_v++;
    if (!v->host || !v->back)
        return sct_fail(err, SCT_ENOMEM, "out of host memory for the self-test");
    memset(v->host, guard, (size_t)v->bytes + 2 * GUARD);
    memset(v->host + GUARD, 0xff, (size_t)v->bytes);
    return cl_buf_new(b->dev, v->bytes + 2 * GUARD, &v->buf, err);
}

static void bench_free(struct bench *b)
{
    for (uint32_t i = 0; i < b->n_v; i++) {
        cl_buf_free(b->dev, b->v[i].buf);
        free(b->v[i].host);
        free(b->v[i].back);
    }
}

static struct sct_place at(const struct bench *b, uint32_t v)
{
    const struct sct_place p = {SCT_STEP, v, GUARD, b->v[v].bytes, 0};
    return p;
}

/* ---- one row's program
 * ----------------------------------------------------------------------- */

/* Input i in the layout that the row wants: one PACK node before. */
static sct_status add_pack(struct bench *b, uint32_t i, uint32_t layout, sct_error *err)
{
    struct sct_node *n = &b->pack[b->n_pack];
    uint32_t v = 0;
    b->layout[b->n_pack].layout = layout;
    n->label = "self-test pack";
    n->d = (struct sct_opdesc){.size = sizeof n->d,
                               .op = SCT_OP_PACK,
                               .n_in = 1,
                               .n_out = 1,
                               .segment = SCT_SEG_SETUP,
                               .team = 1,
                               .params = &b->layout[b->n_pack]};
    n->d.in[0] = n->d.out[0] = b->d.in[i];
    n->d.out[0].layout = layout;
    n->c.size = sizeof n->c;
    n->c.row = NULL;
    SCT_TRY(cl_probe(b->dev, &n->d, &n->c, err));
    SCT_TRY(add_value(b, &n->d.out[0], GUARD_OUT, &v, err));
    n->in[0] = b->node.in[i];
    n->out[0] = at(b, v);
    b->node.in[i] = n->out[0];
    b->node.d.in[i].layout = layout;
    b->n_pack++;
    return SCT_OK;
}

static sct_status make_bench(struct bench *b, sct_device *dev, const struct cl_row *row,
                             const struct cl_test *t, bool wide, uint64_t seed, sct_error *err)
{
    memset(b, 0, sizeof *b);
    b->dev = dev;
    b->d = t->d;
    b->node.d = t->d;
    b->node.label = "self-test";
    b->node.c.size = sizeof b->node.c;
    b->node.c.row = row->name;
    b->node.c.order = row->order;
    if (row->choose)
        row->choose(&dev->caps, &t->d, &b->node.c);
    const uint32_t flags = facts[row->op].flags;
    uint32_t v = 0;
    for (uint32_t i = 0; i < t->d.n_in; i++) {
        SCT_TRY(add_value(b, &t->d.in[i], GUARD_IN, &v, err));
        fill(&b->v[v], t, i, wide, &seed);
        b->node.in[i] = at(b, v);
    }
    for (uint32_t i = 0; i < t->d.n_out; i++) {
        const bool alias =
            (flags & SCT_OPF_UPDATE) || (i == 0 && ((flags & SCT_OPF_ACCUM) || t->d.alias_in0));
        if (alias)
            b->node.out[i] = b->node.in[i];
        else {
            SCT_TRY(add_value(b, &t->d.out[i], GUARD_OUT, &v, err));
            b->node.out[i] = at(b, v);
        }
    }
    for (uint32_t i = 0; i < t->d.n_in; i++)
        if (b->node.c.pack_in[i])
            SCT_TRY(add_pack(b, i, b->node.c.pack_in[i], err));
    if (b->node.c.scratch) {
        const uint32_t dim = (uint32_t)((b->node.c.scratch + 3) / 4);
        const struct sct_desc s = sct_desc_make(SCT_F32, 1, &dim);
        SCT_TRY(add_value(b, &s, GUARD_OUT, &v, err));
        b->node.scratch = at(b, v);
    }
    return SCT_OK;
}

static sct_status run_program(struct bench *b, sct_error *err)
{
    const uint32_t images = b->d.n_in && b->d.in[0].nd ? b->d.in[0].dim[0] : 1;
    const struct sct_micro micro = {0, images, 0};
    const struct sct_segment seg[2] = {{SCT_SEG_SETUP, b->n_pack, b->pack},
                                       {SCT_SEG_BODY, 1, &b->node}};
    struct sct_progdesc desc = {.size = sizeof desc,
                                .n_seg = 2,
                                .seg = seg,
                                .batch = images,
                                .slots = 1,
                                .n_micro = 1,
                                .micro = &micro};
    desc.shape =
        (struct sct_shape){.size = sizeof desc.shape, .lanes = 1, .b = images, .team = 1};
    const struct sct_step_state state = {1234, 5, 0.01f, images};
    sct_buf *buf[MAX_VALUES] = {0};
    for (uint32_t i = 0; i < b->n_v; i++)
        buf[i] = b->v[i].buf;
    sct_prog *p = NULL;
    SCT_TRY(cl_bind(b->dev, &desc, &p, err));
    sct_status rc = cl_place(p, buf, b->n_v, err);
    if (rc == SCT_OK)
        rc = cl_step(p, &state);
    if (rc == SCT_OK)
        rc = cl_run(p, 0, 0, 0);
    if (rc == SCT_OK)
        rc = cl_run(p, 1, 0, 1);
    const sct_status done = cl_sync(b->dev, err);
    cl_drop(&p);
    return rc != SCT_OK && done == SCT_OK ? sct_fail(err, rc, "the self-test's program failed")
                                          : done;
}

/* Uploads, runs, reads back; then guards must be as they were. */
static sct_status run_bench(struct bench *b, const struct cl_row *row, sct_error *err)
{
    for (uint32_t i = 0; i < b->n_v; i++)
        SCT_TRY(cl_write(b->dev, b->v[i].buf, 0, b->v[i].host, b->v[i].bytes + 2 * GUARD, err));
    SCT_TRY(run_program(b, err));
    for (uint32_t i = 0; i < b->n_v; i++) {
        struct value *v = &b->v[i];
        SCT_TRY(cl_read(b->dev, v->buf, 0, v->back, v->bytes + 2 * GUARD, err));
        if (memcmp(v->back, v->host, GUARD) != 0 ||
            memcmp(v->back + GUARD + v->bytes, v->host + GUARD + v->bytes, GUARD) != 0)
            return sct_fail(err, SCT_EFAIL, "%s wrote outside value %u", row->name, i);
    }
    return SCT_OK;
}

/* ---- comparison
 * ------------------------------------------------------------------------------ */

static const unsigned char *result(const struct bench *b, uint32_t i)
{
    return b->v[b->node.out[i].buf].back + GUARD;
}

static sct_status compare(const struct bench *fast, const struct bench *plain, uint32_t i,
                          const struct cl_row *row, const struct cl_test *t, sct_error *err)
{
    const struct sct_desc *d = &t->d.out[i];
    const unsigned char *x = result(fast, i), *y = result(plain, i);
    const uint64_t n = sct_desc_count(d);
    if (d->dtype == SCT_I32 || d->dtype == SCT_U8)
        return memcmp(x, y, (size_t)(n * sct_dtype_bytes(d->dtype))) == 0
                   ? SCT_OK
                   : sct_fail(err, SCT_EFAIL, "%s: integers of output %u differ", row->name, i);
    double sum = 0.0, worst = 0.0;
    uint64_t where = 0;
    for (uint64_t k = 0; k < n; k++) {
        const double a = (double)get(x, d->dtype, k), c = (double)get(y, d->dtype, k);
        const double diff = a == c || (isnan(a) && isnan(c)) ? 0.0 : fabs(a - c);
        sum += isfinite(c) ? c * c : 0.0;
        if (!(diff <= worst)) { /* a lone NaN is the worst */
            worst = diff;
            where = k;
        }
        if (isnan(worst))
            break;
    }
    const double bound = (double)t->tol * sqrt(sum / (n ? (double)n : 1.0));
    if (worst <= bound)
        return SCT_OK;
    return sct_fail(err, SCT_EFAIL,
                    "%s: output %u element %llu is %g, the plain kernel has %g "
                    "(bound %g)",
                    row->name, i, (unsigned long long)where, (double)get(x, d->dtype, where),
                    (double)get(y, d->dtype, where), bound);
}

static sct_status compare_all(struct bench *fast, struct bench *plain, const struct cl_row *row,
                              const struct cl_row *other, const struct cl_test *t,
                              sct_error *err)
{
    SCT_TRY(run_bench(plain, other, err));
    SCT_TRY(run_bench(fast, row, err));
    unsigned char *first[SCT_MAX_OUT] = {0};
    sct_status rc = SCT_OK;
    for (uint32_t i = 0; i < t->d.n_out && rc == SCT_OK; i++) {
        const uint64_t n = fast->v[fast->node.out[i].buf].bytes;
        rc = compare(fast, plain, i, row, t, err);
        first[i] = malloc((size_t)n + 1);
        if (!first[i])
            rc = sct_fail(err, SCT_ENOMEM, "out of host memory for the self-test");
        else
            memcpy(first[i], result(fast, i), (size_t)n);
    }
    if (rc == SCT_OK)
        rc = run_bench(fast, row, err);
    for (uint32_t i = 0; i < t->d.n_out; i++) {
        const uint64_t n = fast->v[fast->node.out[i].buf].bytes;
        if (rc == SCT_OK && memcmp(first[i], result(fast, i), (size_t)n) != 0)
            rc = sct_fail(err, SCT_EFAIL, "%s: output %u differs between two runs", row->name,
                          i);
        free(first[i]);
    }
    return rc;
}

static sct_status run_case(sct_device *dev, const struct cl_row *row, const struct cl_test *t,
                           bool wide, uint64_t seed, sct_error *err)
{
    const struct cl_row *plain = cl_row_plain(&dev->caps, &t->d);
    if (!plain || (row->accepts && !row->accepts(&dev->caps, &t->d)))
        return sct_fail(err, SCT_EINVAL, "%s: a case of its self-test fits %s", row->name,
                        plain ? "not the row itself" : "no plain row");
    struct bench *b = calloc(2, sizeof *b);
    if (!b)
        return sct_fail(err, SCT_ENOMEM, "out of host memory for the self-test");
    sct_status rc = make_bench(&b[0], dev, row, t, wide, seed, err);
    if (rc == SCT_OK)
        rc = make_bench(&b[1], dev, plain, t, wide, seed, err);
    if (rc == SCT_OK)
        rc = compare_all(&b[0], &b[1], row, plain, t, err);
    bench_free(&b[0]);
    bench_free(&b[1]);
    free(b);
    return rc;
}

sct_status cl_selftest_run(sct_device *dev, const struct cl_row *row, sct_error *err)
{
    /* under a simulator the first case alone takes long; a part is never recorded as a verdict
     */
    const char *part = cl_opt(dev->host, "selftest-cases");
    const unsigned long most = part ? strtoul(part, NULL, 10) : MAX_CASES;
    uint32_t done = 0;
    if (!row->tests)
        return sct_fail(err, SCT_EINVAL, "%s has no self-test", row->name);
    for (uint32_t i = 0; i < MAX_CASES && i < most; i++) {
        struct cl_test t = {.lo = -1.0f, .hi = 1.0f, .tol = 1e-4f};
        t.d.size = sizeof t.d;
        t.d.op = row->op;
        t.d.segment = SCT_SEG_BODY;
        t.d.team = 1;
        t.d.params = t.params;
        if (!row->tests(i, &t))
            break;
        t.d.params = t.params; /* a row may have assigned the whole description */
        SCT_TRY(run_case(dev, row, &t, false, i + 1, err));
        if (facts[row->op].sums)
            SCT_TRY(run_case(dev, row, &t, true, i + 1001, err));
        done++;
    }
    return done ? SCT_OK
                : sct_fail(err, SCT_EINVAL, "%s has no case in its self-test", row->name);
}
