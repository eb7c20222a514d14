/* SPDX-License-Identifier: Apache-2.0 */
/* Monte Carlo over chips and codes. Every chip draws its faults by its number, every code and its
 * noise by their index, so the counts are the same for any number of threads. */
#include <math.h>
#include <omp.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/threads.h"
#include "optics/photonic.h"

#define BATCH 4096u
#define BISECTIONS 10

typedef struct job {
    const oi_photonic *photonic;
    const optinc_simulate_options *options;
    uint64_t code_max;
    bool all_codes; /* code_max + 1 is 2^bits_in: packed symbols are random bits */
    size_t stride;
    size_t result_size;
} job;

typedef struct worker {
    uint8_t *symbols; /* [ports][stride] */
    uint8_t *result;
    uint8_t *scratch;
    uint64_t *codes;  /* [BATCH] */
    uint64_t *totals; /* [BATCH] */
    uint32_t *words;  /* [max(2 BATCH, stride / 4)] */
} worker;

typedef struct tally {
    uint64_t symbol_errors;
    uint64_t code_errors;
    uint64_t digit_errors[28];
    uint64_t error_sizes[OPTINC_ERROR_SIZES];
} tally;

optinc_simulate_options optinc_simulate_defaults(void)
{
    return (optinc_simulate_options){.photonic = optinc_photonic_defaults(),
                                     .trials = 1000,
                                     .codes_per_trial = 10000,
                                     .target_error_rate = 1e-4};
}

uint64_t oi_largest_code(const optinc_spec *spec)
{
    uint64_t all = (UINT64_C(1) << spec->bits_in) - 1;
    unsigned __int128 top = (unsigned __int128)1 << (spec->bits_out + spec->divisor_log2);
    unsigned __int128 room;

    top -= spec->divisor_log2 ? (unsigned __int128)1 << spec->divisor_log2 : 1;
    if (spec->variant == OPTINC_VARIANT_HALF_UP && spec->divisor_log2)
        top += ((unsigned __int128)1 << spec->divisor_log2) / 2 - 1;
    room = top / spec->ports;
    return room < all ? (uint64_t)room : all;
}

static void destroy_worker(worker *w)
{
    oi_free(w->symbols);
    oi_free(w->result);
    oi_free(w->scratch);
    oi_free(w->codes);
    oi_free(w->totals);
    oi_free(w->words);
}

static bool create_worker(const job *j, worker *w)
{
    size_t word_count = j->stride / 4 > 2 * (size_t)BATCH ? j->stride / 4 : 2 * (size_t)BATCH;

    *w = (worker){
        .symbols = oi_allocate(j->photonic->unit->spec.ports, j->stride),
        .result = oi_allocate(j->result_size, 1),
        .scratch = oi_allocate(oi_photonic_scratch_size(j->photonic), 1),
        .codes = oi_allocate(BATCH, sizeof(uint64_t)),
        .totals = oi_allocate(BATCH, sizeof(uint64_t)),
        .words = oi_allocate(word_count, sizeof(uint32_t)),
    };
    return w->symbols && w->result && w->scratch && w->codes && w->totals && w->words;
}

/* Random codes of every port from message element `first` on, and their totals. */
static optinc_status draw_codes(const job *j, worker *w, uint64_t first, size_t count)
{
    const optinc_spec *spec = &j->photonic->unit->spec;
    optinc_status status = OPTINC_OK;

    memset(w->totals, 0, count * sizeof *w->totals);
    for (uint32_t port = 0; port < spec->ports && !status; port++) {
        uint8_t *symbols = w->symbols + port * j->stride;

        if (j->all_codes) {
            oi_philox_words(j->options->seed, port, first / 32 * spec->bits_in, j->stride / 4,
                            OI_PURPOSE_SAMPLE, w->words);
            memcpy(symbols, w->words, j->stride);
            status = optinc_symbols_unpack(spec->bits_in, symbols, count, w->codes);
        } else {
            oi_philox_words(j->options->seed, port, 2 * first, 2 * count, OI_PURPOSE_SAMPLE,
                            w->words);
            for (size_t i = 0; i < count; i++)
                w->codes[i] =
                    (((uint64_t)w->words[2 * i] << 32) | w->words[2 * i + 1]) % (j->code_max + 1);
            status = optinc_symbols_pack(spec->bits_in, w->codes, count, symbols);
        }
        for (size_t i = 0; i < count && !status; i++)
            w->totals[i] += w->codes[i];
    }
    return status;
}

static void compare(const job *j, const optinc_stream *stream, const worker *w, size_t count,
                    tally *t)
{
    const optinc_spec *spec = &j->photonic->unit->spec;

    for (size_t i = 0; i < count; i++) {
        uint64_t offset = 0, expected, wrong, size;
        uint32_t magnitude = 0;

        if (spec->variant == OPTINC_VARIANT_STOCHASTIC)
            offset = optinc_reference_offset(spec, stream, stream->element_first + i);
        expected = optinc_reference_result(spec, w->totals[i], offset);
        wrong = expected ^ w->codes[i];
        if (wrong == 0) {
            t->error_sizes[0]++;
            continue;
        }
        t->code_errors++;
        for (uint32_t k = 0; wrong; k++, wrong >>= 2)
            if (wrong & 3u) {
                t->digit_errors[k]++;
                t->symbol_errors++;
            }
        size = expected > w->codes[i] ? expected - w->codes[i] : w->codes[i] - expected;
        for (; size; size >>= 1)
            magnitude++;
        t->error_sizes[magnitude]++;
    }
}

/* Elements [first, first + count) of trial `trial`; first is a multiple of BATCH. */
static optinc_status run_batch(const job *j, const oi_photonic_chip *chip, worker *w,
                               uint64_t trial, uint64_t first, size_t count, tally *t)
{
    /* Trials start at multiples of BATCH: their codes and noise are their own. */
    uint64_t trial_size = (j->options->codes_per_trial + BATCH - 1) / BATCH * BATCH;
    optinc_batch batch = {
        .symbols = w->symbols,
        .port_stride_bytes = j->stride,
        .port_count = j->photonic->unit->spec.ports,
        .result = w->result,
        .element_count = count,
        .stream = {.seed = j->options->seed, .element_first = trial * trial_size + first},
        .scratch = w->scratch};
    optinc_status status = draw_codes(j, w, batch.stream.element_first, count);

    if (!status)
        status = oi_photonic_reduce(j->photonic, chip, &batch);
    if (!status)
        status =
            optinc_symbols_unpack(j->photonic->unit->spec.bits_out, w->result, count, w->codes);
    if (!status)
        compare(j, &batch.stream, w, count, t);
    return status;
}

static void add_tally(tally *sum, const tally *t)
{
    sum->symbol_errors += t->symbol_errors;
    sum->code_errors += t->code_errors;
    for (size_t i = 0; i < 28; i++)
        sum->digit_errors[i] += t->digit_errors[i];
    for (size_t i = 0; i < OPTINC_ERROR_SIZES; i++)
        sum->error_sizes[i] += t->error_sizes[i];
}

static optinc_status run_trial(const job *j, worker *w, uint64_t trial, uint64_t part,
                               uint64_t part_count, tally *t)
{
    const optinc_simulate_options *options = j->options;
    oi_photonic_chip *chip = NULL;
    optinc_status status = oi_photonic_chip_create(
        j->photonic, &options->photonic, options->photonic.chip_first + (uint32_t)trial, &chip);
    uint64_t batches = (options->codes_per_trial + BATCH - 1) / BATCH;

    for (uint64_t b = part; b < batches && !status; b += part_count) {
        uint64_t left = options->codes_per_trial - b * BATCH;

        status = run_batch(j, chip, w, trial, b * BATCH, left < BATCH ? (size_t)left : BATCH, t);
    }
    oi_photonic_chip_destroy(&chip);
    return status;
}

/* Few trials are cut into parts, so that all threads work; a part compiles its chip again. */
static optinc_status run_all(const job *j, int threads, const optinc_progress *progress, tally *sum,
                             uint64_t *trial_errors)
{
    uint64_t trials = j->options->trials, parts = 1, done = 0;
    uint64_t batches = (j->options->codes_per_trial + BATCH - 1) / BATCH;
    optinc_status status = OPTINC_OK;

    while (trials * parts < 4 * (uint64_t)threads && parts < batches)
        parts++;
    /* The calling thread may be given no trial at all: it asks once before. */
    if (progress && progress->report && !progress->report(progress->user, 0, trials * parts))
        return OPTINC_ERR_INTERRUPTED;
#pragma omp parallel num_threads(threads)
    {
        worker w;
        tally own = {0};
        optinc_status mine = create_worker(j, &w) ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

#pragma omp for schedule(dynamic)
        for (uint64_t k = 0; k < trials * parts; k++) {
            optinc_status common;
            uint64_t before = own.code_errors, count;

#pragma omp atomic read
            common = status;
            if (common)
                continue;
            if (!mine)
                mine = run_trial(j, &w, k / parts, k % parts, parts, &own);
#pragma omp atomic
            trial_errors[k / parts] += own.code_errors - before;
#pragma omp atomic capture
            count = ++done;
            if (!mine && omp_get_thread_num() == 0 && progress && progress->report &&
                !progress->report(progress->user, count, trials * parts))
                mine = OPTINC_ERR_INTERRUPTED;
            if (mine) {
#pragma omp atomic write
                status = mine;
            }
        }
#pragma omp critical(oi_simulate)
        {
            add_tally(sum, &own);
            if (mine)
                status = mine;
        }
        destroy_worker(&w);
    }
    return status;
}

/* Student's t at 97.5 % (exact to 7 degrees, then Cornish-Fisher: within 0.3 %). */
static double student(double degrees)
{
    static const double few[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365};
    const double z = 1.959964;

    if (degrees < 7.5)
        return few[(int)degrees - 1];
    return z + (z * z * z + z) / (4 * degrees) +
           (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * degrees * degrees);
}

static void set_interval(const optinc_simulate_options *options, const uint64_t *trial_errors,
                         optinc_simulate_result *result)
{
    double n = (double)result->codes, p = result->code_error_rate, z = 1.959964;
    double trials = (double)result->trials, square = 0, half;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);

    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    result->ci95_low = p > 0 ? middle - half : 0;
    result->ci95_high = p < 1 ? middle + half : 1;
    for (uint64_t t = 0; t < result->trials; t++) {
        double rate = (double)trial_errors[t] / (double)options->codes_per_trial;

        square += (rate - p) * (rate - p);
        result->worst_trial_rate = fmax(result->worst_trial_rate, rate);
        result->good_trials += rate <= options->target_error_rate;
    }
    result->yield = (double)result->good_trials / trials;
    if (result->trials < 2)
        return;
    half = student(trials - 1) * sqrt(square / (trials - 1) / trials);
    result->ci95_low = fmax(0, fmin(result->ci95_low, p - half));
    result->ci95_high = fmin(1, fmax(result->ci95_high, p + half));
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static optinc_status run_job(job *j, const optinc_progress *progress, const optinc_log *log,
                             optinc_simulate_result *result)
{
    const optinc_simulate_options *options = j->options;
    const optinc_spec *spec = &j->photonic->unit->spec;
    int threads = options->thread_count ? (int)options->thread_count : omp_get_max_threads();
    double begin = now_s();
    uint64_t *trial_errors = oi_allocate(options->trials, sizeof *trial_errors);
    tally sum = {0};
    optinc_status status;

    if (!trial_errors)
        return OPTINC_ERR_OUT_OF_MEMORY;
    j->code_max = oi_largest_code(spec);
    j->all_codes = j->code_max == (UINT64_C(1) << spec->bits_in) - 1;
    j->stride = (size_t)BATCH / 8 * spec->bits_in;
    j->result_size = (size_t)BATCH / 8 * spec->bits_out;
    status = run_all(j, threads, progress, &sum, trial_errors);
    if (status)
        oi_log(log, OPTINC_LOG_ERROR, "simulate: %s", optinc_status_text(status));
    *result = (optinc_simulate_result){
        .trials = options->trials,
        .codes = options->trials * options->codes_per_trial,
        .symbols = options->trials * options->codes_per_trial * optinc_spec_digits_out(spec),
        .symbol_errors = sum.symbol_errors,
        .code_errors = sum.code_errors,
    };
    memcpy(result->digit_errors, sum.digit_errors, sizeof result->digit_errors);
    memcpy(result->error_sizes, sum.error_sizes, sizeof result->error_sizes);
    result->symbol_error_rate = (double)sum.symbol_errors / (double)result->symbols;
    result->code_error_rate = (double)sum.code_errors / (double)result->codes;
    set_interval(options, trial_errors, result);
    result->seconds = now_s() - begin;
    oi_free(trial_errors);
    return status;
}

static optinc_status check_options(const optinc_design *design,
                                   const optinc_simulate_options *options, const optinc_log *log)
{
    uint64_t codes;

    if (!design || !options)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (options->level >= optinc_design_level_count(design))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "level: found %u, expected 0 to %u as in the design", options->level,
                       optinc_design_level_count(design) - 1);
    if (options->trials < 1 || options->trials > UINT32_MAX || options->codes_per_trial < 1 ||
        __builtin_mul_overflow(options->trials, options->codes_per_trial, &codes) ||
        codes > UINT64_C(1) << 48)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "simulate: at least one trial and one code, at most 2^48 codes expected");
    if (!(options->target_error_rate >= 0 && options->target_error_rate <= 1))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "simulate: target error rate %g",
                       options->target_error_rate);
    return oi_threads_check(options->thread_count, log);
}

optinc_status optinc_simulate(const optinc_design *design, const optinc_simulate_options *options,
                              const optinc_progress *progress, const optinc_log *log,
                              optinc_simulate_result *result)
{
    oi_photonic *photonic = NULL;
    optinc_status status = check_options(design, options, log);

    if (!status && !result)
        status = OPTINC_ERR_INVALID_ARGUMENT;
    if (!status)
        status = oi_photonic_create(optinc_design_unit(design, options->level), &options->photonic,
                                    log, &photonic);
    if (!status) {
        job j = {.photonic = photonic, .options = options};

        status = run_job(&j, progress, log, result);
    }
    oi_photonic_destroy(&photonic);
    return status;
}

static optinc_status try_value(const optinc_design *design, const optinc_simulate_options *options,
                               const char *name, double value, const optinc_log *log, double *yield)
{
    optinc_simulate_options own = *options;
    optinc_simulate_result result = {0};
    optinc_status status = optinc_device_set(&own.photonic.device, name, value, log);

    if (!status)
        status = optinc_simulate(design, &own, NULL, log, &result);
    if (!status)
        *yield = result.yield;
    return status;
}

optinc_status optinc_tolerance(const optinc_design *design, const optinc_simulate_options *options,
                               const char *name, double value_max, double yield_wanted,
                               const optinc_progress *progress, const optinc_log *log,
                               double *value)
{
    double low = 0, high = value_max, yield = 0;
    optinc_status status = check_options(design, options, log);

    if (!status && (!value || !(value_max > 0) || !(yield_wanted >= 0 && yield_wanted <= 1)))
        status = OPTINC_ERR_INVALID_ARGUMENT;
    if (!status)
        status = try_value(design, options, name, high, log, &yield);
    if (!status && yield >= yield_wanted)
        low = high;
    for (uint64_t i = 0; i < BISECTIONS && !status && high - low > high / 64; i++) {
        double middle = 0.5 * (low + high);

        if (progress && progress->report && !progress->report(progress->user, i, BISECTIONS))
            status = OPTINC_ERR_INTERRUPTED;
        else
            status = try_value(design, options, name, middle, log, &yield);
        if (!status && yield >= yield_wanted)
            low = middle;
        else
            high = middle;
    }
    if (!status)
        *value = low;
    return status;
}
