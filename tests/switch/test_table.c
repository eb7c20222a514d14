/* SPDX-License-Identifier: Apache-2.0 */
/* The backend table: perfect tables against integers, wrong ones against the case number. */
#include "switch/conformance.h"
#include "switch/designs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void run(uint32_t ports, uint32_t bits, optinc_variant variant)
{
    optinc_design *design = make_design(&(wish){
        .ports = {ports}, .level_count = 1, .bits = bits, .variant = variant, .with_tables = true});

    conformance_run(&(conformance){.design = design,
                                   .backend = optinc_backend_table(),
                                   .element_count_max = ports == 4 && bits == 8 ? 0 : 1025,
                                   .seed = 100 * ports + bits});
    optinc_design_destroy(&design);
}

/* Precondition: tables of the reference's answers. Identity: the integer oracle. */
static void perfect_tables(void **state)
{
    (void)state;
    for (uint32_t bits = 2; bits <= 12; bits += 2)
        run(2, bits, OPTINC_VARIANT_HALF_UP);
    for (uint32_t bits = 2; bits <= 10; bits += 2)
        run(4, bits, OPTINC_VARIANT_HALF_UP);
    run(8, 8, OPTINC_VARIANT_HALF_UP);
    run(64, 4, OPTINC_VARIANT_HALF_UP);
    run(2, 16, OPTINC_VARIANT_HALF_UP);
    run(4, 8, OPTINC_VARIANT_STOCHASTIC);
    run(8, 6, OPTINC_VARIANT_STOCHASTIC);
    run(4, 8, OPTINC_VARIANT_RESIDUAL);
    run(2, 16, OPTINC_VARIANT_RESIDUAL);
}

/* The case number by counting each digit over the ports. */
static uint64_t answer_by_case(const conformance *suite, const uint64_t *port_codes,
                               uint32_t port_count, const optinc_stream *stream, uint64_t element)
{
    const optinc_unit *unit = optinc_design_unit(suite->design, 0);
    uint64_t index = 0;

    (void)stream;
    (void)element;
    for (uint32_t j = unit->spec.bits_in / 2; j-- > 0;) {
        uint64_t sum = 0;

        for (uint32_t port = 0; port < unit->spec.ports; port++)
            sum += (port < port_count ? port_codes[port] : unit->spec.zero_code) >> (2 * j) & 3;
        index = index * (3 * unit->spec.ports + 1) + sum;
    }
    return unit->table[index];
}

/* Precondition: every third answer is off by one. Identity: the switch gives the table's answers,
 * errors included. */
static void wrong_tables(void **state)
{
    (void)state;
    for (uint32_t ports = 2; ports <= 8; ports *= 2) {
        for (uint32_t bits = 4; bits <= 8; bits += 2) {
            optinc_design *design = make_design(&(wish){.ports = {ports},
                                                        .level_count = 1,
                                                        .bits = bits,
                                                        .with_tables = true,
                                                        .wrong_every = 3});

            conformance_run(&(conformance){.design = design,
                                           .backend = optinc_backend_table(),
                                           .answer = answer_by_case,
                                           .element_count_max = 1025,
                                           .seed = ports + bits});
            optinc_design_destroy(&design);
        }
    }
}

/* Precondition: a design without a table. Identity: OPTINC_ERR_UNSUPPORTED. */
static void no_table_is_unsupported(void **state)
{
    optinc_design *design = make_design(&(wish){.ports = {4}, .level_count = 1, .bits = 8});
    optinc_switch *sw = (optinc_switch *)&design;

    (void)state;
    assert_int_equal(optinc_switch_create(design, optinc_backend_table(), NULL, NULL, &sw),
                     OPTINC_ERR_UNSUPPORTED);
    assert_null(sw);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perfect_tables),
        cmocka_unit_test(wrong_tables),
        cmocka_unit_test(no_table_is_unsupported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
