/* SPDX-License-Identifier: MIT
 * scene.c - composes the image of a task: background, distractors, objects, noise.
 * Every number comes from the Philox stream of (seed, split, index), in the order of
 * statements: no two draws in one expression or initialiser, where C leaves the order open. */
#include "core/data/generator.h"

#include <stdbool.h>
#include <string.h>

#include "core/data/sprite.h"
#include "kernels/philox.h"

/* Separates these streams from all others that use the same seed. */
#define STREAM_TAG 0x53505254u

struct stream {
    uint32_t counter[4], key[2], word[4];
    uint32_t used; /* words of `word` */
};

struct scene {
    const struct sct_task *t;
    struct stream rng;
    uint32_t label;
    struct sct_sprite objects[SCT_SPRITE_MAX_OBJECTS];
    uint32_t count;
};

static void stream_init(struct stream *s, uint64_t seed, uint32_t split, uint32_t index)
{
    *s = (struct stream){.counter = {0, index, split, STREAM_TAG},
                         .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                         .used = 4};
}

static uint32_t next(struct stream *s)
{
    if (s->used == 4) {
        philox4x32_10(s->counter, s->key, s->word);
        s->counter[0]++;
        s->used = 0;
    }
    return s->word[s->used++];
}

/* 0 .. n - 1; the bias is below n / 2^32. */
static uint32_t below(struct stream *s, uint32_t n)
{
    return (uint32_t)((uint64_t)next(s) * n >> 32);
}

/* lo .. hi, both included. */
static int32_t between(struct stream *s, int32_t lo, int32_t hi)
{
    return hi <= lo ? lo : lo + (int32_t)below(s, (uint32_t)(hi - lo) + 1);
}

static uint8_t level(int32_t v)
{
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

/* Two dull colours, one for each end of a random direction. */
static void draw_background(struct scene *sc, struct sct_image *img)
{
    const int32_t top = (int32_t)sc->t->gradient, n = (int32_t)img->w;
    int32_t a[3], b[3];
    const int32_t grey_a = between(&sc->rng, 0, top), grey_b = between(&sc->rng, 0, top);
    for (int c = 0; c < 3; c++) {
        a[c] = grey_a + between(&sc->rng, -top / 6, top / 6);
        b[c] = grey_b + between(&sc->rng, -top / 6, top / 6);
    }
    const int32_t dx = between(&sc->rng, -256, 256), dy = between(&sc->rng, -256, 256);
    const int32_t span = ((dx < 0 ? -dx : dx) + (dy < 0 ? -dy : dy)) * (n - 1) + 1;
    const int32_t from = (dx < 0 ? dx : 0) * (n - 1) + (dy < 0 ? dy : 0) * (n - 1);
    uint8_t *p = img->rgb;
    for (int32_t y = 0; y < n; y++)
        for (int32_t x = 0; x < n; x++, p += 3) {
            const int32_t at = (x * dx + y * dy - from) * 256 / span; /* 0 .. 255 */
            for (int c = 0; c < 3; c++)
                p[c] = level((a[c] * (256 - at) + b[c] * at) / 256);
        }
}

static void draw_distractors(struct scene *sc, struct sct_image *img)
{
    const struct sct_task *t = sc->t;
    const int32_t side = (int32_t)t->image_size * 256;
    const uint32_t n = below(&sc->rng, t->distractors + 1);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t grey = (uint8_t)between(&sc->rng, 60, 200);
        struct sct_sprite s = {.radius = side * (int32_t)t->radius_min / 1000 * 2 / 5,
                               .rgb = {grey, grey, grey}};
        s.shape = below(&sc->rng, 2) ? SCT_SPRITE_bar : SCT_SPRITE_disc;
        s.x = between(&sc->rng, 0, side);
        s.y = between(&sc->rng, 0, side);
        s.angle = (uint16_t)next(&sc->rng);
        sct_sprite_draw(img, &s);
    }
}

/* The middle of bin `at` of n equal ones over [lo, hi), moved by up to a third of a bin. */
static int32_t in_bin(struct stream *s, int32_t lo, int32_t hi, uint32_t at, uint32_t n)
{
    const int64_t width = hi - lo;
    const int32_t middle = lo + (int32_t)(width * (2 * (int64_t)at + 1) / (2 * (int64_t)n));
    const int32_t move = (int32_t)(width / (3 * (int64_t)n));
    return middle + between(s, -move, move);
}

static uint16_t choose_angle(struct scene *sc)
{
    const struct sct_task *t = sc->t;
    if (t->label == SCT_TASK_ORIENTATION) /* bin 0 is centred on angle 0 */
        return (uint16_t)(in_bin(&sc->rng, 0, 65536, sc->label, t->classes) -
                          32768 / (int32_t)t->classes);
    const uint32_t span = t->rotation * 65536u / 360u;
    return (uint16_t)(span ? below(&sc->rng, span) : 0);
}

static void choose_color(struct scene *sc, struct sct_sprite *o)
{
    static const uint8_t rgb[][3] = {
#define COLOR(NAME, R, G, B) {R, G, B},
        SCT_SPRITE_COLORS(COLOR)
#undef COLOR
    };
    const struct sct_task *t = sc->t;
    const int32_t jitter = (int32_t)t->color_jitter;
    uint32_t i = below(&sc->rng, t->color_count);
    if (t->label == SCT_TASK_COLOR)
        i = sc->label;
    else if (t->label == SCT_TASK_SHAPE_COLOR)
        i = sc->label % t->color_count;
    else if (t->label == SCT_TASK_COUNT_COLOR) /* the first `label` objects are counted */
        i = sc->count < sc->label ? 0 : 1 + below(&sc->rng, t->color_count - 1);
    for (int c = 0; c < 3; c++)
        o->rgb[c] = level(rgb[t->colors[i]][c] + between(&sc->rng, -jitter, jitter));
}

static void choose_shape(struct scene *sc, struct sct_sprite *o)
{
    const struct sct_task *t = sc->t;
    uint32_t i = below(&sc->rng, t->shape_count);
    if (t->label == SCT_TASK_SHAPE)
        i = sc->label;
    else if (t->label == SCT_TASK_SHAPE_COLOR)
        i = sc->label / t->color_count;
    o->shape = (enum sct_sprite_shape)t->shapes[i];
}

/* Room to the nearest object: 0 and more when a gap of two pixels is left. Squares, no root. */
static int64_t clearance(const struct scene *sc, const struct sct_sprite *o)
{
    int64_t best = INT64_MAX;
    for (uint32_t i = 0; i < sc->count; i++) {
        const struct sct_sprite *p = &sc->objects[i];
        const int64_t dx = o->x - p->x, dy = o->y - p->y, r = o->radius + p->radius + 512;
        const int64_t d = dx * dx + dy * dy - r * r;
        best = d < best ? d : best;
    }
    return best;
}

/* The first of 64 places with room around, else the best of them. */
static void choose_place(struct scene *sc, struct sct_sprite *o)
{
    const struct sct_task *t = sc->t;
    const int32_t side = (int32_t)t->image_size * 256, hi = side - o->radius;
    int64_t best = INT64_MIN;
    struct sct_sprite at = *o;
    for (int tries = 0; tries < 64 && best < 0; tries++) {
        at.x = between(&sc->rng, o->radius, hi);
        at.y = between(&sc->rng, o->radius, hi);
        const int64_t d = clearance(sc, &at);
        if (d > best) {
            best = d;
            o->x = at.x;
            o->y = at.y;
        }
    }
}

/* Cells lie where the largest object fits, so the label does not depend on the radius. */
static void choose_cell(struct scene *sc, struct sct_sprite *o)
{
    const struct sct_task *t = sc->t;
    const int32_t side = (int32_t)t->image_size * 256;
    const int32_t lo = side * (int32_t)t->radius_max / 1000, hi = side - lo;
    uint32_t grid = 1;
    while (grid * grid < t->classes)
        grid++;
    o->x = in_bin(&sc->rng, lo, hi, sc->label % grid, grid);
    o->y = in_bin(&sc->rng, lo, hi, sc->label / grid, grid);
}

static void add_object(struct scene *sc)
{
    const struct sct_task *t = sc->t;
    const int32_t side = (int32_t)t->image_size * 256;
    const int32_t lo = side * (int32_t)t->radius_min / 1000;
    const int32_t hi = side * (int32_t)t->radius_max / 1000;
    struct sct_sprite o = {.radius = between(&sc->rng, lo, hi)};
    if (t->label == SCT_TASK_SIZE)
        o.radius = in_bin(&sc->rng, lo, hi, sc->label, t->classes);
    choose_shape(sc, &o);
    choose_color(sc, &o);
    o.angle = choose_angle(sc);
    if (t->label == SCT_TASK_LOCATION)
        choose_cell(sc, &o);
    else
        choose_place(sc, &o);
    sc->objects[sc->count++] = o;
}

static void add_noise(struct scene *sc, struct sct_image *img)
{
    const int32_t amplitude = (int32_t)sc->t->noise;
    const size_t n = (size_t)img->w * img->h * 3;
    if (amplitude == 0)
        return;
    for (size_t i = 0; i < n; i += 4) {
        const uint32_t w = next(&sc->rng);
        for (size_t b = 0; b < 4 && i + b < n; b++) {
            const int32_t byte = (int32_t)(w >> (8 * b) & 255u);
            img->rgb[i + b] =
                level(img->rgb[i + b] + (byte * (2 * amplitude + 1) >> 8) - amplitude);
        }
    }
}

/* The label's where it counts all, else drawn; at least as many as the label counts. */
static uint32_t object_count(struct scene *sc)
{
    const struct sct_task *t = sc->t;
    uint32_t least = t->objects_min;
    if (t->label == SCT_TASK_COUNT_COLOR && least < sc->label)
        least = sc->label;
    const uint32_t n = (uint32_t)between(&sc->rng, (int32_t)least, (int32_t)t->objects_max);
    return t->label == SCT_TASK_COUNT ? sc->label + 1 : n;
}

sct_status sct_task_draw(const struct sct_task *t, enum sct_split split, uint32_t index,
                         struct sct_image *img, uint32_t *label, sct_error *err)
{
    struct scene sc = {.t = t, .label = sct_task_label_of(t, split, index)};
    memset(img, 0, sizeof *img);
    *label = 0;
    if (index >= sct_task_count(t, split))
        return sct_fail(err, SCT_EINVAL, "%s: image %u of a split with %u images", t->name,
                        (unsigned)index, (unsigned)sct_task_count(t, split));
    if (split == SCT_SPLIT_TRAINVAL) {
        split = index < t->train ? SCT_SPLIT_TRAIN : SCT_SPLIT_VAL;
        index = split == SCT_SPLIT_TRAIN ? index : index - t->train;
    }
    SCT_TRY(sct_image_init(img, t->image_size, t->image_size, err));
    stream_init(&sc.rng, t->seed, (uint32_t)split, index);
    draw_background(&sc, img);
    draw_distractors(&sc, img);
    const uint32_t n = object_count(&sc);
    for (uint32_t i = 0; i < n; i++)
        add_object(&sc);
    for (uint32_t i = 0; i < n; i++)
        sct_sprite_draw(img, &sc.objects[i]);
    add_noise(&sc, img);
    *label = sc.label;
    return SCT_OK;
}
