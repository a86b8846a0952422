/* SPDX-License-Identifier: MIT
 * device.h - a backend's device as --backend and --device name it. */
#ifndef SCT_EXEC_DEVICE_H
#define SCT_EXEC_DEVICE_H

#include "core/exec/store.h"

struct sct_device_opts {
    const char *backend, *device;
    char threads[16], isa[16], gemm[16], assume[8], profile[8];
    char cache_dir[1024]; /* "" : no disk cache */
    void (*log)(void *ctx, int level, const char *line);
    void *log_ctx;
    uint32_t asked; /* 0 at first; bits of those that a backend looked at */
};

struct sct_open_device {
    const struct sct_backend *be;
    sct_device *dev;
    struct sct_device_info info;
    struct sct_host host;
    struct sct_device_opts opts;
    struct sct_store *store;
};

/* Where caches go: SCTRUN_CACHE_DIR, $XDG_CACHE_HOME/sctrun or ~/.cache/sctrun; "" when that is
 * "off" or unknown. */
void sct_cache_dir(const char *(*env)(const char *), char *buf, size_t size);

/* What a backend asks of its host, answered from *opts, which must outlive it. */
struct sct_host sct_device_host(struct sct_device_opts *opts);

/* Length of the backend's name in front of "opencl:0:0" or "cpu:auto"; 0: none that is found.
 */
size_t sct_device_backend(const char *device);

/* Device by "auto" (a GPU if there is one, else the first usable), its id (opencl's are "P:D"),
 * or a part of its name, case aside, that fits one only; the backend's name and ':' may stand
 * in front. EDEVICE lists what is there, EUSAGE for the name of another backend. Warns of isa,
 * gemm and assume where the backend has no such option. d must not move while open. On failure
 * *d is empty. */
sct_status sct_device_open(struct sct_open_device *d, const struct sct_device_opts *opts,
                           sct_error *err);
/* Programs of the device must be gone. */
void sct_device_close(struct sct_open_device *d);

#endif
