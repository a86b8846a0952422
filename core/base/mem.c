/* SPDX-License-Identifier: MIT
 * mem.c - heap with failure injection, arena.
 * The counter is atomic so that loader threads may allocate while a test counts. */
#include "core/base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_ullong count;
static atomic_ullong fail_at;
static atomic_int fail_every;

static int must_fail(void)
{
    const unsigned long long n = atomic_fetch_add(&count, 1) + 1;
    const unsigned long long at = atomic_load(&fail_at);
    return at != 0 && (n == at || (n > at && atomic_load(&fail_every)));
}

uint64_t sct_mem_fail_at(uint64_t n, int every)
{
    const uint64_t seen = atomic_exchange(&count, 0);
    atomic_store(&fail_every, every);
    atomic_store(&fail_at, n);
    return seen;
}

void *sct_alloc(size_t n)
{
    return n == 0 || must_fail() ? NULL : malloc(n);
}

void *sct_calloc(size_t n, size_t size)
{
    return n == 0 || size == 0 || must_fail() ? NULL : calloc(n, size);
}

void *sct_realloc(void *p, size_t n, size_t size)
{
    if (n == 0 || size == 0 || n > SIZE_MAX / size || must_fail())
        return NULL;
    return realloc(p, n * size);
}

void sct_free(void *p)
{
    free(p);
}

char *sct_strdup(const char *s)
{
    const size_t n = strlen(s) + 1;
    char *copy = sct_alloc(n);
    return copy ? memcpy(copy, s, n) : NULL;
}

struct sct_arena_block {
    struct sct_arena_block *next;
    max_align_t data[];
};

void *sct_arena_alloc(struct sct_arena *a, size_t n)
{
    enum { BLOCK = 64 * 1024 };

    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + 15u) & ~(size_t)15u;
    if (!a->head || n > a->cap - a->used) {
        const size_t cap = n > BLOCK ? n : BLOCK;
        struct sct_arena_block *b = sct_alloc(sizeof *b + cap);
        if (!b)
            return NULL;
        b->next = a->head;
        a->head = b;
        a->cap = cap;
        a->used = 0;
    }
    char *p = (char *)a->head->data + a->used;
    a->used += n;
    return memset(p, 0, n);
}

char *sct_arena_strdup(struct sct_arena *a, const char *s)
{
    const size_t n = strlen(s) + 1;
    char *copy = sct_arena_alloc(a, n);
    return copy ? memcpy(copy, s, n) : NULL;
}

char *sct_arena_printf(struct sct_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : sct_arena_alloc(a, (size_t)n + 1);
    if (s)
        (void)vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void sct_arena_free(struct sct_arena *a)
{
    while (a->head) {
        struct sct_arena_block *next = a->head->next;
        sct_free(a->head);
        a->head = next;
    }
    a->used = a->cap = 0;
}

sct_status sct_grow(void **p, uint32_t *cap, uint64_t need, size_t size, sct_error *err)
{
    if (need <= *cap)
        return SCT_OK;
    if (need > UINT32_MAX / 2)
        return sct_fail(err, SCT_ENOMEM, "too many elements: %llu", (unsigned long long)need);
    uint32_t n = *cap ? *cap : 16;
    while (n < need)
        n *= 2;
    void *q = sct_realloc(*p, n, size);
    if (!q)
        return sct_fail(err, SCT_ENOMEM, "out of memory: %llu bytes",
                        (unsigned long long)n * size);
    *p = q;
    *cap = n;
    return SCT_OK;
}
