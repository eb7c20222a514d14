/* SPDX-License-Identifier: Apache-2.0 */
/* The codec on one thread beside memcpy of the same floats: bytes of float data a second.
 * bench_codec [--csv PATH] [--rounds N] [--mib N] [--kernel auto|plain|avx2|avx512] */
#include "bench.h"

#include "optinc/codec.h"

typedef struct work {
    optinc_codec codec;
    optinc_result_scale scale;
    optinc_stream stream;
    size_t count;
    float *x;
    float *y;
    uint8_t *exponents;
    uint8_t *symbols;
} work;

static void must(optinc_status status)
{
    if (status != OPTINC_OK) {
        fprintf(stderr, "bench_codec: %s\n", optinc_status_text(status));
        exit(1);
    }
}

static void copy(void *context)
{
    work *w = context;

    memcpy(w->y, w->x, w->count * sizeof *w->x);
}

static void exponents(void *context)
{
    work *w = context;

    must(optinc_codec_exponents(&w->codec, w->x, w->count, w->exponents));
}

static void quantise(void *context)
{
    work *w = context;

    must(optinc_codec_quantise(&w->codec, w->x, w->count, w->exponents, &w->stream, w->symbols));
}

static void exponents_and_quantise(void *context)
{
    exponents(context);
    quantise(context);
}

static void quantise_feedback(void *context)
{
    work *w = context;

    must(optinc_codec_quantise_feedback(&w->codec, w->y, w->count, w->exponents, &w->stream,
                                        w->symbols));
}

static void dequantise(void *context)
{
    work *w = context;

    must(optinc_codec_dequantise(&w->codec, w->symbols, w->count, w->exponents, &w->scale, w->y));
}

static void compare(const bench_options *options, work *w, const char *what,
                    void (*run)(void *context))
{
    bench_side ours = {what, run, w}, other = {"memcpy", copy, w};
    bench_medians medians = bench_in_turn(ours, other, options->rounds);

    bench_report_rate(options, "codec", what, "memcpy", medians,
                      1e-9 * (double)(w->count * sizeof *w->x), "GB/s");
}

static void run_bits(const bench_options *options, work *w, uint32_t bits)
{
    char what[64];

    w->codec.bits = bits;
    exponents(w);
    snprintf(what, sizeof what, "quantise B=%u", bits);
    compare(options, w, what, quantise);
    snprintf(what, sizeof what, "exponents+quantise B=%u", bits);
    compare(options, w, what, exponents_and_quantise);
    snprintf(what, sizeof what, "dequantise B=%u", bits);
    compare(options, w, what, dequantise);
}

static void run_all(const bench_options *options, work *w)
{
    compare(options, w, "exponents", exponents);
    run_bits(options, w, 8);
    run_bits(options, w, 4);
    run_bits(options, w, 16);
    w->codec.bits = 8;
    w->scale.servers = 3;
    exponents(w);
    quantise(w);
    compare(options, w, "dequantise B=8 N=4 K=3", dequantise);
    compare(options, w, "feedback B=8", quantise_feedback);
    w->codec.rounding = OPTINC_ROUND_STOCHASTIC;
    compare(options, w, "stochastic B=8", quantise);
}

static optinc_kernel kernel_named(const char *name)
{
    static const char *const names[] = {"auto", "plain", "avx2", "avx512"};

    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (optinc_kernel)i;
    fprintf(stderr, "bench_codec: --kernel: expected auto, plain, avx2 or avx512\n");
    exit(2);
}

int main(int argc, char **argv)
{
    bench_options options = bench_parse(argc, argv, 21);
    work w = {.codec = optinc_codec_default(8), .scale = {OPTINC_MEAN, 4, 4}};
    size_t mib = 64;

    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--mib") == 0)
            mib = (size_t)atol(argv[i + 1]);
        if (strcmp(argv[i], "--kernel") == 0)
            w.codec.kernel = kernel_named(argv[i + 1]);
    }
    w.count = (mib << 20) / sizeof *w.x;
    w.x = aligned_alloc(64, w.count * sizeof *w.x);
    w.y = aligned_alloc(64, w.count * sizeof *w.y);
    w.symbols = aligned_alloc(64, w.count * sizeof *w.y);
    w.exponents = malloc(optinc_block_count(OPTINC_BLOCK_SIZE_DEFAULT, w.count));
    if (!w.x || !w.y || !w.symbols || !w.exponents) {
        fprintf(stderr, "bench_codec: out of memory\n");
        return 1;
    }
    /* written, so that every page is there: a sawtooth with scales that differ by block */
    for (size_t i = 0; i < w.count; i++)
        w.x[i] = ((float)(i * 2654435761u % 65536) - 32768.0f) * (float)(1 + i / 256 % 7);
    memcpy(w.y, w.x, w.count * sizeof *w.x);
    memset(w.symbols, 1, w.count * sizeof *w.y);
    printf("%zu MiB of float32, one thread, medians of %d in turn\n", mib, options.rounds);
    run_all(&options, &w);
    free(w.exponents);
    free(w.symbols);
    free(w.y);
    free(w.x);
    return 0;
}
