/* SPDX-License-Identifier: MIT
 * config.h - THE table of the keys of a model's configuration. YAML files, adapter folders and
 * listings read and write a struct sct_model_config by its rows, so a key is one line.
 * Thread rule: the table is constant; a configuration belongs to one thread at a time. */
#ifndef SCT_MODEL_CONFIG_H
#define SCT_MODEL_CONFIG_H

#include "core/ir/model.h"

enum sct_key_type {
    SCT_KEY_U32,  /* uint32_t[count], each from min to max */
    SCT_KEY_F32,  /* float[count] */
    SCT_KEY_BOOL, /* uint32_t, 0 or 1 */
    SCT_KEY_WORD, /* uint32_t: position in words */
    SCT_KEY_TEXT, /* char[count], 0-terminated */
};

enum sct_key_flags {
    SCT_KEY_NEEDED = 1,  /* there is no default */
    SCT_KEY_ALWAYS = 2,  /* an adapter without it is damaged, though YAML has a default */
    SCT_KEY_UNSAVED = 4, /* not in an adapter: stands elsewhere in it, or follows from others */
};

struct sct_model_key {
    const char *name;
    uint32_t type;  /* enum sct_key_type */
    uint32_t archs; /* bit 1 << enum sct_arch; a name may have a row for each of them */
    size_t offset;  /* in struct sct_model_config */
    uint32_t count; /* 1: a scalar; more: a list of that many. TEXT: bytes of the array */
    uint32_t min, max;
    const char *const *words; /* NULL-terminated */
    uint32_t flags;           /* enum sct_key_flags */
};

/* Calls of sct_model_key_next(NULL, arch), (k, arch), ... give the rows that `arch` has, in the
 * order in which they are written, then NULL. */
const struct sct_model_key *sct_model_key_next(const struct sct_model_key *k, uint32_t arch);
/* By name, or NULL. */
const struct sct_model_key *sct_model_key_find(uint32_t arch, const char *name);

/* Where the value of a row is. */
static inline void *sct_model_key_at(const struct sct_model_key *k, struct sct_model_config *c)
{
    return (char *)c + k->offset;
}

/* Every field as timm's class of that architecture starts; NEEDED ones 0. */
void sct_model_config_default(struct sct_model_config *c, uint32_t arch);
/* Fills in what follows from other fields, once all keys are read: mlp. */
void sct_model_config_finish(struct sct_model_config *c);

/* Position of `text` in a list of words; false: not among them. */
bool sct_words_find(const char *const *words, const char *text, uint32_t *out);
/* "a, b or c", for messages. Returns buf. */
const char *sct_words_text(const char *const *words, char *buf, size_t size);

#endif
