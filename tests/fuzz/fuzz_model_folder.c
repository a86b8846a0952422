/* SPDX-License-Identifier: MIT
 * fuzz_model_folder.c - any bytes as config.json and, behind a zero byte,
 * preprocessor_config.json beside the weights of a small ViT. What is accepted must be a
 * configuration within its ranges and steps that can be done. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/io/file.h"
#include "core/pretrained/model_folder.h"

static const char *const blocks[] = {"norm1", "attn.qkv", "attn.proj",
                                     "norm2", "mlp.fc1",  "mlp.fc2"};
static const uint64_t rows[] = {8, 24, 8, 8, 32, 8}, columns[] = {0, 8, 8, 0, 8, 32};

enum { TENSORS = 32 };

struct model {
    struct sct_named t[TENSORS];
    uint64_t dim[TENSORS][4];
    char name[TENSORS][64];
    uint32_t n;
};

static void add(struct model *m, const char *name, uint32_t nd, uint64_t a, uint64_t b,
                uint64_t c, uint64_t d)
{
    const uint64_t dim[4] = {a, b, c, d};
    fuzz_require(m->n < TENSORS);
    (void)snprintf(m->name[m->n], sizeof m->name[0], "%s", name);
    memcpy(m->dim[m->n], dim, sizeof dim);
    m->t[m->n] = (struct sct_named){m->name[m->n], m->dim[m->n], nd};
    m->n++;
}

/* timm's names of one block of 8 channels, images of 8 x 8, 3 classes. */
static void make(struct model *m)
{
    char name[64];
    add(m, "cls_token", 3, 1, 1, 8, 0);
    add(m, "pos_embed", 3, 1, 5, 8, 0);
    add(m, "patch_embed.proj.weight", 4, 8, 3, 4, 4);
    add(m, "patch_embed.proj.bias", 1, 8, 0, 0, 0);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        (void)snprintf(name, sizeof name, "blocks.0.%s.weight", blocks[i]);
        add(m, name, columns[i] ? 2 : 1, rows[i], columns[i], 0, 0);
        (void)snprintf(name, sizeof name, "blocks.0.%s.bias", blocks[i]);
        add(m, name, 1, rows[i], 0, 0, 0);
    }
    add(m, "norm.weight", 1, 8, 0, 0, 0);
    add(m, "norm.bias", 1, 8, 0, 0, 0);
    add(m, "head.weight", 2, 3, 8, 0, 0);
    add(m, "head.bias", 1, 3, 0, 0, 0);
}

static void check_config(const struct sct_model_config *c)
{
    fuzz_require(c->dim == 8 && c->depth == 1 && c->patch == 4 && c->image == 8 &&
                 c->mlp == 32);
    fuzz_require(c->heads >= 1 && c->heads <= 1024 && c->eps > 0);
    fuzz_require(c->gelu <= SCT_GELU_QUICK && c->pool <= SCT_POOL_AVG);
}

static void tell(struct sct_model_folder *f, const struct model *m)
{
    struct sct_dialect_map *map;
    struct sct_guess *g;
    struct sct_preprocess p;
    sct_error err = SCT_ERROR_INIT;
    uint32_t made;
    fuzz_require(sct_dialect_map(&map, m->t, m->n, &err) == SCT_OK && map->n_problem == 0);
    fuzz_require(sct_guess(&g, map, m->t, &err) == SCT_OK);
    const sct_status rc = sct_model_folder_tell(f, map, g, &err);
    fuzz_require(rc == err.code && (rc == SCT_OK || rc == SCT_EFILE || rc == SCT_EUSAGE));
    if (rc == SCT_OK)
        check_config(&g->cfg);
    fuzz_require(rc != SCT_OK || !f->label || f->n_label == 3);
    if (sct_model_folder_prepares(f)) {
        sct_error why = SCT_ERROR_INIT;
        const sct_status made_rc = sct_model_folder_preprocess(f, 8, &p, &made, &why);
        fuzz_require(made_rc == why.code && (made_rc == SCT_OK || made_rc == SCT_EFILE));
        fuzz_require(made_rc != SCT_OK || sct_preprocess_check(&p, NULL) == SCT_OK);
    }
    sct_guess_destroy(&g);
    sct_dialect_map_destroy(&map);
}

/* An empty half is a file that is not there. */
static void put(const char *dir, const char *name, const uint8_t *data, size_t n)
{
    char *path = sct_path_join(dir, name);
    fuzz_require(path != NULL);
    FILE *f = n ? fopen(path, "wb") : NULL;
    fuzz_require(!n || (f && fwrite(data, 1, n, f) == n && fclose(f) == 0));
    if (!n)
        (void)unlink(path);
    sct_free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[] = "/tmp/sctrun-fuzz-XXXXXX";
    static struct model m;
    struct sct_model_folder f;
    sct_error err = SCT_ERROR_INIT;
    if (!m.n)
        make(&m);
    fuzz_require(mkdtemp(dir) != NULL);
    const uint8_t *cut = size ? memchr(data, 0, size) : NULL;
    const size_t first = cut ? (size_t)(cut - data) : size;
    put(dir, "config.json", data, first);
    put(dir, "preprocessor_config.json", cut ? cut + 1 : data, cut ? size - first - 1 : 0);
    const sct_status rc = sct_model_folder_open(&f, dir, &err);
    fuzz_require(rc == err.code && (rc == SCT_OK || rc == SCT_EFILE));
    fuzz_require(rc == SCT_OK || (!f.config && !f.pre && !f.config_path));
    if (rc == SCT_OK)
        tell(&f, &m);
    sct_model_folder_close(&f);
    sct_dir_discard(dir);
    return 0;
}
