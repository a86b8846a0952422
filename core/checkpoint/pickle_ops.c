/* SPDX-License-Identifier: MIT
 * pickle_ops.c - what each opcode of a pickle does: to the stack, to the memo, to the tree. It
 * never calls what a pickle names. Opcodes and their meaning: CPython's Lib/pickletools.py.
 * Invariant: numbers on the stack and in the memo are those of nodes. */
#include "core/checkpoint/pickle_impl.h"

#include "core/base/mem.h"

#include <string.h>

static sct_status fail(struct sct_pickle_vm *m, const char *why)
{
    return sct_fail(m->err, SCT_EFILE, "%s: byte %zu: %s: %s", m->what, m->op_at, m->op, why);
}

static sct_status too_much(struct sct_pickle_vm *m, const char *what, uint32_t limit)
{
    return sct_fail(m->err, SCT_EFILE,
                    "%s: byte %zu: more than %u %s; no weight file needs so "
                    "many",
                    m->what, m->op_at, limit, what);
}

sct_status sct_pickle_new_node(struct sct_pickle_vm *m, const struct sct_pickle_node *x,
                               uint32_t *at)
{
    struct sct_pickle *p = m->p;
    if (p->n_node >= SCT_PICKLE_MAX_NODES)
        return too_much(m, "objects", SCT_PICKLE_MAX_NODES);
    SCT_TRY(
        sct_grow((void **)&p->node, &p->cap_node, (uint64_t)p->n_node + 1, sizeof *x, m->err));
    p->node[p->n_node] = *x;
    *at = p->n_node++;
    return SCT_OK;
}

static sct_status new_obj(struct sct_pickle_vm *m, enum sct_pickle_kind kind, uint32_t fn,
                          uint32_t args, uint32_t *at)
{
    const uint32_t nil = SCT_PICKLE_NIL;
    const struct sct_pickle_node x = {kind, {.obj = {fn, args, nil, nil, nil, 0}}};
    return sct_pickle_new_node(m, &x, at);
}

static sct_status add_cell(struct sct_pickle_vm *m, uint32_t node, uint32_t key, uint32_t value)
{
    struct sct_pickle *p = m->p;
    if (p->n_cell >= SCT_PICKLE_MAX_CELLS)
        return too_much(m, "items", SCT_PICKLE_MAX_CELLS);
    SCT_TRY(sct_grow((void **)&p->cell, &p->cap_cell, (uint64_t)p->n_cell + 1, sizeof *p->cell,
                     m->err));
    struct sct_pickle_obj *o = &p->node[node].u.obj;
    p->cell[p->n_cell] = (struct sct_pickle_cell){key, value, SCT_PICKLE_NIL};
    if (o->tail == SCT_PICKLE_NIL)
        o->head = p->n_cell;
    else
        p->cell[o->tail].next = p->n_cell;
    o->tail = p->n_cell++;
    o->n++;
    return SCT_OK;
}

static sct_status push(struct sct_pickle_vm *m, uint32_t node)
{
    if (m->n_stack >= SCT_PICKLE_MAX_STACK)
        return too_much(m, "values on the stack", SCT_PICKLE_MAX_STACK);
    SCT_TRY(sct_grow((void **)&m->stack, &m->cap_stack, (uint64_t)m->n_stack + 1,
                     sizeof *m->stack, m->err));
    m->stack[m->n_stack++] = node;
    return SCT_OK;
}

static sct_status push_node(struct sct_pickle_vm *m, const struct sct_pickle_node *x)
{
    uint32_t at;
    SCT_TRY(sct_pickle_new_node(m, x, &at));
    return push(m, at);
}

/* Values above the latest mark; nothing below it may be taken. */
static uint32_t in_reach(const struct sct_pickle_vm *m)
{
    return m->n_stack - (m->n_mark ? m->mark[m->n_mark - 1] : 0);
}

static sct_status need(struct sct_pickle_vm *m, uint32_t n)
{
    return in_reach(m) >= n ? SCT_OK : fail(m, "the stack has too few values");
}

static uint32_t pop(struct sct_pickle_vm *m)
{
    return m->stack[--m->n_stack];
}

static uint32_t top(const struct sct_pickle_vm *m)
{
    return m->stack[m->n_stack - 1];
}

/* Ends the latest mark: its values are the stack from *from on. `below` values must lie under
 * it. */
static sct_status pop_mark(struct sct_pickle_vm *m, uint32_t below, uint32_t *from)
{
    if (m->n_mark == 0)
        return fail(m, "without a mark");
    *from = m->mark[--m->n_mark];
    const uint32_t floor = m->n_mark ? m->mark[m->n_mark - 1] : 0;
    return *from - floor >= below ? SCT_OK : fail(m, "the stack has too few values");
}

static sct_status do_proto(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    return a->u >= 2 && a->u <= 5 ? SCT_OK : fail(m, "expected protocol 2 to 5");
}

static sct_status do_frame(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    return a->u <= m->size - m->at ? SCT_OK : fail(m, "the frame is longer than what follows");
}

static sct_status do_stop(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    if (m->n_mark || m->n_stack != 1)
        return fail(m, "expected one value on the stack");
    m->p->root = pop(m);
    m->done = true;
    return SCT_OK;
}

static sct_status do_mark(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    if (m->n_mark >= SCT_PICKLE_MAX_STACK)
        return too_much(m, "marks", SCT_PICKLE_MAX_STACK);
    SCT_TRY(sct_grow((void **)&m->mark, &m->cap_mark, (uint64_t)m->n_mark + 1, sizeof *m->mark,
                     m->err));
    m->mark[m->n_mark++] = m->n_stack;
    return SCT_OK;
}

static sct_status do_pop(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    SCT_TRY(need(m, 1));
    m->n_stack--;
    return SCT_OK;
}

static sct_status do_pop_mark(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    return pop_mark(m, 0, &m->n_stack);
}

static sct_status do_dup(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    SCT_TRY(need(m, 1));
    return push(m, top(m));
}

static sct_status do_none(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    return push(m, SCT_PICKLE_NODE_NONE);
}

static sct_status do_true(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    return push(m, SCT_PICKLE_NODE_TRUE);
}

static sct_status do_false(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    return push(m, SCT_PICKLE_NODE_FALSE);
}

static sct_status do_int(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    int64_t v;
    memcpy(&v, &a->u, sizeof v);
    return push_node(m, &(struct sct_pickle_node){SCT_PICKLE_INT, {.i = v}});
}

/* Two's complement of any length, little-endian; no bytes are 0. */
static sct_status do_long(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    const struct sct_pickle_text t = a->text[0];
    if (t.n > 8)
        return push_node(m, &(struct sct_pickle_node){SCT_PICKLE_LONG, {.text = t}});
    const bool negative = t.n && (unsigned char)t.s[t.n - 1] & 0x80;
    struct sct_pickle_arg v = {.u = negative ? UINT64_MAX : 0};
    for (uint32_t i = t.n; i-- > 0;)
        v.u = v.u << 8 | (unsigned char)t.s[i];
    return do_int(m, &v);
}

static sct_status do_float(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    return push_node(m, &(struct sct_pickle_node){SCT_PICKLE_FLOAT, {.f = a->f}});
}

static sct_status do_str(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    return push_node(m, &(struct sct_pickle_node){SCT_PICKLE_STR, {.text = a->text[0]}});
}

static sct_status do_bytes(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    return push_node(m, &(struct sct_pickle_node){SCT_PICKLE_BYTES, {.text = a->text[0]}});
}

static sct_status push_obj(struct sct_pickle_vm *m, enum sct_pickle_kind kind)
{
    uint32_t at;
    SCT_TRY(new_obj(m, kind, SCT_PICKLE_NIL, SCT_PICKLE_NIL, &at));
    return push(m, at);
}

static sct_status do_dict(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    return push_obj(m, SCT_PICKLE_DICT);
}

static sct_status do_list(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    return push_obj(m, SCT_PICKLE_LIST);
}

static sct_status do_set(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    return push_obj(m, SCT_PICKLE_SET);
}

/* A new collection of the stack from `from` on takes the place of that. */
static sct_status collect(struct sct_pickle_vm *m, enum sct_pickle_kind kind, uint32_t from)
{
    uint32_t at;
    SCT_TRY(new_obj(m, kind, SCT_PICKLE_NIL, SCT_PICKLE_NIL, &at));
    for (uint32_t i = from; i < m->n_stack; i++)
        SCT_TRY(add_cell(m, at, SCT_PICKLE_NIL, m->stack[i]));
    m->n_stack = from;
    return push(m, at);
}

static sct_status do_tuple_n(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    SCT_TRY(need(m, (uint32_t)a->u));
    return collect(m, SCT_PICKLE_TUPLE, m->n_stack - (uint32_t)a->u);
}

static sct_status do_tuple(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    uint32_t from;
    (void)a;
    SCT_TRY(pop_mark(m, 0, &from));
    return collect(m, SCT_PICKLE_TUPLE, from);
}

static sct_status do_frozenset(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    uint32_t from;
    (void)a;
    SCT_TRY(pop_mark(m, 0, &from));
    return collect(m, SCT_PICKLE_SET, from);
}

/* The node under the values from `from` on, into which they go. */
static sct_status target(struct sct_pickle_vm *m, uint32_t from, enum sct_pickle_kind kind,
                         uint32_t *node)
{
    *node = m->stack[from - 1];
    const uint32_t found = m->p->node[*node].kind;
    return found == kind || found == SCT_PICKLE_CALL ? SCT_OK
                                                     : fail(m, "on a value of another kind");
}

/* A list, a set or an object gets the values from `from` on. */
static sct_status append(struct sct_pickle_vm *m, uint32_t from, enum sct_pickle_kind kind)
{
    uint32_t node;
    SCT_TRY(target(m, from, kind, &node));
    for (uint32_t i = from; i < m->n_stack; i++)
        SCT_TRY(add_cell(m, node, SCT_PICKLE_NIL, m->stack[i]));
    m->n_stack = from;
    return SCT_OK;
}

/* A dict or an object gets the pairs from `from` on. */
static sct_status set_items(struct sct_pickle_vm *m, uint32_t from)
{
    uint32_t node;
    SCT_TRY(target(m, from, SCT_PICKLE_DICT, &node));
    if ((m->n_stack - from) % 2)
        return fail(m, "a key without a value");
    for (uint32_t i = from; i < m->n_stack; i += 2)
        SCT_TRY(add_cell(m, node, m->stack[i], m->stack[i + 1]));
    m->n_stack = from;
    return SCT_OK;
}

static sct_status do_append(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    SCT_TRY(need(m, 2));
    return append(m, m->n_stack - 1, SCT_PICKLE_LIST);
}

static sct_status do_appends(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    uint32_t from;
    (void)a;
    SCT_TRY(pop_mark(m, 1, &from));
    return append(m, from, SCT_PICKLE_LIST);
}

static sct_status do_add_items(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    uint32_t from;
    (void)a;
    SCT_TRY(pop_mark(m, 1, &from));
    return append(m, from, SCT_PICKLE_SET);
}

static sct_status do_set_item(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    SCT_TRY(need(m, 3));
    return set_items(m, m->n_stack - 2);
}

static sct_status do_set_items(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    uint32_t from;
    (void)a;
    SCT_TRY(pop_mark(m, 1, &from));
    return set_items(m, from);
}

static sct_status push_global(struct sct_pickle_vm *m, struct sct_pickle_text module,
                              struct sct_pickle_text name)
{
    const struct sct_pickle_node x = {SCT_PICKLE_GLOBAL,
                                      {.global = {module.s, name.s, module.n, name.n}}};
    return push_node(m, &x);
}

static sct_status do_global(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    return push_global(m, a->text[0], a->text[1]);
}

static sct_status do_stack_global(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    SCT_TRY(need(m, 2));
    const struct sct_pickle_node *name = &m->p->node[pop(m)], *module = &m->p->node[pop(m)];
    if (name->kind != SCT_PICKLE_STR || module->kind != SCT_PICKLE_STR)
        return fail(m, "expected two strings");
    return push_global(m, module->u.text, name->u.text);
}

/* fn(args); with a third value below, of keywords, which nobody here asks for. */
static sct_status do_call(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    const uint32_t n = (uint32_t)a->u;
    uint32_t at;
    SCT_TRY(need(m, n));
    m->n_stack -= n - 2;
    const uint32_t args = pop(m), fn = pop(m);
    SCT_TRY(new_obj(m, SCT_PICKLE_CALL, fn, args, &at));
    return push(m, at);
}

static sct_status do_build(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    SCT_TRY(need(m, 2));
    const uint32_t state = pop(m);
    struct sct_pickle_node *x = &m->p->node[top(m)];
    if (x->kind != SCT_PICKLE_CALL)
        return fail(m, "on a value of another kind");
    x->u.obj.state = state;
    return SCT_OK;
}

static sct_status do_persid(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    uint32_t at;
    (void)a;
    SCT_TRY(need(m, 1));
    SCT_TRY(new_obj(m, SCT_PICKLE_PERSID, SCT_PICKLE_NIL, pop(m), &at));
    return push(m, at);
}

static sct_status do_put(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    SCT_TRY(need(m, 1));
    if (a->u >= SCT_PICKLE_MAX_MEMO)
        return too_much(m, "remembered values", SCT_PICKLE_MAX_MEMO);
    SCT_TRY(sct_grow((void **)&m->memo, &m->cap_memo, a->u + 1, sizeof *m->memo, m->err));
    while (m->n_memo <= a->u)
        m->memo[m->n_memo++] = SCT_PICKLE_NIL;
    m->memo[a->u] = top(m);
    return SCT_OK;
}

static sct_status do_memoize(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    (void)a;
    return do_put(m, &(struct sct_pickle_arg){.u = m->n_memo});
}

static sct_status do_get(struct sct_pickle_vm *m, const struct sct_pickle_arg *a)
{
    if (a->u >= m->n_memo || m->memo[a->u] == SCT_PICKLE_NIL)
        return fail(m, "nothing was remembered under that number");
    return push(m, m->memo[a->u]);
}

/* By code; what picklers of protocol 2 and above write. Text opcodes of protocol 0, classes of
 * Python 2 and the extension registry are not among them. */
const struct sct_pickle_op sct_pickle_ops[256] = {
    [0x80] = {"PROTO", do_proto, SCT_ARG_U1, 0},
    [0x95] = {"FRAME", do_frame, SCT_ARG_U8, 0},
    ['.'] = {"STOP", do_stop, SCT_ARG_NONE, 0},
    ['('] = {"MARK", do_mark, SCT_ARG_NONE, 0},
    ['0'] = {"POP", do_pop, SCT_ARG_NONE, 0},
    ['1'] = {"POP_MARK", do_pop_mark, SCT_ARG_NONE, 0},
    ['2'] = {"DUP", do_dup, SCT_ARG_NONE, 0},
    ['N'] = {"NONE", do_none, SCT_ARG_NONE, 0},
    [0x88] = {"NEWTRUE", do_true, SCT_ARG_NONE, 0},
    [0x89] = {"NEWFALSE", do_false, SCT_ARG_NONE, 0},
    ['J'] = {"BININT", do_int, SCT_ARG_S4, 0},
    ['K'] = {"BININT1", do_int, SCT_ARG_U1, 0},
    ['M'] = {"BININT2", do_int, SCT_ARG_U2, 0},
    [0x8a] = {"LONG1", do_long, SCT_ARG_BYTES1, 0},
    [0x8b] = {"LONG4", do_long, SCT_ARG_BYTES4, 0},
    ['G'] = {"BINFLOAT", do_float, SCT_ARG_DOUBLE, 0},
    ['X'] = {"BINUNICODE", do_str, SCT_ARG_BYTES4, 0},
    [0x8c] = {"SHORT_BINUNICODE", do_str, SCT_ARG_BYTES1, 0},
    [0x8d] = {"BINUNICODE8", do_str, SCT_ARG_BYTES8, 0},
    ['U'] = {"SHORT_BINSTRING", do_str, SCT_ARG_BYTES1, 0},
    ['T'] = {"BINSTRING", do_str, SCT_ARG_BYTES4, 0},
    ['C'] = {"SHORT_BINBYTES", do_bytes, SCT_ARG_BYTES1, 0},
    ['B'] = {"BINBYTES", do_bytes, SCT_ARG_BYTES4, 0},
    [0x8e] = {"BINBYTES8", do_bytes, SCT_ARG_BYTES8, 0},
    [0x96] = {"BYTEARRAY8", do_bytes, SCT_ARG_BYTES8, 0},
    ['}'] = {"EMPTY_DICT", do_dict, SCT_ARG_NONE, 0},
    [']'] = {"EMPTY_LIST", do_list, SCT_ARG_NONE, 0},
    [0x8f] = {"EMPTY_SET", do_set, SCT_ARG_NONE, 0},
    [')'] = {"EMPTY_TUPLE", do_tuple_n, SCT_ARG_NONE, 0},
    [0x85] = {"TUPLE1", do_tuple_n, SCT_ARG_NONE, 1},
    [0x86] = {"TUPLE2", do_tuple_n, SCT_ARG_NONE, 2},
    [0x87] = {"TUPLE3", do_tuple_n, SCT_ARG_NONE, 3},
    ['t'] = {"TUPLE", do_tuple, SCT_ARG_NONE, 0},
    [0x91] = {"FROZENSET", do_frozenset, SCT_ARG_NONE, 0},
    ['a'] = {"APPEND", do_append, SCT_ARG_NONE, 0},
    ['e'] = {"APPENDS", do_appends, SCT_ARG_NONE, 0},
    [0x90] = {"ADDITEMS", do_add_items, SCT_ARG_NONE, 0},
    ['s'] = {"SETITEM", do_set_item, SCT_ARG_NONE, 0},
    ['u'] = {"SETITEMS", do_set_items, SCT_ARG_NONE, 0},
    ['c'] = {"GLOBAL", do_global, SCT_ARG_LINES, 0},
    [0x93] = {"STACK_GLOBAL", do_stack_global, SCT_ARG_NONE, 0},
    ['R'] = {"REDUCE", do_call, SCT_ARG_NONE, 2},
    [0x81] = {"NEWOBJ", do_call, SCT_ARG_NONE, 2},
    [0x92] = {"NEWOBJ_EX", do_call, SCT_ARG_NONE, 3},
    ['b'] = {"BUILD", do_build, SCT_ARG_NONE, 0},
    ['Q'] = {"BINPERSID", do_persid, SCT_ARG_NONE, 0},
    ['q'] = {"BINPUT", do_put, SCT_ARG_U1, 0},
    ['r'] = {"LONG_BINPUT", do_put, SCT_ARG_U4, 0},
    [0x94] = {"MEMOIZE", do_memoize, SCT_ARG_NONE, 0},
    ['h'] = {"BINGET", do_get, SCT_ARG_U1, 0},
    ['j'] = {"LONG_BINGET", do_get, SCT_ARG_U4, 0},
};
