/* SPDX-License-Identifier: MIT
 * list_folder.c - data sets given by one folder a class.
 * Folders are walked breadth first with a queue; readdir's order never reaches the result. */
#include "core/data/list.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Links are followed, so a link to a parent would never end. */
#define MAX_DEPTH 16

struct folder {
    const char *path;  /* relative to the root, "" for the root itself */
    const char *class; /* of the images in it */
    uint32_t depth;
};

struct names {
    const char **at;
    uint32_t count, cap;
};

struct found {
    const char *path, *class;
};

struct walk {
    struct sct_dataset *ds;
    bool natural;
    struct folder *queue;
    uint32_t tail, queue_cap;
    struct found *found;
    uint32_t count, cap;
    sct_error *err;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Compares the runs of non-digits at *a and *b as strings: the end of a run sorts first. */
static int compare_text(const char **a, const char **b)
{
    for (;; (*a)++, (*b)++) {
        const bool end_a = !**a || digit(**a), end_b = !**b || digit(**b);
        if (end_a || end_b)
            return end_a && end_b ? 0 : end_a ? -1 : 1;
        const int d = (unsigned char)lower(**a) - (unsigned char)lower(**b);
        if (d)
            return d;
    }
}

/* Compares the runs of digits at *a and *b by value, whatever their length. */
static int compare_number(const char **a, const char **b)
{
    int d = 0;
    while (**a == '0')
        (*a)++;
    while (**b == '0')
        (*b)++;
    for (; digit(**a) && digit(**b); (*a)++, (*b)++)
        if (d == 0)
            d = **a - **b;
    return digit(**a) ? 1 : digit(**b) ? -1 : d;
}

int sct_natural_compare(const char *a, const char *b)
{
    const char *x = a, *y = b;
    while (*x || *y) {
        int d = compare_text(&x, &y);
        if (d == 0 && digit(*x) != digit(*y))
            d = digit(*x) ? 1 : -1;
        if (d == 0)
            d = compare_number(&x, &y);
        if (d)
            return d;
    }
    return strcmp(a, b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_name_natural(const void *a, const void *b)
{
    return sct_natural_compare(*(const char *const *)a, *(const char *const *)b);
}

static int by_class(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->class, ((const struct found *)b)->class);
}

/* torchvision takes class by class, sorts the folders of one, then the names in each; timm
 * sorts whole paths. */
static int by_path(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int d = by_class(x, y);
    if (d)
        return d;
    const size_t n = (size_t)(strrchr(x->path, '/') - x->path);
    const size_t m = (size_t)(strrchr(y->path, '/') - y->path);
    d = memcmp(x->path, y->path, n < m ? n : m);
    if (d)
        return d;
    if (n != m)
        return n < m ? -1 : 1;
    return strcmp(x->path, y->path);
}

static int by_path_natural(const void *a, const void *b)
{
    return sct_natural_compare(((const struct found *)a)->path,
                               ((const struct found *)b)->path);
}

/* The endings that either one takes for images. What this program cannot decode is listed all
 * the same: an error, or --skip-bad, names it, where leaving it out would go unseen. */
static bool is_image(const char *name, bool natural)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".webp", ".bmp",
                                       ".ppm", ".pgm", ".tif",  ".tiff"};
    const size_t n = strlen(name);
    for (size_t i = 0; i < (natural ? 3 : sizeof ends / sizeof ends[0]); i++) {
        const size_t m = strlen(ends[i]);
        size_t j = 0;
        while (n > m && j < m && lower(name[n - m + j]) == ends[i][j])
            j++;
        if (n > m && j == m)
            return true;
    }
    return false;
}

static sct_status no_memory(struct walk *w)
{
    return sct_fail(w->err, SCT_ENOMEM, "out of memory listing the images of a folder");
}

static sct_status add_folder(struct walk *w, const char *path, const char *class,
                             uint32_t depth)
{
    if (depth > MAX_DEPTH)
        return sct_fail(w->err, SCT_EDATA,
                        "%s/%s: folders are nested more than %d deep; does a link lead back?",
                        w->ds->root, path, MAX_DEPTH);
    SCT_TRY(sct_grow((void **)&w->queue, &w->queue_cap, (uint64_t)w->tail + 1, sizeof *w->queue,
                     w->err));
    w->queue[w->tail++] = (struct folder){path, class, depth};
    return SCT_OK;
}

static sct_status add_image(struct walk *w, const struct folder *at, const char *path)
{
    if (!*at->class)
        return sct_fail(w->err, SCT_EDATA,
                        "%s/%s: expected images inside of class folders only, found one beside "
                        "them; move it",
                        w->ds->root, path);
    SCT_TRY(sct_grow((void **)&w->found, &w->cap, (uint64_t)w->count + 1, sizeof *w->found,
                     w->err));
    w->found[w->count++] = (struct found){path, at->class};
    return SCT_OK;
}

/* Whether a path, relative to the root, is a folder or a plain file; false when it is neither.
 */
static bool kind(const struct walk *w, const char *path, bool *folder)
{
    char full[4096];
    struct stat st;
    const int n = snprintf(full, sizeof full, "%s/%s", w->ds->root, path);
    if (n < 0 || (size_t)n >= sizeof full || stat(full, &st) != 0)
        return false;
    *folder = S_ISDIR(st.st_mode);
    return *folder || S_ISREG(st.st_mode);
}

static sct_status open_folder(DIR **dir, const struct walk *w, const char *path)
{
    char full[4096];
    const int n = snprintf(full, sizeof full, "%s%s%s", w->ds->root, *path ? "/" : "", path);
    if (n < 0 || (size_t)n >= sizeof full)
        return sct_fail(w->err, SCT_EDATA, "%s/%s: the path is too long", w->ds->root, path);
    *dir = opendir(full);
    if (!*dir)
        return sct_fail(w->err, SCT_EDATA, "%s: cannot be listed: %s", full, strerror(errno));
    return SCT_OK;
}

static sct_status scan_entry(struct walk *w, const struct folder *at, const char *name)
{
    bool folder;
    const char *path =
        sct_arena_printf(&w->ds->arena, "%s%s%s", at->path, *at->path ? "/" : "", name);
    if (!path)
        return no_memory(w);
    if (!kind(w, path, &folder))
        return SCT_OK;
    if (folder)
        return add_folder(w, path,
                          w->natural ? path + (strlen(path) - strlen(name)) : at->class,
                          at->depth + 1);
    return is_image(name, w->natural) ? add_image(w, at, path) : SCT_OK;
}

static sct_status scan_folder(struct walk *w, struct folder at)
{
    DIR *dir;
    sct_status rc = SCT_OK;
    SCT_TRY(open_folder(&dir, w, at.path));
    for (struct dirent *d = readdir(dir); d && rc == SCT_OK; d = readdir(dir))
        if (d->d_name[0] != '.')
            rc = scan_entry(w, &at, d->d_name);
    (void)closedir(dir);
    return rc;
}

/* A folder and all below it. */
static sct_status scan_tree(struct walk *w, const char *path)
{
    w->tail = 0;
    SCT_TRY(add_folder(w, path, path, 0));
    for (uint32_t head = 0; head < w->tail; head++)
        SCT_TRY(scan_folder(w, w->queue[head]));
    return SCT_OK;
}

static sct_status add_name(struct walk *w, struct names *out, const char *name)
{
    SCT_TRY(sct_grow((void **)&out->at, &out->cap, (uint64_t)out->count + 1, sizeof *out->at,
                     w->err));
    out->at[out->count++] = name;
    return SCT_OK;
}

static sct_status list_classes(struct walk *w, struct names *out)
{
    DIR *dir;
    sct_status rc = SCT_OK;
    SCT_TRY(open_folder(&dir, w, ""));
    for (struct dirent *d = readdir(dir); d && rc == SCT_OK; d = readdir(dir)) {
        bool folder = false;
        if (d->d_name[0] == '.' || !kind(w, d->d_name, &folder) || !folder)
            continue;
        const char *name = sct_arena_strdup(&w->ds->arena, d->d_name);
        rc = name ? add_name(w, out, name) : no_memory(w);
    }
    (void)closedir(dir);
    if (rc == SCT_OK && out->count == 0)
        rc = sct_fail(w->err, SCT_EDATA, "%s: expected one folder a class, found none",
                      w->ds->root);
    return rc;
}

static sct_status scan_plain(struct walk *w, struct names *names)
{
    SCT_TRY(list_classes(w, names));
    qsort(names->at, names->count, sizeof *names->at, by_name);
    for (uint32_t i = 0; i < names->count; i++) {
        const uint32_t before = w->count;
        SCT_TRY(scan_tree(w, names->at[i]));
        if (w->count == before)
            return sct_fail(w->err, SCT_EDATA,
                            "%s/%s: expected .jpg, .jpeg, .png or .webp files in this class "
                            "folder, found none; remove it or fill it",
                            w->ds->root, names->at[i]);
    }
    return SCT_OK;
}

static sct_status scan_natural(struct walk *w, struct names *names)
{
    SCT_TRY(scan_tree(w, ""));
    if (w->count == 0)
        return sct_fail(
            w->err, SCT_EDATA,
            "%s: expected .jpg, .jpeg or .png files in one folder a class, found none",
            w->ds->root);
    qsort(w->found, w->count, sizeof *w->found, by_class);
    for (uint32_t i = 0; i < w->count; i++)
        if (i == 0 || by_class(&w->found[i - 1], &w->found[i]) != 0)
            SCT_TRY(add_name(w, names, w->found[i].class));
    qsort(names->at, names->count, sizeof *names->at, by_name_natural);
    return SCT_OK;
}

/* Nothing was said about the order: fine as long as both give each class the same number. */
static sct_status check_unsaid(struct walk *w, const struct names *plain)
{
    static const char advice[] = "say --folder-order torchvision or --folder-order timm";
    for (uint32_t i = 0; i < w->count; i++) {
        const char *leaf = strrchr(w->found[i].path, '/');
        if ((size_t)(leaf - w->found[i].path) != strlen(w->found[i].class))
            return sct_fail(w->err, SCT_EUSAGE,
                            "%s: torchvision takes %s for class %s, timm for the class of its "
                            "innermost folder; %s",
                            w->ds->root, w->found[i].path, w->found[i].class, advice);
    }
    const char **natural = sct_arena_alloc(&w->ds->arena, plain->count * sizeof *natural);
    if (!natural)
        return no_memory(w);
    memcpy(natural, plain->at, plain->count * sizeof *natural);
    qsort(natural, plain->count, sizeof *natural, by_name_natural);
    for (uint32_t i = 0; i < plain->count; i++)
        if (strcmp(natural[i], plain->at[i]) != 0)
            return sct_fail(w->err, SCT_EUSAGE,
                            "%s: class %u is %s in torchvision's order and %s in timm's; %s",
                            w->ds->root, (unsigned)i, plain->at[i], natural[i], advice);
    return SCT_OK;
}

static sct_status finish(struct walk *w, const struct names *names)
{
    struct sct_arena *arena = &w->ds->arena;
    const char **own = sct_arena_alloc(arena, names->count * sizeof *own);
    struct sct_entry *e = sct_arena_alloc(arena, w->count * sizeof *e);
    if (!own || !e)
        return no_memory(w);
    qsort(w->found, w->count, sizeof *w->found, w->natural ? by_path_natural : by_path);
    w->ds->class_names = memcpy(own, names->at, names->count * sizeof *own);
    w->ds->entries = e;
    w->ds->count = w->count;
    w->ds->classes = names->count;
    for (uint32_t i = 0; i < w->count; i++) {
        const char *const *at = bsearch(&w->found[i].class, own, names->count, sizeof *own,
                                        w->natural ? by_name_natural : by_name);
        e[i] = (struct sct_entry){w->found[i].path, (uint32_t)(at - own)};
    }
    return SCT_OK;
}

sct_status sct_dataset_folder(struct sct_dataset *ds, const char *root,
                              enum sct_class_order order, sct_error *err)
{
    struct walk w = {.ds = ds, .natural = order == SCT_ORDER_NATURAL, .err = err};
    struct names names = {0};
    memset(ds, 0, sizeof *ds);
    ds->root = ds->origin = sct_arena_strdup(&ds->arena, root);
    sct_status rc = ds->root ? SCT_OK : no_memory(&w);
    if (rc == SCT_OK)
        rc = w.natural ? scan_natural(&w, &names) : scan_plain(&w, &names);
    if (rc == SCT_OK && order == SCT_ORDER_UNSAID)
        rc = check_unsaid(&w, &names);
    if (rc == SCT_OK)
        rc = finish(&w, &names);
    sct_free(names.at);
    sct_free(w.queue);
    sct_free(w.found);
    if (rc != SCT_OK)
        sct_dataset_fini(ds);
    return rc;
}
