/* SPDX-License-Identifier: MIT
 * spt_select.c - from scores to the plan that comes closest to a budget.
 *
 * The published code takes a global top-tau for each of 79 values of tau and keeps the
 * configuration whose total is closest. All of them are prefixes of one ranking, so the largest
 * tau entries are found once (two histograms over the bits of the scores, which of non-negative
 * floats sort as the floats do), ranked by a stable radix sort, and walked through. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/spt_plan.h"

enum { BINS = 1 << 16, MAX_STEPS = 100000 };

struct entry {
    uint32_t key, t, j; /* bits of the score; candidate; position in it */
};

struct ranking {
    const struct sct_strategy_host *h;
    const struct spt_plan *p;
    const struct spt_options *o;
    const float *const *score;
    struct entry *e, *tmp; /* [most]; e by rank when it is done */
    uint64_t *bin;         /* [BINS] */
    uint64_t most;         /* entries that are ranked */
    sct_error *err;
};

/* The decimal number that an option stands for: tau is computed as Python does from 0.02, not
 * from the float next to it. */
static double decimal(float v)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.7g", (double)v);
    return strtod(text, NULL);
}

/* Steps of the sweep; tau of step i, from 1. */
static uint32_t steps_of(const struct spt_options *o)
{
    return (uint32_t)floor(decimal(o->max) / decimal(o->step) * (1 + 1e-12));
}

static uint64_t tau_of(const struct spt_options *o, uint32_t i)
{
    return (uint64_t)ceil(i * decimal(o->step) * 1e6);
}

/* ---- ranking ---- */

/* The finaliser of MurmurHash3 (Appleby, public domain). */
static uint32_t hash(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x85ebca6bu;
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

/* For a dry run: a level of its own for every candidate, and within it the heavy tail of a
 * Pareto distribution, so that every matrix has some entries and few have many. */
static float made_up(const struct spt_plan *p, uint32_t t, uint32_t j)
{
    const float most = p->t[t].kind == SPT_MATRIX ? 1.0f : 256.0f;
    const float level = most * exp2f(-5.0f * (float)(hash(t) >> 8) / 16777216.0f);
    return level / ((float)(hash(hash(t) ^ j) >> 8) + 1.0f);
}

static uint32_t key_of(float v)
{
    uint32_t bits;
    v += 0.0f; /* no negative zero */
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static uint32_t key_at(const struct ranking *r, uint32_t t, uint32_t j)
{
    return key_of(r->score[t] ? r->score[t][j] : made_up(r->p, t, j));
}

/* Entries by the upper half of their keys. */
static sct_status count_upper(struct ranking *r)
{
    const struct spt_plan *p = r->p;
    float most = 0.0f;
    memset(r->bin, 0, BINS * sizeof *r->bin);
    for (uint32_t t = 0; t < p->n; t++)
        for (uint32_t j = 0; j < spt_size(&p->t[t]); j++) {
            const float v = r->score[t] ? r->score[t][j] : made_up(p, t, j);
            if (!(v >= 0.0f && v <= 3.402823466e38f))
                return r->h->fail(r->err, SCT_ENONFINITE,
                                  "the sensitivity of entry %u of %s is not finite", j,
                                  p->t[t].name);
            most = v > most ? v : most;
            r->bin[key_of(v) >> 16]++;
        }
    if (most == 0.0f)
        return r->h->fail(r->err, SCT_EFAIL,
                          "every sensitivity is 0: no gradient reaches the backbone");
    return SCT_OK;
}

static void count_lower(struct ranking *r, uint32_t upper)
{
    memset(r->bin, 0, BINS * sizeof *r->bin);
    for (uint32_t t = 0; t < r->p->n; t++)
        for (uint32_t j = 0; j < spt_size(&r->p->t[t]); j++) {
            const uint32_t k = key_at(r, t, j);
            if (k >> 16 == upper)
                r->bin[k & 0xffff]++;
        }
}

/* The bin in which number *want, counted from the top, lies; *want becomes its number there. */
static uint32_t bin_of(const struct ranking *r, uint64_t *want)
{
    uint32_t b = BINS - 1;
    while (*want > r->bin[b])
        *want -= r->bin[b--];
    return b;
}

/* The r->most entries of the largest scores, in the order of the model. */
static sct_status gather(struct ranking *r)
{
    uint64_t ties = r->most, n = 0;
    SCT_TRY(count_upper(r));
    const uint32_t upper = bin_of(r, &ties);
    count_lower(r, upper);
    const uint32_t last = upper << 16 | bin_of(r, &ties);
    for (uint32_t t = 0; t < r->p->n; t++)
        for (uint32_t j = 0; j < spt_size(&r->p->t[t]); j++) {
            const uint32_t k = key_at(r, t, j);
            if (k > last || (k == last && ties && ties--))
                r->e[n++] = (struct entry){k, t, j};
        }
    return SCT_OK;
}

/* One pass of a stable radix sort, descending by 16 bits of the key. */
static void sort_by(struct ranking *r, unsigned shift)
{
    uint64_t at = 0;
    memset(r->bin, 0, BINS * sizeof *r->bin);
    for (uint64_t i = 0; i < r->most; i++)
        r->bin[r->e[i].key >> shift & 0xffff]++;
    for (uint32_t b = BINS; b-- > 0;) {
        const uint64_t n = r->bin[b];
        r->bin[b] = at;
        at += n;
    }
    for (uint64_t i = 0; i < r->most; i++)
        r->tmp[r->bin[r->e[i].key >> shift & 0xffff]++] = r->e[i];
    struct entry *e = r->e;
    r->e = r->tmp;
    r->tmp = e;
}

static sct_status rank(struct ranking *r)
{
    SCT_TRY(gather(r));
    sort_by(r, 0);
    sort_by(r, 16);
    return SCT_OK;
}

/* ---- the sweep ---- */

/* What becomes of a candidate with n selected entries, and its parameters. */
static uint32_t judge(const struct spt_options *o, const struct spt_tensor *t, uint64_t n,
                      uint64_t *cost)
{
    const uint64_t module = spt_module_cost(o, t->rows, t->cols);
    if (t->kind == SPT_MATRIX && o->structured != SPT_UNSTRUCTURED_ONLY &&
        (double)n >= (double)module / decimal(o->alpha)) {
        *cost = module;
        return SPT_STRUCTURED;
    }
    if (t->kind != SPT_MATRIX && o->vectors &&
        (double)n >= (double)spt_size(t) / decimal(o->beta)) {
        *cost = spt_size(t);
        return SPT_VECTOR;
    }
    *cost = o->structured == SPT_STRUCTURED_ONLY ? 0 : n;
    return *cost ? SPT_SPARSE : SPT_FROZEN;
}

static uint64_t total_of(const struct ranking *r, const uint64_t *n)
{
    uint64_t sum = r->p->class_token, cost;
    for (size_t t = 0; t < r->p->n; t++) {
        (void)judge(r->o, &r->p->t[t], n[t], &cost);
        sum += cost;
    }
    return sum;
}

/* The tau of the total closest to the budget, of equally close ones the larger. n: zero, room
 * for a number a candidate. */
static sct_status sweep(const struct ranking *r, uint64_t *n, uint64_t *tau)
{
    const double budget = decimal(r->o->budget) * 1e6;
    uint64_t at = 0, least = UINT64_MAX, most = 0;
    double best = budget; /* published: as if a total of 0 had been seen */
    *tau = 0;
    for (uint32_t i = 1; i <= steps_of(r->o) && at < r->most; i++) {
        const uint64_t want = tau_of(r->o, i);
        while (at < want && at < r->most)
            n[r->e[at++].t]++;
        const uint64_t total = total_of(r, n);
        least = total < least ? total : least;
        most = total > most ? total : most;
        if (fabs((double)total - budget) <= best) {
            best = fabs((double)total - budget);
            *tau = at;
        }
    }
    if (*tau)
        return SCT_OK;
    return r->h->fail(
        r->err, SCT_EUSAGE,
        "budget %g is %.0f parameters; the totals that %u thresholds give here go from %llu "
        "to %llu: take a larger budget, or a smaller step (%g)",
        (double)r->o->budget, budget, steps_of(r->o), (unsigned long long)least,
        (unsigned long long)most, (double)r->o->step);
}

static int ascending(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Fates, and positions, by the first tau entries. */
static sct_status decide(const struct ranking *r, struct spt_plan *p, uint64_t *n, uint64_t tau)
{
    memset(n, 0, p->n * sizeof *n);
    for (uint64_t i = 0; i < tau; i++)
        n[r->e[i].t]++;
    for (size_t t = 0; t < p->n; t++) {
        uint64_t cost;
        struct spt_tensor *x = &p->t[t];
        x->fate = judge(r->o, x, n[t], &cost);
        if (x->fate != SPT_SPARSE)
            continue;
        x->idx = r->h->alloc((size_t)n[t] * sizeof *x->idx);
        if (!x->idx)
            return r->h->fail(r->err, SCT_ENOMEM, "out of memory");
    }
    for (uint64_t i = 0; i < tau; i++) {
        struct spt_tensor *x = &p->t[r->e[i].t];
        if (x->fate == SPT_SPARSE)
            x->idx[x->n_idx++] = r->e[i].j;
    }
    for (size_t t = 0; t < p->n; t++)
        if (p->t[t].n_idx)
            qsort(p->t[t].idx, p->t[t].n_idx, sizeof *p->t[t].idx, ascending);
    spt_plan_count(p, r->o);
    return SCT_OK;
}

static uint64_t entries_of(const struct spt_plan *p)
{
    uint64_t all = 0;
    for (size_t i = 0; i < p->n; i++)
        all += spt_size(&p->t[i]);
    return all;
}

int spt_takes_all(const struct spt_plan *p, const struct spt_options *o)
{
    return tau_of(o, steps_of(o)) >= entries_of(p);
}

/* The most that a candidate can cost: with all of its entries, or with one less than make it a
 * module. */
static uint64_t most_of(const struct spt_options *o, const struct spt_tensor *t)
{
    uint64_t whole, entries = 0;
    if (judge(o, t, spt_size(t), &whole) == SPT_STRUCTURED) {
        const double n = ceil((double)whole / decimal(o->alpha)) - 1;
        (void)judge(o, t, n > 0 ? (uint64_t)n : 0, &entries);
    }
    return whole > entries ? whole : entries;
}

static sct_status check_steps(const struct spt_options *o, const struct sct_strategy_host *h,
                              sct_error *err)
{
    const double steps = decimal(o->max) / decimal(o->step);
    if (steps > 1 - 1e-12 && steps <= MAX_STEPS)
        return SCT_OK;
    return h->fail(err, SCT_EUSAGE, "max %g is %.0f steps of %g; expected 1 to %d of them",
                   (double)o->max, steps, (double)o->step, MAX_STEPS);
}

sct_status spt_check_budget(const struct spt_plan *p, const struct spt_options *o,
                            const struct sct_strategy_host *h, sct_error *err)
{
    const double budget = decimal(o->budget) * 1e6;
    uint64_t most = p->class_token;
    SCT_TRY(check_steps(o, h, err));
    for (size_t i = 0; i < p->n; i++)
        most += most_of(o, &p->t[i]);
    if (2.0 * (double)most >= budget)
        return SCT_OK;
    return h->fail(
        err, SCT_EUSAGE,
        "budget %g is %.0f parameters; of the %llu entries that may be chosen here no "
        "plan has more than %llu: take a smaller budget",
        (double)o->budget, budget, (unsigned long long)entries_of(p), (unsigned long long)most);
}

sct_status spt_select(struct spt_plan *p, const struct spt_options *o,
                      const struct sct_strategy_host *h, const float *const *score,
                      sct_error *err)
{
    struct ranking r = {.h = h, .p = p, .o = o, .score = score, .err = err};
    uint64_t tau = 0;
    SCT_TRY(check_steps(o, h, err));
    const uint64_t all = entries_of(p);
    r.most = tau_of(o, steps_of(o));
    r.most = r.most < all ? r.most : all;
    uint64_t *n = h->alloc(p->n * sizeof *n);
    r.bin = h->alloc(BINS * sizeof *r.bin);
    r.e = h->alloc((size_t)r.most * sizeof *r.e);
    r.tmp = h->alloc((size_t)r.most * sizeof *r.tmp);
    sct_status rc =
        n && r.bin && r.e && r.tmp ? rank(&r) : h->fail(err, SCT_ENOMEM, "out of memory");
    if (rc == SCT_OK)
        rc = sweep(&r, n, &tau);
    if (rc == SCT_OK)
        rc = decide(&r, p, n, tau);
    h->free(n);
    h->free(r.bin);
    h->free(r.e);
    h->free(r.tmp);
    return rc;
}

void spt_plan_tell(const struct spt_plan *p, const struct spt_options *o,
                   const struct sct_strategy_host *h)
{
    const double total = (double)spt_total(p), budget = decimal(o->budget) * 1e6;
    size_t modules = 0, vectors = 0;
    for (size_t i = 0; i < p->n; i++) {
        modules += p->t[i].fate == SPT_STRUCTURED;
        vectors += p->t[i].fate == SPT_VECTOR;
    }
    h->log(SCT_LOG_INFO,
           "plan of %.0f parameters without the head: %zu modules (%llu), %zu vectors (%llu), "
           "%llu entries, class token %llu",
           total, modules, (unsigned long long)p->structured, vectors,
           (unsigned long long)p->vectors, (unsigned long long)p->sparse,
           (unsigned long long)p->class_token);
    if (!o->plan[0] && fabs(total - budget) > 0.1 * budget)
        h->log(SCT_LOG_WARN,
               "the plan is %.0f %% off the budget of %.0f parameters; no other threshold "
               "comes closer, a smaller step may",
               100.0 * (total - budget) / budget, budget);
}
