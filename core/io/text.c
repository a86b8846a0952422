/* SPDX-License-Identifier: MIT
 * text.c - UTF-8, edit distance, shortest decimals.
 * Nothing here depends on the locale as long as LC_NUMERIC is "C", which the program never
 * changes. */
#include "core/io/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bytes of the well-formed sequence at s (at most n), 0 if there is none. */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    const size_t len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

size_t sct_utf8_valid(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        const size_t len = utf8_sequence((const unsigned char *)s + i, n - i);
        if (!len)
            return i;
        i += len;
    }
    return n;
}

uint32_t sct_utf8_decode(const char *s, size_t *len)
{
    const unsigned char *u = (const unsigned char *)s;
    *len = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    uint32_t cp = *len == 1 ? u[0] : u[0] & (0x7fu >> *len);
    for (size_t i = 1; i < *len; i++)
        cp = cp << 6 | (u[i] & 0x3fu);
    return cp;
}

uint32_t sct_edit_distance(const char *a, const char *b)
{
    /* Optimal string alignment, three rows of the table. */
    enum { MAX = 63 };

    const size_t n = strlen(a), m = strlen(b);
    if (n > MAX || m > MAX)
        return MAX + 1;
    uint8_t rows[3][MAX + 1];
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= n; i++) {
        uint8_t *cur = rows[i % 3];
        const uint8_t *up = rows[(i + 2) % 3], *upup = rows[(i + 1) % 3];
        cur[0] = (uint8_t)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned d = up[j - 1] + (a[i - 1] != b[j - 1] ? 1u : 0u);
            d = up[j] + 1u < d ? up[j] + 1u : d;
            d = cur[j - 1] + 1u < d ? cur[j - 1] + 1u : d;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d = upup[j - 2] + 1u < d ? upup[j - 2] + 1u : d;
            cur[j] = (uint8_t)d;
        }
    }
    return rows[n % 3][m];
}

void sct_nearest_init(struct sct_nearest *n, const char *word)
{
    *n = (struct sct_nearest){word, NULL, (uint32_t)(strlen(word) + 2) / 3 + 1};
}

void sct_nearest_offer(struct sct_nearest *n, const char *candidate)
{
    const size_t a = strlen(n->word), b = strlen(candidate);
    const uint32_t d = sct_edit_distance(n->word, candidate);
    /* As many edits as letters share nothing: 'm' is not meant to be 's'. */
    if (d < n->least && d < (a > b ? a : b)) {
        n->least = d;
        n->best = candidate;
    }
}

void sct_format_f32(char *buf, float v)
{
    const double d = (double)v;
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(buf, 32, "%.*g", digits, d);
        /* Comparison through the bits of the value: NaN must end the loop as well. */
        const float back = strtof(buf, NULL);
        if (memcmp(&back, &v, sizeof v) == 0 || v != v)
            return;
    }
}

int sct_scan_bool(const char *s, uint32_t *out)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s, words[i]) == 0) {
            *out = i % 2;
            return 1;
        }
    return 0;
}

int sct_scan_u64(const char *s, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = s;
    for (; *p >= '0' && *p <= '9'; p++) {
        const uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return 0;
        v = v * 10 + digit;
    }
    if (p == s || *p)
        return 0;
    *out = v;
    return 1;
}

/* strtod also takes blanks, hex and words: only digits and "+-.eE" may reach it. */
static int decimal(const char *s)
{
    return *s && s[strspn(s, "0123456789+-.eE")] == 0;
}

int sct_scan_f64(const char *s, double *out)
{
    char *end;
    const double v = decimal(s) ? strtod(s, &end) : (double)NAN;
    if (!isfinite(v) || *end)
        return 0;
    *out = v;
    return 1;
}

int sct_scan_f32(const char *s, float *out)
{
    char *end;
    const float v = decimal(s) ? strtof(s, &end) : NAN;
    if (!isfinite(v) || *end)
        return 0;
    *out = v;
    return 1;
}
