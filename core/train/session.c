/* SPDX-License-Identifier: MIT
 * session.c - opening what a command needs and building the adapted model. */
#include "core/train/session.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/data/scan.h"
#include "core/io/text.h"
#include "core/model/build.h"
#include "core/train/preprocess_io.h"

void sct_session_say(const struct sct_session *x, int level, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (x->log)
        x->log(x->log_ctx, level, line);
}

void sct_session_device_opts(struct sct_device_opts *o, const struct sct_settings *s,
                             const char *(*env)(const char *))
{
    static const char *const isa[] = {"", "base", "avx2", "avx512"};
    static const char *const gemm[] = {"auto", "own", "clblast"};
    static const char *const assume[] = {"", "cpu", "gpu"};
    *o = (struct sct_device_opts){.backend = s->backend, .device = s->device};
    if (s->threads)
        (void)snprintf(o->threads, sizeof o->threads, "%u", s->threads);
    (void)snprintf(o->isa, sizeof o->isa, "%s", isa[s->isa]);
    (void)snprintf(o->gemm, sizeof o->gemm, "%s", gemm[s->gemm]);
    (void)snprintf(o->assume, sizeof o->assume, "%s", assume[s->assume]);
    if (s->profile)
        (void)snprintf(o->profile, sizeof o->profile, "on");
    sct_cache_dir(env, o->cache_dir, sizeof o->cache_dir);
}

static sct_status open_device(struct sct_session *x, const char *(*env)(const char *),
                              sct_error *err)
{
    struct sct_device_opts o;
    sct_session_device_opts(&o, x->s, env);
    o.log = x->log;
    o.log_ctx = x->log_ctx;
    SCT_TRY(sct_device_open(&x->device, &o, err));
    /* the host structure points into the session: it must not move */
    x->has_device = true;
    return SCT_OK;
}

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

/* What the file tells where nobody says the architecture. */
static sct_status tell_model(struct sct_session *x, enum sct_interp interp, sct_error *err)
{
    bool preset;
    SCT_TRY(sct_base_model(&x->base, interp, &x->cfg, &preset, err));
    if (preset) {
        sct_session_say(x, SCT_LOG_INFO, "model %s, by the shapes of %.200s", x->cfg.name,
                        x->weights);
        return SCT_OK;
    }
    if (x->base.file.folder.what) {
        sct_session_say(x, SCT_LOG_INFO, "model %s, as %.200s says (%s)", x->cfg.name,
                        x->base.file.folder.config_path, x->base.file.folder.what);
        return SCT_OK;
    }
    const struct sct_guess_fact *heads = sct_guess_fact(x->base.file.guess, "heads");
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

static sct_status open_base(struct sct_session *x, sct_error *err)
{
    const struct sct_settings *s = x->s;
    bool named;
    SCT_TRY(name_base(x, &named, err));
    /* random weights of an adapter are those it was trained on, whatever this run's seed is */
    SCT_TRY(sct_base_open(&x->base, x->weights, x->adapter ? x->info.base_seed : x->seed, err));
    const bool own = x->adapter && sct_opts_source(x->run->opts, "interp") == SCT_OPT_DEFAULT;
    const enum sct_interp interp = (enum sct_interp)(own ? x->info.interp : s->interp);
    x->base.w->interp = interp;
    if (!named)
        SCT_TRY(tell_model(x, interp, err));
    else if (x->base.file.guess)
        SCT_TRY(check_model(x, interp, err));
    if (s->head_init)
        (void)snprintf(x->cfg.head_init, sizeof x->cfg.head_init, "%s", s->head_init);
    const struct sct_desc one = {SCT_F32, 1, {1}, 0};
    float ignored;
    if (sct_init_fill(x->cfg.head_init, 0, "head_init", &one, &ignored, err) != SCT_OK)
        return err ? (err->code = SCT_EUSAGE) : SCT_EUSAGE;
    if (s->drop_path > 0 || sct_opts_source(x->run->opts, "drop_path") == SCT_OPT_FLAG)
        x->cfg.drop_path = s->drop_path;
    return SCT_OK;
}

/* The decimal number that a float stands for. As doubles, 224 / 0.8 is 280, and 224 / 0.8f is
 * 279.99, which is another picture. */
static double decimal(float v)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.7g", (double)v);
    return strtod(text, NULL);
}

/* What the weights come with, or else the model's. */
static sct_status own_preprocess(struct sct_session *x, sct_error *err)
{
    const struct sct_model_folder *f = &x->base.file.folder;
    const bool asked =
        x->s->preprocess || sct_opts_source(x->run->opts, "resize") != SCT_OPT_DEFAULT;
    struct sct_preprocess *p = &x->pre;
    uint32_t made = 0;
    sct_error why = SCT_ERROR_INIT;
    sct_preprocess_default(p);
    p->size = x->cfg.image;
    p->crop_pct = decimal(x->cfg.crop_pct);
    memcpy(p->mean, x->cfg.mean, sizeof p->mean);
    memcpy(p->std, x->cfg.std, sizeof p->std);
    if (!sct_model_folder_prepares(f))
        return SCT_OK;
    struct sct_preprocess own;
    const sct_status rc = sct_model_folder_preprocess(f, p->size, &own, &made, &why);
    if (rc != SCT_OK && (rc == SCT_ENOMEM || !asked))
        return sct_fail(err, rc, "%s", why.msg);
    if (rc == SCT_OK)
        *p = own;
    if (made)
        sct_session_say(
            x, SCT_LOG_INFO,
            "%.200s prepares pictures for %u pixels, the model takes %u: in proportion",
            f->pre ? f->pre_path : f->config_path, made, p->size);
    return SCT_OK;
}

/* Weakest first: the adapter's, the folder's or the model's, --preprocess, the single options.
 */
static sct_status preprocess(struct sct_session *x, sct_error *err)
{
    const struct sct_settings *s = x->s;
    const struct sct_opts *o = x->run->opts;
    struct sct_preprocess *p = &x->pre;
    const bool own = x->adapter != NULL; /* then only what was asked for differs from it */
    if (own) {
        *p = x->info.pre;
    } else {
        SCT_TRY(own_preprocess(x, err));
    }
    if (s->preprocess)
        SCT_TRY(sct_preprocess_load(p, s->preprocess, err));
    if (sct_opts_source(o, "resize") != SCT_OPT_DEFAULT)
        sct_preprocess_set_mode(p, (enum sct_resize_mode)s->resize);
    if (sct_opts_source(o, "pass_order") != SCT_OPT_DEFAULT)
        p->order = (enum sct_pass_order)s->pass_order;
    if (s->crop_pct > 0)
        sct_preprocess_set_crop_pct(p, decimal(s->crop_pct));
    if (s->mean)
        SCT_TRY(sct_parse_triple(s->mean, "--mean", p->mean, err));
    if (s->std)
        SCT_TRY(sct_parse_triple(s->std, "--std", p->std, err));
    if (own && sct_preprocess_hash(p) != sct_preprocess_hash(&x->info.pre))
        sct_session_say(
            x, SCT_LOG_WARN,
            "pictures are prepared otherwise than %s was trained with: as asked for",
            s->adapter);
    return sct_preprocess_check(p, err);
}

static sct_status open_data(struct sct_session *x, uint32_t need, sct_error *err)
{
    struct sct_class_map known = {0};
    if (x->adapter)
        SCT_TRY(sct_adapter_classes(&x->info, &known, err));
    const struct sct_data_ask ask = {.s = x->s,
                                     .train = (need & SCT_NEED_TRAIN) != 0,
                                     .test = (need & SCT_NEED_TEST) != 0,
                                     .known = known.count ? &known : NULL,
                                     .folder_order = x->adapter ? x->info.folder_order : "",
                                     .say = x->log,
                                     .say_ctx = x->log_ctx};
    const sct_status rc = sct_data_open(&ask, &x->train, &x->test, &x->about, err);
    sct_class_map_fini(&known);
    return rc;
}

static uint32_t loader_threads(const struct sct_session *x)
{
    const uint32_t threads = x->s->threads ? x->s->threads : 2;
    return threads > 4 ? 4 : threads;
}

/* Leaves the unreadable ones of the first `limit` images (0: all) out of a source, and then
 * those behind them. */
static sct_status skip_bad_of(struct sct_session *x, struct sct_source *src, uint32_t limit,
                              struct sct_str *report, sct_error *err)
{
    const uint32_t count = sct_source_count(src);
    const uint32_t n = limit && limit < count ? limit : count;
    uint32_t skipped = 0;
    uint8_t *bad = sct_calloc(count, 1);
    if (!bad)
        return sct_nomem(err);
    sct_session_say(x, SCT_LOG_INFO, "reading all %u images of %s once: --skip-bad", n,
                    sct_source_origin(src));
    sct_status rc = sct_scan(src, &x->pre, n, loader_threads(x), bad, report, err);
    for (uint32_t i = 0; i < n; i++)
        skipped += bad[i];
    memset(bad + n, 1, count - n);
    if (rc == SCT_OK && skipped)
        rc = sct_source_drop(src, bad, err);
    if (rc == SCT_OK && skipped)
        sct_session_say(x, SCT_LOG_WARN,
                        "%u of %u images of %s cannot be read and are left out", skipped, n,
                        sct_source_origin(src));
    x->n_skipped += rc == SCT_OK ? skipped : 0;
    sct_free(bad);
    return rc;
}

/* Narrates the report: the first lines of it, and how many more there are. */
static void say_skipped(const struct sct_session *x)
{
    uint32_t shown = 0;
    for (const char *p = x->skipped; *p && shown < 10; shown++) {
        const size_t n = strcspn(p, "\n");
        sct_session_say(x, SCT_LOG_WARN, "left out: %.*s", (int)n, p);
        p += n + (p[n] == '\n');
    }
    if (x->n_skipped > shown)
        sct_session_say(x, SCT_LOG_WARN, "left out: %u more", x->n_skipped - shown);
}

static sct_status skip_bad(struct sct_session *x, sct_error *err)
{
    struct sct_str report = {0};
    sct_status rc = SCT_OK;
    if (x->train && sct_source_reads_files(x->train))
        rc = skip_bad_of(x, x->train, 0, &report, err);
    if (rc == SCT_OK && x->test && sct_source_reads_files(x->test))
        rc = skip_bad_of(x, x->test, x->s->test_limit, &report, err);
    if (rc == SCT_OK && x->n_skipped && !(x->skipped = sct_str_take(&report)))
        rc = sct_nomem(err);
    if (rc == SCT_OK && x->n_skipped)
        say_skipped(x);
    sct_str_free(&report);
    return rc;
}

/* The images of a loader at most, within the budget; the test set gets what is left. */
static sct_status open_loaders(struct sct_session *x, uint32_t batch, sct_error *err)
{
    const struct sct_settings *s = x->s;
    uint64_t budget;
    SCT_TRY(sct_parse_bytes(s->cache_bytes, "--cache-bytes", &budget, err));
    uint32_t side;
    (void)sct_preprocess_fixed(&x->pre, &x->pre.train, &side);
    const uint64_t image = (uint64_t)x->pre.size * x->pre.size * 3 + 1; /* and its state */
    const uint64_t kept = side ? (uint64_t)side * side * 3 + 1 : 0;
    struct sct_loader_opts o = {x->pre, batch, loader_threads(x), 2, budget, x->seed};
    if (x->train) {
        const uint64_t want = kept * sct_source_count(x->train);
        o.cache_bytes = want < budget ? want : budget;
        SCT_TRY(sct_loader_create(&x->train_loader, x->train, &o, err));
        budget -= o.cache_bytes;
    }
    if (x->test) {
        const uint64_t want = image * sct_source_count(x->test);
        o.cache_bytes = want < budget ? want : budget;
        o.pre.train = o.pre.eval; /* of which all can be kept */
        SCT_TRY(sct_loader_create(&x->test_loader, x->test, &o, err));
    }
    return SCT_OK;
}

static sct_status open_all(struct sct_session *x, uint32_t need,
                           const char *(*env)(const char *), sct_error *err)
{
    const struct sct_settings *s = x->s;
    if (s->adapter)
        SCT_TRY(sct_adapter_open(&x->info, &x->adapter, s->adapter, err));
    const char *strategy = x->adapter ? x->info.strategy : s->strategy;
    if (x->adapter && sct_opts_source(x->run->opts, "strategy") == SCT_OPT_FLAG &&
        strcmp(s->strategy, x->info.strategy) != 0)
        return sct_fail(err, SCT_EUSAGE, "--adapter %s is of strategy %s, not %s", s->adapter,
                        x->info.strategy, s->strategy);
    for (uint32_t i = 0; x->adapter && i < x->run->n_set; i++)
        if (strcmp(x->run->set[i].where, "--set") == 0)
            return sct_fail(err, SCT_EUSAGE,
                            "--set %s: --adapter %s keeps the options it was trained with",
                            x->run->set[i].key, s->adapter);
    SCT_TRY(sct_tuner_open(&x->tuner, strategy, x->adapter ? x->info.set : x->run->set,
                           x->adapter ? x->info.n_set : x->run->n_set, err));
    x->has_tuner = true;
    if (x->adapter)
        SCT_TRY(sct_adapter_own_form(&x->adapter, &x->tuner, err));
    SCT_TRY(open_base(x, err));
    if (need & (SCT_NEED_TRAIN | SCT_NEED_TEST))
        SCT_TRY(open_data(x, need, err));
    SCT_TRY(preprocess(x, err));
    if (s->skip_bad)
        SCT_TRY(skip_bad(x, err));
    return need & SCT_NEED_DEVICE ? open_device(x, env, err) : SCT_OK;
}

sct_status sct_session_open(struct sct_session *x, struct sct_settings_run *run, uint32_t need,
                            const char *(*env)(const char *),
                            void (*log)(void *ctx, int level, const char *line), void *log_ctx,
                            sct_error *err)
{
    memset(x, 0, sizeof *x);
    x->run = run;
    x->s = &run->s;
    x->seed = run->s.seed_low;
    x->log = log;
    x->log_ctx = log_ctx;
    const sct_status rc = open_all(x, need, env, err);
    if (rc != SCT_OK)
        sct_session_close(x);
    return rc;
}

sct_status sct_session_plan_opts(const struct sct_session *x, struct sct_plan_opts *o,
                                 sct_error *err)
{
    *o = (struct sct_plan_opts){.micro_batch = x->s->micro_batch,
                                .checkpoint = x->s->checkpoint};
    return sct_parse_bytes(x->s->memory_limit, "--memory-limit", &o->memory_limit, err);
}

/* Classes of the run: the adapter's, the option's, or the data's. */
static sct_status count_classes(struct sct_session *x, sct_error *err)
{
    const struct sct_source *src = x->train ? x->train : x->test;
    uint32_t n = x->s->num_classes;
    if (x->adapter && n && n != x->info.model.classes)
        return sct_fail(err, SCT_EUSAGE, "--num-classes %u: the head of %s has %u classes", n,
                        x->s->adapter, x->info.model.classes);
    if (x->adapter)
        n = x->info.model.classes;
    else if (!n && src)
        n = sct_source_classes(src);
    else if (!n)
        n = x->cfg.classes;
    if (src && sct_source_classes(src) > n)
        return sct_fail(err, SCT_EDATA, "the data has %u classes, the head %u",
                        sct_source_classes(src), n);
    if (src && *x->about.task && sct_source_classes(src) < n)
        sct_session_say(x, SCT_LOG_WARN, "VTAB-1k's %s has %u classes; the head has %u",
                        x->about.task, sct_source_classes(src), n);
    x->cfg.classes = n;
    return SCT_OK;
}

/* Names of all classes of the head: the adapter's, by which the data was numbered; or the
 * data's, and numbers for those it does not have. */
static sct_status class_names(struct sct_session *x, sct_error *err)
{
    const struct sct_source *src = x->train ? x->train : x->test;
    if (!src || !sct_source_class_name(src, 0) || (x->adapter && x->info.class_names))
        return SCT_OK;
    const uint32_t n = x->cfg.classes, have = sct_source_classes(src);
    x->class_names = sct_arena_alloc(&x->arena, n * sizeof *x->class_names);
    if (!x->class_names)
        return sct_nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        x->class_names[i] =
            i < have ? sct_source_class_name(src, i) : sct_arena_printf(&x->arena, "%u", i);
        const char *name = x->class_names[i];
        if (!name)
            return sct_nomem(err);
        if (sct_utf8_valid(name, strlen(name)) != strlen(name))
            return sct_fail(
                err, SCT_EDATA,
                "the name of class %u is not UTF-8 text, so no adapter can hold it; "
                "rename it in %s",
                i, x->s->data);
    }
    return SCT_OK;
}

static sct_status build(struct sct_session *x, struct sct_model **m, uint32_t batch, bool keep,
                        sct_error *err)
{
    const struct sct_build_opts o = {batch, x->seed, keep};
    SCT_TRY(sct_model_build(m, &x->cfg, x->base.w, &o, err));
    sct_preprocess_table(&x->pre, (float(*)[256])(void *)(*m)->table);
    return SCT_OK;
}

static sct_status check_base(struct sct_session *x, sct_error *err)
{
    char hex[SCT_SHA256_HEX];
    SCT_TRY(sct_base_hash_of(x->base.w, hex, err));
    if (strcmp(hex, x->info.base_hash) == 0)
        return SCT_OK;
    return sct_fail(
        err, SCT_EFILE,
        "%s was trained on another base: expected weights with hash %.16s..., %s has "
        "%.16s...",
        x->s->adapter, x->info.base_hash, x->weights, hex);
}

/* The strategy's choice, from the adapter or from a calibration run. */
static sct_status decide(struct sct_session *x, uint32_t batch, sct_error *err)
{
    struct sct_model *plain = NULL;
    if (!x->adapter && !x->tuner.run.s->observe)
        return SCT_OK;
    SCT_TRY(build(x, &plain, batch, false, err));
    sct_status rc = SCT_OK;
    if (x->adapter) {
        rc = sct_strategy_load(&x->tuner.run, plain, x->adapter, err);
    } else {
        struct sct_plan_opts o;
        if (!x->s->dry_run)
            sct_session_say(x, SCT_LOG_INFO, "calibrating %s on %u images",
                            x->tuner.run.s->name, sct_source_count(x->train));
        rc = sct_session_plan_opts(x, &o, err);
        if (rc == SCT_OK)
            rc = sct_calibrate(&x->tuner, plain, &x->device, x->train_loader, x->train, x->seed,
                               &o, x->s->dry_run ? &x->calibration_bytes : NULL, err);
    }
    sct_model_destroy(&plain);
    return rc;
}

sct_status sct_session_model(struct sct_session *x, uint32_t batch, bool train, sct_error *err)
{
    SCT_TRY(count_classes(x, err));
    SCT_TRY(class_names(x, err));
    if (x->train || x->test) {
        sct_session_say(x, SCT_LOG_INFO, "%s", x->about.summary);
        SCT_TRY(open_loaders(x, batch, err));
    }
    bool keep = false;
    if (!train && !x->adapter) {
        /* plain weights with their own head */
        char name[64];
        (void)snprintf(name, sizeof name, "%s.weight", sct_arch_at(x->cfg.arch)->head);
        const struct sct_tensor *h = sct_weights_peek(x->base.w, name);
        if (!h || h->desc.nd != 2)
            return sct_fail(err, SCT_EFILE, "%s has no head: say --adapter DIR", x->weights);
        const struct sct_source *src = x->train ? x->train : x->test;
        if (src && sct_source_classes(src) > h->desc.dim[0])
            return sct_fail(err, SCT_EDATA, "the data has %u classes, the head of %s %u",
                            sct_source_classes(src), x->weights, h->desc.dim[0]);
        if (x->s->num_classes && x->s->num_classes != h->desc.dim[0])
            return sct_fail(err, SCT_EUSAGE, "--num-classes %u: the head of %s has %u classes",
                            x->s->num_classes, x->weights, h->desc.dim[0]);
        x->cfg.classes = h->desc.dim[0];
        keep = true;
        if (x->base.file.folder.label && x->base.file.folder.n_label == x->cfg.classes)
            x->info.class_names = x->base.file.folder.label;
        return build(x, &x->model, batch, keep, err);
    }
    SCT_TRY(decide(x, batch, err));
    SCT_TRY(build(x, &x->model, batch, keep, err));
    SCT_TRY(sct_strategy_apply(&x->tuner.run, x->model, err));
    SCT_TRY(sct_graph_verify(x->model->g, err));
    if (x->adapter) {
        SCT_TRY(check_base(x, err));
        SCT_TRY(sct_adapter_fill(x->adapter, x->model, err));
    }
    return SCT_OK;
}

sct_status sct_session_plain(struct sct_session *x, struct sct_model **m, sct_error *err)
{
    return build(x, m, 1, false, err);
}

sct_status sct_session_describe(struct sct_session *x, sct_error *err)
{
    struct sct_adapter_info *i = &x->info;
    i->model = x->cfg;
    (void)snprintf(i->strategy, sizeof i->strategy, "%s", x->tuner.run.s->name);
    (void)snprintf(i->weights, sizeof i->weights, "%.1000s", x->weights);
    if (!x->adapter)
        i->base_seed = (uint32_t)x->seed;
    i->interp = x->base.w->interp;
    i->dialect[0] = 0;
    if (x->base.file.map)
        (void)snprintf(i->dialect, sizeof i->dialect, "%s %s",
                       x->base.file.map->dialect->flavour,
                       sct_arch_name(x->base.file.map->dialect->arch));
    i->pre = x->pre;
    i->class_names = x->class_names ? x->class_names : i->class_names;
    if (x->about.map.count && x->about.map.pairs) {
        sct_class_map_fini(&i->map);
        i->map = x->about.map;
        memset(&x->about.map, 0, sizeof x->about.map);
    }
    (void)snprintf(i->layout, sizeof i->layout, "%s", x->about.layout);
    (void)snprintf(i->folder_order, sizeof i->folder_order, "%s", x->about.folder_order);
    (void)snprintf(i->task, sizeof i->task, "%s", x->about.task);
    if (!x->adapter) {
        i->set = x->run->set;
        i->n_set = x->run->n_set;
    }
    return i->base_hash[0] ? SCT_OK : sct_base_hash_of(x->base.w, i->base_hash, err);
}

void sct_session_close(struct sct_session *x)
{
    sct_loader_destroy(&x->train_loader);
    sct_loader_destroy(&x->test_loader);
    sct_source_destroy(&x->train);
    sct_source_destroy(&x->test);
    sct_model_destroy(&x->model);
    sct_adapter_destroy(&x->adapter);
    if (x->has_tuner)
        sct_tuner_close(&x->tuner);
    if (x->has_device)
        sct_device_close(&x->device);
    sct_base_close(&x->base);
    sct_adapter_info_fini(&x->info);
    if (x->about.layout)
        sct_data_about_fini(&x->about);
    sct_free(x->skipped);
    sct_arena_free(&x->arena);
    memset(x, 0, sizeof *x);
}
