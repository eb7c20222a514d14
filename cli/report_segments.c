/* SPDX-License-Identifier: Apache-2.0 */
/* The table of `optinc segments` on the page: what every choice of segmented layers costs in MZIs
 * and gives in accuracy. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "html.h"
#include "plot.h"
#include "report.h"

#define LINE_SIZE 4096
#define HEAD "segments,mzis,mzis_svd,share,cases,errors,accuracy,margin,"

static double share(const report_choice *choice)
{
    return 100.0 * (double)choice->mzis / (double)choice->mzis_svd;
}

static double accuracy(const report_choice *choice)
{
    return 100.0 * (1.0 - (double)choice->wrong / (double)choice->cases);
}

/* A choice is "all", "none" or layers; nothing else may get into a picture's script. */
static bool read_row(const char *line, report_choice *choice)
{
    long long mzis, mzis_svd, cases, wrong;

    if (sscanf(line, "\"%127[alnoe0-9,-]\",%lld,%lld,%*f,%lld,%lld,%*f,%lf,", choice->segments,
               &mzis, &mzis_svd, &cases, &wrong, &choice->margin) != 6 ||
        mzis < 1 || mzis > mzis_svd || cases < 1 || wrong < 0 || wrong > cases ||
        !isfinite(choice->margin))
        return false;
    choice->mzis = (uint64_t)mzis;
    choice->mzis_svd = (uint64_t)mzis_svd;
    choice->cases = (uint64_t)cases;
    choice->wrong = (uint64_t)wrong;
    return true;
}

bool report_segments_load(report *r, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[LINE_SIZE];
    struct stat status;
    bool good = false;

    if (!file) {
        cli_error("%s: cannot be opened: %s", path, strerror(errno));
        return false;
    }
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        cli_error("%s: expected a regular file", path);
        goto out;
    }
    if (!fgets(line, sizeof line, file) || strncmp(line, HEAD, strlen(HEAD)) != 0) {
        cli_error("%s:1: expected the table of 'optinc segments', beginning with %s", path, HEAD);
        goto out;
    }
    while (fgets(line, sizeof line, file)) {
        if (r->choice_count == REPORT_CHOICES_MAX) {
            cli_error("%s: found over %u choices", path, REPORT_CHOICES_MAX);
            goto out;
        }
        if (!read_row(line, &r->choices[r->choice_count])) {
            cli_error("%s:%zu: expected a choice of segmented layers, its MZIs, cases and errors",
                      path, r->choice_count + 2);
            goto out;
        }
        r->choice_count++;
    }
    r->choices_path = path;
    good = r->choice_count > 0;
    if (!good)
        cli_error("%s: found no choice of segmented layers, expected one or more", path);
out:
    fclose(file);
    return good;
}

static void write_table(FILE *page, const report *r)
{
    fputs("<div class=\"scroll\"><table><tr><th>Segmented layers</th><th>MZIs</th><th>Of SVD</th>"
          "<th>Right</th><th>Wrong</th><th>Cases</th><th>Margin</th></tr>\n",
          page);
    for (size_t i = 0; i < r->choice_count; i++) {
        const report_choice *choice = &r->choices[i];

        fputs("<tr><td>", page);
        html_text(page, choice->segments);
        fputs("</td><td>", page);
        html_count(page, choice->mzis);
        fputs("</td><td>", page);
        html_fixed(page, share(choice), 1);
        fputs(" %</td><td>", page);
        html_fixed(page, accuracy(choice), choice->wrong ? 3 : 0);
        fputs(" %</td><td>", page);
        html_count(page, choice->wrong);
        fputs("</td><td>", page);
        html_count(page, choice->cases);
        fputs("</td><td>", page);
        html_fixed(page, choice->margin, 3);
        fputs("</td></tr>\n", page);
    }
    fputs("</table></div>\n", page);
}

/* MZIs across, accuracy up; the axis reaches down to the worst choice. */
static bool write_picture(plot *p, const report *r)
{
    FILE *data = plot_data(p);
    double worst = 100.0;

    if (!data)
        return false;
    for (size_t i = 0; i < r->choice_count; i++) {
        const report_choice *choice = &r->choices[i];

        fprintf(data, "%.6f %.8f %s\n", share(choice), accuracy(choice), choice->segments);
        if (accuracy(choice) < worst)
            worst = accuracy(choice);
    }
    if (!plot_data_close(data))
        return false;
    worst = worst > 99.99 ? 99.99 : worst;
    fprintf(p->script,
            "set xlabel 'MZIs, %% of the same matrices by SVD'\n"
            "set xrange [0:110]\nset yrange [%.6f:%.6f]\n"
            "set nokey\n"
            "plot '0.dat' using 1:2 with points pointtype 7 pointsize 1.2 linecolor '#ea580c', "
            "'0.dat' using 1:2:3 with labels offset 0,1\n",
            worst - 0.15 * (100.0 - worst), 100.0 + 0.25 * (100.0 - worst));
    return true;
}

bool report_segments(FILE *page, const report *r)
{
    plot p;
    bool good;

    fputs("<section><h2>What segmenting layers costs and saves</h2>\n<p>Cases right, in "
          "percent, against MZIs: each choice of segmented layers, trained once. The area of a "
          "switch goes with its MZIs.</p>\n",
          page);
    if (!plot_open(&p))
        return false;
    good = write_picture(&p, r) &&
           plot_write(&p, page, "segments", "Share of MZIs and accuracy of every choice");
    plot_close(&p);
    write_table(page, r);
    fputs("</section>\n", page);
    return good;
}
