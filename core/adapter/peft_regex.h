/* SPDX-License-Identifier: MIT
 * peft_regex.h - the regular expressions of PEFT's patterns, as far as names of modules need
 * them: characters, "." and "\.", \d \w \s, [sets], (groups|of|text) without groups inside,
 * each with *, + or ? behind it, and | between whole expressions.
 *
 * Matching takes time proportional to expression times name and uses no stack of its own.
 * Threads: pure. */
#ifndef SCT_ADAPTER_PEFT_REGEX_H
#define SCT_ADAPTER_PEFT_REGEX_H

#include <stdbool.h>

#include <sctrun/base.h>

/* *yes: whether `regex` fits all of `name`, or with `end` an end of it behind a dot, as
 * "(.*\.)?(regex)$" does in Python. EFILE, with file and key in front, for what is not
 * understood; ENOMEM. */
sct_status sct_peft_regex_match(const char *regex, const char *name, bool end, int *yes,
                                const char *file, const char *key, sct_error *err);

#endif
