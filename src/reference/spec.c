/* SPDX-License-Identifier: Apache-2.0 */
/* The spec of a switch and its checks. N ports, B bits, T the sum of the codes, divisor D. */
#include "base/log.h"
#include "optinc/reference.h"

#include <inttypes.h>

#define PORTS_MAX 64u
#define SERVER_BITS_MAX 32u
#define BITS_IN_MAX 48u
#define BITS_OUT_MAX 56u
#define DIVISOR_LOG2_MAX 24u

static bool is_power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static uint32_t log2_exact(uint32_t power_of_two)
{
    return (uint32_t)__builtin_ctz(power_of_two);
}

static bool is_even_within(uint32_t bits, uint32_t bits_max)
{
    return bits % 2 == 0 && bits >= 2 && bits <= bits_max;
}

static uint64_t code_max(uint32_t bits)
{
    return ((uint64_t)1 << bits) - 1;
}

static optinc_status check_ports(uint32_t ports, const optinc_log *log)
{
    if (is_power_of_two(ports) && ports >= 2 && ports <= PORTS_MAX)
        return OPTINC_OK;
    return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                   "ports is %" PRIu32 ", expected a power of two from 2 to %u", ports, PORTS_MAX);
}

static optinc_status check_bits(const char *name, uint32_t bits, uint32_t bits_max,
                                const optinc_log *log)
{
    if (is_even_within(bits, bits_max))
        return OPTINC_OK;
    return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                   "%s is %" PRIu32 ", expected an even number from 2 to %" PRIu32, name, bits,
                   bits_max);
}

static optinc_status check_variant(optinc_variant variant, const optinc_log *log)
{
    switch (variant) {
    case OPTINC_VARIANT_HALF_UP:
    case OPTINC_VARIANT_STOCHASTIC:
    case OPTINC_VARIANT_RESIDUAL:
        return OPTINC_OK;
    }
    return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "variant %d is not known", (int)variant);
}

/* The largest r when every port sends the largest code that bits_in can hold. At most
 * 64 (2^48 - 1) + 2^24 < 2^55 before the division, so nothing overflows. */
static uint64_t result_max(const optinc_spec *spec)
{
    uint64_t divisor = (uint64_t)1 << spec->divisor_log2;
    uint64_t total = spec->ports * code_max(spec->bits_in);

    switch (spec->variant) {
    case OPTINC_VARIANT_HALF_UP:
        return (total + divisor / 2) / divisor;
    case OPTINC_VARIANT_STOCHASTIC:
        return (total + divisor - 1) / divisor;
    case OPTINC_VARIANT_RESIDUAL:
        break;
    }
    return total;
}

/* The last switch of a cascade: each port carries the sum of D/N servers' codes, at most
 * (D/N) (2^bits_out - 1), so r <= 2^bits_out - 1 although bits_in could hold larger codes. Levels
 * of N_l ports below it make D/N = prod N_l and add 2 ceil(log4 N_l) bits each, so that
 * log2(D/N) <= bits_in - bits_out <= 2 log2(D/N). */
static bool is_cascade_top(const optinc_spec *spec)
{
    uint32_t ports_log2 = log2_exact(spec->ports);
    uint32_t below_log2;

    if (spec->variant == OPTINC_VARIANT_RESIDUAL || spec->divisor_log2 <= ports_log2)
        return false;
    below_log2 = spec->divisor_log2 - ports_log2;
    return spec->bits_in >= spec->bits_out + below_log2 &&
           spec->bits_in <= spec->bits_out + 2 * below_log2 &&
           spec->zero_code <= code_max(spec->bits_out) << below_log2;
}

optinc_status optinc_spec_check(const optinc_spec *spec, const optinc_log *log)
{
    optinc_status status;

    if (!spec)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "spec is NULL");
    status = check_ports(spec->ports, log);
    if (status != OPTINC_OK)
        return status;
    status = check_bits("bits_in", spec->bits_in, BITS_IN_MAX, log);
    if (status != OPTINC_OK)
        return status;
    status = check_bits("bits_out", spec->bits_out, BITS_OUT_MAX, log);
    if (status != OPTINC_OK)
        return status;
    status = check_variant(spec->variant, log);
    if (status != OPTINC_OK)
        return status;
    if (spec->divisor_log2 > DIVISOR_LOG2_MAX)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "divisor_log2 is %" PRIu32 ", expected 0 to %u", spec->divisor_log2,
                       DIVISOR_LOG2_MAX);
    if (spec->variant == OPTINC_VARIANT_RESIDUAL && spec->divisor_log2 != 0)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "divisor_log2 of a residual switch is %" PRIu32 ", expected 0",
                       spec->divisor_log2);
    if (spec->zero_code > code_max(spec->bits_in))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "zero_code is %" PRIu64 ", expected at most %" PRIu64 " for %" PRIu32
                       " bits",
                       spec->zero_code, code_max(spec->bits_in), spec->bits_in);
    if (result_max(spec) > code_max(spec->bits_out) && !is_cascade_top(spec))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "bits_out %" PRIu32 " cannot hold the results of %" PRIu32
                       " ports of %" PRIu32 " bits divided by 2^%" PRIu32,
                       spec->bits_out, spec->ports, spec->bits_in, spec->divisor_log2);
    return OPTINC_OK;
}

optinc_status optinc_spec_single(uint32_t ports, uint32_t bits, optinc_variant variant,
                                 const optinc_log *log, optinc_spec *spec)
{
    optinc_status status;
    uint32_t ports_log2;

    if (!spec)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "spec is NULL");
    status = check_ports(ports, log);
    if (status != OPTINC_OK)
        return status;
    status = check_bits("bits", bits, SERVER_BITS_MAX, log);
    if (status != OPTINC_OK)
        return status;
    status = check_variant(variant, log);
    if (status != OPTINC_OK)
        return status;
    ports_log2 = log2_exact(ports);
    *spec = (optinc_spec){.ports = ports,
                          .bits_in = bits,
                          .bits_out = bits,
                          .divisor_log2 = ports_log2,
                          .variant = variant,
                          .zero_code = (uint64_t)1 << (bits - 1)};
    if (variant == OPTINC_VARIANT_RESIDUAL) {
        spec->bits_out = bits + 2 * ((ports_log2 + 1) / 2);
        spec->divisor_log2 = 0;
    }
    return OPTINC_OK;
}

uint32_t optinc_spec_digits_in(const optinc_spec *spec)
{
    return spec->bits_in / 2;
}

uint32_t optinc_spec_digits_out(const optinc_spec *spec)
{
    return spec->bits_out / 2;
}
