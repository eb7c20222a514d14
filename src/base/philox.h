/* SPDX-License-Identifier: Apache-2.0 */
/* Counter-based random numbers: Philox4x32-10 of Random123 (Salmon et al., SC 2011). */
#ifndef OI_BASE_PHILOX_H
#define OI_BASE_PHILOX_H

#include <stddef.h>
#include <stdint.h>

/* What a draw is for: streams of different purposes never share counters. Add at the end. */
typedef enum oi_purpose {
    OI_PURPOSE_QUANTISE = 1,
    OI_PURPOSE_SWITCH_ROUNDING = 2,
    OI_PURPOSE_SAMPLE = 3,
    OI_PURPOSE_TRAIN = 4,
    OI_PURPOSE_FABRICATION = 5,
    OI_PURPOSE_RECEIVER = 6,
    OI_PURPOSE_DRIFT = 7,
    OI_PURPOSE_TEST = 8,
    OI_PURPOSE_RANK = 9
} oi_purpose;

/* Four 32-bit words for (seed, step, index, purpose): key = seed; counter = index, step's low 32
 * bits, step's high 24 bits and the purpose. step < 2^56. */
void oi_philox(uint64_t seed, uint64_t step, uint64_t index, oi_purpose purpose, uint32_t word[4]);

/* One word for each element: words[i] is word (first + i) % 4 of index (first + i) / 4, for
 * i < count. By vector instructions where the CPU has them. */
void oi_philox_words(uint64_t seed, uint64_t step, uint64_t first, size_t count, oi_purpose purpose,
                     uint32_t *words);

/* Word to [0, 1), 24 bits, exact in float; two words to [0, 1), 53 bits, exact in double. */
float oi_uniform_float(uint32_t word);
double oi_uniform_double(uint32_t high, uint32_t low);

/* Two standard normal values from four words (Box-Muller, double). */
void oi_normal_pair(const uint32_t word[4], double normal[2]);

#endif
