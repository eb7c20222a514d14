/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit as cells: its elements fall into groups (a mesh, attenuators, trees of splitters, or trees
 * of MZIs), each a cell of its own, and groups into stages, one behind the other, so that light meets
 * every group in the circuit's order. */
#include <stdio.h>

#include "base/memory.h"
#include "optics/layout_group.h"

#define PORT_TEXT_NM 6000

static const char *const kind_names[] = {"MESH", "DIAGONAL", "SPLITTERS", "TREES"};

static oi_group_kind kind_of(const oi_plan *p, size_t k)
{
    const optinc_element *e = &p->circuit->elements[k];

    if (e->splitter)
        return OI_GROUP_SPLITTERS;
    return p->uses[e->mode_b] == 1 && !p->outer_mode[e->mode_b] ? OI_GROUP_DIAGONAL : OI_GROUP_MESH;
}

/* Neighbours all the way; else it is trees. */
static bool is_mesh(const oi_plan *p, const oi_group *g)
{
    for (size_t k = g->first; k < g->first + g->count; k++)
        if (p->circuit->elements[k].mode_b != p->circuit->elements[k].mode_a + 1)
            return false;
    return true;
}

static void set_stage(oi_plan *p, oi_group *g)
{
    const optinc_element *e = p->circuit->elements;

    g->stage = 0;
    for (size_t k = g->first; k < g->first + g->count; k++) {
        uint32_t a = p->stage[e[k].mode_a], b = p->stage[e[k].mode_b], most = a > b ? a : b;

        g->stage = most > g->stage ? most : g->stage;
    }
    for (size_t k = g->first; k < g->first + g->count; k++)
        p->stage[e[k].mode_a] = p->stage[e[k].mode_b] = g->stage + 1;
    if (g->stage + 1 > p->stage_count)
        p->stage_count = g->stage + 1;
}

/* Runs of one kind in the order of the elements. */
static optinc_status find_groups(oi_plan *p, const char *prefix)
{
    size_t count = p->circuit->element_count, runs = 0;
    uint32_t numbers[OI_GROUP_KINDS] = {0};

    for (size_t k = 0; k < count; k++)
        runs += k == 0 || kind_of(p, k) != kind_of(p, k - 1);
    p->groups = oi_allocate(runs, sizeof *p->groups);
    if (!p->groups)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t k = 0; k < count; k++) {
        if (k == 0 || kind_of(p, k) != kind_of(p, k - 1))
            p->groups[p->group_count++] = (oi_group){.kind = kind_of(p, k), .first = k};
        p->groups[p->group_count - 1].count++;
    }
    for (size_t i = 0; i < p->group_count; i++) {
        oi_group *g = &p->groups[i];

        if (g->kind == OI_GROUP_MESH && !is_mesh(p, g))
            g->kind = OI_GROUP_TREES;
        g->number = numbers[g->kind]++;
        snprintf(g->name, sizeof g->name, "%s_%s_%u", prefix, kind_names[g->kind], g->number);
        set_stage(p, g);
    }
    return OPTINC_OK;
}

/* Takes the stage's ways through its groups, behind the channel to them. Light behind an element has
 * crossed what the worse of its two inputs has. */
static void follow_ways(oi_plan *p, uint32_t stage)
{
    for (size_t i = 0; i < p->group_count; i++) {
        const oi_group *g = &p->groups[i];

        for (size_t k = g->first; k < g->first + g->count && g->stage == stage; k++) {
            const optinc_element *e = &p->circuit->elements[k];
            uint32_t a = p->crossings[e->mode_a] + p->arrivals[k][0];
            uint32_t b = p->crossings[e->mode_b] + p->arrivals[k][1];
            uint32_t most = a > b ? a : b;

            if (p->wires) {
                p->wires[2 * k] = a - p->behind[e->mode_a];
                p->wires[2 * k + 1] = b - p->behind[e->mode_b];
            }
            p->crossings[e->mode_a] = p->crossings[e->mode_b] = most;
            p->behind[e->mode_a] = p->behind[e->mode_b] = most;
        }
    }
    for (uint32_t m = 0; m < p->circuit->mode_count; m++) {
        p->crossings[m] += p->inside[m];
        p->inside[m] = 0;
    }
}

static void set_padding(oi_plan *p, uint32_t stage)
{
    for (uint32_t m = 0; m < p->circuit->mode_count; m++)
        p->padding[m] = 0;
    for (size_t i = 0; i < p->group_count && p->circuit->padding; i++) {
        const oi_group *g = &p->groups[i];

        for (size_t k = g->first; k < g->first + g->count && g->stage == stage; k++) {
            p->padding[p->circuit->elements[k].mode_a] += p->circuit->padding[2 * k];
            p->padding[p->circuit->elements[k].mode_b] += p->circuit->padding[2 * k + 1];
        }
    }
}

static optinc_status place_stage(oi_plan *p, uint32_t stage)
{
    size_t count = 0;
    optinc_status status;

    for (size_t i = 0; i < p->group_count; i++) {
        oi_group *g = &p->groups[i];

        if (g->stage != stage)
            continue;
        status = oi_plan_place_group(p, g);
        if (status)
            return status;
    }
    for (uint32_t m = 0; m < p->circuit->mode_count; m++)
        p->member[m] = 0;
    for (size_t i = 0; i < p->group_count; i++) {
        oi_group *g = &p->groups[i];

        if (g->stage != stage)
            continue;
        p->items[count++] = (oi_item){.kind = OI_ITEM_CELL,
                                      .cell = g->name,
                                      .above = g->top,
                                      .below = -g->bottom,
                                      .length = g->length,
                                      .left = g->left,
                                      .left_count = g->left_count,
                                      .right = g->right,
                                      .right_count = g->right_count};
        for (size_t k = 0; k < g->left_count; k++)
            p->member[g->left[k].mode] = 1;
    }
    count = oi_plan_add_passes(p, &p->scene, 1, count, p->ports);
    set_padding(p, stage);
    status = oi_scene_advance(&p->scene, p->items, count, false, false);
    follow_ways(p, stage);
    return status;
}

/* Inputs that nothing reads end in absorbers. */
static void light_inputs(oi_plan *p, int64_t distance)
{
    for (uint32_t j = 0; j < p->circuit->cols; j++) {
        uint32_t mode = p->circuit->input_mode[j];
        int64_t height = -(int64_t)j * distance;

        if (oi_plan_goes_on(p, mode))
            oi_scene_light(&p->scene, mode, height);
        else
            p->scene.dead[p->scene.dead_count++] = height;
    }
}

static optinc_status place_outputs(oi_plan *p, int64_t distance, int64_t *first_output)
{
    uint32_t rows = p->circuit->rows;
    oi_item item = {.kind = OI_ITEM_PASS,
                    .above = distance / 2,
                    .below = (rows - 1) * distance + distance / 2,
                    .left = p->ports,
                    .left_count = rows};
    optinc_status status;

    for (uint32_t r = 0; r < rows; r++)
        p->ports[r] =
            (oi_layout_port){.mode = p->circuit->output_mode[r], .y = -(int64_t)r * distance};
    status = oi_scene_advance(&p->scene, &item, 1, true, false);
    *first_output = item.y;
    return status;
}

static void name_ports(oi_plan *p, int64_t distance, int64_t first_output)
{
    char text[24];

    for (uint32_t j = 0; j < p->circuit->cols; j++) {
        snprintf(text, sizeof text, "in%u", j);
        oi_gds_text(&p->scene.gds, OI_LAYER_PORT, (oi_point){0, -(int64_t)j * distance},
                    PORT_TEXT_NM, text);
    }
    for (uint32_t r = 0; r < p->circuit->rows; r++) {
        snprintf(text, sizeof text, "out%u", r);
        oi_gds_text(&p->scene.gds, OI_LAYER_PORT,
                    (oi_point){p->scene.x, first_output - (int64_t)r * distance}, PORT_TEXT_NM,
                    text);
    }
}

static bool allocate_plan(oi_plan *p)
{
    size_t modes = p->circuit->mode_count;

    p->uses = oi_allocate(modes, sizeof *p->uses);
    p->output = oi_allocate(modes, sizeof *p->output);
    p->outer_mode = oi_allocate(modes, sizeof *p->outer_mode);
    p->stage = oi_allocate(modes, sizeof *p->stage);
    p->column = oi_allocate(modes, sizeof *p->column);
    p->member = oi_allocate(modes, sizeof *p->member);
    p->modes = oi_allocate(modes, sizeof *p->modes);
    p->items = oi_allocate(modes, sizeof *p->items);
    p->ports = oi_allocate(modes, 4 * sizeof *p->ports);
    p->crossings = oi_allocate(modes, sizeof *p->crossings);
    p->behind = oi_allocate(modes, sizeof *p->behind);
    p->padding = oi_allocate(modes, sizeof *p->padding);
    p->inside = oi_allocate(modes, sizeof *p->inside);
    p->arrivals = oi_allocate(p->circuit->element_count, sizeof *p->arrivals);
    if (!p->uses || !p->output || !p->outer_mode || !p->stage || !p->column || !p->member ||
        !p->modes || !p->items || !p->ports || !p->crossings || !p->behind || !p->padding ||
        !p->inside || !p->arrivals)
        return false;
    for (size_t k = 0; k < p->circuit->element_count; k++) {
        p->uses[p->circuit->elements[k].mode_a]++;
        p->uses[p->circuit->elements[k].mode_b]++;
    }
    for (uint32_t j = 0; j < p->circuit->cols; j++)
        p->outer_mode[p->circuit->input_mode[j]] = true;
    for (uint32_t r = 0; r < p->circuit->rows; r++)
        p->output[p->circuit->output_mode[r]] = p->outer_mode[p->circuit->output_mode[r]] = true;
    return true;
}

static void free_plan(oi_plan *p)
{
    for (size_t i = 0; i < p->group_count; i++) {
        oi_free(p->groups[i].left);
        oi_free(p->groups[i].right);
    }
    oi_free(p->groups);
    oi_free(p->uses);
    oi_free(p->output);
    oi_free(p->outer_mode);
    oi_free(p->stage);
    oi_free(p->column);
    oi_free(p->member);
    oi_free(p->modes);
    oi_free(p->items);
    oi_free(p->ports);
    oi_free(p->crossings);
    oi_free(p->behind);
    oi_free(p->padding);
    oi_free(p->inside);
    oi_free(p->arrivals);
    oi_scene_destroy(&p->scene);
    oi_scene_destroy(&p->inner);
}

static optinc_status place_all(oi_plan *p, int64_t distance, oi_circuit_plan *result)
{
    optinc_status status = OPTINC_OK;

    light_inputs(p, distance);
    for (uint32_t stage = 0; stage < p->stage_count && !status; stage++)
        status = place_stage(p, stage);
    p->scene.padding = NULL;
    if (!status)
        status = place_outputs(p, distance, &result->first_output);
    if (!status)
        name_ports(p, distance, result->first_output);
    return status;
}

optinc_status oi_layout_circuit(oi_gds *gds, const oi_layout_rules *rules,
                                const optinc_circuit *circuit, const char *prefix, const char *name,
                                int64_t distance, oi_circuit_plan *result, uint32_t *crossings,
                                uint32_t *wires)
{
    oi_plan p = {.circuit = circuit, .rules = rules, .gds = gds, .wires = wires};
    int64_t inputs_bottom = -(int64_t)(circuit->cols - 1) * distance - distance / 2;
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    *result = (oi_circuit_plan){.length = 0};
    if (allocate_plan(&p))
        status = oi_scene_create(&p.scene, rules, circuit, p.crossings, p.arrivals, gds->muted);
    if (!status)
        p.scene.padding = p.padding;
    if (!status)
        status = oi_scene_create(&p.inner, rules, circuit, p.inside, p.arrivals, gds->muted);
    if (!status)
        status = find_groups(&p, prefix);
    if (!status)
        status = place_all(&p, distance, result);
    if (!status) {
        oi_scene *s = &p.scene;

        s->top = s->top > distance / 2 ? s->top : distance / 2;
        s->bottom = s->bottom < inputs_bottom ? s->bottom : inputs_bottom;
        result->length = s->x;
        result->top = s->top;
        result->bottom = s->bottom;
        result->crossings = s->crossings / 2;
        result->padded = s->padded;
        result->absorbers = s->absorbers;
        for (uint32_t r = 0; r < circuit->rows; r++) {
            uint32_t most = p.crossings[circuit->output_mode[r]];

            if (most > result->path_crossings_max)
                result->path_crossings_max = most;
            if (crossings)
                crossings[r] = most;
            if (wires)
                wires[2 * circuit->element_count + r] = most - p.behind[circuit->output_mode[r]];
        }
        oi_plan_finish_cell(gds, name, s, NULL);
    }
    free_plan(&p);
    return status;
}
