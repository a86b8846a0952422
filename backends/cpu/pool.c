/* SPDX-License-Identifier: MIT
 * pool.c - the device's threads, and barriers between them.
 * Waiting spins for some microseconds (the next node is near), then sleeps (the machine may be
 * shared). Nothing here allocates after creation. */
#include "backends/cpu/cpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPINS = 2000 };

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A counter one can wait on. Raising is one atomic addition unless somebody sleeps: the raiser
 * writes the value and then looks for sleepers, a sleeper registers and then looks at the
 * value, all in one total order, so that one of the two sees the other. */
struct signal {
    _Alignas(64) atomic_uint value;
    atomic_uint sleepers;
    pthread_mutex_t lock;
    pthread_cond_t cond;
};

static sct_status signal_init(struct signal *s, sct_error *err)
{
    atomic_init(&s->value, 0);
    atomic_init(&s->sleepers, 0);
    int rc = pthread_mutex_init(&s->lock, NULL);
    if (rc == 0) {
        rc = pthread_cond_init(&s->cond, NULL);
        if (rc == 0)
            return SCT_OK;
        (void)pthread_mutex_destroy(&s->lock);
    }
    return sct_fail(err, SCT_EFAIL, "cpu: cannot make a lock for threads (error %d)", rc);
}

static void signal_fini(struct signal *s)
{
    (void)pthread_cond_destroy(&s->cond);
    (void)pthread_mutex_destroy(&s->lock);
}

static void signal_raise(struct signal *s)
{
    (void)atomic_fetch_add(&s->value, 1);
    if (atomic_load(&s->sleepers) == 0)
        return;
    (void)pthread_mutex_lock(&s->lock);
    (void)pthread_cond_broadcast(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
}

/* Returns when the value is no longer `old`. */
static void signal_wait(struct signal *s, unsigned old)
{
    for (unsigned i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&s->value, memory_order_acquire) != old)
            return;
        relax();
    }
    (void)pthread_mutex_lock(&s->lock);
    (void)atomic_fetch_add(&s->sleepers, 1);
    while (atomic_load(&s->value) == old)
        (void)pthread_cond_wait(&s->cond, &s->lock);
    (void)atomic_fetch_sub(&s->sleepers, 1);
    (void)pthread_mutex_unlock(&s->lock);
}

struct cpu_barrier {
    struct signal phase;
    _Alignas(64) atomic_uint arrived;
    unsigned n;
};

/* Size rounded up to the alignment, as aligned_alloc wants it. */
static void *alloc_lines(size_t bytes)
{
    return aligned_alloc(64, (bytes + 63u) & ~(size_t)63u);
}

sct_status cpu_barrier_create(uint32_t n, struct cpu_barrier **out, sct_error *err)
{
    *out = NULL;
    struct cpu_barrier *b = alloc_lines(sizeof *b);
    if (!b)
        return sct_fail(err, SCT_ENOMEM, "cpu: out of memory for a barrier (%zu bytes)",
                        sizeof *b);
    atomic_init(&b->arrived, 0);
    b->n = n;
    const sct_status rc = signal_init(&b->phase, err);
    if (rc != SCT_OK) {
        free(b);
        return rc;
    }
    *out = b;
    return SCT_OK;
}

void cpu_barrier_destroy(struct cpu_barrier **barrier)
{
    if (!*barrier)
        return;
    signal_fini(&(*barrier)->phase);
    free(*barrier);
    *barrier = NULL;
}

void cpu_barrier_wait(struct cpu_barrier *b)
{
    const unsigned phase = atomic_load(&b->phase.value);
    if (atomic_fetch_add(&b->arrived, 1) + 1 < b->n) {
        signal_wait(&b->phase, phase);
        return;
    }
    atomic_store(&b->arrived, 0);
    signal_raise(&b->phase);
}

struct worker {
    struct cpu_pool *pool;
    pthread_t handle;
    uint32_t thread;
};

struct cpu_pool {
    struct signal start;
    struct cpu_barrier *done;
    cpu_task_fn fn; /* NULL: end */
    void *arg;
    uint32_t threads, running; /* running: workers that exist */
    struct worker *worker;
};

static void *worker_main(void *arg)
{
    const struct worker *w = arg;
    struct cpu_pool *pool = w->pool;
    for (unsigned turn = 0;; turn++) {
        signal_wait(&pool->start, turn);
        if (!pool->fn)
            return NULL;
        pool->fn(pool->arg, w->thread);
        cpu_barrier_wait(pool->done);
    }
}

static sct_status start_workers(struct cpu_pool *pool, sct_error *err)
{
    for (uint32_t i = 0; i + 1 < pool->threads; i++) {
        struct worker *w = &pool->worker[i];
        w->pool = pool;
        w->thread = i + 1;
        const int rc = pthread_create(&w->handle, NULL, worker_main, w);
        if (rc != 0)
            return sct_fail(
                err, SCT_EDEVICE,
                "cpu: started %u of %u threads, then the system refused (error %d); "
                "ask for fewer with --threads",
                i + 1, pool->threads, rc);
        pool->running++;
    }
    return SCT_OK;
}

sct_status cpu_pool_create(uint32_t threads, struct cpu_pool **out, sct_error *err)
{
    *out = NULL;
    struct cpu_pool *pool = alloc_lines(sizeof *pool);
    struct worker *worker = calloc(threads, sizeof *worker);
    if (!pool || !worker) {
        free(pool);
        free(worker);
        return sct_fail(err, SCT_ENOMEM, "cpu: out of memory for a pool of %u threads",
                        threads);
    }
    pool->fn = NULL;
    pool->arg = NULL;
    pool->threads = threads;
    pool->running = 0;
    pool->worker = worker;
    pool->done = NULL;
    sct_status rc = signal_init(&pool->start, err);
    if (rc != SCT_OK) {
        free(worker);
        free(pool);
        return rc;
    }
    rc = cpu_barrier_create(threads, &pool->done, err);
    if (rc == SCT_OK)
        rc = start_workers(pool, err);
    if (rc != SCT_OK) {
        cpu_pool_destroy(&pool);
        return rc;
    }
    *out = pool;
    return SCT_OK;
}

void cpu_pool_destroy(struct cpu_pool **pool)
{
    struct cpu_pool *p = *pool;
    if (!p)
        return;
    p->fn = NULL;
    signal_raise(&p->start);
    for (uint32_t i = 0; i < p->running; i++)
        (void)pthread_join(p->worker[i].handle, NULL);
    cpu_barrier_destroy(&p->done);
    signal_fini(&p->start);
    free(p->worker);
    free(p);
    *pool = NULL;
}

void cpu_pool_run(struct cpu_pool *pool, cpu_task_fn fn, void *arg)
{
    if (pool->threads == 1) {
        fn(arg, 0);
        return;
    }
    pool->fn = fn;
    pool->arg = arg;
    signal_raise(&pool->start);
    fn(arg, 0);
    cpu_barrier_wait(pool->done);
}
