/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: what a run of the trainer changes, and what it must agree on to be continued.
 *
 * A sealed file of 8 bytes "OPTINCTC"; uint64 version; uint64 field count and the fields of
 * describe(); uint64 counters and two doubles; uint64 value count and that many float32. */
#include <string.h>

#include "base/log.h"
#include "onn/sealed_file.h"
#include "onn/train_internal.h"

#define MAGIC "OPTINCTC"
#define VERSION 3u
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
    add(list, "hard cases", options->hard_cases);
    add_real(list, "learning rate", options->learning_rate);
    add_real(list, "margin", options->margin);
    add_real(list, "weight of wrong cases", options->wrong_weight);
    add_real(list, "unit noise", options->unit_noise);
    add_real(list, "phase noise", options->phase_noise_rad);
    add(list, "seed", options->seed);
}

static void write_all(oi_sealed_file *out, const void *user)
{
    const oi_trainer *trainer = user;
    const oi_train_state *state = &trainer->state;
    field_list list;

    describe(trainer->plan, &list);
    oi_sealed_put(out, MAGIC, 8);
    oi_sealed_put_number(out, VERSION);
    oi_sealed_put_number(out, list.count);
    for (uint32_t i = 0; i < list.count; i++)
        oi_sealed_put_number(out, list.fields[i].value);
    oi_sealed_put_number(out, state->epoch);
    oi_sealed_put_number(out, state->step);
    oi_sealed_put_number(out, state->rollbacks);
    oi_sealed_put_number(out, state->best_wrong);
    oi_sealed_put_number(out, state->finished);
    oi_sealed_put_real(out, state->best_margin);
    oi_sealed_put_real(out, state->rate_factor);
    oi_sealed_put_number(out, state->value_count);
    oi_sealed_put(out, state->param, state->value_count * sizeof *state->param);
}

optinc_status oi_checkpoint_save(const oi_trainer *trainer)
{
    return oi_sealed_save(trainer->plan->options.checkpoint, write_all, trainer, trainer->log);
}

/* The head of the file: says what does not fit, by name. */
static optinc_status read_head(oi_sealed_file *in, const oi_trainer *trainer, const char *path)
{
    char magic[8] = {0};
    uint64_t version, count;
    field_list list;

    describe(trainer->plan, &list);
    oi_sealed_get(in, magic, sizeof magic);
    version = oi_sealed_get_number(in);
    if (!in->good || memcmp(magic, MAGIC, sizeof magic) != 0)
        return oi_fail(trainer->log, OPTINC_ERR_FORMAT, "%s: not a training checkpoint", path);
    if (version != VERSION)
        return oi_fail(trainer->log, OPTINC_ERR_UNSUPPORTED, "%s: version %llu, expected %u", path,
                       (unsigned long long)version, VERSION);
    count = oi_sealed_get_number(in);
    for (uint32_t i = 0; i < list.count && i < count && in->good; i++) {
        uint64_t value = oi_sealed_get_number(in);

        if (in->good && value != list.fields[i].value)
            return oi_fail(trainer->log, OPTINC_ERR_INVALID_ARGUMENT,
                           "%s: the checkpoint is of another run: field \"%s\" differs", path,
                           list.fields[i].name);
    }
    if (!in->good || count != list.count)
        return oi_fail(trainer->log, OPTINC_ERR_FORMAT, "%s: cut short, or of another form", path);
    return OPTINC_OK;
}

static optinc_status read_all(oi_sealed_file *in, oi_trainer *trainer, const char *path)
{
    oi_train_state *state = &trainer->state;
    optinc_status status = read_head(in, trainer, path);

    if (status)
        return status;
    state->epoch = oi_sealed_get_number(in);
    state->step = oi_sealed_get_number(in);
    state->rollbacks = oi_sealed_get_number(in);
    state->best_wrong = oi_sealed_get_number(in);
    state->finished = oi_sealed_get_number(in) != 0;
    state->best_margin = oi_sealed_get_real(in);
    state->rate_factor = oi_sealed_get_real(in);
    if (oi_sealed_get_number(in) != state->value_count || !in->good)
        return oi_fail(trainer->log, OPTINC_ERR_FORMAT, "%s: cut short, or of another form", path);
    oi_sealed_get(in, state->param, state->value_count * sizeof *state->param);
    return oi_sealed_check(in, path, trainer->log);
}

optinc_status oi_checkpoint_load(oi_trainer *trainer)
{
    const char *path = trainer->plan->options.checkpoint;
    oi_sealed_file in;
    optinc_status status = oi_sealed_open(path, trainer->log, &in);

    if (!status)
        status = read_all(&in, trainer, path);
    oi_sealed_close(&in);
    return status;
}
