/* SPDX-License-Identifier: MIT
 * bad_backend.c - backends whose table is wrong; compiled once per TABLE. */
#include <sctrun/backend.h>

#define WRONG_ABI  1
#define SHORT_SIZE 2
#define NULL_TABLE 3

#ifndef TABLE
#error compile with -DTABLE=...
#endif

const struct sct_backend *sct_backend_entry_v1(void)
{
    static const struct sct_backend b = {
        .abi = TABLE == WRONG_ABI ? SCT_BACKEND_ABI + 1 : SCT_BACKEND_ABI,
        .size = TABLE == SHORT_SIZE ? offsetof(struct sct_backend, drop) : sizeof b,
        .name = "bad_backend",
        .summary = "a test",
    };
    return TABLE == NULL_TABLE ? NULL : &b;
}
