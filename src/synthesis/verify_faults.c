/* SPDX-License-Identifier: Apache-2.0 */
/* What a design gives under faults, proved switch by switch.
 *
 * A switch with inputs of which some are idle (zero code) or dark (code 0) can see the digit sums
 * s_j = t_j + idle z_j, t_j = 0 .. 3 live: some of the cases of its spec. They are run here through the
 * backend that runs the layers, with the faults in place, and compared with the reference. A switch
 * that passes returns the sum (or the rounded sum) of what its inputs carry, so by induction over the
 * levels the tree does. */
#include "base/log.h"
#include "base/memory.h"
#include "base/philox.h"
#include "optinc/synthesis.h"

#include <math.h>
#include <string.h>

#define KINDS_MAX 64u
#define CASES_MAX_DEFAULT ((uint64_t)1 << 20)
#define TREE_CODES_MAX ((uint64_t)1 << 22) /* random codes through the whole tree */
#define PIECE 4096u

typedef struct kind {
    uint32_t level;
    uint32_t live;
    uint32_t idle;
    uint32_t dark;
} kind;

typedef struct kinds {
    uint32_t count;
    kind list[KINDS_MAX];
} kinds;

/* A level's inputs, each an optinc_port_state, to those of the level above it. A switch whose inputs
 * are all idle puts out the idle code of its level, one whose inputs are all dark code 0. */
static uint8_t state_above(const uint8_t *inputs, uint32_t ports)
{
    for (uint32_t i = 1; i < ports; i++)
        if (inputs[i] != inputs[0])
            return OPTINC_PORT_LIVE;
    return inputs[0];
}

static optinc_status note_kind(kinds *all, kind found, const optinc_log *log)
{
    if (found.idle + found.dark == 0 || found.live == 0)
        return OPTINC_OK;
    for (uint32_t i = 0; i < all->count; i++)
        if (memcmp(&all->list[i], &found, sizeof found) == 0)
            return OPTINC_OK;
    if (all->count == KINDS_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW, "more than %u kinds of switches meet a fault",
                       KINDS_MAX);
    all->list[all->count++] = found;
    return OPTINC_OK;
}

/* states [N] of the servers' ports; used up, level by level. */
static optinc_status find_kinds(const optinc_design *design, uint8_t *states, const optinc_log *log,
                                kinds *all)
{
    uint32_t inputs = optinc_design_ports(design);
    optinc_status status = OPTINC_OK;

    for (uint32_t level = 0; level < optinc_design_level_count(design) && !status; level++) {
        uint32_t ports = optinc_design_unit(design, level)->spec.ports, units = 0;

        for (uint32_t first = 0; first < inputs && !status; first += ports) {
            kind found = {.level = level};

            for (uint32_t i = first; i < first + ports; i++) {
                found.live += states[i] == OPTINC_PORT_LIVE;
                found.idle += states[i] == OPTINC_PORT_IDLE;
                found.dark += states[i] == OPTINC_PORT_DARK;
            }
            status = note_kind(all, found, log);
            states[units++] = state_above(states + first, ports);
        }
        inputs = units;
    }
    return status;
}

/* (3 live + 1)^M; UINT64_MAX if it does not fit. */
static uint64_t count_cases(const kind *k, uint32_t digits)
{
    uint64_t count = 1;

    for (uint32_t j = 0; j < digits; j++)
        if (__builtin_mul_overflow(count, 3 * (uint64_t)k->live + 1, &count))
            return UINT64_MAX;
    return count;
}

/* One kind of switch, run. */
typedef struct trial {
    const kind *of;
    const optinc_spec *spec;
    optinc_switch *sw;
    size_t stride;
    uint8_t *symbols; /* [live][stride] */
    uint8_t *result;  /* packed */
    uint64_t *codes;  /* [PIECE] */
    uint64_t *totals; /* [PIECE] */
} trial;

/* Codes of input `input` that give the cases first .. first+count-1 the digit sums t_j: an input takes
 * of a digit what the inputs before it have left, 3 at most. */
static void fill_codes(const trial *t, uint64_t first, uint32_t count, uint32_t input)
{
    uint32_t base = 3 * t->of->live + 1;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t index = first + i, code = 0;

        for (uint32_t j = 0; j < optinc_spec_digits_in(t->spec); j++) {
            uint32_t sum = (uint32_t)(index % base);
            uint32_t left = sum > 3 * input ? sum - 3 * input : 0;

            code |= (uint64_t)(left < 3 ? left : 3) << (2 * j);
            index /= base;
        }
        t->codes[i] = code;
        t->totals[i] += code;
    }
}

static optinc_status run_piece(const trial *t, uint64_t first, uint32_t count, optinc_proof *proof)
{
    uint64_t idle = (uint64_t)t->of->idle * t->spec->zero_code;
    optinc_status status = OPTINC_OK;

    for (uint32_t i = 0; i < count; i++)
        t->totals[i] = idle;
    for (uint32_t input = 0; input < t->of->live && !status; input++) {
        fill_codes(t, first, count, input);
        status =
            optinc_symbols_pack(t->spec->bits_in, t->codes, count, t->symbols + input * t->stride);
    }
    if (!status)
        status =
            optinc_switch_reduce(t->sw, t->symbols, t->stride, t->of->live, count, NULL, t->result);
    if (!status)
        status = optinc_symbols_unpack(t->spec->bits_out, t->result, count, t->codes);
    for (uint32_t i = 0; i < count && !status; i++) {
        uint64_t expected = optinc_reference_result(t->spec, t->totals[i], 0);

        if (expected >> t->spec->bits_out != 0) /* no codes of servers make this case */
            continue;
        proof->cases++;
        proof->errors += t->codes[i] != expected;
    }
    return status;
}

/* Live inputs first, then the idle ones, which need no more than not being used, then the dark. */
static optinc_status open_trial(const optinc_unit *unit, const kind *k, uint32_t thread_count,
                                const optinc_log *log, optinc_design **design, trial *t)
{
    uint32_t dark[64];
    const optinc_faults faults = {.dark_ports = dark, .dark_count = k->dark};
    const optinc_switch_options options = {.thread_count = thread_count, .faults = &faults};
    optinc_status status = optinc_design_create(unit, 1, log, design);

    for (uint32_t i = 0; i < k->dark; i++)
        dark[i] = k->live + k->idle + i;
    if (!status)
        status = optinc_switch_create(*design, optinc_backend_onn(), &options, log, &t->sw);
    if (status)
        return status;
    t->of = k;
    t->spec = &optinc_design_unit(*design, 0)->spec;
    t->stride = optinc_symbols_size(t->spec->bits_in, PIECE);
    t->symbols = oi_allocate(k->live, t->stride);
    t->result = oi_allocate(optinc_symbols_size(t->spec->bits_out, PIECE), 1);
    t->codes = oi_allocate(PIECE, sizeof *t->codes);
    t->totals = oi_allocate(PIECE, sizeof *t->totals);
    if (!t->symbols || !t->result || !t->codes || !t->totals)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory to run a switch");
    return OPTINC_OK;
}

static void close_trial(trial *t)
{
    oi_free(t->symbols);
    oi_free(t->result);
    oi_free(t->codes);
    oi_free(t->totals);
    optinc_switch_destroy(&t->sw);
}

static optinc_status run_kind(const optinc_design *design, const kind *k, uint64_t case_count,
                              uint32_t thread_count, const optinc_log *log, optinc_proof *proof)
{
    optinc_design *alone = NULL;
    trial t = {.of = NULL};
    optinc_status status =
        open_trial(optinc_design_unit(design, k->level), k, thread_count, log, &alone, &t);

    for (uint64_t first = 0; first < case_count && !status; first += PIECE) {
        uint64_t left = case_count - first;

        status = run_piece(&t, first, left < PIECE ? (uint32_t)left : PIECE, proof);
    }
    close_trial(&t);
    optinc_design_destroy(&alone);
    return status;
}

/* All kinds that can be run; *covered: the others are among the cases of an exact level. */
static optinc_status run_kinds(const optinc_design *design, const kinds *all,
                               const optinc_verify_options *options, const optinc_log *log,
                               optinc_fault_proof *result, bool *covered)
{
    uint64_t cases_max =
        options->exhaustive_cases_max ? options->exhaustive_cases_max : CASES_MAX_DEFAULT;
    optinc_status status = OPTINC_OK;

    *covered = true;
    result->units =
        (optinc_proof){.kind = OPTINC_PROOF_EXHAUSTIVE, .margin_min = NAN, .error_bound = NAN};
    for (uint32_t i = 0; i < all->count && !status; i++) {
        const optinc_unit *unit = optinc_design_unit(design, all->list[i].level);
        uint64_t count = count_cases(&all->list[i], optinc_spec_digits_in(&unit->spec));

        if (count <= cases_max && unit->spec.variant != OPTINC_VARIANT_STOCHASTIC) {
            status =
                run_kind(design, &all->list[i], count, options->thread_count, log, &result->units);
        } else {
            result->units.kind = OPTINC_PROOF_COMPOSITIONAL;
            *covered = *covered && unit->proof.exact;
        }
    }
    result->units.exact = *covered && result->units.errors == 0;
    return status;
}

/* Random codes 1 .. 2^B-1 of every server, element by element, through the whole tree. */
static optinc_status run_tree(const optinc_design *design, uint32_t port_count,
                              const optinc_faults *faults, const uint8_t *states, uint64_t seed,
                              const optinc_log *log, optinc_fault_proof *result)
{
    const optinc_switch_options how = {.thread_count = 1, .faults = faults};
    optinc_spec flat = optinc_design_flat_spec(design);
    uint64_t left = TREE_CODES_MAX / port_count;
    uint32_t count = left < PIECE ? (uint32_t)(left > 4 ? left : 4) : PIECE;
    size_t stride = optinc_symbols_size(flat.bits_in, count);
    uint8_t *symbols = oi_allocate(port_count, stride);
    uint8_t *packed = oi_allocate(optinc_symbols_size(flat.bits_out, count), 1);
    uint64_t *codes = oi_allocate(count, sizeof *codes);
    uint64_t *totals = oi_allocate(count, sizeof *totals);
    const optinc_stream stream = {.seed = seed};
    optinc_switch *sw = NULL;
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (symbols && packed && codes && totals)
        status = optinc_switch_create(design, optinc_backend_onn(), &how, log, &sw);
    for (uint32_t port = 0; port < port_count && !status; port++) {
        for (uint32_t e = 0; e < count; e++) {
            uint32_t word[4];

            oi_philox(seed, port, e, OI_PURPOSE_SAMPLE, word);
            codes[e] =
                1 + (word[0] | (uint64_t)word[1] << 32) % (((uint64_t)1 << flat.bits_in) - 1);
            if (states[port] == OPTINC_PORT_LIVE)
                totals[e] += codes[e];
        }
        status = optinc_symbols_pack(flat.bits_in, codes, count, symbols + port * stride);
    }
    if (!status)
        status = optinc_switch_reduce(sw, symbols, stride, port_count, count, &stream, packed);
    if (!status)
        status = optinc_symbols_unpack(flat.bits_out, packed, count, codes);
    for (uint32_t e = 0; e < count && !status; e++)
        result->elements_wrong +=
            codes[e] !=
            optinc_reference_result(&flat, optinc_faults_total(design, &result->effect, totals[e]),
                                    optinc_reference_offset(&flat, &stream, e));
    result->elements = count;
    optinc_switch_destroy(&sw);
    oi_free(totals);
    oi_free(codes);
    oi_free(packed);
    oi_free(symbols);
    return status;
}

optinc_status optinc_verify_faults(const optinc_design *design, uint32_t port_count,
                                   const optinc_faults *faults,
                                   const optinc_verify_options *options, const optinc_log *log,
                                   optinc_fault_proof *result)
{
    const optinc_verify_options defaults = {.seed = 0};
    kinds all = {.count = 0};
    uint8_t *states = NULL;
    bool covered;
    optinc_status status;

    if (!design || !faults || !result)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design, faults or result is NULL");
    *result = (optinc_fault_proof){.kinds = 0};
    if (faults->action == OPTINC_FAULT_ERROR)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                       "faults that end in an error leave no result to prove");
    if (!options)
        options = &defaults;
    states = oi_allocate(optinc_design_ports(design), sizeof *states);
    if (!states)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for faults");
    status = optinc_faults_resolve(design, port_count, faults, log, states, &result->effect);
    if (!status)
        status = run_tree(design, port_count, faults, states, options->seed, log, result);
    if (!status)
        status = find_kinds(design, states, log, &all);
    if (!status)
        status = run_kinds(design, &all, options, log, result, &covered);
    if (!status) {
        result->kinds = all.count;
        result->exact =
            result->units.exact && result->elements_wrong == 0 && optinc_design_exact(design);
    }
    oi_free(states);
    return status;
}
