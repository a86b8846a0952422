/* SPDX-License-Identifier: MIT
 * model_folder.c - config.json against the guess that the tensors gave. */
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/plug/module.h"
#include "core/pretrained/base.h"
#include "core/pretrained/model_folder_impl.h"

enum { LABELS_MAX = 1000000 };

/* ---- opening ---- */

static sct_status load(const char *dir, const char *name, char **path, json_t **tree,
                       sct_error *err)
{
    *path = sct_path_join(dir, name);
    if (!*path)
        return sct_nomem(err);
    if (sct_file_exists(*path))
        return sct_json_load(*path, SCT_EFILE, tree, err);
    sct_free(*path);
    *path = NULL;
    return SCT_OK;
}

static sct_status refuse_type(const struct sct_model_folder *f, const char *type,
                              sct_error *err)
{
    char known[256];
    size_t n = 0;
    for (const struct sct_model_type *t = sct_model_types; t->name && n < sizeof known; t++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", t->name);
    return sct_fail(err, SCT_EFILE,
                    "%s: models of type \"%.80s\" are not built here; expected one of %s, or a "
                    "folder of timm (docs/models.md)",
                    f->config_path, type, known);
}

/* timm's functions of the two architectures; whatever else it has is refused by name. */
static const struct {
    const char *prefix;
    enum sct_arch arch;
} families[] = {
    {"vit_", SCT_ARCH_VIT},   {"deit", SCT_ARCH_VIT},     {"flexivit_", SCT_ARCH_VIT},
    {"swin_", SCT_ARCH_SWIN}, {"test_vit", SCT_ARCH_VIT},
};

static bool family(const char *architecture, enum sct_arch *arch)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strncmp(architecture, families[i].prefix, strlen(families[i].prefix)) == 0) {
            *arch = families[i].arch;
            return true;
        }
    return false;
}

/* Tensors alone would make another model of it. */
static sct_status refuse_unlike(const struct sct_model_folder *f, const char *architecture,
                                sct_error *err)
{
    const char *what = sct_timm_unlike(architecture);
    if (!what)
        return SCT_OK;
    return sct_fail(err, SCT_EFILE,
                    "%s: timm's architecture \"%.80s\" has %s: models with it are not built "
                    "here (docs/models.md)",
                    f->config_path, architecture, what);
}

/* Whose file it is. A config.json of another program is left alone. */
static sct_status recognise(struct sct_model_folder *f, sct_error *err)
{
    const struct sct_json_at at = {f->config, f->config_path, "", SCT_EFILE};
    const char *type = NULL, *architecture = NULL;
    enum sct_arch arch;
    SCT_TRY(sct_json_get_str(&at, "architecture", SCT_JSON_OPTIONAL, &architecture, err));
    SCT_TRY(sct_json_get_str(&at, "model_type", SCT_JSON_OPTIONAL, &type, err));
    if (architecture && !family(architecture, &arch))
        return sct_fail(
            err, SCT_EFILE,
            "%s: timm's architecture \"%.80s\" is not built here; expected a vit_*, "
            "deit* or swin_* (docs/models.md)",
            f->config_path, architecture);
    if (architecture)
        SCT_TRY(refuse_unlike(f, architecture, err));
    for (const struct sct_model_type *t = sct_model_types; type && !architecture && t->name;
         t++)
        if (strcmp(t->name, type) == 0)
            f->hub = t;
    if (type && !architecture && !f->hub)
        return refuse_type(f, type, err);
    if (!type && !architecture)
        return SCT_OK;
    f->what = sct_arena_printf(&f->arena, "%s %.200s", architecture ? "timm" : "transformers",
                               architecture ? architecture : type);
    return f->what ? SCT_OK : sct_nomem(err);
}

sct_status sct_model_folder_open(struct sct_model_folder *f, const char *dir, sct_error *err)
{
    memset(f, 0, sizeof *f);
    sct_status rc = load(dir, "config.json", &f->config_path, &f->config, err);
    if (rc == SCT_OK)
        rc = load(dir, "preprocessor_config.json", &f->pre_path, &f->pre, err);
    if (rc == SCT_OK && f->config)
        rc = recognise(f, err);
    if (rc != SCT_OK)
        sct_model_folder_close(f);
    return rc;
}

void sct_model_folder_close(struct sct_model_folder *f)
{
    json_decref(f->config);
    json_decref(f->pre);
    sct_free(f->config_path);
    sct_free(f->pre_path);
    sct_arena_free(&f->arena);
    memset(f, 0, sizeof *f);
}

/* ---- values ---- */

struct work {
    struct sct_model_folder *f;
    struct sct_json_at at; /* the object with the keys */
    struct sct_guess *g;
    struct sct_model_config said;
    sct_error *err;
};

static sct_status no_value(const struct work *w, const char *json, const char *what)
{
    return sct_fail(w->err, SCT_EFILE, "%s: %s%s%s: expected %s", w->at.file, w->at.path,
                    *w->at.path ? "." : "", json, what);
}

/* A whole number of the key's range; a pair of equal ones will do for it, as [224, 224]. */
static sct_status get_u32(struct work *w, const char *json, const struct sct_model_key *k,
                          void *to)
{
    const json_t *v = json_object_get(w->at.obj, json);
    uint32_t *out = to;
    char what[96];
    const bool list = json_is_array(v);
    const size_t n = list ? json_array_size(v) : 1;
    bool good = k->count == 1 ? !list || n == 2 : list && n == k->count;
    for (size_t i = 0; good && i < n; i++) {
        const json_t *x = list ? json_array_get(v, i) : v;
        const json_int_t whole = json_integer_value(x);
        good = json_is_integer(x) && whole >= k->min && whole <= k->max;
        if (good && k->count == 1 && i)
            good = *out == (uint32_t)whole;
        if (good)
            out[k->count == 1 ? 0 : i] = (uint32_t)whole;
    }
    (void)snprintf(what, sizeof what,
                   k->count == 1 ? "a whole number from %u to %u"
                                 : "whole numbers from %u to %u, %u of them",
                   k->min, k->max, k->count);
    return good ? SCT_OK : no_value(w, json, what);
}

static sct_status get_act(struct work *w, const char *json, void *to)
{
    const char *name = NULL;
    SCT_TRY(sct_json_get_str(&w->at, json, SCT_JSON_REQUIRED, &name, w->err));
    if (sct_told_gelu(name, to))
        return SCT_OK;
    return sct_fail(w->err, SCT_EFILE,
                    "%s: %s%s%s \"%.60s\" is not built here; expected gelu, gelu_tanh, "
                    "quick_gelu or another name of these",
                    w->at.file, w->at.path, *w->at.path ? "." : "", json, name);
}

static sct_status get_f32(struct work *w, const char *json, void *to)
{
    double v = 0;
    SCT_TRY(sct_json_get_f64(&w->at, json, SCT_JSON_REQUIRED, &v, w->err));
    const float f = (float)v; /* 1e-60 is none */
    *(float *)to = f;
    return f > 0 && f < 1e6f ? SCT_OK : no_value(w, json, "a number above 0 and below 1e6");
}

static sct_status get_same(struct work *w, const char *json, const struct sct_model_key *k,
                           void *to)
{
    const char *word = NULL;
    char known[96], what[128];
    int on = 0;
    if (k->type == SCT_KEY_U32)
        return get_u32(w, json, k, to);
    if (k->type == SCT_KEY_F32)
        return get_f32(w, json, to);
    if (k->type == SCT_KEY_BOOL) {
        SCT_TRY(sct_json_get_bool(&w->at, json, SCT_JSON_REQUIRED, &on, w->err));
        *(uint32_t *)to = on != 0;
        return SCT_OK;
    }
    SCT_TRY(sct_json_get_str(&w->at, json, SCT_JSON_REQUIRED, &word, w->err));
    (void)snprintf(what, sizeof what, "%s; other values are not built here",
                   sct_words_text(k->words, known, sizeof known));
    return sct_words_find(k->words, word, to) ? SCT_OK : no_value(w, json, what);
}

static sct_status get_must(const struct work *w, const struct sct_told_row *r)
{
    const json_t *v = json_object_get(w->at.obj, r->json);
    if (json_is_boolean(v) ? json_is_true(v) == (r->must != 0)
                           : json_is_integer(v) && json_integer_value(v) == r->must)
        return SCT_OK;
    return sct_fail(w->err, SCT_EFILE,
                    "%s: models with another %s%s%s than %s are not built here", w->at.file,
                    w->at.path, *w->at.path ? "." : "", r->json,
                    json_is_boolean(v) ? (r->must ? "true" : "false")
                    : r->must          ? "3"
                                       : "0");
}

/* The value of a row into w->said. */
static sct_status get(struct work *w, const struct sct_told_row *r)
{
    const struct sct_model_key *k = r->key ? sct_model_key_find(w->said.arch, r->key) : NULL;
    if (r->how == SCT_TOLD_MUST)
        return get_must(w, r);
    if (!k)
        return SCT_OK;
    uint32_t *to = sct_model_key_at(k, &w->said);
    double ratio = 0;
    int on = 0;
    switch (r->how) {
    case SCT_TOLD_NOT:
        SCT_TRY(sct_json_get_bool(&w->at, r->json, SCT_JSON_REQUIRED, &on, w->err));
        *to = !on;
        return SCT_OK;
    case SCT_TOLD_RATIO:
        SCT_TRY(sct_json_get_f64(&w->at, r->json, SCT_JSON_REQUIRED, &ratio, w->err));
        if (!(ratio > 0 && ratio * w->said.dim <= k->max))
            return no_value(w, r->json, "a ratio above 0 and a width that can be");
        *to = (uint32_t)(ratio * w->said.dim);
        return SCT_OK;
    case SCT_TOLD_SET:
        *to = 1;
        return SCT_OK;
    case SCT_TOLD_ACT:
        return get_act(w, r->json, to);
    default:
        return get_same(w, r->json, k, to);
    }
}

static sct_status say(struct work *w, const char *key, const char *json)
{
    char source[4400];
    (void)snprintf(source, sizeof source, "%s: %s%s%s", w->at.file, w->at.path,
                   *w->at.path ? "." : "", json);
    return sct_guess_say(w->g, &w->said, key, source, w->err);
}

/* Every row of one kind of file whose key is there; null is as good as absent. */
static sct_status each(struct work *w, enum sct_told_by by,
                       sct_status (*act)(struct work *w, const struct sct_told_row *r))
{
    for (const struct sct_told_row *r = sct_told_rows; r->json; r++) {
        const json_t *v = json_object_get(w->at.obj, r->json);
        if ((r->in >> by & 1) && v && !json_is_null(v))
            SCT_TRY(act(w, r));
    }
    return SCT_OK;
}

static sct_status say_row(struct work *w, const struct sct_told_row *r)
{
    return r->key ? say(w, r->key, r->json) : SCT_OK;
}

/* ---- transformers ---- */

static sct_status tell_hub(struct work *w, const struct sct_model_type *t)
{
    json_t *all = NULL;
    const json_t *own = w->f->config;
    if (t->inner) {
        SCT_TRY(sct_json_get_object(&w->at, t->inner, SCT_JSON_REQUIRED, &own, w->err));
        w->at.path = t->inner;
    }
    SCT_TRY(sct_json_parse(t->defaults, strlen(t->defaults), t->name, SCT_EFILE, &all, w->err));
    sct_status rc =
        json_object_update(all, (json_t *)(uintptr_t)own) ? sct_nomem(w->err) : SCT_OK;
    w->at.obj = all;
    if (rc == SCT_OK)
        rc = each(w, t->by, get);
    if (rc == SCT_OK)
        rc = each(w, t->by, say_row);
    json_decref(all);
    return rc;
}

/* ---- timm ---- */

/* An argument that nobody reads would change the model unseen. */
static sct_status only_known(const struct work *w, enum sct_told_by by)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)w->at.obj, name, value)
    {
        const struct sct_told_row *r = sct_told_rows;
        while (r->json && !((r->in >> by & 1) && strcmp(r->json, name) == 0))
            r++;
        if (!r->json)
            return sct_fail(w->err, SCT_EFILE,
                            "%s: %s.%.60s: models with it are not built here", w->at.file,
                            w->at.path, name);
    }
    return SCT_OK;
}

/* The keys of the function's own model, which is a preset. What pictures it was made for and
 * how many classes, model_args or the tensors say. */
static sct_status say_preset(struct work *w, const char *name)
{
    static const char *const other[] = {"image_size", "classes", "drop_path", "head_init"};
    const uint32_t classes = w->said.classes, image = w->said.image;
    SCT_TRY(sct_model_config_load(&w->said, name, NULL, 0, w->err));
    w->said.classes = classes;
    w->said.image = image;
    const json_t *args = json_object_get(w->f->config, "model_args");
    const struct sct_json_at root = w->at;
    w->at = (struct sct_json_at){args, root.file, "model_args", SCT_EFILE};
    const enum sct_told_by by =
        w->said.arch == SCT_ARCH_SWIN ? SCT_BY_TIMM_SWIN : SCT_BY_TIMM_VIT;
    if (args)
        SCT_TRY(each(w, by, get));
    w->at = root;
    if (w->said.arch == SCT_ARCH_VIT && !json_object_get(args, "mlp_ratio"))
        w->said.mlp = (uint32_t)((float)w->said.dim * w->said.mlp_ratio);
    /* timm's patches have a bias exactly when there is no norm in front of the blocks */
    if (w->said.arch == SCT_ARCH_VIT)
        w->said.no_patch_bias = w->said.pre_norm;
    for (const struct sct_model_key *k = NULL; (k = sct_model_key_next(k, w->said.arch));) {
        bool skip = (k->flags & SCT_KEY_UNSAVED) || k->type == SCT_KEY_TEXT;
        for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
            skip = skip || strcmp(k->name, other[i]) == 0;
        if (!skip)
            SCT_TRY(say(w, k->name, "architecture"));
    }
    return SCT_OK;
}

static bool in_args(const struct work *w, const char *json)
{
    const json_t *v = json_object_get(json_object_get(w->f->config, "model_args"), json);
    return v && !json_is_null(v);
}

static bool is_preset(const char *name)
{
    char rel[512], path[4096];
    (void)snprintf(rel, sizeof rel, "configs/models/%s.yaml", name);
    return !strchr(name, '/') && sct_plug_data(rel, path, sizeof path, NULL) == SCT_OK &&
           sct_file_exists(path);
}

/* model_args are stronger. */
static sct_status say_row_of(struct work *w, const struct sct_timm_row *r)
{
    w->said.eps = r->eps;
    SCT_TRY(say(w, "eps", "architecture"));
    if (!in_args(w, "act_layer")) {
        w->said.gelu = r->gelu;
        SCT_TRY(say(w, "gelu", "architecture"));
    }
    if (!r->heads || in_args(w, "num_heads"))
        return SCT_OK;
    w->said.heads = r->heads;
    return say(w, "heads", "architecture");
}

/* A function that is not known may have any heads and activation, if model_args do not say
 * them. eps is no argument that JSON can hold. */
static sct_status say_unsure(struct work *w, const char *architecture)
{
    const bool swin = w->said.arch == SCT_ARCH_SWIN;
    const char *second = swin ? "window_size" : "act_layer";
    if (in_args(w, "num_heads") && in_args(w, second))
        return SCT_OK;
    struct sct_model_folder *f = w->f;
    f->unsure = sct_arena_printf(
        &f->arena,
        "%s: timm's architecture \"%.80s\" is not known here, and model_args do not say both "
        "num_heads and %s; say --model FILE with heads, %s and eps (docs/models.md)",
        w->at.file, architecture, second, swin ? "window" : "gelu");
    return f->unsure ? SCT_OK : sct_nomem(w->err);
}

static sct_status say_architecture(struct work *w, const char *architecture)
{
    char name[96];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(architecture, "."), architecture);
    if (is_preset(name))
        return say_preset(w, name);
    const struct sct_timm_row *r = sct_timm_find(name);
    return r ? say_row_of(w, r) : say_unsure(w, architecture);
}

/* The image of a Swin, which no tensor tells. */
static sct_status say_input(struct work *w)
{
    const json_t *cfg = NULL, *size = NULL;
    SCT_TRY(sct_json_get_object(&w->at, "pretrained_cfg", SCT_JSON_OPTIONAL, &cfg, w->err));
    const struct sct_json_at at = {cfg, w->at.file, "pretrained_cfg", SCT_EFILE};
    const struct sct_guess_fact *known = sct_guess_fact(w->g, "image_size");
    if (cfg)
        SCT_TRY(sct_json_get_array(&at, "input_size", SCT_JSON_OPTIONAL, &size, w->err));
    const json_int_t side = json_integer_value(json_array_get(size, 1));
    if (!size || (known && (known->known || known->said)) || side < 1 || side > 16384)
        return SCT_OK;
    w->said.image = (uint32_t)side;
    return say(w, "image_size", "pretrained_cfg.input_size");
}

static sct_status tell_timm(struct work *w)
{
    const char *architecture = json_string_value(json_object_get(w->f->config, "architecture"));
    const struct sct_json_at root = w->at;
    const json_t *args = NULL;
    enum sct_arch arch = SCT_ARCH_VIT;
    (void)family(architecture, &arch);
    const enum sct_told_by by = arch == SCT_ARCH_SWIN ? SCT_BY_TIMM_SWIN : SCT_BY_TIMM_VIT;
    SCT_TRY(sct_json_get_object(&w->at, "model_args", SCT_JSON_OPTIONAL, &args, w->err));
    if (args) {
        w->at = (struct sct_json_at){args, root.file, "model_args", SCT_EFILE};
        SCT_TRY(only_known(w, by));
        SCT_TRY(each(w, by, get));
        SCT_TRY(each(w, by, say_row));
        w->at = root;
    }
    SCT_TRY(say_architecture(w, architecture));
    return say_input(w);
}

/* ---- classes ---- */

/* label_names of timm, id2label of transformers: "LABEL_0" is what stands for no name. */
static sct_status find_labels(struct sct_model_folder *f, sct_error *err)
{
    const json_t *list = json_object_get(f->config, f->hub ? "id2label" : "label_names");
    const size_t n = json_is_array(list) ? json_array_size(list) : json_object_size(list);
    uint32_t named = 0;
    char id[24];
    if (n == 0 || n > LABELS_MAX)
        return SCT_OK;
    const char **label = sct_arena_alloc(&f->arena, n * sizeof *label);
    if (!label)
        return sct_nomem(err);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(id, sizeof id, "%zu", i);
        const json_t *v =
            json_is_array(list) ? json_array_get(list, i) : json_object_get(list, id);
        label[i] = json_string_value(v);
        if (!label[i])
            return sct_fail(err, SCT_EFILE,
                            "%s: %s: expected a text for each of %zu classes; "
                            "that of class %zu is missing",
                            f->config_path, f->hub ? "id2label" : "label_names", n, i);
        named += strncmp(label[i], "LABEL_", 6) != 0;
    }
    f->n_label = (uint32_t)n;
    f->label = named ? label : NULL;
    return SCT_OK;
}

static sct_status check_classes(struct sct_model_folder *f, const struct sct_dialect_map *map,
                                sct_error *err)
{
    const struct sct_canon *head = sct_dialect_canon(map, "head.weight");
    if (!head)
        head = sct_dialect_canon(map, "head.fc.weight");
    SCT_TRY(find_labels(f, err));
    const char *source = f->hub ? "id2label" : "label_names";
    if (!f->n_label && !f->hub) {
        const json_int_t n = json_integer_value(json_object_get(f->config, "num_classes"));
        source = "num_classes";
        f->n_label = n > 0 && n <= LABELS_MAX ? (uint32_t)n : 0;
    }
    if (!head || head->bad || !f->n_label || head->desc.dim[0] == f->n_label)
        return SCT_OK;
    return sct_fail(
        err, SCT_EFILE,
        "%s: %s says %u classes, the head of the weights (%s) has %u; one of the two "
        "files is of another model",
        f->config_path, source, f->n_label, head->name, head->desc.dim[0]);
}

/* ---- */

sct_status sct_model_folder_tell(struct sct_model_folder *f, const struct sct_dialect_map *map,
                                 struct sct_guess *g, sct_error *err)
{
    struct work w = {f, {f->config, f->config_path, "", SCT_EFILE}, g, g->cfg, err};
    enum sct_arch arch = SCT_ARCH_VIT;
    if (!f->what)
        return SCT_OK;
    if (f->hub)
        arch = f->hub->arch;
    else
        (void)family(json_string_value(json_object_get(f->config, "architecture")), &arch);
    if (arch != g->cfg.arch)
        return sct_fail(
            err, SCT_EFILE,
            "%s is of a %s (%s), the weights are of a %s; one of the two files is of "
            "another model",
            f->config_path, sct_arch_name(arch), f->what, sct_arch_name(g->cfg.arch));
    SCT_TRY(f->hub ? tell_hub(&w, f->hub) : tell_timm(&w));
    return check_classes(f, map, err);
}
