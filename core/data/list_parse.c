/* SPDX-License-Identifier: MIT
 * list_parse.c - the text of a list file to entries.
 * Nothing of the file is trusted: lengths, bytes and label range are checked by line. */
#include "core/data/list_parse.h"

#include <stdbool.h>
#include <string.h>

/* A typo in a label must not become a classifier of millions of outputs. */
#define LABEL_LIMIT 1000000u

struct line {
    const char *at;
    size_t size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line without blanks at its ends; false at the end of the text. */
static bool next_line(const char **at, const char *end, struct line *out)
{
    if (*at == end)
        return false;
    const char *nl = memchr(*at, '\n', (size_t)(end - *at));
    const char *stop = nl ? nl : end;
    const char *begin = *at;
    *at = nl ? nl + 1 : end;
    while (begin < stop && is_blank(*begin))
        begin++;
    while (stop > begin && is_blank(stop[-1]))
        stop--;
    out->at = begin;
    out->size = (size_t)(stop - begin);
    return true;
}

static sct_status check_text(const struct line *l, const char *name, uint32_t no,
                             sct_error *err)
{
    if (memchr(l->at, 0, l->size))
        return sct_fail(err, SCT_EDATA, "%s:%u: expected text, found a zero byte", name,
                        (unsigned)no);
    return SCT_OK;
}

static sct_status parse_label(uint32_t *label, const char *word, size_t size, const char *name,
                              uint32_t no, sct_error *err)
{
    uint32_t v = 0;
    bool ok = size > 0 && size < 8;
    for (size_t i = 0; ok && i < size; i++) {
        ok = word[i] >= '0' && word[i] <= '9';
        v = v * 10 + (uint32_t)(word[i] - '0');
    }
    if (!ok || v >= LABEL_LIMIT)
        return sct_fail(
            err, SCT_EDATA,
            "%s:%u: expected \"path label\" with a label number from 0 to %u, found "
            "\"%.*s\"",
            name, (unsigned)no, LABEL_LIMIT - 1, size < 60 ? (int)size : 60, word);
    *label = v;
    return SCT_OK;
}

static sct_status parse_line(struct sct_dataset *ds, struct sct_entry *e, const struct line *l,
                             const char *name, uint32_t no, sct_error *err)
{
    size_t cut = l->size;
    SCT_TRY(check_text(l, name, no, err));
    while (cut > 0 && !is_blank(l->at[cut - 1]))
        cut--;
    SCT_TRY(parse_label(&e->label, l->at + cut, l->size - cut, name, no, err));
    while (cut > 0 && is_blank(l->at[cut - 1]))
        cut--;
    if (cut == 0)
        return sct_fail(err, SCT_EDATA,
                        "%s:%u: expected \"path label\", found only one word \"%.*s\"", name,
                        (unsigned)no, (int)l->size, l->at);
    char *path = sct_arena_alloc(&ds->arena, cut + 1);
    if (!path)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory reading the list", name);
    memcpy(path, l->at, cut);
    e->path = path;
    return SCT_OK;
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
    const char *at = text, *end = text + size;
    const uint64_t lines = count_lines(text, size);
    struct line l;
    uint32_t no = 0;
    ds->count = 0;
    ds->classes = 0;
    if (lines > UINT32_MAX)
        return sct_fail(err, SCT_EDATA, "%s: more lines than 32 bits count", name);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    ds->entries = sct_arena_alloc(&ds->arena, (size_t)lines * sizeof *ds->entries);
    if (!ds->entries)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory for %llu lines", name,
                        (unsigned long long)lines);
    while (next_line(&at, end, &l)) {
        no++;
        if (l.size == 0)
            continue;
        struct sct_entry *e = &ds->entries[ds->count];
        SCT_TRY(parse_line(ds, e, &l, name, no, err));
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
    const char *at = text, *end = text + size;
    const uint64_t lines = count_lines(text, size);
    struct line l;
    uint32_t no = 0, n = 0;
    if (lines > LABEL_LIMIT)
        return sct_fail(err, SCT_EDATA, "%s: expected at most %u class names", name,
                        LABEL_LIMIT);
    const char **names = sct_arena_alloc(&ds->arena, (size_t)lines * sizeof *names);
    if (!names)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory for class names", name);
    while (next_line(&at, end, &l)) {
        no++;
        if (l.size == 0)
            continue;
        if (n + 1 != no)
            return sct_fail(err, SCT_EDATA,
                            "%s:%u: expected one class name a line, found an empty line above",
                            name, (unsigned)no);
        SCT_TRY(check_text(&l, name, no, err));
        char *copy = sct_arena_alloc(&ds->arena, l.size + 1);
        if (!copy)
            return sct_fail(err, SCT_ENOMEM, "%s: out of memory for class names", name);
        memcpy(copy, l.at, l.size);
        names[n++] = copy;
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
