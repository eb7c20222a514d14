/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy .npy files of little-endian float32 in C order, versions 1.0 to 3.0 (NumPy's
 * lib/format.py), read and written as streams. */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include <stdio.h>

#include "optinc/base.h"

#define NPY_DIMENSIONS_MAX 32u
/* The longest header taken: NumPy's own limit is 10,000 characters unless files are trusted. */
#define NPY_HEADER_MAX 65536u

typedef struct npy_shape {
    uint32_t dimension_count; /* 0: a scalar */
    uint64_t extents[NPY_DIMENSIONS_MAX];
    uint64_t element_count; /* their product; element_count * 4 < 2^63 */
} npy_shape;

/* What is wrong: one line, without the file's name. */
typedef struct npy_message {
    char text[256];
} npy_message;

/* From the dictionary of a header, text [size], which need not end in a zero.
 * OPTINC_ERR_FORMAT, _OVERFLOW or _UNSUPPORTED (another dtype, byte order or layout). */
optinc_status npy_parse_dictionary(const char *text, size_t size, npy_shape *shape,
                                   npy_message *message) OPTINC_WARN_UNUSED;

/* Reads everything before the first element. The length of a regular file is checked against the
 * shape, so that no caller allocates for data that is not there. */
optinc_status npy_read_header(FILE *stream, npy_shape *shape,
                              npy_message *message) OPTINC_WARN_UNUSED;

/* The next `count` elements; fewer are OPTINC_ERR_FORMAT. */
optinc_status npy_read(FILE *stream, float *values, size_t count,
                       npy_message *message) OPTINC_WARN_UNUSED;

/* Version 1.0, laid out as numpy.save does. OPTINC_ERR_IO with errno set. */
optinc_status npy_write_header(FILE *stream, const npy_shape *shape) OPTINC_WARN_UNUSED;
optinc_status npy_write(FILE *stream, const float *values, size_t count) OPTINC_WARN_UNUSED;

/* "(3, 4)" into text, which it returns. */
#define NPY_SHAPE_TEXT_SIZE 704u
const char *npy_shape_text(const npy_shape *shape, char text[NPY_SHAPE_TEXT_SIZE]);

bool npy_shape_equal(const npy_shape *a, const npy_shape *b);

#endif
