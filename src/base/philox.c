/* SPDX-License-Identifier: Apache-2.0 */
#include "base/philox.h"

#include <Random123/philox.h>
#include <math.h>

void oi_philox(uint64_t seed, uint64_t step, uint64_t index, oi_purpose purpose, uint32_t word[4])
{
    philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)step,
                                 ((uint32_t)(step >> 32) & 0xFFFFFFu) | ((uint32_t)purpose << 24)}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t random = philox4x32(counter, key);

    for (int i = 0; i < 4; i++)
        word[i] = random.v[i];
}

float oi_uniform_float(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

double oi_uniform_double(uint32_t high, uint32_t low)
{
    return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

void oi_normal_pair(const uint32_t word[4], double normal[2])
{
    const double two_pi = 6.283185307179586476925286766559;
    /* 1 - u is in (0, 1], so the logarithm is finite. */
    double radius = sqrt(-2.0 * log(1.0 - oi_uniform_double(word[0], word[1])));
    double angle = two_pi * oi_uniform_double(word[2], word[3]);

    normal[0] = radius * cos(angle);
    normal[1] = radius * sin(angle);
}
