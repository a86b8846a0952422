/* SPDX-License-Identifier: MIT
 * sites.h - where a strategy may look at the graph and change it. */
#ifndef SCTRUN_SITES_H
#define SCTRUN_SITES_H

#include <sctrun/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sct_site_kind { SCT_SITE_VALUE, SCT_SITE_LINEAR };

enum sct_site_role {

#define SCT_SITE(ID, NAME, KIND) SCT_ROLE_##ID,
#include <sctrun/sites.def>
#undef SCT_SITE
    SCT_ROLE_COUNT
};

#define SCT_NO_BLOCK 0xffffffffu

/* A site of one model. Ids of sites and parameters are equal in the plain model that is
 * observed and in the fresh one that is changed. */
struct sct_site {
    uint32_t size, id;
    uint32_t kind, role;            /* enum sct_site_kind, enum sct_site_role */
    uint32_t stage, block;          /* SCT_NO_BLOCK outside blocks */
    uint32_t channels, in_channels; /* of out; of in (LINEAR) */
    uint32_t tokens, prefix_tokens; /* tokens include the prefix (class token) */
    uint32_t grid_h, grid_w;        /* patch grid; 0 where there is none */
    uint32_t qkv[4];                /* ATTN_QKV: q, k, v start at qkv[0..2], end at qkv[3] */
    sct_val in, out;                /* in: LINEAR only */
    uint32_t weight, bias;          /* parameter ids + 1, LINEAR only; 0 = none */
    const char *path;               /* full name; lives as long as the model */
};

#ifdef __cplusplus
}
#endif
#endif
