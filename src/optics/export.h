/* SPDX-License-Identifier: Apache-2.0 */
/* A writer a format; each gets an open file and says OPTINC_OK unless memory is out. What the file
 * itself reports is seen when it is closed. */
#ifndef OI_OPTICS_EXPORT_H
#define OI_OPTICS_EXPORT_H

#include <stdio.h>

#include "optics/circuit.h"

optinc_status oi_export_json(const optinc_circuit *circuit, const optinc_device *device,
                             FILE *file);
optinc_status oi_export_sax(const optinc_circuit *circuit, const optinc_device *device, FILE *file);
optinc_status oi_export_touchstone(const optinc_circuit *circuit, const optinc_device *device,
                                   FILE *file);
optinc_status oi_export_svg(const optinc_circuit *circuit, const optinc_device *device, FILE *file);

/* `write` fills a new file beside `path`, which is then renamed over it. */
optinc_status oi_replace_file(const char *path,
                              optinc_status (*write)(const void *user, FILE *file),
                              const void *user, const optinc_log *log);

#endif
