/* SPDX-License-Identifier: MIT
 * option.h - the option table: one row gives the flag, the YAML key, the environment variable,
 * the check, the help text and the line in args.yaml.
 *
 * A table is bound to the struct it fills. Values arrive from four sources, in any order; a
 * stronger source is never overwritten by a weaker one: flags beat the environment, which beats
 * the configuration file, which beats the defaults.
 *
 *     struct sct_opts *o;
 *     SCT_TRY(sct_opts_create_flags(&o, rows, &settings, sizeof settings, err));
 *     SCT_TRY(sct_cfg_feed(sct_cfg_root(cfg), o, NULL, err));
 *     SCT_TRY(sct_opts_env(o, getenv_like, err));
 *     for (int i = 1, used; i < argc; i += used) {
 *         SCT_TRY(sct_opts_arg(o, argc - i, argv + i, &used, err));
 *         if (!used)
 *             return sct_opts_unknown(o, argv[i], "command line", err);
 *     }
 *
 * Threads: one at a time per binding. */
#ifndef SCT_IO_OPTION_H
#define SCT_IO_OPTION_H

#include <sctrun/strategy.h>

#include "core/base/str.h"

/* Limits of a row: UINT, FLOAT and the number of a COUNT lie in [min, max]; min = max = 0 means
 * no limit, max < min means only the lower one. A COUNT's fraction is at most 1, and above 0
 * unless min is 0. */

/* A row of the program's own table, which ends with a row whose opt.key is NULL. */
struct sct_flag {
    struct sct_option opt; /* key with '_'; the flag is the same with '-' */
    const char *env;       /* "SCTRUN_THREADS", or NULL */
    const char *group;     /* heading in the help; rows of a group stand together */
    const char *metavar;   /* "DIR"; NULL: after the type */
    char letter;           /* 'b' for -b, or 0 */
};

/* A type of the program's own table: a STRING that is a list. In the state its texts are joined
 * by '\n'. A flag that is given again adds to it, a list in YAML gives all at once, and a
 * stronger source replaces the whole. */
enum { SCT_OPT_LIST = 64 };

enum sct_opt_source { SCT_OPT_DEFAULT, SCT_OPT_CONFIG, SCT_OPT_ENV, SCT_OPT_FLAG };

struct sct_opts;

/* Binds a table to `state` (borrowed, state_size bytes) and fills in the defaults. The rows
 * come from plugins too, so they are checked: keys [a-z][a-z0-9_]*, no key twice, known types,
 * offsets aligned and inside the state, defaults that pass their own check. `what` ("strategy
 * sct") names the table in messages and is copied; NULL for the program itself. Strings in the
 * state are owned by the binding: it must live as long as the state is used. On failure *o is
 * NULL and the status SCT_EPLUGIN (a bad row) or SCT_ENOMEM. */
sct_status sct_opts_create(struct sct_opts **o, const struct sct_option *rows, void *state,
                           size_t state_size, const char *what, sct_error *err);
sct_status sct_opts_create_flags(struct sct_opts **o, const struct sct_flag *rows, void *state,
                                 size_t state_size, sct_error *err);
/* Accepts NULL, nulls *o. */
void sct_opts_destroy(struct sct_opts **o);

/* The row of a key ('-' and '_' are the same), or NULL. */
const struct sct_option *sct_opts_find(const struct sct_opts *o, const char *key);
/* Where the present value comes from; SCT_OPT_DEFAULT for an unknown key. */
enum sct_opt_source sct_opts_source(const struct sct_opts *o, const char *key);

/* Checks text and stores it; keeps silent if a stronger source was there. NULL is YAML's null:
 * only a STRING takes it. `where` ("a.yaml:3:5", "--lr", "SCTRUN_THREADS") begins the message.
 * On failure the state is as it was and the status SCT_EUSAGE or SCT_ENOMEM. */
sct_status sct_opts_set(struct sct_opts *o, const char *key, const char *text,
                        enum sct_opt_source source, const char *where, sct_error *err);
/* Fills "unknown option ...; did you mean ...?" and returns SCT_EUSAGE. Leading dashes of key
 * do not count. */
sct_status sct_opts_unknown(const struct sct_opts *o, const char *key, const char *where,
                            sct_error *err);

/* Reads the rows' environment variables through get (NULL or "": not set). */
sct_status sct_opts_env(struct sct_opts *o, const char *(*get)(const char *name),
                        sct_error *err);
/* Takes the flag at argv[0]: --key value, --key=value, -k value, -kvalue, and for a BOOL --key,
 * --key on|off, --no-key. *used is the number of words taken, 0 when argv[0] is no flag of this
 * table. */
sct_status sct_opts_arg(struct sct_opts *o, int argc, char *const *argv, int *used,
                        sct_error *err);

/* The help text, groups in the order of the table: "--lr X" of the program's flags, "--set k=N"
 * of a strategy's rows, behind them the values in force. */
void sct_opts_help(const struct sct_opts *o, struct sct_str *out);
/* "key: value" lines of YAML with the values in force, each behind `indent` spaces; reading
 * them back gives the same state. */
void sct_opts_dump(const struct sct_opts *o, uint32_t indent, struct sct_str *out);

/* "96" is {96, 0, 0}; "1/8" and "0.125" are {0, 1, 8}, in lowest terms and exact. 1, or 0 and
 * *out untouched. */
int sct_scan_count(const char *s, struct sct_count *out);

/* The n-th text of a LIST and its length, or NULL past its end; list may be NULL. */
const char *sct_list_at(const char *list, uint32_t n, size_t *len);

#endif
