/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/apps/echo.h"
#include "server/quic/echo.h"

/* 2026-11-22, or any day. */
#define WALL 1795300000
#define PATIENCE (20 * SIM_SECOND)

static const app *const apps[] = {&app_echo};

static int get(void *user, const char *path, char **pbody, size_t *plen,
               const char **content_type) {
  (void)user;
  *content_type = "text/plain";
  if (strcmp(path, "/") != 0) {
    return 404;
  }
  *pbody = strdup("a world\n");
  *plen = 8;
  return *pbody == NULL ? 500 : 200;
}

static void on_session_opened(void *user, struct wt_session *session) {
  sim_world *world = user;

  (void)session;
  ++world->sessions_opened;
}

static void on_session_closed(void *user, struct wt_session *session,
                              wt_closed_by by, uint32_t code,
                              const uint8_t *reason, size_t len) {
  sim_world *world = user;

  (void)session;
  ++world->sessions_closed;
  memset(&world->last_close, 0, sizeof(world->last_close));
  world->last_close.by = by;
  world->last_close.code = code;
  if (len > 0 && len < sizeof(world->last_close.reason)) {
    memcpy(world->last_close.reason, reason, len);
  }
}

static void receive(void *server, udp_batch *in, uint64_t now) {
  quic_endpoint_receive(server, in, now);
}

static int send_packets(void *server, udp_batch *out, uint64_t now) {
  return quic_endpoint_send(server, out, now);
}

static uint64_t deadline(void *server) {
  return quic_endpoint_deadline(server);
}

static void on_end(void *user, const quic_conn *conn,
                   const quic_conn_end *end) {
  sim_world *world = user;

  (void)conn;
  world->last_end = *end;
  ++world->ends;
}

static tls_context *context_for(const cm_certificate *certificate) {
  const tls_config config = {.alpn = "h3,echo"};
  tls_context *context;

  return tls_context_new(&context, certificate, &config) == 0 ? context : NULL;
}

static int start(sim_world *world, uint64_t seed,
                 const quic_conn_limits *limits) {
  static const char *const hosts[] = {"localhost", "10.0.0.1"};
  const cm_config manager_config = {
      .hosts = hosts, .nhosts = 2, .random = &world->random};
  quic_endpoint_config config;
  sim_server server = {receive, send_packets, deadline, NULL};
  tls_context *context;

  if (tls_startup() != 0 || sim_tls_new(&world->tls) != 0 ||
      cm_manager_new(&world->manager, &manager_config, world->wall) != 0 ||
      (context = context_for(cm_manager_active(world->manager))) == NULL) {
    return -1;
  }
  world->services[0].protocol = &h3_protocol;
  world->services[0].service = &world->web;
  world->web.get = get;
  world->web.webtransport.apps = apps;
  world->web.webtransport.napps = 1;
  world->web.webtransport.sessions_max = 16;
  world->web.webtransport.on_session_opened = on_session_opened;
  world->web.webtransport.on_session_closed = on_session_closed;
  world->web.webtransport.user = world;
  world->services[1].protocol = &quic_echo;
  memset(&config, 0, sizeof(config));
  config.random = &world->random;
  quic_conn_limits_default(&config.limits);
  if (limits != NULL) {
    config.limits = *limits;
  }
  config.services = world->services;
  config.nservices = 2;
  config.connections_max = 1000;
  config.on_end = on_end;
  config.user = world;
  if (quic_endpoint_new(&world->endpoint, &config, context) != 0) {
    tls_context_unref(context);
    return -1;
  }
  server.server = world->endpoint;
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
  world->wall = WALL;
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
  quic_endpoint_free(world->endpoint);
  cm_manager_free(world->manager);
  sim_tls_free(world->tls);
  for (i = 0; i < world->npeers; ++i) {
    sim_peer_clear(world->peers[i]);
    free(world->peers[i]);
  }
  tls_cleanup();
  free(world);
}

sim_client_config sim_world_config(sim_world *world) {
  sim_client_config config;

  memset(&config, 0, sizeof(config));
  config.alpn = "h3";
  config.server_name = "localhost";
  config.hashes =
      (const uint8_t(*)[32]) & cm_manager_active(world->manager)->sha256;
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

int sim_world_rotate(sim_world *world) {
  tls_context *context;

  if (cm_manager_rotate(world->manager, world->wall) != 0 ||
      (context = context_for(cm_manager_active(world->manager))) == NULL) {
    return -1;
  }
  quic_endpoint_set_tls(world->endpoint, context);
  return 0;
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
