/* SPDX-License-Identifier: MIT
 * settings.h - everything a run can be told, in one table: flags, YAML keys, environment, help.
 * Sources, weakest first: defaults, configs/strategies/<strategy>.yaml, --recipe, the
 * demo's configuration (when neither data nor weights are given), -c FILE, environment, flags.
 * Of several strategies each has the options of its own file, and the first one's file wins in
 * everything else. With --adapter the strategies are the adapter's. */
#ifndef SCT_SETTINGS_SETTINGS_H
#define SCT_SETTINGS_SETTINGS_H

#include <stdbool.h>

#include "core/io/config.h"
#include "core/settings/group_rule.h"

/* --weight-decay-on */
enum sct_decay_on { SCT_DECAY_ALL, SCT_DECAY_MATRICES };

struct sct_settings {
    /* strategy and adapter are LISTs (core/io/option.h) */
    const char *backend, *device, *strategy, *recipe, *quirks, *model, *weights, *data;
    const char *train_list, *test_list, *image_root, *class_map, *preprocess, *mean, *std,
        *adapter, *head_from, *output;
    const char *cache_bytes, *feature_bytes, *memory_limit, *head_init, *image, *site, *after;
    uint32_t epochs, batch_size, max_steps, log_interval, eval_interval, test_limit;
    uint32_t threads, micro_batch, checkpoint, resize, lr_schedule, optimizer, seed_low;
    uint32_t gemm, isa, interp, assume, shuffle, drop_last, json, dry_run, quiet, profile,
        pass_order, num_classes;
    uint32_t layout, protocol, shots, shot_seed, folder_order, unknown_classes; /* data */
    uint32_t skip_bad, deep_png, max_pixels;
    uint32_t readings_cache;
    const char *picture;        /* calibrate */
    uint32_t format, dtype, to; /* export, convert */
    float lr, weight_decay, warmup_epochs, smoothing, drop_path, momentum, clip_grad;
    float warmup_lr, min_lr, crop_pct;
    float layer_decay, ema; /* groups of the optimiser, moving average */
    uint32_t weight_decay_on, ema_warmup;
};

/* One "KEY=VALUE" for a strategy, from --set or from `options:` of a YAML file. */
struct sct_set {
    const char *key, *value;
    const char *of; /* which of several: its label; NULL: the one that has the key */
    uint32_t part;  /* or its number in the list, from 1; 0: not told this way */
    bool own_file;  /* it stands in configs/strategies */
    char where[192];
};

struct sct_settings_run {
    struct sct_settings s;
    struct sct_opts *opts;
    struct sct_set *set; /* weakest first */
    uint32_t n_set, cap_set;
    struct sct_group_rule *group; /* weakest first */
    uint32_t n_group, cap_group;
    struct sct_arena *arena;
    const char *const *word; /* arguments that are no flags */
    uint32_t n_word;
};

/* One value of a grid: an option of the program, or, as "options.k", one of the strategy. */
struct sct_pick {
    const char *key, *text; /* text: NULL is YAML's null */
    char where[192];        /* begins messages about it */
};

/* Settings that come in several mappings and single values, as those of a cell of a grid do;
 * each is stronger than those before it, and together they stand where -c FILE does. Everything
 * is borrowed. */
struct sct_layers {
    const struct sct_cfg_node *const *map;
    uint32_t n_map;
    const char *const *skip; /* keys of the maps that are no settings; NULL-terminated */
    const struct sct_pick *pick;
    uint32_t n_pick;
};

/* Reads the command line (without program and subcommand), the environment and the
 * configuration files. demo: the demo's configuration counts when neither data nor weights,
 * model, adapter nor -c are given (train). EUSAGE for whatever is wrong in them. On success the
 * caller ends it with _fini; on failure it is empty. Borrows argv. */
sct_status sct_settings_init(struct sct_settings_run *r, int argc, char *const *argv,
                             const char *(*env)(const char *), bool demo, sct_error *err);
/* The same with layers in the place of -c, which is refused then. */
sct_status sct_settings_init_layers(struct sct_settings_run *r, const struct sct_layers *layers,
                                    int argc, char *const *argv,
                                    const char *(*env)(const char *), sct_error *err);
void sct_settings_fini(struct sct_settings_run *r);

/* "64M", "1.5G", "4096" -> bytes. */
sct_status sct_parse_bytes(const char *text, const char *what, uint64_t *out, sct_error *err);
/* "0.5,0.5,0.5". */
sct_status sct_parse_triple(const char *text, const char *what, float out[3], sct_error *err);

#endif
