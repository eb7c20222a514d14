# SPDX-License-Identifier: Apache-2.0
"""The library's C types as ctypes sees them. Field for field those of include/optinc/*.h; a test
compares sizes and offsets with what the C compiler says."""

import ctypes as c

STATUS_OK = 0
STATUS_TRANSPORT = -9
STATUS_TIMEOUT = -12
STATUS_NAMES = {0: "OK", -1: "INVALID_ARGUMENT", -2: "OUT_OF_MEMORY", -3: "OVERFLOW",
                -4: "UNSUPPORTED", -5: "IO", -6: "FORMAT", -7: "CHECKSUM", -8: "MISMATCH",
                -9: "TRANSPORT", -10: "NOT_EXACT", -11: "NO_CONVERGENCE", -12: "TIMEOUT",
                -13: "INTERRUPTED", -14: "NON_FINITE", -15: "SELF_CHECK",
                -16: "DARK"}
LOG_ERROR, LOG_WARNING, LOG_INFO = 0, 1, 2
SLOTS = 8
TURNS = {None: 0, "even": 1, "odd": 2}
OPS = {"sum": 0, "mean": 1}
ROUNDINGS = {"nearest": 0, "stochastic": 1}
ACTIVATIONS = {"relu": 1, "saturating": 2}
VARIANTS = {"half_up": 0, "stochastic": 1, "residual": 2}

LogWrite = c.CFUNCTYPE(None, c.c_void_p, c.c_int, c.c_char_p)


class Log(c.Structure):
    _fields_ = [("write", LogWrite), ("user", c.c_void_p)]


StartAlltoall = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32, c.c_void_p, c.c_void_p, c.c_size_t)
StartAllgather = StartAlltoall
StartMax = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32, c.c_void_p, c.c_size_t)
StartSendrecv = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32, c.c_void_p, c.c_uint32, c.c_void_p,
                            c.c_uint32, c.c_size_t)
Wait = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32)
Progress = c.CFUNCTYPE(None, c.c_void_p)


class Transport(c.Structure):
    _fields_ = [("user", c.c_void_p), ("rank", c.c_uint32), ("size", c.c_uint32),
                ("start_alltoall", StartAlltoall), ("start_allgather", StartAllgather),
                ("start_max", StartMax), ("start_sendrecv", StartSendrecv), ("wait", Wait),
                ("progress", Progress)]


class CollectiveOptions(c.Structure):
    _fields_ = [("block_size", c.c_uint32), ("rounding", c.c_int), ("seed", c.c_uint64),
                ("chunk_elements", c.c_size_t), ("thread_count", c.c_uint32), ("kernel", c.c_int),
                ("backend", c.c_void_p), ("backend_options", c.c_void_p),
                ("faults", c.c_void_p)]


class AllreduceArgs(c.Structure):
    _fields_ = [("input", c.c_void_p), ("output", c.c_void_p), ("count", c.c_size_t),
                ("op", c.c_int), ("error_feedback", c.c_void_p), ("step", c.c_uint64),
                ("turn", c.c_int)]


class ReduceScatterArgs(c.Structure):
    _fields_ = [("input", c.c_void_p), ("output", c.c_void_p), ("count", c.c_size_t),
                ("op", c.c_int), ("step", c.c_uint64)]


class AllreduceReport(c.Structure):
    _fields_ = [("elements", c.c_uint64), ("blocks", c.c_uint64), ("blocks_non_finite", c.c_uint64),
                ("bytes_sent", c.c_uint64), ("error_bound_max", c.c_double),
                ("seconds_quantise", c.c_double), ("seconds_exchange", c.c_double),
                ("seconds_switch", c.c_double), ("seconds_dequantise", c.c_double)]


class Spec(c.Structure):
    _fields_ = [("ports", c.c_uint32), ("bits_in", c.c_uint32), ("bits_out", c.c_uint32),
                ("divisor_log2", c.c_uint32), ("variant", c.c_int), ("zero_code", c.c_uint64)]


class ConstructOptions(c.Structure):
    _fields_ = [("activation", c.c_int), ("gap", c.c_double)]


class Proof(c.Structure):
    _fields_ = [("kind", c.c_int), ("exact", c.c_bool), ("cases", c.c_uint64),
                ("errors", c.c_uint64), ("margin_min", c.c_double), ("error_bound", c.c_double)]


class VerifyOptions(c.Structure):
    _fields_ = [("exhaustive_cases_max", c.c_uint64), ("sample_count", c.c_uint64),
                ("seed", c.c_uint64), ("thread_count", c.c_uint32), ("checkpoint", c.c_char_p),
                ("checkpoint_interval_s", c.c_double), ("resume", c.c_bool)]


class VerifyResult(c.Structure):
    _fields_ = [("exhaustive", Proof), ("compositional", Proof), ("sampled", Proof),
                ("best", Proof), ("digit_errors", c.c_uint64 * 32),
                ("cases_done", c.c_uint64), ("seconds", c.c_double)]


# OPTINC_DEVICE_LIST of optinc/optics.h, in its order.
DEVICE_VALUES = (
    "mzi_length_um", "mzi_width_um", "mzi_loss_db", "mzi_loss_sigma_db", "shifter_pi_power_mw",
    "phase_sigma_rad", "splitter_sigma_rad", "crosstalk", "drift_rad_per_sqrt_s", "dac_bits",
    "splitter_loss_db", "crossing_loss_db", "waveguide_loss_db_per_cm", "group_index",
    "modulator_loss_db", "modulator_extinction_db", "modulator_energy_fj_per_bit",
    "modulator_length_um", "modulator_width_um", "detector_responsivity_a_per_w",
    "detector_sensitivity_dbm", "detector_power_mw", "receiver_noise_pa_per_sqrt_hz",
    "receiver_shot_noise", "receiver_bandwidth_ghz", "receiver_gain_db_max", "amplifier_power_mw",
    "amplifier_area_um2", "amplifier_latency_ps", "dac_power_mw", "dac_area_um2", "adc_power_mw", "adc_area_um2",
    "laser_power_mw", "laser_power_mw_max", "local_oscillator_power_mw", "laser_efficiency",
    "laser_area_um2", "laser_rin_db_per_hz", "symbol_rate_gbaud", "transceiver_energy_pj_per_bit")


class Device(c.Structure):
    _fields_ = [(name, c.c_double) for name in DEVICE_VALUES]


class PhotonicOptions(c.Structure):
    _fields_ = [("device", Device), ("seed", c.c_uint64), ("chip_first", c.c_uint32),
                ("chip_count", c.c_uint32), ("drift_time_s", c.c_double), ("direct", c.c_bool),
                ("bias_electronic", c.c_bool), ("correct_errors", c.c_bool),
                ("search_steps", c.c_bool), ("layout", c.c_int), ("form", c.c_int),
                ("fault_layer", c.c_uint32), ("self_configure", c.c_bool), ("dummies", c.c_bool)]


class Codec(c.Structure):
    _fields_ = [("bits", c.c_uint32), ("block_size", c.c_uint32), ("rounding", c.c_int),
                ("kernel", c.c_int), ("thread_count", c.c_uint32), ("turn", c.c_int)]


class Stream(c.Structure):
    _fields_ = [("seed", c.c_uint64), ("step", c.c_uint64), ("element_first", c.c_uint64)]


class ResultScale(c.Structure):
    _fields_ = [("op", c.c_int), ("ports", c.c_uint32), ("servers", c.c_uint32)]


class SwitchOptions(c.Structure):
    _fields_ = [("thread_count", c.c_uint32), ("kernel", c.c_int), ("backend_options", c.c_void_p),
                ("faults", c.c_void_p)]


STRUCTURES = {"optinc_log": Log, "optinc_transport": Transport,
              "optinc_collective_options": CollectiveOptions,
              "optinc_allreduce_args": AllreduceArgs,
              "optinc_reduce_scatter_args": ReduceScatterArgs, "optinc_allreduce_report": AllreduceReport,
              "optinc_spec": Spec, "optinc_construct_options": ConstructOptions,
              "optinc_proof": Proof, "optinc_verify_options": VerifyOptions,
              "optinc_verify_result": VerifyResult,
              "optinc_device": Device, "optinc_photonic_options": PhotonicOptions,
              "optinc_codec": Codec, "optinc_stream": Stream,
              "optinc_result_scale": ResultScale, "optinc_switch_options": SwitchOptions}

_P = c.c_void_p
_PP = c.POINTER(c.c_void_p)
# name -> (result, arguments)
RUNTIME_FUNCTIONS = {
    "optinc_version": (c.c_char_p, []),
    "optinc_status_text": (c.c_char_p, [c.c_int]),
    "optinc_design_load": (c.c_int, [c.c_char_p, c.POINTER(Log), _PP]),
    "optinc_design_save": (c.c_int, [_P, c.c_char_p, c.POINTER(Log)]),
    "optinc_design_destroy": (None, [_PP]),
    "optinc_design_ports": (c.c_uint32, [_P]),
    "optinc_design_bits": (c.c_uint32, [_P]),
    "optinc_design_exact": (c.c_bool, [_P]),
    "optinc_design_checksum": (c.c_uint64, [_P]),
    "optinc_design_set_proof": (c.c_int, [_P, c.c_uint32, c.POINTER(Proof)]),
    "optinc_design_set_table": (c.c_int, [_P, c.c_uint32, _P, c.c_size_t]),
    "optinc_spec_single": (c.c_int, [c.c_uint32, c.c_uint32, c.c_int, c.POINTER(Log),
                                     c.POINTER(Spec)]),
    "optinc_design_flat_spec": (Spec, [_P]),
    "optinc_exponent_min": (c.c_int, [c.c_uint32]),
    "optinc_symbols_size": (c.c_size_t, [c.c_uint32, c.c_size_t]),
    "optinc_symbols_unpack": (c.c_int, [c.c_uint32, _P, c.c_size_t, _P]),
    "optinc_codec_exponents": (c.c_int, [c.POINTER(Codec), _P, c.c_size_t, _P]),
    "optinc_rank_seed": (c.c_uint64, [c.c_uint64, c.c_uint32]),
    "optinc_codec_quantise": (c.c_int, [c.POINTER(Codec), _P, c.c_size_t, _P, c.POINTER(Stream),
                                        _P]),
    "optinc_codec_quantise_feedback": (c.c_int, [c.POINTER(Codec), _P, c.c_size_t, _P,
                                                 c.POINTER(Stream), _P]),
    "optinc_codec_dequantise": (c.c_int, [c.POINTER(Codec), _P, c.c_size_t, _P,
                                          c.POINTER(ResultScale), _P]),
    "optinc_error_bound": (c.c_double, [c.POINTER(Codec), c.c_bool, c.POINTER(ResultScale),
                                        c.c_uint8]),
    "optinc_switch_create": (c.c_int, [_P, _P, c.POINTER(SwitchOptions), c.POINTER(Log), _PP]),
    "optinc_switch_destroy": (None, [_PP]),
    "optinc_switch_reduce": (c.c_int, [_P, _P, c.c_size_t, c.c_uint32, c.c_size_t,
                                       c.POINTER(Stream), _P]),
    "optinc_backend_exact": (_P, []),
    "optinc_backend_table": (_P, []),
    "optinc_collective_create": (c.c_int, [c.POINTER(Transport), _P, c.POINTER(CollectiveOptions),
                                           c.POINTER(Log), _PP]),
    "optinc_collective_destroy": (None, [_PP]),
    "optinc_allreduce": (c.c_int, [_P, c.POINTER(AllreduceArgs), c.POINTER(AllreduceReport)]),
    "optinc_reduce_scatter": (c.c_int, [_P, c.POINTER(ReduceScatterArgs),
                                        c.POINTER(AllreduceReport)]),
    "optinc_ring_allreduce": (c.c_int, [c.POINTER(Transport), _P, _P, c.c_size_t, c.c_int, _P]),
}
TOOLCHAIN_FUNCTIONS = {
    "optinc_backend_onn": (_P, []),
    "optinc_backend_photonic": (_P, []),
    "optinc_photonic_defaults": (PhotonicOptions, []),
    "optinc_device_load": (c.c_int, [c.c_char_p, c.POINTER(Log), c.POINTER(Device)]),
    "optinc_device_set": (c.c_int, [c.POINTER(Device), c.c_char_p, c.c_double, c.POINTER(Log)]),
    "optinc_device_check": (c.c_int, [c.POINTER(Device), c.POINTER(Log)]),
    "optinc_construct": (c.c_int, [c.POINTER(Spec), c.POINTER(ConstructOptions), c.POINTER(Log),
                                   _PP]),
    "optinc_verify": (c.c_int, [_P, c.c_uint32, _P, _P, c.POINTER(Log), c.POINTER(VerifyResult)]),
    "optinc_tabulate": (c.c_int, [_P, c.c_uint32, c.c_size_t, _P, c.POINTER(Log), _PP,
                                  c.POINTER(c.c_size_t)]),
    "optinc_table_free": (None, [_PP]),
}
