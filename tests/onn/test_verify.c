/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: constructed units are exact (test_construct). Identities: both proofs say so and
 * agree on the margin that the equations give; whatever weight is changed, the compositional proof
 * never calls exact what plain exhaustion shows wrong. */
#include "oracle.h"

#include "onn/prove.h"

#include <string.h>

static optinc_spec single(uint32_t ports, uint32_t bits, optinc_variant variant)
{
    optinc_spec spec;

    assert_int_equal(optinc_spec_single(ports, bits, variant, NULL, &spec), OPTINC_OK);
    return spec;
}

static optinc_design *construct(const optinc_spec *spec, optinc_activation activation, double gap)
{
    optinc_construct_options options = {.activation = activation, .gap = gap};
    optinc_design *design = NULL;

    assert_int_equal(optinc_construct(spec, &options, NULL, &design), OPTINC_OK);
    return design;
}

static optinc_verify_result verify(const optinc_design *design,
                                   const optinc_verify_options *options)
{
    optinc_verify_result result;

    memset(&result, 0xA5, sizeof result);
    assert_int_equal(optinc_verify(design, 0, options, NULL, NULL, &result), OPTINC_OK);
    return result;
}

static const optinc_activation activations[] = {OPTINC_ACTIVATION_SATURATING,
                                                OPTINC_ACTIVATION_RELU};

static void test_4_ports_8_bits(void **state)
{
    const double gaps[] = {0.1, 0.3, 0.5, 0.9};
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint32_t a = 0; a < 2; a++)
        for (uint32_t i = 0; i < 4; i++) {
            optinc_design *design = construct(&spec, activations[a], gaps[i]);
            optinc_verify_result result = verify(design, NULL);

            assert_int_equal(result.exhaustive.kind, OPTINC_PROOF_EXHAUSTIVE);
            assert_true(result.exhaustive.exact);
            assert_int_equal(result.exhaustive.cases, 28561);
            assert_int_equal(result.exhaustive.errors, 0);
            assert_true(fabs(result.exhaustive.margin_min - 0.5) <= 1e-12);
            assert_int_equal(result.compositional.kind, OPTINC_PROOF_COMPOSITIONAL);
            assert_true(result.compositional.exact);
            assert_int_equal(result.compositional.errors, 0);
            assert_true(result.compositional.cases > 0 && result.compositional.cases < 3000);
            /* a step leaves its ends (1-g)/2 from an integer (DESIGN.md section 5) */
            assert_true(fabs(result.compositional.margin_min - (1 - gaps[i]) / 2) <= 1e-8);
            assert_int_equal(result.sampled.kind, OPTINC_PROOF_NONE);
            assert_int_equal(result.best.kind, OPTINC_PROOF_EXHAUSTIVE);
            assert_true(result.best.exact);
            assert_true(result.best.margin_min == result.compositional.margin_min);
            for (uint32_t j = 0; j < 32; j++)
                assert_int_equal(result.digit_errors[j], 0);
            optinc_design_destroy(&design);
        }
}

static void check_compositional(const optinc_spec *spec)
{
    const optinc_verify_options options = {.exhaustive_cases_max = 1};

    for (uint32_t a = 0; a < 2; a++) {
        optinc_design *design = construct(spec, activations[a], 0.5);
        optinc_verify_result result = verify(design, &options);

        if (!result.compositional.exact)
            fail_msg("N=%u B=%u variant %d activation %u: not proved", spec->ports, spec->bits_in,
                     (int)spec->variant, a);
        assert_true(fabs(result.compositional.margin_min - 0.25) <= 1e-4);
        assert_int_equal(result.exhaustive.kind, OPTINC_PROOF_NONE);
        assert_int_equal(result.sampled.kind, OPTINC_PROOF_NONE);
        assert_int_equal(result.best.kind, OPTINC_PROOF_COMPOSITIONAL);
        optinc_design_destroy(&design);
    }
}

static void test_every_server_and_bit_count(void **state)
{
    const uint32_t some_bits[] = {2, 8, 14, 32};

    (void)state;
    for (uint32_t ports = 2; ports <= 64; ports *= 2) {
        for (uint32_t bits = 2; bits <= 32; bits += 2) {
            optinc_spec spec = single(ports, bits, OPTINC_VARIANT_HALF_UP);

            check_compositional(&spec);
        }
        for (uint32_t i = 0; i < 4; i++)
            for (int v = 1; v < 3; v++) {
                optinc_spec spec = single(ports, some_bits[i], (optinc_variant)v);

                check_compositional(&spec);
            }
    }
}

static void test_cascade_tops(void **state)
{
    const struct {
        uint32_t ports, bits, bits_in, divisor_log2;
    } tops[] = {{4, 8, 10, 4},    {4, 8, 18, 12}, {8, 8, 10, 5},   {4, 8, 12, 5},
                {2, 2, 4, 2},     {64, 2, 8, 12}, {4, 32, 44, 14}, {32, 26, 48, 24},
                {64, 16, 36, 24}, {2, 8, 14, 4},  {64, 2, 20, 24}};

    (void)state;
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
        for (int v = 0; v < 2; v++) {
            optinc_spec spec = {.ports = tops[i].ports,
                                .bits_in = tops[i].bits_in,
                                .bits_out = tops[i].bits,
                                .divisor_log2 = tops[i].divisor_log2,
                                .variant = (optinc_variant)v};

            check_compositional(&spec);
        }
}

/* Cases that a top switch cannot be sent are left out, in exhaustion as well. */
static void test_exhaustion_of_a_cascade_top(void **state)
{
    optinc_spec spec = {.ports = 4, .bits_in = 6, .bits_out = 4, .divisor_log2 = 4};
    uint64_t cases = 0;
    uint32_t sums[3];

    (void)state;
    for (sums[0] = 0; sums[0] <= 12; sums[0]++)
        for (sums[1] = 0; sums[1] <= 12; sums[1]++)
            for (sums[2] = 0; sums[2] <= 12; sums[2]++)
                cases += oracle_result(sums, 3, 8, 16) < 16;
    assert_true(cases < 2197);
    for (uint32_t a = 0; a < 2; a++) {
        optinc_design *design = construct(&spec, activations[a], 0);
        optinc_verify_result result = verify(design, NULL);

        assert_true(result.exhaustive.exact);
        assert_int_equal(result.exhaustive.cases, cases);
        assert_true(result.compositional.exact);
        optinc_design_destroy(&design);
    }
}

static void test_exhaustion_of_stochastic_rounding(void **state)
{
    optinc_spec spec = single(8, 4, OPTINC_VARIANT_STOCHASTIC);
    optinc_design *design = construct(&spec, OPTINC_ACTIVATION_SATURATING, 0);
    optinc_verify_result result = verify(design, NULL);

    (void)state;
    assert_true(result.exhaustive.exact);
    assert_int_equal(result.exhaustive.cases, 25 * 25 * 8);
    assert_true(result.compositional.exact);
    optinc_design_destroy(&design);
}

/* A copy of a unit in which single weights may be changed. */
typedef struct altered {
    optinc_unit unit;
    optinc_layer layers[16];
} altered;

static void alter_begin(const optinc_unit *unit, altered *copy)
{
    copy->unit = *unit;
    assert_true(unit->layer_count <= 16);
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        size_t count = (size_t)unit->layers[l].rows * unit->layers[l].cols;
        double *weight = malloc(count * sizeof *weight);
        double *bias = malloc(unit->layers[l].rows * sizeof *bias);

        assert_true(weight && bias);
        memcpy(weight, unit->layers[l].weight, count * sizeof *weight);
        memcpy(bias, unit->layers[l].bias, unit->layers[l].rows * sizeof *bias);
        copy->layers[l] = unit->layers[l];
        copy->layers[l].weight = weight;
        copy->layers[l].bias = bias;
    }
    copy->unit.layers = copy->layers;
}

static void alter_end(altered *copy)
{
    for (uint32_t l = 0; l < copy->unit.layer_count; l++) {
        free((void *)copy->layers[l].weight);
        free((void *)copy->layers[l].bias);
    }
}

/* Cases with a wrong digit, by the oracle alone. */
static uint64_t count_errors(const optinc_unit *unit)
{
    uint32_t sum_max = 3 * unit->spec.ports, digits = unit->spec.bits_in / 2;
    uint64_t divisor = (uint64_t)1 << unit->spec.divisor_log2, errors = 0;
    uint32_t sums[4] = {0};
    double outputs[32];

    assert_true(digits <= 4);
    for (;;) {
        uint64_t result = oracle_result(sums, digits, divisor / 2, divisor);
        bool wrong = false;
        uint32_t j = 0;

        oracle_forward(unit, sums, 0, outputs);
        for (uint32_t k = 0; k < unit->spec.bits_out / 2; k++, result /= 4) {
            double digit = fmin(3, fmax(0, floor(outputs[k] + 0.5)));

            wrong = wrong || digit != (double)(result % 4);
        }
        errors += wrong;
        while (j < digits && sums[j] == sum_max)
            sums[j++] = 0;
        if (j == digits)
            return errors;
        sums[j]++;
    }
}

typedef struct alteration_tally {
    uint32_t wrong;  /* alterations that exhaustion shows wrong */
    uint32_t right;  /* that leave every digit right */
    uint32_t proved; /* of the right ones, those proved */
} alteration_tally;

static void try_alteration(const altered *copy, alteration_tally *tally)
{
    const optinc_verify_options options = {.thread_count = 1};
    uint64_t errors = count_errors(&copy->unit);
    optinc_design *design = NULL;
    optinc_verify_result result;

    assert_int_equal(optinc_design_create(&copy->unit, 1, NULL, &design), OPTINC_OK);
    result = verify(design, &options);
    assert_int_equal(result.exhaustive.errors, errors);
    assert_int_equal(result.exhaustive.exact, errors == 0);
    assert_int_equal(result.best.exact, errors == 0);
    assert_int_equal(result.compositional.exact, result.compositional.errors == 0);
    assert_true(result.compositional.errors <= result.compositional.cases);
    if (errors > 0) {
        if (result.compositional.exact)
            fail_msg("a wrong unit was proved");
        assert_true(result.best.margin_min == 0);
        tally->wrong++;
    } else {
        tally->right++;
        tally->proved += result.compositional.exact;
        /* what is proved holds with the margin that was seen */
        if (result.compositional.exact)
            assert_true(result.compositional.margin_min <= result.exhaustive.margin_min + 1e-12);
    }
    optinc_design_destroy(&design);
}

/* Every weight and bias in turn, each changed by `change`. */
static alteration_tally alter_each(const optinc_unit *unit, double change)
{
    alteration_tally tally = {0, 0, 0};
    altered copy;

    alter_begin(unit, &copy);
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        uint32_t rows = unit->layers[l].rows, cols = unit->layers[l].cols;

        for (uint32_t i = 0; i < rows * cols + rows; i++) {
            double *value = (double *)(i < rows * cols ? &copy.layers[l].weight[i]
                                                       : &copy.layers[l].bias[i - rows * cols]);
            double before = *value;

            *value += change;
            try_alteration(&copy, &tally);
            *value = before;
        }
    }
    alter_end(&copy);
    return tally;
}

static void test_changed_weights_are_caught(void **state)
{
    const double changes[] = {-2.9137, -1.0371, -0.4713, -0.1093, -0.0217, 1e-9,
                              0.0231,  0.1107,  0.4637,  1.0359,  2.9153};
    const struct {
        uint32_t ports, bits;
        optinc_variant variant;
    } units[] = {{4, 4, OPTINC_VARIANT_HALF_UP},
                 {2, 4, OPTINC_VARIANT_HALF_UP},
                 {4, 4, OPTINC_VARIANT_RESIDUAL}};

    (void)state;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        for (uint32_t a = 0; a < 2; a++) {
            optinc_spec spec = single(units[u].ports, units[u].bits, units[u].variant);
            /* a gap that puts no altered output halfway between digits, where rounding decides */
            optinc_design *design = construct(&spec, activations[a], 0.3719);
            alteration_tally all = {0, 0, 0};

            for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
                alteration_tally tally = alter_each(optinc_design_unit(design, 0), changes[c]);

                if (fabs(changes[c]) < 1e-6) { /* far below every margin: stays provable */
                    assert_int_equal(tally.wrong, 0);
                    assert_int_equal(tally.proved, tally.right);
                }
                all.wrong += tally.wrong;
                all.right += tally.right;
                all.proved += tally.proved;
            }
            print_message("N=%u B=%u: %u altered units wrong, all caught; %u right, %u proved\n",
                          spec.ports, spec.bits_in, all.wrong, all.right, all.proved);
            assert_true(all.wrong > 100 && all.right > 100);
            assert_true(10 * all.proved >= 7 * all.right); /* the proof is not idly careful */
            optinc_design_destroy(&design);
        }
}

/* One weight of the full-size unit, somewhere deep. */
static void test_changed_weight_of_4_ports_8_bits(void **state)
{
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);
    optinc_design *design = construct(&spec, OPTINC_ACTIVATION_SATURATING, 0.5), *wrong = NULL;
    optinc_verify_result result;
    altered copy;

    (void)state;
    alter_begin(optinc_design_unit(design, 0), &copy);
    ((double *)copy.layers[3].bias)[2] -= 3;
    assert_int_equal(optinc_design_create(&copy.unit, 1, NULL, &wrong), OPTINC_OK);
    result = verify(wrong, NULL);
    assert_true(result.exhaustive.errors > 0);
    assert_int_equal(result.exhaustive.errors, count_errors(&copy.unit));
    assert_true(result.compositional.errors > 0);
    assert_false(result.compositional.exact);
    assert_true(result.digit_errors[2] > 0);
    optinc_design_destroy(&wrong);

    ((double *)copy.layers[3].bias)[2] = 1e200; /* sums that might overflow: nothing proved */
    assert_int_equal(optinc_design_create(&copy.unit, 1, NULL, &wrong), OPTINC_OK);
    assert_false(verify(wrong, NULL).compositional.exact);
    optinc_design_destroy(&wrong);
    alter_end(&copy);
    optinc_design_destroy(&design);
}

/* A trained unit has no proof by stages; where its cases are too many it is sampled. */
static void test_sampling(void **state)
{
    const optinc_verify_options options = {
        .exhaustive_cases_max = 1000, .sample_count = 5000, .seed = 3};
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);
    optinc_design *design = construct(&spec, OPTINC_ACTIVATION_SATURATING, 0.5), *other = NULL;
    optinc_verify_result result, again;
    altered copy;

    (void)state;
    alter_begin(optinc_design_unit(design, 0), &copy);
    copy.unit.method = OPTINC_METHOD_TRAINED;
    assert_int_equal(optinc_design_create(&copy.unit, 1, NULL, &other), OPTINC_OK);
    result = verify(other, &options);
    assert_int_equal(result.exhaustive.kind, OPTINC_PROOF_NONE);
    assert_int_equal(result.compositional.kind, OPTINC_PROOF_NONE);
    assert_int_equal(result.best.kind, OPTINC_PROOF_SAMPLED);
    assert_int_equal(result.best.cases, 5000);
    assert_int_equal(result.best.errors, 0);
    assert_false(result.best.exact);
    assert_true(fabs(result.best.error_bound - (1 - pow(0.05, 1.0 / 5000))) <= 1e-12);
    optinc_design_destroy(&other);

    ((double *)copy.layers[4].bias)[1] += 0.8; /* digit 1 wrong wherever it is 0, 1 or 2 */
    assert_int_equal(optinc_design_create(&copy.unit, 1, NULL, &other), OPTINC_OK);
    result = verify(other, &options);
    again = verify(other, &(optinc_verify_options){.exhaustive_cases_max = 1000,
                                                   .sample_count = 5000,
                                                   .seed = 3,
                                                   .thread_count = 3});
    assert_int_equal(result.best.errors, again.best.errors);
    assert_true(fabs((double)result.best.errors / 5000 - 0.75) <= 0.04); /* 6 sigma */
    assert_int_equal(result.digit_errors[1], result.best.errors);
    assert_int_equal(result.digit_errors[0], 0);
    assert_true(result.best.error_bound > (double)result.best.errors / 5000);
    optinc_design_destroy(&other);
    alter_end(&copy);
    optinc_design_destroy(&design);
}

/* P(X <= k | p) = 5 % at the bound, summed term by term. */
static void test_clopper_pearson(void **state)
{
    const uint64_t counts[] = {1, 2, 10, 100, 1000, 20000};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (uint64_t k = 0; k < counts[i] && k < 60; k += 1 + k / 4) {
            double n = (double)counts[i], p = oi_clopper_pearson_upper(k, counts[i]), sum = 0;

            for (uint64_t x = 0; x <= k; x++)
                sum += exp(lgamma(n + 1) - lgamma((double)x + 1) - lgamma(n - (double)x + 1) +
                           (double)x * log(p) + (n - (double)x) * log1p(-p));
            if (!(fabs(sum - 0.05) <= 1e-8))
                fail_msg("n=%g k=%llu: p=%g, probability %g", n, (unsigned long long)k, p, sum);
        }
    assert_true(oi_clopper_pearson_upper(5, 5) == 1);
    /* rule of three, and a large count */
    assert_true(fabs(oi_clopper_pearson_upper(0, 1000000000) * 1e9 - 2.995732) <= 1e-6);
    assert_true(fabs(oi_clopper_pearson_upper(3, 1000000000) * 1e9 - 7.753657) <= 1e-5);
}

static bool stop_at_once(void *user, uint64_t done, uint64_t total)
{
    ++*(uint32_t *)user;
    return done > total;
}

static void test_interruption(void **state)
{
    uint32_t reports = 0;
    optinc_progress progress = {.report = stop_at_once, .user = &reports};
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);
    optinc_design *design = construct(&spec, OPTINC_ACTIVATION_RELU, 0);
    optinc_verify_result result;
    uint32_t *table = (uint32_t *)&spec;
    size_t table_count = 1;

    (void)state;
    assert_int_equal(optinc_verify(design, 0, NULL, &progress, NULL, &result),
                     OPTINC_ERR_INTERRUPTED);
    assert_int_equal(reports, 1);
    assert_int_equal(optinc_tabulate(design, 0, SIZE_MAX, &progress, NULL, &table, &table_count),
                     OPTINC_ERR_INTERRUPTED);
    assert_null(table);
    assert_int_equal(table_count, 0);
    assert_int_equal(optinc_verify(design, 1, NULL, NULL, NULL, &result),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_verify(NULL, 0, NULL, NULL, NULL, &result),
                     OPTINC_ERR_INVALID_ARGUMENT);
    optinc_design_destroy(&design);
}

static void check_table(const optinc_spec *spec)
{
    optinc_design *design = construct(spec, OPTINC_ACTIVATION_SATURATING, 0);
    uint64_t divisor = (uint64_t)1 << spec->divisor_log2, total;
    uint32_t *table = NULL, sums[8];
    size_t count = 0;
    bool stochastic = spec->variant == OPTINC_VARIANT_STOCHASTIC;

    total = optinc_spec_case_count(spec) * (stochastic ? divisor : 1);
    assert_int_equal(optinc_tabulate(design, 0, total - 1, NULL, NULL, &table, &count),
                     OPTINC_ERR_OVERFLOW);
    assert_int_equal(optinc_tabulate(design, 0, total, NULL, NULL, &table, &count), OPTINC_OK);
    assert_int_equal(count, total);
    for (size_t i = 0; i < count; i++) {
        size_t rest = i;

        for (uint32_t j = 0; j < spec->bits_in / 2; j++, rest /= 3 * spec->ports + 1)
            sums[j] = (uint32_t)(rest % (3 * spec->ports + 1));
        assert_int_equal(table[i], oracle_result(sums, spec->bits_in / 2,
                                                 stochastic ? rest : divisor / 2, divisor));
    }
    assert_int_equal(optinc_design_set_table(design, 0, table, count), OPTINC_OK);
    optinc_table_free(&table);
    optinc_table_free(&table);
    assert_null(table);
    optinc_design_destroy(&design);
}

static void test_tables(void **state)
{
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);

    (void)state;
    check_table(&spec);
    spec = single(8, 4, OPTINC_VARIANT_STOCHASTIC);
    check_table(&spec);
    spec = single(4, 6, OPTINC_VARIANT_RESIDUAL);
    check_table(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_4_ports_8_bits),
        cmocka_unit_test(test_every_server_and_bit_count),
        cmocka_unit_test(test_cascade_tops),
        cmocka_unit_test(test_exhaustion_of_a_cascade_top),
        cmocka_unit_test(test_exhaustion_of_stochastic_rounding),
        cmocka_unit_test(test_changed_weights_are_caught),
        cmocka_unit_test(test_changed_weight_of_4_ports_8_bits),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_clopper_pearson),
        cmocka_unit_test(test_interruption),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
