/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the tree. Identity: the result is floor((T' + D/2) / D), where the test itself adds up T'
 * port by port: a server's code if it is live, 2^(B-1) if its port is idle, 0 if it is dark. */
#include "optinc/switch.h"

#include "switch/designs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ELEMENTS = 4100, PORTS_MAX = 64 };

static const wish wishes[] = {
    {.ports = {4}, .level_count = 1, .bits = 8, .with_tables = true},
    {.ports = {4, 4}, .level_count = 2, .bits = 8, .with_tables = true},
    {.ports = {2, 4}, .level_count = 2, .bits = 6, .with_tables = true},
    {.ports = {2, 2, 2}, .level_count = 3, .bits = 4, .with_tables = true},
    {.ports = {2, 2},
     .level_count = 2,
     .bits = 6,
     .variant = OPTINC_VARIANT_RESIDUAL,
     .with_tables = true},
};

#define WISH_COUNT (sizeof wishes / sizeof *wishes)

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Servers below a switch of a level of w. */
static uint32_t servers_below(const wish *w, uint32_t level)
{
    uint32_t servers = 1;

    for (uint32_t l = 0; l <= level; l++)
        servers *= w->ports[l];
    return servers;
}

static bool is_listed(const uint32_t *list, uint32_t count, uint32_t port)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == port)
            return true;
    return false;
}

/* What port `port` adds to T when its server would send `code`, by the words of faults.h. */
static uint64_t share_of(const wish *w, const optinc_faults *f, uint32_t used, uint32_t port,
                         uint64_t code)
{
    bool is_dark = is_listed(f->dark_ports, f->dark_count, port);

    for (uint32_t i = 0; i < f->failed_count; i++)
        is_dark |= port / servers_below(w, f->failed[i].level) == f->failed[i].index;
    if (is_dark && f->action != OPTINC_FAULT_RESCALE)
        return 0;
    if (is_dark || port >= used || is_listed(f->left_ports, f->left_count, port))
        return UINT64_C(1) << (w->bits - 1);
    return code;
}

typedef struct run {
    const wish *w;
    const optinc_design *design;
    uint32_t used;
    uint8_t *symbols;
    size_t stride;
    uint64_t codes[PORTS_MAX][ELEMENTS];
} run;

/* Codes as the codec makes them: 1 .. 2^B-1. */
static run *make_run(const wish *w, const optinc_design *design, uint32_t used, uint64_t seed)
{
    run *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->w = w;
    r->design = design;
    r->used = used;
    r->stride = optinc_symbols_size(w->bits, ELEMENTS) + 3;
    r->symbols = calloc(used, r->stride);
    assert_non_null(r->symbols);
    for (uint32_t port = 0; port < used; port++) {
        for (uint32_t e = 0; e < ELEMENTS; e++)
            r->codes[port][e] = 1 + next(&seed) % ((UINT64_C(1) << w->bits) - 1);
        assert_int_equal(
            optinc_symbols_pack(w->bits, r->codes[port], ELEMENTS, r->symbols + port * r->stride),
            OPTINC_OK);
    }
    return r;
}

static void free_run(run *r)
{
    free(r->symbols);
    free(r);
}

static optinc_status reduce(const run *r, const optinc_backend *backend, const optinc_faults *f,
                            uint32_t threads, uint64_t *answers, optinc_place *dark)
{
    const optinc_switch_options options = {.thread_count = threads, .faults = f};
    uint32_t bits_out = optinc_design_flat_spec(r->design).bits_out;
    uint8_t *result = malloc(optinc_symbols_size(bits_out, ELEMENTS));
    optinc_switch *sw = NULL;
    optinc_status status;

    assert_non_null(result);
    memset(result, 0xA5, optinc_symbols_size(bits_out, ELEMENTS));
    assert_int_equal(optinc_switch_create(r->design, backend, &options, NULL, &sw), OPTINC_OK);
    status = optinc_switch_reduce(sw, r->symbols, r->stride, r->used, ELEMENTS, NULL, result);
    assert_int_equal(optinc_switch_dark_at(sw, dark), status == OPTINC_ERR_DARK);
    assert_int_equal(optinc_symbols_unpack(bits_out, result, ELEMENTS, answers), OPTINC_OK);
    optinc_switch_destroy(&sw);
    free(result);
    return status;
}

static void check(const run *r, const optinc_faults *f)
{
    const optinc_backend *backends[] = {optinc_backend_exact(), optinc_backend_table()};
    optinc_spec flat = optinc_design_flat_spec(r->design);
    uint64_t divisor = UINT64_C(1) << flat.divisor_log2, answers[ELEMENTS];
    optinc_fault_effect effect;
    optinc_place dark;

    assert_int_equal(optinc_faults_resolve(r->design, r->used, f, NULL, NULL, &effect), OPTINC_OK);
    assert_int_equal(effect.live + effect.idle + effect.dark, flat.ports);
    for (size_t b = 0; b < 2; b++)
        for (uint32_t threads = 1; threads <= 2; threads++) {
            assert_int_equal(reduce(r, backends[b], f, threads, answers, &dark), OPTINC_OK);
            for (uint32_t e = 0; e < ELEMENTS; e++) {
                uint64_t total = 0, live = 0;

                for (uint32_t port = 0; port < flat.ports; port++) {
                    uint64_t code = port < r->used ? r->codes[port][e] : 0;

                    total += share_of(r->w, f, r->used, port, code);
                    live +=
                        port < r->used && share_of(r->w, f, r->used, port, 1000) == 1000 ? code : 0;
                }
                assert_int_equal(optinc_faults_total(r->design, &effect, live), total);
                if (flat.variant == OPTINC_VARIANT_HALF_UP)
                    total = (total + divisor / 2) / divisor;
                assert_int_equal(answers[e], total);
            }
        }
}

/* Random faults of all kinds; servers on some of the ports. */
static void random_faults(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < WISH_COUNT; i++) {
        const wish *w = &wishes[i];
        optinc_design *design = make_design(w);
        uint32_t ports = optinc_design_ports(design);

        for (uint32_t trial = 0; trial < 8; trial++) {
            uint32_t used = 1 + (uint32_t)(next(&seed) % ports);
            uint32_t dark[2] = {(uint32_t)(next(&seed) % ports), (uint32_t)(next(&seed) % ports)};
            uint32_t left[1] = {(uint32_t)(next(&seed) % ports)};
            uint32_t level = (uint32_t)(next(&seed) % w->level_count);
            optinc_place failed = {level,
                                   (uint32_t)(next(&seed) % (ports / servers_below(w, level)))};
            optinc_faults f = {.dark_ports = dark,
                               .dark_count = trial % 3,
                               .left_ports = left,
                               .left_count = trial % 2,
                               .failed = &failed,
                               .failed_count = trial % 4 == 3,
                               .action =
                                   trial < 4 ? OPTINC_FAULT_UNDETECTED : OPTINC_FAULT_RESCALE};
            run *r = make_run(w, design, used, next(&seed));

            /* nobody left to average over is a refusal of its own */
            if (!optinc_faults_resolve(design, used, &f, NULL, NULL, NULL))
                check(r, &f);
            free_run(r);
        }
        optinc_design_destroy(&design);
    }
}

/* A server that leaves gives what a run without it gives. */
static void leaving(void **state)
{
    const uint32_t left[] = {15};
    const optinc_faults f = {.left_ports = left, .left_count = 1};
    optinc_design *design = make_design(&wishes[1]);
    run *r = make_run(&wishes[1], design, 16, 5);
    uint64_t with[ELEMENTS], without[ELEMENTS];
    optinc_fault_effect effect;
    optinc_place dark;

    (void)state;
    assert_int_equal(reduce(r, optinc_backend_exact(), &f, 1, with, &dark), OPTINC_OK);
    r->used = 15;
    assert_int_equal(reduce(r, optinc_backend_exact(), NULL, 1, without, &dark), OPTINC_OK);
    assert_memory_equal(with, without, sizeof with);
    assert_int_equal(optinc_faults_resolve(design, 16, &f, NULL, NULL, &effect), OPTINC_OK);
    assert_int_equal(effect.servers, 15);
    assert_int_equal(effect.dark, 0);
    assert_true(optinc_faults_bias_max(design, &effect) <= 0);
    free_run(r);
    optinc_design_destroy(&design);
}

/* The monitors see every dark port and switch, listed or not, and name it; and nothing else. */
static void monitors(void **state)
{
    const uint32_t ports[] = {6};
    const optinc_place below = {0, 2}, top = {1, 0};
    optinc_faults f = {.dark_ports = ports, .dark_count = 1, .action = OPTINC_FAULT_ERROR};
    optinc_design *design = make_design(&wishes[1]);
    run *r = make_run(&wishes[1], design, 13, 9);
    uint64_t answers[ELEMENTS];
    optinc_fault_effect effect;
    optinc_place dark = {9, 9};

    (void)state;
    assert_int_equal(reduce(r, optinc_backend_table(), &f, 1, answers, &dark), OPTINC_ERR_DARK);
    assert_int_equal(dark.level, 0);
    assert_int_equal(dark.index, 6);
    assert_int_equal(optinc_faults_resolve(design, 13, &f, NULL, NULL, &effect), OPTINC_OK);
    assert_int_equal(effect.servers, 13);
    assert_int_equal(effect.dark, 1);
    assert_true(optinc_faults_bias_max(design, &effect) == 255.0 / 13);
    f = (optinc_faults){.failed = &below, .failed_count = 1, .action = OPTINC_FAULT_ERROR};
    assert_int_equal(reduce(r, optinc_backend_exact(), &f, 2, answers, &dark), OPTINC_ERR_DARK);
    assert_int_equal(dark.level, 1);
    assert_int_equal(dark.index, 2);
    f.failed = &top;
    assert_int_equal(reduce(r, optinc_backend_exact(), &f, 1, answers, &dark), OPTINC_ERR_DARK);
    assert_int_equal(dark.level, 2);
    f = (optinc_faults){.action = OPTINC_FAULT_ERROR};
    check(r, &f);
    r->codes[3][ELEMENTS - 1] = 0; /* one element is enough */
    assert_int_equal(optinc_symbols_pack(8, r->codes[3], ELEMENTS, r->symbols + 3 * r->stride),
                     OPTINC_OK);
    assert_int_equal(reduce(r, optinc_backend_exact(), &f, 1, answers, &dark), OPTINC_ERR_DARK);
    assert_int_equal(dark.level, 0);
    assert_int_equal(dark.index, 3);
    free_run(r);
    optinc_design_destroy(&design);
}

static void keep_message(void *user, optinc_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 256, "%s", message);
}

static void refusals(void **state)
{
    char message[256] = "";
    const optinc_log log = {keep_message, message};
    const uint32_t beyond[] = {16}, all[] = {0, 1, 2};
    const optinc_place level = {2, 0}, index = {0, 4}, top = {1, 0};
    const optinc_faults cases[] = {
        {.dark_ports = beyond, .dark_count = 1},
        {.left_ports = beyond, .left_count = 1},
        {.failed = &level, .failed_count = 1},
        {.failed = &index, .failed_count = 1},
        {.left_ports = all, .left_count = 3},
        {.action = (optinc_fault_action)7},
        {.dark_count = 1},
        {.failed_count = 1},
    };
    const char *const words[] = {"dark port 16, expected 0 to 15",
                                 "left port 16, expected 0 to 15",
                                 "level 2, expected 0 to 1",
                                 "failed switch 4 of level 0, expected 0 to 3",
                                 "all servers have left",
                                 "action 7",
                                 "dark ports is NULL",
                                 "failed switches is NULL"};
    optinc_faults gone = {.failed = &top, .failed_count = 1, .action = OPTINC_FAULT_RESCALE};
    optinc_design *design = make_design(&wishes[1]);
    optinc_switch_options options = {.thread_count = 1, .faults = &cases[0]};
    optinc_switch *sw = (optinc_switch *)&options;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(optinc_faults_resolve(design, 3, &cases[i], &log, NULL, NULL),
                         OPTINC_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(message, words[i]));
    }
    assert_int_equal(optinc_faults_resolve(design, 3, &gone, &log, NULL, NULL), OPTINC_ERR_DARK);
    assert_non_null(strstr(message, "no server is left"));
    gone = (optinc_faults){.dark_ports = all, .dark_count = 3, .action = OPTINC_FAULT_RESCALE};
    assert_int_equal(optinc_faults_resolve(design, 3, &gone, &log, NULL, NULL), OPTINC_ERR_DARK);
    assert_int_equal(optinc_faults_resolve(design, 17, NULL, &log, NULL, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_switch_create(design, optinc_backend_exact(), &options, &log, &sw),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(sw);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_faults),
        cmocka_unit_test(leaving),
        cmocka_unit_test(monitors),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
