/* SPDX-License-Identifier: MIT
 * cl_blast.c - CLBlast's SGEMM as one more candidate, opened at run time when it is asked for.
 * Only the plain routine is used. The strided-batched one returns wrong numbers with status 0
 * when an operand has an offset or a padded stride, and half precision accumulates in half. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/cl_launch.h"

/* Of clblast_c.h, which need not be installed. */
enum { LAYOUT_ROW = 101, NO = 111, YES = 112 };

typedef int (*sgemm_fn)(int layout, int ta, int tb, size_t m, size_t n, size_t k, float alpha,
                        cl_mem a, size_t a_off, size_t a_ld, cl_mem b, size_t b_off,
                        size_t b_ld, float beta, cl_mem c, size_t c_off, size_t c_ld,
                        cl_command_queue *q, cl_event *event);

struct cl_blast {
    void *lib;
    sgemm_fn sgemm;
};

sct_status cl_blast_open(const struct sct_host *host, struct cl_blast **out, sct_error *err)
{
    *out = NULL;
    if (!cl_opt_is(host, "gemm", "clblast"))
        return SCT_OK;
    struct cl_blast *b = calloc(1, sizeof *b);
    if (!b)
        return sct_fail(err, SCT_ENOMEM, "out of host memory for CLBlast");
    b->lib = dlopen("libclblast.so.1", RTLD_NOW | RTLD_LOCAL);
    void *sym = b->lib ? dlsym(b->lib, "CLBlastSgemm") : NULL;
    if (!sym) {
        const char *why = dlerror();
        const sct_status rc = sct_fail(
            err, SCT_EDEVICE,
            "--gemm clblast: libclblast is not there (%s); install the package libclblast1, or "
            "use --gemm own",
            why ? why : "CLBlastSgemm is missing");
        cl_blast_close(b);
        return rc;
    }
    memcpy(&b->sgemm, &sym, sizeof sym); /* ISO C has no cast from object to function */
    *out = b;
    return SCT_OK;
}

sct_status cl_blast_check(sct_device *dev, sct_error *err)
{
    for (uint32_t i = 0; i < CL_ROWS_CLBLAST; i++)
        if (!cl_selftest_passed(dev, &cl_rows_clblast[i]))
            return sct_fail(err, SCT_EFAIL,
                            "--gemm clblast: kernel %s did not pass its self-test on device %s "
                            "(a warning says why); use --gemm own",
                            cl_rows_clblast[i].name, dev->id_text);
    return SCT_OK;
}

void cl_blast_close(struct cl_blast *b)
{
    if (!b)
        return;
    if (b->lib)
        (void)dlclose(b->lib);
    free(b);
}

cl_int cl_blast_sgemm(const struct cl_blast *b, cl_command_queue q, const struct cl_cmd *c,
                      cl_event *event)
{
    const int rc = b->sgemm(LAYOUT_ROW, NO, c->tb ? YES : NO, c->m, c->n, c->k, 1.0f,
                            c->in[0].mem, (size_t)(c->in[0].off / 4), c->k, c->in[1].mem,
                            (size_t)(c->in[1].off / 4), c->tb ? c->k : c->n, 0.0f, c->out.mem,
                            (size_t)(c->out.off / 4), c->n, &q, event);
    return (cl_int)rc; /* its first codes are OpenCL's own */
}
