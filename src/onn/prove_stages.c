/* SPDX-License-Identifier: Apache-2.0 */
/* The compositional proof. It shows, layer by layer, a statement of this form for every unit:
 *
 *     whatever the case, the unit's value is slope(v) delta + rest(v), |delta| <= deviation(v),
 *
 * where v is the value that one integer quantity (a digit sum, an offset digit or a stage value x_k)
 * has in that case, rest(v) an interval, and delta one number for all units of that quantity. The
 * inputs satisfy it by what they are. A row W x + b of the next layer is a sum of terms, each a
 * function of one quantity up to its interval. Of the quantities in a row one is chosen to speak for
 * it: x_k, followed through all that x_k is made of (x_(k-1), s_k, o_k, in every combination that can
 * occur), or a quantity that just rides along; all others are taken at their worst. That the choice is
 * clever decides whether the proof succeeds, never whether it is sound. Nothing is assumed about the
 * weights.
 *
 * The shared delta is for ReLU pairs: relu(z) - relu(z-1) is 1 however z is off, as both are off by
 * the same; with intervals alone every stage would multiply the errors of the one before. The first
 * row of a quantity defines delta, as what W x + b is off from its centre; a row W' = beta W + R is
 * beta times that, and an interval for R.
 *
 * Rounding. The forward pass computes b + sum w_i x_i, n terms, in some order with or without fused
 * operations: off by at most gamma_(n+1) S, S = |b| + sum |w_i| max |x_i|, gamma_m = m u / (1 - m u),
 * u = 2^-53 (Higham, Accuracy and Stability, section 3.1). The ends of the intervals are computed
 * here in doubles with at most n + 8 roundings. Each interval is widened by 4 (n + 8) (u S + m X), which
 * covers both; m = 2^-1022 is the smallest normal double and X = 1e150 the largest value of a unit:
 * where something underflows the error is absolute, and may then be multiplied by a unit's value.
 * Activations are monotone and exact.
 *
 * At the end, digit k must be what the receiver makes of every value of its interval, in every state
 * of x_k. The integer chain of onn/stages.h says that these digits are the result. */
#include "base/log.h"
#include "base/memory.h"
#include "onn/forward.h"
#include "onn/prove.h"
#include "onn/prove_terms.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define NO_ROW UINT32_MAX

/* The row that defines a quantity's delta in the layer being proved. */
typedef struct leader {
    uint32_t row;
    double size;
    double centre[OI_STAGE_VALUE_MAX];
} leader;

typedef struct prover {
    const optinc_unit *unit;
    const optinc_log *log;
    oi_domains domains;
    oi_layer_state layers[2];
    oi_row_terms terms;
    leader leaders[OI_QUANTITY_COUNT];
    double *remainder;                    /* [widest layer] weights of W' - beta W */
    oi_interval row[OI_STAGE_VALUE_MAX];  /* the row before its activation, by value number */
    oi_interval rest[OI_STAGE_VALUE_MAX]; /* the same as slope delta + rest */
    oi_interval trial[OI_STAGE_VALUE_MAX];
    double slope;
    bool overflow;                   /* a value so large that the forward pass might overflow */
    bool counted[OI_QUANTITY_COUNT]; /* its states in this layer are in proof->cases */
    optinc_proof *proof;
} prover;

static uint32_t domain_count(const prover *p, uint32_t quantity)
{
    return p->domains.domain[quantity].count;
}

static void check_magnitude(prover *p, double magnitude)
{
    if (!(magnitude <= OI_MAGNITUDE_MAX))
        p->overflow = true;
}

/* The inputs take exactly the values that the forward pass gives them. */
static optinc_status set_inputs(prover *p, oi_layer_state *layer)
{
    const optinc_unit *unit = p->unit;
    uint32_t digits_in = optinc_spec_digits_in(&unit->spec);

    layer->rows = unit->input_count;
    for (uint32_t row = 0; row < layer->rows; row++) {
        const optinc_input *input = &unit->inputs[row];
        bool is_sum = input->digit_first < digits_in;
        uint32_t stage = is_sum ? input->digit_first : input->digit_first - digits_in;
        uint32_t quantity = (is_sum ? OI_QUANTITY_SUM : OI_QUANTITY_OFFSET) + stage;
        oi_interval *rest = layer->rest + (size_t)row * layer->index_max;
        uint32_t shift = 0, gain = 1;

        if (input->digit_count != 1)
            return oi_fail(p->log, OPTINC_ERR_UNSUPPORTED,
                           "a proof by stages needs every digit sum at an input of its own");
        if (stage >= p->domains.stages.count || domain_count(p, quantity) == 1) {
            /* digits beyond the result's range are always 0 */
            quantity = OI_QUANTITY_CONSTANT;
        } else if (is_sum && oi_domains_sum_is_value(&p->domains, stage)) {
            quantity = OI_QUANTITY_VALUE + stage;
            shift = p->domains.carry[stage].value[0] + p->domains.stages.offset[stage];
            gain = p->domains.stages.gain;
        }
        layer->quantity[row] = quantity;
        layer->magnitude[row] = 0;
        for (uint32_t i = 0; i < domain_count(p, quantity); i++) {
            uint32_t value = (p->domains.domain[quantity].value[i] - shift) / gain;

            rest[i].lo = rest[i].hi = oi_input_value(unit, input, value);
            layer->magnitude[row] = fmax(layer->magnitude[row], fabs(rest[i].hi));
        }
        check_magnitude(p, layer->magnitude[row]);
    }
    return OPTINC_OK;
}

/* The row begins a quantity: it defines delta, and is 1 delta + its centre, up to rounding. */
static void lead(prover *p, uint32_t row, uint32_t quantity, double slack, oi_layer_state *above)
{
    leader *first = &p->leaders[quantity];
    double *deviation = above->deviation + (size_t)quantity * above->index_max;

    first->row = row;
    first->size = p->terms.size;
    p->slope = 1;
    for (uint32_t i = 0; i < domain_count(p, quantity); i++) {
        double centre = p->row[i].lo + (p->row[i].hi - p->row[i].lo) / 2;
        double reach = fmax(p->row[i].hi - centre, centre - p->row[i].lo);

        first->centre[i] = centre;
        deviation[i] = reach * (1 + 4 * DBL_EPSILON); /* its own rounding */
        p->rest[i] = (oi_interval){centre - slack, centre + slack};
    }
}

/* The row has a quantity that another row began: W' = beta W + R, if that is narrower than p->row,
 * what is known without. size: of the row's own terms. */
static void follow(prover *p, const optinc_layer *layer, uint32_t row, uint32_t quantity,
                   const oi_layer_state *below, double size)
{
    const leader *first = &p->leaders[quantity];
    const double *own = layer->weight + (size_t)row * layer->cols;
    const double *led = layer->weight + (size_t)first->row * layer->cols;
    bool is_value = quantity >= OI_QUANTITY_VALUE && quantity < OI_QUANTITY_CONSTANT;
    uint32_t largest = 0, count = domain_count(p, quantity);
    double beta, width = 0, narrow;

    for (uint32_t col = 0; col < layer->cols; col++)
        if (fabs(led[col]) > fabs(led[largest]))
            largest = col;
    beta = led[largest] != 0 ? own[largest] / led[largest] : 0;
    for (uint32_t col = 0; col < layer->cols; col++)
        p->remainder[col] = own[col] - beta * led[col];
    oi_terms_gather(&p->terms, p->remainder, layer->bias[row] - beta * layer->bias[first->row],
                    layer->cols, below);
    /* R, its bias and beta times the centre are rounded too, in proportion to both rows */
    size += fabs(beta) * first->size;
    check_magnitude(p, size);
    narrow = oi_terms_evaluate(&p->terms, quantity, is_value, oi_terms_slack(layer->cols, size),
                               p->trial);
    for (uint32_t i = 0; i < count; i++)
        width = fmax(width, p->row[i].hi - p->row[i].lo);
    p->slope = narrow < width ? beta : 0;
    for (uint32_t i = 0; i < count; i++) {
        double shift = beta * first->centre[i];

        p->rest[i] =
            narrow < width ? oi_interval_sum(p->trial[i], (oi_interval){shift, shift}) : p->row[i];
    }
}

/* A quantity begun by a row of the very same weights, as all steps of a stage have; else
 * OI_QUANTITY_COUNT. */
static uint32_t find_same_weights(const prover *p, const optinc_layer *layer, uint32_t row)
{
    size_t size = layer->cols * sizeof *layer->weight;
    const double *own = layer->weight + (size_t)row * layer->cols;

    for (uint32_t quantity = 0; quantity < OI_QUANTITY_COUNT; quantity++) {
        uint32_t first = p->leaders[quantity].row;

        if (first != NO_ROW && memcmp(layer->weight + (size_t)first * layer->cols, own, size) == 0)
            return quantity;
    }
    return OI_QUANTITY_COUNT;
}

/* Finds the row's quantity, and the row before its activation: p->slope delta + p->rest. */
static uint32_t prove_row(prover *p, const optinc_layer *layer, uint32_t row,
                          const oi_layer_state *below, oi_layer_state *above)
{
    const double *weight = layer->weight + (size_t)row * layer->cols;
    uint32_t quantity = find_same_weights(p, layer, row);
    double slack;

    if (quantity < OI_QUANTITY_COUNT) {
        for (uint32_t i = 0; i < domain_count(p, quantity); i++)
            p->row[i] = (oi_interval){-INFINITY, INFINITY};
        follow(p, layer, row, quantity, below, p->leaders[quantity].size + fabs(layer->bias[row]));
        return quantity;
    }
    oi_terms_gather(&p->terms, weight, layer->bias[row], layer->cols, below);
    check_magnitude(p, p->terms.size);
    slack = oi_terms_slack(layer->cols, p->terms.size);
    quantity = oi_terms_choose(&p->terms, slack, p->row, p->trial);
    if (p->leaders[quantity].row == NO_ROW)
        lead(p, row, quantity, slack, above);
    else
        follow(p, layer, row, quantity, below, p->terms.size);
    return quantity;
}

/* One value of a unit from slope delta + rest before the activation, total what that comes to:
 * affine where the activation is, an interval at its bends. */
static void activate(optinc_activation activation, oi_interval total, double slope,
                     oi_interval *rest, double *slope_out)
{
    bool straight = activation == OPTINC_ACTIVATION_LINEAR ||
                    (total.lo >= 0 && (activation == OPTINC_ACTIVATION_RELU || total.hi <= 1));

    if (straight) {
        *slope_out = slope;
        return;
    }
    rest->lo = oi_activate(activation, total.lo);
    rest->hi = oi_activate(activation, total.hi);
    *slope_out = 0;
}

/* A unit that cuts off values somewhere decides something; one whose values only touch the ends of
 * its range by rounding just carries them. Distances are in units of the quantity's step. */
#define CUT_MIN 0.05

/* Smallest distance of a step unit's input from the points where its slope begins and ends, in units
 * of that input: the most that the row changes for one unit of its quantity is one input unit.
 * 0.5 where the unit is not a step. */
static double step_margin(const prover *p, uint32_t quantity, optinc_activation activation)
{
    const oi_domain *domain = &p->domains.domain[quantity];
    bool saturates = activation == OPTINC_ACTIVATION_SATURATING;
    double steepest = 0, margin = 0.5;
    bool cuts = false;

    for (uint32_t i = 0; i + 1 < domain->count; i++) {
        double rise = (p->row[i + 1].lo + p->row[i + 1].hi - p->row[i].lo - p->row[i].hi) / 2;

        steepest = fmax(steepest, fabs(rise) / (domain->value[i + 1] - domain->value[i]));
    }
    if (activation == OPTINC_ACTIVATION_LINEAR || !(steepest > 0))
        return margin;
    for (uint32_t i = 0; i < domain->count; i++) {
        double under = -p->row[i].hi / steepest; /* how far it is beyond an end */
        double over = (p->row[i].lo - 1) / steepest;

        cuts = cuts || under > CUT_MIN || (saturates && over > CUT_MIN);
        if (!saturates)
            over = p->row[i].lo / steepest;
        margin = fmin(margin, fmax(0, fmax(under, over)));
    }
    return cuts ? margin : 0.5;
}

static void count_states(prover *p, uint32_t quantity)
{
    uint64_t states = domain_count(p, quantity);
    uint32_t stage = quantity - OI_QUANTITY_VALUE;

    if (p->counted[quantity])
        return;
    p->counted[quantity] = true;
    if (quantity >= OI_QUANTITY_VALUE && quantity < OI_QUANTITY_CONSTANT)
        states = (stage > 0 ? domain_count(p, quantity - 1) : (uint64_t)1) *
                 domain_count(p, OI_QUANTITY_SUM + stage) *
                 domain_count(p, OI_QUANTITY_OFFSET + stage);
    p->proof->cases += states;
}

static void prove_hidden_row(prover *p, const optinc_layer *layer, uint32_t row,
                             const oi_layer_state *below, oi_layer_state *above)
{
    uint32_t quantity = prove_row(p, layer, row, below, above);
    const double *deviation = above->deviation + (size_t)quantity * above->index_max;
    oi_interval *rest = above->rest + (size_t)row * above->index_max;
    double *slope = above->slope + (size_t)row * above->index_max;
    double magnitude = 0;

    for (uint32_t i = 0; i < domain_count(p, quantity); i++) {
        double reach = fabs(p->slope) * deviation[i] * (1 + 4 * DBL_EPSILON);

        p->row[i] = oi_interval_widen(p->rest[i], reach);
        rest[i] = p->rest[i];
        activate(layer->activation, p->row[i], p->slope, &rest[i], &slope[i]);
        magnitude = fmax(magnitude,
                         fmax(fabs(rest[i].lo), fabs(rest[i].hi)) + fabs(slope[i]) * deviation[i]);
    }
    above->magnitude[row] = magnitude * (1 + 4 * DBL_EPSILON);
    above->quantity[row] = quantity;
    check_magnitude(p, magnitude);
    p->proof->margin_min = fmin(p->proof->margin_min, step_margin(p, quantity, layer->activation));
    count_states(p, quantity);
}

/* Distance of [lo, hi] from what the receiver would take for another digit; negative where it
 * would. */
static double digit_margin(oi_interval y, uint32_t digit)
{
    double below = digit > 0 ? y.lo - (digit - 0.5) : 0.5;
    double above = digit < 3 ? digit + 0.5 - y.hi : 0.5;

    return fmin(0.5, fmin(below, above));
}

/* Output row j must be digit k = q + j of the chain, in every state of x_k. */
static void prove_digit(prover *p, const optinc_layer *layer, uint32_t row,
                        const oi_layer_state *below)
{
    const double *weight = layer->weight + (size_t)row * layer->cols;
    uint32_t stage = p->domains.stages.first_out + row;
    uint32_t anchor = oi_domains_anchor(&p->domains, stage);
    uint32_t target = OI_QUANTITY_VALUE + anchor;

    oi_terms_gather(&p->terms, weight, layer->bias[row], layer->cols, below);
    check_magnitude(p, p->terms.size);
    oi_terms_evaluate(&p->terms, target, true, oi_terms_slack(layer->cols, p->terms.size), p->row);
    p->counted[target] = false; /* each digit's states count */
    count_states(p, target);
    for (uint32_t i = 0; i < domain_count(p, target); i++) {
        uint32_t value = p->domains.domain[target].value[i];
        uint32_t x = oi_domains_follow(&p->domains, value, stage);
        double margin;

        if (x > p->domains.stages.value_max[stage])
            continue; /* the result would not fit: cannot occur */
        margin = digit_margin(p->row[i], x % 4);
        if (!(margin > 0)) {
            if (p->proof->errors++ == 0)
                oi_log(p->log, OPTINC_LOG_WARNING,
                       "not proved: digit %u is %u where x_%u = %u, but its output may be "
                       "anything from %g to %g",
                       row, x % 4, anchor, value, p->row[i].lo, p->row[i].hi);
            margin = 0;
        }
        p->proof->margin_min = fmin(p->proof->margin_min, margin);
    }
}

static void prove_layer(prover *p, uint32_t index)
{
    const optinc_layer *layer = &p->unit->layers[index];
    const oi_layer_state *below = &p->layers[index % 2];
    oi_layer_state *above = &p->layers[(index + 1) % 2];

    memset(p->counted, 0, sizeof p->counted);
    memset(above->deviation, 0,
           OI_QUANTITY_COUNT * (size_t)above->index_max * sizeof *above->deviation);
    for (uint32_t quantity = 0; quantity < OI_QUANTITY_COUNT; quantity++)
        p->leaders[quantity].row = NO_ROW;
    above->rows = layer->rows;
    for (uint32_t row = 0; row < layer->rows; row++)
        if (index + 1 < p->unit->layer_count)
            prove_hidden_row(p, layer, row, below, above);
        else
            prove_digit(p, layer, row, below);
}

static bool allocate_layer(uint32_t rows_max, uint32_t index_max, oi_layer_state *layer)
{
    size_t cells = (size_t)rows_max * index_max;

    layer->index_max = index_max;
    layer->quantity = oi_allocate(rows_max, sizeof *layer->quantity);
    layer->rest = oi_allocate(cells, sizeof *layer->rest);
    layer->slope = oi_allocate(cells, sizeof *layer->slope);
    layer->magnitude = oi_allocate(rows_max, sizeof *layer->magnitude);
    layer->deviation = oi_allocate((size_t)OI_QUANTITY_COUNT * index_max, sizeof *layer->deviation);
    return layer->quantity && layer->rest && layer->slope && layer->magnitude && layer->deviation;
}

static void free_layer(oi_layer_state *layer)
{
    oi_free(layer->quantity);
    oi_free(layer->rest);
    oi_free(layer->slope);
    oi_free(layer->magnitude);
    oi_free(layer->deviation);
}

static optinc_status prove(prover *p)
{
    const optinc_unit *unit = p->unit;
    uint32_t side_max = unit->input_count;
    optinc_status status;

    for (uint32_t i = 0; i < unit->layer_count; i++)
        side_max = unit->layers[i].rows > side_max ? unit->layers[i].rows : side_max;
    p->remainder = oi_allocate(side_max, sizeof *p->remainder);
    if (!p->remainder || !allocate_layer(side_max, p->domains.index_max, &p->layers[0]) ||
        !allocate_layer(side_max, p->domains.index_max, &p->layers[1]))
        return oi_fail(p->log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for a proof by stages");
    status = set_inputs(p, &p->layers[0]);
    if (status != OPTINC_OK)
        return status;
    for (uint32_t i = 0; i < unit->layer_count; i++)
        prove_layer(p, i);
    if (p->overflow) {
        oi_log(p->log, OPTINC_LOG_WARNING, "not proved: values beyond %g", OI_MAGNITUDE_MAX);
        p->proof->errors = p->proof->cases;
        p->proof->margin_min = 0;
    }
    p->proof->exact = p->proof->errors == 0;
    return OPTINC_OK;
}

optinc_status oi_prove_stages(const optinc_unit *unit, const optinc_log *log, optinc_proof *proof)
{
    prover *p = oi_allocate(1, sizeof *p);
    optinc_status status;

    *proof =
        (optinc_proof){.kind = OPTINC_PROOF_COMPOSITIONAL, .margin_min = 0.5, .error_bound = NAN};
    if (!p)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for a proof by stages");
    p->unit = unit;
    p->log = log;
    p->proof = proof;
    oi_domains_of(&unit->spec, &p->domains);
    p->terms.domains = &p->domains;
    status = prove(p);
    free_layer(&p->layers[0]);
    free_layer(&p->layers[1]);
    oi_free(p->remainder);
    oi_free(p);
    return status;
}
