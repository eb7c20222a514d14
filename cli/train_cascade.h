/* SPDX-License-Identifier: Apache-2.0 */
/* Training the switches of a cascade, level by level, from one set of options. */
#ifndef CLI_TRAIN_CASCADE_H
#define CLI_TRAIN_CASCADE_H

#include "optinc/synthesis.h"
#include "training.h"

/* Options that hold a list have one entry a level with slashes between them, or one for all:
 * --structure, --segment and level_epochs (NULL: --epochs for all). The checkpoint of level L is the
 * option's name with ".L" behind it; --resume starts a level without one anew. results [levels].
 * Prints what is wrong. */
optinc_status cli_train_cascade(const cli_training *training, const char *level_epochs,
                                const optinc_cascade *cascade, optinc_activation activation,
                                uint64_t seed, optinc_train_result *results,
                                optinc_design **design);

#endif
