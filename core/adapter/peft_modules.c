/* SPDX-License-Identifier: MIT
 * peft_modules.c - the keys of a PEFT configuration that speak of modules.
 * Modules of a kind differ in the numbers of their names only. Where a kind is of one value,
 * its key is the end of the name; else every value has a key that lists the numbers of the
 * blocks, so that no two keys fit one module. */
#include "core/adapter/peft_modules.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "core/adapter/peft_regex.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/base/str.h"

/* Name of a module around its last number: "layers.0.blocks." 1 ".attn.qkv". A name without a
 * number is all head. */
struct around {
    size_t head, tail; /* lengths of what is before the number; place of what is behind it */
};

static struct around around(const char *name)
{
    struct around a = {strlen(name), strlen(name)};
    for (size_t i = 0; name[i]; i++) {
        const size_t n = (i == 0 || name[i - 1] == '.') ? strspn(name + i, "0123456789") : 0;
        if (n && (name[i + n] == '.' || !name[i + n]))
            a = (struct around){i, i + n};
    }
    return a;
}

/* The same but for numbers. */
static bool same_kind(const char *a, const char *b)
{
    while (*a && *b) {
        const size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
        if (!na != !nb || (!na && *a != *b))
            return false;
        a += na ? na : 1;
        b += nb ? nb : 1;
    }
    return *a == *b;
}

/* The same but for the last number. */
static bool same_group(const char *a, const char *b)
{
    const struct around x = around(a), y = around(b);
    return x.head == y.head && memcmp(a, b, x.head) == 0 && strcmp(a + x.tail, b + y.tail) == 0;
}

static const char *end_of(const char *name)
{
    const char *tail = name + around(name).tail;
    return *tail == '.' ? tail + 1 : *tail ? tail : name;
}

/* Words that stand for one kind of layer in every library, without the word before. */
static bool speaks_alone(const char *word)
{
    static const char *const alone[] = {"qkv",    "query",  "key",    "value", "q_proj",
                                        "k_proj", "v_proj", "o_proj", "fc1",   "fc2"};
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (strcmp(word, alone[i]) == 0)
            return true;
    return false;
}

/* The shortest end that means the kind: "qkv", "attn.proj". */
static const char *short_end(const char *name)
{
    const char *end = end_of(name), *word = strrchr(end, '.');
    return word && speaks_alone(word + 1) ? word + 1 : end;
}

/* Does the end fit a module of another kind too (output.dense: attention.output.dense)? Only
 * transformers has such ends. */
static bool ambiguous(const char *end)
{
    return strcmp(end, "output.dense") == 0;
}

/* ---- writing ---- */

enum value_of { RANK, ALPHA };

static double value(const struct sct_peft_module *m, enum value_of what)
{
    return what == RANK ? (double)m->r : m->alpha;
}

static double most_frequent(const struct sct_peft_module *m, size_t n, enum value_of what)
{
    size_t best = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        for (size_t j = 0; j < n; j++)
            k += value(&m[j], what) == value(&m[i], what);
        if (k > most) {
            most = k;
            best = i;
        }
    }
    return value(&m[best], what);
}

/* PEFT declares lora_alpha an int: 16, not 16.0. */
static json_t *number(double v)
{
    return v == trunc(v) && fabs(v) < 0x1p31 ? json_integer((json_int_t)v) : json_real(v);
}

static void add_escaped(struct sct_str *s, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sct_str_add(s, "%s%c", text[i] == '.' ? "\\" : "", text[i]);
}

/* Key of all modules of the kind of `name`. */
static void kind_key(struct sct_str *s, const char *name)
{
    const struct around a = around(name);
    const char *end = short_end(name);
    if (!ambiguous(end)) {
        sct_str_add(s, "%s", end);
        return;
    }
    size_t word = a.head ? a.head - 1 : 0;
    while (word && name[word - 1] != '.')
        word--;
    add_escaped(s, name + word, a.head - word);
    sct_str_add(s, "\\d+");
    add_escaped(s, name + a.tail, strlen(name + a.tail));
}

/* Key of those modules of the group of m[at] that have its value. */
static void group_key(struct sct_str *s, const struct sct_peft_module *m, size_t n, size_t at,
                      enum value_of what)
{
    const char *name = m[at].name, *sep = "(";
    const struct around a = around(name);
    add_escaped(s, name, a.head);
    for (size_t i = at; i < n; i++) {
        const struct around b = around(m[i].name);
        if (!same_group(m[i].name, name) || value(&m[i], what) != value(&m[at], what))
            continue;
        sct_str_add(s, "%s%.*s", sep, (int)(b.tail - b.head), m[i].name + b.head);
        sep = "|";
    }
    sct_str_add(s, ")");
    add_escaped(s, name + a.tail, strlen(name + a.tail));
}

static bool uniform(const struct sct_peft_module *m, size_t n, size_t at, enum value_of what)
{
    for (size_t i = 0; i < n; i++)
        if (same_kind(m[i].name, m[at].name) && value(&m[i], what) != value(&m[at], what))
            return false;
    return true;
}

static sct_status set_pattern(json_t *config, const char *key, const struct sct_peft_module *m,
                              size_t n, enum value_of what, double usual, sct_error *err)
{
    json_t *pattern = json_object();
    for (size_t i = 0; i < n; i++) {
        struct sct_str s = {0};
        if (value(&m[i], what) == usual)
            continue;
        if (uniform(m, n, i, what) || around(m[i].name).head == strlen(m[i].name))
            kind_key(&s, m[i].name);
        else
            group_key(&s, m, n, i, what);
        char *text = sct_str_take(&s);
        /* every module of a group makes the same key, but the first lists all of them */
        const bool said = text && json_object_get(pattern, text);
        bool listed = false;
        for (size_t j = 0; j < i && !listed; j++)
            listed =
                same_group(m[j].name, m[i].name) && value(&m[j], what) == value(&m[i], what);
        if (!text || (!said && !listed &&
                      json_object_set_new(pattern, text, number(value(&m[i], what))) != 0)) {
            sct_free(text);
            json_decref(pattern);
            return sct_nomem(err);
        }
        sct_free(text);
    }
    return json_object_set_new(config, key, pattern) == 0 ? SCT_OK : sct_nomem(err);
}

static bool has_kind_with_end(const struct sct_peft_module *m, size_t n, const char *end)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(short_end(m[i].name), end) == 0)
            return true;
    return false;
}

static sct_status set_targets(json_t *config, const struct sct_peft_module *m, size_t n,
                              sct_error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const char *end = short_end(m[i].name);
        if (ambiguous(end) && !has_kind_with_end(m, n, "attention.output.dense"))
            end = m[i].name;
        bool said = false;
        for (size_t k = 0; k < json_array_size(list) && !said; k++)
            said = strcmp(json_string_value(json_array_get(list, k)), end) == 0;
        if (!said && json_array_append_new(list, json_string(end)) != 0) {
            json_decref(list);
            return sct_nomem(err);
        }
    }
    return json_object_set_new(config, "target_modules", list) == 0 ? SCT_OK : sct_nomem(err);
}

sct_status sct_peft_modules_write(json_t *config, const struct sct_peft_module *m, size_t n,
                                  sct_error *err)
{
    const double r = most_frequent(m, n, RANK), alpha = most_frequent(m, n, ALPHA);
    if (json_object_set_new(config, "r", number(r)) != 0 ||
        json_object_set_new(config, "lora_alpha", number(alpha)) != 0)
        return sct_nomem(err);
    SCT_TRY(set_targets(config, m, n, err));
    SCT_TRY(set_pattern(config, "rank_pattern", m, n, RANK, r, err));
    return set_pattern(config, "alpha_pattern", m, n, ALPHA, alpha, err);
}

/* ---- reading ---- */

static sct_status look_up(const json_t *pattern, const char *key, const char *module,
                          const char *file, double *out, sct_error *err)
{
    const char *regex;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)pattern, regex, v)
    {
        int yes = 0;
        SCT_TRY(sct_peft_regex_match(regex, module, true, &yes, file, key, err));
        if (!yes)
            continue;
        if (!json_is_number(v) || !isfinite(json_number_value(v)))
            return sct_fail(err, SCT_EFILE, "%s: %s: expected a number at \"%.100s\"", file,
                            key, regex);
        *out = json_number_value(v);
        return SCT_OK;
    }
    return SCT_OK;
}

sct_status sct_peft_modules_read(struct sct_peft_module *m, const struct sct_peft_lora_read *l,
                                 const char *file, sct_error *err)
{
    double r = l->r;
    m->alpha = l->alpha;
    SCT_TRY(look_up(l->rank_pattern, "rank_pattern", m->name, file, &r, err));
    SCT_TRY(look_up(l->alpha_pattern, "alpha_pattern", m->name, file, &m->alpha, err));
    if (!(r >= 1 && r <= 65536) || r != floor(r))
        return sct_fail(err, SCT_EFILE, "%s: rank_pattern gives %.80s the rank %g", file,
                        m->name, r);
    m->r = (uint32_t)r;
    return SCT_OK;
}

sct_status sct_peft_modules_target(const struct sct_peft_lora_read *l, const char *module,
                                   const char *file, int *yes, sct_error *err)
{
    *yes = 0;
    if (json_is_string(l->targets))
        return sct_peft_regex_match(json_string_value(l->targets), module, false, yes, file,
                                    "target_modules", err);
    for (size_t i = 0; i < json_array_size(l->targets) && !*yes; i++) {
        const char *t = json_string_value(json_array_get(l->targets, i));
        const size_t n = strlen(module), k = strlen(t);
        *yes = k <= n && strcmp(module + n - k, t) == 0 && (k == n || module[n - k - 1] == '.');
    }
    return SCT_OK;
}
