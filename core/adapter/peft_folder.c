/* SPDX-License-Identifier: MIT
 * peft_folder.c - the configuration of a LoRA folder. */
#include "core/adapter/peft_folder.h"

#include <math.h>

#include "core/adapter/peft_modules.h"
#include "core/base/status.h"
#include "core/model/build.h"

/* One pair of n: the factors side by side, so that rank and alpha / r stay, or alpha / sqrt(r).
 */
static void join_pairs(struct sct_peft_module *m, uint32_t r, double alpha, double pairs,
                       bool rslora)
{
    m->r = r * (uint32_t)pairs;
    m->alpha = alpha * (rslora ? sqrt(pairs) : pairs);
}

static sct_status read_modules(const json_t *modules, bool rslora, struct sct_peft_module *m,
                               sct_error *err)
{
    const char *name;
    json_t *v;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)modules, name, v)
    {
        const double r = json_number_value(json_array_get(v, 0)),
                     alpha = json_number_value(json_array_get(v, 1)),
                     pairs = json_number_value(json_array_get(v, 2));
        if (json_array_size(v) != 3 || !(r >= 1 && r <= 65536) || !isfinite(alpha) ||
            !(pairs >= 1 && pairs <= 3))
            return sct_fail(err, SCT_EINVAL, "key modules, %s: expected [r, alpha, pairs]",
                            name);
        m[n].name = name;
        join_pairs(&m[n++], (uint32_t)r, alpha, pairs, rslora);
    }
    return SCT_OK;
}

/* Keys that do not depend on the modules. */
static sct_status other_keys(json_t *config, uint32_t arch, bool hf, sct_error *err)
{
    static const char *const hf_class[SCT_ARCH_COUNT][2] = {
        [SCT_ARCH_VIT] = {"ViTForImageClassification", "transformers.models.vit.modeling_vit"},
        [SCT_ARCH_SWIN] = {"SwinForImageClassification",
                           "transformers.models.swin.modeling_swin"},
    };
    const struct sct_arch_row *row = sct_arch_at(arch);
    const char *const saved[] = {hf ? "classifier" : row->head}, *const targets[] = {"qkv"};
    const struct sct_peft_lora l = {.r = 1,
                                    .alpha = 1.0f,
                                    .targets = targets,
                                    .saved = saved,
                                    .n_targets = 1,
                                    .n_saved = 1,
                                    .base_class = hf ? hf_class[arch][0] : row->timm_class,
                                    .library = hf ? hf_class[arch][1] : row->timm_module};
    json_t *all = NULL;
    SCT_TRY(sct_peft_lora_config(&all, &l, err));
    const int missing = json_object_update_missing(config, all);
    json_decref(all);
    return missing == 0 ? SCT_OK : sct_nomem(err);
}

sct_status sct_peft_folder_keys(json_t *config, const char *modules, uint32_t arch, bool hf,
                                sct_error *err)
{
    json_t *tree = modules ? json_loads(modules, 0, NULL) : NULL;
    const size_t n = json_object_size(tree);
    struct sct_peft_module *m = n ? sct_calloc(n, sizeof *m) : NULL;
    sct_status rc = SCT_OK;
    if (n == 0)
        rc = sct_fail(err, SCT_EINVAL, "key modules: expected an object of modules");
    else if (!m)
        rc = sct_nomem(err);
    if (rc == SCT_OK)
        rc = read_modules(tree, json_is_true(json_object_get(config, "use_rslora")), m, err);
    if (rc == SCT_OK)
        rc = sct_peft_modules_write(config, m, n, err);
    if (rc == SCT_OK)
        rc = other_keys(config, arch, hf, err);
    sct_free(m);
    json_decref(tree);
    return rc;
}
