/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out in the optics: meshes, circuits of every mapping, chips and their correction,
 * Monte Carlo, eyes, files. LAPACK's own memory is left alone. */
#include "failing_memory.h"
#include "optics/unitary.h"

#include "optinc/layout.h"
#include "optinc/onn.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE 4u

typedef struct setting {
    const double *unitary;
    double matrix[SIDE * SIDE];
    optinc_circuit_options options;
    optinc_circuit *circuit;
    optinc_device device;
    optinc_chip chip;
    optinc_design *design;
    optinc_simulate_options simulate;
    optinc_export_format format;
    char path[64];
} setting;

static optinc_status try_mesh(void *user)
{
    const setting *s = user;
    optinc_mesh *mesh = (optinc_mesh *)1, *other = NULL;
    optinc_status status = optinc_mesh_decompose(SIDE, s->unitary, s->options.layout,
                                                 OPTINC_CELL_PHYSICAL, NULL, &mesh);

    if (!status)
        status = optinc_mesh_convert(mesh, OPTINC_CELL_SYMMETRIC, &other);
    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, other != NULL);
    optinc_mesh_destroy(&mesh);
    optinc_mesh_destroy(&other);
    return status;
}

static optinc_status try_batch(void *user)
{
    const setting *s = user;
    optinc_mesh *meshes[1] = {(optinc_mesh *)1};
    optinc_status status = optinc_mesh_decompose_batch(SIDE, 1, s->unitary, s->options.layout,
                                                       OPTINC_CELL_BLOCH, 1, NULL, meshes);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, meshes[0] != NULL);
    optinc_mesh_destroy(&meshes[0]);
    return status;
}

static optinc_status try_circuit(void *user)
{
    const setting *s = user;
    optinc_circuit *circuit = (optinc_circuit *)1;
    optinc_status status =
        optinc_circuit_create(SIDE, SIDE, s->matrix, &s->options, NULL, &circuit);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, circuit != NULL);
    optinc_circuit_destroy(&circuit);
    return status;
}

static optinc_status try_unitary(void *user)
{
    const setting *s = user;
    optinc_circuit *circuit = (optinc_circuit *)1;
    optinc_status status =
        optinc_circuit_create_unitary(SIDE, s->unitary, &s->options, NULL, &circuit);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, circuit != NULL);
    optinc_circuit_destroy(&circuit);
    return status;
}

static optinc_status try_compile(void *user)
{
    const setting *s = user;
    double built[2 * SIDE * SIDE];

    return optinc_circuit_compile(s->circuit, &s->device, &s->chip, built);
}

static optinc_status try_layout(void *user)
{
    const setting *s = user;
    const optinc_circuit *circuits[2] = {s->circuit, s->circuit};
    optinc_layout_options options = {.name = "CHIP", .device = &s->device};
    optinc_status status = optinc_layout_export(circuits, 2, &options, s->path, NULL, NULL, NULL);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, unlink(s->path) == 0);
    return status;
}

static optinc_status try_crossings(void *user)
{
    const setting *s = user;
    optinc_crossings crossings;
    uint32_t outputs[SIDE];

    return optinc_layout_crossings(s->circuit, &s->device, &crossings, outputs);
}

static optinc_status try_export(void *user)
{
    const setting *s = user;
    optinc_status status = optinc_circuit_export(s->circuit, &s->device, s->format, s->path, NULL);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, unlink(s->path) == 0);
    return status;
}

static optinc_status try_import(void *user)
{
    const setting *s = user;
    optinc_circuit *circuit = (optinc_circuit *)1;
    optinc_status status = optinc_circuit_import(s->path, NULL, NULL, &circuit);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, circuit != NULL);
    optinc_circuit_destroy(&circuit);
    return status;
}

static optinc_status try_device(void *user)
{
    const setting *s = user;
    optinc_device device;

    return optinc_device_load(s->path, NULL, &device);
}

static optinc_status try_switch(void *user)
{
    const setting *s = user;
    const optinc_switch_options options = {.thread_count = 1,
                                           .backend_options = &s->simulate.photonic};
    optinc_switch *sw = (optinc_switch *)1;
    optinc_status status =
        optinc_switch_create(s->design, optinc_backend_photonic(), &options, NULL, &sw);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, sw != NULL);
    optinc_switch_destroy(&sw);
    return status;
}

static optinc_status try_simulate(void *user)
{
    const setting *s = user;
    optinc_simulate_result result;

    return optinc_simulate(s->design, &s->simulate, NULL, NULL, &result);
}

static optinc_status try_tolerance(void *user)
{
    const setting *s = user;
    double value;

    return optinc_tolerance(s->design, &s->simulate, "phase_sigma_rad", 0.5, 0.5, NULL, NULL,
                            &value);
}

static optinc_status try_eye(void *user)
{
    const setting *s = user;
    const optinc_eye_options options = {.photonic = s->simulate.photonic, .symbol_count = 64};
    optinc_eye *eye = (optinc_eye *)1;
    optinc_status status = optinc_eye_create(s->design, &options, NULL, &eye);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, eye != NULL);
    optinc_eye_destroy(&eye);
    return status;
}

static optinc_status try_circuits(void *user)
{
    const setting *s = user;
    const optinc_unit *unit = optinc_design_unit(s->design, 0);
    optinc_circuit **circuits = malloc(unit->layer_count * sizeof *circuits);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (circuits)
        status = optinc_unit_circuits(unit, &s->simulate.photonic, NULL, circuits);
    allocations_left = NEVER;
    for (uint32_t l = 0; l < unit->layer_count && circuits; l++) {
        assert_int_equal(status == OPTINC_OK, circuits[l] != NULL);
        optinc_circuit_destroy(&circuits[l]);
    }
    free(circuits);
    return status;
}

static setting make_setting(void)
{
    /* blocks of a diagonal times a rotation, for every mapping */
    static const double matrix[SIDE * SIDE] = {0.6, -0.8, 1, 0,   1.6, 1.2,  0, 2,
                                               0.8, 0.6,  0, 0.5, 0.3, -0.4, 1, 0};
    setting s = {.device = optinc_device_ideal(), .simulate = optinc_simulate_defaults()};

    memcpy(s.matrix, matrix, sizeof matrix);
    s.options.segment_side = 2;
    s.unitary = matrix_haar(SIDE, SIDE, 1);
    s.device.phase_sigma_rad = s.device.splitter_sigma_rad = 0.01;
    s.device.mzi_loss_db = s.device.crossing_loss_db = 0.1;
    snprintf(s.path, sizeof s.path, "/tmp/optinc-memory-%ld", (long)getpid());
    return s;
}

static void circuits(void **state)
{
    setting s = make_setting();

    (void)state;
    each_allocation_may_fail("mesh", try_mesh, &s);
    each_allocation_may_fail("batch", try_batch, &s);
    each_allocation_may_fail("unitary", try_unitary, &s);
    for (int kind = 0; kind < 6; kind++) {
        s.options.mapping = (optinc_mapping)(kind % 3);
        s.options.balance = kind / 3;
        s.options.crossed_by = &s.device;
        each_allocation_may_fail("circuit with crossings", try_circuit, &s);
        s.options.crossed_by = NULL;
        each_allocation_may_fail("circuit", try_circuit, &s);
        assert_int_equal(optinc_circuit_create(SIDE, SIDE, s.matrix, &s.options, NULL, &s.circuit),
                         OPTINC_OK);
        for (int way = 0; way < 4; way++) {
            s.chip = (optinc_chip){.correct_errors = way == 1 || way == 2,
                                   .search_steps = way == 2,
                                   .self_configure = way == 3};
            s.device.dac_bits = way == 2 ? 8 : 0;
            each_allocation_may_fail("compile", try_compile, &s);
        }
        each_allocation_may_fail("crossings", try_crossings, &s);
        if (!s.options.balance)
            each_allocation_may_fail("layout", try_layout, &s);
        json_set_alloc_funcs(malloc, free); /* the ones that may fail */
        for (int format = 0; format < 4; format++) {
            s.format = (optinc_export_format)format;
            each_allocation_may_fail("export", try_export, &s);
        }
        json_set_alloc_funcs(__real_malloc, free);
        for (int format = 0; format < (s.options.balance ? 1 : 2); format++) {
            assert_int_equal(
                optinc_circuit_export(s.circuit, NULL, (optinc_export_format)format, s.path, NULL),
                OPTINC_OK);
            each_allocation_may_fail("import", try_import, &s);
            assert_int_equal(unlink(s.path), 0);
        }
        optinc_circuit_destroy(&s.circuit);
    }
    free((void *)s.unitary);
}

static void designs(void **state)
{
    setting s = make_setting();
    optinc_spec spec;

    (void)state;
    assert_int_equal(optinc_spec_single(2, 4, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, NULL, NULL, &s.design), OPTINC_OK);
    s.simulate.photonic.device = s.device;
    s.simulate.photonic.chip_count = 2;
    s.simulate.trials = 2;
    s.simulate.codes_per_trial = 8;
    s.simulate.thread_count = 1;
    each_allocation_may_fail("photonic", try_switch, &s);
    each_allocation_may_fail("simulate", try_simulate, &s);
    each_allocation_may_fail("tolerance", try_tolerance, &s);
    each_allocation_may_fail("eye", try_eye, &s);
    each_allocation_may_fail("circuits", try_circuits, &s);
    optinc_design_destroy(&s.design);
    free((void *)s.unitary);
}

static void device_file(void **state)
{
    setting s = make_setting();

    (void)state;
    snprintf(s.path, sizeof s.path, "%s", OPTINC_DEVICES "/published-best.yaml");
    each_allocation_may_fail("device", try_device, &s);
    free((void *)s.unitary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(circuits),
        cmocka_unit_test(designs),
        cmocka_unit_test(device_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
