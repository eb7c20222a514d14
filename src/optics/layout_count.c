/* SPDX-License-Identifier: Apache-2.0 */
/* Crossings of a floor plan without the drawing. In a channel two waveguides cross once if their order
 * changes and never else, so the crossings of one are its inversions, which merging sorts count. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optics/layout.h"
#include "optinc/layout.h"

static int by_entry(const void *a, const void *b)
{
    const oi_net *p = a, *q = b;

    return p->left > q->left ? -1 : p->left < q->left;
}

/* Two runs sorted by where they leave become one. A net of the second run that comes before `left`
 * ones of the first crosses all of these. */
static void merge(const oi_net *first, size_t left, const oi_net *second, size_t right, oi_net *to)
{
    uint32_t passed = 0;

    while (left || right) {
        if (right && (!left || second->right > first->right)) {
            *to = *second++;
            to->crossings += (uint32_t)left;
            passed++;
            right--;
        } else {
            *to = *first++;
            to->crossings += passed;
            left--;
        }
        to++;
    }
}

optinc_status oi_layout_count(oi_net *nets, size_t count)
{
    oi_net *other = oi_allocate(count, sizeof *other), *from = nets, *to = other;

    if (!other)
        return OPTINC_ERR_OUT_OF_MEMORY;
    qsort(nets, count, sizeof *nets, by_entry);
    for (size_t i = 0; i < count; i++)
        nets[i].crossings = 0;
    for (size_t run = 1; run < count; run *= 2) {
        oi_net *swap = from;

        for (size_t at = 0; at < count; at += 2 * run) {
            size_t left = count - at < run ? count - at : run, rest = count - at - left;

            merge(from + at, left, from + at + left, rest < run ? rest : run, to + at);
        }
        from = to;
        to = swap;
    }
    if (from != nets && count)
        memcpy(nets, from, count * sizeof *nets);
    oi_free(other);
    return OPTINC_OK;
}

static optinc_status count(const optinc_circuit *circuit, const optinc_device *device,
                           optinc_crossings *total, uint32_t *outputs, uint32_t *wires)
{
    optinc_device size = *device;
    oi_gds nothing = {.muted = true};
    oi_layout_rules rules;
    oi_circuit_plan plan;
    optinc_status status;

    size.mzi_length_um = fmax(size.mzi_length_um, OI_MZI_LENGTH_UM_MIN);
    size.mzi_width_um = fmax(size.mzi_width_um, OI_MZI_WIDTH_UM_MIN);
    status = oi_layout_rules_of(&size, NULL, &rules);
    if (!status)
        status = oi_layout_circuit(&nothing, &rules, circuit, "L", "L", oi_layout_distance(&rules),
                                   &plan, outputs, wires);
    if (!status)
        *total = (optinc_crossings){.count = plan.crossings, .path_max = plan.path_crossings_max};
    return status;
}

optinc_status oi_layout_wires(const optinc_circuit *circuit, const optinc_device *device,
                              uint32_t *wires)
{
    optinc_crossings total;

    return count(circuit, device, &total, NULL, wires);
}

optinc_status optinc_layout_crossings(const optinc_circuit *circuit, const optinc_device *device,
                                      optinc_crossings *total, uint32_t *outputs)
{
    const optinc_device ideal = optinc_device_ideal();

    if (!circuit || !total || (device && optinc_device_check(device, NULL)))
        return OPTINC_ERR_INVALID_ARGUMENT;
    return count(circuit, device ? device : &ideal, total, outputs, NULL);
}
