/* SPDX-License-Identifier: Apache-2.0 */
/* optinc_simgrid DESIGN COLLECTIVE ELEMENTS [CHUNK]: one all-reduce on the simulated cluster, with
 * values, checked on every rank. COLLECTIVE is optinc (the library's own all-reduce), ring (the
 * library's float ring), mpi (the simulator's MPI_Allreduce) or optical (the last rank is the
 * switch). Prints one JSON object; simulated seconds are MPI_Wtime's. SMPI runs all ranks in one
 * address space: what is only read, the design and the expected values, is there once and its
 * address sent around. */
#include "job.h"
#include "transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_log(void *user, optinc_log_level level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "optinc_simgrid: %s\n", message);
}

static optinc_status run_optinc(const job *j, const optinc_log *log, const float *gradient,
                                float *sum, size_t chunk, double *seconds)
{
    blocking_transport transport;
    optinc_transport interface;
    optinc_collective *collective = NULL;
    optinc_collective_options options = {.block_size = j->block_size, .chunk_elements = chunk};
    optinc_allreduce_args args = {
        .input = gradient, .output = sum, .count = j->count, .op = OPTINC_SUM};
    optinc_status status = blocking_transport_open(&transport, j->servers, &interface);

    if (status == OPTINC_OK)
        status = optinc_collective_create(&interface, j->design, &options, log, &collective);
    MPI_Barrier(j->servers);
    *seconds = MPI_Wtime();
    if (status == OPTINC_OK)
        status = optinc_allreduce(collective, &args, NULL);
    *seconds = MPI_Wtime() - *seconds;
    optinc_collective_destroy(&collective);
    blocking_transport_close(&transport);
    return status;
}

static optinc_status run_ring(const job *j, const float *gradient, float *sum, double *seconds)
{
    blocking_transport transport;
    optinc_transport interface;
    float *scratch = malloc((j->count / (size_t)j->server_count + 1) * sizeof *scratch);
    optinc_status status = blocking_transport_open(&transport, j->servers, &interface);

    MPI_Barrier(j->servers);
    *seconds = MPI_Wtime();
    if (status == OPTINC_OK)
        status = scratch ? optinc_ring_allreduce(&interface, gradient, sum, j->count, OPTINC_SUM,
                                                 scratch)
                         : OPTINC_ERR_OUT_OF_MEMORY;
    *seconds = MPI_Wtime() - *seconds;
    blocking_transport_close(&transport);
    free(scratch);
    return status;
}

static optinc_status run(const job *j, const char *collective, const optinc_log *log,
                         const float *gradient, float *sum, size_t chunk, double *seconds)
{
    optinc_status status = OPTINC_OK;

    if (strcmp(collective, "optinc") == 0)
        return run_optinc(j, log, gradient, sum, chunk, seconds);
    if (strcmp(collective, "ring") == 0)
        return run_ring(j, gradient, sum, seconds);
    MPI_Barrier(MPI_COMM_WORLD);
    *seconds = MPI_Wtime();
    if (strcmp(collective, "mpi") == 0)
        MPI_Allreduce(gradient, sum, (int)j->count, MPI_FLOAT, MPI_SUM, j->servers);
    else
        status = job_optical(j, gradient, sum, chunk ? chunk : j->count + 1);
    *seconds = MPI_Wtime() - *seconds;
    return status;
}

/* Server 0 works the oracle out, once; all compare. Outside the time that is measured. */
static long count_wrong(const job *j, bool through_switch, float *gradient, const float *sum)
{
    float *expected = NULL;
    int64_t *total = NULL;
    long wrong = 0, all = 0;

    if (j->server == 0) {
        expected = malloc((j->count + 1) * sizeof *expected);
        total = malloc((j->count + 1) * sizeof *total);
        if (!expected || !total)
            MPI_Abort(MPI_COMM_WORLD, 2);
        job_expect(j, through_switch, total, gradient, expected);
    }
    MPI_Bcast(&expected, sizeof expected, MPI_BYTE, 0, j->servers);
    for (size_t i = 0; i < j->count; i++)
        wrong += memcmp(&expected[i], &sum[i], sizeof sum[i]) != 0;
    MPI_Allreduce(&wrong, &all, 1, MPI_LONG, MPI_SUM, j->servers);
    if (j->server == 0) {
        free(total);
        free(expected);
    }
    return all;
}

static int serve(job *j, const char *collective, const optinc_log *log, size_t chunk)
{
    bool switch_rank = j->servers == MPI_COMM_NULL;
    float *gradient = malloc((j->count + 1) * sizeof *gradient);
    float *sum = malloc((j->count + 1) * sizeof *sum);
    double seconds = 0.0, slowest = 0.0;
    optinc_status status;
    long wrong = 0;

    if (!gradient || !sum)
        MPI_Abort(MPI_COMM_WORLD, 2);
    memset(sum, 0xA5, j->count * sizeof *sum);
    if (!switch_rank)
        job_fill(j, j->server, gradient);
    status = run(j, collective, log, gradient, sum, chunk, &seconds);
    if (status != OPTINC_OK) {
        fprintf(stderr, "optinc_simgrid: %s\n", optinc_status_text(status));
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    if (!switch_rank) {
        bool through_switch =
            strcmp(collective, "optinc") == 0 || strcmp(collective, "optical") == 0;

        wrong = count_wrong(j, through_switch, gradient, sum);
        MPI_Reduce(&seconds, &slowest, 1, MPI_DOUBLE, MPI_MAX, 0, j->servers);
        if (j->server == 0)
            printf("{\"collective\": \"%s\", \"servers\": %d, \"elements\": %zu, \"time_s\": %.9g, "
                   "\"wrong\": %ld}\n",
                   collective, j->server_count, j->count, slowest, wrong);
    }
    free(sum);
    free(gradient);
    return wrong == 0 ? 0 : 1;
}

/* SimGrid keeps --help for itself, so this is said where no arguments are right. */
static const char usage[] =
    "usage: optinc_simgrid DESIGN optinc|ring|mpi|optical ELEMENTS [CHUNK]\n"
    "\n"
    "One all-reduce of ELEMENTS float32 on a simulated cluster, with values, checked on every "
    "rank: a\n"
    "JSON object with the simulated seconds (time_s) and the number of wrong elements (wrong). Run "
    "by\n"
    "SimGrid's smpirun; adapters/simgrid/simulate does so for whole tables.\n"
    "\n"
    "  DESIGN    a design file with a port for each server, at most 24 bits\n"
    "  optinc    the library's own all-reduce, each rank the switch for its share\n"
    "  ring      the library's float ring\n"
    "  mpi       the simulator's MPI_Allreduce\n"
    "  optical   the last rank is the optical switch, the others its servers\n"
    "  CHUNK     elements that are under way together; default the library's, optical: all\n"
    "\n"
    "Example:\n"
    "  optinc design --servers 4 --bits 8 --method constructed -o switch.safetensors\n"
    "  adapters/simgrid/make_platform optical 4 -o star.xml\n"
    "  smpirun -np 5 -platform star.xml -hostfile star.hosts --cfg=smpi/simulate-computation:no "
    "\\\n"
    "      build/release/bin/optinc_simgrid switch.safetensors optical 100000 25600\n";

static bool known(const char *collective)
{
    return strcmp(collective, "optinc") == 0 || strcmp(collective, "ring") == 0 ||
           strcmp(collective, "mpi") == 0 || strcmp(collective, "optical") == 0;
}

/* Rank 0's design, for all; NULL if it could not be loaded, which it has said. */
static optinc_design *share_design(const char *path, int rank, const optinc_log *log)
{
    optinc_design *design = NULL;

    if (rank == 0 && optinc_design_load(path, log, &design) != OPTINC_OK)
        design = NULL;
    MPI_Bcast(&design, sizeof design, MPI_BYTE, 0, MPI_COMM_WORLD);
    return design;
}

int main(int argc, char **argv)
{
    const optinc_log log = {print_log, NULL};
    job j = {.block_size = OPTINC_BLOCK_SIZE_DEFAULT};
    optinc_design *design = NULL;
    int rank, size, code = 2;
    bool optical;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc < 4 || argc > 5 || !known(argv[2]) || atoll(argv[3]) < 0 ||
        (argc == 5 && atoll(argv[4]) <= 0)) {
        if (rank == 0)
            fputs(usage, stderr);
        goto end;
    }
    design = share_design(argv[1], rank, &log);
    if (!design)
        goto end;
    optical = strcmp(argv[2], "optical") == 0;
    j.design = design;
    j.count = (size_t)atoll(argv[3]);
    j.server_count = optical ? size - 1 : size;
    j.server = rank;
    if (j.server_count < 1 || (uint32_t)j.server_count > optinc_design_ports(design)) {
        if (rank == 0)
            fprintf(stderr, "optinc_simgrid: %d servers; the design has 1 .. %u ports\n",
                    j.server_count, optinc_design_ports(design));
        goto end;
    }
    MPI_Comm_split(MPI_COMM_WORLD, rank < j.server_count ? 0 : MPI_UNDEFINED, rank, &j.servers);
    code = serve(&j, argv[2], &log, argc == 5 ? (size_t)atoll(argv[4]) : 0);
    if (j.servers != MPI_COMM_NULL)
        MPI_Comm_free(&j.servers);
end:
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0)
        optinc_design_destroy(&design);
    MPI_Finalize();
    return code;
}
