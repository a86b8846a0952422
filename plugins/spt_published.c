/* SPDX-License-Identifier: MIT
 * spt_published.c - the layout of param_req_<budget>.pth of github.com/ziplab/SPT (engine.py),
 * a dict of
 *   params                         float32 tensor, millions, with the class token
 *   structured_params              int, of modules and vectors
 *   unstructured_params            float32 tensor, the number of entries
 *   tuned_matrices                 a list for each block of 0 or 1 for q, k, v, proj, fc1, fc2
 *   tuned_vectors                  names
 *   unstructured_name_shapes       name -> torch.Size of every other candidate, in model order
 *   unstructured_name_shapes_int   name -> numpy.int64, its elements
 *   unstructured_indexes           int64 tensor, positions in the concatenation of those
 * It holds the blocks of a ViT, of any depth. */
#include <stdlib.h>
#include <string.h>

#include "plugins/spt_file.h"

enum { NAME = 2 * SPT_NAME, MATRICES = 6 };

static const char matrices[] = "tuned_matrices", vectors[] = "tuned_vectors",
                  shapes[] = "unstructured_name_shapes",
                  counts[] = "unstructured_name_shapes_int", indexes[] = "unstructured_indexes";

static const char *const columns[MATRICES] = {"attn.q",    "attn.k",  "attn.v",
                                              "attn.proj", "mlp.fc1", "mlp.fc2"};

int spt_is_published(const struct spt_file *f)
{
    char entry[NAME];
    struct sct_desc d;
    const void *data;
    return f->h->get(f->t, spt_file_join(entry, sizeof entry, matrices, "0"), &d, &data,
                     NULL) == SCT_OK;
}

/* ---- reading ---- */

static const char *matrix_name(char *buf, size_t size, unsigned block, unsigned column)
{
    (void)snprintf(buf, size, "blocks.%u.%s.weight", block, columns[column]);
    return buf;
}

/* Blocks of the model: those that have candidates. */
static unsigned depth_of(const struct spt_file *f)
{
    char name[NAME];
    unsigned n = 0;
    while (spt_file_find(f, matrix_name(name, sizeof name, n, 0)))
        n++;
    return n;
}

static sct_status read_matrices(const struct spt_file *f)
{
    const unsigned depth = depth_of(f);
    char entry[NAME], name[NAME], row[32];
    for (unsigned b = 0; b <= depth; b++) {
        const int32_t *v;
        uint64_t n;
        struct sct_desc d;
        const void *data;
        (void)snprintf(row, sizeof row, "%u", b);
        spt_file_join(entry, sizeof entry, matrices, row);
        const int there = f->h->get(f->t, entry, &d, &data, NULL) == SCT_OK;
        if (there != (b < depth))
            return f->h->fail(f->err, SCT_EFILE,
                              "%s: %s: expected a row for each of the model's %u blocks",
                              f->path, matrices, depth);
        if (b == depth)
            break;
        SCT_TRY(spt_file_list(f, entry, MATRICES, &v, &n));
        for (unsigned c = 0; c < MATRICES; c++) {
            if (v[c] != 0 && v[c] != 1)
                return f->h->fail(f->err, SCT_EFILE, "%s: %s: expected 0 or 1, found %d",
                                  f->path, entry, (int)v[c]);
            if (v[c])
                SCT_TRY(spt_file_fate(f, matrix_name(name, sizeof name, b, c), SPT_STRUCTURED,
                                      matrices));
        }
    }
    return SCT_OK;
}

static sct_status check_count(const struct spt_file *f, const struct spt_tensor *t)
{
    char entry[NAME];
    const char *text = f->h->get_key(f->t, spt_file_join(entry, sizeof entry, counts, t->name));
    if (text && strtoull(text, NULL, 10) == spt_size(t))
        return SCT_OK;
    return f->h->fail(f->err, SCT_EFILE, "%s: %s: expected %llu, found %.60s", f->path, entry,
                      (unsigned long long)spt_size(t), text ? text : "nothing");
}

/* The tensors in the order of the file, each with those of the positions that lie in it. */
static sct_status read_entries(const struct spt_file *f)
{
    const size_t prefix = sizeof shapes; /* with the slash */
    const int32_t *v;
    const char *entry;
    uint64_t all, at = 0, first = 0;
    SCT_TRY(spt_file_list(f, indexes, 0, &v, &all));
    for (size_t i = 0; (entry = f->h->tensor_name(f->t, i)); i++) {
        if (strncmp(entry, shapes, prefix - 1) != 0 || entry[prefix - 1] != '/')
            continue;
        SCT_TRY(spt_file_fate(f, entry + prefix, SPT_SPARSE, shapes));
        struct spt_tensor *t = spt_file_find(f, entry + prefix);
        SCT_TRY(spt_file_shape(f, entry, t));
        SCT_TRY(check_count(f, t));
        uint64_t n = 0;
        while (at + n < all && v[at + n] >= 0 && (uint64_t)v[at + n] < first + spt_size(t))
            n++;
        if (n)
            SCT_TRY(spt_file_entries(f, t, v + at, n, first, indexes));
        at += n;
        first += spt_size(t);
    }
    if (at != all)
        return f->h->fail(f->err, SCT_EFILE,
                          "%s: %s: number %llu is %d; expected ascending positions below %llu",
                          f->path, indexes, (unsigned long long)at, (int)v[at],
                          (unsigned long long)first);
    return SCT_OK;
}

sct_status spt_published_read(const struct spt_file *f)
{
    static const char *const words[] = {"params",
                                        "structured_params",
                                        "unstructured_params",
                                        matrices,
                                        vectors,
                                        shapes,
                                        counts,
                                        indexes,
                                        NULL};
    SCT_TRY(spt_file_only(f, words));
    SCT_TRY(read_matrices(f));
    SCT_TRY(spt_file_names(f, vectors, SPT_VECTOR));
    SCT_TRY(read_entries(f));
    for (size_t i = 0; i < f->p->n; i++) {
        struct spt_tensor *t = &f->p->t[i];
        if (t->fate == SPT_FROZEN)
            return f->h->fail(f->err, SCT_EFILE, "%s: %s of the model is in none of %s, %s, %s",
                              f->path, t->name, matrices, vectors, shapes);
        if (t->fate == SPT_SPARSE && t->n_idx == 0)
            t->fate = SPT_FROZEN;
    }
    return SCT_OK;
}

/* ---- writing ---- */

static sct_status put_numbers(const struct spt_file *f)
{
    const struct spt_plan *p = f->p;
    char text[64];
    (void)snprintf(text, sizeof text, "%.9g", (double)spt_total(p) / 1e6);
    SCT_TRY(f->h->put_key(f->t, "params", text, f->err));
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)(p->structured + p->vectors));
    SCT_TRY(f->h->put_key(f->t, "structured_params", text, f->err));
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)p->sparse);
    return f->h->put_key(f->t, "unstructured_params", text, f->err);
}

static sct_status put_matrices(const struct spt_file *f)
{
    const unsigned depth = depth_of(f);
    size_t rows = 0, all = 0;
    char name[NAME], row[32];
    for (unsigned b = 0; b < depth; b++) {
        int32_t v[MATRICES];
        for (unsigned c = 0; c < MATRICES; c++) {
            const struct spt_tensor *t = spt_file_find(f, matrix_name(name, sizeof name, b, c));
            v[c] = t && t->fate == SPT_STRUCTURED;
            rows += t != NULL;
        }
        (void)snprintf(row, sizeof row, "%u", b);
        SCT_TRY(spt_file_put_list(f, matrices, row, v, MATRICES));
    }
    for (size_t i = 0; i < f->p->n; i++)
        all += f->p->t[i].kind == SPT_MATRIX;
    if (rows == all && depth)
        return SCT_OK;
    return f->h->fail(f->err, SCT_EUNSUP,
                      "%s: the layout of param_req_*.pth holds six matrices in each block of a "
                      "ViT, and this model has others; name a .json file",
                      f->path);
}

static int is_listed(const struct spt_tensor *t)
{
    return t->fate == SPT_FROZEN || t->fate == SPT_SPARSE;
}

static sct_status put_shapes(const struct spt_file *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->p->n; i++) {
        const struct spt_tensor *t = &f->p->t[i];
        char text[32];
        if (!is_listed(t))
            continue;
        n++;
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)spt_size(t));
        SCT_TRY(spt_file_put_key(f, counts, t->name, text));
        SCT_TRY(spt_file_put_shape(f, shapes, t));
    }
    if (n)
        return SCT_OK;
    SCT_TRY(f->h->put_key(f->t, counts, "{}", f->err));
    return f->h->put_key(f->t, shapes, "{}", f->err);
}

static sct_status put_indexes(const struct spt_file *f)
{
    uint64_t first = 0, n = 0;
    int32_t *v = f->h->alloc((size_t)(f->p->sparse + 1) * sizeof *v);
    if (!v)
        return f->h->fail(f->err, SCT_ENOMEM, "out of memory");
    for (size_t i = 0; i < f->p->n; i++) {
        const struct spt_tensor *t = &f->p->t[i];
        for (size_t k = 0; k < t->n_idx; k++)
            v[n++] = (int32_t)(first + t->idx[k]);
        first += is_listed(t) ? spt_size(t) : 0;
    }
    sct_status rc;
    const uint32_t dim = (uint32_t)n;
    const struct sct_desc d = sct_desc_make(SCT_I32, 1, &dim);
    if (first > INT32_MAX)
        rc = f->h->fail(f->err, SCT_EUNSUP, "%s: positions above 2^31; name a .json file",
                        f->path);
    else if (n == 0)
        rc = f->h->put_key(f->t, indexes, "[]", f->err);
    else
        rc = f->h->put(f->t, indexes, &d, v, f->err);
    f->h->free(v);
    return rc;
}

sct_status spt_published_write(const struct spt_file *f)
{
    static const struct sct_table_form forms[] = {
        {"params", SCT_TABLE_TENSOR},
        {"unstructured_params", SCT_TABLE_TENSOR},
        {"unstructured_indexes", SCT_TABLE_TENSOR},
        {"unstructured_name_shapes", SCT_TABLE_SIZES},
        {"unstructured_name_shapes_int", SCT_TABLE_NUMPY},
        {NULL, 0}};
    SCT_TRY(put_numbers(f));
    SCT_TRY(put_matrices(f));
    SCT_TRY(spt_file_put_names(f, vectors, SPT_VECTOR));
    SCT_TRY(put_shapes(f));
    SCT_TRY(put_indexes(f));
    return f->h->table_write(f->path, f->t, forms, f->err);
}
