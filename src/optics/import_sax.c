/* SPDX-License-Identifier: Apache-2.0 */
/* A SAX netlist (YAML) of optinc's models as a circuit: instances and what drives their ports, then
 * the order of light, then modes, each handed on from port to port. */
#define _GNU_SOURCE /* qsort_r */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/log.h"
#include "base/memory.h"
#include "optics/import.h"

#define NAME_SIZE 64
#define INSTANCES_MAX (1 << 24)

typedef enum model { MODEL_MZI, MODEL_SPLITTER, MODEL_SHIFTER } model;

typedef enum drive { DRIVE_DARK = 0, DRIVE_INPUT, DRIVE_INSTANCE } drive;

typedef struct source {
    drive kind;
    uint32_t index; /* of the input or instance */
    uint32_t port;
} source;

typedef struct instance {
    const char *name; /* borrowed from the document */
    model model;
    optinc_element element;
    double phase_rad; /* of a shifter */
    source from[2];
    bool taken[2]; /* its outputs lead somewhere */
    uint32_t mode[2];
    int state; /* of the sorting: 0 new, 1 under way, 2 done */
} instance;

typedef struct reader {
    oi_import *import;
    yaml_document_t document;
    uint32_t count;
    instance *instances;
    uint32_t *by_name; /* [count] sorted */
    uint32_t cols;
    uint32_t rows;
    bool *input_seen; /* [OPTINC_MESH_SIDE_MAX] */
    source *outputs;  /* [OPTINC_MESH_SIDE_MAX] */
} reader;

static optinc_status reject(const reader *r, const char *where, const char *item, const char *what)
{
    return oi_fail(r->import->log, OPTINC_ERR_FORMAT, "%s: %s: %.60s: %s", r->import->name, where,
                   item, what);
}

static const char *text_of(reader *r, int node)
{
    yaml_node_t *n = yaml_document_get_node(&r->document, node);

    if (!n || n->type != YAML_SCALAR_NODE ||
        strlen((const char *)n->data.scalar.value) != n->data.scalar.length)
        return NULL;
    return (const char *)n->data.scalar.value;
}

static const yaml_node_t *mapping_at(reader *r, int node)
{
    const yaml_node_t *n = yaml_document_get_node(&r->document, node);

    return n && n->type == YAML_MAPPING_NODE ? n : NULL;
}

static size_t pair_count(const yaml_node_t *mapping)
{
    return (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start);
}

static const yaml_node_pair_t *pair_at(const yaml_node_t *mapping, size_t i)
{
    return mapping->data.mapping.pairs.start + i;
}

/* The mapping behind one of the netlist's own keys. */
static optinc_status find_part(reader *r, const char *key, const yaml_node_t **part)
{
    yaml_node_t *root = yaml_document_get_root_node(&r->document);

    *part = NULL;
    if (!root || root->type != YAML_MAPPING_NODE)
        return oi_fail(r->import->log, OPTINC_ERR_FORMAT,
                       "%s: expected a netlist: instances, connections, ports", r->import->name);
    for (size_t i = 0; i < pair_count(root); i++) {
        const char *name = text_of(r, pair_at(root, i)->key);

        if (!name || strcmp(name, key) != 0)
            continue;
        if (*part)
            return reject(r, key, "netlist", "doubled");
        *part = mapping_at(r, pair_at(root, i)->value);
        /* a mapping without entries is read as empty text */
        if (!*part && (strcmp(key, "connections") != 0 || !text_of(r, pair_at(root, i)->value)))
            return reject(r, key, "netlist", "expected a mapping");
        if (!*part)
            return OPTINC_OK;
    }
    if (!*part && strcmp(key, "connections") != 0)
        return reject(r, key, "netlist", "missing; is the file cut short?");
    return OPTINC_OK;
}

static optinc_status read_setting(reader *r, instance *item, const char *key, const char *text)
{
    static const struct {
        const char *key;
        model model;
        bool angle;
    } settings[] = {{"in_rad", MODEL_MZI, true},         {"arm_a_rad", MODEL_MZI, true},
                    {"arm_b_rad", MODEL_MZI, true},      {"loss_db", MODEL_MZI, false},
                    {"angle_rad", MODEL_SPLITTER, true}, {"loss_db", MODEL_SPLITTER, false},
                    {"phase_rad", MODEL_SHIFTER, true}};
    double *values[] = {&item->element.in_rad,    &item->element.arm_a_rad,
                        &item->element.arm_b_rad, &r->import->losses.mzi_loss_db,
                        &item->element.angle_rad, &r->import->losses.splitter_loss_db,
                        &item->phase_rad};
    size_t which = 0;
    char *end;
    double value;

    while (which < 7 &&
           (settings[which].model != item->model || strcmp(settings[which].key, key) != 0))
        which++;
    if (which == 7)
        return reject(r, "instances", item->name, "a setting that its model does not have");
    errno = 0;
    value = strtod(text, &end);
    if (end == text || *end)
        return oi_fail(r->import->log, OPTINC_ERR_FORMAT,
                       "%s: instances: %.60s: %s is '%.32s', expected a number", r->import->name,
                       item->name, key, text);
    if (settings[which].angle) {
        bool fixed = item->model == MODEL_SPLITTER;

        *values[which] = value;
        return oi_import_range(r->import, "instances", item->name, key, value,
                               fixed ? -OI_TWO_PI : 0, OI_TWO_PI, !fixed);
    }
    if (!isnan(*values[which]) && *values[which] != value)
        return oi_fail(r->import->log, OPTINC_ERR_FORMAT,
                       "%s: instances: %.60s: loss_db is %g, expected %g as before",
                       r->import->name, item->name, value, *values[which]);
    *values[which] = value;
    return oi_import_range(r->import, "instances", item->name, key, value, 0, 30, false);
}

static optinc_status read_instance(reader *r, const yaml_node_pair_t *pair, instance *item)
{
    static const char *const models[] = {"optinc_mzi", "optinc_splitter", "optinc_shifter"};
    const yaml_node_t *body = mapping_at(r, pair->value), *settings = NULL;
    const char *component = NULL;
    optinc_status status = OPTINC_OK;
    int which = 0;

    item->name = text_of(r, pair->key);
    if (!item->name || strlen(item->name) >= NAME_SIZE || strchr(item->name, ','))
        return reject(r, "instances", item->name ? item->name : "", "expected a name");
    for (size_t i = 0; body && i < pair_count(body); i++) {
        const char *key = text_of(r, pair_at(body, i)->key);

        if (key && !strcmp(key, "component"))
            component = text_of(r, pair_at(body, i)->value);
        else if (key && !strcmp(key, "settings"))
            settings = mapping_at(r, pair_at(body, i)->value);
    }
    while (component && which < 3 && strcmp(models[which], component) != 0)
        which++;
    if (!component || which == 3)
        return oi_fail(r->import->log, OPTINC_ERR_FORMAT,
                       "%s: instances: %.60s: component '%.32s', expected optinc_mzi, "
                       "optinc_splitter or optinc_shifter",
                       r->import->name, item->name, component ? component : "");
    item->model = (model)which;
    item->element.splitter = item->model == MODEL_SPLITTER;
    for (size_t i = 0; settings && i < pair_count(settings) && !status; i++) {
        const char *key = text_of(r, pair_at(settings, i)->key);
        const char *value = text_of(r, pair_at(settings, i)->value);

        if (!key || !value)
            return reject(r, "instances", item->name, "settings: expected names and numbers");
        status = read_setting(r, item, key, value);
    }
    return status;
}

static int compare_names(const void *a, const void *b, void *context)
{
    const instance *instances = context;

    return strcmp(instances[*(const uint32_t *)a].name, instances[*(const uint32_t *)b].name);
}

static optinc_status read_instances(reader *r)
{
    const yaml_node_t *part;
    optinc_status status = find_part(r, "instances", &part);

    if (status)
        return status;
    if (!part || pair_count(part) < 1 || pair_count(part) > INSTANCES_MAX)
        return reject(r, "instances", "netlist", "expected at least one");
    r->instances = oi_allocate(pair_count(part), sizeof *r->instances);
    r->by_name = oi_allocate(pair_count(part), sizeof *r->by_name);
    if (!r->instances || !r->by_name)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < pair_count(part) && !status; i++) {
        status = read_instance(r, pair_at(part, i), &r->instances[i]);
        r->by_name[i] = (uint32_t)i;
        r->count++;
    }
    if (status)
        return status;
    qsort_r(r->by_name, r->count, sizeof *r->by_name, compare_names, r->instances);
    for (uint32_t i = 1; i < r->count; i++)
        if (!compare_names(&r->by_name[i - 1], &r->by_name[i], r->instances))
            return reject(r, "instances", r->instances[r->by_name[i]].name, "doubled");
    return OPTINC_OK;
}

static instance *find_instance(const reader *r, const char *name, size_t length)
{
    uint32_t low = 0, high = r->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        instance *item = &r->instances[r->by_name[middle]];
        int order = strncmp(item->name, name, length);

        if (order == 0)
            order = item->name[length] != '\0';
        if (order == 0)
            return item;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* "NAME,in0" or "NAME,out1"; `side` in or out. NULL: no such instance or port. */
static instance *find_port(const reader *r, const char *text, const char *side, uint32_t *port)
{
    const char *comma = text ? strchr(text, ',') : NULL;
    instance *item = comma ? find_instance(r, text, (size_t)(comma - text)) : NULL;
    size_t length = strlen(side);

    if (!item || strncmp(comma + 1, side, length) != 0 ||
        (comma[1 + length] != '0' && comma[1 + length] != '1') || comma[2 + length])
        return NULL;
    *port = (uint32_t)(comma[1 + length] - '0');
    return item->model == MODEL_SHIFTER && *port ? NULL : item;
}

static optinc_status drive_port(const reader *r, const char *where, const char *text,
                                const source *from)
{
    uint32_t port = 0;
    instance *to = find_port(r, text, "in", &port);

    if (!to)
        return reject(r, where, text ? text : "", "expected INSTANCE,in0 or in1");
    if (to->from[port].kind != DRIVE_DARK)
        return reject(r, where, text, "connected twice");
    to->from[port] = *from;
    return OPTINC_OK;
}

static optinc_status take_output(const reader *r, const char *where, const char *text, source *from)
{
    uint32_t port = 0;
    instance *item = find_port(r, text, "out", &port);

    if (!item)
        return reject(r, where, text ? text : "", "expected INSTANCE,out0 or out1");
    if (item->taken[port])
        return reject(r, where, text, "connected twice");
    item->taken[port] = true;
    *from = (source){DRIVE_INSTANCE, (uint32_t)(item - r->instances), port};
    return OPTINC_OK;
}

static optinc_status read_connections(reader *r)
{
    const yaml_node_t *part;
    optinc_status status = find_part(r, "connections", &part);

    for (size_t i = 0; part && i < pair_count(part) && !status; i++) {
        source from;

        status = take_output(r, "connections", text_of(r, pair_at(part, i)->key), &from);
        if (!status)
            status = drive_port(r, "connections", text_of(r, pair_at(part, i)->value), &from);
    }
    return status;
}

/* The number behind "in" or "out"; false if it is none. */
static bool port_number(const char *text, const char *side, uint32_t *number)
{
    size_t length = strlen(side);
    char *end;
    unsigned long value;

    if (!text || strncmp(text, side, length) != 0 || text[length] < '0' || text[length] > '9')
        return false;
    value = strtoul(text + length, &end, 10);
    *number = (uint32_t)value;
    return !*end && value < OPTINC_MESH_SIDE_MAX;
}

static optinc_status read_ports(reader *r)
{
    const yaml_node_t *part;
    optinc_status status = find_part(r, "ports", &part);

    for (size_t i = 0; part && !status && i < pair_count(part); i++) {
        const char *name = text_of(r, pair_at(part, i)->key);
        const char *to = text_of(r, pair_at(part, i)->value);
        uint32_t number;

        if (port_number(name, "in", &number)) {
            const source from = {DRIVE_INPUT, number, 0};

            if (r->input_seen[number])
                return reject(r, "ports", name, "doubled");
            r->input_seen[number] = true;
            r->cols = number + 1 > r->cols ? number + 1 : r->cols;
            status = drive_port(r, "ports", to, &from);
        } else if (port_number(name, "out", &number)) {
            if (r->outputs[number].kind != DRIVE_DARK)
                return reject(r, "ports", name, "doubled");
            r->rows = number + 1 > r->rows ? number + 1 : r->rows;
            status = take_output(r, "ports", to, &r->outputs[number]);
        } else {
            return reject(r, "ports", name ? name : "", "expected in0 .. or out0 ..");
        }
    }
    if (status)
        return status;
    if (r->cols == 0 || r->rows == 0)
        return reject(r, "ports", "netlist", "expected inputs and outputs");
    for (uint32_t i = 0; i < r->count; i++)
        if (r->instances[i].model == MODEL_SHIFTER && !r->instances[i].taken[0])
            return reject(r, "ports", r->instances[i].name,
                          "a shifter that no output names; is the file cut short?");
    for (uint32_t i = 0; i < r->rows; i++)
        if (r->outputs[i].kind == DRIVE_DARK) {
            char name[NAME_SIZE];

            snprintf(name, sizeof name, "out%u", i);
            return reject(r, "ports", name, "missing; is the file cut short?");
        }
    return OPTINC_OK;
}

/* Modes of an instance whose drivers have theirs; elements go into the circuit. */
static optinc_status place_instance(const reader *r, optinc_circuit *circuit, uint32_t *modes,
                                    instance *item)
{
    for (int p = 0; p < (item->model == MODEL_SHIFTER ? 1 : 2); p++) {
        const source *from = &item->from[p];

        if (from->kind == DRIVE_INPUT)
            item->mode[p] = from->index;
        else if (from->kind == DRIVE_INSTANCE)
            item->mode[p] = r->instances[from->index].mode[from->port];
        else
            item->mode[p] = (*modes)++;
    }
    item->state = 2;
    if (item->model == MODEL_SHIFTER)
        return OPTINC_OK;
    item->element.mode_a = item->mode[0];
    item->element.mode_b = item->mode[1];
    return oi_circuit_add(circuit, &item->element);
}

/* Instances in the order of the file, those that drive them first. stack [count]. */
static optinc_status place_all(const reader *r, optinc_circuit *circuit, uint32_t *modes,
                               uint32_t *stack)
{
    optinc_status status = OPTINC_OK;

    for (uint32_t i = 0; i < r->count && !status; i++) {
        uint32_t depth = 0;

        if (r->instances[i].state == 2)
            continue;
        stack[depth++] = i;
        while (depth > 0 && !status) {
            instance *item = &r->instances[stack[depth - 1]];
            bool waits = false;

            item->state = 1;
            for (int p = 0; p < 2 && !waits; p++) {
                instance *before = &r->instances[item->from[p].index];

                if (item->from[p].kind != DRIVE_INSTANCE || before->state == 2)
                    continue;
                if (before->state == 1)
                    return reject(r, "connections", before->name, "light runs in a loop");
                stack[depth++] = item->from[p].index;
                waits = true;
            }
            if (!waits) {
                status = place_instance(r, circuit, modes, item);
                depth--;
            }
        }
    }
    return status;
}

static optinc_status build(reader *r, optinc_circuit **circuit)
{
    uint32_t *stack = oi_allocate(r->count, sizeof *stack), modes = r->cols;
    optinc_status status = stack ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    for (uint32_t i = 0; i < r->count && !status; i++)
        for (int p = 0; p < 2; p++)
            if (r->instances[i].from[p].kind == DRIVE_INSTANCE &&
                r->instances[r->instances[i].from[p].index].model == MODEL_SHIFTER)
                status = reject(r, "connections", r->instances[i].name,
                                "behind a shifter, which belongs to an output");
    if (!status)
        status = oi_circuit_allocate(r->rows, r->cols, 1, circuit);
    if (!status)
        status = place_all(r, *circuit, &modes, stack);
    for (uint32_t i = 0; i < r->rows && !status; i++) {
        const instance *last = &r->instances[r->outputs[i].index];

        (*circuit)->output_mode[i] = last->mode[r->outputs[i].port];
        if (last->model == MODEL_SHIFTER)
            (*circuit)->output_rad[i] = last->phase_rad;
    }
    oi_free(stack);
    if (status)
        return status;
    (*circuit)->mode_count = modes;
    return oi_circuit_finish(*circuit);
}

static optinc_status read_document(reader *r, optinc_circuit **circuit)
{
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    r->input_seen = oi_allocate(OPTINC_MESH_SIDE_MAX, sizeof *r->input_seen);
    r->outputs = oi_allocate(OPTINC_MESH_SIDE_MAX, sizeof *r->outputs);
    if (r->input_seen && r->outputs)
        status = read_instances(r);
    if (!status)
        status = read_connections(r);
    if (!status)
        status = read_ports(r);
    if (!status)
        status = build(r, circuit);
    oi_free(r->instances);
    oi_free(r->by_name);
    oi_free(r->input_seen);
    oi_free(r->outputs);
    return status;
}

optinc_status oi_import_sax(oi_import *import, const uint8_t *bytes, size_t size,
                            optinc_circuit **circuit)
{
    reader r = {.import = import};
    yaml_parser_t parser;
    optinc_status status;

    if (!yaml_parser_initialize(&parser))
        return OPTINC_ERR_OUT_OF_MEMORY;
    yaml_parser_set_input_string(&parser, bytes, size);
    if (!yaml_parser_load(&parser, &r.document)) {
        status =
            parser.error == YAML_MEMORY_ERROR
                ? OPTINC_ERR_OUT_OF_MEMORY
                : oi_fail(import->log, OPTINC_ERR_FORMAT, "%s:%zu: not YAML: %.80s", import->name,
                          parser.problem_mark.line + 1, parser.problem ? parser.problem : "");
    } else {
        status = read_document(&r, circuit);
        yaml_document_delete(&r.document);
    }
    yaml_parser_delete(&parser);
    return status;
}
