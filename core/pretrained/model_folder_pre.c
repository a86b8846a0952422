/* SPDX-License-Identifier: MIT
 * model_folder_pre.c - preprocessor_config.json of transformers and pretrained_cfg of timm as
 * steps. Both are a resize, perhaps a crop of the centre, and a normalisation. */
#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/pretrained/model_folder_impl.h"

/* The preprocessing in numbers. */
struct recipe {
    bool squash, crop;
    uint32_t side, size; /* after the resize; after the crop */
    enum sct_filter filter;
    float mean[3], std[3];
};

/* clang-format off: a table */
#define HALF "[0.5, 0.5, 0.5]"
#define CLIP_STATS                                                                             \
    "\"image_mean\": [0.48145466, 0.4578275, 0.40821073], "                                    \
    "\"image_std\": [0.26862954, 0.26130258, 0.27577711]"
#define ALWAYS                                                                                 \
    "\"do_resize\": true, \"do_rescale\": true, \"rescale_factor\": "                          \
    "0.00392156862745098, \"do_normalize\": true, "
#define SHORT                                                                                  \
    "{" ALWAYS "\"size\": {\"shortest_edge\": 224}, \"do_center_crop\": true, "                \
    "\"crop_size\": 224, \"resample\": 3, " CLIP_STATS "}"

/* What the classes do where the file is silent. short_edge: a size that is one number is the
 * short side. */
static const struct {
    const char *name;
    bool short_edge;
    const char *defaults;
} processors[] = {
    {"ViT", false,
     "{" ALWAYS "\"size\": 224, \"resample\": 2, \"image_mean\": " HALF ", \"image_std\": " HALF
     "}"},
    {"DeiT", false,
     "{" ALWAYS "\"size\": 256, \"do_center_crop\": true, \"crop_size\": 224, "
     "\"resample\": 3, \"image_mean\": " HALF ", \"image_std\": " HALF "}"},
    {"CLIP", true, SHORT},
    {"Bit", true, SHORT},
};

static const char *const suffixes[] = {"ImageProcessor", "ImageProcessorFast",
                                       "ImageProcessorPil", "FeatureExtractor"};
/* By Pillow's numbers; -1: it has none here. */
static const int pillow[] = {-1,
                             SCT_FILTER_LANCZOS,
                             SCT_FILTER_BILINEAR,
                             SCT_FILTER_BICUBIC,
                             SCT_FILTER_BOX,
                             SCT_FILTER_HAMMING};

/* By timm's names. */
static const struct {
    const char *name;
    enum sct_filter filter;
} filters[] = {
    {"bicubic", SCT_FILTER_BICUBIC}, {"bilinear", SCT_FILTER_BILINEAR},
    {"lanczos", SCT_FILTER_LANCZOS}, {"box", SCT_FILTER_BOX},
    {"hamming", SCT_FILTER_HAMMING},
};

/* clang-format on */

static sct_status bad(const struct sct_json_at *at, const char *key, const char *expected,
                      sct_error *err)
{
    return sct_fail(
        err, at->bad,
        "%s: %s%s%s: expected %s; --preprocess or --resize says another preprocessing",
        at->file, at->path, *at->path ? "." : "", key, expected);
}

static sct_status triple(const struct sct_json_at *at, const char *key, bool positive,
                         float out[3], sct_error *err)
{
    const json_t *a = json_object_get(at->obj, key);
    for (size_t i = 0; i < 3; i++) {
        const json_t *v = json_is_array(a) ? json_array_get(a, i) : a;
        const double x = json_number_value(v);
        if (!json_is_number(v) || (json_is_array(a) && json_array_size(a) != 3) ||
            !(fabs(x) < 1e4) || (positive && !(x > 1e-6)))
            return bad(at, key, positive ? "three numbers above 0" : "three numbers", err);
        out[i] = (float)x;
    }
    return SCT_OK;
}

/* ---- transformers ---- */

static const char *processor(const struct sct_json_at *at, sct_error *err, sct_status *rc)
{
    const char *name = NULL;
    *rc = sct_json_get_str(at, "image_processor_type", SCT_JSON_OPTIONAL, &name, err);
    if (*rc == SCT_OK && !name)
        *rc = sct_json_get_str(at, "feature_extractor_type", SCT_JSON_OPTIONAL, &name, err);
    return name ? name : "ViTImageProcessor";
}

static bool is_processor(const char *name, const char *stem)
{
    const size_t n = strlen(stem);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strncmp(name, stem, n) == 0 && strcmp(name + n, suffixes[i]) == 0)
            return true;
    return false;
}

/* 224, {"height": 224, "width": 224} or {"shortest_edge": 224}. *edge: the last one. */
static sct_status get_size(const struct sct_json_at *at, const char *key, uint32_t *out,
                           bool *edge, sct_error *err)
{
    const json_t *v = json_object_get(at->obj, key);
    const json_t *h = json_object_get(v, "height"), *w = json_object_get(v, "width");
    const json_t *s = json_object_get(v, "shortest_edge");
    const json_t *n = json_is_integer(v) ? v : s ? s : h;
    const json_int_t side = json_integer_value(n);
    if (json_is_object(v))
        *edge = s != NULL;
    if (!json_is_integer(n) || side < 1 || side > 16384 ||
        (!s && json_is_object(v) && !json_equal(h, w)) || (s && (h || w)))
        return bad(at, key,
                   "a side from 1 to 16384, a square of height and width, or a shortest_edge",
                   err);
    *out = (uint32_t)side;
    return SCT_OK;
}

static sct_status get_flags(const struct sct_json_at *at, struct recipe *r, bool *normalize,
                            sct_error *err)
{
    int resize = 0, rescale = 0, crop = 0, norm = 0;
    double factor = 0;
    SCT_TRY(sct_json_get_bool(at, "do_resize", SCT_JSON_REQUIRED, &resize, err));
    SCT_TRY(sct_json_get_bool(at, "do_rescale", SCT_JSON_REQUIRED, &rescale, err));
    SCT_TRY(sct_json_get_bool(at, "do_normalize", SCT_JSON_REQUIRED, &norm, err));
    SCT_TRY(sct_json_get_bool(at, "do_center_crop", SCT_JSON_OPTIONAL, &crop, err));
    SCT_TRY(sct_json_get_f64(at, "rescale_factor", SCT_JSON_REQUIRED, &factor, err));
    if (!resize)
        return bad(at, "do_resize", "true", err);
    if (!rescale || fabs(factor * 255 - 1) > 1e-6)
        return bad(at, "rescale_factor", "1/255, with do_rescale", err);
    r->crop = crop != 0;
    *normalize = norm != 0;
    return SCT_OK;
}

static sct_status read_all(const struct sct_json_at *at, bool edge, struct recipe *r,
                           sct_error *err)
{
    uint32_t resample = 0;
    bool normalize = false, square = false;
    SCT_TRY(get_flags(at, r, &normalize, err));
    SCT_TRY(get_size(at, "size", &r->side, &edge, err));
    r->squash = !edge;
    r->size = r->side;
    if (r->crop)
        SCT_TRY(get_size(at, "crop_size", &r->size, &square, err));
    if (!r->squash && !r->crop)
        return bad(at, "do_center_crop", "true, since only the short side is resized", err);
    SCT_TRY(sct_json_get_u32(at, "resample", SCT_JSON_REQUIRED, 0, 5, &resample, err));
    if (pillow[resample] < 0)
        return bad(at, "resample", "1 to 5: Pillow's filters but nearest", err);
    r->filter = (enum sct_filter)pillow[resample];
    for (int i = 0; i < 3; i++) {
        r->mean[i] = 0;
        r->std[i] = 1;
    }
    if (!normalize)
        return SCT_OK;
    SCT_TRY(triple(at, "image_mean", false, r->mean, err));
    return triple(at, "image_std", true, r->std, err);
}

static sct_status read_hub(const struct sct_model_folder *f, struct recipe *r, sct_error *err)
{
    struct sct_json_at at = {f->pre, f->pre_path, "", SCT_EFILE};
    sct_status rc;
    const char *name = processor(&at, err, &rc);
    const char *defaults = NULL;
    bool edge = false;
    json_t *all = NULL;
    if (rc != SCT_OK)
        return rc;
    for (size_t i = 0; i < sizeof processors / sizeof processors[0]; i++)
        if (is_processor(name, processors[i].name)) {
            defaults = processors[i].defaults;
            edge = processors[i].short_edge;
        }
    if (!defaults)
        return sct_fail(err, SCT_EFILE,
                        "%s: pictures prepared by \"%.80s\" are not known here; expected a "
                        "ViT-, DeiT-, CLIP- or BitImageProcessor; --preprocess or --resize "
                        "says another preprocessing",
                        f->pre_path, name);
    SCT_TRY(sct_json_parse(defaults, strlen(defaults), name, SCT_EFILE, &all, err));
    if (json_object_update(all, f->pre) != 0)
        rc = sct_nomem(err);
    at.obj = all;
    if (rc == SCT_OK)
        rc = read_all(&at, edge, r, err);
    json_decref(all);
    return rc;
}

/* ---- timm ---- */

static const json_t *pretrained_cfg(const struct sct_model_folder *f)
{
    const json_t *cfg = json_object_get(f->config, "pretrained_cfg");
    if (f->hub || !f->what)
        return NULL;
    return json_is_object(cfg) ? cfg : f->config; /* timm takes the whole file, too */
}

static sct_status read_timm(const struct sct_model_folder *f, struct recipe *r, sct_error *err)
{
    static const float mean[] = {0.485f, 0.456f, 0.406f}, std[] = {0.229f, 0.224f, 0.225f};
    const struct sct_json_at at = {pretrained_cfg(f), f->config_path, "pretrained_cfg",
                                   SCT_EFILE};
    const json_t *size = NULL;
    const char *filter = "bicubic", *mode = "center";
    double pct = 0.875;
    SCT_TRY(sct_json_get_array(&at, "input_size", SCT_JSON_REQUIRED, &size, err));
    SCT_TRY(sct_json_get_str(&at, "interpolation", SCT_JSON_OPTIONAL, &filter, err));
    SCT_TRY(sct_json_get_str(&at, "crop_mode", SCT_JSON_OPTIONAL, &mode, err));
    SCT_TRY(sct_json_get_f64(&at, "crop_pct", SCT_JSON_OPTIONAL, &pct, err));
    const json_int_t side = json_integer_value(json_array_get(size, 1));
    if (json_array_size(size) != 3 || json_integer_value(json_array_get(size, 0)) != 3 ||
        json_integer_value(json_array_get(size, 2)) != side || side < 1 || side > 16384)
        return bad(&at, "input_size", "[3, S, S]", err);
    if (!(pct >= 0.25 && pct <= 1))
        return bad(&at, "crop_pct", "0.25 to 1", err);
    r->squash = strcmp(mode, "squash") == 0;
    if (!r->squash && strcmp(mode, "center") != 0)
        return bad(&at, "crop_mode", "center or squash", err);
    r->size = (uint32_t)side;
    r->side = (uint32_t)floor((double)side / pct);
    r->crop = !r->squash || r->side != r->size;
    memcpy(r->mean, mean, sizeof mean);
    memcpy(r->std, std, sizeof std);
    if (json_object_get(at.obj, "mean"))
        SCT_TRY(triple(&at, "mean", false, r->mean, err));
    if (json_object_get(at.obj, "std"))
        SCT_TRY(triple(&at, "std", true, r->std, err));
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (strcmp(filters[i].name, filter) == 0) {
            r->filter = filters[i].filter;
            return SCT_OK;
        }
    return bad(&at, "interpolation", "bicubic, bilinear, lanczos, box or hamming", err);
}

/* ---- */

bool sct_model_folder_prepares(const struct sct_model_folder *f)
{
    const json_t *cfg = pretrained_cfg(f);
    return f->pre || json_object_get(cfg, "input_size");
}

static void make_steps(const struct recipe *r, uint32_t size, struct sct_preprocess *p)
{
    const double pct = (double)r->size / r->side;
    sct_preprocess_default(p);
    sct_preprocess_set_mode(p, r->crop ? SCT_RESIZE_CROP_BICUBIC : SCT_RESIZE_SQUASH_BICUBIC);
    struct sct_step *s = &p->eval.step[0];
    s->v[RESIZE_MODE] = r->squash ? RESIZE_SQUASH : RESIZE_SHORT;
    s->v[RESIZE_FILTER] = r->filter;
    p->size = size;
    if (r->crop)
        p->crop_pct = pct;
    /* a ratio that floor() does not take back to the side, and one out of range */
    if (r->crop && size == r->size && (uint32_t)floor((double)size / pct) != r->side)
        s->v[RESIZE_SIZE] = r->side;
    p->train = p->eval;
    memcpy(p->mean, r->mean, sizeof p->mean);
    memcpy(p->std, r->std, sizeof p->std);
}

sct_status sct_model_folder_preprocess(const struct sct_model_folder *f, uint32_t size,
                                       struct sct_preprocess *p, uint32_t *made, sct_error *err)
{
    struct recipe r = {.size = 0};
    sct_error why = SCT_ERROR_INIT;
    *made = 0;
    SCT_TRY(f->pre ? read_hub(f, &r, err) : read_timm(f, &r, err));
    make_steps(&r, size, p);
    *made = r.size == size ? 0 : r.size;
    if (sct_preprocess_check(p, &why) == SCT_OK)
        return SCT_OK;
    return sct_fail(err, SCT_EFILE,
                    "%s: %s; --preprocess or --resize says another preprocessing",
                    f->pre ? f->pre_path : f->config_path, why.msg);
}
