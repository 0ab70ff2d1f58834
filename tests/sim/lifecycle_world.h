/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of lifecycle_sim.h share: the world, and the two hosts that
 * can live in it.  lifecycle_stub.c steps the lifecycle itself, with numbers
 * for certificates; lifecycle_real.c has a cm_manager, which makes real ones.
 */
#ifndef TESTS_SIM_LIFECYCLE_WORLD_H
#define TESTS_SIM_LIFECYCLE_WORLD_H

#include "certmgr/lifecycle.h"
#include "tests/sim/lifecycle_sim.h"
#include "tests/sim/random.h"

#include <stdint.h>

#define MINUTE INT64_C(60)
#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define YEAR (365 * DAY)

#define BUILD_DATE INT64_C(1767225600)
#define START (BUILD_DATE + 30 * DAY)

/* More steps than this at one moment: it turns in circles. */
#define STEPS_AT_ONCE 400

/* A document as a client has it. */
typedef struct document {
  int known;
  /* True time; if the server could not publish, when that began. */
  int64_t fetched;
  /* Of the active certificate and the standby, 0 if there is none. */
  uint64_t keys[2];
  int64_t refresh_after;
  int64_t valid_until;
} document;

/* What is served. */
typedef struct served {
  uint64_t key;
  int64_t not_before;
  int64_t not_after;
} served;

typedef struct world world;

/* A host.  What is violated it tells with world_violated(). */
typedef struct host_ops {
  /* A new process: memory is gone, the disk is there. */
  int (*boot)(world *w);
  /* Gives |command|, and steps until there is nothing to be done now. */
  int (*settle)(world *w, cm_command command);
  /* Gives |*now|, or returns 0 if nothing is served. */
  int (*serving)(world *w, served *now);
  /* Frees everything. */
  void (*end)(world *w);
} host_ops;

struct world {
  const lifecycle_sim_options *options;
  lifecycle_sim_report *report;
  const host_ops *ops;
  void *host; /* Of lifecycle_real.c. */
  sim_random random;

  int64_t truth;
  int64_t error; /* wall = truth + error */
  int64_t mono;
  /* The clock is right enough for what is promised to clients. */
  int near;

  /* The host's, to be read. */
  const cm_lifecycle *lc;
  int64_t wait;
  cm_refused refused;
  int busy; /* The store is at work; nothing else is done until it is not. */

  /* What the server hands out, and since when it would rather hand out
     something else; 0 if it does not. */
  document current;
  int64_t stale_since;

  /* The faults of now: when each ends, 0 if there is none. */
  int64_t fault_end[LIFECYCLE_SIM_KINDS];
  int64_t next_fault;
};

/* --- for the hosts ------------------------------------------------------ */

/* A number in low..high. */
int64_t world_between(world *w, int64_t low, int64_t high);
int world_chance(world *w, unsigned of_1000);
/* A number in 1..high, each order of magnitude as likely as the other. */
int64_t world_spread(world *w, int64_t high);

/* What a certificate is known by here: the first octets of its hash. */
uint64_t world_key(const uint8_t *sha256);

int world_fault(const world *w, unsigned kind);
/* Whether the power fails at the action that comes now. */
int world_crashes(world *w);
/* The time it takes to come back. */
void world_crashed(world *w, int action);

/* |doc| is handed out from now on; |known| and |fetched| are not looked at. */
void world_published(world *w, const document *doc);

/* Notes the first violation.  -1 */
int world_violated(world *w, const char *what);
void world_trace(const world *w, const char *what, int64_t value);
void world_trace_event(const world *w, const char *event, uint64_t id,
                       const char *from, const char *to, int64_t value);

/* Checks the lifecycle's invariants: 0 or -1. */
int world_check(world *w);

extern const host_ops lifecycle_stub;
extern const host_ops lifecycle_real;

#endif
