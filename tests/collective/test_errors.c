/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks that disagree, arguments of one rank that are wrong, transports that fail: the same error on
 * every rank, no hang, nothing half-written. */
#include "collective/fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define IGNORE_LEAKS_BEGIN __lsan_disable()
#define IGNORE_LEAKS_END __lsan_enable()
#else
#define IGNORE_LEAKS_BEGIN (void)0
#define IGNORE_LEAKS_END (void)0
#endif

#define RANKS 4u
#define COUNT 100000u
#define POISON 0x7fa5a5a5u

/* What one rank does; all others do the plain thing. */
typedef struct deviation {
    const char *name;
    optinc_collective_options options;
    const optinc_design *design; /* NULL: the common one */
    bool no_design;
    size_t count; /* 0: COUNT */
    optinc_op op;
    uint64_t step;
    bool no_input;
    bool overlap;
    optinc_status create; /* what all ranks get */
    optinc_status reduce;
} deviation;

typedef struct scene {
    const deviation *odd;
    uint32_t odd_rank;
    const optinc_design *design;
    float *input[RANKS];
    float *output[RANKS];
    float *feedback[RANKS];
    optinc_status create[RANKS];
    optinc_status reduce[RANKS];
    optinc_status again[RANKS];
} scene;

static void scene_body(void *user, uint32_t rank, const optinc_transport *transport)
{
    static const deviation plain;
    scene *s = user;
    const deviation *d = rank == s->odd_rank ? s->odd : &plain;
    const optinc_design *design = d->design ? d->design : s->design;
    optinc_collective *collective = NULL;
    optinc_allreduce_args args = {
        .input = d->no_input ? NULL : s->input[rank],
        .output = d->overlap ? s->input[rank] + 1 : s->output[rank],
        .count = d->count ? d->count : COUNT,
        .op = d->op,
        .step = d->step,
        .error_feedback = s->feedback[rank],
    };

    s->create[rank] = optinc_collective_create(transport, d->no_design ? NULL : design, &d->options,
                                               NULL, &collective);
    if (s->create[rank] != OPTINC_OK) {
        assert_null(collective);
        return;
    }
    s->reduce[rank] = optinc_allreduce(collective, &args, NULL);
    /* a disagreement is not the end */
    args = (optinc_allreduce_args){s->input[rank],  s->output[rank], 100, OPTINC_SUM, NULL, 0,
                                   OPTINC_TURN_NONE};
    if (s->reduce[rank] != OPTINC_OK)
        s->again[rank] = optinc_allreduce(collective, &args, NULL);
    optinc_collective_destroy(&collective);
    optinc_collective_destroy(&collective);
}

static bool untouched(const float *x, size_t count, uint32_t bits)
{
    for (size_t i = 0; i < count; i++)
        if (float_bits(x[i]) != bits)
            return false;
    return true;
}

static void fill(float *x, size_t count, uint32_t bits)
{
    for (size_t i = 0; i < count; i++)
        memcpy(&x[i], &bits, sizeof bits);
}

static void run_scene(scene *s)
{
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        s->input[rank] = calloc(2 * COUNT, sizeof(float));
        s->output[rank] = calloc(2 * COUNT, sizeof(float));
        s->feedback[rank] = calloc(2 * COUNT, sizeof(float));
        assert_true(s->input[rank] && s->output[rank] && s->feedback[rank]);
        fill(s->output[rank], 2 * COUNT, POISON);
        fill(s->feedback[rank], 2 * COUNT, float_bits(0.5f));
        for (size_t i = 0; i < 2 * COUNT; i++)
            s->input[rank][i] = (float)(i % 1000);
    }
}

static void free_scene(scene *s)
{
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        free(s->input[rank]);
        free(s->output[rank]);
        free(s->feedback[rank]);
    }
}

static void check_deviation(const optinc_design *design, const deviation *odd, uint32_t odd_rank)
{
    thread_hub *hub = thread_hub_create(RANKS);
    scene s = {.odd = odd, .odd_rank = odd_rank, .design = design};

    run_scene(&s);
    thread_hub_run(hub, scene_body, &s);
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        if (s.create[rank] != odd->create || s.reduce[rank] != odd->reduce)
            fail_msg("%s: rank %u got %d and %d, not %d and %d", odd->name, rank, s.create[rank],
                     s.reduce[rank], odd->create, odd->reduce);
        assert_int_equal(s.again[rank], OPTINC_OK);
        if (odd->reduce != OPTINC_OK) {
            assert_true(untouched(s.output[rank] + 100, 2 * COUNT - 100, POISON));
            assert_true(untouched(s.feedback[rank], 2 * COUNT, float_bits(0.5f)));
        }
    }
    free_scene(&s);
    thread_hub_destroy(hub);
}

static void disagreements(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_design *wider = make_design(4, 16, 1, OPTINC_VARIANT_HALF_UP);
    optinc_design *larger = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_design *smaller = make_design(2, 8, 1, OPTINC_VARIANT_HALF_UP);
    optinc_design *noisy = make_design(4, 8, 1, OPTINC_VARIANT_STOCHASTIC);
    const optinc_status mismatch = OPTINC_ERR_MISMATCH, invalid = OPTINC_ERR_INVALID_ARGUMENT;
    const deviation cases[] = {
        {.name = "nothing"},
        {.name = "threads", .options.thread_count = 2},
        {.name = "kernel", .options.kernel = OPTINC_KERNEL_PLAIN},
        {.name = "bits", .design = wider, .create = mismatch},
        {.name = "more ports", .design = larger, .create = mismatch},
        {.name = "fewer ports", .design = smaller, .create = mismatch},
        {.name = "variant", .design = noisy, .create = mismatch},
        {.name = "block size", .options.block_size = 128, .create = mismatch},
        {.name = "rounding", .options.rounding = OPTINC_ROUND_STOCHASTIC, .create = mismatch},
        {.name = "seed", .options.seed = 1, .create = mismatch},
        {.name = "chunk", .options.chunk_elements = 1, .create = mismatch},
        {.name = "backend",
         .options.backend = optinc_backend_table(),
         .create = OPTINC_ERR_UNSUPPORTED},
        {.name = "bad block size", .options.block_size = 3, .create = invalid},
        {.name = "no design", .no_design = true, .create = invalid},
        {.name = "huge chunk", .options.chunk_elements = SIZE_MAX, .create = OPTINC_ERR_OVERFLOW},
        {.name = "count", .count = COUNT + 1, .reduce = mismatch},
        {.name = "count of another chunking", .count = 3, .reduce = mismatch},
        {.name = "operation", .op = OPTINC_MEAN, .reduce = mismatch},
        {.name = "unknown operation", .op = (optinc_op)7, .reduce = invalid},
        {.name = "step", .step = 9, .reduce = mismatch},
        {.name = "no input", .no_input = true, .reduce = invalid},
        {.name = "overlap", .overlap = true, .reduce = invalid},
        {.name = "too many", .count = SIZE_MAX / 2, .reduce = OPTINC_ERR_OVERFLOW},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_deviation(design, &cases[i], (uint32_t)i % RANKS);
    optinc_design_destroy(&design);
    optinc_design_destroy(&wider);
    optinc_design_destroy(&larger);
    optinc_design_destroy(&smaller);
    optinc_design_destroy(&noisy);
}

static void more_ranks_than_ports(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 5, 10);

    (void)state;
    run_world(&w);
    for (uint32_t rank = 0; rank < 5; rank++)
        assert_int_equal(w.status[rank], OPTINC_ERR_INVALID_ARGUMENT);
    free_world(&w);
    optinc_design_destroy(&design);
}

static void unusable_arguments(void **state)
{
    optinc_design *design = make_design(2, 8, 1, OPTINC_VARIANT_HALF_UP);
    thread_hub *hub = thread_hub_create(1);
    optinc_transport transport = *thread_hub_transport(hub, 0);
    optinc_collective *collective = (optinc_collective *)&transport;

    (void)state;
    assert_int_equal(optinc_collective_create(NULL, design, NULL, NULL, &collective),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(collective);
    assert_int_equal(optinc_collective_create(&transport, design, NULL, NULL, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    transport.start_max = NULL;
    assert_int_equal(optinc_collective_create(&transport, design, NULL, NULL, &collective),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_allreduce(NULL, NULL, NULL), OPTINC_ERR_INVALID_ARGUMENT);
    optinc_collective_destroy(NULL);
    thread_hub_destroy(hub);
    optinc_design_destroy(&design);
}

typedef struct failing {
    const optinc_design *design;
    thread_hub *hub;
    float *data[RANKS];
    optinc_status create[RANKS];
    optinc_status reduce[RANKS];
    optinc_status again[RANKS];
} failing;

static void failing_body(void *user, uint32_t rank, const optinc_transport *transport)
{
    failing *f = user;
    const optinc_collective_options options = {.chunk_elements = 4096};
    optinc_collective *collective = NULL;
    const optinc_allreduce_args args = {f->data[rank],   f->data[rank], COUNT, OPTINC_SUM, NULL, 0,
                                        OPTINC_TURN_NONE};

    IGNORE_LEAKS_BEGIN; /* what a failed transport may still write to is not freed */
    f->create[rank] = optinc_collective_create(transport, f->design, &options, NULL, &collective);
    if (f->create[rank] == OPTINC_OK) {
        f->reduce[rank] = optinc_allreduce(collective, &args, NULL);
        f->again[rank] = optinc_allreduce(collective, &args, NULL);
    }
    optinc_collective_destroy(&collective);
    IGNORE_LEAKS_END;
}

static void check_failing(failing *f, uint64_t at)
{
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        if (at == 0) {
            assert_int_equal(f->create[rank], OPTINC_ERR_TRANSPORT);
        } else {
            assert_int_equal(f->create[rank], OPTINC_OK);
            assert_int_equal(f->reduce[rank], OPTINC_ERR_TRANSPORT);
            assert_int_equal(f->again[rank], OPTINC_ERR_TRANSPORT);
        }
    }
}

static void a_failed_transport_ends_it(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint64_t at = 0; at < 24; at++) {
        failing f = {.design = design, .hub = thread_hub_create(RANKS)};

        for (uint32_t rank = 0; rank < RANKS; rank++) {
            f.data[rank] = calloc(COUNT, sizeof(float));
            assert_non_null(f.data[rank]);
        }
        if (at % 2)
            thread_hub_fail_wait(f.hub, at / 2);
        else
            thread_hub_fail_start(f.hub, at / 2);
        thread_hub_run(f.hub, failing_body, &f);
        check_failing(&f, at / 2);
        for (uint32_t rank = 0; rank < RANKS; rank++)
            free(f.data[rank]);
        thread_hub_destroy(f.hub);
    }
    optinc_design_destroy(&design);
}

/* A backend that fails on the rank whose share comes last, in its second batch. */
typedef struct faulty {
    atomic_uint runs;
} faulty;

static faulty faulty_state;

static optinc_status faulty_create(const optinc_unit *unit, const optinc_switch_options *options,
                                   const optinc_log *log, void **state)
{
    (void)unit;
    (void)options;
    (void)log;
    *state = &faulty_state;
    return OPTINC_OK;
}

static void faulty_destroy(void *state)
{
    (void)state;
}

static size_t faulty_scratch(const void *state)
{
    (void)state;
    return 0;
}

static optinc_status faulty_reduce(const void *state, const optinc_batch *batch)
{
    (void)state;
    atomic_fetch_add(&faulty_state.runs, 1);
    memset(batch->result, 0, batch->element_count);
    return batch->stream.element_first + batch->element_count == COUNT ? OPTINC_ERR_SELF_CHECK
                                                                       : OPTINC_OK;
}

static void a_failed_backend_is_known_to_all(void **state)
{
    static const optinc_backend backend = {"faulty", faulty_create, faulty_destroy, faulty_scratch,
                                           faulty_reduce};
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 4, COUNT);

    (void)state;
    w.options.backend = &backend;
    fill_inputs(&w, 4);
    run_world(&w);
    assert_true(atomic_load(&faulty_state.runs) > 4);
    for (uint32_t rank = 0; rank < 4; rank++)
        assert_int_equal(w.status[rank], OPTINC_ERR_SELF_CHECK);
    free_world(&w);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disagreements),
        cmocka_unit_test(more_ranks_than_ports),
        cmocka_unit_test(unusable_arguments),
        cmocka_unit_test(a_failed_transport_ends_it),
        cmocka_unit_test(a_failed_backend_is_known_to_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
