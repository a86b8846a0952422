/* SPDX-License-Identifier: MIT
 * option_test.c - option tables: defaults, checks, sources, flags, help, dump and back.
 * Wrong text must leave the state as it was. */
#include "core/io/option.h"
#include "tests/io/io_suite.h"

#include "core/base/mem.h"
#include "core/io/config.h"

struct state {
    uint32_t on, k, where;
    float lr;
    const char *name, *none;
    struct sct_count count;
};

#define AT(F) offsetof(struct state, F)

static const struct sct_option rows[] = {
    {"on", "a switch", SCT_OPT_BOOL, AT(on), 1, 0, 0, NULL},
    {"k", "selected channels", SCT_OPT_UINT, AT(k), 96, 1, 4096, NULL},
    {"where", "insertion point", SCT_OPT_CHOICE, AT(where), 0, 0, 0, "attn|mlp|both"},
    {"lr_mult", "learning rate", SCT_OPT_FLOAT, AT(lr), 0.1, 0, 10, NULL},
    {"name", "a name", SCT_OPT_STRING, AT(name), 0, 0, 0, "x: y"},
    {"none", "no default", SCT_OPT_STRING, AT(none), 0, 0, 0, NULL},
    {"count", "how many", SCT_OPT_COUNT, AT(count), 0, 1, 0, "1/8"},
    {.key = NULL},
};

static struct sct_opts *bind(struct state *s)
{
    sct_error err;
    struct sct_opts *o;
    memset(s, 0xaa, sizeof *s);
    check_ok(sct_opts_create(&o, rows, s, sizeof *s, "strategy sct", &err));
    return o;
}

static sct_status set(struct sct_opts *o, const char *key, const char *text, sct_error *err)
{
    return sct_opts_set(o, key, text, SCT_OPT_CONFIG, "here", err);
}

START_TEST(fills_defaults)
{
    struct state s;
    struct sct_opts *o = bind(&s);
    ck_assert(s.on == 1 && s.k == 96 && s.where == 0 && s.lr == 0.1f);
    ck_assert_str_eq(s.name, "x: y");
    ck_assert_ptr_null(s.none);
    ck_assert(s.count.den == 8 && s.count.num == 1);
    ck_assert_int_eq(sct_opts_source(o, "k"), SCT_OPT_DEFAULT);
    ck_assert_ptr_eq(sct_opts_find(o, "lr-mult"), &rows[3]);
    ck_assert_ptr_null(sct_opts_find(o, "lr"));
    sct_opts_destroy(&o);
    sct_opts_destroy(&o);
}

END_TEST

START_TEST(parses_each_type)
{
    sct_error err;
    struct state s;
    struct sct_opts *o = bind(&s);
    static const char *const yes[] = {"on", "true", "yes", "1", "True"};
    static const char *const no[] = {"off", "false", "no", "0", "OFF"};
    for (size_t i = 0; i < 5; i++) {
        check_ok(set(o, "on", no[i], &err));
        ck_assert_uint_eq(s.on, 0);
        check_ok(set(o, "on", yes[i], &err));
        ck_assert_uint_eq(s.on, 1);
    }
    check_ok(set(o, "k", "4096", &err));
    check_ok(set(o, "where", "both", &err));
    check_ok(set(o, "lr_mult", "1e-3", &err));
    check_ok(set(o, "name", "", &err));
    check_ok(set(o, "none", "caf\xc3\xa9", &err));
    check_ok(set(o, "count", "0.375", &err));
    ck_assert(s.k == 4096 && s.where == 2 && s.lr == 1e-3f && s.count.num == 3 &&
              s.count.den == 8);
    ck_assert_str_eq(s.name, "");
    ck_assert_str_eq(s.none, "caf\xc3\xa9");
    check_ok(set(o, "none", NULL, &err));
    ck_assert_ptr_null(s.none);
    sct_opts_destroy(&o);
}

END_TEST

static const struct {
    const char *key, *text, *words;
} wrong[] = {
    {"on", "maybe", "here: on: expected on or off, found 'maybe'"},
    {"on", "", "expected on or off, found ''"},
    {"k", "0", "here: k: expected a whole number from 1 to 4096, found '0'"},
    {"k", "4097", "expected a whole number from 1 to 4096"},
    {"k", "4294967296", "expected a whole number"},
    {"k", "99999999999999999999", "expected a whole number"},
    {"k", "-1", "expected a whole number"},
    {"k", "+1", "expected a whole number"},
    {"k", " 1", "expected a whole number"},
    {"k", "1.0", "expected a whole number"},
    {"k", "0x10", "expected a whole number"},
    {"k", NULL, "found null"},
    {"lr_mult", "nan", "expected a number from 0 to 10, found 'nan'"},
    {"lr_mult", "inf", "expected a number"},
    {"lr_mult", "1e39", "expected a number"},
    {"lr_mult", "-0.5", "expected a number from 0 to 10"},
    {"lr_mult", "10.0000001", "expected a number from 0 to 10"},
    {"lr_mult", "0x1p3", "expected a number"},
    {"lr_mult", "1 ", "expected a number"},
    {"lr_mult", "e", "expected a number"},
    {"where", "att", "expected attn|mlp|both, found 'att'"},
    {"where", "attn|mlp", "expected attn|mlp|both"},
    {"where", "", "expected attn|mlp|both"},
    {"name", "\xff", "expected UTF-8 text"},
    {"count", "0",
     "expected a number or a fraction such as 1/8 or 0.125 of at least 1, found '0'"},
    {"count", "1/0", "a fraction"},
    {"count", "0/4", "a fraction"},
    {"count", "9/8", "a fraction"},
    {"count", "1.5", "a fraction"},
    {"count", ".", "a fraction"},
    {"count", "/", "a fraction"},
    {"count", "1/", "a fraction"},
    {"count", "/8", "a fraction"},
    {"count", "0.0000000001", "a fraction"},
    {"count", "-1/8", "a fraction"},
    {"count", "1/99999999999", "a fraction"},
    {"k_", "1", "here: unknown option 'k_' of strategy sct; did you mean 'k'?"},
    {"wheer", "attn", "did you mean 'where'?"},
    {"zzzzzz", "1", "known: on, k, where, lr_mult, name, none, count"},
};

START_TEST(refuses_wrong_text)
{
    sct_error err;
    struct state s;
    struct sct_opts *o = bind(&s);
    const struct state before = s;
    check_fails(set(o, wrong[_i].key, wrong[_i].text, &err), SCT_EUSAGE, wrong[_i].words);
    ck_assert_mem_eq(&before, &s, sizeof s);
    sct_opts_destroy(&o);
}

END_TEST

START_TEST(counts_are_exact)
{
    static const struct {
        const char *text;
        uint32_t number, num, den;
    } good[] = {
        {"96", 96, 0, 0},
        {"4294967295", UINT32_MAX, 0, 0},
        {"1/8", 0, 1, 8},
        {"2/16", 0, 1, 8},
        {"0.125", 0, 1, 8},
        {".5", 0, 1, 2},
        {"0.1", 0, 1, 10},
        {"0.333", 0, 333, 1000},
        {"1.0", 0, 1, 1},
        {"1.", 0, 1, 1},
        {"8/8", 0, 1, 1},
        {"0.0", 0, 0, 1},
        {"0.000000001", 0, 1, 1000000000},
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct sct_count c = {7, 7, 7};
        ck_assert_msg(sct_scan_count(good[i].text, &c), "%s", good[i].text);
        ck_assert_msg(c.number == good[i].number && c.num == good[i].num &&
                          c.den == good[i].den,
                      "%s: %u %u/%u", good[i].text, c.number, c.num, c.den);
    }
}

END_TEST

START_TEST(stronger_sources_win)
{
    sct_error err;
    struct state s;
    struct sct_opts *o = bind(&s);
    check_ok(sct_opts_set(o, "k", "3", SCT_OPT_FLAG, "--k", &err));
    check_ok(sct_opts_set(o, "k", "2", SCT_OPT_ENV, "K", &err));
    check_ok(sct_opts_set(o, "k", "1", SCT_OPT_CONFIG, "f", &err));
    ck_assert_uint_eq(s.k, 3);
    ck_assert_int_eq(sct_opts_source(o, "k"), SCT_OPT_FLAG);
    check_ok(sct_opts_set(o, "k", "4", SCT_OPT_FLAG, "--k", &err));
    ck_assert_uint_eq(s.k, 4);
    check_fails(sct_opts_set(o, "k", "x", SCT_OPT_CONFIG, "f", &err), SCT_EUSAGE,
                "f: k: expected");
    sct_opts_destroy(&o);
}

END_TEST

struct prog {
    uint32_t threads, verbose, batch;
    const char *config;
};

static const struct sct_flag flags[] = {
    {{"config", "defaults from a YAML file", SCT_OPT_STRING, offsetof(struct prog, config), 0,
      0, 0, NULL},
     NULL,
     "Input",
     "FILE",
     'c'},
    {{"num_threads",
      "worker threads; a long explanation that will not fit on the rest of one line of the terminal",
      SCT_OPT_UINT, offsetof(struct prog, threads), 2, 1, 0, NULL},
     "SCTRUN_THREADS",
     "Run",
     NULL,
     0},
    {{"verbose", "say more", SCT_OPT_BOOL, offsetof(struct prog, verbose), 0, 0, 0, NULL},
     NULL,
     "Run",
     NULL,
     'v'},
    {{"batch_size", "images a step", SCT_OPT_UINT, offsetof(struct prog, batch), 64, 1, 65536,
      NULL},
     NULL,
     "Run",
     NULL,
     'b'},
    {.opt = {.key = NULL}},
};

/* Sets the words in turn; the number of words taken altogether. */
static int parse_all(struct sct_opts *o, int argc, const char *const *argv, sct_error *err)
{
    int i = 0;
    for (int used = 1; i < argc && used; i += used) {
        union {
            const char *const *in;
            char *const *out;
        } words = {argv + i};

        *err = (sct_error)SCT_ERROR_INIT;
        if (sct_opts_arg(o, argc - i, words.out, &used, err) != SCT_OK)
            return -1;
    }
    return i;
}

START_TEST(takes_flags)
{
    sct_error err;
    struct prog p;
    struct sct_opts *o;
    check_ok(sct_opts_create_flags(&o, flags, &p, sizeof p, &err));
    const char *const a[] = {"--num-threads=4", "-v",     "-b",   "32",
                             "--config",        "a.yaml", "train"};
    ck_assert_int_eq(parse_all(o, 7, a, &err), 6);
    ck_assert(p.threads == 4 && p.verbose == 1 && p.batch == 32);
    ck_assert_str_eq(p.config, "a.yaml");
    const char *const b[] = {"--no-verbose", "-b16",     "--num_threads", "8",
                             "-cb.yaml",     "--nothing"};
    ck_assert_int_eq(parse_all(o, 6, b, &err), 5);
    ck_assert(p.threads == 8 && p.verbose == 0 && p.batch == 16);
    ck_assert_str_eq(p.config, "b.yaml");
    const char *const c[] = {"--verbose=off", "--verbose", "-"};
    ck_assert_int_eq(parse_all(o, 3, c, &err), 2);
    ck_assert_uint_eq(p.verbose, 1);
    sct_opts_destroy(&o);
}

END_TEST

START_TEST(refuses_flags)
{
    static const struct {
        const char *argv[2];
        int argc;
        const char *words;
    } bad[] = {
        {{"--config", "--verbose"},
         2,
         "--config: expected a value after it, found '--verbose'"},
        {{"--config", NULL}, 1, "found the end of the command line"},
        {{"-b", NULL}, 1, "-b: expected a value after it"},
        {{"-b", "x"}, 2, "-b: expected a whole number from 1 to 65536, found 'x'"},
        {{"-vv", NULL}, 1, "-v: expected -v alone, found '-vv'"},
        {{"--num-threads=", NULL},
         1,
         "--num-threads: expected a whole number of at least 1, found ''"},
        {{"--batch-size", "-1"}, 2, "--batch-size: expected a whole number"},
    };

    sct_error err;
    struct prog p;
    struct sct_opts *o;
    check_ok(sct_opts_create_flags(&o, flags, &p, sizeof p, &err));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(parse_all(o, bad[i].argc, bad[i].argv, &err), -1);
        ck_assert_int_eq(err.code, SCT_EUSAGE);
        ck_assert_msg(strstr(err.msg, bad[i].words) != NULL, "%s", err.msg);
    }
    check_fails(sct_opts_unknown(o, "--bach-size=3", "command line", &err), SCT_EUSAGE,
                "command line: unknown option '--bach-size'; did you mean 'batch_size'?");
    sct_opts_destroy(&o);
}

END_TEST

static const char *fake_env(const char *name)
{
    return strcmp(name, "SCTRUN_THREADS") == 0 ? "6" : NULL;
}

static const char *bad_env(const char *name)
{
    return strcmp(name, "SCTRUN_THREADS") == 0 ? "six" : NULL;
}

START_TEST(reads_the_environment)
{
    sct_error err;
    struct prog p;
    struct sct_opts *o;
    check_ok(sct_opts_create_flags(&o, flags, &p, sizeof p, &err));
    check_ok(sct_opts_env(o, fake_env, &err));
    ck_assert(p.threads == 6 && p.batch == 64);
    check_fails(sct_opts_env(o, bad_env, &err), SCT_EUSAGE,
                "SCTRUN_THREADS: num_threads: expected a whole number");
    sct_opts_destroy(&o);
}

END_TEST

/* Of a strategy's rows: words that can be pasted, with the values in force. */
START_TEST(writes_help_of_a_strategy)
{
    struct {
        struct sct_count k;
        uint32_t all, mode;
    } st;
    const struct sct_option rows[] = {
        {"k_of", "channels", SCT_OPT_COUNT, 0, 0, 1, 64, "1/8"},
        {"all", "every one", SCT_OPT_BOOL, sizeof st.k, 0, 0, 1, NULL},
        {"mode", "where", SCT_OPT_CHOICE, sizeof st.k + sizeof st.all, 0, 0, 0, "attn|mlp"},
        {NULL, NULL, 0, 0, 0, 0, 0, NULL},
    };
    sct_error err;
    struct sct_opts *o;
    struct sct_str text = {0};
    check_ok(sct_opts_create(&o, rows, &st, sizeof st, "strategy x", &err));
    check_ok(sct_opts_set(o, "k_of", "9", SCT_OPT_CONFIG, "x.yaml:1:1", &err));
    sct_opts_help(o, &text);
    ck_assert_str_eq(text.s, "      --set k_of=N|A/B        channels (9; from 1 to 64)\n"
                             "      --set all=on|off        every one (false)\n"
                             "      --set mode=attn|mlp     where (attn)\n");
    sct_str_free(&text);
    sct_opts_destroy(&o);
}

END_TEST

START_TEST(writes_help)
{
    sct_error err;
    struct prog p;
    struct sct_opts *o;
    struct sct_str text = {0};
    check_ok(sct_opts_create_flags(&o, flags, &p, sizeof p, &err));
    sct_opts_help(o, &text);
    ck_assert(!text.failed);
    ck_assert_str_eq(
        text.s,
        "Input:\n"
        "  -c, --config FILE           defaults from a YAML file\n"
        "\n"
        "Run:\n"
        "      --num-threads N         worker threads; a long explanation that will not fit on the rest\n"
        "                              of one line of the terminal (2; of at least 1) [SCTRUN_THREADS]\n"
        "  -v, --verbose               say more (false)\n"
        "  -b, --batch-size N          images a step (64; from 1 to 65536)\n");
    sct_str_free(&text);
    sct_opts_destroy(&o);
}

END_TEST

/* What dump writes, config reads back to the same state, for strings that YAML could misread.
 */
START_TEST(dump_reads_back)
{
    static const char *const names[] = {
        "plain",
        "",
        " lead",
        "trail ",
        "a: b",
        "a #b",
        "#a",
        "- a",
        "[x]",
        "{x}",
        "'q'",
        "\"q\"",
        "null",
        "~",
        "true",
        "No",
        "1.5",
        "0x1f",
        "a\nb",
        "a\tb",
        "\\",
        "caf\xc3\xa9",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xc2\x85",
        "\x01\x7f",
        "%a",
        "@a",
        "`a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "?",
        "/tmp/a b",
        "\xf0\x9f\x98\x80",
        "---",
        "...",
        "<<",
    };
    sct_error err;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct state s, t;
        struct sct_opts *o = bind(&s), *q = bind(&t);
        struct sct_str text = {0};
        struct sct_cfg *cfg;
        check_ok(set(o, "name", names[i], &err));
        check_ok(set(o, "lr_mult", "0.3333333", &err));
        check_ok(set(o, "on", "off", &err));
        check_ok(set(o, "count", i % 2 ? "12" : "0.3", &err));
        check_ok(set(o, "where", "mlp", &err));
        sct_str_add(&text, "sct:\n");
        sct_opts_dump(o, 2, &text);
        check_ok(sct_cfg_parse(&cfg, text.s, text.n, "args.yaml", &err));
        check_ok(sct_cfg_feed(sct_cfg_get(sct_cfg_root(cfg), "sct"), q, NULL, &err));
        ck_assert_str_eq(t.name, names[i]);
        ck_assert_ptr_null(t.none);
        ck_assert(t.on == s.on && t.k == s.k && t.lr == s.lr && t.where == s.where);
        ck_assert_mem_eq(&t.count, &s.count, sizeof t.count);
        sct_cfg_destroy(&cfg);
        sct_str_free(&text);
        sct_opts_destroy(&o);
        sct_opts_destroy(&q);
    }
}

END_TEST

/* Flags add up, a file gives all at once, the stronger source wins; what dump writes is read
 * back.
 */
START_TEST(lists)
{
    static const struct sct_flag table[] = {
        {{"name", "names", SCT_OPT_LIST, 0, 0, 0, 0, "one"}, NULL, "Run", NULL, 0},
        {.opt = {.key = NULL}},
    };
    static const char *const words[] = {"--name", "a b", "--name=/c,d", "--name", "on"};
    static const char yaml[] = "x: {name: [p, 'q: r']}\n", bad[] = "x: {name: [p, [q]]}\n";
    sct_error err;
    const char *s = NULL, *t = NULL;
    struct sct_opts *o, *q;
    struct sct_cfg *cfg;
    struct sct_str text = {0}, help = {0};
    size_t len;
    check_ok(sct_opts_create_flags(&o, table, &s, sizeof s, &err));
    check_ok(sct_opts_create_flags(&q, table, &t, sizeof t, &err));
    ck_assert_str_eq(s, "one");
    check_ok(sct_cfg_parse(&cfg, bad, sizeof bad - 1, "a.yaml", &err));
    check_fails(sct_cfg_feed(sct_cfg_get(sct_cfg_root(cfg), "x"), o, NULL, &err), SCT_EUSAGE,
                "a.yaml:1:15: expected text, found a list");
    sct_cfg_destroy(&cfg);
    ck_assert_str_eq(s, "one");
    check_ok(sct_cfg_parse(&cfg, yaml, sizeof yaml - 1, "a.yaml", &err));
    for (int i = 0; i < 2; i++) /* again is the same */
        check_ok(sct_cfg_feed(sct_cfg_get(sct_cfg_root(cfg), "x"), o, NULL, &err));
    ck_assert_str_eq(s, "p\nq: r");
    ck_assert_int_eq(parse_all(o, 5, words, &err), 5);
    check_ok(sct_cfg_feed(sct_cfg_get(sct_cfg_root(cfg), "x"), o, NULL, &err));
    sct_cfg_destroy(&cfg);
    ck_assert_str_eq(s, "a b\n/c,d\non");
    ck_assert_ptr_eq(sct_list_at(s, 1, &len), s + 4);
    ck_assert_uint_eq(len, 4);
    ck_assert_ptr_null(sct_list_at(s, 3, &len));
    ck_assert_ptr_null(sct_list_at(NULL, 0, &len));
    sct_str_add(&text, "x:\n");
    sct_opts_dump(o, 2, &text);
    ck_assert_str_eq(text.s, "x:\n  name: [\"a b\", \"/c,d\", \"on\"]\n");
    check_ok(sct_cfg_parse(&cfg, text.s, text.n, "args.yaml", &err));
    check_ok(sct_cfg_feed(sct_cfg_get(sct_cfg_root(cfg), "x"), q, NULL, &err));
    ck_assert_str_eq(t, s);
    sct_cfg_destroy(&cfg);
    sct_opts_help(q, &help);
    ck_assert_ptr_nonnull(strstr(help.s, "--name TEXT"));
    sct_str_free(&help);
    sct_str_free(&text);
    sct_opts_destroy(&o);
    sct_opts_destroy(&q);
}

END_TEST

START_TEST(refuses_bad_tables)
{
    static const struct {
        struct sct_option row;
        const char *words;
    } bad[] = {
        {{"K", "", SCT_OPT_UINT, 0, 0, 0, 0, NULL}, "row 1 ('K'): a key must match"},
        {{"", "", SCT_OPT_UINT, 0, 0, 0, 0, NULL}, "a key must match"},
        {{"a", "", SCT_OPT_UINT, 0, 0, 0, 0, NULL}, "the key occurs twice"},
        {{"b", "", 17, 0, 0, 0, 0, NULL}, "unknown type"},
        {{"b", "", SCT_OPT_LIST, 8, 0, 0, 0, NULL}, "unknown type"},
        {{"b", "", SCT_OPT_UINT, 2, 0, 0, 0, NULL}, "outside the state or not aligned"},
        {{"b", "", SCT_OPT_UINT, 16, 0, 0, 0, NULL}, "outside the state"},
        {{"b", "", SCT_OPT_COUNT, 8, 0, 0, 0, NULL}, "outside the state"},
        {{"b", "", SCT_OPT_UINT, SIZE_MAX - 3, 0, 0, 0, NULL}, "outside the state"},
        {{"b", "", SCT_OPT_CHOICE, 0, 0, 0, 0, NULL}, "needs its words"},
        {{"b", "", SCT_OPT_UINT, 0, 0, 1, 8, NULL}, "the default is outside its own limits"},
        {{"b", "", SCT_OPT_UINT, 0, -1, 0, 0, NULL}, "the default is outside"},
        {{"b", "", SCT_OPT_FLOAT, 0, 1e300, 0, 0, NULL}, "the default is outside"},
        {{"b", "", SCT_OPT_COUNT, 0, 0, 0, 0, "x"}, "the default is outside"},
    };

    sct_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct sct_option table[] = {
            {"a", "", SCT_OPT_UINT, 0, 0, 0, 0, NULL}, bad[i].row, {.key = NULL}};
        uint32_t state[4];
        struct sct_opts *o;
        check_fails(sct_opts_create(&o, table, state, sizeof state, "strategy x", &err),
                    SCT_EPLUGIN, bad[i].words);
        ck_assert_ptr_null(o);
    }
    struct sct_opts *o;
    check_ok(sct_opts_create(&o, NULL, NULL, 0, "strategy linear", &err));
    check_fails(sct_opts_set(o, "k", "1", SCT_OPT_FLAG, "--k", &err), SCT_EUSAGE,
                "known: none");
    sct_opts_destroy(&o);
}

END_TEST

Suite *option_suite(void)
{
    Suite *s = suite_create("option");
    TCase *tc = tcase_create("table");
    tcase_add_test(tc, fills_defaults);
    tcase_add_test(tc, parses_each_type);
    tcase_add_loop_test(tc, refuses_wrong_text, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(tc, counts_are_exact);
    tcase_add_test(tc, stronger_sources_win);
    tcase_add_test(tc, takes_flags);
    tcase_add_test(tc, refuses_flags);
    tcase_add_test(tc, reads_the_environment);
    tcase_add_test(tc, writes_help);
    tcase_add_test(tc, writes_help_of_a_strategy);
    tcase_add_test(tc, dump_reads_back);
    tcase_add_test(tc, lists);
    tcase_add_test(tc, refuses_bad_tables);
    suite_add_tcase(s, tc);
    return s;
}
