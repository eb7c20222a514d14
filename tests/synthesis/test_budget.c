/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets of designs small enough to count by hand, and the verdicts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "optinc/synthesis.h"

static optinc_design *line_design(uint32_t side)
{
    optinc_design *design = NULL;
    double *weight = calloc((size_t)side * side, sizeof *weight);
    double *bias = calloc(side, sizeof *bias);
    optinc_layer layer = {.rows = side, .cols = side, .weight = weight, .bias = bias};
    optinc_input *inputs = calloc(side, sizeof *inputs);
    optinc_unit unit = {.method = OPTINC_METHOD_TRAINED,
                        .input_count = side,
                        .inputs = inputs,
                        .layer_count = 1,
                        .layers = &layer};

    for (uint32_t i = 0; i < side; i++) {
        weight[(size_t)i * side + i] = 1;
        inputs[i] = (optinc_input){i, 1, 1};
    }
    assert_int_equal(optinc_spec_single(2, 2 * side, OPTINC_VARIANT_HALF_UP, NULL, &unit.spec),
                     OPTINC_OK);
    assert_int_equal(optinc_design_create(&unit, 1, NULL, &design), OPTINC_OK);
    free(weight);
    free(bias);
    free(inputs);
    return design;
}

static bool near(double x, double y)
{
    return fabs(x - y) <= 1e-9 * (1 + fabs(y));
}

/* One value through one attenuator: 1 MZI, 1 modulator, 1 receiver. */
static void test_by_hand(void **state)
{
    optinc_design *design = line_design(1);
    optinc_photonic_options options = optinc_photonic_defaults();
    optinc_device *device = &options.device;
    const double waveguide_db = (180 + 260) * 1e-4 * 0.5;
    optinc_budget budget;

    (void)state;
    device->mzi_loss_db = 2;
    device->modulator_loss_db = 1.5;
    device->waveguide_loss_db_per_cm = 0.5;
    device->amplifier_latency_ps = 40;
    device->receiver_noise_pa_per_sqrt_hz = 10;
    memset(&budget, 0xA5, sizeof budget);
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_int_equal(budget.mzis, 1);
    assert_true(near(budget.loss_db_max, 1.5 + 2 + waveguide_db));
    assert_true(near(budget.received_dbm_min, -1.5 - 2 - waveguide_db));
    assert_true(near(budget.latency_ps, (180 + 260) * 4.2 / 299.792458 + 40));
    assert_true(near(budget.area_mm2, (180 * 100 + 260 * 20 + 120000 + 50) / 1e6));
    /* an attenuator at 1 is the bar state: pi in its arm, and pi in front of it to take back i e^(i
     * pi/2); modulator 450 fJ/bit at 20 Gb/s; laser and oscillator 1 mW each at 0.2 */
    assert_true(near(budget.power_w, 1e-3 * (2 * 30 + 9 + 5 + 2 * 1.1 + 3 + 5)));
    assert_true(near(budget.energy_pj, budget.power_w / 10e9 * 1e12));
    /* value 3 at full scale: gain 3 and the loss */
    assert_true(near(budget.gain_db_max, 20 * log10(3) + 2 + waveguide_db));
    assert_true(near(budget.snr_db_min, 20 * log10(2e-3 * pow(10, -(3.5 + waveguide_db) / 20) /
                                                   (10e-12 * sqrt(5e9)))));
    assert_true(budget.feasible);
    assert_non_null(strstr(budget.verdict, "feasible; least headroom"));
    optinc_design_destroy(&design);
}

/* The same line's layer, receiver and energy. A ring of two servers moves each element twice over one
 * link: 2 (N-1) B bits. */
static void test_parts_by_hand(void **state)
{
    optinc_design *design = line_design(1);
    const optinc_unit *unit = optinc_design_unit(design, 0);
    optinc_photonic_options options = optinc_photonic_defaults();
    optinc_device *device = &options.device;
    optinc_layer_budget layer;
    optinc_receiver_budget receiver;
    optinc_budget budget;
    optinc_energy energy;
    double snr_db = 20 * log10(2e-3 * pow(10, -3.5 / 20) / (10e-12 * sqrt(5e9)));

    (void)state;
    device->mzi_loss_db = 2;
    device->modulator_loss_db = 1.5;
    device->receiver_noise_pa_per_sqrt_hz = 10;
    device->laser_power_mw = 2;
    device->local_oscillator_power_mw = 0.5;
    memset(&layer, 0xA5, sizeof layer);
    memset(&receiver, 0xA5, sizeof receiver);
    assert_int_equal(optinc_unit_budget(unit, &options, NULL, &layer), OPTINC_OK);
    assert_int_equal(optinc_unit_receivers(unit, &options, NULL, &receiver), OPTINC_OK);
    assert_true(layer.depth == 1 && layer.mzis == 1 && layer.dummies == 0);
    assert_true(near(layer.laser_mw, 2) && near(layer.oscillator_mw, 0.5));
    assert_true(near(layer.light_min, pow(10, -0.1)));
    /* 2 mW less 3.5 dB is that much above -25 dBm */
    assert_true(near(layer.laser_mw_needed, 2 * pow(10, (-25 - 10 * log10(2) + 3.5) / 10)));
    assert_true(near(receiver.loss_db, 3.5));
    assert_true(near(receiver.received_dbm, 10 * log10(2) - 3.5));
    assert_true(near(receiver.gain_db, 20 * log10(3) + 2));
    /* 2 mW and 0.5 mW: the product is that of 1 mW and 1 mW */
    assert_true(near(receiver.snr_db, snr_db));
    assert_true(near(receiver.headroom_db,
                     fmin(receiver.received_dbm + 25, snr_db - 20 * log10(2 * 6.5 * (3 * 2 + 3)))));
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_true(near(budget.laser_w, 2.5e-3 / 0.2));
    assert_true(near(budget.headroom_db, receiver.headroom_db));
    assert_int_equal(budget.depth, 1);
    device->transceiver_energy_pj_per_bit = 20;
    energy = optinc_design_energy(design, device, &budget);
    assert_true(near(energy.optinc, 2 * 2 * 20 + budget.energy_pj));
    assert_true(near(energy.ring_same, 2 * 1 * 2 * 20) && near(energy.ring_float, 2 * 1 * 32 * 20));
    optinc_design_destroy(&design);
}

/* What the line lacks in dB, by hand, is what each remedy must give. */
static void test_remedies(void **state)
{
    optinc_design *design = line_design(1);
    optinc_photonic_options options = optinc_photonic_defaults();
    optinc_device *device = &options.device;
    optinc_remedies remedies;
    double lacks_db;

    (void)state;
    /* light: -11.5 - 30 dBm, 16.5 dB below the sensitivity */
    device->modulator_loss_db = 11.5;
    device->mzi_loss_db = 30;
    memset(&remedies, 0xA5, sizeof remedies);
    assert_int_equal(optinc_design_remedies(design, &options, NULL, &remedies), OPTINC_OK);
    assert_true(near(remedies.laser_mw, pow(10, 1.65)));
    assert_true(isnan(remedies.oscillator_mw) && isnan(remedies.symbol_rate_gbaud));
    assert_true(remedies.mzi_loss_db <= 13.5 && remedies.mzi_loss_db >= 13.5 - 30.0 / 256);
    assert_int_equal(remedies.mzis_between, 0);
    /* noise alone: 2 sqrt(P_lo P) over i sqrt(B), so all three count alike */
    device->mzi_loss_db = 0;
    device->modulator_loss_db = 0;
    device->receiver_noise_pa_per_sqrt_hz = 1000;
    lacks_db = 20 * log10(2 * 6.5 * 9) - 20 * log10(2e-3 / (1e-9 * sqrt(5e9)));
    assert_true(lacks_db > 1);
    assert_int_equal(optinc_design_remedies(design, &options, NULL, &remedies), OPTINC_OK);
    assert_true(near(remedies.laser_mw, pow(10, lacks_db / 10)));
    assert_true(near(remedies.oscillator_mw, pow(10, lacks_db / 10)));
    assert_true(near(remedies.symbol_rate_gbaud, 10 * pow(10, -lacks_db / 10)));
    assert_true(isnan(remedies.mzi_loss_db) && isnan(remedies.crossing_loss_db));
    assert_true(isnan(remedies.direct_headroom_db));
    device->laser_power_mw_max = pow(10, lacks_db / 10) - 0.01;
    assert_int_equal(optinc_design_remedies(design, &options, NULL, &remedies), OPTINC_OK);
    assert_true(isnan(remedies.laser_mw) && isnan(remedies.oscillator_mw));
    /* nothing to mend */
    device->receiver_noise_pa_per_sqrt_hz = 0;
    assert_int_equal(optinc_design_remedies(design, &options, NULL, &remedies), OPTINC_OK);
    assert_true(isnan(remedies.symbol_rate_gbaud) && isnan(remedies.mzi_loss_db));
    optinc_design_destroy(&design);
}

/* Two inputs, each split to two blocks of side 2: a 4 x 2 matrix of two identities. */
static optinc_design *split_design(void)
{
    static const double weight[8] = {1, 0, 0, 1, 1, 0, 0, 1}, bias[4] = {0};
    const optinc_layer layer = {.rows = 4,
                                .cols = 2,
                                .mapping = OPTINC_MAPPING_SEGMENTED,
                                .segment_side = 2,
                                .weight = weight,
                                .bias = bias};
    const optinc_input inputs[2] = {{0, 2, 1}, {2, 2, 1}};
    optinc_unit unit = {.method = OPTINC_METHOD_TRAINED,
                        .input_count = 2,
                        .inputs = inputs,
                        .layer_count = 1,
                        .layers = &layer};
    optinc_design *design = NULL;

    assert_int_equal(optinc_spec_single(2, 8, OPTINC_VARIANT_HALF_UP, NULL, &unit.spec), OPTINC_OK);
    assert_int_equal(optinc_design_create(&unit, 1, NULL, &design), OPTINC_OK);
    return design;
}

/* From top to bottom the splitters' outputs are a1 a2 b1 b2, the blocks' inputs a1 b1 a2 b2: a2 and b1
 * cross, which is the layer's one crossing. Where it loses light, a1 and b2 get one with an idle
 * waveguide, so that each block's inputs, and here all four receivers, lose alike. */
static void test_crossings_by_hand(void **state)
{
    optinc_design *design = split_design();
    const optinc_unit *unit = optinc_design_unit(design, 0);
    optinc_photonic_options options = optinc_photonic_defaults();
    optinc_layer_budget layer, without;
    optinc_receiver_budget receivers[4];
    optinc_budget budget;

    (void)state;
    options.device.receiver_noise_pa_per_sqrt_hz = 10;
    options.device.modulator_loss_db = 1;
    assert_int_equal(optinc_unit_budget(unit, &options, NULL, &without), OPTINC_OK);
    assert_true(without.crossings == 1 &&
                without.path_crossings_max == 1); /* counted without loss */
    assert_true(without.crossing_loss_db_max == 0);
    options.device.crossing_loss_db = 3;
    memset(&layer, 0xA5, sizeof layer);
    memset(receivers, 0xA5, sizeof receivers);
    memset(&budget, 0xA5, sizeof budget);
    assert_int_equal(optinc_unit_budget(unit, &options, NULL, &layer), OPTINC_OK);
    assert_int_equal(optinc_unit_receivers(unit, &options, NULL, receivers), OPTINC_OK);
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_true(layer.crossings == 3 && layer.path_crossings_max == 1);
    assert_true(layer.crossing_loss_db_max == 3);
    assert_true(near(layer.loss_db_max, without.loss_db_max + 3));
    /* half of the light to each block: 1 + 3 + 3.01 dB */
    assert_true(near(layer.received_dbm_min, -1 - 3 - 10 * log10(2)));
    assert_true(near(layer.gain_db_max, without.gain_db_max + 3));
    assert_true(near(layer.snr_db_min, without.snr_db_min - 3));
    for (int r = 0; r < 4; r++) {
        assert_int_equal(receivers[r].crossings, 1);
        assert_true(near(receivers[r].loss_db, 1 + 3 + 10 * log10(2)));
        assert_true(near(receivers[r].gain_db, layer.gain_db_max));
    }
    assert_true(budget.crossings == 3 && budget.path_crossings_max == 1);
    assert_true(budget.crossing_loss_db_max == 3 && near(budget.loss_db_max, layer.loss_db_max));
    optinc_design_destroy(&design);
}

/* A crossing of 30 dB leaves -33.01 dBm of 1 mW, 8.01 dB below the sensitivity, which 21.99 dB would
 * not be; the verdict names crossings then, and not where nothing is lacking. */
static void test_crossings_break(void **state)
{
    optinc_design *design = split_design();
    optinc_photonic_options options = optinc_photonic_defaults();
    double most_db = 25 - 10 * log10(2);
    optinc_remedies remedies;
    optinc_budget budget;

    (void)state;
    options.device.receiver_gain_db_max = 200;
    options.device.receiver_noise_pa_per_sqrt_hz = 0;
    options.device.crossing_loss_db = 21.9;
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_true(budget.feasible && !strstr(budget.verdict, "crossings"));
    options.device.crossing_loss_db = 30;
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_true(!budget.feasible && near(budget.headroom_db, most_db - 30));
    assert_non_null(strstr(budget.verdict, "not feasible: light is 8.0 dB too weak"));
    assert_non_null(strstr(budget.verdict, "; crossings take up to 30 dB there"));
    assert_int_equal(optinc_design_remedies(design, &options, NULL, &remedies), OPTINC_OK);
    if (!(remedies.crossing_loss_db <= most_db &&
          remedies.crossing_loss_db >= most_db - 30.0 / 256))
        fail_msg("%g dB a crossing", remedies.crossing_loss_db);
    assert_true(near(remedies.laser_mw, pow(10, (30 - most_db) / 10)));
    assert_true(isnan(remedies.mzi_loss_db));
    optinc_design_destroy(&design);
}

/* The constructed switch in lossy meshes: trees mend it, and each remedy, applied, makes it feasible
 * at no more than its own price. */
static void test_remedies_work(void **state)
{
    const optinc_construct_options construct = {.activation = OPTINC_ACTIVATION_SATURATING,
                                                .gap = 0.1};
    optinc_photonic_options options = optinc_photonic_defaults(), mended;
    optinc_design *design = NULL;
    optinc_remedies remedies;
    optinc_budget budget;
    optinc_spec spec;

    (void)state;
    options.device.mzi_loss_db = 0.99;
    options.device.modulator_loss_db = 1.2;
    options.device.receiver_noise_pa_per_sqrt_hz = 17.25;
    options.device.laser_power_mw_max = 100;
    assert_int_equal(optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, &construct, NULL, &design), OPTINC_OK);
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_false(budget.feasible);
    assert_int_equal(optinc_design_remedies(design, &options, NULL, &remedies), OPTINC_OK);
    for (int i = 0; i < 5; i++) {
        mended = options;
        if (i == 0)
            mended.device.laser_power_mw = 1.0001 * remedies.laser_mw;
        else if (i == 1)
            mended.device.local_oscillator_power_mw = 1.0001 * remedies.oscillator_mw;
        else if (i == 2)
            mended.device.symbol_rate_gbaud = 0.9999 * remedies.symbol_rate_gbaud;
        else if (i == 3)
            mended.device.mzi_loss_db = remedies.mzi_loss_db;
        else
            mended.direct = true;
        assert_int_equal(optinc_design_budget(design, &mended, NULL, &budget), OPTINC_OK);
        if (!(budget.feasible && budget.headroom_db >= 0))
            fail_msg("remedy %d leaves %g dB", i, budget.headroom_db);
        if (!(i == 4 || budget.headroom_db < 0.1))
            fail_msg("remedy %d is %g dB more than needed", i, budget.headroom_db);
        if (i == 4)
            assert_true(near(budget.headroom_db, remedies.direct_headroom_db));
    }
    assert_true(remedies.mzis_between >= 1 && remedies.mzis_between < 14);
    optinc_design_destroy(&design);
}

/* A rectangle as deep as 64 modes twice at 0.99 dB a cell passes nothing, and no laser helps; with
 * the device's gain at its limit, or with noise, it is those that break first. */
static void test_verdicts(void **state)
{
    optinc_design *design = line_design(8);
    optinc_photonic_options options = optinc_photonic_defaults();
    optinc_device *device = &options.device;
    optinc_budget budget;

    (void)state;
    device->mzi_loss_db = 4;
    device->laser_power_mw_max = 100;
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_false(budget.feasible);
    assert_non_null(strstr(budget.verdict, "not feasible: light is"));
    assert_non_null(strstr(budget.verdict, "shallower circuits"));
    assert_true(budget.laser_mw_needed > 100);
    device->mzi_loss_db = 2;
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_false(budget.feasible);
    assert_non_null(strstr(budget.verdict, "mW into every modulator would mend it"));
    device->laser_power_mw = 1.01 * budget.laser_mw_needed;
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_true(budget.feasible);
    device->receiver_gain_db_max = 5;
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_non_null(strstr(budget.verdict, "more gain at level 0, layer 1"));
    device->receiver_gain_db_max = 100;
    device->receiver_noise_pa_per_sqrt_hz = 1e5;
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
    assert_non_null(strstr(budget.verdict, "signal over noise is"));
    device->phase_sigma_rad = -1;
    assert_int_equal(optinc_design_budget(design, &options, NULL, &budget),
                     OPTINC_ERR_INVALID_ARGUMENT);
    optinc_design_destroy(&design);
}

/* The goals: the constructed switch of 4 servers and 8 bits in at most 80
 * MZIs by direct mapping, of 16 bits in at most 200; and both feasible with the published figures. */
static void test_constructed(void **state)
{
    static const uint32_t bits[2] = {8, 16};
    static const uint64_t most[2] = {80, 200};
    optinc_photonic_options options = optinc_photonic_defaults();

    (void)state;
    options.direct = true;
    options.device.mzi_loss_db = 0.99;
    for (int k = 0; k < 2; k++) {
        optinc_design *design = NULL;
        optinc_budget budget;
        optinc_spec spec;

        assert_int_equal(optinc_spec_single(4, bits[k], OPTINC_VARIANT_HALF_UP, NULL, &spec),
                         OPTINC_OK);
        assert_int_equal(optinc_construct(&spec, NULL, NULL, &design), OPTINC_OK);
        assert_int_equal(optinc_design_budget(design, &options, NULL, &budget), OPTINC_OK);
        if (!(budget.mzis <= most[k]))
            fail_msg("%llu MZIs", (unsigned long long)budget.mzis);
        assert_true(budget.feasible);
        optinc_design_destroy(&design);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),           cmocka_unit_test(test_parts_by_hand),
        cmocka_unit_test(test_remedies),          cmocka_unit_test(test_remedies_work),
        cmocka_unit_test(test_crossings_by_hand), cmocka_unit_test(test_crossings_break),
        cmocka_unit_test(test_verdicts),          cmocka_unit_test(test_constructed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
