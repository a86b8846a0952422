/* SPDX-License-Identifier: MIT
 * cmd_calibrate.c - sctrun calibrate: what a strategy chooses and by which scores, without
 * training; or, with results of that, how far several agree. */
#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/peft/adapter_diff.h"
#include "tools/calibrate.h"

enum { MATRIX = 32 }; /* lists of which a matrix is printed */

/* ---- overlaps ---- */

static sct_status pair(struct overlaps *o, const struct sct_choices *c, uint32_t i, uint32_t k,
                       sct_error *err)
{
    const struct sct_choice_list *a = &c->list[i], *b = &c->list[k];
    const uint32_t shorter = a->k < b->k ? a->k : b->k;
    uint32_t both = 0, either = 1;
    double overlap = -1, jaccard = -1;
    if (sct_choices_alike(a, b)) {
        SCT_TRY(sct_index_both(a->idx, a->k, b->idx, b->k, &both, &either, err));
        overlap = (double)both / (double)shorter;
        jaccard = (double)both / (double)either;
    }
    o->overlap[(size_t)i * c->n + k] = o->overlap[(size_t)k * c->n + i] = overlap;
    o->jaccard[(size_t)i * c->n + k] = o->jaccard[(size_t)k * c->n + i] = jaccard;
    return SCT_OK;
}

sct_status overlaps_make(struct overlaps *o, const struct sct_choices *c, sct_error *err)
{
    const size_t cells = (size_t)c->n * c->n + 1;
    o->overlap = sct_calloc(cells, sizeof *o->overlap);
    o->jaccard = sct_calloc(cells, sizeof *o->jaccard);
    sct_status rc = o->overlap && o->jaccard ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; i < c->n; i++)
        for (uint32_t k = 0; k <= i && rc == SCT_OK; k++)
            rc = pair(o, c, i, k, err);
    if (rc != SCT_OK)
        overlaps_free(o);
    return rc;
}

void overlaps_free(struct overlaps *o)
{
    sct_free(o->overlap);
    sct_free(o->jaccard);
    *o = (struct overlaps){NULL, NULL};
}

/* ---- printing ---- */

/* Of the scores: the sum over all units, over the chosen ones by their part, the least score of
 * a chosen unit, the largest of one that is not. */
struct scores {
    double all, chosen, least, most;
};

static struct scores sums(const struct sct_choice_list *l)
{
    struct scores s = {0, 0, INFINITY, 0};
    const double per = (double)l->of / (double)l->units;
    for (uint32_t u = 0; l->score && u < l->units; u++) {
        s.all += l->score[u];
        s.chosen += l->score[u] * (double)l->count[u] / per;
        if (l->count[u])
            s.least = fmin(s.least, l->score[u]);
        else
            s.most = fmax(s.most, l->score[u]);
    }
    return s;
}

static void print_list(const struct sct_choice_list *l)
{
    const struct scores s = sums(l);
    printf("%-24s %-28s %8u %8u", l->name, l->where, l->k, l->of);
    if (!l->score)
        printf("\n");
    else
        printf(" %6.1f%% %10.4g %10.4g\n", s.all > 0 ? 100 * s.chosen / s.all : 0, s.least,
               s.most);
}

static void print_chosen(const struct sct_choice_list *l)
{
    printf("%s:", l->name);
    for (uint32_t i = 0; i < l->k; i++)
        printf(" %d", (int)l->idx[i]);
    putchar('\n');
}

static void print_matrix(const struct sct_choices *c, const struct overlaps *o)
{
    printf("overlap, |A and B| / K; by chance K / channels:\n%-24s", "");
    for (uint32_t k = 0; k < c->n; k++)
        printf(" %4u", k);
    putchar('\n');
    for (uint32_t i = 0; i < c->n; i++) {
        printf("%3u %-20s", i, c->list[i].name);
        for (uint32_t k = 0; k < c->n; k++) {
            const double v = o->overlap[(size_t)i * c->n + k];
            if (v < 0)
                printf("    -");
            else
                printf(" %4.2f", v);
        }
        putchar('\n');
    }
}

/* "6.1%  1 x 384 trained": what became of every parameter that was measured. */
static void print_params(const struct sct_choices *c)
{
    double all = 0;
    for (uint32_t i = 0; i < c->n_param; i++)
        all += c->param[i].score;
    printf("%-36s %9s %7s %9s  %s\n", "parameter", "of", "score", "trained", "as");
    for (uint32_t i = 0; i < c->n_param; i++) {
        const struct sct_choice_param *p = &c->param[i];
        printf("%-36s %9llu %6.1f%% %9llu ", p->where, (unsigned long long)p->of,
               all > 0 ? 100 * p->score / all : 0, (unsigned long long)p->trained);
        for (uint32_t k = 0; k < p->n_tensor; k++)
            printf(" %s", p->tensor[k]);
        putchar('\n');
    }
}

static void print_table(const char *title, const struct sct_choices *c,
                        const struct overlaps *o)
{
    puts(title);
    printf("%-24s %-28s %8s %8s %7s %10s %10s\n", "list", "where", "chosen", "of", "share",
           "least", "left out");
    for (uint32_t i = 0; i < c->n; i++)
        print_list(&c->list[i]);
    for (uint32_t i = 0; i < c->n; i++)
        if (!c->list[i].elements)
            print_chosen(&c->list[i]);
    if (c->n && c->n <= MATRIX)
        print_matrix(c, o);
    if (c->n_param)
        print_params(c);
}

/* ---- JSON ---- */

static json_t *numbers(const double *v, uint32_t n)
{
    json_t *a = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(a, v[i] < 0 ? json_null() : json_real(v[i]));
    return a;
}

static json_t *matrix(const double *v, uint32_t n)
{
    json_t *a = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(a, numbers(v + (size_t)i * n, n));
    return a;
}

static json_t *list_json(const struct sct_choice_list *l)
{
    json_t *chosen = json_array();
    for (uint32_t i = 0; i < l->k; i++)
        json_array_append_new(chosen, json_integer(l->idx[i]));
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "name", l->name, "where", l->where,
                     "kind", l->elements ? "elements" : "channels", "of", (json_int_t)l->of,
                     "units", (json_int_t)l->units, "chosen", chosen, "scores",
                     l->score ? numbers(l->score, l->units) : json_null());
}

static json_t *param_json(const struct sct_choice_param *p)
{
    json_t *tensors = json_array();
    for (uint32_t i = 0; i < p->n_tensor; i++)
        json_array_append_new(tensors, json_string(p->tensor[i]));
    return json_pack("{s:s, s:I, s:f, s:b, s:I, s:o}", "where", p->where, "of",
                     (json_int_t)p->of, "score", p->score, "whole", (int)p->whole, "trained",
                     (json_int_t)p->trained, "tensors", tensors);
}

static json_t *watched_json(const struct sct_session *x)
{
    json_t *a = json_array();
    for (uint32_t i = 0; x->readings && i < x->readings->n; i++) {
        const struct sct_reading *r = &x->readings->item[i];
        const bool value = r->what == SCT_WATCH_SUMSQ_LABEL;
        double sum = 0;
        for (size_t e = 0; e < (size_t)r->rows * r->cols; e++)
            sum += (double)r->value[e];
        json_array_append_new(
            a, json_pack(
                   "{s:s, s:s, s:I, s:I, s:f}", "what", value ? "values" : "gradients", "where",
                   value ? x->model->site[r->id].path : x->model->param[r->id]->name, "rows",
                   (json_int_t)r->rows, "columns", (json_int_t)r->cols, "sum_of_squares", sum));
    }
    return a;
}

static sct_status print_json(const struct sct_session *x, const struct sct_choices *c,
                             const struct overlaps *o, sct_error *err)
{
    json_t *lists = json_array(), *params = json_array();
    for (uint32_t i = 0; i < c->n; i++)
        json_array_append_new(lists, list_json(&c->list[i]));
    for (uint32_t i = 0; i < c->n_param; i++)
        json_array_append_new(params, param_json(&c->param[i]));
    return cli_print_json(
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "strategy",
                  x->tuner.name, "model", x->cfg.name, "data", sct_source_origin(x->train),
                  "images", (json_int_t)sct_source_count(x->train), "classes",
                  (json_int_t)x->cfg.classes, "measured", (json_int_t)x->n_measured,
                  "from_cache", (json_int_t)x->n_read, "lists", lists, "parameters", params,
                  "watched", watched_json(x), "overlap", matrix(o->overlap, c->n), "jaccard",
                  matrix(o->jaccard, c->n)),
        err);
}

/* ---- the command ---- */

static sct_status show(const struct sct_session *x, const struct sct_choices *c, sct_error *err)
{
    struct overlaps o;
    char title[512];
    if (c->n == 0 && !(x->readings && x->readings->n))
        return sct_fail(err, SCT_EUSAGE,
                        "calibrate: strategy %s looks at no data and chooses nothing",
                        x->tuner.name);
    (void)snprintf(title, sizeof title, "%.60s on %.90s: %u images of %.200s, %u classes",
                   x->tuner.name, x->cfg.name, sct_source_count(x->train),
                   sct_source_origin(x->train), x->cfg.classes);
    SCT_TRY(overlaps_make(&o, c, err));
    sct_status rc =
        x->s->picture ? calibrate_picture(x->s->picture, title, c, &o, err) : SCT_OK;
    if (rc == SCT_OK && x->s->json)
        rc = print_json(x, c, &o, err);
    else if (rc == SCT_OK)
        print_table(title, c, &o);
    overlaps_free(&o);
    return rc;
}

static sct_status calibrate(struct sct_session *x, sct_error *err)
{
    struct sct_choices c;
    x->keep_readings = true;
    SCT_TRY(sct_session_model(x, x->s->batch_size, true, err));
    SCT_TRY(sct_choices_find(&c, x->model, x->readings, err));
    const sct_status rc = show(x, &c, err);
    sct_choices_fini(&c);
    return rc;
}

static sct_status run_session(struct cli *c, struct sct_settings_run *run, sct_error *err)
{
    struct sct_session x;
    if (run->s.adapter)
        return sct_fail(
            err, SCT_EUSAGE,
            "calibrate: an adapter has chosen already: inspect or diff %s, or leave "
            "out --adapter",
            run->s.adapter);
    if (run->s.dry_run)
        return sct_fail(err, SCT_EUSAGE, "calibrate --dry-run would choose by nothing");
    SCT_TRY(
        sct_session_open(&x, run, SCT_NEED_TRAIN | SCT_NEED_DEVICE, cli_env, cli_log, c, err));
    const sct_status rc = calibrate(&x, err);
    sct_session_close(&x);
    return rc;
}

sct_status cmd_calibrate(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, true, err));
    c->quiet |= run.s.quiet != 0;
    sct_status rc;
    if (run.n_word == 1)
        rc = sct_fail(err, SCT_EUSAGE,
                      "calibrate: two or more results to compare, found %s; or no words and "
                      "--data",
                      run.word[0]);
    else if (run.n_word && run.s.picture)
        rc = sct_fail(err, SCT_EUSAGE, "--picture shows one calibration, not a comparison");
    else
        rc = run.n_word ? calibrate_compare(run.word, run.n_word, run.s.json != 0, err)
                        : run_session(c, &run, err);
    sct_settings_fini(&run);
    return rc;
}
