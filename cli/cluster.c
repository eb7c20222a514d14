/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX ((size_t)1 << 26)
#define POINTS_MAX ((size_t)1 << 16)
#define FIELDS_MAX 32

static bool add_point(cluster_study *study, const cluster_point *point)
{
    if (study->point_count % 64 == 0) {
        size_t room = study->point_count + 64;
        cluster_point *points = realloc(study->points, room * sizeof *points);

        if (!points) {
            cli_error("out of memory");
            return false;
        }
        study->points = points;
    }
    study->points[study->point_count++] = *point;
    return true;
}

static bool collective_named(const char *name, optinc_cluster_collective *collective)
{
    for (unsigned i = 0; i < OPTINC_CLUSTER_COLLECTIVE_COUNT; i++) {
        if (strcmp(optinc_cluster_collective_name((optinc_cluster_collective)i), name) == 0) {
            *collective = (optinc_cluster_collective)i;
            return true;
        }
    }
    return false;
}

/* Cuts a line at its commas; the file has no quoted fields. */
static int split(char *line, char *fields[FIELDS_MAX])
{
    int count = 0;

    for (char *field = line; field && count < FIELDS_MAX; count++) {
        char *comma = strchr(field, ',');

        fields[count] = field;
        if (comma)
            *comma = '\0';
        field = comma ? comma + 1 : NULL;
    }
    return count;
}

static bool read_count(const char *text, uint64_t *count)
{
    char *end;

    errno = 0;
    *count = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

enum { TOPOLOGY, ROW, SERVERS, ELEMENTS, SIMULATED, COLUMN_COUNT };

static const char *const columns[COLUMN_COUNT] = {"topology", "row", "servers", "elements",
                                                  "simulated_s"};

static bool read_row(cluster_study *study, const char *path, size_t number, char *fields[],
                     const int places[COLUMN_COUNT])
{
    cluster_point point = {0};
    char *end;

    if (!*fields[places[ROW]])
        return true;
    if (!collective_named(fields[places[ROW]], &point.collective)) {
        cli_error("%s:%zu: row: found '%s', expected a collective of the model", path, number,
                  fields[places[ROW]]);
        return false;
    }
    point.full_bisection = strcmp(fields[places[TOPOLOGY]], "dragonfly") != 0;
    point.time_s = strtod(fields[places[SIMULATED]], &end);
    if (*end || !(point.time_s > 0.0) || !isfinite(point.time_s) ||
        !read_count(fields[places[SERVERS]], &point.servers) || point.servers == 0 ||
        !read_count(fields[places[ELEMENTS]], &point.elements)) {
        cli_error("%s:%zu: found servers '%s', elements '%s', simulated_s '%s', expected numbers",
                  path, number, fields[places[SERVERS]], fields[places[ELEMENTS]],
                  fields[places[SIMULATED]]);
        return false;
    }
    if (study->point_count == POINTS_MAX) {
        cli_error("%s: found more than %zu rows", path, POINTS_MAX);
        return false;
    }
    return add_point(study, &point);
}

static bool find_columns(const char *path, char *fields[], int count, int places[COLUMN_COUNT])
{
    for (int column = 0; column < COLUMN_COUNT; column++) {
        places[column] = -1;
        for (int i = 0; i < count; i++)
            if (strcmp(fields[i], columns[column]) == 0)
                places[column] = i;
        if (places[column] < 0) {
            cli_error("%s: found no column '%s', expected the CSV of adapters/simgrid/simulate",
                      path, columns[column]);
            return false;
        }
    }
    return true;
}

bool cluster_points_load(cluster_study *study, const char *path)
{
    size_t size, number = 0;
    char *text = cli_read_file(path, FILE_SIZE_MAX, &size);
    int places[COLUMN_COUNT];
    int wanted = 0;
    bool good = text != NULL;

    if (good && strlen(text) != size) {
        cli_error("%s: found a byte 0 at offset %zu, expected text", path, strlen(text));
        free(text);
        return false;
    }
    for (char *line = text; good && line && *line;) {
        char *fields[FIELDS_MAX];
        char *end = strchr(line, '\n');
        int count;

        if (end)
            *end = '\0';
        line[strcspn(line, "\r")] = '\0';
        count = split(line, fields);
        if (number++ == 0) {
            good = find_columns(path, fields, count, places);
            wanted = count;
        } else if (count != wanted) {
            cli_error("%s:%zu: found %d fields, expected %d as in the first line", path, number,
                      count, wanted);
            good = false;
        } else {
            good = read_row(study, path, number, fields, places);
        }
        line = end ? end + 1 : NULL;
    }
    if (good && number == 0) {
        cli_error("%s: found nothing, expected the CSV of adapters/simgrid/simulate", path);
        good = false;
    }
    free(text);
    return good;
}

void cluster_study_json(const cluster_study *study, json_t *object)
{
    const optinc_cluster *c = &study->cluster;
    json_t *points = json_array();

    cli_json_set(object, "servers", cli_json_count(c->servers));
    cli_json_set(object, "servers_min", cli_json_count(study->servers_min));
    cli_json_set(object, "servers_max", cli_json_count(study->servers_max));
    cli_json_set(object, "elements", cli_json_count(c->elements));
    cli_json_set(object, "bits", json_integer(c->bits));
    cli_json_set(object, "block_size", json_integer(c->block_size));
    cli_json_set(object, "link_gbps", cli_json_number(c->link_gbps));
    cli_json_set(object, "latency_us", cli_json_number(c->latency_us));
    cli_json_set(object, "overhead_us", cli_json_number(c->overhead_us));
    cli_json_set(object, "host_gbps", cli_json_number(c->host_gbps));
    cli_json_set(object, "radix", json_integer(c->switch_radix));
    cli_json_set(object, "switch_latency_us", cli_json_number(c->switch_latency_us));
    cli_json_set(object, "optical_ports", json_integer(c->optical_ports));
    cli_json_set(object, "optical_latency_us", cli_json_number(c->optical_latency_us));
    cli_json_set(object, "optical_gbps", cli_json_number(c->optical_gbps));
    cli_json_set(object, "alltoall", json_string(optinc_cluster_alltoall_name(c->alltoall)));
    cli_json_set(object, "chunks", json_integer(c->chunks));
    for (size_t i = 0; i < study->point_count; i++) {
        const cluster_point *point = &study->points[i];
        json_t *item = json_object();

        cli_json_set(item, "collective",
                     json_string(optinc_cluster_collective_name(point->collective)));
        cli_json_set(item, "full_bisection", json_boolean(point->full_bisection));
        cli_json_set(item, "servers", cli_json_count(point->servers));
        cli_json_set(item, "elements", cli_json_count(point->elements));
        cli_json_set(item, "time_s", cli_json_number(point->time_s));
        json_array_append_new(points, item);
    }
    cli_json_set(object, "points", points);
}

static bool read_points(cluster_study *study, json_t *points)
{
    size_t index;
    json_t *item;

    json_array_foreach(points, index, item)
    {
        cluster_point point = {0};
        json_int_t servers, elements;
        const char *name;
        int full;

        if (json_unpack(item, "{s:s, s:b, s:I, s:I, s:F}", "collective", &name, "full_bisection",
                        &full, "servers", &servers, "elements", &elements, "time_s",
                        &point.time_s) != 0 ||
            !collective_named(name, &point.collective) || servers < 1 || elements < 0 ||
            !(point.time_s > 0.0))
            return false;
        point.full_bisection = full != 0;
        point.servers = (uint64_t)servers;
        point.elements = (uint64_t)elements;
        if (!add_point(study, &point))
            return false;
    }
    return true;
}

static bool read_settings(cluster_study *study, json_t *object, json_t **points)
{
    optinc_cluster *c = &study->cluster;
    json_int_t servers, least, most, elements;
    int bits, block, radix, ports, chunks;
    const char *alltoall;
    bool known = false;

    if (json_unpack(object,
                    "{s:I, s:I, s:I, s:I, s:i, s:i, s:F, s:F, s:F, s:F, s:i, s:F, s:i, s:F, s:F, "
                    "s:s, s:i, s:o}",
                    "servers", &servers, "servers_min", &least, "servers_max", &most, "elements",
                    &elements, "bits", &bits, "block_size", &block, "link_gbps", &c->link_gbps,
                    "latency_us", &c->latency_us, "overhead_us", &c->overhead_us, "host_gbps",
                    &c->host_gbps, "radix", &radix, "switch_latency_us", &c->switch_latency_us,
                    "optical_ports", &ports, "optical_latency_us", &c->optical_latency_us,
                    "optical_gbps", &c->optical_gbps, "alltoall", &alltoall, "chunks", &chunks,
                    "points", points) != 0)
        return false;
    c->servers = (uint64_t)servers;
    c->elements = (uint64_t)elements;
    study->servers_min = (uint64_t)least;
    study->servers_max = (uint64_t)most;
    c->bits = (uint32_t)bits;
    c->block_size = (uint32_t)block;
    c->switch_radix = (uint32_t)radix;
    c->optical_ports = (uint32_t)ports;
    c->chunks = (uint32_t)chunks;
    for (unsigned i = 0; i < OPTINC_ALLTOALL_COUNT; i++) {
        if (strcmp(alltoall, optinc_cluster_alltoall_name((optinc_cluster_alltoall)i)) == 0) {
            c->alltoall = (optinc_cluster_alltoall)i;
            known = true;
        }
    }
    return known && servers >= 1 && elements >= 0 && bits >= 1 && block >= 1 && radix >= 1 &&
           ports >= 1 && chunks >= 1 && least >= 1 && most >= least;
}

/* The model checks its settings: an error has the file's name. */
static bool fits_model(const cluster_study *study, const char *path)
{
    optinc_cluster_time unused;
    cli_about about;

    return optinc_cluster_time_of(&study->cluster, OPTINC_CLUSTER_RING, cli_log_about(&about, path),
                                  &unused) == OPTINC_OK;
}

bool cluster_study_load(cluster_study *study, const char *path)
{
    size_t size;
    char *text = cli_read_file(path, FILE_SIZE_MAX, &size);
    json_error_t error;
    json_t *object = text ? json_loadb(text, size, JSON_REJECT_DUPLICATES, &error) : NULL;
    json_t *points;
    bool good;

    *study = (cluster_study){.cluster = optinc_cluster_default()};
    good = object && read_settings(study, object, &points) && json_is_array(points) &&
           read_points(study, points);
    if (text && size == 0)
        cli_error("%s: found nothing, expected what 'optinc scale --json' prints", path);
    else if (text && !object)
        cli_error("%s:%d: %s; expected what 'optinc scale --json' prints", path, error.line,
                  cli_json_problem(&error));
    else if (object && !good)
        cli_error("%s: found other fields, expected what 'optinc scale --json' prints", path);
    else if (good)
        good = fits_model(study, path);
    json_decref(object);
    free(text);
    return good;
}

void cluster_study_free(cluster_study *study)
{
    free(study->points);
    study->points = NULL;
    study->point_count = 0;
}
