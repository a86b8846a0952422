/* SPDX-License-Identifier: MIT
 * ablate_worker.c - cells in a process of their own. The worker is forked before this process
 * has opened a device or started a thread, and is told the numbers of cells through a pipe. */
#include "tools/ablate_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "core/ablate/run.h"
#include "core/base/status.h"

struct job {
    uint32_t cell, combo;
};

/* REFUSED: failed, and the process is as good as before. */
enum answer { DONE = 'd', REFUSED = 'r', FAILED = 'f', STOPPED = 's', BROKEN = 'b' };

void ablate_cell_path(const struct ablation *a, const char *id, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%.4000s/cells/%s.json", a->dir, id);
}

/* All n bytes; false at the end of the file, on an error, and when a signal came meanwhile. */
static bool read_all(int fd, void *data, size_t n)
{
    size_t at = 0;
    while (at < n) {
        const ssize_t k = read(fd, (char *)data + at, n - at);
        if (k <= 0)
            return false;
        at += (size_t)k;
    }
    return true;
}

/* ---- in the worker ---- */

static void worker_log(void *ctx, int level, const char *line)
{
    struct ablation *a = ctx;
    if (level <= SCT_LOG_WARN || a->cli->verbose)
        cli_log(a->cli, level, line);
}

/* The most memory of the process counts from here on, where the system can do that (Linux). */
static void restart_peak(void)
{
    const int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "5", 1) != 1) {
        /* the peak is then that of all cells so far */
    }
    (void)close(fd);
}

static enum answer run_cell(struct ablation *a, struct sct_share *share, const struct job *job)
{
    struct sct_grid_cell c = a->cell[job->cell];
    struct sct_settings_run run;
    struct sct_cell_result r;
    sct_error err = SCT_ERROR_INIT;
    char id[SCT_GRID_ID], path[4200], dir[4200];
    char *args = NULL;
    bool stopped = false;
    c.combo = job->combo;
    restart_peak();
    if (sct_grid_settings(&a->grid, &c, &run, &err) != SCT_OK)
        return BROKEN; /* it was fine before the worker was started */
    sct_status rc = sct_grid_id(&a->grid, &c, &run, id, &args, &err);
    if (rc == SCT_OK) {
        (void)snprintf(dir, sizeof dir, "%.4000s/runs/%s", a->dir, id);
        const struct sct_cell_run how = {.g = &a->grid,
                                         .share = share,
                                         .dir = a->grid.save && !c.search ? dir : NULL,
                                         .log = worker_log,
                                         .log_ctx = a,
                                         .stop = &cli_stop};
        rc = sct_cell_train(&how, &c, &run, &r, &stopped, &err);
        ablate_cell_path(a, id, path, sizeof path);
        if (!stopped && sct_cell_write(path, &a->grid, &c, id, args, &r, &err) != SCT_OK) {
            fprintf(stderr, "sctrun: %s\n", err.msg);
            stopped = true;
            rc = SCT_EFAIL;
        }
        sct_cell_fini(&r);
    }
    sct_free(args);
    sct_settings_fini(&run);
    if (stopped)
        return rc == SCT_OK ? STOPPED : BROKEN;
    if (rc == SCT_OK)
        return DONE;
    return rc == SCT_ENONFINITE || rc == SCT_EUSAGE || rc == SCT_EDATA ? REFUSED : FAILED;
}

/* Never returns. After a failure of the machinery (memory, device) the process ends, as nobody
 * knows what that left behind. */
static void work(struct ablation *a, int jobs, int answers)
{
    char readings[4200];
    struct sct_share share = {.readings = readings};
    struct job job;
    enum answer answer = DONE;
    (void)snprintf(readings, sizeof readings, "%.4000s/readings", a->dir);
    a->cli->tty = 0;
    while ((answer == DONE || answer == REFUSED) && read_all(jobs, &job, sizeof job)) {
        answer = run_cell(a, a->grid.share ? &share : NULL, &job);
        const char byte = (char)answer;
        if (write(answers, &byte, 1) != 1 || !a->grid.share)
            break;
    }
    sct_share_fini(&share);
    _exit(0);
}

/* ---- in the program ---- */

static sct_status start_worker(struct ablation *a, sct_error *err)
{
    int jobs[2], answers[2];
    if (pipe(jobs) != 0)
        return sct_fail(err, SCT_EFAIL, "no pipe could be made: %s", strerror(errno));
    if (pipe(answers) != 0) {
        (void)close(jobs[0]);
        (void)close(jobs[1]);
        return sct_fail(err, SCT_EFAIL, "no pipe could be made: %s", strerror(errno));
    }
    (void)fflush(NULL); /* or both would write what is buffered */
    const pid_t parent = getpid();
    a->pid = fork();
    if (a->pid == 0) {
#ifdef __linux__
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* no cell goes on without its grid */
        if (getppid() != parent)
            _exit(1);
#else
        (void)parent;
#endif
        (void)close(jobs[1]);
        (void)close(answers[0]);
        work(a, jobs[0], answers[1]);
    }
    (void)close(jobs[0]);
    (void)close(answers[1]);
    if (a->pid < 0) {
        (void)close(jobs[1]);
        (void)close(answers[0]);
        a->pid = 0;
        return sct_fail(err, SCT_EFAIL, "no process could be started: %s", strerror(errno));
    }
    a->to = jobs[1];
    a->from = answers[0];
    return SCT_OK;
}

/* Its status as waitpid has it. */
static int reap(struct ablation *a)
{
    int status = 0;
    (void)close(a->to);
    (void)close(a->from);
    while (waitpid(a->pid, &status, 0) < 0 && errno == EINTR) {
    }
    a->pid = 0;
    return status;
}

void ablate_end_worker(struct ablation *a)
{
    if (a->pid)
        (void)reap(a);
}

/* What became of a worker that gave no answer, as the result of its cell. */
static sct_status record_death(struct ablation *a, uint32_t i, int status, sct_error *err)
{
    struct sct_cell_result r = {.status = SCT_CELL_FAILED};
    struct sct_settings_run run;
    char id[SCT_GRID_ID], path[4200];
    char *args = NULL;
    if (WIFSIGNALED(status)) {
        r.code = 128 + WTERMSIG(status);
        (void)snprintf(r.message, sizeof r.message,
                       "the process of the cell was ended by signal %d (%s)%s",
                       WTERMSIG(status), strsignal(WTERMSIG(status)),
                       WTERMSIG(status) == SIGKILL ? "; was memory short?" : "");
    } else {
        r.code = WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
        (void)snprintf(r.message, sizeof r.message,
                       "the process of the cell ended with code %d and without a result",
                       WEXITSTATUS(status));
    }
    SCT_TRY(sct_grid_settings(&a->grid, &a->cell[i], &run, err));
    sct_status rc = sct_grid_id(&a->grid, &a->cell[i], &run, id, &args, err);
    ablate_cell_path(a, a->id[i], path, sizeof path);
    if (rc == SCT_OK)
        rc = sct_cell_write(path, &a->grid, &a->cell[i], id, args, &r, err);
    sct_free(args);
    sct_settings_fini(&run);
    return rc;
}

sct_status ablate_run_cell(struct ablation *a, uint32_t i, bool *stopped, sct_error *err)
{
    const struct job job = {i, a->cell[i].combo};
    char answer = 0, path[4200];
    *stopped = false;
    if (!a->pid)
        SCT_TRY(start_worker(a, err));
    bool told = write(a->to, &job, sizeof job) == (ssize_t)sizeof job;
    while (told && !read_all(a->from, &answer, 1) && errno == EINTR && cli_stop) {
        (void)kill(a->pid, SIGTERM); /* it ends its step, and answers */
        errno = 0;
    }
    if ((answer != DONE && answer != REFUSED) || !a->grid.share) {
        const int status = reap(a);
        *stopped = cli_stop != 0 && (answer == 0 || answer == STOPPED);
        if (!answer && !*stopped)
            SCT_TRY(record_death(a, i, status, err));
    }
    if (answer == BROKEN)
        return sct_fail(err, SCT_EFAIL, "%s: the result of a cell could not be written",
                        a->dir);
    if (*stopped)
        return SCT_OK;
    ablate_cell_path(a, a->id[i], path, sizeof path);
    sct_cell_fini(&a->result[i]);
    return sct_cell_read(path, &a->grid, &a->cell[i], a->id[i], &a->result[i], err);
}
