/* SPDX-License-Identifier: MIT
 * memory.c - the estimate of --dry-run: the plans that a run would make, laid side by side. */
#include "core/train/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/exec/store.h"

/* Adds the bytes that evaluation adds to a device that holds the training plan: its own arenas,
 * and packs of trained weights that only it uses. */
static sct_status evaluation_bytes(const struct sct_plan *eval, const struct sct_plan *train,
                                   uint64_t *bytes, sct_error *err)
{
    struct sct_plan_memory m;
    uint64_t stored = 0;
    SCT_TRY(sct_store_bytes_beside(eval, train, &stored, err));
    sct_plan_memory(eval, &m);
    *bytes += stored + m.activations + m.accumulators + m.step + m.batch;
    return SCT_OK;
}

/* Linux counts in VmHWM what this program has had. ru_maxrss keeps the peak of the process that
 * started it, too, when that was larger: a shell's is small, a Python's is not. */
uint64_t sct_peak_process_bytes(void)
{
    static const char key[] = "VmHWM:";
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && !kib && fgets(line, sizeof line, f))
        if (strncmp(line, key, sizeof key - 1) == 0)
            kib = strtoull(line + sizeof key - 1, NULL, 10);
    if (f)
        (void)fclose(f);
    struct rusage u;
    if (!kib && getrusage(RUSAGE_SELF, &u) == 0)
        kib = (unsigned long long)u.ru_maxrss;
    return (uint64_t)kib * 1024u;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What the process has now, what the loaders will touch, and the trained values on their way to
 * a file. */
static uint64_t host_bytes(const struct sct_session *x, uint64_t trainable)
{
    const uint32_t limit = x->s->test_limit;
    uint64_t n = sct_peak_process_bytes() + trainable;
    if (x->train_loader)
        n += sct_loader_bytes_touched(x->train_loader, sct_source_count(x->train));
    if (x->test_loader) {
        const uint32_t count = sct_source_count(x->test);
        n += sct_loader_bytes_touched(x->test_loader, limit && limit < count ? limit : count);
    }
    return n;
}

static char *table(const struct sct_plan *plan, const struct sct_memory_estimate *m)
{
    struct sct_str s = {0};
    char *text = sct_plan_memory_text(plan);
    if (!text)
        return NULL;

    const struct {
        const char *name;
        uint64_t bytes;
    } row[] = {{"evaluation", m->evaluation},
               {"calibration", m->calibration},
               {"features", m->features},
               {"device, at most", m->device},
               {"process, at most", m->process}};

    sct_str_add(&s, "%s", text);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        sct_str_add(&s, "  %-16s %10.2f MB\n", row[i].name, (double)row[i].bytes / 1048576.0);
    sct_free(text);
    return sct_str_take(&s);
}

sct_status sct_train_dry_run(struct sct_session *x, struct sct_train_result *r,
                             struct sct_memory_estimate *m, char **text, sct_error *err)
{
    struct sct_train_plans p = {0};
    struct sct_train_extent t;
    memset(r, 0, sizeof *r);
    memset(m, 0, sizeof *m);
    *text = NULL;
    sct_model_count(x->model, &r->trainable, &r->head, &r->all);
    SCT_TRY(sct_train_extent(x, &t, err));
    SCT_TRY(sct_train_plans_make(&p, x, t.steps, t.evals, true, err));
    sct_status rc = evaluation_bytes(p.eval, p.train, &m->evaluation, err);
    if (rc == SCT_OK && p.average)
        rc = evaluation_bytes(p.average, p.train, &m->evaluation, err);
    if (rc == SCT_OK) {
        sct_plan_memory(p.train, &m->plan);
        m->calibration = x->calibration_bytes;
        m->features = sct_features_bytes(&p.train_f) + sct_features_bytes(&p.eval_f);
        m->device = most(most(m->plan.total + m->evaluation, m->calibration),
                         most(p.train_f.device_bytes, p.eval_f.device_bytes));
        m->process = host_bytes(x, m->plan.trainable) + m->features +
                     (x->device.info.kind == SCT_DEV_CPU ? m->device : 0);
        *text = table(p.train, m);
        if (!*text)
            rc = sct_nomem(err);
    }
    sct_train_plans_fini(&p, x);
    return rc;
}
