/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: none. Identity: counts follow the conventions of optinc/synthesis.h; the paper's shares
 * of area (arXiv 2603.28290) come out. */
#include "optinc/synthesis.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const optinc_cost_options no_bias_port = {.bias_port = false};
static const optinc_cost_options min_diagonal = {.diagonal_min = true, .bias_port = true};

/* A layer of ones; bias: what every bias is. */
typedef struct matrix {
    double weight[512 * 512];
    double bias[512];
    optinc_layer layer;
} matrix;

static matrix *make_layer(uint32_t rows, uint32_t cols, optinc_mapping mapping, uint32_t side,
                          double bias)
{
    matrix *m = malloc(sizeof *m);

    assert_non_null(m);
    for (uint32_t i = 0; i < rows * cols; i++)
        m->weight[i] = 1;
    for (uint32_t i = 0; i < rows; i++)
        m->bias[i] = bias;
    m->layer = (optinc_layer){.rows = rows,
                              .cols = cols,
                              .mapping = mapping,
                              .segment_side = side,
                              .weight = m->weight,
                              .bias = m->bias};
    return m;
}

static uint64_t mzis_of(uint32_t rows, uint32_t cols, optinc_mapping mapping, double bias,
                        const optinc_cost_options *options, uint64_t *svd)
{
    uint32_t side = rows < cols ? rows : cols;
    matrix *m =
        make_layer(rows, cols, mapping, mapping == OPTINC_MAPPING_SEGMENTED ? side : 0, bias);
    optinc_layer_cost cost;

    assert_int_equal(optinc_layer_cost_of(&m->layer, options, &cost), OPTINC_OK);
    assert_int_equal(cost.mapping, mapping);
    *svd += cost.mzis_svd;
    free(m);
    return cost.mzis;
}

/* By hand: 106,764 by SVD, 41,664 segmented (39.0 %; the paper says 39.3 %); biases at the
 * receivers, by any options. */
static void test_paper_8_bits(void **state)
{
    const uint32_t sides[] = {4, 64, 128, 256, 128, 64, 4};
    uint64_t mzis = 0, svd = 0, unused = 0, plain = 0;

    (void)state;
    for (uint32_t l = 0; l < 6; l++) {
        mzis += mzis_of(sides[l + 1], sides[l], OPTINC_MAPPING_SEGMENTED, 0.5, NULL, &svd);
        plain += mzis_of(sides[l + 1], sides[l], OPTINC_MAPPING_SVD, 0.5, &no_bias_port, &unused);
    }
    assert_int_equal(mzis, 41664);
    assert_int_equal(svd, 106764);
    assert_int_equal(plain, 106764);
}

/* By hand: 434,744 by SVD, 213,880 (49.2 %; the paper says 49.3 %) with layers 4 to 6 segmented. */
static void test_paper_16_bits(void **state)
{
    const uint32_t sides[] = {8, 64, 128, 256, 512, 256, 128, 64, 8};
    uint64_t mzis = 0, svd = 0;

    (void)state;
    for (uint32_t l = 0; l < 8; l++) {
        bool segmented = l >= 3 && l <= 5;

        mzis += mzis_of(sides[l + 1], sides[l],
                        segmented ? OPTINC_MAPPING_SEGMENTED : OPTINC_MAPPING_SVD, 0.5,
                        &no_bias_port, &svd);
    }
    assert_int_equal(mzis, 213880);
    assert_int_equal(svd, 434744);
}

static optinc_design *construct(uint32_t ports, uint32_t bits, optinc_activation activation)
{
    optinc_construct_options options = {.activation = activation};
    optinc_design *design = NULL;
    optinc_spec spec;

    assert_int_equal(optinc_spec_single(ports, bits, OPTINC_VARIANT_HALF_UP, NULL, &spec),
                     OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, &options, NULL, &design), OPTINC_OK);
    return design;
}

static uint64_t design_mzis(const optinc_design *design, const optinc_cost_options *options)
{
    optinc_design_cost cost;

    assert_int_equal(optinc_design_cost_of(design, options, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, cost.mzis_svd);
    return cost.mzis;
}

/* At most 200 (saturating) and 400 (ReLU). Shapes 4-6-6-6-6-4 and 4-9-9-9-9-4; the last layer has no
 * bias and so no bias port: with one they would be 376 and 389. */
static void test_constructed(void **state)
{
    optinc_design *saturating = construct(4, 8, OPTINC_ACTIVATION_SATURATING);
    optinc_design *relu = construct(4, 8, OPTINC_ACTIVATION_RELU);
    optinc_design_cost cost;

    (void)state;
    assert_int_equal(design_mzis(saturating, NULL), 187);
    assert_int_equal(design_mzis(saturating, &min_diagonal), 181);
    assert_int_equal(design_mzis(saturating, &no_bias_port), 162);
    assert_int_equal(design_mzis(relu, NULL), 379);
    assert_int_equal(design_mzis(relu, &min_diagonal), 367);
    /* the last layer's bias port: 4x10 in place of 4x9 */
    assert_int_equal(379 + (6 + 45 + 10) - (6 + 36 + 9), 389);
    assert_int_equal(367 + (6 + 45 + 4) - (6 + 36 + 4), 376);

    assert_int_equal(optinc_design_cost_of(saturating, NULL, &cost), OPTINC_OK);
    assert_true(fabs(cost.area_mm2 - 187 * 0.018) <= 1e-12); /* 180 um by 100 um */
    /* rectangular meshes and a diagonal: 6+1+5, three times 6+1+7, 4+1+6 */
    assert_int_equal(cost.depth, 12 + 3 * 14 + 11);
    optinc_design_destroy(&saturating);
    optinc_design_destroy(&relu);
}

static void test_small_shapes(void **state)
{
    uint64_t svd = 0;
    matrix *m;
    optinc_layer_cost cost;

    (void)state;
    assert_int_equal(mzis_of(1, 1, OPTINC_MAPPING_SVD, 0, NULL, &svd), 1);
    assert_int_equal(mzis_of(2, 1, OPTINC_MAPPING_SVD, 0, NULL, &svd), 1 + 0 + 2);
    assert_int_equal(mzis_of(1, 5, OPTINC_MAPPING_SVD, 0, NULL, &svd), 0 + 10 + 5);
    assert_int_equal(mzis_of(1, 5, OPTINC_MAPPING_SVD, 2, NULL, &svd), 0 + 15 + 6);
    assert_int_equal(mzis_of(3, 5, OPTINC_MAPPING_SVD, 0, &min_diagonal, &svd), 3 + 10 + 3);

    m = make_layer(2, 1, OPTINC_MAPPING_SVD, 0, 1);
    assert_int_equal(optinc_layer_cost_of(&m->layer, NULL, &cost), OPTINC_OK);
    assert_int_equal(cost.rows, 2);
    assert_int_equal(cost.cols, 2);
    assert_int_equal(cost.depth, 1 + 1 + 1);
    free(m);
    /* blocks at the edge count whole: 5 x 7 in blocks of 3 is 2 x 3 blocks */
    m = make_layer(5, 7, OPTINC_MAPPING_SEGMENTED, 3, 1);
    assert_int_equal(optinc_layer_cost_of(&m->layer, NULL, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, 6 * (3 + 3));
    assert_int_equal(cost.depth, 3 + 1);
    free(m);
}

/* Trees: n inputs need n-1 MZIs, equal rows share one, a waveguide needs none. */
static void test_direct(void **state)
{
    matrix *m = make_layer(1, 6, OPTINC_MAPPING_DIRECT, 0, 0);
    optinc_layer_cost cost;

    (void)state;
    assert_int_equal(optinc_layer_cost_of(&m->layer, NULL, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, 5);
    assert_int_equal(cost.depth, 3);
    assert_int_equal(cost.mzis_svd, 15 + 6);
    free(m);
    m = make_layer(4, 6, OPTINC_MAPPING_DIRECT, 0, 0);
    assert_int_equal(optinc_layer_cost_of(&m->layer, NULL, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, 5 + 3); /* fan-in of 6, fan-out to 4 */
    m->bias[0] = m->bias[2] = 1;
    assert_int_equal(optinc_layer_cost_of(&m->layer, NULL, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, 5 + 3 + 1 + 2); /* the bias split in two and added twice */
    assert_int_equal(optinc_layer_cost_of(&m->layer, &no_bias_port, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, 5 + 3);
    for (uint32_t i = 0; i < 24; i++)
        m->weight[i] = i % 6 == i / 6;
    assert_int_equal(optinc_layer_cost_of(&m->layer, &no_bias_port, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, 0);
    assert_int_equal(cost.depth, 0);
    free(m);
}

static void test_refusals(void **state)
{
    matrix *m = make_layer(2, 2, OPTINC_MAPPING_SEGMENTED, 0, 0);
    optinc_design *design = construct(2, 2, OPTINC_ACTIVATION_RELU);
    optinc_cost_options options = {.mzi_length_um = -1};
    optinc_layer_cost cost;
    optinc_design_cost whole;

    (void)state;
    assert_int_equal(optinc_layer_cost_of(&m->layer, NULL, &cost), OPTINC_ERR_INVALID_ARGUMENT);
    m->layer.mapping = (optinc_mapping)9;
    assert_int_equal(optinc_layer_cost_of(&m->layer, NULL, &cost), OPTINC_ERR_INVALID_ARGUMENT);
    m->layer.mapping = OPTINC_MAPPING_SVD;
    m->layer.rows = 0;
    assert_int_equal(optinc_layer_cost_of(&m->layer, NULL, &cost), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_layer_cost_of(NULL, NULL, &cost), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_cost_of(design, &options, &whole), OPTINC_ERR_INVALID_ARGUMENT);
    options.mzi_length_um = NAN;
    assert_int_equal(optinc_design_cost_of(design, &options, &whole), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_cost_of(NULL, NULL, &whole), OPTINC_ERR_INVALID_ARGUMENT);
    optinc_design_destroy(&design);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paper_8_bits), cmocka_unit_test(test_paper_16_bits),
        cmocka_unit_test(test_constructed),  cmocka_unit_test(test_small_shapes),
        cmocka_unit_test(test_direct),       cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
