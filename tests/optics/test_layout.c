/* SPDX-License-Identifier: Apache-2.0 */
/* GDSII: records byte for byte as the format's description has them (the reals of 1e-3 and 1e-9 are
 * those of every GDSII file with units of 1 um and 1 nm); a file is a sequence of records that fill
 * it, cells placed are cells defined, MZIs are counted; equal input gives equal bytes. What the shapes
 * mean is checked by layout_check.py with other people's readers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "optics/layout.h"
#include "optinc/layout.h"
#include "unitary.h"

static char folder[] = "/tmp/optinc_layout_XXXXXX";

typedef struct messages {
    char text[512];
} messages;

static void keep(void *user, optinc_log_level level, const char *message)
{
    messages *m = user;

    (void)level;
    snprintf(m->text, sizeof m->text, "%s", message);
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*size);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static optinc_circuit *circuit_of(uint32_t rows, uint32_t cols, optinc_mapping mapping,
                                  bool balance)
{
    optinc_circuit_options options = {.mapping = mapping, .balance = balance};
    uint32_t side = rows > cols ? rows : cols;
    double *unitary = matrix_haar(side, 3, 0), *m = malloc((size_t)rows * cols * sizeof *m);
    optinc_circuit *circuit = NULL;

    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < cols; c++)
            m[(size_t)r * cols + c] = unitary[2 * ((size_t)r * side + c)];
    assert_int_equal(optinc_circuit_create(rows, cols, m, &options, NULL, &circuit), OPTINC_OK);
    free(unitary);
    free(m);
    return circuit;
}

static optinc_status plan(const optinc_circuit *circuit, const optinc_device *device,
                          const char *name, const char *path, messages *said,
                          optinc_layout_info *total)
{
    const optinc_circuit *all[2] = {circuit, circuit};
    const optinc_layout_options options = {.name = name, .device = device};
    const optinc_log log = {keep, said};

    memset(said, 0, sizeof *said);
    return optinc_layout_export(all, 2, &options, path, &log, NULL, total);
}

static void test_reals(void **state)
{
    (void)state;
    assert_true(oi_gds_real(0) == 0);
    assert_true(oi_gds_real(1) == UINT64_C(0x4110000000000000));
    assert_true(oi_gds_real(-2.5) == UINT64_C(0xC128000000000000));
    assert_true(oi_gds_real(180) == UINT64_C(0x42B4000000000000));
    assert_true(oi_gds_real(1e-3) == UINT64_C(0x3E4189374BC6A7F0));
    /* the last bits are rounding's: 1e-9 is no binary fraction */
    assert_true(oi_gds_real(1e-9) >> 8 == UINT64_C(0x3944B82FA09B5A54) >> 8);
    for (double v = 1e-12; v < 1e12; v *= 7.3) {
        uint64_t real = oi_gds_real(v);
        double back = ldexp((double)(real & UINT64_C(0xFFFFFFFFFFFFFF)), -56) *
                      pow(16, (double)(real >> 56 & 0x7F) - 64);

        if (!(fabs(back - v) <= 1e-14 * v))
            fail_msg("%.17g came back as %.17g", v, back);
    }
}

static void expect(const oi_gds *gds, size_t at, const uint8_t *bytes, size_t size)
{
    assert_true(at + size <= gds->size);
    assert_memory_equal(gds->bytes + at, bytes, size);
}

static void test_records(void **state)
{
    static const uint8_t header[] = {0, 6, 0x00, 0x02, 0x02, 0x58};
    static const uint8_t library[] = {0, 8, 0x02, 0x06, 'L', 'I', 'B', 0};
    static const uint8_t path[] = {
        0,    4,    0x09, 0,                                                 /* PATH */
        0,    6,    0x0D, 2, 0, 1, 0, 6, 0x0E, 2,    0,    10,               /* LAYER, DATATYPE */
        0,    6,    0x21, 2, 0, 0, 0, 8, 0x0F, 3,    0,    0,    1,    0xF4, /* flush, 500 nm */
        0,    20,   0x10, 3, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFE, 0x7F, 0xFF,
        0xFF, 0xFF, 0x80, 0, 0, 0, 0, 4, 0x11, 0};
    static const uint8_t place[] = {
        0, 4, 0x0A, 0, 0, 6, 0x12, 6, 'A',  'B', 0, 6, 0x1A, 1, 0x80, 0, 0,   12, 0x10, 3, 0,    0,
        0, 5, 0,    0, 0, 7, 0,    6, 0x2B, 2,   0, 1, 0,    6, 0x2C, 6, 'e', 0,  0,    4, 0x11, 0};
    const oi_point ends[2] = {{1, -2}, {INT32_MAX, INT32_MIN}};
    oi_gds gds = {.status = OPTINC_OK};
    size_t at;

    (void)state;
    oi_gds_begin(&gds, "LIB");
    expect(&gds, 0, header, sizeof header);
    expect(&gds, 6 + 28, library, sizeof library);
    at = gds.size;
    assert_int_equal(at, 6 + 28 + 8 + 20);
    oi_gds_path(&gds, (oi_gds_layer){1, 10}, 500, ends, 2);
    assert_int_equal(gds.size, at + sizeof path);
    expect(&gds, at, path, sizeof path);
    at = gds.size;
    oi_gds_place(&gds,
                 &(oi_gds_reference){.cell = "AB", .at = {5, 7}, .mirrored = true, .name = "e"});
    assert_int_equal(gds.size, at + sizeof place);
    expect(&gds, at, place, sizeof place);
    assert_int_equal(gds.status, OPTINC_OK);
    oi_gds_path(&gds, (oi_gds_layer){1, 0}, 500,
                (const oi_point[2]){{0, 0}, {(int64_t)INT32_MAX + 1, 0}}, 2);
    assert_int_equal(gds.status, OPTINC_ERR_OVERFLOW);
    oi_gds_free(&gds);
    assert_int_equal(gds.size, 0);
}

/* Walks the records; counts SREF of a cell, and checks that all cells placed are defined. */
static size_t walk(const uint8_t *bytes, size_t size, const char *cell)
{
    char defined[64][40] = {{0}}, placed[64][40] = {{0}};
    size_t at = 0, cells = 0, uses = 0, found = 0;
    bool ended = false;

    while (at < size) {
        size_t length = (size_t)bytes[at] << 8 | bytes[at + 1], k = 0;
        char name[40] = {0};

        assert_true(length >= 4 && length % 2 == 0 && at + length <= size && !ended);
        if (bytes[at + 2] == 0x06 || bytes[at + 2] == 0x12) {
            assert_true(length - 4 < sizeof name);
            memcpy(name, bytes + at + 4, length - 4);
        }
        if (bytes[at + 2] == 0x06) {
            assert_true(cells < 64);
            for (k = 0; k < cells; k++)
                assert_string_not_equal(defined[k], name);
            memcpy(defined[cells++], name, sizeof name);
        } else if (bytes[at + 2] == 0x12) {
            found += !strcmp(name, cell);
            while (k < uses && strcmp(placed[k], name))
                k++;
            if (k == uses) {
                assert_true(uses < 64);
                memcpy(placed[uses++], name, sizeof name);
            }
        }
        ended = bytes[at + 2] == 0x04;
        at += length;
    }
    assert_true(ended && at == size);
    assert_int_equal(cells, uses + 1); /* the top cell is placed nowhere */
    for (size_t k = 0; k < uses; k++) {
        size_t i = 0;

        while (i < cells && strcmp(defined[i], placed[k]))
            i++;
        assert_true(i < cells);
    }
    return found;
}

static void test_files(void **state)
{
    static const optinc_mapping mappings[] = {OPTINC_MAPPING_SVD, OPTINC_MAPPING_DIRECT};

    (void)state;
    for (int i = 0; i < 2; i++) {
        optinc_circuit *circuit = circuit_of(5, 7, mappings[i], false);
        size_t mzis = optinc_circuit_describe(circuit).mzi_count, size, again_size;
        optinc_device device = optinc_device_ideal();
        optinc_layout_info total;
        uint8_t *bytes, *again;
        messages said;

        memset(&total, 0xA5, sizeof total);
        device.mzi_length_um = 250;
        assert_int_equal(plan(circuit, &device, "CHIP_1", path_of("a.gds"), &said, &total),
                         OPTINC_OK);
        assert_int_equal(total.mzi_count, 2 * mzis);
        if (!(fabs(total.mzi_area_mm2 - 2 * (double)mzis * 0.025) < 1e-12))
            fail_msg("area %.17g", total.mzi_area_mm2);
        assert_true(total.circuit_area_mm2 > total.mzi_area_mm2);
        assert_true(total.length_mm * total.width_mm > total.circuit_area_mm2);
        assert_int_equal(total.crossing_count > 0, mappings[i] == OPTINC_MAPPING_DIRECT);
        bytes = read_file(path_of("a.gds"), &size);
        /* both layers have cells of their own */
        assert_int_equal(walk(bytes, size, "MZI"), 2 * mzis);
        assert_int_equal(walk(bytes, size, "CROSSING"), total.crossing_count);
        assert_int_equal(walk(bytes, size, "RECEIVER"), 10);
        assert_int_equal(plan(circuit, &device, "CHIP_1", path_of("a.gds"), &said, NULL),
                         OPTINC_OK);
        again = read_file(path_of("a.gds"), &again_size);
        assert_int_equal(size, again_size);
        assert_memory_equal(bytes, again, size);
        assert_int_not_equal(access(path_of("a.gds.part"), F_OK), 0);
        unlink(path_of("a.gds"));
        free(bytes);
        free(again);
        optinc_circuit_destroy(&circuit);
    }
}

/* Crossings counted, not drawn: each pair of waveguides whose order changes, pair by pair. */
static void test_inversions(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 70; count++) {
        oi_net nets[70];
        uint32_t state_word = (uint32_t)count + 1;

        memset(nets, 0xA5, sizeof nets);
        for (size_t i = 0; i < count; i++) {
            nets[i] = (oi_net){.mode = (uint32_t)i, .left = (int64_t)((i * 29 + 5) % 71) - 30};
            state_word = state_word * 1664525 + 1013904223;
            nets[i].right = (int64_t)(state_word >> 8) * 128 + (int64_t)i; /* all different */
            nets[i].crossings = 77;
        }
        assert_int_equal(oi_layout_count(nets, count), OPTINC_OK);
        for (size_t i = 0; i < count; i++) {
            uint32_t expected = 0;

            for (size_t k = 0; k < count; k++)
                expected +=
                    k != i && (nets[k].left < nets[i].left) != (nets[k].right < nets[i].right);
            assert_int_equal(nets[i].crossings, expected);
        }
    }
}

static optinc_crossings crossings_of(const optinc_circuit *circuit, const optinc_device *device,
                                     uint32_t *outputs)
{
    optinc_crossings found;

    memset(&found, 0xA5, sizeof found);
    assert_int_equal(optinc_layout_crossings(circuit, device, &found, outputs), OPTINC_OK);
    return found;
}

/* R block rows of side k: splitters give k inputs to R blocks, from one after the other (all copies of
 * an input, then the next) to block after block. Copy r of input i passes those of higher inputs in
 * lower blocks: C(R, 2) C(k, 2) in all, (R - 1)(k - 1) where r or i is the last and the other the
 * first, and mixing in each mesh every output of block r has a way from the worst of its inputs. */
static void test_crossings_of_splitters(void **state)
{
    static const uint32_t sizes[][2] = {{1, 4}, {2, 2}, {2, 4}, {3, 3}, {4, 2}, {8, 8}, {16, 4}};

    (void)state;
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        uint32_t blocks = sizes[n][0], side = sizes[n][1], rows = blocks * side;
        optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SEGMENTED,
                                          .segment_side = side};
        double *m = malloc((size_t)rows * side * sizeof *m);
        uint32_t *outputs = malloc(rows * sizeof *outputs);
        optinc_circuit *circuit = NULL;
        optinc_crossings found;

        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t j = 0; j < side; j++) /* a reflection, orthogonal and dense */
                m[i * side + j] = (i % side == j) - 2.0 / side;
        assert_int_equal(optinc_circuit_create(rows, side, m, &options, NULL, &circuit), OPTINC_OK);
        memset(outputs, 0xA5, rows * sizeof *outputs);
        found = crossings_of(circuit, NULL, outputs);
        assert_int_equal(found.count, blocks * (blocks - 1) / 2 * (side * (side - 1) / 2));
        assert_int_equal(found.path_max, (blocks - 1) * (side - 1));
        for (uint32_t i = 0; i < rows; i++) {
            uint32_t block = i / side, worst = 0;

            for (uint32_t j = 0; j < side; j++) { /* input j's way to this block */
                uint32_t crossed = j * (blocks - 1 - block) + (side - 1 - j) * block;

                worst = crossed > worst ? crossed : worst;
            }
            assert_int_equal(outputs[i], worst);
        }
        optinc_circuit_destroy(&circuit);
        free(outputs);
        free(m);
    }
}

/* What is counted is what is drawn, also for other sizes of MZIs; and what cannot be drawn, too small
 * or with dummies, is counted. A mesh has no crossings. */
static void test_crossings_are_drawn(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < 24; k++) {
        uint32_t rows = 1 + k % 9, cols = 1 + k * 5 % 8;
        optinc_mapping mapping = k % 3 ? OPTINC_MAPPING_DIRECT : OPTINC_MAPPING_SVD;
        optinc_circuit *circuit = circuit_of(rows, cols, mapping, false);
        optinc_device device = optinc_device_ideal();
        uint32_t outputs[9], most = 0;
        optinc_layout_info total;
        optinc_crossings found;
        messages said;

        device.mzi_width_um = 80 + 30 * (k % 5);
        device.modulator_width_um = 20 + 60 * (k % 2);
        memset(outputs, 0xA5, sizeof outputs);
        found = crossings_of(circuit, &device, outputs);
        assert_int_equal(plan(circuit, &device, "A", path_of("c.gds"), &said, &total), OPTINC_OK);
        assert_int_equal(2 * found.count, total.crossing_count);
        assert_int_equal(found.path_max, total.path_crossings_max);
        for (uint32_t r = 0; r < rows; r++)
            most = outputs[r] > most ? outputs[r] : most;
        assert_int_equal(most, found.path_max);
        if (mapping == OPTINC_MAPPING_SVD) {
            optinc_circuit *balanced = circuit_of(rows, cols, mapping, true);

            assert_int_equal(found.count, 0);
            assert_int_equal(crossings_of(balanced, &device, NULL).count, 0);
            optinc_circuit_destroy(&balanced);
        }
        device.mzi_width_um = 80;
        found = crossings_of(circuit, &device, NULL);
        device.mzi_length_um = device.mzi_width_um = 1;
        assert_int_equal(crossings_of(circuit, &device, NULL).count, found.count);
        unlink(path_of("c.gds"));
        optinc_circuit_destroy(&circuit);
    }
}

static void test_refusals(void **state)
{
    optinc_circuit *circuit = circuit_of(24, 24, OPTINC_MAPPING_SVD, false);
    optinc_circuit *balanced = circuit_of(4, 4, OPTINC_MAPPING_SVD, true);
    optinc_device device = optinc_device_ideal();
    messages said;

    (void)state;
    assert_int_equal(plan(balanced, NULL, "A", path_of("b.gds"), &said, NULL),
                     OPTINC_ERR_UNSUPPORTED);
    assert_non_null(strstr(said.text, "layer 1 has dummies"));
    device.mzi_width_um = 79;
    assert_int_equal(plan(circuit, &device, "A", path_of("b.gds"), &said, NULL),
                     OPTINC_ERR_UNSUPPORTED);
    assert_non_null(strstr(said.text, "180 x 79, at least 140 x 80"));
    device.mzi_width_um = 100;
    device.mzi_length_um = 1e5; /* 49 columns a layer: 4.9 m, int32 holds 2.1 */
    assert_int_equal(plan(circuit, &device, "A", path_of("b.gds"), &said, NULL),
                     OPTINC_ERR_OVERFLOW);
    assert_non_null(strstr(said.text, "2.1 m"));
    device.mzi_length_um = 0;
    assert_int_equal(plan(circuit, &device, "A", path_of("b.gds"), &said, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(plan(circuit, NULL, "A-1", path_of("b.gds"), &said, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(said.text, "A-1"));
    assert_int_equal(plan(circuit, NULL, "", path_of("b.gds"), &said, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(
        plan(circuit, NULL, "A234567890123456789012345678901234", path_of("b.gds"), &said, NULL),
        OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(plan(circuit, NULL, "A", path_of("none/b.gds"), &said, NULL), OPTINC_ERR_IO);
    assert_non_null(strstr(said.text, "none/b.gds"));
    assert_int_equal(plan(NULL, NULL, "A", path_of("b.gds"), &said, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_not_equal(access(path_of("b.gds"), F_OK), 0);
    assert_int_not_equal(access(path_of("b.gds.part"), F_OK), 0);
    optinc_circuit_destroy(&circuit);
    optinc_circuit_destroy(&balanced);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reals),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_inversions),
        cmocka_unit_test(test_crossings_of_splitters),
        cmocka_unit_test(test_crossings_are_drawn),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
