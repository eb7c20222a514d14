/* SPDX-License-Identifier: Apache-2.0 */
/* optinc: designs, proves and runs optical in-network computing switches. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const cli_command *const commands[] = {
    &cli_command_design,   &cli_command_verify, &cli_command_inspect,  &cli_command_reduce,
    &cli_command_report,   &cli_command_scale,  &cli_command_simulate, &cli_command_export,
    &cli_command_segments, &cli_command_bench,
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int print_help(void)
{
    puts("optinc: optical switches that average the gradients of distributed training\n\n"
         "Usage: optinc SUBCOMMAND [OPTIONS]\n       optinc --help | --version\n\nSubcommands:");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
    puts("\n'optinc SUBCOMMAND --help' explains each of them. Data goes to standard output, "
         "progress\n"
         "and messages to standard error; --json prints one JSON object.\n\n"
         "Example:\n"
         "  optinc design --servers 4 --bits 8 --method constructed -o switch.safetensors\n"
         "  optinc verify switch.safetensors\n\n"
         "Exit status: 0 done, 1 the design does not meet its spec, 2 bad usage or bad input.");
    return CLI_DONE;
}

static int wrong_command(const char *found)
{
    char expected[256];
    size_t used = 0;

    for (size_t i = 0; i < COMMAND_COUNT && used < sizeof expected; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s", i ? ", " : "",
                                 commands[i]->name);
    if (!found)
        return cli_error("no subcommand, expected one of %s, --help or --version", expected);
    return cli_error("unknown subcommand '%s', expected one of %s", found, expected);
}

int main(int argc, char **argv)
{
    cli_catch_signals();
    if (argc < 2)
        return wrong_command(NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cli_finish(print_help());
    if (strcmp(argv[1], "--version") == 0) {
        printf("optinc %s\n", optinc_version());
        return cli_finish(CLI_DONE);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i]->name) == 0) {
            cli_set_command(commands[i]->name);
            return cli_finish(commands[i]->run(argc - 2, argv + 2));
        }
    }
    return wrong_command(argv[1]);
}
