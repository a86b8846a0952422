/* SPDX-License-Identifier: MIT
 * pixels.c - image operations for scripts: jobs on stdin, pictures on stdout.
 *
 *   JOB := "decode PATH"
 *        | "resize FILTER ORDER OUT_W OUT_H W H" + pixels
 *        | "op NAME A B W H" + pixels          A: its number; B: its filter, by number
 *   reply "W H" + pixels
 * A job is a line; pixels follow it as W * H * 3 bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/preprocess.h"
#include "tests/data/image_ops.h"

static const char *const filters[] = {"box", "bilinear", "hamming", "bicubic", "lanczos"};

static void die(const char *what)
{
    (void)fprintf(stderr, "pixels: %s\n", what);
    exit(1);
}

static void take(sct_status rc, const sct_error *err)
{
    if (rc != SCT_OK)
        die(err->msg);
}

static int find(const char *name)
{
    for (int i = 0; i < 5; i++)
        if (strcmp(filters[i], name) == 0)
            return i;
    die("unknown filter");
    return 0;
}

static void read_pixels(struct sct_image *img, unsigned w, unsigned h)
{
    sct_error err = SCT_ERROR_INIT;
    take(sct_image_init(img, w, h, &err), &err);
    if (fread(img->rgb, 3, (size_t)w * h, stdin) != (size_t)w * h)
        die("too few pixels");
}

static void resize(struct sct_image *img, const char *filter, const char *order, unsigned w,
                   unsigned h)
{
    struct sct_image out;
    enum sct_pass_order passes;
    sct_error err = SCT_ERROR_INIT;
    take(sct_pass_order_parse(&passes, order, &err), &err);
    take(sct_image_init(&out, w, h, &err), &err);
    take(sct_resize(out.rgb, img, w, h, NULL, (enum sct_filter)find(filter), passes, &err),
         &err);
    sct_image_fini(img);
    *img = out;
}

static void job(const char *line, struct sct_image *img)
{
    char a[64], b[64], path[4096];
    double x, y;
    unsigned w, h, ow, oh;
    sct_error err = SCT_ERROR_INIT;
    if (sscanf(line, "decode %4095[^\n]", path) == 1) {
        take(sct_image_read(img, path, NULL, &err), &err);
    } else if (sscanf(line, "resize %63s %63s %u %u %u %u", a, b, &ow, &oh, &w, &h) == 6) {
        read_pixels(img, w, h);
        resize(img, a, b, ow, oh);
    } else if (sscanf(line, "op %63s %lf %lf %u %u", a, &x, &y, &w, &h) == 5) {
        read_pixels(img, w, h);
        take(test_image_op(img, a, x, y, &err), &err);
    } else {
        die(line);
    }
}

int main(void)
{
    char line[8192];
    while (fgets(line, sizeof line, stdin)) {
        struct sct_image img = {0};
        job(line, &img);
        printf("%u %u\n", (unsigned)img.w, (unsigned)img.h);
        (void)fwrite(img.rgb, 3, (size_t)img.w * img.h, stdout);
        (void)fflush(stdout);
        sct_image_fini(&img);
    }
    return 0;
}
