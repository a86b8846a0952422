/* SPDX-License-Identifier: MIT
 * weights.c - the base's tensors by name. */
#include "core/model/weights.h"

#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"

struct sct_weights *sct_weights_create(const char *origin, bool random, uint64_t seed)
{
    struct sct_weights *w = sct_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->random = random;
    w->seed = seed;
    w->origin = sct_arena_strdup(&w->arena, origin);
    if (!w->origin)
        sct_weights_destroy(&w);
    return w;
}

void sct_weights_destroy(struct sct_weights **w)
{
    if (!w || !*w)
        return;
    sct_free((*w)->item);
    sct_arena_free(&(*w)->arena);
    sct_free(*w);
    *w = NULL;
}

static struct sct_weight *find(const struct sct_weights *w, const char *name)
{
    for (uint32_t i = 0; i < w->n; i++)
        if (strcmp(w->item[i]->t.name, name) == 0)
            return w->item[i];
    return NULL;
}

static struct sct_weight *append(struct sct_weights *w, const char *name, sct_error *err)
{
    struct sct_weight *x = sct_arena_alloc(&w->arena, sizeof *x);
    if (!x || !(x->t.name = sct_arena_strdup(&w->arena, name))) {
        (void)sct_nomem(err);
        return NULL;
    }
    x->t.lasting = true;
    if (sct_grow((void **)&w->item, &w->cap, (uint64_t)w->n + 1, sizeof(x), err) != SCT_OK)
        return NULL;
    w->item[w->n++] = x;
    return x;
}

sct_status sct_weights_add(struct sct_weights *w, const struct sct_tensor *t, sct_error *err)
{
    struct sct_weight *x = append(w, t->name, err);
    if (!x)
        return SCT_ENOMEM;
    const char *name = x->t.name;
    x->t = *t;
    x->t.name = name;
    x->t.lasting = true;
    return SCT_OK;
}

static sct_status load_random(const struct sct_tensor *t, void *dst, sct_error *err)
{
    const struct sct_weight *x = t->ctx;
    return sct_init_fill(x->init, x->seed, t->name, &t->desc, dst, err);
}

static sct_status draw(struct sct_weights *w, const char *name, const struct sct_desc *d,
                       const char *init, const struct sct_tensor **out, sct_error *err)
{
    struct sct_weight *x = append(w, name, err);
    if (!x)
        return SCT_ENOMEM;
    x->t.desc = *d;
    x->t.load = load_random;
    x->t.ctx = x;
    x->seed = w->seed;
    x->used = true;
    (void)snprintf(x->init, sizeof x->init, "%s", init);
    *out = &x->t;
    return SCT_OK;
}

/* ---- another number of positions ---- */

static uint32_t side(uint32_t n)
{
    uint32_t s = 0;
    while ((uint64_t)(s + 1) * (s + 1) <= n)
        s++;
    return (uint64_t)s * s == n ? s : 0;
}

/* Two grids: from the file's to the model's. */
struct grids {
    uint32_t from, to, prefix, channels;
    bool table;
};

/* Whether a tensor holds one value or vector a place, in both shapes. A position embedding is
 * [1][prefix + side^2][channels]; the model says how long the prefix is. */
static bool find_grids(const struct sct_weight *x, const struct sct_desc *have,
                       const struct sct_desc *want, struct grids *g)
{
    static const char suffix[] = ".attn.relative_position_bias_table";
    const char *name = x->t.name;
    const size_t n = strlen(name), m = sizeof suffix - 1;
    *g = (struct grids){.table = n > m && strcmp(name + n - m, suffix) == 0};
    const uint32_t nd = g->table ? 2 : 3;
    if ((!g->table && strcmp(name, "pos_embed") != 0) || have->nd != nd || want->nd != nd ||
        have->dim[nd - 1] != want->dim[nd - 1])
        return false;
    g->channels = have->dim[nd - 1];
    g->prefix = g->table ? 0 : x->prefix;
    const uint32_t a = have->dim[nd - 2], b = want->dim[nd - 2];
    g->from = a > g->prefix ? side(a - g->prefix) : 0;
    g->to = b > g->prefix ? side(b - g->prefix) : 0;
    return g->from && g->to;
}

static sct_status load_resized(const struct sct_tensor *t, void *dst, sct_error *err)
{
    const struct sct_weight *x = t->ctx;
    const struct sct_weights *w = t->data;
    struct grids g;
    float *src = sct_calloc((size_t)sct_desc_count(&x->file.desc), sizeof *src);
    if (!src)
        return sct_nomem(err);
    (void)find_grids(x, &x->file.desc, &t->desc, &g);
    sct_status rc = x->file.load(&x->file, src, err);
    if (rc == SCT_OK && g.table)
        rc = sct_interp_table(w->interp, src, g.from, dst, g.to, g.channels, err);
    else if (rc == SCT_OK)
        rc = sct_interp_positions(w->interp, w->flax, src, g.from, dst, g.to, g.prefix,
                                  g.channels, err);
    sct_free(src);
    return rc;
}

/* x gets the shape that is asked for, or says why not. */
static sct_status reshape(struct sct_weights *w, struct sct_weight *x, const struct sct_desc *d,
                          sct_error *err)
{
    struct grids g;
    char want[96], have[96];
    if (x->file.load) /* from the file's values, not from resized ones */
        x->t = x->file;
    (void)sct_desc_text(d, want, sizeof want);
    (void)sct_desc_text(&x->t.desc, have, sizeof have);
    const bool can = find_grids(x, &x->t.desc, d, &g);
    if (!can || w->interp == SCT_INTERP_NONE)
        return sct_fail(err, SCT_EFILE, "%s: tensor %s: expected %s, found %s; %s", w->origin,
                        x->t.name, want, have,
                        !can      ? "is --model right?"
                        : g.table ? "--interp timm or ms resizes it"
                                  : "--interp timm, timm-0.6, hf or ms resizes it");
    if (!sct_interp_does(w->interp, g.table))
        return sct_fail(err, SCT_EUSAGE,
                        "%s: tensor %s: expected %s, found %s, and --interp %s resizes no "
                        "bias tables; timm and ms do",
                        w->origin, x->t.name, want, have, sct_interp_name(w->interp));
    x->file = x->t;
    x->t.desc = *d;
    x->t.load = load_resized;
    x->t.view = NULL;
    x->t.ctx = x;
    x->t.data = w;
    return SCT_OK;
}

/* ---- */

sct_status sct_weights_take(struct sct_weights *w, const char *name, uint32_t nd,
                            const uint32_t *dim, const char *init,
                            const struct sct_tensor **out, sct_error *err)
{
    const struct sct_desc d = sct_desc_make(SCT_F32, nd, dim);
    struct sct_weight *x = find(w, name);
    *out = NULL;
    if (!x && w->random)
        return draw(w, name, &d, init, out, err);
    if (!x)
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor %s is missing, which this model has; is --model right?",
                        w->origin, name);
    if (!sct_desc_same_dims(&x->t.desc, &d))
        SCT_TRY(reshape(w, x, &d, err));
    x->used = true;
    *out = &x->t;
    return SCT_OK;
}

void sct_weights_prefix(struct sct_weights *w, const char *name, uint32_t n)
{
    struct sct_weight *x = find(w, name);
    if (x)
        x->prefix = n;
}

const struct sct_tensor *sct_weights_peek(const struct sct_weights *w, const char *name)
{
    const struct sct_weight *x = find(w, name);
    return x ? &x->t : NULL;
}

void sct_weights_ignore(struct sct_weights *w, const char *name)
{
    struct sct_weight *x = find(w, name);
    if (x)
        x->used = true;
}

sct_status sct_weights_leftovers(const struct sct_weights *w, sct_error *err)
{
    struct sct_str s = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++)
        if (!w->item[i]->used && n++ < 10)
            sct_str_add(&s, " %s", w->item[i]->t.name);
    sct_status rc = SCT_OK;
    if (n)
        rc = sct_fail(err, SCT_EFILE,
                      "%s: %u tensor(s) do not belong to this model:%s%s; is --model right?",
                      w->origin, n, s.s ? s.s : "", n > 10 ? " ..." : "");
    sct_str_free(&s);
    return rc;
}
