/* SPDX-License-Identifier: Apache-2.0 */
/* Training: options, structures, texts and checkpoints that are wrong are refused, with what is wrong
 * in the message. */
#include "train_common.h"

static void test_bad_options(void **state)
{
    const uint32_t inputs[] = {3, 16, 32, 16, 2}, outputs[] = {2, 16, 32, 16, 4};
    const uint32_t tiles[] = {2, 16, 24, 16, 2}, empty[] = {2, 16, 0, 16, 2};
    optinc_train_options good = small_options(), bad;

    (void)state;
#define BAD(change, status, text)                                                                  \
    do {                                                                                           \
        bad = good;                                                                                \
        change;                                                                                    \
        expect_failure(&bad, status, text);                                                        \
    } while (0)
    BAD(bad.sides = inputs, OPTINC_ERR_INVALID_ARGUMENT, "has 3 inputs");
    BAD(bad.sides = outputs, OPTINC_ERR_INVALID_ARGUMENT, "has 4 outputs");
    BAD(bad.sides = tiles, OPTINC_ERR_INVALID_ARGUMENT, "do not tile 24x16");
    BAD(bad.sides = empty, OPTINC_ERR_INVALID_ARGUMENT, "layer 2 is 0x16");
    BAD(bad.layer_count = 0, OPTINC_ERR_INVALID_ARGUMENT, "0 layers");
    BAD(bad.input_merge = 3, OPTINC_ERR_INVALID_ARGUMENT, "3 digits merged");
    BAD(bad.input_merge = 0, OPTINC_ERR_INVALID_ARGUMENT, "0 digits merged");
    BAD(bad.activation = OPTINC_ACTIVATION_LINEAR, OPTINC_ERR_INVALID_ARGUMENT, "activation");
    BAD(bad.supervision = (optinc_supervision)2, OPTINC_ERR_INVALID_ARGUMENT, "supervision 2");
    BAD(bad.start = (optinc_train_start)-1, OPTINC_ERR_INVALID_ARGUMENT, "start -1");
    BAD(bad.batch_size = 0, OPTINC_ERR_INVALID_ARGUMENT, "batch");
    BAD(bad.epochs = 0, OPTINC_ERR_INVALID_ARGUMENT, "epochs");
    BAD(bad.margin = 0.5, OPTINC_ERR_INVALID_ARGUMENT, "margin");
    BAD(bad.margin = (double)NAN, OPTINC_ERR_INVALID_ARGUMENT, "margin");
    BAD(bad.learning_rate = (double)NAN, OPTINC_ERR_INVALID_ARGUMENT, "learning rate");
    BAD(bad.unit_noise = -1.0, OPTINC_ERR_INVALID_ARGUMENT, "unit noise");
    BAD(bad.phase_noise_rad = (double)NAN, OPTINC_ERR_INVALID_ARGUMENT, "phase noise");
    BAD(bad.wrong_weight = 0.5, OPTINC_ERR_INVALID_ARGUMENT, "weight");
    BAD(bad.resume = true, OPTINC_ERR_INVALID_ARGUMENT, "no checkpoint");
    BAD((bad.resume = true, bad.checkpoint = "no such file"), OPTINC_ERR_IO, "cannot be opened");
    BAD((bad.checkpoint = "no such folder/x", bad.epochs = 1, bad.cycles_max = 1), OPTINC_ERR_IO,
        "no such folder/x: checkpoint cannot be created");
#undef BAD
}

static void test_unsupported_and_too_large(void **state)
{
    const uint32_t sides[] = {8, 16, 8};
    optinc_train_options options = small_options();
    optinc_design *design = NULL;
    optinc_spec spec;

    (void)state;
    assert_int_equal(optinc_spec_single(2, 4, OPTINC_VARIANT_STOCHASTIC, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_train(&spec, &options, NULL, NULL, NULL, &design),
                     OPTINC_ERR_UNSUPPORTED);
    assert_int_equal(optinc_spec_single(4, 16, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    options.layer_count = 2;
    options.sides = sides;
    assert_int_equal(optinc_train(&spec, &options, NULL, NULL, NULL, &design), OPTINC_ERR_OVERFLOW);
    options.epoch_cases = 1000;
    options.visit_interval = 2;
    assert_int_equal(optinc_train(&spec, &options, NULL, NULL, NULL, &design),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_train(NULL, &options, NULL, NULL, NULL, &design),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_train(&spec, NULL, NULL, NULL, NULL, &design),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(design);
}

static void copy_damaged(const char *from, const char *to, long flip, long length)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");

    assert_non_null(in);
    assert_non_null(out);
    for (long at = 0; at != length; at++) {
        int c = fgetc(in);

        if (c == EOF)
            break;
        fputc(at == flip ? c ^ 1 : c, out);
    }
    fclose(in);
    fclose(out);
}

static void test_damaged_checkpoints(void **state)
{
    const uint32_t others[] = {2, 16, 16, 16, 2};
    optinc_train_options options = small_options();
    char path[64], damaged[64];
    FILE *file;
    long size;

    (void)state;
    name_file(path, sizeof path, "whole");
    name_file(damaged, sizeof damaged, "damaged");
    options.epochs = 2;
    options.cycles_max = 1;
    options.checkpoint = path;
    checksum_of(&options);
    file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    fclose(file);
    options.resume = true;
    options.sides = others;
    expect_failure(&options, OPTINC_ERR_INVALID_ARGUMENT, "\"structure\" differs");
    options.sides = small_sides;
    options.seed = 7;
    expect_failure(&options, OPTINC_ERR_INVALID_ARGUMENT, "\"seed\" differs");
    options.seed = 1;
    options.checkpoint = damaged;
    copy_damaged(path, damaged, 3, -1);
    expect_failure(&options, OPTINC_ERR_FORMAT, "not a training checkpoint");
    copy_damaged(path, damaged, 8, -1);
    expect_failure(&options, OPTINC_ERR_UNSUPPORTED, "version");
    copy_damaged(path, damaged, size / 2, -1);
    expect_failure(&options, OPTINC_ERR_CHECKSUM, "checksum");
    for (long length = 0; length < size; length += size / 37)
        copy_damaged(path, damaged, -1, length),
            expect_failure(&options, OPTINC_ERR_FORMAT,
                           length < 8 ? "not a training" : "cut short");
    copy_damaged(path, damaged, -1, size - 1);
    expect_failure(&options, OPTINC_ERR_FORMAT, "cut short");
    remove(damaged);
    remove(path);
}

static void test_text(void **state)
{
    uint32_t sides[8], count = 0;
    bool segmented[6];
    const char *bad_structures[] = {"",
                                    "4",
                                    "4-",
                                    "-4",
                                    "4--4",
                                    "4-x",
                                    "4-0-4",
                                    "4-16385-4",
                                    "4-64-4 ",
                                    "99999999999999999999-4",
                                    "1-2-3-4-5-6-7-8-9"};
    const char *bad_segments[] = {"", "0", "7", "1-", "5-4", "1,", "all,1", "1;2", "ALL"};

    (void)state;
    assert_int_equal(optinc_structure_parse("4-64-128-4", NULL, sides, 8, &count), OPTINC_OK);
    assert_int_equal(count, 4);
    assert_true(sides[0] == 4 && sides[1] == 64 && sides[2] == 128 && sides[3] == 4);
    for (size_t i = 0; i < sizeof bad_structures / sizeof *bad_structures; i++)
        assert_int_equal(optinc_structure_parse(bad_structures[i], NULL, sides, 8, &count),
                         OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_segments_parse("1,4-6", 6, NULL, segmented), OPTINC_OK);
    for (int i = 0; i < 6; i++)
        assert_int_equal(segmented[i], i == 0 || i >= 3);
    assert_int_equal(optinc_segments_parse("all", 6, NULL, segmented), OPTINC_OK);
    assert_true(segmented[0] && segmented[5]);
    assert_int_equal(optinc_segments_parse("none", 6, NULL, segmented), OPTINC_OK);
    assert_false(segmented[0] || segmented[5]);
    for (size_t i = 0; i < sizeof bad_segments / sizeof *bad_segments; i++)
        assert_int_equal(optinc_segments_parse(bad_segments[i], 6, NULL, segmented),
                         OPTINC_ERR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_unsupported_and_too_large),
        cmocka_unit_test(test_damaged_checkpoints),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
