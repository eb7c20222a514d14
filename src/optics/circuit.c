/* SPDX-License-Identifier: Apache-2.0 */
#include "optics/circuit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "optics/layout.h"
#include "optics/mesh.h"

optinc_status oi_circuit_allocate(uint32_t rows, uint32_t cols, uint32_t mode_count,
                                  optinc_circuit **circuit)
{
    optinc_circuit *made = oi_allocate(1, sizeof *made);

    *circuit = made;
    if (!made)
        return OPTINC_ERR_OUT_OF_MEMORY;
    made->rows = rows;
    made->cols = cols;
    made->mode_count = mode_count;
    made->input_mode = oi_allocate(cols, sizeof(uint32_t));
    made->output_mode = oi_allocate(rows, sizeof(uint32_t));
    made->output_rad = oi_allocate(rows, sizeof(double));
    made->gain = oi_allocate(rows, sizeof(double));
    if (!made->input_mode || !made->output_mode || !made->output_rad || !made->gain) {
        optinc_circuit_destroy(circuit);
        return OPTINC_ERR_OUT_OF_MEMORY;
    }
    for (uint32_t i = 0; i < cols; i++)
        made->input_mode[i] = i;
    for (uint32_t i = 0; i < rows; i++) {
        made->output_mode[i] = i;
        made->gain[i] = 1;
    }
    return OPTINC_OK;
}

void optinc_circuit_destroy(optinc_circuit **circuit)
{
    if (!circuit || !*circuit)
        return;
    oi_free((*circuit)->elements);
    oi_free((*circuit)->above);
    oi_free((*circuit)->below);
    oi_free((*circuit)->input_mode);
    oi_free((*circuit)->output_mode);
    oi_free((*circuit)->output_rad);
    oi_free((*circuit)->gain);
    oi_free((*circuit)->dummies);
    oi_free((*circuit)->crossings);
    oi_free((*circuit)->padding);
    oi_free(*circuit);
    *circuit = NULL;
}

optinc_status oi_circuit_add(optinc_circuit *circuit, const optinc_element *element)
{
    if (circuit->element_count == circuit->element_capacity) {
        size_t capacity = 2 * circuit->element_capacity + 64;
        optinc_element *grown = oi_allocate(capacity, sizeof *grown);

        if (!grown)
            return OPTINC_ERR_OUT_OF_MEMORY;
        if (circuit->element_count)
            memcpy(grown, circuit->elements, circuit->element_count * sizeof *grown);
        oi_free(circuit->elements);
        circuit->elements = grown;
        circuit->element_capacity = capacity;
    }
    circuit->elements[circuit->element_count++] = *element;
    return OPTINC_OK;
}

optinc_status oi_circuit_add_mesh(optinc_circuit *circuit, const optinc_mesh *mesh,
                                  uint32_t mode_first)
{
    for (size_t i = 0; i < mesh->cell_count; i++) {
        const optinc_cell *cell = &mesh->cells[i];
        uint32_t mode = mode_first + cell->mode;
        optinc_element element = {.mode_a = mode, .mode_b = mode + 1};
        optinc_status status;

        if (mesh->form == OPTINC_CELL_SYMMETRIC) {
            /* couplers and arms a, b give i e^(i (a+b)/2) [[sin d, cos d], [cos d, -sin d]],
             * d = (a-b)/2 */
            element.in_rad = cell->edge_rad;
            element.arm_a_rad = oi_phase_wrap(cell->phi_rad - 0.5 * OI_PI + cell->theta_rad);
            element.arm_b_rad = oi_phase_wrap(cell->phi_rad - 0.5 * OI_PI - cell->theta_rad);
        } else {
            element.in_rad = cell->phi_rad;
            element.arm_a_rad = cell->theta_rad;
        }
        status = oi_circuit_add(circuit, &element);
        if (status)
            return status;
    }
    return OPTINC_OK;
}

optinc_status oi_circuit_add_attenuator(optinc_circuit *circuit, uint32_t mode, uint32_t dark_mode,
                                        double factor, double phase_rad)
{
    double theta_rad = 2 * asin(factor < 1 ? factor : 1);
    optinc_element element = {.mode_a = mode, .mode_b = dark_mode, .arm_a_rad = theta_rad};

    /* straight through: i e^(i theta/2) e^(i in) sin(theta/2) */
    element.in_rad = oi_phase_wrap(phase_rad - 0.5 * theta_rad - 0.5 * OI_PI);
    return oi_circuit_add(circuit, &element);
}

typedef struct place {
    uint32_t column;
    uint32_t mode;
    uint32_t element;
} place;

static int compare_places(const void *a, const void *b)
{
    const place *p = a, *q = b;

    if (p->column != q->column)
        return p->column < q->column ? -1 : 1;
    return p->mode < q->mode ? -1 : p->mode > q->mode;
}

optinc_status oi_circuit_finish(optinc_circuit *circuit)
{
    size_t count = circuit->element_count;
    uint32_t *next = oi_allocate(circuit->mode_count, sizeof *next);
    place *places = oi_allocate(count, sizeof *places);

    circuit->above = oi_allocate(count, sizeof(uint32_t));
    circuit->below = oi_allocate(count, sizeof(uint32_t));
    if (!next || !places || !circuit->above || !circuit->below || count >= UINT32_MAX) {
        oi_free(next);
        oi_free(places);
        return OPTINC_ERR_OUT_OF_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        optinc_element *e = &circuit->elements[i];
        uint32_t a = next[e->mode_a], b = next[e->mode_b];

        e->column = a > b ? a : b;
        next[e->mode_a] = next[e->mode_b] = e->column + 1;
        if (e->column + 1 > circuit->depth)
            circuit->depth = e->column + 1;
        places[i] = (place){e->column, e->mode_a, i};
    }
    qsort(places, count, sizeof *places, compare_places);
    for (size_t i = 0; i < count; i++) {
        bool first = i == 0 || places[i - 1].column != places[i].column;
        bool last = i + 1 == count || places[i + 1].column != places[i].column;

        circuit->above[places[i].element] = first ? UINT32_MAX : places[i - 1].element;
        circuit->below[places[i].element] = last ? UINT32_MAX : places[i + 1].element;
    }
    oi_free(next);
    oi_free(places);
    return OPTINC_OK;
}

static optinc_status check_arguments(uint32_t rows, uint32_t cols, const double *matrix,
                                     const optinc_circuit_options *options, size_t per_entry,
                                     const optinc_log *log)
{
    if (rows < 1 || cols < 1 || rows > OPTINC_MESH_SIDE_MAX || cols > OPTINC_MESH_SIDE_MAX ||
        !matrix || !options || (unsigned)options->mapping > OPTINC_MAPPING_DIRECT ||
        (unsigned)options->layout > OPTINC_MESH_TRIANGULAR ||
        (options->form != OPTINC_CELL_PHYSICAL && options->form != OPTINC_CELL_SYMMETRIC) ||
        !(options->loss_db >= 0 && options->loss_db <= 30) ||
        (options->crossed_by && optinc_device_check(options->crossed_by, log)))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "circuit: %u x %u, sides 1 .. %u, cells physical or symmetric expected",
                       rows, cols, OPTINC_MESH_SIDE_MAX);
    for (size_t i = 0; i < (size_t)rows * cols * per_entry; i++)
        if (!isfinite(matrix[i]))
            return oi_fail(log, OPTINC_ERR_NON_FINITE, "matrix entry (%zu, %zu) is not finite",
                           i / per_entry / cols, i / per_entry % cols);
    return OPTINC_OK;
}

static optinc_status count_crossings(optinc_circuit *circuit, const optinc_device *device)
{
    circuit->crossings =
        oi_allocate(2 * circuit->element_count + circuit->rows, sizeof *circuit->crossings);
    return circuit->crossings ? oi_layout_wires(circuit, device, circuit->crossings)
                              : OPTINC_ERR_OUT_OF_MEMORY;
}

/* Rows of copy become norm 1; norm [rows] keeps what they were. */
static void normalise_rows(uint32_t rows, size_t row_size, double *copy, double *norm)
{
    for (uint32_t r = 0; r < rows; r++) {
        double *row = copy + r * row_size, largest = 0, sum = 0;

        for (size_t i = 0; i < row_size; i++)
            largest = fmax(largest, fabs(row[i]));
        for (size_t i = 0; i < row_size && largest > 0; i++)
            sum += (row[i] / largest) * (row[i] / largest);
        norm[r] = largest * sqrt(sum);
        for (size_t i = 0; i < row_size && largest > 0; i++)
            row[i] = row[i] / largest / sqrt(sum);
    }
}

/* The direct mapping, in a second pass with the crossings that the first one's floor plan has. The
 * second one's are the same: its elements do not depend on losses. */
static optinc_status map_direct(uint32_t rows, uint32_t cols, const double *copy,
                                const optinc_circuit_options *options, optinc_circuit **circuit)
{
    optinc_circuit *first;
    optinc_status status = oi_circuit_allocate(rows, cols, cols, circuit);

    if (!status)
        status = oi_map_direct(*circuit, copy, options, NULL, 0);
    if (status || !options->crossed_by || options->crossed_by->crossing_loss_db == 0)
        return status;
    status = oi_circuit_finish(*circuit);
    if (!status)
        status = count_crossings(*circuit, options->crossed_by);
    if (status)
        return status;
    first = *circuit;
    status = oi_circuit_allocate(rows, cols, cols, circuit);
    if (!status)
        status = oi_map_direct(*circuit, copy, options, first->crossings, first->element_count);
    if (!status) {
        assert((*circuit)->element_count == first->element_count);
        (*circuit)->crossings = first->crossings;
        first->crossings = NULL;
    }
    optinc_circuit_destroy(&first);
    return status;
}

static optinc_status map_rows(uint32_t rows, uint32_t cols, const double *copy, bool complex_matrix,
                              const optinc_circuit_options *options, const optinc_log *log,
                              optinc_circuit **circuit)
{
    uint32_t larger = rows > cols ? rows : cols, smaller = rows > cols ? cols : rows;
    oi_complex *wide;
    optinc_status status;

    assert(options);
    if (options->mapping == OPTINC_MAPPING_SEGMENTED)
        return oi_map_segmented(rows, cols, copy, options, log, circuit);
    if (options->mapping == OPTINC_MAPPING_DIRECT)
        return map_direct(rows, cols, copy, options, circuit);
    status = oi_circuit_allocate(rows, cols, larger + smaller, circuit);
    if (status)
        return status;
    wide = oi_allocate((size_t)rows * cols, sizeof *wide);
    if (!wide)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < (size_t)rows * cols; i++)
        wide[i] =
            complex_matrix ? (oi_complex){copy[2 * i], copy[2 * i + 1]} : (oi_complex){copy[i], 0};
    status = oi_map_svd(*circuit, wide, options, log);
    oi_free(wide);
    return status;
}

static optinc_status create(uint32_t rows, uint32_t cols, const double *matrix, bool complex_matrix,
                            const optinc_circuit_options *options, const optinc_log *log,
                            optinc_circuit **circuit)
{
    size_t row_size = (size_t)cols * (complex_matrix ? 2 : 1);
    double *copy, *norm;
    optinc_status status;

    if (!circuit)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *circuit = NULL;
    status = check_arguments(rows, cols, matrix, options, complex_matrix ? 2 : 1, log);
    if (status)
        return status;
    copy = oi_duplicate(matrix, rows * row_size, sizeof *copy);
    norm = oi_allocate(rows, sizeof *norm);
    if (!copy || !norm) {
        status = OPTINC_ERR_OUT_OF_MEMORY;
    } else {
        normalise_rows(rows, row_size, copy, norm);
        status = map_rows(rows, cols, copy, complex_matrix, options, log, circuit);
    }
    for (uint32_t r = 0; r < rows && !status; r++)
        (*circuit)->gain[r] *= norm[r];
    if (!status)
        status = oi_circuit_finish(*circuit);
    if (!status && options && options->balance && options->mapping != OPTINC_MAPPING_DIRECT)
        status = oi_circuit_balance(*circuit);
    if (!status && options && options->crossed_by && !(*circuit)->crossings)
        status = count_crossings(*circuit, options->crossed_by);
    if (!status && options && options->mapping == OPTINC_MAPPING_SEGMENTED && options->crossed_by &&
        options->crossed_by->crossing_loss_db > 0)
        status = oi_equalise_segments(*circuit, options->segment_side,
                                      options->crossed_by->crossing_loss_db);
    oi_free(copy);
    oi_free(norm);
    if (status)
        optinc_circuit_destroy(circuit);
    return status;
}

optinc_status optinc_circuit_create(uint32_t rows, uint32_t cols, const double *matrix,
                                    const optinc_circuit_options *options, const optinc_log *log,
                                    optinc_circuit **circuit)
{
    return create(rows, cols, matrix, false, options, log, circuit);
}

optinc_status optinc_circuit_create_complex(uint32_t rows, uint32_t cols, const double *matrix,
                                            const optinc_circuit_options *options,
                                            const optinc_log *log, optinc_circuit **circuit)
{
    if (options && options->mapping != OPTINC_MAPPING_SVD)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "complex matrices are mapped by SVD alone");
    return create(rows, cols, matrix, true, options, log, circuit);
}

optinc_status optinc_circuit_create_unitary(uint32_t side, const double *matrix,
                                            const optinc_circuit_options *options,
                                            const optinc_log *log, optinc_circuit **circuit)
{
    optinc_mesh *mesh = NULL;
    optinc_status status;

    if (!circuit)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *circuit = NULL;
    if (!options ||
        (options->form != OPTINC_CELL_PHYSICAL && options->form != OPTINC_CELL_SYMMETRIC))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "circuit: cells physical or symmetric expected");
    status = optinc_mesh_decompose(side, matrix, options->layout, options->form, log, &mesh);
    if (!status)
        status = oi_circuit_allocate(side, side, side, circuit);
    if (!status)
        status = oi_circuit_add_mesh(*circuit, mesh, 0);
    if (!status) {
        memcpy((*circuit)->output_rad, mesh->output_rad, side * sizeof(double));
        status = oi_circuit_finish(*circuit);
    }
    optinc_mesh_destroy(&mesh);
    if (status)
        optinc_circuit_destroy(circuit);
    return status;
}

const optinc_element *optinc_circuit_elements(const optinc_circuit *circuit)
{
    return circuit->elements;
}

const uint32_t *optinc_circuit_input_mode(const optinc_circuit *circuit)
{
    return circuit->input_mode;
}

const uint32_t *optinc_circuit_output_mode(const optinc_circuit *circuit)
{
    return circuit->output_mode;
}

const double *optinc_circuit_output_rad(const optinc_circuit *circuit)
{
    return circuit->output_rad;
}

const double *optinc_circuit_gain(const optinc_circuit *circuit)
{
    return circuit->gain;
}
