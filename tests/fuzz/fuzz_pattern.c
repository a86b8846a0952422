/* SPDX-License-Identifier: MIT
 * fuzz_pattern.c - a first line as a pattern over paths, the rest as a path. */
#include "tests/fuzz/fuzz.h"

#include "core/peft/pattern.h"

#include <string.h>

enum { TEXT = 600 };

/* Neither a star nor a bracket: such a pattern is the path that it matches. */
static int is_plain(const char *pattern)
{
    return !pattern[strcspn(pattern, "*[,")];
}

/* Words of a path are not empty. */
static int is_path(const char *path)
{
    const size_t n = strlen(path);
    return n && path[0] != '.' && path[n - 1] != '.' && !strstr(path, "..");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char pattern[TEXT], path[TEXT], twice[2 * TEXT + 8];
    sct_error err = SCT_ERROR_INIT;
    if (!fuzz_line_and_rest(data, size, pattern, sizeof pattern, path, sizeof path))
        return 0;

    const sct_status rc = sct_pattern_check(pattern, &err);
    const int yes = sct_pattern_match(pattern, path);
    fuzz_require(rc == SCT_OK || (rc == SCT_EUSAGE && err.code == rc && err.msg[0]));
    fuzz_require(yes == 0 || yes == 1);
    fuzz_require(rc == SCT_OK || !yes);
    if (rc != SCT_OK)
        return 0;
    if (is_plain(pattern)) {
        fuzz_require(!is_path(path) || yes == (strcmp(pattern, path) == 0));
        fuzz_require(sct_pattern_match(pattern, pattern) == 1);
    }
    /* a list matches what one of it does, and "**." in front takes nothing away */
    (void)snprintf(twice, sizeof twice, "%s,%s", pattern, pattern);
    fuzz_require(sct_pattern_match(twice, path) == yes);
    (void)snprintf(twice, sizeof twice, "no.such.path,**.%s", pattern);
    fuzz_require(!yes || strlen(pattern) > 250 || sct_pattern_match(twice, path) == 1);
    return 0;
}
