/* SPDX-License-Identifier: MIT
 * session.c - opening what a command needs and building the adapted model. */
#include "core/train/session_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/text.h"
#include "core/model/build.h"

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
    if (x->share)
        return sct_share_device(x, &o, err);
    SCT_TRY(sct_device_open(&x->device, &o, err));
    /* the host structure points into the session: it must not move */
    x->has_device = true;
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
    SCT_TRY(sct_session_open_base(x, err));
    if (need & (SCT_NEED_TRAIN | SCT_NEED_TEST))
        SCT_TRY(sct_session_open_data(x, need, err));
    SCT_TRY(sct_session_open_preprocess(x, err));
    if (s->skip_bad)
        SCT_TRY(sct_session_skip_bad(x, err));
    return need & SCT_NEED_DEVICE ? open_device(x, env, err) : SCT_OK;
}

sct_status sct_session_open(struct sct_session *x, struct sct_settings_run *run, uint32_t need,
                            const char *(*env)(const char *),
                            void (*log)(void *ctx, int level, const char *line), void *log_ctx,
                            sct_error *err)
{
    return sct_session_open_shared(x, NULL, run, need, env, log, log_ctx, err);
}

sct_status sct_session_open_shared(struct sct_session *x, struct sct_share *share,
                                   struct sct_settings_run *run, uint32_t need,
                                   const char *(*env)(const char *),
                                   void (*log)(void *ctx, int level, const char *line),
                                   void *log_ctx, sct_error *err)
{
    memset(x, 0, sizeof *x);
    x->share = share;
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
        SCT_TRY(sct_session_open_loaders(x, batch, err));
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
    if (x->share)
        sct_share_leave(x);
    if (!(x->borrowed & SCT_SHARED_DATA)) {
        sct_loader_destroy(&x->train_loader);
        sct_loader_destroy(&x->test_loader);
        sct_source_destroy(&x->train);
        sct_source_destroy(&x->test);
    }
    sct_model_destroy(&x->model);
    sct_adapter_destroy(&x->adapter);
    if (x->has_tuner)
        sct_tuner_close(&x->tuner);
    if (x->has_device)
        sct_device_close(&x->device);
    if (!(x->borrowed & SCT_SHARED_BASE))
        sct_base_close(&x->base);
    sct_adapter_info_fini(&x->info);
    if (x->about.layout)
        sct_data_about_fini(&x->about);
    sct_free(x->skipped);
    sct_arena_free(&x->arena);
    memset(x, 0, sizeof *x);
}
