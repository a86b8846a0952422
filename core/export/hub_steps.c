/* SPDX-License-Identifier: MIT
 * hub_steps.c - steps of preprocessing in the words that other libraries have for them. */
#include "core/base/status.h"
#include "core/export/hub.h"

static const char *const filter_names[] = {
    [SCT_FILTER_BOX] = "box",         [SCT_FILTER_BILINEAR] = "bilinear",
    [SCT_FILTER_HAMMING] = "hamming", [SCT_FILTER_BICUBIC] = "bicubic",
    [SCT_FILTER_LANCZOS] = "lanczos",
};

sct_status sct_hub_steps(const struct sct_preprocess *p, struct sct_hub_steps *out,
                         sct_error *err)
{
    const struct sct_augment a = sct_preprocess_augment(p);
    const struct sct_step *s = p->eval.step;
    const uint32_t n = p->eval.n;
    const bool crop = n == 2 && s[1].kind == SCT_STEP_CENTER_CROP;
    if (n == 0 || (n == 2 && !crop) || n > 2 || s[0].kind != SCT_STEP_RESIZE) {
        char text[256];
        sct_steps_text(&p->eval, text, sizeof text);
        return sct_fail(
            err, SCT_EUSAGE,
            "the preprocessing \"%s\" has no name in other libraries: expected a resize, "
            "and perhaps a center-crop; ONNX (--format onnx) carries any",
            text);
    }
    *out = (struct sct_hub_steps){.squash = (int)s[0].v[RESIZE_MODE] == RESIZE_SQUASH,
                                  .crop = crop,
                                  .side = sct_augment_side(&a, &s[0]),
                                  .filter = (enum sct_filter)(int)s[0].v[RESIZE_FILTER]};
    out->filter_name = filter_names[out->filter];
    return SCT_OK;
}
