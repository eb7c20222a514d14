/* SPDX-License-Identifier: Apache-2.0 */
/* Every task of every round once, on a thread of the crew; what it wrote is there afterwards. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "onn/crew.h"

#define TASKS_MAX 64u
#define THREADS 4u

/* Plain memory on purpose: a missing order between threads shows here and under TSan. */
typedef struct tasks {
    uint64_t runs[TASKS_MAX];
    uint64_t by_worker[THREADS][8]; /* a cache line each */
    bool slow;
} tasks;

static void count_task(void *user, uint32_t index, uint32_t worker)
{
    tasks *all = user;
    const struct timespec moment = {.tv_nsec = 2000000};

    /* longer than anybody spins */
    if (all->slow && index == 0)
        nanosleep(&moment, NULL);
    all->runs[index]++;
    all->by_worker[worker][0]++;
}

static void run_rounds(uint32_t thread_count, uint32_t task_count, uint32_t rounds, bool slow)
{
    tasks all = {.slow = slow};
    uint64_t sum = 0;
    oi_crew *crew;

    assert_int_equal(oi_crew_create(thread_count, NULL, &crew), OPTINC_OK);
    for (uint32_t i = 1; i <= rounds; i++) {
        oi_crew_run(crew, task_count, count_task, &all);
        for (uint32_t j = 0; j < TASKS_MAX; j++)
            assert_int_equal(all.runs[j], j < task_count ? i : 0);
    }
    oi_crew_free(crew);
    for (uint32_t i = 0; i < THREADS; i++) {
        sum += all.by_worker[i][0];
        if (i >= thread_count)
            assert_int_equal(all.by_worker[i][0], 0);
    }
    assert_int_equal(sum, (uint64_t)rounds * task_count);
}

static void test_every_task_once(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= THREADS; threads++)
        for (uint32_t count = 0; count <= 5; count++)
            run_rounds(threads, count, 500, false);
    run_rounds(THREADS, TASKS_MAX, 2000, false);
    run_rounds(2, TASKS_MAX, 2000, false);
}

static void test_sleepers_wake(void **state)
{
    (void)state;
    run_rounds(1, 3, 20, true);
    run_rounds(2, 3, 20, true);
    run_rounds(THREADS, 1, 20, true);
    run_rounds(THREADS, TASKS_MAX, 20, true);
}

static void test_crew_without_work(void **state)
{
    oi_crew *crew;

    (void)state;
    for (uint32_t i = 1; i <= THREADS; i++) {
        assert_int_equal(oi_crew_create(i, NULL, &crew), OPTINC_OK);
        oi_crew_free(crew);
    }
    oi_crew_free(NULL);
}

static void keep_mask(void *user, uint32_t index, uint32_t worker)
{
    sigset_t *masks = user;

    (void)index;
    pthread_sigmask(SIG_SETMASK, NULL, &masks[worker]);
}

/* A host's handler must not run on a thread that it does not know. */
static void test_signals_stay_with_the_caller(void **state)
{
    sigset_t masks[THREADS], own;
    oi_crew *crew;
    bool hired_ran = false;

    (void)state;
    memset(masks, 0, sizeof masks);
    pthread_sigmask(SIG_SETMASK, NULL, &own);
    assert_false(sigismember(&own, SIGINT));
    assert_int_equal(oi_crew_create(THREADS, NULL, &crew), OPTINC_OK);
    for (uint32_t i = 0; i < 10000 && !hired_ran; i++) {
        oi_crew_run(crew, TASKS_MAX, keep_mask, masks);
        for (uint32_t j = 1; j < THREADS; j++)
            hired_ran = hired_ran || sigismember(&masks[j], SIGINT);
    }
    oi_crew_free(crew);
    assert_true(hired_ran);
    assert_false(sigismember(&masks[0], SIGINT));
    pthread_sigmask(SIG_SETMASK, NULL, &own);
    assert_false(sigismember(&own, SIGINT));
}

static void test_refusals(void **state)
{
    oi_crew *crew = (oi_crew *)state;

    (void)state;
    assert_int_equal(oi_crew_create(0, NULL, &crew), OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(crew);
    crew = (oi_crew *)&crew;
    assert_int_equal(oi_crew_create(OPTINC_THREADS_MAX + 1, NULL, &crew),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once),
        cmocka_unit_test(test_sleepers_wake),
        cmocka_unit_test(test_crew_without_work),
        cmocka_unit_test(test_signals_stay_with_the_caller),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
