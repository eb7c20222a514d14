/* SPDX-License-Identifier: Apache-2.0 */
/* Self-configuration (Hamerly, Bandyopadhyay, Englund, arXiv 2106.04363 and 2106.03249): the
 * phases of a chip whose errors are not known are found by measuring its outputs, cell by cell,
 * each by nulling: which null holds depends on the ratio of two amplitudes alone, so that
 * neither losses nor the cells still to be set matter, and what an earlier cell could not reach
 * is not amplified.
 *
 * Cells with such cells alone before them (a first mesh V*, fan-in trees) are set in the order
 * of light. The light that should leave cell k by its port q alone enters the chip; what then
 * leaves by the other port p is what the outputs change by when a shifter behind p turns by pi.
 * Two shifters, the inner one and the one at the input, null it. Cells with such alone behind
 * them (a second mesh U, fan-out trees) are set in the opposite order: light from the cell's
 * input shifter must not reach the pattern of outputs that belongs to the cell's other input;
 * the inner shifter and a turn of the light behind port b null it. As f = A + B x + C y + D x y,
 * x = e^(i theta), y = e^(i phi), four settings tell the null: |A + B x| = |C + D x|, or the
 * nearest where unequal couplers leave none.
 *
 * What neither way can see (attenuators, sums and shares in the middle of direct circuits) and
 * the receivers' phases follow by least squares (configure_inside.c). */
#include <string.h>

#include "base/memory.h"
#include "optics/probe.h"

#define ISOMETRY_TOLERANCE 1e-6
#define LINE_SEARCHES 12
#define ELEMENTS_MAX 20000u /* eight measurements a cell, each through all of them */

typedef enum place { PLACE_INSIDE = 0, PLACE_FRONT, PLACE_BACK } place;

typedef struct configuring {
    const optinc_circuit *circuit;
    oi_probe *chip;
    oi_probe *ideal;    /* no faults but the known losses */
    place *places;      /* [element_count] */
    double (*reach)[2]; /* [element_count] the ideal chip's |light| at the outputs from each port */
    oi_complex *patterns; /* [mode_count][width] */
    oi_complex *vectors;  /* [6][width] scratch */
    size_t width;         /* of rows and cols the larger */
} configuring;

static oi_complex *pattern_of(const configuring *c, uint32_t mode)
{
    return c->patterns + mode * c->width;
}

/* <u, v> = sum conj(u) v */
static oi_complex dot(size_t count, const oi_complex *u, const oi_complex *v)
{
    oi_complex sum = {0, 0};

    for (size_t i = 0; i < count; i++) {
        sum.re += u[i].re * v[i].re + u[i].im * v[i].im;
        sum.im += u[i].re * v[i].im - u[i].im * v[i].re;
    }
    return sum;
}

static double square_of(size_t count, const oi_complex *u)
{
    return dot(count, u, u).re;
}

/* out = p u + q v */
static void combine(size_t count, oi_complex p, const oi_complex *u, oi_complex q,
                    const oi_complex *v, oi_complex *out)
{
    for (size_t i = 0; i < count; i++) {
        oi_complex x = oi_complex_multiply(p, u[i]), y = oi_complex_multiply(q, v[i]);

        out[i] = (oi_complex){x.re + y.re, x.im + y.im};
    }
}

/* Equal norms other than zero, at right angles. */
static bool isometric(size_t count, const oi_complex *u, const oi_complex *v)
{
    double a = square_of(count, u), b = square_of(count, v);

    return a > ISOMETRY_TOLERANCE && fabs(a - b) <= ISOMETRY_TOLERANCE * a &&
           oi_complex_magnitude(dot(count, u, v)) <= ISOMETRY_TOLERANCE * a;
}

/* From what the inputs put on the modes in front of an element to what they put behind it. */
static void pass_forward(const configuring *c, const oi_probe *probe, size_t k)
{
    const optinc_element *e = &c->circuit->elements[k];
    const oi_matrix2 *m = oi_probe_element(probe, k);
    oi_complex *a = pattern_of(c, e->mode_a), *b = pattern_of(c, e->mode_b), *copy = c->vectors;

    memcpy(copy, a, c->circuit->cols * sizeof *copy);
    combine(c->circuit->cols, m->m[0][0], copy, m->m[0][1], b, a);
    combine(c->circuit->cols, m->m[1][0], copy, m->m[1][1], b, b);
}

/* From what light behind an element does at the outputs to what light in front of it does. */
static void pass_backward(const configuring *c, const oi_probe *probe, size_t k)
{
    const optinc_element *e = &c->circuit->elements[k];
    const oi_matrix2 *m = oi_probe_element(probe, k);
    oi_complex *a = pattern_of(c, e->mode_a), *b = pattern_of(c, e->mode_b), *copy = c->vectors;

    memcpy(copy, a, c->circuit->rows * sizeof *copy);
    combine(c->circuit->rows, m->m[0][0], copy, m->m[1][0], b, a);
    combine(c->circuit->rows, m->m[0][1], copy, m->m[1][1], b, b);
}

static void start_forward(const configuring *c)
{
    memset(c->patterns, 0, c->circuit->mode_count * c->width * sizeof *c->patterns);
    for (uint32_t j = 0; j < c->circuit->cols; j++)
        pattern_of(c, c->circuit->input_mode[j])[j].re = 1;
}

static void start_backward(const configuring *c, const oi_probe *probe)
{
    memset(c->patterns, 0, c->circuit->mode_count * c->width * sizeof *c->patterns);
    for (uint32_t r = 0; r < c->circuit->rows; r++)
        pattern_of(c, c->circuit->output_mode[r])[r] = oi_probe_output_turn(probe, r);
}

/* Which cells can be set from the inputs, which from the outputs: those that without loss see two
 * patterns at right angles, behind (before) cells of the same sort alone. */
static void find_places(const configuring *c, const oi_probe *lossless, bool *open)
{
    const optinc_circuit *circuit = c->circuit;

    memset(open, 0, circuit->mode_count * sizeof *open);
    for (uint32_t j = 0; j < circuit->cols; j++)
        open[circuit->input_mode[j]] = true;
    start_forward(c);
    for (size_t k = 0; k < circuit->element_count; k++) {
        const optinc_element *e = &circuit->elements[k];
        const oi_complex *a = pattern_of(c, e->mode_a), *b = pattern_of(c, e->mode_b);
        bool both = open[e->mode_a] && open[e->mode_b];

        if (e->splitter)
            both = (open[e->mode_a] || square_of(circuit->cols, a) == 0) &&
                   (open[e->mode_b] || square_of(circuit->cols, b) == 0);
        else if (both && isometric(circuit->cols, a, b))
            c->places[k] = PLACE_FRONT;
        else
            both = false;
        open[e->mode_a] = open[e->mode_b] = both;
        pass_forward(c, lossless, k);
    }
    memset(open, 0, circuit->mode_count * sizeof *open);
    for (uint32_t r = 0; r < circuit->rows; r++)
        open[circuit->output_mode[r]] = true;
    start_backward(c, lossless);
    for (size_t k = circuit->element_count; k-- > 0;) {
        const optinc_element *e = &circuit->elements[k];
        const oi_complex *a = pattern_of(c, e->mode_a), *b = pattern_of(c, e->mode_b);
        bool both = open[e->mode_a] && open[e->mode_b] && !e->splitter;

        c->reach[k][0] = square_of(circuit->rows, a);
        c->reach[k][1] = square_of(circuit->rows, b);
        both = both && isometric(circuit->rows, a, b);
        if (both && c->places[k] == PLACE_INSIDE)
            c->places[k] = PLACE_BACK;
        open[e->mode_a] = open[e->mode_b] = both;
        pass_backward(c, lossless, k);
    }
}

static double angle_between(double a, double b)
{
    return fabs(remainder(a - b, OI_TWO_PI));
}

static oi_complex add(oi_complex a, oi_complex b)
{
    return (oi_complex){a.re + b.re, a.im + b.im};
}

/* the angle of -a / b */
static double against(oi_complex a, oi_complex b)
{
    oi_complex ratio = oi_complex_divide_unit(a, b);

    return atan2(-ratio.im, -ratio.re);
}

static double square(oi_complex a)
{
    return a.re * a.re + a.im * a.im;
}

/* theta, phi of the least |A + B x + C y + D x y|, from f[i][j], measured at theta = pi i and
 * phi = pi j; of two nulls the one nearer to theta_rad as it is. */
static void solve_null(oi_complex f[2][2], double *theta_rad, double *phi_rad)
{
    oi_complex a, b, c, d, z, x, y, top, bottom;
    double here = *theta_rad, size, wanted, middle, reach;

    a = (oi_complex){0.25 * (f[0][0].re + f[1][0].re + f[0][1].re + f[1][1].re),
                     0.25 * (f[0][0].im + f[1][0].im + f[0][1].im + f[1][1].im)};
    b = (oi_complex){0.25 * (f[0][0].re - f[1][0].re + f[0][1].re - f[1][1].re),
                     0.25 * (f[0][0].im - f[1][0].im + f[0][1].im - f[1][1].im)};
    c = (oi_complex){0.25 * (f[0][0].re + f[1][0].re - f[0][1].re - f[1][1].re),
                     0.25 * (f[0][0].im + f[1][0].im - f[0][1].im - f[1][1].im)};
    d = (oi_complex){0.25 * (f[0][0].re - f[1][0].re - f[0][1].re + f[1][1].re),
                     0.25 * (f[0][0].im - f[1][0].im - f[0][1].im + f[1][1].im)};
    /* Re(x z) = wanted, z = conj(A) B - conj(C) D */
    z = oi_complex_divide_unit(b, a);
    y = oi_complex_divide_unit(d, c);
    z = (oi_complex){z.re - y.re, z.im - y.im};
    size = oi_complex_magnitude(z);
    wanted = 0.5 * (square(c) + square(d) - square(a) - square(b));
    if (size > 0) {
        middle = -atan2(z.im, z.re);
        reach = acos(fmax(-1, fmin(1, wanted / size)));
        *theta_rad = angle_between(middle + reach, here) < angle_between(middle - reach, here)
                         ? middle + reach
                         : middle - reach;
    }
    for (int i = 0; i < LINE_SEARCHES; i++) {
        x = oi_complex_polar(*theta_rad);
        top = add(a, oi_complex_multiply(b, x));
        bottom = add(c, oi_complex_multiply(d, x));
        *phi_rad = against(top, bottom);
        if (fabs(wanted) <= size)
            return; /* a null, and exact */
        y = oi_complex_polar(*phi_rad);
        top = add(a, oi_complex_multiply(c, y));
        bottom = add(b, oi_complex_multiply(d, y));
        *theta_rad = against(top, bottom);
    }
}

/* The null that sets a cell: `vector` is the input light, or the outputs' weights. */
typedef struct nulling {
    size_t element;
    bool front;
    uint32_t mode; /* FRONT: of the port whose light is measured; BACK: where light is turned */
    const oi_complex *vector;
    size_t count; /* of the measured values */
} nulling;

/* What the dithered shifter passes, at phases theta_rad and phi_rad. */
static void measure(const configuring *c, const nulling *n, double theta_rad, double phi_rad,
                    oi_complex *found, oi_complex *scratch)
{
    double in_rad = oi_probe_phase(c->chip, n->element, OI_SHIFTER_IN);

    oi_probe_set(c->chip, n->element, OI_SHIFTER_ARM_A, theta_rad);
    if (n->front) {
        oi_probe_set(c->chip, n->element, OI_SHIFTER_IN, phi_rad);
        oi_probe_send(c->chip, n->vector, found);
        (void)oi_probe_turn(c->chip, n->element, n->mode, OI_PI);
        oi_probe_send(c->chip, n->vector, scratch);
        (void)oi_probe_turn(c->chip, n->element, n->mode, -OI_PI);
    } else {
        (void)oi_probe_turn(c->chip, n->element, n->mode, phi_rad);
        oi_probe_collect(c->chip, n->vector, found);
        oi_probe_set(c->chip, n->element, OI_SHIFTER_IN, in_rad + OI_PI);
        oi_probe_collect(c->chip, n->vector, scratch);
        oi_probe_set(c->chip, n->element, OI_SHIFTER_IN, in_rad);
        (void)oi_probe_turn(c->chip, n->element, n->mode, -phi_rad);
    }
    for (size_t i = 0; i < n->count; i++)
        found[i] = (oi_complex){found[i].re - scratch[i].re, found[i].im - scratch[i].im};
}

static void set_null(const configuring *c, const nulling *n)
{
    double theta_rad = oi_probe_phase(c->chip, n->element, OI_SHIFTER_ARM_A), phi_rad = 0;
    double in_rad = oi_probe_phase(c->chip, n->element, OI_SHIFTER_IN), most = 0;
    oi_complex *found[4], *scratch = c->vectors + 5 * c->width, f[2][2];
    size_t strongest = 0;

    for (size_t i = 0; i < 4; i++) {
        double power;

        found[i] = c->vectors + (1 + i) * c->width;
        measure(c, n, i & 1 ? OI_PI : 0, i & 2 ? OI_PI : 0, found[i], scratch);
        power = square_of(n->count, found[i]);
        if (power > most) {
            most = power;
            strongest = i;
        }
    }
    for (size_t i = 0; i < 4; i++)
        f[i & 1][i >> 1] = dot(n->count, found[strongest], found[i]);
    if (most > 0) {
        solve_null(f, &theta_rad, &phi_rad);
        if (!n->front)
            (void)oi_probe_turn(c->chip, n->element, n->mode, phi_rad);
        else
            in_rad = phi_rad;
    }
    oi_probe_set(c->chip, n->element, OI_SHIFTER_ARM_A, oi_phase_wrap(theta_rad));
    oi_probe_set(c->chip, n->element, OI_SHIFTER_IN, oi_phase_wrap(in_rad));
}

/* vector = conj(v - u <u, v> / |u|^2), of norm 1: what u lets nothing pass of. False if v is u. */
static bool aside(size_t count, const oi_complex *u, const oi_complex *v, oi_complex *vector)
{
    double own = square_of(count, u), left;
    oi_complex share = dot(count, u, v);

    if (!(own > 0))
        return false;
    combine(count, (oi_complex){-share.re / own, -share.im / own}, u, (oi_complex){1, 0}, v,
            vector);
    left = sqrt(square_of(count, vector));
    for (size_t i = 0; i < count && left > 0; i++)
        vector[i] = (oi_complex){vector[i].re / left, -vector[i].im / left};
    return left > ISOMETRY_TOLERANCE;
}

static void set_front(const configuring *c)
{
    const optinc_circuit *circuit = c->circuit;

    start_forward(c);
    for (size_t k = 0; k < circuit->element_count; k++) {
        const optinc_element *e = &circuit->elements[k];
        uint32_t port = c->reach[k][1] > c->reach[k][0], mode = port ? e->mode_b : e->mode_a;
        nulling n = {k, true, mode, c->vectors, circuit->rows};

        pass_forward(c, c->ideal, k);
        if (c->places[k] != PLACE_FRONT || !(c->reach[k][port] > 0) ||
            !oi_probe_turn(c->chip, k, mode, OI_PI))
            continue;
        (void)oi_probe_turn(c->chip, k, mode, -OI_PI);
        if (aside(circuit->cols, pattern_of(c, mode), pattern_of(c, port ? e->mode_a : e->mode_b),
                  c->vectors))
            set_null(c, &n);
    }
}

static void set_back(const configuring *c)
{
    const optinc_circuit *circuit = c->circuit;

    start_backward(c, c->ideal);
    for (size_t k = circuit->element_count; k-- > 0;) {
        const optinc_element *e = &circuit->elements[k];
        nulling n = {k, false, e->mode_b, c->vectors, circuit->cols};

        pass_backward(c, c->ideal, k);
        if (c->places[k] == PLACE_BACK && oi_probe_turn(c->chip, k, n.mode, OI_PI)) {
            (void)oi_probe_turn(c->chip, k, n.mode, -OI_PI);
            if (aside(circuit->rows, pattern_of(c, e->mode_a), pattern_of(c, e->mode_b),
                      c->vectors))
                set_null(c, &n);
        }
    }
}

/* A chip with no faults; its losses those of the device, or none (NULL). */
static optinc_status create_ideal(const optinc_circuit *circuit, const optinc_device *device,
                                  oi_element_fault *none, oi_probe **probe)
{
    const optinc_device lossless = optinc_device_ideal();

    for (size_t i = 0; i < circuit->element_count + circuit->rows; i++) {
        none[i] = (oi_element_fault){0};
        oi_set_losses(circuit, device ? device : &lossless, (const double[3]){0}, i, &none[i]);
    }
    return oi_probe_create(circuit, none, probe);
}

static optinc_status configure(configuring *c, const optinc_device *device, bool *open,
                               bool *inside, oi_element_fault *none)
{
    oi_probe *lossless = NULL;
    optinc_status status = create_ideal(c->circuit, NULL, none, &lossless);

    if (!status)
        find_places(c, lossless, open);
    oi_probe_destroy(&lossless);
    if (!status)
        status = create_ideal(c->circuit, device, none, &c->ideal);
    if (status)
        return status;
    set_front(c);
    set_back(c);
    for (size_t k = 0; k < c->circuit->element_count; k++)
        inside[k] = c->places[k] == PLACE_INSIDE && !c->circuit->elements[k].splitter;
    return oi_configure_inside(c->circuit, c->chip, c->ideal, inside);
}

optinc_status oi_configure_setting(const optinc_circuit *circuit, const oi_element_fault *faults,
                                   const optinc_device *device, oi_setting *setting)
{
    size_t count = circuit->element_count, width = circuit->rows;
    configuring c = {.circuit = circuit};
    bool *open = oi_allocate(circuit->mode_count, sizeof *open);
    bool *inside = oi_allocate(count, sizeof *inside);
    oi_element_fault *none = oi_allocate(count + circuit->rows, sizeof *none);
    double *wanted_rad = oi_allocate(count, 3 * sizeof *wanted_rad);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (count > ELEMENTS_MAX)
        status = OPTINC_ERR_UNSUPPORTED;
    c.width = circuit->cols > width ? circuit->cols : width;
    c.places = oi_allocate(count, sizeof *c.places);
    c.reach = oi_allocate(count, sizeof *c.reach);
    c.patterns = oi_allocate(circuit->mode_count * c.width, sizeof *c.patterns);
    c.vectors = oi_allocate(6 * c.width, sizeof *c.vectors);
    if (status != OPTINC_ERR_UNSUPPORTED && open && inside && none && wanted_rad && c.places &&
        c.reach && c.patterns && c.vectors)
        status = oi_probe_create(circuit, faults, &c.chip);
    if (!status)
        status = configure(&c, device, open, inside, none);
    for (size_t i = 0; i < count && !status; i++)
        for (int k = 0; k < 3; k++)
            wanted_rad[3 * i + (size_t)k] = oi_probe_phase(c.chip, i, k);
    for (uint32_t r = 0; r < circuit->rows && !status; r++)
        setting->output_rad[r] = oi_probe_output_phase(c.chip, r);
    if (!status)
        oi_tell_heaters(circuit, NULL, device->crosstalk, setting->element_rad, wanted_rad);
    oi_probe_destroy(&c.chip);
    oi_probe_destroy(&c.ideal);
    oi_free(open);
    oi_free(inside);
    oi_free(none);
    oi_free(wanted_rad);
    oi_free(c.places);
    oi_free(c.reach);
    oi_free(c.patterns);
    oi_free(c.vectors);
    return status;
}
