/* SPDX-License-Identifier: MIT
 * stats.c - mean, deviation, paired t-test, Holm's correction. */
#include "core/ablate/stats.h"

#include <math.h>

void sct_stats_mean(const double *x, uint32_t n, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i];
    *mean = n ? sum / n : (double)NAN;
    for (uint32_t i = 0; i < n; i++)
        squares += (x[i] - *mean) * (x[i] - *mean);
    *deviation = n > 1 ? sqrt(squares / (n - 1)) : (double)NAN;
}

/* The fraction itself; converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 10000; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        const double part[2] = {even, odd};
        double step = 1;
        for (int k = 0; k < 2; k++) {
            d = 1 + part[k] * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + part[k] / c;
            c = fabs(c) < tiny ? tiny : c;
            step = c * d;
            f *= step;
        }
        if (fabs(step - 1) < 1e-15)
            break;
    }
    return f;
}

double sct_stats_beta(double a, double b, double x)
{
    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    const double front =
        exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double sct_stats_student(double t, double df)
{
    if (isnan(t) || !(df > 0))
        return NAN;
    return sct_stats_beta(df / 2, 0.5, df / (df + t * t));
}

struct sct_paired sct_stats_paired(const double *d, uint32_t n)
{
    struct sct_paired r = {n, 0, NAN, NAN};
    double deviation;
    sct_stats_mean(d, n, &r.mean, &deviation);
    if (n < 2)
        return r;
    if (deviation > 0) {
        r.t = r.mean / (deviation / sqrt(n));
        r.p = sct_stats_student(r.t, n - 1.0);
    } else if (!(r.mean > 0 || r.mean < 0)) {
        r.t = 0; /* no pair differs */
        r.p = 1;
    }
    return r;
}

/* How many of p come before p[i]: smaller ones, and equal ones that stand earlier. */
static uint32_t rank_of(const double *p, uint32_t n, uint32_t i)
{
    uint32_t rank = 0;
    for (uint32_t j = 0; j < n; j++)
        rank += p[j] < p[i] || (!(p[j] > p[i]) && !isnan(p[j]) && j < i);
    return rank;
}

void sct_stats_holm(const double *p, double *out, uint32_t n)
{
    uint32_t m = 0;
    double least = 0; /* what was corrected never falls */
    for (uint32_t i = 0; i < n; i++) {
        m += isnan(p[i]) ? 0 : 1;
        out[i] = isnan(p[i]) ? (double)NAN
                             : -1.0 - rank_of(p, n, i); /* a rank, below 0 till its turn */
    }
    for (uint32_t k = 0; k < m; k++) {
        uint32_t i = 0;
        while (isnan(out[i]) || out[i] > -1.0 - k || out[i] < -1.0 - k)
            i++;
        const double v = p[i] * (m - k);
        least = v > least ? v : least;
        out[i] = least > 1 ? 1 : least;
    }
}
