/* SPDX-License-Identifier: Apache-2.0 */
/* The chip: layers from left to right, each its modulators, its circuit and its receivers, with
 * electrical links from a layer's receivers to the next one's modulators. The preprocessing and
 * splitting units are boxes: they are no circuits of ours. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/number_text.h"
#include "optics/export.h"
#include "optics/layout.h"
#include "optinc/layout.h"

#define UM2_PER_MM2 1e6
#define NM_PER_MM 1e6
#define BOX_GAP_NM 4000
#define RECEIVER_WIDTH_NM 40000
#define LINK_NM 40000  /* straight, at both ends of a link */
#define UNIT_NM 480000 /* length of the box of P or T */
#define UNIT_GAP_NM 100000
#define CHIP_EDGE_NM 100000
#define CHIP_TEXT_NM 40000 /* at least */
#define CHIP_TEXT_SHARE 20 /* of the height */
#define UNIT_TEXT_NM 26000

typedef struct layer_place {
    char name[20];
    oi_circuit_plan plan;
    uint32_t rows, cols;
    int64_t x, y; /* of the first modulator, in the chip */
    int64_t length;
    int64_t top, bottom; /* relative to y */
    int64_t first_output;
} layer_place;

typedef struct chip {
    oi_gds gds;    /* finished cells */
    oi_gds shapes; /* of the top cell */
    oi_layout_rules rules;
    int64_t distance; /* of a layer's ports */
    layer_place *layers;
    uint32_t count;
    int64_t length, top, bottom;
} chip;

int64_t oi_layout_distance(const oi_layout_rules *rules)
{
    int64_t box = BOX_GAP_NM + (rules->modulator_width > RECEIVER_WIDTH_NM ? rules->modulator_width
                                                                           : RECEIVER_WIDTH_NM);

    return (box + rules->pitch - 1) / rules->pitch * rules->pitch;
}

static void boxes(oi_gds *gds, const char *cell, int64_t x, int64_t y, int64_t distance,
                  const optinc_circuit *circuit, bool receivers)
{
    uint32_t count = receivers ? circuit->rows : circuit->cols;
    char name[24], text[127];

    for (uint32_t i = 0; i < count; i++) {
        oi_gds_reference place = {.cell = cell, .at = {x, y - (int64_t)i * distance}, .name = name};

        snprintf(name, sizeof name, "%s%u", receivers ? "o" : "m", i);
        if (receivers) {
            snprintf(text, sizeof text, "output_rad=%.17g gain=%.17g", circuit->output_rad[i],
                     circuit->gain[i]);
            place.properties = text;
        }
        oi_gds_place(gds, &place);
    }
}

static optinc_status draw_layer(chip *c, const optinc_circuit *circuit, uint32_t number,
                                layer_place *layer)
{
    char prefix[12], cell[24];
    int64_t half = c->distance / 2, start = c->rules.modulator_length, end;
    optinc_status status;

    snprintf(prefix, sizeof prefix, "L%u", number);
    snprintf(layer->name, sizeof layer->name, "LAYER_%u", number);
    snprintf(cell, sizeof cell, "%s_CIRCUIT", prefix);
    status = oi_layout_circuit(&c->gds, &c->rules, circuit, prefix, cell, c->distance, &layer->plan,
                               NULL, NULL);
    if (status)
        return status;
    layer->rows = circuit->rows;
    layer->cols = circuit->cols;
    layer->first_output = layer->plan.first_output;
    layer->top = layer->plan.top;
    layer->bottom = layer->plan.bottom;
    end = layer->first_output - (int64_t)(circuit->rows - 1) * c->distance - half;
    if (layer->top < layer->first_output + half)
        layer->top = layer->first_output + half;
    if (layer->bottom > end)
        layer->bottom = end;
    layer->length = start + layer->plan.length + OI_RECEIVER_NM;
    oi_gds_cell_begin(&c->gds, layer->name);
    boxes(&c->gds, "MODULATOR", 0, 0, c->distance, circuit, false);
    oi_gds_place(&c->gds, &(oi_gds_reference){.cell = cell, .at = {start, 0}});
    boxes(&c->gds, "RECEIVER", start + layer->plan.length, layer->first_output, c->distance,
          circuit, true);
    oi_gds_cell_end(&c->gds);
    return OPTINC_OK;
}

/* Receiver i drives modulator i; modulators beyond (a bias) have constant light. */
static optinc_status draw_links(chip *c, const layer_place *from, layer_place *to)
{
    uint32_t count = from->rows < to->cols ? from->rows : to->cols;
    int64_t x = from->x + from->length, width = 0;
    oi_net *nets = oi_allocate(count, sizeof *nets);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (nets) {
        for (uint32_t i = 0; i < count; i++)
            nets[i] = (oi_net){.left = from->y + from->first_output - (int64_t)i * c->distance,
                               .right = to->y - (int64_t)i * c->distance};
        status = oi_layout_channel(&c->shapes, &c->rules, OI_LAYER_METAL, OI_METAL_NM, x + LINK_NM,
                                   nets, count, &width);
        for (uint32_t i = 0; i < count; i++) {
            const oi_point near[2] = {{x, nets[i].left}, {x + LINK_NM, nets[i].left}};
            const oi_point far[2] = {{x + LINK_NM + width, nets[i].right},
                                     {x + 2 * LINK_NM + width, nets[i].right}};

            oi_gds_path(&c->shapes, OI_LAYER_METAL, OI_METAL_NM, near, 2);
            oi_gds_path(&c->shapes, OI_LAYER_METAL, OI_METAL_NM, far, 2);
        }
    }
    to->x = x + 2 * LINK_NM + width;
    oi_free(nets);
    return status;
}

/* A layer's modulators as high as the receivers before them, on the grid. */
static int64_t level_with(const chip *c, const layer_place *from, const layer_place *to)
{
    int64_t grid = c->rules.pitch / 2;
    int64_t middle = from->y + from->first_output - (int64_t)(from->rows - 1) * c->distance / 2;
    int64_t first = middle + (int64_t)(to->cols - 1) * c->distance / 2;

    return llround((double)first / (double)grid) * grid;
}

static optinc_status place_layers(chip *c, int64_t x)
{
    optinc_status status = OPTINC_OK;

    for (uint32_t l = 0; l < c->count && !status; l++) {
        layer_place *layer = &c->layers[l];

        layer->x = x;
        if (l) {
            layer->y = level_with(c, layer - 1, layer);
            status = draw_links(c, layer - 1, layer);
        }
        oi_gds_place(&c->shapes,
                     &(oi_gds_reference){.cell = layer->name, .at = {layer->x, layer->y}});
        c->top = layer->y + layer->top > c->top ? layer->y + layer->top : c->top;
        c->bottom = layer->y + layer->bottom < c->bottom ? layer->y + layer->bottom : c->bottom;
        c->length = layer->x + layer->length;
    }
    return status;
}

/* A box that stands for a unit, from the chip's top to its bottom. */
static void draw_unit(chip *c, int64_t x, const char *const *lines, size_t count)
{
    int64_t middle = (c->top + c->bottom) / 2, half = (c->top - c->bottom) / 2;
    int64_t least = (int64_t)count * UNIT_TEXT_NM;

    half = half > least ? half : least;
    oi_gds_rectangle(&c->shapes, OI_LAYER_FLOOR_PLAN, (oi_point){x, middle - half},
                     (oi_point){x + UNIT_NM, middle + half});
    for (size_t i = 0; i < count; i++)
        oi_gds_text(&c->shapes, OI_LAYER_TITLE,
                    (oi_point){x + UNIT_NM / 2,
                               middle + ((int64_t)(count - 1) - 2 * (int64_t)i) * UNIT_TEXT_NM},
                    UNIT_TEXT_NM, lines[i]);
    c->top = middle + half > c->top ? middle + half : c->top;
    c->bottom = middle - half < c->bottom ? middle - half : c->bottom;
}

static void draw_units(chip *c, const optinc_spec *spec)
{
    char in[64], out[64];
    const char *preprocessing[3] = {"P: preprocessing", in, "not laid out"};
    const char *splitting[3] = {"T: splitting", out, "not laid out"};

    snprintf(in, sizeof in, "%u ports x %u symbols", spec->ports, optinc_spec_digits_in(spec));
    snprintf(out, sizeof out, "%u symbols to %u ports", optinc_spec_digits_out(spec), spec->ports);
    draw_unit(c, 0, preprocessing, 3);
    draw_unit(c, c->length + UNIT_GAP_NM, splitting, 3);
    c->length += UNIT_GAP_NM + UNIT_NM;
}

static optinc_layout_info describe(const chip *c, const optinc_circuit *circuit,
                                   const layer_place *layer)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    double cell = (double)c->rules.mzi_length * 2 * (double)c->rules.pitch;

    return (optinc_layout_info){.mzi_count = info.mzi_count,
                                .splitter_count = info.element_count - info.mzi_count,
                                .crossing_count = layer->plan.crossings,
                                .path_crossings_max = layer->plan.path_crossings_max,
                                .mzi_area_mm2 =
                                    (double)info.mzi_count * cell / (NM_PER_MM * NM_PER_MM),
                                .circuit_area_mm2 = (double)layer->plan.length *
                                                    (double)(layer->plan.top - layer->plan.bottom) /
                                                    (NM_PER_MM * NM_PER_MM),
                                .length_mm = (double)layer->length / NM_PER_MM,
                                .width_mm = (double)(layer->top - layer->bottom) / NM_PER_MM};
}

static void add_info(optinc_layout_info *total, const optinc_layout_info *layer)
{
    total->mzi_count += layer->mzi_count;
    total->splitter_count += layer->splitter_count;
    total->crossing_count += layer->crossing_count;
    total->mzi_area_mm2 += layer->mzi_area_mm2;
    total->circuit_area_mm2 += layer->circuit_area_mm2;
    if (layer->path_crossings_max > total->path_crossings_max)
        total->path_crossings_max = layer->path_crossings_max;
}

/* The outline; above it the layers' names, and what the chip is. */
static void finish_chip(chip *c, const char *name, size_t mzi_count)
{
    int64_t size = (c->top - c->bottom) / CHIP_TEXT_SHARE, top = c->top + CHIP_EDGE_NM;
    char title[127];

    size = size > CHIP_TEXT_NM ? size : CHIP_TEXT_NM;
    oi_gds_rectangle(&c->gds, OI_LAYER_FLOOR_PLAN,
                     (oi_point){-CHIP_EDGE_NM, c->bottom - CHIP_EDGE_NM},
                     (oi_point){c->length + CHIP_EDGE_NM, top});
    for (uint32_t l = 0; l < c->count; l++)
        oi_gds_text(&c->gds, OI_LAYER_TITLE,
                    (oi_point){c->layers[l].x + c->layers[l].length / 2, top + size}, size,
                    c->layers[l].name);
    snprintf(title, sizeof title, "%s: %u layer%s, %zu MZIs of %g x %g um", name, c->count,
             c->count == 1 ? "" : "s", mzi_count, (double)c->rules.mzi_length / 1000,
             (double)c->rules.pitch / 500);
    oi_gds_text(&c->gds, OI_LAYER_TITLE, (oi_point){c->length / 2, top + 4 * size}, 2 * size,
                title);
}

static optinc_status draw_chip(chip *c, const optinc_circuit *const *circuits,
                               const optinc_layout_options *options, optinc_layout_info *layers,
                               optinc_layout_info *total)
{
    uint32_t first = options->layer_first ? options->layer_first : 1;
    optinc_layout_info sum = {.mzi_count = 0};
    oi_layout_used used = {.mzi = false};
    optinc_status status = OPTINC_OK;

    oi_gds_begin(&c->gds, "OPTINC");
    for (uint32_t l = 0; l < c->count && !status; l++) {
        optinc_layout_info info;

        status = draw_layer(c, circuits[l], first + l, &c->layers[l]);
        info = describe(c, circuits[l], &c->layers[l]);
        add_info(&sum, &info);
        used.padding |= c->layers[l].plan.padded;
        used.absorber |= c->layers[l].plan.absorbers;
        if (layers)
            layers[l] = info;
    }
    if (!status)
        status = place_layers(c, options->spec ? UNIT_NM + UNIT_GAP_NM : 0);
    if (status)
        return status;
    used.mzi = sum.mzi_count > 0;
    used.splitter = sum.splitter_count > 0;
    used.crossing = sum.crossing_count > 0;
    oi_layout_cells(&c->gds, &c->rules, used);
    if (options->spec)
        draw_units(c, options->spec);
    oi_gds_cell_begin(&c->gds, options->name);
    oi_gds_append(&c->gds, &c->shapes);
    finish_chip(c, options->name, sum.mzi_count);
    oi_gds_cell_end(&c->gds);
    oi_gds_end(&c->gds);
    sum.length_mm = (double)(c->length + 2 * CHIP_EDGE_NM) / NM_PER_MM;
    sum.width_mm = (double)(c->top - c->bottom + 2 * CHIP_EDGE_NM) / NM_PER_MM;
    if (total)
        *total = sum;
    return c->gds.status;
}

static optinc_status write_stream(const void *user, FILE *file)
{
    const oi_gds *gds = user;

    fwrite(gds->bytes, 1, gds->size, file); /* a failure shows when the file is closed */
    return OPTINC_OK;
}

static optinc_status check(const optinc_circuit *const *circuits, uint32_t count, const char *name,
                           const optinc_log *log)
{
    size_t length = strlen(name);

    if (length == 0 || length > OI_GDS_NAME_MAX)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "layout: the name has %zu letters, expected 1 to %u", length,
                       OI_GDS_NAME_MAX);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "layout: the name %s has other signs than letters, figures and _", name);
    for (uint32_t l = 0; l < count; l++) {
        if (!circuits[l])
            return OPTINC_ERR_INVALID_ARGUMENT;
        if (circuits[l]->dummies)
            return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                           "layout: layer %u has dummies, which are not laid out; the same circuit "
                           "without them is",
                           l + 1);
    }
    return OPTINC_OK;
}

optinc_status optinc_layout_export(const optinc_circuit *const *circuits, uint32_t count,
                                   const optinc_layout_options *options, const char *path,
                                   const optinc_log *log, optinc_layout_info *layers,
                                   optinc_layout_info *total)
{
    const optinc_device ideal = optinc_device_ideal();
    const optinc_device *device = options && options->device ? options->device : &ideal;
    chip c = {.count = count};
    optinc_status status;
    locale_t saved;

    if (!circuits || count < 1 || count > OPTINC_LAYERS_MAX || !options || !options->name || !path)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (optinc_device_check(device, log))
        return OPTINC_ERR_INVALID_ARGUMENT;
    status = check(circuits, count, options->name, log);
    if (!status)
        status = oi_layout_rules_of(device, log, &c.rules);
    if (status)
        return status;
    c.distance = oi_layout_distance(&c.rules);
    c.layers = oi_allocate(count, sizeof *c.layers);
    saved = oi_number_text_enter();
    status = c.layers ? draw_chip(&c, circuits, options, layers, total) : OPTINC_ERR_OUT_OF_MEMORY;
    oi_number_text_leave(saved);
    if (status == OPTINC_ERR_OVERFLOW)
        status = oi_fail(log, status, "layout: wider than the 2.1 m that GDSII can hold in nm");
    if (!status)
        status = oi_replace_file(path, write_stream, &c.gds, log);
    oi_gds_free(&c.gds);
    oi_gds_free(&c.shapes);
    oi_free(c.layers);
    return status;
}
