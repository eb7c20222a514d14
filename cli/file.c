/* SPDX-License-Identifier: Apache-2.0 */
/* Files that appear whole or not at all, and bounded reading. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *cli_concatenate(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = malloc(size);

    if (text)
        snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

/* A rename replaces a link itself, so the name behind links is what is written. */
static char *final_path(const char *path)
{
    char *real = realpath(path, NULL);

    return real ? real : strdup(path);
}

static bool open_temporary(cli_output *output)
{
    char suffix[32];
    int descriptor;

    snprintf(suffix, sizeof suffix, ".%ld.tmp", (long)getpid());
    output->temporary = cli_concatenate(output->path, suffix, "");
    if (!output->temporary)
        return false;
    descriptor = open(output->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return false;
    output->stream = fdopen(descriptor, "wb");
    if (!output->stream) {
        close(descriptor);
        unlink(output->temporary);
    }
    return output->stream != NULL;
}

bool cli_output_open(cli_output *output, const char *path)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;

    *output = (cli_output){0};
    if (exists && S_ISDIR(status.st_mode)) {
        cli_error("%s: found a directory, expected the name of a file", path);
        return false;
    }
    output->path = final_path(path);
    if (output->path && exists && !S_ISREG(status.st_mode))
        output->stream = fopen(path, "wb");
    else if (output->path)
        open_temporary(output);
    if (output->stream)
        return true;
    cli_error("%s: cannot be written: %s", path, strerror(errno));
    free(output->path);
    free(output->temporary);
    *output = (cli_output){0};
    return false;
}

bool cli_check_replaceable(const char *path)
{
    struct stat status;
    cli_output output;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        cli_error("%s: found %s, expected the name of a regular file", path,
                  S_ISDIR(status.st_mode) ? "a directory" : "a device or pipe");
        return false;
    }
    if (!cli_output_open(&output, path))
        return false;
    cli_output_abandon(&output);
    return true;
}

bool cli_output_commit(cli_output *output)
{
    bool good = fflush(output->stream) == 0 && !ferror(output->stream);
    int reason = errno;

    if (good && output->temporary && fsync(fileno(output->stream)) != 0) {
        good = false;
        reason = errno;
    }
    if (fclose(output->stream) != 0 && good) {
        good = false;
        reason = errno;
    }
    output->stream = NULL;
    if (good && output->temporary && rename(output->temporary, output->path) != 0) {
        good = false;
        reason = errno;
    }
    if (good) {
        free(output->temporary);
        output->temporary = NULL;
    } else {
        cli_error("%s: cannot be written: %s", output->path, strerror(reason));
    }
    cli_output_abandon(output);
    return good;
}

void cli_output_abandon(cli_output *output)
{
    if (output->stream)
        fclose(output->stream);
    if (output->temporary)
        unlink(output->temporary);
    free(output->temporary);
    free(output->path);
    *output = (cli_output){0};
}

char *cli_read_file(const char *path, size_t size_max, size_t *size)
{
    FILE *stream = fopen(path, "rb");
    struct stat status;
    char *bytes = NULL;

    if (!stream || fstat(fileno(stream), &status) != 0) {
        cli_error("%s: cannot be opened: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        cli_error("%s: expected a regular file", path);
    } else if ((uint64_t)status.st_size > size_max) {
        cli_error("%s: %llu bytes, expected at most %zu", path, (unsigned long long)status.st_size,
                  size_max);
    } else {
        bytes = malloc((size_t)status.st_size + 1);
        if (!bytes) {
            cli_error("%s: out of memory for %llu bytes", path, (unsigned long long)status.st_size);
        } else {
            *size = fread(bytes, 1, (size_t)status.st_size, stream);
            bytes[*size] = '\0';
            if (ferror(stream)) {
                cli_error("%s: cannot be read: %s", path, strerror(errno));
                free(bytes);
                bytes = NULL;
            }
        }
    }
    if (stream)
        fclose(stream);
    return bytes;
}
