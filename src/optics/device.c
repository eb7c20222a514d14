/* SPDX-License-Identifier: Apache-2.0 */
/* Device files. libyaml's events are taken one by one, so that every key, doubled ones included, is
 * seen with its line, and nothing of a hostile file is kept. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/log.h"
#include "base/number_text.h"
#include "optinc/optics.h"

#define FILE_SIZE_MAX (1u << 20)

typedef struct field {
    const char *name;
    size_t offset;
    double low;
    double high;
} field;

static const field fields[] = {
#define FIELD(name, low, high) {#name, offsetof(optinc_device, name), low, high},
    OPTINC_DEVICE_LIST(FIELD)
#undef FIELD
};
#define FIELD_COUNT (sizeof fields / sizeof *fields)

static double *value_of(optinc_device *device, const field *f)
{
    return (double *)((char *)device + f->offset);
}

static const field *find_field(const char *name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (!strcmp(fields[i].name, name))
            return &fields[i];
    return NULL;
}

optinc_device optinc_device_ideal(void)
{
    return (optinc_device){
        .mzi_length_um = 180,
        .mzi_width_um = 100,
        .shifter_pi_power_mw = 30,
        .group_index = 4.2,
        .modulator_energy_fj_per_bit = 450,
        .modulator_length_um = 260,
        .modulator_width_um = 20,
        .detector_responsivity_a_per_w = 1,
        .detector_sensitivity_dbm = -25,
        .detector_power_mw = 1.1,
        .receiver_bandwidth_ghz = 1e5,
        .receiver_gain_db_max = 200,
        .amplifier_power_mw = 3,
        .amplifier_area_um2 = 50,
        .dac_power_mw = 50,
        .dac_area_um2 = 11000,
        .adc_power_mw = 14.8,
        .adc_area_um2 = 2850,
        .laser_power_mw = 1,
        .laser_power_mw_max = 1e5,
        .local_oscillator_power_mw = 1,
        .laser_efficiency = 0.2,
        .laser_area_um2 = 120000,
        .laser_rin_db_per_hz = -300,
        .symbol_rate_gbaud = 10,
        .transceiver_energy_pj_per_bit = 21.25,
    };
}

static optinc_status check_range(const field *f, double value, const optinc_log *log)
{
    if (!(value >= f->low && value <= f->high))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "device: %s is %g, expected %g .. %g",
                       f->name, value, f->low, f->high);
    return OPTINC_OK;
}

optinc_status optinc_device_check(const optinc_device *device, const optinc_log *log)
{
    optinc_device copy;

    if (!device)
        return OPTINC_ERR_INVALID_ARGUMENT;
    copy = *device;
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (check_range(&fields[i], *value_of(&copy, &fields[i]), log))
            return OPTINC_ERR_INVALID_ARGUMENT;
    if (copy.dac_bits != floor(copy.dac_bits))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "device: dac_bits is %g, expected a whole number", copy.dac_bits);
    return OPTINC_OK;
}

optinc_status optinc_device_set(optinc_device *device, const char *name, double value,
                                const optinc_log *log)
{
    const field *f = device && name ? find_field(name) : NULL;
    optinc_status status;

    if (!f)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "device: no value is called %s",
                       name ? name : "(null)");
    status = check_range(f, value, log);
    if (!status)
        *value_of(device, f) = value;
    return status;
}

/* Where the reader stands: depth 1 is the file's mapping, 2 `values`, 3 one of its entries. */
typedef struct reader {
    const char *name;
    const optinc_log *log;
    optinc_device device;
    bool seen[FIELD_COUNT];
    bool seen_name;
    bool seen_values;
    const field *entry;
    bool entry_value;
    bool entry_source;
    char key[64]; /* at depths 1 and 3: the key that waits for its value; "" for none */
    int depth;
    size_t line;
} reader;

static optinc_status reject(const reader *r, const char *what, const char *text)
{
    return oi_fail(r->log, OPTINC_ERR_FORMAT, "%s:%zu: %s%.64s%s", r->name, r->line, what, text,
                   r->seen_name || r->seen_values ? "" : "; expected a device file");
}

static optinc_status enter(reader *r)
{
    r->depth++;
    if (r->depth == 1)
        return OPTINC_OK;
    if (r->depth == 2 && !strcmp(r->key, "values")) {
        if (r->seen_values)
            return reject(r, "values is doubled", "");
        r->seen_values = true;
    } else if (r->depth == 3 && r->entry) {
        r->entry_value = r->entry_source = false;
    } else {
        return reject(r, "a mapping where none is expected", "");
    }
    r->key[0] = '\0';
    return OPTINC_OK;
}

static optinc_status leave(reader *r)
{
    if (r->key[0])
        return reject(r, "no value for ", r->key);
    if (r->depth == 3) {
        if (!r->entry_value)
            return reject(r, "no value for ", r->entry->name);
        if (!r->entry_source)
            return reject(r, "no source for ", r->entry->name);
        r->entry = NULL;
    } else if (r->depth == 2 && r->entry) {
        return reject(r, "no value for ", r->entry->name);
    }
    r->depth--;
    return OPTINC_OK;
}

static optinc_status read_key(reader *r, const char *text)
{
    const char *const *known;
    static const char *const top[] = {"name", "values", NULL};
    static const char *const inner[] = {"value", "source", NULL};

    if (r->depth == 2) {
        r->entry = find_field(text);
        if (!r->entry)
            return reject(r, "unknown key ", text);
        if (r->seen[r->entry - fields])
            return reject(r, "doubled key ", text);
        r->seen[r->entry - fields] = true;
        return OPTINC_OK;
    }
    for (known = r->depth == 1 ? top : inner; *known && strcmp(*known, text) != 0; known++)
        ;
    if (!*known)
        return reject(r, "unknown key ", text);
    snprintf(r->key, sizeof r->key, "%s", text);
    return OPTINC_OK;
}

static optinc_status read_number(reader *r, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= r->entry->low && value <= r->entry->high))
        return oi_fail(r->log, OPTINC_ERR_FORMAT,
                       "%s:%zu: %s is '%.32s', expected a number in %g .. %g", r->name, r->line,
                       r->entry->name, text, r->entry->low, r->entry->high);
    *value_of(&r->device, r->entry) = value;
    return OPTINC_OK;
}

static optinc_status read_scalar(reader *r, const char *text, size_t length)
{
    bool *seen;
    bool is_value;

    if (r->depth < 1 || strlen(text) != length)
        return reject(r, "text where none is expected", "");
    if (r->depth == 2)
        return r->entry ? reject(r, "expected value and source for ", r->entry->name)
                        : read_key(r, text);
    if (!r->key[0])
        return read_key(r, text);
    if (!strcmp(r->key, "values"))
        return reject(r, "values must be a mapping", "");
    is_value = !strcmp(r->key, "value");
    seen = is_value ? &r->entry_value : r->depth == 1 ? &r->seen_name : &r->entry_source;
    if (*seen)
        return reject(r, "doubled key ", r->key);
    if (length == 0)
        return reject(r, "empty ", r->key);
    *seen = true;
    r->key[0] = '\0';
    return is_value ? read_number(r, text) : OPTINC_OK;
}

static optinc_status take_event(reader *r, const yaml_event_t *event)
{
    r->line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        return enter(r);
    case YAML_MAPPING_END_EVENT:
        return leave(r);
    case YAML_SCALAR_EVENT:
        return read_scalar(r, (const char *)event->data.scalar.value, event->data.scalar.length);
    case YAML_ALIAS_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return reject(r, "a list or an alias, expected a mapping", "");
    default:
        return OPTINC_OK;
    }
}

static optinc_status check_complete(const reader *r)
{
    if (!r->seen_name || !r->seen_values)
        return reject(r, "missing key ", r->seen_name ? "values" : "name");
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (!r->seen[i])
            return reject(r, "missing key ", fields[i].name);
    if (optinc_device_check(&r->device, r->log))
        return OPTINC_ERR_FORMAT;
    return OPTINC_OK;
}

static optinc_status read_events(reader *r, yaml_parser_t *parser)
{
    optinc_status status = OPTINC_OK;
    yaml_event_t event;
    bool end = false;

    while (!status && !end) {
        if (!yaml_parser_parse(parser, &event)) {
            r->line = parser->problem_mark.line + 1;
            return parser->error == YAML_MEMORY_ERROR
                       ? OPTINC_ERR_OUT_OF_MEMORY
                       : reject(r, "not YAML: ", parser->problem ? parser->problem : "");
        }
        end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && (r->seen_name || r->seen_values))
            status = reject(r, "a second document", "");
        else
            status = take_event(r, &event);
        yaml_event_delete(&event);
    }
    return status;
}

optinc_status optinc_device_parse(const uint8_t *bytes, size_t size, const char *name,
                                  const optinc_log *log, optinc_device *device)
{
    reader r = {.name = name ? name : "device file", .log = log};
    optinc_status status;
    yaml_parser_t parser;
    locale_t saved;

    if ((!bytes && size) || !device)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (size > FILE_SIZE_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW, "%s: %zu bytes, at most %u expected", r.name, size,
                       FILE_SIZE_MAX);
    if (!yaml_parser_initialize(&parser))
        return OPTINC_ERR_OUT_OF_MEMORY;
    yaml_parser_set_input_string(&parser, bytes ? bytes : (const uint8_t *)"", size);
    saved = oi_number_text_enter();
    status = read_events(&r, &parser);
    oi_number_text_leave(saved);
    yaml_parser_delete(&parser);
    if (!status)
        status = check_complete(&r);
    if (!status)
        *device = r.device;
    return status;
}

optinc_status optinc_device_load(const char *path, const optinc_log *log, optinc_device *device)
{
    optinc_status status;
    uint8_t *bytes = NULL;
    size_t size;
    FILE *file;

    if (!path || !device)
        return OPTINC_ERR_INVALID_ARGUMENT;
    file = fopen(path, "rb");
    if (!file)
        return oi_fail_errno(log, path, "cannot be opened");
    bytes = malloc(FILE_SIZE_MAX + 1);
    size = bytes ? fread(bytes, 1, FILE_SIZE_MAX + 1, file) : 0;
    if (!bytes)
        status = OPTINC_ERR_OUT_OF_MEMORY;
    else if (ferror(file))
        status = oi_fail(log, OPTINC_ERR_IO, "%s: cannot be read, expected a regular file", path);
    else
        status = optinc_device_parse(bytes, size, path, log, device);
    free(bytes);
    fclose(file);
    return status;
}
