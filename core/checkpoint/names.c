/* SPDX-License-Identifier: MIT
 * names.c - an index of names: sorted, looked up by halving. */
#include "core/checkpoint/names.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"

static int by_name(const void *a, const void *b)
{
    const struct sct_name_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

sct_status sct_names_build(struct sct_names *x,
                           const char *(*name)(const void *ctx, uint32_t i), const void *ctx,
                           uint32_t n, const char **twice, sct_error *err)
{
    *x = (struct sct_names){sct_calloc((size_t)n + 1, sizeof *x->entry), n};
    if (twice)
        *twice = NULL;
    if (!x->entry) {
        x->n = 0;
        return sct_nomem(err);
    }
    for (uint32_t i = 0; i < n; i++)
        x->entry[i] = (struct sct_name_entry){name(ctx, i), i};
    qsort(x->entry, n, sizeof *x->entry, by_name);
    for (uint32_t i = 1; i < n && twice; i++)
        if (strcmp(x->entry[i - 1].name, x->entry[i].name) == 0)
            *twice = x->entry[i].name;
    return SCT_OK;
}

void sct_names_free(struct sct_names *x)
{
    sct_free(x->entry);
    *x = (struct sct_names){NULL, 0};
}

/* As strcmp(word, other), for a word of n bytes without end. */
static int compare(const char *word, size_t n, const char *other)
{
    const int order = strncmp(word, other, n);
    return order ? order : other[n] ? -1 : 0;
}

uint32_t sct_names_find(const struct sct_names *x, const char *name, size_t n)
{
    uint32_t lo = 0, hi = x->n;
    if (memchr(name, 0, n))
        return SCT_NAMES_NONE;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const int order = compare(name, n, x->entry[mid].name);
        if (order == 0)
            return x->entry[mid].at;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return SCT_NAMES_NONE;
}
