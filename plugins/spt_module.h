/* SPDX-License-Identifier: MIT
 * spt_module.h - what spt_apply.c asks of spt_module.c. */
#ifndef SCT_PLUGIN_SPT_MODULE_H
#define SCT_PLUGIN_SPT_MODULE_H

#include "plugins/spt.h"

enum { SPT_PARTS = 3 }; /* q, k and v are the most that a linear layer has */

/* Adds the modules of n (1 to SPT_PARTS) tensors whose weight is that of the LINEAR site, all
 * in one edit: the site has to be asked for again afterwards. Errors as those of spt_apply. */
sct_status spt_modules_insert(const struct spt_options *o, const struct sct_strategy_host *h,
                              sct_model *m, const struct sct_site *site,
                              const struct spt_tensor *const *t, uint32_t n, sct_error *err);

#endif
