/* SPDX-License-Identifier: MIT
 * lists.c - that what is reported was not chosen on. */
#include <string.h>

#include "core/ablate/grid.h"
#include "core/base/status.h"
#include "core/data/layout.h"

/* The file (and the rows of it) that a protocol tests on. *file: sct_free; NULL: there is none.
 */
static sct_status test_place(const struct sct_settings *s, bool tune, char **file,
                             uint32_t *splits, sct_error *err)
{
    const struct sct_layout_ask ask = {.data = s->data,
                                       .layout = (enum sct_layout)s->layout,
                                       .tune = tune,
                                       .shots = s->shots,
                                       .seed = s->shot_seed,
                                       .list = {s->train_list, s->test_list},
                                       .image_root = s->image_root};
    struct sct_layout_found f;
    *file = NULL;
    SCT_TRY(sct_layout_find(&f, &ask, err));
    sct_status rc = SCT_OK;
    *splits = f.place[1].splits;
    if (f.missing[1] == SCT_OK && !(*file = sct_strdup(f.place[1].file)))
        rc = sct_nomem(err);
    sct_layout_fini(&f);
    return rc;
}

sct_status sct_grid_check_lists(const struct sct_settings *s, sct_error *err)
{
    char *val = NULL, *test = NULL;
    uint32_t a = 0, b = 0;
    if (!s->data || strncmp(s->data, "task:", 5) == 0)
        return SCT_OK; /* a task always has both */
    sct_status rc = test_place(s, true, &val, &a, err);
    if (rc == SCT_OK)
        rc = test_place(s, false, &test, &b, err);
    if (rc == SCT_OK && val && test && strcmp(val, test) == 0 && a == b)
        rc = sct_fail(err, SCT_EDATA,
                      "%s would be searched on and reported on; a search needs a test list "
                      "beside the validation list",
                      val);
    sct_free(val);
    sct_free(test);
    return rc;
}
