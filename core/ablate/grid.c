/* SPDX-License-Identifier: MIT
 * grid.c - reading a grid: keys, rows, columns. No setting is understood here; those of a cell
 * are put together, and checked by the option table, in cells.c. */
#include "core/ablate/grid.h"

#include <string.h>

#include "core/base/status.h"
#include "core/data/vtab.h"
#include "core/io/file.h"
#include "core/io/text.h"
#include "core/plug/module.h"

static const char *const root_keys[] = {"name",         "about",    "base",         "tasks",
                                        "strategies",   "grid",     "seeds",        "baseline",
                                        "search",       "few_shot", "search_seeds", "domains",
                                        "best_on_test", "share",    "save",         NULL};

/* A string of the arena as printf makes it. */
#define NEW(P, OUT, ...)                                                                       \
    do {                                                                                       \
        (OUT) = sct_arena_printf(&(P)->arena, __VA_ARGS__);                                    \
        if (!(OUT))                                                                            \
            return sct_nomem(err);                                                             \
    } while (0)

static sct_status alloc(struct sct_grid *g, void *out, size_t n, size_t size, sct_error *err)
{
    void *p = n > SIZE_MAX / size ? NULL : sct_arena_alloc(&g->arena, n * size);
    if (!p)
        return sct_nomem(err);
    memcpy(out, &p, sizeof p);
    return SCT_OK;
}

static void place(const struct sct_cfg_node *n, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%.150s:%u:%u", n->file, n->line, n->column);
}

/* ---- axes ---- */

/* Keys that a grid says in its own way, or that a cell cannot have. */
static const struct {
    const char *key, *why;
} not_in_cells[] = {
    {"seed", "say it in seeds"},
    {"protocol", "what is searched is judged by the validation list, what is reported by the "
                 "test list"},
    {"output", "the grid has one folder (--output)"},
    {"adapter", "every cell starts from the base"},
    {"json", "it is the grid's (--json)"},
    {"quiet", "it is the grid's (--quiet)"},
    {"dry_run", "it is the grid's (--dry-run)"},
    {"profile", "it is for a single run"},
    {"image", "it is not for training"},
    {"site", "it is not for training"},
    {"after", "it is not for training"},
    {"format", "it is not for training"},
    {"dtype", "it is not for training"},
};

static sct_status check_key(const struct sct_cfg_node *n, sct_error *err)
{
    for (size_t i = 0; i < sizeof not_in_cells / sizeof not_in_cells[0]; i++)
        if (strcmp(n->key, not_in_cells[i].key) == 0)
            return sct_cfg_fail(n, err, "%s is no setting of a cell: %s", n->key,
                                not_in_cells[i].why);
    return SCT_OK;
}

static sct_status check_keys(const struct sct_cfg_node *map, sct_error *err)
{
    for (const struct sct_cfg_node *n = map ? map->first : NULL; n; n = n->next)
        SCT_TRY(check_key(n, err));
    return SCT_OK;
}

/* A list of one or more scalars. */
static sct_status check_values(const struct sct_cfg_node *n, sct_error *err)
{
    if (n->kind != SCT_CFG_SEQUENCE || n->n == 0)
        return sct_cfg_fail(n, err, "expected a list of values for %s, as [1, 2]", n->key);
    for (const struct sct_cfg_node *v = n->first; v; v = v->next) {
        if (v->kind != SCT_CFG_SCALAR)
            return sct_cfg_fail(v, err, "expected a single value in the list of %s", n->key);
        for (const struct sct_cfg_node *w = n->first; w != v; w = w->next)
            if (w->text == v->text || (w->text && v->text && strcmp(w->text, v->text) == 0))
                return sct_cfg_fail(v, err, "%s has the value %s twice", n->key,
                                    v->text ? v->text : "null");
    }
    return SCT_OK;
}

/* Adds the keys of map to axes; one that is there already is replaced. */
static sct_status add_axes(const struct sct_cfg_node *map, struct sct_grid_axis *axis,
                           uint32_t *n, sct_error *err)
{
    for (const struct sct_cfg_node *c = map ? map->first : NULL; c; c = c->next) {
        uint32_t i = 0;
        SCT_TRY(check_key(c, err));
        SCT_TRY(check_values(c, err));
        while (i < *n && strcmp(axis[i].key, c->key) != 0)
            i++;
        if (i == SCT_GRID_AXES)
            return sct_cfg_fail(c, err, "more than %d keys to vary", SCT_GRID_AXES);
        axis[i] = (struct sct_grid_axis){c->key, c->first, c->n};
        *n += i == *n;
    }
    return SCT_OK;
}

static const char *bare(const char *key)
{
    return strncmp(key, "options.", 8) == 0 ? key + 8 : key;
}

static const struct sct_cfg_node *value_at(const struct sct_grid_axis *a, uint32_t i)
{
    const struct sct_cfg_node *v = a->first;
    while (i--)
        v = v->next;
    return v;
}

/* Number of combinations, 1 for no axis; SCT_EUSAGE when there are too many. */
static sct_status combinations(const struct sct_cfg_node *at, const struct sct_grid_axis *axis,
                               uint32_t n, uint32_t *out, sct_error *err)
{
    uint64_t all = 1;
    for (uint32_t i = 0; i < n && all <= SCT_GRID_ROWS; i++)
        all *= axis[i].n;
    if (all > SCT_GRID_ROWS)
        return sct_cfg_fail(at, err, "more than %d combinations of values", SCT_GRID_ROWS);
    *out = (uint32_t)all;
    return SCT_OK;
}

/* The value of axis i in a combination; the first axis varies slowest. */
static const struct sct_cfg_node *chosen_value(const struct sct_grid_axis *axis, uint32_t n,
                                               uint32_t combo, uint32_t i)
{
    uint32_t below = 1;
    for (uint32_t k = i + 1; k < n; k++)
        below *= axis[k].n;
    return value_at(&axis[i], combo / below % axis[i].n);
}

const struct sct_cfg_node *sct_grid_combo_value(const struct sct_grid_row *row, uint32_t combo,
                                                uint32_t axis)
{
    return chosen_value(row->search, row->n_search, combo, axis);
}

void sct_grid_combo_text(const struct sct_grid_row *row, uint32_t combo, char *buf, size_t size)
{
    size_t at = 0;
    buf[0] = 0;
    for (uint32_t i = 0; i < row->n_search && at < size; i++) {
        const struct sct_cfg_node *v = sct_grid_combo_value(row, combo, i);
        at += (size_t)snprintf(buf + at, size - at, "%s%s=%s", i ? " " : "",
                               bare(row->search[i].key), v->text ? v->text : "null");
    }
}

/* ---- rows ---- */

static sct_status new_row(struct sct_grid *g, const struct sct_cfg_node *item,
                          const char *strategy, const char *label,
                          const struct sct_grid_axis *axis, uint32_t n, uint32_t combo,
                          sct_error *err)
{
    SCT_TRY(
        sct_grow((void **)&g->row, &g->cap_row, (uint64_t)g->n_row + 1, sizeof *g->row, err));
    struct sct_grid_row *r = &g->row[g->n_row];
    memset(r, 0, sizeof *r);
    r->map = item->kind == SCT_CFG_MAPPING ? item : NULL;
    SCT_TRY(alloc(g, &r->pick, (size_t)n + 1, sizeof *r->pick, err));
    struct sct_pick *p = &r->pick[r->n_pick++];
    p->key = "strategy";
    p->text = strategy;
    place(item, p->where, sizeof p->where);
    NEW(g, r->label, "%s", label);
    for (uint32_t i = 0; i < n; i++) {
        const struct sct_cfg_node *v = chosen_value(axis, n, combo, i);
        p = &r->pick[r->n_pick++];
        p->key = axis[i].key;
        p->text = v->text;
        place(v, p->where, sizeof p->where);
        if (axis[i].n > 1)
            NEW(g, r->label, "%s %s=%s", r->label, bare(p->key), v->text ? v->text : "null");
    }
    for (uint32_t i = 0; i < g->n_row; i++)
        if (strcmp(g->row[i].label, r->label) == 0)
            return sct_cfg_fail(item, err, "there are two rows \"%s\"; give one a label",
                                r->label);
    g->n_row++;
    return SCT_OK;
}

/* One name, or a list of strategies that compose. names: a line each, as settings have them;
 * label: "lora+sct". */
static sct_status read_names(struct sct_grid *g, const struct sct_cfg_node *item,
                             const char **names, const char **label, sct_error *err)
{
    const struct sct_cfg_node *list = item->first;
    while (list && strcmp(list->key, "strategy") != 0)
        list = list->next;
    if (!list || list->kind != SCT_CFG_SEQUENCE) {
        SCT_TRY(sct_cfg_need_str(item, "strategy", names, err));
        *label = *names;
        return SCT_OK;
    }
    if (!list->n)
        return sct_cfg_fail(list, err, "expected the names of strategies, as [lora, sct]");
    *names = NULL;
    for (const struct sct_cfg_node *v = list->first; v; v = v->next) {
        if (v->kind != SCT_CFG_SCALAR || !v->text || !*v->text)
            return sct_cfg_fail(v, err, "expected the name of a strategy");
        if (*names)
            NEW(g, *label, "%s+%s", *label, v->text);
        else
            *label = v->text;
        NEW(g, *names, "%s%s%s", *names ? *names : "", *names ? "\n" : "", v->text);
    }
    return SCT_OK;
}

static sct_status read_strategy(struct sct_grid *g, const struct sct_cfg_node *item,
                                sct_error *err)
{
    const struct sct_cfg_node *root = sct_cfg_root(g->cfg), *own = NULL, *all = NULL;
    const bool plain = item->kind == SCT_CFG_SCALAR && item->text && *item->text;
    const char *strategy = plain ? item->text : NULL, *label = strategy;
    struct sct_grid_axis axis[SCT_GRID_AXES];
    struct sct_grid_row like = {0};
    uint32_t n = 0, combos = 0;
    if (!plain && item->kind != SCT_CFG_MAPPING)
        return sct_cfg_fail(item, err,
                            "expected the name of a strategy, or {strategy: NAME, ...}");
    if (!plain) {
        SCT_TRY(check_keys(item, err));
        SCT_TRY(read_names(g, item, &strategy, &label, err));
        SCT_TRY(sct_cfg_str(item, "label", &label, err));
    }
    SCT_TRY(sct_cfg_child(root, "grid", SCT_CFG_MAPPING, &all, err));
    SCT_TRY(add_axes(all, axis, &n, err));
    SCT_TRY(sct_cfg_child(plain ? NULL : item, "grid", SCT_CFG_MAPPING, &own, err));
    SCT_TRY(add_axes(own, axis, &n, err));
    SCT_TRY(sct_cfg_child(root, "search", SCT_CFG_MAPPING, &all, err));
    SCT_TRY(add_axes(all, like.search, &like.n_search, err));
    SCT_TRY(sct_cfg_child(plain ? NULL : item, "search", SCT_CFG_MAPPING, &own, err));
    SCT_TRY(add_axes(own, like.search, &like.n_search, err));
    if (like.n_search)
        SCT_TRY(combinations(item, like.search, like.n_search, &like.combos, err));
    SCT_TRY(combinations(item, axis, n, &combos, err));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < like.n_search; k++)
            if (strcmp(axis[i].key, like.search[k].key) == 0)
                return sct_cfg_fail(axis[i].first, err, "%s is both in grid and in search",
                                    axis[i].key);
    for (uint32_t i = 0; i < combos; i++) {
        SCT_TRY(new_row(g, item, strategy, label, axis, n, i, err));
        struct sct_grid_row *r = &g->row[g->n_row - 1];
        memcpy(r->search, like.search, sizeof r->search);
        r->n_search = like.n_search;
        r->combos = like.combos;
        if (g->n_row > SCT_GRID_ROWS)
            return sct_cfg_fail(item, err, "more than %d rows", SCT_GRID_ROWS);
    }
    return SCT_OK;
}

/* ---- columns ---- */

/* "task:sprites_count" and "sets/sprites_count.yaml" are sprites_count. */
static sct_status name_of(struct sct_grid *g, const char *data, const char **out,
                          sct_error *err)
{
    const char *base = strncmp(data, "task:", 5) == 0 ? data + 5 : data;
    size_t n = strlen(base);
    while (n > 1 && base[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && base[from - 1] != '/')
        from--;
    if (n - from > 5 && strncmp(base + n - 5, ".yaml", 5) == 0)
        n -= 5;
    NEW(g, *out, "%.*s", (int)(n - from), base + from);
    return SCT_OK;
}

static sct_status read_task(struct sct_grid *g, const struct sct_cfg_node *item,
                            struct sct_grid_column *c, sct_error *err)
{
    const char *data = NULL;
    const struct sct_vtab_task *vtab;
    memset(c, 0, sizeof *c);
    c->group = "";
    if (item->kind == SCT_CFG_SCALAR && item->text && *item->text) {
        data = c->data = item->text;
        c->pick[0].key = "data";
        c->pick[0].text = data;
        place(item, c->pick[0].where, sizeof c->pick[0].where);
    } else if (item->kind == SCT_CFG_MAPPING) {
        SCT_TRY(check_keys(item, err));
        SCT_TRY(sct_cfg_str(item, "data", &data, err));
        SCT_TRY(sct_cfg_str(item, "name", &c->task, err));
        c->map = item;
    } else {
        return sct_cfg_fail(item, err,
                            "expected the data of a task, or {data: ..., name: ...}");
    }
    if (!data && !c->task)
        return sct_cfg_fail(item, err, "a task needs data, or a name");
    if (!c->task)
        SCT_TRY(name_of(g, data, &c->task, err));
    vtab =
        data && strncmp(data, "task:", 5) != 0 ? sct_vtab_find(c->task, strlen(c->task)) : NULL;
    if (vtab)
        c->group = vtab->group;
    return sct_cfg_str(c->map, "group", &c->group, err);
}

static sct_status read_columns(struct sct_grid *g, const struct sct_cfg_node *tasks,
                               sct_error *err)
{
    const uint32_t per = g->n_shots ? g->n_shots : 1;
    SCT_TRY(alloc(g, &g->column, (size_t)tasks->n * per, sizeof *g->column, err));
    for (const struct sct_cfg_node *item = tasks->first; item; item = item->next) {
        struct sct_grid_column c;
        SCT_TRY(read_task(g, item, &c, err));
        for (uint32_t i = 0; i < g->n_column; i++)
            if (strcmp(g->column[i].task, c.task) == 0)
                return sct_cfg_fail(item, err, "there are two tasks %s; give one a name",
                                    c.task);
        for (uint32_t k = 0; k < per; k++) {
            struct sct_grid_column *own = &g->column[g->n_column + k];
            *own = c;
            own->name = c.task;
            if (g->n_shots) {
                own->shots = g->shots[k];
                NEW(g, own->name, "%s, %u %s", c.task, own->shots,
                    own->shots == 1 ? "shot" : "shots");
                NEW(g, own->group, "%u %s", own->shots, own->shots == 1 ? "shot" : "shots");
            }
        }
        g->n_column += per;
    }
    return SCT_OK;
}

/* ---- lists of numbers ---- */

static sct_status read_numbers(struct sct_grid *g, const struct sct_cfg_node *map,
                               const char *key, uint32_t min, uint32_t max, uint32_t **out,
                               uint32_t *n, sct_error *err)
{
    const struct sct_cfg_node *list = NULL;
    SCT_TRY(sct_cfg_child(map, key, SCT_CFG_SEQUENCE, &list, err));
    if (!list)
        return SCT_OK;
    SCT_TRY(check_values(list, err));
    SCT_TRY(alloc(g, out, list->n, sizeof **out, err));
    *n = list->n;
    return sct_cfg_u32s(map, key, min, max, *out, *n, err);
}

static sct_status read_seeds(struct sct_grid *g, const struct sct_cfg_node *root,
                             sct_error *err)
{
    static const char *const keys[] = {"shots", NULL};
    const struct sct_cfg_node *few = NULL;
    SCT_TRY(alloc(g, &g->seed, 1, sizeof *g->seed, err)); /* seed 0, if none is said */
    g->n_seed = 1;
    SCT_TRY(read_numbers(g, root, "seeds", 0, UINT32_MAX, &g->seed, &g->n_seed, err));
    g->search_seed = g->seed;
    g->n_search_seed = 1;
    SCT_TRY(read_numbers(g, root, "search_seeds", 0, UINT32_MAX, &g->search_seed,
                         &g->n_search_seed, err));
    SCT_TRY(sct_cfg_child(root, "few_shot", SCT_CFG_MAPPING, &few, err));
    if (!few)
        return SCT_OK;
    SCT_TRY(sct_cfg_only(few, keys, err));
    SCT_TRY(read_numbers(g, few, "shots", 1, 100000, &g->shots, &g->n_shots, err));
    return g->n_shots ? SCT_OK
                      : sct_cfg_fail(few, err, "expected shots: [1, 2, 4], images a class");
}

/* ---- targets, baseline ---- */

static sct_status read_domains(struct sct_grid *g, const struct sct_cfg_node *root,
                               sct_error *err)
{
    static const char *const keys[] = {"name",       "data",         "layout",
                                       "test_list",  "image_root",   "class_map",
                                       "test_limit", "folder_order", "unknown_classes",
                                       "max_pixels", "deep_png",     NULL};
    const struct sct_cfg_node *list = NULL;
    SCT_TRY(sct_cfg_child(root, "domains", SCT_CFG_SEQUENCE, &list, err));
    if (!list)
        return SCT_OK;
    SCT_TRY(alloc(g, &g->target, list->n ? list->n : 1, sizeof *g->target, err));
    for (const struct sct_cfg_node *n = list->first; n; n = n->next) {
        struct sct_grid_target *t = &g->target[g->n_target];
        const char *data = NULL;
        if (n->kind != SCT_CFG_MAPPING)
            return sct_cfg_fail(n, err, "expected {name: ..., data: ..., class_map: ...}");
        SCT_TRY(sct_cfg_only(n, keys, err));
        SCT_TRY(sct_cfg_need_str(n, "data", &data, err));
        SCT_TRY(name_of(g, data, &t->name, err));
        SCT_TRY(sct_cfg_str(n, "name", &t->name, err));
        t->map = n;
        for (uint32_t i = 0; i < g->n_target; i++)
            if (strcmp(g->target[i].name, t->name) == 0)
                return sct_cfg_fail(n, err, "there are two target sets %s; give one a name",
                                    t->name);
        g->n_target++;
    }
    return SCT_OK;
}

static sct_status read_baseline(struct sct_grid *g, const struct sct_cfg_node *root,
                                sct_error *err)
{
    const char *name = NULL;
    struct sct_nearest near;
    g->baseline = SCT_GRID_NONE;
    SCT_TRY(sct_cfg_str(root, "baseline", &name, err));
    if (!name)
        return SCT_OK;
    sct_nearest_init(&near, name);
    for (uint32_t i = 0; i < g->n_row; i++) {
        sct_nearest_offer(&near, g->row[i].label);
        if (strcmp(g->row[i].label, name) == 0)
            g->baseline = (int32_t)i;
    }
    if (g->baseline != SCT_GRID_NONE)
        return SCT_OK;
    const char *best = near.best;
    return sct_cfg_fail(sct_cfg_get(root, "baseline"), err, "there is no row \"%s\"%s%s%s",
                        name, best ? "; did you mean \"" : "", best ? best : "",
                        best ? "\"?" : "");
}

static sct_status read_all(struct sct_grid *g, sct_error *err)
{
    const struct sct_cfg_node *root = sct_cfg_root(g->cfg), *list = NULL;
    SCT_TRY(sct_cfg_only(root, root_keys, err));
    SCT_TRY(name_of(g, g->path, &g->name, err));
    SCT_TRY(sct_cfg_str(root, "name", &g->name, err));
    SCT_TRY(sct_cfg_str(root, "about", &g->about, err));
    if (!*g->name || strchr(g->name, '/') || *g->name == '.')
        return sct_cfg_fail(root, err, "\"%s\" cannot be a name, as it is part of a path",
                            g->name);
    SCT_TRY(sct_cfg_bool(root, "best_on_test", &g->best_on_test, err));
    SCT_TRY(sct_cfg_bool(root, "share", &g->share, err));
    SCT_TRY(sct_cfg_bool(root, "save", &g->save, err));
    SCT_TRY(sct_cfg_child(root, "base", SCT_CFG_MAPPING, &g->base, err));
    SCT_TRY(check_keys(g->base, err));
    SCT_TRY(read_seeds(g, root, err));
    SCT_TRY(sct_cfg_child(root, "tasks", SCT_CFG_SEQUENCE, &list, err));
    if (!list || !list->n)
        return sct_cfg_fail(root, err, "no tasks: expected tasks: [task:sprites_count, ...]");
    SCT_TRY(read_columns(g, list, err));
    SCT_TRY(sct_cfg_child(root, "strategies", SCT_CFG_SEQUENCE, &list, err));
    if (!list || !list->n)
        return sct_cfg_fail(root, err,
                            "no strategies: expected strategies: [linear, sct, ...]");
    for (const struct sct_cfg_node *n = list->first; n; n = n->next)
        SCT_TRY(read_strategy(g, n, err));
    SCT_TRY(read_domains(g, root, err));
    return read_baseline(g, root, err);
}

sct_status sct_grid_open(struct sct_grid *g, const char *path, int argc, char *const *argv,
                         const char *(*env)(const char *), sct_error *err)
{
    char rel[300], found[4096];
    memset(g, 0, sizeof *g);
    g->about = "";
    g->share = 1;
    g->argc = argc;
    g->argv = argv;
    g->env = env;
    const size_t n = strlen(path);
    const bool file = strchr(path, '/') || (n > 5 && strcmp(path + n - 5, ".yaml") == 0);
    (void)snprintf(rel, sizeof rel, "configs/grids/%.200s.yaml", path);
    if (!file && sct_plug_data(rel, found, sizeof found, NULL) != SCT_OK)
        return sct_fail(err, SCT_EUSAGE,
                        "there is no grid %s in configs/grids; a file ends in .yaml", path);
    sct_status rc = SCT_OK;
    g->path = sct_arena_strdup(&g->arena, file ? path : found);
    if (!g->path)
        rc = sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_cfg_load(&g->cfg, g->path, err);
    if (rc == SCT_OK)
        rc = read_all(g, err);
    if (rc != SCT_OK)
        sct_grid_close(g);
    return rc;
}

void sct_grid_close(struct sct_grid *g)
{
    sct_cfg_destroy(&g->cfg);
    sct_free(g->row);
    sct_arena_free(&g->arena);
    memset(g, 0, sizeof *g);
}
