/* SPDX-License-Identifier: MIT
 * text.h - UTF-8, nearest words, shortest decimals: what the readers and writers of text share.
 * Pure functions, any thread. */
#ifndef SCT_IO_TEXT_H
#define SCT_IO_TEXT_H

#include <sctrun/base.h>

/* Offset of the first byte that is not part of well-formed UTF-8 (RFC 3629: no overlong forms,
 * no surrogates), or n. */
size_t sct_utf8_valid(const char *s, size_t n);
/* Code point at s (well-formed), its length in *len. */
uint32_t sct_utf8_decode(const char *s, size_t *len);

/* Number of single-character edits between two words: insert, delete, change, swap neighbours.
 * Words longer than 63 bytes count as far away (64). */
uint32_t sct_edit_distance(const char *a, const char *b);

/* Finds what a mistyped word was meant to be: init, offer each candidate, then look at best
 * (NULL if none is near). The first of equally near ones wins. Everything is borrowed. */
struct sct_nearest {
    const char *word, *best;
    uint32_t least;
};

void sct_nearest_init(struct sct_nearest *n, const char *word);
void sct_nearest_offer(struct sct_nearest *n, const char *candidate);

/* Shortest decimal of v that reads back as the same float, at most 9 digits ("0.1", "1e-05").
 * buf must hold 32 bytes. Not finite: "nan", "inf", "-inf". */
void sct_format_f32(char *buf, float v);

/* Whole-string readers of one value: 1 and *out, or 0 and *out untouched. Decimal only, no
 * blanks around, no hex, no "nan" or "inf". bool: on|off|true|false|yes|no|1|0, any case. */
int sct_scan_bool(const char *s, uint32_t *out);
int sct_scan_u64(const char *s, uint64_t *out);
int sct_scan_f64(const char *s, double *out);
int sct_scan_f32(const char *s, float *out);

#endif
