/* SPDX-License-Identifier: MIT
 * cmd_inspect.c - sctrun inspect: what is in a weight file or an adapter folder. Reads headers,
 * never tensor data. */
#include <string.h>

#include "core/base/status.h"
#include "core/io/checkpoint.h"
#include "core/io/file.h"
#include "core/train/model_io.h"
#include "tools/cli.h"

static void shape_text(const struct sct_ckpt_tensor *t, char *buf, size_t size)
{
    size_t n = 0;
    buf[0] = 0;
    for (uint32_t k = 0; k < t->nd && n + 24 < size; k++)
        n += (size_t)snprintf(buf + n, size - n, "%s%llu", k ? ", " : "",
                              (unsigned long long)t->dim[k]);
}

static json_t *notes_json(const struct sct_ckpt *ck)
{
    json_t *all = json_array();
    const char *note;
    for (size_t i = 0; (note = sct_ckpt_note_at(ck, i)); i++)
        json_array_append_new(all, json_string(note));
    return all;
}

static json_t *tensors_json(const struct sct_ckpt *ck)
{
    json_t *all = json_array();
    for (size_t i = 0; i < sct_ckpt_count(ck); i++) {
        const struct sct_ckpt_tensor *t = sct_ckpt_at(ck, i);
        json_t *shape = json_array();
        for (uint32_t k = 0; k < t->nd; k++)
            json_array_append_new(shape, json_integer((json_int_t)t->dim[k]));
        json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "name", t->name, "dtype",
                                             sct_st_dtype_name(t->dtype), "shape", shape));
    }
    return all;
}

static sct_status inspect_file(const char *path, int json, const json_t *config, sct_error *err)
{
    struct sct_ckpt *ck = NULL;
    uint64_t count = 0;
    SCT_TRY(sct_ckpt_open(&ck, path, err));
    for (size_t i = 0; i < sct_ckpt_count(ck); i++)
        count += sct_ckpt_at(ck, i)->count;
    sct_status rc = SCT_OK;
    if (json) {
        json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "file", sct_ckpt_path(ck),
                              "container", sct_ckpt_kind(ck), "tensors_count",
                              (json_int_t)sct_ckpt_count(ck), "elements", (json_int_t)count,
                              "notes", notes_json(ck), "tensors", tensors_json(ck));
        if (config)
            json_object_set(o, "adapter_config", (json_t *)(uintptr_t)config);
        rc = cli_print_json(o, err);
    } else {
        printf("%s: %s, %zu tensors, %llu elements\n", sct_ckpt_path(ck), sct_ckpt_kind(ck),
               sct_ckpt_count(ck), (unsigned long long)count);
        const char *key, *value;
        for (size_t i = 0; (key = sct_ckpt_metadata_at(ck, i, &value)); i++)
            printf("  metadata %s = %s\n", key, value);
        for (size_t i = 0; (key = sct_ckpt_note_at(ck, i)); i++)
            printf("  note: %s\n", key);
        for (size_t i = 0; i < sct_ckpt_count(ck); i++) {
            char shape[256];
            const struct sct_ckpt_tensor *t = sct_ckpt_at(ck, i);
            shape_text(t, shape, sizeof shape);
            printf("  %-52s %-5s [%s]\n", t->name, sct_st_dtype_name(t->dtype), shape);
        }
    }
    sct_ckpt_close(&ck);
    return rc;
}

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

static sct_status inspect_adapter(const char *dir, int json, sct_error *err)
{
    struct sct_adapter_folder f;
    SCT_TRY(sct_adapter_folder_open(&f, dir, err));
    const json_t *base = json_object_get(json_object_get(f.config, "sctrun"), "base");
    const char *type = json_string_value(json_object_get(f.config, "peft_type"));
    const char *arch = json_string_value(json_object_get(base, "architecture"));
    sct_status rc = SCT_OK;
    if (!json) {
        printf("%s: adapter, peft_type %s%s%s\n", dir, type ? type : "?", arch ? ", base " : "",
               arch ? arch : "");
        if (base)
            rc = print_base(&f, base, err);
    }
    char *path = sct_path_join(dir, SCT_ADAPTER_WEIGHTS);
    if (rc == SCT_OK)
        rc = path ? inspect_file(path, json, f.config, err) : sct_nomem(err);
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
    else if (rc == SCT_OK && is_adapter(path))
        rc = inspect_adapter(path, run.s.json != 0, err);
    else if (rc == SCT_OK)
        rc = inspect_file(path, run.s.json != 0, NULL, err);
    sct_settings_fini(&run);
    return rc;
}
