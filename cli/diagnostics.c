/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, stdout and the progress bar. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SECONDS 10.0 /* between two lines of progress */

static struct {
    const char *command;
    bool error_printed; /* since the last cli_library_error: it is not said twice */
    const char *progress_name;
    double progress_start;
    double progress_shown;
    double progress_first; /* share done at the first report; < 0: none yet */
    double progress_first_at;
    bool progress_visible;
    bool progress_lines; /* where stderr is no terminal */
} state = {.command = ""};

static volatile sig_atomic_t signal_seen;

double cli_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_set_command(const char *name)
{
    state.command = name;
}

static void clear_bar(void)
{
    if (state.progress_visible)
        fputs("\r\033[K", stderr);
    state.progress_visible = false;
}

/* Control characters of file names and file contents do not reach the terminal. */
static void print_line(const char *kind, const char *format, va_list values)
{
    char line[2048];

    vsnprintf(line, sizeof line, format, values);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    clear_bar();
    fprintf(stderr, "optinc%s%s: %s%s\n", *state.command ? " " : "", state.command, kind, line);
}

int cli_error(const char *format, ...)
{
    va_list values;

    state.error_printed = true;
    va_start(values, format);
    print_line("", format, values);
    va_end(values);
    return CLI_BAD_INPUT;
}

void cli_note(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    print_line("", format, values);
    va_end(values);
}

static void print_prefixed(const char *kind, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    print_line(kind, format, values);
    va_end(values);
}

static void write_log(void *user, optinc_log_level level, const char *message)
{
    (void)user;
    if (level == OPTINC_LOG_INFO)
        return;
    if (level == OPTINC_LOG_ERROR)
        state.error_printed = true;
    print_prefixed(level == OPTINC_LOG_WARNING ? "warning: " : "", "%s", message);
}

const optinc_log cli_log = {.write = write_log};

static void write_about(void *user, optinc_log_level level, const char *message)
{
    const cli_about *about = user;

    if (level == OPTINC_LOG_ERROR)
        cli_error("%s: %s", about->option, message);
    else
        write_log(NULL, level, message);
}

const optinc_log *cli_log_about(cli_about *about, const char *option)
{
    *about = (cli_about){.log = {.write = write_about, .user = about}, .option = option};
    return &about->log;
}

int cli_library_error(optinc_status status, const char *what)
{
    if (!state.error_printed || status == OPTINC_ERR_INTERRUPTED)
        cli_error("%s: %s", what, optinc_status_text(status));
    state.error_printed = false;
    return CLI_BAD_INPUT;
}

void cli_print_json(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text)
        puts(text);
    else
        cli_error("the JSON object: out of memory");
    free(text);
    json_decref(object);
}

json_t *cli_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *cli_json_count(uint64_t value)
{
    return value <= (uint64_t)INT64_MAX ? json_integer((json_int_t)value) : json_null();
}

void cli_json_set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        cli_error("the JSON object: no room for '%s'", key);
}

const char *cli_json_problem(const json_error_t *error)
{
    return error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory
               ? "out of memory"
               : error->text;
}

const char *cli_count_text(uint64_t count, char text[CLI_COUNT_TEXT_SIZE])
{
    char digits[CLI_COUNT_TEXT_SIZE];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *out = text;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

int cli_finish(int code)
{
    int failed = ferror(stdout);

    if (fflush(stdout) != 0 || failed)
        return cli_error("standard output: %s", errno ? strerror(errno) : "write failed");
    return code;
}

static void on_signal(int number)
{
    signal_seen = number;
}

void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* a file-size limit is then an error of write, which cleans up, and not the end */
    sigaction(SIGXFSZ, &ignore, NULL);
}

bool cli_interrupted(void)
{
    return signal_seen != 0;
}

/* Seconds to go, from what was done since the first report: work that goes on from a checkpoint has
 * done its share before. < 0: not known yet. */
static double seconds_left(double share, double now)
{
    if (!(share > state.progress_first))
        return -1.0;
    return (now - state.progress_first_at) * (1.0 - share) / (share - state.progress_first);
}

static void show_progress(double share, double now, bool terminal)
{
    enum { WIDTH = 30 };
    static const char full[WIDTH + 1] = "##############################";
    double left = seconds_left(share, now);
    int filled = (int)(share * WIDTH);

    if (terminal)
        fprintf(stderr, "\r\033[K%s [%.*s%*s] %3.0f %%", state.progress_name, filled, full,
                WIDTH - filled, "", 100.0 * share);
    else
        fprintf(stderr, "%s %.2f %%", state.progress_name, 100.0 * share);
    if (left >= 0.0)
        fprintf(stderr, ", %.0f s left", left);
    if (!terminal)
        fputc('\n', stderr);
    fflush(stderr);
    state.progress_visible = terminal;
    state.progress_shown = now;
}

static bool report_progress(void *user, uint64_t done, uint64_t total)
{
    double now = cli_seconds();
    double share = total > 0 ? (double)done / (double)total : 1.0;
    bool terminal = isatty(STDERR_FILENO);

    (void)user;
    if (cli_interrupted())
        return false;
    share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    if (state.progress_first < 0.0) {
        state.progress_first = share;
        state.progress_first_at = now;
    }
    if (!state.progress_name)
        return true;
    if (terminal ? now - state.progress_start >= 0.5 && now - state.progress_shown >= 0.1
                 : state.progress_lines && now - state.progress_shown >= LINE_SECONDS)
        show_progress(share, now, terminal);
    return true;
}

const optinc_progress cli_progress = {.report = report_progress};

void cli_progress_start(const char *what)
{
    clear_bar();
    state.progress_name = what;
    state.progress_start = cli_seconds();
    state.progress_shown = -LINE_SECONDS;
    state.progress_first = -1.0;
}

void cli_progress_lines(bool wanted)
{
    state.progress_lines = wanted;
}

void cli_progress_stop(void)
{
    clear_bar();
    state.progress_name = NULL;
}
