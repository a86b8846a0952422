/* SPDX-License-Identifier: MIT
 * option.c - binds an option table to a struct: defaults, checks, sources.
 * Invariant: after create every field of the state holds a value that its row allows. */
#include "core/io/option.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/config.h"
#include "core/io/option_impl.h"
#include "core/io/text.h"

#include <stdbool.h>
#include <string.h>

const struct sct_option *sct_opts_row(const struct sct_opts *o, size_t i)
{
    return o->flags ? &o->flags[i].opt : &o->rows[i];
}

static size_t type_size(uint32_t type)
{
    switch (type) {
    case SCT_OPT_FLOAT:
        return sizeof(float);
    case SCT_OPT_STRING:
    case SCT_OPT_LIST:
        return sizeof(const char *);
    case SCT_OPT_COUNT:
        return sizeof(struct sct_count);
    default:
        return sizeof(uint32_t);
    }
}

static bool is_text(uint32_t type)
{
    return type == SCT_OPT_STRING || type == SCT_OPT_LIST;
}

static size_t type_align(uint32_t type)
{
    return is_text(type) ? _Alignof(const char *) : _Alignof(uint32_t);
}

static int has_limits(const struct sct_option *r)
{
    return r->min != 0 || r->max != 0;
}

static int in_limits(const struct sct_option *r, double v)
{
    return !has_limits(r) || (v >= r->min && (r->max < r->min || v <= r->max));
}

/* "from 1 to 64", "of at least 1", "". */
void sct_opts_limits(const struct sct_option *r, char *buf, size_t size)
{
    if (!has_limits(r))
        buf[0] = 0;
    else if (r->max < r->min)
        (void)snprintf(buf, size, " of at least %.9g", r->min);
    else
        (void)snprintf(buf, size, " from %.9g to %.9g", r->min, r->max);
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b) {
        const uint32_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

int sct_scan_count(const char *s, struct sct_count *out)
{
    const size_t whole = strspn(s, "0123456789");
    const char mark = s[whole];
    char head[24];
    uint64_t a, b = 1;
    if (whole >= sizeof head)
        return 0;
    memcpy(head, s, whole);
    head[whole] = 0;
    if (mark == 0) {
        if (!sct_scan_u64(head, &a) || a > UINT32_MAX)
            return 0;
        *out = (struct sct_count){(uint32_t)a, 0, 0};
        return 1;
    }
    const char *tail = s + whole + 1;
    if (mark == '/') {
        if (!sct_scan_u64(head, &a) || !sct_scan_u64(tail, &b))
            return 0;
    } else if (mark == '.') {
        /* Digits after the point: 10^9 is the largest power that den can hold. */
        const size_t digits = strspn(tail, "0123456789");
        uint64_t frac = 0;
        a = 0;
        if (tail[digits] || digits > 9 || (whole == 0 && digits == 0) ||
            (whole && !sct_scan_u64(head, &a)) || (digits && !sct_scan_u64(tail, &frac)))
            return 0;
        for (size_t i = 0; i < digits; i++)
            b *= 10;
        if (a > 1)
            return 0;
        a = a * b + frac;
    } else {
        return 0;
    }
    if (b == 0 || b > UINT32_MAX || a > b)
        return 0;
    const uint32_t g = gcd((uint32_t)a, (uint32_t)b);
    *out = (struct sct_count){0, (uint32_t)a / g, (uint32_t)b / g};
    return 1;
}

const char *sct_list_at(const char *list, uint32_t n, size_t *len)
{
    for (const char *w = list; w; w++) {
        *len = strcspn(w, "\n");
        if (n-- == 0)
            return w;
        w += *len;
        if (!*w)
            return NULL;
    }
    return NULL;
}

/* The i-th word of "a|b|c" and its length, or NULL. */
static const char *word_at(const char *words, uint32_t i, size_t *len)
{
    for (const char *w = words;; w++) {
        *len = strcspn(w, "|");
        if (i-- == 0)
            return w;
        w += *len;
        if (!*w)
            return NULL;
    }
}

static int find_word(const char *words, const char *text, uint32_t *index)
{
    size_t len;
    const char *w;
    for (uint32_t i = 0; (w = word_at(words, i, &len)); i++)
        if (strlen(text) == len && memcmp(w, text, len) == 0) {
            *index = i;
            return 1;
        }
    return 0;
}

/* A value of any type on its way into the state. */
union value {
    uint32_t u;
    float f;
    const char *s;
    struct sct_count c;
};

static sct_status expected(const struct sct_option *r, const char *what, const char *text,
                           const char *where, sct_error *err)
{
    char limits[64] = "";
    if (r->type == SCT_OPT_UINT || r->type == SCT_OPT_FLOAT || r->type == SCT_OPT_COUNT)
        sct_opts_limits(r, limits, sizeof limits);
    const int flag = *where == '-'; /* names the option already */
    return sct_fail(err, SCT_EUSAGE, "%s: %s%sexpected %s%s, found %s%.80s%s", where,
                    flag ? "" : r->key, flag ? "" : ": ", what, limits, text ? "'" : "",
                    text ? text : "null", text ? "'" : "");
}

static int count_ok(const struct sct_option *r, const struct sct_count *c)
{
    return c->den ? c->num > 0 || r->min <= 0 : in_limits(r, c->number);
}

/* Text to value. Strings stay borrowed. */
static sct_status parse(const struct sct_option *r, const char *text, const char *where,
                        union value *v, sct_error *err)
{
    const char *what = "a value";
    uint64_t u = 0;
    switch (r->type) {
    case SCT_OPT_BOOL:
        what = "on or off";
        if (text && sct_scan_bool(text, &v->u))
            return SCT_OK;
        break;
    case SCT_OPT_UINT:
        what = "a whole number";
        if (text && sct_scan_u64(text, &u) && u <= UINT32_MAX && in_limits(r, (double)u)) {
            v->u = (uint32_t)u;
            return SCT_OK;
        }
        break;
    case SCT_OPT_FLOAT:
        what = "a number";
        if (text && sct_scan_f32(text, &v->f)) {
            double d = 0;
            (void)sct_scan_f64(text, &d);
            if (in_limits(r, d))
                return SCT_OK;
        }
        break;
    case SCT_OPT_STRING:
    case SCT_OPT_LIST:
        what = "UTF-8 text";
        v->s = text;
        if (!text || sct_utf8_valid(text, strlen(text)) == strlen(text))
            return SCT_OK;
        break;
    case SCT_OPT_CHOICE:
        if (text && find_word(r->def_str, text, &v->u))
            return SCT_OK;
        what = r->def_str;
        break;
    default: /* COUNT: create() lets no other type in */
        what = "a number or a fraction such as 1/8 or 0.125";
        if (text && sct_scan_count(text, &v->c) && count_ok(r, &v->c))
            return SCT_OK;
        break;
    }
    return expected(r, what, text, where, err);
}

static sct_status store(struct sct_opts *o, const struct sct_option *r, const union value *v,
                        sct_error *err)
{
    char *field = (char *)o->state + r->offset;
    if (is_text(r->type)) {
        const char *copy = v->s ? sct_arena_strdup(&o->strings, v->s) : NULL;
        if (v->s && !copy)
            return sct_nomem(err);
        memcpy(field, &copy, sizeof copy);
    } else {
        memcpy(field, v, type_size(r->type));
    }
    return SCT_OK;
}

static sct_status store_default(struct sct_opts *o, const struct sct_option *r, sct_error *err)
{
    union value v;
    memset(&v, 0, sizeof v);
    sct_status rc = SCT_OK;
    switch (r->type) {
    case SCT_OPT_BOOL:
        v.u = r->def != 0;
        break;
    case SCT_OPT_UINT:
        if (!(r->def >= 0 && r->def <= UINT32_MAX) || !in_limits(r, r->def))
            rc = SCT_EPLUGIN;
        else
            v.u = (uint32_t)r->def;
        break;
    case SCT_OPT_FLOAT:
        if (!(r->def >= -3.4e38 && r->def <= 3.4e38) || !in_limits(r, r->def))
            rc = SCT_EPLUGIN;
        else
            v.f = (float)r->def;
        break;
    case SCT_OPT_STRING:
    case SCT_OPT_LIST:
        v.s = r->def_str;
        break;
    case SCT_OPT_CHOICE:
        break; /* the first word */
    default:
        if (r->def_str ? !sct_scan_count(r->def_str, &v.c)
                       : !(r->def >= 0 && r->def <= UINT32_MAX))
            rc = SCT_EPLUGIN;
        else if (!r->def_str)
            v.c.number = (uint32_t)r->def;
        if (rc == SCT_OK && !count_ok(r, &v.c))
            rc = SCT_EPLUGIN;
        break;
    }
    if (rc != SCT_OK)
        return sct_fail(err, rc,
                        "option table of %s: %s: the default is outside its own limits",
                        o->what, r->key);
    return store(o, r, &v, err);
}

static int key_ok(const char *key)
{
    return *key >= 'a' && *key <= 'z' &&
           key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
}

static sct_status check_row(const struct sct_opts *o, size_t i, sct_error *err)
{
    const struct sct_option *r = sct_opts_row(o, i);
    const char *fault = NULL;
    if (!key_ok(r->key))
        fault = "a key must match [a-z][a-z0-9_]*";
    else if (r->type > SCT_OPT_COUNT && !(o->flags && r->type == SCT_OPT_LIST))
        fault = "unknown type";
    else if (r->offset % type_align(r->type) || r->offset > o->state_size ||
             o->state_size - r->offset < type_size(r->type))
        fault = "the offset is outside the state or not aligned";
    else if (r->type == SCT_OPT_CHOICE && (!r->def_str || !*r->def_str))
        fault = "a choice needs its words in def_str";
    for (size_t j = 0; !fault && j < i; j++)
        if (strcmp(sct_opts_row(o, j)->key, r->key) == 0)
            fault = "the key occurs twice";
    return fault ? sct_fail(err, SCT_EPLUGIN, "option table of %s: row %zu ('%.40s'): %s",
                            o->what, i, r->key, fault)
                 : SCT_OK;
}

static sct_status bind(struct sct_opts *o, sct_error *err)
{
    while (sct_opts_row(o, o->n)->key)
        SCT_TRY(check_row(o, o->n++, err));
    o->source = sct_arena_alloc(&o->strings, o->n + 1);
    if (!o->source)
        return sct_nomem(err);
    for (size_t i = 0; i < o->n; i++)
        SCT_TRY(store_default(o, sct_opts_row(o, i), err));
    return SCT_OK;
}

static sct_status create(struct sct_opts **out, const struct sct_opts *init, const char *what,
                         sct_error *err)
{
    *out = NULL;
    struct sct_opts *o = sct_calloc(1, sizeof *o);
    if (!o)
        return sct_nomem(err);
    *o = *init;
    o->named = what != NULL;
    o->what = sct_arena_strdup(&o->strings, what ? what : "the program");
    const sct_status rc = o->what ? bind(o, err) : sct_nomem(err);
    if (rc != SCT_OK) {
        sct_opts_destroy(&o);
        return rc;
    }
    *out = o;
    return SCT_OK;
}

sct_status sct_opts_create(struct sct_opts **o, const struct sct_option *rows, void *state,
                           size_t state_size, const char *what, sct_error *err)
{
    static const struct sct_option none[] = {{.key = NULL}};
    const struct sct_opts init = {
        .rows = rows ? rows : none, .state = state, .state_size = state_size};
    return create(o, &init, what, err);
}

sct_status sct_opts_create_flags(struct sct_opts **o, const struct sct_flag *rows, void *state,
                                 size_t state_size, sct_error *err)
{
    const struct sct_opts init = {.flags = rows, .state = state, .state_size = state_size};
    return create(o, &init, NULL, err);
}

void sct_opts_destroy(struct sct_opts **o)
{
    if (!*o)
        return;
    sct_arena_free(&(*o)->strings);
    sct_free(*o);
    *o = NULL;
}

static int same_key(const char *key, const char *typed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (key[i] != (typed[i] == '-' ? '_' : typed[i]))
            return 0;
    return key[n] == 0;
}

size_t sct_opts_index(const struct sct_opts *o, const char *key, size_t n)
{
    size_t i = 0;
    while (i < o->n && !same_key(sct_opts_row(o, i)->key, key, n))
        i++;
    return i;
}

const struct sct_option *sct_opts_find(const struct sct_opts *o, const char *key)
{
    const size_t i = sct_opts_index(o, key, strlen(key));
    return i < o->n ? sct_opts_row(o, i) : NULL;
}

enum sct_opt_source sct_opts_source(const struct sct_opts *o, const char *key)
{
    const size_t i = sct_opts_index(o, key, strlen(key));
    return i < o->n ? (enum sct_opt_source)o->source[i] : SCT_OPT_DEFAULT;
}

/* A flag that is given again: *v becomes what is there and *v. */
static sct_status append(struct sct_opts *o, const struct sct_option *r, union value *v,
                         sct_error *err)
{
    const char *old;
    memcpy(&old, (const char *)o->state + r->offset, sizeof old);
    if (old && v->s && !(v->s = sct_arena_printf(&o->strings, "%s\n%s", old, v->s)))
        return sct_nomem(err);
    return SCT_OK;
}

sct_status sct_opts_set_at(struct sct_opts *o, size_t i, const char *text,
                           enum sct_opt_source source, const char *where, sct_error *err)
{
    const struct sct_option *r = sct_opts_row(o, i);
    union value v;
    memset(&v, 0, sizeof v);
    SCT_TRY(parse(r, text, where, &v, err)); /* a wrong value is reported even when it loses */
    if (source < o->source[i])
        return SCT_OK;
    if (r->type == SCT_OPT_LIST && source == SCT_OPT_FLAG && o->source[i] == SCT_OPT_FLAG)
        SCT_TRY(append(o, r, &v, err));
    SCT_TRY(store(o, r, &v, err));
    o->source[i] = (uint8_t)source;
    return SCT_OK;
}

sct_status sct_opts_set(struct sct_opts *o, const char *key, const char *text,
                        enum sct_opt_source source, const char *where, sct_error *err)
{
    const size_t i = sct_opts_index(o, key, strlen(key));
    if (i == o->n)
        return sct_opts_unknown(o, key, where, err);
    return sct_opts_set_at(o, i, text, source, where, err);
}

/* null, one text, or [a, b]. */
static void list_value(const char *list, struct sct_str *out)
{
    const bool several = list && strchr(list, '\n');
    size_t len;
    const char *w;
    for (uint32_t i = 0; (w = sct_list_at(list, i, &len)); i++) {
        struct sct_str one = {0};
        sct_str_add(&one, "%.*s", (int)len, w);
        sct_str_add(out, "%s", i ? ", " : several ? "[" : "");
        sct_yaml_quote(out, one.s ? one.s : "");
        out->failed |= one.failed;
        sct_str_free(&one);
    }
    sct_str_add(out, "%s", several ? "]" : list ? "" : "null");
}

void sct_opts_value(const struct sct_opts *o, const struct sct_option *r, struct sct_str *out)
{
    union value v;
    memset(&v, 0, sizeof v);
    memcpy(&v, (const char *)o->state + r->offset, type_size(r->type));
    char buf[32];
    size_t len;
    switch (r->type) {
    case SCT_OPT_BOOL:
        sct_str_add(out, "%s", v.u ? "true" : "false");
        break;
    case SCT_OPT_UINT:
        sct_str_add(out, "%u", v.u);
        break;
    case SCT_OPT_FLOAT:
        sct_format_f32(buf, v.f);
        sct_str_add(out, "%s", buf);
        break;
    case SCT_OPT_STRING:
        if (v.s)
            sct_yaml_quote(out, v.s);
        else
            sct_str_add(out, "null");
        break;
    case SCT_OPT_LIST:
        list_value(v.s, out);
        break;
    case SCT_OPT_CHOICE: {
        const char *w = word_at(r->def_str, v.u, &len);
        sct_str_add(out, "%.*s", w ? (int)len : 1, w ? w : "?");
        break;
    }
    default:
        if (v.c.den)
            sct_str_add(out, "%u/%u", v.c.num, v.c.den);
        else
            sct_str_add(out, "%u", v.c.number);
        break;
    }
}

void sct_opts_dump(const struct sct_opts *o, uint32_t indent, struct sct_str *out)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct sct_option *r = sct_opts_row(o, i);
        sct_str_add(out, "%*s%s: ", (int)indent, "", r->key);
        sct_opts_value(o, r, out);
        sct_str_add(out, "\n");
    }
}
