/* SPDX-License-Identifier: MIT
 * fuzz_image.c - JPEG, PNG and WebP from arbitrary bytes.
 * A picture is whole or an error with a message; decoding is a function of the bytes. */
#include <string.h>

#include "core/data/image.h"
#include "tests/fuzz/fuzz.h"

enum { PIXELS = 1 << 14 };

static int decode(struct sct_image *img, const uint8_t *data, size_t size,
                  enum sct_deep_mode deep)
{
    const struct sct_image_opts o = {.max_pixels = PIXELS, .deep = deep};
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_image_decode(img, data, size, "fuzz", &o, &err);
    fuzz_require(rc == SCT_OK || ((rc == SCT_EDATA || rc == SCT_ENOMEM) && err.msg[0]));
    fuzz_require((rc == SCT_OK) == (img->rgb != NULL));
    fuzz_require((uint64_t)img->w * img->h <= PIXELS);
    return rc == SCT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_image a, b;
    const int refusing = decode(&a, data, size, SCT_DEEP_REFUSE);
    const int taking = decode(&b, data, size, SCT_DEEP_PILLOW);
    fuzz_require(taking || !refusing); /* only 16-bit files tell them apart */
    if (refusing)
        fuzz_require(a.w == b.w && a.h == b.h &&
                     memcmp(a.rgb, b.rgb, (size_t)a.w * a.h * 3) == 0);
    sct_image_fini(&a);
    sct_image_fini(&b);
    return 0;
}
