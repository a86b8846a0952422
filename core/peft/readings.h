/* SPDX-License-Identifier: MIT
 * readings.h - what calibration measured, as strategies read it. */
#ifndef SCT_PEFT_READINGS_H
#define SCT_PEFT_READINGS_H

#include "core/ir/model.h"

struct sct_reading {
    uint32_t what, id, rows, cols;
    float *value;      /* [rows][cols] */
    float *row_weight; /* [rows] images seen, or NULL */
};

struct sct_readings {
    struct sct_arena arena;
    struct sct_reading *item;
    uint32_t n, cap;
};

struct sct_readings *sct_readings_create(void);
void sct_readings_destroy(struct sct_readings **r);
/* Room for one more; value and row_weight are zeroed. NULL when memory is short. */
struct sct_reading *sct_readings_add(struct sct_readings *r, uint32_t what, uint32_t id,
                                     uint32_t rows, uint32_t cols, bool weights);

#endif
