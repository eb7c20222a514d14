/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "photonic.h"

#define SWEEP_STEPS_MAX 1000u
#define DRIFT_TIME "drift_time_s"
#define DRIFT_TIME_MAX 1e12

static bool split(const char *text, sweep_range *sweep)
{
    const char *equals = strchr(text, '=');
    char *end;
    double steps;

    if (!equals || equals == text || (size_t)(equals - text) >= sizeof sweep->name)
        return false;
    memcpy(sweep->name, text, (size_t)(equals - text));
    sweep->name[equals - text] = '\0';
    sweep->first = strtod(equals + 1, &end);
    if (end == equals + 1 || *end != ':')
        return false;
    text = end + 1;
    sweep->last = strtod(text, &end);
    if (end == text || *end != ':')
        return false;
    text = end + 1;
    steps = strtod(text, &end);
    if (end == text || *end || !(steps >= 2 && steps <= SWEEP_STEPS_MAX) || steps != floor(steps))
        return false;
    sweep->steps = (uint64_t)steps;
    return isfinite(sweep->first) && isfinite(sweep->last);
}

bool sweep_read(const char *text, sweep_range *sweep)
{
    if (split(text, sweep))
        return true;
    cli_error("--sweep: found '%s', expected NAME=FIRST:LAST:STEPS with 2 to %u steps", text,
              SWEEP_STEPS_MAX);
    return false;
}

double sweep_value(const sweep_range *sweep, uint64_t step)
{
    return sweep->first + (sweep->last - sweep->first) * (double)step / (double)(sweep->steps - 1);
}

/* Whole numbers have no largest value that still works, and the search goes down to 0. */
static bool has_tolerance(size_t at)
{
    return cli_device_fields[at].low == 0 && strcmp(cli_device_fields[at].name, "dac_bits") != 0;
}

static void say_known(const char *option, const char *name, bool swept)
{
    char known[CLI_DEVICE_FIELDS * 40] = "";
    size_t used = swept ? (size_t)snprintf(known, sizeof known, "%s", DRIFT_TIME) : 0;

    for (size_t i = 0; i < CLI_DEVICE_FIELDS && used < sizeof known; i++)
        if (swept || has_tolerance(i))
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                     used > 0 ? ", " : "", cli_device_fields[i].name);
    cli_error("%s: found '%s', expected one of %s", option, name, known);
}

static size_t find_field(const char *name)
{
    size_t at = 0;

    while (at < CLI_DEVICE_FIELDS && strcmp(cli_device_fields[at].name, name) != 0)
        at++;
    return at;
}

static bool check_range(const char *option, const char *name, double value, double low, double high)
{
    if (value >= low && value <= high)
        return true;
    cli_error("%s: found %s of %g, expected %g to %g", option, name, value, low, high);
    return false;
}

static bool check_step(const char *name, double value)
{
    size_t at = find_field(name);

    if (strcmp(name, DRIFT_TIME) == 0)
        return check_range("--sweep", name, value, 0, DRIFT_TIME_MAX);
    if (at == CLI_DEVICE_FIELDS) {
        say_known("--sweep", name, true);
        return false;
    }
    if (strcmp(name, "dac_bits") == 0 && value != floor(value)) {
        cli_error("--sweep: found %s of %g, expected steps of whole numbers", name, value);
        return false;
    }
    return check_range("--sweep", name, value, cli_device_fields[at].low,
                       cli_device_fields[at].high);
}

bool sweep_check(const sweep_range *sweep)
{
    for (uint64_t i = 0; i < sweep->steps; i++)
        if (!check_step(sweep->name, sweep_value(sweep, i)))
            return false;
    return true;
}

optinc_status sweep_set(const sweep_range *sweep, uint64_t step, optinc_photonic_options *options)
{
    double value = sweep_value(sweep, step);

    if (strcmp(sweep->name, DRIFT_TIME) != 0)
        return optinc_device_set(&options->device, sweep->name, value, &cli_log);
    options->drift_time_s = value;
    return OPTINC_OK;
}

bool sweep_check_tolerance(const char *name, double value_max)
{
    size_t at = find_field(name);

    if (at == CLI_DEVICE_FIELDS || !has_tolerance(at)) {
        say_known("--tolerance", name, false);
        return false;
    }
    return check_range("--tolerance-max", name, value_max, cli_device_fields[at].low,
                       cli_device_fields[at].high);
}
