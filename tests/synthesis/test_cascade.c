/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: the conformance suite's oracle, 128-bit integers on the flat switch. Identity: a tree
 * of constructed switches is proved exact level by level and returns what one flat switch would. */
#include "optinc/synthesis.h"

#include "switch/conformance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static optinc_design *make(const optinc_cascade *cascade, optinc_activation activation)
{
    optinc_construct_options options = {.activation = activation};
    optinc_verify_options verify = {.thread_count = 1, .exhaustive_cases_max = 30000};
    optinc_design *design = NULL;

    assert_int_equal(optinc_synthesise_cascade(cascade, &options, &verify, NULL, NULL, &design),
                     OPTINC_OK);
    assert_true(optinc_design_exact(design));
    assert_int_equal(optinc_design_level_count(design), cascade->level_count);
    for (uint32_t level = 0; level < cascade->level_count; level++) {
        const optinc_proof *proof = &optinc_design_unit(design, level)->proof;

        assert_true(proof->exact);
        assert_int_equal(proof->errors, 0);
        assert_true(fabs(proof->margin_min - 0.25) <= 1e-4);
    }
    return design;
}

/* 16 servers at 8 bits in five switches of at most 1,400 MZIs together. */
static void test_16_servers(void **state)
{
    const optinc_cascade cascade = {.ports = {4, 4}, .level_count = 2, .bits = 8};
    optinc_design *design = make(&cascade, OPTINC_ACTIVATION_SATURATING);
    optinc_design_cost whole, below, top;
    optinc_spec flat = optinc_design_flat_spec(design);

    (void)state;
    assert_int_equal(optinc_design_ports(design), 16);
    assert_int_equal(flat.bits_in, 8);
    assert_int_equal(flat.bits_out, 8);
    assert_int_equal(flat.divisor_log2, 4);
    assert_int_equal(flat.zero_code, 128);
    assert_int_equal(optinc_design_cost_of(design, NULL, &whole), OPTINC_OK);
    assert_int_equal(optinc_unit_cost_of(optinc_design_unit(design, 0), NULL, &below), OPTINC_OK);
    assert_int_equal(optinc_unit_cost_of(optinc_design_unit(design, 1), NULL, &top), OPTINC_OK);
    print_message("16 servers, 8 bits: 4 x %llu + %llu = %llu MZIs\n",
                  (unsigned long long)below.mzis, (unsigned long long)top.mzis,
                  (unsigned long long)whole.mzis);
    assert_int_equal(whole.mzis, 4 * below.mzis + top.mzis);
    assert_int_equal(whole.depth, below.depth + top.depth);
    assert_true(whole.mzis <= 1400);
    conformance_run(&(conformance){.design = design, .backend = optinc_backend_exact(), .seed = 1});
    conformance_run(&(conformance){
        .design = design, .backend = optinc_backend_onn(), .element_count_max = 300, .seed = 2});
    optinc_design_destroy(&design);
}

static void test_other_splits(void **state)
{
    const optinc_cascade cascades[] = {{{4, 8}, 2, 8, OPTINC_VARIANT_HALF_UP},
                                       {{8, 4}, 2, 6, OPTINC_VARIANT_STOCHASTIC},
                                       {{2, 2, 2}, 3, 10, OPTINC_VARIANT_HALF_UP},
                                       {{4, 4}, 2, 8, OPTINC_VARIANT_RESIDUAL},
                                       {{4, 4}, 2, 8, OPTINC_VARIANT_STOCHASTIC},
                                       {{2, 8}, 2, 32, OPTINC_VARIANT_HALF_UP},
                                       {{4}, 1, 8, OPTINC_VARIANT_HALF_UP},
                                       {{2, 2, 2, 2, 2}, 5, 2, OPTINC_VARIANT_HALF_UP}};

    (void)state;
    for (size_t i = 0; i < sizeof cascades / sizeof *cascades; i++)
        for (int a = OPTINC_ACTIVATION_RELU; a <= OPTINC_ACTIVATION_SATURATING; a++) {
            optinc_design *design = make(&cascades[i], (optinc_activation)a);

            conformance_run(&(conformance){.design = design,
                                           .backend = optinc_backend_onn(),
                                           .element_count_max = 70,
                                           .seed = i});
            optinc_design_destroy(&design);
        }
}

/* A tree of many servers against a sum in integers: random codes, with some servers idle. */
static void check_large(const optinc_cascade *cascade, const optinc_backend *backend)
{
    enum { ELEMENTS = 12 };
    optinc_design *design = make(cascade, OPTINC_ACTIVATION_SATURATING);
    uint32_t servers = optinc_design_ports(design), used = servers - servers / 5;
    size_t stride = optinc_symbols_size(cascade->bits, ELEMENTS);
    uint8_t *symbols = malloc(used * stride), *result = malloc(stride);
    optinc_switch_options options = {.thread_count = 1};
    optinc_switch *sw = NULL;
    uint64_t codes[ELEMENTS], totals[ELEMENTS], random = servers;

    assert_true(symbols && result);
    for (uint32_t e = 0; e < ELEMENTS; e++)
        totals[e] = (uint64_t)(servers - used) << (cascade->bits - 1);
    for (uint32_t server = 0; server < used; server++) {
        for (uint32_t e = 0; e < ELEMENTS; e++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            codes[e] = (random >> 32) & (((uint64_t)1 << cascade->bits) - 1);
            if (e < 2)
                codes[e] = e * (((uint64_t)1 << cascade->bits) - 1); /* all least, all largest */
            totals[e] += codes[e];
        }
        assert_int_equal(
            optinc_symbols_pack(cascade->bits, codes, ELEMENTS, symbols + server * stride),
            OPTINC_OK);
    }
    memset(result, 0xA5, stride);
    assert_int_equal(optinc_switch_create(design, backend, &options, NULL, &sw), OPTINC_OK);
    assert_int_equal(optinc_switch_reduce(sw, symbols, stride, used, ELEMENTS, NULL, result),
                     OPTINC_OK);
    assert_int_equal(optinc_symbols_unpack(cascade->bits, result, ELEMENTS, codes), OPTINC_OK);
    for (uint32_t e = 0; e < ELEMENTS; e++)
        assert_int_equal(codes[e], (totals[e] + servers / 2) / servers);
    optinc_switch_destroy(&sw);
    optinc_design_destroy(&design);
    free(symbols);
    free(result);
}

/* 4^L up to L = 6, at 8 and 32 bits. */
static void test_powers_of_4(void **state)
{
    (void)state;
    for (uint32_t bits = 8; bits <= 32; bits += 24)
        for (uint32_t levels = 1; levels <= 6; levels++) {
            optinc_cascade cascade = {.level_count = levels, .bits = bits};

            assert_int_equal(
                optinc_cascade_split((uint64_t)1 << (2 * levels), levels, NULL, cascade.ports),
                OPTINC_OK);
            for (uint32_t level = 0; level < levels; level++)
                assert_int_equal(cascade.ports[level], 4);
            check_large(&cascade, optinc_backend_exact());
            check_large(&cascade, optinc_backend_onn());
        }
}

static void test_other_large_trees(void **state)
{
    const optinc_cascade cascades[] = {{{64, 64}, 2, 8, OPTINC_VARIANT_HALF_UP},
                                       {{4, 8, 16}, 3, 8, OPTINC_VARIANT_HALF_UP},
                                       {{2, 2, 2, 2, 2, 2, 2, 2}, 8, 16, OPTINC_VARIANT_HALF_UP}};

    (void)state;
    for (size_t i = 0; i < sizeof cascades / sizeof *cascades; i++) {
        check_large(&cascades[i], optinc_backend_exact());
        check_large(&cascades[i], optinc_backend_onn());
    }
}

static void keep_message(void *user, optinc_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 512, "%s", message);
}

static void test_split(void **state)
{
    char message[512] = "";
    const optinc_log log = {keep_message, message};
    uint32_t ports[OPTINC_LEVELS_MAX];

    (void)state;
    assert_int_equal(optinc_cascade_split(32, 2, &log, ports), OPTINC_OK);
    assert_int_equal(ports[0], 4);
    assert_int_equal(ports[1], 8);
    assert_int_equal(optinc_cascade_split(64, 1, &log, ports), OPTINC_OK);
    assert_int_equal(ports[0], 64);
    assert_int_equal(optinc_cascade_split(1u << 20, 8, &log, ports), OPTINC_OK);
    assert_int_equal(ports[3], 4);
    assert_int_equal(ports[4], 8);
    assert_int_equal(optinc_cascade_split(100, 2, &log, ports), OPTINC_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "64 and 128"));
    assert_int_equal(optinc_cascade_split(128, 1, &log, ports), OPTINC_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "nearest number is 64"));
    assert_int_equal(optinc_cascade_split(0, 2, &log, ports), OPTINC_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "nearest number is 4"));
    assert_int_equal(optinc_cascade_split(UINT64_MAX, 8, &log, ports), OPTINC_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "1048576"));
    assert_int_equal(optinc_cascade_split(4, 0, &log, ports), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_cascade_split(4, 9, &log, ports), OPTINC_ERR_INVALID_ARGUMENT);
}

static void test_refusals(void **state)
{
    optinc_cascade cascade = {.ports = {4, 5}, .level_count = 2, .bits = 8};
    optinc_design *design = (optinc_design *)&cascade;

    (void)state;
    assert_int_equal(optinc_synthesise_cascade(&cascade, NULL, NULL, NULL, NULL, &design),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(design);
    cascade.ports[1] = 4;
    cascade.bits = 9;
    assert_int_equal(optinc_synthesise_cascade(&cascade, NULL, NULL, NULL, NULL, &design),
                     OPTINC_ERR_INVALID_ARGUMENT);
    cascade = (optinc_cascade){.ports = {64, 64, 64, 8}, .level_count = 4, .bits = 8};
    assert_int_equal(optinc_synthesise_cascade(&cascade, NULL, NULL, NULL, NULL, &design),
                     OPTINC_ERR_OVERFLOW);
    cascade.level_count = 9;
    assert_int_equal(optinc_synthesise_cascade(&cascade, NULL, NULL, NULL, NULL, &design),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_synthesise_cascade(NULL, NULL, NULL, NULL, NULL, &design),
                     OPTINC_ERR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_16_servers),  cmocka_unit_test(test_other_splits),
        cmocka_unit_test(test_powers_of_4), cmocka_unit_test(test_other_large_trees),
        cmocka_unit_test(test_split),       cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
