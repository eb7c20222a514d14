/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the trainer share. Shapes: a layer's W [rows, cols] row-major, activations
 * [cases, units], cases of a chunk one below the other. */
#ifndef OI_ONN_TRAIN_INTERNAL_H
#define OI_ONN_TRAIN_INTERNAL_H

#include <time.h>

#include "onn/stages.h"
#include "optinc/train.h"

/* Cases that one thread takes through the network at a time: activations stay in its L2 cache, and
 * the sum over chunks is in a fixed order, so no result depends on the thread count. */
#define OI_TRAIN_CHUNK 256u

/* Values of a case that a guide may ask for: four of every stage of the reference. */
#define OI_TRAIN_GUIDE_VALUES_MAX (4u * OI_STAGES_MAX)

/* Counters of the trainer's random numbers: what they are for is in bits 48 and up of the step. */
#define OI_TRAIN_DRAW_INITIAL 1u
#define OI_TRAIN_DRAW_ORDER 2u
#define OI_TRAIN_DRAW_UNIT 3u
#define OI_TRAIN_DRAW_PHASE 4u
#define OI_TRAIN_DRAW_NEIGHBOUR 5u
#define OI_TRAIN_DRAW_STEP(kind, step) (((uint64_t)(kind) << 48) | (uint64_t)(step))

/* Vector code for what gcc would otherwise compile for the oldest CPU. No contraction, so every
 * clone gives the same bits. Sanitizers cannot follow the resolvers. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) &&             \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define OI_TRAIN_VECTOR __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define OI_TRAIN_VECTOR
#endif

typedef struct oi_train_layer {
    uint32_t rows;
    uint32_t cols;
    uint32_t side;        /* of its blocks; 0: not segmented */
    uint32_t block_count; /* max(rows, cols) / side */
    bool on_group;        /* parameters are U and d; else W itself */
    optinc_activation activation;
    size_t weight_at;        /* W in the weights */
    size_t param_at;         /* U [block_count, side, side], or W, in the parameters */
    size_t diagonal_at;      /* d [block_count, side] in the parameters */
    size_t bias_at;          /* b [rows] in the parameters */
    size_t gradient_at;      /* of W in a chunk's gradient */
    size_t bias_gradient_at; /* of b in a chunk's gradient */
    size_t drift_at;         /* [block_count] in the drifts */
} oi_train_layer;

/* A linear readout of a hidden layer, there during training alone: it has to tell intermediate
 * values of the reference (train_guide.c). Its matrix is layers[layer_count + its index] of the
 * plan. */
typedef struct oi_train_guide {
    uint32_t activation; /* that it reads: 1 .. layer_count-1, 0 being the inputs */
    uint32_t value_count;
    uint8_t values[OI_TRAIN_GUIDE_VALUES_MAX]; /* numbers of the case's values that it tells */
    size_t slope_at; /* of its [OI_TRAIN_CHUNK, value_count] in the worker's guide_slope */
} oi_train_guide;

/* One input: digits first .. first+count-1 as one number 0 .. states-1. */
typedef struct oi_train_group {
    uint32_t digit_first;
    uint32_t digit_count;
    uint64_t states; /* N (4^count - 1) + 1 */
    double scale;    /* 3 / (4^count - 1): every input is in 0 .. 3 */
} oi_train_group;

/* A piece of the update that a thread does alone: a block, rows of a free W, or a bias. */
typedef enum oi_train_task_kind {
    OI_TRAIN_TASK_BLOCK,
    OI_TRAIN_TASK_ROWS,
    OI_TRAIN_TASK_BIAS
} oi_train_task_kind;

typedef struct oi_train_task {
    oi_train_task_kind kind;
    uint32_t layer;
    uint32_t first; /* block, or first row */
    uint32_t count; /* rows */
} oi_train_task;

/* What follows from spec and options alone. */
typedef struct oi_train_plan {
    optinc_spec spec;
    optinc_train_options options;
    uint32_t layer_count;
    uint32_t guide_count;
    oi_train_guide guides[OPTINC_TRAIN_LAYERS_MAX];
    oi_train_layer layers[2 * OPTINC_TRAIN_LAYERS_MAX]; /* the network's, then the guides' */
    oi_stages stages;                                   /* the carries that guides tell */
    size_t guide_slope_count; /* floats of all guides' slopes of a chunk */
    uint32_t group_count;
    oi_train_group groups[OPTINC_TRAIN_DIGITS_MAX];
    uint32_t output_count;
    uint64_t case_count; /* vectors of merged inputs; UINT64_MAX if too many to count */
    uint64_t epoch_cases;
    bool sampled; /* an epoch is a random sample */
    size_t weight_count;
    size_t param_count;
    size_t gradient_count;
    size_t drift_count;
    uint32_t side_max;       /* widest layer, inputs included */
    uint32_t block_side_max; /* largest block */
    size_t activation_count; /* floats of all activations of a chunk, inputs included */
    size_t activation_at[OPTINC_TRAIN_LAYERS_MAX + 1];
    uint32_t chunk_count; /* of a batch */
    uint32_t thread_count;
    uint32_t task_count;
    oi_train_task *tasks; /* [task_count], largest first */
} oi_train_plan;

/* What a chunk's cases said. */
typedef struct oi_train_tally {
    double loss; /* sum over the cases */
    uint64_t cases;
    uint64_t wrong;
    uint64_t wrong_by_digit[OPTINC_TRAIN_DIGITS_MAX];
    double margin_min;
    bool finite;
} oi_train_tally;

/* All that training changes; param .. best are one allocation, which is what a checkpoint holds. */
typedef struct oi_train_state {
    size_t value_count; /* floats from param on */
    float *param;       /* [param_count] */
    float *first;       /* Adam's moments; those of U live in the Lie algebra */
    float *second;
    float *drift;      /* [drift_count] bound on |U'U - I| since the last retraction */
    float *best;       /* [param_count], of the best evaluation */
    float *case_error; /* [case_count] worst output error when last seen; NULL: not kept */
    float *hard;       /* [hard_cases, group_count] inputs of the worst cases; NULL: none */
    uint64_t best_wrong;
    double best_margin;
    uint64_t epoch;
    uint64_t step;
    uint64_t rollbacks;
    double rate_factor;
    bool finished;
} oi_train_state;

/* A thread's scratch. */
typedef struct oi_train_worker {
    float *activation;  /* [activation_count] */
    float *delta[2];    /* [OI_TRAIN_CHUNK, side_max] */
    float *guide_slope; /* [guide_slope_count] what guides tell, then dL/d of it */
    float *block[3];    /* [block_side_max, block_side_max] */
    float target[OI_TRAIN_CHUNK * OPTINC_TRAIN_DIGITS_MAX];
    uint32_t active[OI_TRAIN_CHUNK];
} oi_train_worker;

typedef struct oi_trainer {
    const oi_train_plan *plan;
    const optinc_log *log;
    oi_train_state state;
    float *snapshot;   /* [value_count] state at the epoch's start */
    float *weight;     /* [weight_count] W of every layer, as the forward pass sees it */
    float *gradient;   /* [chunk_count, gradient_count] */
    bool *contributes; /* [chunk_count] the chunk's gradient is not empty */
    oi_train_tally *tallies;
    oi_train_worker *workers; /* [thread_count] */
    struct oi_crew *crew;     /* of thread_count */
    uint64_t *order;          /* [epoch_cases] */
    float *order_error;       /* [epoch_cases] when last seen, < 0: not seen; NULL: not kept */
    uint64_t order_count;
} oi_trainer;

/* How a chunk's outputs become a loss. */
typedef struct oi_train_loss {
    bool squared;
    double margin;
    double wrong_weight;
} oi_train_loss;

/* train_plan.c: checks everything, and lays the network out. */
optinc_status oi_train_plan_create(const optinc_spec *spec, const optinc_train_options *options,
                                   const optinc_log *log, oi_train_plan *plan);
void oi_train_plan_destroy(oi_train_plan *plan);

/* train_initial.c: U Haar-distributed, d so that lengths are kept. */
optinc_status oi_train_initialise(const oi_train_plan *plan, float *param);

/* train.c */
/* plan and log are set, all else is zero; memory, workers included, is the trainer's to free,
 * whatever the outcome. */
optinc_status oi_trainer_create(oi_trainer *trainer);
void oi_trainer_destroy(oi_trainer *trainer);
/* seconds of a clock, for reports alone. */
double oi_train_clock(clockid_t id);

/* train_loop.c: from the state as it is to the end of training; oi_train_state.best then holds the
 * parameters that did best. */
optinc_status oi_train_run(oi_trainer *trainer, const optinc_train_watch *watch);

/* train_cases.c */
/* Case `index`: values of the inputs in mixed radix, the first group least significant. */
/* input [groups] in 0 .. 3, as P gives them */
void oi_train_case_inputs(const oi_train_plan *plan, uint64_t index, double *input);
/* digits [outputs] of the reference's result; false where no codes make the case (at the last
 * switch of a cascade, see optinc_spec_check): it is neither learnt nor counted */
bool oi_train_case_digits(const oi_train_plan *plan, uint64_t index, uint8_t *digits);
/* Uniform in 0 .. count-1. kind: OI_TRAIN_DRAW_ORDER or _NEIGHBOUR */
uint64_t oi_train_draw(const oi_train_plan *plan, uint32_t kind, uint64_t epoch, uint64_t index,
                       uint64_t count);
/* The cases of the epoch in random order, to trainer->order. */
void oi_train_order(oi_trainer *trainer);

/* train_hard.c */
/* Random cases to state.hard. */
void oi_train_hard_first(oi_trainer *trainer);
/* The hard cases, then their neighbours, to the first 2 hard_cases of trainer->order. */
void oi_train_hard_order(oi_trainer *trainer);
/* The worst of the epoch's cases to state.hard. */
optinc_status oi_train_hard_keep(oi_trainer *trainer);

/* train_network.c: `cases` points into trainer->order where an epoch is a sample */
/* y [count, outputs] of the cases, in the worker's last activation; noise_step 0: no noise. */
void oi_train_forward(const oi_trainer *trainer, oi_train_worker *worker, const uint64_t *cases,
                      uint32_t count, uint64_t noise_step, uint64_t noise_first);
/* Loss of the forward pass, to tally, and its gradient over batch_count cases to
 * gradient [gradient_count], which is untouched if no case has one; says whether one had. */
bool oi_train_backward(const oi_trainer *trainer, oi_train_worker *worker, const uint64_t *cases,
                       uint32_t count, const oi_train_loss *loss, float *gradient,
                       oi_train_tally *tally);
/* Tally of the outputs alone, and the cases' errors if kept. */
void oi_train_judge(const oi_trainer *trainer, oi_train_worker *worker, const uint64_t *cases,
                    uint32_t count, oi_train_tally *tally);
void oi_train_tally_add(oi_train_tally *sum, const oi_train_tally *part);

/* train_guide.c */
/* Adds the guides, if the options ask for them, to a plan whose network is laid out. */
void oi_train_plan_guides(oi_train_plan *plan);
/* What the guides tell of a chunk after oi_train_forward, to guide_slope. */
void oi_train_guides_read(const oi_trainer *trainer, oi_train_worker *worker, uint32_t count);
/* Row `from` of what was read, of case `index`, to the loss's slopes in row `to` <= from; gives the
 * loss. */
float oi_train_guides_loss(const oi_trainer *trainer, oi_train_worker *worker, uint64_t index,
                           const oi_train_loss *loss, uint32_t from, uint32_t to);
/* Gradient of the guides that read this activation, from the first `rows` slopes; adds what they
 * send back to delta [rows, units]. */
void oi_train_guides_backward(const oi_trainer *trainer, const oi_train_worker *worker,
                              uint32_t activation, uint32_t rows, float *gradient, float *delta);

/* optimiser.c */
typedef struct oi_adam {
    float rate;
    float first_decay;
    float second_decay;
    float first_correction; /* 1 / (1 - beta^t) */
    float second_correction;
} oi_adam;

oi_adam oi_adam_at(double rate, uint64_t step);
/* Moves value [count] against gradient. */
void oi_adam_update(const oi_adam *adam, size_t count, const float *gradient, float *first,
                    float *second, float *value);
/* The step itself, unapplied. */
void oi_adam_direction(const oi_adam *adam, size_t count, const float *gradient, float *first,
                       float *second, float *step);
/* Cosine from the base rate to 0 over each cycle, each cycle from half the rate before. */
double oi_rate_at(const optinc_train_options *options, double epoch);
/* One task of the step: gradients summed over chunks, parameters moved, weights renewed. */
void oi_train_update(const oi_trainer *trainer, oi_train_worker *worker, const oi_train_task *task,
                     const oi_adam *adam);

/* segment.c */
/* Rows and columns of W at which a block starts. */
size_t oi_segment_offset(const oi_train_layer *layer, uint32_t block);
/* Moves U by exp(step), step skew-symmetric and shortened here if it is long; block scratch as in the worker. */
void oi_segment_move(uint32_t side, float *u, float *step, float *drift, float *scratch_a,
                     float *scratch_b);
/* W = diag(d) U of one block. */
void oi_segment_weight(const oi_train_layer *layer, const float *param, uint32_t block,
                       float *weight);
/* max |U'U - I| over all blocks of a plan's parameters. */
double oi_segment_orthogonality(const oi_train_plan *plan, const float *param);
/* U [side, side] to the nearest orthogonal matrix, to double precision; OPTINC_ERR_NO_CONVERGENCE
 * if it is too far from one. */
optinc_status oi_segment_polish(uint32_t side, double *u, double *deviation);
/* W [side, side] with leading dimension `stride` to the nearest diag(d) U: d [side], u [side, side]
 * (alternating: U the polar factor of diag(d) W, d = rows of W against rows of U). */
optinc_status oi_segment_nearest(uint32_t side, const double *weight, size_t stride, double *d,
                                 double *u);

/* train_noise.c */
/* Adds to z [count, units] Gaussian noise of `sigma` times the layer's full scale. */
void oi_noise_units(const oi_train_plan *plan, uint32_t layer, uint64_t step, uint64_t first,
                    uint32_t count, double sigma, float *z);
/* Weights of a layer whose meshes' rotations are off by Gaussian angles, to first order. */
void oi_noise_phases(const oi_trainer *trainer, oi_train_worker *worker, uint32_t layer,
                     uint64_t step);

/* train_checkpoint.c */
optinc_status oi_checkpoint_save(const oi_trainer *trainer);
optinc_status oi_checkpoint_load(oi_trainer *trainer);

/* train_design.c */
optinc_status oi_train_export(const oi_train_plan *plan, const float *param, const optinc_log *log,
                              double *orthogonality_max, optinc_design **design);
optinc_status oi_train_verify(const oi_train_plan *plan, const optinc_log *log,
                              optinc_train_result *result, optinc_design *design);

#endif
