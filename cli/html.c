/* SPDX-License-Identifier: Apache-2.0 */
#include "html.h"

#include <math.h>
#include <string.h>

#include "cli.h"

#define REPLACEMENT "\xEF\xBF\xBD"
#define MINUS "\xE2\x88\x92"
#define DASH "\xE2\x80\x93"

/* Bytes of the well-formed UTF-8 sequence at s, or 0 (Unicode standard, table 3-7). */
static size_t sequence_length(const unsigned char *s)
{
    size_t length = s[0] < 0x80                    ? 1
                    : s[0] >= 0xC2 && s[0] <= 0xDF ? 2
                    : (s[0] & 0xF0) == 0xE0        ? 3
                    : s[0] >= 0xF0 && s[0] <= 0xF4 ? 4
                                                   : 0;

    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return length;
}

void html_text(FILE *page, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        size_t length = sequence_length(s);

        if (length == 0 || *s == 0x7F || (*s < ' ' && *s != '\n' && *s != '\t')) {
            fputs(REPLACEMENT, page);
            length = 1;
        } else if (strchr("&<>\"'", *s)) {
            fprintf(page, "&#%d;", *s);
        } else {
            fwrite(s, 1, length, page);
        }
        s += length;
    }
}

void html_count(FILE *page, uint64_t count)
{
    char text[CLI_COUNT_TEXT_SIZE];

    fputs(cli_count_text(count, text), page);
}

void html_number(FILE *page, double value, int digits)
{
    char text[64];

    if (isnan(value)) {
        fputs(DASH, page);
        return;
    }
    snprintf(text, sizeof text, "%.*g", digits, value);
    for (const char *c = text; *c; c++)
        if (*c == '-')
            fputs(MINUS, page);
        else
            fputc(*c, page);
}

void html_fixed(FILE *page, double value, int decimals)
{
    char text[400];
    size_t whole;

    if (isnan(value)) {
        fputs(DASH, page);
        return;
    }
    if (value < 0.0)
        fputs(MINUS, page);
    snprintf(text, sizeof text, "%.*f", decimals, fabs(value));
    whole = strcspn(text, ".");
    for (size_t i = 0; text[i]; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            fputc(',', page);
        fputc(text[i], page);
    }
}

void html_signed(FILE *page, double value, int decimals)
{
    char text[400];

    if (isnan(value)) {
        fputs(DASH, page);
        return;
    }
    snprintf(text, sizeof text, "%.*f", decimals, fabs(value));
    /* what is shown as zero has no sign */
    if (strspn(text, "0.") < strlen(text))
        fputs(value < 0.0 ? MINUS : "+", page);
    fputs(text, page);
}

void html_bytes(FILE *page, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;

    if (isnan(bytes)) {
        fputs(DASH, page);
        return;
    }
    while (bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000.0;
        unit++;
    }
    fprintf(page, "%.*f&nbsp;%s",
            unit == 0 || bytes >= 100.0 ? 0
            : bytes >= 10.0             ? 1
                                        : 2,
            bytes, units[unit]);
}
