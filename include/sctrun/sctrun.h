/* SPDX-License-Identifier: MIT
 * sctrun.h - the library for applications: fine-tune and evaluate from C, with the options of
 * the sctrun program.
 *
 *     const char *argv[] = {"--backend", "cpu", "--strategy", "sct", "--output", "runs/a"};
 *     struct sct_finetune_result r = {.size = sizeof r};
 *     sct_error err = SCT_ERROR_INIT;
 *     if (sct_finetune(6, argv, NULL, &r, &err) != SCT_OK)
 *         fprintf(stderr, "%s\n", err.msg);
 *
 * The library never prints, exits or aborts. Thread rule: one call at a time in a process. */
#ifndef SCTRUN_SCTRUN_H
#define SCTRUN_SCTRUN_H

#include <sctrun/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0"; static storage. */
SCT_EXPORT const char *sct_version(void);
/* Text of a status; static storage. */
SCT_EXPORT const char *sct_status_string(sct_status s);

/* Called on the calling thread; text lives for the call. event: "log", "step", "eval",
 * "eval_ema" (of the moving averages, with --ema). stop: the callback may set *stop to 1 to end
 * the run after the step, saved. */
struct sct_finetune_event {
    uint32_t size, epoch, epochs;
    const char *event, *text; /* text: of a log line, else "" */
    uint64_t step, steps;
    double loss, lr, images_per_s, top1;
    volatile int *stop;
};

struct sct_finetune_callback {
    uint32_t size;
    void *ctx;
    void (*event)(void *ctx, const struct sct_finetune_event *e);
    /* Folder that holds backends/, strategies/ or plugins/ and configs/; NULL: the installed
     * place. */
    const char *data_dir;
};

struct sct_finetune_result {
    uint32_t size, best_epoch;
    double best_top1, last_top1, seconds, images_per_s; /* top-1 in per cent */
    uint64_t trainable, all, steps, peak_device_bytes;
    double ema_best_top1, ema_last_top1; /* with --ema, else 0 */
    uint32_t ema_best_epoch;
};

/* What `sctrun train argv...` does; the run folder is --output, which must be given. callback
 * may be NULL. result is filled on success. Everything is borrowed for the call. */
SCT_EXPORT sct_status sct_finetune(int argc, const char *const *argv,
                                   const struct sct_finetune_callback *callback,
                                   struct sct_finetune_result *result, sct_error *err);

#ifdef __cplusplus
}
#endif
#endif
