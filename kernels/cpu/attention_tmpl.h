/* SPDX-License-Identifier: MIT
 * attention_tmpl.h - ATTENTION and ATTENTION_DX: every (image, head) is one set of tokens.
 * Parts take heads in turn. */
#include "kernels/cpu/attn_tmpl.h"
#include "kernels/cpu/simd.h"

static struct attn attention_begin(const struct sct_kargs *k, bool backward)
{
    const struct sct_attention_params *p = k->d->params;
    const size_t n = k->d->in[0].dim[1], c = k->d->in[0].dim[2] / 3, d = c / p->heads;
    struct attn u = {.row = 3 * c, .c = c, .n = n, .d = d};
    u.l = attn_layout(n, d, MR_MAX, NR, backward, false);
    u.mem = cpu_share(k, u.l.floats * sizeof(float));
    u.scale = p->scale != 0.0f ? p->scale : 1.0f / sqrtf((float)d);
    uint32_t *tok = (uint32_t *)(void *)(u.mem + u.l.tok);
    for (size_t i = 0; i < n; i++)
        tok[i] = (uint32_t)i;
    u.tok = tok;
    return u;
}

void KERNEL(attention)(const struct sct_kargs *k)
{
    const struct sct_attention_params *p = k->d->params;
    struct attn u = attention_begin(k, false);
    for (size_t i = k->part; i < (size_t)k->d->in[0].dim[0] * p->heads; i += k->parts) {
        const size_t image = i / p->heads, at = i % p->heads * u.d;
        u.q = (const float *)k->in[0] + image * u.n * u.row + at;
        u.k = u.q + u.c;
        u.v = u.k + u.c;
        attn_forward(&u, (float *)k->out[0] + image * u.n * u.c + at,
                     (float *)k->out[1] + i * u.n);
    }
}

void KERNEL(attention_dx)(const struct sct_kargs *k)
{
    const struct sct_attention_params *p = k->d->params;
    struct attn u = attention_begin(k, true);
    for (size_t i = k->part; i < (size_t)k->d->in[0].dim[0] * p->heads; i += k->parts) {
        const size_t image = i / p->heads, at = i % p->heads * u.d;
        const size_t qkv = image * u.n * u.row + at, o = image * u.n * u.c + at;
        float *dq = (float *)k->out[0] + qkv;
        u.q = (const float *)k->in[0] + qkv;
        u.k = u.q + u.c;
        u.v = u.k + u.c;
        attn_backward(&u, (const float *)k->in[1] + o, (const float *)k->in[2] + i * u.n,
                      (const float *)k->in[3] + o, dq, dq + u.c, dq + 2 * u.c, NULL, NULL);
    }
}
