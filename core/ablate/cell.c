/* SPDX-License-Identifier: MIT
 * cell.c - results of cells as JSON. A search has its figures under "val", all else under
 * "test", so that nobody takes one for the other. */
#include "core/ablate/cell.h"

#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/io/json.h"
#include "core/io/text.h"

enum { FORMAT = 1 };

void sct_cell_fini(struct sct_cell_result *r)
{
    sct_free(r->eval);
    sct_free(r->target);
    memset(r, 0, sizeof *r);
}

static const char *list_name(const struct sct_grid_cell *c)
{
    return c->search ? "val" : "test";
}

/* Messages hold names of files, which may be any bytes. */
static json_t *text(const char *s)
{
    char *own = sct_strdup(s);
    const size_t n = strlen(s);
    for (size_t bad; own && (bad = sct_utf8_valid(own, n)) < n;)
        own[bad] = '?';
    json_t *v = own ? json_string(own) : NULL;
    sct_free(own);
    return v;
}

static json_t *number(uint64_t v)
{
    return json_integer((json_int_t)v);
}

static json_t *figures(const struct sct_cell_result *r)
{
    return json_pack("{s:f, s:f, s:f, s:i}", "top1", r->top1, "top5", r->top5, "loss", r->loss,
                     "images", (int)r->images);
}

static json_t *curves(const struct sct_cell_result *r, const char *list)
{
    json_t *loss = json_array(), *evals = json_array();
    for (uint32_t i = 0; i < r->n_curve; i++)
        json_array_append_new(loss, json_real(r->curve[i]));
    for (uint32_t i = 0; i < r->n_eval; i++)
        json_array_append_new(evals, json_pack("{s:i, s:f}", "epoch", (int)r->eval[i].epoch,
                                               "top1", r->eval[i].top1));
    return json_pack("{s:o, s:s, s:o}", "train_loss", loss, "evaluated_on", list, "evaluations",
                     evals);
}

static json_t *targets(const struct sct_grid *g, const struct sct_cell_result *r)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < r->n_target; i++)
        json_array_append_new(all,
                              json_pack("{s:s, s:f, s:i}", "name", g->target[i].name, "top1",
                                        r->target[i].top1, "images", (int)r->target[i].images));
    return all;
}

static void put_result(json_t *o, const struct sct_grid *g, const struct sct_grid_cell *c,
                       const struct sct_cell_result *r)
{
    json_object_set_new(o, list_name(c), figures(r));
    if (r->n_target)
        json_object_set_new(o, "domains", targets(g, r));
    json_object_set_new(o, "trainable", number(r->trainable));
    json_object_set_new(o, "head", number(r->head));
    json_object_set_new(o, "all", number(r->all));
    json_object_set_new(o, "steps", number(r->steps));
    json_object_set_new(o, "seconds", json_real(r->seconds));
    json_object_set_new(o, "train_seconds", json_real(r->train_seconds));
    json_object_set_new(o, "peak_bytes", number(r->peak_bytes));
    json_object_set_new(o, "device_bytes", number(r->device_bytes));
    json_object_set_new(o, "backend", json_string(r->backend));
    json_object_set_new(o, "device", text(r->device));
    json_object_set_new(o, "made",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "images", (json_int_t)r->decoded,
                                  "uploads", (json_int_t)r->uploads, "packs",
                                  (json_int_t)r->computed, "features", (json_int_t)r->featured,
                                  "readings", (json_int_t)r->measured));
    json_object_set_new(o, "curves", curves(r, list_name(c)));
}

sct_status sct_cell_write(const char *path, const struct sct_grid *g,
                          const struct sct_grid_cell *c, const char *id, const char *args,
                          const struct sct_cell_result *r, sct_error *err)
{
    const struct sct_grid_column *k = &g->column[c->column];
    const bool ok = r->status == SCT_CELL_OK;
    json_t *o =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "format", FORMAT, "id", id,
                  "program", SCT_VERSION, "grid", g->name, "stage",
                  c->search ? "search" : "report", "row", g->row[c->row].label, "task", k->name,
                  "seed", (json_int_t)(c->search ? g->search_seed[c->seed] : g->seed[c->seed]),
                  "status", ok ? "ok" : "failed");
    if (!o)
        return sct_nomem(err);
    if (ok) {
        put_result(o, g, c, r);
    } else {
        json_object_set_new(o, "code", json_integer(r->code));
        json_object_set_new(o, "message", text(r->message));
    }
    json_object_set_new(o, "args", text(args));
    const sct_status rc =
        json_object_get(o, "args") ? sct_json_save(path, o, err) : sct_nomem(err);
    json_decref(o);
    return rc;
}

/* ---- reading ---- */

static sct_status read_figures(const struct sct_json_at *root, const char *list,
                               struct sct_cell_result *r, sct_error *err)
{
    const json_t *o = NULL;
    SCT_TRY(sct_json_get_object(root, list, SCT_JSON_REQUIRED, &o, err));
    const struct sct_json_at at = {o, root->file, list, root->bad};
    SCT_TRY(sct_json_get_f64(&at, "top1", SCT_JSON_REQUIRED, &r->top1, err));
    SCT_TRY(sct_json_get_f64(&at, "top5", SCT_JSON_REQUIRED, &r->top5, err));
    SCT_TRY(sct_json_get_f64(&at, "loss", SCT_JSON_REQUIRED, &r->loss, err));
    return sct_json_get_u32(&at, "images", SCT_JSON_REQUIRED, 0, UINT32_MAX, &r->images, err);
}

static sct_status read_curves(const struct sct_json_at *root, struct sct_cell_result *r,
                              sct_error *err)
{
    const json_t *o = NULL, *list = NULL;
    SCT_TRY(sct_json_get_object(root, "curves", SCT_JSON_REQUIRED, &o, err));
    const struct sct_json_at at = {o, root->file, "curves", root->bad};
    SCT_TRY(sct_json_get_array(&at, "train_loss", SCT_JSON_REQUIRED, &list, err));
    for (size_t i = 0; i < json_array_size(list) && i < SCT_CELL_CURVE; i++)
        r->curve[r->n_curve++] = json_number_value(json_array_get(list, i));
    SCT_TRY(sct_json_get_array(&at, "evaluations", SCT_JSON_REQUIRED, &list, err));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct sct_json_at e = {json_array_get(list, i), root->file, "curves.evaluations",
                                      root->bad};
        SCT_TRY(sct_grow((void **)&r->eval, &r->cap_eval, (uint64_t)r->n_eval + 1,
                         sizeof *r->eval, err));
        struct sct_cell_eval *v = &r->eval[r->n_eval];
        SCT_TRY(
            sct_json_get_u32(&e, "epoch", SCT_JSON_REQUIRED, 0, UINT32_MAX, &v->epoch, err));
        SCT_TRY(sct_json_get_f64(&e, "top1", SCT_JSON_REQUIRED, &v->top1, err));
        r->n_eval++;
    }
    return SCT_OK;
}

static sct_status read_targets(const struct sct_json_at *root, const struct sct_grid *g,
                               struct sct_cell_result *r, sct_error *err)
{
    const json_t *list = NULL;
    SCT_TRY(sct_json_get_array(root, "domains", SCT_JSON_REQUIRED, &list, err));
    if (json_array_size(list) != g->n_target)
        return sct_fail(err, root->bad, "%s: expected %u entries in domains, found %zu",
                        root->file, g->n_target, json_array_size(list));
    if (!(r->target = sct_calloc(g->n_target, sizeof *r->target)))
        return sct_nomem(err);
    r->n_target = g->n_target;
    for (uint32_t i = 0; i < g->n_target; i++) {
        const struct sct_json_at at = {json_array_get(list, i), root->file, "domains",
                                       root->bad};
        SCT_TRY(sct_json_get_f64(&at, "top1", SCT_JSON_REQUIRED, &r->target[i].top1, err));
        SCT_TRY(sct_json_get_u32(&at, "images", SCT_JSON_REQUIRED, 0, UINT32_MAX,
                                 &r->target[i].images, err));
    }
    return SCT_OK;
}

static sct_status read_measures(const struct sct_json_at *at, struct sct_cell_result *r,
                                sct_error *err)
{
    const uint64_t most = INT64_MAX;
    const char *text = "";
    SCT_TRY(sct_json_get_u64(at, "trainable", SCT_JSON_REQUIRED, 0, most, &r->trainable, err));
    SCT_TRY(sct_json_get_u64(at, "head", SCT_JSON_REQUIRED, 0, r->trainable, &r->head, err));
    SCT_TRY(sct_json_get_u64(at, "all", SCT_JSON_REQUIRED, 0, most, &r->all, err));
    SCT_TRY(sct_json_get_u64(at, "steps", SCT_JSON_REQUIRED, 0, most, &r->steps, err));
    SCT_TRY(sct_json_get_f64(at, "seconds", SCT_JSON_REQUIRED, &r->seconds, err));
    SCT_TRY(sct_json_get_f64(at, "train_seconds", SCT_JSON_REQUIRED, &r->train_seconds, err));
    SCT_TRY(
        sct_json_get_u64(at, "peak_bytes", SCT_JSON_REQUIRED, 0, most, &r->peak_bytes, err));
    SCT_TRY(sct_json_get_u64(at, "device_bytes", SCT_JSON_REQUIRED, 0, most, &r->device_bytes,
                             err));
    SCT_TRY(sct_json_get_str(at, "backend", SCT_JSON_REQUIRED, &text, err));
    (void)snprintf(r->backend, sizeof r->backend, "%s", text);
    SCT_TRY(sct_json_get_str(at, "device", SCT_JSON_REQUIRED, &text, err));
    (void)snprintf(r->device, sizeof r->device, "%s", text);
    return SCT_OK;
}

static sct_status read_made(const struct sct_json_at *root, struct sct_cell_result *r,
                            sct_error *err)
{
    const uint64_t most = INT64_MAX;
    const json_t *o = NULL;
    SCT_TRY(sct_json_get_object(root, "made", SCT_JSON_REQUIRED, &o, err));
    const struct sct_json_at at = {o, root->file, "made", root->bad};
    SCT_TRY(sct_json_get_u64(&at, "images", SCT_JSON_REQUIRED, 0, most, &r->decoded, err));
    SCT_TRY(sct_json_get_u64(&at, "uploads", SCT_JSON_REQUIRED, 0, most, &r->uploads, err));
    SCT_TRY(sct_json_get_u64(&at, "packs", SCT_JSON_REQUIRED, 0, most, &r->computed, err));
    SCT_TRY(sct_json_get_u64(&at, "features", SCT_JSON_REQUIRED, 0, most, &r->featured, err));
    /* files of an older program do not count them */
    return sct_json_get_u64(&at, "readings", SCT_JSON_OPTIONAL, 0, most, &r->measured, err);
}

static sct_status read_root(const struct sct_json_at *at, const struct sct_grid *g,
                            const struct sct_grid_cell *c, const char *id,
                            struct sct_cell_result *r, sct_error *err)
{
    uint32_t format = 0, code = 0;
    const char *own = "", *status = "", *message = "";
    SCT_TRY(sct_json_get_u32(at, "format", SCT_JSON_REQUIRED, FORMAT, FORMAT, &format, err));
    SCT_TRY(sct_json_get_str(at, "id", SCT_JSON_REQUIRED, &own, err));
    if (strcmp(own, id) != 0)
        return sct_fail(err, at->bad, "%s: expected the result of cell %s, found one of %s",
                        at->file, id, own);
    SCT_TRY(sct_json_get_str(at, "status", SCT_JSON_REQUIRED, &status, err));
    if (strcmp(status, "ok") == 0) {
        r->status = SCT_CELL_OK;
        SCT_TRY(read_figures(at, list_name(c), r, err));
        SCT_TRY(read_measures(at, r, err));
        SCT_TRY(read_made(at, r, err));
        SCT_TRY(read_curves(at, r, err));
        return g->n_target && !c->search ? read_targets(at, g, r, err) : SCT_OK;
    }
    if (strcmp(status, "failed") != 0)
        return sct_fail(err, at->bad, "%s: expected status ok or failed, found \"%.40s\"",
                        at->file, status);
    r->status = SCT_CELL_FAILED;
    SCT_TRY(sct_json_get_u32(at, "code", SCT_JSON_REQUIRED, 0, 255, &code, err));
    SCT_TRY(sct_json_get_str(at, "message", SCT_JSON_REQUIRED, &message, err));
    r->code = (int)code;
    (void)snprintf(r->message, sizeof r->message, "%s", message);
    return SCT_OK;
}

sct_status sct_cell_read(const char *path, const struct sct_grid *g,
                         const struct sct_grid_cell *c, const char *id,
                         struct sct_cell_result *r, sct_error *err)
{
    json_t *o = NULL;
    memset(r, 0, sizeof *r);
    if (!sct_file_exists(path))
        return SCT_OK;
    SCT_TRY(sct_json_load(path, SCT_EDATA, &o, err));
    const struct sct_json_at at = {o, path, "", SCT_EDATA};
    const sct_status rc = read_root(&at, g, c, id, r, err);
    json_decref(o);
    if (rc != SCT_OK)
        sct_cell_fini(r);
    return rc == SCT_EDATA
               ? sct_error_prefix(err,
                                  "not the result of a cell; delete it to run the cell again")
               : rc;
}
