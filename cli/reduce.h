/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors through codec and switch, chunk by chunk, measured against the exact mean or sum. */
#ifndef CLI_REDUCE_H
#define CLI_REDUCE_H

#include "cli.h"
#include "faults.h"
#include "npy.h"
#include "optinc/switch.h"

typedef struct cli_reduction {
    const optinc_design *design; /* borrowed */
    optinc_switch *sw;           /* borrowed; made from design */
    optinc_codec codec;
    optinc_op op;
    uint64_t seed;
    uint64_t step;            /* of stochastic roundings */
    size_t chunk_elements;    /* a multiple of codec.block_size */
    uint32_t input_count;     /* K */
    const cli_faults *faults; /* resolved for K inputs; the switch has them, too */
    FILE *const *inputs;      /* [input_count], each behind its header */
    char *const *names;       /* [input_count], for messages */
    uint64_t element_count;
    FILE *output;            /* behind its header */
    const char *output_name; /* for messages */
} cli_reduction;

typedef struct cli_reduction_report {
    uint64_t blocks;
    uint64_t blocks_non_finite; /* summed in float, in input order, and not measured */
    double error_max;           /* |result - exact mean or sum|; 0 if nothing was measured */
    double error_bound;         /* largest optinc_error_bound of any block */
    uint64_t beyond_bound;      /* elements whose error exceeds the bound of their own block */
    uint64_t symbol_errors;     /* digits in which the backend differs from the reference */
    uint64_t code_errors;       /* elements with any such digit */
} cli_reduction_report;

/* What failed has been printed. */
optinc_status cli_reduce(const cli_reduction *reduction,
                         cli_reduction_report *report) OPTINC_WARN_UNUSED;

#endif
