/* SPDX-License-Identifier: MIT
 * log.h - the files of a run folder that grow: log.jsonl and summary.csv (timm's columns).
 * Every write is checked: a full disk ends the run with an error, not with a short log. */
#ifndef SCT_REPORT_LOG_H
#define SCT_REPORT_LOG_H

#include <stdio.h>

#include <sctrun/base.h>

struct sct_run_log {
    FILE *jsonl, *csv;
    int average;
    char dir[4096];
};

struct sct_log_step {
    uint64_t step, epoch;
    double loss, lr, images_per_s;
};

struct sct_log_eval {
    uint64_t step, epoch;
    double train_loss, loss, top1, top5, lr;
    uint32_t images;
    double ema_loss, ema_top1, ema_top5; /* of the moving averages, if the log has them */
};

/* Opens both files in dir, which exists. average: evaluations have values of the moving
 * averages too. On failure the log is closed. EFAIL. */
sct_status sct_run_log_open(struct sct_run_log *l, const char *dir, int average,
                            sct_error *err);
sct_status sct_run_log_step(struct sct_run_log *l, const struct sct_log_step *s,
                            sct_error *err);
sct_status sct_run_log_eval(struct sct_run_log *l, const struct sct_log_eval *e,
                            sct_error *err);
/* A closed or zero log is fine. */
sct_status sct_run_log_close(struct sct_run_log *l, sct_error *err);

#endif
