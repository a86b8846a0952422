/* SPDX-License-Identifier: MIT
 * data_open.h - the training and test sources behind --data. */
#ifndef SCT_TRAIN_DATA_OPEN_H
#define SCT_TRAIN_DATA_OPEN_H

#include "core/data/source.h"
#include "core/settings/settings.h"

struct sct_data_ask {
    const struct sct_settings *s;
    bool train, test;                  /* which splits are needed */
    const struct sct_class_map *known; /* the classes of an adapter, or NULL */
    const char *folder_order;          /* what the adapter was trained with, or "" */
    void (*say)(void *ctx, int level, const char *line);
    void *say_ctx;
};

/* What was found out on the way; an adapter remembers it. Zero-initialised is empty. */
struct sct_data_about {
    const char *layout;       /* "list", "folder", ..., "task"; static */
    const char *folder_order; /* "torchvision", "timm", or "" where no folders are numbered */
    const char *task;         /* of VTAB-1k, or ""; static */
    char summary[320];        /* a line for people: layout, classes, images */
    struct sct_class_map map; /* of --class-map; empty: none was given */
};

/* Sources for whatever docs/formats.md lists under "Data sets". Classes are numbered by
 * --class-map, then by the adapter's names, else by the training split. A split that is not
 * needed is NULL. EDATA, EUSAGE, ENOMEM; both are then NULL and *about empty. */
sct_status sct_data_open(const struct sct_data_ask *ask, struct sct_source **train,
                         struct sct_source **test, struct sct_data_about *about,
                         sct_error *err);
void sct_data_about_fini(struct sct_data_about *about);

#endif
