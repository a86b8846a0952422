/* SPDX-License-Identifier: MIT
 * dump.c - a plan as text, as far as its passes went. */
#include "core/base/str.h"
#include "core/plan/plan.h"

static const char *const seg[] = {"setup", "prologue", "body", "epilogue"};
static const char *const scope[] = {"const", "persist", "step", "lane", "batch", "slots"};

static void segments(struct sct_str *s, const struct sct_plan *p)
{
    char d[96];
    for (uint32_t k = 0; k < SCT_SEG_COUNT; k++) {
        sct_str_add(s, "segment %s\n", seg[k]);
        for (uint32_t i = 0; i < p->n_order[k]; i++) {
            const uint32_t n = p->order[k][i];
            const struct sct_gnode *node = &p->g->node[n];
            sct_str_add(s, "  ");
            for (uint32_t o = 0; o < node->n_out; o++) {
                const struct sct_pvalue *v = &p->val[node->out[o]], *r = &p->val[v->root];
                sct_str_add(s, "%s%%%u:%s@%s+%llu%s", o ? ", " : "", node->out[o],
                            sct_desc_text(&p->g->value[node->out[o]].desc, d, sizeof d),
                            scope[r->scope], (unsigned long long)r->place.off,
                            v->root != node->out[o] ? "=" : "");
                if (r->first <= r->last && (r->scope == SCT_LANE || r->scope == SCT_STEP))
                    sct_str_add(s, "[%u..%u]", r->first, r->last);
            }
            sct_str_add(s, " = %s(", sct_op_info(node->op)->name);
            for (uint32_t j = 0; j < node->n_in; j++)
                sct_str_add(s, "%s%%%u", j ? ", " : "", node->in[j]);
            sct_str_add(s, ") [%s]  ; %s\n",
                        p->node[n].view ? "view"
                                        : (p->node[n].choice.row ? p->node[n].choice.row : "-"),
                        node->label);
        }
    }
}

/* Where the value of its own storage lies and when it is in use, on its scope's time line. */
static void storage(struct sct_str *s, const struct sct_plan *p, uint32_t v)
{
    const struct sct_pvalue *x = &p->val[v];
    const bool timed = x->scope == SCT_LANE || x->scope == SCT_STEP;
    const unsigned long long bytes = sct_plan_bytes(p, v);
    if (x->scope == SCT_CONST || x->scope == SCT_PERSIST)
        sct_str_add(s, "a buffer of its own, %llu bytes, always", bytes);
    else if (timed && x->first > x->last)
        sct_str_add(s, "not stored");
    else
        sct_str_add(s, "slab %u +%llu, %llu bytes", x->place.buf,
                    (unsigned long long)x->place.off, bytes);
    if (x->scope == SCT_SLOTS)
        sct_str_add(s, " x %u slots", x->slots);
    if (timed && x->first <= x->last)
        sct_str_add(s, x->last > UINT32_MAX / 4 ? ", from %u on" : ", [%u..%u]", x->first,
                    x->last);
    else if (x->scope == SCT_BATCH || x->scope == SCT_SLOTS)
        sct_str_add(s, ", always");
}

static void values(struct sct_str *s, const struct sct_plan *p)
{
    sct_str_add(s, "values\n");
    for (uint32_t v = 1; v < p->g->n_value; v++) {
        const struct sct_value *x = &p->g->value[v];
        if (x->removed)
            continue;
        sct_str_add(s, "  %%%u %s ", v, scope[p->val[v].scope]);
        if (p->val[v].root != v)
            sct_str_add(s, "in the storage of %%%u", p->val[v].root);
        else
            storage(s, p, v);
        sct_str_add(s, x->name ? "  ; %s\n" : "\n", x->name);
    }
}

/* Slabs of one scope, `copies` times, as they are numbered for the backend from `at` on. */
static void slabs(struct sct_str *s, const struct sct_slabs *m, const char *name, uint32_t at,
                  uint32_t copies)
{
    for (uint32_t c = 0; c < copies; c++)
        for (uint32_t i = 0; i < m->n; i++) {
            sct_str_add(s, "  %u %s slab %u, %llu bytes", at++, name, i,
                        (unsigned long long)m->bytes[i]);
            sct_str_add(s, copies > 1 ? ", lane %u\n" : "\n", c);
        }
}

static void buffers(struct sct_str *s, const struct sct_plan *p)
{
    sct_str_add(s, "buffers %u\n", p->n_buf);
    slabs(s, &p->lane, "lane", p->buf_base[SCT_LANE], p->shape.lanes);
    slabs(s, &p->step, "step", p->buf_base[SCT_STEP], 1);
    slabs(s, &p->batch, "batch", p->buf_base[SCT_BATCH], 1);
    slabs(s, &p->acc, "slots", p->buf_base[SCT_SLOTS], 1);
    for (uint32_t i = 0; i < p->n_store; i++) {
        const uint32_t v = p->store_val[i];
        const char *name = p->g->value[v].name;
        sct_str_add(s, "  %u %s %%%u, %llu bytes%s%s\n", p->buf_base[SCT_CONST] + i,
                    scope[p->val[v].scope], v, (unsigned long long)sct_plan_bytes(p, v),
                    name ? "  ; " : "", name ? name : "");
    }
    sct_str_add(s, "program of %u lanes, %u micro-batches of %u, %u slots\n", p->shape.lanes,
                p->n_micro, p->shape.b, p->slots);
    for (uint32_t k = 0; k < p->prog.n_seg; k++)
        sct_str_add(s, "  %s: %u kernels\n", seg[p->prog.seg[k].kind], p->prog.seg[k].n);
}

char *sct_plan_dump(const struct sct_plan *p)
{
    struct sct_str s = {0};
    if (!p->val) /* before segment there is nothing but the graph */
        return sct_graph_dump(p->g);
    segments(&s, p);
    if (p->placed)
        values(&s, p);
    if (p->prog.n_seg)
        buffers(&s, p);
    return sct_str_take(&s);
}
