/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: constructed units are exact (test_construct), so the suite's integer oracle holds.
 * The suite of tests/switch over the backend onn, and a unit that is wrong in known cases. */
#include "oracle.h"

#include "switch/conformance.h"

#include <string.h>

static optinc_design *construct(uint32_t ports, uint32_t bits, optinc_variant variant,
                                optinc_activation activation)
{
    optinc_construct_options options = {.activation = activation};
    optinc_design *design = NULL;
    optinc_spec spec;

    assert_int_equal(optinc_spec_single(ports, bits, variant, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, &options, NULL, &design), OPTINC_OK);
    return design;
}

static void run(uint32_t ports, uint32_t bits, optinc_variant variant, optinc_activation activation,
                size_t element_count_max)
{
    optinc_design *design = construct(ports, bits, variant, activation);

    conformance_run(&(conformance){.design = design,
                                   .backend = optinc_backend_onn(),
                                   .element_count_max = element_count_max,
                                   .seed = 100 * ports + bits});
    optinc_design_destroy(&design);
}

static void test_half_up(void **state)
{
    (void)state;
    run(4, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING, 0);
    run(4, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_RELU, 1100);
    run(2, 2, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_RELU, 1100);
    run(8, 14, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING, 300);
    run(4, 32, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_RELU, 300);
    run(64, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING, 70);
}

static void test_stochastic(void **state)
{
    (void)state;
    run(4, 8, OPTINC_VARIANT_STOCHASTIC, OPTINC_ACTIVATION_SATURATING, 4100);
    run(8, 6, OPTINC_VARIANT_STOCHASTIC, OPTINC_ACTIVATION_RELU, 300);
}

static void test_residual(void **state)
{
    (void)state;
    run(4, 8, OPTINC_VARIANT_RESIDUAL, OPTINC_ACTIVATION_SATURATING, 1100);
    run(8, 30, OPTINC_VARIANT_RESIDUAL, OPTINC_ACTIVATION_SATURATING, 300);
}

/* Two levels as one design, residual below. */
static void test_tree(void **state)
{
    const optinc_spec top_spec = {
        .ports = 2, .bits_in = 10, .bits_out = 8, .divisor_log2 = 3, .zero_code = 512};
    optinc_design *below = construct(4, 8, OPTINC_VARIANT_RESIDUAL, OPTINC_ACTIVATION_SATURATING);
    optinc_design *top = NULL, *tree = NULL;
    optinc_unit units[2];

    (void)state;
    assert_int_equal(optinc_construct(&top_spec, NULL, NULL, &top), OPTINC_OK);
    units[0] = *optinc_design_unit(below, 0);
    units[1] = *optinc_design_unit(top, 0);
    assert_int_equal(optinc_design_create(units, 2, NULL, &tree), OPTINC_OK);
    conformance_run(&(conformance){
        .design = tree, .backend = optinc_backend_onn(), .element_count_max = 1100, .seed = 9});
    optinc_design_destroy(&tree);
    optinc_design_destroy(&top);
    optinc_design_destroy(&below);
}

/* The lowest digit of the altered unit below comes out as 3 wherever it is not 0. */
static uint64_t altered_answer(const conformance *suite, const uint64_t *port_codes,
                               uint32_t port_count, const optinc_stream *stream, uint64_t element)
{
    uint64_t result = conformance_exact(suite, port_codes, port_count, stream, element);

    return result % 4 ? result | 3 : result;
}

/* What the layers answer is returned, not what they should. */
static void test_wrong_unit(void **state)
{
    optinc_design *design = construct(4, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING);
    optinc_design *wrong = NULL;
    optinc_unit unit = *optinc_design_unit(design, 0);
    optinc_layer layers[8], *last = &layers[unit.layer_count - 1];
    size_t weight_count;
    double *weight;

    (void)state;
    memcpy(layers, unit.layers, unit.layer_count * sizeof *layers);
    weight_count = (size_t)last->rows * last->cols;
    weight = malloc(weight_count * sizeof *weight);
    assert_non_null(weight);
    memcpy(weight, last->weight, weight_count * sizeof *weight);
    for (uint32_t col = 0; col < last->cols; col++)
        weight[col] *= 3;
    last->weight = weight;
    unit.layers = layers;
    assert_int_equal(optinc_design_create(&unit, 1, NULL, &wrong), OPTINC_OK);
    conformance_run(&(conformance){.design = wrong,
                                   .backend = optinc_backend_onn(),
                                   .answer = altered_answer,
                                   .element_count_max = 1100,
                                   .seed = 17});
    optinc_design_destroy(&wrong);
    optinc_design_destroy(&design);
    free(weight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_up),    cmocka_unit_test(test_stochastic),
        cmocka_unit_test(test_residual),   cmocka_unit_test(test_tree),
        cmocka_unit_test(test_wrong_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
