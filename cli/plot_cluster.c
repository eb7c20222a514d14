/* SPDX-License-Identifier: Apache-2.0 */
/* Time per all-reduce, on logarithmic axes: the model's curves, each named at its end, and simulated
 * points on them. Colours are those of Okabe and Ito, for all eyes; marks differ as well. */
#include <inttypes.h>
#include <math.h>

#include "cluster.h"
#include "plot.h"

#define CLUSTER_HEIGHT 520
#define SIZE_MIN ((uint64_t)1 << 10) /* elements: 4 KiB */
#define SIZE_MAX_ELEMENTS ((uint64_t)1 << 28)
#define COUNT OPTINC_CLUSTER_COLLECTIVE_COUNT
/* Distance of two names as a share of the picture's height. */
#define NAME_DISTANCE 0.055

typedef struct look {
    const char *text, *colour;
    int dash, full, open; /* gnuplot's numbers of lines and marks */
} look;

static const look looks[COUNT] = {
    {"float ring", "#0072b2", 1, 7, 6},
    {"float tree (halving, doubling)", "#b07d00", 1, 5, 4},
    {"SHARP-like, in the network", "#b05a8f", 2, 9, 8},
    {"OptINC in software", "#008a64", 1, 13, 12},
    {"OptINC, optical switch", "#d55e00", 1, 11, 10},
};

typedef struct view {
    const cluster_study *study;
    cluster_axis axis;
    uint64_t x_min, x_max;            /* servers or elements */
    double y_min, y_max;              /* log10 of seconds */
    double end[COUNT];                /* where the curves end */
    double name[COUNT];               /* where their names stand */
    int file[COUNT], marks[COUNT][2]; /* data files; -1: none */
} view;

static bool model_s(const view *v, optinc_cluster_collective collective, uint64_t x, double *time_s)
{
    optinc_cluster cluster = v->study->cluster;
    optinc_cluster_time time;
    optinc_status status;

    if (v->axis == CLUSTER_SERVERS)
        cluster.servers = x;
    else
        cluster.elements = x;
    status = optinc_cluster_time_of(&cluster, collective, &cli_log, &time);
    if (status != OPTINC_OK)
        return cli_library_error(status, "the time model") == CLI_DONE;
    *time_s = time.time_s;
    return true;
}

static double drawn_x(const view *v, uint64_t x)
{
    return v->axis == CLUSTER_SERVERS ? (double)x : 4.0 * (double)x;
}

static bool write_curve(view *v, plot *p, optinc_cluster_collective collective)
{
    FILE *data;
    uint64_t step = 1;
    bool good = true;

    v->file[collective] = p->file_count;
    data = plot_data(p);
    if (!data)
        return false;
    while (step * 2 <= v->x_min)
        step *= 2;
    /* powers of two alone: between them halving and doubling folds, which is another curve */
    for (bool last = false; good && !last; step *= 2) {
        double time_s = 0.0;

        last = step >= v->x_max;
        good = model_s(v, collective, step, &time_s);
        if (good && time_s > 0.0) {
            fprintf(data, "%.9g %.9g\n", drawn_x(v, step), time_s);
            v->y_min = fmin(v->y_min, log10(time_s));
            v->y_max = fmax(v->y_max, log10(time_s));
            v->end[collective] = log10(time_s);
        }
    }
    return plot_data_close(data) && good;
}

static bool is_shown(const view *v, const cluster_point *point)
{
    const optinc_cluster *c = &v->study->cluster;
    uint64_t x = v->axis == CLUSTER_SERVERS ? point->servers : point->elements;

    return x >= v->x_min && x <= v->x_max &&
           (v->axis == CLUSTER_SERVERS ? point->elements == c->elements
                                       : point->servers == c->servers);
}

static bool write_marks(view *v, plot *p, unsigned collective, int kind)
{
    FILE *data = NULL;

    v->marks[collective][kind] = -1;
    for (size_t i = 0; i < v->study->point_count; i++) {
        const cluster_point *point = &v->study->points[i];

        if ((unsigned)point->collective != collective || point->full_bisection != (kind == 0) ||
            !is_shown(v, point))
            continue;
        if (!data) {
            v->marks[collective][kind] = p->file_count;
            data = plot_data(p);
            if (!data)
                return false;
        }
        fprintf(data, "%.9g %.9g\n",
                drawn_x(v, v->axis == CLUSTER_SERVERS ? point->servers : point->elements),
                point->time_s);
        v->y_min = fmin(v->y_min, log10(point->time_s));
        v->y_max = fmax(v->y_max, log10(point->time_s));
    }
    return !data || plot_data_close(data);
}

/* Names at the curves' ends, moved apart: from the lowest up, then as a whole back into the frame. */
static void place_names(view *v)
{
    double distance = NAME_DISTANCE * (v->y_max - v->y_min);
    unsigned order[COUNT] = {0};
    double top;

    for (unsigned i = 0; i < COUNT; i++) {
        unsigned at = i;

        for (; at > 0 && v->end[order[at - 1]] > v->end[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (unsigned i = 0; i < COUNT; i++) {
        v->name[order[i]] = v->end[order[i]];
        if (i > 0)
            v->name[order[i]] = fmax(v->end[order[i]], v->name[order[i - 1]] + distance);
    }
    top = v->y_max;
    for (unsigned i = COUNT; i-- > 0; top -= distance) {
        if (v->name[order[i]] <= top)
            break;
        v->name[order[i]] = top;
    }
}

static void write_time_tics(const view *v, FILE *script)
{
    static const char *const units[] = {"ns", "\xC2\xB5s", "ms", "s"};
    const char *between = "";

    fputs("set ytics (", script);
    for (int e = (int)floor(v->y_min); e <= (int)ceil(v->y_max); e++) {
        int unit = (int)floor(e / 3.0) + 3;

        unit = unit < 0 ? 0 : unit > 3 ? 3 : unit;
        fprintf(script, "%s'%.9g %s' 1e%d", between, pow(10.0, e - 3 * (unit - 3)), units[unit], e);
        between = ", ";
    }
    fputs(")\n", script);
}

/* Servers: the first number, and decades; sizes: every third power of two. */
static void write_x_tics(const view *v, FILE *script)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    bool servers = v->axis == CLUSTER_SERVERS;
    char text[CLI_COUNT_TEXT_SIZE];

    fputs("set xtics (", script);
    if (servers)
        fprintf(script, "'%s' %" PRIu64, cli_count_text(v->x_min, text), v->x_min);
    for (uint64_t x = 1; x <= v->x_max; x *= servers ? 10 : 8) {
        uint64_t bytes = 4 * x;
        int unit = 0;

        if (servers ? x < 3 * v->x_min : x < v->x_min)
            continue;
        for (; bytes >= 1024 && unit < 5; unit++)
            bytes /= 1024;
        if (servers)
            fprintf(script, ", '%s' %" PRIu64, cli_count_text(x, text), x);
        else
            fprintf(script, "%s'%" PRIu64 " %s' %.9g", x / 8 < v->x_min ? "" : ", ", bytes,
                    units[unit], drawn_x(v, x));
    }
    fputs(")\n", script);
}

/* What lines and marks are, where there are marks. */
static void write_key(const view *v, FILE *script)
{
    bool full = false, open = false;

    for (unsigned i = 0; i < COUNT; i++) {
        full = full || v->marks[i][0] >= 0;
        open = open || v->marks[i][1] >= 0;
    }
    if (full || open)
        fprintf(script,
                "set label 'Lines: model. Marks: simulated with values%s%s.' at graph 0, graph 1 "
                "left offset -8,0.9 textcolor rgb '#4b5563' font ',13'\n",
                full ? ", filled: full bisection" : "", open ? ", hollow: dragonfly" : "");
}

static void write_script(view *v, plot *p)
{
    FILE *script = p->script;
    char conditions[256];

    cluster_conditions(v->study, v->axis, conditions, sizeof conditions);
    place_names(v);
    fprintf(script,
            "set logscale xy\nset lmargin 10\nset rmargin 29\nset tmargin 4.4\nset bmargin 4\n"
            "set grid xtics ytics lt 1 lc rgb '#e5e7eb' lw 1\nset mytics 10\n"
            "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n",
            drawn_x(v, v->x_min), drawn_x(v, v->x_max), pow(10.0, v->y_min), pow(10.0, v->y_max));
    write_time_tics(v, script);
    write_x_tics(v, script);
    fprintf(script,
            "set xlabel '%s' textcolor rgb '#4b5563'\n"
            "set label 'Time per all-reduce' at graph 0, graph 1 left offset -8,3.2 textcolor rgb "
            "'#111827' font ',17'\n"
            "set label '%s' at graph 0, graph 1 left offset -8,2.0 textcolor rgb '#4b5563' font "
            "',13'\n",
            v->axis == CLUSTER_SERVERS ? "servers" : "gradient, as 32-bit floats", conditions);
    for (unsigned i = 0; i < COUNT; i++)
        fprintf(script,
                "set label '%s' at graph 1, first %.9g left offset 2.5,0 textcolor rgb '%s'\n"
                "set arrow from graph 1.003, first %.9g to graph 1.03, first %.9g nohead lw 1 "
                "lc rgb '%s'\n",
                looks[i].text, pow(10.0, v->name[i]), looks[i].colour, pow(10.0, v->end[i]),
                pow(10.0, v->name[i]), looks[i].colour);
    write_key(v, script);
    fputs("plot ", script);
    for (unsigned i = 0; i < COUNT; i++)
        fprintf(script, "'%d.dat' using 1:2 with lines lw 2.4 dt %d lc rgb '%s', ", v->file[i],
                looks[i].dash, looks[i].colour);
    for (unsigned i = 0; i < COUNT; i++)
        for (int kind = 0; kind < 2; kind++)
            if (v->marks[i][kind] >= 0)
                fprintf(script, "'%d.dat' using 1:2 with points pt %d ps 0.9 lw 1.6 lc rgb '%s', ",
                        v->marks[i][kind], kind == 0 ? looks[i].full : looks[i].open,
                        looks[i].colour);
    fputs("\n", script);
}

void cluster_conditions(const cluster_study *study, cluster_axis axis, char *text, size_t size)
{
    const optinc_cluster *c = &study->cluster;
    char count[CLI_COUNT_TEXT_SIZE];

    if (axis == CLUSTER_SERVERS)
        snprintf(text, size,
                 "gradient of %s floats, %g Gb/s links, %g \xC2\xB5s a message, %u-bit codes",
                 cli_count_text(c->elements, count), c->link_gbps, c->latency_us + c->overhead_us,
                 c->bits);
    else
        snprintf(text, size, "%s servers, %g Gb/s links, %g \xC2\xB5s a message, %u-bit codes",
                 cli_count_text(c->servers, count), c->link_gbps, c->latency_us + c->overhead_us,
                 c->bits);
}

bool cluster_plot(const cluster_study *study, cluster_axis axis, bool page, FILE *out)
{
    bool servers = axis == CLUSTER_SERVERS;
    const char *label = servers ? "time per all-reduce against servers"
                                : "time per all-reduce against message size";
    view v = {.study = study,
              .axis = axis,
              .x_min = servers ? study->servers_min : SIZE_MIN,
              .x_max = servers ? study->servers_max : SIZE_MAX_ELEMENTS,
              .y_min = INFINITY,
              .y_max = -INFINITY};
    plot p;
    bool good = plot_open_sized(&p, CLUSTER_HEIGHT);

    for (unsigned i = 0; good && i < COUNT; i++)
        good = write_curve(&v, &p, (optinc_cluster_collective)i) && write_marks(&v, &p, i, 0) &&
               write_marks(&v, &p, i, 1);
    if (good && !(v.y_min < v.y_max)) {
        cli_error("the picture: found no times above zero, expected servers and elements for some");
        good = false;
    }
    if (good) {
        v.y_min = fmin(v.y_min - 0.15, v.y_max - 0.5);
        v.y_max += 0.1;
        write_script(&v, &p);
        good = page ? plot_write(&p, out, servers ? "servers" : "size", label)
                    : plot_write_file(&p, out, label);
    }
    plot_close(&p);
    return good;
}
