/* SPDX-License-Identifier: MIT
 * fuzz_recipe.c - any bytes as a recipe and, behind a zero byte, as the recipe "fuzz_base" that
 * it may be like. What is accepted must be printed as a file that is read again, with the same
 * settings, whatever task and quirks are asked for. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/io/file.h"
#include "core/plug/module.h"
#include "core/settings/recipe.h"

struct place {
    char dir[32], configs[48], recipes[64], file[64], base[96];
};

static void put(const char *path, const uint8_t *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    fuzz_require(f && fwrite(data, 1, n, f) == n && fclose(f) == 0);
}

static void make(struct place *p)
{
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/sctrun-fuzz-XXXXXX");
    fuzz_require(mkdtemp(p->dir) != NULL);
    (void)snprintf(p->configs, sizeof p->configs, "%s/configs", p->dir);
    (void)snprintf(p->recipes, sizeof p->recipes, "%s/recipes", p->configs);
    (void)snprintf(p->file, sizeof p->file, "%s/fuzz.yaml", p->dir);
    (void)snprintf(p->base, sizeof p->base, "%s/fuzz_base.yaml", p->recipes);
    fuzz_require(mkdir(p->configs, 0700) == 0 && mkdir(p->recipes, 0700) == 0);
    fuzz_require(sct_plug_init(NULL, p->dir, NULL) == SCT_OK);
}

static void discard(struct place *p)
{
    sct_plug_fini();
    sct_dir_discard(p->recipes);
    sct_dir_discard(p->configs);
    sct_dir_discard(p->dir);
}

/* The value of a key that is in force: the strongest layer's. */
static const struct sct_cfg_node *strongest(const struct sct_recipe *r, const char *key)
{
    const struct sct_cfg_node *found = NULL;
    for (uint32_t i = 0; i < r->n_layer; i++) {
        const struct sct_cfg_node *n = sct_cfg_get(r->layer[i], key);
        found = n ? n : found;
    }
    return found;
}

static void check_layer(const struct sct_recipe *r, const struct sct_cfg_node *layer,
                        const struct sct_cfg_node *printed)
{
    for (const struct sct_cfg_node *n = layer->first; n; n = n->next) {
        const struct sct_cfg_node *v = strongest(r, n->key), *p = sct_cfg_get(printed, n->key);
        bool other = v->kind == SCT_CFG_MAPPING;
        for (const char *const *k = sct_recipe_other_keys; *k; k++)
            other |= strcmp(*k, n->key) == 0;
        if (other || (v->kind == SCT_CFG_SCALAR && !v->text))
            continue;
        fuzz_require(p != NULL);
        fuzz_require(v->kind != SCT_CFG_SCALAR || (p->text && strcmp(p->text, v->text) == 0));
        fuzz_require(v->kind != SCT_CFG_SEQUENCE || p->n == v->n);
    }
}

static void check_text(const struct sct_recipe *r)
{
    struct sct_str text = {0};
    struct sct_cfg *cfg = NULL;
    sct_error err = SCT_ERROR_INIT;
    sct_recipe_text(r, &text);
    fuzz_require(!text.failed);
    if (text.n <= SCT_CFG_MAX_BYTES) {
        fuzz_require(sct_cfg_parse(&cfg, text.s ? text.s : "", text.n, "again", &err) ==
                     SCT_OK);
        for (uint32_t i = 0; i < r->n_layer; i++)
            check_layer(r, r->layer[i], sct_cfg_root(cfg));
    }
    sct_cfg_destroy(&cfg);
    sct_str_free(&text);
}

/* Opens it; first: copies the name of its first task to task[size]. */
static void open_one(const char *name, const char *quirks, bool need_task, char *task,
                     size_t size)
{
    struct sct_recipe r;
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_recipe_open(&r, name, quirks, need_task, &err);
    fuzz_require(err.code == rc && (rc == SCT_OK || rc == SCT_EUSAGE || rc == SCT_ENOMEM));
    fuzz_require(rc == SCT_OK || (!r.cfg && !r.like && !r.n_layer));
    if (rc != SCT_OK)
        return;
    fuzz_require(r.about && r.source && r.weights && sct_recipe_expect(&r));
    fuzz_require(r.n_layer >= 1 && r.n_layer <= SCT_RECIPE_LAYERS);
    fuzz_require(sct_recipe_setting(&r, "lr") != NULL);
    for (const struct sct_cfg_node *q = r.quirks ? r.quirks->first : NULL; q; q = q->next)
        (void)sct_recipe_concerned(&r, q);
    if (task && r.tasks && r.tasks->first)
        (void)snprintf(task, size, "%s", r.tasks->first->key);
    check_text(&r);
    sct_recipe_close(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const quirks[] = {"all", "none", "init,"};
    struct place p;
    char task[256] = "", name[sizeof p.file + sizeof task];
    make(&p);
    const uint8_t *cut = size ? memchr(data, 0, size) : NULL;
    const size_t first = cut ? (size_t)(cut - data) : size;
    put(p.file, data, first);
    if (cut)
        put(p.base, cut + 1, size - first - 1);
    for (size_t i = 0; i < sizeof quirks / sizeof quirks[0]; i++)
        open_one(p.file, quirks[i], false, task, sizeof task);
    (void)snprintf(name, sizeof name, "%s%s%s", p.file, task[0] ? ":" : "", task);
    open_one(name, "none", true, NULL, 0);
    discard(&p);
    return 0;
}
