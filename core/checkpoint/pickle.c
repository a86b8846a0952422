/* SPDX-License-Identifier: MIT
 * pickle.c - runs a pickle's opcodes one after the other, and looks at the tree they made. */
#include "core/checkpoint/pickle.h"

#include "core/base/mem.h"
#include "core/checkpoint/pickle_impl.h"

#include <string.h>

static sct_status cut_off(struct sct_pickle_vm *m)
{
    const bool limit = m->size == SCT_PICKLE_MAX_BYTES;
    return sct_fail(m->err, SCT_EFILE, "%s: byte %zu: %s: %s", m->what, m->op_at, m->op,
                    limit ? "the pickle is longer than 256 MiB; no weight file needs so much"
                          : "the pickle is cut off; is the download complete?");
}

static sct_status take_number(struct sct_pickle_vm *m, uint32_t bytes, uint64_t *v)
{
    if (m->size - m->at < bytes)
        return cut_off(m);
    *v = 0;
    for (uint32_t i = 0; i < bytes; i++)
        *v |= (uint64_t)m->base[m->at + i] << 8 * i;
    m->at += bytes;
    return SCT_OK;
}

static sct_status take_text(struct sct_pickle_vm *m, uint32_t length_bytes,
                            struct sct_pickle_text *t)
{
    uint64_t n = 0;
    SCT_TRY(take_number(m, length_bytes, &n));
    if (n > m->size - m->at)
        return cut_off(m);
    *t = (struct sct_pickle_text){(const char *)m->base + m->at, (uint32_t)n};
    m->at += (size_t)n;
    return SCT_OK;
}

static sct_status take_line(struct sct_pickle_vm *m, struct sct_pickle_text *t)
{
    const unsigned char *from = m->base + m->at;
    const unsigned char *end = memchr(from, '\n', m->size - m->at);
    if (!end)
        return cut_off(m);
    *t = (struct sct_pickle_text){(const char *)from, (uint32_t)(end - from)};
    m->at += t->n + 1u;
    return SCT_OK;
}

static sct_status take_double(struct sct_pickle_vm *m, double *f)
{
    uint64_t le = 0, be = 0;
    SCT_TRY(take_number(m, 8, &le));
    for (unsigned i = 0; i < 8; i++)
        be = be << 8 | (le >> 8 * i & 0xff);
    memcpy(f, &be, sizeof *f);
    return SCT_OK;
}

static sct_status take_arg(struct sct_pickle_vm *m, uint32_t kind, struct sct_pickle_arg *a)
{
    switch (kind) {
    case SCT_ARG_U1:
        return take_number(m, 1, &a->u);
    case SCT_ARG_U2:
        return take_number(m, 2, &a->u);
    case SCT_ARG_U4:
        return take_number(m, 4, &a->u);
    case SCT_ARG_S4:
        SCT_TRY(take_number(m, 4, &a->u));
        a->u |= a->u >> 31 ? UINT64_MAX << 32 : 0;
        return SCT_OK;
    case SCT_ARG_U8:
        return take_number(m, 8, &a->u);
    case SCT_ARG_DOUBLE:
        return take_double(m, &a->f);
    case SCT_ARG_BYTES1:
        return take_text(m, 1, &a->text[0]);
    case SCT_ARG_BYTES4:
        return take_text(m, 4, &a->text[0]);
    case SCT_ARG_BYTES8:
        return take_text(m, 8, &a->text[0]);
    case SCT_ARG_LINES:
        SCT_TRY(take_line(m, &a->text[0]));
        return take_line(m, &a->text[1]);
    default:
        return SCT_OK;
    }
}

static sct_status run(struct sct_pickle_vm *m)
{
    const uint32_t fixed[SCT_PICKLE_NODES_FIXED] = {SCT_PICKLE_NONE, SCT_PICKLE_BOOL,
                                                    SCT_PICKLE_BOOL};
    for (uint32_t i = 0, at; i < SCT_PICKLE_NODES_FIXED; i++)
        SCT_TRY(sct_pickle_new_node(
            m, &(struct sct_pickle_node){fixed[i], {.i = i == SCT_PICKLE_NODE_TRUE ? 1 : 0}},
            &at));
    while (!m->done) {
        m->op_at = m->at;
        m->op = "pickle";
        if (m->at >= m->size)
            return cut_off(m);
        const unsigned char code = m->base[m->at++];
        const struct sct_pickle_op *op = &sct_pickle_ops[code];
        if (!op->run)
            return sct_fail(m->err, SCT_EFILE,
                            "%s: byte %zu: opcode 0x%02x, which weight files do not have; save "
                            "the state dict again with a newer PyTorch",
                            m->what, m->op_at, code);
        struct sct_pickle_arg a = {.u = op->value};
        m->op = op->name;
        SCT_TRY(take_arg(m, op->arg, &a));
        SCT_TRY(op->run(m, &a));
    }
    m->p->used = m->at;
    return SCT_OK;
}

sct_status sct_pickle_parse(struct sct_pickle *p, const void *data, size_t n, const char *what,
                            sct_error *err)
{
    *p = (struct sct_pickle){.node = NULL};
    struct sct_pickle_vm m = {.p = p, .base = data, .size = n, .what = what, .err = err};
    if (m.size > SCT_PICKLE_MAX_BYTES)
        m.size = SCT_PICKLE_MAX_BYTES; /* elements may follow the pickle */
    const sct_status rc = run(&m);
    sct_free(m.stack);
    sct_free(m.mark);
    sct_free(m.memo);
    if (rc != SCT_OK)
        sct_pickle_fini(p);
    return rc;
}

void sct_pickle_fini(struct sct_pickle *p)
{
    sct_free(p->node);
    sct_free(p->cell);
    *p = (struct sct_pickle){.node = NULL};
}

static bool text_is(const char *s, uint32_t n, const char *word)
{
    return n == strlen(word) && memcmp(s, word, n) == 0;
}

bool sct_pickle_is_global(const struct sct_pickle *p, uint32_t node, const char *module,
                          const char *name)
{
    if (node == SCT_PICKLE_NIL || p->node[node].kind != SCT_PICKLE_GLOBAL)
        return false;
    const struct sct_pickle_global *g = &p->node[node].u.global;
    return text_is(g->module, g->module_n, module) && text_is(g->name, g->name_n, name);
}

uint32_t sct_pickle_item(const struct sct_pickle *p, uint32_t node, uint32_t k)
{
    if (node == SCT_PICKLE_NIL)
        return SCT_PICKLE_NIL;
    const struct sct_pickle_node *x = &p->node[node];
    if (x->kind < SCT_PICKLE_TUPLE || x->kind > SCT_PICKLE_SET || k >= x->u.obj.n)
        return SCT_PICKLE_NIL;
    uint32_t c = x->u.obj.head;
    while (k-- > 0)
        c = p->cell[c].next;
    return p->cell[c].value;
}

uint32_t sct_pickle_get(const struct sct_pickle *p, uint32_t node, const char *key)
{
    if (node == SCT_PICKLE_NIL || p->node[node].kind != SCT_PICKLE_DICT)
        return SCT_PICKLE_NIL;
    for (uint32_t c = p->node[node].u.obj.head; c != SCT_PICKLE_NIL; c = p->cell[c].next) {
        const struct sct_pickle_node *k = &p->node[p->cell[c].key];
        if (k->kind == SCT_PICKLE_STR && text_is(k->u.text.s, k->u.text.n, key))
            return p->cell[c].value;
    }
    return SCT_PICKLE_NIL;
}
