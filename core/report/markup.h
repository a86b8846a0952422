/* SPDX-License-Identifier: MIT
 * markup.h - text from outside in HTML and SVG. */
#ifndef SCT_REPORT_MARKUP_H
#define SCT_REPORT_MARKUP_H

#include "core/base/str.h"

/* Text for elements and for attributes with quotes, of HTML and of XML 1.0: & < > " ' become
 * entities, control characters are left out, what is no UTF-8 becomes '?'. */
void sct_markup_text(struct sct_str *s, const char *text);

#endif
