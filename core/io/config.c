/* SPDX-License-Identifier: MIT
 * config.c - YAML text to a tree, through libyaml's events.
 * Aliases are refused, so a tree is never larger than its file; the stack is explicit and
 * bounded. */
#include "core/io/config.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/file.h"

#include <string.h>

#include <yaml.h>

struct sct_cfg {
    struct sct_arena arena;
    struct sct_cfg_node *root;
    const char *file;
};

/* A collection that is still open. */
struct level {
    struct sct_cfg_node *node, *last;
    const char *key; /* waits for its value */
    uint32_t key_line, key_column;
};

struct builder {
    struct sct_cfg *cfg;
    struct level stack[SCT_CFG_MAX_DEPTH];
    uint32_t depth, nodes, documents;
    const char *text; /* n bytes */
    size_t n;
    sct_error *err;
};

static uint32_t line_of(const yaml_mark_t *m)
{
    return (uint32_t)m->line + 1;
}

static uint32_t column_of(const yaml_mark_t *m)
{
    return (uint32_t)m->column + 1;
}

static sct_status fail_at(struct builder *b, const yaml_mark_t *m, const char *what,
                          const char *name)
{
    return sct_fail(b->err, SCT_EUSAGE, "%s:%u:%u: %s%s%.60s%s", b->cfg->file, line_of(m),
                    column_of(m), what, name ? " '" : "", name ? name : "", name ? "'" : "");
}

/* The event is the key of the innermost mapping. */
static sct_status take_key(struct builder *b, struct level *top, const yaml_event_t *ev)
{
    const yaml_mark_t *m = &ev->start_mark;
    if (ev->type != YAML_SCALAR_EVENT || ev->data.scalar.length == 0)
        return fail_at(b, m, "expected a key, found a list, a mapping or nothing", NULL);
    const char *key = (const char *)ev->data.scalar.value;
    if (strlen(key) != ev->data.scalar.length)
        return fail_at(b, m, "a key must not contain a zero byte", NULL);
    if (sct_cfg_get(top->node, key))
        return fail_at(b, m, "this key occurs twice:", key);
    if (top->node->n >= SCT_CFG_MAX_KEYS)
        return fail_at(b, m, "too many keys in one mapping at", key);
    top->key = sct_arena_strdup(&b->cfg->arena, key);
    if (!top->key)
        return sct_nomem(b->err);
    top->key_line = line_of(m);
    top->key_column = column_of(m);
    return SCT_OK;
}

/* Hangs a new node into the innermost collection. */
static sct_status add_node(struct builder *b, uint32_t kind, const yaml_mark_t *m,
                           struct sct_cfg_node **out)
{
    if (++b->nodes > SCT_CFG_MAX_NODES)
        return fail_at(b, m, "too many values in one file", NULL);
    struct sct_cfg_node *node = sct_arena_alloc(&b->cfg->arena, sizeof *node);
    if (!node)
        return sct_nomem(b->err);
    node->kind = kind;
    node->line = line_of(m);
    node->column = column_of(m);
    node->file = b->cfg->file;
    struct level *top = b->depth ? &b->stack[b->depth - 1] : NULL;
    if (!top) {
        b->cfg->root = node;
    } else {
        node->key = top->key;
        node->key_line = top->key_line;
        node->key_column = top->key_column;
        top->key = NULL;
        if (top->last)
            top->last->next = node;
        else
            top->node->first = node;
        top->last = node;
        top->node->n++;
    }
    *out = node;
    return SCT_OK;
}

static int is_null(const char *s)
{
    return !*s || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 || strcmp(s, "Null") == 0 ||
           strcmp(s, "NULL") == 0;
}

static sct_status add_scalar(struct builder *b, const yaml_event_t *ev)
{
    struct sct_cfg_node *node = NULL;
    const char *text = (const char *)ev->data.scalar.value;
    if (strlen(text) != ev->data.scalar.length)
        return fail_at(b, &ev->start_mark, "a value must not contain a zero byte", NULL);
    SCT_TRY(add_node(b, SCT_CFG_SCALAR, &ev->start_mark, &node));
    if (ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_null(text))
        return SCT_OK;
    node->text = sct_arena_strdup(&b->cfg->arena, text);
    return node->text ? SCT_OK : sct_nomem(b->err);
}

static sct_status open_collection(struct builder *b, uint32_t kind, const yaml_mark_t *m)
{
    struct sct_cfg_node *node = NULL;
    if (b->depth == SCT_CFG_MAX_DEPTH)
        return fail_at(b, m, "nested too deeply", NULL);
    SCT_TRY(add_node(b, kind, m, &node));
    b->stack[b->depth++] = (struct level){.node = node};
    return SCT_OK;
}

static sct_status refuse_extras(struct builder *b, const yaml_event_t *ev)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (ev->type) {
    case YAML_ALIAS_EVENT:
        return fail_at(b, &ev->start_mark,
                       "aliases are not supported, write the value out: alias",
                       (const char *)ev->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor)
        return fail_at(b, &ev->start_mark, "anchors are not supported, remove the anchor",
                       (const char *)anchor);
    if (tag)
        return fail_at(b, &ev->start_mark, "tags are not supported, remove the tag",
                       (const char *)tag);
    return SCT_OK;
}

static sct_status take_event(struct builder *b, const yaml_event_t *ev)
{
    SCT_TRY(refuse_extras(b, ev));
    struct level *top = b->depth ? &b->stack[b->depth - 1] : NULL;
    const int is_value = ev->type == YAML_SCALAR_EVENT ||
                         ev->type == YAML_SEQUENCE_START_EVENT ||
                         ev->type == YAML_MAPPING_START_EVENT;
    if (is_value && top && top->node->kind == SCT_CFG_MAPPING && !top->key)
        return take_key(b, top, ev);
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->documents++)
            return fail_at(b, &ev->start_mark, "expected one document, found a second one",
                           NULL);
        return SCT_OK;
    case YAML_SCALAR_EVENT:
        return add_scalar(b, ev);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(b, SCT_CFG_SEQUENCE, &ev->start_mark);
    case YAML_MAPPING_START_EVENT:
        return open_collection(b, SCT_CFG_MAPPING, &ev->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return SCT_OK;
    default:
        return SCT_OK;
    }
}

/* Whether there is a tab at the place, which libyaml counts in characters of UTF-8. */
static int tab_at(const struct builder *b, const yaml_mark_t *m)
{
    size_t i = 0;
    for (size_t at = m->index; i < b->n; i++) {
        const int first = ((unsigned char)b->text[i] & 0xc0) != 0x80;
        if (first && at-- == 0)
            break;
    }
    return i < b->n && b->text[i] == '\t';
}

/* libyaml's own words, with the position where it noticed; a tab it does not name. */
static sct_status parser_error(struct builder *b, const yaml_parser_t *p)
{
    if (p->error == YAML_MEMORY_ERROR)
        return sct_nomem(b->err);
    if (p->error == YAML_READER_ERROR)
        return sct_fail(b->err, SCT_EUSAGE, "%s: byte %zu: %s", b->cfg->file, p->problem_offset,
                        p->problem ? p->problem : "cannot be read");
    if (tab_at(b, &p->problem_mark))
        return fail_at(b, &p->problem_mark,
                       "a tab where YAML wants spaces; indent with spaces alone", NULL);
    return sct_fail(b->err, SCT_EUSAGE, "%s:%u:%u: %s%s%s", b->cfg->file,
                    line_of(&p->problem_mark), column_of(&p->problem_mark),
                    p->context ? p->context : "", p->context ? ": " : "",
                    p->problem ? p->problem : "not YAML");
}

static sct_status run(struct builder *b, yaml_parser_t *p)
{
    for (int end = 0; !end;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(p, &ev))
            return parser_error(b, p);
        end = ev.type == YAML_STREAM_END_EVENT;
        const sct_status rc = take_event(b, &ev);
        yaml_event_delete(&ev);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

/* An empty file, and one whose document is empty, is an empty mapping. */
static sct_status check_root(struct builder *b)
{
    struct sct_cfg *cfg = b->cfg;
    if (!cfg->root) {
        const yaml_mark_t start = {0, 0, 0};
        return add_node(b, SCT_CFG_MAPPING, &start, &cfg->root);
    }
    if (cfg->root->kind == SCT_CFG_SCALAR && !cfg->root->text)
        cfg->root->kind = SCT_CFG_MAPPING;
    if (cfg->root->kind != SCT_CFG_MAPPING)
        return sct_cfg_fail(cfg->root, b->err, "expected lines 'key: value', found a %s",
                            cfg->root->kind == SCT_CFG_SCALAR ? "single value" : "list");
    return SCT_OK;
}

sct_status sct_cfg_parse(struct sct_cfg **out, const char *text, size_t n, const char *name,
                         sct_error *err)
{
    *out = NULL;
    if (n > SCT_CFG_MAX_BYTES)
        return sct_fail(err, SCT_EUSAGE, "%s: has %zu bytes, more than the limit of %d", name,
                        n, SCT_CFG_MAX_BYTES);
    struct sct_cfg *cfg = sct_calloc(1, sizeof *cfg);
    if (!cfg)
        return sct_nomem(err);
    struct builder b = {.cfg = cfg, .text = text, .n = n, .err = err};
    yaml_parser_t parser;
    sct_status rc = SCT_OK;
    cfg->file = sct_arena_strdup(&cfg->arena, name);
    if (!cfg->file || !yaml_parser_initialize(&parser)) {
        rc = sct_nomem(err);
    } else {
        yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        rc = run(&b, &parser);
        yaml_parser_delete(&parser);
    }
    if (rc == SCT_OK)
        rc = check_root(&b);
    if (rc != SCT_OK) {
        sct_cfg_destroy(&cfg);
        return rc;
    }
    *out = cfg;
    return SCT_OK;
}

sct_status sct_cfg_load(struct sct_cfg **cfg, const char *path, sct_error *err)
{
    char *text = NULL;
    size_t n = 0;
    *cfg = NULL;
    SCT_TRY(sct_file_read(path, SCT_CFG_MAX_BYTES, SCT_EUSAGE, &text, &n, err));
    const sct_status rc = sct_cfg_parse(cfg, text, n, path, err);
    sct_free(text);
    return rc;
}

void sct_cfg_destroy(struct sct_cfg **cfg)
{
    if (!*cfg)
        return;
    sct_arena_free(&(*cfg)->arena);
    sct_free(*cfg);
    *cfg = NULL;
}

const struct sct_cfg_node *sct_cfg_root(const struct sct_cfg *cfg)
{
    return cfg->root;
}
