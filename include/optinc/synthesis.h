/* SPDX-License-Identifier: Apache-2.0 */
/* From a wish to a design, and what the design costs (docs/switch.md). */
#ifndef OPTINC_SYNTHESIS_H
#define OPTINC_SYNTHESIS_H

#include "optinc/onn.h"
#include "optinc/optics.h"
#include "optinc/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Conventions: a mesh of side k has k(k-1)/2 MZIs; SVD: two meshes and a
 * diagonal of max(rows, cols) (or min); segmented: k(k-1)/2 + k a block, blocks at the edge counted
 * whole; direct: the MZIs of the trees that optinc_circuit_create makes. */
typedef struct optinc_cost_options {
    bool diagonal_min;    /* SVD diagonal min(rows, cols) in place of max */
    bool bias_port;       /* the bias is one more column of every matrix with a non-zero bias, but
                             for segmented ones, whose bias is added at the receivers */
    double mzi_length_um; /* 0: 180 (Lightening-Transformer's, as in devices/) */
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

/* One switch of the tree. In these two options NULL as above; mzi sides not finite or negative:
 * OPTINC_ERR_INVALID_ARGUMENT. */
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

/* Ports [level_count] whose product is `servers`, as equal as they can be, larger ones on top,
 * where there are fewer switches. Where no cascade serves that many servers in so many levels:
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
 * optinc_construct. verify NULL: exhaustive where a level has at most 2^20 cases; its checkpoint is
 * not used. */
OPTINC_API optinc_status optinc_synthesise_cascade(const optinc_cascade *cascade,
                                                   const optinc_construct_options *construct,
                                                   const optinc_verify_options *verify,
                                                   const optinc_progress *progress,
                                                   const optinc_log *log,
                                                   optinc_design **design) OPTINC_WARN_UNUSED;

/* The cascade of trained switches: the unit of each level trained by options [level_count], which
 * fit its spec (optinc_cascade_specs), results [level_count]. As optinc_train; a level in which
 * cases are wrong makes a design that is not exact. */
OPTINC_API optinc_status optinc_train_cascade(const optinc_cascade *cascade,
                                              const optinc_train_options *options,
                                              const optinc_train_watch *watch,
                                              const optinc_log *log, optinc_train_result *results,
                                              optinc_design **design) OPTINC_WARN_UNUSED;

/* What is lost where the lower switches of a cascade round half up to B bits, as plain ones do,
 * instead of passing on their residual. All code vectors are counted as equally likely. In units of
 * the result's code. */
typedef struct optinc_rounding_loss {
    double wrong;   /* share of code vectors whose result is not the flat switch's */
    double mean;    /* of cascade minus flat */
    double off_min; /* its smallest and largest value */
    double off_max;
    double bias;      /* mean of the cascade's result minus the exact mean */
    double bias_flat; /* of the flat switch's, 1/(2N) */
    double rms;       /* root mean square of the same */
    double rms_flat;
} optinc_rounding_loss;

/* By counting, not by samples (docs/cascades.md). More than 2^B or 4,096 servers:
 * OPTINC_ERR_OVERFLOW; a variant that does not round half up: OPTINC_ERR_UNSUPPORTED. */
OPTINC_API optinc_status
optinc_cascade_rounding_loss(const optinc_cascade *cascade, const optinc_log *log,
                             optinc_rounding_loss *loss) OPTINC_WARN_UNUSED;

/* What a design gives under faults. */
typedef struct optinc_fault_proof {
    optinc_fault_effect effect;
    uint32_t
        kinds; /* of switches with a fault among their inputs: level, inputs live, idle, dark */
    optinc_proof units; /* of those kinds, every case that their live inputs can make */
    uint64_t elements;  /* random ones through the whole tree */
    uint64_t elements_wrong;
    bool exact; /* proved for every case: the result is the reference's of what the faults leave */
} optinc_fault_proof;

/* Proves what a design with servers on ports 0 .. port_count-1 returns under faults: the reference
 * (optinc_faults_total, then optinc_reference_result of the flat spec) for the servers that are
 * left. Every kind of switch that meets a fault runs all cases of its live inputs through its
 * layers, where they are no more than options->exhaustive_cases_max (0: 2^20), else they are among
 * the cases of the level's proof; together with the proofs of all levels this is the whole
 * (docs/cascades.md). Random codes go through the whole tree besides. The action OPTINC_FAULT_ERROR
 * has no result: OPTINC_ERR_UNSUPPORTED; other errors as optinc_faults_resolve. options NULL: all
 * zero; of them exhaustive_cases_max, seed and thread_count are read. */
OPTINC_API optinc_status optinc_verify_faults(const optinc_design *design, uint32_t port_count,
                                              const optinc_faults *faults,
                                              const optinc_verify_options *options,
                                              const optinc_log *log,
                                              optinc_fault_proof *result) OPTINC_WARN_UNUSED;

/* What light meets in one layer, and what reaches its receivers (docs/optics.md has the rules). */
typedef struct optinc_layer_budget {
    uint64_t mzis;
    uint64_t modulators;
    uint64_t receivers;
    double loss_db_max;      /* modulator, components and crossings of the longest way */
    double received_dbm_min; /* at the worst receiver, its largest signal */
    double gain_db_max;      /* that a receiver's amplifier must give to restore the value */
    double snr_db_min;       /* largest signal over noise, relative-intensity noise included */
    double latency_ps;
    double area_mm2;
    double power_w;
    uint64_t dummies;       /* with the loss of an MZI; their area is counted, they take no power */
    uint32_t depth;         /* MZIs on the longest way */
    double light_min;       /* amplitude of the worst receiver's largest signal, as launched: 1 */
    double laser_mw;        /* light launched into all modulators */
    double oscillator_mw;   /* light of all receivers' local oscillators */
    double laser_mw_needed; /* into every modulator, for the worst receiver's sensitivity */
    uint64_t crossings;     /* of waveguides in the floor plan (optinc_layout_crossings) */
    uint32_t path_crossings_max; /* most of them on a way from a modulator to a receiver */
    double crossing_loss_db_max; /* theirs: path_crossings_max x the device's crossing_loss_db */
} optinc_layer_budget;

/* What one receiver sees when its layer's inputs are such that its signal is the largest, and comes
 * with the loss of what is on each of its ways. A row of zeros has no receiver: NaN, and 0
 * crossings. */
typedef struct optinc_receiver_budget {
    double loss_db; /* from the light launched into one modulator, modulator included */
    double received_dbm;
    double gain_db;
    double snr_db;      /* infinite without noise */
    double headroom_db; /* the least of light, gain and noise */
    uint32_t crossings; /* most of them on a way to it */
} optinc_receiver_budget;

/* A whole tree of switches, the servers' own transceivers left out. */
typedef struct optinc_budget {
    uint64_t mzis;
    double area_mm2;
    double power_w;     /* static phases, receivers, modulators, lasers */
    double energy_pj;   /* of one gradient element through the tree */
    double latency_ps;  /* from a server's modulator to the last receiver */
    uint64_t depth;     /* MZIs one after another from a server through the tree */
    double laser_w;     /* electrical, of all lasers and oscillators; part of power_w */
    double loss_db_max; /* of any layer: receivers restore the light between layers */
    double received_dbm_min;
    double gain_db_max;
    double snr_db_min;
    double snr_db_needed;   /* so that 3N + 4 levels are told apart at 6.5 sigma */
    double laser_mw_needed; /* in every modulator, for the weakest receiver's sensitivity */
    uint32_t limit_level;   /* where it breaks first, or comes closest to it */
    uint32_t limit_layer;   /* counted from 1 */
    double headroom_db;     /* there: the least of light, gain and noise */
    bool feasible;
    char verdict[256];           /* what breaks first, and what would mend it */
    uint64_t crossings;          /* of waveguides, in all circuits */
    uint32_t path_crossings_max; /* of any layer */
    double crossing_loss_db_max; /* of any layer; part of its loss */
} optinc_budget;

/* Ways to make a design feasible, each with all else as it is. NaN or 0: that alone does not. */
typedef struct optinc_remedies {
    double laser_mw;           /* into every modulator, up to laser_power_mw_max */
    double oscillator_mw;      /* at every receiver, up to the same */
    double symbol_rate_gbaud;  /* slower than the device's, down to a thousandth */
    double mzi_loss_db;        /* MZIs of at most this loss */
    double crossing_loss_db;   /* crossings of at most this loss */
    uint32_t mzis_between;     /* regeneration (receivers and modulators) after so many MZIs */
    double direct_headroom_db; /* of all layers mapped by trees, where that is feasible */
} optinc_remedies;

/* What moving one gradient element costs, in pJ, with transceivers of transceiver_energy_pj_per_bit
 * at every server, which send and receive at the same time. Servers: all ports. */
typedef struct optinc_energy {
    double optinc;     /* B bits from every server, and the switch */
    double ring_same;  /* ring of B-bit codes: 2 (N-1)/N of B bits from every server */
    double ring_float; /* the same with 32-bit floats */
} optinc_energy;

/* The budget of every layer of a unit, layers [layer_count]: circuits as the backend photonic
 * builds them with these options, the constants from options->device. In this function and the
 * three below options NULL are optinc_photonic_defaults(), which have no loss and no noise; a layer
 * that cannot be mapped so fails as optinc_circuit_create does. */
OPTINC_API optinc_status optinc_unit_budget(const optinc_unit *unit,
                                            const optinc_photonic_options *options,
                                            const optinc_log *log,
                                            optinc_layer_budget *layers) OPTINC_WARN_UNUSED;
/* The receivers of all layers one after the other, receivers [sum of the layers' rows]. */
OPTINC_API optinc_status
optinc_unit_receivers(const optinc_unit *unit, const optinc_photonic_options *options,
                      const optinc_log *log, optinc_receiver_budget *receivers) OPTINC_WARN_UNUSED;
/* All levels of the tree; a design that is not feasible is a result, not an error. */
OPTINC_API optinc_status optinc_design_budget(const optinc_design *design,
                                              const optinc_photonic_options *options,
                                              const optinc_log *log,
                                              optinc_budget *budget) OPTINC_WARN_UNUSED;

/* The losses `mzi_loss_db` and `crossing_loss_db` are found to 1/256 of the device's. Budgets twenty
 * times where the design is infeasible. */
OPTINC_API optinc_status optinc_design_remedies(const optinc_design *design,
                                                const optinc_photonic_options *options,
                                                const optinc_log *log,
                                                optinc_remedies *remedies) OPTINC_WARN_UNUSED;
/* `budget` is the design's (optinc_design_budget); allocates nothing. */
OPTINC_API optinc_energy optinc_design_energy(const optinc_design *design,
                                              const optinc_device *device,
                                              const optinc_budget *budget);

#ifdef __cplusplus
}
#endif
#endif
