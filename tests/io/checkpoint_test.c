/* SPDX-License-Identifier: MIT
 * checkpoint_test.c - the same tensors from every container, bit for bit; what is told about
 * files and what is refused. The files are made by tools/golden/make_containers.py. */
#include "core/checkpoint/checkpoint.h"
#include "tests/io/io_suite.h"

#include "core/base/mem.h"
#include "core/io/file.h"

#include <stdlib.h>

/* Static buffers, as scratch(). */
static const char *container(const char *name)
{
    static char buf[2][1024];
    static unsigned next;
    char *p = buf[next++ % 2];
    (void)snprintf(p, sizeof buf[0], IO_CONTAINERS "/%s", name);
    return p;
}

static struct sct_ckpt *must_open(const char *path)
{
    sct_error err;
    struct sct_ckpt *ck;
    check_ok(sct_ckpt_open(&ck, path, &err));
    return ck;
}

static bool is_float(uint32_t dtype)
{
    return dtype == SCT_ST_F32 || dtype == SCT_ST_F16 || dtype == SCT_ST_BF16 ||
           dtype == SCT_ST_F64;
}

/* Both as four bytes an element. */
static void read_words(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t, void *words)
{
    sct_error err;
    if (is_float(t->dtype))
        check_ok(sct_ckpt_read_f32(ck, t, words, &err));
    else
        check_ok(sct_ckpt_read_i32(ck, t, words, &err));
}

static void compare(struct sct_ckpt *a, struct sct_ckpt *b, const char *prefix)
{
    for (size_t i = 0; i < sct_ckpt_count(a); i++) {
        const struct sct_ckpt_tensor *x = sct_ckpt_at(a, i);
        char name[256];
        uint32_t want[64], got[64];
        (void)snprintf(name, sizeof name, "%s%s", prefix, x->name);
        const struct sct_ckpt_tensor *y = sct_ckpt_find(b, name);
        ck_assert_msg(y != NULL, "%s: %s is missing", sct_ckpt_path(b), name);
        ck_assert_str_eq(y->name, name);
        ck_assert_msg(x->dtype == y->dtype && x->nd == y->nd && x->size == y->size &&
                          memcmp(x->dim, y->dim, x->nd * sizeof *x->dim) == 0,
                      "%s: %s has another type or shape", sct_ckpt_path(b), name);
        ck_assert_uint_le(x->count, 64);
        read_words(a, x, want);
        read_words(b, y, got);
        ck_assert_msg(memcmp(want, got, 4 * (size_t)x->count) == 0, "%s: %s differs",
                      sct_ckpt_path(b), name);
    }
}

static const struct {
    const char *file, *kind, *prefix;
    size_t more; /* tensors beside the sixteen */
} same[] = {
    {"sharded/model.safetensors.index.json", "safetensors index", "", 0},
    {"sharded", "safetensors index", "", 0},
    {"same.npz", "npz", "", 0},
    {"deflated.npz", "npz", "", 0},
    {"versions.npz", "npz", "", 0},
    {"zip.pth", "torch zip", "", 0},
    {"rezipped.pth", "torch zip", "", 0},
    {"protocol4.pth", "torch zip", "", 0},
    {"no_crc.pth", "torch zip", "", 0},
    {"legacy.pth", "torch legacy", "", 0},
    {"legacy4.pth", "torch legacy", "", 0},
    {"wrapped.pth", "torch zip", "state_dict.module.", 2},
    {"wrapped_legacy.pth", "torch legacy", "state_dict.module.", 2},
};

START_TEST(same_bits)
{
    struct sct_ckpt *a = must_open(container("same.safetensors"));
    struct sct_ckpt *b = must_open(container(same[_i].file));
    ck_assert_str_eq(sct_ckpt_kind(a), "safetensors");
    ck_assert_str_eq(sct_ckpt_kind(b), same[_i].kind);
    ck_assert_uint_eq(sct_ckpt_count(a), 16);
    ck_assert_uint_eq(sct_ckpt_count(b), 16 + same[_i].more);
    ck_assert_ptr_null(sct_ckpt_find(b, "missing"));
    compare(a, b, same[_i].prefix);
    for (size_t i = 0; i < sct_ckpt_count(b); i++)
        sct_ckpt_drop(b, sct_ckpt_at(b, i));
    compare(a, b, same[_i].prefix);
    sct_ckpt_close(&a);
    sct_ckpt_close(&b);
    ck_assert_ptr_null(b);
    sct_ckpt_close(&b);
}

END_TEST

/* Where a view is given, it is what reading gives; how many of the tensors have one. */
static size_t views(const char *file)
{
    sct_error err;
    size_t n = 0;
    struct sct_ckpt *ck = must_open(container(file));
    for (size_t i = 0; i < sct_ckpt_count(ck); i++) {
        const struct sct_ckpt_tensor *t = sct_ckpt_at(ck, i);
        const uint64_t first = t->count > 1;
        const float *all, *part;
        float want[64];
        if (!is_float(t->dtype) || !t->count)
            continue;
        ck_assert_uint_le(t->count, 64);
        check_ok(sct_ckpt_read_f32(ck, t, want, &err));
        check_ok(sct_ckpt_view_f32(ck, t, 0, t->count, &all, &err));
        check_ok(sct_ckpt_view_f32(ck, t, first, t->count - first, &part, &err));
        ck_assert_int_eq(all != NULL, part != NULL);
        ck_assert_int_eq(sct_ckpt_view_f32(ck, t, 1, t->count, &part, &err), SCT_EINVAL);
        ck_assert_ptr_null(part);
        check_ok(sct_ckpt_view_f32(ck, t, 0, 0, &part, &err));
        ck_assert_ptr_null(part);
        if (!all)
            continue;
        ck_assert_int_eq((int)t->dtype, SCT_ST_F32);
        ck_assert_mem_eq(all, want, 4 * (size_t)t->count);
        n++;
    }
    sct_ckpt_close(&ck);
    return n;
}

START_TEST(shows_what_lies_there)
{
    ck_assert_uint_gt(views("same.safetensors"), 0);
    ck_assert_uint_eq(views("sharded"), views("same.safetensors"));
    ck_assert_uint_gt(views("zip.pth"), 0);
    ck_assert_uint_eq(views("deflated.npz"), 0);
    (void)views("same.npz"); /* as its members happen to be aligned */
    (void)views("legacy.pth");
}

END_TEST

START_TEST(opens_memory)
{
    static const char *const files[] = {"same.safetensors", "deflated.npz", "zip.pth",
                                        "legacy.pth"};
    sct_error err;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *data;
        size_t n;
        struct sct_ckpt *a = must_open(container(files[i])), *b;
        check_ok(sct_file_read(container(files[i]), 1 << 20, SCT_EFILE, &data, &n, &err));
        check_ok(sct_ckpt_open_memory(&b, data, n, "memory", &err));
        ck_assert_str_eq(sct_ckpt_path(b), "memory");
        compare(a, b, "");
        sct_ckpt_drop(b, sct_ckpt_at(b, 0));
        sct_ckpt_close(&a);
        sct_ckpt_close(&b);
        sct_free(data);
    }
}

END_TEST

static void check_pair(const struct sct_ckpt *ck, size_t i, const char *key, const char *value)
{
    const char *v;
    ck_assert_str_eq(sct_ckpt_metadata_at(ck, i, &v), key);
    ck_assert_str_eq(v, value);
}

START_TEST(tells_what_else_is_there)
{
    static const char *const notes[] = {
        "args: argparse.Namespace, skipped", "metric: numpy._core.multiarray.scalar, skipped",
        "shape: torch.Size, skipped",
        "the top: an item whose key is neither a string nor a whole number, skipped"};
    const char *v;
    struct sct_ckpt *ck = must_open(container("wrapped.pth"));
    check_pair(ck, 0, "epoch", "12");
    check_pair(ck, 1, "arch", "vit_tiny");
    check_pair(ck, 2, "best_acc1", "81.25");
    check_pair(ck, 3, "done", "true");
    ck_assert_ptr_null(sct_ckpt_metadata_at(ck, 4, &v));
    ck_assert_ptr_null(v);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(sct_ckpt_note_at(ck, i), notes[i]);
    ck_assert_ptr_null(sct_ckpt_note_at(ck, 4));
    ck_assert_ptr_nonnull(sct_ckpt_find(ck, "optimizer.state.0.exp_avg"));
    sct_ckpt_close(&ck);
    ck = must_open(container("versions.npz"));
    ck_assert_str_eq(sct_ckpt_note_at(ck, 0), "notes.txt: not an array, skipped");
    sct_ckpt_close(&ck);
    ck = must_open(container("no_crc.pth"));
    ck_assert_str_eq(sct_ckpt_note_at(ck, 0),
                     "written without checksums: damage would go unnoticed");
    sct_ckpt_close(&ck);
    ck = must_open(container("sharded"));
    check_pair(ck, 0, "total_size", "471");
    ck_assert_ptr_null(sct_ckpt_note_at(ck, 0));
    sct_ckpt_close(&ck);
}

END_TEST

/* Types that have no storage class of their own are in the tensor's description. */
START_TEST(third_version_of_tensors)
{
    sct_error err;
    float f[3];
    struct sct_ckpt *ck = must_open(container("v3.pth"));
    const struct sct_ckpt_tensor *u = sct_ckpt_find(ck, "u16"), *q = sct_ckpt_find(ck, "f8"),
                                 *w = sct_ckpt_find(ck, "w");
    ck_assert(u && u->dtype == SCT_ST_U16 && u->size == 4 && u->count == 2);
    ck_assert(q && q->dtype == SCT_ST_F8_E4M3 && q->size == 3 && w);
    check_ok(sct_ckpt_read_f32(ck, w, f, &err));
    ck_assert(f[0] == 1 && f[1] == 1);
    check_fails(sct_ckpt_read_f32(ck, u, f, &err), SCT_EFILE,
                "tensor 'u16' has dtype U16, expected F32, F16, BF16 or F64");
    sct_ckpt_close(&ck);
}

END_TEST

/* Files and words of the message. */
static const struct {
    const char *file, *words;
} refused[] = {
    {"big_endian.npz", "member 'w.npy': big-endian elements ('>f4'), expected '<f4'"},
    {"objects.npz", "member 'w.npy': an array of Python objects"},
    {"structure.npz", "arrays of structures are not read"},
    {"strings.npz", "member 'w.npy': element type '<U2'"},
    {"plain.zip", "neither data.pkl (PyTorch) nor .npy arrays (NumPy)"},
    {"single.npy", "a single NumPy array, which has no name"},
    {"object.pth", "expected a state dict, found __main__.Odd"},
    {"no_tensors.pth", "without tensors; passed over: weights: __main__.Odd"},
    {"tensor.pth", "expected a state dict, found torch._utils._rebuild_tensor_v2"},
    {"quantized.pth", "passed over: q: torch._utils._rebuild_qtensor"},
    {"conjugated.pth", "tensor 'w': expected plain elements"},
    {"script.pt", "a TorchScript archive"},
    {"big_endian.pth", "byteorder is 'big', expected 'little'"},
    {"plain.pkl", "a pickle that PyTorch's save did not write"},
    {"absent", "cannot open"},
};

START_TEST(refuses_files)
{
    sct_error err;
    struct sct_ckpt *ck;
    char path[512];
    (void)snprintf(path, sizeof path, "refused/%s", refused[_i].file);
    check_fails(sct_ckpt_open(&ck, container(path), &err), SCT_EFILE, refused[_i].words);
    ck_assert_ptr_null(ck);
    ck_assert_msg(strstr(err.msg, refused[_i].file) != NULL, "no file name: %s", err.msg);
}

END_TEST

/* Beginnings of files that are no weights at all. */
static const struct {
    size_t at;
    const char *bytes;
    size_t n; /* 0: the length of the string */
    const char *words;
} strangers[] = {
    {0, "", 0, "found 0 bytes that begin with nothing"},
    {0, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10, "compressed by gzip"},
    {0, "\x89HDF\r\n", 0, "an HDF5 file"},
    {0, "GGUF\3", 0, "a GGUF file"},
    {0, "version https://git-lfs.github.com/spec/v1\n", 0, "git lfs pull"},
    {0, "<!DOCTYPE html><html>", 0, "a web page"},
    {257, "ustar", 0, "a tar archive"},
    {0, "hello world", 0, "begin with 68 65 6c 6c 6f 20 77 6f"},
    {0, "PK\3\4", 0, "zip directory"},
    {0, "\x80\x02", 0, "the pickle is cut off"},
};

/* A safetensors header of 0x0280 bytes, padded, whose length begins as a pickle does. */
START_TEST(is_not_misled_by_a_length)
{
    static const char json[] =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    sct_error err;
    struct sct_ckpt *ck;
    unsigned char data[8 + 0x0280 + 1] = {0x80, 0x02};
    memset(data + 8, ' ', 0x0280);
    memcpy(data + 8, json, sizeof json - 1);
    check_ok(sct_ckpt_open_memory(&ck, data, sizeof data, "s", &err));
    ck_assert_str_eq(sct_ckpt_kind(ck), "safetensors");
    sct_ckpt_close(&ck);
}

END_TEST

START_TEST(names_strangers)
{
    sct_error err;
    struct sct_ckpt *ck;
    unsigned char data[512];
    memset(data, 'x', sizeof data);
    const size_t n = strangers[_i].n ? strangers[_i].n : strlen(strangers[_i].bytes);
    memcpy(data + strangers[_i].at, strangers[_i].bytes, n);
    check_fails(sct_ckpt_open_memory(&ck, data, strangers[_i].at + n, "s", &err), SCT_EFILE,
                strangers[_i].words);
    ck_assert_ptr_null(ck);
}

END_TEST

/* ---- folders and shards ---- */

static void copy(const char *from, const char *to)
{
    sct_error err;
    char *data;
    size_t n;
    check_ok(sct_file_read(container(from), 1 << 20, SCT_EFILE, &data, &n, &err));
    scratch_put(to, data, n);
    sct_free(data);
}

START_TEST(chooses_in_a_folder)
{
    sct_error err;
    struct sct_ckpt *ck;
    check_fails(sct_ckpt_open(&ck, scratch(""), &err), SCT_EFILE,
                "a folder without a weight file");
    copy("zip.pth", "model.pth");
    scratch_put("training_args.bin", "x", 1);
    scratch_put("optimizer.pt", "x", 1);
    scratch_put("config.json", "{}", 2);
    ck = must_open(scratch(""));
    ck_assert_ptr_nonnull(strstr(sct_ckpt_path(ck), "/model.pth"));
    sct_ckpt_close(&ck);
    copy("same.npz", "z.npz");
    copy("same.safetensors", "a.safetensors");
    check_fails(sct_ckpt_open(&ck, scratch(""), &err), SCT_EFILE,
                "3 weight files, 'a.safetensors' and 'model.pth' among them");
    scratch_put("adapter_config.json", "{}", 2);
    check_fails(sct_ckpt_open(&ck, scratch(""), &err), SCT_EFILE, "give it as --adapter");
}

END_TEST

#define ONE "model-00001-of-00002.safetensors"
#define TWO "model-00002-of-00002.safetensors"

static const struct {
    const char *json, *words;
} indices[] = {
    {"{}", "expected an object at weight_map, found nothing"},
    {"{\"weight_map\": []}", "expected an object at weight_map"},
    {"{\"weight_map\": {}}", "without tensors"},
    {"{\"weight_map\": {\"long\": 1}}", "weight_map: expected a file name at 'long'"},
    {"{\"weight_map\": {\"a\": \"../x.safetensors\"}}", "shard '../x.safetensors': expected"},
    {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "without a path"},
    {"{\"weight_map\": {\"a\": \"..\"}}", "without a path"},
    {"{\"weight_map\": {\"a\": \"\"}}", "without a path"},
    {"{\"weight_map\": {\"a\": \"x\\\\y\"}}", "without a path"},
    {"{\"weight_map\": {\"a\": \"none.safetensors\"}}", "shard 'none.safetensors': "},
    {"{\"weight_map\": {\"a\": \"index.json\"}}", "shard 'index.json': "},
    {"{\"weight_map\": {\"a\": \"" ONE "\"}}", "tensor 'a' is not in '" ONE "'"},
    {"{\"weight_map\": {\"half\": \"" ONE "\"}}", "tensor 'half' is not in '" ONE "'"},
    {"{\"weight_map\": {\"long\": \"" TWO "\", \"byte\": \"" ONE "\"}}",
     "'long' is not in '" TWO "'"},
    {"{\"weight_map\": {\"long\": \"" ONE "\", \"byte\": \"" TWO "\"}}",
     "tensor 'byte' lies in '" ONE "', but belongs to '" TWO "'"},
    {"{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}", "duplicate"},
    {"{\"weight_map\": ", "index.json:1:"},
    {"{\"weight_map\": {\"long\": \"" ONE "\"}, \"metadata\": 3}",
     "expected an object at metadata"},
};

START_TEST(refuses_indices)
{
    sct_error err;
    struct sct_ckpt *ck;
    copy("sharded/" ONE, ONE);
    copy("sharded/" TWO, TWO);
    scratch_put("index.json", indices[_i].json, strlen(indices[_i].json));
    check_fails(sct_ckpt_open(&ck, scratch("index.json"), &err), SCT_EFILE, indices[_i].words);
    ck_assert_ptr_null(ck);
}

END_TEST

START_TEST(index_details)
{
    static const char part[] = "{\"weight_map\": {\"long\": \"" ONE "\"}}";
    sct_error err;
    struct sct_ckpt *ck;
    char deep[512];
    copy("sharded/" ONE, ONE);
    scratch_put("index.json", part, sizeof part - 1);
    ck = must_open(scratch("index.json"));
    ck_assert_uint_eq(sct_ckpt_count(ck), 1);
    ck_assert_str_eq(sct_ckpt_note_at(ck, 0),
                     "blocks.0.attn.qkv.weight: in " ONE ", but not in the index, skipped");
    sct_ckpt_close(&ck);
    check_fails(sct_ckpt_open_memory(&ck, part, sizeof part - 1, "m", &err), SCT_EFILE,
                "an index in memory");
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    check_fails(sct_ckpt_open_memory(&ck, deep, sizeof deep, "m", &err), SCT_EFILE,
                "nested deeper");
}

END_TEST

/* ---- damage ---- */

static const char *const damaged[] = {"same.npz",      "deflated.npz", "zip.pth",
                                      "rezipped.pth",  "no_crc.pth",   "legacy.pth",
                                      "protocol4.pth", "versions.npz", "wrapped.pth"};

/* A file that opens in spite of its damage must be readable or say why not. */
static void try_open(const unsigned char *data, size_t n, bool cut)
{
    sct_error err = SCT_ERROR_INIT;
    struct sct_ckpt *ck;
    const sct_status rc = sct_ckpt_open_memory(&ck, data, n, "damaged", &err);
    ck_assert((rc == SCT_OK) == (ck != NULL) && err.code == rc);
    ck_assert_msg(rc == SCT_EFILE || (rc == SCT_OK && !cut), "%zu bytes: %d: %s", n, rc,
                  err.msg);
    ck_assert(rc == SCT_OK || strncmp(err.msg, "damaged: ", 9) == 0);
    for (size_t i = 0; ck && i < sct_ckpt_count(ck); i++) {
        const struct sct_ckpt_tensor *t = sct_ckpt_at(ck, i);
        float f[64];
        err = (sct_error)SCT_ERROR_INIT;
        if (t->count <= 64)
            ck_assert(sct_ckpt_read_f32(ck, t, f, &err) == err.code &&
                      (err.code == SCT_OK || err.code == SCT_EFILE));
    }
    sct_ckpt_close(&ck);
}

/* Exactly n bytes on the heap, so that the address sanitizer sees the first one beyond. */
static void try_copy(const char *data, size_t n, size_t at, unsigned flip)
{
    unsigned char *copied = malloc(n ? n : 1);
    ck_assert_ptr_nonnull(copied);
    memcpy(copied, data, n);
    if (flip)
        copied[at] ^= (unsigned char)flip;
    try_open(copied, n, !flip);
    free(copied);
}

START_TEST(survives_damage)
{
    static const unsigned flips[] = {0xff, 0x01, 0x80};
    sct_error err;
    char *data;
    size_t n;
    check_ok(sct_file_read(container(damaged[_i]), 1 << 20, SCT_EFILE, &data, &n, &err));
    for (size_t i = 0; i < n; i += n / 700 + 1)
        try_copy(data, i, 0, 0);
    for (size_t i = 0; i < n; i += n / 2500 + 1)
        try_copy(data, n, i, flips[i % 3]);
    sct_free(data);
}

END_TEST

/* A changed element is noticed where the container has checksums. */
START_TEST(compares_checksums)
{
    static const char *const files[] = {"same.npz", "deflated.npz", "zip.pth"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sct_error err;
        char *data;
        size_t n, bad = 0;
        check_ok(sct_file_read(container(files[i]), 1 << 20, SCT_EFILE, &data, &n, &err));
        for (size_t at = 0; at < n; at++) {
            struct sct_ckpt *ck;
            float f[64];
            data[at] ^= 0x10;
            err = (sct_error)SCT_ERROR_INIT;
            if (sct_ckpt_open_memory(&ck, data, n, "m", &err) == SCT_OK) {
                const struct sct_ckpt_tensor *t = sct_ckpt_find(ck, "pos_embed");
                if (t && sct_ckpt_read_f32(ck, t, f, &err) == SCT_EFILE) {
                    bad++;
                    ck_assert_msg(strstr(err.msg, "member '") != NULL, "%s", err.msg);
                }
                sct_ckpt_close(&ck);
            }
            data[at] ^= 0x10;
        }
        /* at least the 48 bytes of the tensor, or its compressed form */
        ck_assert_msg(bad >= 40, "%s: %zu", files[i], bad);
        sct_free(data);
    }
}

END_TEST

Suite *checkpoint_suite(void)
{
    Suite *s = suite_create("checkpoint");
    TCase *tc = scratch_case(s, "containers");
    tcase_add_loop_test(tc, same_bits, 0, sizeof same / sizeof *same);
    tcase_add_test(tc, shows_what_lies_there);
    tcase_add_test(tc, opens_memory);
    tcase_add_test(tc, tells_what_else_is_there);
    tcase_add_test(tc, third_version_of_tensors);
    tcase_add_loop_test(tc, refuses_files, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tc, is_not_misled_by_a_length);
    tcase_add_loop_test(tc, names_strangers, 0, sizeof strangers / sizeof *strangers);
    tcase_add_test(tc, chooses_in_a_folder);
    tcase_add_loop_test(tc, refuses_indices, 0, sizeof indices / sizeof *indices);
    tcase_add_test(tc, index_details);
    tc = scratch_case(s, "damage");
    tcase_add_loop_test(tc, survives_damage, 0, sizeof damaged / sizeof *damaged);
    tcase_add_test(tc, compares_checksums);
    return s;
}
