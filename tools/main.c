/* SPDX-License-Identifier: MIT
 * main.c - the sctrun program: subcommands, signals, exit codes. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/status.h"
#include "core/plug/module.h"
#include "tools/cli.h"

volatile int cli_stop;

static const struct {
    const char *name, *summary;
    cli_fn run;
} commands[] = {
    {"train", "fine-tune (what happens without a subcommand)", cmd_train},
    {"eval", "accuracy of an adapter, or of plain weights with their head", cmd_eval},
    {"predict", "classes of pictures", cmd_predict},
    {"inspect", "what is in a weight file or an adapter folder", cmd_inspect},
    {"export", "the model for other programs: ONNX, timm, transformers", cmd_export},
    {"calibrate", "scores, choices and overlaps of a strategy that looks at data",
     cmd_calibrate},
    {"merge", "an adapter merged into the weights, and how exact that is", cmd_merge},
    {"diff", "what two adapters differ in", cmd_diff},
    {"convert", "an adapter into the names of peft with timm or transformers, and back",
     cmd_convert},
    {"devices", "devices of every backend", cmd_devices},
    {"ops", "the table of ops and which backend has which", cmd_ops},
    {"plugins", "strategies and backends, with their options; check FILE.so", cmd_plugins},
    {"backends", "backends that are found; check FILE.so", cmd_backends},
    {"new-strategy", "NAME: a strategy outside the tree, to begin with", cmd_new_strategy},
    {"recipe", "settings of publications: list, show NAME[/TASK]", cmd_recipe},
    {"ablate", "a grid of runs and one table of its results: GRID.yaml", cmd_ablate},
    {"dump", "values of sites as .npy, or the graph and plan as text", cmd_dump},
};

static void on_signal(int sig)
{
    cli_stop = sig;
}

void cli_log(void *ctx, int level, const char *line)
{
    struct cli *c = ctx;
    if (level > (c->verbose ? SCT_LOG_DEBUG : SCT_LOG_INFO) ||
        (c->quiet && level > SCT_LOG_WARN))
        return;
    if (c->in_line)
        fputc('\n', stderr);
    c->in_line = 0;
    fprintf(stderr, "%s",
            level == SCT_LOG_ERROR  ? "error: "
            : level == SCT_LOG_WARN ? "warning: "
                                    : "");
    (void)cli_put(stderr, line, "\n\t");
    fputc('\n', stderr);
}

const char *cli_env(const char *name)
{
    return getenv(name);
}

static void usage(FILE *to)
{
    fprintf(to, "sctrun " SCT_VERSION
                " - fine-tunes vision transformers on CPUs and OpenCL devices\n\n"
                "usage: sctrun [COMMAND] [OPTIONS]\n\ncommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "  %-12s %s\n  %-12s %s\n\n", "version", "prints the version", "help",
            "this text, or the options of a command: sctrun help train");
    fprintf(to, "example: sctrun --backend opencl --strategy sct\n");
}

static sct_status help(struct cli *c, sct_error *err)
{
    usage(stdout);
    if (c->argc == 0)
        return SCT_OK;
    struct sct_settings_run r;
    char *none[] = {NULL};
    SCT_TRY(sct_settings_init(&r, 0, none, cli_env, false, err));
    struct sct_str s = {0};
    sct_opts_help(r.opts, &s);
    char *text = sct_str_take(&s);
    if (strcmp(c->argv[0], "ablate") == 0)
        printf(
            "\nsctrun ablate GRID [--shard I/N] [--collect] [OPTIONS]\n"
            "  GRID                a file, or a name in configs/grids\n"
            "  --shard I/N         only the I-th of N parts of the cells, I from 1; no table\n"
            "  --collect           run nothing, make the table of what there is\n"
            "  --output DIR        where cells and table are (runs/<name>); a folder that is "
            "there is continued\n"
            "  --dry-run           list the cells, run nothing\n"
            "  other options hold for every cell and are stronger than the grid\n");
    printf(
        "\noptions (train, calibrate, eval, predict, merge, export, dump):\n"
        "  -c, --config FILE   YAML file with these keys, '_' for '-', and `options:` for the "
        "strategy\n  --set KEY=VALUE     an option of the strategy, or NAME.KEY=VALUE; see sctrun "
        "plugins\n  --group 'PATTERN lr=X wd=Y'\n                      factors for the trained "
        "parameters whose names match\n%s",
        text ? text : "");
    sct_free(text);
    sct_settings_fini(&r);
    return SCT_OK;
}

sct_status cli_words(const struct sct_settings_run *run, uint32_t most, const char *command,
                     sct_error *err)
{
    if (run->n_word <= most)
        return SCT_OK;
    return sct_fail(err, SCT_EUSAGE, "\"%s\" is no option of %s; see sctrun help %s",
                    run->word[most], command, command);
}

static int wants_help(const struct cli *c)
{
    for (int i = 1; i < c->argc; i++)
        if (strcmp(c->argv[i], "--help") == 0 || strcmp(c->argv[i], "-h") == 0)
            return 1;
    return 0;
}

static sct_status run(struct cli *c, sct_error *err)
{
    const char *name = c->argc > 0 ? c->argv[0] : "";
    if (c->argc > 0 && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0))
        name = "help";
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
        puts("sctrun " SCT_VERSION);
        return SCT_OK;
    }
    if (strcmp(name, "help") == 0) {
        c->argc--;
        c->argv++;
        return help(c, err);
    }
    if (wants_help(c))
        return help(c, err);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            c->argc--;
            c->argv++;
            return commands[i].run(c, err);
        }
    }
    if (*name && *name != '-') {
        return sct_fail(err, SCT_EUSAGE, "there is no command \"%s\"; see sctrun help", name);
    }
    return cmd_train(c, err);
}

/* A closed stdin, stdout or stderr would give its number to the next file that is opened, and
 * output would go into that. Read-only: writing still fails. */
static void keep_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

static void exe_dir(char *buf, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", buf, size - 1);
    buf[n > 0 ? n : 0] = 0;
    char *slash = strrchr(buf, '/');
    if (slash)
        *slash = 0;
}

int main(int argc, char **argv)
{
    sct_error err = SCT_ERROR_INIT;
    char dir[4096];
    struct cli c = {.argc = argc - 1, .argv = argv + 1, .started = sct_now()};
    keep_standard_files();
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    c.tty = isatty(STDERR_FILENO);
    const char *log = getenv("SCTRUN_LOG");
    c.verbose = log && (strcmp(log, "debug") == 0 || strcmp(log, "trace") == 0);
    c.quiet = log && (strcmp(log, "error") == 0 || strcmp(log, "warn") == 0);
    (void)sigaction(SIGINT, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
    exe_dir(dir, sizeof dir);
    sct_status rc = sct_plug_init(dir, getenv("SCTRUN_PLUGIN_PATH"), &err);
    if (rc == SCT_OK)
        rc = run(&c, &err);
    if (c.in_line)
        fputc('\n', stderr);
    if (rc != SCT_OK) { /* names of files and tensors are others' */
        fprintf(stderr, "sctrun: ");
        (void)cli_put(stderr, err.msg[0] ? err.msg : sct_status_text(rc), "\n\t");
        fputc('\n', stderr);
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && rc == SCT_OK) {
        fprintf(stderr, "sctrun: stdout: the output could not be written; is it closed, or the "
                        "disk full?\n");
        rc = SCT_EFAIL;
    }
    sct_plug_fini();
    if (rc == SCT_OK && c.differs)
        return 1;
    if (rc == SCT_OK && cli_stop)
        return 128 + cli_stop; /* stopped early, saved */
    return sct_status_exit(rc);
}
