/* SPDX-License-Identifier: MIT
 * fuzz_preprocess.c - any bytes as a preset of preprocessing (YAML) and as what an adapter
 * keeps (JSON). What is accepted must be steps that can be done, have a text, and survive being
 * written and read again; what a preset is refused for changes nothing. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/data/preprocess_io.h"
#include "core/io/file.h"

static sct_status read_json(const char *text, size_t n, struct sct_preprocess *p,
                            sct_error *err)
{
    json_t *tree = NULL;
    sct_status rc = sct_json_parse(text, n, "fuzz", SCT_EFILE, &tree, err);
    fuzz_require((rc == SCT_OK) == (tree != NULL));
    const struct sct_json_at at = {tree, "fuzz", "sctrun", SCT_EFILE};
    if (rc == SCT_OK)
        rc = sct_preprocess_from_json(p, &at, err);
    json_decref(tree);
    return rc;
}

/* The text of p as an adapter has it, owned by the caller. */
static char *written(const struct sct_preprocess *p, size_t *n)
{
    char *text = NULL;
    json_t *tree = json_pack("{s:o}", "preprocess", sct_preprocess_to_json(p));
    fuzz_require(tree && sct_json_text(tree, 0, &text, n, NULL) == SCT_OK);
    json_decref(tree);
    return text;
}

/* The same steps, table of pixels and hash. */
static void check_same(const struct sct_preprocess *a, const struct sct_preprocess *b)
{
    static float table[2][3][256];
    fuzz_require(a->eval.n == b->eval.n && sct_steps_same(&a->eval, &b->eval, a->eval.n));
    fuzz_require(a->train.n == b->train.n && sct_steps_same(&a->train, &b->train, a->train.n));
    sct_preprocess_table(a, table[0]);
    sct_preprocess_table(b, table[1]);
    fuzz_require(memcmp(table[0], table[1], sizeof table[0]) == 0);
    fuzz_require(sct_preprocess_hash(a) == sct_preprocess_hash(b));
}

static void check_accepted(const struct sct_preprocess *p)
{
    struct sct_preprocess again;
    sct_error err = SCT_ERROR_INIT;
    char words[512];
    size_t n, m;
    uint32_t side = 0;
    fuzz_require(sct_preprocess_check(p, &err) == SCT_OK);
    sct_steps_text(&p->train, words, sizeof words);
    fuzz_require(strlen(words) < sizeof words);
    fuzz_require(sct_preprocess_fixed(p, &p->train, &side) <= p->train.n);
    memset(&again, 0, sizeof again);
    char *a = written(p, &n);
    fuzz_require(read_json(a, n, &again, &err) == SCT_OK);
    check_same(p, &again);
    char *b = written(&again, &m);
    fuzz_require(n == m && memcmp(a, b, n) == 0);
    sct_free(a);
    sct_free(b);
}

static void as_preset(const uint8_t *data, size_t size)
{
    char dir[] = "/tmp/sctrun-fuzz-XXXXXX";
    struct sct_preprocess p, before;
    sct_error err = SCT_ERROR_INIT;
    fuzz_require(mkdtemp(dir) != NULL);
    char *path = sct_path_join(dir, "preset.yaml");
    FILE *f = path ? fopen(path, "wb") : NULL;
    fuzz_require(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
    memset(&p, 0, sizeof p);
    sct_preprocess_default(&p);
    before = p;
    const sct_status rc = sct_preprocess_load(&p, path, &err);
    fuzz_require(err.code == rc && (rc == SCT_OK || rc == SCT_EUSAGE || rc == SCT_ENOMEM));
    fuzz_require(rc != SCT_EUSAGE || strncmp(err.msg, path, strlen(path)) == 0);
    if (rc == SCT_OK)
        check_accepted(&p);
    else
        fuzz_require(memcmp(&p, &before, sizeof p) == 0);
    sct_free(path);
    sct_dir_discard(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_preprocess p;
    sct_error err = SCT_ERROR_INIT;
    memset(&p, 0, sizeof p);
    const sct_status rc = read_json((const char *)data, size, &p, &err);
    fuzz_require(err.code == rc && (rc == SCT_OK || rc == SCT_EFILE || rc == SCT_ENOMEM));
    fuzz_require(rc != SCT_EFILE || strncmp(err.msg, "fuzz", 4) == 0);
    if (rc == SCT_OK)
        check_accepted(&p);
    as_preset(data, size);
    return 0;
}
