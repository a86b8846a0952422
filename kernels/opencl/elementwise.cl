/* SPDX-License-Identifier: MIT
 * elementwise.cl - add, mul, scale, gelu, relu and their gradients, dropout, droppath.
 * Inputs and output may be the same storage: every element is read before it is written by the
 * same work-item. */

/* y repeats over rows: y_stride is 0 or cols. */
#define BINARY(NAME, OP)                                                                       \
    KERNEL(LANES)                                                                              \
    void NAME(CG float *x, ulong x_off, CG float *y, ulong y_off, __global float *z,           \
              ulong z_off, ulong rows, uint cols, uint y_stride)                               \
    {                                                                                          \
        ROWS (r, rows) {                                                                       \
            CG float *a = x + x_off + r * cols;                                                \
            CG float *b = y + y_off + r * y_stride;                                            \
            __global float *o = z + z_off + r * cols;                                          \
            VECS (c, cols) {                                                                   \
                if (WHOLE(c))                                                                  \
                    VSTORE(VLOAD(a + c) OP VLOAD(b + c), o + c);                               \
                else                                                                           \
                    REST (k, c)                                                                \
                        o[k] = a[k] OP b[k];                                                   \
            }                                                                                  \
        }                                                                                      \
    }

BINARY(add, +)
BINARY(mul, *)

KERNEL(LANES)

void scale(CG float *x, ulong x_off, __global float *y, ulong y_off, ulong rows, uint cols,
           float by, float plus)
{
    ROWS (r, rows) {
        CG float *a = x + x_off + r * cols;
        __global float *o = y + y_off + r * cols;
        VECS (c, cols) {
            if (by == 0.0f) { /* zero times infinity is meant to be zero */
                REST (k, c)
                    o[k] = plus;
            } else if (WHOLE(c)) {
                VSTORE(VLOAD(a + c) * by + plus, o + c);
            } else {
                REST (k, c)
                    o[k] = a[k] * by + plus;
            }
        }
    }
}

KERNEL(LANES)

void gelu(CG float *x, ulong x_off, __global float *y, ulong y_off, ulong rows, uint cols,
          uint kind)
{
    ROWS (r, rows) {
        CG float *a = x + x_off + r * cols;
        __global float *o = y + y_off + r * cols;
        VECS (c, cols) {
            if (WHOLE(c))
                VSTORE(gelu_v(VLOAD(a + c), kind), o + c);
            else
                REST (k, c)
                    o[k] = gelu_f(a[k], kind);
        }
    }
}

KERNEL(LANES)

void gelu_dx(CG float *x, ulong x_off, CG float *dy, ulong dy_off, __global float *dx,
             ulong dx_off, ulong rows, uint cols, uint kind)
{
    ROWS (r, rows) {
        CG float *a = x + x_off + r * cols;
        CG float *g = dy + dy_off + r * cols;
        __global float *o = dx + dx_off + r * cols;
        VECS (c, cols) {
            if (WHOLE(c))
                VSTORE(VLOAD(g + c) * gelu_grad_v(VLOAD(a + c), kind), o + c);
            else
                REST (k, c)
                    o[k] = g[k] * gelu_grad_f(a[k], kind);
        }
    }
}

/* Written so that NaN is passed on. */
KERNEL(LANES)

void relu(CG float *x, ulong x_off, __global float *y, ulong y_off, ulong rows, uint cols)
{
    ROWS (r, rows) {
        CG float *a = x + x_off + r * cols;
        __global float *o = y + y_off + r * cols;
        VECS (c, cols) {
            if (WHOLE(c)) {
                const VF v = VLOAD(a + c);
                VSTORE(select(v, (VF)(0.0f), v <= (VF)(0.0f)), o + c);
            } else {
                REST (k, c)
                    o[k] = a[k] <= 0.0f ? 0.0f : a[k];
            }
        }
    }
}

KERNEL(LANES)

void relu_dx(CG float *y, ulong y_off, CG float *dy, ulong dy_off, __global float *dx,
             ulong dx_off, ulong rows, uint cols)
{
    ROWS (r, rows) {
        CG float *a = y + y_off + r * cols;
        CG float *g = dy + dy_off + r * cols;
        __global float *o = dx + dx_off + r * cols;
        VECS (c, cols) {
            if (WHOLE(c))
                VSTORE(select(VLOAD(g + c), (VF)(0.0f), VLOAD(a + c) <= (VF)(0.0f)), o + c);
            else
                REST (k, c)
                    o[k] = a[k] <= 0.0f ? 0.0f : g[k];
        }
    }
}
