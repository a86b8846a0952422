/* SPDX-License-Identifier: MIT
 * pattern.c - patterns over paths, matched without recursion: one "**" is remembered at a time,
 * which suffices because the latest one can always take over (as for '*' in file globs). */
#include "core/peft/pattern.h"

#include <ctype.h>
#include <string.h>

enum { MAX_PATTERN = 255 };

/* Length of the word at s: up to '.' or the end, brackets included. A comma is no part of a
 * word of a pattern; in a path, which has none by right, it is a character as any other. */
static size_t word(const char *s)
{
    return strcspn(s, ".");
}

static int number(const char **s, const char *end, uint64_t *v)
{
    if (*s == end || !isdigit((unsigned char)**s))
        return 0;
    *v = 0;
    while (*s < end && isdigit((unsigned char)**s) && *v < 1000000000u)
        *v = *v * 10 + (uint64_t)(*(*s)++ - '0');
    return 1;
}

/* "[3]", "[*]", "[a:b]" of a pattern against index i. */
static int index_match(const char *p, const char *end, uint64_t i)
{
    uint64_t lo = 0, hi = UINT64_MAX, only;
    p++;   /* [ */
    end--; /* ] */
    if (end - p == 1 && *p == '*')
        return 1;
    if (!memchr(p, ':', (size_t)(end - p)))
        return number(&p, end, &only) && p == end && only == i;
    (void)number(&p, end, &lo);
    if (p == end || *p++ != ':')
        return 0;
    (void)number(&p, end, &hi);
    return p == end && i >= lo && i < hi;
}

static int word_match(const char *p, size_t np, const char *s, size_t ns)
{
    const char *pb = memchr(p, '[', np), *sb = memchr(s, '[', ns);
    const size_t plain_p = pb ? (size_t)(pb - p) : np, plain_s = sb ? (size_t)(sb - s) : ns;
    const int star = plain_p == 1 && *p == '*';
    if (!star && (plain_p != plain_s || memcmp(p, s, plain_p) != 0))
        return 0;
    if (!pb)
        return star || !sb;
    if (!sb)
        return 0;
    const char *digits = sb + 1;
    uint64_t i;
    return number(&digits, s + ns, &i) && index_match(pb, p + np, i);
}

static int match_one(const char *p, const char *s)
{
    const char *star_p = NULL, *star_s = NULL;
    for (;;) {
        const size_t np = word(p), ns = word(s);
        if (np == 2 && memcmp(p, "**", 2) == 0) {
            p += p[2] ? 3 : 2;
            if (!*p)
                return 1;
            star_p = p;
            star_s = s;
            continue;
        }
        if (*p && *s && word_match(p, np, s, ns)) {
            p += np + (p[np] == '.');
            s += ns + (s[ns] == '.');
            if (!*p && !*s)
                return 1;
            if (*p && (*s || (word(p) == 2 && memcmp(p, "**", 2) == 0)))
                continue;
        }
        if (!star_p || !*star_s)
            return 0;
        star_s += word(star_s);
        star_s += *star_s == '.';
        p = star_p;
        s = star_s;
    }
}

static sct_status bad(const char *pattern, size_t at, const char *what, sct_error *err)
{
    return sct_fail(err, SCT_EUSAGE,
                    "pattern \"%.100s\", character %zu: %s; patterns are like "
                    "\"**.attn.res\" or \"stage[0].block[6:12].mlp.*\"",
                    pattern, at + 1, what);
}

/* pattern[at .. at + n), one of a list */
static sct_status check_one(const char *pattern, size_t at, size_t n, sct_error *err)
{
    if (n == 0 || n > MAX_PATTERN)
        return bad(pattern, at, "expected 1 to 255 characters", err);
    for (size_t i = at; i < at + n;) {
        const size_t len = strcspn(pattern + i, ".,");
        const char *w = pattern + i, *open = memchr(w, '[', len);
        if (len == 0)
            return bad(pattern, i, "empty word", err);
        for (size_t k = 0; k < len && (!open || w + k < open); k++)
            if (!isalnum((unsigned char)w[k]) && w[k] != '_' && w[k] != '*')
                return bad(pattern, i + k, "expected a letter, digit, _ or *", err);
        if (memchr(w, '*', open ? (size_t)(open - w) : len) &&
            !(len == 2 && w[0] == '*' && w[1] == '*') && (open ? (size_t)(open - w) : len) != 1)
            return bad(pattern, i, "* must be a whole word", err);
        if (open) {
            const size_t inside = (size_t)(w + len - open);
            if (inside < 3 || w[len - 1] != ']' || open == w)
                return bad(pattern, i + (size_t)(open - w), "expected name[index]", err);
            if (!(inside == 3 && open[1] == '*') &&
                strspn(open + 1, "0123456789:") != inside - 2)
                return bad(pattern, i + (size_t)(open - w) + 1, "expected digits, a:b or *",
                           err);
        }
        i += len;
        if (i < at + n && ++i == at + n)
            return bad(pattern, i, "a pattern cannot end with a dot", err);
    }
    return SCT_OK;
}

sct_status sct_pattern_check(const char *pattern, sct_error *err)
{
    for (size_t at = 0;;) {
        const size_t n = strcspn(pattern + at, ",");
        SCT_TRY(check_one(pattern, at, n, err));
        at += n;
        if (!pattern[at++])
            return SCT_OK;
    }
}

int sct_pattern_match(const char *pattern, const char *path)
{
    char one[MAX_PATTERN + 1];
    if (sct_pattern_check(pattern, NULL) != SCT_OK)
        return 0;
    for (;;) {
        const size_t n = strcspn(pattern, ",");
        memcpy(one, pattern, n);
        one[n] = 0;
        if (match_one(one, path))
            return 1;
        if (!pattern[n])
            return 0;
        pattern += n + 1;
    }
}
