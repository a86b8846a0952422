/* SPDX-License-Identifier: MIT
 * markup.c - escaping. */
#include "core/report/markup.h"

/* Bytes of the character at p, 0: it is no UTF-8. */
static size_t utf8_length(const unsigned char *p)
{
    const size_t n = p[0] < 0x80       ? 1
                     : p[0] >> 5 == 6  ? 2
                     : p[0] >> 4 == 14 ? 3
                     : p[0] >> 3 == 30 ? 4
                                       : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void sct_markup_text(struct sct_str *s, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        const size_t n = utf8_length(p);
        if (n == 0)
            sct_str_add(s, "?");
        else if (n > 1)
            sct_str_add(s, "%.*s", (int)n, (const char *)p);
        else if (entity(*p))
            sct_str_add(s, "%s", entity(*p));
        else if (*p >= ' ' && *p != 0x7f)
            sct_str_add(s, "%c", *p);
        p += n ? n : 1;
    }
}
