/* SPDX-License-Identifier: MIT
 * fuzz_csv.c - CSV and TSV lists and class maps from arbitrary bytes.
 * The first byte chooses; properties are checked, not only the absence of crashes. */
#include <string.h>

#include "core/data/class_map.h"
#include "core/data/list_parse.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_csv(const char *text, size_t size, char sep, uint32_t splits, bool whole)
{
    struct sct_dataset ds = {.root = ".", .origin = "fuzz"};
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_csv_parse(&ds, text, size, sep, splits, whole, "fuzz", &err);
    fuzz_require(rc == SCT_OK || (rc == SCT_EDATA && err.msg[0]));
    if (rc == SCT_OK)
        fuzz_require(ds.count > 0 && ds.classes > 0);
    for (uint32_t i = 0; rc == SCT_OK && i < ds.count; i++)
        fuzz_require(ds.entries[i].path[0] && ds.entries[i].label < ds.classes);
    for (uint32_t i = 1; rc == SCT_OK && ds.class_names && i < ds.classes; i++)
        fuzz_require(strcmp(ds.class_names[i - 1], ds.class_names[i]) < 0);
    sct_dataset_fini(&ds);
}

static void fuzz_map(const char *text, size_t size)
{
    struct sct_class_map m;
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_class_map_parse(&m, text, size, "fuzz", &err);
    fuzz_require(rc == SCT_OK || (rc == SCT_EDATA && err.msg[0]));
    for (uint32_t i = 0; rc == SCT_OK && i < m.count; i++) {
        uint32_t index;
        fuzz_require(sct_class_map_find(&m, m.pair[i].name, &index));
        fuzz_require(index == m.pair[i].index && index < m.classes);
    }
    for (uint32_t i = 0; rc == SCT_OK && i < m.classes; i++)
        fuzz_require(m.names[i] != NULL);
    sct_class_map_fini(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    const uint32_t splits = data[0] / 4 % 8;
    if (data[0] % 4 == 3)
        fuzz_map(text, size - 1);
    else
        fuzz_csv(text, size - 1, data[0] % 4 == 1 ? '\t' : ',', splits, data[0] % 4 == 2);
    return 0;
}
