/* SPDX-License-Identifier: MIT
 * status.h - texts and exit codes of statuses, context for errors. */
#ifndef SCT_BASE_STATUS_H
#define SCT_BASE_STATUS_H

#include <sctrun/base.h>

const char *sct_status_text(sct_status s);
/* Exit code of a program that ends with this status (spec of exit codes: docs/cli.md). */
int sct_status_exit(sct_status s);
/* Puts "context: " before the message of an error that holds one. Returns its code. */
SCT_PRINTF(2, 3)
sct_status sct_error_prefix(sct_error *err, const char *fmt, ...);
/* ENOMEM with the usual text. */
sct_status sct_nomem(sct_error *err);

#endif
