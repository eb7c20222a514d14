/* SPDX-License-Identifier: Apache-2.0 */
/* What happens at MPI_Init and MPI_Finalize, and the table. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "pmpi.h"

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 8 /* codec and switch are bound by memory before that */

pmpi_state pmpi = {
    .keyval = MPI_KEYVAL_INVALID,
    .counts.lock = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

static void say(void *user, optinc_log_level level, const char *message)
{
    (void)user;
    if (level == OPTINC_LOG_ERROR)
        fprintf(stderr, "optinc: %s\n", message);
}

/* A launcher that reads standard error through a pipe (MPICH's) may end before it has read it: gives
 * it up to a second. */
static void await_reader(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int unread;

    for (int i = 0; i < 1000 && ioctl(STDERR_FILENO, FIONREAD, &unread) == 0 && unread > 0; ++i)
        nanosleep(&moment, NULL);
}

static void give_up(const char *why)
{
    fprintf(stderr, "optinc: %s\n", why);
    await_reader();
    PMPI_Abort(MPI_COMM_WORLD, 1);
}

/* Said once, before its errors fail a self-check. */
static void warn_of_errors(const char *path, const optinc_design *design)
{
    int rank = 0;

    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0 && !optinc_design_exact(design))
        fprintf(stderr,
                "optinc: %s is not proved exact: the errors of its ONN are in the sums, and beyond "
                "the bound they fail OPTINC_CHECK\n",
                path);
}

static void load_designs(void)
{
    const optinc_log log = {say, NULL};
    char *paths = strdup(pmpi.settings.designs), *rest = paths;

    for (char *path = strtok_r(paths, ":", &rest); path; path = strtok_r(NULL, ":", &rest)) {
        optinc_design *design;

        if (pmpi.design_count == PMPI_DESIGNS_MAX)
            give_up("too many designs in OPTINC_DESIGN");
        if (optinc_design_load(path, &log, &design) != OPTINC_OK)
            give_up("a design of OPTINC_DESIGN cannot be used");
        if (pmpi.settings.bits && optinc_design_bits(design) != pmpi.settings.bits)
            optinc_design_destroy(&design);
        else {
            warn_of_errors(path, design);
            pmpi.designs[pmpi.design_count++] = design;
        }
    }
    free(paths);
    if (pmpi.design_count == 0)
        give_up(pmpi.settings.bits ? "no design of OPTINC_DESIGN has OPTINC_BITS bits"
                                   : "OPTINC_DESIGN names no design");
}

/* Ranks that route differently would wait for each other for ever. v and ~v both come through a
 * bitwise and unchanged only if all ranks sent the same. */
static void compare_settings(void)
{
    uint64_t hash = pmpi_settings_hash(&pmpi.settings), sent[2], common[2];

    for (uint32_t i = 0; i < pmpi.design_count; i++)
        hash = hash * 31 + optinc_design_checksum(pmpi.designs[i]);
    sent[0] = hash;
    sent[1] = ~hash;
    PMPI_Allreduce(sent, common, 2, MPI_UINT64_T, MPI_BAND, MPI_COMM_WORLD);
    if (common[0] != sent[0] || common[1] != sent[1])
        give_up("the ranks have different designs or OPTINC_ settings");
}

#ifdef OPEN_MPI
#define OWN_MPI "Open MPI"
#else
#define OWN_MPI "MPICH"
#endif
#define VERSION_SIZE_MAX 8192 /* MPI_MAX_LIBRARY_VERSION_STRING is MPICH's 8192, Open MPI's 256 */

/* Under a program of the other MPI every handle would be wrong and MPI_Init's end a crash. This call has
 * no handles; MPIs with MPICH's binary interface have other names. */
void pmpi_check_mpi(void)
{
    char version[VERSION_SIZE_MAX + 1] = "";
    int length = 0;
    bool open;

    if (PMPI_Get_library_version(version, &length) != MPI_SUCCESS)
        return;
    open = strncmp(version, "Open MPI", strlen("Open MPI")) == 0;
    if (open == (strcmp(OWN_MPI, "Open MPI") == 0))
        return;
    fprintf(stderr, "optinc: this is the library for %s, the program's MPI is %.40s\n", OWN_MPI,
            version);
    await_reader();
    _exit(EXIT_FAILURE);
}

/* Bad settings end the job only once MPI is there to end it on every rank. */
int pmpi_thread_level(int required)
{
    pmpi.settings_good = pmpi_settings_read(&pmpi.settings);
    return pmpi.settings.designs && pmpi.settings.nonblocking ? MPI_THREAD_MULTIPLE : required;
}

/* The cores that this rank may use and that other ranks of the machine leave free. A launcher that
 * binds its ranks has shared them out already. */
static uint64_t free_cores(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    MPI_Comm machine;
    cpu_set_t allowed;
    int cores, ranks = 1;

    if (PMPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine) ==
        MPI_SUCCESS) {
        PMPI_Comm_size(machine, &ranks);
        PMPI_Comm_free(&machine);
    }
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 1;
    cores = CPU_COUNT(&allowed);
    if (cores >= online)
        cores /= ranks;
    return cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (uint64_t)cores;
}

static int forget_context(MPI_Comm comm, int keyval, void *attribute, void *extra)
{
    (void)comm;
    (void)keyval;
    (void)extra;
    if (pmpi.ready) /* what is left at the end, MPI_COMM_WORLD's among it, has gone in pmpi_end */
        pmpi_context_close(attribute, true);
    return MPI_SUCCESS;
}

void pmpi_begin(int provided)
{
    if (!pmpi.settings_good)
        give_up("the settings in the environment cannot be used");
    pmpi.threads = provided == MPI_THREAD_MULTIPLE;
    if (pmpi.settings.designs)
        load_designs();
    compare_settings();
    if (pmpi.settings.thread_count == 0 && pmpi.design_count > 0)
        pmpi.settings.thread_count = free_cores();
    PMPI_Comm_dup(MPI_COMM_WORLD, &pmpi.world);
    PMPI_Comm_set_errhandler(pmpi.world, MPI_ERRORS_RETURN);
    PMPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, forget_context, &pmpi.keyval, NULL);
    pmpi.ready = true;
}

bool pmpi_end(void)
{
    bool lost = false;

    if (!pmpi.ready)
        return false;
    pmpi.ready = false;
    /* Communicators that the program still has go with MPI. Freeing ours would need the same order
     * on all ranks. */
    while (pmpi.contexts) {
        lost = lost || pmpi.contexts->broken != OPTINC_OK;
        pmpi_context_close(pmpi.contexts, false);
    }
    if (!lost)
        PMPI_Comm_free(&pmpi.world);
    if (pmpi.settings.table && !lost) /* the table is made of all ranks' numbers */
        pmpi_table_print();
    PMPI_Comm_free_keyval(&pmpi.keyval);
    for (uint32_t i = 0; i < pmpi.design_count; i++)
        optinc_design_destroy(&pmpi.designs[i]);
    pmpi.design_count = 0;
    return lost;
}

void pmpi_count(pmpi_route route, uint64_t elements)
{
    atomic_fetch_add_explicit(&pmpi.counts.calls[route], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pmpi.counts.bytes[route], elements * sizeof(float),
                              memory_order_relaxed);
}

const char *pmpi_route_text(pmpi_route route)
{
    static const char *const texts[PMPI_ROUTE_COUNT] = {
#define PMPI_ROUTE_TEXT(name, text) [PMPI_ROUTE_##name] = text,
        PMPI_ROUTE_LIST(PMPI_ROUTE_TEXT)
#undef PMPI_ROUTE_TEXT
    };

    return texts[route];
}

static void print_counts(const uint64_t *sums, const double *largest, int ranks)
{
    fprintf(stderr, "optinc: all-reduce calls of %d ranks, and their bytes of payload\n", ranks);
    for (int i = 0; i < PMPI_ROUTE_COUNT; i++)
        if (sums[i] > 0 || i == PMPI_ROUTE_SWITCHED)
            fprintf(stderr, "optinc: %-52s %12" PRIu64 " %16" PRIu64 "\n",
                    pmpi_route_text((pmpi_route)i), sums[i], sums[PMPI_ROUTE_COUNT + i]);
    fprintf(stderr, "optinc: %-52s %12s %16" PRIu64 "\n",
            "sent to other ranks by the switched calls", "", sums[2 * PMPI_ROUTE_COUNT]);
    if (sums[2 * PMPI_ROUTE_COUNT + 1] > 0)
        fprintf(stderr,
                "optinc: of %" PRIu64 " elements compared, the largest error was %.6g, and at most "
                "%.4f of its bound\n",
                sums[2 * PMPI_ROUTE_COUNT + 1], largest[0], largest[1]);
}

void pmpi_table_print(void)
{
    uint64_t own[2 * PMPI_ROUTE_COUNT + 2], sums[2 * PMPI_ROUTE_COUNT + 2] = {0};
    double largest[2] = {pmpi.counts.error_max, pmpi.counts.share_max}, all[2] = {0};
    int rank, ranks;

    for (int i = 0; i < PMPI_ROUTE_COUNT; i++) {
        own[i] = atomic_load(&pmpi.counts.calls[i]);
        own[PMPI_ROUTE_COUNT + i] = atomic_load(&pmpi.counts.bytes[i]);
    }
    own[2 * PMPI_ROUTE_COUNT] = atomic_load(&pmpi.counts.bytes_sent);
    own[2 * PMPI_ROUTE_COUNT + 1] = atomic_load(&pmpi.counts.checked);
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    PMPI_Comm_size(MPI_COMM_WORLD, &ranks);
    PMPI_Reduce(own, sums, 2 * PMPI_ROUTE_COUNT + 2, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    PMPI_Reduce(largest, all, 2, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    if (rank == 0)
        print_counts(sums, all, ranks);
}
