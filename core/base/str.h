/* SPDX-License-Identifier: MIT
 * str.h - a growing string. Zero-initialised is empty. An allocation failure is remembered and
 * take() then returns NULL, so callers check once. */
#ifndef SCT_BASE_STR_H
#define SCT_BASE_STR_H

#include <sctrun/base.h>

struct sct_str {
    char *s;
    size_t n, cap;
    int failed;
};

SCT_PRINTF(2, 3)
void sct_str_add(struct sct_str *s, const char *fmt, ...);
/* The string (caller frees with sct_free) or NULL when memory was short; resets s. */
char *sct_str_take(struct sct_str *s);
void sct_str_free(struct sct_str *s);

#endif
