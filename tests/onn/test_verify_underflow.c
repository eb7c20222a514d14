/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: constructed units are exact (test_construct). Identity: no proof by stages calls exact
 * what plain exhaustion shows wrong, also where weights lie below the smallest normal double: there
 * rounding is an absolute error, which a large value beside such a weight makes as large as the
 * product. */
#include "verify_common.h"

#define TAIL 4         /* layers put behind the constructed ones */
#define SHARES 4       /* units that the leading row has beside the first */
#define LARGE 1e140    /* the size of what is multiplied by TINY */
#define TINY 4.94e-324 /* the smallest double */

typedef struct tail {
    optinc_layer layers[16];
    double weight[TAIL][16 * 16];
    double bias[TAIL][16];
} tail;

static optinc_layer *begin_layer(tail *t, uint32_t count, uint32_t index, uint32_t rows,
                                 uint32_t cols)
{
    optinc_layer *layer = &t->layers[count + index];

    *layer = (optinc_layer){.rows = rows,
                            .cols = cols,
                            .activation = OPTINC_ACTIVATION_RELU,
                            .weight = t->weight[index],
                            .bias = t->bias[index]};
    for (uint32_t j = 0; j < 2; j++) /* the digits ride along in rows 0 and 1 */
        t->weight[index][j * cols + j] = 1;
    return layer;
}

/* Digit 0 becomes digit 0 + own / expected - 1, where own = TINY x_0 is what the network computes, and
 * expected = TINY (x_0 + 0.49 (x_1 + .. + x_4)) what is left of it when each TINY 0.49 is rounded to
 * nothing: own is taken for TINY times the row before it. All x are LARGE. */
static optinc_unit append_tail(const optinc_unit *unit, tail *t)
{
    uint32_t count = unit->layer_count, widths = 2 + 1 + SHARES;
    optinc_unit longer = *unit;

    memset(t, 0, sizeof *t);
    memcpy(t->layers, unit->layers, count * sizeof *t->layers);
    t->layers[count - 1].activation = OPTINC_ACTIVATION_RELU;
    begin_layer(t, count, 0, widths, 2);
    begin_layer(t, count, 1, widths, widths);
    for (uint32_t i = 2; i < widths; i++) {
        t->bias[0][i] = LARGE;
        t->weight[1][i * widths + i] = 1000; /* cancels: leaves an interval 1000 times as wide */
        t->bias[1][i] = -999 * LARGE;
    }
    begin_layer(t, count, 2, 4, widths);
    t->weight[2][2 * widths + 2] = 1;
    for (uint32_t i = 3; i < widths; i++)
        t->weight[2][2 * widths + i] = 0.49;
    t->weight[2][3 * widths + 2] = TINY;
    begin_layer(t, count, 3, 2, 4)->activation = OPTINC_ACTIVATION_LINEAR;
    t->weight[3][3] = 1 / (TINY * LARGE * (1 + 0.49 * SHARES));
    t->bias[3][0] = -1;
    longer.layers = t->layers;
    longer.layer_count = count + TAIL;
    return longer;
}

static void test_rounding_to_nothing_is_not_forgotten(void **state)
{
    const uint32_t ports[] = {2, 4};

    (void)state;
    for (uint32_t p = 0; p < 2; p++)
        for (uint32_t a = 0; a < 2; a++) {
            optinc_spec spec = single(ports[p], 4, OPTINC_VARIANT_HALF_UP);
            optinc_activation activation =
                a == 0 ? OPTINC_ACTIVATION_SATURATING : OPTINC_ACTIVATION_RELU;
            optinc_design *design = construct(&spec, activation, 0.5), *wrong = NULL;
            optinc_verify_result result;
            optinc_unit longer;
            tail t;

            longer = append_tail(optinc_design_unit(design, 0), &t);
            assert_int_equal(optinc_design_create(&longer, 1, NULL, &wrong), OPTINC_OK);
            result = verify(wrong, NULL);
            assert_true(result.exhaustive.errors > 0);
            assert_false(result.best.exact);
            assert_int_equal(result.compositional.kind, OPTINC_PROOF_COMPOSITIONAL);
            assert_false(result.compositional.exact);
            assert_true(result.compositional.errors > 0);
            optinc_design_destroy(&wrong);
            optinc_design_destroy(&design);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding_to_nothing_is_not_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
