/* SPDX-License-Identifier: Apache-2.0 */
/* Circuits as a chip: a floor plan for layout tools (docs/optics.md). */
#ifndef OPTINC_LAYOUT_H
#define OPTINC_LAYOUT_H

#include "optinc/optics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a floor plan comes to: of one circuit, or of all. */
typedef struct optinc_layout_info {
    size_t mzi_count;
    size_t splitter_count;
    uint64_t crossing_count;     /* of waveguides */
    uint32_t path_crossings_max; /* most of them on a way from an input to an output */
    double mzi_area_mm2;         /* count times the device's footprint, as budgets have it */
    double circuit_area_mm2;     /* boxes around MZIs, splitters and waveguides */
    double length_mm; /* with modulators and receivers; of all: links and units as well */
    double width_mm;
} optinc_layout_info;

typedef struct optinc_layout_options {
    const char *name;            /* of the top cell: 1 .. 32 of A-Z, a-z, 0-9 and _ */
    const optinc_device *device; /* NULL: optinc_device_ideal() */
    const optinc_spec
        *spec;            /* has the boxes of the preprocessing and splitting units; NULL: none */
    uint32_t layer_first; /* number of the first circuit in names; 0: 1 */
} optinc_layout_options;

/* A hierarchical GDSII file: a cell per layer with its modulators, receivers and circuit, a cell per
 * mesh and tree, an MZI per element with its phases as property and label, and waveguides that cross
 * in cells of their own; docs/optics.md has layers, cells and assumptions. circuits [count] in the
 * order of light, 1 .. OPTINC_LAYERS_MAX. layers [count] and total may be NULL. Circuits with dummies
 * and MZIs of less than 140 x 80 um are OPTINC_ERR_UNSUPPORTED, plans beyond 2 m OPTINC_ERR_OVERFLOW.
 * Equal input gives equal bytes; a new file is renamed over `path`. */
OPTINC_API optinc_status optinc_layout_export(const optinc_circuit *const *circuits, uint32_t count,
                                              const optinc_layout_options *options,
                                              const char *path, const optinc_log *log,
                                              optinc_layout_info *layers,
                                              optinc_layout_info *total) OPTINC_WARN_UNUSED;

typedef struct optinc_crossings {
    uint64_t count;    /* of two waveguides each, padding of optinc_circuit_options included */
    uint32_t path_max; /* most of them on a way from an input to an output */
} optinc_crossings;

/* The crossings that a circuit's floor plan has, counted without drawing it: at every channel, of two
 * waveguides whose order changes. outputs [rows] is the most on a way from any input to each output,
 * or NULL. Of the device (NULL: optinc_device_ideal()) the sizes of MZI and modulator are read, which
 * move waveguides; padding is what the circuit was made with. Dummies are waveguides here and cross
 * nothing more, and MZIs smaller than a plan can draw count as large as that; so what
 * optinc_layout_export refuses is counted too. */
OPTINC_API optinc_status optinc_layout_crossings(const optinc_circuit *circuit,
                                                 const optinc_device *device,
                                                 optinc_crossings *total,
                                                 uint32_t *outputs) OPTINC_WARN_UNUSED;

#ifdef __cplusplus
}
#endif
#endif
