/* SPDX-License-Identifier: MIT
 * channel.cl - channels and elements picked by an index list (i32, distinct, in range).
 * The scattering kernels own whole rows on a CPU device; elsewhere every channel of a row is
 * first copied by one launch and the picked ones are then replaced by a second
 * (rows_channel.c). */

/* y [rows][k] = scale * x [rows][c][idx] */
KERNEL(LANES)

void gather(CG float *x, ulong x_off, CG int *idx, ulong idx_off, __global float *y,
            ulong y_off, ulong rows, uint c, uint k, float mul)
{
    idx += idx_off;
    ROWS (r, rows) {
        CG float *from = x + x_off + r * c;
        __global float *to = y + y_off + r * k;
        COLS (j, k)
            to[j] = from[idx[j]] * mul;
    }
}

/* z [rows][c][idx] = y (how 0), += y (how 1), = 0 (how 2); the rest of z stays. */
KERNEL(LANES)

void scatter(CG float *y, ulong y_off, CG int *idx, ulong idx_off, __global float *z,
             ulong z_off, ulong rows, uint c, uint k, uint how)
{
    idx += idx_off;
    ROWS (r, rows) {
        CG float *from = y + y_off + r * k;
        __global float *to = z + z_off + r * c;
        if (how == 0) {
            COLS (j, k)
                to[idx[j]] = from[j];
        } else if (how == 1) {
            COLS (j, k)
                to[idx[j]] = to[idx[j]] + from[j];
        } else {
            COLS (j, k)
                to[idx[j]] = 0.0f;
        }
    }
}

/* z [rows][c], channels first.. += y [rows][k]. */
KERNEL(LANES)

void add_range(CG float *y, ulong y_off, __global float *z, ulong z_off, ulong rows, uint c,
               uint k, uint first)
{
    ROWS (r, rows) {
        CG float *from = y + y_off + r * k;
        __global float *to = z + z_off + r * c + first;
        COLS (j, k)
            to[j] = to[j] + from[j];
    }
}

/* y [rows][k] = mul * x [rows][c], channels first.. */
KERNEL(LANES)

void slice_scaled(CG float *x, ulong x_off, __global float *y, ulong y_off, ulong rows, uint c,
                  uint k, uint first, float mul)
{
    ROWS (r, rows) {
        CG float *from = x + x_off + r * c + first;
        __global float *to = y + y_off + r * k;
        COLS (j, k)
            to[j] = from[j] * mul;
    }
}
