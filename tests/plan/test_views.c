/* SPDX-License-Identifier: MIT
 * test_views.c - frozen weights that lie somewhere already, as in a mapped file: read there,
 * not loaded; given back; the same bits as loaded ones; on a device that computes in host
 * memory without a copy. usage: test_views ref|cpu|opencl */
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/exec/exec.h"
#include "tests/support/dev.h"

enum { B = 4, IN = 1000, OUT = 528, LARGE = OUT * IN * 4 };

static int failures;

static void expect(int ok, const char *what)
{
    printf("%s %s\n", ok ? "ok  " : "FAIL", what);
    failures += !ok;
}

/* The weight begins a float behind a cache line, as a tensor of a file may, and ends the
 * memory. */
static _Alignas(64) float file[1 + OUT + OUT * IN], before[1 + OUT + OUT * IN], x[B * IN];
static uint32_t loaded, viewed, back;
static int broken; /* a view cannot be had */

static sct_status load(const struct sct_tensor *t, void *dst, sct_error *err)
{
    loaded++;
    return sct_tensor_load_data(t, dst, err);
}

static sct_status view(const struct sct_tensor *t, const void **v, sct_error *err)
{
    viewed++;
    if (broken)
        return sct_fail(err, SCT_EFILE, "a checksum that does not fit");
    *v = t->data;
    return SCT_OK;
}

static void done(const struct sct_tensor *t)
{
    (void)t;
    back++;
}

struct result {
    float y[B * OUT];
    uint64_t now, peak;
};

/* x w^T + bias with a weight that is packed where rows want that, and a bias that never is. */
static sct_status run(const char *backend, int views, struct result *r, sct_error *err)
{
    struct test_dev d;
    const uint32_t dw[2] = {OUT, IN}, dx[2] = {B, IN};
    struct sct_tensor t[2] = {{.name = "w", .desc = sct_desc_make(SCT_F32, 2, dw)},
                              {.name = "bias", .desc = sct_desc_make(SCT_F32, 1, dw)}};
    for (int i = 0; i < 2; i++) {
        t[i].data = file + (i ? 0 : 1 + OUT);
        t[i].load = load;
        t[i].view = views ? view : NULL;
        t[i].viewed = views ? done : NULL;
    }
    loaded = viewed = back = 0;
    if (test_dev_open(&d, backend, "threads=2", NULL, err) != 0)
        return SCT_EDEVICE;
    struct sct_store *store = sct_store_create(d.be, d.dev);
    struct sct_graph *g = sct_graph_create(1, B);
    struct sct_builder *b = sct_graph_builder(g);
    const sct_val in = sct_feed(b, sct_graph_input(g, "x", SCT_F32, 2, dx));
    const sct_val y = sct_linear(b, in, sct_graph_tensor(g, &t[0]), sct_graph_tensor(g, &t[1]));
    sct_graph_output(g, sct_emit_rows(b, y), "y");
    const struct sct_plan_opts o = {.micro_batch = 1};
    const struct sct_step_state state = {7, 0, 0.0f, B};
    struct sct_plan *p = NULL;
    struct sct_exec *e = NULL;
    sct_status rc = sct_plan_create(&p, g, d.be, d.dev, &d.info, &o, err);
    if (rc == SCT_OK)
        rc = sct_exec_create(&e, &p, store, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(e, "x", x, B, err);
    if (rc == SCT_OK)
        rc = sct_exec_begin(e, &state, err);
    if (rc == SCT_OK)
        rc = sct_exec_body(e, B, err);
    if (rc == SCT_OK)
        rc = sct_exec_end(e, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(e, "y", r->y, err);
    d.be->usage(d.dev, &r->now, &r->peak);
    sct_exec_destroy(&e);
    sct_plan_destroy(&p);
    sct_graph_destroy(&g);
    sct_store_destroy(&store);
    test_dev_close(&d);
    return rc;
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "ref";
    static struct result a, b;
    struct test_dev d;
    sct_error err = SCT_ERROR_INIT;
    uint32_t s = 1;
    test_dev_init();
    if (test_dev_open(&d, backend, "threads=2", NULL, &err) != 0) {
        printf("skip: %s\n", err.msg);
        return 77;
    }
    const int over = SCT_HAS(struct sct_backend, d.be, buf_over);
    test_dev_close(&d);
    for (size_t i = 0; i < sizeof file / sizeof *file; i++)
        file[i] = (float)((s = s * 1664525u + 1013904223u) >> 8) / 16777216.0f - 0.5f;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)((s = s * 1664525u + 1013904223u) >> 8) / 16777216.0f - 0.5f;

    memcpy(before, file, sizeof file);
    expect(run(backend, 0, &a, &err) == SCT_OK && loaded == 2,
           "tensors without views are loaded");
    expect(run(backend, 1, &b, &err) == SCT_OK, "tensors with views run");
    expect(loaded == 0 && viewed == 2, "they are viewed once each, never loaded");
    expect(back == viewed, "every view is given back");
    expect(memcmp(a.y, b.y, sizeof a.y) == 0, "viewed and loaded weights give the same bits");
    expect(memcmp(file, before, sizeof file) == 0, "the memory that was viewed is as it was");
    expect(a.now == b.now, "what stays on the device is the same");
    if (strcmp(backend, "cpu") == 0)
        expect(over && a.peak >= b.peak + LARGE / 2,
               "a weight that is packed is never copied to the device");
    broken = 1;
    expect(run(backend, 1, &b, &err) == SCT_EFILE && strstr(err.msg, "checksum") &&
               (strstr(err.msg, "w: ") || strstr(err.msg, "bias: ")) && loaded == 0,
           "a view that fails ends it, and the message names the tensor");
    expect(back == 0, "what was not viewed is not given back");
    return failures != 0;
}
