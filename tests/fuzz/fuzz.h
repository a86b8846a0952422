/* SPDX-License-Identifier: MIT
 * fuzz.h - what a fuzz target defines. With libFuzzer (meson -Dfuzzing=true, clang) the engine
 * calls it; otherwise corpus_main.c runs the committed corpus through it as an ordinary test.
 */
#ifndef SCT_TESTS_FUZZ_H
#define SCT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line of the input, and the rest behind it, as texts. 0: one is too long for its
 * room. */
static inline int fuzz_line_and_rest(const uint8_t *data, size_t size, char *line,
                                     size_t n_line, char *rest, size_t n_rest)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    const size_t n = end ? (size_t)(end - data) : size, m = end ? size - n - 1 : 0;
    if (n >= n_line || m >= n_rest)
        return 0;
    if (n)
        memcpy(line, data, n);
    if (m)
        memcpy(rest, end + 1, m);
    line[n] = rest[m] = 0;
    return 1;
}

/* A property that must hold for every input, in every build. */
#define fuzz_require(COND)                                                                     \
    do {                                                                                       \
        if (!(COND)) {                                                                         \
            (void)fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #COND);     \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

#endif
