/* SPDX-License-Identifier: MIT
 * checkpoint.c - canonical tensors in the names and layouts of a dialect. */
#include "core/export/checkpoint.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"

/* A tensor of the file: slice `part` of n_part of a parameter's first axis. */
struct part {
    const struct sct_param *param;
    struct sct_layout layout;
    uint64_t shape[SCT_LAYOUT_AXES]; /* in the file */
    uint32_t dim[SCT_LAYOUT_AXES];   /* the same */
    uint32_t part, n_part;
};

struct work {
    struct sct_arena arena;
    const struct sct_dialect *d;
    const struct sct_model *plain;
    const struct sct_merge *merge;
    struct sct_st_item *item;
    struct part **part; /* of every item */
    uint32_t n, cap, cap_part, dtype;
    sct_error *err;
};

/* The largest float that rounds to a finite F16. */
static const float f16_end = 65520.0f;

static sct_status check_range(const struct sct_st_item *it, const float *v, uint64_t n,
                              sct_error *err)
{
    for (uint64_t i = 0; i < n && it->dtype == SCT_ST_F16; i++)
        if (isfinite(v[i]) && fabsf(v[i]) >= f16_end)
            return sct_fail(err, SCT_EUSAGE,
                            "tensor %s holds %g, which F16 cannot; use --dtype bf16 or f32",
                            it->name, (double)v[i]);
    return SCT_OK;
}

static sct_status make(void *ctx, size_t i, float *dst, sct_error *err)
{
    const struct work *w = ctx;
    const struct part *p = w->part[i];
    const uint64_t all = sct_desc_count(&p->param->t->desc), n = all / p->n_part;
    float *whole = sct_calloc((size_t)all, sizeof *whole);
    if (!whole)
        return sct_nomem(err);
    const float *mine = whole + p->part * n;
    sct_status rc = sct_merge_load(w->merge, p->param->name, whole, err);
    if (rc == SCT_OK)
        rc = check_range(&w->item[i], mine, n, err);
    if (rc == SCT_OK && p->layout.n_src)
        sct_layout_write(&p->layout, p->shape, mine, dst, n);
    else if (rc == SCT_OK)
        memcpy(dst, mine, (size_t)n * sizeof *dst);
    sct_free(whole);
    return rc;
}

static sct_status add_part(struct work *w, const struct sct_param *param,
                           const struct sct_dialect_name *name, uint32_t i)
{
    char text[SCT_NAME_MAX];
    const struct sct_desc *d = &param->t->desc;
    struct part *p = sct_arena_alloc(&w->arena, sizeof *p);
    if (!p)
        return sct_nomem(w->err);
    *p = (struct part){
        .param = param, .layout = name->layout, .part = i, .n_part = name->n_part};
    uint32_t dim[SCT_MAX_DIMS];
    memcpy(dim, d->dim, sizeof dim);
    dim[0] /= p->n_part;
    const uint32_t nd =
        d->dim[0] % p->n_part || p->layout.slice
            ? 0
            : sct_layout_source_shape(&p->layout, dim, d->nd, w->plain->cfg.heads, 1, p->shape);
    if (!nd || !sct_dialect_part(name, param->name, i, false, text))
        return sct_fail(w->err, SCT_EUSAGE, "dialect %s cannot hold %s", w->d->flavour,
                        param->name);
    for (uint32_t k = 0; k < nd; k++)
        p->dim[k] = (uint32_t)p->shape[k];
    SCT_TRY(sct_grow((void **)&w->item, &w->cap, (uint64_t)w->n + 1, sizeof *w->item, w->err));
    SCT_TRY(sct_grow((void **)&w->part, &w->cap_part, (uint64_t)w->n + 1, sizeof(p), w->err));
    w->part[w->n] = p;
    w->item[w->n] = (struct sct_st_item){
        .name = sct_arena_strdup(&w->arena, text), .dim = p->dim, .dtype = w->dtype, .nd = nd};
    return w->item[w->n++].name ? SCT_OK : sct_nomem(w->err);
}

static sct_status add_all(struct work *w)
{
    for (uint32_t i = 0; i < w->plain->n_param; i++) {
        /* shapes and names of the plain model, values of the adapted one */
        const struct sct_param *p = w->plain->param[i];
        struct sct_dialect_name name;
        if (!sct_dialect_name(w->d, p->name, &name))
            return sct_fail(w->err, SCT_EUSAGE, "dialect %s (%s) has no name for %s",
                            w->d->flavour, w->d->what, p->name);
        for (uint32_t k = 0; k < name.n_part; k++)
            SCT_TRY(add_part(w, p, &name, k));
    }
    return SCT_OK;
}

sct_status sct_export_checkpoint(const char *path, const struct sct_dialect *d,
                                 const struct sct_model *plain, const struct sct_merge *merge,
                                 uint32_t dtype, sct_error *err)
{
    struct work w = {.d = d, .plain = plain, .merge = merge, .dtype = dtype, .err = err};
    sct_status rc = add_all(&w);
    if (rc == SCT_OK)
        rc = sct_st_write_made(path, w.item, w.n, make, &w, err);
    sct_free(w.item);
    sct_free(w.part);
    sct_arena_free(&w.arena);
    return rc;
}
