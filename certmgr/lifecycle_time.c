/* SPDX-License-Identifier: Apache-2.0 */
/* What the time makes of the certificates: which of them have to go, and which
   come back. */
#include "certmgr/lifecycle.h"

#include "certmgr/lifecycle_internal.h"

#define MINUTE 60
#define DAY 86400

/* A certificate in its guard is taken back only if it can serve this long. */
#define LAST_RESORT_MIN MINUTE

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

/* Whether the time of |slot| has not come yet.  The least jitter is what every
   swap comes later than hashes that are as old as is promised need it to. */
static int is_early(const cm_lifecycle *lc, const cm_slot *slot) {
  return slot->active_at > lc->now + lc->profile.jitter_min;
}

/* Whether |slot| is planned to be the active one now. */
static int is_its_turn(const cm_lifecycle *lc, const cm_slot *slot) {
  return cm_slot_valid(slot, lc->now) && !is_early(lc, slot) &&
         lc->now < slot->retire_at;
}

/* Whether |a| is to be taken back rather than |b|; |b| may be NULL. */
static int is_better(const cm_lifecycle *lc, const cm_slot *a,
                     const cm_slot *b) {
  int a_begun = !is_early(lc, a);

  if (b == NULL) {
    return 1;
  }
  if (is_its_turn(lc, a) != is_its_turn(lc, b)) {
    return is_its_turn(lc, a);
  }
  if (a_begun == is_early(lc, b)) {
    return a_begun;
  }
  if (a->published != b->published) {
    return a->published;
  }
  if (a->outlived != b->outlived) {
    return b->outlived;
  }
  if (a->doubtful != b->doubtful) {
    return b->doubtful;
  }
  /* The last that was in service; among those that never were, the last whose
     turn has come, or else the next whose turn will come. */
  if (!a->doubtful && a->turn != b->turn) {
    return a->turn > b->turn;
  }
  return a_begun ? a->active_at > b->active_at : a->active_at < b->active_at;
}

/* The parked certificate that fits the time best, to become active; NULL if
   none does.  |last_resort|: even in its guard. */
static cm_slot *parked_active(cm_lifecycle *lc, int last_resort) {
  cm_slot *best = NULL;

  for (size_t i = 0; i < CM_SLOTS; i++) {
    cm_slot *slot = &lc->slots[i];
    if (slot->state == CM_CERT_RETIRED && slot->parked &&
        (last_resort ? cm_slot_valid(slot, lc->now) &&
                           lc->now < slot->not_after - LAST_RESORT_MIN
                     : is_its_turn(lc, slot)) &&
        is_better(lc, slot, best)) {
      best = slot;
    }
  }
  return best;
}

/* The parked certificate that is made to follow |active|, or NULL. */
static cm_slot *parked_standby(cm_lifecycle *lc, const cm_slot *active) {
  cm_slot *best = NULL;

  for (size_t i = 0; i < CM_SLOTS; i++) {
    cm_slot *slot = &lc->slots[i];
    int64_t since = active->retire_at - slot->active_at;
    /* Not before its time, for clocks that are slow; and not so late that it
       gives way before hashes are as old as is promised. */
    if (slot->state == CM_CERT_RETIRED && slot->parked && since >= 0 &&
        since <= slot->jitter && lc->now < slot->retire_at &&
        is_better(lc, slot, best)) {
      best = slot;
    }
  }
  return best;
}

static void recall(cm_step *s, cm_slot *slot) {
  const cm_lifecycle *lc = s->lc;

  slot->parked = 0;
  cm_emit(s, CM_EVENT_RECALLED, slot->id, 0, 0, 0);
  slot->settle = cm_profile_settle(&lc->profile);
  /* There are clients who know what was published once: when nothing else is
     left, it does not wait for being published again. */
  cm_set_state(s, slot,
               slot->published ? CM_CERT_PUBLISHED : CM_CERT_PERSISTED);
}

/* Whether its time is over for |active|, which a clock that went back has
   brought back: one that follows in its turn is not, if there is one. */
static int is_over(const cm_lifecycle *lc, const cm_slot *active,
                   const cm_slot *standby) {
  return lc->doubt > 0 && lc->now >= active->retire_at &&
         (standby == NULL || standby->doubtful || standby->turn > 0);
}

/* The one that is to be served in the place of |active|, or NULL: a clock that
   stood too far ahead has made that active before its time, or one that went
   back has brought it back, or one that was wrong has made it, and the one
   whose time it is has been kept. */
static const cm_slot *find_better(cm_lifecycle *lc, const cm_slot *active,
                                  const cm_slot *standby) {
  const cm_slot *slot;
  int doubtful = active->doubtful || active->outlived;

  if (!doubtful && !is_early(lc, active) && !is_over(lc, active, standby)) {
    return NULL;
  }
  slot = parked_active(lc, 0);
  /* It may have been made the standby of what is about to go. */
  if (standby != NULL && standby->state >= CM_CERT_PUBLISHED &&
      !standby->doubtful && is_its_turn(lc, standby) &&
      (slot == NULL || is_better(lc, standby, slot))) {
    slot = standby;
  }
  if (slot == NULL || (slot->outlived && !doubtful) ||
      !is_better(lc, slot, active)) {
    return NULL;
  }
  return slot;
}

/* Whether |standby| cannot follow |active| any more, which may be NULL, or was
   made for a time so much later that clients whose clocks are slow would refuse
   it. */
static int is_unfit(const cm_lifecycle *lc, const cm_slot *standby,
                    const cm_slot *active) {
  int last_resort = lc->retry[CM_ACTION_GENERATE].failures > 0;

  if (active != NULL) {
    return lc->now >= standby->retire_at ||
           standby->active_at >
               max64(active->retire_at, lc->now) + lc->profile.jitter_min;
  }
  if (!cm_slot_valid(standby, lc->now)) {
    return 1;
  }
  return !last_resort && (lc->now >= standby->retire_at ||
                          (!standby->published && is_early(lc, standby)));
}

/* Whether there is one that is to become active rather than |standby|: nobody
   knows what was never published, and who knows when it will be. */
static int is_second(cm_lifecycle *lc, const cm_slot *standby, int left) {
  const cm_slot *slot = parked_active(lc, 0);

  return slot != NULL && ((!standby->published && slot->published) ||
                          (left && is_better(lc, slot, standby)));
}

static void warn(cm_step *s) {
  cm_lifecycle *lc = s->lc;

  if (lc->without_standby >= DAY && lc->warned < 1) {
    lc->warned = 1;
    cm_emit(s, CM_EVENT_WARNING, 0, 0, 0, lc->without_standby);
  }
  if (lc->without_standby >= 3 * DAY && lc->warned < 2) {
    lc->warned = 2;
    cm_emit(s, CM_EVENT_ERROR, 0, 0, 0, lc->without_standby);
  }
}

void cm_follow_time(cm_step *s) {
  cm_lifecycle *lc = s->lc;
  cm_slot *active = cm_get_active(lc), *standby = cm_get_standby(lc), *slot;
  const cm_slot *better;
  int left = 0;

  if (active != NULL && !cm_slot_valid(active, lc->now)) {
    cm_park(s, active);
    active = NULL;
    left = 1;
  }
  better = active != NULL ? find_better(lc, active, standby) : NULL;
  if (better != NULL) {
    cm_park(s, active);
    active = NULL;
    if (standby != NULL && standby != better) {
      cm_park(s, standby);
      standby = NULL;
    }
  }
  if (standby != NULL && (is_unfit(lc, standby, active) ||
                          (active == NULL && is_second(lc, standby, left)))) {
    cm_park(s, standby);
    standby = NULL;
  }
  if (standby == NULL) {
    slot = active != NULL
               ? parked_standby(lc, active)
               : parked_active(lc, lc->retry[CM_ACTION_GENERATE].failures > 0);
    if (slot != NULL) {
      recall(s, slot);
      standby = slot;
    }
  }
  if (standby != NULL && active != NULL &&
      standby->state == CM_CERT_PUBLISHED && standby->settle == 0 &&
      cm_is_in_document(lc, standby->id)) {
    cm_set_state(s, standby, CM_CERT_READY);
  }
  warn(s);
}
