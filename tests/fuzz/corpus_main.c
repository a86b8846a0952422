/* SPDX-License-Identifier: MIT
 * corpus_main.c - runs a fuzz target over the files of a folder, whole, cut short and altered.
 * The folder must hold at least one file: a lost corpus is a failed test. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

/* Exactly size bytes on the heap, so that a sanitizer sees the first one beyond. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    fuzz_require(copy != NULL);
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* Each prefix, and at each place a few bytes that mean something to the formats. */
static void vary(uint8_t *data, size_t size)
{
    static const uint8_t bytes[] = {0x00, 0xff, '"', '[', '}', ':', '\n', '9', '-'};
    const size_t step = size / 512 + 1;
    for (size_t n = 0; n <= size; n += step)
        run(data, n);
    for (size_t i = 0; i < size; i += step) {
        const uint8_t keep = data[i];
        for (size_t k = 0; k < sizeof bytes; k++) {
            data[i] = bytes[k];
            run(data, size);
        }
        data[i] = keep;
    }
    run(data, size);
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        if (f)
            (void)fclose(f);
        return 0;
    }
    const size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    const int whole = data && fread(data, 1, size, f) == size;
    (void)fclose(f);
    if (whole)
        vary(data, size);
    free(data);
    return whole;
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (!d) {
            (void)fprintf(stderr, "%s: no corpus there\n", argv[i]);
            return 1;
        }
        for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
            char path[4096];
            if (e->d_name[0] == '.')
                continue;
            (void)snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            if (!run_file(path)) {
                (void)closedir(d);
                return 1;
            }
            files++;
        }
        (void)closedir(d);
    }
    (void)printf("%u files\n", files);
    return files == 0;
}
