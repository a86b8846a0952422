/* SPDX-License-Identifier: MIT
 * layout.c - the layouts of data folders as tables: marks, files of the splits, image roots. */
#include "core/data/layout.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/str.h"

enum { TRAIN, TEST, SPLITS };

static const char *const layout_names[] = {
#define SCT_LAYOUT_TEXT(ID, NAME) NAME,
    SCT_LAYOUTS(SCT_LAYOUT_TEXT)
#undef SCT_LAYOUT_TEXT
};

/* Files of each split by protocol; the first one that exists. Few-shot training lists have
 * shots and seed in their names and are made below. */
static const struct {
    enum sct_form form;
    const char *file[SPLITS][2][3]; /* [split][tune][alternatives] */
} rows[SCT_LAYOUT_COUNT] = {
    [SCT_LAYOUT_LIST] = {SCT_FORM_LIST,
                         {{{"train800val200.txt"}, {"train800.txt"}},
                          {{"test.txt"}, {"val200.txt"}}}},
    [SCT_LAYOUT_FEW_SHOT] = {SCT_FORM_LIST,
                             {{{NULL}, {NULL}},
                              {{"annotations/test_meta.list", "annotations/val_meta.list"},
                               {"annotations/val_meta.list"}}}},
    [SCT_LAYOUT_FGVC] = {SCT_FORM_JSON,
                         {{{"train.json"}, {"train.json"}}, {{"test.json"}, {"val.json"}}}},
    [SCT_LAYOUT_CSV] = {SCT_FORM_CSV,
                        {{{"train.csv", "train.tsv"}, {"train.csv", "train.tsv"}},
                         {{"test.csv", "test.tsv"}, {"val.csv", "val.tsv"}}}},
    [SCT_LAYOUT_FOLDER] = {SCT_FORM_FOLDER,
                           {{{"train"}, {"train"}}, {{"test", "val"}, {"val"}}}},
};

/* What tells a layout, in the order in which they are tried; a name that ends in / is a folder.
 */
static const struct {
    enum sct_layout layout;
    const char *name[6];
} marks[] = {
    {SCT_LAYOUT_LIST, {"train800val200.txt", "train800.txt", "val200.txt", "test.txt"}},
    {SCT_LAYOUT_FEW_SHOT, {"annotations/"}},
    {SCT_LAYOUT_FGVC, {"train.json", "val.json", "test.json"}},
    {SCT_LAYOUT_CSV, {"train.csv", "train.tsv", "test.csv", "test.tsv", "val.csv", "val.tsv"}},
    {SCT_LAYOUT_FOLDER, {"train/", "test/", "val/"}},
};

/* Image roots by the folder's name in lower case without - and _: NOAH's loader for the
 * few-shot lists, VPT's for FGVC. The first row that fits. */
static const struct {
    enum sct_layout layout;
    const char *name;
    bool part; /* the name need only occur */
    const char *images[SPLITS];
} image_roots[] = {
    {SCT_LAYOUT_FEW_SHOT, "imagenet", false, {"train", "val"}},
    {SCT_LAYOUT_FEW_SHOT, "imagenet", true, {".", "."}}, /* v2, sketch, a, r */
    {SCT_LAYOUT_FEW_SHOT, "stanfordcars", false, {".", "."}},
    {SCT_LAYOUT_FEW_SHOT, "standfordcars", false, {".", "."}}, /* as the annotations spell it */
    {SCT_LAYOUT_FGVC, "cub", true, {"images", "images"}},
    {SCT_LAYOUT_FGVC, "nabirds", false, {"images", "images"}},
    {SCT_LAYOUT_FGVC, "stanforddog", true, {"Images", "Images"}},
    {SCT_LAYOUT_FGVC, "stanfordcar", true, {".", "."}},
    {SCT_LAYOUT_FGVC, "oxfordflower", true, {".", "."}},
};

struct finder {
    struct sct_layout_found *f;
    const struct sct_layout_ask *ask;
    sct_error *err;
};

const char *sct_layout_name(enum sct_layout l)
{
    return layout_names[l];
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static sct_status no_memory(const struct finder *d)
{
    return sct_fail(d->err, SCT_ENOMEM, "%s: out of memory looking at the data set",
                    d->ask->data);
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* root/name, or name itself when it is absolute, or root for "."; NULL: no memory. */
static char *below(struct sct_layout_found *f, const char *name)
{
    if (name[0] == '/')
        return sct_arena_strdup(&f->arena, name);
    if (strcmp(name, ".") == 0)
        return sct_arena_strdup(&f->arena, f->root);
    return sct_arena_printf(&f->arena, "%s/%s", f->root, name);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The folder of --data, or its alias if only that is there. */
static sct_status find_root(struct finder *d)
{
    struct sct_layout_found *f = d->f;
    size_t n = strlen(d->ask->data);
    while (n > 1 && d->ask->data[n - 1] == '/')
        n--;
    char *own = sct_arena_printf(&f->arena, "%.*s", (int)n, d->ask->data);
    if (!own)
        return no_memory(d);
    f->root = own;
    if (is_folder(own) || (is_file(own) && (ends_with(own, ".csv") || ends_with(own, ".tsv"))))
        return SCT_OK;
    const char *last = last_part(own);
    const struct sct_vtab_task *t = sct_vtab_find(last, strlen(last));
    if (t && t->alias) {
        const char *name = strcmp(last, t->name) == 0 ? t->alias : t->name;
        char *other = sct_arena_printf(&f->arena, "%.*s%s", (int)(last - own), own, name);
        if (!other)
            return no_memory(d);
        if (is_folder(other)) {
            f->root = other;
            return SCT_OK;
        }
    }
    return sct_fail(d->err, SCT_EDATA,
                    "%s: expected a folder with a data set, or a .csv or .tsv file, found %s",
                    own, is_file(own) ? "another file" : "nothing of that name");
}

static bool has_mark(const struct finder *d, const char *name)
{
    char path[4096];
    const size_t n = strlen(name);
    const bool folder = name[n - 1] == '/';
    const int len = snprintf(path, sizeof path, "%s/%.*s", d->f->root, (int)(n - folder), name);
    return len > 0 && (size_t)len < sizeof path && (folder ? is_folder(path) : is_file(path));
}

static enum sct_layout guess(const struct finder *d)
{
    if (is_file(d->f->root))
        return SCT_LAYOUT_CSV;
    if (d->ask->shots)
        return SCT_LAYOUT_FEW_SHOT;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        for (size_t k = 0; k < 6 && marks[i].name[k]; k++)
            if (has_mark(d, marks[i].name[k]))
                return marks[i].layout;
    return d->ask->list[TRAIN] || d->ask->list[TEST] ? SCT_LAYOUT_LIST : SCT_LAYOUT_FOLDER;
}

/* "CUB_200-2011" -> "cub2002011" */
static void plain_name(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; *name && n + 1 < size; name++)
        if (*name != '-' && *name != '_')
            out[n++] = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
    out[n] = 0;
}

/* Where a layout keeps its images, relative to the root. */
static const char *image_root(const struct finder *d, int split)
{
    char name[256];
    const enum sct_layout l = d->f->layout;
    if (d->ask->image_root)
        return d->ask->image_root;
    if (l != SCT_LAYOUT_FEW_SHOT && l != SCT_LAYOUT_FGVC)
        return ".";
    plain_name(last_part(d->f->root), name, sizeof name);
    for (size_t i = 0; i < sizeof image_roots / sizeof image_roots[0]; i++)
        if (image_roots[i].layout == l &&
            (image_roots[i].part ? strstr(name, image_roots[i].name) != NULL
                                 : strcmp(name, image_roots[i].name) == 0))
            return image_roots[i].images[split];
    return has_mark(d, "images/") ? "images" : has_mark(d, "Images/") ? "Images" : ".";
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a.txt, b.txt": what could have been meant by a list that is missing. */
static void describe(const char *folder, const char *part, struct sct_str *out)
{
    enum { SHOW = 12 };

    char *names[SHOW];
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e && n < SHOW; e = readdir(dir))
        if (strstr(e->d_name, part) && strcmp(e->d_name, "classes.txt") != 0 &&
            (names[n] = sct_strdup(e->d_name)) != NULL)
            n++;
    if (dir)
        (void)closedir(dir);
    qsort(names, n, sizeof *names, compare_names);
    if (n == 0)
        sct_str_add(out, "none");
    for (size_t i = 0; i < n; i++) {
        sct_str_add(out, "%s%s", i ? ", " : "", names[i]);
        sct_free(names[i]);
    }
}

/* The file is not there: remembered, with what is. */
static void missing(struct finder *d, int split, const char *file, const char *part)
{
    struct sct_str have = {0};
    char folder[4096];
    const char *last = last_part(file);
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(last - file), file);
    describe(folder, part, &have);
    d->f->missing[split] = sct_fail(
        &d->f->why[split], SCT_EDATA,
        "%s: expected the %s list of a data set in the layout %s, found no such file; there is: "
        "%s",
        file, split == TRAIN ? "training" : "test", layout_names[d->f->layout],
        have.s ? have.s : "?");
    sct_str_free(&have);
}

static enum sct_form form_of(const char *file)
{
    return ends_with(file, ".csv") || ends_with(file, ".tsv") ? SCT_FORM_CSV
           : ends_with(file, ".json")                         ? SCT_FORM_JSON
                                                              : SCT_FORM_LIST;
}

/* A list that was named, or that the layout has. */
static sct_status place_list(struct finder *d, int split, const char *file, enum sct_form form)
{
    struct sct_split_place *p = &d->f->place[split];
    p->form = form;
    p->file = below(d->f, file);
    p->images = below(d->f, image_root(d, split));
    p->names = below(d->f, "classes.txt");
    if (!p->file || !p->images || !p->names)
        return no_memory(d);
    if (!is_file(p->file))
        missing(d, split, p->file,
                form == SCT_FORM_JSON                 ? ".json"
                : form == SCT_FORM_CSV                ? "sv"
                : d->f->layout == SCT_LAYOUT_FEW_SHOT ? "_meta.list"
                                                      : ".txt");
    return SCT_OK;
}

/* A CSV file that holds all splits. */
static sct_status place_rows(struct finder *d, int split)
{
    struct sct_split_place *p = &d->f->place[split];
    const uint32_t bits[SPLITS][2] = {{SCT_IN_TRAIN | SCT_IN_VAL, SCT_IN_TRAIN},
                                      {SCT_IN_TEST, SCT_IN_VAL}};
    const char *file = d->f->root, *last = last_part(file);
    const char *folder =
        last == file ? "."
                     : sct_arena_printf(&d->f->arena, "%.*s", (int)(last - file - 1), file);
    const char *own = d->ask->image_root;
    p->form = SCT_FORM_CSV;
    p->file = file;
    p->splits = bits[split][d->ask->tune];
    p->images = !own || own[0] == '/' || !folder
                    ? (own ? own : folder)
                    : sct_arena_printf(&d->f->arena, "%s/%s", folder, own);
    return folder && p->images ? SCT_OK : no_memory(d);
}

/* train/, test/, val/; or, to be evaluated, class folders that lie in the root. */
static sct_status place_folder(struct finder *d, int split)
{
    struct sct_split_place *p = &d->f->place[split];
    const char *const *name = rows[SCT_LAYOUT_FOLDER].file[split][d->ask->tune];
    char mark[16];
    p->form = SCT_FORM_FOLDER;
    for (int k = 0; k < 3 && name[k]; k++) {
        (void)snprintf(mark, sizeof mark, "%s/", name[k]);
        if (has_mark(d, mark))
            return (p->file = below(d->f, name[k])) ? SCT_OK : no_memory(d);
    }
    const bool splits = has_mark(d, "train/") || has_mark(d, "test/") || has_mark(d, "val/");
    if (split == TEST && !splits) {
        p->file = d->f->root;
        return SCT_OK;
    }
    d->f->missing[split] = sct_fail(
        &d->f->why[split], SCT_EDATA,
        "%s: expected %s/ with one folder a class, found no such folder; other layouts need "
        "train800val200.txt and test.txt, annotations/, train.json, or train.csv",
        d->f->root, name[0]);
    return SCT_OK;
}

static sct_status place(struct finder *d, int split)
{
    struct sct_layout_found *f = d->f;
    const char *own = d->ask->list[split];
    if (own)
        return place_list(d, split, own, form_of(own));
    if (is_file(f->root))
        return place_rows(d, split);
    if (f->layout == SCT_LAYOUT_FOLDER)
        return place_folder(d, split);
    if (f->layout == SCT_LAYOUT_FEW_SHOT && split == TRAIN) {
        const char *name =
            sct_arena_printf(&f->arena, "annotations/train_meta.list.num_shot_%u.seed_%u",
                             (unsigned)d->ask->shots, (unsigned)d->ask->seed);
        if (!name)
            return no_memory(d);
        if (d->ask->shots)
            return place_list(d, split, name, SCT_FORM_LIST);
        f->missing[split] =
            sct_fail(&f->why[split], SCT_EUSAGE,
                     "%s has few-shot lists: say --shots N, and --shot-seed for another than 0",
                     f->root);
        return SCT_OK;
    }
    const char *const *name = rows[f->layout].file[split][d->ask->tune];
    int k = 0;
    while (name[k + 1] && !has_mark(d, name[k]))
        k++;
    return place_list(d, split, has_mark(d, name[k]) ? name[k] : name[0], rows[f->layout].form);
}

static sct_status find(struct finder *d)
{
    struct sct_layout_found *f = d->f;
    SCT_TRY(find_root(d));
    f->layout = d->ask->layout == SCT_LAYOUT_AUTO ? guess(d) : d->ask->layout;
    if (is_file(f->root) && f->layout != SCT_LAYOUT_CSV)
        return sct_fail(d->err, SCT_EUSAGE, "%s is a file: its layout is csv, not %s", f->root,
                        layout_names[f->layout]);
    if (d->ask->shots && f->layout != SCT_LAYOUT_FEW_SHOT)
        return sct_fail(d->err, SCT_EUSAGE,
                        "--shots %u: the layout is %s; few-shot lists lie in annotations/",
                        (unsigned)d->ask->shots, layout_names[f->layout]);
    const char *last = last_part(f->root);
    if (f->layout == SCT_LAYOUT_LIST)
        f->task = sct_vtab_find(last, strlen(last));
    SCT_TRY(place(d, TRAIN));
    return place(d, TEST);
}

sct_status sct_layout_find(struct sct_layout_found *f, const struct sct_layout_ask *ask,
                           sct_error *err)
{
    struct finder d = {f, ask, err};
    memset(f, 0, sizeof *f);
    const sct_status rc = find(&d);
    if (rc != SCT_OK)
        sct_layout_fini(f);
    return rc;
}

void sct_layout_fini(struct sct_layout_found *f)
{
    sct_arena_free(&f->arena);
    memset(f, 0, sizeof *f);
}
