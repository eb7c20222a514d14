/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer's parts.
 * Gradient: dL/dW and dL/db of the float32 network equal central differences of the same loss,
 * computed here in double by plain loops. Descent: the skew-symmetric gradient of a block is the
 * derivative of L along U exp(tX). */
#include "segment_common.h"

#define CASES 40u

typedef struct fixture {
    oi_train_plan plan;
    oi_trainer trainer;
    uint64_t cases[CASES];
} fixture;

static const uint32_t sides[] = {3, 12, 24, 6, 3};

static void set_up(fixture *f, const bool *segmented, optinc_activation activation,
                   optinc_supervision supervision)
{
    optinc_train_options options = optinc_train_options_default();
    optinc_spec spec;

    options.layer_count = 4;
    options.sides = sides;
    options.segmented = segmented;
    options.activation = activation;
    options.supervision = supervision;
    options.thread_count = 1;
    options.batch_size = CASES;
    assert_int_equal(optinc_spec_single(2, 6, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    assert_int_equal(oi_train_plan_create(&spec, &options, NULL, &f->plan), OPTINC_OK);
    f->trainer = (oi_trainer){.plan = &f->plan};
    assert_int_equal(oi_trainer_create(&f->trainer), OPTINC_OK);
    assert_int_equal(oi_train_initialise(&f->plan, f->trainer.state.param), OPTINC_OK);
    openblas_set_num_threads(1);
    for (uint32_t i = 0; i < f->plan.layer_count + f->plan.guide_count; i++) {
        const oi_train_layer *layer = &f->plan.layers[i];

        /* guides start at zero */
        for (uint32_t j = 0; i >= f->plan.layer_count && j < layer->rows * layer->cols; j++)
            f->trainer.state.param[layer->param_at + j] = (float)uniform(50000 + 1000 * i + j);
        for (uint32_t j = 0; layer->on_group && j < layer->block_count; j++)
            oi_segment_weight(layer, f->trainer.state.param, j,
                              f->trainer.weight + layer->weight_at);
        if (!layer->on_group)
            memcpy(f->trainer.weight + layer->weight_at, f->trainer.state.param + layer->param_at,
                   (size_t)layer->rows * layer->cols * sizeof(float));
        for (uint32_t j = 0; j < layer->rows; j++)
            f->trainer.state.param[layer->bias_at + j] += (float)(0.2 * uniform(1000 * i + j));
    }
    for (uint32_t i = 0; i < CASES; i++)
        f->cases[i] = (i * 37u) % 343u;
}

static void tear_down(fixture *f)
{
    oi_trainer_destroy(&f->trainer);
    oi_train_plan_destroy(&f->plan);
}

/* What the guide of hidden layer 1 .. 3 has to tell for N=2, B=6: with one carry a layer, carry_i =
 * floor((2 (T of digits 0 .. i-1) + 2) / 4^i), and the result's digits 0 .. i-2. */
static uint32_t guide_values(const uint32_t *sums, uint32_t result, uint32_t layer, double *values)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < layer; i++)
        total += sums[i] << (2 * i);
    values[0] = (2 * total + 2) >> (2 * layer);
    for (uint32_t i = 1; i < layer; i++)
        values[i] = result >> (2 * (i - 1)) & 3;
    return layer;
}

/* The loss of hidden layer `layer`'s guide for its outputs x, readout w behind weight and b behind
 * the network's biases. */
static double guide_loss(const fixture *f, const double *weight, const double *bias, uint32_t layer,
                         const double *x, const uint32_t *sums, uint32_t result, bool squared,
                         double margin)
{
    uint32_t units = sides[layer], count;
    const double *w = weight + f->plan.layers[4 + layer - 1].weight_at;
    const double *b = bias + 12 + 24 + 6 + 3 + layer * (layer - 1) / 2;
    double values[3], loss = 0.0;

    count = guide_values(sums, result, layer, values);
    for (uint32_t i = 0; i < count; i++) {
        double e = b[i] - values[i];

        for (uint32_t j = 0; j < units; j++)
            e += w[i * units + j] * x[j];
        if (!squared)
            e = fmax(fabs(e) - margin, 0.0);
        loss += e * e;
    }
    return loss;
}

/* The loss of all cases, from weights [weight_count] and the biases of all layers, in double. */
static double plain_loss(const fixture *f, const double *weight, const double *bias, bool squared,
                         double margin)
{
    double loss = 0.0;

    for (uint32_t c = 0; c < CASES; c++) {
        double x[32], y[32];
        uint32_t sums[3] = {(uint32_t)f->cases[c] % 7, (uint32_t)f->cases[c] / 7 % 7,
                            (uint32_t)f->cases[c] / 49};
        uint32_t result = (sums[0] + 4 * sums[1] + 16 * sums[2] + 1) / 2;
        const double *b = bias;

        for (int i = 0; i < 3; i++)
            x[i] = sums[i] / 2.0 / 1.5 - 1.0;
        for (uint32_t l = 0; l < 4; l++) {
            const double *w = weight + f->plan.layers[l].weight_at;

            for (uint32_t i = 0; i < sides[l + 1]; i++) {
                y[i] = b[i];
                for (uint32_t j = 0; j < sides[l]; j++)
                    y[i] += w[i * sides[l] + j] * x[j];
                if (l < 3)
                    y[i] = fmax(y[i], 0.0);
                if (l < 3 && f->plan.layers[l].activation == OPTINC_ACTIVATION_SATURATING)
                    y[i] = fmin(y[i], 1.0);
            }
            b += sides[l + 1];
            memcpy(x, y, sizeof x);
            if (f->plan.guide_count > 0 && l < 3)
                loss += guide_loss(f, weight, bias, l + 1, x, sums, result, squared, margin);
        }
        for (int i = 0; i < 3; i++) {
            int t = (int)(result >> (2 * i) & 3);
            double e = x[i] - t;

            if (!squared) {
                if ((t == 0 && e < 0) || (t == 3 && e > 0))
                    e = 0.0;
                e = fmax(fabs(e) - margin, 0.0);
            }
            loss += e * e;
        }
    }
    return loss;
}

static void check_gradient(optinc_activation activation, bool squared,
                           optinc_supervision supervision)
{
    const bool none[4] = {false, false, false, false};
    fixture f;
    oi_train_loss loss = {.squared = squared, .margin = 0.25, .wrong_weight = 1.0};
    oi_train_tally tally = {.margin_min = 0.5, .finite = true};
    double weight[2048], bias[64], *b = bias, largest = 0.0;
    float *gradient;
    uint32_t layers;

    set_up(&f, none, activation, supervision);
    layers = f.plan.layer_count + f.plan.guide_count;
    assert_int_equal(layers, supervision == OPTINC_SUPERVISION_CARRIES ? 7 : 4);
    gradient = f.trainer.gradient;
    for (size_t i = 0; i < f.plan.gradient_count; i++)
        gradient[i] = NAN;
    oi_train_forward(&f.trainer, &f.trainer.workers[0], f.cases, CASES, 0, 0);
    assert_true(oi_train_backward(&f.trainer, &f.trainer.workers[0], f.cases, CASES, &loss,
                                  gradient, &tally));
    for (size_t i = 0; i < f.plan.weight_count; i++)
        weight[i] = (double)f.trainer.weight[i];
    for (uint32_t l = 0; l < layers; l++)
        for (uint32_t i = 0; i < f.plan.layers[l].rows; i++)
            *b++ = (double)f.trainer.state.param[f.plan.layers[l].bias_at + i];
    assert_true(fabs(tally.loss - plain_loss(&f, weight, bias, squared, 0.25)) <=
                1e-5 * tally.loss);
    for (size_t i = 0; i < f.plan.gradient_count; i++)
        largest = fmax(largest, fabs((double)gradient[i]));
    b = bias;
    for (uint32_t l = 0; l < layers; l++) {
        const oi_train_layer *layer = &f.plan.layers[l];
        size_t area = (size_t)layer->rows * layer->cols;

        for (size_t i = 0; i < area + layer->rows; i++) {
            double *value = i < area ? &weight[layer->weight_at + i] : &b[i - area];
            double held = *value, up, down, h = 1e-6;

            *value = held + h;
            up = plain_loss(&f, weight, bias, squared, 0.25);
            *value = held - h;
            down = plain_loss(&f, weight, bias, squared, 0.25);
            *value = held;
            /* float32 sums of 40 cases; kinks within h of a value are too rare to meet here */
            if (!(fabs((up - down) / (2 * h) - (double)gradient[layer->gradient_at + i]) <=
                  2e-5 * largest))
                fail_msg("layer %u element %zu: %g, differences give %g", l, i,
                         (double)gradient[layer->gradient_at + i], (up - down) / (2 * h));
        }
        b += layer->rows;
    }
    tear_down(&f);
}

static void test_gradient_is_the_derivative(void **state)
{
    (void)state;
    for (int how = OPTINC_SUPERVISION_OUTPUTS; how <= OPTINC_SUPERVISION_CARRIES; how++) {
        check_gradient(OPTINC_ACTIVATION_RELU, true, (optinc_supervision)how);
        check_gradient(OPTINC_ACTIVATION_RELU, false, (optinc_supervision)how);
        check_gradient(OPTINC_ACTIVATION_SATURATING, true, (optinc_supervision)how);
        check_gradient(OPTINC_ACTIVATION_SATURATING, false, (optinc_supervision)how);
    }
}

/* Guides that tell nothing, as they do at first, are off by the values themselves: the squared loss
 * of a case is the sum of their squares. */
static double told(uint32_t ports, uint32_t bits, uint32_t merge, const uint32_t *network,
                   uint32_t layer_count, uint64_t index)
{
    optinc_train_options options = optinc_train_options_default();
    oi_train_loss loss = {.squared = true, .margin = 0.25, .wrong_weight = 1.0};
    oi_train_plan plan;
    oi_trainer trainer = {.plan = &plan};
    optinc_spec spec;
    double found;

    options.layer_count = layer_count;
    options.sides = network;
    options.supervision = OPTINC_SUPERVISION_CARRIES;
    options.input_merge = merge;
    options.thread_count = 1;
    assert_int_equal(optinc_spec_single(ports, bits, OPTINC_VARIANT_HALF_UP, NULL, &spec),
                     OPTINC_OK);
    assert_int_equal(oi_train_plan_create(&spec, &options, NULL, &plan), OPTINC_OK);
    assert_int_equal(oi_trainer_create(&trainer), OPTINC_OK);
    memset(trainer.workers[0].guide_slope, 0, plan.guide_slope_count * sizeof(float));
    found = (double)oi_train_guides_loss(&trainer, &trainer.workers[0], index, &loss, 0, 0);
    oi_trainer_destroy(&trainer);
    oi_train_plan_destroy(&plan);
    return found;
}

static void test_guides_tell_carries(void **state)
{
    const uint32_t eight[] = {2, 8, 8, 8, 8, 2}, merged[] = {1, 8, 8, 8, 2};

    (void)state;
    /* N=8, B=4: x_0 = 2 s_0 and x_1 = 2 s_1 + 2 + carry_1 take a coarse step first, x_2 = carry_2
     * does not: five tasks, two of them for the second layer of four */
    for (uint32_t s0 = 0; s0 <= 24; s0 += 5)
        for (uint32_t s1 = 0; s1 <= 24; s1 += 3) {
            uint32_t x0 = 2 * s0, x1 = 2 * s1 + 2 + x0 / 4, x2 = x1 / 4;
            double expected = 0.0;

            expected += pow(x0 / 16, 2) + pow(x0 % 16, 2) + pow(x0 / 4, 2);
            expected += pow(x1 / 16, 2) + pow(x1 % 16, 2);
            expected += pow(x2, 2) + pow(x2 / 4, 2) + pow(x2 % 4, 2);
            assert_true(fabs(told(8, 4, 1, eight, 5, s0 + 25 * s1) - expected) <= 1e-3);
        }
    /* N=4, B=4, merged: x_0 = s_0 + 4 s_1 + 2, x_1 = x_0 / 4, x_2 = x_1 / 4: coarse only for x_0 */
    for (uint32_t v = 0; v <= 60; v++) {
        uint32_t x0 = v + 2, x1 = x0 / 4;
        double expected = pow(x0 / 16, 2) + pow(x0 % 16, 2) + pow(x1, 2);

        expected += pow(x1 / 4, 2) + pow(x1 % 4, 2);
        assert_true(fabs(told(4, 4, 2, merged, 4, v) - expected) <= 1e-3);
    }
}

/* Adam's first step is rate times the sign of the gradient (epsilon is negligible), so X after one
 * update has the signs of minus the derivatives of L along the generators of U. */
static void test_step_descends(void **state)
{
    fixture f;
    oi_train_loss loss = {.squared = true, .margin = 0.25, .wrong_weight = 1.0};
    oi_train_tally tally = {.margin_min = 0.5, .finite = true};
    oi_adam adam = oi_adam_at(1e-4, 1);
    double weight[2048], bias[64], *b = bias, before[SIDE * SIDE], turned[SIDE * SIDE];
    const oi_train_layer *layer;
    float *u;
    uint32_t checked = 0;

    (void)state;
    set_up(&f, NULL, OPTINC_ACTIVATION_RELU, OPTINC_SUPERVISION_OUTPUTS);
    layer = &f.plan.layers[1]; /* 24 x 12: two blocks of 12 */
    u = f.trainer.state.param + layer->param_at + SIDE * SIDE;
    for (size_t i = 0; i < f.plan.weight_count; i++)
        weight[i] = (double)f.trainer.weight[i];
    for (uint32_t l = 0; l < 4; l++)
        for (uint32_t i = 0; i < sides[l + 1]; i++)
            *b++ = (double)f.trainer.state.param[f.plan.layers[l].bias_at + i];
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        before[i] = (double)u[i];
    oi_train_forward(&f.trainer, &f.trainer.workers[0], f.cases, CASES, 0, 0);
    f.trainer.contributes[0] = oi_train_backward(&f.trainer, &f.trainer.workers[0], f.cases, CASES,
                                                 &loss, f.trainer.gradient, &tally);
    for (uint32_t i = 0; i < f.plan.task_count; i++)
        oi_train_update(&f.trainer, &f.trainer.workers[0], &f.plan.tasks[i], &adam);
    for (uint32_t p = 0; p < SIDE; p++)
        for (uint32_t q = p + 1; q < SIDE; q++) {
            double x[SIDE * SIDE] = {0}, turn[SIDE * SIDE], value[2], h = 1e-5, slope, moved = 0.0;

            for (int sign = 0; sign < 2; sign++) {
                x[p * SIDE + q] = sign ? -h : h;
                x[q * SIDE + p] = -x[p * SIDE + q];
                exponential(x, turn);
                multiply(before, turn, turned);
                for (uint32_t i = 0; i < SIDE * SIDE; i++)
                    weight[layer->weight_at + SIDE * SIDE + i] = sqrt(2.0) * turned[i];
                value[sign] = plain_loss(&f, weight, bias, true, 0.25);
            }
            slope = (value[0] - value[1]) / (2 * h);
            for (uint32_t i = 0; i < SIDE; i++)
                moved += before[i * SIDE + p] * (double)u[i * SIDE + q];
            if (fabs(slope) < 1.0)
                continue; /* too flat for a sign */
            assert_true(slope * moved < 0.0);
            assert_true(fabs(fabs(moved) - 1e-4) <= 2e-6);
            checked++;
        }
    assert_true(checked > 20);
    tear_down(&f);
}

static void test_rate_falls_by_a_cosine(void **state)
{
    optinc_train_options options = optinc_train_options_default();

    (void)state;
    options.epochs = 100;
    options.learning_rate = 0.8;
    assert_true(fabs(oi_rate_at(&options, 0.0) - 0.8) <= 1e-15);
    assert_true(fabs(oi_rate_at(&options, 50.0) - 0.4) <= 1e-15);
    assert_true(fabs(oi_rate_at(&options, 100.0 / 3.0) - 0.6) <= 1e-12);
    assert_true(fabs(oi_rate_at(&options, 100.0) - 0.4) <= 1e-15);
    assert_true(fabs(oi_rate_at(&options, 250.0) - 0.1) <= 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_is_the_derivative),
        cmocka_unit_test(test_guides_tell_carries),
        cmocka_unit_test(test_step_descends),
        cmocka_unit_test(test_rate_falls_by_a_cosine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
