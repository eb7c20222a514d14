/* SPDX-License-Identifier: Apache-2.0 */
/* Philox for runs of elements: the vector versions behind oi_philox_words. */
#ifndef OI_BASE_PHILOX_WORDS_H
#define OI_BASE_PHILOX_WORDS_H

#include "base/philox.h"

/* Philox4x32's multipliers and Weyl increments (Salmon et al., SC 2011, table 2). */
#define OI_PHILOX_M0 0xD2511F53u
#define OI_PHILOX_M1 0xCD9E8D57u
#define OI_PHILOX_W0 0x9E3779B9u
#define OI_PHILOX_W1 0xBB67AE85u
#define OI_PHILOX_ROUNDS 10

/* words[4 i + j] = word j of index_first + i, for the counters that fill whole vectors; returns how
 * many of index_count those are. */
size_t oi_philox_words_avx2(uint64_t seed, uint64_t step, uint64_t index_first, size_t index_count,
                            oi_purpose purpose, uint32_t *words);
size_t oi_philox_words_avx512(uint64_t seed, uint64_t step, uint64_t index_first,
                              size_t index_count, oi_purpose purpose, uint32_t *words);

#endif
