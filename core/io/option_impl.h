/* SPDX-License-Identifier: MIT
 * option_impl.h - what option.c, option_args.c and config.c share. Not for other files. */
#ifndef SCT_IO_OPTION_IMPL_H
#define SCT_IO_OPTION_IMPL_H

#include "core/base/mem.h"
#include "core/io/option.h"

struct sct_opts {
    const struct sct_option *rows; /* one of rows and flags is set */
    const struct sct_flag *flags;
    size_t n, state_size;
    void *state;
    uint8_t *source; /* enum sct_opt_source per row */
    const char *what;
    int named; /* what was given by the caller */
    struct sct_arena strings;
};

const struct sct_option *sct_opts_row(const struct sct_opts *o, size_t i);
/* Index of the row whose key is the n characters at key; o->n if there is none. */
size_t sct_opts_index(const struct sct_opts *o, const char *key, size_t n);
sct_status sct_opts_set_at(struct sct_opts *o, size_t i, const char *text,
                           enum sct_opt_source source, const char *where, sct_error *err);
/* " from 1 to 64" for messages and help. */
void sct_opts_limits(const struct sct_option *r, char *buf, size_t size);
/* The present value as a YAML scalar. */
void sct_opts_value(const struct sct_opts *o, const struct sct_option *r, struct sct_str *out);

#endif
