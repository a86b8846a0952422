/* SPDX-License-Identifier: MIT
 * test_two_layer.c - a two-layer net trains through a backend: slots, lanes, a trained weight
 * that is packed every step, an evaluation plan over the same store; the losses are compared
 * with a plain double implementation written here. usage: test_two_layer ref|cpu|opencl */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/exec/exec.h"
#include "core/grad/grad.h"
#include "tests/support/dev.h"

enum { B = 7, IN = 19, HID = 37, L = 5, STEPS = 12 };

static float w1[HID * IN], b1[HID], w2[L * HID], b2[L], images[B * IN];
static int32_t labels[B * 2];
static float mix[B], weight[B];

struct net {
    struct sct_tensor t[4], m[4], v[4];
    char name[12][32];
};

static float noise(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return (float)((*s >> 8) & 0xffff) / 65536.0f - 0.5f;
}

static void fill(void)
{
    uint32_t s = 1;
    for (int i = 0; i < HID * IN; i++)
        w1[i] = noise(&s);
    for (int i = 0; i < HID; i++)
        b1[i] = noise(&s) * 0.1f;
    for (int i = 0; i < L * HID; i++)
        w2[i] = noise(&s);
    for (int i = 0; i < L; i++)
        b2[i] = noise(&s) * 0.1f;
    for (int i = 0; i < B * IN; i++)
        images[i] = noise(&s) * 4.0f;
    for (int i = 0; i < B; i++) {
        labels[2 * i] = labels[2 * i + 1] = i % L;
        mix[i] = 1.0f;
        weight[i] = 1.0f / B;
    }
}

static struct sct_tensor tensor(const char *name, uint32_t nd, uint32_t d0, uint32_t d1,
                                const float *data)
{
    const uint32_t dim[2] = {d0, d1};
    struct sct_tensor t = {.name = name, .desc = sct_desc_make(SCT_F32, nd, dim)};
    t.mutable = true;
    t.load = sct_tensor_load_data;
    t.data = data;
    return t;
}

static void net_init(struct net *n)
{
    static const char *const name[4] = {"w1", "b1", "w2", "b2"};
    const float *data[4] = {w1, b1, w2, b2};
    const uint32_t dim[4][2] = {{HID, IN}, {HID, 0}, {L, HID}, {L, 0}};
    for (int i = 0; i < 4; i++) {
        const uint32_t nd = dim[i][1] ? 2 : 1;
        n->t[i] = tensor(name[i], nd, dim[i][0], dim[i][1], data[i]);
        (void)snprintf(n->name[i], sizeof n->name[i], "optim.m.%s", name[i]);
        (void)snprintf(n->name[4 + i], sizeof n->name[4 + i], "optim.v.%s", name[i]);
        n->m[i] = tensor(n->name[i], nd, dim[i][0], dim[i][1], NULL);
        n->v[i] = tensor(n->name[4 + i], nd, dim[i][0], dim[i][1], NULL);
    }
}

static struct sct_graph *build(const struct net *n, int train, sct_error *err)
{
    struct sct_graph *g = sct_graph_create(1, B);
    struct sct_builder *b = sct_graph_builder(g);
    const uint32_t dx[2] = {B, IN}, dl[2] = {B, 2}, d1[1] = {B};
    const sct_val x = sct_feed(b, sct_graph_input(g, "images", SCT_F32, 2, dx));
    sct_val p[4], grad[4];
    for (int i = 0; i < 4; i++)
        p[i] = sct_graph_tensor(g, &n->t[i]);
    sct_graph_label(g, "hidden");
    const sct_val h = sct_gelu(b, sct_linear(b, x, p[0], p[1]), SCT_GELU_ERF);
    sct_graph_label(g, "head");
    const sct_val y = sct_linear(b, h, p[2], p[3]);
    sct_graph_output(g, sct_emit_rows(b, y), "logits");
    if (!train)
        return g;
    const sct_val lab = sct_feed(b, sct_graph_input(g, "labels", SCT_I32, 2, dl));
    const sct_val mx = sct_feed(b, sct_graph_input(g, "mix", SCT_F32, 1, d1));
    const sct_val wt = sct_feed(b, sct_graph_input(g, "weight", SCT_F32, 1, d1));
    sct_graph_label(g, "loss");
    const sct_val loss = sct_xent(b, y, lab, mx, wt, 0.1f);
    sct_graph_output(g, sct_sum_all(b, sct_emit_rows(b, loss)), "loss");
    if (sct_grad(g, loss, p, 4, grad, err) != SCT_OK)
        return g;
    g->phase = SCT_PHASE_UPDATE;
    for (int i = 0; i < 4; i++) {
        const struct sct_adamw_params a = {1.0f, 0.01f, 0.9f, 0.999f, 1e-8f};
        sct_graph_label(g, "%s", n->t[i].name);
        (void)sct_adamw(b, p[i], sct_graph_tensor(g, &n->m[i]), sct_graph_tensor(g, &n->v[i]),
                        grad[i], sct_none(), &a);
    }
    return g;
}

/* ---- the same in plain double ---- */

static double P[4][HID * IN], M[4][HID * IN], V[4][HID * IN], G[4][HID * IN];
static const int size[4] = {HID * IN, HID, L *HID, L};

static void host_init(void)
{
    const float *src[4] = {w1, b1, w2, b2};
    memset(M, 0, sizeof M);
    memset(V, 0, sizeof V);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < size[k]; i++)
            P[k][i] = (double)src[k][i];
}

static double host_image(int j, double *logit)
{
    double pre[HID], act[HID], dl[L], sum = 0, most = -1e300, loss = 0;
    const float *x = images + j * IN;
    for (int o = 0; o < HID; o++) {
        pre[o] = P[1][o];
        for (int i = 0; i < IN; i++)
            pre[o] += P[0][o * IN + i] * (double)x[i];
        act[o] = 0.5 * pre[o] * (1 + erf(pre[o] / sqrt(2.0)));
    }
    for (int c = 0; c < L; c++) {
        logit[c] = P[3][c];
        for (int o = 0; o < HID; o++)
            logit[c] += P[2][c * HID + o] * act[o];
        most = logit[c] > most ? logit[c] : most;
    }
    for (int c = 0; c < L; c++)
        sum += exp(logit[c] - most);
    for (int c = 0; c < L; c++) {
        const double t = 0.9 * (c == labels[2 * j]) + 0.1 / L;
        const double logp = logit[c] - most - log(sum);
        loss -= t * logp / B;
        dl[c] = (exp(logp) - t) / B;
        G[3][c] += dl[c];
        for (int o = 0; o < HID; o++)
            G[2][c * HID + o] += dl[c] * act[o];
    }
    for (int o = 0; o < HID; o++) {
        double d = 0;
        for (int c = 0; c < L; c++)
            d += dl[c] * P[2][c * HID + o];
        d *= 0.5 * (1 + erf(pre[o] / sqrt(2.0))) +
             pre[o] * exp(-0.5 * pre[o] * pre[o]) * 0.39894228040143267794;
        G[1][o] += d;
        for (int i = 0; i < IN; i++)
            G[0][o * IN + i] += d * (double)x[i];
    }
    return loss;
}

static double host_step(int step, double lr, double logit[B][L])
{
    double loss = 0;
    memset(G, 0, sizeof G);
    for (int j = 0; j < B; j++)
        loss += host_image(j, logit[j]);
    for (int k = 0; k < 4 && step >= 0; k++) {
        for (int i = 0; i < size[k]; i++) {
            P[k][i] *= 1 - lr * 0.01;
            M[k][i] = 0.9 * M[k][i] + 0.1 * G[k][i];
            V[k][i] = 0.999 * V[k][i] + 0.001 * G[k][i] * G[k][i];
            P[k][i] -= lr / (1 - pow(0.9, step + 1)) * M[k][i] /
                       (sqrt(V[k][i] / (1 - pow(0.999, step + 1))) + 1e-8);
        }
    }
    return loss;
}

/* ---- the test ---- */

struct result {
    float loss[STEPS], logits[B * L], w1[HID * IN];
    struct sct_shape shape;
    uint32_t slots, packs;
};

static uint32_t count_packs(const struct sct_plan *p)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < p->prog.n_seg; s++)
        for (uint32_t i = 0; i < p->prog.seg[s].n; i++)
            n += p->prog.seg[s].kind == SCT_SEG_PROLOGUE &&
                 p->prog.seg[s].node[i].d.op == SCT_OP_PACK;
    return n;
}

static sct_status feed_all(struct sct_exec *x, sct_error *err)
{
    SCT_TRY(sct_exec_feed(x, "images", images, B, err));
    SCT_TRY(sct_exec_feed(x, "labels", labels, B, err));
    SCT_TRY(sct_exec_feed(x, "mix", mix, B, err));
    return sct_exec_feed(x, "weight", weight, B, err);
}

static sct_status train(struct sct_exec *x, struct result *r, sct_error *err)
{
    r->shape = sct_exec_plan(x)->shape;
    r->slots = sct_exec_plan(x)->slots;
    r->packs = count_packs(sct_exec_plan(x));
    for (uint32_t i = 0; i < STEPS; i++) {
        const struct sct_step_state st = {7, i, 0.01f, B};
        SCT_TRY(feed_all(x, err));
        SCT_TRY(sct_exec_begin(x, &st, err));
        SCT_TRY(sct_exec_body(x, B, err));
        SCT_TRY(sct_exec_end(x, err));
        SCT_TRY(sct_exec_fetch(x, "loss", &r->loss[i], err));
    }
    return SCT_OK;
}

static sct_status evaluate(struct sct_exec *x, struct result *r, sct_error *err)
{
    const struct sct_step_state st = {7, 0, 0.0f, B};
    SCT_TRY(sct_exec_feed(x, "images", images, B, err));
    SCT_TRY(sct_exec_begin(x, &st, err));
    SCT_TRY(sct_exec_body(x, B, err));
    SCT_TRY(sct_exec_end(x, err));
    return sct_exec_fetch(x, "logits", r->logits, err);
}

static sct_status run(const struct test_dev *d, uint32_t b, uint32_t slots, struct result *r,
                      sct_error *err)
{
    struct net n;
    net_init(&n);
    struct sct_store *store = sct_store_create(d->be, d->dev);
    sct_status rc = SCT_OK;
    for (int pass = 0; pass < 2 && rc == SCT_OK; pass++) {
        struct sct_plan_opts o = {.micro_batch = b, .slots = slots};
        struct sct_graph *g = build(&n, pass == 0, err);
        struct sct_plan *p = NULL;
        struct sct_exec *x = NULL;
        rc = sct_graph_status(g, err);
        if (rc == SCT_OK)
            rc = sct_plan_create(&p, g, d->be, d->dev, &d->info, &o, err);
        if (rc == SCT_OK)
            rc = sct_exec_create(&x, &p, store, err);
        if (rc == SCT_OK)
            rc = pass == 0 ? train(x, r, err) : evaluate(x, r, err);
        if (rc == SCT_OK && pass == 0)
            rc = sct_store_read(store, &n.t[0], r->w1, err);
        sct_exec_destroy(&x);
        sct_plan_destroy(&p);
        sct_graph_destroy(&g);
    }
    sct_store_destroy(&store);
    return rc;
}

static int failures;

static void expect(int ok, const char *what)
{
    printf("%s %s\n", ok ? "ok  " : "FAIL", what);
    failures += !ok;
}

static void compare_host(const struct result *r)
{
    double logit[B][L], worst = 0, off = 0;
    host_init();
    for (int i = 0; i < STEPS; i++) {
        const double want = host_step(i, 0.01, logit);
        worst = fmax(worst, fabs((double)r->loss[i] - want) / want);
    }
    (void)host_step(-1, 0, logit);
    for (int j = 0; j < B; j++)
        for (int c = 0; c < L; c++)
            off = fmax(off, fabs((double)r->logits[j * L + c] - logit[j][c]));
    printf("worst relative loss error %.2e, worst logit error %.2e\n", worst, off);
    expect(worst < 1e-5, "losses of 12 AdamW steps equal a double implementation to 1e-5");
    expect(off < 1e-4, "the evaluation plan sees the trained weights");
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "ref";
    struct test_dev d;
    sct_error err = SCT_ERROR_INIT;
    static struct result a, b;
    test_dev_init();
    if (test_dev_open(&d, backend, "threads=2", NULL, &err) != 0) {
        printf("skip: %s\n", err.msg);
        return 77;
    }
    fill();
    if (run(&d, 1, 0, &a, &err) != SCT_OK || run(&d, 3, 2, &b, &err) != SCT_OK) {
        printf("FAIL %s\n", err.msg);
        return 1;
    }
    printf("%s: lanes %u, b %u, team %u, slots %u, packs a step %u\n", backend, a.shape.lanes,
           a.shape.b, a.shape.team, a.slots, a.packs);
    compare_host(&a);
    if (strcmp(backend, "cpu") == 0) {
        expect(a.shape.lanes == 2, "two threads make two lanes");
        expect(a.packs >= 1, "a trained weight is packed in the prologue");
    }
    if (strcmp(backend, "opencl") != 0) {
        static struct result c, e;
        expect(run(&d, 2, 2, &c, &err) == SCT_OK && run(&d, 1, 2, &e, &err) == SCT_OK &&
                   memcmp(c.w1, b.w1, sizeof c.w1) == 0 && memcmp(e.w1, b.w1, sizeof e.w1) == 0,
               "1, 2 and 3 images a micro-batch give the same bits");
    }
    expect(run(&d, 1, 0, &b, &err) == SCT_OK && memcmp(a.w1, b.w1, sizeof a.w1) == 0,
           "a second run gives the same bits");
    test_dev_close(&d);
    return failures != 0;
}
