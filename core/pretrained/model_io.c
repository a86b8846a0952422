/* SPDX-License-Identifier: MIT
 * model_io.c - rows of the table of model keys as YAML, JSON and text. */
#include "core/pretrained/model_io.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/text.h"
#include "core/model/build.h"

enum { MAX_KEYS = 64 };

static const void *value_at(const struct sct_model_key *k, const struct sct_model_config *c)
{
    return (const char *)c + k->offset;
}

/* ---- YAML ---- */

static sct_status yaml_word(const struct sct_cfg_node *map, const char *key,
                            const char *const *words, uint32_t *out, sct_error *err)
{
    const char *text = NULL;
    char known[256];
    SCT_TRY(sct_cfg_str(map, key, &text, err));
    if (!text || sct_words_find(words, text, out))
        return SCT_OK;
    return sct_cfg_fail(sct_cfg_get(map, key), err, "%s: expected %s, found \"%.80s\"", key,
                        sct_words_text(words, known, sizeof known), text);
}

static sct_status yaml_text(const struct sct_cfg_node *map, const struct sct_model_key *k,
                            char *out, sct_error *err)
{
    const char *text = NULL;
    SCT_TRY(sct_cfg_str(map, k->name, &text, err));
    if (text && strlen(text) >= k->count)
        return sct_cfg_fail(sct_cfg_get(map, k->name), err,
                            "%s: expected at most %u bytes, found %zu", k->name, k->count - 1,
                            strlen(text));
    if (text)
        memcpy(out, text, strlen(text) + 1);
    return SCT_OK;
}

static sct_status yaml_key(const struct sct_cfg_node *map, const struct sct_model_key *k,
                           struct sct_model_config *c, sct_error *err)
{
    void *at = sct_model_key_at(k, c);
    const struct sct_cfg_node *node = sct_cfg_get(map, k->name);
    const bool none = !node || (node->kind == SCT_CFG_SCALAR && !node->text);
    if ((k->flags & SCT_KEY_NEEDED) && none)
        return sct_cfg_fail(map, err, "expected the key '%s', found none", k->name);
    switch (k->type) {
    case SCT_KEY_U32:
        return k->count == 1 ? sct_cfg_u32(map, k->name, k->min, k->max, at, err)
                             : sct_cfg_u32s(map, k->name, k->min, k->max, at, k->count, err);
    case SCT_KEY_F32:
        return k->count == 1 ? sct_cfg_f32(map, k->name, at, err)
                             : sct_cfg_f32s(map, k->name, at, k->count, err);
    case SCT_KEY_BOOL:
        return sct_cfg_bool(map, k->name, at, err);
    case SCT_KEY_WORD:
        return yaml_word(map, k->name, k->words, at, err);
    default:
        return yaml_text(map, k, at, err);
    }
}

sct_status sct_model_yaml_read(struct sct_model_config *cfg, const struct sct_cfg_node *map,
                               const char **weights, sct_error *err)
{
    const char *known[MAX_KEYS + 3] = {"arch", "weights"};
    uint32_t arch = SCT_ARCH_VIT, n = 2;
    SCT_TRY(yaml_word(map, "arch", sct_arch_names(), &arch, err));
    const struct sct_model_key *k = NULL;
    while (n < MAX_KEYS + 2 && (k = sct_model_key_next(k, arch)))
        known[n++] = k->name;
    SCT_TRY(sct_cfg_only(map, known, err));
    sct_model_config_default(cfg, arch);
    for (k = NULL; (k = sct_model_key_next(k, arch));)
        SCT_TRY(yaml_key(map, k, cfg, err));
    sct_model_config_finish(cfg);
    return sct_cfg_str(map, "weights", weights, err);
}

/* ---- JSON ---- */

static json_t *json_number_at(const struct sct_model_key *k, const void *at, uint32_t i)
{
    return k->type == SCT_KEY_F32 ? sct_json_f32(((const float *)at)[i])
                                  : json_integer(((const uint32_t *)at)[i]);
}

static json_t *json_value(const struct sct_model_key *k, const void *at)
{
    switch (k->type) {
    case SCT_KEY_BOOL:
        return json_boolean(*(const uint32_t *)at);
    case SCT_KEY_WORD:
        return json_string(k->words[*(const uint32_t *)at]);
    case SCT_KEY_TEXT:
        return json_string(at);
    default:
        if (k->count == 1)
            return json_number_at(k, at, 0);
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < k->count; i++)
        json_array_append_new(list, json_number_at(k, at, i));
    return list;
}

json_t *sct_model_json(const struct sct_model_config *cfg)
{
    json_t *o = json_object();
    json_object_set_new(o, "arch", json_string(sct_arch_names()[cfg->arch]));
    for (const struct sct_model_key *k = NULL; (k = sct_model_key_next(k, cfg->arch));)
        if (!(k->flags & SCT_KEY_UNSAVED))
            json_object_set_new(o, k->name, json_value(k, value_at(k, cfg)));
    return o;
}

static sct_status read_word(const struct sct_json_at *at, const char *key,
                            const char *const *words, uint32_t *out, sct_error *err)
{
    const char *text = NULL;
    char known[256];
    SCT_TRY(sct_json_get_str(at, key, SCT_JSON_OPTIONAL, &text, err));
    if (!text || sct_words_find(words, text, out))
        return SCT_OK;
    return sct_fail(err, at->bad, "%s: expected %s at %s.%s, found \"%.80s\"", at->file,
                    sct_words_text(words, known, sizeof known), at->path, key, text);
}

/* A number that is finite as a float, too. */
static sct_status to_f32(const struct sct_json_at *at, const char *key, double v, float *out,
                         sct_error *err)
{
    if (!(fabs(v) <= (double)FLT_MAX))
        return sct_fail(err, at->bad,
                        "%s: expected a number of single precision at %s.%s, found %g",
                        at->file, at->path, key, v);
    *out = (float)v;
    return SCT_OK;
}

/* Lists: every number is checked as a scalar would be. */
static sct_status read_list(const struct sct_json_at *at, const struct sct_model_key *k,
                            enum sct_json_need need, void *to, sct_error *err)
{
    const json_t *a = NULL;
    SCT_TRY(sct_json_get_array(at, k->name, need, &a, err));
    for (uint32_t i = 0; a && i < k->count; i++) {
        const json_t *v = json_array_get(a, i);
        const json_int_t whole = json_integer_value(v);
        const bool fits = k->type == SCT_KEY_F32
                              ? json_is_number(v)
                              : json_is_integer(v) && whole >= k->min && whole <= k->max;
        if (!fits || json_array_size(a) != k->count)
            return sct_fail(err, at->bad, "%s: expected a list of %u numbers%s at %s.%s",
                            at->file, k->count, k->type == SCT_KEY_U32 ? " in range" : "",
                            at->path, k->name);
        if (k->type == SCT_KEY_F32)
            SCT_TRY(to_f32(at, k->name, json_number_value(v), (float *)to + i, err));
        else
            ((uint32_t *)to)[i] = (uint32_t)whole;
    }
    return SCT_OK;
}

static sct_status read_scalar(const struct sct_json_at *at, const struct sct_model_key *k,
                              enum sct_json_need need, void *to, sct_error *err)
{
    if (k->type == SCT_KEY_U32)
        return sct_json_get_u32(at, k->name, need, k->min, k->max, to, err);
    if (k->type == SCT_KEY_F32) {
        double v = (double)*(float *)to;
        SCT_TRY(sct_json_get_f64(at, k->name, need, &v, err));
        return to_f32(at, k->name, v, to, err);
    }
    int on = (int)*(uint32_t *)to;
    SCT_TRY(sct_json_get_bool(at, k->name, need, &on, err));
    *(uint32_t *)to = on != 0;
    return SCT_OK;
}

static sct_status read_key(const struct sct_json_at *at, const struct sct_model_key *k,
                           struct sct_model_config *c, sct_error *err)
{
    const enum sct_json_need need =
        k->flags & (SCT_KEY_NEEDED | SCT_KEY_ALWAYS) ? SCT_JSON_REQUIRED : SCT_JSON_OPTIONAL;
    void *to = sct_model_key_at(k, c);
    const char *text = NULL;
    if (k->type == SCT_KEY_WORD)
        return read_word(at, k->name, k->words, to, err);
    if (k->type != SCT_KEY_TEXT)
        return k->count == 1 ? read_scalar(at, k, need, to, err)
                             : read_list(at, k, need, to, err);
    SCT_TRY(sct_json_get_str(at, k->name, need, &text, err));
    if (text && strlen(text) >= k->count)
        return sct_fail(err, at->bad, "%s: expected at most %u bytes at %s.%s", at->file,
                        k->count - 1, at->path, k->name);
    if (text)
        memcpy(to, text, strlen(text) + 1);
    return SCT_OK;
}

/* A key that nobody reads would change the model unseen. */
static sct_status only_known(const struct sct_json_at *at, uint32_t arch, sct_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)at->obj, name, value)
    {
        const struct sct_model_key *k = NULL;
        while ((k = sct_model_key_next(k, arch)) &&
               ((k->flags & SCT_KEY_UNSAVED) || strcmp(k->name, name) != 0))
            ;
        if (!k && strcmp(name, "arch") != 0)
            return sct_fail(err, at->bad,
                            "%s: unknown key %s.%.60s: expected those of a %s; was it written "
                            "by a later sctrun?",
                            at->file, at->path, name, sct_arch_names()[arch]);
    }
    return SCT_OK;
}

sct_status sct_model_json_read(struct sct_model_config *cfg, const struct sct_json_at *at,
                               sct_error *err)
{
    uint32_t arch = SCT_ARCH_VIT;
    SCT_TRY(read_word(at, "arch", sct_arch_names(), &arch, err));
    SCT_TRY(only_known(at, arch, err));
    sct_model_config_default(cfg, arch);
    for (const struct sct_model_key *k = NULL; (k = sct_model_key_next(k, arch));)
        if (!(k->flags & SCT_KEY_UNSAVED))
            SCT_TRY(read_key(at, k, cfg, err));
    return SCT_OK;
}

/* ---- text ---- */

const char *sct_model_key_text(const struct sct_model_key *k,
                               const struct sct_model_config *cfg, char *buf, size_t size)
{
    json_t *v = json_value(k, value_at(k, cfg));
    char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
    size_t n = text ? strlen(text) : 0;
    const bool quoted = n > 1 && text[0] == '"';
    (void)snprintf(buf, size, "%.*s", (int)(quoted ? n - 2 : n), text ? text + quoted : "");
    free(text);
    json_decref(v);
    return buf;
}
