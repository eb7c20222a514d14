/* SPDX-License-Identifier: Apache-2.0 */
#include "base/philox_words.h"

#include <string.h>

static size_t vector_words(uint64_t seed, uint64_t step, uint64_t index_first, size_t index_count,
                           oi_purpose purpose, uint32_t *words)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return oi_philox_words_avx512(seed, step, index_first, index_count, purpose, words);
    if (__builtin_cpu_supports("avx2"))
        return oi_philox_words_avx2(seed, step, index_first, index_count, purpose, words);
#else
    (void)seed, (void)step, (void)index_first, (void)index_count, (void)purpose, (void)words;
#endif
    return 0;
}

void oi_philox_words(uint64_t seed, uint64_t step, uint64_t first, size_t count, oi_purpose purpose,
                     uint32_t *words)
{
    uint32_t block[4];
    size_t done = 0;

    if (first % 4 != 0) {
        size_t skipped = (size_t)(first % 4);
        size_t head = 4 - skipped < count ? 4 - skipped : count;

        oi_philox(seed, step, first / 4, purpose, block);
        memcpy(words, block + skipped, head * sizeof *words);
        done = head;
    }
    done +=
        4 * vector_words(seed, step, (first + done) / 4, (count - done) / 4, purpose, words + done);
    while (done < count) {
        size_t some = count - done < 4 ? count - done : 4;

        oi_philox(seed, step, (first + done) / 4, purpose, block);
        memcpy(words + done, block, some * sizeof *words);
        done += some;
    }
}
