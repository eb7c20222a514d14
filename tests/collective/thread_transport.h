/* SPDX-License-Identifier: Apache-2.0 */
/* A transport between the threads of one process. It checks what the interface promises to engines:
 * all ranks start and wait for the same operations with the same sizes in the same order, in free
 * slots only, and leave buffers alone until wait. */
#ifndef TESTS_COLLECTIVE_THREAD_TRANSPORT_H
#define TESTS_COLLECTIVE_THREAD_TRANSPORT_H

#include "optinc/collective.h"

typedef struct thread_hub thread_hub;

thread_hub *thread_hub_create(uint32_t size);
void thread_hub_destroy(thread_hub *hub);

/* The transport of one rank; it lives as long as the hub. */
const optinc_transport *thread_hub_transport(thread_hub *hub, uint32_t rank);

/* From the operation_count-th start (or wait) on every one fails; 0 is the first. */
void thread_hub_fail_start(thread_hub *hub, uint64_t operation_count);
void thread_hub_fail_wait(thread_hub *hub, uint64_t operation_count);

/* Bytes that a rank's buffers sent to other ranks by alltoall and allgather. */
uint64_t thread_hub_bytes(const thread_hub *hub, uint32_t rank);

/* Runs body(user, rank, transport) on one thread per rank and joins them. */
void thread_hub_run(thread_hub *hub,
                    void (*body)(void *user, uint32_t rank, const optinc_transport *transport),
                    void *user);

#endif
