/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appliance as WebAssembly: the loop that a worker, or Node, runs.
 *
 * One call, fortnight_run(), lasts as long as the appliance serves.  It
 * suspends in ds_wait() and nowhere else once the socket is open.  Commands
 * are taken up and events handed out once per turn (libappliance_web.js).
 */
#include "directsockets/directsockets.h"
#include "server/host.h"

#include <stdlib.h>
#include <string.h>

#include <emscripten/em_macros.h>

/* How long the last packets may take to leave, in milliseconds. */
#define GOODBYE_MS 200

/* The kernel's buffer under a Direct Socket holds some 115 packets: windows
   beyond that lose packets on a fast network. */
#define STREAM_WINDOW (128 * 1024)
#define CONNECTION_WINDOW (160 * 1024)

/* libappliance_web.js */
extern size_t appliance_web_command_length(void);
extern void appliance_web_take_command(char *dest, size_t destlen);
extern void appliance_web_emit(const char *events);

EMSCRIPTEN_KEEPALIVE int fortnight_run(const char *options_json);

typedef struct host {
  cJSON *events; /* array; handed out once per turn */
  appliance *appliance;
  udp_socket *socket;
} host;

static void on_event(void *user, cJSON *event) {
  host *h = user;

  cJSON_AddItemToArray(h->events, cJSON_Duplicate(event, 1));
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

static int fail(host *h, int error, const char *address, unsigned port) {
  host_exit code = host_exit_code(error);
  cJSON *event = cJSON_CreateObject();
  char text[256];

  host_explain(text, sizeof(text), error, address, port);
  cJSON_AddStringToObject(event, "type", "error");
  cJSON_AddStringToObject(event, "code", host_exit_name(code));
  cJSON_AddStringToObject(event, "text", text);
  cJSON_AddItemToArray(h->events, event);
  return (int)code;
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

static int loop(host *h) {
  appliance_time t;
  int rv;

  for (;;) {
    take_commands(h);
    rv = host_turn(h->appliance, h->socket, &t);
    hand_out(h);
    if (rv < 0) {
      return rv;
    }
    if (appliance_is_stopping(h->appliance)) {
      break;
    }
    ds_wait(rv == 1 ? 0
                    : milliseconds_until(appliance_deadline(h->appliance), &t));
  }
  /* What closes the connections is in the ring; let it leave. */
  if (udp_send_pending(h->socket)) {
    ds_wait(GOODBYE_MS);
  }
  return 0;
}

static const char *string_of(const cJSON *options, const char *name,
                             const char *otherwise) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(options, name);

  return cJSON_IsString(item) && item->valuestring[0] ? item->valuestring
                                                      : otherwise;
}

static void announce(host *h, const char *address, uint16_t port) {
  cJSON *event = appliance_describe(h->appliance);

  cJSON_AddStringToObject(event, "type", "ready");
  cJSON_AddStringToObject(event, "address", address);
  cJSON_AddNumberToObject(event, "port", port);
  cJSON_AddItemToArray(h->events, event);
  hand_out(h);
}

static int serve(host *h, const cJSON *options) {
  const char *address = string_of(options, "address", HOST_DEFAULT_ADDRESS);
  const cJSON *port_item = cJSON_GetObjectItemCaseSensitive(options, "port");
  const cJSON *hosts = cJSON_GetObjectItemCaseSensitive(options, "hosts");
  double port =
      port_item ? cJSON_GetNumberValue(port_item) : (double)HOST_DEFAULT_PORT;
  const char *defaults[HOST_NAMES_MAX];
  const char **names;
  appliance_config config;
  appliance_time t;
  udp_options udp;
  size_t n;
  int rv, i;

  /* Also what is no number at all: cJSON gives NaN for it. */
  if (!(port >= 0 && port <= 65535 && port == (double)(uint16_t)port)) {
    return fail(h, UDP_ERR_INVALID, address, 0);
  }
  n = (size_t)cJSON_GetArraySize(hosts);
  names = n ? calloc(n, sizeof(*names)) : defaults;
  if (!names) {
    return fail(h, UDP_ERR_NOMEM, address, 0);
  }
  for (i = 0; i < (int)n; ++i) {
    const cJSON *item = cJSON_GetArrayItem(hosts, i);

    names[i] = cJSON_IsString(item) ? item->valuestring : "";
  }
  if (n == 0) {
    n = host_default_names(defaults, address);
  }

  udp.address = address;
  udp.port = (uint16_t)port;
  rv = udp_open(&h->socket, &udp);
  if (rv != 0) {
    rv = fail(h, rv, address, (unsigned)port);
    goto fail_names;
  }
  appliance_config_default(&config);
  config.hosts = names;
  config.nhosts = n;
  config.port = host_port(udp_local_address(h->socket));
  config.path = string_of(options, "path", NULL);
  config.limits.stream_window = STREAM_WINDOW;
  config.limits.connection_window = CONNECTION_WINDOW;
  config.prefer = TLS_PREFER_CHACHA20_POLY1305;
  config.on_event = on_event;
  config.user = h;
  host_now(&t);
  rv = appliance_new(&h->appliance, &config, &t);
  if (rv != 0) {
    rv = fail(h, rv, address, (unsigned)port);
    goto fail_socket;
  }
  announce(h, address, config.port);
  rv = loop(h);
  if (rv != 0) {
    rv = fail(h, rv, address, config.port);
  }
  appliance_free(h->appliance);
  h->appliance = NULL;
fail_socket:
  udp_close(h->socket);
fail_names:
  if (names != defaults) {
    free(names);
  }
  return rv;
}

/*
 * Serves until it is told to stop.  |options_json|: {"address", "port",
 * "hosts", "path"}, all optional.  Returns a host_exit.
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
