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

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Two result buffers: a chunk's results travel while the next chunk comes in. */
static optinc_status be_switch(const job *j, size_t chunk)
{
    uint32_t bits = optinc_design_bits(j->design);
    size_t stride = optinc_symbols_size(bits, chunk);
    size_t servers = (size_t)j->server_count;
    uint8_t *symbols = malloc(stride * (servers + 2));
    MPI_Request *requests = malloc(sizeof *requests * 3 * servers);
    optinc_switch *sw = NULL;
    optinc_status status = symbols && requests ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    if (status == OPTINC_OK)
        status = optinc_switch_create(j->design, optinc_backend_exact(), NULL, NULL, &sw);
    for (size_t i = 0; status == OPTINC_OK && i < 2 * servers; i++)
        requests[servers + i] = MPI_REQUEST_NULL;
    for (size_t first = 0, turn = 0; status == OPTINC_OK && first < j->count;
         first += chunk, turn ^= 1) {
        size_t count = smaller(chunk, j->count - first);
        int bytes = (int)optinc_symbols_size(bits, count);
        uint8_t *result = symbols + stride * (servers + turn);
        MPI_Request *sends = requests + servers * (1 + turn);

        for (size_t k = 0; k < servers; k++)
            MPI_Irecv(symbols + k * stride, bytes, MPI_BYTE, (int)k, 0, MPI_COMM_WORLD,
                      &requests[k]);
        MPI_Waitall((int)servers, requests, MPI_STATUSES_IGNORE);
        MPI_Waitall((int)servers, sends, MPI_STATUSES_IGNORE);
        status = optinc_switch_reduce(sw, symbols, stride, (uint32_t)servers, count, NULL, result);
        for (size_t k = 0; k < servers; k++)
            MPI_Isend(result, bytes, MPI_BYTE, (int)k, 0, MPI_COMM_WORLD, &sends[k]);
    }
    if (status == OPTINC_OK)
        MPI_Waitall((int)(2 * servers), requests + servers, MPI_STATUSES_IGNORE);
    optinc_switch_destroy(&sw);
    free(requests);
    free(symbols);
    return status;
}

/* Codes of a chunk go out while results of chunks before are on their way back. Sends follow one
 * another: together they would share the link, and all would arrive at the end. */
static optinc_status exchange(const job *j, uint8_t *sent, uint8_t *received, size_t chunk)
{
    uint32_t bits = optinc_design_bits(j->design);
    size_t chunks = (j->count + chunk - 1) / chunk;
    MPI_Request *requests = malloc(sizeof *requests * (chunks + 1));

    if (!requests)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t c = 0; c < chunks; c++) {
        size_t place = optinc_symbols_size(bits, c * chunk);
        int bytes = (int)optinc_symbols_size(bits, smaller(chunk, j->count - c * chunk));

        MPI_Irecv(received + place, bytes, MPI_BYTE, j->server_count, 0, MPI_COMM_WORLD,
                  &requests[c]);
    }
    for (size_t c = 0; c < chunks; c++) {
        size_t place = optinc_symbols_size(bits, c * chunk);
        int bytes = (int)optinc_symbols_size(bits, smaller(chunk, j->count - c * chunk));

        MPI_Send(sent + place, bytes, MPI_BYTE, j->server_count, 0, MPI_COMM_WORLD);
    }
    MPI_Waitall((int)chunks, requests, MPI_STATUSES_IGNORE);
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
