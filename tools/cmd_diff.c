/* SPDX-License-Identifier: MIT
 * cmd_diff.c - sctrun diff: what two adapter folders differ in. Exit codes as diff(1) has them:
 * 0 when they are equal, 1 when not, and the codes of all commands from 2 on for trouble. */
#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/peft/adapter_diff.h"
#include "tools/diff_config.h"

struct folder {
    struct sct_adapter *adapter;
    json_t *config;
};

static void close_folder(struct folder *f)
{
    sct_adapter_destroy(&f->adapter);
    json_decref(f->config);
}

/* Appends what a part trained; a name that another one has, too, with the part's label. */
static sct_status append(struct sct_adapter *all, const struct sct_adapter *a,
                         const char *label, sct_error *err)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct sct_adapter_tensor *t = &a->item[i];
        char name[512];
        const bool taken = sct_adapter_find(all, t->name) != NULL;
        (void)snprintf(name, sizeof name, "%s%s%s", taken ? label : "", taken ? "/" : "",
                       t->name);
        SCT_TRY(sct_adapter_put(all, name, &t->desc, t->data, err));
    }
    return SCT_OK;
}

/* In the names that the adapter has in memory, as its strategies take it from the disk. */
static sct_status own_form(struct folder *f, const char *dir, sct_error *err)
{
    struct sct_adapter_info info;
    struct sct_adapter_parts parts;
    struct sct_tuner t = {.n = 0};
    SCT_TRY(sct_adapter_open(&info, &parts, dir, err));
    struct sct_adapter *own = sct_adapter_create(dir);
    sct_status rc = own ? sct_adapter_parts_tune(&parts, &info.model, &t, err) : sct_nomem(err);
    for (uint32_t k = 0; rc == SCT_OK && k < parts.n; k++)
        rc = append(own, parts.part[k].own, parts.part[k].label, err);
    if (rc == SCT_OK && parts.rest)
        rc = append(own, parts.rest, "base", err);
    sct_tuner_close(&t);
    sct_adapter_parts_fini(&parts);
    sct_adapter_info_fini(&info);
    if (rc != SCT_OK) {
        sct_adapter_destroy(&own);
        return rc;
    }
    sct_adapter_destroy(&f->adapter);
    f->adapter = own;
    return SCT_OK;
}

static const char *shape(const struct sct_adapter_tensor *t, char *buf, size_t size)
{
    return t ? sct_desc_text(&t->desc, buf, size) : "-";
}

static const char *const kinds[] = {"equal", "values", "shape", "only in A", "only in B"};

static void print_tensor(const struct sct_tensor_diff *d)
{
    char a[96], b[96];
    printf("  %-40s %s", d->name, shape(d->a ? d->a : d->b, a, sizeof a));
    if (d->kind == SCT_DIFF_SHAPE)
        printf(" in A, %s in B", shape(d->b, b, sizeof b));
    else if (d->kind != SCT_DIFF_VALUES)
        printf(" %s", kinds[d->kind]);
    else if (!d->index)
        printf("  |A| %.4g  |B| %.4g  |A-B| %.4g  relative %.3g  max %.3g", d->norm_a,
               d->norm_b, d->norm_diff, sct_tensor_diff_relative(d), d->max_abs);
    if (d->index)
        printf("  %u in both  overlap %.3f  Jaccard %.3f", d->both, sct_tensor_diff_overlap(d),
               sct_tensor_diff_jaccard(d));
    putchar('\n');
}

static const char *cut(const char *text, char buf[64])
{
    if (!text)
        return "-";
    (void)snprintf(buf, 64, "%.60s%s", text, strlen(text) > 60 ? "..." : "");
    return buf;
}

static void print_table(const struct config_diffs *c, const struct sct_tensor_diff *d,
                        uint32_t n)
{
    char a[64], b[64];
    uint32_t equal = 0;
    if (c->n)
        puts("configuration: key, A, B");
    for (uint32_t i = 0; i < c->n; i++)
        printf("  %-40s %s  %s\n", c->item[i].key, cut(c->item[i].a, a), cut(c->item[i].b, b));
    for (uint32_t i = 0; i < n; i++)
        equal += d[i].kind == SCT_DIFF_EQUAL;
    if (equal < n)
        puts("tensors:");
    for (uint32_t i = 0; i < n; i++)
        if (d[i].kind != SCT_DIFF_EQUAL)
            print_tensor(&d[i]);
    printf("%u of %u tensors are equal, %u keys differ\n", equal, n, c->n);
}

static json_t *dims(const struct sct_adapter_tensor *t)
{
    json_t *a = t ? json_array() : json_null();
    for (uint32_t i = 0; t && i < t->desc.nd; i++)
        json_array_append_new(a, json_integer(t->desc.dim[i]));
    return a;
}

/* null where it is no number, which JSON does not have. */
static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *tensor_json(const struct sct_tensor_diff *d)
{
    json_t *t =
        json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "name", d->name, "status",
                  kinds[d->kind], "head", sct_name_is_head(d->name), "shape_a", dims(d->a),
                  "shape_b", dims(d->b), "norm_a", real(d->norm_a), "norm_b", real(d->norm_b));
    if (d->kind <= SCT_DIFF_VALUES && !d->index) {
        json_object_set_new(t, "norm_diff", real(d->norm_diff));
        json_object_set_new(t, "relative", real(sct_tensor_diff_relative(d)));
        json_object_set_new(t, "max_abs", real(d->max_abs));
    }
    if (d->index) {
        json_object_set_new(t, "both", json_integer(d->both));
        json_object_set_new(t, "overlap", json_real(sct_tensor_diff_overlap(d)));
        json_object_set_new(t, "jaccard", json_real(sct_tensor_diff_jaccard(d)));
    }
    return t;
}

static sct_status print_json(const struct config_diffs *c, const struct sct_tensor_diff *d,
                             uint32_t n, bool equal, sct_error *err)
{
    json_t *keys = json_array(), *list = json_array();
    for (uint32_t i = 0; i < c->n; i++) {
        const struct config_diff *e = &c->item[i];
        json_t *k = json_pack("{s:s}", "key", e->key);
        if (e->a)
            json_object_set_new(k, "a", json_loads(e->a, JSON_DECODE_ANY, NULL));
        if (e->b)
            json_object_set_new(k, "b", json_loads(e->b, JSON_DECODE_ANY, NULL));
        json_array_append_new(keys, k);
    }
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, tensor_json(&d[i]));
    return cli_print_json(
        json_pack("{s:b, s:o, s:o}", "equal", equal, "config", keys, "tensors", list), err);
}

static sct_status compare(struct cli *c, const struct folder f[2], int json, sct_error *err)
{
    struct config_diffs keys;
    struct sct_tensor_diff *d = NULL;
    uint32_t n = 0;
    SCT_TRY(config_diff(&keys, f[0].config, f[1].config, err));
    sct_status rc = sct_adapter_diff(&d, &n, f[0].adapter, f[1].adapter, err);
    bool equal = rc == SCT_OK && keys.n == 0;
    for (uint32_t i = 0; i < n; i++)
        equal = equal && d[i].kind == SCT_DIFF_EQUAL;
    if (rc == SCT_OK && json)
        rc = print_json(&keys, d, n, equal, err);
    else if (rc == SCT_OK)
        print_table(&keys, d, n);
    c->differs = rc == SCT_OK && !equal;
    sct_free(d);
    config_diff_free(&keys);
    return rc;
}

static sct_status diff(struct cli *c, const char *const dir[2], int json, sct_error *err)
{
    struct folder f[2] = {{0}};
    sct_status rc = SCT_OK;
    bool ours = true;
    for (int i = 0; i < 2 && rc == SCT_OK; i++) {
        rc = sct_adapter_open_stored(&f[i].adapter, &f[i].config, dir[i], err);
        ours = ours && json_object_get(f[i].config, "sctrun");
    }
    /* of somebody else's folder only the names in its file are known */
    for (int i = 0; i < 2 && rc == SCT_OK && ours; i++)
        rc = own_form(&f[i], dir[i], err);
    if (rc == SCT_OK)
        rc = compare(c, f, json, err);
    close_folder(&f[0]);
    close_folder(&f[1]);
    return rc;
}

sct_status cmd_diff(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    sct_status rc = cli_words(&run, 2, "diff", err);
    if (rc == SCT_OK && run.n_word < 2)
        rc = sct_fail(err, SCT_EUSAGE, "diff: say which two adapters: sctrun diff A B");
    if (rc == SCT_OK)
        rc = diff(c, run.word, run.s.json != 0, err);
    sct_settings_fini(&run);
    return rc;
}
