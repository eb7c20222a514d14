/* SPDX-License-Identifier: Apache-2.0 */
#include "eye.h"

#include <math.h>

#define PANEL_X 268u
#define PANEL_Y 252u
#define LEFT 26u
#define TOP 26u
#define CELL 1.75 /* width of a column; a row is as high */
#define ACROSS 4u
#define SHADES 6u

static const char *const shades[SHADES] = {"#dbeafe", "#a5c8fb", "#6aa2f4",
                                           "#3b7de0", "#1d4fb4", "#0b2a6b"};

double eye_height(const optinc_eye_digit *digit)
{
    return fmin(fmin(digit->height[0], digit->height[1]), digit->height[2]);
}

double eye_width(const optinc_eye_digit *digit)
{
    return fmin(fmin(digit->width[0], digit->width[1]), digit->width[2]);
}

static uint64_t symbol_count(const optinc_eye_digit *digit)
{
    return digit->symbols[0] + digit->symbols[1] + digit->symbols[2] + digit->symbols[3];
}

/* Logarithmic: one trace is the palest shade, half of the densest cell the darkest. */
static int shade_of(uint32_t count, uint32_t most)
{
    double share;

    if (count == 0)
        return -1;
    share = most > 1 ? log((double)count) / log((double)most) : 1;
    return (int)fmin(share * SHADES, SHADES - 1);
}

static uint32_t densest(const optinc_eye_digit *digit)
{
    uint32_t most = 0;

    for (uint32_t r = 0; r < OPTINC_EYE_ROWS; r++)
        for (uint32_t c = 0; c < OPTINC_EYE_COLUMNS; c++)
            if (digit->density[r][c] > most)
                most = digit->density[r][c];
    return most;
}

/* One path a shade, a rectangle a run of columns; units are cells. */
static void draw_density(FILE *stream, const optinc_eye_digit *digit)
{
    uint32_t most = densest(digit);

    for (int s = 0; s < (int)SHADES; s++) {
        fprintf(stream, "<path fill=\"%s\" d=\"", shades[s]);
        for (uint32_t r = 0; r < OPTINC_EYE_ROWS; r++)
            for (uint32_t c = 0, end; c < OPTINC_EYE_COLUMNS; c = end) {
                end = c + 1;
                if (shade_of(digit->density[r][c], most) != s)
                    continue;
                while (end < OPTINC_EYE_COLUMNS && shade_of(digit->density[r][end], most) == s)
                    end++;
                fprintf(stream, "M%u %uh%uv1h-%uz", c, r, end - c, end - c);
            }
        fputs("\"/>", stream);
    }
}

static double level_y(double value)
{
    return (4 - value) * OPTINC_EYE_ROWS / 5.0 * CELL;
}

static void draw_panel(FILE *stream, const optinc_eye_digit *digit, uint32_t number, uint32_t count)
{
    const double width = CELL * OPTINC_EYE_COLUMNS, height = CELL * OPTINC_EYE_ROWS;
    uint32_t x = LEFT + number % ACROSS * PANEL_X, y = TOP + number / ACROSS * PANEL_Y;

    fprintf(stream,
            "<g transform=\"translate(%u %u)\"><text x=\"0\" y=\"-8\" font-weight=\"600\" "
            "fill=\"#111827\">digit %u%s</text><rect width=\"%.4g\" height=\"%.4g\" "
            "fill=\"#fff\" stroke=\"#d1d5db\"/><g transform=\"scale(%.4g)\">",
            x, y, number,
            number == 0           ? ", least significant"
            : number + 1 == count ? ", most significant"
                                  : "",
            width, height, CELL);
    draw_density(stream, digit);
    fputs("</g>", stream);
    for (int k = 0; k < 3; k++)
        fprintf(stream,
                "<path d=\"M0 %.4gh%.4g\" stroke=\"#dc2626\" stroke-dasharray=\"4 4\" "
                "stroke-width=\"0.8\"/>",
                level_y(k + 0.5), width);
    fprintf(stream,
            "<path d=\"M%.4g 0v%.4g\" stroke=\"#dc2626\" stroke-width=\"0.8\" "
            "stroke-dasharray=\"2 4\"/>",
            width / 2, height);
    for (int k = 0; k < 4; k++)
        fprintf(stream, "<text x=\"-6\" y=\"%.4g\" text-anchor=\"end\">%d</text>", level_y(k) + 4,
                k);
    /* symbol periods from the decision */
    fprintf(stream,
            "<g text-anchor=\"middle\"><text x=\"0\" y=\"%.4g\">-1</text><text x=\"%.4g\" "
            "y=\"%.4g\">0</text><text x=\"%.4g\" y=\"%.4g\" text-anchor=\"end\">1 "
            "symbol</text></g>",
            height + 14, width / 2, height + 14, width, height + 14);
    fprintf(stream,
            "<text x=\"0\" y=\"%.4g\">height %.3g, width %.2f<tspan x=\"0\" dy=\"15\">errors: "
            "%llu of %llu, by Q %.2g</tspan></text></g>\n",
            height + 32, eye_height(digit), eye_width(digit),
            (unsigned long long)digit->symbol_errors, (unsigned long long)symbol_count(digit),
            digit->error_rate);
}

void eye_draw(FILE *stream, const optinc_eye *eye, bool page)
{
    uint32_t count = optinc_eye_digit_count(eye), across = count < ACROSS ? count : ACROSS;
    uint32_t width = LEFT + across * PANEL_X - 8, height = (count + ACROSS - 1) / ACROSS * PANEL_Y;

    if (page)
        fprintf(stream,
                "<svg class=\"eye\" viewBox=\"0 0 %u %u\" width=\"%u\" role=\"img\" "
                "aria-label=\"eye diagrams of %u digits\"",
                width, height, width, count);
    else
        fprintf(stream,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" "
                "width=\"%u\" height=\"%u\"",
                width, height, width, height);
    fputs(" font-family=\"sans-serif\" font-size=\"12\" fill=\"#4b5563\">\n", stream);
    if (!page)
        fputs("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n", stream);
    for (uint32_t j = 0; j < count; j++)
        draw_panel(stream, optinc_eye_digit_at(eye, j), j, count);
    fputs("</svg>\n", stream);
}

void eye_print(const optinc_eye *eye)
{
    for (uint32_t j = 0; j < optinc_eye_digit_count(eye); j++) {
        const optinc_eye_digit *digit = optinc_eye_digit_at(eye, j);

        printf("eye of digit %u height %.4g of 1, width %.3g of a symbol; errors %llu of %llu, by "
               "Gaussian noise %.3g\n",
               j, eye_height(digit), eye_width(digit), (unsigned long long)digit->symbol_errors,
               (unsigned long long)symbol_count(digit), digit->error_rate);
    }
}

static json_t *json_values(const double *values, int count)
{
    json_t *list = json_array();

    for (int k = 0; k < count; k++)
        json_array_append_new(list, cli_json_number(values[k]));
    return list;
}

json_t *eye_json(const optinc_eye *eye)
{
    json_t *list = json_array();

    for (uint32_t j = 0; j < optinc_eye_digit_count(eye); j++) {
        const optinc_eye_digit *digit = optinc_eye_digit_at(eye, j);
        json_t *row = json_object();

        cli_json_set(row, "digit", cli_json_count(j));
        cli_json_set(row, "mean", json_values(digit->mean, 4));
        cli_json_set(row, "spread", json_values(digit->spread, 4));
        cli_json_set(row, "noise", json_values(digit->noise, 4));
        cli_json_set(row, "height", json_values(digit->height, 3));
        cli_json_set(row, "width", json_values(digit->width, 3));
        cli_json_set(row, "symbols", cli_json_count(symbol_count(digit)));
        cli_json_set(row, "symbol_errors", cli_json_count(digit->symbol_errors));
        cli_json_set(row, "error_rate", cli_json_number(digit->error_rate));
        json_array_append_new(list, row);
    }
    return list;
}
