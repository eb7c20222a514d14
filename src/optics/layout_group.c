/* SPDX-License-Identifier: Apache-2.0 */
/* A group as a cell: its elements column by column, as early as light allows. */
#include "optics/layout_group.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define TITLE_NM 12000
#define TITLE_SHARE 30 /* of a cell's height */

bool oi_plan_goes_on(const oi_plan *p, uint32_t mode)
{
    return p->uses[mode] > 0 || p->output[mode];
}

/* An element's ports and those of the waveguide that passes by. */
static oi_item element_item(oi_plan *p, const oi_group *g, size_t k, oi_layout_port *ports)
{
    const optinc_element *e = &p->circuit->elements[k];
    int64_t pitch = p->rules->pitch;
    uint32_t modes[2] = {e->mode_a, e->mode_b};

    for (int i = 0; i < 2; i++) {
        int64_t y = i ? -pitch / 2 : pitch / 2;

        p->uses[modes[i]]--;
        ports[i] = (oi_layout_port){.mode = modes[i], .y = y};
        ports[2 + i] =
            (oi_layout_port){.mode = modes[i],
                             .y = y,
                             .lit = g->kind == OI_GROUP_MESH || oi_plan_goes_on(p, modes[i])};
    }
    return (oi_item){.kind = OI_ITEM_ELEMENT,
                     .element = k,
                     .cell = e->splitter ? "SPLITTER" : "MZI",
                     .above = pitch,
                     .below = pitch,
                     .length = e->splitter ? p->rules->splitter_length : p->rules->mzi_length,
                     .left = ports,
                     .left_count = 2,
                     .right = ports + 2,
                     .right_count = 2};
}

static oi_item pass_item(const oi_plan *p, uint32_t mode, oi_layout_port *port)
{
    *port = (oi_layout_port){.mode = mode, .lit = true};
    return (oi_item){.kind = OI_ITEM_PASS,
                     .above = p->rules->pitch / 2,
                     .below = p->rules->pitch / 2,
                     .left = port,
                     .left_count = 1,
                     .right = port,
                     .right_count = 1};
}

size_t oi_plan_add_passes(const oi_plan *p, const oi_scene *scene, uint32_t mark, size_t count,
                          oi_layout_port *ports)
{
    for (size_t i = 0; i < scene->mode_count; i++)
        if (p->member[scene->modes[i]] != mark)
            p->items[count++] = pass_item(p, scene->modes[i], ports++);
    return count;
}

static optinc_status keep_left_ports(const oi_plan *p, oi_group *g, size_t items)
{
    size_t ports = 0;

    for (size_t i = 0; i < items; i++)
        ports += p->items[i].left_count;
    g->left = oi_allocate(ports, sizeof *g->left);
    if (!g->left)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < items; i++)
        for (size_t k = 0; k < p->items[i].left_count; k++)
            if (p->items[i].left[k].lit) {
                g->left[g->left_count] = p->items[i].left[k];
                g->left[g->left_count++].y += p->items[i].y;
            }
    return OPTINC_OK;
}

static int by_mode(const void *a, const void *b)
{
    const oi_layout_port *p = a, *q = b;

    return p->mode < q->mode ? -1 : p->mode > q->mode;
}

static optinc_status keep_right_ports(const oi_plan *p, oi_group *g)
{
    const oi_scene *inner = &p->inner;

    g->right = oi_allocate(inner->mode_count, sizeof *g->right);
    if (!g->right)
        return OPTINC_ERR_OUT_OF_MEMORY;
    g->right_count = inner->mode_count;
    for (size_t i = 0; i < inner->mode_count; i++) {
        uint32_t mode = inner->modes[i];

        g->right[i] = (oi_layout_port){
            .mode = mode, .y = inner->height[mode], .lit = oi_plan_goes_on(p, mode)};
    }
    qsort(g->right, g->right_count, sizeof *g->right, by_mode);
    return OPTINC_OK;
}

/* Places the elements column by column; order [count] sorted by column, starts [depth + 1]. */
static optinc_status place_columns(oi_plan *p, oi_group *g, const size_t *order,
                                   const size_t *starts, size_t depth)
{
    oi_scene *inner = &p->inner;
    optinc_status status = OPTINC_OK;

    for (size_t c = 0; c < depth && !status; c++) {
        size_t count = 0;
        oi_layout_port *ports = p->ports;

        for (size_t i = starts[c]; i < starts[c + 1]; i++, ports += 4) {
            const optinc_element *e = &p->circuit->elements[order[i]];

            p->items[count++] = element_item(p, g, order[i], ports);
            p->member[e->mode_a] = p->member[e->mode_b] = (uint32_t)c + 1;
        }
        count = oi_plan_add_passes(p, inner, (uint32_t)c + 1, count, ports);
        status = oi_scene_advance(inner, p->items, count, false, c == 0);
        if (!status && c == 0)
            status = keep_left_ports(p, g, count);
    }
    if (!status && inner->dead_count)
        status = oi_scene_advance(inner, NULL, 0, true, false);
    return status;
}

/* An attenuator is as high as two modes, so n of them above one another need twice a mesh's height.
 * In s columns they need 1 + 1/s times it; with a mesh of n columns beside them the area is least at
 * s = sqrt(n). */
static uint32_t diagonal_columns(size_t count)
{
    return (uint32_t)sqrt((double)count);
}

/* The elements' columns within the group: as early as light allows, attenuators by turns. */
static optinc_status sort_columns(oi_plan *p, const oi_group *g, size_t *order, size_t *starts,
                                  size_t *depth)
{
    const optinc_element *e = p->circuit->elements + g->first;
    uint32_t *columns = oi_allocate(g->count, sizeof *columns);

    if (!columns)
        return OPTINC_ERR_OUT_OF_MEMORY;
    *depth = 0;
    for (size_t k = 0; k < g->count; k++) {
        uint32_t a = p->column[e[k].mode_a], b = p->column[e[k].mode_b];

        columns[k] = a > b ? a : b;
        if (g->kind == OI_GROUP_DIAGONAL)
            columns[k] = (uint32_t)(k % diagonal_columns(g->count));
        p->column[e[k].mode_a] = p->column[e[k].mode_b] = columns[k] + 1;
        *depth = columns[k] + 1 > *depth ? columns[k] + 1 : *depth;
    }
    for (size_t k = 0; k < g->count; k++) {
        starts[columns[k] + 1]++;
        p->column[e[k].mode_a] = p->column[e[k].mode_b] = 0;
    }
    for (size_t c = 0; c < *depth; c++)
        starts[c + 1] += starts[c];
    for (size_t k = 0; k < g->count; k++)
        order[starts[columns[k]]++] = g->first + k;
    for (size_t c = *depth; c-- > 0;)
        starts[c + 1] = starts[c];
    starts[0] = 0;
    oi_free(columns);
    return OPTINC_OK;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *p = a, *q = b;

    return *p < *q ? -1 : *p > *q;
}

/* Light on the group's modes from the top, in their order; a mesh has waveguides for dark ones too. */
static void light_group(oi_plan *p, const oi_group *g)
{
    size_t count = 0;
    int64_t height = 0;

    for (size_t k = g->first; k < g->first + g->count; k++) {
        const optinc_element *e = &p->circuit->elements[k];
        uint32_t modes[2] = {e->mode_a, e->mode_b};

        for (int i = 0; i < 2; i++)
            if (p->member[modes[i]] != UINT32_MAX) {
                p->member[modes[i]] = UINT32_MAX;
                p->modes[count++] = modes[i];
            }
    }
    qsort(p->modes, count, sizeof *p->modes, by_number);
    for (size_t i = 0; i < count; i++) {
        uint32_t mode = p->modes[i];

        p->member[mode] = 0;
        if (g->kind == OI_GROUP_MESH || p->scene.place[mode]) {
            oi_scene_light(&p->inner, mode, height);
            height -= p->rules->pitch;
        }
    }
}

void oi_plan_finish_cell(oi_gds *gds, const char *name, const oi_scene *scene, const char *title)
{
    int64_t size = TITLE_NM;

    oi_gds_cell_begin(gds, name);
    oi_gds_rectangle(gds, OI_LAYER_FLOOR_PLAN, (oi_point){0, scene->bottom},
                     (oi_point){scene->x, scene->top});
    if (title) {
        if ((scene->top - scene->bottom) / TITLE_SHARE > size)
            size = (scene->top - scene->bottom) / TITLE_SHARE;
        if (scene->x / (int64_t)strlen(title) < size)
            size = scene->x / (int64_t)strlen(title);
        oi_gds_text(gds, OI_LAYER_TITLE, (oi_point){scene->x / 2, scene->top + size}, size, title);
    }
    oi_gds_append(gds, &scene->gds);
    oi_gds_cell_end(gds);
}

optinc_status oi_plan_place_group(oi_plan *p, oi_group *g)
{
    size_t *order = oi_allocate(g->count, sizeof *order), depth = 0;
    size_t *starts = oi_allocate(g->count + 1, sizeof *starts);
    oi_scene *inner = &p->inner;
    char title[80];
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (order && starts)
        status = sort_columns(p, g, order, starts, &depth);
    if (!status) {
        light_group(p, g);
        status = place_columns(p, g, order, starts, depth);
    }
    if (!status)
        status = keep_right_ports(p, g);
    if (!status) {
        g->length = inner->x;
        g->top = inner->top;
        g->bottom = inner->bottom;
        p->scene.crossings += inner->crossings;
        p->scene.absorbers |= inner->absorbers;
        snprintf(title, sizeof title, "%s: %zu %s in %zu column%s", g->name, g->count,
                 g->kind == OI_GROUP_SPLITTERS ? "splitters" : "MZIs", depth,
                 depth == 1 ? "" : "s");
        oi_plan_finish_cell(p->gds, g->name, inner, title);
    }
    oi_scene_clear(inner);
    oi_free(order);
    oi_free(starts);
    return status;
}
