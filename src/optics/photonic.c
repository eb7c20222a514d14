/* SPDX-License-Identifier: Apache-2.0 */
/* From a unit's layers to circuits: full scales of all modulators, matrices with them in place, and
 * their mapping. */
#include "optics/photonic.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/philox.h"

#define PROBES 512 /* random digit sums that find the full scales of ReLU layers */
#define CHIPS_MAX 4096u

optinc_photonic_options optinc_photonic_defaults(void)
{
    return (optinc_photonic_options){.device = optinc_device_ideal(), .chip_count = 16};
}

static optinc_status check_options(const optinc_photonic_options *options, const optinc_unit *unit,
                                   const optinc_log *log)
{
    if (optinc_device_check(&options->device, log))
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (options->correct_errors && options->self_configure)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "photonic: phases are either corrected or self-configured");
    if (!(options->drift_time_s >= 0 && options->drift_time_s <= 1e12) ||
        options->chip_count > CHIPS_MAX || options->fault_layer > unit->layer_count ||
        (options->form != OPTINC_CELL_PHYSICAL && options->form != OPTINC_CELL_SYMMETRIC))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "photonic: drift time %g s, %u chips (at most %u), fault layer %u of %u, "
                       "form %d",
                       options->drift_time_s, options->chip_count, CHIPS_MAX, options->fault_layer,
                       unit->layer_count, (int)options->form);
    return OPTINC_OK;
}

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t state, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++)
        /* the analyser does not see that all of the bytes are set */
        state = (state ^ at[i]) /* NOLINT(clang-analyzer-core.UndefinedBinaryOperatorResult) */
                * UINT64_C(0x100000001B3);
    return state;
}

static uint64_t unit_salt(const optinc_unit *unit)
{
    const uint32_t numbers[] = {
        unit->spec.ports,        unit->spec.bits_in,           unit->spec.bits_out,
        unit->spec.divisor_log2, (uint32_t)unit->spec.variant, unit->layer_count};
    uint64_t salt = hash(UINT64_C(0xCBF29CE484222325), numbers, sizeof numbers);

    for (uint32_t l = 0; l < unit->layer_count; l++)
        salt = hash(salt, unit->layers[l].weight,
                    (size_t)unit->layers[l].rows * unit->layers[l].cols * sizeof(double));
    return salt & ((UINT64_C(1) << 56) - 1);
}

/* The largest value of an input: all of its digits 3. */
static double input_full_scale(const optinc_input *input)
{
    return fabs(input->scale) * (ldexp(1, (int)(2 * input->digit_count)) - 1);
}

static double activate(optinc_activation activation, double x)
{
    if (activation != OPTINC_ACTIVATION_LINEAR && x < 0)
        x = 0;
    return activation == OPTINC_ACTIVATION_SATURATING && x > 1 ? 1 : x;
}

/* One probe through all layers; peak [layer][unit] grows to the largest |value| seen. x, y
 * [width_max] are scratch, x holds the inputs. */
static void probe(const optinc_unit *unit, uint32_t width_max, double *x, double *y, double *peak)
{
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        const optinc_layer *layer = &unit->layers[l];

        for (uint32_t r = 0; r < layer->rows; r++) {
            double sum = layer->bias[r];

            for (uint32_t c = 0; c < layer->cols; c++)
                sum += layer->weight[(size_t)r * layer->cols + c] * x[c];
            y[r] = activate(layer->activation, sum);
            peak[l * width_max + r] = fmax(peak[l * width_max + r], fabs(y[r]));
        }
        memcpy(x, y, layer->rows * sizeof *x);
    }
}

/* full_scale [layer_count + 1][width_max]: [0] of the inputs, [l + 1] of layer l's outputs. What
 * saturates has 1; for the rest, the largest value of random digit sums and of all equal ones. */
static optinc_status find_full_scales(const oi_photonic *photonic, double *full_scale)
{
    const optinc_unit *unit = photonic->unit;
    uint32_t width = photonic->width_max;
    double *x = oi_allocate(2 * (size_t)width, sizeof *x);

    if (!x)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < unit->input_count; i++)
        full_scale[i] = input_full_scale(&unit->inputs[i]);
    for (uint64_t k = 0; k < PROBES; k++) {
        for (uint32_t i = 0; i < unit->input_count; i++) {
            uint32_t word[4];
            double share = (double)k / 15;

            oi_philox(0, k, i, OI_PURPOSE_SAMPLE, word);
            if (k >= 16)
                share = oi_uniform_double(word[0], word[1]);
            x[i] = share * unit->inputs[i].scale *
                   (ldexp(1, (int)(2 * unit->inputs[i].digit_count)) - 1);
        }
        probe(unit, width, x, x + width, full_scale + width);
    }
    oi_free(x);
    for (uint32_t l = 0; l < unit->layer_count; l++)
        for (uint32_t r = 0; r < width; r++) {
            double *scale = &full_scale[(size_t)(l + 1) * width + r];

            if (unit->layers[l].activation == OPTINC_ACTIVATION_SATURATING || !(*scale > 0))
                *scale = 1;
        }
    for (uint32_t i = 0; i < width; i++)
        if (!(full_scale[i] > 0))
            full_scale[i] = 1;
    return OPTINC_OK;
}

static bool has_bias(const optinc_layer *layer)
{
    for (uint32_t r = 0; r < layer->rows; r++)
        if (layer->bias[r] != 0)
            return true;
    return false;
}

/* One full scale for all inputs: segments must stay orthogonal. */
static void level_full_scale(double *full_scale, uint32_t count)
{
    double largest = 0;

    for (uint32_t i = 0; i < count; i++)
        largest = fmax(largest, full_scale[i]);
    for (uint32_t i = 0; i < count; i++)
        full_scale[i] = largest;
}

static optinc_status make_layer(const oi_photonic *photonic, uint32_t l, const double *in_scale,
                                const double *out_scale, const optinc_log *log)
{
    const optinc_layer *source = &photonic->unit->layers[l];
    const optinc_photonic_options *options = &photonic->options;
    oi_photonic_layer *layer = &photonic->layers[l];
    /* a layer without faults has nothing to make up for */
    const optinc_device ideal = optinc_device_ideal();
    const optinc_device *device = oi_is_faulty(options->fault_layer, l) ? &options->device : &ideal;
    optinc_circuit_options circuit = {.mapping =
                                          options->direct ? OPTINC_MAPPING_DIRECT : source->mapping,
                                      .layout = options->layout,
                                      .form = options->form,
                                      .segment_side = source->segment_side,
                                      .balance = options->dummies,
                                      .loss_db = device->mzi_loss_db,
                                      .crossed_by = device->crossing_loss_db > 0 ? device : NULL};

    layer->optical_bias = circuit.mapping != OPTINC_MAPPING_SEGMENTED &&
                          !options->bias_electronic && has_bias(source);
    circuit.bias_last = layer->optical_bias;
    layer->activation = source->activation;
    layer->rows = source->rows;
    layer->inputs = source->cols + (layer->optical_bias ? 1 : 0);
    layer->target = oi_allocate((size_t)layer->rows * layer->inputs, sizeof(double));
    layer->bias = oi_allocate(layer->rows, sizeof(double));
    layer->scale = oi_allocate(layer->rows, sizeof(double));
    if (!layer->target || !layer->bias || !layer->scale)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint32_t r = 0; r < layer->rows; r++) {
        double *row = layer->target + (size_t)r * layer->inputs;

        for (uint32_t c = 0; c < source->cols; c++)
            row[c] = source->weight[(size_t)r * source->cols + c] * in_scale[c];
        if (layer->optical_bias)
            row[source->cols] = source->bias[r];
        else
            layer->bias[r] = source->bias[r];
        layer->scale[r] = out_scale ? 1 / out_scale[r] : 1;
    }
    return optinc_circuit_create(layer->rows, layer->inputs, layer->target, &circuit, log,
                                 &layer->circuit);
}

static optinc_status make_layers(oi_photonic *photonic, const optinc_log *log)
{
    const optinc_unit *unit = photonic->unit;
    uint32_t width = photonic->width_max;
    double *full_scale = oi_allocate((size_t)(unit->layer_count + 1) * width, sizeof *full_scale);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    photonic->layers = oi_allocate(unit->layer_count, sizeof *photonic->layers);
    if (full_scale && photonic->layers)
        status = find_full_scales(photonic, full_scale);
    for (uint32_t l = 0; l < unit->layer_count && !status; l++)
        if (unit->layers[l].mapping == OPTINC_MAPPING_SEGMENTED && !photonic->options.direct)
            level_full_scale(full_scale + (size_t)l * width, unit->layers[l].cols);
    for (uint32_t l = 0; l < unit->layer_count && !status; l++) {
        bool last = l + 1 == unit->layer_count;

        status = make_layer(photonic, l, full_scale + (size_t)l * width,
                            last ? NULL : full_scale + (size_t)(l + 1) * width, log);
        photonic->layer_count++;
        photonic->receiver_count += photonic->layers[l].rows;
        photonic->matrix_count += (size_t)photonic->layers[l].rows * photonic->layers[l].inputs;
    }
    oi_free(full_scale);
    return status;
}

static uint32_t find_width(const optinc_unit *unit)
{
    uint32_t width = unit->input_count;

    for (uint32_t l = 0; l < unit->layer_count; l++)
        if (unit->layers[l].rows > width)
            width = unit->layers[l].rows;
    return width;
}

optinc_status oi_photonic_create(const optinc_unit *unit, const optinc_photonic_options *options,
                                 const optinc_log *log, oi_photonic **photonic)
{
    oi_photonic *made;
    optinc_status status;

    *photonic = NULL;
    if (unit->layer_count == 0)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "photonic: the unit has no layers");
    made = oi_allocate(1, sizeof *made);
    if (!made)
        return OPTINC_ERR_OUT_OF_MEMORY;
    made->unit = unit;
    made->options = options ? *options : optinc_photonic_defaults();
    made->salt = unit_salt(unit);
    made->digits_in = optinc_spec_digits_in(&unit->spec);
    made->digits_out = optinc_spec_digits_out(&unit->spec);
    if (unit->spec.variant == OPTINC_VARIANT_STOCHASTIC)
        made->digits_bias = (unit->spec.divisor_log2 + 1) / 2;
    made->width_max = find_width(unit);
    status = check_options(&made->options, unit, log);
    if (!status)
        status = make_layers(made, log);
    if (status)
        oi_photonic_destroy(&made);
    *photonic = made;
    return status;
}

void oi_photonic_destroy(oi_photonic **photonic)
{
    if (!photonic || !*photonic)
        return;
    for (uint32_t l = 0; l < (*photonic)->layer_count; l++) {
        optinc_circuit_destroy(&(*photonic)->layers[l].circuit);
        oi_free((*photonic)->layers[l].target);
        oi_free((*photonic)->layers[l].bias);
        oi_free((*photonic)->layers[l].scale);
    }
    oi_free((*photonic)->layers);
    oi_free(*photonic);
    *photonic = NULL;
}
