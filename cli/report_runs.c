/* SPDX-License-Identifier: Apache-2.0 */
/* What the logs say: losses, traffic, quantisation error. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "html.h"
#include "plot.h"
#include "report.h"

/* Points of a curve, about twice the width of the picture in pixels. */
#define POINTS_MAX 1500u

const char *report_colour(const report *r, const runlog *run)
{
    static const char *const ring[] = {"#2563eb", "#0e7490"};
    static const char *const optinc[] = {"#ea580c", "#16a34a", "#9333ea",
                                         "#be123c", "#854d0e", "#0f766e"};
    size_t number = 0;

    for (const runlog *other = r->runs; other < run; other++)
        number += runlog_is_optinc(other) == runlog_is_optinc(run);
    return runlog_is_optinc(run) ? optinc[number % 6] : ring[number % 2];
}

double report_traffic_share(const report *r, const runlog *run)
{
    size_t bytes = offsetof(runlog_step, bytes_sent);

    return r->ring ? runlog_mean(run, bytes) / runlog_mean(r->ring, bytes) : NAN;
}

double report_loss_difference(const report *r, const runlog *run)
{
    size_t loss = offsetof(runlog_step, valid_loss);

    return r->ring ? runlog_last(run, loss) - runlog_last(r->ring, loss) : NAN;
}

double report_error_share(const runlog *run)
{
    double share = NAN;

    for (size_t i = 0; i < run->step_count; i++)
        if (run->step[i].error_bound > 0.0)
            share = fmax(share, run->step[i].error_max / run->step[i].error_bound);
    return share;
}

static size_t steps_of(const report *r)
{
    size_t steps = 0;

    for (size_t i = 0; i < r->run_count; i++)
        if (r->runs[i].step_count > steps)
            steps = r->runs[i].step_count;
    return steps;
}

/* Half the width of the moving mean: a curve is the mean over step-n .. step+n. */
static size_t smoothing_of(const report *r)
{
    size_t half = steps_of(r) / 60;

    return half < 1 ? 1 : half;
}

/* Mean training loss, minus the reference's if there is one, around step index i. */
static double smooth_loss(const runlog *run, const runlog *reference, size_t i, size_t half)
{
    size_t first = i > half ? i - half : 0;
    size_t last = i + half < run->step_count ? i + half : run->step_count - 1;
    double sum = 0.0;
    size_t count = 0;

    for (size_t j = first; j <= last; j++) {
        double loss = run->step[j].loss;

        if (reference)
            loss -= j < reference->step_count ? reference->step[j].loss : NAN;
        if (!isnan(loss)) {
            sum += loss;
            count++;
        }
    }
    return count ? sum / (double)count : NAN;
}

/* Two data files a run: training (step, as it is, smoothed), and validation (step, loss); with a
 * reference the differences from it. */
static bool write_curves(plot *p, const runlog *run, const runlog *reference, size_t half)
{
    size_t every = run->step_count / POINTS_MAX + 1;
    FILE *train = plot_data(p);
    FILE *valid = train ? plot_data(p) : NULL;
    bool good = valid != NULL;

    for (size_t i = 0; good && i < run->step_count; i++) {
        const runlog_step *step = &run->step[i];
        double base = reference && i < reference->step_count ? reference->step[i].valid_loss
                      : reference                            ? NAN
                                                             : 0.0;

        if (i % every == 0 || i + 1 == run->step_count)
            fprintf(train, "%zu %.9g %.9g\n", i + 1, step->loss,
                    smooth_loss(run, reference, i, half));
        if (!isnan(step->valid_loss - base))
            fprintf(valid, "%zu %.9g\n", i + 1, step->valid_loss - base);
    }
    if (train && !plot_data_close(train))
        good = false;
    if (valid && !plot_data_close(valid))
        good = false;
    return good;
}

static bool has_valid_loss(const runlog *run)
{
    return !isnan(runlog_last(run, offsetof(runlog_step, valid_loss)));
}

static void legend_entry(FILE *page, const report *r, const runlog *run, const char *kind,
                         const char *text)
{
    fprintf(page, "<span><i class=\"%s\" style=\"background:%s\"></i>", kind,
            report_colour(r, run));
    html_text(page, run->name);
    fprintf(page, "%s</span>", text);
}

/* Steps are whole numbers: few of them get a tick each, and no halves. */
static void step_axis(const plot *p, const report *r)
{
    size_t steps = steps_of(r);

    fprintf(p->script, "set xrange [0:%zu]\n%s", steps, steps <= 10 ? "set xtics 1\n" : "");
}

/* Rings are drawn first and broad, the others over them and narrow, so that curves that fall on
 * each other are both seen. */
static bool plot_losses(FILE *page, const report *r)
{
    plot p;
    bool good = plot_open(&p);

    for (size_t i = 0; good && i < r->run_count; i++)
        good = write_curves(&p, &r->runs[i], NULL, smoothing_of(r));
    if (good) {
        step_axis(&p, r);
        fputs("set ylabel 'loss' textcolor rgb '#4b5563'\nplot ", p.script);
        for (size_t i = 0; i < r->run_count; i++)
            fprintf(p.script, "'%zu.dat' using 1:2 with lines lw 1 lc rgb '#c0%s', ", 2 * i,
                    report_colour(r, &r->runs[i]) + 1);
        for (size_t i = 0; i < r->run_count; i++)
            fprintf(p.script, "'%zu.dat' using 1:3 with lines lw %s lc rgb '%s', ", 2 * i,
                    runlog_is_optinc(&r->runs[i]) ? "1.6" : "4", report_colour(r, &r->runs[i]));
        for (size_t i = 0; i < r->run_count; i++)
            if (has_valid_loss(&r->runs[i]))
                fprintf(p.script, "'%zu.dat' using 1:2 with points pt 7 ps %s lc rgb '%s', ",
                        2 * i + 1, runlog_is_optinc(&r->runs[i]) ? "0.55" : "1.0",
                        report_colour(r, &r->runs[i]));
        fputs("\n", p.script);
        good = plot_write(&p, page, "loss", "training and validation loss against step");
    }
    plot_close(&p);
    return good;
}

static bool plot_differences(FILE *page, const report *r)
{
    plot p;
    bool good = plot_open(&p);
    size_t file = 0;

    if (good) {
        step_axis(&p, r);
        fputs("set ylabel 'loss, OptINC minus ring' textcolor rgb '#4b5563'\n"
              "set xzeroaxis lt 1 lw 1.5 lc rgb '#6b7280'\nplot ",
              p.script);
    }
    for (size_t i = 0; good && i < r->run_count; i++) {
        const runlog *run = &r->runs[i];

        if (!runlog_is_optinc(run))
            continue;
        good = write_curves(&p, run, r->ring, smoothing_of(r));
        fprintf(p.script, "'%zu.dat' using 1:3 with lines lw 1.6 lc rgb '#90%s', ", file,
                report_colour(r, run) + 1);
        if (has_valid_loss(run) && has_valid_loss(r->ring))
            fprintf(p.script,
                    "'%zu.dat' using 1:2 with linespoints lw 1.6 pt 7 ps 0.6 lc rgb "
                    "'%s', ",
                    file + 1, report_colour(r, run));
        file += 2;
    }
    if (good) {
        fputs("\n", p.script);
        good = plot_write(&p, page, "difference", "difference of the losses against step");
    }
    plot_close(&p);
    return good;
}

static void run_table(FILE *page, const report *r)
{
    fputs("<div class=\"scroll\"><table><tr><th>Run</th><th class=\"text\">Collective</th>"
          "<th>Seed</th><th>Steps</th><th>Training loss, last</th><th>Validation loss, last</th>"
          "<th>Seconds a step</th><th class=\"text\">Outcome</th></tr>\n",
          page);
    for (size_t i = 0; i < r->run_count; i++) {
        const runlog *run = &r->runs[i];

        fprintf(page, "<tr><td><span class=\"chip\" style=\"background:%s\"></span>",
                report_colour(r, run));
        html_text(page, run->name);
        fprintf(page, "</td><td class=\"text\">%s</td><td>%llu</td><td>",
                runlog_is_optinc(run) ? "OptINC" : "float ring", (unsigned long long)run->seed);
        html_count(page, run->step_count);
        if (run->steps > run->step_count) {
            fputs(" of ", page);
            html_count(page, run->steps);
        }
        fputs("</td><td>", page);
        html_fixed(page, runlog_last(run, offsetof(runlog_step, loss)), 4);
        fputs("</td><td>", page);
        html_fixed(page, runlog_last(run, offsetof(runlog_step, valid_loss)), 4);
        fputs("</td><td>", page);
        html_fixed(page, runlog_mean(run, offsetof(runlog_step, seconds)), 2);
        fputs("</td><td class=\"text\">", page);
        html_text(page, run->outcome);
        fputs("</td></tr>\n", page);
    }
    fputs("</table></div>\n", page);
}

static bool report_difference(FILE *page, const report *r)
{
    bool any = false;

    for (size_t i = 0; i < r->run_count; i++)
        any = any || runlog_is_optinc(&r->runs[i]);
    if (!r->ring || !any)
        return true;
    fputs("<h3>Their difference</h3>\n<div class=\"legend\">", page);
    for (size_t i = 0; i < r->run_count; i++) {
        if (runlog_is_optinc(&r->runs[i])) {
            legend_entry(page, r, &r->runs[i], "dot", ", validation");
            legend_entry(page, r, &r->runs[i], "pale", ", training, smoothed");
        }
    }
    fputs("</div>\n<figure>", page);
    if (!plot_differences(page, r))
        return false;
    fputs("<figcaption>Loss through the switch minus loss through <b>", page);
    html_text(page, r->ring->name);
    fputs("</b>, step by step. Below zero the switch is ahead.</figcaption></figure>\n", page);
    return true;
}

bool report_losses(FILE *page, const report *r)
{
    fputs("<section>\n<h2>Loss</h2>\n<div class=\"legend\">", page);
    for (size_t i = 0; i < r->run_count; i++) {
        legend_entry(page, r, &r->runs[i], "line", ", training");
        if (has_valid_loss(&r->runs[i]))
            legend_entry(page, r, &r->runs[i], "dot", ", validation");
    }
    fputs("</div>\n<figure>", page);
    if (!plot_losses(page, r))
        return false;
    fprintf(page,
            "<figcaption>Training loss as it was (pale) and as the mean over %zu steps (strong); "
            "validation loss (dots).</figcaption></figure>\n",
            2 * smoothing_of(r) + 1);
    run_table(page, r);
    if (!report_difference(page, r))
        return false;
    fputs("</section>\n", page);
    return true;
}

static void traffic_bars(FILE *page, const report *r)
{
    size_t offset = offsetof(runlog_step, bytes_sent);
    double largest = 0.0;

    for (size_t i = 0; i < r->run_count; i++)
        largest = fmax(largest, runlog_mean(&r->runs[i], offset));
    fputs("<div class=\"bars\">\n", page);
    for (size_t i = 0; i < r->run_count; i++) {
        double bytes = runlog_mean(&r->runs[i], offset);

        fputs("<span>", page);
        html_text(page, r->runs[i].name);
        fprintf(page, "</span><div style=\"width:%.2f%%;background:%s\"></div><b>",
                largest > 0.0 && bytes > 0.0 ? 100.0 * bytes / largest : 0.0,
                report_colour(r, &r->runs[i]));
        html_bytes(page, bytes);
        fputs("</b>\n", page);
    }
    fputs("</div>\n", page);
}

void report_traffic(FILE *page, const report *r)
{
    size_t offset = offsetof(runlog_step, bytes_sent);

    fputs("<section>\n<h2>Bytes per step and server</h2>\n", page);
    traffic_bars(page, r);
    fputs("<div class=\"scroll\"><table><tr><th>Run</th><th>Bytes a step</th><th>Of the ring</th>"
          "<th>Bits a gradient</th><th class=\"text\">Known from</th></tr>\n",
          page);
    for (size_t i = 0; i < r->run_count; i++) {
        const runlog *run = &r->runs[i];
        double bytes = runlog_mean(run, offset);
        double share = report_traffic_share(r, run);

        fprintf(page, "<tr><td><span class=\"chip\" style=\"background:%s\"></span>",
                report_colour(r, run));
        html_text(page, run->name);
        fputs("</td><td>", page);
        if (bytes >= 0.0 && bytes < 1e18)
            html_count(page, (uint64_t)(bytes + 0.5));
        fputs("</td><td>", page);
        if (isnan(share))
            html_number(page, NAN, 1);
        else
            fprintf(page, "%.1f %%", 100.0 * share);
        fputs("</td><td>", page);
        html_fixed(page, run->parameters ? 8.0 * bytes / (double)run->parameters : NAN, 2);
        fprintf(page, "</td><td class=\"text\">%s</td></tr>\n",
                strcmp(run->bytes_source, "library") == 0   ? "counted by the all-reduce"
                : strcmp(run->bytes_source, "formula") == 0 ? "2(K&minus;1)/K &middot; 4 bytes"
                                                            : "&ndash;");
    }
    fputs("</table></div>\n<p class=\"soft small\">What one server sends to the others in a step, "
          "block exponents included. Emulated on K servers a gradient crosses the network "
          "2(K&minus;1)/K times as a code; through the optical switch itself it crosses "
          "once.</p>\n</section>\n",
          page);
}

static bool plot_errors(FILE *page, const report *r)
{
    plot p;
    bool good = plot_open(&p);
    size_t file = 0;

    if (good) {
        step_axis(&p, r);
        fputs("set ylabel 'largest error of a gradient' textcolor rgb '#4b5563' offset -1\n"
              "set logscale y\nset format y '10^{%T}'\nset lmargin 11\nplot ",
              p.script);
    }
    for (size_t i = 0; good && i < r->run_count; i++) {
        const runlog *run = &r->runs[i];
        FILE *data;

        if (isnan(report_error_share(run)))
            continue;
        data = plot_data(&p);
        if (!data) {
            good = false;
            break;
        }
        for (size_t j = 0; j < run->step_count; j++)
            if (run->step[j].error_bound > 0.0 && run->step[j].error_max > 0.0)
                fprintf(data, "%zu %.9g %.9g\n", j + 1, run->step[j].error_max,
                        run->step[j].error_bound);
        good = plot_data_close(data);
        fprintf(p.script,
                "'%zu.dat' using 1:3 with lines lw 2 dt 2 lc rgb '#6b7280', '%zu.dat' using 1:2 "
                "with linespoints lw 1.6 pt 7 ps 0.4 lc rgb '%s', ",
                file, file, report_colour(r, run));
        file++;
    }
    if (good) {
        fputs("\n", p.script);
        good = plot_write(&p, page, "error", "quantisation error and its bound against step");
    }
    plot_close(&p);
    return good;
}

static void error_row(FILE *page, const report *r, const runlog *run)
{
    double share = report_error_share(run);
    uint64_t measured = 0;
    uint64_t beyond = 0;

    for (size_t i = 0; i < run->step_count; i++) {
        measured += isnan(run->step[i].error_bound) ? 0 : 1;
        beyond += run->step[i].error_max > run->step[i].error_bound;
    }
    fprintf(page, "<tr><td><span class=\"chip\" style=\"background:%s\"></span>",
            report_colour(r, run));
    html_text(page, run->name);
    fputs("</td><td>", page);
    html_count(page, measured);
    fputs("</td><td>", page);
    html_number(page, runlog_max(run, offsetof(runlog_step, error_max)), 4);
    fputs("</td><td>", page);
    html_number(page, runlog_max(run, offsetof(runlog_step, error_bound)), 4);
    fprintf(page, "</td><td>%.1f %%</td><td class=\"text\"><span class=\"%s\">", 100.0 * share,
            beyond ? "bad" : "good");
    if (beyond)
        fprintf(page, "no: beyond it in %llu steps", (unsigned long long)beyond);
    else
        fputs("yes, in every step", page);
    fputs("</span></td></tr>\n", page);
}

bool report_errors(FILE *page, const report *r)
{
    bool any = false;

    for (size_t i = 0; i < r->run_count; i++)
        any = any || !isnan(report_error_share(&r->runs[i]));
    fputs("<section>\n<h2>Quantisation error</h2>\n", page);
    if (!any) {
        fputs("<p class=\"soft\">These runs did not measure it.</p>\n</section>\n", page);
        return true;
    }
    fputs("<div class=\"legend\"><span><i class=\"dashed\"></i>bound, known before the switch "
          "answers</span>",
          page);
    for (size_t i = 0; i < r->run_count; i++)
        if (!isnan(report_error_share(&r->runs[i])))
            legend_entry(page, r, &r->runs[i], "dot", ", measured");
    fputs("</div>\n<figure>", page);
    if (!plot_errors(page, r))
        return false;
    fputs("<figcaption>Largest |result &minus; exact mean| of any gradient element in a step, and "
          "what it may not exceed: 2<sup>e</sup> N/K with the scale 2<sup>e</sup> of the "
          "coarsest block.</figcaption></figure>\n<div class=\"scroll\"><table><tr><th>Run</th>"
          "<th>Steps measured</th><th>Largest error</th><th>Largest bound</th>"
          "<th>Nearest to its bound</th><th class=\"text\">Within the bound</th></tr>\n",
          page);
    for (size_t i = 0; i < r->run_count; i++)
        if (!isnan(report_error_share(&r->runs[i])))
            error_row(page, r, &r->runs[i]);
    fputs("</table></div>\n</section>\n", page);
    return true;
}
