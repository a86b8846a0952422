/* SPDX-License-Identifier: MIT
 * spt_file_test.c - SPT's plans in files: both forms there and back, the file of PyTorch, the
 * invariants of the published files, what is refused and why; plans in adapters. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/checkpoint/torch_values.h"
#include "core/io/file.h"
#include "core/peft/table.h"
#include "tests/unit/spt_toy.h"
#include "tests/unit/unit_suite.h"

static const char toy_pth[] = SCT_TEST_GOLDEN "/spt/param_req_toy.pth";

static char folder[64];

static void setup(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/sctrun-spt-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    sct_dir_discard(folder);
}

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A plan of the toy with some of everything. */
static struct spt_plan some_plan(const struct spt_options *o)
{
    sct_error err = SCT_ERROR_INIT;
    struct spt_plan p = spt_candidates(&spt_toy, o);
    const float **made_up = calloc(p.n, sizeof *made_up);
    ck_assert_msg(spt_select(&p, o, HOST, made_up, &err) == SCT_OK, "%s", err.msg);
    free(made_up);
    ck_assert(p.structured && p.vectors && p.sparse);
    return p;
}

static struct spt_options small(uint32_t type)
{
    struct spt_options o = spt_defaults();
    o.type = type;
    o.rank = 2;
    o.step = 0.0001f;
    o.max = 0.005f;
    o.budget = 0.0012f;
    return o;
}

static void same(const struct spt_plan *a, const struct spt_plan *b)
{
    ck_assert_uint_eq(a->n, b->n);
    ck_assert_uint_eq(a->structured, b->structured);
    ck_assert_uint_eq(a->vectors, b->vectors);
    ck_assert_uint_eq(a->sparse, b->sparse);
    ck_assert_uint_eq(a->class_token, b->class_token);
    for (size_t i = 0; i < a->n; i++) {
        ck_assert_uint_eq(a->t[i].fate, b->t[i].fate);
        ck_assert_uint_eq(a->t[i].n_idx, b->t[i].n_idx);
        ck_assert(!a->t[i].n_idx || memcmp(a->t[i].idx, b->t[i].idx, 4 * a->t[i].n_idx) == 0);
    }
}

START_TEST(test_there_and_back)
{
    static const char *const names[] = {"plan.json", "plan.pth"};
    const struct spt_options o = small((uint32_t)_i % 2);
    const char *path = in_folder(names[_i / 2]);
    sct_error err = SCT_ERROR_INIT;
    struct spt_plan p = some_plan(&o), q = spt_candidates(&spt_toy, &o);
    ck_assert_msg(spt_plan_write(&p, &o, HOST, path, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(spt_plan_read(&q, &o, HOST, path, &err) == SCT_OK, "%s", err.msg);
    same(&p, &q);
    spt_plan_fini(&p, HOST);
    spt_plan_fini(&q, HOST);
}

END_TEST

/* A plan without entries, and one of entries alone. */
START_TEST(test_extremes)
{
    struct spt_options o = small(SPT_LORA);
    sct_error err = SCT_ERROR_INIT;
    const char *path = in_folder(_i % 2 ? "plan.pth" : "plan.json");
    struct spt_plan p = spt_candidates(&spt_toy, &o), q = spt_candidates(&spt_toy, &o);
    const float **made_up = calloc(p.n, sizeof *made_up);
    o.structured = _i / 2 ? SPT_UNSTRUCTURED_ONLY : SPT_STRUCTURED_ONLY;
    o.vectors = _i / 2 == 0;
    ck_assert_msg(spt_select(&p, &o, HOST, made_up, &err) == SCT_OK, "%s", err.msg);
    ck_assert((p.sparse == 0) == (_i / 2 == 0) && (p.structured == 0) == (_i / 2 == 1));
    ck_assert_msg(spt_plan_write(&p, &o, HOST, path, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(spt_plan_read(&q, &o, HOST, path, &err) == SCT_OK, "%s", err.msg);
    same(&p, &q);
    free(made_up);
    spt_plan_fini(&p, HOST);
    spt_plan_fini(&q, HOST);
}

END_TEST

static double number(const json_t *root, const char *key)
{
    return json_number_value(json_object_get(root, key));
}

/* What holds for all 266 published files holds for ours. */
START_TEST(test_invariants)
{
    const struct spt_options o = small((uint32_t)_i);
    const char *path = in_folder("plan.pth"), *name;
    sct_error err = SCT_ERROR_INIT;
    struct spt_plan p = some_plan(&o);
    json_t *root = NULL, *size;
    ck_assert_msg(spt_plan_write(&p, &o, HOST, path, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(sct_torch_values_read(path, &root, &err) == SCT_OK, "%s", err.msg);
    const json_t *rows = json_object_get(root, "tuned_matrices"),
                 *vectors = json_object_get(root, "tuned_vectors"),
                 *shapes = json_object_get(root, "unstructured_name_shapes"),
                 *counts = json_object_get(root, "unstructured_name_shapes_int"),
                 *index = json_object_get(root, "unstructured_indexes");
    size_t matrices = 0, all = 0;
    ck_assert_uint_eq(json_array_size(rows), 3);
    for (size_t b = 0; b < 3; b++)
        for (size_t c = 0; c < 6; c++)
            matrices += json_integer_value(json_array_get(json_array_get(rows, b), c)) == 1;
    ck_assert_uint_eq(matrices + json_array_size(vectors) + json_object_size(shapes), p.n);
    ck_assert_uint_eq(json_object_size(counts), json_object_size(shapes));
    json_object_foreach((json_t *)(uintptr_t)shapes, name, size)
    {
        size_t n = 1;
        for (size_t k = 0; k < json_array_size(size); k++)
            n *= (size_t)json_integer_value(json_array_get(size, k));
        ck_assert_uint_eq((size_t)json_integer_value(json_object_get(counts, name)), n);
        all += n;
    }
    ck_assert_uint_eq(json_array_size(index), (size_t)number(root, "unstructured_params"));
    ck_assert_uint_eq((size_t)number(root, "structured_params"), p.structured + p.vectors);
    ck_assert_double_eq_tol(
        number(root, "params") * 1e6,
        number(root, "structured_params") + number(root, "unstructured_params") + 24, 1e-3);
    for (size_t k = 0; k < json_array_size(index); k++)
        ck_assert(json_integer_value(json_array_get(index, k)) < (json_int_t)all);
    for (size_t i = 0; i < p.n; i++)
        if (p.t[i].kind == SPT_MATRIX && p.t[i].fate == SPT_SPARSE)
            ck_assert(10 * p.t[i].n_idx < spt_module_cost(&o, p.t[i].rows, p.t[i].cols));
    json_decref(root);
    spt_plan_fini(&p, HOST);
}

END_TEST

/* param_req_toy.pth of tools/golden/make_sensitivity.py. */
START_TEST(test_of_pytorch)
{
    const struct spt_options o = small(SPT_LORA);
    sct_error err = SCT_ERROR_INIT;
    struct spt_plan p = spt_candidates(&spt_toy, &o);
    size_t modules = 0, vectors = 0;
    json_t *root = NULL;
    ck_assert_msg(spt_plan_read(&p, &o, HOST, toy_pth, &err) == SCT_OK, "%s", err.msg);
    for (size_t i = 0; i < p.n; i++) {
        modules += p.t[i].fate == SPT_STRUCTURED;
        vectors += p.t[i].fate == SPT_VECTOR;
    }
    ck_assert_uint_eq(modules, 5);
    ck_assert_uint_eq(vectors, 4);
    ck_assert_uint_eq(p.structured, 2 * (3 * 48 + 2 * 120));
    ck_assert_uint_eq(p.vectors, 24 + 24 + 96 + 24);
    ck_assert_uint_eq(p.sparse, 300);
    /* the positions again, in the concatenation of what is neither */
    ck_assert_msg(sct_torch_values_read(toy_pth, &root, &err) == SCT_OK, "%s", err.msg);
    const json_t *index = json_object_get(root, "unstructured_indexes");
    uint64_t first = 0;
    size_t at = 0;
    for (size_t i = 0; i < p.n; i++) {
        for (size_t k = 0; k < p.t[i].n_idx; k++)
            ck_assert_uint_eq(first + p.t[i].idx[k],
                              (uint64_t)json_integer_value(json_array_get(index, at++)));
        if (p.t[i].fate == SPT_FROZEN || p.t[i].fate == SPT_SPARSE)
            first += spt_size(&p.t[i]);
    }
    ck_assert_uint_eq(at, 300);
    ck_assert_double_eq_tol(number(root, "params") * 1e6, (double)spt_total(&p), 1e-3);
    json_decref(root);
    spt_plan_fini(&p, HOST);
}

END_TEST

/* ---- what is refused ---- */

struct change {
    const char *at, *json; /* value that replaces (adds) the member at this path; NULL: gone */
    const char *words;     /* of the message */
};

static void put_at(json_t *root, const char *path, const char *json)
{
    char part[256], *word = part, *slash;
    json_t *in = root;
    (void)snprintf(part, sizeof part, "%s", path);
    for (; (slash = strchr(word, '/')); word = slash + 1) {
        *slash = 0;
        in = json_is_array(in) ? json_array_get(in, strtoul(word, NULL, 10))
                               : json_object_get(in, word);
    }
    json_t *v = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
    if (!json)
        ck_assert_int_eq(json_object_del(in, word), 0);
    else if (json_is_array(in) && strtoul(word, NULL, 10) == json_array_size(in))
        ck_assert_int_eq(json_array_append_new(in, v), 0);
    else if (json_is_array(in))
        ck_assert_int_eq(json_array_set_new(in, strtoul(word, NULL, 10), v), 0);
    else
        ck_assert_int_eq(json_object_set_new(in, word, v), 0);
}

static void refused(const json_t *good, const struct change *c)
{
    const struct spt_options o = small(SPT_LORA);
    const char *path = in_folder("changed.json");
    sct_error err = SCT_ERROR_INIT;
    struct spt_plan p = spt_candidates(&spt_toy, &o);
    json_t *copy = json_deep_copy(good);
    put_at(copy, c->at, c->json);
    ck_assert_msg(sct_json_save(path, copy, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(spt_plan_read(&p, &o, HOST, path, &err) == SCT_EFILE, "%s: accepted", c->at);
    ck_assert_msg(strstr(err.msg, c->words) && strstr(err.msg, "changed.json"),
                  "%s: expected \"%s\", found \"%s\"", c->at, c->words, err.msg);
    for (size_t i = 0; i < p.n; i++)
        ck_assert(p.t[i].fate == SPT_FROZEN && !p.t[i].idx);
    json_decref(copy);
    spt_plan_fini(&p, HOST);
}

static const char q0[] = "blocks.0.attn.q.weight";

START_TEST(test_bad_own)
{
    static const struct change changes[] = {
        {"format", "\"other\"", "no plan"},
        {"format", NULL, "no plan"},
        {"version", "2", "version 1, found 2"},
        {"shapes/blocks.0.attn.q.weight", "[24, 25]", "24 x 24, the plan is of 24 x 25"},
        {"shapes/blocks.0.attn.q.weight", "[24]", "a list of 2 whole numbers"},
        {"shapes/blocks.0.attn.q.weight", "[24.5, 24]", "a list of 2 whole numbers"},
        {"shapes/blocks.0.attn.q.weight", NULL, "is missing"},
        {"shapes/blocks.9.attn.q.weight", "[24, 24]", "no candidate blocks.9.attn.q.weight"},
        {"sparse/blocks.0.attn.q.weight", "[3, 576]", "is 576; expected ascending"},
        {"sparse/blocks.0.attn.q.weight", "[3, 3]", "is 3; expected ascending"},
        {"sparse/blocks.0.attn.q.weight", "[-1, 3]", "is -1; expected ascending"},
        {"sparse/blocks.0.attn.q.weight", "[0.5]", "whole numbers"},
        {"sparse/blocks.0.attn.q.weight", "[4294967296]", "whole numbers"},
        {"sparse/blocks.0.attn.x.weight", "[1]", "no candidate blocks.0.attn.x.weight"},
        {"sparse/blocks.0.attn.v.weight", "[1]", "there twice"},
        {"structured/0", "\"blocks.0.norm1.weight\"", "weights of linear layers"},
        {"structured/0", "\"nothing\"", "no candidate nothing"},
        {"structured/0", "7", "expected a"},
        {"structured/1", "\"blocks.0.attn.v.weight\"", "there twice"},
        {"vectors/0", "\"blocks.0.attn.q.weight\"", "biases and norms"},
        {"vectors", "{\"a\": 1}", "expected a list of names"},
        {"vectors", NULL, "expected a list of names"},
        {"else", "1", "unknown entry else"},
    };
    json_t *good =
        json_pack("{s:s, s:i, s:[s], s:[s], s:{s:[i,i]}, s:{}}", "format", "sctrun spt plan",
                  "version", 1, "structured", "blocks.0.attn.v.weight", "vectors", "norm.bias",
                  "sparse", q0, 1, 5, "shapes");
    const struct spt_options o = small(SPT_LORA);
    struct spt_plan p = spt_candidates(&spt_toy, &o);
    for (size_t i = 0; i < p.n; i++)
        json_object_set_new(json_object_get(good, "shapes"), p.t[i].name,
                            p.t[i].kind == SPT_MATRIX
                                ? json_pack("[i,i]", p.t[i].rows, p.t[i].cols)
                                : json_pack("[i]", p.t[i].rows));
    sct_error err = SCT_ERROR_INIT;
    const char *path = in_folder("good.json");
    ck_assert_int_eq(sct_json_save(path, good, &err), SCT_OK);
    ck_assert_msg(spt_plan_read(&p, &o, HOST, path, &err) == SCT_OK, "%s", err.msg);
    ck_assert_uint_eq(spt_total(&p), 2 * 48 + 24 + 2 + 24);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        refused(good, &changes[i]);
    json_decref(good);
    spt_plan_fini(&p, HOST);
}

END_TEST

/* The published layout is checked alike, whatever container it comes in. */
START_TEST(test_bad_published)
{
    static const struct change changes[] = {
        {"tuned_matrices/3", "[0, 0, 0, 0, 0, 0]", "each of the model's 3 blocks"},
        {"tuned_matrices/1", "[0, 0]", "a list of 6 whole numbers"},
        {"tuned_matrices/1", "[0, 2, 0, 0, 0, 0]", "expected 0 or 1, found 2"},
        {"tuned_matrices/0", "[1, 0, 1, 0, 0, 0]", "there twice"},
        {"tuned_matrices/0", "[0, 0, 0, 0, 0, 0]",
         "blocks.0.attn.v.weight of the model is in none of"},
        {"tuned_vectors/0", "\"blocks.7.norm1.weight\"", "no candidate"},
        {"tuned_vectors/1", "\"blocks.0.norm1.weight\"", "there twice"},
        {"unstructured_name_shapes/blocks.0.attn.q.weight", "[24, 1]", "the model has 24 x 24"},
        {"unstructured_name_shapes_int/blocks.0.attn.q.weight", "5", "expected 576, found 5"},
        {"unstructured_indexes", "[5, 5]", "ascending"},
        {"unstructured_indexes", "[5, 4]", "ascending"},
        {"unstructured_indexes", "[99999999]", "is 99999999; expected ascending"},
        {"unstructured_indexes", "[-4]", "is -4; expected ascending"},
        {"unstructured_indexes", "3", "is missing"},
    };
    sct_error err = SCT_ERROR_INIT;
    json_t *good = NULL;
    ck_assert_msg(sct_torch_values_read(toy_pth, &good, &err) == SCT_OK, "%s", err.msg);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        refused(good, &changes[i]);
    json_decref(good);
}

END_TEST

/* A Swin has matrices that the published layout does not. */
START_TEST(test_published_wants_a_vit)
{
    const struct sct_model_config swin = {.name = "swin",
                                          .arch = SCT_ARCH_SWIN,
                                          .head_init = "zeros",
                                          .image = 32,
                                          .patch = 2,
                                          .dim = 8,
                                          .stage_depth = {1, 1, 1, 1},
                                          .stage_heads = {1, 1, 2, 2},
                                          .window = 4,
                                          .mlp_ratio = 2.0f,
                                          .classes = 3,
                                          .pool = SCT_POOL_AVG,
                                          .eps = 1e-5f};
    const struct spt_options o = small(SPT_LORA);
    sct_error err = SCT_ERROR_INIT;
    struct spt_plan p = spt_candidates(&swin, &o), q = spt_candidates(&swin, &o);
    const float **made_up = calloc(p.n, sizeof *made_up);
    ck_assert_msg(spt_select(&p, &o, HOST, made_up, &err) == SCT_OK, "%s", err.msg);
    ck_assert_int_eq(spt_plan_write(&p, &o, HOST, in_folder("swin.pth"), &err), SCT_EUNSUP);
    ck_assert_msg(strstr(err.msg, ".json") != NULL, "%s", err.msg);
    ck_assert(access(in_folder("swin.pth"), F_OK) != 0);
    err.code = SCT_OK;
    ck_assert_int_eq(spt_plan_write(&p, &o, HOST, in_folder("swin.json"), &err), SCT_OK);
    ck_assert_int_eq(spt_plan_read(&q, &o, HOST, in_folder("swin.json"), &err), SCT_OK);
    same(&p, &q);
    free(made_up);
    spt_plan_fini(&p, HOST);
    spt_plan_fini(&q, HOST);
}

END_TEST

/* ---- memory that is short ---- */

/* Candidates, selection, both forms of a file, an adapter. */
static sct_status everything(const struct sct_model *m, const char *path, sct_error *err)
{
    const struct spt_options o = small(SPT_LORA);
    static const float *made_up[64];
    struct spt_plan p, q = {0};
    struct sct_adapter *a = NULL;
    SCT_TRY(spt_plan_init(&p, &o, HOST, m, err));
    sct_status rc = spt_select(&p, &o, HOST, made_up, err);
    if (rc == SCT_OK)
        rc = spt_plan_write(&p, &o, HOST, path, err);
    if (rc == SCT_OK)
        rc = spt_plan_init(&q, &o, HOST, m, err);
    if (rc == SCT_OK)
        rc = spt_plan_read(&q, &o, HOST, path, err);
    if (rc == SCT_OK) {
        a = sct_adapter_create("adapter");
        rc = a ? spt_plan_save(&q, HOST, a, err) : sct_fail(err, SCT_ENOMEM, "short");
        spt_plan_clear(&q, HOST);
    }
    if (rc == SCT_OK)
        rc = spt_plan_load(&q, &o, HOST, a, err);
    sct_adapter_destroy(&a);
    spt_plan_fini(&p, HOST);
    spt_plan_fini(&q, HOST);
    return rc;
}

/* Every allocation fails once: ENOMEM with a message, and nothing is lost (sanitizers). */
START_TEST(test_short_of_memory)
{
    char path[128];
    sct_error err = SCT_ERROR_INIT;
    struct sct_model *m = NULL;
    const struct sct_build_opts build = {1, 0, false};
    struct sct_weights *w = sct_weights_create("random", true, 0);
    ck_assert_int_eq(sct_model_build(&m, &spt_toy, w, &build, &err), SCT_OK);
    (void)snprintf(path, sizeof path, "%s", in_folder(_i ? "plan.pth" : "plan.json"));
    sct_status rc = SCT_ENOMEM;
    uint64_t n = 0;
    while (rc != SCT_OK) {
        err = (sct_error)SCT_ERROR_INIT;
        (void)sct_mem_fail_at(++n, 0);
        rc = everything(m, path, &err);
        ck_assert_msg(rc == SCT_OK || (rc == SCT_ENOMEM && err.msg[0]), "%llu: %d %s",
                      (unsigned long long)n, (int)rc, err.msg);
    }
    (void)sct_mem_fail_at(0, 0);
    ck_assert_uint_gt(n, 50);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
}

END_TEST

/* ---- adapters ---- */

START_TEST(test_adapter)
{
    const struct spt_options o = small(SPT_LORA);
    sct_error err = SCT_ERROR_INIT;
    struct spt_plan p = some_plan(&o), q = spt_candidates(&spt_toy, &o);
    struct sct_adapter *a = sct_adapter_create("adapter");
    ck_assert_msg(spt_plan_save(&p, HOST, a, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(spt_plan_load(&q, &o, HOST, a, &err) == SCT_OK, "%s", err.msg);
    same(&p, &q);
    for (size_t i = 0; i < a->n; i++)
        ck_assert(a->item[i].used);
    /* every number of it out of its range */
    for (uint32_t i = 0; i < a->n; i++) {
        int32_t *v = a->item[i].data;
        for (uint32_t k = 0; k < a->item[i].desc.dim[0]; k++) {
            static const int32_t bad[] = {-1, 1 << 30};
            for (unsigned b = 0; b < 2; b++) {
                const int32_t was = v[k];
                v[k] = bad[b];
                err.code = SCT_OK;
                spt_plan_clear(&q, HOST);
                ck_assert_int_eq(spt_plan_load(&q, &o, HOST, a, &err), SCT_EFILE);
                ck_assert_msg(strstr(err.msg, "spt.plan.") != NULL, "%s", err.msg);
                v[k] = was;
            }
        }
    }
    sct_adapter_destroy(&a);
    spt_plan_fini(&p, HOST);
    spt_plan_fini(&q, HOST);
}

END_TEST

Suite *spt_file_suite(void)
{
    Suite *s = suite_create("spt_file");
    TCase *c = tcase_create("files");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, test_there_and_back, 0, 4);
    tcase_add_loop_test(c, test_extremes, 0, 4);
    tcase_add_loop_test(c, test_invariants, 0, 2);
    tcase_add_test(c, test_of_pytorch);
    tcase_add_test(c, test_bad_own);
    tcase_add_test(c, test_bad_published);
    tcase_add_test(c, test_published_wants_a_vit);
    tcase_add_test(c, test_adapter);
    tcase_add_loop_test(c, test_short_of_memory, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
