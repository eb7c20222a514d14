/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_SYNTHESIS_BUDGET_H
#define OI_SYNTHESIS_BUDGET_H

#include "optinc/synthesis.h"

double oi_decibel(double power_ratio);

/* What the servers' transceivers take that send `bits` each, and receive as many meanwhile. */
static inline double oi_transceivers_pj(double servers, double bits, double pj_per_bit)
{
    return servers * bits * pj_per_bit;
}

/* Levels of a unit told apart with errors of 1e-10 a decision. */
double oi_snr_db_needed(const optinc_unit *unit);

/* At a receiver whose largest signal has the amplitude `light`, 1 being what modulators launch. */
double oi_received_dbm(const optinc_device *device, double light);
double oi_snr_db(const optinc_device *device, double light);

/* Headroom in dB, the least of three: light above the detector's sensitivity, gain below the
 * amplifier's, signal above the noise. */
typedef struct oi_headroom {
    double db;
    enum { OI_HEADROOM_LIGHT, OI_HEADROOM_GAIN, OI_HEADROOM_NOISE } kind;
} oi_headroom;

oi_headroom oi_find_headroom(const optinc_device *device, double received_dbm, double gain_db,
                             double snr_db, double snr_db_needed);

#endif
