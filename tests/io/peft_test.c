/* SPDX-License-Identifier: MIT
 * peft_test.c - modules of a PEFT configuration: expressions, patterns there and back. */
#include "core/adapter/peft_modules.h"
#include "core/adapter/peft_regex.h"
#include "core/base/mem.h"
#include "tests/io/io_suite.h"

#include <stdlib.h>
#include <string.h>

/* What Python's re says of re.fullmatch(regex, name), and with an end of
 * re.match(rf"(.*\.)?({regex})$", name). */
static const struct {
    const char *regex, *name;
    int whole, end;
} matches[] = {
    {"qkv", "blocks.0.attn.qkv", 0, 1},
    {"attn.qkv", "blocks.0.attn.qkv", 0, 1},
    {"kv", "blocks.0.attn.qkv", 0, 0},
    {"attn", "blocks.0.attn.qkv", 0, 0},
    {"blocks.0.attn.qkv", "blocks.0.attn.qkv", 1, 1},
    {".*qkv", "blocks.0.attn.qkv", 1, 1},
    {"blocks\\.(0|11)\\.attn\\.(qkv|proj)", "blocks.11.attn.proj", 1, 1},
    {"blocks\\.(0|1)\\.attn\\.qkv", "blocks.11.attn.qkv", 0, 0},
    {"blocks\\.[0-4]\\.(?:attn|mlp)\\..+", "blocks.4.mlp.fc1", 1, 1},
    {"blocks\\.[^0-4]\\.mlp\\.fc1", "blocks.4.mlp.fc1", 0, 0},
    {"layer\\.\\d+\\.output\\.dense", "vit.encoder.layer.10.output.dense", 0, 1},
    {"layer\\.\\d+\\.output\\.dense", "vit.encoder.layer.10.attention.output.dense", 0, 0},
    {"(.*\\.)?fc(1|2)?", "mlp.fc", 1, 1},
    {"(a|b(c|d)*)+x", "abcdbacdbx", 0, 0},
    {"(a|b(c|d)*)+x", "abcdbcdbx", 1, 1},
    {"q|v", "attn.v", 0, 1},
    {"^\\w+\\.qkv$", "attn_1.qkv", 1, 1},
    {"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", 0, 0},
    {"", "", 1, 1},
};

START_TEST(matches_as_python)
{
    sct_error err;
    int yes;
    check_ok(
        sct_peft_regex_match(matches[_i].regex, matches[_i].name, false, &yes, "f", "k", &err));
    ck_assert_int_eq(yes, matches[_i].whole);
    check_ok(
        sct_peft_regex_match(matches[_i].regex, matches[_i].name, true, &yes, "f", "k", &err));
    ck_assert_int_eq(yes, matches[_i].end);
}

END_TEST

START_TEST(names_what_is_not_understood)
{
    static const struct {
        const char *regex, *why;
    } bad[] = {
        {"a{2}", "f: k: expression \"a{2}\": {}, ^ and $ are not understood"},
        {"(a", "a bracket was not closed"},
        {"a)", "a bracket was not opened"},
        {"*a", "nothing in front of *"},
        {"\\bqkv", "an escape or a set is not understood"},
        {"[abc", "an escape or a set is not understood"},
        {"(?=a)", "nothing in front of *, + or ?"},
    };

    char longest[1100] = "";
    sct_error err;
    int yes;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_fails(sct_peft_regex_match(bad[i].regex, "a", false, &yes, "f", "k", &err),
                    SCT_EFILE, bad[i].why);
    memset(longest, 'a', sizeof longest - 1);
    check_fails(sct_peft_regex_match(longest, "a", false, &yes, "f", "k", &err), SCT_EFILE,
                "it is too long");
}

END_TEST

/* Names of transformers' ViT; ranks and alphas of blocks and kinds. What is written says the
 * same when it is read, in any order of its keys. */
START_TEST(patterns_there_and_back)
{
    static const char *const kind[] = {"attention.attention.query", "attention.output.dense",
                                       "intermediate.dense", "output.dense"};
    char name[48][64];
    struct sct_peft_module m[48];
    sct_error err;
    size_t n = 0;
    for (size_t k = 0; k < 4; k++)
        for (unsigned b = 0; b < 12; b++, n++) {
            (void)snprintf(name[n], sizeof name[n], "vit.encoder.layer.%u.%s", b, kind[k]);
            m[n] = (struct sct_peft_module){name[n],
                                            k == 3            ? 2
                                            : k == 0 && b > 9 ? b
                                                              : 8,
                                            k == 1 && b % 2 ? 0.5 : 16};
        }
    json_t *config = json_object();
    check_ok(sct_peft_modules_write(config, m, n, &err));
    ck_assert(json_integer_value(json_object_get(config, "r")) == 8);
    ck_assert(json_integer_value(json_object_get(config, "lora_alpha")) == 16);
    char *text = json_dumps(json_object_get(config, "rank_pattern"), JSON_SORT_KEYS);
    ck_assert_str_eq(
        text,
        "{\"layer\\\\.\\\\d+\\\\.output\\\\.dense\": 2, "
        "\"vit\\\\.encoder\\\\.layer\\\\.(10)\\\\.attention\\\\.attention\\\\.query\": 10, "
        "\"vit\\\\.encoder\\\\.layer\\\\.(11)\\\\.attention\\\\.attention\\\\.query\": 11}");
    free(text);
    const struct sct_peft_lora_read l = {
        .r = 8,
        .alpha = 16,
        .targets = json_object_get(config, "target_modules"),
        .rank_pattern = json_object_get(config, "rank_pattern"),
        .alpha_pattern = json_object_get(config, "alpha_pattern"),
    };
    for (size_t i = 0; i < n; i++) {
        struct sct_peft_module back = {.name = m[i].name};
        int yes;
        check_ok(sct_peft_modules_read(&back, &l, "c", &err));
        ck_assert(back.r == m[i].r && back.alpha == m[i].alpha);
        check_ok(sct_peft_modules_target(&l, m[i].name, "c", &yes, &err));
        ck_assert_int_eq(yes, 1);
        check_ok(sct_peft_modules_target(&l, "vit.encoder.layer.0.layernorm_before", "c", &yes,
                                         &err));
        ck_assert_int_eq(yes, 0);
    }
    json_decref(config);
    /* the MLP alone: the end of its names would mean the attention's too */
    config = json_object();
    check_ok(sct_peft_modules_write(config, m + 36, 2, &err));
    text = json_dumps(json_object_get(config, "target_modules"), 0);
    ck_assert_str_eq(text, "[\"vit.encoder.layer.0.output.dense\", "
                           "\"vit.encoder.layer.1.output.dense\"]");
    free(text);
    json_decref(config);
}

END_TEST

Suite *peft_suite(void)
{
    Suite *s = suite_create("peft");
    TCase *tc = tcase_create("modules");
    suite_add_tcase(s, tc);
    tcase_add_loop_test(tc, matches_as_python, 0, sizeof matches / sizeof *matches);
    tcase_add_test(tc, names_what_is_not_understood);
    tcase_add_test(tc, patterns_there_and_back);
    return s;
}
