/* SPDX-License-Identifier: MIT
 * profile.c - where the time of a program went, by op and row. */
#include <stdlib.h>
#include <string.h>

#include "core/base/str.h"
#include "core/exec/exec_impl.h"

struct line {
    const char *op, *row;
    double seconds;
    uint64_t calls;
};

static int slowest(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->seconds > y->seconds ? -1 : x->seconds < y->seconds;
}

static void add(struct line *line, uint32_t *n, const struct sct_node *node, double seconds,
                uint64_t calls)
{
    const char *op = sct_op_info(node->d.op)->name;
    uint32_t i = 0;
    while (i < *n && (line[i].op != op || strcmp(line[i].row, node->c.row) != 0))
        i++;
    if (i == *n)
        line[(*n)++] = (struct line){op, node->c.row, 0, 0};
    line[i].seconds += seconds;
    line[i].calls += calls;
}

char *sct_exec_profile(struct sct_exec *x)
{
    const struct sct_backend *be = x->p->be;
    const struct sct_progdesc *d = &x->p->prog;
    uint32_t total = 0, n = 0;
    double sum = 0;
    if (!SCT_HAS(struct sct_backend, be, profile))
        return NULL;
    for (uint32_t s = 0; s < d->n_seg; s++)
        total += d->seg[s].n;
    struct line *line = sct_calloc(total ? total : 1, sizeof *line);
    if (!line)
        return NULL;
    for (uint32_t s = 0; s < d->n_seg; s++) {
        for (uint32_t i = 0; i < d->seg[s].n; i++) {
            double seconds = 0;
            uint64_t calls = 0;
            if (be->profile(x->prog, s, i, &seconds, &calls) != SCT_OK) {
                sct_free(line);
                return NULL;
            }
            add(line, &n, &d->seg[s].node[i], seconds, calls);
            sum += seconds;
        }
    }
    qsort(line, n, sizeof *line, slowest);
    struct sct_str out = {0};
    sct_str_add(&out, "%-18s %-32s %10s %8s %6s\n", "op", "row", "calls", "seconds", "share");
    for (uint32_t i = 0; i < n; i++)
        sct_str_add(&out, "%-18s %-32s %10llu %8.3f %5.1f%%\n", line[i].op, line[i].row,
                    (unsigned long long)line[i].calls, line[i].seconds,
                    sum > 0 ? 100.0 * line[i].seconds / sum : 0.0);
    sct_free(line);
    return sct_str_take(&out);
}
