/* SPDX-License-Identifier: Apache-2.0 */
/* The committed device files are read, the ideal one is optinc_device_ideal(), and what is wrong
 * with a file is named. OPTINC_DEVICES is the folder of the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "optinc/optics.h"

static void note_message(void *user, optinc_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 512, "%s", message);
}

static char *read_text(const char *name, size_t *size)
{
    char path[1024], *text = calloc(1 << 16, 1);
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", OPTINC_DEVICES, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    *size = fread(text, 1, (1 << 16) - 4096, file);
    fclose(file);
    return text;
}

static void test_files(void **state)
{
    static const char *const names[] = {"ideal.yaml", "published-best.yaml",
                                        "published-conservative.yaml"};
    optinc_device device[3], ideal = optinc_device_ideal();

    (void)state;
    for (int i = 0; i < 3; i++) {
        char path[1024], message[512] = "";
        const optinc_log log = {note_message, message};

        memset(&device[i], 0xA5, sizeof device[i]);
        snprintf(path, sizeof path, "%s/%s", OPTINC_DEVICES, names[i]);
        if (optinc_device_load(path, &log, &device[i]))
            fail_msg("%s", message);
        assert_int_equal(optinc_device_check(&device[i], NULL), OPTINC_OK);
    }
    assert_memory_equal(&device[0], &ideal, sizeof ideal);
    /* as published; the files name the sources */
    assert_true(device[2].mzi_loss_db == 0.99);
    assert_true(device[2].modulator_extinction_db == 10);
    assert_true(device[1].shifter_pi_power_mw == 3.63);
}

/* What `from` becomes `to`, and the text that the complaint must contain. */
static void assert_refused(const char *from, const char *to, const char *expected)
{
    char message[512] = "", *text, *at, *changed;
    const optinc_log log = {note_message, message};
    optinc_device device;
    size_t size;

    text = read_text("ideal.yaml", &size);
    at = strstr(text, from);
    assert_non_null(at);
    changed = calloc(size + 4096, 1);
    snprintf(changed, size + 4096, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_int_equal(
        optinc_device_parse((const uint8_t *)changed, strlen(changed), "f.yaml", &log, &device),
        OPTINC_ERR_FORMAT);
    if (!strstr(message, expected) || strncmp(message, "f.yaml:", 7))
        fail_msg("'%s' in place of '%s': %s", to, from, message);
    free(text);
    free(changed);
}

static void test_bad_files(void **state)
{
    (void)state;
    assert_refused("mzi_width_um:", "mzi_widht_um:", "unknown key mzi_widht_um");
    assert_refused("mzi_width_um:", "mzi_length_um:", "doubled key mzi_length_um");
    assert_refused("value: 180", "value: -180", "mzi_length_um is '-180', expected a number in 1");
    assert_refused("value: 180", "value: nan", "mzi_length_um is 'nan'");
    assert_refused("value: 180", "value: 180um", "mzi_length_um is '180um'");
    assert_refused("value: 180\n", "", "no value for mzi_length_um");
    assert_refused("value: 180", "value: 180\n    value: 181", "doubled key value");
    assert_refused("value: 180", "value: [180]", "a list or an alias");
    assert_refused("name: ideal", "nam: ideal", "unknown key nam");
    assert_refused("name: ideal", "name:", "empty name");
    assert_refused("values:", "values: 3\nname:", "values must be a mapping");
    assert_refused("values:", "\tvalues:", "not YAML");
    assert_refused("value: 180", "value: {x: 180}", "a mapping where none is expected");
    assert_refused("value: 180", "value", "expected value and source for mzi_length_um");
    assert_refused("name: ideal", "name: ideal\nvalues: {}", "values is doubled");
    assert_refused("name: ideal", "name: ideal\n---\nname: ideal", "a second document");
    assert_refused("values:\n", "values: &a\n  x: *a\n", "unknown key x");
}

/* Every file that is cut short is refused, at whatever byte but within the last source's text. */
static void test_cut_short(void **state)
{
    size_t size;
    char *text = read_text("ideal.yaml", &size);
    optinc_device device;

    (void)state;
    for (size_t cut = 0; cut + 2 < size; cut += 7)
        assert_true(optinc_device_parse((const uint8_t *)text, cut, "cut", NULL, &device) ==
                    OPTINC_ERR_FORMAT);
    assert_int_equal(optinc_device_parse(NULL, 0, NULL, NULL, &device), OPTINC_ERR_FORMAT);
    assert_int_equal(optinc_device_load("/nonexistent/x.yaml", NULL, &device), OPTINC_ERR_IO);
    free(text);
}

static void test_set(void **state)
{
    optinc_device device = optinc_device_ideal();

    (void)state;
    assert_int_equal(optinc_device_set(&device, "phase_sigma_rad", 0.25, NULL), OPTINC_OK);
    assert_true(device.phase_sigma_rad == 0.25);
    assert_int_equal(optinc_device_set(&device, "phase_sigma_rad", -1, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_device_set(&device, "phase_sigma", 1, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_true(device.phase_sigma_rad == 0.25);
    device.dac_bits = 7.5;
    assert_int_equal(optinc_device_check(&device, NULL), OPTINC_ERR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
