/* SPDX-License-Identifier: MIT
 * device.c - finds the backend, answers its questions, opens a device. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/plug/module.h"
#include "tests/kcheck/kcheck.h"

static sct_status search_path(sct_error *err)
{
    char exe[4096];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    return sct_plug_init(slash ? exe : NULL, getenv("SCTRUN_PLUGIN_PATH"), err);
}

sct_status kbackend_load(const char *name, const struct sct_backend **api, sct_error *err)
{
    *api = NULL;
    SCT_TRY(search_path(err));
    SCT_TRY(sct_plug_backend(name, api, err));
    if (!SCT_HAS(struct sct_backend, *api, drop))
        return sct_fail(err, SCT_EPLUGIN, "%s: the table of functions ends before drop", name);
    return SCT_OK;
}

static void log_line(void *ctx, int level, const char *line)
{
    const struct kdevice *k = ctx;
    if (k->verbose || level <= SCT_LOG_ERROR)
        fprintf(stderr, "%s: %s\n", k->api->name, line);
}

static const char *answer(void *ctx, const char *key)
{
    const struct kdevice *k = ctx;
    for (uint32_t i = 0; i < k->n_opt; i++)
        if (strcmp(k->opt[i].key, key) == 0)
            return k->opt[i].value;
    return NULL;
}

static bool wanted(const struct sct_device_info *info, const char *device)
{
    return !device ? info->usable != 0
                   : strcmp(info->id, device) == 0 || strstr(info->name, device);
}

sct_status kdevice_open(struct kdevice *k, const struct sct_backend *api, const char *device,
                        sct_error *err)
{
    k->api = api;
    k->host = (struct sct_host){SCT_BACKEND_ABI, sizeof k->host, k, log_line, answer};
    const uint32_t n = api->count(&k->host);
    for (uint32_t i = 0; i < n; i++) {
        k->info = (struct sct_device_info){.size = sizeof k->info};
        SCT_TRY(api->info(&k->host, i, &k->info, err));
        if (!wanted(&k->info, device))
            continue;
        if (!k->info.usable)
            return sct_fail(err, SCT_EDEVICE, "device %s cannot be used: %s", k->info.id,
                            k->info.status);
        return api->open(&k->host, i, &k->dev, err);
    }
    return sct_fail(err, SCT_EDEVICE, "backend %s has no usable device%s%s (%u found)",
                    api->name, device ? " called " : "", device ? device : "", n);
}

void kdevice_close(struct kdevice *k)
{
    if (k->api)
        k->api->close(k->dev);
    k->dev = NULL;
}

void kdevice_saw_pack(struct kdevice *k, const char *row)
{
    if (row && !kdevice_has_pack(k, row) && k->n_pack_row < KPACK_MAX)
        k->pack_row[k->n_pack_row++] = row;
}

bool kdevice_has_pack(const struct kdevice *k, const char *row)
{
    for (uint32_t i = 0; i < k->n_pack_row; i++)
        if (strcmp(k->pack_row[i], row) == 0)
            return true;
    return false;
}

bool kdevice_bitwise(const struct kdevice *k)
{
    return strcmp(k->api->name, "ref") == 0 || strcmp(k->api->name, "cpu") == 0;
}
