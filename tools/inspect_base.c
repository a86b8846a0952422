/* SPDX-License-Identifier: MIT
 * inspect_base.c - what sctrun inspect says of a checkpoint: container, dialect, architecture
 * and why, every tensor and what becomes of it, problems. As text and as JSON. */
#include <string.h>

#include "core/base/status.h"
#include "core/data/preprocess_io.h"
#include "core/pretrained/preset.h"
#include "tools/inspect.h"

/* What becomes of tensor i. */
struct fate {
    const struct sct_canon *canon; /* NULL: it is left out, or not known */
    uint32_t part, slices;
    const char *why;
};

static struct fate fate_of(const struct sct_base_file *f, uint32_t i)
{
    const struct sct_dialect_use *u = &f->map->use[i];
    struct fate x = {.slices = 1, .why = u->why};
    if (u->canon == UINT32_MAX)
        return x;
    x.canon = &f->map->canon[u->canon];
    while (x.part + 1 < x.canon->n_part && x.canon->part[x.part].source != i)
        x.part++;
    if (x.canon->layout.slice)
        x.slices = (uint32_t)f->named[i].dim[0];
    return x;
}

static uint64_t elements(const struct sct_ckpt *ck)
{
    uint64_t n = 0;
    for (size_t i = 0; i < sct_ckpt_count(ck); i++)
        n += sct_ckpt_at(ck, i)->count;
    return n;
}

/* ---- text ---- */

static void shape_text(const struct sct_ckpt_tensor *t, char *buf, size_t size)
{
    size_t n = 0;
    buf[0] = 0;
    for (uint32_t k = 0; k < t->nd && n + 24 < size; k++)
        n += (size_t)snprintf(buf + n, size - n, "%s%llu", k ? ", " : "",
                              (unsigned long long)t->dim[k]);
}

/* Text of the file between ours. */
static void put(const char *before, const char *text, const char *after)
{
    printf("%s", before);
    (void)cli_put(stdout, text, "");
    printf("%s", after);
}

static void print_head(const struct sct_ckpt *ck)
{
    const char *key, *value;
    printf("%s: %s, %zu tensors, %llu elements\n", sct_ckpt_path(ck), sct_ckpt_kind(ck),
           sct_ckpt_count(ck), (unsigned long long)elements(ck));
    for (size_t i = 0; (key = sct_ckpt_metadata_at(ck, i, &value)); i++) {
        put("  metadata ", key, " = ");
        put("", value, "\n");
    }
    for (size_t i = 0; (key = sct_ckpt_note_at(ck, i)); i++)
        put("  note: ", key, "\n");
}

static void print_fate(const struct fate *x)
{
    if (x->canon && x->slices > 1)
        printf(" -> %s and %u more", x->canon->name, x->slices - 1);
    else if (x->canon)
        put(" -> ", x->canon->name, "");
    if (x->canon && x->canon->n_part > 1)
        printf(", part %u of %u", x->part + 1, x->canon->n_part);
    if (x->canon && x->canon->layout_text)
        printf(", %s", x->canon->layout_text);
    if (!x->canon)
        printf(" left out: %s", x->why ? x->why : "not known");
}

static void print_tensors(const struct sct_ckpt *ck, const struct sct_base_file *f)
{
    for (size_t i = 0; i < sct_ckpt_count(ck); i++) {
        char shape[256];
        const struct sct_ckpt_tensor *t = sct_ckpt_at(ck, i);
        shape_text(t, shape, sizeof shape);
        printf("  ");
        const int columns = cli_put(stdout, t->name, "");
        printf("%*s %-5s [%s]", columns < 52 ? 52 - columns : 0, "",
               sct_st_dtype_name(t->dtype), shape);
        if (f && f->map->dialect) {
            const struct fate x = fate_of(f, (uint32_t)i);
            print_fate(&x);
        }
        printf("\n");
    }
}

static void print_guess(const struct sct_base_file *f, const struct sct_preset_found *preset)
{
    const struct sct_dialect *d = f->map->dialect;
    if (d)
        printf("  dialect %s %s (%s)%s%s\n", d->flavour, sct_arch_name(d->arch), d->what,
               f->map->wrapper[0] ? ", behind " : "", f->map->wrapper);
    if (!f->guess)
        return;
    printf("  model %s%s\n", preset->name[0] ? preset->name : f->guess->cfg.name,
           preset->name[0] ? "" : ", which is no preset");
    if (preset->others[0])
        printf("    fits too: %s\n", preset->others);
    for (uint32_t i = 0; i < f->guess->n_fact; i++) {
        const struct sct_guess_fact *x = &f->guess->fact[i];
        printf("    %-12s %-16s %s", x->key, x->value,
               x->known  ? ""
               : x->said ? "said by "
                         : "supposed: ");
        put("", x->why, "\n");
    }
    for (uint32_t i = 0; i < f->guess->n_unbuilt; i++)
        put("    not built here: ", f->guess->unbuilt[i], "\n");
}

static void print_folder(const struct sct_model_folder *m, uint32_t size)
{
    struct sct_preprocess p;
    sct_error why = SCT_ERROR_INIT;
    char text[256];
    uint32_t made;
    if (m->config_path) {
        put("  ", m->config_path, ": ");
        put("", m->what ? m->what : "says neither model_type nor architecture; not used", "\n");
    }
    if (m->label) {
        put("  labels: ", m->label[0], ", ... ");
        put("", m->label[m->n_label - 1], "\n");
    }
    if (!sct_model_folder_prepares(m))
        return;
    if (sct_model_folder_preprocess(m, size, &p, &made, &why) != SCT_OK) {
        put("  preprocessing: ", why.msg, "\n");
        return;
    }
    sct_steps_text(&p.eval, text, sizeof text);
    printf("  preprocessing: %s; crop_pct %g; mean %g, %g, %g; std %g, %g, %g\n", text,
           p.crop_pct, (double)p.mean[0], (double)p.mean[1], (double)p.mean[2],
           (double)p.std[0], (double)p.std[1], (double)p.std[2]);
}

static void print_problems(const struct sct_base_file *f)
{
    for (uint32_t i = 0; i < f->map->n_problem; i++)
        put("  problem: ", f->map->problem[i], "\n");
    if (f->map->n_more)
        printf("  and %u problems more\n", f->map->n_more);
}

/* ---- JSON ---- */

static json_t *texts(const char *const *text, uint32_t n)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(all, json_string(text[i]));
    return all;
}

static json_t *head_json(const struct sct_ckpt *ck)
{
    json_t *notes = json_array(), *metadata = json_object();
    const char *key, *value;
    for (size_t i = 0; (key = sct_ckpt_note_at(ck, i)); i++)
        json_array_append_new(notes, json_string(key));
    for (size_t i = 0; (key = sct_ckpt_metadata_at(ck, i, &value)); i++)
        json_object_set_new(metadata, key, json_string(value));
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "file", sct_ckpt_path(ck), "container",
                     sct_ckpt_kind(ck), "tensors_count", (json_int_t)sct_ckpt_count(ck),
                     "elements", (json_int_t)elements(ck), "notes", notes, "metadata",
                     metadata);
}

static void put_fate(json_t *o, const struct fate *x)
{
    if (!x->canon) {
        json_object_set_new(o, "left_out", json_string(x->why ? x->why : "not known"));
        return;
    }
    json_object_set_new(o, "canonical", json_string(x->canon->name));
    if (x->canon->n_part > 1)
        json_object_set_new(o, "part",
                            json_pack("[i, i]", (int)x->part, (int)x->canon->n_part));
    if (x->canon->layout_text)
        json_object_set_new(o, "layout", json_string(x->canon->layout_text));
    if (x->slices > 1)
        json_object_set_new(o, "blocks", json_integer(x->slices));
}

static json_t *tensors_json(const struct sct_ckpt *ck, const struct sct_base_file *f)
{
    json_t *all = json_array();
    for (size_t i = 0; i < sct_ckpt_count(ck); i++) {
        const struct sct_ckpt_tensor *t = sct_ckpt_at(ck, i);
        json_t *shape = json_array();
        for (uint32_t k = 0; k < t->nd; k++)
            json_array_append_new(shape, json_integer((json_int_t)t->dim[k]));
        json_t *o = json_pack("{s:s, s:s, s:o}", "name", t->name, "dtype",
                              sct_st_dtype_name(t->dtype), "shape", shape);
        if (f && f->map->dialect) {
            const struct fate x = fate_of(f, (uint32_t)i);
            put_fate(o, &x);
        }
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *guess_json(const struct sct_guess *g, const struct sct_preset_found *preset)
{
    json_t *facts = json_array();
    for (uint32_t i = 0; i < g->n_fact; i++)
        json_array_append_new(facts, json_pack("{s:s, s:s, s:b, s:b, s:s}", "key",
                                               g->fact[i].key, "value", g->fact[i].value,
                                               "known", (int)g->fact[i].known, "said",
                                               (int)g->fact[i].said, "why", g->fact[i].why));
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", g->cfg.name, "preset",
                     preset->name[0] ? json_string(preset->name) : json_null(), "presets_too",
                     preset->others[0] ? json_string(preset->others) : json_null(), "facts",
                     facts, "not_built", texts(g->unbuilt, g->n_unbuilt));
}

static json_t *folder_json(const struct sct_model_folder *m, uint32_t size)
{
    struct sct_preprocess p;
    sct_error why = SCT_ERROR_INIT;
    uint32_t made;
    json_t *pre = json_null();
    if (!m->config_path && !m->pre_path)
        return json_null();
    if (sct_model_folder_prepares(m))
        pre = sct_model_folder_preprocess(m, size, &p, &made, &why) == SCT_OK
                  ? sct_preprocess_to_json(&p)
                  : json_pack("{s:s}", "error", why.msg);
    return json_pack("{s:s?, s:s?, s:o, s:o}", "config", m->config_path, "of", m->what,
                     "labels", m->label ? texts(m->label, m->n_label) : json_null(),
                     "preprocess", pre);
}

static json_t *base_json(const struct sct_base_file *f, const struct sct_preset_found *preset,
                         const sct_error *verdict)
{
    const struct sct_dialect *d = f->map->dialect;
    json_t *o = head_json(f->ck);
    json_object_set_new(o, "dialect",
                        d ? json_pack("{s:s, s:s, s:s, s:s}", "name", d->flavour, "arch",
                                      sct_arch_name(d->arch), "written_by", d->what, "wrapper",
                                      f->map->wrapper)
                          : json_null());
    json_object_set_new(o, "model", f->guess ? guess_json(f->guess, preset) : json_null());
    json_object_set_new(o, "folder",
                        folder_json(&f->folder, f->guess ? f->guess->cfg.image : 224));
    json_object_set_new(o, "problems", texts(f->map->problem, f->map->n_problem));
    json_object_set_new(o, "problems_more", json_integer(f->map->n_more));
    json_object_set_new(o, "error",
                        verdict->code == SCT_OK ? json_null() : json_string(verdict->msg));
    json_object_set_new(o, "tensors", tensors_json(f->ck, f));
    return o;
}

/* ---- */

/* Whether the file is a base: *fit, and why not. */
static sct_status judge(struct sct_base_file *f, sct_status *fit, sct_error *verdict,
                        sct_error *err)
{
    *fit = sct_base_file_check(f, verdict);
    if (*fit == SCT_OK && f->folder.unsure)
        *fit = sct_fail(verdict, SCT_EFILE, "%s", f->folder.unsure);
    if (*fit != SCT_OK)
        return SCT_OK;
    SCT_TRY(sct_base_file_shapes(f, err));
    *fit = sct_dialect_check(f->map, sct_ckpt_path(f->ck), verdict);
    return SCT_OK;
}

sct_status inspect_base(const char *path, bool json, sct_error *err)
{
    struct sct_base_file f;
    sct_error verdict = SCT_ERROR_INIT;
    struct sct_preset_found preset = {.named = false};
    SCT_TRY(sct_base_file_open(&f, path, err));
    sct_status fit = SCT_OK, rc = judge(&f, &fit, &verdict, err);
    if (rc == SCT_OK && f.guess)
        rc = sct_preset_find(f.guess, path, false, &preset, err);
    if (rc == SCT_OK && f.guess)
        rc = sct_preset_tell(f.guess, &preset, err);
    if (rc == SCT_OK && json) {
        rc = cli_print_json(base_json(&f, &preset, &verdict), err);
    } else if (rc == SCT_OK) {
        print_head(f.ck);
        print_guess(&f, &preset);
        print_folder(&f.folder, f.guess ? f.guess->cfg.image : 224);
        print_tensors(f.ck, &f);
        print_problems(&f);
    }
    if (rc == SCT_OK && fit != SCT_OK)
        rc = sct_fail(err, fit, "%s", verdict.msg);
    sct_base_file_close(&f);
    return rc;
}

sct_status inspect_tensors(const char *path, const json_t *config, bool json, sct_error *err)
{
    struct sct_ckpt *ck = NULL;
    SCT_TRY(sct_ckpt_open(&ck, path, err));
    sct_status rc = SCT_OK;
    if (json) {
        json_t *o = head_json(ck);
        json_object_set_new(o, "tensors", tensors_json(ck, NULL));
        json_object_set(o, "adapter_config", (json_t *)(uintptr_t)config);
        rc = cli_print_json(o, err);
    } else {
        print_head(ck);
        print_tensors(ck, NULL);
    }
    sct_ckpt_close(&ck);
    return rc;
}
