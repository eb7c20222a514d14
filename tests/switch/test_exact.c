/* SPDX-License-Identifier: Apache-2.0 */
/* The backend exact against integers, by every kernel that this CPU has. */
#include "switch/conformance.h"
#include "switch/designs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const optinc_kernel kernels[] = {OPTINC_KERNEL_PLAIN, OPTINC_KERNEL_AVX2,
                                        OPTINC_KERNEL_AVX512};

static bool is_here(optinc_kernel kernel)
{
#if defined(__x86_64__)
    if (kernel == OPTINC_KERNEL_AVX2)
        return __builtin_cpu_supports("avx2");
    if (kernel == OPTINC_KERNEL_AVX512)
        return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq");
#endif
    return kernel == OPTINC_KERNEL_PLAIN;
}

static void run(uint32_t ports, uint32_t bits, optinc_variant variant, size_t element_count_max)
{
    optinc_design *design =
        make_design(&(wish){.ports = {ports}, .level_count = 1, .bits = bits, .variant = variant});

    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        if (is_here(kernels[i]))
            conformance_run(&(conformance){.design = design,
                                           .backend = optinc_backend_exact(),
                                           .kernel = kernels[i],
                                           .element_count_max = element_count_max,
                                           .seed = 100 * ports + bits});
    }
    optinc_design_destroy(&design);
}

/* Precondition: the codes are whole bytes. Identity: r = floor((T + N/2) / N). */
static void half_up_bytes(void **state)
{
    (void)state;
    for (uint32_t ports = 2; ports <= 16; ports *= 2) {
        for (uint32_t bits = 8; bits <= 32; bits *= 2)
            run(ports, bits, OPTINC_VARIANT_HALF_UP, ports == 4 ? 0 : 4100);
    }
    run(64, 8, OPTINC_VARIANT_HALF_UP, 300);
}

/* Precondition: any other number of bits. Identity: the same. */
static void half_up_any_bits(void **state)
{
    (void)state;
    for (uint32_t ports = 2; ports <= 64; ports *= 2)
        run(ports, 4, OPTINC_VARIANT_HALF_UP, 4100);
    for (uint32_t bits = 2; bits <= 30; bits += 2) {
        if (bits != 4 && bits != 8 && bits != 16)
            run(bits % 8 == 4 ? 4 : 8, bits, OPTINC_VARIANT_HALF_UP, 1025);
    }
}

/* Precondition: offsets keyed by element. Identity: r = floor((T + u) / N). */
static void stochastic(void **state)
{
    (void)state;
    for (uint32_t bits = 8; bits <= 32; bits *= 2)
        run(4, bits, OPTINC_VARIANT_STOCHASTIC, 0);
    run(4, 4, OPTINC_VARIANT_STOCHASTIC, 4100);
    run(64, 4, OPTINC_VARIANT_STOCHASTIC, 1025);
    run(8, 6, OPTINC_VARIANT_STOCHASTIC, 4100);
    run(64, 8, OPTINC_VARIANT_STOCHASTIC, 300);
}

/* Precondition: nothing is divided. Identity: r = T. */
static void residual(void **state)
{
    (void)state;
    run(4, 8, OPTINC_VARIANT_RESIDUAL, 4100);
    run(8, 8, OPTINC_VARIANT_RESIDUAL, 1025);
    run(16, 32, OPTINC_VARIANT_RESIDUAL, 1025);
}

/* Precondition: N = 4, B = 8, whose kernels average bytes without widening them. Identity: the
 * integer formula, for all 4-tuples of codes about the ends and the middle of the range. */
static void four_ports_of_bytes_all_roundings(void **state)
{
    static const uint8_t values[] = {0,   1,   2,   3,   4,   63,  64,  126,
                                     127, 128, 129, 191, 252, 253, 254, 255};
    const size_t count = 16 * 16 * 16 * 16;
    optinc_design *design = make_design(&(wish){.ports = {4}, .level_count = 1, .bits = 8});
    uint8_t *symbols = malloc(4 * count);
    uint8_t *result = malloc(count);

    (void)state;
    assert_non_null(symbols);
    assert_non_null(result);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t port = 0; port < 4; port++)
            symbols[port * count + i] = values[i >> (4 * port) & 15];
    }
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        optinc_switch_options options = {.thread_count = 1, .kernel = kernels[k]};
        optinc_switch *sw = NULL;

        if (!is_here(kernels[k]))
            continue;
        memset(result, 0xA5, count);
        assert_int_equal(optinc_switch_create(design, optinc_backend_exact(), &options, NULL, &sw),
                         OPTINC_OK);
        assert_int_equal(optinc_switch_reduce(sw, symbols, count, 4, count, NULL, result),
                         OPTINC_OK);
        for (size_t i = 0; i < count; i++) {
            int total =
                symbols[i] + symbols[count + i] + symbols[2 * count + i] + symbols[3 * count + i];

            assert_int_equal(result[i], (total + 2) / 4);
        }
        optinc_switch_destroy(&sw);
    }
    free(result);
    free(symbols);
    optinc_design_destroy(&design);
}

/* Precondition: a design that is not proved, a CPU without the kernel, missing arguments. Identity:
 * create refuses, each with its status. */
static void create_refuses(void **state)
{
    optinc_design *design =
        make_design(&(wish){.ports = {4}, .level_count = 1, .bits = 8, .wrong_every = 9});
    optinc_design *exact = make_design(&(wish){.ports = {4}, .level_count = 1, .bits = 8});
    optinc_switch *sw = (optinc_switch *)&design;
    optinc_switch_options options = {.thread_count = 5000};
    const optinc_backend *backend = optinc_backend_exact();

    (void)state;
    assert_int_equal(optinc_switch_create(design, backend, NULL, NULL, &sw), OPTINC_ERR_NOT_EXACT);
    assert_null(sw);
    assert_int_equal(optinc_switch_create(exact, backend, &options, NULL, &sw),
                     OPTINC_ERR_INVALID_ARGUMENT);
    options = (optinc_switch_options){.thread_count = 1, .kernel = (optinc_kernel)9};
    assert_int_equal(optinc_switch_create(exact, backend, &options, NULL, &sw),
                     OPTINC_ERR_UNSUPPORTED);
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        options.kernel = kernels[k];
        assert_int_equal(optinc_switch_create(exact, backend, &options, NULL, &sw),
                         is_here(kernels[k]) ? OPTINC_OK : OPTINC_ERR_UNSUPPORTED);
        optinc_switch_destroy(&sw);
    }
    assert_int_equal(optinc_switch_create(NULL, backend, NULL, NULL, &sw),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_switch_create(exact, NULL, NULL, NULL, &sw),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_switch_create(exact, backend, NULL, NULL, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    options = (optinc_switch_options){.thread_count = 0}; /* OpenMP's default */
    assert_int_equal(optinc_switch_create(exact, backend, &options, NULL, &sw), OPTINC_OK);
    optinc_switch_destroy(&sw);
    optinc_switch_destroy(NULL);
    optinc_design_destroy(&exact);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_up_bytes),
        cmocka_unit_test(half_up_any_bits),
        cmocka_unit_test(stochastic),
        cmocka_unit_test(residual),
        cmocka_unit_test(four_ports_of_bytes_all_roundings),
        cmocka_unit_test(create_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
