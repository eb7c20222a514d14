/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a call whose self-check failed (OPTINC_REPLAY): this rank's input as a .npy file, and
 * a JSON file with all that is needed to do the same again. The input is kept before the call, as a
 * call in place overwrites it. A file gets its name when it is whole. */
#include "pmpi.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define NPY_HEADER_SIZE 128u

bool pmpi_replay_keep(pmpi_context *c, const float *input, size_t count)
{
    if (!pmpi.settings.replay)
        return true;
    if (count > c->replay_capacity) {
        free(c->replay_input);
        c->replay_input = malloc(count * sizeof *input);
        c->replay_capacity = c->replay_input ? count : 0;
    }
    if (!c->replay_input)
        return false;
    memcpy(c->replay_input, input, count * sizeof *input);
    return true;
}

/* FNV-1a, 64 bits, over the bytes: what anyone can compute again. */
static uint64_t checksum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* Version 1.0: magic, version, the header's length in two bytes, a dictionary padded to 128 bytes. */
static bool write_npy(FILE *file, const float *values, size_t count)
{
    char header[NPY_HEADER_SIZE + 1];
    int used;

    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    used = snprintf(header + 10, NPY_HEADER_SIZE - 10,
                    "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu,), }", count);
    memset(header + 10 + used, ' ', NPY_HEADER_SIZE - 10 - (size_t)used);
    header[NPY_HEADER_SIZE - 1] = '\n';
    return fwrite(header, 1, NPY_HEADER_SIZE, file) == NPY_HEADER_SIZE &&
           fwrite(values, sizeof *values, count, file) == count;
}

static FILE *open_part(const char *path, char *part)
{
    if (snprintf(part, PATH_SIZE, "%s.part", path) >= PATH_SIZE)
        return NULL;
    return fopen(part, "wb");
}

/* Closes, and renames what is whole. */
static bool finish_part(FILE *file, bool written, const char *part, const char *path)
{
    written = fflush(file) == 0 && written;
    written = fsync(fileno(file)) == 0 && written;
    written = fclose(file) == 0 && written;
    if (written && rename(part, path) == 0)
        return true;
    remove(part);
    return false;
}

/* JSON has no number that is not finite. */
static json_t *number_or_text(double value)
{
    if (isfinite(value))
        return json_real(value);
    return json_string(isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
}

static json_t *describe(const pmpi_context *c, const pmpi_failure *failure, const char *input)
{
    const pmpi_settings *s = &pmpi.settings;
    char design[20], inputs[20], command[256];
    uint32_t ranks = c->transport.interface.size;

    snprintf(design, sizeof design, "%016" PRIx64, optinc_design_checksum(c->design));
    snprintf(inputs, sizeof inputs, "%016" PRIx64,
             checksum(c->replay_input, failure->count * sizeof(float)));
    snprintf(command, sizeof command,
             "optinc reduce --design DESIGN --op sum --rounding %s --block-size %" PRIu64
             " --seed %" PRIu64 " --step %" PRIu64 " -o sum.npy RANK0.npy ... RANK%" PRIu32 ".npy",
             s->stochastic ? "stochastic" : "nearest", s->block_size, s->seed, c->step, ranks - 1);
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:I, s:f, s:o, "
        "s:f, s:s}",
        "version", optinc_version(), "design_checksum", design, "ports",
        (json_int_t)optinc_design_ports(c->design), "bits",
        (json_int_t)optinc_design_bits(c->design), "rounding",
        s->stochastic ? "stochastic" : "nearest", "block_size", (json_int_t)s->block_size, "seed",
        (json_int_t)s->seed, "operation", "sum", "ranks", (json_int_t)ranks, "rank",
        (json_int_t)c->transport.interface.rank, "step", (json_int_t)c->step, "count",
        (json_int_t)failure->count, "input", input, "input_fnv1a", inputs, "element",
        (json_int_t)failure->element, "expected", failure->expected, "result",
        number_or_text(failure->result), "bound", failure->bound, "replay", command);
}

static bool write_record(const pmpi_context *c, const pmpi_failure *failure, const char *stem)
{
    char path[PATH_SIZE], part[PATH_SIZE];
    const char *name = strrchr(stem, '/');
    json_t *record;
    FILE *file;
    bool written;

    if (snprintf(path, sizeof path, "%s.npy", stem) >= PATH_SIZE || !(file = open_part(path, part)))
        return false;
    if (!finish_part(file, write_npy(file, c->replay_input, failure->count), part, path))
        return false;
    record = describe(c, failure, path + (name ? name + 1 - stem : 0));
    if (snprintf(path, sizeof path, "%s.json", stem) >= PATH_SIZE || !record ||
        !(file = open_part(path, part))) {
        json_decref(record);
        return false;
    }
    written = json_dumpf(record, file, JSON_INDENT(2)) == 0 && fputc('\n', file) != EOF;
    json_decref(record);
    return finish_part(file, written, part, path);
}

/* Two communicators may fail in the same step: the second one's files get a number. */
static bool choose_stem(const pmpi_context *c, char *stem, size_t size)
{
    char path[PATH_SIZE];
    int world = 0, length;

    PMPI_Comm_rank(MPI_COMM_WORLD, &world);
    length =
        snprintf(stem, size, "%s/optinc-%ld-world%d-step%" PRIu64 "-rank%" PRIu32,
                 pmpi.settings.replay, (long)getpid(), world, c->step, c->transport.interface.rank);
    for (int i = 2; length > 0 && (size_t)length + 16 < size; i++) {
        snprintf(path, sizeof path, "%s.json", stem);
        if (access(path, F_OK) != 0)
            return true;
        snprintf(stem + length, size - (size_t)length, "-%d", i);
    }
    return false;
}

void pmpi_replay_write(const pmpi_context *c, const pmpi_failure *failure)
{
    char stem[PATH_SIZE - 16];
    bool written;

    if (!pmpi.settings.replay)
        return;
    pthread_mutex_lock(&pmpi.lock); /* threads of communicators choose their names in turn */
    written = choose_stem(c, stem, sizeof stem) && write_record(c, failure, stem);
    pthread_mutex_unlock(&pmpi.lock);
    if (written)
        fprintf(stderr, "optinc: the self-check failed: %s.json says how to replay it\n", stem);
    else
        fprintf(stderr, "optinc: no replay record could be written to OPTINC_REPLAY=%s\n",
                pmpi.settings.replay);
}
