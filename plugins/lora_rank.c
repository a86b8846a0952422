/* SPDX-License-Identifier: MIT
 * lora_rank.c - rank and alpha of every layer: the patterns.
 *
 * A pattern is a list "fc1=16,blocks[0:6].attn.*=4". The left side is matched, in the language
 * of sites, against the end of the layer's name with its numbers in brackets
 * (blocks[3].attn.qkv), so "fc1" is every fc1. The first entry that fits decides. q, k and v of
 * a fused layer have one rank and one alpha: only so are their pairs one pair of that layer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/lora.h"

enum { MAX_ENTRY = 160 };

struct entry {
    char pattern[MAX_ENTRY + 4]; /* "**." and the left side */
    double value;
};

/* "blocks.3.attn.qkv" -> "blocks[3].attn.qkv". */
static void path_of(const char *layer, char *buf, size_t size)
{
    size_t n = 0;
    for (const char *p = layer; *p && n + 3 < size;) {
        const size_t digits = *p == '.' ? strspn(p + 1, "0123456789") : 0;
        if (digits && (p[1 + digits] == '.' || !p[1 + digits])) {
            n += (size_t)snprintf(buf + n, size - n, "[%.*s]", (int)digits, p + 1);
            p += 1 + digits;
        } else {
            buf[n++] = *p++;
        }
        n = n < size ? n : size - 1;
    }
    buf[n] = 0;
}

static sct_status bad(const struct sct_strategy_host *h, const char *key, const char *text,
                      size_t n, const char *what, sct_error *err)
{
    return h->fail(err, SCT_EUSAGE,
                   "%s: \"%.*s\": %s; expected entries like fc1=16 or blocks[0:6].attn.*=4",
                   key, (int)n, text, what);
}

/* The entry at *p; *p moves behind it. whole: values are integers of at least 1. */
static sct_status next(const struct sct_strategy_host *h, const char *key, const char **p,
                       int whole, struct entry *e, sct_error *err)
{
    const char *text = *p;
    const size_t n = strcspn(text, ","), left = strcspn(text, "=,");
    char number[32], *end = NULL;
    *p += n + (text[n] == ',');
    if (left == n || left == 0 || left > MAX_ENTRY || n - left - 1 >= sizeof number)
        return bad(h, key, text, n, "no PATTERN=NUMBER", err);
    memcpy(number, text + left + 1, n - left - 1);
    number[n - left - 1] = 0;
    e->value = strtod(number, &end);
    if (end == number || *end || !isfinite(e->value) || fabs(e->value) > 1e6)
        return bad(h, key, text, n, "the value is no number up to 1e6", err);
    if (whole && (e->value < 1 || e->value > 4096 || e->value != floor(e->value)))
        return bad(h, key, text, n, "a rank is an integer from 1 to 4096", err);
    (void)snprintf(e->pattern, sizeof e->pattern, "**.%.*s", (int)left, text);
    const char *last = strrchr(e->pattern, '.') + 1;
    if (strlen(last) == 1 && strchr("qkv", *last))
        return bad(h, key, text, n,
                   "q, k and v of a layer have one rank and one alpha: say qkv", err);
    sct_error why = SCT_ERROR_INIT;
    if (!h->match(e->pattern, "none", &why) && why.code != SCT_OK)
        return bad(h, key, text, n, "the left side is no pattern", err);
    return SCT_OK;
}

/* *value: of the first entry that fits; kept where none does. */
static sct_status find(const struct sct_strategy_host *h, const char *key, const char *list,
                       int whole, const char *layer, double *value, sct_error *err)
{
    char path[192];
    path_of(layer, path, sizeof path);
    for (const char *p = list; *p;) {
        struct entry e;
        SCT_TRY(next(h, key, &p, whole, &e, err));
        if (!h->match(e.pattern, path, NULL))
            continue;
        *value = e.value;
        return SCT_OK;
    }
    return SCT_OK;
}

sct_status lora_values_of(const struct lora *l, const struct sct_strategy_host *h,
                          const char *layer, struct lora_values *out, sct_error *err)
{
    double r = l->r, alpha = (double)l->alpha;
    SCT_TRY(find(h, "rank_pattern", l->rank_pattern, 1, layer, &r, err));
    SCT_TRY(find(h, "alpha_pattern", l->alpha_pattern, 0, layer, &alpha, err));
    out->r = (uint32_t)r;
    out->alpha = (float)alpha;
    out->scale = (double)out->alpha / (l->rslora ? sqrt(r) : r);
    return SCT_OK;
}

static sct_status check(const struct sct_strategy_host *h, const char *key, const char *list,
                        int whole, const struct lora_layer *layer, size_t n, sct_error *err)
{
    char path[192];
    for (const char *p = list; *p;) {
        struct entry e;
        int fits = 0;
        const char *text = p;
        SCT_TRY(next(h, key, &p, whole, &e, err));
        for (size_t i = 0; i < n && !fits; i++) {
            path_of(layer[i].text, path, sizeof path);
            fits = h->match(e.pattern, path, NULL);
        }
        if (!fits)
            return bad(h, key, text, strcspn(text, ","), "it fits no layer of the targets",
                       err);
    }
    return SCT_OK;
}

sct_status lora_check_patterns(const struct lora *l, const struct sct_strategy_host *h,
                               const struct lora_layer *layer, size_t n, sct_error *err)
{
    SCT_TRY(check(h, "rank_pattern", l->rank_pattern, 1, layer, n, err));
    return check(h, "alpha_pattern", l->alpha_pattern, 0, layer, n, err);
}
