/* SPDX-License-Identifier: MIT
 * preprocess_io.c - preprocessing in YAML and JSON. Both go through the table of steps: a value
 * is the text of a number or a word there. */
#include "core/data/preprocess_io.h"

#include <string.h>

#include "core/base/status.h"
#include "core/io/config.h"
#include "core/plug/module.h"

/* ---- YAML ---- */

/* Gives what the table of steps said a place in the file. */
static sct_status place(const struct sct_cfg_node *at, const sct_error *why, sct_error *err)
{
    return why->code == SCT_ENOMEM ? sct_nomem(err) : sct_cfg_fail(at, err, "%s", why->msg);
}

static sct_status yaml_value(struct sct_step *s, const struct sct_cfg_node *n, sct_error *err)
{
    const struct sct_step_info *info = sct_step_info(s->kind);
    sct_error why = SCT_ERROR_INIT;
    const struct sct_cfg_node *item = n->kind == SCT_CFG_SEQUENCE ? n->first : n;
    uint32_t want = 1, p = 0;
    for (; p < info->n && strcmp(info->param[p].key, n->key) != 0; p++)
        ;
    if (p < info->n && info->param[p].type == SCT_STEP_PAIR)
        want = 2;
    if (n->kind == SCT_CFG_MAPPING || (n->kind == SCT_CFG_SEQUENCE) != (want == 2) ||
        (want == 2 && n->n != 2))
        return sct_cfg_fail(n, err, "%s: %s: expected %s", info->name, n->key,
                            want == 2 ? "two numbers, as [0.5, 1]" : "a plain value");
    for (uint32_t k = 0; k < want; k++, item = item->next) {
        const char *text = item->kind == SCT_CFG_SCALAR && item->text ? item->text : "";
        if (sct_step_set(s, n->key, k, text, &why) != SCT_OK)
            return place(item, &why, err);
    }
    return SCT_OK;
}

/* The values of a step: nothing, a mapping, or for randaugment a policy. */
static sct_status yaml_values(struct sct_step *s, const struct sct_cfg_node *n, sct_error *err)
{
    sct_error why = SCT_ERROR_INIT;
    if (n->kind == SCT_CFG_SCALAR && n->text && s->kind == SCT_STEP_RANDAUGMENT)
        return sct_step_policy(s, n->text, &why) == SCT_OK ? SCT_OK : place(n, &why, err);
    if (n->kind == SCT_CFG_SEQUENCE || (n->kind == SCT_CFG_SCALAR && n->text))
        return sct_cfg_fail(n, err, "%s: expected a mapping of its values",
                            sct_step_info(s->kind)->name);
    for (const struct sct_cfg_node *v = n->first; v; v = v->next)
        SCT_TRY(yaml_value(s, v, err));
    return sct_step_check(s, &why) == SCT_OK ? SCT_OK : place(n, &why, err);
}

/* "- hflip" or "- hflip: {p: 0.5}". */
static sct_status yaml_step(struct sct_step *s, const struct sct_cfg_node *n, sct_error *err)
{
    sct_error why = SCT_ERROR_INIT;
    const struct sct_cfg_node *values =
        n->kind == SCT_CFG_MAPPING && n->n == 1 ? n->first : NULL;
    const char *name = values ? values->key : n->kind == SCT_CFG_SCALAR ? n->text : NULL;
    if (!name)
        return sct_cfg_fail(n, err, "expected a step, as \"hflip\" or \"hflip: {p: 0.5}\"");
    if (sct_step_init(s, name, &why) != SCT_OK)
        return place(n, &why, err);
    return values ? yaml_values(s, values, err) : SCT_OK;
}

static sct_status yaml_steps(struct sct_steps *list, const struct sct_cfg_node *root,
                             const char *key, sct_error *err)
{
    const struct sct_cfg_node *n = NULL;
    SCT_TRY(sct_cfg_child(root, key, SCT_CFG_SEQUENCE, &n, err));
    if (!n)
        return SCT_OK;
    memset(list, 0, sizeof *list);
    if (n->n > SCT_STEPS_MAX)
        return sct_cfg_fail(n, err, "%s: expected at most %d steps, found %u", key,
                            SCT_STEPS_MAX, (unsigned)n->n);
    for (const struct sct_cfg_node *i = n->first; i; i = i->next)
        SCT_TRY(yaml_step(&list->step[list->n++], i, err));
    return SCT_OK;
}

/* "normalize: imagenet", "normalize: model" or mean and std. */
static sct_status yaml_normalize(struct sct_preprocess *p, const struct sct_cfg_node *root,
                                 sct_error *err)
{
    static const char *const keys[] = {"mean", "std", NULL};
    const struct sct_cfg_node *n = sct_cfg_get(root, "normalize");
    sct_error why = SCT_ERROR_INIT;
    if (!n || (n->kind == SCT_CFG_SCALAR && (!n->text || strcmp(n->text, "model") == 0)))
        return SCT_OK;
    if (n->kind == SCT_CFG_SCALAR)
        return sct_preprocess_stats(p, n->text, &why) == SCT_OK ? SCT_OK : place(n, &why, err);
    SCT_TRY(sct_cfg_only(n, keys, err));
    SCT_TRY(sct_cfg_f32s(n, "mean", p->mean, 3, err));
    return sct_cfg_f32s(n, "std", p->std, 3, err);
}

static sct_status yaml_all(struct sct_preprocess *p, const struct sct_cfg_node *root,
                           sct_error *err)
{
    static const char *const keys[] = {"normalize", "pass_order", "eval", "train", "mix", NULL};
    const struct sct_cfg_node *mix = NULL;
    const char *order = NULL;
    sct_error why = SCT_ERROR_INIT;
    SCT_TRY(sct_cfg_only(root, keys, err));
    SCT_TRY(yaml_normalize(p, root, err));
    SCT_TRY(sct_cfg_str(root, "pass_order", &order, err));
    if (order && sct_pass_order_parse(&p->order, order, &why) != SCT_OK)
        return place(sct_cfg_get(root, "pass_order"), &why, err);
    p->eval.n = 0;
    SCT_TRY(yaml_steps(&p->eval, root, "eval", err));
    if (p->eval.n == 0)
        return sct_cfg_fail(root, err, "key eval is missing: the steps of evaluation");
    p->train = p->eval;
    SCT_TRY(yaml_steps(&p->train, root, "train", err));
    SCT_TRY(sct_step_init(&p->mix, "mix", err));
    SCT_TRY(sct_cfg_child(root, "mix", SCT_CFG_MAPPING, &mix, err));
    if (mix)
        SCT_TRY(yaml_values(&p->mix, mix, err));
    return sct_preprocess_check(p, &why) == SCT_OK ? SCT_OK : place(root, &why, err);
}

sct_status sct_preprocess_load(struct sct_preprocess *p, const char *name, sct_error *err)
{
    char path[4096], rel[512];
    const size_t n = strlen(name);
    struct sct_preprocess read = *p;
    struct sct_cfg *file = NULL;
    if (strchr(name, '/') || (n > 5 && strcmp(name + n - 5, ".yaml") == 0)) {
        (void)snprintf(path, sizeof path, "%s", name);
    } else {
        (void)snprintf(rel, sizeof rel, "configs/preprocess/%.200s.yaml", name);
        SCT_TRY(sct_plug_data(rel, path, sizeof path, err));
    }
    SCT_TRY(sct_cfg_load(&file, path, err));
    const sct_status rc = yaml_all(&read, sct_cfg_root(file), err);
    sct_cfg_destroy(&file);
    if (rc == SCT_OK)
        *p = read;
    return rc;
}

/* ---- JSON ---- */

static json_t *number(enum sct_step_type type, double v)
{
    return type == SCT_STEP_WHOLE ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *step_values(const struct sct_step *s)
{
    const struct sct_step_info *info = sct_step_info(s->kind);
    json_t *o = json_object();
    for (uint32_t p = 0; o && p < info->n; p++) {
        const struct sct_step_param *q = &info->param[p];
        const double *v = &s->v[sct_step_at(s->kind, p)];
        const char *word = q->words;
        json_t *value;
        for (int k = (int)v[0]; q->type == SCT_STEP_WORD && k > 0; k--)
            word += strcspn(word, "|") + 1;
        if (q->type == SCT_STEP_PAIR)
            value = json_pack("[f, f]", v[0], v[1]);
        else if (q->type == SCT_STEP_WORD)
            value = json_stringn(word, strcspn(word, "|"));
        else
            value = number(q->type, v[0]);
        (void)json_object_set_new(o, q->key, value);
    }
    return o;
}

static json_t *steps_json(const struct sct_steps *list)
{
    json_t *a = json_array();
    for (uint32_t i = 0; a && i < list->n; i++) {
        json_t *o = json_object();
        (void)json_object_set_new(o, sct_step_info(list->step[i].kind)->name,
                                  step_values(&list->step[i]));
        (void)json_array_append_new(a, o);
    }
    return a;
}

static json_t *triple(const float v[3])
{
    return json_pack("[o, o, o]", sct_json_f32(v[0]), sct_json_f32(v[1]), sct_json_f32(v[2]));
}

json_t *sct_preprocess_to_json(const struct sct_preprocess *p)
{
    return json_pack("{s:i, s:o, s:o, s:f, s:s, s:o, s:o, s:o}", "size", (int)p->size, "mean",
                     triple(p->mean), "std", triple(p->std), "crop_pct", p->crop_pct,
                     "pass_order", sct_pass_order_name(p->order), "eval", steps_json(&p->eval),
                     "train", steps_json(&p->train), "mix", step_values(&p->mix));
}

static sct_status bad(const struct sct_json_at *at, const char *what, sct_error *err)
{
    return sct_fail(err, at->bad, "%s: %s: %s", at->file, at->path, what);
}

static sct_status json_value(struct sct_step *s, const char *key, uint32_t part,
                             const json_t *value, const struct sct_json_at *at, sct_error *err)
{
    char text[40];
    sct_error why = SCT_ERROR_INIT;
    const char *word = json_string_value(value);
    if (json_is_number(value))
        (void)snprintf(text, sizeof text, "%.17g", json_number_value(value));
    else if (!word)
        return bad(at, "expected a number or a word as a value of a step", err);
    const sct_status rc = sct_step_set(s, key, part, word ? word : text, &why);
    return rc == SCT_OK ? SCT_OK : bad(at, why.msg, err);
}

static sct_status json_values(struct sct_step *s, const json_t *o, const struct sct_json_at *at,
                              sct_error *err)
{
    const struct sct_step_info *info = sct_step_info(s->kind);
    const char *key;
    json_t *value;
    if (!json_is_object(o))
        return bad(at, "expected an object with the values of a step", err);
    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        uint32_t p = 0;
        for (; p < info->n && strcmp(info->param[p].key, key) != 0; p++)
            ;
        const bool pair = p < info->n && info->param[p].type == SCT_STEP_PAIR;
        if (pair != json_is_array(value) || (pair && json_array_size(value) != 2))
            return bad(at, "expected two numbers for a pair and one value for the others", err);
        for (uint32_t k = 0; k < (pair ? 2u : 1u); k++)
            SCT_TRY(json_value(s, key, k, pair ? json_array_get(value, k) : value, at, err));
    }
    return SCT_OK;
}

static sct_status json_steps(struct sct_steps *list, const struct sct_json_at *own,
                             const char *key, sct_error *err)
{
    const json_t *a = NULL;
    char path[80];
    sct_error why = SCT_ERROR_INIT;
    SCT_TRY(sct_json_get_array(own, key, SCT_JSON_REQUIRED, &a, err));
    (void)snprintf(path, sizeof path, "%s.%s", own->path, key);
    const struct sct_json_at at = {a, own->file, path, own->bad};
    memset(list, 0, sizeof *list);
    if (json_array_size(a) > SCT_STEPS_MAX)
        return bad(&at, "too many steps", err);
    for (size_t i = 0; i < json_array_size(a); i++) {
        json_t *o = json_array_get(a, i);
        void *it = json_object_size(o) == 1 ? json_object_iter(o) : NULL;
        struct sct_step *s = &list->step[list->n++];
        if (!it)
            return bad(&at, "expected objects of one key, the step", err);
        if (sct_step_init(s, json_object_iter_key(it), &why) != SCT_OK)
            return bad(&at, why.msg, err);
        SCT_TRY(json_values(s, json_object_iter_value(it), &at, err));
    }
    return SCT_OK;
}

static sct_status json_triple(const struct sct_json_at *at, const char *key, float out[3],
                              sct_error *err)
{
    const json_t *a = NULL;
    SCT_TRY(sct_json_get_array(at, key, SCT_JSON_REQUIRED, &a, err));
    for (size_t i = 0; i < 3; i++) {
        if (json_array_size(a) != 3 || !json_is_number(json_array_get(a, i)))
            return sct_fail(err, at->bad, "%s: expected three numbers at %s.%s", at->file,
                            at->path, key);
        out[i] = (float)json_number_value(json_array_get(a, i));
    }
    return SCT_OK;
}

/* The steps, or the one name that stood for them. */
static sct_status json_lists(struct sct_preprocess *p, const struct sct_json_at *at,
                             sct_error *err)
{
    enum sct_resize_mode mode;
    const char *name = NULL;
    const json_t *mix = NULL;
    sct_error why = SCT_ERROR_INIT;
    SCT_TRY(sct_json_get_str(at, "resize", SCT_JSON_OPTIONAL, &name, err));
    if (name) {
        if (sct_resize_mode_parse(&mode, name, &why) != SCT_OK)
            return bad(at, why.msg, err);
        sct_preprocess_set_mode(p, mode);
        return SCT_OK;
    }
    SCT_TRY(json_steps(&p->eval, at, "eval", err));
    SCT_TRY(json_steps(&p->train, at, "train", err));
    SCT_TRY(sct_json_get_object(at, "mix", SCT_JSON_OPTIONAL, &mix, err));
    return mix ? json_values(&p->mix, mix, at, err) : SCT_OK;
}

sct_status sct_preprocess_from_json(struct sct_preprocess *p, const struct sct_json_at *own,
                                    sct_error *err)
{
    const json_t *obj = NULL;
    const char *order = "horizontal";
    sct_error why = SCT_ERROR_INIT;
    SCT_TRY(sct_json_get_object(own, "preprocess", SCT_JSON_REQUIRED, &obj, err));
    const struct sct_json_at at = {obj, own->file, "sctrun.preprocess", own->bad};
    sct_preprocess_default(p);
    SCT_TRY(sct_json_get_str(&at, "pass_order", SCT_JSON_OPTIONAL, &order, err));
    SCT_TRY(sct_json_get_u32(&at, "size", SCT_JSON_REQUIRED, 1, 16384, &p->size, err));
    SCT_TRY(sct_json_get_f64(&at, "crop_pct", SCT_JSON_OPTIONAL, &p->crop_pct, err));
    SCT_TRY(json_triple(&at, "mean", p->mean, err));
    SCT_TRY(json_triple(&at, "std", p->std, err));
    if (sct_pass_order_parse(&p->order, order, &why) != SCT_OK)
        return bad(&at, why.msg, err);
    SCT_TRY(json_lists(p, &at, err));
    return sct_preprocess_check(p, &why) == SCT_OK ? SCT_OK : bad(&at, why.msg, err);
}
