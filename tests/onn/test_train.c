/* SPDX-License-Identifier: Apache-2.0 */
/* Training whole networks, small ones. Identities: a design that says exact answers every digit-sum
 * vector with floor((T + N/2) / N), by the tests' own loops over its layers; its blocks are diag(d) U
 * with U orthogonal to 1e-6; the bits depend neither on the thread count nor on an interruption;
 * what is not finite never becomes a design. What cannot be trained: test_train_input. */
#include "train_common.h"

/* Wrong cases of a unit by the tests' own layers, and whether its table says the same. */
static uint64_t count_wrong(const optinc_unit *unit)
{
    uint64_t wrong = 0, cases = optinc_spec_case_count(&unit->spec);

    assert_int_equal(unit->table_count, cases);
    for (uint64_t i = 0; i < cases; i++) {
        uint32_t sums[32], base = 3 * unit->spec.ports + 1;
        uint64_t rest = i, expected, answer = 0;
        double outputs[32];

        for (uint32_t j = 0; j < unit->spec.bits_in / 2; j++, rest /= base)
            sums[j] = (uint32_t)(rest % base);
        expected =
            oracle_result(sums, unit->spec.bits_in / 2, unit->spec.ports / 2, unit->spec.ports);
        oracle_forward(unit, sums, 0, outputs);
        for (uint32_t j = 0; j < unit->spec.bits_out / 2; j++) {
            double level = floor(outputs[j] + 0.5);

            answer |= (uint64_t)fmin(fmax(level, 0.0), 3.0) << (2 * j);
        }
        assert_int_equal(unit->table[i], answer);
        wrong += answer != expected;
    }
    return wrong;
}

/* Every block of a segmented layer is diag(d) U: its rows, made of length 1, are orthogonal. */
static void check_segments(const optinc_layer *layer)
{
    uint32_t side = layer->segment_side;

    assert_int_equal(layer->mapping, OPTINC_MAPPING_SEGMENTED);
    assert_int_equal(side, layer->rows < layer->cols ? layer->rows : layer->cols);
    for (uint32_t top = 0; top < layer->rows; top += side)
        for (uint32_t left = 0; left < layer->cols; left += side)
            for (uint32_t i = 0; i < side; i++)
                for (uint32_t j = 0; j < i; j++) {
                    const double *a = layer->weight + (size_t)(top + i) * layer->cols + left;
                    const double *b = layer->weight + (size_t)(top + j) * layer->cols + left;
                    double dot = 0.0, aa = 0.0, bb = 0.0;

                    for (uint32_t k = 0; k < side; k++) {
                        dot += a[k] * b[k];
                        aa += a[k] * a[k];
                        bb += b[k] * b[k];
                    }
                    assert_true(fabs(dot) <= 1e-6 * sqrt(aa * bb) + 1e-300);
                }
}

static void check_exact(optinc_activation activation, optinc_segment_training how)
{
    const bool middle[] = {false, true, true, false};
    optinc_train_options options = small_options();
    optinc_train_result result;
    optinc_design *design;
    const optinc_unit *unit;

    options.activation = activation;
    options.segment_training = how;
    if (how == OPTINC_SEGMENT_PROJECT)
        options.segmented = middle;
    design = train_small(&options, &result);
    unit = optinc_design_unit(design, 0);
    assert_int_equal(result.proof.kind, OPTINC_PROOF_EXHAUSTIVE);
    assert_int_equal(result.proof.cases, 49);
    assert_int_equal(count_wrong(unit), result.proof.errors);
    assert_int_equal(unit->proof.errors, result.proof.errors);
    assert_int_equal(unit->proof.exact, result.proof.errors == 0);
    assert_int_equal(unit->method, OPTINC_METHOD_TRAINED);
    assert_true(result.orthogonality_max <= 1e-6);
    for (uint32_t i = 0; i < 4; i++)
        if (!options.segmented || options.segmented[i])
            check_segments(&unit->layers[i]);
        else
            assert_int_equal(unit->layers[i].mapping, OPTINC_MAPPING_SVD);
    if (how == OPTINC_SEGMENT_TANGENT) {
        assert_true(result.proof.exact);
        assert_true(result.proof.margin_min > 0.0);
    }
    optinc_design_destroy(&design);
}

static void test_small_networks_become_exact(void **state)
{
    (void)state;
    check_exact(OPTINC_ACTIVATION_RELU, OPTINC_SEGMENT_TANGENT);
    check_exact(OPTINC_ACTIVATION_SATURATING, OPTINC_SEGMENT_TANGENT);
    check_exact(OPTINC_ACTIVATION_RELU, OPTINC_SEGMENT_PROJECT);
}

static void test_merged_digits(void **state)
{
    const uint32_t sides[] = {1, 16, 32, 16, 2};
    optinc_train_options options = small_options();
    optinc_train_result result;
    optinc_design *design;

    (void)state;
    options.sides = sides;
    options.input_merge = 2;
    options.epochs = 50;
    options.cycles_max = 1;
    design = train_small(&options, &result);
    /* T of two 4-bit codes is 0 .. 30; 7^2 digit-sum vectors; 2^8 pairs of codes */
    assert_int_equal(result.proof.cases, 31);
    assert_true(result.preprocessing.cases_inputs == 31.0);
    assert_true(result.preprocessing.cases_digits == 49.0);
    assert_true(result.preprocessing.cases_symbols == 256.0);
    assert_int_equal(result.preprocessing.input_count, 1);
    assert_int_equal(optinc_design_unit(design, 0)->inputs[0].digit_count, 2);
    assert_true(fabs(optinc_design_unit(design, 0)->inputs[0].scale - 0.2) <= 1e-15);
    count_wrong(optinc_design_unit(design, 0)); /* the table is by digit sums: checked inside */
    optinc_design_destroy(&design);
}

/* Values of N=4, B=8 and N=4, B=16 by hand: 13^4, 61^2, 13^8, 61^4; MZI counts likewise. */
static void test_costs_and_cases(void **state)
{
    const uint32_t eight[] = {4, 64, 128, 256, 128, 64, 4};
    const uint32_t sixteen[] = {8, 64, 128, 256, 512, 256, 128, 64, 8};
    bool segmented[8];
    optinc_train_options options = optinc_train_options_default();
    optinc_preprocessing cases;
    optinc_train_cost cost;
    optinc_spec spec;

    (void)state;
    assert_int_equal(optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_preprocessing_of(&spec, 1, NULL, &cases), OPTINC_OK);
    assert_true(cases.cases_digits == 28561.0 && cases.cases_inputs == 28561.0);
    assert_true(cases.cases_symbols == 4294967296.0);
    assert_int_equal(optinc_preprocessing_of(&spec, 2, NULL, &cases), OPTINC_OK);
    assert_true(cases.cases_inputs == 3721.0);
    options.layer_count = 6;
    options.sides = eight;
    assert_int_equal(optinc_train_cost_of(&spec, &options, NULL, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, 41664);
    assert_int_equal(cost.mzis_svd, 106764);
    assert_int_equal(optinc_spec_single(4, 16, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    options.layer_count = 8;
    options.sides = sixteen;
    options.segmented = segmented;
    options.epoch_cases = 1000;
    assert_int_equal(optinc_segments_parse("4-6", 8, NULL, segmented), OPTINC_OK);
    assert_int_equal(optinc_train_cost_of(&spec, &options, NULL, &cost), OPTINC_OK);
    assert_int_equal(cost.mzis, 213880);
    assert_int_equal(cost.mzis_svd, 434744);
}

typedef struct stopper {
    uint64_t epoch;
    uint64_t seen;
} stopper;

static bool stop_at(void *user, const optinc_train_report *report)
{
    stopper *s = user;

    assert_int_equal(report->epoch, s->seen + 1);
    assert_true(report->cases <= 49 && report->wrong <= report->cases);
    s->seen = report->epoch;
    return report->epoch != s->epoch;
}

static void check_same_bits(optinc_supervision supervision, optinc_train_start start)
{
    optinc_train_options options = small_options();
    optinc_spec spec = small_spec();
    optinc_design *design = (optinc_design *)1;
    optinc_train_result result;
    char path[64];
    stopper stop = {.epoch = 17};
    optinc_train_watch watch = {stop_at, &stop};
    uint64_t whole;

    options.supervision = supervision;
    options.start = start;
    name_file(path, sizeof path, "resume");
    options.batch_size = 1000; /* more than the cases: two chunks, the second empty */
    options.epochs = 40;
    options.cycles_max = 1;
    options.squared_epochs = 10;
    options.visit_interval = 3;
    options.unit_noise = 0.01;
    options.phase_noise_rad = 0.01;
    whole = checksum_of(&options);
    options.thread_count = 3;
    assert_int_equal(checksum_of(&options), whole);
    options.seed = 2;
    assert_int_not_equal(checksum_of(&options), whole);
    options.seed = 1;
    options.checkpoint = path;
    assert_int_equal(optinc_train(&spec, &options, &watch, NULL, &result, &design),
                     OPTINC_ERR_INTERRUPTED);
    assert_null(design);
    assert_int_equal(result.epochs, 17);
    options.resume = true;
    options.thread_count = 1;
    stop.epoch = 0;
    assert_int_equal(checksum_of(&options), whole);
    /* a finished run has nothing more to do */
    assert_int_equal(checksum_of(&options), whole);
    remove(path);
}

static void test_same_bits(void **state)
{
    (void)state;
    check_same_bits(OPTINC_SUPERVISION_OUTPUTS, OPTINC_TRAIN_START_HAAR);
    check_same_bits(OPTINC_SUPERVISION_CARRIES, OPTINC_TRAIN_START_AXES);
}

/* Cases beyond what may be run: sampled, with a bound, and never exact; optinc_verify, which is not
 * the trainer's, finds what the trainer says. */
static void test_sampled_and_verified_again(void **state)
{
    optinc_train_options options = small_options();
    optinc_verify_result again;
    optinc_train_result result;
    optinc_design *design;

    (void)state;
    options.epochs = 5;
    options.cycles_max = 1;
    design = train_small(&options, &result);
    assert_int_equal(optinc_verify(design, 0, NULL, NULL, NULL, &again), OPTINC_OK);
    assert_int_equal(again.exhaustive.cases, result.proof.cases);
    assert_int_equal(again.exhaustive.errors, result.proof.errors);
    assert_true(again.exhaustive.margin_min == result.proof.margin_min);
    for (int i = 0; i < 2; i++)
        assert_int_equal(again.digit_errors[i], result.wrong_by_digit[i]);
    optinc_design_destroy(&design);
    options.verify_cases_max = 10;
    options.verify_samples = 1000;
    design = train_small(&options, &result);
    assert_int_equal(result.proof.kind, OPTINC_PROOF_SAMPLED);
    assert_int_equal(result.proof.cases, 1000);
    assert_false(result.proof.exact);
    assert_true(result.proof.error_bound > (double)result.proof.errors / 1000.0);
    assert_true(result.proof.error_bound <= 1.0);
    optinc_design_destroy(&design);
}

/* A NaN among the weights is seen through the activations, rolled back and given up. */
static void test_not_finite(void **state)
{
    optinc_train_options options = small_options();
    optinc_spec spec = small_spec();
    messages kept = {.count = 0};
    optinc_log log = {keep_message, &kept};
    oi_train_plan plan;
    oi_trainer trainer;

    (void)state;
    assert_int_equal(oi_train_plan_create(&spec, &options, NULL, &plan), OPTINC_OK);
    for (uint32_t i = 0; i < plan.layer_count; i++) {
        trainer = (oi_trainer){.plan = &plan, .log = &log};
        assert_int_equal(oi_trainer_create(&trainer), OPTINC_OK);
        assert_int_equal(oi_train_initialise(&plan, trainer.state.param), OPTINC_OK);
        trainer.state.param[plan.layers[i].param_at + 3] = NAN;
        assert_int_equal(oi_train_run(&trainer, NULL), OPTINC_ERR_NON_FINITE);
        assert_int_equal(trainer.state.epoch, 0);
        assert_true(trainer.state.rate_factor == 1.0 / 256.0);
        assert_non_null(strstr(kept.last, "not finite"));
        oi_trainer_destroy(&trainer);
    }
    oi_train_plan_destroy(&plan);
}

static void test_injected_errors(void **state)
{
    const double low[] = {1.0, 0.0, 0.0};
    optinc_design *design = NULL;
    const optinc_unit *unit;
    optinc_proof exact, sampled;
    uint64_t errors = 99;
    optinc_spec spec;

    (void)state;
    assert_int_equal(optinc_spec_single(2, 6, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, NULL, NULL, &design), OPTINC_OK);
    /* layers that may err must not get a table of right answers, and with it a proof */
    sampled = exact = optinc_design_unit(design, 0)->proof;
    sampled.kind = OPTINC_PROOF_SAMPLED;
    sampled.exact = false;
    assert_int_equal(optinc_design_set_proof(design, 0, &sampled), OPTINC_OK);
    assert_int_equal(optinc_design_inject_errors(design, 0, 0.0, NULL, 1, NULL, NULL),
                     OPTINC_ERR_UNSUPPORTED);
    assert_null(optinc_design_unit(design, 0)->table);
    assert_int_equal(optinc_design_set_proof(design, 0, &exact), OPTINC_OK);
    assert_int_equal(optinc_design_inject_errors(design, 0, 1.5, NULL, 1, NULL, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_inject_errors(design, 1, 0.5, NULL, 1, NULL, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_inject_errors(design, 0, 0.0, NULL, 1, NULL, &errors),
                     OPTINC_OK);
    assert_int_equal(errors, 0);
    assert_true(optinc_design_unit(design, 0)->proof.exact);
    assert_int_equal(optinc_design_inject_errors(design, 0, 0.1, low, 1, NULL, &errors), OPTINC_OK);
    unit = optinc_design_unit(design, 0);
    assert_int_equal(errors, 34); /* 343 / 10 */
    assert_false(unit->proof.exact);
    assert_int_equal(unit->proof.errors, 34);
    for (uint32_t i = 0; i < 343; i++) {
        const uint32_t sums[] = {i % 7, i / 7 % 7, i / 49};
        uint32_t right = (uint32_t)oracle_result(sums, 3, 1, 2);
        int shift = (int)(unit->table[i] & 3) - (int)(right & 3);

        assert_int_equal(unit->table[i] >> 2, right >> 2);
        assert_true(shift >= -1 && shift <= 1);
        errors -= shift != 0;
    }
    assert_int_equal(errors, 0);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_networks_become_exact),
        cmocka_unit_test(test_merged_digits),
        cmocka_unit_test(test_costs_and_cases),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_sampled_and_verified_again),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_injected_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
