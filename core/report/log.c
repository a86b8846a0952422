/* SPDX-License-Identifier: MIT
 * log.c - log.jsonl and summary.csv. */
#include "core/report/log.h"

#include <errno.h>
#include <string.h>

static sct_status failed(const struct sct_run_log *l, const char *file, sct_error *err)
{
    return sct_fail(err, SCT_EFAIL, "%s/%s: %s", l->dir, file, strerror(errno));
}

sct_status sct_run_log_open(struct sct_run_log *l, const char *dir, int average, sct_error *err)
{
    char path[4200];
    memset(l, 0, sizeof *l);
    (void)snprintf(l->dir, sizeof l->dir, "%s", dir);
    (void)snprintf(path, sizeof path, "%s/log.jsonl", dir);
    l->jsonl = fopen(path, "w");
    if (!l->jsonl)
        return failed(l, "log.jsonl", err);
    (void)snprintf(path, sizeof path, "%s/summary.csv", dir);
    l->csv = fopen(path, "w");
    l->average = average;
    if (!l->csv || fprintf(l->csv, "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr%s\n",
                           average ? ",ema_loss,ema_top1,ema_top5" : "") < 0) {
        const sct_status rc = failed(l, "summary.csv", err);
        (void)sct_run_log_close(l, NULL);
        return rc;
    }
    return SCT_OK;
}

/* JSON has no NaN and no infinity. */
static const char *number(double v, char *buf, size_t size)
{
    if (v != v || v > 1e300 || v < -1e300)
        (void)snprintf(buf, size, "null");
    else
        (void)snprintf(buf, size, "%.9g", v);
    return buf;
}

sct_status sct_run_log_step(struct sct_run_log *l, const struct sct_log_step *s, sct_error *err)
{
    char a[32], b[32], c[32];
    if (!l->jsonl)
        return SCT_OK;
    if (fprintf(l->jsonl,
                "{\"step\": %llu, \"epoch\": %llu, \"loss\": %s, \"lr\": %s, "
                "\"images_per_s\": %s}\n",
                (unsigned long long)s->step, (unsigned long long)s->epoch,
                number(s->loss, a, sizeof a), number(s->lr, b, sizeof b),
                number(s->images_per_s, c, sizeof c)) < 0 ||
        fflush(l->jsonl) != 0)
        return failed(l, "log.jsonl", err);
    return SCT_OK;
}

sct_status sct_run_log_eval(struct sct_run_log *l, const struct sct_log_eval *e, sct_error *err)
{
    char a[32], b[32], ema_json[128] = "", ema_csv[96] = "";
    if (!l->jsonl)
        return SCT_OK;
    if (l->average) {
        (void)snprintf(ema_json, sizeof ema_json,
                       ", \"ema_loss\": %s, \"ema_top1\": %.9g, \"ema_top5\": %.9g",
                       number(e->ema_loss, a, sizeof a), e->ema_top1, e->ema_top5);
        (void)snprintf(ema_csv, sizeof ema_csv, ",%s,%.9g,%.9g",
                       number(e->ema_loss, a, sizeof a), e->ema_top1, e->ema_top5);
    }
    if (fprintf(l->jsonl,
                "{\"eval\": true, \"step\": %llu, \"epoch\": %llu, \"eval_loss\": %s, "
                "\"eval_top1\": %.9g, \"eval_top5\": %.9g, \"images\": %u%s}\n",
                (unsigned long long)e->step, (unsigned long long)e->epoch,
                number(e->loss, a, sizeof a), e->top1, e->top5, e->images, ema_json) < 0 ||
        fflush(l->jsonl) != 0)
        return failed(l, "log.jsonl", err);
    if (fprintf(l->csv, "%llu,%s,%s,%.9g,%.9g,%.9g%s\n", (unsigned long long)e->epoch,
                number(e->train_loss, a, sizeof a), number(e->loss, b, sizeof b), e->top1,
                e->top5, e->lr, ema_csv) < 0 ||
        fflush(l->csv) != 0)
        return failed(l, "summary.csv", err);
    return SCT_OK;
}

sct_status sct_run_log_close(struct sct_run_log *l, sct_error *err)
{
    int bad = 0;
    if (l->jsonl)
        bad |= fclose(l->jsonl) != 0;
    if (l->csv)
        bad |= fclose(l->csv) != 0;
    l->jsonl = l->csv = NULL;
    return bad ? failed(l, "log.jsonl", err) : SCT_OK;
}
