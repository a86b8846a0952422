/* SPDX-License-Identifier: MIT
 * scan.h - which images of a source cannot be read, before anything is trained on it.
 * The result is a function of the files alone: threads only change how long it takes. */
#ifndef SCT_DATA_SCAN_H
#define SCT_DATA_SCAN_H

#include "core/base/str.h"
#include "core/data/preprocess.h"
#include "core/data/source.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads, decodes and prepares the items i < n of a source, bad[i] = 1 where that fails with
 * SCT_EDATA (bad is the caller's, n bytes). The messages are appended to *report, one a line,
 * in the order of items. Any other failure (SCT_ENOMEM, SCT_EFAIL when no thread could be
 * started) ends the scan; the first item's counts. threads: 0 and 1 use the caller's alone. */
sct_status sct_scan(const struct sct_source *s, const struct sct_preprocess *pre, uint32_t n,
                    uint32_t threads, uint8_t *bad, struct sct_str *report, sct_error *err);

#ifdef __cplusplus
}
#endif
#endif
