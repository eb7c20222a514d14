/* SPDX-License-Identifier: Apache-2.0 */
/* paths PLATFORM.xml [FROM TO LATENCY_S BYTES_S LINKS]...: are these the paths between hosts that
 * SimGrid finds? The expected figures are the caller's, worked out from the topology. */
#include <math.h>
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <simgrid/host.h>
#include <stdio.h>
#include <stdlib.h>
#include <xbt/dynar.h>

#define FIELDS 5

static int check(char **fields)
{
    sg_host_t from = sg_host_by_name(fields[0]), to = sg_host_by_name(fields[1]);
    double latency_s = strtod(fields[2], NULL), rate = strtod(fields[3], NULL);
    double found_s, found_rate;
    unsigned long links, wanted = strtoul(fields[4], NULL, 10);
    xbt_dynar_t route = xbt_dynar_new(sizeof(void *), NULL);

    if (!from || !to) {
        fprintf(stderr, "paths: no host %s or %s\n", fields[0], fields[1]);
        return 1;
    }
    sg_host_get_route(from, to, route);
    links = xbt_dynar_length(route);
    xbt_dynar_free(&route);
    found_s = sg_host_get_route_latency(from, to);
    found_rate = sg_host_get_route_bandwidth(from, to);
    printf("%s %s: %g s, %g B/s, %lu links\n", fields[0], fields[1], found_s, found_rate, links);
    if (!(fabs(found_s - latency_s) <= 1e-12) || !(fabs(found_rate - rate) <= 1e-9 * rate) ||
        links != wanted) {
        fprintf(stderr, "paths: expected %g s, %g B/s, %lu links\n", latency_s, rate, wanted);
        return 1;
    }
    return 0;
}

static void check_all(int argc, char **argv)
{
    int *wrong = sg_actor_get_data(sg_actor_self());

    for (int i = 1; i < argc; i += FIELDS)
        *wrong += check(argv + i);
}

int main(int argc, char **argv)
{
    int wrong = 0;
    sg_actor_t actor;

    simgrid_init(&argc, argv);
    if (argc < 2 + FIELDS || (argc - 2) % FIELDS != 0) {
        fprintf(stderr, "usage: paths PLATFORM.xml FROM TO LATENCY_S BYTES_S LINKS ...\n");
        return 2;
    }
    simgrid_load_platform(argv[1]);
    /* SimGrid works its routes out when it starts to simulate */
    actor = sg_actor_init("check", sg_host_by_name(argv[2]));
    sg_actor_set_data(actor, &wrong);
    sg_actor_start(actor, check_all, argc - 1, argv + 1);
    simgrid_run();
    return wrong == 0 ? 0 : 1;
}
