/* SPDX-License-Identifier: Apache-2.0 */
/* Runs digit-sum cases through the layers: all of them, or random ones. Case number i has the digit
 * sums of optinc_case_digit_sums(i mod case_count) and, in the stochastic variant, the rounding
 * offset i / case_count. */
#include "base/log.h"
#include "base/memory.h"
#include "base/philox.h"
#include "onn/forward.h"
#include "onn/prove.h"

#include <math.h>
#include <omp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DIGITS_MAX 24u
#define SLAB_SECONDS 0.1 /* between two reports of progress */

typedef struct case_run {
    oi_network network;
    oi_case_range range;
    uint64_t case_count; /* of digit sums */
    uint32_t *table;     /* answers go here; NULL: they are compared */
    uint32_t thread_count;
    size_t scratch_count; /* doubles of one thread */
    double *scratch;      /* of all threads */
} case_run;

/* The cases of a tile. */
typedef struct case_tile {
    uint32_t count;
    uint32_t sums[(DIGITS_MAX + 12) * OI_TILE];
    uint64_t result[OI_TILE]; /* what the reference says */
    bool occurs[OI_TILE];
} case_tile;

uint64_t oi_case_count(const optinc_spec *spec)
{
    uint64_t count = optinc_spec_case_count(spec);

    if (spec->variant == OPTINC_VARIANT_STOCHASTIC &&
        __builtin_mul_overflow(count, (uint64_t)1 << spec->divisor_log2, &count))
        return UINT64_MAX;
    return count;
}

/* A uniform integer in 0 .. limit-1 from 32 bits: off from uniform by at most limit / 2^32. */
static uint32_t scale_word(uint32_t word, uint32_t limit)
{
    return (uint32_t)(((uint64_t)word * limit) >> 32);
}

static uint64_t draw_case(const case_run *run, uint64_t index, uint32_t *digits)
{
    const optinc_spec *spec = &run->network.unit->spec;
    uint32_t word[4];

    for (uint32_t j = 0; j < run->network.digits_in; j++) {
        if (j % 4 == 0)
            oi_philox(run->range.seed, j / 4, index, OI_PURPOSE_SAMPLE, word);
        digits[j] = scale_word(word[j % 4], 3 * spec->ports + 1);
    }
    oi_philox(run->range.seed, DIGITS_MAX, index, OI_PURPOSE_SAMPLE, word);
    return word[0] & (((uint64_t)1 << spec->divisor_log2) - 1);
}

/* The next case in the order of numbers; the offset follows the last digit. */
static void next_case(const case_run *run, uint32_t *digits, uint64_t *offset)
{
    uint32_t sum_max = 3 * run->network.unit->spec.ports;

    for (uint32_t j = 0; j < run->network.digits_in; j++) {
        if (digits[j]++ < sum_max)
            return;
        digits[j] = 0;
    }
    ++*offset;
}

static void fill_tile(const case_run *run, uint64_t first, case_tile *tile)
{
    const optinc_spec *spec = &run->network.unit->spec;
    uint32_t digits_in = run->network.digits_in;
    uint32_t digits[DIGITS_MAX] = {0};
    uint64_t left = run->range.count - first;
    uint64_t offset = 0;

    tile->count = left < OI_TILE ? (uint32_t)left : OI_TILE;
    if (!run->range.random) {
        optinc_case_digit_sums(spec, first % run->case_count, digits);
        offset = first / run->case_count;
    }
    for (uint32_t e = 0; e < tile->count; e++) {
        if (run->range.random)
            offset = draw_case(run, first + e, digits);
        for (uint32_t j = 0; j < digits_in; j++)
            tile->sums[j * OI_TILE + e] = digits[j];
        oi_network_set_offset(&run->network, offset, e, tile->sums + digits_in * OI_TILE);
        if (!run->table) {
            tile->result[e] = optinc_reference_digits(spec, digits, offset);
            tile->occurs[e] = tile->result[e] >> spec->bits_out == 0;
        }
        if (!run->range.random)
            next_case(run, digits, &offset);
    }
}

static void compare_tile(const case_run *run, const case_tile *tile, const double *outputs,
                         oi_case_tally *tally)
{
    bool wrong[OI_TILE] = {false};

    for (uint32_t j = 0; j < run->network.digits_out; j++) {
        for (uint32_t e = 0; e < tile->count; e++) {
            double y = outputs[j * OI_TILE + e];
            uint32_t digit = (uint32_t)(tile->result[e] >> (2 * j)) & 3;
            double below = digit > 0 ? y - (digit - 0.5) : 0.5;
            double above = digit < 3 ? digit + 0.5 - y : 0.5;
            double margin = below < above ? below : above;

            if (!tile->occurs[e])
                continue;
            if (oi_slice(y) != digit) {
                wrong[e] = true;
                tally->digit_errors[j]++;
            }
            if (!(margin >= tally->margin_min))
                tally->margin_min = margin > 0 ? margin : 0;
        }
    }
    for (uint32_t e = 0; e < tile->count; e++) {
        tally->cases += tile->occurs[e];
        tally->errors += wrong[e];
    }
}

static void tabulate_tile(const case_run *run, const case_tile *tile, const double *outputs,
                          uint32_t *table)
{
    for (uint32_t e = 0; e < tile->count; e++) {
        uint32_t answer = 0;

        for (uint32_t j = run->network.digits_out; j-- > 0;)
            answer = 4 * answer + oi_slice(outputs[j * OI_TILE + e]);
        table[e] = answer;
    }
}

static void merge_tally(oi_case_tally *sum, const oi_case_tally *part)
{
    sum->cases += part->cases;
    sum->errors += part->errors;
    for (uint32_t j = 0; j < 32; j++)
        sum->digit_errors[j] += part->digit_errors[j];
    sum->margin_min = fmin(sum->margin_min, part->margin_min);
}

/* Cases [first, first + count). */
static void run_slab(const case_run *run, uint64_t first, uint64_t count, oi_case_tally *tally)
{
    int64_t tiles = (int64_t)((count + OI_TILE - 1) / OI_TILE);

#pragma omp parallel num_threads((int)run->thread_count)
    {
        oi_case_tally own = {.margin_min = 0.5};
        double *scratch = run->scratch + (size_t)omp_get_thread_num() * run->scratch_count;
        case_tile tile = {.count = 0};

#pragma omp for schedule(dynamic, 16) nowait
        for (int64_t i = 0; i < tiles; i++) {
            uint64_t tile_first = first + (uint64_t)i * OI_TILE;
            const double *outputs;

            fill_tile(run, tile_first, &tile);
            outputs = oi_network_run(&run->network, tile.sums, scratch);
            if (run->table)
                tabulate_tile(run, &tile, outputs, run->table + tile_first);
            else
                compare_tile(run, &tile, outputs, &own);
        }
#pragma omp critical(oi_cases_merge)
        merge_tally(tally, &own);
    }
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* From tally->done to the end. */
static optinc_status run_all(const case_run *run, const oi_case_checkpoint *checkpoint,
                             const optinc_progress *progress, const optinc_log *log,
                             oi_case_tally *tally)
{
    uint64_t total = run->range.count;
    uint64_t slab = (uint64_t)16 * OI_TILE * run->thread_count;
    double before = tally->seconds, start = seconds_now(), saved = start;
    bool stop =
        progress && progress->report && !progress->report(progress->user, tally->done, total);
    optinc_status status = OPTINC_OK;

    /* a file that cannot be written is to show now, not after hours */
    if (checkpoint && tally->done == 0)
        status = oi_case_checkpoint_save(checkpoint, &run->range, tally, log);
    while (tally->done < total && !stop && !status) {
        uint64_t left = total - tally->done;
        uint64_t count = left < slab ? left : slab;
        double slab_start = seconds_now(), now;

        run_slab(run, tally->done, count, tally);
        tally->done += count;
        now = seconds_now();
        tally->seconds = before + (now - start);
        stop =
            progress && progress->report && !progress->report(progress->user, tally->done, total);
        if (checkpoint && (stop || tally->done == total || now - saved >= checkpoint->interval_s)) {
            status = oi_case_checkpoint_save(checkpoint, &run->range, tally, log);
            saved = now;
        }
        if (now - slab_start < SLAB_SECONDS / 2 && slab < (uint64_t)1 << 40)
            slab *= 2;
        else if (now - slab_start > SLAB_SECONDS * 2 &&
                 slab > (uint64_t)16 * OI_TILE * run->thread_count)
            slab /= 2;
    }
    if (!status && stop)
        status = OPTINC_ERR_INTERRUPTED;
    return status;
}

/* What the checkpoint has, if there is one. */
static optinc_status resume(const case_run *run, const oi_case_checkpoint *checkpoint,
                            const optinc_log *log, oi_case_tally *tally)
{
    if (!checkpoint || (!checkpoint->required && access(checkpoint->path, F_OK) != 0))
        return OPTINC_OK;
    return oi_case_checkpoint_load(checkpoint, &run->range, run->network.digits_out, log, tally);
}

static optinc_status run_range(case_run *run, const optinc_unit *unit, uint32_t thread_count,
                               const oi_case_checkpoint *checkpoint,
                               const optinc_progress *progress, const optinc_log *log,
                               oi_case_tally *tally)
{
    optinc_status status = oi_network_init(unit, OPTINC_KERNEL_AUTO, log, &run->network);

    *tally = (oi_case_tally){.margin_min = 0.5};
    if (status == OPTINC_OK)
        status = resume(run, checkpoint, log, tally);
    if (status != OPTINC_OK)
        return status;
    run->case_count = optinc_spec_case_count(&unit->spec);
    run->thread_count = thread_count > 0 ? thread_count : (uint32_t)omp_get_max_threads();
    run->scratch_count = oi_network_scratch_count(&run->network);
    run->scratch = oi_allocate(run->thread_count * run->scratch_count, sizeof *run->scratch);
    if (!run->scratch)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory to run cases");
    status = run_all(run, checkpoint, progress, log, tally);
    oi_free(run->scratch);
    return status;
}

optinc_status oi_run_cases(const optinc_unit *unit, const oi_case_range *range,
                           uint32_t thread_count, const oi_case_checkpoint *checkpoint,
                           const optinc_progress *progress, const optinc_log *log,
                           oi_case_tally *tally)
{
    case_run run = {.range = *range};

    return run_range(&run, unit, thread_count, checkpoint, progress, log, tally);
}

optinc_status oi_tabulate_cases(const optinc_unit *unit, uint64_t count, uint32_t thread_count,
                                const optinc_progress *progress, const optinc_log *log,
                                uint32_t *table)
{
    case_run run = {.range = {.count = count}, .table = table};
    oi_case_tally tally;

    return run_range(&run, unit, thread_count, NULL, progress, log, &tally);
}
