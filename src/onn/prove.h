/* SPDX-License-Identifier: Apache-2.0 */
/* The three ways to prove a unit, for optinc_verify. */
#ifndef OI_ONN_PROVE_H
#define OI_ONN_PROVE_H

#include "optinc/onn.h"

/* Stage by stage, from the layers' weights alone; errors counts the states in which a digit could
 * not be shown right. OPTINC_ERR_UNSUPPORTED where inputs are merged digits. */
optinc_status oi_prove_stages(const optinc_unit *unit, const optinc_log *log,
                              optinc_proof *proof) OPTINC_WARN_UNUSED;

/* Which cases a run takes. A case that no port codes can make (a cascade's last switch, see
 * optinc_spec_check) is left out and not counted. */
typedef struct oi_case_range {
    bool random; /* case i is drawn from `seed`, else it is number i of them all */
    uint64_t seed;
    uint64_t count; /* cases 0 .. count-1 */
} oi_case_range;

/* What cases 0 .. done-1 gave, in whatever pieces and on however many threads they were run. */
typedef struct oi_case_tally {
    uint64_t done;
    uint64_t cases; /* counted: those that occur */
    uint64_t errors;
    uint64_t digit_errors[32];
    double margin_min; /* of the receiver's decisions, 0 where a digit is wrong */
    double seconds;    /* of all runs that it took; the only field that differs between two */
} oi_case_tally;

/* Where a run is kept, so that it can be stopped and continued. */
typedef struct oi_case_checkpoint {
    const char *path;
    double interval_s; /* between two savings */
    bool required;     /* the file has to be there */
    uint64_t design_checksum;
    uint32_t level;
} oi_case_checkpoint;

/* verify_checkpoint.c: load refuses what is of another run (OPTINC_ERR_INVALID_ARGUMENT), damaged
 * (_FORMAT, _CHECKSUM) or of another version (_UNSUPPORTED), and leaves *tally alone then. */
optinc_status oi_case_checkpoint_save(const oi_case_checkpoint *checkpoint,
                                      const oi_case_range *range, const oi_case_tally *tally,
                                      const optinc_log *log) OPTINC_WARN_UNUSED;
optinc_status oi_case_checkpoint_load(const oi_case_checkpoint *checkpoint,
                                      const oi_case_range *range, uint32_t digit_count,
                                      const optinc_log *log,
                                      oi_case_tally *tally) OPTINC_WARN_UNUSED;

/* Runs cases through the layers on thread_count threads. progress is called from this thread, first
 * with what a checkpoint has. checkpoint NULL: none; else the run goes on from the file if there is
 * one, and is kept in it at the start, now and then, at the end and when it is interrupted. */
optinc_status oi_run_cases(const optinc_unit *unit, const oi_case_range *range,
                           uint32_t thread_count, const oi_case_checkpoint *checkpoint,
                           const optinc_progress *progress, const optinc_log *log,
                           oi_case_tally *tally) OPTINC_WARN_UNUSED;

/* The same for what the ONN answers: table [range->count], random not allowed. */
optinc_status oi_tabulate_cases(const optinc_unit *unit, uint64_t count, uint32_t thread_count,
                                const optinc_progress *progress, const optinc_log *log,
                                uint32_t *table) OPTINC_WARN_UNUSED;

/* Digit-sum cases, times the D offsets of the stochastic variant; UINT64_MAX if it does not fit. */
uint64_t oi_case_count(const optinc_spec *spec);

/* Upper end of the one-sided 95 % Clopper-Pearson interval of an error rate: the p at which
 * `errors` or fewer of `count` have probability 5 %. 1 - 0.05^(1/count) for no errors. count > 0. */
double oi_clopper_pearson_upper(uint64_t errors, uint64_t count);

#endif
