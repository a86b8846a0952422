/* SPDX-License-Identifier: MIT
 * cmd_plugins.c - sctrun plugins, plugins check FILE, backends, backends check FILE. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/status.h"
#include "core/plug/module.h"
#include "tools/modules.h"
#include "tools/sdk/check.h"

/* The strategy with the options that configs/strategies gives it. */
static sct_status open_as_run(struct sct_tuner *t, char *name, sct_error *err)
{
    char flag[] = "--strategy";
    char *const argv[] = {flag, name};
    struct sct_settings_run run;
    SCT_TRY(sct_settings_init(&run, 2, argv, cli_env, false, err));
    const sct_status rc = sct_tuner_open(t, name, run.set, run.n_set, err);
    sct_settings_fini(&run);
    return rc;
}

static void list_strategies(struct cli *c)
{
    struct cli_modules list;
    cli_modules_find(&list, "strategies");
    printf("strategies\n");
    for (uint32_t k = 0; k < list.n; k++) {
        const struct sct_strategy *s;
        struct sct_tuner t;
        sct_error e = SCT_ERROR_INIT;
        if (sct_plug_strategy(list.name[k], &s, &e) != SCT_OK) {
            cli_log(c, SCT_LOG_WARN, e.msg);
            continue;
        }
        printf("  %-10s %s\n             %s\n", s->name, s->summary, list.path[k]);
        if (open_as_run(&t, list.name[k], &e) != SCT_OK) {
            cli_log(c, SCT_LOG_WARN, e.msg);
            continue;
        }
        struct sct_str text = {0};
        sct_opts_help(t.part[0].opts, &text);
        char *help = sct_str_take(&text);
        if (help && s->options)
            printf("%s", help);
        sct_free(help);
        sct_tuner_close(&t);
    }
}

static void list_backends(void)
{
    struct cli_modules list;
    cli_modules_find(&list, "backends");
    printf("backends\n");
    for (uint32_t k = 0; k < list.n; k++) {
        const struct sct_backend *be;
        if (sct_plug_backend(list.name[k], &be, NULL) == SCT_OK)
            printf("  %-10s %s\n             %s\n", be->name, be->summary, list.path[k]);
    }
}

/* "check FILE", or nothing. */
static sct_status words(const struct sct_settings_run *run, const char *command,
                        const char **file, sct_error *err)
{
    *file = NULL;
    if (run->n_word == 0)
        return SCT_OK;
    if (strcmp(run->word[0], "check") != 0 || run->n_word == 1)
        return sct_fail(err, SCT_EUSAGE,
                        "%s: expected nothing, or \"check FILE\"; found \"%s\"", command,
                        run->word[0]);
    *file = run->word[1];
    return cli_words(run, 2, command, err);
}

/* The user's --set, for the runs of the checks: they parse them again. */
static sct_status keep_sets(struct check *c, const struct cli *cli, sct_error *err)
{
    char **set = sct_calloc((size_t)cli->argc + 1, sizeof *set);
    if (!set)
        return sct_nomem(err);
    c->set = set;
    for (int i = 0; i < cli->argc; i++) {
        if (strncmp(cli->argv[i], "--set=", 6) == 0)
            set[c->n_set++] = cli->argv[i] + 6;
        else if (strcmp(cli->argv[i], "--set") == 0 && i + 1 < cli->argc)
            set[c->n_set++] = cli->argv[++i];
    }
    return SCT_OK;
}

static sct_status check_strategy(const struct cli *cli, const char *name, bool json,
                                 sct_error *err)
{
    char path[4096];
    struct check c = {.file = path};
    SCT_TRY(cli_module_file(name, path, sizeof path, err));
    SCT_TRY(keep_sets(&c, cli, err));
    sct_status rc = check_open(&c, err);
    if (rc == SCT_OK)
        rc = check_all(&c, json, err);
    check_close(&c);
    sct_free((void *)(uintptr_t)c.set);
    return rc;
}

sct_status cmd_plugins(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    const char *file;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    sct_status rc = words(&run, "plugins", &file, err);
    if (rc == SCT_OK && file)
        rc = check_strategy(c, file, run.s.json != 0, err);
    if (rc == SCT_OK && !file) {
        list_strategies(c);
        list_backends();
    }
    sct_settings_fini(&run);
    return rc;
}

/* sctrun-kcheck is beside the program, and in the build tree among the tests. */
static sct_status check_backend(const struct cli *c, const char *name, sct_error *err)
{
    static const char *const place[] = {"", "../tests/kcheck/"};
    char path[4096], exe[4096], program[4200];
    SCT_TRY(cli_module_file(name, path, sizeof path, err));
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        slash[1] = 0;
    char **argv = sct_calloc((size_t)c->argc + 3, sizeof *argv);
    if (!argv)
        return sct_nomem(err);
    int k = 0;
    argv[k++] = program;
    argv[k++] = (char *)(uintptr_t) "--backend";
    argv[k++] = path;
    for (int i = 2; i < c->argc; i++) /* after "check FILE" */
        argv[k++] = c->argv[i];
    (void)fflush(stdout);
    for (size_t p = 0; p < sizeof place / sizeof place[0]; p++) {
        (void)snprintf(program, sizeof program, "%s%ssctrun-kcheck", exe, place[p]);
        (void)execv(program, argv); /* comes back when it is not there */
    }
    sct_free(argv);
    return sct_fail(err, SCT_EFAIL, "sctrun-kcheck is not beside the program, in %s", exe);
}

sct_status cmd_backends(struct cli *c, sct_error *err)
{
    if (c->argc >= 2 && strcmp(c->argv[0], "check") == 0)
        return check_backend(c, c->argv[1], err);
    struct sct_settings_run run;
    const char *file;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    const sct_status rc = words(&run, "backends", &file, err);
    if (rc == SCT_OK)
        list_backends();
    sct_settings_fini(&run);
    return rc;
}
