/* SPDX-License-Identifier: MIT
 * zip_write.c - APPNOTE.TXT 6.3, 4.3.7 (local header), 4.3.12 (central directory), 4.3.16
 * (end); stored members only. */
#include "core/checkpoint/zip_write.h"

#include "core/base/mem.h"
#include "core/base/status.h"

#include <string.h>
#include <zlib.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, ALIGN = 64, MAX_NAME = 4096, DATE_1980 = 0x21 };

/* A header under construction. */
struct bytes {
    unsigned char b[LOCAL + CENTRAL + MAX_NAME + 2 * ALIGN];
    size_t n;
};

static void put(struct bytes *x, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        x->b[x->n++] = (unsigned char)(v >> 8 * i);
}

static void put_text(struct bytes *x, const char *s)
{
    const size_t n = strlen(s);
    memcpy(x->b + x->n, s, n);
    x->n += n;
}

struct place {
    uint32_t crc, at;
};

/* What local header and directory have in common, from "version needed" to "name length". */
static void put_common(struct bytes *x, const struct sct_zip_member *m, uint32_t crc)
{
    put(x, 10, 2); /* version needed: 1.0 */
    put(x, 0, 2);  /* flags */
    put(x, 0, 2);  /* method: stored */
    put(x, 0, 2);  /* time */
    put(x, DATE_1980, 2);
    put(x, crc, 4);
    put(x, m->size, 4);
    put(x, m->size, 4);
    put(x, strlen(m->name), 2);
}

static uint32_t checksum(const void *data, uint64_t n)
{
    const unsigned char *p = data;
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t at = 0; at < n;) {
        const uInt part = n - at < (1u << 30) ? (uInt)(n - at) : 1u << 30;
        crc = crc32(crc, p + at, part);
        at += part;
    }
    return (uint32_t)crc;
}

/* The extra field of zeros, "FB" as in PyTorch, that puts the data where it belongs. */
static sct_status write_member(struct sct_file_out *f, const struct sct_zip_member *m,
                               struct place *p, uint64_t *at, sct_error *err)
{
    struct bytes x = {.n = 0};
    const uint64_t bare = *at + LOCAL + strlen(m->name) + 4;
    const unsigned pad = (unsigned)((ALIGN - bare % ALIGN) % ALIGN);
    *p = (struct place){checksum(m->data, m->size), (uint32_t)*at};
    put(&x, 0x04034b50, 4);
    put_common(&x, m, p->crc);
    put(&x, 4 + pad, 2);
    put_text(&x, m->name);
    put_text(&x, "FB");
    put(&x, pad, 2);
    for (unsigned i = 0; i < pad; i++)
        put(&x, 0, 1);
    *at += x.n + m->size;
    SCT_TRY(sct_file_put(f, x.b, x.n, err));
    return sct_file_put(f, m->data, (size_t)m->size, err);
}

static sct_status write_entry(struct sct_file_out *f, const struct sct_zip_member *m,
                              const struct place *p, uint64_t *at, sct_error *err)
{
    struct bytes x = {.n = 0};
    put(&x, 0x02014b50, 4);
    put(&x, 10, 2); /* made by: 1.0, MS-DOS: no permissions */
    put_common(&x, m, p->crc);
    put(&x, 0, 2); /* extra field, */
    put(&x, 0, 2); /* comment, */
    put(&x, 0, 2); /* disk, */
    put(&x, 0, 2); /* internal and */
    put(&x, 0, 4); /* external attributes */
    put(&x, p->at, 4);
    put_text(&x, m->name);
    *at += x.n;
    return sct_file_put(f, x.b, x.n, err);
}

static sct_status write_all(struct sct_file_out *f, const struct sct_zip_member *m, uint32_t n,
                            struct place *p, sct_error *err)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < n; i++)
        SCT_TRY(write_member(f, &m[i], &p[i], &at, err));
    const uint64_t directory = at;
    for (uint32_t i = 0; i < n; i++)
        SCT_TRY(write_entry(f, &m[i], &p[i], &at, err));
    struct bytes x = {.n = 0};
    put(&x, 0x06054b50, 4);
    put(&x, 0, 4); /* disks */
    put(&x, n, 2);
    put(&x, n, 2);
    put(&x, at - directory, 4);
    put(&x, directory, 4);
    put(&x, 0, 2); /* comment */
    return sct_file_put(f, x.b, x.n, err);
}

sct_status sct_zip_write(const char *path, const struct sct_zip_member *m, uint32_t n,
                         sct_error *err)
{
    uint64_t sum = END;
    for (uint32_t i = 0; i < n; i++) {
        if (m[i].size > UINT32_MAX || strlen(m[i].name) > MAX_NAME)
            return sct_fail(err, SCT_EINVAL, "%s: member %.60s is too large", path, m[i].name);
        sum += m[i].size + LOCAL + CENTRAL + ALIGN + 2 * strlen(m[i].name);
    }
    if (n == 0 || n >= UINT16_MAX || sum >= UINT32_MAX)
        return sct_fail(err, SCT_EINVAL, "%s: %u members of %llu bytes, more than a zip holds",
                        path, n, (unsigned long long)sum);
    struct place *p = sct_calloc(n, sizeof *p);
    struct sct_file_out *f = NULL;
    sct_status rc = p ? sct_file_begin(&f, path, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = write_all(f, m, n, p, err);
    sct_free(p);
    if (rc == SCT_OK)
        return sct_file_commit(&f, err);
    if (f)
        sct_file_abort(&f);
    return rc;
}
