/* SPDX-License-Identifier: MIT
 * test_plan.c - properties of plans and runs, on a small ViT: memory, placement, same bits,
 * what the host reads, gradients over b. usage: test_plan ref|cpu|opencl, or test_plan opencl
 * assume=gpu for the gradients alone, with the kernels of GPUs */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/vit.h"

static int failures;

static void expect(int ok, const char *what)
{
    printf("%s %s\n", ok ? "ok  " : "FAIL", what);
    failures += !ok;
}

static int open_or_die(struct test_dev *d, const char *backend, const char *opt)
{
    sct_error err = SCT_ERROR_INIT;
    if (test_dev_open(d, backend, opt, NULL, &err) == 0)
        return 1;
    printf("skip: %s\n", err.msg);
    return 0;
}

static struct sct_plan *plan_of(struct test_vit *t, const struct test_dev *d,
                                const struct sct_plan_opts *o)
{
    sct_error err = SCT_ERROR_INIT;
    struct sct_plan *p = NULL;
    if (sct_plan_create(&p, t->g, d->be, d->dev, &d->info, o, &err) != SCT_OK)
        printf("FAIL plan: %s\n", err.msg);
    return p;
}

/* ---- memory ---- */

static uint64_t lane_bytes(const struct sct_plan *p)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < p->lane.n; i++)
        n += p->lane.bytes[i];
    return n;
}

/* Activation memory is lanes x b x one image, whatever the batch. */
static void activation_bytes(const struct test_dev *d)
{
    uint64_t bytes[2], lanes[2];
    const uint32_t batch[2] = {8, 64};
    for (int k = 0; k < 2; k++) {
        struct test_vit t;
        sct_error err = SCT_ERROR_INIT;
        const struct sct_plan_opts o = {.micro_batch = 2, .lanes = 2, .slots = 4};
        expect(test_vit_build(&t, batch[k], 3, 0, 0, &err) == 0, "model");
        struct sct_plan *p = plan_of(&t, d, &o);
        struct sct_plan_memory m = {0};
        if (p)
            sct_plan_memory(p, &m);
        bytes[k] = p ? lane_bytes(p) : 0;
        lanes[k] = p ? p->shape.lanes : 0;
        expect(p && m.activations == bytes[k] * lanes[k],
               "activations are lanes times the arena of one lane");
        sct_plan_destroy(&p);
        test_vit_free(&t);
    }
    expect(bytes[0] == bytes[1] && bytes[0] > 0, "the arena is the same at batch 8 and 64");
}

static void bytes_per_image(const struct test_dev *d)
{
    uint64_t bytes[3] = {0};
    for (uint32_t b = 1; b <= 3; b++) {
        struct test_vit t;
        sct_error err = SCT_ERROR_INIT;
        const struct sct_plan_opts o = {.micro_batch = b, .slots = 2};
        expect(test_vit_build(&t, 16, 3, 0, 0, &err) == 0, "model");
        struct sct_plan *p = plan_of(&t, d, &o);
        for (uint32_t v = 1; p && v < p->g->n_value; v++) {
            const struct sct_pvalue *x = &p->val[v];
            if (x->root == v && x->scope == SCT_LANE && x->first <= x->last)
                bytes[b - 1] += sct_plan_bytes(p, v);
        }
        sct_plan_destroy(&p);
        test_vit_free(&t);
    }
    expect(bytes[1] == 2 * bytes[0] && bytes[2] == 3 * bytes[0],
           "values of b images take b times the bytes of one");
}

static void placement(const struct test_dev *d)
{
    struct test_vit t;
    sct_error err = SCT_ERROR_INIT;
    const struct sct_plan_opts o = {.micro_batch = 2};
    expect(test_vit_build(&t, 8, 4, 1, 0.2f, &err) == 0, "model");
    struct sct_plan *p = plan_of(&t, d, &o);
    int overlap = 0, odd = 0;
    for (uint32_t a = 1; p && a < p->g->n_value; a++) {
        const struct sct_pvalue *x = &p->val[a];
        if (x->root != a || x->scope != SCT_LANE || x->first > x->last ||
            p->g->value[a].removed)
            continue;
        odd += x->place.off % SCT_ALIGN != 0;
        for (uint32_t b = a + 1; b < p->g->n_value; b++) {
            const struct sct_pvalue *y = &p->val[b];
            if (y->root != b || y->scope != SCT_LANE || y->first > y->last ||
                p->g->value[b].removed || y->place.buf != x->place.buf)
                continue;
            overlap += x->first <= y->last && y->first <= x->last &&
                       x->place.off < y->place.off + y->place.len &&
                       y->place.off < x->place.off + x->place.len;
        }
    }
    expect(p && overlap == 0, "no two values that live at once overlap");
    expect(p && odd == 0, "offsets are aligned");
    /* alignment of small tensors may cost a little beyond the bound */
    expect(p && (double)lane_bytes(p) <= 1.05 * (double)p->lane_need + 64.0 * SCT_ALIGN,
           "the arena is within 1.05 of the liveness bound");
    sct_plan_destroy(&p);
    test_vit_free(&t);
}

/* ---- segments ---- */

/* w -= lr dw, dw = 1 whatever the images: the images of the step still see the old w. And what
 * mixes a value of one image with a sum over all of them is refused. */
static void segments(const struct test_dev *d)
{
    const uint32_t dw[2] = {3, 4}, dx[2] = {2, 4};
    struct sct_tensor w = {.name = "w", .desc = sct_desc_make(SCT_F32, 2, dw), .mutable = true};
    struct sct_tensor buf = w;
    buf.name = "optim.m.w";
    const struct sct_sgd_params sgd = {.lr_mult = 1.0f};
    for (int mixed = 0; mixed < 2; mixed++) {
        sct_error err = SCT_ERROR_INIT;
        const struct sct_plan_opts o = {0};
        struct sct_graph *g = sct_graph_create(1, 2);
        struct sct_builder *b = sct_graph_builder(g);
        struct sct_plan *p = NULL;
        const sct_val x = sct_feed(b, sct_graph_input(g, "x", SCT_F32, 2, dx));
        const sct_val t = sct_graph_tensor(g, &w), y = sct_linear(b, x, t, sct_none());
        const sct_val sum = sct_slot_sum(b, sct_sum_to(b, sct_zero(b, 1, dw), y));
        sct_graph_output(g, sct_emit_rows(b, mixed ? sct_add(b, y, sum) : y), "y");
        (void)sct_sgd(b, t, sct_graph_tensor(g, &buf), sct_fill_like(b, t, 1.0f), sct_none(),
                      &sgd);
        const sct_status rc = sct_plan_create(&p, g, d->be, d->dev, &d->info, &o, &err);
        if (mixed)
            expect(rc == SCT_EINVAL && strstr(err.msg, "one sample"),
                   "a value of one image and a sum over all are not added");
        uint32_t in_epilogue = 0;
        for (uint32_t n = 0; p && n < p->g->n_node; n++)
            in_epilogue += p->g->node[n].op == SCT_OP_SGD && p->node[n].seg == SCT_SEG_EPILOGUE;
        if (!mixed)
            expect(rc == SCT_OK && in_epilogue == 1,
                   "an update runs after the images, whatever it depends on");
        if (rc != SCT_OK && !mixed)
            printf("     %s\n", err.msg);
        sct_plan_destroy(&p);
        sct_graph_destroy(&g);
    }
}

/* ---- recomputation ---- */

/* Forward nodes of the body and their clones in the backward pass; bytes of a lane. */
static uint64_t clones(const struct test_dev *d, uint32_t depth, uint32_t checkpoint,
                       uint32_t *again)
{
    struct test_vit t;
    sct_error err = SCT_ERROR_INIT;
    const struct sct_plan_opts o = {.micro_batch = 2, .checkpoint = checkpoint};
    uint64_t bytes = 0;
    expect(test_vit_build(&t, 8, depth, 1, 0.2f, &err) == 0, "model");
    struct sct_plan *p = plan_of(&t, d, &o);
    *again = 0;
    for (uint32_t n = 0; p && n < p->g->n_node; n++)
        *again +=
            p->g->node[n].phase == SCT_PHASE_BACKWARD &&
            (p->g->node[n].op == SCT_OP_ATTENTION || p->g->node[n].op == SCT_OP_LAYERNORM);
    if (p)
        bytes = lane_bytes(p);
    sct_plan_destroy(&p);
    test_vit_free(&t);
    return bytes;
}

/* All blocks but the last are run again, and a block more costs what lies between two blocks.
 */
static void recomputation(const struct test_dev *d)
{
    uint32_t again[4];
    const uint64_t six = clones(d, 6, SCT_CHECKPOINT_BLOCK, &again[0]);
    const uint64_t seven = clones(d, 7, SCT_CHECKPOINT_BLOCK, &again[1]);
    const uint64_t all6 = clones(d, 6, SCT_CHECKPOINT_NONE, &again[2]);
    const uint64_t all7 = clones(d, 7, SCT_CHECKPOINT_NONE, &again[3]);
    expect(again[0] == 3 * 5 && again[1] == 3 * 6 && again[2] == 0 && again[3] == 0,
           "one attention and two norms of every block but the last run again");
    printf("     a block more: %llu bytes, without recomputation %llu\n",
           (unsigned long long)(seven - six), (unsigned long long)(all7 - all6));
    expect(seven > six && 8 * (seven - six) < all7 - all6, "what a block keeps is an eighth");
}

/* ---- same bits ---- */

struct variant {
    const char *threads;
    uint32_t b, lanes, checkpoint;
};

static int run_variant(const char *backend, const struct variant *v, int full, float *loss,
                       uint64_t *sum)
{
    struct test_dev d;
    struct test_vit t;
    sct_error err = SCT_ERROR_INIT;
    const struct sct_plan_opts o = {
        .micro_batch = v->b, .lanes = v->lanes, .checkpoint = v->checkpoint};
    if (!open_or_die(&d, backend, v->threads))
        return 0;
    int ok = test_vit_build(&t, 13, 3, full, 0.3f, &err) == 0 &&
             test_vit_train(&t, d.be, d.dev, &d.info, &o, 11, 3, loss, sum, &err) == SCT_OK;
    if (!ok)
        printf("FAIL %s\n", err.msg);
    test_vit_free(&t);
    test_dev_close(&d);
    return ok;
}

static void same_bits(const char *backend)
{
    static const struct variant v[] = {
        {"threads=1", 1, 0, SCT_CHECKPOINT_NONE},  {"threads=2", 1, 0, SCT_CHECKPOINT_NONE},
        {"threads=3", 1, 0, SCT_CHECKPOINT_NONE},  {"threads=2", 2, 0, SCT_CHECKPOINT_NONE},
        {"threads=2", 3, 0, SCT_CHECKPOINT_NONE},  {"threads=3", 2, 1, SCT_CHECKPOINT_NONE},
        {"threads=2", 1, 0, SCT_CHECKPOINT_BLOCK}, {"threads=1", 3, 0, SCT_CHECKPOINT_BLOCK},
    };
    for (int full = 0; full < 2; full++) {
        float loss[3], first[3];
        uint64_t sum = 0, want = 0;
        for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
            char what[128];
            const int ok = run_variant(backend, &v[i], full, loss, &sum);
            if (i == 0) {
                want = sum;
                memcpy(first, loss, sizeof first);
            }
            (void)snprintf(what, sizeof what, "%s: %s, b %u, lanes %u%s: same bits",
                           full ? "full" : "some", v[i].threads, v[i].b, v[i].lanes,
                           v[i].checkpoint ? ", recompute" : "");
            expect(ok && sum == want && memcmp(loss, first, sizeof loss) == 0, what);
        }
        expect(isfinite(first[2]) && fabsf(first[2] - first[0]) > 1e-6f, "the loss moves");
    }
}

/* Devices that may differ in the last bits between shapes: two runs alike must not. */
static void repeatable(const char *backend)
{
    const struct variant v = {NULL, 2, 0, SCT_CHECKPOINT_NONE};
    float a[3], b[3];
    uint64_t sa = 1, sb = 2;
    const int ok = run_variant(backend, &v, 1, a, &sa) && run_variant(backend, &v, 1, b, &sb);
    expect(ok && sa == sb, "two runs give the same bits");
}

/* ---- gradients over b ---- */

/* Of every trained tensor ||a - b|| / ||b||: the largest, and whose. The true gradient of the
 * keys' bias is zero, as softmax does not see it; what remains there is noise. */
static double grads_off(const struct sct_model *m, const float *a, const float *b,
                        const char **which)
{
    double most = -1;
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        if (!p->trainable)
            continue;
        const uint64_t n = sct_desc_count(&p->t->desc);
        const bool keys = strstr(p->name, "attn.qkv.bias") != NULL;
        double off = 0, norm = 0;
        for (uint64_t k = 0; k < n; k++) {
            const double d = (double)a[k] - (double)b[k];
            if (keys && k >= n / 3 && k < 2 * n / 3)
                continue;
            off += d * d;
            norm += (double)b[k] * (double)b[k];
        }
        off = norm > 0 ? sqrt(off / norm) : 1.0;
        if (!(off <= most)) {
            most = off;
            *which = p->name;
        }
        a += n;
        b += n;
    }
    return most;
}

/* Any number of images at a time gives the same gradients of one step to 1e-6. */
static void gradients_over_b(const char *backend, const char *option)
{
    static float want[VIT_MAX_GRADS], have[VIT_MAX_GRADS];
    const uint32_t size[] = {1, 2, 3, 13};
    struct test_dev d;
    struct test_vit t;
    sct_error err = SCT_ERROR_INIT;
    if (!open_or_die(&d, backend, option))
        return;
    sct_status rc = test_vit_build(&t, 13, 3, 1, 0.3f, &err) == 0 ? SCT_OK
                    : err.code                                    ? err.code
                                                                  : SCT_EFAIL;
    for (size_t i = 0; i < sizeof size / sizeof size[0] && rc == SCT_OK; i++) {
        const struct sct_plan_opts o = {.micro_batch = size[i], .slots = 1};
        char what[160];
        const char *which = "-";
        uint32_t b = 0;
        rc = test_vit_grads(&t, d.be, d.dev, &d.info, &o, 11, have, &b, &err);
        if (i == 0)
            memcpy(want, have, sizeof want);
        const double off = grads_off(t.m, have, want, &which);
        (void)snprintf(what, sizeof what,
                       "%s, b %u: gradients as of single images, off by %.1e: %s",
                       option ? option : backend, size[i], off, which);
        expect(rc == SCT_OK && b == size[i] && off <= 1e-6, what);
    }
    if (rc != SCT_OK)
        printf("FAIL %s\n", err.msg);
    failures += rc != SCT_OK;
    test_vit_free(&t);
    test_dev_close(&d);
}

/* ---- what the host reads ---- */

static const struct sct_backend *inner;
static uint64_t n_reads, read_bytes;

static sct_status counting_read(sct_device *dev, const sct_buf *b, uint64_t off, void *dst,
                                uint64_t n, sct_error *err)
{
    n_reads++;
    read_bytes += n;
    return inner->read(dev, b, off, dst, n, err);
}

static void host_reads(const struct test_dev *d)
{
    struct test_vit t;
    sct_error err = SCT_ERROR_INIT;
    struct sct_backend outer = *d->be;
    const struct sct_plan_opts o = {0};
    float loss[4];
    inner = d->be;
    outer.read = counting_read;
    expect(test_vit_build(&t, 8, 2, 1, 0, &err) == 0, "model");
    n_reads = read_bytes = 0;
    expect(test_vit_train(&t, &outer, d->dev, &d->info, &o, 8, 4, loss, NULL, &err) == SCT_OK,
           "four steps");
    expect(n_reads == 4 && read_bytes == 16, "the host reads nothing per step but the loss");
    test_vit_free(&t);
}

/* ---- a backend without rows ---- */

static sct_status refuse(sct_device *d, const struct sct_opdesc *o, struct sct_choice *c,
                         sct_error *err)
{
    (void)d, (void)o, (void)c;
    return sct_fail(err, SCT_EUNSUP, "%0200d", 1);
}

/* The count that the list in msg gives for an op; 0: none. */
static unsigned long listed(const char *msg, const char *op)
{
    const size_t n = strlen(op);
    for (const char *l = strchr(msg, '\n'); l; l = strchr(l + 1, '\n')) {
        char *end;
        const unsigned long count = strtoul(l + 1, &end, 10);
        if (end > l + 1 && strncmp(end + 1, op, n) == 0 && (!end[n + 1] || end[n + 1] == ' '))
            return count;
    }
    return 0;
}

/* The error names every op once with its count, whatever its reasons take, and says what to do.
 */
static void unsupported(const struct test_dev *d)
{
    struct test_vit t;
    sct_error err = SCT_ERROR_INIT;
    const struct sct_plan_opts o = {.micro_batch = 1, .no_fuse = true};
    struct sct_plan *p = NULL;
    expect(test_vit_build(&t, 4, 3, 0, 0, &err) == 0, "model");
    struct sct_backend poor = *d->be;
    poor.name = "a backend whose name is not at all short";
    poor.probe = refuse;
    expect(sct_plan_create(&p, t.g, &poor, d->dev, &d->info, &o, &err) == SCT_EUNSUP,
           "no row, no plan");
    expect(!p && strstr(err.msg, "use another --backend"), "the advice is there");
    expect(strlen(err.msg) + 1 < sizeof err.msg, "the message ends where it should");
    expect(strstr(err.msg, " (input)") != NULL, "with the first site");
    p = plan_of(&t, d, &o);
    unsigned long count[SCT_OP_COUNT] = {0};
    for (uint32_t n = 0; p && n < p->g->n_node; n++)
        if (!p->node[n].view && p->g->node[n].op != SCT_OP_PACK)
            count[p->g->node[n].op]++;
    for (uint32_t op = SCT_OP_NONE + 1; p && op < SCT_OP_COUNT; op++)
        if (count[op] != listed(err.msg, sct_op_info(op)->name)) {
            expect(0, sct_op_info(op)->name);
            printf("%s\n", err.msg);
        }
    sct_plan_destroy(&p);
    test_vit_free(&t);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "ref";
    struct test_dev d;
    test_dev_init();
    if (!open_or_die(&d, backend, "threads=2"))
        return 77;
    if (argc > 2) {
        test_dev_close(&d);
        gradients_over_b(backend, argv[2]);
        return failures != 0;
    }
    if (strcmp(backend, "opencl") != 0)
        activation_bytes(&d);
    bytes_per_image(&d);
    placement(&d);
    segments(&d);
    recomputation(&d);
    host_reads(&d);
    unsupported(&d);
    test_dev_close(&d);
    if (strcmp(backend, "opencl") != 0)
        same_bits(backend);
    else
        repeatable(backend);
    gradients_over_b(backend, NULL);
    return failures != 0;
}
