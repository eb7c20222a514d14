/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: what a run of the trainer changes, and what it must agree on to be continued.
 *
 * A file is, little-endian: 8 bytes "OPTINCTC"; uint64 version; uint64 field count and the fields
 * of describe(); uint64 counters and two doubles; uint64 value count and that many float32; the
 * CRC-64/XZ of all before. Written to a new file that is renamed over the old one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "onn/train_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checkpoints are written as in memory");

#define MAGIC "OPTINCTC"
#define VERSION 2u
#define FIELDS_MAX (32u + 2u * OPTINC_TRAIN_LAYERS_MAX)

typedef struct field {
    const char *name;
    uint64_t value;
} field;

typedef struct field_list {
    field fields[FIELDS_MAX];
    uint32_t count;
} field_list;

static void add(field_list *list, const char *name, uint64_t value)
{
    list->fields[list->count++] = (field){name, value};
}

static void add_real(field_list *list, const char *name, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    add(list, name, bits);
}

/* All that determines the values that training goes through; the thread count, for one, does
 * not. */
static void describe(const oi_train_plan *plan, field_list *list)
{
    const optinc_train_options *options = &plan->options;

    list->count = 0;
    add(list, "servers", plan->spec.ports);
    add(list, "bits in", plan->spec.bits_in);
    add(list, "bits out", plan->spec.bits_out);
    add(list, "divisor", plan->spec.divisor_log2);
    add(list, "variant", (uint64_t)plan->spec.variant);
    add(list, "merged digits", options->input_merge);
    add(list, "layer count", plan->layer_count);
    for (uint32_t i = 0; i <= plan->layer_count; i++)
        add(list, "structure", options->sides[i]);
    for (uint32_t i = 0; i < plan->layer_count; i++)
        add(list, "segmented layers", plan->layers[i].side > 0);
    add(list, "activation", (uint64_t)options->activation);
    add(list, "segment training", (uint64_t)options->segment_training);
    add(list, "supervision", (uint64_t)options->supervision);
    add(list, "start", (uint64_t)options->start);
    add(list, "batch size", options->batch_size);
    add(list, "epochs", options->epochs);
    add(list, "squared epochs", options->squared_epochs);
    add(list, "projection interval", options->project_interval);
    add(list, "visit interval", options->visit_interval);
    add(list, "cases an epoch", plan->epoch_cases);
    add_real(list, "learning rate", options->learning_rate);
    add_real(list, "margin", options->margin);
    add_real(list, "weight of wrong cases", options->wrong_weight);
    add_real(list, "unit noise", options->unit_noise);
    add_real(list, "phase noise", options->phase_noise_rad);
    add(list, "seed", options->seed);
}

/* CRC-64/XZ; bit by bit will do for a few megabytes. */
static uint64_t crc64(uint64_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) ? 0xC96C5795D7870F42u : 0);
    }
    return crc;
}

typedef struct stream {
    FILE *file;
    uint64_t crc;
    bool good;
} stream;

static void put(stream *out, const void *data, size_t size)
{
    out->crc = crc64(out->crc, data, size);
    out->good = out->good && fwrite(data, 1, size, out->file) == size;
}

static void put_number(stream *out, uint64_t number)
{
    put(out, &number, sizeof number);
}

static void get(stream *in, void *data, size_t size)
{
    in->good = in->good && fread(data, 1, size, in->file) == size;
    if (in->good)
        in->crc = crc64(in->crc, data, size);
}

static uint64_t get_number(stream *in)
{
    uint64_t number = 0;

    get(in, &number, sizeof number);
    return number;
}

static void write_all(stream *out, const oi_trainer *trainer)
{
    const oi_train_state *state = &trainer->state;
    field_list list;

    describe(trainer->plan, &list);
    put(out, MAGIC, 8);
    put_number(out, VERSION);
    put_number(out, list.count);
    for (uint32_t i = 0; i < list.count; i++)
        put_number(out, list.fields[i].value);
    put_number(out, state->epoch);
    put_number(out, state->step);
    put_number(out, state->rollbacks);
    put_number(out, state->best_wrong);
    put_number(out, state->finished);
    put(out, &state->best_margin, sizeof state->best_margin);
    put(out, &state->rate_factor, sizeof state->rate_factor);
    put_number(out, state->value_count);
    put(out, state->param, state->value_count * sizeof *state->param);
    uint64_t crc = ~out->crc;

    out->good = out->good && fwrite(&crc, 1, sizeof crc, out->file) == sizeof crc;
}

optinc_status oi_checkpoint_save(const oi_trainer *trainer)
{
    const char *path = trainer->plan->options.checkpoint;
    size_t size = strlen(path) + 32;
    char *name = oi_allocate(size, 1);
    stream out = {.crc = ~(uint64_t)0, .good = true};
    optinc_status status = OPTINC_OK;

    if (!name)
        return OPTINC_ERR_OUT_OF_MEMORY;
    snprintf(name, size, "%s.%ld.new", path, (long)getpid());
    out.file = fopen(name, "wb");
    if (!out.file) {
        status = oi_fail(trainer->log, OPTINC_ERR_IO, "checkpoint %s: cannot be created", name);
        goto out;
    }
    write_all(&out, trainer);
    out.good = fflush(out.file) == 0 && fsync(fileno(out.file)) == 0 && out.good;
    out.good = fclose(out.file) == 0 && out.good;
    if (!out.good || rename(name, path) != 0) {
        remove(name);
        status = oi_fail(trainer->log, OPTINC_ERR_IO, "checkpoint %s: cannot be written", path);
    }
out:
    oi_free(name);
    return status;
}

/* The head of the file: says what does not fit, by name. */
static optinc_status read_head(stream *in, const oi_trainer *trainer, const char *path)
{
    char magic[8] = {0};
    uint64_t version, count;
    field_list list;

    describe(trainer->plan, &list);
    get(in, magic, sizeof magic);
    version = get_number(in);
    if (!in->good || memcmp(magic, MAGIC, sizeof magic) != 0)
        return oi_fail(trainer->log, OPTINC_ERR_FORMAT, "%s: not a training checkpoint", path);
    if (version != VERSION)
        return oi_fail(trainer->log, OPTINC_ERR_UNSUPPORTED, "%s: version %llu, expected %u", path,
                       (unsigned long long)version, VERSION);
    count = get_number(in);
    for (uint32_t i = 0; i < list.count && i < count && in->good; i++) {
        uint64_t value = get_number(in);

        if (in->good && value != list.fields[i].value)
            return oi_fail(trainer->log, OPTINC_ERR_INVALID_ARGUMENT,
                           "%s: the checkpoint is of another run: field \"%s\" differs", path,
                           list.fields[i].name);
    }
    if (!in->good || count != list.count)
        return oi_fail(trainer->log, OPTINC_ERR_FORMAT, "%s: cut short, or of another form", path);
    return OPTINC_OK;
}

static optinc_status read_all(stream *in, oi_trainer *trainer, const char *path)
{
    oi_train_state *state = &trainer->state;
    optinc_status status = read_head(in, trainer, path);
    uint64_t crc, stored = 0;

    if (status)
        return status;
    state->epoch = get_number(in);
    state->step = get_number(in);
    state->rollbacks = get_number(in);
    state->best_wrong = get_number(in);
    state->finished = get_number(in) != 0;
    get(in, &state->best_margin, sizeof state->best_margin);
    get(in, &state->rate_factor, sizeof state->rate_factor);
    if (get_number(in) != state->value_count || !in->good)
        return oi_fail(trainer->log, OPTINC_ERR_FORMAT, "%s: cut short, or of another form", path);
    get(in, state->param, state->value_count * sizeof *state->param);
    crc = ~in->crc;
    if (!in->good || fread(&stored, 1, sizeof stored, in->file) != sizeof stored ||
        fgetc(in->file) != EOF)
        return oi_fail(trainer->log, OPTINC_ERR_FORMAT, "%s: cut short or too long", path);
    if (stored != crc)
        return oi_fail(trainer->log, OPTINC_ERR_CHECKSUM, "%s: the checksum does not match", path);
    return OPTINC_OK;
}

optinc_status oi_checkpoint_load(oi_trainer *trainer)
{
    const char *path = trainer->plan->options.checkpoint;
    stream in = {.crc = ~(uint64_t)0, .good = true};
    optinc_status status;

    in.file = fopen(path, "rb");
    if (!in.file)
        return oi_fail(trainer->log, OPTINC_ERR_IO, "checkpoint %s: cannot be opened", path);
    status = read_all(&in, trainer, path);
    fclose(in.file);
    return status;
}
