/* SPDX-License-Identifier: Apache-2.0 */
/* What every benchmark shares: two sides in turn, medians, a line on stdout
 * and a row in a CSV file. Times drift, so a speed counts only beside the other side's. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_ROUNDS_MAX 1001

typedef struct bench_options {
    const char *csv_path; /* --csv PATH: rows are appended; NULL: none */
    int rounds;           /* --rounds N: how often each side runs */
} bench_options;

typedef struct bench_side {
    const char *name;
    void (*run)(void *context);
    void *context;
} bench_side;

typedef struct bench_medians {
    double ours_s;
    double other_s;
} bench_medians;

static inline double bench_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline int bench_compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts the values in place. count >= 1 */
static inline double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, bench_compare_doubles);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

static inline double bench_clocked(bench_side side)
{
    double begin = bench_seconds();

    side.run(side.context);
    return bench_seconds() - begin;
}

/* Both sides in turn, `rounds` times after one round that does not count. */
static inline bench_medians bench_in_turn(bench_side ours, bench_side other, int rounds)
{
    static double times[2][BENCH_ROUNDS_MAX];

    bench_clocked(other);
    bench_clocked(ours);
    for (int i = 0; i < rounds; i++) {
        times[1][i] = bench_clocked(other);
        times[0][i] = bench_clocked(ours);
    }
    return (bench_medians){bench_median(times[0], rounds), bench_median(times[1], rounds)};
}

/* Options of every benchmark; its own others are left to it. Exits on a bad value. */
static inline bench_options bench_parse(int argc, char **argv, int rounds)
{
    bench_options options = {.csv_path = NULL, .rounds = rounds};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--csv") == 0 && i + 1 < argc)
            options.csv_path = argv[++i];
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            options.rounds = atoi(argv[++i]);
    }
    if (options.rounds < 1 || options.rounds > BENCH_ROUNDS_MAX) {
        fprintf(stderr, "%s: --rounds: expected 1 to %d\n", argv[0], BENCH_ROUNDS_MAX);
        exit(2);
    }
    return options;
}

/* The processor's name and how many of it are online. */
static inline void bench_machine(char *name, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256], model[128] = "unknown processor";

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %127[^\n]", model) == 1)
            break;
    if (file)
        fclose(file);
    snprintf(name, size, "%s x%ld", model, sysconf(_SC_NPROCESSORS_ONLN));
}

static inline void bench_field(FILE *file, const char *text, char end)
{
    fputc('"', file);
    for (; *text; text++)
        if (*text != '"')
            fputc(*text, file);
    fputc('"', file);
    fputc(end, file);
}

/* Says and records one result: both medians in `unit`, and ours / other. */
static inline void bench_report(const bench_options *options, const char *benchmark,
                                const char *what, double ours, const char *other,
                                double other_median, const char *unit)
{
    char machine[192], date[32];
    time_t now = time(NULL);
    FILE *file;

    printf("%-28s %10.4g %s   %s %.4g %s   ratio %.3f\n", what, ours, unit, other, other_median,
           unit, ours / other_median);
    fflush(stdout);
    if (!options->csv_path)
        return;
    file = fopen(options->csv_path, "a");
    if (!file) {
        perror(options->csv_path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    if (ftell(file) == 0)
        fprintf(file, "date,benchmark,machine,what,ours_median,other,other_median,ratio,unit\n");
    bench_machine(machine, sizeof machine);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    fprintf(file, "%s,", date);
    bench_field(file, benchmark, ',');
    bench_field(file, machine, ',');
    bench_field(file, what, ',');
    fprintf(file, "%.6g,", ours);
    bench_field(file, other, ',');
    fprintf(file, "%.6g,%.4f,", other_median, ours / other_median);
    bench_field(file, unit, '\n');
    if (fclose(file) != 0) {
        perror(options->csv_path);
        exit(1);
    }
}

/* As bench_report, for two sides that each do `amount` units of work in the seconds measured. */
static inline void bench_report_rate(const bench_options *options, const char *benchmark,
                                     const char *what, const char *other, bench_medians medians,
                                     double amount, const char *unit)
{
    bench_report(options, benchmark, what, amount / medians.ours_s, other, amount / medians.other_s,
                 unit);
}

#endif
