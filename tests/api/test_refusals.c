/* SPDX-License-Identifier: Apache-2.0 */
/* What base.h says of every function: a NULL that its declaration does not allow, an enum's value of
 * no list and what is outside a range are OPTINC_ERR_INVALID_ARGUMENT, and nothing is made. The tests
 * of the rooms have what is particular to a function. */
#include "optinc/cluster.h"
#include "optinc/layout.h"
#include "optinc/optinc.h"
#include "optinc/synthesis.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define REFUSED(call) assert_int_equal(call, OPTINC_ERR_INVALID_ARGUMENT)
/* the same, of a call that would have set `object` */
#define MAKES_NOTHING(object, call)                                                                \
    do {                                                                                           \
        (object) = (void *)&poison;                                                                \
        REFUSED(call);                                                                             \
        assert_null(object);                                                                       \
    } while (0)

static int poison;
static const uint32_t too_many = OPTINC_THREADS_MAX + 1;

typedef struct things {
    optinc_spec spec;
    optinc_design *design;
    const optinc_unit *unit;
    optinc_circuit *circuit;
} things;

static int make_things(void **state)
{
    static things t;
    const double identity[4] = {1, 0, 0, 1};
    const optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SVD};

    assert_int_equal(optinc_spec_single(4, 4, OPTINC_VARIANT_HALF_UP, NULL, &t.spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&t.spec, NULL, NULL, &t.design), OPTINC_OK);
    assert_int_equal(optinc_circuit_create(2, 2, identity, &options, NULL, &t.circuit), OPTINC_OK);
    t.unit = optinc_design_unit(t.design, 0);
    *state = &t;
    return 0;
}

static int destroy_things(void **state)
{
    things *t = *state;

    optinc_circuit_destroy(&t->circuit);
    optinc_design_destroy(&t->design);
    return 0;
}

static void destroying_nothing(void **state)
{
    optinc_design *design = NULL;
    optinc_switch *sw = NULL;
    optinc_collective *collective = NULL;
    optinc_mesh *mesh = NULL;
    optinc_circuit *circuit = NULL;
    optinc_eye *eye = NULL;
    uint32_t *table = NULL;

    (void)state;
    optinc_design_destroy(NULL);
    optinc_design_destroy(&design);
    optinc_switch_destroy(NULL);
    optinc_switch_destroy(&sw);
    optinc_collective_destroy(NULL);
    optinc_collective_destroy(&collective);
    optinc_mesh_destroy(NULL);
    optinc_mesh_destroy(&mesh);
    optinc_circuit_destroy(NULL);
    optinc_circuit_destroy(&circuit);
    optinc_eye_destroy(NULL);
    optinc_eye_destroy(&eye);
    optinc_table_free(NULL);
    optinc_table_free(&table);
}

static void codec(void **state)
{
    const optinc_codec codec = optinc_codec_default(8);
    optinc_codec threads = codec, kernel = codec, turn = codec;
    optinc_result_scale scale = {.op = OPTINC_MEAN, .ports = 4, .servers = 4}, bad = scale;
    float x[4] = {0};
    uint8_t codes[4] = {0}, exponents[1] = {0};
    uint64_t wide[4] = {0};

    (void)state;
    threads.thread_count = too_many;
    kernel.kernel = (optinc_kernel)4;
    turn.turn = (optinc_turn)3;
    REFUSED(optinc_codec_exponents(NULL, x, 4, exponents));
    REFUSED(optinc_codec_exponents(&threads, x, 4, exponents));
    REFUSED(optinc_codec_quantise(&codec, x, 4, NULL, NULL, codes));
    REFUSED(optinc_codec_quantise(&kernel, x, 4, exponents, NULL, codes));
    REFUSED(optinc_codec_quantise(&turn, x, 4, exponents, NULL, codes));
    REFUSED(optinc_codec_quantise_feedback(&codec, NULL, 4, exponents, NULL, codes));
    REFUSED(optinc_codec_dequantise(&codec, codes, 4, exponents, NULL, x));
    bad.servers = 5;
    REFUSED(optinc_codec_dequantise(&codec, codes, 4, exponents, &bad, x));
    bad = (optinc_result_scale){.op = (optinc_op)2, .ports = 4, .servers = 4};
    REFUSED(optinc_codec_dequantise(&codec, codes, 4, exponents, &bad, x));
    REFUSED(optinc_symbols_pack(66, wide, 4, codes));
    /* counts of which there is no array */
    assert_int_equal(optinc_codec_exponents(&codec, x, SIZE_MAX, exponents), OPTINC_ERR_OVERFLOW);
    assert_int_equal(optinc_codec_quantise(&codec, x, SIZE_MAX / 4, exponents, NULL, codes),
                     OPTINC_ERR_OVERFLOW);
    assert_int_equal(optinc_codec_dequantise(&codec, codes, SIZE_MAX / 2, exponents, &scale, x),
                     OPTINC_ERR_OVERFLOW);
    assert_int_equal(optinc_symbols_pack(64, wide, SIZE_MAX / 8, codes), OPTINC_ERR_OVERFLOW);
    assert_int_equal(optinc_symbols_unpack(2, codes, SIZE_MAX / 8, wide), OPTINC_ERR_OVERFLOW);
}

static void design(void **state)
{
    const things *t = *state;
    optinc_design *made;
    optinc_spec spec;
    uint8_t bytes[8] = {0};

    REFUSED(optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, NULL));
    REFUSED(optinc_spec_single(4, 8, (optinc_variant)3, NULL, &spec));
    REFUSED(optinc_spec_check(NULL, NULL));
    MAKES_NOTHING(made, optinc_design_create(NULL, 1, NULL, &made));
    MAKES_NOTHING(made, optinc_design_create(t->unit, 0, NULL, &made));
    MAKES_NOTHING(made, optinc_design_create(t->unit, OPTINC_LEVELS_MAX + 1, NULL, &made));
    REFUSED(optinc_design_create(t->unit, 1, NULL, NULL));
    REFUSED(optinc_design_set_proof(t->design, 1, &t->unit->proof));
    REFUSED(optinc_design_set_proof(t->design, 0, NULL));
    REFUSED(optinc_design_set_table(t->design, 0, NULL, 169));
    REFUSED(optinc_design_set_table(t->design, 0, (uint32_t[]){1, 2}, 2));
    REFUSED(optinc_design_save(NULL, "never-made", NULL));
    REFUSED(optinc_design_save(t->design, NULL, NULL));
    MAKES_NOTHING(made, optinc_design_load(NULL, NULL, &made));
    MAKES_NOTHING(made, optinc_design_parse(NULL, 8, NULL, NULL, &made));
    REFUSED(optinc_design_parse(bytes, 8, NULL, NULL, NULL));
    assert_null(optinc_design_unit(t->design, 1));
}

static void switches(void **state)
{
    const things *t = *state;
    const optinc_backend *table = optinc_backend_table(), empty = {.name = "empty"};
    optinc_switch_options options = {.thread_count = too_many};
    optinc_faults faults = {.dark_count = 1};
    optinc_transport transport = {.size = 1};
    optinc_collective *collective;
    optinc_switch *sw;

    MAKES_NOTHING(sw, optinc_switch_create(NULL, table, NULL, NULL, &sw));
    MAKES_NOTHING(sw, optinc_switch_create(t->design, NULL, NULL, NULL, &sw));
    MAKES_NOTHING(sw, optinc_switch_create(t->design, &empty, NULL, NULL, &sw));
    MAKES_NOTHING(sw, optinc_switch_create(t->design, optinc_backend_onn(), &options, NULL, &sw));
    REFUSED(optinc_switch_create(t->design, table, NULL, NULL, NULL));
    REFUSED(optinc_switch_reduce(NULL, NULL, 0, 1, 0, NULL, NULL));
    REFUSED(optinc_faults_resolve(NULL, 4, NULL, NULL, NULL, NULL));
    REFUSED(optinc_faults_resolve(t->design, 4, &faults, NULL, NULL, NULL));
    MAKES_NOTHING(collective, optinc_collective_create(NULL, t->design, NULL, NULL, &collective));
    MAKES_NOTHING(collective,
                  optinc_collective_create(&transport, t->design, NULL, NULL, &collective));
    REFUSED(optinc_allreduce(NULL, NULL, NULL));
    REFUSED(optinc_reduce_scatter(NULL, NULL, NULL));
    REFUSED(optinc_ring_allreduce(NULL, NULL, NULL, 0, OPTINC_SUM, NULL));
}

static void onn(void **state)
{
    const things *t = *state;
    optinc_construct_options how = {.activation = OPTINC_ACTIVATION_LINEAR};
    optinc_verify_options verify = {.thread_count = too_many};
    optinc_verify_result verified;
    optinc_design *made;
    uint32_t *table;
    size_t count;

    MAKES_NOTHING(made, optinc_construct(NULL, NULL, NULL, &made));
    MAKES_NOTHING(made, optinc_construct(&t->spec, &how, NULL, &made));
    how = (optinc_construct_options){.activation = OPTINC_ACTIVATION_RELU, .gap = 1.0};
    MAKES_NOTHING(made, optinc_construct(&t->spec, &how, NULL, &made));
    how.gap = NAN;
    MAKES_NOTHING(made, optinc_construct(&t->spec, &how, NULL, &made));
    REFUSED(optinc_construct(&t->spec, NULL, NULL, NULL));
    REFUSED(optinc_verify(NULL, 0, NULL, NULL, NULL, &verified));
    REFUSED(optinc_verify(t->design, 0, NULL, NULL, NULL, NULL));
    REFUSED(optinc_verify(t->design, 1, NULL, NULL, NULL, &verified));
    REFUSED(optinc_verify(t->design, 0, &verify, NULL, NULL, &verified));
    verify = (optinc_verify_options){.resume = true};
    REFUSED(optinc_verify(t->design, 0, &verify, NULL, NULL, &verified));
    verify = (optinc_verify_options){.checkpoint_interval_s = -1.0};
    REFUSED(optinc_verify(t->design, 0, &verify, NULL, NULL, &verified));
    MAKES_NOTHING(table, optinc_tabulate(t->design, 1, 1000, NULL, NULL, &table, &count));
    REFUSED(optinc_tabulate(t->design, 0, 1000, NULL, NULL, NULL, &count));
}

static void training(void **state)
{
    const things *t = *state;
    static const uint32_t sides[] = {2, 4, 2};
    optinc_train_options options = optinc_train_options_default();
    optinc_preprocessing preprocessing;
    optinc_train_cost cost;
    optinc_design *made;
    uint32_t found[4], count;
    bool segmented[2];

    MAKES_NOTHING(made, optinc_train(&t->spec, &options, NULL, NULL, NULL, &made));
    options.layer_count = 2;
    options.sides = sides;
    options.thread_count = too_many;
    MAKES_NOTHING(made, optinc_train(&t->spec, &options, NULL, NULL, NULL, &made));
    MAKES_NOTHING(made, optinc_train(NULL, &options, NULL, NULL, NULL, &made));
    MAKES_NOTHING(made, optinc_train(&t->spec, NULL, NULL, NULL, NULL, &made));
    REFUSED(optinc_train_cost_of(&t->spec, NULL, NULL, &cost));
    REFUSED(optinc_train_cost_of(&t->spec, &options, NULL, NULL));
    REFUSED(optinc_preprocessing_of(&t->spec, 0, NULL, &preprocessing));
    REFUSED(optinc_preprocessing_of(&t->spec, 1, NULL, NULL));
    REFUSED(optinc_structure_parse(NULL, NULL, found, 4, &count));
    REFUSED(optinc_structure_parse("2-4-4-4-2", NULL, found, 4, &count));
    REFUSED(optinc_segments_parse("2-1", 2, NULL, segmented));
    REFUSED(optinc_segments_parse(NULL, 2, NULL, segmented));
    REFUSED(optinc_design_inject_errors(NULL, 0, 0.1, NULL, 1, NULL, NULL));
    REFUSED(optinc_design_inject_errors(t->design, 0, NAN, NULL, 1, NULL, NULL));
    REFUSED(optinc_design_inject_errors(t->design, 0, 0.1, (double[]){0, 0}, 1, NULL, NULL));
}

static void meshes(void **state)
{
    static const double identity[8] = {1, 0, 0, 0, 0, 0, 1, 0};
    const optinc_mesh_layout layout = OPTINC_MESH_RECTANGULAR;
    const optinc_cell_form form = OPTINC_CELL_PHYSICAL;
    const optinc_cell outside = {.mode = 1};
    optinc_mesh *mesh;
    double error;

    (void)state;
    REFUSED(optinc_unitarity_error(2, NULL, &error));
    REFUSED(optinc_unitarity_error(0, identity, &error));
    MAKES_NOTHING(mesh, optinc_mesh_decompose(0, identity, layout, form, NULL, &mesh));
    MAKES_NOTHING(mesh, optinc_mesh_decompose(2, NULL, layout, form, NULL, &mesh));
    MAKES_NOTHING(mesh,
                  optinc_mesh_decompose(2, identity, (optinc_mesh_layout)2, form, NULL, &mesh));
    MAKES_NOTHING(mesh,
                  optinc_mesh_decompose(2, identity, layout, (optinc_cell_form)5, NULL, &mesh));
    MAKES_NOTHING(mesh, optinc_mesh_decompose_real(2, NULL, layout, form, NULL, &mesh));
    MAKES_NOTHING(mesh, optinc_mesh_create(2, &outside, 1, form, NULL, NULL, NULL, &mesh));
    MAKES_NOTHING(mesh, optinc_mesh_create(2, NULL, 1, form, NULL, NULL, NULL, &mesh));
    MAKES_NOTHING(mesh, optinc_mesh_convert(NULL, form, &mesh));
    MAKES_NOTHING(mesh,
                  optinc_mesh_decompose_batch(2, 1, identity, layout, form, too_many, NULL, &mesh));
    REFUSED(optinc_mesh_decompose_batch(2, 1, identity, layout, form, 1, NULL, NULL));
    assert_int_equal(
        optinc_mesh_decompose_batch(2, SIZE_MAX, identity, layout, form, 1, NULL, &mesh),
        OPTINC_ERR_OVERFLOW);
}

static void circuits(void **state)
{
    const things *t = *state;
    const double matrix[4] = {1, 2, 3, 4};
    optinc_circuit_options options = {.mapping = (optinc_mapping)3};
    optinc_device device = optinc_device_ideal();
    optinc_chip chip = {.drift_time_s = -1};
    optinc_circuit *circuit;
    double built[8];

    MAKES_NOTHING(circuit, optinc_circuit_create(2, 2, matrix, &options, NULL, &circuit));
    options = (optinc_circuit_options){.form = OPTINC_CELL_BLOCH};
    MAKES_NOTHING(circuit, optinc_circuit_create(2, 2, matrix, &options, NULL, &circuit));
    options = (optinc_circuit_options){.mapping = OPTINC_MAPPING_SEGMENTED};
    MAKES_NOTHING(circuit, optinc_circuit_create(2, 2, matrix, &options, NULL, &circuit));
    options = (optinc_circuit_options){.mapping = OPTINC_MAPPING_DIRECT, .loss_db = 31};
    MAKES_NOTHING(circuit, optinc_circuit_create(2, 2, matrix, &options, NULL, &circuit));
    MAKES_NOTHING(circuit, optinc_circuit_create(2, 2, matrix, NULL, NULL, &circuit));
    MAKES_NOTHING(circuit, optinc_circuit_create(0, 2, matrix, &options, NULL, &circuit));
    options = (optinc_circuit_options){.mapping = OPTINC_MAPPING_SVD};
    MAKES_NOTHING(circuit, optinc_circuit_create_complex(1, 1, NULL, &options, NULL, &circuit));
    MAKES_NOTHING(circuit, optinc_circuit_create_unitary(1, NULL, &options, NULL, &circuit));
    REFUSED(optinc_circuit_compile(NULL, &device, NULL, built));
    REFUSED(optinc_circuit_compile(t->circuit, NULL, NULL, built));
    REFUSED(optinc_circuit_compile(t->circuit, &device, &chip, built));
    chip = (optinc_chip){.correct_errors = true, .self_configure = true};
    REFUSED(optinc_circuit_compile(t->circuit, &device, &chip, built));
    REFUSED(optinc_device_check(NULL, NULL));
    REFUSED(optinc_device_load(NULL, NULL, &device));
    REFUSED(optinc_device_parse(NULL, 3, NULL, NULL, &device));
    REFUSED(optinc_device_set(&device, "no_such_value", 1, NULL));
    REFUSED(optinc_device_set(&device, NULL, 1, NULL));
    REFUSED(optinc_circuit_export(NULL, NULL, OPTINC_EXPORT_JSON, "never-made", NULL));
    REFUSED(optinc_circuit_export(t->circuit, NULL, (optinc_export_format)4, "never-made", NULL));
    MAKES_NOTHING(circuit, optinc_circuit_import(NULL, NULL, NULL, &circuit));
    MAKES_NOTHING(circuit, optinc_circuit_parse(NULL, 3, NULL, NULL, NULL, &circuit));
}

static void layouts(void **state)
{
    const things *t = *state;
    const optinc_circuit *circuits[1] = {t->circuit};
    const optinc_layout_options layout = {.name = "CHIP"};
    const optinc_device nothing = {.mzi_length_um = 0};
    optinc_crossings crossings;

    REFUSED(optinc_layout_export(NULL, 1, &layout, "never-made", NULL, NULL, NULL));
    REFUSED(optinc_layout_export(circuits, 0, &layout, "never-made", NULL, NULL, NULL));
    REFUSED(optinc_layout_export(circuits, OPTINC_LAYERS_MAX + 1, &layout, "never-made", NULL, NULL,
                                 NULL));
    REFUSED(optinc_layout_export(circuits, 1, NULL, "never-made", NULL, NULL, NULL));
    REFUSED(optinc_layout_export(circuits, 1, &layout, NULL, NULL, NULL, NULL));
    REFUSED(optinc_layout_export(circuits, 1, &(optinc_layout_options){.name = NULL}, "never-made",
                                 NULL, NULL, NULL));
    REFUSED(optinc_layout_crossings(NULL, NULL, &crossings, NULL));
    REFUSED(optinc_layout_crossings(t->circuit, NULL, NULL, NULL));
    REFUSED(optinc_layout_crossings(t->circuit, &nothing, &crossings, NULL));
}

static void chips(void **state)
{
    const things *t = *state;
    optinc_simulate_options options = optinc_simulate_defaults();
    optinc_eye_options eyes = {.photonic = optinc_photonic_defaults(), .symbol_count = 63};
    optinc_photonic_options photonic = optinc_photonic_defaults();
    optinc_switch_options use = {.thread_count = 1, .backend_options = &photonic};
    optinc_simulate_result result;
    optinc_switch *sw;
    optinc_eye *eye;
    double value;

    options.trials = options.codes_per_trial = 1;
    REFUSED(optinc_simulate(NULL, &options, NULL, NULL, &result));
    REFUSED(optinc_simulate(t->design, &options, NULL, NULL, NULL));
    options.thread_count = too_many;
    REFUSED(optinc_simulate(t->design, &options, NULL, NULL, &result));
    options.thread_count = 1;
    options.trials = UINT64_MAX;
    REFUSED(optinc_simulate(t->design, &options, NULL, NULL, &result));
    options.trials = 1;
    REFUSED(optinc_tolerance(t->design, &options, NULL, 1, 0.5, NULL, NULL, &value));
    REFUSED(optinc_tolerance(t->design, &options, "dac_bits", -1, 0.5, NULL, NULL, &value));
    REFUSED(optinc_tolerance(t->design, &options, "dac_bits", 1, 1.5, NULL, NULL, &value));
    MAKES_NOTHING(eye, optinc_eye_create(t->design, &eyes, NULL, &eye));
    MAKES_NOTHING(eye, optinc_eye_create(t->design, NULL, NULL, &eye));
    photonic.chip_count = 4097;
    MAKES_NOTHING(sw, optinc_switch_create(t->design, optinc_backend_photonic(), &use, NULL, &sw));
    photonic = optinc_photonic_defaults();
    photonic.fault_layer = 99;
    MAKES_NOTHING(sw, optinc_switch_create(t->design, optinc_backend_photonic(), &use, NULL, &sw));
    REFUSED(optinc_unit_circuits(t->unit, NULL, NULL, NULL));
}

static void synthesis(void **state)
{
    const things *t = *state;
    const optinc_photonic_options photonic = optinc_photonic_defaults();
    optinc_cost_options how = {.mzi_length_um = -1};
    optinc_cascade cascade = {.ports = {4}, .bits = 8};
    optinc_faults faults = {.dark_count = 0};
    optinc_design_cost cost;
    optinc_budget budget;
    optinc_fault_proof proof;
    optinc_rounding_loss loss;
    optinc_spec specs[OPTINC_LEVELS_MAX];
    optinc_design *made;
    uint32_t ports[OPTINC_LEVELS_MAX];

    REFUSED(optinc_layer_cost_of(NULL, NULL, NULL));
    REFUSED(optinc_unit_cost_of(t->unit, NULL, NULL));
    REFUSED(optinc_design_cost_of(t->design, &how, &cost));
    REFUSED(optinc_cascade_split(16, 0, NULL, ports));
    REFUSED(optinc_cascade_split(17, 2, NULL, ports));
    REFUSED(optinc_cascade_specs(&cascade, NULL, specs));
    cascade.level_count = OPTINC_LEVELS_MAX + 1;
    REFUSED(optinc_cascade_specs(&cascade, NULL, specs));
    MAKES_NOTHING(made, optinc_synthesise_cascade(NULL, NULL, NULL, NULL, NULL, &made));
    MAKES_NOTHING(made, optinc_train_cascade(&cascade, NULL, NULL, NULL, NULL, &made));
    REFUSED(optinc_cascade_rounding_loss(NULL, NULL, &loss));
    REFUSED(optinc_verify_faults(t->design, 4, NULL, NULL, NULL, &proof));
    REFUSED(optinc_verify_faults(t->design, 5, &faults, NULL, NULL, &proof));
    REFUSED(optinc_unit_budget(t->unit, &photonic, NULL, NULL));
    REFUSED(optinc_unit_receivers(NULL, &photonic, NULL, NULL));
    REFUSED(optinc_design_budget(NULL, &photonic, NULL, &budget));
    REFUSED(optinc_design_remedies(t->design, &photonic, NULL, NULL));
}

static void clusters(void **state)
{
    const optinc_cluster cluster = optinc_cluster_default();
    optinc_cluster_time time;

    (void)state;
    REFUSED(optinc_cluster_time_of(NULL, OPTINC_CLUSTER_RING, NULL, &time));
    REFUSED(optinc_cluster_time_of(&cluster, OPTINC_CLUSTER_RING, NULL, NULL));
    REFUSED(optinc_cluster_time_of(&cluster, (optinc_cluster_collective)5, NULL, &time));
    assert_null(optinc_cluster_collective_name((optinc_cluster_collective)5));
    assert_null(optinc_cluster_alltoall_name((optinc_cluster_alltoall)4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destroying_nothing),
        cmocka_unit_test(codec),
        cmocka_unit_test(design),
        cmocka_unit_test(switches),
        cmocka_unit_test(onn),
        cmocka_unit_test(training),
        cmocka_unit_test(meshes),
        cmocka_unit_test(circuits),
        cmocka_unit_test(layouts),
        cmocka_unit_test(chips),
        cmocka_unit_test(synthesis),
        cmocka_unit_test(clusters),
    };

    return cmocka_run_group_tests(tests, make_things, destroy_things);
}
