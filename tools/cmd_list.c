/* SPDX-License-Identifier: MIT
 * cmd_list.c - sctrun devices, ops. */
#include <string.h>

#include "core/base/status.h"
#include "core/plug/module.h"
#include "tools/modules.h"

static void no_log(void *ctx, int level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

/* The host of the devices that --threads, --isa, --gemm and --assume describe. */
static struct sct_host host_of(struct sct_device_opts *o, const struct sct_settings *s)
{
    sct_session_device_opts(o, s, cli_env);
    o->log = no_log;
    return sct_device_host(o);
}

static sct_status settings(struct cli *c, struct sct_settings_run *run, const char *command,
                           sct_error *err)
{
    SCT_TRY(sct_settings_init(run, c->argc, c->argv, cli_env, false, err));
    const sct_status rc = cli_words(run, 0, command, err);
    if (rc != SCT_OK)
        sct_settings_fini(run);
    return rc;
}

static void device_line(const char *backend, const struct sct_device_info *i, json_t *all)
{
    if (all) {
        json_array_append_new(
            all,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:b, s:s}", "backend",
                      backend, "id", i->id, "name", i->name, "platform", i->platform, "vendor",
                      i->vendor, "driver", i->driver, "threads", (int)i->threads, "memory",
                      (json_int_t)i->memory, "max_alloc", (json_int_t)i->max_alloc, "usable",
                      (int)i->usable, "status", i->status));
        return;
    }
    printf("%s %s  %s (%s%s%s)\n    %u unit%s, %llu MB, largest buffer %llu MB; %s%s\n",
           backend, i->id, i->name, i->platform, i->driver[0] ? ", " : "", i->driver,
           i->threads, i->threads == 1 ? "" : "s", (unsigned long long)(i->memory >> 20),
           (unsigned long long)(i->max_alloc >> 20), i->usable ? "" : "refused: ", i->status);
}

sct_status cmd_devices(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct cli_modules list;
    struct sct_device_opts opts;
    SCT_TRY(settings(c, &run, "devices", err));
    const struct sct_host host = host_of(&opts, &run.s);
    json_t *all = run.s.json ? json_array() : NULL;
    cli_modules_find(&list, "backends");
    for (uint32_t b = 0; b < list.n; b++) {
        const struct sct_backend *be;
        sct_error e = SCT_ERROR_INIT;
        if (sct_plug_backend(list.name[b], &be, &e) != SCT_OK) {
            cli_log(c, SCT_LOG_WARN, e.msg);
            continue;
        }
        const uint32_t n = be->count(&host);
        if (n == 0 && !all)
            printf(
                "%s: no device (for opencl install a driver, or pocl-opencl-icd to use the CPU; "
                "rusticl wants RUSTICL_ENABLE)\n",
                be->name);
        for (uint32_t i = 0; i < n; i++) {
            struct sct_device_info info = {.size = sizeof info};
            if (be->info(&host, i, &info, &e) == SCT_OK)
                device_line(be->name, &info, all);
        }
    }
    sct_settings_fini(&run);
    return all ? cli_print_json(all, err) : SCT_OK;
}

/* The first row in order of preference and how many more there are, or "-". */
static void coverage(const struct sct_backend *be, sct_device *dev, uint32_t op, char *buf,
                     size_t size)
{
    const char *row[16];
    const uint32_t n = be->rows(dev, op, row, 16);
    (void)snprintf(buf, size, "%s", n ? row[0] : "-");
    if (n > 1) {
        const size_t at = strlen(buf);
        (void)snprintf(buf + at, size - at, " +%u", n - 1);
    }
}

sct_status cmd_ops(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct cli_modules list;
    const struct sct_backend *be[CLI_MAX_MODULES];
    sct_device *dev[CLI_MAX_MODULES];
    uint32_t n = 0;
    struct sct_device_opts opts;
    SCT_TRY(settings(c, &run, "ops", err));
    const struct sct_host host = host_of(&opts, &run.s);
    opts.gemm[0] = 0; /* rows are listed whatever is installed */
    cli_modules_find(&list, "backends");
    printf("%-18s %-5s %-6s %-6s", "op", "in", "grad", "fused");
    for (uint32_t b = 0; b < list.n; b++) {
        if (sct_plug_backend(list.name[b], &be[n], NULL) != SCT_OK ||
            be[n]->count(&host) == 0 || be[n]->open(&host, 0, &dev[n], NULL) != SCT_OK)
            continue;
        printf(" %-26s", be[n++]->name);
    }
    printf("\n");
    for (uint32_t op = 1; op < SCT_OP_COUNT; op++) {
        const struct sct_op_info *i = sct_op_info(op);
        char arity[16];
        (void)snprintf(arity, sizeof arity, i->in_min == i->in_max ? "%u" : "%u-%u", i->in_min,
                       i->in_max);
        printf("%-18s %-5s %-6s %-6s", i->name, arity, i->vjp ? "yes" : "-",
               i->flags & SCT_OPF_FUSED ? "yes" : "-");
        for (uint32_t b = 0; b < n; b++) {
            char text[64];
            coverage(be[b], dev[b], op, text, sizeof text);
            printf(" %-26s", i->flags & SCT_OPF_VIEW ? "view" : text);
        }
        printf("\n");
    }
    printf(
        "\nRows of every device of a backend, best first, \"+N\": that many more; --isa, --gemm and "
        "--assume\nchange nothing here. \"sctrun dump plan\" shows the row that a node gets.\n");
    for (uint32_t b = 0; b < n; b++)
        be[b]->close(dev[b]);
    sct_settings_fini(&run);
    return SCT_OK;
}
