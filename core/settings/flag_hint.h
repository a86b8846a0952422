/* SPDX-License-Identifier: MIT
 * flag_hint.h - what is said of a flag that the program does not have.
 * Thread rule: one thread; it opens modules. */
#ifndef SCT_SETTINGS_FLAG_HINT_H
#define SCT_SETTINGS_FLAG_HINT_H

#include "core/io/option.h"

/* EUSAGE for the unknown flag at argv[i]. Where a strategy has an option of that name, the
 * --set that was meant: one that `strategies` (a LIST) or a --strategy in argv names, or else
 * any that is installed; where none has, what sct_opts_unknown says. */
sct_status sct_flag_unknown(const struct sct_opts *o, const char *strategies, int argc,
                            char *const *argv, int i, sct_error *err);

#endif
