/* SPDX-License-Identifier: Apache-2.0 */
/* Cascades: a tree of switches gives the bits of one flat switch of all its ports. */
#include "switch/conformance.h"
#include "switch/designs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const wish wishes[] = {
    {.ports = {2, 2}, .level_count = 2, .bits = 4},
    {.ports = {4, 4}, .level_count = 2, .bits = 8},
    {.ports = {2, 4}, .level_count = 2, .bits = 6},
    {.ports = {8, 2}, .level_count = 2, .bits = 4},
    {.ports = {2, 2, 2}, .level_count = 3, .bits = 4},
    {.ports = {2, 2}, .level_count = 2, .bits = 8, .variant = OPTINC_VARIANT_STOCHASTIC},
    {.ports = {2, 2}, .level_count = 2, .bits = 6, .variant = OPTINC_VARIANT_RESIDUAL},
};

#define WISH_COUNT (sizeof wishes / sizeof *wishes)

/* Precondition: exact trees. Identity: the integer oracle of one flat switch; once as the flat
 * switch that the library makes of them, once level by level, as which a copy of the backend under
 * its own name is run. */
static void exact_trees(void **state)
{
    optinc_backend by_level = *optinc_backend_exact();

    (void)state;
    by_level.name = "exact, level by level";
    for (size_t i = 0; i < WISH_COUNT; i++) {
        optinc_design *design = make_design(&wishes[i]);
        conformance suite = {.design = design, .element_count_max = 4100, .seed = i};

        suite.backend = optinc_backend_exact();
        conformance_run(&suite);
        suite.backend = &by_level;
        conformance_run(&suite);
        optinc_design_destroy(&design);
    }
}

/* Precondition: a tree of 3 levels of 4 and B = 8, 64 servers. Identity: as above. */
static void exact_tree_of_64_servers(void **state)
{
    optinc_backend by_level = *optinc_backend_exact();
    optinc_design *design = make_design(&(wish){.ports = {4, 4, 4}, .level_count = 3, .bits = 8});

    (void)state;
    assert_int_equal(optinc_design_ports(design), 64);
    by_level.name = "exact, level by level";
    conformance_run(&(conformance){
        .design = design, .backend = optinc_backend_exact(), .element_count_max = 257});
    conformance_run(
        &(conformance){.design = design, .backend = &by_level, .element_count_max = 257});
    optinc_design_destroy(&design);
}

/* Precondition: tables of the reference's answers on every level. Identity: the same oracle. */
static void perfect_table_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < WISH_COUNT; i++) {
        wish with_tables = wishes[i];
        optinc_design *design;

        with_tables.with_tables = true;
        design = make_design(&with_tables);
        conformance_run(&(conformance){.design = design,
                                       .backend = optinc_backend_table(),
                                       .element_count_max = 1025,
                                       .seed = i});
        optinc_design_destroy(&design);
    }
}

/* One switch of the tree by its table: unit number `unit` of a level. Idle ports send zero_code. */
static uint64_t answer_of_unit(const conformance *suite, uint32_t level, uint32_t unit,
                               const uint64_t *port_codes, uint32_t port_count)
{
    const optinc_unit *at = optinc_design_unit(suite->design, level);
    uint32_t servers = 1; /* below one port of this level */
    uint64_t weights[24];
    uint64_t index = 0;

    for (uint32_t below = 0; below < level; below++)
        servers *= optinc_design_unit(suite->design, below)->spec.ports;
    weights[0] = 1;
    for (uint32_t j = 1; j < at->spec.bits_in / 2; j++)
        weights[j] = weights[j - 1] * (3 * at->spec.ports + 1);
    for (uint32_t port = 0; port < at->spec.ports; port++) {
        uint32_t child = unit * at->spec.ports + port;
        uint64_t code = at->spec.zero_code;

        if (child * servers < port_count)
            code = level == 0 ? port_codes[child]
                              : answer_of_unit(suite, level - 1, child, port_codes, port_count);
        for (uint32_t j = 0; j < at->spec.bits_in / 2; j++)
            index += (code >> (2 * j) & 3) * weights[j];
    }
    return at->table[index];
}

static uint64_t answer_by_tables(const conformance *suite, const uint64_t *port_codes,
                                 uint32_t port_count, const optinc_stream *stream, uint64_t element)
{
    (void)stream;
    (void)element;
    return answer_of_unit(suite, optinc_design_level_count(suite->design) - 1, 0, port_codes,
                          port_count);
}

/* Precondition: every fifth answer of every table is off by one. Identity: the errors of the lower
 * switches reach the upper ones as the test's own walk through the tree says. */
static void wrong_table_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < WISH_COUNT; i++) {
        wish wrong = wishes[i];
        optinc_design *design;

        if (wrong.variant == OPTINC_VARIANT_STOCHASTIC)
            continue;
        wrong.with_tables = true;
        wrong.wrong_every = 5;
        design = make_design(&wrong);
        conformance_run(&(conformance){.design = design,
                                       .backend = optinc_backend_table(),
                                       .answer = answer_by_tables,
                                       .element_count_max = 1025,
                                       .seed = i});
        optinc_design_destroy(&design);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_trees),
        cmocka_unit_test(exact_tree_of_64_servers),
        cmocka_unit_test(perfect_table_trees),
        cmocka_unit_test(wrong_table_trees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
