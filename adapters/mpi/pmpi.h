/* SPDX-License-Identifier: Apache-2.0 */
/* liboptinc_pmpi: preloaded, or linked before the MPI, it sends the float sums of an unmodified
 * program through the switch. Every other call passes through as it is.
 *
 * The library is the process's own view of MPI, so it has one state, made at MPI_Init and gone at
 * MPI_Finalize. Each communicator gets a context at its first reduction that qualifies, with a
 * communicator of the library's own; it is kept as an attribute and goes when the program's
 * communicator goes. A nonblocking reduction runs in a thread of its context. */
#ifndef OI_PMPI_H
#define OI_PMPI_H

#include "transport.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* Where a call went. */
#define PMPI_ROUTE_LIST(X)                                                                         \
    X(SWITCHED, "through the switch")                                                              \
    X(SWITCHED_NONBLOCKING, "through the switch, nonblocking")                                     \
    X(OTHER, "passed: not a sum of floats")                                                        \
    X(SMALL, "passed: below OPTINC_MIN_BYTES")                                                     \
    X(SINGLE, "passed: one rank")                                                                  \
    X(NO_DESIGN, "passed: OPTINC_DESIGN is not set")                                               \
    X(PORTS, "passed: more ranks than a design has ports")                                         \
    X(INTER, "passed: intercommunicator")                                                          \
    X(NO_THREADS, "passed: nonblocking without MPI_THREAD_MULTIPLE")                               \
    X(REFUSED, "refused: OPTINC_UNQUALIFIED=fail")                                                 \
    X(FAILED, "failed")

typedef enum pmpi_route {
#define PMPI_ROUTE_ENUM(name, text) PMPI_ROUTE_##name,
    PMPI_ROUTE_LIST(PMPI_ROUTE_ENUM)
#undef PMPI_ROUTE_ENUM
        PMPI_ROUTE_COUNT
} pmpi_route;

#define PMPI_DESIGNS_MAX 16u
#define PMPI_CHECK_MAX 4096u

/* From the environment; the same on all ranks, which is checked. */
typedef struct pmpi_settings {
    const char *designs; /* OPTINC_DESIGN: paths, separated by colons; the one with the fewest ports
                            that are enough serves a communicator */
    uint64_t bits;       /* OPTINC_BITS: only designs of this width; 0: all */
    uint64_t bytes_min;  /* OPTINC_MIN_BYTES */
    uint64_t block_size; /* OPTINC_BLOCK_SIZE */
    uint64_t chunk_elements; /* OPTINC_CHUNK */
    uint64_t piece_bytes;    /* OPTINC_PIECE */
    uint64_t thread_count;   /* OPTINC_THREADS; 0: the cores that ranks leave free */
    uint64_t seed;           /* OPTINC_SEED */
    bool stochastic;         /* OPTINC_ROUNDING=stochastic */
    bool fail;               /* OPTINC_UNQUALIFIED=fail */
    bool nonblocking;        /* OPTINC_NONBLOCKING=switch (default) or pass */
    bool table;              /* OPTINC_TABLE=1 (default) or 0 */
    uint64_t check_count;    /* OPTINC_CHECK: elements of a call that are compared; 0: none */
    double timeout_seconds;  /* OPTINC_TIMEOUT */
    const char *replay;      /* OPTINC_REPLAY: directory of records; NULL: none */
} pmpi_settings;

/* Reads the environment; what is wrong is said on stderr and ends in false. */
bool pmpi_settings_read(pmpi_settings *settings);
/* Over all settings that must be equal on all ranks. */
uint64_t pmpi_settings_hash(const pmpi_settings *settings);

typedef struct pmpi_counts {
    atomic_ullong calls[PMPI_ROUTE_COUNT];
    atomic_ullong bytes[PMPI_ROUTE_COUNT];
    atomic_ullong bytes_sent;
    atomic_ullong checked;
    pthread_mutex_t lock; /* of what follows */
    double error_max;
    double share_max; /* largest error / bound */
} pmpi_counts;

void pmpi_count(pmpi_route route, uint64_t elements);
const char *pmpi_route_text(pmpi_route route);

typedef struct pmpi_job {
    struct pmpi_job *next;
    const float *input;
    float *output;
    size_t count;
    MPI_Request request; /* generalised */
    optinc_status status;
} pmpi_job;

typedef struct pmpi_context {
    struct pmpi_context *next, *previous; /* of all contexts */
    const optinc_design *design;
    MPI_Comm own;            /* until the transport has it */
    MPI_Request own_request; /* of making it, in a nonblocking first call */
    bool has_transport;
    optinc_status broken; /* why there is no reducing here */
    oi_mpi_transport transport;
    optinc_collective *collective;
    uint64_t step;
    float *kept;         /* [check_count] inputs, and what came of them */
    double *exact;       /* [2][check_count] sums of them, and of their magnitudes */
    float *replay_input; /* all of the call's, where records are wanted */
    size_t replay_capacity;
    /* the worker */
    bool has_worker;
    bool stop;
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pmpi_job *first, *last;
    atomic_uint pending; /* jobs queued or running */
} pmpi_context;

typedef struct pmpi_state {
    bool ready; /* between MPI_Init and MPI_Finalize */
    bool threads;
    bool settings_good;
    pmpi_settings settings;
    uint32_t design_count;
    optinc_design *designs[PMPI_DESIGNS_MAX];
    int keyval;
    MPI_Comm world; /* the library's copy */
    pmpi_counts counts;
    pthread_mutex_t lock; /* of the list */
    pmpi_context *contexts;
} pmpi_state;

extern pmpi_state pmpi;

/* Until the request is complete: OPTINC_ERR_TIMEOUT after OPTINC_TIMEOUT. */
optinc_status pmpi_wait(MPI_Request *request);
/* With a time limit: until all ranks of comm have come here. What follows may then block. It uses no
 * operation on comm, where another rank may be in one of the program's. */
optinc_status pmpi_meet(MPI_Comm comm);
/* A sum of floats below OPTINC_MIN_BYTES is MPI's own, but where another rank has sent a longer one
 * through the switch it would never end: with a time limit it runs under that limit as well. */
bool pmpi_is_watched(pmpi_route route);
int pmpi_pass_watched(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type, MPI_Op op,
                      MPI_Comm comm);
/* Around a call of MPI that waits for other ranks and cannot be given up: if it takes longer than the time
 * limit, if there is one, the process ends. */
typedef struct pmpi_guard {
    const char *call;
    bool armed;
    bool returned;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} pmpi_guard;
void pmpi_guard_begin(pmpi_guard *guard, const char *call);
void pmpi_guard_end(pmpi_guard *guard);
/* Every call on comm that qualifies ends in `status` from now on. */
void pmpi_break(MPI_Comm comm, optinc_status status);

/* An element that is not what it should be. */
typedef struct pmpi_failure {
    size_t count; /* of the call */
    size_t element;
    double expected;
    double result;
    double bound;
} pmpi_failure;

/* Copies the input if records are wanted; false: no memory. */
bool pmpi_replay_keep(pmpi_context *context, const float *input, size_t count);
void pmpi_replay_write(const pmpi_context *context, const pmpi_failure *failure);

/* The level of threads to ask MPI for, and what follows MPI's own initialisation. */
int pmpi_thread_level(int required);
/* Ends the process, with a message, where the program's MPI is not the library's. */
void pmpi_check_mpi(void);
void pmpi_begin(int provided);
/* True if a rank has been lost: MPI_Finalize, which waits for it, is then to be guarded. */
bool pmpi_end(void);

/* A nonblocking call must not wait for other ranks; making a persistent reduction may, and its use is
 * a nonblocking one. */
typedef enum pmpi_kind { PMPI_BLOCKING, PMPI_NONBLOCKING, PMPI_PERSISTENT } pmpi_kind;

/* Which way a call goes; PMPI_ROUTE_SWITCHED says that *context will take it. */
pmpi_route pmpi_route_call(const void *sendbuf, const void *recvbuf, uint64_t count,
                           MPI_Datatype type, MPI_Op op, MPI_Comm comm, pmpi_kind kind,
                           pmpi_context **context);

/* Counts a call that is not switched. True, and its return code, if it ends here; else it is MPI's. */
bool pmpi_ends_here(pmpi_route route, uint64_t count, MPI_Comm comm, int *code);

/* The reduction, in the calling thread. input may equal output. */
optinc_status pmpi_reduce(pmpi_context *context, const float *input, float *output, size_t count);
void pmpi_context_close(pmpi_context *context, bool free_communicator);

/* MPI's return code of a reduction, after the communicator's error handler. */
int pmpi_result(MPI_Comm comm, optinc_status status);

/* Queues the reduction and gives a request for it. */
int pmpi_start(pmpi_context *context, const float *input, float *output, size_t count,
               MPI_Request *request);
/* Blocking, behind what is queued. */
optinc_status pmpi_reduce_in_turn(pmpi_context *context, const float *input, float *output,
                                  size_t count);
void pmpi_worker_stop(pmpi_context *context);

void pmpi_table_print(void);

#endif
