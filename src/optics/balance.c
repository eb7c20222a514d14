/* SPDX-License-Identifier: Apache-2.0 */
/* Dummies: loss that is the same on all ways is one factor, which the receivers' gains restore; loss
 * that differs from way to way changes the matrix. In a rectangular mesh of side n ways along the
 * border meet half of the cells that ways in the middle meet, in a triangular one between 1 and
 * 2 n - 3; a waveguide with the loss of a cell wherever one is missing makes them equal (Clements et
 * al. 2016 name this remedy for triangular meshes). */
#include "base/memory.h"
#include "optics/circuit.h"

typedef struct way {
    bool lit;
    oi_dummies met; /* elements that the mode's light has passed, dummies included */
} way;

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

double oi_dummies_loss_db(const oi_dummies *dummies, const optinc_device *device)
{
    return dummies->mzis * device->mzi_loss_db + dummies->splitters * device->splitter_loss_db;
}

/* What `of` lacks of `most`; a dark mode lacks nothing. */
static oi_dummies missing(const way *of, oi_dummies most)
{
    if (!of->lit)
        return (oi_dummies){0};
    return (oi_dummies){most.mzis - of->met.mzis, most.splitters - of->met.splitters};
}

static void add_most(oi_dummies *most, const way *of)
{
    if (!of->lit)
        return;
    most->mzis = larger(most->mzis, of->met.mzis);
    most->splitters = larger(most->splitters, of->met.splitters);
}

optinc_status oi_circuit_balance(optinc_circuit *circuit)
{
    size_t count = circuit->element_count;
    way *ways = oi_allocate(circuit->mode_count, sizeof *ways);
    oi_dummies most = {0};

    circuit->dummies = oi_allocate(2 * count + circuit->rows, sizeof *circuit->dummies);
    if (!ways || !circuit->dummies) {
        oi_free(ways);
        return OPTINC_ERR_OUT_OF_MEMORY;
    }
    for (uint32_t j = 0; j < circuit->cols; j++)
        ways[circuit->input_mode[j]].lit = true;
    for (size_t k = 0; k < count; k++) {
        const optinc_element *e = &circuit->elements[k];
        way *a = &ways[e->mode_a], *b = &ways[e->mode_b], both = {.lit = a->lit || b->lit};

        add_most(&both.met, a);
        add_most(&both.met, b);
        circuit->dummies[2 * k] = missing(a, both.met);
        circuit->dummies[2 * k + 1] = missing(b, both.met);
        if (e->splitter)
            both.met.splitters++;
        else
            both.met.mzis++;
        *a = *b = both;
    }
    for (uint32_t r = 0; r < circuit->rows; r++)
        add_most(&most, &ways[circuit->output_mode[r]]);
    for (uint32_t r = 0; r < circuit->rows; r++)
        circuit->dummies[2 * count + r] = missing(&ways[circuit->output_mode[r]], most);
    oi_free(ways);
    return OPTINC_OK;
}
