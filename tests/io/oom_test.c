/* SPDX-License-Identifier: MIT
 * oom_test.c - every entry point with the n-th allocation failing, n = 1, 2, ... until success.
 * jansson is then told to use the same heap. Leaks are the leak checker's to find. */
#include "tests/io/io_suite.h"

#include "core/base/mem.h"
#include "core/checkpoint/adapter_folder.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/npy.h"
#include "core/io/config.h"
#include "core/io/file.h"
#include "tests/io/st_golden.h"

#include <stdlib.h>

static const char st_text[] = "\x20\x02\0\0\0\0\0\0" ST_GOLDEN_HEADER;
static const uint32_t dim[] = {2};
static const float values[] = {1, 2};
static const struct sct_st_item items[] = {
    {"b", dim, NULL, values, SCT_ST_F32, 1},
    {"a", dim, NULL, values, SCT_ST_F16, 1},
};

static sct_status open_tensors(sct_error *err)
{
    static char file[sizeof st_text - 1 + sizeof st_golden_data];
    memcpy(file, st_text, sizeof st_text - 1);
    memcpy(file + sizeof st_text - 1, st_golden_data, sizeof st_golden_data);
    struct sct_st *st;
    const sct_status rc = sct_st_open_memory(&st, file, sizeof file, "m", err);
    ck_assert((rc == SCT_OK) == (st != NULL));
    sct_st_close(&st);
    return rc;
}

static sct_status write_tensors(sct_error *err)
{
    const struct sct_st_meta meta = {"k", "v"};
    return sct_st_write(scratch("w"), items, 2, &meta, 1, err);
}

static sct_status parse_config(sct_error *err)
{
    static const char text[] = "a: 1\nb: {c: [x, y]}\n";
    struct sct_cfg *cfg;
    const sct_status rc = sct_cfg_parse(&cfg, text, sizeof text - 1, "f", err);
    ck_assert((rc == SCT_OK) == (cfg != NULL));
    sct_cfg_destroy(&cfg);
    return rc;
}

static sct_status bind_options(sct_error *err)
{
    static const struct sct_option rows[] = {{"s", "help", SCT_OPT_STRING, 0, 0, 0, 0, "text"},
                                             {.key = NULL}};
    const char *state[1];
    struct sct_opts *o;
    const sct_status made = sct_opts_create(&o, rows, state, sizeof state, "x", err);
    ck_assert((made == SCT_OK) == (o != NULL));
    SCT_TRY(made);
    sct_status rc = sct_opts_set(o, "s", "other", SCT_OPT_FLAG, "--s", err);
    struct sct_str help = {0}, dump = {0};
    sct_opts_help(o, &help);
    sct_opts_dump(o, 0, &dump);
    if (rc == SCT_OK && (help.failed || dump.failed))
        rc = sct_fail(err, SCT_ENOMEM, "text");
    sct_str_free(&help);
    sct_str_free(&dump);
    sct_opts_destroy(&o);
    return rc;
}

static sct_status json_there_and_back(sct_error *err)
{
    static const char in[] = "{\"a\": [1, 2.5, \"x\"], \"b\": {\"c\": null}}";
    json_t *tree;
    char *text = NULL;
    size_t n;
    const sct_status made = sct_json_parse(in, sizeof in - 1, "j", SCT_EFILE, &tree, err);
    ck_assert((made == SCT_OK) == (tree != NULL));
    SCT_TRY(made);
    const sct_status rc = sct_json_text(tree, 2, &text, &n, err);
    ck_assert((rc == SCT_OK) == (text != NULL));
    sct_free(text);
    json_decref(tree);
    return rc;
}

static sct_status build_config(sct_error *err)
{
    static const char *const names[] = {"qkv", "proj"};
    const struct sct_peft_lora l = {.r = 4,
                                    .alpha = 0.3f,
                                    .targets = names,
                                    .n_targets = 2,
                                    .saved = names,
                                    .n_saved = 1,
                                    .base_class = "V",
                                    .library = "t"};
    json_t *config;
    char *text = NULL;
    size_t n;
    const sct_status made = sct_peft_lora_config(&config, &l, err);
    ck_assert((made == SCT_OK) == (config != NULL));
    SCT_TRY(made);
    const sct_status rc = sct_json_text(config, 2, &text, &n, err);
    sct_free(text);
    json_decref(config);
    return rc;
}

static sct_status adapter_there_and_back(sct_error *err)
{
    struct sct_adapter_folder f;
    json_t *config = json_pack("{s:s, s:s}", "peft_type", "LORA", "target_modules", "qkv");
    ck_assert_ptr_nonnull(config);
    sct_status rc = sct_adapter_folder_write(scratch("a"), config, items, 2, NULL, 0, err);
    json_decref(config);
    SCT_TRY(rc);
    struct sct_peft_lora_read r;
    rc = sct_adapter_folder_open(&f, scratch("a"), err);
    if (rc == SCT_OK)
        rc = sct_peft_lora_parse(&r, &f, err);
    sct_adapter_folder_close(&f);
    return rc;
}

static sct_status files(sct_error *err)
{
    char *data;
    size_t n;
    SCT_TRY(sct_dir_make_new(scratch("d"), err));
    SCT_TRY(sct_file_write(scratch("f"), "x", 1, err));
    SCT_TRY(sct_npy_write(scratch("n"), SCT_F32, dim, 1, values, err));
    const sct_status rc = sct_file_read(scratch("f"), 9, SCT_EFILE, &data, &n, err);
    ck_assert((rc == SCT_OK) == (data != NULL));
    sct_free(data);
    return rc;
}

/* Opens a file of tests/io/containers and reads every tensor. */
static sct_status read_all(const char *path, sct_error *err)
{
    struct sct_ckpt *ck;
    SCT_TRY(sct_ckpt_open(&ck, path, err));
    sct_status rc = SCT_OK;
    for (size_t i = 0; rc == SCT_OK && i < sct_ckpt_count(ck); i++) {
        const struct sct_ckpt_tensor *t = sct_ckpt_at(ck, i);
        float f[64];
        if (t->dtype == SCT_ST_F32)
            rc = sct_ckpt_read_f32(ck, t, f, err);
    }
    sct_ckpt_close(&ck);
    return rc;
}

static sct_status read_npz(sct_error *err)
{
    return read_all(IO_CONTAINERS "/deflated.npz", err);
}

static sct_status read_shards(sct_error *err)
{
    return read_all(IO_CONTAINERS "/sharded", err);
}

static sct_status read_torch_zip(sct_error *err)
{
    return read_all(IO_CONTAINERS "/wrapped.pth", err);
}

static sct_status read_torch_legacy(sct_error *err)
{
    return read_all(IO_CONTAINERS "/wrapped_legacy.pth", err);
}

static const struct {
    const char *name;
    sct_status (*call)(sct_error *err);
} entries[] = {
    {"read_npz", read_npz},
    {"read_shards", read_shards},
    {"read_torch_zip", read_torch_zip},
    {"read_torch_legacy", read_torch_legacy},
    {"open_tensors", open_tensors},
    {"write_tensors", write_tensors},
    {"parse_config", parse_config},
    {"bind_options", bind_options},
    {"json_there_and_back", json_there_and_back},
    {"adapter_there_and_back", adapter_there_and_back},
    {"files", files},
};

/* Once with only the n-th allocation failing, once with all from there on. The sync behind a
 * rename needs memory too; there the status is that of the system's failure, with ENOMEM's
 * text. */
static void sweep(const char *name, sct_status (*call)(sct_error *err))
{
    for (int every = 0; every < 2; every++) {
        uint64_t n = 1;
        for (;; n++) {
            sct_error err = SCT_ERROR_INIT;
            (void)sct_mem_fail_at(n, every);
            const sct_status rc = call(&err);
            const uint64_t seen = sct_mem_fail_at(0, 0);
            if (seen < n) {
                ck_assert_msg(rc == SCT_OK, "%s: %s", name, err.msg);
                break;
            }
            const int synced = rc == SCT_EFAIL && strstr(err.msg, "Cannot allocate memory");
            ck_assert_msg(err.code == rc && (rc == SCT_ENOMEM || synced),
                          "%s, allocation %llu: status %d: %s", name, (unsigned long long)n, rc,
                          err.msg);
        }
        ck_assert_uint_gt(n, 1);
    }
}

START_TEST(own_heap)
{
    sweep(entries[_i].name, entries[_i].call);
}

END_TEST

/* Building and writing trees only: jansson's own lexer does not survive every failure. */
START_TEST(with_janssons_heap)
{
    json_set_alloc_funcs(sct_alloc, sct_free);
    sweep("write_tensors", write_tensors);
    sweep("build_config", build_config);
    json_set_alloc_funcs(malloc, free);
}

END_TEST

Suite *oom_suite(void)
{
    Suite *s = suite_create("oom");
    TCase *tc = scratch_case(s, "sweep");
    tcase_add_loop_test(tc, own_heap, 0, sizeof entries / sizeof *entries);
    tcase_add_test(tc, with_janssons_heap);
    return s;
}
