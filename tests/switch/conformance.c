/* SPDX-License-Identifier: Apache-2.0 */
#include "switch/conformance.h"

#include "base/philox.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define POISON 0xA5u
#define GUARD 64u /* bytes behind the result that must stay */
#define ELEMENT_COUNT_MAX 12345u
#define ELEMENT_FIRST 40u

typedef enum pattern { RANDOM, ALL_ZERO, ALL_MAX, ALL_EQUAL, EXTREMES, ZERO_CODES } pattern;

/* The ports of one message. Buffers have exactly the size they need, so that the sanitizers see
 * every access beyond them. */
typedef struct message {
    uint32_t port_count;
    size_t element_count;
    size_t stride;
    uint64_t *codes; /* [element_count][port_count] */
    uint8_t *symbols;
    size_t result_size;
    optinc_stream stream;
} message;

/* Bit by bit, little-endian: no code shared with the library. */
static void put_code(uint8_t *symbols, uint32_t bits, size_t element, uint64_t code)
{
    for (uint32_t bit = 0; bit < bits; bit++) {
        size_t at = element * bits + bit;

        symbols[at / 8] = (uint8_t)(symbols[at / 8] | ((code >> bit & 1) << at % 8));
    }
}

static uint64_t get_code(const uint8_t *symbols, uint32_t bits, size_t element)
{
    uint64_t code = 0;

    for (uint32_t bit = 0; bit < bits; bit++) {
        size_t at = element * bits + bit;

        code |= (uint64_t)(symbols[at / 8] >> at % 8 & 1) << bit;
    }
    return code;
}

static void *must_allocate(size_t size)
{
    void *memory = malloc(size);

    assert_non_null(memory);
    return memory;
}

static uint64_t code_of(const conformance *suite, pattern kind, uint32_t port, size_t element)
{
    optinc_spec flat = optinc_design_flat_spec(suite->design);
    uint64_t mask = (UINT64_C(1) << flat.bits_in) - 1;
    uint32_t word[4];

    oi_philox(suite->seed, kind, (uint64_t)element << 20 | port, OI_PURPOSE_TEST, word);
    switch (kind) {
    case ALL_ZERO:
        return 0;
    case ALL_MAX:
        return mask;
    case ZERO_CODES:
        return flat.zero_code;
    case EXTREMES:
        return word[0] & 1 ? mask : 0;
    case ALL_EQUAL:
        oi_philox(suite->seed, kind, element, OI_PURPOSE_TEST, word);
        break;
    case RANDOM:
        break;
    }
    return ((uint64_t)word[1] << 32 | word[0]) & mask;
}

static message make_message(const conformance *suite, pattern kind, uint32_t port_count,
                            size_t element_count)
{
    optinc_spec flat = optinc_design_flat_spec(suite->design);
    size_t size = (element_count * flat.bits_in + 7) / 8;
    message m = {.port_count = port_count,
                 .element_count = element_count,
                 .stride = port_count > 1 ? size + 3 : size, /* no port is aligned */
                 .result_size = (element_count * flat.bits_out + 7) / 8,
                 .stream = {suite->seed, 7, ELEMENT_FIRST}};

    m.codes = must_allocate(port_count * element_count * sizeof *m.codes + 1);
    m.symbols = must_allocate((port_count - 1) * m.stride + size + 1);
    memset(m.symbols, 0, (port_count - 1) * m.stride + size);
    for (size_t i = 0; i < element_count; i++) {
        for (uint32_t port = 0; port < port_count; port++) {
            uint64_t code = code_of(suite, kind, port, i);

            m.codes[i * port_count + port] = code;
            put_code(m.symbols + port * m.stride, flat.bits_in, i, code);
        }
    }
    return m;
}

static void free_message(message *m)
{
    free(m->codes);
    free(m->symbols);
}

uint64_t conformance_exact(const conformance *suite, const uint64_t *port_codes,
                           uint32_t port_count, const optinc_stream *stream, uint64_t element)
{
    optinc_spec flat = optinc_design_flat_spec(suite->design);
    unsigned __int128 divisor = (unsigned __int128)1 << flat.divisor_log2;
    unsigned __int128 total = (unsigned __int128)flat.zero_code * (flat.ports - port_count);

    for (uint32_t port = 0; port < port_count; port++)
        total += port_codes[port];
    if (flat.variant == OPTINC_VARIANT_HALF_UP)
        total += divisor / 2;
    if (flat.variant == OPTINC_VARIANT_STOCHASTIC)
        total += optinc_reference_offset(&flat, stream, element);
    return (uint64_t)(total / divisor);
}

static optinc_switch *make_switch(const conformance *suite, uint32_t thread_count)
{
    optinc_switch_options options = {.thread_count = thread_count,
                                     .kernel = suite->kernel,
                                     .backend_options = suite->backend_options};
    optinc_switch *sw = NULL;

    assert_int_equal(optinc_switch_create(suite->design, suite->backend, &options, NULL, &sw),
                     OPTINC_OK);
    assert_true(optinc_switch_design(sw) == suite->design);
    assert_string_equal(optinc_switch_backend_name(sw), suite->backend->name);
    return sw;
}

/* The whole message at once; the caller frees what comes back. */
static uint8_t *reduce_whole(optinc_switch *sw, const message *m)
{
    uint8_t *result = must_allocate(m->result_size + GUARD);

    memset(result, POISON, m->result_size + GUARD);
    assert_int_equal(optinc_switch_reduce(sw, m->symbols, m->stride, m->port_count,
                                          m->element_count, &m->stream, result),
                     OPTINC_OK);
    for (size_t i = 0; i < GUARD; i++)
        assert_int_equal(result[m->result_size + i], POISON);
    return result;
}

static void check_answers(const conformance *suite, const message *m, const uint8_t *result)
{
    uint32_t bits = optinc_design_flat_spec(suite->design).bits_out;

    for (size_t i = 0; !suite->noisy && i < m->element_count; i++) {
        uint64_t element = m->stream.element_first + i;
        const uint64_t *codes = &m->codes[i * m->port_count];
        uint64_t expected = (suite->answer ? suite->answer : conformance_exact)(
            suite, codes, m->port_count, &m->stream, element);
        uint64_t found = get_code(result, bits, i);

        if (found != expected)
            fail_msg("%s: element %zu of %zu, %u ports in use: found %" PRIu64
                     ", expected %" PRIu64,
                     suite->backend->name, i, m->element_count, m->port_count, found, expected);
    }
    for (size_t bit = m->element_count * bits; bit < 8 * m->result_size; bit++)
        assert_int_equal(result[bit / 8] >> bit % 8 & 1, 0); /* unused bits are zero */
}

static void check(const conformance *suite, optinc_switch *sw, pattern kind, uint32_t port_count,
                  size_t element_count)
{
    message m = make_message(suite, kind, port_count, element_count);
    uint8_t *result = reduce_whole(sw, &m);
    uint8_t *again = reduce_whole(sw, &m);

    check_answers(suite, &m, result);
    assert_memory_equal(result, again, m.result_size);
    free(again);
    free(result);
    free_message(&m);
}

static size_t limit(const conformance *suite, size_t element_count)
{
    size_t max = suite->element_count_max ? suite->element_count_max : ELEMENT_COUNT_MAX;

    return element_count < max ? element_count : max;
}

/* Identity: the switch gives the oracle's code for every element count about the widths of vectors
 * and the size of batches. */
static void check_sizes(const conformance *suite)
{
    static const size_t sizes[] = {0,
                                   1,
                                   2,
                                   3,
                                   4,
                                   5,
                                   7,
                                   8,
                                   15,
                                   16,
                                   17,
                                   31,
                                   32,
                                   33,
                                   63,
                                   64,
                                   65,
                                   127,
                                   255,
                                   256,
                                   257,
                                   1023,
                                   1024,
                                   1025,
                                   4095,
                                   4096,
                                   4097,
                                   4100,
                                   8191,
                                   8192,
                                   ELEMENT_COUNT_MAX};
    optinc_switch *sw = make_switch(suite, 1);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (limit(suite, sizes[i]) == sizes[i])
            check(suite, sw, RANDOM, optinc_design_ports(suite->design), sizes[i]);
    }
    optinc_switch_destroy(&sw);
    assert_null(sw);
    optinc_switch_destroy(&sw);
}

/* Identity: the same for codes at the ends of their range, and for every number of ports in use. */
static void check_patterns(const conformance *suite)
{
    static const pattern kinds[] = {ALL_ZERO, ALL_MAX, ALL_EQUAL, EXTREMES, ZERO_CODES};
    uint32_t ports = optinc_design_ports(suite->design);
    optinc_switch *sw = make_switch(suite, 1);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check(suite, sw, kinds[i], ports, limit(suite, 333));
    for (uint32_t used = 1; used < ports; used++) {
        check(suite, sw, RANDOM, used, limit(suite, 101));
        check(suite, sw, EXTREMES, used, limit(suite, 101));
    }
    optinc_switch_destroy(&sw);
}

/* Identity: any thread count and any cut at multiples of 4 elements gives the bits of one thread
 * and one piece. */
static void check_threads_and_chunks(const conformance *suite)
{
    static const uint32_t threads[] = {1, 2, 4};
    static const size_t chunks[] = {4, 12, 1000, 4096, 5000};
    optinc_spec flat = optinc_design_flat_spec(suite->design);
    message m = make_message(suite, RANDOM, flat.ports > 2 ? flat.ports - 1 : flat.ports,
                             limit(suite, ELEMENT_COUNT_MAX));
    optinc_switch *sw = make_switch(suite, 1);
    uint8_t *expected = reduce_whole(sw, &m);

    optinc_switch_destroy(&sw);
    check_answers(suite, &m, expected);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        uint8_t *result;

        sw = make_switch(suite, threads[t]);
        result = reduce_whole(sw, &m);
        assert_memory_equal(result, expected, m.result_size);
        for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
            memset(result, POISON, m.result_size + GUARD);
            for (size_t first = 0; first < m.element_count; first += chunks[c]) {
                size_t left = m.element_count - first;
                optinc_stream stream = m.stream;

                stream.element_first += first;
                assert_int_equal(optinc_switch_reduce(sw, m.symbols + first * flat.bits_in / 8,
                                                      m.stride, m.port_count,
                                                      left < chunks[c] ? left : chunks[c], &stream,
                                                      result + first * flat.bits_out / 8),
                                 OPTINC_OK);
            }
            assert_memory_equal(result, expected, m.result_size);
        }
        free(result);
        optinc_switch_destroy(&sw);
    }
    free(expected);
    free_message(&m);
}

/* Identity: a call with an argument out of its range is refused and writes nothing. */
static void check_refusals(const conformance *suite)
{
    uint32_t ports = optinc_design_ports(suite->design);
    message m = make_message(suite, RANDOM, ports, limit(suite, 64));
    optinc_switch *sw = make_switch(suite, 1);
    optinc_stream odd = {.element_first = 2};
    uint8_t *result = must_allocate(m.result_size);

    memset(result, POISON, m.result_size);
#define REFUSED(symbols, stride, used, stream, out)                                                \
    assert_int_equal(                                                                              \
        optinc_switch_reduce(sw, symbols, stride, used, m.element_count, stream, out),             \
        OPTINC_ERR_INVALID_ARGUMENT)
    REFUSED(m.symbols, m.stride, 0, NULL, result);
    REFUSED(m.symbols, m.stride, ports + 1, NULL, result);
    REFUSED(m.symbols, m.stride - 4, ports, NULL, result);
    REFUSED(m.symbols, m.stride, ports, &odd, result);
    REFUSED(NULL, m.stride, ports, NULL, result);
    REFUSED(m.symbols, m.stride, ports, NULL, NULL);
#undef REFUSED
    assert_int_equal(
        optinc_switch_reduce(NULL, m.symbols, m.stride, ports, m.element_count, NULL, result),
        OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_switch_reduce(sw, m.symbols, SIZE_MAX, ports, SIZE_MAX, NULL, result),
                     OPTINC_ERR_OVERFLOW);
    for (size_t i = 0; i < m.result_size; i++)
        assert_int_equal(result[i], POISON);
    assert_int_equal(optinc_switch_reduce(sw, NULL, 0, 1, 0, NULL, NULL), OPTINC_OK);
    free(result);
    optinc_switch_destroy(&sw);
    free_message(&m);
}

void conformance_run(const conformance *suite)
{
    check_sizes(suite);
    check_patterns(suite);
    check_threads_and_chunks(suite);
    check_refusals(suite);
}
