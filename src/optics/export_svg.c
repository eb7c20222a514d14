/* SPDX-License-Identifier: Apache-2.0 */
/* The circuit as a drawing: modes are lines from left to right, an element a bar between its two
 * modes, its shifters' phases the colours (hue 0 .. 360 for 0 .. 2 pi; grey: not set). */
#include "optics/export.h"

#define COLUMN_PX 36.0
#define MODE_PX 22.0
#define MARGIN_PX 46.0

static void fill_colour(FILE *file, double phase_rad)
{
    if (phase_rad == 0)
        fputs("fill=\"#bbb\"", file);
    else
        fprintf(file, "fill=\"hsl(%.0f,75%%,50%%)\"", phase_rad / OI_TWO_PI * 360);
}

static void draw_shifter(FILE *file, double x, double y, double phase_rad, const char *what)
{
    fprintf(file, "<rect x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"8\" ", x, y - 4);
    fill_colour(file, phase_rad);
    fprintf(file, "><title>%s %.6f rad</title></rect>\n", what, phase_rad);
}

static void draw_element(FILE *file, const optinc_element *e)
{
    double x = MARGIN_PX + COLUMN_PX * e->column, a = MARGIN_PX + MODE_PX * e->mode_a;
    double b = MARGIN_PX + MODE_PX * e->mode_b;

    fprintf(file,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
            "stroke-width=\"%d\"/>\n",
            x + 18, a, x + 18, b, e->splitter ? "#888" : "#223", e->splitter ? 1 : 2);
    if (e->splitter)
        return;
    draw_shifter(file, x + 5, a, e->in_rad, "in");
    draw_shifter(file, x + 20, a, e->arm_a_rad, "arm a");
    if (e->arm_b_rad != 0)
        draw_shifter(file, x + 20, b, e->arm_b_rad, "arm b");
}

optinc_status oi_export_svg(const optinc_circuit *circuit, const optinc_device *device, FILE *file)
{
    double width = 2 * MARGIN_PX + COLUMN_PX * circuit->depth;
    double height = 2 * MARGIN_PX + MODE_PX * (circuit->mode_count - 1);

    (void)device;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
            "font-family=\"sans-serif\" font-size=\"10\">\n<rect width=\"100%%\" height=\"100%%\" "
            "fill=\"white\"/>\n",
            width, height);
    for (uint32_t m = 0; m < circuit->mode_count; m++)
        fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ccc\"/>\n",
                MARGIN_PX, MARGIN_PX + MODE_PX * m, width - MARGIN_PX, MARGIN_PX + MODE_PX * m);
    for (size_t k = 0; k < circuit->element_count; k++)
        draw_element(file, &circuit->elements[k]);
    for (uint32_t j = 0; j < circuit->cols; j++)
        fprintf(file, "<text x=\"8\" y=\"%.1f\">in %u</text>\n",
                MARGIN_PX + MODE_PX * circuit->input_mode[j] + 3, j);
    for (uint32_t r = 0; r < circuit->rows; r++)
        fprintf(file, "<text x=\"%.1f\" y=\"%.1f\">out %u</text>\n", width - MARGIN_PX + 4,
                MARGIN_PX + MODE_PX * circuit->output_mode[r] + 3, r);
    fputs("</svg>\n", file);
    return OPTINC_OK;
}
