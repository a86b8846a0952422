/* SPDX-License-Identifier: MIT
 * sheet.c - Markdown and HTML behind one set of calls. */
#include "core/ablate/sheet.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/mem.h"
#include "core/report/markup.h"

/* No bar ends a column, no name becomes a tag, a link or emphasis. */
static void markdown_text(struct sct_str *s, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '|' || *p == '\\' || *p == '[' || *p == '*' || *p == '`')
            sct_str_add(s, "\\%c", *p);
        else if (*p == '<')
            sct_str_add(s, "&lt;");
        else
            sct_str_add(s, "%c", *p == '\n' || *p == '\r' ? ' ' : *p);
    }
}

static void put(struct sct_sheet *h, const char *text)
{
    if (h->html)
        sct_markup_text(&h->s, text);
    else
        markdown_text(&h->s, text);
}

static void put_format(struct sct_sheet *h, const char *fmt, va_list ap)
{
    char line[2400];
    (void)vsnprintf(line, sizeof line, fmt, ap);
    put(h, line);
}

void sct_sheet_heading(struct sct_sheet *h, int level, const char *text)
{
    sct_str_add(&h->s, h->html ? "<h%d>" : "%.*s ", level, "######");
    put(h, text);
    if (h->html)
        sct_str_add(&h->s, "</h%d>\n", level);
    else
        sct_str_add(&h->s, "\n\n");
}

void sct_sheet_paragraph(struct sct_sheet *h, const char *fmt, ...)
{
    va_list ap;
    if (h->html)
        sct_str_add(&h->s, "<p>");
    va_start(ap, fmt);
    put_format(h, fmt, ap);
    va_end(ap);
    sct_str_add(&h->s, h->html ? "</p>\n" : "\n\n");
}

void sct_sheet_table(struct sct_sheet *h)
{
    if (h->html)
        sct_str_add(&h->s, "<div class=\"wide\"><table>\n");
}

void sct_sheet_table_end(struct sct_sheet *h)
{
    sct_str_add(&h->s, h->html ? "</table></div>\n" : "\n");
}

void sct_sheet_row(struct sct_sheet *h, bool head)
{
    h->in_head = head;
    sct_str_add(&h->s, h->html ? "<tr>" : "|");
}

void sct_sheet_row_end(struct sct_sheet *h)
{
    sct_str_add(&h->s, h->html ? "</tr>\n" : "\n");
    if (!h->html && h->in_head) {
        char *rule = sct_str_take(&h->rule);
        sct_str_add(&h->s, "|%s\n", rule ? rule : "");
        h->s.failed |= !rule;
        sct_free(rule);
    }
}

static void begin_cell(struct sct_sheet *h, bool number)
{
    if (h->html)
        sct_str_add(&h->s, "<t%c%s>", h->in_head ? 'h' : 'd', number ? " class=\"n\"" : "");
    else
        sct_str_add(&h->s, " ");
    if (!h->html && h->in_head)
        sct_str_add(&h->rule, number ? "---:|" : "---|");
}

static void end_cell(struct sct_sheet *h)
{
    if (h->html)
        sct_str_add(&h->s, "</t%c>", h->in_head ? 'h' : 'd');
    else
        sct_str_add(&h->s, " |");
}

void sct_sheet_cell(struct sct_sheet *h, const char *text)
{
    begin_cell(h, false);
    put(h, text);
    end_cell(h);
}

void sct_sheet_number(struct sct_sheet *h, const char *fmt, ...)
{
    va_list ap;
    begin_cell(h, true);
    va_start(ap, fmt);
    put_format(h, fmt, ap);
    va_end(ap);
    end_cell(h);
}
