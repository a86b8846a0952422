/* SPDX-License-Identifier: MIT
 * spt_file.h - what spt_file.c and spt_published.c share. */
#ifndef SCT_PLUGIN_SPT_FILE_H
#define SCT_PLUGIN_SPT_FILE_H

#include "plugins/spt_plan.h"

/* A plan between a model and a table. */
struct spt_file {
    struct spt_plan *p;
    const struct spt_options *o;
    const struct sct_strategy_host *h;
    sct_adapter *t;
    const char *path;
    sct_error *err;
};

/* The candidate of that name, or NULL. */
struct spt_tensor *spt_file_find(const struct spt_file *f, const char *name);
/* Numbers of a list; EFILE when it is none or, with n > 0, has not n of them. */
sct_status spt_file_list(const struct spt_file *f, const char *name, uint64_t n,
                         const int32_t **v, uint64_t *got);
/* Every name of the table begins with one of the words, which end with a NULL. */
sct_status spt_file_only(const struct spt_file *f, const char *const *words);
/* The list of names `list` ("vectors"): each is a candidate of which nothing was said, and gets
 * the fate. */
sct_status spt_file_names(const struct spt_file *f, const char *list, uint32_t fate);
sct_status spt_file_fate(const struct spt_file *f, const char *name, uint32_t fate,
                         const char *list);
/* A list that has the shape of the tensor: [rows, cols], or [rows] of a vector. */
sct_status spt_file_shape(const struct spt_file *f, const char *entry,
                          const struct spt_tensor *t);
/* Gives a tensor n entries at v[i] - first. */
sct_status spt_file_entries(const struct spt_file *f, struct spt_tensor *t, const int32_t *v,
                            uint64_t n, uint64_t first, const char *list);

/* "<folder>/<name>" into buf. */
const char *spt_file_join(char *buf, size_t size, const char *folder, const char *name);
sct_status spt_file_put_key(const struct spt_file *f, const char *folder, const char *name,
                            const char *json);
sct_status spt_file_put_list(const struct spt_file *f, const char *folder, const char *name,
                             const int32_t *v, uint64_t n);
/* The names of all tensors of that fate as a list. */
sct_status spt_file_put_names(const struct spt_file *f, const char *list, uint32_t fate);
sct_status spt_file_put_shape(const struct spt_file *f, const char *folder,
                              const struct spt_tensor *t);

/* spt_published.c: the layout of param_req_*.pth. */
int spt_is_published(const struct spt_file *f);
sct_status spt_published_read(const struct spt_file *f);
sct_status spt_published_write(const struct spt_file *f);

#endif
