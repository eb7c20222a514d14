/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of a run of cases: which run it is, and what its first cases gave.
 *
 * A sealed file of 8 bytes "OPTINCVC" and uint64 each: version, checksum of the design, level, 1 if
 * the cases are random, seed of these (else 0), number of cases of the run, cases done, cases
 * counted, errors, 32 errors by digit; two doubles: margin, seconds so far. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "onn/prove.h"
#include "onn/sealed_file.h"

#define MAGIC "OPTINCVC"
#define VERSION 1u
#define DIGITS 32u

typedef struct save_request {
    const oi_case_checkpoint *checkpoint;
    const oi_case_range *range;
    const oi_case_tally *tally;
} save_request;

static void write_all(oi_sealed_file *out, const void *user)
{
    const save_request *request = user;
    const oi_case_range *range = request->range;
    const oi_case_tally *tally = request->tally;

    oi_sealed_put(out, MAGIC, 8);
    oi_sealed_put_number(out, VERSION);
    oi_sealed_put_number(out, request->checkpoint->design_checksum);
    oi_sealed_put_number(out, request->checkpoint->level);
    oi_sealed_put_number(out, range->random);
    oi_sealed_put_number(out, range->random ? range->seed : 0);
    oi_sealed_put_number(out, range->count);
    oi_sealed_put_number(out, tally->done);
    oi_sealed_put_number(out, tally->cases);
    oi_sealed_put_number(out, tally->errors);
    for (uint32_t j = 0; j < DIGITS; j++)
        oi_sealed_put_number(out, tally->digit_errors[j]);
    oi_sealed_put_real(out, tally->margin_min);
    oi_sealed_put_real(out, tally->seconds);
}

optinc_status oi_case_checkpoint_save(const oi_case_checkpoint *checkpoint,
                                      const oi_case_range *range, const oi_case_tally *tally,
                                      const optinc_log *log)
{
    const save_request request = {checkpoint, range, tally};

    return oi_sealed_save(checkpoint->path, write_all, &request, log);
}

static optinc_status differs(const oi_case_checkpoint *checkpoint, const char *field,
                             uint64_t found, uint64_t expected, const optinc_log *log)
{
    return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                   "%s: the checkpoint is of another run: field \"%s\" is %llu, expected %llu",
                   checkpoint->path, field, (unsigned long long)found,
                   (unsigned long long)expected);
}

/* Which run it is of. More random cases may be asked for than at first: those done stay the same. */
static optinc_status read_head(oi_sealed_file *in, const oi_case_checkpoint *checkpoint,
                               const oi_case_range *range, const optinc_log *log)
{
    char magic[8];
    uint64_t version, design, level, random, seed, count;

    oi_sealed_get(in, magic, sizeof magic);
    version = oi_sealed_get_number(in);
    if (!in->good || memcmp(magic, MAGIC, sizeof magic) != 0)
        return oi_fail(log, OPTINC_ERR_FORMAT, "%s: not a checkpoint of verification",
                       checkpoint->path);
    if (version != VERSION)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "%s: version %llu, expected %u",
                       checkpoint->path, (unsigned long long)version, VERSION);
    design = oi_sealed_get_number(in);
    level = oi_sealed_get_number(in);
    random = oi_sealed_get_number(in);
    seed = oi_sealed_get_number(in);
    count = oi_sealed_get_number(in);
    if (!in->good)
        return oi_fail(log, OPTINC_ERR_FORMAT, "%s: cut short", checkpoint->path);
    if (design != checkpoint->design_checksum)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: the checkpoint is of another design: checksum %016llx, expected "
                       "%016llx",
                       checkpoint->path, (unsigned long long)design,
                       (unsigned long long)checkpoint->design_checksum);
    if (level != checkpoint->level)
        return differs(checkpoint, "level", level, checkpoint->level, log);
    if (random != range->random)
        return differs(checkpoint, "random cases", random, range->random, log);
    if (seed != (range->random ? range->seed : 0))
        return differs(checkpoint, "seed", seed, range->random ? range->seed : 0, log);
    if (count != range->count && !range->random)
        return differs(checkpoint, "number of cases", count, range->count, log);
    return OPTINC_OK;
}

/* What no run can have left, whoever has sealed it. */
static const char *implausible(uint32_t digit_count, const oi_case_tally *tally)
{
    uint64_t sum = 0;

    if (tally->cases > tally->done)
        return "cases counted";
    if (tally->errors > tally->cases)
        return "errors";
    for (uint32_t j = 0; j < DIGITS; j++) {
        if (tally->digit_errors[j] > (j < digit_count ? tally->errors : 0))
            return "errors by digit";
        if (__builtin_add_overflow(sum, tally->digit_errors[j], &sum))
            return "errors by digit";
    }
    if (sum < tally->errors)
        return "errors by digit";
    if (!(tally->margin_min >= 0 && tally->margin_min <= 0.5) ||
        (tally->errors > 0 && tally->margin_min > 0))
        return "margin";
    if (!(tally->seconds >= 0 && isfinite(tally->seconds)))
        return "seconds";
    return NULL;
}

static optinc_status read_all(oi_sealed_file *in, const oi_case_checkpoint *checkpoint,
                              const oi_case_range *range, uint32_t digit_count,
                              const optinc_log *log, oi_case_tally *tally)
{
    optinc_status status = read_head(in, checkpoint, range, log);
    const char *field;

    if (status)
        return status;
    tally->done = oi_sealed_get_number(in);
    tally->cases = oi_sealed_get_number(in);
    tally->errors = oi_sealed_get_number(in);
    for (uint32_t j = 0; j < DIGITS; j++)
        tally->digit_errors[j] = oi_sealed_get_number(in);
    tally->margin_min = oi_sealed_get_real(in);
    tally->seconds = oi_sealed_get_real(in);
    status = oi_sealed_check(in, checkpoint->path, log);
    if (status)
        return status;
    if (tally->done > range->count)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: the checkpoint has %llu cases done, expected at most %llu",
                       checkpoint->path, (unsigned long long)tally->done,
                       (unsigned long long)range->count);
    field = implausible(digit_count, tally);
    if (field)
        return oi_fail(log, OPTINC_ERR_FORMAT, "%s: field \"%s\" is out of its range",
                       checkpoint->path, field);
    return OPTINC_OK;
}

optinc_status oi_case_checkpoint_load(const oi_case_checkpoint *checkpoint,
                                      const oi_case_range *range, uint32_t digit_count,
                                      const optinc_log *log, oi_case_tally *tally)
{
    oi_case_tally found = {.margin_min = 0};
    oi_sealed_file in;
    optinc_status status = oi_sealed_open(checkpoint->path, log, &in);

    if (!status)
        status = read_all(&in, checkpoint, range, digit_count, log, &found);
    oi_sealed_close(&in);
    if (!status)
        *tally = found;
    return status;
}
