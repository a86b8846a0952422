/* SPDX-License-Identifier: MIT
 * ckpt_folder.c - which file of a folder holds the weights. */
#include "core/checkpoint/ckpt_impl.h"

#include "core/base/status.h"
#include "core/io/file.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

/* The only place where a name says what a file is: one has to be chosen before it is opened. */
static const char *const suffixes[] = {".safetensors", ".npz", ".pth", ".pth.tar",
                                       ".pt",          ".bin", ".ckpt"};
static const char index_suffix[] = ".safetensors.index.json";

/* Files with such names that trainers leave beside the weights. */
static const char *const besides[] = {"training_args.bin", "optimizer.bin", "optimizer.pt",
                                      "scheduler.pt",      "scaler.pt",     "rng_state.pth"};

static bool ends_with(const char *s, const char *suffix)
{
    const size_t n = strlen(s), m = strlen(suffix);
    return n > m && strcmp(s + n - m, suffix) == 0;
}

static bool is_weights(const char *name)
{
    for (size_t i = 0; i < sizeof besides / sizeof *besides; i++)
        if (strcmp(name, besides[i]) == 0)
            return false;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (ends_with(name, suffixes[i]))
            return true;
    return false;
}

/* What was found of one sort: how many, and the first two names. */
struct found {
    unsigned n;
    char name[2][256];
};

static void add(struct found *f, const char *name)
{
    char *to = f->name[f->n ? 1 : 0];
    /* in order of their names, so that messages do not depend on the folder's order */
    if (f->n && strcmp(name, f->name[0]) < 0) {
        memcpy(f->name[1], f->name[0], sizeof f->name[0]);
        to = f->name[0];
    } else if (f->n > 1 && strcmp(name, f->name[1]) > 0) {
        to = NULL;
    }
    if (to)
        (void)snprintf(to, sizeof f->name[0], "%s", name);
    f->n++;
}

sct_status sct_ckpt_in_folder(const char *folder, char **path, sct_error *err)
{
    struct found weights = {.n = 0}, indices = {.n = 0};
    bool adapter = false;
    *path = NULL;
    DIR *d = opendir(folder);
    if (!d)
        return sct_fail(err, SCT_EFILE, "%s: cannot open the folder: %s", folder,
                        strerror(errno));
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        adapter = adapter || strcmp(e->d_name, "adapter_config.json") == 0;
        if (ends_with(e->d_name, index_suffix))
            add(&indices, e->d_name);
        else if (is_weights(e->d_name))
            add(&weights, e->d_name);
    }
    (void)closedir(d);
    if (adapter)
        return sct_fail(err, SCT_EFILE,
                        "%s: an adapter folder, expected a model; give it as --adapter",
                        folder);
    /* shards lie beside their index */
    const struct found *f = indices.n ? &indices : &weights;
    if (f->n == 0)
        return sct_fail(err, SCT_EFILE,
                        "%s: a folder without a weight file (.safetensors, .npz, .pth, .pt, "
                        ".bin, .ckpt)",
                        folder);
    if (f->n > 1)
        return sct_fail(err, SCT_EFILE,
                        "%s: %u weight files, '%s' and '%s' among them; say which one", folder,
                        f->n, f->name[0], f->name[1]);
    *path = sct_path_join(folder, f->name[0]);
    return *path ? SCT_OK : sct_nomem(err);
}
