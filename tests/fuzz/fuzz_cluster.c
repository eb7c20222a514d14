/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the CSV of simulated all-reduces and as the JSON of `optinc scale`: no crash, one message
 * where they are refused; what is read is in range, is written and read again as it was, and the
 * model answers for it or says why not. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cluster.h"
#include "fuzz/counted_errors.h"

static int open_bytes(const void *bytes, size_t size, char path[64])
{
    int file = memfd_create("study", 0);

    require(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", file);
    return file;
}

static void check_points(const cluster_study *study)
{
    for (size_t i = 0; i < study->point_count; i++) {
        const cluster_point *point = &study->points[i];

        require(point->time_s > 0 && isfinite(point->time_s));
        require(point->servers >= 1 && point->collective < OPTINC_CLUSTER_COLLECTIVE_COUNT);
    }
}

static void check_model(const cluster_study *study)
{
    for (unsigned i = 0; i < OPTINC_CLUSTER_COLLECTIVE_COUNT; i++) {
        optinc_cluster_time time;

        if (optinc_cluster_time_of(&study->cluster, (optinc_cluster_collective)i, NULL, &time) ==
            OPTINC_OK)
            require(time.time_s >= 0 && isfinite(time.time_s));
    }
}

static void check_again(const cluster_study *study)
{
    json_t *object = json_object();
    cluster_study again;
    char *text, path[64];
    int file;

    cluster_study_json(study, object);
    text = json_dumps(object, JSON_REAL_PRECISION(17));
    require(text);
    file = open_bytes(text, strlen(text), path);
    require(cluster_study_load(&again, path));
    require(again.point_count == study->point_count && again.servers_min == study->servers_min &&
            again.servers_max == study->servers_max &&
            again.cluster.servers == study->cluster.servers &&
            again.cluster.link_gbps == study->cluster.link_gbps);
    for (size_t i = 0; i < study->point_count; i++)
        require(again.points[i].time_s == study->points[i].time_s &&
                again.points[i].servers == study->points[i].servers);
    cluster_study_free(&again);
    close(file);
    free(text);
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cluster_study study = {0};
    char path[64];
    int file = open_bytes(bytes, size, path);

    message_count = 0;
    if (cluster_points_load(&study, path)) {
        require(message_count == 0);
        check_points(&study);
    } else {
        require(message_count == 1);
    }
    cluster_study_free(&study);
    message_count = 0;
    if (cluster_study_load(&study, path)) {
        require(message_count == 0);
        check_points(&study);
        check_model(&study);
        check_again(&study);
    } else {
        require(message_count == 1);
    }
    cluster_study_free(&study);
    cluster_study_free(&study);
    close(file);
    return 0;
}
