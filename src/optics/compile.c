/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit as a chip comes out of the factory: each element's 2x2 matrix with its errors, all of
 * them multiplied into one complex matrix. The order is that of the real thing: a phase is set in
 * DAC steps; the heaters set next to it warm it; fabrication moved it; it has drifted since. */
#include "base/memory.h"
#include "base/philox.h"
#include "optics/circuit.h"

/* Eight draws an element: three phases, loss, two couplers; two are spare. */
#define DRAWS 8

typedef struct builder {
    const optinc_circuit *circuit;
    const optinc_device *device;
    const optinc_chip *chip;
    double dac_step_rad;
    double drift_rad;
} builder;

static void draw(const builder *b, uint64_t item, oi_purpose purpose, double normal[DRAWS])
{
    for (uint64_t i = 0; i < DRAWS / 2; i++) {
        uint32_t word[4];

        oi_philox(b->chip->seed, b->chip->chip, ((uint64_t)b->chip->layer << 40) | (item * 4 + i),
                  purpose, word);
        oi_normal_pair(word, normal + 2 * i);
    }
}

static double set_phase(const builder *b, double phase_rad)
{
    return b->dac_step_rad > 0 ? b->dac_step_rad * rint(phase_rad / b->dac_step_rad) : phase_rad;
}

/* in, arm_a, arm_b of an MZI as set, neighbours' heat included. */
static void set_phases(const builder *b, size_t index, double phase_rad[3])
{
    const optinc_circuit *circuit = b->circuit;
    const optinc_element *e = &circuit->elements[index];
    const uint32_t beside[2] = {circuit->above[index], circuit->below[index]};

    phase_rad[0] = set_phase(b, e->in_rad);
    phase_rad[1] = set_phase(b, e->arm_a_rad);
    phase_rad[2] = set_phase(b, e->arm_b_rad);
    for (int i = 0; i < 2 && b->device->crosstalk > 0; i++) {
        const optinc_element *other;

        if (beside[i] == UINT32_MAX)
            continue;
        other = &circuit->elements[beside[i]];
        phase_rad[0] += b->device->crosstalk * set_phase(b, other->in_rad);
        phase_rad[1] += b->device->crosstalk * set_phase(b, other->arm_a_rad);
        phase_rad[2] += b->device->crosstalk * set_phase(b, other->arm_b_rad);
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

static oi_matrix2 element_matrix(const builder *b, size_t index)
{
    const optinc_device *device = b->device;
    const optinc_element *e = &b->circuit->elements[index];
    double normal[DRAWS] = {0}, drift[DRAWS] = {0}, phase_rad[3], amplitude;
    oi_matrix2 m = {{{{1, 0}, {0, 0}}, {{0, 0}, {1, 0}}}};

    if (device->phase_sigma_rad > 0 || device->splitter_sigma_rad > 0 ||
        device->mzi_loss_sigma_db > 0)
        draw(b, index, OI_PURPOSE_FABRICATION, normal);
    if (e->splitter) {
        double angle_rad = e->angle_rad + device->splitter_sigma_rad * normal[4];
        double c = cos(angle_rad), s = sin(angle_rad);

        amplitude = pow(10, -device->splitter_loss_db / 20);
        return (oi_matrix2){
            {{{amplitude * c, 0}, {-amplitude * s, 0}}, {{amplitude * s, 0}, {amplitude * c, 0}}}};
    }
    if (b->drift_rad > 0)
        draw(b, index, OI_PURPOSE_DRIFT, drift);
    set_phases(b, index, phase_rad);
    for (int i = 0; i < 3; i++)
        phase_rad[i] += device->phase_sigma_rad * normal[i] + b->drift_rad * drift[i];
    /* a gain by chance is no gain */
    amplitude = pow(10, -fmax(device->mzi_loss_db + device->mzi_loss_sigma_db * normal[3], 0) / 20);
    m.m[0][0] = oi_complex_polar(phase_rad[0]);
    couple(&m, 0.25 * OI_PI + device->splitter_sigma_rad * normal[4]);
    for (int j = 0; j < 2; j++) {
        m.m[0][j] = oi_complex_multiply(m.m[0][j], oi_complex_polar(phase_rad[1]));
        m.m[1][j] = oi_complex_multiply(m.m[1][j], oi_complex_polar(phase_rad[2]));
    }
    couple(&m, 0.25 * OI_PI + device->splitter_sigma_rad * normal[5]);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            m.m[i][j] = (oi_complex){amplitude * m.m[i][j].re, amplitude * m.m[i][j].im};
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

optinc_status optinc_circuit_compile(const optinc_circuit *circuit, const optinc_device *device,
                                     const optinc_chip *chip, double *matrix)
{
    static const optinc_chip first = {0};
    builder b = {.circuit = circuit, .device = device, .chip = chip ? chip : &first};
    uint32_t cols;
    oi_complex *fields;

    if (!circuit || !matrix || optinc_device_check(device, NULL) ||
        !(b.chip->drift_time_s >= 0 && b.chip->drift_time_s < INFINITY))
        return OPTINC_ERR_INVALID_ARGUMENT;
    cols = circuit->cols;
    if (device->dac_bits > 0)
        b.dac_step_rad = OI_TWO_PI / ldexp(1, (int)device->dac_bits);
    b.drift_rad = device->drift_rad_per_sqrt_s * sqrt(b.chip->drift_time_s);
    fields = oi_allocate((size_t)circuit->mode_count * cols, sizeof *fields);
    if (!fields)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint32_t j = 0; j < cols; j++)
        fields[(size_t)circuit->input_mode[j] * cols + j].re = 1;
    for (size_t i = 0; i < circuit->element_count; i++) {
        oi_matrix2 m = element_matrix(&b, i);

        apply(&m, cols, fields + (size_t)circuit->elements[i].mode_a * cols,
              fields + (size_t)circuit->elements[i].mode_b * cols);
    }
    for (uint32_t r = 0; r < circuit->rows; r++) {
        double normal[DRAWS] = {0}, drift[DRAWS] = {0};
        const oi_complex *row = fields + (size_t)circuit->output_mode[r] * cols;
        oi_complex turn;

        if (device->phase_sigma_rad > 0)
            draw(&b, circuit->element_count + r, OI_PURPOSE_FABRICATION, normal);
        if (b.drift_rad > 0)
            draw(&b, circuit->element_count + r, OI_PURPOSE_DRIFT, drift);
        turn = oi_complex_polar(set_phase(&b, circuit->output_rad[r]) +
                                device->phase_sigma_rad * normal[0] + b.drift_rad * drift[0]);
        for (uint32_t j = 0; j < cols; j++)
            ((oi_complex *)matrix)[(size_t)r * cols + j] = oi_complex_multiply(row[j], turn);
    }
    oi_free(fields);
    return OPTINC_OK;
}
