/* SPDX-License-Identifier: MIT
 * pixels.c - image operations for scripts: jobs on stdin, pictures on stdout.
 *
 *   JOB := "decode PATH"
 *        | "resize FILTER ORDER OUT_W OUT_H W H" + pixels
 *        | "op NAME A B W H" + pixels          A: its number; B: its filter, by number
 *        | "time PATH ROUNDS ISA"            decoded and squashed to 224 x 224, bicubic
 *   reply "W H" + pixels; to "time": seconds of decoding and of resizing
 * A job is a line; pixels follow it as W * H * 3 bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The file is read once, what is timed is work on memory. */
static void time_file(const char *path, unsigned rounds, const struct sct_resize_rows *rows)
{
    static uint8_t bytes[1 << 24], out[224 * 224 * 3];
    double decode = 0, squash = 0;
    FILE *f = fopen(path, "rb");
    const size_t size = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f)
        (void)fclose(f);
    for (unsigned i = 0; i < rounds; i++) {
        struct sct_image img;
        sct_error err = SCT_ERROR_INIT;
        const double start = now();
        take(sct_image_decode(&img, bytes, size, path, NULL, &err), &err);
        const double middle = now();
        take(sct_resize_with(rows, out, &img, 224, 224, NULL, SCT_FILTER_BICUBIC,
                             SCT_PASS_HORIZONTAL, &err),
             &err);
        decode += middle - start;
        squash += now() - middle;
        sct_image_fini(&img);
    }
    printf("%.9f %.9f\n", decode / rounds, squash / rounds);
    (void)fflush(stdout);
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
        char path[4096], isa[16];
        unsigned rounds;
        if (sscanf(line, "time %4095s %u %15s", path, &rounds, isa) == 3) {
            time_file(path, rounds,
                      strcmp(isa, "c") == 0 ? &sct_resize_rows_c : sct_resize_rows_best());
            continue;
        }
        job(line, &img);
        printf("%u %u\n", (unsigned)img.w, (unsigned)img.h);
        (void)fwrite(img.rgb, 3, (size_t)img.w * img.h, stdout);
        (void)fflush(stdout);
        sct_image_fini(&img);
    }
    return 0;
}
