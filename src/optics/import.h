/* SPDX-License-Identifier: Apache-2.0 */
/* A reader a format; what is wrong goes to the log with the netlist's name and the place. */
#ifndef OI_OPTICS_IMPORT_H
#define OI_OPTICS_IMPORT_H

#include "optics/circuit.h"

typedef struct oi_import {
    const char *name; /* of the file */
    const optinc_log *log;
    optinc_netlist_losses losses; /* NaN: not told yet */
} oi_import;

/* Angles are in [low, high), everything else in [low, high]; else OPTINC_ERR_FORMAT. `where` and
 * `index` name the element: "elements", 3. */
optinc_status oi_import_range(const oi_import *import, const char *where, const char *item,
                              const char *key, double value, double low, double high, bool angle);

/* Elements are in the order of light; circuit is finished, or NULL on an error. */
optinc_status oi_import_json(oi_import *import, const uint8_t *bytes, size_t size,
                             optinc_circuit **circuit);
optinc_status oi_import_sax(oi_import *import, const uint8_t *bytes, size_t size,
                            optinc_circuit **circuit);

#endif
