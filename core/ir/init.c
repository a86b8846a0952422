/* SPDX-License-Identifier: MIT
 * init.c - initialisers of parameters. Values depend on seed, name and element alone, so adding
 * a parameter does not change another one's start. docs/formats.md, "Random numbers". */
#include <math.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/ir/model.h"
#include "kernels/philox.h"

/* Two uniforms in (0, 1) of 32 bits for pair n: element 2n and 2n + 1. */
static void uniforms(uint64_t seed, uint64_t key, uint64_t n, uint64_t step, double u[2])
{
    uint32_t w[4];
    philox_block(seed, key, step, n, w);
    u[0] = ((double)w[0] + 0.5) * 0x1p-32;
    u[1] = ((double)w[1] + 0.5) * 0x1p-32;
}

/* Box and Muller 1958: one normal number per element; a draw outside +-2 (absolute, as timm's
 * trunc_normal_) is drawn again with the next step when `truncated`. */
static double normal(uint64_t seed, uint64_t key, uint64_t e, double mean, double std,
                     int truncated)
{
    double x = 0;
    for (uint64_t step = 0; step < 64; step++) {
        double u[2];
        uniforms(seed, key, e, step, u);
        x = mean + std * sqrt(-2.0 * log(u[0])) * cos(6.283185307179586477 * u[1]);
        if (!truncated || (x >= -2.0 && x <= 2.0))
            break;
    }
    return x;
}

static double uniform(uint64_t seed, uint64_t key, uint64_t e, double lo, double hi)
{
    double u[2];
    uniforms(seed, key, e, 0, u);
    return lo + (hi - lo) * u[0];
}

struct spec {
    char name[24];
    double arg[2];
    int n;
};

static int parse(const char *init, struct spec *s)
{
    int end = 0; /* characters read when the closing bracket was there */
    memset(s, 0, sizeof *s);
    if (sscanf(init, "%23[a-z_](%lf,%lf)%n", s->name, &s->arg[0], &s->arg[1], &end) == 3 && end)
        s->n = 2;
    else if (sscanf(init, "%23[a-z_](%lf)%n", s->name, &s->arg[0], &end) == 2 && end)
        s->n = 1;
    else if (sscanf(init, "%23[a-z_]%n", s->name, &end) == 1 && end)
        s->n = 0;
    return end && !init[end];
}

/* Inputs of a weight [out][in..]; of a vector its length. */
static double fan_in(const struct sct_desc *d)
{
    double n = 1;
    for (uint32_t i = d->nd > 1 ? 1 : 0; i < d->nd; i++)
        n *= d->dim[i];
    return n;
}

/* Outputs of a weight [out][in..], as torch counts them: with the kernel's elements. */
static double fan_out(const struct sct_desc *d)
{
    return d->nd > 1 ? fan_in(d) / d->dim[1] * d->dim[0] : 1;
}

/* Element e of [out][in][k..]: 1 at the centre of the kernel of channel c for channel c. */
static double dirac(const struct sct_desc *d, uint64_t e)
{
    uint64_t centre = 0, taps = 1;
    for (uint32_t i = 2; i < d->nd; i++) {
        centre = centre * d->dim[i] + d->dim[i] / 2;
        taps *= d->dim[i];
    }
    return e % taps == centre && e / taps / d->dim[1] == e / taps % d->dim[1];
}

sct_status sct_init_fill(const char *init, uint64_t seed, const char *name,
                         const struct sct_desc *d, float *dst, sct_error *err)
{
    struct spec s;
    const uint64_t n = sct_desc_count(d), key = sct_hash_str(SCT_HASH_INIT, name);

    enum { CONST, NORMAL, TRUNC, UNIFORM, DIRAC } kind;

    double a = 0, b = 0;
    const int ok = parse(init, &s);
    if (ok && strcmp(s.name, "zeros") == 0 && s.n == 0) {
        kind = CONST;
    } else if (ok && strcmp(s.name, "ones") == 0 && s.n == 0) {
        kind = CONST;
        a = 1;
    } else if (ok && strcmp(s.name, "constant") == 0 && s.n == 1) {
        kind = CONST;
        a = s.arg[0];
    } else if (ok && strcmp(s.name, "normal") == 0 && s.n == 2) {
        kind = NORMAL;
        a = s.arg[0];
        b = s.arg[1];
    } else if (ok && strcmp(s.name, "trunc_normal") == 0 && s.n == 1) {
        kind = TRUNC;
        b = s.arg[0];
    } else if (ok && strcmp(s.name, "uniform") == 0 && s.n == 2) {
        kind = UNIFORM;
        a = s.arg[0];
        b = s.arg[1];
    } else if (ok && strcmp(s.name, "kaiming_uniform") == 0 && s.n == 1) {
        /* torch.nn.init.kaiming_uniform_: bound = sqrt(3) * sqrt(2 / (1 + a^2)) / sqrt(fan_in)
         */
        kind = UNIFORM;
        b = sqrt(6.0 / ((1.0 + s.arg[0] * s.arg[0]) * fan_in(d)));
        a = -b;
    } else if (ok && strcmp(s.name, "xavier_uniform") == 0 && s.n == 0) {
        kind = UNIFORM; /* torch.nn.init.xavier_uniform_ */
        b = sqrt(6.0 / (fan_in(d) + fan_out(d)));
        a = -b;
    } else if (ok && strcmp(s.name, "dirac") == 0 && s.n == 0 && d->nd > 2) {
        kind = DIRAC; /* torch.nn.init.dirac_ */
    } else {
        return sct_fail(
            err, SCT_EINVAL,
            "%s: unknown initialiser \"%s\"; known: zeros, ones, constant(c), "
            "normal(mean, std), trunc_normal(std), uniform(lo, hi), kaiming_uniform(a), "
            "xavier_uniform, and dirac of a convolution's weight",
            name, init);
    }
    for (uint64_t e = 0; e < n; e++) {
        double x = a;
        if (kind == UNIFORM)
            x = uniform(seed, key, e, a, b);
        else if (kind == DIRAC)
            x = dirac(d, e);
        else if (kind != CONST)
            x = normal(seed, key, e, a, b, kind == TRUNC);
        dst[e] = (float)x;
    }
    return SCT_OK;
}
