/* SPDX-License-Identifier: MIT
 * str.c - a growing string. */
#include "core/base/str.h"

#include <string.h>

#include "core/base/mem.h"

void sct_str_add(struct sct_str *s, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int need = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (need < 0 || s->failed) {
        va_end(again);
        return;
    }
    if (s->n + (size_t)need + 1 > s->cap) {
        const size_t cap = (s->n + (size_t)need + 1) * 2;
        char *p = sct_realloc(s->s, cap, 1);
        if (!p) {
            s->failed = 1;
            va_end(again);
            return;
        }
        s->s = p;
        s->cap = cap;
    }
    (void)vsnprintf(s->s + s->n, s->cap - s->n, fmt, again);
    va_end(again);
    s->n += (size_t)need;
}

char *sct_str_take(struct sct_str *s)
{
    char *p = s->s;
    if (s->failed || (!p && !(p = sct_strdup("")))) {
        sct_free(s->s);
        p = NULL;
    }
    memset(s, 0, sizeof *s);
    return p;
}

void sct_str_free(struct sct_str *s)
{
    sct_free(s->s);
    memset(s, 0, sizeof *s);
}
