/* SPDX-License-Identifier: Apache-2.0 */
/* Eye diagrams as SVG: a panel a digit, traces as shades, thresholds as dashes. */
#ifndef CLI_EYE_H
#define CLI_EYE_H

#include <stdio.h>

#include "cli.h"
#include "optinc/optics.h"

/* One <svg>; `page`: for HTML with a class in place of a size. */
void eye_draw(FILE *stream, const optinc_eye *eye, bool page);
/* A line a digit: height, width, errors. */
void eye_print(const optinc_eye *eye);
/* [{digit, height, width, noise, symbol_errors, error_rate}] */
json_t *eye_json(const optinc_eye *eye);

/* Of the three eyes the least. */
double eye_height(const optinc_eye_digit *digit);
double eye_width(const optinc_eye_digit *digit);

#endif
