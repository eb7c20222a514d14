/* SPDX-License-Identifier: Apache-2.0 */
/* From a wish to a design, and what the design costs (DESIGN.md sections 5 and 6). */
#ifndef OPTINC_SYNTHESIS_H
#define OPTINC_SYNTHESIS_H

#include "optinc/onn.h"
#include "optinc/optics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Conventions of DESIGN.md section 6: a mesh of side k has k(k-1)/2 MZIs; SVD: two meshes and a
 * diagonal of max(rows, cols) (or min); segmented: k(k-1)/2 + k a block, blocks at the edge counted
 * whole; direct: the MZIs of the trees that optinc_circuit_create makes. */
typedef struct optinc_cost_options {
    bool diagonal_min;    /* SVD diagonal min(rows, cols) in place of max */
    bool bias_port;       /* the bias is one more column of every matrix with a non-zero bias, but
                             for segmented ones, whose bias is added at the receivers */
    double mzi_length_um; /* 0: 180 (FACTS.md section 5, LT) */
    double mzi_width_um;  /* 0: 100 */
} optinc_cost_options;

typedef struct optinc_layer_cost {
    uint32_t rows; /* of the matrix that is built, bias column included */
    uint32_t cols;
    optinc_mapping mapping;
    uint64_t mzis;
    uint64_t mzis_svd; /* had it been mapped by SVD, bias as here */
    uint64_t depth;    /* MZIs that light passes one after another; meshes by Clements */
} optinc_layer_cost;

/* options NULL: max diagonal, bias port. A layer of no rows or columns, or segmented with
 * segment_side 0: OPTINC_ERR_INVALID_ARGUMENT. */
OPTINC_API optinc_status optinc_layer_cost_of(const optinc_layer *layer,
                                              const optinc_cost_options *options,
                                              optinc_layer_cost *cost) OPTINC_WARN_UNUSED;

typedef struct optinc_design_cost {
    uint64_t mzis; /* all units of all levels */
    uint64_t mzis_svd;
    uint64_t depth; /* MZIs from a server through the tree, one after another */
    double area_mm2;
} optinc_design_cost;

/* One switch of the tree. */
OPTINC_API optinc_status optinc_unit_cost_of(const optinc_unit *unit,
                                             const optinc_cost_options *options,
                                             optinc_design_cost *cost) OPTINC_WARN_UNUSED;

OPTINC_API optinc_status optinc_design_cost_of(const optinc_design *design,
                                               const optinc_cost_options *options,
                                               optinc_design_cost *cost) OPTINC_WARN_UNUSED;

/* A tree of switches that computes what one switch of all its ports would: residual switches below,
 * one that rounds on top. Level 0 is next to the servers. */
typedef struct optinc_cascade {
    uint32_t ports[OPTINC_LEVELS_MAX]; /* of a switch of each level: 2 .. 64, a power of two */
    uint32_t level_count;              /* 1 .. OPTINC_LEVELS_MAX */
    uint32_t bits;                     /* B of the servers' codes: even, 2 .. 32 */
    optinc_variant variant;            /* of the whole */
} optinc_cascade;

/* Ports [level_count] whose product is `servers`, as equal as they can be, larger ones on top, where
 * there are fewer switches. Where no cascade serves that many servers in so many levels:
 * OPTINC_ERR_INVALID_ARGUMENT, and the log names the nearest numbers that it does serve. */
OPTINC_API optinc_status optinc_cascade_split(uint64_t servers, uint32_t level_count,
                                              const optinc_log *log,
                                              uint32_t *ports) OPTINC_WARN_UNUSED;

/* What the switches of each level compute, specs [level_count]. The tree has at most 2^20 ports, a
 * port of the last level at most 48 bits. */
OPTINC_API optinc_status optinc_cascade_specs(const optinc_cascade *cascade, const optinc_log *log,
                                              optinc_spec *specs) OPTINC_WARN_UNUSED;

/* The cascade of constructed switches as one design. Every level is verified and carries its best
 * proof; levels that are exact make the whole exact (docs/proofs.md). construct NULL: as for
 * optinc_construct. verify NULL: exhaustive where a level has at most 2^20 cases. */
OPTINC_API optinc_status optinc_synthesise_cascade(const optinc_cascade *cascade,
                                                   const optinc_construct_options *construct,
                                                   const optinc_verify_options *verify,
                                                   const optinc_progress *progress,
                                                   const optinc_log *log,
                                                   optinc_design **design) OPTINC_WARN_UNUSED;

/* What light meets in one layer, and what reaches its receivers (docs/optics.md has the rules). */
typedef struct optinc_layer_budget {
    uint64_t mzis;
    uint64_t modulators;
    uint64_t receivers;
    double loss_db_max;      /* modulator and components of the longest way */
    double received_dbm_min; /* at the worst receiver, its largest signal */
    double gain_db_max;      /* that a receiver's amplifier must give to restore the value */
    double snr_db_min;       /* largest signal over noise, relative-intensity noise included */
    double latency_ps;
    double area_mm2;
    double power_w;
} optinc_layer_budget;

/* A whole tree of switches, the servers' own transceivers left out. */
typedef struct optinc_budget {
    uint64_t mzis;
    double area_mm2;
    double power_w;     /* static phases, receivers, modulators, lasers */
    double energy_pj;   /* of one gradient element through the tree */
    double latency_ps;  /* from a server's modulator to the last receiver */
    double loss_db_max; /* of any layer: receivers restore the light between layers */
    double received_dbm_min;
    double gain_db_max;
    double snr_db_min;
    double snr_db_needed;   /* so that 3N + 4 levels are told apart at 6.5 sigma */
    double laser_mw_needed; /* in every modulator, for the weakest receiver's sensitivity */
    uint32_t limit_level;   /* where it breaks first, or comes closest to it */
    uint32_t limit_layer;   /* counted from 1 */
    bool feasible;
    char verdict[256]; /* what breaks first, and what would mend it */
} optinc_budget;

/* The budget of one layer; the circuit comes from options->mapping and so on, the constants from
 * options->device. layers [layer_count] of that level's unit. */
OPTINC_API optinc_status optinc_unit_budget(const optinc_unit *unit,
                                            const optinc_photonic_options *options,
                                            const optinc_log *log,
                                            optinc_layer_budget *layers) OPTINC_WARN_UNUSED;
OPTINC_API optinc_status optinc_design_budget(const optinc_design *design,
                                              const optinc_photonic_options *options,
                                              const optinc_log *log,
                                              optinc_budget *budget) OPTINC_WARN_UNUSED;

#ifdef __cplusplus
}
#endif
#endif
