/* SPDX-License-Identifier: MIT
 * plans.c - training and evaluation graphs, cut where a frozen part's features are kept. */
#include "core/train/plans.h"

#include <string.h>

#include "core/base/status.h"
#include "core/train/loop.h"

static sct_status plan_of(struct sct_plan **plan, struct sct_session *x, struct sct_graph *g,
                          bool train, sct_error *err)
{
    struct sct_plan_opts o;
    SCT_TRY(sct_session_plan_opts(x, &o, err));
    if (!train)
        o.checkpoint = SCT_CHECKPOINT_NONE;
    return sct_plan_create(plan, g, x->device.be, x->device.dev, &x->device.info, &o, err);
}

/* Training goes first: it reads its pictures more often. */
static sct_status features(struct sct_train_plans *p, struct sct_session *x,
                           struct sct_graph *train, struct sct_graph *eval, uint64_t steps,
                           uint32_t evals, bool dry, sct_error *err)
{
    uint64_t budget = x->feature_bytes;
    const uint64_t batch = x->model->g->batch, limit = x->s->test_limit;
    const uint32_t n = sct_source_count(x->train), n_test = sct_source_count(x->test);
    const struct sct_features_of a = {x->train_loader, x->train, n, steps * batch > n ? 2u : 1u,
                                      true},
                                 b = {x->test_loader, x->test,
                                      limit && limit < n_test ? (uint32_t)limit : n_test,
                                      p->optim.average ? 2 * evals : evals, false};
    SCT_TRY(sct_features_make(&p->train_f, x, train, &a, &budget, dry, err));
    return sct_features_make(&p->eval_f, x, eval, &b, &budget, dry, err);
}

/* The evaluation as it is planned, features and all, of the averages. */
static sct_status plan_average(struct sct_train_plans *p, struct sct_session *x,
                               const struct sct_graph *eval, sct_error *err)
{
    struct sct_graph *g = sct_graph_clone(eval);
    if (!g)
        return sct_nomem(err);
    sct_graph_use_average(g, x->model, &p->optim);
    const sct_status rc = plan_of(&p->average, x, g, false, err);
    sct_graph_destroy(&g);
    return rc;
}

sct_status sct_train_plans_make(struct sct_train_plans *p, struct sct_session *x,
                                uint64_t steps, uint32_t evals, bool dry, sct_error *err)
{
    struct sct_graph *train = NULL, *eval = NULL;
    const struct sct_optim_opts oo = sct_train_optim_opts(x->s);
    memset(p, 0, sizeof *p);
    sct_status rc = sct_graph_train(&train, x->model, &oo, &p->optim, false, err);
    if (rc == SCT_OK)
        rc = sct_graph_eval(&eval, x->model, NULL, 0, err);
    if (rc == SCT_OK)
        rc = features(p, x, train, eval, steps, evals, dry, err);
    if (rc == SCT_OK)
        rc = plan_of(&p->train, x, train, true, err);
    if (rc == SCT_OK)
        rc = plan_of(&p->eval, x, eval, false, err);
    if (rc == SCT_OK && p->optim.average)
        rc = plan_average(p, x, eval, err);
    sct_graph_destroy(&train);
    sct_graph_destroy(&eval);
    if (rc != SCT_OK)
        sct_train_plans_fini(p, x);
    return rc;
}

void sct_train_plans_fini(struct sct_train_plans *p, struct sct_session *x)
{
    sct_plan_destroy(&p->train);
    sct_plan_destroy(&p->eval);
    sct_plan_destroy(&p->average);
    sct_features_fini(&p->train_f);
    sct_features_fini(&p->eval_f);
    if (x->device.store && p->optim.n)
        sct_store_forget(x->device.store, p->optim.state, p->optim.n * 2);
    if (x->device.store && p->optim.average)
        sct_store_forget(x->device.store, p->optim.average, p->optim.n);
    sct_optim_fini(&p->optim);
    memset(p, 0, sizeof *p);
}
