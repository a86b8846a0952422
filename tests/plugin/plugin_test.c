/* SPDX-License-Identifier: MIT
 * plugin_test.c - modules that must be refused, and with which words; modules that must not.
 * usage: plugin_test FOLDER_OF_BAD_MODULES FOLDER_OF_OUR_STRATEGIES */
#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/model/vit.h"
#include "core/peft/host.h"
#include "core/plug/module.h"
#include "core/tune/strategies.h"
#include "tests/plugin/bad_apply.h"

static const char *bad_dir, *strategy_dir;

static const char *in(char *buf, size_t size, const char *dir, const char *name)
{
    (void)snprintf(buf, size, "%s/%s.so", dir, name);
    return buf;
}

struct refusal {
    const char *module, *words;
};

static const struct refusal strategies[] = {
    {"wrong_abi", "has ABI 2, this program needs ABI 1"},
    {"short_size", "at least"},
    {"null_table", "returned no table"},
    {"no_apply", "no apply"},
    {"no_name", "no name"},
    {"other_entry", "has no sct_strategy_entry_v1"},
    {"backend_wrong_abi", "has no sct_strategy_entry_v1"}, /* a backend is no strategy */
    {"missing", "no such module"},
};

START_TEST(test_strategy_refused)
{
    const struct refusal *r = &strategies[_i];
    const struct sct_strategy *s = (const void *)r;
    char path[4096];
    sct_error err = SCT_ERROR_INIT;
    in(path, sizeof path, bad_dir, r->module);
    ck_assert_int_eq(sct_plug_strategy(path, &s, &err), SCT_EPLUGIN);
    ck_assert_ptr_null(s);
    ck_assert_msg(strstr(err.msg, r->words) && strstr(err.msg, r->module),
                  "%s: \"%s\" does not say \"%s\"", r->module, err.msg, r->words);
}

END_TEST

static const struct refusal backends[] = {
    {"backend_wrong_abi", "has ABI 2, this program needs ABI 1"},
    {"backend_short_size", "at least"},
    {"backend_null_table", "returned no table"},
    {"no_apply", "has no sct_backend_entry_v1"}, /* a strategy is no backend */
};

START_TEST(test_backend_refused)
{
    const struct refusal *r = &backends[_i];
    const struct sct_backend *b = (const void *)r;
    char path[4096];
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_plug_backend(in(path, sizeof path, bad_dir, r->module), &b, &err),
                     SCT_EPLUGIN);
    ck_assert_ptr_null(b);
    ck_assert_msg(strstr(err.msg, r->words) && strstr(err.msg, r->module), "%s", err.msg);
}

END_TEST

START_TEST(test_not_a_module)
{
    char path[] = "/tmp/sct-plugin-XXXXXX";
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *f = fdopen(fd, "w");
    ck_assert_int_ge(fputs("this is text\n", f), 0);
    ck_assert_int_eq(fclose(f), 0);
    const struct sct_strategy *s;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_plug_strategy(path, &s, &err), SCT_EPLUGIN);
    ck_assert_msg(strstr(err.msg, "cannot be loaded"), "%s", err.msg);
    ck_assert_int_eq(remove(path), 0);
}

END_TEST

/* A name becomes a path only when it cannot leave the folders of modules. */
START_TEST(test_names)
{
    static const char *const bad[] = {"", "Sct", "a b", "sct.so", "..", "a-b", "s\303\244"};
    ck_assert_int_eq(sct_plug_init(NULL, bad_dir, NULL), SCT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct sct_strategy *s;
        sct_error err = SCT_ERROR_INIT;
        ck_assert_msg(sct_plug_strategy(bad[i], &s, &err) == SCT_EUSAGE, "accepted \"%s\"",
                      bad[i]);
        ck_assert_ptr_nonnull(strstr(err.msg, "module name"));
    }
    const struct sct_strategy *s;
    const struct sct_backend *b;
    sct_error err = SCT_ERROR_INIT, none = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_plug_strategy("nothing", &s, &err), SCT_EPLUGIN);
    ck_assert_msg(strstr(err.msg, "\"nothing\"") && strstr(err.msg, "SCTRUN_PLUGIN_PATH"), "%s",
                  err.msg);
    ck_assert_int_eq(sct_plug_backend("nothing", &b, &none), SCT_EDEVICE);
    ck_assert_msg(strstr(none.msg, "ref"), "%s", none.msg); /* what there is */
    ck_assert_int_eq(sct_plug_backend("ref", &b, NULL), SCT_OK);
    ck_assert_str_eq(b->name, "ref");
    sct_plug_fini();
}

END_TEST

/* ---- strategies that load and then misbehave ---- */

static struct sct_model *model(struct sct_weights *w)
{
    const struct sct_model_config cfg = {.name = "tiny",
                                         .head_init = "zeros",
                                         .image = 32,
                                         .patch = 16,
                                         .dim = 24,
                                         .depth = 3,
                                         .heads = 3,
                                         .mlp = 48,
                                         .classes = 5,
                                         .class_token = 1,
                                         .eps = 1e-6f,
                                         .mean = {0.5f, 0.5f, 0.5f},
                                         .std = {0.5f, 0.5f, 0.5f},
                                         .crop_pct = 0.9f};
    const struct sct_build_opts opts = {.batch = 4, .seed = 1};
    struct sct_model *m = NULL;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_msg(sct_vit_build(&m, &cfg, w, &opts, &err) == SCT_OK, "%s", err.msg);
    return m;
}

static const struct {
    uint32_t what;
    sct_status want;
    const char *words;
} misdeeds[] = {
    {BAD_FAIL, SCT_EUSAGE, "this strategy wants 99 heads"},
    {BAD_FAIL_SILENTLY, SCT_EFAIL, "failed without a message"},
    {BAD_FUTURE_OP, SCT_EUNSUP, "newer ops.def"},
    {BAD_OPEN_EDIT, SCT_EPLUGIN, "left the edit of stage[0].block[1].attn.res open"},
    {BAD_TWO_EDITS, SCT_EINVAL, "still open"},
    {BAD_COMMIT_ALONE, SCT_EINVAL, "without edit_begin"},
    {BAD_CHANNELS, SCT_EINVAL, "number of channels"},
    {BAD_STALE_SITE, SCT_EINVAL, "ask again"},
    {BAD_SAME_NAME, SCT_EINVAL, "twice exists already"},
    {BAD_INIT, SCT_EINVAL, "unknown initialiser \"gauss(1)\""},
    {BAD_INDEX_ORDER, SCT_EINVAL, "must ascend"},
    {BAD_INDEX_RANGE, SCT_EINVAL, "must ascend"},
    {BAD_INDEX_EMPTY, SCT_EINVAL, "at least one entry"},
    {BAD_TRAIN, SCT_EINVAL, "does not exist"},
    {BAD_SITE_ID, SCT_EINVAL, "does not exist"},
    {BAD_WATCH_KIND, SCT_EUNSUP, "kind 1000"},
    {BAD_WATCH_ID, SCT_EINVAL, "does not exist"},
    {BAD_NOTHING, SCT_OK, ""},
};

static void open_bad(struct sct_strategy_run *run)
{
    char path[4096];
    const struct sct_strategy *s;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_msg(sct_plug_strategy(in(path, sizeof path, bad_dir, "bad_apply"), &s, &err) ==
                      SCT_OK,
                  "%s", err.msg);
    ck_assert_int_eq(sct_strategy_open(run, s, &err), SCT_OK);
}

START_TEST(test_misdeed)
{
    struct sct_weights *w = sct_weights_create("random", true, 1);
    struct sct_model *m = model(w);
    struct sct_strategy_run run;
    sct_error err = SCT_ERROR_INIT;
    open_bad(&run);
    struct bad_state *state = run.state;
    state->what = misdeeds[_i].what;
    sct_status rc = sct_strategy_observe(&run, m, &err);
    if (rc == SCT_OK)
        rc = sct_strategy_apply(&run, m, &err);
    ck_assert_msg(rc == misdeeds[_i].want, "status %d: %s", rc, err.msg);
    ck_assert_msg(strstr(err.msg, misdeeds[_i].words), "\"%s\" does not say \"%s\"", err.msg,
                  misdeeds[_i].words);
    if (rc != SCT_OK)
        ck_assert_msg(strstr(err.msg, "strategy bad_apply"), "\"%s\" does not name it",
                      err.msg);
    else
        ck_assert_int_eq(sct_graph_verify(m->g, NULL), SCT_OK);
    sct_strategy_close(&run);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
}

END_TEST

/* ---- our own ---- */

START_TEST(test_ours_load)
{
    DIR *d = opendir(strategy_dir);
    ck_assert_msg(d != NULL, "%s", strategy_dir);
    unsigned n = 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        const size_t len = strlen(e->d_name);
        if (len < 4 || strcmp(e->d_name + len - 3, ".so") != 0)
            continue;
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", strategy_dir, e->d_name);
        const struct sct_strategy *s;
        sct_error err = SCT_ERROR_INIT;
        ck_assert_msg(sct_plug_strategy(path, &s, &err) == SCT_OK, "%s", err.msg);
        ck_assert_uint_eq(strlen(s->name), len - 3); /* the file is called as the strategy */
        ck_assert_int_eq(strncmp(s->name, e->d_name, len - 3), 0);
        ck_assert(s->summary && *s->summary);
        for (const struct sct_option *o = s->options; o && o->key; o++) {
            ck_assert_msg(o->help && *o->help, "%s: option %s has no help", s->name, o->key);
            ck_assert_msg(o->type <= SCT_OPT_COUNT, "%s: option %s", s->name, o->key);
            ck_assert_msg(o->offset < s->state_size, "%s: option %s", s->name, o->key);
            if (o->type == SCT_OPT_CHOICE || o->type == SCT_OPT_COUNT)
                ck_assert_msg(o->def_str != NULL, "%s: option %s", s->name, o->key);
        }
        n++;
    }
    closedir(d);
    ck_assert_uint_ge(n, 4);
}

END_TEST

/* Backbones that lack what a strategy needs: no parameter has the word in its name, and where
 * `blind`, there are no sites; where `flat`, no site has a grid. No backbone of the project is
 * like that. */
static const struct {
    const char *strategy, *lacks;
    bool blind;
    sct_status want;
    const char *words;
    bool flat;
} poor[] = {
    {"bitfit", "bias", false, SCT_EUNSUP, "is a bias", false},
    {"layernorm", "norm", false, SCT_EUNSUP, "belongs to a norm", false},
    {"partial", "fc1", false, SCT_EUNSUP, "stage[0].block[2].mlp.fc1: its weight has no name",
     false},
    {"partial", "-", true, SCT_EUSAGE, "the last 1 are wanted, this model has 0", false},
    {"adapter", "-", true, SCT_EUNSUP, "no **.mlp.out", false},
    {"adaptformer", "-", true, SCT_EUNSUP, "found 0 and 0", false},
    {"repadapter", "-", true, SCT_EUNSUP, "no **.attn.in,**.mlp.in", false},
    {"convpass", "-", true, SCT_EUNSUP, "found 0 and 0", false},
    {"convpass", "-", false, SCT_EUNSUP, "block[0].attn.in: expected a grid of patches", true},
};

START_TEST(test_poor_backbone)
{
    struct sct_weights *w = sct_weights_create("random", true, 1);
    struct sct_model *m = model(w);
    struct sct_tuner t;
    char path[4096];
    sct_error err = SCT_ERROR_INIT;
    for (uint32_t i = 0; i < m->n_param; i++)
        if (strncmp(m->param[i]->name, "head", 4) != 0 &&
            strstr(m->param[i]->name, poor[_i].lacks))
            m->param[i]->name = "blocks.0.other";
    if (poor[_i].blind)
        m->n_site = 0;
    for (uint32_t i = 0; i < m->n_site && poor[_i].flat; i++)
        m->site[i].grid_h = 0;
    in(path, sizeof path, strategy_dir, poor[_i].strategy);
    ck_assert_msg(sct_tuner_open(&t, path, NULL, 0, &err) == SCT_OK, "%s", err.msg);
    const sct_status rc = sct_tuner_apply(&t, m, &err);
    ck_assert_msg(rc == poor[_i].want, "status %d: %s", rc, err.msg);
    ck_assert_msg(strstr(err.msg, poor[_i].words), "\"%s\" does not say \"%s\"", err.msg,
                  poor[_i].words);
    ck_assert_msg(strstr(err.msg, poor[_i].strategy), "\"%s\" does not name it", err.msg);
    sct_tuner_close(&t);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
}

END_TEST

/* ---- composed ---- */

/* Equal protocols are one run, whoever asks; an equal watch is none more. */
START_TEST(test_calibration_runs)
{
    const struct sct_strategy_host *h = sct_strategy_host_table();
    const struct sct_protocol whole = {.size = sizeof whole},
                              few = {.size = sizeof few, .max_batches = 2},
                              any = {.size = sizeof any, .any_class = 1};

    const struct {
        const struct sct_protocol *p;
        uint32_t site, runs;
    } step[] = {{&whole, 1, 1}, {&whole, 2, 1}, {&few, 1, 2},
                {&whole, 1, 2}, {&any, 1, 2},   {&few, 2, 2}};
    struct sct_weights *w = sct_weights_create("random", true, 1);
    struct sct_model *m = model(w);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_uint_eq(sct_calibration_runs(m), 0);
    for (size_t i = 0; i < sizeof step / sizeof step[0]; i++) {
        ck_assert_int_eq(h->watch(m, SCT_WATCH_SUMSQ_LABEL, step[i].site, step[i].p, &err),
                         SCT_OK);
        ck_assert_uint_eq(sct_calibration_runs(m), step[i].runs);
    }
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
}

END_TEST

/* A strategy that misbehaves is named as alone, wherever it stands, and what stood in front of
 * it stays whole. */
START_TEST(test_misdeed_composed)
{
    struct sct_weights *w = sct_weights_create("random", true, 1);
    struct sct_model *m = model(w);
    struct sct_tuner t = {0};
    char path[4096];
    sct_error err = SCT_ERROR_INIT;
    in(path, sizeof path, strategy_dir, "lora");
    ck_assert_int_eq(sct_tuner_add(&t, path, NULL, 0, &err), SCT_OK);
    in(path, sizeof path, bad_dir, "bad_apply");
    for (int i = 0; i < 2; i++) /* the one in between does nothing wrong */
        ck_assert_msg(sct_tuner_add(&t, path, NULL, 0, &err) == SCT_OK, "%s", err.msg);
    ck_assert_str_eq(t.name, "lora+bad_apply+bad_apply2");
    ((struct bad_state *)t.part[1].run.state)->what = BAD_NOTHING;
    ((struct bad_state *)t.part[2].run.state)->what = misdeeds[_i].what;
    sct_status rc = sct_tuner_observe(&t, m, &err);
    if (rc == SCT_OK)
        rc = sct_tuner_apply(&t, m, &err);
    ck_assert_msg(rc == misdeeds[_i].want, "status %d: %s", rc, err.msg);
    ck_assert_msg(strstr(err.msg, misdeeds[_i].words), "\"%s\" does not say \"%s\"", err.msg,
                  misdeeds[_i].words);
    if (rc != SCT_OK)
        ck_assert_msg(strstr(err.msg, "strategy bad_apply"), "\"%s\" does not name it",
                      err.msg);
    in(path, sizeof path, bad_dir, "no_apply");
    ck_assert_int_eq(sct_tuner_add(&t, path, NULL, 0, &err), SCT_EPLUGIN);
    ck_assert_uint_eq(t.n, 3);
    sct_tuner_close(&t);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
}

END_TEST

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: plugin_test BAD_MODULES STRATEGIES\n");
        return 2;
    }
    bad_dir = argv[1];
    strategy_dir = argv[2];
    Suite *s = suite_create("plugin");
    TCase *t = tcase_create("plugin");
    tcase_add_loop_test(t, test_strategy_refused, 0, sizeof strategies / sizeof strategies[0]);
    tcase_add_loop_test(t, test_backend_refused, 0, sizeof backends / sizeof backends[0]);
    tcase_add_test(t, test_not_a_module);
    tcase_add_test(t, test_names);
    tcase_add_loop_test(t, test_misdeed, 0, sizeof misdeeds / sizeof misdeeds[0]);
    tcase_add_test(t, test_ours_load);
    tcase_add_loop_test(t, test_poor_backbone, 0, sizeof poor / sizeof poor[0]);
    tcase_add_test(t, test_calibration_runs);
    tcase_add_loop_test(t, test_misdeed_composed, 0, sizeof misdeeds / sizeof misdeeds[0]);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
