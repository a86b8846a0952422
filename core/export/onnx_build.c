/* SPDX-License-Identifier: MIT
 * onnx_build.c - nodes, attributes and constants of an ONNX graph. */
#include "core/export/onnx_build.h"

#include <stdarg.h>
#include <string.h>

#include "core/base/status.h"

/* ONNX's AttributeProto.AttributeType. */
enum { ATTR_FLOAT = 1, ATTR_INT = 2, ATTR_STRING = 3, ATTR_INTS = 7 };

enum { MAX_ATTR = 4 };

void sct_onnx_fail(struct onnx *o, sct_status rc, const char *fmt, ...)
{
    va_list ap;
    if (o->rc != SCT_OK)
        return;
    o->rc = rc;
    va_start(ap, fmt);
    (void)sct_vfail(o->err, rc, fmt, ap);
    va_end(ap);
}

static void *take(struct onnx *o, size_t n)
{
    void *p = o->rc == SCT_OK ? sct_arena_alloc(&o->arena, n) : NULL;
    if (!p && o->rc == SCT_OK)
        o->rc = sct_nomem(o->err);
    return p;
}

static char *word(struct onnx *o, const char *s)
{
    char *p = take(o, strlen(s) + 1);
    return p ? strcpy(p, s) : NULL;
}

/* "blocks.0.attn/Softmax_17": unique by the serial number. */
static char *fresh(struct onnx *o, const char *type)
{
    char *s = o->rc == SCT_OK
                  ? sct_arena_printf(&o->arena, "%s/%s_%u", o->label, type, o->serial++)
                  : NULL;
    if (!s && o->rc == SCT_OK)
        o->rc = sct_nomem(o->err);
    return s;
}

SctOnnx__Node *sct_onnx_add(struct onnx *o, const char *type, uint32_t n_in,
                            const onnx_name *in)
{
    SctOnnx__Node *n = take(o, sizeof *n);
    char **names = take(o, (n_in + 1) * sizeof *names);
    if (!n || !names || !(names[0] = fresh(o, type)))
        return NULL;
    if (o->rc == SCT_OK)
        o->rc = sct_grow((void **)&o->node, &o->cap_node, (uint64_t)o->n_node + 1,
                         sizeof(SctOnnx__Node *), o->err);
    if (o->rc != SCT_OK)
        return NULL;
    sct_onnx__node__init(n);
    for (uint32_t i = 0; i < n_in; i++)
        names[i + 1] = (char *)(uintptr_t)(in[i] ? in[i] : "");
    n->name = names[0];
    n->op_type = (char *)(uintptr_t)type;
    n->output = names;
    n->n_output = 1;
    n->input = names + 1;
    n->n_input = n_in;
    o->node[o->n_node++] = n;
    return n;
}

static SctOnnx__Attribute *attribute(struct onnx *o, SctOnnx__Node *n, const char *name,
                                     int32_t type)
{
    SctOnnx__Attribute *a = n ? take(o, sizeof *a) : NULL;
    if (a && !n->attribute)
        n->attribute = take(o, MAX_ATTR * sizeof(SctOnnx__Attribute *));
    if (!a || !n->attribute || n->n_attribute == MAX_ATTR)
        return NULL;
    sct_onnx__attribute__init(a);
    a->name = (char *)(uintptr_t)name;
    a->has_type = 1;
    a->type = type;
    n->attribute[n->n_attribute++] = a;
    return a;
}

void sct_onnx_attr_int(struct onnx *o, SctOnnx__Node *n, const char *name, int64_t v)
{
    SctOnnx__Attribute *a = attribute(o, n, name, ATTR_INT);
    if (a) {
        a->has_i = 1;
        a->i = v;
    }
}

void sct_onnx_attr_float(struct onnx *o, SctOnnx__Node *n, const char *name, float v)
{
    SctOnnx__Attribute *a = attribute(o, n, name, ATTR_FLOAT);
    if (a) {
        a->has_f = 1;
        a->f = v;
    }
}

void sct_onnx_attr_string(struct onnx *o, SctOnnx__Node *n, const char *name, const char *v)
{
    SctOnnx__Attribute *a = attribute(o, n, name, ATTR_STRING);
    if (a) {
        a->has_s = 1;
        a->s.len = strlen(v);
        a->s.data = (uint8_t *)(uintptr_t)v;
    }
}

void sct_onnx_attr_ints(struct onnx *o, SctOnnx__Node *n, const char *name, uint32_t count,
                        const int64_t *v)
{
    SctOnnx__Attribute *a = attribute(o, n, name, ATTR_INTS);
    int64_t *copy = a ? take(o, count * sizeof *copy) : NULL;
    if (copy) {
        memcpy(copy, v, count * sizeof *copy);
        a->ints = copy;
        a->n_ints = count;
    }
}

/* ---- constants ---- */

static struct onnx_init *initializer(struct onnx *o, char *name, enum onnx_type type,
                                     uint32_t nd, const uint32_t *dim, uint64_t element)
{
    struct onnx_init *t = name ? take(o, sizeof *t) : NULL;
    int64_t *dims = t ? take(o, (nd + 1) * sizeof *dims) : NULL;
    if (dims)
        o->rc = sct_grow((void **)&o->init, &o->cap_init, (uint64_t)o->n_init + 1,
                         sizeof(struct onnx_init *), o->err);
    if (o->rc != SCT_OK)
        return NULL;
    sct_onnx__tensor__init(&t->proto);
    t->bytes = element;
    for (uint32_t i = 0; i < nd; i++) {
        dims[i] = dim[i];
        t->bytes *= dim[i];
    }
    t->proto.name = name;
    t->proto.dims = dims;
    t->proto.n_dims = nd;
    t->proto.has_data_type = 1;
    t->proto.data_type = type;
    o->init[o->n_init++] = t;
    return t;
}

static onnx_name constant(struct onnx *o, enum onnx_type type, uint32_t nd, const uint32_t *dim,
                          const void *v, size_t element)
{
    struct onnx_init *t = initializer(o, fresh(o, "const"), type, nd, dim, element);
    void *copy = t ? take(o, (size_t)t->bytes) : NULL;
    if (!copy)
        return "";
    memcpy(copy, v, (size_t)t->bytes);
    t->proto.has_raw_data = 1;
    t->proto.raw_data.data = copy;
    t->proto.raw_data.len = (size_t)t->bytes;
    return t->proto.name;
}

onnx_name sct_onnx_i64(struct onnx *o, uint32_t count, const int64_t *v)
{
    return constant(o, ONNX_INT64, 1, &count, v, sizeof *v);
}

onnx_name sct_onnx_i64_scalar(struct onnx *o, int64_t v)
{
    return constant(o, ONNX_INT64, 0, NULL, &v, sizeof v);
}

onnx_name sct_onnx_f32(struct onnx *o, uint32_t nd, const uint32_t *dim, const float *v)
{
    return constant(o, ONNX_FLOAT, nd, dim, v, sizeof *v);
}

static struct onnx_init *from_tensor(struct onnx *o, char *name, const struct sct_tensor *t,
                                     uint32_t nd, const uint32_t *dim)
{
    const bool f32 = t->desc.dtype == SCT_F32;
    if (!f32 && t->desc.dtype != SCT_I32) {
        sct_onnx_fail(o, SCT_EUNSUP,
                      "ONNX export: tensor %s is %s; only f32 and i32 are written", t->name,
                      t->desc.dtype < SCT_DTYPE_COUNT ? "of another type" : "broken");
        return NULL;
    }
    struct onnx_init *i =
        initializer(o, name, f32 ? ONNX_FLOAT : ONNX_INT32, nd, dim, sizeof(float));
    if (i)
        i->from = t;
    return i;
}

onnx_name sct_onnx_value(struct onnx *o, uint32_t id)
{
    const struct sct_value *v = &o->g->value[id];
    if (o->rc != SCT_OK)
        return "";
    if (!o->name[id] && v->source == SCT_SRC_TENSOR &&
        from_tensor(o, word(o, v->tensor->name), v->tensor, v->desc.nd, v->desc.dim))
        o->name[id] = o->init[o->n_init - 1]->proto.name;
    if (!o->name[id])
        sct_onnx_fail(o, SCT_EINVAL, "ONNX export: value %u of %s has no name yet", id,
                      o->label);
    return o->name[id] ? o->name[id] : "";
}

/* The stored tensor behind a value and views of it, or NULL. */
static const struct sct_tensor *stored(const struct onnx *o, uint32_t id)
{
    const struct sct_value *v = &o->g->value[id];
    while (v->node != SCT_NO_NODE && o->g->node[v->node].op == SCT_OP_RESHAPE)
        v = &o->g->value[o->g->node[v->node].in[0]];
    return v->source == SCT_SRC_TENSOR ? v->tensor : NULL;
}

onnx_name sct_onnx_transposed(struct onnx *o, uint32_t id)
{
    static const int64_t swap[2] = {1, 0};
    const struct sct_tensor *t = stored(o, id);
    const struct sct_desc *d = &o->g->value[id].desc;
    if (!t)
        return sct_onnx_transpose(o, sct_onnx_value(o, id), 2, swap);
    char *name = o->rc == SCT_OK ? sct_arena_printf(&o->arena, "%s_t", t->name) : NULL;
    if (!name) {
        if (o->rc == SCT_OK)
            o->rc = sct_nomem(o->err);
        return "";
    }
    for (uint32_t i = 0; i < o->n_init; i++) /* a layer used twice */
        if (strcmp(o->init[i]->proto.name, name) == 0)
            return name;
    const uint32_t dim[2] = {d->dim[1], d->dim[0]};
    struct onnx_init *i = from_tensor(o, name, t, 2, dim);
    if (i)
        i->transposed = true;
    return name;
}

const int32_t *sct_onnx_index(struct onnx *o, uint32_t id)
{
    const struct sct_tensor *t = stored(o, id);
    if (o->rc == SCT_OK && (!t || t->desc.dtype != SCT_I32))
        sct_onnx_fail(
            o, SCT_EUNSUP,
            "ONNX export: %s selects by a computed index; only stored ones are written",
            o->label);
    int32_t *v = t ? take(o, (size_t)sct_desc_count(&t->desc) * sizeof *v) : NULL;
    if (v)
        o->rc = t->load(t, v, o->err);
    return o->rc == SCT_OK ? v : NULL;
}

/* ---- short forms ---- */

static onnx_name out(const SctOnnx__Node *n)
{
    return n ? n->output[0] : "";
}

onnx_name sct_onnx_op1(struct onnx *o, const char *type, onnx_name x)
{
    return out(sct_onnx_add(o, type, 1, &x));
}

onnx_name sct_onnx_op2(struct onnx *o, const char *type, onnx_name x, onnx_name y)
{
    return out(sct_onnx_add(o, type, 2, (const onnx_name[2]){x, y}));
}

onnx_name sct_onnx_reshape(struct onnx *o, onnx_name x, uint32_t nd, const int64_t *dim)
{
    return sct_onnx_op2(o, "Reshape", x, sct_onnx_i64(o, nd, dim));
}

onnx_name sct_onnx_transpose(struct onnx *o, onnx_name x, uint32_t nd, const int64_t *perm)
{
    SctOnnx__Node *n = sct_onnx_add(o, "Transpose", 1, &x);
    sct_onnx_attr_ints(o, n, "perm", nd, perm);
    return out(n);
}

onnx_name sct_onnx_gather(struct onnx *o, onnx_name x, onnx_name idx, int64_t axis)
{
    SctOnnx__Node *n = sct_onnx_add(o, "Gather", 2, (const onnx_name[2]){x, idx});
    sct_onnx_attr_int(o, n, "axis", axis);
    return out(n);
}

onnx_name sct_onnx_slice(struct onnx *o, onnx_name x, int64_t axis, uint32_t first,
                         uint32_t count)
{
    const int64_t from = first, to = (int64_t)first + count;
    return out(
        sct_onnx_add(o, "Slice", 4,
                     (const onnx_name[4]){x, sct_onnx_i64(o, 1, &from), sct_onnx_i64(o, 1, &to),
                                          sct_onnx_i64(o, 1, &axis)}));
}

onnx_name sct_onnx_pad(struct onnx *o, onnx_name x, int64_t axis, uint32_t before,
                       uint32_t after)
{
    const int64_t pads[2] = {before, after};
    return out(sct_onnx_add(
        o, "Pad", 4,
        (const onnx_name[4]){x, sct_onnx_i64(o, 2, pads), NULL, sct_onnx_i64(o, 1, &axis)}));
}
