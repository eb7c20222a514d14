/* SPDX-License-Identifier: Apache-2.0 */
#include "runlog.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_SIZE_MAX ((size_t)1 << 20)
#define STEPS_MAX ((size_t)1 << 24)

/* Where a reader is, for messages. */
typedef struct place {
    const char *path;
    unsigned long line;
} place;

static bool wrong(const place *at, const char *key, const char *expected)
{
    cli_error("%s:%lu: '%s': expected %s", at->path, at->line, key, expected);
    return false;
}

static bool get_text(const place *at, json_t *object, const char *key, const char **text)
{
    json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return wrong(at, key, "a text");
    *text = json_string_value(value);
    return true;
}

static bool get_count(const place *at, json_t *object, const char *key, uint64_t *count)
{
    json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return wrong(at, key, "a whole number from 0");
    *count = (uint64_t)json_integer_value(value);
    return true;
}

static bool get_number(const place *at, json_t *object, const char *key, double *number)
{
    json_t *value = json_object_get(object, key);

    *number = NAN;
    if (!value || json_is_null(value))
        return true;
    if (!json_is_number(value))
        return wrong(at, key, "a number");
    *number = json_number_value(value);
    return true;
}

static bool read_header(const place *at, runlog *log)
{
    struct {
        const char *key;
        const char **text;
    } texts[] = {
        {"name", &log->name},
        {"workload", &log->workload},
        {"collective", &log->collective},
        {"bytes_sent_source", &log->bytes_source},
        {"design", &log->design},
        {"design_checksum", &log->design_checksum},
        {"backend", &log->backend},
        {"rounding", &log->rounding},
    };
    struct {
        const char *key;
        uint64_t *count;
    } counts[] = {
        {"seed", &log->seed},
        {"steps", &log->steps},
        {"workers", &log->workers},
        {"ports", &log->ports},
        {"bits", &log->bits},
        {"block_size", &log->block_size},
        {"parameters", &log->parameters},
        {"gradient_bytes", &log->gradient_bytes},
    };
    const char *format = "";
    uint64_t version = 0;

    if (!get_text(at, log->header, "format", &format) ||
        !get_count(at, log->header, "format_version", &version))
        return false;
    if (strcmp(format, "optinc-run-log") != 0)
        return wrong(at, "format", "\"optinc-run-log\"");
    if (version != 1)
        return wrong(at, "format_version", "1");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!get_text(at, log->header, texts[i].key, texts[i].text))
            return false;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (!get_count(at, log->header, counts[i].key, counts[i].count))
            return false;
    log->error_feedback = json_is_true(json_object_get(log->header, "error_feedback"));
    if (strcmp(log->collective, "ring") != 0 && strcmp(log->collective, "optinc") != 0)
        return wrong(at, "collective", "\"ring\" or \"optinc\"");
    return true;
}

static bool add_step(const place *at, json_t *object, runlog *log)
{
    runlog_step step;
    uint64_t number = 0;

    if (!get_count(at, object, "step", &number) || !get_number(at, object, "loss", &step.loss) ||
        !get_number(at, object, "valid_loss", &step.valid_loss) ||
        !get_number(at, object, "seconds", &step.seconds) ||
        !get_number(at, object, "bytes_sent", &step.bytes_sent) ||
        !get_number(at, object, "error_max", &step.error_max) ||
        !get_number(at, object, "error_bound", &step.error_bound))
        return false;
    if (number != log->step_count + 1) {
        cli_error("%s:%lu: 'step': found %llu, expected %zu", at->path, at->line,
                  (unsigned long long)number, log->step_count + 1);
        return false;
    }
    if ((log->step_count & (log->step_count - 1)) == 0) {
        size_t capacity = log->step_count ? 2 * log->step_count : 1;
        runlog_step *grown =
            capacity <= STEPS_MAX ? realloc(log->step, capacity * sizeof *grown) : NULL;

        if (!grown) {
            cli_error("%s:%lu: no room for step %llu", at->path, at->line,
                      (unsigned long long)number);
            return false;
        }
        log->step = grown;
    }
    log->step[log->step_count++] = step;
    return true;
}

/* One line; takes `object`. */
static bool add_line(const place *at, json_t *object, runlog *log)
{
    const char *type = "";
    bool good = get_text(at, object, "type", &type);

    if (good && !log->header) {
        if (strcmp(type, "run") != 0) {
            good = wrong(at, "type", "\"run\" in the first line");
        } else {
            log->header = json_incref(object);
            good = read_header(at, log);
        }
    } else if (good && strcmp(type, "step") == 0) {
        good = add_step(at, object, log);
    } else if (good && strcmp(type, "end") == 0) {
        json_decref(log->end);
        log->end = json_incref(object);
        good = get_text(at, object, "outcome", &log->outcome);
    }
    json_decref(object);
    return good;
}

static bool read_lines(FILE *stream, runlog *log)
{
    place at = {.path = log->path};
    char *line = NULL;
    size_t capacity = 0;
    bool good = true;
    ssize_t length;

    while (good && (length = getline(&line, &capacity, stream)) >= 0) {
        bool whole = length > 0 && line[length - 1] == '\n';
        json_error_t error;
        json_t *object;

        at.line++;
        if ((size_t)length > LINE_SIZE_MAX) {
            cli_error("%s:%lu: %zd bytes, expected at most %zu", at.path, at.line, length,
                      LINE_SIZE_MAX);
            good = false;
            break;
        }
        object = json_loadb(line, (size_t)length, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(object)) {
            json_decref(object);
            /* the last line of a run that was killed may be cut short */
            if (!whole && log->header)
                break;
            cli_error("%s:%lu: expected a JSON object%s%s", at.path, at.line, object ? "" : ": ",
                      object ? "" : cli_json_problem(&error));
            good = false;
        } else {
            good = add_line(&at, object, log);
        }
    }
    if (good && ferror(stream)) {
        cli_error("%s: cannot be read: %s", log->path, strerror(errno));
        good = false;
    }
    free(line);
    return good;
}

bool runlog_load(const char *path, runlog *log)
{
    struct stat status;
    FILE *stream;
    bool good;

    *log = (runlog){.name = "",
                    .workload = "",
                    .collective = "",
                    .bytes_source = "",
                    .design = "",
                    .design_checksum = "",
                    .backend = "",
                    .rounding = "",
                    .outcome = "running"};
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        log->path = cli_concatenate(path, "/log.jsonl", "");
    else
        log->path = strdup(path);
    if (!log->path) {
        cli_error("out of memory");
        return false;
    }
    stream = fopen(log->path, "rb");
    if (!stream) {
        cli_error("%s: cannot be opened: %s", log->path, strerror(errno));
        return false;
    }
    good = read_lines(stream, log);
    fclose(stream);
    if (good && !log->header) {
        cli_error("%s: empty, expected a run log", log->path);
        return false;
    }
    if (good && log->step_count == 0) {
        cli_error("%s: expected at least one step", log->path);
        return false;
    }
    return good;
}

void runlog_free(runlog *log)
{
    json_decref(log->header);
    json_decref(log->end);
    free(log->path);
    free(log->step);
    *log = (runlog){0};
}

bool runlog_is_optinc(const runlog *log)
{
    return strcmp(log->collective, "optinc") == 0;
}

static double field(const runlog_step *step, size_t offset)
{
    double value;

    memcpy(&value, (const char *)step + offset, sizeof value);
    return value;
}

double runlog_last(const runlog *log, size_t offset)
{
    for (size_t i = log->step_count; i > 0; i--) {
        double value = field(&log->step[i - 1], offset);

        if (!isnan(value))
            return value;
    }
    return NAN;
}

double runlog_mean(const runlog *log, size_t offset)
{
    double sum = 0.0;
    size_t count = 0;

    for (size_t i = 0; i < log->step_count; i++) {
        double value = field(&log->step[i], offset);

        if (!isnan(value)) {
            sum += value;
            count++;
        }
    }
    return count ? sum / (double)count : NAN;
}

double runlog_max(const runlog *log, size_t offset)
{
    double largest = NAN;

    for (size_t i = 0; i < log->step_count; i++)
        largest = fmax(largest, field(&log->step[i], offset));
    return largest;
}
