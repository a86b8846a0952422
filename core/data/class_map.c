/* SPDX-License-Identifier: MIT
 * class_map.c - class names to class numbers. */
#include "core/data/class_map.h"

#include <stdlib.h>
#include <string.h>

#include "core/data/list_parse.h"

sct_status sct_class_map_add(struct sct_class_map *m, const char *name, size_t size,
                             uint32_t index, sct_error *err)
{
    SCT_TRY(sct_grow((void **)&m->pair, &m->cap, (uint64_t)m->count + 1, sizeof *m->pair, err));
    char *copy = sct_arena_alloc(&m->arena, size + 1);
    if (!copy)
        return sct_fail(err, SCT_ENOMEM, "out of memory for a map of classes");
    memcpy(copy, name, size);
    m->pair[m->count++] = (struct sct_class_pair){copy, index};
    if (index >= m->classes)
        m->classes = index + 1;
    return SCT_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sct_class_pair *)a)->name,
                  ((const struct sct_class_pair *)b)->name);
}

/* Names of the indices, from the pairs in the order in which they were added. */
static sct_status fill_names(struct sct_class_map *m, const char *origin, sct_error *err)
{
    m->names = sct_arena_alloc(&m->arena, m->classes * sizeof *m->names);
    bool ok = m->names != NULL;
    m->numerals = true;
    for (uint32_t i = 0; ok && i < m->count; i++) {
        uint32_t number;
        const struct sct_class_pair *p = &m->pair[i];
        if (!m->names[p->index])
            m->names[p->index] = p->name;
        m->numerals = m->numerals && sct_scan_label(p->name, strlen(p->name), &number);
    }
    for (uint32_t i = 0; ok && i < m->classes; i++)
        if (!m->names[i])
            ok = (m->names[i] = sct_arena_printf(&m->arena, "%u", (unsigned)i)) != NULL;
    return ok ? SCT_OK
              : sct_fail(err, SCT_ENOMEM, "%s: out of memory for a map of classes", origin);
}

static sct_status check_pairs(const struct sct_class_map *m, const char *origin, sct_error *err)
{
    for (uint32_t i = 1; i < m->count; i++)
        if (by_name(&m->pair[i - 1], &m->pair[i]) == 0 &&
            m->pair[i - 1].index != m->pair[i].index)
            return sct_fail(
                err, SCT_EDATA, "%s: the class name %.100s stands for %u and for %u", origin,
                m->pair[i].name, (unsigned)m->pair[i - 1].index, (unsigned)m->pair[i].index);
    return SCT_OK;
}

/* A list of names may have one twice (ImageNet has two cranes). That is fine as long as nobody
 * asks for its number. */
static void drop_ambiguous(struct sct_class_map *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0, same; i < m->count; i += same) {
        for (same = 1; i + same < m->count && by_name(&m->pair[i], &m->pair[i + same]) == 0;)
            same++;
        if (same == 1)
            m->pair[n++] = m->pair[i];
    }
    m->count = n;
}

sct_status sct_class_map_finish(struct sct_class_map *m, const char *origin, sct_error *err)
{
    if (m->count == 0)
        return sct_fail(err, SCT_EDATA, "%s: expected class names, found none", origin);
    SCT_TRY(fill_names(m, origin, err));
    qsort(m->pair, m->count, sizeof *m->pair, by_name);
    if (m->pairs)
        return check_pairs(m, origin, err);
    drop_ambiguous(m);
    return SCT_OK;
}

bool sct_class_map_find(const struct sct_class_map *m, const char *name, uint32_t *index)
{
    const struct sct_class_pair key = {name, 0};
    const struct sct_class_pair *p =
        m->count ? bsearch(&key, m->pair, m->count, sizeof key, by_name) : NULL;
    if (p)
        *index = p->index;
    return p != NULL;
}

/* "name", or with pairs "name<tab>number". */
static sct_status parse_line(struct sct_class_map *m, const struct sct_lines *at,
                             const struct sct_line *l, sct_error *err)
{
    uint32_t index = m->count;
    size_t n = l->size;
    if (memchr(l->at, 0, l->size))
        return sct_fail(err, SCT_EDATA, "%s:%u: expected text, found a zero byte", at->name,
                        (unsigned)at->no);
    if (m->pairs) {
        while (n > 0 && l->at[n - 1] != '\t')
            n--;
        size_t from = n;
        while (from < l->size && sct_is_blank(l->at[from]))
            from++;
        if (!sct_scan_label(l->at + from, l->size - from, &index))
            return sct_fail(err, SCT_EDATA,
                            "%s:%u: expected a class name, a tab and a class number below %u",
                            at->name, (unsigned)at->no, SCT_LABEL_LIMIT);
        while (n > 0 && sct_is_blank(l->at[n - 1]))
            n--;
    }
    if (n == 0 || (!m->pairs && index + 1 != at->no))
        return sct_fail(err, SCT_EDATA, "%s:%u: expected a class name, found %s", at->name,
                        (unsigned)at->no, n ? "an empty line above" : "none");
    return index < SCT_LABEL_LIMIT ? sct_class_map_add(m, l->at, n, index, err)
                                   : sct_fail(err, SCT_EDATA, "%s: more than %u class names",
                                              at->name, SCT_LABEL_LIMIT);
}

static sct_status parse(struct sct_class_map *m, const char *text, size_t size,
                        const char *name, sct_error *err)
{
    struct sct_lines at;
    struct sct_line l;
    bool first = true;
    sct_lines_init(&at, text, size, name);
    while (sct_lines_next(&at, &l)) {
        if (l.size == 0)
            continue;
        if (first)
            m->pairs = memchr(l.at, '\t', l.size) != NULL;
        first = false;
        SCT_TRY(parse_line(m, &at, &l, err));
    }
    return sct_class_map_finish(m, name, err);
}

sct_status sct_class_map_parse(struct sct_class_map *m, const char *text, size_t size,
                               const char *name, sct_error *err)
{
    memset(m, 0, sizeof *m);
    const sct_status rc = parse(m, text, size, name, err);
    if (rc != SCT_OK)
        sct_class_map_fini(m);
    return rc;
}

sct_status sct_class_map_names(struct sct_class_map *m, const char *const *names, uint32_t n,
                               const char *origin, sct_error *err)
{
    sct_status rc = SCT_OK;
    memset(m, 0, sizeof *m);
    for (uint32_t i = 0; i < n && rc == SCT_OK; i++)
        rc = sct_class_map_add(m, names[i], strlen(names[i]), i, err);
    if (rc == SCT_OK)
        rc = sct_class_map_finish(m, origin, err);
    if (rc != SCT_OK)
        sct_class_map_fini(m);
    return rc;
}

void sct_class_map_fini(struct sct_class_map *m)
{
    if (!m)
        return;
    sct_free(m->pair);
    sct_arena_free(&m->arena);
    memset(m, 0, sizeof *m);
}
