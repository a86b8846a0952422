/* SPDX-License-Identifier: MIT
 * base.h - status codes, the caller-owned error, export macro, version.
 * Header only: a plugin that includes it needs no symbol of the library. */
#ifndef SCTRUN_BASE_H
#define SCTRUN_BASE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SCT_VERSION_MAJOR 0
#define SCT_VERSION_MINOR 1
#define SCT_VERSION_PATCH 0
#define SCT_VERSION       "0.1.0"

#if defined(_WIN32)
#define SCT_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define SCT_EXPORT __attribute__((visibility("default")))
#else
#define SCT_EXPORT
#endif

#if defined(__GNUC__)
#define SCT_PRINTF(FMT, ARGS) __attribute__((format(printf, FMT, ARGS)))
#else
#define SCT_PRINTF(FMT, ARGS)
#endif

/* Name, value, text. Values 1 to 8 are also the exit codes of the programs, so a status that
 * reaches main() is returned as it is; the others exit as sct_status_exit() says. */
#define SCT_STATUS_MAP(X)                                                                      \
    X(OK, 0, "ok")                                                                             \
    X(EFAIL, 1, "runtime error")                                                               \
    X(EUSAGE, 2, "bad option or configuration")                                                \
    X(EFILE, 3, "bad or incompatible file")                                                    \
    X(EDEVICE, 4, "device or driver unavailable")                                              \
    X(ENOMEM, 5, "out of memory")                                                              \
    X(ENONFINITE, 6, "loss is not finite")                                                     \
    X(EDATA, 7, "bad data")                                                                    \
    X(EPLUGIN, 8, "plugin or ABI mismatch")                                                    \
    X(EUNSUP, 9, "not supported by this backend")                                              \
    X(EINVAL, 10, "invalid argument")                                                          \
    X(EIO, 11, "read or write failed")

typedef int32_t sct_status;

enum {

#define SCT_STATUS_ENUM(ID, VALUE, TEXT) SCT_##ID = VALUE,
    SCT_STATUS_MAP(SCT_STATUS_ENUM)
#undef SCT_STATUS_ENUM
};

/* Where a failing call says what happened: what was expected, what was found, where, what to do
 * next. Owned by the caller, usually on its stack; reporting needs no memory. Every function
 * that takes one accepts NULL. Not shared between threads. */
typedef struct sct_error {
    sct_status code;
    char msg[1020];
} sct_error;

#define SCT_ERROR_INIT                                                                         \
    {                                                                                          \
        0,                                                                                     \
        {                                                                                      \
            0                                                                                  \
        }                                                                                      \
    }

/* Fills *err and returns code. The first writer wins: an error that already holds a code keeps
 * its message (see sct_error_prefix for adding context on the way up). */
SCT_PRINTF(3, 0)

static inline sct_status sct_vfail(sct_error *err, sct_status code, const char *fmt, va_list ap)
{
    if (err && err->code == SCT_OK) {
        err->code = code;
        (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    }
    return code;
}

SCT_PRINTF(3, 4)

static inline sct_status sct_fail(sct_error *err, sct_status code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)sct_vfail(err, code, fmt, ap);
    va_end(ap);
    return code;
}

/* Returns from the enclosing function when EXPR is not SCT_OK. */
#define SCT_TRY(EXPR)                                                                          \
    do {                                                                                       \
        const sct_status sct_try_rc_ = (EXPR);                                                 \
        if (sct_try_rc_ != SCT_OK)                                                             \
            return sct_try_rc_;                                                                \
    } while (0)

/* "Inside the struct's size and not NULL": how either side of an ABI asks for an optional or
 * newer function of the other. */
#define SCT_HAS(TYPE, API, MEMBER)                                                             \
    ((API)->size >= offsetof(TYPE, MEMBER) + sizeof((API)->MEMBER) && (API)->MEMBER != NULL)

enum sct_log_level { SCT_LOG_ERROR, SCT_LOG_WARN, SCT_LOG_INFO, SCT_LOG_DEBUG };

#ifdef __cplusplus
}
#endif
#endif
