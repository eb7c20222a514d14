/* SPDX-License-Identifier: Apache-2.0 */
/* What a circuit consists of, and its longest way, as long as dummies make the others. */
#include "base/memory.h"
#include "optics/circuit.h"

/* Most elements of a kind on a way to each mode; -1 where no light comes. Dark inputs do not count:
 * the loss that matters is the light's. */
static int longest_path(const optinc_circuit *circuit, bool splitters, int *length)
{
    int longest = 0;

    for (uint32_t i = 0; i < circuit->mode_count; i++)
        length[i] = -1;
    for (uint32_t j = 0; j < circuit->cols; j++)
        length[circuit->input_mode[j]] = 0;
    for (size_t k = 0; k < circuit->element_count; k++) {
        const optinc_element *e = &circuit->elements[k];
        int a = length[e->mode_a], b = length[e->mode_b], most = a > b ? a : b;

        if (most < 0)
            continue;
        most += e->splitter == splitters;
        length[e->mode_a] = length[e->mode_b] = most;
    }
    for (uint32_t i = 0; i < circuit->rows; i++)
        if (length[circuit->output_mode[i]] > longest)
            longest = length[circuit->output_mode[i]];
    return longest;
}

optinc_circuit_info optinc_circuit_describe(const optinc_circuit *circuit)
{
    optinc_circuit_info info = {.rows = circuit->rows,
                                .cols = circuit->cols,
                                .mode_count = circuit->mode_count,
                                .depth = circuit->depth,
                                .element_count = circuit->element_count};
    int *length = oi_allocate(circuit->mode_count, sizeof *length);

    for (size_t k = 0; k < circuit->element_count; k++) {
        const optinc_element *e = &circuit->elements[k];

        if (e->splitter)
            continue;
        info.mzi_count++;
        info.shifter_count += (size_t)(e->in_rad != 0) + (e->arm_a_rad != 0) + (e->arm_b_rad != 0);
        info.phase_sum_rad += e->in_rad + e->arm_a_rad + e->arm_b_rad;
    }
    for (size_t k = 0; k < 2 * circuit->element_count + circuit->rows && circuit->dummies; k++)
        info.dummy_count += circuit->dummies[k].mzis;
    /* Without memory for the way, the depth bounds it. */
    info.path_mzis_max = length ? (uint32_t)longest_path(circuit, false, length) : circuit->depth;
    info.path_splitters_max =
        length ? (uint32_t)longest_path(circuit, true, length) : circuit->depth;
    oi_free(length);
    return info;
}
