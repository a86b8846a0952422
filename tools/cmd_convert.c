/* SPDX-License-Identifier: MIT
 * cmd_convert.c - sctrun convert: adapter folders into other names, and folders of peft into
 * our own. The result is built into the model first, so what is written is what can be loaded.
 */
#include <string.h>

#include "core/adapter/convert.h"
#include "core/base/status.h"
#include "core/io/file.h"
#include "core/model/build.h"
#include "tools/cli.h"

/* Words of --to, in the order of the option table. */
enum { TO_SCTRUN, TO_PEFT_TIMM, TO_PEFT_HF };

/* The head of the base, for a folder that has none. */
static sct_status take_head(const struct sct_session *x, struct sct_import *im, sct_error *err)
{
    static const char *const end[] = {"weight", "bias"};
    for (int i = 0; i < 2; i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "%s.%s", sct_arch_at(x->cfg.arch)->head, end[i]);
        const struct sct_tensor *t = sct_weights_peek(x->base.w, name);
        float *v = t ? sct_calloc((size_t)sct_desc_count(&t->desc), sizeof *v) : NULL;
        if (!t)
            return sct_fail(err, SCT_EFILE,
                            "the adapter has no head, and %s has none either: there is nothing "
                            "to classify with",
                            x->weights);
        sct_status rc = v ? t->load(t, v, err) : sct_nomem(err);
        if (rc == SCT_OK)
            rc = sct_adapter_put(im->own, name, &t->desc, v, err);
        if (i == 0)
            im->classes = t->desc.dim[0];
        sct_free(v);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

/* What the folder of peft says, for the base of the command line. */
static sct_status import(struct sct_import *im, struct sct_settings_run *run, const char *dir,
                         struct cli *c, sct_error *err)
{
    struct sct_session x;
    struct sct_adapter_folder f;
    run->s.strategy = "linear";
    run->n_set = 0;
    SCT_TRY(sct_session_open(&x, run, 0, cli_env, cli_log, c, err));
    sct_status rc = sct_adapter_folder_open(&f, dir, err);
    if (rc == SCT_OK) {
        const char *type = json_string_value(json_object_get(f.config, "peft_type"));
        rc = type && strcmp(type, "IA3") == 0 ? sct_import_ia3(im, &f, &x.cfg, err)
                                              : sct_import_peft(im, &f, &x.cfg, err);
        sct_adapter_folder_close(&f);
    }
    if (rc == SCT_OK && !im->classes && (rc = take_head(&x, im, err)) != SCT_OK)
        sct_import_fini(im);
    sct_session_close(&x);
    return rc;
}

static sct_status save(struct sct_session *x, const char *dir, sct_error *err)
{
    const bool lora = x->tuner.n == 1 && strcmp(x->tuner.part[0].run.s->name, "lora") == 0;
    if (x->s->to != TO_SCTRUN && !lora)
        return sct_fail(err, SCT_EUSAGE,
                        "--to %s: strategy %s has no form in peft that computes the same",
                        x->s->to == TO_PEFT_HF ? "peft-hf" : "peft-timm", x->tuner.name);
    x->info.names = lora && x->s->to == TO_PEFT_HF ? SCT_PEFT_HF : SCT_PEFT_TIMM;
    const int existed = sct_dir_exists(dir);
    SCT_TRY(sct_dir_make_new(dir, err));
    const sct_status rc = sct_adapter_save(dir, x->model, NULL, NULL, &x->tuner, &x->info, err);
    if (rc == SCT_OK)
        printf("%s\n", dir);
    if (rc != SCT_OK) {
        sct_dir_discard(dir);
        if (existed)
            (void)sct_dir_make(dir, NULL);
    }
    return rc;
}

static void say_even(struct cli *c, const struct sct_import *im)
{
    char line[240];
    if (im->n_widened + im->n_filled == 0)
        return;
    (void)snprintf(
        line, sizeof line,
        "%u pairs have zeros added, for one rank and alpha in a layer, and %u blocks "
        "without a pair have one of zeros: it computes the same, and the zeros stay",
        im->n_widened, im->n_filled);
    cli_log(c, SCT_LOG_INFO, line);
}

/* Scales and shifts that the folder does not have: those that change nothing. */
static sct_status leave_alone(struct sct_import *im, const struct sct_model *m, sct_error *err)
{
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        if (!p->trainable || sct_name_is_head(p->name) || sct_adapter_find(im->own, p->name))
            continue;
        const uint64_t n = sct_desc_count(&p->t->desc);
        float *v = sct_calloc((size_t)n, sizeof *v);
        for (uint64_t k = 0; v && strstr(p->name, "ssf_scale") && k < n; k++)
            v[k] = 1.0f;
        const sct_status rc =
            v ? sct_adapter_put(im->own, p->name, &p->t->desc, v, err) : sct_nomem(err);
        sct_free(v);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

static sct_status from_peft(struct sct_settings_run *run, const char *dir, struct cli *c,
                            sct_error *err)
{
    struct sct_session x;
    struct sct_import im;
    SCT_TRY(import(&im, run, dir, c, err));
    struct sct_set *was = run->set;
    run->set = im.set;
    run->n_set = im.n_set;
    run->s.strategy = im.strategy;
    run->s.num_classes = im.classes;
    sct_status rc = sct_session_open(&x, run, 0, cli_env, NULL, c, err);
    if (rc == SCT_OK) {
        rc = sct_session_model(&x, 1, true, err);
        if (rc == SCT_OK && strcmp(im.strategy, "ssf") == 0)
            rc = leave_alone(&im, x.model, err);
        if (rc == SCT_OK)
            rc = sct_adapter_fill(im.own, x.model, err);
        if (rc == SCT_OK)
            rc = sct_session_describe(&x, err);
        if (rc == SCT_OK)
            rc = save(&x, run->s.output, err);
        if (rc == SCT_OK)
            say_even(c, &im);
        sct_session_close(&x);
    }
    run->set = was;
    run->n_set = 0;
    sct_import_fini(&im);
    return rc;
}

static sct_status from_own(struct sct_settings_run *run, const char *dir, struct cli *c,
                           sct_error *err)
{
    struct sct_session x;
    run->s.adapter = dir;
    SCT_TRY(sct_session_open(&x, run, 0, cli_env, cli_log, c, err));
    sct_status rc = sct_session_model(&x, 1, false, err);
    if (rc == SCT_OK)
        rc = save(&x, run->s.output, err);
    sct_session_close(&x);
    return rc;
}

static sct_status convert(struct sct_settings_run *run, struct cli *c, sct_error *err)
{
    struct sct_adapter_folder f;
    SCT_TRY(cli_words(run, 1, "convert", err));
    if (run->n_word == 0)
        return sct_fail(err, SCT_EUSAGE, "convert: say which adapter: sctrun convert FOLDER");
    if (!run->s.output)
        return sct_fail(err, SCT_EUSAGE, "convert: say where to: --output DIR");
    if (run->s.adapter)
        return sct_fail(err, SCT_EUSAGE,
                        "convert: the adapter is the argument; --adapter is "
                        "none of its options");
    SCT_TRY(sct_adapter_folder_open(&f, run->word[0], err));
    const bool own = json_object_get(f.config, "sctrun") != NULL;
    sct_adapter_folder_close(&f);
    return own ? from_own(run, run->word[0], c, err) : from_peft(run, run->word[0], c, err);
}

sct_status cmd_convert(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    c->quiet |= run.s.quiet != 0;
    const sct_status rc = convert(&run, c, err);
    sct_settings_fini(&run);
    return rc;
}
