/* SPDX-License-Identifier: MIT
 * data_open.c - the training and test sources behind --data: found, read, numbered. */
#include "core/train/data_open.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/data/data_json.h"
#include "core/data/layout.h"
#include "core/plug/module.h"

struct pairs {
    const struct sct_cfg_node *at;
    char value[512];
};

/* Key and value of the next line of a task file; a sequence becomes words with blanks. */
static int next_pair(void *ctx, const char **key, const char **value)
{
    struct pairs *p = ctx;
    const struct sct_cfg_node *n = p->at;
    if (!n)
        return 0;
    p->at = n->next;
    *key = n->key;
    *value = n->text ? n->text : "";
    if (n->kind == SCT_CFG_SEQUENCE) {
        size_t used = 0;
        p->value[0] = 0;
        for (const struct sct_cfg_node *c = n->first; c && used + 1 < sizeof p->value;
             c = c->next)
            used += (size_t)snprintf(p->value + used, sizeof p->value - used, "%s%s",
                                     used ? " " : "", c->text ? c->text : "");
        *value = p->value;
    }
    return 1;
}

static sct_status load_task(const char *name, struct sct_task *t, sct_error *err)
{
    char rel[300], path[4096];
    if (strchr(name, '/')) {
        (void)snprintf(path, sizeof path, "%s", name);
    } else {
        (void)snprintf(rel, sizeof rel, "configs/tasks/%.200s.yaml", name);
        SCT_TRY(sct_plug_data(rel, path, sizeof path, err));
    }
    struct sct_cfg *cfg = NULL;
    SCT_TRY(sct_cfg_load(&cfg, path, err));
    struct pairs p = {sct_cfg_root(cfg)->first, {0}};
    sct_task_init(t);
    sct_status rc = sct_task_load(t, next_pair, &p, err);
    if (rc != SCT_OK)
        (void)sct_error_prefix(err, "%s", path);
    sct_cfg_destroy(&cfg);
    return rc;
}

enum { TRAIN, TEST, SPLITS };

/* What is being opened. */
struct opening {
    const struct sct_data_ask *ask;
    const struct sct_settings *s;
    struct sct_data_about *about;
    struct sct_source *source[SPLITS];
    const char *group; /* of the VTAB-1k task, or NULL */
    sct_error *err;
};

SCT_PRINTF(2, 3)

static void say(const struct opening *o, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (o->ask->say)
        o->ask->say(o->ask->say_ctx, SCT_LOG_INFO, line);
}

static bool wanted(const struct opening *o, int split)
{
    return split == TRAIN ? o->ask->train : o->ask->test;
}

/* --shots K of a task's training split: the labels of its images go round, so K rounds have K
 * images of every class. Draw d has the d-th K rounds; draws do not meet. */
static sct_status take_shots(struct opening *o, struct sct_source *src)
{
    const uint64_t count = sct_source_count(src), classes = sct_source_classes(src);
    const uint64_t n = o->s->shots * classes, first = o->s->shot_seed * n;
    if (first > count || n > count - first)
        return sct_fail(o->err, SCT_EUSAGE,
                        "--shots %u, draw %u (--shot-seed): that is images %llu to %llu of %s, "
                        "which has %llu for training",
                        o->s->shots, o->s->shot_seed, (unsigned long long)first,
                        (unsigned long long)(first + n - 1), sct_source_origin(src),
                        (unsigned long long)count);
    uint8_t *out = sct_alloc((size_t)count);
    if (!out)
        return sct_nomem(o->err);
    memset(out, 1, (size_t)count);
    memset(out + first, 0, (size_t)n);
    const sct_status rc = sct_source_drop(src, out, o->err);
    sct_free(out);
    return rc;
}

static sct_status open_task(struct opening *o)
{
    static const char *const usual[SPLITS][2] = {{"trainval", "train"}, {"test", "val"}};
    const char *const given[SPLITS] = {o->s->train_list, o->s->test_list};
    struct sct_task t;
    o->about->layout = "task";
    SCT_TRY(load_task(o->s->data + 5, &t, o->err));
    for (int k = 0; k < SPLITS; k++) {
        enum sct_split split;
        SCT_TRY(
            sct_split_parse(&split, given[k] ? given[k] : usual[k][o->s->protocol], o->err));
        if (wanted(o, k))
            SCT_TRY(sct_source_create_task(&o->source[k], &t, split, o->err));
    }
    if (o->s->shots && o->source[TRAIN])
        SCT_TRY(take_shots(o, o->source[TRAIN]));
    return SCT_OK;
}

/* The order of class folders: what was said, what the adapter had; where names decide anyway,
 * either would do. */
static enum sct_class_order folder_order(struct opening *o)
{
    static const char *const names[] = {"", "torchvision", "timm"};
    uint32_t order = o->s->folder_order;
    if (order == SCT_ORDER_UNSAID && strcmp(o->ask->folder_order, "timm") == 0)
        order = SCT_ORDER_NATURAL;
    else if (order == SCT_ORDER_UNSAID && (o->about->map.count || o->ask->known))
        order = SCT_ORDER_PLAIN;
    o->about->folder_order = names[order == SCT_ORDER_UNSAID ? SCT_ORDER_PLAIN : order];
    return (enum sct_class_order)order;
}

static sct_status read_place(struct opening *o, const struct sct_split_place *p,
                             struct sct_dataset *ds)
{
    switch (p->form) {
    case SCT_FORM_CSV:
        return sct_dataset_csv(ds, p->file, p->images, p->splits, !o->ask->train, o->err);
    case SCT_FORM_JSON:
        return sct_json_list(ds, p->file, p->images, o->err);
    case SCT_FORM_FOLDER:
        return sct_dataset_folder(ds, p->file, folder_order(o), o->err);
    default:
        return sct_dataset_list(ds, p->file, p->images, p->names, o->err);
    }
}

/* A task of VTAB-1k has a known number of classes, which a list may not reach. */
static sct_status check_task(const struct opening *o, const struct sct_vtab_task *t,
                             struct sct_dataset *ds)
{
    if (ds->classes > t->classes || (ds->class_names && ds->classes != t->classes))
        return sct_fail(o->err, SCT_EDATA,
                        "%s: VTAB-1k's %s has %u classes, found %s %u; is it another data set? "
                        "then give the folder another name",
                        ds->origin, t->name, (unsigned)t->classes,
                        ds->class_names ? "names of" : "labels of at least",
                        (unsigned)ds->classes);
    ds->classes = t->classes;
    return SCT_OK;
}

static sct_status read_split(struct opening *o, const struct sct_layout_found *f, int split)
{
    struct sct_dataset ds;
    if (f->missing[split] != SCT_OK)
        return sct_fail(o->err, f->missing[split], "%s", f->why[split].msg);
    SCT_TRY(read_place(o, &f->place[split], &ds));
    ds.read = (struct sct_image_opts){o->s->max_pixels, (enum sct_deep_mode)o->s->deep_png};
    sct_status rc = f->task ? check_task(o, f->task, &ds) : SCT_OK;
    if (rc == SCT_OK)
        rc = sct_source_create_dataset(&o->source[split], &ds, o->err);
    sct_dataset_fini(&ds);
    return rc;
}

static sct_status open_files(struct opening *o)
{
    const struct sct_settings *s = o->s;
    const struct sct_layout_ask ask = {.data = s->data,
                                       .layout = (enum sct_layout)s->layout,
                                       .tune = s->protocol != 0,
                                       .shots = s->shots,
                                       .seed = s->shot_seed,
                                       .list = {s->train_list, s->test_list},
                                       .image_root = s->image_root};
    struct sct_layout_found f;
    SCT_TRY(sct_layout_find(&f, &ask, o->err));
    o->about->layout = sct_layout_name(f.layout);
    o->about->task = f.task ? f.task->name : "";
    sct_status rc = o->ask->train ? read_split(o, &f, TRAIN) : SCT_OK;
    if (rc == SCT_OK && o->ask->test)
        rc = read_split(o, &f, TEST);
    /* names are numbered as in training, if nothing better is known */
    const bool named = o->source[TEST] && sct_source_class_name(o->source[TEST], 0);
    if (rc == SCT_OK && named && !o->ask->train && !o->ask->known && !o->about->map.count &&
        f.missing[TRAIN] == SCT_OK)
        rc = read_split(o, &f, TRAIN);
    if (rc == SCT_OK && f.task)
        o->group = f.task->group;
    sct_layout_fini(&f);
    return rc;
}

static sct_status map_source(struct opening *o, int split, const struct sct_class_map *map)
{
    uint32_t left = 0;
    if (!o->source[split])
        return SCT_OK;
    SCT_TRY(sct_source_map(o->source[split], map, o->s->unknown_classes != 0, &left, o->err));
    if (left)
        say(o, "%s: %u images of classes that are not known here are left out",
            sct_source_origin(o->source[split]), (unsigned)left);
    return SCT_OK;
}

/* First by the file, then by the adapter's names; numbers in the file are the adapter's. */
static sct_status number_classes(struct opening *o)
{
    const struct sct_class_map *map = &o->about->map, *known = o->ask->known;
    uint32_t left = 0;
    for (int k = 0; k < SPLITS; k++) {
        if (map->count)
            SCT_TRY(map_source(o, k, map));
        if (known && !(map->count && map->pairs))
            SCT_TRY(map_source(o, k, known));
    }
    if (map->count || known || !o->source[TRAIN] || !o->source[TEST])
        return SCT_OK;
    SCT_TRY(sct_source_unite(o->source[TRAIN], o->source[TEST], o->s->unknown_classes != 0,
                             &left, o->err));
    if (left)
        say(o, "%s: %u images of classes that the training split does not have are left out",
            sct_source_origin(o->source[TEST]), (unsigned)left);
    return SCT_OK;
}

static void summarise(struct opening *o)
{
    struct sct_data_about *a = o->about;
    char task[64] = "", order[48] = "", images[SPLITS][48] = {"", ""};
    static const char *const what[SPLITS] = {"training", "test"};
    const struct sct_source *any = o->source[TRAIN] ? o->source[TRAIN] : o->source[TEST];
    if (o->group)
        (void)snprintf(task, sizeof task, " of VTAB-1k's %s (%s)", a->task, o->group);
    if (*a->folder_order)
        (void)snprintf(order, sizeof order, " in the order of %s", a->folder_order);
    for (int k = 0; k < SPLITS; k++)
        if (wanted(o, k))
            (void)snprintf(images[k], sizeof images[k], ", %u %s images",
                           (unsigned)sct_source_count(o->source[k]), what[k]);
    (void)snprintf(a->summary, sizeof a->summary, "data: layout %s, %u classes%s%s%s%s",
                   a->layout, (unsigned)sct_source_classes(any), task, order, images[TRAIN],
                   images[TEST]);
}

static sct_status open_all(struct opening *o)
{
    const struct sct_settings *s = o->s;
    if (!s->data)
        return sct_fail(o->err, SCT_EUSAGE, "no data: say --data DIR, or --data task:NAME");
    if (s->class_map)
        SCT_TRY(sct_class_map_read(&o->about->map, s->class_map, o->err));
    SCT_TRY(strncmp(s->data, "task:", 5) == 0 ? open_task(o) : open_files(o));
    SCT_TRY(number_classes(o));
    summarise(o);
    return SCT_OK;
}

sct_status sct_data_open(const struct sct_data_ask *ask, struct sct_source **train,
                         struct sct_source **test, struct sct_data_about *about, sct_error *err)
{
    struct opening o = {.ask = ask, .s = ask->s, .about = about, .err = err};
    *about = (struct sct_data_about){.layout = "", .folder_order = "", .task = ""};
    const sct_status rc = open_all(&o);
    for (int k = 0; k < SPLITS; k++)
        if (rc != SCT_OK || !wanted(&o, k))
            sct_source_destroy(&o.source[k]);
    if (rc != SCT_OK)
        sct_data_about_fini(about);
    *train = o.source[TRAIN];
    *test = o.source[TEST];
    return rc;
}

void sct_data_about_fini(struct sct_data_about *about)
{
    sct_class_map_fini(&about->map);
    *about = (struct sct_data_about){.layout = "", .folder_order = "", .task = ""};
}
