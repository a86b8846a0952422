/* SPDX-License-Identifier: MIT
 * session.c - opening what a command needs and building the adapted model. */
#include "core/train/session_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/text.h"
#include "core/model/build.h"
#include "core/plug/module.h"
#include "core/train/optim_groups.h"

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
    static const char *const gemm[] = {"", "own", "clblast"};
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

/* Whether a word of --strategy means s: its name, or the path of its module. */
static bool is_strategy(const struct sct_strategy *s, const char *w, size_t len)
{
    char path[4096];
    const struct sct_strategy *other = NULL;
    (void)snprintf(path, sizeof path, "%.*s", (int)(len < sizeof path ? len : 0), w);
    if (!strchr(path, '/'))
        return strcmp(s->name, path) == 0;
    return sct_plug_strategy(path, &other, NULL) == SCT_OK && strcmp(other->name, s->name) == 0;
}

/* An adapter knows its strategy's name; modules that --strategy names by their paths are known
 * by theirs from here on. */
static sct_status open_modules(const struct sct_session *x, sct_error *err)
{
    char path[4096];
    size_t len = 0;
    const struct sct_strategy *s;
    const char *w;
    if (sct_opts_source(x->run->opts, "strategy") != SCT_OPT_FLAG)
        return SCT_OK;
    for (uint32_t k = 0; (w = sct_list_at(x->s->strategy, k, &len)); k++) {
        (void)snprintf(path, sizeof path, "%.*s", (int)(len < sizeof path ? len : 0), w);
        if (strchr(path, '/'))
            SCT_TRY(sct_plug_strategy(path, &s, err));
    }
    return SCT_OK;
}

/* Strategies that are named as flags must be the adapters'. */
static sct_status check_strategy(const struct sct_session *x, sct_error *err)
{
    const struct sct_tuner *t = &x->tuner;
    const char *asked = x->s->strategy, *w;
    char joined[256];
    size_t len = 0;
    uint32_t k = 0;
    if (sct_opts_source(x->run->opts, "strategy") != SCT_OPT_FLAG)
        return SCT_OK;
    for (; (w = sct_list_at(asked, k, &len)) && k < t->n; k++)
        if (!is_strategy(t->part[k].run.s, w, len))
            break;
    if (!w && k == t->n)
        return SCT_OK;
    (void)snprintf(joined, sizeof joined, "%s", asked);
    for (char *c = joined; *c; c++)
        *c = *c == '\n' ? '+' : *c;
    return sct_fail(err, SCT_EUSAGE, "--adapter %s is of strategy %s, not %s", x->adapter,
                    t->name, joined);
}

static sct_status open_adapters(struct sct_session *x, sct_error *err)
{
    const struct sct_settings *s = x->s;
    SCT_TRY(open_modules(x, err));
    SCT_TRY(sct_stack_open(&x->stack, &x->tuner, s->adapter, s->head_from, err));
    struct sct_stack_item *head = &x->stack.item[x->stack.head];
    x->adapter = head->dir;
    x->info = head->info;
    memset(&head->info, 0, sizeof head->info);
    SCT_TRY(check_strategy(x, err));
    for (uint32_t i = 0; i < x->run->n_set; i++)
        if (strcmp(x->run->set[i].where, "--set") == 0)
            return sct_fail(err, SCT_EUSAGE,
                            "--set %s: --adapter %s keeps the options it was trained with",
                            x->run->set[i].key, x->adapter);
    for (uint32_t i = 0; i < x->stack.n; i++)
        if (i != x->stack.head && sct_preprocess_hash(&x->stack.item[i].info.pre) !=
                                      sct_preprocess_hash(&x->info.pre))
            sct_session_say(x, SCT_LOG_WARN,
                            "pictures are prepared as %s was trained with, which is otherwise "
                            "than %s was",
                            x->adapter, x->stack.item[i].dir);
    if (x->stack.n > 1)
        sct_session_say(x, SCT_LOG_INFO, "%u adapters, %s, with the head of %s", x->stack.n,
                        x->tuner.name, x->adapter);
    return SCT_OK;
}

static sct_status open_all(struct sct_session *x, uint32_t need,
                           const char *(*env)(const char *), sct_error *err)
{
    const struct sct_settings *s = x->s;
    if (s->head_from && !s->adapter)
        return sct_fail(err, SCT_EUSAGE, "--head-from %s: there is no --adapter", s->head_from);
    if (s->adapter)
        SCT_TRY(open_adapters(x, err));
    else
        SCT_TRY(sct_tuner_open(&x->tuner, s->strategy, x->run->set, x->run->n_set, err));
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
    sct_strategy_host_log(log, log_ctx);
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
                        x->adapter, x->info.model.classes);
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
        x->adapter, x->info.base_hash, x->weights, hex);
}

/* Where readings are kept: below the program's cache folder, or where the share says. false:
 * none are. */
static bool readings_dir(const struct sct_session *x, char *dir, size_t size)
{
    const char *cache = x->device.opts.cache_dir,
               *shared = x->share ? x->share->readings : NULL;
    if (!x->s->readings_cache || x->s->dry_run || (!cache[0] && !shared))
        return false;
    if (cache[0])
        (void)snprintf(dir, size, "%s/readings", cache);
    else
        (void)snprintf(dir, size, "%s", shared);
    return true;
}

/* Measures what the strategies want to know, or reads it from the folder; they choose. */
static sct_status calibrate(struct sct_session *x, struct sct_model *plain, sct_error *err)
{
    char dir[sizeof x->device.opts.cache_dir + 4200];
    struct sct_plan_opts o;
    plain->dry_run = x->s->dry_run != 0;
    SCT_TRY(sct_tuner_observe(&x->tuner, plain, err));
    SCT_TRY(sct_session_plan_opts(x, &o, err));
    struct sct_readings_cache cache = {.model = plain,
                                       .device = &x->device,
                                       .plan = &o,
                                       .source = x->train,
                                       .pre = &x->pre,
                                       .base = x->base.w,
                                       .base_hash = x->info.base_hash,
                                       .seed = x->seed,
                                       .say = x->log,
                                       .say_ctx = x->log_ctx};
    if (readings_dir(x, dir, sizeof dir)) {
        cache.dir = dir;
        SCT_TRY(sct_base_hash_of(x->base.w, x->info.base_hash, err));
    }
    struct sct_loader *larger = NULL; /* for batches that the run's own loader does not make */
    const uint32_t batch = sct_calibration_batch(plain);
    sct_status rc = SCT_OK;
    if (batch > plain->g->batch)
        rc = sct_session_loader(x, batch, &larger, err);
    if (rc == SCT_OK)
        rc = sct_calibrate(&x->tuner, plain, &x->device, larger ? larger : x->train_loader,
                           x->train, x->seed, &o, x->s->dry_run ? &x->calibration_bytes : NULL,
                           &cache, x->keep_readings ? &x->readings : NULL, err);
    sct_loader_destroy(&larger);
    x->n_read = cache.n_read;
    x->n_measured = cache.n_measured;
    if (x->share)
        x->share->measured += cache.n_measured;
    sct_readings_cache_fini(&cache);
    return rc;
}

/* The strategies' choice, from the adapters or from calibration. */
static sct_status decide(struct sct_session *x, uint32_t batch, sct_error *err)
{
    struct sct_model *plain = NULL;
    if (!x->adapter && !sct_tuner_observes(&x->tuner))
        return SCT_OK;
    SCT_TRY(build(x, &plain, batch, false, err));
    sct_status rc = x->adapter ? check_base(x, err) : calibrate(x, plain, err);
    if (rc == SCT_OK && x->adapter)
        rc = sct_stack_load(&x->stack, &x->tuner, plain, err);
    sct_model_destroy(&plain);
    return rc;
}

/* A head that is in the file and not built is named, with the reason. */
static sct_status no_head(const struct sct_session *x, sct_error *err)
{
    const struct sct_base_file *f = &x->base.file;
    for (uint32_t i = 0; f->map && i < f->map->n_use; i++) {
        const char *why = f->map->use[i].why;
        if (why && strncmp(why, "a head ", 7) == 0)
            return sct_fail(
                err, SCT_EFILE,
                "%s has no head that can be used: %.100s is left out, %s; train one, "
                "and say --adapter DIR",
                x->weights, f->named[i].name, why);
    }
    return sct_fail(err, SCT_EFILE, "%s has no head: say --adapter DIR", x->weights);
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
            return no_head(x, err);
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
    SCT_TRY(sct_tuner_apply(&x->tuner, x->model, err));
    SCT_TRY(sct_graph_verify(x->model->g, err));
    if (x->adapter)
        SCT_TRY(sct_stack_fill(&x->stack, x->model, err));
    if (!train)
        return SCT_OK;
    SCT_TRY(sct_optim_groups(x->model, x->run, err));
    if (sct_optim_idle(x->model, x->run))
        sct_session_say(x, SCT_LOG_WARN,
                        "all that is trained has the learning rate 0, so nothing changes: see "
                        "--lr and --group");
    return SCT_OK;
}

sct_status sct_session_plain(struct sct_session *x, struct sct_model **m, sct_error *err)
{
    return build(x, m, 1, false, err);
}

sct_status sct_session_part(struct sct_session *x, uint32_t part, struct sct_model **m,
                            sct_error *err)
{
    SCT_TRY(build(x, m, 1, false, err));
    const sct_status rc = sct_strategy_apply(&x->tuner.part[part].run, *m, err);
    if (rc != SCT_OK)
        sct_model_destroy(m);
    return rc;
}

sct_status sct_session_describe(struct sct_session *x, sct_error *err)
{
    struct sct_adapter_info *i = &x->info;
    i->model = x->cfg;
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
    return i->base_hash[0] ? SCT_OK : sct_base_hash_of(x->base.w, i->base_hash, err);
}

void sct_session_close(struct sct_session *x)
{
    sct_strategy_host_log(NULL, NULL);
    if (x->share)
        sct_share_leave(x);
    if (!(x->borrowed & SCT_SHARED_DATA)) {
        sct_loader_destroy(&x->train_loader);
        sct_loader_destroy(&x->test_loader);
        sct_source_destroy(&x->train);
        sct_source_destroy(&x->test);
    }
    sct_model_destroy(&x->model);
    sct_stack_close(&x->stack);
    sct_tuner_close(&x->tuner);
    if (x->has_device)
        sct_device_close(&x->device);
    if (!(x->borrowed & SCT_SHARED_BASE))
        sct_base_close(&x->base);
    sct_adapter_info_fini(&x->info);
    if (x->about.layout)
        sct_data_about_fini(&x->about);
    sct_readings_destroy(&x->readings);
    sct_free(x->skipped);
    sct_arena_free(&x->arena);
    memset(x, 0, sizeof *x);
}
