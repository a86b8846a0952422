/* SPDX-License-Identifier: MIT
 * cells.c - the cells of a grid: their order, their settings, their names. */
#include <string.h>

#include "core/ablate/grid.h"
#include "core/base/status.h"
#include "core/io/sha256.h"
#include "core/tune/strategies.h"

/* ---- order ---- */

static uint64_t count_cells(const struct sct_grid *g)
{
    uint64_t per_column = 0;
    for (uint32_t r = 0; r < g->n_row; r++)
        per_column += (uint64_t)g->row[r].combos * g->n_search_seed + g->n_seed;
    return per_column * g->n_column;
}

sct_status sct_grid_cells(const struct sct_grid *g, struct sct_grid_cell **cell, uint32_t *n,
                          sct_error *err)
{
    const uint64_t all = count_cells(g);
    *cell = NULL;
    *n = 0;
    if (all > SCT_GRID_CELLS)
        return sct_fail(err, SCT_EUSAGE, "%s: %llu cells, more than %d", g->path,
                        (unsigned long long)all, SCT_GRID_CELLS);
    struct sct_grid_cell *c = sct_calloc((size_t)all, sizeof *c);
    if (!c)
        return sct_nomem(err);
    uint32_t at = 0;
    for (uint32_t k = 0; k < g->n_column; k++) {
        for (uint32_t r = 0; r < g->n_row; r++)
            for (uint32_t m = 0; m < g->row[r].combos; m++)
                for (uint32_t s = 0; s < g->n_search_seed; s++)
                    c[at++] = (struct sct_grid_cell){r, k, s, true, m};
        for (uint32_t s = 0; s < g->n_seed; s++) /* draws of shots are a seed's */
            for (uint32_t r = 0; r < g->n_row; r++)
                c[at++] = (struct sct_grid_cell){r, k, s, false, 0};
    }
    *cell = c;
    *n = at;
    return SCT_OK;
}

static uint32_t seed_of(const struct sct_grid *g, const struct sct_grid_cell *c)
{
    return c->search ? g->search_seed[c->seed] : g->seed[c->seed];
}

void sct_grid_cell_text(const struct sct_grid *g, const struct sct_grid_cell *c, char *buf,
                        size_t size)
{
    const struct sct_grid_row *row = &g->row[c->row];
    char combo[160] = "";
    if (c->search)
        sct_grid_combo_text(row, c->combo, combo, sizeof combo);
    (void)snprintf(buf, size, "%s, %s, seed %u%s%s", row->label, g->column[c->column].name,
                   seed_of(g, c), c->search ? ", search " : "", combo);
}

/* ---- settings ---- */

static const char *const not_settings[] = {"name",   "label",  "group",   "grid",
                                           "search", "groups", "options", NULL};

/* Picks of a cell: the row's, what was chosen, the task, the seed. */
enum { PICKS = 2 * SCT_GRID_AXES + 8 };

struct picks {
    struct sct_pick p[PICKS];
    uint32_t n;
    char number[3][16];
};

static void pick(struct picks *k, const char *key, const char *text, const char *where)
{
    struct sct_pick *p = &k->p[k->n++];
    p->key = key;
    p->text = text;
    (void)snprintf(p->where, sizeof p->where, "%s", where);
}

static void pick_number(struct picks *k, uint32_t slot, const char *key, uint32_t v,
                        const char *where)
{
    (void)snprintf(k->number[slot], sizeof k->number[slot], "%u", v);
    pick(k, key, k->number[slot], where);
}

static void pick_combo(struct picks *k, const struct sct_grid_row *row, uint32_t combo)
{
    for (uint32_t i = 0; i < row->n_search; i++) {
        const struct sct_cfg_node *v = sct_grid_combo_value(row, combo, i);
        char where[192];
        (void)snprintf(where, sizeof where, "%.150s:%u:%u", v->file, v->line, v->column);
        pick(k, row->search[i].key, v->text, where);
    }
}

static void all_picks(const struct sct_grid *g, const struct sct_grid_cell *c, struct picks *k)
{
    const struct sct_grid_row *row = &g->row[c->row];
    const struct sct_grid_column *column = &g->column[c->column];
    k->n = 0;
    for (uint32_t i = 0; i < row->n_pick; i++)
        k->p[k->n++] = row->pick[i];
    if (row->combos)
        pick_combo(k, row, c->combo);
    if (!column->map)
        k->p[k->n++] = column->pick[0];
    pick_number(k, 0, "seed", seed_of(g, c), "seeds");
    if (column->shots) {
        pick_number(k, 1, "shots", column->shots, "few_shot");
        pick_number(k, 2, "shot_seed", seed_of(g, c), "few_shot");
    }
    if (c->search)
        pick(k, "protocol", "tune", "search");
}

/* Flags hold for every cell, so they cannot say what differs between cells. */
static sct_status check_flags(const struct sct_grid *g, const struct sct_grid_column *column,
                              const struct picks *k, const struct sct_settings_run *run,
                              sct_error *err)
{
    static const char *const never[] = {"seed",     "protocol", "adapter",
                                        "strategy", "shots",    "shot_seed"};
    const char *bad = NULL;
    if (column->map && sct_cfg_get(column->map, "data") &&
        sct_opts_source(run->opts, "data") == SCT_OPT_FLAG)
        bad = "data";
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (sct_opts_source(run->opts, never[i]) == SCT_OPT_FLAG)
            bad = never[i];
    for (uint32_t i = 0; i < k->n; i++)
        if (sct_opts_source(run->opts, k->p[i].key) == SCT_OPT_FLAG)
            bad = k->p[i].key;
    if (bad)
        return sct_fail(err, SCT_EUSAGE,
                        "--%s would be the same in every cell of %s, which says it itself", bad,
                        g->path);
    return SCT_OK;
}

/* Without these a cell could only fail. */
static sct_status check_base(const struct sct_grid *g, const struct sct_settings *s,
                             sct_error *err)
{
    if (!s->model && !s->weights)
        return sct_fail(err, SCT_EUSAGE,
                        "%s: no model: say model and weights below base, or --model and "
                        "--weights",
                        g->path);
    if (!s->data)
        return sct_fail(err, SCT_EUSAGE, "%s: no data: say data of the task, or --data DIR",
                        g->path);
    return SCT_OK;
}

sct_status sct_grid_settings(const struct sct_grid *g, const struct sct_grid_cell *c,
                             struct sct_settings_run *run, sct_error *err)
{
    const struct sct_cfg_node *map[3];
    struct picks k;
    uint32_t n = 0;
    if (g->base)
        map[n++] = g->base;
    if (g->column[c->column].map)
        map[n++] = g->column[c->column].map;
    if (g->row[c->row].map)
        map[n++] = g->row[c->row].map;
    all_picks(g, c, &k);
    const struct sct_layers layers = {map, n, not_settings, k.p, k.n};
    SCT_TRY(sct_settings_init_layers(run, &layers, g->argc, g->argv, g->env, err));
    sct_status rc = check_flags(g, &g->column[c->column], &k, run, err);
    if (rc == SCT_OK)
        rc = check_base(g, &run->s, err);
    if (rc == SCT_OK && g->best_on_test && !c->search && !run->s.eval_interval)
        rc =
            sct_fail(err, SCT_EUSAGE,
                     "%s: best_on_test needs eval_interval, the epochs between tests", g->path);
    if (rc == SCT_OK && g->row[c->row].combos && (run->s.train_list || run->s.test_list))
        rc =
            sct_fail(err, SCT_EUSAGE,
                     "%s: train_list and test_list leave no validation list to search on; give "
                     "the data a layout that has one (docs/formats.md)",
                     g->path);
    /* the grid's own, not a cell's */
    run->s.output = NULL;
    run->s.dry_run = run->s.json = run->s.quiet = 0;
    if (rc != SCT_OK)
        sct_settings_fini(run);
    return rc;
}

/* The keys of the list of domains are checked with it; the rest is as the cell has it. */
sct_status sct_grid_target_settings(const struct sct_grid *g, uint32_t target,
                                    const struct sct_settings_run *run,
                                    struct sct_settings_run *out, sct_error *err)
{
    static const char *const names[] = {"name", "options", NULL};
    const struct sct_layers layers = {&g->target[target].map, 1, names, NULL, 0};
    SCT_TRY(sct_settings_init_layers(out, &layers, 0, NULL, g->env, err));
    out->s.cache_bytes = run->s.cache_bytes;
    out->s.batch_size = run->s.batch_size;
    out->s.threads = run->s.threads;
    return SCT_OK;
}

/* ---- names ---- */

/* Options that change where a result goes or how fast it comes, but not the result. */
static bool idle(const char *line)
{
    static const char *const keys[] = {
        "output",       "json",        "quiet",         "dry_run", "profile", "threads",
        "log_interval", "cache_bytes", "feature_bytes", "image",   "site",    "after",
        "format",       "dtype",       "quirks",        "recipe"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const size_t n = strlen(keys[i]);
        if (strncmp(line, keys[i], n) == 0 && line[n] == ':')
            return true;
    }
    return false;
}

static void hash_lines(struct sct_sha256 *h, const char *text)
{
    for (const char *p = text; *p;) {
        const size_t n = strcspn(p, "\n") + 1;
        if (!idle(p))
            sct_sha256_add(h, p, n);
        p += n;
    }
}

/* What targets say, as it stands in the file. */
static void hash_targets(struct sct_sha256 *h, const struct sct_grid *g)
{
    for (uint32_t i = 0; i < g->n_target; i++)
        for (const struct sct_cfg_node *n = g->target[i].map->first; n; n = n->next) {
            sct_sha256_add(h, n->key, strlen(n->key) + 1);
            if (n->text)
                sct_sha256_add(h, n->text, strlen(n->text) + 1);
        }
}

sct_status sct_grid_id(const struct sct_grid *g, const struct sct_grid_cell *c,
                       struct sct_settings_run *run, char id[SCT_GRID_ID], char **args,
                       sct_error *err)
{
    struct sct_tuner tuner;
    struct sct_str s = {0};
    struct sct_sha256 h;
    char hex[SCT_SHA256_HEX];
    if (args)
        *args = NULL;
    SCT_TRY(sct_tuner_open(&tuner, run->s.strategy, run->set, run->n_set, err));
    sct_opts_dump(run->opts, 0, &s);
    sct_str_add(&s, run->n_group ? "groups:\n" : "");
    for (uint32_t i = 0; i < run->n_group; i++)
        sct_group_rule_dump(&run->group[i], &s);
    sct_str_add(&s, "options:\n");
    sct_tuner_dump(&tuner, 2, &s);
    sct_tuner_close(&tuner);
    char *text = sct_str_take(&s);
    if (!text)
        return sct_nomem(err);
    sct_sha256_init(&h);
    hash_lines(&h, text);
    if (!c->search)
        hash_targets(&h, g);
    sct_sha256_end(&h, hex);
    memcpy(id, hex, SCT_GRID_ID - 1);
    id[SCT_GRID_ID - 1] = 0;
    if (args)
        *args = text;
    else
        sct_free(text);
    return SCT_OK;
}
