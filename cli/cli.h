/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands share: exit codes, messages, stdout, progress, atomic files. The program is
 * one thread outside the library, so its diagnostics may keep state of their own. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "optinc/base.h"

/* Exit statuses. */
#define CLI_DONE 0
#define CLI_SPEC_NOT_MET 1
#define CLI_BAD_INPUT 2

/* A subcommand. run gets the arguments after its name and returns an exit code. */
typedef struct cli_command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} cli_command;

extern const cli_command cli_command_design;
extern const cli_command cli_command_verify;
extern const cli_command cli_command_inspect;
extern const cli_command cli_command_reduce;
extern const cli_command cli_command_report;
extern const cli_command cli_command_scale;
extern const cli_command cli_command_simulate;
extern const cli_command cli_command_export;
extern const cli_command cli_command_segments;
extern const cli_command cli_command_bench;

/* ---- diagnostics, on stderr ---- */

/* The subcommand that messages name from now on; borrowed. */
void cli_set_command(const char *name);

/* One line "optinc COMMAND: ..."; clears the progress bar first. cli_error returns CLI_BAD_INPUT. */
int cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The library's log handler, and what ends a failed library call: prints `what` with the text of
 * the status unless cli_error or the handler has said already what is wrong. CLI_BAD_INPUT. */
extern const optinc_log cli_log;
/* The same handler with an option's name before its errors, for what the option's value is given
 * to; `about` is the log's memory. */
typedef struct cli_about {
    optinc_log log;
    const char *option;
} cli_about;

const optinc_log *cli_log_about(cli_about *about, const char *option);
int cli_library_error(optinc_status status, const char *what);

/* ---- stdout ---- */

/* One JSON object and a newline; takes the reference. */
void cli_print_json(json_t *object);

/* json_real, or null for what JSON cannot say. */
json_t *cli_json_number(double value);
/* json_integer, or null beyond its range. */
json_t *cli_json_count(uint64_t value);

/* Sets a key; takes the reference. Memory that runs out here is found by cli_print_json. */
void cli_json_set(json_t *object, const char *key, json_t *value);

/* 12345 as "12,345", into text, which it returns. */
#define CLI_COUNT_TEXT_SIZE 32
const char *cli_count_text(uint64_t count, char text[CLI_COUNT_TEXT_SIZE]);

/* What Jansson found wrong with a text; where memory is out it gives up without a word. */
const char *cli_json_problem(const json_error_t *error);

/* Flushes stdout. A full disk turns `code` into CLI_BAD_INPUT with a message. */
int cli_finish(int code);

/* ---- progress and interruption ---- */

/* SIGINT and SIGTERM set a flag that progress reports look at; a second one ends the program. */
void cli_catch_signals(void);
bool cli_interrupted(void);

/* For library calls; a bar named by cli_progress_start, shown on terminals after half a second. */
extern const optinc_progress cli_progress;
void cli_progress_start(const char *what);
/* Where stderr is no terminal: a line at the first report and every 10 s; off unless asked for. */
void cli_progress_lines(bool wanted);
void cli_progress_stop(void);

double cli_seconds(void);

/* ---- files ---- */

/* An output that appears under its name only when it is whole. Devices and pipes are written
 * directly. */
typedef struct cli_output {
    FILE *stream;
    char *path;
    char *temporary; /* NULL for devices and pipes */
} cli_output;

/* Prints what is wrong and returns false. */
bool cli_output_open(cli_output *output, const char *path);
/* Closes and renames; on failure prints, removes what was written and returns false. */
bool cli_output_commit(cli_output *output);
/* Closes and removes; safe after commit and twice. */
void cli_output_abandon(cli_output *output);

/* False, with a message, if `path` is something that a rename must not replace, or where no file can
 * be made: asked before a run of hours, not after it. */
bool cli_check_replaceable(const char *path);

/* The whole of a regular file of at most size_max bytes, with a zero byte after it, malloc'ed; NULL
 * with a message. */
char *cli_read_file(const char *path, size_t size_max, size_t *size);

/* a + b, malloc'ed; NULL if memory is out. */
char *cli_concatenate(const char *a, const char *b, const char *c);

#endif
