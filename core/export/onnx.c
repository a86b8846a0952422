/* SPDX-License-Identifier: MIT
 * onnx.c - a model's forward graph, translated node by node, and the file around it. */
#include "core/export/onnx.h"

#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/export/onnx_ops.h"
#include "core/io/file.h"

enum { OPSET = 20, IR_VERSION = 9, EXTERNAL = 1, DATA_ALIGN = 64 };

/* ---- the graph ---- */

/* A copy of the model's graph that ends in the logits. */
static sct_status forward(struct sct_graph **out, const struct sct_model *m, sct_error *err)
{
    struct sct_graph *g = sct_graph_clone(m->g);
    if (!g)
        return sct_nomem(err);
    for (uint32_t v = 1; v < g->n_value; v++)
        g->value[v].output = false;
    sct_graph_output(g, m->logits, "logits");
    sct_status rc = sct_graph_prune(g, err);
    if (rc == SCT_OK)
        rc = sct_graph_sort(g, err);
    if (rc == SCT_OK)
        *out = g;
    else
        sct_graph_destroy(&g);
    return rc;
}

/* Names every op without a rule, once. */
static sct_status check_ops(const struct sct_graph *g, sct_error *err)
{
    struct sct_str list = {0};
    bool seen[SCT_OP_COUNT] = {false};
    for (uint32_t i = 0; i < g->n_node; i++) {
        const uint32_t op = g->node[i].op;
        if (seen[op] || op == SCT_OP_IMAGE || sct_onnx_rule_of(op))
            continue;
        seen[op] = true;
        sct_str_add(&list, "%s%s", list.n ? ", " : "", sct_op_info(op)->name);
    }
    char *text = list.n ? sct_str_take(&list) : NULL;
    if (!text)
        return SCT_OK;
    const sct_status rc =
        sct_fail(err, SCT_EUNSUP, "ONNX export: no ONNX form for the ops %s", text);
    sct_free(text);
    return rc;
}

static void translate(struct onnx *o)
{
    const struct sct_graph *g = o->g;
    for (uint32_t i = 0; i < g->n_node && o->rc == SCT_OK; i++) {
        const struct sct_gnode *n = &g->node[i];
        bool varies = n->op == SCT_OP_FEED;
        for (uint32_t k = 0; k < n->n_in; k++)
            varies = varies || o->varies[n->in[k]];
        for (uint32_t k = 0; k < n->n_out; k++)
            o->varies[n->out[k]] = varies;
        o->label = n->label;
        if (n->op == SCT_OP_FEED) /* bytes: the file begins behind the normalisation */
            o->name[n->out[0]] = "";
        else if (n->op == SCT_OP_IMAGE)
            o->name[n->out[0]] = "pixel_values";
        else
            sct_onnx_rule_of(n->op)(o, n);
    }
}

/* ---- the file ---- */

struct info {
    SctOnnx__ValueInfo value;
    SctOnnx__Type type;
    SctOnnx__TensorType tensor;
    SctOnnx__Shape shape;
    SctOnnx__Dimension dim[SCT_MAX_DIMS], *dims[SCT_MAX_DIMS];
};

static void describe(struct info *i, const char *name, const struct sct_desc *d)
{
    sct_onnx__value_info__init(&i->value);
    sct_onnx__type__init(&i->type);
    sct_onnx__tensor_type__init(&i->tensor);
    sct_onnx__shape__init(&i->shape);
    i->value.name = (char *)(uintptr_t)name;
    i->value.type = &i->type;
    i->type.tensor_type = &i->tensor;
    i->tensor.has_elem_type = 1;
    i->tensor.elem_type = ONNX_FLOAT;
    i->tensor.shape = &i->shape;
    i->shape.dim = i->dims;
    i->shape.n_dim = d->nd;
    for (uint32_t k = 0; k < d->nd; k++) {
        i->dims[k] = &i->dim[k];
        sct_onnx__dimension__init(&i->dim[k]);
        if (k == 0) {
            i->dim[k].dim_param = (char *)(uintptr_t) "batch";
        } else {
            i->dim[k].has_dim_value = 1;
            i->dim[k].dim_value = d->dim[k];
        }
    }
}

/* Reads the data of an initializer, in the file's orientation, into the arena-free buffer *v.
 */
static sct_status load(const struct onnx_init *t, void **v, sct_error *err)
{
    *v = sct_alloc((size_t)t->bytes);
    float *tmp = t->transposed ? sct_alloc((size_t)t->bytes) : NULL;
    sct_status rc = *v && (tmp || !t->transposed) ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = t->from->load(t->from, tmp ? (void *)tmp : *v, err);
    if (rc == SCT_OK && tmp) {
        const size_t in = (size_t)t->proto.dims[0], out = (size_t)t->proto.dims[1];
        for (size_t i = 0; i < in; i++)
            for (size_t k = 0; k < out; k++)
                ((float *)*v)[i * out + k] = tmp[k * in + i];
    }
    sct_free(tmp);
    if (rc != SCT_OK) {
        sct_free(*v);
        *v = NULL;
    }
    return rc;
}

static sct_status put_inline(struct onnx_init *t, sct_error *err)
{
    void *v;
    SCT_TRY(load(t, &v, err));
    t->proto.has_raw_data = 1;
    t->proto.raw_data.data = v;
    t->proto.raw_data.len = (size_t)t->bytes;
    return SCT_OK;
}

/* Three key-value pairs: location, offset, length. */
static sct_status refer(struct onnx *o, struct onnx_init *t, const char *file, uint64_t offset,
                        sct_error *err)
{
    static const char *const key[3] = {"location", "offset", "length"};
    SctOnnx__Pair *p = sct_arena_alloc(&o->arena, 3 * sizeof *p);
    SctOnnx__Pair **list = sct_arena_alloc(&o->arena, 3 * sizeof(SctOnnx__Pair *));
    char *text[3] = {sct_arena_strdup(&o->arena, file),
                     sct_arena_printf(&o->arena, "%llu", (unsigned long long)offset),
                     sct_arena_printf(&o->arena, "%llu", (unsigned long long)t->bytes)};
    if (!p || !list || !text[0] || !text[1] || !text[2])
        return sct_nomem(err);
    for (uint32_t i = 0; i < 3; i++) {
        sct_onnx__pair__init(&p[i]);
        p[i].key = (char *)(uintptr_t)key[i];
        p[i].value = text[i];
        list[i] = &p[i];
    }
    t->proto.external_data = list;
    t->proto.n_external_data = 3;
    t->proto.has_data_location = 1;
    t->proto.data_location = EXTERNAL;
    return SCT_OK;
}

static sct_status put_external(struct onnx *o, const char *path, sct_error *err)
{
    static const char zeros[DATA_ALIGN];
    struct sct_file_out *f = NULL;
    uint64_t at = 0;
    SCT_TRY(sct_file_begin(&f, path, err));
    sct_status rc = SCT_OK;
    for (uint32_t i = 0; i < o->n_init && rc == SCT_OK; i++) {
        struct onnx_init *t = o->init[i];
        void *v = NULL;
        if (!t->from)
            continue;
        const uint64_t pad = (DATA_ALIGN - at % DATA_ALIGN) % DATA_ALIGN;
        rc = sct_file_put(f, zeros, (size_t)pad, err);
        at += pad;
        if (rc == SCT_OK)
            rc = refer(o, t, sct_path_base(path), at, err);
        if (rc == SCT_OK)
            rc = load(t, &v, err);
        if (rc == SCT_OK)
            rc = sct_file_put(f, v, (size_t)t->bytes, err);
        sct_free(v);
        at += t->bytes;
    }
    if (rc == SCT_OK)
        return sct_file_commit(&f, err);
    sct_file_abort(&f);
    return rc;
}

/* protobuf-c hands over the packed bytes piece by piece. */
struct sink {
    ProtobufCBuffer base;
    struct sct_file_out *f;
    sct_status rc;
    sct_error *err;
};

static void sink_append(ProtobufCBuffer *b, size_t n, const uint8_t *data)
{
    struct sink *s = (struct sink *)b; /* base is the first member */
    if (s->rc == SCT_OK)
        s->rc = sct_file_put(s->f, data, n, s->err);
}

static sct_status pack(const char *path, const SctOnnx__Model *m, sct_error *err)
{
    struct sink s = {.base = {.append = sink_append}, .err = err};
    SCT_TRY(sct_file_begin(&s.f, path, err));
    (void)sct_onnx__model__pack_to_buffer(m, &s.base);
    if (s.rc == SCT_OK)
        return sct_file_commit(&s.f, err);
    sct_file_abort(&s.f);
    return s.rc;
}

static sct_status write_model(struct onnx *o, const char *path, const struct sct_model *m,
                              const struct sct_onnx_meta *meta, size_t n_meta, sct_error *err)
{
    SctOnnx__Model file = SCT_ONNX__MODEL__INIT;
    SctOnnx__Graph graph = SCT_ONNX__GRAPH__INIT;
    SctOnnx__OperatorSet set = SCT_ONNX__OPERATOR_SET__INIT, *sets = &set;
    const uint32_t S = m->cfg.image, in_dim[4] = {1, 3, S, S}, out_dim[2] = {1, m->cfg.classes};
    const struct sct_desc in = sct_desc_make(SCT_F32, 4, in_dim),
                          out = sct_desc_make(SCT_F32, 2, out_dim);
    struct info io[2];
    SctOnnx__ValueInfo *input = &io[0].value, *output = &io[1].value;
    SctOnnx__Tensor **init = sct_arena_alloc(&o->arena, (o->n_init + 1) * sizeof(*init));
    SctOnnx__Pair *pair = sct_arena_alloc(&o->arena, (n_meta + 1) * sizeof *pair);
    SctOnnx__Pair **pairs = sct_arena_alloc(&o->arena, (n_meta + 1) * sizeof(*pairs));
    if (!init || !pair || !pairs)
        return sct_nomem(err);
    describe(&io[0], "pixel_values", &in);
    describe(&io[1], "logits", &out);
    for (uint32_t i = 0; i < o->n_init; i++)
        init[i] = &o->init[i]->proto;
    for (size_t i = 0; i < n_meta; i++) {
        sct_onnx__pair__init(&pair[i]);
        pair[i].key = (char *)(uintptr_t)meta[i].key;
        pair[i].value = (char *)(uintptr_t)meta[i].value;
        pairs[i] = &pair[i];
    }
    set.domain = (char *)(uintptr_t) "";
    set.has_version = 1;
    set.version = OPSET;
    graph.name = (char *)(uintptr_t)m->cfg.name;
    graph.node = o->node;
    graph.n_node = o->n_node;
    graph.initializer = init;
    graph.n_initializer = o->n_init;
    graph.input = &input;
    graph.n_input = 1;
    graph.output = &output;
    graph.n_output = 1;
    file.has_ir_version = 1;
    file.ir_version = IR_VERSION;
    file.producer_name = (char *)(uintptr_t) "sctrun";
    file.producer_version = (char *)(uintptr_t)SCT_VERSION;
    file.graph = &graph;
    file.opset_import = &sets;
    file.n_opset_import = 1;
    file.metadata_props = pairs;
    file.n_metadata_props = n_meta;
    return pack(path, &file, err);
}

/* The last node gives its result the name of the file's output. */
static void name_output(struct onnx *o, uint32_t logits)
{
    const onnx_name y = sct_onnx_value(o, logits);
    SctOnnx__Node *n = sct_onnx_add(o, "Identity", 1, &y);
    if (n)
        n->output[0] = (char *)(uintptr_t) "logits";
}

static sct_status weights(struct onnx *o, const char *path, uint64_t inline_max, sct_error *err)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < o->n_init; i++)
        total += o->init[i]->from ? o->init[i]->bytes : 0;
    if (total > (inline_max ? inline_max : SCT_ONNX_INLINE_MAX)) {
        char *data = sct_arena_printf(&o->arena, "%s.data", path);
        return data ? put_external(o, data, err) : sct_nomem(err);
    }
    for (uint32_t i = 0; i < o->n_init; i++)
        if (o->init[i]->from)
            SCT_TRY(put_inline(o->init[i], err));
    return SCT_OK;
}

static void onnx_fini(struct onnx *o)
{
    for (uint32_t i = 0; i < o->n_init; i++)
        if (o->init[i]->from)
            sct_free(o->init[i]->proto.raw_data.data);
    sct_free(o->name);
    sct_free(o->varies);
    sct_free(o->node);
    sct_free(o->init);
    sct_arena_free(&o->arena);
}

sct_status sct_onnx_write(const char *path, const struct sct_model *m,
                          const struct sct_onnx_meta *meta, size_t n_meta, uint64_t inline_max,
                          sct_error *err)
{
    struct sct_graph *g = NULL;
    struct onnx o = {.label = "model", .err = err};
    SCT_TRY(forward(&g, m, err));
    sct_status rc = check_ops(g, err);
    o.g = g;
    o.name = sct_calloc(g->n_value, sizeof *o.name);
    o.varies = sct_calloc(g->n_value, 1);
    if (rc == SCT_OK && (!o.name || !o.varies))
        rc = sct_nomem(err);
    if (rc == SCT_OK) {
        translate(&o);
        name_output(&o, m->logits.id);
        rc = o.rc;
    }
    if (rc == SCT_OK)
        rc = weights(&o, path, inline_max, err);
    if (rc == SCT_OK)
        rc = write_model(&o, path, m, meta, n_meta, err);
    onnx_fini(&o);
    sct_graph_destroy(&g);
    return rc;
}
