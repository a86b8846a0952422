/* SPDX-License-Identifier: MIT
 * dialect_file.c - lists of names and shapes, by the dialect table read backwards. */
#include "tests/unit/dialect_file.h"

#include <check.h>

const struct file_model vit_base = {
    .arch = SCT_ARCH_VIT,
    .dim = 768,
    .patch = 16,
    .classes = 1000,
    .image = 224,
    .heads = 12,
    .depth = {12},
};
const struct file_model swin_base = {
    .arch = SCT_ARCH_SWIN,
    .dim = 128,
    .patch = 4,
    .classes = 1000,
    .image = 224,
    .heads = 4,
    .depth = {2, 2, 18, 2},
    .window = 7,
};

void file_add(struct file *f, const char *name, uint32_t nd, const uint64_t *dim)
{
    uint64_t *copy = sct_arena_alloc(&f->arena, (nd + 1) * sizeof *copy);
    ck_assert(copy && f->n < sizeof f->t / sizeof f->t[0]);
    memcpy(copy, dim, nd * sizeof *copy);
    f->t[f->n].name = sct_arena_strdup(&f->arena, name);
    ck_assert_ptr_nonnull(f->t[f->n].name);
    f->t[f->n].dim = copy;
    f->t[f->n++].nd = nd;
}

void file_name(struct file *f, const char *name)
{
    const uint64_t dim = 8;
    file_add(f, name, 1, &dim);
}

void file_remove(struct file *f, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->n; i++)
        if (strcmp(f->t[i].name, name) != 0)
            f->t[n++] = f->t[i];
    ck_assert_uint_eq(n + 1, f->n);
    f->n = n;
}

bool file_plain(const struct sct_dialect *d)
{
    return d->same || !d->has[1];
}

void file_fini(struct file *f)
{
    sct_arena_free(&f->arena);
    f->n = 0;
}

struct writer {
    struct file *f;
    const struct file_model *m;
    const struct sct_dialect *d;
    const char *wrapper;
    bool bare;
};

/* One canonical tensor in the dialect's names. Stacked ones are written with block 0. */
static void tensor(const struct writer *w, const char *canon, uint32_t nd, uint32_t a,
                   uint32_t b, uint32_t c, uint32_t d)
{
    char name[SCT_NAME_MAX], full[2 * SCT_NAME_MAX];
    uint32_t dim[4] = {a, b, c, d};
    struct sct_dialect_name n;
    ck_assert_msg(sct_dialect_name(w->d, canon, &n), "%s %s", w->d->flavour, canon);
    ck_assert_uint_eq(dim[0] % n.n_part, 0);
    dim[0] /= n.n_part;
    for (uint32_t i = 0; i < n.n_part; i++) {
        uint64_t src[SCT_LAYOUT_AXES];
        const uint32_t axes =
            sct_layout_source_shape(&n.layout, dim, nd, w->m->heads, w->m->depth[0], src);
        ck_assert_msg(axes > 0, "%s", canon);
        ck_assert(sct_dialect_part(&n, canon, i, w->bare, name));
        (void)snprintf(full, sizeof full, "%s%s", w->wrapper, name);
        if (!n.layout.slice || n.match.number[0] == 0)
            file_add(w->f, full, axes, src);
    }
}

/* weight [out][in] (a vector when in is 0) and bias [out] of a layer. */
static void layer(const struct writer *w, const char *name, uint32_t out, uint32_t in)
{
    char full[SCT_NAME_MAX];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    tensor(w, full, in ? 2 : 1, out, in, 0, 0);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    tensor(w, full, 1, out, 0, 0, 0);
}

static void block(const struct writer *w, const char *prefix, uint32_t dim)
{
    static const struct {
        const char *name;
        uint32_t out, in; /* times dim */
    } layers[] = {{"norm1", 1, 0}, {"attn.qkv", 3, 1}, {"attn.proj", 1, 1},
                  {"norm2", 1, 0}, {"mlp.fc1", 4, 1},  {"mlp.fc2", 1, 4}};

    char name[SCT_NAME_MAX];
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", prefix, layers[i].name);
        layer(w, name, layers[i].out * dim, layers[i].in * dim);
    }
}

static void vit(const struct writer *w)
{
    const struct file_model *m = w->m;
    const uint32_t grid = m->image / m->patch, prefix = m->no_class_token ? 0 : 1;
    char name[64];
    if (prefix)
        tensor(w, "cls_token", 3, 1, 1, m->dim, 0);
    tensor(w, "pos_embed", 3, 1, grid * grid + prefix, m->dim, 0);
    for (uint32_t i = 0; i < m->depth[0]; i++) {
        (void)snprintf(name, sizeof name, "blocks.%u", i);
        block(w, name, m->dim);
    }
    layer(w, m->fc_norm ? "fc_norm" : "norm", m->dim, 0);
    if (m->classes)
        layer(w, "head", m->classes, m->dim);
}

static void swin(const struct writer *w)
{
    const struct file_model *m = w->m;
    const uint32_t side = 2 * m->window - 1;
    char name[96];
    layer(w, "patch_embed.norm", m->dim, 0);
    for (uint32_t s = 0; s < 4; s++) {
        const uint32_t dim = m->dim << s;
        for (uint32_t b = 0; b < m->depth[s]; b++) {
            (void)snprintf(name, sizeof name, "layers.%u.blocks.%u", s, b);
            block(w, name, dim);
            (void)snprintf(name, sizeof name,
                           "layers.%u.blocks.%u.attn.relative_position_bias_table", s, b);
            tensor(w, name, 2, side * side, m->heads << s, 0, 0);
        }
        if (!s)
            continue;
        (void)snprintf(name, sizeof name, "layers.%u.downsample.norm", s);
        layer(w, name, 2 * dim, 0);
        (void)snprintf(name, sizeof name, "layers.%u.downsample.reduction.weight", s);
        tensor(w, name, 2, dim, 2 * dim, 0, 0);
    }
    layer(w, "norm", 8 * m->dim, 0);
    if (m->classes)
        layer(w, "head.fc", m->classes, 8 * m->dim);
}

void file_write(struct file *f, const struct file_model *m, const struct sct_dialect *d,
                const char *wrapper, bool bare)
{
    const struct writer w = {f, m, d, wrapper, bare};
    tensor(&w, "patch_embed.proj.weight", 4, m->dim, 3, m->patch, m->patch);
    tensor(&w, "patch_embed.proj.bias", 1, m->dim, 0, 0, 0);
    if (m->arch == SCT_ARCH_SWIN)
        swin(&w);
    else
        vit(&w);
}
