/* SPDX-License-Identifier: MIT
 * io_suite.h - what the tests of core/io share: a scratch folder per test, checks of statuses.
 */
#ifndef SCT_TESTS_IO_SUITE_H
#define SCT_TESTS_IO_SUITE_H

#include <sctrun/base.h>

#include <check.h>
#include <stdbool.h>
#include <string.h>

Suite *adapter_suite(void);
Suite *peft_suite(void);
Suite *checkpoint_suite(void);
Suite *config_suite(void);
Suite *file_suite(void);
Suite *json_suite(void);
Suite *oom_suite(void);
Suite *npy_suite(void);
Suite *option_suite(void);
Suite *pickle_suite(void);
Suite *safetensors_suite(void);
Suite *safetensors_write_suite(void);
Suite *zip_suite(void);

/* Fixture: makes an empty folder, deletes it with all that is in it. */
void scratch_make(void);
void scratch_delete(void);
/* "<scratch>/name" in one of a few static buffers. */
const char *scratch(const char *name);
/* Number of entries of the scratch folder. */
size_t scratch_count(void);
/* Writes a file there, plainly. */
void scratch_put(const char *name, const void *data, size_t n);
/* Reads one back; fails the test if it is missing. *n may be NULL. Freed by the caller. */
char *scratch_get(const char *name, size_t *n);

/* A test case with the fixture. */
TCase *scratch_case(Suite *s, const char *name);

/* EXPR uses an sct_error called err. */
#define check_ok(EXPR)                                                                         \
    do {                                                                                       \
        err = (sct_error)SCT_ERROR_INIT;                                                       \
        const sct_status check_rc_ = (EXPR);                                                   \
        ck_assert_msg(check_rc_ == SCT_OK, "%s: %d: %s", #EXPR, check_rc_, err.msg);           \
    } while (0)

/* It fails with this status and a message that contains TEXT. */
#define check_fails(EXPR, STATUS, TEXT)                                                        \
    do {                                                                                       \
        err = (sct_error)SCT_ERROR_INIT;                                                       \
        const sct_status check_rc_ = (EXPR);                                                   \
        ck_assert_msg(check_rc_ == (STATUS) && err.code == (STATUS),                           \
                      "%s: status %d, expected %d: %s", #EXPR, check_rc_, (STATUS), err.msg);  \
        ck_assert_msg(strstr(err.msg, (TEXT)) != NULL, "%s: expected \"%s\" in \"%s\"", #EXPR, \
                      (TEXT), err.msg);                                                        \
    } while (0)

#endif
