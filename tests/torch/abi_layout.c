/* SPDX-License-Identifier: Apache-2.0 */
/* Prints size and field offsets of the structs that the Python package mirrors: one line a struct,
 * "name size offset offset ...", the fields in the order of the header. */
#include "optinc/onn.h"
#include "optinc/optics.h"
#include "optinc/optinc.h"

#include <stdio.h>

#define BEGIN(type) printf("%s %zu", #type, sizeof(type))
#define FIELD(type, field) printf(" %s:%zu", #field, offsetof(type, field))
#define END() printf("\n")

int main(void)
{
    BEGIN(optinc_log);
    FIELD(optinc_log, write);
    FIELD(optinc_log, user);
    END();
    BEGIN(optinc_transport);
    FIELD(optinc_transport, user);
    FIELD(optinc_transport, rank);
    FIELD(optinc_transport, size);
    FIELD(optinc_transport, start_alltoall);
    FIELD(optinc_transport, start_allgather);
    FIELD(optinc_transport, start_max);
    FIELD(optinc_transport, start_sendrecv);
    FIELD(optinc_transport, wait);
    FIELD(optinc_transport, progress);
    END();
    BEGIN(optinc_codec);
    FIELD(optinc_codec, bits);
    FIELD(optinc_codec, block_size);
    FIELD(optinc_codec, rounding);
    FIELD(optinc_codec, kernel);
    FIELD(optinc_codec, thread_count);
    FIELD(optinc_codec, turn);
    END();
    BEGIN(optinc_stream);
    FIELD(optinc_stream, seed);
    FIELD(optinc_stream, step);
    FIELD(optinc_stream, element_first);
    END();
    BEGIN(optinc_result_scale);
    FIELD(optinc_result_scale, op);
    FIELD(optinc_result_scale, ports);
    FIELD(optinc_result_scale, servers);
    END();
    BEGIN(optinc_switch_options);
    FIELD(optinc_switch_options, thread_count);
    FIELD(optinc_switch_options, kernel);
    FIELD(optinc_switch_options, backend_options);
    FIELD(optinc_switch_options, faults);
    END();
    BEGIN(optinc_collective_options);
    FIELD(optinc_collective_options, block_size);
    FIELD(optinc_collective_options, rounding);
    FIELD(optinc_collective_options, seed);
    FIELD(optinc_collective_options, chunk_elements);
    FIELD(optinc_collective_options, thread_count);
    FIELD(optinc_collective_options, kernel);
    FIELD(optinc_collective_options, backend);
    FIELD(optinc_collective_options, backend_options);
    FIELD(optinc_collective_options, faults);
    END();
    BEGIN(optinc_allreduce_args);
    FIELD(optinc_allreduce_args, input);
    FIELD(optinc_allreduce_args, output);
    FIELD(optinc_allreduce_args, count);
    FIELD(optinc_allreduce_args, op);
    FIELD(optinc_allreduce_args, error_feedback);
    FIELD(optinc_allreduce_args, step);
    FIELD(optinc_allreduce_args, turn);
    END();
    BEGIN(optinc_reduce_scatter_args);
    FIELD(optinc_reduce_scatter_args, input);
    FIELD(optinc_reduce_scatter_args, output);
    FIELD(optinc_reduce_scatter_args, count);
    FIELD(optinc_reduce_scatter_args, op);
    FIELD(optinc_reduce_scatter_args, step);
    END();
    BEGIN(optinc_allreduce_report);
    FIELD(optinc_allreduce_report, elements);
    FIELD(optinc_allreduce_report, blocks);
    FIELD(optinc_allreduce_report, blocks_non_finite);
    FIELD(optinc_allreduce_report, bytes_sent);
    FIELD(optinc_allreduce_report, error_bound_max);
    FIELD(optinc_allreduce_report, seconds_quantise);
    FIELD(optinc_allreduce_report, seconds_exchange);
    FIELD(optinc_allreduce_report, seconds_switch);
    FIELD(optinc_allreduce_report, seconds_dequantise);
    END();
    BEGIN(optinc_spec);
    FIELD(optinc_spec, ports);
    FIELD(optinc_spec, bits_in);
    FIELD(optinc_spec, bits_out);
    FIELD(optinc_spec, divisor_log2);
    FIELD(optinc_spec, variant);
    FIELD(optinc_spec, zero_code);
    END();
    BEGIN(optinc_construct_options);
    FIELD(optinc_construct_options, activation);
    FIELD(optinc_construct_options, gap);
    END();
    BEGIN(optinc_proof);
    FIELD(optinc_proof, kind);
    FIELD(optinc_proof, exact);
    FIELD(optinc_proof, cases);
    FIELD(optinc_proof, errors);
    FIELD(optinc_proof, margin_min);
    FIELD(optinc_proof, error_bound);
    END();
    BEGIN(optinc_verify_options);
    FIELD(optinc_verify_options, exhaustive_cases_max);
    FIELD(optinc_verify_options, sample_count);
    FIELD(optinc_verify_options, seed);
    FIELD(optinc_verify_options, thread_count);
    FIELD(optinc_verify_options, checkpoint);
    FIELD(optinc_verify_options, checkpoint_interval_s);
    FIELD(optinc_verify_options, resume);
    END();
    BEGIN(optinc_verify_result);
    FIELD(optinc_verify_result, exhaustive);
    FIELD(optinc_verify_result, compositional);
    FIELD(optinc_verify_result, sampled);
    FIELD(optinc_verify_result, best);
    FIELD(optinc_verify_result, digit_errors);
    FIELD(optinc_verify_result, cases_done);
    FIELD(optinc_verify_result, seconds);
    END();
    BEGIN(optinc_device);
#define DEVICE_VALUE(name, low, high) FIELD(optinc_device, name);
    OPTINC_DEVICE_LIST(DEVICE_VALUE)
    END();
    BEGIN(optinc_photonic_options);
    FIELD(optinc_photonic_options, device);
    FIELD(optinc_photonic_options, seed);
    FIELD(optinc_photonic_options, chip_first);
    FIELD(optinc_photonic_options, chip_count);
    FIELD(optinc_photonic_options, drift_time_s);
    FIELD(optinc_photonic_options, direct);
    FIELD(optinc_photonic_options, bias_electronic);
    FIELD(optinc_photonic_options, correct_errors);
    FIELD(optinc_photonic_options, search_steps);
    FIELD(optinc_photonic_options, layout);
    FIELD(optinc_photonic_options, form);
    FIELD(optinc_photonic_options, fault_layer);
    FIELD(optinc_photonic_options, self_configure);
    FIELD(optinc_photonic_options, dummies);
    END();
    return 0;
}
