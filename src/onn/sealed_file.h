/* SPDX-License-Identifier: Apache-2.0 */
/* Files that end in the CRC-64/XZ of all before it, little-endian: what checkpoints are made of. A
 * new file is written beside the old one and renamed over it, so a failure leaves what was there. */
#ifndef OI_ONN_SEALED_FILE_H
#define OI_ONN_SEALED_FILE_H

#include <stdio.h>

#include "optinc/base.h"

/* good turns false at the first failure, and stays so: what is read from then on is zeros. */
typedef struct oi_sealed_file {
    FILE *stream;
    uint64_t crc;
    bool good;
} oi_sealed_file;

void oi_sealed_put(oi_sealed_file *file, const void *data, size_t size);
void oi_sealed_put_number(oi_sealed_file *file, uint64_t number);
void oi_sealed_put_real(oi_sealed_file *file, double number);

/* Writes `path` anew: what `write` puts, then the seal. OPTINC_ERR_IO. */
optinc_status oi_sealed_save(const char *path,
                             void (*write)(oi_sealed_file *file, const void *user),
                             const void *user, const optinc_log *log) OPTINC_WARN_UNUSED;

/* Opens a regular file; OPTINC_ERR_IO for anything else. What was opened is to be closed. */
optinc_status oi_sealed_open(const char *path, const optinc_log *log,
                             oi_sealed_file *file) OPTINC_WARN_UNUSED;
void oi_sealed_close(oi_sealed_file *file);

void oi_sealed_get(oi_sealed_file *file, void *data, size_t size);
uint64_t oi_sealed_get_number(oi_sealed_file *file);
double oi_sealed_get_real(oi_sealed_file *file);

/* Reads the seal, which has to be right and the end of the file. OPTINC_ERR_FORMAT, _CHECKSUM. */
optinc_status oi_sealed_check(oi_sealed_file *file, const char *path,
                              const optinc_log *log) OPTINC_WARN_UNUSED;

#endif
