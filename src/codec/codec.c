/* SPDX-License-Identifier: Apache-2.0 */
/* The codec's public calls: checks, the choice of a kernel, and the blocks shared among threads. */
#include "codec/check.h"
#include "codec/kernel.h"

#include "base/float_mode.h"
#include "base/philox.h"
#include "base/threads.h"

#include <omp.h>

/* Below this, starting threads costs more than it saves. */
#define PARALLEL_ELEMENTS_MIN ((size_t)1 << 17)

/* A result beyond this will not be in the caches when it is read: it need not pass through them.
 * What a pipelined caller sends on at once is far smaller. */
#define BYPASS_CACHE_BYTES_MIN ((size_t)8 << 20)

#define PORTS_MAX ((uint32_t)1 << 20)
#define BLOCK_SIZE_MAX 65536u
#define FLOATS_MAX ((size_t)PTRDIFF_MAX / sizeof(float)) /* of an array */

optinc_codec optinc_codec_default(uint32_t bits)
{
    return (optinc_codec){.bits = bits,
                          .block_size = OPTINC_BLOCK_SIZE_DEFAULT,
                          .rounding = OPTINC_ROUND_NEAREST,
                          .kernel = OPTINC_KERNEL_AUTO,
                          .thread_count = 1};
}

int optinc_exponent_min(uint32_t bits)
{
    return 130 - (int)bits - 253;
}

size_t optinc_block_count(uint32_t block_size, size_t element_count)
{
    return element_count / block_size + (element_count % block_size != 0);
}

typedef struct codec_kernel {
    void (*exponents)(const oi_exponent_job *job);
    void (*quantise)(const oi_quantise_job *job);
    void (*dequantise)(const oi_dequantise_job *job);
} codec_kernel;

static const codec_kernel kernel_plain = {oi_exponents_plain, oi_quantise_plain,
                                          oi_dequantise_plain};

#if defined(__x86_64__)
static const codec_kernel kernel_avx2 = {oi_exponents_avx2, oi_quantise_avx2, oi_dequantise_avx2};
static const codec_kernel kernel_avx512 = {oi_exponents_avx512, oi_quantise_avx512,
                                           oi_dequantise_avx512};

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static const codec_kernel *find_vector_kernel(optinc_kernel wanted)
{
    if (wanted != OPTINC_KERNEL_AVX2 && has_avx512())
        return &kernel_avx512;
    if (wanted != OPTINC_KERNEL_AVX512 && __builtin_cpu_supports("avx2"))
        return &kernel_avx2;
    return NULL;
}
#else
static const codec_kernel *find_vector_kernel(optinc_kernel wanted)
{
    (void)wanted;
    return NULL;
}
#endif

/* NULL: this CPU lacks it */
static const codec_kernel *find_kernel(optinc_kernel wanted)
{
    const codec_kernel *kernel = NULL;

    if (wanted != OPTINC_KERNEL_PLAIN)
        kernel = find_vector_kernel(wanted);
    if (!kernel && (wanted == OPTINC_KERNEL_PLAIN || wanted == OPTINC_KERNEL_AUTO))
        kernel = &kernel_plain;
    return kernel;
}

optinc_status oi_codec_check(const optinc_codec *codec)
{
    if (!codec || codec->bits < 2 || codec->bits > 32 || codec->bits % 2 != 0)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (codec->block_size < 4 || codec->block_size > BLOCK_SIZE_MAX || codec->block_size % 4 != 0)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (codec->rounding != OPTINC_ROUND_NEAREST && codec->rounding != OPTINC_ROUND_STOCHASTIC)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if ((int)codec->turn < OPTINC_TURN_NONE || codec->turn > OPTINC_TURN_ODD)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if ((int)codec->kernel < OPTINC_KERNEL_AUTO || codec->kernel > OPTINC_KERNEL_AVX512)
        return OPTINC_ERR_INVALID_ARGUMENT;
    return oi_threads_check(codec->thread_count, NULL);
}

optinc_status oi_result_scale_check(const optinc_result_scale *scale)
{
    if (!scale || (scale->op != OPTINC_SUM && scale->op != OPTINC_MEAN))
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (scale->ports < 1 || scale->ports > PORTS_MAX || (scale->ports & (scale->ports - 1)) != 0)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (scale->servers < 1 || scale->servers > scale->ports)
        return OPTINC_ERR_INVALID_ARGUMENT;
    return OPTINC_OK;
}

static optinc_status choose_kernel(const optinc_codec *codec, const codec_kernel **kernel)
{
    optinc_status status = oi_codec_check(codec);

    if (status != OPTINC_OK)
        return status;
    *kernel = find_kernel(codec->kernel);
    return *kernel ? OPTINC_OK : OPTINC_ERR_UNSUPPORTED;
}

/* One of the three jobs, over blocks block_first .. block_end-1 of it. */
typedef struct codec_work {
    const codec_kernel *kernel;
    const oi_exponent_job *exponents;
    const oi_quantise_job *quantise;
    const oi_dequantise_job *dequantise;
    uint32_t block_size;
    size_t count;
} codec_work;

/* Pointers advance by whole blocks, and 4 elements are `bits` half bytes: no code is cut. */
static void run_blocks(const codec_work *work, size_t block_first, size_t block_end)
{
    oi_float_mode saved = oi_float_mode_enter();
    size_t first = block_first * work->block_size;
    size_t count = (block_end - block_first) * work->block_size;

    if (count > work->count - first)
        count = work->count - first;
    if (work->exponents) {
        oi_exponent_job job = *work->exponents;

        job.x += first;
        job.count = count;
        job.exponents += block_first;
        work->kernel->exponents(&job);
    } else if (work->quantise) {
        oi_quantise_job job = *work->quantise;

        job.x += first;
        job.carried = job.carried ? job.carried + first : NULL;
        job.count = count;
        job.exponents += block_first;
        job.stream.element_first += first;
        job.symbols += first / 4 * job.bits / 2;
        work->kernel->quantise(&job);
    } else {
        oi_dequantise_job job = *work->dequantise;

        job.symbols += first / 4 * job.bits / 2;
        job.count = count;
        job.exponents += block_first;
        job.y += first;
        work->kernel->dequantise(&job);
    }
    oi_float_mode_leave(saved);
}

static void run(const optinc_codec *codec, const codec_work *work)
{
    size_t blocks = optinc_block_count(work->block_size, work->count);
    int threads = codec->thread_count ? (int)codec->thread_count : omp_get_max_threads();

    if (threads <= 1 || work->count < PARALLEL_ELEMENTS_MIN || blocks < 2) {
        run_blocks(work, 0, blocks);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        /* fewer threads than asked for may come, and the result does not depend on it */
        size_t share_count = (size_t)omp_get_num_threads();
        size_t share = (size_t)omp_get_thread_num();
        size_t each = blocks / share_count, rest = blocks % share_count;
        size_t block_first = share * each + (share < rest ? share : rest);
        size_t block_end = block_first + each + (share < rest);

        if (block_first < block_end)
            run_blocks(work, block_first, block_end);
    }
}

optinc_status optinc_codec_exponents(const optinc_codec *codec, const float *x, size_t count,
                                     uint8_t *exponents)
{
    const codec_kernel *kernel = NULL;
    optinc_status status = choose_kernel(codec, &kernel);

    if (status != OPTINC_OK || count == 0)
        return status;
    if (!x || !exponents)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (count > FLOATS_MAX)
        return OPTINC_ERR_OVERFLOW;
    oi_exponent_job job = {.bits = codec->bits,
                           .block_size = codec->block_size,
                           .x = x,
                           .count = count,
                           .exponents = exponents};
    codec_work work = {
        .kernel = kernel, .exponents = &job, .block_size = codec->block_size, .count = count};

    run(codec, &work);
    return OPTINC_OK;
}

uint64_t optinc_rank_seed(uint64_t seed, uint32_t rank)
{
    uint32_t word[4];

    oi_philox(seed, 0, rank, OI_PURPOSE_RANK, word);
    return word[0] | (uint64_t)word[1] << 32;
}

static optinc_status quantise(const optinc_codec *codec, const float *x, float *carried,
                              size_t count, const uint8_t *exponents, const optinc_stream *stream,
                              uint8_t *symbols)
{
    const codec_kernel *kernel = NULL;
    optinc_status status = choose_kernel(codec, &kernel);
    size_t size;

    if (status != OPTINC_OK)
        return status;
    if (codec->rounding == OPTINC_ROUND_STOCHASTIC && !stream)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (count == 0)
        return OPTINC_OK;
    if (!x || !exponents || !symbols)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (count > FLOATS_MAX)
        return OPTINC_ERR_OVERFLOW;
    size = optinc_symbols_size(codec->bits, count);
    oi_quantise_job job = {.bits = codec->bits,
                           .block_size = codec->block_size,
                           .rounding = codec->rounding,
                           .x = x,
                           .carried = carried,
                           .count = count,
                           .exponents = exponents,
                           .turn = codec->turn,
                           .stream = stream ? *stream : (optinc_stream){0},
                           .symbols = symbols,
                           .bypass_cache = size >= BYPASS_CACHE_BYTES_MIN};
    codec_work work = {
        .kernel = kernel, .quantise = &job, .block_size = codec->block_size, .count = count};

    run(codec, &work);
    return OPTINC_OK;
}

optinc_status optinc_codec_quantise(const optinc_codec *codec, const float *x, size_t count,
                                    const uint8_t *exponents, const optinc_stream *stream,
                                    uint8_t *symbols)
{
    return quantise(codec, x, NULL, count, exponents, stream, symbols);
}

optinc_status optinc_codec_quantise_feedback(const optinc_codec *codec, float *carried,
                                             size_t count, const uint8_t *exponents,
                                             const optinc_stream *stream, uint8_t *symbols)
{
    return quantise(codec, carried, carried, count, exponents, stream, symbols);
}

optinc_status optinc_codec_dequantise(const optinc_codec *codec, const uint8_t *symbols,
                                      size_t count, const uint8_t *exponents,
                                      const optinc_result_scale *scale, float *y)
{
    const codec_kernel *kernel = NULL;
    optinc_status status = choose_kernel(codec, &kernel);

    if (status == OPTINC_OK)
        status = oi_result_scale_check(scale);
    if (status != OPTINC_OK || count == 0)
        return status;
    if (!symbols || !exponents || !y)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (count > FLOATS_MAX)
        return OPTINC_ERR_OVERFLOW;
    oi_dequantise_job job = {.bits = codec->bits,
                             .block_size = codec->block_size,
                             .symbols = symbols,
                             .count = count,
                             .exponents = exponents,
                             .ports = scale->ports,
                             .divisor = scale->op == OPTINC_MEAN ? scale->servers : 1,
                             .turn = codec->turn,
                             .y = y,
                             .bypass_cache = count >= BYPASS_CACHE_BYTES_MIN / sizeof *y};
    codec_work work = {
        .kernel = kernel, .dequantise = &job, .block_size = codec->block_size, .count = count};

    run(codec, &work);
    return OPTINC_OK;
}
