/* SPDX-License-Identifier: MIT
 * recipe.c - recipes: finding one, which of its settings are in force. */
#include "core/settings/recipe.h"

#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/data/vtab.h"
#include "core/io/text.h"
#include "core/plug/module.h"

const char *const sct_recipe_other_keys[] = {"recipe", "like",   "options", "groups", "tasks",
                                             "quirks", "expect", "note",    NULL};

/* Splits "NAME/TASK" or "FILE.yaml:TASK"; task is empty where there is none. */
static sct_status find_file(const char *name, char *path, size_t size, const char **task,
                            sct_error *err)
{
    static const char end[] = ".yaml";
    const char *file_end = strstr(name, end);
    char inner[512];
    if (file_end && (file_end[sizeof end - 1] == 0 || file_end[sizeof end - 1] == ':')) {
        const size_t n = (size_t)(file_end - name) + sizeof end - 1;
        if (n >= size)
            return sct_fail(err, SCT_EUSAGE, "--recipe: the name of the file is too long");
        memcpy(path, name, n);
        path[n] = 0;
        *task = name[n] ? name + n + 1 : "";
        return SCT_OK;
    }
    const size_t n = strcspn(name, "/");
    *task = name[n] ? name + n + 1 : "";
    if (n == 0 || n > 200)
        return sct_fail(err, SCT_EUSAGE,
                        "--recipe: expected NAME or NAME/TASK, found \"%.80s\"", name);
    (void)snprintf(inner, sizeof inner, "configs/recipes/%.*s.yaml", (int)n, name);
    if (sct_plug_data(inner, path, size, NULL) != SCT_OK)
        return sct_fail(err, SCT_EUSAGE,
                        "there is no recipe %.*s; \"sctrun recipe list\" names those there are",
                        (int)n, name);
    return SCT_OK;
}

/* By its key; a task of VTAB-1k also by the other of its names. */
static const struct sct_cfg_node *task_named(const struct sct_cfg_node *tasks, const char *name)
{
    const struct sct_cfg_node *n = sct_cfg_get(tasks, name);
    const struct sct_vtab_task *v = n ? NULL : sct_vtab_find(name, strlen(name));
    if (v)
        n = sct_cfg_get(tasks, v->name);
    if (v && !n && v->alias)
        n = sct_cfg_get(tasks, v->alias);
    return n;
}

static sct_status find_task(struct sct_recipe *r, const char *task, bool need, sct_error *err)
{
    const struct sct_cfg_node *tasks = r->tasks;
    if (!*task && tasks && need)
        return sct_cfg_fail(tasks, err,
                            "this recipe has a setting of its own for each of %u tasks: say "
                            "NAME/TASK, as .../%s",
                            tasks->n, tasks->first ? tasks->first->key : "TASK");
    if (!*task)
        return SCT_OK;
    if (!tasks)
        return sct_cfg_fail(r->root, err, "this recipe has no tasks, so no \"%s\"", task);
    r->task = task_named(tasks, task);
    if (r->task)
        return r->task->kind == SCT_CFG_MAPPING
                   ? SCT_OK
                   : sct_cfg_fail(r->task, err, "expected a mapping of settings");
    const char *nearest = NULL;
    uint32_t best = UINT32_MAX;
    for (const struct sct_cfg_node *n = tasks->first; n; n = n->next) {
        const uint32_t d = sct_edit_distance(task, n->key);
        if (d < best) {
            best = d;
            nearest = n->key;
        }
    }
    return sct_cfg_fail(tasks, err, "there is no task %s; the nearest is %s", task,
                        nearest ? nearest : "(none)");
}

/* 1 if name is one of the words of a list with commas. */
static bool listed(const char *list, const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = list; *p;) {
        const size_t k = strcspn(p, ",");
        if (k == n && strncmp(p, name, n) == 0)
            return true;
        p += k + (p[k] == ',');
    }
    return false;
}

bool sct_recipe_concerned(const struct sct_recipe *r, const struct sct_cfg_node *quirk)
{
    const struct sct_cfg_node *tasks = sct_cfg_get(quirk, "tasks");
    if (!tasks)
        return true;
    for (const struct sct_cfg_node *n = tasks->first; n && r->task; n = n->next)
        if (n->text && strcmp(n->text, r->task->key) == 0)
            return true;
    return false;
}

static sct_status check_quirk(const struct sct_recipe *r, const struct sct_cfg_node *quirk,
                              sct_error *err)
{
    static const char *const keys[] = {"about", "tasks", "off", NULL};
    const struct sct_cfg_node *tasks = NULL, *off = NULL;
    const char *about = NULL;
    if (quirk->kind != SCT_CFG_MAPPING)
        return sct_cfg_fail(quirk, err, "expected about, tasks and off");
    SCT_TRY(sct_cfg_only(quirk, keys, err));
    SCT_TRY(sct_cfg_need_str(quirk, "about", &about, err));
    SCT_TRY(sct_cfg_child(quirk, "tasks", SCT_CFG_SEQUENCE, &tasks, err));
    SCT_TRY(sct_cfg_child(quirk, "off", SCT_CFG_MAPPING, &off, err));
    if (!off)
        return sct_cfg_fail(quirk, err, "quirk %s has no settings that replace it (off)",
                            quirk->key);
    for (const struct sct_cfg_node *n = tasks ? tasks->first : NULL; n; n = n->next)
        if (!n->text || !sct_cfg_get(r->tasks, n->text))
            return sct_cfg_fail(n, err, "quirk %s names a task that is not there", quirk->key);
    return SCT_OK;
}

static sct_status add_layer(struct sct_recipe *r, const struct sct_cfg_node *n, sct_error *err)
{
    if (r->n_layer == SCT_RECIPE_LAYERS)
        return sct_cfg_fail(n, err, "more than %u quirks", SCT_RECIPE_LAYERS - 3u);
    r->layer[r->n_layer++] = n;
    return SCT_OK;
}

static sct_status lay(struct sct_recipe *r, const char *quirks, sct_error *err)
{
    const struct sct_cfg_node *all = r->quirks;
    if (r->like)
        SCT_TRY(add_layer(r, sct_cfg_root(r->like), err));
    SCT_TRY(add_layer(r, r->root, err));
    if (r->task)
        SCT_TRY(add_layer(r, r->task, err));
    const bool keep_all = strcmp(quirks, "all") == 0, keep_none = strcmp(quirks, "none") == 0;
    for (const struct sct_cfg_node *q = all ? all->first : NULL; q; q = q->next) {
        SCT_TRY(check_quirk(r, q, err));
        const bool keep = keep_all || (!keep_none && listed(quirks, q->key));
        if (!keep && sct_recipe_concerned(r, q))
            SCT_TRY(add_layer(r, sct_cfg_get(q, "off"), err));
    }
    for (const char *p = quirks; !keep_all && !keep_none && *p;) {
        char name[64];
        const size_t k = strcspn(p, ",");
        (void)snprintf(name, sizeof name, "%.*s", (int)(k < 63 ? k : 63), p);
        if (!sct_cfg_get(all, name))
            return sct_cfg_fail(all ? all : r->root, err,
                                "--quirks: there is no \"%s\" in this recipe", name);
        p += k + (p[k] == ',');
    }
    return SCT_OK;
}

static sct_status read_head(struct sct_recipe *r, sct_error *err)
{
    static const char *const keys[] = {"about", "source", "weights", "expect", NULL};
    const struct sct_cfg_node *head = NULL;
    SCT_TRY(sct_cfg_child(r->root, "recipe", SCT_CFG_MAPPING, &head, err));
    if (!head)
        return sct_cfg_fail(r->root, err, "no mapping \"recipe\" that says what this is");
    SCT_TRY(sct_cfg_only(head, keys, err));
    SCT_TRY(sct_cfg_need_str(head, "about", &r->about, err));
    SCT_TRY(sct_cfg_need_str(head, "source", &r->source, err));
    SCT_TRY(sct_cfg_need_str(head, "weights", &r->weights, err));
    return sct_cfg_need_str(head, "expect", &r->expect, err);
}

/* Tasks and quirks, which are the other recipe's where one is named. */
static sct_status read_like(struct sct_recipe *r, sct_error *err)
{
    const struct sct_cfg_node *from = r->root;
    const char *like = NULL, *task = "";
    char path[4096];
    SCT_TRY(sct_cfg_str(r->root, "like", &like, err));
    if (like) {
        if (sct_cfg_get(r->root, "tasks") || sct_cfg_get(r->root, "quirks"))
            return sct_cfg_fail(r->root, err, "tasks and quirks are those of %s (like)", like);
        SCT_TRY(find_file(like, path, sizeof path, &task, err));
        SCT_TRY(sct_cfg_load(&r->like, path, err));
        from = sct_cfg_root(r->like);
        if (*task || sct_cfg_get(from, "like"))
            return sct_cfg_fail(sct_cfg_get(r->root, "like"), err,
                                "expected a recipe that is like no other, and no task of it");
    }
    SCT_TRY(sct_cfg_child(from, "tasks", SCT_CFG_MAPPING, &r->tasks, err));
    return sct_cfg_child(from, "quirks", SCT_CFG_MAPPING, &r->quirks, err);
}

sct_status sct_recipe_open(struct sct_recipe *r, const char *name, const char *quirks,
                           bool need_task, sct_error *err)
{
    char path[4096];
    const char *task = "";
    memset(r, 0, sizeof *r);
    SCT_TRY(find_file(name, path, sizeof path, &task, err));
    SCT_TRY(sct_cfg_load(&r->cfg, path, err));
    r->root = sct_cfg_root(r->cfg);
    sct_status rc = read_head(r, err);
    if (rc == SCT_OK)
        rc = read_like(r, err);
    if (rc == SCT_OK)
        rc = find_task(r, task, need_task, err);
    if (rc == SCT_OK)
        rc = lay(r, quirks, err);
    if (rc != SCT_OK)
        sct_recipe_close(r);
    return rc;
}

void sct_recipe_close(struct sct_recipe *r)
{
    sct_cfg_destroy(&r->cfg);
    sct_cfg_destroy(&r->like);
    memset(r, 0, sizeof *r);
}

const char *sct_recipe_setting(const struct sct_recipe *r, const char *key)
{
    const struct sct_cfg_node *found = NULL;
    for (uint32_t i = 0; i < r->n_layer; i++) {
        const struct sct_cfg_node *n = sct_cfg_get(r->layer[i], key);
        found = n ? n : found;
    }
    return found && found->text ? found->text : "";
}

const char *sct_recipe_expect(const struct sct_recipe *r)
{
    const struct sct_cfg_node *n = r->like ? NULL : sct_cfg_get(r->task, "expect");
    return n && n->text ? n->text : r->expect;
}

static bool is_other(const char *key)
{
    for (const char *const *k = sct_recipe_other_keys; *k; k++)
        if (strcmp(*k, key) == 0)
            return true;
    return false;
}

/* A value as YAML, its text in quotes whatever it is. */
static void value_text(const struct sct_cfg_node *v, struct sct_str *text)
{
    if (v->text) {
        sct_str_add(text, " ");
        sct_yaml_quoted(text, v->text);
    }
    if (v->kind == SCT_CFG_SEQUENCE)
        sct_str_add(text, " [");
    for (const struct sct_cfg_node *n = v->first; n && v->kind == SCT_CFG_SEQUENCE;
         n = n->next) {
        sct_yaml_quoted(text, n->text ? n->text : "");
        sct_str_add(text, "%s", n->next ? ", " : "");
    }
    sct_str_add(text, v->kind == SCT_CFG_SEQUENCE ? "]\n" : "\n");
}

static void key_text(const char *indent, const char *key, struct sct_str *text)
{
    sct_str_add(text, "%s", indent);
    sct_yaml_quote(text, key);
    sct_str_add(text, ":");
}

/* The mapping of a layer that holds settings, options, or the options of strategy `of`. */
static const struct sct_cfg_node *map_of(const struct sct_recipe *r, uint32_t layer,
                                         bool options, const char *of)
{
    const struct sct_cfg_node *map = r->layer[layer];
    map = options ? sct_cfg_get(map, "options") : map;
    return of ? sct_cfg_get(map, of) : map;
}

/* Every key of the layers once, at its first place, with its strongest value. Returns mappings
 * among the options in of[SCT_RECIPE_LAYERS], which come after them. */
static uint32_t keys_text(const struct sct_recipe *r, bool options, const char *of,
                          const char *indent, const char **inner, struct sct_str *text)
{
    uint32_t n_inner = 0;
    for (uint32_t i = 0; i < r->n_layer; i++) {
        const struct sct_cfg_node *map = map_of(r, i, options, of);
        for (const struct sct_cfg_node *n = map ? map->first : NULL; n; n = n->next) {
            const struct sct_cfg_node *v = n;
            bool seen = !options && is_other(n->key);
            for (uint32_t j = 0; j < r->n_layer; j++) {
                const struct sct_cfg_node *also =
                    sct_cfg_get(map_of(r, j, options, of), n->key);
                seen |= also && j < i;
                v = also ? also : v;
            }
            if (!seen && v->kind == SCT_CFG_MAPPING && inner && n_inner < SCT_RECIPE_LAYERS) {
                inner[n_inner++] = n->key;
            } else if (!seen && (v->text || v->kind == SCT_CFG_SEQUENCE)) {
                key_text(indent, n->key, text);
                value_text(v, text);
            }
        }
    }
    return n_inner;
}

/* Rules of all layers one after the other: of several that match, the last counts. */
static void groups_text(const struct sct_recipe *r, struct sct_str *text)
{
    const char *head = "groups:\n";
    for (uint32_t i = 0; i < r->n_layer; i++) {
        const struct sct_cfg_node *list = sct_cfg_get(r->layer[i], "groups");
        for (const struct sct_cfg_node *n = list ? list->first : NULL; n; n = n->next) {
            sct_str_add(text, "%s  - {", head);
            for (const struct sct_cfg_node *k = n->first; k && k->key; k = k->next) {
                key_text(k == n->first ? "" : ", ", k->key, text);
                sct_str_add(text, " ");
                sct_yaml_quoted(text, k->text ? k->text : "");
            }
            sct_str_add(text, "}\n");
            head = "";
        }
    }
}

void sct_recipe_text(const struct sct_recipe *r, struct sct_str *text)
{
    const char *inner[SCT_RECIPE_LAYERS];
    bool any = false;
    (void)keys_text(r, false, NULL, "", NULL, text);
    groups_text(r, text);
    for (uint32_t i = 0; i < r->n_layer; i++)
        any |= sct_cfg_get(r->layer[i], "options") != NULL;
    if (!any)
        return;
    sct_str_add(text, "options:\n");
    const uint32_t n = keys_text(r, true, NULL, "  ", inner, text);
    for (uint32_t i = 0; i < n; i++) {
        key_text("  ", inner[i], text);
        sct_str_add(text, "\n");
        (void)keys_text(r, true, inner[i], "    ", NULL, text);
    }
}
