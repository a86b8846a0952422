/* SPDX-License-Identifier: MIT
 * ckpt_torch.c - PyTorch's two containers: the zip archive (1.6 and later) and the stream of
 * pickles before it. */
#include "core/base/status.h"
#include "core/checkpoint/torch_file.h"

#include <string.h>

/* ---- zip: TOP/data.pkl, TOP/data/KEY, TOP/byteorder ---- */

enum { TOP_MAX = 512 };

uint32_t sct_ckpt_torch_pickle(const struct sct_zip *z)
{
    for (uint32_t i = 0; i < sct_zip_count(z); i++) {
        const char *name = sct_zip_at(z, i)->name, *slash = strchr(name, '/');
        if (strcmp(slash ? slash + 1 : name, "data.pkl") == 0)
            return i;
    }
    return SCT_ZIP_NONE;
}

/* Number of the member TOP + name, or SCT_ZIP_NONE. */
static uint32_t member(const struct sct_ckpt *ck, const char *top, const char *name, size_t n)
{
    char path[TOP_MAX + 256];
    const size_t at = strlen(top);
    if (n > sizeof path - at)
        return SCT_ZIP_NONE;
    memcpy(path, top, at);
    memcpy(path + at, name, n);
    return sct_zip_find(ck->zip, path, at + n);
}

static sct_status check_archive(struct sct_ckpt *ck, const char *top, sct_error *err)
{
    static const char order[] = "byteorder", constants[] = "constants.pkl", code[] = "code/";
    char text[16] = "little";
    size_t got = 6;
    const uint32_t i = member(ck, top, order, sizeof order - 1);
    if (i != SCT_ZIP_NONE)
        SCT_TRY(sct_zip_head(ck->zip, i, text, sizeof text, &got, err));
    if (got < 6 || memcmp(text, "little", 6) != 0)
        return sct_fail(
            err, SCT_EFILE,
            "%s: %sbyteorder is '%.*s', expected 'little'; load the file and save it "
            "again on a little-endian machine",
            ck->path, top, (int)got, text);
    bool script = member(ck, top, constants, sizeof constants - 1) != SCT_ZIP_NONE;
    for (uint32_t k = 0; k < sct_zip_count(ck->zip) && !script; k++) {
        const char *name = sct_zip_at(ck->zip, k)->name;
        script = strncmp(name, top, strlen(top)) == 0 &&
                 strncmp(name + strlen(top), code, sizeof code - 1) == 0;
    }
    if (script)
        return sct_fail(err, SCT_EFILE,
                        "%s: a TorchScript archive, which holds a program; in Python, save "
                        "torch.jit.load(PATH).state_dict() instead",
                        ck->path);
    return SCT_OK;
}

/* One blob a storage: the member data/KEY. */
static sct_status place_members(struct sct_torch_file *f, const char *top, sct_error *err)
{
    struct sct_ckpt *ck = f->ck;
    char folder[TOP_MAX + 8];
    (void)snprintf(folder, sizeof folder, "%sdata/", top);
    for (uint32_t i = 0; i < f->n_storage; i++) {
        struct sct_torch_storage *s = &f->storage[i];
        uint64_t size;
        if (s->width == 0)
            continue; /* its tensors are passed over */
        SCT_TRY(sct_torch_storage_size(f, s, &size, err));
        const uint32_t m = member(ck, folder, s->key.s, s->key.n);
        if (m == SCT_ZIP_NONE)
            return sct_fail(err, SCT_EFILE, "%s: member '%s%.*s' is missing", ck->path, folder,
                            (int)(s->key.n < 64 ? s->key.n : 64), s->key.s);
        const struct sct_zip_entry *x = sct_zip_at(ck->zip, m);
        if (x->size != size)
            return sct_fail(err, SCT_EFILE,
                            "%s: member '%.200s': expected %llu bytes for %llu elements, found "
                            "%llu",
                            ck->path, x->name, (unsigned long long)size,
                            (unsigned long long)s->numel, (unsigned long long)x->size);
        /* torch.serialization.set_crc32_options(False) leaves 0 there */
        const struct sct_ckpt_blob b = {
            .data = x->data, .size = size, .entry = m, .checked = x->crc == 0};
        SCT_TRY(sct_ckpt_add_blob(ck, &b, &s->blob, err));
    }
    return SCT_OK;
}

static sct_status read_tree(struct sct_torch_file *f, const char *top, const void *pickle,
                            size_t n, sct_error *err)
{
    char what[TOP_MAX + 512];
    (void)snprintf(what, sizeof what, "%s: %sdata.pkl", f->ck->path, top);
    SCT_TRY(sct_pickle_parse(&f->tree, pickle, n, what, err));
    SCT_TRY(sct_torch_list_storages(f, err));
    SCT_TRY(place_members(f, top, err));
    return sct_torch_add_tensors(f, err);
}

sct_status sct_ckpt_read_torch_zip(struct sct_ckpt *ck, sct_error *err)
{
    const uint32_t i = sct_ckpt_torch_pickle(ck->zip);
    const struct sct_zip_entry *x = sct_zip_at(ck->zip, i);
    const size_t top_size = strlen(x->name) - strlen("data.pkl");
    char top[TOP_MAX + 1];
    if (top_size > TOP_MAX)
        return sct_fail(err, SCT_EFILE, "%s: a folder name of %zu bytes", ck->path, top_size);
    memcpy(top, x->name, top_size);
    top[top_size] = 0;
    SCT_TRY(check_archive(ck, top, err));
    if (x->size > SCT_PICKLE_MAX_BYTES)
        return sct_fail(err, SCT_EFILE, "%s: %sdata.pkl has %llu bytes, at most %d are read",
                        ck->path, top, (unsigned long long)x->size, SCT_PICKLE_MAX_BYTES);
    struct sct_torch_file f = {.ck = ck};
    unsigned char *copy = NULL; /* of a compressed one: names are copied from it, no more */
    sct_status rc = SCT_OK;
    if (!x->data) {
        copy = sct_alloc((size_t)x->size + 1);
        rc = copy ? sct_zip_read(ck->zip, i, copy, err) : sct_nomem(err);
    } else if (x->crc) {
        rc = sct_zip_check(ck->zip, i, err);
    } else {
        rc = sct_ckpt_note(ck, err, "written without checksums: damage would go unnoticed");
    }
    if (rc == SCT_OK)
        rc = read_tree(&f, top, copy ? copy : x->data, (size_t)x->size, err);
    sct_torch_file_fini(&f);
    sct_free(copy);
    return rc;
}

/* ---- stream: magic, version, machine, object, keys; then for each key i64 and elements ----
 */

/* The pickles of a stream, read one after the other. */
struct stream {
    const struct sct_ckpt *ck;
    size_t at;
};

static sct_status next_pickle(struct stream *s, struct sct_pickle *p, const char *which,
                              sct_error *err)
{
    char what[512];
    (void)snprintf(what, sizeof what, "%.400s: %s at byte %zu", s->ck->path, which, s->at);
    SCT_TRY(sct_pickle_parse(p, s->ck->base + s->at, s->ck->size - s->at, what, err));
    s->at += p->used;
    return SCT_OK;
}

/* 0x1950a86a20f9469cfc6c */
static bool is_magic(const struct sct_pickle_node *x)
{
    static const unsigned char magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                          0x20, 0x6a, 0xa8, 0x50, 0x19};
    return x->kind == SCT_PICKLE_LONG && x->u.text.n == sizeof magic &&
           memcmp(x->u.text.s, magic, sizeof magic) == 0;
}

static bool is_version(const struct sct_pickle_node *x)
{
    return x->kind == SCT_PICKLE_INT && x->u.i == 1001;
}

static sct_status check_machine(const struct sct_ckpt *ck, const struct sct_pickle *p,
                                sct_error *err)
{
    const uint32_t little = sct_pickle_get(p, p->root, "little_endian");
    if (little == SCT_PICKLE_NIL || p->node[little].kind != SCT_PICKLE_BOOL)
        return sct_fail(err, SCT_EFILE, "%s: expected a dict with little_endian", ck->path);
    if (p->node[little].u.i)
        return SCT_OK;
    return sct_fail(err, SCT_EFILE,
                    "%s: written on a big-endian machine; load the file and save it again on a "
                    "little-endian one",
                    ck->path);
}

/* The three pickles in front of the object. */
static sct_status read_preface(struct stream *s, sct_error *err)
{
    static const char *const which[] = {"magic number", "version", "machine"};
    for (unsigned i = 0; i < 3; i++) {
        struct sct_pickle p;
        SCT_TRY(next_pickle(s, &p, which[i], err));
        const struct sct_pickle_node *root = &p.node[p.root];
        sct_status rc = SCT_OK;
        if (i == 0 && !is_magic(root))
            rc = sct_fail(err, SCT_EFILE,
                          "%s: a pickle that PyTorch's save did not write; in Python, load it "
                          "and save the tensors with torch.save or safetensors",
                          s->ck->path);
        else if (i == 1 && !is_version(root))
            rc = sct_fail(err, SCT_EFILE, "%s: expected version 1001 of the stream",
                          s->ck->path);
        else if (i == 2)
            rc = check_machine(s->ck, &p, err);
        sct_pickle_fini(&p);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

static uint64_t load_u64(const unsigned char *p)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* The elements of one storage, behind their number. */
static sct_status place_storage(struct sct_torch_file *f, struct stream *s,
                                const struct sct_pickle_node *key, sct_error *err)
{
    struct sct_ckpt *ck = f->ck;
    struct sct_torch_storage *x =
        key->kind == SCT_PICKLE_STR ? sct_torch_find_storage(f, key->u.text) : NULL;
    uint64_t size;
    if (!x || x->blob != SCT_PICKLE_NIL)
        return sct_fail(err, SCT_EFILE,
                        "%s: the list of storages: expected each key of a storage once",
                        ck->path);
    SCT_TRY(sct_torch_storage_size(f, x, &size, err));
    if (ck->size - s->at < 8 || ck->size - s->at - 8 < size)
        return sct_fail(
            err, SCT_EFILE,
            "%s: storage '%.*s' needs %llu bytes from byte %zu on, found %zu; is the "
            "download complete?",
            ck->path, (int)(x->key.n < 64 ? x->key.n : 64), x->key.s,
            (unsigned long long)size + 8, s->at, ck->size - s->at);
    const uint64_t numel = load_u64(ck->base + s->at);
    if (numel != x->numel)
        return sct_fail(err, SCT_EFILE,
                        "%s: storage '%.*s': expected %llu elements at byte %zu, found %llu",
                        ck->path, (int)(x->key.n < 64 ? x->key.n : 64), x->key.s,
                        (unsigned long long)x->numel, s->at, (unsigned long long)numel);
    const struct sct_ckpt_blob b = {
        .data = ck->base + s->at + 8, .size = size, .entry = SCT_ZIP_NONE, .checked = true};
    SCT_TRY(sct_ckpt_add_blob(ck, &b, &x->blob, err));
    s->at += 8 + (size_t)size;
    return SCT_OK;
}

static sct_status place_storages(struct sct_torch_file *f, struct stream *s,
                                 const struct sct_pickle *keys, sct_error *err)
{
    const struct sct_pickle_node *list = &keys->node[keys->root];
    if (list->kind != SCT_PICKLE_LIST || list->u.obj.n != f->n_storage)
        return sct_fail(err, SCT_EFILE, "%s: expected a list of the %u storages' keys",
                        f->ck->path, f->n_storage);
    for (uint32_t c = list->u.obj.head; c != SCT_PICKLE_NIL; c = keys->cell[c].next)
        SCT_TRY(place_storage(f, s, &keys->node[keys->cell[c].value], err));
    if (s->at == f->ck->size)
        return SCT_OK;
    return sct_fail(err, SCT_EFILE, "%s: expected the file to end at byte %zu, found %zu more",
                    f->ck->path, s->at, f->ck->size - s->at);
}

static sct_status read_stream(struct sct_torch_file *f, sct_error *err)
{
    struct stream s = {f->ck, 0};
    struct sct_pickle keys;
    SCT_TRY(read_preface(&s, err));
    SCT_TRY(next_pickle(&s, &f->tree, "object", err));
    SCT_TRY(sct_torch_list_storages(f, err));
    SCT_TRY(next_pickle(&s, &keys, "keys", err));
    const sct_status rc = place_storages(f, &s, &keys, err);
    sct_pickle_fini(&keys);
    return rc == SCT_OK ? sct_torch_add_tensors(f, err) : rc;
}

sct_status sct_ckpt_read_torch_legacy(struct sct_ckpt *ck, sct_error *err)
{
    struct sct_torch_file f = {.ck = ck};
    const sct_status rc = read_stream(&f, err);
    sct_torch_file_fini(&f);
    return rc;
}
