/* SPDX-License-Identifier: MIT
 * sheet.h - text with tables, as Markdown (GitHub's) or as the body of an HTML page: what is
 * said is said once. Whatever comes from outside is escaped. */
#ifndef SCT_ABLATE_SHEET_H
#define SCT_ABLATE_SHEET_H

#include <stdbool.h>

#include "core/base/str.h"

/* Zero-initialised but for html is empty; s.failed remembers that memory was short. */
struct sct_sheet {
    struct sct_str s, rule; /* rule: of Markdown, under the head at hand */
    bool html, in_head;
};

void sct_sheet_heading(struct sct_sheet *h, int level, const char *text);
SCT_PRINTF(2, 3)
void sct_sheet_paragraph(struct sct_sheet *h, const char *fmt, ...);
/* A table: its head, rows, end. A row is _row, cells, _row_end. */
void sct_sheet_table(struct sct_sheet *h);
void sct_sheet_table_end(struct sct_sheet *h);
void sct_sheet_row(struct sct_sheet *h, bool head);
void sct_sheet_row_end(struct sct_sheet *h);
void sct_sheet_cell(struct sct_sheet *h, const char *text); /* words */
SCT_PRINTF(2, 3)
void sct_sheet_number(struct sct_sheet *h, const char *fmt, ...); /* to the right */

#endif
