/* SPDX-License-Identifier: MIT
 * config_test.c - YAML: the tree, positions, everything that is refused, typed values.
 * Aliases that double at each level must be refused before they cost anything. */
#include "core/io/config.h"
#include "tests/io/io_suite.h"

#include <stdlib.h>

static sct_status parse(struct sct_cfg **cfg, const char *text, sct_error *err)
{
    return sct_cfg_parse(cfg, text, strlen(text), "f.yaml", err);
}

START_TEST(builds_the_tree)
{
    static const char text[] = "# a comment\n"
                               "model: vit\n"
                               "size: [1, two, {three: 3}]\n"
                               "sct:\n"
                               "  k: 96\n"
                               "  empty:\n"
                               "  quoted: ''\n"
                               "  word: \"null\"\n"
                               "list:\n"
                               "  - a\n"
                               "  - b: c\n"
                               "    d: ~\n"
                               "block: |\n"
                               "  two\n"
                               "  lines\n";
    sct_error err;
    struct sct_cfg *cfg;
    check_ok(parse(&cfg, text, &err));
    const struct sct_cfg_node *root = sct_cfg_root(cfg);
    ck_assert(root->kind == SCT_CFG_MAPPING && root->n == 5);
    const struct sct_cfg_node *c = root->first;
    ck_assert_str_eq(c->key, "model");
    ck_assert_str_eq(c->text, "vit");
    ck_assert(c->line == 2 && c->column == 8 && c->key_line == 2 && c->key_column == 1);
    c = c->next;
    ck_assert(c->kind == SCT_CFG_SEQUENCE && c->n == 3);
    ck_assert_str_eq(c->first->next->text, "two");
    ck_assert_ptr_null(c->first->key);
    ck_assert_str_eq(sct_cfg_get(c->first->next->next, "three")->text, "3");
    c = sct_cfg_get(root, "sct");
    ck_assert_ptr_null(sct_cfg_get(c, "empty")->text);
    ck_assert_str_eq(sct_cfg_get(c, "quoted")->text, "");
    ck_assert_str_eq(sct_cfg_get(c, "word")->text, "null");
    ck_assert_ptr_null(sct_cfg_get(c, "none"));
    ck_assert_ptr_null(sct_cfg_get(NULL, "none"));
    c = sct_cfg_get(root, "list");
    ck_assert(c->n == 2 && c->first->next->kind == SCT_CFG_MAPPING);
    ck_assert_ptr_null(sct_cfg_get(c->first->next, "d")->text);
    ck_assert_str_eq(sct_cfg_get(root, "block")->text, "two\nlines\n");
    sct_cfg_destroy(&cfg);
    ck_assert_ptr_null(cfg);
    sct_cfg_destroy(&cfg);
}

END_TEST

START_TEST(empty_is_an_empty_mapping)
{
    static const char *const texts[] = {"",     "\n",  "# only words\n", "---\n", "--- ~\n",
                                        "{}\n", "null"};
    sct_error err;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sct_cfg *cfg;
        check_ok(parse(&cfg, texts[i], &err));
        ck_assert(sct_cfg_root(cfg)->kind == SCT_CFG_MAPPING && sct_cfg_root(cfg)->n == 0);
        sct_cfg_destroy(&cfg);
    }
}

END_TEST

static const struct {
    const char *text, *words;
} hostile[] = {
    {"a: 1\n\tb: 2\n", "f.yaml:2:1: "},
    {"a: [1, 2\n", "f.yaml:2:1: while parsing a flow sequence"},
    {"a: 'x\n", "f.yaml:2:1: while scanning a quoted scalar"},
    {"a: 1\na: 2\n", "f.yaml:2:1: this key occurs twice: 'a'"},
    {"m: {x: 1, 'x': 2}\n", "f.yaml:1:11: this key occurs twice: 'x'"},
    {"a: &x 1\n", "f.yaml:1:4: anchors are not supported, remove the anchor 'x'"},
    {"a: &x [1]\n", "remove the anchor 'x'"},
    {"a: &x {b: *x}\n", "remove the anchor 'x'"},
    {"a: *x\n", "f.yaml:1:4: aliases are not supported, write the value out: alias 'x'"},
    {"<<: *x\n", "aliases are not supported"},
    {"a: !!int 1\n",
     "f.yaml:1:4: tags are not supported, remove the tag 'tag:yaml.org,2002:int'"},
    {"a: !x [1]\n", "remove the tag '!x'"},
    {"a: 1\n---\nb: 2\n", "f.yaml:2:1: expected one document, found a second one"},
    {"[1, 2]\n", "f.yaml:1:1: expected lines 'key: value', found a list"},
    {"just words\n", "f.yaml:1:1: expected lines 'key: value', found a single value"},
    {"? [a]\n: b\n", "f.yaml:1:3: expected a key, found a list"},
    {"? {a: b}\n: c\n", "expected a key"},
    {"'': b\n", "expected a key"},
    {": b\n", "f.yaml:1:1: while parsing a block mapping"},
    {"a: \"x\\0y\"\n", "f.yaml:1:4: a value must not contain a zero byte"},
    {"\"x\\0y\": 1\n", "a key must not contain a zero byte"},
    {"a: \xff\n", "f.yaml: byte 3: invalid leading UTF-8 octet"},
    {"a: \x01\n", "f.yaml: byte 3: control characters are not allowed"},
    {"%YAML 9.9\n--- {}\n", "f.yaml:1:1: "},
};

START_TEST(refuses_hostile)
{
    sct_error err;
    struct sct_cfg *cfg;
    check_fails(parse(&cfg, hostile[_i].text, &err), SCT_EUSAGE, hostile[_i].words);
    ck_assert_ptr_null(cfg);
}

END_TEST

/* 33 levels, in flow and in block style; 32 are fine. */
START_TEST(refuses_deep_nesting)
{
    sct_error err;
    struct sct_cfg *cfg;
    for (int deep = 31; deep <= 32; deep++) {
        char flow[128] = "a: ", block[4096] = "";
        for (int i = 0; i < deep; i++)
            strcat(flow, "[");
        for (int i = 0; i < deep; i++)
            strcat(flow, "]");
        for (int i = 0; i <= deep; i++)
            (void)snprintf(block + strlen(block), 64, "%*sk:%s\n", i, "",
                           i == deep ? " 1" : "");
        if (deep == 31) {
            check_ok(parse(&cfg, flow, &err));
            sct_cfg_destroy(&cfg);
            check_ok(parse(&cfg, block, &err));
            sct_cfg_destroy(&cfg);
        } else {
            check_fails(parse(&cfg, flow, &err), SCT_EUSAGE, "f.yaml:1:35: nested too deeply");
            check_fails(parse(&cfg, block, &err), SCT_EUSAGE, "nested too deeply");
        }
    }
    const size_t n = 500000;
    char *open = malloc(n);
    ck_assert_ptr_nonnull(open);
    memset(open, '[', n);
    check_fails(sct_cfg_parse(&cfg, open, n, "f.yaml", &err), SCT_EUSAGE, "nested too deeply");
    free(open);
}

END_TEST

START_TEST(refuses_large)
{
    sct_error err;
    struct sct_cfg *cfg;
    char *text = malloc(SCT_CFG_MAX_BYTES + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '#', SCT_CFG_MAX_BYTES + 1);
    check_ok(sct_cfg_parse(&cfg, text, SCT_CFG_MAX_BYTES, "f.yaml", &err));
    sct_cfg_destroy(&cfg);
    check_fails(sct_cfg_parse(&cfg, text, SCT_CFG_MAX_BYTES + 1, "f.yaml", &err), SCT_EUSAGE,
                "more than the limit of 1048576");
    scratch_put("big.yaml", text, SCT_CFG_MAX_BYTES + 1);
    check_fails(sct_cfg_load(&cfg, scratch("big.yaml"), &err), SCT_EUSAGE,
                "more than the limit");
    size_t at = 0;
    for (int i = 0; i <= SCT_CFG_MAX_KEYS; i++)
        at += (size_t)snprintf(text + at, 32, "k%d: 1\n", i);
    check_fails(sct_cfg_parse(&cfg, text, at, "f.yaml", &err), SCT_EUSAGE,
                "f.yaml:1025:1: too many keys in one mapping");
    at = (size_t)snprintf(text, 8, "a: [1");
    for (int i = 0; i < SCT_CFG_MAX_NODES; i++, at += 2)
        memcpy(text + at, ",1", 2);
    text[at++] = ']';
    check_fails(sct_cfg_parse(&cfg, text, at, "f.yaml", &err), SCT_EUSAGE, "too many values");
    free(text);
    check_fails(sct_cfg_load(&cfg, scratch("none.yaml"), &err), SCT_EUSAGE, "No such file");
    ck_assert_ptr_null(cfg);
}

END_TEST

START_TEST(typed_values)
{
    static const char text[] =
        "s: word\nu: 12\nf: 1e-3\nb: yes\nn: ~\nm: {a: 1}\nl: [0.5, 1, -2]\n";
    sct_error err;
    struct sct_cfg *cfg;
    check_ok(parse(&cfg, text, &err));
    const struct sct_cfg_node *r = sct_cfg_root(cfg), *c;
    const char *s = "default";
    uint32_t u = 7, b = 7;
    float f = 7, l[3] = {7, 7, 7};
    check_ok(sct_cfg_str(r, "n", &s, &err));
    check_ok(sct_cfg_str(r, "absent", &s, &err));
    ck_assert_str_eq(s, "default");
    check_ok(sct_cfg_u32(r, "n", 0, 9, &u, &err));
    check_ok(sct_cfg_f32(r, "absent", &f, &err));
    check_ok(sct_cfg_bool(r, "n", &b, &err));
    check_ok(sct_cfg_f32s(r, "n", l, 3, &err));
    ck_assert(u == 7 && f == 7 && b == 7 && l[0] == 7);
    check_ok(sct_cfg_need_str(r, "s", &s, &err));
    check_ok(sct_cfg_u32(r, "u", 1, 12, &u, &err));
    check_ok(sct_cfg_f32(r, "f", &f, &err));
    check_ok(sct_cfg_bool(r, "b", &b, &err));
    check_ok(sct_cfg_f32s(r, "l", l, 3, &err));
    ck_assert(u == 12 && f == 1e-3f && b == 1 && l[0] == 0.5f && l[1] == 1 && l[2] == -2);
    ck_assert_str_eq(s, "word");
    check_ok(sct_cfg_child(r, "m", SCT_CFG_MAPPING, &c, &err));
    ck_assert(c && c->n == 1);
    check_ok(sct_cfg_child(r, "n", SCT_CFG_MAPPING, &c, &err));
    ck_assert_ptr_null(c);
    check_fails(sct_cfg_need_str(r, "n", &s, &err), SCT_EUSAGE,
                "f.yaml:1:1: expected the key 'n'");
    check_fails(sct_cfg_str(r, "m", &s, &err), SCT_EUSAGE,
                "f.yaml:6:4: m: expected text, found a mapping");
    check_fails(sct_cfg_u32(r, "u", 1, 11, &u, &err), SCT_EUSAGE,
                "f.yaml:2:4: u: expected a whole number from 1 to 11, found '12'");
    check_fails(sct_cfg_u32(r, "f", 1, 11, &u, &err), SCT_EUSAGE, "found '1e-3'");
    check_fails(sct_cfg_f32(r, "s", &f, &err), SCT_EUSAGE,
                "s: expected a number, found 'word'");
    check_fails(sct_cfg_f32(r, "l", &f, &err), SCT_EUSAGE, "expected a number, found a list");
    check_fails(sct_cfg_bool(r, "u", &b, &err), SCT_EUSAGE, "expected on or off, found '12'");
    check_fails(sct_cfg_f32s(r, "l", l, 2, &err), SCT_EUSAGE, "expected a list of 2 numbers");
    check_fails(sct_cfg_child(r, "l", SCT_CFG_MAPPING, &c, &err), SCT_EUSAGE,
                "expected a mapping, found a list");
    ck_assert_ptr_null(c);
    static const char *const known[] = {"s", "u", "f", "b", "n", "mm", "l", NULL};
    check_fails(sct_cfg_only(r, known, &err), SCT_EUSAGE,
                "f.yaml:6:1: unknown key 'm'; did you mean 'mm'?");
    sct_cfg_destroy(&cfg);
}

END_TEST

struct state {
    uint32_t k;
    float lr;
};

static const struct sct_option rows[] = {
    {"k", "", SCT_OPT_UINT, offsetof(struct state, k), 8, 1, 64, NULL},
    {"lr", "", SCT_OPT_FLOAT, offsetof(struct state, lr), 1, 0, 0, NULL},
    {.key = NULL},
};

START_TEST(feeds_a_table)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"lr: 1\nk_: 3\n", "f.yaml:2:1: unknown option 'k_' of strategy x; did you mean 'k'?"},
        {"k: 65\n", "f.yaml:1:4: k: expected a whole number from 1 to 64, found '65'"},
        {"k:\n", "k: expected a whole number from 1 to 64, found null"},
        {"k: [1]\n", "f.yaml:1:4: k: expected a single value, found a list"},
    };

    static const char *const skip[] = {"strategy", NULL};
    sct_error err;
    struct sct_cfg *cfg;
    struct sct_opts *o;
    struct state s;
    check_ok(sct_opts_create(&o, rows, &s, sizeof s, "strategy x", &err));
    check_ok(parse(&cfg, "strategy: {a: b}\nk: 3\nlr: 0.5\n", &err));
    check_fails(sct_cfg_feed(sct_cfg_root(cfg), o, NULL, &err), SCT_EUSAGE,
                "unknown option 'strategy'");
    check_ok(sct_cfg_feed(sct_cfg_root(cfg), o, skip, &err));
    ck_assert(s.k == 3 && s.lr == 0.5f);
    ck_assert_int_eq(sct_opts_source(o, "k"), SCT_OPT_CONFIG);
    sct_cfg_destroy(&cfg);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_ok(parse(&cfg, bad[i].text, &err));
        check_fails(sct_cfg_feed(sct_cfg_root(cfg), o, skip, &err), SCT_EUSAGE, bad[i].words);
        sct_cfg_destroy(&cfg);
    }
    ck_assert_uint_eq(s.k, 3);
    sct_opts_destroy(&o);
}

END_TEST

Suite *config_suite(void)
{
    Suite *s = suite_create("config");
    TCase *tc = scratch_case(s, "yaml");
    tcase_add_test(tc, builds_the_tree);
    tcase_add_test(tc, empty_is_an_empty_mapping);
    tcase_add_loop_test(tc, refuses_hostile, 0, sizeof hostile / sizeof *hostile);
    tcase_add_test(tc, refuses_deep_nesting);
    tcase_add_test(tc, refuses_large);
    tcase_add_test(tc, typed_values);
    tcase_add_test(tc, feeds_a_table);
    return s;
}
