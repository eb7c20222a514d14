/* SPDX-License-Identifier: Apache-2.0 */
/* A host program whose decimal mark is a comma writes the same files, byte for byte, as one whose
 * mark is a point, reads them to the same values, and keeps its comma. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "optics/line_design.h"
#include "optinc/layout.h"
#include "optinc/optics.h"

static char folder[] = "/tmp/optinc-locale-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[2][128];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* A locale of this test's own, as few machines have any other than C. */
static int make_locale(void **state)
{
    char command[256];

    (void)state;
    if (!mkdtemp(folder) || setenv("LOCPATH", folder, 1))
        return -1;
    snprintf(command, sizeof command,
             "localedef -c -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    if (system(command) == -1)
        return -1;
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void use(const char *locale, char mark)
{
    if (!setlocale(LC_ALL, locale))
        fail_msg("no locale %s: localedef and the package locales are needed", locale);
    assert_int_equal(localeconv()->decimal_point[0], mark);
}

static void comma_is_kept(void)
{
    char text[8];

    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5");
}

static void assert_same_bytes(const char *a, const char *b)
{
    FILE *first = fopen(a, "rb"), *second = fopen(b, "rb");
    size_t size = 0;
    int c;

    assert_non_null(first);
    assert_non_null(second);
    for (; (c = fgetc(first)) != EOF; size++)
        assert_int_equal(c, fgetc(second));
    assert_int_equal(fgetc(second), EOF);
    assert_true(size > 40);
    fclose(first);
    fclose(second);
}

static optinc_circuit *circuit(void)
{
    static const double matrix[6] = {0.5, -0.25, 0.125, 0.75, 0.3, -0.6};
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SVD};
    optinc_circuit *made = NULL;

    assert_int_equal(optinc_circuit_create(2, 3, matrix, &options, NULL, &made), OPTINC_OK);
    return made;
}

static optinc_device lossy(void)
{
    optinc_device device = optinc_device_ideal();

    device.mzi_loss_db = 0.25;
    device.splitter_loss_db = 0.125;
    return device;
}

static void export_to(const char *path, optinc_export_format format)
{
    const optinc_device device = lossy();
    optinc_circuit *made = circuit();

    assert_int_equal(optinc_circuit_export(made, &device, format, path, NULL), OPTINC_OK);
    optinc_circuit_destroy(&made);
}

static void test_netlists(void **state)
{
    (void)state;
    for (int format = OPTINC_EXPORT_JSON; format <= OPTINC_EXPORT_SVG; format++) {
        const char *point = path_of("point"), *comma = path_of("comma");

        use("C", '.');
        export_to(point, (optinc_export_format)format);
        use("de_DE.UTF-8", ',');
        export_to(comma, (optinc_export_format)format);
        comma_is_kept();
        assert_same_bytes(point, comma);
        if (format == OPTINC_EXPORT_JSON || format == OPTINC_EXPORT_SAX) {
            optinc_netlist_losses losses = {-1, -1};
            optinc_circuit *back = NULL;

            assert_int_equal(optinc_circuit_import(comma, NULL, &losses, &back), OPTINC_OK);
            assert_true(losses.mzi_loss_db == 0.25);
            comma_is_kept();
            optinc_circuit_destroy(&back);
        }
    }
}

static void layout_to(const char *path)
{
    optinc_layout_options options = {.name = "switch"};
    optinc_layout_info layer, total;
    optinc_circuit *made = circuit();
    const optinc_circuit *circuits[1] = {made};

    assert_int_equal(optinc_layout_export(circuits, 1, &options, path, NULL, &layer, &total),
                     OPTINC_OK);
    optinc_circuit_destroy(&made);
}

static void test_layout(void **state)
{
    const char *point = path_of("point.gds"), *comma = path_of("comma.gds");

    (void)state;
    use("C", '.');
    layout_to(point);
    use("de_DE.UTF-8", ',');
    layout_to(comma);
    comma_is_kept();
    assert_same_bytes(point, comma);
}

static void test_device_file(void **state)
{
    static const char path[] = OPTINC_DEVICES "/published-best.yaml";
    optinc_device point, comma;

    (void)state;
    memset(&point, 0xA5, sizeof point);
    memset(&comma, 0x5A, sizeof comma);
    use("C", '.');
    assert_int_equal(optinc_device_load(path, NULL, &point), OPTINC_OK);
    use("de_DE.UTF-8", ',');
    assert_int_equal(optinc_device_load(path, NULL, &comma), OPTINC_OK);
    comma_is_kept();
    assert_true(point.mzi_loss_db > 0 && point.mzi_loss_db == comma.mzi_loss_db);
    assert_true(point.crossing_loss_db == comma.crossing_loss_db);
    assert_true(point.mzi_length_um == comma.mzi_length_um);
}

static void test_design_file(void **state)
{
    const char *point = path_of("point.safetensors"), *comma = path_of("comma.safetensors");
    optinc_design *design = line_design(), *back = NULL;

    (void)state;
    use("C", '.');
    assert_int_equal(optinc_design_save(design, point, NULL), OPTINC_OK);
    use("de_DE.UTF-8", ',');
    assert_int_equal(optinc_design_save(design, comma, NULL), OPTINC_OK);
    assert_same_bytes(point, comma);
    assert_int_equal(optinc_design_load(comma, NULL, &back), OPTINC_OK);
    optinc_design_destroy(&back);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_netlists),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_device_file),
        cmocka_unit_test(test_design_file),
    };

    return cmocka_run_group_tests(tests, make_locale, remove_folder);
}
