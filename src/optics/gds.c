/* SPDX-License-Identifier: Apache-2.0 */
#include "optics/gds.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

enum record_type {
    HEADER = 0x00,
    BGNLIB = 0x01,
    LIBNAME = 0x02,
    UNITS = 0x03,
    ENDLIB = 0x04,
    BGNSTR = 0x05,
    STRNAME = 0x06,
    ENDSTR = 0x07,
    BOUNDARY = 0x08,
    PATH = 0x09,
    SREF = 0x0A,
    TEXT = 0x0C,
    LAYER = 0x0D,
    DATATYPE = 0x0E,
    WIDTH = 0x0F,
    XY = 0x10,
    ENDEL = 0x11,
    SNAME = 0x12,
    TEXTTYPE = 0x16,
    PRESENTATION = 0x17,
    STRING = 0x19,
    STRANS = 0x1A,
    MAG = 0x1B,
    ANGLE = 0x1C,
    PATHTYPE = 0x21,
    PROPATTR = 0x2B,
    PROPVALUE = 0x2C
};
enum data_type { NONE = 0, BITS = 1, INT16 = 2, INT32 = 3, REAL8 = 5, ASCII = 6 };

#define RELEASE 600
#define REFLECTED 0x8000
#define CENTRED 0x0005  /* PRESENTATION: middle, both ways */
#define STRING_MAX 126u /* what a property may hold; texts are kept as short */

static uint8_t *grow(oi_gds *gds, size_t more)
{
    size_t need, capacity;
    uint8_t *grown;

    if (gds->muted)
        return NULL;
    if (gds->status || !oi_size_add(gds->size, more, &need)) {
        gds->status = gds->status ? gds->status : OPTINC_ERR_OUT_OF_MEMORY;
        return NULL;
    }
    if (need > gds->capacity) {
        if (!oi_size_multiply(need, 2, &capacity) || !(grown = oi_allocate(capacity, 1))) {
            gds->status = OPTINC_ERR_OUT_OF_MEMORY;
            return NULL;
        }
        if (gds->size)
            memcpy(grown, gds->bytes, gds->size);
        oi_free(gds->bytes);
        gds->bytes = grown;
        gds->capacity = capacity;
    }
    gds->size = need;
    return gds->bytes + need - more;
}

static void put(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

/* A record's head; returns where its `size` bytes of data belong, or NULL. */
static uint8_t *record(oi_gds *gds, enum record_type type, enum data_type data, size_t size)
{
    uint8_t *at;

    assert(size % 2 == 0 && size + 4 <= UINT16_MAX);
    at = grow(gds, size + 4);
    if (!at)
        return NULL;
    put(at, size + 4, 2);
    at[2] = (uint8_t)type;
    at[3] = (uint8_t)data;
    return at + 4;
}

static void put_bits(oi_gds *gds, enum record_type type, enum data_type data, uint16_t value)
{
    uint8_t *at = record(gds, type, data, 2);

    if (at)
        put(at, value, 2);
}

static void put_string(oi_gds *gds, enum record_type type, const char *text)
{
    size_t length = strlen(text), size;
    uint8_t *at;

    length = length > STRING_MAX ? STRING_MAX : length;
    size = length + length % 2; /* padded by a zero byte */
    at = record(gds, type, ASCII, size);
    if (!at)
        return;
    if (length % 2)
        at[length] = 0;
    memcpy(at, text, length);
}

static void put_points(oi_gds *gds, const oi_point *points, size_t count, bool closed)
{
    size_t all = count + closed;
    uint8_t *at;

    assert(all <= OI_GDS_POINTS_MAX + 1);
    at = record(gds, XY, INT32, 8 * all);
    for (size_t i = 0; i < all && at; i++) {
        const oi_point *p = &points[i % count];

        if (p->x < INT32_MIN || p->x > INT32_MAX || p->y < INT32_MIN || p->y > INT32_MAX) {
            gds->status = OPTINC_ERR_OVERFLOW;
            return;
        }
        put(at + 8 * i, (uint32_t)(int32_t)p->x, 4);
        put(at + 8 * i + 4, (uint32_t)(int32_t)p->y, 4);
    }
}

static void put_real(oi_gds *gds, enum record_type type, double value)
{
    uint8_t *at = record(gds, type, REAL8, 8);

    if (at)
        put(at, oi_gds_real(value), 8);
}

static void put_dates(oi_gds *gds, enum record_type type)
{
    static const uint16_t date[6] = {1970, 1, 1, 0, 0, 0};
    uint8_t *at = record(gds, type, INT16, 24); /* of the last change, and of the last access */

    for (size_t i = 0; i < 12 && at; i++)
        put(at + 2 * i, date[i % 6], 2);
}

uint64_t oi_gds_real(double value)
{
    double size = fabs(value);
    uint64_t sign = value < 0 ? UINT64_C(1) << 63 : 0, mantissa;
    int exponent = 64;

    assert(size == 0 || (size > 1e-70 && size < 1e70));
    if (size == 0)
        return 0;
    for (; size >= 1; exponent++)
        size /= 16;
    for (; size < 1.0 / 16; exponent--)
        size *= 16;
    mantissa = (uint64_t)ldexp(size, 56); /* exact: a double has 53 bits */
    return sign | (uint64_t)exponent << 56 | mantissa;
}

void oi_gds_begin(oi_gds *gds, const char *library)
{
    uint8_t *at;

    put_bits(gds, HEADER, INT16, RELEASE);
    put_dates(gds, BGNLIB);
    put_string(gds, LIBNAME, library);
    at = record(gds, UNITS, REAL8, 16);
    if (at) {
        put(at, oi_gds_real(1e-3), 8); /* a nanometre in units of the user, micrometres */
        put(at + 8, oi_gds_real(1e-9), 8);
    }
}

void oi_gds_end(oi_gds *gds)
{
    record(gds, ENDLIB, NONE, 0);
}

void oi_gds_cell_begin(oi_gds *gds, const char *name)
{
    assert(strlen(name) <= OI_GDS_NAME_MAX);
    put_dates(gds, BGNSTR);
    put_string(gds, STRNAME, name);
}

void oi_gds_cell_end(oi_gds *gds)
{
    record(gds, ENDSTR, NONE, 0);
}

static void put_layer(oi_gds *gds, oi_gds_layer layer, enum record_type type)
{
    put_bits(gds, LAYER, INT16, (uint16_t)layer.layer);
    put_bits(gds, type, INT16, (uint16_t)layer.datatype);
}

void oi_gds_polygon(oi_gds *gds, oi_gds_layer layer, const oi_point *points, size_t count)
{
    record(gds, BOUNDARY, NONE, 0);
    put_layer(gds, layer, DATATYPE);
    put_points(gds, points, count, true);
    record(gds, ENDEL, NONE, 0);
}

void oi_gds_rectangle(oi_gds *gds, oi_gds_layer layer, oi_point low, oi_point high)
{
    const oi_point corners[4] = {low, {high.x, low.y}, high, {low.x, high.y}};

    oi_gds_polygon(gds, layer, corners, 4);
}

void oi_gds_path(oi_gds *gds, oi_gds_layer layer, int64_t width, const oi_point *points,
                 size_t count)
{
    uint8_t *at;

    assert(width > 0 && width <= INT32_MAX);
    record(gds, PATH, NONE, 0);
    put_layer(gds, layer, DATATYPE);
    put_bits(gds, PATHTYPE, INT16, 0);
    at = record(gds, WIDTH, INT32, 4);
    if (at)
        put(at, (uint64_t)width, 4);
    put_points(gds, points, count, false);
    record(gds, ENDEL, NONE, 0);
}

static void put_property(oi_gds *gds, uint16_t number, const char *value)
{
    if (!value)
        return;
    put_bits(gds, PROPATTR, INT16, number);
    put_string(gds, PROPVALUE, value);
}

void oi_gds_place(oi_gds *gds, const oi_gds_reference *reference)
{
    record(gds, SREF, NONE, 0);
    put_string(gds, SNAME, reference->cell);
    if (reference->mirrored || reference->turned)
        put_bits(gds, STRANS, BITS, reference->mirrored ? REFLECTED : 0);
    if (reference->turned)
        put_real(gds, ANGLE, 180);
    put_points(gds, &reference->at, 1, false);
    put_property(gds, 1, reference->name);
    put_property(gds, 2, reference->properties);
    record(gds, ENDEL, NONE, 0);
}

void oi_gds_text(oi_gds *gds, oi_gds_layer layer, oi_point at, int64_t size, const char *text)
{
    record(gds, TEXT, NONE, 0);
    put_layer(gds, layer, TEXTTYPE);
    put_bits(gds, PRESENTATION, BITS, CENTRED);
    put_bits(gds, STRANS, BITS, 0);
    put_real(gds, MAG, (double)size / 1000);
    put_points(gds, &at, 1, false);
    put_string(gds, STRING, text);
    record(gds, ENDEL, NONE, 0);
}

void oi_gds_append(oi_gds *gds, const oi_gds *other)
{
    uint8_t *at;

    if (other->status && !gds->status)
        gds->status = other->status;
    at = grow(gds, other->size);
    if (at && other->size)
        memcpy(at, other->bytes, other->size);
}

void oi_gds_free(oi_gds *gds)
{
    oi_free(gds->bytes);
    *gds = (oi_gds){.status = OPTINC_OK};
}
