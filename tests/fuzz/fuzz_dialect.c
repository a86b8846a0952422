/* SPDX-License-Identifier: MIT
 * fuzz_dialect.c - any list of names and shapes as the tensors of a checkpoint: a line is a
 * name, a blank, sizes with commas. What is mapped must be consistent with what was given. */
#include "tests/fuzz/fuzz.h"

#include "core/model/guess.h"

#include <string.h>

enum { MAX_TENSORS = 512, MAX_DIMS = 6 };

struct list {
    struct sct_named t[MAX_TENSORS];
    uint64_t dim[MAX_TENSORS][MAX_DIMS];
    uint32_t n;
};

static void add_line(struct list *l, char *line)
{
    char *sizes = strchr(line, ' ');
    uint32_t nd = 0;
    if (l->n == MAX_TENSORS || !*line || sizes == line)
        return;
    if (sizes)
        *sizes++ = 0;
    while (sizes && *sizes && nd < MAX_DIMS) {
        char *end;
        l->dim[l->n][nd++] = strtoull(sizes, &end, 10);
        sizes = *end == ',' ? end + 1 : NULL;
    }
    l->t[l->n] = (struct sct_named){line, l->dim[l->n], nd};
    l->n++;
}

static void check_map(const struct sct_dialect_map *m, const struct list *l)
{
    fuzz_require(m->n_use == l->n && m->n_problem <= SCT_DIALECT_PROBLEMS);
    fuzz_require(m->dialect || m->n_problem == 1);
    for (uint32_t i = 0; i < m->n_canon; i++) {
        const struct sct_canon *c = &m->canon[i];
        fuzz_require(i == 0 || strcmp(m->canon[i - 1].name, c->name) < 0);
        fuzz_require(sct_dialect_canon(m, c->name) == c);
        fuzz_require(c->bad ? m->n_problem > 0 : c->row != NULL);
        for (uint32_t k = 0; !c->bad && k < c->n_part; k++) {
            const struct sct_named *t = &l->t[c->part[k].source];
            fuzz_require(c->part[k].source < l->n);
            fuzz_require(!c->layout.slice || c->part[k].slice < t->dim[0]);
        }
        for (uint32_t k = 0; !c->bad && k < c->desc.nd; k++)
            fuzz_require(c->desc.dim[k] > 0);
    }
    for (uint32_t i = 0; m->dialect && i < l->n; i++)
        fuzz_require(m->use[i].canon == UINT32_MAX || m->use[i].canon < m->n_canon);
    fuzz_require((sct_dialect_check(m, "fuzz", NULL) == SCT_OK) == (m->n_problem == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct list *l = calloc(1, sizeof *l);
    char *text = malloc(size + 1), *rest;
    struct sct_dialect_map *m;
    struct sct_guess *g;
    sct_error err = SCT_ERROR_INIT;
    fuzz_require(l && text);
    memcpy(text, data, size);
    text[size] = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        add_line(l, line);
    fuzz_require(sct_dialect_map(&m, l->t, l->n, NULL) == SCT_OK);
    check_map(m, l);
    if (m->dialect) {
        const sct_status rc = sct_guess(&g, m, l->t, &err);
        fuzz_require((rc == SCT_OK) == (g != NULL) && (rc == SCT_OK || rc == SCT_EFILE));
        fuzz_require(!g || !sct_guess_against(g, &g->cfg, false));
        sct_guess_destroy(&g);
    }
    sct_dialect_map_destroy(&m);
    free(text);
    free(l);
    return 0;
}
