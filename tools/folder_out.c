/* SPDX-License-Identifier: MIT
 * folder_out.c - folders that commands write: a new one, or none. */
#include <string.h>

#include "core/base/status.h"
#include "core/checkpoint/safetensors.h"
#include "core/export/folder.h"
#include "core/export/merge.h"
#include "core/io/file.h"
#include "core/pretrained/preset.h"
#include "tools/cli.h"

/* Words of --format and --dtype, in the order of the option table. */
static const char *const formats[] = {"onnx", "timm", "hf4", "hf5"};
static const uint32_t dtypes[] = {SCT_ST_F32, SCT_ST_F16, SCT_ST_BF16};

/* timm's families among the presets. */
static bool timm_name(const struct sct_model_config *cfg)
{
    static const char *const family[] = {"vit_", "deit_", "deit3_", "swin_"};
    for (size_t i = 0; i < sizeof family / sizeof family[0]; i++)
        if (strncmp(cfg->name, family[i], strlen(family[i])) == 0)
            return sct_preset_is(cfg);
    return false;
}

/* Which of several strategies cannot be merged. */
static sct_status check_parts(struct sct_session *x, const struct sct_model *plain,
                              uint32_t format, sct_error *err)
{
    sct_status rc = SCT_OK;
    for (uint32_t k = 0; rc == SCT_OK && x->tuner.n > 1 && k < x->tuner.n; k++) {
        struct sct_model *m = NULL;
        struct sct_merge merge;
        SCT_TRY(sct_session_part(x, k, &m, err));
        rc = sct_merge_find(&merge, m, plain, err);
        if (rc == SCT_OK)
            sct_merge_fini(&merge);
        else
            (void)sct_error_prefix(err, "--format %s, strategy %s of %s", formats[format],
                                   x->tuner.part[k].label, x->tuner.name);
        sct_model_destroy(&m);
    }
    return rc;
}

sct_status cli_export_folder(struct sct_session *x, uint32_t format, uint32_t dtype,
                             const char *dir, sct_error *err)
{
    struct sct_model *plain = NULL;
    if (x->adapter)
        SCT_TRY(sct_session_plain(x, &plain, err));
    const struct sct_export what = {x->model,
                                    plain ? plain : x->model,
                                    &x->pre,
                                    x->info.class_names,
                                    x->adapter ? x->tuner.name : NULL,
                                    timm_name(&x->cfg)};
    sct_status rc = plain ? check_parts(x, plain, format, err) : SCT_OK;
    if (rc == SCT_OK)
        rc = sct_export_folder(&what, formats[format], dtypes[dtype], dir, err);
    sct_model_destroy(&plain);
    return rc;
}

sct_status cli_new_folder(const char *dir,
                          sct_status (*write)(struct sct_session *x, const char *dir,
                                              sct_error *err),
                          struct sct_session *x, sct_error *err)
{
    const int existed = sct_dir_exists(dir);
    SCT_TRY(sct_dir_make_new(dir, err));
    const sct_status rc = write(x, dir, err);
    if (rc != SCT_OK) {
        sct_dir_discard(dir);
        if (existed)
            (void)sct_dir_make(dir, NULL);
    }
    return rc;
}
