/* SPDX-License-Identifier: MIT
 * dev.h - opens a device for a test: backend by name, options as "key=value" words. */
#ifndef SCT_TEST_DEV_H
#define SCT_TEST_DEV_H

#include <sctrun/backend.h>

struct test_dev {
    const struct sct_backend *be;
    sct_device *dev;
    struct sct_device_info info;
    struct sct_host host;
    const char *opts[8]; /* "threads=2", NULL at the end */
};

/* 0 on success; otherwise err says why (a missing module or device is for the caller to skip).
 */
int test_dev_open(struct test_dev *d, const char *backend, const char *opt0, const char *opt1,
                  sct_error *err);
void test_dev_close(struct test_dev *d);
/* Tells the plug layer where the build tree is (SCTRUN_TEST_BUILD or the executable's folder).
 */
void test_dev_init(void);

#endif
