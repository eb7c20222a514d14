/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L

#include "onn/sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "sealed files are written as in memory");

#define EMPTY_CRC (~(uint64_t)0)

/* CRC-64/XZ; bit by bit will do for a few megabytes. */
static uint64_t crc64(uint64_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) ? 0xC96C5795D7870F42u : 0);
    }
    return crc;
}

void oi_sealed_put(oi_sealed_file *file, const void *data, size_t size)
{
    file->crc = crc64(file->crc, data, size);
    file->good = file->good && fwrite(data, 1, size, file->stream) == size;
}

void oi_sealed_put_number(oi_sealed_file *file, uint64_t number)
{
    oi_sealed_put(file, &number, sizeof number);
}

void oi_sealed_put_real(oi_sealed_file *file, double number)
{
    oi_sealed_put(file, &number, sizeof number);
}

/* `path`, which the file will get, is what the caller knows it by. */
static optinc_status write_new(const char *name, const char *path,
                               void (*write)(oi_sealed_file *, const void *), const void *user,
                               const optinc_log *log)
{
    oi_sealed_file file = {.stream = fopen(name, "wb"), .crc = EMPTY_CRC, .good = true};
    uint64_t seal;

    if (!file.stream)
        return oi_fail_errno(log, path, "checkpoint cannot be created");
    write(&file, user);
    seal = ~file.crc;
    oi_sealed_put_number(&file, seal);
    file.good = fflush(file.stream) == 0 && fsync(fileno(file.stream)) == 0 && file.good;
    file.good = fclose(file.stream) == 0 && file.good;
    if (file.good)
        return OPTINC_OK;
    remove(name);
    return oi_fail(log, OPTINC_ERR_IO, "checkpoint %s: cannot be written", path);
}

optinc_status oi_sealed_save(const char *path,
                             void (*write)(oi_sealed_file *file, const void *user),
                             const void *user, const optinc_log *log)
{
    size_t size = strlen(path) + 32;
    struct stat about;
    optinc_status status;
    char *name;

    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) /* root could replace a device */
        return oi_fail(log, OPTINC_ERR_IO,
                       "checkpoint %s: cannot be written, expected a regular file", path);
    name = oi_allocate(size, 1);
    if (!name)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "checkpoint %s: no memory", path);
    snprintf(name, size, "%s.%ld.new", path, (long)getpid());
    status = write_new(name, path, write, user, log);
    if (!status && rename(name, path) != 0) {
        remove(name);
        status = oi_fail(log, OPTINC_ERR_IO, "checkpoint %s: cannot be replaced", path);
    }
    oi_free(name);
    return status;
}

optinc_status oi_sealed_open(const char *path, const optinc_log *log, oi_sealed_file *file)
{
    int number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* does not wait at a pipe */
    struct stat about;

    *file = (oi_sealed_file){.crc = EMPTY_CRC, .good = true};
    if (number < 0)
        return oi_fail_errno(log, path, "checkpoint cannot be opened");
    if (fstat(number, &about) == 0 && S_ISREG(about.st_mode))
        file->stream = fdopen(number, "rb");
    if (file->stream)
        return OPTINC_OK;
    close(number);
    return oi_fail(log, OPTINC_ERR_IO, "checkpoint %s: cannot be read, expected a regular file",
                   path);
}

void oi_sealed_close(oi_sealed_file *file)
{
    if (file->stream)
        fclose(file->stream);
    file->stream = NULL;
}

void oi_sealed_get(oi_sealed_file *file, void *data, size_t size)
{
    file->good = file->good && fread(data, 1, size, file->stream) == size;
    if (file->good)
        file->crc = crc64(file->crc, data, size);
    else
        memset(data, 0, size);
}

uint64_t oi_sealed_get_number(oi_sealed_file *file)
{
    uint64_t number;

    oi_sealed_get(file, &number, sizeof number);
    return number;
}

double oi_sealed_get_real(oi_sealed_file *file)
{
    double number;

    oi_sealed_get(file, &number, sizeof number);
    return number;
}

optinc_status oi_sealed_check(oi_sealed_file *file, const char *path, const optinc_log *log)
{
    uint64_t crc = ~file->crc;
    uint64_t seal = oi_sealed_get_number(file);

    if (!file->good || fgetc(file->stream) != EOF)
        return oi_fail(log, OPTINC_ERR_FORMAT, "%s: cut short or too long", path);
    if (seal != crc)
        return oi_fail(log, OPTINC_ERR_CHECKSUM, "%s: the checksum does not match", path);
    return OPTINC_OK;
}
