/* SPDX-License-Identifier: MIT
 * peft_lora.c - the configuration file of a LoRA adapter, as Hugging Face PEFT 0.21.2 saves it.
 * Keys in alphabetical order with PEFT's defaults; absent keys read as PEFT's class defaults.
 */
#include "core/checkpoint/adapter_folder.h"

#include "core/base/status.h"

#include <math.h>
#include <string.h>

static json_t *string_list(const char *const *words, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, json_string(words[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *string_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

/* PEFT declares lora_alpha an int: 16, not 16.0. */
static json_t *alpha_number(float alpha)
{
    if (alpha == truncf(alpha) && fabsf(alpha) < 0x1p31f)
        return json_integer((json_int_t)alpha);
    return sct_json_f32(alpha);
}

static json_t *auto_mapping(const struct sct_peft_lora *l)
{
    if (!l->base_class || !l->library)
        return json_null();
    return json_pack("{s:s, s:s}", "base_model_class", l->base_class, "parent_library",
                     l->library);
}

/* Every key that PEFT writes, in its order. Most never depend on the adapter. */
static const struct {
    const char *key;

    enum { NIL, EMPTY, NO, CHOSEN } kind; /* null, {}, false, see chosen_value */
} keys[] = {
    {"alora_invocation_tokens", NIL},
    {"alpha_pattern", EMPTY},
    {"arrow_config", NIL},
    {"auto_mapping", CHOSEN},
    {"base_model_name_or_path", CHOSEN},
    {"bias", CHOSEN},
    {"corda_config", NIL},
    {"ensure_weight_tying", NO},
    {"eva_config", NIL},
    {"exclude_modules", NIL},
    {"fan_in_fan_out", NO},
    {"inference_mode", CHOSEN},
    {"init_lora_weights", CHOSEN},
    {"kasa_config", NIL},
    {"layer_replication", NIL},
    {"layers_pattern", NIL},
    {"layers_to_transform", NIL},
    {"loftq_config", EMPTY},
    {"lora_alpha", CHOSEN},
    {"lora_bias", NO},
    {"lora_dropout", CHOSEN},
    {"lora_ga_config", NIL},
    {"megatron_config", NIL},
    {"megatron_core", CHOSEN},
    {"modules_to_save", CHOSEN},
    {"monteclora_config", NIL},
    {"peft_type", CHOSEN},
    {"peft_version", CHOSEN},
    {"qalora_group_size", CHOSEN},
    {"r", CHOSEN},
    {"rank_pattern", EMPTY},
    {"revision", NIL},
    {"target_modules", CHOSEN},
    {"target_parameters", NIL},
    {"task_type", NIL},
    {"trainable_token_indices", NIL},
    {"use_bdlora", NIL},
    {"use_dora", NO},
    {"use_qalora", NO},
    {"use_rslora", CHOSEN},
    {"velora_config", NIL},
};

static json_t *chosen_value(const struct sct_peft_lora *l, const char *key)
{
    if (strcmp(key, "auto_mapping") == 0)
        return auto_mapping(l);
    if (strcmp(key, "base_model_name_or_path") == 0)
        return string_or_null(l->base_name);
    if (strcmp(key, "bias") == 0)
        return json_string("none");
    if (strcmp(key, "inference_mode") == 0 || strcmp(key, "init_lora_weights") == 0)
        return json_true();
    if (strcmp(key, "lora_alpha") == 0)
        return alpha_number(l->alpha);
    if (strcmp(key, "lora_dropout") == 0)
        return sct_json_f32(l->dropout);
    if (strcmp(key, "megatron_core") == 0)
        return json_string("megatron.core");
    if (strcmp(key, "modules_to_save") == 0)
        return l->n_saved ? string_list(l->saved, l->n_saved) : json_null();
    if (strcmp(key, "peft_type") == 0)
        return json_string("LORA");
    if (strcmp(key, "peft_version") == 0)
        return json_string("0.21.2");
    if (strcmp(key, "qalora_group_size") == 0)
        return json_integer(16);
    if (strcmp(key, "r") == 0)
        return json_integer(l->r);
    if (strcmp(key, "target_modules") == 0)
        return string_list(l->targets, l->n_targets);
    return json_boolean(l->rslora); /* use_rslora */
}

sct_status sct_peft_lora_config(json_t **out, const struct sct_peft_lora *l, sct_error *err)
{
    *out = NULL;
    if (l->r == 0 || l->n_targets == 0 || !isfinite(l->alpha) || !isfinite(l->dropout))
        return sct_fail(
            err, SCT_EINVAL,
            "LoRA configuration: expected r of at least 1, a target module and finite "
            "numbers, found r %u, %zu targets, alpha %g, dropout %g",
            l->r, l->n_targets, (double)l->alpha, (double)l->dropout);
    json_t *config = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *v = keys[i].kind == CHOSEN  ? chosen_value(l, keys[i].key)
                    : keys[i].kind == EMPTY ? json_object()
                    : keys[i].kind == NO    ? json_false()
                                            : json_null();
        if (json_object_set_new(config, keys[i].key, v) != 0) {
            json_decref(config);
            return sct_nomem(err);
        }
    }
    *out = config;
    return SCT_OK;
}

/* Refuses a key that is set to something other than "off": null, false, empty. */
static sct_status refuse(const struct sct_json_at *at, const char *key, sct_error *err)
{
    const json_t *v = json_object_get(at->obj, key);
    if (!v || json_is_null(v) || json_is_false(v) ||
        (json_is_array(v) && !json_array_size(v)) ||
        (json_is_object(v) && !json_object_size(v)))
        return SCT_OK;
    return sct_fail(err, at->bad,
                    "%s: %s is set, which is not supported; merge the adapter with PEFT first",
                    at->file, key);
}

static sct_status read_pattern(const struct sct_json_at *at, const char *key,
                               const json_t **out, sct_error *err)
{
    SCT_TRY(sct_json_get_object(at, key, SCT_JSON_OPTIONAL, out, err));
    if (*out && json_object_size(*out) == 0)
        *out = NULL;
    return SCT_OK;
}

static sct_status read_targets(const struct sct_json_at *at, struct sct_peft_lora_read *out,
                               sct_error *err)
{
    size_t n = 0;
    const json_t *v = json_object_get(at->obj, "target_modules");
    if (json_is_string(v)) {
        out->targets = v;
        return SCT_OK;
    }
    return sct_json_get_strings(at, "target_modules", SCT_JSON_REQUIRED, &out->targets, &n,
                                err);
}

/* Ways to start that leave the base's weights as they are. The others (PiSSA, OLoRA, CorDA,
 * LoftQ) take a part of them away, and the adapter belongs to what is left. */
static sct_status check_init(const struct sct_json_at *at, sct_error *err)
{
    static const char *const plain[] = {"gaussian", "eva", "orthogonal"};
    const json_t *v = json_object_get(at->obj, "init_lora_weights");
    if (!v || json_is_null(v) || json_is_boolean(v))
        return SCT_OK;
    for (size_t i = 0; json_is_string(v) && i < sizeof plain / sizeof *plain; i++)
        if (strcmp(json_string_value(v), plain[i]) == 0)
            return SCT_OK;
    return sct_fail(
        err, at->bad,
        "%s: init_lora_weights %.40s is not supported, as it changes the base; save "
        "the adapter with path_initial_model_for_weight_conversion, or merge it",
        at->file, json_is_string(v) ? json_string_value(v) : "of this type");
}

sct_status sct_peft_lora_parse(struct sct_peft_lora_read *out,
                               const struct sct_adapter_folder *f, sct_error *err)
{
    static const char *const unsupported[] = {
        "layer_replication",
        "target_parameters",
        "fan_in_fan_out",
        "lora_bias",
        "use_qalora",
        "use_bdlora",
        "exclude_modules",
        "layers_pattern",
        "layers_to_transform",
        "arrow_config",
        "alora_invocation_tokens",
        "kasa_config",
        "megatron_config",
        "monteclora_config",
        "velora_config",
        "trainable_token_indices",
    };
    const struct sct_json_at at = {f->config, f->config_path, "", SCT_EFILE};
    struct sct_peft_lora_read r = {.r = 8, .alpha = 8};
    const char *type = "", *bias = "none";
    size_t n = 0;
    *out = (struct sct_peft_lora_read){0};
    SCT_TRY(sct_json_get_str(&at, "peft_type", SCT_JSON_REQUIRED, &type, err));
    if (strcmp(type, "LORA") != 0)
        return sct_fail(err, SCT_EFILE, "%s: expected peft_type LORA, found '%.40s'", at.file,
                        type);
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        SCT_TRY(refuse(&at, unsupported[i], err));
    SCT_TRY(sct_json_get_str(&at, "bias", SCT_JSON_OPTIONAL, &bias, err));
    if (strcmp(bias, "none") != 0)
        return sct_fail(
            err, SCT_EFILE,
            "%s: expected bias none, found '%.40s'; merge the adapter with PEFT first", at.file,
            bias);
    SCT_TRY(check_init(&at, err));
    SCT_TRY(sct_json_get_u32(&at, "r", SCT_JSON_OPTIONAL, 1, 65536, &r.r, err));
    SCT_TRY(sct_json_get_f64(&at, "lora_alpha", SCT_JSON_OPTIONAL, &r.alpha, err));
    SCT_TRY(sct_json_get_f64(&at, "lora_dropout", SCT_JSON_OPTIONAL, &r.dropout, err));
    if (!(r.dropout >= 0 && r.dropout < 1))
        return sct_fail(err, SCT_EFILE, "%s: expected a lora_dropout in [0, 1), found %g",
                        at.file, r.dropout);
    SCT_TRY(sct_json_get_bool(&at, "use_rslora", SCT_JSON_OPTIONAL, &r.rslora, err));
    SCT_TRY(sct_json_get_bool(&at, "use_dora", SCT_JSON_OPTIONAL, &r.dora, err));
    SCT_TRY(read_targets(&at, &r, err));
    SCT_TRY(read_pattern(&at, "rank_pattern", &r.rank_pattern, err));
    SCT_TRY(read_pattern(&at, "alpha_pattern", &r.alpha_pattern, err));
    SCT_TRY(sct_json_get_strings(&at, "modules_to_save", SCT_JSON_OPTIONAL, &r.saved, &n, err));
    *out = r;
    return SCT_OK;
}
