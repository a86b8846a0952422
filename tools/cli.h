/* SPDX-License-Identifier: MIT
 * cli.h - what the sctrun program's commands share. Results go to stdout, narration to stderr.
 */
#ifndef SCT_TOOLS_CLI_H
#define SCT_TOOLS_CLI_H

#include <stdio.h>

#include "core/train/loop.h"

struct cli {
    int argc;
    char **argv; /* after the subcommand */
    double started;
    int tty;     /* stderr is a terminal */
    int in_line; /* a progress line without newline is on the terminal */
    int verbose, quiet;
    int differs; /* diff: exit with 1 and no message */
};

typedef sct_status (*cli_fn)(struct cli *c, sct_error *err);

sct_status cmd_train(struct cli *c, sct_error *err);
sct_status cmd_eval(struct cli *c, sct_error *err);
sct_status cmd_predict(struct cli *c, sct_error *err);
sct_status cmd_inspect(struct cli *c, sct_error *err);
sct_status cmd_export(struct cli *c, sct_error *err);
sct_status cmd_merge(struct cli *c, sct_error *err);
sct_status cmd_diff(struct cli *c, sct_error *err);
sct_status cmd_calibrate(struct cli *c, sct_error *err);
sct_status cmd_convert(struct cli *c, sct_error *err);
sct_status cmd_devices(struct cli *c, sct_error *err);
sct_status cmd_ops(struct cli *c, sct_error *err);
sct_status cmd_plugins(struct cli *c, sct_error *err);
sct_status cmd_backends(struct cli *c, sct_error *err);
sct_status cmd_new_strategy(struct cli *c, sct_error *err);
sct_status cmd_recipe(struct cli *c, sct_error *err);
sct_status cmd_dump(struct cli *c, sct_error *err);
sct_status cmd_ablate(struct cli *c, sct_error *err);

/* A line of narration; ctx is the cli. */
void cli_log(void *ctx, int level, const char *line);
const char *cli_env(const char *name);
/* EUSAGE when there are more words that are no options than `most`. */
sct_status cli_words(const struct sct_settings_run *run, uint32_t most, const char *command,
                     sct_error *err);
/* Number of the signal (SIGINT, SIGTERM) that asked to stop, or 0. */
extern volatile int cli_stop;

/* Pictures named on the command line, in the order in which they were named. */
struct cli_images {
    char **name;
    uint32_t n, cap;
};

/* Adds a picture; all pictures below a folder (.jpg .jpeg .png .webp, in plain order of their
 * paths, names that begin with a dot passed over); or those of a list (.txt .list .csv .tsv):
 * lines "path label" if every line ends with a number, else one path a line; CSV as in docs;
 * relative to the list's folder. im is zero-initialised at first. SCT_EDATA, SCT_ENOMEM. */
sct_status cli_images_add(struct cli_images *im, const char *path, sct_error *err);
/* Reads and prepares picture i into data[S][S][3]. SCT_EDATA names it. */
sct_status cli_images_load(const struct cli_images *im, uint32_t i, const struct sct_session *x,
                           uint8_t *data, sct_error *err);
void cli_images_free(struct cli_images *im);
/* Makes the new folder dir and lets write fill it; what was written goes away when it fails. */
sct_status cli_new_folder(const char *dir,
                          sct_status (*write)(struct sct_session *x, const char *dir,
                                              sct_error *err),
                          struct sct_session *x, sct_error *err);
/* x->model as a folder of timm or transformers in dir, which is there and empty; what a
 * strategy added is merged. format, dtype: numbers of the words of --format (not onnx) and
 * --dtype. */
sct_status cli_export_folder(struct sct_session *x, uint32_t format, uint32_t dtype,
                             const char *dir, sct_error *err);
/* Prints a JSON tree as one line on stdout and frees it. */
sct_status cli_print_json(json_t *tree, sct_error *err);
/* Writes text that others wrote to f: control characters but those of `keep`, marks of
 * direction, and bytes that are no UTF-8 as "\x1b", so that they cannot steer a terminal.
 * Returns the characters written. */
int cli_put(FILE *f, const char *text, const char *keep);

#endif
