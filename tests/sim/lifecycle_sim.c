/* SPDX-License-Identifier: Apache-2.0 */
/* The world: time, faults, clients.  See lifecycle_world.h for the hosts. */
#include "tests/sim/lifecycle_sim.h"

#include "certmgr/lifecycle.h"
#include "tests/sim/lifecycle_world.h"

#include <inttypes.h>
#include <string.h>

/* Documents in clients' hands. */
#define DOCUMENTS 64
/* Clients come this often, in seconds, and whenever something has changed. */
#define CONNECT_EVERY (10 * MINUTE)
/* No certificate that is in use now was made before this. */
#define AFTERMATH (15 * DAY)
/* A clock that was wrong for longer than this may have been trusted. */
#define TRUSTED (50 * MINUTE)
/* A certificate is never valid for longer. */
#define LIFE_MAX (14 * DAY)

/* A document, and what the server's clock said when it was learnt. */
typedef struct learnt {
  document doc;
  int64_t wall;
} learnt;

/* The clients' side, which no host sees. */
typedef struct clients {
  learnt learnt[DOCUMENTS];
  unsigned nlearnt;
  int64_t next_fetch;
  int64_t next_connect;
  /* What was served when they last looked. */
  served last;
  /* The operator has put a certificate in service, or is about to: so many
     seconds before its time. */
  int operated;
  uint64_t early_key;
  int64_t early;
  /* How far the server's clock was ahead, and until when that may show. */
  int64_t ahead;
  int64_t ahead_until;
} clients;

/* --- chance ------------------------------------------------------------- */

int64_t world_between(world *w, int64_t low, int64_t high) {
  return low +
         (int64_t)sim_random_below(&w->random, (uint64_t)(high - low + 1));
}

int world_chance(world *w, unsigned of_1000) {
  return sim_random_below(&w->random, 1000) < of_1000;
}

int64_t world_spread(world *w, int64_t high) {
  int64_t top = 1;
  int bits = 0;

  while (top < high) {
    top *= 2;
    bits++;
  }
  top = INT64_C(1) << world_between(w, 0, bits);
  top = world_between(w, (top + 1) / 2, top);
  return top < high ? top : high;
}

/* --- reporting ---------------------------------------------------------- */

int world_violated(world *w, const char *what) {
  if (w->report->violation == NULL) {
    w->report->violation = what;
    w->report->at = w->truth - START;
    world_trace(w, what, 0);
  }
  return -1;
}

void world_trace(const world *w, const char *what, int64_t value) {
  if (w->options->trace != NULL) {
    fprintf(w->options->trace, "%12.6f d  %s %" PRId64 "\n",
            (double)(w->truth - START) / (double)DAY, what, value);
  }
}

void world_trace_event(const world *w, const char *event, uint64_t id,
                       const char *from, const char *to, int64_t value) {
  if (w->options->trace != NULL) {
    fprintf(w->options->trace, "%12.6f d    %s %" PRIu64 " %s %s %" PRId64 "\n",
            (double)(w->truth - START) / (double)DAY, event, id, from, to,
            value);
  }
}

int world_check(world *w) {
  static const char *const texts[] = {
      "",
      "invariant 1: something is served that is not durable or published",
      "invariant 2: the number of certificates in use",
      "invariant 3: something is served that is not valid",
      "invariant 4: something is used twice",
      "invariant 5: a document's number is not reserved",
      "invariant 6: something is valid for too long",
  };
  int rv = cm_lifecycle_check(w->lc);

  w->report->steps++;
  if (rv != 0) {
    return world_violated(w, texts[rv]);
  }
  return w->report->violation == NULL ? 0 : -1;
}

/* --- faults ------------------------------------------------------------- */

static int index_of(unsigned kind) {
  int i = 0;

  while ((1U << i) != kind) {
    i++;
  }
  return i;
}

uint64_t world_key(const uint8_t *sha256) {
  uint64_t key = 0;

  for (int i = 0; i < 8; i++) {
    key |= (uint64_t)sha256[i] << (8 * i);
  }
  return key;
}

int world_fault(const world *w, unsigned kind) {
  return w->fault_end[index_of(kind)] != 0;
}

int world_crashes(world *w) {
  return world_fault(w, LIFECYCLE_SIM_CRASH) && world_chance(w, 200);
}

void world_crashed(world *w, int action) {
  world_trace(w, "crash", action);
  w->report->crashes++;
  w->truth += world_spread(w, HOUR / 4);
  /* A new process has memory enough. */
  w->fault_end[index_of(LIFECYCLE_SIM_ACTIVATE)] = 0;
  w->mono = world_between(w, 0, 1000000);
}

static void begin(world *w, unsigned kind, int64_t length) {
  w->fault_end[index_of(kind)] = w->truth + length;
}

/* --- the clients -------------------------------------------------------- */

static int names(const document *doc, uint64_t key) {
  return key != 0 && (doc->keys[0] == key || doc->keys[1] == key);
}

/* How far a client's clock may be behind: less, once the operator has put a
   certificate in service before its time. */
static int64_t get_slow(const world *w, const clients *c) {
  cm_promise promise;

  cm_profile_promise(&promise, w->options->profile);
  return promise.slow - (c->last.key == c->early_key ? c->early : 0);
}

/* Whether the server's clock is right enough for all that is promised: within
   the least jitter, by which every swap comes later than it could. */
static void judge_clock(world *w) {
  w->near = w->error <= w->options->profile->jitter_min &&
            w->error >= -w->options->profile->jitter_min;
}

void world_published(world *w, const document *doc) {
  w->current = *doc;
  w->current.known = doc->keys[0] != 0 && w->near;
}

static void fetch(world *w, clients *c) {
  learnt *l = &c->learnt[c->nlearnt++ % DOCUMENTS];
  document *doc = &l->doc;

  *doc = w->current;
  doc->fetched = w->truth;
  if (doc->refresh_after < doc->fetched) {
    doc->fetched = doc->refresh_after;
  }
  if (w->stale_since != 0 && w->stale_since < doc->fetched) {
    doc->fetched = w->stale_since;
  }
  doc->known = doc->known && w->near;
  l->wall = doc->fetched + w->error;
  if (doc->known && w->error == 0 && w->lc->state == CM_STATE_HEALTHY &&
      doc->valid_until < doc->fetched + w->options->profile->active) {
    (void)world_violated(w, "HEALTHY, and its document runs out too soon");
  }
}

/* A client whose clock is |skew| seconds ahead. */
static int connect_one(world *w, const served *now, int64_t skew) {
  int64_t clock = w->truth + skew;

  if (clock < now->not_before) {
    return world_violated(w, "a client with a slow clock refused");
  }
  /* Some browsers do not take the last second. */
  if (clock >= now->not_after) {
    return world_violated(w, "a client with a fast clock refused");
  }
  w->report->connects++;
  return 0;
}

static int connect_all(world *w, clients *c, const served *now) {
  const cm_profile *profile = w->options->profile;
  int64_t slow, fast, cached;
  cm_promise promise;

  cm_profile_promise(&promise, profile);
  cached = promise.cached + w->options->older;
  slow = get_slow(w, c) + w->options->slower - (w->error > 0 ? w->error : 0);
  fast = promise.fast + w->options->faster - (w->error < 0 ? -w->error : 0);
  if (w->truth < c->ahead_until) {
    /* A jump of less than a minute is none. */
    int64_t unnoticed = c->ahead < MINUTE ? c->ahead : MINUTE;

    if (c->ahead > w->error) {
      slow -= c->ahead - (w->error > 0 ? w->error : 0);
    }
    if (unnoticed > profile->jitter_min) {
      cached -= unnoticed - profile->jitter_min;
    }
  }
  if (!w->near || slow < 0 || fast < 0) {
    return 0;
  }
  for (size_t i = 0; i < DOCUMENTS; i++) {
    const learnt *l = &c->learnt[i];
    const document *doc = &l->doc;

    if (!doc->known || w->truth - doc->fetched > cached ||
        w->truth + w->error - l->wall > cached ||
        w->truth >= doc->valid_until + w->options->older ||
        w->truth + w->error >= doc->valid_until + w->options->older) {
      continue;
    }
    if (now->key == 0) {
      return world_violated(w, "a client found nothing served");
    }
    if (!names(doc, now->key)) {
      world_trace(w, "its document was fetched at", doc->fetched - START);
      return world_violated(w, "a client did not know the hash");
    }
    if (connect_one(w, now, -slow) != 0 || connect_one(w, now, fast) != 0 ||
        connect_one(w, now, world_between(w, -slow, fast)) != 0) {
      world_trace(w, "its document was fetched at", doc->fetched - START);
      return -1;
    }
  }
  return 0;
}

static int look(world *w, clients *c) {
  const cm_profile *profile = w->options->profile;
  int64_t planned;
  served now = {0, 0, 0};

  if (w->busy) {
    return 0;
  }
  if (!w->ops->serving(w, &now)) {
    now.key = 0;
  }
  if (w->report->violation != NULL) {
    return -1;
  }
  if (now.key != c->last.key) {
    planned = now.not_before + profile->backdate + profile->standby;
    if (now.key != 0 && c->operated && planned > w->truth) {
      c->early_key = now.key;
      c->early = planned - w->truth;
    }
    c->operated &= now.key == 0;
  } else if (w->truth < c->next_connect) {
    return 0;
  }
  c->last = now;
  c->next_connect = w->truth + CONNECT_EVERY;
  return connect_all(w, c, &now);
}

/* --- what happens ------------------------------------------------------- */

/* Hashes do not count any more, but those that name |key|. */
static void forget(world *w, clients *c, uint64_t key) {
  for (size_t i = 0; i < DOCUMENTS; i++) {
    c->learnt[i].doc.known &= names(&c->learnt[i].doc, key);
  }
  w->current.known &= names(&w->current, key);
}

static int operate(world *w, clients *c) {
  static const cm_command commands[] = {CM_COMMAND_ROTATE, CM_COMMAND_ROTATE,
                                        CM_COMMAND_ROTATE_FORCED,
                                        CM_COMMAND_REVOKE, CM_COMMAND_RESET};
  cm_command command = commands[world_between(w, 0, 4)];
  const cm_slot *standby = cm_lifecycle_standby(w->lc);
  int64_t wall = w->truth + w->error;
  uint64_t next = 0;

  if (standby != NULL && standby->published && standby->not_before <= wall &&
      command != CM_COMMAND_RESET) {
    next = world_key(standby->sha256);
  }
  world_trace(w, "command", (int64_t)command);
  /* Out of memory, and at the operator's word, is too much. */
  w->fault_end[index_of(LIFECYCLE_SIM_ACTIVATE)] = 0;
  if (w->ops->settle(w, command) != 0) {
    return -1;
  }
  if (w->refused == CM_COMMAND_ACCEPTED) {
    forget(w, c, next);
    c->operated = 1;
  }
  return 0;
}

/* The wall clock jumps, and |seconds| later it jumps back. */
static void set_clock(world *w, clients *c) {
  int64_t length = world_chance(w, 700) ? world_spread(w, TRUSTED)
                                        : world_spread(w, 10 * DAY);

  w->error = world_spread(w, 50 * YEAR) * (world_chance(w, 500) ? 1 : -1);
  world_trace(w, "clock", w->error);
  /* The same for the wrong time. */
  w->fault_end[index_of(LIFECYCLE_SIM_ACTIVATE)] = 0;
  if (w->error > 0) {
    int64_t max = w->options->profile->jitter_min;
    if (length > TRUSTED) {
      max = LIFE_MAX;
    } else if (max < MINUTE) {
      max = MINUTE;
    }
    c->ahead = w->error < max ? w->error : length > TRUSTED ? 0 : max;
    c->ahead_until = INT64_MAX;
  }
  judge_clock(w);
  if (!w->near && length > TRUSTED) {
    forget(w, c, 0);
  }
  begin(w, LIFECYCLE_SIM_CLOCK, length);
}

static int begin_fault(world *w, clients *c) {
  const cm_profile *profile = w->options->profile;
  unsigned kind = 1U << world_between(w, 0, LIFECYCLE_SIM_KINDS - 1);
  int64_t room;

  w->next_fault = w->truth + world_between(w, HOUR, 20 * DAY);
  if ((kind & w->options->faults) == 0 || world_fault(w, kind)) {
    return 0;
  }
  world_trace(w, "fault", (int64_t)kind);
  switch (kind) {
  case LIFECYCLE_SIM_CRASH:
    if (world_chance(w, 300)) {
      /* Switched off. */
      w->truth += world_spread(w, 30 * DAY);
      w->mono = world_between(w, 0, 1000000);
      w->report->crashes++;
      w->fault_end[index_of(LIFECYCLE_SIM_ACTIVATE)] = 0;
      return w->ops->boot(w);
    }
    begin(w, kind, world_spread(w, 12 * DAY));
    return 0;
  case LIFECYCLE_SIM_SLEEP:
    /* The monotonic clock stands. */
    w->truth += world_spread(w, 30 * DAY);
    return 0;
  case LIFECYCLE_SIM_OPERATOR:
    return operate(w, c);
  case LIFECYCLE_SIM_CLOCK:
    set_clock(w, c);
    return 0;
  case LIFECYCLE_SIM_ACTIVATE:
    /* A swap is tried again after ten minutes at the latest; the slack is
       there for that. */
    room = profile->slack - profile->jitter_max - 13 * MINUTE;
    if (w->lc->state == CM_STATE_HEALTHY && w->error == 0) {
      begin(w, kind, world_spread(w, room > 1 ? room : 1));
    }
    return 0;
  default:
    begin(w, kind, world_spread(w, 5 * DAY));
    return 0;
  }
}

static void end_fault(world *w, clients *c, unsigned kind) {
  world_trace(w, "end of fault", (int64_t)kind);
  w->fault_end[index_of(kind)] = 0;
  if (kind == LIFECYCLE_SIM_CLOCK) {
    w->error = 0;
    judge_clock(w);
    if (c->ahead_until == INT64_MAX) {
      c->ahead_until = w->truth + AFTERMATH;
    }
  }
}

static int end_faults(world *w, clients *c) {
  int n = 0;

  for (int i = 0; i < LIFECYCLE_SIM_KINDS; i++) {
    if (w->fault_end[i] != 0 && w->truth >= w->fault_end[i]) {
      end_fault(w, c, 1U << i);
      n++;
    }
  }
  return n;
}

/* Notes since when the server hands out what it would rather not. */
static void judge_document(world *w) {
  cm_document doc;
  uint64_t active = 0, standby = 0;

  cm_lifecycle_document(w->lc, &doc);
  if (doc.active != NULL) {
    active = world_key(doc.active->sha256);
  }
  if (doc.standby != NULL) {
    standby = world_key(doc.standby->sha256);
  }
  if (!w->current.known ||
      (active == w->current.keys[0] && standby == w->current.keys[1])) {
    w->stale_since = 0;
  } else if (w->stale_since == 0) {
    w->stale_since = w->truth;
  }
}

/* Lets time go by until something is due. */
static void pass(world *w) {
  int64_t wait = w->wait;

  for (int i = 0; i < LIFECYCLE_SIM_KINDS; i++) {
    if (w->fault_end[i] != 0 && w->fault_end[i] - w->truth < wait) {
      wait = w->fault_end[i] - w->truth;
    }
  }
  if (w->next_fault - w->truth < wait) {
    wait = w->next_fault - w->truth;
  }
  if (wait < 1) {
    wait = 1;
  }
  w->truth += wait;
  w->mono += wait;
  if (w->lc->state == CM_STATE_HEALTHY) {
    w->report->healthy += wait;
  }
}

static int live(world *w, clients *c) {
  int64_t end = START + w->options->days * DAY;

  while (w->truth < end) {
    if (w->ops->settle(w, CM_COMMAND_NONE) != 0) {
      return -1;
    }
    judge_document(w);
    if (look(w, c) != 0) {
      return -1;
    }
    if (w->truth >= c->next_fetch) {
      fetch(w, c);
      c->next_fetch = w->truth + world_between(w, HOUR, 20 * HOUR);
    }
    if (w->report->violation != NULL) {
      return -1;
    }
    pass(w);
    if (end_faults(w, c) == 0 && w->truth >= w->next_fault &&
        begin_fault(w, c) != 0) {
      return -1;
    }
  }
  return 0;
}

int lifecycle_sim_run(const lifecycle_sim_options *options,
                      lifecycle_sim_report *report) {
  world w;
  clients c;
  int rv;

  memset(&w, 0, sizeof(w));
  memset(&c, 0, sizeof(c));
  memset(report, 0, sizeof(*report));
  w.options = options;
  w.report = report;
  w.ops = options->real ? &lifecycle_real : &lifecycle_stub;
  sim_random_seed(&w.random, options->seed);
  w.truth = START;
  w.mono = world_between(&w, 0, 1000000);
  w.next_fault = START + world_between(&w, 0, 20 * DAY);
  judge_clock(&w);
  rv = w.ops->boot(&w);
  if (rv == 0) {
    rv = live(&w, &c);
  }
  w.ops->end(&w);
  return rv;
}

void lifecycle_sim_draw_profile(cm_profile *profile, uint64_t seed) {
  sim_random random;

  sim_random_seed(&random, seed ^ UINT64_C(0xcab1e));
  do {
    cm_profile *p = profile;
    p->backdate = 300 + (int64_t)sim_random_below(&random, 3 * DAY);
    p->active = HOUR + (int64_t)sim_random_below(&random, 10 * DAY);
    /* Half of them hot. */
    p->standby =
        sim_random_chance(&random, 500000)
            ? p->active
            : (int64_t)sim_random_below(&random, (uint64_t)p->active + 1);
    p->guard = 300 + (int64_t)sim_random_below(&random, 3 * DAY);
    p->slack = 1 + (int64_t)sim_random_below(&random, (uint64_t)p->guard);
    p->jitter_max = (int64_t)sim_random_below(
        &random,
        (uint64_t)(p->slack < p->active / 8 ? p->slack : p->active / 8));
    p->jitter_min =
        (int64_t)sim_random_below(&random, (uint64_t)p->jitter_max + 1);
    p->max_age = 1 + (int64_t)sim_random_below(&random, 2 * HOUR);
  } while (cm_profile_check(profile) != NULL);
}
