/* SPDX-License-Identifier: Apache-2.0 */
#include "optics/photonic_loops.h"

const oi_photonic_kernels oi_photonic_kernels_plain = {multiply, normals, receive, leak};
