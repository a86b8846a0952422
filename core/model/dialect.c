/* SPDX-License-Identifier: MIT
 * dialect.c - single names: from a dialect to the canonical ones and back. */
#include "core/model/dialect_impl.h"

#include <string.h>

const char *sct_arch_name(enum sct_arch arch)
{
    static const char *const names[SCT_ARCH_COUNT] = {"vit", "swin"};
    return arch < SCT_ARCH_COUNT ? names[arch] : "?";
}

const struct sct_dialect *sct_dialect_find(enum sct_arch arch, const char *flavour)
{
    for (const struct sct_dialect *const *d = sct_dialects; *d; d++)
        if ((*d)->arch == arch && strcmp((*d)->flavour, flavour) == 0)
            return *d;
    return NULL;
}

const struct sct_canon_name *sct_canon_row(enum sct_arch arch, const char *canon,
                                           struct sct_name_match *m)
{
    for (const struct sct_canon_name *r = sct_canon_names[arch]; r->name; r++)
        if (sct_name_match(r->name, canon, m))
            return r;
    return NULL;
}

bool sct_dialect_name(const struct sct_dialect *d, const char *canon,
                      struct sct_dialect_name *n)
{
    *n = (struct sct_dialect_name){.n_part = 1};
    for (const struct sct_dialect_rule *r = d->rule; r->canon; r++) {
        if (r->alias || !sct_name_match(r->canon, canon, &n->match))
            continue;
        n->rule = r;
        n->n_part = sct_name_parts(r->source);
        return sct_layout_parse(&n->layout, r->layout);
    }
    return d->same && sct_canon_row(d->arch, canon, &n->match);
}

bool sct_dialect_part(const struct sct_dialect_name *n, const char *canon, uint32_t i,
                      bool bare, char *buf)
{
    buf[0] = 0;
    if (i >= n->n_part)
        return false;
    if (!n->rule) {
        const size_t size = strlen(canon) + 1;
        if (size <= SCT_NAME_MAX)
            memcpy(buf, canon, size);
        return size <= SCT_NAME_MAX;
    }
    struct sct_name_match m = n->match;
    m.part = i;
    return sct_name_write(n->rule->source, &m, !bare, buf);
}

bool sct_dialect_read(const struct sct_dialect *d, const char *name,
                      struct sct_dialect_found *f)
{
    f->rule = NULL;
    for (const struct sct_dialect_rule *r = d->rule; r->canon; r++)
        if (sct_name_match(r->source, name, &f->match)) {
            f->rule = r;
            return true;
        }
    struct sct_dialect_name n;
    if (!d->same || !sct_dialect_name(d, name, &n) || n.rule)
        return false;
    f->match = n.match;
    return strlen(name) < SCT_NAME_MAX;
}

size_t sct_wrapper_at(const char *name, uint32_t *rank)
{
    for (const struct sct_dialect_wrapper *w = sct_dialect_wrappers; w->prefix; w++) {
        const size_t n = strlen(w->prefix);
        if (strncmp(name, w->prefix, n) != 0)
            continue;
        if (w->rank > *rank)
            *rank = w->rank;
        return n;
    }
    return 0;
}

static const struct sct_dialect_ignore *ignored_by(const struct sct_dialect_ignore *list,
                                                   const char *name)
{
    struct sct_name_match m;
    for (; list->source; list++)
        if (sct_name_match(list->source, name, &m))
            return list;
    return NULL;
}

const struct sct_dialect_ignore *sct_dialect_ignored(const struct sct_dialect *d,
                                                     const char *name)
{
    uint32_t rank = 0;
    for (size_t n = 0;; name += n) {
        const struct sct_dialect_ignore *row = ignored_by(sct_dialect_training, name);
        if (!row)
            row = ignored_by(d->ignore, name);
        if (row || (n = sct_wrapper_at(name, &rank)) == 0)
            return row;
    }
}
