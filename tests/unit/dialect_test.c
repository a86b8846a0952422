/* SPDX-License-Identifier: MIT
 * dialect_test.c - names and layouts both ways, in every dialect; which dialect a file is of;
 * what is left out, and what is a problem. */
#include "core/model/dialect.h"

#include "tests/unit/dialect_file.h"
#include "tests/unit/unit_suite.h"

/* ---- patterns and layouts ---- */

START_TEST(test_patterns)
{
    static const struct {
        const char *pattern, *name;
        bool fits;
        const char *to, *want; /* the counterpart and what it makes of the name */
    } cases[] = {
        {"norm.(weight|bias)", "norm.bias", true, "n/(scale|bias)", "n/bias"},
        {"norm.(weight|bias)", "norm.weight", true, "n/(scale|bias)", "n/scale"},
        {"norm.(weight|bias)", "norm.weights", false, NULL, NULL},
        {"norm.(weight|bias)", "norm.", false, NULL, NULL},
        {"b.#.x", "b.0.x", true, "#/y", "0/y"},
        {"b.#.x", "b.1023.x", true, "#/y", "1023/y"},
        {"b.#.x", "b.01.x", false, NULL, NULL},
        {"b.#.x", "b.00.x", false, NULL, NULL},
        {"b.#.x", "b.12345.x", false, NULL, NULL},
        {"b.#.x", "b.-1.x", false, NULL, NULL},
        {"b.#.x", "b..x", false, NULL, NULL},
        {"l.#-1.d", "l.0.d", true, "l.#.d", "l.1.d"},
        {"l.#.d", "l.3.d", true, "l.#-1.d", "l.2.d"},
        {"l.#.d", "l.0.d", true, "l.#-1.d", NULL},
        {"l.#+1.d", "l.0.d", false, NULL, NULL},
        {"l.#+1.d", "l.1.d", true, "l.#.d", "l.0.d"},
        {"l.#.b.#.(u|v)", "l.2.b.17.v", true, "#.#.(x|y)", "2.17.y"},
        {"[vit.]a", "vit.a", true, "a", "a"},
        {"[vit.]a", "a", true, "[vit.]b", "vit.b"},
        {"[vit.]a", "vit.", false, NULL, NULL},
        {"a.<q|k|v>.w", "a.k.w", true, "<0|1|2>", "1"},
        {"a.*", "a.b.c", true, NULL, NULL},
        {"a.*", "a.", false, NULL, NULL},
        {"", "", true, "", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sct_name_match m;
        char buf[SCT_NAME_MAX];
        ck_assert_msg(sct_name_match(cases[i].pattern, cases[i].name, &m) == cases[i].fits,
                      "%s %s", cases[i].pattern, cases[i].name);
        if (!cases[i].to)
            continue;
        ck_assert(sct_name_write(cases[i].to, &m, true, buf) == (cases[i].want != NULL));
        if (cases[i].want)
            ck_assert_str_eq(buf, cases[i].want);
    }
}

END_TEST

START_TEST(test_name_bounds)
{
    struct sct_name_match m = {.n_number = 1, .number = {7}};
    char long_name[400], buf[SCT_NAME_MAX];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    ck_assert(!sct_name_write(long_name, &m, true, buf));
    long_name[SCT_NAME_MAX - 1] = 0;
    ck_assert(sct_name_write(long_name, &m, true, buf));
    ck_assert_str_eq(buf, long_name);
    ck_assert(!sct_name_write("a.*", &m, true, buf));
    ck_assert_uint_eq(sct_name_parts("a.<q|k|v>.w"), 3);
    ck_assert_uint_eq(sct_name_parts("a.(q|k)"), 1);
    ck_assert_uint_eq(sct_name_choices("(a|b).(c|d|e)"), 6);
    sct_name_choose("(a|b).(c|d|e)", 5, &m);
    ck_assert(sct_name_write("(a|b).(c|d|e)", &m, true, buf));
    ck_assert_str_eq(buf, "b.e");
}

END_TEST

/* Values 0, 1, 2, ... in the file's order; timm's order by hand. */
START_TEST(test_layouts)
{
    static const struct {
        const char *text;
        uint64_t src[SCT_LAYOUT_AXES];
        uint32_t nd, dst[4], n_dst, slice;
        float want[12];
    } cases[] = {
        {"", {2, 3}, 2, {2, 3}, 2, 0, {0, 1, 2, 3, 4, 5}},
        {"io>oi", {2, 3}, 2, {3, 2}, 2, 0, {0, 3, 1, 4, 2, 5}},
        /* q kernel (d=2, h=2, k=2): row h k of the result is column h k of the file */
        {"dhk>(hk)d", {2, 2, 2}, 3, {4, 2}, 2, 0, {0, 4, 1, 5, 2, 6, 3, 7}},
        {"hkd>d(hk)", {2, 2, 2}, 3, {2, 4}, 2, 0, {0, 2, 4, 6, 1, 3, 5, 7}},
        {"hk>(hk)", {2, 3}, 2, {6}, 1, 0, {0, 1, 2, 3, 4, 5}},
        {"hwio>oihw",
         {1, 2, 3, 2},
         4,
         {2, 3, 1, 2},
         4,
         0,
         {0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11}},
        {"d>11d", {3}, 1, {1, 1, 3}, 3, 0, {0, 1, 2}},
        {"nd>1nd", {2, 3}, 2, {1, 2, 3}, 3, 0, {0, 1, 2, 3, 4, 5}},
        {"Ld>d", {3, 2}, 2, {2}, 1, 2, {4, 5}},
        {"Lio>oi", {2, 2, 2}, 3, {2, 2}, 2, 1, {4, 6, 5, 7}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sct_layout l;
        uint32_t dst[SCT_LAYOUT_AXES], n = 1;
        uint64_t src[SCT_LAYOUT_AXES], all = 1;
        float file[32], timm[32] = {0}, back[32] = {0};
        ck_assert_msg(sct_layout_parse(&l, cases[i].text), "%s", cases[i].text);
        ck_assert_uint_eq(sct_layout_shape(&l, cases[i].src, cases[i].nd, dst), cases[i].n_dst);
        for (uint32_t k = 0; k < cases[i].n_dst; k++) {
            ck_assert_uint_eq(dst[k], cases[i].dst[k]);
            n *= dst[k];
        }
        for (uint32_t k = 0; k < cases[i].nd; k++)
            all *= cases[i].src[k];
        for (uint32_t k = 0; k < all; k++)
            file[k] = (float)k;
        const uint32_t first = n * cases[i].slice;
        sct_layout_read(&l, cases[i].src, file + first, timm, n);
        for (uint32_t k = 0; k < n; k++)
            ck_assert_msg(timm[k] == cases[i].want[k], "%s: %u", cases[i].text, k);
        sct_layout_write(&l, cases[i].src, timm, back, n);
        ck_assert_mem_eq(back, file + first, n * sizeof *back);
        ck_assert_uint_eq(
            sct_layout_source_shape(&l, dst, cases[i].n_dst, 2, (uint32_t)cases[i].src[0], src),
            cases[i].nd);
        ck_assert_mem_eq(src, cases[i].src, cases[i].nd * sizeof *src);
    }
}

END_TEST

START_TEST(test_layout_refusals)
{
    static const char *const bad[] = {"ab",    "ab>a", "ab>aba",   "aa>a",
                                      "ab>ac", "L>",   "abcdef>a", "La>La"};
    struct sct_layout l;
    uint32_t dst[SCT_LAYOUT_AXES];
    uint64_t src[SCT_LAYOUT_AXES];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!sct_layout_parse(&l, bad[i]), "%s", bad[i]);
    const uint64_t two[2] = {4, 4}, zero[2] = {0, 4}, large[2] = {1ull << 20, 1ull << 20};
    ck_assert(sct_layout_parse(&l, "hk>(hk)"));
    ck_assert_uint_eq(sct_layout_shape(&l, two, 1, dst), 0);
    ck_assert_uint_eq(sct_layout_shape(&l, zero, 2, dst), 0);
    ck_assert_uint_eq(sct_layout_shape(&l, large, 2, dst), 0);
    const uint32_t seven = 7;
    ck_assert_uint_eq(sct_layout_source_shape(&l, &seven, 1, 2, 0, src), 0);
    ck_assert_uint_eq(sct_layout_source_shape(&l, &seven, 1, 0, 0, src), 0);
}

END_TEST

/* ---- the table ---- */

START_TEST(test_table)
{
    for (const struct sct_dialect *const *d = sct_dialects; *d; d++) {
        ck_assert_ptr_eq(sct_dialect_find((*d)->arch, (*d)->flavour), *d);
        ck_assert_ptr_nonnull((*d)->has[0]);
        for (const struct sct_dialect_rule *r = (*d)->rule; r->canon; r++) {
            struct sct_layout l;
            struct sct_name_match m = {.n_number = sct_name_numbers(r->canon)};
            char name[SCT_NAME_MAX];
            ck_assert_msg(sct_layout_parse(&l, r->layout), "%s", r->source);
            ck_assert_uint_eq(sct_name_choices(r->canon), sct_name_choices(r->source));
            ck_assert_uint_eq(sct_name_numbers(r->canon),
                              sct_name_numbers(r->source) + l.slice);
            ck_assert_uint_eq(sct_name_parts(r->canon), 1);
            ck_assert_uint_le(sct_name_parts(r->source), SCT_DIALECT_PARTS);
            for (uint32_t i = 0; i < sct_name_choices(r->canon); i++) {
                bool found = false;
                struct sct_name_match own;
                sct_name_choose(r->canon, i, &m);
                ck_assert(sct_name_write(r->canon, &m, true, name));
                for (const struct sct_canon_name *c = sct_canon_names[(*d)->arch]; c->name; c++)
                    found = found || sct_name_match(c->name, name, &own);
                ck_assert_msg(found, "%s is not canonical", name);
            }
        }
    }
}

END_TEST

/* The file of one name, read by the dialect's map, must say the name it was written for. */
static void round_trip(const struct sct_dialect *d, const char *canon, bool bare)
{
    struct sct_dialect_name n;
    if (!sct_dialect_name(d, canon, &n))
        return;
    const uint32_t shift = n.match.n_number ? n.match.number[0] : 0;
    for (uint32_t i = 0; i < n.n_part; i++) {
        char name[SCT_NAME_MAX];
        if (!sct_dialect_part(&n, canon, i, bare, name)) {
            ck_assert_msg(shift == 0, "%s", canon); /* the stage in front of the first */
            continue;
        }
        bool found = false;
        for (const struct sct_dialect_rule *r = d->rule; r->canon && !found; r++) {
            struct sct_name_match m;
            char back[SCT_NAME_MAX];
            if (!sct_name_match(r->source, name, &m))
                continue;
            found = true;
            if (n.layout.slice) {
                m.n_number = 1;
                m.number[0] = shift;
            }
            ck_assert_uint_eq(m.part, i);
            ck_assert(sct_name_write(r->canon, &m, true, back));
            ck_assert_str_eq(back, canon);
        }
        ck_assert_msg(found || (d->same && strcmp(name, canon) == 0), "%s: %s", d->flavour,
                      canon);
    }
}

START_TEST(test_round_trip)
{
    static const uint32_t numbers[] = {0, 1, 3, 11, 1023};
    uint32_t n = 0;
    for (const struct sct_dialect *const *d = sct_dialects; *d; d++)
        for (const struct sct_canon_name *c = sct_canon_names[(*d)->arch]; c->name; c++)
            for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
                for (uint32_t i = 0; i < sct_name_choices(c->name); i++) {
                    struct sct_name_match m = {.n_number = sct_name_numbers(c->name)};
                    char canon[SCT_NAME_MAX];
                    m.number[0] = m.n_number > 1 ? (uint32_t)k : numbers[k];
                    m.number[1] = numbers[k];
                    sct_name_choose(c->name, i, &m);
                    if (!sct_name_write(c->name, &m, true, canon))
                        continue; /* attn_pool.* */
                    round_trip(*d, canon, false);
                    round_trip(*d, canon, true);
                    n++;
                }
    ck_assert_uint_gt(n, 1000);
}

END_TEST

/* ---- files ---- */

static struct sct_dialect_map *map_of(const struct file *f)
{
    struct sct_dialect_map *m;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_msg(sct_dialect_map(&m, f->t, f->n, &err) == SCT_OK, "%s", err.msg);
    return m;
}

static uint64_t elements(const struct sct_dialect_map *m)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < m->n_canon; i++)
        n += sct_desc_count(&m->canon[i].desc);
    return n;
}

/* Every dialect, with and without the prefix of the model, behind some wrapper: the same
 * canonical tensors of the same shapes. Counts: those of timm's models. */
START_TEST(test_every_dialect)
{
    static const char *const wrappers[] = {"", "module.", "state_dict.module._orig_mod."};
    uint32_t n = 0;
    for (const struct sct_dialect *const *d = sct_dialects; *d; d++)
        for (int i = 0; i < 6 && file_plain(*d); i++) {
            const bool is_vit = (*d)->arch == SCT_ARCH_VIT;
            struct file f = {.n = 0};
            file_write(&f, is_vit ? &vit_base : &swin_base, *d, wrappers[i / 2], i & 1);
            struct sct_dialect_map *m = map_of(&f);
            ck_assert_msg(m->n_problem == 0, "%s: %s", (*d)->flavour, m->problem[0]);
            ck_assert_ptr_eq(m->dialect, *d);
            ck_assert_str_eq(m->wrapper, wrappers[i / 2]);
            ck_assert_uint_eq(m->n_canon, is_vit ? 152 : 329);
            ck_assert_uint_eq(elements(m), is_vit ? 86567656 : 87768224);
            ck_assert_uint_eq(m->stages, is_vit ? 1 : 4);
            ck_assert_uint_eq(m->depth[0], is_vit ? 12 : 2);
            ck_assert_uint_eq(m->depth[is_vit ? 0 : 2], is_vit ? 12 : 18);
            for (uint32_t k = 0; k < m->n_use; k++)
                ck_assert_uint_lt(m->use[k].canon, m->n_canon);
            ck_assert_int_eq(sct_dialect_check(m, "file", NULL), SCT_OK);
            sct_dialect_map_destroy(&m);
            file_fini(&f);
            n++;
        }
    ck_assert_uint_eq(n, 66);
}

END_TEST

/* In what a file has more: {name, why it is left out}. */
static void expect_left_out(struct file *f, const char *flavour, const char *wrapper,
                            const char *(*more)[2], uint32_t n)
{
    const uint32_t first = f->n;
    for (uint32_t i = 0; i < n; i++)
        file_name(f, more[i][0]);
    struct sct_dialect_map *m = map_of(f);
    ck_assert_msg(m->n_problem == 0, "%s", m->problem[0]);
    ck_assert_str_eq(m->dialect->flavour, flavour);
    ck_assert_str_eq(m->wrapper, wrapper);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_uint_eq(m->use[first + i].canon, UINT32_MAX);
        ck_assert_msg(m->use[first + i].why && strstr(m->use[first + i].why, more[i][1]), "%s",
                      more[i][0]);
    }
    sct_dialect_map_destroy(&m);
    file_fini(f);
}

#define LEFT_OUT(F, FLAVOUR, WRAPPER, LIST)                                                    \
    expect_left_out(F, FLAVOUR, WRAPPER, LIST, sizeof(LIST) / sizeof(LIST)[0])

START_TEST(test_left_out)
{
    const struct sct_dialect *timm = sct_dialect_find(SCT_ARCH_VIT, "timm");
    struct file_model headless = vit_base;
    headless.classes = 0;

    static const char *mae[][2] = {{"model.mask_token", "decoder"},
                                   {"model.decoder_pos_embed", "decoder"},
                                   {"model.decoder_blocks.0.attn.qkv.weight", "decoder"},
                                   {"optimizer.state.0.exp_avg", "optimiser"},
                                   {"scaler.scale", "loss scaling"}};
    struct file f = {.n = 0};
    file_write(&f, &headless, timm, "model.", false);
    LEFT_OUT(&f, "timm", "model.", mae);

    static const char *moco[][2] = {
        {"state_dict.module.base_encoder.head.0.weight", "projection head"},
        {"state_dict.module.base_encoder.head.1.num_batches_tracked", "projection head"},
        {"state_dict.module.momentum_encoder.blocks.0.attn.qkv.weight", "momentum"},
        {"state_dict.module.predictor.0.weight", "predictor"},
        {"optimizer.state.0.mu", "optimiser"}};
    file_write(&f, &headless, timm, "state_dict.module.base_encoder.", false);
    LEFT_OUT(&f, "timm", "state_dict.module.base_encoder.", moco);

    static const char *dino[][2] = {{"teacher.head.mlp.0.weight", "projection head"},
                                    {"teacher.head.last_layer.weight_v", "projection head"},
                                    {"student.module.head.mlp.0.weight", "projection head"},
                                    {"dino_loss.center", "loss"}};
    file_write(&f, &headless, timm, "student.module.backbone.", false);
    file_write(&f, &headless, timm, "teacher.backbone.", false);
    LEFT_OUT(&f, "timm", "teacher.backbone.", dino);

    static const char *swin[][2] = {
        {"model.layers.0.blocks.1.attn_mask", "buffer"},
        {"model.layers.2.blocks.17.attn.relative_position_index", "buffer"},
        {"lr_scheduler.x", "schedule"}};
    file_write(&f, &swin_base, sct_dialect_find(SCT_ARCH_SWIN, "ms"), "model.", false);
    LEFT_OUT(&f, "ms", "model.", swin);

    static const char *hf[][2] = {{"pooler.dense.weight", "pooler"}};
    file_write(&f, &headless, sct_dialect_find(SCT_ARCH_VIT, "hf4"), "", true);
    LEFT_OUT(&f, "hf4", "", hf);
}

END_TEST

/* timm's order: the moving average of a training checkpoint, and the other copy is named. */
START_TEST(test_copies)
{
    struct file f = {.n = 0};
    const struct sct_dialect *timm = sct_dialect_find(SCT_ARCH_VIT, "timm");
    file_write(&f, &vit_base, timm, "state_dict.", false);
    file_write(&f, &vit_base, timm, "state_dict_ema.module.", false);
    struct sct_dialect_map *m = map_of(&f);
    ck_assert_uint_eq(m->n_problem, 0);
    ck_assert_str_eq(m->wrapper, "state_dict_ema.module.");
    ck_assert_uint_eq(m->n_canon, 152);
    ck_assert_str_eq(m->use[0].why, "another copy of the model");
    ck_assert_str_eq(f.t[m->canon[0].part[0].source].name,
                     "state_dict_ema.module.blocks.0.attn.proj.bias");
    sct_dialect_map_destroy(&m);
    file_fini(&f);
}

END_TEST

/* The head of 2020's Flax files stands behind pre_logits, which timm dropped: it is not the
 * head of what is loaded. */
START_TEST(test_pre_logits)
{
    struct file f = {.n = 0};
    file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "flax"), "opt/target/", false);
    file_name(&f, "opt/target/pre_logits/kernel");
    file_name(&f, "opt/target/pre_logits/bias");
    file_name(&f, "opt/state/step");
    struct sct_dialect_map *m = map_of(&f);
    ck_assert_msg(m->n_problem == 0, "%s", m->problem[0]);
    ck_assert_uint_eq(m->n_canon, 150);
    ck_assert_ptr_null(sct_dialect_canon(m, "head.weight"));
    ck_assert_ptr_nonnull(sct_dialect_canon(m, "norm.weight"));
    for (uint32_t i = 0; i < f.n; i++)
        if (strstr(f.t[i].name, "/head/"))
            ck_assert_str_eq(m->use[i].why, "a head behind a layer that is left out");
    sct_dialect_map_destroy(&m);
    file_fini(&f);
}

END_TEST

/* ---- problems ---- */

static void expect_problem(struct file *f, const char *a, const char *b)
{
    struct sct_dialect_map *m = map_of(f);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_uint_gt(m->n_problem, 0);
    ck_assert_int_eq(sct_dialect_check(m, "x.pth", &err), SCT_EFILE);
    ck_assert_msg(strncmp(err.msg, "x.pth: ", 7) == 0 && strstr(err.msg, a) &&
                      strstr(err.msg, b),
                  "%s", err.msg);
    sct_dialect_map_destroy(&m);
    file_fini(f);
}

START_TEST(test_problems)
{
    const struct sct_dialect *hf4 = sct_dialect_find(SCT_ARCH_VIT, "hf4"),
                             *timm = sct_dialect_find(SCT_ARCH_VIT, "timm");
    struct file f = {.n = 0};
    file_write(&f, &vit_base, hf4, "", false);
    file_remove(&f, "vit.encoder.layer.3.attention.attention.key.weight");
    expect_problem(&f, "blocks.3.attn.qkv.weight: its part ",
                   "vit.encoder.layer.3.attention.attention.key.weight is missing");

    file_write(&f, &vit_base, hf4, "", false);
    file_remove(&f, "vit.encoder.layer.7.layernorm_after.bias");
    expect_problem(&f, "tensor blocks.7.norm2.bias is missing",
                   "(vit.encoder.layer.7.layernorm_after.bias in this dialect)");

    file_write(&f, &vit_base, hf4, "", false);
    file_name(&f, "embeddings.cls_token");
    expect_problem(&f, "cls_token is there twice: vit.embeddings.cls_token",
                   " and embeddings.cls_token");

    file_write(&f, &vit_base, timm, "module.", false);
    file_name(&f, "module.blocks.0.attn.gate");
    file_name(&f, "stray");
    expect_problem(
        &f, "2 problems (sctrun inspect lists them): ",
        "tensor module.blocks.0.attn.gate is not known: a vit in the names of timm (timm, MAE, "
        "MoCo v3, DINO) has no such tensor; remove it from the file, or rename it; "
        "tensor stray is not known");

    file_write(&f, &vit_base, timm, "", false);
    file_name(&f, "blocks.2000.norm1.weight");
    expect_problem(&f, "blocks.2000.norm1.weight: expected at most 8 stages of at most 1024",
                   "blocks");

    file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "flax"), "", false);
    for (uint32_t i = 0; i < f.n; i++)
        if (strcmp(f.t[i].name, "Transformer/encoderblock_0/MlpBlock_3/Dense_0/kernel") == 0)
            f.t[i].nd = 1;
    expect_problem(&f, "Dense_0/kernel: expected io>oi, found shape [768]", "x.pth");
}

END_TEST

/* A part of another width does not go with the others. */
START_TEST(test_parts_differ)
{
    struct file f = {.n = 0};
    const uint64_t dim[2] = {768, 512};
    file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "split"), "", false);
    file_remove(&f, "blocks.4.attn.k.weight");
    file_add(&f, "blocks.4.attn.k.weight", 2, dim);
    expect_problem(&f, "blocks.4.attn.k.weight: its shape [768, 512] does not go with ",
                   "blocks.4.attn.q.weight");
}

END_TEST

START_TEST(test_no_dialect)
{
    struct file f = {.n = 0};
    file_name(&f, "conv1.weight");
    file_name(&f, "layer1.0.bn1.running_mean");
    expect_problem(&f, "no dialect knows any of its 2 tensors (the first is conv1.weight)",
                   "a vision transformer?");

    file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "hf4"), "", false);
    for (uint32_t i = 0; i < f.n; i++)
        if (strstr(f.t[i].name, "query.weight"))
            f.t[i].name = "vit.encoder.layer.0.attention.attention.q.weight";
    expect_problem(&f, "closest is hf4 vit (transformers up to 4",
                   "not known are: vit.encoder.layer.0.attention.attention.q.weight");
}

END_TEST

/* As many different prefixes, stages, numbers as somebody may write. */
START_TEST(test_many)
{
    struct file f = {.n = 0};
    char name[256];
    for (uint32_t i = 0; i < 500; i++) {
        size_t n = 0;
        name[0] = 0;
        for (uint32_t k = 0; k < 6; k++)
            n += (size_t)snprintf(name + n, sizeof name - n, "%s",
                                  (i >> k) & 1 ? "module." : "model.");
        (void)snprintf(name + n, sizeof name - n, "layers.%u.blocks.%u.attn.qkv.weight", i,
                       9999 - i);
        file_name(&f, name);
    }
    struct sct_dialect_map *m = map_of(&f);
    ck_assert_ptr_null(m->dialect);
    ck_assert_uint_eq(m->n_problem, 1);
    sct_dialect_map_destroy(&m);
    file_name(&f, "layers.7.blocks.1023.attn.relative_position_bias_table");
    m = map_of(&f);
    ck_assert_uint_eq(m->n_problem, SCT_DIALECT_PROBLEMS);
    ck_assert_uint_gt(m->n_more, 0);
    sct_dialect_map_destroy(&m);
    m = NULL;
    ck_assert_int_eq(sct_dialect_map(&m, f.t, 0, NULL), SCT_OK);
    ck_assert_ptr_null(m->dialect);
    sct_dialect_map_destroy(&m);
    file_fini(&f);
}

END_TEST

/* Every allocation may fail: ENOMEM, nothing leaks, nothing else happens. */
START_TEST(test_memory)
{
    struct file f = {.n = 0};
    file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "hf5"), "module.", false);
    struct sct_dialect_map *m = NULL;
    sct_status rc = SCT_ENOMEM;
    for (uint64_t n = 1; rc != SCT_OK; n++) {
        sct_error err = SCT_ERROR_INIT;
        (void)sct_mem_fail_at(n, 0);
        rc = sct_dialect_map(&m, f.t, f.n, &err);
        (void)sct_mem_fail_at(0, 0);
        ck_assert(rc == SCT_OK || (rc == SCT_ENOMEM && !m && err.code == SCT_ENOMEM));
    }
    ck_assert_uint_eq(m->n_problem, 0);
    sct_dialect_map_destroy(&m);
    file_fini(&f);
}

END_TEST

Suite *dialect_suite(void)
{
    Suite *s = suite_create("dialect");
    TCase *t = tcase_create("all");
    tcase_add_test(t, test_patterns);
    tcase_add_test(t, test_name_bounds);
    tcase_add_test(t, test_layouts);
    tcase_add_test(t, test_layout_refusals);
    tcase_add_test(t, test_table);
    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_every_dialect);
    tcase_add_test(t, test_left_out);
    tcase_add_test(t, test_copies);
    tcase_add_test(t, test_pre_logits);
    tcase_add_test(t, test_problems);
    tcase_add_test(t, test_parts_differ);
    tcase_add_test(t, test_no_dialect);
    tcase_add_test(t, test_many);
    tcase_add_test(t, test_memory);
    suite_add_tcase(s, t);
    return s;
}
