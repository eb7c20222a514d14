/* SPDX-License-Identifier: Apache-2.0 */
/* What a design is: a tree of switches, each with its spec, ONN, mapping, table and proof; and the
 * design file (docs/formats.md: a safetensors file with spec, proof and checksum in its
 * metadata). A design does not change while a switch uses it; it may be read by many threads. */
#ifndef OPTINC_DESIGN_H
#define OPTINC_DESIGN_H

#include "optinc/reference.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum optinc_activation {
    OPTINC_ACTIVATION_LINEAR = 0,
    OPTINC_ACTIVATION_RELU = 1,      /* max(x, 0) */
    OPTINC_ACTIVATION_SATURATING = 2 /* min(max(x, 0), 1) */
} optinc_activation;

typedef enum optinc_mapping {
    OPTINC_MAPPING_SVD = 0,       /* two orthogonal meshes and a diagonal */
    OPTINC_MAPPING_SEGMENTED = 1, /* square blocks diag(d) U, U orthogonal */
    OPTINC_MAPPING_DIRECT = 2     /* fan-in and fan-out trees, waveguides */
} optinc_mapping;

typedef enum optinc_method {
    OPTINC_METHOD_CONSTRUCTED = 0,
    OPTINC_METHOD_TRAINED = 1
} optinc_method;

typedef enum optinc_proof_kind {
    OPTINC_PROOF_NONE = 0,
    OPTINC_PROOF_EXHAUSTIVE = 1,    /* every digit-sum case was run through the layers */
    OPTINC_PROOF_COMPOSITIONAL = 2, /* every state of every stage was run through the layers */
    OPTINC_PROOF_SAMPLED = 3        /* random cases; never exact */
} optinc_proof_kind;

/* One input of the ONN, made by P: scale * sum_(k < digit_count) 4^k s_(digit_first+k) / N.
 * OPTINC_VARIANT_STOCHASTIC has further inputs after the digits' (the bias ports): digit_first =
 * digits_in + i, digit_count 1, carries scale * digit i (base 4) of u 4^q / D, q = ceil(log4 D). */
typedef struct optinc_input {
    uint32_t digit_first;
    uint32_t digit_count; /* 1, or more where neighbouring digits are merged */
    double scale;
} optinc_input;

/* y = act(W x + b); W [rows, cols] row-major, b [rows]. */
typedef struct optinc_layer {
    uint32_t rows;
    uint32_t cols;
    optinc_activation activation;
    optinc_mapping mapping;
    uint32_t segment_side; /* side of the square blocks; 0 unless segmented */
    const double *weight;
    const double *bias;
} optinc_layer;

typedef struct optinc_proof {
    optinc_proof_kind kind;
    bool exact;        /* every digit of every case right, by exhaustion or composition */
    uint64_t cases;    /* run (exhaustive, sampled) or states run (compositional) */
    uint64_t errors;   /* of them with any digit wrong */
    double margin_min; /* smallest distance of an analogue decision from its threshold, in units of
                           the decision's step (a digit, or the input of a step); 0.5 is the most */
    double
        error_bound; /* sampled: upper Clopper-Pearson bound (95 %) of the error rate; else NaN */
} optinc_proof;

/* One switch of the tree. The ONN's outputs, digits_out of them, least significant first, are in
 * digit units: the receiver slices each to the nearest of 0 .. 3. */
typedef struct optinc_unit {
    optinc_spec spec;
    optinc_method method;
    uint64_t seed; /* of the training; 0 for constructed */
    double gap;    /* g of a constructed unit, in (0, 1); 0 for trained */
    uint32_t input_count;
    uint32_t layer_count;
    const optinc_input *inputs; /* [input_count] */
    const optinc_layer *layers; /* [layer_count] */
    /* What the ONN answers in every case, errors included: r by case number; NULL if not made.
     * For OPTINC_VARIANT_STOCHASTIC the index is case + offset * case_count. */
    size_t table_count;
    const uint32_t *table;
    optinc_proof proof;
} optinc_unit;

typedef struct optinc_design optinc_design;

#define OPTINC_LEVELS_MAX 8u
#define OPTINC_LAYERS_MAX 256u
#define OPTINC_LAYER_SIDE_MAX 16384u

/* A design of level_count levels; units[0] is the switch next to the servers, there are
 * prod_(m > l) units[m].spec.ports of units[l]. One level is a switch that stands alone. Units and
 * all that they point to are copied. Shapes, finiteness and the fit between levels are checked: all
 * but the last are residual, and a level takes the bits_out of the one before as bits_in and its
 * ports * zero_code as zero_code. The tree has at most 2^20 ports. A unit may have no layers: its
 * spec with a proof serves the exact backend, with a table the table backend. What does not fit is
 * OPTINC_ERR_INVALID_ARGUMENT, NaN or infinity OPTINC_ERR_NON_FINITE, more than the limits above
 * OPTINC_ERR_OVERFLOW; the log names the field. */
OPTINC_API optinc_status optinc_design_create(const optinc_unit *units, uint32_t level_count,
                                              const optinc_log *log,
                                              optinc_design **design) OPTINC_WARN_UNUSED;
/* Safe on NULL and twice; sets *design to NULL. */
OPTINC_API void optinc_design_destroy(optinc_design **design);

OPTINC_API uint32_t optinc_design_level_count(const optinc_design *design);
/* Borrowed: lives as long as the design. NULL if level is out of range. */
OPTINC_API const optinc_unit *optinc_design_unit(const optinc_design *design, uint32_t level);
/* N of the whole tree, B of the servers' codes, and what the tree as one flat switch computes. */
OPTINC_API uint32_t optinc_design_ports(const optinc_design *design);
OPTINC_API uint32_t optinc_design_bits(const optinc_design *design);
OPTINC_API optinc_spec optinc_design_flat_spec(const optinc_design *design);
/* Exact: every level's proof says so. */
OPTINC_API bool optinc_design_exact(const optinc_design *design);
/* CRC-64/XZ over all that determines results (specs, inputs, layers, tables; not method, seed, gap
 * and proof); equal designs on all ranks have equal checksums. */
OPTINC_API uint64_t optinc_design_checksum(const optinc_design *design);

/* Replaces a level's proof or table (copied); not while a switch uses the design. table_count must
 * be the number of cases and every entry below 2^bits_out, a proof such as verification could give:
 * anything else is OPTINC_ERR_INVALID_ARGUMENT. */
OPTINC_API optinc_status optinc_design_set_proof(optinc_design *design, uint32_t level,
                                                 const optinc_proof *proof) OPTINC_WARN_UNUSED;
OPTINC_API optinc_status optinc_design_set_table(optinc_design *design, uint32_t level,
                                                 const uint32_t *table,
                                                 size_t table_count) OPTINC_WARN_UNUSED;

/* Saves atomically: a new file beside `path` is renamed over it, so a failure leaves what was
 * there. Load and parse check everything; what is wrong is named in the log (file, field, what was
 * found or expected). parse: bytes [size] and name (of the file, for messages; NULL: "design") are
 * borrowed.
 * OPTINC_ERR_IO, _FORMAT, _CHECKSUM, _OVERFLOW. */
OPTINC_API optinc_status optinc_design_save(const optinc_design *design, const char *path,
                                            const optinc_log *log) OPTINC_WARN_UNUSED;
OPTINC_API optinc_status optinc_design_load(const char *path, const optinc_log *log,
                                            optinc_design **design) OPTINC_WARN_UNUSED;
OPTINC_API optinc_status optinc_design_parse(const uint8_t *bytes, size_t size, const char *name,
                                             const optinc_log *log,
                                             optinc_design **design) OPTINC_WARN_UNUSED;

#ifdef __cplusplus
}
#endif
#endif
