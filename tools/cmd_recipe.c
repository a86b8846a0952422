/* SPDX-License-Identifier: MIT
 * cmd_recipe.c - sctrun recipe list, sctrun recipe show NAME[/TASK]. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/plug/module.h"
#include "core/settings/recipe.h"
#include "tools/cli.h"

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_yaml(const struct dirent *d)
{
    const size_t n = strlen(d->d_name);
    return n > 5 && strcmp(d->d_name + n - 5, ".yaml") == 0;
}

static sct_status list_one(const char *name, json_t *all, sct_error *err)
{
    struct sct_recipe r;
    SCT_TRY(sct_recipe_open(&r, name, "all", false, err));
    const char *strategy = sct_recipe_setting(&r, "strategy");
    const uint32_t tasks = r.tasks ? r.tasks->n : 0;
    if (all)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "name",
                                             name, "strategy", strategy, "about", r.about,
                                             "source", r.source, "weights", r.weights, "expect",
                                             r.expect, "tasks", (int)tasks));
    else
        printf("%-20s %-8s %2u  %s\n", name, strategy, tasks, r.about);
    sct_recipe_close(&r);
    return SCT_OK;
}

static sct_status list(const struct sct_settings *s, sct_error *err)
{
    char path[4096];
    struct dirent **entry = NULL;
    SCT_TRY(sct_plug_data("configs/recipes", path, sizeof path, err));
    const int n = scandir(path, &entry, is_yaml, by_name);
    if (n < 0)
        return sct_fail(err, SCT_EUSAGE, "%s cannot be read", path);
    json_t *all = s->json ? json_array() : NULL;
    if (!all)
        printf("%-20s %-8s %s\n", "recipe", "strategy", "tasks");
    sct_status rc = SCT_OK;
    for (int i = 0; i < n; i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%.*s", (int)(strlen(entry[i]->d_name) - 5),
                       entry[i]->d_name);
        if (rc == SCT_OK)
            rc = list_one(name, all, err);
        free(entry[i]);
    }
    free(entry);
    if (rc == SCT_OK && all)
        return cli_print_json(all, err);
    json_decref(all);
    if (rc == SCT_OK)
        printf("\nsctrun recipe show NAME[/TASK] prints one; sctrun train --recipe NAME[/TASK] "
               "runs it.\n");
    return rc;
}

/* Published values stay, or what replaces them, as comments above the settings. */
static void show_quirks(const struct sct_recipe *r)
{
    for (const struct sct_cfg_node *q = r->quirks ? r->quirks->first : NULL; q; q = q->next) {
        const char *about = "", *state = "kept";
        if (r->task && !sct_recipe_concerned(r, q))
            continue;
        (void)sct_cfg_str(q, "about", &about, NULL);
        for (uint32_t i = 0; i < r->n_layer; i++)
            if (r->layer[i] == sct_cfg_get(q, "off"))
                state = "off";
        printf("# quirk %s (%s): %s\n", q->key, state, about);
    }
}

static void show_tasks(const struct sct_recipe *r)
{
    if (r->task || !r->tasks)
        return;
    printf("# tasks%s:\n", r->like ? "" : " (figure to expect)");
    for (const struct sct_cfg_node *t = r->tasks->first; t; t = t->next) {
        const char *expect = "";
        if (!r->like)
            (void)sct_cfg_str(t, "expect", &expect, NULL);
        printf("#   %-22s %s\n", t->key, expect);
    }
}

static json_t *shown(const struct sct_recipe *r, const char *name, const char *settings)
{
    const char *note = "";
    (void)sct_cfg_str(r->task, "note", &note, NULL);
    json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "about",
                            r->about, "source", r->source, "weights", r->weights, "expect",
                            sct_recipe_expect(r), "note", note, "settings", settings);
    json_t *names = json_array();
    for (const struct sct_cfg_node *t = r->tasks ? r->tasks->first : NULL; t; t = t->next)
        json_array_append_new(names, json_string(t->key));
    json_object_set_new(all, "tasks", names);
    return all;
}

static sct_status show(const struct sct_settings *s, const char *name, sct_error *err)
{
    struct sct_recipe r;
    struct sct_str text = {0};
    SCT_TRY(sct_recipe_open(&r, name, s->quirks, false, err));
    sct_recipe_text(&r, &text);
    char *settings = sct_str_take(&text);
    sct_status rc = settings ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK && s->json) {
        rc = cli_print_json(shown(&r, name, settings), err);
    } else if (rc == SCT_OK) {
        const char *note = NULL;
        (void)sct_cfg_str(r.task, "note", &note, NULL);
        printf("# %s: %s\n# source: %s\n# weights: %s\n# expect: %s\n", name, r.about, r.source,
               r.weights, sct_recipe_expect(&r));
        if (note)
            printf("# note: %s\n", note);
        show_quirks(&r);
        show_tasks(&r);
        printf("%s", settings);
    }
    sct_free(settings);
    sct_recipe_close(&r);
    return rc;
}

sct_status cmd_recipe(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    const char *const *word = run.word;
    sct_status rc;
    if (run.n_word == 1 && strcmp(word[0], "list") == 0)
        rc = list(&run.s, err);
    else if (run.n_word == 2 && strcmp(word[0], "show") == 0)
        rc = show(&run.s, word[1], err);
    else
        rc = sct_fail(err, SCT_EUSAGE,
                      "expected \"recipe list\" or \"recipe show NAME[/TASK]\"");
    sct_settings_fini(&run);
    return rc;
}
