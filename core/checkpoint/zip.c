/* SPDX-License-Identifier: MIT
 * zip.c - the members of a zip archive that lies in memory.
 *
 * libzip does not say where in the archive a member's data begins, and the directory alone does
 * not either (the local header in front of the data has lengths of its own). So the archive is
 * handed to libzip through a source of ours, which remembers where it was read last: the first
 * byte of a stored member was read from the place that is wanted. A wrong place would be
 * noticed by the checksum, which is compared before the data is used. */
#include "core/checkpoint/zip.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/checkpoint/names.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>
#include <zlib.h>

/* The archive as libzip sees it. */
struct bytes {
    const unsigned char *base;
    uint64_t size, at, last; /* last: where the latest read began */
    zip_error_t error;
};

struct sct_zip {
    const char *name;
    struct bytes in;
    zip_t *za;
    struct sct_zip_entry *entry;
    struct sct_names names;
    uint32_t n;
};

static zip_int64_t bytes_read(struct bytes *b, void *dst, uint64_t n)
{
    const uint64_t left = b->size - b->at;
    n = n < left ? n : left;
    b->last = b->at;
    if (n)
        memcpy(dst, b->base + b->at, (size_t)n);
    b->at += n;
    return (zip_int64_t)n;
}

static zip_int64_t bytes_stat(const struct bytes *b, zip_stat_t *st)
{
    zip_stat_init(st);
    st->size = b->size;
    st->valid |= ZIP_STAT_SIZE;
    return sizeof *st;
}

static zip_int64_t source(void *user, void *data, zip_uint64_t n, zip_source_cmd_t cmd)
{
    struct bytes *b = user;
    zip_int64_t to;
    switch (cmd) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_SEEKABLE;
    case ZIP_SOURCE_OPEN:
        b->at = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return bytes_read(b, data, n);
    case ZIP_SOURCE_SEEK:
        to = zip_source_seek_compute_offset(b->at, b->size, data, n, &b->error);
        if (to < 0)
            return -1;
        b->at = (uint64_t)to;
        return 0;
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)b->at;
    case ZIP_SOURCE_STAT:
        return bytes_stat(b, data);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&b->error, data, n);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        zip_error_set(&b->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* What libzip says, under our statuses. */
static sct_status zip_failed(const struct sct_zip *z, const char *what, zip_error_t *e,
                             sct_error *err)
{
    if (zip_error_code_zip(e) == ZIP_ER_MEMORY)
        return sct_nomem(err);
    return sct_fail(err, SCT_EFILE, "%s: %s: %s; is the download complete?", z->name, what,
                    zip_error_strerror(e));
}

static sct_status open_archive(struct sct_zip *z, sct_error *err)
{
    zip_error_t e;
    zip_error_init(&e);
    zip_source_t *src = zip_source_function_create(source, &z->in, &e);
    if (src && !(z->za = zip_open_from_source(src, ZIP_RDONLY, &e)))
        zip_source_free(src);
    const sct_status rc = z->za ? SCT_OK : zip_failed(z, "zip directory", &e, err);
    zip_error_fini(&e);
    return rc;
}

static sct_status member_failed(const struct sct_zip *z, uint32_t i, zip_error_t *e,
                                sct_error *err)
{
    char what[160];
    (void)snprintf(what, sizeof what, "member '%.100s'", z->entry[i].name);
    return zip_failed(z, what, e, err);
}

/* Where the data of a stored member is. */
static sct_status locate(struct sct_zip *z, uint32_t i, sct_error *err)
{
    struct sct_zip_entry *x = &z->entry[i];
    unsigned char first;
    x->data = z->in.base;
    if (x->size == 0)
        return SCT_OK;
    zip_file_t *f = zip_fopen_index(z->za, i, ZIP_FL_COMPRESSED);
    if (!f)
        return member_failed(z, i, zip_get_error(z->za), err);
    const zip_int64_t got = zip_fread(f, &first, 1);
    const uint64_t at = z->in.last;
    sct_status rc = SCT_OK;
    if (got < 0)
        rc = member_failed(z, i, zip_file_get_error(f), err);
    else if (got == 0 || at >= z->in.size || z->in.size - at < x->size)
        rc = sct_fail(err, SCT_EFILE,
                      "%s: member '%.100s' has %llu bytes, but only %llu follow byte %llu; is "
                      "the download complete?",
                      z->name, x->name, (unsigned long long)x->size,
                      (unsigned long long)(at < z->in.size ? z->in.size - at : 0),
                      (unsigned long long)at);
    else
        x->data = z->in.base + at;
    (void)zip_fclose(f);
    return rc;
}

/* Deflate makes at least two bits of 258 bytes: no member is larger than this. */
static bool possible(uint64_t size, uint64_t packed)
{
    enum { RATIO = 1032 };

    return size / RATIO <= packed;
}

static sct_status read_entry(struct sct_zip *z, uint32_t i, sct_error *err)
{
    const zip_uint64_t need = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                              ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_t st;
    zip_stat_init(&st);
    if (zip_stat_index(z->za, i, ZIP_FL_ENC_RAW, &st) != 0)
        return zip_failed(z, "zip directory", zip_get_error(z->za), err);
    if ((st.valid & need) != need)
        return sct_fail(err, SCT_EFILE, "%s: zip directory: entry %u is incomplete", z->name,
                        i);
    struct sct_zip_entry *x = &z->entry[i];
    *x = (struct sct_zip_entry){st.name, NULL, st.size, st.comp_size, st.crc};
    if (st.encryption_method != ZIP_EM_NONE)
        return sct_fail(err, SCT_EFILE, "%s: member '%.100s' is encrypted", z->name, x->name);
    if (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE)
        return sct_fail(
            err, SCT_EFILE,
            "%s: member '%.100s' is compressed by method %u, expected 0 (stored) or "
            "8 (deflate); write the archive again without compression",
            z->name, x->name, st.comp_method);
    const bool stored = st.comp_method == ZIP_CM_STORE;
    if (x->packed > z->in.size || (stored && x->size != x->packed) ||
        (!stored && !possible(x->size, x->packed)) || x->size > SIZE_MAX / 2)
        return sct_fail(err, SCT_EFILE,
                        "%s: member '%.100s': %llu bytes from %llu (%s) in an archive of %llu "
                        "cannot be",
                        z->name, x->name, (unsigned long long)x->size,
                        (unsigned long long)x->packed, stored ? "stored" : "deflated",
                        (unsigned long long)z->in.size);
    return stored ? locate(z, i, err) : SCT_OK;
}

static const char *name_at(const void *ctx, uint32_t i)
{
    return ((const struct sct_zip *)ctx)->entry[i].name;
}

static sct_status read_directory(struct sct_zip *z, sct_error *err)
{
    const zip_int64_t n = zip_get_num_entries(z->za, 0);
    if (n <= 0 || n > SCT_ZIP_MAX_ENTRIES)
        return sct_fail(err, SCT_EFILE, "%s: a zip archive of %lld members, expected 1 to %d",
                        z->name, (long long)n, SCT_ZIP_MAX_ENTRIES);
    z->n = (uint32_t)n;
    z->entry = sct_calloc(z->n, sizeof *z->entry);
    const char *twice = NULL;
    sct_status rc = z->entry ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; rc == SCT_OK && i < z->n; i++)
        rc = read_entry(z, i, err);
    if (rc == SCT_OK)
        rc = sct_names_build(&z->names, name_at, z, z->n, &twice, err);
    if (rc == SCT_OK && twice)
        rc = sct_fail(err, SCT_EFILE, "%s: two members have the name '%.100s'", z->name, twice);
    return rc;
}

sct_status sct_zip_open(struct sct_zip **out, const void *data, size_t n, const char *name,
                        sct_error *err)
{
    *out = NULL;
    struct sct_zip *z = sct_calloc(1, sizeof *z);
    if (!z)
        return sct_nomem(err);
    z->name = name;
    z->in = (struct bytes){.base = data, .size = n};
    zip_error_init(&z->in.error);
    sct_status rc = open_archive(z, err);
    if (rc == SCT_OK)
        rc = read_directory(z, err);
    if (rc != SCT_OK) {
        sct_zip_close(&z);
        return rc;
    }
    *out = z;
    return SCT_OK;
}

void sct_zip_close(struct sct_zip **out)
{
    struct sct_zip *z = *out;
    if (!z)
        return;
    if (z->za)
        zip_discard(z->za);
    zip_error_fini(&z->in.error);
    sct_free(z->entry);
    sct_names_free(&z->names);
    sct_free(z);
    *out = NULL;
}

uint32_t sct_zip_count(const struct sct_zip *z)
{
    return z->n;
}

const struct sct_zip_entry *sct_zip_at(const struct sct_zip *z, uint32_t i)
{
    return &z->entry[i];
}

uint32_t sct_zip_find(const struct sct_zip *z, const char *name, size_t n)
{
    const uint32_t i = sct_names_find(&z->names, name, n);
    return i == SCT_NAMES_NONE ? SCT_ZIP_NONE : i;
}

/* At most n bytes from the start; *got is less only at the end of the member. */
static sct_status inflate_some(struct sct_zip *z, uint32_t i, zip_file_t *f, void *dst,
                               size_t n, size_t *got, sct_error *err)
{
    for (*got = 0; *got < n;) {
        const zip_int64_t r = zip_fread(f, (char *)dst + *got, n - *got);
        if (r < 0)
            return member_failed(z, i, zip_file_get_error(f), err);
        if (r == 0)
            break;
        *got += (size_t)r;
    }
    return SCT_OK;
}

sct_status sct_zip_head(struct sct_zip *z, uint32_t i, void *dst, size_t n, size_t *got,
                        sct_error *err)
{
    const struct sct_zip_entry *x = &z->entry[i];
    *got = 0;
    n = n < x->size ? n : (size_t)x->size;
    if (n == 0)
        return SCT_OK;
    if (x->data) {
        memcpy(dst, x->data, n);
        *got = n;
        return SCT_OK;
    }
    zip_file_t *f = zip_fopen_index(z->za, i, 0);
    if (!f)
        return member_failed(z, i, zip_get_error(z->za), err);
    const sct_status rc = inflate_some(z, i, f, dst, n, got, err);
    (void)zip_fclose(f);
    return rc;
}

sct_status sct_zip_read(struct sct_zip *z, uint32_t i, void *dst, sct_error *err)
{
    const struct sct_zip_entry *x = &z->entry[i];
    if (x->data) {
        SCT_TRY(sct_zip_check(z, i, err));
        if (x->size)
            memcpy(dst, x->data, (size_t)x->size);
        return SCT_OK;
    }
    zip_file_t *f = zip_fopen_index(z->za, i, 0);
    if (!f)
        return member_failed(z, i, zip_get_error(z->za), err);
    size_t got, more = 0;
    char beyond;
    sct_status rc = inflate_some(z, i, f, dst, (size_t)x->size, &got, err);
    if (rc == SCT_OK) /* libzip compares the checksum at the end of the data */
        rc = inflate_some(z, i, f, &beyond, 1, &more, err);
    if (rc == SCT_OK && (got != x->size || more))
        rc =
            sct_fail(err, SCT_EFILE, "%s: member '%.100s' has %s than the %llu bytes it claims",
                     z->name, x->name, more ? "more" : "fewer", (unsigned long long)x->size);
    (void)zip_fclose(f);
    return rc;
}

sct_status sct_zip_check(const struct sct_zip *z, uint32_t i, sct_error *err)
{
    const struct sct_zip_entry *x = &z->entry[i];
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t at = 0; at < x->size;) {
        const uint64_t left = x->size - at;
        const uInt n = left < UINT_MAX / 2 ? (uInt)left : UINT_MAX / 2;
        crc = crc32(crc, x->data + at, n);
        at += n;
    }
    if (crc == x->crc)
        return SCT_OK;
    return sct_fail(err, SCT_EFILE,
                    "%s: member '%.100s': its checksum is %08lx, expected %08x; the file is "
                    "damaged, get it again",
                    z->name, x->name, crc, x->crc);
}
