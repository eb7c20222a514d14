/* SPDX-License-Identifier: Apache-2.0 */
/* Light runs from left to right. A mesh of side k is drawn in the rectangular arrangement of
 * Clements et al. (Optica 3, 1460, 2016): k columns, column c coupling waveguides i and i+1 for
 * i = c mod 2, c mod 2 + 2, ...; k(k-1)/2 MZIs in all. */
#include "circuit.h"

#include "html.h"

#define PITCH_X 30u
#define PITCH_Y 18u
#define LEFT 30u
#define RIGHT 34u
#define TOP 34u
#define BOTTOM 14u

typedef struct drawing {
    FILE *page;
    uint64_t mzis;
} drawing;

void circuit_define(FILE *page)
{
    fputs(
        "<svg width=\"0\" height=\"0\" class=\"defs\" aria-hidden=\"true\"><defs>"
        /* two couplers, the inner shifter on the upper arm, the outer one before it */
        "<g id=\"mzi\"><path d=\"M0 0H6C9 0 9 7.4 12 7.4h1C14.5 7.4 14.5 4 16 4h4C21.5 4 21.5 7.4 "
        "23 7.4h1C27 7.4 27 0 30 0M0 18H6C9 18 9 10.6 12 10.6h1C14.5 10.6 14.5 14 16 14h4C21.5 "
        "14 21.5 10.6 23 10.6h1C27 10.6 27 18 30 18\"/><rect x=\"15.5\" y=\"1.6\" width=\"5\" "
        "height=\"4.8\" rx=\"1\"/><rect class=\"outer\" x=\".8\" y=\"-2.2\" width=\"4.4\" "
        "height=\"4.4\" rx=\"1\"/></g>"
        /* the same with one port in and one out: an attenuator */
        "<g id=\"att\"><path d=\"M0 0H6C9 0 9-4.2 12-4.2h6C21-4.2 21 0 24 0h6M6 0C9 0 9 4.2 12 "
        "4.2h6C21 4.2 21 0 24 0\"/><rect x=\"12.5\" y=\"-6.6\" width=\"5\" height=\"4.8\" "
        "rx=\"1\"/></g>"
        "<g id=\"act2\"><rect x=\"0\" y=\"-6.5\" width=\"17\" height=\"13\" rx=\"2.5\"/>"
        "<path d=\"M2.5 4h3.5l5-8h3.5\"/></g>"
        "<g id=\"act1\"><rect x=\"0\" y=\"-6.5\" width=\"17\" height=\"13\" rx=\"2.5\"/>"
        "<path d=\"M2.5 4h6l5.500-8\"/></g>"
        "<g id=\"act0\"><rect x=\"0\" y=\"-6.5\" width=\"17\" height=\"13\" rx=\"2.5\"/>"
        "<path d=\"M2.500 4.200h3v-2.800h3v-2.800h3v-2.800h3\"/></g>"
        "</defs></svg>\n",
        page);
}

static void use(drawing *d, const char *glyph, uint32_t x, uint32_t y)
{
    fprintf(d->page, "<use href=\"#%s\" x=\"%u\" y=\"%u\"/>", glyph, x, y);
}

static void draw_mzi(drawing *d, const char *glyph, uint32_t x, uint32_t y)
{
    use(d, glyph, x, y);
    d->mzis++;
}

/* Straight waveguide; empty ones are left out. */
static void guide(drawing *d, uint32_t x, uint32_t y, uint32_t length)
{
    if (length > 0)
        fprintf(d->page, "<path d=\"M%u %uh%u\"/>", x, y, length);
}

static uint32_t row_y(uint32_t top, uint32_t row)
{
    return top + row * PITCH_Y;
}

/* Columns of the rectangular mesh: two waveguides meet only once, so side 2 needs one. */
static uint32_t mesh_columns(uint32_t side)
{
    return side < 2 ? 0 : side == 2 ? 1 : side;
}

static void draw_mesh(drawing *d, const char *kind, uint32_t x, uint32_t top, uint32_t side)
{
    fprintf(d->page, "<g class=\"%s\">", kind);
    for (uint32_t c = 0; c < mesh_columns(side); c++) {
        uint32_t row = c % 2;

        if (row == 1)
            guide(d, x + c * PITCH_X, row_y(top, 0), PITCH_X);
        for (; row + 1 < side; row += 2)
            draw_mzi(d, "mzi", x + c * PITCH_X, row_y(top, row));
        if (row < side)
            guide(d, x + c * PITCH_X, row_y(top, row), PITCH_X);
    }
    fputs("</g>", d->page);
}

static void draw_diagonal(drawing *d, uint32_t x, uint32_t top, uint32_t count)
{
    fputs("<g class=\"diagonal\">", d->page);
    for (uint32_t row = 0; row < count; row++)
        draw_mzi(d, "att", x, row_y(top, row));
    fputs("</g>", d->page);
}

static void part_label(drawing *d, uint32_t x, uint32_t width, const char *kind, const char *name,
                       uint64_t count)
{
    fprintf(d->page,
            "<path class=\"bracket %s\" d=\"M%u %uv-4h%uv4\"/><text class=\"part\" x=\"%u\" "
            "y=\"%u\">%s<tspan class=\"number\"> ",
            kind, x + 1, TOP - 12, width - 2, x + width / 2, TOP - 20, name);
    html_count(d->page, count);
    fputs("</tspan></text>", d->page);
}

static void draw_ends(drawing *d, const circuit_layer *c, uint32_t x_end)
{
    static const char *const glyphs[] = {"act0", "act1", "act2"};

    for (uint32_t row = 0; c->names && row < c->cost.cols; row++) {
        fprintf(d->page, "<text class=\"port\" x=\"%u\" y=\"%u\">", LEFT - 5, row_y(TOP, row) + 4);
        html_text(d->page, c->names[row]);
        fputs("</text>", d->page);
    }
    fputs("<g class=\"unit\">", d->page);
    for (uint32_t row = 0; row < c->cost.rows; row++)
        use(d, glyphs[c->layer->activation <= 2 ? c->layer->activation : 0], x_end + 6,
            row_y(TOP, row));
    fputs("</g>", d->page);
}

static void open_svg(drawing *d, uint32_t width, uint32_t height, const circuit_layer *c)
{
    fprintf(d->page,
            "<svg class=\"circuit\" viewBox=\"0 0 %u %u\" width=\"%u\" role=\"img\" "
            "aria-label=\"circuit of a %u by %u matrix\">",
            width, height, width, c->cost.rows, c->cost.cols);
}

static uint64_t mesh_mzis(uint64_t side)
{
    return side * (side - (side > 0)) / 2;
}

/* W = U S V': light meets V' first. */
static void draw_svd(drawing *d, const circuit_layer *c)
{
    uint32_t rows = c->cost.rows;
    uint32_t cols = c->cost.cols;
    uint32_t most = rows > cols ? rows : cols;
    uint32_t least = rows < cols ? rows : cols;
    uint32_t diagonal = c->diagonal_min ? least : most;
    uint32_t x_diagonal = LEFT + mesh_columns(cols) * PITCH_X;
    uint32_t x_u = x_diagonal + PITCH_X;
    uint32_t x_end = x_u + mesh_columns(rows) * PITCH_X;

    open_svg(d, x_end + RIGHT, row_y(TOP, most - 1) + BOTTOM, c);
    if (cols > 1)
        part_label(d, LEFT, x_diagonal - LEFT, "v", "V\xE2\x80\xB2", mesh_mzis(cols));
    part_label(d, x_diagonal, PITCH_X, "diagonal", "\xCE\xA3", diagonal);
    if (rows > 1)
        part_label(d, x_u, x_end - x_u, "u", "U", mesh_mzis(rows));
    draw_mesh(d, "v", LEFT, TOP, cols);
    draw_diagonal(d, x_diagonal, TOP, diagonal);
    for (uint32_t row = rows; row < diagonal; row++)
        fprintf(d->page, "<circle class=\"dump\" cx=\"%u\" cy=\"%u\" r=\"2\"/>", x_u,
                row_y(TOP, row));
    draw_mesh(d, "u", x_u, TOP, rows);
    for (uint32_t row = 0; row < rows; row++)
        guide(d, x_end, row_y(TOP, row), 6);
    draw_ends(d, c, x_end);
    fputs("</svg>\n", d->page);
}

/* Square blocks diag(d) U in their places of the matrix: inputs of a block column are split to all
 * of its blocks, outputs of a block row combined. */
static void draw_segmented(drawing *d, const circuit_layer *c, uint32_t side)
{
    uint32_t block_rows = c->layer->rows / side;
    uint32_t block_cols = c->layer->cols / side;
    uint32_t width = (mesh_columns(side) + 1) * PITCH_X + 24;
    uint32_t height = side * PITCH_Y + 16;

    open_svg(d, LEFT + block_cols * width, TOP + block_rows * height, c);
    for (uint32_t i = 0; i < block_rows; i++) {
        for (uint32_t j = 0; j < block_cols; j++) {
            uint32_t x = LEFT + j * width;
            uint32_t y = TOP + i * height;

            draw_mesh(d, "u", x, y, side);
            draw_diagonal(d, x + mesh_columns(side) * PITCH_X, y, side);
        }
    }
    fputs("</svg>\n", d->page);
}

static void outline_part(drawing *d, const char *kind, uint32_t x, uint32_t height, uint32_t width,
                         const char *name, uint64_t count)
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
static void draw_outline(drawing *d, const circuit_layer *c)
{
    uint64_t most = c->cost.rows > c->cost.cols ? c->cost.rows : c->cost.cols;
    uint32_t in = (uint32_t)(40 + 80 * (uint64_t)c->cost.cols / most);
    uint32_t out = (uint32_t)(40 + 80 * (uint64_t)c->cost.rows / most);

    open_svg(d, 330, 140, c);
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

uint64_t circuit_draw(FILE *page, const circuit_layer *c)
{
    drawing d = {.page = page};
    uint64_t rows = c->cost.rows;
    uint64_t cols = c->cost.cols;
    uint64_t diagonal = (rows > cols) != c->diagonal_min ? rows : cols;
    uint64_t side = c->layer->segment_side;
    uint64_t blocks = side > 0 ? (c->layer->rows / side) * (uint64_t)(c->layer->cols / side) : 0;

    if (c->every_mzi && c->cost.mapping == OPTINC_MAPPING_SVD && rows > 0 && cols > 0 &&
        c->cost.mzis == mesh_mzis(rows) + mesh_mzis(cols) + diagonal)
        draw_svd(&d, c);
    else if (c->every_mzi && c->cost.mapping == OPTINC_MAPPING_SEGMENTED && blocks > 0 &&
             c->cost.mzis == blocks * (mesh_mzis(side) + side))
        draw_segmented(&d, c, (uint32_t)side);
    else
        draw_outline(&d, c);
    return d.mzis;
}
