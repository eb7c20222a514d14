/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic rounding at the senders: every rank draws its own numbers, which seed, step and element
 * determine, and the mean of their codes has an error that falls as 1/sqrt(K). */
#include "base/philox.h"
#include "collective/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 40000u
#define SEED 77u
#define STEP 3u

/* The draw for an element, by the definition in optinc/codec.h. */
static double draw(uint32_t rank, uint64_t element)
{
    uint32_t key[4], word[4];

    oi_philox(SEED, 0, rank, OI_PURPOSE_RANK, key);
    oi_philox(key[0] | (uint64_t)key[1] << 32, STEP, element / 4, OI_PURPOSE_QUANTISE, word);
    return word[element % 4] * 0x1p-32;
}

/* Equal values on all ranks, halfway between two codes, and a 127 in each block of 256: e = 0. */
static void fill_halves(world *w)
{
    for (uint32_t rank = 0; rank < w->ranks; rank++)
        for (size_t i = 0; i < w->count; i++)
            w->input[rank][i] = i % 256 == 0 ? 127.0f : (float)(i % 201) - 100.5f;
}

static void every_rank_draws_its_own(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint32_t ranks = 1; ranks <= 4; ranks++) {
        world w = make_world(design, ranks, COUNT);

        w.options = (optinc_collective_options){
            .rounding = OPTINC_ROUND_STOCHASTIC, .seed = SEED, .thread_count = ranks};
        w.op = OPTINC_SUM;
        w.step = STEP;
        fill_halves(&w);
        run_world_ok(&w);
        for (size_t i = 0; i < COUNT; i++) {
            int64_t total = (int64_t)(4 - ranks) * 128, result;

            for (uint32_t rank = 0; rank < ranks; rank++)
                total += (int64_t)floor((double)w.input[rank][i] + draw(rank, i)) + 128;
            result = ((total + 2) / 4 - 128) * 4;
            if (!(w.output[0][i] == (float)result))
                fail_msg("%u ranks, element %zu: %g, not %g", ranks, i, (double)w.output[0][i],
                         (double)result);
        }
        free_world(&w);
    }
    optinc_design_destroy(&design);
}

/* Codes of x = k + 1/2 are k or k+1: with K independent draws their mean is off by 1/(2 sqrt(K)), root
 * mean square; over n elements that is seen to within a relative 1/sqrt(2n). */
static void mean_error_falls(void **state)
{
    optinc_codec codec = optinc_codec_default(8);
    world w = make_world(NULL, 1, COUNT);
    uint8_t *exponents = calloc(COUNT, 1), *symbols = calloc(COUNT, 1);
    double *sum = calloc(COUNT, sizeof *sum);

    (void)state;
    assert_non_null(exponents);
    assert_non_null(symbols);
    assert_non_null(sum);
    codec.rounding = OPTINC_ROUND_STOCHASTIC;
    fill_halves(&w);
    assert_int_equal(optinc_codec_exponents(&codec, w.input[0], COUNT, exponents), OPTINC_OK);
    for (uint32_t ranks = 1; ranks <= 64; ranks++) {
        const optinc_stream stream = {optinc_rank_seed(SEED, ranks - 1), STEP, 0};
        double squares = 0.0, rms, expected = 0.5 / sqrt(ranks);
        size_t halves = 0;

        assert_int_equal(
            optinc_codec_quantise(&codec, w.input[0], COUNT, exponents, &stream, symbols),
            OPTINC_OK);
        for (size_t i = 0; i < COUNT; i++) {
            double error;

            sum[i] += (double)symbols[i] - 128.0;
            error = sum[i] / ranks - (double)w.input[0][i];
            if (i % 256 == 0)
                continue;
            squares += error * error;
            halves++;
        }
        rms = sqrt(squares / (double)halves);
        if (!(fabs(rms - expected) <= 0.03 * expected))
            fail_msg("%u ranks: error %g, expected %g", ranks, rms, expected);
    }
    free(exponents);
    free(symbols);
    free(sum);
    free_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rank_draws_its_own),
        cmocka_unit_test(mean_error_falls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
