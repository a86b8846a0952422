/* SPDX-License-Identifier: MIT
 * fuzz_model_config.c - any bytes as the model of an adapter_config.json ("config" of its base)
 * and as a file of configs/models. What is accepted must be in range, have a text for every
 * key, and survive being written into an adapter and read again. */
#include "tests/fuzz/fuzz.h"

#include "core/base/mem.h"
#include "core/pretrained/model_io.h"

#include <string.h>

static sct_status read_model(const char *text, size_t n, struct sct_model_config *c,
                             sct_error *err)
{
    json_t *tree = NULL;
    sct_status rc = sct_json_parse(text, n, "fuzz", SCT_EFILE, &tree, err);
    fuzz_require((rc == SCT_OK) == (tree != NULL));
    const struct sct_json_at at = {tree, "fuzz", "sctrun.base.config", SCT_EFILE};
    if (rc == SCT_OK)
        rc = sct_model_json_read(c, &at, err);
    json_decref(tree);
    return rc;
}

static void check_ranges(const struct sct_model_config *c)
{
    char text[256];
    fuzz_require(c->arch < SCT_ARCH_COUNT);
    for (const struct sct_model_key *k = NULL; (k = sct_model_key_next(k, c->arch));) {
        const uint32_t *u = (const void *)((const char *)c + k->offset);
        fuzz_require(strlen(sct_model_key_text(k, c, text, sizeof text)) < sizeof text);
        if (k->flags & SCT_KEY_UNSAVED)
            continue;
        for (uint32_t i = 0; k->type == SCT_KEY_U32 && i < k->count; i++)
            fuzz_require(u[i] >= k->min && u[i] <= k->max);
        fuzz_require(k->type != SCT_KEY_BOOL || *u <= 1);
        fuzz_require(k->type != SCT_KEY_TEXT || memchr(u, 0, k->count));
        for (uint32_t i = 0; k->type == SCT_KEY_WORD && i <= *u; i++)
            fuzz_require(k->words[i] != NULL);
    }
}

/* The text of c, owned by the caller. */
static char *written(const struct sct_model_config *c, size_t *n)
{
    char *text = NULL;
    json_t *tree = sct_model_json(c);
    fuzz_require(tree && sct_json_text(tree, 0, &text, n, NULL) == SCT_OK);
    json_decref(tree);
    return text;
}

static void there_and_back(const struct sct_model_config *c)
{
    struct sct_model_config again;
    sct_error err = SCT_ERROR_INIT;
    size_t n, m;
    char *a = written(c, &n);
    memset(&again, 0, sizeof again);
    fuzz_require(read_model(a, n, &again, &err) == SCT_OK);
    char *b = written(&again, &m);
    fuzz_require(n == m && memcmp(a, b, n) == 0);
    sct_free(a);
    sct_free(b);
}

/* mlp follows from mlp_ratio there, and only building says that it is out of range. */
static void as_yaml(const char *text, size_t n)
{
    struct sct_model_config c;
    struct sct_cfg *cfg = NULL;
    const char *weights = NULL;
    sct_error err = SCT_ERROR_INIT;
    memset(&c, 0, sizeof c);
    sct_status rc = sct_cfg_parse(&cfg, text, n, "fuzz", &err);
    if (rc == SCT_OK)
        rc = sct_model_yaml_read(&c, sct_cfg_root(cfg), &weights, &err);
    fuzz_require(err.code == rc && (rc == SCT_OK || rc == SCT_EUSAGE || rc == SCT_ENOMEM));
    fuzz_require(rc != SCT_EUSAGE || strncmp(err.msg, "fuzz", 4) == 0);
    if (rc == SCT_OK && (c.arch != SCT_ARCH_VIT || (c.mlp >= 1 && c.mlp <= 65536))) {
        check_ranges(&c);
        there_and_back(&c);
    }
    sct_cfg_destroy(&cfg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_model_config c;
    sct_error err = SCT_ERROR_INIT;
    memset(&c, 0, sizeof c);
    const sct_status rc = read_model((const char *)data, size, &c, &err);
    fuzz_require(err.code == rc && (rc == SCT_OK || rc == SCT_EFILE || rc == SCT_ENOMEM));
    fuzz_require(rc != SCT_EFILE || strncmp(err.msg, "fuzz", 4) == 0);
    if (rc == SCT_OK) {
        check_ranges(&c);
        there_and_back(&c);
    }
    as_yaml((const char *)data, size);
    return 0;
}
