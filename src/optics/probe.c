/* SPDX-License-Identifier: Apache-2.0 */
#include "optics/probe.h"

#include <string.h>

#include "base/memory.h"

struct oi_probe {
    const optinc_circuit *circuit;
    const oi_element_fault *faults;
    double *element_rad; /* [element_count][3] */
    double *output_rad;  /* [rows] */
    oi_matrix2 *matrices;
    oi_complex *turns;  /* [rows] of the receivers */
    oi_complex *fields; /* [mode_count] */
    double *carried;    /* [mode_count] */
};

static void update(oi_probe *probe, size_t element)
{
    const optinc_element *e = &probe->circuit->elements[element];
    const oi_element_fault *fault = &probe->faults[element];
    oi_matrix2 m;

    if (e->splitter) {
        m = oi_splitter_matrix(e->angle_rad + fault->coupler_rad[0]);
    } else {
        double phase_rad[3];

        for (size_t k = 0; k < 3; k++)
            phase_rad[k] = probe->element_rad[3 * element + k] + fault->phase_rad[k];
        m = oi_mzi_matrix(phase_rad, fault->coupler_rad);
    }
    for (int j = 0; j < 2; j++) {
        double amplitude = oi_left_amplitude(fault, j);

        for (int i = 0; i < 2; i++) {
            m.m[i][j].re *= amplitude;
            m.m[i][j].im *= amplitude;
        }
    }
    probe->matrices[element] = m;
}

void oi_probe_destroy(oi_probe **probe)
{
    if (!probe || !*probe)
        return;
    oi_free((*probe)->element_rad);
    oi_free((*probe)->output_rad);
    oi_free((*probe)->matrices);
    oi_free((*probe)->turns);
    oi_free((*probe)->fields);
    oi_free((*probe)->carried);
    oi_free(*probe);
    *probe = NULL;
}

optinc_status oi_probe_create(const optinc_circuit *circuit, const oi_element_fault *faults,
                              oi_probe **probe)
{
    oi_probe *made = oi_allocate(1, sizeof *made);

    *probe = made;
    if (!made)
        return OPTINC_ERR_OUT_OF_MEMORY;
    *made = (oi_probe){
        .circuit = circuit,
        .faults = faults,
        .element_rad = oi_allocate(circuit->element_count, 3 * sizeof(double)),
        .output_rad = oi_duplicate(circuit->output_rad, circuit->rows, sizeof(double)),
        .matrices = oi_allocate(circuit->element_count, sizeof(oi_matrix2)),
        .turns = oi_allocate(circuit->rows, sizeof(oi_complex)),
        .fields = oi_allocate(circuit->mode_count, sizeof(oi_complex)),
        .carried = oi_allocate(circuit->mode_count, sizeof(double)),
    };
    if (!made->element_rad || !made->output_rad || !made->matrices || !made->turns ||
        !made->fields || !made->carried) {
        oi_probe_destroy(probe);
        return OPTINC_ERR_OUT_OF_MEMORY;
    }
    for (size_t i = 0; i < circuit->element_count; i++) {
        const optinc_element *e = &circuit->elements[i];

        made->element_rad[3 * i] = e->in_rad;
        made->element_rad[3 * i + 1] = e->arm_a_rad;
        made->element_rad[3 * i + 2] = e->arm_b_rad;
        update(made, i);
    }
    for (uint32_t r = 0; r < circuit->rows; r++)
        oi_probe_set_output(made, r, circuit->output_rad[r]);
    return OPTINC_OK;
}

double oi_probe_phase(const oi_probe *probe, size_t element, int shifter)
{
    return probe->element_rad[3 * element + (size_t)shifter];
}

void oi_probe_set(oi_probe *probe, size_t element, int shifter, double phase_rad)
{
    probe->element_rad[3 * element + (size_t)shifter] = phase_rad;
    update(probe, element);
}

double oi_probe_output_phase(const oi_probe *probe, uint32_t row)
{
    return probe->output_rad[row];
}

void oi_probe_set_output(oi_probe *probe, uint32_t row, double phase_rad)
{
    const oi_element_fault *fault = &probe->faults[probe->circuit->element_count + row];
    oi_complex turn = oi_complex_polar(phase_rad + fault->phase_rad[0]);
    double amplitude = oi_left_amplitude(fault, 0);

    probe->output_rad[row] = phase_rad;
    probe->turns[row] = (oi_complex){amplitude * turn.re, amplitude * turn.im};
}

/* Moves what the modes carry past every element behind `after`; at an MZI the shifter takes the
 * difference of the two. With `apply` false nothing is set. */
static bool carry(oi_probe *probe, size_t after, uint32_t mode, double turn_rad, bool apply)
{
    const optinc_circuit *circuit = probe->circuit;
    double *carried = probe->carried;

    memset(carried, 0, circuit->mode_count * sizeof *carried);
    carried[mode] = turn_rad;
    for (size_t i = after + 1; i < circuit->element_count; i++) {
        const optinc_element *e = &circuit->elements[i];
        double a = carried[e->mode_a], b = carried[e->mode_b];

        if (a == 0 && b == 0)
            continue;
        if (e->splitter && a != b)
            return false;
        if (apply && a != b)
            oi_probe_set(probe, i, OI_SHIFTER_IN,
                         oi_phase_wrap(oi_probe_phase(probe, i, OI_SHIFTER_IN) + a - b));
        carried[e->mode_a] = b;
    }
    for (uint32_t r = 0; r < circuit->rows && apply; r++)
        if (carried[circuit->output_mode[r]] != 0)
            oi_probe_set_output(
                probe, r, oi_phase_wrap(probe->output_rad[r] + carried[circuit->output_mode[r]]));
    return true;
}

bool oi_probe_turn(oi_probe *probe, size_t after, uint32_t mode, double turn_rad)
{
    return turn_rad == 0 || (carry(probe, after, mode, turn_rad, false) &&
                             carry(probe, after, mode, turn_rad, true));
}

static oi_complex add_products(oi_complex m, oi_complex x, oi_complex n, oi_complex y)
{
    return (oi_complex){m.re * x.re - m.im * x.im + n.re * y.re - n.im * y.im,
                        m.re * x.im + m.im * x.re + n.re * y.im + n.im * y.re};
}

void oi_probe_send(const oi_probe *probe, const oi_complex *input, oi_complex *output)
{
    const optinc_circuit *circuit = probe->circuit;
    oi_complex *fields = probe->fields;

    memset(fields, 0, circuit->mode_count * sizeof *fields);
    for (uint32_t j = 0; j < circuit->cols; j++)
        fields[circuit->input_mode[j]] = input[j];
    for (size_t i = 0; i < circuit->element_count; i++) {
        const optinc_element *e = &circuit->elements[i];
        const oi_matrix2 *m = &probe->matrices[i];
        oi_complex a = fields[e->mode_a], b = fields[e->mode_b];

        fields[e->mode_a] = add_products(m->m[0][0], a, m->m[0][1], b);
        fields[e->mode_b] = add_products(m->m[1][0], a, m->m[1][1], b);
    }
    for (uint32_t r = 0; r < circuit->rows; r++)
        output[r] = oi_complex_multiply(probe->turns[r], fields[circuit->output_mode[r]]);
}

void oi_probe_collect(const oi_probe *probe, const oi_complex *weight, oi_complex *response)
{
    const optinc_circuit *circuit = probe->circuit;
    oi_complex *fields = probe->fields;

    memset(fields, 0, circuit->mode_count * sizeof *fields);
    for (uint32_t r = 0; r < circuit->rows; r++) {
        oi_complex turned = oi_complex_multiply(probe->turns[r], weight[r]);

        fields[circuit->output_mode[r]].re += turned.re; /* rows of zeros may share a mode */
        fields[circuit->output_mode[r]].im += turned.im;
    }
    for (size_t i = circuit->element_count; i-- > 0;) {
        const optinc_element *e = &circuit->elements[i];
        const oi_matrix2 *m = &probe->matrices[i];
        oi_complex a = fields[e->mode_a], b = fields[e->mode_b];

        fields[e->mode_a] = add_products(m->m[0][0], a, m->m[1][0], b);
        fields[e->mode_b] = add_products(m->m[0][1], a, m->m[1][1], b);
    }
    for (uint32_t j = 0; j < circuit->cols; j++)
        response[j] = fields[circuit->input_mode[j]];
}

oi_complex oi_probe_output_turn(const oi_probe *probe, uint32_t row)
{
    return probe->turns[row];
}

const oi_matrix2 *oi_probe_element(const oi_probe *probe, size_t element)
{
    return &probe->matrices[element];
}
