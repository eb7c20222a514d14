/* SPDX-License-Identifier: Apache-2.0 */
/* Light runs from left to right, a mode a line, every MZI where it stands, its shifters filled with
 * the colour of their phase. Elements that would overlap are drawn one behind the other; modes that
 * only an attenuator uses are left out. */
#include "circuit.h"

#include <stdlib.h>
#include <string.h>

#include "html.h"

#define PITCH_X 30u
#define PITCH_Y 18u
#define LEFT 30u
#define RIGHT 52u
#define TOP 34u
#define BOTTOM 14u
#define TWO_PI 6.28318530717958647693
#define LEGEND_STEPS 48

typedef struct drawing {
    FILE *page;
    const circuit_layer *layer;
    const optinc_element *elements;
    optinc_circuit_info info;
    uint64_t mzis;
    uint32_t *place; /* [element_count] column of the picture */
    uint32_t *row;   /* [mode_count] line of the picture; UINT32_MAX: none */
    uint32_t *next;  /* [mode_count] first free column, by lines */
    uint32_t *end;   /* [mode_count] where the mode's light has come to; UINT32_MAX: dark */
    uint32_t *last;  /* [mode_count] the last element that uses it, plus one */
    uint32_t row_count;
    uint32_t depth;
} drawing;

void circuit_define(FILE *page)
{
    fputs("<svg width=\"0\" height=\"0\" class=\"defs\" aria-hidden=\"true\"><defs>"
          /* two couplers; the shifters are drawn with their colours */
          "<path id=\"mzi\" d=\"M0 0H6C9 0 9 7.4 12 7.4h1C14.5 7.4 14.5 4 16 4h4C21.5 4 21.5 7.4 "
          "23 7.4h1C27 7.4 27 0 30 0M0 18H6C9 18 9 10.6 12 10.6h1C14.5 10.6 14.5 14 16 14h4C21.5 "
          "14 21.5 10.6 23 10.6h1C27 10.6 27 18 30 18\"/>"
          /* the same with one port in and one out: an attenuator */
          "<path id=\"att\" d=\"M0 0H8C11 0 11-4.2 13-4.2h7C22-4.2 22 0 25 0h5M8 0C11 0 11 4.2 13 "
          "4.2h7C22 4.2 22 0 25 0\"/>"
          "<g id=\"act2\"><rect x=\"0\" y=\"-6.5\" width=\"17\" height=\"13\" rx=\"2.5\"/>"
          "<path d=\"M2.5 4h3.5l5-8h3.5\"/></g>"
          "<g id=\"act1\"><rect x=\"0\" y=\"-6.5\" width=\"17\" height=\"13\" rx=\"2.5\"/>"
          "<path d=\"M2.5 4h6l5.500-8\"/></g>"
          "<g id=\"act0\"><rect x=\"0\" y=\"-6.5\" width=\"17\" height=\"13\" rx=\"2.5\"/>"
          "<path d=\"M2.500 4.200h3v-2.800h3v-2.800h3v-2.800h3\"/></g>"
          "</defs></svg>\n",
          page);
}

/* Hue 0 .. 360 for 0 .. 2 pi; grey: not set. */
static void fill(FILE *page, double phase_rad)
{
    if (phase_rad == 0)
        fputs("fill=\"#d1d5db\"", page);
    else
        fprintf(page, "fill=\"hsl(%.0f,78%%,50%%)\"", phase_rad / TWO_PI * 360);
}

void circuit_legend(FILE *page)
{
    static const char *const names[] = {"0", "\xCF\x80/2", "\xCF\x80", "3\xCF\x80/2", "2\xCF\x80"};

    fputs("<svg class=\"hues\" viewBox=\"0 0 420 34\" width=\"420\" role=\"img\" "
          "aria-label=\"colours of the phases\">",
          page);
    for (int i = 0; i < LEGEND_STEPS; i++) {
        fprintf(page, "<rect x=\"%d\" y=\"2\" width=\"5\" height=\"11\" ", 10 + 5 * i);
        fill(page, (i + 0.5) / LEGEND_STEPS * TWO_PI);
        fputs("/>", page);
    }
    for (int i = 0; i < 5; i++)
        fprintf(page, "<text x=\"%d\" y=\"28\">%s</text>", 10 + i * 5 * LEGEND_STEPS / 4, names[i]);
    fputs("<rect x=\"290\" y=\"2\" width=\"11\" height=\"11\" ", page);
    fill(page, 0);
    fputs("/><text x=\"308\" y=\"12\" class=\"side\">0: not heated</text></svg>\n", page);
}

static void use(const drawing *d, const char *glyph, uint32_t x, uint32_t y)
{
    fprintf(d->page, "<use href=\"#%s\" x=\"%u\" y=\"%u\"/>", glyph, x, y);
}

/* Straight waveguide; empty ones are left out. */
static void guide(const drawing *d, uint32_t x, uint32_t y, uint32_t length)
{
    if (length > 0)
        fprintf(d->page, "<path d=\"M%u %uh%u\"/>", x, y, length);
}

static uint32_t row_y(uint32_t row)
{
    return TOP + row * PITCH_Y;
}

static uint32_t mode_y(const drawing *d, uint32_t mode)
{
    return row_y(d->row[mode]);
}

static uint32_t column_x(uint32_t column)
{
    return LEFT + column * PITCH_X;
}

static void shifter(const drawing *d, double x, double y, double phase_rad)
{
    fprintf(d->page, "<rect x=\"%.4g\" y=\"%.4g\" width=\"5.2\" height=\"5\" rx=\"1\" ", x, y);
    fill(d->page, phase_rad);
    fputs("/>", d->page);
}

static uint64_t mesh_mzis(uint64_t side)
{
    return side * (side - (side > 0)) / 2;
}

/* A dark mode that no other element uses: an attenuator's. */
static bool attenuates(const drawing *d, size_t k)
{
    return d->row[d->elements[k].mode_b] == UINT32_MAX;
}

/* A mode that a fan-out tree makes gets the line below the one that it comes from. */
static void grow_trees(drawing *d)
{
    const uint32_t *inputs = optinc_circuit_input_mode(d->layer->circuit);

    for (uint32_t m = 0; m < d->info.mode_count; m++)
        d->row[m] = UINT32_MAX;
    for (uint32_t j = 0; j < d->info.cols; j++)
        d->row[inputs[j]] = d->row_count++;
    for (size_t k = 0; k < d->info.element_count; k++) {
        const optinc_element *e = &d->elements[k];

        if (d->row[e->mode_b] != UINT32_MAX || d->last[e->mode_b] < 2)
            continue;
        for (uint32_t m = 0; m < d->info.mode_count; m++)
            if (d->row[m] != UINT32_MAX && d->row[m] > d->row[e->mode_a])
                d->row[m]++;
        d->row[e->mode_b] = d->row[e->mode_a] + 1;
        d->row_count++;
    }
    for (uint32_t m = 0; m < d->info.mode_count; m++)
        if (d->row[m] == UINT32_MAX && d->last[m] > 1)
            d->row[m] = d->row_count++;
}

/* Lines for all modes but the attenuators'. */
static void find_rows(drawing *d)
{
    const uint32_t *inputs = optinc_circuit_input_mode(d->layer->circuit);
    const uint32_t *outputs = optinc_circuit_output_mode(d->layer->circuit);

    /* counts first: how many elements, inputs and outputs use the mode */
    memset(d->last, 0, d->info.mode_count * sizeof *d->last);
    for (size_t k = 0; k < d->info.element_count; k++) {
        d->last[d->elements[k].mode_a] += 2;
        d->last[d->elements[k].mode_b] += 1;
    }
    for (uint32_t j = 0; j < d->info.cols; j++)
        d->last[inputs[j]] += 2;
    for (uint32_t r = 0; r < d->info.rows; r++)
        d->last[outputs[r]] += 2;
    if (d->layer->cost.mapping == OPTINC_MAPPING_DIRECT) {
        grow_trees(d);
        return;
    }
    for (uint32_t m = 0; m < d->info.mode_count; m++)
        d->row[m] = d->last[m] > 1 ? d->row_count++ : UINT32_MAX;
}

/* Earliest columns at which an element touches no other on the lines that it spans. An SVD's parts
 * do not mingle. */
static void find_places(drawing *d)
{
    size_t first = mesh_mzis(d->info.cols);
    size_t second = first + (d->info.rows < d->info.cols ? d->info.rows : d->info.cols);

    for (size_t k = 0; k < d->info.element_count; k++) {
        const optinc_element *e = &d->elements[k];
        uint32_t a = d->row[e->mode_a], b = attenuates(d, k) ? a : d->row[e->mode_b], column = 0;

        if (a > b) {
            uint32_t swap = a;

            a = b;
            b = swap;
        }
        for (uint32_t r = a; r <= b; r++)
            column = d->next[r] > column ? d->next[r] : column;
        if (d->layer->cost.mapping == OPTINC_MAPPING_SVD && (k == first || k == second)) {
            column = d->depth;
            for (uint32_t r = 0; r < d->row_count; r++)
                d->next[r] = column;
        }
        d->place[k] = column;
        for (uint32_t r = a; r <= b; r++)
            d->next[r] = column + 1;
        d->depth = column + 1 > d->depth ? column + 1 : d->depth;
    }
}

/* Light on the mode comes as far as x. */
static void bring(drawing *d, uint32_t mode, uint32_t x)
{
    if (d->end[mode] != UINT32_MAX)
        guide(d, d->end[mode], mode_y(d, mode), x - d->end[mode]);
    d->end[mode] = x + PITCH_X;
}

/* Two modes that are not neighbours: their couplers by a link. */
static void draw_link(const drawing *d, const optinc_element *e, uint32_t x)
{
    uint32_t a = mode_y(d, e->mode_a), b = mode_y(d, e->mode_b);

    fprintf(d->page,
            "<path d=\"M%u %uh%uM%u %uh%u\"/><path class=\"link\" d=\"M%u %uV%uM%u %uV%u\"/>", x, a,
            PITCH_X, x, b, PITCH_X, x + 11, a, b, x + 25, a, b);
    for (int i = 0; i < 4; i++)
        fprintf(d->page, "<circle class=\"dump\" cx=\"%u\" cy=\"%u\" r=\"1.8\"/>",
                x + (i % 2 ? 25u : 11u), i / 2 ? b : a);
}

static void draw_element(drawing *d, size_t k)
{
    const optinc_element *e = &d->elements[k];
    uint32_t x = column_x(d->place[k]), y = mode_y(d, e->mode_a), other;
    double lower;

    bring(d, e->mode_a, x);
    if (attenuates(d, k)) {
        use(d, "att", x, y);
        shifter(d, x + 1.2, y - 2.5, e->in_rad);
        shifter(d, x + 14, y - 6.8, e->arm_a_rad);
        d->mzis++;
        return;
    }
    bring(d, e->mode_b, x);
    other = mode_y(d, e->mode_b);
    lower = other > y ? -3.9 : 3.9;
    if (e->splitter) {
        fprintf(d->page, "<path d=\"M%u %uh%uM%u %uh%u\"/><path class=\"link\" d=\"M%u %uV%u\"/>",
                x, y, PITCH_X, x, other, PITCH_X, x + 15, y, other);
        return;
    }
    d->mzis++;
    if (other == y + PITCH_Y) {
        use(d, "mzi", x, y);
        shifter(d, x + 15.4, y + 1.4, e->arm_a_rad);
    } else {
        draw_link(d, e, x);
        shifter(d, x + 15.4, y - 2.5, e->arm_a_rad);
        lower = 0;
    }
    shifter(d, x + 0.7, y - 2.5, e->in_rad);
    if (e->arm_b_rad != 0)
        shifter(d, x + 15.4, other + lower - 2.5, e->arm_b_rad);
}

static void draw_elements(drawing *d)
{
    const uint32_t *inputs = optinc_circuit_input_mode(d->layer->circuit);
    const uint32_t *outputs = optinc_circuit_output_mode(d->layer->circuit);

    memset(d->last, 0, d->info.mode_count * sizeof *d->last);
    for (uint32_t m = 0; m < d->info.mode_count; m++)
        d->end[m] = UINT32_MAX;
    for (uint32_t j = 0; j < d->info.cols; j++)
        d->end[inputs[j]] = LEFT;
    for (size_t k = 0; k < d->info.element_count; k++)
        draw_element(d, k);
    for (uint32_t r = 0; r < d->info.rows; r++)
        d->last[outputs[r]] = 1;
    for (uint32_t m = 0; m < d->info.mode_count; m++)
        if (d->row[m] != UINT32_MAX && !d->last[m] && d->end[m] != UINT32_MAX)
            fprintf(d->page, "<circle class=\"dump\" cx=\"%u\" cy=\"%u\" r=\"2\"/>", d->end[m],
                    mode_y(d, m));
}

static void draw_ends(drawing *d)
{
    static const char *const glyphs[] = {"act0", "act1", "act2"};
    const circuit_layer *c = d->layer;
    const uint32_t *inputs = optinc_circuit_input_mode(c->circuit);
    const uint32_t *outputs = optinc_circuit_output_mode(c->circuit);
    const double *output_rad = optinc_circuit_output_rad(c->circuit);
    uint32_t x_end = column_x(d->depth);

    for (uint32_t j = 0; c->names && j < d->info.cols; j++) {
        fprintf(d->page, "<text class=\"port\" x=\"%u\" y=\"%u\">", LEFT - 5,
                mode_y(d, inputs[j]) + 4);
        html_text(d->page, c->names[j]);
        fputs("</text>", d->page);
    }
    for (uint32_t r = 0; r < d->info.rows; r++) {
        uint32_t mode = outputs[r];

        if (d->end[mode] != UINT32_MAX)
            guide(d, d->end[mode], mode_y(d, mode), x_end + 14 - d->end[mode]);
        shifter(d, x_end + 4, mode_y(d, mode) - 2.5, output_rad[r]);
        use(d, glyphs[c->layer->activation <= 2 ? c->layer->activation : 0], x_end + 14,
            mode_y(d, mode));
        fprintf(d->page, "<text class=\"end\" x=\"%u\" y=\"%u\">%u</text>", x_end + 35,
                mode_y(d, mode) + 4, r);
    }
}

static void open_svg(const drawing *d, uint32_t width, uint32_t height)
{
    fprintf(d->page,
            "<svg class=\"circuit\" viewBox=\"0 0 %u %u\" width=\"%u\" role=\"img\" "
            "aria-label=\"circuit of a %u by %u matrix\">",
            width, height, width, d->layer->cost.rows, d->layer->cost.cols);
}

static void part_label(const drawing *d, uint32_t x, uint32_t width, const char *kind,
                       const char *name, uint64_t count)
{
    fprintf(d->page,
            "<path class=\"bracket %s\" d=\"M%u %uv-4h%uv4\"/><text class=\"part\" x=\"%u\" "
            "y=\"%u\">%s<tspan class=\"number\"> ",
            kind, x + 1, TOP - 12, width - 2, x + width / 2, TOP - 20, name);
    html_count(d->page, count);
    fputs("</tspan></text>", d->page);
}

/* Brackets over the three parts of W = U S V'. */
static void label_parts(const drawing *d)
{
    size_t v = mesh_mzis(d->info.cols), u = mesh_mzis(d->info.rows);
    uint32_t x[4] = {LEFT, LEFT, LEFT, column_x(d->depth)};

    if (d->layer->cost.mapping != OPTINC_MAPPING_SVD || v + u > d->info.element_count)
        return;
    x[1] = v < d->info.element_count ? column_x(d->place[v]) : x[3];
    x[2] = x[1] + PITCH_X;
    if (v > 0)
        part_label(d, x[0], x[1] - x[0], "v", "V\xE2\x80\xB2", v);
    part_label(d, x[1], PITCH_X, "diagonal", "\xCE\xA3", d->info.element_count - v - u);
    if (u > 0)
        part_label(d, x[2], x[3] - x[2], "u", "U", u);
}

static void outline_part(const drawing *d, const char *kind, uint32_t x, uint32_t height,
                         uint32_t width, const char *name, uint64_t count)
{
    fprintf(d->page,
            "<g class=\"%s\"><rect class=\"outline\" x=\"%u\" y=\"10\" width=\"%u\" height=\"%u\" "
            "rx=\"4\"/></g><text class=\"part\" x=\"%u\" y=\"%u\">%s</text><text class=\"part "
            "number\" x=\"%u\" y=\"%u\">",
            kind, x, width, height, x + width / 2, 10 + height / 2 - 4, name, x + width / 2,
            10 + height / 2 + 12);
    html_count(d->page, count);
    fputs("</text>", d->page);
}

/* Boxes whose heights are the sides of the matrix, the larger one 120. */
static void draw_outline(const drawing *d, const circuit_layer *c)
{
    uint64_t most = c->cost.rows > c->cost.cols ? c->cost.rows : c->cost.cols;
    uint32_t in = (uint32_t)(40 + 80 * (uint64_t)c->cost.cols / most);
    uint32_t out = (uint32_t)(40 + 80 * (uint64_t)c->cost.rows / most);

    open_svg(d, 330, 140);
    if (c->cost.mapping == OPTINC_MAPPING_SVD) {
        uint64_t v = mesh_mzis(c->cost.cols);
        uint64_t u = mesh_mzis(c->cost.rows);

        outline_part(d, "v", 10, in, 120, "V\xE2\x80\xB2 mesh", v);
        outline_part(d, "diagonal", 136, 120, 58, "\xCE\xA3", c->cost.mzis - u - v);
        outline_part(d, "u", 200, out, 120, "U mesh", u);
    } else if (c->cost.mapping == OPTINC_MAPPING_SEGMENTED) {
        outline_part(d, "u", 10, 120, 310, "blocks diag(d) U", c->cost.mzis);
    } else {
        outline_part(d, "u", 10, 120, 310, "fan-in and fan-out trees", c->cost.mzis);
    }
    fputs("</svg>\n", d->page);
}

static void draw_circuit(drawing *d)
{
    find_rows(d);
    find_places(d);
    open_svg(d, column_x(d->depth) + RIGHT, row_y(d->row_count - 1) + BOTTOM);
    label_parts(d);
    draw_elements(d);
    draw_ends(d);
    fputs("</svg>\n", d->page);
}

bool circuit_draw(FILE *page, const circuit_layer *c, uint64_t *mzis)
{
    drawing d = {.page = page, .layer = c};
    size_t modes, elements;
    bool good;

    if (!c->circuit) {
        draw_outline(&d, c);
        return true;
    }
    d.info = optinc_circuit_describe(c->circuit);
    d.elements = optinc_circuit_elements(c->circuit);
    modes = d.info.mode_count;
    elements = d.info.element_count;
    d.place = calloc(elements + 1, sizeof *d.place);
    d.row = calloc(modes + 1, sizeof *d.row);
    d.next = calloc(modes + 1, sizeof *d.next);
    d.end = calloc(modes + 1, sizeof *d.end);
    d.last = calloc(modes + 1, sizeof *d.last);
    good = d.place && d.row && d.next && d.end && d.last;
    if (good)
        draw_circuit(&d);
    else
        cli_error("out of memory");
    free(d.place);
    free(d.row);
    free(d.next);
    free(d.end);
    free(d.last);
    *mzis += d.mzis;
    return good;
}
