/* SPDX-License-Identifier: MIT
 * folder.c - formats, and the order in which a folder is written: all that can be refused is
 * refused first, and config.json, without which nobody opens the folder, comes last. */
#include "core/export/folder.h"

#include <string.h>

#include "core/base/status.h"
#include "core/export/checkpoint.h"
#include "core/export/hub.h"
#include "core/io/file.h"

static const struct sct_hub_format *const formats[] = {&sct_hub_timm, &sct_hub_hf4,
                                                       &sct_hub_hf5};

const char *sct_hub_gelu(uint32_t gelu, bool timm)
{
    if (gelu == SCT_GELU_TANH)
        return timm ? "gelu_tanh" : "gelu_pytorch_tanh";
    return gelu == SCT_GELU_QUICK ? "quick_gelu" : "gelu";
}

json_t *sct_hub_triple(const float v[3])
{
    return json_pack("[o, o, o]", sct_json_f32(v[0]), sct_json_f32(v[1]), sct_json_f32(v[2]));
}

/* Takes the tree. */
static sct_status save(const char *dir, const char *name, json_t *tree, sct_error *err)
{
    char *path = tree ? sct_path_join(dir, name) : NULL;
    const sct_status rc = path ? sct_json_save(path, tree, err) : sct_nomem(err);
    sct_free(path);
    json_decref(tree);
    return rc;
}

static sct_status write_all(const struct sct_export *x, const struct sct_hub_format *f,
                            const struct sct_merge *merge, uint32_t dtype, const char *dir,
                            sct_error *err)
{
    const struct sct_dialect *d = sct_dialect_find((enum sct_arch)x->plain->cfg.arch, f->name);
    if (!d)
        return sct_fail(err, SCT_EUSAGE, "%s has no names for a model of this architecture",
                        f->name);
    SCT_TRY(f->check(x, err));
    char *path = sct_path_join(dir, "model.safetensors");
    sct_status rc =
        path ? sct_export_checkpoint(path, d, x->plain, merge, dtype, err) : sct_nomem(err);
    sct_free(path);
    if (rc == SCT_OK && f->preprocessor)
        rc = save(dir, "preprocessor_config.json", f->preprocessor(x), err);
    return rc == SCT_OK ? save(dir, "config.json", f->config(x, dtype), err) : rc;
}

sct_status sct_export_folder(const struct sct_export *x, const char *format, uint32_t dtype,
                             const char *dir, sct_error *err)
{
    const struct sct_hub_format *f = NULL;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i]->name, format) == 0)
            f = formats[i];
    if (!f)
        return sct_fail(err, SCT_EINVAL, "format: expected one of " SCT_EXPORT_FOLDERS);
    struct sct_merge merge;
    sct_status rc = sct_merge_find(&merge, x->model, x->plain, err);
    if (rc != SCT_OK) {
        if (x->strategy)
            (void)sct_error_prefix(err, "--format %s, strategy %s", format, x->strategy);
        return rc;
    }
    rc = write_all(x, f, &merge, dtype, dir, err);
    sct_merge_fini(&merge);
    return rc;
}
