/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/timeline.h"

#include "certmgr/lifecycle.h"

#include <string.h>

/* The day on which it begins, 2026-01-01: any will do. */
#define START INT64_C(1767225600)

#define DAY 86400
#define YEAR (365 * DAY)

/* More actions in a row than this are a loop. */
#define ACTIONS_MAX 64

typedef struct world {
  cm_timeline *timeline;
  cm_lifecycle lc;
  int64_t now; /* Since the beginning. */
  int64_t gap; /* Without a certificate in service, up to now. */
  uint64_t made;
  /* The certificates that are told, and those that are alive. */
  cm_timeline_certificate certificates[CM_TIMELINE_FIRST + CM_SLOTS];
} world;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static void put_number(uint8_t *dest, uint64_t n) {
  for (int i = 0; i < 8; i++) {
    dest[i] = (uint8_t)(n >> (8 * i));
  }
}

/* splitmix64: the jitter of certificate |n|. */
static uint32_t draw(uint64_t n) {
  uint64_t z = n * UINT64_C(0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(z >> 32);
}

/* A certificate is a number. */
static void generate(world *w, const cm_output *out, cm_result *result) {
  w->made++;
  put_number(result->sha256, out->id);
  put_number(result->serial, out->id);
  put_number(result->key_id, out->id);
  result->random = draw(w->made);
}

/* The place of |id|: for good if it is among the first, else for as long as it
   lives. */
static cm_timeline_certificate *place_of(world *w, uint64_t id) {
  uint64_t i = id - 1;

  if (i >= CM_TIMELINE_FIRST) {
    i = CM_TIMELINE_FIRST + i % CM_SLOTS;
  }
  return &w->certificates[i];
}

static void begin(world *w, uint64_t id) {
  const cm_slot *slot = cm_lifecycle_find(&w->lc, id);
  cm_timeline_certificate *c = place_of(w, id);

  *c = (cm_timeline_certificate){
      .id = id,
      .not_before = slot->not_before - START,
      .not_after = slot->not_after - START,
      .made = w->now,
      .published = CM_TIMELINE_NEVER,
      .ready = CM_TIMELINE_NEVER,
      .activated = CM_TIMELINE_NEVER,
      .retired = CM_TIMELINE_NEVER,
      .destroyed = CM_TIMELINE_NEVER,
  };
  w->timeline->certificates++;
}

static void swapped(world *w, const cm_timeline_certificate *old,
                    const cm_timeline_certificate *next) {
  cm_timeline *t = w->timeline;

  t->swaps++;
  t->public_min = min64(t->public_min, w->now - next->published);
  t->overlap_min = min64(t->overlap_min, old->not_after - next->not_before);
  t->guard_min = min64(t->guard_min, old->not_after - w->now);
}

/* In one step the old certificate is RETIRED before the new one is ACTIVE. */
static void follow(world *w, const cm_output *out) {
  const cm_timeline_certificate *retired = NULL;

  for (size_t i = 0; i < out->nevents; i++) {
    const cm_event *event = &out->events[i];
    cm_timeline_certificate *c;

    if (event->kind != CM_EVENT_CERTIFICATE) {
      continue;
    }
    c = place_of(w, event->id);
    switch ((cm_cert_state)event->to) {
    case CM_CERT_GENERATED:
      begin(w, event->id);
      break;
    case CM_CERT_PUBLISHED:
      c->published = w->now;
      break;
    case CM_CERT_READY:
      c->ready = w->now;
      break;
    case CM_CERT_ACTIVE:
      c->activated = w->now;
      if (retired != NULL) {
        swapped(w, retired, c);
      }
      break;
    case CM_CERT_RETIRED:
      c->retired = w->now;
      retired = c;
      break;
    case CM_CERT_DESTROYED:
      c->destroyed = w->now;
      break;
    default:
      break;
    }
  }
}

/* Nothing happens for |seconds|. */
static void pass(world *w, int64_t seconds) {
  cm_timeline *t = w->timeline;
  const cm_slot *standby = cm_lifecycle_standby(&w->lc);
  int64_t wall = START + w->now;

  if (standby != NULL && standby->state == CM_CERT_READY) {
    int64_t from = max64(wall, standby->not_before);
    t->ready += max64(0, wall + seconds - from);
  }
  if (cm_lifecycle_serving(&w->lc, wall) == NULL ||
      cm_lifecycle_serving(&w->lc, wall + seconds - 1) == NULL) {
    w->gap += seconds;
    t->gap_max = max64(t->gap_max, w->gap);
  } else {
    w->gap = 0;
  }
  w->now += seconds;
}

int cm_timeline_run(cm_timeline *t, const cm_profile *profile, int years) {
  world w;
  cm_input in;
  cm_output out;
  int actions = 0;

  if (years < 1 || years > CM_TIMELINE_YEARS_MAX) {
    return CM_ERR_INVALID;
  }
  memset(t, 0, sizeof(*t));
  t->profile = *profile;
  cm_profile_promise(&t->promise, profile);
  t->length = (int64_t)years * YEAR;
  t->public_min = t->overlap_min = t->guard_min = CM_TIMELINE_NEVER;
  memset(&w, 0, sizeof(w));
  w.timeline = t;
  cm_lifecycle_init(&w.lc, profile, START, 1);
  memset(&in, 0, sizeof(in));
  for (;;) {
    in.wall = START + w.now;
    in.mono = w.now;
    cm_lifecycle_step(&w.lc, &in, &out);
    if (cm_lifecycle_check(&w.lc) != 0 || ++actions > ACTIONS_MAX) {
      return CM_ERR_SELF_CHECK;
    }
    follow(&w, &out);
    memset(&in.result, 0, sizeof(in.result));
    in.result.action = out.action;
    switch (out.action) {
    case CM_ACTION_GENERATE:
      generate(&w, &out, &in.result);
      break;
    case CM_ACTION_PERSIST:
      t->saves++;
      break;
    case CM_ACTION_PUBLISH:
      t->documents++;
      break;
    case CM_ACTION_NONE:
      if (w.now == t->length) {
        goto out;
      }
      pass(&w, min64(out.wait, t->length - w.now));
      actions = 0;
      break;
    default:
      break;
    }
  }
out:
  while (t->nfirst < CM_TIMELINE_FIRST && t->nfirst < t->certificates) {
    t->first[t->nfirst] = w.certificates[t->nfirst];
    t->nfirst++;
  }
  return 0;
}

static void add_span(cm_span spans[CM_PHASE_COUNT], size_t *n, cm_phase phase,
                     int64_t *from, int64_t to) {
  if (to > *from) {
    spans[(*n)++] = (cm_span){phase, *from, to};
    *from = to;
  }
}

size_t cm_timeline_spans(cm_span spans[CM_PHASE_COUNT],
                         const cm_timeline_certificate *c) {
  int64_t from = min64(c->made, c->not_before);
  int64_t standby_from = max64(c->made, c->not_before);
  size_t n = 0;

  add_span(spans, &n,
           c->made < c->not_before ? CM_PHASE_COLD : CM_PHASE_BACKDATE, &from,
           min64(standby_from, c->not_after));
  add_span(spans, &n, CM_PHASE_STANDBY, &from,
           min64(c->activated, c->not_after));
  add_span(spans, &n, CM_PHASE_ACTIVE, &from, min64(c->retired, c->not_after));
  add_span(spans, &n, CM_PHASE_GUARD, &from, c->not_after);
  return n;
}
