/* SPDX-License-Identifier: Apache-2.0 */
/* GDSII stream records (Calma, release 6): big-endian, every record its length, type and data type.
 * Coordinates are nanometres, the database unit; the format holds them as int32. A stream grows in
 * memory and remembers what went wrong, so that callers ask once, at the end. */
#ifndef OI_OPTICS_GDS_H
#define OI_OPTICS_GDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "optinc/base.h"

#define OI_GDS_NAME_MAX 32u     /* of a cell, without its end */
#define OI_GDS_POINTS_MAX 8000u /* of a path or polygon; a record has at most 65,535 bytes */

typedef struct oi_gds {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    optinc_status status; /* OUT_OF_MEMORY, or OVERFLOW for a coordinate beyond int32 */
    bool muted;           /* keeps nothing: of plans that are only counted */
} oi_gds;

typedef struct oi_gds_layer {
    int16_t layer;
    int16_t datatype;
} oi_gds_layer;

typedef struct oi_point {
    int64_t x; /* nm */
    int64_t y;
} oi_point;

typedef struct oi_gds_reference {
    const char *cell;
    oi_point at;
    bool mirrored;          /* y to -y, before the turn */
    bool turned;            /* by 180 degrees */
    const char *name;       /* property 1; NULL: none */
    const char *properties; /* property 2; NULL: none */
} oi_gds_reference;

/* Header, library name, units of 1 um and 1 nm. All dates are 1970-01-01: equal input, equal bytes. */
void oi_gds_begin(oi_gds *gds, const char *library);
void oi_gds_end(oi_gds *gds);
void oi_gds_cell_begin(oi_gds *gds, const char *name);
void oi_gds_cell_end(oi_gds *gds);
/* Closed by itself: the first point is not repeated. 3 .. OI_GDS_POINTS_MAX points. */
void oi_gds_polygon(oi_gds *gds, oi_gds_layer layer, const oi_point *points, size_t count);
void oi_gds_rectangle(oi_gds *gds, oi_gds_layer layer, oi_point low, oi_point high);
/* Flush ends. 2 .. OI_GDS_POINTS_MAX points. */
void oi_gds_path(oi_gds *gds, oi_gds_layer layer, int64_t width, const oi_point *points,
                 size_t count);
void oi_gds_place(oi_gds *gds, const oi_gds_reference *reference);
/* Centred at a point; `size` is its height in nm. */
void oi_gds_text(oi_gds *gds, oi_gds_layer layer, oi_point at, int64_t size, const char *text);
/* The bytes of another stream, its failure too. */
void oi_gds_append(oi_gds *gds, const oi_gds *other);
/* Frees the bytes; a zeroed oi_gds is an empty stream again. */
void oi_gds_free(oi_gds *gds);

/* Base 16, exponent in excess of 64, 56 bits of mantissa: the format's 8-byte real. */
uint64_t oi_gds_real(double value);

#endif
