/* SPDX-License-Identifier: MIT
 * fuzz_data_json.c - FGVC lists and class maps in JSON from arbitrary bytes. */
#include <string.h>

#include "core/data/data_json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_dataset ds = {.root = ".", .origin = "fuzz"};
    struct sct_class_map m;
    sct_error err = SCT_ERROR_INIT;
    sct_status rc = sct_json_list_parse(&ds, (const char *)data, size, "fuzz", &err);
    fuzz_require(rc == SCT_OK || (rc == SCT_EDATA && err.msg[0]));
    for (uint32_t i = 0; rc == SCT_OK && i < ds.count; i++)
        fuzz_require(ds.entries[i].path[0] && ds.entries[i].label < ds.classes &&
                     ds.class_names[ds.entries[i].label]);
    sct_dataset_fini(&ds);
    err = (sct_error)SCT_ERROR_INIT;
    rc = sct_json_map_parse(&m, (const char *)data, size, "fuzz", &err);
    fuzz_require(rc == SCT_OK || (rc == SCT_EDATA && err.msg[0]));
    for (uint32_t i = 0; rc == SCT_OK && i < m.count; i++)
        fuzz_require(m.pair[i].index < m.classes);
    sct_class_map_fini(&m);
    return 0;
}
