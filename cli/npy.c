/* SPDX-License-Identifier: Apache-2.0 */
/* The header is a Python dictionary, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), },
 * of which exactly these three keys are taken. */
#include "npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "values are read and written as they lie in memory");

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE 6u
#define TEXT_MAX 64u

/* A reader of the dictionary's text: at .. end is what is left. */
typedef struct cursor {
    const char *at;
    const char *end;
    npy_message *message;
} cursor;

static optinc_status fail(npy_message *message, optinc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static optinc_status fail(npy_message *message, optinc_status status, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(message->text, sizeof message->text, format, values);
    va_end(values);
    return status;
}

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

static bool take(cursor *c, char wanted)
{
    skip_space(c);
    if (c->at >= c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static optinc_status expect(cursor *c, char wanted, const char *where)
{
    if (take(c, wanted))
        return OPTINC_OK;
    if (c->at >= c->end)
        return fail(c->message, OPTINC_ERR_FORMAT, "header: ends %s, expected '%c'", where, wanted);
    return fail(c->message, OPTINC_ERR_FORMAT, "header: found byte 0x%02x %s, expected '%c'",
                (unsigned)(unsigned char)*c->at, where, wanted);
}

static bool take_word(cursor *c, const char *word)
{
    size_t length = strlen(word);

    skip_space(c);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0)
        return false;
    c->at += length;
    return true;
}

/* A quoted text without escapes, of printable ASCII. */
static optinc_status read_text(cursor *c, const char *where, char text[TEXT_MAX])
{
    size_t length = 0;
    char quote;

    skip_space(c);
    if (c->at >= c->end || (*c->at != '\'' && *c->at != '"'))
        return fail(c->message, OPTINC_ERR_FORMAT, "header: expected a quoted text %s", where);
    quote = *c->at++;
    while (c->at < c->end && *c->at != quote) {
        if (length + 1 >= TEXT_MAX || *c->at < ' ' || *c->at > '~' || *c->at == '\\')
            return fail(c->message, OPTINC_ERR_FORMAT, "header: malformed text %s", where);
        text[length++] = *c->at++;
    }
    text[length] = '\0';
    if (c->at >= c->end)
        return fail(c->message, OPTINC_ERR_FORMAT, "header: text %s does not end", where);
    c->at++;
    return OPTINC_OK;
}

static optinc_status read_descr(cursor *c)
{
    char text[TEXT_MAX];
    optinc_status status;

    skip_space(c);
    if (c->at < c->end && *c->at == '[')
        return fail(c->message, OPTINC_ERR_UNSUPPORTED,
                    "dtype: found a structured type, expected '<f4' (little-endian float32)");
    status = read_text(c, "as descr", text);
    if (status != OPTINC_OK)
        return status;
    if (strcmp(text, "<f4") == 0)
        return OPTINC_OK;
    if (strcmp(text, ">f4") == 0)
        return fail(c->message, OPTINC_ERR_UNSUPPORTED,
                    "byte order: found '>f4' (big-endian float32), expected '<f4' (little-endian "
                    "float32)");
    return fail(c->message, OPTINC_ERR_UNSUPPORTED,
                "dtype: found '%s', expected '<f4' (little-endian float32)", text);
}

static optinc_status read_extent(cursor *c, uint64_t *extent)
{
    uint64_t value = 0;

    skip_space(c);
    if (c->at >= c->end || *c->at < '0' || *c->at > '9')
        return fail(c->message, OPTINC_ERR_FORMAT, "header: expected a whole number in shape");
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*c->at - '0'), &value))
            return fail(c->message, OPTINC_ERR_OVERFLOW, "shape: an extent exceeds 64 bits");
    }
    /* Python 2 wrote long integers so */
    if (c->at < c->end && *c->at == 'L')
        c->at++;
    *extent = value;
    return OPTINC_OK;
}

/* The product is taken over the extents that are not zero, so that (0, 2^62, 2^62) is refused as
 * NumPy refuses it. */
static optinc_status count_elements(npy_shape *shape, npy_message *message)
{
    uint64_t product = 1;
    bool empty = false;

    for (uint32_t i = 0; i < shape->dimension_count; i++) {
        if (shape->extents[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(product, shape->extents[i], &product) ||
                 product > (uint64_t)INT64_MAX / 4)
            return fail(message, OPTINC_ERR_OVERFLOW, "shape: more than 2^61 elements");
    }
    shape->element_count = empty ? 0 : product;
    return OPTINC_OK;
}

static optinc_status read_shape(cursor *c, npy_shape *shape)
{
    optinc_status status = expect(c, '(', "before the shape");
    bool comma = true;

    while (status == OPTINC_OK && !take(c, ')')) {
        if (!comma)
            return fail(c->message, OPTINC_ERR_FORMAT, "header: expected ',' or ')' in shape");
        if (shape->dimension_count == NPY_DIMENSIONS_MAX)
            return fail(c->message, OPTINC_ERR_OVERFLOW,
                        "shape: more dimensions than the %u expected at most", NPY_DIMENSIONS_MAX);
        status = read_extent(c, &shape->extents[shape->dimension_count++]);
        comma = take(c, ',');
    }
    if (status != OPTINC_OK)
        return status;
    if (shape->dimension_count == 1 && !comma)
        return fail(c->message, OPTINC_ERR_FORMAT,
                    "header: expected ',' in the shape of one number");
    return count_elements(shape, c->message);
}

enum { KEY_DESCR = 1, KEY_ORDER = 2, KEY_SHAPE = 4, KEY_ALL = 7 };

static optinc_status read_entry(cursor *c, npy_shape *shape, unsigned *keys, bool *fortran)
{
    char key[TEXT_MAX];
    unsigned which;
    optinc_status status = read_text(c, "as a key", key);

    if (status == OPTINC_OK)
        status = expect(c, ':', "after a key");
    if (status != OPTINC_OK)
        return status;
    which = strcmp(key, "descr") == 0           ? KEY_DESCR
            : strcmp(key, "fortran_order") == 0 ? KEY_ORDER
            : strcmp(key, "shape") == 0         ? KEY_SHAPE
                                                : 0u;
    if (!which || (*keys & which))
        return fail(c->message, OPTINC_ERR_FORMAT,
                    "header: found key '%s'%s, expected descr, fortran_order and shape once each",
                    key, which ? " again" : "");
    *keys |= which;
    if (which == KEY_DESCR)
        return read_descr(c);
    if (which == KEY_SHAPE)
        return read_shape(c, shape);
    *fortran = take_word(c, "True");
    if (!*fortran && !take_word(c, "False"))
        return fail(c->message, OPTINC_ERR_FORMAT, "header: fortran_order: expected True or False");
    return OPTINC_OK;
}

optinc_status npy_parse_dictionary(const char *text, size_t size, npy_shape *shape,
                                   npy_message *message)
{
    cursor c = {.at = text, .end = text + size, .message = message};
    unsigned keys = 0;
    bool fortran = false;
    bool comma = true;
    optinc_status status;

    *shape = (npy_shape){0};
    status = expect(&c, '{', "at its start");
    while (status == OPTINC_OK && !take(&c, '}')) {
        if (!comma)
            return expect(&c, '}', "after an entry");
        status = read_entry(&c, shape, &keys, &fortran);
        comma = take(&c, ',');
    }
    if (status != OPTINC_OK)
        return status;
    skip_space(&c);
    if (c.at < c.end)
        return fail(message, OPTINC_ERR_FORMAT, "header: text after the dictionary");
    if (keys != KEY_ALL)
        return fail(message, OPTINC_ERR_FORMAT, "header: '%s' is missing",
                    !(keys & KEY_DESCR)   ? "descr"
                    : !(keys & KEY_SHAPE) ? "shape"
                                          : "fortran_order");
    /* with one dimension the two orders are the same */
    if (fortran && shape->dimension_count > 1)
        return fail(message, OPTINC_ERR_UNSUPPORTED,
                    "fortran_order: found True, expected False (C order)");
    return OPTINC_OK;
}

/* Compares what a regular file has after its header with what the shape needs. */
static optinc_status check_length(FILE *stream, const npy_shape *shape, npy_message *message)
{
    struct stat status;
    off_t at = ftello(stream);
    uint64_t left, wanted;

    if (at < 0 || fileno(stream) < 0 || fstat(fileno(stream), &status) != 0 ||
        !S_ISREG(status.st_mode))
        return OPTINC_OK;
    left = status.st_size > at ? (uint64_t)(status.st_size - at) : 0;
    wanted = 4 * shape->element_count;
    if (left < wanted)
        return fail(message, OPTINC_ERR_FORMAT,
                    "truncated: found %" PRIu64 " bytes of data, expected %" PRIu64 " for %" PRIu64
                    " elements",
                    left, wanted, shape->element_count);
    if (left > wanted)
        return fail(message, OPTINC_ERR_FORMAT,
                    "found %" PRIu64 " bytes after the data, expected the end of the file",
                    left - wanted);
    return OPTINC_OK;
}

static optinc_status read_bytes(FILE *stream, void *bytes, size_t size, const char *what,
                                npy_message *message)
{
    size_t found;

    errno = 0;
    found = fread(bytes, 1, size, stream);
    if (found == size)
        return OPTINC_OK;
    if (ferror(stream))
        return errno == EISDIR
                   ? fail(message, OPTINC_ERR_IO, "found a directory, expected a .npy file")
                   : fail(message, OPTINC_ERR_IO, "%s: %s", what, strerror(errno));
    return fail(message, OPTINC_ERR_FORMAT, "truncated: found %zu bytes of %s, expected %zu", found,
                what, size);
}

optinc_status npy_read_header(FILE *stream, npy_shape *shape, npy_message *message)
{
    uint8_t start[MAGIC_SIZE + 2];
    uint8_t length[4] = {0};
    uint32_t size;
    char *text;
    optinc_status status = read_bytes(stream, start, sizeof start, "the magic number", message);

    if (status != OPTINC_OK)
        return status;
    if (memcmp(start, MAGIC, MAGIC_SIZE) != 0)
        return fail(message, OPTINC_ERR_FORMAT, "not a .npy file: expected it to start \\x93NUMPY");
    if (start[MAGIC_SIZE] < 1 || start[MAGIC_SIZE] > 3 || start[MAGIC_SIZE + 1] != 0)
        return fail(message, OPTINC_ERR_UNSUPPORTED,
                    "version: found %u.%u, expected 1.0, 2.0 or 3.0", start[MAGIC_SIZE],
                    start[MAGIC_SIZE + 1]);
    status =
        read_bytes(stream, length, start[MAGIC_SIZE] == 1 ? 2 : 4, "the header's length", message);
    if (status != OPTINC_OK)
        return status;
    size = (uint32_t)length[0] | (uint32_t)length[1] << 8 | (uint32_t)length[2] << 16 |
           (uint32_t)length[3] << 24;
    if (size > NPY_HEADER_MAX)
        return fail(message, OPTINC_ERR_FORMAT, "header: %u bytes, expected at most %u", size,
                    NPY_HEADER_MAX);
    text = malloc(size + 1u);
    if (!text)
        return fail(message, OPTINC_ERR_OUT_OF_MEMORY, "out of memory");
    status = read_bytes(stream, text, size, "the header", message);
    if (status == OPTINC_OK)
        status = npy_parse_dictionary(text, size, shape, message);
    free(text);
    return status == OPTINC_OK ? check_length(stream, shape, message) : status;
}

optinc_status npy_read(FILE *stream, float *values, size_t count, npy_message *message)
{
    return read_bytes(stream, values, 4 * count, "the data", message);
}

const char *npy_shape_text(const npy_shape *shape, char text[NPY_SHAPE_TEXT_SIZE])
{
    size_t used = 1;

    text[0] = '(';
    for (uint32_t i = 0; i < shape->dimension_count; i++)
        used += (size_t)snprintf(text + used, NPY_SHAPE_TEXT_SIZE - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)shape->extents[i]);
    snprintf(text + used, NPY_SHAPE_TEXT_SIZE - used, shape->dimension_count == 1 ? ",)" : ")");
    return text;
}

bool npy_shape_equal(const npy_shape *a, const npy_shape *b)
{
    return a->dimension_count == b->dimension_count &&
           memcmp(a->extents, b->extents, a->dimension_count * sizeof a->extents[0]) == 0;
}

optinc_status npy_write_header(FILE *stream, const npy_shape *shape)
{
    /* The longest dictionary, of 32 extents, is below 1,024 bytes, so version 1.0 always serves.
     * The data starts at a multiple of 64, as numpy.save has it. */
    enum { FIXED = MAGIC_SIZE + 4, ALIGNMENT = 64 };
    char shape_text[NPY_SHAPE_TEXT_SIZE];
    char header[1024 + ALIGNMENT];
    int length = snprintf(header + FIXED, sizeof header - FIXED,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }",
                          npy_shape_text(shape, shape_text));
    size_t size = ((size_t)length + FIXED + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    memcpy(header, MAGIC "\x01\x00", MAGIC_SIZE + 2);
    header[MAGIC_SIZE + 2] = (char)((size - FIXED) & 0xFF);
    header[MAGIC_SIZE + 3] = (char)((size - FIXED) >> 8);
    memset(header + FIXED + length, ' ', size - FIXED - (size_t)length);
    header[size - 1] = '\n';
    return fwrite(header, 1, size, stream) == size ? OPTINC_OK : OPTINC_ERR_IO;
}

optinc_status npy_write(FILE *stream, const float *values, size_t count)
{
    return fwrite(values, sizeof *values, count, stream) == count ? OPTINC_OK : OPTINC_ERR_IO;
}
