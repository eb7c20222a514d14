# SPDX-License-Identifier: Apache-2.0
"""The repository's VERSION; a test compares them."""

VERSION = "0.1.0"
