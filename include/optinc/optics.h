/* SPDX-License-Identifier: Apache-2.0 */
/* Light: meshes of Mach-Zehnder interferometers (MZIs), circuits, devices, faults, and the backend
 * photonic (docs/optics.md).
 *
 * Complex matrices are interleaved doubles: entry (r, c) of a matrix [rows, cols] has its real part
 * at 2 (r cols + c) and its imaginary part right behind it. Matrices act on column vectors of mode
 * amplitudes, M[out, in]. Phases are in [0, 2 pi). */
#ifndef OPTINC_OPTICS_H
#define OPTINC_OPTICS_H

#include "optinc/switch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Meshes ---- */

typedef enum optinc_mesh_layout {
    OPTINC_MESH_RECTANGULAR = 0, /* Clements et al. 2016: depth `side` */
    OPTINC_MESH_TRIANGULAR = 1   /* Reck et al. 1994: depth 2 side - 3 */
} optinc_mesh_layout;

/* What theta and phi of a cell mean. s = sin(theta/2), c = cos(theta/2).
 *   PHYSICAL  i e^(i theta/2) [[e^(i phi) s, c], [e^(i phi) c, -s]]      phi at the input
 *   PHYSICAL_OUTPUT  i e^(i theta/2) [[e^(i phi) s, e^(i phi) c], [c, -s]]  phi at the output
 *   BLOCH     PHYSICAL without e^(i theta/2)
 *   CLEMENTS  [[e^(i phi) cos theta, -sin theta], [e^(i phi) sin theta, cos theta]]
 *   SYMMETRIC e^(i phi) [[sin theta, cos theta], [cos theta, -sin theta]] diag(e^(i edge), 1): both
 *             arms carry a shifter; `edge` is 0 but for cells at the border of the mesh
 * theta is in [0, pi] for the first three, [0, pi/2] for the others. At the bar state (no light
 * crosses) and the cross state (all does) theta is exact and phi is 0, but that a SYMMETRIC cell
 * carries its common phase there as well. */
typedef enum optinc_cell_form {
    OPTINC_CELL_PHYSICAL = 0,
    OPTINC_CELL_PHYSICAL_OUTPUT = 1,
    OPTINC_CELL_BLOCH = 2,
    OPTINC_CELL_CLEMENTS = 3,
    OPTINC_CELL_SYMMETRIC = 4
} optinc_cell_form;

/* An MZI on the modes `mode` and `mode` + 1. */
typedef struct optinc_cell {
    uint32_t mode;
    uint32_t column; /* 0 at the input; the earliest that the cells before it allow */
    double theta_rad;
    double phi_rad;
    double edge_rad; /* SYMMETRIC only; else 0 */
} optinc_cell;

#define OPTINC_MESH_SIDE_MAX 4096u

/* diag(e^(i output)) cell[count-1] ... cell[1] cell[0] diag(e^(i input)). */
typedef struct optinc_mesh optinc_mesh;

/* *error: max|M M* - 1| over the entries, for a matrix [side, side]; side 1 ..
 * OPTINC_MESH_SIDE_MAX. */
OPTINC_API optinc_status optinc_unitarity_error(uint32_t side, const double *matrix,
                                                double *error) OPTINC_WARN_UNUSED;

/* The mesh of a unitary matrix [side, side]: side (side - 1) / 2 cells. A matrix further from
 * unitary than 1e-9 side is OPTINC_ERR_INVALID_ARGUMENT, and the log says how far; NaN or infinity
 * is OPTINC_ERR_NON_FINITE. side 1 .. OPTINC_MESH_SIDE_MAX. */
OPTINC_API optinc_status optinc_mesh_decompose(uint32_t side, const double *matrix,
                                               optinc_mesh_layout layout, optinc_cell_form form,
                                               const optinc_log *log,
                                               optinc_mesh **mesh) OPTINC_WARN_UNUSED;
/* The same for a real orthogonal matrix [side, side] of plain doubles. In form CLEMENTS all of its
 * phases phi, and the output's, are 0 or pi. */
OPTINC_API optinc_status optinc_mesh_decompose_real(uint32_t side, const double *matrix,
                                                    optinc_mesh_layout layout,
                                                    optinc_cell_form form, const optinc_log *log,
                                                    optinc_mesh **mesh) OPTINC_WARN_UNUSED;
/* `count` matrices [count, side, side] on thread_count OpenMP threads (0: OpenMP's default). meshes
 * [count] are all made, or, on an error, all NULL. The log may be called from any thread. A count
 * of which there can be no array: OPTINC_ERR_OVERFLOW. */
OPTINC_API optinc_status optinc_mesh_decompose_batch(uint32_t side, size_t count,
                                                     const double *matrices,
                                                     optinc_mesh_layout layout,
                                                     optinc_cell_form form, uint32_t thread_count,
                                                     const optinc_log *log,
                                                     optinc_mesh **meshes) OPTINC_WARN_UNUSED;

/* A mesh from cells [cell_count] in the order in which light meets them; `column` is not read but
 * made anew, and a mode beyond side - 2 is OPTINC_ERR_INVALID_ARGUMENT. input_rad, output_rad
 * [side], NULL: zero. Everything is copied; angles must be finite, else OPTINC_ERR_NON_FINITE, and
 * are brought to [0, 2 pi). */
OPTINC_API optinc_status optinc_mesh_create(uint32_t side, const optinc_cell *cells,
                                            size_t cell_count, optinc_cell_form form,
                                            const double *input_rad, const double *output_rad,
                                            const optinc_log *log,
                                            optinc_mesh **mesh) OPTINC_WARN_UNUSED;
/* Safe on NULL and twice; sets *mesh to NULL. */
OPTINC_API void optinc_mesh_destroy(optinc_mesh **mesh);

/* A new mesh of the same matrix in another form; `mesh` stays. */
OPTINC_API optinc_status optinc_mesh_convert(const optinc_mesh *mesh, optinc_cell_form form,
                                             optinc_mesh **converted) OPTINC_WARN_UNUSED;

/* matrix [side, side]: what the mesh does. */
OPTINC_API void optinc_mesh_matrix(const optinc_mesh *mesh, double *matrix);

OPTINC_API uint32_t optinc_mesh_side(const optinc_mesh *mesh);
OPTINC_API uint32_t optinc_mesh_depth(const optinc_mesh *mesh); /* columns */
OPTINC_API optinc_cell_form optinc_mesh_form(const optinc_mesh *mesh);
OPTINC_API size_t optinc_mesh_cell_count(const optinc_mesh *mesh);
/* Borrowed, live as long as the mesh: cells [cell_count], phases [side]. */
OPTINC_API const optinc_cell *optinc_mesh_cells(const optinc_mesh *mesh);
OPTINC_API const double *optinc_mesh_input_rad(const optinc_mesh *mesh);
OPTINC_API const double *optinc_mesh_output_rad(const optinc_mesh *mesh);

/* ---- Devices ---- */

/* Constants of the components and the spread of their faults. A device file (YAML) has a key of
 * every name below, each with a `value` and the `source` that it was taken from; devices/ has
 * files. Every fault is off at 0 (dac_bits 0: no steps; modulator_extinction_db 0: infinite). */
#define OPTINC_DEVICE_LIST(X)                                                                      \
    X(mzi_length_um, 1, 1e5)                                                                       \
    X(mzi_width_um, 1, 1e5)                                                                        \
    X(mzi_loss_db, 0, 30)                                                                          \
    X(mzi_loss_sigma_db, 0, 10)                                                                    \
    X(shifter_pi_power_mw, 0, 1e4) /* power that shifts by pi; linear in the phase */              \
    X(phase_sigma_rad, 0, 10)                                                                      \
    X(splitter_sigma_rad, 0, 1) /* of a coupler's angle pi/4: about the power ratio's error */     \
    X(crosstalk, 0, 1)          /* share of a shifter's phase that its neighbours get */           \
    X(drift_rad_per_sqrt_s, 0, 10)                                                                 \
    X(dac_bits, 0, 24) /* steps of 2 pi / 2^bits */                                                \
    X(splitter_loss_db, 0, 30)                                                                     \
    X(crossing_loss_db, 0, 30)                                                                     \
    X(waveguide_loss_db_per_cm, 0, 100)                                                            \
    X(group_index, 1, 10)                                                                          \
    X(modulator_loss_db, 0, 60)                                                                    \
    X(modulator_extinction_db, 0, 200)                                                             \
    X(modulator_energy_fj_per_bit, 0, 1e6)                                                         \
    X(modulator_length_um, 1, 1e5)                                                                 \
    X(modulator_width_um, 1, 1e5)                                                                  \
    X(detector_responsivity_a_per_w, 0.001, 100)                                                   \
    X(detector_sensitivity_dbm, -100, 20)                                                          \
    X(detector_power_mw, 0, 1e4)                                                                   \
    X(receiver_noise_pa_per_sqrt_hz, 0, 1e6) /* thermal, at the amplifier's input */               \
    X(receiver_shot_noise, 0, 1)             /* 1: on */                                           \
    X(receiver_bandwidth_ghz, 0.001, 1e5)    /* at -3 dB: the eyes' edges */                       \
    X(receiver_gain_db_max, 0, 200)                                                                \
    X(amplifier_power_mw, 0, 1e4)                                                                  \
    X(amplifier_area_um2, 0, 1e8)                                                                  \
    X(amplifier_latency_ps, 0, 1e6)                                                                \
    X(dac_power_mw, 0, 1e5)                                                                        \
    X(dac_area_um2, 0, 1e8)                                                                        \
    X(adc_power_mw, 0, 1e5)                                                                        \
    X(adc_area_um2, 0, 1e8)                                                                        \
    X(laser_power_mw, 1e-6, 1e5)            /* launched into every modulator */                    \
    X(laser_power_mw_max, 1e-6, 1e5)        /* that one laser gives */                             \
    X(local_oscillator_power_mw, 1e-6, 1e5) /* at every receiver */                                \
    X(laser_efficiency, 1e-4, 1)                                                                   \
    X(laser_area_um2, 0, 1e9)                                                                      \
    X(laser_rin_db_per_hz, -300, 0) /* below -299: none */                                         \
    X(symbol_rate_gbaud, 0.001, 1e4)                                                               \
    X(transceiver_energy_pj_per_bit, 0, 1e6) /* of a server's module, both directions */

typedef struct optinc_device {
#define OPTINC_DEVICE_FIELD(name, low, high) double name;
    OPTINC_DEVICE_LIST(OPTINC_DEVICE_FIELD)
#undef OPTINC_DEVICE_FIELD
} optinc_device;

/* No fault, no loss and no noise; dimensions, powers and rates as in devices/ideal.yaml. */
OPTINC_API optinc_device optinc_device_ideal(void);

/* OPTINC_ERR_INVALID_ARGUMENT unless every value is finite and in its range; the log names the
 * first that is not. */
OPTINC_API optinc_status optinc_device_check(const optinc_device *device,
                                             const optinc_log *log) OPTINC_WARN_UNUSED;

/* Reads a device file. A key that is missing, unknown or doubled, a value that is absurd and an
 * empty source are OPTINC_ERR_FORMAT, named in the log; a file of more than 1 MiB is
 * OPTINC_ERR_OVERFLOW. bytes [size] are borrowed, and `name` stands for the file in the log (NULL:
 * "device file"). *device is written on success alone. */
OPTINC_API optinc_status optinc_device_load(const char *path, const optinc_log *log,
                                            optinc_device *device) OPTINC_WARN_UNUSED;
OPTINC_API optinc_status optinc_device_parse(const uint8_t *bytes, size_t size, const char *name,
                                             const optinc_log *log,
                                             optinc_device *device) OPTINC_WARN_UNUSED;
/* Sets one value by its name, for command lines; an unknown name or a value out of range is
 * OPTINC_ERR_INVALID_ARGUMENT. */
OPTINC_API optinc_status optinc_device_set(optinc_device *device, const char *name, double value,
                                           const optinc_log *log) OPTINC_WARN_UNUSED;

/* ---- Circuits: a real matrix as light meets it ---- */

/* One two-mode element, a first. An MZI is coupler, shifter arm_a on a and arm_b on b, coupler,
 * behind the shifter `in` on a; couplers are [[1, i], [i, 1]] / sqrt 2, so that with arm_b = 0 this
 * is a cell of form PHYSICAL with phi = in, theta = arm_a. A splitter is a fixed coupler
 * [[cos angle, -sin angle], [sin angle, cos angle]] and no MZI. */
typedef struct optinc_element {
    bool splitter;
    uint32_t mode_a;
    uint32_t mode_b;
    uint32_t column; /* the earliest that the elements before it allow */
    double in_rad;
    double arm_a_rad;
    double arm_b_rad;
    double angle_rad; /* splitters only */
} optinc_element;

/* Light of input j enters on mode input_mode[j] with a real amplitude; output i is the amplitude on
 * mode output_mode[i], turned by output_rad[i] (the phase of the receiver's local oscillator) and
 * multiplied by gain[i], real part: W = diag(gain) Re(diag(e^(i output)) S). A row of zeros has
 * gain 0. Modes that are neither start dark and end in absorbers. */
typedef struct optinc_circuit optinc_circuit;

typedef struct optinc_circuit_options {
    optinc_mapping mapping;
    optinc_mesh_layout layout; /* of the meshes */
    optinc_cell_form form;     /* of the meshes: PHYSICAL or SYMMETRIC */
    uint32_t segment_side;     /* SEGMENTED: must divide rows and cols */
    bool bias_last;            /* DIRECT: the last column is the bias, combined last */
    bool balance;              /* SVD, SEGMENTED: where two ways meet, the one with fewer elements
                                  gets dummies, waveguides with an element's loss, so that known
                                  loss is common to all ways */
    double loss_db;            /* DIRECT: an MZI's, which the trees' shares make up for; 0 .. 30 */
    const optinc_device
        *crossed_by; /* NULL, or borrowed for the call: the waveguides of the floor plan
                                  made for this device (optinc_layout_crossings) lose its
                                  crossing_loss_db, or that of the device that the circuit is
                                  compiled with, at every crossing; DIRECT: the shares make up
                                  for its loss; SEGMENTED: where it is more than 0, padding,
                                  crossings whose other waveguide is idle, brings a mesh's inputs
                                  to the most that one of them has, and attenuators make up for
                                  the rest */
} optinc_circuit_options;

/* The circuit of a real matrix [rows, cols] row-major (strides cols). Rows are brought to norm 1
 * first, and the whole to spectral norm 1 where meshes are used; the gains restore both.
 * SVD: any matrix. SEGMENTED: every square block must be a diagonal times an orthogonal matrix, else
 * OPTINC_ERR_INVALID_ARGUMENT and the log says how far it is from one. DIRECT: any matrix; worth it
 * where most entries are zero and rows, or columns, are multiples of each other. rows, cols 1 ..
 * OPTINC_MESH_SIDE_MAX; NaN or infinity: OPTINC_ERR_NON_FINITE; OPTINC_ERR_NO_CONVERGENCE of the
 * SVD. Everything is copied. */
OPTINC_API optinc_status optinc_circuit_create(uint32_t rows, uint32_t cols, const double *matrix,
                                               const optinc_circuit_options *options,
                                               const optinc_log *log,
                                               optinc_circuit **circuit) OPTINC_WARN_UNUSED;
/* The same by SVD for a complex matrix (interleaved); gain (real) and S as above, but the output is
 * the complex amplitude: W = diag(gain) diag(e^(i output)) S. Another mapping than SVD:
 * OPTINC_ERR_UNSUPPORTED. */
OPTINC_API optinc_status optinc_circuit_create_complex(uint32_t rows, uint32_t cols,
                                                       const double *matrix,
                                                       const optinc_circuit_options *options,
                                                       const optinc_log *log,
                                                       optinc_circuit **circuit) OPTINC_WARN_UNUSED;
/* One mesh and the receivers: a unitary matrix [side, side], interleaved, as optinc_mesh_decompose
 * takes it; of the options layout and form are read. No attenuators, and all gains 1. */
OPTINC_API optinc_status optinc_circuit_create_unitary(uint32_t side, const double *matrix,
                                                       const optinc_circuit_options *options,
                                                       const optinc_log *log,
                                                       optinc_circuit **circuit) OPTINC_WARN_UNUSED;
/* Safe on NULL and twice; sets *circuit to NULL. */
OPTINC_API void optinc_circuit_destroy(optinc_circuit **circuit);

typedef struct optinc_circuit_info {
    uint32_t rows;
    uint32_t cols;
    uint32_t mode_count;
    uint32_t depth; /* columns */
    size_t element_count;
    size_t mzi_count;            /* elements that are not splitters */
    size_t dummy_count;          /* waveguides with the loss of an MZI, see balance */
    size_t shifter_count;        /* with a phase other than 0 */
    double phase_sum_rad;        /* of all shifters, the receivers' left out: static power */
    uint32_t path_mzis_max;      /* most MZIs on a way from an input to an output */
    uint32_t path_splitters_max; /* most splitters on such a way */
} optinc_circuit_info;

OPTINC_API optinc_circuit_info optinc_circuit_describe(const optinc_circuit *circuit);
/* Borrowed, live as long as the circuit: elements [element_count] in the order in which light meets
 * them, input_mode [cols], output_mode, output_rad, gain [rows]. */
OPTINC_API const optinc_element *optinc_circuit_elements(const optinc_circuit *circuit);
OPTINC_API const uint32_t *optinc_circuit_input_mode(const optinc_circuit *circuit);
OPTINC_API const uint32_t *optinc_circuit_output_mode(const optinc_circuit *circuit);
OPTINC_API const double *optinc_circuit_output_rad(const optinc_circuit *circuit);
OPTINC_API const double *optinc_circuit_gain(const optinc_circuit *circuit);

/* Which chip: errors are drawn anew for every seed, chip and layer. */
typedef struct optinc_chip {
    uint64_t seed;
    uint32_t chip;
    uint32_t layer;
    double drift_time_s; /* since the phases were set */
    /* The phases are set for this chip's couplers, shifters and heat as built, MZI by MZI
     * (Bandyopadhyay, Hamerly, Englund 2021); DAC steps, drift and loss are left. */
    bool correct_errors;
    /* Then the DAC codes next to these are tried, one shifter at a time, and kept where the measured
     * rows come closer to what they should be. Circuits of at most 256 elements, else
     * OPTINC_ERR_UNSUPPORTED. Without dac_bits nothing is done. */
    bool search_steps;
    /* In place of correct_errors: the chip's errors are not known; its phases are found by
     * measuring its outputs, cell by cell (Hamerly, Bandyopadhyay, Englund, arXiv 2106.04363 and
     * 2106.03249). Circuits of at most 20,000 elements, else OPTINC_ERR_UNSUPPORTED. */
    bool self_configure;
} optinc_chip;

/* diag(e^(i output)) S of this circuit as built from `device`: phase errors, both couplers' errors,
 * loss and its spread, DAC steps, crosstalk and drift. matrix [rows, cols] interleaved complex.
 * chip NULL: seed, chip, layer and time 0, nothing corrected. self_configure with correct_errors,
 * or a time that is negative or not finite: OPTINC_ERR_INVALID_ARGUMENT. */
OPTINC_API optinc_status optinc_circuit_compile(const optinc_circuit *circuit,
                                                const optinc_device *device,
                                                const optinc_chip *chip,
                                                double *matrix) OPTINC_WARN_UNUSED;

/* ---- The backend photonic ---- */

/* How a unit is built and with which faults (docs/optics.md has the model). */
typedef struct optinc_photonic_options {
    optinc_device device;
    uint64_t seed;       /* of the fabrication */
    uint32_t chip_first; /* unit u of a level is chip chip_first + u mod chip_count */
    uint32_t chip_count; /* chips that are compiled, 1 .. 4096; 0: 16 */
    double drift_time_s;
    bool direct;          /* map every layer directly, in place of its own mapping */
    bool bias_electronic; /* biases are added at the receivers; segmented layers always */
    bool correct_errors;  /* as in optinc_chip */
    bool search_steps;
    optinc_mesh_layout layout; /* of the meshes */
    optinc_cell_form form;     /* PHYSICAL or SYMMETRIC */
    uint32_t fault_layer;      /* 0: all layers have faults; else this one alone, counted from 1 */
    bool self_configure;       /* as in optinc_chip; not with correct_errors */
    bool dummies;              /* balance of optinc_circuit_options */
} optinc_photonic_options;

/* Everything ideal: optinc_device_ideal(), the layers' own mappings. */
OPTINC_API optinc_photonic_options optinc_photonic_defaults(void);

/* Fields through every circuit. Any design; backend_options is an optinc_photonic_options or NULL.
 * Without faults it answers as the backend onn does. Noise is drawn by the stream's seed and step,
 * the element and the unit, so a noisy run repeats to the bit. */
OPTINC_API const optinc_backend *optinc_backend_photonic(void);

/* ---- Monte Carlo ---- */

typedef struct optinc_simulate_options {
    optinc_photonic_options photonic; /* trial t is chip chip_first + t; chip_count is not read */
    uint32_t level;                   /* of the design: the unit that is simulated */
    uint64_t trials;                  /* chips, >= 1 */
    uint64_t codes_per_trial;         /* >= 1, each with random codes at all ports */
    uint64_t seed;                    /* of the codes and of the noise */
    uint32_t thread_count;            /* 0: OpenMP's default */
    double target_error_rate;         /* a chip with more wrong codes than this share is bad */
} optinc_simulate_options;

/* 1,000 ideal chips of 10,000 codes, target 1e-4. */
OPTINC_API optinc_simulate_options optinc_simulate_defaults(void);

#define OPTINC_ERROR_SIZES 58u

typedef struct optinc_simulate_result {
    uint64_t trials;
    uint64_t codes;
    uint64_t symbols;
    uint64_t symbol_errors;
    uint64_t code_errors;
    double symbol_error_rate;
    double code_error_rate;
    /* 95 % interval of the code error rate: the wider of Wilson's, codes being independent, and of
     * Student's over the chips, codes of a chip not being so. */
    double ci95_low;
    double ci95_high;
    uint64_t digit_errors[28]; /* by digit of the result, least significant first */
    /* [0] right codes; [k] codes off by 2^(k-1) .. 2^k - 1 */
    uint64_t error_sizes[OPTINC_ERROR_SIZES];
    uint64_t good_trials; /* chips that meet the target */
    double yield;
    double worst_trial_rate;
    double seconds;
} optinc_simulate_result;

/* Chip by chip, code by code, against the reference. The counts do not depend on the thread count.
 * A design that errs is a result, not an error. Up to 2^32 - 1 trials and 2^48 codes, the target in
 * 0 .. 1: OPTINC_ERR_INVALID_ARGUMENT beyond; OPTINC_ERR_INTERRUPTED as progress asks. */
OPTINC_API optinc_status optinc_simulate(const optinc_design *design,
                                         const optinc_simulate_options *options,
                                         const optinc_progress *progress, const optinc_log *log,
                                         optinc_simulate_result *result) OPTINC_WARN_UNUSED;

/* The largest `value` of one of the device's values (by its name, 0 .. value_max) at which the
 * yield is still `yield_wanted` (0 .. 1), to a relative 1/64, by bisection over the same chips: the
 * yield is taken to fall with it. Circuits are built for each value as optinc_simulate builds them. 0
 * if even 0 does not reach it. value_max > 0, and in the value's range. Errors as
 * optinc_simulate. */
OPTINC_API optinc_status optinc_tolerance(const optinc_design *design,
                                          const optinc_simulate_options *options, const char *name,
                                          double value_max, double yield_wanted,
                                          const optinc_progress *progress, const optinc_log *log,
                                          double *value) OPTINC_WARN_UNUSED;

/* ---- Eyes ---- */

/* What the receivers of a unit's last layer see: the values of random codes one after the other on
 * one chip, held for a symbol each, through a Bessel filter of fourth order with the device's
 * receiver_bandwidth_ghz (as reference receivers for PAM4 have), cut into pieces of two symbol
 * periods around the instants of decision. Noise is drawn once a symbol. */
typedef struct optinc_eye_options {
    optinc_photonic_options photonic; /* the chip is number chip_first */
    uint32_t level;                   /* of the design */
    uint32_t symbol_count;            /* 64 .. 65,536; 0: 8,192 */
    uint64_t seed;                    /* of the codes and of the noise */
} optinc_eye_options;

#define OPTINC_EYE_COLUMNS 128u /* column c is at (c - 64) / 64 symbol periods */
#define OPTINC_EYE_ROWS 100u    /* row r holds values from 4 - (r + 1) / 20 to 4 - r / 20 */

/* One output digit; values in units of digits: levels 0 .. 3, thresholds 0.5, 1.5 and 2.5. */
typedef struct optinc_eye_digit {
    uint64_t symbols[4]; /* that should have been 0 .. 3 */
    double mean[4];      /* of their values at the instant of decision; NaN where there are none */
    double spread[4];    /* standard deviation of the same */
    double noise[4];     /* the part of it that is noise */
    double height[3];    /* lowest value that belongs above the threshold less the highest below */
    double width[3];     /* symbol periods around the instant in which the eye is open; 0: shut */
    uint64_t symbol_errors;
    /* Of Gaussian noise as measured at each level around the values without noise: sum of Q. */
    double error_rate;
    uint32_t density[OPTINC_EYE_ROWS][OPTINC_EYE_COLUMNS]; /* traces there */
} optinc_eye_digit;

typedef struct optinc_eye optinc_eye;

/* An unknown level or another symbol_count: OPTINC_ERR_INVALID_ARGUMENT. */
OPTINC_API optinc_status optinc_eye_create(const optinc_design *design,
                                           const optinc_eye_options *options, const optinc_log *log,
                                           optinc_eye **eye) OPTINC_WARN_UNUSED;
/* Safe on NULL and twice; sets *eye to NULL. */
OPTINC_API void optinc_eye_destroy(optinc_eye **eye);
OPTINC_API uint32_t optinc_eye_digit_count(const optinc_eye *eye);
/* Borrowed, lives as long as the eye; digit 0 is the least significant, digit < the count. */
OPTINC_API const optinc_eye_digit *optinc_eye_digit_at(const optinc_eye *eye, uint32_t digit);

/* ---- Export ---- */

/* The circuits of a unit's layers as the backend photonic builds them: columns are the layer's
 * inputs relative to their full scales, and the bias's mode last where it is optical. circuits
 * [layer_count]; all are made, or, on an error, all NULL. options NULL: the defaults. */
OPTINC_API optinc_status optinc_unit_circuits(const optinc_unit *unit,
                                              const optinc_photonic_options *options,
                                              const optinc_log *log,
                                              optinc_circuit **circuits) OPTINC_WARN_UNUSED;

/* JSON: everything of the circuit. SAX: a netlist (YAML) of the models optinc_mzi (in_rad,
 * arm_a_rad, arm_b_rad, loss_db), optinc_splitter (angle_rad, loss_db), optinc_shifter (phase_rad)
 * and optinc_dummy (loss_db), ports in0 .. and out0 ..; docs/optics.md has the models. TOUCHSTONE:
 * the S-matrix of cols + rows ports, inputs first, reciprocal and without reflections, at 193.414
 * THz. SVG: a drawing, phases as colours. */
typedef enum optinc_export_format {
    OPTINC_EXPORT_JSON = 0,
    OPTINC_EXPORT_SAX = 1,
    OPTINC_EXPORT_TOUCHSTONE = 2,
    OPTINC_EXPORT_SVG = 3
} optinc_export_format;

/* Writes a circuit; `device` gives the losses (NULL: none). A new file, `path` with .part behind
 * it, is renamed over `path`, which must not be there or be a regular file; OPTINC_ERR_IO. */
OPTINC_API optinc_status optinc_circuit_export(const optinc_circuit *circuit,
                                               const optinc_device *device,
                                               optinc_export_format format, const char *path,
                                               const optinc_log *log) OPTINC_WARN_UNUSED;

/* ---- Import ---- */

typedef struct optinc_netlist_losses {
    double mzi_loss_db;
    double splitter_loss_db;
} optinc_netlist_losses;

/* Reads what optinc_circuit_export wrote as JSON or SAX netlist, by whatever hand it went since;
 * the format tells itself. A SAX netlist holds no gains (they are 1) and must be made of
 * optinc_mzi, optinc_splitter and optinc_shifter, the latter at outputs alone, with one loss_db for
 * all MZIs and one for all splitters: that of a balanced circuit, with its dummies, is refused, and
 * of the JSON of one the dummies are left out. A file cut short, phases outside [0, 2 pi), unknown
 * models, loops and ports that are connected twice are OPTINC_ERR_FORMAT, named in the log;
 * OPTINC_ERR_IO, and _OVERFLOW beyond 1 GiB. bytes [size] are borrowed, losses may be NULL, `name`
 * stands for the file in the log (NULL: "netlist"). */
OPTINC_API optinc_status optinc_circuit_import(const char *path, const optinc_log *log,
                                               optinc_netlist_losses *losses,
                                               optinc_circuit **circuit) OPTINC_WARN_UNUSED;
OPTINC_API optinc_status optinc_circuit_parse(const uint8_t *bytes, size_t size, const char *name,
                                              const optinc_log *log, optinc_netlist_losses *losses,
                                              optinc_circuit **circuit) OPTINC_WARN_UNUSED;

#ifdef __cplusplus
}
#endif
#endif
