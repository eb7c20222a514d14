/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of a scene. Items keep the order of the waveguides that come to them (by their mean height)
 * and lie as near to these as their sizes allow: least squares under an order, solved by pooling
 * neighbours that would overlap. So waveguides stay straight wherever they can. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optics/layout.h"

#define LABEL_NM 5000

optinc_status oi_scene_create(oi_scene *scene, const oi_layout_rules *rules,
                              const optinc_circuit *circuit, uint32_t *crossed,
                              uint32_t (*arrivals)[2], bool muted)
{
    size_t modes = circuit->mode_count;

    *scene = (oi_scene){.rules = rules,
                        .circuit = circuit,
                        .crossed = crossed,
                        .arrivals = arrivals,
                        .gds = {.muted = muted},
                        .top = INT64_MIN,
                        .bottom = INT64_MAX};
    scene->modes = oi_allocate(modes, sizeof *scene->modes);
    scene->place = oi_allocate(modes, sizeof *scene->place);
    scene->height = oi_allocate(modes, sizeof *scene->height);
    scene->dead = oi_allocate(modes, 2 * sizeof *scene->dead);
    scene->nets = oi_allocate(modes, sizeof *scene->nets);
    if (scene->modes && scene->place && scene->height && scene->dead && scene->nets)
        return OPTINC_OK;
    oi_scene_destroy(scene);
    return OPTINC_ERR_OUT_OF_MEMORY;
}

void oi_scene_clear(oi_scene *scene)
{
    bool muted = scene->gds.muted;

    for (size_t i = 0; i < scene->mode_count; i++)
        scene->place[scene->modes[i]] = 0;
    oi_gds_free(&scene->gds);
    scene->gds.muted = muted;
    scene->mode_count = scene->dead_count = 0;
    scene->x = 0;
    scene->top = INT64_MIN;
    scene->bottom = INT64_MAX;
    scene->crossings = 0;
    scene->padded = false;
    scene->absorbers = false;
}

void oi_scene_destroy(oi_scene *scene)
{
    oi_free(scene->modes);
    oi_free(scene->place);
    oi_free(scene->height);
    oi_free(scene->dead);
    oi_free(scene->nets);
    oi_gds_free(&scene->gds);
    memset(scene, 0, sizeof *scene);
}

void oi_scene_light(oi_scene *scene, uint32_t mode, int64_t height)
{
    if (scene->place[mode] == 0) {
        scene->modes[scene->mode_count++] = mode;
        scene->place[mode] = (uint32_t)scene->mode_count;
    }
    scene->height[mode] = height;
}

static void darken(oi_scene *scene, uint32_t mode)
{
    uint32_t place = scene->place[mode], last = scene->modes[scene->mode_count - 1];

    scene->modes[place - 1] = last;
    scene->place[last] = place;
    scene->place[mode] = 0;
    scene->mode_count--;
}

/* Where its waveguides would have the item, and how its two come in. */
static void ask(const oi_scene *scene, oi_item *item)
{
    double sum = 0;
    size_t lit = 0;

    for (size_t i = 0; i < item->left_count; i++) {
        item->left[i].lit = scene->place[item->left[i].mode] != 0;
        if (item->left[i].lit) {
            sum += (double)(scene->height[item->left[i].mode] - item->left[i].y);
            lit++;
        }
    }
    item->wanted = lit ? sum / (double)lit : 0;
    if (item->kind == OI_ITEM_ELEMENT && lit == 2 &&
        scene->height[item->left[1].mode] > scene->height[item->left[0].mode]) {
        item->mirrored = true;
        for (int i = 0; i < 2; i++) {
            item->left[i].y = -item->left[i].y;
            item->right[i].y = -item->right[i].y;
        }
    }
}

static uint32_t first_mode(const oi_item *item)
{
    return item->left_count ? item->left[0].mode : UINT32_MAX;
}

static int by_wish(const void *a, const void *b)
{
    const oi_item *p = a, *q = b;
    uint32_t m = first_mode(p), n = first_mode(q);

    if (p->wanted != q->wanted)
        return p->wanted > q->wanted ? -1 : 1;
    return m < n ? -1 : m > n;
}

/* Items that lie shoulder to shoulder, and where the first one's origin should be. */
typedef struct pool {
    double sum;
    double weight;
} pool;

/* Heights y, downwards at least below + above apart, with the least sum of (y - wanted)^2: with the
 * distances of the stack taken off, what is left must not rise. */
static optinc_status stack(const oi_scene *scene, oi_item *items, size_t count)
{
    int64_t grid = scene->rules->pitch / 2, offset = 0;
    pool *pools = oi_allocate(count, sizeof *pools);
    size_t pool_count = 0, p = 0;
    double left = 0;

    if (!pools)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (i)
            offset += items[i - 1].below + items[i].above;
        items[i].y = -offset;
        pools[pool_count++] = (pool){items[i].wanted + (double)offset, 1};
        while (pool_count > 1 && pools[pool_count - 1].sum * pools[pool_count - 2].weight >=
                                     pools[pool_count - 2].sum * pools[pool_count - 1].weight) {
            pools[pool_count - 2].sum += pools[pool_count - 1].sum;
            pools[pool_count - 2].weight += pools[pool_count - 1].weight;
            pool_count--;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!(left > 0.5))
            left = pools[p++].weight;
        items[i].y += grid * llround(pools[p - 1].sum / pools[p - 1].weight / (double)grid);
        left -= 1;
    }
    oi_free(pools);
    return OPTINC_OK;
}

static void absorber(oi_scene *scene, int64_t height, bool turned)
{
    scene->absorbers = true;
    oi_gds_place(&scene->gds, &(oi_gds_reference){
                                  .cell = "ABSORBER", .at = {scene->x, height}, .turned = turned});
}

static void line(oi_scene *scene, int64_t from, int64_t to, int64_t height)
{
    const oi_point ends[2] = {{from, height}, {to, height}};

    if (from < to)
        oi_gds_path(&scene->gds, OI_LAYER_WAVEGUIDE, OI_WAVEGUIDE_NM, ends, 2);
}

/* All nets straight on, beside absorbers. */
static void margin(oi_scene *scene, size_t net_count, bool arrived)
{
    for (size_t i = 0; i < net_count; i++)
        line(scene, scene->x, scene->x + OI_MARGIN_NM,
             arrived ? scene->nets[i].right : scene->nets[i].left);
    scene->x += OI_MARGIN_NM;
}

/* Fills scene->nets with the way from every lit mode to its item; *dark: some ports get no light. */
static size_t gather_nets(oi_scene *scene, const oi_item *items, size_t count, bool entry,
                          bool *dark)
{
    size_t net_count = 0;

    *dark = false;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < items[i].left_count; k++) {
            uint32_t mode = items[i].left[k].mode;
            int64_t y = items[i].y + items[i].left[k].y;

            if (scene->place[mode])
                scene->nets[net_count++] =
                    (oi_net){.mode = mode, .left = entry ? y : scene->height[mode], .right = y};
            else
                *dark = true;
        }
    assert(count == 0 || net_count == scene->mode_count);
    for (size_t i = 0; count == 0 && i < scene->mode_count; i++) {
        int64_t y = scene->height[scene->modes[i]];

        scene->nets[net_count++] = (oi_net){.mode = scene->modes[i], .left = y, .right = y};
    }
    return net_count;
}

/* Crossings that make ways equal, in a row on each waveguide that has some. */
static void pad(oi_scene *scene, size_t net_count)
{
    int64_t half = OI_CROSSING_NM / 2, width = 0;

    for (size_t i = 0; i < net_count; i++)
        if (scene->padding[scene->nets[i].mode] * (int64_t)OI_SLOT_NM > width)
            width = scene->padding[scene->nets[i].mode] * (int64_t)OI_SLOT_NM;
    for (size_t i = 0; i < net_count; i++) {
        uint32_t count = scene->padding[scene->nets[i].mode];
        int64_t y = scene->nets[i].right, from = scene->x;

        for (uint32_t k = 0; k < count; k++) {
            int64_t x = scene->x + OI_SLOT_NM / 2 + k * (int64_t)OI_SLOT_NM;

            line(scene, from, x - half, y);
            oi_gds_place(&scene->gds, &(oi_gds_reference){.cell = "PADDING", .at = {x, y}});
            from = x + half;
        }
        line(scene, from, scene->x + width, y);
        scene->nets[i].crossings += count;
        scene->crossings += count; /* a crossing of two waveguides is on both */
        scene->padded |= count > 0;
    }
    scene->x += width;
}

/* The channel to the items' left ports. */
static optinc_status connect(oi_scene *scene, const oi_item *items, size_t count, bool entry)
{
    bool dark;
    size_t net_count = gather_nets(scene, items, count, entry, &dark);
    int64_t width = 0;
    optinc_status status;

    for (size_t i = 0; i < scene->dead_count; i++)
        absorber(scene, scene->dead[i], false);
    if (scene->dead_count)
        margin(scene, net_count, false);
    scene->dead_count = 0;
    status = oi_layout_channel(&scene->gds, scene->rules, OI_LAYER_WAVEGUIDE, OI_WAVEGUIDE_NM,
                               scene->x, scene->nets, net_count, &width);
    scene->x += width;
    if (!status && scene->padding)
        pad(scene, net_count);
    if (dark)
        margin(scene, net_count, true);
    for (size_t i = 0; i < net_count; i++) {
        scene->crossings += scene->nets[i].crossings;
        scene->crossed[scene->nets[i].mode] += scene->nets[i].crossings;
        scene->height[scene->nets[i].mode] = scene->nets[i].right;
    }
    return status;
}

/* Between the arms, two lines. */
static void label_element(oi_scene *scene, const oi_item *item, const char *name,
                          const optinc_element *e)
{
    int64_t middle = (scene->rules->arms_start + scene->rules->arms_end) / 2;
    oi_point at = {scene->x + middle, item->y + LABEL_NM};
    char text[96];

    if (e->splitter) {
        snprintf(text, sizeof text, "%s %.4f", name, e->angle_rad);
        at = (oi_point){scene->x + item->length / 2, item->y - scene->rules->pitch * 3 / 4};
        oi_gds_text(&scene->gds, OI_LAYER_PHASES, at, LABEL_NM / 2, text);
        return;
    }
    if (e->arm_b_rad == 0)
        snprintf(text, sizeof text, "%s theta %.4f", name, e->arm_a_rad);
    else
        snprintf(text, sizeof text, "%s arms %.4f %.4f", name, e->arm_a_rad, e->arm_b_rad);
    oi_gds_text(&scene->gds, OI_LAYER_PHASES, at, LABEL_NM, text);
    at.y -= 2 * LABEL_NM;
    snprintf(text, sizeof text, "%s %s %.4f", name, e->arm_b_rad == 0 ? "phi" : "in", e->in_rad);
    oi_gds_text(&scene->gds, OI_LAYER_PHASES, at, LABEL_NM, text);
}

/* The element's cell, its name in the netlists, its phases to the last digit, and a label. */
static void draw_element(oi_scene *scene, const oi_item *item)
{
    const optinc_element *e = &scene->circuit->elements[item->element];
    char name[32], phases[127];

    snprintf(name, sizeof name, "e%zu", item->element);
    if (e->splitter)
        snprintf(phases, sizeof phases, "angle_rad=%.17g", e->angle_rad);
    else
        snprintf(phases, sizeof phases, "in_rad=%.17g arm_a_rad=%.17g arm_b_rad=%.17g", e->in_rad,
                 e->arm_a_rad, e->arm_b_rad);
    oi_gds_place(&scene->gds, &(oi_gds_reference){.cell = item->cell,
                                                  .at = {scene->x, item->y},
                                                  .mirrored = item->mirrored,
                                                  .name = name,
                                                  .properties = phases});
    label_element(scene, item, name, e);
}

static void note_arrivals(oi_scene *scene, const oi_item *item)
{
    for (int i = 0; i < 2; i++) {
        uint32_t *crossed = &scene->crossed[item->left[i].mode];

        scene->arrivals[item->element][i] = *crossed;
        *crossed = 0;
    }
}

static void put_item(oi_scene *scene, const oi_item *item, int64_t column_length)
{
    if (item->kind == OI_ITEM_ELEMENT) {
        if (!scene->gds.muted)
            draw_element(scene, item);
        note_arrivals(scene, item);
    } else if (item->kind == OI_ITEM_CELL) {
        oi_gds_place(&scene->gds,
                     &(oi_gds_reference){.cell = item->cell, .at = {scene->x, item->y}});
    }
    for (size_t i = 0; i < item->left_count; i++)
        if (scene->place[item->left[i].mode])
            darken(scene, item->left[i].mode);
        else
            absorber(scene, item->y + item->left[i].y, true);
    for (size_t i = 0; i < item->right_count; i++) {
        int64_t y = item->y + item->right[i].y;

        line(scene, scene->x + item->length, scene->x + column_length, y);
        if (item->right[i].lit)
            oi_scene_light(scene, item->right[i].mode, y);
        else
            scene->dead[scene->dead_count++] = y;
    }
    if (item->y + item->above > scene->top)
        scene->top = item->y + item->above;
    if (item->y - item->below < scene->bottom)
        scene->bottom = item->y - item->below;
}

optinc_status oi_scene_advance(oi_scene *scene, oi_item *items, size_t count, bool ordered,
                               bool entry)
{
    int64_t length = 0;
    optinc_status status;

    for (size_t i = 0; i < count; i++) {
        ask(scene, &items[i]);
        length = items[i].length > length ? items[i].length : length;
    }
    if (!ordered)
        qsort(items, count, sizeof *items, by_wish);
    status = stack(scene, items, count);
    if (!status)
        status = connect(scene, items, count, entry);
    if (status)
        return status;
    for (size_t i = 0; i < count; i++)
        put_item(scene, &items[i], length);
    scene->x += length;
    return scene->gds.status;
}
