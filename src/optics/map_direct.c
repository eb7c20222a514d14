/* SPDX-License-Identifier: Apache-2.0 */
/* Direct mapping (docs/optics.md). Columns that are multiples of one another become one value
 * in a fan-in tree; rows that are (their bias apart) become one value, handed out by a fan-out tree;
 * what is left between values and rows is sparse: every entry is one branch of a value's fan-out
 * tree that ends in one input of a row's fan-in tree. A single entry is a plain waveguide. The bias
 * is added to each row last, so that equal rows with different biases share everything else.
 *
 * A tree of MZIs is passive: amplitudes fan in as sum c_j x_j / |c| and fan out as x t_i, |t| = 1.
 * Each row's gain makes up for both. An MZI's loss and a crossing's, where they are known, are part of
 * every branch's share, so that ways of different lengths still add up as they should. An MZI's own
 * phase i e^(i theta/2) is noted per mode, and the next MZI's input shifter, or the receiver's local
 * oscillator, takes it back. */
#include <string.h>

#include "base/memory.h"
#include "optics/circuit.h"

#define PARALLEL_TOLERANCE 1e-12

typedef struct plan {
    optinc_circuit *circuit;
    const double *matrix;
    uint32_t rows;
    uint32_t signal_cols; /* without the bias */
    bool bias;
    double keep;               /* amplitude that an MZI leaves of what it gets */
    double crossing_keep;      /* and a crossing */
    const uint32_t *crossings; /* borrowed: as of the finished circuit; NULL: none */
    size_t element_count;      /* of that */
    double *pending_rad;       /* [mode_capacity] phase that each mode is ahead of its real value */
    uint32_t mode_capacity;
    uint32_t *column_group; /* [signal_cols] or UINT32_MAX for a column of zeros */
    double *column_factor;  /* column = factor times its group's first column */
    uint32_t column_group_count;
    uint32_t *group_column; /* [column_group_count] the first column */
    uint32_t *row_group;    /* [rows] or UINT32_MAX for a row without signal */
    double *row_factor;
    uint32_t row_group_count;
    uint32_t *group_row;
    uint32_t *branch_mode; /* [row_group_count, column_group_count] */
    double *branch_share;  /* share of the value that the branch carries; 0: no branch */
    uint32_t *list_mode;   /* scratch [rows + cols] */
    double *list_factor;
    uint32_t *row_mode; /* [rows] */
    double *row_share;  /* [rows] row's signal = share times the group's row / group's scale */
    double *group_scale;
} plan;

static double entry(const plan *p, uint32_t r, uint32_t c)
{
    return p->matrix[(size_t)r * p->circuit->cols + c];
}

static optinc_status new_mode(plan *p, uint32_t *mode)
{
    if (p->circuit->mode_count == p->mode_capacity) {
        uint32_t capacity = 2 * p->mode_capacity + 16;
        double *grown = oi_allocate(capacity, sizeof *grown);

        if (!grown)
            return OPTINC_ERR_OUT_OF_MEMORY;
        memcpy(grown, p->pending_rad, p->mode_capacity * sizeof *grown);
        oi_free(p->pending_rad);
        p->pending_rad = grown;
        p->mode_capacity = capacity;
    }
    *mode = p->circuit->mode_count++;
    return OPTINC_OK;
}

/* Amplitude that the waveguide to input 0 or 1 of the next element leaves. */
static double wire_keep(const plan *p, size_t input)
{
    return p->crossings ? pow(p->crossing_keep, p->crossings[2 * p->circuit->element_count + input])
                        : 1;
}

static double receiver_keep(const plan *p, uint32_t r)
{
    return p->crossings ? pow(p->crossing_keep, p->crossings[2 * p->element_count + r]) : 1;
}

/* Mode a becomes keep (c_a x_a + c_b x_b) / |c|. */
static optinc_status combine(plan *p, uint32_t a, uint32_t b, double c_a, double c_b)
{
    optinc_element mzi = {.mode_a = a, .mode_b = b, .arm_a_rad = 2 * atan2(fabs(c_a), fabs(c_b))};
    double turn = c_b < 0 ? OI_PI : 0;

    mzi.in_rad =
        oi_phase_wrap(p->pending_rad[b] - p->pending_rad[a] + ((c_a < 0) != (c_b < 0) ? OI_PI : 0));
    p->pending_rad[a] = oi_phase_wrap(p->pending_rad[b] + turn + 0.5 * mzi.arm_a_rad + 0.5 * OI_PI);
    return oi_circuit_add(p->circuit, &mzi);
}

/* Mode a becomes keep share_a x, the dark mode b keep share_b x; the shares' squares add up to 1. */
static optinc_status split(plan *p, uint32_t a, uint32_t b, double share_a, double share_b)
{
    optinc_element mzi = {.mode_a = a, .mode_b = b, .arm_a_rad = 2 * atan2(share_a, share_b)};

    p->pending_rad[a] = oi_phase_wrap(p->pending_rad[a] + 0.5 * mzi.arm_a_rad + 0.5 * OI_PI);
    p->pending_rad[b] = p->pending_rad[a];
    return oi_circuit_add(p->circuit, &mzi);
}

/* sum factor[i] x(mode[i]) / norm on mode[0]; norm is |factor| without loss. */
static optinc_status fan_in(plan *p, const uint32_t *mode, const double *factor, uint32_t count,
                            double *norm)
{
    uint32_t half = (count + 1) / 2;
    double left, right;
    optinc_status status;

    if (count == 1) {
        *norm = fabs(factor[0]);
        if (factor[0] < 0)
            p->pending_rad[mode[0]] = oi_phase_wrap(p->pending_rad[mode[0]] + OI_PI);
        return OPTINC_OK;
    }
    status = fan_in(p, mode, factor, half, &left);
    if (!status)
        status = fan_in(p, mode + half, factor + half, count - half, &right);
    if (status)
        return status;
    left /= wire_keep(p, 0);
    right /= wire_keep(p, 1);
    *norm = hypot(left, right) / p->keep;
    return combine(p, mode[0], mode[half], left, right);
}

/* Shares of mode[0]'s value on mode[0 .. count-1], new but for the first: 1 / sqrt(count) each
 * without loss. share[0] is what mode[0] carries at first; share [count] what each does then. */
static optinc_status fan_out(plan *p, uint32_t *mode, double *share, uint32_t count)
{
    uint32_t half = (count + 1) / 2;
    double first = sqrt((double)half / count), second = sqrt((double)(count - half) / count);
    double comes = share[0];
    optinc_status status;

    if (count < 2)
        return OPTINC_OK;
    comes *= wire_keep(p, 0);
    status = new_mode(p, &mode[half]);
    if (!status)
        status = split(p, mode[0], mode[half], first, second);
    share[half] = comes * p->keep * second;
    share[0] = comes * p->keep * first;
    if (!status)
        status = fan_out(p, mode, share, half);
    return status ? status : fan_out(p, mode + half, share + half, count - half);
}

/* Is vector b a multiple of a? Strides apart, count long; *factor = b / a. */
static bool parallel(const double *a, const double *b, size_t stride, uint32_t count,
                     double *factor)
{
    uint32_t peak = 0;

    for (uint32_t i = 1; i < count; i++)
        if (fabs(a[i * stride]) > fabs(a[peak * stride]))
            peak = i;
    if (a[peak * stride] == 0 || b[peak * stride] == 0)
        return false;
    *factor = b[peak * stride] / a[peak * stride];
    for (uint32_t i = 0; i < count; i++)
        if (fabs(b[i * stride] - *factor * a[i * stride]) >
            PARALLEL_TOLERANCE * fabs(b[peak * stride]))
            return false;
    return true;
}

static bool all_zero(const double *a, size_t stride, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i * stride] != 0)
            return false;
    return true;
}

/* Groups of parallel vectors: vector v starts at base + v vector_stride. */
static uint32_t group_vectors(const double *base, size_t vector_stride, size_t stride,
                              uint32_t vector_count, uint32_t length, uint32_t *group,
                              double *factor, uint32_t *first)
{
    uint32_t count = 0;

    for (uint32_t v = 0; v < vector_count; v++) {
        const double *vector = base + v * vector_stride;
        uint32_t g = 0;

        group[v] = UINT32_MAX;
        factor[v] = 0;
        if (all_zero(vector, stride, length))
            continue;
        while (g < count &&
               !parallel(base + first[g] * vector_stride, vector, stride, length, &factor[v]))
            g++;
        if (g == count) {
            first[count++] = v;
            factor[v] = 1;
        }
        group[v] = g;
    }
    return count;
}

static optinc_status gather_columns(plan *p)
{
    optinc_status status = OPTINC_OK;

    for (uint32_t g = 0; g < p->column_group_count && !status; g++) {
        uint32_t count = 0, users = 0;
        double norm = 1;

        for (uint32_t c = 0; c < p->signal_cols; c++)
            if (p->column_group[c] == g) {
                p->list_mode[count] = c;
                p->list_factor[count++] = p->column_factor[c];
            }
        status = fan_in(p, p->list_mode, p->list_factor, count, &norm);
        for (uint32_t h = 0; h < p->row_group_count; h++)
            users += entry(p, p->group_row[h], p->group_column[g]) != 0;
        /* the branches carry these shares of the value that the group's first column has */
        p->list_factor[0] = 1 / norm;
        if (!status)
            status = fan_out(p, p->list_mode, p->list_factor, users);
        for (uint32_t h = 0, k = 0; h < p->row_group_count && !status; h++)
            if (entry(p, p->group_row[h], p->group_column[g]) != 0) {
                size_t at = (size_t)h * p->column_group_count + g;

                p->branch_mode[at] = p->list_mode[k];
                p->branch_share[at] = p->list_factor[k++];
            }
    }
    return status;
}

static optinc_status gather_rows(plan *p)
{
    optinc_status status = OPTINC_OK;

    for (uint32_t h = 0; h < p->row_group_count && !status; h++) {
        uint32_t count = 0, members = 0;

        for (uint32_t g = 0; g < p->column_group_count; g++) {
            size_t at = (size_t)h * p->column_group_count + g;

            if (p->branch_share[at] == 0)
                continue;
            p->list_mode[count] = p->branch_mode[at];
            p->list_factor[count++] =
                entry(p, p->group_row[h], p->group_column[g]) / p->branch_share[at];
        }
        status = fan_in(p, p->list_mode, p->list_factor, count, &p->group_scale[h]);
        for (uint32_t r = 0; r < p->rows; r++)
            members += p->row_group[r] == h;
        p->list_factor[0] = 1;
        if (!status)
            status = fan_out(p, p->list_mode, p->list_factor, members);
        for (uint32_t r = 0, k = 0; r < p->rows && !status; r++)
            if (p->row_group[r] == h) {
                p->row_mode[r] = p->list_mode[k];
                p->row_share[r] = p->list_factor[k++];
            }
    }
    return status;
}

/* Row's signal on its mode times `scale`, plus the bias. */
static optinc_status finish_row(plan *p, uint32_t r, double scale, const uint32_t *bias_mode,
                                double bias)
{
    optinc_circuit *circuit = p->circuit;
    optinc_status status = OPTINC_OK;
    bool negative = false;

    if (p->row_group[r] != UINT32_MAX && bias_mode) {
        scale /= wire_keep(p, 0);
        bias /= wire_keep(p, 1);
        status = combine(p, p->row_mode[r], *bias_mode, scale, bias);
        circuit->gain[r] = hypot(scale, bias) / p->keep;
    } else if (p->row_group[r] != UINT32_MAX) {
        negative = scale < 0;
        circuit->gain[r] = fabs(scale);
    } else if (bias_mode) {
        p->row_mode[r] = *bias_mode;
        negative = bias < 0;
        circuit->gain[r] = fabs(bias);
    } else {
        status = new_mode(p, &p->row_mode[r]);
        circuit->gain[r] = 0;
    }
    circuit->gain[r] /= receiver_keep(p, r);
    circuit->output_mode[r] = p->row_mode[r];
    circuit->output_rad[r] = oi_phase_wrap((negative ? OI_PI : 0) - p->pending_rad[p->row_mode[r]]);
    return status;
}

static optinc_status finish_rows(plan *p)
{
    uint32_t biased = 0, bias_col = p->signal_cols;
    optinc_status status = OPTINC_OK;

    for (uint32_t r = 0; p->bias && r < p->rows; r++)
        biased += entry(p, r, bias_col) != 0;
    p->list_mode[0] = bias_col;
    p->list_factor[0] = 1;
    if (biased)
        status = fan_out(p, p->list_mode, p->list_factor, biased);
    for (uint32_t r = 0, k = 0; r < p->rows && !status; r++) {
        bool has_bias = p->bias && entry(p, r, bias_col) != 0;
        double scale = 0;

        if (p->row_group[r] != UINT32_MAX)
            scale = p->row_factor[r] * p->group_scale[p->row_group[r]] / p->row_share[r];
        status = finish_row(p, r, scale, has_bias ? &p->list_mode[k] : NULL,
                            has_bias ? entry(p, r, bias_col) / p->list_factor[k] : 0);
        k += has_bias;
    }
    return status;
}

static bool allocate_plan(plan *p, uint32_t cols)
{
    size_t rows = p->rows, branches;

    p->mode_capacity = p->circuit->mode_count + 64;
    if (!oi_size_multiply(rows, cols, &branches))
        return false;
    p->pending_rad = oi_allocate(p->mode_capacity, sizeof(double));
    p->column_group = oi_allocate(cols, sizeof(uint32_t));
    p->column_factor = oi_allocate(cols, sizeof(double));
    p->group_column = oi_allocate(cols, sizeof(uint32_t));
    p->row_group = oi_allocate(rows, sizeof(uint32_t));
    p->row_factor = oi_allocate(rows, sizeof(double));
    p->group_row = oi_allocate(rows, sizeof(uint32_t));
    p->branch_mode = oi_allocate(branches, sizeof(uint32_t));
    p->branch_share = oi_allocate(branches, sizeof(double));
    p->list_mode = oi_allocate(rows + cols, sizeof(uint32_t));
    p->list_factor = oi_allocate(rows + cols, sizeof(double));
    p->row_mode = oi_allocate(rows, sizeof(uint32_t));
    p->row_share = oi_allocate(rows, sizeof(double));
    p->group_scale = oi_allocate(rows, sizeof(double));
    return p->pending_rad && p->column_group && p->column_factor && p->group_column &&
           p->row_group && p->row_factor && p->group_row && p->branch_mode && p->branch_share &&
           p->list_mode && p->list_factor && p->row_mode && p->row_share && p->group_scale;
}

static void free_plan(plan *p)
{
    oi_free(p->pending_rad);
    oi_free(p->column_group);
    oi_free(p->column_factor);
    oi_free(p->group_column);
    oi_free(p->row_group);
    oi_free(p->row_factor);
    oi_free(p->group_row);
    oi_free(p->branch_mode);
    oi_free(p->branch_share);
    oi_free(p->list_mode);
    oi_free(p->list_factor);
    oi_free(p->row_mode);
    oi_free(p->row_share);
    oi_free(p->group_scale);
}

optinc_status oi_map_direct(optinc_circuit *circuit, const double *matrix,
                            const optinc_circuit_options *options, const uint32_t *crossings,
                            size_t element_count)
{
    uint32_t cols = circuit->cols;
    bool bias_last = options->bias_last;
    plan p = {.circuit = circuit,
              .matrix = matrix,
              .rows = circuit->rows,
              .signal_cols = bias_last ? cols - 1 : cols,
              .bias = bias_last,
              .keep = pow(10, -options->loss_db / 20),
              .crossings = crossings,
              .element_count = element_count};
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (crossings)
        p.crossing_keep = pow(10, -options->crossed_by->crossing_loss_db / 20);
    if (allocate_plan(&p, cols)) {
        /* Rows are compared without their bias, columns within their rows as given. */
        p.column_group_count = group_vectors(matrix, 1, cols, p.signal_cols, p.rows, p.column_group,
                                             p.column_factor, p.group_column);
        p.row_group_count = group_vectors(matrix, cols, 1, p.rows, p.signal_cols, p.row_group,
                                          p.row_factor, p.group_row);
        status = gather_columns(&p);
        if (!status)
            status = gather_rows(&p);
        if (!status)
            status = finish_rows(&p);
    }
    free_plan(&p);
    return status;
}
