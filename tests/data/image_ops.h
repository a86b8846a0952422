/* SPDX-License-Identifier: MIT
 * image_ops.h - image operations by name, for tests that read their cases from files. */
#ifndef SCT_TEST_IMAGE_OPS_H
#define SCT_TEST_IMAGE_OPS_H

#include "core/data/image_op.h"

/* a: the operation's number, b: the filter of those that map places; these fill with (124, 116,
 * 104). translate_*: a is a share of the side. SCT_EUSAGE for a name that is not known. */
sct_status test_image_op(struct sct_image *img, const char *name, double a, double b,
                         sct_error *err);

#endif
