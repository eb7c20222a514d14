/* SPDX-License-Identifier: Apache-2.0 */
/* The backend onn: packed symbols -> digit sums (P) -> layers -> slicer -> packed symbols. */
#include "base/log.h"
#include "base/memory.h"
#include "onn/forward.h"
#include "optinc/onn.h"

#include <string.h>

typedef struct onn_state {
    oi_network network;
} onn_state;

/* sums [digits_in][OI_TILE] += the digits of `count` codes from element `first` of one port */
static void add_port(const uint8_t *symbols, size_t first, uint32_t count, uint32_t digits_in,
                     uint32_t *sums)
{
    size_t symbol = first * digits_in;

    for (uint32_t e = 0; e < count; e++) {
        for (uint32_t j = 0; j < digits_in; j++, symbol++)
            sums[(size_t)j * OI_TILE + e] +=
                ((uint32_t)symbols[symbol / 4] >> (2 * (symbol % 4))) & 3;
    }
}

/* Digit sums of a tile; what the tile has beyond `count` elements stays at the idle ports' sums. */
static void combine_ports(const oi_network *network, const optinc_batch *batch, size_t first,
                          uint32_t count, uint32_t *sums)
{
    const optinc_spec *spec = &network->unit->spec;
    uint32_t idle_count = spec->ports - batch->port_count;

    for (uint32_t j = 0; j < network->digits_in; j++) {
        uint32_t idle_sum = idle_count * ((uint32_t)(spec->zero_code >> (2 * j)) & 3u);

        for (uint32_t e = 0; e < OI_TILE; e++)
            sums[(size_t)j * OI_TILE + e] = idle_sum;
    }
    for (uint32_t port = 0; port < batch->port_count; port++)
        add_port(batch->symbols + port * batch->port_stride_bytes, first, count, network->digits_in,
                 sums);
    if (network->digits_bias == 0)
        return;
    sums += (size_t)network->digits_in * OI_TILE;
    memset(sums, 0, sizeof *sums * network->digits_bias * OI_TILE);
    for (uint32_t e = 0; e < count; e++) {
        uint64_t element = batch->stream.element_first + first + e;

        oi_network_set_offset(network, optinc_reference_offset(spec, &batch->stream, element), e,
                              sums);
    }
}

/* Tiles begin at multiples of 4 elements, so their symbols begin at whole bytes. */
static void slice_tile(const oi_network *network, const double *y, size_t first, uint32_t count,
                       uint8_t *result)
{
    uint32_t digits_out = network->digits_out;
    size_t symbol = 0;

    result += first * digits_out / 4;
    memset(result, 0, ((size_t)count * digits_out + 3) / 4);
    for (uint32_t e = 0; e < count; e++) {
        for (uint32_t j = 0; j < digits_out; j++, symbol++) {
            uint32_t digit = oi_slice(y[(size_t)j * OI_TILE + e]) << (2 * (symbol % 4));

            result[symbol / 4] = (uint8_t)(result[symbol / 4] | digit);
        }
    }
}

static size_t sums_count(const oi_network *network)
{
    return (size_t)(network->digits_in + network->digits_bias) * OI_TILE;
}

static optinc_status create(const optinc_unit *unit, const optinc_switch_options *options,
                            const optinc_log *log, void **state)
{
    optinc_kernel kernel = options ? options->kernel : OPTINC_KERNEL_AUTO;
    onn_state *onn;
    optinc_status status;

    *state = NULL;
    onn = oi_allocate(1, sizeof *onn);
    if (!onn)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for the backend onn");
    status = oi_network_init(unit, kernel, log, &onn->network);
    if (status != OPTINC_OK) {
        oi_free(onn);
        return status;
    }
    *state = onn;
    return OPTINC_OK;
}

static void destroy(void *state)
{
    oi_free(state);
}

static size_t scratch_size(const void *state)
{
    const onn_state *onn = state;

    return oi_network_scratch_count(&onn->network) * sizeof(double) +
           sums_count(&onn->network) * sizeof(uint32_t);
}

static optinc_status reduce(const void *state, const optinc_batch *batch)
{
    const oi_network *network = &((const onn_state *)state)->network;
    double *scratch = batch->scratch;
    void *behind = scratch + oi_network_scratch_count(network);
    uint32_t *sums = behind;

    if (batch->port_count > network->unit->spec.ports)
        return OPTINC_ERR_INVALID_ARGUMENT;
    for (size_t first = 0; first < batch->element_count; first += OI_TILE) {
        size_t left = batch->element_count - first;
        uint32_t count = left < OI_TILE ? (uint32_t)left : OI_TILE;

        combine_ports(network, batch, first, count, sums);
        slice_tile(network, oi_network_run(network, sums, scratch), first, count, batch->result);
    }
    return OPTINC_OK;
}

const optinc_backend *optinc_backend_onn(void)
{
    static const optinc_backend backend = {.name = "onn",
                                           .create = create,
                                           .destroy = destroy,
                                           .scratch_size = scratch_size,
                                           .reduce = reduce};

    return &backend;
}
