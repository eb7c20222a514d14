# SPDX-License-Identifier: Apache-2.0
"""A LLaMA-based language model on Wikipedia text."""
