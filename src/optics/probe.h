/* SPDX-License-Identifier: Apache-2.0 */
/* A chip as one meets it at a bench: its heaters are told phases, light goes in, the homodyne
 * receivers tell the fields that come out. What fabrication did is inside and not to be seen; the
 * heat of neighbours, which the layout tells, is taken to be compensated. */
#ifndef OI_OPTICS_PROBE_H
#define OI_OPTICS_PROBE_H

#include "optics/circuit.h"
#include "optics/compile.h"

typedef struct oi_probe oi_probe;

/* The chip of `circuit` (borrowed) with `faults` [element_count + rows] (borrowed), its heaters at
 * the circuit's own phases. Drift comes later and is not in it. */
optinc_status oi_probe_create(const optinc_circuit *circuit, const oi_element_fault *faults,
                              oi_probe **probe);
void oi_probe_destroy(oi_probe **probe);

/* Which of an MZI's shifters. */
enum { OI_SHIFTER_IN = 0, OI_SHIFTER_ARM_A = 1, OI_SHIFTER_ARM_B = 2 };

double oi_probe_phase(const oi_probe *probe, size_t element, int shifter);
void oi_probe_set(oi_probe *probe, size_t element, int shifter, double phase_rad);
double oi_probe_output_phase(const oi_probe *probe, uint32_t row);
void oi_probe_set_output(oi_probe *probe, uint32_t row, double phase_rad);

/* Turns the light on `mode` behind element `after` by turn_rad: shifters stand before couplers,
 * and equal phases pass an MZI, so the next shifters on the way do it, exactly and whatever the
 * couplers are. False, with nothing changed, where a fixed splitter is in the way. */
bool oi_probe_turn(oi_probe *probe, size_t after, uint32_t mode, double turn_rad);

/* output [rows] = S input [cols] */
void oi_probe_send(const oi_probe *probe, const oi_complex *input, oi_complex *output);
/* response [cols]: sum over the rows of weight[r] S[r, j]: every input lit in turn, the outputs
 * weighted and added. */
void oi_probe_collect(const oi_probe *probe, const oi_complex *weight, oi_complex *response);

/* What a receiver's shifter and the dummies before it do to the light of its mode. */
oi_complex oi_probe_output_turn(const oi_probe *probe, uint32_t row);
/* The 2x2 matrix of an element as it is now; only for a chip without faults, whose elements are
 * known. */
const oi_matrix2 *oi_probe_element(const oi_probe *probe, size_t element);

/* Sets the shifters in and arm_a of the elements that `inside` [element_count] names, and the
 * receivers' phases, so that the chip does what `ideal` does, as nearly as they can. */
optinc_status oi_configure_inside(const optinc_circuit *circuit, oi_probe *chip,
                                  const oi_probe *ideal, const bool *inside);

#endif
