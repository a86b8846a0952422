/* SPDX-License-Identifier: MIT
 * test_counts.c - trainable parameters of real-size models, from the graphs alone, against the
 * published numbers; and learning rates against timm's scheduler. */
#include <math.h>
#include <string.h>

#include "core/train/schedule.h"
#include "tests/golden/tuned.h"

/* Without the head. */
struct row {
    const char *strategy, *options; /* "key=value", spaces between */
    uint32_t dim, depth, heads;
    uint64_t want;
};

static const struct row rows[] = {
    /* SCT: K (K + 1) in each block; 96 and 192 are the published sizes */
    {"sct", "k=96", 768, 12, 12, 111744},
    {"sct", "k=1/8", 768, 12, 12, 111744},
    {"sct", "k=192", 768, 12, 12, 444672},
    {"sct", "k=128", 1024, 24, 16, 396288},
    /* LoRA: r (in + out) for each pair */
    {"lora", "r=8", 768, 12, 12, 294912},
    {"lora", "r=16", 768, 12, 12, 589824},
    {"lora", "targets=qkv", 768, 12, 12, 294912},
    {"lora", "targets=q,k,v,proj", 768, 12, 12, 589824},
    {"lora", "targets=q,k,v,proj,fc1,fc2", 768, 12, 12, 1327104},
    /* SSF: two a channel behind the patch embedding, 25 norms, qkv, proj, fc1 and fc2 */
    {"ssf", "", 768, 12, 12, 205824},
    /* VPT: n prompts as wide as the stream, for the first block or for every block */
    {"vpt", "n=50 mode=shallow", 768, 12, 12, 38400},
    {"vpt", "n=50", 768, 12, 12, 460800},
    {"vpt", "n=10 mode=deep", 768, 12, 12, 92160},
    /* FacT: U and V 1536 r; tt: 144 r^2; tk: r^3 + 144 r */
    {"fact", "rank=4", 768, 12, 12, 8448},
    {"fact", "rank=8", 768, 12, 12, 21504},
    {"fact", "rank=16 form=tt", 768, 12, 12, 61440},
    {"fact", "rank=8 form=tk", 768, 12, 12, 13952},
    {"fact", "rank=16 form=tk", 768, 12, 12, 30976},
    {"fact", "rank=32 form=tk", 768, 12, 12, 86528},
    {"linear", "", 768, 12, 12, 0},
    /* timm's vit_base_patch16_224 without its head */
    {"full", "", 768, 12, 12, 85798656},
};

enum { CLASSES = 100 };

static sct_status open_tuner(struct sct_tuner *t, const struct row *r, sct_error *err)
{
    json_t *o = json_object();
    char key[32], value[32];
    int used;
    for (const char *p = r->options; sscanf(p, " %31[^=]=%31s%n", key, value, &used) == 2;
         p += used)
        json_object_set_new(o, key, json_string(value));
    const sct_status rc = tuned_open_strategy(t, r->strategy, o, err);
    json_decref(o);
    return rc;
}

/* Index lists 0, 1, 2, ..: which channels does not matter here. */
static sct_status any_indices(struct sct_tuner *t, const struct sct_model *m, uint32_t k,
                              sct_error *err)
{
    struct sct_adapter *a = sct_adapter_create("indices");
    int32_t idx[1024];
    const struct sct_desc d = sct_desc_make(SCT_I32, 1, &k);
    sct_status rc = SCT_OK;
    for (uint32_t j = 0; j < k; j++)
        idx[j] = (int32_t)j;
    for (uint32_t i = 0; i < m->cfg.depth && rc == SCT_OK; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "sct.blocks.%u.index", i);
        rc = sct_adapter_put(a, name, &d, idx, err);
    }
    if (rc == SCT_OK)
        rc = sct_strategy_load(&t->run, m, a, err);
    sct_adapter_destroy(&a);
    return rc;
}

static uint32_t channels(const struct row *r)
{
    uint32_t k = 0;
    if (strcmp(r->options, "k=1/8") == 0)
        return r->dim / 8;
    return sscanf(r->options, "k=%u", &k) == 1 ? k : 0;
}

static sct_status count(const struct row *r, uint64_t *trainable, uint64_t *head,
                        sct_error *err)
{
    const struct sct_model_config cfg = {.name = "real",
                                         .head_init = "zeros",
                                         .image = 224,
                                         .patch = 16,
                                         .dim = r->dim,
                                         .depth = r->depth,
                                         .heads = r->heads,
                                         .mlp = 4 * r->dim,
                                         .classes = CLASSES,
                                         .class_token = 1,
                                         .eps = 1e-6f};
    const struct sct_build_opts o = {.batch = 4, .seed = 1};
    struct sct_tuner t = {0};
    struct sct_model *m = NULL;
    uint64_t all = 0;
    struct sct_weights *w = sct_weights_create("random", true, 1);
    sct_status rc = w ? sct_model_build(&m, &cfg, w, &o, err) : SCT_ENOMEM;
    if (rc == SCT_OK)
        rc = open_tuner(&t, r, err);
    if (rc == SCT_OK && channels(r))
        rc = any_indices(&t, m, channels(r), err);
    if (rc == SCT_OK)
        rc = sct_strategy_apply(&t.run, m, err);
    if (rc == SCT_OK)
        sct_model_count(m, trainable, head, &all);
    sct_tuner_close(&t);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
    return rc;
}

static void check_counts(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        uint64_t trainable = 0, head = 0;
        sct_error err = SCT_ERROR_INIT;
        if (golden_ok(count(r, &trainable, &head, &err), &err, r->strategy) != SCT_OK)
            continue;
        golden_expect(head == (uint64_t)CLASSES * (r->dim + 1), "the head has %llu parameters",
                      (unsigned long long)head);
        golden_expect(trainable - head == r->want,
                      "%s %s, width %u: %llu trainable, expected %llu", r->strategy, r->options,
                      r->dim, (unsigned long long)(trainable - head),
                      (unsigned long long)r->want);
    }
}

/* ---- learning rates ---- */

static void check_schedule(const json_t *row)
{
    const json_t *values = json_object_get(row, "values");
    const char *kind = json_string_value(json_object_get(row, "kind"));
    const int timm = kind && strcmp(kind, "timm") == 0;
#define NUMBER(KEY) json_number_value(json_object_get(row, KEY))
    const struct sct_lr s = {.kind = timm ? SCT_LR_TIMM : SCT_LR_COSINE,
                             .lr = NUMBER("lr"),
                             .warmup_epochs = NUMBER("warmup_epochs"),
                             .epochs = NUMBER("epochs"),
                             .warmup_lr = NUMBER("warmup_lr"),
                             .min_lr = NUMBER("min_lr"),
                             .steps_per_epoch = (uint64_t)NUMBER("steps_per_epoch")};
#undef NUMBER
    double most = 0;
    const size_t n = json_array_size(values);
    for (size_t i = 0; i < n; i++) {
        const double want = json_number_value(json_array_get(values, i));
        /* timm: one value an epoch; look at its first and its last step */
        const uint64_t first = timm ? i * s.steps_per_epoch : i,
                       last = timm ? first + s.steps_per_epoch - 1 : i;
        most = fmax(most, fabs(sct_lr_at(&s, first) - want));
        most = fmax(most, fabs(sct_lr_at(&s, last) - want));
    }
    golden_expect(n > 0 && most <= 1e-12 * s.lr, "%s, lr %g, warm-up %g of %g: off by %.1e",
                  kind ? kind : "?", s.lr, s.warmup_epochs, s.epochs, most);
}

static void check_schedules(void)
{
    json_t *root = NULL;
    sct_error err = SCT_ERROR_INIT;
    (void)golden_ok(sct_json_load(GOLDEN_DIR "/lr.json", SCT_EFILE, &root, &err), &err,
                    "lr.json");
    const json_t *cases = json_object_get(root, "cases");
    golden_expect(json_array_size(cases) >= 7, "%zu schedules to check",
                  json_array_size(cases));
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_schedule(json_array_get(cases, i));
    json_decref(root);
}

int main(void)
{
    test_dev_init();
    check_counts();
    check_schedules();
    return golden_result();
}
