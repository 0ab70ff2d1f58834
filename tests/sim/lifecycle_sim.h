/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Years in the life of an appliance within a second: a virtual world with a
 * true time, a host whose clocks, disk, randomness and power fail, and clients
 * that have learnt hashes at some time and connect at another, with clocks of
 * their own.  The lifecycle is the real one; certificates are stubs, or, with
 * |real|, a cm_manager makes them, signs the documents and fills a store.  The
 * same seed gives the same world on every platform.
 *
 * Checked after every step: the invariants of cm_lifecycle_check(), that
 * nothing is served whose key is gone, that document numbers grow for ever,
 * crashes included, and that nothing is destroyed while the clock is in doubt.
 * With |real|, also what the three browsers say to each certificate, now and
 * at both ends of its validity, and to its serial after all before; that its
 * key is its key; and that each document is signed by the same identity.
 *
 * Faults overlap.  All the time, and ten minutes after it at the latest,
 * clients come that have hashes of every age that the profile promises, with
 * clocks as slow and as fast as it promises, and in between: each gets in.  So
 * it is for every client whenever a process is there, but for these, whom no
 * server could let in:
 *
 *   its document has run out, and said so when it was learnt (valid_until):
 *     for days there was no disk, or no randomness, to make a standby with.  No
 *     document that is learnt while the manager is HEALTHY runs out early;
 *   its document was known to be old when it was learnt: it names a time to
 *     fetch the next one (refresh_after), or the server had another one that
 *     could not be published; then its age counts from that time;
 *   its document does not name the standby that the operator put into service
 *     before its time; and as that is younger than planned, clocks may be slow
 *     by so much less while it is in service (hot-standby: by 23 hours and a
 *     half still);
 *   the server's own clock is off, now, or was when the document was learnt, by
 *     more than the least jitter (hot-standby: 15 minutes), or was so after the
 *     document was learnt for longer than 50 minutes, long enough to be taken
 *     for the truth.  What it was ahead by, up to that, clocks may be slow by
 *     so much less until what was made then is gone.  All other steps of the
 *     clock, by fifty years too, cost nobody anything.
 *
 * A save may take some seconds (|real|), and a swap waits for it.  Two faults
 * are smaller than what a machine could do: a swap fails for want of
 * memory for no longer than the slack allows for, and not while a clock is
 * wrong or at the operator's word.
 */
#ifndef TESTS_SIM_LIFECYCLE_SIM_H
#define TESTS_SIM_LIFECYCLE_SIM_H

#include "certmgr/profile.h"

#include <stdint.h>
#include <stdio.h>

/*
 * What can go wrong: the power fails at an action, before it or after it, or
 * for up to 30 days; the disk is full; it is not, but what was written is not
 * flushed, and there after a crash, or not; there is no randomness, or the same
 * twice; the clock steps by a second to fifty years, either way, and back; the
 * machine sleeps for up to 30 days; the operator gives commands; a context
 * cannot be made; a document cannot be published.
 */
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
