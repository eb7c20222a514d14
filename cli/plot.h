/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures by gnuplot: a child process on files in a folder of its own. */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include "cli.h"

/* Size of every picture in its own units; pages scale it. */
#define PLOT_WIDTH 960
#define PLOT_HEIGHT 400

typedef struct plot {
    char *folder;
    FILE *script;   /* terminal, output and the common style are set; add the rest */
    int file_count; /* data files made */
    int height;
} plot;

/* Each of these prints what is wrong and returns false or NULL. */

bool plot_open(plot *p);
/* Another height than PLOT_HEIGHT. */
bool plot_open_sized(plot *p, int height);
/* A new data file "N.dat", N = 0, 1, ... in the order of the calls, which the script names so; to
 * be closed by plot_data_close. */
FILE *plot_data(plot *p);
bool plot_data_close(FILE *data);
/* Runs gnuplot and writes the picture as inline SVG; `id` makes its ids unique on the page, `label`
 * is what a screen reader says. Both are plain texts without special characters. */
bool plot_write(plot *p, FILE *page, const char *id, const char *label);
/* The same as a file of its own, on white. */
bool plot_write_file(plot *p, FILE *out, const char *label);
/* Removes the folder; safe on a zeroed struct and twice. */
void plot_close(plot *p);

#endif
