/* SPDX-License-Identifier: MIT
 * spt.c - SPT, sensitivity-aware parameter-efficient tuning (He et al., ICCV 2023,
 * arXiv 2303.08566; github.com/ziplab/SPT at e385f67). Scores every parameter of the backbone
 * by its squared gradients, and gives the budget to low-rank modules where many entries of a
 * matrix are sensitive, to whole vectors, and to single entries elsewhere. */
#include <string.h>

#include "plugins/spt_plan.h"

struct spt {
    struct spt_options o;
    struct spt_plan plan;
};

#define AT(FIELD) (offsetof(struct spt, o) + offsetof(struct spt_options, FIELD))

static const struct sct_option options[] = {
    {"budget", "trained parameters without the head, in millions", SCT_OPT_FLOAT, AT(budget),
     0.4, 1e-6, 1e4, NULL},
    {"type", "module of a sensitive matrix: low-rank update, or adapter behind it",
     SCT_OPT_CHOICE, AT(type), 0, 0, 0, "lora|adapter"},
    {"r", "rank of a module", SCT_OPT_UINT, AT(rank), 8, 1, 4096, NULL},
    {"structured", "both; structured = no single entries; unstructured = no modules",
     SCT_OPT_CHOICE, AT(structured), 0, 0, 0, "both|structured|unstructured"},
    {"vectors",
     "whole biases and norms may be trained, and adapters have biases (published: "
     "--structured_vector)",
     SCT_OPT_BOOL, AT(vectors), 1, 0, 1, NULL},
    {"norms",
     "single entries of norms: counted and not trained, as the published code does, or trained",
     SCT_OPT_CHOICE, AT(norms), 0, 0, 0, "counted|trained"},
    {"class_token", "train the class token, too", SCT_OPT_BOOL, AT(class_token), 1, 0, 1, NULL},
    {"init", "of the modules: zero = the plain model; trunc_normal = what published runs had",
     SCT_OPT_CHOICE, AT(init), 0, 0, 0, "zero|trunc_normal"},
    {"dropout", "on what a module reads", SCT_OPT_FLOAT, AT(dropout), 0.1, 0, 0.99, NULL},
    {"drop_path", "stochastic depth of a module", SCT_OPT_FLOAT, AT(drop_path), 0.1, 0, 0.99,
     NULL},
    {"alpha", "a module where a matrix has (its parameters) / alpha selected entries",
     SCT_OPT_FLOAT, AT(alpha), 10, 1e-6, 1e9, NULL},
    {"beta", "all of a vector where 1 / beta of it is selected", SCT_OPT_FLOAT, AT(beta), 5,
     1e-6, 1e9, NULL},
    {"step", "thresholds that are tried: step, 2 step, .. entries, in millions", SCT_OPT_FLOAT,
     AT(step), 0.02, 1e-6, 1e4, NULL},
    {"max", "the largest of them", SCT_OPT_FLOAT, AT(max), 1.58, 1e-6, 1e4, NULL},
    {"score", "squares of the gradients of batches (published), or of single images",
     SCT_OPT_CHOICE, AT(score), 0, 0, 0, "batch_sq|sample_sq"},
    {"mode", "scoring with stochastic depth (published), or without", SCT_OPT_CHOICE, AT(mode),
     0, 0, 0, "train|eval"},
    {"batch", "images of a scored batch", SCT_OPT_UINT, AT(batch), 32, 1, 65535, NULL},
    {"batches", "batches that are scored, from the front of the training list; 0 = all",
     SCT_OPT_UINT, AT(batches), 16, 0, 65535, NULL},
    {"plan", "a plan file, .json or .pth (param_req_*.pth), instead of scoring", SCT_OPT_STRING,
     AT(plan), 0, 0, 0, ""},
    {"plan_out", "write the plan to this file, .json or .pth", SCT_OPT_STRING, AT(plan_out), 0,
     0, 0, ""},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

/* A word that will not be understood when the scoring is done is refused before it. */
static sct_status check_ending(const struct sct_strategy_host *h, const char *key,
                               const char *path, sct_error *err)
{
    const char *dot = strrchr(path, '.');
    if (!*path || (dot && (strcmp(dot, ".json") == 0 || strcmp(dot, ".pth") == 0)))
        return SCT_OK;
    return h->fail(err, SCT_EUSAGE, "%s: expected a file called .json or .pth, found %s", key,
                   path);
}

static sct_status observe(void *st, const struct sct_strategy_host *h, sct_model *m,
                          sct_error *err)
{
    struct spt *s = st;
    struct spt_plan p;
    SCT_TRY(check_ending(h, "plan", s->o.plan, err));
    SCT_TRY(check_ending(h, "plan_out", s->o.plan_out, err));
    if (s->o.plan[0])
        return SCT_OK;
    SCT_TRY(spt_plan_init(&p, &s->o, h, m, err));
    sct_status rc = spt_check_budget(&p, &s->o, h, err);
    if (rc == SCT_OK)
        rc = spt_watch(&s->o, &p, h, m, err);
    spt_plan_fini(&p, h);
    return rc;
}

static sct_status score(struct spt *s, const struct sct_strategy_host *h, const sct_readings *r,
                        int dry, sct_error *err)
{
    const float **score = h->alloc(s->plan.n * sizeof *score);
    if (!score)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc = dry ? SCT_OK : spt_scores(&s->plan, h, r, score, err);
    if (rc == SCT_OK)
        rc = spt_select(&s->plan, &s->o, h, score, err);
    h->free(score);
    return rc;
}

/* A plan of less than half the budget is no answer to it, as one of more than twice is none
 * (which the published sweep does not take). */
static sct_status check_total(const struct spt *s, const struct sct_strategy_host *h,
                              sct_error *err)
{
    const double total = (double)spt_total(&s->plan), budget = (double)s->o.budget * 1e6;
    char larger[48] = "";
    if (2.0 * total >= budget)
        return SCT_OK;
    if (!spt_takes_all(&s->plan, &s->o))
        (void)snprintf(larger, sizeof larger, ", or a larger max (%g)", (double)s->o.max);
    return h->fail(err, SCT_EUSAGE,
                   "budget %g is %.0f parameters; the largest plan here has %.0f: take a "
                   "smaller budget%s",
                   (double)s->o.budget, budget, total, larger);
}

static sct_status choose(void *st, const struct sct_strategy_host *h, const sct_model *m,
                         const sct_readings *r, sct_error *err)
{
    struct spt *s = st;
    const int dry = h->dry_run(m);
    SCT_TRY(spt_plan_init(&s->plan, &s->o, h, m, err));
    if (s->o.plan[0])
        SCT_TRY(spt_plan_read(&s->plan, &s->o, h, s->o.plan, err));
    else
        SCT_TRY(score(s, h, r, dry, err));
    if (!s->o.plan[0])
        SCT_TRY(check_total(s, h, err));
    if (!dry || s->o.plan[0])
        spt_plan_tell(&s->plan, &s->o, h);
    return s->o.plan_out[0] && !dry ? spt_plan_write(&s->plan, &s->o, h, s->o.plan_out, err)
                                    : SCT_OK;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct spt *s = st;
    return spt_apply(&s->o, &s->plan, h, m, err);
}

static sct_status save(const void *st, const struct sct_strategy_host *h, sct_adapter *a,
                       sct_error *err)
{
    const struct spt *s = st;
    return spt_plan_save(&s->plan, h, a, err);
}

static sct_status load(void *st, const struct sct_strategy_host *h, const sct_model *m,
                       const sct_adapter *a, sct_error *err)
{
    struct spt *s = st;
    SCT_TRY(spt_plan_init(&s->plan, &s->o, h, m, err));
    return spt_plan_load(&s->plan, &s->o, h, a, err);
}

static void fini(void *st, const struct sct_strategy_host *h)
{
    struct spt *s = st;
    spt_plan_fini(&s->plan, h);
}

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "spt",
        .summary = "SPT: modules, vectors and single entries where the task is sensitive",
        .options = options,
        .state_size = sizeof(struct spt),
        .observe = observe,
        .choose = choose,
        .apply = apply,
        .save = save,
        .load = load,
        .fini = fini,
    };
    return &s;
}
