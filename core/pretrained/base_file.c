/* SPDX-License-Identifier: MIT
 * base_file.c - from the tensors of a checkpoint to canonical ones. */
#include "core/pretrained/base_file.h"

#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"

static sct_status understand(struct sct_base_file *f, sct_error *err)
{
    const size_t n = sct_ckpt_count(f->ck);
    f->named = sct_calloc(n ? n : 1, sizeof *f->named);
    if (!f->named)
        return sct_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const struct sct_ckpt_tensor *t = sct_ckpt_at(f->ck, i);
        f->named[i] = (struct sct_named){t->name, t->dim, t->nd};
    }
    SCT_TRY(sct_dialect_map(&f->map, f->named, (uint32_t)n, err));
    if (!f->map->dialect || sct_guess(&f->guess, f->map, f->named, &f->guess_error) == SCT_OK)
        return SCT_OK;
    return f->guess_error.code == SCT_ENOMEM ? sct_nomem(err) : SCT_OK;
}

/* What the folder says is kept apart from the status: a folder that contradicts itself can be
 * shown. */
static sct_status ask_folder(struct sct_base_file *f, const char *path, sct_error *err)
{
    if (!sct_dir_exists(path))
        return SCT_OK;
    sct_status rc = sct_model_folder_open(&f->folder, path, &f->folder_error);
    if (rc == SCT_OK && f->guess)
        rc = sct_model_folder_tell(&f->folder, f->map, f->guess, &f->folder_error);
    return rc == SCT_ENOMEM ? sct_nomem(err) : SCT_OK;
}

sct_status sct_base_file_open(struct sct_base_file *f, const char *path, sct_error *err)
{
    memset(f, 0, sizeof *f);
    sct_status rc = sct_ckpt_open(&f->ck, path, err);
    if (rc == SCT_OK)
        rc = understand(f, err);
    if (rc == SCT_OK)
        rc = ask_folder(f, path, err);
    if (rc != SCT_OK)
        sct_base_file_close(f);
    return rc;
}

void sct_base_file_close(struct sct_base_file *f)
{
    sct_model_folder_close(&f->folder);
    sct_guess_destroy(&f->guess);
    sct_dialect_map_destroy(&f->map);
    sct_free(f->named);
    sct_ckpt_close(&f->ck);
    memset(f, 0, sizeof *f);
}

static const struct sct_ckpt_tensor *source(const struct sct_base_file *f,
                                            const struct sct_canon *c, uint32_t part)
{
    return sct_ckpt_at(f->ck, c->part[part].source);
}

const char *sct_base_file_unreadable(const struct sct_base_file *f, const struct sct_canon *c)
{
    for (uint32_t i = 0; i < c->n_part && !c->bad; i++) {
        const uint32_t d = source(f, c, i)->dtype;
        if (d != SCT_ST_F32 && d != SCT_ST_F16 && d != SCT_ST_BF16 && d != SCT_ST_F64)
            return sct_st_dtype_name(d);
    }
    return NULL;
}

sct_status sct_base_file_check(const struct sct_base_file *f, sct_error *err)
{
    const char *path = sct_ckpt_path(f->ck);
    /* a type of model that is not built explains names that are not known */
    if (f->folder_error.code != SCT_OK)
        return sct_fail(err, f->folder_error.code, "%s", f->folder_error.msg);
    if (!f->map->dialect)
        return sct_dialect_check(f->map, path, err);
    /* what is not built explains tensors that are not known */
    if (f->guess)
        SCT_TRY(sct_guess_built(f->guess, path, err));
    SCT_TRY(sct_dialect_check(f->map, path, err));
    if (!f->guess)
        return sct_fail(err, SCT_EFILE, "%s: %s", path, f->guess_error.msg);
    for (uint32_t i = 0; i < f->map->n_canon; i++) {
        const struct sct_canon *c = &f->map->canon[i];
        const char *dtype = sct_base_file_unreadable(f, c);
        if (dtype)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor %s is %s; expected F32, F16, BF16 or F64", path,
                            source(f, c, 0)->name, dtype);
    }
    return SCT_OK;
}

/* n values of one part in timm's order. */
static sct_status load_part(struct sct_base_file *f, const struct sct_canon *c, uint32_t part,
                            uint64_t n, float *dst, sct_error *err)
{
    const struct sct_ckpt_tensor *x = source(f, c, part);
    const uint64_t first = c->part[part].slice * n;
    if (!c->layout.n_src)
        return sct_ckpt_read_f32_part(f->ck, x, first, n, dst, err);
    float *raw = sct_calloc((size_t)n, sizeof *raw);
    if (!raw)
        return sct_nomem(err);
    const sct_status rc = sct_ckpt_read_f32_part(f->ck, x, first, n, raw, err);
    if (rc == SCT_OK)
        sct_layout_read(&c->layout, x->dim, raw, dst, n);
    sct_free(raw);
    return rc;
}

static sct_status load_canon(struct sct_base_file *f, const struct sct_canon *c, float *dst,
                             sct_error *err)
{
    const uint64_t n = sct_desc_count(&c->desc) / c->n_part;
    for (uint32_t i = 0; i < c->n_part; i++) {
        SCT_TRY(load_part(f, c, i, n, dst + i * n, err));
        if (!c->layout.slice)
            sct_ckpt_drop(f->ck, source(f, c, i));
    }
    return SCT_OK;
}

static sct_status load(const struct sct_tensor *t, void *dst, sct_error *err)
{
    return load_canon(t->ctx, t->data, dst, err);
}

/* A tensor that is one run of the file's elements needs no copy. */
static sct_status view(const struct sct_tensor *t, const void **v, sct_error *err)
{
    struct sct_base_file *f = t->ctx;
    const struct sct_canon *c = t->data;
    const float *at = NULL;
    if (c->n_part == 1 && !c->layout.n_src) /* whole, not a slice: those have a layout */
        SCT_TRY(
            sct_ckpt_view_f32(f->ck, source(f, c, 0), 0, sct_desc_count(&c->desc), &at, err));
    *v = at;
    return SCT_OK;
}

static void viewed(const struct sct_tensor *t)
{
    const struct sct_base_file *f = t->ctx;
    sct_ckpt_drop(f->ck, source(f, t->data, 0));
}

/* cls_token plus the first row of pos_embed, or the rows behind that one. */
static sct_status load_folded(const struct sct_tensor *t, void *dst, sct_error *err)
{
    struct sct_base_file *f = t->ctx;
    const struct sct_canon *pos = sct_dialect_canon(f->map, "pos_embed"), *own = t->data;
    const uint64_t n = sct_desc_count(&pos->desc), dim = pos->desc.dim[2];
    float *all = sct_calloc((size_t)n, sizeof *all), *out = dst;
    if (!all)
        return sct_nomem(err);
    sct_status rc = load_canon(f, pos, all, err);
    if (rc == SCT_OK && own == pos)
        memcpy(out, all + dim, (size_t)(n - dim) * sizeof *out);
    else if (rc == SCT_OK)
        rc = load_canon(f, own, out, err);
    for (uint64_t i = 0; rc == SCT_OK && own != pos && i < dim; i++)
        out[i] += all[i];
    sct_free(all);
    return rc;
}

sct_status sct_base_file_weights(struct sct_base_file *f, struct sct_weights *w, sct_error *err)
{
    for (uint32_t i = 0; i < f->map->n_canon; i++) {
        const struct sct_canon *c = &f->map->canon[i];
        struct sct_desc desc = c->desc;
        const bool positions = strcmp(c->name, "pos_embed") == 0;
        const bool folded = f->guess && f->guess->fold_class &&
                            (positions || strcmp(c->name, "cls_token") == 0);
        if (folded && positions)
            desc.dim[1]--;
        struct sct_tensor t = {.name = c->name,
                               .desc = desc,
                               .load = load,
                               .view = view,
                               .viewed = viewed,
                               .data = c,
                               .ctx = f};
        if (folded) {
            t.load = load_folded;
            t.view = NULL;
        }
        SCT_TRY(sct_weights_add(w, &t, err));
    }
    return SCT_OK;
}
