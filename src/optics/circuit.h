/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_OPTICS_CIRCUIT_H
#define OI_OPTICS_CIRCUIT_H

#include "optics/cell.h"

/* Dummies on a mode before an element or a receiver. */
typedef struct oi_dummies {
    uint32_t mzis; /* that each has the loss of */
    uint32_t splitters;
} oi_dummies;

struct optinc_circuit {
    uint32_t rows;
    uint32_t cols;
    uint32_t mode_count;
    uint32_t depth;
    size_t element_count;
    size_t element_capacity;
    optinc_element *elements;
    uint32_t *above; /* [element_count] the next element of the same column, or UINT32_MAX */
    uint32_t *below;
    uint32_t *input_mode;  /* [cols] */
    uint32_t *output_mode; /* [rows] */
    double *output_rad;    /* [rows] */
    double *gain;          /* [rows] */
    oi_dummies *dummies;   /* [element_count][2], then [rows]; NULL: none anywhere */
    uint32_t *crossings;   /* likewise, of the waveguides to them; NULL: without loss */
    uint32_t *padding;     /* [element_count][2]: those of them whose other waveguide is idle and
                              which are there to make ways equal; NULL: none */
};

/* In dB, without a spread. */
double oi_dummies_loss_db(const oi_dummies *dummies, const optinc_device *device);

/* Dummies wherever light of two ways meets, and at the outputs, so that all ways have as many
 * elements of each kind. After oi_circuit_finish. */
optinc_status oi_circuit_balance(optinc_circuit *circuit);

/* Inputs on modes 0 .. cols-1, outputs on modes 0 .. rows-1, gain 1, no elements. */
optinc_status oi_circuit_allocate(uint32_t rows, uint32_t cols, uint32_t mode_count,
                                  optinc_circuit **circuit);

optinc_status oi_circuit_add(optinc_circuit *circuit, const optinc_element *element);

/* Cells of a mesh (PHYSICAL or SYMMETRIC, no input phases) on the modes from `mode_first`; the
 * mesh's output phases are left to the caller. */
optinc_status oi_circuit_add_mesh(optinc_circuit *circuit, const optinc_mesh *mesh,
                                  uint32_t mode_first);

/* Attenuator on a mode and a dark one: amplitude factor 0 .. 1, times e^(i phase). */
optinc_status oi_circuit_add_attenuator(optinc_circuit *circuit, uint32_t mode, uint32_t dark_mode,
                                        double factor, double phase_rad);

/* Columns and neighbours, when all elements are there. */
optinc_status oi_circuit_finish(optinc_circuit *circuit);

/* The mappings; rows of `matrix` have norm 1 or are zero. They set gain to what restores it. */
optinc_status oi_map_svd(optinc_circuit *circuit, const oi_complex *matrix,
                         const optinc_circuit_options *options, const optinc_log *log);
optinc_status oi_map_segmented(uint32_t rows, uint32_t cols, const double *matrix,
                               const optinc_circuit_options *options, const optinc_log *log,
                               optinc_circuit **circuit);
/* Makes up for a segmented circuit's crossings, which are set and are added to, each losing
 * crossing_loss_db. After oi_circuit_finish. */
optinc_status oi_equalise_segments(optinc_circuit *circuit, uint32_t side, double crossing_loss_db);
/* `crossings` NULL, or as of the circuit that comes out: its elements do not depend on losses. */
optinc_status oi_map_direct(optinc_circuit *circuit, const double *matrix,
                            const optinc_circuit_options *options, const uint32_t *crossings,
                            size_t element_count);

#endif
