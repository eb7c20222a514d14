/* SPDX-License-Identifier: Apache-2.0 */
/* Drawings of a layer as its circuit: waveguides and every Mach-Zehnder interferometer, in SVG. */
#ifndef CLI_CIRCUIT_H
#define CLI_CIRCUIT_H

#include <stdbool.h>

#include "cli.h"
#include "optinc/synthesis.h"

typedef struct circuit_layer {
    const optinc_layer *layer;
    optinc_layer_cost cost;
    bool diagonal_min;
    bool every_mzi;           /* false: outlines with counts */
    const char *const *names; /* of the waveguides that enter, [cost.cols]; NULL: none */
} circuit_layer;

/* The glyphs that the drawings of a page share: once, before the first of them. */
void circuit_define(FILE *page);

/* One <svg>. Layers of a mapping that has no drawing, or none that comes out at the counted number
 * of MZIs, are outlined. Returns the MZIs drawn one by one; 0 for an outline. */
uint64_t circuit_draw(FILE *page, const circuit_layer *layer);

#endif
