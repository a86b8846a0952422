/* SPDX-License-Identifier: MIT
 * test_oom.c - "fail at the n-th allocation" for n = 1, 2, ... until a scenario succeeds: every
 * failure must be SCT_ENOMEM with a message; leaks are the sanitizer build's to find.
 * usage: test_oom [every] (take every k-th n only) */
#include <stdlib.h>
#include <string.h>

#include "core/adapter/stack.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/checkpoint/safetensors.h"
#include "core/exec/exec.h"
#include "core/export/folder.h"
#include "core/graphs/graphs.h"
#include "core/io/file.h"
#include "core/model/build.h"
#include "core/peft/adapter_diff.h"
#include "core/peft/host.h"
#include "core/plug/module.h"
#include "core/pretrained/base.h"
#include "core/settings/settings.h"
#include "core/tune/choices.h"
#include "core/tune/strategies.h"
#include "tests/oom/oom_run.h"
#include "tests/support/dev.h"

typedef sct_status (*scenario)(sct_error *err);

static const struct sct_model_config tiny = {.name = "tiny",
                                             .head_init = "normal(0, 0.02)",
                                             .image = 8,
                                             .patch = 4,
                                             .dim = 8,
                                             .depth = 2,
                                             .heads = 2,
                                             .mlp = 16,
                                             .classes = 3,
                                             .class_token = 1,
                                             .drop_path = 0.1f,
                                             .eps = 1e-6f,
                                             .mean = {0.5f, 0.5f, 0.5f},
                                             .std = {0.5f, 0.5f, 0.5f}};

/* Windows of 3 in a grid of 8: padded, and rolled in the second block. */
static const struct sct_model_config windowed = {.name = "windowed",
                                                 .arch = SCT_ARCH_SWIN,
                                                 .head_init = "normal(0, 0.02)",
                                                 .image = 16,
                                                 .patch = 2,
                                                 .dim = 4,
                                                 .stage_depth = {2, 1, 1, 1},
                                                 .stage_heads = {1, 1, 2, 2},
                                                 .window = 3,
                                                 .mlp_ratio = 2.0f,
                                                 .classes = 3,
                                                 .pool = SCT_POOL_AVG,
                                                 .drop_path = 0.1f,
                                                 .eps = 1e-5f,
                                                 .mean = {0.5f, 0.5f, 0.5f},
                                                 .std = {0.5f, 0.5f, 0.5f}};

static sct_status train_plan(struct sct_model *m, struct test_dev *d, sct_error *err)
{
    const struct sct_optim_opts o = {
        .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .clip = 1.0f, .ema = 0.5f};
    const struct sct_plan_opts po = {.checkpoint = SCT_CHECKPOINT_BLOCK};
    struct sct_optim optim = {0};
    struct sct_graph *g = NULL;
    struct sct_plan *p = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(d->be, d->dev);
    sct_status rc = store ? sct_graph_train(&g, m, &o, &optim, false, err)
                          : sct_fail(err, SCT_ENOMEM, "store");
    if (rc == SCT_OK)
        rc = sct_plan_create(&p, g, d->be, d->dev, &d->info, &po, err);
    if (rc == SCT_OK) {
        char *text = sct_plan_dump(p);
        if (!text)
            rc = sct_fail(err, SCT_ENOMEM, "dump");
        sct_free(text);
    }
    if (rc == SCT_OK)
        rc = sct_exec_create(&x, &p, store, err);
    sct_exec_destroy(&x);
    sct_plan_destroy(&p);
    sct_graph_destroy(&g);
    sct_store_destroy(&store);
    sct_optim_fini(&optim);
    return rc;
}

static sct_status model_and_plan(const struct sct_model_config *cfg, const char *strategy,
                                 sct_error *err)
{
    struct test_dev d;
    struct sct_model *m = NULL;
    const struct sct_strategy *s = NULL;
    struct sct_strategy_run run = {0};
    const struct sct_build_opts vo = {4, 1, false};
    if (test_dev_open(&d, "ref", NULL, NULL, err) != 0)
        return err->code;
    struct sct_weights *w = sct_weights_create("random", true, 1);
    sct_status rc =
        w ? sct_model_build(&m, cfg, w, &vo, err) : sct_fail(err, SCT_ENOMEM, "weights");
    if (rc == SCT_OK)
        rc = sct_plug_strategy(strategy, &s, err);
    if (rc == SCT_OK)
        rc = sct_strategy_open(&run, s, err);
    if (rc == SCT_OK && strcmp(strategy, "full") == 0)
        *(const char **)run.state = "**"; /* its one option */
    if (rc == SCT_OK)
        rc = sct_strategy_apply(&run, m, err);
    if (rc == SCT_OK)
        rc = train_plan(m, &d, err);
    if (run.s)
        sct_strategy_close(&run);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
    test_dev_close(&d);
    return rc;
}

static sct_status linear_plan(sct_error *err)
{
    return model_and_plan(&tiny, "linear", err);
}

static sct_status swin_plan(sct_error *err)
{
    return model_and_plan(&windowed, "linear", err);
}

static sct_status full_plan(sct_error *err)
{
    return model_and_plan(&tiny, "full", err);
}

/* Two lists of entries of one weight, one of a bias, and a low-rank pair beside them. */
static sct_status train_entries(struct sct_model *m, sct_error *err)
{
    static const uint32_t first[] = {0, 5, 9}, second[] = {64, 70}, wide[] = {2, 8},
                          tall[] = {24, 2};
    const struct sct_strategy_host *h = sct_strategy_host_table();
    uint32_t weight, bias;
    struct sct_site site;
    (void)h->params(m, "blocks.0.attn.qkv.weight", &weight, 1);
    (void)h->params(m, "blocks.0.attn.qkv.bias", &bias, 1);
    SCT_TRY(h->train_some(m, weight, "first", first, 3, NULL, err));
    SCT_TRY(h->train_some(m, weight, "second", second, 2, NULL, err));
    SCT_TRY(h->train_some(m, bias, "bias", first, 3, NULL, err));
    (void)h->sites(m, "stage[0].block[0].attn.qkv", &site, 1);
    struct sct_builder *b = h->edit_begin(m, &site);
    const sct_val a = h->new_param(m, "a", wide, 2, "normal(0, 0.02)", NULL),
                  c = h->new_param(m, "b", tall, 2, "zeros", NULL);
    sct_val y = sct_linear(b, sct_linear(b, site.in, a, sct_none()), c, sct_none());
    y = sct_droppath(b, y, 0.1f, h->random_key(m, &site, "path"));
    return h->edit_commit(m, sct_add_ch(b, site.out, y, 0), err);
}

/* They are trained, and merged into the weights of a folder. */
static sct_status entries_plan_and_export(sct_error *err)
{
    char dir[] = "/tmp/sctrun-oom-XXXXXX";
    const struct sct_build_opts o = {4, 1, false};
    struct sct_preprocess pre;
    struct test_dev d;
    struct sct_model *m = NULL, *plain = NULL;
    if (test_dev_open(&d, "ref", NULL, NULL, err) != 0)
        return err->code;
    sct_preprocess_default(&pre);
    pre.size = tiny.image;
    struct sct_weights *w = sct_weights_create("random", true, 1);
    sct_status rc =
        w ? sct_model_build(&m, &tiny, w, &o, err) : sct_fail(err, SCT_ENOMEM, "weights");
    if (rc == SCT_OK)
        rc = sct_model_build(&plain, &tiny, w, &o, err);
    if (rc == SCT_OK)
        rc = train_entries(m, err);
    if (rc == SCT_OK)
        rc = train_plan(m, &d, err);
    const struct sct_export x = {.model = m, .plain = plain, .pre = &pre};
    if (rc == SCT_OK && !mkdtemp(dir))
        rc = sct_fail(err, SCT_EFAIL, "no temporary folder");
    if (rc == SCT_OK)
        rc = sct_export_folder(&x, "timm", SCT_ST_F32, dir, err);
    sct_dir_discard(dir);
    sct_model_destroy(&m);
    sct_model_destroy(&plain);
    sct_weights_destroy(&w);
    test_dev_close(&d);
    return rc;
}

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

static sct_status settings(sct_error *err)
{
    struct sct_settings_run r;
    char *argv[] = {(char[]){"--lr"},       (char[]){"0.1"},    (char[]){"--set"},
                    (char[]){"k=3"},        (char[]){"--data"}, (char[]){"x"},
                    (char[]){"--strategy"}, (char[]){"./none"}};
    const sct_status rc = sct_settings_init(&r, 8, argv, no_env, false, err);
    if (rc == SCT_OK)
        sct_settings_fini(&r);
    return rc;
}

/* A folder of transformers: weights, config.json, preprocessor_config.json. */
static sct_status open_folder(sct_error *err)
{
    struct sct_base b;
    struct sct_preprocess p;
    uint32_t made;
    SCT_TRY(sct_base_open(&b, GOLDEN_DIR "/hub/deit", 0, err));
    const sct_status rc = sct_model_folder_preprocess(&b.file.folder, 8, &p, &made, err);
    sct_base_close(&b);
    return rc;
}

static sct_status export_folder(const char *format, sct_error *err)
{
    char dir[] = "/tmp/sctrun-oom-XXXXXX";
    const struct sct_build_opts o = {1, 0, false};
    struct sct_preprocess pre;
    struct sct_model *m = NULL;
    if (!mkdtemp(dir))
        return sct_fail(err, SCT_EFAIL, "no temporary folder");
    sct_preprocess_default(&pre);
    pre.size = tiny.image;
    struct sct_weights *w = sct_weights_create("random", true, 1);
    sct_status rc =
        w ? sct_model_build(&m, &tiny, w, &o, err) : sct_fail(err, SCT_ENOMEM, "weights");
    const struct sct_export x = {.model = m, .plain = m, .pre = &pre};
    if (rc == SCT_OK)
        rc = sct_export_folder(&x, format, SCT_ST_F32, dir, err);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
    sct_dir_discard(dir);
    return rc;
}

static sct_status export_timm(sct_error *err)
{
    return export_folder("timm", err);
}

static sct_status export_hf4(sct_error *err)
{
    return export_folder("hf4", err);
}

/* What --adapter A --adapter A does, with a folder that composed() wrote. */
static sct_status stack(const char *dir, struct sct_weights *w, sct_error *err)
{
    const struct sct_build_opts o = {1, 0, false};
    struct sct_stack s;
    struct sct_tuner t;
    struct sct_model *plain = NULL, *m = NULL;
    char twice[2 * 64];
    (void)snprintf(twice, sizeof twice, "%s\n%s", dir, dir);
    SCT_TRY(sct_stack_open(&s, &t, twice, dir, err));
    sct_status rc = sct_model_build(&plain, &tiny, w, &o, err);
    if (rc == SCT_OK)
        rc = sct_stack_load(&s, &t, plain, err);
    if (rc == SCT_OK)
        rc = sct_model_build(&m, &tiny, w, &o, err);
    if (rc == SCT_OK)
        rc = sct_tuner_apply(&t, m, err);
    if (rc == SCT_OK)
        rc = sct_stack_fill(&s, m, err);
    sct_model_destroy(&m);
    sct_model_destroy(&plain);
    sct_tuner_close(&t);
    sct_stack_close(&s);
    return rc;
}

/* Two strategies with options, saved, opened twice on top of each other. */
static sct_status composed(sct_error *err)
{
    static const struct sct_set set[] = {
        {.key = "r", .value = "2", .of = "lora", .where = "--set"},
        {.key = "k", .value = "3", .where = "--set"},
        {.key = "select", .value = "all", .where = "--set"}};
    char dir[] = "/tmp/sctrun-oom-XXXXXX", path[64];
    const struct sct_device_opts dev = {.backend = "ref", .device = "auto"};
    const struct sct_build_opts o = {1, 0, false};
    struct sct_adapter_info info = {.model = tiny};
    struct sct_open_device d = {.be = NULL};
    struct sct_tuner t = {.n = 0};
    struct sct_model *m = NULL;
    if (!mkdtemp(dir))
        return sct_fail(err, SCT_EFAIL, "no temporary folder");
    (void)snprintf(path, sizeof path, "%s/a", dir);
    sct_preprocess_default(&info.pre);
    struct sct_weights *w = sct_weights_create("random", true, 1);
    sct_status rc = w ? sct_device_open(&d, &dev, err) : sct_fail(err, SCT_ENOMEM, "weights");
    const bool opened = w && rc == SCT_OK;
    if (rc == SCT_OK)
        rc = sct_tuner_open(&t, "lora\nsct", set, sizeof set / sizeof set[0], err);
    if (rc == SCT_OK)
        rc = sct_model_build(&m, &tiny, w, &o, err);
    if (rc == SCT_OK)
        rc = sct_tuner_observe(&t, m, err);
    struct sct_readings *none[] = {NULL, NULL};
    if (rc == SCT_OK)
        rc = sct_tuner_choose(&t, m, none, err);
    if (rc == SCT_OK)
        rc = sct_tuner_apply(&t, m, err);
    if (rc == SCT_OK)
        rc = sct_adapter_save(path, m, NULL, &d, &t, &info, err);
    if (rc == SCT_OK)
        rc = stack(path, w, err);
    sct_model_destroy(&m);
    sct_tuner_close(&t);
    if (opened)
        sct_device_close(&d);
    sct_weights_destroy(&w);
    sct_dir_discard(dir);
    return rc;
}

/* Chosen, looked at from outside, merged and exported. */
static sct_status merge_tuned(struct sct_weights *w, struct sct_tuner *t, const char *dir,
                              sct_error *err)
{
    const struct sct_build_opts o = {1, 0, false};
    struct sct_preprocess pre;
    struct sct_choices c = {0};
    struct sct_model *m = NULL, *plain = NULL;
    struct sct_readings *none = sct_readings_create();
    sct_preprocess_default(&pre);
    pre.size = tiny.image;
    sct_status rc = none ? sct_model_build(&m, &tiny, w, &o, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_model_build(&plain, &tiny, w, &o, err);
    if (rc == SCT_OK)
        rc = sct_tuner_choose(t, m, &none, err);
    if (rc == SCT_OK)
        rc = sct_tuner_apply(t, m, err);
    if (rc == SCT_OK)
        rc = sct_choices_find(&c, m, none, err);
    const struct sct_export x = {.model = m, .plain = plain, .pre = &pre};
    if (rc == SCT_OK)
        rc = sct_export_folder(&x, "timm", SCT_ST_F32, dir, err);
    sct_choices_fini(&c);
    sct_readings_destroy(&none);
    sct_model_destroy(&m);
    sct_model_destroy(&plain);
    return rc;
}

/* SCT on the MLP. */
static sct_status export_sct(sct_error *err)
{
    char dir[] = "/tmp/sctrun-oom-XXXXXX";
    const struct sct_set set[] = {{.key = "mode", .value = "mlp", .where = "test"},
                                  {.key = "select", .value = "all", .where = "test"}};
    struct sct_tuner t;
    if (!mkdtemp(dir))
        return sct_fail(err, SCT_EFAIL, "no temporary folder");
    struct sct_weights *w = sct_weights_create("random", true, 1);
    sct_status rc = w ? sct_tuner_open(&t, "sct", set, 2, err) : sct_nomem(err);
    if (rc == SCT_OK) {
        rc = merge_tuned(w, &t, dir, err);
        sct_tuner_close(&t);
    }
    sct_weights_destroy(&w);
    sct_dir_discard(dir);
    return rc;
}

/* In the names of transformers, and opened again. */
static sct_status save_hf(struct sct_weights *w, struct sct_tuner *t, const char *path,
                          sct_error *err)
{
    const struct sct_build_opts o = {1, 0, false};
    struct sct_adapter_info info = {.model = tiny, .names = SCT_PEFT_HF};
    struct sct_model *m = NULL;
    sct_preprocess_default(&info.pre);
    sct_status rc = sct_model_build(&m, &tiny, w, &o, err);
    if (rc == SCT_OK)
        rc = sct_tuner_apply(t, m, err);
    if (rc == SCT_OK)
        rc = sct_adapter_save(path, m, NULL, NULL, t, &info, err);
    sct_model_destroy(&m);
    return rc == SCT_OK ? stack(path, w, err) : rc;
}

static sct_status export_dora(sct_error *err)
{
    char dir[] = "/tmp/sctrun-oom-XXXXXX", path[64];
    const struct sct_set set[] = {{.key = "dora", .value = "on", .where = "test"},
                                  {.key = "dropout", .value = "0.1", .where = "test"}};
    struct sct_tuner t;
    if (!mkdtemp(dir))
        return sct_fail(err, SCT_EFAIL, "no temporary folder");
    (void)snprintf(path, sizeof path, "%s/a", dir);
    struct sct_weights *w = sct_weights_create("random", true, 1);
    sct_status rc = w ? sct_tuner_open(&t, "lora", set, 2, err) : sct_nomem(err);
    if (rc == SCT_OK) {
        rc = merge_tuned(w, &t, dir, err);
        if (rc == SCT_OK)
            rc = save_hf(w, &t, path, err);
        sct_tuner_close(&t);
    }
    sct_weights_destroy(&w);
    sct_dir_discard(dir);
    return rc;
}

static sct_status compare_adapters(sct_error *err)
{
    const uint32_t n = 3;
    const struct sct_desc f = sct_desc_make(SCT_F32, 1, &n), k = sct_desc_make(SCT_I32, 1, &n);
    static const float x[] = {1, 2, 3}, y[] = {1, 2, 4};
    static const int32_t i[] = {1, 2, 3}, j[] = {2, 3, 4};
    struct sct_adapter *a = sct_adapter_create("a"), *b = sct_adapter_create("b");
    struct sct_tensor_diff *d = NULL;
    uint32_t all;
    sct_status rc = a && b ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_adapter_put(a, "x", &f, x, err);
    if (rc == SCT_OK)
        rc = sct_adapter_put(b, "x", &f, y, err);
    if (rc == SCT_OK)
        rc = sct_adapter_put(a, "index", &k, i, err);
    if (rc == SCT_OK)
        rc = sct_adapter_put(b, "index", &k, j, err);
    if (rc == SCT_OK)
        rc = sct_adapter_diff(&d, &all, a, b, err);
    sct_free(d);
    sct_adapter_destroy(&a);
    sct_adapter_destroy(&b);
    return rc;
}

static int sweep(const char *name, scenario run, uint64_t every)
{
    for (uint64_t n = 1;; n += every) {
        sct_error err = SCT_ERROR_INIT;
        (void)sct_mem_fail_at(n, 0);
        const sct_status rc = run(&err);
        const uint64_t used = sct_mem_fail_at(0, 0);
        if (rc == SCT_OK) {
            printf("%s %s: %llu allocations\n", used < n ? "ok  " : "FAIL", name,
                   (unsigned long long)used);
            if (used >= n)
                printf("     success although allocation %llu failed\n", (unsigned long long)n);
            return used >= n;
        }
        if (rc != SCT_ENOMEM || !err.msg[0]) {
            printf("FAIL %s: allocation %llu gives status %d, message \"%s\"\n", name,
                   (unsigned long long)n, (int)rc, err.msg);
            return 1;
        }
    }
}

int main(int argc, char **argv)
{
    const uint64_t every = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    sct_error err = SCT_ERROR_INIT;
    int bad = 0;
    test_dev_init();
    bad |= sweep("settings", settings, every);
    bad |= sweep("opening a folder", open_folder, every);
    bad |= sweep("exporting a folder of timm", export_timm, every);
    bad |= sweep("exporting a folder of transformers", export_hf4, every);
    bad |= sweep("composing, saving, stacking", composed, every);
    bad |= sweep("merging and exporting sct", export_sct, every);
    bad |= sweep("merging DoRA, transformers' names", export_dora, every);
    bad |= sweep("comparing adapters", compare_adapters, every);
    bad |= sweep("linear: model, training plan, exec", linear_plan, every);
    bad |= sweep("linear, Swin: model, training plan, exec", swin_plan, every);
    bad |= sweep("full: model, training plan, exec", full_plan, every);
    bad |= sweep("entries: training plan, exec, merging", entries_plan_and_export, every);
    if (oom_run_init(&err) == SCT_OK) {
        bad |= sweep("sct_finetune: sct", oom_finetune, every);
        bad |= sweep("sct_finetune: full", oom_finetune_full, every);
        bad |= sweep("a session evaluates an adapter", oom_evaluate, every);
    } else {
        printf("FAIL a first run: %s\n", err.msg);
        bad = 1;
    }
    oom_run_fini();
    return bad;
}
