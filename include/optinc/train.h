/* SPDX-License-Identifier: Apache-2.0 */
/* Training the ONN on segmented matrices (docs/trained-onn.md has the method
 * and its equations). */
#ifndef OPTINC_TRAIN_H
#define OPTINC_TRAIN_H

#include "optinc/onn.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OPTINC_TRAIN_LAYERS_MAX 32u
#define OPTINC_TRAIN_DIGITS_MAX 32u

/* How a segmented layer W, square blocks diag(d) U, learns. */
typedef enum optinc_segment_training {
    OPTINC_SEGMENT_TANGENT = 0, /* U moves along the orthogonal group, step by step */
    OPTINC_SEGMENT_PROJECT = 1  /* W learns freely and is projected to the nearest diag(d) U */
} optinc_segment_training;

/* What the loss looks at. */
typedef enum optinc_supervision {
    OPTINC_SUPERVISION_OUTPUTS = 0, /* the digits at the outputs */
    OPTINC_SUPERVISION_CARRIES = 1  /* and, by linear readouts of the hidden layers that are dropped
                                       after training, the carries from digit to digit */
} optinc_supervision;

/* Where training starts. */
typedef enum optinc_train_start {
    OPTINC_TRAIN_START_HAAR = 0, /* U Haar-distributed, biases 0 (1/2 of saturating units) */
    OPTINC_TRAIN_START_AXES = 1  /* the first layer's units see one input each, and biases spread
                                    the units' kinks over the range */
} optinc_train_start;

/* Start from optinc_train_options_default; only the structure (layer_count, sides) is without a
 * default. Pointers are borrowed for the call. A field outside its range, or a structure that does
 * not fit the spec: OPTINC_ERR_INVALID_ARGUMENT, named in the log. */
typedef struct optinc_train_options {
    uint32_t input_merge;         /* neighbouring digits that P merges into one input: 1 .. M */
    uint32_t layer_count;         /* 1 .. OPTINC_TRAIN_LAYERS_MAX */
    const uint32_t *sides;        /* [layer_count + 1]: ceil(M / input_merge) inputs first, the
                                     digits of the result last */
    const bool *segmented;        /* [layer_count]; NULL: every layer. A segmented layer's larger
                                     side must be a multiple of its smaller */
    optinc_activation activation; /* of the hidden layers: RELU or SATURATING */
    optinc_segment_training segment_training;
    optinc_supervision supervision;
    optinc_train_start start;
    uint32_t batch_size;       /* cases a step: 1 .. 2^20 */
    uint32_t epochs;           /* of the first cosine cycle: 1 .. 2^24 */
    uint32_t cycles_max;       /* 1 .. 64; each from half the rate before, while cases are wrong */
    uint32_t squared_epochs;   /* squared error first, then the squared hinge */
    uint32_t project_interval; /* steps between projections (OPTINC_SEGMENT_PROJECT): >= 1 */
    uint32_t visit_interval;   /* cases that were well right wait so many epochs; 1: no waiting, and
                                  needed where epochs are samples */
    uint64_t epoch_cases;      /* random cases an epoch, where all are too many; 0: all of them.
                                  More than 2^26 an epoch: OPTINC_ERR_OVERFLOW */
    uint64_t hard_cases;       /* of these, after squared_epochs, so many are the worst met so far,
                                 and as many others differ from those in one input; 0: none, at
                                 most epoch_cases / 2 */
    double learning_rate;      /* (0, 1] */
    double margin;             /* hinge: an error beyond it counts; in (0, 0.5), units of a digit */
    double margin_stop;     /* all right by at least this distance, > 0: stop early; > 0.5: never */
    double wrong_weight;    /* factor on the loss of a case that is wrong: 1 .. 10^6 */
    double unit_noise;      /* standard deviation on every unit, relative to its layer's full
                                 scale: 0 .. 1; 0: none */
    double phase_noise_rad; /* standard deviation of the angle of every MZI's rotation: 0 .. 1 */
    uint64_t seed;
    uint32_t thread_count;  /* 0: OpenMP's default; the result does not depend on it */
    const char *checkpoint; /* file; NULL: none. Written at the end, when interrupted, and every
                                 checkpoint_interval epochs */
    uint32_t checkpoint_interval; /* epochs; 0: only at the end */
    bool resume;                  /* continue from `checkpoint`; no such file: OPTINC_ERR_IO */
    uint64_t verify_cases_max;    /* exhaustive verification up to so many cases; 0: 2^28 */
    uint64_t verify_samples;      /* beyond; 0: 10^6 */
    uint64_t table_cases_max;     /* make the design's table up to so many cases */
} optinc_train_options;

/* ReLU, tangent, batch 1024, 120 epochs, 3 cycles, 10 squared epochs, rate 1.2e-2, margin 0.25,
 * stop at a margin of 0.1, seed 1, table up to 2^24 cases, no checkpoint. layer_count is 0, sides
 * NULL. */
OPTINC_API optinc_train_options optinc_train_options_default(void);

/* "4-64-4" to sides [capacity] and their count; OPTINC_ERR_INVALID_ARGUMENT with the reason in the
 * log if it is no list of at least two sides of 1 .. OPTINC_LAYER_SIDE_MAX, or too long. */
OPTINC_API optinc_status optinc_structure_parse(const char *text, const optinc_log *log,
                                                uint32_t *sides, uint32_t capacity,
                                                uint32_t *side_count) OPTINC_WARN_UNUSED;

/* "all", "none", or layers from 1 as "4-6" or "1,3,5-6", to segmented [layer_count]. */
OPTINC_API optinc_status optinc_segments_parse(const char *text, uint32_t layer_count,
                                               const optinc_log *log,
                                               bool *segmented) OPTINC_WARN_UNUSED;

/* What P leaves to be learnt. As doubles, since they may exceed 64 bits. */
typedef struct optinc_preprocessing {
    double cases_symbols; /* PAM4 symbol vectors of N ports, 4^(N M): without P */
    double cases_digits;  /* digit-sum vectors, (3N+1)^M */
    double cases_inputs;  /* vectors of merged inputs, product of N (4^k - 1) + 1 */
    uint32_t input_count;
} optinc_preprocessing;

/* input_merge: 1 .. M */
OPTINC_API optinc_status optinc_preprocessing_of(const optinc_spec *spec, uint32_t input_merge,
                                                 const optinc_log *log,
                                                 optinc_preprocessing *result) OPTINC_WARN_UNUSED;

/* MZIs of the matrices, biases left out (conventions in synthesis.h): as chosen, and all by SVD. Checks
 * the structure as optinc_train does. */
typedef struct optinc_train_cost {
    uint64_t mzis;
    uint64_t mzis_svd;
} optinc_train_cost;

OPTINC_API optinc_status optinc_train_cost_of(const optinc_spec *spec,
                                              const optinc_train_options *options,
                                              const optinc_log *log,
                                              optinc_train_cost *cost) OPTINC_WARN_UNUSED;

/* After an epoch. While `evaluated` is false, wrong and margin_min are as seen during the epoch,
 * with weights that moved under them; else they are of all cases (or of the epoch's sample) with
 * the weights as they are now. */
typedef struct optinc_train_report {
    uint64_t epoch; /* done */
    uint64_t epochs_max;
    uint64_t step;
    double learning_rate;
    double loss; /* mean over the epoch's cases */
    bool evaluated;
    uint64_t cases;
    uint64_t wrong;
    uint64_t wrong_by_digit[OPTINC_TRAIN_DIGITS_MAX];
    double margin_min; /* smallest distance of an output from its decision level; < 0: wrong */
    double orthogonality_max; /* max |U'U - I| of any block */
    double seconds;
    double eta_s; /* to epochs_max; an early stop comes sooner */
} optinc_train_report;

/* Returns false to stop: a checkpoint is then written, if one was asked for, and training ends
 * with OPTINC_ERR_INTERRUPTED. Called from the calling thread. */
typedef struct optinc_train_watch {
    bool (*report)(void *user, const optinc_train_report *report);
    void *user;
} optinc_train_watch;

/* Also of a run that was interrupted or failed: what it came to so far. */
typedef struct optinc_train_result {
    optinc_preprocessing preprocessing;
    optinc_train_cost cost;
    uint64_t epochs; /* done, those before a resume included */
    uint64_t steps;
    uint64_t rollbacks;       /* epochs repeated at half the rate because a value was not finite */
    double orthogonality_max; /* max |U'U - I| of the design's blocks, double precision */
    optinc_proof proof;       /* what the design carries */
    uint64_t wrong_by_digit[OPTINC_TRAIN_DIGITS_MAX];
    double train_seconds; /* of this call */
    double train_cpu_seconds;
    double verify_seconds;
} optinc_train_result;

/* Trains an ONN for `spec` (half-up or residual; stochastic: OPTINC_ERR_UNSUPPORTED), verifies it
 * in double precision and gives a design of one level with proof and table. A design in which
 * cases are wrong is a result, not an error. Values that do not stay finite are rolled back to the
 * epoch's start and tried at half the rate, eight times; then OPTINC_ERR_NON_FINITE and no design.
 *
 * The same options and seed give the same bits on the same kind of CPU, whatever the thread count,
 * interrupted and resumed or not. While it runs, OpenBLAS is set to one thread in this process
 * (the parallelism is over the batch); the number that was set before is restored. watch, log and
 * result may be NULL. Errors of the checkpoint as optinc_verify's. */
OPTINC_API optinc_status optinc_train(const optinc_spec *spec, const optinc_train_options *options,
                                      const optinc_train_watch *watch, const optinc_log *log,
                                      optinc_train_result *result,
                                      optinc_design **design) OPTINC_WARN_UNUSED;

/* Makes a design that errs at a known rate: of the level's cases, round(rate * cases) drawn without
 * replacement answer with one digit off by one level. The digit is drawn with the weights
 * digit_weight [digits out], NULL: all alike. A level without table gets one (the reference's
 * answers, at most 2^24 cases, else OPTINC_ERR_OVERFLOW; OPTINC_ERR_UNSUPPORTED if it has a
 * proof that does not call it exact); what was wrong before stays. The proof
 * becomes exhaustive, with the table's errors (exact if there are none) and a margin of NaN.
 * *errors, if not NULL: cases of the table that are wrong afterwards. rate in [0, 1]; weights
 * finite, >= 0, and not all 0. */
OPTINC_API optinc_status optinc_design_inject_errors(optinc_design *design, uint32_t level,
                                                     double rate, const double *digit_weight,
                                                     uint64_t seed, const optinc_log *log,
                                                     uint64_t *errors) OPTINC_WARN_UNUSED;

#ifdef __cplusplus
}
#endif
#endif
