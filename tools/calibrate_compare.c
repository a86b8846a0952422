/* SPDX-License-Identifier: MIT
 * calibrate_compare.c - how far calibrations agree: the same list on other data, another model,
 * another selection. Reads what `calibrate --json` printed, and believes none of it. */
#include <string.h>

#include "core/base/status.h"
#include "core/peft/adapter_diff.h"
#include "tools/calibrate.h"

struct result_list {
    const char *name; /* of the tree */
    int32_t *idx;
    uint32_t k, of;
};

struct result {
    const char *path;
    json_t *tree;
    struct result_list *list;
    uint32_t n;
    const char **tensor; /* what is trained of the parameters that were measured; of the tree */
    uint32_t n_tensor;
};

static void close_results(struct result *r, uint32_t n)
{
    for (uint32_t i = 0; r && i < n; i++) {
        for (uint32_t k = 0; k < r[i].n; k++)
            sct_free(r[i].list[k].idx);
        sct_free(r[i].list);
        sct_free(r[i].tensor);
        json_decref(r[i].tree);
    }
    sct_free(r);
}

static sct_status read_list(struct result_list *l, const json_t *obj, const char *file,
                            sct_error *err)
{
    const struct sct_json_at at = {obj, file, "lists[]", SCT_EFILE};
    const json_t *chosen;
    if (!json_is_object(obj))
        return sct_fail(err, SCT_EFILE, "%s: expected objects at lists", file);
    SCT_TRY(sct_json_get_str(&at, "name", SCT_JSON_REQUIRED, &l->name, err));
    SCT_TRY(sct_json_get_u32(&at, "of", SCT_JSON_REQUIRED, 1, INT32_MAX, &l->of, err));
    SCT_TRY(sct_json_get_array(&at, "chosen", SCT_JSON_REQUIRED, &chosen, err));
    const size_t n = json_array_size(chosen);
    l->idx = sct_calloc(n ? n : 1, sizeof *l->idx);
    if (!l->idx)
        return sct_nomem(err);
    for (; l->k < n; l->k++) {
        const json_t *v = json_array_get(chosen, l->k);
        const json_int_t x = json_integer_value(v);
        if (!json_is_integer(v) || x < 0 || x >= (json_int_t)l->of ||
            (l->k && x <= l->idx[l->k - 1]))
            return sct_fail(err, SCT_EFILE,
                            "%s: expected ascending numbers below %u at chosen of list %.80s, "
                            "entry %u is not",
                            file, l->of, l->name, l->k);
        l->idx[l->k] = (int32_t)x;
    }
    return SCT_OK;
}

/* Names at parameters[].tensors[]; results of an older program have no such key. */
static sct_status read_tensors(struct result *r, sct_error *err)
{
    const struct sct_json_at at = {r->tree, r->path, "", SCT_EFILE};
    const json_t *params = NULL;
    uint32_t cap = 0;
    SCT_TRY(sct_json_get_array(&at, "parameters", SCT_JSON_OPTIONAL, &params, err));
    for (size_t i = 0; i < json_array_size(params); i++) {
        const struct sct_json_at of = {json_array_get(params, i), r->path, "parameters[]",
                                       SCT_EFILE};
        const json_t *names;
        size_t n;
        if (!json_is_object(of.obj))
            return sct_fail(err, SCT_EFILE, "%s: expected objects at parameters", r->path);
        SCT_TRY(sct_json_get_strings(&of, "tensors", SCT_JSON_REQUIRED, &names, &n, err));
        SCT_TRY(sct_grow((void **)&r->tensor, &cap, (uint64_t)r->n_tensor + n + 1,
                         sizeof *r->tensor, err));
        for (size_t k = 0; k < n; k++)
            r->tensor[r->n_tensor++] = json_string_value(json_array_get(names, k));
    }
    return SCT_OK;
}

static sct_status open_result(struct result *r, const char *path, sct_error *err)
{
    const json_t *lists;
    r->path = path;
    SCT_TRY(sct_json_load(path, SCT_EFILE, &r->tree, err));
    const struct sct_json_at at = {r->tree, path, "", SCT_EFILE};
    SCT_TRY(sct_json_get_array(&at, "lists", SCT_JSON_REQUIRED, &lists, err));
    const size_t n = json_array_size(lists);
    r->list = sct_calloc(n ? n : 1, sizeof *r->list);
    if (!r->list)
        return sct_nomem(err);
    for (size_t i = 0; i < n; i++) {
        r->n++; /* counted first: what it owns is freed after a failure too */
        SCT_TRY(read_list(&r->list[i], json_array_get(lists, i), path, err));
    }
    return read_tensors(r, err);
}

static const struct result_list *find(const struct result *r, const struct result_list *like)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (strcmp(r->list[i].name, like->name) == 0 && r->list[i].of == like->of)
            return &r->list[i];
    return NULL;
}

/* A list that all results have; pairs: [n][n] overlaps, Jaccard's indices. */
struct common {
    const char *name;
    double *overlap, *jaccard;
};

static sct_status make_common(struct common *c, const char *name, uint32_t n, sct_error *err)
{
    c->name = name;
    c->overlap = sct_calloc((size_t)n * n, sizeof *c->overlap);
    c->jaccard = sct_calloc((size_t)n * n, sizeof *c->jaccard);
    return c->overlap && c->jaccard ? SCT_OK : sct_nomem(err);
}

/* Of two sets with `shorter` entries in the smaller one. */
static void put(struct common *c, size_t cell, uint32_t both, uint32_t either, uint32_t shorter)
{
    c->overlap[cell] = shorter ? (double)both / (double)shorter : 1;
    c->jaccard[cell] = either ? (double)both / (double)either : 1;
}

static sct_status compare_list(struct common *c, const struct result *r, uint32_t n,
                               const struct result_list *first, sct_error *err)
{
    SCT_TRY(make_common(c, first->name, n, err));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < n; k++) {
            const struct result_list *a = find(&r[i], first), *b = find(&r[k], first);
            uint32_t both, either;
            SCT_TRY(sct_index_both(a->idx, a->k, b->idx, b->k, &both, &either, err));
            put(c, i * n + k, both, either, a->k < b->k ? a->k : b->k);
        }
    }
    return SCT_OK;
}

static bool has_tensor(const struct result *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_tensor; i++)
        if (strcmp(r->tensor[i], name) == 0)
            return true;
    return false;
}

/* Which parameters' tensors are trained at all. c->name stays NULL when a result has none. */
static sct_status compare_tensors(struct common *c, const struct result *r, uint32_t n,
                                  sct_error *err)
{
    for (uint32_t i = 0; i < n; i++)
        if (!r[i].n_tensor)
            return SCT_OK;
    SCT_TRY(make_common(c, "trained tensors", n, err));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < n; k++) {
            const uint32_t a = r[i].n_tensor, b = r[k].n_tensor;
            uint32_t both = 0;
            for (uint32_t t = 0; t < a; t++)
                both += has_tensor(&r[k], r[i].tensor[t]);
            put(c, i * n + k, both, a + b - both, a < b ? a : b);
        }
    }
    return SCT_OK;
}

static sct_status compare_all(struct common *c, uint32_t *n_common, struct common *tensors,
                              const struct result *r, uint32_t n, sct_error *err)
{
    SCT_TRY(compare_tensors(tensors, r, n, err));
    for (uint32_t l = 0; l < r[0].n; l++) {
        uint32_t have = 0;
        for (uint32_t i = 0; i < n; i++)
            have += find(&r[i], &r[0].list[l]) != NULL;
        if (have == n)
            SCT_TRY(compare_list(&c[(*n_common)++], r, n, &r[0].list[l], err));
    }
    if (*n_common || tensors->name)
        return SCT_OK;
    return sct_fail(
        err, SCT_EUSAGE,
        "calibrate: %s and the other results have no list in common (names and widths "
        "must agree)",
        r[0].path);
}

static double mean(const struct common *c, uint32_t n, size_t cell, bool jaccard)
{
    double sum = 0;
    for (uint32_t l = 0; l < n; l++)
        sum += jaccard ? c[l].jaccard[cell] : c[l].overlap[cell];
    return sum / (double)n;
}

/* overlap/Jaccard of all pairs i < k, a column each. */
static void print_pairs(const char *name, const struct common *c, uint32_t n_common, uint32_t n)
{
    printf("%-24s", name);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++)
            printf("  %4.2f/%4.2f", mean(c, n_common, i * n + k, false),
                   mean(c, n_common, i * n + k, true));
    putchar('\n');
}

static void print_table(const struct common *c, uint32_t n_common, const struct common *tensors,
                        const struct result *r, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        printf("%u %s\n", i, r[i].path);
    printf("overlap |A and B| / K, Jaccard\n%-24s", "list");
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++)
            printf("  %4u,%-4u", i, k);
    putchar('\n');
    for (uint32_t l = 0; l < n_common; l++)
        print_pairs(c[l].name, &c[l], 1, n);
    if (n_common)
        print_pairs("mean", c, n_common, n);
    if (tensors->name)
        print_pairs(tensors->name, tensors, 1, n);
}

static json_t *matrix(const struct common *c, uint32_t n_common, uint32_t n, bool jaccard)
{
    json_t *a = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_t *row = json_array();
        for (uint32_t k = 0; k < n; k++)
            json_array_append_new(row, json_real(mean(c, n_common, i * n + k, jaccard)));
        json_array_append_new(a, row);
    }
    return a;
}

static json_t *matrices(const struct common *c, uint32_t n_common, uint32_t n)
{
    return json_pack("{s:o, s:o}", "overlap", matrix(c, n_common, n, false), "jaccard",
                     matrix(c, n_common, n, true));
}

static sct_status print_json(const struct common *c, uint32_t n_common,
                             const struct common *tensors, const struct result *r, uint32_t n,
                             sct_error *err)
{
    json_t *files = json_array(), *lists = json_array(), *all = json_object();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(files, json_string(r[i].path));
    for (uint32_t l = 0; l < n_common; l++) {
        json_t *one = matrices(&c[l], 1, n);
        json_object_set_new(one, "name", json_string(c[l].name));
        json_array_append_new(lists, one);
    }
    json_object_set_new(all, "files", files);
    json_object_set_new(all, "lists", lists);
    if (n_common) {
        json_object_set_new(all, "overlap", matrix(c, n_common, n, false));
        json_object_set_new(all, "jaccard", matrix(c, n_common, n, true));
    }
    if (tensors->name)
        json_object_set_new(all, "tensors", matrices(tensors, 1, n));
    return cli_print_json(all, err);
}

static void free_common(struct common *c)
{
    sct_free(c->overlap);
    sct_free(c->jaccard);
}

sct_status calibrate_compare(const char *const *path, uint32_t n, int json, sct_error *err)
{
    struct result *r = sct_calloc(n, sizeof *r);
    struct common *c = NULL, tensors = {NULL, NULL, NULL};
    uint32_t n_common = 0;
    sct_status rc = r ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; i < n && rc == SCT_OK; i++)
        rc = open_result(&r[i], path[i], err);
    if (rc == SCT_OK)
        rc = (c = sct_calloc(r[0].n + 1, sizeof *c)) ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = compare_all(c, &n_common, &tensors, r, n, err);
    if (rc == SCT_OK && json)
        rc = print_json(c, n_common, &tensors, r, n, err);
    else if (rc == SCT_OK)
        print_table(c, n_common, &tensors, r, n);
    for (uint32_t l = 0; c && r && l < r[0].n; l++)
        free_common(&c[l]);
    free_common(&tensors);
    sct_free(c);
    close_results(r, n);
    return rc;
}
