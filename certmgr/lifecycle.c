/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/lifecycle.h"

#include "certmgr/error.h"
#include "certmgr/lifecycle_internal.h"

#include <string.h>

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

/* Wall and monotonic time that differ by more than this have jumped. */
#define JUMP MINUTE
/* Asleep for longer than this: the clock may as well be wrong. */
#define SLEEP_MAX (31 * DAY)
/* For how long the clocks must run together to be trusted. */
#define SETTLE HOUR
/* A parked certificate is kept for as long as one can be valid. */
#define KEEP (14 * DAY)
/* The high-water mark is brought to the disk this often. */
#define SAVE_EVERY DAY
/* A certificate that fails its handshake this often is not tried again. */
#define ACTIVATE_TRIES 3

void cm_emit(cm_step *s, cm_event_kind kind, uint64_t id, int from, int to,
             int64_t value) {
  cm_output *out = s->out;

  if (out->nevents < CM_EVENTS_MAX) {
    out->events[out->nevents++] = (cm_event){kind, id, from, to, value};
  } else {
    out->events[CM_EVENTS_MAX - 1].kind = CM_EVENT_LOST;
  }
}

/* --- certificates ------------------------------------------------------- */

static void changed(cm_lifecycle *lc) { lc->version++; }

void cm_set_state(cm_step *s, cm_slot *slot, cm_cert_state state) {
  cm_emit(s, CM_EVENT_CERTIFICATE, slot->id, (int)slot->state, (int)state, 0);
  slot->state = state;
  changed(s->lc);
}

static cm_slot *find(cm_lifecycle *lc, uint64_t id) {
  return (cm_slot *)(uintptr_t)cm_lifecycle_find(lc, id);
}

cm_slot *cm_get_active(cm_lifecycle *lc) {
  return (cm_slot *)(uintptr_t)cm_lifecycle_active(lc);
}

cm_slot *cm_get_standby(cm_lifecycle *lc) {
  return (cm_slot *)(uintptr_t)cm_lifecycle_standby(lc);
}

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

void cm_park(cm_step *s, cm_slot *slot) {
  /* Nobody has ever heard of one that is not durable. */
  cm_set_state(s, slot, slot->durable ? CM_CERT_RETIRED : CM_CERT_QUARANTINED);
  if (slot->durable) {
    slot->parked = 1;
    slot->keep = KEEP;
    cm_emit(s, CM_EVENT_PARKED, slot->id, 0, 0, 0);
  }
}

/* --- time --------------------------------------------------------------- */

static void run_down(int64_t *left, int64_t elapsed) {
  *left = *left > elapsed ? *left - elapsed : 0;
}

/* |elapsed| seconds of running time have gone by. */
static void run(cm_lifecycle *lc, int64_t elapsed) {
  const cm_slot *standby = cm_lifecycle_standby(lc);

  for (size_t i = 0; i < CM_SLOTS; i++) {
    cm_slot *slot = &lc->slots[i];
    if (slot->state == CM_CERT_RETIRED && slot->parked) {
      run_down(&slot->keep, elapsed);
    } else if (slot->state == CM_CERT_PUBLISHED) {
      run_down(&slot->settle, elapsed);
    }
  }
  if (standby != NULL && standby->state == CM_CERT_READY) {
    lc->without_standby = 0;
    lc->warned = 0;
  } else if (!lc->no_time) {
    lc->without_standby += elapsed;
  }
}

/* The clock is trusted again: so is what is in use by it. */
static void vouch(cm_lifecycle *lc) {
  for (size_t i = 0; i < CM_SLOTS; i++) {
    cm_slot *slot = &lc->slots[i];
    if ((slot->doubtful || slot->outlived) && slot->state <= CM_CERT_ACTIVE) {
      slot->doubtful = slot->outlived = 0;
      changed(lc);
    }
  }
}

static void tell_time(cm_step *s) {
  cm_lifecycle *lc = s->lc;
  /* Far outside of what is taken for a time, and far from overflow. */
  int64_t wall = s->in->wall < -CM_WALL_MAX  ? -CM_WALL_MAX
                 : s->in->wall > CM_WALL_MAX ? CM_WALL_MAX + 1
                                             : s->in->wall;
  int64_t elapsed = 0, jump = 0;

  if (lc->started) {
    elapsed = s->in->mono > lc->mono ? s->in->mono - lc->mono : 0;
    jump = wall - lc->wall - elapsed;
  } else {
    lc->mono = s->in->mono;
    lc->doubt = SETTLE;
  }
  if (jump > JUMP || jump < -JUMP) {
    cm_emit(s, CM_EVENT_CLOCK, 0, 0, 0, jump);
    lc->doubt = SETTLE;
    lc->jumped = 1;
  } else {
    run_down(&lc->doubt, elapsed);
  }
  lc->no_time = !cm_wall_usable(lc, wall);
  if (!lc->no_time) {
    lc->now = wall;
  } else {
    lc->now = (lc->started ? lc->now : lc->high_water) + elapsed;
  }
  if (jump < -JUMP || jump > SLEEP_MAX ||
      (!lc->started && !lc->no_time && wall + JUMP < lc->high_water)) {
    lc->suspect = 1;
  }
  if (lc->started) {
    run(lc, elapsed);
  }
  lc->started = 1;
  lc->wall = wall;
  lc->mono += elapsed;
  if (lc->suspect) {
    lc->jumped = 1;
  }
  if (lc->doubt == 0 && !lc->no_time) {
    lc->suspect = 0;
    lc->jumped = 0;
    vouch(lc);
    lc->high_water = lc->now;
    if (lc->high_water > lc->saved_high_water + SAVE_EVERY ||
        lc->high_water < lc->saved_high_water) {
      lc->saved_high_water = lc->high_water;
      changed(lc);
    }
  }
}

int cm_lifecycle_trusts(const cm_lifecycle *lc) {
  return lc->doubt == 0 && !lc->no_time;
}

/* --- retries ------------------------------------------------------------ */

/* xorshift64*: it spreads retries, and guards nothing. */
static uint32_t draw(cm_lifecycle *lc) {
  lc->prng ^= lc->prng >> 12;
  lc->prng ^= lc->prng << 25;
  lc->prng ^= lc->prng >> 27;
  return (uint32_t)((lc->prng * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

static void failed(cm_step *s, cm_action action, uint64_t id, int status) {
  static const int ladder[] = {1, 5, 30, 120, 600};
  const uint32_t top = sizeof(ladder) / sizeof(ladder[0]) - 1;
  cm_retry *retry = &s->lc->retry[action];
  int64_t delay = ladder[retry->failures < top ? retry->failures : top];

  /* Between three quarters and five quarters of it. */
  delay = delay * 3 / 4 + (int64_t)(draw(s->lc) % (uint32_t)(delay / 2 + 1));
  retry->at = s->lc->mono + (delay > 0 ? delay : 1);
  retry->failures += retry->failures < UINT32_MAX;
  cm_emit(s, CM_EVENT_FAILED, id, (int)action, 0, status);
}

static void succeeded(cm_lifecycle *lc, cm_action action) {
  lc->retry[action] = (cm_retry){0, 0};
}

/* --- results ------------------------------------------------------------ */

static void add_certificate(cm_step *s, const cm_result *result) {
  cm_lifecycle *lc = s->lc;
  cm_slot *slot = find(lc, 0), *active = cm_get_active(lc);
  int64_t span = lc->profile.jitter_max - lc->profile.jitter_min;

  if (cm_lifecycle_standby(lc) != NULL || cm_is_reuse(lc, result)) {
    failed(s, CM_ACTION_GENERATE, lc->pending_id, CM_ERR_SELF_CHECK);
    return;
  }
  memset(slot, 0, sizeof(*slot));
  slot->id = lc->pending_id;
  slot->not_before = lc->pending_not_before;
  slot->not_after = lc->pending_not_after;
  slot->jitter =
      lc->profile.jitter_min + (int64_t)(result->random % (uint64_t)(span + 1));
  slot->active_at = lc->pending_active_at;
  slot->retire_at = slot->active_at + lc->profile.active + slot->jitter;
  slot->guard_at = slot->not_after - lc->profile.guard + lc->profile.slack;
  slot->doubtful = lc->jumped;
  memcpy(slot->sha256, result->sha256, sizeof(slot->sha256));
  memcpy(slot->serial, result->serial, sizeof(slot->serial));
  memcpy(slot->key_id, result->key_id, sizeof(slot->key_id));
  memcpy(lc->serials[lc->nserials++ % CM_SERIALS], result->serial,
         CM_LC_SERIAL_LEN);
  /* After the clock went back: do not wait for what is further off than a
     standby can be. */
  if (active != NULL && active->retire_at > slot->active_at) {
    active->retire_at = slot->active_at;
  }
  cm_set_state(s, slot, CM_CERT_GENERATED);
  succeeded(lc, CM_ACTION_GENERATE);
}

static void persisted(cm_step *s) {
  cm_lifecycle *lc = s->lc;

  lc->saved_before = lc->saved;
  lc->saved = lc->pending_version;
  lc->seq_limit = lc->pending_limit;
  for (size_t i = 0; i < CM_SLOTS; i++) {
    cm_slot *slot = &lc->slots[i];
    if (slot->state == CM_CERT_DESTROYED && slot->gone <= lc->saved_before) {
      memset(slot, 0, sizeof(*slot));
    } else if (slot->state != CM_CERT_EMPTY) {
      slot->durable = 1;
    }
    if (slot->state == CM_CERT_GENERATED) {
      uint64_t version = lc->version;
      cm_set_state(s, slot, CM_CERT_PERSISTED);
      /* That is what the image says already. */
      lc->version = version;
    }
  }
  succeeded(lc, CM_ACTION_PERSIST);
}

int cm_is_in_document(const cm_lifecycle *lc, uint64_t id) {
  return lc->doc_known && (lc->doc_active == id || lc->doc_standby == id);
}

static void published(cm_step *s) {
  cm_lifecycle *lc = s->lc;
  const uint64_t ids[] = {lc->pending_doc_active, lc->pending_doc_standby};
  const int known[] = {cm_is_in_document(lc, ids[0]),
                       cm_is_in_document(lc, ids[1])};

  lc->seq++;
  lc->doc_active = lc->pending_doc_active;
  lc->doc_standby = lc->pending_doc_standby;
  lc->doc_epoch = lc->pending_doc_epoch;
  lc->doc_known = 1;
  changed(lc);
  for (size_t i = 0; i < 2; i++) {
    cm_slot *slot = ids[i] != 0 ? find(lc, ids[i]) : NULL;
    if (slot == NULL) {
      continue;
    }
    slot->published = 1;
    if (!known[i]) {
      slot->settle = cm_profile_settle(&lc->profile);
    }
    if (slot->state == CM_CERT_PERSISTED) {
      cm_set_state(s, slot, CM_CERT_PUBLISHED);
    }
  }
  succeeded(lc, CM_ACTION_PUBLISH);
}

static void activated(cm_step *s, cm_slot *slot) {
  cm_lifecycle *lc = s->lc;
  cm_slot *before = cm_get_active(lc);

  succeeded(lc, CM_ACTION_ACTIVATE);
  lc->installed = slot->id;
  if (slot->state != CM_CERT_PUBLISHED && slot->state != CM_CERT_READY) {
    /* Installed again after a start; or revoked while that was under way, and
       then cm_lifecycle_serving() says so. */
    return;
  }
  if (before != NULL) {
    if (lc->doubt > 0 && lc->rotate_wanted == 0) {
      cm_park(s, before);
    } else {
      cm_set_state(s, before, CM_CERT_RETIRED);
    }
  }
  if (before == NULL || lc->rotate_wanted != 0) {
    /* Out of turn, and meant so. */
    slot->active_at = min64(slot->active_at, lc->now);
  }
  slot->retire_at =
      min64(slot->retire_at, lc->now + lc->profile.active + slot->jitter);
  slot->turn = ++lc->turns;
  cm_set_state(s, slot, CM_CERT_ACTIVE);
  if (lc->doubt == 0) {
    /* Life has gone on without what was put aside. */
    for (size_t i = 0; i < CM_SLOTS; i++) {
      lc->slots[i].outlived |= lc->slots[i].parked;
    }
  }
  lc->rotate_wanted = 0;
  lc->served = 1;
}

static void activation_failed(cm_step *s, cm_slot *slot, int status) {
  cm_lifecycle *lc = s->lc;

  failed(s, CM_ACTION_ACTIVATE, slot->id, status);
  /* Out of memory is not the certificate's fault. */
  if (status == CM_ERR_SELF_CHECK &&
      lc->retry[CM_ACTION_ACTIVATE].failures >= ACTIVATE_TRIES) {
    cm_set_state(s, slot, CM_CERT_QUARANTINED);
    succeeded(lc, CM_ACTION_ACTIVATE);
  }
}

static void take_result(cm_step *s) {
  cm_lifecycle *lc = s->lc;
  const cm_result *result = &s->in->result;
  cm_action action = lc->pending;
  cm_slot *slot;

  if (action == CM_ACTION_NONE || result->action != action) {
    return;
  }
  lc->pending = CM_ACTION_NONE;
  slot = lc->pending_id != 0 ? find(lc, lc->pending_id) : NULL;
  if (result->status != 0) {
    if (action == CM_ACTION_ACTIVATE) {
      activation_failed(s, slot, result->status);
    } else {
      failed(s, action, lc->pending_id, result->status);
    }
    return;
  }
  switch (action) {
  case CM_ACTION_GENERATE:
    add_certificate(s, result);
    break;
  case CM_ACTION_PERSIST:
    persisted(s);
    break;
  case CM_ACTION_PUBLISH:
    published(s);
    break;
  case CM_ACTION_ACTIVATE:
    activated(s, slot);
    break;
  case CM_ACTION_CLOSE:
    slot->closed = 1;
    changed(lc);
    succeeded(lc, action);
    break;
  default: /* CM_ACTION_DESTROY */
    cm_set_state(s, slot, CM_CERT_DESTROYED);
    slot->gone = lc->version;
    succeeded(lc, action);
    break;
  }
}

/* --- commands ----------------------------------------------------------- */

static cm_refused rotate(cm_lifecycle *lc, int forced) {
  const cm_slot *standby = cm_lifecycle_standby(lc);

  if (cm_lifecycle_active(lc) == NULL) {
    return CM_COMMAND_NO_ACTIVE;
  }
  if (standby == NULL || !standby->published) {
    return CM_COMMAND_NO_STANDBY;
  }
  if (!cm_slot_valid(standby, lc->now)) {
    return CM_COMMAND_COLD;
  }
  if (standby->state != CM_CERT_READY && !forced) {
    return CM_COMMAND_NOT_READY;
  }
  lc->rotate_wanted = forced ? 2 : 1;
  return CM_COMMAND_ACCEPTED;
}

static void revoke(cm_step *s, cm_slot *slot) {
  cm_set_state(s, slot, CM_CERT_REVOKED);
  slot->parked = 0;
  slot->closed = 0;
  /* The next attempts are not to wait for what failed before. */
  succeeded(s->lc, CM_ACTION_PUBLISH);
  succeeded(s->lc, CM_ACTION_ACTIVATE);
}

static cm_refused reset(cm_step *s) {
  cm_lifecycle *lc = s->lc;

  if (lc->no_time) {
    return CM_COMMAND_NO_TIME;
  }
  for (size_t i = 0; i < CM_SLOTS; i++) {
    cm_slot *slot = &lc->slots[i];
    if (slot->state >= CM_CERT_GENERATED && slot->state <= CM_CERT_RETIRED) {
      revoke(s, slot);
    }
  }
  lc->epoch++;
  lc->served = 0;
  lc->rotate_wanted = 0;
  changed(lc);
  return CM_COMMAND_ACCEPTED;
}

static void take_command(cm_step *s) {
  cm_slot *active = cm_get_active(s->lc);
  cm_refused refused = CM_COMMAND_ACCEPTED;

  switch (s->in->command) {
  case CM_COMMAND_NONE:
    return;
  case CM_COMMAND_ROTATE:
    refused = rotate(s->lc, 0);
    break;
  case CM_COMMAND_ROTATE_FORCED:
    refused = rotate(s->lc, 1);
    break;
  case CM_COMMAND_REVOKE:
    if (active == NULL) {
      refused = CM_COMMAND_NO_ACTIVE;
    } else {
      revoke(s, active);
    }
    break;
  case CM_COMMAND_RESET:
    refused = reset(s);
    break;
  }
  s->out->refused = refused;
  cm_emit(s, CM_EVENT_COMMAND, 0, (int)s->in->command, (int)refused, 0);
}

void cm_lifecycle_step(cm_lifecycle *lc, const cm_input *in, cm_output *out) {
  cm_step s = {lc, in, out};
  cm_manager_state before = lc->state;

  memset(out, 0, sizeof(*out));
  tell_time(&s);
  take_result(&s);
  take_command(&s);
  cm_follow_time(&s);
  if (lc->pending == CM_ACTION_NONE) {
    cm_step_choose(&s);
  }
  lc->state = cm_lifecycle_judge(lc);
  if (lc->state != before) {
    cm_emit(&s, CM_EVENT_STATE, 0, (int)before, (int)lc->state, 0);
  }
  out->wait = out->action != CM_ACTION_NONE ? 0 : cm_lifecycle_wait(lc);
}

void cm_lifecycle_init(cm_lifecycle *lc, const cm_profile *profile,
                       int64_t build_date, uint64_t seed) {
  memset(lc, 0, sizeof(*lc));
  lc->epoch = 1;
  lc->next_id = 1;
  lc->version = 1;
  cm_lifecycle_resume(lc, profile, build_date, seed);
}
