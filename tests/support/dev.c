/* SPDX-License-Identifier: MIT
 * dev.c - opens a device for a test. */
#include "tests/support/dev.h"

#include <stdlib.h>
#include <string.h>

#include "core/plug/module.h"

static void quiet(void *ctx, int level, const char *line)
{
    (void)ctx;
    if (level <= SCT_LOG_WARN)
        fprintf(stderr, "%s\n", line);
}

static const char *opt(void *ctx, const char *key)
{
    const struct test_dev *d = ctx;
    const size_t n = strlen(key);
    for (size_t i = 0; i < sizeof d->opts / sizeof d->opts[0] && d->opts[i]; i++)
        if (strncmp(d->opts[i], key, n) == 0 && d->opts[i][n] == '=')
            return d->opts[i] + n + 1;
    return NULL;
}

void test_dev_init(void)
{
    const char *build = getenv("SCTRUN_TEST_BUILD");
    char dir[4096];
    (void)snprintf(dir, sizeof dir, "%s/tools", build ? build : ".");
    (void)sct_plug_init(dir, getenv("SCTRUN_PLUGIN_PATH"), NULL);
}

int test_dev_open(struct test_dev *d, const char *backend, const char *opt0, const char *opt1,
                  sct_error *err)
{
    memset(d, 0, sizeof *d);
    uint32_t n = 0;
    if (opt0)
        d->opts[n++] = opt0;
    if (opt1)
        d->opts[n++] = opt1;
    d->host = (struct sct_host){1, sizeof d->host, d, quiet, opt};
    if (sct_plug_backend(backend, &d->be, err) != SCT_OK)
        return -1;
    const uint32_t count = d->be->count(&d->host);
    for (uint32_t i = 0; i < count; i++) {
        d->info.size = sizeof d->info;
        if (d->be->info(&d->host, i, &d->info, err) != SCT_OK)
            return -1;
        if (d->info.usable)
            return d->be->open(&d->host, i, &d->dev, err) == SCT_OK ? 0 : -1;
    }
    (void)sct_fail(err, SCT_EDEVICE, "backend %s has no usable device", backend);
    return -1;
}

void test_dev_close(struct test_dev *d)
{
    if (d->dev)
        d->be->close(d->dev);
    d->dev = NULL;
}
