/* SPDX-License-Identifier: MIT
 * test_adapter.c - LoRA folders saved by Hugging Face PEFT for the tiny ViT are read as our
 * pairs, and ours are PEFT's: tensors bit by bit, every key of the configuration. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/adapter/io.h"
#include "core/io/file.h"
#include "tests/golden/tuned.h"

static sct_status all_tensors(struct sct_adapter *a, const struct sct_st *st, sct_error *err)
{
    for (size_t i = 0; i < sct_st_count(st); i++)
        SCT_TRY(golden_put(a, sct_st_at(st, i)->name, st, sct_st_at(st, i), err));
    return SCT_OK;
}

/* PEFT's folder in our names: exactly the start values of lora.safetensors. */
static sct_status check_read(struct tuned *t, const struct sct_adapter_folder *peft,
                             sct_error *err)
{
    struct sct_adapter *a = sct_adapter_create("peft_lora");
    SCT_TRY(all_tensors(a, peft->tensors, err));
    sct_status rc = sct_strategy_from_disk(&t->tuner.part[0].run, &a, err);
    uint32_t n = 0;
    for (size_t i = 0; rc == SCT_OK && i < sct_st_count(t->file); i++) {
        const struct sct_st_tensor *s = sct_st_at(t->file, i);
        if (strncmp(s->name, "start/", 6) != 0)
            continue;
        uint64_t count = 0;
        float *want = golden_f32(t->file, s->name, &count);
        const struct sct_adapter_tensor *x = sct_adapter_find(a, s->name + 6);
        golden_expect(want && x && sct_desc_count(&x->desc) == count &&
                          memcmp(x->data, want, (size_t)count * sizeof *want) == 0,
                      "%s is read from PEFT's pair of the whole qkv", s->name + 6);
        sct_free(want);
        n++;
    }
    if (rc == SCT_OK)
        golden_expect(n == a->n, "nothing but these %u tensors is read", n);
    sct_adapter_destroy(&a);
    return rc;
}

static void check_tensors(const struct sct_st *have, const struct sct_st *want)
{
    golden_expect(sct_st_count(have) == sct_st_count(want), "%zu tensors are written",
                  sct_st_count(want));
    for (size_t i = 0; i < sct_st_count(want); i++) {
        const struct sct_st_tensor *w = sct_st_at(want, i), *h = sct_st_find(have, w->name);
        int ok = h && h->nd == w->nd && h->dtype == w->dtype && h->size == w->size &&
                 memcmp(h->data, w->data, (size_t)w->size) == 0;
        for (uint32_t k = 0; ok && k < w->nd; k++)
            ok = h->dim[k] == w->dim[k];
        golden_expect(ok, "%s: name, shape and values as PEFT saves them", w->name);
    }
}

/* Two lists hold the same words; PEFT keeps target_modules as a set. */
static int same_words(const json_t *a, const json_t *b)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(a); i++)
        for (size_t k = 0; k < json_array_size(b); k++)
            n += json_equal(json_array_get(a, i), json_array_get(b, k)) != 0;
    return n == json_array_size(a) && n == json_array_size(b);
}

/* Same type and value; 0 and 0.0 are the same number. */
static int same(const json_t *a, const json_t *b)
{
    if (json_is_array(a) && json_is_array(b))
        return same_words(a, b);
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

/* Every key of PEFT with its value, and beside them "sctrun", which peft ignores. */
static void check_config(json_t *have, json_t *want)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    json_object_foreach(want, key, value)
    {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        const int ok = same(json_object_get(have, key), value);
        n += ok != 0;
        if (!ok)
            golden_expect(0, "adapter_config.json: %s: expected %s", key, text ? text : "?");
        free(text);
    }
    golden_expect(n == json_object_size(want) && n > 30,
                  "adapter_config.json: all %zu keys and values of PEFT", n);
    json_object_foreach(have, key,
                        value) if (!json_object_get(want, key) && strcmp(key, "sctrun") != 0)
        golden_expect(0, "adapter_config.json: %s is neither a key of PEFT nor ours", key);
}

/* The tuned model, never run, saved and opened again. */
static sct_status check_write(struct tuned *t, const struct sct_adapter_folder *peft,
                              sct_error *err)
{
    char dir[] = "/tmp/sctrun-golden-XXXXXX", path[64];
    struct sct_open_device d;
    struct sct_adapter_folder ours = {0};
    const struct sct_device_opts o = {.backend = "ref", .device = "auto"};
    struct sct_adapter_info info = {.model = t->m->cfg};
    sct_preprocess_default(&info.pre);
    if (!mkdtemp(dir))
        return sct_fail(err, SCT_EFAIL, "%s cannot be made", dir);
    (void)snprintf(path, sizeof path, "%s/lora", dir);
    sct_status rc = sct_device_open(&d, &o, err);
    if (rc == SCT_OK)
        rc = sct_adapter_save(path, t->m, NULL, &d, &t->tuner, &info, err);
    if (rc == SCT_OK)
        rc = sct_adapter_folder_open(&ours, path, err);
    if (rc == SCT_OK) {
        check_tensors(ours.tensors, peft->tensors);
        check_config(ours.config, peft->config);
    }
    sct_adapter_folder_close(&ours);
    sct_device_close(&d);
    static const char *const files[] = {"lora/" SCT_ADAPTER_CONFIG,
                                        "lora/" SCT_ADAPTER_WEIGHTS};
    for (int i = 0; i < 2; i++) {
        char file[128];
        (void)snprintf(file, sizeof file, "%s/%s", dir, files[i]);
        (void)unlink(file);
    }
    (void)rmdir(path);
    (void)rmdir(dir);
    return rc;
}

static const json_t *row_of(json_t *root, const char *want)
{
    const json_t *cases = json_object_get(root, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(cases, i), "name"));
        if (name && strcmp(name, want) == 0)
            return json_array_get(cases, i);
    }
    return NULL;
}

/* What the configurations say of r, lora_alpha, use_rslora and use_dora. */
static const struct folder {
    const char *name;
    uint32_t r;
    double alpha;
    int rslora, dora;
} folders[] = {
    {"lora", 4, 8, 0, 0}, /* two pairs of rank 2 are one of rank 4 */
    {"lora_dora_all", 1, 1.5, 1, 1},
};

static sct_status check(const struct folder *f, const struct golden *g, json_t *root,
                        sct_error *err)
{
    char path[4096];
    struct tuned t = {0};
    struct sct_adapter_folder peft = {0};
    struct sct_peft_lora_read read;
    (void)snprintf(path, sizeof path, GOLDEN_DIR "/vit/peft_%s", f->name);
    sct_status rc = tuned_open(&t, g, row_of(root, f->name), err);
    if (rc == SCT_OK)
        rc = sct_adapter_folder_open(&peft, path, err);
    if (rc == SCT_OK)
        rc = sct_peft_lora_parse(&read, &peft, err);
    if (rc == SCT_OK)
        golden_expect(read.r == f->r && read.alpha == f->alpha && read.rslora == f->rslora &&
                          read.dora == f->dora,
                      "%s: rank, alpha, rsLoRA and DoRA as PEFT says", f->name);
    if (rc == SCT_OK)
        rc = check_read(&t, &peft, err);
    if (rc == SCT_OK)
        rc = check_write(&t, &peft, err);
    sct_adapter_folder_close(&peft);
    tuned_close(&t);
    return rc;
}

int main(void)
{
    struct golden g;
    json_t *root = NULL;
    sct_error err = SCT_ERROR_INIT;
    char name[] = "test", *argv[] = {name, NULL};
    if (golden_init(&g, 1, argv))
        return 1;
    (void)golden_ok(sct_json_load(GOLDEN_DIR "/vit/cases.json", SCT_EFILE, &root, &err), &err,
                    "cases.json");
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        sct_error e = SCT_ERROR_INIT;
        (void)golden_ok(check(&folders[i], &g, root, &e), &e, folders[i].name);
    }
    json_decref(root);
    golden_fini(&g);
    return golden_result();
}
