/* SPDX-License-Identifier: Apache-2.0 */
/* A channel between two columns: every waveguide whose height changes has one vertical part, in a
 * slot. Of those that rise the upper ones turn first, of those that sink the lower ones: then two that
 * keep their order never meet, and two that do not meet once. Of a rising and a sinking one this is
 * so in any order, if no waveguide arrives at a height that another one has still to leave. Where the
 * order changes that could happen in a circle, so there all waveguides arrive a quarter of a pitch
 * too high, where none starts, and come down together at the end. Vertical parts share a slot where
 * they are far enough apart. */
#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "optics/layout.h"

typedef struct channel {
    oi_gds *gds;
    const oi_layout_rules *rules;
    oi_gds_layer layer;
    int64_t line; /* width of a waveguide */
    int64_t x;
    int64_t jog; /* how much too high all arrive; 0: no crossings */
    int64_t end; /* x of the last slot's end */
    oi_net *nets;
    size_t count;
    int64_t *marks; /* [count] scratch: where a straight piece is crossed */
} channel;

static int by_height(const void *a, const void *b)
{
    const oi_net *p = a, *q = b;

    return p->left > q->left ? -1 : p->left < q->left;
}

static int by_value(const void *a, const void *b)
{
    const int64_t *p = a, *q = b;

    return *p < *q ? -1 : *p > *q;
}

static int64_t target(const channel *c, const oi_net *net)
{
    return net->right + c->jog;
}

static int64_t low(const channel *c, const oi_net *net)
{
    return net->left < target(c, net) ? net->left : target(c, net);
}

static int64_t high(const channel *c, const oi_net *net)
{
    return net->left > target(c, net) ? net->left : target(c, net);
}

static bool rises(const channel *c, const oi_net *net)
{
    return target(c, net) > net->left;
}

static bool apart(const channel *c, const oi_net *a, const oi_net *b)
{
    int64_t margin = c->rules->pitch / 4;

    return low(c, a) - high(c, b) >= margin || low(c, b) - high(c, a) >= margin;
}

/* The first slot behind all that must turn earlier and beside none that it would touch. Those that
 * have no slot yet, or never get one, have -1. */
static void choose_slot(channel *c, size_t k)
{
    oi_net *net = &c->nets[k];
    bool again = true;

    net->slot = 0;
    for (size_t i = 0; i < c->count; i++) {
        const oi_net *other = &c->nets[i];

        if (i != k && other->slot >= net->slot && rises(c, other) == rises(c, net) &&
            !apart(c, net, other))
            net->slot = other->slot + 1;
    }
    while (again) {
        again = false;
        for (size_t i = 0; i < c->count; i++)
            if (i != k && c->nets[i].slot == net->slot && !apart(c, net, &c->nets[i])) {
                net->slot++;
                again = true;
            }
    }
}

static int64_t slot_x(const channel *c, int64_t slot)
{
    return c->x + OI_SLOT_NM / 2 + slot * OI_SLOT_NM;
}

static int64_t choose_slots(channel *c)
{
    int64_t slots = 0;

    for (size_t i = 0; i < c->count; i++)
        c->nets[i].slot = -1;
    for (size_t i = 0; i < c->count; i++)
        if (target(c, &c->nets[i]) > c->nets[i].left)
            choose_slot(c, i);
    for (size_t i = c->count; i-- > 0;)
        if (target(c, &c->nets[i]) < c->nets[i].left)
            choose_slot(c, i);
    for (size_t i = 0; i < c->count; i++)
        slots = c->nets[i].slot >= slots ? c->nets[i].slot + 1 : slots;
    return slots;
}

static bool between(const channel *c, const oi_net *net, int64_t y)
{
    return low(c, net) < y && y < high(c, net);
}

/* Where other vertical parts cross net k at height y, from a slot on and before another. */
static size_t mark_level(channel *c, size_t k, int64_t y, int64_t slot_first, int64_t slot_end)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++) {
        const oi_net *other = &c->nets[i];

        if (i != k && other->slot >= slot_first && other->slot < slot_end && between(c, other, y))
            c->marks[count++] = slot_x(c, other->slot);
    }
    qsort(c->marks, count, sizeof *c->marks, by_value);
    return count;
}

/* Heights at which net k's vertical part meets others. */
static size_t mark_vertical(channel *c, size_t k)
{
    const oi_net *net = &c->nets[k];
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++) {
        const oi_net *other = &c->nets[i];
        int64_t y = other->slot > net->slot ? other->left : target(c, other);

        if (i != k && other->slot != net->slot && between(c, net, y))
            c->marks[count++] = y;
    }
    qsort(c->marks, count, sizeof *c->marks, by_value);
    return count;
}

typedef struct pen {
    oi_point points[2 * OI_BEND_POINTS + 4];
    size_t count;
} pen;

static void to_point(pen *p, oi_point at)
{
    if (p->count == 0 || p->points[p->count - 1].x != at.x || p->points[p->count - 1].y != at.y)
        p->points[p->count++] = at;
}

static void lift(const channel *c, pen *p)
{
    if (p->count > 1)
        oi_gds_path(c->gds, c->layer, c->line, p->points, p->count);
    p->count = 0;
}

/* To the near side of a crossing, and on from its far side. */
static void across(const channel *c, pen *p, oi_point at, int64_t step_x, int64_t step_y)
{
    int64_t half = OI_CROSSING_NM / 2;

    to_point(p, (oi_point){at.x - step_x * half, at.y - step_y * half});
    lift(c, p);
    to_point(p, (oi_point){at.x + step_x * half, at.y + step_y * half});
}

/* A quarter circle from a level to the vertical (`out` false), or back to a level. */
static void turn(pen *p, int64_t x, int64_t y, int64_t sign, bool out)
{
    for (int i = 0; i <= OI_ARC_POINTS; i++) {
        double angle = 0.5 * OI_PI * (out ? OI_ARC_POINTS - i : i) / OI_ARC_POINTS;
        int64_t along = OI_BEND_NM - llround(OI_BEND_NM * sin(angle));
        int64_t rise = llround(OI_BEND_NM * (1 - cos(angle)));

        to_point(p,
                 (oi_point){out ? x + along : x - along, out ? y - sign * rise : y + sign * rise});
    }
}

static void draw_vertical(channel *c, size_t k, pen *p)
{
    const oi_net *net = &c->nets[k];
    int64_t x = slot_x(c, net->slot), sign = rises(c, net) ? 1 : -1;
    size_t marked = mark_vertical(c, k);

    turn(p, x, net->left, sign, false);
    for (size_t i = 0; i < marked; i++) {
        int64_t y = c->marks[sign > 0 ? i : marked - 1 - i];

        oi_gds_place(c->gds, &(oi_gds_reference){.cell = "CROSSING", .at = {x, y}});
        across(c, p, (oi_point){x, y}, 0, sign);
    }
    turn(p, x, target(c, net), sign, true);
    c->nets[k].crossings += (uint32_t)marked;
}

static void draw_level(channel *c, size_t k, int64_t y, int64_t slot_first, int64_t slot_end,
                       pen *p)
{
    size_t marked = mark_level(c, k, y, slot_first, slot_end);

    for (size_t i = 0; i < marked; i++)
        across(c, p, (oi_point){c->marks[i], y}, 1, 0);
    c->nets[k].crossings += (uint32_t)marked;
}

static void draw_net(channel *c, size_t k, int64_t width)
{
    const oi_net *net = &c->nets[k];
    pen p = {.count = 0};

    to_point(&p, (oi_point){c->x, net->left});
    if (net->slot >= 0) {
        draw_level(c, k, net->left, 0, net->slot, &p);
        draw_vertical(c, k, &p);
        draw_level(c, k, target(c, net), net->slot + 1, INT64_MAX, &p);
    } else {
        draw_level(c, k, net->left, 0, INT64_MAX, &p);
    }
    if (c->jog)
        p.count += oi_layout_bend((oi_point){c->end, target(c, net)},
                                  (oi_point){c->end + OI_SLOT_NM, net->right}, p.points + p.count);
    to_point(&p, (oi_point){c->x + width, net->right});
    lift(c, &p);
}

static bool order_changes(const oi_net *nets, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (nets[i].right > nets[i - 1].right)
            return true;
    return false;
}

optinc_status oi_layout_channel(oi_gds *gds, const oi_layout_rules *rules, oi_gds_layer layer,
                                int64_t line, int64_t x, oi_net *nets, size_t count, int64_t *width)
{
    channel c = {.gds = gds,
                 .rules = rules,
                 .layer = layer,
                 .line = line,
                 .x = x,
                 .nets = nets,
                 .count = count};
    int64_t used;

    if (gds->muted)
        return oi_layout_count(nets, count);
    qsort(nets, count, sizeof *nets, by_height);
    if (order_changes(nets, count))
        c.jog = rules->pitch / 4;
    c.end = x + choose_slots(&c) * OI_SLOT_NM;
    used = c.end - x + (c.jog ? OI_SLOT_NM : 0);
    if (*width < used)
        *width = used;
    c.marks = oi_allocate(count, sizeof *c.marks);
    if (!c.marks)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t k = 0; k < count; k++) {
        nets[k].crossings = 0;
        draw_net(&c, k, *width);
    }
    oi_free(c.marks);
    return OPTINC_OK;
}
