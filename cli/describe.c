/* SPDX-License-Identifier: Apache-2.0 */
#include "describe.h"

#include <math.h>

const char *cli_mapping_name(optinc_mapping mapping)
{
    switch (mapping) {
    case OPTINC_MAPPING_SVD:
        return "svd";
    case OPTINC_MAPPING_SEGMENTED:
        return "segmented";
    case OPTINC_MAPPING_DIRECT:
        return "direct";
    }
    return "unknown";
}

const char *cli_activation_name(optinc_activation activation)
{
    switch (activation) {
    case OPTINC_ACTIVATION_LINEAR:
        return "linear";
    case OPTINC_ACTIVATION_RELU:
        return "relu";
    case OPTINC_ACTIVATION_SATURATING:
        return "saturating";
    }
    return "unknown";
}

const char *cli_method_name(optinc_method method)
{
    return method == OPTINC_METHOD_TRAINED ? "trained" : "constructed";
}

const char *cli_proof_name(optinc_proof_kind kind)
{
    switch (kind) {
    case OPTINC_PROOF_NONE:
        return "none";
    case OPTINC_PROOF_EXHAUSTIVE:
        return "exhaustive";
    case OPTINC_PROOF_COMPOSITIONAL:
        return "compositional";
    case OPTINC_PROOF_SAMPLED:
        return "sampled";
    }
    return "unknown";
}

const char *cli_variant_name(optinc_variant variant)
{
    switch (variant) {
    case OPTINC_VARIANT_HALF_UP:
        return "half-up";
    case OPTINC_VARIANT_STOCHASTIC:
        return "stochastic";
    case OPTINC_VARIANT_RESIDUAL:
        return "residual";
    }
    return "unknown";
}

const char *cli_convention(const optinc_cost_options *options, char text[CLI_CONVENTION_SIZE])
{
    snprintf(text, CLI_CONVENTION_SIZE,
             "mesh of side k: k(k-1)/2 MZIs; svd: two meshes and a diagonal of %s; "
             "segmented: k(k-1)/2 + k a block of side k%s",
             options->diagonal_min ? "min(rows, cols)"
                                   : "max(rows, cols), of which min(rows, cols) are built",
             options->bias_port ? "; the bias is one more column" : "; the bias is not counted");
    return text;
}

uint64_t cli_units_of_level(const optinc_design *design, uint32_t level)
{
    uint64_t count = 1;

    for (uint32_t l = level + 1; l < optinc_design_level_count(design); l++)
        count *= optinc_design_unit(design, l)->spec.ports;
    return count;
}

json_t *cli_json_proof(const optinc_proof *proof)
{
    json_t *object = json_object();

    cli_json_set(object, "proof", json_string(cli_proof_name(proof->kind)));
    cli_json_set(object, "cases", cli_json_count(proof->cases));
    cli_json_set(object, "errors", cli_json_count(proof->errors));
    cli_json_set(object, "exact", json_boolean(proof->exact));
    cli_json_set(object, "margin_min", cli_json_number(proof->margin_min));
    if (proof->kind == OPTINC_PROOF_SAMPLED)
        cli_json_set(object, "error_bound", cli_json_number(proof->error_bound));
    return object;
}

const char *cli_proof_text(const optinc_proof *proof, char text[CLI_PROOF_TEXT_SIZE])
{
    char cases[CLI_COUNT_TEXT_SIZE];
    char errors[CLI_COUNT_TEXT_SIZE];

    if (proof->kind == OPTINC_PROOF_NONE) {
        snprintf(text, CLI_PROOF_TEXT_SIZE, "none");
        return text;
    }
    snprintf(text, CLI_PROOF_TEXT_SIZE, "%s, %s %s, %s error%s, smallest margin %.6g",
             cli_proof_name(proof->kind), cli_count_text(proof->cases, cases),
             proof->kind == OPTINC_PROOF_COMPOSITIONAL ? "states" : "cases",
             cli_count_text(proof->errors, errors), proof->errors == 1 ? "" : "s",
             proof->margin_min);
    return text;
}

/* Sampled is weaker than compositional, which is weaker than exhaustive only in being indirect. */
static int strength(optinc_proof_kind kind)
{
    switch (kind) {
    case OPTINC_PROOF_EXHAUSTIVE:
        return 3;
    case OPTINC_PROOF_COMPOSITIONAL:
        return 2;
    case OPTINC_PROOF_SAMPLED:
        return 1;
    case OPTINC_PROOF_NONE:
        return 0;
    }
    return 0;
}

optinc_proof cli_combine_proofs(const optinc_proof *proofs, uint32_t count)
{
    optinc_proof whole = proofs[0];

    for (uint32_t i = 1; i < count; i++) {
        const optinc_proof *proof = &proofs[i];

        if (strength(proof->kind) < strength(whole.kind))
            whole.kind = proof->kind;
        whole.exact = whole.exact && proof->exact;
        whole.cases += proof->cases;
        whole.errors += proof->errors;
        whole.margin_min = fmin(whole.margin_min, proof->margin_min);
        whole.error_bound = NAN;
    }
    return whole;
}

optinc_design *cli_load_design(const char *path)
{
    optinc_design *design = NULL;
    optinc_status status = optinc_design_load(path, &cli_log, &design);

    if (status == OPTINC_OK)
        return design;
    cli_library_error(status, path);
    return NULL;
}
