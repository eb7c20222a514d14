/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's whole public API. The toolchain's headers are onn.h, train.h, optics.h, synthesis.h,
 * layout.h and cluster.h; synthesis.h includes all but the last two. */
#ifndef OPTINC_OPTINC_H
#define OPTINC_OPTINC_H

#include "optinc/base.h"
#include "optinc/codec.h"
#include "optinc/collective.h"
#include "optinc/design.h"
#include "optinc/faults.h"
#include "optinc/reference.h"
#include "optinc/switch.h"

#endif
