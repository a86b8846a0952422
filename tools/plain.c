/* SPDX-License-Identifier: MIT
 * plain.c - text from files on a terminal: what would steer it is written as an escape. */
#include "core/io/text.h"
#include "tools/cli.h"

#include <string.h>

/* Control characters of ASCII and of Unicode's second set (which some terminals obey), and the
 * marks that turn the direction of writing. */
static bool steers(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

int cli_put(FILE *f, const char *text, const char *keep)
{
    size_t left = strlen(text), whole = sct_utf8_valid(text, left), len;
    int columns = 0;
    while (left) {
        const uint32_t c = whole ? sct_utf8_decode(text, &len) : 0;
        if (!whole)
            len = 1;
        if (whole && (!steers(c) || (c < 0x80 && strchr(keep, (int)c)))) {
            (void)fwrite(text, 1, len, f);
            columns++;
        } else {
            for (size_t i = 0; i < len; i++)
                columns += fprintf(f, "\\x%02x", (unsigned char)text[i]);
        }
        text += len;
        left -= len;
        whole = whole ? whole - len : sct_utf8_valid(text, left);
    }
    return columns;
}
