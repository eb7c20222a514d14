/* SPDX-License-Identifier: Apache-2.0 */
/* Local error correction (Bandyopadhyay, Hamerly, Englund, arXiv 2103.04993). An MZI whose couplers
 * are off still reaches every splitting but those next to the bar and cross states: its inner phase
 * is set for the splitting that it should have, and what its own phases then are ahead is taken back
 * by the shifters behind it. Couplers and shifters are taken as measured. */
#include <math.h>

#include "base/memory.h"
#include "optics/compile.h"

#define AMPLITUDE_TINY 1e-9
#define HEAT_ROUNDS 24 /* each leaves a share of some crosstalk of what the one before it left */

/* Phase between arms with which |M00| is that of the ideal cell. With A = cos b1 cos b2 and
 * B = sin b1 sin b2, |M00|^2 = A^2 + B^2 - 2 A B cos(theta); beyond the reach, the nearest. */
static double reach_splitting(const double coupler_rad[2], double straight)
{
    double first = 0.25 * OI_PI + coupler_rad[0], second = 0.25 * OI_PI + coupler_rad[1];
    double a = cos(first) * cos(second), b = sin(first) * sin(second);
    double cosine = (a * a + b * b - straight * straight) / (2 * a * b);

    if (!(a * b != 0))
        return 0;
    return acos(fmax(-1, fmin(1, cosine)));
}

static double phase_of(oi_complex x)
{
    return atan2(x.im, x.re);
}

/* What a mode's light is ahead of the ideal circuit's. */
typedef struct ahead {
    double rad;
    bool lit;
} ahead;

/* Settings of one MZI: E(in, arms) = diag(e^(i p')) T diag(e^(-i p)), T the ideal cell, p what its
 * inputs are ahead, p' its outputs. Column 1 of E has no shifter and tells p'; column 0 tells `in`.
 * Where an input is dark its column does not count, and `in` can make p'_a zero; where T has a zero,
 * its entry tells nothing. */
static void correct_mzi(const double ideal_rad[3], const oi_element_fault *fault,
                        double wanted_rad[3], ahead *a, ahead *b)
{
    static const double exact[2] = {0, 0};
    oi_matrix2 target = oi_mzi_matrix(ideal_rad, exact), base;
    double straight = oi_complex_magnitude(target.m[0][0]);
    double inner = reach_splitting(fault->coupler_rad, straight), turn[2][2];
    bool bar = oi_complex_magnitude(target.m[0][1]) < AMPLITUDE_TINY;
    bool cross = straight < AMPLITUDE_TINY;

    /* cos tells nothing of the sign: keep the ideal cell's */
    if (sin(ideal_rad[1] - ideal_rad[2]) < 0)
        inner = -inner;
    wanted_rad[0] = 0;
    wanted_rad[1] = ideal_rad[2] + inner;
    wanted_rad[2] = ideal_rad[2];
    base = oi_mzi_matrix(wanted_rad, fault->coupler_rad);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            turn[i][j] =
                phase_of(oi_complex_divide_unit(base.m[i][j], target.m[i][j])) + (j ? b : a)->rad;
    if (b->lit && a->lit && !bar && !cross)
        wanted_rad[0] = straight > 0.7 ? turn[0][1] - turn[0][0] : turn[1][1] - turn[1][0];
    else if (!b->lit)
        wanted_rad[0] = -(cross ? turn[1][0] : turn[0][0]);
    a->rad = oi_phase_wrap(b->lit && !bar ? turn[0][1] : turn[0][0] + wanted_rad[0]);
    b->rad = oi_phase_wrap(b->lit && !cross ? turn[1][1] : turn[1][0] + wanted_rad[0]);
    a->lit = b->lit = a->lit || b->lit;
}

/* A turn is added where a heater's phase is negative, and stays from then on, so that the rounds
 * settle; a heater may be told a little more than 2 pi. */
static void take_back(const optinc_circuit *circuit, const oi_element_fault *faults,
                      double crosstalk, double *element_rad, const double *wanted_rad)
{
    for (size_t i = 0; i < circuit->element_count; i++) {
        double heat_rad[3];

        if (circuit->elements[i].splitter)
            continue;
        oi_neighbour_heat(circuit, element_rad, crosstalk, i, heat_rad);
        for (size_t k = 0; k < 3; k++) {
            double offset_rad = faults ? faults[i].phase_rad[k] : 0;
            double told = wanted_rad[3 * i + k] - offset_rad - heat_rad[k];
            double before = element_rad[3 * i + k];

            told += OI_TWO_PI * rint((before - told) / OI_TWO_PI);
            element_rad[3 * i + k] = told < 0 ? told + OI_TWO_PI : told;
        }
    }
}

void oi_tell_heaters(const optinc_circuit *circuit, const oi_element_fault *faults,
                     double crosstalk, double *element_rad, const double *wanted_rad)
{
    for (int round = 0; round < (crosstalk > 0 ? HEAT_ROUNDS : 1); round++)
        take_back(circuit, faults, crosstalk, element_rad, wanted_rad);
}

optinc_status oi_correct_setting(const optinc_circuit *circuit, const oi_element_fault *faults,
                                 double crosstalk, oi_setting *setting)
{
    ahead *modes = oi_allocate(circuit->mode_count, sizeof *modes);
    double *wanted_rad = oi_allocate(circuit->element_count, 3 * sizeof *wanted_rad);
    optinc_status status = modes && wanted_rad ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    for (uint32_t j = 0; j < circuit->cols && !status; j++)
        modes[circuit->input_mode[j]].lit = true;
    for (size_t i = 0; i < circuit->element_count && !status; i++) {
        const optinc_element *e = &circuit->elements[i];
        ahead *a = &modes[e->mode_a], *b = &modes[e->mode_b];

        if (e->splitter) {
            *a = *b = (ahead){a->lit ? a->rad : b->rad, a->lit || b->lit};
            continue;
        }
        correct_mzi(setting->element_rad + 3 * i, &faults[i], wanted_rad + 3 * i, a, b);
    }
    if (!status)
        oi_tell_heaters(circuit, faults, crosstalk, setting->element_rad, wanted_rad);
    for (uint32_t r = 0; r < circuit->rows && !status; r++)
        setting->output_rad[r] =
            oi_phase_wrap(setting->output_rad[r] - modes[circuit->output_mode[r]].rad -
                          faults[circuit->element_count + r].phase_rad[0]);
    oi_free(modes);
    oi_free(wanted_rad);
    return status;
}
