/* SPDX-License-Identifier: MIT
 * conv.cl - linear layers in groups, convolution over the grid of tokens, their gradients.
 * One chain of fma for every element of a result: taps in order, inside one the channels.
 *
 * The widths are small (8 channels in Convpass), so forward and backward take one item an
 * element of the result and not one a column; a gradient of a weight takes a group an element,
 * and its items every LANES-th token. */

/* The elements [0, N) of a result, one after the other in an item, neighbours in a group. */
#ifdef SCT_DEV_CPU
#define ITEMS(E, N) ROWS (E, N)
#else
#define ITEMS(E, N)                                                                            \
    for (ulong E = get_group_id(1) * LANES + get_local_id(0); E < (N);                         \
         E += get_num_groups(1) * LANES)
#endif

/* ---- groups: w [groups][out][in], out and in of one group ---- */

/* y [rows][groups out] */
KERNEL(LANES)

void linear_grouped(CG float *x, ulong x_off, CG float *w, ulong w_off, CG float *bias,
                    ulong bias_off, __global float *y, ulong y_off, ulong rows, uint groups,
                    uint out, uint in, uint has_bias)
{
    const uint width = groups * out;
    ITEMS (e, rows * width) {
        const uint o = (uint)(e % width);
        CG float *a = x + x_off + (e / width * groups + o / out) * in;
        CG float *b = w + w_off + (ulong)o * in;
        float s = 0.0f;
        for (uint i = 0; i < in; i++)
            s = fma(a[i], b[i], s);
        y[y_off + e] = has_bias ? s + bias[bias_off + o] : s;
    }
}

/* dx [rows][groups in] */
KERNEL(LANES)

void linear_grouped_dx(CG float *dy, ulong dy_off, CG float *w, ulong w_off, __global float *dx,
                       ulong dx_off, ulong rows, uint groups, uint out, uint in)
{
    const uint width = groups * in;
    ITEMS (e, rows * width) {
        const uint i = (uint)(e % width), g = i / in;
        CG float *a = dy + dy_off + (e / width * groups + g) * out;
        CG float *b = w + w_off + (ulong)g * out * in + i % in;
        float s = 0.0f;
        for (uint o = 0; o < out; o++)
            s = fma(a[o], b[(ulong)o * in], s);
        dx[dx_off + e] = s;
    }
}

/* acc [groups out][in] */
KERNEL(LANES)

void linear_grouped_dw(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st,
                       CG float *dy, ulong dy_off, CG float *x, ulong x_off, ulong rows,
                       uint groups, uint out, uint in)
{
    __local float red[LANES];
    __global float *to = acc + acc_off + st[ST_SLOT] * acc_slot;
    ROWS (e, (ulong)groups * out * in) {
        const ulong o = e / in, i = o / out * in + e % in;
        float s = 0.0f;
        for (ulong r = get_local_id(0); r < rows; r += LANES)
            s = fma(dy[dy_off + r * groups * out + o], x[x_off + r * groups * in + i], s);
        s = group_sum(s, red);
        if (get_local_id(0) == 0)
            to[e] += s;
    }
}

/* ---- convolution: the last h w of n tokens are a grid, those in front of it 1 x 1 each ----
 */

struct conv {
    uint n, h, w, out, in, kh, kw;
};

#define CONV_ARGS uint images, uint n, uint h, uint w, uint out, uint in, uint kh, uint kw
#define CONV_INIT                                                                              \
    {                                                                                          \
        n, h, w, out, in, kh, kw                                                               \
    }

/* The token that kernel element (a, b) meets from token t; n when there is none. */
static inline uint meets(const struct conv *c, uint t, uint a, uint b)
{
    const uint first = c->n - c->h * c->w;
    if (t < first)
        return a == c->kh / 2 && b == c->kw / 2 ? t : c->n;
    /* above and left of the grid they wrap, and are no place in it either */
    const uint y = (t - first) / c->w + a - c->kh / 2;
    const uint x = (t - first) % c->w + b - c->kw / 2;
    return y < c->h && x < c->w ? first + y * c->w + x : c->n;
}

/* y [images][n][out] of x [images][n][in] */
KERNEL(LANES)

void conv_grid(CG float *x, ulong x_off, CG float *kernel_, ulong kernel_off, CG float *bias,
               ulong bias_off, __global float *y, ulong y_off, CONV_ARGS, uint has_bias)
{
    const struct conv c = CONV_INIT;
    const uint taps = kh * kw;
    ITEMS (e, (ulong)images * n * out) {
        const uint o = (uint)(e % out);
        const ulong row = e / out;
        CG float *a = x + x_off + row / n * n * in;
        CG float *k = kernel_ + kernel_off + (ulong)o * in * taps;
        float s = 0.0f;
        for (uint t = 0; t < taps; t++) {
            const uint to = meets(&c, (uint)(row % n), t / kw, t % kw);
            for (uint i = 0; to < n && i < in; i++)
                s = fma(a[(ulong)to * in + i], k[(ulong)i * taps + t], s);
        }
        y[y_off + e] = has_bias ? s + bias[bias_off + o] : s;
    }
}

/* dx [images][n][in] of dy [images][n][out]: the kernel turned round */
KERNEL(LANES)

void conv_grid_dx(CG float *dy, ulong dy_off, CG float *kernel_, ulong kernel_off,
                  __global float *dx, ulong dx_off, CONV_ARGS)
{
    const struct conv c = CONV_INIT;
    const uint taps = kh * kw;
    ITEMS (e, (ulong)images * n * in) {
        const uint i = (uint)(e % in);
        const ulong row = e / in;
        CG float *a = dy + dy_off + row / n * n * out;
        CG float *k = kernel_ + kernel_off + (ulong)i * taps;
        float s = 0.0f;
        for (uint t = 0; t < taps; t++) {
            const uint to = meets(&c, (uint)(row % n), t / kw, t % kw);
            for (uint o = 0; to < n && o < out; o++)
                s = fma(a[(ulong)to * out + o], k[((ulong)o * in + 1) * taps - 1 - t], s);
        }
        dx[dx_off + e] = s;
    }
}

/* acc [out][in][kh][kw] */
KERNEL(LANES)

void conv_grid_dw(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st, CG float *dy,
                  ulong dy_off, CG float *x, ulong x_off, CONV_ARGS)
{
    __local float red[LANES];
    __global float *sum = acc + acc_off + st[ST_SLOT] * acc_slot;
    const struct conv c = CONV_INIT;
    const uint taps = kh * kw;
    ROWS (e, (ulong)out * in * taps) {
        const uint t = (uint)(e % taps);
        const ulong o = e / taps / in, i = e / taps % in;
        float s = 0.0f;
        for (ulong r = get_local_id(0); r < (ulong)images * n; r += LANES) {
            const uint to = meets(&c, (uint)(r % n), t / kw, t % kw);
            if (to < n)
                s = fma(dy[dy_off + r * out + o], x[x_off + (r / n * n + to) * in + i], s);
        }
        s = group_sum(s, red);
        if (get_local_id(0) == 0)
            sum[e] += s;
    }
}
