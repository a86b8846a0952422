/* SPDX-License-Identifier: MIT
 * source.h - one face for everything that has labelled images: lists, folders, generators.
 * Read-only once it is set up: any number of threads may ask. */
#ifndef SCT_DATA_SOURCE_H
#define SCT_DATA_SOURCE_H

#include "core/data/class_map.h"
#include "core/data/generator.h"
#include "core/data/list.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sct_source;

/* A source over a data set. On success the source owns the content of *ds and *ds is empty; on
 * failure *out is NULL and *ds untouched. SCT_ENOMEM. */
sct_status sct_source_create_dataset(struct sct_source **out, struct sct_dataset *ds,
                                     sct_error *err);

/* A source over one split of a finished task, which is copied. SCT_ENOMEM; SCT_EUSAGE when the
 * split is empty. */
sct_status sct_source_create_task(struct sct_source **out, const struct sct_task *task,
                                  enum sct_split split, sct_error *err);

/* Accepts NULL and pointers to NULL. No thread may still be fetching. */
void sct_source_destroy(struct sct_source **s);

/* ---- setting up, by one thread, before anything is fetched ---- */

/* Renumbers the classes as the map says: a class is found by its name (unless
 * all names are the map's, in its order), or, when the source has no names, by its number
 * written out if the map's names are numerals; else its number stays, and must be below
 * map->classes. Afterwards the source has map->classes classes with the map's names. A class
 * that has images and is not in the map is SCT_EDATA with its name; with `skip` its images are
 * left out, *left of them, SCT_EDATA when none remains. On failure the source is as it was.
 * SCT_ENOMEM. */
sct_status sct_source_map(struct sct_source *s, const struct sct_class_map *map, bool skip,
                          uint32_t *left, sct_error *err);

/* Makes the test split agree with the training split. Both have names: the test split is
 * renumbered as by a map of the training split's names. One has names: they are the other's
 * too, whose labels must fit. None: both have the larger number of classes. */
sct_status sct_source_unite(struct sct_source *train, struct sct_source *test, bool skip,
                            uint32_t *left, sct_error *err);

/* Leaves out the items i with out[i] != 0; the others keep their order. SCT_EDATA when none
 * remains, SCT_ENOMEM; the source is then as it was. */
sct_status sct_source_drop(struct sct_source *s, const uint8_t *out, sct_error *err);

/* ---- asking ---- */

uint32_t sct_source_count(const struct sct_source *s);
uint32_t sct_source_classes(const struct sct_source *s);
/* i < count. */
uint32_t sct_source_label(const struct sct_source *s, uint32_t i);
/* Name of a class < classes, or NULL when the source has no names. Owned by the source. */
const char *sct_source_class_name(const struct sct_source *s, uint32_t label);
/* What a person calls item i < count: a path, or "sprites_count/test/17". */
void sct_source_item_name(const struct sct_source *s, uint32_t i, char *buf, size_t size);
/* Where it comes from, for messages: a list file, a folder, a task. */
const char *sct_source_origin(const struct sct_source *s);
/* Whether items are files, so that one may be unreadable. */
bool sct_source_reads_files(const struct sct_source *s);

/* Decodes or draws item i into a fresh image, which the caller ends with sct_image_fini. Errors
 * name the item; *img is then empty. Thread-safe. */
sct_status sct_source_fetch(const struct sct_source *s, uint32_t i, struct sct_image *img,
                            sct_error *err);

/* Hands everything that decides the pixels of item i to add(ctx, ..), in pieces: the bytes of
 * the file and how it is decoded, or the pixels that are drawn. Names are no part of it. Errors
 * as of a fetch. Thread-safe. */
typedef void (*sct_source_add)(void *ctx, const void *data, size_t n);
sct_status sct_source_content(const struct sct_source *s, uint32_t i, sct_source_add add,
                              void *ctx, sct_error *err);

#ifdef __cplusplus
}
#endif
#endif
