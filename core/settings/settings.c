/* SPDX-License-Identifier: MIT
 * settings.c - the table of a run's options and the order of its sources. */
#include "core/settings/settings.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/checkpoint/adapter_folder.h"
#include "core/exec/device.h"
#include "core/model/interp.h"
#include "core/plug/module.h"
#include "core/settings/flag_hint.h"
#include "core/settings/recipe.h"

#define OFF(F) offsetof(struct sct_settings, F)
#define STR(K, HELP, DEF, GROUP, META)                                                         \
    {                                                                                          \
        {#K, HELP, SCT_OPT_STRING, OFF(K), 0, 0, 0, DEF}, NULL, GROUP, META, 0                 \
    }
#define UINT(K, HELP, DEF, MIN, MAX, GROUP)                                                    \
    {                                                                                          \
        {#K, HELP, SCT_OPT_UINT, OFF(K), DEF, MIN, MAX, NULL}, NULL, GROUP, NULL, 0            \
    }
#define FLT(K, HELP, DEF, MIN, MAX, GROUP)                                                     \
    {                                                                                          \
        {#K, HELP, SCT_OPT_FLOAT, OFF(K), DEF, MIN, MAX, NULL}, NULL, GROUP, NULL, 0           \
    }
#define ONOFF(K, HELP, DEF, GROUP)                                                             \
    {                                                                                          \
        {#K, HELP, SCT_OPT_BOOL, OFF(K), DEF, 0, 1, NULL}, NULL, GROUP, NULL, 0                \
    }
#define WORD(K, HELP, WORDS, GROUP)                                                            \
    {                                                                                          \
        {#K, HELP, SCT_OPT_CHOICE, OFF(K), 0, 0, 0, WORDS}, NULL, GROUP, NULL, 0               \
    }

static const char device[] = "Device", model[] = "Model", data[] = "Data", train[] = "Training",
                  memory[] = "Memory", output[] = "Output";

static const struct sct_flag flags[] = {
    {{"backend", "ref, cpu, opencl, or a path", SCT_OPT_STRING, OFF(backend), 0, 0, 0, "cpu"},
     "SCTRUN_BACKEND",
     device,
     "NAME",
     0},
    {{"device", "auto, id (opencl's are P:D), part of a name; opencl:P:D says the backend, too",
      SCT_OPT_STRING, OFF(device), 0, 0, 0, "auto"},
     "SCTRUN_DEVICE",
     device,
     "DEVICE",
     0},
    {{"threads", "CPU threads; 0 is all", SCT_OPT_UINT, OFF(threads), 0, 0, 1024, NULL},
     "SCTRUN_THREADS",
     device,
     NULL,
     0},
    WORD(gemm, "opencl: whose matrix products; auto is own", "auto|own|clblast", device),
    WORD(isa, "cpu: instruction set at most", "auto|base|avx2|avx512", device),
    WORD(assume, "opencl: whose kernels are used, whatever the device is", "auto|cpu|gpu",
         device),
    {{"strategy", "what is trained: sct, lora, linear, full, or a path; again: one more on top",
      SCT_OPT_LIST, OFF(strategy), 0, 0, 0, "sct"},
     NULL,
     model,
     "NAME",
     0},
    STR(model, "architecture: a name in configs/models, or a YAML file", NULL, model, "NAME"),
    STR(weights, "base weights: safetensors, npz, PyTorch's .pth, a folder, or random", NULL,
        model, "FILE"),
    WORD(interp, "resize position embeddings and bias tables as timm, ... does",
         SCT_INTERP_WORDS, model),
    STR(recipe, "settings of a publication: NAME/TASK of configs/recipes, or FILE.yaml:TASK",
        NULL, model, "NAME"),
    STR(quirks, "of the recipe: all, as published; none; or the names of those to keep", "all",
        model, "NAMES"),
    {{"adapter",
      "start from (train) or use (eval, predict, export, dump) this adapter; again: on top",
      SCT_OPT_LIST, OFF(adapter), 0, 0, 0, NULL},
     NULL,
     model,
     "DIR",
     0},
    STR(head_from, "of several adapters: whose head and classes; default: the last one's", NULL,
        model, "DIR"),
    STR(head_init, "initialiser of a fresh head's weight, or torch_linear for weight and bias",
        NULL, model, "INIT"),
    FLT(drop_path, "stochastic depth of the last block", 0, 0, 0.95, model),
    UINT(num_classes, "classes; 0: as the data says", 0, 0, 1000000, model),
    STR(data, "a folder with a data set, a .csv or .tsv file, or task:NAME", NULL, data, "DIR"),
    WORD(layout, "of the folder; auto: by the files in it",
         "auto|list|few-shot|fgvc|csv|folder", data),
    WORD(protocol,
         "trainval: train and val to train, test to test; tune: train, and val to test",
         "trainval|tune", data),
    STR(train_list, "training list; default: the layout's", NULL, data, "FILE"),
    STR(test_list, "test list; default: the layout's", NULL, data, "FILE"),
    STR(image_root, "where a list's images lie; default: the layout's", NULL, data, "DIR"),
    UINT(shots, "few-shot lists and tasks: images a class", 0, 0, 100000, data),
    UINT(shot_seed, "few-shot lists and tasks: which draw", 0, 0, 0, data),
    WORD(folder_order, "who numbers class folders; auto: torchvision, if timm agrees",
         "auto|torchvision|timm", data),
    STR(class_map, "file: a class name a line; or name, tab, number; or JSON", NULL, data,
        "FILE"),
    WORD(unknown_classes, "images whose class the model or the map does not have", "error|skip",
         data),
    ONOFF(skip_bad, "leave out images that cannot be read, and list them", 0, data),
    WORD(deep_png, "16-bit PNG: refuse, or 8 bits as Pillow makes them", "refuse|pillow", data),
    UINT(max_pixels, "most pixels of an image, checked before it is decoded; 0: 268435456", 0,
         0, 268435456, data),
    UINT(test_limit, "use only the first test images; 0: all", 0, 0, 0, data),
    STR(preprocess, "steps of preprocessing: a name in configs/preprocess, or a YAML file",
        NULL, data, "NAME"),
    WORD(resize, "how pictures become square; over --preprocess",
         "squash-bicubic|squash-bilinear|crop-bicubic|crop-bilinear", data),
    WORD(pass_order, "which pass of the resize goes first: as Pillow up to 12.1, 12.2, 13",
         "horizontal|pillow-12.2|pillow-13", data),
    FLT(crop_pct, "part of the short side that a crop keeps; 0: the model's", 0, 0, 1, data),
    STR(mean, "three numbers with commas; default: the model's", NULL, data, "R,G,B"),
    STR(std, "three numbers with commas; default: the model's", NULL, data, "R,G,B"),
    ONOFF(shuffle, "shuffle the training images", 1, data),
    ONOFF(drop_last, "leave out the last, partial batch", 0, data),
    UINT(epochs, "passes over the training images", 10, 1, 100000, train),
    UINT(batch_size, "images of a step", 64, 1, 65536, train),
    FLT(lr, "learning rate", 1e-3, 0, 1000, train),
    FLT(weight_decay, "weight decay", 1e-4, 0, 1000, train),
    WORD(weight_decay_on,
         "all that is trained; or matrices: not vectors, class token, position tables",
         "all|matrices", train),
    FLT(layer_decay, "factor of the learning rate from layer to layer, as timm; 1: none", 1,
        0.001, 1, train),
    WORD(lr_schedule, "cosine (per step), constant, timm (cosine per epoch)",
         "cosine|constant|timm", train),
    FLT(warmup_epochs, "epochs of linear warm-up", 1, 0, 100000, train),
    FLT(warmup_lr, "timm: where warm-up starts", 1e-6, 0, 1000, train),
    FLT(min_lr, "timm: where the cosine ends", 1e-5, 0, 1000, train),
    WORD(optimizer, "adamw or sgd", "adamw|sgd", train),
    FLT(momentum, "of sgd", 0.9, 0, 0.999999, train),
    FLT(clip_grad, "largest norm of the gradient; 0: no clipping", 0, 0, 1e9, train),
    FLT(smoothing, "label smoothing", 0, 0, 0.99, train),
    FLT(ema, "decay of a moving average of what is trained, as 0.9998; 0: none", 0, 0,
        0.9999999, train),
    ONOFF(ema_warmup, "average over the steps done as long as that decays faster", 0, train),
    {{"seed", "of everything random", SCT_OPT_UINT, OFF(seed_low), 0, 0, 0, NULL},
     NULL,
     train,
     NULL,
     0},
    UINT(max_steps, "stop after so many steps; 0: none", 0, 0, 0, train),
    UINT(eval_interval, "epochs between evaluations; 0: only the last", 0, 0, 100000, train),
    {{"micro_batch",
      "images a lane takes at once, at most a slot's share of the batch; 0: the backend's choice",
      SCT_OPT_UINT, OFF(micro_batch), 0, 0, 65536, NULL},
     NULL,
     memory,
     NULL,
     0},
    WORD(checkpoint, "recompute activations: none, block, auto (when memory is short)",
         "none|block|auto", memory),
    STR(memory_limit, "bytes the plan may take on the device, as 900M", NULL, memory, "BYTES"),
    STR(cache_bytes, "bytes for decoded images, as 64M", "512M", memory, "BYTES"),
    STR(feature_bytes,
        "bytes for what a frozen part makes of the pictures, computed once; 0: none", "256M",
        memory, "BYTES"),
    ONOFF(readings_cache,
          "look in the cache folder for what calibration measures, keep it there", 1, memory),
    STR(output, "folder of the run; must not exist", NULL, output, "DIR"),
    UINT(log_interval, "steps between log lines", 1, 1, 1000000, output),
    ONOFF(json, "results as one JSON object on stdout", 0, output),
    ONOFF(dry_run, "print counts and the memory plan, run nothing", 0, output),
    ONOFF(quiet, "no narration", 0, output),
    ONOFF(profile, "time every node of the step and print the slowest", 0, output),
    STR(image, "predict, dump: a picture, a folder or a list of pictures", NULL, output,
        "FILE"),
    STR(site, "dump: pattern of sites, as **.attn.res", NULL, output, "PATTERN"),
    WORD(format, "export: for whom", "onnx|timm|hf4|hf5", output),
    WORD(dtype, "export to timm, hf4, hf5: of the weights", "f32|f16|bf16", output),
    STR(picture, "calibrate: scores, choices and overlap as an SVG picture", NULL, output,
        "FILE"),
    WORD(to, "convert: into our folder, or one of peft in the names of timm or transformers",
         "sctrun|peft-timm|peft-hf", output),
    STR(after,
        "dump plan: as it is after this pass (fuse, choose, pack, live, place, bind, ...)",
        NULL, output, "PASS"),
    {{NULL, NULL, 0, 0, 0, 0, 0, NULL}, NULL, NULL, NULL, 0},
};

sct_status sct_parse_bytes(const char *text, const char *what, uint64_t *out, sct_error *err)
{
    char *end;
    const double v = text ? strtod(text, &end) : 0;
    *out = 0;
    if (!text || !*text)
        return SCT_OK;
    double unit = 1;
    if (*end == 'K' || *end == 'k')
        unit = 1024.0;
    else if (*end == 'M' || *end == 'm')
        unit = 1024.0 * 1024.0;
    else if (*end == 'G' || *end == 'g')
        unit = 1024.0 * 1024.0 * 1024.0;
    end += unit > 1;
    if (end == text || *end || !(v >= 0) || v * unit > 9e15)
        return sct_fail(err, SCT_EUSAGE,
                        "%s: expected a number of bytes like 64M or 1.5G, found \"%s\"", what,
                        text);
    *out = (uint64_t)(v * unit);
    return SCT_OK;
}

sct_status sct_parse_triple(const char *text, const char *what, float out[3], sct_error *err)
{
    char tail;
    float v[3];
    if (sscanf(text, "%f,%f,%f%c", &v[0], &v[1], &v[2], &tail) != 3)
        return sct_fail(err, SCT_EUSAGE,
                        "%s: expected three numbers like 0.5,0.5,0.5, found \"%s\"", what,
                        text);
    memcpy(out, v, sizeof v);
    return SCT_OK;
}

/* of, part: see struct sct_set. */
static sct_status add_set(struct sct_settings_run *r, const char *key, const char *value,
                          const char *where, const char *of, uint32_t part, sct_error *err)
{
    SCT_TRY(
        sct_grow((void **)&r->set, &r->cap_set, (uint64_t)r->n_set + 1, sizeof *r->set, err));
    struct sct_set *s = &r->set[r->n_set];
    s->key = sct_arena_strdup(r->arena, key);
    s->value = sct_arena_strdup(r->arena, value);
    s->of = of ? sct_arena_strdup(r->arena, of) : NULL;
    s->part = part;
    s->own_file = part != 0;
    (void)snprintf(s->where, sizeof s->where, "%s", where);
    if (!s->key || !s->value || (of && !s->of))
        return sct_nomem(err);
    r->n_set++;
    return SCT_OK;
}

static sct_status add_group(struct sct_settings_run *r, const struct sct_cfg_node *item,
                            const char *text, sct_error *err)
{
    SCT_TRY(sct_grow((void **)&r->group, &r->cap_group, (uint64_t)r->n_group + 1,
                     sizeof *r->group, err));
    SCT_TRY(item ? sct_group_rule_yaml(&r->group[r->n_group], r->arena, item, err)
                 : sct_group_rule_text(&r->group[r->n_group], r->arena, text, err));
    r->n_group++;
    return SCT_OK;
}

static sct_status read_option(struct sct_settings_run *r, const struct sct_cfg_node *n,
                              const char *of, uint32_t part, sct_error *err)
{
    char where[160];
    if (n->kind != SCT_CFG_SCALAR)
        return sct_cfg_fail(n, err, "expected a plain value for option %s", n->key);
    (void)snprintf(where, sizeof where, "%s:%u:%u", n->file, n->line, n->column);
    return add_set(r, n->key, n->text ? n->text : "", where, of, part, err);
}

/* Option keys, rules under `groups:`, and strategy options under `options:`, of all or in a
 * mapping of one. skip: keys that are something else. part: the file is that strategy's own; 0:
 * none's. */
static sct_status read_map(struct sct_settings_run *r, const struct sct_cfg_node *map,
                           const char *const *skip, uint32_t part, sct_error *err)
{
    const struct sct_cfg_node *options = NULL, *groups = NULL;
    SCT_TRY(sct_cfg_feed(map, r->opts, skip, err));
    SCT_TRY(sct_cfg_child(map, "groups", SCT_CFG_SEQUENCE, &groups, err));
    for (const struct sct_cfg_node *n = groups ? groups->first : NULL; n; n = n->next)
        SCT_TRY(add_group(r, n, NULL, err));
    SCT_TRY(sct_cfg_child(map, "options", SCT_CFG_MAPPING, &options, err));
    for (const struct sct_cfg_node *n = options ? options->first : NULL; n; n = n->next) {
        if (n->kind != SCT_CFG_MAPPING || part)
            SCT_TRY(read_option(r, n, NULL, part, err));
        for (const struct sct_cfg_node *o = part ? NULL : n->first; o; o = o->next)
            SCT_TRY(read_option(r, o, n->key, 0, err));
    }
    return SCT_OK;
}

/* The option table and the sets copy what they are fed. */
static sct_status read_config(struct sct_settings_run *r, const char *path, uint32_t part,
                              sct_error *err)
{
    static const char *const skip[] = {"options", "groups", NULL};
    struct sct_cfg *cfg = NULL;
    SCT_TRY(sct_cfg_load(&cfg, path, err));
    const sct_status rc = read_map(r, sct_cfg_root(cfg), skip, part, err);
    sct_cfg_destroy(&cfg);
    return rc;
}

/* <folder>/<strategy>.yaml of every strategy that has one. The last is read first: what two of
 * them say, the one in front decides. */
static sct_status read_own(struct sct_settings_run *r, const char *folder, sct_error *err)
{
    size_t len;
    uint32_t n = 0;
    while (sct_list_at(r->s.strategy, n, &len))
        n++;
    for (; n > 0; n--) {
        char file[512], path[4096];
        const char *name = sct_list_at(r->s.strategy, n - 1, &len);
        if (len > 200 || memchr(name, '/', len))
            continue;
        (void)snprintf(file, sizeof file, "%s/%.*s.yaml", folder, (int)len, name);
        if (sct_plug_data(file, path, sizeof path, NULL) == SCT_OK)
            SCT_TRY(read_config(r, path, n, err));
    }
    return SCT_OK;
}

/* --adapter says what the strategies are. A folder that is no adapter is left for those who
 * open it: they say what is wrong. */
static sct_status read_adapters(struct sct_settings_run *r, sct_error *err)
{
    struct sct_str all = {0};
    sct_status rc = SCT_OK;
    size_t len;
    const char *w;
    for (uint32_t i = 0; rc == SCT_OK && (w = sct_list_at(r->s.adapter, i, &len)); i++) {
        char *names = NULL, *dir = sct_arena_printf(r->arena, "%.*s", (int)len, w);
        rc = dir ? sct_adapter_folder_strategies(&names, dir, err) : sct_nomem(err);
        if (names)
            sct_str_add(&all, "%s%s", all.n ? "\n" : "", names);
        sct_free(names);
    }
    const bool found = all.n > 0;
    char *text = sct_str_take(&all);
    if (rc == SCT_OK && !text)
        rc = sct_nomem(err);
    if (rc == SCT_OK && found)
        rc = sct_opts_set(r->opts, "strategy", text, SCT_OPT_CONFIG, "--adapter", err);
    sct_free(text);
    return rc;
}

/* --recipe: nothing where none was named. The option table copies what it is fed. */
static sct_status read_recipe(struct sct_settings_run *r, sct_error *err)
{
    struct sct_recipe recipe;
    if (!r->s.recipe)
        return SCT_OK;
    SCT_TRY(sct_recipe_open(&recipe, r->s.recipe, r->s.quirks, true, err));
    sct_status rc = SCT_OK;
    for (uint32_t i = 0; i < recipe.n_layer && rc == SCT_OK; i++)
        rc = read_map(r, recipe.layer[i], sct_recipe_other_keys, 0, err);
    sct_recipe_close(&recipe);
    return rc;
}

/* KEY or STRATEGY.KEY, n bytes of it: no key has a dot, so what is in front of one is a name.
 */
static sct_status set_option(struct sct_settings_run *r, const char *key, size_t n,
                             const char *value, const char *where, sct_error *err)
{
    const char *dot = memchr(key, '.', n), *at = dot ? dot + 1 : key;
    char *own = sct_arena_printf(r->arena, "%.*s", (int)(n - (size_t)(at - key)), at);
    char *of = dot ? sct_arena_printf(r->arena, "%.*s", (int)(dot - key), key) : NULL;
    if (!own || (dot && !of))
        return sct_nomem(err);
    return add_set(r, own, value, where, of, 0, err);
}

static sct_status flag_set(struct sct_settings_run *r, const char *text, sct_error *err)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text)
        return sct_fail(err, SCT_EUSAGE,
                        "--set: expected KEY=VALUE or STRATEGY.KEY=VALUE, found \"%s\"", text);
    return set_option(r, text, (size_t)(eq - text), eq + 1, "--set", err);
}

static sct_status read_layers(struct sct_settings_run *r, const struct sct_layers *l,
                              sct_error *err)
{
    static const char prefix[] = "options.";
    for (uint32_t i = 0; i < l->n_map; i++)
        SCT_TRY(read_map(r, l->map[i], l->skip, 0, err));
    for (uint32_t i = 0; i < l->n_pick; i++) {
        const struct sct_pick *p = &l->pick[i];
        if (strncmp(p->key, prefix, sizeof prefix - 1) == 0)
            SCT_TRY(set_option(r, p->key + sizeof prefix - 1,
                               strlen(p->key) - (sizeof prefix - 1), p->text ? p->text : "",
                               p->where, err));
        else
            SCT_TRY(sct_opts_set(r->opts, p->key, p->text, SCT_OPT_CONFIG, p->where, err));
    }
    return SCT_OK;
}

/* Flags that may come again and again; they are read after the files. */
static const struct {
    const char *name, *needs;
} repeated[] = {{"--set", "KEY=VALUE"}, {"--group", "'PATTERN lr=X wd=Y'"}};

/* "-c FILE", "--config FILE" and "--config=FILE"; *used words, 0: something else. */
static const char *valued(int argc, char *const *argv, const char *letter, const char *name,
                          int *used)
{
    const size_t n = strlen(name);
    *used = 0;
    if ((letter && strcmp(argv[0], letter) == 0) || strcmp(argv[0], name) == 0) {
        *used = argc > 1 ? 2 : 1;
        return argc > 1 ? argv[1] : NULL;
    }
    if (strncmp(argv[0], name, n) == 0 && argv[0][n] == '=') {
        *used = 1;
        return argv[0] + n + 1;
    }
    return NULL;
}

static sct_status read_flags(struct sct_settings_run *r, int argc, char *const *argv,
                             const char **config, const char **word, sct_error *err)
{
    for (int i = 0, used; i < argc; i += used) {
        const char *v = valued(argc - i, argv + i, "-c", "--config", &used);
        if (used && !v)
            return sct_fail(err, SCT_EUSAGE, "%s needs a file", argv[i]);
        if (used) {
            *config = v;
            continue;
        }
        for (size_t k = 0; !used && k < sizeof repeated / sizeof repeated[0]; k++) {
            v = valued(argc - i, argv + i, NULL, repeated[k].name, &used);
            if (used && !v)
                return sct_fail(err, SCT_EUSAGE, "%s needs %s", repeated[k].name,
                                repeated[k].needs);
        }
        if (used)
            continue;
        SCT_TRY(sct_opts_arg(r->opts, argc - i, argv + i, &used, err));
        if (!used && argv[i][0] == '-')
            return sct_flag_unknown(r->opts, r->s.strategy, argc, argv, i, err);
        if (!used) {
            word[r->n_word++] = argv[i];
            used = 1;
        }
    }
    return SCT_OK;
}

static sct_status read_repeated(struct sct_settings_run *r, int argc, char *const *argv,
                                sct_error *err)
{
    for (int i = 0; i < argc; i++) {
        int used;
        const char *v = valued(argc - i, argv + i, NULL, repeated[0].name, &used);
        if (v)
            SCT_TRY(flag_set(r, v, err));
        v = valued(argc - i, argv + i, NULL, repeated[1].name, &used);
        if (v)
            SCT_TRY(add_group(r, NULL, v, err));
    }
    return SCT_OK;
}

/* The option table with the flags; *config: what -c names, or as it was. */
static sct_status begin(struct sct_settings_run *r, int argc, char *const *argv,
                        const char **config, sct_error *err)
{
    const char **word = sct_arena_alloc(r->arena, ((size_t)argc + 1) * sizeof *word);
    if (!word)
        return sct_nomem(err);
    r->word = word;
    SCT_TRY(sct_opts_create_flags(&r->opts, flags, &r->s, sizeof r->s, err));
    return read_flags(r, argc, argv, config, word, err);
}

static sct_status read_all_layers(struct sct_settings_run *r, const struct sct_layers *layers,
                                  int argc, char *const *argv, const char *(*env)(const char *),
                                  sct_error *err)
{
    const char *config = NULL;
    SCT_TRY(begin(r, argc, argv, &config, err));
    if (config)
        return sct_fail(err, SCT_EUSAGE, "-c %s: settings of a grid stand in the grid (base)",
                        config);
    SCT_TRY(sct_opts_env(r->opts, env, err));
    /* first so that they can name recipe and strategy, as in read_all */
    SCT_TRY(read_layers(r, layers, err));
    SCT_TRY(read_recipe(r, err));
    SCT_TRY(read_layers(r, layers, err));
    r->n_group = 0;
    SCT_TRY(read_own(r, "configs/strategies", err));
    SCT_TRY(read_recipe(r, err));
    SCT_TRY(read_layers(r, layers, err));
    return read_repeated(r, argc, argv, err);
}

static sct_status read_all(struct sct_settings_run *r, int argc, char *const *argv,
                           const char *(*env)(const char *), bool demo, sct_error *err)
{
    const char *config = NULL;
    char path[4096];
    SCT_TRY(begin(r, argc, argv, &config, err));
    SCT_TRY(sct_opts_env(r->opts, env, err));
    /* -c and the recipe are fed first so that they can name the strategy, and again to win over
     * its file */
    SCT_TRY(read_recipe(r, err));
    if (config)
        SCT_TRY(read_config(r, config, 0, err));
    SCT_TRY(read_adapters(r, err));
    r->n_group = 0;
    SCT_TRY(read_own(r, "configs/strategies", err));
    SCT_TRY(read_recipe(r, err));
    if (demo && !r->s.data && !r->s.weights && !r->s.model && !r->s.adapter && !config) {
        SCT_TRY(sct_plug_data("configs/demo/default.yaml", path, sizeof path, err));
        SCT_TRY(read_config(r, path, 0, err));
        SCT_TRY(read_own(r, "configs/demo", err));
    }
    if (config)
        SCT_TRY(read_config(r, config, 0, err));
    SCT_TRY(read_adapters(r, err));
    return read_repeated(r, argc, argv, err);
}

/* --device opencl:0:0 says the backend, unless something as strong has said it: then the two
 * are compared where the device is opened. */
static sct_status backend_of_device(struct sct_settings_run *r, sct_error *err)
{
    const enum sct_opt_source from = sct_opts_source(r->opts, "device");
    const size_t n = sct_device_backend(r->s.device);
    if (n == 0 || sct_opts_source(r->opts, "backend") >= from)
        return SCT_OK;
    const char *name = sct_arena_printf(r->arena, "%.*s", (int)n, r->s.device);
    return name ? sct_opts_set(r->opts, "backend", name, from, "--device", err)
                : sct_nomem(err);
}

sct_status sct_settings_init(struct sct_settings_run *r, int argc, char *const *argv,
                             const char *(*env)(const char *), bool demo, sct_error *err)
{
    memset(r, 0, sizeof *r);
    r->arena = sct_calloc(1, sizeof *r->arena);
    sct_status rc = r->arena ? read_all(r, argc, argv, env, demo, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = backend_of_device(r, err);
    if (rc != SCT_OK)
        sct_settings_fini(r);
    return rc;
}

sct_status sct_settings_init_layers(struct sct_settings_run *r, const struct sct_layers *layers,
                                    int argc, char *const *argv,
                                    const char *(*env)(const char *), sct_error *err)
{
    memset(r, 0, sizeof *r);
    r->arena = sct_calloc(1, sizeof *r->arena);
    sct_status rc =
        r->arena ? read_all_layers(r, layers, argc, argv, env, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = backend_of_device(r, err);
    if (rc != SCT_OK)
        sct_settings_fini(r);
    return rc;
}

void sct_settings_fini(struct sct_settings_run *r)
{
    sct_opts_destroy(&r->opts);
    sct_free(r->set);
    sct_free(r->group);
    if (r->arena)
        sct_arena_free(r->arena);
    sct_free(r->arena);
    memset(r, 0, sizeof *r);
}
