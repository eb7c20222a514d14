/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_CODEC_CHECK_H
#define OI_CODEC_CHECK_H

#include "optinc/codec.h"

/* Every field in its range. */
optinc_status oi_codec_check(const optinc_codec *codec);
optinc_status oi_result_scale_check(const optinc_result_scale *scale);

#endif
