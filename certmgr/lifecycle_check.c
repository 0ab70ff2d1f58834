/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a lifecycle: its certificates, its document, its
   invariants, its names. */
#include "certmgr/lifecycle.h"

#include "certmgr/lifecycle_internal.h"

#include <string.h>

/* The longest that every browser takes: 14 days less one second. */
#define VALIDITY_MAX 1209599

/* Numbers of documents that are reserved with each image. */
#define SEQ_RESERVE 64

int cm_wall_usable(const cm_lifecycle *lc, int64_t wall) {
  return wall >= lc->build_date && wall <= CM_WALL_MAX;
}

int cm_slot_valid(const cm_slot *slot, int64_t now) {
  return slot->not_before <= now && now < slot->not_after;
}

uint64_t cm_seq_reserved(const cm_lifecycle *lc) {
  return lc->seq + SEQ_RESERVE;
}

int cm_is_reuse(const cm_lifecycle *lc, const cm_result *result) {
  uint32_t n = lc->nserials < CM_SERIALS ? lc->nserials : CM_SERIALS;

  for (uint32_t i = 0; i < n; i++) {
    if (memcmp(lc->serials[i], result->serial, CM_LC_SERIAL_LEN) == 0) {
      return 1;
    }
  }
  for (size_t i = 0; i < CM_SLOTS; i++) {
    const cm_slot *slot = &lc->slots[i];
    if (slot->id != 0 &&
        (memcmp(slot->serial, result->serial, CM_LC_SERIAL_LEN) == 0 ||
         memcmp(slot->key_id, result->key_id, CM_LC_HASH_LEN) == 0 ||
         memcmp(slot->sha256, result->sha256, CM_LC_HASH_LEN) == 0)) {
      return 1;
    }
  }
  return 0;
}

const cm_slot *cm_lifecycle_find(const cm_lifecycle *lc, uint64_t id) {
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (lc->slots[i].id == id) {
      return &lc->slots[i];
    }
  }
  return NULL;
}

const cm_slot *cm_lifecycle_find_hash(const cm_lifecycle *lc,
                                      const uint8_t sha256[CM_LC_HASH_LEN]) {
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (lc->slots[i].id != 0 &&
        memcmp(lc->slots[i].sha256, sha256, CM_LC_HASH_LEN) == 0) {
      return &lc->slots[i];
    }
  }
  return NULL;
}

const cm_slot *cm_lifecycle_active(const cm_lifecycle *lc) {
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (lc->slots[i].state == CM_CERT_ACTIVE) {
      return &lc->slots[i];
    }
  }
  return NULL;
}

static int is_standby(const cm_slot *slot) {
  return slot->state >= CM_CERT_GENERATED && slot->state <= CM_CERT_READY;
}

const cm_slot *cm_lifecycle_standby(const cm_lifecycle *lc) {
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (is_standby(&lc->slots[i])) {
      return &lc->slots[i];
    }
  }
  return NULL;
}

const cm_slot *cm_lifecycle_serving(const cm_lifecycle *lc, int64_t wall) {
  const cm_slot *active = cm_lifecycle_active(lc);
  int64_t now = cm_wall_usable(lc, wall) ? wall : lc->now;

  if (active == NULL || active->id != lc->installed ||
      !cm_slot_valid(active, now) ||
      (now >= active->guard_at && lc->state != CM_STATE_GUARD)) {
    return NULL;
  }
  return active;
}

void cm_lifecycle_document(const cm_lifecycle *lc, cm_document *doc) {
  const cm_slot *standby = cm_lifecycle_standby(lc), *last;

  memset(doc, 0, sizeof(*doc));
  doc->epoch = lc->epoch;
  doc->seq = lc->seq + (lc->pending == CM_ACTION_PUBLISH);
  doc->issued_at = lc->now;
  doc->refresh_after = lc->now;
  doc->valid_until = lc->now;
  doc->active = cm_lifecycle_active(lc);
  if (standby != NULL && standby->state >= CM_CERT_PERSISTED) {
    /* Without an active one, it is about to become that. */
    *(doc->active == NULL ? &doc->active : &doc->standby) = standby;
  }
  if (doc->active == NULL) {
    return;
  }
  last = doc->standby != NULL ? doc->standby : doc->active;
  if (last->retire_at > lc->now) {
    doc->valid_until = last->retire_at;
  }
  if (doc->standby != NULL && doc->active->retire_at > lc->now) {
    doc->refresh_after = doc->active->retire_at;
  }
}

/* --- invariants --------------------------------------------------------- */

int cm_check_durable(const cm_lifecycle *lc) {
  int nactive = 0, nstandby = 0;

  for (size_t i = 0; i < CM_SLOTS; i++) {
    const cm_slot *slot = &lc->slots[i];
    if (slot->state == CM_CERT_EMPTY) {
      continue;
    }
    if ((slot->state == CM_CERT_ACTIVE || slot->state == CM_CERT_READY ||
         slot->state == CM_CERT_PUBLISHED) &&
        (!slot->durable || !slot->published)) {
      return 1;
    }
    nactive += slot->state == CM_CERT_ACTIVE;
    nstandby += is_standby(slot);
    if (slot->id == 0 || slot->id >= lc->next_id) {
      return 4;
    }
    for (size_t j = 0; j < i; j++) {
      const cm_slot *other = &lc->slots[j];
      if (other->state != CM_CERT_EMPTY &&
          (other->id == slot->id ||
           memcmp(other->serial, slot->serial, CM_LC_SERIAL_LEN) == 0 ||
           memcmp(other->key_id, slot->key_id, CM_LC_HASH_LEN) == 0 ||
           memcmp(other->sha256, slot->sha256, CM_LC_HASH_LEN) == 0)) {
        return 4;
      }
    }
    if (slot->not_after <= slot->not_before ||
        slot->not_after - slot->not_before > VALIDITY_MAX) {
      return 6;
    }
  }
  if (nactive > 1 || nstandby > 1) {
    return 2;
  }
  return cm_profile_check(&lc->profile) == NULL ? 0 : 6;
}

int cm_lifecycle_check(const cm_lifecycle *lc) {
  const cm_slot *active = cm_lifecycle_active(lc);
  int rv = cm_check_durable(lc);

  if (rv != 0) {
    return rv;
  }
  switch (lc->state) {
  case CM_STATE_WAITING_FOR_TIME:
    break;
  case CM_STATE_BOOTSTRAP:
  case CM_STATE_EXPIRED:
    if (active != NULL) {
      return 2;
    }
    break;
  case CM_STATE_GUARD:
  case CM_STATE_STORE_FAILED:
  case CM_STATE_CLOCK_SUSPECT:
  case CM_STATE_NO_STANDBY:
  case CM_STATE_HEALTHY:
    if (active == NULL) {
      return 2;
    }
    break;
  }
  if (active != NULL && !cm_slot_valid(active, lc->now)) {
    return 3;
  }
  return lc->seq > lc->seq_limit ? 5 : 0;
}

void cm_lifecycle_quarantine(cm_lifecycle *lc, uint64_t id) {
  for (size_t i = 0; i < CM_SLOTS; i++) {
    cm_slot *slot = &lc->slots[i];
    if (id != 0 && slot->id == id && slot->state != CM_CERT_REVOKED &&
        slot->state != CM_CERT_DESTROYED) {
      slot->state = CM_CERT_QUARANTINED;
      slot->parked = 0;
      lc->version++;
    }
  }
}

/* --- names -------------------------------------------------------------- */

const char *cm_cert_state_name(cm_cert_state state) {
  switch (state) {
  case CM_CERT_EMPTY:
    return "EMPTY";
  case CM_CERT_GENERATED:
    return "GENERATED";
  case CM_CERT_PERSISTED:
    return "PERSISTED";
  case CM_CERT_PUBLISHED:
    return "PUBLISHED";
  case CM_CERT_READY:
    return "READY";
  case CM_CERT_ACTIVE:
    return "ACTIVE";
  case CM_CERT_RETIRED:
    return "RETIRED";
  case CM_CERT_DESTROYED:
    return "DESTROYED";
  case CM_CERT_REVOKED:
    return "REVOKED";
  case CM_CERT_QUARANTINED:
    return "QUARANTINED";
  }
  return "?";
}

const char *cm_manager_state_name(cm_manager_state state) {
  switch (state) {
  case CM_STATE_WAITING_FOR_TIME:
    return "WAITING_FOR_TIME";
  case CM_STATE_BOOTSTRAP:
    return "BOOTSTRAP";
  case CM_STATE_EXPIRED:
    return "EXPIRED";
  case CM_STATE_GUARD:
    return "GUARD";
  case CM_STATE_STORE_FAILED:
    return "STORE_FAILED";
  case CM_STATE_CLOCK_SUSPECT:
    return "CLOCK_SUSPECT";
  case CM_STATE_NO_STANDBY:
    return "NO_STANDBY";
  case CM_STATE_HEALTHY:
    return "HEALTHY";
  }
  return "?";
}

const char *cm_manager_state_words(const char *name) {
  static const char *const words[CM_MANAGER_STATE_COUNT] = {
      [CM_STATE_WAITING_FOR_TIME] =
          "the wall clock stands before this program was made: once it is set, "
          "certificates are made",
      [CM_STATE_BOOTSTRAP] = "no certificate is served yet",
      [CM_STATE_EXPIRED] =
          "there is no certificate that is valid now: no client can connect",
      [CM_STATE_GUARD] =
          "serving a certificate that is about to run out, for want of "
          "another: clients with a wrong clock refuse it",
      [CM_STATE_STORE_FAILED] =
          "serving; the state cannot be saved, and no new certificate is put "
          "to use until it can",
      [CM_STATE_CLOCK_SUSPECT] =
          "serving; the wall clock jumped, and is watched for an hour",
      [CM_STATE_NO_STANDBY] =
          "serving; the next certificate is not ready to take over yet, which "
          "is normal for some minutes after a start and after each swap",
      [CM_STATE_HEALTHY] = "serving, and the next certificate is ready"};

  for (int i = 0; i < CM_MANAGER_STATE_COUNT; i++) {
    if (strcmp(cm_manager_state_name((cm_manager_state)i), name) == 0) {
      return words[i];
    }
  }
  return "";
}

const char *cm_action_name(cm_action action) {
  switch (action) {
  case CM_ACTION_NONE:
    return "none";
  case CM_ACTION_GENERATE:
    return "generate";
  case CM_ACTION_PERSIST:
    return "persist";
  case CM_ACTION_PUBLISH:
    return "publish";
  case CM_ACTION_ACTIVATE:
    return "activate";
  case CM_ACTION_CLOSE:
    return "close";
  case CM_ACTION_DESTROY:
    return "destroy";
  }
  return "?";
}

const char *cm_refused_text(cm_refused refused) {
  switch (refused) {
  case CM_COMMAND_ACCEPTED:
    return "accepted";
  case CM_COMMAND_NO_STANDBY:
    return "there is no standby whose hash is published";
  case CM_COMMAND_NOT_READY:
    return "the standby's hash was published only a short while ago";
  case CM_COMMAND_COLD:
    return "the standby is not valid yet";
  case CM_COMMAND_NO_ACTIVE:
    return "there is no active certificate";
  case CM_COMMAND_NO_TIME:
    return "the clock says nothing";
  }
  return "?";
}

const char *cm_event_name(cm_event_kind kind) {
  switch (kind) {
  case CM_EVENT_CERTIFICATE:
    return "certificate";
  case CM_EVENT_STATE:
    return "state";
  case CM_EVENT_PARKED:
    return "parked";
  case CM_EVENT_RECALLED:
    return "recalled";
  case CM_EVENT_CLOCK:
    return "clock";
  case CM_EVENT_FAILED:
    return "failed";
  case CM_EVENT_WARNING:
    return "warning";
  case CM_EVENT_ERROR:
    return "error";
  case CM_EVENT_COMMAND:
    return "command";
  case CM_EVENT_LOST:
    return "lost";
  }
  return "?";
}
