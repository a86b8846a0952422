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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input, in every build. */
#define fuzz_require(COND)                                                                     \
    do {                                                                                       \
        if (!(COND)) {                                                                         \
            (void)fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #COND);     \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

#endif
