/* SPDX-License-Identifier: Apache-2.0 */
/* The design as an object: deep copies, what is refused, the checksum, CRC-64/XZ. */
#include "design/crc64.h"
#include "design/make_design.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Precondition: none. Identity: CRC-64/XZ of "123456789" is the catalogue's check value, and
 * cutting the data into pieces changes nothing; bit-by-bit division is the oracle. */
static void crc64_matches_catalogue_and_bitwise_division(void **state)
{
    uint8_t data[1031];
    oi_crc64 crc;

    (void)state;
    oi_crc64_begin(&crc);
    oi_crc64_update(&crc, "123456789", 9);
    assert_true(oi_crc64_end(&crc) == UINT64_C(0x995DC9BBDF1939FA));
    oi_crc64_begin(&crc);
    assert_true(oi_crc64_end(&crc) == 0);

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i + 7 * i);
    for (size_t cut = 0; cut < 40; cut++) {
        uint64_t expected = UINT64_MAX;

        for (size_t i = 0; i < sizeof data; i++) {
            expected ^= data[i];
            for (int bit = 0; bit < 8; bit++)
                expected = (expected >> 1) ^ ((expected & 1) ? UINT64_C(0xC96C5795D7870F42) : 0);
        }
        oi_crc64_begin(&crc);
        oi_crc64_update(&crc, data, cut);
        oi_crc64_update(&crc, data + cut, sizeof data - cut);
        assert_true(oi_crc64_end(&crc) == ~expected);
    }
}

/* Precondition: the caller's buffers change after create. Identity: the design does not. */
static void create_copies_everything(void **state)
{
    sample s;
    sample same;
    optinc_design *design = NULL;
    const optinc_unit *unit;

    (void)state;
    sample_fill(&s);
    sample_fill(&same);
    assert_int_equal(optinc_design_create(s.units, 2, NULL, &design), OPTINC_OK);
    memset(&s, 0xA5, sizeof s);

    assert_int_equal(optinc_design_level_count(design), 2);
    assert_int_equal(optinc_design_ports(design), 4);
    assert_int_equal(optinc_design_bits(design), 2);
    assert_false(optinc_design_exact(design));
    assert_null(optinc_design_unit(design, 2));
    unit = optinc_design_unit(design, 0);
    assert_int_equal(unit->spec.bits_out, 4);
    assert_true(unit->seed == UINT64_MAX);
    assert_memory_equal(unit->inputs, same.inputs, sizeof same.inputs);
    assert_int_equal(unit->layer_count, 2);
    assert_int_equal(unit->layers[0].rows, SAMPLE_WIDTH);
    assert_int_equal(unit->layers[0].segment_side, 1);
    assert_memory_equal(unit->layers[0].weight, same.weight0, sizeof same.weight0);
    assert_memory_equal(unit->layers[0].bias, same.bias0, sizeof same.bias0);
    assert_memory_equal(unit->layers[1].weight, same.weight1, sizeof same.weight1);
    assert_memory_equal(unit->layers[1].bias, same.bias1, sizeof same.bias1);
    assert_memory_equal(unit->table, same.table0, sizeof same.table0);
    assert_memory_equal(optinc_design_unit(design, 1)->table, same.table1, sizeof same.table1);

    optinc_design_destroy(&design);
    assert_null(design);
    optinc_design_destroy(&design);
    optinc_design_destroy(NULL);
}

/* Precondition: a 2 x 2 tree. Identity: as one flat switch it has 4 ports and divides by 4. */
static void flat_spec_is_the_whole_tree(void **state)
{
    sample s;
    optinc_design *design = NULL;
    optinc_spec flat;

    (void)state;
    sample_fill(&s);
    assert_int_equal(optinc_design_create(s.units, 2, NULL, &design), OPTINC_OK);
    flat = optinc_design_flat_spec(design);
    assert_int_equal(flat.ports, 4);
    assert_int_equal(flat.bits_in, 2);
    assert_int_equal(flat.bits_out, 2);
    assert_int_equal(flat.divisor_log2, 2);
    assert_int_equal(flat.variant, OPTINC_VARIANT_HALF_UP);
    assert_int_equal(flat.zero_code, 2);
    optinc_design_destroy(&design);
}

static uint64_t checksum_of(const sample *s)
{
    optinc_design *design = NULL;
    uint64_t checksum;

    assert_int_equal(optinc_design_create(s->units, 2, NULL, &design), OPTINC_OK);
    checksum = optinc_design_checksum(design);
    optinc_design_destroy(&design);
    return checksum;
}

/* Precondition: designs that differ in one field. Identity: equal checksums if and only if no
 * result can differ. */
static void checksum_covers_what_determines_results(void **state)
{
    sample s;
    uint64_t checksum;

    (void)state;
    sample_fill(&s);
    checksum = checksum_of(&s);
    assert_true(checksum_of(&s) == checksum);
    s.units[0].seed = 7;
    s.units[0].gap = 0.25;
    s.units[0].method = OPTINC_METHOD_CONSTRUCTED;
    s.units[0].proof.cases = UINT64_MAX - 1;
    assert_true(checksum_of(&s) == checksum);

#define DIFFERS(change)                                                                            \
    do {                                                                                           \
        sample_fill(&s);                                                                           \
        change;                                                                                    \
        assert_true(checksum_of(&s) != checksum);                                                  \
    } while (0)
    DIFFERS(s.weight0[4] = nextafter(s.weight0[4], 2.0));
    DIFFERS(s.bias1[1] = 0.0); /* was -0.0 */
    DIFFERS(s.layers[0].activation = OPTINC_ACTIVATION_RELU);
    DIFFERS((s.layers[0].mapping = OPTINC_MAPPING_SVD, s.layers[0].segment_side = 0));
    DIFFERS(s.layers[0].segment_side = 2);
    DIFFERS(s.inputs[0].scale = 1.0);
    DIFFERS(s.table0[6] = 5);
    DIFFERS(s.table1[0] = 1);
    DIFFERS((s.units[1].table = NULL, s.units[1].table_count = 0));
    DIFFERS(s.units[1].spec.variant = OPTINC_VARIANT_STOCHASTIC; s.units[1].table = NULL);
#undef DIFFERS
}

typedef struct heard {
    int count;
    char last[512];
} heard;

static void hear(void *user, optinc_log_level level, const char *message)
{
    heard *h = user;

    assert_int_equal(level, OPTINC_LOG_ERROR);
    h->count++;
    snprintf(h->last, sizeof h->last, "%s", message);
}

/* Precondition: a valid design with one thing wrong. Identity: refused, the field is named, and the
 * out pointer is NULL. */
static void create_refuses_what_does_not_fit(void **state)
{
    heard h = {0};
    optinc_log log = {.write = hear, .user = &h};
    sample s;
    optinc_design *design;

    (void)state;
#define REFUSED(change, field)                                                                     \
    do {                                                                                           \
        sample_fill(&s);                                                                           \
        change;                                                                                    \
        design = (optinc_design *)&s;                                                              \
        h.last[0] = '\0';                                                                          \
        assert_true(optinc_design_create(s.units, 2, &log, &design) < 0);                          \
        assert_null(design);                                                                       \
        if (!strstr(h.last, field))                                                                \
            fail_msg("message \"%s\" does not name %s", h.last, field);                            \
    } while (0)
    REFUSED(s.units[0].spec.ports = 3, "design: levels.0.spec: ports is 3");
    REFUSED(s.units[0].spec.variant = OPTINC_VARIANT_HALF_UP, "levels.0.spec.variant");
    REFUSED(s.units[0].spec.bits_out = 6; s.units[0].layer_count = 0, "levels.1.spec.bits_in");
    REFUSED((s.units[0].spec.bits_in = 4, s.units[0].spec.bits_out = 6, s.units[0].layer_count = 0,
             s.units[0].table = NULL, s.units[1].spec.bits_in = 6, s.units[1].spec.divisor_log2 = 3,
             s.units[1].table = NULL),
            "levels: found results up to 8");
    REFUSED(s.units[1].spec.zero_code = 3, "levels.1.spec.zero_code");
    REFUSED(s.units[0].method = (optinc_method)2, "levels.0.method");
    REFUSED(s.units[0].gap = NAN, "levels.0.gap");
    REFUSED(s.units[0].gap = 1.0, "levels.0.gap");
    REFUSED(s.units[0].inputs = NULL, "levels.0.inputs");
    REFUSED(s.units[0].input_count = 257, "levels.0.inputs");
    REFUSED(s.inputs[0].digit_first = 1, "levels.0.inputs[0]");
    REFUSED(s.inputs[0].digit_count = 2, "levels.0.inputs[0]");
    REFUSED(s.inputs[0].digit_count = 0, "levels.0.inputs[0]");
    REFUSED(s.inputs[0].scale = INFINITY, "levels.0.inputs[0].scale");
    REFUSED(s.units[0].layer_count = 257, "levels.0.layers");
    REFUSED(s.units[0].layers = NULL, "levels.0.layers");
    REFUSED(s.layers[0].cols = 2, "levels.0.layers.0");
    REFUSED(s.layers[1].cols = 4, "levels.0.layers.1");
    REFUSED(s.layers[1].rows = 1, "levels.0.layers.1");
    REFUSED(s.layers[0].rows = 0, "levels.0.layers.0");
    REFUSED(s.layers[0].rows = OPTINC_LAYER_SIDE_MAX + 1, "levels.0.layers.0");
    REFUSED(s.layers[0].activation = (optinc_activation)3, "levels.0.layers.0.activation");
    REFUSED(s.layers[1].activation = OPTINC_ACTIVATION_RELU, "levels.0.layers.1.activation");
    REFUSED(s.layers[0].mapping = (optinc_mapping)-1, "levels.0.layers.0.mapping");
    REFUSED(s.layers[0].segment_side = 0, "levels.0.layers.0.segment_side");
    REFUSED(s.layers[0].segment_side = SAMPLE_WIDTH + 1, "levels.0.layers.0.segment_side");
    REFUSED(s.layers[1].segment_side = 1, "levels.0.layers.1.segment_side");
    REFUSED(s.weight1[9] = NAN, "levels.0.layers.1.weight[9]");
    REFUSED(s.bias0[4] = -INFINITY, "levels.0.layers.0.bias[4]");
    REFUSED(s.layers[0].bias = NULL, "levels.0.layers.0");
    REFUSED(s.units[1].table_count = 48, "levels.1.table");
    REFUSED(s.table1[48] = 4, "levels.1.table[48]");
    REFUSED(s.units[1].proof.kind = (optinc_proof_kind)4, "levels.1.proof.kind");
    REFUSED(s.units[1].proof.kind = OPTINC_PROOF_SAMPLED, "levels.1.proof.exact");
    REFUSED(s.units[1].proof.errors = 1, "levels.1.proof.exact");
    REFUSED(s.units[1].proof.errors = 50, "levels.1.proof.errors");
    REFUSED(s.units[1].proof.margin_min = INFINITY, "levels.1.proof.margin_min");
    REFUSED(s.units[1].proof.error_bound = 1.5, "levels.1.proof.error_bound");
#undef REFUSED
    sample_fill(&s);
    assert_int_equal(optinc_design_create(s.units, 0, &log, &design), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_create(s.units, 9, &log, &design), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_create(NULL, 1, &log, &design), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_create(s.units, 2, NULL, NULL), OPTINC_ERR_INVALID_ARGUMENT);
}

/* Precondition: a design in use. Identity: set_proof and set_table replace, or refuse and leave. */
static void proof_and_table_are_replaced(void **state)
{
    sample s;
    optinc_design *design = NULL;
    optinc_proof proof = {.kind = OPTINC_PROOF_COMPOSITIONAL,
                          .exact = true,
                          .cases = 7,
                          .margin_min = 0.25,
                          .error_bound = NAN};
    uint64_t checksum;
    uint32_t table[8] = {6, 5, 4, 3, 2, 1, 0, 0};

    (void)state;
    sample_fill(&s);
    assert_int_equal(optinc_design_create(s.units, 2, NULL, &design), OPTINC_OK);
    checksum = optinc_design_checksum(design);
    assert_int_equal(optinc_design_set_proof(design, 0, &proof), OPTINC_OK);
    assert_true(optinc_design_exact(design));
    assert_true(optinc_design_checksum(design) == checksum);
    proof.errors = 1;
    assert_int_equal(optinc_design_set_proof(design, 0, &proof), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_design_unit(design, 0)->proof.errors, 0);
    assert_int_equal(optinc_design_set_proof(design, 2, &s.units[1].proof),
                     OPTINC_ERR_INVALID_ARGUMENT);

    assert_int_equal(optinc_design_set_table(design, 0, table, 8), OPTINC_ERR_INVALID_ARGUMENT);
    assert_memory_equal(optinc_design_unit(design, 0)->table, s.table0, sizeof s.table0);
    assert_int_equal(optinc_design_set_table(design, 0, table, 7), OPTINC_OK);
    assert_memory_equal(optinc_design_unit(design, 0)->table, table, 7 * sizeof *table);
    assert_true(optinc_design_checksum(design) != checksum);
    assert_int_equal(optinc_design_set_table(design, 0, s.table0, 7), OPTINC_OK);
    assert_true(optinc_design_checksum(design) == checksum);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc64_matches_catalogue_and_bitwise_division),
        cmocka_unit_test(create_copies_everything),
        cmocka_unit_test(flat_spec_is_the_whole_tree),
        cmocka_unit_test(checksum_covers_what_determines_results),
        cmocka_unit_test(create_refuses_what_does_not_fit),
        cmocka_unit_test(proof_and_table_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
