/* SPDX-License-Identifier: MIT
 * scan.c - tries every image once. Threads take items from one counter; what an item came to is
 * kept in its own place, and put together in order at the end. */
#include "core/data/scan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/base/status.h"

enum { MAX_THREADS = 64 };

struct scan {
    const struct sct_source *s;
    const struct sct_preprocess *pre;
    uint32_t n;
    atomic_uint_least32_t next;
    sct_status *rc; /* [n] */
    char **why;     /* [n], of those that failed */
};

static sct_status try_item(const struct scan *c, uint32_t i, uint8_t *room, sct_error *err)
{
    struct sct_image img;
    char name[512];
    SCT_TRY(sct_source_fetch(c->s, i, &img, err));
    const sct_status rc = sct_preprocess_apply(c->pre, &img, room, err);
    sct_image_fini(&img);
    if (rc != SCT_OK) {
        sct_source_item_name(c->s, i, name, sizeof name);
        (void)sct_error_prefix(err, "%s", name);
    }
    return rc;
}

static void *worker(void *arg)
{
    struct scan *c = arg;
    uint8_t *room = sct_alloc((size_t)c->pre->size * c->pre->size * 3);
    for (;;) {
        const uint32_t i = atomic_fetch_add(&c->next, 1);
        if (i >= c->n)
            break;
        sct_error err = SCT_ERROR_INIT;
        c->rc[i] = room ? try_item(c, i, room, &err) : sct_nomem(&err);
        if (c->rc[i] == SCT_OK)
            continue;
        c->why[i] = sct_strdup(err.msg);
        if (!c->why[i])
            c->rc[i] = SCT_ENOMEM;
        if (c->rc[i] != SCT_EDATA) /* no need to go on */
            atomic_store(&c->next, c->n);
    }
    sct_free(room);
    return NULL;
}

static sct_status run(struct scan *c, uint32_t threads, sct_error *err)
{
    pthread_t t[MAX_THREADS];
    uint32_t n = 0;
    int e = 0;
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    for (; n + 1 < threads && e == 0; n += e == 0)
        e = pthread_create(&t[n], NULL, worker, c);
    (void)worker(c);
    for (uint32_t i = 0; i < n; i++)
        (void)pthread_join(t[i], NULL);
    return e == 0 ? SCT_OK
                  : sct_fail(err, SCT_EFAIL, "thread %u of %u could not be started: %s",
                             (unsigned)n + 2, (unsigned)threads, strerror(e));
}

static sct_status collect(const struct scan *c, uint8_t *bad, struct sct_str *report,
                          sct_error *err)
{
    for (uint32_t i = 0; i < c->n; i++) {
        bad[i] = c->rc[i] != SCT_OK;
        if (bad[i] && c->rc[i] != SCT_EDATA)
            return c->why[i] ? sct_fail(err, c->rc[i], "%s", c->why[i]) : sct_nomem(err);
        if (bad[i])
            sct_str_add(report, "%s\n", c->why[i]);
    }
    return report->failed ? sct_nomem(err) : SCT_OK;
}

sct_status sct_scan(const struct sct_source *s, const struct sct_preprocess *pre, uint32_t n,
                    uint32_t threads, uint8_t *bad, struct sct_str *report, sct_error *err)
{
    struct scan c = {.s = s, .pre = pre, .n = n};
    c.rc = sct_calloc(n ? n : 1, sizeof *c.rc);
    c.why = sct_calloc(n ? n : 1, sizeof *c.why);
    sct_status rc = c.rc && c.why ? run(&c, threads, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = collect(&c, bad, report, err);
    for (uint32_t i = 0; c.why && i < n; i++)
        sct_free(c.why[i]);
    sct_free(c.why);
    sct_free(c.rc);
    return rc;
}
