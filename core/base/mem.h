/* SPDX-License-Identifier: MIT
 * mem.h - the core's heap, which tests can tell to fail, and an arena on top of it.
 * Thread rule: the heap functions may be called from any thread; an arena from one at a time.
 */
#ifndef SCT_BASE_MEM_H
#define SCT_BASE_MEM_H

#include <sctrun/base.h>

/* NULL when memory is short, or n is 0. */
void *sct_alloc(size_t n);
/* Zeroed n * size bytes; NULL on overflow too. */
void *sct_calloc(size_t n, size_t size);
/* As realloc, for n * size bytes; on failure p stays valid. */
void *sct_realloc(void *p, size_t n, size_t size);
void sct_free(void *p);
/* Copy of a string, NULL when memory is short. */
char *sct_strdup(const char *s);

/* Test hook: the n-th allocation from now fails (1 = the next), every = 1: and all after it. 0
 * switches off. Returns the number of allocations since the last call. */
uint64_t sct_mem_fail_at(uint64_t n, int every);

/* Memory freed all at once. Zero-initialised is empty. */
struct sct_arena {
    struct sct_arena_block *head;
    size_t used, cap;
};

/* Zeroed, 16-byte aligned; NULL when memory is short. */
void *sct_arena_alloc(struct sct_arena *a, size_t n);
char *sct_arena_strdup(struct sct_arena *a, const char *s);
SCT_PRINTF(2, 3)
char *sct_arena_printf(struct sct_arena *a, const char *fmt, ...);
void sct_arena_free(struct sct_arena *a);

/* Grows *p (elements of `size` bytes, *cap of them) so that `need` fit. SCT_ENOMEM leaves it as
 * it was. */
sct_status sct_grow(void **p, uint32_t *cap, uint64_t need, size_t size, sct_error *err);

#endif
