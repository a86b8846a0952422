/* SPDX-License-Identifier: MIT
 * config_get.c - typed values from a configuration tree, and the way into an option table.
 * A message always begins with file:line:column of the value that is wrong. */
#include "core/io/config.h"

#include "core/base/status.h"
#include "core/io/option_impl.h"
#include "core/io/text.h"

#include <stdbool.h>
#include <string.h>

const struct sct_cfg_node *sct_cfg_get(const struct sct_cfg_node *map, const char *key)
{
    if (!map || map->kind != SCT_CFG_MAPPING)
        return NULL;
    const struct sct_cfg_node *c = map->first;
    while (c && strcmp(c->key, key) != 0)
        c = c->next;
    return c;
}

sct_status sct_cfg_fail(const struct sct_cfg_node *at, sct_error *err, const char *fmt, ...)
{
    char msg[768];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return sct_fail(err, SCT_EUSAGE, "%s:%u:%u: %s", at->file, at->line, at->column, msg);
}

static sct_status mismatch(const struct sct_cfg_node *at, const char *expected, sct_error *err)
{
    const char *found = at->kind == SCT_CFG_MAPPING    ? "a mapping"
                        : at->kind == SCT_CFG_SEQUENCE ? "a list"
                        : at->text                     ? at->text
                                                       : "null";
    const char *quote = at->kind == SCT_CFG_SCALAR && at->text ? "'" : "";
    return sct_cfg_fail(at, err, "%s%sexpected %s, found %s%.80s%s", at->key ? at->key : "",
                        at->key ? ": " : "", expected, quote, found, quote);
}

/* The node of a key if it holds something. */
static const struct sct_cfg_node *present(const struct sct_cfg_node *map, const char *key)
{
    const struct sct_cfg_node *c = sct_cfg_get(map, key);
    return c && (c->kind != SCT_CFG_SCALAR || c->text) ? c : NULL;
}

sct_status sct_cfg_str(const struct sct_cfg_node *map, const char *key, const char **out,
                       sct_error *err)
{
    const struct sct_cfg_node *c = present(map, key);
    if (!c)
        return SCT_OK;
    if (!c->text)
        return mismatch(c, "text", err);
    *out = c->text;
    return SCT_OK;
}

sct_status sct_cfg_need_str(const struct sct_cfg_node *map, const char *key, const char **out,
                            sct_error *err)
{
    if (!present(map, key))
        return sct_cfg_fail(map, err, "expected the key '%s', found none", key);
    return sct_cfg_str(map, key, out, err);
}

static sct_status get_u32(const struct sct_cfg_node *c, uint32_t min, uint32_t max,
                          uint32_t *out, sct_error *err)
{
    uint64_t v = 0;
    if (!c->text || !sct_scan_u64(c->text, &v) || v < min || v > max) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "a whole number from %u to %u", min, max);
        return mismatch(c, expected, err);
    }
    *out = (uint32_t)v;
    return SCT_OK;
}

sct_status sct_cfg_u32(const struct sct_cfg_node *map, const char *key, uint32_t min,
                       uint32_t max, uint32_t *out, sct_error *err)
{
    const struct sct_cfg_node *c = present(map, key);
    return c ? get_u32(c, min, max, out, err) : SCT_OK;
}

sct_status sct_cfg_f32(const struct sct_cfg_node *map, const char *key, float *out,
                       sct_error *err)
{
    const struct sct_cfg_node *c = present(map, key);
    if (c && (!c->text || !sct_scan_f32(c->text, out)))
        return mismatch(c, "a number", err);
    return SCT_OK;
}

sct_status sct_cfg_bool(const struct sct_cfg_node *map, const char *key, uint32_t *out,
                        sct_error *err)
{
    const struct sct_cfg_node *c = present(map, key);
    if (c && (!c->text || !sct_scan_bool(c->text, out)))
        return mismatch(c, "on or off", err);
    return SCT_OK;
}

static sct_status check_list(const struct sct_cfg_node *c, uint32_t n, sct_error *err)
{
    char expected[64];
    if (c->kind == SCT_CFG_SEQUENCE && c->n == n)
        return SCT_OK;
    (void)snprintf(expected, sizeof expected, "a list of %u numbers", n);
    return mismatch(c, expected, err);
}

sct_status sct_cfg_u32s(const struct sct_cfg_node *map, const char *key, uint32_t min,
                        uint32_t max, uint32_t *out, uint32_t n, sct_error *err)
{
    const struct sct_cfg_node *c = present(map, key);
    uint32_t v;
    if (!c)
        return SCT_OK;
    SCT_TRY(check_list(c, n, err));
    /* Two passes, so that a bad list leaves the defaults whole. */
    for (const struct sct_cfg_node *e = c->first; e; e = e->next)
        SCT_TRY(get_u32(e, min, max, &v, err));
    for (const struct sct_cfg_node *e = c->first; e; e = e->next)
        SCT_TRY(get_u32(e, min, max, out++, err));
    return SCT_OK;
}

sct_status sct_cfg_f32s(const struct sct_cfg_node *map, const char *key, float *out, uint32_t n,
                        sct_error *err)
{
    const struct sct_cfg_node *c = present(map, key);
    float v;
    if (!c)
        return SCT_OK;
    SCT_TRY(check_list(c, n, err));
    for (const struct sct_cfg_node *e = c->first; e; e = e->next)
        if (!e->text || !sct_scan_f32(e->text, &v))
            return mismatch(e, "a number", err);
    for (const struct sct_cfg_node *e = c->first; e; e = e->next)
        (void)sct_scan_f32(e->text, out++);
    return SCT_OK;
}

sct_status sct_cfg_child(const struct sct_cfg_node *map, const char *key,
                         enum sct_cfg_kind kind, const struct sct_cfg_node **out,
                         sct_error *err)
{
    *out = NULL;
    const struct sct_cfg_node *c = present(map, key);
    if (c && c->kind != (uint32_t)kind)
        return mismatch(c,
                        kind == SCT_CFG_MAPPING    ? "a mapping"
                        : kind == SCT_CFG_SEQUENCE ? "a list"
                                                   : "a single value",
                        err);
    *out = c;
    return SCT_OK;
}

static int in_list(const char *const *list, const char *key)
{
    for (; list && *list; list++)
        if (strcmp(*list, key) == 0)
            return 1;
    return 0;
}

sct_status sct_cfg_only(const struct sct_cfg_node *map, const char *const *keys, sct_error *err)
{
    const bool null = map->kind == SCT_CFG_SCALAR && !map->text;
    if (map->kind != SCT_CFG_MAPPING && !null)
        return mismatch(map, "a mapping", err);
    for (const struct sct_cfg_node *c = map->first; c; c = c->next) {
        if (in_list(keys, c->key))
            continue;
        struct sct_nearest near;
        sct_nearest_init(&near, c->key);
        for (const char *const *k = keys; *k; k++)
            sct_nearest_offer(&near, *k);
        const char *best = near.best;
        return sct_fail(err, SCT_EUSAGE, "%s:%u:%u: unknown key '%.60s'%s%s%s", c->file,
                        c->key_line, c->key_column, c->key, best ? "; did you mean '" : "",
                        best ? best : "", best ? "'?" : "");
    }
    return SCT_OK;
}

/* The texts of a list, joined as a LIST holds them. */
static sct_status feed_list(const struct sct_cfg_node *c, struct sct_opts *o, size_t i,
                            const char *where, sct_error *err)
{
    struct sct_str all = {0};
    for (const struct sct_cfg_node *n = c->first; n; n = n->next) {
        if (!n->text) {
            sct_str_free(&all);
            return mismatch(n, "text", err);
        }
        sct_str_add(&all, "%s%s", n == c->first ? "" : "\n", n->text);
    }
    char *text = sct_str_take(&all);
    const sct_status rc =
        text ? sct_opts_set_at(o, i, text, SCT_OPT_CONFIG, where, err) : sct_nomem(err);
    sct_free(text);
    return rc;
}

sct_status sct_cfg_feed(const struct sct_cfg_node *map, struct sct_opts *o,
                        const char *const *skip, sct_error *err)
{
    for (const struct sct_cfg_node *c = map->first; c; c = c->next) {
        if (in_list(skip, c->key))
            continue;
        char where[512];
        const size_t i = sct_opts_index(o, c->key, strlen(c->key));
        if (i == o->n) {
            (void)snprintf(where, sizeof where, "%.480s:%u:%u", c->file, c->key_line,
                           c->key_column);
            return sct_opts_unknown(o, c->key, where, err);
        }
        const bool list =
            c->kind == SCT_CFG_SEQUENCE && c->first && sct_opts_row(o, i)->type == SCT_OPT_LIST;
        if (c->kind != SCT_CFG_SCALAR && !list)
            return mismatch(c, "a single value", err);
        (void)snprintf(where, sizeof where, "%.480s:%u:%u", c->file, c->line, c->column);
        if (list) {
            SCT_TRY(feed_list(c, o, i, where, err));
            continue;
        }
        SCT_TRY(sct_opts_set_at(o, i, c->text, SCT_OPT_CONFIG, where, err));
    }
    return SCT_OK;
}
