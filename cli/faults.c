/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *const actions[] = {"undetected", "error", "rescale", NULL};

void cli_faults_describe(cli_faults *faults, cli_option *options)
{
    const cli_option list[CLI_FAULTS_OPTIONS] = {
        cli_text("--dark-ports", &faults->dark, "PORTS",
                 "ports from which no light comes, from 0, as 3 or 1,5; default none"),
        cli_text("--left-ports", &faults->left, "PORTS",
                 "ports whose servers have left in good order; default none"),
        cli_text(
            "--failed-switches", &faults->failed, "L,I/...",
            "switches that put out no light: level and number from 0, as 0,2 or 0,2/1,0; default "
            "none"),
        cli_needs(
            cli_choice(
                "--on-dark", &faults->action, actions,
                "what is done about them: nothing, as nobody sees it; an error; or the mean of the "
                "servers that are left; default rescale"),
            CLI_FAULTS_NEEDED),
    };

    faults->action = OPTINC_FAULT_RESCALE;
    memcpy(options, list, sizeof list);
    cli_group(options, CLI_FAULTS_OPTIONS, "Dark ports and switches");
}

/* A whole number at *text, which moves behind it. */
static bool read_number(const char *option, const char *whole, const char **text, uint32_t *number)
{
    char *end = NULL;
    unsigned long value = 0;

    errno = 0;
    if (**text >= '0' && **text <= '9')
        value = strtoul(*text, &end, 10);
    if (!end || errno || value > UINT32_MAX) {
        cli_error("%s: found '%s', expected whole numbers from 0 with commas between them", option,
                  whole);
        return false;
    }
    *text = end;
    *number = (uint32_t)value;
    return true;
}

static bool is_full(const char *option, uint32_t count)
{
    if (count < CLI_FAULTS_MAX)
        return false;
    cli_error("%s: found more than %d, expected fewer", option, CLI_FAULTS_MAX);
    return true;
}

/* "1,5" to ports; NULL is no port. */
static bool read_ports(const char *option, const char *text, uint32_t *ports, uint32_t *count)
{
    const char *whole = text;

    *count = 0;
    while (text) {
        if (is_full(option, *count) || !read_number(option, whole, &text, &ports[(*count)++]))
            return false;
        if (*text == '\0')
            return true;
        if (*text++ != ',') {
            cli_error("%s: found '%s', expected ports as 1,5", option, whole);
            return false;
        }
    }
    return true;
}

/* "0,2/1,0" to switches; NULL is none. */
static bool read_switches(const char *text, optinc_place *places, uint32_t *count)
{
    const char *option = "--failed-switches", *whole = text;

    *count = 0;
    if (!text)
        return true;
    for (;;) {
        optinc_place *place = &places[*count];
        bool is_pair;

        if (is_full(option, *count) || !read_number(option, whole, &text, &place->level))
            return false;
        is_pair = *text == ',';
        text += is_pair;
        if (is_pair && !read_number(option, whole, &text, &place->index))
            return false;
        if (!is_pair || (*text != '\0' && *text != '/')) {
            cli_error("%s: found '%s', expected level and number as 0,2 or 0,2/1,0", option, whole);
            return false;
        }
        ++*count;
        if (*text++ == '\0')
            return true;
    }
}

/* Each option by itself, so that an error has its name. */
static optinc_status check_each(cli_faults *f, const optinc_design *design, uint32_t port_count)
{
    static const char *const options[3] = {"--dark-ports", "--left-ports", "--failed-switches"};
    optinc_status status = OPTINC_OK;

    for (int i = 0; i < 3 && !status; i++) {
        optinc_faults only = {.action = f->faults.action};
        cli_about about;

        if (i == 0) {
            only.dark_ports = f->faults.dark_ports;
            only.dark_count = f->faults.dark_count;
        } else if (i == 1) {
            only.left_ports = f->faults.left_ports;
            only.left_count = f->faults.left_count;
        } else {
            only.failed = f->faults.failed;
            only.failed_count = f->faults.failed_count;
        }
        if (only.dark_count || only.left_count || only.failed_count)
            status =
                optinc_faults_resolve(design, port_count, &only, cli_log_about(&about, options[i]),
                                      f->states, &f->effect);
    }
    return status;
}

bool cli_faults_resolve(cli_faults *f, const optinc_design *design, uint32_t port_count)
{
    optinc_status status;

    f->any = f->dark || f->left || f->failed;
    if (!f->any)
        return true;
    f->faults = (optinc_faults){.dark_ports = f->dark_ports,
                                .left_ports = f->left_ports,
                                .failed = f->failed_switches,
                                .action = (optinc_fault_action)f->action};
    if (!read_ports("--dark-ports", f->dark, f->dark_ports, &f->faults.dark_count) ||
        !read_ports("--left-ports", f->left, f->left_ports, &f->faults.left_count) ||
        !read_switches(f->failed, f->failed_switches, &f->faults.failed_count))
        return false;
    f->states = malloc(optinc_design_ports(design));
    if (!f->states) {
        cli_error("out of memory");
        return false;
    }
    status = check_each(f, design, port_count);
    if (!status)
        status =
            optinc_faults_resolve(design, port_count, &f->faults, &cli_log, f->states, &f->effect);
    if (status != OPTINC_OK)
        cli_library_error(status, "faults");
    return status == OPTINC_OK;
}

void cli_faults_free(cli_faults *faults)
{
    free(faults->states);
    faults->states = NULL;
}

/* Steps of the result's code by which dark ports lower the mean of the others' sum. */
static double bias_steps(const cli_faults *f, const optinc_design *design)
{
    optinc_spec flat = optinc_design_flat_spec(design);

    return -(double)f->effect.dark * (double)flat.zero_code /
           (double)((uint64_t)1 << flat.divisor_log2);
}

void cli_faults_print(const cli_faults *f, const optinc_design *design, int width)
{
    if (!f->any)
        return;
    printf("%-*s %u live, %u idle, %u dark (%s)\n%-*s %u in the mean\n", width, "ports",
           f->effect.live, f->effect.idle, f->effect.dark, actions[f->action], width, "servers",
           f->effect.servers);
    if (f->effect.dark > 0)
        printf("%-*s %.6g code steps in every result, and nothing shows it\n", width, "bias",
               bias_steps(f, design));
}

void cli_faults_json(const cli_faults *f, const optinc_design *design, json_t *object)
{
    if (!f->any)
        return;
    cli_json_set(object, "on_dark", json_string(actions[f->action]));
    cli_json_set(object, "ports_live", json_integer(f->effect.live));
    cli_json_set(object, "ports_idle", json_integer(f->effect.idle));
    cli_json_set(object, "ports_dark", json_integer(f->effect.dark));
    cli_json_set(object, "servers_counted", json_integer(f->effect.servers));
    cli_json_set(object, "bias_code_steps", cli_json_number(bias_steps(f, design)));
}
