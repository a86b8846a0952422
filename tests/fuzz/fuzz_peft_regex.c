/* SPDX-License-Identifier: MIT
 * fuzz_peft_regex.c - a first line as a regular expression of an adapter_config.json, the rest
 * as a module's name. Whatever the expression, it takes no longer than its length times the
 * name's (the engine's own time limit watches). */
#include "tests/fuzz/fuzz.h"

#include "core/adapter/peft_regex.h"

#include <string.h>

enum { TEXT = 1100, NAME = 300 };

static sct_status match(const char *regex, const char *name, bool end, int *yes)
{
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_peft_regex_match(regex, name, end, yes, "fuzz", "key", &err);
    fuzz_require(rc == SCT_OK || rc == SCT_EFILE || rc == SCT_ENOMEM);
    fuzz_require(rc == SCT_OK || (err.code == rc && err.msg[0] && !*yes));
    fuzz_require(rc != SCT_EFILE || strncmp(err.msg, "fuzz: key", 9) == 0);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char regex[TEXT], name[NAME], both[2 * TEXT];
    if (!fuzz_line_and_rest(data, size, regex, sizeof regex, name, sizeof name))
        return 0;

    int whole = 0, tail = 0, again = 0;
    const sct_status rc = match(regex, name, false, &whole);
    fuzz_require(match(regex, name, true, &tail) == rc);
    if (rc != SCT_OK)
        return 0;
    fuzz_require(tail || !whole); /* all of a name is one end of it */
    if (strlen(regex) < 400) {    /* a choice of the same twice; fewer states than there are */
        (void)snprintf(both, sizeof both, "%s|%s", regex, regex);
        if (match(both, name, false, &again) == SCT_OK)
            fuzz_require(again == whole);
    }
    return 0;
}
