/* SPDX-License-Identifier: MIT
 * tape.c - the recording builder of gradcheck.
 * It checks what the real builder checks: arity, shapes by infer, an accumulator of one's own.
 */
#include <stdlib.h>
#include <string.h>

#include "kernels/ref/ref.h"
#include "tests/grad/tape.h"

size_t tape_bytes(const struct sct_desc *d)
{
    const size_t size = d->dtype == SCT_F32 ? sizeof(double) : sct_dtype_bytes(d->dtype);
    return (size_t)sct_desc_count(d) * size;
}

sct_val tape_new(struct tape *t, const struct sct_desc *d)
{
    const sct_val none = {0};
    if (t->n == TAPE_MAX) {
        (void)sct_fail(&t->err, SCT_EFAIL, "more than %d values", TAPE_MAX - 1);
        return none;
    }
    t->data[t->n] = calloc(1, tape_bytes(d));
    if (!t->data[t->n]) {
        (void)sct_fail(&t->err, SCT_ENOMEM, "out of memory");
        return none;
    }
    t->desc[t->n] = *d;
    t->owned[t->n] = true;
    return (sct_val){t->n++};
}

void tape_run(const struct sct_opdesc *d, const struct sct_step_state *step,
              const struct sct_micro *micro, const void *const *in, void *const *res)
{
    static const sct_kernel_fn ref[SCT_OP_COUNT] = {
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    [SCT_OP_##ID] = ref_##NAME##_f64,
#include <sctrun/ops.def>
#undef SCT_OP
    };
    struct sct_kargs k = {.d = d, .step = step, .micro = micro, .parts = 1};
    for (uint32_t i = 0; i < d->n_in; i++)
        k.in[i] = in[i];
    for (uint32_t i = 0; i < d->n_out; i++)
        k.out[i] = res[i];
    ref[d->op](&k);
}

static bool accepts(struct tape *t, uint32_t op, const sct_val *in, uint32_t n_in)
{
    const struct sct_op_info *info = sct_op_info(op);
    if (!info || n_in < info->in_min || n_in > info->in_max) {
        (void)sct_fail(&t->err, SCT_EINVAL, "op %u emitted with %u inputs", op, n_in);
        return false;
    }
    for (uint32_t i = 0; i < n_in; i++)
        if (in[i].id == 0 || in[i].id >= t->n) {
            (void)sct_fail(&t->err, SCT_EINVAL, "%s: input %u is none", info->name, i);
            return false;
        }
    return t->err.code == SCT_OK;
}

static bool infer(struct tape *t, struct sct_opdesc *d)
{
    const struct sct_infer i = {d->in, d->n_in, d->params, d->out, t->b, t->batch, &t->err};
    return sct_op_info(d->op)->infer(&i) == SCT_OK;
}

static bool outputs(struct tape *t, const struct sct_opdesc *d, const sct_val *in, sct_val *out,
                    void **res)
{
    const uint32_t flags = sct_op_info(d->op)->flags;
    for (uint32_t i = 0; i < d->n_out; i++) {
        const bool accum = (flags & SCT_OPF_ACCUM) && i == 0;
        out[i] = tape_new(t, &d->out[i]);
        if (out[i].id == 0)
            return false;
        if (accum) {
            free(t->data[out[i].id]);
            t->data[out[i].id] = t->data[in[0].id];
            t->owned[out[i].id] = false;
        }
        res[i] = t->data[out[i].id];
    }
    return true;
}

static sct_val emit(struct sct_builder *b, uint32_t op, const sct_val *in, uint32_t n_in,
                    sct_val *outs, const void *params, size_t size)
{
    struct tape *t = (struct tape *)(void *)b;
    sct_val out[SCT_MAX_OUT] = {{0}};
    _Alignas(8) unsigned char copy[CASE_PARAMS] = {0};
    const void *from[SCT_MAX_IN] = {NULL};
    void *res[SCT_MAX_OUT] = {NULL};
    if (!accepts(t, op, in, n_in))
        return out[0];
    if (params)
        memcpy(copy, params, size < sizeof copy ? size : sizeof copy);
    struct sct_opdesc d = {.size = sizeof d,
                           .op = op,
                           .n_in = n_in,
                           .n_out = sct_op_info(op)->n_out,
                           .team = 1,
                           .params = copy};
    for (uint32_t i = 0; i < n_in; i++) {
        d.in[i] = t->desc[in[i].id];
        from[i] = t->data[in[i].id];
    }
    if (!infer(t, &d) || !outputs(t, &d, in, out, res))
        return (sct_val){0};
    tape_run(&d, &t->step, &t->micro, from, res);
    if (outs)
        memcpy(outs, out, d.n_out * sizeof *outs);
    return out[0];
}

static const struct sct_desc *desc(const struct sct_builder *b, sct_val v)
{
    const struct tape *t = (const struct tape *)(const void *)b;
    return v.id && v.id < t->n ? &t->desc[v.id] : NULL;
}

void tape_init(struct tape *t, const struct sct_case *c)
{
    memset(t, 0, sizeof *t);
    t->base = (struct sct_builder){sizeof t->base, emit, desc};
    t->n = 1;
    t->b = c->b;
    t->batch = c->batch;
    t->step = c->step;
    t->micro = case_micro(c);
}

void tape_free(struct tape *t)
{
    for (uint32_t i = 1; i < t->n; i++)
        if (t->owned[i])
            free(t->data[i]);
    t->n = 1;
}
