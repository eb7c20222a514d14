/* SPDX-License-Identifier: Apache-2.0 */
/* Each rank's part of a reduce-scatter is what the integer oracle gives for that part, or, where parts
 * are whole blocks, what the all-reduce gives to the bit; half as many bytes travel. */
#include "collective/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct scatter {
    world *w;    /* count: of all parts; input [ranks][count] */
    size_t part; /* elements of a rank's */
    float **result;
    uint64_t *bytes; /* of codes, by the transport's own count */
    uint32_t odd;    /* this rank's call differs; ranks: none */
    bool odd_allreduce;
} scatter;

static void body(void *user, uint32_t rank, const optinc_transport *transport)
{
    scatter *s = user;
    world *w = s->w;
    optinc_collective *collective = NULL;
    float *copy = malloc((w->count + 1) * sizeof *copy);
    uint64_t before;
    optinc_status status;

    assert_non_null(copy);
    memcpy(copy, w->input[rank], w->count * sizeof *copy);
    status = optinc_collective_create(transport, w->design, &w->options, NULL, &collective);
    before = thread_hub_bytes(w->hub, rank);
    for (uint32_t i = 0; i <= w->repeats && status == OPTINC_OK; i++) {
        const optinc_reduce_scatter_args args = {
            .input = copy,
            .output = w->in_place ? copy + rank * s->part : s->result[rank],
            .count = s->part - (rank == s->odd && !s->odd_allreduce),
            .op = w->op,
            .step = w->step,
        };
        const optinc_allreduce_args instead = {
            .input = copy, .output = s->result[rank], .count = w->count, .op = w->op};

        if (rank == s->odd && s->odd_allreduce)
            status = optinc_allreduce(collective, &instead, NULL);
        else
            status = optinc_reduce_scatter(collective, &args, &w->report[rank]);
    }
    s->bytes[rank] = thread_hub_bytes(w->hub, rank) - before;
    if (w->in_place)
        memcpy(s->result[rank], copy + rank * s->part, s->part * sizeof *copy);
    w->status[rank] = status;
    optinc_collective_destroy(&collective);
    free(copy);
}

static scatter make_scatter(world *w)
{
    scatter s = {.w = w, .part = w->count / w->ranks, .odd = w->ranks};

    s.result = calloc(w->ranks, sizeof *s.result);
    s.bytes = calloc(w->ranks, sizeof *s.bytes);
    assert_non_null(s.result);
    assert_non_null(s.bytes);
    for (uint32_t rank = 0; rank < w->ranks; rank++) {
        s.result[rank] = malloc((w->count + 1) * sizeof **s.result);
        assert_non_null(s.result[rank]);
        memset(s.result[rank], 0xff, (w->count + 1) * sizeof **s.result); /* NaN */
    }
    return s;
}

static void free_scatter(scatter *s)
{
    for (uint32_t rank = 0; rank < s->w->ranks; rank++)
        free(s->result[rank]);
    free(s->result);
    free(s->bytes);
}

static void run_scatter_ok(scatter *s)
{
    thread_hub_run(s->w->hub, body, s);
    for (uint32_t rank = 0; rank < s->w->ranks; rank++)
        assert_int_equal(s->w->status[rank], OPTINC_OK);
}

/* Every part by itself, through the oracle of the all-reduce. */
static void check_oracle(const scatter *s, uint32_t ports, uint32_t bits)
{
    const world *w = s->w;
    float *expected = calloc(s->part + 1, sizeof *expected);
    double *bound = calloc(s->part + 1, sizeof *bound);
    float **inputs = calloc(w->ranks, sizeof *inputs);

    assert_non_null(expected);
    assert_non_null(bound);
    assert_non_null(inputs);
    for (uint32_t part = 0; part < w->ranks; part++) {
        world one = *w;

        one.count = s->part;
        one.input = inputs;
        for (uint32_t rank = 0; rank < w->ranks; rank++)
            inputs[rank] = w->input[rank] + part * s->part;
        oracle(&one, ports, bits, expected, bound);
        assert_same_bits(s->result[part], expected, s->part);
        for (size_t i = 0; i < s->part; i++) {
            double exact = 0.0;

            for (uint32_t rank = 0; rank < w->ranks; rank++)
                exact += (double)inputs[rank][i];
            if (w->op == OPTINC_MEAN)
                exact /= w->ranks;
            if (!(fabs((double)expected[i] - exact) <=
                  w->report[part].error_bound_max + fabs(exact) * 0x1p-24))
                fail_msg("part %u, element %zu: error above the reported bound", part, i);
        }
    }
    free(expected);
    free(bound);
    free(inputs);
}

static void parts_are_right(void **state)
{
    static const size_t parts[] = {0, 1, 3, 255, 256, 257, 5000, 50001};
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_design *wide = make_design(8, 10, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint32_t ranks = 1; ranks <= 8; ranks += ranks < 5 ? 1 : 3) {
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            bool is_wide = i % 4 == 1;
            world w = make_world(is_wide ? wide : design, ranks, ranks * parts[i]);
            scatter s;

            w.op = (ranks + i) % 2 ? OPTINC_MEAN : OPTINC_SUM;
            w.in_place = i % 3 == 0;
            w.repeats = w.in_place ? 0 : 1;
            w.options.chunk_elements = i % 2 ? 0 : 3000;
            fill_inputs(&w, 31 * ranks + i);
            s = make_scatter(&w);
            run_scatter_ok(&s);
            check_oracle(&s, 8, is_wide ? 10 : 8);
            assert_int_equal(w.report[0].elements, w.count);
            free_scatter(&s);
            free_world(&w);
        }
    }
    optinc_design_destroy(&design);
    optinc_design_destroy(&wide);
}

/* Stochastic roundings and blocks in float included. */
static void equals_the_allreduce(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_STOCHASTIC);

    (void)state;
    for (uint32_t ranks = 2; ranks <= 4; ranks++) {
        world w = make_world(design, ranks, ranks * 64 * 801);
        scatter s;

        w.options = (optinc_collective_options){.rounding = OPTINC_ROUND_STOCHASTIC,
                                                .seed = 5,
                                                .block_size = 64,
                                                .thread_count = 2,
                                                .chunk_elements = 20000};
        w.step = 9;
        w.repeats = 1;
        fill_inputs(&w, ranks);
        w.input[0][7] = NAN;
        w.input[1][64 * 801 + 3] = INFINITY;
        w.input[0][w.count - 1] = -INFINITY;
        w.input[1][w.count - 1] = INFINITY;
        run_world_ok(&w);
        s = make_scatter(&w);
        run_scatter_ok(&s);
        for (uint32_t rank = 0; rank < ranks; rank++) {
            assert_same_bits(s.result[rank], w.output[0] + rank * s.part, s.part);
            assert_int_equal(w.report[rank].blocks_non_finite, 3);
        }
        assert_true(isnan(s.result[0][7]) && isnan(s.result[ranks - 1][s.part - 1]));
        free_scatter(&s);
        free_world(&w);
    }
    optinc_design_destroy(&design);
}

static void a_quarter_of_float_travels(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 4, 4 * 25600);
    scatter s;

    (void)state;
    fill_inputs(&w, 2);
    s = make_scatter(&w);
    run_scatter_ok(&s);
    for (uint32_t rank = 0; rank < 4; rank++) {
        assert_int_equal(s.bytes[rank], 3 * 25600); /* codes of 8 bits to three ranks */
        assert_in_range(w.report[rank].bytes_sent, 3 * 25600, 3 * 25600 + 1200);
    }
    free_scatter(&s);
    free_world(&w);
    optinc_design_destroy(&design);
}

static void differences_are_told(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 3, 3 * 1000);
    scatter s;

    (void)state;
    fill_inputs(&w, 2);
    s = make_scatter(&w);
    for (s.odd = 0; s.odd < 3; s.odd++) {
        s.odd_allreduce = s.odd == 1;
        thread_hub_run(w.hub, body, &s);
        for (uint32_t rank = 0; rank < 3; rank++) {
            assert_int_equal(w.status[rank], OPTINC_ERR_MISMATCH);
            assert_true(isnan(s.result[rank][0]));
        }
    }
    free_scatter(&s);
    free_world(&w);
    optinc_design_destroy(&design);
}

static void bad_body(void *user, uint32_t rank, const optinc_transport *transport)
{
    world *w = user;
    optinc_collective *collective;
    float *x = w->input[rank];
    const optinc_reduce_scatter_args bad[] = {
        {.input = x, .output = x + rank * 100 + 1, .count = 100},
        {.input = x, .output = w->output[rank], .count = 100, .op = (optinc_op)7},
        {.input = NULL, .output = w->output[rank], .count = 100},
        {.input = x, .output = NULL, .count = 100},
    };

    assert_int_equal(optinc_collective_create(transport, w->design, NULL, NULL, &collective),
                     OPTINC_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(optinc_reduce_scatter(collective, &bad[i], NULL),
                         OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_reduce_scatter(NULL, &bad[0], NULL), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_reduce_scatter(collective, NULL, NULL), OPTINC_ERR_INVALID_ARGUMENT);
    optinc_collective_destroy(&collective);
}

static void bad_arguments(void **state)
{
    optinc_design *design = make_design(2, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 2, 400);

    (void)state;
    thread_hub_run(w.hub, bad_body, &w);
    free_world(&w);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_right),
        cmocka_unit_test(equals_the_allreduce),
        cmocka_unit_test(a_quarter_of_float_travels),
        cmocka_unit_test(differences_are_told),
        cmocka_unit_test(bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
