# SPDX-License-Identifier: Apache-2.0
"""The command line that all workloads share."""

import argparse
from pathlib import Path
from typing import NoReturn, Optional, Sequence

from workloads.common.errors import UserError


class Parser(argparse.ArgumentParser):
    """Bad options are a UserError, so that one worker prints them and not all."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (--help explains the options)")


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1 was expected")
    return value


def _not_negative(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text}: at least 0 was expected")
    return value


def _positive_float(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: a number above 0 was expected")
    return value


# Options of the backend photonic as `optinc simulate` calls them, and the device's values.
PHOTONIC_VALUES = {
    "--phase-sigma": "phase_sigma_rad", "--splitter-sigma": "splitter_sigma_rad",
    "--mzi-loss": "mzi_loss_db", "--dac-bits": "dac_bits", "--crosstalk": "crosstalk",
    "--extinction": "modulator_extinction_db",
    "--receiver-noise": "receiver_noise_pa_per_sqrt_hz", "--shot-noise": "receiver_shot_noise",
    "--rin": "laser_rin_db_per_hz", "--laser-power": "laser_power_mw",
    "--oscillator-power": "local_oscillator_power_mw"}


def _add_photonic(p: argparse.ArgumentParser) -> None:
    group = p.add_argument_group("--backend photonic (as in optinc simulate; docs/optics.md)")
    group.add_argument("--device-file", type=Path, metavar="FILE",
                       help="constants of the components (YAML); ideal ones without it")
    for name, value in PHOTONIC_VALUES.items():
        group.add_argument(name, type=float, dest=value, metavar="X", help=value)
    group.add_argument("--mapping", choices=("design", "direct"), default="design")
    group.add_argument("--bias", choices=("optical", "electronic"), default="optical")
    group.add_argument("--calibrate", choices=("none", "local", "self"), default="none",
                       help="phases for the chip as built: by its known errors, or by "
                            "measuring it (none)")
    group.add_argument("--search", action="store_true", help="then the DAC codes beside these")
    group.add_argument("--dummies", action="store_true", help="equal loss on all ways of a mesh")
    group.add_argument("--chip-seed", type=_not_negative, default=1, metavar="SEED",
                       help="another seed is another chip (1)")


def _photonic_given(options: argparse.Namespace) -> dict[str, bool]:
    given = {name: getattr(options, value) is not None for name, value in PHOTONIC_VALUES.items()}
    return given | {"--device-file": options.device_file is not None, "--calibrate": options.calibrate != "none",
                    "--mapping": options.mapping != "design", "--search": options.search,
                    "--dummies": options.dummies,
                    "--bias": options.bias != "optical", "--chip-seed": options.chip_seed != 1}


def parser(description: str, sizes: Sequence[str]) -> Parser:
    """Options of every workload. Those with default None take the size's preset."""
    p = Parser(description=description)
    run = p.add_argument_group("the run")
    run.add_argument("-o", "--output", dest="out", type=Path, required=True, metavar="RUN_DIR",
                     help="folder for log, checkpoints and caches")
    run.add_argument("--name", help="label in the log and in pictures (RUN_DIR's name)")
    run.add_argument("--resume", action="store_true", help="continue from RUN_DIR's checkpoint")
    run.add_argument("--overwrite", action="store_true", help="replace a run that is in RUN_DIR")
    run.add_argument("--seed", type=_not_negative, default=1,
                     help="of initialisation, order of the data and stochastic rounding (1)")
    run.add_argument("--stop-at", type=positive, metavar="STEP",
                     help="write a checkpoint after this step and stop, to be resumed later")
    run.add_argument("--checkpoint-every", type=_not_negative, default=0, metavar="STEPS",
                     help="0: at an interruption only (0)")
    run.add_argument("--timeout", type=_positive_float, default=300.0, metavar="SECONDS",
                     help="after which a collective that does not end is an error (300)")

    training = p.add_argument_group("training (defaults by --size)")
    training.add_argument("--size", choices=sizes, default=sizes[0], help=f"preset ({sizes[0]})")
    training.add_argument("--steps", type=positive)
    training.add_argument("--batch", type=positive, help="samples a worker and step")
    training.add_argument("--learning-rate", dest="lr", type=_positive_float, help="highest learning rate")
    training.add_argument("--valid-every", type=positive, metavar="STEPS")
    training.add_argument("--data", type=Path, metavar="DIR", help="folder with the data set")

    training.add_argument("--device", choices=("cpu", "cuda"), default="cpu",
                          help="cuda: the workers share the machine's GPUs in turn (cpu)")

    collective = p.add_argument_group("all-reduce of the gradients")
    collective.add_argument("--virtual-servers", type=positive, metavar="K",
                            help="one process computes the gradients of K servers in turn and "
                                 "averages them as K processes would")
    collective.add_argument("--collective", choices=("ring", "optinc"), default="ring",
                            help="ring: DDP's own, floats over Gloo (ring)")
    collective.add_argument("--design", type=Path, metavar="FILE",
                            help="made by: optinc design (optinc only)")
    collective.add_argument("--bits", type=positive,
                            help="must be the design's, as a check (optinc only)")
    collective.add_argument("--backend", choices=("exact", "table", "onn", "photonic"),
                            help="how the switch is executed; exact if the design is proved so, "
                                 "else table (optinc only)")
    collective.add_argument("--rounding", choices=("nearest", "stochastic"), default="nearest",
                            help="of the quantisation (nearest; optinc only)")
    collective.add_argument("--block-size", type=positive, metavar="ELEMENTS",
                            help="elements that share a scale (64; optinc only)")
    collective.add_argument("--alternate", action=argparse.BooleanOptionalAction,
                            help="negate every second element, the others in the next step, so "
                                 "that the switch's half up has no bias (on; optinc only)")
    collective.add_argument("--error-feedback", action="store_true",
                            help="add each step's quantisation error to the next (optinc only)")
    collective.add_argument("--measure-every", type=_not_negative, default=0, metavar="STEPS",
                            help="compare with an exact all-reduce; 0: never (0; optinc only)")
    _add_photonic(p)
    return p


def require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)


def check(options: argparse.Namespace) -> None:
    """What one option asks of another."""
    if options.resume and options.overwrite:
        raise UserError("--resume and --overwrite exclude each other")
    if options.collective == "optinc" and options.design is None:
        raise UserError("--collective optinc needs --design FILE (make one with: optinc design "
                        "--servers 4 --bits 8 --method constructed -o FILE)")
    if options.collective == "ring":
        optinc_only = {"--design": options.design, "--bits": options.bits,
                       "--backend": options.backend, "--measure-every": options.measure_every,
                       "--error-feedback": options.error_feedback,
                       "--block-size": options.block_size,
                       "--alternate": options.alternate is not None,
                       "--rounding": options.rounding != "nearest"}
        for name, value in optinc_only.items():
            if value:
                raise UserError(f"{name} is for --collective optinc")
    if options.backend != "photonic":
        for name, given in _photonic_given(options).items():
            if given:
                raise UserError(f"{name} is for --backend photonic")


def with_preset(options: argparse.Namespace, preset: dict) -> argparse.Namespace:
    """Fills the options that were not given from the size's preset."""
    for key, value in preset.items():
        if getattr(options, key, None) is None:
            setattr(options, key, value)
    return options


def parse(p: Parser, arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    options = p.parse_args(arguments)
    check(options)
    return options
