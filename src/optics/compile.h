/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_OPTICS_COMPILE_H
#define OI_OPTICS_COMPILE_H

#include "optics/circuit.h"

/* What fabrication and time did to one element (or one receiver's shifter, the first phase). */
typedef struct oi_element_fault {
    double phase_rad[3]; /* added to in, arm_a, arm_b */
    double coupler_rad[2];
    double drift_rad[3];
    double amplitude; /* loss */
    double
        input_loss_db[2]; /* of dummies and crossings before its inputs; of a receiver the first */
} oi_element_fault;

/* The losses of element (or receiver) `index`; normal [3] spreads them: the element's and its two
 * inputs' dummies'. */
void oi_set_losses(const optinc_circuit *circuit, const optinc_device *device,
                   const double normal[3], size_t index, oi_element_fault *fault);

/* Amplitude that is left of what comes to input 0 or 1 of an element: its own loss and that of the
 * dummies and crossings before it; of a receiver, whose amplitude is 1, input 0. */
double oi_left_amplitude(const oi_element_fault *fault, int input);

/* Which phases the chip's heaters are told: [element_count][3], then [rows] of the receivers. */
typedef struct oi_setting {
    double *element_rad;
    double *output_rad;
} oi_setting;

/* 2x2 matrix of an MZI with these phases, without loss. */
oi_matrix2 oi_mzi_matrix(const double phase_rad[3], const double coupler_rad[2]);
oi_matrix2 oi_splitter_matrix(double angle_rad);

/* matrix [rows, cols] = diag(e^(i output)) S with these phases and faults; fields
 * [mode_count, cols] is scratch. */
void oi_propagate(const optinc_circuit *circuit, const oi_setting *setting,
                  const oi_element_fault *faults, double crosstalk, oi_complex *fields,
                  oi_complex *matrix);

/* Moves the phases of a setting in DAC steps by ones and twos, one at a time, as long as that brings
 * the measured rows closer to what they should be. */
optinc_status oi_search_steps(const optinc_circuit *circuit, const oi_element_fault *faults,
                              const optinc_device *device, oi_setting *setting, oi_complex *fields);

/* Changes `setting` from the ideal phases to those that make up for `faults`
 * [element_count + rows] and for the heat of neighbours. */
optinc_status oi_correct_setting(const optinc_circuit *circuit, const oi_element_fault *faults,
                                 double crosstalk, oi_setting *setting);

/* The same by measuring the chip alone, `device` telling its known losses and crosstalk. */
optinc_status oi_configure_setting(const optinc_circuit *circuit, const oi_element_fault *faults,
                                   const optinc_device *device, oi_setting *setting);

/* element_rad [element_count][3]: what the heaters are told so that the phases become wanted_rad,
 * which is that less what fabrication (faults NULL: unknown, nothing) and the neighbours add. */
void oi_tell_heaters(const optinc_circuit *circuit, const oi_element_fault *faults,
                     double crosstalk, double *element_rad, const double *wanted_rad);

/* Heat that the set neighbours of MZI `index` add to its phases. */
void oi_neighbour_heat(const optinc_circuit *circuit, const double *element_rad, double crosstalk,
                       size_t index, double heat_rad[3]);

#endif
