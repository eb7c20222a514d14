# SPDX-License-Identifier: Apache-2.0
"""Errors that are the user's to mend: shown as one line, without a traceback."""


class UserError(Exception):
    """Bad options or bad input. The message names the file or option and what was expected."""


class TrainingFailed(Exception):
    """The training itself went wrong (a loss that is NaN). The message names step and seed."""
