/* SPDX-License-Identifier: MIT
 * fuzz_pickle.c - any bytes as a pickle. Every number in the tree that comes out must be one of
 * a node or a cell, and every text lie in the pickle. */
#include "tests/fuzz/fuzz.h"

#include "core/checkpoint/pickle.h"

#include <string.h>

static const uint8_t *begin;
static size_t length;

static void check_text(const char *s, uint32_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    fuzz_require(p >= begin && n <= length && (size_t)(p - begin) <= length - n);
}

static void check_node_number(const struct sct_pickle *p, uint32_t i)
{
    fuzz_require(i == SCT_PICKLE_NIL || i < p->n_node);
}

static void check_obj(const struct sct_pickle *p, const struct sct_pickle_node *x)
{
    const struct sct_pickle_obj *o = &x->u.obj;
    uint32_t n = 0;
    check_node_number(p, o->fn);
    check_node_number(p, o->args);
    check_node_number(p, o->state);
    for (uint32_t c = o->head; c != SCT_PICKLE_NIL; c = p->cell[c].next, n++) {
        fuzz_require(c < p->n_cell && p->cell[c].value < p->n_node);
        check_node_number(p, p->cell[c].key);
        fuzz_require(x->kind != SCT_PICKLE_DICT || p->cell[c].key != SCT_PICKLE_NIL);
    }
    fuzz_require(n == o->n);
}

static void check_node(const struct sct_pickle *p, const struct sct_pickle_node *x)
{
    switch (x->kind) {
    case SCT_PICKLE_LONG:
    case SCT_PICKLE_STR:
    case SCT_PICKLE_BYTES:
        check_text(x->u.text.s, x->u.text.n);
        break;
    case SCT_PICKLE_GLOBAL:
        check_text(x->u.global.module, x->u.global.module_n);
        check_text(x->u.global.name, x->u.global.name_n);
        break;
    case SCT_PICKLE_TUPLE:
    case SCT_PICKLE_LIST:
    case SCT_PICKLE_SET:
    case SCT_PICKLE_DICT:
    case SCT_PICKLE_CALL:
    case SCT_PICKLE_PERSID:
        check_obj(p, x);
        break;
    default:
        fuzz_require(x->kind <= SCT_PICKLE_FLOAT);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_pickle p;
    sct_error err = SCT_ERROR_INIT;
    begin = data;
    length = size;
    const sct_status rc = sct_pickle_parse(&p, data, size, "fuzz", &err);
    fuzz_require(err.code == rc);
    fuzz_require(rc == SCT_OK || (rc == SCT_EFILE && strncmp(err.msg, "fuzz: byte ", 11) == 0));
    fuzz_require(rc != SCT_OK || (p.root < p.n_node && p.used <= size));
    for (uint32_t i = 0; i < p.n_node; i++)
        check_node(&p, &p.node[i]);
    (void)sct_pickle_get(&p, p.n_node ? p.root : SCT_PICKLE_NIL, "key");
    sct_pickle_fini(&p);
    return 0;
}
