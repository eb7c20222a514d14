/* SPDX-License-Identifier: Apache-2.0 */
/* The MPI interface, run on several ranks. Every rank makes all ranks' inputs and so knows what must
 * come out: integers for exact sums, the integer oracle for the rest. */
#include "mpi_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int rank, size;

static optinc_mpi_context *open_context(const optinc_design *design, MPI_Comm comm,
                                        const optinc_mpi_options *options)
{
    optinc_mpi_context *context = NULL;

    CHECK(optinc_mpi_context_create(design, comm, options, NULL, &context) == OPTINC_OK);
    CHECK(context != NULL);
    return context;
}

/* Sums of integers with |x| <= (2^(B-1)-1)/N are exact. */
static void check_integers(MPI_Comm comm, uint32_t bits, int32_t limit)
{
    static const size_t counts[] = {0, 1, 3, 255, 256, 257, 200000 + 3};
    optinc_design *design = make_design(8, bits, 1, OPTINC_VARIANT_HALF_UP);
    optinc_mpi_context *context = open_context(design, comm, NULL);
    int own, ranks;

    MPI_Comm_rank(comm, &own);
    MPI_Comm_size(comm, &ranks);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        size_t count = counts[c];
        float *in = calloc(count + 1, sizeof *in), *out = calloc(count + 1, sizeof *out);
        optinc_op op = c % 2 ? OPTINC_SUM : OPTINC_MEAN;
        const void *send = c % 3 == 2 ? MPI_IN_PLACE : in;

        CHECK(in && out);
        memset(out, 0xff, (count + 1) * sizeof *out);
        for (size_t i = 0; i < count; i++)
            in[i] = (float)((int32_t)((i * 7919 + (size_t)own * 104729) % (2 * (size_t)limit + 1)) -
                            limit);
        if (send == MPI_IN_PLACE)
            memcpy(out, in, count * sizeof *out);
        CHECK(optinc_mpi_allreduce(context, send, out, count, op) == OPTINC_OK);
        CHECK(optinc_mpi_report(context)->elements == count);
        for (size_t i = 0; i < count; i++) {
            int64_t sum = 0;

            for (size_t r = 0; r < (size_t)ranks; r++)
                sum += (int64_t)((i * 7919 + r * 104729) % (2 * (size_t)limit + 1)) - limit;
            /* the mean of integers is the float nearest to it */
            CHECK(out[i] == (op == OPTINC_SUM ? (float)sum : (float)((double)sum / ranks)));
        }
        CHECK(float_bits(out[count]) == 0xffffffffu);
        free(in);
        free(out);
    }
    optinc_mpi_context_destroy(&context);
    CHECK(context == NULL);
    optinc_mpi_context_destroy(&context);
    optinc_design_destroy(&design);
}

static void check_oracle(void)
{
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    const optinc_mpi_options options = {.collective = {.chunk_elements = 5000, .block_size = 64},
                                        .timeout_seconds = 60.0};
    optinc_mpi_context *context = open_context(design, MPI_COMM_WORLD, &options);
    world w = make_world(design, (uint32_t)size, 100003);
    float *out = calloc(w.count, sizeof *out), *expected = calloc(w.count, sizeof *expected);
    double *bound = calloc(w.count, sizeof *bound);

    CHECK(out && expected && bound);
    w.options = options.collective;
    for (uint64_t turn = 0; turn < 4; turn++) {
        w.op = turn % 2 ? OPTINC_SUM : OPTINC_MEAN;
        fill_inputs(&w, turn);
        oracle(&w, 8, 8, expected, bound);
        memset(out, 0xff, w.count * sizeof *out);
        CHECK(optinc_mpi_allreduce(context, w.input[rank], out, w.count, w.op) == OPTINC_OK);
        for (size_t i = 0; i < w.count; i++)
            CHECK(float_bits(out[i]) == float_bits(expected[i]));
    }
    free(out);
    free(expected);
    free(bound);
    free_world(&w);
    optinc_mpi_context_destroy(&context);
    optinc_design_destroy(&design);
}

static void check_non_finite(void)
{
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_mpi_context *context = open_context(design, MPI_COMM_WORLD, NULL);
    float x[1000];

    for (size_t i = 0; i < 1000; i++)
        x[i] = 0.1f;
    if (rank == size - 1)
        x[300] = NAN;
    x[301] = -INFINITY;
    CHECK(optinc_mpi_allreduce(context, MPI_IN_PLACE, x, 1000, OPTINC_SUM) == OPTINC_OK);
    CHECK(optinc_mpi_report(context)->blocks_non_finite == 1);
    CHECK(isnan(x[300]));
    CHECK(isinf(x[301]) && x[301] < 0);
    for (size_t i = 256; i < 512; i++) {
        float sum = 0.1f;

        for (int r = 1; r < size; r++)
            sum += 0.1f;
        CHECK(i == 300 || i == 301 || x[i] == sum);
    }
    CHECK(fabs((double)x[0] - 0.1 * size) <= optinc_mpi_report(context)->error_bound_max);
    optinc_mpi_context_destroy(&context);
    optinc_design_destroy(&design);
}

static void check_mismatches(void)
{
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_design *other = make_design(8, 16, 1, OPTINC_VARIANT_HALF_UP);
    optinc_design *small = make_design(2, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_mpi_context *context = NULL;
    const optinc_mpi_options blocks = {.collective.block_size = 32};
    optinc_status expected = size > 1 ? OPTINC_ERR_MISMATCH : OPTINC_OK;
    float x[64] = {1.0f};
    bool odd = rank == size - 1;

    CHECK(optinc_mpi_context_create(odd ? other : design, MPI_COMM_WORLD, NULL, NULL, &context) ==
          expected);
    CHECK((context == NULL) == (expected != OPTINC_OK));
    optinc_mpi_context_destroy(&context);
    CHECK(optinc_mpi_context_create(design, MPI_COMM_WORLD, odd ? &blocks : NULL, NULL, &context) ==
          expected);
    optinc_mpi_context_destroy(&context);
    CHECK(optinc_mpi_context_create(small, MPI_COMM_WORLD, NULL, NULL, &context) ==
          (size > 2 ? OPTINC_ERR_INVALID_ARGUMENT : OPTINC_OK));
    optinc_mpi_context_destroy(&context);
    CHECK(optinc_mpi_context_create(odd ? NULL : design, MPI_COMM_WORLD, NULL, NULL, &context) ==
          OPTINC_ERR_INVALID_ARGUMENT);
    CHECK(optinc_mpi_context_create(design, MPI_COMM_NULL, NULL, NULL, &context) ==
          OPTINC_ERR_INVALID_ARGUMENT);

    context = open_context(design, MPI_COMM_WORLD, NULL);
    CHECK(optinc_mpi_allreduce(context, MPI_IN_PLACE, x, odd ? 63 : 64, OPTINC_SUM) == expected);
    if (size > 1)
        CHECK(x[0] == 1.0f);
    x[0] = 2.0f;
    CHECK(optinc_mpi_allreduce(context, MPI_IN_PLACE, x, 64, odd ? OPTINC_SUM : OPTINC_MEAN) ==
          expected);
    CHECK(optinc_mpi_allreduce(context, odd ? NULL : MPI_IN_PLACE, x, 64, OPTINC_SUM) ==
          OPTINC_ERR_INVALID_ARGUMENT);
    x[0] = 3.0f;
    CHECK(optinc_mpi_allreduce(context, MPI_IN_PLACE, x, 64, OPTINC_SUM) == OPTINC_OK);
    CHECK(x[0] == 3.0f * (float)size);
    optinc_mpi_context_destroy(&context);
    optinc_design_destroy(&design);
    optinc_design_destroy(&other);
    optinc_design_destroy(&small);
}

static void check_communicators(void)
{
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_mpi_context *context = NULL;
    MPI_Comm half, inter;

    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &half);
    check_integers(half, 8, 15);
    check_integers(MPI_COMM_SELF, 32, 1 << 21);
    if (size > 1) {
        MPI_Intercomm_create(half, 0, MPI_COMM_WORLD,
                             rank % 2 ? size - 1 - (size - 1) % 2 : (size - 2) | 1, 1, &inter);
        CHECK(optinc_mpi_context_create(design, inter, NULL, NULL, &context) ==
              OPTINC_ERR_UNSUPPORTED);
        MPI_Comm_free(&inter);
    }
    MPI_Comm_free(&half);
    optinc_design_destroy(&design);
}

/* Two contexts with a message each, one after the other on every rank, and the caller's own feedback
 * and steps through the collective below. */
static void check_collective_below(void)
{
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_mpi_context *context = open_context(design, MPI_COMM_WORLD, NULL);
    float x[512], y[512], residual[512], before;

    for (size_t i = 0; i < 512; i++) {
        x[i] = (float)i;
        y[i] = NAN;
        residual[i] = 0.5f;
    }
    before = residual[77] + x[77];
    CHECK(optinc_allreduce(
              optinc_mpi_collective(context),
              &(optinc_allreduce_args){x, y, 512, OPTINC_MEAN, residual, 3, OPTINC_TURN_NONE},
              NULL) == OPTINC_OK);
    /* 2^2 is the scale of values up to 255.5, and all ranks sent the same */
    CHECK(fabsf(residual[77]) <= 2.0f);
    CHECK(fabsf(y[77] - (before - residual[77])) <= 4.0f * 8.0f / 2.0f / (float)size);
    CHECK(optinc_mpi_transport(context)->size == (uint32_t)size);
    optinc_mpi_context_destroy(&context);
    optinc_design_destroy(&design);
}

static void check_ring(void)
{
    static const size_t counts[] = {0, 1, 2, 1001, 100000};
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_mpi_context *context = open_context(design, MPI_COMM_WORLD, NULL);

    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        float *x = calloc(counts[c] + 1, sizeof *x), *y = calloc(counts[c] + 1, sizeof *y);

        CHECK(x && y);
        for (size_t i = 0; i < counts[c]; i++)
            x[i] = (float)((size_t)rank * 1000 + i % 1000);
        if (c % 2)
            memcpy(y, x, counts[c] * sizeof *y);
        CHECK(optinc_mpi_ring_allreduce(context, c % 2 ? MPI_IN_PLACE : x, y, counts[c],
                                        OPTINC_SUM) == OPTINC_OK);
        for (size_t i = 0; i < counts[c]; i++)
            CHECK(y[i] ==
                  (float)((size_t)(size * (size - 1) / 2) * 1000 + i % 1000 * (size_t)size));
        free(x);
        free(y);
    }
    optinc_mpi_context_destroy(&context);
    optinc_design_destroy(&design);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    check_integers(MPI_COMM_WORLD, 8, 15);
    check_integers(MPI_COMM_WORLD, 32, 1 << 21);
    check_oracle();
    check_non_finite();
    check_mismatches();
    check_communicators();
    check_collective_below();
    check_ring();
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks passed\n", size);
    MPI_Finalize();
    return 0;
}
