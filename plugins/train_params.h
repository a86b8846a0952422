/* SPDX-License-Identifier: MIT
 * train_params.h - marks parameters of the base as trained. Included by the strategies that do
 * that; a strategy shares no code at run time. */
#ifndef SCT_PLUGINS_TRAIN_PARAMS_H
#define SCT_PLUGINS_TRAIN_PARAMS_H

#include <sctrun/strategy.h>

/* Trains every parameter that matches the pattern and that wanted(ctx, name) accepts (NULL:
 * all). *found: how many; 0 is no error here. */
static inline sct_status train_params(const struct sct_strategy_host *h, sct_model *m,
                                      const char *pattern,
                                      int (*wanted)(const void *ctx, const char *name),
                                      const void *ctx, size_t *found, sct_error *err)
{
    const size_t n = h->params(m, pattern, NULL, 0);
    *found = 0;
    if (n == 0)
        return SCT_OK;
    uint32_t *id = h->alloc(n * sizeof *id);
    if (!id)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    (void)h->params(m, pattern, id, n);
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        if (wanted && !wanted(ctx, h->param_name(m, id[i])))
            continue;
        ++*found;
        rc = h->train(m, id[i], NULL, err);
    }
    h->free(id);
    return rc;
}

#endif
