/* SPDX-License-Identifier: Apache-2.0 */
/* The float ring: integers sum exactly in any order; NaN and Inf pass; the same bits on all ranks. */
#include "collective/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 7.0f

static void ring_body(void *user, uint32_t rank, const optinc_transport *transport)
{
    world *w = user;
    size_t share = (w->count + w->ranks - 1) / w->ranks;
    float *scratch = calloc(share + 1, sizeof *scratch);
    const float *input = w->in_place ? w->output[rank] : w->input[rank];

    scratch[share] = GUARD;
    w->status[rank] =
        optinc_ring_allreduce(transport, input, w->output[rank], w->count, w->op, scratch);
    if (scratch[share] != GUARD)
        w->status[rank] = OPTINC_ERR_OVERFLOW;
    free(scratch);
}

static void run_ring(world *w)
{
    for (uint32_t rank = 0; rank < w->ranks; rank++) {
        if (w->in_place)
            memcpy(w->output[rank], w->input[rank], w->count * sizeof(float));
        else
            memset(w->output[rank], 0xff, w->count * sizeof(float));
    }
    thread_hub_run(w->hub, ring_body, w);
    for (uint32_t rank = 0; rank < w->ranks; rank++) {
        assert_int_equal(w->status[rank], OPTINC_OK);
        assert_same_bits(w->output[0], w->output[rank], w->count);
    }
}

static void integer_sums(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 1000, 1001, 4099};

    (void)state;
    for (uint32_t ranks = 1; ranks <= 6; ranks++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            world w = make_world(NULL, ranks, counts[c]);
            uint64_t random = c;

            w.op = c % 2 ? OPTINC_MEAN : OPTINC_SUM;
            w.in_place = (c + ranks) % 2;
            for (uint32_t rank = 0; rank < ranks; rank++)
                for (size_t i = 0; i < w.count; i++)
                    w.input[rank][i] = (float)(random_word(&random) % 100000);
            run_ring(&w);
            for (size_t i = 0; i < w.count; i++) {
                float sum = 0.0f;

                for (uint32_t rank = 0; rank < ranks; rank++)
                    sum += w.input[rank][i];
                if (w.op == OPTINC_MEAN)
                    sum /= (float)ranks;
                assert_true(sum == w.output[0][i]);
            }
            free_world(&w);
        }
    }
}

static void non_finite_values(void **state)
{
    world w = make_world(NULL, 4, 103);

    (void)state;
    w.input[2][0] = NAN;
    w.input[1][50] = INFINITY;
    w.input[3][102] = -INFINITY;
    run_ring(&w);
    assert_true(isnan(w.output[0][0]));
    assert_true(w.output[0][50] == INFINITY);
    assert_true(w.output[0][102] == -INFINITY);
    assert_true(w.output[0][1] == 0.0f);
    free_world(&w);
}

static void failures(void **state)
{
    thread_hub *hub = thread_hub_create(1);
    optinc_transport transport = *thread_hub_transport(hub, 0);
    float x = 1.0f, scratch;

    (void)state;
    assert_int_equal(optinc_ring_allreduce(&transport, NULL, NULL, 0, OPTINC_SUM, NULL), OPTINC_OK);
    assert_int_equal(optinc_ring_allreduce(&transport, NULL, &x, 1, OPTINC_SUM, &scratch),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_ring_allreduce(&transport, &x, &x, SIZE_MAX / 2, OPTINC_SUM, &scratch),
                     OPTINC_ERR_OVERFLOW);
    assert_int_equal(optinc_ring_allreduce(&transport, &x, &x, 1, (optinc_op)3, &scratch),
                     OPTINC_ERR_INVALID_ARGUMENT);
    transport.start_sendrecv = NULL;
    assert_int_equal(optinc_ring_allreduce(&transport, &x, &x, 1, OPTINC_SUM, &scratch),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_ring_allreduce(NULL, &x, &x, 1, OPTINC_SUM, &scratch),
                     OPTINC_ERR_INVALID_ARGUMENT);
    thread_hub_destroy(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_sums),
        cmocka_unit_test(non_finite_values),
        cmocka_unit_test(failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
