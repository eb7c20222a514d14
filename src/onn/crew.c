/* SPDX-License-Identifier: Apache-2.0 */
#include "onn/crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/memory.h"

#define SPINS_MAX 4096u /* some 100 microseconds */

struct oi_crew {
    pthread_mutex_t mutex; /* round changes, and busy becomes 0, before a signal under it */
    pthread_cond_t begins, ends;
    atomic_uint round; /* changes where one begins */
    atomic_uint busy;  /* threads beside the caller that are still in it */
    atomic_uint next;  /* task */
    uint32_t task_count;
    oi_crew_task task; /* NULL: go home */
    void *user;
    uint32_t hired;
    pthread_t *threads; /* [hired] */
    struct member {
        oi_crew *crew;
        uint32_t index;
    } * members; /* [hired] */
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work(oi_crew *crew, uint32_t worker)
{
    uint32_t index;

    while ((index = atomic_fetch_add(&crew->next, 1)) < crew->task_count)
        crew->task(crew->user, index, worker);
}

/* Until *value is not, or is, `expected`. */
static void await(oi_crew *crew, pthread_cond_t *condition, atomic_uint *value, unsigned expected,
                  bool equal)
{
    for (uint32_t i = 0; i < SPINS_MAX; i++) {
        if ((atomic_load(value) == expected) == equal)
            return;
        relax();
    }
    pthread_mutex_lock(&crew->mutex);
    while ((atomic_load(value) == expected) != equal)
        pthread_cond_wait(condition, &crew->mutex);
    pthread_mutex_unlock(&crew->mutex);
}

static void *serve(void *argument)
{
    struct member *member = argument;
    oi_crew *crew = member->crew;
    unsigned round = 0;

    for (;;) {
        await(crew, &crew->begins, &crew->round, round++, false);
        if (!crew->task)
            return NULL;
        work(crew, member->index);
        if (atomic_fetch_sub(&crew->busy, 1) == 1) {
            pthread_mutex_lock(&crew->mutex);
            pthread_cond_signal(&crew->ends);
            pthread_mutex_unlock(&crew->mutex);
        }
    }
}

static void begin(oi_crew *crew)
{
    pthread_mutex_lock(&crew->mutex);
    atomic_fetch_add(&crew->round, 1);
    pthread_cond_broadcast(&crew->begins);
    pthread_mutex_unlock(&crew->mutex);
}

void oi_crew_run(oi_crew *crew, uint32_t task_count, oi_crew_task task, void *user)
{
    crew->task_count = task_count;
    crew->task = task;
    crew->user = user;
    atomic_store(&crew->next, 0);
    atomic_store(&crew->busy, crew->hired);
    if (crew->hired > 0)
        begin(crew);
    work(crew, 0);
    await(crew, &crew->ends, &crew->busy, 0, true);
}

/* Signals are the business of the program's own threads. */
static int hire(oi_crew *crew, uint32_t count)
{
    sigset_t all, before;
    int error = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (crew->hired < count && !error) {
        struct member *member = &crew->members[crew->hired];

        *member = (struct member){.crew = crew, .index = crew->hired + 1};
        error = pthread_create(&crew->threads[crew->hired], NULL, serve, member);
        crew->hired += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

optinc_status oi_crew_create(uint32_t thread_count, const optinc_log *log, oi_crew **crew)
{
    oi_crew *made;

    *crew = NULL;
    if (thread_count == 0 || thread_count > OPTINC_THREADS_MAX)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "thread_count is %u, expected 1 to %u",
                       thread_count, OPTINC_THREADS_MAX);
    made = oi_allocate(1, sizeof *made);
    if (!made)
        return OPTINC_ERR_OUT_OF_MEMORY;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->begins, NULL);
    pthread_cond_init(&made->ends, NULL);
    made->threads = oi_allocate(thread_count, sizeof *made->threads);
    made->members = oi_allocate(thread_count, sizeof *made->members);
    if (made->threads && made->members && hire(made, thread_count - 1) == 0) {
        *crew = made;
        return OPTINC_OK;
    }
    oi_crew_free(made);
    return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "the system has no %u more threads",
                   thread_count - 1);
}

void oi_crew_free(oi_crew *crew)
{
    if (!crew)
        return;
    crew->task = NULL;
    begin(crew);
    for (uint32_t i = 0; i < crew->hired; i++)
        pthread_join(crew->threads[i], NULL);
    pthread_cond_destroy(&crew->ends);
    pthread_cond_destroy(&crew->begins);
    pthread_mutex_destroy(&crew->mutex);
    oi_free(crew->members);
    oi_free(crew->threads);
    oi_free(crew);
}
