/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: runs of cases are right (test_verify, test_verify_runs). Identities: a run that is
 * stopped and continued, however often and on however many threads, gives what one run gives; what
 * a checkpoint has are the oracle's counts of its cases; a file that is damaged, of another run, or
 * sealed by somebody with impossible contents is refused with the reason. */
#include "verify_common.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CASES 28561u /* N=4, B=8 */
#define SIZE 360     /* of the file */

typedef struct fixture {
    optinc_design *design; /* trained, for all that verification knows; 1 digit often wrong */
    char path[64];
    char other[64];
    char message[512];
    optinc_log log;
} fixture;

static void keep_message(void *user, optinc_log_level level, const char *message)
{
    (void)level;
    snprintf(user, sizeof((fixture *)0)->message, "%s", message);
}

/* A unit that errs where digit 1 is 3 and digit 2 now and then, and is not proved by stages. */
static optinc_design *make_design(double shift)
{
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);
    optinc_design *design = construct(&spec, OPTINC_ACTIVATION_SATURATING, 0.5), *other = NULL;
    altered copy;

    alter_begin(optinc_design_unit(design, 0), &copy);
    copy.unit.method = OPTINC_METHOD_TRAINED;
    ((double *)copy.layers[copy.unit.layer_count - 1].bias)[1] -= shift;
    ((double *)copy.layers[1].bias)[0] += 0.3 * shift;
    assert_int_equal(optinc_design_create(&copy.unit, 1, NULL, &other), OPTINC_OK);
    alter_end(&copy);
    optinc_design_destroy(&design);
    return other;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->design = make_design(0.7);
    f->log = (optinc_log){keep_message, f->message};
    snprintf(f->path, sizeof f->path, "/tmp/optinc-verify-%ld-checkpoint", (long)getpid());
    snprintf(f->other, sizeof f->other, "/tmp/optinc-verify-%ld-other", (long)getpid());
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    remove(f->path);
    remove(f->other);
    optinc_design_destroy(&f->design);
    free(f);
    return 0;
}

/* Lets `left` reports pass. */
static bool stop_after(void *user, uint64_t done, uint64_t total)
{
    uint32_t *left = user;

    assert_true(done <= total);
    return (*left)-- > 0;
}

static void assert_same_proof(const optinc_proof *a, const optinc_proof *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->exact, b->exact);
    assert_int_equal(a->cases, b->cases);
    assert_int_equal(a->errors, b->errors);
    assert_memory_equal(&a->margin_min, &b->margin_min, sizeof a->margin_min);
    assert_memory_equal(&a->error_bound, &b->error_bound, sizeof a->error_bound);
}

static void assert_same(const optinc_verify_result *a, const optinc_verify_result *b)
{
    assert_same_proof(&a->exhaustive, &b->exhaustive);
    assert_same_proof(&a->sampled, &b->sampled);
    assert_same_proof(&a->best, &b->best);
    assert_memory_equal(a->digit_errors, b->digit_errors, sizeof a->digit_errors);
    assert_int_equal(a->cases_done, b->cases_done);
    assert_true(a->seconds >= 0 && b->seconds >= 0);
}

/* Stopped again and again; threads 0: another number every time. */
static uint32_t run_in_pieces(const fixture *f, const optinc_design *design,
                              const optinc_verify_options *wanted, uint32_t threads,
                              optinc_verify_result *result)
{
    optinc_verify_options options = *wanted;
    uint64_t done = 0;

    options.checkpoint = f->path;
    remove(f->path);
    for (uint32_t piece = 0;; piece++) {
        uint32_t left = 1 + piece % 3;
        optinc_progress progress = {.report = stop_after, .user = &left};
        optinc_status status;

        assert_true(piece < 200);
        options.thread_count = threads ? threads : 1 + piece % 3;
        memset(result, 0xA5, sizeof *result);
        status = optinc_verify(design, 0, &options, &progress, NULL, result);
        if (status == OPTINC_OK)
            return piece;
        assert_int_equal(status, OPTINC_ERR_INTERRUPTED);
        assert_true(result->cases_done > done);
        assert_int_equal(result->best.kind, OPTINC_PROOF_NONE);
        done = result->cases_done;
        options.resume = true;
    }
}

static void check_pieces(const fixture *f, const optinc_verify_options *options)
{
    optinc_design *exact = make_design(0);
    const optinc_design *designs[] = {f->design, exact};

    for (uint32_t d = 0; d < 2; d++) {
        optinc_verify_result whole = verify(designs[d], options), pieces;

        assert_int_equal(whole.best.errors > 0, d == 0);
        for (uint32_t threads = 0; threads <= 3; threads++) {
            assert_true(run_in_pieces(f, designs[d], options, threads, &pieces) >= 2);
            assert_same(&pieces, &whole);
        }
    }
    optinc_design_destroy(&exact);
}

static void test_pieces_give_the_same(void **state)
{
    check_pieces(*state, &(optinc_verify_options){.seed = 1});
    check_pieces(*state, &(optinc_verify_options){
                             .exhaustive_cases_max = 1, .sample_count = 20011, .seed = 5});
}

/* A finished run is not run again; of random cases more may be asked for. */
static void test_finished_runs(void **state)
{
    fixture *f = *state;
    optinc_verify_options options = {
        .exhaustive_cases_max = 1, .sample_count = 1003, .seed = 9, .checkpoint = f->path};
    optinc_verify_result first, again, more;
    uint32_t left = 0;
    optinc_progress none = {.report = stop_after, .user = &left};

    remove(f->path);
    first = verify(f->design, &options);
    assert_int_equal(first.cases_done, 1003);
    again = verify(f->design, &options);
    assert_same(&first, &again);
    assert_int_equal(optinc_verify(f->design, 0, &options, &none, NULL, &again),
                     OPTINC_ERR_INTERRUPTED);
    options.sample_count = 20011;
    more = verify(f->design, &options);
    options.checkpoint = NULL;
    first = verify(f->design, &options);
    assert_same(&first, &more);
}

/* Errors of the first `count` cases by the oracle alone. */
static void test_the_oracle_counts_the_same(void **state)
{
    fixture *f = *state;
    const optinc_unit *unit = optinc_design_unit(f->design, 0);
    uint32_t left = 2;
    optinc_progress progress = {.report = stop_after, .user = &left};
    optinc_verify_options options = {.checkpoint = f->path, .thread_count = 1};
    const oi_case_checkpoint checkpoint = {.path = f->path,
                                           .design_checksum = optinc_design_checksum(f->design)};
    const oi_case_range range = {.count = CASES};
    optinc_verify_result result;
    oi_case_tally tally;
    uint64_t errors = 0, digit_errors[4] = {0};

    remove(f->path);
    assert_int_equal(optinc_verify(f->design, 0, &options, &progress, NULL, &result),
                     OPTINC_ERR_INTERRUPTED);
    memset(&tally, 0xA5, sizeof tally);
    assert_int_equal(oi_case_checkpoint_load(&checkpoint, &range, 4, NULL, &tally), OPTINC_OK);
    assert_int_equal(tally.done, result.cases_done);
    assert_true(tally.done > 0 && tally.done < CASES);
    for (uint64_t i = 0; i < tally.done; i++) {
        uint32_t n = (uint32_t)i, sums[4] = {n % 13, n / 13 % 13, n / 169 % 13, n / 2197};
        uint64_t expected = oracle_result(sums, 4, 2, 4);
        double outputs[32];
        bool wrong = false;

        oracle_forward(unit, sums, 0, outputs);
        for (uint32_t j = 0; j < 4; j++) {
            bool differs =
                fmin(3, fmax(0, floor(outputs[j] + 0.5))) != (double)(expected >> (2 * j) & 3);

            digit_errors[j] += differs;
            wrong = wrong || differs;
        }
        errors += wrong;
    }
    assert_true(errors > 0);
    assert_int_equal(tally.errors, errors);
    for (uint32_t j = 0; j < 32; j++)
        assert_int_equal(tally.digit_errors[j], j < 4 ? digit_errors[j] : 0);
}

static void expect_failure(fixture *f, const optinc_verify_options *options, optinc_status status,
                           const char *text)
{
    optinc_verify_result result;

    f->message[0] = '\0';
    assert_int_equal(optinc_verify(f->design, 0, options, NULL, &f->log, &result), status);
    assert_int_equal(result.best.kind, OPTINC_PROOF_NONE);
    if (!strstr(f->message, text))
        fail_msg("\"%s\" does not say \"%s\"", f->message, text);
}

static void test_other_runs_are_refused(void **state)
{
    fixture *f = *state;
    const optinc_verify_options sampled = {
        .exhaustive_cases_max = 1, .sample_count = 2000, .seed = 3, .checkpoint = f->path};
    optinc_verify_options options = sampled;
    optinc_design *design = f->design, *another = make_design(0.25);
    const oi_case_checkpoint level = {
        .path = f->path, .design_checksum = optinc_design_checksum(design), .level = 1};
    const oi_case_range range = {.random = true, .seed = 3, .count = 2000};
    const oi_case_tally empty = {.margin_min = 0.5};
    struct stat about;

    remove(f->path);
    options.resume = true;
    expect_failure(f, &options, OPTINC_ERR_IO, "cannot be opened");
    options.checkpoint = NULL;
    expect_failure(f, &options, OPTINC_ERR_INVALID_ARGUMENT, "no checkpoint to resume from");
    options = sampled;
    verify(design, &options);
    f->design = another;
    expect_failure(f, &options, OPTINC_ERR_INVALID_ARGUMENT, "of another design: checksum");
    f->design = design;
    options.seed = 4;
    expect_failure(f, &options, OPTINC_ERR_INVALID_ARGUMENT, "\"seed\" is 3, expected 4");
    options = sampled;
    options.sample_count = 1999;
    expect_failure(f, &options, OPTINC_ERR_INVALID_ARGUMENT, "2000 cases done, expected at most");
    options = sampled;
    options.exhaustive_cases_max = 0;
    expect_failure(f, &options, OPTINC_ERR_INVALID_ARGUMENT, "\"random cases\" is 1, expected 0");
    assert_int_equal(oi_case_checkpoint_save(&level, &range, &empty, NULL), OPTINC_OK);
    expect_failure(f, &sampled, OPTINC_ERR_INVALID_ARGUMENT, "\"level\" is 1, expected 0");
    options = sampled;
    options.checkpoint_interval_s = NAN;
    expect_failure(f, &options, OPTINC_ERR_INVALID_ARGUMENT, "checkpoint_interval_s");
    options = sampled;
    options.checkpoint = "/tmp";
    expect_failure(f, &options, OPTINC_ERR_IO, "expected a regular file");
    options.checkpoint = "/tmp/no such folder/x";
    expect_failure(f, &options, OPTINC_ERR_IO, "no such folder/x: checkpoint cannot be created");
    remove(f->path); /* what is no file is not replaced by one, whoever may do so */
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(oi_case_checkpoint_save(&level, &range, &empty, NULL), OPTINC_ERR_IO);
    assert_int_equal(stat(f->path, &about), 0);
    assert_true(S_ISFIFO(about.st_mode));
    optinc_design_destroy(&another);
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Each byte changed, each length but its own. */
static void test_damaged_files_are_refused(void **state)
{
    fixture *f = *state;
    optinc_verify_options options = {
        .exhaustive_cases_max = 1, .sample_count = 100, .checkpoint = f->path};
    uint8_t bytes[SIZE + 8] = {0};
    FILE *file;

    remove(f->path);
    verify(f->design, &options);
    file = fopen(f->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), SIZE);
    fclose(file);
    options.checkpoint = f->other;
    for (size_t i = 0; i < SIZE; i++) {
        optinc_status status = i < 8    ? OPTINC_ERR_FORMAT
                               : i < 16 ? OPTINC_ERR_UNSUPPORTED
                               : i < 56 ? OPTINC_ERR_INVALID_ARGUMENT
                                        : OPTINC_ERR_CHECKSUM;

        if (i >= 48 && i < 56) /* how many random cases were asked for at first: no matter */
            status = OPTINC_ERR_CHECKSUM;
        bytes[i] ^= 0x10;
        write_file(f->other, bytes, SIZE);
        bytes[i] ^= 0x10;
        expect_failure(f, &options, status, f->other);
    }
    for (size_t size = 0; size < sizeof bytes; size++) {
        if (size == SIZE)
            continue;
        write_file(f->other, bytes, size);
        expect_failure(f, &options, OPTINC_ERR_FORMAT,
                       size < 16   ? "not a checkpoint of verification"
                       : size < 56 ? "cut short"
                                   : "cut short or too long");
    }
    write_file(f->other, bytes, SIZE);
    verify(f->design, &options);
}

static void test_impossible_contents_are_refused(void **state)
{
    fixture *f = *state;
    const oi_case_tally good = {
        .done = 900, .cases = 900, .errors = 8, .digit_errors = {5, 4}, .seconds = 1};
    const oi_case_checkpoint checkpoint = {.path = f->path,
                                           .design_checksum = optinc_design_checksum(f->design)};
    const oi_case_range range = {.random = true, .seed = 0, .count = 1000};
    const optinc_verify_options options = {
        .exhaustive_cases_max = 1, .sample_count = 1000, .checkpoint = f->path};
    oi_case_tally bad;

#define REFUSED(change, text)                                                                      \
    bad = good;                                                                                    \
    change;                                                                                        \
    assert_int_equal(oi_case_checkpoint_save(&checkpoint, &range, &bad, NULL), OPTINC_OK);         \
    expect_failure(f, &options, OPTINC_ERR_FORMAT, "\"" text "\" is out of its range")
    REFUSED(bad.cases = 901, "cases counted");
    REFUSED(bad.errors = 901, "errors");
    REFUSED(bad.errors = 10, "errors by digit");
    REFUSED(bad.digit_errors[3] = 9, "errors by digit");
    REFUSED(bad.digit_errors[4] = 1, "errors by digit");
    REFUSED(bad.digit_errors[31] = UINT64_MAX, "errors by digit");
    REFUSED(bad.margin_min = 0.1, "margin");
    REFUSED(bad.margin_min = NAN, "margin");
    REFUSED((bad.errors = 0, bad.digit_errors[0] = bad.digit_errors[1] = 0, bad.margin_min = 0.6),
            "margin");
    REFUSED(bad.margin_min = -0.1, "margin");
    REFUSED(bad.seconds = NAN, "seconds");
    REFUSED(bad.seconds = INFINITY, "seconds");
    REFUSED(bad.seconds = -1, "seconds");
#undef REFUSED
    assert_int_equal(oi_case_checkpoint_save(&checkpoint, &range, &good, NULL), OPTINC_OK);
    assert_true(verify(f->design, &options).best.errors >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_give_the_same),
        cmocka_unit_test(test_finished_runs),
        cmocka_unit_test(test_the_oracle_counts_the_same),
        cmocka_unit_test(test_other_runs_are_refused),
        cmocka_unit_test(test_damaged_files_are_refused),
        cmocka_unit_test(test_impossible_contents_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
