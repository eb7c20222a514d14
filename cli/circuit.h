/* SPDX-License-Identifier: Apache-2.0 */
/* Drawings of a layer as its circuit: waveguides and every Mach-Zehnder interferometer with its
 * phases as colours, in SVG. */
#ifndef CLI_CIRCUIT_H
#define CLI_CIRCUIT_H

#include <stdbool.h>

#include "cli.h"
#include "optinc/optics.h"
#include "optinc/synthesis.h"

typedef struct circuit_layer {
    const optinc_layer *layer;
    optinc_layer_cost cost;
    const optinc_circuit *circuit; /* as it is built; NULL: an outline with counts */
    const char *const *names;      /* of the circuit's inputs; NULL: none */
} circuit_layer;

/* The glyphs that the drawings of a page share: once, before the first of them. */
void circuit_define(FILE *page);
/* Which colour is which phase. */
void circuit_legend(FILE *page);

/* One <svg>; adds the MZIs that are drawn one by one to *mzis. False, with a message, without
 * memory. */
bool circuit_draw(FILE *page, const circuit_layer *layer, uint64_t *mzis);

#endif
