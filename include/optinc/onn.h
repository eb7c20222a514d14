/* SPDX-License-Identifier: Apache-2.0 */
/* The optical neural network: constructed or trained, run and proved (docs/proofs.md). */
#ifndef OPTINC_ONN_H
#define OPTINC_ONN_H

#include "optinc/switch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The layers in double precision; any design. */
OPTINC_API const optinc_backend *optinc_backend_onn(void);

typedef struct optinc_construct_options {
    optinc_activation activation; /* RELU (two units a step) or SATURATING (one) */
    double gap;                   /* g in (0, 1): width of a step's slope; 0: 0.5 */
} optinc_construct_options;

/* The constructed unit of a spec: docs/proofs.md, with q = ceil(divisor_log2 / 2) and launch
 * gain c = 4^q / D, so that residual switches and the last of a cascade come from the same
 * equations. The result is a design of one level, proof none. options NULL: saturating, g = 0.5. A
 * gap outside its range or another activation: OPTINC_ERR_INVALID_ARGUMENT. */
OPTINC_API optinc_status optinc_construct(const optinc_spec *spec,
                                          const optinc_construct_options *options,
                                          const optinc_log *log,
                                          optinc_design **design) OPTINC_WARN_UNUSED;

typedef struct optinc_verify_options {
    uint64_t exhaustive_cases_max; /* 0: 2^28 */
    uint64_t sample_count;         /* where nothing better is possible; 0: 10^6 */
    uint64_t seed;                 /* of the samples */
    uint32_t thread_count;         /* 0: OpenMP's default; the result does not depend on it */
    /* File of a run of cases; NULL: none. The run goes on from it where there is one, of the same
     * design, level and cases; it is written at the start, at the end, when interrupted, and every
     * checkpoint_interval_s. What comes out is to the bit what one run gives. */
    const char *checkpoint;
    double checkpoint_interval_s; /* 0: 30 */
    bool resume;                  /* there has to be a checkpoint; no such file: OPTINC_ERR_IO */
} optinc_verify_options;

/* What verification found of one unit. A part that was not run has kind NONE. A design that fails
 * is a result, not an error: OPTINC_OK with errors > 0. */
typedef struct optinc_verify_result {
    optinc_proof exhaustive;
    optinc_proof compositional; /* constructed units always; errors: states not shown to be right */
    optinc_proof sampled;       /* where there is no exhaustive and no exact compositional proof */
    optinc_proof best;          /* which of them the design may carry */
    uint64_t digit_errors[32];  /* of the exhaustive or sampled run, by digit */
    uint64_t cases_done;        /* of that run; also where it was interrupted */
    double seconds;             /* with those of the runs that a checkpoint is of */
} optinc_verify_result;

/* Runs the unit's layers and compares with the reference. The compositional proof looks at the
 * layers alone, not at how they were made: it takes each stage from the weights and checks every
 * state that can reach it, rounding included. margin_min of the exhaustive and sampled runs is the
 * receiver's; the compositional one's includes the steps', as how far a step's input may move
 * before the step leaves 0 or 1, (1 - g) / 2 by design. Cases that no codes can make (at the last
 * switch of a cascade, see optinc_spec_check) are left out. A unit without layers:
 * OPTINC_ERR_UNSUPPORTED. A checkpoint of another design, level or run:
 * OPTINC_ERR_INVALID_ARGUMENT, which names the field; of more random cases than asked for,
 * likewise, while fewer are added to; a damaged one: _FORMAT or _CHECKSUM; of another version of
 * this library: _UNSUPPORTED. Its checksum is for damage, not for fraud: continue your own. */
OPTINC_API optinc_status optinc_verify(const optinc_design *design, uint32_t level,
                                       const optinc_verify_options *options,
                                       const optinc_progress *progress, const optinc_log *log,
                                       optinc_verify_result *result) OPTINC_WARN_UNUSED;

/* What the ONN answers in every case, table [case_count] (times D for the stochastic variant).
 * Needs case_count (times D) <= table_count_max and bits_out <= 32, else OPTINC_ERR_OVERFLOW. The
 * caller frees *table with optinc_table_free. Runs on OpenMP's default number of threads. */
OPTINC_API optinc_status optinc_tabulate(const optinc_design *design, uint32_t level,
                                         size_t table_count_max, const optinc_progress *progress,
                                         const optinc_log *log, uint32_t **table,
                                         size_t *table_count) OPTINC_WARN_UNUSED;
/* Safe on NULL and twice; sets *table to NULL. */
OPTINC_API void optinc_table_free(uint32_t **table);

#ifdef __cplusplus
}
#endif
#endif
