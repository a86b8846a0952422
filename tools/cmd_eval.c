/* SPDX-License-Identifier: MIT
 * cmd_eval.c - sctrun eval: accuracy of an adapter folder or of plain weights. */
#include "core/base/status.h"
#include "core/train/memory.h"
#include "tools/cli.h"

static sct_status eval(struct sct_session *x, sct_error *err)
{
    struct sct_evaluator e;
    struct sct_eval_result r;
    SCT_TRY(sct_session_model(x, x->s->batch_size, false, err));
    SCT_TRY(sct_evaluator_open(&e, x, NULL, 0, err));
    const sct_status rc =
        sct_evaluate(&e, x->test_loader, x->test, x->s->test_limit, &r, NULL, NULL, err);
    sct_evaluator_close(&e);
    SCT_TRY(rc);
    if (x->s->json)
        return cli_print_json(json_pack("{s:f, s:f, s:f, s:i, s:f, s:I, s:I}", "top1", r.top1,
                                        "top5", r.top5, "loss", r.loss, "images", (int)r.images,
                                        "images_per_s",
                                        r.seconds > 0 ? (double)r.images / r.seconds : 0.0,
                                        "peak_bytes", (json_int_t)sct_peak_process_bytes(),
                                        "skipped", (json_int_t)x->n_skipped),
                              err);
    printf("top1 %.2f  top5 %.2f  loss %.4f  (%u images, %.1f images/s)\n", r.top1, r.top5,
           r.loss, r.images, r.seconds > 0 ? (double)r.images / r.seconds : 0.0);
    return SCT_OK;
}

sct_status cmd_eval(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    c->quiet |= run.s.quiet != 0;
    sct_status rc = cli_words(&run, 0, "eval", err);
    if (rc == SCT_OK)
        rc = sct_session_open(&x, &run, SCT_NEED_TEST | SCT_NEED_DEVICE, cli_env, cli_log, c,
                              err);
    if (rc == SCT_OK) {
        rc = eval(&x, err);
        sct_session_close(&x);
    }
    sct_settings_fini(&run);
    return rc;
}
