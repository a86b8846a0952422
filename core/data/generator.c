/* SPDX-License-Identifier: MIT
 * generator.c - settings of procedural tasks: keys, checks, names of classes.
 * One table of fields gives the keys, their limits and the messages. */
#include "core/data/generator.h"

#include <stdbool.h>
#include <string.h>

#include "core/data/sprite.h"

static const char *const label_names[] = {
#define NAME(ID, TEXT) TEXT,
    SCT_TASK_LABELS(NAME)
#undef NAME
};

static const char *const shape_names[] = {
#define NAME(ID) #ID,
    SCT_SPRITE_SHAPES(NAME)
#undef NAME
};

static const char *const color_names[] = {
#define NAME(ID, R, G, B) #ID,
    SCT_SPRITE_COLORS(NAME)
#undef NAME
};

#define COUNT(A) (uint32_t)(sizeof(A) / sizeof((A)[0]))

_Static_assert(COUNT(shape_names) <= SCT_SPRITE_MAX_KINDS, "shapes do not fit in a task");
_Static_assert(COUNT(color_names) <= SCT_SPRITE_MAX_KINDS, "colours do not fit in a task");

static const struct field {
    const char *key;
    size_t at;
    uint32_t min, max;
} fields[] = {
    {"image_size", offsetof(struct sct_task, image_size), 16, 256},
    {"classes", offsetof(struct sct_task, classes), 0, 1024},
    {"train", offsetof(struct sct_task, train), 1, 1u << 24},
    {"val", offsetof(struct sct_task, val), 0, 1u << 24},
    {"test", offsetof(struct sct_task, test), 1, 1u << 24},
    {"objects_min", offsetof(struct sct_task, objects_min), 1, SCT_SPRITE_MAX_OBJECTS},
    {"objects_max", offsetof(struct sct_task, objects_max), 1, SCT_SPRITE_MAX_OBJECTS},
    {"radius_min", offsetof(struct sct_task, radius_min), 20, 450},
    {"radius_max", offsetof(struct sct_task, radius_max), 20, 450},
    {"rotation", offsetof(struct sct_task, rotation), 0, 360},
    {"distractors", offsetof(struct sct_task, distractors), 0, 64},
    {"color_jitter", offsetof(struct sct_task, color_jitter), 0, 64},
    {"gradient", offsetof(struct sct_task, gradient), 0, 255},
    {"noise", offsetof(struct sct_task, noise), 0, 127},
};

void sct_task_init(struct sct_task *t)
{
    memset(t, 0, sizeof *t);
    memcpy(t->name, "sprites", sizeof "sprites");
    t->label = SCT_TASK_SHAPE;
    t->image_size = 64;
    t->train = 800;
    t->val = 200;
    t->test = 1000;
    t->seed = 1;
    t->objects_min = t->objects_max = 1;
    t->radius_min = 140;
    t->radius_max = 280;
    t->rotation = 360;
    t->color_jitter = 16;
    t->gradient = 96;
    t->noise = 12;
    for (uint32_t i = 0; i < COUNT(shape_names); i++)
        t->shapes[t->shape_count++] = (uint8_t)i;
    for (uint32_t i = 0; i < COUNT(color_names); i++)
        t->colors[t->color_count++] = (uint8_t)i;
}

/* Decimal digits only, the whole string, 64 bits. */
static bool parse_number(const char *s, uint64_t *out)
{
    uint64_t v = 0;
    if (!*s)
        return false;
    for (; *s; s++) {
        const uint64_t d = (uint64_t)(*s - '0');
        if (*s < '0' || *s > '9' || v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

static bool find_name(const char *const *names, uint32_t n, const char *word, size_t size,
                      uint32_t *out)
{
    for (uint32_t i = 0; i < n; i++)
        if (strlen(names[i]) == size && memcmp(names[i], word, size) == 0) {
            *out = i;
            return true;
        }
    return false;
}

/* "a, b, c" in buf, for messages. */
static const char *join(char *buf, size_t size, const char *const *names, uint32_t n)
{
    size_t at = 0;
    buf[0] = 0;
    for (uint32_t i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? ", " : "", names[i]);
    return buf;
}

static sct_status set_kinds(const char *key, const char *value, const char *const *names,
                            uint32_t n, uint8_t *kinds, uint32_t *count, sct_error *err)
{
    static const char gaps[] = " ,\t[]";
    uint8_t found[SCT_SPRITE_MAX_KINDS] = {0};
    uint32_t used = 0, i = 0;
    char have[160];
    for (const char *p = value + strspn(value, gaps); *p; p += strspn(p, gaps)) {
        const size_t size = strcspn(p, gaps);
        if (!find_name(names, n, p, size, &i))
            return sct_fail(err, SCT_EUSAGE,
                            "task: %s: expected names out of %s, found \"%.*s\"", key,
                            join(have, sizeof have, names, n), (int)(size & 63u), p);
        for (uint32_t j = 0; j < used; j++)
            if (found[j] == i)
                return sct_fail(err, SCT_EUSAGE, "task: %s: %s stands there twice", key,
                                names[i]);
        found[used++] = (uint8_t)i;
        p += size;
    }
    if (used == 0)
        return sct_fail(err, SCT_EUSAGE, "task: %s: expected one or more of %s, found none",
                        key, join(have, sizeof have, names, n));
    memcpy(kinds, found, sizeof found);
    *count = used;
    return SCT_OK;
}

static sct_status set_name(struct sct_task *t, const char *value, sct_error *err)
{
    if (!*value || strlen(value) >= sizeof t->name)
        return sct_fail(err, SCT_EUSAGE, "task: name: expected 1 to %zu characters, found %zu",
                        sizeof t->name - 1, strlen(value));
    memset(t->name, 0, sizeof t->name);
    memcpy(t->name, value, strlen(value));
    return SCT_OK;
}

static sct_status set_label(struct sct_task *t, const char *value, sct_error *err)
{
    uint32_t i;
    char have[160];
    if (!find_name(label_names, COUNT(label_names), value, strlen(value), &i))
        return sct_fail(err, SCT_EUSAGE, "task: label: expected one of %s, found \"%s\"",
                        join(have, sizeof have, label_names, COUNT(label_names)), value);
    t->label = (enum sct_task_label)i;
    return SCT_OK;
}

static sct_status unknown_key(const char *key, sct_error *err)
{
    const char *names[COUNT(fields) + 6] = {"generator", "name",   "label",
                                            "seed",      "shapes", "colors"};
    char have[320];
    for (uint32_t i = 0; i < COUNT(fields); i++)
        names[6 + i] = fields[i].key;
    return sct_fail(err, SCT_EUSAGE, "task: unknown key \"%s\"; expected one of %s", key,
                    join(have, sizeof have, names, COUNT(names)));
}

sct_status sct_task_set(struct sct_task *t, const char *key, const char *value, sct_error *err)
{
    uint64_t v = 0;
    if (strcmp(key, "name") == 0)
        return set_name(t, value, err);
    if (strcmp(key, "label") == 0)
        return set_label(t, value, err);
    if (strcmp(key, "generator") == 0)
        return strcmp(value, "sprites") == 0
                   ? SCT_OK
                   : sct_fail(err, SCT_EUSAGE,
                              "task: generator: expected sprites, found \"%s\"", value);
    if (strcmp(key, "shapes") == 0)
        return set_kinds(key, value, shape_names, COUNT(shape_names), t->shapes,
                         &t->shape_count, err);
    if (strcmp(key, "colors") == 0)
        return set_kinds(key, value, color_names, COUNT(color_names), t->colors,
                         &t->color_count, err);
    if (strcmp(key, "seed") == 0) {
        if (!parse_number(value, &v))
            return sct_fail(err, SCT_EUSAGE,
                            "task: seed: expected a whole number below 2^64, found \"%s\"",
                            value);
        t->seed = v;
        return SCT_OK;
    }
    for (uint32_t i = 0; i < COUNT(fields); i++) {
        const struct field *f = &fields[i];
        if (strcmp(f->key, key) != 0)
            continue;
        if (!parse_number(value, &v) || v < f->min || v > f->max)
            return sct_fail(err, SCT_EUSAGE,
                            "task: %s: expected a whole number from %u to %u, found \"%s\"",
                            key, (unsigned)f->min, (unsigned)f->max, value);
        memcpy((char *)t + f->at, &(uint32_t){(uint32_t)v}, sizeof(uint32_t));
        return SCT_OK;
    }
    return unknown_key(key, err);
}

sct_status sct_task_load(struct sct_task *t, sct_task_next_fn next, void *ctx, sct_error *err)
{
    const char *key, *value;
    sct_task_init(t);
    while (next(ctx, &key, &value))
        SCT_TRY(sct_task_set(t, key, value, err));
    return sct_task_finish(t, err);
}

/* Label kinds that leave the number of classes open get it from the file; others know it. */
static uint32_t natural_classes(const struct sct_task *t)
{
    switch (t->label) {
    case SCT_TASK_SHAPE:
        return t->shape_count;
    case SCT_TASK_COLOR:
        return t->color_count;
    case SCT_TASK_SHAPE_COLOR:
        return t->shape_count * t->color_count;
    default:
        return 0;
    }
}

static bool is_square(uint32_t n)
{
    uint32_t r = 1;
    while (r * r < n)
        r++;
    return r * r == n;
}

static bool symmetric(uint8_t shape)
{
    return shape != SCT_SPRITE_arrow && shape != SCT_SPRITE_ell && shape != SCT_SPRITE_halfdisc;
}

static sct_status check_classes(const struct sct_task *t, uint32_t natural, sct_error *err)
{
    if (t->classes < 2)
        return sct_fail(err, SCT_EUSAGE,
                        "task %s: label %s: expected 2 or more classes, found %u", t->name,
                        label_names[t->label], (unsigned)t->classes);
    if (natural && t->classes != natural)
        return sct_fail(
            err, SCT_EUSAGE,
            "task %s: label %s with %u shapes and %u colors has %u classes, the file "
            "says %u; leave the key out",
            t->name, label_names[t->label], (unsigned)t->shape_count, (unsigned)t->color_count,
            (unsigned)natural, (unsigned)t->classes);
    if (t->label == SCT_TASK_COUNT && t->classes > SCT_SPRITE_MAX_OBJECTS)
        return sct_fail(err, SCT_EUSAGE,
                        "task %s: count: expected at most %d classes, found %u", t->name,
                        SCT_SPRITE_MAX_OBJECTS, (unsigned)t->classes);
    if (t->label == SCT_TASK_COUNT_COLOR &&
        (t->color_count < 2 || t->classes - 1 > t->objects_max))
        return sct_fail(err, SCT_EUSAGE,
                        "task %s: count-color: expected 2 or more colors and objects_max of at "
                        "least classes - 1, found %u colors, %u objects, %u classes",
                        t->name, (unsigned)t->color_count, (unsigned)t->objects_max,
                        (unsigned)t->classes);
    if (t->label == SCT_TASK_LOCATION && !is_square(t->classes))
        return sct_fail(
            err, SCT_EUSAGE,
            "task %s: location: expected a square number of classes (a grid), found "
            "%u",
            t->name, (unsigned)t->classes);
    if (t->label == SCT_TASK_ORIENTATION)
        for (uint32_t i = 0; i < t->shape_count; i++)
            if (symmetric(t->shapes[i]))
                return sct_fail(err, SCT_EUSAGE,
                                "task %s: orientation: %s looks the same after some turn; "
                                "use arrow, ell, halfdisc",
                                t->name, shape_names[t->shapes[i]]);
    return SCT_OK;
}

sct_status sct_task_finish(struct sct_task *t, sct_error *err)
{
    const uint32_t natural = natural_classes(t);
    if (t->objects_min > t->objects_max || t->radius_min > t->radius_max)
        return sct_fail(err, SCT_EUSAGE,
                        "task %s: expected objects_min <= objects_max and radius_min <= "
                        "radius_max, found %u, %u and %u, %u",
                        t->name, (unsigned)t->objects_min, (unsigned)t->objects_max,
                        (unsigned)t->radius_min, (unsigned)t->radius_max);
    if (natural && t->classes == 0)
        t->classes = natural;
    return check_classes(t, natural, err);
}

uint32_t sct_task_count(const struct sct_task *t, enum sct_split split)
{
    switch (split) {
    case SCT_SPLIT_TRAIN:
        return t->train;
    case SCT_SPLIT_VAL:
        return t->val;
    case SCT_SPLIT_TRAINVAL:
        return t->train + t->val;
    case SCT_SPLIT_TEST:
        return t->test;
    }
    return 0;
}

sct_status sct_split_parse(enum sct_split *out, const char *name, sct_error *err)
{
    static const struct {
        const char *name;
        enum sct_split split;
    } known[] = {
        {"train", SCT_SPLIT_TRAIN},       {"train800", SCT_SPLIT_TRAIN},
        {"val", SCT_SPLIT_VAL},           {"val200", SCT_SPLIT_VAL},
        {"trainval", SCT_SPLIT_TRAINVAL}, {"train800val200", SCT_SPLIT_TRAINVAL},
        {"test", SCT_SPLIT_TEST},
    };

    const char *dot = strrchr(name, '.');
    const size_t size = dot && strcmp(dot, ".txt") == 0 ? (size_t)(dot - name) : strlen(name);
    for (uint32_t i = 0; i < COUNT(known); i++)
        if (strlen(known[i].name) == size && memcmp(known[i].name, name, size) == 0) {
            *out = known[i].split;
            return SCT_OK;
        }
    return sct_fail(err, SCT_EUSAGE,
                    "split: expected train, val, trainval or test, found \"%s\"", name);
}

uint32_t sct_task_label_of(const struct sct_task *t, enum sct_split split, uint32_t index)
{
    if (split == SCT_SPLIT_TRAINVAL && index >= t->train)
        index -= t->train;
    return index % t->classes;
}

void sct_task_class_name(const struct sct_task *t, uint32_t label, char *buf, size_t size)
{
    uint32_t grid = 1;
    switch (t->label) {
    case SCT_TASK_SHAPE:
        (void)snprintf(buf, size, "%s", shape_names[t->shapes[label]]);
        return;
    case SCT_TASK_COLOR:
        (void)snprintf(buf, size, "%s", color_names[t->colors[label]]);
        return;
    case SCT_TASK_SHAPE_COLOR:
        (void)snprintf(buf, size, "%s %s", color_names[t->colors[label % t->color_count]],
                       shape_names[t->shapes[label / t->color_count]]);
        return;
    case SCT_TASK_COUNT:
        (void)snprintf(buf, size, "%u object%s", (unsigned)label + 1, label ? "s" : "");
        return;
    case SCT_TASK_COUNT_COLOR:
        (void)snprintf(buf, size, "%u %s", (unsigned)label, color_names[t->colors[0]]);
        return;
    case SCT_TASK_ORIENTATION:
        (void)snprintf(buf, size, "%u degrees", (unsigned)(label * 360 / t->classes));
        return;
    case SCT_TASK_LOCATION:
        while (grid * grid < t->classes)
            grid++;
        (void)snprintf(buf, size, "row %u column %u", (unsigned)(label / grid + 1),
                       (unsigned)(label % grid + 1));
        return;
    case SCT_TASK_SIZE:
        (void)snprintf(buf, size, "size %u of %u", (unsigned)label + 1, (unsigned)t->classes);
        return;
    case SCT_TASK_LABEL_COUNT:
        break;
    }
    (void)snprintf(buf, size, "%u", (unsigned)label);
}
