/* SPDX-License-Identifier: MIT
 * stats.h - the statistics of a table of results. Pure functions. */
#ifndef SCT_ABLATE_STATS_H
#define SCT_ABLATE_STATS_H

#include <stdint.h>

/* Mean and sample deviation (n - 1) of x[n]: NaN for n = 0 and for n < 2. */
void sct_stats_mean(const double *x, uint32_t n, double *mean, double *deviation);

/* Student's paired t-test, two-sided (Student, Biometrika 6, 1908; as scipy.stats.ttest_rel):
 * d[n] are differences of pairs. */
struct sct_paired {
    uint32_t n;
    double mean, t,
        p; /* t, p: NaN for n < 2, or where all differences are the same but not 0 */
};

struct sct_paired sct_stats_paired(const double *d, uint32_t n);

/* P(|T| >= |t|) of Student's distribution with df > 0 degrees of freedom. */
double sct_stats_student(double t, double df);
/* Regularised incomplete beta function I_x(a, b), a, b > 0, 0 <= x <= 1: the continued fraction
 * 8.17.22 of the NIST Digital Library of Mathematical Functions, by Lentz' method. */
double sct_stats_beta(double a, double b, double x);

/* Holm's correction (Scandinavian Journal of Statistics 6, 1979) of n p-values: out[n], which
 * is not p, are the smallest levels of the whole family at which each is rejected. NaN do not
 * count and stay. */
void sct_stats_holm(const double *p, double *out, uint32_t n);

#endif
