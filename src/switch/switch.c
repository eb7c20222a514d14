/* SPDX-License-Identifier: Apache-2.0 */
/* A design made executable: elements are cut into batches, batches go to threads, and each batch
 * runs through the tree of switches from the servers up. */
#include "optinc/switch.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"

#include <omp.h>
#include <string.h>

/* One level of what runs: the design's own, or the whole tree as one flat switch. */
typedef struct level {
    optinc_spec spec;
    void *state;
    uint32_t servers;     /* below one unit of this level */
    size_t inputs_stride; /* bytes of one child's results; 0 for level 0, fed by the caller */
    size_t inputs_offset; /* of the children's results in a thread's scratch */
    uint8_t *idle;        /* a batch of zero codes, packed; NULL without faults */
    uint8_t *faults;      /* a fault of every input: see fault_kind; NULL without faults */
} level;

/* What is wrong with an input of a switch: a server's port, or the output of a switch below. */
enum fault_kind { FAULT_NONE, FAULT_IDLE, FAULT_DARK };

struct optinc_switch {
    const optinc_design *design;
    const optinc_backend *backend;
    uint32_t thread_count;
    uint32_t level_count;
    level levels[OPTINC_LEVELS_MAX];
    size_t backend_offset; /* of the backend's scratch in a thread's */
    size_t scratch_size;   /* a thread's */
    uint8_t *scratch;      /* [thread_count][scratch_size] */
    bool is_faulty;        /* faults were given: inputs are copied, level by level */
    bool is_monitored;
    bool is_lost;        /* the last switch failed */
    size_t codes_offset; /* of a monitor's codes in a thread's scratch */
    bool dark_found;
    optinc_place dark_at; /* level, and the input's number on it */
};

/* One call of optinc_switch_reduce. */
typedef struct call {
    optinc_switch *sw;
    const uint8_t *symbols;
    size_t stride;
    uint32_t port_count;
    size_t element_count;
    optinc_stream stream;
    uint8_t *result;
} call;

/* One batch of a call, on one thread. */
typedef struct part {
    const call *of;
    size_t element; /* the first, in the call */
    size_t element_count;
    uint8_t *scratch;
} part;

static size_t round_up(size_t size)
{
    return (size + OI_ALIGNMENT - 1) / OI_ALIGNMENT * OI_ALIGNMENT;
}

/* Bytes of `element` whole codes; exact, since batches start at multiples of 4 elements. */
static size_t bytes_before(uint32_t bits, size_t element)
{
    return element / 4 * bits / 2;
}

static void note_dark(const call *of, uint32_t index, uint32_t input)
{
#pragma omp critical(optinc_switch_dark)
    {
        of->sw->dark_found = true;
        of->sw->dark_at = (optinc_place){index, input};
    }
}

/* A monitor: light that should be there reads as no code 0. */
static optinc_status watch(const part *batch, uint32_t index, uint32_t input, const uint8_t *codes)
{
    const optinc_switch *sw = batch->of->sw;
    uint64_t *unpacked = (void *)(batch->scratch + sw->codes_offset);
    optinc_status status = optinc_symbols_unpack(sw->levels[index].spec.bits_in, codes,
                                                 batch->element_count, unpacked);

    for (size_t i = 0; !status && i < batch->element_count; i++)
        if (unpacked[i] == 0) {
            note_dark(batch->of, index, input);
            status = OPTINC_ERR_DARK;
        }
    return status;
}

static optinc_status run_unit(const part *batch, uint32_t index, uint32_t unit, uint8_t *result);

/* Input number `input` of a level, with what is wrong with it, to `codes`. */
static optinc_status feed(const part *batch, uint32_t index, uint32_t input, uint8_t *codes)
{
    const call *of = batch->of;
    const level *at = &of->sw->levels[index];
    size_t size = optinc_symbols_size(at->spec.bits_in, batch->element_count);
    optinc_status status = OPTINC_OK;

    if (at->faults[input] == FAULT_DARK)
        memset(codes, 0, size);
    else if (at->faults[input] == FAULT_IDLE || (index == 0 && input >= of->port_count))
        memcpy(codes, at->idle, size);
    else if (index > 0)
        status = run_unit(batch, index - 1, input, codes);
    else
        memcpy(codes,
               of->symbols + input * of->stride + bytes_before(at->spec.bits_in, batch->element),
               size);
    if (!status && of->sw->is_monitored)
        status = watch(batch, index, input, codes);
    return status;
}

/* All inputs of one switch of a tree with faults. */
static optinc_status feed_unit(const part *batch, uint32_t index, uint32_t unit, optinc_batch *run)
{
    const level *at = &batch->of->sw->levels[index];
    uint8_t *inputs = batch->scratch + at->inputs_offset;
    optinc_status status = OPTINC_OK;

    for (uint32_t i = 0; !status && i < at->spec.ports; i++)
        status = feed(batch, index, unit * at->spec.ports + i, inputs + i * at->inputs_stride);
    run->port_count = at->spec.ports;
    run->symbols = inputs;
    run->port_stride_bytes = at->inputs_stride;
    return status;
}

/* The inputs of one switch of a tree without faults: those that are in use, its children first. At
 * least one server below it is in use. */
static optinc_status use_unit(const part *batch, uint32_t index, uint32_t unit, optinc_batch *run)
{
    const call *of = batch->of;
    const level *at = &of->sw->levels[index];
    uint32_t child_servers = index > 0 ? of->sw->levels[index - 1].servers : 1;
    uint32_t server = unit * at->servers;
    uint32_t children = (of->port_count - server + child_servers - 1) / child_servers;
    uint8_t *inputs = batch->scratch + at->inputs_offset;
    optinc_status status = OPTINC_OK;

    run->port_count = children < at->spec.ports ? children : at->spec.ports;
    if (index == 0) {
        run->symbols =
            of->symbols + server * of->stride + bytes_before(at->spec.bits_in, batch->element);
        run->port_stride_bytes = of->stride;
        return OPTINC_OK;
    }
    for (uint32_t child = 0; !status && child < run->port_count; child++)
        status = run_unit(batch, index - 1, unit * at->spec.ports + child,
                          inputs + child * at->inputs_stride);
    run->symbols = inputs;
    run->port_stride_bytes = at->inputs_stride;
    return status;
}

/* Switch number `unit` of a level over one batch. */
static optinc_status run_unit(const part *batch, uint32_t index, uint32_t unit, uint8_t *result)
{
    const optinc_switch *sw = batch->of->sw;
    optinc_batch run = {.result = result,
                        .element_count = batch->element_count,
                        .stream = batch->of->stream,
                        .unit_index = unit,
                        .scratch = batch->scratch + sw->backend_offset};
    optinc_status status =
        sw->is_faulty ? feed_unit(batch, index, unit, &run) : use_unit(batch, index, unit, &run);

    run.stream.element_first += batch->element;
    return status ? status : sw->backend->reduce(sw->levels[index].state, &run);
}

static optinc_status run_batch(const call *of, size_t number, uint32_t thread)
{
    const optinc_switch *sw = of->sw;
    uint32_t top = sw->level_count - 1;
    part batch = {.of = of,
                  .element = number * OPTINC_BATCH_ELEMENTS_MAX,
                  .element_count = of->element_count - number * OPTINC_BATCH_ELEMENTS_MAX,
                  .scratch = sw->scratch + thread * sw->scratch_size};

    uint32_t bits = sw->levels[top].spec.bits_out;
    uint8_t *result = of->result + bytes_before(bits, batch.element);

    if (batch.element_count > OPTINC_BATCH_ELEMENTS_MAX)
        batch.element_count = OPTINC_BATCH_ELEMENTS_MAX;
    if (!sw->is_lost)
        return run_unit(&batch, top, 0, result);
    memset(result, 0, optinc_symbols_size(bits, batch.element_count));
    if (!sw->is_monitored)
        return OPTINC_OK;
    note_dark(of, top + 1, 0);
    return OPTINC_ERR_DARK;
}

/* One thread does without a parallel region, whose start costs more than a small message. */
static optinc_status run_all(const call *of)
{
    const optinc_switch *sw = of->sw;
    size_t batches = optinc_block_count(OPTINC_BATCH_ELEMENTS_MAX, of->element_count);
    optinc_status first = OPTINC_OK;

    if (sw->thread_count == 1 || batches < 2) {
        for (size_t i = 0; !first && i < batches; i++)
            first = run_batch(of, i, 0);
        return first;
    }
#pragma omp parallel num_threads(sw->thread_count)
    {
        uint32_t thread = (uint32_t)omp_get_thread_num();
        optinc_status own = OPTINC_OK;

#pragma omp for schedule(static)
        for (size_t i = 0; i < batches; i++) {
            if (!own)
                own = run_batch(of, i, thread);
        }
        if (own) {
#pragma omp critical(optinc_switch_status)
            first = own;
        }
    }
    return first;
}

optinc_status optinc_switch_reduce(optinc_switch *sw, const uint8_t *symbols,
                                   size_t port_stride_bytes, uint32_t port_count,
                                   size_t element_count, const optinc_stream *stream,
                                   uint8_t *result)
{
    call of = {.sw = sw,
               .symbols = symbols,
               .stride = port_stride_bytes,
               .port_count = port_count,
               .element_count = element_count,
               .result = result};
    size_t port_size;
    size_t all;

    if (!sw || port_count < 1 || port_count > sw->levels[sw->level_count - 1].servers)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (element_count == 0)
        return OPTINC_OK;
    if (!symbols || !result)
        return OPTINC_ERR_INVALID_ARGUMENT;
    port_size = optinc_symbols_size(sw->levels[0].spec.bits_in, element_count);
    if (port_size == SIZE_MAX || !oi_size_multiply(port_count, port_stride_bytes, &all))
        return OPTINC_ERR_OVERFLOW;
    if (port_count > 1 && port_stride_bytes < port_size)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (stream)
        of.stream = *stream;
    if (of.stream.element_first % 4 != 0)
        return OPTINC_ERR_INVALID_ARGUMENT;
    sw->dark_found = false;
    return run_all(&of);
}

/* A tree of exact switches gives the bits of one flat switch (docs/proofs.md), which needs no
 * results in between. Faults are those of the tree. */
static bool runs_flat(const optinc_switch *made)
{
    return made->backend == optinc_backend_exact() && !made->is_faulty &&
           optinc_design_level_count(made->design) > 1 && optinc_design_exact(made->design);
}

static optinc_status make_level(optinc_switch *made, const optinc_unit *unit,
                                const optinc_switch_options *options, const optinc_log *log)
{
    level *at = &made->levels[made->level_count];
    optinc_status status = made->backend->create(unit, options, log, &at->state);

    if (status)
        return status;
    at->spec = unit->spec;
    at->servers = unit->spec.ports;
    if (made->level_count > 0)
        at->servers *= made->levels[made->level_count - 1].servers;
    made->level_count++;
    return OPTINC_OK;
}

static optinc_status make_levels(optinc_switch *made, const optinc_switch_options *options,
                                 const optinc_log *log)
{
    optinc_status status = OPTINC_OK;

    if (runs_flat(made)) {
        optinc_unit flat = {.spec = optinc_design_flat_spec(made->design),
                            .proof = optinc_design_unit(made->design, 0)->proof};

        return make_level(made, &flat, options, log);
    }
    for (uint32_t i = 0; !status && i < optinc_design_level_count(made->design); i++)
        status = make_level(made, optinc_design_unit(made->design, i), options, log);
    return status;
}

static optinc_status make_idle(level *at)
{
    uint64_t codes[4];
    size_t size = optinc_symbols_size(at->spec.bits_in, OPTINC_BATCH_ELEMENTS_MAX);
    size_t piece = optinc_symbols_size(at->spec.bits_in, 4); /* whole bytes */
    optinc_status status;

    at->idle = oi_allocate(size, 1);
    if (!at->idle)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < 4; i++)
        codes[i] = at->spec.zero_code;
    status = optinc_symbols_pack(at->spec.bits_in, codes, 4, at->idle);
    for (size_t at_byte = piece; !status && at_byte < size; at_byte += piece)
        memcpy(at->idle + at_byte, at->idle, piece);
    return status;
}

/* Where the faults meet the tree. A failed switch is a dark input of the next level. */
static void place_faults(optinc_switch *made, const optinc_faults *faults)
{
    uint8_t dark = faults->action == OPTINC_FAULT_RESCALE ? FAULT_IDLE : FAULT_DARK;

    for (uint32_t i = 0; i < faults->left_count; i++)
        made->levels[0].faults[faults->left_ports[i]] = FAULT_IDLE;
    for (uint32_t i = 0; i < faults->dark_count; i++)
        made->levels[0].faults[faults->dark_ports[i]] = dark;
    for (uint32_t i = 0; i < faults->failed_count; i++) {
        const optinc_place *failed = &faults->failed[i];

        if (failed->level + 1 == made->level_count)
            made->is_lost = true;
        else
            made->levels[failed->level + 1].faults[failed->index] = dark;
    }
    made->is_monitored = faults->action == OPTINC_FAULT_ERROR;
}

/* Whether a server is left depends on how many there are, which reduce is told. */
static optinc_status make_faults(optinc_switch *made, const optinc_faults *faults,
                                 const optinc_log *log)
{
    uint32_t ports = optinc_design_ports(made->design);
    optinc_status status = optinc_faults_resolve(made->design, ports, faults, log, NULL, NULL);

    for (uint32_t i = 0; !status && i < made->level_count; i++) {
        level *at = &made->levels[i];
        uint32_t inputs = ports / at->servers * at->spec.ports;

        at->faults = oi_allocate(inputs, sizeof *at->faults);
        status = at->faults ? make_idle(at) : OPTINC_ERR_OUT_OF_MEMORY;
        if (status)
            return oi_fail(log, status, "switch: no memory for faults");
    }
    if (!status)
        place_faults(made, faults);
    return status;
}

/* Per thread: the inputs of every level (without faults but the first), a monitor's codes, then what
 * the backend needs. */
static optinc_status make_scratch(optinc_switch *made, const optinc_log *log)
{
    size_t backend_size = 0;

    for (uint32_t i = 0; i < made->level_count; i++) {
        level *at = &made->levels[i];
        size_t size = made->backend->scratch_size(at->state);

        if (size > backend_size)
            backend_size = size;
        if (i == 0 && !made->is_faulty)
            continue;
        at->inputs_offset = made->backend_offset;
        at->inputs_stride =
            round_up(optinc_symbols_size(at->spec.bits_in, OPTINC_BATCH_ELEMENTS_MAX));
        made->backend_offset += at->spec.ports * at->inputs_stride;
    }
    if (made->is_monitored) {
        made->codes_offset = made->backend_offset;
        made->backend_offset += OPTINC_BATCH_ELEMENTS_MAX * sizeof(uint64_t);
    }
    if (!oi_size_add(made->backend_offset, backend_size, &made->scratch_size) ||
        !oi_size_add(made->scratch_size, OI_ALIGNMENT, &made->scratch_size))
        return oi_fail(log, OPTINC_ERR_OVERFLOW, "switch: the scratch of a thread is too large");
    made->scratch_size = made->scratch_size / OI_ALIGNMENT * OI_ALIGNMENT;
    made->scratch = oi_allocate(made->thread_count, made->scratch_size);
    if (!made->scratch)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY,
                       "switch: no memory for %u threads with %zu bytes each", made->thread_count,
                       made->scratch_size);
    return OPTINC_OK;
}

/* OpenMP makes its threads at the first parallel region of their number: here, not in reduce. */
static void start_threads(uint32_t thread_count)
{
    if (thread_count > 1) {
#pragma omp parallel num_threads(thread_count)
        {
        }
    }
}

optinc_status optinc_switch_create(const optinc_design *design, const optinc_backend *backend,
                                   const optinc_switch_options *options, const optinc_log *log,
                                   optinc_switch **out)
{
    const optinc_switch_options defaults = {.thread_count = 1};
    optinc_switch *made;
    optinc_status status;

    if (!out)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "switch: out pointer is NULL");
    *out = NULL;
    if (!design || !backend)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "switch: design or backend is NULL");
    if (!backend->name || !backend->create || !backend->destroy || !backend->scratch_size ||
        !backend->reduce)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "switch: the backend lacks its name or a function");
    if (!options)
        options = &defaults;
    status = oi_threads_check(options->thread_count, log);
    if (status)
        return status;
    made = oi_allocate(1, sizeof *made);
    if (!made)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "switch: no memory");
    made->design = design;
    made->backend = backend;
    made->thread_count =
        options->thread_count ? options->thread_count : (uint32_t)omp_get_max_threads();
    made->is_faulty = options->faults != NULL;
    status = make_levels(made, options, log);
    if (!status && made->is_faulty)
        status = make_faults(made, options->faults, log);
    if (!status)
        status = make_scratch(made, log);
    if (status) {
        optinc_switch_destroy(&made);
        return status;
    }
    start_threads(made->thread_count);
    *out = made;
    return OPTINC_OK;
}

void optinc_switch_destroy(optinc_switch **sw)
{
    if (!sw || !*sw)
        return;
    for (uint32_t i = 0; i < (*sw)->level_count; i++) {
        (*sw)->backend->destroy((*sw)->levels[i].state);
        oi_free((*sw)->levels[i].idle);
        oi_free((*sw)->levels[i].faults);
    }
    oi_free((*sw)->scratch);
    oi_free(*sw);
    *sw = NULL;
}

bool optinc_switch_dark_at(const optinc_switch *sw, optinc_place *input)
{
    if (sw->dark_found)
        *input = sw->dark_at;
    return sw->dark_found;
}

const optinc_design *optinc_switch_design(const optinc_switch *sw)
{
    return sw->design;
}

const char *optinc_switch_backend_name(const optinc_switch *sw)
{
    return sw->backend->name;
}
