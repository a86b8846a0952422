/* SPDX-License-Identifier: MIT
 * adapter_test.c - adapter folders: round trip, replacement, PEFT's LoRA configuration.
 * The golden text is what peft 0.21.2 saved for a two-block ViT (r 4, alpha 8, qkv, head). */
#include "core/checkpoint/adapter_folder.h"
#include "tests/io/io_suite.h"

#include "core/base/mem.h"
#include "core/io/file.h"

#include <math.h>
#include <stdlib.h>

static const char peft_saved[] = "{\n"
                                 "  \"alora_invocation_tokens\": null,\n"
                                 "  \"alpha_pattern\": {},\n"
                                 "  \"arrow_config\": null,\n"
                                 "  \"auto_mapping\": {\n"
                                 "    \"base_model_class\": \"VisionTransformer\",\n"
                                 "    \"parent_library\": \"timm.models.vision_transformer\"\n"
                                 "  },\n"
                                 "  \"base_model_name_or_path\": null,\n"
                                 "  \"bias\": \"none\",\n"
                                 "  \"corda_config\": null,\n"
                                 "  \"ensure_weight_tying\": false,\n"
                                 "  \"eva_config\": null,\n"
                                 "  \"exclude_modules\": null,\n"
                                 "  \"fan_in_fan_out\": false,\n"
                                 "  \"inference_mode\": true,\n"
                                 "  \"init_lora_weights\": true,\n"
                                 "  \"kasa_config\": null,\n"
                                 "  \"layer_replication\": null,\n"
                                 "  \"layers_pattern\": null,\n"
                                 "  \"layers_to_transform\": null,\n"
                                 "  \"loftq_config\": {},\n"
                                 "  \"lora_alpha\": 8,\n"
                                 "  \"lora_bias\": false,\n"
                                 "  \"lora_dropout\": 0.0,\n"
                                 "  \"lora_ga_config\": null,\n"
                                 "  \"megatron_config\": null,\n"
                                 "  \"megatron_core\": \"megatron.core\",\n"
                                 "  \"modules_to_save\": [\n"
                                 "    \"head\"\n"
                                 "  ],\n"
                                 "  \"monteclora_config\": null,\n"
                                 "  \"peft_type\": \"LORA\",\n"
                                 "  \"peft_version\": \"0.21.2\",\n"
                                 "  \"qalora_group_size\": 16,\n"
                                 "  \"r\": 4,\n"
                                 "  \"rank_pattern\": {},\n"
                                 "  \"revision\": null,\n"
                                 "  \"target_modules\": [\n"
                                 "    \"qkv\"\n"
                                 "  ],\n"
                                 "  \"target_parameters\": null,\n"
                                 "  \"task_type\": null,\n"
                                 "  \"trainable_token_indices\": null,\n"
                                 "  \"use_bdlora\": null,\n"
                                 "  \"use_dora\": false,\n"
                                 "  \"use_qalora\": false,\n"
                                 "  \"use_rslora\": false,\n"
                                 "  \"velora_config\": null\n"
                                 "}\n";

static const char *const qkv[] = {"qkv"}, *const head[] = {"head"};

static struct sct_peft_lora example(void)
{
    return (struct sct_peft_lora){
        .r = 4,
        .alpha = 8,
        .targets = qkv,
        .n_targets = 1,
        .saved = head,
        .n_saved = 1,
        .base_class = "VisionTransformer",
        .library = "timm.models.vision_transformer",
    };
}

static const uint32_t dim[] = {2, 2};
static const float values[] = {1, 2, 3, 4};
static const int32_t index_values[] = {3, 1, 4, 1};
static const struct sct_st_item items[] = {
    {"base_model.model.head.weight", dim, NULL, values, SCT_ST_F32, 2},
    {"sct.blocks.0.index", dim, index_values, NULL, SCT_ST_I32, 2},
};

START_TEST(lora_config_is_pefts)
{
    sct_error err;
    json_t *config;
    char *text;
    size_t n;
    struct sct_peft_lora l = example();
    check_ok(sct_peft_lora_config(&config, &l, &err));
    check_ok(sct_json_text(config, 2, &text, &n, &err));
    ck_assert_str_eq(text, peft_saved);
    sct_free(text);
    json_decref(config);
    l.alpha = 0.5f;
    l.rslora = 1;
    l.n_saved = 0;
    l.base_class = NULL;
    l.base_name = "vit";
    check_ok(sct_peft_lora_config(&config, &l, &err));
    ck_assert(json_real_value(json_object_get(config, "lora_alpha")) == 0.5);
    ck_assert(json_is_true(json_object_get(config, "use_rslora")));
    ck_assert(json_is_null(json_object_get(config, "modules_to_save")));
    ck_assert(json_is_null(json_object_get(config, "auto_mapping")));
    ck_assert_str_eq(json_string_value(json_object_get(config, "base_model_name_or_path")),
                     "vit");
    json_decref(config);
    l.r = 0;
    check_fails(sct_peft_lora_config(&config, &l, &err), SCT_EINVAL,
                "expected r of at least 1");
    ck_assert_ptr_null(config);
    l = example();
    l.alpha = INFINITY;
    check_fails(sct_peft_lora_config(&config, &l, &err), SCT_EINVAL, "finite");
}

END_TEST

START_TEST(round_trip)
{
    sct_error err;
    json_t *config;
    struct sct_adapter_folder f;
    struct sct_peft_lora_read r;
    const struct sct_peft_lora l = example();
    check_ok(sct_peft_lora_config(&config, &l, &err));
    check_ok(sct_adapter_folder_write(scratch("run/last/"), config, items, 2, NULL, 0, &err));
    ck_assert_uint_eq(scratch_count(), 1);
    check_ok(sct_adapter_folder_open(&f, scratch("run/last"), &err));
    ck_assert(json_equal(f.config, config));
    check_ok(sct_peft_lora_parse(&r, &f, &err));
    ck_assert(r.r == 4 && r.alpha == 8 && !r.rslora && !r.rank_pattern && !r.alpha_pattern);
    ck_assert_str_eq(json_string_value(json_array_get(r.targets, 0)), "qkv");
    ck_assert_str_eq(json_string_value(json_array_get(r.saved, 0)), "head");
    float got[4];
    int32_t idx[4];
    check_ok(sct_st_read_f32(f.tensors, sct_st_find(f.tensors, items[0].name), got, &err));
    check_ok(sct_st_read_i32(f.tensors, sct_st_find(f.tensors, items[1].name), idx, &err));
    ck_assert_mem_eq(got, values, sizeof got);
    ck_assert_mem_eq(idx, index_values, sizeof idx);
    /* A new save while the old one is open: both stay whole, other files stay. */
    scratch_put("run/last/README.md", "mine", 4);
    check_ok(sct_adapter_folder_write(scratch("run/last"), config, items, 1, NULL, 0, &err));
    check_ok(sct_st_read_i32(f.tensors, sct_st_find(f.tensors, items[1].name), idx, &err));
    ck_assert_mem_eq(idx, index_values, sizeof idx);
    sct_adapter_folder_close(&f);
    sct_adapter_folder_close(&f);
    check_ok(sct_adapter_folder_open(&f, scratch("run/last"), &err));
    ck_assert_uint_eq(sct_st_count(f.tensors), 1);
    sct_adapter_folder_close(&f);
    char *note = scratch_get("run/last/README.md", NULL);
    ck_assert_str_eq(note, "mine");
    free(note);
    json_decref(config);
}

END_TEST

START_TEST(failed_save_keeps_the_old)
{
    sct_error err;
    json_t *config = json_object();
    struct sct_adapter_folder f;
    check_ok(sct_adapter_folder_write(scratch("a"), config, items, 1, NULL, 0, &err));
    const struct sct_st_item twice[] = {items[0], items[0]};
    check_fails(sct_adapter_folder_write(scratch("a"), config, twice, 2, NULL, 0, &err),
                SCT_EINVAL, "two tensors");
    ck_assert_uint_eq(scratch_count(), 1);
    check_ok(sct_adapter_folder_open(&f, scratch("a"), &err));
    sct_adapter_folder_close(&f);
    scratch_put("f", "", 0);
    check_fails(sct_adapter_folder_write(scratch("f"), config, items, 1, NULL, 0, &err),
                SCT_EFAIL, "cannot put");
    check_fails(sct_adapter_folder_write(scratch("f/a"), config, items, 1, NULL, 0, &err),
                SCT_EFAIL, "cannot make the directory");
    check_fails(sct_adapter_folder_write("", config, items, 1, NULL, 0, &err), SCT_EINVAL,
                "found ''");
    ck_assert_uint_eq(scratch_count(), 2);
    json_decref(config);
}

END_TEST

START_TEST(refuses_incomplete)
{
    sct_error err;
    struct sct_adapter_folder f;
    check_fails(sct_adapter_folder_open(&f, scratch("none"), &err), SCT_EFILE,
                "expected an adapter folder, found nothing");
    scratch_put("file", "", 0);
    check_fails(sct_adapter_folder_open(&f, scratch("file"), &err), SCT_EFILE, "found a file");
    check_ok(sct_dir_make(scratch("a"), &err));
    check_fails(sct_adapter_folder_open(&f, scratch("a"), &err), SCT_EFILE,
                "adapter_config.json: cannot open");
    scratch_put("a/adapter_config.json", "{}", 2);
    check_fails(sct_adapter_folder_open(&f, scratch("a"), &err), SCT_EFILE,
                "adapter_model.safetensors: cannot open");
    scratch_put("a/adapter_model.bin", "", 0);
    check_fails(sct_adapter_folder_open(&f, scratch("a"), &err), SCT_EFILE,
                "found adapter_model.bin only");
    scratch_put("a/adapter_model.safetensors", "12345678", 8);
    check_fails(sct_adapter_folder_open(&f, scratch("a"), &err), SCT_EFILE,
                "not a safetensors file");
    ck_assert(!f.config && !f.config_path && !f.tensors);
}

END_TEST

static const struct {
    const char *config, *words;
} foreign[] = {
    {"{}", "expected a string at peft_type, found nothing"},
    {"{\"peft_type\": \"SCT\"}", "expected peft_type LORA, found 'SCT'"},
    {"{\"peft_type\": \"LORA\"}", "expected an array at target_modules"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [1]}",
     "expected an array of strings at target_modules"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"init_lora_weights\": \"pissa\"}",
     "init_lora_weights pissa is not supported, as it changes the base"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"layers_to_transform\": [1]}",
     "layers_to_transform is set"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"lora_bias\": true}",
     "lora_bias is set"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"lora_dropout\": 1}",
     "expected a lora_dropout in [0, 1), found 1"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"bias\": \"all\"}",
     "expected bias none, found 'all'"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"layer_replication\": [[0, 4]]}",
     "layer_replication is set"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"target_parameters\": [\"x\"]}",
     "target_parameters is set"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"r\": 0}",
     "expected an integer from 1 to 65536 at r, found 0"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"r\": \"8\"}",
     "at r, found \"8\""},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"lora_alpha\": \"8\"}",
     "expected a number at lora_alpha"},
    {"{\"peft_type\": \"LORA\", \"target_modules\": [\"q\"], \"rank_pattern\": []}",
     "expected an object at rank_pattern"},
};

START_TEST(refuses_foreign_lora)
{
    sct_error err;
    struct sct_peft_lora_read r;
    struct sct_adapter_folder f = {.config_path = NULL};
    check_ok(sct_json_parse(foreign[_i].config, strlen(foreign[_i].config), "c", SCT_EFILE,
                            &f.config, &err));
    f.config_path = sct_strdup("c.json");
    check_fails(sct_peft_lora_parse(&r, &f, &err), SCT_EFILE, foreign[_i].words);
    ck_assert(strncmp(err.msg, "c.json: ", 8) == 0);
    ck_assert(r.r == 0 && r.targets == NULL);
    sct_adapter_folder_close(&f);
}

END_TEST

/* The least that PEFT reads, with a regular expression and patterns; unknown keys are dropped.
 */
START_TEST(reads_minimal_lora)
{
    static const char text[] =
        "{\"peft_type\": \"LORA\", \"target_modules\": \".*qkv\", \"new_key\": 1,"
        " \"use_rslora\": true, \"rank_pattern\": {\"blocks.0\": 4}}";
    sct_error err;
    struct sct_peft_lora_read r;
    struct sct_adapter_folder f = {.config_path = NULL};
    check_ok(sct_json_parse(text, strlen(text), "c", SCT_EFILE, &f.config, &err));
    f.config_path = sct_strdup("c.json");
    check_ok(sct_peft_lora_parse(&r, &f, &err));
    ck_assert(r.r == 8 && r.alpha == 8 && r.rslora && r.rank_pattern && !r.alpha_pattern &&
              !r.saved);
    ck_assert_str_eq(json_string_value(r.targets), ".*qkv");
    sct_adapter_folder_close(&f);
}

END_TEST

Suite *adapter_suite(void)
{
    Suite *s = suite_create("adapter");
    TCase *tc = scratch_case(s, "folder");
    tcase_add_test(tc, lora_config_is_pefts);
    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, failed_save_keeps_the_old);
    tcase_add_test(tc, refuses_incomplete);
    tcase_add_loop_test(tc, refuses_foreign_lora, 0, sizeof foreign / sizeof *foreign);
    tcase_add_test(tc, reads_minimal_lora);
    return s;
}
