/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/world_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-11-22, or any day. */
#define WALL INT64_C(1795300000)
#define PATIENCE (20 * SIM_SECOND)

static appliance_time time_at(const sim_world *world, uint64_t now) {
  appliance_time time = {now,
                         WALL + world->asleep + (int64_t)(now / SIM_SECOND)};

  return time;
}

static void receive(void *server, udp_batch *in, uint64_t now) {
  sim_world *world = server;
  const appliance_time time = time_at(world, now);
  udp_batch none = {NULL, 0, 0};

  /* Nothing may be lost for want of slots: send_packets() follows. */
  appliance_step(world->appliance, &time, in, &none);
}

static int send_packets(void *server, udp_batch *out, uint64_t now) {
  sim_world *world = server;
  const appliance_time time = time_at(world, now);

  return appliance_step(world->appliance, &time, NULL, out);
}

static uint64_t deadline(void *server) {
  const sim_world *world = server;

  return appliance_deadline(world->appliance);
}

static int from_hex(uint8_t dest[32], const char *hex) {
  unsigned int octet;
  size_t i;

  if (hex == NULL || strlen(hex) != 64) {
    return -1;
  }
  for (i = 0; i < 32; ++i) {
    if (sscanf(hex + 2 * i, "%2x", &octet) != 1) {
      return -1;
    }
    dest[i] = (uint8_t)octet;
  }
  return 0;
}

static const char *text_of(const cJSON *object, const char *name) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static int read_hashes(sim_world *world, const cJSON *object) {
  const cJSON *hashes = cJSON_GetObjectItemCaseSensitive(object, "hashes");
  const cJSON *hash;
  int rv = 0;

  cJSON_ArrayForEach(hash, hashes) {
    const char *use = text_of(hash, "use");

    if (use != NULL && strcmp(use, "active") == 0) {
      rv |= from_hex(world->active, text_of(hash, "hex"));
    } else {
      rv |= from_hex(world->standby, text_of(hash, "hex"));
    }
  }
  return cJSON_GetArraySize(hashes) == 2 ? rv : -1;
}

static void on_event(void *user, cJSON *event) {
  const char *type = text_of(event, "type");
  sim_world *world = user;
  sim_world_close *close = &world->last_close;

  if (strcmp(type, "certificates") == 0) {
    read_hashes(world, event);
  } else if (strcmp(type, "session-opened") == 0) {
    ++world->sessions_opened;
  } else if (strcmp(type, "session-closed") == 0) {
    ++world->sessions_closed;
    snprintf(close->by, sizeof(close->by), "%s", text_of(event, "by"));
    snprintf(close->reason, sizeof(close->reason), "%s",
             text_of(event, "reason"));
    close->code = (uint32_t)cJSON_GetNumberValue(
        cJSON_GetObjectItemCaseSensitive(event, "code"));
  }
}

static int start(sim_world *world, uint64_t seed,
                 const quic_conn_limits *limits) {
  static const char *const hosts[] = {"localhost", "10.0.0.1"};
  const appliance_time time = time_at(world, SIM_SECOND);
  sim_server server = {receive, send_packets, deadline, NULL};
  appliance_config config;
  cJSON *set;
  int rv;

  appliance_config_default(&config);
  config.hosts = hosts;
  config.nhosts = 2;
  config.port = 4433;
  config.random = &world->random;
  if (limits != NULL) {
    config.limits = *limits;
  }
  config.on_event = on_event;
  config.user = world;
  if (sim_tls_new(&world->tls) != 0 ||
      appliance_new(&world->appliance, &config, &time) != 0) {
    return -1;
  }
  world->endpoint = appliance_endpoint(world->appliance);
  set = appliance_describe(world->appliance);
  rv = read_hashes(world, set);
  cJSON_Delete(set);
  if (rv != 0) {
    return -1;
  }
  server.server = world;
  world->network = sim_network_new(&server, seed);
  return world->network == NULL ? -1 : 0;
}

sim_world *sim_world_new(uint64_t seed, const quic_conn_limits *limits) {
  sim_world *world = calloc(1, sizeof(*world));

  if (world == NULL) {
    return NULL;
  }
  sim_random_seed(&world->server_random, seed ^ 0x5eed);
  world->random.fill = sim_random_fill_user;
  world->random.user = &world->server_random;
  if (start(world, seed, limits) != 0) {
    sim_world_free(world);
    return NULL;
  }
  return world;
}

void sim_world_free(sim_world *world) {
  size_t i;

  if (world == NULL) {
    return;
  }
  sim_network_free(world->network);
  if (world->h3 != NULL) {
    sim_world_end_service(world);
  }
  appliance_free(world->appliance);
  sim_tls_free(world->tls);
  for (i = 0; i < world->npeers; ++i) {
    sim_peer_clear(world->peers[i]);
    free(world->peers[i]);
  }
  free(world);
}

const quic_endpoint_counters *sim_world_counters(const sim_world *world) {
  return quic_endpoint_get_counters(world->endpoint);
}

cJSON *sim_world_command(sim_world *world, const char *json) {
  const appliance_time time = time_at(world, sim_network_now(world->network));
  cJSON *command = cJSON_Parse(json), *reply;

  reply = appliance_command(world->appliance, command, &time);
  cJSON_Delete(command);
  if (reply != NULL && cJSON_HasObjectItem(reply, "error")) {
    cJSON_Delete(reply);
    return NULL;
  }
  return reply;
}

int sim_world_rotate(sim_world *world) {
  cJSON *reply =
      sim_world_command(world, "{\"command\":\"rotate\",\"force\":true}");
  int rv = reply == NULL ? -1 : read_hashes(world, reply);

  cJSON_Delete(reply);
  return rv;
}

sim_client_config sim_world_config(sim_world *world) {
  sim_client_config config;

  memset(&config, 0, sizeof(config));
  config.alpn = "h3";
  config.server_name = "localhost";
  config.hashes = (const uint8_t(*)[32]) & world->active;
  config.nhashes = 1;
  config.tls = world->tls;
  return config;
}

sim_peer *sim_world_add(sim_world *world, const sim_client_config *config) {
  sim_client_config own = *config;
  sim_peer *peer;

  if (world->npeers == SIM_WORLD_PEERS) {
    return NULL;
  }
  peer = calloc(1, sizeof(*peer));
  if (peer == NULL) {
    return NULL;
  }
  own.callbacks = sim_peer_callbacks;
  own.user = peer;
  if (sim_network_add_client(world->network, &own, &peer->client) != 0) {
    free(peer);
    return NULL;
  }
  world->peers[world->npeers++] = peer;
  return peer;
}

sim_peer *sim_world_connect(sim_world *world, const char *alpn) {
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;

  config.alpn = alpn;
  config.mode = strcmp(alpn, "h3") == 0 ? SIM_MODE_H3 : SIM_MODE_RAW;
  peer = sim_world_add(world, &config);
  if (peer == NULL ||
      sim_world_until(world, sim_is_handshake_done, peer, 0) != 0) {
    return NULL;
  }
  return peer;
}

int64_t sim_world_session(sim_world *world, sim_peer *peer, const char *path) {
  const sim_request request = {.authority = "localhost:4433",
                               .path = path,
                               .origin = "https://example.org"};
  int64_t session;

  if (sim_client_session_open(peer->client, &request, &session) != 0 ||
      sim_world_until(world, sim_is_answered, peer, session) != 0) {
    return -1;
  }
  return session;
}

void sim_world_abandon(sim_world *world, sim_peer *peer) {
  sim_network_remove_client(world->network, peer->client);
  peer->client = NULL;
}

typedef struct wait_state {
  sim_condition condition;
  sim_peer *peer;
  int64_t id;
} wait_state;

static int met(void *user) {
  const wait_state *wait = user;

  return wait->condition(wait->peer, wait->id);
}

int sim_world_until(sim_world *world, sim_condition condition, sim_peer *peer,
                    int64_t id) {
  wait_state wait = {condition, peer, id};
  int rv = sim_network_run(world->network, met, &wait, PATIENCE);

  if (rv < 0) {
    fprintf(stderr, "the %s spins\n", sim_network_spinning(world->network));
  }
  return rv;
}

int sim_world_pass(sim_world *world, uint64_t time) {
  int rv = sim_network_run(world->network, NULL, NULL, time);

  if (rv < 0) {
    fprintf(stderr, "the %s spins\n", sim_network_spinning(world->network));
  }
  return rv < 0 ? -1 : 0;
}

int sim_is_handshake_done(sim_peer *peer, int64_t unused) {
  (void)unused;
  return peer->handshake_done;
}

int sim_is_confirmed(sim_peer *peer, int64_t unused) {
  (void)unused;
  return peer->confirmed;
}

int sim_is_closed(sim_peer *peer, int64_t unused) {
  (void)unused;
  return peer->closed;
}

int sim_is_settings(sim_peer *peer, int64_t unused) {
  (void)unused;
  return peer->settings;
}

int sim_is_answered(sim_peer *peer, int64_t session) {
  return sim_peer_find_session(peer, session)->answered;
}

int sim_is_session_closed(sim_peer *peer, int64_t session) {
  return sim_peer_find_session(peer, session)->closed;
}

int sim_is_draining(sim_peer *peer, int64_t session) {
  return sim_peer_find_session(peer, session)->draining;
}

int sim_is_stopped(sim_peer *peer, int64_t id) {
  return sim_peer_find_stream(peer, id)->stopped;
}

int sim_is_stream_there(sim_peer *peer, int64_t id) {
  const sim_peer_stream *stream = sim_peer_find_stream(peer, id);

  return stream->len > 0 || sim_is_stream_ended(peer, id);
}

int sim_is_stream_ended(sim_peer *peer, int64_t id) {
  const sim_peer_stream *stream = sim_peer_find_stream(peer, id);

  return stream->fin || stream->reset;
}

int sim_is_datagrams(sim_peer *peer, int64_t count) {
  return peer->ndatagrams >= (size_t)count;
}

int sim_is_server_streams(sim_peer *peer, int64_t count) {
  size_t i;

  for (i = 0; i < peer->nstreams; ++i) {
    count -= peer->streams[i].by_server && peer->streams[i].fin;
  }
  return count <= 0;
}
