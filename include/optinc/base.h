/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes, log handler, progress, random streams: what every other header needs. */
#ifndef OPTINC_BASE_H
#define OPTINC_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define OPTINC_API __attribute__((visibility("default")))
#define OPTINC_WARN_UNUSED __attribute__((warn_unused_result))
#else
#define OPTINC_API
#define OPTINC_WARN_UNUSED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* One list makes the codes and their texts. */
#define OPTINC_STATUS_LIST(X)                                                                      \
    X(OK, 0, "success")                                                                            \
    X(ERR_INVALID_ARGUMENT, -1, "invalid argument")                                                \
    X(ERR_OUT_OF_MEMORY, -2, "out of memory")                                                      \
    X(ERR_OVERFLOW, -3, "a size or count is too large")                                            \
    X(ERR_UNSUPPORTED, -4, "not supported")                                                        \
    X(ERR_IO, -5, "input or output failed")                                                        \
    X(ERR_FORMAT, -6, "malformed data")                                                            \
    X(ERR_CHECKSUM, -7, "checksum mismatch")                                                       \
    X(ERR_MISMATCH, -8, "the ranks disagree")                                                      \
    X(ERR_TRANSPORT, -9, "the transport failed")                                                   \
    X(ERR_NOT_EXACT, -10, "the design is not proved exact")                                        \
    X(ERR_NO_CONVERGENCE, -11, "no convergence")                                                   \
    X(ERR_TIMEOUT, -12, "time limit reached")                                                      \
    X(ERR_INTERRUPTED, -13, "interrupted")                                                         \
    X(ERR_NON_FINITE, -14, "a value is NaN or infinite where it must not be")                      \
    X(ERR_SELF_CHECK, -15, "a self-check found a wrong result")                                    \
    X(ERR_DARK, -16, "a port or a switch is dark")

typedef enum optinc_status {
#define OPTINC_STATUS_ENUM(name, value, text) OPTINC_##name = value,
    OPTINC_STATUS_LIST(OPTINC_STATUS_ENUM)
#undef OPTINC_STATUS_ENUM
} optinc_status;

/* The text of a status; a static string, "unknown status" for any other value. Never NULL. */
OPTINC_API const char *optinc_status_text(optinc_status status);

/* What holds for every function of the library: a pointer may be NULL only where its declaration
 * says so, but `log` always may. One that returns an optinc_status answers
 * OPTINC_ERR_INVALID_ARGUMENT to another NULL, to an enum's value that is none of its list, and to
 * what is outside a range that its header names; others must not be called so. An object that a
 * call would have made is NULL after an error. OPTINC_ERR_OUT_OF_MEMORY may come from any that does
 * not say that it allocates nothing. Objects may be read (const) by several threads at once, and
 * changed by one alone. */

/* "MAJOR.MINOR.PATCH" of the library; a static string. */
OPTINC_API const char *optinc_version(void);

typedef enum optinc_log_level {
    OPTINC_LOG_ERROR = 0,
    OPTINC_LOG_WARNING = 1,
    OPTINC_LOG_INFO = 2
} optinc_log_level;

/* The largest thread_count of any struct or call; 0 is OpenMP's default unless a comment says
 * other. */
#define OPTINC_THREADS_MAX 4096u

/* Where the library says what went wrong and with which values. The library itself never prints.
 * `message` is one line without a newline, valid during the call only. `write` may be called from
 * any thread that calls the library. A NULL optinc_log pointer, or a NULL write, is silent. */
typedef struct optinc_log {
    void (*write)(void *user, optinc_log_level level, const char *message);
    void *user;
} optinc_log;

/* How long work tells how far it is. `report` returns false to ask for a stop; the work then ends
 * with OPTINC_ERR_INTERRUPTED. Called from the calling thread. NULL pointer or report: no
 * reports. */
typedef struct optinc_progress {
    bool (*report)(void *user, uint64_t done, uint64_t total);
    void *user;
} optinc_progress;

/* Key of the counter-based randomness (Philox4x32-10). Every draw belongs to one element: the same
 * seed, step and element index give the same bits, however the work is split. `element_first` is
 * the index that the first element of a call has in the whole message. */
typedef struct optinc_stream {
    uint64_t seed;
    uint64_t step;
    uint64_t element_first;
} optinc_stream;

#ifdef __cplusplus
}
#endif
#endif
