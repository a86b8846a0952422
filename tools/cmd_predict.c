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

static sct_status predict(struct sct_session *x, const char *path, sct_error *err)
{
    struct cli_images im;
    struct sct_evaluator e = {0};
    SCT_TRY(cli_images_load(&im, path, &x->pre, err));
    const uint32_t batch = im.n < x->s->batch_size ? im.n : x->s->batch_size;
    float *p = NULL;
    sct_status rc = sct_session_model(x, batch, false, err);
    if (rc == SCT_OK)
        rc = sct_evaluator_open(&e, x, NULL, 0, err);
    if (rc == SCT_OK && !(p = sct_calloc(e.classes, sizeof *p)))
        rc = sct_nomem(err);
    const size_t one = (size_t)x->pre.size * x->pre.size * 3;
    for (uint32_t i = 0; i < im.n && rc == SCT_OK; i += batch) {
        const uint32_t n = im.n - i < batch ? im.n - i : batch;
        rc = sct_evaluate_images(&e, im.data + i * one, n, err);
        for (uint32_t k = 0; k < n && rc == SCT_OK; k++)
            rc = print_one(x, im.name[i + k], e.logits + (size_t)k * e.classes, p, e.classes,
                           err);
    }
    sct_free(p);
    sct_evaluator_close(&e);
    cli_images_free(&im);
    return rc;
}

sct_status cmd_predict(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    c->quiet |= run.s.quiet != 0;
    const char *path = run.s.image ? run.s.image : run.n_word ? run.word[0] : NULL;
    sct_status rc = cli_words(&run, run.s.image ? 0 : 1, "predict", err);
    if (!path)
        rc = sct_fail(err, SCT_EUSAGE, "predict: say which picture: --image FILE");
    if (rc == SCT_OK)
        rc = sct_session_open(&x, &run, SCT_NEED_DEVICE, cli_env, cli_log, c, err);
    if (rc == SCT_OK) {
        rc = predict(&x, path, err);
        sct_session_close(&x);
    }
    sct_settings_fini(&run);
    return rc;
}
