/* SPDX-License-Identifier: MIT
 * dialect_choose.c - which dialect, behind which wrapper.
 * Every prefix that consists of wrappers and occurs in the file is tried with every dialect. A
 * dialect fits if each of its `has` patterns fits a name behind the prefix, and `hasnt` none.
 * Among those that fit the wrapper of the highest rank wins, then the one that knows more
 * names, then the order of the table. */
#include "core/model/dialect_impl.h"

#include <string.h>

static void add_wrapper(struct sct_dialect_choice *c, const char *s, size_t n, uint32_t rank)
{
    for (uint32_t i = 0; i < c->n_wrapper; i++)
        if (c->wrapper[i].n == n && memcmp(c->wrapper[i].s, s, n) == 0)
            return;
    if (c->n_wrapper < SCT_WRAPPERS_MAX)
        c->wrapper[c->n_wrapper++] = (struct sct_wrapper_use){s, n, rank, false};
}

static void find_wrappers(struct sct_dialect_choice *c, const struct sct_named *t, uint32_t n)
{
    add_wrapper(c, "", 0, 0);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t rank = 0;
        size_t at = 0, more;
        while ((more = sct_wrapper_at(t[i].name + at, &rank)) != 0 &&
               at + more < SCT_WRAPPER_BYTES)
            add_wrapper(c, t[i].name, at += more, rank);
    }
}

/* The part of a name behind the prefix, or NULL. */
static const char *behind(const struct sct_named *t, const struct sct_wrapper_use *w)
{
    return strncmp(t->name, w->s, w->n) == 0 ? t->name + w->n : NULL;
}

static bool fits(const struct sct_dialect *d, const struct sct_named *t, uint32_t count,
                 const struct sct_wrapper_use *w)
{
    enum { MOST = sizeof d->has / sizeof d->has[0] };

    bool seen[MOST] = {false};
    struct sct_name_match m;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = behind(&t[i], w);
        if (!name)
            continue;
        if (d->hasnt && sct_name_match(d->hasnt, name, &m))
            return false;
        for (int k = 0; k < MOST && d->has[k]; k++)
            seen[k] = seen[k] || sct_name_match(d->has[k], name, &m);
    }
    for (int k = 0; k < MOST && d->has[k]; k++)
        if (!seen[k])
            return false;
    return true;
}

static uint32_t known(const struct sct_dialect *d, const struct sct_named *t, uint32_t count,
                      const struct sct_wrapper_use *w)
{
    struct sct_dialect_found f;
    uint32_t k = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = behind(&t[i], w);
        k += name && sct_dialect_read(d, name, &f);
    }
    return k;
}

/* The best of the dialects behind wrapper i, if it is better than what is there. */
static void try_wrapper(struct sct_dialect_choice *c, uint32_t i, const struct sct_named *t,
                        uint32_t n)
{
    struct sct_wrapper_use *w = &c->wrapper[i];
    for (const struct sct_dialect *const *d = sct_dialects; *d; d++) {
        if (!fits(*d, t, n, w))
            continue;
        w->model = true;
        const uint32_t k = known(*d, t, n, w), rank = c->wrapper[c->at].rank;
        if (c->dialect && (w->rank < rank || (w->rank == rank && k <= c->known)))
            continue;
        c->dialect = *d;
        c->at = i;
        c->known = k;
    }
}

static void find_near(struct sct_dialect_choice *c, const struct sct_named *t, uint32_t n)
{
    for (uint32_t i = 0; i < c->n_wrapper; i++)
        for (const struct sct_dialect *const *d = sct_dialects; *d; d++) {
            const uint32_t k = known(*d, t, n, &c->wrapper[i]);
            if (k <= c->known)
                continue;
            c->near = *d;
            c->at = i;
            c->known = k;
        }
}

void sct_dialect_choose(const struct sct_named *t, uint32_t n, struct sct_dialect_choice *c)
{
    *c = (struct sct_dialect_choice){.n_wrapper = 0};
    find_wrappers(c, t, n);
    for (uint32_t i = 0; i < c->n_wrapper; i++)
        try_wrapper(c, i, t, n);
    if (!c->dialect)
        find_near(c, t, n);
}
