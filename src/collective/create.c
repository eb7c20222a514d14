/* SPDX-License-Identifier: Apache-2.0 */
#include "collective/agreement.h"
#include "collective/state.h"

#include "base/log.h"
#include "base/memory.h"

#include <string.h>

#define PROTOCOL 3u /* what ranks of different builds must share to understand each other */

#define CHUNK_MULTIPLE_MAX ((size_t)1 << 15)
#define PIECE_ELEMENTS ((size_t)1 << 15)
#define PIECE_ELEMENTS_PER_THREAD ((size_t)1 << 17) /* worth waking threads for */

enum {
    FIELD_PROTOCOL,
    FIELD_RANKS,
    FIELD_PORTS,
    FIELD_BITS,
    FIELD_DESIGN,
    FIELD_BLOCK_SIZE,
    FIELD_ROUNDING,
    FIELD_SEED,
    FIELD_CHUNK,
    FIELD_BACKEND,
    FIELD_FAULTS,
    FIELD_COUNT
};

/* FNV-1a, 64 bits */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}

/* Of what the faults come to, and of what is done about them; 0 without. */
static uint64_t hash_faults(const optinc_collective *c, const optinc_faults *faults)
{
    uint64_t hash = 0xcbf29ce484222325u;

    if (!c->states)
        return 0;
    for (uint32_t port = 0; port < c->ports; port++)
        hash = (hash ^ c->states[port]) * 0x100000001b3u;
    return (hash ^ (uint64_t)faults->action) * 0x100000001b3u;
}

/* Chunks that are a multiple of 4K leave no rank with a smaller share. */
static size_t chunk_multiple(size_t block_size, size_t ranks)
{
    for (size_t multiple = block_size; multiple <= CHUNK_MULTIPLE_MAX; multiple += block_size)
        if (multiple % (4 * ranks) == 0)
            return multiple;
    return block_size;
}

static optinc_status set_sizes(optinc_collective *c, size_t chunk_wanted)
{
    size_t chunk = chunk_wanted ? chunk_wanted : OI_CHUNK_ELEMENTS_MAX;
    size_t threads = c->codec.thread_count;
    size_t ranks = c->transport.size, size;

    if (chunk > SIZE_MAX / 16)
        return oi_fail(&c->log, OPTINC_ERR_OVERFLOW, "chunks of %zu elements", chunk);
    c->chunk_set = chunk_wanted != 0;
    c->chunk_multiple =
        c->chunk_set ? c->codec.block_size : chunk_multiple(c->codec.block_size, ranks);
    c->chunk_elements = oi_round_up(chunk, c->chunk_multiple);
    c->piece_elements = oi_round_up(
        threads > 1 ? PIECE_ELEMENTS_PER_THREAD * threads : PIECE_ELEMENTS, c->codec.block_size);
    c->packet_size = OI_PACKET_SIZE;
    c->float_elements = oi_round_up(c->codec.block_size, ranks);
    if (!oi_size_multiply(optinc_symbols_size(c->codec.bits, oi_share_elements(c->chunk_elements,
                                                                               c->transport.size)),
                          ranks, &size))
        return oi_fail(&c->log, OPTINC_ERR_OVERFLOW, "chunks of %zu elements, %zu ranks", chunk,
                       ranks);
    return OPTINC_OK;
}

/* What does not depend on messages. */
static optinc_status allocate_blocks(optinc_collective *c)
{
    c->scratch = oi_allocate(c->codec.block_size, sizeof *c->scratch);
    c->float_values = oi_allocate(c->float_elements, sizeof *c->float_values);
    c->float_received = oi_allocate(c->float_elements, sizeof *c->float_received);
    c->float_sum = oi_allocate(c->float_elements / c->transport.size, sizeof *c->float_sum);
    if (!c->scratch || !c->float_values || !c->float_received || !c->float_sum)
        return oi_fail(&c->log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for a block");
    return OPTINC_OK;
}

static const optinc_backend *choose_backend(const optinc_design *design,
                                            const optinc_collective_options *options)
{
    if (options->backend)
        return options->backend;
    return optinc_design_exact(design) ? optinc_backend_exact() : optinc_backend_table();
}

static optinc_status set_faults(optinc_collective *c, const optinc_design *design,
                                const optinc_faults *faults)
{
    optinc_fault_effect effect;
    optinc_status status;

    c->states = oi_allocate(c->ports, sizeof *c->states);
    if (!c->states)
        return oi_fail(&c->log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for faults");
    status = optinc_faults_resolve(design, c->transport.size, faults, &c->log, c->states, &effect);
    if (status != OPTINC_OK)
        return status;
    c->servers = effect.servers;
    c->bias_max = optinc_faults_bias_max(design, &effect);
    c->is_gone = c->states[c->transport.rank] == OPTINC_PORT_IDLE;
    return OPTINC_OK;
}

static optinc_status build(optinc_collective *c, const optinc_design *design,
                           const optinc_backend *backend, const optinc_collective_options *options)
{
    const optinc_switch_options switch_options = {
        .thread_count = c->codec.thread_count,
        .kernel = options->kernel,
        .backend_options = options->backend_options,
        .faults = options->faults,
    };
    const float zero[4] = {0};
    uint8_t exponent[1];
    optinc_status status = optinc_codec_exponents(&c->codec, zero, 4, exponent);

    if (status != OPTINC_OK)
        return oi_fail(&c->log, status, "codec: %u bits, blocks of %u elements, rounding %d",
                       c->codec.bits, c->codec.block_size, (int)c->codec.rounding);
    status = set_sizes(c, options->chunk_elements);
    if (status == OPTINC_OK && options->faults)
        status = set_faults(c, design, options->faults);
    if (status == OPTINC_OK)
        status = optinc_switch_create(design, backend, &switch_options, &c->log, &c->sw);
    if (status == OPTINC_OK)
        status = allocate_blocks(c);
    return status;
}

/* Compares what must be equal on all ranks, and their faults. */
static optinc_status agree(optinc_collective *c, const optinc_design *design,
                           const optinc_backend *backend, const optinc_collective_options *options,
                           optinc_status fault)
{
    const oi_agreement_field fields[FIELD_COUNT] = {
        [FIELD_PROTOCOL] = {"version", hash_name(OPTINC_VERSION_STRING) ^ PROTOCOL},
        [FIELD_RANKS] = {"number of ranks", c->transport.size},
        [FIELD_PORTS] = {"design's ports", c->ports},
        [FIELD_BITS] = {"design's bits", c->codec.bits},
        [FIELD_DESIGN] = {"design's checksum", design ? optinc_design_checksum(design) : 0},
        [FIELD_BLOCK_SIZE] = {"block size", c->codec.block_size},
        [FIELD_ROUNDING] = {"rounding", (uint64_t)c->codec.rounding},
        [FIELD_SEED] = {"seed", c->seed},
        [FIELD_CHUNK] = {"chunk size", options->chunk_elements},
        [FIELD_BACKEND] = {"backend", backend ? hash_name(backend->name) : 0},
        [FIELD_FAULTS] = {"faults", hash_faults(c, options->faults)},
    };
    optinc_status status;

    _Static_assert(OI_AGREEMENT_SIZE(FIELD_COUNT) <= sizeof c->packet, "settings fit the packet");
    oi_agreement_write(fields, FIELD_COUNT, fault, c->packet);
    status = oi_start_max(c, 0, c->packet, OI_AGREEMENT_SIZE(FIELD_COUNT));
    if (status == OPTINC_OK)
        status = oi_wait(c, 0);
    if (status != OPTINC_OK)
        return oi_fail(&c->log, status, "the transport failed while the ranks compared settings");
    return oi_agreement_read(fields, FIELD_COUNT, c->packet, &c->log);
}

static bool transport_usable(const optinc_transport *t)
{
    return t && t->size >= 1 && t->rank < t->size && t->start_alltoall && t->start_allgather &&
           t->start_max && t->wait;
}

static void set_up(optinc_collective *c, const optinc_transport *transport,
                   const optinc_design *design, const optinc_collective_options *options,
                   const optinc_log *log)
{
    c->transport = *transport;
    c->servers = transport->size;
    if (log)
        c->log = *log;
    c->seed = options->seed;
    c->rank_seed = optinc_rank_seed(options->seed, transport->rank);
    c->codec.block_size = options->block_size ? options->block_size : OPTINC_BLOCK_SIZE_DEFAULT;
    c->codec.rounding = options->rounding;
    c->codec.kernel = options->kernel;
    c->codec.thread_count = options->thread_count ? options->thread_count : 1;
    if (design) {
        c->ports = optinc_design_ports(design);
        c->codec.bits = optinc_design_bits(design);
        c->switch_stochastic = optinc_design_flat_spec(design).variant == OPTINC_VARIANT_STOCHASTIC;
    }
}

optinc_status optinc_collective_create(const optinc_transport *transport,
                                       const optinc_design *design,
                                       const optinc_collective_options *options,
                                       const optinc_log *log, optinc_collective **out)
{
    const optinc_collective_options defaults = {0};
    const optinc_backend *backend = NULL;
    optinc_collective *c;
    optinc_status status = OPTINC_OK;

    if (!out)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *out = NULL;
    if (!transport_usable(transport))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "a transport lacks a function or a rank");
    if (!options)
        options = &defaults;
    c = oi_allocate(1, sizeof *c);
    if (!c)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for a collective");
    set_up(c, transport, design, options, log);
    if (design) {
        backend = choose_backend(design, options);
        c->confirm = options->faults ||
                     (backend != optinc_backend_exact() && backend != optinc_backend_table());
        if (transport->size <= c->ports)
            status = build(c, design, backend, options);
    } else {
        status = oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no design");
    }
    /* whatever happened here, the other ranks wait for this */
    status = agree(c, design, backend, options, status);
    if (status == OPTINC_OK && transport->size > c->ports)
        status = oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%u ranks, but the design has %u ports",
                         transport->size, c->ports);
    if (status != OPTINC_OK)
        optinc_collective_destroy(&c);
    *out = c;
    return status;
}

void optinc_collective_destroy(optinc_collective **collective)
{
    optinc_collective *c;

    if (!collective || !*collective)
        return;
    c = *collective;
    *collective = NULL;
    optinc_switch_destroy(&c->sw);
    oi_free(c->scratch);
    oi_free(c->states);
    /* After a failure the engine may still write to the buffers of what never finished. Those
     * are left to it: a leak is better than writes to freed memory. */
    if (c->in_flight != 0)
        return;
    oi_free(c->float_values);
    oi_free(c->float_received);
    oi_free(c->float_sum);
    oi_release(c);
    oi_free(c);
}
