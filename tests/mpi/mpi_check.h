/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_MPI_CHECK_H
#define TESTS_MPI_CHECK_H

#include "collective/fixture.h"

#include "optinc/mpi.h"

#include <stdio.h>

/* Ends all ranks: a rank that stopped alone would leave the others waiting. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            int check_rank;                                                                        \
            MPI_Comm_rank(MPI_COMM_WORLD, &check_rank);                                            \
            fprintf(stderr, "%s:%d: rank %d: %s\n", __FILE__, __LINE__, check_rank, #condition);   \
            MPI_Abort(MPI_COMM_WORLD, 1);                                                          \
        }                                                                                          \
    } while (0)

#endif
