/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Years in the life of an appliance within a second: a virtual world with a
 * true time, a host whose clocks, disk, randomness and power fail, and clients
 * that have learnt hashes at some time and connect at another, with clocks of
 * their own.  The lifecycle is the real one; certificates are stubs.  The same
 * seed gives the same world on every platform.
 *
 * Checked after every step: the invariants of cm_lifecycle_check(), that
 * nothing is served whose key is gone, that document numbers grow for ever,
 * crashes included, and that nothing is destroyed while the clock is in doubt.
 *
 * Checked at every connect: a client is let in if it holds hashes of an age
 * and has a clock as the profile promises, and
 *   - its document has not run out: when no standby could be made for a while,
 *     documents say so;
 *   - the operator has not intervened since (after one rotation by hand, the
 *     hashes are still good if they name the standby of then, and clocks may
 *     be 22 hours off);
 *   - the server's own clock is right, and was so for two weeks, but for steps
 *     of less than an hour: after such a step, clients that learnt the hashes
 *     before it, or since, with a right clock, are let in.
 */
#ifndef TESTS_SIM_LIFECYCLE_SIM_H
#define TESTS_SIM_LIFECYCLE_SIM_H

#include "certmgr/profile.h"

#include <stdint.h>
#include <stdio.h>

/* What can go wrong. */
#define LIFECYCLE_SIM_CRASH 1
#define LIFECYCLE_SIM_DISK 2
#define LIFECYCLE_SIM_RANDOM 4
#define LIFECYCLE_SIM_CLOCK 8
#define LIFECYCLE_SIM_SLEEP 16
#define LIFECYCLE_SIM_OPERATOR 32
#define LIFECYCLE_SIM_ACTIVATE 64
#define LIFECYCLE_SIM_PUBLISH 128
#define LIFECYCLE_SIM_FSYNC 256
#define LIFECYCLE_SIM_ALL 511
#define LIFECYCLE_SIM_KINDS 9

typedef struct lifecycle_sim_options {
  uint64_t seed;
  int64_t days;
  unsigned faults;
  const cm_profile *profile;
  /* Real certificates, made by a cm_manager. */
  int real;
  /* By how much the clients go beyond what is promised, in seconds: their
     clocks, and the age of their hashes.  The world then has to object. */
  int64_t slower;
  int64_t faster;
  int64_t older;
  /* Every event goes there; NULL: none. */
  FILE *trace;
} lifecycle_sim_options;

typedef struct lifecycle_sim_report {
  /* NULL, or what was violated, and when, in seconds since the beginning. */
  const char *violation;
  int64_t at;
  uint64_t steps;
  uint64_t certificates;
  uint64_t swaps;
  uint64_t crashes;
  /* Connects that had to succeed, and did. */
  uint64_t connects;
  /* Seconds of true time in which the manager was HEALTHY. */
  int64_t healthy;
} lifecycle_sim_report;

/* Runs one world.  Returns 0, or -1 if something was violated. */
int lifecycle_sim_run(const lifecycle_sim_options *options,
                      lifecycle_sim_report *report);

/* A profile that passes its check and has no name, drawn from |seed|. */
void lifecycle_sim_draw_profile(cm_profile *profile, uint64_t seed);

#endif
