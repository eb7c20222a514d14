/* SPDX-License-Identifier: Apache-2.0 */
/* The words and JSON objects by which several subcommands describe a design. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include "cli.h"
#include "optinc/onn.h"
#include "optinc/synthesis.h"

const char *cli_mapping_name(optinc_mapping mapping);
const char *cli_activation_name(optinc_activation activation);
const char *cli_method_name(optinc_method method);
const char *cli_proof_name(optinc_proof_kind kind);
const char *cli_variant_name(optinc_variant variant);

/* The counting convention of optinc/synthesis.h with these options, in one sentence. */
#define CLI_CONVENTION_SIZE 384
const char *cli_convention(const optinc_cost_options *options, char text[CLI_CONVENTION_SIZE]);

/* How many units a level has: the product of the ports of the levels above it. */
uint64_t cli_units_of_level(const optinc_design *design, uint32_t level);

/* {"proof": kind, "cases": ..., "errors": ..., "exact": ..., "margin_min": ...} */
json_t *cli_json_proof(const optinc_proof *proof);

/* "exhaustive, 28,561 cases, 0 errors, smallest margin 0.5" */
#define CLI_PROOF_TEXT_SIZE 200
const char *cli_proof_text(const optinc_proof *proof, char text[CLI_PROOF_TEXT_SIZE]);

/* The proof of a whole from those of its levels: the weakest kind, all cases and errors, the
 * smallest margin, exact if all are. */
optinc_proof cli_combine_proofs(const optinc_proof *proofs, uint32_t count);

/* Loads or prints what is wrong and returns NULL. */
optinc_design *cli_load_design(const char *path);

#endif
