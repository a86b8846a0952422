/* SPDX-License-Identifier: MIT
 * device.c - choosing and opening a device. */
#include "core/exec/device.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/plug/module.h"

void sct_cache_dir(const char *(*env)(const char *), char *buf, size_t size)
{
    const char *own = env("SCTRUN_CACHE_DIR"), *xdg = env("XDG_CACHE_HOME"),
               *home = env("HOME");
    buf[0] = 0;
    if (own && *own) {
        if (strcmp(own, "off") != 0)
            (void)snprintf(buf, size, "%s", own);
    } else if (xdg && *xdg) {
        (void)snprintf(buf, size, "%s/sctrun", xdg);
    } else if (home && *home) {
        (void)snprintf(buf, size, "%s/.cache/sctrun", home);
    }
}

/* What a backend may ask for. Those that only some backends have are missed when nobody asks.
 */
static const struct {
    const char *key;
    size_t at;
    bool some;
} options[] = {
    {"threads", offsetof(struct sct_device_opts, threads), false},
    {"isa", offsetof(struct sct_device_opts, isa), true},
    {"gemm", offsetof(struct sct_device_opts, gemm), true},
    {"assume", offsetof(struct sct_device_opts, assume), true},
    {"profile", offsetof(struct sct_device_opts, profile), false},
    {"cache-dir", offsetof(struct sct_device_opts, cache_dir), false},
};

enum { N_OPTIONS = sizeof options / sizeof options[0] };

static const char *host_opt(void *ctx, const char *key)
{
    struct sct_device_opts *o = ctx;
    for (uint32_t i = 0; i < N_OPTIONS; i++) {
        const char *value = (const char *)o + options[i].at;
        if (strcmp(options[i].key, key) != 0)
            continue;
        if (options[i].some)
            o->asked |= 1u << i;
        return *value ? value : NULL;
    }
    return NULL;
}

static void host_log(void *ctx, int level, const char *line)
{
    const struct sct_device_opts *o = ctx;
    if (o->log)
        o->log(o->log_ctx, level, line);
}

struct sct_host sct_device_host(struct sct_device_opts *opts)
{
    return (struct sct_host){1, sizeof(struct sct_host), opts, host_log, host_opt};
}

/* Options that were given to a backend which has none of that name. */
static void warn_unasked(struct sct_open_device *d)
{
    for (uint32_t i = 0; i < N_OPTIONS; i++) {
        const char *value = (const char *)&d->opts + options[i].at;
        char line[256];
        if (!options[i].some || !*value || (d->opts.asked >> i & 1u))
            continue;
        (void)snprintf(line, sizeof line,
                       "--%s %s has no effect: backend %s has no such option", options[i].key,
                       value, d->be->name);
        host_log(&d->opts, SCT_LOG_WARN, line);
    }
}

static int contains(const char *text, const char *part)
{
    const size_t n = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == n)
            return 1;
    }
    return 0;
}

struct named {
    const char *text;
    size_t n;
    int found;
};

static void same_name(void *ctx, const char *name, const char *path)
{
    struct named *w = ctx;
    (void)path;
    w->found |= strlen(name) == w->n && strncmp(name, w->text, w->n) == 0;
}

size_t sct_device_backend(const char *device)
{
    const char *colon = strchr(device, ':');
    struct named w = {device, colon ? (size_t)(colon - device) : 0, 0};
    if (w.n > 0)
        sct_plug_list("backends", same_name, &w);
    return w.found ? w.n : 0;
}

/* What of --device is left for the backend, without its name in front. */
static sct_status without_backend(const struct sct_backend *be, const char *device,
                                  const char **want, sct_error *err)
{
    const size_t own = strlen(be->name), other = sct_device_backend(device);
    *want = device;
    if (strncmp(device, be->name, own) == 0 && device[own] == ':')
        *want = device[own + 1] ? device + own + 1 : "auto";
    else if (other)
        return sct_fail(
            err, SCT_EUSAGE,
            "--device %s is one of backend %.*s, but --backend is %s; give one of the "
            "two, or both alike",
            device, (int)other, device, be->name);
    return SCT_OK;
}

/* How well device i fits: 0 not at all; auto prefers GPUs, then more memory. */
static int fits(const struct sct_device_info *i, const char *want)
{
    if (strcmp(want, "auto") == 0)
        return i->usable ? (i->kind == SCT_DEV_GPU ? 3 : i->kind == SCT_DEV_CPU ? 1 : 2) : 0;
    if (strcmp(i->id, want) == 0)
        return 4;
    if (isdigit((unsigned char)*want) && strchr(want, ':'))
        return 0;
    return contains(i->name, want) || contains(i->platform, want) ? 2 : 0;
}

static sct_status pick(struct sct_open_device *d, uint32_t *index, sct_error *err)
{
    const uint32_t n = d->be->count(&d->host);
    struct sct_str list = {0};
    int best = 0;
    uint32_t ties = 0;
    const char *want;
    SCT_TRY(without_backend(d->be, d->opts.device, &want, err));
    for (uint32_t k = 0; k < n; k++) {
        struct sct_device_info i = {.size = sizeof i};
        if (d->be->info(&d->host, k, &i, NULL) != SCT_OK)
            continue;
        sct_str_add(&list, "\n  %s  %s (%s)%s%s", i.id, i.name, i.platform,
                    i.usable ? "" : ": refused: ", i.usable ? "" : i.status);
        const int f = fits(&i, want);
        ties = f == best ? ties + 1 : f > best ? 1 : ties;
        if (f > best) {
            best = f;
            *index = k;
            d->info = i;
        }
    }
    sct_status rc = SCT_OK;
    if (list.failed)
        rc = sct_nomem(err);
    else if (n == 0)
        rc = sct_fail(
            err, SCT_EDEVICE,
            "backend %s found no device; for opencl install a driver, or pocl-opencl-icd "
            "to use the CPU",
            d->be->name);
    else if (best == 0)
        rc = sct_fail(err, SCT_EDEVICE,
                      "no usable device of backend %s fits --device %s; found:%s", d->be->name,
                      d->opts.device, list.s ? list.s : "");
    else if (best == 2 && ties > 1 && strcmp(want, "auto") != 0)
        rc = sct_fail(err, SCT_EDEVICE, "--device %s fits %u devices:%s\nsay %s:ID",
                      d->opts.device, ties, list.s ? list.s : "", d->be->name);
    else if (!d->info.usable)
        rc = sct_fail(err, SCT_EDEVICE, "device %s cannot be used: %s", d->info.name,
                      d->info.status);
    sct_str_free(&list);
    return rc;
}

sct_status sct_device_open(struct sct_open_device *d, const struct sct_device_opts *opts,
                           sct_error *err)
{
    memset(d, 0, sizeof *d);
    d->opts = *opts;
    d->host = sct_device_host(&d->opts);
    uint32_t index = 0;
    sct_status rc = sct_plug_backend(opts->backend, &d->be, err);
    if (rc == SCT_OK)
        rc = pick(d, &index, err);
    if (rc == SCT_OK)
        rc = d->be->open(&d->host, index, &d->dev, err);
    if (rc == SCT_OK)
        rc = (d->store = sct_store_create(d->be, d->dev)) ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        warn_unasked(d);
    else
        sct_device_close(d);
    return rc;
}

void sct_device_close(struct sct_open_device *d)
{
    sct_store_destroy(&d->store);
    if (d->dev)
        d->be->close(d->dev);
    memset(d, 0, sizeof *d);
}
