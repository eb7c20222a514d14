# SPDX-License-Identifier: Apache-2.0
"""What all workloads share: command line, launch, trainer, log, checkpoints, progress."""
