/* SPDX-License-Identifier: Apache-2.0 */
/* Writing HTML: escaped texts and numbers as people read them. Whether the writing worked is found
 * when the file is committed. */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include <stdint.h>
#include <stdio.h>

/* Text that came from a file or the command line: & < > " ' and control characters are made
 * harmless; malformed UTF-8 becomes the replacement character. */
void html_text(FILE *page, const char *text);

/* 12,345 */
void html_count(FILE *page, uint64_t count);
/* 12.3 MB, in powers of 1000; a dash for NaN */
void html_bytes(FILE *page, double bytes);
/* %.*g with a proper minus sign; a dash for NaN */
void html_number(FILE *page, double value, int digits);
/* %.*f with commas, likewise */
void html_fixed(FILE *page, double value, int decimals);
/* The same with a sign always shown and `decimals` behind the point. */
void html_signed(FILE *page, double value, int decimals);

#endif
