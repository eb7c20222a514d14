/* SPDX-License-Identifier: Apache-2.0 */
/* A floor plan in parts. Light goes from left to right, mode 0 is on top, lengths are nanometres. A
 * scene is one cell that is being drawn: columns of items (MZIs, waveguides that pass by, finished
 * cells) stacked from the top, and between two columns a channel of waveguides. All heights of
 * waveguides in columns are multiples of half a pitch, so a quarter is free for channels. */
#ifndef OI_OPTICS_LAYOUT_H
#define OI_OPTICS_LAYOUT_H

#include "optics/circuit.h"
#include "optics/gds.h"

/* Layers as in gdsfactory's generic process; docs/optics.md has the table. */
#define OI_LAYER_WAVEGUIDE ((oi_gds_layer){1, 0})
#define OI_LAYER_PORT ((oi_gds_layer){1, 10})
#define OI_LAYER_METAL ((oi_gds_layer){41, 0})
#define OI_LAYER_HEATER ((oi_gds_layer){47, 0})
#define OI_LAYER_PAD ((oi_gds_layer){49, 0})
#define OI_LAYER_FLOOR_PLAN ((oi_gds_layer){64, 0})
#define OI_LAYER_TITLE ((oi_gds_layer){66, 0})
#define OI_LAYER_PHASES ((oi_gds_layer){66, 1})
#define OI_LAYER_FOOTPRINT ((oi_gds_layer){68, 0})

/* Assumptions where device files have no value: a silicon strip waveguide and what is drawn of it. */
#define OI_WAVEGUIDE_NM 500
#define OI_BEND_NM 5000     /* radius */
#define OI_CROSSING_NM 9000 /* side */
#define OI_SLOT_NM 12000    /* between two vertical waveguides of a channel: 2 radii and more */
#define OI_ABSORBER_NM 8000 /* length */
#define OI_MARGIN_NM 12000  /* room for an absorber */
#define OI_COUPLER_NM 8000  /* length */
#define OI_COUPLER_GAP_NM 200
#define OI_RECEIVER_NM 60000 /* length */
#define OI_METAL_NM 2000

typedef struct oi_layout_rules {
    int64_t pitch; /* of modes: half an MZI's width */
    int64_t mzi_length;
    int64_t arms_start; /* of an MZI: behind the first coupler */
    int64_t arms_end;
    int64_t splitter_length;
    int64_t modulator_length;
    int64_t modulator_width;
} oi_layout_rules;

/* Of a device; OPTINC_ERR_UNSUPPORTED for MZIs too small for the parts above. */
#define OI_MZI_LENGTH_UM_MIN 140.0
#define OI_MZI_WIDTH_UM_MIN 80.0
optinc_status oi_layout_rules_of(const optinc_device *device, const optinc_log *log,
                                 oi_layout_rules *rules);

/* Of a layer's modulators from one another, and of its receivers: a multiple of the pitch. */
int64_t oi_layout_distance(const oi_layout_rules *rules);

/* The cells that a layout places. Their origin is the middle of the left side (CROSSING: its
 * middle). Only those that are used are written, so that a file has one top cell. */
typedef struct oi_layout_used {
    bool mzi;
    bool splitter;
    bool crossing;
    bool padding;
    bool absorber;
} oi_layout_used;

void oi_layout_cells(oi_gds *gds, const oi_layout_rules *rules, oi_layout_used used);

/* An s-bend, level to level, in at most 2 radii; from ends[0] to ends[1]; at least 2 points follow
 * each other. Returns how many of `points` [OI_BEND_POINTS] were used. */
#define OI_ARC_POINTS 16
#define OI_BEND_POINTS (2 * OI_ARC_POINTS + 4)
size_t oi_layout_bend(oi_point from, oi_point to, oi_point *points);

/* A waveguide through a channel. */
typedef struct oi_net {
    uint32_t mode;
    int64_t left;  /* height where it enters */
    int64_t right; /* height where it leaves */
    int64_t slot;  /* set by the router: of its vertical part; -1: it has none */
    uint32_t crossings;
} oi_net;

/* Sorts the nets by where they leave and sets their crossings: of two whose order changes, one. Any
 * heights; memory for as many nets again. */
optinc_status oi_layout_count(oi_net *nets, size_t count);

/* Draws nets from x to x + *width, *width as small as possible but not below what it is on entry.
 * Nets whose order changes cross at right angles in CROSSING cells, each pair once. Heights of one
 * side are different, at least a pitch apart where there are crossings. `nets` is sorted. For a muted
 * `gds` the crossings are only counted, and the width stays. */
optinc_status oi_layout_channel(oi_gds *gds, const oi_layout_rules *rules, oi_gds_layer layer,
                                int64_t line, int64_t x, oi_net *nets, size_t count,
                                int64_t *width);

typedef struct oi_layout_port {
    uint32_t mode;
    int64_t y; /* relative to the item's origin */
    bool lit;  /* right side: light goes on to somewhere; left side, set: light comes */
} oi_layout_port;

typedef enum oi_item_kind { OI_ITEM_PASS, OI_ITEM_ELEMENT, OI_ITEM_CELL } oi_item_kind;

typedef struct oi_item {
    oi_item_kind kind;
    size_t element;       /* ELEMENT */
    const char *cell;     /* ELEMENT, CELL; borrowed */
    int64_t above, below; /* extents from the origin, multiples of a pitch's half */
    int64_t length;
    oi_layout_port *left; /* borrowed */
    oi_layout_port *right;
    size_t left_count;
    size_t right_count;
    double wanted; /* set: where its waveguides come from */
    int64_t y;     /* set */
    bool mirrored; /* set: ELEMENT whose mode b comes from above */
} oi_item;

typedef struct oi_scene {
    const oi_layout_rules *rules;
    const optinc_circuit *circuit;
    uint32_t *crossed;       /* [mode_count] borrowed: crossings of the mode's light so far */
    uint32_t (*arrivals)[2]; /* [element_count] borrowed: of an element's two inputs since the last
                                   element of each, which `crossed` counts from there */
    oi_gds gds;              /* owned: the cell's shapes so far */
    int64_t x;
    int64_t top, bottom;
    uint64_t crossings;
    uint32_t *padding; /* [mode_count] borrowed: of the next channel's waveguides; NULL: none */
    bool padded;       /* there is some */
    bool absorbers;    /* there are some */
    uint32_t *modes;   /* [mode_count] owned: lit modes, unordered */
    size_t mode_count;
    uint32_t *place; /* [mode_count] owned: 1 + index into modes; 0: dark */
    int64_t *height; /* [mode_count] owned: of lit modes */
    int64_t *dead;   /* [2 mode_count] owned: where waveguides end, in front of the next channel */
    size_t dead_count;
    oi_net *nets; /* [mode_count] owned, scratch */
} oi_scene;

optinc_status oi_scene_create(oi_scene *scene, const oi_layout_rules *rules,
                              const optinc_circuit *circuit, uint32_t *crossed,
                              uint32_t (*arrivals)[2], bool muted);
/* As it was created. */
void oi_scene_clear(oi_scene *scene);
void oi_scene_destroy(oi_scene *scene);
/* Light on a mode at a height, at the scene's x. */
void oi_scene_light(oi_scene *scene, uint32_t mode, int64_t height);
/* The next column: stacks `items` where their waveguides come from (in the order given if `ordered`),
 * routes the channel before it and places them; every lit mode must be a left port of one of them.
 * No items: a last channel, for absorbers. `entry`: there is no channel, waveguides begin at the
 * items' ports. */
optinc_status oi_scene_advance(oi_scene *scene, oi_item *items, size_t count, bool ordered,
                               bool entry);

/* A circuit as a finished cell; ports in order of inputs and outputs, `distance` apart. */
typedef struct oi_circuit_plan {
    int64_t length;
    int64_t top, bottom; /* the first input is at height 0 */
    int64_t first_output;
    uint64_t crossings;
    uint32_t path_crossings_max;
    bool padded;
    bool absorbers;
} oi_circuit_plan;

/* Appends the cell `name` of a circuit and the cells of its meshes, names beginning with `prefix`.
 * crossings [rows]: the most on a way to each output; wires [2 element_count + rows]: on the
 * waveguide from an element or an input to each element's mode a and b and to each receiver; NULL: not
 * wanted. */
optinc_status oi_layout_circuit(oi_gds *gds, const oi_layout_rules *rules,
                                const optinc_circuit *circuit, const char *prefix, const char *name,
                                int64_t distance, oi_circuit_plan *plan, uint32_t *crossings,
                                uint32_t *wires);

/* The wires of a circuit alone, as above, without a drawing; of the device the sizes of MZI and
 * modulator are read. */
optinc_status oi_layout_wires(const optinc_circuit *circuit, const optinc_device *device,
                              uint32_t *wires);

#endif
