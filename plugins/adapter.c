/* SPDX-License-Identifier: MIT
 * adapter.c - adapters: a branch's output y becomes y + scale U(drop(act(D(y)))), before the
 * residual is added. Forms:
 *   pfeiffer  after the MLP; GELU, starts as the identity (Pfeiffer et al., arXiv 2005.00247)
 *   houlsby   after the attention, too (Houlsby et al. 2019, arXiv 1902.00751)
 *   noah      "Adapter-8" of ZhangYuanhan-AI/NOAH: after the MLP; QuickGELU, dropout 0.1, no
 *             start at the identity, since the model is initialised once more afterwards */
#include "plugins/bottleneck.h"

struct form {
    const char *sites;
    uint32_t act, init;
    float dropout;
};

static const struct form forms[] = {
    {"**.mlp.out", ACT_GELU, INIT_ZERO, 0.0f},
    {"**.attn.out,**.mlp.out", ACT_GELU, INIT_ZERO, 0.0f},
    {"**.mlp.out", ACT_QUICK_GELU, INIT_TRUNC_NORMAL, 0.1f},
};
#define FORMS "pfeiffer|houlsby|noah"

struct adapter {
    uint32_t form, r, init, last;
    float scale, dropout;
};

static sct_status edit(const struct adapter *a, const struct sct_strategy_host *h, sct_model *m,
                       const struct sct_site *site, sct_error *err)
{
    const struct form *f = &forms[a->form];
    const struct bottleneck k = {.r = a->r,
                                 .act = f->act,
                                 .init = a->init == INIT_FORM ? f->init : a->init,
                                 .biases = 1,
                                 .dropout = a->dropout < 0.0f ? f->dropout : a->dropout,
                                 .scale = a->scale};
    char name[96];
    bottleneck_name(name, sizeof name, "adapter", site, bottleneck_stages(h, m),
                    site->role == SCT_ROLE_ATTN_OUT ? "attn" : "mlp");
    struct sct_builder *b = h->edit_begin(m, site);
    const sct_val y = bottleneck_build(&k, h, m, b, site, site->out, name);
    return h->edit_commit(m, sct_add(b, site->out, y), err);
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct adapter *a = st;
    const char *sites = forms[a->form].sites;
    const size_t n = h->sites(m, sites, NULL, 0);
    if (n == 0)
        return h->fail(err, SCT_EUNSUP, "this model has no %s", sites);
    size_t skip;
    SCT_TRY(bottleneck_skip(h, m, a->last, n, &skip, err));
    struct sct_site *site = h->alloc(n * sizeof *site);
    if (!site)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc = SCT_OK;
    for (size_t i = skip; i < n && rc == SCT_OK; i++) {
        (void)h->sites(m, sites, site, n); /* an edit moves values: ask again */
        rc = edit(a, h, m, &site[i], err);
    }
    h->free(site);
    return rc;
}

static const struct sct_option options[] = {
    {"form",
     "pfeiffer = after the MLP, houlsby = after attention and MLP, noah = as NOAH has it",
     SCT_OPT_CHOICE, offsetof(struct adapter, form), 0, 0, 0, FORMS},
    {"r", "channels of the bottleneck", SCT_OPT_UINT, offsetof(struct adapter, r), 8, 1, 4096,
     NULL},
    {"scale", "factor of the adapter's output", SCT_OPT_FLOAT, offsetof(struct adapter, scale),
     1, -1000, 1000, NULL},
    {"dropout", "rate in the bottleneck; -1: the form's own (noah 0.1, others 0)",
     SCT_OPT_FLOAT, offsetof(struct adapter, dropout), -1, -1, 0.99, NULL},
    {"init", "how it starts: zero = as the plain model, form = noah trunc_normal, others zero",
     SCT_OPT_CHOICE, offsetof(struct adapter, init), 0, 0, 0, BOTTLENECK_INITS},
    {"last", "only in the last so many blocks (11 in SCT's Swin-B baselines); 0: all",
     SCT_OPT_UINT, offsetof(struct adapter, last), 0, 0, 4096, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "adapter",
        .summary = "adapters: a bottleneck after the MLP, or after attention and MLP",
        .options = options,
        .state_size = sizeof(struct adapter),
        .apply = apply,
    };
    return &s;
}
