/* SPDX-License-Identifier: Apache-2.0 */
/* The shifters that no null sets (configure.c), by measuring the whole matrix S of the chip: the
 * least |S - T|^2, T being what the circuit does without faults but with its known losses. S is
 * linear in each e^(i phase), S = P + e^(i phase) Q, so that one more setting of a shifter tells
 * its best phase (some rounds of these, one after the other) and its derivative i e^(i phase) Q
 * (then all of them together, by damped Gauss-Newton steps). */
#include <lapacke.h>
#include <string.h>

#include "base/memory.h"
#include "optics/probe.h"

#define ROUNDS 4
#define STEPS_MAX 40
#define JACOBIAN_MAX ((size_t)1 << 24) /* entries; beyond it, single shifters alone */
#define LONG_ROUNDS 40
#define CLOSE_ENOUGH 1e-24
#define DAMPING_MAX 1e6

typedef struct least {
    const optinc_circuit *circuit;
    oi_probe *chip;
    size_t count;         /* entries of a matrix, which are [cols][rows] */
    size_t shifter_count; /* receivers' last */
    size_t *element;      /* [shifter_count - rows] */
    oi_complex *input;    /* [cols] */
    oi_complex *target;
    oi_complex *now;
    oi_complex *other;
    double *jacobian; /* [shifter_count][2 count]; NULL: too large */
    double *normal;   /* [shifter_count][shifter_count] */
    double *step;     /* [shifter_count] */
} least;

static void measure_all(const least *l, const oi_probe *probe, oi_complex *matrix)
{
    uint32_t cols = l->circuit->cols;

    memset(l->input, 0, cols * sizeof *l->input);
    for (uint32_t j = 0; j < cols; j++) {
        l->input[j].re = 1;
        oi_probe_send(probe, l->input, matrix + (size_t)j * l->circuit->rows);
        l->input[j].re = 0;
    }
}

static double distance(const least *l, const oi_complex *matrix)
{
    double sum = 0;

    for (size_t i = 0; i < l->count; i++) {
        double re = matrix[i].re - l->target[i].re, im = matrix[i].im - l->target[i].im;

        sum += re * re + im * im;
    }
    return sum;
}

static double phase_of(const least *l, size_t shifter)
{
    size_t inner = l->shifter_count - l->circuit->rows;

    if (shifter >= inner)
        return oi_probe_output_phase(l->chip, (uint32_t)(shifter - inner));
    return oi_probe_phase(l->chip, l->element[shifter],
                          shifter % 2 ? OI_SHIFTER_ARM_A : OI_SHIFTER_IN);
}

static void set_phase(const least *l, size_t shifter, double phase_rad)
{
    size_t inner = l->shifter_count - l->circuit->rows;

    if (shifter >= inner)
        oi_probe_set_output(l->chip, (uint32_t)(shifter - inner), oi_phase_wrap(phase_rad));
    else
        oi_probe_set(l->chip, l->element[shifter], shifter % 2 ? OI_SHIFTER_ARM_A : OI_SHIFTER_IN,
                     oi_phase_wrap(phase_rad));
}

/* other = Q e^(i phase) = (S - S at half a turn more) / 2 */
static void measure_share(const least *l, size_t shifter)
{
    double here = phase_of(l, shifter);

    set_phase(l, shifter, here + OI_PI);
    measure_all(l, l->chip, l->other);
    set_phase(l, shifter, here);
    for (size_t i = 0; i < l->count; i++)
        l->other[i] = (oi_complex){0.5 * (l->now[i].re - l->other[i].re),
                                   0.5 * (l->now[i].im - l->other[i].im)};
}

/* |P + e^(i turn) Q - T| is least at turn = arg sum conj(Q) (T - P). */
static void set_alone(const least *l, size_t shifter)
{
    oi_complex sum = {0, 0}, turn;

    measure_share(l, shifter);
    for (size_t i = 0; i < l->count; i++) {
        oi_complex q = l->other[i], p = {l->now[i].re - q.re, l->now[i].im - q.im};
        oi_complex rest =
            oi_complex_divide_unit((oi_complex){l->target[i].re - p.re, l->target[i].im - p.im}, q);

        sum.re += rest.re;
        sum.im += rest.im;
    }
    if (!(oi_complex_magnitude(sum) > 1e-12))
        return;
    turn = oi_complex_unit(sum);
    set_phase(l, shifter, phase_of(l, shifter) + atan2(turn.im, turn.re));
    for (size_t i = 0; i < l->count; i++) {
        oi_complex q = l->other[i], turned = oi_complex_multiply(q, turn);

        l->now[i].re += turned.re - q.re;
        l->now[i].im += turned.im - q.im;
    }
}

/* normal = J' J, step = J' (T - S); the largest entry of the diagonal is returned. */
static double make_normal(const least *l)
{
    size_t n = l->shifter_count, length = 2 * l->count;
    double largest = 0;

    for (size_t k = 0; k < n; k++) {
        double *row = l->jacobian + k * length;

        measure_share(l, k);
        for (size_t i = 0; i < l->count; i++) {
            row[2 * i] = -l->other[i].im;
            row[2 * i + 1] = l->other[i].re;
        }
    }
    for (size_t k = 0; k < n; k++) {
        const double *row = l->jacobian + k * length;

        l->step[k] = 0;
        for (size_t i = 0; i < l->count; i++)
            l->step[k] += row[2 * i] * (l->target[i].re - l->now[i].re) +
                          row[2 * i + 1] * (l->target[i].im - l->now[i].im);
        for (size_t m = 0; m <= k; m++) {
            const double *with = l->jacobian + m * length;
            double sum = 0;

            for (size_t i = 0; i < length; i++)
                sum += row[i] * with[i];
            l->normal[k * n + m] = l->normal[m * n + k] = sum;
        }
        largest = fmax(largest, l->normal[k * n + k]);
    }
    return largest;
}

/* Takes the step with this damping if it brings the chip closer. scratch: normal and step. */
static bool take_step(const least *l, double damping, double *scratch, double *left)
{
    size_t n = l->shifter_count;
    double *normal = scratch, *step = scratch + n * n, found;

    memcpy(normal, l->normal, n * n * sizeof *normal);
    memcpy(step, l->step, n * sizeof *step);
    for (size_t k = 0; k < n; k++)
        normal[k * n + k] += damping;
    if (LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', (lapack_int)n, 1, normal, (lapack_int)n, step, 1))
        return false;
    for (size_t k = 0; k < n; k++)
        set_phase(l, k, phase_of(l, k) + step[k]);
    measure_all(l, l->chip, l->other);
    found = distance(l, l->other);
    if (found < *left) {
        *left = found;
        memcpy(l->now, l->other, l->count * sizeof *l->now);
        return true;
    }
    for (size_t k = 0; k < n; k++)
        set_phase(l, k, phase_of(l, k) - step[k]);
    return false;
}

static void set_together(const least *l, double *scratch, double enough)
{
    double damping = 1e-3, left = distance(l, l->now);

    for (int i = 0; i < STEPS_MAX && left > enough; i++) {
        double before = left, largest = make_normal(l);
        bool taken = false;

        while (!taken && damping < DAMPING_MAX && largest > 0) {
            taken = take_step(l, damping * largest, scratch, &left);
            damping *= taken ? 0.1 : 10;
        }
        damping = fmax(damping, 1e-12);
        if (!taken || left > 0.999 * before)
            return;
    }
}

static optinc_status solve(least *l, const oi_probe *ideal)
{
    size_t n = l->shifter_count;
    double *scratch = NULL, enough = 0, before = INFINITY, left;
    int rounds = l->jacobian ? ROUNDS : LONG_ROUNDS;

    if (l->jacobian) {
        scratch = oi_allocate(n * n + n, sizeof *scratch);
        if (!scratch)
            return OPTINC_ERR_OUT_OF_MEMORY;
    }
    measure_all(l, ideal, l->target);
    for (size_t i = 0; i < l->count; i++)
        enough += l->target[i].re * l->target[i].re + l->target[i].im * l->target[i].im;
    enough *= CLOSE_ENOUGH;
    measure_all(l, l->chip, l->now);
    left = distance(l, l->now);
    for (int round = 0; round < rounds && left < 0.999 * before && left > enough; round++) {
        before = left;
        for (size_t k = n; k-- > 0;) /* the receivers first */
            set_alone(l, k);
        left = distance(l, l->now);
    }
    if (l->jacobian)
        set_together(l, scratch, enough);
    oi_free(scratch);
    return OPTINC_OK;
}

optinc_status oi_configure_inside(const optinc_circuit *circuit, oi_probe *chip,
                                  const oi_probe *ideal, const bool *inside)
{
    least l = {.circuit = circuit, .chip = chip, .count = (size_t)circuit->rows * circuit->cols};
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;
    size_t n = 0;

    l.element = oi_allocate(circuit->element_count, 2 * sizeof *l.element);
    l.input = oi_allocate(circuit->cols, sizeof *l.input);
    l.target = oi_allocate(l.count, 3 * sizeof *l.target);
    if (l.element && l.input && l.target) {
        l.now = l.target + l.count;
        l.other = l.now + l.count;
        for (size_t k = 0; k < circuit->element_count; k++)
            if (inside[k]) {
                l.element[n] = l.element[n + 1] = k;
                n += 2;
            }
        l.shifter_count = n += circuit->rows;
        status = OPTINC_OK;
    }
    if (!status && 2 * l.count * n + 2 * n * n <= JACOBIAN_MAX) {
        l.jacobian = oi_allocate(2 * l.count * n + n * n + n, sizeof *l.jacobian);
        if (!l.jacobian)
            status = OPTINC_ERR_OUT_OF_MEMORY;
    }
    if (l.jacobian) {
        l.normal = l.jacobian + 2 * l.count * n;
        l.step = l.normal + n * n;
    }
    if (!status)
        status = solve(&l, ideal);
    oi_free(l.element);
    oi_free(l.input);
    oi_free(l.target);
    oi_free(l.jacobian);
    return status;
}
