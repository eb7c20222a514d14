/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

/* In the interposition library the transport must not meet that library's own wrappers. */
#ifdef OI_MPI_INTERPOSED
#include "pmpi_names.h"
#endif

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What MPIs send at once over a network: Open MPI's TCP up to 64 KiB with its header. */
#define PIECE_SIZE ((size_t)32 << 10)
/* On one machine a message is copied as a whole, from memory to memory. */
#define PIECE_SIZE_ONE_MACHINE ((size_t)1 << 30)
#define GATHERED_RANKS_MAX 8u
#define SPIN_S 1e-4 /* before a rank that waits for another machine sleeps */
#define SLEEP_NS 50000

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static optinc_status check(const oi_mpi_transport *t, int code, const char *what)
{
    char text[MPI_MAX_ERROR_STRING + 64];
    char reason[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (code == MPI_SUCCESS)
        return OPTINC_OK;
    if (t->log.write) {
        MPI_Error_string(code, reason, &length);
        snprintf(text, sizeof text, "%s: %s", what, reason);
        t->log.write(t->log.user, OPTINC_LOG_ERROR, text);
    }
    return OPTINC_ERR_TRANSPORT;
}

/* Between two looks. A core that is shared goes to another process; a rank that sleeps is run again
 * as soon as it wakes, one that has spun its time away is not. Meanwhile the sockets move data. */
static void rest(const oi_mpi_transport *t, double waited)
{
    const struct timespec moment = {0, SLEEP_NS};

    if (t->one_machine || waited < SPIN_S)
        sched_yield();
    else
        nanosleep(&moment, NULL);
}

/* A slot's requests and memory grow at the first operations of a size and are kept. */
static bool grow(void **memory, size_t *capacity, size_t count, size_t element_size)
{
    void *larger;

    if (count <= *capacity)
        return true;
    if (count > SIZE_MAX / element_size)
        return false;
    larger = realloc(*memory, count * element_size);
    if (!larger)
        return false;
    *memory = larger;
    *capacity = count;
    return true;
}

static size_t piece_count(const oi_mpi_transport *t, size_t bytes)
{
    return bytes / t->piece_size + (bytes % t->piece_size != 0);
}

/* Room for `messages` of so many bytes each. */
static optinc_status open_slot(const oi_mpi_transport *t, oi_mpi_slot *slot, size_t messages,
                               size_t bytes)
{
    size_t pieces = piece_count(t, bytes);

    slot->request_count = 0;
    slot->gathered_ranks = 0;
    if (pieces > INT_MAX / (messages ? messages : 1))
        return OPTINC_ERR_OVERFLOW;
    if (!grow((void **)&slot->requests, &slot->request_capacity, messages * pieces,
              sizeof *slot->requests) ||
        !grow((void **)&slot->statuses, &slot->status_capacity, messages * pieces,
              sizeof *slot->statuses))
        return OPTINC_ERR_OUT_OF_MEMORY;
    return OPTINC_OK;
}

/* Messages travel in pieces, which MPI sends at once where they are short enough: a long message
 * waits for its receiver's answer first, several times with Open MPI over TCP, and each of these
 * waits is as long as it takes until the other process comes to run. All pieces of a slot have its
 * number for a tag; MPI keeps their order. */
static optinc_status receive_piece(const oi_mpi_transport *t, oi_mpi_slot *slot, int tag,
                                   uint8_t *data, size_t bytes, size_t offset, uint32_t from)
{
    size_t size = bytes - offset < t->piece_size ? bytes - offset : t->piece_size;

    return check(t,
                 MPI_Irecv(data + offset, (int)size, MPI_BYTE, (int)from, tag, t->comm,
                           &slot->requests[slot->request_count++]),
                 "MPI_Irecv");
}

static optinc_status send_piece(const oi_mpi_transport *t, oi_mpi_slot *slot, int tag,
                                const uint8_t *data, size_t bytes, size_t offset, uint32_t to)
{
    size_t size = bytes - offset < t->piece_size ? bytes - offset : t->piece_size;

    return check(t,
                 MPI_Isend(data + offset, (int)size, MPI_BYTE, (int)to, tag, t->comm,
                           &slot->requests[slot->request_count++]),
                 "MPI_Isend");
}

/* Everyone to everyone, `bytes` each: to rank r what is at send + r send_stride, from it to
 * receive + r bytes. Every rank begins with its right neighbour, so that no receiver gets all
 * first pieces. This rank's own part is copied, unless it is there already. */
static optinc_status start_exchange(oi_mpi_transport *t, uint32_t number, const uint8_t *send,
                                    size_t send_stride, uint8_t *receive, size_t bytes)
{
    oi_mpi_slot *slot = &t->slots[number];
    uint32_t ranks = t->interface.size, own = t->interface.rank;
    optinc_status status = open_slot(t, slot, 2 * ((size_t)ranks - 1), bytes);

    if (status != OPTINC_OK)
        return status;
    for (size_t offset = 0; offset < bytes; offset += t->piece_size)
        for (uint32_t i = 1; i < ranks && status == OPTINC_OK; i++) {
            uint32_t from = (own + ranks - i) % ranks;

            status =
                receive_piece(t, slot, (int)number, receive + from * bytes, bytes, offset, from);
        }
    for (size_t offset = 0; offset < bytes; offset += t->piece_size)
        for (uint32_t i = 1; i < ranks && status == OPTINC_OK; i++) {
            uint32_t to = (own + i) % ranks;

            status = send_piece(t, slot, (int)number, send + to * send_stride, bytes, offset, to);
        }
    memcpy(receive + own * bytes, send + own * send_stride, bytes);
    return status;
}

static optinc_status start_alltoall(void *user, uint32_t slot, const void *send, void *receive,
                                    size_t bytes)
{
    return start_exchange(user, slot, send, bytes, receive, bytes);
}

static optinc_status start_allgather(void *user, uint32_t slot, const void *send, void *receive,
                                     size_t bytes)
{
    return start_exchange(user, slot, send, 0, receive, bytes);
}

/* MPI_MAX of unsigned bytes compares them as signed ones in MPICH 4.0.2, so the operation is our own.
 * The signature is MPI's. */
static void max_of_bytes(void *in, void *inout, int *count, MPI_Datatype *type)
{
    const uint8_t *a = in;
    uint8_t *b = inout;

    (void)type;
    for (int i = 0; i < *count; i++)
        b[i] = a[i] > b[i] ? a[i] : b[i];
}

/* Among few ranks everyone gets everyone's bytes, which takes one turn where MPI's all-reduce takes
 * several; wait finds the maximum. */
static optinc_status start_max(void *user, uint32_t number, uint8_t *data, size_t bytes)
{
    oi_mpi_transport *t = user;
    oi_mpi_slot *slot = &t->slots[number];
    uint32_t ranks = t->interface.size;
    optinc_status status;

    if (ranks <= GATHERED_RANKS_MAX) {
        if (!grow((void **)&slot->gathered, &slot->gathered_capacity, bytes * ranks, 1))
            return OPTINC_ERR_OUT_OF_MEMORY;
        status = start_exchange(t, number, data, 0, slot->gathered, bytes);
        slot->gathered_ranks = ranks;
        slot->data = data;
        slot->data_size = bytes;
        return status;
    }
    if (bytes > INT_MAX)
        return OPTINC_ERR_OVERFLOW;
    status = open_slot(t, slot, 1, 1);
    if (status != OPTINC_OK)
        return status;
    slot->request_count = 1;
    return check(t,
                 MPI_Iallreduce(MPI_IN_PLACE, data, (int)bytes, MPI_BYTE, t->max, t->comm,
                                &slot->requests[0]),
                 "MPI_Iallreduce");
}

static optinc_status start_sendrecv(void *user, uint32_t number, const void *send, uint32_t to,
                                    void *receive, uint32_t from, size_t bytes)
{
    oi_mpi_transport *t = user;
    oi_mpi_slot *slot = &t->slots[number];
    optinc_status status = open_slot(t, slot, 2, bytes);

    for (size_t offset = 0; offset < bytes && status == OPTINC_OK; offset += t->piece_size)
        status = receive_piece(t, slot, (int)number, receive, bytes, offset, from);
    for (size_t offset = 0; offset < bytes && status == OPTINC_OK; offset += t->piece_size)
        status = send_piece(t, slot, (int)number, send, bytes, offset, to);
    return status;
}

static void find_max(oi_mpi_slot *slot)
{
    for (uint32_t rank = 0; rank < slot->gathered_ranks; rank++) {
        const uint8_t *x = slot->gathered + rank * slot->data_size;

        for (size_t i = 0; i < slot->data_size; i++)
            slot->data[i] = x[i] > slot->data[i] ? x[i] : slot->data[i];
    }
}

optinc_status oi_mpi_wait(oi_mpi_transport *t, int count, MPI_Request *requests,
                          MPI_Status *statuses)
{
    double begin = seconds_now();

    for (;;) {
        int done = 0;
        optinc_status status =
            check(t, MPI_Testall(count, requests, &done, statuses), "MPI_Testall");
        double waited;

        if (status != OPTINC_OK || done)
            return status;
        waited = seconds_now() - begin;
        if (t->timeout_seconds > 0 && waited > t->timeout_seconds) {
            if (t->log.write)
                t->log.write(t->log.user, OPTINC_LOG_ERROR, "a rank does not answer");
            return OPTINC_ERR_TIMEOUT;
        }
        rest(t, waited);
    }
}

static optinc_status wait_slot(void *user, uint32_t number)
{
    oi_mpi_transport *t = user;
    oi_mpi_slot *slot = &t->slots[number];
    optinc_status status;

    if (t->failure != MPI_SUCCESS)
        return check(t, t->failure, "MPI_Testall");
    status = oi_mpi_wait(t, slot->request_count, slot->requests, slot->statuses);
    if (status != OPTINC_OK)
        return status;
    find_max(slot);
    slot->request_count = 0;
    slot->gathered_ranks = 0;
    return OPTINC_OK;
}

/* Any call moves whatever MPI has in flight. */
static void progress(void *user)
{
    oi_mpi_transport *t = user;

    for (uint32_t i = 0; i < OPTINC_TRANSPORT_SLOTS; i++) {
        oi_mpi_slot *slot = &t->slots[i];
        int done, code;

        if (slot->request_count == 0)
            continue;
        code = MPI_Testall(slot->request_count, slot->requests, &done, slot->statuses);
        if (code != MPI_SUCCESS && t->failure == MPI_SUCCESS)
            t->failure = code;
        if (!done)
            return;
    }
}

/* FNV-1a, 64 bits, of the machine's name */
static uint64_t hash_machine(void)
{
    char name[MPI_MAX_PROCESSOR_NAME + 1] = "";
    uint64_t hash = 0xcbf29ce484222325u;
    int length = 0;

    MPI_Get_processor_name(name, &length);
    for (int i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3u;
    return hash;
}

/* A maximum of both x and ~x tells every rank whether all had the same x. */
enum { FIELD_MACHINE, FIELD_PIECE, FIELD_COUNT };

static optinc_status compare_ranks(oi_mpi_transport *t, size_t piece_wanted)
{
    const uint64_t own[FIELD_COUNT] = {
        [FIELD_MACHINE] = hash_machine(), [FIELD_PIECE] = piece_wanted};
    uint8_t packet[FIELD_COUNT][2][8], differs[FIELD_COUNT] = {0};
    optinc_status status;

    for (int field = 0; field < FIELD_COUNT; field++)
        for (int i = 0; i < 8; i++) {
            packet[field][0][i] = (uint8_t)(own[field] >> (8 * i));
            packet[field][1][i] = (uint8_t)~packet[field][0][i];
        }
    status = start_max(t, 0, &packet[0][0][0], sizeof packet);
    if (status == OPTINC_OK)
        status = wait_slot(t, 0);
    if (status != OPTINC_OK)
        return status;
    for (int field = 0; field < FIELD_COUNT; field++)
        for (int i = 0; i < 8; i++)
            differs[field] |= (uint8_t)(packet[field][0][i] ^ packet[field][1][i] ^ 0xff);
    t->one_machine = !differs[FIELD_MACHINE];
    if (differs[FIELD_PIECE]) {
        if (t->log.write)
            t->log.write(t->log.user, OPTINC_LOG_ERROR, "the ranks disagree on the piece size");
        return OPTINC_ERR_MISMATCH;
    }
    return OPTINC_OK;
}

optinc_status oi_mpi_transport_open(oi_mpi_transport *t, MPI_Comm comm,
                                    const oi_mpi_transport_options *options, const optinc_log *log)
{
    int rank = 0, size = 1;
    optinc_status status;

    memset(t, 0, sizeof *t);
    if (log)
        t->log = *log;
    t->comm = comm;
    t->max = MPI_OP_NULL;
    t->timeout_seconds = options->timeout_seconds;
    t->failure = MPI_SUCCESS;
    t->piece_size = PIECE_SIZE;
    t->one_machine = true;
    MPI_Comm_set_errhandler(t->comm, MPI_ERRORS_RETURN);
    status = check(t, MPI_Op_create(max_of_bytes, 1, &t->max), "MPI_Op_create");
    if (status != OPTINC_OK)
        return status;
    MPI_Comm_rank(t->comm, &rank);
    MPI_Comm_size(t->comm, &size);
    t->interface = (optinc_transport){
        .user = t,
        .rank = (uint32_t)rank,
        .size = (uint32_t)size,
        .start_alltoall = start_alltoall,
        .start_allgather = start_allgather,
        .start_max = start_max,
        .start_sendrecv = start_sendrecv,
        .wait = wait_slot,
        .progress = progress,
    };
    status = compare_ranks(t, options->piece_size);
    if (status == OPTINC_OK && options->piece_size)
        t->piece_size = options->piece_size < INT_MAX ? options->piece_size : INT_MAX;
    else if (status == OPTINC_OK && t->one_machine)
        t->piece_size = PIECE_SIZE_ONE_MACHINE;
    return status;
}

void oi_mpi_transport_close(oi_mpi_transport *t)
{
    for (uint32_t i = 0; i < OPTINC_TRANSPORT_SLOTS; i++)
        if (t->slots[i].request_count > 0)
            return; /* MPI may still write to the slots' memory */
    for (uint32_t i = 0; i < OPTINC_TRANSPORT_SLOTS; i++) {
        free(t->slots[i].requests);
        free(t->slots[i].statuses);
        free(t->slots[i].gathered);
    }
    if (t->max != MPI_OP_NULL)
        MPI_Op_free(&t->max);
    if (t->comm != MPI_COMM_NULL)
        MPI_Comm_free(&t->comm);
}
