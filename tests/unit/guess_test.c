/* SPDX-License-Identifier: MIT
 * guess_test.c - what names and shapes tell of a model, and what contradicts it. */
#include "core/model/guess.h"

#include <stddef.h>

#include "tests/unit/dialect_file.h"
#include "tests/unit/unit_suite.h"

static struct sct_guess *guess_of(const struct file *f)
{
    struct sct_dialect_map *m = NULL;
    struct sct_guess *g = NULL;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_msg(sct_dialect_map(&m, f->t, f->n, &err) == SCT_OK, "%s", err.msg);
    ck_assert_ptr_nonnull(m->dialect);
    ck_assert_msg(sct_guess(&g, m, f->t, &err) == SCT_OK, "%s", err.msg);
    sct_dialect_map_destroy(&m); /* a guess keeps nothing of it */
    return g;
}

static bool known(const struct sct_guess *g, const char *key)
{
    const struct sct_guess_fact *f = sct_guess_fact(g, key);
    ck_assert_msg(f && f->why[0] && f->value[0], "%s", key);
    return f->known;
}

START_TEST(test_vit)
{
    for (const struct sct_dialect *const *d = sct_dialects; *d; d++) {
        struct file f = {.n = 0};
        if ((*d)->arch != SCT_ARCH_VIT || !file_plain(*d))
            continue;
        file_write(&f, &vit_base, *d, "", false);
        struct sct_guess *g = guess_of(&f);
        const struct sct_model_config *c = &g->cfg;
        ck_assert(c->dim == 768 && c->depth == 12 && c->heads == 12 && c->mlp == 3072);
        ck_assert(c->image == 224 && c->patch == 16 && c->classes == 1000);
        ck_assert(c->class_token && !c->fc_norm && c->pool == SCT_POOL_TOKEN);
        ck_assert(c->eps == (*d)->eps);
        ck_assert(known(g, "image_size") && known(g, "mlp") && !known(g, "pool"));
        ck_assert(!known(g, "eps") && !known(g, "classes"));
        ck_assert(known(g, "heads") == (*d)->npz);
        ck_assert_uint_eq(g->n_unbuilt, 0);
        sct_guess_destroy(&g);
        file_fini(&f);
    }
}

END_TEST

START_TEST(test_vit_forms)
{
    const struct sct_dialect *timm = sct_dialect_find(SCT_ARCH_VIT, "timm");
    struct file_model form = vit_base;
    struct file f = {.n = 0};
    form.fc_norm = true;
    file_write(&f, &form, timm, "", false);
    struct sct_guess *g = guess_of(&f);
    ck_assert(g->cfg.fc_norm && g->cfg.pool == SCT_POOL_AVG && g->cfg.class_token);
    ck_assert(known(g, "pool"));
    sct_guess_destroy(&g);
    file_fini(&f);

    form.fc_norm = false;
    form.no_class_token = true;
    form.classes = 0;
    file_write(&f, &form, timm, "", false);
    g = guess_of(&f);
    ck_assert(!g->cfg.class_token && g->cfg.pool == SCT_POOL_AVG && g->cfg.image == 224);
    ck_assert(known(g, "pool") && known(g, "class_token"));
    sct_guess_destroy(&g);
    file_fini(&f);
}

END_TEST

/* Published widths (timm): 64 channels a head, but for the largest models. */
START_TEST(test_usual_heads)
{
    static const struct {
        uint32_t dim, heads;
    } row[] = {{192, 3},   {384, 6},   {512, 8},   {768, 12},  {832, 13},  {896, 14},
               {1024, 16}, {1152, 16}, {1280, 16}, {1408, 16}, {1536, 16}, {1664, 16}};

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct file_model form = vit_base;
        struct file f = {.n = 0};
        form.dim = row[i].dim;
        file_write(&f, &form, sct_dialect_find(SCT_ARCH_VIT, "timm"), "", false);
        struct sct_guess *g = guess_of(&f);
        ck_assert_uint_eq(g->cfg.heads, row[i].heads);
        ck_assert(!known(g, "heads"));
        sct_guess_destroy(&g);
        file_fini(&f);
    }
}

END_TEST

START_TEST(test_swin)
{
    for (const struct sct_dialect *const *d = sct_dialects; *d; d++) {
        static const uint32_t heads[] = {4, 8, 16, 32};
        struct file f = {.n = 0};
        if ((*d)->arch != SCT_ARCH_SWIN)
            continue;
        file_write(&f, &swin_base, *d, "", false);
        struct sct_guess *g = guess_of(&f);
        const struct sct_model_config *c = &g->cfg;
        ck_assert(c->dim == 128 && c->window == 7 && c->image == 224 && c->patch == 4);
        ck_assert_mem_eq(c->stage_depth, swin_base.depth, sizeof c->stage_depth);
        ck_assert_mem_eq(c->stage_heads, heads, sizeof heads);
        ck_assert(c->mlp_ratio == 4.0f && c->classes == 1000 && c->eps == 1e-5f);
        ck_assert(known(g, "heads") && known(g, "window") && known(g, "depths"));
        ck_assert(!known(g, "image_size"));
        sct_guess_destroy(&g);
        file_fini(&f);
    }
}

END_TEST

/* A mask of 16 x 16 windows of 7 x 7 tokens of 4 pixels; a table of a map of 5 x 5. */
START_TEST(test_swin_image)
{
    const uint64_t mask[3] = {256, 49, 49}, table[2] = {81, 32};
    struct file f = {.n = 0};
    file_write(&f, &swin_base, sct_dialect_find(SCT_ARCH_SWIN, "ms"), "model.", false);
    file_add(&f, "model.layers.0.blocks.1.attn_mask", 3, mask);
    struct sct_guess *g = guess_of(&f);
    ck_assert_uint_eq(g->cfg.image, 16 * 7 * 4);
    sct_guess_destroy(&g);
    for (int b = 0; b < 2; b++) {
        char name[128];
        (void)snprintf(name, sizeof name,
                       "model.layers.3.blocks.%d.attn.relative_position_bias_table", b);
        file_remove(&f, name);
        file_add(&f, name, 2, table);
    }
    g = guess_of(&f);
    ck_assert_uint_eq(g->cfg.image, 5 * 4 * 8);
    sct_guess_destroy(&g);
    file_fini(&f);
}

END_TEST

START_TEST(test_unbuilt)
{
    static const struct {
        const char *name, *what;
    } more[] = {{"attn_pool.latent", "attention pooling (attn_pool.latent)"},
                {"blocks.3.attn.norm.weight", "scale norms (blocks.3.attn.norm.weight)"},
                {"blocks.3.mlp.w12.weight", "SwiGLU (blocks.3.mlp.w12.weight)"},
                {"blocks.3.mlp.fc1_g.bias", "SwiGLU (blocks.3.mlp.fc1_g.bias)"}};

    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        struct file f = {.n = 0};
        sct_error err = SCT_ERROR_INIT;
        file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "timm"), "", false);
        file_name(&f, more[i].name);
        struct sct_guess *g = guess_of(&f);
        ck_assert_uint_eq(g->n_unbuilt, 1);
        ck_assert_str_eq(g->unbuilt[0], more[i].what);
        ck_assert_int_eq(sct_guess_built(g, "x.pth", &err), SCT_EFILE);
        ck_assert(strstr(err.msg, "x.pth has ") && strstr(err.msg, more[i].what));
        sct_guess_destroy(&g);
        file_fini(&f);
    }
}

END_TEST

/* A file in which tensor name has another shape says what it is of. */
static void check_reshaped(const struct file_model *form, const char *name, uint64_t a,
                           uint64_t b, const char *what)
{
    const uint64_t dim[2] = {a, b};
    struct file f = {.n = 0};
    file_write(&f, form, sct_dialect_find(form->arch, "timm"), "", false);
    file_remove(&f, name);
    file_add(&f, name, 2, dim);
    struct sct_guess *g = guess_of(&f);
    ck_assert_uint_eq(g->n_unbuilt, what != NULL);
    if (what)
        ck_assert_str_eq(g->unbuilt[0], what);
    sct_guess_destroy(&g);
    file_fini(&f);
}

/* Shapes that no model here has, by their names: gate and value in one layer, the windows of
 * Swin-S3. A smaller window is a table that was cut to its map. */
START_TEST(test_unbuilt_shapes)
{
    static const char table[] = "layers.2.blocks.0.attn.relative_position_bias_table";
    check_reshaped(&vit_base, "blocks.0.mlp.fc1.weight", 6144, 768,
                   "SwiGLU (blocks.0.mlp.fc1.weight)");
    check_reshaped(&vit_base, "blocks.0.mlp.fc1.weight", 6143, 768, NULL);
    check_reshaped(&swin_base, table, 27 * 27, 16,
                   "a window of its own in a later stage "
                   "(layers.2.blocks.0.attn.relative_position_bias_table)");
    check_reshaped(&swin_base, table, 9 * 9, 16, NULL);
}

END_TEST

/* Every tensor that makes a variant, there or not, sets its key and nothing else. */
START_TEST(test_variants)
{
    static const struct {
        const char *name; /* added; with '-' in front: removed */
        size_t field;
    } row[] = {{"blocks.0.ls1.gamma", offsetof(struct sct_model_config, layer_scale)},
               {"blocks.0.gamma_1", offsetof(struct sct_model_config, layer_scale)},
               {"norm_pre.weight", offsetof(struct sct_model_config, pre_norm)},
               {"blocks.0.attn.q_norm.weight", offsetof(struct sct_model_config, qk_norm)},
               {"-blocks.0.attn.qkv.bias", offsetof(struct sct_model_config, no_qkv_bias)},
               {"-patch_embed.proj.bias", offsetof(struct sct_model_config, no_patch_bias)}};

    struct file f = {.n = 0};
    file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "timm"), "", false);
    struct sct_guess *plain = guess_of(&f);
    file_fini(&f);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "timm"), "", false);
        if (row[i].name[0] == '-')
            file_remove(&f, row[i].name + 1);
        else
            file_name(&f, row[i].name);
        struct sct_guess *g = guess_of(&f);
        uint32_t *field = (uint32_t *)(void *)((char *)&g->cfg + row[i].field);
        ck_assert_msg(*field == 1, "%s", row[i].name);
        ck_assert(g->cfg.eps == (g->cfg.pre_norm ? 1e-5f : 1e-6f));
        *field = 0;
        if (g->cfg.heads != 12) { /* the norm of a head has 8 channels */
            ck_assert(known(g, "heads") && g->cfg.heads == 96);
            g->cfg.heads = 12;
        }
        g->cfg.eps = plain->cfg.eps;
        ck_assert_mem_eq(&g->cfg, &plain->cfg, sizeof plain->cfg);
        ck_assert_uint_eq(g->n_unbuilt, 0);
        sct_guess_destroy(&g);
        file_fini(&f);
    }
    sct_guess_destroy(&plain);
}

END_TEST

/* Registers and a distillation token stand in front of the patches as well; positions are of
 * all tokens, of the patches alone, or (which is not built) of class token and patches. */
START_TEST(test_prefix)
{
    const uint64_t pos[3] = {1, 1 + 1 + 4 + 196, 768}, one[3] = {1, 1, 768},
                   four[3] = {1, 4, 768}, bare[3] = {1, 196, 768}, meta[3] = {1, 197, 768},
                   both[3] = {1, 9, 768};
    struct file f = {.n = 0};
    file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "timm"), "", false);
    file_remove(&f, "pos_embed");
    file_add(&f, "pos_embed", 3, pos);
    file_add(&f, "dist_token", 3, one);
    file_add(&f, "register_tokens", 3, four);
    struct sct_guess *g = guess_of(&f);
    ck_assert(g->cfg.image == 224 && g->cfg.distilled && g->cfg.reg_tokens == 4);
    ck_assert(!g->cfg.no_embed_class && known(g, "no_embed_class") && !g->n_unbuilt);
    sct_guess_destroy(&g);
    file_remove(&f, "pos_embed");
    file_add(&f, "pos_embed", 3, bare);
    g = guess_of(&f);
    ck_assert(g->cfg.image == 224 && g->cfg.no_embed_class && !g->n_unbuilt);
    ck_assert(known(g, "no_embed_class") && known(g, "image_size"));
    sct_guess_destroy(&g);
    file_remove(&f, "pos_embed");
    file_add(&f, "pos_embed", 3, meta);
    g = guess_of(&f);
    ck_assert(g->cfg.image == 224 && g->n_unbuilt == 1);
    ck_assert(strstr(g->unbuilt[0], "not of the registers"));
    ck_assert(!g->fold_class);
    sct_guess_destroy(&g);
    /* Meta's own: the class token's is added to it */
    file_remove(&f, "dist_token");
    g = guess_of(&f);
    ck_assert(g->cfg.image == 224 && g->fold_class && g->cfg.no_embed_class && !g->n_unbuilt);
    ck_assert(known(g, "no_embed_class") && known(g, "image_size"));
    sct_guess_destroy(&g);
    /* a class token of another width is none that could be added to */
    file_remove(&f, "cls_token");
    file_name(&f, "cls_token");
    g = guess_of(&f);
    ck_assert(!g->fold_class && g->n_unbuilt == 1);
    sct_guess_destroy(&g);
    file_remove(&f, "cls_token");
    file_add(&f, "cls_token", 3, one);
    /* five tokens and 2 x 2 patches, or 3 x 3 patches */
    file_remove(&f, "pos_embed");
    file_add(&f, "pos_embed", 3, both);
    g = guess_of(&f);
    ck_assert(g->cfg.image == 32 && !known(g, "no_embed_class") && !known(g, "image_size"));
    sct_guess_destroy(&g);
    file_fini(&f);
}

END_TEST

START_TEST(test_contradictions)
{
    struct file f = {.n = 0};
    file_write(&f, &vit_base, sct_dialect_find(SCT_ARCH_VIT, "timm"), "", false);
    struct sct_guess *g = guess_of(&f);
    struct sct_model_config c = g->cfg;
    sct_error err = SCT_ERROR_INIT;
    (void)snprintf(c.name, sizeof c.name, "mine");
    c.heads = 16; /* not stored, so it may be anything */
    c.classes = 7;
    c.eps = 0.5f;
    ck_assert_ptr_null(sct_guess_against(g, &c, false));
    ck_assert_int_eq(sct_guess_check(g, &c, SCT_INTERP_NONE, "x", "advice", NULL), SCT_OK);
    c.image = 384;
    ck_assert_str_eq(sct_guess_against(g, &c, false)->key, "image_size");
    ck_assert_ptr_null(sct_guess_against(g, &c, true));
    ck_assert_int_eq(sct_guess_check(g, &c, SCT_INTERP_HF, "x", "advice", NULL), SCT_OK);
    ck_assert_int_eq(sct_guess_check(g, &c, SCT_INTERP_NONE, "x", "advice", &err), SCT_EFILE);
    ck_assert(strstr(err.msg, "x: image_size is 224 (pos_embed is [1][197][768] f32") &&
              strstr(err.msg, "model mine says 384; --interp timm"));
    c.depth = 24;
    err.code = SCT_OK;
    ck_assert_int_eq(sct_guess_check(g, &c, SCT_INTERP_HF, "x", "advice", &err), SCT_EFILE);
    ck_assert(strstr(err.msg, "depth is 12") && strstr(err.msg, "says 24; advice"));
    sct_model_config_default(&c, SCT_ARCH_SWIN);
    ck_assert_str_eq(sct_guess_against(g, &c, true)->key, "arch");
    sct_guess_destroy(&g);
    file_fini(&f);
}

END_TEST

/* Shapes that are nobody's: an answer or an error, never a crash. */
START_TEST(test_strange_shapes)
{
    static const uint64_t shapes[][4] = {
        {1, 1, 1, 1},           {768, 3, 16, 8},
        {768, 1, 16, 16},       {4294967295u, 3, 4294967295u, 4294967295u},
        {3, 3, 1, 1},           {0, 3, 16, 16},
        {1ull << 40, 3, 16, 16}};

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int arch = 0; arch < 2; arch++) {
            struct file f = {.n = 0};
            struct sct_dialect_map *m = NULL;
            struct sct_guess *g = NULL;
            sct_error err = SCT_ERROR_INIT;
            file_write(&f, arch ? &swin_base : &vit_base,
                       sct_dialect_find((enum sct_arch)arch, "timm"), "", false);
            file_remove(&f, "patch_embed.proj.weight");
            file_add(&f, "patch_embed.proj.weight", 4, shapes[i]);
            ck_assert_int_eq(sct_dialect_map(&m, f.t, f.n, NULL), SCT_OK);
            const sct_status rc = sct_guess(&g, m, f.t, &err);
            ck_assert((rc == SCT_OK && g) ||
                      (rc == SCT_EFILE && !g && strstr(err.msg, "patch_embed.proj.weight")));
            sct_guess_destroy(&g);
            sct_dialect_map_destroy(&m);
            file_fini(&f);
        }
}

END_TEST

START_TEST(test_memory)
{
    struct file f = {.n = 0};
    struct sct_dialect_map *m = NULL;
    struct sct_guess *g = NULL;
    sct_status rc = SCT_ENOMEM;
    file_write(&f, &swin_base, sct_dialect_find(SCT_ARCH_SWIN, "timm"), "", false);
    ck_assert_int_eq(sct_dialect_map(&m, f.t, f.n, NULL), SCT_OK);
    for (uint64_t n = 1; rc != SCT_OK; n++) {
        (void)sct_mem_fail_at(n, 0);
        rc = sct_guess(&g, m, f.t, NULL);
        (void)sct_mem_fail_at(0, 0);
        ck_assert(rc == SCT_OK || (rc == SCT_ENOMEM && !g));
    }
    sct_guess_destroy(&g);
    sct_dialect_map_destroy(&m);
    file_fini(&f);
}

END_TEST

Suite *guess_suite(void)
{
    Suite *s = suite_create("guess");
    TCase *t = tcase_create("all");
    tcase_add_test(t, test_vit);
    tcase_add_test(t, test_vit_forms);
    tcase_add_test(t, test_usual_heads);
    tcase_add_test(t, test_swin);
    tcase_add_test(t, test_swin_image);
    tcase_add_test(t, test_unbuilt);
    tcase_add_test(t, test_unbuilt_shapes);
    tcase_add_test(t, test_variants);
    tcase_add_test(t, test_prefix);
    tcase_add_test(t, test_contradictions);
    tcase_add_test(t, test_strange_shapes);
    tcase_add_test(t, test_memory);
    suite_add_tcase(s, t);
    return s;
}
