# SPDX-License-Identifier: Apache-2.0
"""Training workloads that compare OptINC with a float ring."""
