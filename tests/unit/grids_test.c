/* SPDX-License-Identifier: MIT
 * grids_test.c - grids and tables without a device: the cells of a grid, what a search
 * chooses, every figure of a table by hand, and that memory may be short anywhere. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ablate/table.h"
#include "core/io/json.h"
#include "core/plug/module.h"
#include "tests/unit/unit_suite.h"

static const char text[] =
    "name: by hand\n"
    "base: {model: sprite_vit, epochs: 2}\n"
    "tasks:\n"
    "  - {name: a, data: 'task:sprites_red', group: one}\n"
    "  - {name: b, data: 'task:sprites_count', group: one}\n"
    "  - {name: c, data: 'task:sprites_size', group: two}\n"
    "strategies:\n"
    "  - linear\n"
    "  - {strategy: bitfit, search: {lr: [0.1, 0.2], weight_decay: [0, 1]}}\n"
    "seeds: [3, 5]\n"
    "baseline: linear\n";

/* What rows make of tasks, seed by seed: [row][column][seed]. */
static const double top1[2][3][2] = {{{10, 14}, {20, 22}, {60, 62}},
                                     {{20, 20}, {33, 31}, {64, 70}}};

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

static void folder(char *path, size_t size)
{
    (void)snprintf(path, size, "/tmp/sctrun-ablate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

static void write_grid(const char *dir, const char *content, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/g.yaml", dir);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(content, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* Modules and configs are found beside the program, as in the build folder. */
static void start(char *dir, size_t size, char *path, size_t path_size)
{
    sct_error err = SCT_ERROR_INIT;
    char tools[4096];
    (void)snprintf(tools, sizeof tools, "%s/tools", getenv("SCTRUN_TEST_BUILD"));
    ck_assert_msg(sct_plug_init(tools, NULL, &err) == SCT_OK, "%s", err.msg);
    folder(dir, size);
    write_grid(dir, text, path, path_size);
}

static void finish(const char *dir, const char *path)
{
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
    sct_plug_fini();
}

START_TEST(test_cells)
{
    sct_error err = SCT_ERROR_INIT;
    struct sct_grid g;
    struct sct_grid_cell *cell;
    char dir[64], path[96], id[2][SCT_GRID_ID], words[160];
    uint32_t n, searches = 0;
    start(dir, sizeof dir, path, sizeof path);
    ck_assert_msg(sct_grid_open(&g, path, 0, NULL, no_env, &err) == SCT_OK, "%s", err.msg);
    ck_assert_int_eq(sct_grid_cells(&g, &cell, &n, &err), SCT_OK);
    /* a column: four combinations with the first seed, then two rows with two seeds */
    ck_assert_uint_eq(n, 3 * (4 + 2 * 2));
    for (uint32_t i = 0; i < n; i++) {
        searches += cell[i].search;
        ck_assert(i == 0 || cell[i].column >= cell[i - 1].column);
    }
    ck_assert_uint_eq(searches, 12);
    sct_grid_combo_text(&g.row[1], 1, words, sizeof words);
    ck_assert_str_eq(words, "lr=0.1 weight_decay=1");
    /* the settings of a search are not those of a report, and an id knows the difference */
    for (uint32_t k = 0; k < 2; k++) {
        const struct sct_grid_cell c = {1, 0, 0, k == 1, 2};
        struct sct_settings_run run;
        ck_assert_msg(sct_grid_settings(&g, &c, &run, &err) == SCT_OK, "%s", err.msg);
        ck_assert_uint_eq(run.s.protocol, k);
        ck_assert_uint_eq(run.s.seed_low, 3);
        ck_assert_uint_eq(run.s.epochs, 2);
        ck_assert_double_eq_tol((double)run.s.lr, 0.2, 1e-6);
        ck_assert_str_eq(run.s.strategy, "bitfit");
        ck_assert_str_eq(run.s.data, "task:sprites_red");
        ck_assert_int_eq(sct_grid_id(&g, &c, &run, id[k], NULL, &err), SCT_OK);
        sct_settings_fini(&run);
    }
    ck_assert_str_ne(id[0], id[1]);
    sct_free(cell);
    sct_grid_close(&g);
    finish(dir, path);
}

END_TEST

/* Results as if all had been run: combination 2 is best on the validation list everywhere. */
static struct sct_cell_result *results(const struct sct_grid_cell *cell, uint32_t n)
{
    struct sct_cell_result *r = calloc(n, sizeof *r);
    ck_assert_ptr_nonnull(r);
    for (uint32_t i = 0; i < n; i++) {
        const struct sct_grid_cell *c = &cell[i];
        r[i].status = SCT_CELL_OK;
        r[i].top1 = c->search ? (c->combo == 2 ? 50 : 40) : top1[c->row][c->column][c->seed];
        r[i].trainable = c->row ? 107 : 7;
        r[i].head = 7;
        r[i].seconds = c->row + 1;
        r[i].peak_bytes = (c->row + 1) * 1048576u;
        r[i].curve[0] = 1.5;
        r[i].n_curve = 1;
    }
    return r;
}

static void figure_is(const struct sct_figure *f, double mean, double deviation, uint32_t n)
{
    ck_assert_double_eq_tol(f->mean, mean, 1e-9);
    ck_assert_double_eq_tol(f->deviation, deviation, 1e-9);
    ck_assert_uint_eq(f->n, n);
}

static void check_figures(const struct sct_table *t)
{
    const double root2 = sqrt(2);
    const struct sct_table_row *linear = &t->row[0], *bitfit = &t->row[1];
    figure_is(&linear->column[0], 12, 2 * root2, 2);
    figure_is(&bitfit->column[1], 32, root2, 2);
    /* group one: seeds 15 and 18; group two: 60, 62; their mean: 37.5, 40; of all: 30, 98/3 */
    figure_is(&linear->group[0], 16.5, 1.5 * root2, 2);
    figure_is(&linear->group[1], 61, root2, 2);
    figure_is(&linear->of_groups, 38.75, 1.25 * root2, 2);
    figure_is(&linear->of_tasks, 94.0 / 3, 4.0 / 3 * root2, 2);
    /* differences 10 6 13 9 4 8; t and p by scipy.stats.ttest_1samp */
    ck_assert_uint_eq(bitfit->versus.n, 6);
    ck_assert_double_eq_tol(bitfit->versus.mean, 50.0 / 6, 1e-9);
    ck_assert_double_eq_tol(bitfit->versus.t, 6.498441, 1e-5);
    ck_assert_double_eq_tol(bitfit->versus.p, 0.0012880569, 1e-9);
    ck_assert_double_eq_tol(bitfit->p_holm, bitfit->versus.p, 1e-12);
    ck_assert(isnan(linear->versus.p));
    ck_assert_double_eq(linear->params, 0);
    ck_assert_double_eq(bitfit->params, 100);
    ck_assert_double_eq(bitfit->seconds, 2);
    ck_assert_double_eq(bitfit->peak_bytes, 2097152);
    ck_assert_str_eq(bitfit->chosen[2], "lr=0.2 weight_decay=0");
}

/* No figure, and no "nan" in any form. */
static void nothing_at_all(const struct sct_grid *g, const struct sct_grid_cell *cell,
                           struct sct_cell_result *r, char (*id)[SCT_GRID_ID], uint32_t n)
{
    sct_error err = SCT_ERROR_INIT;
    struct sct_table t;
    for (uint32_t i = 0; i < n; i++)
        r[i].status = SCT_CELL_MISSING;
    ck_assert_int_eq(sct_table_make(&t, g, cell, r, id, n, &err), SCT_OK);
    char *form[3] = {sct_table_markdown(&t), sct_table_csv(&t), sct_table_html(&t)};
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(form[i]);
        ck_assert_msg(!strstr(form[i], "nan") && !strstr(form[i], "inf\"") &&
                          !strstr(form[i], "inf "),
                      "form %d", i);
        sct_free(form[i]);
    }
    json_t *tree = sct_table_json(&t);
    ck_assert(tree && json_is_null(json_object_get(
                          json_object_get(json_array_get(json_object_get(tree, "rows"), 0),
                                          "mean_of_columns"),
                          "mean")));
    json_decref(tree);
    sct_table_fini(&t);
}

START_TEST(test_table)
{
    sct_error err = SCT_ERROR_INIT;
    struct sct_grid g;
    struct sct_grid_cell *cell;
    struct sct_table t;
    char dir[64], path[96];
    uint32_t n, missing;
    start(dir, sizeof dir, path, sizeof path);
    ck_assert_msg(sct_grid_open(&g, path, 0, NULL, no_env, &err) == SCT_OK, "%s", err.msg);
    ck_assert_int_eq(sct_grid_cells(&g, &cell, &n, &err), SCT_OK);
    struct sct_cell_result *r = results(cell, n);
    char(*id)[SCT_GRID_ID] = calloc(n, sizeof *id);
    ck_assert_int_eq(sct_table_make(&t, &g, cell, r, id, n, &err), SCT_OK);
    check_figures(&t);
    sct_table_fini(&t);
    /* equal accuracy: the smaller loss, then the first */
    for (uint32_t i = 0; i < n; i++) {
        r[i].top1 = cell[i].search ? 40 : r[i].top1;
        r[i].loss = cell[i].combo == 3 ? 0.5 : 1;
    }
    ck_assert_int_eq(sct_table_choose(&g, cell, r, n, 1, 0, &missing), 3);
    for (uint32_t i = 0; i < n; i++)
        r[i].loss = 1;
    ck_assert_int_eq(sct_table_choose(&g, cell, r, n, 1, 0, &missing), 0);
    /* one that failed is out; one that is missing is told */
    for (uint32_t i = 0; i < n; i++)
        r[i].status = cell[i].search && cell[i].combo == 0 ? SCT_CELL_FAILED : r[i].status;
    ck_assert_int_eq(sct_table_choose(&g, cell, r, n, 1, 0, &missing), 1);
    ck_assert_uint_eq(missing, 0);
    for (uint32_t i = 0; i < n; i++)
        r[i].status = cell[i].search ? SCT_CELL_MISSING : r[i].status;
    ck_assert_int_eq(sct_table_choose(&g, cell, r, n, 1, 0, &missing), SCT_GRID_NONE);
    ck_assert_uint_eq(missing, 4);
    /* without one cell: no mean over what it is part of, and one pair less */
    for (uint32_t i = 0; i < n; i++)
        if (!cell[i].search && cell[i].row == 1 && cell[i].column == 0 && cell[i].seed == 1)
            r[i].status = SCT_CELL_FAILED;
    ck_assert_int_eq(sct_table_make(&t, &g, cell, r, id, n, &err), SCT_OK);
    ck_assert_uint_eq(t.row[1].column[0].n, 1);
    ck_assert(isnan(t.row[1].column[0].deviation));
    figure_is(&t.row[1].group[1], 67, 3 * sqrt(2), 2);
    ck_assert_uint_eq(t.row[1].group[0].n, 1);
    ck_assert_double_eq_tol(t.row[1].of_groups.mean, 45.25, 1e-9);
    ck_assert_uint_eq(t.row[1].versus.n, 5);
    ck_assert_uint_eq(t.row[1].failed, 1);
    sct_table_fini(&t);
    nothing_at_all(&g, cell, r, id, n);
    free(id);
    free(r);
    sct_free(cell);
    sct_grid_close(&g);
    finish(dir, path);
}

END_TEST

/* Everything up to the page; what it returned. */
static sct_status whole(const char *path, struct sct_cell_result *r, char (*id)[SCT_GRID_ID])
{
    sct_error err = SCT_ERROR_INIT;
    struct sct_grid g;
    struct sct_grid_cell *cell = NULL;
    struct sct_table t;
    struct sct_settings_run run;
    char own[SCT_GRID_ID];
    uint32_t n = 0;
    sct_status rc = sct_grid_open(&g, path, 0, NULL, no_env, &err);
    if (rc != SCT_OK)
        return rc;
    rc = sct_grid_cells(&g, &cell, &n, &err);
    if (rc == SCT_OK)
        rc = sct_grid_settings(&g, &cell[0], &run, &err);
    if (rc == SCT_OK) {
        rc = sct_grid_id(&g, &cell[0], &run, own, NULL, &err);
        sct_settings_fini(&run);
    }
    if (rc == SCT_OK)
        rc = sct_table_make(&t, &g, cell, r, id, n, &err);
    if (rc == SCT_OK) {
        char *md = sct_table_markdown(&t), *csv = sct_table_csv(&t), *html = sct_table_html(&t);
        rc = md && csv && html ? SCT_OK : SCT_ENOMEM;
        sct_free(md);
        sct_free(csv);
        sct_free(html);
        sct_table_fini(&t);
    }
    sct_free(cell);
    sct_grid_close(&g);
    return rc;
}

START_TEST(test_memory)
{
    sct_error err = SCT_ERROR_INIT;
    struct sct_grid g;
    struct sct_grid_cell *cell;
    char dir[64], path[96];
    uint32_t n, failed = 0;
    start(dir, sizeof dir, path, sizeof path);
    ck_assert_int_eq(sct_grid_open(&g, path, 0, NULL, no_env, &err), SCT_OK);
    ck_assert_int_eq(sct_grid_cells(&g, &cell, &n, &err), SCT_OK);
    struct sct_cell_result *r = results(cell, n);
    char(*id)[SCT_GRID_ID] = calloc(n, sizeof *id);
    sct_free(cell);
    sct_grid_close(&g);
    (void)sct_mem_fail_at(0, 0);
    ck_assert_int_eq(whole(path, r, id), SCT_OK);
    const uint64_t all = sct_mem_fail_at(0, 0);
    for (uint64_t i = 1; i <= all; i++) {
        (void)sct_mem_fail_at(i, 1);
        const sct_status rc = whole(path, r, id);
        (void)sct_mem_fail_at(0, 0);
        ck_assert_msg(rc == SCT_ENOMEM, "allocation %u of %u: status %d", (unsigned)i,
                      (unsigned)all, (int)rc);
        failed++;
    }
    ck_assert_uint_gt(failed, 40);
    free(id);
    free(r);
    finish(dir, path);
}

END_TEST

Suite *grids_suite(void)
{
    Suite *s = suite_create("grids");
    TCase *t = tcase_create("grids");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_cells);
    tcase_add_test(t, test_table);
    tcase_add_test(t, test_memory);
    suite_add_tcase(s, t);
    return s;
}
