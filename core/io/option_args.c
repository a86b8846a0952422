/* SPDX-License-Identifier: MIT
 * option_args.c - options from the command line and the environment, unknown names, help text.
 * The words of a message are those the user typed: a flag is named with its dashes. */
#include "core/io/option.h"

#include "core/base/status.h"
#include "core/io/option_impl.h"
#include "core/io/text.h"

#include <string.h>

/* All keys, as far as they fit. */
static void list_keys(const struct sct_opts *o, char *buf, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < o->n && at + 48 < size; i++) {
        const int n =
            snprintf(buf + at, size - at, "%s%.40s", i ? ", " : "", sct_opts_row(o, i)->key);
        at += n > 0 ? (size_t)n : 0;
        if (at + 48 >= size && i + 1 < o->n)
            (void)snprintf(buf + at, size - at, ", ...");
    }
}

sct_status sct_opts_unknown(const struct sct_opts *o, const char *key, const char *where,
                            sct_error *err)
{
    char word[64], keys[480] = "none";
    (void)snprintf(word, sizeof word, "%s", key + strspn(key, "-"));
    word[strcspn(word, "=")] = 0;
    for (char *c = word; *c; c++)
        if (*c == '-')
            *c = '_';
    const char *of = o->named ? " of " : "", *what = o->named ? o->what : "";
    const int shown = (int)strcspn(key, "=");
    struct sct_nearest near;
    sct_nearest_init(&near, word);
    for (size_t i = 0; i < o->n; i++)
        sct_nearest_offer(&near, sct_opts_row(o, i)->key);
    if (near.best)
        return sct_fail(err, SCT_EUSAGE, "%s: unknown option '%.*s'%s%s; did you mean '%s'?",
                        where, shown < 80 ? shown : 80, key, of, what, near.best);
    list_keys(o, keys, sizeof keys);
    return sct_fail(err, SCT_EUSAGE, "%s: unknown option '%.*s'%s%s; known: %s", where,
                    shown < 80 ? shown : 80, key, of, what, keys);
}

sct_status sct_opts_env(struct sct_opts *o, const char *(*get)(const char *name),
                        sct_error *err)
{
    for (size_t i = 0; o->flags && i < o->n; i++) {
        const char *name = o->flags[i].env, *value = name ? get(name) : NULL;
        if (value && *value)
            SCT_TRY(sct_opts_set_at(o, i, value, SCT_OPT_ENV, name, err));
    }
    return SCT_OK;
}

static int is_switch(const char *word)
{
    static const char *const known[] = {"on", "off", "true", "false", "yes", "no", "1", "0"};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        if (strcmp(word, known[k]) == 0)
            return 1;
    return 0;
}

/* Sets row i from a flag that is spelled `shown`, with the value behind '=' or in the next
 * word. */
static sct_status take(struct sct_opts *o, size_t i, const char *shown, const char *value,
                       int argc, char *const *argv, int *used, sct_error *err)
{
    *used = 1;
    if (!value && sct_opts_row(o, i)->type == SCT_OPT_BOOL) {
        /* the value may be left out: "--json", "--shuffle off" */
        const int follows = argc > 1 && is_switch(argv[1]);
        value = follows ? argv[1] : "on";
        *used = follows ? 2 : 1;
    } else if (!value) {
        if (argc < 2 || strncmp(argv[1], "--", 2) == 0)
            return sct_fail(err, SCT_EUSAGE, "%s: expected a value after it, found %s%s%s",
                            shown, argc < 2 ? "the end of the command line" : "'",
                            argc < 2 ? "" : argv[1], argc < 2 ? "" : "'");
        value = argv[1];
        *used = 2;
    }
    return sct_opts_set_at(o, i, value, SCT_OPT_FLAG, shown, err);
}

static sct_status take_letter(struct sct_opts *o, int argc, char *const *argv, int *used,
                              sct_error *err)
{
    const char *arg = argv[0];
    for (size_t i = 0; o->flags && i < o->n; i++)
        if (o->flags[i].letter && o->flags[i].letter == arg[1]) {
            const char shown[3] = {'-', arg[1], 0};
            if (arg[2] && o->flags[i].opt.type == SCT_OPT_BOOL)
                return sct_fail(err, SCT_EUSAGE, "%s: expected %s alone, found '%s'", shown,
                                shown, arg);
            return take(o, i, shown, arg[2] ? arg + 2 : NULL, argc, argv, used, err);
        }
    return SCT_OK;
}

sct_status sct_opts_arg(struct sct_opts *o, int argc, char *const *argv, int *used,
                        sct_error *err)
{
    *used = 0;
    if (argc < 1 || argv[0][0] != '-' || !argv[0][1])
        return SCT_OK;
    if (argv[0][1] != '-')
        return take_letter(o, argc, argv, used, err);
    const char *name = argv[0] + 2;
    const size_t n = strcspn(name, "=");
    const char *value = name[n] ? name + n + 1 : NULL;
    size_t i = sct_opts_index(o, name, n);
    if (i < o->n) {
        char shown[80];
        (void)snprintf(shown, sizeof shown, "--%.*s", n < 72 ? (int)n : 72, name);
        return take(o, i, shown, value, argc, argv, used, err);
    }
    if (n > 3 && strncmp(name, "no-", 3) == 0 && !value) {
        i = sct_opts_index(o, name + 3, n - 3);
        if (i < o->n && sct_opts_row(o, i)->type == SCT_OPT_BOOL) {
            *used = 1;
            return sct_opts_set_at(o, i, "off", SCT_OPT_FLAG, argv[0], err);
        }
    }
    return SCT_OK;
}

enum { HELP_COLUMN = 30, HELP_WIDTH = 96 };

/* Words of text behind the help column, in lines that end before HELP_WIDTH. */
static void wrap(struct sct_str *out, const char *text)
{
    size_t column = HELP_COLUMN;
    for (const char *w = text + strspn(text, " "); *w;) {
        const size_t n = strcspn(w, " ");
        if (column > HELP_COLUMN && column + 1 + n > HELP_WIDTH) {
            sct_str_add(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        const int blank = column > HELP_COLUMN;
        sct_str_add(out, "%s%.*s", blank ? " " : "", (int)n, w);
        column += n + (size_t)blank;
        w += n;
        w += strspn(w, " ");
    }
    sct_str_add(out, "\n");
}

static void help_left(const struct sct_opts *o, size_t i, struct sct_str *left)
{
    static const char *const by_type[] = {"", "N", "X", "TEXT", NULL, "N|A/B"};
    const struct sct_option *r = sct_opts_row(o, i);
    const struct sct_flag *f = o->flags ? &o->flags[i] : NULL;
    if (f && f->letter)
        sct_str_add(left, "  -%c, --", f->letter);
    else
        sct_str_add(left, "      --%s", f ? "" : "set ");
    for (const char *c = r->key; *c; c++)
        sct_str_add(left, "%c", f && *c == '_' ? '-' : *c);
    const char *value = f && f->metavar           ? f->metavar
                        : r->type == SCT_OPT_LIST ? "TEXT"
                                                  : by_type[r->type];
    if (!value)
        value = r->def_str;
    if (!f)
        value = *value ? value : "on|off";
    sct_str_add(left, "%s%s", !f ? "=" : *value ? " " : "", value);
}

static void help_right(const struct sct_opts *o, size_t i, struct sct_str *right)
{
    const struct sct_option *r = sct_opts_row(o, i);
    char limits[64] = "";
    if (r->type == SCT_OPT_UINT || r->type == SCT_OPT_FLOAT || r->type == SCT_OPT_COUNT)
        sct_opts_limits(r, limits, sizeof limits);
    sct_str_add(right, "%s", r->help ? r->help : "");
    if ((r->type != SCT_OPT_STRING && r->type != SCT_OPT_LIST) || r->def_str) {
        sct_str_add(right, " (");
        sct_opts_value(o, r, right);
        sct_str_add(right, "%s%s)", *limits ? ";" : "", limits);
    }
    if (o->flags && o->flags[i].env)
        sct_str_add(right, " [%s]", o->flags[i].env);
}

void sct_opts_help(const struct sct_opts *o, struct sct_str *out)
{
    const char *group = NULL;
    for (size_t i = 0; i < o->n; i++) {
        const char *g = o->flags ? o->flags[i].group : NULL;
        if (g && (!group || strcmp(group, g) != 0)) {
            sct_str_add(out, "%s%s:\n", group ? "\n" : "", g);
            group = g;
        }
        struct sct_str left = {0}, right = {0};
        help_left(o, i, &left);
        help_right(o, i, &right);
        if (left.failed || right.failed || !left.s || !right.s) {
            out->failed = 1;
        } else {
            size_t column = left.n;
            sct_str_add(out, "%s", left.s);
            if (column + 2 > HELP_COLUMN) {
                sct_str_add(out, "\n");
                column = 0;
            }
            sct_str_add(out, "%*s", (int)(HELP_COLUMN - column), "");
            wrap(out, right.s);
        }
        sct_str_free(&left);
        sct_str_free(&right);
    }
}
