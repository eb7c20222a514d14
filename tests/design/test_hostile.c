/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile design files: each is the sample's file with one thing wrong and the checksum made right
 * again, so that it is the parser that must see it. */
#include "design/file_format.h"
#include "design/make_design.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FILE_MAX (64u << 10)

typedef struct bytes {
    uint8_t data[FILE_MAX];
    size_t size;
} bytes;

typedef struct heard {
    char last[512];
} heard;

static void hear(void *user, optinc_log_level level, const char *message)
{
    heard *h = user;

    (void)level;
    assert_null(strchr(message, '\n'));
    snprintf(h->last, sizeof h->last, "%s", message);
}

static optinc_status keep(void *user, const void *data, size_t size)
{
    bytes *b = user;

    assert_true(size <= sizeof b->data - b->size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return OPTINC_OK;
}

/* The sample's header without its padding, as text, and its tensors. */
static void take_apart(bytes *header, bytes *tensors)
{
    static bytes file;
    sample s;
    optinc_design *design = NULL;
    size_t length = 0;

    sample_fill(&s);
    file.size = 0;
    assert_int_equal(optinc_design_create(s.units, 2, NULL, &design), OPTINC_OK);
    assert_int_equal(oi_file_write(design, &(oi_sink){.write = keep, .user = &file}, NULL),
                     OPTINC_OK);
    optinc_design_destroy(&design);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | file.data[i];
    tensors->size = file.size - 8 - length;
    memcpy(tensors->data, file.data + 8 + length, tensors->size);
    while (file.data[8 + length - 1] == ' ')
        length--;
    header->size = length;
    memcpy(header->data, file.data + 8, length);
    header->data[length] = '\0';
}

static void put_together(const bytes *header, const bytes *tensors, bytes *file)
{
    size_t offset;

    for (int i = 0; i < 8; i++)
        file->data[i] = (uint8_t)((uint64_t)header->size >> (8 * i));
    memcpy(file->data + 8, header->data, header->size);
    memcpy(file->data + 8 + header->size, tensors->data, tensors->size);
    file->size = 8 + header->size + tensors->size;
    offset = oi_file_checksum_offset(file->data, header->size);
    if (offset) {
        char digits[17];

        snprintf(digits, sizeof digits, "%016" PRIx64,
                 oi_file_checksum(file->data, file->size, offset));
        memcpy(file->data + offset, digits, 16);
    }
}

/* The first `from` in the header becomes `to`. */
static void replace(bytes *header, const char *from, const char *to)
{
    char *text = (char *)header->data;
    char *at = strstr(text, from);
    size_t rest;

    if (!at)
        fail_msg("the header does not hold %s", from);
    assert_non_null(at);
    rest = strlen(at + strlen(from)) + 1;
    memmove(at + strlen(to), at + strlen(from), rest);
    memcpy(at, to, strlen(to));
    header->size = strlen(text);
}

static optinc_status parse(const bytes *file, heard *h)
{
    optinc_log log = {.write = hear, .user = h};
    optinc_design *design = (optinc_design *)h;
    uint8_t *copy = malloc(file->size);
    optinc_status status;

    assert_non_null(copy);
    memcpy(copy, file->data, file->size);
    h->last[0] = '\0';
    status = optinc_design_parse(copy, file->size, "hostile", &log, &design);
    if (status)
        assert_null(design);
    free(copy);
    optinc_design_destroy(&design);
    return status;
}

typedef struct change {
    const char *from;
    const char *to;
    const char *message; /* a part of it */
} change;

#define W0                                                                                         \
    "\"levels.0.layers.0.weight\":{\"dtype\":\"F64\",\"shape\":[5,1],\"data_offsets\":[0,40]}"
#define Q(key) "\\\"" key "\\\":"

static const change changes[] = {
    /* the frame */
    {"\"optinc-design\"", "\"pt\"",
     "__metadata__.format: found \"pt\", expected \"optinc-design\""},
    {"\"format_version\":\"1\"", "\"format_version\":\"2\"", "format_version: found \"2\""},
    {"\"format_version\":\"1\"", "\"format_version\":1", "format_version: found 1"},
    {"\"__metadata__\"", "\"metadata\"", "metadata: expected exactly dtype"},
    {"\"checksum\"", "\"checksun\"", "__metadata__.checksum"},
    {"\"format\":", "\"more\":\"\",\"format\":", "expected exactly checksum, format"},
    {"\"format\":", "\"checksum\":\"\",\"format\":", "not valid JSON"}, /* a duplicate key */
    {"{\"__metadata__\"", " {\"__metadata__\"", "starts with '{'"},
    {"{\"__metadata__\"", "[\"__metadata__\"", "starts with '{'"},
    {"}}", "}", "not valid JSON"},
    {"\"optinc\":\"{", "\"optinc\":\"[", "__metadata__.optinc: not valid JSON"},
    /* tensors */
    {"\"F64\"", "\"F32\"", "levels.0.layers.0.weight.dtype: found \"F32\", expected F64"},
    {"\"F64\"", "\"U8\"", "levels.0.layers.0.weight.data_offsets: found 40 bytes, expected 5"},
    {"\"F64\"", "7", "levels.0.layers.0.weight.dtype: found 7"},
    {"[5,1]", "[5,-1]", "shape[1]: found -1"},
    {"[5,1]", "[5,0]", "shape[1]: found 0"},
    {"[5,1]", "[1,5]", "bias.shape: found [5], expected [1]"},
    {"[5,1]", "[5,1,1]", "shape: found 3 dimensions"},
    {"[5,1]", "[]", "shape: found 0 dimensions"},
    {"[5,1]", "\"5,1\"", "shape: found 0 dimensions"},
    {"[5,1]", "[5]", "expected dtype F64 and 2 dimensions"},
    {"[5,1]", "[1099511627776,1099511627776]", "shape[1]: found 1099511627776"},
    {"[5,1]", "[9223372036854775807,1]", "shape[0]: found 9223372036854775807"},
    {"[5,1]", "[5.0,1]", "shape[0]: found 5"},
    {"[0,40]", "[0,48]", "found 48 bytes, expected 40"},
    {"[0,40]", "[8,48]", "begins at 8, expected 0"},
    {"[0,40]", "[40,0]", "[begin, end], begin <= end"},
    {"[0,40]", "[-40,0]", "[begin, end], begin <= end"},
    {"[0,40]", "[0,40,40]", "[begin, end]"},
    {"[40,80]", "[0,40]", "begins at 0, expected 40"},
    {"[40,80]", "[9223372036854775767,9223372036854775807]", "begins at"},
    {"[0,40]}", "[0,40],\"more\":0}", "expected exactly dtype, shape and data_offsets"},
    {W0 ",", "", "begins at 40, expected 0"},
    {W0, "\"levels.0.layers.0.weight\":[]", "expected exactly dtype, shape and data_offsets"},
    {"levels.0.layers.1.bias\"", "levels.0.layers.2.bias\"", "levels.0.layers.1.bias: no such"},
    {"levels.1.table\"", "levels.2.table\"", "levels.2.table: a tensor of no known use"},
    {"levels.1.table\"", "levels.1.Table\"", "a tensor whose name is not"},
    {"levels.1.table\"", "\"", "a tensor whose name is not"},
    {"levels.1.table\"", "levels.1.table\\n\"", "a tensor whose name is not"},
    {"levels.1.table\"", "levels.0.layers.0.weight\"", "not valid JSON"}, /* twice */
    /* the text */
    {Q("levels") "[", Q("levels") "1,\\\"x\\\":[", "expected an object of the key levels alone"},
    {Q("ports") "2", Q("ports") "3", "levels.0.spec: ports is 3"},
    {Q("ports") "2", Q("ports") "-2", "levels.0.spec.ports: found -2"},
    {Q("ports") "2", Q("ports") "4294967298", "levels.0.spec.ports: found 4294967298"},
    {Q("ports") "2", Q("ports") "2.0", "levels.0.spec.ports: found 2"},
    {Q("ports") "2", Q("port") "2", "levels.0.spec.ports: found nothing"},
    {Q("ports") "2", Q("ports") "2," Q("ports") "2", "__metadata__.optinc: not valid JSON"},
    {Q("ports") "2", Q("ports") "2," Q("more") "2", "levels.0.spec: expected an object of 6 keys"},
    {Q("bits_out") "4", Q("bits_out") "6", "found 2 rows, expected the 3 digits"},
    {"\\\"residual\\\"", "\\\"half_up\\\"", "only the last level may round"},
    {"\\\"residual\\\"", "\\\"half\\\\nup\\\"",
     "levels.0.spec.variant: found \"half?up\", expected one"},
    {Q("zero_code") "2", Q("zero_code") "-1", "levels.0.spec.zero_code: found -1"},
    {Q("zero_code") "2", Q("zero_code") "99999999999999999999", "not valid JSON"},
    {Q("zero_code") "4", Q("zero_code") "5", "levels.1.spec.zero_code: found 5, expected 4"},
    {"\\\"trained\\\"", "null", "levels.0.method: found null"},
    {"\\\"18446744073709551615\\\"", "\\\"18446744073709551616\\\"", "levels.0.seed: found"},
    {"\\\"18446744073709551615\\\"", "\\\"-1\\\"", "levels.0.seed: found \"-1\""},
    {"\\\"18446744073709551615\\\"", "\\\"007\\\"", "levels.0.seed: found \"007\""},
    {"\\\"18446744073709551615\\\"", "7", "levels.0.seed: found 7"},
    {Q("gap") "0.", Q("gap") "7.", "levels.0.gap: found 7.1"},
    {Q("gap") "0.", Q("gap") "1e999,\\\"x\\\":0.", "not valid JSON"},
    {Q("scale") "1.25", Q("scale") "null", "levels.0.inputs.0.scale: found null"},
    {Q("digit_first") "0", Q("digit_first") "1", "levels.0.inputs[0]"},
    {Q("inputs") "[", Q("inputs") "{},\\\"x\\\":[", "levels.0: expected an object of 7 keys"},
    {"\\\"saturating\\\"", "\\\"sigmoid\\\"", "expected one of linear relu saturating"},
    {Q("segment_side") "1", Q("segment_side") "6", "levels.0.layers.0.segment_side: found 6"},
    {"\\\"sampled\\\"", "\\\"exhaustive\\\"," Q("x") "0",
     "levels.0.proof: expected an object of 6"},
    {Q("exact") "false", Q("exact") "true", "levels.0.proof.exact: found true"},
    {Q("exact") "false", Q("exact") "0", "levels.0.proof.exact: found 0"},
    {Q("margin_min") "-0.125", Q("margin_min") "\\\"NaN\\\"",
     "levels.0.proof.margin_min: found \"NaN\""},
    {Q("error_bound") "0.75", Q("error_bound") "1.75", "levels.0.proof.error_bound: found 1.75"},
};

/* Precondition: one thing wrong in the header. Identity: refused, and the message names the file,
 * the field, what was found or what was expected. */
static void altered_headers_are_refused(void **state)
{
    static bytes header;
    static bytes tensors;
    static bytes file;
    heard h;

    (void)state;
    take_apart(&header, &tensors);
    put_together(&header, &tensors, &file);
    assert_int_equal(parse(&file, &h), OPTINC_OK);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        optinc_status status;

        take_apart(&header, &tensors);
        replace(&header, changes[i].from, changes[i].to);
        put_together(&header, &tensors, &file);
        status = parse(&file, &h);
        if (status != OPTINC_ERR_FORMAT && status != OPTINC_ERR_OVERFLOW)
            fail_msg("%s for %s: status %d", changes[i].to, changes[i].from, (int)status);
        if (strncmp(h.last, "hostile: ", 9) != 0 || !strstr(h.last, changes[i].message))
            fail_msg("%s for %s: \"%s\" does not say \"%s\"", changes[i].to, changes[i].from,
                     h.last, changes[i].message);
    }
}

/* Precondition: NaN, infinity or a result out of range among the tensors. Identity: refused. */
static void bad_values_are_refused(void **state)
{
    static bytes header;
    static bytes tensors;
    static bytes file;
    const double bad[] = {NAN, INFINITY, -INFINITY};
    heard h;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        take_apart(&header, &tensors);
        memcpy(tensors.data + 16, &bad[i], sizeof bad[i]);
        put_together(&header, &tensors, &file);
        assert_int_equal(parse(&file, &h), OPTINC_ERR_FORMAT);
        assert_non_null(strstr(h.last, "levels.0.layers.0.weight[2]: found"));
    }
    take_apart(&header, &tensors);
    tensors.data[tensors.size - 1] = 4; /* the last entry of the table of a switch with 2 bits */
    put_together(&header, &tensors, &file);
    assert_int_equal(parse(&file, &h), OPTINC_ERR_FORMAT);
    assert_non_null(strstr(h.last, "levels.1.table[48]: found 4, expected less than 2^2"));
}

/* Precondition: more of something than a design may have. Identity: refused before anything of that
 * size is allocated. */
static void too_much_is_refused(void **state)
{
    static bytes header;
    static bytes tensors;
    static bytes file;
    static char many[FILE_MAX];
    heard h;

    (void)state;
    take_apart(&header, &tensors);
    strcpy(many, Q("inputs") "[");
    for (int i = 0; i < 300; i++)
        strcat(many, "{},");
    replace(&header, Q("inputs") "[", many);
    put_together(&header, &tensors, &file);
    assert_int_equal(parse(&file, &h), OPTINC_ERR_OVERFLOW);
    assert_non_null(strstr(h.last, "levels.0.inputs: found 301 entries, expected at most 256"));

    take_apart(&header, &tensors);
    strcpy(many, Q("levels") "[");
    for (int i = 0; i < 7; i++)
        strcat(many, "{},");
    replace(&header, Q("levels") "[", many);
    put_together(&header, &tensors, &file);
    assert_int_equal(parse(&file, &h), OPTINC_ERR_OVERFLOW);
    assert_non_null(strstr(h.last, "optinc.levels: found 9 entries, expected at most 8"));

    take_apart(&header, &tensors);
    memset(many, '[', 8000); /* deeper than any JSON reader should follow */
    strcpy(many + 8000, "\"__metadata__\"");
    replace(&header, "\"__metadata__\"", many);
    put_together(&header, &tensors, &file);
    assert_int_equal(parse(&file, &h), OPTINC_ERR_FORMAT);

    memset(file.data, 0xFF, 8); /* a header of 2^64-1 bytes */
    assert_int_equal(parse(&file, &h), OPTINC_ERR_FORMAT);
    assert_non_null(strstr(h.last, "header length: found 18446744073709551615"));
    memset(file.data, 0, 8);
    assert_int_equal(parse(&file, &h), OPTINC_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(altered_headers_are_refused),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
