/* SPDX-License-Identifier: MIT
 * list_parse.c - the text of a list file to entries.
 * Nothing of the file is trusted: lengths, bytes and label range are checked by line. */
#include "core/data/list_parse.h"

#include <string.h>

bool sct_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

void sct_lines_init(struct sct_lines *l, const char *text, size_t size, const char *name)
{
    *l = (struct sct_lines){text, text + size, name, 0};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        l->at += 3;
}

bool sct_lines_next(struct sct_lines *l, struct sct_line *out)
{
    if (l->at == l->end)
        return false;
    const char *nl = memchr(l->at, '\n', (size_t)(l->end - l->at));
    const char *begin = l->at, *stop = nl ? nl : l->end;
    l->at = nl ? nl + 1 : l->end;
    l->no++;
    while (begin < stop && sct_is_blank(*begin))
        begin++;
    while (stop > begin && sct_is_blank(stop[-1]))
        stop--;
    out->at = begin;
    out->size = (size_t)(stop - begin);
    return true;
}

bool sct_scan_label(const char *word, size_t size, uint32_t *label)
{
    uint32_t v = 0;
    bool ok = size > 0 && size < 8;
    for (size_t i = 0; ok && i < size; i++) {
        ok = word[i] >= '0' && word[i] <= '9';
        v = v * 10 + (uint32_t)(word[i] - '0');
    }
    if (!ok || v >= SCT_LABEL_LIMIT)
        return false;
    *label = v;
    return true;
}

char *sct_line_copy(struct sct_arena *a, const struct sct_line *part,
                    const struct sct_lines *where, sct_error *err)
{
    if (memchr(part->at, 0, part->size)) {
        (void)sct_fail(err, SCT_EDATA, "%s:%u: expected text, found a zero byte", where->name,
                       (unsigned)where->no);
        return NULL;
    }
    char *copy = sct_arena_alloc(a, part->size + 1);
    if (copy)
        memcpy(copy, part->at, part->size);
    else
        (void)sct_fail(err, SCT_ENOMEM, "%s: out of memory reading the file", where->name);
    return copy;
}

/* What a failed sct_line_copy was: the caller may have given no error to look into. */
static sct_status copy_failed(const struct sct_line *part)
{
    return memchr(part->at, 0, part->size) ? SCT_EDATA : SCT_ENOMEM;
}

static sct_status parse_line(struct sct_dataset *ds, struct sct_entry *e,
                             const struct sct_line *l, const struct sct_lines *where,
                             sct_error *err)
{
    size_t cut = l->size;
    while (cut > 0 && !sct_is_blank(l->at[cut - 1]))
        cut--;
    if (!sct_scan_label(l->at + cut, l->size - cut, &e->label)) {
        const size_t n = l->size - cut;
        return sct_fail(
            err, SCT_EDATA,
            "%s:%u: expected \"path label\" with a label number from 0 to %u, found \"%.*s\"",
            where->name, (unsigned)where->no, SCT_LABEL_LIMIT - 1, n < 60 ? (int)n : 60,
            l->at + cut);
    }
    while (cut > 0 && sct_is_blank(l->at[cut - 1]))
        cut--;
    if (cut == 0)
        return sct_fail(err, SCT_EDATA,
                        "%s:%u: expected \"path label\", found only one word \"%.*s\"",
                        where->name, (unsigned)where->no, (int)l->size, l->at);
    const struct sct_line path = {l->at, cut};
    e->path = sct_line_copy(&ds->arena, &path, where, err);
    return e->path ? SCT_OK : copy_failed(&path);
}

static uint64_t count_lines(const char *text, size_t size)
{
    uint64_t n = 1;
    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    return n;
}

sct_status sct_list_parse(struct sct_dataset *ds, const char *text, size_t size,
                          const char *name, sct_error *err)
{
    const uint64_t lines = count_lines(text, size);
    struct sct_lines at;
    struct sct_line l;
    ds->count = 0;
    ds->classes = 0;
    if (lines > UINT32_MAX)
        return sct_fail(err, SCT_EDATA, "%s: more lines than 32 bits count", name);
    ds->entries = sct_arena_alloc(&ds->arena, (size_t)lines * sizeof *ds->entries);
    if (!ds->entries)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory for %llu lines", name,
                        (unsigned long long)lines);
    sct_lines_init(&at, text, size, name);
    while (sct_lines_next(&at, &l)) {
        if (l.size == 0)
            continue;
        struct sct_entry *e = &ds->entries[ds->count];
        SCT_TRY(parse_line(ds, e, &l, &at, err));
        ds->count++;
        if (e->label >= ds->classes)
            ds->classes = e->label + 1;
    }
    if (ds->count == 0)
        return sct_fail(err, SCT_EDATA, "%s: expected \"path label\" lines, found none", name);
    return SCT_OK;
}

sct_status sct_classes_parse(struct sct_dataset *ds, const char *text, size_t size,
                             const char *name, sct_error *err)
{
    const uint64_t lines = count_lines(text, size);
    struct sct_lines at;
    struct sct_line l;
    uint32_t n = 0;
    if (lines > SCT_LABEL_LIMIT)
        return sct_fail(err, SCT_EDATA, "%s: expected at most %u class names", name,
                        SCT_LABEL_LIMIT);
    const char **names = sct_arena_alloc(&ds->arena, (size_t)lines * sizeof *names);
    if (!names)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory for class names", name);
    sct_lines_init(&at, text, size, name);
    while (sct_lines_next(&at, &l)) {
        if (l.size == 0)
            continue;
        if (n + 1 != at.no)
            return sct_fail(err, SCT_EDATA,
                            "%s:%u: expected one class name a line, found an empty line above",
                            name, (unsigned)at.no);
        if (!(names[n++] = sct_line_copy(&ds->arena, &l, &at, err)))
            return copy_failed(&l);
    }
    for (uint32_t i = 0; i < ds->count; i++)
        if (ds->entries[i].label >= n)
            return sct_fail(err, SCT_EDATA,
                            "%s: image %s has label %u, but %s names only %u classes",
                            ds->origin, ds->entries[i].path, (unsigned)ds->entries[i].label,
                            name, (unsigned)n);
    ds->classes = n;
    ds->class_names = names;
    return SCT_OK;
}
