/* SPDX-License-Identifier: MIT
 * bad_apply.h - what the strategy of bad_apply.c can do wrong. */
#ifndef SCT_TEST_BAD_APPLY_H
#define SCT_TEST_BAD_APPLY_H

#include <stdint.h>

enum bad {
    BAD_NOTHING,
    BAD_FAIL,
    BAD_FAIL_SILENTLY,
    BAD_FUTURE_OP,
    BAD_OPEN_EDIT,
    BAD_TWO_EDITS,
    BAD_COMMIT_ALONE,
    BAD_CHANNELS,
    BAD_STALE_SITE,
    BAD_SAME_NAME,
    BAD_INIT,
    BAD_INDEX_ORDER,
    BAD_INDEX_RANGE,
    BAD_INDEX_EMPTY,
    BAD_TRAIN,
    BAD_SITE_ID,
    BAD_WATCH_KIND,
    BAD_WATCH_ID,
};

struct bad_state {
    uint32_t what; /* enum bad */
};

#endif
