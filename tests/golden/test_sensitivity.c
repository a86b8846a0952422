/* SPDX-License-Identifier: MIT
 * test_sensitivity.c - sums of squared gradients of a calibration run equal PyTorch's, over
 * pictures from files: batches that are not the model's, a last one that is partial, some of
 * the list only, single images; with and without stochastic depth.
 * usage: test_sensitivity [backend [option]] */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/status.h"
#include "core/data/preprocess.h"
#include "core/io/file.h"
#include "core/tune/strategies.h"
#include "tests/golden/golden.h"

enum { SIDE = 32, SAMPLE = 64, MAX_FILE = 1 << 13 };

/* ---- a folder of pictures ---- */

static uint32_t put32(unsigned char *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (24 - 8 * i));
    return 4;
}

static size_t chunk(unsigned char *p, const char *tag, const unsigned char *body, uint32_t n)
{
    (void)put32(p, n);
    memcpy(p + 4, tag, 4);
    memcpy(p + 8, body, n);
    (void)put32(p + 8 + n, (uint32_t)crc32(crc32(0, NULL, 0), p + 4, n + 4));
    return n + 12u;
}

/* An 8-bit RGB PNG of SIDE x SIDE. */
static size_t png(unsigned char *p, const uint8_t *rgb)
{
    static const unsigned char magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    unsigned char head[13] = {0}, rows[SIDE * (3 * SIDE + 1)], packed[MAX_FILE / 2];
    uLongf n = sizeof packed;
    size_t at = sizeof magic;
    (void)put32(head, SIDE);
    (void)put32(head + 4, SIDE);
    head[8] = 8;
    head[9] = 2;
    for (unsigned y = 0; y < SIDE; y++) {
        rows[y * (3 * SIDE + 1)] = 0;
        memcpy(rows + y * (3 * SIDE + 1) + 1, rgb + (size_t)y * 3 * SIDE, (size_t)3 * SIDE);
    }
    if (compress(packed, &n, rows, sizeof rows) != Z_OK)
        abort();
    memcpy(p, magic, sizeof magic);
    at += chunk(p + at, "IHDR", head, sizeof head);
    at += chunk(p + at, "IDAT", packed, (uint32_t)n);
    return at + chunk(p + at, "IEND", packed, 0);
}

/* The images and a list of them with their owners as labels, in folder dir. */
static sct_status write_images(const struct golden *g, const char *dir, const char *list,
                               sct_error *err)
{
    static unsigned char file[MAX_FILE];
    char text[GOLDEN_ALL * 32], path[256];
    int32_t owner[GOLDEN_ALL];
    size_t used = 0;
    SCT_TRY(sct_st_read_i32(g->forward, sct_st_find(g->forward, "owners"), owner, err));
    for (unsigned i = 0; i < GOLDEN_ALL; i++) {
        const size_t n = png(file, g->images + (size_t)i * GOLDEN_IMAGE_BYTES);
        (void)snprintf(path, sizeof path, "%s/%u.png", dir, i);
        SCT_TRY(sct_file_write(path, file, n, err));
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%u.png %d\n", i, (int)owner[i]);
    }
    return sct_file_write(list, text, used, err);
}

/* ---- a strategy that watches every parameter but the head, and keeps what it reads ---- */

static struct {
    struct sct_protocol p;
    float *value[128]; /* by parameter */
    size_t count[128];
} kept;

static sct_status watch_all(void *st, const struct sct_strategy_host *h, sct_model *m,
                            sct_error *err)
{
    uint32_t id[128];
    (void)st;
    const size_t n = h->params(m, "**", id, 128);
    for (size_t i = 0; i < n; i++)
        if (strncmp(h->param_name(m, id[i]), "head.", 5) != 0)
            SCT_TRY(h->watch(m, SCT_WATCH_GRAD_SUMSQ, id[i], &kept.p, err));
    return SCT_OK;
}

static sct_status keep_all(void *st, const struct sct_strategy_host *h, const sct_model *m,
                           const sct_readings *r, sct_error *err)
{
    (void)st;
    (void)m;
    for (uint32_t i = 0; i < 128; i++) {
        size_t rows, cols;
        const float *v = h->reading(r, SCT_WATCH_GRAD_SUMSQ, i, &rows, &cols, NULL);
        sct_free(kept.value[i]);
        kept.value[i] = v ? sct_calloc(rows * cols, sizeof *v) : NULL;
        kept.count[i] = rows * cols;
        if (v && !kept.value[i])
            return h->fail(err, SCT_ENOMEM, "out of memory");
        if (v)
            memcpy(kept.value[i], v, rows * cols * sizeof *v);
    }
    return SCT_OK;
}

static sct_status nothing(void *st, const struct sct_strategy_host *h, sct_model *m,
                          sct_error *err)
{
    (void)st, (void)h, (void)m, (void)err;
    return SCT_OK;
}

/* ---- the run ---- */

struct row {
    const char *name; /* of the sums in the file */
    struct sct_protocol p;
    uint32_t model_batch, micro_batch;
};

static sct_status calibrate(const struct golden *g, struct sct_source *source,
                            const struct row *row, struct sct_model *m, sct_error *err)
{
    static const struct sct_strategy s = {.abi = SCT_STRATEGY_ABI,
                                          .size = sizeof s,
                                          .name = "watcher",
                                          .observe = watch_all,
                                          .choose = keep_all,
                                          .apply = nothing};
    struct sct_part part = {.label = "watcher", .run = {&s, NULL}};
    struct sct_tuner t = {.part = &part, .n = 1, .name = "watcher"};
    struct sct_readings_cache none = {.dir = NULL};
    struct sct_open_device d = {.be = g->dev.be, .dev = g->dev.dev, .info = g->dev.info};
    struct sct_loader_opts o = {.ahead = 1};
    struct sct_loader *loader = NULL;
    const struct sct_plan_opts plan = {.micro_batch = row->micro_batch};
    kept.p = row->p;
    sct_preprocess_default(&o.pre);
    o.pre.size = SIDE;
    SCT_TRY(sct_tuner_observe(&t, m, err));
    o.batch = sct_calibration_batch(m);
    d.store = sct_store_create(d.be, d.dev);
    sct_status rc = d.store ? sct_loader_create(&loader, source, &o, err) : SCT_ENOMEM;
    if (rc == SCT_OK)
        rc = sct_calibrate(&t, m, &d, loader, source, 7, &plan, NULL, &none, NULL, err);
    sct_loader_destroy(&loader);
    sct_store_destroy(&d.store);
    return rc;
}

/* drop: of the model's stochastic depth. *norm receives the norm of all sums. */
static sct_status run(const struct golden *g, struct sct_source *source,
                      const struct sct_st *st, const struct row *row, float drop, double *norm,
                      sct_error *err)
{
    struct sct_weights *w = NULL;
    struct sct_model *m = NULL;
    double worst = 0;
    uint32_t compared = 0;
    sct_status rc = golden_weights(&w, g, g->base, NULL, err);
    if (rc == SCT_OK)
        rc = golden_model_drop(&m, g->base, w, row->model_batch, true, drop, err);
    if (rc == SCT_OK)
        rc = calibrate(g, source, row, m, err);
    *norm = 0;
    for (uint32_t i = 0; rc == SCT_OK && i < m->n_param; i++) {
        char name[160];
        uint64_t n;
        float have[SAMPLE];
        if (!kept.value[i])
            continue;
        for (size_t k = 0; k < kept.count[i]; k++)
            *norm += (double)kept.value[i][k];
        (void)snprintf(name, sizeof name, "%s/%s", row->name, m->param[i]->name);
        float *want = golden_f32(st, name, &n);
        const size_t step = (kept.count[i] + SAMPLE - 1) / SAMPLE;
        for (uint64_t k = 0; want && k < n; k++)
            have[k] = kept.value[i][k * step];
        const double off = want ? golden_rel_diff(have, want, n) : 1.0;
        worst = off > worst ? off : worst;
        compared += want != NULL;
        sct_free(want);
    }
    /* key biases have no gradient but what rounding leaves */
    const double limit = g->f64 ? 1e-6 : 1e-4;
    if (rc == SCT_OK && drop == 0.0f)
        golden_expect(
            compared == 42 && worst <= limit,
            "%s, model for %u, micro-batch %u: %u parameters, off by %.1e (limit %.0e)",
            row->name, row->model_batch, row->micro_batch, compared, worst, limit);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
    return rc;
}

static sct_status all_runs(const struct golden *g, struct sct_source *source,
                           const struct sct_st *st, sct_error *err)
{
    static const uint32_t size = sizeof(struct sct_protocol);
    const struct row rows[] = {
        {"all", {.size = size, .batch = 4}, 6, 0},
        {"all", {.size = size, .batch = 4, .train_mode = 1}, 2, 1},
        {"all", {.size = size}, 4, 3},
        {"two", {.size = size, .batch = 4, .max_batches = 2}, 1, 0},
        {"single", {.size = size, .batch = 1}, 6, 0},
    };
    const size_t n = sizeof rows / sizeof *rows;
    double plain = 0, dropped = 0, evaluated = 0;
    for (size_t i = 0; i < n; i++)
        SCT_TRY(run(g, source, st, &rows[i], 0.0f, &plain, err));
    SCT_TRY(run(g, source, st, &rows[0], 0.0f, &plain, err));
    SCT_TRY(run(g, source, st, &rows[0], 0.5f, &evaluated, err));
    SCT_TRY(run(g, source, st, &rows[1], 0.5f, &dropped, err));
    golden_expect(evaluated == plain, "eval mode has no stochastic depth");
    golden_expect(dropped != plain, "train mode has");
    return SCT_OK;
}

int main(int argc, char **argv)
{
    struct golden g;
    struct sct_st *st = NULL;
    struct sct_dataset ds = {0};
    struct sct_source *source = NULL;
    char dir[] = "/tmp/sctrun-XXXXXX", list[64];
    sct_error err = SCT_ERROR_INIT;
    const int skip = golden_init(&g, argc, argv);
    if (skip)
        return skip;
    sct_status rc = mkdtemp(dir) ? SCT_OK : sct_fail(&err, SCT_EFAIL, "no temporary folder");
    (void)snprintf(list, sizeof list, "%s/list.txt", dir);
    if (rc == SCT_OK)
        rc = write_images(&g, dir, list, &err);
    if (rc == SCT_OK)
        rc = sct_dataset_list(&ds, list, dir, NULL, &err);
    if (rc == SCT_OK)
        rc = sct_source_create_dataset(&source, &ds, &err);
    if (rc == SCT_OK)
        rc = golden_open(&st, "sensitivity.safetensors", &err);
    if (rc == SCT_OK)
        rc = all_runs(&g, source, st, &err);
    (void)golden_ok(rc, &err, "sensitivity");
    for (uint32_t i = 0; i < 128; i++)
        sct_free(kept.value[i]);
    sct_source_destroy(&source);
    sct_dataset_fini(&ds);
    sct_st_close(&st);
    sct_dir_discard(dir);
    golden_fini(&g);
    return golden_result();
}
