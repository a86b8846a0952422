/* SPDX-License-Identifier: MIT
 * sct_fold.c - form A in memory, form B on disk. A folder that says `form: fold` holds form B:
 * after it is read the modules are built in form B and saved as they are. */
#include <string.h>

#include "plugins/sct_tuning.h"

static int is_module(const char *name, const char *what)
{
    const size_t n = strlen(name), k = strlen(what);
    return n > k && strncmp(name, "sct.", 4) == 0 && strcmp(name + n - k, what) == 0;
}

/* The folded tensor in new memory, the caller's; NULL: out of memory. */
static float *fold(const struct sct_tuning *t, const struct sct_strategy_host *h,
                   const struct sct_desc *d, const float *x)
{
    const size_t rows = d->dim[0], cols = d->nd == 2 ? d->dim[1] : 1;
    float *y = h->alloc(rows * cols * sizeof *y);
    for (size_t i = 0; y && i < rows * cols; i++)
        y[i] = t->scaleonx ? x[i] : t->scale * x[i];
    for (size_t i = 0; y && t->scaleonx && d->nd == 2 && i < rows; i++)
        y[i * cols + i] += t->scale - 1.0f;
    return y;
}

sct_status sct_tuning_to_disk(const void *st, const struct sct_strategy_host *h,
                              const sct_adapter *from, sct_adapter *to, sct_error *err)
{
    const struct sct_tuning *t = st;
    const char *name;
    const int folds = t->form == SCT_FORM_FOLD && !t->folded && t->mode != SCT_MODE_QKV;
    for (size_t i = 0; (name = h->tensor_name(from, i)); i++) {
        struct sct_desc d;
        const void *data;
        float *y = NULL;
        SCT_TRY(h->get(from, name, &d, &data, err));
        if (folds && (is_module(name, ".weight") || is_module(name, ".bias"))) {
            y = fold(t, h, &d, data);
            if (!y)
                return h->fail(err, SCT_ENOMEM, "out of memory");
        }
        const sct_status rc = h->put(to, name, &d, y ? y : data, err);
        h->free(y);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

sct_status sct_tuning_from_disk(void *st, const struct sct_strategy_host *h,
                                const sct_adapter *from, sct_adapter *to, sct_error *err)
{
    struct sct_tuning *t = st;
    const char *name;
    t->folded = t->form == SCT_FORM_FOLD;
    for (size_t i = 0; (name = h->tensor_name(from, i)); i++) {
        struct sct_desc d;
        const void *data;
        SCT_TRY(h->get(from, name, &d, &data, err));
        SCT_TRY(h->put(to, name, &d, data, err));
    }
    return SCT_OK;
}
