/* SPDX-License-Identifier: MIT
 * test_readings.c - readings from disk are those of a fresh calibration, bit for bit: of values
 * and of gradients, all, some or none of them kept; what seeds change is not shared; an
 * allocation that fails never gives another reading. usage: test_readings ref|cpu|opencl */
#include <stdlib.h>
#include <string.h>

#include "core/io/file.h"
#include "core/model/build.h"
#include "core/pretrained/base.h"
#include "core/tune/strategies.h"
#include "tests/support/dev.h"

static int failures;

static void expect(int ok, const char *what)
{
    printf("%s %s\n", ok ? "ok  " : "FAIL", what);
    failures += !ok;
}

static const struct sct_model_config tiny = {.name = "tiny",
                                             .head_init = "normal(0, 0.02)",
                                             .image = 16,
                                             .patch = 8,
                                             .dim = 12,
                                             .depth = 2,
                                             .heads = 2,
                                             .mlp = 16,
                                             .classes = 3,
                                             .class_token = 1,
                                             .drop_path = 0.3f,
                                             .eps = 1e-6f,
                                             .mean = {0.5f, 0.5f, 0.5f},
                                             .std = {0.5f, 0.5f, 0.5f}};

/* A strategy that watches what `want` says, and keeps what it is shown. */
enum { VALUES = 1, ONE_VALUE = 2, GRADIENTS = 4, SHUFFLED = 8 };

struct looker {
    uint32_t want;
};

static sct_status observe(void *st, const struct sct_strategy_host *h, sct_model *m,
                          sct_error *err)
{
    const struct looker *l = st;
    struct sct_site site[2];
    uint32_t param[2];
    const struct sct_protocol value = {.size = sizeof value,
                                       .skip_prefix = 1,
                                       .shuffle = (l->want & SHUFFLED) != 0,
                                       .max_batches = (l->want & SHUFFLED) ? 2 : 0},
                              grad = {.size = sizeof grad, .train_mode = 1};
    const size_t n = h->sites(m, "**.attn.res", site, 2);
    for (size_t i = (l->want & ONE_VALUE) ? 1 : 0; i < n && (l->want & (VALUES | ONE_VALUE));
         i++)
        SCT_TRY(h->watch(m, SCT_WATCH_SUMSQ_LABEL, site[i].id, &value, err));
    const size_t k = h->params(m, "blocks.*.mlp.fc1.weight", param, 2);
    for (size_t i = 0; i < k && (l->want & GRADIENTS); i++)
        SCT_TRY(h->watch(m, SCT_WATCH_GRAD_SUMSQ, param[i], &grad, err));
    return SCT_OK;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    (void)st, (void)h, (void)m, (void)err;
    return SCT_OK;
}

static const struct sct_strategy looker = {.abi = SCT_STRATEGY_ABI,
                                           .size = sizeof looker,
                                           .name = "looker",
                                           .state_size = sizeof(struct looker),
                                           .observe = observe,
                                           .apply = apply};

struct bench {
    struct sct_open_device device;
    struct sct_weights *weights;
    struct sct_source *source;
    struct sct_loader *loader;
    struct sct_preprocess pre;
    char hash[SCT_SHA256_HEX], dir[64];
};

/* Calibrates with what is in the folder; dir NULL: without one. *cache: its counters. */
static sct_status calibrate(struct bench *b, const char *dir, uint32_t want, uint64_t seed,
                            struct sct_readings_cache *cache, struct sct_readings **out,
                            sct_error *err)
{
    const struct sct_build_opts o = {8, seed, false};
    const struct sct_plan_opts plan = {0};
    struct looker state = {want};
    struct sct_part part = {.label = "looker", .run = {&looker, &state}};
    struct sct_tuner t = {.part = &part, .n = 1, .name = "looker"};
    struct sct_model *m = NULL;
    *out = NULL;
    SCT_TRY(sct_model_build(&m, &tiny, b->weights, &o, err));
    sct_preprocess_table(&b->pre, (float(*)[256])(void *)m->table);
    *cache = (struct sct_readings_cache){.dir = dir,
                                         .model = m,
                                         .device = &b->device,
                                         .plan = &plan,
                                         .source = b->source,
                                         .pre = &b->pre,
                                         .base = b->weights,
                                         .base_hash = b->hash,
                                         .seed = seed};
    sct_status rc = sct_tuner_observe(&t, m, err);
    if (rc == SCT_OK)
        rc = sct_calibrate(&t, m, &b->device, b->loader, b->source, seed, &plan, NULL, cache,
                           out, err);
    sct_readings_cache_fini(cache);
    /* what the device keeps of it would be taken for the next model's */
    for (uint32_t i = 0; i < m->n_param; i++)
        if (!m->param[i]->t->lasting && sct_store_has(b->device.store, m->param[i]->t)) {
            printf("FAIL %s of the plain model is still on the device\n", m->param[i]->t->name);
            failures++;
        }
    sct_model_destroy(&m);
    return rc;
}

static const struct sct_reading *find(const struct sct_readings *r, const struct sct_reading *x)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->item[i].what == x->what && r->item[i].id == x->id)
            return &r->item[i];
    return NULL;
}

static int same(const struct sct_readings *a, const struct sct_readings *b)
{
    int ok = a && b && a->n == b->n && a->n > 0;
    for (uint32_t i = 0; ok && i < a->n; i++) {
        const struct sct_reading *x = &a->item[i], *y = find(b, x);
        ok = y && x->rows == y->rows && x->cols == y->cols &&
             !x->row_weight == !y->row_weight &&
             memcmp(x->value, y->value, (size_t)x->rows * x->cols * sizeof *x->value) == 0 &&
             (!x->row_weight ||
              memcmp(x->row_weight, y->row_weight, x->rows * sizeof *x->row_weight) == 0);
    }
    return ok;
}

/* What a fresh run reads and what this one reads; how many come from the folder. */
static void check(struct bench *b, const char *what, uint32_t want, uint64_t seed,
                  uint32_t read, uint32_t measured)
{
    struct sct_readings_cache cache;
    struct sct_readings *fresh, *found;
    sct_error err = SCT_ERROR_INIT;
    if (calibrate(b, NULL, want, seed, &cache, &fresh, &err) != SCT_OK)
        printf("     %s\n", err.msg);
    if (calibrate(b, b->dir, want, seed, &cache, &found, &err) != SCT_OK)
        printf("     %s\n", err.msg);
    expect(same(fresh, found), what);
    if (cache.n_read != read || cache.n_measured != measured) {
        printf("     expected %u read, %u measured, found %u, %u\n", read, measured,
               cache.n_read, cache.n_measured);
        failures++;
    }
    sct_readings_destroy(&fresh);
    sct_readings_destroy(&found);
}

static void sharing(struct bench *b)
{
    check(b, "one value, new", ONE_VALUE, 1, 0, 1);
    check(b, "two values, one kept", VALUES, 1, 1, 1);
    check(b, "gradients, new", GRADIENTS, 1, 0, 2);
    check(b, "all kept", VALUES | GRADIENTS, 1, 4, 0);
    check(b, "values of another seed are the same", VALUES, 2, 2, 0);
    check(b, "gradients of another seed are not", GRADIENTS, 2, 0, 2);
    check(b, "part of a shuffled list, new", VALUES | SHUFFLED, 1, 0, 2);
    check(b, "part of another order", VALUES | SHUFFLED, 2, 0, 2);
    check(b, "part of a shuffled list, kept", VALUES | SHUFFLED, 1, 2, 0);
}

/* Every third allocation fails once: an error that says so, or the right readings. */
static void short_memory(struct bench *b, const char *what, const char *dir)
{
    struct sct_readings_cache cache;
    struct sct_readings *fresh, *found;
    sct_error err = SCT_ERROR_INIT;
    int ok = calibrate(b, NULL, VALUES | GRADIENTS, 1, &cache, &fresh, &err) == SCT_OK;
    for (uint64_t n = 1, used = n; ok && used >= n; n += 3) {
        err = (sct_error)SCT_ERROR_INIT;
        (void)sct_mem_fail_at(n, 0);
        const sct_status rc = calibrate(b, dir, VALUES | GRADIENTS, 1, &cache, &found, &err);
        used = sct_mem_fail_at(0, 0);
        ok = rc == SCT_OK ? same(fresh, found) : rc == SCT_ENOMEM && err.msg[0] && !found;
        if (!ok)
            printf("     allocation %llu: %d \"%s\"\n", (unsigned long long)n, (int)rc,
                   err.msg);
        sct_readings_destroy(&found);
    }
    expect(ok, what);
    sct_readings_destroy(&fresh);
}

static sct_status open_bench(struct bench *b, const char *backend, sct_error *err)
{
    const struct sct_device_opts device = {
        .backend = backend, .device = "auto", .threads = "2"};
    const struct sct_build_opts o = {8, 0, false};
    struct sct_task task;
    struct sct_model *m = NULL;
    (void)snprintf(b->dir, sizeof b->dir, "/tmp/sctrun-readings-XXXXXX");
    if (!mkdtemp(b->dir))
        return sct_fail(err, SCT_EFAIL, "no temporary folder");
    sct_preprocess_default(&b->pre);
    b->pre.size = tiny.image;
    sct_task_init(&task);
    task.train = 21;
    task.val = 0;
    SCT_TRY(sct_task_set(&task, "shapes", "disc square star", err));
    SCT_TRY(sct_task_finish(&task, err));
    SCT_TRY(sct_device_open(&b->device, &device, err));
    SCT_TRY(sct_source_create_task(&b->source, &task, SCT_SPLIT_TRAIN, err));
    /* no thread: allocations are counted */
    const struct sct_loader_opts l = {.pre = b->pre, .batch = 8};
    SCT_TRY(sct_loader_create(&b->loader, b->source, &l, err));
    b->weights = sct_weights_create("random", true, 1);
    SCT_TRY(sct_model_build(&m, &tiny, b->weights, &o, err)); /* draws the tensors */
    sct_model_destroy(&m);
    return sct_base_hash_of(b->weights, b->hash, err);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    sct_error err = SCT_ERROR_INIT;
    const char *backend = argc > 1 ? argv[1] : "ref";
    test_dev_init();
    const sct_status rc = open_bench(&b, backend, &err);
    if (rc == SCT_OK) {
        sharing(&b);
        if (strcmp(backend, "ref") == 0) {
            short_memory(&b, "memory runs short while readings are read", b.dir);
            sct_dir_discard(b.dir);
            short_memory(&b, "memory runs short while they are measured and written", b.dir);
        }
    }
    sct_loader_destroy(&b.loader);
    sct_source_destroy(&b.source);
    sct_device_close(&b.device);
    sct_weights_destroy(&b.weights);
    sct_dir_discard(b.dir);
    if (rc == SCT_EDEVICE || rc == SCT_EPLUGIN) {
        printf("skip: %s\n", err.msg);
        return 77;
    }
    if (rc != SCT_OK)
        printf("FAIL %s\n", err.msg);
    return failures || rc != SCT_OK;
}
