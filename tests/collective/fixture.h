/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the collective share: designs, a world of ranks in threads, and an oracle in
 * integers that uses nothing of the library. */
#ifndef TESTS_COLLECTIVE_FIXTURE_H
#define TESTS_COLLECTIVE_FIXTURE_H

#include "collective/thread_transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A switch of N ports, or with levels = 2 a cascade of 1 + N switches of N ports. */
optinc_design *make_design(uint32_t ports, uint32_t bits, uint32_t levels, optinc_variant variant);

typedef struct world {
    uint32_t ranks;
    size_t count;
    optinc_op op;
    uint64_t step;
    optinc_turn turn;
    uint32_t repeats; /* of the same call on the same object; not with in_place or feedback */
    bool in_place;
    bool feedback;
    const optinc_design *design;
    optinc_collective_options options;
    thread_hub *hub;
    float **input;    /* [ranks][count] */
    float **output;   /* [ranks][count], poisoned; the input's copy where in_place */
    float **residual; /* [ranks][count], error feedback */
    optinc_status *status;
    optinc_allreduce_report *report;
} world;

/* Buffers of `ranks` times `count`, inputs zero. */
world make_world(const optinc_design *design, uint32_t ranks, size_t count);
void free_world(world *w);
/* Values over many binades, block by block, the same for a seed and rank. */
void fill_inputs(world *w, uint64_t seed);
/* Creates a collective on every rank, reduces once, destroys. Statuses are left in w->status. */
void run_world(world *w);
/* run_world, all statuses OPTINC_OK, the same bits on every rank. */
void run_world_ok(world *w);

/* expected [count], bound [count]: what codes, integers and block exponents give, by the definitions
 * of docs/proofs.md and docs/training.md, for a switch of `ports` in all that rounds half up; and the promised
 * 2^e N/K of the mean (times K for the sum). */
void oracle(const world *w, uint32_t ports, uint32_t bits, float *expected, double *bound);

uint32_t float_bits(float x);
/* Fails with the index of the first element whose bits differ. */
void assert_same_bits(const float *a, const float *b, size_t count);

uint64_t random_word(uint64_t *state);
double random_unit(uint64_t *state); /* [-1, 1) */

#endif
