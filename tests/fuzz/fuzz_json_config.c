/* SPDX-License-Identifier: MIT
 * fuzz_json_config.c - any bytes as the adapter_config.json of somebody else.
 * What is accepted must survive being written and parsed again. */
#include "tests/fuzz/fuzz.h"

#include "core/adapter/peft_modules.h"
#include "core/base/mem.h"
#include "core/checkpoint/adapter_folder.h"

#include <string.h>

/* Reals have 15 digits in our text, so the second generation must equal the third. */
static void check_text(const json_t *tree)
{
    sct_error err = SCT_ERROR_INIT;
    char *a, *b;
    size_t na, nb;
    json_t *back;
    fuzz_require(sct_json_text(tree, 0, &a, &na, &err) == SCT_OK);
    if (sct_json_parse(a, na, "again", SCT_EFILE, &back, &err) != SCT_OK) {
        /* 1.7976931348623157e308 rounds up to what JSON readers call an overflow. */
        fuzz_require(strstr(err.msg, "overflow") != NULL);
        sct_free(a);
        return;
    }
    fuzz_require(sct_json_text(back, 0, &b, &nb, &err) == SCT_OK);
    fuzz_require(na == nb && memcmp(a, b, na) == 0);
    json_decref(back);
    sct_free(a);
    sct_free(b);
}

/* Patterns are whatever the file says; an answer or a refusal. */
static void check_modules(const struct sct_peft_lora_read *lora)
{
    struct sct_peft_module m = {.name = "vit.encoder.layer.10.attention.attention.query"};
    sct_error err = SCT_ERROR_INIT, other = SCT_ERROR_INIT;
    int yes = 0;
    const sct_status read = sct_peft_modules_read(&m, lora, "fuzz", &err);
    fuzz_require(read == SCT_OK ? m.r >= 1 : read == SCT_EFILE || read == SCT_ENOMEM);
    const sct_status target = sct_peft_modules_target(lora, m.name, "fuzz", &yes, &other);
    fuzz_require(target == SCT_OK || target == SCT_EFILE || target == SCT_ENOMEM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_adapter_folder f = {.config_path = NULL};
    struct sct_peft_lora_read lora;
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc =
        sct_json_parse((const char *)data, size, "fuzz", SCT_EFILE, &f.config, &err);
    fuzz_require((rc == SCT_OK) == (f.config != NULL) && err.code == rc);
    fuzz_require(rc == SCT_OK || rc == SCT_EFILE || rc == SCT_ENOMEM);
    if (rc != SCT_OK)
        return 0;
    f.config_path = sct_strdup("fuzz");
    fuzz_require(f.config_path != NULL);
    const sct_status parsed = sct_peft_lora_parse(&lora, &f, &err);
    fuzz_require(parsed == SCT_OK || (parsed == SCT_EFILE && lora.r == 0));
    fuzz_require(parsed != SCT_OK || (lora.r >= 1 && lora.targets != NULL));
    if (parsed == SCT_OK)
        check_modules(&lora);
    check_text(f.config);
    sct_adapter_folder_close(&f);
    return 0;
}
