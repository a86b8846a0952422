/* SPDX-License-Identifier: MIT
 * pattern_test.c - patterns over site paths and parameter names. */
#include <string.h>

#include "core/peft/pattern.h"
#include "tests/unit/unit_suite.h"

START_TEST(test_match)
{
    static const struct {
        const char *pattern, *path;
        int want;
    } cases[] = {
        {"head", "head", 1},
        {"head", "heads", 0},
        {"heads", "head", 0},
        {"head", "a.head", 0},
        {"**", "stage[0].block[3].attn.res", 1},
        {"**.attn.res", "stage[0].block[3].attn.res", 1},
        {"**.attn.res", "attn.res", 1},
        {"**.attn.res", "stage[0].block[3].attn.out", 0},
        {"**.res", "stage[0].block[3].attn.res", 1},
        {"stage[0].**", "stage[0].block[3].attn.res", 1},
        {"stage[0].**", "stage[1].block[3].attn.res", 0},
        {"stage[*].block[*].attn.res", "stage[2].block[17].attn.res", 1},
        {"*.*.attn.res", "stage[2].block[17].attn.res", 1},
        {"*.*.*.*", "stage[2].block[17].attn.res", 1},
        {"*.*.*", "stage[2].block[17].attn.res", 0},
        {"*.*.*.*.*", "stage[2].block[17].attn.res", 0},
        {"stage[2].block[9:18].mlp.*", "stage[2].block[9].mlp.fc1", 1},
        {"stage[2].block[9:18].mlp.*", "stage[2].block[17].mlp.fc2", 1},
        {"stage[2].block[9:18].mlp.*", "stage[2].block[18].mlp.fc1", 0},
        {"stage[2].block[9:18].mlp.*", "stage[2].block[8].mlp.fc1", 0},
        {"stage[0].block[6:].out", "stage[0].block[11].out", 1},
        {"stage[0].block[6:].out", "stage[0].block[5].out", 0},
        {"stage[0].block[:6].out", "stage[0].block[5].out", 1},
        {"stage[0].block[:6].out", "stage[0].block[6].out", 0},
        {"stage[0].block[:].out", "stage[0].block[6].out", 1},
        {"stage[0].block[3].out", "stage[0].block[3].out", 1},
        {"stage[0].block[3].out", "stage[0].block[33].out", 0},
        {"stage[0].block.out", "stage[0].block[3].out", 0}, /* an index must be matched */
        {"block[3]", "block", 0},
        /* the last "**" may have to move on more than once */
        {"**.a.b", "a.a.b", 1},
        {"**.a.b", "a.b.a.b", 1},
        {"**.a.**.c", "x.a.b.a.d.c", 1},
        {"**.a.**.c", "x.b.c", 0},
        {"**.**.a", "a", 1},
        {"a.**", "a", 1}, /* no word is a number of words too */
        {"a.**.**", "a", 1},
        {"a.**.b", "a", 0},
        /* lists */
        {"head,**.res", "stage[0].block[3].attn.res", 1},
        {"head,**.res", "head", 1},
        {"head,**.res", "stage[0].block[3].attn.out", 0},
        {"stage[2].block[9:].attn.res,stage[3].block[*].attn.res", "stage[2].block[8].attn.res",
         0},
        {"stage[2].block[9:].attn.res,stage[3].block[*].attn.res", "stage[3].block[0].attn.res",
         1},
        {"a.**,b", "b", 1},
        {"a,", "a", 0}, /* malformed */
        /* parameter names */
        {"blocks.*.attn.qkv.weight", "blocks.11.attn.qkv.weight", 1},
        {"blocks.*.attn.qkv.weight", "blocks.11.attn.qkv.bias", 0},
        {"**.bias", "blocks.0.mlp.fc1.bias", 1},
        {"**.bias", "blocks.0.mlp.fc1.weight", 0},
        {"pos_embed", "pos_embed", 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(sct_pattern_match(cases[i].pattern, cases[i].path) == cases[i].want,
                      "\"%s\" against \"%s\": expected %d", cases[i].pattern, cases[i].path,
                      cases[i].want);
}

END_TEST

START_TEST(test_malformed)
{
    static const char *const bad[] = {
        "",      ".",      "a.",     ".a",     "a..b",    "a*",        "*a",  "***",
        "a.b*c", "block[", "block]", "[3]",    "block[]", "block[a]",  "a b", "a/b",
        "a[1]b", "a[**]",  "a[1]]",  "a\303b", "a?",      "block[-1]", "a,",  "a\n",
        ",a",    "a,,b",   "a.,b",   "a,b*",   "a, b",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sct_error err = SCT_ERROR_INIT;
        ck_assert_msg(sct_pattern_check(bad[i], &err) == SCT_EUSAGE, "accepted \"%s\"", bad[i]);
        ck_assert_ptr_nonnull(strstr(err.msg, "character"));
        ck_assert_int_eq(sct_pattern_match(bad[i], "a.b"), 0);
        ck_assert_int_eq(sct_pattern_match(bad[i], bad[i]), 0);
    }
    char big[300];
    memset(big, 'a', sizeof big);
    big[299] = 0;
    ck_assert_int_eq(sct_pattern_check(big, NULL), SCT_EUSAGE);
    big[255] = 0;
    ck_assert_int_eq(sct_pattern_check(big, NULL), SCT_OK);
    ck_assert_int_eq(sct_pattern_match(big, big), 1);
}

END_TEST

/* Against a plain recursive matcher, on every pair of short strings over a small alphabet. */
static int slow(const char *const *p, int np, const char *const *s, int ns)
{
    if (np == 0)
        return ns == 0;
    if (strcmp(p[0], "**") == 0) {
        for (int skip = 0; skip <= ns; skip++)
            if (slow(p + 1, np - 1, s + skip, ns - skip))
                return 1;
        return 0;
    }
    return ns > 0 && (strcmp(p[0], "*") == 0 || strcmp(p[0], s[0]) == 0) &&
           slow(p + 1, np - 1, s + 1, ns - 1);
}

static void join(char *out, const char *const *word, int n)
{
    out[0] = 0;
    for (int i = 0; i < n; i++) {
        strcat(out, i ? "." : "");
        strcat(out, word[i]);
    }
}

START_TEST(test_against_recursion)
{
    static const char *const words[] = {"a", "b", "*", "**"};
    for (int np = 1; np <= 4; np++)
        for (int pcode = 0; pcode < 1 << (2 * np); pcode++)
            for (int ns = 1; ns <= 5; ns++)
                for (int scode = 0; scode < 1 << ns; scode++) {
                    const char *p[4], *s[5];
                    char pattern[32], path[32];
                    for (int i = 0; i < np; i++)
                        p[i] = words[pcode >> (2 * i) & 3];
                    for (int i = 0; i < ns; i++)
                        s[i] = words[scode >> i & 1];
                    join(pattern, p, np);
                    join(path, s, ns);
                    ck_assert_msg(sct_pattern_match(pattern, path) == slow(p, np, s, ns),
                                  "\"%s\" against \"%s\"", pattern, path);
                }
}

END_TEST

Suite *pattern_suite(void)
{
    Suite *s = suite_create("pattern");
    TCase *t = tcase_create("pattern");
    tcase_add_test(t, test_match);
    tcase_add_test(t, test_malformed);
    tcase_add_test(t, test_against_recursion);
    suite_add_tcase(s, t);
    return s;
}
