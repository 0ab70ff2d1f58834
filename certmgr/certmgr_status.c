/* SPDX-License-Identifier: Apache-2.0 */
/* What the manager tells: events as they come, and how it is when asked. */
#include "certmgr/certmgr_internal.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

/* --- events ------------------------------------------------------------- */

void cm_manager_tell(cm_manager *mgr, const cm_journal_entry *entry) {
  if (mgr->callbacks.event != NULL) {
    mgr->callbacks.event(mgr->user, entry);
  }
}

static const char *command_name(cm_command command) {
  switch (command) {
  case CM_COMMAND_NONE:
    break;
  case CM_COMMAND_ROTATE:
    return "rotate";
  case CM_COMMAND_ROTATE_FORCED:
    return "rotate, forced";
  case CM_COMMAND_REVOKE:
    return "revoke";
  case CM_COMMAND_RESET:
    return "reset";
  }
  return "?";
}

static void count(cm_counters *counters, const cm_event *e) {
  if (e->kind == CM_EVENT_CERTIFICATE) {
    counters->rotations +=
        e->to == CM_CERT_RETIRED && e->from == CM_CERT_ACTIVE;
    counters->revocations += e->to == CM_CERT_REVOKED;
    counters->quarantined += e->to == CM_CERT_QUARANTINED;
  } else if (e->kind == CM_EVENT_CLOCK) {
    counters->clock_jumps++;
  } else if (e->kind == CM_EVENT_FAILED) {
    counters->failures[e->from]++;
  }
}

static void relay(cm_manager *mgr, const cm_event *e, int64_t wall) {
  const cm_slot *slot = e->id != 0 ? cm_lifecycle_find(&mgr->lc, e->id) : NULL;
  char hex[CM_HEX_LEN + 1] = "";
  cm_journal_entry entry;

  memset(&entry, 0, sizeof(entry));
  entry.time = wall;
  entry.event = cm_event_name(e->kind);
  entry.id = e->id;
  if (slot != NULL) {
    (void)cm_hash_hex(hex, sizeof(hex), slot->sha256);
    entry.text = hex;
  }
  switch (e->kind) {
  case CM_EVENT_CERTIFICATE:
    entry.from = cm_cert_state_name((cm_cert_state)e->from);
    entry.to = cm_cert_state_name((cm_cert_state)e->to);
    break;
  case CM_EVENT_STATE:
    return; /* See cm_manager_tell_state(). */
  case CM_EVENT_CLOCK:
    entry.text = "the wall clock jumped by so many seconds";
    entry.has_value = 1;
    break;
  case CM_EVENT_FAILED:
    entry.from = cm_action_name((cm_action)e->from);
    entry.text = mgr->problems[e->from];
    entry.has_value = 1;
    break;
  case CM_EVENT_WARNING:
  case CM_EVENT_ERROR:
    entry.text = "so many seconds without a standby";
    entry.has_value = 1;
    break;
  case CM_EVENT_COMMAND:
    entry.from = command_name((cm_command)e->from);
    entry.to = cm_refused_text((cm_refused)e->to);
    break;
  case CM_EVENT_PARKED:
  case CM_EVENT_RECALLED:
  case CM_EVENT_LOST:
    break;
  }
  entry.value = e->value;
  cm_manager_tell(mgr, &entry);
}

void cm_manager_relay(cm_manager *mgr, const cm_output *out, int64_t wall) {
  for (size_t i = 0; i < out->nevents; i++) {
    count(&mgr->counters, &out->events[i]);
    relay(mgr, &out->events[i], wall);
  }
}

void cm_manager_tell_state(cm_manager *mgr, int64_t wall) {
  cm_manager_state now = mgr->lc.state;

  if (now != mgr->told) {
    cm_manager_tell(
        mgr, &(cm_journal_entry){.time = wall,
                                 .event = cm_event_name(CM_EVENT_STATE),
                                 .from = cm_manager_state_name(mgr->told),
                                 .to = cm_manager_state_name(now)});
    mgr->told = now;
  }
}

void cm_manager_note_failure(cm_manager *mgr, cm_action action, int status) {
  const char *more = "";

  if (action == CM_ACTION_PERSIST && mgr->store != NULL) {
    more = mgr->store->message;
  }
  snprintf(mgr->problems[action], sizeof(mgr->problems[action]), "%s%s%s",
           cm_strerror(status), more[0] != '\0' ? ": " : "", more);
}

/* --- how it is ---------------------------------------------------------- */

const char *cm_manager_problem(const cm_manager *mgr) {
  static const cm_action order[] = {CM_ACTION_PERSIST, CM_ACTION_GENERATE,
                                    CM_ACTION_ACTIVATE, CM_ACTION_PUBLISH,
                                    CM_ACTION_CLOSE};

  for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
    if (mgr->lc.retry[order[i]].failures > 0) {
      return mgr->problems[order[i]];
    }
  }
  return "";
}

const char *cm_milestone_name(cm_milestone milestone) {
  switch (milestone) {
  case CM_MILESTONE_STANDBY_READY:
    return "standby_ready";
  case CM_MILESTONE_ROTATION:
    return "rotation";
  case CM_MILESTONE_GUARD:
    return "guard";
  case CM_MILESTONE_EXPIRY:
    return "expiry";
  case CM_MILESTONE_RETRY:
    return "retry";
  }
  return "?";
}

static int64_t not_past(int64_t seconds) { return seconds > 0 ? seconds : 0; }

static int64_t until_ready(const cm_lifecycle *lc) {
  const cm_slot *standby = cm_lifecycle_standby(lc);

  if (standby == NULL) {
    return -1;
  }
  if (standby->state == CM_CERT_READY) {
    return 0;
  }
  return standby->state == CM_CERT_PUBLISHED ? standby->settle
                                             : cm_profile_settle(&lc->profile);
}

static int64_t until_retry(const cm_lifecycle *lc) {
  int64_t least = -1;

  for (int i = 0; i < CM_ACTION_COUNT; i++) {
    int64_t left = not_past(lc->retry[i].at - lc->mono);

    if (lc->retry[i].failures > 0 && (least < 0 || left < least)) {
      least = left;
    }
  }
  return least;
}

int64_t cm_manager_until(const cm_manager *mgr, cm_milestone milestone) {
  const cm_lifecycle *lc = &mgr->lc;
  const cm_slot *active = cm_lifecycle_active(lc);

  switch (milestone) {
  case CM_MILESTONE_STANDBY_READY:
    return until_ready(lc);
  case CM_MILESTONE_ROTATION:
    return active != NULL ? not_past(active->retire_at - lc->now) : -1;
  case CM_MILESTONE_GUARD:
    return active != NULL ? not_past(active->guard_at - lc->now) : -1;
  case CM_MILESTONE_EXPIRY:
    return active != NULL ? not_past(active->not_after - lc->now) : -1;
  case CM_MILESTONE_RETRY:
    return until_retry(lc);
  }
  return -1;
}

static void add_time(cJSON *object, const char *name, int64_t value) {
  cJSON_AddNumberToObject(object, name, (double)value);
}

static void add_slot(cJSON *array, const cm_lifecycle *lc,
                     const cm_slot *slot) {
  cJSON *object = cJSON_CreateObject();
  char hex[CM_HEX_LEN + 1];

  (void)cm_hash_hex(hex, sizeof(hex), slot->sha256);
  cJSON_AddNumberToObject(object, "id", (double)slot->id);
  cJSON_AddStringToObject(object, "state", cm_cert_state_name(slot->state));
  cJSON_AddStringToObject(object, "hex", hex);
  cJSON_AddBoolToObject(object, "serving",
                        slot == cm_lifecycle_serving(lc, lc->now));
  cJSON_AddBoolToObject(object, "parked", slot->parked);
  add_time(object, "not_before", slot->not_before);
  add_time(object, "not_after", slot->not_after);
  /* Until then it is backdated: no client has known it so long. */
  add_time(object, "standby_from", slot->not_before + lc->profile.backdate);
  add_time(object, "active_from", slot->active_at);
  add_time(object, "active_until", slot->retire_at);
  add_time(object, "guard_from", slot->guard_at);
  if (!cJSON_AddItemToArray(array, object)) {
    cJSON_Delete(object);
  }
}

static void add_counters(cJSON *status, const cm_counters *c) {
  cJSON *object = cJSON_AddObjectToObject(status, "counters");
  cJSON *failures;

  cJSON_AddNumberToObject(object, "minted", (double)c->minted);
  cJSON_AddNumberToObject(object, "saved", (double)c->saved);
  cJSON_AddNumberToObject(object, "published", (double)c->published);
  cJSON_AddNumberToObject(object, "rotations", (double)c->rotations);
  cJSON_AddNumberToObject(object, "revocations", (double)c->revocations);
  cJSON_AddNumberToObject(object, "destroyed", (double)c->destroyed);
  cJSON_AddNumberToObject(object, "quarantined", (double)c->quarantined);
  cJSON_AddNumberToObject(object, "clock_jumps", (double)c->clock_jumps);
  failures = cJSON_AddObjectToObject(object, "failures");
  for (int i = CM_ACTION_GENERATE; i < CM_ACTION_COUNT; i++) {
    cJSON_AddNumberToObject(failures, cm_action_name((cm_action)i),
                            (double)c->failures[i]);
  }
}

cJSON *cm_manager_status(const cm_manager *mgr) {
  static const cm_cert_state order[] = {
      CM_CERT_ACTIVE,    CM_CERT_READY,       CM_CERT_PUBLISHED,
      CM_CERT_PERSISTED, CM_CERT_GENERATED,   CM_CERT_RETIRED,
      CM_CERT_REVOKED,   CM_CERT_QUARANTINED, CM_CERT_DESTROYED};
  const cm_lifecycle *lc = &mgr->lc;
  cJSON *status = cJSON_CreateObject(), *object;

  if (status == NULL) {
    return NULL;
  }
  cJSON_AddStringToObject(status, "state", cm_manager_state_name(lc->state));
  cJSON_AddStringToObject(status, "problem", cm_manager_problem(mgr));
  cJSON_AddStringToObject(status, "identity", mgr->thumbprint);
  cJSON_AddNumberToObject(status, "epoch", (double)lc->epoch);
  cJSON_AddNumberToObject(status, "seq", (double)lc->seq);
  add_time(status, "now", lc->now);
  cJSON_AddBoolToObject(status, "durable", mgr->store != NULL);
  add_time(status, "without_standby", lc->without_standby);
  object = cJSON_AddObjectToObject(status, "until");
  for (int i = 0; i < CM_MILESTONE_COUNT; i++) {
    int64_t left = cm_manager_until(mgr, (cm_milestone)i);

    if (left >= 0) {
      add_time(object, cm_milestone_name((cm_milestone)i), left);
    }
  }
  object = cJSON_AddArrayToObject(status, "slots");
  for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++) {
    for (size_t i = 0; i < CM_SLOTS; i++) {
      if (lc->slots[i].state == order[o]) {
        add_slot(object, lc, &lc->slots[i]);
      }
    }
  }
  add_counters(status, &mgr->counters);
  return status;
}
