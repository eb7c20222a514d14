/* SPDX-License-Identifier: Apache-2.0 */
/* The design file: a safetensors file.
 *
 *   8 bytes    length of the header, little-endian
 *   header     JSON, padded with spaces so that the tensors start at a multiple of 8:
 *     "__metadata__": { "checksum": 16 hex digits, "format": "optinc-design",
 *                       "format_version": "1", "optinc": JSON text of all that is no tensor }
 *     "levels.0.layers.0.weight": { "dtype": "F64", "shape": [rows, cols], "data_offsets": [..] }
 *     "levels.0.layers.0.bias": F64 [rows], "levels.0.table": U8, U16 or U32 [cases]
 *   tensors    little-endian, without gaps
 *
 * The checksum is the CRC-64/XZ of the whole file with the checksum's own digits taken as '0': no
 * byte of the file can change unnoticed. (The checksum of the design, by which ranks compare
 * theirs, is optinc_design_checksum and covers only what determines results.)
 *
 * The "optinc" text: {"levels": [{"spec": {"ports", "bits_in", "bits_out", "divisor_log2",
 * "variant", "zero_code"}, "method", "seed", "gap", "inputs": [{"digit_first", "digit_count",
 * "scale"}], "layers": [{"activation", "mapping", "segment_side"}], "proof": {"kind", "exact",
 * "cases", "errors", "margin_min", "error_bound"}}]}. The 64-bit counts seed, cases and errors are
 * decimal strings, since JSON integers end at 2^63-1; NaN is null. */
#ifndef OI_DESIGN_FILE_FORMAT_H
#define OI_DESIGN_FILE_FORMAT_H

#include "optinc/design.h"

#define OI_FILE_FORMAT "optinc-design"
#define OI_FILE_FORMAT_VERSION "1"
#define OI_FILE_LENGTH_SIZE 8u
#define OI_FILE_ALIGNMENT 8u
#define OI_FILE_CHECKSUM_DIGITS 16u
#define OI_FILE_TENSORS_MAX (OPTINC_LEVELS_MAX * (2u * OPTINC_LAYERS_MAX + 1u))
#define OI_FILE_TENSOR_NAME_MAX 47u
/* The largest design has 4,104 tensors at some 100 bytes, 2,048 layers and inputs at some 100. */
#define OI_FILE_HEADER_MAX (4u << 20)

/* The names of the enums in the file, in the order of their values; NULL ends the list. */
extern const char *const oi_variant_names[];
extern const char *const oi_method_names[];
extern const char *const oi_activation_names[];
extern const char *const oi_mapping_names[];
extern const char *const oi_proof_names[];

/* Where the digits of the checksum are: their offset in the file, 0 if they are not there or not
 * unique. bytes holds at least the length and the header. */
size_t oi_file_checksum_offset(const uint8_t *bytes, size_t header_length);

/* The checksum of a whole file whose digits are at checksum_offset. */
uint64_t oi_file_checksum(const uint8_t *bytes, size_t size, size_t checksum_offset);

/* Where a design is written to: called with consecutive pieces; a failure ends the writing. */
typedef struct oi_sink {
    optinc_status (*write)(void *user, const void *data, size_t size);
    void *user;
} oi_sink;

/* Writes the file's bytes. */
optinc_status oi_file_write(const optinc_design *design, const oi_sink *sink,
                            const optinc_log *log);

#endif
