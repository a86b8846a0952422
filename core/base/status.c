/* SPDX-License-Identifier: MIT
 * status.c - texts and exit codes of statuses, context for errors. */
#include "core/base/status.h"

#include <string.h>

const char *sct_status_text(sct_status s)
{
    switch (s) {
#define TEXT(ID, VALUE, STRING)                                                                \
    case VALUE:                                                                                \
        return STRING;
        SCT_STATUS_MAP(TEXT)
#undef TEXT
    default:
        return "unknown status";
    }
}

int sct_status_exit(sct_status s)
{
    if (s >= SCT_OK && s <= SCT_EPLUGIN)
        return s;
    return s == SCT_EUNSUP ? SCT_EDEVICE : SCT_EFAIL;
}

sct_status sct_error_prefix(sct_error *err, const char *fmt, ...)
{
    if (!err || err->code == SCT_OK)
        return err ? err->code : SCT_EFAIL;
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n + 3 < sizeof err->msg)
        (void)snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %.*s",
                       (int)(sizeof err->msg - (size_t)n - 3), old);
    return err->code;
}

sct_status sct_nomem(sct_error *err)
{
    return sct_fail(err, SCT_ENOMEM, "out of memory on the host");
}
