/* SPDX-License-Identifier: MIT
 * cl_cache.c - the disk cache: program binaries and self-test verdicts.
 * An entry is trusted only when its header, length and SHA-256 fit; whatever goes wrong here
 * only costs a rebuild, so nothing reports an error. */
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/opencl/cl_internal.h"

#define FORMAT "sctrun-cl-1" /* part of every key: change it with the layout below */

static const unsigned char magic[8] = {'S', 'C', 'T', 'C', 'L', 1, '\r', '\n'};

enum { HASH = SHA256_DIGEST_SIZE, HEADER = 8 + 8 + HASH, MAX_ENTRY = 256 << 20 };

static void put64(unsigned char p[8], uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get64(const unsigned char p[8])
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static void hash_text(struct sha256_ctx *h, const char *text)
{
    unsigned char len[8];
    put64(len, strlen(text));
    sha256_update(h, sizeof len, len);
    sha256_update(h, strlen(text), (const uint8_t *)text);
}

static void hash_hex(struct sha256_ctx *h, char key[CL_KEY_HEX])
{
    unsigned char digest[HASH];
    sha256_digest(h, HASH, digest);
    for (size_t i = 0; i < HASH; i++)
        (void)snprintf(key + 2 * i, 3, "%02x", digest[i]);
}

void cl_cache_key(const struct cl_cache *c, const char *const *part, size_t n,
                  char key[CL_KEY_HEX])
{
    struct sha256_ctx h;
    sha256_init(&h);
    hash_text(&h, FORMAT);
    hash_text(&h, c->device_key);
    for (size_t i = 0; i < n; i++)
        hash_text(&h, part[i] ? part[i] : "");
    hash_hex(&h, key);
}

static void device_key(sct_device *dev)
{
    static const cl_device_info what[] = {CL_DEVICE_NAME, CL_DEVICE_VENDOR, CL_DEVICE_VERSION,
                                          CL_DRIVER_VERSION};
    char text[512];
    struct sha256_ctx h;
    sha256_init(&h);
    hash_text(&h, FORMAT);
    cl_platform_text(dev->id.platform, CL_PLATFORM_NAME, text, sizeof text);
    hash_text(&h, text);
    cl_platform_text(dev->id.platform, CL_PLATFORM_VERSION, text, sizeof text);
    hash_text(&h, text);
    for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
        cl_device_text(dev->id.device, what[i], text, sizeof text);
        hash_text(&h, text);
    }
    (void)snprintf(text, sizeof text, "%u bits, %u lanes",
                   (unsigned)cl_device_u64(dev->id.device, CL_DEVICE_ADDRESS_BITS),
                   dev->caps.simd);
    hash_text(&h, text);
    hash_hex(&h, dev->cache.device_key);
}

/* mkdir -p for the two last components: <cache-dir> and <cache-dir>/cl, both 0700. */
static char *make_folder(const char *root)
{
    const size_t n = strlen(root) + sizeof "/cl";
    char *dir = malloc(n);
    if (!dir)
        return NULL;
    (void)mkdir(root, 0700);
    (void)snprintf(dir, n, "%s/cl", root);
    struct stat st;
    if ((mkdir(dir, 0700) != 0 && errno != EEXIST) || stat(dir, &st) != 0 ||
        !S_ISDIR(st.st_mode) || access(dir, R_OK | W_OK | X_OK) != 0) {
        free(dir);
        return NULL;
    }
    return dir;
}

void cl_cache_open(sct_device *dev)
{
    struct cl_cache *c = &dev->cache;
    device_key(dev);
    const char *root = cl_opt(dev->host, "cache-dir");
    if (!root || !*root)
        return;
    c->dir = make_folder(root);
    if (!c->dir) {
        cl_log(dev->host, SCT_LOG_WARN,
               "cannot use the cache folder %s (%s): kernels are compiled again in every run",
               root, strerror(errno));
        return;
    }
    const char *mode = cl_opt(dev->host, "program-cache"); /* auto (default) | on | off */
    c->programs = mode && strcmp(mode, "auto") != 0
                      ? strcmp(mode, "on") == 0
                      : strcmp(cl_cache_policy(dev->caps.vendor), "own") == 0;
}

void cl_cache_close(struct cl_cache *c)
{
    free(c->dir);
    c->dir = NULL;
}

static char *entry_path(const struct cl_cache *c, const char *key, const char *suffix,
                        const char *tail)
{
    const size_t n = strlen(c->dir) + strlen(key) + strlen(suffix) + strlen(tail) + 2;
    char *path = malloc(n);
    if (path)
        (void)snprintf(path, n, "%s/%s%s%s", c->dir, key, suffix, tail);
    return path;
}

static bool read_all(int fd, void *data, size_t n)
{
    unsigned char *p = data;
    while (n) {
        const ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const void *data, size_t n)
{
    const unsigned char *p = data;
    while (n) {
        const ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        p += put;
        n -= (size_t)put;
    }
    return true;
}

static void *load_entry(int fd, size_t *size)
{
    unsigned char head[HEADER], digest[HASH];
    struct stat st;
    if (fstat(fd, &st) != 0 || !read_all(fd, head, HEADER) || memcmp(head, magic, 8) != 0)
        return NULL;
    const uint64_t n = get64(head + 8);
    if (n > MAX_ENTRY || (uint64_t)st.st_size != HEADER + n)
        return NULL;
    void *data = malloc(n ? (size_t)n : 1);
    struct sha256_ctx h;
    sha256_init(&h);
    if (data && read_all(fd, data, (size_t)n)) {
        sha256_update(&h, (size_t)n, data);
        sha256_digest(&h, HASH, digest);
        if (memcmp(digest, head + 16, HASH) == 0) {
            *size = (size_t)n;
            return data;
        }
    }
    free(data);
    return NULL;
}

void *cl_cache_load(const struct cl_cache *c, const char *key, const char *suffix, size_t *size)
{
    *size = 0;
    char *path = c->dir ? entry_path(c, key, suffix, "") : NULL;
    if (!path)
        return NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *data = NULL;
    if (fd >= 0) {
        data = load_entry(fd, size);
        (void)close(fd);
    }
    free(path);
    return data;
}

static bool store_entry(int fd, const void *data, size_t size)
{
    unsigned char head[HEADER];
    struct sha256_ctx h;
    memcpy(head, magic, 8);
    put64(head + 8, size);
    sha256_init(&h);
    sha256_update(&h, size, data);
    sha256_digest(&h, HASH, head + 16);
    return write_all(fd, head, HEADER) && write_all(fd, data, size) && fsync(fd) == 0;
}

bool cl_cache_store(const struct cl_cache *c, const char *key, const char *suffix,
                    const void *data, size_t size)
{
    if (!c->dir || size > MAX_ENTRY)
        return false;
    char *path = entry_path(c, key, suffix, ""), *temp = entry_path(c, key, suffix, ".XXXXXX");
    bool ok = false;
    const int fd = path && temp ? mkstemp(temp) : -1; /* mode 0600 */
    if (fd >= 0) {
        ok = store_entry(fd, data, size);
        ok = close(fd) == 0 && ok && rename(temp, path) == 0;
        if (!ok)
            (void)unlink(temp);
    }
    free(path);
    free(temp);
    return ok;
}
