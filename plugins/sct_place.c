/* SPDX-License-Identifier: MIT
 * sct_place.c - where the modules of SCT go, and how many channels each has.
 * Places of the published code: attn and qkv act on what is scored; mlp acts on the branch but
 * is scored on the block's output. `both` is in an older state of it that has no selection: its
 * two branches are scored where attn and mlp are. With `score: own` each is scored where it
 * acts. */
#include <stdlib.h>
#include <string.h>

#include "plugins/sct_tuning.h"

struct place {
    uint32_t mode, role;
    const char *name,
        *scored; /* the site it acts on, the site that the published code scores */
    int part;    /* of qkv: 0, 2; -1: all channels */
    const char *stem;
};

static const struct place places[] = {
    {SCT_MODE_ATTN, SCT_ROLE_ATTN_RES, "attn.res", "attn.res", -1, ""},
    {SCT_MODE_MLP, SCT_ROLE_MLP_OUT, "mlp.out", "out", -1, ".mlp"},
    {SCT_MODE_QKV, SCT_ROLE_ATTN_QKV, "attn.qkv", "attn.qkv", 0, ".q"},
    {SCT_MODE_QKV, SCT_ROLE_ATTN_QKV, "attn.qkv", "attn.qkv", 2, ".v"},
    {SCT_MODE_BOTH, SCT_ROLE_ATTN_OUT, "attn.out", "attn.res", -1, ".attn"},
    {SCT_MODE_BOTH, SCT_ROLE_MLP_OUT, "mlp.out", "out", -1, ".mlp"},
};

enum { PLACES = sizeof places / sizeof places[0], MAX_STAGES = 16 };

static const char *const modes[] = {"attn", "mlp", "qkv", "both"};

static int is_of_mode(const struct sct_tuning *t, const struct sct_site *s)
{
    for (size_t p = 0; p < PLACES; p++)
        if (places[p].mode == t->mode && places[p].role == s->role && s->block != SCT_NO_BLOCK)
            return 1;
    return 0;
}

static const char *example(const struct sct_tuning *t)
{
    size_t p = 0;
    while (places[p].mode != t->mode)
        p++;
    return places[p].name;
}

/* Of the sites that the pattern names, those of the mode; "**" is all of them, any other
 * pattern must not name anything else. */
static sct_status all_sites(const struct sct_tuning *t, const struct sct_strategy_host *h,
                            const sct_model *m, struct sct_site **out, size_t *n,
                            sct_error *err)
{
    const size_t all = h->sites(m, t->sites, NULL, 0);
    struct sct_site *s = h->alloc((all ? all : 1) * sizeof *s);
    sct_status rc = s ? SCT_OK : h->fail(err, SCT_ENOMEM, "out of memory");
    *n = 0;
    if (rc == SCT_OK)
        (void)h->sites(m, t->sites, s, all);
    for (size_t i = 0; i < all && rc == SCT_OK; i++) {
        if (is_of_mode(t, &s[i]))
            s[(*n)++] = s[i];
        else if (strcmp(t->sites, "**") != 0)
            rc = h->fail(err, SCT_EUSAGE,
                         "sites: \"%s\" names %s; mode %s wants sites like \"**.%s\"", t->sites,
                         s[i].path, modes[t->mode], example(t));
    }
    if (rc == SCT_OK && *n == 0)
        rc = h->fail(err, SCT_EUSAGE,
                     "sites: nothing in this model matches \"%s\"; mode %s wants sites like "
                     "\"**.%s\"",
                     t->sites, modes[t->mode], example(t));
    if (rc != SCT_OK) {
        h->free(s);
        s = NULL;
    }
    *out = s;
    return rc;
}

/* Drops what lies before the last t->last blocks; 0 keeps all. */
static sct_status keep_last(const struct sct_tuning *t, const struct sct_strategy_host *h,
                            struct sct_site *s, size_t *n, sct_error *err)
{
    uint32_t blocks = 0;
    size_t i = *n;
    if (!t->last)
        return SCT_OK;
    for (; i > 0; i--) {
        const int other =
            i == *n || s[i].stage != s[i - 1].stage || s[i].block != s[i - 1].block;
        if (other && blocks == t->last)
            break;
        blocks += other != 0;
    }
    if (blocks < t->last)
        return h->fail(err, SCT_EUSAGE, "last: %u blocks wanted, %u match \"%s\"", t->last,
                       blocks, t->sites);
    memmove(s, s + i, (*n - i) * sizeof *s);
    *n -= i;
    return SCT_OK;
}

/* "96" or "1/8" at *p, which is moved behind it and a comma. */
static int read_count(const char **p, struct sct_count *c)
{
    char *end;
    unsigned long v[2] = {0, 0};
    int n = 0;
    memset(c, 0, sizeof *c);
    do {
        if (**p < '0' || **p > '9')
            return 0;
        v[n] = strtoul(*p, &end, 10);
        if (v[n] == 0 || v[n] > 1000000)
            return 0;
        *p = end;
    } while (++n < 2 && **p == '/' && (*p)++);
    if (n == 1)
        c->number = (uint32_t)v[0];
    c->num = n == 2 ? (uint32_t)v[0] : 0;
    c->den = n == 2 ? (uint32_t)v[1] : 0;
    if (c->num > c->den || (**p != ',' && **p != 0))
        return 0;
    if (**p == ',' && *++*p == 0)
        return 0;
    return 1;
}

/* stages, one entry a stage of the model. */
static sct_status read_stages(const struct sct_tuning *t, const struct sct_strategy_host *h,
                              const sct_model *m, struct sct_count k[MAX_STAGES],
                              sct_error *err)
{
    char pattern[64];
    uint32_t stages = 0, n = 0;
    do
        (void)snprintf(pattern, sizeof pattern, "stage[%u].block[*].out", stages);
    while (h->sites(m, pattern, NULL, 0) && ++stages < MAX_STAGES);
    for (const char *p = t->stages; *p; n++)
        if (n == MAX_STAGES || !read_count(&p, &k[n]))
            return h->fail(err, SCT_EUSAGE,
                           "stages: \"%s\": entry %u: expected a number of channels from 1 on, "
                           "or a fraction up to 1 like 1/8",
                           t->stages, n + 1);
    if (n != stages)
        return h->fail(err, SCT_EUSAGE,
                       "stages: \"%s\" has %u entries; this model has %u stage(s)", t->stages,
                       n, stages);
    return SCT_OK;
}

static sct_status set_k(const struct sct_tuning *t, const struct sct_strategy_host *h,
                        const struct sct_count *stage, struct sct_spot *s, sct_error *err)
{
    const struct sct_count *k = stage ? &stage[s->at.stage] : &t->k;
    s->k = k->den ? (uint32_t)((uint64_t)s->width * k->num / k->den) : k->number;
    if (t->select == SCT_SELECT_ALL)
        s->k = s->width;
    if (s->k == 0 || s->k > s->width)
        return h->fail(
            err, SCT_EUSAGE,
            "%s: %u channels wanted at %s, which has %u; expected 1 to %u, or a fraction "
            "like 1/8",
            stage ? "stages" : "k", s->k, s->at.path, s->width, s->width);
    return SCT_OK;
}

static sct_status set_scored(const struct sct_tuning *t, const struct sct_strategy_host *h,
                             const sct_model *m, const struct place *p, struct sct_spot *s,
                             sct_error *err)
{
    char pattern[64];
    struct sct_site site;
    (void)snprintf(pattern, sizeof pattern, "stage[%u].block[%u].%s", s->at.stage, s->at.block,
                   t->score == SCT_SCORE_OWN ? p->name : p->scored);
    if (h->sites(m, pattern, &site, 1) != 1 || site.channels != s->at.channels)
        return h->fail(err, SCT_EUNSUP, "%s: there is no %s to score it by", s->at.path,
                       pattern);
    s->scored = site.id;
    return SCT_OK;
}

static sct_status fill(const struct sct_tuning *t, const struct sct_strategy_host *h,
                       const sct_model *m, const struct sct_count *stage, const struct place *p,
                       struct sct_spot *s, sct_error *err)
{
    /* models with stages say so in the names, as timm does */
    if (h->sites(m, "stage[1:].block[*].out", NULL, 0))
        (void)snprintf(s->stem, sizeof s->stem, "sct.layers.%u.blocks.%u%s", s->at.stage,
                       s->at.block, p->stem);
    else
        (void)snprintf(s->stem, sizeof s->stem, "sct.blocks.%u%s", s->at.block, p->stem);
    s->first = p->part < 0 ? 0 : s->at.qkv[p->part];
    s->width = p->part < 0 ? s->at.channels : s->at.qkv[p->part + 1] - s->first;
    SCT_TRY(set_k(t, h, stage, s, err));
    return set_scored(t, h, m, p, s, err);
}

static sct_status check(const struct sct_tuning *t, const struct sct_strategy_host *h,
                        sct_error *err)
{
    if (t->module == SCT_MODULE_WIDE && (t->scale != 1.0f || t->scaleonx))
        return h->fail(err, SCT_EUSAGE,
                       "scale: module wide has no scale; leave scale at 1 and scaleonx off");
    return SCT_OK;
}

void sct_place_idle(const struct sct_tuning *t, const struct sct_strategy_host *h,
                    const sct_model *m)
{
    const int qkv = t->mode == SCT_MODE_QKV;
    const char *why = qkv ? "mode qkv has no scale; modes attn, mlp and both have one"
                          : "form b has no scale; forms a and fold have one";
    if (!qkv && t->form != SCT_FORM_B)
        return;
    if (t->scale != 1.0f && h->given(m, "scale"))
        h->log(SCT_LOG_WARN, "scale %g has no effect: %s", (double)t->scale, why);
    if (t->scaleonx && h->given(m, "scaleonx"))
        h->log(SCT_LOG_WARN, "scaleonx has no effect: %s", why);
}

sct_status sct_place(const struct sct_tuning *t, const struct sct_strategy_host *h,
                     const sct_model *m, struct sct_spot **out, size_t *n, sct_error *err)
{
    struct sct_count stage[MAX_STAGES];
    const int stages = t->stages && *t->stages;
    struct sct_site *site;
    size_t n_site;
    *out = NULL;
    *n = 0;
    SCT_TRY(check(t, h, err));
    if (stages)
        SCT_TRY(read_stages(t, h, m, stage, err));
    SCT_TRY(all_sites(t, h, m, &site, &n_site, err));
    sct_status rc = keep_last(t, h, site, &n_site, err);
    struct sct_spot *s = rc == SCT_OK ? h->alloc(2 * n_site * sizeof *s) : NULL;
    if (rc == SCT_OK && !s)
        rc = h->fail(err, SCT_ENOMEM, "out of memory");
    for (size_t i = 0; i < n_site && rc == SCT_OK; i++)
        for (size_t p = 0; p < PLACES && rc == SCT_OK; p++) {
            if (places[p].mode != t->mode || places[p].role != site[i].role)
                continue;
            s[*n].at = site[i];
            rc = fill(t, h, m, stages ? stage : NULL, &places[p], &s[(*n)++], err);
        }
    h->free(site);
    if (rc != SCT_OK)
        h->free(s);
    else
        *out = s;
    return rc;
}
