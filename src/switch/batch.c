/* SPDX-License-Identifier: Apache-2.0 */
#include "switch/batch.h"

#include "base/philox.h"

/* A shift by 32 is not defined for 32-bit words: D = 1 leaves nothing of a word. */
void oi_batch_offsets(const optinc_spec *spec, const optinc_batch *batch, uint32_t *offsets)
{
    oi_philox_words(batch->stream.seed, batch->stream.step, batch->stream.element_first,
                    batch->element_count, OI_PURPOSE_SWITCH_ROUNDING, offsets);
    for (size_t i = 0; i < batch->element_count; i++)
        offsets[i] = spec->divisor_log2 ? offsets[i] >> (32 - spec->divisor_log2) : 0;
}
