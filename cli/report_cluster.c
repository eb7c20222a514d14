/* SPDX-License-Identifier: Apache-2.0 */
/* Many servers: the pictures of the time model, and simulated all-reduces beside it. */
#include <math.h>

#include "html.h"
#include "report.h"

/* The model's seconds for what was simulated, or NAN. */
static double modelled_s(const cluster_study *study, const cluster_point *point)
{
    optinc_cluster cluster = study->cluster;
    optinc_cluster_time time;

    cluster.servers = point->servers;
    cluster.elements = point->elements;
    return optinc_cluster_time_of(&cluster, point->collective, NULL, &time) == OPTINC_OK
               ? time.time_s
               : NAN;
}

static void point_row(FILE *page, const cluster_study *study, const cluster_point *point)
{
    double model = modelled_s(study, point);

    fprintf(page, "<tr><td>%s</td><td class=\"text\">%s</td><td>",
            optinc_cluster_collective_name(point->collective),
            point->full_bisection ? "full bisection" : "dragonfly");
    html_count(page, point->servers);
    fputs("</td><td>", page);
    html_count(page, point->elements);
    fputs("</td><td>", page);
    html_number(page, 1e6 * point->time_s, 4);
    fputs("</td><td>", page);
    html_number(page, 1e6 * model, 4);
    fputs("</td><td>", page);
    html_fixed(page, point->time_s / model, 3);
    fputs("</td></tr>\n", page);
}

static void point_table(FILE *page, const cluster_study *study)
{
    if (study->point_count == 0)
        return;
    fputs("<h3>Simulated beside modelled</h3>\n<div class=\"scroll\"><table><tr><th>Collective</th>"
          "<th class=\"text\">Network</th><th>Servers</th><th>Elements</th>"
          "<th>Simulated, &micro;s</th><th>Modelled, &micro;s</th><th>Ratio</th></tr>\n",
          page);
    for (size_t i = 0; i < study->point_count; i++)
        point_row(page, study, &study->points[i]);
    fputs(
        "</table></div>\n<p class=\"soft small\">Simulated by SimGrid with real values, which were "
        "checked on every rank. The model claims to hold for full bisection.</p>\n",
        page);
}

bool report_cluster(FILE *page, const report *r)
{
    const cluster_study *study = r->cluster;
    char conditions[256];

    fputs("<section>\n<h2>Many servers</h2>\n", page);
    if (study->servers_min < study->servers_max) {
        fputs("<figure>", page);
        if (!cluster_plot(study, CLUSTER_SERVERS, true, page))
            return false;
        cluster_conditions(study, CLUSTER_SERVERS, conditions, sizeof conditions);
        fputs("<figcaption>Time per all-reduce against servers: ", page);
        html_text(page, conditions);
        fputs(".</figcaption></figure>\n", page);
    }
    fputs("<figure>", page);
    if (!cluster_plot(study, CLUSTER_SIZE, true, page))
        return false;
    cluster_conditions(study, CLUSTER_SIZE, conditions, sizeof conditions);
    fputs("<figcaption>Time per all-reduce against the gradient&#39;s size: ", page);
    html_text(page, conditions);
    fputs(".</figcaption></figure>\n", page);
    point_table(page, study);
    fputs("</section>\n", page);
    return true;
}
