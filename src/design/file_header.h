/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a design file, taken apart and checked; the file may be hostile. */
#ifndef OI_DESIGN_FILE_HEADER_H
#define OI_DESIGN_FILE_HEADER_H

#include "design/file_format.h"

#include <jansson.h>

typedef enum oi_dtype { OI_DTYPE_F64, OI_DTYPE_U8, OI_DTYPE_U16, OI_DTYPE_U32 } oi_dtype;

typedef struct oi_tensor {
    const char *name; /* borrowed from the JSON */
    oi_dtype dtype;
    uint32_t rank; /* 1 or 2 */
    size_t shape[2];
    size_t begin; /* offsets in the tensors' bytes */
    size_t end;
    bool used; /* for the reader: it knows what this tensor is for */
} oi_tensor;

typedef struct oi_file {
    const char *name; /* of the file, for messages; borrowed */
    const optinc_log *log;
    const uint8_t *data; /* of the tensors; borrowed */
    size_t data_size;
    json_t *header; /* the file's JSON */
    json_t *body;   /* the JSON of the "optinc" text */
    size_t tensor_count;
    oi_tensor *tensors; /* by offset; they fill data without gap or overlap */
} oi_file;

/* Checks lengths, JSON, tensor entries and the checksum. On success the caller owns *file and frees
 * it with oi_file_close; on failure nothing is left. bytes are borrowed by *file. */
optinc_status oi_file_open(const uint8_t *bytes, size_t size, const char *name,
                           const optinc_log *log, oi_file *file);
void oi_file_close(oi_file *file);

/* NULL if there is none of that name. */
oi_tensor *oi_file_tensor(const oi_file *file, const char *name);

/* What is at a JSON value, in a few printable characters: for messages. Returns text. */
const char *oi_json_describe(const json_t *value, char text[48]);

#endif
