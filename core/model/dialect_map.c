/* SPDX-License-Identifier: MIT
 * dialect_map.c - all tensors of a file against the canonical names of its backbone: every name
 * is read, what it says is sorted by canonical name, and then every expected tensor must be
 * there once, and every other name must be known as something to leave out. */
#include "core/model/dialect_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"

/* What one name (one slice of it) says. */
struct entry {
    const char *canon;
    const struct sct_dialect_rule *rule;
    struct sct_canon_part where;
    uint32_t part;
};

struct work {
    struct sct_dialect_map *m;
    const struct sct_named *t;
    struct sct_dialect_choice choice;
    struct entry *entry;
    uint32_t n, cap;
    bool drop_head, stranger; /* stranger: a name that is not known was found */
    sct_error *err;
};

static sct_status keep_problem(struct sct_dialect_map *m, sct_error *err, const char *fmt,
                               va_list ap)
{
    char text[900];
    if (m->n_problem == SCT_DIALECT_PROBLEMS) {
        m->n_more++;
        return SCT_OK;
    }
    (void)vsnprintf(text, sizeof text, fmt, ap);
    char *copy = sct_arena_strdup(&m->arena, text);
    if (!copy)
        return sct_nomem(err);
    m->problem[m->n_problem++] = copy;
    return SCT_OK;
}

sct_status sct_dialect_problem(struct sct_dialect_map *m, sct_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const sct_status rc = keep_problem(m, err, fmt, ap);
    va_end(ap);
    return rc;
}

SCT_PRINTF(2, 3)

static sct_status problem(struct work *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const sct_status rc = keep_problem(w->m, w->err, fmt, ap);
    va_end(ap);
    return rc;
}

/* ---- reading names ---- */

static sct_status add(struct work *w, const char *canon, const struct sct_dialect_rule *rule,
                      uint32_t source, uint32_t slice, uint32_t part)
{
    SCT_TRY(
        sct_grow((void **)&w->entry, &w->cap, (uint64_t)w->n + 1, sizeof *w->entry, w->err));
    char *copy = sct_arena_strdup(&w->m->arena, canon);
    if (!copy)
        return sct_nomem(w->err);
    w->entry[w->n++] = (struct entry){copy, rule, {source, slice}, part};
    return SCT_OK;
}

/* Stage and block of a canonical tensor that belongs to one; false when there is no such
 * block in any model. */
static bool place(const struct sct_name_match *m, uint32_t *stage, uint32_t *block)
{
    *stage = m->n_number > 1 ? m->number[0] : 0;
    *block = m->n_number ? m->number[m->n_number - 1] : 0;
    return *stage < SCT_DIALECT_STAGES && *block < SCT_DIALECT_BLOCKS;
}

static sct_status add_found(struct work *w, uint32_t i, const char *name,
                            const struct sct_dialect_found *f)
{
    const struct sct_named *t = &w->t[i];
    struct sct_layout l;
    char canon[SCT_NAME_MAX];
    if (!f->rule)
        return add(w, name, NULL, i, 0, 0);
    if (!sct_layout_parse(&l, f->rule->layout) || !l.slice)
        return sct_name_write(f->rule->canon, &f->match, true, canon)
                   ? add(w, canon, f->rule, i, 0, f->match.part)
                   : problem(w, "tensor %.200s: its number is impossible", t->name);
    struct sct_name_match m = f->match;
    if (t->nd == 0 || t->dim[0] > SCT_DIALECT_BLOCKS)
        return problem(w, "tensor %.200s: expected at most %d blocks along its first axis",
                       t->name, SCT_DIALECT_BLOCKS);
    m.n_number = 1;
    for (m.number[0] = 0; m.number[0] < t->dim[0]; m.number[0]++)
        if (sct_name_write(f->rule->canon, &m, true, canon))
            SCT_TRY(add(w, canon, f->rule, i, m.number[0], m.part));
    return SCT_OK;
}

/* Why a name that the dialect does not know may be left out, or NULL. */
static const char *reason(struct work *w, const char *full, const char *name)
{
    const struct sct_dialect_ignore *row = sct_dialect_ignored(w->m->dialect, full);
    if (row) {
        w->drop_head = w->drop_head || (row->head && name);
        return row->why;
    }
    for (uint32_t i = 1; i < w->choice.n_wrapper; i++) {
        const struct sct_wrapper_use *u = &w->choice.wrapper[i];
        if (i != w->choice.at && u->model && !name && strncmp(full, u->s, u->n) == 0)
            return "another copy of the model";
    }
    return NULL;
}

/* The first one says what to do; the rest are listed. */
static sct_status unknown(struct work *w, const char *full)
{
    const bool first = !w->stranger;
    w->stranger = true;
    if (!first)
        return problem(w, "tensor %.200s is not known", full);
    return problem(
        w,
        "tensor %.200s is not known: a %s in the names of %s (%s) has no such tensor; "
        "remove it from the file, or rename it",
        full, sct_arch_name(w->m->dialect->arch), w->m->dialect->flavour, w->m->dialect->what);
}

static sct_status read_names(struct work *w)
{
    const struct sct_wrapper_use *u = &w->choice.wrapper[w->choice.at];
    for (uint32_t i = 0; i < w->m->n_use; i++) {
        const char *full = w->t[i].name;
        const char *name = strncmp(full, u->s, u->n) == 0 ? full + u->n : NULL;
        struct sct_dialect_found f;
        w->m->use[i] = (struct sct_dialect_use){UINT32_MAX, NULL};
        if (name && sct_dialect_read(w->m->dialect, name, &f)) {
            SCT_TRY(add_found(w, i, name, &f));
            continue;
        }
        w->m->use[i].why = reason(w, full, name);
        if (!w->m->use[i].why)
            SCT_TRY(unknown(w, full));
    }
    return SCT_OK;
}

/* A head that is meant for other features than those of the backbone. */
static void drop_head(struct work *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        if (sct_name_is_head(w->entry[i].canon))
            w->m->use[w->entry[i].where.source].why = "a head behind a layer that is left out";
        else
            w->entry[n++] = w->entry[i];
    }
    w->n = n;
}

/* ---- canonical tensors ---- */

static int by_canon(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const int order = strcmp(x->canon, y->canon);
    if (order)
        return order;
    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return x->where.source < y->where.source ? -1 : x->where.source > y->where.source;
}

static void shape_text(const struct sct_named *t, char *buf, size_t size)
{
    size_t n = 0;
    buf[0] = 0;
    for (uint32_t k = 0; k < t->nd && n + 24 < size; k++)
        n += (size_t)snprintf(buf + n, size - n, "%s%llu", k ? ", " : "",
                              (unsigned long long)t->dim[k]);
}

/* Shape of the tensor that all n parts make. */
static sct_status assemble(struct work *w, struct sct_canon *c, const struct entry *e,
                           uint32_t n)
{
    char text[160];
    uint64_t rows = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct sct_named *t = &w->t[e[i].where.source];
        uint32_t dim[SCT_LAYOUT_AXES] = {0};
        const uint32_t nd = sct_layout_shape(&c->layout, t->dim, t->nd, dim);
        shape_text(t, text, sizeof text);
        if (!nd)
            return problem(w, "tensor %.200s: expected %s, found shape [%s]", t->name,
                           c->layout_text ? c->layout_text : "1 to 5 dimensions", text);
        const size_t inner = (nd - 1) * sizeof *dim;
        if (i && (nd != c->desc.nd || memcmp(dim + 1, c->desc.dim + 1, inner) != 0))
            return problem(w, "tensor %.200s: its shape [%s] does not go with %.200s", t->name,
                           text, w->t[e[0].where.source].name);
        rows += dim[0];
        c->desc = sct_desc_make(SCT_F32, nd, dim);
        c->part[i] = e[i].where;
    }
    if (rows > UINT32_MAX)
        return problem(w, "tensor %.200s: too many rows", c->name);
    c->desc.dim[0] = (uint32_t)rows;
    c->bad = false;
    return SCT_OK;
}

/* n entries of one canonical name. */
static sct_status group(struct work *w, const struct entry *e, uint32_t n)
{
    struct sct_dialect_map *m = w->m;
    struct sct_canon *c = &m->canon[m->n_canon];
    *c = (struct sct_canon){.name = e->canon, .bad = true};
    c->row = sct_canon_row(m->dialect->arch, c->name, &c->match);
    c->n_part = e->rule ? sct_name_parts(e->rule->source) : 1;
    (void)sct_layout_parse(&c->layout, e->rule ? e->rule->layout : NULL);
    c->layout_text = e->rule && strcmp(e->rule->layout ? e->rule->layout : "", "d>d") != 0
                         ? e->rule->layout
                         : NULL;
    for (uint32_t i = 0; i < n; i++)
        if (m->use[e[i].where.source].canon > m->n_canon)
            m->use[e[i].where.source].canon = m->n_canon;
    m->n_canon++;
    uint32_t stage, block;
    if (!c->row || !place(&c->match, &stage, &block))
        return problem(w, "tensor %.200s: expected at most %d stages of at most %d blocks",
                       w->t[e->where.source].name, SCT_DIALECT_STAGES, SCT_DIALECT_BLOCKS);
    for (uint32_t i = 0; i < n; i++) {
        if (i && (e[i].part == e[i - 1].part || e[i].rule != e->rule))
            return problem(w, "tensor %.150s is there twice: %.150s and %.150s", c->name,
                           w->t[e[i - 1].where.source].name, w->t[e[i].where.source].name);
        if (e[i].part != i)
            break;
        if (i + 1 == c->n_part && i + 1 == n)
            return assemble(w, c, e, n);
    }
    uint32_t have = 0;
    while (have < n && e[have].part == have)
        have++;
    char name[SCT_NAME_MAX];
    struct sct_dialect_name dn;
    const bool known = sct_dialect_name(m->dialect, c->name, &dn) &&
                       sct_dialect_part(&dn, c->name, have, false, name);
    return problem(w, "tensor %.200s: its part %.200s is missing", c->name,
                   known ? name : "another");
}

static sct_status make_canon(struct work *w)
{
    struct sct_dialect_map *m = w->m;
    if (w->n)
        qsort(w->entry, w->n, sizeof *w->entry, by_canon);
    m->canon = sct_arena_alloc(&m->arena, (w->n ? w->n : 1) * sizeof *m->canon);
    if (!m->canon)
        return sct_nomem(w->err);
    for (uint32_t i = 0, n; i < w->n; i += n) {
        for (n = 1; i + n < w->n && strcmp(w->entry[i + n].canon, w->entry[i].canon) == 0;)
            n++;
        SCT_TRY(group(w, w->entry + i, n));
    }
    return SCT_OK;
}

/* ---- what must be there ---- */

static void count_blocks(struct sct_dialect_map *m)
{
    for (uint32_t i = 0; i < m->n_canon; i++) {
        const struct sct_canon *c = &m->canon[i];
        uint32_t stage, block;
        if (!c->row || c->row->need != SCT_CANON_BLOCK || !place(&c->match, &stage, &block))
            continue;
        if (stage >= m->stages)
            m->stages = stage + 1;
        if (block >= m->depth[stage])
            m->depth[stage] = block + 1;
    }
}

static sct_status expect(struct work *w, const struct sct_canon_name *row, uint32_t stage,
                         uint32_t block)
{
    struct sct_name_match m = {.part = 0};
    const uint32_t numbers = sct_name_numbers(row->name);
    char name[SCT_NAME_MAX], source[SCT_NAME_MAX];
    m.n_number = numbers;
    if (numbers) {
        m.number[0] = stage;
        m.number[numbers - 1] = row->need == SCT_CANON_LATER ? stage : block;
    }
    for (uint32_t i = 0; i < sct_name_choices(row->name); i++) {
        struct sct_dialect_name dn;
        sct_name_choose(row->name, i, &m);
        if (!sct_name_write(row->name, &m, true, name) || sct_dialect_canon(w->m, name))
            continue;
        if (sct_dialect_name(w->m->dialect, name, &dn) && dn.rule &&
            sct_dialect_part(&dn, name, 0, false, source))
            SCT_TRY(problem(w, "tensor %s is missing (%s in this dialect)", name, source));
        else
            SCT_TRY(problem(w, "tensor %s is missing", name));
    }
    return SCT_OK;
}

static bool any_of(const struct sct_dialect_map *m, const struct sct_canon_name *row)
{
    for (uint32_t i = 0; i < m->n_canon; i++)
        if (m->canon[i].row == row)
            return true;
    return false;
}

static sct_status expect_all(struct work *w)
{
    const struct sct_dialect_map *m = w->m;
    for (const struct sct_canon_name *r = sct_canon_names[m->dialect->arch]; r->name; r++) {
        const bool every =
            r->need == SCT_CANON_BLOCK || (r->need == SCT_CANON_ALIKE && any_of(m, r));
        if (r->need == SCT_CANON_ONCE)
            SCT_TRY(expect(w, r, 0, 0));
        for (uint32_t s = 0; s < m->stages; s++) {
            if (r->need == SCT_CANON_LATER && s > 0)
                SCT_TRY(expect(w, r, s, 0));
            for (uint32_t b = 0; every && b < m->depth[s]; b++)
                SCT_TRY(expect(w, r, s, b));
        }
    }
    for (uint32_t s = 0; s < m->stages; s++)
        if (!m->depth[s])
            SCT_TRY(problem(w, "stage %u has no blocks", s));
    return SCT_OK;
}

/* ---- no dialect ---- */

/* Up to three names that the nearest dialect does not know. */
static void strangers(const struct work *w, struct sct_str *s)
{
    const struct sct_dialect_choice *c = &w->choice;
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->m->n_use && n < 3; i++) {
        const char *full = w->t[i].name;
        struct sct_dialect_found f;
        const bool inside = strncmp(full, c->wrapper[c->at].s, c->wrapper[c->at].n) == 0;
        if (!inside || !sct_dialect_read(c->near, full + c->wrapper[c->at].n, &f))
            sct_str_add(s, "%s %.100s", n++ ? "," : "", full);
    }
}

static sct_status no_dialect(struct work *w)
{
    const struct sct_dialect_choice *c = &w->choice;
    const uint32_t n = w->m->n_use;
    for (uint32_t i = 0; i < n; i++)
        w->m->use[i] = (struct sct_dialect_use){UINT32_MAX, NULL};
    if (!c->near)
        return problem(w,
                       "no dialect knows any of its %u tensors (the first is %.200s); is it a "
                       "vision transformer?",
                       n, n ? w->t[0].name : "none");
    struct sct_str s = {0};
    for (int i = 0; i < 3 && c->near->has[i]; i++)
        sct_str_add(&s, "%s %s", i ? "," : "", c->near->has[i]);
    sct_str_add(&s, " (# is a number), not known are:");
    strangers(w, &s);
    char *text = sct_str_take(&s);
    if (!text)
        return sct_nomem(w->err);
    const sct_status rc = problem(
        w,
        "its names are of no dialect; closest is %s %s (%s), which knows %u of %u; expected%s",
        c->near->flavour, sct_arch_name(c->near->arch), c->near->what, c->known, n, text);
    sct_free(text);
    return rc;
}

/* ---- */

static sct_status map_all(struct work *w)
{
    struct sct_dialect_map *m = w->m;
    m->use = sct_arena_alloc(&m->arena, (m->n_use ? m->n_use : 1) * sizeof *m->use);
    if (!m->use)
        return sct_nomem(w->err);
    sct_dialect_choose(w->t, m->n_use, &w->choice);
    if (!w->choice.dialect)
        return no_dialect(w);
    const struct sct_wrapper_use *u = &w->choice.wrapper[w->choice.at];
    m->dialect = w->choice.dialect;
    m->wrapper = sct_arena_printf(&m->arena, "%.*s", (int)u->n, u->s);
    if (!m->wrapper)
        return sct_nomem(w->err);
    SCT_TRY(read_names(w));
    if (w->drop_head)
        drop_head(w);
    SCT_TRY(make_canon(w));
    count_blocks(m);
    return expect_all(w);
}

sct_status sct_dialect_map(struct sct_dialect_map **out, const struct sct_named *t, uint32_t n,
                           sct_error *err)
{
    struct work w = {.m = sct_calloc(1, sizeof *w.m), .t = t, .err = err};
    *out = NULL;
    if (!w.m)
        return sct_nomem(err);
    w.m->n_use = n;
    w.m->wrapper = "";
    const sct_status rc = map_all(&w);
    sct_free(w.entry);
    if (rc == SCT_OK)
        *out = w.m;
    else
        sct_dialect_map_destroy(&w.m);
    return rc;
}

void sct_dialect_map_destroy(struct sct_dialect_map **m)
{
    if (!*m)
        return;
    sct_arena_free(&(*m)->arena);
    sct_free(*m);
    *m = NULL;
}

const struct sct_canon *sct_dialect_canon(const struct sct_dialect_map *m, const char *name)
{
    uint32_t lo = 0, hi = m->n_canon;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const int order = strcmp(name, m->canon[mid].name);
        if (order == 0)
            return &m->canon[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

sct_status sct_dialect_check(const struct sct_dialect_map *m, const char *origin,
                             sct_error *err)
{
    enum { FIRST = 10 };

    if (!m->n_problem)
        return SCT_OK;
    struct sct_str s = {0};
    for (uint32_t i = 0; i < m->n_problem && i < FIRST; i++)
        sct_str_add(&s, "%s%s", i ? "; " : "", m->problem[i]);
    char *text = sct_str_take(&s);
    if (!text)
        return sct_nomem(err);
    const uint32_t all = m->n_problem + m->n_more;
    const sct_status rc =
        all == 1 ? sct_fail(err, SCT_EFILE, "%s: %s", origin, text)
                 : sct_fail(err, SCT_EFILE, "%s: %u problems (sctrun inspect lists them): %s",
                            origin, all, text);
    sct_free(text);
    return rc;
}
