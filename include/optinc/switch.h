/* SPDX-License-Identifier: Apache-2.0 */
/* A design made executable. The backends exact and table are here; onn and photonic come with the
 * toolchain (optinc/onn.h, optinc/optics.h) and plug into the same interface. */
#ifndef OPTINC_SWITCH_H
#define OPTINC_SWITCH_H

#include "optinc/codec.h"
#include "optinc/faults.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One run of one unit (one switch of the tree) over `element_count` elements. symbols
 * [port_count][port_stride_bytes] packed at bits_in; ports port_count .. N-1 send zero_code. result
 * packed at bits_out. Buffers do not overlap. */
typedef struct optinc_batch {
    const uint8_t *symbols;
    size_t port_stride_bytes;
    uint32_t port_count; /* 0 .. N */
    uint8_t *result;
    size_t element_count;
    optinc_stream stream; /* element_first: index of the batch's first element in the message */
    uint32_t unit_index;  /* which of the level's units: noise differs from chip to chip */
    void *scratch;        /* scratch_size bytes, 64-byte aligned, of the calling thread's own */
} optinc_batch;

/* Elements of the largest batch that a backend is handed; batches start at multiples of 4. */
#define OPTINC_BATCH_ELEMENTS_MAX 4096u

typedef struct optinc_switch_options {
    uint32_t thread_count; /* OpenMP threads; 0: OpenMP's default */
    optinc_kernel kernel;
    const void *backend_options; /* the backend's own struct, or NULL; copied by create */
    const optinc_faults *faults; /* of the tree, what is in it copied by create; NULL: none, and no
                                    monitors. Slower than without. */
} optinc_switch_options;

/* The interface of a backend. A state is made from one unit and may be run by many threads at once;
 * all that changes lives in the batch's scratch. */
typedef struct optinc_backend {
    const char *name;
    optinc_status (*create)(const optinc_unit *unit, const optinc_switch_options *options,
                            const optinc_log *log, void **state);
    void (*destroy)(void *state);
    size_t (*scratch_size)(const void *state);
    optinc_status (*reduce)(const void *state, const optinc_batch *batch);
} optinc_backend;

/* exact: the reference function as a vector kernel. Creating it from a design that is not proved
 * exact is OPTINC_ERR_NOT_EXACT. table: what the ONN really answers, case by case; a unit without a
 * table is OPTINC_ERR_UNSUPPORTED. Static objects. */
OPTINC_API const optinc_backend *optinc_backend_exact(void);
OPTINC_API const optinc_backend *optinc_backend_table(void);

typedef struct optinc_switch optinc_switch;

/* The design is borrowed and must outlive the switch. All memory is taken here; reduce allocates
 * nothing. options NULL: defaults (one thread). A backend without one of its functions:
 * OPTINC_ERR_INVALID_ARGUMENT. A tree of exact
 * switches runs on the exact backend as the one flat switch whose bits it gives. */
OPTINC_API optinc_status optinc_switch_create(const optinc_design *design,
                                              const optinc_backend *backend,
                                              const optinc_switch_options *options,
                                              const optinc_log *log,
                                              optinc_switch **out) OPTINC_WARN_UNUSED;
/* Safe on NULL and twice; sets *sw to NULL. */
OPTINC_API void optinc_switch_destroy(optinc_switch **sw);

/* Reduces port_count (1 .. N of the whole tree) packed code vectors, symbols
 * [port_count][port_stride_bytes], to result, packed at the flat spec's bits_out (B, but for a
 * residual switch alone), unused bits of its last byte zero; result must not overlap symbols.
 * The bits do not depend on thread count or on how a message is cut (at multiples of 4 elements,
 * stream->element_first telling where; any other is OPTINC_ERR_INVALID_ARGUMENT, as is a
 * port_stride_bytes too short for the elements). One call at a time per switch. stream NULL: all
 * zero. With faults, symbols of ports that are dark or have left are not looked at;
 * OPTINC_ERR_DARK: see OPTINC_FAULT_ERROR, result is then undefined. */
OPTINC_API optinc_status optinc_switch_reduce(optinc_switch *sw, const uint8_t *symbols,
                                              size_t port_stride_bytes, uint32_t port_count,
                                              size_t element_count, const optinc_stream *stream,
                                              uint8_t *result) OPTINC_WARN_UNUSED;

/* After OPTINC_ERR_DARK: one of the inputs that were dark, as a level and the input's number among
 * all of that level's switches (level 0: the servers' ports; the last level + 1: the tree's one
 * output). Else false. */
OPTINC_API bool optinc_switch_dark_at(const optinc_switch *sw, optinc_place *input);

OPTINC_API const optinc_design *optinc_switch_design(const optinc_switch *sw);
OPTINC_API const char *optinc_switch_backend_name(const optinc_switch *sw);

#ifdef __cplusplus
}
#endif
#endif
