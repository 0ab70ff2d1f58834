/* SPDX-License-Identifier: Apache-2.0 */
#include "server/appliance_internal.h"

#include "server/apps/echo.h"
#include "server/apps/measure.h"
#include "server/quic/echo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rounding of two clocks, and the time between reading them. */
#define JUMP_SECONDS 2

void appliance_config_default(appliance_config *config) {
  memset(config, 0, sizeof(*config));
  quic_conn_limits_default(&config->limits);
  config->connections_max = 10000;
  config->request_timeout = 30 * NGTCP2_SECONDS;
  config->sessions_max = 16;
  config->prefer = TLS_PREFER_AES_GCM;
}

/* APPLIANCE_APPS_OWN has all of them. */
#define APP_ECHO 1u
#define APP_ROOM 2u
#define APP_MEASURE 4u

unsigned appliance_app_bit(const char *name) {
  if (strcmp(name, "echo") == 0) {
    return APP_ECHO;
  }
  if (strcmp(name, "room") == 0) {
    return APP_ROOM;
  }
  return strcmp(name, "measure") == 0 ? APP_MEASURE : 0;
}

static void add_app(appliance *a, const struct app *served) {
  a->apps[a->napps++] = served;
}

/* The host's, then the appliance's own. */
static void add_apps(appliance *a, const appliance_config *config) {
  size_t i;

  for (i = 0; i < config->napps && i < APPLIANCE_APPS_MAX; ++i) {
    add_app(a, config->apps[i]);
  }
  if (!(config->omitted & APP_ECHO)) {
    add_app(a, &app_echo);
  }
  add_app(a, hash_feed_app(&a->feed));
  if (!(config->omitted & APP_ROOM)) {
    add_app(a, rooms_app(&a->rooms));
  }
  if (!(config->omitted & APP_MEASURE)) {
    add_app(a, &app_sink);
    add_app(a, &app_source);
  }
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

void appliance_emit(appliance *a, cJSON *event) {
  /* One that memory did not suffice for is nobody's. */
  if (a->on_event && cJSON_HasObjectItem(event, "type")) {
    a->on_event(a->user, event);
  }
  cJSON_Delete(event);
}

cJSON *appliance_event(const char *type) {
  cJSON *event = cJSON_CreateObject();

  cJSON_AddStringToObject(event, "type", type);
  return event;
}

void appliance_log(appliance *a, const char *level, const char *text) {
  cJSON *event = appliance_event("log");

  cJSON_AddStringToObject(event, "level", level);
  cJSON_AddStringToObject(event, "text", text);
  appliance_emit(a, event);
}

double appliance_age(const appliance *a, uint64_t then) {
  return a->now.mono > then ? (double)((a->now.mono - then) / NGTCP2_SECONDS)
                            : 0;
}

/* ---- Sessions ---- */

void appliance_add_peer(cJSON *object, const wt_session *session) {
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
  cJSON *event = appliance_event("session-opened");

  ++a->sessions_total;
  if (record) {
    record->session = session;
    record->opened = a->now.mono;
    record->next = a->sessions;
    a->sessions = record;
  }
  appliance_add_peer(event, session);
  appliance_emit(a, event);
}

static void on_session_closed(void *user, wt_session *session, wt_closed_by by,
                              uint32_t code, const uint8_t *reason,
                              size_t len) {
  static const char *const names[] = {"client", "server", "connection"};
  appliance *a = user;
  open_session **link = &a->sessions;
  cJSON *event = appliance_event("session-closed");
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
  if (cJSON_GetArraySize(a->closed) == APPLIANCE_CLOSED_MAX) {
    cJSON_DeleteItemFromArray(a->closed, 0);
  }
  cJSON_AddItemToArray(a->closed, cJSON_Duplicate(event, 1));
  appliance_emit(a, event);
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
                            appliance_age(a, a->started.mono));
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

/* ---- Life ---- */

/* The path of a link that names none. */
static const char *default_path(const appliance_config *config) {
  if (!(config->omitted & APP_ECHO)) {
    return app_echo.path;
  }
  if (!(config->omitted & APP_ROOM)) {
    return ROOM_PATH;
  }
  return config->omitted & APP_MEASURE ? app_echo.path : app_source.path;
}

/* Tells if who follows a link with |path| finds nothing there. */
static void doubt_path(appliance *a, const char *path) {
  size_t i, len = strcspn(path, "?");
  char text[256];

  for (i = 0; i < a->napps; ++i) {
    const char *served = a->apps[i]->path;
    size_t n = strlen(served);

    if ((n == len && memcmp(served, path, len) == 0) ||
        (n <= len + 1 && served[n - 1] == '*' &&
         memcmp(served, path, n - 1) == 0)) {
      return;
    }
  }
  snprintf(text, sizeof(text),
           "nothing is served on %.100s: whoever follows the link gets a 404; "
           "there is %s",
           path, a->apps[0]->path);
  appliance_log(a, "warning", text);
}

int appliance_new(appliance **pappliance, const appliance_config *config,
                  const appliance_time *now) {
  cm_config certificates;
  quic_endpoint_config endpoint;
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
  a->started = *now;
  a->drain_timeout = config->drain_timeout;
  a->stop_deadline = UINT64_MAX;
  a->on_event = config->on_event;
  a->on_publish = config->on_publish;
  a->on_journal = config->on_journal;
  a->on_health = config->on_health;
  a->user = config->user;
  a->tls.alpn = config->omitted & APP_ECHO ? "h3" : "h3,echo";
  a->tls.prefer = config->prefer;
  a->tls.keylog = config->keylog;
  a->tls.keylog_user = config->keylog_user;
  hash_feed_init(&a->feed);
  rooms_init(&a->rooms);
  rv = CM_ERR_NOMEM;
  a->closed = cJSON_CreateArray();
  if (!a->closed) {
    goto fail;
  }
  memset(&certificates, 0, sizeof(certificates));
  certificates.hosts = config->hosts;
  certificates.nhosts = config->nhosts;
  certificates.port = config->port;
  certificates.path = config->path ? config->path : default_path(config);
  certificates.mirror = config->mirror;
  certificates.profile = config->profile;
  certificates.random = config->random;
  certificates.store = config->store;
  certificates.callbacks = appliance_callbacks;
  certificates.user = a;
  rv = cm_manager_new(&a->certificates, &certificates);
  if (rv != 0) {
    goto fail;
  }

  add_apps(a, config);
  a->h3.get = get;
  a->h3.user = a;
  a->h3.webtransport.apps = a->apps;
  a->h3.webtransport.napps = a->napps;
  a->h3.request_timeout = config->request_timeout;
  a->h3.webtransport.sessions_max = config->sessions_max;
  a->h3.webtransport.origins = config->origins;
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
  endpoint.nservices = config->omitted & APP_ECHO ? 1 : 2;
  endpoint.connections_max = config->connections_max;
  endpoint.retry = config->retry;
  endpoint.retry_above = config->retry_above;
  endpoint.handshakes_max = config->handshakes_max;
  endpoint.memory_max = config->memory_max;
  endpoint.keys = config->keys;
  if (config->keys && now->wall > 0) {
    /* Tokens are dated by the wall clock of the start: what was given out by
       another start has its age. */
    endpoint.token_clock = (uint64_t)now->wall * NGTCP2_SECONDS - now->mono;
  }
  endpoint.on_initial = appliance_on_initial;
  endpoint.on_end = appliance_on_end;
  endpoint.user = a;
  rv = quic_endpoint_new(&a->endpoint, &endpoint, NULL);
  if (rv != 0) {
    goto fail;
  }
  appliance_settle_certificates(a);
  doubt_path(a, certificates.path);
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
  appliance_forget_contexts(a);
  hash_feed_free(&a->feed);
  cm_manager_free(a->certificates);
  cJSON_Delete(a->closed);
  free(a);
  tls_cleanup();
}

/* Whether the wall clock has gone another way than the monotonic one since the
   last step: somebody has set it, or the machine was asleep. */
static int has_jumped(const appliance *a, const appliance_time *now) {
  int64_t went = (int64_t)(now->mono / NGTCP2_SECONDS) -
                 (int64_t)(a->now.mono / NGTCP2_SECONDS);
  int64_t jump = now->wall - a->now.wall - went;

  return jump > JUMP_SECONDS || jump < -JUMP_SECONDS;
}

void appliance_set_time(appliance *a, const appliance_time *now) {
  if (has_jumped(a, now)) {
    a->certificates_deadline = now->mono;
  }
  a->now = *now;
}

int appliance_step(appliance *a, const appliance_time *now, udp_batch *in,
                   udp_batch *out) {
  appliance_set_time(a, now);
  if (now->mono >= a->certificates_deadline ||
      cm_manager_is_saving(a->certificates)) {
    appliance_tend_certificates(a);
  }
  if (in) {
    quic_endpoint_receive(a->endpoint, in, now->mono);
  }
  appliance_tend_stop(a);
  return quic_endpoint_send(a->endpoint, out, now->mono);
}

uint64_t appliance_deadline(const appliance *a) {
  uint64_t endpoint = quic_endpoint_deadline(a->endpoint);

  if (a->stop_deadline < endpoint) {
    endpoint = a->stop_deadline;
  }
  return endpoint < a->certificates_deadline ? endpoint
                                             : a->certificates_deadline;
}

quic_endpoint *appliance_endpoint(appliance *a) { return a->endpoint; }

int appliance_is_ready(const appliance *a) {
  const cm_publication *pub = cm_manager_publication(a->certificates);

  return a->is_serving && pub && pub->set.active;
}

int appliance_is_settled(const appliance *a) {
  return a->certificates_deadline > a->now.mono &&
         !cm_manager_is_saving(a->certificates);
}

const cm_manager *appliance_certificates(const appliance *a) {
  return a->certificates;
}

const cm_certificate *appliance_certificate(const appliance *a) {
  return cm_manager_active(a->certificates);
}
