/* SPDX-License-Identifier: Apache-2.0 */
/* ranks_mpi [--bytes N[,N...]] [--bits B[,B...]] [--rounds N] [--chunk ELEMENTS] [--mpi 0|1|2]
 *
 * Our all-reduce of float32 at each of the bit counts beside MPI_Allreduce: as the MPI chooses, and,
 * with Open MPI, by each of coll/tuned's algorithms, forced through MPI_T on a communicator of its
 * own (needs coll_tuned_use_dynamic_rules=1 in the environment). The contenders take turns; a turn
 * lasts as long as on its slowest rank. Rank 0 prints a line of JSON for each size and contender:
 * all times, the largest error against the exact sum, ours beside its bound. bench/network/run starts
 * it and makes the table. */
#include "optinc/mpi.h"
#include "optinc/onn.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 16
#define CONTENDERS_MAX 16
#define ROUNDS_MAX 1001
#define NAME_MAX_LENGTH 64

typedef struct list {
    long values[LIST_MAX];
    int count;
} list;

typedef struct settings {
    list bytes;
    list bits;
    long rounds;
    long chunk_elements; /* 0: the library's choice */
    long against_mpi;    /* 0: not, 1: as it chooses, 2: each of its algorithms */
} settings;

typedef struct contender {
    char name[NAME_MAX_LENGTH];
    optinc_design *design;       /* ours */
    optinc_mpi_context *context; /* ours */
    MPI_Comm comm;               /* MPI_Allreduce's */
    double times[ROUNDS_MAX];
    double error;
    double bound; /* NAN: none */
    optinc_allreduce_report report;
} contender;

typedef struct buffers {
    float *input;
    float *output;
    size_t count;
    int rank;
    int ranks;
} buffers;

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "ranks_mpi: %s: %s\n", what, why);
    MPI_Abort(MPI_COMM_WORLD, 1);
    exit(1);
}

static void require(optinc_status status, const char *what)
{
    if (status != OPTINC_OK)
        stop(what, optinc_status_text(status));
}

static optinc_design *make_design(int ranks, uint32_t bits)
{
    uint32_t ports = 2;
    optinc_design *design = NULL;
    optinc_verify_result proof;
    optinc_spec spec;

    if (ranks > 64)
        stop("ranks", "64 were expected at most, as a switch has ports");
    while (ports < (uint32_t)ranks)
        ports *= 2;
    require(optinc_spec_single(ports, bits, OPTINC_VARIANT_HALF_UP, NULL, &spec), "spec");
    require(optinc_construct(&spec, NULL, NULL, &design), "construct");
    require(optinc_verify(design, 0, NULL, NULL, NULL, &proof), "verify");
    require(optinc_design_set_proof(design, 0, &proof.best), "proof");
    return design;
}

/* Sets Open MPI's control variable for the communicators made from now on. */
static bool force_algorithm(int algorithm)
{
    MPI_T_cvar_handle handle;
    int index, count;

    if (MPI_T_cvar_get_index("coll_tuned_allreduce_algorithm", &index) != MPI_SUCCESS ||
        MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) != MPI_SUCCESS)
        return false;
    count = MPI_T_cvar_write(handle, &algorithm);
    MPI_T_cvar_handle_free(&handle);
    return count == MPI_SUCCESS;
}

static int add_ours(contender *contenders, const settings *s, int ranks)
{
    optinc_mpi_options options = {0};

    options.collective.chunk_elements = (size_t)s->chunk_elements;
    for (int i = 0; i < s->bits.count; i++) {
        contender *c = &contenders[i];

        snprintf(c->name, sizeof c->name, "OptINC %ld-bit", s->bits.values[i]);
        c->design = make_design(ranks, (uint32_t)s->bits.values[i]);
        require(optinc_mpi_context_create(c->design, MPI_COMM_WORLD, &options, NULL, &c->context),
                "context");
    }
    return s->bits.count;
}

static int add_mpi(contender *contenders, bool all)
{
    static const char *const algorithms[] = {
        "default", "basic linear",   "nonoverlapping", "recursive doubling",
        "ring",    "segmented ring", "Rabenseifner",
    };
    int provided, count = 0;

    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &provided) != MPI_SUCCESS)
        stop("MPI_T_init_thread", "failed");
    for (int i = 0; i < (all ? (int)(sizeof algorithms / sizeof *algorithms) : 1); i++) {
        contender *c = &contenders[count];

        if (!force_algorithm(i) && i > 0)
            continue;
        snprintf(c->name, sizeof c->name, "MPI %s", algorithms[i]);
        MPI_Comm_dup(MPI_COMM_WORLD, &c->comm);
        count++;
    }
    force_algorithm(0);
    MPI_T_finalize();
    return count;
}

/* -1 to 1, different on every rank, the same in every run. */
static float element(size_t index, int rank)
{
    uint32_t x = (uint32_t)index * 2654435761u + (uint32_t)rank * 2246822519u;

    x = (x ^ (x >> 15)) * 2246822519u;
    x = (x ^ (x >> 13)) * 3266489917u;
    return (float)(int32_t)(x ^ (x >> 16)) * 0x1p-31f;
}

static double run(contender *c, const buffers *b)
{
    double start, own, slowest;

    MPI_Barrier(MPI_COMM_WORLD);
    start = MPI_Wtime();
    if (c->context)
        require(optinc_mpi_allreduce(c->context, b->input, b->output, b->count, OPTINC_SUM),
                c->name);
    else
        MPI_Allreduce(b->input, b->output, (int)b->count, MPI_FLOAT, MPI_SUM, c->comm);
    own = MPI_Wtime() - start;
    MPI_Allreduce(&own, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

/* Largest distance from the exact sum on any rank. */
static double measure_error(const buffers *b)
{
    double own = 0.0, largest;

    for (size_t i = 0; i < b->count; i++) {
        double sum = 0.0, error;

        for (int rank = 0; rank < b->ranks; rank++)
            sum += (double)element(i, rank);
        error = fabs((double)b->output[i] - sum);
        if (!(error <= own)) /* NaN stays */
            own = error;
    }
    MPI_Allreduce(&own, &largest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return largest;
}

static void check(contender *c, const buffers *b)
{
    memset(b->output, 0xff, b->count * sizeof *b->output);
    run(c, b);
    c->error = measure_error(b);
    c->bound = NAN;
    if (c->context) {
        c->report = *optinc_mpi_report(c->context);
        c->bound = c->report.error_bound_max;
    }
    /* a float sum is off by less than ranks^2 roundings of one half ulp of 1 */
    if (!(c->error <= (c->context ? c->bound : 0.0) + 0x1p-24 * b->ranks * b->ranks))
        stop(c->name, "an error above the bound");
}

static void compete(contender *contenders, int count, const buffers *b, long rounds)
{
    for (int i = 0; i < count; i++)
        check(&contenders[i], b);
    for (long round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++)
            contenders[i].times[round] = run(&contenders[i], b);
}

static void print(const contender *c, const buffers *b, long rounds)
{
    printf("{\"contender\": \"%s\", \"bytes\": %zu, \"ranks\": %d, \"error\": %.6g, \"bound\": ",
           c->name, b->count * sizeof(float), b->ranks, c->error);
    if (c->context)
        printf("%.6g, \"quantise_s\": %.6g, \"exchange_s\": %.6g, \"switch_s\": %.6g, "
               "\"dequantise_s\": %.6g, \"bytes_sent\": %llu",
               c->bound, c->report.seconds_quantise, c->report.seconds_exchange,
               c->report.seconds_switch, c->report.seconds_dequantise,
               (unsigned long long)c->report.bytes_sent);
    else
        printf("null");
    printf(", \"times_s\": [");
    for (long round = 0; round < rounds; round++)
        printf("%s%.6g", round ? ", " : "", c->times[round]);
    printf("]}\n");
    fflush(stdout);
}

static list parse_list(const char *option, const char *text)
{
    list l = {.count = 0};
    char *end;

    do {
        if (l.count == LIST_MAX)
            stop(option, "too many values");
        l.values[l.count] = strtol(text, &end, 10);
        if (end == text || l.values[l.count] < 0 || (*end != ',' && *end != '\0'))
            stop(option, "numbers and commas were expected");
        l.count++;
        text = end + 1;
    } while (*end == ',');
    return l;
}

static settings parse(int argc, char **argv)
{
    settings s = {.bytes = {{1 << 20}, 1}, .bits = {{8}, 1}, .rounds = 5, .against_mpi = 2};

    for (int i = 1; i < argc; i += 2) {
        list l = parse_list(argv[i], i + 1 < argc ? argv[i + 1] : "");

        if (strcmp(argv[i], "--bytes") == 0)
            s.bytes = l;
        else if (strcmp(argv[i], "--bits") == 0)
            s.bits = l;
        else if (strcmp(argv[i], "--rounds") == 0)
            s.rounds = l.values[0];
        else if (strcmp(argv[i], "--chunk") == 0)
            s.chunk_elements = l.values[0];
        else if (strcmp(argv[i], "--mpi") == 0)
            s.against_mpi = l.values[0];
        else
            stop(argv[i], "unknown option");
    }
    if (s.rounds < 1 || s.rounds > ROUNDS_MAX || s.bits.count > CONTENDERS_MAX / 2)
        stop("--rounds, --bits", "out of range");
    for (int i = 0; i < s.bytes.count; i++)
        if (s.bytes.values[i] < 4 || s.bytes.values[i] / 4 > INT_MAX)
            stop("--bytes", "out of range");
    return s;
}

int main(int argc, char **argv)
{
    static contender contenders[CONTENDERS_MAX];
    buffers b;
    settings s;
    int count;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &b.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &b.ranks);
    s = parse(argc, argv);
    for (int i = 0; i < CONTENDERS_MAX; i++)
        contenders[i].comm = MPI_COMM_NULL;
    count = add_ours(contenders, &s, b.ranks);
    if (s.against_mpi)
        count += add_mpi(contenders + count, s.against_mpi > 1);
    for (int size = 0; size < s.bytes.count; size++) {
        b.count = (size_t)s.bytes.values[size] / sizeof(float);
        b.input = malloc(b.count * sizeof *b.input);
        b.output = malloc(b.count * sizeof *b.output);
        if (!b.input || !b.output)
            stop("--bytes", "no memory");
        for (size_t i = 0; i < b.count; i++)
            b.input[i] = element(i, b.rank);
        compete(contenders, count, &b, s.rounds);
        for (int i = 0; b.rank == 0 && i < count; i++)
            print(&contenders[i], &b, s.rounds);
        free(b.input);
        free(b.output);
    }
    for (int i = 0; i < count; i++) {
        optinc_mpi_context_destroy(&contenders[i].context);
        optinc_design_destroy(&contenders[i].design);
        if (contenders[i].comm != MPI_COMM_NULL)
            MPI_Comm_free(&contenders[i].comm);
    }
    MPI_Finalize();
    return 0;
}
