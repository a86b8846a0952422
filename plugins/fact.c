/* SPDX-License-Identifier: MIT
 * fact.c - FacT (Jie and Deng 2023, arXiv 2212.03145): the updates of all layers as one tensor
 * of low rank. U [r][C] and V [C][r] are shared by all layers; every C x C part of a weight has
 * a core S [r][r] of its own, W += scale * V S U. q, k, v and proj are one part each, fc1 and
 * fc2 as many as the MLP is wider than the stream (4): parts of fc1's rows, of fc2's columns.
 *
 * tt: the cores are parameters.
 * tk: core k is sum_c P[k][c] G[..][..][c], with G [r][r][r] (V's side, U's side, c) and P, one
 *     row a part, shared by all layers: in every block q, k, v, proj, then fc1's and fc2's.
 * The released code of tk (PETL-ViT, FacT/fact_tk.py) reshapes the four cores of fc1 and of
 * fc2, G[..][..][4], to [r][4 r], so that element q of part p is j = (p r + q) / 4 of core (p r
 * + q) mod 4; and it applies those of fc2 transposed to the others. Here part m has core m, as
 * in the paper: the parameters are the same in number, shape and start, so nothing is won by
 * the mix. */
#include <math.h>
#include <stdio.h>

#include <sctrun/strategy.h>

enum { TT, TK };

struct fact {
    uint32_t form, rank;
    float scale, dropout;
};

/* Of one application. */
struct work {
    const struct fact *f;
    const struct sct_strategy_host *h;
    sct_model *m;
    uint32_t width, parts, blocks; /* C; of fc1 and of fc2; blocks of the model */
    sct_val u, v, core, p;
};

enum { ATTENTION_PARTS = 4 }; /* q, k, v, proj */

static uint32_t cores_of_block(const struct work *w)
{
    return ATTENTION_PARTS + 2 * w->parts;
}

/* ---- cores ---- */

/* Cores first .. first + n - 1 of the block, one below the other: [n r][r]. */
static sct_val tucker(const struct work *w, struct sct_builder *b, uint32_t block,
                      uint32_t first, uint32_t n)
{
    const uint32_t r = w->f->rank, all = cores_of_block(w), flat_p[1] = {w->blocks * all * r},
                   mine[2] = {n, r}, flat_core[2] = {r * r, r}, out[2] = {n * r, r};
    const sct_val p =
        sct_slice_ch(b, sct_reshape(b, w->p, 1, flat_p), (block * all + first) * r, n * r);
    const sct_val s = sct_linear(b, sct_reshape(b, p, 2, mine),
                                 sct_reshape(b, w->core, 2, flat_core), sct_none());
    return sct_reshape(b, s, 2, out);
}

static sct_val train_core(const struct work *w, uint32_t block, const char *name, uint32_t out,
                          uint32_t in)
{
    char full[64];
    const uint32_t r = w->f->rank, dim[2] = {out * r, in * r};
    (void)snprintf(full, sizeof full, "fact.blocks.%u.%s.weight", block, name);
    /* torch's default of a linear layer */
    return w->h->new_param(w->m, full, dim, 2, "kaiming_uniform(2.2360679775)", NULL);
}

/* Core number k of the block, a part of the attention: [r][r]. */
static sct_val core(const struct work *w, struct sct_builder *b, uint32_t block,
                    const char *name, uint32_t k)
{
    return w->f->form == TT ? train_core(w, block, name, 1, 1) : tucker(w, b, block, k, 1);
}

/* ---- the update of a layer ---- */

static sct_val drop(const struct work *w, struct sct_builder *b, sct_val x,
                    const struct sct_site *site, const char *name)
{
    char role[32];
    if (!(w->f->dropout > 0.0f))
        return x;
    (void)snprintf(role, sizeof role, "fact.%s.dropout", name);
    return sct_dropout(b, x, w->f->dropout, w->h->random_key(w->m, site, role));
}

/* V S u behind dropout, u [B][N][r]. */
static sct_val update(const struct work *w, struct sct_builder *b, const struct sct_site *site,
                      const char *name, sct_val u, sct_val s)
{
    const sct_val t = drop(w, b, sct_linear(b, u, s, sct_none()), site, name);
    return sct_scale(b, sct_linear(b, t, w->v, sct_none()), w->f->scale, 0.0f);
}

static sct_val edit_qkv(const struct work *w, struct sct_builder *b,
                        const struct sct_site *site)
{
    static const char *const name[3] = {"q", "k", "v"};
    const sct_val u = sct_linear(b, site->in, w->u, sct_none());
    sct_val y = site->out;
    for (uint32_t i = 0; i < 3; i++)
        y = sct_add_ch(b, y,
                       update(w, b, site, name[i], u, core(w, b, site->block, name[i], i)),
                       site->qkv[i]);
    return y;
}

static sct_val edit_proj(const struct work *w, struct sct_builder *b,
                         const struct sct_site *site)
{
    const sct_val u = sct_linear(b, site->in, w->u, sct_none());
    return sct_add(b, site->out,
                   update(w, b, site, "proj", u, core(w, b, site->block, "proj", 3)));
}

/* Row part m of the weight: V S_m u. */
static sct_val edit_fc1(const struct work *w, struct sct_builder *b,
                        const struct sct_site *site)
{
    const uint32_t split[4] = {0, 0, w->parts, w->f->rank},
                   flat[3] = {0, 0, w->parts * w->width};
    const sct_val s = w->f->form == TT ? train_core(w, site->block, "fc1", w->parts, 1)
                                       : tucker(w, b, site->block, ATTENTION_PARTS, w->parts);
    const sct_val u = sct_linear(b, site->in, w->u, sct_none());
    sct_val t = drop(w, b, sct_linear(b, u, s, sct_none()), site, "fc1");
    t = sct_linear(b, sct_reshape(b, t, 4, split), w->v, sct_none());
    t = sct_scale(b, sct_reshape(b, t, 3, flat), w->f->scale, 0.0f);
    return sct_add(b, site->out, t);
}

/* Column part m of the weight: V sum_m S_m u_m, u_m = U x_m of part m of the input. */
static sct_val edit_fc2(const struct work *w, struct sct_builder *b,
                        const struct sct_site *site)
{
    const uint32_t r = w->f->rank, split[4] = {0, 0, w->parts, w->width},
                   flat[3] = {0, 0, w->parts * r};
    sct_val u = sct_linear(b, sct_reshape(b, site->in, 4, split), w->u, sct_none());
    u = sct_reshape(b, u, 3, flat);
    sct_val t = sct_none();
    if (w->f->form == TT)
        t = sct_linear(b, u, train_core(w, site->block, "fc2", 1, w->parts), sct_none());
    for (uint32_t m = 0; w->f->form == TK && m < w->parts; m++) {
        const sct_val s = tucker(w, b, site->block, ATTENTION_PARTS + w->parts + m, 1);
        const sct_val part = sct_linear(b, sct_slice_ch(b, u, m * r, r), s, sct_none());
        t = m ? sct_add(b, t, part) : part;
    }
    t = sct_linear(b, drop(w, b, t, site, "fc2"), w->v, sct_none());
    return sct_add(b, site->out, sct_scale(b, t, w->f->scale, 0.0f));
}

/* ---- the model ---- */

/* Width, parts and number of blocks. */
static sct_status measure(struct work *w, sct_error *err)
{
    struct sct_site fc1;
    if (w->h->sites(w->m, "stage[1:].block[*].out", NULL, 0) > 0)
        return w->h->fail(
            err, SCT_EUNSUP,
            "U and V are shared by all layers, and the stages of a Swin differ in "
            "width; expected a ViT");
    w->blocks = (uint32_t)w->h->sites(w->m, "**.mlp.fc1", &fc1, 1);
    if (w->blocks == 0)
        return w->h->fail(err, SCT_EUNSUP, "this model has no **.mlp.fc1");
    w->width = fc1.in_channels;
    w->parts = fc1.channels / w->width;
    if (w->parts == 0 || fc1.channels % w->width)
        return w->h->fail(err, SCT_EUNSUP,
                          "%s is %u wide; expected a multiple of the stream's %u channels",
                          fc1.path, fc1.channels, w->width);
    return SCT_OK;
}

static void shared(struct work *w)
{
    const uint32_t r = w->f->rank, C = w->width, rows = w->blocks * cores_of_block(w);
    const uint32_t du[2] = {r, C}, dv[2] = {C, r}, dg[3] = {r, r, r}, dp[2] = {rows, r};
    char init[64];
    w->u = w->h->new_param(w->m, "fact.u.weight", du, 2, "kaiming_uniform(2.2360679775)", NULL);
    w->v = w->h->new_param(w->m, "fact.v.weight", dv, 2, "zeros", NULL);
    if (w->f->form == TT)
        return;
    /* xavier_uniform_: sqrt(6 / (fan_in + fan_out)) of [r][r][r] and of [r][rows] */
    double bound = sqrt(3.0) / (double)r;
    (void)snprintf(init, sizeof init, "uniform(%.9g, %.9g)", -bound, bound);
    w->core = w->h->new_param(w->m, "fact.core", dg, 3, init, NULL);
    bound = sqrt(6.0 / ((double)rows + (double)r));
    (void)snprintf(init, sizeof init, "uniform(%.9g, %.9g)", -bound, bound);
    w->p = w->h->new_param(w->m, "fact.p", dp, 2, init, NULL);
}

static sct_status edit_all(const struct work *w, const char *pattern,
                           sct_val (*edit)(const struct work *, struct sct_builder *,
                                           const struct sct_site *),
                           sct_error *err)
{
    const size_t n = w->h->sites(w->m, pattern, NULL, 0);
    struct sct_site *site = w->h->alloc(n * sizeof *site);
    if (!site)
        return w->h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        (void)w->h->sites(w->m, pattern, site, n); /* an edit moves values: ask again */
        struct sct_builder *b = w->h->edit_begin(w->m, &site[i]);
        rc = w->h->edit_commit(w->m, edit(w, b, &site[i]), err);
    }
    w->h->free(site);
    return rc;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    struct work w = {.f = st, .h = h, .m = m};
    SCT_TRY(measure(&w, err));
    shared(&w);
    SCT_TRY(edit_all(&w, "**.attn.qkv", edit_qkv, err));
    SCT_TRY(edit_all(&w, "**.attn.proj", edit_proj, err));
    SCT_TRY(edit_all(&w, "**.mlp.fc1", edit_fc1, err));
    return edit_all(&w, "**.mlp.fc2", edit_fc2, err);
}

static const struct sct_option options[] = {
    {"form", "tt: a core a part; tk: cores of one shared core tensor", SCT_OPT_CHOICE,
     offsetof(struct fact, form), 0, 0, 0, "tt|tk"},
    {"rank", "rows of U, columns of V", SCT_OPT_UINT, offsetof(struct fact, rank), 16, 1, 1024,
     NULL},
    {"scale", "factor of the updates", SCT_OPT_FLOAT, offsetof(struct fact, scale), 1, -1e6,
     1e6, NULL},
    {"dropout", "dropout rate between core and V", SCT_OPT_FLOAT,
     offsetof(struct fact, dropout), 0.1, 0, 0.99, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "fact",
        .summary = "the updates of all layers as one tensor of low rank",
        .options = options,
        .state_size = sizeof(struct fact),
        .apply = apply,
    };
    return &s;
}
