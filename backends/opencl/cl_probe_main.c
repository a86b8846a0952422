/* SPDX-License-Identifier: MIT
 * cl_probe_main.c - sctrun-clprobe: does one kernel compute right on one device?
 * usage: sctrun-clprobe P:D ROW [key=value]...
 * Exit status: 0 passed, 3 wrong or refused by the compiler, 2 could not be tested. It is a
 * program of its own because a compiler that crashes must not take the trainer with it. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/cl_internal.h"

struct settings {
    char **pair;
    int n;
};

static const char *opt(void *ctx, const char *key)
{
    const struct settings *s = ctx;
    const size_t len = strlen(key);
    if (strcmp(key, "selftest") == 0)
        return "skip"; /* no child of a child */
    for (int i = 0; i < s->n; i++)
        if (strncmp(s->pair[i], key, len) == 0 && s->pair[i][len] == '=')
            return s->pair[i] + len + 1;
    return NULL;
}

static void quiet(void *ctx, int level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static sct_status open_by_id(const struct sct_host *host, const char *id, sct_device **dev,
                             sct_error *err)
{
    const struct sct_backend *b = cl_backend();
    const uint32_t n = b->count(host);
    for (uint32_t i = 0; i < n; i++) {
        struct sct_device_info info = {.size = sizeof info};
        if (b->info(host, i, &info, NULL) == SCT_OK && strcmp(info.id, id) == 0)
            return b->open(host, i, dev, err);
    }
    return sct_fail(err, SCT_EDEVICE, "no OpenCL device %s", id);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        (void)fprintf(stderr, "usage: sctrun-clprobe P:D ROW [key=value]...\n");
        return CL_TEST_UNABLE;
    }
    struct settings s = {argv + 3, argc - 3};
    const struct sct_host host = {SCT_BACKEND_ABI, sizeof host, &s, quiet, opt};
    sct_error err = SCT_ERROR_INIT;
    sct_device *dev = NULL;
    const struct cl_row *row = cl_row_find(argv[2]);
    int code = CL_TEST_UNABLE;
    if (!row)
        (void)printf("no row %s\n", argv[2]);
    else if (open_by_id(&host, argv[1], &dev, &err) != SCT_OK)
        (void)printf("%s\n", err.msg);
    else {
        const sct_status rc = cl_selftest_run(dev, row, &err);
        code = rc == SCT_OK                           ? CL_TEST_PASS
               : rc == SCT_ENOMEM || rc == SCT_EINVAL ? CL_TEST_UNABLE
                                                      : CL_TEST_WRONG;
        (void)printf("%s\n", rc == SCT_OK ? "pass" : err.msg);
    }
    cl_backend()->close(dev);
    return code;
}
