/* SPDX-License-Identifier: Apache-2.0 */
/* The backend table: what the ONN really answers, case by case.
 *
 * The case number of the digit sums s_j is sum_j s_j (3N+1)^j, which is linear in the digits of the
 * ports' codes: it is the sum over the ports of sum_j d_j (3N+1)^j, and no s_j exceeds 3N, so
 * nothing carries. A 256-entry table per byte of a code gives a byte's share (four digits). */
#include "base/log.h"
#include "base/memory.h"
#include "switch/batch.h"

#define BYTE_VALUES 256u
#define SHARE_BYTES_MAX 6u /* of a code of 48 bits */

typedef struct table {
    optinc_spec spec;
    uint32_t case_count;
    uint32_t idle_share; /* of one idle port */
    uint32_t entry_size; /* bytes: 1, 2 or 4 */
    void *entries;       /* narrowed, so that more of them stay in the nearest cache */
    uint32_t shares[SHARE_BYTES_MAX][BYTE_VALUES];
} table;

typedef struct scratch {
    uint32_t offsets[OPTINC_BATCH_ELEMENTS_MAX];
    uint32_t cases[OPTINC_BATCH_ELEMENTS_MAX];
    uint64_t codes[OPTINC_BATCH_ELEMENTS_MAX];
} scratch;

/* A share is at most the last case number, which fits in 32 bits. */
static void fill_shares(table *made)
{
    uint64_t base = 3 * (uint64_t)made->spec.ports + 1;
    uint64_t weight = 1;

    for (uint32_t byte = 0; byte < (made->spec.bits_in + 7) / 8; byte++) {
        for (uint32_t digit = 0; digit < 4 && 4 * byte + digit < made->spec.bits_in / 2; digit++) {
            for (uint32_t value = 0; value < BYTE_VALUES; value++)
                made->shares[byte][value] += (uint32_t)(weight * ((value >> (2 * digit)) & 3));
            weight *= base;
        }
    }
}

static uint32_t share_of(const table *self, uint64_t code)
{
    uint32_t share = 0;

    for (uint32_t byte = 0; byte < (self->spec.bits_in + 7) / 8; byte++)
        share += self->shares[byte][(code >> (8 * byte)) & 0xFF];
    return share;
}

static bool fill_entries(table *made, const optinc_unit *unit)
{
    made->entry_size = unit->spec.bits_out <= 8 ? 1 : unit->spec.bits_out <= 16 ? 2 : 4;
    made->entries = oi_allocate(unit->table_count, made->entry_size);
    if (!made->entries)
        return false;
    for (size_t i = 0; i < unit->table_count; i++) {
        if (made->entry_size == 1)
            ((uint8_t *)made->entries)[i] = (uint8_t)unit->table[i];
        else if (made->entry_size == 2)
            ((uint16_t *)made->entries)[i] = (uint16_t)unit->table[i];
        else
            ((uint32_t *)made->entries)[i] = unit->table[i];
    }
    return true;
}

static optinc_status create(const optinc_unit *unit, const optinc_switch_options *options,
                            const optinc_log *log, void **state)
{
    table *made;

    (void)options;
    if (!unit->table)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "backend table: the design has no table");
    if (unit->table_count > UINT32_MAX)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                       "backend table: found %zu entries, expected less than 2^32",
                       unit->table_count);
    made = oi_allocate(1, sizeof *made);
    if (!made)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "backend table: no memory");
    made->spec = unit->spec;
    made->case_count = (uint32_t)optinc_spec_case_count(&unit->spec);
    fill_shares(made);
    made->idle_share = share_of(made, unit->spec.zero_code);
    if (!fill_entries(made, unit)) {
        oi_free(made);
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "backend table: no memory for %zu entries",
                       unit->table_count);
    }
    *state = made;
    return OPTINC_OK;
}

static void destroy(void *state)
{
    table *self = state;

    if (self)
        oi_free(self->entries);
    oi_free(self);
}

static size_t scratch_size(const void *state)
{
    (void)state;
    return sizeof(scratch);
}

/* N = 4, B = 8, no offsets: share, share, share, share, answer. */
static void reduce4(const table *self, const optinc_batch *batch)
{
    const uint32_t *share = self->shares[0];
    const uint8_t *entries = self->entries;
    const uint8_t *a = batch->symbols;
    const uint8_t *b = a + batch->port_stride_bytes;
    const uint8_t *c = b + batch->port_stride_bytes;
    const uint8_t *d = c + batch->port_stride_bytes;

    for (size_t i = 0; i < batch->element_count; i++)
        batch->result[i] = entries[share[a[i]] + share[b[i]] + share[c[i]] + share[d[i]]];
}

/* Adds the shares of every port's codes to own->cases. */
static optinc_status add_shares(const table *self, const optinc_batch *batch, scratch *own)
{
    for (uint32_t port = 0; port < batch->port_count; port++) {
        const uint8_t *symbols = batch->symbols + port * batch->port_stride_bytes;
        optinc_status status;

        if (self->spec.bits_in == 8) {
            for (size_t i = 0; i < batch->element_count; i++)
                own->cases[i] += self->shares[0][symbols[i]];
            continue;
        }
        status =
            optinc_symbols_unpack(self->spec.bits_in, symbols, batch->element_count, own->codes);
        if (status)
            return status;
        for (size_t i = 0; i < batch->element_count; i++)
            own->cases[i] += share_of(self, own->codes[i]);
    }
    return OPTINC_OK;
}

static uint32_t entry(const table *self, uint32_t index)
{
    if (self->entry_size == 1)
        return ((const uint8_t *)self->entries)[index];
    if (self->entry_size == 2)
        return ((const uint16_t *)self->entries)[index];
    return ((const uint32_t *)self->entries)[index];
}

static optinc_status reduce(const void *state, const optinc_batch *batch)
{
    const table *self = state;
    const optinc_spec *spec = &self->spec;
    bool stochastic = spec->variant == OPTINC_VARIANT_STOCHASTIC;
    uint32_t idle = (spec->ports - batch->port_count) * self->idle_share;
    scratch *own = batch->scratch;
    optinc_status status;

    if (batch->port_count == 4 && idle == 0 && spec->ports == 4 && spec->bits_in == 8 &&
        spec->bits_out == 8 && !stochastic) {
        reduce4(self, batch);
        return OPTINC_OK;
    }
    for (size_t i = 0; i < batch->element_count; i++)
        own->cases[i] = idle;
    if (stochastic) {
        oi_batch_offsets(spec, batch, own->offsets);
        for (size_t i = 0; i < batch->element_count; i++)
            own->cases[i] += own->offsets[i] * self->case_count;
    }
    status = add_shares(self, batch, own);
    if (status)
        return status;
    if (spec->bits_out == 8) {
        for (size_t i = 0; i < batch->element_count; i++)
            batch->result[i] = ((const uint8_t *)self->entries)[own->cases[i]];
        return OPTINC_OK;
    }
    for (size_t i = 0; i < batch->element_count; i++)
        own->codes[i] = entry(self, own->cases[i]);
    return optinc_symbols_pack(spec->bits_out, own->codes, batch->element_count, batch->result);
}

const optinc_backend *optinc_backend_table(void)
{
    static const optinc_backend backend = {"table", create, destroy, scratch_size, reduce};

    return &backend;
}
