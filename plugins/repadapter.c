/* SPDX-License-Identifier: MIT
 * repadapter.c - RepAdapter (Luo et al. 2023, arXiv 2302.08106): a linear bottleneck in front
 * of a branch's first layer, x <- x + scale B(drop(A(x))), x what the norm gives. A goes from C
 * channels to r, B back, in `groups` groups: group g of its output sees group g of its input
 * alone. Both have biases, nothing is between them, so all of it folds into the layer behind it
 * (their 3.3): W' = W + scale W B A, b' = b + scale W (B a + b_B). luogen1996/RepAdapter,
 * repadapter.py: A Xavier-uniform, B and the biases zero, dropout 0.1, B in 2 groups. Forms:
 *   both  in front of qkv and fc1 ("repblock" there)
 *   attn  in front of qkv alone ("repattn") */
#include "plugins/bottleneck.h"

static const char *const sites_of[] = {"**.attn.in,**.mlp.in", "**.attn.in"};
#define FORMS "both|attn"

struct repadapter {
    uint32_t form, r, groups;
    float scale, dropout;
};

/* B; with one group an ordinary linear layer. */
static sct_val widen(const struct repadapter *a, const struct sct_strategy_host *h,
                     sct_model *m, struct sct_builder *b, sct_val y, const char *name,
                     uint32_t channels)
{
    char full[128];
    if (a->groups == 1)
        return bottleneck_linear(h, m, b, y, name, channels, a->r, "zeros", 1);
    const uint32_t dim[3] = {a->groups, channels / a->groups, a->r / a->groups};
    (void)snprintf(full, sizeof full, "%s.weight", name);
    const sct_val w = h->new_param(m, full, dim, 3, "zeros", NULL);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    return sct_linear_grouped(b, y, w, h->new_param(m, full, &channels, 1, "zeros", NULL));
}

static sct_status edit(const struct repadapter *a, const struct sct_strategy_host *h,
                       sct_model *m, const struct sct_site *site, sct_error *err)
{
    char name[96], full[112];
    if (site->channels % a->groups)
        return h->fail(err, SCT_EUSAGE,
                       "groups: expected a divisor of the %u channels of %s, "
                       "found %u",
                       site->channels, site->path, a->groups);
    bottleneck_name(name, sizeof name, "repadapter", site, bottleneck_stages(h, m),
                    site->role == SCT_ROLE_ATTN_IN ? "attn" : "mlp");
    struct sct_builder *b = h->edit_begin(m, site);
    (void)snprintf(full, sizeof full, "%s.down", name);
    sct_val y =
        bottleneck_linear(h, m, b, site->out, full, a->r, site->channels, "xavier_uniform", 1);
    if (a->dropout > 0.0f)
        y = sct_dropout(b, y, a->dropout, h->random_key(m, site, "repadapter.dropout"));
    (void)snprintf(full, sizeof full, "%s.up", name);
    y = widen(a, h, m, b, y, full, site->channels);
    if (a->scale != 1.0f)
        y = sct_scale(b, y, a->scale, 0.0f);
    return h->edit_commit(m, sct_add(b, site->out, y), err);
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct repadapter *a = st;
    const char *sites = sites_of[a->form];
    const size_t n = h->sites(m, sites, NULL, 0);
    if (n == 0)
        return h->fail(err, SCT_EUNSUP, "this model has no %s", sites);
    if (a->r % a->groups)
        return h->fail(err, SCT_EUSAGE, "groups: expected a divisor of r, %u, found %u", a->r,
                       a->groups);
    struct sct_site *site = h->alloc(n * sizeof *site);
    if (!site)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        (void)h->sites(m, sites, site, n); /* an edit moves values: ask again */
        rc = edit(a, h, m, &site[i], err);
    }
    h->free(site);
    return rc;
}

static const struct sct_option options[] = {
    {"form", "both = in front of qkv and fc1, attn = in front of qkv alone", SCT_OPT_CHOICE,
     offsetof(struct repadapter, form), 0, 0, 0, FORMS},
    {"r", "channels of the bottleneck", SCT_OPT_UINT, offsetof(struct repadapter, r), 8, 1,
     4096, NULL},
    {"groups", "groups of the layer that leads back; a divisor of r and of the channels",
     SCT_OPT_UINT, offsetof(struct repadapter, groups), 2, 1, 4096, NULL},
    {"scale", "factor of what is added", SCT_OPT_FLOAT, offsetof(struct repadapter, scale), 1,
     -1000, 1000, NULL},
    {"dropout", "rate in the bottleneck", SCT_OPT_FLOAT, offsetof(struct repadapter, dropout),
     0.1, 0, 0.99, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "repadapter",
        .summary = "RepAdapter: a linear bottleneck in front of qkv and fc1, which folds away",
        .options = options,
        .state_size = sizeof(struct repadapter),
        .apply = apply,
    };
    return &s;
}
