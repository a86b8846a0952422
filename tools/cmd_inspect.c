/* SPDX-License-Identifier: MIT
 * cmd_inspect.c - sctrun inspect: what is in a weight file or an adapter folder. Reads headers,
 * never tensor data. */
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/pretrained/model_io.h"
#include "tools/inspect.h"

/* The base that an adapter of ours was trained on. */
static sct_status print_base(const struct sct_adapter_folder *f, const json_t *base,
                             sct_error *err)
{
    const json_t *config = json_object_get(base, "config");
    const char *hash = json_string_value(json_object_get(base, "sha256"));
    const struct sct_json_at at = {config, f->config_path, "sctrun.base.config", SCT_EFILE};
    struct sct_model_config cfg;
    char text[128];
    printf("  base sha256 %s\n", hash ? hash : "?");
    if (!json_is_object(config))
        return SCT_OK;
    SCT_TRY(sct_model_json_read(&cfg, &at, err));
    for (const struct sct_model_key *k = NULL; (k = sct_model_key_next(k, cfg.arch));)
        if (!(k->flags & SCT_KEY_UNSAVED))
            printf("  base %s %s\n", k->name, sct_model_key_text(k, &cfg, text, sizeof text));
    return SCT_OK;
}

/* What a folder of several strategies says of each. */
static void print_strategies(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i), *options = json_object_get(o, "options");
        const char *name = json_string_value(json_object_get(o, "name")), *key;
        json_t *value;
        printf("  strategy ");
        (void)cli_put(stdout, name ? name : "?", "");
        printf(", %zu tensors:", json_array_size(json_object_get(o, "tensors")));
        json_object_foreach((json_t *)(uintptr_t)options, key, value)
        {
            const char *text = json_string_value(value);
            printf(" ");
            (void)cli_put(stdout, key, "");
            printf("=");
            (void)cli_put(stdout, text ? text : "?", "");
        }
        printf("\n");
    }
}

static sct_status inspect_adapter(const char *dir, int json, sct_error *err)
{
    struct sct_adapter_folder f;
    SCT_TRY(sct_adapter_folder_open(&f, dir, err));
    const json_t *base = json_object_get(json_object_get(f.config, "sctrun"), "base");
    const char *type = json_string_value(json_object_get(f.config, "peft_type"));
    const char *arch = json_string_value(json_object_get(base, "architecture"));
    sct_status rc = SCT_OK;
    if (!json) {
        printf("%s: adapter, peft_type ", dir);
        (void)cli_put(stdout, type ? type : "?", "");
        printf("%s", arch ? ", base " : "");
        (void)cli_put(stdout, arch ? arch : "", "");
        printf("\n");
        print_strategies(json_object_get(json_object_get(f.config, "sctrun"), "strategies"));
        if (base)
            rc = print_base(&f, base, err);
    }
    char *path = sct_path_join(dir, SCT_ADAPTER_WEIGHTS);
    if (rc == SCT_OK)
        rc = path ? inspect_tensors(path, f.config, json != 0, err) : sct_nomem(err);
    sct_free(path);
    sct_adapter_folder_close(&f);
    return rc;
}

/* Other folders are opened as weights. */
static bool is_adapter(const char *path)
{
    char *config = sct_path_join(path, SCT_ADAPTER_CONFIG);
    const bool found = config && sct_file_exists(config);
    sct_free(config);
    return found;
}

sct_status cmd_inspect(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    const char *path = run.n_word ? run.word[0] : run.s.weights ? run.s.weights : run.s.adapter;
    sct_status rc = cli_words(&run, 1, "inspect", err);
    if (rc == SCT_OK && !path)
        rc = sct_fail(err, SCT_EUSAGE, "inspect: say which file or folder");
    else if (rc == SCT_OK && path == run.s.adapter && strchr(path, '\n'))
        rc = sct_fail(err, SCT_EUSAGE, "inspect: one --adapter at a time");
    else if (rc == SCT_OK && is_adapter(path))
        rc = inspect_adapter(path, run.s.json != 0, err);
    else if (rc == SCT_OK)
        rc = inspect_base(path, run.s.json != 0, err);
    sct_settings_fini(&run);
    return rc;
}
