/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* stat */
#include "optics/export.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/number_text.h"
#include "optics/photonic.h"

#define PORT_NAME 40

optinc_status optinc_unit_circuits(const optinc_unit *unit, const optinc_photonic_options *options,
                                   const optinc_log *log, optinc_circuit **circuits)
{
    oi_photonic *photonic = NULL;
    optinc_status status;

    if (!unit || !circuits)
        return OPTINC_ERR_INVALID_ARGUMENT;
    for (uint32_t l = 0; l < unit->layer_count; l++)
        circuits[l] = NULL;
    status = oi_photonic_create(unit, options, log, &photonic);
    for (uint32_t l = 0; l < unit->layer_count && !status; l++) {
        circuits[l] = photonic->layers[l].circuit; /* taken */
        photonic->layers[l].circuit = NULL;
    }
    oi_photonic_destroy(&photonic);
    return status;
}

/* Adds an item, which it takes, to a list that is NULL from the first failure on. */
static void json_add(json_t **list, json_t *item)
{
    if (!*list) {
        json_decref(item);
    } else if (json_array_append_new(*list, item)) {
        json_decref(*list);
        *list = NULL;
    }
}

static json_t *json_modes(const uint32_t *modes, uint32_t count)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_add(&list, json_integer(modes[i]));
    return list;
}

static json_t *json_numbers(const double *numbers, uint32_t count)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_add(&list, json_real(numbers[i]));
    return list;
}

static json_t *json_shape(const optinc_element *e)
{
    if (e->splitter)
        return json_pack("{s:s, s:i, s:i, s:i, s:f}", "kind", "splitter", "mode_a", (int)e->mode_a,
                         "mode_b", (int)e->mode_b, "column", (int)e->column, "angle_rad",
                         e->angle_rad);
    return json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:f}", "kind", "mzi", "mode_a", (int)e->mode_a,
                     "mode_b", (int)e->mode_b, "column", (int)e->column, "in_rad", e->in_rad,
                     "arm_a_rad", e->arm_a_rad, "arm_b_rad", e->arm_b_rad);
}

/* Dummies are there where the circuit is balanced: their loss in dB before a and b. */
static json_t *json_element(const optinc_circuit *circuit, const optinc_device *device, size_t k)
{
    json_t *element = json_shape(&circuit->elements[k]);

    if (element && circuit->dummies &&
        (json_object_set_new(element, "dummy_loss_a_db",
                             json_real(oi_dummies_loss_db(&circuit->dummies[2 * k], device))) ||
         json_object_set_new(
             element, "dummy_loss_b_db",
             json_real(oi_dummies_loss_db(&circuit->dummies[2 * k + 1], device))))) {
        json_decref(element);
        element = NULL;
    }
    return element;
}

static json_t *json_output_dummies(const optinc_circuit *circuit, const optinc_device *device)
{
    const oi_dummies *dummies = &circuit->dummies[2 * circuit->element_count];
    json_t *list = json_array();

    for (uint32_t r = 0; r < circuit->rows; r++)
        json_add(&list, json_real(oi_dummies_loss_db(&dummies[r], device)));
    return list;
}

optinc_status oi_export_json(const optinc_circuit *circuit, const optinc_device *device, FILE *file)
{
    json_t *elements = json_array(), *top;
    int failed = 0;

    for (size_t k = 0; k < circuit->element_count; k++)
        json_add(&elements, json_element(circuit, device, k));
    top = json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "format",
                    "optinc-circuit", "rows", (int)circuit->rows, "cols", (int)circuit->cols,
                    "modes", (int)circuit->mode_count, "mzi_loss_db", device->mzi_loss_db,
                    "splitter_loss_db", device->splitter_loss_db, "input_mode",
                    json_modes(circuit->input_mode, circuit->cols), "output_mode",
                    json_modes(circuit->output_mode, circuit->rows), "output_rad",
                    json_numbers(circuit->output_rad, circuit->rows), "gain",
                    json_numbers(circuit->gain, circuit->rows), "elements", elements);
    if (top && circuit->dummies)
        failed =
            json_object_set_new(top, "output_dummy_loss_db", json_output_dummies(circuit, device));
    if (!top || failed) {
        json_decref(top);
        return OPTINC_ERR_OUT_OF_MEMORY;
    }
    failed = json_dumpf(top, file, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    fputc('\n', file);
    json_decref(top);
    if (failed)
        return ferror(file) ? OPTINC_ERR_IO : OPTINC_ERR_OUT_OF_MEMORY;
    return OPTINC_OK;
}

/* Who drives a mode: an element (its number, upper or lower output), an input of the circuit, or
 * nobody. */
typedef struct driver {
    enum { DARK, INPUT, ELEMENT } kind;
    size_t index;
    int port;
} driver;

/* Where light goes next: an input of an element (to 'e', port 0 or 1) or of an output's shifter
 * (to 'o', port 0). */
typedef struct target {
    char to;
    size_t index;
    int port;
} target;

/* Those in front of a target; NULL: none. */
static const oi_dummies *dummies_before(const optinc_circuit *circuit, const target *at)
{
    const oi_dummies *found;

    if (!circuit->dummies)
        return NULL;
    found = at->to == 'e' ? &circuit->dummies[2 * at->index + (size_t)at->port]
                          : &circuit->dummies[2 * circuit->element_count + at->index];
    return found->mzis || found->splitters ? found : NULL;
}

static void write_dummy(const optinc_circuit *circuit, const optinc_device *device, target at,
                        FILE *file)
{
    const oi_dummies *dummies = dummies_before(circuit, &at);

    if (dummies)
        fprintf(file, "  d%c%zu_%d: {component: optinc_dummy, settings: {loss_db: %.17e}}\n", at.to,
                at.index, at.port, oi_dummies_loss_db(dummies, device));
}

/* Light of `from` to a target, through its dummies: a connection, or, from an input of the circuit,
 * that input's port. */
static void connect(const optinc_circuit *circuit, const driver *from, target at,
                    char (*ports)[PORT_NAME], FILE *file)
{
    char name[PORT_NAME];

    snprintf(name, sizeof name, "%c%zu,in%d", at.to, at.index, at.port);
    if (dummies_before(circuit, &at)) {
        fprintf(file, "  d%c%zu_%d,out0: %s\n", at.to, at.index, at.port, name);
        snprintf(name, sizeof name, "d%c%zu_%d,in0", at.to, at.index, at.port);
    }
    if (from->kind == ELEMENT)
        fprintf(file, "  e%zu,out%d: %s\n", from->index, from->port, name);
    else if (from->kind == INPUT)
        memcpy(ports[from->index], name, PORT_NAME);
}

static void write_instances(const optinc_circuit *circuit, const optinc_device *device, FILE *file)
{
    fputs("instances:\n", file);
    for (size_t k = 0; k < circuit->element_count; k++) {
        const optinc_element *e = &circuit->elements[k];

        if (e->splitter)
            fprintf(file,
                    "  e%zu: {component: optinc_splitter, settings: {angle_rad: %.17e, "
                    "loss_db: %.17e}}\n",
                    k, e->angle_rad, device->splitter_loss_db);
        else
            fprintf(file,
                    "  e%zu: {component: optinc_mzi, settings: {in_rad: %.17e, arm_a_rad: %.17e, "
                    "arm_b_rad: %.17e, loss_db: %.17e}}\n",
                    k, e->in_rad, e->arm_a_rad, e->arm_b_rad, device->mzi_loss_db);
        write_dummy(circuit, device, (target){'e', k, 0}, file);
        write_dummy(circuit, device, (target){'e', k, 1}, file);
    }
    for (uint32_t r = 0; r < circuit->rows; r++) {
        write_dummy(circuit, device, (target){'o', r, 0}, file);
        fprintf(file, "  o%u: {component: optinc_shifter, settings: {phase_rad: %.17e}}\n", r,
                circuit->output_rad[r]);
    }
}

optinc_status oi_export_sax(const optinc_circuit *circuit, const optinc_device *device, FILE *file)
{
    driver *drivers = oi_allocate(circuit->mode_count, sizeof *drivers);
    char(*ports)[PORT_NAME] = oi_allocate(circuit->cols, sizeof *ports);

    if (!drivers || !ports) {
        oi_free(drivers);
        oi_free(ports);
        return OPTINC_ERR_OUT_OF_MEMORY;
    }
    for (uint32_t j = 0; j < circuit->cols; j++)
        drivers[circuit->input_mode[j]] = (driver){INPUT, j, 0};
    write_instances(circuit, device, file);
    fputs("connections:\n", file);
    for (size_t k = 0; k < circuit->element_count; k++) {
        const optinc_element *e = &circuit->elements[k];
        driver *both[2] = {&drivers[e->mode_a], &drivers[e->mode_b]};

        for (int p = 0; p < 2; p++) {
            connect(circuit, both[p], (target){'e', k, p}, ports, file);
            *both[p] = (driver){ELEMENT, k, p};
        }
    }
    for (uint32_t r = 0; r < circuit->rows; r++) {
        connect(circuit, &drivers[circuit->output_mode[r]], (target){'o', r, 0}, ports, file);
    }
    fputs("ports:\n", file);
    for (uint32_t j = 0; j < circuit->cols; j++)
        if (ports[j][0])
            fprintf(file, "  in%u: %s\n", j, ports[j]);
    for (uint32_t r = 0; r < circuit->rows; r++)
        fprintf(file, "  out%u: o%u,out0\n", r, r);
    oi_free(drivers);
    oi_free(ports);
    return OPTINC_OK;
}

/* Touchstone 1.1: a row of S a line, at most four pairs on a line; inputs are ports 1 .. cols. */
optinc_status oi_export_touchstone(const optinc_circuit *circuit, const optinc_device *device,
                                   FILE *file)
{
    uint32_t cols = circuit->cols, ports = cols + circuit->rows;
    double *matrix = oi_allocate((size_t)circuit->rows * cols, 2 * sizeof *matrix);
    optinc_device lossy = optinc_device_ideal();
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    lossy.mzi_loss_db = device->mzi_loss_db;
    lossy.splitter_loss_db = device->splitter_loss_db;
    lossy.crossing_loss_db = device->crossing_loss_db;
    if (matrix)
        status = optinc_circuit_compile(circuit, &lossy, NULL, matrix);
    if (!status)
        fprintf(file,
                "! inputs: ports 1 .. %u; outputs: ports %u .. %u\n# HZ S RI R 50\n1.93414e14",
                cols, cols + 1, ports);
    for (uint32_t i = 0; i < ports && !status; i++)
        for (uint32_t j = 0; j < ports; j++) {
            /* S[out, in] and its mirror; a two-port is written column by column */
            uint32_t a = ports == 2 ? j : i, b = ports == 2 ? i : j;
            uint32_t out = a > b ? a : b, in = a > b ? b : a;
            bool through = out >= cols && in < cols;
            size_t at = through ? 2 * ((size_t)(out - cols) * cols + in) : 0;

            if (ports > 2 && j % 4 == 0 && (i || j))
                fputc('\n', file);
            fprintf(file, " %.17e %.17e", through ? matrix[at] : 0.0,
                    through ? matrix[at + 1] : 0.0);
        }
    fputc('\n', file);
    oi_free(matrix);
    return status;
}

optinc_status oi_replace_file(const char *path,
                              optinc_status (*write)(const void *user, FILE *file),
                              const void *user, const optinc_log *log)
{
    size_t length = strlen(path);
    struct stat about;
    optinc_status status;
    bool broken;
    char *part;
    FILE *file;

    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) /* root could replace a device */
        return oi_fail(log, OPTINC_ERR_IO, "%s: cannot be written, expected a regular file", path);
    part = oi_allocate(length + 6, 1);
    if (!part)
        return OPTINC_ERR_OUT_OF_MEMORY;
    memcpy(part, path, length);
    memcpy(part + length, ".part", 6);
    file = fopen(part, "wb");
    if (!file) {
        status = oi_fail_errno(log, part, "cannot be created");
    } else {
        status = write(user, file);
        broken = ferror(file) != 0;
        broken |= fclose(file) != 0;
        if (!status && (broken || rename(part, path)))
            status = oi_fail(log, OPTINC_ERR_IO, "%s: cannot be written", path);
        if (status)
            remove(part);
    }
    oi_free(part);
    return status;
}

typedef struct circuit_file {
    const optinc_circuit *circuit;
    const optinc_device *device;
    optinc_export_format format;
} circuit_file;

static optinc_status write_circuit(const void *user, FILE *file)
{
    typedef optinc_status (*writer)(const optinc_circuit *, const optinc_device *, FILE *);
    static const writer writers[] = {oi_export_json, oi_export_sax, oi_export_touchstone,
                                     oi_export_svg};
    const circuit_file *it = user;

    return writers[it->format](it->circuit, it->device, file);
}

optinc_status optinc_circuit_export(const optinc_circuit *circuit, const optinc_device *device,
                                    optinc_export_format format, const char *path,
                                    const optinc_log *log)
{
    const optinc_device ideal = optinc_device_ideal();
    circuit_file it = {circuit, device ? device : &ideal, format};
    optinc_status status;
    locale_t saved;

    if (!circuit || !path || (unsigned)format > OPTINC_EXPORT_SVG)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (device && optinc_device_check(device, log))
        return OPTINC_ERR_INVALID_ARGUMENT;
    saved = oi_number_text_enter();
    status = oi_replace_file(path, write_circuit, &it, log);
    oi_number_text_leave(saved);
    return status;
}
