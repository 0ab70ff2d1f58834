/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appliance as WebAssembly: the loop that a worker, or Node, runs.
 *
 * One call, fortnight_run(), lasts as long as the appliance serves.  It
 * suspends in ds_wait() and nowhere else once the socket is open.  Commands
 * are taken up and events handed out once per turn (libappliance_web.js).
 */
#include "certmgr/hashset.h"
#include "certmgr/journal.h"
#include "certmgr/profile.h"
#include "certmgr/store.h"
#include "directsockets/directsockets.h"
#include "server/host.h"
#include "server/keys.h"
#include "server/script_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emscripten/em_macros.h>

/* How long the last packets may take to leave, in milliseconds. */
#define GOODBYE_MS 200

/* The kernel's buffer under a Direct Socket holds some 115 packets: windows
   beyond that lose packets on a fast network. */
#define STREAM_WINDOW (128 * 1024)
#define CONNECTION_WINDOW (160 * 1024)

/* What all clients together may take of a page's memory; and handshakes that
   may be open, for those of which nobody knows yet who they are. */
#define MEMORY_MAX (32 * 1024 * 1024)
#define HANDSHAKES_MAX 256
#define RETRY_ABOVE 64

/* The journal's name in the store, and how long it gets, in octets. */
#define JOURNAL "journal.jsonl"
#define JOURNAL_MAX (1024 * 1024)

/* libappliance_web.js */
extern size_t appliance_web_command_length(void);
extern void appliance_web_take_command(char *dest, size_t destlen);
extern void appliance_web_emit(const char *events);

EMSCRIPTEN_KEEPALIVE int fortnight_run(const char *options_json);

typedef struct host {
  cJSON *events; /* array; handed out once per turn */
  appliance *appliance;
  udp_socket *socket;
  cm_store *store;          /* NULL: nothing is kept */
  cm_journal_file *journal; /* NULL: there is none */
  script *script;           /* NULL: JavaScript serves nothing */
  int journal_failed;
  int announced;
  const char *address;
  uint16_t port;
} host;

static void tell(host *h, const char *level, const char *text) {
  cJSON *event = cJSON_CreateObject();

  cJSON_AddStringToObject(event, "type", "log");
  cJSON_AddStringToObject(event, "level", level);
  cJSON_AddStringToObject(event, "text", text);
  cJSON_AddItemToArray(h->events, event);
}

static void on_event(void *user, cJSON *event) {
  host *h = user;

  cJSON_AddItemToArray(h->events, cJSON_Duplicate(event, 1));
}

static void on_journal(void *user, const cm_journal_entry *entry) {
  host *h = user;
  int rv;

  if (!h->journal) {
    return;
  }
  rv = cm_journal_append(h->journal, entry);
  /* Told once, however long it lasts. */
  if (rv != 0 && !h->journal_failed) {
    tell(h, "warning", "the journal cannot be written");
  }
  h->journal_failed = rv != 0;
}

static void on_publish(void *user, const cm_publication *publication) {
  host *h = user;
  cJSON *event = cJSON_CreateObject();

  cJSON_AddStringToObject(event, "type", "document");
  cJSON_AddNumberToObject(event, "seq", (double)publication->seq);
  cJSON_AddStringToObject(event, "jws", publication->jws);
  cJSON_AddItemToArray(h->events, event);
}

static cJSON *on_health(void *user) {
  const host *h = user;

  return h->script ? script_web_describe(h->script) : NULL;
}

static void hand_out(host *h) {
  char *text;

  if (cJSON_GetArraySize(h->events) == 0) {
    return;
  }
  text = cJSON_PrintUnformatted(h->events);
  if (!text) {
    return;
  }
  appliance_web_emit(text);
  cJSON_free(text);
  cJSON_Delete(h->events);
  h->events = cJSON_CreateArray();
}

static int fail_because(host *h, int error, const char *text) {
  host_exit code = host_exit_code(error);
  cJSON *event = cJSON_CreateObject();

  cJSON_AddStringToObject(event, "type", "error");
  cJSON_AddStringToObject(event, "code", host_exit_name(code));
  cJSON_AddStringToObject(event, "text", text);
  cJSON_AddItemToArray(h->events, event);
  return (int)code;
}

static int fail(host *h, int error) {
  char text[256];

  if (h->store && h->store->message[0] != '\0' &&
      host_exit_code(error) == HOST_EXIT_STATE) {
    return fail_because(h, error, h->store->message);
  }
  host_explain(text, sizeof(text), error, h->address, h->port);
  return fail_because(h, error, text);
}

static void take_commands(host *h) {
  size_t len;

  while ((len = appliance_web_command_length()) != 0) {
    char *text = malloc(len + 1);
    cJSON *command, *event, *id;
    appliance_time t;

    if (!text) {
      return;
    }
    appliance_web_take_command(text, len + 1);
    command = cJSON_Parse(text);
    free(text);
    host_now(&t);
    event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "type", "reply");
    id = cJSON_DetachItemFromObjectCaseSensitive(command, "id");
    if (id) {
      cJSON_AddItemToObject(event, "id", id);
    }
    cJSON_AddItemToObject(event, "reply",
                          appliance_command(h->appliance, command, &t));
    cJSON_AddItemToArray(h->events, event);
    cJSON_Delete(command);
  }
}

static double milliseconds_until(uint64_t deadline, const appliance_time *t) {
  if (deadline == UINT64_MAX) {
    return -1;
  }
  return deadline <= t->mono
             ? 0
             : (double)(deadline - t->mono) / NGTCP2_MILLISECONDS;
}

static const char *string_of(const cJSON *options, const char *name,
                             const char *otherwise) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(options, name);

  return cJSON_IsString(item) && item->valuestring[0] ? item->valuestring
                                                      : otherwise;
}

/* What was asked for is there: it may be commanded. */
static void announce_socket(host *h) {
  cJSON *event = cJSON_CreateObject();

  cJSON_AddStringToObject(event, "type", "listening");
  cJSON_AddStringToObject(event, "address", h->address);
  cJSON_AddNumberToObject(event, "port", h->port);
  cJSON_AddItemToArray(h->events, event);
}

/* Clients can connect, and the standby is published too: a clock that is not
   set yet, or a full disk, can keep it from that for a while. */
static void announce(host *h) {
  cJSON *event;

  if (h->announced || !appliance_is_ready(h->appliance) ||
      !appliance_is_settled(h->appliance)) {
    return;
  }
  h->announced = 1;
  event = appliance_describe(h->appliance);
  cJSON_AddStringToObject(event, "type", "ready");
  cJSON_AddStringToObject(event, "address", h->address);
  cJSON_AddNumberToObject(event, "port", h->port);
  cJSON_AddBoolToObject(event, "ephemeral", !h->store);
  cJSON_AddItemToArray(h->events, event);
}

/* When the next turn is due. */
static uint64_t deadline_of(const host *h) {
  uint64_t deadline = appliance_deadline(h->appliance);
  uint64_t own = h->script ? script_deadline(h->script) : UINT64_MAX;

  return own < deadline ? own : deadline;
}

static int loop(host *h) {
  appliance_time t;
  int rv;

  for (;;) {
    take_commands(h);
    if (h->script) {
      script_web_take(h->script);
      host_now(&t);
      script_expire(h->script, t.mono);
    }
    rv = host_turn(h->appliance, h->socket, &t);
    announce(h);
    hand_out(h);
    if (h->script) {
      script_web_emit(h->script);
    }
    if (rv < 0) {
      return rv;
    }
    if (appliance_is_stopping(h->appliance)) {
      break;
    }
    ds_wait(rv == 1 ? 0 : milliseconds_until(deadline_of(h), &t));
  }
  /* What closes the connections is in the ring; let it leave. */
  if (udp_send_pending(h->socket)) {
    ds_wait(GOODBYE_MS);
  }
  return 0;
}

static int open_state(host *h, const cJSON *options) {
  int bad, rv;

  if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(options, "ephemeral"))) {
    return 0;
  }
  rv = cm_store_open_web(&h->store, &cm_random_system);
  if (rv != 0) {
    return fail(h, rv);
  }
  rv = cm_journal_open(&h->journal, JOURNAL, JOURNAL_MAX, &bad);
  if (rv != 0) {
    tell(h, "warning", "the journal cannot be read: none is kept");
  } else if (bad) {
    tell(h, "warning",
         "the journal was cut off or changed: what does not hold together is "
         "now " JOURNAL ".bad");
  }
  return 0;
}

static void close_state(host *h) {
  cm_journal_close(h->journal);
  cm_store_close(h->store);
}

/* The limits of |options|.  A host_exit. */
static int read_limits(host *h, const cJSON *options,
                       appliance_config *config) {
  size_t i;

  for (i = 0; i < HOST_LIMIT_COUNT; ++i) {
    const host_limit *limit = &host_limits[i];
    const cJSON *item =
        cJSON_GetObjectItemCaseSensitive(options, limit->member);
    double n = cJSON_GetNumberValue(item);
    char text[128];

    if (!item) {
      continue;
    }
    /* Not so for NaN either, which is what others than numbers give. */
    if (!(n >= (double)limit->min && n <= (double)limit->max &&
          n == (double)(long)n)) {
      snprintf(text, sizeof(text), "%s takes a number%s from %ld to %ld",
               limit->member, limit->unit, limit->min, limit->max);
      return fail_because(h, CM_ERR_INVALID, text);
    }
    limit->set(config, (long)n);
  }
  return 0;
}

/* Who may come.  |origins| is filled for |config|.  A host_exit. */
static int read_admission(host *h, const cJSON *options,
                          appliance_config *config,
                          const char *origins[HOST_ORIGINS_MAX + 1]) {
  const cJSON *all = cJSON_GetObjectItemCaseSensitive(options, "origins");
  const cJSON *item;
  size_t n = 0;
  int bad;

  if (host_retry(&config->retry, string_of(options, "retry", "busy")) != 0) {
    return fail_because(h, CM_ERR_INVALID, "retry takes always, busy or never");
  }
  if (!all) {
    return 0;
  }
  bad = !cJSON_IsArray(all);
  cJSON_ArrayForEach(item, all) {
    bad = bad || n == HOST_ORIGINS_MAX || !cJSON_IsString(item) ||
          !host_is_origin(item->valuestring);
    if (!bad) {
      origins[n++] = item->valuestring;
    }
  }
  if (bad) {
    return fail_because(h, CM_ERR_INVALID,
                        "origins is a list of what browsers send, such as "
                        "https://example.org or http://localhost:8080: in "
                        "lower case, without a path, and without the port that "
                        "is the scheme's own");
  }
  /* An empty list is nobody. */
  origins[n] = NULL;
  config->origins = origins;
  return 0;
}

/* The paths that JavaScript serves.  A host_exit. */
static int open_script(host *h, const cJSON *options,
                       appliance_config *config) {
  const cJSON *paths = cJSON_GetObjectItemCaseSensitive(options, "paths");
  int rv;

  if (!paths) {
    return 0;
  }
  rv = script_web_new(&h->script, paths);
  if (rv == QUIC_ERR_STATE) {
    return fail_because(h, CM_ERR_INVALID,
                        "paths is a list of at most 32 that begin with \"/\", "
                        "such as /chat, or /files/* for all that begin so");
  }
  if (rv != 0) {
    return fail(h, rv);
  }
  config->napps = script_apps(h->script, &config->apps);
  return 0;
}

/* Which of the appliance's own applications are served.  A host_exit. */
static int read_apps(host *h, const cJSON *options, appliance_config *config) {
  const cJSON *all = cJSON_GetObjectItemCaseSensitive(options, "apps");
  const cJSON *item;
  int bad = all && !cJSON_IsArray(all);

  if (!all) {
    return 0;
  }
  config->omitted = APPLIANCE_APPS_OWN;
  cJSON_ArrayForEach(item, all) {
    unsigned bit =
        cJSON_IsString(item) ? appliance_app_bit(item->valuestring) : 0;

    bad = bad || bit == 0;
    config->omitted &= ~bit;
  }
  return bad ? fail_because(h, CM_ERR_INVALID,
                            "apps is a list of echo, room and measure")
             : 0;
}

/* Takes |options| that are not of the socket into |config|. */
static int read_options(host *h, const cJSON *options, appliance_config *config,
                        cm_profile *profile) {
  const char *text = string_of(options, "profile", NULL);
  const char *reason;
  char message[256];

  if (text) {
    if (cm_profile_parse(profile, text, &reason) != 0) {
      snprintf(message, sizeof(message), "profile \"%.100s\": %s", text,
               reason);
      return fail_because(h, CM_ERR_INVALID, message);
    }
    config->profile = profile;
  }
  config->path = string_of(options, "path", NULL);
  config->mirror = string_of(options, "mirror", NULL);
  if (config->mirror && cm_mirror_check(config->mirror) != 0) {
    return fail_because(h, CM_ERR_INVALID,
                        "the mirror is an https URL without a fragment");
  }
  if (read_apps(h, options, config) != 0) {
    return HOST_EXIT_OPTION;
  }
  return read_limits(h, options, config);
}

/* With the socket and the state open. */
static int serve_by(host *h, appliance_config *config) {
  quic_endpoint_keys keys;
  keys_note note;
  appliance_time t;
  unsigned bad;
  char text[256];
  int rv;

  config->port = h->port;
  config->store = h->store;
  config->limits.stream_window = STREAM_WINDOW;
  config->limits.connection_window = CONNECTION_WINDOW;
  config->memory_max = MEMORY_MAX;
  if (config->handshakes_max == 0) {
    config->handshakes_max = HANDSHAKES_MAX;
  }
  if (config->retry_above == 0) {
    config->retry_above = RETRY_ABOVE;
  }
  config->prefer = TLS_PREFER_CHACHA20_POLY1305;
  config->on_event = on_event;
  config->on_journal = on_journal;
  config->on_publish = on_publish;
  config->on_health = on_health;
  config->user = h;
  if (h->store) {
    rv = keys_open(&keys, "state", &cm_random_system, &note);
    if (rv != 0) {
      return fail(h, rv);
    }
    if (note.level) {
      tell(h, note.level, note.text);
    }
    config->keys = &keys;
  }
  host_now(&t);
  rv = appliance_new(&h->appliance, config, &t);
  ngtcp2_secure_clear(&keys, sizeof(keys));
  config->keys = NULL;
  if (rv != 0) {
    return fail(h, rv);
  }
  announce_socket(h);
  if (host_doubt(text, sizeof(text), h->address, config->hosts,
                 config->nhosts)) {
    tell(h, "warning", text);
  }
  bad = h->store ? h->store->bad : 0;
  if (bad > 0) {
    snprintf(text, sizeof(text),
             "%u of 2 copies of the state was damaged, and is set aside", bad);
    tell(h, "warning", text);
  }
  rv = loop(h);
  if (rv != 0) {
    rv = fail(h, rv);
  }
  appliance_free(h->appliance);
  h->appliance = NULL;
  return rv;
}

static int serve(host *h, const cJSON *options) {
  const cJSON *port_item = cJSON_GetObjectItemCaseSensitive(options, "port");
  const cJSON *address = cJSON_GetObjectItemCaseSensitive(options, "address");
  const cJSON *hosts = cJSON_GetObjectItemCaseSensitive(options, "hosts");
  double port =
      port_item ? cJSON_GetNumberValue(port_item) : (double)HOST_DEFAULT_PORT;
  const char *defaults[HOST_NAMES_MAX];
  const char *origins[HOST_ORIGINS_MAX + 1];
  const char **names;
  appliance_config config;
  cm_profile profile;
  udp_options udp;
  size_t n;
  int rv, i;

  h->address = string_of(options, "address", HOST_DEFAULT_ADDRESS);
  if (address && !cJSON_IsString(address)) {
    return fail_because(h, UDP_ERR_INVALID,
                        "address is one literal address, since there is one "
                        "socket here: :: is every network");
  }
  /* Also what is no number at all: cJSON gives NaN for it. */
  if (!(port >= 0 && port <= 65535 && port == (double)(uint16_t)port)) {
    return fail(h, UDP_ERR_INVALID);
  }
  h->port = (uint16_t)port;
  n = (size_t)cJSON_GetArraySize(hosts);
  names = n ? calloc(n, sizeof(*names)) : defaults;
  if (!names) {
    return fail(h, UDP_ERR_NOMEM);
  }
  for (i = 0; i < (int)n; ++i) {
    const cJSON *item = cJSON_GetArrayItem(hosts, i);

    names[i] = cJSON_IsString(item) ? item->valuestring : "";
  }
  if (n == 0) {
    n = host_default_names(defaults, h->address);
  }
  appliance_config_default(&config);
  config.hosts = names;
  config.nhosts = n;
  rv = read_options(h, options, &config, &profile);
  if (rv == 0) {
    rv = read_admission(h, options, &config, origins);
  }
  if (rv == 0) {
    rv = open_script(h, options, &config);
  }
  if (rv != 0) {
    goto fail_names;
  }

  udp.address = h->address;
  udp.port = h->port;
  rv = udp_open(&h->socket, &udp);
  if (rv != 0) {
    rv = fail(h, rv);
    goto fail_names;
  }
  h->port = host_port(udp_local_address(h->socket, 0));
  rv = open_state(h, options);
  if (rv == 0) {
    rv = serve_by(h, &config);
  }
  close_state(h);
  udp_close(h->socket);
fail_names:
  script_free(h->script);
  if (names != defaults) {
    free(names);
  }
  return rv;
}

/*
 * Serves until it is told to stop.  |options_json|: {"address", "port",
 * "hosts", "path", "profile", "mirror", "ephemeral", "origins", "retry",
 * "paths", "apps"} and the members of host_limits, all optional.  Unless it is
 * ephemeral, the state is in Module.fortnightStore (libstore_web.js). Returns a
 * host_exit.
 */
int fortnight_run(const char *options_json) {
  cJSON *options = cJSON_Parse(options_json);
  host h;
  int rv;

  memset(&h, 0, sizeof(h));
  h.events = cJSON_CreateArray();
  rv = serve(&h, options);
  hand_out(&h);
  cJSON_Delete(h.events);
  cJSON_Delete(options);
  return rv;
}
