/* SPDX-License-Identifier: MIT
 * check.c - runs the cases, each in a process of its own, and reports. */
#include "tools/sdk/check.h"

#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/status.h"
#include "core/io/file.h"

enum { LIMIT_SECONDS = 120, WHY = 512 };

static const char *const archs[] = {"vit", "swin"};

struct outcome {
    uint32_t verdict;
    char why[WHY];
};

static void run_child(const struct check *c, const struct check_case *k, const char *arch,
                      int fd)
{
    struct outcome o = {CHECK_FAIL, ""};
    (void)alarm(LIMIT_SECONDS);
    o.verdict = (uint32_t)k->run(c, arch, o.why, sizeof o.why);
    const ssize_t n = write(fd, &o, sizeof o);
    _exit(n == (ssize_t)sizeof o ? 0 : 1);
}

/* What became of a child that said nothing. */
static void say_end(struct outcome *o, int status)
{
    o->verdict = CHECK_FAIL;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        (void)snprintf(o->why, sizeof o->why, "not done after %d s", (int)LIMIT_SECONDS);
    else if (WIFSIGNALED(status))
        (void)snprintf(o->why, sizeof o->why, "ended by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(o->why, sizeof o->why, "ended the process with status %d",
                       WEXITSTATUS(status));
}

static sct_status run_case(const struct check *c, const struct check_case *k, const char *arch,
                           struct outcome *o, sct_error *err)
{
    int fd[2], status = 0;
    memset(o, 0, sizeof *o);
    if (pipe(fd) != 0)
        return sct_fail(err, SCT_EFAIL, "no pipe can be made");
    (void)fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)close(fd[0]);
        run_child(c, k, arch, fd[1]);
    }
    (void)close(fd[1]);
    const ssize_t n = pid > 0 ? read(fd[0], o, sizeof *o) : 0;
    (void)close(fd[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return sct_fail(err, SCT_EFAIL, "no process can be started");
    if (n != (ssize_t)sizeof *o || status != 0)
        say_end(o, status);
    o->why[WHY - 1] = 0;
    return SCT_OK;
}

struct report {
    bool json;
    json_t *list;
    uint32_t n[3];
};

static void report(struct report *r, const char *name, const char *arch,
                   const struct outcome *o)
{
    static const char *const word[] = {"ok", "FAIL", "skip"};
    r->n[o->verdict]++;
    if (r->list)
        json_array_append_new(r->list,
                              json_pack("{s:s, s:s, s:s, s:s}", "check", name, "model", arch,
                                        "verdict", word[o->verdict], "found", o->why));
    else
        printf("%-4s %s%s%s%s%s\n", word[o->verdict], name, *arch ? ", " : "", arch,
               o->why[0] ? ": " : "", o->why);
}

static sct_status run_all(const struct check *c, struct report *r, sct_error *err)
{
    bool refused[2] = {false, false}, known = false;
    struct outcome o;
    for (const struct check_case *k = check_cases; k->name; k++) {
        for (uint32_t a = 0; a < (k->per_arch ? 2u : 1u); a++) {
            if (k->per_arch && refused[a])
                continue;
            SCT_TRY(run_case(c, k, k->per_arch ? archs[a] : "", &o, err));
            report(r, k->name, k->per_arch ? archs[a] : "", &o);
            if (k->per_arch && !known)
                refused[a] = o.verdict != CHECK_PASS;
        }
        known |= k->per_arch;
        if (r->n[CHECK_FAIL] && !known)
            break; /* what cannot be opened cannot be run */
    }
    if (known && refused[0] && refused[1] && r->n[CHECK_FAIL] == 0) {
        o = (struct outcome){CHECK_FAIL, "it refuses the ViT and the Swin"};
        report(r, "models", "", &o);
    }
    return SCT_OK;
}

sct_status check_all(const struct check *c, bool json, sct_error *err)
{
    struct report r = {.json = json, .list = json ? json_array() : NULL};
    sct_status rc = run_all(c, &r, err);
    if (rc != SCT_OK) {
        json_decref(r.list);
        return rc;
    }
    if (json)
        rc =
            cli_print_json(json_pack("{s:s, s:o, s:i, s:i, s:i}", "strategy", c->file, "checks",
                                     r.list, "passed", (int)r.n[CHECK_PASS], "failed",
                                     (int)r.n[CHECK_FAIL], "skipped", (int)r.n[CHECK_SKIP]),
                           err);
    else
        printf("%u passed, %u failed, %u skipped\n", r.n[CHECK_PASS], r.n[CHECK_FAIL],
               r.n[CHECK_SKIP]);
    if (rc == SCT_OK && r.n[CHECK_FAIL])
        rc = sct_fail(err, SCT_EPLUGIN, "%s does not keep the contract: %u of %u checks failed",
                      c->file, r.n[CHECK_FAIL], r.n[CHECK_PASS] + r.n[CHECK_FAIL]);
    return rc;
}

static sct_status put(const struct check *c, const char *name, const char *text, sct_error *err)
{
    char path[1200];
    (void)snprintf(path, sizeof path, "%s/%s", c->dir, name);
    return sct_file_write(path, text, strlen(text), err);
}

sct_status check_open(struct check *c, sct_error *err)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(c->dir, sizeof c->dir, "%.900s/sctrun-check-XXXXXX",
                   tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(c->dir)) {
        const sct_status rc =
            sct_fail(err, SCT_EFAIL, "%s: no folder can be made there", c->dir);
        c->dir[0] = 0;
        return rc;
    }
    SCT_TRY(put(c, "vit.yaml",
                "arch: vit\nimage_size: 32\npatch_size: 8\ndim: 48\ndepth: 2\nheads: 3\n",
                err));
    SCT_TRY(put(c, "swin.yaml",
                "arch: swin\nimage_size: 16\npatch_size: 2\ndim: 24\ndepths: [1, 1, 2, 1]\n"
                "heads: [1, 2, 4, 8]\nwindow: 4\n",
                err));
    return put(c, "task.yaml", "label: shape\nimage_size: 32\ntrain: 12\nval: 0\ntest: 6\n",
               err);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void check_close(struct check *c)
{
    if (c->dir[0])
        (void)nftw(c->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    c->dir[0] = 0;
}
