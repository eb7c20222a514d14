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

static optinc_status be_switch(const job *j, size_t chunk)
{
    uint32_t bits = optinc_design_bits(j->design);
    size_t stride = optinc_symbols_size(bits, chunk);
    uint8_t *symbols = malloc(stride * ((size_t)j->server_count + 1));
    uint8_t *result = symbols + stride * (size_t)j->server_count;
    MPI_Request *requests = malloc(sizeof *requests * (size_t)j->server_count);
    optinc_switch *sw = NULL;
    optinc_status status = symbols && requests ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    if (status == OPTINC_OK)
        status = optinc_switch_create(j->design, optinc_backend_exact(), NULL, NULL, &sw);
    for (size_t first = 0; status == OPTINC_OK && first < j->count; first += chunk) {
        size_t count = smaller(chunk, j->count - first);
        int bytes = (int)optinc_symbols_size(bits, count);

        for (int k = 0; k < j->server_count; k++)
            MPI_Irecv(symbols + (size_t)k * stride, bytes, MPI_BYTE, k, 0, MPI_COMM_WORLD,
                      &requests[k]);
        MPI_Waitall(j->server_count, requests, MPI_STATUSES_IGNORE);
        status = optinc_switch_reduce(sw, symbols, stride, (uint32_t)j->server_count, count, NULL,
                                      result);
        for (int k = 0; k < j->server_count; k++)
            MPI_Isend(result, bytes, MPI_BYTE, k, 0, MPI_COMM_WORLD, &requests[k]);
        MPI_Waitall(j->server_count, requests, MPI_STATUSES_IGNORE);
    }
    optinc_switch_destroy(&sw);
    free(requests);
    free(symbols);
    return status;
}

/* Codes of a chunk go out while the result of the chunk before is on its way back. */
static optinc_status exchange(const job *j, uint8_t *sent, uint8_t *received, size_t chunk)
{
    uint32_t bits = optinc_design_bits(j->design);
    size_t chunks = (j->count + chunk - 1) / chunk;
    MPI_Request *requests = malloc(sizeof *requests * 2 * chunks);

    if (!requests)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t c = 0; c < chunks; c++) {
        size_t place = optinc_symbols_size(bits, c * chunk);
        int bytes = (int)optinc_symbols_size(bits, smaller(chunk, j->count - c * chunk));

        MPI_Irecv(received + place, bytes, MPI_BYTE, j->server_count, 0, MPI_COMM_WORLD,
                  &requests[c]);
        MPI_Isend(sent + place, bytes, MPI_BYTE, j->server_count, 0, MPI_COMM_WORLD,
                  &requests[chunks + c]);
    }
    MPI_Waitall((int)(2 * chunks), requests, MPI_STATUSES_IGNORE);
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
