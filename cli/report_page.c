/* SPDX-License-Identifier: Apache-2.0 */
/* Head, style, summary and foot of the report. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "html.h"
#include "report.h"

static const char style[] =
    ":root{--paper:#fff;--ink:#111827;--soft:#4b5563;--line:#e5e7eb;--card:#f8fafc;"
    "--good:#15803d;--bad:#b91c1c;--v:#2563eb;--s:#b45309;--u:#7c3aed}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Helvetica Neue\",\"Liberation Sans\",Arial,sans-serif}"
    "main{max-width:1120px;margin:0 auto;padding:40px 28px 64px}"
    "h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 12px}"
    "h2{font-size:21px;letter-spacing:-.01em;margin:52px 0 8px;padding-top:20px;"
    "border-top:1px solid var(--line)}"
    "h3{font-size:17px;margin:28px 0 8px}h4{font-size:15px;margin:22px 0 8px}"
    "p{margin:0 0 12px;max-width:78ch}.soft{color:var(--soft)}small,.small{font-size:14px}"
    "code{font:14px/1.4 ui-monospace,\"DejaVu Sans Mono\",Menlo,monospace;overflow-wrap:anywhere}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(225px,1fr));gap:14px;"
    "margin:26px 0 0}"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:14px 18px}"
    ".tile b{display:block;font-size:27px;line-height:1.25;letter-spacing:-.02em;"
    "font-variant-numeric:tabular-nums}"
    ".tile span{display:block;color:var(--soft);font-size:14px;line-height:1.4}"
    ".tile .name{color:var(--ink);font-weight:600}"
    ".scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:15px;margin:10px 0 4px;min-width:60%;"
    "font-variant-numeric:tabular-nums}"
    "th,td{text-align:right;padding:7px 0 7px 24px;border-bottom:1px solid var(--line);"
    "white-space:nowrap}th{white-space:normal;vertical-align:bottom}"
    "th:first-child,td:first-child{text-align:left;padding-left:0}"
    "th{color:var(--soft);font-weight:600;font-size:14px}td.text,th.text{text-align:left}"
    "td.wrap{white-space:normal;overflow-wrap:anywhere}"
    "figure{margin:14px 0 0}figcaption{color:var(--soft);font-size:14px;margin-top:6px;"
    "max-width:88ch}"
    "svg{display:block}svg.plot{width:100%;height:auto}"
    "svg.plot text,svg.plot tspan{font-family:inherit}svg.defs{position:absolute}"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 22px;font-size:14px;color:var(--soft);"
    "margin:12px 0 2px}"
    ".legend i{display:inline-block;width:24px;height:3px;border-radius:2px;margin-right:8px;"
    "vertical-align:middle}"
    ".legend i.dot{width:9px;height:9px;border-radius:50%}"
    ".legend i.pale{opacity:.35}"
    ".legend i.dashed{height:0;border-top:3px dashed #6b7280;border-radius:0}"
    ".chip{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:9px}"
    ".bars{display:grid;grid-template-columns:fit-content(34%) 1fr max-content;gap:10px 16px;"
    "align-items:center;margin:16px 0 8px;font-size:15px;font-variant-numeric:tabular-nums}"
    ".bars div{height:22px;border-radius:4px;min-width:2px}"
    ".good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}"
    ".layers{display:flex;flex-wrap:wrap;gap:22px 30px;align-items:flex-start}"
    ".layers figure{max-width:100%}.layers figcaption{margin:0 0 4px}"
    ".layers figcaption b{color:var(--ink)}"
    "svg.circuit{max-width:100%;height:auto}"
    ".circuit path{fill:none;stroke:currentColor;stroke-width:1.3}"
    ".circuit{color:#64748b}#mzi,#att{fill:none;stroke:#64748b;stroke-width:1.3}"
    ".circuit path.link{stroke-dasharray:2 1.6}svg.hues,svg.eye{max-width:100%;height:auto}"
    ".hues text{font-size:12px;fill:var(--soft);text-anchor:middle}.hues "
    "text.side{text-anchor:start}"
    ".circuit .v{color:var(--v)}.circuit .diagonal{color:var(--s)}.circuit .u{color:var(--u)}"
    ".circuit .v>path,.circuit .u>path{stroke:#64748b}"
    ".circuit .v>path.bracket{stroke:var(--v)}"
    ".circuit .bracket{stroke-width:1.2;opacity:.8}"
    ".circuit text.part{fill:var(--ink);font-size:12px;text-anchor:middle;font-weight:600}"
    ".circuit .number{fill:var(--soft);font-weight:400}"
    ".circuit text.end{fill:var(--soft);font-size:11.5px}"
    ".circuit text.port{fill:var(--soft);font-size:11.5px;text-anchor:end}"
    "#act0 rect,#act1 rect,#act2 rect{fill:#fff;stroke:#94a3b8;stroke-width:1}"
    "#act0 path,#act1 path,#act2 path{fill:none;stroke:#334155;stroke-width:1.2}"
    ".circuit .dump{fill:#94a3b8}"
    ".circuit rect.outline{fill:currentColor;fill-opacity:.08;stroke:currentColor;"
    "stroke-width:1.2}"
    "footer{margin-top:56px;padding-top:16px;border-top:1px solid var(--line);"
    "color:var(--soft);font-size:14px}"
    "@media(max-width:760px){main{padding:26px 18px 40px}h1{font-size:25px}"
    ".tiles{grid-template-columns:1fr 1fr}.tile b{font-size:22px}"
    "th,td{padding-left:16px}}"
    /* Pictures and the colours that name their curves are turned over together. */
    "@media screen and (prefers-color-scheme:dark){"
    ":root{color-scheme:dark;--paper:#0f1318;--ink:#e6e9ed;--soft:#a4aebb;--line:#2c343f;"
    "--card:#181e26;--good:#4ade80;--bad:#f87171}"
    "svg{--ink:#111827;--soft:#4b5563}"
    "svg,.legend i,.chip,.bars div{filter:invert(.94) hue-rotate(180deg)}}"
    "@media print{main{max-width:none}h2{break-after:avoid}figure,.tile{break-inside:avoid}}";

static const runlog *first_optinc(const report *r)
{
    for (size_t i = 0; i < r->run_count; i++)
        if (runlog_is_optinc(&r->runs[i]))
            return &r->runs[i];
    return NULL;
}

static void write_title(FILE *page, const report *r)
{
    if (r->title) {
        html_text(page, r->title);
        return;
    }
    fputs(r->run_count == 0 ? (r->design    ? "An optical switch"
                               : r->cluster ? "An all-reduce on many servers"
                                            : "Segmented layers")
          : first_optinc(r) ? "Training through an optical switch"
                            : "Training through a float ring",
          page);
    if (r->run_count > 0 && *r->runs[0].workload) {
        fputs(": ", page);
        html_text(page, r->runs[0].workload);
    }
    if (r->run_count > 0)
        fprintf(page, " on %llu servers", (unsigned long long)r->runs[0].workers);
}

void report_head(FILE *page, const report *r)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'\">\n<title>",
          page);
    write_title(page, r);
    fprintf(page, "</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n<header>\n<h1>", style);
    write_title(page, r);
    fputs("</h1>\n", page);
}

static void write_run(FILE *page, const runlog *run)
{
    fputs("<b>", page);
    html_text(page, run->name);
    fputs("</b> ", page);
    if (!runlog_is_optinc(run)) {
        fputs("averages the gradients as floats, by a ring all-reduce", page);
        return;
    }
    fprintf(page,
            "sends them as %llu-bit codes through a switch of %llu ports, emulated to the "
            "bit (backend ",
            (unsigned long long)run->bits, (unsigned long long)run->ports);
    html_text(page, run->backend);
    fprintf(page, "%s)", run->error_feedback ? ", with error feedback" : "");
}

static bool same_training(const report *r)
{
    for (size_t i = 1; i < r->run_count; i++)
        if (strcmp(r->runs[i].workload, r->runs[0].workload) != 0 ||
            r->runs[i].seed != r->runs[0].seed || r->runs[i].workers != r->runs[0].workers ||
            r->runs[i].parameters != r->runs[0].parameters)
            return false;
    return true;
}

static void write_runs(FILE *page, const report *r)
{
    uint64_t steps = 0;

    for (size_t i = 0; i < r->run_count; i++)
        if (r->runs[i].step_count > steps)
            steps = r->runs[i].step_count;
    fprintf(page, "<p>%s on %llu servers, ",
            r->run_count == 1   ? "One training run"
            : !same_training(r) ? "Several training runs"
            : r->run_count == 2 ? "The same training, run twice"
                                : "The same training, run several times",
            (unsigned long long)r->runs[0].workers);
    html_count(page, steps);
    fputs(" steps, ", page);
    html_count(page, r->runs[0].parameters);
    fputs(" parameters. ", page);
    for (size_t i = 0; i < r->run_count; i++) {
        if (i > 0)
            fputs("; ", page);
        write_run(page, &r->runs[i]);
    }
    fputs(".</p>\n", page);
}

static void open_tile(FILE *page, const char *name)
{
    fprintf(page, "<div class=\"tile\"><span class=\"name\">%s</span><b>", name);
}

static void write_run_tiles(FILE *page, const report *r, const runlog *run)
{
    double difference = report_loss_difference(r, run);
    double share = report_traffic_share(r, run);
    double error = report_error_share(run);

    if (!isnan(difference)) {
        open_tile(page, "Validation loss");
        html_signed(page, difference, 4);
        fputs("</b><span>OptINC minus ring, at the end: ", page);
        html_fixed(page, runlog_last(run, offsetof(runlog_step, valid_loss)), 4);
        fputs(" against ", page);
        html_fixed(page, runlog_last(r->ring, offsetof(runlog_step, valid_loss)), 4);
        fputs("</span></div>\n", page);
    }
    if (!isnan(share)) {
        open_tile(page, "Traffic");
        fprintf(page,
                "%.1f %%</b><span>of the float ring&#39;s bytes per step and server</span>"
                "</div>\n",
                100.0 * share);
    }
    if (!isnan(error)) {
        open_tile(page, "Quantisation error");
        fprintf(page,
                "%.0f %%</b><span>of its proved bound, in the worst step measured</span>"
                "</div>\n",
                100.0 * error);
    }
}

void report_summary(FILE *page, const report *r)
{
    const runlog *run = first_optinc(r);

    if (r->run_count > 0)
        write_runs(page, r);
    fputs("<div class=\"tiles\">\n", page);
    if (run)
        write_run_tiles(page, r, run);
    if (r->design) {
        open_tile(page, "The switch");
        html_count(page, r->cost.mzis);
        fputs(" MZIs</b><span>", page);
        html_number(page, r->cost.area_mm2, 3);
        fprintf(page, " mm&sup2;, %u ports, %u bits, %s</span></div>\n",
                optinc_design_ports(r->design), optinc_design_bits(r->design),
                optinc_design_exact(r->design) ? "proved exact" : "not proved exact");
    }
    fputs("</div>\n</header>\n", page);
}

void report_foot(FILE *page, const report *r)
{
    fprintf(page, "<footer><p>Made by optinc %s from ", optinc_version());
    for (size_t i = 0; i < r->run_count; i++) {
        fputs(i ? ", <code>" : "<code>", page);
        html_text(page, r->runs[i].path);
        fputs("</code>", page);
    }
    if (r->design) {
        fputs(r->run_count ? " and <code>" : "<code>", page);
        html_text(page, r->design_path);
        fputs("</code>", page);
    }
    if (r->cluster) {
        fputs(r->run_count || r->design ? " and <code>" : "<code>", page);
        html_text(page, r->cluster_path);
        fputs("</code>", page);
    }
    if (r->choice_count > 0) {
        fputs(r->run_count || r->design || r->cluster ? " and <code>" : "<code>", page);
        html_text(page, r->choices_path);
        fputs("</code>", page);
    }
    fputs(". OptINC: arXiv 2603.28290.</p></footer>\n</main>\n</body>\n</html>\n", page);
}
