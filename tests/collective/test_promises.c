/* SPDX-License-Identifier: Apache-2.0 */
/* The promises of docs/training.md. Every result is compared with the integer oracle, and every
 * rank's bits with rank 0's; what may not matter (chunks, threads, order, message size) is varied
 * against that. */
#include "collective/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_oracle(const world *w, uint32_t bits)
{
    uint32_t ports = optinc_design_ports(w->design);
    float *expected = calloc(w->count + 1, sizeof *expected);
    double *bound = calloc(w->count + 1, sizeof *bound);

    assert_non_null(expected);
    assert_non_null(bound);
    oracle(w, ports, bits, expected, bound);
    assert_same_bits(w->output[0], expected, w->count);
    for (size_t i = 0; i < w->count; i++) {
        double exact = 0.0, error, tolerance;

        for (uint32_t rank = 0; rank < w->ranks; rank++)
            exact += (double)w->input[rank][i];
        if (w->op == OPTINC_MEAN)
            exact /= w->ranks;
        error = fabs((double)w->output[0][i] - exact);
        /* the result is rounded to float, the comparison's sum to double */
        tolerance = bound[i] + fabs(exact) * 0x1p-24 + 0x1p-149;
        if (!(error <= tolerance))
            fail_msg("element %zu: error %g above %g", i, error, tolerance);
        if (!(error <= w->report[0].error_bound_max + fabs(exact) * 0x1p-50))
            fail_msg("element %zu: error %g above the reported %g", i, error,
                     w->report[0].error_bound_max);
    }
    free(expected);
    free(bound);
}

static void counts_and_ranks(void **state)
{
    static const size_t counts[] = {0, 1, 3, 255, 256, 257, 100000 + 7};
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint32_t ranks = 1; ranks <= 8; ranks++) {
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            world w = make_world(design, ranks, counts[i]);

            w.op = (ranks + i) % 2 ? OPTINC_MEAN : OPTINC_SUM;
            w.in_place = i % 3 == 0;
            w.repeats = w.in_place ? 0 : 1;
            fill_inputs(&w, 17 * ranks + i);
            run_world_ok(&w);
            check_oracle(&w, 8);
            assert_int_equal(w.report[0].elements, counts[i]);
            assert_int_equal(w.report[0].blocks, (counts[i] + 255) / 256);
            assert_int_equal(w.report[0].blocks_non_finite, 0);
            free_world(&w);
        }
    }
    optinc_design_destroy(&design);
}

static void every_width(void **state)
{
    (void)state;
    for (uint32_t bits = 2; bits <= 32; bits += 2) {
        optinc_design *design = make_design(4, bits, 1, OPTINC_VARIANT_HALF_UP);
        world w = make_world(design, 3, 5003);

        w.options.block_size = bits % 4 ? 64 : 12;
        w.options.chunk_elements = 1000;
        fill_inputs(&w, bits);
        run_world_ok(&w);
        check_oracle(&w, bits);
        free_world(&w);
        optinc_design_destroy(&design);
    }
}

static void sixty_four_ranks(void **state)
{
    optinc_design *flat = make_design(64, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_design *tree = make_design(8, 8, 2, OPTINC_VARIANT_HALF_UP);
    world w = make_world(flat, 64, 20011);
    float *kept = calloc(w.count, sizeof *kept);

    (void)state;
    assert_non_null(kept);
    w.options.chunk_elements = 4096;
    fill_inputs(&w, 64);
    run_world_ok(&w);
    check_oracle(&w, 8);
    memcpy(kept, w.output[0], w.count * sizeof *kept);
    /* a cascade of residual switches equals the one big switch */
    w.design = tree;
    run_world_ok(&w);
    assert_same_bits(kept, w.output[0], w.count);
    free(kept);
    free_world(&w);
    optinc_design_destroy(&flat);
    optinc_design_destroy(&tree);
}

/* Chunks, threads, kernel: no cut and no split shows in the bits, stochastic roundings included. */
static void cuts_do_not_show(void **state)
{
    static const optinc_collective_options options[] = {
        {.chunk_elements = 0},        {.chunk_elements = 1},
        {.chunk_elements = 256 * 7},  {.chunk_elements = 60000},
        {.chunk_elements = 1u << 22}, {.thread_count = 2, .chunk_elements = 70000},
        {.thread_count = 4},          {.kernel = OPTINC_KERNEL_PLAIN, .chunk_elements = 999},
    };
    static const struct {
        optinc_variant variant;
        optinc_rounding rounding;
    } modes[] = {
        {OPTINC_VARIANT_HALF_UP, OPTINC_ROUND_NEAREST},
        {OPTINC_VARIANT_STOCHASTIC, OPTINC_ROUND_STOCHASTIC},
    };

    (void)state;
    for (size_t m = 0; m < 2; m++) {
        optinc_design *design = make_design(4, 8, 1, modes[m].variant);
        world w = make_world(design, 3, 200000 + 13);
        float *first = calloc(w.count, sizeof *first);

        assert_non_null(first);
        w.step = 5;
        fill_inputs(&w, 3);
        for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
            w.options = options[i];
            w.options.rounding = modes[m].rounding;
            w.options.seed = 11;
            run_world_ok(&w);
            if (i == 0)
                memcpy(first, w.output[0], w.count * sizeof *first);
            assert_same_bits(first, w.output[0], w.count);
        }
        /* another step is another rounding where it is stochastic, and only there */
        w.step = 6;
        run_world_ok(&w);
        assert_int_equal(memcmp(first, w.output[0], w.count * sizeof *first) != 0, m == 1);
        free(first);
        free_world(&w);
        optinc_design_destroy(&design);
    }
}

static void order_of_ranks_does_not_show(void **state)
{
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 5, 30001);
    float *first = calloc(w.count, sizeof *first);

    (void)state;
    assert_non_null(first);
    fill_inputs(&w, 21);
    for (uint32_t turn = 0; turn < w.ranks; turn++) {
        float *last = w.input[w.ranks - 1];

        run_world_ok(&w);
        if (turn == 0)
            memcpy(first, w.output[0], w.count * sizeof *first);
        assert_same_bits(first, w.output[0], w.count);
        memmove(w.input + 1, w.input, (w.ranks - 1) * sizeof *w.input);
        w.input[0] = last;
    }
    free(first);
    free_world(&w);
    optinc_design_destroy(&design);
}

/* The whole blocks of a shorter message have the same result as in a longer one. */
static void message_size_does_not_show(void **state)
{
    static const size_t counts[] = {256, 512, 256 * 207, 256 * 208, 256 * 600};
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_STOCHASTIC);
    world w = make_world(design, 4, 256 * 1000 + 100);
    float *whole = calloc(w.count, sizeof *whole);

    (void)state;
    assert_non_null(whole);
    w.options.rounding = OPTINC_ROUND_STOCHASTIC;
    fill_inputs(&w, 77);
    run_world_ok(&w);
    memcpy(whole, w.output[0], w.count * sizeof *whole);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        w.count = counts[i];
        run_world_ok(&w);
        assert_same_bits(whole, w.output[0], w.count);
    }
    free(whole);
    free_world(&w);
    optinc_design_destroy(&design);
}

/* |x| <= (2^(B-1)-1)/N: sums of integers are exact. */
static void integers_are_exact(void **state)
{
    static const struct {
        uint32_t bits;
        int64_t limit;
    } cases[] = {{32, 1 << 21}, {16, 32767 / 8}, {8, 127 / 8}};

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        optinc_design *design = make_design(8, cases[c].bits, 1, OPTINC_VARIANT_HALF_UP);

        for (uint32_t ranks = 1; ranks <= 8; ranks++) {
            world w = make_world(design, ranks, 10007);
            uint64_t random = ranks;

            w.op = OPTINC_SUM;
            for (uint32_t rank = 0; rank < ranks; rank++)
                for (size_t i = 0; i < w.count; i++)
                    w.input[rank][i] = (float)((int64_t)(random_word(&random) %
                                                         (2 * (uint64_t)cases[c].limit + 1)) -
                                               cases[c].limit);
            run_world_ok(&w);
            for (size_t i = 0; i < w.count; i++) {
                int64_t sum = 0;

                for (uint32_t rank = 0; rank < ranks; rank++)
                    sum += (int64_t)w.input[rank][i];
                if ((int64_t)w.output[0][i] != sum || (float)sum != w.output[0][i])
                    fail_msg("B=%u K=%u element %zu: %g, not %lld", cases[c].bits, ranks, i,
                             (double)w.output[0][i], (long long)sum);
            }
            free_world(&w);
        }
        optinc_design_destroy(&design);
    }
}

/* Denormals, the largest floats, zeros. */
static void extremes(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 4, 1024);
    float expected[1024];
    double bound[1024];

    (void)state;
    for (uint32_t rank = 0; rank < 4; rank++) {
        for (size_t i = 0; i < 256; i++) {
            w.input[rank][i] = ldexpf((float)(rank + i), -149);
            w.input[rank][256 + i] = i % 2 ? 0x1.fffffep127f : -0x1.fffffep127f;
            w.input[rank][512 + i] = rank == 2 ? 0.0f : -0.0f;
            w.input[rank][768 + i] = i == 9 && rank == 1 ? 1.0f : 0x1p-100f;
        }
    }
    run_world_ok(&w);
    oracle(&w, 4, 8, expected, bound);
    assert_same_bits(w.output[0], expected, w.count);
    free_world(&w);
    optinc_design_destroy(&design);
}

/* What the report counts is what went over the transport, exponents apart, and a quarter of the
 * float ring's 2(K-1)/K. */
static void bytes_are_counted(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 4, 1u << 20);
    uint64_t moved, ring = 2 * 3 * 4 * (uint64_t)w.count / 4, exponents;

    (void)state;
    fill_inputs(&w, 1);
    run_world_ok(&w);
    moved = thread_hub_bytes(w.hub, 0);
    exponents = w.report[0].bytes_sent - moved;
    assert_int_equal(moved, ring / 4);
    assert_in_range(exponents, w.count / 256 * 2 * 3 / 4, w.count / 256 * 2 * 3 / 4 + 256);
    free_world(&w);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_ranks),
        cmocka_unit_test(every_width),
        cmocka_unit_test(sixty_four_ranks),
        cmocka_unit_test(cuts_do_not_show),
        cmocka_unit_test(order_of_ranks_does_not_show),
        cmocka_unit_test(message_size_does_not_show),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(extremes),
        cmocka_unit_test(bytes_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
