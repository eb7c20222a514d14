/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit as a chip comes out of the factory: each element's 2x2 matrix with its errors, all of
 * them multiplied into one complex matrix. The order is that of the real thing: a phase is set in
 * DAC steps; the heaters set next to it warm it; fabrication moved it; it has drifted since. */
#include "optics/compile.h"

#include <string.h>

#include "base/memory.h"
#include "base/philox.h"

/* Eight draws an element: three phases, loss, two couplers, the losses of dummies. */
#define DRAWS 8

static void draw(const optinc_chip *chip, uint64_t item, oi_purpose purpose, double normal[DRAWS])
{
    for (uint64_t i = 0; i < DRAWS / 2; i++) {
        uint32_t word[4];

        oi_philox(chip->seed, chip->chip, ((uint64_t)chip->layer << 40) | (item * 4 + i), purpose,
                  word);
        oi_normal_pair(word, normal + 2 * i);
    }
}

void oi_set_losses(const optinc_circuit *circuit, const optinc_device *device,
                   const double normal[3], size_t index, oi_element_fault *fault)
{
    bool receiver = index >= circuit->element_count;
    const oi_dummies *dummies = NULL;
    double loss_db = 0;

    if (!receiver && circuit->elements[index].splitter)
        loss_db = device->splitter_loss_db;
    else if (!receiver)
        loss_db = device->mzi_loss_db + device->mzi_loss_sigma_db * normal[0];
    /* a gain by chance is no gain */
    fault->amplitude = pow(10, -fmax(loss_db, 0) / 20);
    if (circuit->dummies)
        dummies = circuit->dummies + (receiver ? circuit->element_count + index : 2 * index);
    for (int k = 0; k < (receiver ? 1 : 2) && dummies; k++) {
        /* MZIs in a row spread like one with the root of their number times the sigma */
        double spread_db = sqrt(dummies[k].mzis) * device->mzi_loss_sigma_db * normal[1 + k];

        fault->input_loss_db[k] = fmax(oi_dummies_loss_db(&dummies[k], device) + spread_db, 0);
    }
    for (size_t k = 0; k < (receiver ? 1 : 2) && circuit->crossings; k++)
        fault->input_loss_db[k] +=
            device->crossing_loss_db *
            circuit->crossings[receiver ? circuit->element_count + index : 2 * index + k];
}

static void draw_faults(const optinc_circuit *circuit, const optinc_device *device,
                        const optinc_chip *chip, oi_element_fault *faults)
{
    double drift_rad = device->drift_rad_per_sqrt_s * sqrt(chip->drift_time_s);
    bool random = device->phase_sigma_rad > 0 || device->splitter_sigma_rad > 0 ||
                  device->mzi_loss_sigma_db > 0;

    for (size_t i = 0; i < circuit->element_count + circuit->rows; i++) {
        oi_element_fault *fault = &faults[i];
        double normal[DRAWS] = {0}, drift[DRAWS] = {0};

        if (random)
            draw(chip, i, OI_PURPOSE_FABRICATION, normal);
        if (drift_rad > 0)
            draw(chip, i, OI_PURPOSE_DRIFT, drift);
        for (int k = 0; k < 3; k++) {
            fault->phase_rad[k] = device->phase_sigma_rad * normal[k];
            fault->drift_rad[k] = drift_rad * drift[k];
        }
        for (int k = 0; k < 2; k++)
            fault->coupler_rad[k] = device->splitter_sigma_rad * normal[4 + k];
        oi_set_losses(circuit, device, (const double[3]){normal[3], normal[6], normal[7]}, i,
                      fault);
    }
}

/* [[cos x, i sin x], [i sin x, cos x]] applied to the rows of m. */
static void couple(oi_matrix2 *m, double angle_rad)
{
    double c = cos(angle_rad), s = sin(angle_rad);

    for (int j = 0; j < 2; j++) {
        oi_complex x = m->m[0][j], y = m->m[1][j];

        m->m[0][j] = (oi_complex){c * x.re - s * y.im, c * x.im + s * y.re};
        m->m[1][j] = (oi_complex){c * y.re - s * x.im, c * y.im + s * x.re};
    }
}

oi_matrix2 oi_mzi_matrix(const double phase_rad[3], const double coupler_rad[2])
{
    oi_matrix2 m = {{{{1, 0}, {0, 0}}, {{0, 0}, {1, 0}}}};
    oi_complex arm_a = oi_complex_polar(phase_rad[1]), arm_b = oi_complex_polar(phase_rad[2]);

    m.m[0][0] = oi_complex_polar(phase_rad[0]);
    couple(&m, 0.25 * OI_PI + coupler_rad[0]);
    for (int j = 0; j < 2; j++) {
        m.m[0][j] = oi_complex_multiply(m.m[0][j], arm_a);
        m.m[1][j] = oi_complex_multiply(m.m[1][j], arm_b);
    }
    couple(&m, 0.25 * OI_PI + coupler_rad[1]);
    return m;
}

oi_matrix2 oi_splitter_matrix(double angle_rad)
{
    double c = cos(angle_rad), s = sin(angle_rad);

    return (oi_matrix2){{{{c, 0}, {-s, 0}}, {{s, 0}, {c, 0}}}};
}

void oi_neighbour_heat(const optinc_circuit *circuit, const double *element_rad, double crosstalk,
                       size_t index, double heat_rad[3])
{
    const uint32_t beside[2] = {circuit->above[index], circuit->below[index]};

    for (int k = 0; k < 3; k++)
        heat_rad[k] = 0;
    for (int i = 0; i < 2 && crosstalk > 0; i++)
        for (int k = 0; k < 3 && beside[i] != UINT32_MAX; k++)
            heat_rad[k] += crosstalk * element_rad[3 * (size_t)beside[i] + (size_t)k];
}

static void make_setting(const optinc_circuit *circuit, oi_setting *setting)
{
    for (size_t i = 0; i < circuit->element_count; i++) {
        const optinc_element *e = &circuit->elements[i];

        setting->element_rad[3 * i] = e->in_rad;
        setting->element_rad[3 * i + 1] = e->arm_a_rad;
        setting->element_rad[3 * i + 2] = e->arm_b_rad;
    }
    memcpy(setting->output_rad, circuit->output_rad, circuit->rows * sizeof(double));
}

static void quantise(double *phase_rad, size_t count, double bits)
{
    double step_rad = OI_TWO_PI / ldexp(1, (int)bits);

    for (size_t i = 0; i < count && bits > 0; i++)
        phase_rad[i] = step_rad * rint(phase_rad[i] / step_rad);
}

double oi_left_amplitude(const oi_element_fault *fault, int input)
{
    double loss_db = fault->input_loss_db[input];

    return fault->amplitude * (loss_db > 0 ? pow(10, -loss_db / 20) : 1);
}

static oi_matrix2 element_matrix(const optinc_circuit *circuit, const oi_setting *setting,
                                 const oi_element_fault *fault, double crosstalk, size_t index)
{
    const optinc_element *e = &circuit->elements[index];
    double phase_rad[3];
    oi_matrix2 m;

    if (e->splitter) {
        m = oi_splitter_matrix(e->angle_rad + fault->coupler_rad[0]);
    } else {
        oi_neighbour_heat(circuit, setting->element_rad, crosstalk, index, phase_rad);
        for (size_t k = 0; k < 3; k++)
            phase_rad[k] +=
                setting->element_rad[3 * index + k] + fault->phase_rad[k] + fault->drift_rad[k];
        m = oi_mzi_matrix(phase_rad, fault->coupler_rad);
    }
    for (int j = 0; j < 2; j++) {
        double amplitude = oi_left_amplitude(fault, j);

        for (int i = 0; i < 2; i++)
            m.m[i][j] = (oi_complex){amplitude * m.m[i][j].re, amplitude * m.m[i][j].im};
    }
    return m;
}

static void apply(const oi_matrix2 *m, uint32_t count, oi_complex *restrict a,
                  oi_complex *restrict b)
{
    for (uint32_t i = 0; i < count; i++) {
        oi_complex x = a[i], y = b[i];

        a[i].re = m->m[0][0].re * x.re - m->m[0][0].im * x.im + m->m[0][1].re * y.re -
                  m->m[0][1].im * y.im;
        a[i].im = m->m[0][0].re * x.im + m->m[0][0].im * x.re + m->m[0][1].re * y.im +
                  m->m[0][1].im * y.re;
        b[i].re = m->m[1][0].re * x.re - m->m[1][0].im * x.im + m->m[1][1].re * y.re -
                  m->m[1][1].im * y.im;
        b[i].im = m->m[1][0].re * x.im + m->m[1][0].im * x.re + m->m[1][1].re * y.im +
                  m->m[1][1].im * y.re;
    }
}

void oi_propagate(const optinc_circuit *circuit, const oi_setting *setting,
                  const oi_element_fault *faults, double crosstalk, oi_complex *fields,
                  oi_complex *matrix)
{
    uint32_t cols = circuit->cols;

    memset(fields, 0, (size_t)circuit->mode_count * cols * sizeof *fields);
    for (uint32_t j = 0; j < cols; j++)
        fields[(size_t)circuit->input_mode[j] * cols + j].re = 1;
    for (size_t i = 0; i < circuit->element_count; i++) {
        oi_matrix2 m = element_matrix(circuit, setting, &faults[i], crosstalk, i);

        apply(&m, cols, fields + (size_t)circuit->elements[i].mode_a * cols,
              fields + (size_t)circuit->elements[i].mode_b * cols);
    }
    for (uint32_t r = 0; r < circuit->rows; r++) {
        const oi_element_fault *fault = &faults[circuit->element_count + r];
        const oi_complex *row = fields + (size_t)circuit->output_mode[r] * cols;
        oi_complex turn =
            oi_complex_polar(setting->output_rad[r] + fault->phase_rad[0] + fault->drift_rad[0]);
        double amplitude = oi_left_amplitude(fault, 0);

        turn = (oi_complex){amplitude * turn.re, amplitude * turn.im};
        for (uint32_t j = 0; j < cols; j++)
            matrix[(size_t)r * cols + j] = oi_complex_multiply(row[j], turn);
    }
}

optinc_status optinc_circuit_compile(const optinc_circuit *circuit, const optinc_device *device,
                                     const optinc_chip *chip, double *matrix)
{
    static const optinc_chip first = {0};
    const optinc_chip *which = chip ? chip : &first;
    oi_setting setting = {0};
    oi_element_fault *faults;
    oi_complex *fields;
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (!circuit || !matrix || optinc_device_check(device, NULL) ||
        !(which->drift_time_s >= 0 && which->drift_time_s <= 1e12) ||
        (which->correct_errors && which->self_configure))
        return OPTINC_ERR_INVALID_ARGUMENT;
    faults = oi_allocate(circuit->element_count + circuit->rows, sizeof *faults);
    setting.element_rad = oi_allocate(circuit->element_count, 3 * sizeof(double));
    setting.output_rad = oi_allocate(circuit->rows, sizeof(double));
    fields = oi_allocate((size_t)circuit->mode_count * circuit->cols, sizeof *fields);
    if (faults && setting.element_rad && setting.output_rad && fields) {
        draw_faults(circuit, device, which, faults);
        make_setting(circuit, &setting);
        status = OPTINC_OK;
        if (which->correct_errors)
            status = oi_correct_setting(circuit, faults, device->crosstalk, &setting);
        else if (which->self_configure)
            status = oi_configure_setting(circuit, faults, device, &setting);
        quantise(setting.element_rad, 3 * circuit->element_count, device->dac_bits);
        quantise(setting.output_rad, circuit->rows, device->dac_bits);
        if (which->search_steps && !status)
            status = oi_search_steps(circuit, faults, device, &setting, fields);
        oi_propagate(circuit, &setting, faults, device->crosstalk, fields, (oi_complex *)matrix);
    }
    oi_free(faults);
    oi_free(setting.element_rad);
    oi_free(setting.output_rad);
    oi_free(fields);
    return status;
}
