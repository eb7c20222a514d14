/* SPDX-License-Identifier: Apache-2.0 */
/* Netlists read back. Precondition: the exports are those that SAX and numpy evaluate to the right
 * matrices (export_check.py). Identity: an imported circuit has the matrix of the exported one; a
 * file cut short anywhere is refused. */
#define _XOPEN_SOURCE 700 /* mkstemp */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "optics/unitary.h"
#include "optinc/optics.h"

static char path[] = "/tmp/optinc-import-XXXXXX";

typedef struct words {
    char text[1024];
} words;

static void keep(void *user, optinc_log_level level, const char *message)
{
    words *w = user;

    (void)level;
    snprintf(w->text, sizeof w->text, "%s", message);
}

static char *slurp(size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = calloc(1, 1 << 20);

    assert_non_null(file);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

/* A circuit of a mapping, 6 x 4 or what it needs. */
static optinc_circuit *make(int kind)
{
    optinc_circuit_options options = {.mapping = (optinc_mapping)(kind % 3),
                                      .form =
                                          kind / 3 ? OPTINC_CELL_SYMMETRIC : OPTINC_CELL_PHYSICAL,
                                      .segment_side = 2,
                                      .bias_last = true};
    double *haar = matrix_haar(6, 4, 0), real[24];
    optinc_circuit *circuit = NULL;

    for (int i = 0; i < 24; i++)
        real[i] = haar[2 * i];
    for (int i = 0; i < 24 && kind % 3 == OPTINC_MAPPING_SEGMENTED; i++)
        real[i] = (i % 2 == i / 4 % 2 ? 0.6 : i % 2 ? -0.8 : 0.8) * (1 + i / 8);
    if (kind % 3 == OPTINC_MAPPING_DIRECT)
        real[1] = real[5] = real[9] = real[13] = real[17] = real[21] = 0; /* an unused input */
    assert_int_equal(optinc_circuit_create(6, 4, real, &options, NULL, &circuit), OPTINC_OK);
    free(haar);
    return circuit;
}

static void matrix_of(const optinc_circuit *circuit, double *matrix)
{
    const optinc_device ideal = optinc_device_ideal();

    memset(matrix, 0xA5, 48 * sizeof *matrix);
    assert_int_equal(optinc_circuit_compile(circuit, &ideal, NULL, matrix), OPTINC_OK);
}

static void test_round_trip(void **state)
{
    optinc_device device = optinc_device_ideal();

    (void)state;
    device.mzi_loss_db = 0.2;
    device.splitter_loss_db = 0.3;
    for (int kind = 0; kind < 6; kind++)
        for (int format = OPTINC_EXPORT_JSON; format <= OPTINC_EXPORT_SAX; format++) {
            optinc_circuit *circuit = make(kind), *again = NULL;
            optinc_netlist_losses losses = {-1, -1};
            double first[48], second[48];

            assert_int_equal(
                optinc_circuit_export(circuit, &device, (optinc_export_format)format, path, NULL),
                OPTINC_OK);
            assert_int_equal(optinc_circuit_import(path, NULL, &losses, &again), OPTINC_OK);
            matrix_of(circuit, first);
            matrix_of(again, second);
            for (int i = 0; i < 48; i++)
                if (!(fabs(first[i] - second[i]) <= 1e-14))
                    fail_msg("kind %d format %d entry %d: %g, expected %g", kind, format, i,
                             second[i], first[i]);
            assert_true(losses.mzi_loss_db == 0.2);
            assert_true(losses.splitter_loss_db ==
                        (format == OPTINC_EXPORT_JSON || kind % 3 == 1 ? 0.3 : 0.0));
            for (uint32_t r = 0; r < 6 && format == OPTINC_EXPORT_JSON; r++)
                assert_true(optinc_circuit_gain(again)[r] == optinc_circuit_gain(circuit)[r]);
            assert_int_equal(optinc_circuit_describe(again).depth,
                             optinc_circuit_describe(circuit).depth);
            optinc_circuit_destroy(&circuit);
            optinc_circuit_destroy(&again);
        }
}

static void test_cut_short(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (int format = OPTINC_EXPORT_JSON; format <= OPTINC_EXPORT_SAX; format++) {
            optinc_circuit *circuit = make(kind), *again = NULL;
            size_t size, step;
            char *bytes;

            assert_int_equal(
                optinc_circuit_export(circuit, NULL, (optinc_export_format)format, path, NULL),
                OPTINC_OK);
            bytes = slurp(&size);
            step = size / 150 + 1;
            for (size_t cut = 0; cut + 2 <= size; cut += cut + 200 > size ? 1 : step) {
                words w = {""};
                const optinc_log log = {keep, &w};

                again = circuit;
                if (optinc_circuit_parse((const uint8_t *)bytes, cut, "cut", &log, NULL, &again) !=
                    OPTINC_ERR_FORMAT)
                    fail_msg("kind %d format %d: %zu of %zu bytes are read", kind, format, cut,
                             size);
                assert_null(again);
                if (strncmp(w.text, "cut:", 4) != 0)
                    fail_msg("no name in '%s'", w.text);
            }
            free(bytes);
            optinc_circuit_destroy(&circuit);
        }
}

/* One change to a good netlist, and what the log must say. */
static void test_bad_netlists(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"{\"format\": \"spice\"}", "'format': expected \"optinc-circuit\""},
        {"[1, 2]", "expected a netlist"},
        {"{\"a\": 1, \"a\": 2}", "not JSON: duplicate object key"},
        {"instances: {e0: {component: optinc_mzi, settings: {in_rad: 7}}}\n",
         "e0: in_rad is 7, expected 0 up to below 6.28319"},
        {"instances: {e0: {component: optinc_mzi, settings: {in_rad: -0.1}}}\n", "in_rad is -0.1"},
        {"instances: {e0: {component: optinc_mzi, settings: {in_rad: nan}}}\n", "in_rad is nan"},
        {"instances: {e0: {component: optinc_mzi, settings: {in_rad: 1x}}}\n", "in_rad is '1x'"},
        {"instances: {e0: {component: optinc_mzi, settings: {in: 1}}}\n",
         "a setting that its model does not have"},
        {"instances: {e0: {component: ring}}\n",
         "component 'ring', expected optinc_mzi, optinc_splitter or optinc_shifter"},
        {"instances: {e0: {component: optinc_mzi, settings: {loss_db: 1}}, e1: {component: "
         "optinc_mzi, settings: {loss_db: 2}}}\n",
         "e1: loss_db is 2, expected 1 as before"},
        {"instances: {e0: {component: optinc_mzi}, e0: {component: optinc_mzi}}\n", "e0: doubled"},
        {"instances: {e0: {component: optinc_mzi}}\n", "ports: netlist: missing"},
        {"instances: {e0: {component: optinc_mzi}}\nconnections: {\"e0,out0\": \"e9,in0\"}\n",
         "e9,in0: expected INSTANCE,in0 or in1"},
        {"instances: {e0: {component: optinc_mzi}}\nconnections: {\"e0,out2\": \"e0,in0\"}\n",
         "e0,out2: expected INSTANCE,out0 or out1"},
        {"instances: {e0: {component: optinc_mzi}}\nports: {in0: \"e0,in0\", in1: \"e0,in0\"}\n",
         "e0,in0: connected twice"},
        {"instances: {e0: {component: optinc_mzi}}\nports: {in0: \"e0,in0\", out1: \"e0,out0\"}\n",
         "out0: missing"},
        {"instances: {e0: {component: optinc_mzi}}\nports: {in0: \"e0,in0\", left: \"e0,out0\"}\n",
         "left: expected in0 .. or out0 .."},
        {"instances: {e0: {component: optinc_mzi}}\nconnections: {\"e0,out1\": \"e0,in1\"}\n"
         "ports: {in0: \"e0,in0\", out0: \"e0,out0\"}\n",
         "e0: light runs in a loop"},
        {"instances: {e0: {component: optinc_mzi}, s: {component: optinc_shifter}}\nconnections: "
         "{\"s,out0\": \"e0,in1\"}\nports: {in0: \"e0,in0\", out0: \"e0,out0\"}\n",
         "behind a shifter"},
        {"instances: {e0: {component: optinc_mzi}, s: {component: optinc_shifter}}\nports: {in0: "
         "\"e0,in0\", out0: \"e0,out0\"}\n",
         "a shifter that no output names"},
        {"instances: {}\n", "expected at least one"},
        {"instances: {\"e,0\": {component: optinc_mzi}}\n", "e,0: expected a name"},
        {"instances: {e0: {component: optinc_mzi, settings: {in_rad: [1]}}}\n",
         "e0: settings: expected names and numbers"},
        {"instances: {e0: {component: optinc_mzi}}\ninstances: {e1: {component: optinc_mzi}}\n",
         "netlist: doubled"},
        {"instances: {e0: {component: optinc_mzi}}\nconnections: {}\nports: {in0: \"e0,in0\", in0: "
         "\"e0,in1\"}\n",
         "in0: doubled"},
        {"instances: {e0: {component: optinc_mzi}}\nports: {out0: \"e0,out0\", out0: "
         "\"e0,out1\"}\n",
         "out0: doubled"},
        {"instances: {e0: {component: optinc_mzi}}\nports: {out0: \"e0,out0\", out1: "
         "\"e0,out0\"}\n",
         "e0,out0: connected twice"},
        {"a: b: c", "not YAML"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        words w = {""};
        const optinc_log log = {keep, &w};
        optinc_circuit *circuit = NULL;

        assert_int_equal(optinc_circuit_parse((const uint8_t *)cases[i].text, strlen(cases[i].text),
                                              "net", &log, NULL, &circuit),
                         OPTINC_ERR_FORMAT);
        assert_null(circuit);
        if (!strstr(w.text, cases[i].says))
            fail_msg("case %zu says '%s', expected '%s'", i, w.text, cases[i].says);
    }
}

/* Names and order are free: a crosses, by i, b passes, by i e^(i pi/2): -i in all. */
static void test_order(void **state)
{
    static const char good[] = "instances: {b: {component: optinc_mzi, settings: {arm_a_rad: "
                               "3.141592653589793}}, a: {component: optinc_mzi}}\n"
                               "connections: {\"a,out1\": \"b,in0\"}\n"
                               "ports: {in0: \"a,in0\", out0: \"b,out0\"}\n";
    const optinc_device ideal = optinc_device_ideal();
    optinc_circuit *circuit = NULL;
    double s[2];

    (void)state;
    assert_int_equal(
        optinc_circuit_parse((const uint8_t *)good, sizeof good - 1, "net", NULL, NULL, &circuit),
        OPTINC_OK);
    assert_int_equal(optinc_circuit_compile(circuit, &ideal, NULL, s), OPTINC_OK);
    assert_true(fabs(s[0]) <= 1e-15 && fabs(s[1] + 1) <= 1e-15);
    optinc_circuit_destroy(&circuit);
}

/* JSON fields, each spoilt in an exported file. */
static void test_bad_json(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"\"in_rad\": ", "\"in_rad\": 7", "in_rad is"},
        {"\"kind\": \"mzi\"", "\"kind\": \"mmi\"", "'kind' is 'mmi', expected mzi or splitter"},
        {"\"mode_a\": ", "\"mode_a\": 99", "mode_a is"},
        {"\"mode_b\": 1", "\"mode_b\": 0", "mode_a and mode_b are both 0"},
        {"\"modes\": 10", "\"modes\": 100000", "modes is 100000"},
        {"\"rows\": 6", "\"rows\": 5", "expected a list of 5 modes"},
        {"\"rows\": 6", "\"rows\": \"6\"", "'rows': expected a whole number"},
        {"\"arm_a_rad\": ", "\"arm_x_rad\": ", "'arm_a_rad': expected a number"},
        {"\"mzi_loss_db\": 0.0", "\"mzi_loss_db\": -1.0", "mzi_loss_db is -1"},
        {"\"elements\": [", "\"elements\": 1, \"x\": [", "'elements': expected a list"},
        {"\"input_mode\": [", "\"input_mode\": [-1, ", "expected a list of"},
        {"\"gain\": [", "\"gain\": [\"1\", ", "'gain': expected a list of 6 numbers"},
        {"\"gain\": [", "\"gain\": [[], 1, 1, 1, 1, 1], \"x\": [",
         "'gain': entry 0: expected a number"},
    };
    optinc_circuit *circuit = make(OPTINC_MAPPING_SVD);
    size_t size;
    char *good, *bad = malloc(1 << 20);

    (void)state;
    assert_int_equal(optinc_circuit_export(circuit, NULL, OPTINC_EXPORT_JSON, path, NULL),
                     OPTINC_OK);
    good = slurp(&size);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at = strstr(good, cases[i].from);
        words w = {""};
        const optinc_log log = {keep, &w};
        optinc_circuit *made = NULL;

        if (!at)
            fail_msg("no %s", cases[i].from);
        snprintf(bad, 1 << 20, "%.*s%s%s", (int)(at - good), good, cases[i].to,
                 at + strlen(cases[i].from));
        assert_int_equal(
            optinc_circuit_parse((const uint8_t *)bad, strlen(bad), "net", &log, NULL, &made),
            OPTINC_ERR_FORMAT);
        if (!strstr(w.text, cases[i].says))
            fail_msg("case %zu says '%s', expected '%s'", i, w.text, cases[i].says);
    }
    optinc_circuit_destroy(&circuit);
    assert_int_equal(optinc_circuit_import("/none/such.json", NULL, NULL, &circuit), OPTINC_ERR_IO);
    assert_null(circuit);
    free(good);
    free(bad);
}

/* A mesh of 40 modes: its files are larger than what is read at once. */
static void test_large(void **state)
{
    enum { SIDE = 40 };
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SVD};
    const optinc_device ideal = optinc_device_ideal();
    double *haar = matrix_haar(SIDE, SIDE, 0), *real = malloc(SIDE * SIDE * sizeof *real);
    double *matrix[2];
    optinc_circuit *circuit = NULL, *again = NULL;

    (void)state;
    for (int i = 0; i < SIDE * SIDE; i++)
        real[i] = haar[2 * i];
    for (int k = 0; k < 2; k++) {
        matrix[k] = malloc(2 * SIDE * SIDE * sizeof **matrix);
        memset(matrix[k], 0xA5, 2 * SIDE * SIDE * sizeof **matrix);
    }
    assert_int_equal(optinc_circuit_create(SIDE, SIDE, real, &options, NULL, &circuit), OPTINC_OK);
    assert_int_equal(optinc_circuit_compile(circuit, &ideal, NULL, matrix[0]), OPTINC_OK);
    for (int format = OPTINC_EXPORT_JSON; format <= OPTINC_EXPORT_SAX; format++) {
        FILE *file;

        assert_int_equal(
            optinc_circuit_export(circuit, NULL, (optinc_export_format)format, path, NULL),
            OPTINC_OK);
        file = fopen(path, "rb");
        assert_non_null(file);
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        assert_true(ftell(file) > 1 << 17);
        fclose(file);
        assert_int_equal(optinc_circuit_import(path, NULL, NULL, &again), OPTINC_OK);
        assert_int_equal(optinc_circuit_compile(again, &ideal, NULL, matrix[1]), OPTINC_OK);
        for (int i = 0; i < 2 * SIDE * SIDE; i++)
            assert_true(fabs(matrix[1][i] - matrix[0][i]) <= 1e-13);
        optinc_circuit_destroy(&again);
    }
    optinc_circuit_destroy(&circuit);
    free(matrix[0]);
    free(matrix[1]);
    free(haar);
    free(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),     cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_short), cmocka_unit_test(test_bad_netlists),
        cmocka_unit_test(test_order),     cmocka_unit_test(test_bad_json),
    };
    int failed, file = mkstemp(path);

    if (file < 0)
        return 1;
    close(file);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
