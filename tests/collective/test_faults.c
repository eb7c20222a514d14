/* SPDX-License-Identifier: Apache-2.0 */
/* All-reduces over a network with faults. Identity: integers, added up in the test from the codes of
 * the servers that are left; a dark server adds code 0, an idle port 2^(B-1). */
#include "collective/fixture.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS = 8, BITS = 8, COUNT = 3000, BLOCK = 256 };

/* What the test expects of one rank's codes. */
typedef enum fate { LIVE, IDLE, DARK } fate;

static void expect(const world *w, const fate *fates, uint32_t servers, float *expected)
{
    for (size_t first = 0; first < w->count; first += BLOCK) {
        size_t end = first + BLOCK < w->count ? first + BLOCK : w->count;
        double largest = 0.0;
        int e = 130 - BITS - 253;

        for (uint32_t rank = 0; rank < w->ranks; rank++)
            for (size_t i = first; i < end; i++)
                largest = fmax(largest, fates[rank] == IDLE ? 0 : fabs((double)w->input[rank][i]));
        while (largest > ldexp(127, e))
            e++;
        for (size_t i = first; i < end; i++) {
            int64_t total = 0, r;

            for (uint32_t port = 0; port < PORTS; port++) {
                if (port >= w->ranks || fates[port] == IDLE)
                    total += 128;
                else if (fates[port] == LIVE)
                    total += (int64_t)nearbyint(ldexp((double)w->input[port][i], -e)) + 128;
            }
            r = (total + PORTS / 2) / PORTS;
            expected[i] = largest > 0 ? (float)(ldexp((double)(r - 128), e) * PORTS / servers) : 0;
            if (w->op == OPTINC_SUM && largest > 0)
                expected[i] = (float)(ldexp((double)(r - 128), e) * PORTS);
        }
    }
}

static void check(const optinc_design *design, const optinc_faults *faults, const fate *fates,
                  uint32_t servers, optinc_op op)
{
    world w = make_world(design, 7, COUNT);
    float *expected = calloc(COUNT, sizeof *expected);

    assert_non_null(expected);
    w.op = op;
    w.options.faults = faults;
    w.options.chunk_elements = 1024;
    fill_inputs(&w, 3);
    run_world_ok(&w);
    expect(&w, fates, servers, expected);
    assert_same_bits(w.output[0], expected, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        double exact = 0.0;

        /* the bound promises the distance to the mean over those that the caller counts */
        for (uint32_t rank = 0; rank < w.ranks; rank++)
            exact += fates[rank] == IDLE ? 0.0 : (double)w.input[rank][i];
        if (op == OPTINC_MEAN)
            exact /= servers;
        if (!(fabs((double)w.output[0][i] - exact) <= w.report[0].error_bound_max * (1 + 1e-9)))
            fail_msg("element %zu: %g, exact %g, bound %g", i, (double)w.output[0][i], exact,
                     w.report[0].error_bound_max);
    }
    free(expected);
    free_world(&w);
}

static void results(void **state)
{
    const uint32_t port[] = {2}, ports[] = {0, 5};
    const fate one_dark[7] = {[2] = DARK}, one_idle[7] = {[2] = IDLE};
    const fate two_idle[7] = {[0] = IDLE, [5] = IDLE};
    optinc_faults f = {.dark_ports = port, .dark_count = 1};
    optinc_design *design = make_design(PORTS, BITS, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (int op = OPTINC_SUM; op <= OPTINC_MEAN; op++) {
        f.action = OPTINC_FAULT_UNDETECTED;
        check(design, &f, one_dark, 7, (optinc_op)op);
        f.action = OPTINC_FAULT_RESCALE;
        check(design, &f, one_idle, 6, (optinc_op)op);
    }
    f = (optinc_faults){.left_ports = ports, .left_count = 2};
    check(design, &f, two_idle, 5, OPTINC_MEAN);
    optinc_design_destroy(&design);
}

/* Monitors: every rank gets the error, and without a fault none does. */
static void detected(void **state)
{
    const uint32_t port[] = {2};
    optinc_faults f = {.dark_ports = port, .dark_count = 1, .action = OPTINC_FAULT_ERROR};
    const fate none[7] = {LIVE};
    optinc_design *design = make_design(PORTS, BITS, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 7, COUNT);

    (void)state;
    w.options.faults = &f;
    fill_inputs(&w, 4);
    run_world(&w);
    for (uint32_t rank = 0; rank < w.ranks; rank++)
        assert_int_equal(w.status[rank], OPTINC_ERR_DARK);
    free_world(&w);
    f.dark_count = 0;
    check(design, &f, none, 7, OPTINC_MEAN);
    optinc_design_destroy(&design);
}

/* A block with an infinity is summed in float, over the servers that are left. */
static void float_blocks(void **state)
{
    const uint32_t port[] = {0};
    const optinc_faults f = {.dark_ports = port, .dark_count = 1, .action = OPTINC_FAULT_RESCALE};
    optinc_design *design = make_design(4, BITS, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 4, 256);

    (void)state;
    w.op = OPTINC_MEAN;
    w.options.faults = &f;
    fill_inputs(&w, 5);
    w.input[0][3] = NAN; /* of the server that is gone */
    w.input[2][7] = INFINITY;
    run_world_ok(&w);
    assert_int_equal(w.report[0].blocks_non_finite, 1);
    for (size_t i = 0; i < w.count; i++) {
        float mean = ((w.input[1][i] + w.input[2][i]) + w.input[3][i]) / 3.0f;

        assert_int_equal(float_bits(w.output[0][i]), float_bits(mean));
    }
    free_world(&w);
    optinc_design_destroy(&design);
}

typedef struct odd {
    const optinc_design *design;
    const optinc_faults *faults;
    uint32_t odd_rank;
    optinc_status status[3];
} odd;

static void create_odd(void *user, uint32_t rank, const optinc_transport *transport)
{
    odd *o = user;
    const optinc_collective_options options = {.faults = rank == o->odd_rank ? o->faults : NULL};
    optinc_collective *collective = NULL;

    o->status[rank] = optinc_collective_create(transport, o->design, &options, NULL, &collective);
    optinc_collective_destroy(&collective);
}

/* Ranks that are told of different faults, and faults that the design cannot have. */
static void refusals(void **state)
{
    const uint32_t port[] = {1}, beyond[] = {8};
    optinc_faults f = {.dark_ports = port, .dark_count = 1, .action = OPTINC_FAULT_RESCALE};
    optinc_design *design = make_design(PORTS, BITS, 1, OPTINC_VARIANT_HALF_UP);
    odd o = {.design = design, .faults = &f, .odd_rank = 1};
    thread_hub *hub = thread_hub_create(3);
    world w = make_world(design, 3, 16);

    (void)state;
    assert_non_null(hub);
    thread_hub_run(hub, create_odd, &o);
    for (uint32_t rank = 0; rank < 3; rank++)
        assert_int_equal(o.status[rank], OPTINC_ERR_MISMATCH);
    thread_hub_destroy(hub);
    f.dark_ports = beyond;
    w.options.faults = &f;
    run_world(&w);
    for (uint32_t rank = 0; rank < 3; rank++)
        assert_int_equal(w.status[rank], OPTINC_ERR_INVALID_ARGUMENT);
    free_world(&w);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results),
        cmocka_unit_test(detected),
        cmocka_unit_test(float_blocks),
        cmocka_unit_test(refusals),
    };

    /* LLVM's OpenMP gives up when the last thread that it knows ends while others begin, so it is
     * to know the main thread. */
    (void)omp_get_max_threads();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
