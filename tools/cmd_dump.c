/* SPDX-License-Identifier: MIT
 * cmd_dump.c - sctrun dump: values of sites for one picture, or graph and plan as text. */
#include <string.h>

#include "core/base/status.h"
#include "core/checkpoint/npy.h"
#include "core/io/file.h"
#include "core/peft/pattern.h"
#include "tools/cli.h"

static sct_status write_site(const struct sct_evaluator *e, const char *dir, const char *path,
                             sct_error *err)
{
    const struct sct_desc *d = sct_exec_desc(e->x, path);
    float *v = sct_calloc((size_t)sct_desc_count(d), sizeof *v);
    char name[256];
    (void)snprintf(name, sizeof name, "%.240s.npy", path);
    char *file = sct_path_join(dir, name);
    sct_status rc = v && file ? sct_exec_fetch(e->x, path, v, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_npy_write(file, SCT_F32, d->dim, d->nd, v, err);
    if (rc == SCT_OK)
        printf("%s\n", file);
    sct_free(v);
    sct_free(file);
    return rc;
}

static sct_status dump_sites(struct sct_session *x, const char *site, const char *image,
                             const char *dir, sct_error *err)
{
    struct cli_images im = {0};
    struct sct_evaluator e = {0};
    const size_t one = (size_t)x->pre.size * x->pre.size * 3;
    sct_status rc = cli_images_add(&im, image, err);
    uint8_t *data = rc == SCT_OK ? sct_calloc(im.n, one) : NULL;
    if (rc == SCT_OK && !data)
        rc = sct_nomem(err);
    for (uint32_t i = 0; i < im.n && rc == SCT_OK; i++)
        rc = cli_images_load(&im, i, x, data + i * one, err);
    if (rc == SCT_OK)
        rc = sct_session_model(x, im.n, false, err);
    if (rc == SCT_OK)
        rc = sct_evaluator_open(&e, x, &site, 1, err);
    if (rc == SCT_OK)
        rc = sct_dir_make_new(dir, err);
    if (rc == SCT_OK)
        rc = sct_evaluate_images(&e, data, im.n, err);
    for (uint32_t i = 0; rc == SCT_OK && i < x->model->n_site; i++) {
        const char *path = x->model->site[i].path;
        const sct_val v = sct_graph_find(sct_exec_plan(e.x)->g, path);
        const struct sct_value *val = sct_graph_value(sct_exec_plan(e.x)->g, v);
        if (val && val->output && sct_pattern_match(site, path)) /* logits are always one */
            rc = write_site(&e, dir, path, err);
    }
    sct_evaluator_close(&e);
    sct_free(data);
    cli_images_free(&im);
    return rc;
}

/* The training graph of the run (sctrun dump without --site): text, dot, or the finished plan.
 */
static sct_status dump_graph(struct sct_session *x, const char *what, sct_error *err)
{
    struct sct_graph *g = NULL;
    struct sct_plan *plan = NULL;
    struct sct_optim o = {0};
    struct sct_plan_opts po;
    const struct sct_optim_opts oo = sct_train_optim_opts(x->s);
    char *text = NULL;
    SCT_TRY(sct_session_plan_opts(x, &po, err));
    sct_status rc = sct_session_model(x, x->s->batch_size, true, err);
    if (rc == SCT_OK)
        rc = sct_graph_train(&g, x->model, &oo, &o, false, err);
    if (rc == SCT_OK && strcmp(what, "graph") == 0)
        text = sct_graph_dump(g);
    else if (rc == SCT_OK && strcmp(what, "dot") == 0)
        text = sct_graph_dot(g);
    else if (rc == SCT_OK && (strcmp(what, "plan") == 0 || strcmp(what, "memory") == 0)) {
        po.after = x->s->after;
        rc = sct_plan_create(&plan, g, x->device.be, x->device.dev, &x->device.info, &po, err);
        if (rc == SCT_OK)
            text = strcmp(what, "plan") == 0 ? sct_plan_dump(plan) : sct_plan_memory_text(plan);
    } else if (rc == SCT_OK) {
        rc = sct_fail(err, SCT_EUSAGE,
                      "dump: expected graph, dot, plan or memory, found \"%s\"", what);
    }
    if (rc == SCT_OK && text)
        fputs(text, stdout);
    else if (rc == SCT_OK)
        rc = sct_nomem(err);
    sct_free(text);
    sct_plan_destroy(&plan);
    sct_graph_destroy(&g);
    sct_optim_fini(&o);
    return rc;
}

sct_status cmd_dump(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    const struct sct_settings *s = &run.s;
    c->quiet |= s->quiet != 0;
    sct_status rc = cli_words(&run, s->site ? 0 : 1, "dump", err);
    if (s->site && !s->image)
        rc = sct_fail(err, SCT_EUSAGE, "dump --site needs --image FILE");
    if (rc == SCT_OK)
        rc = sct_session_open(&x, &run,
                              SCT_NEED_DEVICE | (s->site ? 0 : SCT_NEED_TRAIN | SCT_NEED_TEST),
                              cli_env, cli_log, c, err);
    if (rc == SCT_OK) {
        rc = s->site ? dump_sites(&x, s->site, s->image, s->output ? s->output : "dump", err)
                     : dump_graph(&x, run.n_word ? run.word[0] : "plan", err);
        sct_session_close(&x);
    }
    sct_settings_fini(&run);
    return rc;
}
