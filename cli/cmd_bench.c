/* SPDX-License-Identifier: Apache-2.0 */
/* optinc bench: all-reduces among MPI ranks, as a table in the manner of nccl-tests. The ranks are
 * bench/network/ranks_mpi, which this program starts through the MPI's launcher: it has no ranks and
 * no MPI of its own. */
#define _GNU_SOURCE /* getline */
#include "cli.h"
#include "options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 64
#define TIMES_MAX 1001

#define LIST_MAX 16 /* of ranks_mpi */
#define BYTES_MAX (UINT64_C(1) << 40)

#define NOT_STARTED 127 /* as a shell says it */

typedef struct bench_request {
    uint64_t ranks;
    uint64_t rounds;
    const char *bytes;
    const char *bits;
    const char *launcher; /* words; NULL: Open MPI's mpirun with `ranks` */
    const char *program;  /* NULL: beside this one */
    bool all;
    bool json;
} bench_request;

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* The ranks' program, in the build tree or installed, seen from where this program is. */
static bool find_program(const bench_request *request, char path[PATH_MAX])
{
    static const char *const places[] = {"../bench/network/ranks_mpi",
                                         "../libexec/optinc/ranks_mpi"};
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    char *name;

    if (request->program)
        return snprintf(path, PATH_MAX, "%s", request->program) < PATH_MAX && is_program(path);
    if (length < 0)
        return false;
    own[length] = '\0';
    name = strrchr(own, '/');
    if (!name)
        return false;
    name[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (snprintf(path, PATH_MAX, "%s%s", own, places[i]) < PATH_MAX && is_program(path))
            return true;
    return false;
}

/* words [WORDS_MAX] of the launcher, which is cut, and of the program. */
static bool make_command(const bench_request *request, char *launcher, char *program, char *rounds,
                         char **words)
{
    char *const arguments[] = {program,
                               "--bytes",
                               (char *)(uintptr_t)request->bytes,
                               "--bits",
                               (char *)(uintptr_t)request->bits,
                               "--rounds",
                               rounds,
                               "--mpi",
                               request->all ? "2" : "1",
                               NULL};
    const size_t count = sizeof arguments / sizeof arguments[0];
    size_t used = 0;
    char *rest = NULL;

    for (char *word = strtok_r(launcher, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (used + count >= WORDS_MAX)
            return false;
        words[used++] = word;
    }
    memcpy(words + used, arguments, sizeof arguments);
    return used > 0;
}

/* Starts the command; *stream is its stdout. */
static pid_t start(char **words, FILE **stream)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0)
        return -1;
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(words[0], words);
        _exit(NOT_STARTED);
    }
    close(ends[1]);
    *stream = child < 0 ? NULL : fdopen(ends[0], "r");
    if (!*stream)
        close(ends[0]);
    return child;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* What a line of the ranks lacks; NULL if it has all that is read of it. */
static const char *fault_of(const json_t *row)
{
    const json_t *times = json_object_get(row, "times_s");
    size_t count = json_array_size(times);

    if (!json_is_string(json_object_get(row, "contender")))
        return "contender: expected a text";
    if (!(json_number_value(json_object_get(row, "bytes")) > 0))
        return "bytes: expected a number above 0";
    if (!(json_number_value(json_object_get(row, "ranks")) >= 1))
        return "ranks: expected a number of at least 1";
    if (count < 1 || count > TIMES_MAX)
        return "times_s: expected 1 to 1001 times";
    for (size_t i = 0; i < count; i++)
        if (!(json_number_value(json_array_get(times, i)) > 0))
            return "times_s: expected numbers above 0";
    return NULL;
}

/* Adds median, best and the rates to a line of the ranks; returns the median. */
static double complete(json_t *row)
{
    double times[TIMES_MAX] = {0}, bytes = json_number_value(json_object_get(row, "bytes")), median;
    double ranks = json_number_value(json_object_get(row, "ranks"));
    const json_t *found = json_object_get(row, "times_s");
    size_t count = json_array_size(found);

    for (size_t i = 0; i < count; i++)
        times[i] = json_number_value(json_array_get(found, i));
    qsort(times, count, sizeof *times, compare);
    median = count % 2 ? times[count / 2] : 0.5 * (times[count / 2 - 1] + times[count / 2]);
    cli_json_set(row, "count", json_integer((json_int_t)(bytes / 4)));
    cli_json_set(row, "time_s", cli_json_number(median));
    cli_json_set(row, "best_s", cli_json_number(times[0]));
    cli_json_set(row, "algbw_gbps", cli_json_number(1e-9 * bytes / median));
    cli_json_set(row, "busbw_gbps",
                 cli_json_number(1e-9 * bytes / median * 2.0 * (ranks - 1.0) / ranks));
    return median;
}

static void print_head(void)
{
    printf("#%11s%11s  %-24s%10s%10s%8s%8s%10s%10s%7s\n#%11s%11s  %-24s%10s%10s%8s%8s\n", "size",
           "count", "", "time", "best", "algbw", "busbw", "error", "bound", "ratio", "(B)",
           "(floats)", "", "(us)", "(us)", "(GB/s)", "(GB/s)");
}

static void print_row(const json_t *row, double ratio)
{
    const json_t *bound = json_object_get(row, "bound");
    char text[32] = "-";

    if (json_is_number(bound))
        snprintf(text, sizeof text, "%.2e", json_number_value(bound));
    printf("%12.0f%11.0f  %-24s%10.1f%10.1f%8.3f%8.3f%10.2e%10s%7.2f\n",
           json_number_value(json_object_get(row, "bytes")),
           json_number_value(json_object_get(row, "count")),
           json_string_value(json_object_get(row, "contender")),
           1e6 * json_number_value(json_object_get(row, "time_s")),
           1e6 * json_number_value(json_object_get(row, "best_s")),
           json_number_value(json_object_get(row, "algbw_gbps")),
           json_number_value(json_object_get(row, "busbw_gbps")),
           json_number_value(json_object_get(row, "error")), text, ratio);
    fflush(stdout);
}

/* A line of JSON, the ranks' row `number`; NULL, with what is wrong printed, if it is not one. */
static json_t *read_row(const char *line, size_t number, const char *program)
{
    json_error_t error;
    json_t *row = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    const char *contender, *fault;

    if (!row) {
        cli_error("%s: row %zu cannot be read: column %d: %s", program, number, error.column,
                  error.text);
        return NULL;
    }
    fault = fault_of(row);
    if (!fault)
        return row;
    contender = json_string_value(json_object_get(row, "contender"));
    cli_error("%s: row %zu%s%s%s cannot be read: %s", program, number, contender ? " (" : "",
              contender ? contender : "", contender ? ")" : "", fault);
    json_decref(row);
    return NULL;
}

/* All lines of JSON; of each size the first is what the others are compared with. *good: none of
 * them was unreadable. */
static json_t *read_rows(FILE *stream, bool print, const char *program, bool *good)
{
    json_t *rows = json_array();
    char *line = NULL;
    size_t capacity = 0, number = 0;
    double bytes = 0, first = 0, median;

    *good = true;
    while (getline(&line, &capacity, stream) > 0) {
        json_t *row;

        if (line[0] != '{') /* a launcher's own words */
            continue;
        row = read_row(line, ++number, program);
        if (!row) {
            *good = false;
            continue;
        }
        median = complete(row);
        if (json_number_value(json_object_get(row, "bytes")) != bytes) {
            bytes = json_number_value(json_object_get(row, "bytes"));
            first = median;
        }
        cli_json_set(row, "ratio", cli_json_number(median / first));
        if (print && json_array_size(rows) == 0)
            print_head();
        if (print)
            print_row(row, median / first);
        json_array_append_new(rows, row);
    }
    free(line);
    return rows;
}

/* What every rank would refuse is refused here, once. */
static bool check_lists(const bench_request *request)
{
    uint64_t values[LIST_MAX];
    int count;

    if (!cli_read_counts("--bytes", request->bytes, 4, BYTES_MAX, values, LIST_MAX, &count))
        return false;
    for (int i = 0; i < count; i++)
        if (values[i] % 4 != 0) {
            cli_error("--bytes: found %llu, expected a multiple of 4, the size of a float32",
                      (unsigned long long)values[i]);
            return false;
        }
    if (!cli_read_counts("--bits", request->bits, 2, 32, values, LIST_MAX, &count))
        return false;
    for (int i = 0; i < count; i++)
        if (values[i] % 2 != 0) {
            cli_error("--bits: found %llu, expected an even number from 2 to 32",
                      (unsigned long long)values[i]);
            return false;
        }
    return true;
}

static bool is_one(const char *variable)
{
    const char *value = getenv(variable);

    return value && value[0] == '1';
}

/* As Open MPI's mpirun decides, which would say so on a page of its own. */
static bool is_root_refused(void)
{
    return geteuid() == 0 &&
           !(is_one("OMPI_ALLOW_RUN_AS_ROOT") && is_one("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"));
}

static int bench(const bench_request *request)
{
    char path[PATH_MAX], launcher[4096], rounds[24], *words[WORDS_MAX];
    json_t *rows, *object;
    FILE *stream = NULL;
    int code = -1;
    bool good;
    pid_t child;

    if (!check_lists(request))
        return CLI_BAD_INPUT;
    if (!find_program(request, path) && request->program)
        return cli_error("--program: found %s, expected a program", request->program);
    if (!find_program(request, path))
        return cli_error(
            "the program of the ranks, ranks_mpi, is not here: build with Open MPI, or "
            "name it with --program");
    if (!request->launcher && is_root_refused())
        return cli_error(
            "Open MPI starts nothing for root unless asked to: run this as another user or, where "
            "root is meant (a container), with OMPI_ALLOW_RUN_AS_ROOT=1 and "
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 in the environment");
    snprintf(rounds, sizeof rounds, "%llu", (unsigned long long)request->rounds);
    if ((request->launcher
             ? snprintf(launcher, sizeof launcher, "%s", request->launcher)
             : snprintf(launcher, sizeof launcher,
                        "mpirun.openmpi --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 "
                        "--mca coll_tuned_use_dynamic_rules 1 -n %llu",
                        (unsigned long long)request->ranks)) >= (int)sizeof launcher ||
        !make_command(request, launcher, path, rounds, words))
        return cli_error("--launcher: a command of 1 to %d words was expected", WORDS_MAX - 11);
    child = start(words, &stream);
    if (child < 0 || !stream)
        return cli_error("no process for %s", words[0]);
    rows = read_rows(stream, !request->json, path, &good);
    fclose(stream);
    if (waitpid(child, &code, 0) != child || !WIFEXITED(code) || WEXITSTATUS(code) != 0 ||
        (good && json_array_size(rows) == 0)) {
        json_decref(rows);
        if (WIFEXITED(code) && WEXITSTATUS(code) == NOT_STARTED)
            return cli_error("--launcher: %s cannot be started", words[0]);
        return cli_error("the ranks failed: %s ... %s", words[0], path);
    }
    if (!good) { /* which has been printed */
        json_decref(rows);
        return CLI_BAD_INPUT;
    }
    object = json_object();
    cli_json_set(object, "rounds", cli_json_count(request->rounds));
    cli_json_set(object, "rows", rows);
    if (request->json)
        cli_print_json(object);
    else
        json_decref(object);
    return CLI_DONE;
}

static int run(int argc, char **argv)
{
    bench_request request = {
        .ranks = 4, .rounds = 9, .bytes = "1048576,16777216,67108864", .bits = "8"};
    const cli_option options[] = {
        cli_count("--ranks", &request.ranks, "K", 2, 64, /* the ports of one switch */
                  "ranks on this machine; default 4"),
        cli_text("--bytes", &request.bytes, "N,...",
                 "sizes of the float32 vectors; default 1048576,16777216,67108864"),
        cli_text("--bits", &request.bits, "B,...", "bits of our codes; default 8"),
        cli_count("--rounds", &request.rounds, "N", 1, 1001,
                  "turns of each contender; the time is their median; default 9"),
        cli_flag("--all", &request.all,
                 "measures each of Open MPI's algorithms, not only its choice"),
        cli_text(
            "--launcher", &request.launcher, "COMMAND",
            "what starts the ranks, as 'mpirun -n 8 --hostfile hosts'; default Open MPI's mpirun"),
        cli_text("--program", &request.program, "FILE",
                 "what the ranks run; default the ranks_mpi that was built beside optinc"),
        cli_json_option(&request.json),
    };
    const cli_syntax syntax = {
        .usage = "bench [OPTIONS]",
        .text =
            "Measures our all-reduce of float32 beside the MPI's own, in turn, on MPI ranks: "
            "time (of the slowest rank), best time, algorithm and bus bandwidth, the largest "
            "error against the exact sum and what is promised. ratio: above 1, the first line "
            "of its size is faster. bench/network/run does the same over links of a set rate. As "
            "root, Open MPI wants OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
            "in the environment.",
        .example = "optinc bench --ranks 4 --bytes 1048576 --bits 8,4\n"
                   "optinc bench --launcher 'mpirun -n 8 --hostfile hosts' --json",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int operand_count = 0;

    switch (cli_parse(&syntax, argc, argv, &operand_count)) {
    case CLI_PARSED_HELP:
        return CLI_DONE;
    case CLI_PARSED_WRONG:
        return CLI_BAD_INPUT;
    case CLI_PARSED:
        break;
    }
    return bench(&request);
}

const cli_command cli_command_bench = {"bench", "measures all-reduces on MPI ranks", run};
