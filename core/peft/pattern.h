/* SPDX-License-Identifier: MIT
 * pattern.h - patterns over site paths and parameter names.
 *
 * A path is words joined by '.', a word may carry an index: stage[0].block[3].attn.res. In a
 * pattern "**" is any number of words, "*" one word (with or without index) or, inside
 * brackets, any index; "[a:b]" is the half-open range, either end may be left out. Nothing else
 * is special. Parameter names (blocks.0.attn.qkv.weight) have no brackets; "*" stands for one
 * word there. "a,b" is what either of the patterns a and b matches. */
#ifndef SCT_PEFT_PATTERN_H
#define SCT_PEFT_PATTERN_H

#include <sctrun/base.h>

/* 1 when path, whose words are not empty, matches. A malformed pattern matches nothing. */
int sct_pattern_match(const char *pattern, const char *path);
/* SCT_EUSAGE names the character that is wrong. */
sct_status sct_pattern_check(const char *pattern, sct_error *err);

#endif
