/* SPDX-License-Identifier: MIT
 * pickle_test.c - pickles written by hand, opcode by opcode: the tree they make, the ones that
 * are refused; and streams of PyTorch's older container around them, whose tensors lie. */
#include "core/checkpoint/pickle.h"
#include "tests/io/io_suite.h"

#include "core/checkpoint/checkpoint.h"

#include <stdlib.h>

/* On the heap, exactly: the address sanitizer sees the first byte beyond. */
static sct_status parse(struct sct_pickle *p, const char *s, size_t n, sct_error *err)
{
    char *copy = malloc(n ? n : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, s, n);
    const sct_status rc = sct_pickle_parse(p, copy, n, "p", err);
    free(copy); /* texts of a tree are not looked at after this */
    return rc;
}

#define P(TEXT) TEXT, sizeof(TEXT) - 1

START_TEST(makes_a_tree)
{
    /* {"a": (1, -2, 2.5), "b": [None, True], 3: f(x)} as protocol 4 writes it */
    static const char s[] = "\x80\x04\x95\x37\0\0\0\0\0\0\0"
                            "}\x94("
                            "\x8c\1a\x94K\1J\xfe\xff\xff\xffG\x40\4\0\0\0\0\0\0\x87\x94"
                            "\x8c\1b\x94]\x94(N\x88"
                            "eK\3\x8c\6module\x94\x8c\1f\x94\x93\x94h\1\x85R"
                            "u.rest";
    sct_error err;
    struct sct_pickle p;
    check_ok(sct_pickle_parse(&p, s, sizeof s - 1, "p", &err));
    ck_assert_uint_eq(p.used, sizeof s - 1 - 4);
    const struct sct_pickle_node *root = &p.node[p.root];
    ck_assert(root->kind == SCT_PICKLE_DICT && root->u.obj.n == 3);
    const uint32_t a = sct_pickle_get(&p, p.root, "a"), b = sct_pickle_get(&p, p.root, "b");
    ck_assert(p.node[a].kind == SCT_PICKLE_TUPLE && p.node[b].kind == SCT_PICKLE_LIST);
    ck_assert_int_eq(p.node[sct_pickle_item(&p, a, 1)].u.i, -2);
    ck_assert(p.node[sct_pickle_item(&p, a, 2)].u.f == 2.5);
    ck_assert_uint_eq(sct_pickle_item(&p, a, 3), SCT_PICKLE_NIL);
    ck_assert_uint_eq(p.node[sct_pickle_item(&p, b, 0)].kind, SCT_PICKLE_NONE);
    ck_assert_int_eq(p.node[sct_pickle_item(&p, b, 1)].u.i, 1);
    ck_assert_uint_eq(sct_pickle_get(&p, p.root, "c"), SCT_PICKLE_NIL);
    ck_assert_uint_eq(sct_pickle_get(&p, a, "a"), SCT_PICKLE_NIL);
    ck_assert_uint_eq(sct_pickle_item(&p, p.root, 0), SCT_PICKLE_NIL);
    const struct sct_pickle_cell *last = &p.cell[root->u.obj.tail];
    ck_assert_int_eq(p.node[last->key].u.i, 3);
    const struct sct_pickle_node *call = &p.node[last->value];
    ck_assert_uint_eq(call->kind, SCT_PICKLE_CALL);
    ck_assert(sct_pickle_is_global(&p, call->u.obj.fn, "module", "f"));
    ck_assert(!sct_pickle_is_global(&p, call->u.obj.fn, "module", "ff"));
    /* memo 1 is the string "a" */
    const struct sct_pickle_text *t = &p.node[sct_pickle_item(&p, call->u.obj.args, 0)].u.text;
    ck_assert(t->n == 1 && t->s[0] == 'a');
    sct_pickle_fini(&p);
}

END_TEST

/* Whole numbers in all their spellings. */
static const struct {
    const char *s;
    size_t n;
    int64_t value;
} ints[] = {
    {P("\x80\2K\xff."), 255},
    {P("\x80\2M\xff\xff."), 65535},
    {P("\x80\2J\0\0\0\x80."), INT32_MIN},
    {P("\x80\2\x8a\0."), 0},
    {P("\x80\2\x8a\1\x80."), -128},
    {P("\x80\2\x8a\2\x80\0."), 128},
    {P("\x80\2\x8a\x8\0\0\0\0\0\0\0\x80."), INT64_MIN},
    {P("\x80\2\x8b\3\0\0\0\1\0\1."), 65537},
};

START_TEST(reads_ints)
{
    sct_error err;
    struct sct_pickle p;
    check_ok(parse(&p, ints[_i].s, ints[_i].n, &err));
    ck_assert_uint_eq(p.node[p.root].kind, SCT_PICKLE_INT);
    ck_assert_int_eq(p.node[p.root].u.i, ints[_i].value);
    sct_pickle_fini(&p);
}

END_TEST

static const struct {
    const char *s;
    size_t n;
    const char *words;
} hostile[] = {
    {P(""), "p: byte 0: pickle: the pickle is cut off"},
    {P("\x80"), "byte 0: PROTO: the pickle is cut off"},
    {P("\x80\1N."), "PROTO: expected protocol 2 to 5"},
    {P("\x80\6N."), "PROTO: expected protocol 2 to 5"},
    {P("\x80\2N"), "byte 3: pickle: the pickle is cut off"},
    {P("\x80\2."), "byte 2: STOP: expected one value"},
    {P("\x80\2NN."), "STOP: expected one value"},
    {P("\x80\2(N."), "STOP: expected one value"},
    {P("\x80\2I1\n."), "byte 2: opcode 0x49"},
    {P("\x80\2i"), "opcode 0x69"},
    {P("\x80\2\x82\1."), "opcode 0x82"},
    {P("\x80\2X\xff\xff\xff\xff"
       "abc"),
     "BINUNICODE: the pickle is cut off"},
    {P("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"
       "abc"),
     "BINUNICODE8: the pickle is cut off"},
    {P("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\xffN."), "FRAME: the frame is longer"},
    {P("\x80\2\x8b\xff\xff\xff\xff."), "LONG4: the pickle is cut off"},
    {P("\x80\2G\0\0\0."), "BINFLOAT: the pickle is cut off"},
    {P("\x80\2cos\nsystem"), "GLOBAL: the pickle is cut off"},
    {P("\x80\2h\0."), "BINGET: nothing was remembered"},
    {P("\x80\2Nq\2h\1."), "BINGET: nothing was remembered"},
    {P("\x80\2Nr\xff\xff\xff\xff."), "more than 4194304 remembered values"},
    {P("\x80\2q\0."), "BINPUT: the stack has too few values"},
    {P("\x80\4\x94"), "MEMOIZE: the stack has too few values"},
    {P("\x80\2R"), "REDUCE: the stack has too few values"},
    {P("\x80\2N(R"), "REDUCE: the stack has too few values"},
    {P("\x80\2N0"
       "0"),
     "POP: the stack has too few values"},
    {P("\x80\2t"), "TUPLE: without a mark"},
    {P("\x80\2(u"), "SETITEMS: the stack has too few values"},
    {P("\x80\2}(Nu"), "SETITEMS: a key without a value"},
    {P("\x80\2N(NNu"), "SETITEMS: on a value of another kind"},
    {P("\x80\2}NNa"), "APPEND: on a value of another kind"},
    {P("\x80\2NNs"), "SETITEM: the stack has too few values"},
    {P("\x80\2N(Ne"), "APPENDS: on a value of another kind"},
    {P("\x80\2N)b"), "BUILD: on a value of another kind"},
    {P("\x80\4NN\x93"), "STACK_GLOBAL: expected two strings"},
    {P("\x80\2Q"), "BINPERSID: the stack has too few values"},
};

START_TEST(refuses_pickles)
{
    sct_error err;
    struct sct_pickle p;
    check_fails(parse(&p, hostile[_i].s, hostile[_i].n, &err), SCT_EFILE, hostile[_i].words);
    ck_assert(!p.node && !p.cell);
}

END_TEST

/* n times the opcode between PROTO and what follows. */
static sct_status repeat(struct sct_pickle *p, char op, size_t n, sct_error *err)
{
    char *s = malloc(n + 2);
    ck_assert_ptr_nonnull(s);
    memcpy(s, "\x80\2", 2);
    memset(s + 2, op, n);
    const sct_status rc = sct_pickle_parse(p, s, n + 2, "p", err);
    free(s);
    return rc;
}

START_TEST(limits_what_it_makes)
{
    sct_error err;
    struct sct_pickle p;
    check_fails(repeat(&p, 'N', 2 << 20, &err), SCT_EFILE,
                "more than 1048576 values on the stack");
    check_fails(repeat(&p, '(', 2 << 20, &err), SCT_EFILE, "more than 1048576 marks");
    /* an empty tuple, dropped: objects without a stack */
    char *s = malloc((10 << 20) + 2);
    ck_assert_ptr_nonnull(s);
    memcpy(s, "\x80\2", 2);
    for (size_t i = 2; i < (10 << 20) + 2; i += 2)
        memcpy(s + i, ")0", 2);
    check_fails(sct_pickle_parse(&p, s, (10 << 20) + 2, "p", &err), SCT_EFILE,
                "more than 4194304 objects");
    /* one list, filled with None */
    memcpy(s + 2, "]", 1);
    for (size_t i = 3; i + 1 < (10 << 20) + 2; i += 2)
        memcpy(s + i, "Na", 2);
    check_fails(sct_pickle_parse(&p, s, (10 << 20) + 2, "p", &err), SCT_EFILE,
                "more than 4194304 items");
    free(s);
}

END_TEST

/* ---- streams: an object between the preface and four floats of storage "0" ---- */

#define PREFACE                                                                                \
    "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."                                  \
    "\x80\2M\xe9\3."                                                                           \
    "\x80\2}X\x0d\0\0\0little_endian\x88s."
#define KEYS                                                                                   \
    "\x80\2]X\1\0\0\0"                                                                         \
    "0a."
#define DATA "\4\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40"
#define STORAGE_OF(TYPE, NUMEL, VIEW)                                                          \
    "(X\7\0\0\0storagectorch\n" TYPE "\nX\1\0\0\0"                                             \
    "0X\3\0\0\0cpu" NUMEL VIEW "tQ"
#define STORAGE STORAGE_OF("FloatStorage", "K\4", "")
#define TENSOR_OF(STORED, OFFSET, SIZE, STRIDE)                                                \
    "ctorch._utils\n_rebuild_tensor_v2\n(" STORED OFFSET SIZE STRIDE "\x89}tR"
#define TENSOR   TENSOR_OF(STORAGE, "K\0", "K\2K\2\x86", "K\1K\2\x86")
#define W(VALUE) PREFACE "\x80\2}X\1\0\0\0w" VALUE "s." KEYS DATA

/* Without storages. */
#define BARE(VALUE) PREFACE "\x80\2}X\1\0\0\0w" VALUE "s.\x80\2]."

START_TEST(reads_a_transposed_view)
{
    static const char s[] = W(TENSOR);
    static const float want[] = {1, 3, 2, 4};
    sct_error err;
    struct sct_ckpt *ck;
    float f[4];
    check_ok(sct_ckpt_open_memory(&ck, s, sizeof s - 1, "s", &err));
    const struct sct_ckpt_tensor *t = sct_ckpt_find(ck, "w");
    ck_assert(t && t->count == 4 && t->nd == 2);
    check_ok(sct_ckpt_read_f32(ck, t, f, &err));
    ck_assert(memcmp(f, want, sizeof f) == 0);
    sct_ckpt_close(&ck);
}

END_TEST

/* An element taken many times, as expand() leaves it; a view of one row; no strides at all. */
START_TEST(reads_odd_views)
{
    static const char s[] = PREFACE "\x80\2}(" TENSOR_OF(
        STORAGE, "K\2", "K\2K\3\x86",
        "K\0K\0\x86") "0" /* dropped */
                      "K\7" TENSOR_OF(STORAGE, "K\2", "K\2K\3\x86", "K\0K\0\x86") "U\1r" TENSOR_OF(
                          STORAGE, "K\2", "K\2\x85",
                          "K\1\x85") "X\1\0\0\0s" TENSOR_OF(STORAGE, "K\3", ")",
                                                            ")") "u." KEYS DATA;
    sct_error err;
    struct sct_ckpt *ck;
    float f[6];
    check_ok(sct_ckpt_open_memory(&ck, s, sizeof s - 1, "s", &err));
    check_ok(sct_ckpt_read_f32(ck, sct_ckpt_find(ck, "7"), f, &err));
    for (int i = 0; i < 6; i++)
        ck_assert(f[i] == 3);
    check_ok(sct_ckpt_read_f32(ck, sct_ckpt_find(ck, "r"), f, &err));
    ck_assert(f[0] == 3 && f[1] == 4);
    check_ok(sct_ckpt_read_f32(ck, sct_ckpt_find(ck, "s"), f, &err));
    ck_assert(f[0] == 4);
    sct_ckpt_close(&ck);
}

END_TEST

static const struct {
    const char *s;
    size_t n;
    const char *words;
} liars[] = {
    {P(W(TENSOR_OF(STORAGE, "K\1", "K\2K\2\x86", "K\2K\1\x86"))),
     "tensor 'w' ends at byte 20 of its storage, which has 16"},
    {P(W(TENSOR_OF(STORAGE, "K\0", "K\5\x85", "K\1\x85"))), "ends at byte 20"},
    {P(W(TENSOR_OF(STORAGE, "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85"))),
     "tensor 'w': expected a number from 0 for its offset"},
    {P(W(TENSOR_OF(STORAGE, "\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f", "K\1\x85", "K\1\x85"))),
     "tensor 'w': its end overflows"},
    {P(W(TENSOR_OF(STORAGE, "K\0", "K\2\x85", "\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f\x85"))),
     "tensor 'w': its end overflows"},
    {P(W(TENSOR_OF(STORAGE, "K\0",
                   "\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f\x8a\x8\xff\xff\xff\xff\xff\xff\xff"
                   "\x7f\x86",
                   "K\0K\0\x86"))),
     "the product of the shape overflows at dim 1"},
    {P(W(TENSOR_OF(STORAGE, "K\0", "K\2\x85", "K\1K\1\x86"))), "as many strides as dimensions"},
    {P(W(TENSOR_OF(STORAGE, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"))), "numbers from 0"},
    {P(W(TENSOR_OF(STORAGE, "K\0", "N\x85", "K\1\x85"))), "numbers from 0"},
    {P(W(TENSOR_OF(STORAGE, "K\0", "K\2", "K\1\x85"))), "tuples for size and stride"},
    {P(BARE(TENSOR_OF("N", "K\0", "K\2\x85", "K\1\x85"))),
     "passed over: w: torch._utils._rebuild_tensor_v2"},
    {P(W(TENSOR_OF(STORAGE_OF("FloatStorage", "K\5", ""), "K\0", "K\2\x85", "K\1\x85"))),
     "storage '0' needs 28 bytes"},
    {P(W(TENSOR_OF(STORAGE_OF("FloatStorage", "K\3", ""), "K\0", "K\2\x85", "K\1\x85"))),
     "expected 3 elements at byte"},
    {P(W(TENSOR_OF(STORAGE_OF("FloatStorage", "J\xff\xff\xff\xff", ""), "K\0", ")", ")"))),
     "persistent id: expected"},
    {P(W(TENSOR_OF(STORAGE_OF("QInt8Storage", "K\4", ""), "K\0", ")", ")"))),
     "4 elements of torch.QInt8Storage cannot be read"},
    {P(W(TENSOR_OF(STORAGE_OF("FloatStorage", "K\4", "K\1"), "K\0", ")", ")"))),
     "is a view of another"},
    {P(W(TENSOR_OF(STORAGE, "K\0", ")", ")") "sX\1\0\0\0v" TENSOR_OF(
         STORAGE_OF("IntStorage", "K\4", ""), "K\0", ")", ")"))),
     "storage '0' is described in two ways"},
    {P(PREFACE "\x80\2X\1\0\0\0w."
               "\x80\2]."),
     "expected a state dict, found a string"},
    {P(W("NQ")), "persistent id: expected"},
    {P(BARE("cos\nsystem\nX\4\0\0\0true\x85R")), "passed over: w: os.system, skipped"},
    {P(W("N")), "expected a list of the 0 storages' keys"},
    {P(W(TENSOR "sX\1\0\0\0w" TENSOR)), "two tensors have the name 'w'"},
    {P(PREFACE "\x80\2}X\0\0\0\0" TENSOR "s." KEYS DATA), "a tensor without a name"},
    {P(PREFACE "\x80\2}X\2\0\0\0w\0" TENSOR "s." KEYS DATA), "is not text"},
    {P(PREFACE "\x80\2}X\2\0\0\0w\xff" TENSOR "s." KEYS DATA), "is not text"},
    {P(PREFACE "\x80\2}q\0X\1\0\0\0wh\0s."
               "\x80\2]."),
     "'w.w.w"},
    {P(PREFACE "\x80\2" TENSOR "." KEYS DATA), "expected a state dict, found torch._utils"},
    {P(PREFACE "\x80\2}X\1\0\0\0w" TENSOR "s."
               "\x80\2]." DATA),
     "a list of the 1 storages' keys"},
    {P(PREFACE "\x80\2}X\1\0\0\0w" TENSOR "s."
               "\x80\2]X\1\0\0\0"
               "1a." DATA),
     "expected each key of a storage once"},
    {P(W(TENSOR) "x"), "expected the file to end at byte"},
    {P("\x80\2N." W(TENSOR)), "a pickle that PyTorch's save did not write"},
    {P("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe8\3."),
     "expected version 1001"},
    {P("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}."),
     "expected a dict with little_endian"},
    {P("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3."
       "\x80\2}X\x0d\0\0\0little_endian\x89s."),
     "written on a big-endian machine"},
};

START_TEST(refuses_streams)
{
    sct_error err;
    struct sct_ckpt *ck;
    check_fails(sct_ckpt_open_memory(&ck, liars[_i].s, liars[_i].n, "s", &err), SCT_EFILE,
                liars[_i].words);
    ck_assert_ptr_null(ck);
}

END_TEST

/* Each dict holds the one before it twice: 2^40 ways to the bottom. */
START_TEST(limits_its_steps)
{
    char s[4096];
    size_t n = sizeof PREFACE - 1;
    sct_error err;
    struct sct_ckpt *ck;
    memcpy(s, PREFACE "\x80\2}q\0", n + 5);
    n += 5;
    for (int i = 1; i <= 40; i++)
        n += (size_t)snprintf(s + n, sizeof s - n, "0}(K\1h%cK\2h%cuq%c", i - 1 ? i - 1 : 64,
                              i - 1 ? i - 1 : 64, i);
    for (size_t i = sizeof PREFACE - 1; i < n; i++)
        if (s[i] == 64) /* the first is number 0, which printf cannot write */
            s[i] = 0;
    memcpy(s + n, ".\x80\2].", 5);
    check_fails(sct_ckpt_open_memory(&ck, s, n + 5, "s", &err), SCT_EFILE,
                "more than 4194304 items, shared ones counted each time");
}

END_TEST

Suite *pickle_suite(void)
{
    Suite *s = suite_create("pickle");
    TCase *tc = scratch_case(s, "opcodes");
    tcase_add_test(tc, makes_a_tree);
    tcase_add_loop_test(tc, reads_ints, 0, sizeof ints / sizeof *ints);
    tcase_add_loop_test(tc, refuses_pickles, 0, sizeof hostile / sizeof *hostile);
    tcase_add_test(tc, limits_what_it_makes);
    tc = scratch_case(s, "streams");
    tcase_add_test(tc, reads_a_transposed_view);
    tcase_add_test(tc, reads_odd_views);
    tcase_add_loop_test(tc, refuses_streams, 0, sizeof liars / sizeof *liars);
    tcase_add_test(tc, limits_its_steps);
    return s;
}
