/* SPDX-License-Identifier: Apache-2.0 */
/* The cells that layouts are made of. Of an MZI only the footprint has a source (the device file);
 * what is inside shows where couplers, shifters and pads are, at sizes that are ordinary for silicon
 * strip waveguides, and is not a design to be fabricated: lengths of couplers and gaps are a
 * process's. */
#include <assert.h>

#include "base/log.h"
#include "optics/layout.h"

#define NM_PER_UM 1000.0
#define HEATER_NM 4000
#define PAD_NM 14000
#define PAD_EDGE_NM 2000 /* from the footprint */
#define TRACE_NM 2000
#define FULL_COUPLER_NM (4 * OI_BEND_NM + OI_COUPLER_NM) /* with the bends on both sides */
#define INPUT_PERCENT 42 /* share of the input shifter in what couplers leave of the length */
#define PORT_NM 1000     /* straight, before a port */
#define BOX_NM 20000     /* half the height of a receiver's box */
#define PORT_TEXT_NM 3000

/* A size that can be quartered, as nanometres. */
static int64_t rounded(double um)
{
    return 8 * (int64_t)llround(um * NM_PER_UM / 8);
}

optinc_status oi_layout_rules_of(const optinc_device *device, const optinc_log *log,
                                 oi_layout_rules *rules)
{
    int64_t length, rest;

    if (!(device->mzi_length_um >= OI_MZI_LENGTH_UM_MIN &&
          device->mzi_width_um >= OI_MZI_WIDTH_UM_MIN))
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                       "layout: mzi_length_um and mzi_width_um are %g x %g, at least %g x %g "
                       "expected for bends of 5 um and pads",
                       device->mzi_length_um, device->mzi_width_um, OI_MZI_LENGTH_UM_MIN,
                       OI_MZI_WIDTH_UM_MIN);
    length = rounded(device->mzi_length_um);
    rest = length - 2 * FULL_COUPLER_NM - PORT_NM;
    *rules = (oi_layout_rules){.pitch = rounded(device->mzi_width_um) / 2,
                               .mzi_length = length,
                               .arms_start = FULL_COUPLER_NM + rest * INPUT_PERCENT / 100,
                               .arms_end = FULL_COUPLER_NM + rest,
                               .splitter_length = 6 * OI_BEND_NM + OI_COUPLER_NM,
                               .modulator_length = rounded(device->modulator_length_um),
                               .modulator_width = rounded(device->modulator_width_um)};
    return OPTINC_OK;
}

static void append(oi_point *points, size_t *count, oi_point p)
{
    if (*count == 0 || points[*count - 1].x != p.x || points[*count - 1].y != p.y)
        points[(*count)++] = p;
}

/* Quarter circles where the levels are 2 radii apart or more, smaller ones else. */
size_t oi_layout_bend(oi_point from, oi_point to, oi_point *points)
{
    int64_t rise = to.y > from.y ? to.y - from.y : from.y - to.y, sign = to.y > from.y ? 1 : -1;
    int64_t radius = rise < 2 * OI_BEND_NM ? rise / 2 : OI_BEND_NM, middle = (from.x + to.x) / 2;
    size_t count = 0;

    append(points, &count, from);
    for (int i = 0; i <= OI_ARC_POINTS; i++) {
        double angle = 0.5 * OI_PI * i / OI_ARC_POINTS;

        append(points, &count,
               (oi_point){middle - radius + llround((double)radius * sin(angle)),
                          from.y + sign * llround((double)radius * (1 - cos(angle)))});
    }
    for (int i = 0; i <= OI_ARC_POINTS; i++) {
        double angle = 0.5 * OI_PI * i / OI_ARC_POINTS;

        append(points, &count,
               (oi_point){middle + llround((double)radius * (1 - cos(angle))),
                          to.y - sign * (radius - llround((double)radius * sin(angle)))});
    }
    append(points, &count, to);
    assert(count <= OI_BEND_POINTS);
    return count;
}

static void port(oi_gds *gds, int64_t x, int64_t y, const char *name)
{
    oi_gds_text(gds, OI_LAYER_PORT, (oi_point){x, y}, PORT_TEXT_NM, name);
}

/* One of a coupler's two waveguides: from one height towards the middle and on to another. */
typedef struct swing {
    int64_t from;
    int64_t near;
    int64_t to;
} swing;

static size_t draw_coupler(int64_t x, swing s, oi_point *points)
{
    int64_t bend = 2 * OI_BEND_NM;
    size_t count = oi_layout_bend((oi_point){x, s.from}, (oi_point){x + bend, s.near}, points);

    return count + oi_layout_bend((oi_point){x + bend + OI_COUPLER_NM, s.near},
                                  (oi_point){x + 2 * bend + OI_COUPLER_NM, s.to}, points + count);
}

/* Heater above a waveguide from x0 to x1, both ends with a trace to a pad at the footprint's edge. */
static void heater(oi_gds *gds, const oi_layout_rules *rules, int64_t x0, int64_t x1, int64_t y)
{
    int64_t sign = y > 0 ? 1 : -1, edge = sign * (rules->pitch - PAD_EDGE_NM);
    int64_t inner = edge - sign * PAD_NM, half = HEATER_NM / 2;
    int64_t starts[2] = {x0, x1 - PAD_NM}, traces[2] = {x0, x1 - TRACE_NM};

    oi_gds_rectangle(gds, OI_LAYER_HEATER, (oi_point){x0, y - half}, (oi_point){x1, y + half});
    for (int i = 0; i < 2; i++) {
        oi_gds_rectangle(gds, OI_LAYER_PAD, (oi_point){starts[i], inner < edge ? inner : edge},
                         (oi_point){starts[i] + PAD_NM, inner < edge ? edge : inner});
        oi_gds_rectangle(gds, OI_LAYER_METAL, (oi_point){traces[i], y < inner ? y : inner},
                         (oi_point){traces[i] + TRACE_NM, y < inner ? inner : y});
    }
}

static void footprint(oi_gds *gds, int64_t length, int64_t half)
{
    oi_gds_rectangle(gds, OI_LAYER_FOOTPRINT, (oi_point){0, -half}, (oi_point){length, half});
}

static void two_by_two_ports(oi_gds *gds, int64_t length, int64_t half)
{
    port(gds, 0, half, "in0");
    port(gds, 0, -half, "in1");
    port(gds, length, half, "out0");
    port(gds, length, -half, "out1");
}

/* Input shifter on mode a, coupler, an arm each with its shifter, coupler. */
static void draw_mzi(oi_gds *gds, const oi_layout_rules *rules)
{
    int64_t length = rules->mzi_length, pitch = rules->pitch, half = pitch / 2;
    int64_t arm = pitch * 3 / 10, first = rules->arms_start - FULL_COUPLER_NM;
    int64_t near = (OI_WAVEGUIDE_NM + OI_COUPLER_GAP_NM) / 2;
    oi_point points[4 * OI_BEND_POINTS + 2];

    oi_gds_cell_begin(gds, "MZI");
    footprint(gds, length, pitch);
    for (int64_t sign = 1; sign >= -1; sign -= 2) {
        size_t count = 0;

        points[count++] = (oi_point){0, sign * half};
        count += draw_coupler(first, (swing){sign * half, sign * near, sign * arm}, points + count);
        count += draw_coupler(rules->arms_end, (swing){sign * arm, sign * near, sign * half},
                              points + count);
        points[count++] = (oi_point){length, sign * half};
        oi_gds_path(gds, OI_LAYER_WAVEGUIDE, OI_WAVEGUIDE_NM, points, count);
        heater(gds, rules, rules->arms_start, rules->arms_end, sign * arm);
    }
    heater(gds, rules, PAD_EDGE_NM, first - PAD_EDGE_NM, half);
    two_by_two_ports(gds, length, half);
    oi_gds_cell_end(gds);
}

static void draw_splitter(oi_gds *gds, const oi_layout_rules *rules)
{
    int64_t length = rules->splitter_length, half = rules->pitch / 2;
    int64_t near = (OI_WAVEGUIDE_NM + OI_COUPLER_GAP_NM) / 2;
    oi_point points[2 * OI_BEND_POINTS + 2];

    oi_gds_cell_begin(gds, "SPLITTER");
    footprint(gds, length, rules->pitch);
    for (int64_t sign = 1; sign >= -1; sign -= 2) {
        size_t count = 0;

        points[count++] = (oi_point){0, sign * half};
        count += draw_coupler(OI_BEND_NM, (swing){sign * half, sign * near, sign * half},
                              points + count);
        points[count++] = (oi_point){length, sign * half};
        oi_gds_path(gds, OI_LAYER_WAVEGUIDE, OI_WAVEGUIDE_NM, points, count);
    }
    two_by_two_ports(gds, length, half);
    oi_gds_cell_end(gds);
}

/* Two waveguides, wider in the middle; `padding`: the ends of the other one are absorbers. */
static void draw_crossing(oi_gds *gds, const char *name, bool padding)
{
    const int64_t side = OI_CROSSING_NM / 2, thin = OI_WAVEGUIDE_NM / 2, wide = 600, tip = 50;
    const int64_t end = side + (padding ? OI_ABSORBER_NM : 0);
    const oi_point across[8] = {{-side, -thin}, {-wide, -wide}, {wide, -wide}, {side, -thin},
                                {side, thin},   {wide, wide},   {-wide, wide}, {-side, thin}};
    oi_point up[8];

    for (int i = 0; i < 8; i++)
        up[i] = (oi_point){-across[i].y, across[i].x};
    oi_gds_cell_begin(gds, name);
    oi_gds_rectangle(gds, OI_LAYER_FOOTPRINT, (oi_point){-side, -end}, (oi_point){side, end});
    oi_gds_polygon(gds, OI_LAYER_WAVEGUIDE, across, 8);
    oi_gds_polygon(gds, OI_LAYER_WAVEGUIDE, up, 8);
    port(gds, -side, 0, "w");
    port(gds, side, 0, "e");
    for (int64_t sign = 1; sign >= -1 && padding; sign -= 2) {
        const oi_point taper[4] = {
            {-thin, sign * side}, {-tip, sign * end}, {tip, sign * end}, {thin, sign * side}};

        oi_gds_polygon(gds, OI_LAYER_WAVEGUIDE, taper, 4);
    }
    if (!padding) {
        port(gds, 0, -side, "s");
        port(gds, 0, side, "n");
    }
    oi_gds_cell_end(gds);
}

static void draw_box(oi_gds *gds, const char *name, const char *title, int64_t length, int64_t half)
{
    oi_gds_cell_begin(gds, name);
    footprint(gds, length, half);
    oi_gds_text(gds, OI_LAYER_TITLE, (oi_point){length / 2, 0}, 8000, title);
    oi_gds_cell_end(gds);
}

static void draw_absorber(oi_gds *gds)
{
    const int64_t thin = OI_WAVEGUIDE_NM / 2, tip = 50;
    const oi_point taper[4] = {
        {0, -thin}, {OI_ABSORBER_NM, -tip}, {OI_ABSORBER_NM, tip}, {0, thin}};

    oi_gds_cell_begin(gds, "ABSORBER");
    oi_gds_polygon(gds, OI_LAYER_WAVEGUIDE, taper, 4);
    port(gds, 0, 0, "end");
    oi_gds_cell_end(gds);
}

void oi_layout_cells(oi_gds *gds, const oi_layout_rules *rules, oi_layout_used used)
{
    if (used.mzi)
        draw_mzi(gds, rules);
    if (used.splitter)
        draw_splitter(gds, rules);
    if (used.crossing)
        draw_crossing(gds, "CROSSING", false);
    if (used.padding)
        draw_crossing(gds, "PADDING", true);
    if (used.absorber)
        draw_absorber(gds);
    draw_box(gds, "MODULATOR", "modulator", rules->modulator_length, rules->modulator_width / 2);
    draw_box(gds, "RECEIVER", "receiver", OI_RECEIVER_NM, BOX_NM);
}
