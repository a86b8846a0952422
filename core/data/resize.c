/* SPDX-License-Identifier: MIT
 * resize.c - weights and passes of Pillow's resampling.
 * Built without contraction: a fused multiply-add can flip a 22-bit rounding. */
#include "core/data/resize.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/image_codec.h"

#define WEIGHT_BITS 22
#define PI          3.14159265358979323846

static double kernel_sinc(double t)
{
    return t == 0.0 ? 1.0 : sin(PI * t) / (PI * t);
}

static double kernel_cubic(double t)
{
    const double a = -0.5;
    t = fabs(t);
    if (t < 1.0)
        return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    if (t < 2.0)
        return (((t - 5.0) * t + 8.0) * t - 4.0) * a;
    return 0.0;
}

static double kernel_at(enum sct_filter filter, double t)
{
    switch (filter) {
    case SCT_FILTER_BOX:
        return t > -0.5 && t <= 0.5 ? 1.0 : 0.0;
    case SCT_FILTER_BILINEAR:
        t = fabs(t);
        return t < 1.0 ? 1.0 - t : 0.0;
    case SCT_FILTER_HAMMING:
        t = fabs(t);
        if (t == 0.0)
            return 1.0;
        if (t >= 1.0)
            return 0.0;
        t *= PI;
        return sin(t) / t *
               ((double)0.54f + (double)0.46f * cos(t)); /* Pillow: float constants */
    case SCT_FILTER_BICUBIC:
        return kernel_cubic(t);
    case SCT_FILTER_LANCZOS:
        return t >= -3.0 && t < 3.0 ? kernel_sinc(t) * kernel_sinc(t / 3.0) : 0.0;
    }
    return 0.0;
}

static double kernel_support(enum sct_filter filter)
{
    switch (filter) {
    case SCT_FILTER_BOX:
        return 0.5;
    case SCT_FILTER_BILINEAR:
    case SCT_FILTER_HAMMING:
        return 1.0;
    case SCT_FILTER_BICUBIC:
        return 2.0;
    case SCT_FILTER_LANCZOS:
        return 3.0;
    }
    return 0.0;
}

static void axis_fini(struct sct_resize_taps *a)
{
    sct_free(a->first);
    sct_free(a->k);
    memset(a, 0, sizeof *a);
}

/* Truncation of center -+ support + 0.5, in range for a side of at most SCT_IMAGE_MAX_SIDE. */
static void axis_weights(struct sct_resize_taps *a, uint32_t i, enum sct_filter filter,
                         double center, double support, double inv, uint32_t in)
{
    const int32_t lo = (int32_t)(center - support + 0.5);
    const int32_t hi = (int32_t)(center + support + 0.5);
    const uint32_t first = lo < 0 ? 0u : (uint32_t)lo;
    const uint32_t end = hi > (int32_t)in ? in : (uint32_t)hi;
    const uint32_t count = end - first;
    int32_t *k = a->k + (size_t)i * a->ksize;
    double sum = 0.0;
    for (uint32_t j = 0; j < count; j++)
        sum += kernel_at(filter, ((double)(j + first) - center + 0.5) * inv);
    for (uint32_t j = 0; j < count; j++) {
        const double t = kernel_at(filter, ((double)(j + first) - center + 0.5) * inv);
        const double w = sum != 0.0 ? t / sum : t;
        k[j] = (int32_t)(w * (double)(1 << WEIGHT_BITS) + (w < 0.0 ? -0.5 : 0.5));
    }
    a->first[i] = first;
    a->count[i] = count;
}

static sct_status axis_init(struct sct_resize_taps *a, enum sct_filter filter, uint32_t in,
                            uint32_t out, uint32_t lo, uint32_t n, sct_error *err)
{
    const double scale = (double)in / (double)out;
    const double stretch = scale < 1.0 ? 1.0 : scale;
    const double support = kernel_support(filter) * stretch;
    memset(a, 0, sizeof *a);
    a->n = n;
    a->ksize = ((uint32_t)ceil(support) * 2 + 1 + 3) & ~3u; /* a multiple of 4 */
    a->first = sct_calloc(n, 2 * sizeof *a->first);
    a->k = sct_calloc(n, a->ksize * sizeof *a->k);
    if (!a->first || !a->k) {
        axis_fini(a);
        return sct_fail(err, SCT_ENOMEM, "resize: out of memory for the weights of %u pixels",
                        (unsigned)n);
    }
    a->count = a->first + n;
    for (uint32_t i = 0; i < n; i++)
        axis_weights(a, i, filter, ((double)(i + lo) + 0.5) * scale, support, 1.0 / stretch,
                     in);
    return SCT_OK;
}

/* Source pixels that an axis reads: [*lo, *hi). Both bounds grow with the output. */
static void axis_range(const struct sct_resize_taps *a, uint32_t *lo, uint32_t *hi)
{
    *lo = a->first[0];
    *hi = a->first[a->n - 1] + a->count[a->n - 1];
}

struct job {
    const struct sct_resize_rows *rows;
    const struct sct_image *src;
    struct sct_window win;
    struct sct_resize_taps x, y;
    uint8_t *tmp;
};

static uint8_t *temp(struct job *j, size_t pixels, sct_error *err)
{
    j->tmp = sct_alloc(pixels * 3);
    if (!j->tmp)
        (void)sct_fail(err, SCT_ENOMEM, "resize: out of memory for %zu pixels", pixels);
    return j->tmp;
}

static void pass_x(const struct job *j, uint8_t *dst, const uint8_t *src, uint32_t src_w,
                   uint32_t rows)
{
    j->rows->horizontal(dst, src, src_w, rows, &j->x);
}

/* src row 0 is row `base` of the picture the axis was made for. */
static void pass_y(const struct job *j, uint8_t *dst, const uint8_t *src, size_t stride,
                   size_t bytes, uint32_t base)
{
    for (uint32_t r = 0; r < j->y.n; r++)
        j->rows->vertical(dst + r * bytes, src + (j->y.first[r] - base) * stride, stride, bytes,
                          j->y.count[r], j->y.k + (size_t)r * j->y.ksize);
}

static sct_status run_x_then_y(struct job *j, uint8_t *dst, sct_error *err)
{
    const size_t stride = (size_t)j->src->w * 3, bytes = (size_t)j->win.w * 3;
    uint32_t lo, hi;
    axis_range(&j->y, &lo, &hi);
    if (!temp(j, (size_t)(hi - lo) * j->win.w, err))
        return SCT_ENOMEM;
    pass_x(j, j->tmp, j->src->rgb + lo * stride, j->src->w, hi - lo);
    pass_y(j, dst, j->tmp, bytes, bytes, lo);
    return SCT_OK;
}

static sct_status run_y_then_x(struct job *j, uint8_t *dst, sct_error *err)
{
    const size_t stride = (size_t)j->src->w * 3;
    if (!temp(j, (size_t)j->win.h * j->src->w, err))
        return SCT_ENOMEM;
    pass_y(j, j->tmp, j->src->rgb, stride, stride, 0);
    pass_x(j, dst, j->tmp, j->src->w, j->win.h);
    return SCT_OK;
}

static bool vertical_first(const struct sct_image *src, uint32_t w, uint32_t h,
                           enum sct_pass_order order)
{
    switch (order) {
    case SCT_PASS_HORIZONTAL:
        return false;
    case SCT_PASS_PILLOW_12:
        return src->h > 100 * (uint64_t)src->w && h < src->h;
    case SCT_PASS_PILLOW_13: {
        const int64_t lost_y = (int64_t)src->h - (int64_t)h;
        const int64_t lost_x = (int64_t)src->w - (int64_t)w;
        return lost_y > 0 && lost_y > 2 * lost_x;
    }
    }
    return false;
}

/* A side that keeps its size has no pass. */
static sct_status run(struct job *j, uint8_t *dst, uint32_t w, uint32_t h, bool y_first,
                      sct_error *err)
{
    const struct sct_image *src = j->src;
    const size_t stride = (size_t)src->w * 3, bytes = (size_t)j->win.w * 3;
    const bool need_x = src->w != w, need_y = src->h != h;
    if (need_x && need_y)
        return y_first ? run_y_then_x(j, dst, err) : run_x_then_y(j, dst, err);
    const uint8_t *rows = src->rgb + j->win.y * stride;
    if (need_x)
        pass_x(j, dst, rows, src->w, j->win.h);
    else if (need_y)
        pass_y(j, dst, src->rgb + (size_t)j->win.x * 3, stride, bytes, 0);
    else
        for (uint32_t r = 0; r < j->win.h; r++)
            memcpy(dst + r * bytes, rows + r * stride + (size_t)j->win.x * 3, bytes);
    return SCT_OK;
}

sct_status sct_resize_with(const struct sct_resize_rows *rows, uint8_t *dst,
                           const struct sct_image *src, uint32_t w, uint32_t h,
                           const struct sct_window *win, enum sct_filter filter,
                           enum sct_pass_order order, sct_error *err)
{
    struct job j = {.rows = rows, .src = src, .win = {0, 0, w, h}};
    SCT_TRY(sct_image_check_size(src->w, src->h, "resize source", err));
    SCT_TRY(sct_image_check_size(w, h, "resize result", err));
    if (win)
        j.win = *win;
    if (j.win.w == 0 || j.win.h == 0 || j.win.w > w || j.win.x > w - j.win.w || j.win.h > h ||
        j.win.y > h - j.win.h)
        return sct_fail(err, SCT_EINVAL,
                        "resize: window of %u x %u at (%u, %u) is not inside %u x %u pixels",
                        (unsigned)j.win.w, (unsigned)j.win.h, (unsigned)j.win.x,
                        (unsigned)j.win.y, (unsigned)w, (unsigned)h);
    sct_status rc = axis_init(&j.x, filter, src->w, w, j.win.x, j.win.w, err);
    if (rc == SCT_OK)
        rc = axis_init(&j.y, filter, src->h, h, j.win.y, j.win.h, err);
    if (rc == SCT_OK)
        rc = run(&j, dst, w, h, vertical_first(src, w, h, order), err);
    axis_fini(&j.x);
    axis_fini(&j.y);
    sct_free(j.tmp);
    return rc;
}

sct_status sct_resize(uint8_t *dst, const struct sct_image *src, uint32_t w, uint32_t h,
                      const struct sct_window *win, enum sct_filter filter,
                      enum sct_pass_order order, sct_error *err)
{
    return sct_resize_with(sct_resize_rows_best(), dst, src, w, h, win, filter, order, err);
}

void sct_resize_short_side(uint32_t w, uint32_t h, uint32_t side, uint32_t *out_w,
                           uint32_t *out_h)
{
    const uint64_t lo = w < h ? w : h, hi = w < h ? h : w;
    const uint32_t far = lo ? (uint32_t)(side * hi / lo) : 0;
    *out_w = w <= h ? side : far;
    *out_h = w <= h ? far : side;
}

uint32_t sct_center_offset(uint32_t size, uint32_t crop)
{
    const uint32_t d = size - crop, half = d / 2;
    return half + ((d & 1) && (half & 1)); /* x.5 goes to the even neighbour */
}
