/* SPDX-License-Identifier: MIT
 * spt_module.c - the structured modules of one linear layer h = W x + b (ziplab/SPT
 * model/vision_transformer_timm.py:236-554). DP is a drop path that each module has for itself:
 *   lora       y = h + DP(B A drop(x)), no biases, scale 1; q, k and v share one drop(x)
 *   adapter    y = h + DP(U gelu(D drop(h))), in the width of h, with biases unless vectors are
 * off attn.proj  pair or bottleneck read x, which is not dropped q, k and v of a fused qkv are
 * ranges of h with modules of their own. */
#include "plugins/spt_module.h"

#include <stdio.h>
#include <string.h>

/* A module under construction. */
struct module {
    const struct spt_options *o;
    const struct sct_strategy_host *h;
    sct_model *m;
    struct sct_builder *b;
    const struct sct_site *site;
    const struct spt_tensor *t;
};

/* of: the part of a qkv that the numbers are for; SPT_WHOLE: all of the layer */
static uint64_t key(const struct module *k, const char *what, uint32_t of)
{
    static const char *const part[] = {".q", ".k", ".v", ""};
    char role[32];
    (void)snprintf(role, sizeof role, "spt.%s%s", what, part[of]);
    return k->h->random_key(k->m, k->site, role);
}

/* Whether the module stands beside the layer and reads its input, not behind it. */
static int is_parallel(const struct module *k)
{
    return k->o->type == SPT_LORA || k->site->role == SCT_ROLE_ATTN_PROJ;
}

/* x W^T, and where modules have it + bias, which has no decay in the released code. */
static sct_val half(const struct module *k, sct_val x, const char *name, uint32_t out,
                    uint32_t in, const char *init)
{
    static const struct sct_group no_decay = {sizeof no_decay, 1.0f, 0.0f};
    const uint32_t dim[2] = {out, in};
    const char *const t = k->t->name, *const end = strstr(t, ".weight");
    const int stem = end ? (int)(end - t) : (int)strlen(t);
    char full[SPT_NAME + 24];
    (void)snprintf(full, sizeof full, "spt.%.*s.%s.weight", stem, t, name);
    const sct_val w = k->h->new_param(k->m, full, dim, 2, init, NULL);
    sct_val bias = sct_none();
    if (spt_has_bias(k->o)) {
        (void)snprintf(full, sizeof full, "spt.%.*s.%s.bias", stem, t, name);
        bias = k->h->new_param(k->m, full, dim, 1, "zeros", &no_decay);
    }
    return sct_linear(k->b, x, w, bias);
}

/* Down to r channels and up again. trunc_normal for both halves is how the released code
 * starts: it initialises the whole model after it has put the modules in. */
static sct_val build(const struct module *k, sct_val x)
{
    const struct spt_options *o = k->o;
    const int adapter = o->type == SPT_ADAPTER, zero = o->init == SPT_INIT_ZERO;
    const uint32_t in = is_parallel(k) ? k->site->in_channels : k->t->rows;
    const char *normal = "trunc_normal(0.02)";
    sct_val y = half(k, x, adapter ? "down" : "lora_A", o->rank, in,
                     zero ? "kaiming_uniform(2.2360679775)" : normal);
    if (adapter)
        y = sct_gelu(k->b, y, SCT_GELU_ERF);
    y = half(k, y, adapter ? "up" : "lora_B", k->t->rows, o->rank, zero ? "zeros" : normal);
    if (o->drop_path > 0.0f)
        y = sct_droppath(k->b, y, o->drop_path, key(k, "droppath", k->t->part));
    return y;
}

/* What a module behind the layer reads: its range of h, dropped. */
static sct_val behind(const struct module *k)
{
    const struct sct_site *s = k->site;
    sct_val h = s->out;
    if (k->t->rows < s->channels)
        h = sct_slice_ch(k->b, h, k->t->first_row, k->t->rows);
    return k->o->dropout > 0.0f
               ? sct_dropout(k->b, h, k->o->dropout, key(k, "dropout", k->t->part))
               : h;
}

sct_status spt_modules_insert(const struct spt_options *o, const struct sct_strategy_host *h,
                              sct_model *m, const struct sct_site *site,
                              const struct spt_tensor *const *t, uint32_t n, sct_error *err)
{
    struct module k = {.o = o, .h = h, .m = m, .site = site};
    k.b = h->edit_begin(m, site);
    sct_val x = site->in, y = site->out;
    if (o->type == SPT_LORA && o->dropout > 0.0f && site->role != SCT_ROLE_ATTN_PROJ)
        x = sct_dropout(k.b, x, o->dropout, key(&k, "dropout", SPT_WHOLE));
    for (uint32_t i = 0; i < n; i++) {
        k.t = t[i];
        y = sct_add_ch(k.b, y, build(&k, is_parallel(&k) ? x : behind(&k)), k.t->first_row);
    }
    return h->edit_commit(m, y, err);
}
