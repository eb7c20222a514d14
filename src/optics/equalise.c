/* SPDX-License-Identifier: Apache-2.0 */
/* Crossings of a segmented circuit. Where the inputs of a mesh lose differently, diag(d) U diag(loss) is
 * in general no diagonal times an orthogonal matrix, so no phases and no attenuators behind the mesh
 * mend it. Padding does: crossings whose other waveguide is idle bring all inputs of a mesh to the
 * most that one of them has. What is left is a loss for each block and row, which the attenuators
 * there and the rows' gains make up for. */
#include <assert.h>

#include "base/memory.h"
#include "optics/circuit.h"

typedef struct ways {
    optinc_circuit *circuit;
    uint32_t side;
    uint32_t lit; /* modes 0 .. lit-1 are those of blocks, side each; attenuators have the others */
    size_t *first;   /* [lit] 1 + 2 element + port: the mode's first in its block; 0: not yet met */
    uint32_t *met;   /* [lit] crossings of the mode's light so far */
    uint32_t *most;  /* [lit / side] of a block's inputs */
    uint32_t *ahead; /* [lit] crossings from behind the mode's last visited element to a receiver */
    double *factor;  /* [lit] of the attenuators, with what makes up for the way's loss */
} ways;

static void enter(ways *w, uint32_t mode, size_t wire)
{
    if (w->first[mode])
        return;
    w->first[mode] = wire + 1;
    w->met[mode] += w->circuit->crossings[wire];
    if (w->met[mode] > w->most[mode / w->side])
        w->most[mode / w->side] = w->met[mode];
}

/* From the inputs through their trees (angles above 0, one lit input) to the blocks. */
static void follow_inputs(ways *w)
{
    for (size_t k = 0; k < w->circuit->element_count; k++) {
        const optinc_element *e = &w->circuit->elements[k];

        if (!e->splitter) {
            enter(w, e->mode_a, 2 * k);
            if (e->mode_b < w->lit)
                enter(w, e->mode_b, 2 * k + 1);
        } else if (e->angle_rad > 0) {
            w->met[e->mode_a] += w->circuit->crossings[2 * k];
            w->met[e->mode_b] = w->met[e->mode_a];
        }
    }
}

static void pad(ways *w)
{
    optinc_circuit *circuit = w->circuit;

    for (uint32_t mode = 0; mode < w->lit; mode++) {
        uint32_t lacking = w->most[mode / w->side] - w->met[mode];

        assert(w->first[mode]);
        circuit->padding[w->first[mode] - 1] = lacking;
        circuit->crossings[w->first[mode] - 1] += lacking;
    }
}

/* From the receivers back to the attenuators, whose factors rise by what their light loses. */
static void follow_outputs(ways *w, double crossing_loss_db)
{
    const optinc_circuit *circuit = w->circuit;

    for (uint32_t r = 0; r < circuit->rows; r++)
        w->ahead[circuit->output_mode[r]] = circuit->crossings[2 * circuit->element_count + r];
    for (size_t k = circuit->element_count; k-- > 0;) {
        const optinc_element *e = &circuit->elements[k];
        const uint32_t *wire = &circuit->crossings[2 * k];

        if (e->splitter && e->angle_rad < 0) {
            w->ahead[e->mode_b] = w->ahead[e->mode_a] + wire[1];
            w->ahead[e->mode_a] += wire[0];
        } else if (!e->splitter && e->mode_b >= w->lit) {
            uint32_t block = e->mode_a / w->side, lost = w->most[block] + w->ahead[e->mode_a];

            if (w->first[e->mode_a] != 2 * k + 1)
                lost += wire[0];
            w->factor[e->mode_a] = sin(0.5 * e->arm_a_rad) * pow(10, lost * crossing_loss_db / 20);
        }
    }
}

/* The largest factor of a row goes to its gain, as in the mapping. */
static void set_attenuators(ways *w)
{
    optinc_circuit *circuit = w->circuit;
    uint32_t side = w->side, block_cols = circuit->cols / side;

    for (uint32_t r = 0; r < circuit->rows; r++) {
        uint32_t base = r / side * block_cols * side + r % side;
        double largest = 0;

        for (uint32_t c = 0; c < block_cols; c++)
            largest = fmax(largest, w->factor[base + c * side]);
        for (uint32_t c = 0; c < block_cols && largest > 0; c++)
            w->factor[base + c * side] /= largest;
        if (largest > 0)
            circuit->gain[r] *= largest;
    }
    for (size_t k = 0; k < circuit->element_count; k++) {
        optinc_element *e = &circuit->elements[k];
        double before_rad = e->arm_a_rad;

        if (e->splitter || e->mode_b < w->lit)
            continue;
        e->arm_a_rad = 2 * asin(fmin(w->factor[e->mode_a], 1));
        e->in_rad = oi_phase_wrap(e->in_rad + 0.5 * (before_rad - e->arm_a_rad));
    }
}

optinc_status oi_equalise_segments(optinc_circuit *circuit, uint32_t side, double crossing_loss_db)
{
    uint32_t lit = circuit->mode_count / 2;
    ways w = {.circuit = circuit,
              .side = side,
              .lit = lit,
              .first = oi_allocate(lit, sizeof *w.first),
              .met = oi_allocate(lit, sizeof *w.met),
              .most = oi_allocate(lit / side, sizeof *w.most),
              .ahead = oi_allocate(lit, sizeof *w.ahead),
              .factor = oi_allocate(lit, sizeof *w.factor)};
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    circuit->padding = oi_allocate(2 * circuit->element_count, sizeof *circuit->padding);
    if (w.first && w.met && w.most && w.ahead && w.factor && circuit->padding) {
        follow_inputs(&w);
        pad(&w);
        follow_outputs(&w, crossing_loss_db);
        set_attenuators(&w);
        status = OPTINC_OK;
    }
    oi_free(w.first);
    oi_free(w.met);
    oi_free(w.most);
    oi_free(w.ahead);
    oi_free(w.factor);
    return status;
}
