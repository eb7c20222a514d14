/* SPDX-License-Identifier: Apache-2.0 */
/* The switch on the page: what it costs, what is proved of it, and its circuit. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "circuit.h"
#include "eye.h"
#include "html.h"
#include "report.h"

/* Cases up to which the design is proved anew for the page (about a second). */
#define PROVE_CASES_MAX ((uint64_t)1 << 20)
#define NAME_SIZE 16

/* The structures that are very probably the paper's, counted by the same convention. */
static const struct {
    uint32_t ports;
    uint32_t bits;
    const char *structure;
    const char *segmented_layers;
    uint64_t mzis_segmented;
    uint64_t mzis_svd;
} paper[] = {
    {4, 8, "4-64-128-256-128-64-4", "all layers segmented", 41664, 106764},
    {4, 16, "8-64-128-256-512-256-128-64-8", "layers 4 to 6 segmented", 213880, 434744},
};

static void cost_row(FILE *page, const char *name, uint64_t mzis, double area_mm2, uint64_t ours)
{
    fprintf(page, "<tr><td>%s</td><td>", name);
    html_count(page, mzis);
    fputs("</td><td>", page);
    html_fixed(page, area_mm2, area_mm2 < 100.0 ? 2 : 0);
    fputs(" mm&sup2;</td><td>", page);
    if (mzis != ours && ours > 0)
        fprintf(page, "%.*f &times;", mzis < 10 * ours ? 2 : 0, (double)mzis / (double)ours);
    fputs("</td></tr>\n", page);
}

static void cost_table(FILE *page, const report *r)
{
    double area_of_one = r->cost.mzis > 0 ? r->cost.area_mm2 / (double)r->cost.mzis : 0.0;
    uint32_t ports = optinc_design_ports(r->design);
    uint32_t bits = optinc_design_bits(r->design);
    char convention[CLI_CONVENTION_SIZE];
    bool compared = false;

    fputs("<h3>MZIs and area</h3>\n<div class=\"scroll\"><table><tr><th>Design</th><th>MZIs</th>"
          "<th>Area</th><th>Of this one</th></tr>\n",
          page);
    cost_row(page, "<b>This design</b>", r->cost.mzis, r->cost.area_mm2, r->cost.mzis);
    if (r->cost.mzis_svd != r->cost.mzis)
        cost_row(page, "This design, every layer by SVD", r->cost.mzis_svd,
                 area_of_one * (double)r->cost.mzis_svd, r->cost.mzis);
    for (size_t i = 0; i < sizeof paper / sizeof paper[0]; i++) {
        char name[160];

        if (paper[i].ports != ports || paper[i].bits != bits)
            continue;
        compared = true;
        snprintf(name, sizeof name, "Paper, %s, %s", paper[i].structure, paper[i].segmented_layers);
        cost_row(page, name, paper[i].mzis_segmented, area_of_one * (double)paper[i].mzis_segmented,
                 r->cost.mzis);
        snprintf(name, sizeof name, "Paper, %s, by SVD", paper[i].structure);
        cost_row(page, name, paper[i].mzis_svd, area_of_one * (double)paper[i].mzis_svd,
                 r->cost.mzis);
    }
    fputs("</table></div>\n<p class=\"soft small\">Counted so: ", page);
    html_text(page, cli_convention(&r->cost_options, convention));
    fputs(". An MZI takes 180 &times; 100 &micro;m (device parameters of Lightening-Transformer).",
          page);
    if (compared)
        fputs(" The paper&#39;s figures are this count applied to the structures that, by the area "
              "shares it gives, are very probably those of arXiv 2603.28290.",
              page);
    fputs("</p>\n", page);
}

static void proof_row(FILE *page, const char *name, const optinc_proof *proof)
{
    fprintf(page, "<tr><td>%s</td><td class=\"text\">%s</td><td>", name,
            cli_proof_name(proof->kind));
    html_count(page, proof->cases);
    fputs(proof->kind == OPTINC_PROOF_COMPOSITIONAL ? " states</td><td>" : " cases</td><td>", page);
    html_count(page, proof->errors);
    fputs("</td><td>", page);
    html_number(page, proof->margin_min, 6);
    fprintf(page, "</td><td class=\"text\"><span class=\"%s\">%s</span></td></tr>\n",
            proof->exact ? "good" : "bad", proof->exact ? "exact" : "not exact");
}

/* The design may be a large trained one; then only what its file says is shown. */
static bool prove_level(FILE *page, const report *r, uint32_t level)
{
    const optinc_unit *unit = optinc_design_unit(r->design, level);
    optinc_verify_options options = {.exhaustive_cases_max = PROVE_CASES_MAX};
    optinc_verify_result result;
    optinc_status status;

    if (unit->method != OPTINC_METHOD_CONSTRUCTED &&
        optinc_spec_case_count(&unit->spec) > PROVE_CASES_MAX)
        return true;
    cli_progress_start("prove");
    status = optinc_verify(r->design, level, &options, &cli_progress, &cli_log, &result);
    cli_progress_stop();
    if (status != OPTINC_OK) {
        cli_library_error(status, r->design_path);
        return false;
    }
    if (result.exhaustive.kind != OPTINC_PROOF_NONE)
        proof_row(page, "Run for this page", &result.exhaustive);
    if (result.compositional.kind != OPTINC_PROOF_NONE)
        proof_row(page, "Run for this page", &result.compositional);
    if (result.sampled.kind != OPTINC_PROOF_NONE)
        proof_row(page, "Run for this page", &result.sampled);
    return true;
}

static bool proof_table(FILE *page, const report *r)
{
    uint32_t level_count = optinc_design_level_count(r->design);

    fputs("<h3>Proof</h3>\n<div class=\"scroll\"><table><tr><th></th><th class=\"text\">Kind</th>"
          "<th>Run through the layers</th><th>Errors</th><th>Smallest margin</th>"
          "<th class=\"text\">Result</th></tr>\n",
          page);
    for (uint32_t level = 0; level < level_count; level++) {
        char name[64] = "In the design file";

        if (level_count > 1)
            snprintf(name, sizeof name, "Level %u, in the design file", level);
        proof_row(page, name, &optinc_design_unit(r->design, level)->proof);
        if (!prove_level(page, r, level))
            return false;
    }
    fputs("</table></div>\n<p class=\"soft small\">Exhaustive: every vector of digit sums through "
          "all layers, against integer arithmetic. Compositional: every state that can reach a "
          "stage, stage by stage. The margin is the distance of an analogue decision from its "
          "threshold, in units of the decision&#39;s step; 0.5 is the most.</p>\n",
          page);
    return true;
}

/* Names of the waveguides that enter a unit's layer: digit sums for the first, and the constant. */
static void name_ports(const optinc_unit *unit, uint32_t layer, uint32_t cols,
                       char (*text)[NAME_SIZE], const char **names)
{
    for (uint32_t i = 0; i < cols; i++) {
        text[i][0] = '\0';
        if (i >= unit->layers[layer].cols) {
            snprintf(text[i], NAME_SIZE, "1");
        } else if (layer == 0 && i < unit->input_count) {
            const optinc_input *input = &unit->inputs[i];
            uint32_t digits = optinc_spec_digits_in(&unit->spec);

            if (input->digit_first >= digits)
                snprintf(text[i], NAME_SIZE, "u%u", input->digit_first - digits);
            else if (input->digit_count == 1)
                snprintf(text[i], NAME_SIZE, "s%u", input->digit_first);
            else
                snprintf(text[i], NAME_SIZE, "s%u-%u", input->digit_first,
                         input->digit_first + input->digit_count - 1);
        }
        names[i] = text[i];
    }
}

static bool draw_layer(FILE *page, const report *r, const optinc_unit *unit, uint32_t index,
                       const optinc_circuit *built, uint64_t *drawn)
{
    circuit_layer circuit = {.layer = &unit->layers[index], .circuit = built};
    optinc_status status = optinc_layer_cost_of(circuit.layer, &r->cost_options, &circuit.cost);
    char(*text)[NAME_SIZE];
    const char **names;
    bool good;

    if (status != OPTINC_OK) {
        cli_library_error(status, r->design_path);
        return false;
    }
    if (r->hardware.direct)
        circuit.cost.mapping = OPTINC_MAPPING_DIRECT;
    text = calloc(circuit.cost.cols + 1u, NAME_SIZE);
    names = calloc(circuit.cost.cols + 1u, sizeof *names);
    good = text && names;
    if (good) {
        name_ports(unit, index, circuit.cost.cols, text, names);
        circuit.names = names;
        fprintf(page,
                "<figure><figcaption><b>Layer %u</b> &middot; %u &times; %u &middot; %s "
                "&middot; %s &middot; ",
                index + 1, circuit.cost.rows, circuit.cost.cols,
                cli_activation_name(circuit.layer->activation),
                cli_mapping_name(circuit.cost.mapping));
        html_count(page, built ? optinc_circuit_describe(built).mzi_count : circuit.cost.mzis);
        fputs(" MZIs</figcaption>", page);
        good = circuit_draw(page, &circuit, drawn);
        fputs("</figure>\n", page);
    } else {
        cli_error("out of memory");
    }
    free(text);
    free(names);
    return good;
}

static bool draw_level(FILE *page, const report *r, uint32_t level, bool every_mzi, uint64_t *drawn)
{
    const optinc_unit *unit = optinc_design_unit(r->design, level);
    uint64_t units = cli_units_of_level(r->design, level);
    optinc_circuit *circuits[OPTINC_LAYERS_MAX] = {NULL};
    optinc_status status = OPTINC_OK;
    bool good;

    if (every_mzi && unit->layer_count > 0)
        status = optinc_unit_circuits(unit, &r->hardware, &cli_log, circuits);
    if (status != OPTINC_OK) {
        cli_library_error(status, r->design_path);
        return false;
    }
    if (optinc_design_level_count(r->design) > 1)
        fprintf(page, "<h4>Level %u: %" PRIu64 " %s of %u ports</h4>\n", level, units,
                units == 1 ? "switch" : "equal switches", unit->spec.ports);
    fputs("<div class=\"layers\">\n", page);
    good = true;
    for (uint32_t i = 0; i < unit->layer_count && good; i++)
        good = draw_layer(page, r, unit, i, circuits[i], drawn);
    fputs("</div>\n", page);
    for (uint32_t i = 0; i < unit->layer_count; i++)
        optinc_circuit_destroy(&circuits[i]);
    return good;
}

static void explain_circuit(FILE *page, bool every_mzi)
{
    fputs(
        "<h3>Circuit</h3>\n<p class=\"soft small\">Light runs from left to right. A layer mapped "
        "by "
        "SVD is a matrix W = U &Sigma; V&prime;: two meshes of MZIs and a diagonal of attenuators; "
        "a segmented one, blocks of a mesh and a diagonal each; a direct one, fan-in and fan-out "
        "trees. Its units follow. On the left s<i>j</i> is the averaged light of digit <i>j</i> of "
        "all servers, 1 the constant that carries the bias; dots are where unused light "
        "ends.</p>\n",
        page);
    if (every_mzi) {
        fputs("<p class=\"soft small\">Boxes are phase shifters: at the input of an MZI, on its "
              "arms, "
              "and at last that of the receiver&#39;s oscillator. Their colour is the phase:</p>\n",
              page);
        circuit_legend(page);
        return;
    }
    fputs("<p>With more than ", page);
    html_count(page, REPORT_MZIS_DRAWN_MAX);
    fputs(" MZIs the layers are drawn in outline, with their counts.</p>\n", page);
}

static bool draw_circuit(FILE *page, const report *r)
{
    bool every_mzi = r->cost.mzis <= REPORT_MZIS_DRAWN_MAX;
    uint64_t drawn = 0;

    explain_circuit(page, every_mzi);
    circuit_define(page);
    for (uint32_t level = 0; level < optinc_design_level_count(r->design); level++)
        if (!draw_level(page, r, level, every_mzi, &drawn))
            return false;
    if (drawn > 0) {
        fputs("<p class=\"soft small\">MZIs drawn: ", page);
        html_count(page, drawn);
        fputs(optinc_design_level_count(r->design) > 1 ? ", each level once." : ".", page);
        if (optinc_design_level_count(r->design) == 1 && drawn != r->cost.mzis)
            fputs(" The table above counts the design&#39;s own mapping, with whole diagonals.",
                  page);
        fputs("</p>\n", page);
    }
    return true;
}

static bool draw_eyes(FILE *page, const report *r)
{
    for (uint32_t level = 0; level < optinc_design_level_count(r->design); level++) {
        const optinc_eye_options options = {.photonic = r->hardware, .level = level, .seed = 1};
        optinc_eye *eye = NULL;
        optinc_status status = optinc_eye_create(r->design, &options, &cli_log, &eye);

        if (status != OPTINC_OK) {
            cli_library_error(status, r->design_path);
            return false;
        }
        if (level == 0)
            fputs("<h3>Eyes</h3>\n<p class=\"soft small\">What the last receivers of one chip with "
                  "the given components and faults see: 8,192 random codes, the receiver&#39;s "
                  "bandwidth a Bessel filter. Shades count traces, dashes are the decisions&#39; "
                  "thresholds and instant. Height and width are those of the smallest of a "
                  "digit&#39;s three eyes, in levels and symbols; errors are those seen, and by Q "
                  "those that Gaussian noise gives at this receiver alone.</p>\n",
                  page);
        if (optinc_design_level_count(r->design) > 1)
            fprintf(page, "<h4>Level %u</h4>\n", level);
        fputs("<figure>", page);
        eye_draw(page, eye, true);
        fputs("</figure>\n", page);
        optinc_eye_destroy(&eye);
    }
    return true;
}

bool report_design(FILE *page, const report *r)
{
    optinc_spec spec = optinc_design_flat_spec(r->design);

    fprintf(page,
            "<section>\n<h2>The switch</h2>\n<p>%u ports, %u-bit codes as %u PAM4 symbols, %s "
            "rounding, %s, checksum <code>%016" PRIx64 "</code>.</p>\n",
            optinc_design_ports(r->design), optinc_design_bits(r->design),
            optinc_design_bits(r->design) / 2, cli_variant_name(spec.variant),
            cli_method_name(optinc_design_unit(r->design, 0)->method),
            optinc_design_checksum(r->design));
    if (!proof_table(page, r))
        return false;
    cost_table(page, r);
    if (!draw_circuit(page, r) || (r->eyes && !draw_eyes(page, r)))
        return false;
    fputs("</section>\n", page);
    return true;
}
