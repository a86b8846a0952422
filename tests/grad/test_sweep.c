/* SPDX-License-Identifier: MIT
 * test_sweep.c - the backward sweep where something has several users: a weight of two layers;
 * a weight used directly and through another value, in both orders, some of whose gradients are
 * sums that run once a step; one vector as gain, shift and bias; a value that is squared, added
 * and multiplied. Gradients as the f64 reference backend runs them equal central differences of
 * the same nets written here in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/exec/exec.h"
#include "core/grad/grad.h"
#include "tests/support/dev.h"

enum { B = 3, C = 4, L = 3, N_W = C * C, N_V = L * C, N_PAR = N_W + C + N_V };

#define EPS 1e-2f

enum net { SHARED, DIRECT_FIRST, DIRECT_LAST, FAN_OUT, CUBE_LAST, CUBE_FIRST, TIED, NETS };

static const char *const names[NETS] = {"one weight, two layers",
                                        "a weight, and later half of it",
                                        "half of a weight, later all",
                                        "a value squared, added and multiplied",
                                        "a weight, and later its cube",
                                        "the cube of a weight, later the weight",
                                        "one gain and shift of a norm, which is a bias too"};

static float par[N_PAR], images[B * C], ones[B] = {1, 1, 1}, weight[B];
static int32_t labels[2 * B];

static void fill(void)
{
    uint32_t s = 5;
    for (int i = 0; i < N_PAR + B * C; i++) {
        s = s * 1664525u + 1013904223u;
        const float v = (float)(s >> 8 & 0xffff) / 65536.0f - 0.5f;
        if (i < N_PAR)
            par[i] = v * 1.5f;
        else
            images[i - N_PAR] = v * 3.0f;
    }
    for (int j = 0; j < B; j++) {
        labels[2 * j] = labels[2 * j + 1] = j % L;
        weight[j] = 1.0f / B;
    }
}

/* ---- in double ---- */

static void layer(const double *x, const double *w, double mul, const double *bias, int act,
                  double *y)
{
    for (int o = 0; o < C; o++) {
        y[o] = bias[o];
        for (int i = 0; i < C; i++)
            y[o] += mul * w[o * C + i] * x[i];
        if (act)
            y[o] *= 0.5 * (1 + erf(y[o] / sqrt(2.0)));
    }
}

/* w w^T w^T */
static void cube(const double *w, double *y)
{
    double s[N_W];
    for (int pass = 0; pass < 2; pass++) {
        const double *x = pass ? s : w;
        double z[N_W] = {0};
        for (int i = 0; i < C; i++)
            for (int j = 0; j < C; j++)
                for (int k = 0; k < C; k++)
                    z[i * C + j] += x[i * C + k] * w[j * C + k];
        memcpy(pass ? y : s, z, sizeof z);
    }
}

static void norm(double *x, const double *gain_and_shift)
{
    double mean = 0, var = 0;
    for (int i = 0; i < C; i++)
        mean += x[i] / C;
    for (int i = 0; i < C; i++)
        var += (x[i] - mean) * (x[i] - mean) / C;
    for (int i = 0; i < C; i++)
        x[i] = ((x[i] - mean) / sqrt(var + (double)EPS) + 1) * gain_and_shift[i];
}

static double loss_of(enum net net, const double *p)
{
    const double *w = p, *bias = p + N_W, *v = bias + C;
    double loss = 0, w3[N_W];
    cube(w, w3);
    for (int j = 0; j < B; j++) {
        double x[C], h[C], k[C], y[L], sum = 0;
        for (int i = 0; i < C; i++)
            x[i] = (double)images[j * C + i];
        layer(x, net == CUBE_FIRST ? w3 : w, net == DIRECT_LAST ? 0.5 : 1.0, bias, 1, h);
        if (net == TIED)
            norm(h, bias);
        layer(h, net == CUBE_LAST ? w3 : w, net == DIRECT_FIRST ? 0.5 : 1.0, bias,
              net != FAN_OUT, k);
        for (int i = 0; net == FAN_OUT && i < C; i++)
            k[i] += h[i] * h[i] + h[i];
        for (int c = 0; c < L; c++) {
            y[c] = 0;
            for (int i = 0; i < C; i++)
                y[c] += v[c * C + i] * k[i];
            sum += exp(y[c]);
        }
        loss -= (y[labels[2 * j]] - log(sum)) / B;
    }
    return loss;
}

/* ---- as a graph ---- */

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

static sct_val cube_of(struct sct_builder *b, sct_val w)
{
    return sct_linear(b, sct_linear(b, w, w, sct_none()), w, sct_none());
}

static sct_val hidden(struct sct_builder *b, enum net net, sct_val x, const sct_val *p)
{
    const sct_val early = net == DIRECT_LAST  ? sct_scale(b, p[0], 0.5f, 0.0f)
                          : net == CUBE_FIRST ? cube_of(b, p[0])
                                              : p[0];
    sct_val h = sct_gelu(b, sct_linear(b, x, early, p[1]), SCT_GELU_ERF);
    if (net == TIED)
        h = sct_layernorm(b, h, p[1], p[1], EPS);
    const sct_val late = net == DIRECT_FIRST ? sct_scale(b, p[0], 0.5f, 0.0f)
                         : net == CUBE_LAST  ? cube_of(b, p[0])
                                             : p[0];
    const sct_val k = sct_linear(b, h, late, p[1]);
    if (net != FAN_OUT)
        return sct_gelu(b, k, SCT_GELU_ERF);
    return sct_add(b, sct_add(b, sct_mul(b, h, h), h), k);
}

static sct_status build(enum net net, const struct sct_tensor t[3], struct sct_graph *g,
                        sct_error *err)
{
    static const char *const out[3] = {"dw", "dbias", "dv"};
    struct sct_builder *b = sct_graph_builder(g);
    const uint32_t dx[2] = {B, C}, dl[2] = {B, 2}, d1[1] = {B};
    const sct_val x = sct_feed(b, sct_graph_input(g, "images", SCT_F32, 2, dx));
    const sct_val lab = sct_feed(b, sct_graph_input(g, "labels", SCT_I32, 2, dl));
    const sct_val mix = sct_feed(b, sct_graph_input(g, "mix", SCT_F32, 1, d1));
    const sct_val wt = sct_feed(b, sct_graph_input(g, "weight", SCT_F32, 1, d1));
    sct_val p[3], grad[3];
    for (int i = 0; i < 3; i++)
        p[i] = sct_graph_tensor(g, &t[i]);
    const sct_val y = sct_linear(b, hidden(b, net, x, p), p[2], sct_none());
    /* the loss is the graph's last node, as nowhere else */
    const sct_val loss = sct_xent(b, y, lab, mix, wt, 0.0f);
    SCT_TRY(sct_grad(g, loss, p, 3, grad, err));
    for (int i = 0; i < 3; i++)
        sct_graph_output(g, grad[i], out[i]);
    return sct_graph_status(g, err);
}

static sct_status run(const struct test_dev *d, enum net net, float *grad, sct_error *err)
{
    const struct sct_tensor t[3] = {tensor("w", 2, C, C, par),
                                    tensor("bias", 1, C, 0, par + N_W),
                                    tensor("v", 2, L, C, par + N_W + C)};
    const struct sct_plan_opts o = {.slots = 1};
    const struct sct_step_state st = {7, 0, 0.0f, B};
    struct sct_store *store = sct_store_create(d->be, d->dev);
    struct sct_graph *g = sct_graph_create(1, B);
    struct sct_plan *p = NULL;
    struct sct_exec *x = NULL;
    sct_status rc = build(net, t, g, err);
    if (rc == SCT_OK)
        rc = sct_plan_create(&p, g, d->be, d->dev, &d->info, &o, err);
    if (rc == SCT_OK)
        rc = sct_exec_create(&x, &p, store, err);

    const struct {
        const char *name;
        const void *data;
    } in[] = {{"images", images}, {"labels", labels}, {"mix", ones}, {"weight", weight}};

    for (int i = 0; i < 4 && rc == SCT_OK; i++)
        rc = sct_exec_feed(x, in[i].name, in[i].data, B, err);
    if (rc == SCT_OK)
        rc = sct_exec_begin(x, &st, err);
    if (rc == SCT_OK)
        rc = sct_exec_body(x, B, err);
    if (rc == SCT_OK)
        rc = sct_exec_end(x, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(x, "dw", grad, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(x, "dbias", grad + N_W, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(x, "dv", grad + N_W + C, err);
    sct_exec_destroy(&x);
    sct_plan_destroy(&p);
    sct_graph_destroy(&g);
    sct_store_destroy(&store);
    return rc;
}

/* Central differences in double are good to about 1e-10 here, results are rounded to float. */
static int check(const struct test_dev *d, enum net net)
{
    float grad[N_PAR];
    double p[N_PAR], worst = 0, most = 0;
    sct_error err = SCT_ERROR_INIT;
    if (run(d, net, grad, &err) != SCT_OK) {
        printf("FAIL %s: %s\n", names[net], err.msg);
        return 1;
    }
    for (int i = 0; i < N_PAR; i++)
        p[i] = (double)par[i];
    for (int i = 0; i < N_PAR; i++) {
        const double h = 1e-5, at = p[i];
        p[i] = at + h;
        const double up = loss_of(net, p);
        p[i] = at - h;
        const double want = (up - loss_of(net, p)) / (2 * h);
        p[i] = at;
        worst = fmax(worst, fabs(want - (double)grad[i]));
        most = fmax(most, fabs(want));
    }
    const int ok = most > 0.01 && worst <= 1e-6 * most;
    printf("%s %s: largest gradient %.3f, worst error %.1e\n", ok ? "ok  " : "FAIL", names[net],
           most, worst);
    return !ok;
}

int main(void)
{
    struct test_dev d;
    sct_error err = SCT_ERROR_INIT;
    int bad = 0;
    test_dev_init();
    if (test_dev_open(&d, "ref", "f64=on", NULL, &err) != 0) {
        printf("FAIL %s\n", err.msg);
        return 1;
    }
    fill();
    for (int net = 0; net < NETS; net++)
        bad += check(&d, (enum net)net);
    test_dev_close(&d);
    return bad != 0;
}
