/* SPDX-License-Identifier: MIT
 * cmd_new.c - sctrun new-strategy NAME: a project outside the tree, from examples/strategy. */
#include <ctype.h>
#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/io/file.h"
#include "core/plug/module.h"
#include "tools/cli.h"

static const char word[] = "example"; /* what the files call the strategy */

static sct_status check_name(const char *name, sct_error *err)
{
    const size_t n = strlen(name);
    if (n && n < 48 && islower((unsigned char)name[0]) &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n)
        return SCT_OK;
    return sct_fail(
        err, SCT_EUSAGE,
        "\"%s\" is no name of a strategy: expected a lower-case letter, then letters, "
        "digits and _, fewer than 48",
        name);
}

/* Every "example" of the text becomes the name. */
static char *renamed(const char *text, const char *name)
{
    struct sct_str s = {0};
    for (const char *at; (at = strstr(text, word)); text = at + sizeof word - 1)
        sct_str_add(&s, "%.*s%s", (int)(at - text), text, name);
    sct_str_add(&s, "%s", text);
    return sct_str_take(&s);
}

static sct_status copy(const char *file, const char *name, const char *dir, sct_error *err)
{
    char from[4096], path[4096], source[64];
    char *text = NULL;
    size_t n = 0;
    (void)snprintf(source, sizeof source, "examples/strategy/%s", file);
    SCT_TRY(sct_plug_data(source, from, sizeof from, err));
    SCT_TRY(sct_file_read(from, 1 << 20, SCT_EFILE, &text, &n, err));
    char *out = renamed(text, name), *own = renamed(file, name);
    sct_status rc = out && own ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK) {
        (void)snprintf(path, sizeof path, "%.3900s/%s", dir, own);
        rc = sct_file_write(path, out, strlen(out), err);
    }
    sct_free(text);
    sct_free(out);
    sct_free(own);
    return rc;
}

sct_status cmd_new_strategy(struct cli *c, sct_error *err)
{
    static const char *const files[] = {"example.c", "meson.build", "README.md"};
    struct sct_settings_run run;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    sct_status rc = cli_words(&run, 1, "new-strategy", err);
    if (rc == SCT_OK && run.n_word == 0)
        rc = sct_fail(err, SCT_EUSAGE, "new-strategy: expected a name, as: new-strategy gate");
    if (rc == SCT_OK)
        rc = check_name(run.word[0], err);
    const char *dir = rc == SCT_OK && run.s.output ? run.s.output
                      : run.n_word                 ? run.word[0]
                                                   : "";
    if (rc == SCT_OK)
        rc = sct_dir_make_new(dir, err);
    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == SCT_OK; i++) {
        rc = copy(files[i], run.word[0], dir, err);
        if (rc != SCT_OK)
            sct_dir_discard(dir);
    }
    if (rc == SCT_OK)
        printf("%s: %s.c, meson.build, README.md\n", dir, run.word[0]);
    sct_settings_fini(&run);
    return rc;
}
