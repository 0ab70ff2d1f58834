/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator is told of clients that would not have the certificate. */
#include "server/appliance_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const first_publication *first_of(const appliance *a,
                                         const uint8_t *sha256) {
  size_t i;

  for (i = 0; i < APPLIANCE_FIRST_MAX; ++i) {
    if (a->first[i].time &&
        memcmp(a->first[i].sha256, sha256, CM_HASH_LEN) == 0) {
      return &a->first[i];
    }
  }
  return NULL;
}

void appliance_note_publication(appliance *a, const uint8_t *sha256) {
  const cm_lifecycle *lc = cm_manager_lifecycle(a->certificates);
  const cm_slot *slot = sha256 ? cm_lifecycle_find_hash(lc, sha256) : NULL;
  first_publication *first = &a->first[a->nfirst % APPLIANCE_FIRST_MAX];

  if (!slot || slot->published || first_of(a, sha256)) {
    return;
  }
  memcpy(first->sha256, sha256, CM_HASH_LEN);
  first->time = a->now.wall;
  ++a->nfirst;
}

/* Seconds from |then| to |now|; never negative, which would mean unknown. */
static int64_t since(int64_t now, int64_t then) {
  return now > then ? now - then : 0;
}

static refusal_facts facts_of(const appliance *a, const uint8_t *sha256) {
  const cm_lifecycle *lc = cm_manager_lifecycle(a->certificates);
  const first_publication *first = first_of(a, sha256);
  const cm_slot *slot = cm_lifecycle_find_hash(lc, sha256);
  refusal_facts facts = {sha256, -1, -1, -1, 0};

  facts.clock_doubt = lc->state == CM_STATE_CLOCK_SUSPECT ||
                      lc->state == CM_STATE_WAITING_FOR_TIME;
  if (slot) {
    /* One from before this process was published when its validity says. */
    facts.published =
        since(a->now.wall,
              first ? first->time : slot->not_before + lc->profile.backdate);
    facts.valid_since = since(a->now.wall, slot->not_before);
    facts.valid_for = since(slot->not_after, a->now.wall);
  }
  return facts;
}

void appliance_on_end(void *user, const quic_conn *conn,
                      const quic_conn_end *end) {
  appliance *a = user;
  refusal r = refusal_decode(end);
  refusal_facts facts = facts_of(a, quic_conn_certificate_hash(conn));
  udp_address remote;

  quic_conn_remote(conn, &remote);
  refusals_add(&a->refusals, &r, &facts, &remote, a->now.wall);
  appliance_tell_refusals(a);
}

static void add_line(cJSON *object, const refusal_line *line) {
  char hex[CM_HEX_LEN + 1];

  (void)cm_hash_hex(hex, sizeof(hex), line->certificate);
  cJSON_AddStringToObject(object, "certificate", hex);
  cJSON_AddStringToObject(object, "kind", refusal_kind_name(line->kind));
  cJSON_AddStringToObject(object, "by", line->by);
  cJSON_AddStringToObject(object, "peer", line->peer);
  cJSON_AddStringToObject(object, "text", line->text);
  cJSON_AddNumberToObject(object, "time", (double)line->time);
}

void appliance_tell_refusals(appliance *a) {
  int64_t mono = (int64_t)(a->now.mono / NGTCP2_SECONDS);
  const refusal_line *line;

  while ((line = refusals_next(&a->refusals, mono))) {
    cJSON *event = appliance_event("refused");
    char text[REFUSAL_TEXT_MAX + 64];

    add_line(event, line);
    cJSON_AddNumberToObject(event, "count", (double)line->since);
    appliance_emit(a, event);
    snprintf(text, sizeof(text), "%s", line->text);
    if (line->since > 1) {
      snprintf(text, sizeof(text), "%s (%" PRIu64 " times)", line->text,
               line->since);
    }
    appliance_log(a, "warning", text);
  }
}

cJSON *appliance_refusals(const appliance *a) {
  cJSON *array = cJSON_CreateArray();
  const refusal_line *line;
  size_t i;

  for (i = 0; (line = refusals_line(&a->refusals, i)); ++i) {
    cJSON *object = cJSON_CreateObject();

    add_line(object, line);
    cJSON_AddNumberToObject(object, "count", (double)line->count);
    if (!cJSON_AddItemToArray(array, object)) {
      cJSON_Delete(object);
    }
  }
  return array;
}
