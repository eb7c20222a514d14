/* SPDX-License-Identifier: Apache-2.0 */
#include "collective/thread_transport.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Used by threads, where cmocka's assertions may not be. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

typedef enum operation { NONE, ALLTOALL, ALLGATHER, MAX, SENDRECV } operation;

typedef struct post {
    operation kind;
    const uint8_t *send;
    uint8_t *receive;
    size_t bytes;
    uint64_t sequence;
    uint64_t hash; /* of what was sent, at the start */
    uint32_t to;
    uint32_t from;
} post;

typedef struct member {
    thread_hub *hub;
    optinc_transport transport;
    post posts[OPTINC_TRANSPORT_SLOTS];
    uint64_t started;
    uint64_t bytes;
    uint64_t waited;
    uint64_t wait_sequence[OPTINC_TRANSPORT_SLOTS];
} member;

struct thread_hub {
    uint32_t size;
    uint64_t fail_start;
    uint64_t fail_wait;
    pthread_barrier_t barriers[OPTINC_TRANSPORT_SLOTS];
    member *members;
};

static uint64_t hash_bytes(const uint8_t *data, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ data[i]) * 0x100000001b3u;
    return hash;
}

static size_t send_size(const post *p, uint32_t size)
{
    return p->kind == ALLTOALL ? p->bytes * size : p->bytes;
}

static size_t receive_size(const post *p, uint32_t size)
{
    return p->kind == ALLTOALL || p->kind == ALLGATHER ? p->bytes * size : p->bytes;
}

static optinc_status start(member *m, uint32_t slot, post p)
{
    if (m->started >= m->hub->fail_start)
        return OPTINC_ERR_TRANSPORT;
    REQUIRE(slot < OPTINC_TRANSPORT_SLOTS);
    REQUIRE(m->posts[slot].kind == NONE);
    p.sequence = m->started++;
    p.hash = hash_bytes(p.send, send_size(&p, m->hub->size));
    if (p.kind != MAX)
        memset(p.receive, 0xa5, receive_size(&p, m->hub->size));
    m->posts[slot] = p;
    return OPTINC_OK;
}

static optinc_status start_alltoall(void *user, uint32_t slot, const void *send, void *receive,
                                    size_t bytes)
{
    member *m = user;

    m->bytes += (m->hub->size - 1) * bytes;
    return start(m, slot,
                 (post){.kind = ALLTOALL, .send = send, .receive = receive, .bytes = bytes});
}

static optinc_status start_allgather(void *user, uint32_t slot, const void *send, void *receive,
                                     size_t bytes)
{
    member *m = user;

    m->bytes += (m->hub->size - 1) * bytes;
    return start(m, slot,
                 (post){.kind = ALLGATHER, .send = send, .receive = receive, .bytes = bytes});
}

static optinc_status start_max(void *user, uint32_t slot, uint8_t *data, size_t bytes)
{
    return start(user, slot, (post){.kind = MAX, .send = data, .receive = data, .bytes = bytes});
}

static optinc_status start_sendrecv(void *user, uint32_t slot, const void *send, uint32_t to,
                                    void *receive, uint32_t from, size_t bytes)
{
    return start(user, slot,
                 (post){.kind = SENDRECV,
                        .send = send,
                        .receive = receive,
                        .bytes = bytes,
                        .to = to,
                        .from = from});
}

static void move(const member *m, uint32_t slot, uint8_t *max)
{
    const post *own = &m->posts[slot];
    uint32_t rank = m->transport.rank;

    for (uint32_t other = 0; other < m->hub->size; other++) {
        const post *theirs = &m->hub->members[other].posts[slot];

        REQUIRE(theirs->kind == own->kind);
        REQUIRE(theirs->bytes == own->bytes);
        REQUIRE(theirs->sequence == own->sequence);
        if (own->kind == ALLTOALL) {
            memcpy(own->receive + other * own->bytes, theirs->send + rank * own->bytes, own->bytes);
        } else if (own->kind == ALLGATHER) {
            memcpy(own->receive + other * own->bytes, theirs->send, own->bytes);
        } else if (own->kind == SENDRECV) {
            if (other == own->from) {
                REQUIRE(theirs->to == rank);
                memcpy(own->receive, theirs->send, own->bytes);
            }
        } else {
            for (size_t i = 0; i < own->bytes; i++)
                max[i] = theirs->send[i] > max[i] ? theirs->send[i] : max[i];
        }
    }
}

static optinc_status wait(void *user, uint32_t slot)
{
    member *m = user;
    post *own = &m->posts[slot];
    uint8_t *max = NULL;

    if (m->waited >= m->hub->fail_wait)
        return OPTINC_ERR_TRANSPORT;
    REQUIRE(slot < OPTINC_TRANSPORT_SLOTS);
    REQUIRE(own->kind != NONE);
    m->wait_sequence[slot] = m->waited++;
    if (own->kind == MAX) {
        max = calloc(own->bytes + 1, 1);
        REQUIRE(max);
    }
    pthread_barrier_wait(&m->hub->barriers[slot]);
    for (uint32_t other = 0; other < m->hub->size; other++)
        REQUIRE(m->hub->members[other].wait_sequence[slot] == m->wait_sequence[slot]);
    REQUIRE(hash_bytes(own->send, send_size(own, m->hub->size)) == own->hash);
    move(m, slot, max);
    pthread_barrier_wait(&m->hub->barriers[slot]);
    if (max)
        memcpy(own->receive, max, own->bytes);
    free(max);
    own->kind = NONE;
    /* nobody may look at this post any more once it is reused */
    pthread_barrier_wait(&m->hub->barriers[slot]);
    return OPTINC_OK;
}

thread_hub *thread_hub_create(uint32_t size)
{
    thread_hub *hub = calloc(1, sizeof *hub);

    REQUIRE(hub);
    hub->size = size;
    hub->fail_start = UINT64_MAX;
    hub->fail_wait = UINT64_MAX;
    hub->members = calloc(size, sizeof *hub->members);
    REQUIRE(hub->members);
    for (uint32_t slot = 0; slot < OPTINC_TRANSPORT_SLOTS; slot++)
        REQUIRE(pthread_barrier_init(&hub->barriers[slot], NULL, size) == 0);
    for (uint32_t rank = 0; rank < size; rank++) {
        member *m = &hub->members[rank];

        m->hub = hub;
        m->transport = (optinc_transport){
            .user = m,
            .rank = rank,
            .size = size,
            .start_alltoall = start_alltoall,
            .start_allgather = start_allgather,
            .start_max = start_max,
            .start_sendrecv = start_sendrecv,
            .wait = wait,
        };
    }
    return hub;
}

void thread_hub_destroy(thread_hub *hub)
{
    for (uint32_t slot = 0; slot < OPTINC_TRANSPORT_SLOTS; slot++)
        pthread_barrier_destroy(&hub->barriers[slot]);
    free(hub->members);
    free(hub);
}

const optinc_transport *thread_hub_transport(thread_hub *hub, uint32_t rank)
{
    return &hub->members[rank].transport;
}

void thread_hub_fail_start(thread_hub *hub, uint64_t operation_count)
{
    hub->fail_start = operation_count;
}

void thread_hub_fail_wait(thread_hub *hub, uint64_t operation_count)
{
    hub->fail_wait = operation_count;
}

uint64_t thread_hub_bytes(const thread_hub *hub, uint32_t rank)
{
    return hub->members[rank].bytes;
}

typedef struct thread_call {
    void (*body)(void *user, uint32_t rank, const optinc_transport *transport);
    void *user;
    const optinc_transport *transport;
} thread_call;

static void *thread_main(void *argument)
{
    const thread_call *call = argument;

    call->body(call->user, call->transport->rank, call->transport);
    return NULL;
}

void thread_hub_run(thread_hub *hub,
                    void (*body)(void *user, uint32_t rank, const optinc_transport *transport),
                    void *user)
{
    pthread_t *threads = calloc(hub->size, sizeof *threads);
    thread_call *calls = calloc(hub->size, sizeof *calls);

    REQUIRE(threads && calls);
    for (uint32_t rank = 0; rank < hub->size; rank++) {
        calls[rank] = (thread_call){body, user, thread_hub_transport(hub, rank)};
        REQUIRE(pthread_create(&threads[rank], NULL, thread_main, &calls[rank]) == 0);
    }
    for (uint32_t rank = 0; rank < hub->size; rank++)
        REQUIRE(pthread_join(threads[rank], NULL) == 0);
    free(threads);
    free(calls);
}
