/* SPDX-License-Identifier: MIT
 * main.c - sctrun-kcheck: proves every row of a backend against the reference kernels.
 * Cases come from ops.def, rows from the backend; what is neither checked nor skipped fails. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "tests/kcheck/kcheck.h"

enum { MAX_CASES = 160, MAX_ROWS = 32, SHOWN = 4, EXIT_SKIP = 77 };

struct options {
    const char *backend, *device, *op, *row, *one_case;
    bool small, bench, list, verbose, quick;
    uint64_t seed;
    struct koption opt[KOPT_MAX];
    uint32_t n_opt;
};

struct row {
    const char *name;
    uint32_t passed, refused, failed;
    double worst;
    char why[192];
};

struct totals {
    uint32_t passed, failed, skipped;
};

/* The sink's first member, so that the callback finds its list. */
struct list {
    struct case_sink sink;
    struct sct_case *item;
    uint32_t n;
};

static void collect(struct case_sink *s, const struct sct_case *c)
{
    struct list *l = (struct list *)(void *)s;
    if (l->n < MAX_CASES)
        l->item[l->n++] = *c;
}

/* --quick: small integers take the same path through memory as real numbers do. */
static bool selected(const struct options *o, const struct sct_case *c)
{
    if ((o->one_case && !strstr(c->name, o->one_case)) || (o->quick && c->variant == CASE_INT))
        return false;
    if (o->bench)
        return (c->flags & CASE_BIG) && c->variant == CASE_REAL;
    return !o->small || (c->flags & CASE_SMALL);
}

static uint32_t rows_of(const struct kdevice *dev, uint32_t op, const char *only,
                        struct row *row)
{
    const char *name[MAX_ROWS] = {NULL};
    uint32_t n = dev->api->rows(dev->dev, op, name, MAX_ROWS), kept = 0;
    for (uint32_t i = 0; i < n && i < MAX_ROWS; i++)
        if (!only || strcmp(only, name[i]) == 0)
            row[kept++] = (struct row){.name = name[i]};
    return kept;
}

static void check_row(struct kcheck *k, const struct sct_case *c, const struct kref *r,
                      struct row *row, const struct options *o)
{
    sct_error err = SCT_ERROR_INIT;
    k->worst = row->worst;
    k->why[0] = 0;
    const enum kresult res = kcheck_case(k, c, r, row->name, &err);
    row->worst = k->worst;
    row->passed += res == K_OK;
    row->refused += res == K_UNSUP;
    row->failed += res == K_FAIL;
    if (res == K_UNSUP && !row->why[0])
        (void)snprintf(row->why, sizeof row->why, "%s", k->why);
    if (res == K_FAIL && (row->failed <= SHOWN || o->verbose))
        printf("    %s %s: %s: %s\n", case_op(c->op)->name, row->name, c->name, err.msg);
}

/* A row that took no case is a failure, unless the backend says that the row needs what this
 * device lacks, or the row makes packs and was checked through the rows that wanted them. */
static void report(const struct kdevice *dev, uint32_t op, const struct row *row,
                   const struct options *o, struct totals *t)
{
    const bool none = row->passed + row->failed == 0, pack = op == SCT_OP_PACK;
    const char *verdict = "ok", *why = none ? row->why : "";
    if (row->failed || (none && !pack && !o->one_case && !strstr(row->why, "needs"))) {
        verdict = row->failed ? "FAIL" : "FAIL: took no case: ";
        t->failed++;
    } else if (none && !(pack && kdevice_has_pack(dev, row->name))) {
        verdict = "skipped: ";
        t->skipped++;
    } else {
        verdict = none ? "ok: packed for other rows" : "ok";
        why = "";
        t->passed++;
    }
    printf("%-18s %-34s %3u cases %3u refused  %6.3f  %s%s\n", case_op(op)->name, row->name,
           row->passed + row->failed, row->refused, row->worst, verdict, why);
    (void)fflush(stdout);
}

static void check_op(struct kcheck *k, uint32_t op, const struct options *o,
                     const struct kpeak *peak, struct totals *t)
{
    struct row row[MAX_ROWS];
    struct list l = {.sink = {collect, 0}};
    const uint32_t n_row = rows_of(k->dev, op, o->row, row);
    const struct case_op *info = case_op(op);
    if (n_row == 0)
        return;
    l.item = malloc(MAX_CASES * sizeof *l.item);
    if (!l.item)
        return;
    info->cases(&l.sink);
    for (uint32_t i = 0; i < l.n; i++) {
        const struct sct_case *c = &l.item[i];
        struct kref r;
        sct_error err = SCT_ERROR_INIT;
        if (!selected(o, c))
            continue;
        if (kref_make(&r, c, o->seed, &err) != SCT_OK) {
            printf("    %s: bad case %s: %s\n", info->name, c->name, err.msg);
            t->failed++;
            continue;
        }
        for (uint32_t j = 0; j < n_row; j++) {
            if (!o->bench)
                check_row(k, c, &r, &row[j], o);
            else if (kbench_case(k->dev, c, &r, row[j].name, peak, &err) == K_FAIL)
                printf("    %s %s: %s: %s\n", info->name, row[j].name, c->name, err.msg);
        }
        kref_free(&r);
    }
    free(l.item);
    for (uint32_t j = 0; !o->bench && j < n_row; j++)
        report(k->dev, op, &row[j], o, t);
}

/* The coverage matrix: every op, its cases, the backend's rows best first. */
static void list_op(const struct kdevice *dev, uint32_t op)
{
    struct row row[MAX_ROWS];
    struct list l = {.sink = {collect, 0}};
    const struct case_op *info = case_op(op);
    const uint32_t n = rows_of(dev, op, NULL, row);
    l.item = malloc(MAX_CASES * sizeof *l.item);
    if (!l.item)
        return;
    info->cases(&l.sink);
    free(l.item);
    printf("%-18s %3u cases  ", info->name, l.n);
    for (uint32_t i = 0; i < n; i++)
        printf("%s%s", i ? ", " : "", row[i].name);
    printf("%s\n", n                             ? ""
                   : info->flags & SCT_OPF_VIEW  ? "(a view: no kernel)"
                   : info->flags & SCT_OPF_FUSED ? "(not fused)"
                                                 : "MISSING");
}

static const struct option long_options[] = {
    {"backend", required_argument, NULL, 'b'}, {"device", required_argument, NULL, 'd'},
    {"op", required_argument, NULL, 'o'},      {"row", required_argument, NULL, 'r'},
    {"case", required_argument, NULL, 'c'},    {"seed", required_argument, NULL, 's'},
    {"set", required_argument, NULL, 'S'},     {"small", no_argument, NULL, 'm'},
    {"bench", no_argument, NULL, 'B'},         {"list", no_argument, NULL, 'l'},
    {"verbose", no_argument, NULL, 'v'},       {"quick", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};

static int usage(FILE *f, int code)
{
    fputs(
        "usage: sctrun-kcheck [options]\n"
        "Checks every kernel of a backend against the reference kernels.\n"
        "  --backend NAME|PATH  ref, a backend's name, or its shared object (default ref)\n"
        "  --device ID          number (\"0:0\") or part of the name (default: first usable)\n"
        "  --op NAME            this op only\n"
        "  --row NAME           this row only\n"
        "  --case TEXT          cases whose name holds TEXT\n"
        "  --small              the small cases only (for slow checkers)\n"
        "  --quick              each shape once: nothing repeated, threaded or streamed\n"
        "  --seed N             other numbers (default 1)\n"
        "  --set KEY=VALUE      an option of the backend (threads, isa, gemm, assume, cache-dir)\n"
        "  --bench              time the kernels on the shapes of real models\n"
        "  --list               the ops and the backend's rows\n"
        "  --verbose            the backend's log, every failing case\n"
        "exit status: 0 all right, 1 a check failed, 2 usage, 8 no such backend, 77 no device\n",
        f);
    return code;
}

static bool set_option(struct options *o, char *arg)
{
    char *eq = strchr(arg, '=');
    if (!eq || o->n_opt == KOPT_MAX)
        return false;
    *eq = 0;
    o->opt[o->n_opt++] = (struct koption){arg, eq + 1};
    return true;
}

static int parse(struct options *o, int argc, char **argv)
{
    int c;
    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'b':
            o->backend = optarg;
            break;
        case 'd':
            o->device = optarg;
            break;
        case 'o':
            o->op = optarg;
            break;
        case 'r':
            o->row = optarg;
            break;
        case 'c':
            o->one_case = optarg;
            break;
        case 's':
            o->seed = strtoull(optarg, NULL, 0);
            break;
        case 'm':
            o->small = true;
            break;
        case 'B':
            o->bench = true;
            break;
        case 'l':
            o->list = true;
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'q':
            o->quick = true;
            break;
        case 'h':
            return usage(stdout, 0);
        case 'S':
            if (set_option(o, optarg))
                break;
            return usage(stderr, 2);
        default:
            return usage(stderr, 2);
        }
    }
    if (optind < argc)
        return usage(stderr, 2);
    if (o->op && sct_op_find(o->op) == SCT_OP_NONE) {
        fprintf(stderr, "sctrun-kcheck: there is no op \"%s\"\n", o->op);
        return 2;
    }
    return -1;
}

static sct_status open_device(struct kdevice *k, const struct sct_backend *api,
                              const struct options *o, const char *threads, sct_error *err)
{
    if (threads) /* first, so that it wins */
        k->opt[k->n_opt++] = (struct koption){"threads", threads};
    for (uint32_t i = 0; i < o->n_opt && k->n_opt < KOPT_MAX; i++)
        k->opt[k->n_opt++] = o->opt[i];
    k->verbose = o->verbose;
    return kdevice_open(k, api, o->device, err);
}

static struct totals run(struct kcheck *k, const struct options *o)
{
    struct totals t = {0};
    struct kpeak peak = {0};
    if (o->bench) {
        peak = kbench_peak(k->dev);
        printf("peak of this machine: %.1f GFLOP/s (f32 FMA), %.1f GB/s (copy)\n",
               1e-9 * peak.flops, 1e-9 * peak.bytes);
    }
    /* PACK comes last: its rows are checked by those that ask for packs */
    for (uint32_t i = 1; i <= SCT_OP_COUNT; i++) {
        const uint32_t op = i == SCT_OP_COUNT ? SCT_OP_PACK : i;
        if ((op == SCT_OP_PACK && i < SCT_OP_COUNT) ||
            (o->op && strcmp(o->op, case_op(op)->name) != 0))
            continue;
        if (o->list)
            list_op(k->dev, op);
        else if (!(case_op(op)->flags & SCT_OPF_VIEW))
            check_op(k, op, o, &peak, &t);
    }
    return t;
}

int main(int argc, char **argv)
{
    static struct kdevice dev[4];
    static const char *const threads[4] = {NULL, "1", "2", "3"};
    struct options o = {.backend = "ref", .seed = 1};
    const struct sct_backend *api;
    sct_error err = SCT_ERROR_INIT;
    const int code = parse(&o, argc, argv);
    if (code >= 0)
        return code;
    struct kcheck k = {.dev = &dev[0], .repeat = !o.quick};
    sct_status rc = kbackend_load(o.backend, &api, &err);
    if (rc == SCT_OK)
        rc = open_device(&dev[0], api, &o, NULL, &err);
    for (int i = 1; rc == SCT_OK && i < 4 && kdevice_bitwise(&dev[0]) && !o.quick && !o.bench;
         i++) {
        rc = open_device(&dev[i], api, &o, threads[i], &err);
        k.more[i - 1] = &dev[i];
    }
    if (rc != SCT_OK) {
        fprintf(stderr, "sctrun-kcheck: %s\n", err.msg);
        return rc == SCT_EDEVICE ? EXIT_SKIP : sct_status_exit(rc);
    }
    printf("backend %s, device %s: %s; %s; seed %llu\n", api->name, dev[0].info.id,
           dev[0].info.name, dev[0].info.status, (unsigned long long)o.seed);
    const struct totals t = run(&k, &o);
    for (int i = 0; i < 4; i++)
        kdevice_close(&dev[i]);
    if (!o.list && !o.bench)
        printf("%u passed, %u failed, %u skipped\n", t.passed, t.failed, t.skipped);
    return t.failed ? 1 : 0;
}
