/* SPDX-License-Identifier: MIT
 * fuzz_reading.c - any bytes as a kept reading, with row weights and without.
 * What is accepted for its key is refused for another one. */
#include "tests/fuzz/fuzz.h"

#include "core/tune/readings_cache.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int weighted = 0; weighted < 2; weighted++) {
        float value[6] = {0}, weight[2] = {0};
        struct sct_reading r = {0, 0, 2, 3, value, weighted ? weight : NULL};
        sct_error err = SCT_ERROR_INIT;
        const sct_status rc = sct_reading_parse(data, size, "fuzz", "key: 1\n", &r, &err);
        fuzz_require(err.code == rc && (rc == SCT_OK || rc == SCT_EFILE || rc == SCT_ENOMEM));
        fuzz_require((rc == SCT_OK) == (err.msg[0] == 0));
        fuzz_require(r.rows == 2 && r.cols == 3 && r.value == value);
        if (rc == SCT_OK)
            fuzz_require(sct_reading_parse(data, size, "fuzz", "key: 2\n", &r, NULL) ==
                         SCT_EFILE);
    }
    return 0;
}
