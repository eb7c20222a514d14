/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of the switch: one suite, with the backend as its argument. A room that has
 * a backend of its own links switch_conformance in its CMakeLists.txt and calls conformance_run
 * from a cmocka test. */
#ifndef TESTS_SWITCH_CONFORMANCE_H
#define TESTS_SWITCH_CONFORMANCE_H

#include "optinc/switch.h"

typedef struct conformance {
    const optinc_design *design;
    const optinc_backend *backend;
    const void *backend_options;
    optinc_kernel kernel;
    /* The answers are not known, only that they repeat to the bit: a backend with noise. */
    bool noisy;
    /* r of an element from the codes of the ports in use, port_codes [port_count]. NULL: the
     * integer oracle of conformance_exact. */
    uint64_t (*answer)(const struct conformance *suite, const uint64_t *port_codes,
                       uint32_t port_count, const optinc_stream *stream, uint64_t element);
    const void *user;         /* for `answer` */
    size_t element_count_max; /* for slow backends; 0: all sizes, up to 12,345 */
    uint64_t seed;            /* of the random codes and of the stream */
} conformance;

/* floor((T + offset) / D) of the whole tree as one switch, in 128-bit integers. */
uint64_t conformance_exact(const conformance *suite, const uint64_t *port_codes,
                           uint32_t port_count, const optinc_stream *stream, uint64_t element);

/* Random, equal and extreme codes; idle ports; sizes about every vector and batch; 1, 2 and 4
 * threads; chunkings; unaligned buffers; poisoned results; refused arguments. Fails the calling
 * cmocka test. */
void conformance_run(const conformance *suite);

#endif
