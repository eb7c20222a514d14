/* SPDX-License-Identifier: Apache-2.0 */
/* The optical switch as a host of the simulated platform: every server has a link of its own to it,
 * up and down. Light is not stored: a chunk's result leaves as soon as the chunk is there, so with
 * small chunks up and down overlap as they do in the fibre. */
#include "job.h"

#include <stdlib.h>
#include <string.h>

static void max_of_bytes(void *in, void *inout, int *count, MPI_Datatype *type)
{
    const unsigned char *a = in;
    unsigned char *b = inout;

    (void)type;
    for (int i = 0; i < *count; i++)
        b[i] = a[i] > b[i] ? a[i] : b[i];
}

#define LANES 4 /* chunks under way at a time */

/* The first LANES chunks grow to the full length: chunks that share a link are then never in step,
 * and never do all wait for a latency at once. */
typedef struct cut {
    size_t first;
    size_t count;
} cut;

static cut cut_at(const job *j, size_t chunk, size_t index)
{
    size_t quarter = (chunk / LANES + 3) / 4 * 4; /* four elements fill whole bytes */
    size_t grown = index < LANES ? index : LANES;
    size_t first = grown * (grown + 1) / 2 * quarter + (index - grown) * LANES * quarter;
    size_t count = (index < LANES ? index + 1 : LANES) * quarter;

    if (first > j->count)
        return (cut){j->count, 0};
    return (cut){first, count < j->count - first ? count : j->count - first};
}

static size_t cut_count(const job *j, size_t chunk)
{
    size_t count = 0;

    while (cut_at(j, chunk, count).count > 0)
        count++;
    return count;
}

/* Buffers and requests of one chunk in the switch. */
typedef struct switch_lane {
    uint8_t *symbols; /* [servers][stride] */
    uint8_t *result;  /* [stride] */
    MPI_Request *receives, *sends;
} switch_lane;

static void listen_to(const job *j, size_t chunk, size_t index, size_t stride,
                      const switch_lane *lane)
{
    size_t count = cut_at(j, chunk, index).count;
    int bytes = (int)optinc_symbols_size(optinc_design_bits(j->design), count);

    if (count == 0)
        return;
    for (int k = 0; k < j->server_count; k++)
        MPI_Irecv(lane->symbols + (size_t)k * stride, bytes, MPI_BYTE, k, 0, MPI_COMM_WORLD,
                  &lane->receives[k]);
}

static optinc_status pass_on(const job *j, size_t chunk, size_t stride,
                             const switch_lane lanes[LANES], optinc_switch *sw)
{
    optinc_status status = OPTINC_OK;
    size_t chunks = cut_count(j, chunk);
    int servers = j->server_count;

    for (size_t c = 0; c < LANES; c++)
        listen_to(j, chunk, c, stride, &lanes[c]);
    for (size_t c = 0; status == OPTINC_OK && c < chunks; c++) {
        const switch_lane *lane = &lanes[c % LANES];
        size_t count = cut_at(j, chunk, c).count;
        int bytes = (int)optinc_symbols_size(optinc_design_bits(j->design), count);

        MPI_Waitall(servers, lane->receives, MPI_STATUSES_IGNORE);
        MPI_Waitall(servers, lane->sends, MPI_STATUSES_IGNORE);
        status = optinc_switch_reduce(sw, lane->symbols, stride, (uint32_t)servers, count, NULL,
                                      lane->result);
        listen_to(j, chunk, c + LANES, stride, lane);
        for (int k = 0; k < servers; k++)
            MPI_Isend(lane->result, bytes, MPI_BYTE, k, 0, MPI_COMM_WORLD, &lane->sends[k]);
    }
    return status;
}

/* A chunk's results travel while the next chunks come in. */
static optinc_status be_switch(const job *j, size_t chunk)
{
    size_t stride = optinc_symbols_size(optinc_design_bits(j->design), chunk + 4 * LANES);
    size_t servers = (size_t)j->server_count;
    uint8_t *symbols = malloc(LANES * stride * (servers + 1));
    MPI_Request *requests = malloc(sizeof *requests * 2 * LANES * servers);
    optinc_switch *sw = NULL;
    optinc_status status = symbols && requests ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;
    switch_lane lanes[LANES];

    if (status == OPTINC_OK)
        status = optinc_switch_create(j->design, optinc_backend_exact(), NULL, NULL, &sw);
    if (status == OPTINC_OK) {
        for (size_t i = 0; i < 2 * LANES * servers; i++)
            requests[i] = MPI_REQUEST_NULL;
        for (size_t i = 0; i < LANES; i++)
            lanes[i] = (switch_lane){symbols + i * stride * (servers + 1),
                                     symbols + i * stride * (servers + 1) + stride * servers,
                                     requests + 2 * i * servers, requests + (2 * i + 1) * servers};
        status = pass_on(j, chunk, stride, lanes, sw);
    }
    if (status == OPTINC_OK)
        MPI_Waitall((int)(2 * LANES * servers), requests, MPI_STATUSES_IGNORE);
    optinc_switch_destroy(&sw);
    free(requests);
    free(symbols);
    return status;
}

/* Codes of a chunk go out while results of chunks before are on their way back. LANES chunks are
 * sent at a time (a synchronous send ends when it has arrived), so that one has the link during
 * another's latency; all at once would share it and arrive at the end. */
static optinc_status exchange(const job *j, uint8_t *sent, uint8_t *received, size_t chunk)
{
    uint32_t bits = optinc_design_bits(j->design);
    size_t chunks = cut_count(j, chunk);
    MPI_Request *requests = malloc(sizeof *requests * (chunks + LANES));
    MPI_Request *sends = requests + chunks;

    if (!requests)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < LANES; i++)
        sends[i] = MPI_REQUEST_NULL;
    for (size_t c = 0; c < chunks; c++) {
        cut part = cut_at(j, chunk, c);
        size_t place = optinc_symbols_size(bits, part.first);
        int bytes = (int)optinc_symbols_size(bits, part.count);

        MPI_Irecv(received + place, bytes, MPI_BYTE, j->server_count, 0, MPI_COMM_WORLD,
                  &requests[c]);
    }
    for (size_t c = 0; c < chunks; c++) {
        cut part = cut_at(j, chunk, c);
        size_t place = optinc_symbols_size(bits, part.first);
        int bytes = (int)optinc_symbols_size(bits, part.count);

        MPI_Wait(&sends[c % LANES], MPI_STATUS_IGNORE);
        MPI_Issend(sent + place, bytes, MPI_BYTE, j->server_count, 0, MPI_COMM_WORLD,
                   &sends[c % LANES]);
    }
    MPI_Waitall((int)chunks + LANES, requests, MPI_STATUSES_IGNORE);
    free(requests);
    return OPTINC_OK;
}

static optinc_status be_server(const job *j, const float *gradient, float *sum, size_t chunk)
{
    uint32_t bits = optinc_design_bits(j->design);
    optinc_codec codec = optinc_codec_default(bits);
    optinc_result_scale scale = {.op = OPTINC_SUM,
                                 .ports = optinc_design_ports(j->design),
                                 .servers = (uint32_t)j->server_count};
    size_t blocks = optinc_block_count(j->block_size, j->count);
    size_t bytes = optinc_symbols_size(bits, j->count);
    uint8_t *exponents = malloc(blocks + 2 * bytes);
    uint8_t *sent = exponents + blocks;
    optinc_status status;
    MPI_Op max;

    if (!exponents)
        return OPTINC_ERR_OUT_OF_MEMORY;
    codec.block_size = j->block_size;
    MPI_Op_create(max_of_bytes, 1, &max);
    status = optinc_codec_exponents(&codec, gradient, j->count, exponents);
    MPI_Allreduce(MPI_IN_PLACE, exponents, (int)blocks, MPI_BYTE, max, j->servers);
    if (status == OPTINC_OK)
        status = optinc_codec_quantise(&codec, gradient, j->count, exponents, NULL, sent);
    if (status == OPTINC_OK)
        status = exchange(j, sent, sent + bytes, chunk);
    if (status == OPTINC_OK)
        status = optinc_codec_dequantise(&codec, sent + bytes, j->count, exponents, &scale, sum);
    MPI_Op_free(&max);
    free(exponents);
    return status;
}

optinc_status job_optical(const job *j, const float *gradient, float *sum, size_t chunk)
{
    return j->servers == MPI_COMM_NULL ? be_switch(j, chunk) : be_server(j, gradient, sum, chunk);
}
