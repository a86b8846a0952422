/* SPDX-License-Identifier: MIT
 * cmd_predict.c - sctrun predict: classes, probabilities, logits of pictures. */
#include <math.h>

#include "core/base/status.h"
#include "tools/cli.h"

static json_t *numbers(const float *v, uint32_t n)
{
    json_t *a = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(a, sct_json_f32(v[i]));
    return a;
}

/* Softmax in double, stored as float for printing. */
static uint32_t softmax(const float *logit, uint32_t n, float *p)
{
    uint32_t best = 0;
    double sum = 0;
    for (uint32_t i = 1; i < n; i++)
        best = logit[i] > logit[best] ? i : best;
    for (uint32_t i = 0; i < n; i++)
        sum += exp((double)logit[i] - (double)logit[best]);
    for (uint32_t i = 0; i < n; i++)
        p[i] = (float)(exp((double)logit[i] - (double)logit[best]) / sum);
    return best;
}

static sct_status print_one(const struct sct_session *x, const char *file, const float *logit,
                            float *p, uint32_t n, sct_error *err)
{
    const uint32_t best = softmax(logit, n, p);
    const char *const *names = x->info.class_names;
    if (x->s->json)
        return cli_print_json(json_pack("{s:s, s:i, s:s?, s:o, s:o}", "file", file, "class",
                                        (int)best, "name", names ? names[best] : NULL,
                                        "probabilities", numbers(p, n), "logits",
                                        numbers(logit, n)),
                              err);
    printf("%s\t%u\t%s\t%.4f\n", file, best, names ? names[best] : "-", (double)p[best]);
    return SCT_OK;
}

/* What a batch is made of: the pictures that could be read and where they stand. */
struct reading {
    const struct cli_images *im;
    uint32_t next; /* picture to be read */
    uint32_t *at;  /* [batch] */
    uint8_t *data; /* [batch][S][S][3] */
    uint32_t skipped;
};

/* Up to `batch` pictures. With --skip-bad one that cannot be read is named and left out. */
static sct_status read_batch(struct sct_session *x, struct reading *r, uint32_t batch,
                             uint32_t *n, sct_error *err)
{
    const size_t one = (size_t)x->pre.size * x->pre.size * 3;
    for (*n = 0; *n < batch && r->next < r->im->n; r->next++) {
        sct_error why = SCT_ERROR_INIT;
        const sct_status rc = cli_images_load(r->im, r->next, x, r->data + *n * one, &why);
        if (rc == SCT_EDATA && x->s->skip_bad) {
            sct_session_say(x, SCT_LOG_WARN, "left out: %s", why.msg);
            r->skipped++;
            continue;
        }
        if (rc != SCT_OK)
            return sct_fail(err, rc, "%s", why.msg);
        r->at[(*n)++] = r->next;
    }
    return SCT_OK;
}

static sct_status predict_all(struct sct_session *x, struct reading *r, uint32_t batch,
                              struct sct_evaluator *e, sct_error *err)
{
    float *p = sct_calloc(e->classes, sizeof *p);
    sct_status rc = p ? SCT_OK : sct_nomem(err);
    for (uint32_t n = 1; rc == SCT_OK && n > 0;) {
        rc = read_batch(x, r, batch, &n, err);
        if (rc == SCT_OK && n)
            rc = sct_evaluate_images(e, r->data, n, err);
        for (uint32_t k = 0; k < n && rc == SCT_OK; k++)
            rc = print_one(x, r->im->name[r->at[k]], e->logits + (size_t)k * e->classes, p,
                           e->classes, err);
    }
    if (rc == SCT_OK && r->skipped == r->im->n)
        rc = sct_fail(err, SCT_EDATA, "none of the %u pictures can be read", r->im->n);
    sct_free(p);
    return rc;
}

static sct_status predict(struct sct_session *x, const struct cli_images *im, sct_error *err)
{
    struct sct_evaluator e = {0};
    struct reading r = {.im = im};
    const uint32_t batch = im->n < x->s->batch_size ? im->n : x->s->batch_size;
    r.at = sct_calloc(batch, sizeof *r.at);
    r.data = sct_calloc(batch, (size_t)x->pre.size * x->pre.size * 3);
    sct_status rc = r.at && r.data ? sct_session_model(x, batch, false, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_evaluator_open(&e, x, NULL, 0, err);
    if (rc == SCT_OK)
        rc = predict_all(x, &r, batch, &e, err);
    sct_evaluator_close(&e);
    sct_free(r.at);
    sct_free(r.data);
    return rc;
}

sct_status cmd_predict(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    struct cli_images im = {0};
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    c->quiet |= run.s.quiet != 0;
    sct_status rc = run.s.image || run.n_word
                        ? SCT_OK
                        : sct_fail(err, SCT_EUSAGE, "predict: say which picture: --image FILE");
    if (rc == SCT_OK && run.s.image)
        rc = cli_images_add(&im, run.s.image, err);
    for (uint32_t i = 0; rc == SCT_OK && i < run.n_word; i++)
        rc = cli_images_add(&im, run.word[i], err);
    if (rc == SCT_OK)
        rc = sct_session_open(&x, &run, SCT_NEED_DEVICE, cli_env, cli_log, c, err);
    if (rc == SCT_OK) {
        rc = predict(&x, &im, err);
        sct_session_close(&x);
    }
    cli_images_free(&im);
    sct_settings_fini(&run);
    return rc;
}
