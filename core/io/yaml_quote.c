/* SPDX-License-Identifier: MIT
 * yaml_quote.c - a string as a YAML scalar.
 * Plain only when no reader could take it for a number, a boolean or null; else double-quoted.
 */
#include "core/io/config.h"

#include "core/io/text.h"

#include <string.h>
#include <strings.h>

static int is_plain(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char rest[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    if ((!strchr(letters, *s) && *s != '/') || !*s || s[strspn(s, rest)])
        return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s, words[i]) == 0)
            return 0;
    return 1;
}

/* What libyaml's reader refuses or folds as a line break must be written as an escape. */
static int needs_escape(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0xfeff || cp == 0xfffe || cp == 0xffff;
}

void sct_yaml_quoted(struct sct_str *out, const char *s)
{
    sct_str_add(out, "\"");
    for (size_t len; *s; s += len) {
        const uint32_t cp = sct_utf8_decode(s, &len);
        if (cp == '"' || cp == '\\')
            sct_str_add(out, "\\%c", (int)cp);
        else if (cp == '\n')
            sct_str_add(out, "\\n");
        else if (needs_escape(cp))
            sct_str_add(out, "\\u%04x", cp);
        else
            sct_str_add(out, "%.*s", (int)len, s);
    }
    sct_str_add(out, "\"");
}

void sct_yaml_quote(struct sct_str *out, const char *s)
{
    if (is_plain(s))
        sct_str_add(out, "%s", s);
    else
        sct_yaml_quoted(out, s);
}
