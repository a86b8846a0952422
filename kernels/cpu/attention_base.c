/* SPDX-License-Identifier: MIT
 * attention_base.c - ATTENTION and WATTENTION with their gradients: which tokens form a set.
 * An image is one set, a window another; parts share sets (image x head, or window x head). The
 * table's gradient is shared by heads, because every window of every image adds to it in order.
 */
#include "kernels/cpu/attention_core.h"
#include "kernels/cpu/cpu_base.h"

#include <math.h>
#include <string.h>

/* How the sets of a node lie. */
struct sets {
    size_t images, tokens, channels, heads, d; /* of the whole image */
    size_t across, per_image, n; /* windows in a row, sets an image, tokens of a set */
    const struct sct_wattention_params *w; /* NULL: the image is the set */
    float scale;
};

static struct sets sets_of(const struct sct_opdesc *d, const struct sct_desc *qkv)
{
    struct sets s = {.images = qkv->dim[0], .tokens = qkv->dim[1], .channels = qkv->dim[2] / 3};
    if (d->op == SCT_OP_ATTENTION || d->op == SCT_OP_ATTENTION_DX) {
        const struct sct_attention_params *a = d->params;
        s.heads = a->heads;
        s.scale = a->scale;
        s.per_image = 1;
        s.n = s.tokens;
    } else {
        s.w = d->params;
        s.heads = s.w->heads;
        s.scale = s.w->scale;
        s.across = s.w->grid_w / s.w->win_w;
        s.per_image = s.across * (s.w->grid_h / s.w->win_h);
        s.n = (size_t)s.w->win_h * s.w->win_w;
    }
    s.d = s.channels / s.heads;
    if (s.scale == 0.0f)
        s.scale = (float)(1.0 / sqrt((double)s.d));
    return s;
}

/* Token of the image that is number i of a set. */
static size_t token(const struct sets *s, size_t set, size_t i)
{
    if (!s->w)
        return i;
    const struct sct_wattention_params *w = s->w;
    const size_t y = set / s->across * w->win_h + i / w->win_w + w->shift_h,
                 x = set % s->across * w->win_w + i % w->win_w + w->shift_w;
    return y % w->grid_h * w->grid_w + x % w->grid_w;
}

/* Region of the rolled grid along one axis: before the last window, its first part, the part
 * that came round. Without a shift there is one region. */
static unsigned region(size_t at, size_t grid, size_t window, size_t shift)
{
    if (shift == 0 || at < grid - window)
        return 0;
    return at < grid - shift ? 1 : 2;
}

static unsigned regions(const struct sets *s, size_t set, size_t i)
{
    const struct sct_wattention_params *w = s->w;
    return 3 * region(set / s->across * w->win_h + i / w->win_w, w->grid_h, w->win_h,
                      w->shift_h) +
           region(set % s->across * w->win_w + i % w->win_w, w->grid_w, w->win_w, w->shift_w);
}

/* rows[i][j]: row of the table for query i and key j. */
static void table_rows(const struct sets *s, uint32_t *rows)
{
    const struct sct_wattention_params *w = s->w;
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->n; j++) {
            const size_t dy = i / w->win_w + w->win_h - 1 - j / w->win_w,
                         dx = i % w->win_w + w->win_w - 1 - j % w->win_w;
            *rows++ = (uint32_t)(dy * (2 * (size_t)w->win_w - 1) + dx);
        }
}

/* After the core: the arrays of struct job. */
static uint64_t scratch_bytes(const struct sct_opdesc *d, const struct sct_desc *qkv,
                              int backward)
{
    const struct sets s = sets_of(d, qkv);
    const uint64_t n = s.n, words = s.w ? n + 3 * n * n + n : n;
    return cpu_share_bytes(core_bytes(s.n, s.d, backward)) + 4 * words;
}

uint64_t attention_base_scratch(const struct sct_opdesc *d)
{
    return scratch_bytes(d, &d->in[0], 0);
}

uint64_t attention_dx_base_scratch(const struct sct_opdesc *d)
{
    return scratch_bytes(d, &d->in[0], 1);
}

uint64_t wattention_base_scratch(const struct sct_opdesc *d)
{
    return scratch_bytes(d, &d->in[0], 0);
}

uint64_t wattention_dx_base_scratch(const struct sct_opdesc *d)
{
    return scratch_bytes(d, &d->in[d->op == SCT_OP_WATTENTION_DT ? 1 : 0], 1);
}

/* Everything a node works with; the first input of a kind that an op lacks is NULL. */
struct job {
    struct sets s;
    struct attention_core core;
    uint32_t *token;  /* [n]: of the image */
    uint32_t *rows;   /* [n][n]: of the table */
    uint32_t *region; /* [n] */
    float *bias, *masked;
    size_t head; /* whose bias it is; `heads` at first */
    const float *qkv, *table, *out, *lse, *dout;
};

static void job_init(struct job *j, const struct sct_kargs *k, uint32_t qkv, int backward)
{
    const struct sct_opdesc *d = k->d;
    memset(j, 0, sizeof *j);
    j->s = sets_of(d, &d->in[qkv]);
    float *memory = cpu_share(k, scratch_bytes(d, &d->in[qkv], backward));
    j->core.n = j->s.n;
    j->core.d = j->s.d;
    j->core.scale = j->s.scale;
    core_place(&j->core, memory, backward);
    const size_t n = j->s.n;
    j->token = (uint32_t *)(void *)(memory + cpu_share_bytes(core_bytes(n, j->s.d, backward)) /
                                                 sizeof *memory);
    uint32_t at = qkv;
    j->qkv = k->in[at++];
    if (j->s.w) {
        j->table = k->in[at++];
        j->bias = (float *)(void *)(j->token + n);
        j->masked = j->bias + n * n;
        j->rows = (uint32_t *)(void *)(j->masked + n * n);
        j->region = j->rows + n * n;
        j->head = j->s.heads;
        table_rows(&j->s, j->rows);
    }
    if (backward) {
        j->out = k->in[at];
        j->lse = k->in[at + 1];
        j->dout = k->in[at + 2];
    }
}

/* Points the core at the bias of a head, with -100 between regions of a window that the roll
 * has put together (only windows of the last row and column of windows are). */
static void load_bias(struct job *j, size_t set, size_t head)
{
    const struct sets *s = &j->s;
    const size_t n = s->n;
    if (j->head != head)
        for (size_t i = 0; i < n * n; i++)
            j->bias[i] = j->table[j->rows[i] * s->heads + head];
    j->head = head;
    j->core.bias = j->bias;
    const int last_row = set / s->across == s->w->grid_h / s->w->win_h - 1,
              last_column = set % s->across == s->across - 1;
    if (!(last_row && s->w->shift_h) && !(last_column && s->w->shift_w))
        return;
    j->core.bias = j->masked;
    for (size_t i = 0; i < n; i++)
        j->region[i] = regions(s, set, i);
    for (size_t i = 0; i < n; i++)
        for (size_t key = 0; key < n; key++)
            j->masked[i * n + key] =
                j->bias[i * n + key] + (j->region[key] != j->region[i] ? -100.0f : 0.0f);
}

/* Brings one set's rows of q, k, v (and out, dout, lse) into the core. */
static void load(struct job *j, size_t image, size_t set, size_t head)
{
    const struct sets *s = &j->s;
    struct attention_core *c = &j->core;
    const size_t bytes = s->d * sizeof(float);
    for (size_t i = 0; i < s->n; i++) {
        j->token[i] = (uint32_t)token(s, set, i);
        const size_t t = image * s->tokens + j->token[i], at = t * s->channels + head * s->d;
        const float *q = j->qkv + t * 3 * s->channels + head * s->d;
        memcpy(c->q + i * s->d, q, bytes);
        memcpy(c->k + i * s->d, q + s->channels, bytes);
        memcpy(c->v + i * s->d, q + 2 * s->channels, bytes);
        if (!j->dout)
            continue;
        memcpy(c->out + i * s->d, j->out + at, bytes);
        memcpy(c->dout + i * s->d, j->dout + at, bytes);
        c->lse[i] = j->lse[(image * s->heads + head) * s->tokens + j->token[i]];
    }
    if (s->w)
        load_bias(j, set, head);
}

static void forward(const struct sct_kargs *k)
{
    struct job j;
    job_init(&j, k, 0, 0);
    const struct sets *s = &j.s;
    const struct cpu_range r = cpu_split(k, s->images * s->per_image * s->heads, 1);
    float *out = k->out[0], *lse = k->out[1];
    for (size_t u = r.first; u < r.end; u++) {
        const size_t set = u % s->per_image, image = u / s->per_image % s->images,
                     head = u / s->per_image / s->images; /* slowest: its bias is made once */
        load(&j, image, set, head);
        core_forward(&j.core);
        for (size_t i = 0; i < s->n; i++) {
            const size_t t = j.token[i];
            memcpy(out + (image * s->tokens + t) * s->channels + head * s->d,
                   j.core.out + i * s->d, s->d * sizeof *out);
            lse[(image * s->heads + head) * s->tokens + t] = j.core.lse[i];
        }
    }
}

static void backward(const struct sct_kargs *k)
{
    struct job j;
    job_init(&j, k, 0, 1);
    const struct sets *s = &j.s;
    const struct cpu_range r = cpu_split(k, s->images * s->per_image * s->heads, 1);
    const size_t wide = (s->d + BASE_NR - 1) / BASE_NR * BASE_NR, bytes = s->d * sizeof(float);
    for (size_t u = r.first; u < r.end; u++) {
        const size_t set = u % s->per_image, image = u / s->per_image % s->images,
                     head = u / s->per_image / s->images; /* slowest: its bias is made once */
        load(&j, image, set, head);
        core_backward(&j.core);
        for (size_t i = 0; i < s->n; i++) {
            const size_t t = image * s->tokens + j.token[i];
            float *dq = (float *)k->out[0] + t * 3 * s->channels + head * s->d;
            memcpy(dq, j.core.dq + i * wide, bytes);
            memcpy(dq + s->channels, j.core.dk + i * wide, bytes);
            memcpy(dq + 2 * s->channels, j.core.dv + i * wide, bytes);
        }
    }
}

void attention_base(const struct sct_kargs *k)
{
    forward(k);
}

void attention_dx_base(const struct sct_kargs *k)
{
    backward(k);
}

void wattention_base(const struct sct_kargs *k)
{
    forward(k);
}

void wattention_dx_base(const struct sct_kargs *k)
{
    backward(k);
}

void wattention_dt_base(const struct sct_kargs *k)
{
    struct job j;
    job_init(&j, k, 1, 1);
    const struct sets *s = &j.s;
    const struct cpu_range heads = cpu_split(k, s->heads, 1);
    float *acc = k->out[0];
    for (size_t head = heads.first; head < heads.end; head++)
        for (size_t u = 0; u < s->images * s->per_image; u++) {
            load(&j, u / s->per_image, u % s->per_image, head);
            core_prepare(&j.core, 1);
            for (size_t i0 = 0; i0 < s->n; i0 += CORE_ROWS) {
                const size_t rows = s->n - i0 < CORE_ROWS ? s->n - i0 : CORE_ROWS;
                core_grad_scores(&j.core, i0, rows);
                for (size_t i = 0; i < rows; i++)
                    for (size_t key = 0; key < s->n; key++)
                        acc[j.rows[(i0 + i) * s->n + key] * s->heads + head] +=
                            j.core.ds[i * s->n + key];
            }
        }
}
