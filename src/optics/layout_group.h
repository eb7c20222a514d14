/* SPDX-License-Identifier: Apache-2.0 */
/* What the drawing of a circuit keeps, and its groups: elements of one kind that follow one another,
 * each group a cell of its own. */
#ifndef OI_OPTICS_LAYOUT_GROUP_H
#define OI_OPTICS_LAYOUT_GROUP_H

#include "optics/layout.h"

typedef enum oi_group_kind {
    OI_GROUP_MESH,
    OI_GROUP_DIAGONAL,
    OI_GROUP_SPLITTERS,
    OI_GROUP_TREES,
    OI_GROUP_KINDS
} oi_group_kind;

typedef struct oi_group {
    oi_group_kind kind;
    uint32_t number; /* among its kind */
    uint32_t stage;
    size_t first; /* element */
    size_t count;
    char name[OI_GDS_NAME_MAX + 1];
    int64_t length, top, bottom;
    oi_layout_port *left; /* owned */
    oi_layout_port *right;
    size_t left_count, right_count;
} oi_group;

typedef struct oi_plan {
    const optinc_circuit *circuit;
    const oi_layout_rules *rules;
    oi_gds *gds;      /* finished cells */
    uint32_t *uses;   /* [mode_count] elements still to come */
    bool *output;     /* [mode_count] */
    bool *outer_mode; /* [mode_count] an input or an output */
    uint32_t *stage;  /* [mode_count] of the last group on the mode; scratch */
    uint32_t *column; /* [mode_count] scratch: the next free column; 0 outside of a oi_group */
    uint32_t *member; /* [mode_count] scratch: in which column's elements the mode is, from 1 */
    uint32_t *modes;  /* [mode_count] scratch: of a group, rising */
    oi_item *items;   /* [mode_count] scratch */
    oi_layout_port *ports; /* [4 mode_count] scratch */
    uint32_t *crossings;   /* [mode_count] on the way with most of them, up to the current stage */
    uint32_t *behind;      /* [mode_count] what that was behind the last element on the mode */
    uint32_t *wires;   /* borrowed: [element_count][2] on the waveguides to its inputs, then [rows];
                              NULL: not wanted */
    uint32_t *padding; /* [mode_count] in front of the current stage */
    uint32_t *inside;  /* [mode_count] behind the group's last element on the mode; else 0 */
    uint32_t (*arrivals)[2]; /* [element_count] */
    oi_group *groups;        /* [group_count] */
    size_t group_count;
    uint32_t stage_count;
    oi_scene scene;
    oi_scene inner; /* of the group that is being placed; else clear */
} oi_plan;

/* Does light on this mode go on to an element or a receiver? */
bool oi_plan_goes_on(const oi_plan *p, uint32_t mode);

/* Adds what passes by to a column's items, of which there are `count`: every lit mode that is not
 * marked as a member. Returns how many items there are then. */
size_t oi_plan_add_passes(const oi_plan *p, const oi_scene *scene, uint32_t mark, size_t count,
                          oi_layout_port *ports);

/* The cell around a scene; `title`, or NULL, is written above it, as large as fits its length. */
void oi_plan_finish_cell(oi_gds *gds, const char *name, const oi_scene *scene, const char *title);

/* Appends the group's cell; its ports and extents are known then. Its crossings are in `arrivals` and
 * `inside` until the light that comes to it is known. */
optinc_status oi_plan_place_group(oi_plan *p, oi_group *g);

#endif
