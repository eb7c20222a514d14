/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are read as a netlist or refused; what is read is in range, survives being written
 * as JSON and read again, and has a finite matrix. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optics/export.h"

/* assert would vanish in a build with NDEBUG */
static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same_element(const optinc_element *a, const optinc_element *b)
{
    return a->splitter == b->splitter && a->mode_a == b->mode_a && a->mode_b == b->mode_b &&
           a->column == b->column && a->in_rad == b->in_rad && a->arm_a_rad == b->arm_a_rad &&
           a->arm_b_rad == b->arm_b_rad && a->angle_rad == b->angle_rad;
}

static void check_again(const optinc_circuit *circuit, const optinc_netlist_losses *losses)
{
    optinc_device device = optinc_device_ideal();
    optinc_circuit *again = NULL;
    char *bytes = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&bytes, &size);

    device.mzi_loss_db = losses->mzi_loss_db;
    device.splitter_loss_db = losses->splitter_loss_db;
    require(stream && oi_export_json(circuit, &device, stream) == OPTINC_OK && fclose(stream) == 0);
    require(optinc_circuit_parse((const uint8_t *)bytes, size, "again", NULL, NULL, &again) ==
            OPTINC_OK);
    require(again->rows == circuit->rows && again->cols == circuit->cols &&
            again->mode_count == circuit->mode_count &&
            again->element_count == circuit->element_count);
    for (size_t i = 0; i < circuit->element_count; i++)
        require(same_element(&circuit->elements[i], &again->elements[i]));
    optinc_circuit_destroy(&again);
    free(bytes);
}

static void check_matrix(const optinc_circuit *circuit)
{
    const optinc_device ideal = optinc_device_ideal();
    size_t count = 2 * (size_t)circuit->rows * circuit->cols;
    double *matrix = malloc(count * sizeof *matrix);

    require(matrix && optinc_circuit_compile(circuit, &ideal, NULL, matrix) == OPTINC_OK);
    for (size_t i = 0; i < count; i++)
        require(fabs(matrix[i]) <= 1 + 1e-9);
    free(matrix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    optinc_netlist_losses losses = {NAN, NAN};
    optinc_circuit *circuit = NULL;

    if (optinc_circuit_parse(data, size, "fuzz", NULL, &losses, &circuit)) {
        require(circuit == NULL);
        return 0;
    }
    require(losses.mzi_loss_db >= 0 && losses.splitter_loss_db >= 0);
    check_again(circuit, &losses);
    if ((size_t)circuit->mode_count * circuit->cols < 1 << 16)
        check_matrix(circuit);
    optinc_circuit_destroy(&circuit);
    return 0;
}
