/* SPDX-License-Identifier: MIT
 * name_pattern.c - matching and writing tensor names. */
#include "core/model/name_pattern.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DIGITS = 4 };

/* The words from `list` up to `close`. Returns the index of the one that *name begins with, and
 * moves *name behind it; UINT32_MAX if there is none. */
static uint32_t match_word(const char *list, char close, const char **name)
{
    for (uint32_t i = 0;; i++) {
        size_t n = 0;
        while (list[n] != '|' && list[n] != close)
            n++;
        if (strncmp(*name, list, n) == 0) {
            *name += n;
            return i;
        }
        if (list[n] == close)
            return UINT32_MAX;
        list += n + 1;
    }
}

static const char *behind(const char *p, char close)
{
    return strchr(p, close) + 1;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The shift written behind a #; moves *p over it. */
static int shift(const char **p)
{
    const int sign = **p == '+' ? 1 : **p == '-' ? -1 : 0;
    if (!sign || !digit((*p)[1]))
        return 0;
    const int by = sign * ((*p)[1] - '0');
    *p += 2;
    return by;
}

static bool match_number(const char **pattern, const char **name, uint32_t *out)
{
    const int by = shift(pattern);
    int v = 0, n = 0;
    while (n <= MAX_DIGITS && digit((*name)[n]))
        v = 10 * v + ((*name)[n++] - '0');
    if (n == 0 || n > MAX_DIGITS || (n > 1 && **name == '0') || v < by)
        return false;
    *name += n;
    *out = (uint32_t)(v - by);
    return true;
}

bool sct_name_match(const char *p, const char *name, struct sct_name_match *m)
{
    *m = (struct sct_name_match){.part = 0};
    while (*p) {
        const char c = *p++;
        if (c == '#') {
            if (!match_number(&p, &name, &m->number[m->n_number]))
                return false;
            m->n_number++;
        } else if (c == '(') {
            if ((m->word[m->n_word] = match_word(p, ')', &name)) == UINT32_MAX)
                return false;
            m->n_word++;
            p = behind(p, ')');
        } else if (c == '<') {
            if ((m->part = match_word(p, '>', &name)) == UINT32_MAX)
                return false;
            p = behind(p, '>');
        } else if (c == '[') {
            (void)match_word(p, ']', &name);
            p = behind(p, ']');
        } else if (c == '*') {
            return *name != 0;
        } else if (c != *name++) {
            return false;
        }
    }
    return *name == 0;
}

/* The i-th word of a list; *n is its length. */
static const char *word_at(const char *list, char close, uint32_t i, size_t *n)
{
    for (;; list += *n + 1) {
        *n = 0;
        while (list[*n] != '|' && list[*n] != close)
            ++*n;
        if (i-- == 0)
            return list;
    }
}

struct out {
    char *buf;
    size_t n;
};

static bool put(struct out *o, const char *s, size_t n)
{
    if (n >= SCT_NAME_MAX - o->n)
        return false;
    memcpy(o->buf + o->n, s, n);
    o->n += n;
    o->buf[o->n] = 0;
    return true;
}

static bool put_number(struct out *o, const char **pattern, uint32_t number)
{
    char text[24];
    const int64_t v = (int64_t)number + shift(pattern);
    const int n = snprintf(text, sizeof text, "%lld", (long long)v);
    return v >= 0 && n > 0 && put(o, text, (size_t)n);
}

bool sct_name_write(const char *p, const struct sct_name_match *m, bool optional, char *buf)
{
    struct out o = {buf, 0};
    uint32_t number = 0, word = 0;
    buf[0] = 0;
    while (*p) {
        const char c = *p++;
        const char close = c == '(' ? ')' : c == '<' ? '>' : c == '[' ? ']' : 0;
        if (c == '*')
            return false;
        if (c == '#') {
            if (!put_number(&o, &p, m->number[number++]))
                return false;
        } else if (close) {
            const uint32_t i = c == '(' ? m->word[word++] : c == '<' ? m->part : 0;
            size_t n;
            const char *w = word_at(p, close, i, &n);
            if ((c != '[' || optional) && !put(&o, w, n))
                return false;
            p = behind(p, close);
        } else if (!put(&o, &c, 1)) {
            return false;
        }
    }
    return true;
}

static uint32_t words_of(const char *list, char close)
{
    uint32_t n = 1;
    for (; *list != close; list++)
        n += *list == '|';
    return n;
}

uint32_t sct_name_parts(const char *pattern)
{
    const char *p = strchr(pattern, '<');
    return p ? words_of(p + 1, '>') : 1;
}

uint32_t sct_name_numbers(const char *pattern)
{
    uint32_t n = 0;
    for (; *pattern; pattern++)
        n += *pattern == '#';
    return n;
}

uint32_t sct_name_choices(const char *pattern)
{
    uint32_t n = 1;
    for (const char *p = strchr(pattern, '('); p; p = strchr(p + 1, '('))
        n *= words_of(p + 1, ')');
    return n;
}

void sct_name_choose(const char *pattern, uint32_t i, struct sct_name_match *m)
{
    m->n_word = 0;
    for (const char *p = strchr(pattern, '('); p; p = strchr(p + 1, '(')) {
        const uint32_t n = words_of(p + 1, ')');
        m->word[m->n_word++] = i % n;
        i /= n;
    }
}
