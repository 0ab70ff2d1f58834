/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the appliance, and what its status tells. */
#include "server/appliance_internal.h"

#include <string.h>

static cJSON *counters_of(const appliance *a) {
  const quic_endpoint_counters *c = quic_endpoint_get_counters(a->endpoint);
  cJSON *object = cJSON_CreateObject();

  cJSON_AddNumberToObject(object, "datagrams_received",
                          (double)c->datagrams_received);
  cJSON_AddNumberToObject(object, "datagrams_sent", (double)c->datagrams_sent);
  cJSON_AddNumberToObject(object, "octets_received",
                          (double)c->octets_received);
  cJSON_AddNumberToObject(object, "octets_sent", (double)c->octets_sent);
  cJSON_AddNumberToObject(object, "packets_dropped",
                          (double)c->packets_dropped);
  cJSON_AddNumberToObject(object, "connections_accepted",
                          (double)c->connections_accepted);
  cJSON_AddNumberToObject(object, "connections_refused",
                          (double)c->connections_refused);
  cJSON_AddNumberToObject(object, "handshakes_completed",
                          (double)c->handshakes_completed);
  cJSON_AddNumberToObject(object, "handshakes_failed",
                          (double)c->handshakes_failed);
  cJSON_AddNumberToObject(object, "retries_sent", (double)c->retries_sent);
  cJSON_AddNumberToObject(object, "tokens_accepted",
                          (double)c->tokens_accepted);
  cJSON_AddNumberToObject(object, "tokens_refused", (double)c->tokens_refused);
  cJSON_AddNumberToObject(object, "tokens_expired", (double)c->tokens_expired);
  cJSON_AddNumberToObject(object, "stateless_resets",
                          (double)c->stateless_resets);
  cJSON_AddNumberToObject(object, "sessions_total", (double)a->sessions_total);
  cJSON_AddNumberToObject(
      object, "rotations",
      (double)cm_manager_counters(a->certificates)->rotations);
  return object;
}

static cJSON *refused_of(const appliance *a) {
  const quic_endpoint_counters *c = quic_endpoint_get_counters(a->endpoint);
  cJSON *object = cJSON_CreateObject();
  int i;

  for (i = 0; i < QUIC_REFUSED_COUNT; ++i) {
    cJSON_AddNumberToObject(object, quic_refused_name((quic_refused)i),
                            (double)c->refused[i]);
  }
  return object;
}

cJSON *appliance_refuse(const char *text) {
  cJSON *reply = cJSON_CreateObject();

  cJSON_AddStringToObject(reply, "error", text);
  return reply;
}

void appliance_documents(appliance *a, documents_source *source) {
  const open_session *record;
  size_t i;

  memset(source, 0, sizeof(*source));
  source->certificates = a->certificates;
  source->wall = a->now.wall;
  source->started = a->started.wall;
  source->network = quic_endpoint_get_counters(a->endpoint);
  source->connections = quic_endpoint_connections(a->endpoint);
  source->handshakes_open = quic_endpoint_handshakes(a->endpoint);
  source->memory = quic_endpoint_memory(a->endpoint);
  for (record = a->sessions; record; record = record->next) {
    ++source->sessions;
  }
  source->sessions_total = a->sessions_total;
  for (i = 0; i < REFUSAL_KIND_COUNT; ++i) {
    a->handshakes[i].label = refusal_kind_name((refusal_kind)i);
    a->handshakes[i].count = a->refusals.counts[i];
  }
  a->handshakes[REFUSAL_OK].count = source->network->handshakes_completed;
  source->handshakes = a->handshakes;
  source->nhandshakes = REFUSAL_KIND_COUNT;
}

/* What the session's connection has measured: sessions share one. */
static void add_network(cJSON *item, wt_session *session) {
  ngtcp2_conn_info info;

  ngtcp2_conn_get_conn_info2(quic_conn_ngtcp2(wt_session_conn(session)), &info);
  cJSON_AddNumberToObject(item, "rtt_us",
                          (double)(info.smoothed_rtt / NGTCP2_MICROSECONDS));
  cJSON_AddNumberToObject(item, "octets_received", (double)info.bytes_recv);
  cJSON_AddNumberToObject(item, "octets_sent", (double)info.bytes_sent);
}

static cJSON *status_of(const appliance *a) {
  cJSON *reply = appliance_describe(a);
  cJSON *sessions = cJSON_AddArrayToObject(reply, "sessions");
  const open_session *record;

  for (record = a->sessions; record; record = record->next) {
    cJSON *item = cJSON_CreateObject();

    appliance_add_peer(item, record->session);
    cJSON_AddNumberToObject(item, "age_s", appliance_age(a, record->opened));
    add_network(item, record->session);
    cJSON_AddItemToArray(sessions, item);
  }
  cJSON_AddNumberToObject(reply, "uptime_s", appliance_age(a, a->started.mono));
  cJSON_AddNumberToObject(reply, "connections",
                          (double)quic_endpoint_connections(a->endpoint));
  cJSON_AddNumberToObject(reply, "handshakes",
                          (double)quic_endpoint_handshakes(a->endpoint));
  cJSON_AddNumberToObject(reply, "memory",
                          (double)quic_endpoint_memory(a->endpoint));
  cJSON_AddItemToObject(reply, "certificates",
                        cm_manager_status(a->certificates));
  cJSON_AddItemToObject(reply, "refusals", appliance_refusals(a));
  if (a->on_health) {
    cJSON_AddItemToObject(reply, "health", a->on_health(a->user));
  }
  cJSON_AddItemToObject(reply, "counters", counters_of(a));
  cJSON_AddItemToObject(reply, "refused", refused_of(a));
  cJSON_AddItemToObject(reply, "closed", cJSON_Duplicate(a->closed, 1));
  return reply;
}

static cJSON *close_session(appliance *a, const cJSON *command) {
  const cJSON *number = cJSON_GetObjectItemCaseSensitive(command, "session");
  const cJSON *code = cJSON_GetObjectItemCaseSensitive(command, "code");
  const cJSON *reason = cJSON_GetObjectItemCaseSensitive(command, "reason");
  const open_session *record;
  double c = cJSON_IsNumber(code) ? code->valuedouble : 0;

  if (!cJSON_IsNumber(number) || (code && !cJSON_IsNumber(code)) || c < 0 ||
      c > UINT32_MAX || (double)(uint32_t)c != c) {
    return appliance_refuse(
        "close needs a session, and a code of at most 32 bits");
  }
  if (reason && !cJSON_IsString(reason)) {
    return appliance_refuse("the reason is no text");
  }
  for (record = a->sessions; record; record = record->next) {
    if ((double)wt_session_number(record->session) == number->valuedouble) {
      int rv =
          wt_session_close(record->session, (uint32_t)c,
                           cJSON_IsString(reason) ? reason->valuestring : "");

      return rv == 0 ? cJSON_CreateObject()
                     : appliance_refuse("the reason is too long, or not UTF-8");
    }
  }
  return appliance_refuse("there is no such session");
}

cJSON *appliance_command(appliance *a, const cJSON *command,
                         const appliance_time *now) {
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(command, "command");
  cJSON *reply;

  appliance_set_time(a, now);
  if (!cJSON_IsString(name)) {
    return appliance_refuse("a command is an object with \"command\"");
  }
  if (strcmp(name->valuestring, "status") == 0) {
    return status_of(a);
  }
  if (strcmp(name->valuestring, "close") == 0) {
    return close_session(a, command);
  }
  if (strcmp(name->valuestring, "stop") == 0) {
    appliance_drain(a, now);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(command, "now"))) {
      appliance_drain(a, now);
    }
    return cJSON_CreateObject();
  }
  reply = appliance_certificate_command(a, name->valuestring, command);
  return reply ? reply : appliance_refuse("unknown command");
}
