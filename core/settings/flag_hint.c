/* SPDX-License-Identifier: MIT
 * flag_hint.c - an option of a strategy that is written like a flag of the program. */
#include "core/settings/flag_hint.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/status.h"
#include "core/plug/module.h"

enum { MAX_OWNERS = 16 };

struct search {
    char key[64];                  /* as strategies write it */
    const char *owner[MAX_OWNERS]; /* strategies that have it, by name; static storage */
    uint32_t n_owner;
};

/* "--batch-size=3" is batch_size. */
static void key_of(const char *flag, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s", flag + strspn(flag, "-"));
    buf[strcspn(buf, "=")] = 0;
    for (char *c = buf; *c; c++)
        if (*c == '-')
            *c = '_';
}

/* Modules that cannot be opened have nothing to say here. */
static void offer(void *ctx, const char *name, const char *path)
{
    struct search *s = ctx;
    const struct sct_strategy *of;
    bool has = false;
    (void)path;
    if (s->n_owner == MAX_OWNERS || sct_plug_strategy(name, &of, NULL) != SCT_OK)
        return;
    for (const struct sct_option *row = of->options; row && row->key; row++)
        has |= strcmp(row->key, s->key) == 0;
    uint32_t at = 0;
    while (at < s->n_owner && strcmp(s->owner[at], of->name) < 0)
        at++;
    if (!has || (at < s->n_owner && strcmp(s->owner[at], of->name) == 0))
        return;
    memmove(&s->owner[at + 1], &s->owner[at], (s->n_owner++ - at) * sizeof s->owner[0]);
    s->owner[at] = of->name;
}

/* The strategies of `--strategy NAME` and `--strategy=NAME`, or those of the list. */
static void offer_chosen(struct search *s, const char *strategies, int argc, char *const *argv)
{
    static const char flag[] = "--strategy";
    const size_t n = sizeof flag - 1;
    bool said = false;
    for (int i = 0; i < argc; i++) {
        const bool here = strncmp(argv[i], flag, n) == 0;
        const char *name = here && argv[i][n] == '='             ? argv[i] + n + 1
                           : here && !argv[i][n] && i + 1 < argc ? argv[i + 1]
                                                                 : NULL;
        if (name)
            offer(s, name, NULL);
        said |= name != NULL;
    }
    size_t len;
    const char *w;
    for (uint32_t i = 0; !said && (w = sct_list_at(strategies, i, &len)); i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%.*s", len < 255 ? (int)len : 255, w);
        offer(s, name, NULL);
    }
}

sct_status sct_flag_unknown(const struct sct_opts *o, const char *strategies, int argc,
                            char *const *argv, int i, sct_error *err)
{
    struct search s = {.n_owner = 0};
    const char *flag = argv[i], *equal = strchr(flag, '=');
    const int shown = (int)strcspn(flag, "=");
    const bool follows = !equal && i + 1 < argc && argv[i + 1][0] != '-';
    key_of(flag, s.key, sizeof s.key);
    offer_chosen(&s, strategies, argc, argv);
    if (!s.n_owner)
        sct_plug_list("strategies", offer, &s);
    if (!s.n_owner)
        return sct_opts_unknown(o, flag, "command line", err);
    char all[256] = "";
    for (uint32_t k = 0, n = 0; k < s.n_owner && n < sizeof all; k++)
        n += (uint32_t)snprintf(all + n, sizeof all - n, "%s%.40s", k ? ", " : "", s.owner[k]);
    return sct_fail(err, SCT_EUSAGE,
                    "command line: unknown option '%.*s': it is one of strategy %s; say --set "
                    "%s=%.80s",
                    shown < 80 ? shown : 80, flag, all, s.key,
                    equal     ? equal + 1
                    : follows ? argv[i + 1]
                              : "VALUE");
}
