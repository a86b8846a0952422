/* SPDX-License-Identifier: MIT
 * spt_test.c - SPT: the candidates and their numbers, the selection against one that sorts
 * everything for every threshold. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/spt_toy.h"
#include "tests/unit/unit_suite.h"

static const struct sct_model_config vit_b = {.name = "b",
                                              .head_init = "zeros",
                                              .image = 224,
                                              .patch = 16,
                                              .dim = 768,
                                              .depth = 12,
                                              .heads = 12,
                                              .mlp = 3072,
                                              .classes = 10,
                                              .class_token = 1,
                                              .eps = 1e-6f};
const struct sct_model_config spt_toy = {.name = "toy",
                                         .head_init = "zeros",
                                         .image = 32,
                                         .patch = 8,
                                         .dim = 24,
                                         .depth = 3,
                                         .heads = 3,
                                         .mlp = 96,
                                         .classes = 5,
                                         .class_token = 1,
                                         .eps = 1e-6f};
static const struct sct_model_config swin = {.name = "swin",
                                             .arch = SCT_ARCH_SWIN,
                                             .head_init = "zeros",
                                             .image = 32,
                                             .patch = 2,
                                             .dim = 8,
                                             .stage_depth = {2, 1, 1, 1},
                                             .stage_heads = {1, 1, 2, 2},
                                             .window = 4,
                                             .mlp_ratio = 2.0f,
                                             .classes = 3,
                                             .pool = SCT_POOL_AVG,
                                             .eps = 1e-5f};

struct spt_options spt_defaults(void)
{
    return (struct spt_options){.rank = 8,
                                .class_token = 1,
                                .budget = 0.4f,
                                .step = 0.02f,
                                .max = 1.58f,
                                .alpha = 10,
                                .beta = 5,
                                .vectors = 1,
                                .plan = "",
                                .plan_out = ""};
}

struct spt_plan spt_candidates(const struct sct_model_config *c, const struct spt_options *o)
{
    sct_error err = SCT_ERROR_INIT;
    struct spt_plan p;
    struct sct_model *m = NULL;
    const struct sct_build_opts build = {1, 0, false};
    struct sct_weights *w = sct_weights_create("random", true, 0);
    ck_assert_ptr_nonnull(w);
    ck_assert_msg(sct_model_build(&m, c, w, &build, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(spt_plan_init(&p, o, HOST, m, &err) == SCT_OK, "%s", err.msg);
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
    return p;
}

static uint64_t size_of_all(const struct spt_plan *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += spt_size(&p->t[i]);
    return n;
}

/* The numbers of 194 tensors that github.com/ziplab/SPT scores. */
START_TEST(test_candidates_vit)
{
    static const char *const block[] = {
        "norm1.weight",     "norm1.bias",     "attn.q.weight",  "attn.q.bias",
        "attn.k.weight",    "attn.k.bias",    "attn.v.weight",  "attn.v.bias",
        "attn.proj.weight", "attn.proj.bias", "norm2.weight",   "norm2.bias",
        "mlp.fc1.weight",   "mlp.fc1.bias",   "mlp.fc2.weight", "mlp.fc2.bias"};
    const struct spt_options o = spt_defaults();
    struct spt_plan p = spt_candidates(&vit_b, &o);
    uint64_t of[3] = {0, 0, 0}, count[3] = {0, 0, 0};
    char name[64];
    ck_assert_uint_eq(p.n, 194);
    ck_assert_uint_eq(size_of_all(&p), 85056000);
    ck_assert_uint_eq(p.class_token, 768);
    for (size_t i = 0; i < p.n; i++) {
        of[p.t[i].kind] += spt_size(&p.t[i]);
        count[p.t[i].kind]++;
        if (i < 192)
            (void)snprintf(name, sizeof name, "blocks.%zu.%s", i / 16, block[i % 16]);
        else
            (void)snprintf(name, sizeof name, "norm.%s", i == 192 ? "weight" : "bias");
        ck_assert_str_eq(p.t[i].name, name);
    }
    ck_assert_uint_eq(of[SPT_MATRIX], 84934656);
    ck_assert_uint_eq(of[SPT_BIAS], 82944);
    ck_assert_uint_eq(of[SPT_NORM], 38400);
    ck_assert_uint_eq(count[SPT_MATRIX], 72);
    ck_assert_uint_eq(count[SPT_BIAS], 72);
    ck_assert_uint_eq(count[SPT_NORM], 50);
    const struct spt_tensor *v = &p.t[6]; /* blocks.0.attn.v.weight */
    ck_assert(v->first_row == 1536 && v->rows == 768 && v->cols == 768 && v->part == 2);
    ck_assert_uint_eq(v->param, p.t[2].param);
    spt_plan_fini(&p, HOST);
}

END_TEST

START_TEST(test_costs)
{
    struct spt_options o = spt_defaults();
    ck_assert_uint_eq(spt_module_cost(&o, 768, 768), 12288);
    ck_assert_uint_eq(spt_module_cost(&o, 3072, 768), 30720);
    ck_assert_uint_eq(spt_module_cost(&o, 768, 3072), 30720);
    o.type = SPT_ADAPTER;
    ck_assert_uint_eq(spt_module_cost(&o, 768, 768), 13064);
    ck_assert_uint_eq(spt_module_cost(&o, 3072, 768), 52232);
    ck_assert_uint_eq(spt_module_cost(&o, 768, 3072), 13064);
}

END_TEST

/* Every linear layer of the stages and of patch merging; no table of positions. */
START_TEST(test_candidates_swin)
{
    const struct spt_options o = spt_defaults();
    struct spt_plan p = spt_candidates(&swin, &o);
    uint64_t want = 0;
    size_t merges = 0;
    for (unsigned s = 0; s < 4; s++) {
        const uint64_t C = 8u << s, block = 4 * C * C + 4 * C + 2 * 2 * C * C + 3 * C + 4 * C;
        want += (s == 0 ? 2 : 1) * block;
        if (s)
            want += 2 * C * C + 2 * 2 * C; /* reduction of 4 C/2 to C, norm of 4 C/2 */
    }
    want += 2 * 64;
    for (size_t i = 0; i < p.n; i++) {
        merges += strcmp(p.t[i].name, "layers.1.downsample.reduction.weight") == 0;
        ck_assert_msg(!strstr(p.t[i].name, "table") && !strstr(p.t[i].name, "patch_embed"),
                      "%s", p.t[i].name);
    }
    ck_assert_uint_eq(merges, 1);
    ck_assert_uint_eq(size_of_all(&p), want);
    ck_assert_uint_eq(p.class_token, 0);
    ck_assert_str_eq(p.t[2].name, "layers.0.blocks.0.attn.q.weight");
    spt_plan_fini(&p, HOST);
}

END_TEST

/* ---- selection ---- */

struct scored {
    float s;
    uint32_t t, j;
};

static int by_rank(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->s != y->s)
        return x->s > y->s ? -1 : 1;
    return x->t != y->t ? (x->t > y->t) - (x->t < y->t) : (x->j > y->j) - (x->j < y->j);
}

/* Uniform in [0, 1), a stream of its own for every seed. */
static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

/* For one threshold, as engine.py:190-262 does it: fates of all candidates, the total. */
static uint64_t brute(const struct spt_plan *p, const struct spt_options *o,
                      const struct scored *all, uint64_t tau, uint32_t *fate)
{
    uint64_t total = p->class_token, count[64] = {0};
    for (uint64_t i = 0; i < tau; i++)
        count[all[i].t]++;
    for (size_t t = 0; t < p->n; t++) {
        const double len = (double)spt_size(&p->t[t]), n = (double)count[t];
        const uint64_t r = o->rank, out = p->t[t].rows, in = p->t[t].cols,
                       c = o->type == SPT_LORA ? r * (in + out) : 2 * r * out + r + out;
        fate[t] = SPT_FROZEN;
        if (p->t[t].kind != SPT_MATRIX && o->vectors && n >= len / (double)o->beta) {
            fate[t] = SPT_VECTOR;
            total += spt_size(&p->t[t]);
        } else if (p->t[t].kind == SPT_MATRIX && o->structured != SPT_UNSTRUCTURED_ONLY &&
                   n >= (double)c / (double)o->alpha) {
            fate[t] = SPT_STRUCTURED;
            total += c;
        } else if (o->structured != SPT_STRUCTURED_ONLY) {
            fate[t] = count[t] ? SPT_SPARSE : SPT_FROZEN;
            total += count[t];
        }
    }
    return total;
}

struct expected {
    uint64_t tau, total;
    uint32_t fate[64];
};

/* The sweep: thresholds of step parameters. */
static struct expected brute_sweep(const struct spt_plan *p, const struct spt_options *o,
                                   const struct scored *all, uint64_t count, double budget,
                                   unsigned step, unsigned steps)
{
    struct expected x = {0};
    double best = budget;
    for (unsigned i = 1; i <= steps; i++) {
        uint32_t fate[64];
        const uint64_t tau = (uint64_t)i * step < count ? (uint64_t)i * step : count;
        const uint64_t total = brute(p, o, all, tau, fate);
        if (fabs((double)total - budget) <= best) {
            best = fabs((double)total - budget);
            x.tau = tau;
            x.total = total;
            memcpy(x.fate, fate, sizeof fate);
        }
    }
    return x;
}

static void compare(const struct spt_plan *p, const struct expected *x,
                    const struct scored *all)
{
    ck_assert_uint_eq(spt_total(p), x->total);
    for (size_t t = 0; t < p->n; t++) {
        ck_assert_uint_eq(p->t[t].fate, x->fate[t]);
        uint8_t *mask = calloc(1, spt_size(&p->t[t]));
        size_t n = 0;
        for (uint64_t i = 0; i < x->tau && x->fate[t] == SPT_SPARSE; i++)
            if (all[i].t == t)
                mask[all[i].j] = 1, n++;
        ck_assert_uint_eq(p->t[t].n_idx, n);
        for (size_t k = 0; k < n; k++)
            ck_assert(mask[p->t[t].idx[k]] && (!k || p->t[t].idx[k] > p->t[t].idx[k - 1]));
        free(mask);
    }
}

/* Random scores, coarse ones too, so that ties are everywhere; options of all kinds. */
START_TEST(test_select)
{
    uint64_t rng = (uint64_t)_i * 977 + 5;
    struct spt_options o = spt_defaults();
    o.type = (uint32_t)_i % 2;
    o.structured = (uint32_t)_i / 2 % 3;
    o.vectors = _i % 5 != 0;
    o.class_token = _i % 3 != 0;
    o.rank = 1 + (uint32_t)_i % 4;
    o.alpha = _i % 7 ? 10.0f : 2.5f;
    o.beta = _i % 4 ? 5.0f : 1.25f;
    o.step = 0.00015f;
    o.max = _i % 6 ? 0.006f : 0.03f; /* the latter is more than there is */
    struct spt_plan p = spt_candidates(&spt_toy, &o);
    const uint64_t count = size_of_all(&p);
    struct scored *all = calloc(count, sizeof *all);
    float **score = calloc(p.n, sizeof *score);
    uint64_t at = 0;
    for (uint32_t t = 0; t < p.n; t++) {
        const double level = pow(10, 2 * uniform(&rng));
        score[t] = calloc(spt_size(&p.t[t]), sizeof **score);
        for (uint32_t j = 0; j < spt_size(&p.t[t]); j++) {
            const double u = level / (1e-3 + uniform(&rng));
            score[t][j] = (float)(_i % 3 ? u : floor(u / 50));
            all[at++] = (struct scored){score[t][j], t, j};
        }
    }
    qsort(all, count, sizeof *all, by_rank);
    for (int b = 0; b < 4; b++) {
        sct_error err = SCT_ERROR_INIT;
        const unsigned budget = (unsigned)(500 + 9000 * uniform(&rng));
        o.budget = (float)budget / 1e6f;
        const struct expected x =
            brute_sweep(&p, &o, all, count, budget, 150, _i % 6 ? 40 : 200);
        const sct_status rc = spt_select(&p, &o, HOST, (const float *const *)score, &err);
        ck_assert_msg(rc == (x.tau ? SCT_OK : SCT_EUSAGE), "%s", err.msg);
        if (x.tau)
            compare(&p, &x, all);
        else
            ck_assert_msg(strstr(err.msg, "larger budget") != NULL, "%s", err.msg);
        spt_plan_clear(&p, HOST);
    }
    for (size_t t = 0; t < p.n; t++)
        free(score[t]);
    free(score);
    free(all);
    spt_plan_fini(&p, HOST);
}

END_TEST

/* Python's ceil(i * 0.02 * 1e6) is one more than 20000 i for these four, not for others. */
START_TEST(test_thresholds)
{
    static const unsigned steps[] = {1, 34, 35, 36, 41, 57, 70, 79};
    struct sct_model_config c = vit_b;
    struct spt_options o = spt_defaults();
    c.depth = 1;
    o.structured = SPT_UNSTRUCTURED_ONLY;
    o.vectors = o.class_token = 0;
    struct spt_plan p = spt_candidates(&c, &o);
    const float **made_up = calloc(p.n, sizeof *made_up);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        sct_error err = SCT_ERROR_INIT;
        const unsigned k = steps[i], more = k == 35 || k == 41 || k == 57 || k == 70;
        o.budget = (float)k * 0.02f;
        ck_assert_msg(spt_select(&p, &o, HOST, made_up, &err) == SCT_OK, "%s", err.msg);
        ck_assert_uint_eq(spt_total(&p), 20000 * k + more);
        spt_plan_clear(&p, HOST);
    }
    free(made_up);
    spt_plan_fini(&p, HOST);
}

END_TEST

/* Made-up scores give a plan of the size asked for, with some of everything. */
START_TEST(test_dry)
{
    const struct spt_options o = spt_defaults();
    struct spt_plan p = spt_candidates(&vit_b, &o);
    const float **made_up = calloc(p.n, sizeof *made_up);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_msg(spt_select(&p, &o, HOST, made_up, &err) == SCT_OK, "%s", err.msg);
    ck_assert_double_le(fabs((double)spt_total(&p) - 4e5), 4e4);
    ck_assert(p.structured > 0 && p.vectors > 0 && p.sparse > 0);
    free(made_up);
    spt_plan_fini(&p, HOST);
}

END_TEST

static void refused(struct spt_plan *p, const struct spt_options *o, const float *const *score,
                    sct_status code, const char *word)
{
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(spt_select(p, o, HOST, score, &err), code);
    ck_assert_msg(strstr(err.msg, word) != NULL, "%s", err.msg);
    spt_plan_clear(p, HOST);
}

START_TEST(test_refused)
{
    struct spt_options o = spt_defaults();
    o.step = 0.001f;
    o.max = 0.01f;
    o.budget = 0.005f;
    struct spt_plan p = spt_candidates(&spt_toy, &o);
    float **score = calloc(p.n, sizeof *score);
    for (size_t t = 0; t < p.n; t++)
        score[t] = calloc(spt_size(&p.t[t]), sizeof **score);
    const float *const *s = (const float *const *)score;
    refused(&p, &o, s, SCT_EFAIL, "every sensitivity is 0");
    score[3][5] = NAN;
    refused(&p, &o, s, SCT_ENONFINITE, "entry 5 of blocks.0.attn.q.bias");
    score[3][5] = INFINITY;
    refused(&p, &o, s, SCT_ENONFINITE, "entry 5 of blocks.0.attn.q.bias");
    score[3][5] = 1.0f;
    o.max = 0.0005f;
    refused(&p, &o, s, SCT_EUSAGE, "steps of 0.001");
    o.max = 0.01f;
    o.budget = 1e-6f;
    refused(&p, &o, s, SCT_EUSAGE, "larger budget");
    for (size_t t = 0; t < p.n; t++)
        free(score[t]);
    free(score);
    spt_plan_fini(&p, HOST);
}

END_TEST

Suite *spt_suite(void)
{
    Suite *s = suite_create("spt");
    TCase *c = tcase_create("spt");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_candidates_vit);
    tcase_add_test(c, test_costs);
    tcase_add_test(c, test_candidates_swin);
    tcase_add_loop_test(c, test_select, 0, 42);
    tcase_add_test(c, test_thresholds);
    tcase_add_test(c, test_dry);
    tcase_add_test(c, test_refused);
    suite_add_tcase(s, c);
    return s;
}
