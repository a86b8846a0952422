/* SPDX-License-Identifier: MIT
 * module.c - search path, dlopen, ABI checks.
 * RTLD_LOCAL and never dlclose: a backend's threads or a driver's may still run. */
#include "core/plug/module.h"

#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "backends/ref/ref_backend.h"
#include "core/base/mem.h"
#include "core/base/regular.h"
#include "core/base/status.h"
#include "core/base/str.h"

enum { MAX_DIRS = 16, MAX_PATH = 4096 };

static char *dirs[MAX_DIRS];
static uint32_t n_dirs;

static sct_status add_dir(const char *dir, size_t len, sct_error *err)
{
    if (len == 0 || n_dirs == MAX_DIRS)
        return SCT_OK;
    char *d = sct_calloc(len + 1, 1);
    if (!d)
        return sct_nomem(err);
    memcpy(d, dir, len);
    dirs[n_dirs++] = d;
    return SCT_OK;
}

sct_status sct_plug_init(const char *exe_dir, const char *extra, sct_error *err)
{
    char path[MAX_PATH];
    sct_plug_fini();
    if (exe_dir) {
        (void)snprintf(path, sizeof path, "%s/..", exe_dir); /* build tree: tools/sctrun */
        SCT_TRY(add_dir(path, strlen(path), err));
        SCT_TRY(add_dir(exe_dir, strlen(exe_dir), err)); /* tarball */
        (void)snprintf(path, sizeof path, "%s/../share/sctrun", exe_dir);
        SCT_TRY(add_dir(path, strlen(path), err));
        (void)snprintf(path, sizeof path, "%s/../" SCT_LIBDIR "/sctrun", exe_dir);
        SCT_TRY(add_dir(path, strlen(path), err));
    }
    SCT_TRY(add_dir(SCT_PREFIX_LIB, strlen(SCT_PREFIX_LIB), err));
    SCT_TRY(add_dir(SCT_PREFIX_DATA, strlen(SCT_PREFIX_DATA), err));
    while (extra && *extra) {
        const size_t len = strcspn(extra, ":");
        SCT_TRY(add_dir(extra, len, err));
        extra += len + (extra[len] == ':');
    }
    return SCT_OK;
}

void sct_plug_fini(void)
{
    while (n_dirs)
        sct_free(dirs[--n_dirs]);
}

static int name_ok(const char *s)
{
    if (!*s)
        return 0;
    for (; *s; s++)
        if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) && *s != '_')
            return 0;
    return 1;
}

/* kind in the build tree: strategies are in plugins/, a backend in a folder of its own name. */
static int candidate(char *path, size_t size, uint32_t d, int form, const char *kind,
                     const char *name)
{
    if (form == 0)
        (void)snprintf(path, size, "%s/%s/%s.so", dirs[d], kind, name);
    else if (strcmp(kind, "backends") == 0)
        (void)snprintf(path, size, "%s/backends/%s/%s.so", dirs[d], name, name);
    else
        (void)snprintf(path, size, "%s/plugins/%s.so", dirs[d], name);
    return access(path, R_OK) == 0;
}

static void note(void *ctx, const char *name, const char *path)
{
    (void)path;
    sct_str_add(ctx, " %s", name);
}

static sct_status find(const char *kind, const char *name, sct_status code, char *path,
                       sct_error *err)
{
    if (strchr(name, '/')) {
        (void)snprintf(path, MAX_PATH, "%s", name);
        if (access(path, R_OK) == 0)
            return SCT_OK;
        return sct_fail(err, code, "%s: no such module", name);
    }
    if (!name_ok(name))
        return sct_fail(err, SCT_EUSAGE,
                        "\"%s\" is not a module name: expected lower-case letters, digits, _",
                        name);
    for (uint32_t d = 0; d < n_dirs; d++)
        for (int form = 0; form < 2; form++)
            if (candidate(path, MAX_PATH, d, form, kind, name))
                return SCT_OK;
    struct sct_str have = {0};
    sct_plug_list(kind, note, &have);
    const sct_status rc =
        sct_fail(err, code,
                 "there is no %s \"%s\"; found:%s; searched beside the program, in %s and in "
                 "SCTRUN_PLUGIN_PATH",
                 strcmp(kind, "backends") == 0 ? "backend" : "strategy", name,
                 have.s ? have.s : " none", SCT_PREFIX_LIB);
    sct_str_free(&have);
    return rc;
}

/* The table that `entry` returns; its first two words are abi and size. */
static sct_status open_module(const char *path, const char *entry, uint32_t abi,
                              size_t min_size, const void **out, sct_error *err)
{
    int fd;
    uint64_t size;
    SCT_TRY(sct_open_regular(&fd, &size, path, SCT_EPLUGIN, err)); /* dlopen waits for a pipe */
    (void)close(fd);
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!so)
        return sct_fail(err, SCT_EPLUGIN, "%s cannot be loaded: %s", path, dlerror());

    union {
        void *object;
        const void *(*fn)(void);
    } sym = {dlsym(so, entry)};

    if (!sym.object)
        return sct_fail(err, SCT_EPLUGIN,
                        "%s has no %s: it is no module of this kind, or of another ABI version",
                        path, entry);
    const uint32_t *table = sym.fn();
    if (!table)
        return sct_fail(err, SCT_EPLUGIN, "%s: %s returned no table", path, entry);
    if (table[0] != abi)
        return sct_fail(err, SCT_EPLUGIN,
                        "%s has ABI %u, this program needs ABI %u; rebuild it", path, table[0],
                        abi);
    if (table[1] < min_size)
        return sct_fail(err, SCT_EPLUGIN,
                        "%s: its table has %u bytes, at least %zu are needed; rebuild it", path,
                        table[1], min_size);
    *out = table;
    return SCT_OK;
}

sct_status sct_plug_backend(const char *name, const struct sct_backend **out, sct_error *err)
{
    *out = NULL;
    if (strcmp(name, "ref") == 0) {
        *out = sct_backend_ref();
        return SCT_OK;
    }
    char path[MAX_PATH];
    const void *table = NULL;
    SCT_TRY(find("backends", name, SCT_EDEVICE, path, err));
    SCT_TRY(open_module(path, SCT_BACKEND_ENTRY, SCT_BACKEND_ABI,
                        offsetof(struct sct_backend, profile), &table, err));
    *out = table;
    return SCT_OK;
}

/* Strategies that were opened by their paths. */
static const struct sct_strategy *by_path[16];
static uint32_t n_by_path;

static void remember(const char *name, const struct sct_strategy *s)
{
    if (!strchr(name, '/'))
        return;
    for (uint32_t i = 0; i < n_by_path; i++)
        if (by_path[i] == s)
            return;
    if (n_by_path < sizeof by_path / sizeof(by_path[0]))
        by_path[n_by_path++] = s;
}

sct_status sct_plug_strategy(const char *name, const struct sct_strategy **out, sct_error *err)
{
    *out = NULL;
    char path[MAX_PATH];
    const void *table = NULL;
    for (uint32_t i = n_by_path; i-- > 0;)
        if (strcmp(by_path[i]->name, name) == 0) {
            *out = by_path[i];
            return SCT_OK;
        }
    SCT_TRY(find("strategies", name, SCT_EPLUGIN, path, err));
    SCT_TRY(open_module(path, SCT_STRATEGY_ENTRY, SCT_STRATEGY_ABI, sizeof(struct sct_strategy),
                        &table, err));
    const struct sct_strategy *s = table;
    if (!s->name || !s->apply)
        return sct_fail(err, SCT_EPLUGIN, "%s: the strategy has no name or no apply", path);
    remember(name, s);
    *out = s;
    return SCT_OK;
}

static void list_dir(const char *dir, void (*each)(void *, const char *, const char *),
                     void *ctx)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        const size_t n = strlen(e->d_name);
        char name[256], path[MAX_PATH + 512];
        if (n < 4 || n - 3 >= sizeof name || strcmp(e->d_name + n - 3, ".so") != 0)
            continue;
        memcpy(name, e->d_name, n - 3);
        name[n - 3] = 0;
        if (!name_ok(name))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        each(ctx, name, path);
    }
    if (d)
        closedir(d);
}

void sct_plug_list(const char *kind,
                   void (*each)(void *ctx, const char *name, const char *path), void *ctx)
{
    const int backends = strcmp(kind, "backends") == 0;
    char path[MAX_PATH];
    if (backends)
        each(ctx, "ref", "(built in)");
    for (uint32_t d = 0; d < n_dirs; d++) {
        (void)snprintf(path, sizeof path, "%s/%s", dirs[d], kind);
        list_dir(path, each, ctx);
        if (backends) {
            static const char *const own[] = {"cpu", "opencl"};
            for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
                (void)snprintf(path, sizeof path, "%s/backends/%s", dirs[d], own[i]);
                list_dir(path, each, ctx);
            }
        } else {
            (void)snprintf(path, sizeof path, "%s/plugins", dirs[d]);
            list_dir(path, each, ctx);
        }
    }
}

sct_status sct_plug_data(const char *file, char *buf, size_t size, sct_error *err)
{
    for (uint32_t d = 0; d < n_dirs; d++) {
        (void)snprintf(buf, size, "%s/%s", dirs[d], file);
        if (access(buf, R_OK) == 0)
            return SCT_OK;
    }
    (void)snprintf(buf, size, "%s/%s", SCT_SOURCE_DIR, file); /* an uninstalled build */
    if (access(buf, R_OK) == 0)
        return SCT_OK;
    buf[0] = 0;
    return sct_fail(err, SCT_EUSAGE, "there is no %s beside the program or in %s", file,
                    SCT_PREFIX_DATA);
}
