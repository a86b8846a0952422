/* SPDX-License-Identifier: MIT
 * base_shapes.c - all shapes of a file against the model that it seems to be. The model is
 * built with random weights, of which nothing is drawn; no tensor of the file is read. */
#include "core/pretrained/base_file.h"

#include <string.h>

#include "core/base/status.h"
#include "core/model/build.h"

static sct_status compare(struct sct_base_file *f, const struct sct_param *p, sct_error *err)
{
    char want[96], have[96];
    const struct sct_canon *c = sct_dialect_canon(f->map, p->name);
    if (!c)
        return sct_dialect_problem(f->map, err, "tensor %.200s is missing", p->name);
    struct sct_desc d = c->desc;
    if (f->guess->fold_class && strcmp(c->name, "pos_embed") == 0)
        d.dim[1]--; /* the first row becomes the class token's */
    if (sct_desc_same_dims(&d, &p->t->desc))
        return SCT_OK;
    return sct_dialect_problem(
        f->map, err,
        "tensor %.200s: expected %s, as in the model that the others make, found %s", p->name,
        sct_desc_text(&p->t->desc, want, sizeof want), sct_desc_text(&d, have, sizeof have));
}

static sct_status compare_all(struct sct_base_file *f, const struct sct_model *m,
                              sct_error *err)
{
    for (uint32_t i = 0; i < m->n_param; i++)
        if (!m->param[i]->added)
            SCT_TRY(compare(f, m->param[i], err));
    for (uint32_t i = 0; i < f->map->n_canon; i++) {
        const char *name = f->map->canon[i].name;
        if (!sct_name_is_head(name) && !sct_model_find(m, name))
            SCT_TRY(sct_dialect_problem(
                f->map, err, "tensor %.200s does not belong to the model that the others make",
                name));
    }
    return SCT_OK;
}

sct_status sct_base_file_shapes(struct sct_base_file *f, sct_error *err)
{
    const struct sct_build_opts opts = {1, 0, false};
    struct sct_model *m = NULL;
    sct_error why = SCT_ERROR_INIT;
    struct sct_weights *any = sct_weights_create("random", true, 0);
    if (!any)
        return sct_nomem(err);
    sct_status rc = sct_model_build(&m, &f->guess->cfg, any, &opts, &why);
    if (rc == SCT_OK)
        rc = compare_all(f, m, err);
    else
        rc =
            rc == SCT_ENOMEM ? sct_nomem(err) : sct_dialect_problem(f->map, err, "%s", why.msg);
    sct_model_destroy(&m);
    sct_weights_destroy(&any);
    return rc;
}
