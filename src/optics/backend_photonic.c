/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/memory.h"
#include "optics/photonic.h"

typedef struct photonic_state {
    oi_photonic *photonic;
    uint32_t chip_count;
    oi_photonic_chip **chips;
} photonic_state;

static void destroy(void *state)
{
    photonic_state *made = state;

    if (!made)
        return;
    for (uint32_t i = 0; i < made->chip_count && made->chips; i++)
        oi_photonic_chip_destroy(&made->chips[i]);
    oi_free(made->chips);
    oi_photonic_destroy(&made->photonic);
    oi_free(made);
}

/* Are all chips the same? */
static bool is_uniform(const optinc_photonic_options *options)
{
    const optinc_device *device = &options->device;

    return device->phase_sigma_rad == 0 && device->splitter_sigma_rad == 0 &&
           device->mzi_loss_sigma_db == 0 &&
           (device->drift_rad_per_sqrt_s == 0 || options->drift_time_s == 0);
}

static optinc_status create(const optinc_unit *unit, const optinc_switch_options *options,
                            const optinc_log *log, void **state)
{
    const optinc_photonic_options *own = options ? options->backend_options : NULL;
    photonic_state *made = oi_allocate(1, sizeof *made);
    optinc_status status;

    *state = NULL;
    if (!made)
        return OPTINC_ERR_OUT_OF_MEMORY;
    status = oi_photonic_create(unit, own, log, &made->photonic);
    if (!status) {
        own = &made->photonic->options;
        made->chip_count = is_uniform(own) ? 1 : own->chip_count ? own->chip_count : 16;
        made->chips = oi_allocate(made->chip_count, sizeof *made->chips);
        if (!made->chips)
            status = OPTINC_ERR_OUT_OF_MEMORY;
    }
    for (uint32_t i = 0; i < made->chip_count && !status; i++)
        status = oi_photonic_chip_create(made->photonic, own, own->chip_first + i, &made->chips[i]);
    if (status)
        destroy(made);
    else
        *state = made;
    return status;
}

static size_t scratch_size(const void *state)
{
    return oi_photonic_scratch_size(((const photonic_state *)state)->photonic);
}

static optinc_status reduce(const void *state, const optinc_batch *batch)
{
    const photonic_state *made = state;

    return oi_photonic_reduce(made->photonic, made->chips[batch->unit_index % made->chip_count],
                              batch);
}

const optinc_backend *optinc_backend_photonic(void)
{
    static const optinc_backend backend = {.name = "photonic",
                                           .create = create,
                                           .destroy = destroy,
                                           .scratch_size = scratch_size,
                                           .reduce = reduce};

    return &backend;
}
