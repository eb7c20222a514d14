/* SPDX-License-Identifier: Apache-2.0 */
/* optinc reduce: averages float32 vectors through a switch, and says how far off the result is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "describe.h"
#include "npy.h"
#include "photonic.h"
#include "reduce.h"

/* Memory of the inputs' chunks is about 4 bytes times this. */
#define CHUNK_VALUES_DEFAULT ((uint64_t)1 << 23)
#define CHUNK_ELEMENTS_DEFAULT ((uint64_t)1 << 20)
#define CHUNK_ELEMENTS_MAX ((uint64_t)1 << 28)

typedef struct reduce_request {
    const char *design_path;
    const char *output_path;
    int backend; /* index into backends */
    int rounding;
    int op;
    uint64_t bits; /* 0: not asked for */
    uint64_t block_size;
    uint64_t threads;
    uint64_t chunk;
    uint64_t seed;
    uint64_t step;
    cli_photonic hardware;
    optinc_photonic_options photonic;
    cli_faults faults;
    bool json;
    uint32_t input_count;
    char **input_paths;
} reduce_request;

static const char *const backends[] = {"exact", "table", "onn", "photonic", NULL};
static const char *const roundings[] = {"nearest", "stochastic", NULL};
static const char *const ops[] = {"mean", "sum", NULL};

static const optinc_backend *backend_of(const reduce_request *request)
{
    switch (request->backend) {
    case 0:
        return optinc_backend_exact();
    case 1:
        return optinc_backend_table();
    case 2:
        return optinc_backend_onn();
    default:
        return optinc_backend_photonic();
    }
}

/* Opens all inputs and reads their headers; false with a message. */
static bool open_inputs(const reduce_request *request, FILE **inputs, npy_shape *shape)
{
    for (uint32_t k = 0; k < request->input_count; k++) {
        const char *path = request->input_paths[k];
        npy_message message;
        npy_shape own;

        inputs[k] = fopen(path, "rb");
        if (!inputs[k]) {
            cli_error("%s: cannot be opened: %s", path, strerror(errno));
            return false;
        }
        if (npy_read_header(inputs[k], &own, &message) != OPTINC_OK) {
            cli_error("%s: %s", path, message.text);
            return false;
        }
        if (k == 0)
            *shape = own;
        if (!npy_shape_equal(shape, &own)) {
            char found[NPY_SHAPE_TEXT_SIZE];
            char expected[NPY_SHAPE_TEXT_SIZE];

            cli_error("%s: shape: found %s, %llu elements; expected %s, %llu elements, as in %s",
                      path, npy_shape_text(&own, found), (unsigned long long)own.element_count,
                      npy_shape_text(shape, expected), (unsigned long long)shape->element_count,
                      request->input_paths[0]);
            return false;
        }
    }
    return true;
}

static size_t chunk_elements(const reduce_request *request, uint64_t element_count)
{
    uint64_t block = request->block_size;
    uint64_t chunk = request->chunk;

    if (chunk == 0) {
        chunk = CHUNK_VALUES_DEFAULT / request->input_count;
        chunk = chunk < CHUNK_ELEMENTS_DEFAULT ? chunk : CHUNK_ELEMENTS_DEFAULT;
    }
    if (chunk > element_count)
        chunk = element_count > 0 ? element_count : 1;
    return (size_t)((chunk + block - 1) / block * block);
}

static void print_result(const reduce_request *request, const cli_reduction *reduction,
                         const cli_reduction_report *report, double seconds)
{
    json_t *object;

    if (!request->json) {
        printf(
            "output         %s\nelements       %llu from %u inputs, %s\nbackend        %s\n"
            "error_max      %.9g\nerror_bound    %.9g\nsymbol_errors  %llu\nblocks         %llu, "
            "%llu of them not finite\nseconds        %.3f\nseed           %llu\n",
            request->output_path, (unsigned long long)reduction->element_count,
            reduction->input_count, ops[request->op], backends[request->backend], report->error_max,
            report->error_bound, (unsigned long long)report->symbol_errors,
            (unsigned long long)report->blocks, (unsigned long long)report->blocks_non_finite,
            seconds, (unsigned long long)request->seed);
        cli_faults_print(&request->faults, reduction->design, 14);
        return;
    }
    object = json_object();
    cli_json_set(object, "output", json_string(request->output_path));
    cli_json_set(object, "backend", json_string(backends[request->backend]));
    cli_json_set(object, "op", json_string(ops[request->op]));
    cli_json_set(object, "inputs", json_integer(reduction->input_count));
    cli_json_set(object, "elements", cli_json_count(reduction->element_count));
    cli_json_set(object, "blocks", cli_json_count(report->blocks));
    cli_json_set(object, "blocks_non_finite", cli_json_count(report->blocks_non_finite));
    cli_json_set(object, "error_max", cli_json_number(report->error_max));
    cli_json_set(object, "error_bound", cli_json_number(report->error_bound));
    cli_json_set(object, "symbol_errors", cli_json_count(report->symbol_errors));
    cli_json_set(object, "code_errors", cli_json_count(report->code_errors));
    cli_json_set(object, "seconds", cli_json_number(seconds));
    cli_json_set(object, "seed", cli_json_count(request->seed));
    cli_faults_json(&request->faults, reduction->design, object);
    cli_print_json(object);
}

/* Errors within the bound are the promise of docs/training.md; it holds where no symbol is
 * wrong. */
static int judge(const reduce_request *request, const cli_reduction_report *report)
{
    if (report->symbol_errors > 0) {
        cli_note("warning: %llu symbols are wrong: the design or backend is not exact",
                 (unsigned long long)report->symbol_errors);
        return CLI_DONE;
    }
    if (report->beyond_bound > 0)
        return cli_error("%s: %llu elements are beyond their error bound: %s", request->output_path,
                         (unsigned long long)report->beyond_bound,
                         optinc_status_text(OPTINC_ERR_SELF_CHECK));
    return CLI_DONE;
}

static int reduce_inputs(const reduce_request *request, const optinc_design *design,
                         optinc_switch *sw, FILE *const *inputs, const npy_shape *shape)
{
    double start = cli_seconds();
    cli_reduction reduction = {
        .design = design,
        .sw = sw,
        .codec = optinc_codec_default(optinc_design_bits(design)),
        .op = request->op == 1 ? OPTINC_SUM : OPTINC_MEAN,
        .seed = request->seed,
        .step = request->step,
        .chunk_elements = chunk_elements(request, shape->element_count),
        .input_count = request->input_count,
        .faults = &request->faults,
        .inputs = inputs,
        .names = request->input_paths,
        .element_count = shape->element_count,
        .output_name = request->output_path,
    };
    cli_reduction_report report;
    cli_output output;
    optinc_status status;

    reduction.codec.block_size = (uint32_t)request->block_size;
    reduction.codec.thread_count = (uint32_t)request->threads;
    if (request->rounding == 1)
        reduction.codec.rounding = OPTINC_ROUND_STOCHASTIC;
    if (!cli_output_open(&output, request->output_path))
        return CLI_BAD_INPUT;
    reduction.output = output.stream;
    if (npy_write_header(output.stream, shape) != OPTINC_OK) {
        cli_error("%s: cannot be written: %s", request->output_path, strerror(errno));
        cli_output_abandon(&output);
        return CLI_BAD_INPUT;
    }
    cli_progress_start("reduce");
    status = cli_reduce(&reduction, &report);
    cli_progress_stop();
    if (status != OPTINC_OK) {
        cli_output_abandon(&output);
        return CLI_BAD_INPUT;
    }
    if (!cli_output_commit(&output))
        return CLI_BAD_INPUT;
    print_result(request, &reduction, &report, cli_seconds() - start);
    return judge(request, &report);
}

/* What of the request does not fit the design; false with a message. */
static bool check_design(const reduce_request *request, const optinc_design *design)
{
    if (request->bits && request->bits != optinc_design_bits(design)) {
        cli_error("--bits: found %llu, expected %u as in %s", (unsigned long long)request->bits,
                  optinc_design_bits(design), request->design_path);
        return false;
    }
    if (request->input_count > optinc_design_ports(design)) {
        cli_error("found %u inputs, expected at most %u, the ports of %s", request->input_count,
                  optinc_design_ports(design), request->design_path);
        return false;
    }
    return true;
}

static int reduce_files(reduce_request *request)
{
    optinc_switch_options options = {.thread_count = (uint32_t)request->threads};
    optinc_design *design = cli_load_design(request->design_path);
    optinc_switch *sw = NULL;
    FILE **inputs = NULL;
    npy_shape shape;
    optinc_status status;
    int code = CLI_BAD_INPUT;

    if (!design || !check_design(request, design) ||
        !cli_faults_resolve(&request->faults, design, request->input_count))
        goto out;
    if (request->faults.any)
        options.faults = &request->faults.faults;
    if (request->backend == 3)
        options.backend_options = &request->photonic;
    status = optinc_switch_create(design, backend_of(request), &options, &cli_log, &sw);
    if (status != OPTINC_OK) {
        code = cli_library_error(status, request->design_path);
        goto out;
    }
    inputs = calloc(request->input_count, sizeof(FILE *));
    if (!inputs)
        cli_error("out of memory");
    else if (open_inputs(request, inputs, &shape))
        code = reduce_inputs(request, design, sw, inputs, &shape);
out:
    for (uint32_t k = 0; inputs && k < request->input_count; k++)
        if (inputs[k])
            fclose(inputs[k]);
    free(inputs);
    cli_faults_free(&request->faults);
    optinc_switch_destroy(&sw);
    optinc_design_destroy(&design);
    return code;
}

static int run(int argc, char **argv)
{
    reduce_request request = {.block_size = OPTINC_BLOCK_SIZE_DEFAULT, .seed = 1};
    cli_option hardware[CLI_PHOTONIC_OPTIONS];
    int hardware_count = cli_photonic_options(&request.hardware, hardware);
    const cli_option own[] = {
        cli_required(cli_text("--design", &request.design_path, "DESIGN", "the switch")),
        cli_output_option(&request.output_path, "OUT.npy",
                          "the result, in the shape of the inputs"),
        cli_choice("--backend", &request.backend, backends,
                   "the proved function, the table of what the ONN answers, its layers, or their "
                   "light; default exact"),
        cli_choice("--op", &request.op, ops, "what the result is; default mean"),
        cli_choice("--rounding", &request.rounding, roundings,
                   "of the quantisation; default nearest"),
        cli_count("--block-size", &request.block_size, "ELEMENTS", 4, 65536,
                  "elements that share an exponent: a multiple of 4 up to 65536; default 256"),
        cli_even(cli_count("--bits", &request.bits, "B", 2, 32,
                           "fails unless the design is for B bits; default any")),
        cli_count("--threads", &request.threads, "T", 1, 1024,
                  "threads; the result does not depend on it; default all cores"),
        cli_count(
            "--chunk", &request.chunk, "ELEMENTS", 1, CHUNK_ELEMENTS_MAX,
            "elements in memory at once, rounded up to whole blocks; the result does not depend "
            "on it; default 1048576"),
        cli_seed_option(&request.seed, "of stochastic roundings; default 1"),
        cli_count("--step", &request.step, "STEP", 0, INT64_MAX,
                  "training step, which keys stochastic roundings; default 0"),
        cli_json_option(&request.json),
    };
    cli_option options[sizeof own / sizeof own[0] + CLI_FAULTS_OPTIONS + CLI_PHOTONIC_OPTIONS];
    const cli_syntax syntax = {
        .usage = "reduce --design DESIGN [--backend exact|table|onn|photonic] IN.npy... -o OUT.npy "
                 "[OPTIONS]",
        .text = "Averages float32 vectors (NumPy .npy files, one a server) through the switch: "
                "block exponents, codes, switch, and back to floats. Prints the largest error "
                "against the exact mean, its bound, and the symbols in which the backend differs "
                "from the reference function.",
        .example = "optinc reduce --design switch.safetensors --backend onn a.npy b.npy c.npy "
                   "-o mean.npy\n"
                   "optinc reduce --design switch.safetensors --op sum --rounding stochastic "
                   "--seed 3 a.npy b.npy -o sum.npy\n"
                   "optinc reduce --design switch.safetensors --backend photonic --phase-sigma "
                   "0.005 a.npy b.npy -o noisy.npy",
        .options = options,
        .option_count = (int)(sizeof own / sizeof own[0]) + CLI_FAULTS_OPTIONS + hardware_count,
        .operand_name = "IN.npy",
        .operands_min = 1,
        .operands_max = -1,
    };
    int operand_count;

    memcpy(options, own, sizeof own);
    cli_faults_describe(&request.faults, options + sizeof own / sizeof own[0]);
    memcpy(options + sizeof own / sizeof own[0] + CLI_FAULTS_OPTIONS, hardware,
           (size_t)hardware_count * sizeof hardware[0]);
    switch (cli_parse(&syntax, argc, argv, &operand_count)) {
    case CLI_PARSED_HELP:
        return CLI_DONE;
    case CLI_PARSED_WRONG:
        return CLI_BAD_INPUT;
    case CLI_PARSED:
        break;
    }
    if (!cli_photonic_resolve(&request.hardware, &request.photonic))
        return CLI_BAD_INPUT;
    request.photonic.seed = request.seed;
    if (request.block_size % 4 != 0)
        return cli_error("--block-size: found %llu, expected a multiple of 4",
                         (unsigned long long)request.block_size);
    request.input_count = (uint32_t)operand_count;
    request.input_paths = argv;
    return reduce_files(&request);
}

const cli_command cli_command_reduce = {
    .name = "reduce", .summary = "averages vectors through a switch", .run = run};
