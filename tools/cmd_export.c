/* SPDX-License-Identifier: MIT
 * cmd_export.c - sctrun export: a model in the form of other programs. */
#include "core/base/status.h"
#include "core/base/str.h"
#include "core/export/onnx.h"
#include "core/io/file.h"
#include "tools/cli.h"

/* The class names, one a line; NULL without names or memory. */
static char *names_text(const struct sct_session *x)
{
    const char *const *name = x->info.class_names;
    struct sct_str s = {0};
    for (uint32_t i = 0; name && i < x->cfg.classes; i++)
        sct_str_add(&s, "%s%s", i ? "\n" : "", name[i]);
    return name ? sct_str_take(&s) : NULL;
}

/* What somebody needs who prepares pictures for the file. */
static sct_status write_onnx(struct sct_session *x, const char *dir, sct_error *err)
{
    const struct sct_preprocess *p = &x->pre;
    char mean[96], std[96], crop[32], steps[1024], *names = names_text(x);
    char *path = sct_path_join(dir, "model.onnx");
    (void)snprintf(mean, sizeof mean, "%.9g %.9g %.9g", (double)p->mean[0], (double)p->mean[1],
                   (double)p->mean[2]);
    (void)snprintf(std, sizeof std, "%.9g %.9g %.9g", (double)p->std[0], (double)p->std[1],
                   (double)p->std[2]);
    sct_steps_text(&p->eval, steps, sizeof steps);
    (void)snprintf(crop, sizeof crop, "%.9g", p->crop_pct);
    const struct sct_onnx_meta meta[] = {{"preprocess", steps},
                                         {"crop_pct", crop},
                                         {"pass_order", sct_pass_order_name(p->order)},
                                         {"mean", mean},
                                         {"std", std},
                                         {"class_names", names ? names : ""}};
    const size_t n = sizeof meta / sizeof meta[0] - (names == NULL);
    const sct_status rc =
        path ? sct_onnx_write(path, x->model, meta, n, 0, err) : sct_nomem(err);
    if (rc == SCT_OK)
        printf("%s\n", path);
    sct_free(names);
    sct_free(path);
    return rc;
}

static sct_status write_folder(struct sct_session *x, const char *dir, sct_error *err)
{
    SCT_TRY(cli_export_folder(x, x->s->format, x->s->dtype, dir, err));
    printf("%s\n", dir);
    return SCT_OK;
}

static sct_status export_model(struct sct_session *x, const char *dir, sct_error *err)
{
    if (x->s->format == 0 && x->s->dtype != 0)
        return sct_fail(
            err, SCT_EUSAGE,
            "--dtype: an ONNX file is f32; --format timm, hf4 and hf5 can be f16 or "
            "bf16");
    SCT_TRY(sct_session_model(x, 1, false, err));
    return cli_new_folder(dir, x->s->format == 0 ? write_onnx : write_folder, x, err);
}

sct_status cmd_export(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    c->quiet |= run.s.quiet != 0;
    sct_status rc = cli_words(&run, 0, "export", err);
    if (rc == SCT_OK && !run.s.output)
        rc = sct_fail(err, SCT_EUSAGE, "export: say where to: --output DIR");
    if (rc == SCT_OK)
        rc = sct_session_open(&x, &run, 0, cli_env, cli_log, c, err);
    if (rc == SCT_OK) {
        rc = export_model(&x, run.s.output, err);
        sct_session_close(&x);
    }
    sct_settings_fini(&run);
    return rc;
}
