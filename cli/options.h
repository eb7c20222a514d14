/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of a subcommand: described once, parsed and explained from the description. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum cli_option_kind {
    CLI_FLAG,   /* bool *: set by its presence */
    CLI_COUNT,  /* uint64_t *: a whole number from count_min to count_max */
    CLI_NUMBER, /* double *: between number_min and number_max, see bounds_allowed */
    CLI_TEXT,   /* const char **: borrowed from argv */
    CLI_CHOICE, /* int *: index into choices */
} cli_option_kind;

typedef struct cli_option {
    const char *name;       /* "--servers" */
    void *value;            /* of the kind's type; keeps its default if the option is absent */
    const char *value_name; /* of the help */
    const char *help;
    const char *group; /* a heading of the help; NULL: "Options" */
    const char *needs; /* without which it would do nothing: options, or "--option choice", with
                          '|' between them; NULL: nothing */
    uint64_t count_min;
    uint64_t count_max;
    double number_min;
    double number_max;
    const char *const *choices; /* ends with NULL */
    cli_option_kind kind;
    char letter; /* 'o' for -o; 0: none */
    bool required;
    bool even;           /* of counts */
    bool bounds_allowed; /* number_min and number_max are allowed themselves */
} cli_option;

cli_option cli_flag(const char *name, bool *value, const char *help);
cli_option cli_count(const char *name, uint64_t *value, const char *value_name, uint64_t min,
                     uint64_t max, const char *help);
cli_option cli_number(const char *name, double *value, const char *value_name, double min,
                      double max, const char *help);
/* Of these the bounds themselves are allowed. */
cli_option cli_number_from(const char *name, double *value, const char *value_name, double min,
                           double max, const char *help);
cli_option cli_text(const char *name, const char **value, const char *value_name, const char *help);
cli_option cli_choice(const char *name, int *value, const char *const *choices, const char *help);
/* --output, -o, required */
cli_option cli_output_option(const char **value, const char *value_name, const char *help);
/* --seed, whole numbers that JSON can hold */
cli_option cli_seed_option(uint64_t *value, const char *help);
cli_option cli_json_option(bool *value);
cli_option cli_even(cli_option option); /* of counts */
cli_option cli_required(cli_option option);
cli_option cli_needs(cli_option option, const char *needs);
/* Puts count options under one heading of the help, behind those that have none. */
void cli_group(cli_option *options, int count, const char *group);

/* "4,16,64", the value of a text option, to values [values_max]; false, with a message, if it is not
 * whole numbers from min to max with commas between. */
bool cli_read_counts(const char *name, const char *text, uint64_t min, uint64_t max,
                     uint64_t *values, int values_max, int *count);

typedef struct cli_syntax {
    const char *usage;   /* after "optinc " */
    const char *text;    /* what it does: a paragraph */
    const char *example; /* command lines, one a line */
    const cli_option *options;
    int option_count;
    const char *operand_name; /* NULL: none is taken */
    int operands_min;
    int operands_max; /* -1: any number */
} cli_syntax;

typedef enum cli_parsed { CLI_PARSED, CLI_PARSED_HELP, CLI_PARSED_WRONG } cli_parsed;

/* Sets the values and moves the operands to argv[0 .. *operand_count-1]. "--help" prints the help to
 * stdout; what is wrong is named on stderr. "--name=value", "--name value", "-o value", "--". */
cli_parsed cli_parse(const cli_syntax *syntax, int argc, char **argv, int *operand_count);

#endif
