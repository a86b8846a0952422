/* SPDX-License-Identifier: MIT
 * test_counts.c - trainable parameters of real-size models, from the graphs alone, against the
 * published numbers; and learning rates against timm's scheduler. */
#include <math.h>
#include <string.h>

#include "core/train/schedule.h"
#include "tests/golden/tuned.h"

/* What is counted in. ViT-H has patches of 14. */
struct real {
    const char *name;
    struct sct_model_config cfg;
    uint32_t out; /* width that the head reads */
};

enum { CLASSES = 100 };

#define VIT(NAME, DIM, DEPTH, HEADS, PATCH)                                                    \
    {                                                                                          \
        NAME,                                                                                  \
            {.name = "real",                                                                   \
             .head_init = "zeros",                                                             \
             .image = 224,                                                                     \
             .patch = PATCH,                                                                   \
             .dim = DIM,                                                                       \
             .depth = DEPTH,                                                                   \
             .heads = HEADS,                                                                   \
             .mlp = 4 * DIM,                                                                   \
             .classes = CLASSES,                                                               \
             .class_token = 1,                                                                 \
             .eps = 1e-6f},                                                                    \
            DIM                                                                                \
    }

static const struct real vit_b = VIT("ViT-B/16", 768, 12, 12, 16);
static const struct real vit_l = VIT("ViT-L/16", 1024, 24, 16, 16);
static const struct real vit_h = VIT("ViT-H/14", 1280, 32, 16, 14);
static const struct real swin_b = {"Swin-B",
                                   {.name = "real",
                                    .head_init = "zeros",
                                    .arch = SCT_ARCH_SWIN,
                                    .image = 224,
                                    .patch = 4,
                                    .dim = 128,
                                    .stage_depth = {2, 2, 18, 2},
                                    .stage_heads = {4, 8, 16, 32},
                                    .window = 7,
                                    .mlp_ratio = 4.0f,
                                    .classes = CLASSES,
                                    .eps = 1e-5f},
                                   1024};

/* Without the head. */
struct row {
    const char *strategy, *options; /* "key=value key=value" */
    const struct real *model;
    uint64_t want;
};

#define SWIN_PLACES "sites=stage[2].block[9:].attn.res,stage[3].block[*].attn.res"

static const struct row rows[] = {
    /* SCT: K (K + 1) in each block; 96 and 192 are the published sizes */
    {"sct", "k=24", &vit_b, 7200},
    {"sct", "k=48", &vit_b, 28224},
    {"sct", "k=96", &vit_b, 111744},
    {"sct", "k=1/8", &vit_b, 111744},
    {"sct", "k=128", &vit_b, 198144},
    {"sct", "k=160", &vit_b, 309120},
    {"sct", "k=192", &vit_b, 444672},
    {"sct", "k=384", &vit_b, 1774080},
    {"sct", "k=24", &vit_l, 14400},
    {"sct", "k=48", &vit_l, 56448},
    {"sct", "k=96", &vit_l, 223488},
    {"sct", "k=128", &vit_l, 396288},
    {"sct", "k=160", &vit_l, 618240},
    {"sct", "k=192", &vit_l, 889344},
    {"sct", "k=384", &vit_l, 3548160},
    {"sct", "k=24", &vit_h, 19200},
    {"sct", "k=48", &vit_h, 75264},
    {"sct", "k=96", &vit_h, 297984},
    {"sct", "k=128", &vit_h, 528384},
    {"sct", "k=160", &vit_h, 824320},
    {"sct", "k=192", &vit_h, 1185792},
    {"sct", "k=384", &vit_h, 4730880},
    {"sct", "k=96 mode=mlp", &vit_b, 111744},
    {"sct", "k=96 mode=qkv", &vit_b, 223488},
    {"sct", "k=96 mode=both", &vit_b, 223488},
    {"sct", "k=96 form=b", &vit_b, 111744},
    {"sct", "k=96 last=6", &vit_b, 55872},
    {"sct", "select=all", &vit_b, 7087104}, /* 12 (768^2 + 768) */
    /* 9 of the 18 blocks of stage 3 and both of stage 4 */
    {"sct", "k=96 " SWIN_PLACES, &swin_b, 102432},
    {"sct", "k=96 last=11", &swin_b, 102432},
    /* 1/8 of 128, 256, 512, 1024 in 2, 2, 18, 2 blocks */
    {"sct", "k=1/8", &swin_b, 110560},
    {"sct", "stages=1/8,1/8,1/8,1/8", &swin_b, 110560},
    {"sct", "stages=8,16,64,96", &swin_b, 94192},
    /* ICT: 96 channels by default; D-to-K: (D + 1) K in each block */
    {"ict", "", &vit_b, 111744},
    {"ict", "module=wide", &vit_b, 885888},
    {"ict", SWIN_PLACES, &swin_b, 102432},
    /* LoRA: r (in + out) for each pair */
    {"lora", "r=8", &vit_b, 294912},
    {"lora", "r=16", &vit_b, 589824},
    {"lora", "r=32 targets=q,v", &vit_b, 1179648}, /* PETL-ViT's */
    {"lora", "targets=qkv", &vit_b, 294912},
    {"lora", "targets=q,k,v,proj", &vit_b, 589824},
    {"lora", "targets=q,k,v,proj,fc1,fc2", &vit_b, 1327104},
    {"lora", "targets=q,k,v", &vit_b, 442368},
    {"lora", "targets=fc1,fc2 rank_pattern=fc1=16,blocks[0:6].mlp.fc2=4", &vit_b, 1013760},
    /* DoRA: a magnitude more for every row of a target; those of k are kept */
    {"lora", "dora=on", &vit_b, 294912 + 12 * 2 * 768},
    {"lora", "dora=on targets=qkv,fc1", &vit_b, 663552 + 12 * (2304 + 3072)},
    /* SSF: two a channel behind the patch embedding, 25 norms, qkv, proj, fc1 and fc2 */
    {"ssf", "", &vit_b, 205824},
    /* VPT: n prompts as wide as the stream, for the first block or for every block */
    {"vpt", "n=50 mode=shallow", &vit_b, 38400},
    {"vpt", "n=50", &vit_b, 460800},
    {"vpt", "n=10 mode=deep", &vit_b, 92160},
    /* FacT: U and V 1536 r; tt: 144 r^2; tk: r^3 + 144 r */
    {"fact", "rank=4", &vit_b, 8448},
    {"fact", "rank=8", &vit_b, 21504},
    {"fact", "rank=16 form=tt", &vit_b, 61440},
    {"fact", "rank=8 form=tk", &vit_b, 13952},
    {"fact", "rank=16 form=tk", &vit_b, 30976},
    {"fact", "rank=32 form=tk", &vit_b, 86528},
    {"linear", "", &vit_b, 0},
    /* timm's vit_base_patch16_224 without its head */
    {"full", "", &vit_b, 85798656},
    /* of it: what is called bias (VPT); 25 norms; the last block and the norm (VPT) */
    {"bitfit", "", &vit_b, 102912},
    {"layernorm", "", &vit_b, 38400},
    {"partial", "", &vit_b, 7089408},
    {"partial", "blocks=2", &vit_b, 14177280},
    /* adapters: 2 r width + r + width each; NOAH's 8 (0.16 M), SPT's 32, the size of VPT's */
    {"adapter", "", &vit_b, 156768},
    {"adapter", "form=noah", &vit_b, 156768},
    {"adapter", "r=32", &vit_b, 599424},
    {"adapter", "r=96", &vit_b, 1779840},
    {"adapter", "form=houlsby r=8", &vit_b, 313536},
    /* AdaptFormer: the same; PETL-ViT's without biases; SCT's with a norm (1.80 M) */
    {"adaptformer", "", &vit_b, 1189632},
    {"adaptformer", "form=petl", &vit_b, 147456},
    {"adaptformer", "form=petl r=16", &vit_b, 294912},
    {"adaptformer", "form=sct", &vit_b, 1798272},
    {"adapter", "last=11", &swin_b, 113240},
    {"adaptformer", "form=sct last=11", &swin_b, 1298976},
    /* RepAdapter: (r C + r) + (r C / groups + C) for each of 24; its weights alone are the
     * published 0.22 M. Swin-B has 2, 2, 18, 2 blocks of 128, 256, 512, 1024 channels */
    {"repadapter", "", &vit_b, 239808},
    {"repadapter", "form=attn", &vit_b, 119904},
    {"repadapter", "groups=1", &vit_b, 313536},
    {"repadapter", "r=16 groups=4", &vit_b, 387456},
    {"repadapter", "", &swin_b, 313216},
    /* Convpass: (h C + h) + (9 h h + h) + (h C + C) for each; published 0.33 M and 0.16 M */
    {"convpass", "", &vit_b, 327552},
    {"convpass", "form=attn", &vit_b, 163776},
    {"convpass", "h=16", &vit_b, 664320},
    {"convpass", "", &swin_b, 437504},
};

static sct_status open_tuner(struct sct_tuner *t, const struct row *r, sct_error *err)
{
    json_t *o = json_object();
    char key[32], value[96];
    for (const char *p = r->options; *p;) {
        const size_t n = strcspn(p, "="), len = strcspn(p + n + 1, " ");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, p);
        (void)snprintf(value, sizeof value, "%.*s", (int)len, p + n + 1);
        json_object_set_new(o, key, json_string(value));
        p += n + 1 + len;
        p += *p == ' ';
    }
    const sct_status rc = tuned_open_strategy(t, r->strategy, o, err);
    json_decref(o);
    return rc;
}

/* Which channels does not matter here: every reading is 1. */
static sct_status choose_any(struct sct_tuner *t, struct sct_model *m, sct_error *err)
{
    struct sct_readings *all = sct_readings_create();
    sct_status rc = all ? sct_tuner_observe(t, m, err) : SCT_ENOMEM;
    for (uint32_t i = 0; i < m->n_watch && rc == SCT_OK; i++) {
        const uint32_t id = m->watch[i].id, cols = m->site[id].channels;
        struct sct_reading *r = sct_readings_add(all, m->watch[i].what, id, 1, cols, true);
        rc = r ? SCT_OK : SCT_ENOMEM;
        for (uint32_t d = 0; r && d < cols; d++)
            r->value[d] = r->row_weight[0] = 1.0f;
    }
    if (rc == SCT_OK)
        rc = sct_tuner_choose(t, m, &all, err);
    sct_readings_destroy(&all);
    return rc;
}

static sct_status count(const struct row *r, uint64_t *trainable, uint64_t *head,
                        sct_error *err)
{
    const struct sct_build_opts o = {.batch = 4, .seed = 1};
    struct sct_tuner t = {0};
    struct sct_model *m = NULL;
    uint64_t all = 0;
    struct sct_weights *w = sct_weights_create("random", true, 1);
    sct_status rc = w ? sct_model_build(&m, &r->model->cfg, w, &o, err) : SCT_ENOMEM;
    if (rc == SCT_OK)
        rc = open_tuner(&t, r, err);
    if (rc == SCT_OK)
        rc = choose_any(&t, m, err);
    if (rc == SCT_OK)
        rc = sct_tuner_apply(&t, m, err);
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
        golden_expect(head == (uint64_t)CLASSES * (r->model->out + 1),
                      "the head has %llu parameters", (unsigned long long)head);
        golden_expect(trainable - head == r->want, "%s, %s %s: %llu trainable, expected %llu",
                      r->model->name, r->strategy, r->options,
                      (unsigned long long)(trainable - head), (unsigned long long)r->want);
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
