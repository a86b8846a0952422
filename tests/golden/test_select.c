/* SPDX-License-Identifier: MIT
 * test_select.c - SCT's selection from streamed sums equals the one-shot norms of PyTorch in
 * float64: an unbalanced list with an absent class, and a class token whose loud channel must
 * not count; of a Swin all tokens, with another width in every stage. Batch size and order of
 * the images make no difference. Every mode has its own modules and readings. usage:
 * test_select [swin] [backend [option]] */
#include <string.h>

#include "core/graphs/graphs.h"
#include "tests/golden/tuned.h"

enum { MAX_WATCH = 12, MAX_DIM = 48 };

/* A mode of sct: modules and readings of a block, and where they are in the file. */
struct mode {
    const char *name, *prefix;
    uint32_t modules, readings;
};

static const struct mode modes[] = {
    {"attn", "", 1, 1}, {"mlp", "mlp/", 1, 1}, {"qkv", "qkv/", 2, 1}, {"both", "both/", 2, 2}};

/* What is asked of the strategy. */
struct row {
    const struct mode *mode;
    const char *select, *k;
};

/* random and all do not look at the images */
static bool measures(const struct row *row)
{
    return strcmp(row->select, "random") != 0 && strcmp(row->select, "all") != 0;
}

static uint32_t blocks_of(const struct golden *g)
{
    return g->base->window ? 6 : 3;
}

/* How the list is gone through. */
struct pass {
    uint32_t batch, backwards;
    struct sct_plan_opts plan;
};

static sct_status feed_batch(const struct golden *g, struct sct_exec *x, const struct pass *p,
                             const int32_t *owner, uint32_t first, sct_error *err)
{
    static uint8_t images[GOLDEN_ALL * GOLDEN_IMAGE_BYTES];
    int32_t labels[GOLDEN_ALL][2] = {{0}};
    float weight[GOLDEN_ALL] = {0};
    const uint32_t left = GOLDEN_ALL - first, valid = left < p->batch ? left : p->batch;
    memset(images, 255, sizeof images); /* what lies behind the list must not count */
    for (uint32_t i = 0; i < valid; i++) {
        const uint32_t at = p->backwards ? GOLDEN_ALL - 1 - first - i : first + i;
        memcpy(images + i * GOLDEN_IMAGE_BYTES, g->images + at * GOLDEN_IMAGE_BYTES,
               GOLDEN_IMAGE_BYTES);
        labels[i][0] = labels[i][1] = owner[at];
        weight[i] = 1.0f;
    }
    SCT_TRY(sct_exec_feed(x, "images", images, p->batch, err));
    SCT_TRY(sct_exec_feed(x, "labels", labels, p->batch, err));
    SCT_TRY(sct_exec_feed(x, "weight", weight, p->batch, err));
    const struct sct_step_state st = {7, first / p->batch, 0.0f, valid};
    SCT_TRY(first ? sct_exec_state(x, &st, err) : sct_exec_begin(x, &st, err));
    return sct_exec_body(x, valid, err);
}

static sct_status read_watches(struct sct_exec *x, const struct sct_model *m,
                               const int32_t *owner, struct sct_readings *out, sct_error *err)
{
    for (uint32_t i = 0; i < m->n_watch; i++) {
        char name[64];
        struct sct_reading *r =
            sct_readings_add(out, m->watch[i].what, m->watch[i].id, GOLDEN_CLASSES,
                             m->site[m->watch[i].id].channels, true);
        if (!r)
            return SCT_ENOMEM;
        (void)snprintf(name, sizeof name, "watch.%u", i);
        SCT_TRY(sct_exec_fetch(x, name, r->value, err));
        for (uint32_t k = 0; k < GOLDEN_ALL; k++)
            r->row_weight[owner[k]] += 1.0f;
    }
    return SCT_OK;
}

static sct_status observe(const struct golden *g, const struct sct_model *m,
                          const struct pass *p, struct sct_readings *out, sct_error *err)
{
    int32_t owner[GOLDEN_ALL];
    uint32_t watch[MAX_WATCH];
    struct sct_optim state = {0};
    struct sct_graph *graph = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(g->dev.be, g->dev.dev);
    for (uint32_t i = 0; i < MAX_WATCH; i++)
        watch[i] = i;
    sct_status rc = sct_st_read_i32(g->forward, sct_st_find(g->forward, "owners"), owner, err);
    if (rc == SCT_OK)
        rc = sct_graph_calibrate(&graph, m, watch, m->n_watch, &state, err);
    if (rc == SCT_OK)
        rc = golden_exec(&x, g, store, graph, &p->plan, err);
    for (uint32_t first = 0; first < GOLDEN_ALL && rc == SCT_OK; first += p->batch)
        rc = feed_batch(g, x, p, owner, first, err);
    if (rc == SCT_OK)
        rc = sct_exec_end(x, err);
    if (rc == SCT_OK)
        rc = read_watches(x, m, owner, out, err);
    sct_exec_destroy(&x);
    sct_graph_destroy(&graph);
    sct_store_destroy(&store);
    sct_optim_fini(&state);
    return rc;
}

static void compare_sums(const struct golden *g, const struct sct_st *file,
                         const struct row *row, const struct sct_readings *r)
{
    /* Rows that fill up a window are all alike, 144 for each of a class's 9 images: their
     * roundings in float have one sign and add up to 1296 of 2^-24. */
    const bool filled = g->base->window && strcmp(row->mode->name, "qkv") == 0;
    const double limit = g->f64 ? 1e-7 : filled ? 8e-5 : 1e-5;
    for (uint32_t i = 0; i < r->n; i++) {
        char name[64];
        uint64_t n = 0;
        (void)snprintf(name, sizeof name, "%ssumsq/%u", row->mode->prefix, i);
        float *want = golden_f32(file, name, &n);
        if (!want)
            continue;
        const double off = golden_rel_diff(r->item[i].value, want, n);
        golden_expect(off <= limit, "reading %u: sums of squares off by %.1e (limit %.0e)", i,
                      off, limit);
        const uint64_t dim = n / GOLDEN_CLASSES;
        const float *absent = r->item[i].value + 3 * dim;
        int zero = 1;
        for (uint64_t d = 0; d < dim; d++)
            zero &= absent[d] == 0.0f;
        golden_expect(zero, "reading %u: the class without images has sum 0", i);
        sct_free(want);
    }
}

static void compare_choice(const struct golden *g, const struct sct_st *file,
                           const struct row *row, const struct sct_model *m)
{
    const uint32_t modules = row->mode->modules * blocks_of(g);
    uint32_t i = 0;
    for (uint32_t j = 0; j < m->n_param; j++) {
        const struct sct_param *p = m->param[j];
        char name[96];
        int32_t want[MAX_DIM];
        if (!p->is_index)
            continue;
        sct_error err = SCT_ERROR_INIT;
        (void)snprintf(name, sizeof name, "%s%s/%s/%u", row->mode->prefix, row->select, row->k,
                       i);
        const struct sct_st_tensor *t = sct_st_find(file, name);
        const int ok = t && t->count <= MAX_DIM && p->host &&
                       sct_desc_count(&p->t->desc) == t->count &&
                       sct_st_read_i32(file, t, want, &err) == SCT_OK &&
                       memcmp(want, p->host, (size_t)t->count * sizeof *want) == 0;
        golden_expect(ok, "%s: %s picks PyTorch's channels, k = %s", p->name, row->select,
                      row->k);
        for (uint32_t c = 0; !ok && t && p->host && c < t->count; c++)
            printf("     expected %d, found %d\n", want[c], ((const int32_t *)p->host)[c]);
        i++;
    }
    golden_expect(i == modules, "%s: %u modules, expected %u", row->mode->name, i, modules);
}

/* observe, run, choose, apply: as a training run does. */
static sct_status run(const struct golden *g, const struct sct_st *file, const struct row *row,
                      const struct pass *p, sct_error *err)
{
    struct sct_tuner t = {0};
    struct sct_weights *w = NULL;
    struct sct_model *plain = NULL, *fresh = NULL;
    struct sct_readings *r = sct_readings_create();
    json_t *options = json_pack("{s:s, s:s, s:s, s:s}", "mode", row->mode->name, "select",
                                row->select, "k", row->k, "seed", "7");
    sct_status rc = r && options ? SCT_OK : SCT_ENOMEM;
    if (rc == SCT_OK)
        rc = tuned_open_strategy(&t, "sct", options, err);
    if (rc == SCT_OK)
        rc = golden_weights(&w, g, g->base, file, err);
    if (rc == SCT_OK)
        rc = golden_model(&plain, g->base, w, p->batch, false, err);
    if (rc == SCT_OK)
        rc = sct_tuner_observe(&t, plain, err);
    if (rc == SCT_OK) {
        const uint32_t want = measures(row) ? row->mode->readings * blocks_of(g) : 0;
        golden_expect(plain->n_watch == want, "%u readings, expected %u", plain->n_watch, want);
    }
    if (rc == SCT_OK && measures(row))
        rc = observe(g, plain, p, r, err);
    if (rc == SCT_OK)
        rc = sct_tuner_choose(&t, plain, &r, err);
    if (rc == SCT_OK)
        rc = golden_model(&fresh, g->base, w, p->batch, false, err);
    if (rc == SCT_OK)
        rc = sct_tuner_apply(&t, fresh, err);
    if (rc == SCT_OK) {
        compare_sums(g, file, row, r);
        compare_choice(g, file, row, fresh);
    }
    sct_model_destroy(&plain);
    sct_model_destroy(&fresh);
    sct_weights_destroy(&w);
    sct_readings_destroy(&r);
    sct_tuner_close(&t);
    json_decref(options);
    return rc;
}

/* Channels 2 j and 2 j + 1 score alike, and so does every third pair: exactly K are chosen, of
 * equal ones the lower. */
static sct_status ties(const struct golden *g, const struct sct_st *file, sct_error *err)
{
    enum { K = 4 };

    static const int32_t want[K] = {4, 5, 10,
                                    11}; /* the largest score is that of 4, 5, 10, .. */
    struct sct_tuner t = {0};
    struct sct_weights *w = NULL;
    struct sct_model *plain = NULL, *fresh = NULL;
    struct sct_readings *r = sct_readings_create();
    json_t *options = json_pack("{s:s, s:s}", "k", "4", "sites",
                                g->base->window ? "stage[3].block[0].attn.res"
                                                : "stage[0].block[0].attn.res");
    sct_status rc = r && options ? SCT_OK : SCT_ENOMEM;
    if (rc == SCT_OK)
        rc = tuned_open_strategy(&t, "sct", options, err);
    if (rc == SCT_OK)
        rc = golden_weights(&w, g, g->base, file, err);
    if (rc == SCT_OK)
        rc = golden_model(&plain, g->base, w, GOLDEN_BATCH, false, err);
    if (rc == SCT_OK)
        rc = sct_tuner_observe(&t, plain, err);
    for (uint32_t i = 0; rc == SCT_OK && i < plain->n_watch; i++) {
        const uint32_t cols = plain->site[plain->watch[i].id].channels;
        struct sct_reading *x =
            sct_readings_add(r, plain->watch[i].what, plain->watch[i].id, 1, cols, true);
        rc = x ? SCT_OK : SCT_ENOMEM;
        for (uint32_t d = 0; x && d < cols; d++)
            x->value[d] = (float)(d / 2 % 3);
        if (x)
            x->row_weight[0] = 1.0f;
    }
    if (rc == SCT_OK)
        rc = sct_tuner_choose(&t, plain, &r, err);
    if (rc == SCT_OK)
        rc = golden_model(&fresh, g->base, w, GOLDEN_BATCH, false, err);
    if (rc == SCT_OK)
        rc = sct_tuner_apply(&t, fresh, err);
    for (uint32_t j = 0; rc == SCT_OK && j < fresh->n_param; j++) {
        const struct sct_param *p = fresh->param[j];
        if (p->is_index)
            golden_expect(p->host && sct_desc_count(&p->t->desc) == K &&
                              memcmp(p->host, want, sizeof want) == 0,
                          "%s: of equal scores the lower channels", p->name);
    }
    sct_model_destroy(&plain);
    sct_model_destroy(&fresh);
    sct_weights_destroy(&w);
    sct_readings_destroy(&r);
    sct_tuner_close(&t);
    json_decref(options);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct row rows[] = {
        {&modes[0], "class_aware", "5"},   {&modes[0], "class_agnostic", "1/3"},
        {&modes[0], "class_aware", "1/3"}, {&modes[0], "class_agnostic", "5"},
        {&modes[0], "class_aware", "1"},   {&modes[0], "class_aware", "1/1"},
        {&modes[0], "lowest", "5"},        {&modes[0], "random", "5"},
        {&modes[0], "random", "1/3"},      {&modes[0], "all", "5"},
        {&modes[1], "class_aware", "5"},   {&modes[1], "lowest", "1/3"},
        {&modes[2], "class_aware", "1/3"}, {&modes[2], "class_agnostic", "5"},
        {&modes[3], "class_aware", "5"},   {&modes[3], "class_agnostic", "1/3"}};
    static const struct pass passes[] = {
        {6, 0, {0}}, {4, 1, {.micro_batch = 3, .slots = 1}}, {14, 0, {.micro_batch = 1}}};
    struct golden g;
    struct sct_st *file = NULL;
    sct_error err = SCT_ERROR_INIT;
    const int skip = golden_init(&g, argc, argv);
    if (skip)
        return skip;
    (void)golden_ok(golden_open(&file, "select.safetensors", &err), &err, "select");
    const size_t n_rows = sizeof rows / sizeof rows[0];
    for (size_t i = 0; file && i < n_rows; i++)
        /* how the list is gone through concerns the sums, which the first rows have in common
         */
        for (size_t p = 0; p < (i < 4 ? sizeof passes / sizeof passes[0] : 1); p++) {
            sct_error e = SCT_ERROR_INIT;
            printf("%s, %s, k = %s, batches of %u\n", rows[i].mode->name, rows[i].select,
                   rows[i].k, passes[p].batch);
            (void)golden_ok(run(&g, file, &rows[i], &passes[p], &e), &e, "run");
        }
    if (file)
        (void)golden_ok(ties(&g, file, &err), &err, "ties");
    sct_st_close(&file);
    golden_fini(&g);
    return golden_result();
}
