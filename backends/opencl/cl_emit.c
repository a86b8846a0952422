/* SPDX-License-Identifier: MIT
 * cl_emit.c - the helpers by which rows describe launches.
 * Errors are sticky in the build, so that a row is a straight list of calls. */
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/cl_launch.h"

static bool failed(const struct cl_emit *e)
{
    return e->to->err.code != SCT_OK;
}

void cl_emit_fail(struct cl_emit *e, sct_status rc, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)sct_vfail(&e->to->err, rc, fmt, ap);
    va_end(ap);
}

static struct cl_cmd *add_cmd(struct cl_emit *e, uint32_t kind)
{
    struct cl_build *b = e->to;
    if (failed(e))
        return NULL;
    if (b->open) {
        cl_emit_fail(e, SCT_EFAIL, "row %s begins a launch before cl_grid ended the last",
                     e->c->row);
        return NULL;
    }
    if (!cl_grow((void **)&b->cmd, &b->cap_cmd, b->n_cmd + 1, sizeof *b->cmd)) {
        cl_emit_fail(e, SCT_ENOMEM, "out of host memory for the program");
        return NULL;
    }
    struct cl_cmd *c = &b->cmd[b->n_cmd++];
    *c = (struct cl_cmd){.kind = kind, .node = b->node, .arg0 = (uint32_t)b->n_arg};
    return c;
}

void cl_launch(struct cl_emit *e, const char *file, const char *kernel, const char *options)
{
    struct cl_cmd *c = add_cmd(e, CL_CMD_KERNEL);
    if (!c)
        return;
    e->to->open = true;
    c->unit = cl_unit_get(e->to->dev, file, options, &e->to->err);
    c->name = malloc(strlen(kernel) + 1);
    if (!c->name) {
        cl_emit_fail(e, SCT_ENOMEM, "out of host memory for the program");
        return;
    }
    memcpy(c->name, kernel, strlen(kernel) + 1);
}

static void add_arg(struct cl_emit *e, struct cl_arg a)
{
    struct cl_build *b = e->to;
    if (failed(e))
        return;
    if (!b->open) {
        cl_emit_fail(e, SCT_EFAIL, "row %s adds an argument outside a launch", e->c->row);
        return;
    }
    if (!cl_grow((void **)&b->arg, &b->cap_arg, b->n_arg + 1, sizeof *b->arg)) {
        cl_emit_fail(e, SCT_ENOMEM, "out of host memory for the program");
        return;
    }
    b->arg[b->n_arg++] = a;
    b->cmd[b->n_cmd - 1].n_arg++;
}

void cl_arg_in(struct cl_emit *e, uint32_t i)
{
    add_arg(e, (struct cl_arg){.kind = CL_ARG_IN, .index = (uint8_t)i});
}

void cl_arg_out(struct cl_emit *e, uint32_t i)
{
    if (i >= e->d->n_out)
        cl_emit_fail(e, SCT_EFAIL, "row %s asks for output %u of %u", e->c->row, i,
                     e->d->n_out);
    add_arg(e, (struct cl_arg){.kind = CL_ARG_OUT, .index = (uint8_t)i});
}

void cl_arg_acc(struct cl_emit *e)
{
    add_arg(e, (struct cl_arg){.kind = CL_ARG_ACC});
}

void cl_arg_scratch(struct cl_emit *e, uint64_t at)
{
    if (at % 4 || at >= e->c->scratch)
        cl_emit_fail(e, SCT_EFAIL, "row %s uses byte %llu of %llu bytes of scratch", e->c->row,
                     (unsigned long long)at, (unsigned long long)e->c->scratch);
    add_arg(e, (struct cl_arg){.kind = CL_ARG_SCRATCH, .value = at});
}

void cl_arg_state(struct cl_emit *e)
{
    add_arg(e, (struct cl_arg){.kind = CL_ARG_STATE});
}

static void add_bytes(struct cl_emit *e, const void *v, uint8_t size)
{
    struct cl_arg a = {.kind = CL_ARG_BYTES, .size = size};
    memcpy(&a.value, v, size);
    add_arg(e, a);
}

void cl_arg_u32(struct cl_emit *e, uint32_t v)
{
    add_bytes(e, &v, sizeof v);
}

void cl_arg_i32(struct cl_emit *e, int32_t v)
{
    add_bytes(e, &v, sizeof v);
}

void cl_arg_u64(struct cl_emit *e, uint64_t v)
{
    add_bytes(e, &v, sizeof v);
}

void cl_arg_f32(struct cl_emit *e, float v)
{
    add_bytes(e, &v, sizeof v);
}

void cl_arg_local(struct cl_emit *e, uint64_t bytes)
{
    add_arg(e, (struct cl_arg){.kind = CL_ARG_LOCAL, .value = bytes});
}

void cl_grid(struct cl_emit *e, uint64_t gx, uint64_t gy, uint64_t gz, uint32_t lx, uint32_t ly,
             uint32_t lz)
{
    struct cl_build *b = e->to;
    if (failed(e))
        return;
    if (!b->open) {
        cl_emit_fail(e, SCT_EFAIL, "row %s ends a launch that was not begun", e->c->row);
        return;
    }
    b->open = false;
    struct cl_cmd *c = &b->cmd[b->n_cmd - 1];
    const uint64_t g[3] = {gx, gy, gz};
    const uint32_t l[3] = {lx, ly, lz};
    uint64_t items = 1;
    for (int i = 0; i < 3; i++) {
        /* 2^31 items a dimension is what every driver can count */
        if (l[i] == 0 || g[i] > (UINT64_C(1) << 31) / l[i]) {
            cl_emit_fail(e, SCT_EUNSUP, "row %s wants %llu groups of %u items in dimension %d",
                         e->c->row, (unsigned long long)g[i], l[i], i);
            return;
        }
        items *= l[i];
        c->local[i] = l[i];
        c->global[i] = (size_t)g[i] * l[i];
    }
    if (items > e->caps->max_group)
        cl_emit_fail(e, SCT_EUNSUP, "row %s wants groups of %llu items, the device allows %u",
                     e->c->row, (unsigned long long)items, e->caps->max_group);
    if (gx == 0 || gy == 0 || gz == 0) { /* nothing to do: take the launch back */
        b->n_arg -= c->n_arg;
        free(c->name);
        b->n_cmd--;
    }
}

void cl_zero_out(struct cl_emit *e, uint32_t i)
{
    struct cl_cmd *c = add_cmd(e, CL_CMD_ZERO);
    if (c)
        c->ref_out = (uint8_t)i;
}

void cl_copy(struct cl_emit *e, uint32_t i, uint32_t j)
{
    struct cl_cmd *c = add_cmd(e, CL_CMD_COPY);
    if (!c)
        return;
    c->ref_in[0] = (uint8_t)i;
    c->ref_out = (uint8_t)j;
}

void cl_sgemm(struct cl_emit *e, uint32_t m, uint32_t n, uint32_t k, uint32_t a, uint32_t b,
              bool tb, uint32_t c)
{
    struct cl_cmd *cmd = add_cmd(e, CL_CMD_SGEMM);
    if (!cmd)
        return;
    cmd->m = m;
    cmd->n = n;
    cmd->k = k;
    cmd->tb = tb;
    cmd->ref_in[0] = (uint8_t)a;
    cmd->ref_in[1] = (uint8_t)b;
    cmd->ref_out = (uint8_t)c;
}

sct_status cl_emit_node(struct cl_build *b, const struct cl_row *row,
                        const struct sct_node *node, uint32_t index,
                        const struct sct_progdesc *prog, sct_error *err)
{
    struct cl_emit e = {.caps = &b->dev->caps,
                        .d = &node->d,
                        .c = &node->c,
                        .b = prog->shape.b,
                        .batch = prog->batch,
                        .to = b};
    b->node = index;
    row->emit(&e);
    if (b->open)
        cl_emit_fail(&e, SCT_EFAIL, "row %s leaves a launch without cl_grid", row->name);
    if (failed(&e))
        return sct_fail(err, b->err.code, "%s (%s): %s", node->label, row->name, b->err.msg);
    return SCT_OK;
}

void cl_build_free(struct cl_build *b)
{
    for (size_t i = 0; i < b->n_cmd; i++) {
        if (b->cmd[i].kernel)
            (void)clReleaseKernel(b->cmd[i].kernel);
        free(b->cmd[i].name);
    }
    free(b->cmd);
    free(b->arg);
    *b = (struct cl_build){0};
}
