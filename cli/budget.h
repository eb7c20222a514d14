/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of a design as inspect shows it: the whole, every layer and receiver, what would mend
 * it, and its energy beside a ring's. */
#ifndef CLI_BUDGET_H
#define CLI_BUDGET_H

#include <jansson.h>

#include "optinc/synthesis.h"

/* Adds the keys of the budget to `object`, and to the objects of `layers`, which has one for each
 * layer of each level in their order. */
optinc_status cli_json_budget(json_t *object, json_t *layers, const optinc_design *design,
                              const optinc_photonic_options *options);

/* Prints the same but for the receivers. */
optinc_status cli_print_budget(const optinc_design *design, const optinc_photonic_options *options);

#endif
