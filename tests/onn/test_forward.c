/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: vector kernels are tested where the CPU has them. Identity: every kernel gives the
 * same bits as the plain one, wherever an element is in its tile, and the plain one is W x + b up to
 * rounding. */
#include "oracle.h"

#include "base/memory.h"
#include "onn/forward.h"

#include <string.h>

#define LAYERS 4u

static const optinc_kernel kernels[] = {OPTINC_KERNEL_PLAIN, OPTINC_KERNEL_AVX2,
                                        OPTINC_KERNEL_AVX512, OPTINC_KERNEL_AUTO};

typedef struct fixture {
    optinc_unit unit;
    optinc_input inputs[3];
    optinc_layer layers[LAYERS];
} fixture;

static double random_weight(uint64_t *random)
{
    return (double)oracle_random(random, 1u << 30) / (1u << 29) - 1.0;
}

/* 4 ports, 8 bits, three inputs of which one is merged; odd widths, each activation once */
static fixture *make_fixture(void)
{
    const uint32_t widths[LAYERS] = {13, 7, 5, 4};
    const optinc_activation activations[LAYERS] = {
        OPTINC_ACTIVATION_RELU, OPTINC_ACTIVATION_SATURATING, OPTINC_ACTIVATION_LINEAR,
        OPTINC_ACTIVATION_LINEAR};
    fixture *f = calloc(1, sizeof *f);
    uint64_t random = 7;
    uint32_t cols = 3;

    assert_non_null(f);
    f->inputs[0] = (optinc_input){.digit_first = 0, .digit_count = 1, .scale = 1};
    f->inputs[1] = (optinc_input){.digit_first = 1, .digit_count = 2, .scale = 0.3};
    f->inputs[2] = (optinc_input){.digit_first = 3, .digit_count = 1, .scale = -0.7};
    for (uint32_t l = 0; l < LAYERS; l++) {
        double *weight = calloc((size_t)widths[l] * cols, sizeof *weight);
        double *bias = calloc(widths[l], sizeof *bias);

        assert_non_null(weight);
        assert_non_null(bias);
        for (uint32_t i = 0; i < widths[l] * cols; i++)
            weight[i] = random_weight(&random);
        for (uint32_t i = 0; i < widths[l]; i++)
            bias[i] = random_weight(&random);
        f->layers[l] = (optinc_layer){.rows = widths[l],
                                      .cols = cols,
                                      .activation = activations[l],
                                      .weight = weight,
                                      .bias = bias};
        cols = widths[l];
    }
    assert_int_equal(optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, &f->unit.spec),
                     OPTINC_OK);
    f->unit.method = OPTINC_METHOD_TRAINED;
    f->unit.input_count = 3;
    f->unit.inputs = f->inputs;
    f->unit.layer_count = LAYERS;
    f->unit.layers = f->layers;
    return f;
}

static void free_fixture(fixture *f)
{
    for (uint32_t l = 0; l < LAYERS; l++) {
        free((void *)f->layers[l].weight);
        free((void *)f->layers[l].bias);
    }
    free(f);
}

/* Outputs [4][OI_TILE] of digit sums [4][OI_TILE]; false where the CPU lacks the kernel. */
static bool run(const fixture *f, optinc_kernel kernel, const uint32_t *sums, double *outputs)
{
    oi_network network;
    optinc_status status = oi_network_init(&f->unit, kernel, NULL, &network);
    size_t count;
    double *scratch;

    if (status == OPTINC_ERR_UNSUPPORTED)
        return false;
    assert_int_equal(status, OPTINC_OK);
    count = oi_network_scratch_count(&network);
    scratch = oi_allocate(count, sizeof *scratch);
    assert_non_null(scratch);
    for (size_t i = 0; i < count; i++)
        scratch[i] = NAN;
    memcpy(outputs, oi_network_run(&network, sums, scratch), 4 * OI_TILE * sizeof *outputs);
    oi_free(scratch);
    return true;
}

static void test_kernels_agree_with_oracle_and_each_other(void **state)
{
    fixture *f = make_fixture();
    uint32_t sums[4 * OI_TILE], kernels_run = 0;
    double plain[4 * OI_TILE], other[4 * OI_TILE], expected[32];
    uint64_t random = 1;

    (void)state;
    for (uint32_t i = 0; i < 4 * OI_TILE; i++)
        sums[i] = oracle_random(&random, 13);
    assert_true(run(f, OPTINC_KERNEL_PLAIN, sums, plain));
    for (uint32_t e = 0; e < OI_TILE; e++) {
        const uint32_t one[4] = {sums[e], sums[OI_TILE + e], sums[2 * OI_TILE + e],
                                 sums[3 * OI_TILE + e]};

        oracle_forward(&f->unit, one, 0, expected);
        for (uint32_t j = 0; j < 4; j++)
            assert_true(fabs(plain[j * OI_TILE + e] - expected[j]) <= 1e-12);
    }
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        memset(other, 0xA5, sizeof other);
        if (!run(f, kernels[k], sums, other))
            continue;
        kernels_run++;
        assert_memory_equal(plain, other, sizeof plain);
    }
    assert_true(kernels_run >= 2);
    free_fixture(f);
}

static void test_position_in_tile_does_not_matter(void **state)
{
    fixture *f = make_fixture();
    uint32_t sums[4 * OI_TILE], rotated[4 * OI_TILE];
    double outputs[4 * OI_TILE], moved[4 * OI_TILE];
    uint64_t random = 3;

    (void)state;
    for (uint32_t i = 0; i < 4 * OI_TILE; i++)
        sums[i] = oracle_random(&random, 13);
    for (uint32_t shift = 1; shift < OI_TILE; shift += 5) {
        for (uint32_t j = 0; j < 4; j++)
            for (uint32_t e = 0; e < OI_TILE; e++)
                rotated[j * OI_TILE + (e + shift) % OI_TILE] = sums[j * OI_TILE + e];
        for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
            if (!run(f, kernels[k], sums, outputs))
                continue;
            assert_true(run(f, kernels[k], rotated, moved));
            for (uint32_t j = 0; j < 4; j++)
                for (uint32_t e = 0; e < OI_TILE; e++)
                    assert_memory_equal(&moved[j * OI_TILE + (e + shift) % OI_TILE],
                                        &outputs[j * OI_TILE + e], sizeof(double));
        }
    }
    free_fixture(f);
}

/* Sums that overflow: the vector instructions and the plain code agree on infinities and NaN. */
static void test_overflow_is_the_same_everywhere(void **state)
{
    fixture *f = make_fixture();
    uint32_t sums[4 * OI_TILE];
    double plain[4 * OI_TILE], other[4 * OI_TILE];
    uint64_t random = 5;

    (void)state;
    for (uint32_t l = 0; l < LAYERS; l++) {
        double *weight = (double *)f->layers[l].weight;

        f->layers[l].activation = l < 2 ? OPTINC_ACTIVATION_RELU : OPTINC_ACTIVATION_LINEAR;
        for (uint32_t i = 0; i < f->layers[l].rows * f->layers[l].cols; i++)
            weight[i] *= 1e200;
    }
    for (uint32_t i = 0; i < 4 * OI_TILE; i++)
        sums[i] = oracle_random(&random, 13);
    assert_true(run(f, OPTINC_KERNEL_PLAIN, sums, plain));
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        if (!run(f, kernels[k], sums, other))
            continue;
        for (uint32_t i = 0; i < 4 * OI_TILE; i++) {
            assert_int_equal(isnan(plain[i]), isnan(other[i]));
            assert_true(isnan(plain[i]) || plain[i] == other[i]);
        }
    }
    free_fixture(f);
}

static void test_slicer(void **state)
{
    const double level[] = {-INFINITY, -3, -0.0, 0.49, 0.5, 1.49, 1.5, 2.49, 2.5, 3, 7, INFINITY};
    const uint32_t digit[] = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 3};

    (void)state;
    for (size_t i = 0; i < sizeof level / sizeof *level; i++)
        assert_int_equal(oi_slice(level[i]), digit[i]);
    assert_int_equal(oi_slice(NAN), 0);
}

static void test_unit_without_layers(void **state)
{
    optinc_unit unit = {.layer_count = 0};
    oi_network network;

    (void)state;
    assert_int_equal(oi_network_init(&unit, OPTINC_KERNEL_AUTO, NULL, &network),
                     OPTINC_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_agree_with_oracle_and_each_other),
        cmocka_unit_test(test_position_in_tile_does_not_matter),
        cmocka_unit_test(test_overflow_is_the_same_everywhere),
        cmocka_unit_test(test_slicer),
        cmocka_unit_test(test_unit_without_layers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
