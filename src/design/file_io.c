/* SPDX-License-Identifier: Apache-2.0 */
/* Design files on disk: load, and save that leaves either the old file or the whole new one. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "base/log.h"
#include "base/memory.h"
#include "design/file_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_NAMES_MAX 1000
#define PERMISSIONS 0666 /* less the umask */

static optinc_status read_all(int file, uint8_t *bytes, size_t size, const char *path,
                              const optinc_log *log)
{
    size_t done = 0;

    while (done < size) {
        ssize_t part = read(file, bytes + done, size - done);

        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return oi_fail_errno(log, path, "cannot be read");
        if (part == 0)
            return oi_fail(log, OPTINC_ERR_IO, "%s: found %zu bytes, expected %zu", path, done,
                           size);
        done += (size_t)part;
    }
    return OPTINC_OK;
}

optinc_status optinc_design_load(const char *path, const optinc_log *log, optinc_design **design)
{
    struct stat about;
    uint8_t *bytes = NULL;
    optinc_status status;
    int file;

    if (design)
        *design = NULL;
    if (!path || !design)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design: a pointer is NULL");
    file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* does not wait at a pipe */
    if (file < 0)
        return oi_fail_errno(log, path, "cannot be opened");
    if (fstat(file, &about)) {
        status = oi_fail_errno(log, path, "cannot be read");
        goto close_file;
    }
    if (!S_ISREG(about.st_mode)) {
        status = oi_fail(log, OPTINC_ERR_IO, "%s: expected a regular file", path);
        goto close_file;
    }
    bytes = malloc((size_t)about.st_size + 1);
    if (!bytes) {
        status = oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "%s: no memory for %lld bytes", path,
                         (long long)about.st_size);
        goto close_file;
    }
    status = read_all(file, bytes, (size_t)about.st_size, path, log);
    if (!status)
        status = optinc_design_parse(bytes, (size_t)about.st_size, path, log, design);
    free(bytes);
close_file:
    close(file);
    return status;
}

/* What oi_file_write writes to. */
typedef struct output {
    FILE *stream;
    const char *path;
    const optinc_log *log;
} output;

static optinc_status put(void *user, const void *data, size_t size)
{
    const output *out = user;

    if (fwrite(data, 1, size, out->stream) != size)
        return oi_fail_errno(out->log, out->path, "cannot be written");
    return OPTINC_OK;
}

/* The file to be replaced: path, or what it links to. NULL if it cannot be replaced: it is a
 * directory or a device, whose place a rename would take. *mode keeps its permissions. */
static char *resolve(const char *path, mode_t *mode, const optinc_log *log)
{
    struct stat about;
    char *target;

    *mode = 0;
    if (stat(path, &about)) {
        /* not there yet, or a link to nothing, which the rename replaces */
        target = strdup(path);
        if (!target)
            oi_fail_errno(log, path, "cannot resolve");
        return target;
    }
    if (!S_ISREG(about.st_mode)) {
        oi_log(log, OPTINC_LOG_ERROR, "%s: expected a regular file or none", path);
        return NULL;
    }
    *mode = about.st_mode & 0777;
    target = realpath(path, NULL);
    if (!target)
        oi_fail_errno(log, path, "cannot resolve");
    return target;
}

/* A new file beside target; its name is written to temporary. -1 on failure. */
static int create_beside(const char *target, char *temporary, size_t temporary_size)
{
    for (int i = 0; i < TEMPORARY_NAMES_MAX; i++) {
        int file;

        snprintf(temporary, temporary_size, "%s.%ld-%d.tmp", target, (long)getpid(), i);
        file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, PERMISSIONS);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
    return -1;
}

/* The new name is on disk only once the directory is; what is in the file is safe already. */
static void sync_directory(const char *target, const optinc_log *log)
{
    char *folder = strdup(target);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    int file;

    if (slash)
        slash[1] = '\0';
    file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0 || fsync(file))
        oi_log(log, OPTINC_LOG_WARNING, "%s: saved, but its folder could not be synchronised",
               target);
    if (file >= 0)
        close(file);
    free(folder);
}

/* Writes, flushes and closes the open temporary file. */
static optinc_status fill(const optinc_design *design, int file, mode_t mode, const char *path,
                          const optinc_log *log)
{
    output out = {.stream = fdopen(file, "wb"), .path = path, .log = log};
    optinc_status status;

    if (!out.stream) {
        status = oi_fail_errno(log, path, "cannot be written");
        close(file);
        return status;
    }
    status = oi_file_write(design, &(oi_sink){.write = put, .user = &out}, log);
    if (!status && (fflush(out.stream) || (mode && fchmod(file, mode)) || fsync(file)))
        status = oi_fail_errno(log, path, "cannot be written");
    if (fclose(out.stream) && !status)
        status = oi_fail_errno(log, path, "cannot be written");
    return status;
}

optinc_status optinc_design_save(const optinc_design *design, const char *path,
                                 const optinc_log *log)
{
    optinc_status status = OPTINC_ERR_IO;
    char *target;
    char *temporary = NULL;
    size_t temporary_size;
    mode_t mode;
    int file;

    if (!design || !path)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design: a pointer is NULL");
    target = resolve(path, &mode, log);
    if (!target)
        return status;
    temporary_size = strlen(target) + 48;
    temporary = malloc(temporary_size);
    if (!temporary) {
        status = oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "%s: no memory", path);
        goto free_target;
    }
    file = create_beside(target, temporary, temporary_size);
    if (file < 0) {
        status = oi_fail_errno(log, path, "cannot create a file beside it");
        goto free_temporary;
    }
    status = fill(design, file, mode, path, log);
    if (!status && rename(temporary, target))
        status = oi_fail_errno(log, path, "cannot replace");
    if (status)
        unlink(temporary);
    else
        sync_directory(target, log);
free_temporary:
    free(temporary);
free_target:
    free(target);
    return status;
}
