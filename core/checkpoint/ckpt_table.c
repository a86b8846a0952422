/* SPDX-License-Identifier: MIT
 * ckpt_table.c - the tables of a checkpoint under construction.
 * Invariant: every element of every tensor in the table lies inside its blob. */
#include "core/checkpoint/ckpt_impl.h"

#include "core/base/status.h"
#include "core/io/text.h"

#include <stdlib.h>
#include <string.h>

sct_status sct_ckpt_add_file(struct sct_ckpt *ck, const char *path, uint32_t *file,
                             sct_error *err)
{
    SCT_TRY(sct_grow((void **)&ck->file, &ck->cap_file, (uint64_t)ck->n_file + 1,
                     sizeof *ck->file, err));
    struct sct_ckpt_file *f = &ck->file[ck->n_file];
    *f = (struct sct_ckpt_file){{NULL, 0}, NULL};
    if (path)
        SCT_TRY(sct_map_open(&f->map, path, err));
    *file = ck->n_file++;
    return SCT_OK;
}

sct_status sct_ckpt_add_blob(struct sct_ckpt *ck, const struct sct_ckpt_blob *b, uint32_t *blob,
                             sct_error *err)
{
    SCT_TRY(sct_grow((void **)&ck->blob, &ck->cap_blob, (uint64_t)ck->n_blob + 1,
                     sizeof *ck->blob, err));
    ck->blob[ck->n_blob] = *b;
    *blob = ck->n_blob++;
    return SCT_OK;
}

static bool mul_overflows(uint64_t a, uint64_t b, uint64_t *out)
{
    *out = a * b;
    return b != 0 && a > UINT64_MAX / b;
}

static sct_status check_name(const struct sct_ckpt *ck, const struct sct_ckpt_claim *c,
                             sct_error *err)
{
    if (c->name_size == 0)
        return sct_fail(err, SCT_EFILE, "%s: a tensor without a name", ck->path);
    if (c->name_size > SCT_CKPT_MAX_NAME)
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor '%.60s...': its name has %zu bytes, at "
                        "most %d are read",
                        ck->path, c->name, c->name_size, SCT_CKPT_MAX_NAME);
    const size_t good = sct_utf8_valid(c->name, c->name_size);
    if (good != c->name_size || memchr(c->name, 0, c->name_size))
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor '%.*s...': its name is not text (UTF-8 without NUL)",
                        ck->path, (int)(good < 60 ? good : 60), c->name);
    return SCT_OK;
}

/* Number of elements, and the number of the last one in the blob. */
static sct_status extent(const struct sct_ckpt *ck, const struct sct_ckpt_claim *c,
                         const char *name, uint64_t *count, uint64_t *last, sct_error *err)
{
    *count = 1;
    for (uint32_t i = 0; i < c->nd; i++)
        if (mul_overflows(*count, c->dim[i], count))
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%s': the product of the shape overflows at dim %u",
                            ck->path, name, i);
    *last = c->offset;
    if (*count == 0)
        return SCT_OK;
    if (!c->stride) {
        if (*count - 1 <= UINT64_MAX - *last) {
            *last += *count - 1;
            return SCT_OK;
        }
        return sct_fail(err, SCT_EFILE, "%s: tensor '%s': its end overflows", ck->path, name);
    }
    for (uint32_t i = 0; i < c->nd; i++) {
        uint64_t step;
        if (mul_overflows(c->dim[i] - 1, c->stride[i], &step) || step > UINT64_MAX - *last)
            return sct_fail(err, SCT_EFILE, "%s: tensor '%s': its end overflows at stride %u",
                            ck->path, name, i);
        *last += step;
    }
    return SCT_OK;
}

static bool is_c_order(const struct sct_ckpt_claim *c)
{
    uint64_t step = 1;
    for (uint32_t i = c->nd; i-- > 0;) {
        if (c->dim[i] != 1 && c->stride[i] != step)
            return false;
        step *= c->dim[i];
    }
    return true;
}

/* Sizes of what the claim says, checked against the blob. */
static sct_status measure(const struct sct_ckpt *ck, const struct sct_ckpt_claim *c,
                          struct sct_ckpt_tensor *t, uint64_t *offset, sct_error *err)
{
    uint64_t last = 0, end = 0, bits = 0;
    SCT_TRY(extent(ck, c, t->name, &t->count, &last, err));
    const uint64_t width = sct_st_dtype_bits(c->dtype), room = ck->blob[c->blob].size;
    *offset = 0;
    if (mul_overflows(t->count, width, &bits) || bits % 8 || (width < 8 && c->stride))
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor '%s': %llu elements of %s are not a whole number of bytes",
                        ck->path, t->name, (unsigned long long)t->count,
                        sct_st_dtype_name(c->dtype));
    t->size = bits / 8;
    if (t->count == 0)
        return SCT_OK;
    if (width < 8) /* only safetensors has these, packed, and a blob for each tensor */
        end = t->size;
    else if (mul_overflows(c->offset, width / 8, offset) || last == UINT64_MAX ||
             mul_overflows(last + 1, width / 8, &end))
        return sct_fail(err, SCT_EFILE, "%s: tensor '%s': its end overflows", ck->path,
                        t->name);
    if (end > room)
        return sct_fail(
            err, SCT_EFILE,
            "%s: tensor '%s' ends at byte %llu of its storage, which has %llu; is the "
            "file complete?",
            ck->path, t->name, (unsigned long long)end, (unsigned long long)room);
    return SCT_OK;
}

static uint64_t *copy_words(struct sct_ckpt *ck, const uint64_t *from, uint32_t n)
{
    uint64_t *to = sct_arena_alloc(&ck->words, ((size_t)n + 1) * sizeof *to);
    if (to && n)
        memcpy(to, from, n * sizeof *to);
    return to;
}

static char *copy_text(struct sct_ckpt *ck, const char *s, size_t n)
{
    char *to = sct_arena_alloc(&ck->words, n + 1);
    if (to)
        memcpy(to, s, n); /* the arena is zeroed */
    return to;
}

sct_status sct_ckpt_add_tensor(struct sct_ckpt *ck, const struct sct_ckpt_claim *c,
                               sct_error *err)
{
    SCT_TRY(check_name(ck, c, err));
    struct sct_ckpt_tensor t = {.nd = c->nd, .dtype = c->dtype};
    struct sct_ckpt_place p = {.blob = c->blob};
    if (!(t.name = copy_text(ck, c->name, c->name_size)))
        return sct_nomem(err);
    if (ck->n >= SCT_CKPT_MAX_TENSORS)
        return sct_fail(err, SCT_EFILE, "%s: more than %d tensors", ck->path,
                        SCT_CKPT_MAX_TENSORS);
    if (c->nd > SCT_CKPT_MAX_DIMS)
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor '%s' has %u dimensions, at most %d are read", ck->path,
                        t.name, c->nd, SCT_CKPT_MAX_DIMS);
    SCT_TRY(measure(ck, c, &t, &p.offset, err));
    if (!(t.dim = copy_words(ck, c->dim, c->nd)))
        return sct_nomem(err);
    if (c->stride && t.count && !is_c_order(c) &&
        !(p.stride = copy_words(ck, c->stride, c->nd)))
        return sct_nomem(err);
    const uint64_t need = (uint64_t)ck->n + 1;
    SCT_TRY(sct_grow((void **)&ck->tensor, &ck->cap_tensor, need, sizeof t, err));
    SCT_TRY(sct_grow((void **)&ck->place, &ck->cap_place, need, sizeof p, err));
    ck->tensor[ck->n] = t;
    ck->place[ck->n++] = p;
    return SCT_OK;
}

/* A line that quotes a file: what is not UTF-8, or would move a terminal's cursor, is replaced.
 */
static void clean(char *s, size_t n)
{
    for (size_t bad; (bad = sct_utf8_valid(s, n)) < n;)
        s[bad] = '?';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            s[i] = '?';
}

static sct_status push_note(struct sct_ckpt *ck, const char *line, sct_error *err)
{
    char *copy = copy_text(ck, line, strlen(line));
    if (!copy)
        return sct_nomem(err);
    clean(copy, strlen(copy));
    SCT_TRY(sct_grow((void **)&ck->note, &ck->cap_note, (uint64_t)ck->n_note + 1,
                     sizeof *ck->note, err));
    ck->note[ck->n_note++] = copy;
    return SCT_OK;
}

sct_status sct_ckpt_note(struct sct_ckpt *ck, sct_error *err, const char *fmt, ...)
{
    enum { NOTES = 32 };

    char line[512];
    if (ck->n_note >= NOTES) {
        ck->notes_left_out++;
        return SCT_OK;
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return push_note(ck, line, err);
}

sct_status sct_ckpt_metadata(struct sct_ckpt *ck, const char *key, const char *value,
                             sct_error *err)
{
    struct sct_ckpt_pair p = {copy_text(ck, key, strlen(key)),
                              copy_text(ck, value, strlen(value))};
    if (!p.key || !p.value)
        return sct_nomem(err);
    SCT_TRY(sct_grow((void **)&ck->meta, &ck->cap_meta, (uint64_t)ck->n_meta + 1,
                     sizeof *ck->meta, err));
    ck->meta[ck->n_meta++] = p;
    return SCT_OK;
}

static const char *name_at(const void *ctx, uint32_t i)
{
    return ((const struct sct_ckpt *)ctx)->tensor[i].name;
}

sct_status sct_ckpt_finish(struct sct_ckpt *ck, sct_error *err)
{
    char more[64];
    (void)snprintf(more, sizeof more, "and %u more", ck->notes_left_out);
    if (ck->notes_left_out)
        SCT_TRY(push_note(ck, more, err));
    if (ck->n == 0)
        return sct_fail(err, SCT_EFILE, "%s: a %s file without tensors%s%s", ck->path, ck->kind,
                        ck->n_note ? "; passed over: " : "", ck->n_note ? ck->note[0] : "");
    const char *twice = NULL;
    sct_status rc = sct_names_build(&ck->names, name_at, ck, ck->n, &twice, err);
    if (rc == SCT_OK && twice)
        rc = sct_fail(err, SCT_EFILE, "%s: two tensors have the name '%s'", ck->path, twice);
    return rc;
}
