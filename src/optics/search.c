/* SPDX-License-Identifier: Apache-2.0 */
/* Setting phases in DAC steps. Rounding every phase by itself leaves errors that add up at random;
 * a chip that is measured while it is set lets them cancel. Each shifter in turn is moved by one or
 * two steps and left where the rows, each with the gain that fits it best, are closest to the ideal
 * ones: coordinate descent on
 *     sum over rows of (1 - (t c)^2 / (t^2 c^2)),
 * t the row as it should be, c its measured real part; c^2 also has the imaginary part times what an
 * extinguished modulator leaks, which is all that it adds to a receiver's value. */
#include "base/memory.h"
#include "optics/compile.h"

#define ELEMENTS_MAX 256u
#define ROUNDS_MAX 30

typedef struct search {
    const optinc_circuit *circuit;
    const oi_element_fault *faults;
    double crosstalk;
    double step_rad;
    double leakage; /* amplitude of an extinguished modulator */
    oi_setting *setting;
    oi_complex *fields;
    oi_complex *matrix;
    oi_complex *target;
} search;

static double misfit(const search *s)
{
    uint32_t cols = s->circuit->cols;
    double sum = 0;

    oi_propagate(s->circuit, s->setting, s->faults, s->crosstalk, s->fields, s->matrix);
    for (uint32_t r = 0; r < s->circuit->rows; r++) {
        double across = 0, own = 0, wanted = 0;

        for (uint32_t c = 0; c < cols; c++) {
            oi_complex x = s->matrix[(size_t)r * cols + c];
            double t = s->target[(size_t)r * cols + c].re, leak = s->leakage * x.im;

            across += x.re * t;
            own += x.re * x.re + leak * leak;
            wanted += t * t;
        }
        if (own * wanted > 0)
            sum += 1 - across * across / (own * wanted);
    }
    return sum;
}

static bool try_phase(const search *s, double *phase_rad, double *best)
{
    static const int moves[] = {1, -1, 2, -2};
    double kept = *phase_rad;
    bool better = false;

    for (int i = 0; i < 4; i++) {
        double before = *phase_rad, found;

        *phase_rad = kept + moves[i] * s->step_rad;
        if (*phase_rad < 0)
            *phase_rad += OI_TWO_PI;
        found = misfit(s);
        if (found < *best) {
            *best = found;
            better = true;
        } else {
            *phase_rad = before;
        }
    }
    return better;
}

static void descend(const search *s)
{
    double best = misfit(s);
    bool better = true;

    for (int round = 0; round < ROUNDS_MAX && better; round++) {
        better = false;
        for (size_t i = 0; i < s->circuit->element_count; i++) {
            const optinc_element *e = &s->circuit->elements[i];
            /* arm b has a shifter only where the cell is symmetric */
            size_t shifters = e->arm_b_rad != 0 ? 3 : 2;

            for (size_t k = 0; k < shifters && !e->splitter; k++)
                better |= try_phase(s, &s->setting->element_rad[3 * i + k], &best);
        }
        for (uint32_t r = 0; r < s->circuit->rows; r++)
            better |= try_phase(s, &s->setting->output_rad[r], &best);
    }
}

/* What the circuit does with its losses and no other fault. */
static optinc_status find_target(const search *s, const optinc_device *device)
{
    optinc_device lossy = optinc_device_ideal();

    lossy.mzi_loss_db = device->mzi_loss_db;
    lossy.splitter_loss_db = device->splitter_loss_db;
    lossy.crossing_loss_db = device->crossing_loss_db;
    return optinc_circuit_compile(s->circuit, &lossy, NULL, (double *)s->target);
}

optinc_status oi_search_steps(const optinc_circuit *circuit, const oi_element_fault *faults,
                              const optinc_device *device, oi_setting *setting, oi_complex *fields)
{
    size_t count = (size_t)circuit->rows * circuit->cols;
    search s = {.circuit = circuit,
                .faults = faults,
                .crosstalk = device->crosstalk,
                .step_rad = OI_TWO_PI / ldexp(1, (int)device->dac_bits),
                .setting = setting,
                .fields = fields};
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (device->dac_bits == 0)
        return OPTINC_OK;
    if (device->modulator_extinction_db > 0)
        s.leakage = pow(10, -device->modulator_extinction_db / 20);
    if (circuit->element_count > ELEMENTS_MAX)
        return OPTINC_ERR_UNSUPPORTED;
    s.matrix = oi_allocate(count, sizeof *s.matrix);
    s.target = oi_allocate(count, sizeof *s.target);
    if (s.matrix && s.target)
        status = find_target(&s, device);
    if (!status)
        descend(&s);
    oi_free(s.matrix);
    oi_free(s.target);
    return status;
}
