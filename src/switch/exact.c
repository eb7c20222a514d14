/* SPDX-License-Identifier: Apache-2.0 */
/* The backend exact: r = floor((T + offset) / D) of docs/proofs.md, for designs whose proof
 * says that their ONN computes just that. */
#include "switch/exact.h"

#include "base/log.h"
#include "base/memory.h"
#include "switch/batch.h"

typedef struct exact {
    optinc_spec spec;
    void (*average)(const oi_average_job *job); /* NULL: none for these codes */
} exact;

typedef struct scratch {
    uint32_t offsets[OPTINC_BATCH_ELEMENTS_MAX];
    uint64_t codes[OPTINC_BATCH_ELEMENTS_MAX];
    uint64_t totals[OPTINC_BATCH_ELEMENTS_MAX];
} scratch;

static const oi_exact_kernel *kernel_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") ? oi_exact_kernel_avx2() : NULL;
#else
    return NULL;
#endif
}

static const oi_exact_kernel *kernel_avx512(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
               ? oi_exact_kernel_avx512()
               : NULL;
#else
    return NULL;
#endif
}

/* NULL: this CPU lacks it */
static const oi_exact_kernel *find_kernel(optinc_kernel wanted)
{
    const oi_exact_kernel *kernel = NULL;

    switch (wanted) {
    case OPTINC_KERNEL_PLAIN:
        return oi_exact_kernel_plain();
    case OPTINC_KERNEL_AVX2:
        return kernel_avx2();
    case OPTINC_KERNEL_AVX512:
        return kernel_avx512();
    case OPTINC_KERNEL_AUTO:
        kernel = kernel_avx512();
        if (!kernel)
            kernel = kernel_avx2();
        if (!kernel)
            kernel = oi_exact_kernel_plain();
        break;
    }
    return kernel;
}

/* T plus any offset is at most N (2^B - 1) + D - 1 < 2^20 2^32 + 2^24 where a kernel is used. */
static void choose_average(exact *state, const oi_exact_kernel *kernel)
{
    const optinc_spec *spec = &state->spec;
    uint64_t divisor = UINT64_C(1) << spec->divisor_log2;
    uint64_t total_max;

    if (spec->bits_in != spec->bits_out || !oi_is_little_endian() || spec->bits_in > 32)
        return;
    total_max = spec->ports * ((UINT64_C(1) << spec->bits_in) - 1) + divisor - 1;
    if (spec->bits_in == 4 && total_max <= UINT16_MAX)
        state->average = kernel->wide4;
    if (spec->bits_in == 8)
        state->average = total_max <= UINT16_MAX ? kernel->narrow8 : kernel->wide8;
    if (spec->bits_in == 16)
        state->average = total_max <= UINT32_MAX ? kernel->narrow16 : kernel->wide16;
    if (spec->bits_in == 32)
        state->average = kernel->narrow32;
}

static optinc_status create(const optinc_unit *unit, const optinc_switch_options *options,
                            const optinc_log *log, void **state)
{
    const oi_exact_kernel *kernel = find_kernel(options->kernel);
    exact *made;

    if (!unit->proof.exact)
        return oi_fail(log, OPTINC_ERR_NOT_EXACT,
                       "backend exact: the design's proof does not say that it is exact");
    if (!kernel)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                       "backend exact: this CPU does not have kernel %d", (int)options->kernel);
    made = oi_allocate(1, sizeof *made);
    if (!made)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "backend exact: no memory");
    made->spec = unit->spec;
    choose_average(made, kernel);
    *state = made;
    return OPTINC_OK;
}

static void destroy(void *state)
{
    oi_free(state);
}

static size_t scratch_size(const void *state)
{
    (void)state;
    return sizeof(scratch);
}

/* Codes of any number of bits, one by one. */
static optinc_status reduce_any(const optinc_spec *spec, const optinc_batch *batch,
                                const uint32_t *offsets)
{
    scratch *own = batch->scratch;
    uint64_t mask = (UINT64_C(1) << spec->bits_out) - 1;
    uint64_t idle = oi_batch_idle_total(spec, batch);

    for (size_t i = 0; i < batch->element_count; i++)
        own->totals[i] = idle;
    for (uint32_t port = 0; port < batch->port_count; port++) {
        optinc_status status =
            optinc_symbols_unpack(spec->bits_in, batch->symbols + port * batch->port_stride_bytes,
                                  batch->element_count, own->codes);

        if (status)
            return status;
        for (size_t i = 0; i < batch->element_count; i++)
            own->totals[i] += own->codes[i];
    }
    for (size_t i = 0; i < batch->element_count; i++)
        own->codes[i] =
            mask & optinc_reference_result(spec, own->totals[i], offsets ? offsets[i] : 0);
    return optinc_symbols_pack(spec->bits_out, own->codes, batch->element_count, batch->result);
}

static optinc_status reduce(const void *state, const optinc_batch *batch)
{
    const exact *self = state;
    const optinc_spec *spec = &self->spec;
    scratch *own = batch->scratch;
    oi_average_job job = {.symbols = batch->symbols,
                          .stride = batch->port_stride_bytes,
                          .port_count = batch->port_count,
                          .count = batch->element_count,
                          .base = oi_batch_idle_total(spec, batch),
                          .shift = spec->divisor_log2,
                          .result = batch->result};

    if (spec->variant == OPTINC_VARIANT_STOCHASTIC) {
        oi_batch_offsets(spec, batch, own->offsets);
        job.offsets = own->offsets;
    }
    if (!self->average)
        return reduce_any(spec, batch, job.offsets);
    if (spec->variant == OPTINC_VARIANT_HALF_UP)
        job.base += (UINT64_C(1) << spec->divisor_log2) / 2;
    self->average(&job);
    return OPTINC_OK;
}

const optinc_backend *optinc_backend_exact(void)
{
    static const optinc_backend backend = {"exact", create, destroy, scratch_size, reduce};

    return &backend;
}
