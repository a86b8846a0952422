/* SPDX-License-Identifier: MIT
 * name_pattern.h - the small language in which the dialect table speaks of tensor names.
 *
 *   text      itself
 *   #         a number without leading zeros, at most 4 digits; the k-th # of a pattern is the
 *             k-th of its counterpart. "#-1", "#+1": the name holds the number minus, plus one
 *   (a|b)     one of the words; counterparts list as many, in the same order
 *   <a|b|c>   one of the parts of which the other side is made, in order
 *   [a]       a, or nothing
 *   *         at the end: one byte or more, whatever they are
 *
 * So a pair of patterns is a mapping that runs both ways: a match of one writes the other.
 * Matching goes left to right and never steps back: of two words of which one begins the other
 * the longer stands first, and what follows [a] does not begin with a.
 * Names come from files and may be anything that ends. Pure functions, any thread. */
#ifndef SCT_MODEL_NAME_PATTERN_H
#define SCT_MODEL_NAME_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCT_NAME_NUMBERS = 3, /* # of a pattern at most */
    SCT_NAME_WORDS = 3,   /* (a|b) of a pattern at most */
    SCT_NAME_MAX = 256,   /* bytes of a name that the table can write, with its end */
};

/* What a name said where its pattern leaves a choice. */
struct sct_name_match {
    uint32_t number[SCT_NAME_NUMBERS];
    uint32_t word[SCT_NAME_WORDS]; /* index among the words */
    uint32_t part;                 /* index among the parts, 0 without */
    uint32_t n_number, n_word;
};

/* Whether the whole name fits; then *m is filled in, otherwise it is undefined. */
bool sct_name_match(const char *pattern, const char *name, struct sct_name_match *m);

/* Writes the name that says *m into buf (SCT_NAME_MAX bytes). optional: with what stands in [].
 * False: no such name (a number below 0), or a "*" whose text nobody knows. */
bool sct_name_write(const char *pattern, const struct sct_name_match *m, bool optional,
                    char *buf);

/* Number of parts (1 without <>), and of numbers, of a pattern. */
uint32_t sct_name_parts(const char *pattern);
uint32_t sct_name_numbers(const char *pattern);
/* Number of ways to choose words: the product over all (a|b). */
uint32_t sct_name_choices(const char *pattern);
/* Sets m->word to the i-th of these ways. */
void sct_name_choose(const char *pattern, uint32_t i, struct sct_name_match *m);

#endif
