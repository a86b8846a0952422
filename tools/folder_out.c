/* SPDX-License-Identifier: MIT
 * folder_out.c - folders that commands write: a new one, or none. */
#include <string.h>

#include "core/export/folder.h"
#include "core/io/file.h"
#include "core/io/safetensors.h"
#include "core/train/preset.h"
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
                                    x->adapter ? x->tuner.run.s->name : NULL,
                                    timm_name(&x->cfg)};
    const sct_status rc = sct_export_folder(&what, formats[format], dtypes[dtype], dir, err);
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
