/* SPDX-License-Identifier: MIT
 * move.cl - kernels that move data: batch rows in and out, pictures, index maps, casts,
 * packing. All are exact. A row is what is contiguous on both sides. */

/* Byte-wise so that one kernel serves every dtype: row_bytes per image, words where they fit.
 */
static inline void copy_row(__global uchar *to, CG uchar *from, ulong n, int valid)
{
    if (n % 4 == 0) {
        __global uint *t = (__global uint *)to;
        CG uint *f = (CG uint *)from;
        const uint words = (uint)(n / 4);
        COLS (c, words)
            t[c] = valid ? f[c] : 0u;
    } else {
        const uint bytes = (uint)n;
        COLS (c, bytes)
            to[c] = valid ? from[c] : (uchar)0;
    }
}

/* x [batch][row] -> y [b][row]; rows past the count are zero. */
KERNEL(LANES)

void feed(CG uchar *x, ulong x_off, __global uchar *y, ulong y_off, CG uint *st, uint esize,
          ulong row_bytes, ulong b)
{
    const uint first = st[ST_FIRST], count = st[ST_COUNT];
    x += x_off * esize;
    y += y_off * esize;
    ROWS (r, b) {
        const int valid = r < count;
        copy_row(y + r * row_bytes, x + (valid ? first + r : first) * row_bytes, row_bytes,
                 valid);
    }
}

KERNEL(LANES)

void emit_rows(CG uchar *x, ulong x_off, __global uchar *y, ulong y_off, CG uint *st,
               uint esize, ulong row_bytes, ulong b)
{
    const uint first = st[ST_FIRST], count = st[ST_COUNT];
    x += x_off * esize;
    y += y_off * esize;
    ROWS (r, b) {
        if (r < count)
            copy_row(y + (first + r) * row_bytes, x + r * row_bytes, row_bytes, 1);
    }
}

/* u8 [B][H][W][3] -> f32 [B][3][H][W] through table [3][256]; a row is (image, channel, line).
 */
KERNEL(LANES)

void image(CG uchar *x, ulong x_off, CG float *table, ulong table_off, __global float *y,
           ulong y_off, uint b, uint h, uint w)
{
    ROWS (r, (ulong)b * 3 * h) {
        const uint line = (uint)(r % h), c = (uint)(r / h % 3);
        const ulong img = r / (3 * h);
        CG uchar *from = x + x_off + (img * h + line) * w * 3 + c;
        CG float *t = table + table_off + c * 256;
        __global float *to = y + y_off + r * w;
        COLS (i, w)
            to[i] = t[from[3 * i]];
    }
}

/* PAD_GRID, CROP_GRID: rows (image, line, column) of a grid out_h x out_w from one h x w; place i
 * of the grid rolled by -roll stays place i, and what x does not have is zero. */
KERNEL(LANES)

void resize_grid(CG float *x, ulong x_off, __global float *y, ulong y_off, ulong rows, uint c,
                 uint h, uint w, uint out_h, uint out_w, uint roll_h, uint roll_w)
{
    ROWS (r, rows) {
        const uint line = (uint)(r / out_w % out_h), column = (uint)(r % out_w);
        const uint i = (line + out_h - roll_h) % out_h, j = (column + out_w - roll_w) % out_w;
        const int in = i < h && j < w;
        const ulong from = (r / ((ulong)out_h * out_w) * h + (i + roll_h) % h) * w;
        const ulong at = x_off + (from + (j + roll_w) % w) * c;
        __global float *to = y + y_off + r * c;
        COLS (k, c)
            to[k] = in ? x[at + k] : 0.0f;
    }
}

/* y [rows = e0 e1 e2 e3 e4][cols] = x at base + sum i_k s_k + c, zero unless i1 - f1 < l1,
 * i2 - f2 < l2 and c - fc < lc (unsigned, so that negative is out as well). */
KERNEL(LANES)

void move6(CG uint *x, ulong x_off, __global uint *y, ulong y_off, ulong rows, uint e1, uint e2,
           uint e3, uint e4, uint cols, ulong s0, ulong s1, ulong s2, ulong s3, ulong s4,
           ulong base, uint f1, uint l1, uint f2, uint l2, uint fc, uint lc)
{
    ROWS (r, rows) {
        ulong q = r;
        const uint i4 = (uint)(q % e4);
        q /= e4;
        const uint i3 = (uint)(q % e3);
        q /= e3;
        const uint i2 = (uint)(q % e2);
        q /= e2;
        const uint i1 = (uint)(q % e1);
        q /= e1;
        const int in = i1 - f1 < l1 && i2 - f2 < l2;
        const ulong at = x_off + base + q * s0 + i1 * s1 + i2 * s2 + i3 * s3 + i4 * s4;
        __global uint *to = y + y_off + r * cols;
        COLS (c, cols) {
            const int ok = in && c - fc < lc;
            const uint v = x[ok ? at + c : x_off];
            to[c] = ok ? v : 0u;
        }
    }
}

/* Rows [na][cols] of x then [nb][cols] of y for each of b images; a stride of 0 repeats. */
KERNEL(LANES)

void concat(CG uint *x, ulong x_off, CG uint *y, ulong y_off, __global uint *z, ulong z_off,
            uint b, uint na, uint nb, uint cols, ulong sx, ulong sy)
{
    const uint n = na + nb;
    ROWS (r, (ulong)b * n) {
        const uint t = (uint)(r % n);
        const ulong img = r / n;
        CG uint *from = t < na ? x + x_off + img * sx + (ulong)t * cols
                               : y + y_off + img * sy + (ulong)(t - na) * cols;
        __global uint *to = z + z_off + r * cols;
        COLS (c, cols)
            to[c] = from[c];
    }
}

static inline ushort bf16_of(uint u)
{
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (ushort)((u >> 16) | 0x40u);
    return (ushort)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

KERNEL(LANES)

void cast_f32_bf16(CG uint *x, ulong x_off, __global ushort *y, ulong y_off, ulong rows,
                   uint cols)
{
    ROWS (r, rows)
        COLS (c, cols)
            y[y_off + r * cols + c] = bf16_of(x[x_off + r * cols + c]);
}

KERNEL(LANES)

void cast_bf16_f32(CG ushort *x, ulong x_off, __global uint *y, ulong y_off, ulong rows,
                   uint cols)
{
    ROWS (r, rows)
        COLS (c, cols)
            y[y_off + r * cols + c] = (uint)x[x_off + r * cols + c] << 16;
}

/* In integers: vload_half and vstore_half are not in every driver's set without fp16. */
static inline ushort f16_of(uint u)
{
    const uint sign = u >> 16 & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u)
        return (ushort)(sign | 0x7e00u | (a >> 13 & 0x3ffu));
    if (a >= 0x477ff000u) /* 65520 and above */
        return (ushort)(sign | 0x7c00u);
    if (a >= 0x38800000u) /* normal: 2^-14 and above */
        return (ushort)(sign | (a + 0xfffu + (a >> 13 & 1u) - (112u << 23)) >> 13);
    if (a <= 0x33000000u) /* 2^-25 ties to zero */
        return (ushort)sign;
    const uint shift = 126 - (a >> 23), m = (a & 0x7fffffu) | 0x800000u;
    const uint q = m >> shift, rest = m & ((1u << shift) - 1), tie = 1u << (shift - 1);
    return (ushort)(sign | (q + (rest > tie || (rest == tie && (q & 1u)) ? 1u : 0u)));
}

static inline uint f32_of_f16(uint h)
{
    /* By ranges: two tests of the exponent field become a switch on an integer of five bits,
     * which Oclgrind 21.10 compares as a byte, sign included. */
    const uint sign = (h & 0x8000u) << 16, a = h & 0x7fffu;
    if (a >= 0x7c00u)
        return sign | 0x7f800000u | (a & 0x3ffu) << 13;
    if (a >= 0x400u)
        return sign | (a + (112u << 10)) << 13;
    if (a == 0)
        return sign;
    /* a 2^-24 in integers: a device may flush denormals */
    const uint top = 31 - clz(a);
    return sign | (top + 103) << 23 | (a << (23 - top) & 0x7fffffu);
}

KERNEL(LANES)

void cast_f32_f16(CG uint *x, ulong x_off, __global ushort *y, ulong y_off, ulong rows,
                  uint cols)
{
    ROWS (r, rows)
        COLS (c, cols)
            y[y_off + r * cols + c] = f16_of(x[x_off + r * cols + c]);
}

KERNEL(LANES)

void cast_f16_f32(CG ushort *x, ulong x_off, __global uint *y, ulong y_off, ulong rows,
                  uint cols)
{
    ROWS (r, rows)
        COLS (c, cols)
            y[y_off + r * cols + c] = f32_of_f16(x[x_off + r * cols + c]);
}

KERNEL(LANES) void fill(__global float *y, ulong y_off, ulong rows, uint cols, float value)
{
    ROWS (r, rows)
        COLS (c, cols)
            y[y_off + r * cols + c] = value;
}

/* Panels of 32 columns, [ceil(n / 32)][k][32]: element (k, j) of panel p is w[(32p + j) sn + k
 * sk], zero past n. A row is (panel, k). */
KERNEL(LANES)

void pack32(CG float *w, ulong w_off, __global float *y, ulong y_off, uint n, uint k, ulong sn,
            ulong sk)
{
    const ulong rows = (ulong)((n + 31) / 32) * k;
    ROWS (r, rows) {
        const uint n0 = (uint)(r / k) * 32;
        const ulong at = w_off + (r % k) * sk;
        COLS (j, 32u) {
            const float v = w[at + min(n0 + j, n - 1) * sn];
            y[y_off + r * 32 + j] = n0 + j < n ? v : 0.0f;
        }
    }
}
