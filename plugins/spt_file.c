/* SPDX-License-Identifier: MIT
 * spt_file.c - a plan from and to a file. The own form (JSON):
 *   {"format": "sctrun spt plan", "version": 1, "type": "lora", "r": 8, "params": 380909,
 *    "class_token": 768, "structured": [names of matrices], "vectors": [names],
 *    "shapes": {every candidate: [rows, cols] or [length]},
 *    "sparse": {name: [ascending flat positions]}}
 * What is in none of the lists is frozen. */
#include "plugins/spt_file.h"

#include <stdlib.h>
#include <string.h>

enum { NAME = 2 * SPT_NAME };

static const char format[] = "\"sctrun spt plan\"";

const char *spt_file_join(char *buf, size_t size, const char *folder, const char *name)
{
    (void)snprintf(buf, size, "%s/%s", folder, name);
    return buf;
}

/* ---- reading ---- */

struct spt_tensor *spt_file_find(const struct spt_file *f, const char *name)
{
    for (size_t i = 0; i < f->p->n; i++)
        if (strcmp(f->p->t[i].name, name) == 0)
            return &f->p->t[i];
    return NULL;
}

sct_status spt_file_list(const struct spt_file *f, const char *name, uint64_t n,
                         const int32_t **v, uint64_t *got)
{
    struct sct_desc d;
    const void *data;
    const char *empty = f->h->get_key(f->t, name);
    *got = 0;
    *v = NULL;
    if (n == 0 && empty && strcmp(empty, "[]") == 0)
        return SCT_OK;
    SCT_TRY(f->h->get(f->t, name, &d, &data, f->err));
    if (d.dtype != SCT_I32 || d.nd != 1 || (n && d.dim[0] != n))
        return f->h->fail(f->err, SCT_EFILE, "%s: %.200s: expected a list of %s whole numbers",
                          f->path, name,
                          n ? n == 1   ? "1"
                              : n == 2 ? "2"
                                       : "6"
                            : "any");
    *v = data;
    *got = d.dim[0];
    return SCT_OK;
}

static int begins(const char *name, const char *const *words)
{
    for (; *words; words++) {
        const size_t n = strlen(*words);
        if (strncmp(name, *words, n) == 0 && (name[n] == 0 || name[n] == '/'))
            return 1;
    }
    return 0;
}

sct_status spt_file_only(const struct spt_file *f, const char *const *words)
{
    const char *name = NULL;
    size_t i = 0;
    while ((name = f->h->key_name(f->t, i)) && begins(name, words))
        i++;
    if (name)
        return f->h->fail(f->err, SCT_EFILE, "%s: unknown entry %.200s", f->path, name);
    i = 0;
    while ((name = f->h->tensor_name(f->t, i)) && begins(name, words))
        i++;
    return name ? f->h->fail(f->err, SCT_EFILE, "%s: unknown entry %.200s", f->path, name)
                : SCT_OK;
}

sct_status spt_file_fate(const struct spt_file *f, const char *name, uint32_t fate,
                         const char *list)
{
    struct spt_tensor *t = spt_file_find(f, name);
    if (!t)
        return f->h->fail(f->err, SCT_EFILE,
                          "%s: %s: the model has no candidate %.200s; is the plan of another "
                          "model?",
                          f->path, list, name);
    if (fate != SPT_SPARSE && (fate == SPT_STRUCTURED) != (t->kind == SPT_MATRIX))
        return f->h->fail(
            f->err, SCT_EFILE, "%s: %s: expected %s, found %s", f->path, list,
            fate == SPT_STRUCTURED ? "weights of linear layers" : "biases and norms", t->name);
    if (t->fate != SPT_FROZEN)
        return f->h->fail(f->err, SCT_EFILE, "%s: %s: %s is there twice", f->path, list,
                          t->name);
    t->fate = fate;
    return SCT_OK;
}

sct_status spt_file_names(const struct spt_file *f, const char *list, uint32_t fate)
{
    char entry[NAME], name[NAME];
    for (size_t i = 0;; i++) {
        (void)snprintf(entry, sizeof entry, "%s/%zu", list, i);
        const char *json = f->h->get_key(f->t, entry), *empty = f->h->get_key(f->t, list);
        if (!json && i == 0 && !(empty && strcmp(empty, "[]") == 0))
            return f->h->fail(f->err, SCT_EFILE, "%s: %s: expected a list of names", f->path,
                              list);
        if (!json)
            return SCT_OK;
        const size_t n = strlen(json);
        if (n < 2 || json[0] != '"' || n - 1 > sizeof name)
            return f->h->fail(f->err, SCT_EFILE, "%s: %s: expected a name, found %.100s",
                              f->path, entry, json);
        (void)snprintf(name, sizeof name, "%.*s", (int)(n - 2), json + 1);
        SCT_TRY(spt_file_fate(f, name, fate, list));
    }
}

sct_status spt_file_shape(const struct spt_file *f, const char *entry,
                          const struct spt_tensor *t)
{
    const int matrix = t->kind == SPT_MATRIX;
    const int32_t *v;
    uint64_t n;
    SCT_TRY(spt_file_list(f, entry, matrix ? 2 : 1, &v, &n));
    if ((uint32_t)v[0] == t->rows && (!matrix || (uint32_t)v[1] == t->cols))
        return SCT_OK;
    return f->h->fail(f->err, SCT_EFILE,
                      "%s: %s: the model has %u x %u, the plan is of %d x %d", f->path, t->name,
                      t->rows, t->cols, (int)v[0], matrix ? (int)v[1] : 1);
}

sct_status spt_file_entries(const struct spt_file *f, struct spt_tensor *t, const int32_t *v,
                            uint64_t n, uint64_t first, const char *list)
{
    t->idx = f->h->alloc((size_t)n * sizeof *t->idx);
    if (!t->idx)
        return f->h->fail(f->err, SCT_ENOMEM, "out of memory");
    for (uint64_t i = 0; i < n; i++) {
        const int64_t x = v[i] - (int64_t)first;
        if (x < 0 || (uint64_t)x >= spt_size(t) || (i && v[i] <= v[i - 1]))
            return f->h->fail(f->err, SCT_EFILE,
                              "%s: %s: entry %llu of %s is %lld; expected ascending positions "
                              "below %llu",
                              f->path, list, (unsigned long long)i, t->name, (long long)x,
                              (unsigned long long)spt_size(t));
        t->idx[t->n_idx++] = (uint32_t)x;
    }
    return SCT_OK;
}

/* All shapes are there and right, and no other. */
static sct_status read_shapes(const struct spt_file *f)
{
    char entry[NAME];
    const char *name;
    for (size_t i = 0; i < f->p->n; i++)
        SCT_TRY(spt_file_shape(f, spt_file_join(entry, sizeof entry, "shapes", f->p->t[i].name),
                               &f->p->t[i]));
    for (size_t i = 0; (name = f->h->tensor_name(f->t, i)); i++)
        if (strncmp(name, "shapes/", 7) == 0 && !spt_file_find(f, name + 7))
            return f->h->fail(f->err, SCT_EFILE,
                              "%s: shapes: the model has no candidate %.200s; is the plan of "
                              "another model?",
                              f->path, name + 7);
    return SCT_OK;
}

static sct_status read_sparse(const struct spt_file *f)
{
    const char *name;
    for (size_t i = 0; (name = f->h->tensor_name(f->t, i)); i++) {
        const int32_t *v;
        uint64_t n;
        if (strncmp(name, "sparse/", 7) != 0)
            continue;
        SCT_TRY(spt_file_fate(f, name + 7, SPT_SPARSE, "sparse"));
        SCT_TRY(spt_file_list(f, name, 0, &v, &n));
        SCT_TRY(spt_file_entries(f, spt_file_find(f, name + 7), v, n, 0, "sparse"));
    }
    return SCT_OK;
}

static sct_status read_own(const struct spt_file *f)
{
    static const char *const words[] = {"format", "version",     "type",       "r",
                                        "params", "class_token", "structured", "vectors",
                                        "shapes", "sparse",      NULL};
    const char *version = f->h->get_key(f->t, "version");
    if (!version || strcmp(version, "1") != 0)
        return f->h->fail(f->err, SCT_EFILE, "%s: expected version 1, found %.60s", f->path,
                          version ? version : "none");
    SCT_TRY(spt_file_only(f, words));
    SCT_TRY(read_shapes(f));
    SCT_TRY(spt_file_names(f, "structured", SPT_STRUCTURED));
    SCT_TRY(spt_file_names(f, "vectors", SPT_VECTOR));
    return read_sparse(f);
}

/* The file's own count, where it has one, of the type and rank it was made with. */
static void compare_count(const struct spt_file *f, int published)
{
    const char *text = f->h->get_key(f->t, "params");
    const double said = text ? strtod(text, NULL) * (published ? 1e6 : 1.0) : 0;
    const double here = (double)spt_total(f->p), off = said - here;
    if (text && (off > 0.5 || off < -0.5))
        f->h->log(SCT_LOG_WARN,
                  "%s says %.0f parameters; with type, r and class_token as they are here it "
                  "is %.0f",
                  f->path, said, here);
}

sct_status spt_plan_read(struct spt_plan *p, const struct spt_options *o,
                         const struct sct_strategy_host *h, const char *path, sct_error *err)
{
    struct spt_file f = {p, o, h, NULL, path, err};
    SCT_TRY(h->table_read(path, &f.t, err));
    const char *is = h->get_key(f.t, "format");
    const int published = spt_is_published(&f);
    sct_status rc;
    if (is && strcmp(is, format) == 0)
        rc = read_own(&f);
    else if (published)
        rc = spt_published_read(&f);
    else
        rc = h->fail(err, SCT_EFILE,
                     "%s: no plan: expected a file that plan_out wrote, or a param_req_*.pth",
                     path);
    if (rc == SCT_OK) {
        spt_plan_count(p, o);
        compare_count(&f, published);
    } else {
        spt_plan_clear(p, h);
    }
    h->table_close(&f.t);
    return rc;
}

/* ---- writing ---- */

sct_status spt_file_put_key(const struct spt_file *f, const char *folder, const char *name,
                            const char *json)
{
    char entry[NAME];
    return f->h->put_key(f->t, spt_file_join(entry, sizeof entry, folder, name), json, f->err);
}

sct_status spt_file_put_list(const struct spt_file *f, const char *folder, const char *name,
                             const int32_t *v, uint64_t n)
{
    char entry[NAME];
    const uint32_t dim = (uint32_t)n;
    const struct sct_desc d = sct_desc_make(SCT_I32, 1, &dim);
    return f->h->put(f->t, spt_file_join(entry, sizeof entry, folder, name), &d, v, f->err);
}

sct_status spt_file_put_names(const struct spt_file *f, const char *list, uint32_t fate)
{
    size_t k = 0;
    for (size_t i = 0; i < f->p->n; i++) {
        char index[32], json[NAME];
        if (f->p->t[i].fate != fate)
            continue;
        (void)snprintf(index, sizeof index, "%zu", k++);
        (void)snprintf(json, sizeof json, "\"%s\"", f->p->t[i].name);
        SCT_TRY(spt_file_put_key(f, list, index, json));
    }
    return k ? SCT_OK : f->h->put_key(f->t, list, "[]", f->err);
}

sct_status spt_file_put_shape(const struct spt_file *f, const char *folder,
                              const struct spt_tensor *t)
{
    const int32_t shape[2] = {(int32_t)t->rows, (int32_t)t->cols};
    return spt_file_put_list(f, folder, t->name, shape, t->kind == SPT_MATRIX ? 2 : 1);
}

static sct_status put_number(const struct spt_file *f, const char *name, uint64_t v)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    return f->h->put_key(f->t, name, text, f->err);
}

static sct_status write_own(const struct spt_file *f)
{
    const struct spt_plan *p = f->p;
    size_t sparse = 0;
    SCT_TRY(f->h->put_key(f->t, "format", format, f->err));
    SCT_TRY(f->h->put_key(f->t, "version", "1", f->err));
    SCT_TRY(f->h->put_key(f->t, "type", f->o->type == SPT_LORA ? "\"lora\"" : "\"adapter\"",
                          f->err));
    SCT_TRY(put_number(f, "r", f->o->rank));
    SCT_TRY(put_number(f, "params", spt_total(p)));
    SCT_TRY(put_number(f, "class_token", p->class_token));
    SCT_TRY(spt_file_put_names(f, "structured", SPT_STRUCTURED));
    SCT_TRY(spt_file_put_names(f, "vectors", SPT_VECTOR));
    for (size_t i = 0; i < p->n; i++)
        SCT_TRY(spt_file_put_shape(f, "shapes", &p->t[i]));
    for (size_t i = 0; i < p->n; i++) {
        const struct spt_tensor *t = &p->t[i];
        if (t->n_idx == 0)
            continue;
        sparse++;
        /* positions are below 2^31: dimensions and their products are checked by the host */
        SCT_TRY(spt_file_put_list(f, "sparse", t->name, (const int32_t *)(const void *)t->idx,
                                  t->n_idx));
    }
    return sparse ? SCT_OK : f->h->put_key(f->t, "sparse", "{}", f->err);
}

sct_status spt_plan_write(const struct spt_plan *p, const struct spt_options *o,
                          const struct sct_strategy_host *h, const char *path, sct_error *err)
{
    const char *dot = strrchr(path, '.');
    struct spt_plan copy = *p; /* nothing of it is changed */
    struct spt_file f = {&copy, o, h, h->table_new(path), path, err};
    if (!f.t)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc;
    if (dot && strcmp(dot, ".pth") == 0)
        rc = spt_published_write(&f);
    else
        rc = write_own(&f);
    if (rc == SCT_OK && !(dot && strcmp(dot, ".pth") == 0))
        rc = h->table_write(path, f.t, NULL, err);
    if (rc == SCT_OK)
        h->log(SCT_LOG_INFO, "plan written: %s", path);
    h->table_close(&f.t);
    return rc;
}
