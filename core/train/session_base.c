/* SPDX-License-Identifier: MIT
 * session_base.c - the base of a session: its architecture and its weights. */
#include "core/train/session_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/text.h"
#include "core/model/build.h"
#include "core/pretrained/model_io.h"

/* Architecture and weights file, as far as options and adapter say them. *name: whether the
 * architecture is known. */
static sct_status name_base(struct sct_session *x, bool *named, sct_error *err)
{
    const struct sct_settings *s = x->s;
    char own[4096] = "";
    *named = s->model || s->adapter;
    if (s->model)
        SCT_TRY(sct_model_config_load(&x->cfg, s->model, own, sizeof own, err));
    else if (s->adapter) {
        x->cfg = x->info.model;
        (void)snprintf(own, sizeof own, "%s", x->info.weights);
    }
    (void)snprintf(x->weights, sizeof x->weights, "%s", s->weights ? s->weights : own);
    if (!x->weights[0] && !*named)
        return sct_fail(err, SCT_EUSAGE, "no model: say --weights FILE, and --model NAME");
    if (!x->weights[0])
        return sct_fail(err, SCT_EUSAGE,
                        "no weights: say --weights FILE, or --weights random to start from "
                        "random numbers");
    return SCT_OK;
}

/* What of the preset no tensor proves, where the file does not say the preset by its name. */
static void say_preset(struct sct_session *x, const struct sct_preset_found *preset)
{
    const struct sct_guess *g = x->base.file.guess;
    const struct sct_guess_fact *heads = sct_guess_fact(g, "heads");
    char gelu[16];
    (void)sct_model_key_text(sct_model_key_find(x->cfg.arch, "gelu"), &x->cfg, gelu,
                             sizeof gelu);
    sct_session_say(x, SCT_LOG_INFO, "model %s, by the shapes of %.200s, with eps %g, gelu %s",
                    x->cfg.name, x->weights, (double)x->cfg.eps, gelu);
    if (preset->others[0] && !x->base.file.folder.what)
        sct_session_say(x, SCT_LOG_WARN, "the shapes of %.200s fit %s too; --model says which",
                        x->weights, preset->others);
    if (!preset->named && heads && !heads->known && !heads->said &&
        x->cfg.heads != g->cfg.heads)
        sct_session_say(
            x, SCT_LOG_WARN,
            "%.200s does not say the heads: %u, as preset %s has, supposedly not %s; "
            "--model says otherwise",
            x->weights, x->cfg.heads, x->cfg.name, heads->value);
}

/* What the file tells where nobody says the architecture. */
static sct_status tell_model(struct sct_session *x, enum sct_interp interp, sct_error *err)
{
    struct sct_preset_found preset;
    SCT_TRY(sct_base_model(&x->base, interp, &x->cfg, &preset, err));
    if (preset.name[0]) {
        say_preset(x, &preset);
        return SCT_OK;
    }
    const struct sct_guess_fact *heads = sct_guess_fact(x->base.file.guess, "heads");
    if (x->base.file.folder.what) {
        sct_session_say(x, SCT_LOG_INFO, "model %s, as %.200s says (%s)", x->cfg.name,
                        x->base.file.folder.config_path, x->base.file.folder.what);
        if (heads && !heads->known && !heads->said)
            sct_session_say(x, SCT_LOG_WARN,
                            "%.200s does not say the heads; supposedly %s (--model FILE.yaml "
                            "says otherwise)",
                            x->base.file.folder.config_path, heads->value);
        return SCT_OK;
    }
    sct_session_say(
        x, SCT_LOG_WARN,
        "no preset is like %.200s; its shapes make it %s%s%s%s (sctrun inspect says "
        "why; --model FILE.yaml says otherwise)",
        x->weights, x->cfg.name, heads && !heads->known ? ", supposedly with " : "",
        heads && !heads->known ? heads->value : "", heads && !heads->known ? " heads" : "");
    return SCT_OK;
}

/* Whether the file is of the model that was named. A model that is impossible whatever the
 * weights says that first. */
static sct_status check_model(struct sct_session *x, enum sct_interp interp, sct_error *err)
{
    const struct sct_guess_fact *unlike =
        sct_guess_unlike(x->base.file.guess, &x->cfg, interp != SCT_INTERP_NONE);
    if (unlike && x->s->model)
        sct_session_say(x, SCT_LOG_WARN,
                        "%s is %s (%.200s); model %s says otherwise, as asked for", unlike->key,
                        unlike->value, unlike->why, x->cfg.name);
    const char *advice = x->s->model ? "is --model right? Without it the file decides"
                                     : "the adapter was trained on another base";
    if (!sct_guess_against(x->base.file.guess, &x->cfg, interp != SCT_INTERP_NONE))
        return SCT_OK;
    struct sct_weights *any = sct_weights_create("random", true, 0);
    struct sct_model *m = NULL;
    const struct sct_build_opts o = {1, 0, false};
    const sct_status rc = any ? sct_model_build(&m, &x->cfg, any, &o, err) : sct_nomem(err);
    sct_model_destroy(&m);
    sct_weights_destroy(&any);
    if (rc != SCT_OK)
        return rc;
    return sct_guess_check(x->base.file.guess, &x->cfg, interp, x->weights, advice, err);
}

/* Said before the model is built, which would draw the head much later. */
static sct_status check_head_init(const char *head_init, sct_error *err)
{
    const struct sct_desc one = {SCT_F32, 1, {1}, 0};
    struct sct_head_init h;
    sct_error why = SCT_ERROR_INIT;
    float ignored;
    sct_head_init(&h, head_init, 1);
    if (sct_init_fill(h.weight, 0, "head_init", &one, &ignored, &why) != SCT_OK)
        return sct_fail(err, SCT_EUSAGE, "%s; for a head also torch_linear", why.msg);
    return SCT_OK;
}

sct_status sct_session_open_base(struct sct_session *x, sct_error *err)
{
    const struct sct_settings *s = x->s;
    bool named;
    SCT_TRY(name_base(x, &named, err));
    /* random weights of an adapter are those it was trained on, whatever this run's seed is */
    const uint64_t seed = x->adapter ? x->info.base_seed : x->seed;
    const bool own = x->adapter && sct_opts_source(x->run->opts, "interp") == SCT_OPT_DEFAULT;
    const enum sct_interp interp = (enum sct_interp)(own ? x->info.interp : s->interp);
    SCT_TRY(x->share ? sct_share_base(x, seed, interp, err)
                     : sct_base_open(&x->base, x->weights, seed, err));
    x->base.w->interp = interp;
    if (!named)
        SCT_TRY(tell_model(x, interp, err));
    else if (x->base.file.guess)
        SCT_TRY(check_model(x, interp, err));
    if (s->head_init)
        (void)snprintf(x->cfg.head_init, sizeof x->cfg.head_init, "%s", s->head_init);
    SCT_TRY(check_head_init(x->cfg.head_init, err));
    if (s->drop_path > 0 || sct_opts_source(x->run->opts, "drop_path") == SCT_OPT_FLAG)
        x->cfg.drop_path = s->drop_path;
    return SCT_OK;
}
