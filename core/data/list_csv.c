/* SPDX-License-Identifier: MIT
 * list_csv.c - records "path,label[,split]" to entries (RFC 4180, comma or tab).
 * Two passes over the records: fields as strings, then labels as numbers or sorted names. */
#include "core/data/list_parse.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 64 };

struct row {
    const char *path, *label;
    uint32_t splits; /* bit of its split; 0: no such column */
    uint32_t line;
};

struct reader {
    struct sct_dataset *ds;
    const char *at, *end, *name;
    char sep;
    uint32_t line, begun; /* now, and where the record began; from 1 */
    char *field[MAX_FIELDS];
    uint32_t fields;
    struct row *row;
    uint32_t rows, cap;
    int32_t path, label, split; /* columns; -1: there is none */
    sct_error *err;
};

static sct_status no_memory(const struct reader *r)
{
    return sct_fail(r->err, SCT_ENOMEM, "%s: out of memory reading the data set", r->name);
}

static bool line_end(const struct reader *r)
{
    return r->at == r->end || *r->at == '\n' ||
           (*r->at == '\r' && (r->at + 1 == r->end || r->at[1] == '\n'));
}

static void skip_line_end(struct reader *r)
{
    if (r->at < r->end && *r->at == '\r')
        r->at++;
    if (r->at < r->end)
        r->at++;
    r->line++;
}

/* What stands between quotes, a doubled quote being one, into `to`. */
static sct_status quoted(struct reader *r, char *to)
{
    for (r->at++; r->at < r->end; r->at++) {
        if (*r->at == '"') {
            if (r->at + 1 == r->end || r->at[1] != '"')
                break;
            r->at++;
        }
        r->line += *r->at == '\n';
        *to++ = *r->at;
    }
    if (r->at == r->end)
        return sct_fail(r->err, SCT_EDATA, "%s:%u: a quote is opened and never closed", r->name,
                        (unsigned)r->begun);
    r->at++;
    if (line_end(r) || *r->at == r->sep)
        return SCT_OK;
    return sct_fail(r->err, SCT_EDATA,
                    "%s:%u: expected a separator after a closing quote, found \"%c\"", r->name,
                    (unsigned)r->line, *r->at);
}

static sct_status unquoted(struct reader *r, char *to)
{
    for (; !line_end(r) && *r->at != r->sep; r->at++) {
        if (*r->at == '"')
            return sct_fail(r->err, SCT_EDATA,
                            "%s:%u: a quote inside a field; put the field in quotes and double "
                            "the quote",
                            r->name, (unsigned)r->line);
        *to++ = *r->at;
    }
    return SCT_OK;
}

/* An upper bound of the bytes that the field at r->at has. */
static size_t field_room(const struct reader *r)
{
    const char *p = r->at;
    if (p < r->end && *p == '"')
        for (p++; p < r->end && (*p != '"' || (p + 1 < r->end && p[1] == '"')); p++)
            p += *p == '"';
    else
        while (p < r->end && *p != r->sep && *p != '\n')
            p++;
    return (size_t)(p - r->at);
}

static sct_status next_record(struct reader *r)
{
    r->fields = 0;
    r->begun = r->line;
    for (;;) {
        char *to = sct_arena_alloc(&r->ds->arena, field_room(r) + 1);
        if (!to)
            return no_memory(r);
        if (r->fields == MAX_FIELDS)
            return sct_fail(r->err, SCT_EDATA, "%s:%u: more than %d columns", r->name,
                            (unsigned)r->begun, MAX_FIELDS);
        r->field[r->fields++] = to;
        SCT_TRY(r->at < r->end && *r->at == '"' ? quoted(r, to) : unquoted(r, to));
        if (line_end(r))
            break;
        r->at++; /* the separator; a last one makes an empty field */
    }
    skip_line_end(r);
    return SCT_OK;
}

static bool one_of(const char *word, const char *const *names)
{
    for (; *names; names++) {
        size_t i = 0;
        while (word[i] && (word[i] | ((word[i] >= 'A' && word[i] <= 'Z') << 5)) == (*names)[i])
            i++;
        if (!word[i] && !(*names)[i])
            return true;
    }
    return false;
}

/* Whether the record just read is a header; sets the columns either way. */
static bool find_columns(struct reader *r)
{
    static const char *const path[] = {"path",  "file",       "filename", "file_name",
                                       "image", "image_path", NULL};
    static const char *const label[] = {"label", "class", "class_name", "target", NULL};
    static const char *const split[] = {"split", "subset", "set", NULL};
    r->path = r->label = r->split = -1;
    for (uint32_t i = r->fields; i-- > 0;) {
        if (one_of(r->field[i], path))
            r->path = (int32_t)i;
        if (one_of(r->field[i], label))
            r->label = (int32_t)i;
        if (one_of(r->field[i], split))
            r->split = (int32_t)i;
    }
    if (r->path >= 0 && r->label >= 0)
        return true;
    r->path = 0;
    r->label = 1;
    r->split = r->fields > 2 ? 2 : -1;
    return false;
}

static sct_status split_bit(const struct reader *r, uint32_t *bit)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } known[] = {{"train", SCT_IN_TRAIN},    {"val", SCT_IN_VAL},   {"valid", SCT_IN_VAL},
                 {"validation", SCT_IN_VAL}, {"test", SCT_IN_TEST}, {"training", SCT_IN_TRAIN}};

    const char *word = r->field[r->split];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const char *const names[] = {known[i].name, NULL};
        if (one_of(word, names)) {
            *bit = known[i].bit;
            return SCT_OK;
        }
    }
    return sct_fail(r->err, SCT_EDATA,
                    "%s:%u: expected train, val or test as the split, found \"%.60s\"", r->name,
                    (unsigned)r->begun, word);
}

static sct_status add_row(struct reader *r, uint32_t columns)
{
    if (r->fields != columns)
        return sct_fail(r->err, SCT_EDATA,
                        "%s:%u: expected %u columns as in the first record, found %u", r->name,
                        (unsigned)r->begun, (unsigned)columns, (unsigned)r->fields);
    SCT_TRY(sct_grow((void **)&r->row, &r->cap, (uint64_t)r->rows + 1, sizeof *r->row, r->err));
    struct row *row = &r->row[r->rows];
    *row = (struct row){r->field[r->path], r->field[r->label], 0, r->begun};
    if (!row->path[0] || !row->label[0])
        return sct_fail(r->err, SCT_EDATA, "%s:%u: expected a path and a label, one is empty",
                        r->name, (unsigned)r->begun);
    if (r->split >= 0)
        SCT_TRY(split_bit(r, &row->splits));
    r->rows++;
    return SCT_OK;
}

static bool blank_line(const struct reader *r)
{
    return line_end(r) && r->at < r->end;
}

static sct_status read_rows(struct reader *r)
{
    uint32_t columns = 0;
    while (r->at < r->end) {
        if (blank_line(r)) {
            skip_line_end(r);
            continue;
        }
        SCT_TRY(next_record(r));
        if (columns == 0) {
            columns = r->fields;
            const bool header = find_columns(r);
            if (!header && (columns < 2 || columns > 3))
                return sct_fail(
                    r->err, SCT_EDATA,
                    "%s:%u: expected path, label and perhaps split, or a header that "
                    "names these columns; found %u columns",
                    r->name, (unsigned)r->begun, (unsigned)columns);
            if (header)
                continue;
        }
        SCT_TRY(add_row(r, columns));
    }
    if (r->rows == 0)
        return sct_fail(r->err, SCT_EDATA, "%s: expected records path,label, found none",
                        r->name);
    return SCT_OK;
}

static int by_string(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Distinct labels of all rows, sorted. */
static sct_status name_classes(struct reader *r)
{
    const char **names = sct_arena_alloc(&r->ds->arena, r->rows * sizeof *names);
    uint32_t n = 0;
    if (!names)
        return no_memory(r);
    for (uint32_t i = 0; i < r->rows; i++)
        names[i] = r->row[i].label;
    qsort(names, r->rows, sizeof *names, by_string);
    for (uint32_t i = 0; i < r->rows; i++)
        if (n == 0 || strcmp(names[n - 1], names[i]) != 0)
            names[n++] = names[i];
    if (n > SCT_LABEL_LIMIT)
        return sct_fail(r->err, SCT_EDATA, "%s: expected at most %u classes, found %u", r->name,
                        SCT_LABEL_LIMIT, (unsigned)n);
    r->ds->class_names = names;
    r->ds->classes = n;
    return SCT_OK;
}

static sct_status count_classes(struct reader *r)
{
    uint32_t label;
    for (uint32_t i = 0; i < r->rows; i++)
        if (!sct_scan_label(r->row[i].label, strlen(r->row[i].label), &label))
            return name_classes(r);
        else if (label >= r->ds->classes)
            r->ds->classes = label + 1;
    return SCT_OK;
}

static uint32_t label_of(const struct reader *r, const char *text)
{
    uint32_t label = 0;
    const char *const *names = r->ds->class_names;
    if (!names) {
        (void)sct_scan_label(text, strlen(text), &label);
        return label;
    }
    const char *const *at = bsearch(&text, names, r->ds->classes, sizeof *names, by_string);
    return (uint32_t)(at - names);
}

static sct_status take_rows(struct reader *r, uint32_t splits)
{
    struct sct_dataset *ds = r->ds;
    SCT_TRY(count_classes(r));
    ds->entries = sct_arena_alloc(&ds->arena, r->rows * sizeof *ds->entries);
    if (!ds->entries)
        return no_memory(r);
    for (uint32_t i = 0; i < r->rows; i++)
        if (splits == 0 || (r->row[i].splits & splits))
            ds->entries[ds->count++] =
                (struct sct_entry){r->row[i].path, label_of(r, r->row[i].label)};
    if (ds->count == 0)
        return sct_fail(r->err, SCT_EDATA,
                        "%s: none of its %u rows is of the split that is wanted (%s)", r->name,
                        (unsigned)r->rows,
                        splits & SCT_IN_TEST    ? "test"
                        : splits & SCT_IN_TRAIN ? "train"
                                                : "val");
    return SCT_OK;
}

sct_status sct_csv_parse(struct sct_dataset *ds, const char *text, size_t size, char sep,
                         uint32_t splits, bool whole, const char *name, sct_error *err)
{
    struct reader r = {
        .ds = ds, .at = text, .end = text + size, .name = name, .sep = sep, .line = 1};
    r.err = err;
    ds->count = ds->classes = 0;
    ds->class_names = NULL;
    if (memchr(text, 0, size))
        return sct_fail(err, SCT_EDATA, "%s: expected text, found a zero byte", name);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.at += 3;
    sct_status rc = read_rows(&r);
    if (rc == SCT_OK && splits && r.split < 0 && !whole)
        rc = sct_fail(
            err, SCT_EDATA,
            "%s: expected a column split that says train, val or test; add it, or give "
            "two files by --train-list and --test-list",
            name);
    if (rc == SCT_OK)
        rc = take_rows(&r, r.split < 0 ? 0 : splits);
    sct_free(r.row);
    return rc;
}
