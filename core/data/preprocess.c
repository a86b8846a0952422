/* SPDX-License-Identifier: MIT
 * preprocess.c - lists of steps as a whole, and the normalisation table. */
#include "core/data/preprocess.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/data/mix.h"

static const char *const mode_names[] = {
#define MODE_NAME(ID, NAME) NAME,
    SCT_RESIZE_MODES(MODE_NAME)
#undef MODE_NAME
};

static const char *const order_names[] = {"horizontal", "pillow-12.2", "pillow-13"};

static const struct {
    const char *name;
    float mean[3], std[3];
} stats[] = {
    {"imagenet", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}},
    {"half", {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}},
    {"none", {0.0f, 0.0f, 0.0f}, {1.0f, 1.0f, 1.0f}},
};

#define COUNT(A) (sizeof(A) / sizeof((A)[0]))

static void add_step(struct sct_steps *list, const char *name)
{
    (void)sct_step_init(&list->step[list->n++], name, NULL);
}

void sct_preprocess_default(struct sct_preprocess *p)
{
    memset(p, 0, sizeof *p);
    p->size = 224;
    p->crop_pct = 0.9;
    p->order = SCT_PASS_HORIZONTAL;
    memcpy(p->mean, stats[0].mean, sizeof p->mean);
    memcpy(p->std, stats[0].std, sizeof p->std);
    (void)sct_step_init(&p->mix, "mix", NULL);
    add_step(&p->eval, "resize");
    p->train = p->eval;
}

sct_status sct_preprocess_stats(struct sct_preprocess *p, const char *name, sct_error *err)
{
    for (size_t i = 0; i < COUNT(stats); i++)
        if (strcmp(stats[i].name, name) == 0) {
            memcpy(p->mean, stats[i].mean, sizeof p->mean);
            memcpy(p->std, stats[i].std, sizeof p->std);
            return SCT_OK;
        }
    return sct_fail(err, SCT_EUSAGE,
                    "normalisation: expected imagenet, half or none, found \"%s\"", name);
}

static bool is_geometry(enum sct_step_kind kind)
{
    return kind <= SCT_STEP_RANDOM_RESIZED_CROP;
}

static void set_mode(struct sct_steps *list, enum sct_resize_mode mode)
{
    const struct sct_steps old = *list;
    const bool crop = mode == SCT_RESIZE_CROP_BICUBIC || mode == SCT_RESIZE_CROP_BILINEAR;
    const bool cubic = mode == SCT_RESIZE_SQUASH_BICUBIC || mode == SCT_RESIZE_CROP_BICUBIC;
    memset(list, 0, sizeof *list);
    add_step(list, "resize");
    list->step[0].v[RESIZE_MODE] = crop ? RESIZE_SHORT : RESIZE_SQUASH;
    list->step[0].v[RESIZE_CROP_PCT] = crop ? 0 : 1;
    list->step[0].v[RESIZE_FILTER] = cubic ? SCT_FILTER_BICUBIC : SCT_FILTER_BILINEAR;
    if (crop)
        add_step(list, "center-crop");
    for (uint32_t i = 0; i < old.n && list->n < SCT_STEPS_MAX; i++)
        if (!is_geometry(old.step[i].kind))
            list->step[list->n++] = old.step[i];
}

void sct_preprocess_set_mode(struct sct_preprocess *p, enum sct_resize_mode mode)
{
    set_mode(&p->eval, mode);
    set_mode(&p->train, mode);
}

void sct_preprocess_set_crop_pct(struct sct_preprocess *p, double crop_pct)
{
    struct sct_steps *list[2] = {&p->eval, &p->train};
    p->crop_pct = crop_pct;
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < list[k]->n; i++) {
            struct sct_step *s = &list[k]->step[i];
            if (s->kind == SCT_STEP_RESIZE && s->v[RESIZE_CROP_PCT] != 1)
                s->v[RESIZE_CROP_PCT] = 0;
        }
}

sct_status sct_resize_mode_parse(enum sct_resize_mode *out, const char *name, sct_error *err)
{
    for (size_t i = 0; i < COUNT(mode_names); i++)
        if (strcmp(mode_names[i], name) == 0) {
            *out = (enum sct_resize_mode)i;
            return SCT_OK;
        }
    return sct_fail(err, SCT_EUSAGE, "resize mode: expected %s, %s, %s or %s, found \"%s\"",
                    mode_names[0], mode_names[1], mode_names[2], mode_names[3], name);
}

const char *sct_resize_mode_name(enum sct_resize_mode mode)
{
    return mode_names[mode];
}

sct_status sct_pass_order_parse(enum sct_pass_order *out, const char *name, sct_error *err)
{
    for (size_t i = 0; i < COUNT(order_names); i++)
        if (strcmp(order_names[i], name) == 0) {
            *out = (enum sct_pass_order)i;
            return SCT_OK;
        }
    return sct_fail(err, SCT_EUSAGE, "pass order: expected %s, %s or %s, found \"%s\"",
                    order_names[0], order_names[1], order_names[2], name);
}

const char *sct_pass_order_name(enum sct_pass_order order)
{
    return order_names[order];
}

/* Side after the steps before `end` of a list, when it is known without a picture; else 0. */
static uint32_t side_at(const struct sct_augment *a, const struct sct_steps *list, uint32_t end)
{
    uint32_t side = 0;
    for (uint32_t i = 0; i < end; i++) {
        const struct sct_step *s = &list->step[i];
        if (s->kind == SCT_STEP_RESIZE && s->v[RESIZE_MODE] == RESIZE_SHORT)
            side = 0;
        else if (is_geometry(s->kind))
            side = sct_augment_side(a, s);
    }
    return side;
}

static sct_status check_list(const struct sct_preprocess *p, const struct sct_steps *list,
                             const char *name, bool may_draw, sct_error *err)
{
    const struct sct_augment a = sct_preprocess_augment(p);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct sct_step *s = &list->step[i];
        const struct sct_step_info *info = sct_step_info(s->kind);
        SCT_TRY(sct_step_check(s, err));
        if (s->kind == SCT_STEP_MIX || (info->random && !may_draw))
            return sct_fail(err, SCT_EUSAGE, "preprocessing: %s cannot be one of the %s steps",
                            info->name, name);
        if (s->kind == SCT_STEP_RESIZE && s->v[RESIZE_CROP_PCT] != 0 &&
            s->v[RESIZE_CROP_PCT] < 0.25)
            return sct_fail(err, SCT_EUSAGE,
                            "preprocessing: resize: expected crop_pct in [0.25, 1], found %g",
                            s->v[RESIZE_CROP_PCT]);
    }
    const uint32_t side = side_at(&a, list, list->n);
    char found[32] = "pictures of any size";
    if (side == p->size)
        return SCT_OK;
    if (side)
        (void)snprintf(found, sizeof found, "%u x %u", (unsigned)side, (unsigned)side);
    return sct_fail(
        err, SCT_EUSAGE,
        "preprocessing: the %s steps: expected %u x %u pixels at the end, found %s; "
        "the last of those that change the size must be a squash or a crop of that "
        "size",
        name, (unsigned)p->size, (unsigned)p->size, found);
}

sct_status sct_preprocess_check(const struct sct_preprocess *p, sct_error *err)
{
    if ((size_t)p->order >= COUNT(order_names))
        return sct_fail(err, SCT_EUSAGE, "preprocessing: pass order %d is not one of ours",
                        (int)p->order);
    if (p->size == 0 || p->size > 4096)
        return sct_fail(err, SCT_EUSAGE,
                        "preprocessing: expected an input size of 1 to 4096 pixels, found %u",
                        (unsigned)p->size);
    /* The crop is at most the whole picture; the bound below keeps the resized one in limits.
     */
    if (!(p->crop_pct >= 0.25 && p->crop_pct <= 1.0))
        return sct_fail(err, SCT_EUSAGE,
                        "preprocessing: expected crop_pct in [0.25, 1], found %g", p->crop_pct);
    for (int c = 0; c < 3; c++)
        if (!isfinite(p->mean[c]) || !isfinite(p->std[c]) || p->std[c] <= 0.0f)
            return sct_fail(err, SCT_EUSAGE,
                            "preprocessing: mean %g and std %g of channel %d: expected finite "
                            "numbers and std above 0",
                            (double)p->mean[c], (double)p->std[c], c);
    SCT_TRY(check_list(p, &p->eval, "eval", false, err));
    SCT_TRY(check_list(p, &p->train, "train", true, err));
    return sct_step_check(&p->mix, err);
}

struct sct_augment sct_preprocess_augment(const struct sct_preprocess *p)
{
    return (struct sct_augment){p->size, p->crop_pct, p->order, p->mean, p->std};
}

uint32_t sct_preprocess_fixed(const struct sct_preprocess *p, const struct sct_steps *list,
                              uint32_t *side)
{
    const struct sct_augment a = sct_preprocess_augment(p);
    uint32_t n = 0;
    while (n < list->n && !sct_step_info(list->step[n].kind)->random)
        n++;
    *side = side_at(&a, list, n);
    return *side ? n : 0;
}

bool sct_preprocess_draws(const struct sct_preprocess *p)
{
    for (uint32_t i = 0; i < p->train.n; i++)
        if (sct_step_info(p->train.step[i].kind)->random)
            return true;
    return sct_mix_on(&p->mix);
}

bool sct_steps_same(const struct sct_steps *a, const struct sct_steps *b, uint32_t n)
{
    if (a->n < n || b->n < n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (a->step[i].kind != b->step[i].kind)
            return false;
        for (uint32_t k = 0; k < SCT_STEP_VALUES; k++)
            if (a->step[i].v[k] != b->step[i].v[k])
                return false;
    }
    return true;
}

/* Steps work in place, on a copy: the caller keeps img. */
static sct_status apply(const struct sct_preprocess *p, const struct sct_steps *list,
                        const struct sct_image *img, struct sct_draw *draw, uint8_t *out,
                        sct_error *err)
{
    const struct sct_augment a = sct_preprocess_augment(p);
    struct sct_image own;
    SCT_TRY(sct_preprocess_check(p, err));
    SCT_TRY(img->rgb ? SCT_OK : sct_fail(err, SCT_EDATA, "preprocessing: the image is empty"));
    SCT_TRY(sct_image_init(&own, img->w, img->h, err));
    memcpy(own.rgb, img->rgb, (size_t)img->w * img->h * 3);
    const sct_status rc = sct_augment_run(&a, list, 0, list->n, &own, draw, err);
    if (rc == SCT_OK)
        memcpy(out, own.rgb, (size_t)p->size * p->size * 3);
    sct_image_fini(&own);
    return rc;
}

sct_status sct_preprocess_apply(const struct sct_preprocess *p, const struct sct_image *img,
                                uint8_t *out, sct_error *err)
{
    return apply(p, &p->eval, img, NULL, out, err);
}

sct_status sct_preprocess_train(const struct sct_preprocess *p, const struct sct_image *img,
                                uint64_t seed, uint32_t epoch, uint32_t item, uint8_t *out,
                                sct_error *err)
{
    struct sct_draw draw;
    sct_draw_init(&draw, seed, epoch, item, SCT_DRAW_SAMPLE);
    return apply(p, &p->train, img, &draw, out, err);
}

void sct_preprocess_table(const struct sct_preprocess *p, float table[3][256])
{
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) {
            const float x = (float)v / 255.0f;
            const float centred = x - p->mean[c];
            table[c][v] = centred / p->std[c];
        }
}

uint64_t sct_preprocess_hash(const struct sct_preprocess *p)
{
    uint64_t h = sct_hash_str(SCT_HASH_INIT, order_names[p->order]);
    h = sct_hash_u64(h, p->size);
    for (uint32_t i = 0; i < p->eval.n; i++) {
        const struct sct_step *s = &p->eval.step[i];
        h = sct_hash_u64(h, (uint64_t)s->kind);
        h = sct_hash(h, s->v, sizeof s->v);
        if (s->kind == SCT_STEP_RESIZE && s->v[RESIZE_CROP_PCT] == 0)
            h = sct_hash(h, &p->crop_pct, sizeof p->crop_pct);
    }
    return h;
}
