/* SPDX-License-Identifier: MIT
 * tuner.c - strategies that are composed: names, options, hooks.
 * Whatever is said about one strategy alone is said as before there were several. */
#include "core/tune/tuner.h"

#include <string.h>

#include "core/base/status.h"
#include "core/io/text.h"
#include "core/plug/module.h"

static struct sct_part *find_part(const struct sct_tuner *t, const char *label)
{
    for (uint32_t k = 0; k < t->n; k++)
        if (strcmp(t->part[k].label, label) == 0)
            return &t->part[k];
    return NULL;
}

/* lora, lora2, ...: the first that is free. */
static void name_part(const struct sct_tuner *t, struct sct_part *p)
{
    const char *name = p->run.s->name;
    (void)snprintf(p->label, sizeof p->label, "%.60s", name);
    for (uint32_t k = 0; k < t->n; k++)
        p->again |= strcmp(t->part[k].run.s->name, name) == 0;
    for (uint32_t n = 2; find_part(t, p->label); n++)
        (void)snprintf(p->label, sizeof p->label, "%.60s%u", name, n);
}

static void close_part(struct sct_part *p)
{
    if (p->run.s)
        sct_strategy_close(&p->run);
    sct_opts_destroy(&p->opts);
    sct_free(p->set);
}

static sct_status open_part(struct sct_tuner *t, const char *name, sct_error *err)
{
    static const struct sct_option none[] = {{NULL, NULL, 0, 0, 0, 0, 0, NULL}};
    const struct sct_strategy *s = NULL;
    struct sct_part p = {.again = false};
    char what[96];
    SCT_TRY(sct_grow((void **)&t->part, &t->cap, (uint64_t)t->n + 1, sizeof *t->part, err));
    SCT_TRY(sct_plug_strategy(name, &s, err));
    sct_status rc = sct_strategy_open(&p.run, s, err);
    if (rc == SCT_OK) {
        name_part(t, &p);
        (void)snprintf(what, sizeof what, "strategy %.72s", p.label);
        rc = sct_opts_create(&p.opts, s->options ? s->options : none, p.run.state,
                             s->state_size, what, err);
    }
    if (rc != SCT_OK) {
        close_part(&p);
        return rc;
    }
    t->part[t->n++] = p;
    return SCT_OK;
}

static void name_all(struct sct_tuner *t)
{
    size_t at = 0;
    t->name[0] = 0;
    for (uint32_t k = 0; k < t->n && at < sizeof t->name; k++)
        at += (size_t)snprintf(t->name + at, sizeof t->name - at, "%s%s", k ? "+" : "",
                               t->part[k].label);
}

/* ---- options ---- */

/* "lora, sct": of all parts, or of those that have the key. */
static const char *labels(const struct sct_tuner *t, const char *key, const char *between,
                          const char *behind, char *buf, size_t size)
{
    size_t at = 0;
    buf[0] = 0;
    for (uint32_t k = 0; k < t->n && at < size; k++)
        if (!key || sct_opts_find(t->part[k].opts, key))
            at += (size_t)snprintf(buf + at, size - at, "%s%s%s", at ? between : "",
                                   t->part[k].label, behind);
    return buf;
}

static sct_status unknown(const struct sct_tuner *t, const struct sct_set *s, sct_error *err)
{
    char all[256];
    struct sct_nearest near;
    if (t->n == 1)
        return sct_opts_unknown(t->part[0].opts, s->key, s->where, err);
    sct_nearest_init(&near, s->key);
    for (uint32_t k = 0; k < t->n; k++)
        for (const struct sct_option *o = t->part[k].run.s->options; o && o->key; o++)
            sct_nearest_offer(&near, o->key);
    return sct_fail(
        err, SCT_EUSAGE, "%s: unknown option '%.80s': none of the strategies %s has it%s%s%s",
        s->where, s->key, labels(t, NULL, ", ", "", all, sizeof all),
        near.best ? "; did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
}

/* The part that an option is for. */
static sct_status part_of(const struct sct_tuner *t, const struct sct_set *s,
                          struct sct_part **out, sct_error *err)
{
    char all[256], say[512], behind[80];
    uint32_t n = 0;
    *out = NULL;
    if (s->part && s->part <= t->n) {
        *out = &t->part[s->part - 1];
        return SCT_OK;
    }
    if (s->of) {
        *out = find_part(t, s->of);
        return *out ? SCT_OK
                    : sct_fail(err, SCT_EUSAGE,
                               "%s: option %.80s is for %.80s, which is none of the strategies "
                               "of this run: %s",
                               s->where, s->key, s->of,
                               labels(t, NULL, ", ", "", all, sizeof all));
    }
    for (uint32_t k = 0; k < t->n; k++) {
        if (!sct_opts_find(t->part[k].opts, s->key))
            continue;
        *out = &t->part[k];
        n++;
    }
    if (n == 1)
        return SCT_OK;
    if (n == 0)
        return unknown(t, s, err);
    (void)snprintf(behind, sizeof behind, ".%.60s", s->key);
    return sct_fail(err, SCT_EUSAGE,
                    "%s: strategies %s have an option %s; say which is meant: %s", s->where,
                    labels(t, s->key, ", ", "", all, sizeof all), s->key,
                    labels(t, s->key, " or ", behind, say, sizeof say));
}

static sct_status keep(struct sct_tuner *t, struct sct_part *p, const struct sct_set *s,
                       sct_error *err)
{
    SCT_TRY(
        sct_grow((void **)&p->set, &p->cap_set, (uint64_t)p->n_set + 1, sizeof *p->set, err));
    struct sct_set own = *s;
    own.of = NULL;
    own.part = 0;
    own.key = sct_arena_strdup(&t->arena, s->key);
    own.value = sct_arena_strdup(&t->arena, s->value);
    if (!own.key || !own.value)
        return sct_nomem(err);
    p->set[p->n_set++] = own;
    return SCT_OK;
}

static sct_status give(struct sct_tuner *t, struct sct_part *p, const struct sct_set *s,
                       sct_error *err)
{
    const bool flag = strcmp(s->where, "--set") == 0;
    char where[sizeof s->where];
    (void)snprintf(where, sizeof where, flag ? "--set %s%s%.80s" : "%s",
                   flag ? (s->of ? s->of : "") : s->where, s->of ? "." : "", s->key);
    if (!sct_opts_find(p->opts, s->key))
        return sct_opts_unknown(p->opts, s->key, s->where, err);
    SCT_TRY(sct_opts_set(p->opts, s->key, s->value, flag ? SCT_OPT_FLAG : SCT_OPT_CONFIG, where,
                         err));
    return keep(t, p, s, err);
}

/* ---- opening ---- */

sct_status sct_tuner_open(struct sct_tuner *t, const char *strategies,
                          const struct sct_set *set, uint32_t n_set, sct_error *err)
{
    sct_status rc = SCT_OK;
    const char *w;
    size_t len;
    memset(t, 0, sizeof *t);
    for (uint32_t i = 0; rc == SCT_OK && (w = sct_list_at(strategies, i, &len)); i++) {
        char *name = sct_arena_printf(&t->arena, "%.*s", (int)len, w);
        rc = name ? open_part(t, name, err) : sct_nomem(err);
    }
    if (rc == SCT_OK && t->n == 0)
        rc = sct_fail(err, SCT_EUSAGE,
                      "strategy: expected a name or a list of names, found none");
    for (uint32_t i = 0; i < n_set && rc == SCT_OK; i++) {
        struct sct_part *p;
        rc = part_of(t, &set[i], &p, err);
        if (rc == SCT_OK)
            rc = give(t, p, &set[i], err);
    }
    name_all(t);
    if (rc != SCT_OK)
        sct_tuner_close(t);
    return rc;
}

sct_status sct_tuner_add(struct sct_tuner *t, const char *strategy, const struct sct_set *set,
                         uint32_t n_set, sct_error *err)
{
    SCT_TRY(open_part(t, strategy, err));
    sct_status rc = SCT_OK;
    for (uint32_t i = 0; i < n_set && rc == SCT_OK; i++)
        rc = give(t, &t->part[t->n - 1], &set[i], err);
    if (rc != SCT_OK)
        close_part(&t->part[--t->n]);
    name_all(t);
    return rc;
}

void sct_tuner_close(struct sct_tuner *t)
{
    for (uint32_t k = 0; k < t->n; k++)
        close_part(&t->part[k]);
    sct_free(t->part);
    sct_arena_free(&t->arena);
    memset(t, 0, sizeof *t);
}

/* ---- hooks ---- */

bool sct_tuner_observes(const struct sct_tuner *t)
{
    for (uint32_t k = 0; k < t->n; k++)
        if (t->part[k].run.s->observe)
            return true;
    return false;
}

/* Of an adapter's part all that it was trained with counts as said. */
static bool given(const void *ctx, const char *key)
{
    const struct sct_part *p = ctx;
    for (uint32_t i = 0; i < p->n_set; i++)
        if (!p->set[i].own_file && strcmp(sct_opts_find(p->opts, p->set[i].key)->key, key) == 0)
            return true;
    return false;
}

sct_status sct_tuner_observe(struct sct_tuner *t, struct sct_model *plain, sct_error *err)
{
    for (uint32_t k = 0; k < t->n; k++) {
        struct sct_part *p = &t->part[k];
        p->first_watch = plain->n_watch;
        plain->given = given;
        plain->given_ctx = p;
        const sct_status rc = sct_strategy_observe(&p->run, plain, err);
        plain->given = NULL;
        SCT_TRY(rc);
        p->n_watch = plain->n_watch - p->first_watch;
    }
    return SCT_OK;
}

sct_status sct_tuner_choose(struct sct_tuner *t, const struct sct_model *plain,
                            struct sct_readings *const *own, sct_error *err)
{
    for (uint32_t k = 0; k < t->n; k++)
        SCT_TRY(sct_strategy_choose(&t->part[k].run, plain, own[k], err));
    return SCT_OK;
}

sct_status sct_tuner_apply(struct sct_tuner *t, struct sct_model *m, sct_error *err)
{
    for (uint32_t k = 0; k < t->n; k++) {
        struct sct_part *p = &t->part[k];
        const char *label = sct_arena_strdup(&m->arena, p->label);
        if (!label)
            return sct_nomem(err);
        m->part = (struct sct_part_of){k + 1, label, p->again, t->stacked};
        m->given = given;
        m->given_ctx = p;
        const sct_status rc = sct_strategy_apply(&p->run, m, err);
        m->part = (struct sct_part_of){0};
        m->given = NULL;
        if (rc != SCT_OK && p->again)
            (void)sct_error_prefix(err, "%s", p->label);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

void sct_tuner_dump(const struct sct_tuner *t, uint32_t indent, struct sct_str *out)
{
    for (uint32_t k = 0; k < t->n; k++) {
        const struct sct_option *o = t->part[k].run.s->options;
        if (t->n > 1)
            sct_str_add(out, "%*s%s:%s\n", (int)indent, "", t->part[k].label,
                        o && o->key ? "" : " {}");
        sct_opts_dump(t->part[k].opts, t->n > 1 ? indent + 2 : indent, out);
    }
}
