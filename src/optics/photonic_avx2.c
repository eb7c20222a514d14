/* SPDX-License-Identifier: Apache-2.0 */
#include "optics/photonic_loops.h"

const oi_photonic_kernels oi_photonic_kernels_avx2 = {multiply, normals, receive, leak};
