/* SPDX-License-Identifier: Apache-2.0 */
/* PAM4 eyes at the last layer's receivers. The filter is a Bessel filter of fourth order, H(s) =
 * 105 / (s^4 + 10 s^3 + 45 s^2 + 105 s + 105), whose delay is 1 and whose -3 dB point is at
 * 2.1139 rad (Thomson 1949), scaled to the receiver's bandwidth; its step response is the sum of
 * its poles' exponentials. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/philox.h"
#include "optics/cell.h"
#include "optics/photonic.h"

#define BATCH 4096u
#define SYMBOLS_DEFAULT 8192u
#define COLUMNS OPTINC_EYE_COLUMNS
#define ROWS OPTINC_EYE_ROWS
enum { CENTRE = COLUMNS / 2 };
#define TAPS_BEFORE 10 /* symbols that still show; what came before them is settled */
#define TAPS (TAPS_BEFORE + 3)
#define CORNER_RAD 2.113917675

struct optinc_eye {
    uint32_t digit_count;
    optinc_eye_digit *digits;
};

typedef struct trace {
    size_t count;
    uint32_t digits;
    double *noisy;                /* [count][digits] */
    double *quiet;                /* the same without noise */
    uint64_t *correct;            /* [count] */
    double weight[COLUMNS][TAPS]; /* of the symbols e - TAPS_BEFORE .. e + 2 */
} trace;

/* Step response at time t in units of the delay. */
static double step_response(double t)
{
    static const oi_complex poles[2] = {{-2.896210602820, 0.867234128935},
                                        {-2.103789397180, 2.657418041857}};
    double sum = 1;

    if (!(t > 0))
        return 0;
    for (int k = 0; k < 2; k++) {
        oi_complex p = poles[k], q = poles[1 - k], residue = {0, 0}, below;
        /* p (p - conj p) (p - q) (p - conj q) */
        oi_complex first = oi_complex_multiply(p, (oi_complex){0, 2 * p.im});
        oi_complex second = oi_complex_multiply((oi_complex){p.re - q.re, p.im - q.im},
                                                (oi_complex){p.re - q.re, p.im + q.im});
        double size;

        below = oi_complex_multiply(first, second);
        size = below.re * below.re + below.im * below.im;
        residue = (oi_complex){105 * below.re / size, -105 * below.im / size};
        sum += 2 * exp(p.re * t) * (residue.re * cos(p.im * t) - residue.im * sin(p.im * t));
    }
    return sum;
}

/* Symbol i is held from i to i + 1; decided on symbol e at e + 1/2 and the filter's delay. Value i
 * counts by the difference of its two edges' responses. */
static void make_weights(trace *t, const optinc_device *device)
{
    double delays_per_symbol =
        OI_TWO_PI * device->receiver_bandwidth_ghz / device->symbol_rate_gbaud / CORNER_RAD;

    for (uint32_t c = 0; c < COLUMNS; c++) {
        double u = ((double)c - CENTRE) / CENTRE + 0.5;

        for (int k = 0; k < TAPS; k++) {
            double since = u - (k - TAPS_BEFORE);
            double risen = k == 0 ? 1 : step_response(since * delays_per_symbol + 1);
            double gone = step_response((since - 1) * delays_per_symbol + 1);

            t->weight[c][k] = risen - gone;
        }
    }
}

static double filtered(const trace *t, const double *values, size_t e, uint32_t digit,
                       uint32_t column)
{
    const double *weight = t->weight[column];
    double sum = 0;

    for (size_t k = 0; k < TAPS; k++)
        sum += weight[k] * values[(e + k - TAPS_BEFORE) * t->digits + digit];
    return sum;
}

static double tail(double x)
{
    return 0.5 * erfc(x / sqrt(2));
}

/* Chance that noise of this size takes a value beyond the thresholds of its digit. */
static double error_chance(double value, unsigned digit, double noise)
{
    double below = value - ((double)digit - 0.5), above = (double)digit + 0.5 - value, sum = 0;

    if (digit > 0)
        sum += noise > 0 ? tail(below / noise) : below < 0;
    if (digit < 3)
        sum += noise > 0 ? tail(above / noise) : above < 0;
    return fmin(sum, 1);
}

static unsigned decide(double value)
{
    return (unsigned)(value >= 0.5) + (unsigned)(value >= 1.5) + (unsigned)(value >= 2.5);
}

static unsigned correct_digit(const trace *t, size_t e, uint32_t digit)
{
    return (unsigned)(t->correct[e] >> (2 * digit)) & 3u;
}

/* Levels, noise and errors at the instant of decision. */
static void measure_levels(const trace *t, uint32_t digit, optinc_eye_digit *eye)
{
    double sum[4] = {0}, square[4] = {0}, noise[4] = {0}, chance = 0;
    size_t used = 0;

    for (size_t e = TAPS_BEFORE; e + 2 < t->count; e++) {
        unsigned level = correct_digit(t, e, digit);
        double value = filtered(t, t->noisy, e, digit, CENTRE);
        double quiet = filtered(t, t->quiet, e, digit, CENTRE);

        eye->symbols[level]++;
        sum[level] += value;
        square[level] += value * value;
        noise[level] += (value - quiet) * (value - quiet);
        eye->symbol_errors += decide(value) != level;
    }
    for (int k = 0; k < 4; k++) {
        double n = (double)eye->symbols[k];

        eye->mean[k] = sum[k] / n;
        eye->spread[k] = sqrt(fmax(square[k] / n - eye->mean[k] * eye->mean[k], 0));
        eye->noise[k] = sqrt(noise[k] / n);
    }
    for (size_t e = TAPS_BEFORE; e + 2 < t->count; e++, used++) {
        unsigned level = correct_digit(t, e, digit);

        chance += error_chance(filtered(t, t->quiet, e, digit, CENTRE), level, eye->noise[level]);
    }
    eye->error_rate = chance / (double)used;
}

/* Density, and for every threshold and column the lowest trace that belongs above and the highest
 * that belongs below. */
static void measure_opening(const trace *t, uint32_t digit, optinc_eye_digit *eye)
{
    double lowest[3][COLUMNS], highest[3][COLUMNS];

    for (int k = 0; k < 3; k++)
        for (uint32_t c = 0; c < COLUMNS; c++) {
            lowest[k][c] = INFINITY;
            highest[k][c] = -INFINITY;
        }
    for (size_t e = TAPS_BEFORE; e + 2 < t->count; e++) {
        int level = (int)correct_digit(t, e, digit);

        for (uint32_t c = 0; c < COLUMNS; c++) {
            double value = filtered(t, t->noisy, e, digit, c), row = (4 - value) * (ROWS / 5.0);

            if (row >= 0 && row < ROWS)
                eye->density[(uint32_t)row][c]++;
            for (int k = 0; k < 3; k++) {
                if (level > k)
                    lowest[k][c] = fmin(lowest[k][c], value);
                else
                    highest[k][c] = fmax(highest[k][c], value);
            }
        }
    }
    for (int k = 0; k < 3; k++) {
        uint32_t open = 0;

        eye->height[k] = lowest[k][CENTRE] - highest[k][CENTRE];
        for (uint32_t c = CENTRE; c < COLUMNS && lowest[k][c] > k + 0.5 && highest[k][c] < k + 0.5;
             c++)
            open++;
        for (uint32_t c = CENTRE;
             open > 0 && c-- > 0 && lowest[k][c] > k + 0.5 && highest[k][c] < k + 0.5;)
            open++;
        eye->width[k] = fmin((double)open / CENTRE, 1);
    }
}

static optinc_status draw_batch(const oi_photonic *photonic, const optinc_eye_options *options,
                                size_t first, size_t count, size_t stride, uint8_t *symbols,
                                uint64_t *codes, uint64_t *totals)
{
    const optinc_spec *spec = &photonic->unit->spec;
    uint64_t largest = oi_largest_code(spec);
    optinc_status status = OPTINC_OK;

    memset(totals, 0, count * sizeof *totals);
    for (uint32_t port = 0; port < spec->ports && !status; port++) {
        for (size_t i = 0; i < count; i++) {
            uint32_t word[4];

            oi_philox(options->seed, port, first + i, OI_PURPOSE_SAMPLE, word);
            codes[i] = (((uint64_t)word[0] << 32) | word[1]) % (largest + 1);
            totals[i] += codes[i];
        }
        status = optinc_symbols_pack(spec->bits_in, codes, count, symbols + port * stride);
    }
    return status;
}

static optinc_status run_codes(const oi_photonic *photonic, const oi_photonic_chip *chip,
                               const optinc_eye_options *options, trace *t)
{
    const optinc_spec *spec = &photonic->unit->spec;
    size_t stride = (size_t)BATCH / 8 * spec->bits_in;
    uint8_t *symbols = oi_allocate(spec->ports, stride);
    uint64_t *codes = oi_allocate(BATCH, 2 * sizeof *codes);
    void *scratch = oi_allocate(oi_photonic_scratch_size(photonic), 1);
    optinc_status status = symbols && codes && scratch ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    for (size_t first = 0; first < t->count && !status; first += BATCH) {
        size_t count = t->count - first < BATCH ? t->count - first : BATCH;
        optinc_batch batch = {.symbols = symbols,
                              .port_stride_bytes = stride,
                              .port_count = spec->ports,
                              .element_count = count,
                              .stream = {.seed = options->seed, .element_first = first},
                              .scratch = scratch};
        double *noisy = t->noisy + first * t->digits, *quiet = t->quiet + first * t->digits;

        status = draw_batch(photonic, options, first, count, stride, symbols, codes, codes + BATCH);
        if (!status)
            status = oi_photonic_receive(photonic, chip, &batch, true, noisy);
        if (!status)
            status = oi_photonic_receive(photonic, chip, &batch, false, quiet);
        for (size_t i = 0; i < count && !status; i++) {
            uint64_t offset = 0;

            if (spec->variant == OPTINC_VARIANT_STOCHASTIC)
                offset = optinc_reference_offset(spec, &batch.stream, first + i);
            t->correct[first + i] = optinc_reference_result(spec, codes[BATCH + i], offset);
        }
    }
    oi_free(symbols);
    oi_free(codes);
    oi_free(scratch);
    return status;
}

static optinc_status run_chip(const oi_photonic *photonic, const optinc_eye_options *options,
                              optinc_eye *eye)
{
    trace *t = oi_allocate(1, sizeof *t);
    oi_photonic_chip *chip = NULL;
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (!t)
        return status;
    t->count = options->symbol_count ? options->symbol_count : SYMBOLS_DEFAULT;
    t->digits = eye->digit_count;
    t->noisy = oi_allocate(t->count, t->digits * sizeof *t->noisy);
    t->quiet = oi_allocate(t->count, t->digits * sizeof *t->quiet);
    t->correct = oi_allocate(t->count, sizeof *t->correct);
    if (t->noisy && t->quiet && t->correct)
        status = oi_photonic_chip_create(photonic, &options->photonic, options->photonic.chip_first,
                                         &chip);
    if (!status)
        status = run_codes(photonic, chip, options, t);
    if (!status)
        make_weights(t, &options->photonic.device);
    for (uint32_t j = 0; j < t->digits && !status; j++) {
        measure_levels(t, j, &eye->digits[j]);
        measure_opening(t, j, &eye->digits[j]);
    }
    oi_photonic_chip_destroy(&chip);
    oi_free(t->noisy);
    oi_free(t->quiet);
    oi_free(t->correct);
    oi_free(t);
    return status;
}

void optinc_eye_destroy(optinc_eye **eye)
{
    if (!eye || !*eye)
        return;
    oi_free((*eye)->digits);
    oi_free(*eye);
    *eye = NULL;
}

optinc_status optinc_eye_create(const optinc_design *design, const optinc_eye_options *options,
                                const optinc_log *log, optinc_eye **eye)
{
    oi_photonic *photonic = NULL;
    optinc_eye *made = NULL;
    optinc_status status;

    if (!eye)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *eye = NULL;
    if (!design || !options)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (options->level >= optinc_design_level_count(design))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "level: found %u, expected 0 to %u as in the design", options->level,
                       optinc_design_level_count(design) - 1);
    if (options->symbol_count && (options->symbol_count < 64 || options->symbol_count > 65536))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "eye: %u symbols, 64 to 65,536 expected",
                       options->symbol_count);
    status = oi_photonic_create(optinc_design_unit(design, options->level), &options->photonic, log,
                                &photonic);
    if (status)
        return status;
    made = oi_allocate(1, sizeof *made);
    if (made) {
        made->digit_count = photonic->digits_out;
        made->digits = oi_allocate(made->digit_count, sizeof *made->digits);
    }
    status = made && made->digits ? run_chip(photonic, options, made) : OPTINC_ERR_OUT_OF_MEMORY;
    if (status)
        optinc_eye_destroy(&made);
    *eye = made;
    oi_photonic_destroy(&photonic);
    return status;
}

uint32_t optinc_eye_digit_count(const optinc_eye *eye)
{
    return eye->digit_count;
}

const optinc_eye_digit *optinc_eye_digit_at(const optinc_eye *eye, uint32_t digit)
{
    return &eye->digits[digit];
}
