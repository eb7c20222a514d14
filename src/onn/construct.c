/* SPDX-License-Identifier: Apache-2.0 */
/* The constructed ONN (docs/proofs.md). One hidden layer a carry: its step units
 * theta_t(x_i) = clip((x_i - 4t + 1/2 + g/2) / g, 0, 1), t = 1 .. floor(max x_i / 4), sum to
 * carry_(i+1) = floor(x_i / 4); all that later stages need rides along, scaled to 0 .. 1.
 *
 * The builder keeps every live value as an affine expression over the units of the layer built last;
 * a new layer's rows are made from these expressions, and the values are then expressed anew. */
#include "base/log.h"
#include "base/memory.h"
#include "onn/stages.h"
#include "optinc/onn.h"

#include <math.h>
#include <string.h>

#define GAP_DEFAULT 0.5
#define STEPS_MAX (OI_STAGE_VALUE_MAX / 4)
#define LIVE_MAX (3 * OI_STAGES_MAX) /* sums, offset digits, result digits */
#define WIDTH_MAX (2 * STEPS_MAX + LIVE_MAX)

/* sum_k weight[k] unit[k] + constant, a value within 0 .. max */
typedef struct expression {
    double weight[WIDTH_MAX];
    double constant;
    double max; /* 0: the value is always 0 and nothing needs to carry it */
} expression;

typedef struct builder {
    const optinc_spec *spec;
    oi_stages stages;
    optinc_activation activation;
    double gap;
    expression sum[OI_STAGES_MAX];    /* s_i */
    expression offset[OI_STAGES_MAX]; /* o_i */
    expression digit[OI_STAGES_MAX];  /* digit_i, once known */
    expression carry;
    uint32_t width; /* of the layer built last; of the inputs at first */
    optinc_input inputs[2 * OI_STAGES_MAX];
    uint32_t input_count;
    optinc_layer layers[OI_STAGES_MAX + 1];
    uint32_t layer_count;
} builder;

/* result = unit `index` times `scale`, at most max */
static void express_unit(expression *result, uint32_t index, double scale, double max)
{
    memset(result, 0, sizeof *result);
    result->weight[index] = scale;
    result->max = max;
}

/* result += factor * term */
static void express_add(const builder *b, expression *result, double factor, const expression *term)
{
    for (uint32_t k = 0; k < b->width; k++)
        result->weight[k] += factor * term->weight[k];
    result->constant += factor * term->constant;
}

static void make_inputs(builder *b)
{
    const oi_stages *stages = &b->stages;
    uint32_t digits_in = optinc_spec_digits_in(b->spec);

    for (uint32_t i = 0; i < stages->digits_in; i++) {
        b->inputs[b->input_count] = (optinc_input){.digit_first = i, .digit_count = 1, .scale = 1};
        express_unit(&b->sum[i], b->input_count++, b->spec->ports, stages->sum_max[i]);
    }
    for (uint32_t i = 0; i < stages->first_out; i++) {
        if (stages->offset_step[i] == 0) {
            b->offset[i].constant = stages->offset[i];
            continue;
        }
        b->inputs[b->input_count] =
            (optinc_input){.digit_first = digits_in + i, .digit_count = 1, .scale = 1};
        express_unit(&b->offset[i], b->input_count++, 1, stages->offset[i]);
    }
    b->width = b->input_count;
}

static optinc_status begin_layer(builder *b, uint32_t rows, optinc_activation activation,
                                 double **weight, double **bias)
{
    *weight = oi_allocate((size_t)rows * b->width, sizeof **weight);
    *bias = oi_allocate(rows, sizeof **bias);
    b->layers[b->layer_count++] = (optinc_layer){.rows = rows,
                                                 .cols = b->width,
                                                 .activation = activation,
                                                 .mapping = OPTINC_MAPPING_SVD,
                                                 .weight = *weight,
                                                 .bias = *bias};
    return *weight && *bias ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;
}

/* Row `row` of the layer being built computes scale * value + shift. */
static void set_row(const builder *b, uint32_t row, double *weight, double *bias,
                    const expression *value, double scale, double shift)
{
    for (uint32_t k = 0; k < b->width; k++)
        weight[(size_t)row * b->width + k] = scale * value->weight[k];
    bias[row] = scale * value->constant + shift;
}

/* The values that later layers need while stage i's carry is found: result digits known so far, x_i
 * itself (in digit[i]) if its digit is part of the result, sums and offset digits to come. */
static uint32_t list_riders(builder *b, uint32_t stage, expression *riders[LIVE_MAX])
{
    const oi_stages *stages = &b->stages;
    uint32_t count = 0;

    for (uint32_t i = stages->first_out; i <= stage; i++)
        riders[count++] = &b->digit[i];
    for (uint32_t i = stage + 1; i < stages->digits_in; i++)
        riders[count++] = &b->sum[i];
    for (uint32_t i = stage + 1; i < stages->first_out; i++)
        if (stages->offset_step[i] != 0)
            riders[count++] = &b->offset[i];
    for (uint32_t i = 0; i < count;)
        if (riders[i]->max > 0)
            i++;
        else
            memmove(&riders[i], &riders[i + 1], (--count - i) * sizeof(riders[0]));
    return count;
}

/* The hidden layer of one carry: `steps` steps of x, then the riders. */
static optinc_status build_carry_layer(builder *b, uint32_t stage, const expression *x,
                                       uint32_t steps)
{
    bool pairs = b->activation == OPTINC_ACTIVATION_RELU; /* clip(z, 0, 1) = relu(z) - relu(z-1) */
    uint32_t step_units = pairs ? 2 * steps : steps;
    expression *riders[LIVE_MAX];
    uint32_t rider_count = list_riders(b, stage, riders);
    double *weight, *bias;
    optinc_status status = begin_layer(b, step_units + rider_count, b->activation, &weight, &bias);

    if (status != OPTINC_OK)
        return status;
    for (uint32_t t = 1; t <= steps; t++) {
        double shift = (0.5 + b->gap / 2 - 4.0 * t) / b->gap;

        set_row(b, t - 1, weight, bias, x, 1 / b->gap, shift);
        if (pairs)
            set_row(b, steps + t - 1, weight, bias, x, 1 / b->gap, shift - 1);
    }
    for (uint32_t i = 0; i < rider_count; i++)
        set_row(b, step_units + i, weight, bias, riders[i], 1 / riders[i]->max, 0);

    b->width = step_units + rider_count;
    for (uint32_t i = 0; i < rider_count; i++)
        express_unit(riders[i], step_units + i, riders[i]->max, riders[i]->max);
    memset(&b->carry, 0, sizeof b->carry);
    for (uint32_t k = 0; k < step_units; k++)
        b->carry.weight[k] = k < steps ? 1 : -1;
    return OPTINC_OK;
}

static optinc_status build_stage(builder *b, uint32_t stage)
{
    const oi_stages *stages = &b->stages;
    uint32_t steps = stages->value_max[stage] / 4;
    expression x = b->carry;
    optinc_status status;

    express_add(b, &x, 1, &b->offset[stage]);
    if (stage < stages->digits_in)
        express_add(b, &x, stages->gain, &b->sum[stage]);
    x.max = stages->value_max[stage];
    if (stage >= stages->first_out)
        b->digit[stage] = x;
    if (steps == 0 || stage + 1 == stages->count) {
        /* No carry, or none that anything could use: x_i is the digit. */
        memset(&b->carry, 0, sizeof b->carry);
        return OPTINC_OK;
    }
    status = build_carry_layer(b, stage, &x, steps);
    if (status == OPTINC_OK && stage >= stages->first_out) {
        express_add(b, &b->digit[stage], -4, &b->carry);
        b->digit[stage].max = 3;
    }
    return status;
}

static optinc_status build_output_layer(builder *b)
{
    uint32_t rows = b->stages.count - b->stages.first_out;
    double *weight, *bias;
    optinc_status status = begin_layer(b, rows, OPTINC_ACTIVATION_LINEAR, &weight, &bias);

    if (status != OPTINC_OK)
        return status;
    for (uint32_t row = 0; row < rows; row++)
        set_row(b, row, weight, bias, &b->digit[b->stages.first_out + row], 1, 0);
    return OPTINC_OK;
}

static optinc_status build(builder *b)
{
    optinc_status status = OPTINC_OK;

    make_inputs(b);
    for (uint32_t i = 0; i < b->stages.count && status == OPTINC_OK; i++)
        status = build_stage(b, i);
    if (status == OPTINC_OK)
        status = build_output_layer(b);
    return status;
}

static void destroy_builder(builder *b)
{
    for (uint32_t i = 0; i < b->layer_count; i++) {
        oi_free((void *)b->layers[i].weight);
        oi_free((void *)b->layers[i].bias);
    }
    oi_free(b);
}

static optinc_status check_options(const optinc_construct_options *options, const optinc_log *log)
{
    if (options->activation != OPTINC_ACTIVATION_RELU &&
        options->activation != OPTINC_ACTIVATION_SATURATING)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "activation of a constructed design is %d, expected relu or saturating",
                       (int)options->activation);
    if (!(options->gap > 0 && options->gap < 1))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "gap is %g, expected above 0 and below 1",
                       options->gap);
    return OPTINC_OK;
}

optinc_status optinc_construct(const optinc_spec *spec, const optinc_construct_options *options,
                               const optinc_log *log, optinc_design **design)
{
    optinc_construct_options chosen = {.activation = OPTINC_ACTIVATION_SATURATING};
    optinc_unit unit;
    optinc_status status;
    builder *b;

    if (!design)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design is NULL");
    *design = NULL;
    if (options)
        chosen = *options;
    if (chosen.gap == 0)
        chosen.gap = GAP_DEFAULT;
    status = optinc_spec_check(spec, log);
    if (status == OPTINC_OK)
        status = check_options(&chosen, log);
    if (status != OPTINC_OK)
        return status;
    b = oi_allocate(1, sizeof *b);
    if (!b)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory to construct a design");
    b->spec = spec;
    b->activation = chosen.activation;
    b->gap = chosen.gap;
    oi_stages_of(spec, &b->stages);
    status = build(b);
    if (status == OPTINC_OK) {
        unit = (optinc_unit){.spec = *spec,
                             .method = OPTINC_METHOD_CONSTRUCTED,
                             .gap = b->gap,
                             .input_count = b->input_count,
                             .inputs = b->inputs,
                             .layer_count = b->layer_count,
                             .layers = b->layers,
                             .proof = {.kind = OPTINC_PROOF_NONE, .error_bound = NAN}};
        status = optinc_design_create(&unit, 1, log, design);
    } else {
        oi_log(log, OPTINC_LOG_ERROR, "no memory to construct a design of %u ports", spec->ports);
    }
    destroy_builder(b); /* the design holds copies */
    return status;
}
