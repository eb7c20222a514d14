/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: exhaustion and the proof by stages are right (test_verify). Samples, their bound,
 * interruption, and tables of all answers against the oracle. */
#include "verify_common.h"

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
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_clopper_pearson),
        cmocka_unit_test(test_interruption),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
