/* SPDX-License-Identifier: MIT
 * step.c - the table of steps, and text to and from it. */
#include "core/data/step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(A)   (sizeof(A) / sizeof((A)[0]))
#define FILTERS    "box|bilinear|hamming|bicubic|lanczos"
#define ANY_FILTER FILTERS "|random"
#define BICUBIC    3

#define REAL(KEY, DEF, MIN, MAX)                                                               \
    {                                                                                          \
        KEY, SCT_STEP_REAL, {DEF, 0}, MIN, MAX, NULL                                           \
    }
#define WHOLE(KEY, DEF, MIN, MAX)                                                              \
    {                                                                                          \
        KEY, SCT_STEP_WHOLE, {DEF, 0}, MIN, MAX, NULL                                          \
    }
#define PAIR(KEY, LO, HI, MIN, MAX)                                                            \
    {                                                                                          \
        KEY, SCT_STEP_PAIR, {LO, HI}, MIN, MAX, NULL                                           \
    }
#define WORD(KEY, DEF, COUNT_, WORDS)                                                          \
    {                                                                                          \
        KEY, SCT_STEP_WORD, {DEF, 0}, 0, (COUNT_)-1, WORDS                                     \
    }

static const struct sct_step_param resize[] = {
    WORD("mode", RESIZE_SQUASH, 2, "squash|short"),
    WHOLE("size", 0, 0, 16384),
    {"crop_pct", SCT_STEP_REAL, {1, 0}, 0, 1, "model"},
    WORD("filter", BICUBIC, 5, FILTERS),
};
static const struct sct_step_param center_crop[] = {WHOLE("size", 0, 0, 4096)};
static const struct sct_step_param random_crop[] = {
    WHOLE("size", 0, 0, 4096),
    WHOLE("padding", 0, 0, 1024),
    WHOLE("fill", 0, 0, 255),
};
static const struct sct_step_param random_resized_crop[] = {
    WHOLE("size", 0, 0, 4096),
    PAIR("scale", 0.08, 1, 1e-4, 1),
    PAIR("ratio", 0.75, 1.33333333333333, 0.01, 100),
    WORD("filter", BICUBIC, 6, ANY_FILTER),
};
static const struct sct_step_param hflip[] = {REAL("p", 0.5, 0, 1)};
static const struct sct_step_param color_jitter[] = {
    REAL("brightness", 0, 0, 100),
    REAL("contrast", 0, 0, 100),
    REAL("saturation", 0, 0, 100),
    REAL("hue", 0, 0, 0.5),
};
static const struct sct_step_param randaugment[] = {
    WHOLE("magnitude", 9, 0, 10),
    REAL("std", 0, 0, 100),
    WHOLE("ops", 2, 1, 15),
    REAL("p", 0.5, 0, 1),
    WORD("filter", BICUBIC, 6, ANY_FILTER),
};
static const struct sct_step_param random_erasing[] = {
    REAL("p", 0.25, 0, 1),
    PAIR("scale", 0.02, 0.333333333333333, 1e-4, 1),
    PAIR("ratio", 0.3, 3.33333333333333, 0.01, 100),
    WORD("mode", ERASE_PIXEL, 3, "pixel|rand|const"),
    WHOLE("count", 1, 1, 16),
};
static const struct sct_step_param mix[] = {
    REAL("mixup", 0, 0, 100),
    REAL("cutmix", 0, 0, 100),
    REAL("p", 1, 0, 1),
    REAL("switch", 0.5, 0, 1),
    WORD("per", MIX_PER_BATCH, 2, "batch|image"),
};

#define INFO(NAME, RANDOM, PARAMS)                                                             \
    {                                                                                          \
        NAME, RANDOM, COUNT(PARAMS), PARAMS                                                    \
    }

static const struct sct_step_info infos[] = {
    [SCT_STEP_RESIZE] = INFO("resize", false, resize),
    [SCT_STEP_CENTER_CROP] = INFO("center-crop", false, center_crop),
    [SCT_STEP_RANDOM_CROP] = INFO("random-crop", true, random_crop),
    [SCT_STEP_RANDOM_RESIZED_CROP] = INFO("random-resized-crop", true, random_resized_crop),
    [SCT_STEP_HFLIP] = INFO("hflip", true, hflip),
    [SCT_STEP_COLOR_JITTER] = INFO("color-jitter", true, color_jitter),
    [SCT_STEP_RANDAUGMENT] = INFO("randaugment", true, randaugment),
    [SCT_STEP_RANDOM_ERASING] = INFO("random-erasing", true, random_erasing),
    [SCT_STEP_MIX] = INFO("mix", true, mix),
};

const struct sct_step_info *sct_step_info(enum sct_step_kind kind)
{
    return &infos[kind];
}

uint32_t sct_step_at(enum sct_step_kind kind, uint32_t param)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < param; i++)
        at += infos[kind].param[i].type == SCT_STEP_PAIR ? 2 : 1;
    return at;
}

sct_status sct_step_init(struct sct_step *s, const char *name, sct_error *err)
{
    char names[256] = "";
    memset(s, 0, sizeof *s);
    for (size_t k = 0; k < COUNT(infos); k++) {
        const struct sct_step_info *i = &infos[k];
        const size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s", k ? ", " : "", i->name);
        if (strcmp(i->name, name) != 0)
            continue;
        s->kind = (enum sct_step_kind)k;
        for (uint32_t p = 0, at = 0; p < i->n; p++) {
            s->v[at++] = i->param[p].def[0];
            if (i->param[p].type == SCT_STEP_PAIR)
                s->v[at++] = i->param[p].def[1];
        }
        return SCT_OK;
    }
    return sct_fail(err, SCT_EUSAGE,
                    "step of preprocessing: expected one of %s; found \"%.60s\"", names, name);
}

/* ---- text to values ---- */

/* Place of a word among "a|b|c", or -1. */
static int word_of(const char *words, const char *text)
{
    const size_t len = strlen(text);
    int at = 0;
    for (const char *p = words; *p; at++) {
        const size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, text, n) == 0)
            return at;
        p += n + (p[n] == '|');
    }
    return -1;
}

static sct_status check_value(const struct sct_step_info *i, const struct sct_step_param *p,
                              double v, sct_error *err)
{
    if (isfinite(v) && v >= p->min && v <= p->max &&
        ((p->type != SCT_STEP_WHOLE && p->type != SCT_STEP_WORD) || v == floor(v)))
        return SCT_OK;
    return sct_fail(err, SCT_EUSAGE, "%s: %s: expected %s from %g to %g, found %g", i->name,
                    p->key, p->type == SCT_STEP_WHOLE ? "a whole number" : "a number", p->min,
                    p->max, v);
}

static sct_status parse(const struct sct_step_info *i, const struct sct_step_param *p,
                        const char *text, double *out, sct_error *err)
{
    char *end, digits[40];
    const int word = p->words ? word_of(p->words, text) : -1;
    if (p->type == SCT_STEP_WORD && word < 0)
        return sct_fail(err, SCT_EUSAGE, "%s: %s: expected %s, found \"%.60s\"", i->name,
                        p->key, p->words, text);
    *out = word;
    if (word >= 0)
        return SCT_OK;
    const double v = strtod(text, &end);
    if (end == text || *end)
        return sct_fail(err, SCT_EUSAGE, "%s: %s: expected a number, found \"%.60s\"", i->name,
                        p->key, text);
    (void)snprintf(digits, sizeof digits, "%.15g", v);
    *out = strtod(digits, NULL);
    return check_value(i, p, *out, err);
}

sct_status sct_step_set(struct sct_step *s, const char *key, uint32_t part, const char *text,
                        sct_error *err)
{
    const struct sct_step_info *i = &infos[s->kind];
    char keys[160] = "";
    for (uint32_t p = 0; p < i->n; p++) {
        const size_t used = strlen(keys);
        (void)snprintf(keys + used, sizeof keys - used, "%s%s", p ? ", " : "", i->param[p].key);
        if (strcmp(i->param[p].key, key) == 0)
            return parse(i, &i->param[p], text, &s->v[sct_step_at(s->kind, p) + part], err);
    }
    return sct_fail(err, SCT_EUSAGE, "%s: expected one of %s, found \"%.60s\"", i->name, keys,
                    key);
}

sct_status sct_step_policy(struct sct_step *s, const char *policy, sct_error *err)
{
    static const struct {
        const char *prefix, *key;
    } part[] = {{"mstd", "std"}, {"m", "magnitude"}, {"n", "ops"}, {"p", "p"}};

    const char *p = policy;
    bool increasing = false, ok = strncmp(p, "rand", 4) == 0;
    for (p += ok ? 4 : 0; ok && *p;) {
        char word[24];
        size_t n = *p == '-' ? strcspn(++p, "-") : 0, k = 0;
        (void)snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : 0), p);
        p += n;
        ok = word[0] != 0;
        if (strcmp(word, "inc1") == 0) {
            increasing = true;
            continue;
        }
        while (k < COUNT(part) && strncmp(word, part[k].prefix, strlen(part[k].prefix)) != 0)
            k++;
        ok = ok && k < COUNT(part);
        if (ok)
            SCT_TRY(sct_step_set(s, part[k].key, 0, word + strlen(part[k].prefix), err));
    }
    if (ok && increasing)
        return SCT_OK;
    return sct_fail(
        err, SCT_EUSAGE,
        "randaugment: expected a policy like rand-m9-mstd0.5-inc1, with m, mstd, n, p "
        "and inc1 (the operations whose effect grows), found \"%.60s\"",
        policy);
}

sct_status sct_step_check(const struct sct_step *s, sct_error *err)
{
    const struct sct_step_info *i = &infos[s->kind];
    for (uint32_t p = 0, at = 0; p < i->n; p++) {
        const struct sct_step_param *q = &i->param[p];
        SCT_TRY(check_value(i, q, s->v[at++], err));
        if (q->type != SCT_STEP_PAIR)
            continue;
        SCT_TRY(check_value(i, q, s->v[at++], err));
        if (s->v[at - 2] > s->v[at - 1])
            return sct_fail(err, SCT_EUSAGE,
                            "%s: %s: expected the smaller number first, found "
                            "%g, %g",
                            i->name, q->key, s->v[at - 2], s->v[at - 1]);
    }
    return SCT_OK;
}

/* ---- values to text ---- */

static void add_value(char *buf, size_t size, const struct sct_step_param *p, const double *v)
{
    const size_t used = strlen(buf);
    const char *word = p->words;
    if (p->type == SCT_STEP_PAIR) {
        (void)snprintf(buf + used, size - used, "%.6g..%.6g", v[0], v[1]);
        return;
    }
    if (p->type != SCT_STEP_WORD && !(word && v[0] == 0)) {
        (void)snprintf(buf + used, size - used, "%.6g", v[0]);
        return;
    }
    for (int k = (int)v[0]; p->type == SCT_STEP_WORD && k > 0; k--)
        word += strcspn(word, "|") + 1;
    (void)snprintf(buf + used, size - used, "%.*s", (int)strcspn(word, "|"), word);
}

void sct_steps_text(const struct sct_steps *list, char *buf, size_t size)
{
    buf[0] = 0;
    for (uint32_t k = 0; k < list->n; k++) {
        const struct sct_step *s = &list->step[k];
        const struct sct_step_info *i = &infos[s->kind];
        bool open = false;
        size_t used = strlen(buf);
        (void)snprintf(buf + used, size - used, "%s%s", k ? ", " : "", i->name);
        for (uint32_t p = 0; p < i->n; p++) {
            const double *v = &s->v[sct_step_at(s->kind, p)];
            const bool pair = i->param[p].type == SCT_STEP_PAIR;
            if (v[0] == i->param[p].def[0] && (!pair || v[1] == i->param[p].def[1]))
                continue;
            used = strlen(buf);
            (void)snprintf(buf + used, size - used, "%s%s=", open ? ", " : "(",
                           i->param[p].key);
            add_value(buf, size, &i->param[p], v);
            open = true;
        }
        used = strlen(buf);
        if (open)
            (void)snprintf(buf + used, size - used, ")");
    }
}
