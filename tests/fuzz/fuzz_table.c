/* SPDX-License-Identifier: MIT
 * fuzz_table.c - any bytes as a file of a strategy: JSON, or plain values in PyTorch's
 * container. What is accepted must be a table that opens up again as it was. */
#include "tests/fuzz/fuzz.h"

#include "core/checkpoint/torch_values.h"
#include "core/peft/table.h"

#include <string.h>

/* Names that hold slashes may lead to one place twice: then the way back is an error. */
static void there_and_back(const struct sct_adapter *t)
{
    json_t *tree = NULL;
    struct sct_adapter *again = NULL;
    sct_error err = SCT_ERROR_INIT;
    if (sct_table_to_json(t, &tree, &err) != SCT_OK) {
        fuzz_require(err.code == SCT_EINVAL && tree == NULL);
        return;
    }
    fuzz_require(sct_table_from_json(tree, "again", &again, &err) == SCT_OK ||
                 err.code == SCT_EFILE);
    sct_adapter_destroy(&again);
    json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *tree = NULL;
    struct sct_adapter *t = NULL;
    sct_error err = SCT_ERROR_INIT;
    const int zip = size >= 4 && memcmp(data, "PK\3\4", 4) == 0;
    sct_status rc =
        zip ? sct_torch_values_parse(data, size, "fuzz", &tree, &err)
            : sct_json_parse((const char *)data, size, "fuzz", SCT_EFILE, &tree, &err);
    fuzz_require((rc == SCT_OK) == (tree != NULL) && err.code == rc);
    fuzz_require(rc == SCT_OK || rc == SCT_EFILE || rc == SCT_ENOMEM);
    fuzz_require(rc != SCT_EFILE || strncmp(err.msg, "fuzz", 4) == 0);
    if (rc != SCT_OK)
        return 0;
    rc = sct_table_from_json(tree, "fuzz", &t, &err);
    fuzz_require((rc == SCT_OK) == (t != NULL) && (rc == SCT_OK || rc == SCT_EFILE));
    if (t)
        there_and_back(t);
    sct_adapter_destroy(&t);
    json_decref(tree);
    return 0;
}
