/* SPDX-License-Identifier: MIT
 * source.h - one face for everything that has labelled images: lists, folders, generators.
 * Read-only after creation: any number of threads may ask. */
#ifndef SCT_DATA_SOURCE_H
#define SCT_DATA_SOURCE_H

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

uint32_t sct_source_count(const struct sct_source *s);
uint32_t sct_source_classes(const struct sct_source *s);
/* i < count. */
uint32_t sct_source_label(const struct sct_source *s, uint32_t i);
/* Name of a class < classes, or NULL when the source has no names. Owned by the source. */
const char *sct_source_class_name(const struct sct_source *s, uint32_t label);
/* What a person calls item i < count: a path, or "sprites_count/test/17". */
void sct_source_item_name(const struct sct_source *s, uint32_t i, char *buf, size_t size);

/* Decodes or draws item i into a fresh image, which the caller ends with sct_image_fini. Errors
 * name the item; *img is then empty. Thread-safe. */
sct_status sct_source_fetch(const struct sct_source *s, uint32_t i, struct sct_image *img,
                            sct_error *err);

#ifdef __cplusplus
}
#endif
#endif
