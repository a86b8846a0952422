/* SPDX-License-Identifier: MIT
 * stack.c - which adapters go together, and whose value a parameter gets.
 * After a fill every tensor of every folder was used once, but for heads that are not asked
 * for. */
#include "core/adapter/stack.h"

#include <string.h>

#include "core/base/status.h"
#include "core/model/dialect.h"
#include "core/pretrained/model_io.h"

/* ---- opening ---- */

static sct_status check_model(const struct sct_stack_item *a, const struct sct_stack_item *b,
                              sct_error *err)
{
    struct sct_model_config x = a->info.model, y = b->info.model;
    char one[128], other[128];
    if (x.arch != y.arch)
        return sct_fail(err, SCT_EUSAGE,
                        "--adapter: %s is of a model of architecture %s, %s of one of %s",
                        a->dir, sct_arch_name(x.arch), b->dir, sct_arch_name(y.arch));
    x.classes = y.classes; /* the head's, which is checked apart */
    x.drop_path = y.drop_path;
    memcpy(x.head_init, y.head_init, sizeof x.head_init);
    for (const struct sct_model_key *k = NULL; (k = sct_model_key_next(k, x.arch));) {
        if (k->flags & SCT_KEY_UNSAVED)
            continue;
        (void)sct_model_key_text(k, &x, one, sizeof one);
        (void)sct_model_key_text(k, &y, other, sizeof other);
        if (strcmp(one, other) != 0)
            return sct_fail(err, SCT_EUSAGE,
                            "--adapter: %s and %s are of different models: %s is %s in the "
                            "one, %s in the other",
                            a->dir, b->dir, k->name, one, other);
    }
    return SCT_OK;
}

static sct_status check_base(const struct sct_stack_item *a, const struct sct_stack_item *b,
                             sct_error *err)
{
    SCT_TRY(check_model(a, b, err));
    if (strcmp(a->info.base_hash, b->info.base_hash) != 0)
        return sct_fail(err, SCT_EUSAGE,
                        "--adapter: %s and %s were trained on different weights: hash "
                        "%.16s... (%s) and %.16s... (%s)",
                        a->dir, b->dir, a->info.base_hash, a->info.weights, b->info.base_hash,
                        b->info.weights);
    if (a->info.interp != b->info.interp)
        return sct_fail(err, SCT_EUSAGE,
                        "--adapter: the base of %s was resized by interp %s, that of %s by %s",
                        a->dir, sct_interp_name((enum sct_interp)a->info.interp), b->dir,
                        sct_interp_name((enum sct_interp)b->info.interp));
    return SCT_OK;
}

static sct_status check_classes(const struct sct_stack_item *a, const struct sct_stack_item *b,
                                sct_error *err)
{
    static const char advice[] = "say whose head is meant: --head-from DIR";
    const char *const *x = a->info.class_names, *const *y = b->info.class_names;
    const uint32_t n = a->info.model.classes;
    if (n != b->info.model.classes)
        return sct_fail(err, SCT_EUSAGE, "--adapter: %s has %u classes, %s has %u; %s", a->dir,
                        n, b->dir, b->info.model.classes, advice);
    for (uint32_t i = 0; x && y && i < n; i++)
        if (strcmp(x[i], y[i]) != 0)
            return sct_fail(err, SCT_EUSAGE,
                            "--adapter: class %u is \"%.80s\" in %s and \"%.80s\" in %s; %s", i,
                            x[i], a->dir, y[i], b->dir, advice);
    return SCT_OK;
}

static sct_status find_head(struct sct_stack *s, const char *head_from, sct_error *err)
{
    s->head = s->n - 1;
    if (!head_from)
        return SCT_OK;
    for (s->head = 0; s->head < s->n; s->head++)
        if (strcmp(s->item[s->head].dir, head_from) == 0)
            return SCT_OK;
    return sct_fail(err, SCT_EUSAGE,
                    "--head-from: expected one of the folders of --adapter as it stands there "
                    "(%s, ...), found %s",
                    s->item[0].dir, head_from);
}

static sct_status open_all(struct sct_stack *s, struct sct_tuner *t, const char *dirs,
                           const char *head_from, sct_error *err)
{
    uint32_t n = 0;
    size_t len;
    const char *w;
    while (sct_list_at(dirs, n, &len))
        n++;
    s->item = sct_arena_alloc(&s->arena, n * sizeof *s->item);
    if (!s->item)
        return sct_nomem(err);
    for (uint32_t i = 0; i < n && (w = sct_list_at(dirs, i, &len)); i++) {
        struct sct_stack_item *x = &s->item[i];
        if (!(x->dir = sct_arena_printf(&s->arena, "%.*s", (int)len, w)))
            return sct_nomem(err);
        SCT_TRY(sct_adapter_open(&x->info, &x->parts, x->dir, err));
        s->n++;
        if (i)
            SCT_TRY(check_base(&s->item[0], x, err));
        if (i && !head_from)
            SCT_TRY(check_classes(&s->item[0], x, err));
        x->first = t->n;
        SCT_TRY(sct_adapter_parts_tune(&x->parts, &x->info.model, t, err));
    }
    t->stacked = true;
    return find_head(s, head_from, err);
}

sct_status sct_stack_open(struct sct_stack *s, struct sct_tuner *t, const char *dirs,
                          const char *head_from, sct_error *err)
{
    memset(s, 0, sizeof *s);
    memset(t, 0, sizeof *t);
    const sct_status rc = open_all(s, t, dirs, head_from, err);
    if (rc != SCT_OK) {
        sct_stack_close(s);
        sct_tuner_close(t);
    }
    return rc;
}

void sct_stack_close(struct sct_stack *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        sct_adapter_parts_fini(&s->item[i].parts);
        sct_adapter_info_fini(&s->item[i].info);
    }
    sct_arena_free(&s->arena);
    memset(s, 0, sizeof *s);
}

/* ---- use ---- */

sct_status sct_stack_load(const struct sct_stack *s, struct sct_tuner *t,
                          const struct sct_model *plain, sct_error *err)
{
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t k = 0; k < s->item[i].parts.n; k++)
            SCT_TRY(sct_strategy_load(&t->part[s->item[i].first + k].run, plain,
                                      s->item[i].parts.part[k].own, err));
    return SCT_OK;
}

/* The folder that trained a parameter of the base, the head apart. */
static sct_status who_trained(const struct sct_stack *s, const char *name, uint32_t *item,
                              sct_error *err)
{
    bool found = false;
    *item = 0; /* whose message is right when nobody has it */
    for (uint32_t i = 0; i < s->n; i++) {
        if (!sct_adapter_find(sct_adapter_parts_rest(&s->item[i].parts), name))
            continue;
        if (found)
            return sct_fail(err, SCT_EUSAGE,
                            "--adapter: %s and %s both trained %s of the base, which can have "
                            "one value only",
                            s->item[*item].dir, s->item[i].dir, name);
        found = true;
        *item = i;
    }
    return SCT_OK;
}

/* used: of every item, whether a parameter came from it. */
static sct_status fill(const struct sct_stack *s, struct sct_model *m, struct sct_param *p,
                       bool *used, sct_error *err)
{
    uint32_t i = s->head;
    const struct sct_adapter *from;
    if (p->part.number) {
        const uint32_t k = p->part.number - 1;
        i = 0;
        while (i + 1 < s->n && k >= s->item[i + 1].first)
            i++;
        from = s->item[i].parts.part[k - s->item[i].first].own;
    } else {
        if (!sct_name_is_head(p->name))
            SCT_TRY(who_trained(s, p->name, &i, err));
        from = sct_adapter_parts_rest(&s->item[i].parts);
    }
    used[i] = true;
    return sct_adapter_fill_param(from, p->given, m, p, err);
}

/* Whatever is not the head that was asked for must have found its place. */
static sct_status check_used(const struct sct_stack *s, const bool *used, sct_error *err)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct sct_adapter_parts *parts = &s->item[i].parts;
        struct sct_adapter *rest = sct_adapter_parts_rest(parts);
        if (!used[i])
            return sct_fail(err, SCT_EUSAGE,
                            "--adapter: nothing of %s is applied: it holds no more than a "
                            "head, and the head is that of %s (--head-from says otherwise)",
                            s->item[i].dir, s->item[s->head].dir);
        for (uint32_t k = 0; k < rest->n; k++)
            if (i != s->head && sct_name_is_head(rest->item[k].name))
                rest->item[k].used = true;
        SCT_TRY(sct_adapter_leftover(rest, err));
        for (uint32_t k = 0; k < parts->n; k++)
            SCT_TRY(sct_adapter_leftover(parts->part[k].own, err));
    }
    return SCT_OK;
}

sct_status sct_stack_fill(const struct sct_stack *s, struct sct_model *m, sct_error *err)
{
    bool *used = sct_calloc(s->n, sizeof *used);
    sct_status rc = used ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; i < m->n_param && rc == SCT_OK; i++)
        if (sct_param_is_stored(m->param[i]))
            rc = fill(s, m, m->param[i], used, err);
    if (rc == SCT_OK)
        rc = check_used(s, used, err);
    sct_free(used);
    return rc;
}
