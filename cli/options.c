/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define OPTIONS_MAX 64

cli_option cli_flag(const char *name, bool *value, const char *help)
{
    return (cli_option){.name = name, .kind = CLI_FLAG, .value = value, .help = help};
}

cli_option cli_count(const char *name, uint64_t *value, const char *value_name, uint64_t min,
                     uint64_t max, const char *help)
{
    return (cli_option){.name = name,
                        .kind = CLI_COUNT,
                        .value = value,
                        .value_name = value_name,
                        .count_min = min,
                        .count_max = max,
                        .help = help};
}

cli_option cli_number(const char *name, double *value, const char *value_name, double min,
                      double max, const char *help)
{
    return (cli_option){.name = name,
                        .kind = CLI_NUMBER,
                        .value = value,
                        .value_name = value_name,
                        .number_min = min,
                        .number_max = max,
                        .help = help};
}

cli_option cli_number_from(const char *name, double *value, const char *value_name, double min,
                           double max, const char *help)
{
    cli_option option = cli_number(name, value, value_name, min, max, help);

    option.bounds_allowed = true;
    return option;
}

cli_option cli_text(const char *name, const char **value, const char *value_name, const char *help)
{
    return (cli_option){
        .name = name, .kind = CLI_TEXT, .value = value, .value_name = value_name, .help = help};
}

cli_option cli_choice(const char *name, int *value, const char *const *choices, const char *help)
{
    return (cli_option){
        .name = name, .kind = CLI_CHOICE, .value = value, .choices = choices, .help = help};
}

cli_option cli_output_option(const char **value, const char *value_name, const char *help)
{
    cli_option option = cli_text("--output", value, value_name, help);

    option.letter = 'o';
    option.required = true;
    return option;
}

cli_option cli_seed_option(uint64_t *value, const char *help)
{
    return cli_count("--seed", value, "S", 0, INT64_MAX, help);
}

cli_option cli_json_option(bool *value)
{
    return cli_flag("--json", value, "print one JSON object");
}

cli_option cli_even(cli_option option)
{
    option.even = true;
    return option;
}

cli_option cli_required(cli_option option)
{
    option.required = true;
    return option;
}

cli_option cli_needs(cli_option option, const char *needs)
{
    option.needs = needs;
    return option;
}

void cli_group(cli_option *options, int count, const char *group)
{
    for (int i = 0; i < count; i++)
        options[i].group = group;
}

static bool set_count(const cli_option *option, const char *text)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || value < option->count_min ||
        value > option->count_max || (option->even && value % 2 != 0)) {
        cli_error("%s: found '%s', expected %s number from %" PRIu64 " to %" PRIu64, option->name,
                  text, option->even ? "an even" : "a whole", option->count_min, option->count_max);
        return false;
    }
    *(uint64_t *)option->value = value;
    return true;
}

bool cli_read_counts(const char *name, const char *text, uint64_t min, uint64_t max,
                     uint64_t *values, int values_max, int *count)
{
    const char *rest = text;

    for (*count = 0; *count < values_max; rest++) {
        char *end;
        unsigned long long value;

        errno = 0;
        value = strtoull(rest, &end, 10);
        if (rest[0] < '0' || rest[0] > '9' || errno || value < min || value > max)
            break;
        values[(*count)++] = value;
        if (*end == '\0')
            return true;
        rest = end;
        if (*rest != ',')
            break;
    }
    cli_error("%s: found '%s', expected whole numbers from %" PRIu64 " to %" PRIu64
              " with commas between, %d at most",
              name, text, min, max, values_max);
    return false;
}

static bool set_number(const cli_option *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    double min = option->number_min, max = option->number_max;
    bool inside =
        option->bounds_allowed ? value >= min && value <= max : value > min && value < max;

    if (!*text || isspace((unsigned char)*text) || *end || !inside) {
        cli_error("%s: found '%s', expected a number %s %g %s %g", option->name, text,
                  option->bounds_allowed ? "from" : "between", min,
                  option->bounds_allowed ? "to" : "and", max);
        return false;
    }
    *(double *)option->value = value;
    return true;
}

static void join_choices(const cli_option *option, const char *between, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; option->choices[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? between : "",
                                 option->choices[i]);
}

static bool set_choice(const cli_option *option, const char *text)
{
    char expected[256];

    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            *(int *)option->value = i;
            return true;
        }
    }
    join_choices(option, " or ", expected, sizeof expected);
    cli_error("%s: found '%s', expected %s", option->name, text, expected);
    return false;
}

static bool set_value(const cli_option *option, const char *text)
{
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->value = true;
        return true;
    case CLI_COUNT:
        return set_count(option, text);
    case CLI_NUMBER:
        return set_number(option, text);
    case CLI_TEXT:
        if (!*text) {
            cli_error("%s: found an empty text, expected %s", option->name, option->value_name);
            return false;
        }
        *(const char **)option->value = text;
        return true;
    case CLI_CHOICE:
        return set_choice(option, text);
    }
    return false;
}

/* The option that argument names, *value what follows "=" in it or -o, or NULL. */
static int find_option(const cli_syntax *syntax, const char *argument, const char **value)
{
    size_t length = strcspn(argument, "=");

    *value = NULL;
    for (int i = 0; i < syntax->option_count; i++) {
        const cli_option *option = &syntax->options[i];

        if (argument[1] == '-' && strlen(option->name) == length &&
            strncmp(argument, option->name, length) == 0) {
            if (argument[length] == '=')
                *value = argument + length + 1;
            return i;
        }
        if (argument[1] != '-' && option->letter && argument[1] == option->letter) {
            if (argument[2])
                *value = argument + 2;
            return i;
        }
    }
    return -1;
}

/* Words of the text, in lines of at most WIDTH columns after the indent. */
static void print_wrapped(const char *text, int indent)
{
    enum { WIDTH = 80 };
    int column = 0;

    while (*text) {
        int length = (int)strcspn(text, " ");

        if (column > 0 && column + 1 + length > WIDTH) {
            putchar('\n');
            column = 0;
        }
        column += printf("%*s%.*s", column > 0 ? 1 : indent, "", length, text);
        text += length;
        text += *text == ' ';
    }
    putchar('\n');
}

static void print_option(const cli_option *option)
{
    char help[512];
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    char value[128] = "";

    if (option->kind == CLI_CHOICE)
        join_choices(option, "|", value, sizeof value);
    else if (option->kind != CLI_FLAG)
        snprintf(value, sizeof value, "%s", option->value_name);
    printf("  %s%s%s%s\n", option->letter ? letter : "", option->name, *value ? " " : "", value);
    snprintf(help, sizeof help, "%s%s", option->help, option->required ? " (required)" : "");
    print_wrapped(help, 8);
}

static void print_help(const cli_syntax *syntax)
{
    const char *group = NULL;

    printf("Usage: optinc %s\n\n", syntax->usage);
    print_wrapped(syntax->text, 0);
    printf("\nOptions:\n");
    for (int i = 0; i < syntax->option_count; i++)
        if (!syntax->options[i].group)
            print_option(&syntax->options[i]);
    printf("  --help\n        this text\n");
    for (int i = 0; i < syntax->option_count; i++) {
        const cli_option *option = &syntax->options[i];

        if (option->group && option->group != group)
            printf("\n%s:\n", option->group);
        if (option->group)
            print_option(option);
        group = option->group;
    }
    printf("\nExample:\n");
    for (const char *line = syntax->example; *line; line += line[0] == '\n') {
        int length = (int)strcspn(line, "\n");

        printf("  %.*s\n", length, line);
        line += length;
    }
    printf("\nExit status: 0 done, 1 the design does not meet its spec, 2 bad usage or bad "
           "input.\n");
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return false;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

/* A forgotten value must not make a file called --json. "-1" is a number, "-" a file. */
static bool is_option(const cli_syntax *syntax, const char *argument)
{
    const char *value;

    return strncmp(argument, "--", 2) == 0 ||
           (argument[0] == '-' && find_option(syntax, argument, &value) >= 0);
}

static void report_no_value(const cli_option *option, const char *next)
{
    char expected[256];

    if (option->choices)
        join_choices(option, " or ", expected, sizeof expected);
    else
        snprintf(expected, sizeof expected, "%s", option->value_name);
    if (next)
        cli_error("%s: found '%s' after it, expected %s", option->name, next, expected);
    else
        cli_error("%s: found nothing after it, expected %s", option->name, expected);
}

/* One option at argv[*at]; moves *at to its last argument. */
static bool parse_option(const cli_syntax *syntax, int argc, char **argv, int *at, bool *seen)
{
    const char *argument = argv[*at];
    const char *value;
    int index = find_option(syntax, argument, &value);
    const cli_option *option;

    if (index < 0) {
        cli_error("unknown option '%s'; 'optinc %.*s --help' lists what there is", argument,
                  (int)strcspn(syntax->usage, " "), syntax->usage);
        return false;
    }
    option = &syntax->options[index];
    if (seen[index]) {
        cli_error("%s: given twice, expected once", option->name);
        return false;
    }
    seen[index] = true;
    if (option->kind == CLI_FLAG && value) {
        cli_error("%s: found the value '%s', expected none", option->name, value);
        return false;
    }
    if (option->kind != CLI_FLAG && !value) {
        if (*at + 1 >= argc || is_option(syntax, argv[*at + 1])) {
            report_no_value(option, *at + 1 < argc ? argv[*at + 1] : NULL);
            return false;
        }
        value = argv[++*at];
    }
    return set_value(option, value);
}

/* Whether "--option" was given, or has the choice of "--option choice", given or not. */
static bool is_met(const cli_syntax *syntax, const bool *seen, const char *need, size_t length)
{
    const char *space = memchr(need, ' ', length);
    size_t name_length = space ? (size_t)(space - need) : length;

    for (int i = 0; i < syntax->option_count; i++) {
        const cli_option *option = &syntax->options[i];
        const char *choice;

        if (strlen(option->name) != name_length || strncmp(option->name, need, name_length) != 0)
            continue;
        if (!space)
            return seen[i];
        choice = option->choices[*(const int *)option->value];
        return strlen(choice) == length - name_length - 1 &&
               strncmp(choice, space + 1, strlen(choice)) == 0;
    }
    return false;
}

/* "--a|--b" as "--a or --b" */
static void join_needs(const char *needs, char *text, size_t size)
{
    size_t used = 0;

    for (; *needs && used < size; needs++)
        used += (size_t)snprintf(text + used, size - used, *needs == '|' ? " or " : "%c", *needs);
}

static bool check_needs(const cli_syntax *syntax, const bool *seen)
{
    for (int i = 0; i < syntax->option_count; i++) {
        const cli_option *option = &syntax->options[i];
        char needs[256];
        bool met = !option->needs || !seen[i];

        for (const char *need = option->needs; !met && need; need = strchr(need, '|')) {
            need += *need == '|';
            met = is_met(syntax, seen, need, strcspn(need, "|"));
        }
        if (!met) {
            join_needs(option->needs, needs, sizeof needs);
            cli_error("%s: does nothing without %s", option->name, needs);
            return false;
        }
    }
    return true;
}

static bool check_present(const cli_syntax *syntax, const bool *seen, int operand_count)
{
    for (int i = 0; i < syntax->option_count; i++) {
        if (syntax->options[i].required && !seen[i]) {
            cli_error("%s is missing; usage: optinc %s", syntax->options[i].name, syntax->usage);
            return false;
        }
    }
    if (operand_count < syntax->operands_min) {
        cli_error("%s is missing; usage: optinc %s", syntax->operand_name, syntax->usage);
        return false;
    }
    return true;
}

cli_parsed cli_parse(const cli_syntax *syntax, int argc, char **argv, int *operand_count)
{
    bool seen[OPTIONS_MAX] = {false};
    bool options_end = false;

    *operand_count = 0;
    if (wants_help(argc, argv)) {
        print_help(syntax);
        return CLI_PARSED_HELP;
    }
    for (int i = 0; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
            if (!parse_option(syntax, argc, argv, &i, seen))
                return CLI_PARSED_WRONG;
        } else if (syntax->operands_max >= 0 && *operand_count >= syntax->operands_max) {
            cli_error("unexpected argument '%s'; usage: optinc %s", argv[i], syntax->usage);
            return CLI_PARSED_WRONG;
        } else if (!argv[i][0]) {
            cli_error("%s: found an empty text", syntax->operand_name);
            return CLI_PARSED_WRONG;
        } else {
            argv[(*operand_count)++] = argv[i];
        }
    }
    return check_present(syntax, seen, *operand_count) && check_needs(syntax, seen)
               ? CLI_PARSED
               : CLI_PARSED_WRONG;
}
