/* SPDX-License-Identifier: MIT
 * npy_read.c - the head of a NumPy .npy array.
 * Layout: "\x93NUMPY" major minor, u16le (version 1) or u32le length, then a Python dict with
 * exactly the keys descr, fortran_order and shape, padded with blanks, ended by a newline. */
#include "core/checkpoint/npy.h"

#include "core/checkpoint/safetensors.h"

#include <string.h>

/* Element types without their byte order. bfloat16 has no name in NumPy; JAX's files have it as
 * two bytes of nothing in particular. */
static const struct {
    const char *descr;
    uint32_t dtype;
} descrs[] = {
    {"b1", SCT_ST_BOOL}, {"u1", SCT_ST_U8},  {"i1", SCT_ST_I8},   {"i2", SCT_ST_I16},
    {"u2", SCT_ST_U16},  {"f2", SCT_ST_F16}, {"V2", SCT_ST_BF16}, {"i4", SCT_ST_I32},
    {"u4", SCT_ST_U32},  {"f4", SCT_ST_F32}, {"f8", SCT_ST_F64},  {"i8", SCT_ST_I64},
    {"u8", SCT_ST_U64},  {"c8", SCT_ST_C64},
};

/* The text of the dict, read from left to right. */
struct text {
    const char *at, *end, *what;
};

struct word {
    const char *s;
    size_t n;
};

static bool word_is(struct word w, const char *s)
{
    return w.n == strlen(s) && memcmp(w.s, s, w.n) == 0;
}

static sct_status bad(const struct text *t, const char *expected, sct_error *err)
{
    const size_t left = (size_t)(t->end - t->at);
    return sct_fail(err, SCT_EFILE, "%s: array header: expected %s, found \"%.*s\"", t->what,
                    expected, (int)(left < 24 ? left : 24), t->at);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct text *t)
{
    while (t->at < t->end && is_blank(*t->at))
        t->at++;
}

/* Takes c if it is next behind blanks. */
static bool take(struct text *t, char c)
{
    skip_blanks(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* A string in either quotes, without escapes: nothing in these headers needs one. */
static bool take_string(struct text *t, struct word *w)
{
    const char quote = take(t, '\'') ? '\'' : take(t, '"') ? '"' : 0;
    if (!quote)
        return false;
    const char *end = memchr(t->at, quote, (size_t)(t->end - t->at));
    if (!end)
        return false;
    *w = (struct word){t->at, (size_t)(end - t->at)};
    t->at = end + 1;
    return !memchr(w->s, '\\', w->n);
}

static bool take_name(struct text *t, const char *name)
{
    skip_blanks(t);
    const size_t n = strlen(name);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, name, n) != 0)
        return false;
    t->at += n;
    return true;
}

static sct_status read_descr(struct text *t, struct sct_npy_head *h, sct_error *err)
{
    struct word w;
    if (!take_string(t, &w))
        return bad(t, "an element type such as '<f4' (arrays of structures are not read)", err);
    char order = '|';
    if (w.n && strchr("<>=|", w.s[0])) {
        order = w.s[0];
        w.s++;
        w.n--;
    }
    if (w.n && w.s[0] == 'O')
        return sct_fail(err, SCT_EFILE,
                        "%s: an array of Python objects, which would have to be executed; save "
                        "the numbers as arrays of their own",
                        t->what);
    for (size_t i = 0; i < sizeof descrs / sizeof *descrs; i++) {
        if (!word_is(w, descrs[i].descr))
            continue;
        const bool wide = sct_st_dtype_bits(descrs[i].dtype) > 8;
        if (wide && order == '>')
            return sct_fail(err, SCT_EFILE,
                            "%s: big-endian elements ('>%s'), expected '<%s'; convert with "
                            "a.astype('<%s')",
                            t->what, descrs[i].descr, descrs[i].descr, descrs[i].descr);
        if (wide && order != '<' && descrs[i].dtype != SCT_ST_BF16)
            break;
        h->dtype = descrs[i].dtype;
        return SCT_OK;
    }
    return sct_fail(err, SCT_EFILE,
                    "%s: element type '%c%.*s', expected <f4, <f2, <f8, an integer or b1",
                    t->what, order, (int)(w.n < 16 ? w.n : 16), w.s);
}

static sct_status read_order(struct text *t, struct sct_npy_head *h, sct_error *err)
{
    h->fortran = take_name(t, "True");
    return h->fortran || take_name(t, "False") ? SCT_OK : bad(t, "True or False", err);
}

static bool take_number(struct text *t, uint64_t *v)
{
    bool any = false;
    *v = 0;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++, any = true) {
        const uint64_t digit = (uint64_t)(*t->at - '0');
        if (*v > (UINT64_MAX - digit) / 10)
            return false;
        *v = *v * 10 + digit;
    }
    if (any && t->at < t->end && *t->at == 'L') /* Python 2 */
        t->at++;
    return any;
}

static sct_status read_shape(struct text *t, struct sct_npy_head *h, sct_error *err)
{
    if (!take(t, '('))
        return bad(t, "a tuple of dimensions", err);
    h->nd = 0;
    while (!take(t, ')')) {
        if (h->nd == SCT_NPY_MAX_DIMS)
            return sct_fail(err, SCT_EFILE, "%s: more than %d dimensions", t->what,
                            SCT_NPY_MAX_DIMS);
        if (!take_number(t, &h->dim[h->nd++]))
            return bad(t, "a dimension", err);
        if (!take(t, ','))
            return take(t, ')') ? SCT_OK : bad(t, ", or )", err);
    }
    return SCT_OK;
}

/* One key and its value. */
static sct_status read_item(struct text *t, struct sct_npy_head *h, unsigned *seen,
                            sct_error *err)
{
    static const struct {
        const char *key;
        sct_status (*read)(struct text *t, struct sct_npy_head *h, sct_error *err);
    } rows[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};

    struct word key;
    if (!take_string(t, &key) || !take(t, ':'))
        return bad(t, "a key and a colon", err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!word_is(key, rows[i].key) || *seen & 1u << i)
            continue;
        *seen |= 1u << i;
        return rows[i].read(t, h, err);
    }
    return sct_fail(err, SCT_EFILE, "%s: array header: key '%.*s' is unknown or there twice",
                    t->what, (int)(key.n < 32 ? key.n : 32), key.s);
}

static sct_status read_dict(struct text *t, struct sct_npy_head *h, sct_error *err)
{
    enum { ALL = 1 << 3 };

    unsigned seen = 0;
    if (!take(t, '{'))
        return bad(t, "a dict", err);
    while (!take(t, '}')) {
        SCT_TRY(read_item(t, h, &seen, err));
        if (take(t, ','))
            continue;
        if (!take(t, '}'))
            return bad(t, ", or }", err);
        break;
    }
    if (seen != ALL - 1)
        return sct_fail(err, SCT_EFILE,
                        "%s: array header: expected the keys descr, fortran_order and shape",
                        t->what);
    skip_blanks(t);
    return t->at == t->end ? SCT_OK : bad(t, "its end", err);
}

sct_status sct_npy_parse(struct sct_npy_head *h, const void *p, size_t n, const char *what,
                         sct_error *err)
{
    const unsigned char *b = p;
    *h = (struct sct_npy_head){.nd = 0};
    if (n < 10 || memcmp(b, "\x93NUMPY", 6) != 0)
        return sct_fail(err, SCT_EFILE, "%s: not a NumPy array: expected \\x93NUMPY at byte 0",
                        what);
    if (b[6] < 1 || b[6] > 3)
        return sct_fail(err, SCT_EFILE, "%s: NumPy format version %u.%u, expected 1 to 3", what,
                        b[6], b[7]);
    const size_t begin = b[6] == 1 ? 10 : 12;
    size_t length = (size_t)b[8] | (size_t)b[9] << 8;
    if (b[6] > 1 && n >= begin)
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > SCT_NPY_MAX_HEAD - begin)
        return sct_fail(err, SCT_EFILE, "%s: array header of %zu bytes, at most %zu are read",
                        what, length, SCT_NPY_MAX_HEAD - begin);
    if (n < begin || length > n - begin)
        return sct_fail(err, SCT_EFILE,
                        "%s: the array header ends at byte %zu, but there are only %zu bytes",
                        what, begin + length, n);
    h->data_at = begin + length;
    struct text t = {(const char *)b + begin, (const char *)b + begin + length, what};
    return read_dict(&t, h, err);
}
