/* SPDX-License-Identifier: MIT
 * cl_selftest.c - may a candidate row be used on this device?
 * The question is put to a child process (sctrun-clprobe), because a vendor's compiler may
 * crash, hang or take the driver down. The verdict is kept beside the compiled programs, for
 * this device, this driver and this set of kernels. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/opencl/cl_internal.h"

extern char **environ;

enum { TIMEOUT_S = 180, MAX_ARGS = 16 };

/* Settings that change what a row computes or where programs are kept: the child gets the same.
 */
static const char *const passed_on[] = {"threads", "cache-dir", "program-cache",
                                        "gemm",    "assume",    "selftest-cases"};

struct outcome {
    bool known; /* the child answered, or died of the candidate */
    bool pass;
    char why[256];
};

/* ---- the child
 * ------------------------------------------------------------------------------- */

/* The program lies beside the module (build tree, tarball) or in the installed place. */
static char *probe_path(const struct sct_host *host)
{
    const char *given = cl_opt(host, "clprobe");
    if (given)
        return strdup(given);
    static const char name[] = "sctrun-clprobe";
    Dl_info info;
    char *path = NULL;
    if (dladdr((const void *)cl_sources_digest, &info) && info.dli_fname) {
        const char *slash = strrchr(info.dli_fname, '/');
        const size_t dir = slash ? (size_t)(slash - info.dli_fname) + 1 : 0;
        path = malloc(dir + sizeof name);
        if (path) {
            memcpy(path, info.dli_fname, dir);
            memcpy(path + dir, name, sizeof name);
        }
    }
#ifdef SCT_CLPROBE_PATH
    if (!path || access(path, X_OK) != 0) {
        free(path);
        path = strdup(SCT_CLPROBE_PATH);
    }
#endif
    if (path && access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads what the child says until it closes its end; false when the time is over. The last
 * bytes win, since the reason stands at the end. */
static bool listen_to(int fd, char *text, size_t size)
{
    const int64_t end = now_ms() + (int64_t)TIMEOUT_S * 1000;
    size_t n = 0;
    for (;;) {
        const int64_t left = end - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const int rc = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (rc == 0)
            return false;
        if (rc < 0 && errno == EINTR)
            continue;
        if (n + 1 >= size) { /* keep the last half */
            memmove(text, text + size / 2, n - size / 2);
            n -= size / 2;
        }
        const ssize_t got = read(fd, text + n, size - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = '\0';
    }
    return true;
}

static void judge(int status, bool in_time, const char *text, struct outcome *o)
{
    const size_t n = strcspn(text, "\n");
    if (!in_time) {
        o->known = true;
        (void)snprintf(o->why, sizeof o->why, "no answer within %d s", TIMEOUT_S);
    } else if (WIFSIGNALED(status)) {
        o->known = true;
        (void)snprintf(o->why, sizeof o->why, "the driver died of it (signal %d)",
                       WTERMSIG(status));
    } else if (WIFEXITED(status) &&
               (WEXITSTATUS(status) == CL_TEST_PASS || WEXITSTATUS(status) == CL_TEST_WRONG)) {
        o->known = true;
        o->pass = WEXITSTATUS(status) == CL_TEST_PASS;
        (void)snprintf(o->why, sizeof o->why, "%.*s", (int)(n < 200 ? n : 200), text);
    } else {
        (void)snprintf(o->why, sizeof o->why, "the self-test could not run: %.*s",
                       (int)(n < 200 ? n : 200), text);
    }
}

static int spawn(char *path, char *const *argv, int out, pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    if (posix_spawn_file_actions_init(&fa) != 0)
        return ENOMEM;
    int rc = posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&fa, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawn(pid, path, &fa, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&fa);
    return rc;
}

static void run_child(char *path, char *const *argv, struct outcome *o)
{
    int fd[2];
    char text[512] = "";
    pid_t pid = 0;
    if (pipe(fd) != 0) {
        (void)snprintf(o->why, sizeof o->why, "no pipe for the self-test: %s", strerror(errno));
        return;
    }
    (void)fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd[1], F_SETFD, FD_CLOEXEC);
    const int rc = spawn(path, argv, fd[1], &pid);
    (void)close(fd[1]);
    if (rc != 0) {
        (void)snprintf(o->why, sizeof o->why, "cannot start %.150s: %s", path, strerror(rc));
    } else {
        const bool in_time = listen_to(fd[0], text, sizeof text);
        int status = 0;
        if (!in_time)
            (void)kill(pid, SIGKILL);
        pid_t got;
        while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
            continue;
        if (got == pid)
            judge(status, in_time, text, o);
        else
            (void)snprintf(o->why, sizeof o->why, "lost the self-test's answer: %s",
                           strerror(errno));
    }
    (void)close(fd[0]);
}

/* sctrun-clprobe P:D ROW key=value... */
static void test_in_child(sct_device *dev, const struct cl_row *row, struct outcome *o)
{
    *o = (struct outcome){0};
    char *path = probe_path(dev->host);
    if (!path) {
        (void)snprintf(o->why, sizeof o->why, "sctrun-clprobe is not beside the module");
        return;
    }
    char *name = strdup(row->name), *argv[MAX_ARGS] = {path, dev->id_text, name};
    size_t n = 3, made = 3;
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
        const char *v = cl_opt(dev->host, passed_on[i]);
        const size_t len = v ? strlen(passed_on[i]) + strlen(v) + 2 : 0;
        if (!v || (argv[n] = malloc(len)) == NULL)
            continue;
        (void)snprintf(argv[n++], len, "%s=%s", passed_on[i], v);
    }
    if (name)
        run_child(path, argv, o);
    while (n > made)
        free(argv[--n]);
    free(name);
    free(path);
}

/* ---- verdicts
 * -------------------------------------------------------------------------------- */

static void verdict_key(const sct_device *dev, const struct cl_row *row, char key[CL_KEY_HEX])
{
    const char *assume = cl_opt(dev->host, "assume"); /* other compiler options */
    const char *part[5] = {"verdict", SCT_VERSION, cl_sources_digest, row->name,
                           assume ? assume : ""};
    cl_cache_key(&dev->cache, part, 5, key);
}

/* "pass" or "fail: reason". */
static bool load_verdict(const sct_device *dev, const struct cl_row *row, struct outcome *o)
{
    char key[CL_KEY_HEX];
    size_t n = 0;
    verdict_key(dev, row, key);
    char *text = cl_cache_load(&dev->cache, key, ".verdict", &n);
    *o = (struct outcome){0};
    if (!text)
        return false;
    o->known = n >= 4;
    o->pass = o->known && memcmp(text, "pass", 4) == 0;
    if (o->known && !o->pass)
        (void)snprintf(o->why, sizeof o->why, "%.*s", (int)(n < 200 ? n - 4 : 196), text + 4);
    free(text);
    return o->known;
}

static void store_verdict(const sct_device *dev, const struct cl_row *row,
                          const struct outcome *o)
{
    char key[CL_KEY_HEX], text[300];
    verdict_key(dev, row, key);
    const int n =
        snprintf(text, sizeof text, "%s%s", o->pass ? "pass" : "fail", o->pass ? "" : o->why);
    (void)cl_cache_store(&dev->cache, key, ".verdict", text, (size_t)n);
}

static bool decide(sct_device *dev, const struct cl_row *row)
{
    struct outcome o;
    if (cl_opt_is(dev->host, "selftest", "skip"))
        return true; /* asked for: trust every kernel */
    const bool fresh = cl_opt_is(dev->host, "selftest", "force");
    if (!fresh && load_verdict(dev, row, &o)) {
        if (!o.pass)
            cl_log(
                dev->host, SCT_LOG_WARN,
                "kernel %s is not used on device %s: %s (recorded; remove the .verdict files "
                "in %s to test it again)",
                row->name, dev->id_text, o.why, dev->cache.dir);
        return o.pass;
    }
    cl_log(dev->host, SCT_LOG_INFO, "testing kernel %s on device %s (once)", row->name,
           dev->id_text);
    test_in_child(dev, row, &o);
    if (o.known && !cl_opt(dev->host, "selftest-cases"))
        store_verdict(dev, row, &o);
    if (!o.pass)
        cl_log(dev->host, SCT_LOG_WARN, "kernel %s is not used on device %s: %s", row->name,
               dev->id_text, o.why);
    return o.pass;
}

bool cl_selftest_passed(sct_device *dev, const struct cl_row *row)
{
    if (row->verdict_of) {
        row = cl_row_find(row->verdict_of);
        if (!row || row->verdict_of)
            return false; /* a name that no longer exists must not make a kernel trusted */
    }
    for (size_t i = 0; i < dev->n_verdict; i++)
        if (dev->verdict[i].row == row)
            return dev->verdict[i].pass;
    const struct cl_verdict v = {row, decide(dev, row)};
    if (cl_grow((void **)&dev->verdict, &dev->cap_verdict, dev->n_verdict + 1, sizeof v))
        dev->verdict[dev->n_verdict++] = v;
    return v.pass;
}
