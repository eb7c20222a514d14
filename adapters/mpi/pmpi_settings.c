/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strtod_l */
#include "pmpi.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A larger limit, which nobody waits for, would pass what the C library's clocks can hold. */
#define SECONDS_MAX 1e9

static bool complain(const char *name, const char *value, const char *expected)
{
    fprintf(stderr, "optinc: %s=%s: expected %s\n", name, value, expected);
    return false;
}

/* Both keep the default where the variable is not set or empty. */
static bool read_number(const char *name, uint64_t most, uint64_t *number)
{
    const char *text = getenv(name);
    char *end;
    unsigned long long value;

    if (!text || !*text)
        return true;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || *end || !isdigit((unsigned char)*text) || value > most) {
        fprintf(stderr, "optinc: %s=%s: expected a number up to %llu\n", name, text,
                (unsigned long long)most);
        return false;
    }
    *number = value;
    return true;
}

static bool read_choice(const char *name, const char *no, const char *yes, bool *choice)
{
    const char *text = getenv(name);
    char expected[64];

    if (!text || !*text)
        return true;
    if (strcmp(text, no) == 0 || strcmp(text, yes) == 0) {
        *choice = strcmp(text, yes) == 0;
        return true;
    }
    snprintf(expected, sizeof expected, "%s or %s", no, yes);
    return complain(name, text, expected);
}

static bool read_block_size(const char *name, uint64_t *elements)
{
    if (!read_number(name, 65536, elements))
        return false;
    if (*elements > 0 && *elements % 4 == 0)
        return true;
    return complain(name, getenv(name), "a multiple of 4 from 4 to 65536");
}

/* The decimal mark of strtod is the program's. */
static double number_with_point(const char *text, char **end)
{
    locale_t point = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = strtod_l(text, end, point);

    freelocale(point);
    return value;
}

static bool read_seconds(const char *name, double *seconds)
{
    const char *text = getenv(name);
    char *end;
    double value;

    if (!text || !*text)
        return true;
    value = number_with_point(text, &end);
    if (*end || !(value >= 0 && value <= SECONDS_MAX))
        return complain(name, text, "seconds up to 1e9, 0 for no limit");
    *seconds = value;
    return true;
}

static bool read_directory(const char *name, const char **directory)
{
    const char *text = getenv(name);

    if (!text || !*text)
        return true;
    if (access(text, W_OK | X_OK) != 0)
        return complain(name, text, "a directory that can be written to");
    *directory = text;
    return true;
}

bool pmpi_settings_read(pmpi_settings *s)
{
    const char *designs = getenv("OPTINC_DESIGN");

    *s = (pmpi_settings){
        .designs = designs && *designs ? designs : NULL,
        .bytes_min = 262144,
        .block_size = OPTINC_BLOCK_SIZE_DEFAULT,
        .nonblocking = true,
        .table = true,
        .check_count = 64,
    };
    return read_number("OPTINC_BITS", 32, &s->bits) &&
           read_number("OPTINC_MIN_BYTES", UINT64_MAX, &s->bytes_min) &&
           read_block_size("OPTINC_BLOCK_SIZE", &s->block_size) &&
           read_number("OPTINC_CHUNK", SIZE_MAX / 16, &s->chunk_elements) &&
           read_number("OPTINC_PIECE", INT32_MAX, &s->piece_bytes) &&
           read_number("OPTINC_THREADS", 1024, &s->thread_count) &&
           read_number("OPTINC_SEED", UINT64_MAX, &s->seed) &&
           read_number("OPTINC_CHECK", PMPI_CHECK_MAX, &s->check_count) &&
           read_choice("OPTINC_ROUNDING", "nearest", "stochastic", &s->stochastic) &&
           read_choice("OPTINC_UNQUALIFIED", "pass", "fail", &s->fail) &&
           read_choice("OPTINC_NONBLOCKING", "pass", "switch", &s->nonblocking) &&
           read_choice("OPTINC_TABLE", "0", "1", &s->table) &&
           read_seconds("OPTINC_TIMEOUT", &s->timeout_seconds) &&
           read_directory("OPTINC_REPLAY", &s->replay);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ (value >> (8 * i) & 0xff)) * 0x100000001b3u; /* FNV-1a */
    return hash;
}

/* Designs are compared by the collective itself; here it counts whether there are any. */
uint64_t pmpi_settings_hash(const pmpi_settings *s)
{
    const uint64_t values[] = {
        s->bits,        s->bytes_min,           s->block_size,  s->chunk_elements,
        s->seed,        s->stochastic,          s->fail,        s->nonblocking,
        s->check_count, s->timeout_seconds > 0, s->piece_bytes, s->designs != NULL,
        s->table};
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        hash = mix(hash, values[i]);
    return hash;
}
