/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: constructed units are exact (test_construct). Identity: the backend onn returns, bit
 * for bit, floor((sum of the ports' codes + offset) / D), idle ports sending the zero code, however a
 * message is cut. */
#include "oracle.h"

#include "base/memory.h"

#include <string.h>

#define ELEMENTS 301u

/* One run of the backend over elements [first, first + count) of the message, into packed result. */
static void run(const optinc_unit *unit, optinc_kernel kernel, const uint8_t *symbols,
                size_t stride, uint32_t port_count, size_t first, size_t count, uint8_t *result)
{
    const optinc_backend *backend = optinc_backend_onn();
    optinc_switch_options options = {.kernel = kernel};
    void *backend_state = NULL;
    uint8_t *scratch;
    optinc_batch batch;
    size_t size;

    assert_int_equal(backend->create(unit, &options, NULL, &backend_state), OPTINC_OK);
    size = backend->scratch_size(backend_state);
    scratch = oi_allocate(size, 1);
    assert_non_null(scratch);
    memset(scratch, 0xA5, size);
    batch = (optinc_batch){.symbols = symbols + first * unit->spec.bits_in / 8,
                           .port_stride_bytes = stride,
                           .port_count = port_count,
                           .result = result + first * unit->spec.bits_out / 8,
                           .element_count = count,
                           .stream = {.seed = 11, .step = 5, .element_first = 1000 + first},
                           .scratch = scratch};
    assert_int_equal(backend->reduce(backend_state, &batch), OPTINC_OK);
    oi_free(scratch);
    backend->destroy(backend_state);
}

static void check_spec(const optinc_spec *spec, uint32_t port_count)
{
    const optinc_stream stream = {.seed = 11, .step = 5};
    optinc_design *design = NULL;
    const optinc_unit *unit;
    size_t stride = oracle_packed_size(spec->bits_in, ELEMENTS) + 3;
    size_t result_size = oracle_packed_size(spec->bits_out, ELEMENTS);
    uint8_t *symbols = calloc(port_count + 1, stride);
    uint8_t *result = malloc(result_size + 1), *pieces = malloc(result_size + 1);
    uint64_t *codes = calloc(ELEMENTS, sizeof *codes);
    uint64_t *totals = calloc(ELEMENTS, sizeof *totals);
    uint64_t random = spec->ports + spec->bits_in;
    uint64_t below = ((uint64_t)1 << spec->divisor_log2) / spec->ports;
    uint64_t code_max = ((uint64_t)1 << spec->bits_in) - 1;

    if (below > 1)
        code_max = below * (((uint64_t)1 << spec->bits_out) - 1);
    for (uint32_t port = 0; port < spec->ports; port++) {
        for (uint32_t e = 0; e < ELEMENTS; e++) {
            codes[e] = ((uint64_t)oracle_random(&random, 1u << 30) << 30) +
                       oracle_random(&random, 1u << 30);
            codes[e] = port < port_count ? codes[e] % (code_max + 1) : spec->zero_code;
            totals[e] += codes[e];
        }
        if (port < port_count)
            oracle_pack(spec->bits_in, codes, ELEMENTS, symbols + port * stride);
    }
    for (uint32_t e = 0; e < ELEMENTS; e++) {
        uint64_t divisor = (uint64_t)1 << spec->divisor_log2, offset = divisor / 2;

        if (spec->variant == OPTINC_VARIANT_STOCHASTIC)
            offset = optinc_reference_offset(spec, &stream, 1000 + e);
        totals[e] = (totals[e] + offset) / divisor;
    }
    assert_int_equal(optinc_construct(spec, NULL, NULL, &design), OPTINC_OK);
    unit = optinc_design_unit(design, 0);
    for (optinc_kernel kernel = OPTINC_KERNEL_AUTO; kernel <= OPTINC_KERNEL_PLAIN; kernel++) {
        memset(result, 0xA5, result_size + 1);
        run(unit, kernel, symbols, stride, port_count, 0, ELEMENTS, result);
        assert_int_equal(result[result_size], 0xA5);
        oracle_unpack(spec->bits_out, result, ELEMENTS, codes);
        assert_memory_equal(codes, totals, ELEMENTS * sizeof *codes);
    }
    memset(pieces, 0xA5, result_size + 1);
    for (size_t first = 0, count; first < ELEMENTS; first += count) {
        count = first + 68 < ELEMENTS ? 68 : ELEMENTS - first;
        run(unit, OPTINC_KERNEL_AUTO, symbols, stride, port_count, first, count, pieces);
    }
    assert_memory_equal(pieces, result, result_size + 1);
    optinc_design_destroy(&design);
    free(symbols);
    free(result);
    free(pieces);
    free(codes);
    free(totals);
}

static void test_single_switches(void **state)
{
    const uint32_t ports[] = {2, 4, 8, 64}, bits[] = {2, 6, 8, 14, 16, 32};

    (void)state;
    for (uint32_t n = 0; n < 4; n++)
        for (uint32_t b = 0; b < 6; b++)
            for (uint32_t v = 0; v < 3; v++) {
                optinc_spec spec;

                assert_int_equal(
                    optinc_spec_single(ports[n], bits[b], (optinc_variant)v, NULL, &spec),
                    OPTINC_OK);
                check_spec(&spec, ports[n]);
                check_spec(&spec, ports[n] - 1);
                check_spec(&spec, 0);
            }
}

static void test_cascade_tops(void **state)
{
    optinc_spec spec = {.ports = 4,
                        .bits_in = 10,
                        .bits_out = 8,
                        .divisor_log2 = 4,
                        .variant = OPTINC_VARIANT_HALF_UP,
                        .zero_code = 512};

    (void)state;
    check_spec(&spec, 4);
    check_spec(&spec, 3);
    spec.variant = OPTINC_VARIANT_STOCHASTIC;
    check_spec(&spec, 4);
}

static void test_bad_batches(void **state)
{
    const optinc_backend *backend = optinc_backend_onn();
    optinc_switch_options options = {.kernel = (optinc_kernel)99};
    optinc_design *design = NULL;
    optinc_unit unit;
    optinc_spec spec;
    void *backend_state = &unit;
    optinc_batch batch = {.port_count = 5};

    (void)state;
    assert_string_equal(backend->name, "onn");
    assert_int_equal(optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, NULL, NULL, &design), OPTINC_OK);
    unit = *optinc_design_unit(design, 0);
    assert_int_equal(backend->create(&unit, &options, NULL, &backend_state),
                     OPTINC_ERR_UNSUPPORTED);
    assert_null(backend_state);
    assert_int_equal(backend->create(&unit, NULL, NULL, &backend_state), OPTINC_OK);
    assert_int_equal(backend->reduce(backend_state, &batch), OPTINC_ERR_INVALID_ARGUMENT);
    backend->destroy(backend_state);
    unit.layer_count = 0;
    assert_int_equal(backend->create(&unit, NULL, NULL, &backend_state), OPTINC_ERR_UNSUPPORTED);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_switches),
        cmocka_unit_test(test_cascade_tops),
        cmocka_unit_test(test_bad_batches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
