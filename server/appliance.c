/* SPDX-License-Identifier: Apache-2.0 */
#include "server/appliance.h"

#include "certmgr/hashset.h"
#include "server/apps/echo.h"
#include "server/http3/h3.h"
#include "server/quic/echo.h"
#include "server/webtransport/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends of sessions that "status" tells about. */
#define CLOSED_MAX 64
#define TEXT_MAX 4096
/* A wall clock may jump, so a tick is never further away. */
#define TICK_MAX_SECONDS 60

typedef struct open_session {
  struct open_session *next;
  wt_session *session;
  int64_t opened; /* wall clock */
} open_session;

struct appliance {
  cm_manager *certificates;
  quic_endpoint *endpoint;
  tls_config tls;
  char *host;
  char *path;
  uint16_t port;
  const app *apps[1];
  h3_service h3;
  quic_service services[2];
  void (*on_event)(void *user, cJSON *event);
  void *user;
  appliance_time now;
  int64_t started;
  uint64_t tick_deadline;
  int tick_failed;
  int stopping;
  uint8_t served[CM_HASH_LEN]; /* the certificate that new handshakes get */
  uint64_t rotations;
  uint64_t sessions_total;
  open_session *sessions;
  cJSON *closed; /* array of objects, oldest first */
};

void appliance_config_default(appliance_config *config) {
  memset(config, 0, sizeof(*config));
  quic_conn_limits_default(&config->limits);
  config->connections_max = 10000;
  config->sessions_max = 16;
  config->prefer = TLS_PREFER_AES_GCM;
}

const char *appliance_strerror(int error) {
  switch (error) {
  case TLS_ERR_NOMEM:
  case QUIC_ERR_NOMEM:
    return cm_strerror(CM_ERR_NOMEM);
  case TLS_ERR_REFUSED:
    return "TLS refused the certificate that was made";
  case QUIC_ERR_FAILED:
    return cm_strerror(CM_ERR_RANDOM);
  default:
    return cm_strerror(error);
  }
}

static void emit(appliance *a, cJSON *event) {
  if (event && a->on_event) {
    a->on_event(a->user, event);
  }
  cJSON_Delete(event);
}

static cJSON *event_of(const char *type) {
  cJSON *event = cJSON_CreateObject();

  cJSON_AddStringToObject(event, "type", type);
  return event;
}

static void emit_log(appliance *a, const char *level, const char *text) {
  cJSON *event = event_of("log");

  cJSON_AddStringToObject(event, "level", level);
  cJSON_AddStringToObject(event, "text", text);
  emit(a, event);
}

/* ---- Certificates ---- */

static void hashset_of(const appliance *a, cm_hashset *set) {
  memset(set, 0, sizeof(*set));
  set->host = a->host;
  set->port = a->port;
  set->path = a->path;
  set->active = cm_manager_active(a->certificates)->sha256;
  set->standby = cm_manager_standby(a->certificates)->sha256;
}

cJSON *appliance_describe(const appliance *a) {
  cJSON *object = cJSON_CreateObject();
  char text[TEXT_MAX];
  cm_hashset set;

  hashset_of(a, &set);
  if (cm_hashset_url(text, sizeof(text), &set) < 0 ||
      !cJSON_AddStringToObject(object, "url", text) ||
      cm_hashset_link(text, sizeof(text), &set) < 0 ||
      !cJSON_AddStringToObject(object, "link", text) ||
      cm_hashset_json(text, sizeof(text), &set) < 0 ||
      !cJSON_AddItemToObject(object, "hashes", cJSON_Parse(text))) {
    cJSON_Delete(object);
    return NULL;
  }
  return object;
}

static void emit_certificates(appliance *a) {
  cJSON *event = appliance_describe(a);

  cJSON_AddStringToObject(event, "type", "certificates");
  emit(a, event);
}

static int serves_active(const appliance *a) {
  return memcmp(a->served, cm_manager_active(a->certificates)->sha256,
                CM_HASH_LEN) == 0;
}

/* Serves the active certificate from now on.  Nothing changes on error. */
static int serve_active(appliance *a) {
  tls_context *tls;
  int rv = tls_context_new(&tls, cm_manager_active(a->certificates), &a->tls);

  if (rv != 0) {
    return rv;
  }
  quic_endpoint_set_tls(a->endpoint, tls);
  memcpy(a->served, cm_manager_active(a->certificates)->sha256, CM_HASH_LEN);
  ++a->rotations;
  emit_certificates(a);
  return 0;
}

static int rotate(appliance *a) {
  tls_context *tls;
  int rv;

  /* A standby that TLS will not have must not become active. */
  rv = tls_context_new(&tls, cm_manager_standby(a->certificates), &a->tls);
  if (rv != 0) {
    return rv;
  }
  tls_context_unref(tls);
  rv = cm_manager_rotate(a->certificates, a->now.wall);
  return rv == 0 ? serve_active(a) : rv;
}

static void tick(appliance *a) {
  int64_t next = a->now.wall + TICK_MAX_SECONDS;
  int64_t seconds;
  int rv = cm_manager_tick(a->certificates, a->now.wall, &next);

  /* What could not be served at the last tick is tried again. */
  if (rv == 1 || (rv == 0 && !serves_active(a))) {
    rv = serve_active(a);
  }
  if (rv < 0) {
    if (!a->tick_failed) {
      emit_log(a, "error", appliance_strerror(rv));
    }
    a->tick_failed = 1;
  } else {
    a->tick_failed = 0;
  }
  seconds = next - a->now.wall;
  if (seconds < 1) {
    seconds = 1;
  } else if (seconds > TICK_MAX_SECONDS) {
    seconds = TICK_MAX_SECONDS;
  }
  a->tick_deadline = a->now.mono + (uint64_t)seconds * NGTCP2_SECONDS;
}

/* ---- Sessions ---- */

static void add_peer(cJSON *object, const wt_session *session) {
  char text[UDP_ADDRESS_TEXT_MAX];
  udp_address remote;

  wt_session_remote(session, &remote);
  cJSON_AddNumberToObject(object, "session",
                          (double)wt_session_number(session));
  cJSON_AddStringToObject(object, "peer", udp_address_text(text, &remote));
  cJSON_AddStringToObject(object, "path", wt_session_path(session));
  cJSON_AddStringToObject(object, "origin", wt_session_origin(session));
}

static void on_session_opened(void *user, wt_session *session) {
  appliance *a = user;
  open_session *record = malloc(sizeof(*record));
  cJSON *event = event_of("session-opened");

  ++a->sessions_total;
  if (record) {
    record->session = session;
    record->opened = a->now.wall;
    record->next = a->sessions;
    a->sessions = record;
  }
  add_peer(event, session);
  emit(a, event);
}

static void on_session_closed(void *user, wt_session *session, wt_closed_by by,
                              uint32_t code, const uint8_t *reason,
                              size_t len) {
  static const char *const names[] = {"client", "server", "connection"};
  appliance *a = user;
  open_session **link = &a->sessions;
  cJSON *event = event_of("session-closed");
  char *text = malloc(len + 1);
  size_t i;

  while (*link && (*link)->session != session) {
    link = &(*link)->next;
  }
  if (*link) {
    open_session *record = *link;

    *link = record->next;
    free(record);
  }
  cJSON_AddNumberToObject(event, "session", (double)wt_session_number(session));
  cJSON_AddStringToObject(event, "by", names[by]);
  cJSON_AddNumberToObject(event, "code", code);
  if (text) {
    for (i = 0; i < len; ++i) {
      text[i] = reason[i] ? (char)reason[i] : ' ';
    }
    text[len] = '\0';
    cJSON_AddStringToObject(event, "reason", text);
    free(text);
  }
  if (cJSON_GetArraySize(a->closed) == CLOSED_MAX) {
    cJSON_DeleteItemFromArray(a->closed, 0);
  }
  cJSON_AddItemToArray(a->closed, cJSON_Duplicate(event, 1));
  emit(a, event);
}

/* ---- HTTP ---- */

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
  cJSON_AddNumberToObject(object, "sessions_total", (double)a->sessions_total);
  cJSON_AddNumberToObject(object, "rotations", (double)a->rotations);
  return object;
}

static int get(void *user, const char *path, char **pbody, size_t *plen,
               const char **content_type) {
  static const char hello[] =
      "Fortnight: a WebTransport server whose certificates never outlive a "
      "fortnight.\nGET /status tells how it is; /echo is a WebTransport "
      "session that echoes.\n";
  static const char missing[] = "There is nothing here. Try / or /status.\n";
  appliance *a = user;
  size_t len = strcspn(path, "?");
  int status = 200;

  if (len == 1 && path[0] == '/') {
    *pbody = strdup(hello);
  } else if (len == 7 && memcmp(path, "/status", 7) == 0) {
    /* For everybody to read, so nothing of anybody's sessions is in it. */
    cJSON *object = appliance_describe(a);

    cJSON_AddNumberToObject(object, "uptime_s",
                            (double)(a->now.wall - a->started));
    cJSON_AddNumberToObject(object, "connections",
                            (double)quic_endpoint_connections(a->endpoint));
    *pbody = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    *content_type = "application/json";
  } else {
    *pbody = strdup(missing);
    status = 404;
  }
  *plen = *pbody ? strlen(*pbody) : 0;
  return *pbody ? status : 500;
}

/* ---- Commands ---- */

static cJSON *refuse(const char *text) {
  cJSON *reply = cJSON_CreateObject();

  cJSON_AddStringToObject(reply, "error", text);
  return reply;
}

static cJSON *status_of(const appliance *a) {
  cJSON *reply = appliance_describe(a);
  cJSON *sessions = cJSON_AddArrayToObject(reply, "sessions");
  const open_session *record;

  for (record = a->sessions; record; record = record->next) {
    cJSON *item = cJSON_CreateObject();

    add_peer(item, record->session);
    cJSON_AddNumberToObject(item, "age_s",
                            (double)(a->now.wall - record->opened));
    cJSON_AddItemToArray(sessions, item);
  }
  cJSON_AddNumberToObject(reply, "uptime_s",
                          (double)(a->now.wall - a->started));
  cJSON_AddNumberToObject(reply, "connections",
                          (double)quic_endpoint_connections(a->endpoint));
  cJSON_AddItemToObject(reply, "counters", counters_of(a));
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
    return refuse("close needs a session, and a code of at most 32 bits");
  }
  if (reason && !cJSON_IsString(reason)) {
    return refuse("the reason is no text");
  }
  for (record = a->sessions; record; record = record->next) {
    if ((double)wt_session_number(record->session) == number->valuedouble) {
      int rv =
          wt_session_close(record->session, (uint32_t)c,
                           cJSON_IsString(reason) ? reason->valuestring : "");

      return rv == 0 ? cJSON_CreateObject()
                     : refuse("the reason is too long, or not UTF-8");
    }
  }
  return refuse("there is no such session");
}

cJSON *appliance_command(appliance *a, const cJSON *command,
                         const appliance_time *now) {
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(command, "command");
  int rv;

  a->now = *now;
  if (!cJSON_IsString(name)) {
    return refuse("a command is an object with \"command\"");
  }
  if (strcmp(name->valuestring, "status") == 0) {
    return status_of(a);
  }
  if (strcmp(name->valuestring, "hashes") == 0) {
    return appliance_describe(a);
  }
  if (strcmp(name->valuestring, "rotate") == 0) {
    rv = rotate(a);
    return rv == 0 ? appliance_describe(a) : refuse(appliance_strerror(rv));
  }
  if (strcmp(name->valuestring, "close") == 0) {
    return close_session(a, command);
  }
  if (strcmp(name->valuestring, "stop") == 0) {
    appliance_shutdown(a, now);
    return cJSON_CreateObject();
  }
  return refuse("unknown command");
}

/* ---- Life ---- */

/* The first host that a URL can name: a wildcard stands for many, and is none
   itself.  NULL if there is none. */
static const char *link_host(const appliance_config *config) {
  size_t i;

  for (i = 0; i < config->nhosts; ++i) {
    if (config->hosts[i][0] != '*') {
      return config->hosts[i];
    }
  }
  return NULL;
}

int appliance_new(appliance **pappliance, const appliance_config *config,
                  const appliance_time *now) {
  cm_config certificates;
  quic_endpoint_config endpoint;
  const char *host;
  char link[TEXT_MAX];
  cm_hashset set;
  tls_context *tls;
  appliance *a;
  int rv;

  *pappliance = NULL;
  rv = tls_startup();
  if (rv != 0) {
    return rv;
  }
  a = calloc(1, sizeof(*a));
  if (!a) {
    tls_cleanup();
    return CM_ERR_NOMEM;
  }
  a->now = *now;
  a->started = now->wall;
  a->port = config->port;
  a->on_event = config->on_event;
  a->user = config->user;
  a->tls.alpn = "h3,echo";
  a->tls.prefer = config->prefer;
  a->tls.keylog = config->keylog;
  a->tls.keylog_user = config->keylog_user;
  rv = CM_ERR_HOST_COUNT;
  if (config->nhosts == 0) {
    goto fail;
  }
  rv = CM_ERR_NOMEM;
  a->closed = cJSON_CreateArray();
  host = link_host(config);
  if (!host) {
    rv = CM_ERR_HOST;
    goto fail;
  }
  a->host = strdup(host);
  a->path = strdup(config->path ? config->path : APPLIANCE_DEFAULT_PATH);
  if (!a->closed || !a->host || !a->path) {
    goto fail;
  }
  memset(&certificates, 0, sizeof(certificates));
  certificates.hosts = config->hosts;
  certificates.nhosts = config->nhosts;
  certificates.random = config->random;
  rv = cm_manager_new(&a->certificates, &certificates, now->wall);
  if (rv != 0) {
    goto fail;
  }
  hashset_of(a, &set);
  rv = cm_hashset_link(link, sizeof(link), &set);
  if (rv < 0) {
    /* Nothing could be published. */
    goto fail;
  }
  rv = tls_context_new(&tls, cm_manager_active(a->certificates), &a->tls);
  if (rv != 0) {
    goto fail;
  }

  a->apps[0] = &app_echo;
  a->h3.get = get;
  a->h3.user = a;
  a->h3.webtransport.apps = a->apps;
  a->h3.webtransport.napps = sizeof(a->apps) / sizeof(a->apps[0]);
  a->h3.webtransport.sessions_max = config->sessions_max;
  a->h3.webtransport.on_session_opened = on_session_opened;
  a->h3.webtransport.on_session_closed = on_session_closed;
  a->h3.webtransport.user = a;
  a->services[0].protocol = &h3_protocol;
  a->services[0].service = &a->h3;
  a->services[1].protocol = &quic_echo;

  memset(&endpoint, 0, sizeof(endpoint));
  endpoint.mem = config->mem;
  endpoint.random = config->random ? config->random : &cm_random_system;
  endpoint.limits = config->limits;
  endpoint.services = a->services;
  endpoint.nservices = sizeof(a->services) / sizeof(a->services[0]);
  endpoint.connections_max = config->connections_max;
  rv = quic_endpoint_new(&a->endpoint, &endpoint, tls);
  if (rv != 0) {
    tls_context_unref(tls);
    goto fail;
  }
  memcpy(a->served, cm_manager_active(a->certificates)->sha256, CM_HASH_LEN);
  tick(a);
  *pappliance = a;
  return 0;

fail:
  appliance_free(a);
  return rv;
}

void appliance_free(appliance *a) {
  if (!a) {
    return;
  }
  /* Nobody is told about the sessions that end with it. */
  a->on_event = NULL;
  quic_endpoint_free(a->endpoint);
  cm_manager_free(a->certificates);
  cJSON_Delete(a->closed);
  free(a->path);
  free(a->host);
  free(a);
  tls_cleanup();
}

int appliance_step(appliance *a, const appliance_time *now, udp_batch *in,
                   udp_batch *out) {
  a->now = *now;
  if (now->mono >= a->tick_deadline) {
    tick(a);
  }
  if (in) {
    quic_endpoint_receive(a->endpoint, in, now->mono);
  }
  return quic_endpoint_send(a->endpoint, out, now->mono);
}

uint64_t appliance_deadline(const appliance *a) {
  uint64_t endpoint = quic_endpoint_deadline(a->endpoint);

  return endpoint < a->tick_deadline ? endpoint : a->tick_deadline;
}

void appliance_shutdown(appliance *a, const appliance_time *now) {
  a->now = *now;
  a->stopping = 1;
  quic_endpoint_shutdown(a->endpoint, now->mono);
}

int appliance_is_stopping(const appliance *a) { return a->stopping; }

quic_endpoint *appliance_endpoint(appliance *a) { return a->endpoint; }

const cm_certificate *appliance_certificate(const appliance *a) {
  return cm_manager_active(a->certificates);
}
