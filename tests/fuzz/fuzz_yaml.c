/* SPDX-License-Identifier: MIT
 * fuzz_yaml.c - any bytes as a configuration file, fed into an option table.
 * What is accepted must survive being written to args.yaml and read again. */
#include "tests/fuzz/fuzz.h"

#include "core/io/config.h"

#include <string.h>

struct state {
    uint32_t on, k, where;
    float lr;
    const char *name;
    struct sct_count count;
};

static const struct sct_option rows[] = {
    {"on", "", SCT_OPT_BOOL, offsetof(struct state, on), 1, 0, 0, NULL},
    {"k", "", SCT_OPT_UINT, offsetof(struct state, k), 96, 1, 4096, NULL},
    {"where", "", SCT_OPT_CHOICE, offsetof(struct state, where), 0, 0, 0, "attn|mlp|both"},
    {"lr", "", SCT_OPT_FLOAT, offsetof(struct state, lr), 0.1, 0, 10, NULL},
    {"name", "", SCT_OPT_STRING, offsetof(struct state, name), 0, 0, 0, NULL},
    {"count", "", SCT_OPT_COUNT, offsetof(struct state, count), 1, 0, 0, NULL},
    {.key = NULL},
};

/* Walks the tree without recursion by counting: each node is somebody's child once. */
static void check_node(const struct sct_cfg_node *node)
{
    uint32_t n = 0;
    for (const struct sct_cfg_node *c = node->first; c; c = c->next, n++) {
        fuzz_require((node->kind == SCT_CFG_MAPPING) == (c->key != NULL));
        fuzz_require(!c->key || sct_cfg_get(node, c->key) == c);
        fuzz_require(c->line >= 1 && c->column >= 1);
    }
    fuzz_require(n == node->n);
}

static void check_dump(const struct sct_opts *o, const struct state *s)
{
    struct state t;
    struct sct_opts *q;
    struct sct_cfg *cfg;
    struct sct_str text = {0};
    sct_error err = SCT_ERROR_INIT;
    sct_opts_dump(o, 0, &text);
    fuzz_require(!text.failed);
    fuzz_require(sct_opts_create(&q, rows, &t, sizeof t, "again", &err) == SCT_OK);
    fuzz_require(sct_cfg_parse(&cfg, text.s, text.n, "again", &err) == SCT_OK);
    fuzz_require(sct_cfg_feed(sct_cfg_root(cfg), q, NULL, &err) == SCT_OK);
    fuzz_require(t.on == s->on && t.k == s->k && t.where == s->where);
    fuzz_require(memcmp(&t.lr, &s->lr, sizeof t.lr) == 0);
    fuzz_require(memcmp(&t.count, &s->count, sizeof t.count) == 0);
    fuzz_require(!t.name == !s->name && (!t.name || strcmp(t.name, s->name) == 0));
    sct_cfg_destroy(&cfg);
    sct_opts_destroy(&q);
    sct_str_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_cfg *cfg;
    struct sct_opts *o;
    struct state s;
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_cfg_parse(&cfg, (const char *)data, size, "fuzz", &err);
    fuzz_require((rc == SCT_OK) == (cfg != NULL) && err.code == rc);
    fuzz_require(rc == SCT_OK || rc == SCT_EUSAGE || rc == SCT_ENOMEM);
    if (rc != SCT_OK)
        return 0;
    const struct sct_cfg_node *root = sct_cfg_root(cfg);
    check_node(root);
    for (const struct sct_cfg_node *c = root->first; c; c = c->next)
        check_node(c);
    fuzz_require(sct_opts_create(&o, rows, &s, sizeof s, "fuzz", &err) == SCT_OK);
    (void)sct_cfg_feed(root, o, NULL, &err);
    check_dump(o, &s);
    sct_opts_destroy(&o);
    sct_cfg_destroy(&cfg);
    return 0;
}
