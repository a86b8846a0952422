/* SPDX-License-Identifier: MIT
 * vtab.c - the table of VTAB-1k. */
#include "core/data/vtab.h"

#include <string.h>

static const char natural[] = "natural", special[] = "specialized", structured[] = "structured";

/* SCT calls cifar cifar100 and gives smallnorb_ele a head of 18; older NOAH scripts call the
 * pets oxford_pet. */
static const struct sct_vtab_task tasks[SCT_VTAB_TASKS] = {
    {"caltech101", NULL, natural, 102},
    {"cifar", "cifar100", natural, 100},
    {"dtd", NULL, natural, 47},
    {"oxford_flowers102", NULL, natural, 102},
    {"oxford_iiit_pet", "oxford_pet", natural, 37},
    {"sun397", NULL, natural, 397},
    {"svhn", NULL, natural, 10},
    {"diabetic_retinopathy", NULL, special, 5},
    {"eurosat", NULL, special, 10},
    {"patch_camelyon", NULL, special, 2},
    {"resisc45", NULL, special, 45},
    {"clevr_count", NULL, structured, 8},
    {"clevr_dist", NULL, structured, 6},
    {"dmlab", NULL, structured, 6},
    {"dsprites_loc", NULL, structured, 16},
    {"dsprites_ori", NULL, structured, 16},
    {"kitti", NULL, structured, 4},
    {"smallnorb_azi", NULL, structured, 18},
    {"smallnorb_ele", NULL, structured, 9},
};

static int is(const char *word, const char *name, size_t n)
{
    return word && strlen(word) == n && memcmp(word, name, n) == 0;
}

const struct sct_vtab_task *sct_vtab_at(uint32_t i)
{
    return &tasks[i];
}

const struct sct_vtab_task *sct_vtab_find(const char *name, size_t n)
{
    for (uint32_t i = 0; i < SCT_VTAB_TASKS; i++)
        if (is(tasks[i].name, name, n) || is(tasks[i].alias, name, n))
            return &tasks[i];
    return NULL;
}
