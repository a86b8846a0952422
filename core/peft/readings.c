/* SPDX-License-Identifier: MIT
 * readings.c - storage of what calibration measured. */
#include "core/peft/readings.h"

struct sct_readings *sct_readings_create(void)
{
    return sct_calloc(1, sizeof(struct sct_readings));
}

void sct_readings_destroy(struct sct_readings **r)
{
    if (!r || !*r)
        return;
    sct_arena_free(&(*r)->arena);
    sct_free((*r)->item);
    sct_free(*r);
    *r = NULL;
}

struct sct_reading *sct_readings_add(struct sct_readings *r, uint32_t what, uint32_t id,
                                     uint32_t rows, uint32_t cols, bool weights)
{
    if (sct_grow((void **)&r->item, &r->cap, (uint64_t)r->n + 1, sizeof *r->item, NULL) !=
        SCT_OK)
        return NULL;
    struct sct_reading x = {what, id, rows, cols, NULL, NULL};
    x.value = sct_arena_alloc(&r->arena, (size_t)rows * cols * sizeof *x.value);
    if (weights)
        x.row_weight = sct_arena_alloc(&r->arena, rows * sizeof *x.row_weight);
    if (!x.value || (weights && !x.row_weight))
        return NULL;
    r->item[r->n] = x;
    return &r->item[r->n++];
}
