/* SPDX-License-Identifier: MIT
 * torch_state.c - finds the tensors in a PyTorch pickle: dicts and lists are walked, the shapes
 * that PyTorch gives to tensors are understood, everything else is noted and passed over.
 * The tree may share and contain itself, so depth and steps are limited; there is no
 * recursion. */
#include "core/checkpoint/torch_file.h"

#include "core/base/status.h"
#include "core/io/text.h"

#include <string.h>

enum {
    MAX_DEPTH = 64,
    MAX_STEPS = SCT_PICKLE_MAX_CELLS, /* a tree that shares nothing has no more */
};

/* A dict or a list whose items are being looked at. */
struct frame {
    uint32_t cell, index; /* the next item */
    size_t name_size;     /* of the path to it */
};

struct walk {
    struct sct_torch_file *f;
    struct frame frame[MAX_DEPTH];
    uint32_t depth, steps;
    size_t n; /* length of name */
    char name[SCT_CKPT_MAX_NAME + 1];
};

/* torch._utils functions whose first argument is the tensor itself. */
static const char *const wrappers[] = {"_rebuild_parameter", "_rebuild_parameter_with_state"};

/* torch._utils functions (storage, offset, size, stride, ...): number of the argument that
 * holds the dtype, 0 when the storage has it; of the one that holds flags of the view. */
static const struct {
    const char *name;
    uint32_t dtype, flags;
} builders[] = {
    {"_rebuild_tensor", 0, 0},
    {"_rebuild_tensor_v2", 0, 6},
    {"_rebuild_tensor_v3", 6, 7},
};

/* Classes that are dicts, filled after they were made. */
static const struct {
    const char *module, *name;
} dicts[] = {{"collections", "OrderedDict"}, {"collections", "defaultdict"}};

static const struct sct_pickle_node *at(const struct walk *w, uint32_t node)
{
    return &w->f->tree.node[node];
}

static bool calls(const struct walk *w, uint32_t node, const char *module, const char *name)
{
    return node != SCT_PICKLE_NIL && at(w, node)->kind == SCT_PICKLE_CALL &&
           sct_pickle_is_global(&w->f->tree, at(w, node)->u.obj.fn, module, name);
}

/* The tensor inside parameters; the node itself when it is none. */
static uint32_t unwrap(const struct walk *w, uint32_t node)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (calls(w, node, "torch._utils", wrappers[i])) {
            const uint32_t inner = sct_pickle_item(&w->f->tree, at(w, node)->u.obj.args, 0);
            return inner == SCT_PICKLE_NIL ? node : inner;
        }
    return node;
}

/* "argparse.Namespace" for a note; what is neither a class nor a call, by its kind. */
static void describe(const struct walk *w, uint32_t node, char *buf, size_t size)
{
    static const char *const kinds[] = {
        [SCT_PICKLE_NONE] = "None",       [SCT_PICKLE_BOOL] = "a truth value",
        [SCT_PICKLE_INT] = "a number",    [SCT_PICKLE_LONG] = "a number",
        [SCT_PICKLE_FLOAT] = "a number",  [SCT_PICKLE_STR] = "a string",
        [SCT_PICKLE_BYTES] = "bytes",     [SCT_PICKLE_TUPLE] = "a tuple",
        [SCT_PICKLE_LIST] = "a list",     [SCT_PICKLE_SET] = "a set",
        [SCT_PICKLE_DICT] = "a dict",     [SCT_PICKLE_CALL] = "an object without a name",
        [SCT_PICKLE_PERSID] = "a storage"};
    const struct sct_pickle_node *x = at(w, node);
    if (x->kind == SCT_PICKLE_CALL)
        x = at(w, x->u.obj.fn);
    const struct sct_pickle_global *g = &x->u.global;
    if (x->kind == SCT_PICKLE_GLOBAL)
        (void)snprintf(buf, size, "%.*s.%.*s", (int)(g->module_n < 80 ? g->module_n : 80),
                       g->module, (int)(g->name_n < 80 ? g->name_n : 80), g->name);
    else
        (void)snprintf(buf, size, "%s", kinds[x->kind]);
}

static sct_status pass_over(struct walk *w, uint32_t node, sct_error *err)
{
    char what[192];
    describe(w, node, what, sizeof what);
    return sct_ckpt_note(w->f->ck, err, "%.200s: %s, skipped", w->name, what);
}

/* ---- tensors ---- */

static sct_status bad_tensor(const struct walk *w, const char *expected, sct_error *err)
{
    return sct_fail(err, SCT_EFILE, "%s: tensor '%.200s': expected %s", w->f->ck->path, w->name,
                    expected);
}

/* A tuple of numbers from 0. */
static sct_status read_numbers(const struct walk *w, uint32_t node, uint64_t *v, uint32_t *n,
                               sct_error *err)
{
    const struct sct_pickle *p = &w->f->tree;
    *n = 0;
    if (node == SCT_PICKLE_NIL || at(w, node)->kind != SCT_PICKLE_TUPLE)
        return bad_tensor(w, "tuples for size and stride", err);
    for (uint32_t c = at(w, node)->u.obj.head; c != SCT_PICKLE_NIL; c = p->cell[c].next) {
        const struct sct_pickle_node *x = at(w, p->cell[c].value);
        if (*n == SCT_CKPT_MAX_DIMS)
            return bad_tensor(w, "at most 64 dimensions", err);
        if (x->kind != SCT_PICKLE_INT || x->u.i < 0)
            return bad_tensor(w, "numbers from 0 for size and stride", err);
        v[(*n)++] = (uint64_t)x->u.i;
    }
    return SCT_OK;
}

/* Views that negate or conjugate when they are read have a dict that says so. */
static bool is_plain(const struct walk *w, uint32_t flags)
{
    if (flags == SCT_PICKLE_NIL)
        return true;
    const struct sct_pickle_node *x = at(w, flags);
    return x->kind == SCT_PICKLE_NONE || (x->kind == SCT_PICKLE_DICT && x->u.obj.n == 0);
}

static sct_status add_tensor(struct walk *w, uint32_t node, size_t builder, sct_error *err)
{
    const struct sct_pickle *p = &w->f->tree;
    const uint32_t args = at(w, node)->u.obj.args;
    const struct sct_torch_storage *s = sct_torch_storage_of(w->f, sct_pickle_item(p, args, 0));
    const uint32_t offset = sct_pickle_item(p, args, 1);
    uint64_t dim[SCT_CKPT_MAX_DIMS], stride[SCT_CKPT_MAX_DIMS];
    struct sct_ckpt_claim c = {
        .name = w->name, .name_size = w->n, .dim = dim, .stride = stride};
    uint32_t n_stride;
    if (!s || offset == SCT_PICKLE_NIL)
        return pass_over(w, node, err);
    if (at(w, offset)->kind != SCT_PICKLE_INT || at(w, offset)->u.i < 0)
        return bad_tensor(w, "a number from 0 for its offset", err);
    c.offset = (uint64_t)at(w, offset)->u.i;
    SCT_TRY(read_numbers(w, sct_pickle_item(p, args, 2), dim, &c.nd, err));
    SCT_TRY(read_numbers(w, sct_pickle_item(p, args, 3), stride, &n_stride, err));
    if (n_stride != c.nd)
        return bad_tensor(w, "as many strides as dimensions", err);
    const uint32_t flags = builders[builder].flags;
    if (flags && !is_plain(w, sct_pickle_item(p, args, flags)))
        return bad_tensor(w,
                          "plain elements, not a negated or conjugated view of them; save it "
                          "after .resolve_neg().resolve_conj()",
                          err);
    c.dtype = builders[builder].dtype
                  ? sct_torch_dtype(w->f, sct_pickle_item(p, args, builders[builder].dtype))
                  : s->dtype;
    if (c.dtype == SCT_ST_DTYPE_COUNT || s->blob == SCT_PICKLE_NIL)
        return pass_over(w, node, err);
    c.blob = s->blob;
    return sct_ckpt_add_tensor(w->f->ck, &c, err);
}

/* ---- the walk ---- */

static bool is_dict(const struct walk *w, uint32_t node)
{
    if (at(w, node)->kind == SCT_PICKLE_DICT)
        return true;
    for (size_t i = 0; i < sizeof dicts / sizeof *dicts; i++)
        if (calls(w, node, dicts[i].module, dicts[i].name))
            return true;
    return false;
}

static bool is_list(const struct walk *w, uint32_t node)
{
    return at(w, node)->kind == SCT_PICKLE_LIST || at(w, node)->kind == SCT_PICKLE_TUPLE;
}

static sct_status enter(struct walk *w, uint32_t node, sct_error *err)
{
    if (w->depth == MAX_DEPTH)
        return sct_fail(err, SCT_EFILE,
                        "%s: '%.200s...' is nested deeper than %d levels, or contains itself",
                        w->f->ck->path, w->name, MAX_DEPTH);
    w->frame[w->depth++] = (struct frame){at(w, node)->u.obj.head, 0, w->n};
    return SCT_OK;
}

/* Numbers and strings at the top are told as metadata. */
static sct_status plain_value(struct walk *w, uint32_t node, sct_error *err)
{
    const struct sct_pickle_node *x = at(w, node);
    char text[257];
    if (w->depth != 1 || sct_utf8_valid(w->name, w->n) != w->n)
        return SCT_OK;
    switch (x->kind) {
    case SCT_PICKLE_BOOL:
        (void)snprintf(text, sizeof text, "%s", x->u.i ? "true" : "false");
        break;
    case SCT_PICKLE_INT:
        (void)snprintf(text, sizeof text, "%lld", (long long)x->u.i);
        break;
    case SCT_PICKLE_FLOAT:
        (void)snprintf(text, sizeof text, "%.9g", x->u.f);
        break;
    case SCT_PICKLE_STR:
        if (x->u.text.n >= sizeof text ||
            sct_utf8_valid(x->u.text.s, x->u.text.n) != x->u.text.n)
            return SCT_OK;
        (void)snprintf(text, sizeof text, "%.*s", (int)x->u.text.n, x->u.text.s);
        break;
    default:
        return SCT_OK;
    }
    return sct_ckpt_metadata(w->f->ck, w->name, text, err);
}

static sct_status visit(struct walk *w, uint32_t node, sct_error *err)
{
    const uint32_t inner = unwrap(w, node);
    for (size_t i = 0; i < sizeof builders / sizeof *builders; i++)
        if (calls(w, inner, "torch._utils", builders[i].name))
            return add_tensor(w, inner, i, err);
    if (is_dict(w, node) || is_list(w, node))
        return enter(w, node, err);
    switch (at(w, node)->kind) {
    case SCT_PICKLE_GLOBAL:
    case SCT_PICKLE_CALL:
    case SCT_PICKLE_PERSID:
        return pass_over(w, node, err);
    default:
        return plain_value(w, node, err);
    }
}

/* Puts ".key" behind the name. *known: the key has a text. */
static sct_status append_key(struct walk *w, uint32_t key, uint32_t index, bool *known,
                             sct_error *err)
{
    const struct sct_pickle_node *k = key == SCT_PICKLE_NIL ? NULL : at(w, key);
    struct sct_pickle_text t;
    char number[32];
    *known = true;
    if (k && k->kind == SCT_PICKLE_STR) {
        t = k->u.text;
    } else if (!k || k->kind == SCT_PICKLE_INT) {
        const int n = snprintf(number, sizeof number, "%lld", k ? (long long)k->u.i : index);
        t = (struct sct_pickle_text){number, (uint32_t)n};
    } else {
        *known = false;
        return SCT_OK;
    }
    const size_t dot = w->depth > 1;
    if (t.n + dot > SCT_CKPT_MAX_NAME - w->n)
        return sct_fail(err, SCT_EFILE, "%s: a name of more than %d bytes: '%.60s...'",
                        w->f->ck->path, SCT_CKPT_MAX_NAME, w->n ? w->name : t.s);
    if (dot)
        w->name[w->n++] = '.';
    memcpy(w->name + w->n, t.s, t.n);
    w->n += t.n;
    w->name[w->n] = 0;
    return SCT_OK;
}

static sct_status next_item(struct walk *w, sct_error *err)
{
    struct frame *f = &w->frame[w->depth - 1];
    const struct sct_pickle_cell *c = &w->f->tree.cell[f->cell];
    const uint32_t index = f->index++;
    bool known;
    f->cell = c->next;
    if (w->steps++ >= MAX_STEPS)
        return sct_fail(err, SCT_EFILE, "%s: more than %d items, shared ones counted each time",
                        w->f->ck->path, MAX_STEPS);
    SCT_TRY(append_key(w, c->key, index, &known, err));
    if (known)
        return visit(w, c->value, err);
    return sct_ckpt_note(w->f->ck, err,
                         "%.200s: an item whose key is neither a string nor a whole number, "
                         "skipped",
                         w->n ? w->name : "the top");
}

sct_status sct_torch_add_tensors(struct sct_torch_file *f, sct_error *err)
{
    struct walk w = {.f = f};
    if (!is_dict(&w, f->tree.root) && !is_list(&w, f->tree.root)) {
        char what[192];
        describe(&w, f->tree.root, what, sizeof what);
        return sct_fail(err, SCT_EFILE,
                        "%s: expected a state dict, found %s; in Python, save "
                        "model.state_dict() instead",
                        f->ck->path, what);
    }
    SCT_TRY(enter(&w, f->tree.root, err));
    while (w.depth) {
        const struct frame *top = &w.frame[w.depth - 1];
        w.n = top->name_size;
        w.name[w.n] = 0;
        if (top->cell == SCT_PICKLE_NIL)
            w.depth--;
        else
            SCT_TRY(next_item(&w, err));
    }
    return SCT_OK;
}
