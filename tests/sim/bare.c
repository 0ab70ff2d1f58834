/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/bare.h"

#include "server/quic/echo.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_BEFORE INT64_C(1795300000)
#define PATIENCE (30 * SIM_SECOND)
/* In front of each allocation, for its size. */
#define HEAD 16

/* Memory */

static void *meter(sim_bare *bare, uint8_t *block, size_t size) {
  if (block == NULL) {
    return NULL;
  }
  memcpy(block, &size, sizeof(size));
  ++bare->live;
  bare->octets += size;
  if (bare->octets > bare->most) {
    bare->most = bare->octets;
  }
  return block + HEAD;
}

static void *unmeter(sim_bare *bare, void *ptr) {
  uint8_t *block = (uint8_t *)ptr - HEAD;
  size_t size;

  memcpy(&size, block, sizeof(size));
  --bare->live;
  bare->octets -= size;
  return block;
}

static void *metered_malloc(size_t size, void *user) {
  return meter(user, malloc(size + HEAD), size);
}

static void *metered_calloc(size_t n, size_t size, void *user) {
  return meter(user, calloc(1, n * size + HEAD), n * size);
}

static void metered_free(void *ptr, void *user) {
  if (ptr != NULL) {
    free(unmeter(user, ptr));
  }
}

static void *metered_realloc(void *ptr, size_t size, void *user) {
  size_t old;
  void *more = metered_malloc(size, user);

  if (more != NULL && ptr != NULL) {
    memcpy(&old, (uint8_t *)ptr - HEAD, sizeof(old));
    memcpy(more, ptr, old < size ? old : size);
    metered_free(ptr, user);
  }
  return more;
}

/* The server */

static void receive(void *server, udp_batch *in, uint64_t now) {
  const sim_bare *bare = server;

  quic_endpoint_receive(bare->endpoint, in, now);
}

static int send_packets(void *server, udp_batch *out, uint64_t now) {
  const sim_bare *bare = server;

  return quic_endpoint_send(bare->endpoint, out, now);
}

static uint64_t deadline(void *server) {
  const sim_bare *bare = server;

  return quic_endpoint_deadline(bare->endpoint);
}

static void on_end(void *user, const quic_conn *conn,
                   const quic_conn_end *end) {
  sim_bare *bare = user;

  (void)conn;
  ++bare->nends;
  bare->last_end = *end;
  bare->last_end.reason = NULL;
}

int sim_bare_start(sim_bare *bare) {
  const tls_config config = {.alpn = "echo"};
  tls_context *context;

  quic_endpoint_free(bare->endpoint);
  bare->endpoint = NULL;
  if (tls_context_new(&context, &bare->certificate, &config) != 0) {
    return -1;
  }
  if (quic_endpoint_new(&bare->endpoint, &bare->config, context) != 0) {
    tls_context_unref(context);
    return -1;
  }
  return 0;
}

sim_bare *sim_bare_new(uint64_t seed) {
  static const quic_service services[] = {{&quic_echo, NULL}};
  static const char *const hosts[] = {"localhost"};
  sim_server server = {receive, send_packets, deadline, NULL};
  sim_bare *bare;

  if (tls_startup() != 0) {
    return NULL;
  }
  bare = calloc(1, sizeof(*bare));
  if (bare == NULL) {
    tls_cleanup();
    return NULL;
  }
  sim_random_seed(&bare->source, seed ^ 0xba4e);
  bare->random.fill = sim_random_fill_user;
  bare->random.user = &bare->source;
  bare->mem.user_data = bare;
  bare->mem.malloc = metered_malloc;
  bare->mem.calloc = metered_calloc;
  bare->mem.realloc = metered_realloc;
  bare->mem.free = metered_free;
  bare->config.mem = &bare->mem;
  bare->config.random = &bare->random;
  quic_conn_limits_default(&bare->config.limits);
  bare->config.services = services;
  bare->config.nservices = 1;
  bare->config.connections_max = 10000;
  bare->config.on_end = on_end;
  bare->config.user = bare;
  server.server = bare;
  bare->network = sim_network_new(&server, seed);
  if (bare->network == NULL || sim_tls_new(&bare->tls) != 0 ||
      cm_x509_mint(&bare->certificate, hosts, 1, NOT_BEFORE,
                   NOT_BEFORE + CM_VALIDITY_MAX, &bare->random) != 0) {
    sim_bare_free(bare);
    return NULL;
  }
  return bare;
}

void sim_bare_free(sim_bare *bare) {
  size_t i;

  if (bare == NULL) {
    return;
  }
  sim_network_free(bare->network);
  quic_endpoint_free(bare->endpoint);
  sim_tls_free(bare->tls);
  for (i = 0; i < bare->npeers; ++i) {
    sim_peer_clear(bare->peers[i]);
    free(bare->peers[i]);
  }
  free(bare);
  tls_cleanup();
}

/* The clients */

sim_client_config sim_bare_config(sim_bare *bare) {
  sim_client_config config;

  memset(&config, 0, sizeof(config));
  config.mode = SIM_MODE_RAW;
  config.alpn = "echo";
  config.server_name = "localhost";
  config.hashes = (const uint8_t(*)[32]) & bare->certificate.sha256;
  config.nhashes = 1;
  config.tls = bare->tls;
  return config;
}

sim_peer *sim_bare_add(sim_bare *bare, const sim_client_config *config) {
  sim_client_config own = *config;
  sim_peer *peer;

  if (bare->npeers == SIM_BARE_PEERS) {
    return NULL;
  }
  peer = calloc(1, sizeof(*peer));
  if (peer == NULL) {
    return NULL;
  }
  own.callbacks = sim_peer_callbacks;
  own.user = peer;
  if (sim_network_add_client(bare->network, &own, &peer->client) != 0) {
    free(peer);
    return NULL;
  }
  bare->peers[bare->npeers++] = peer;
  return peer;
}

sim_peer *sim_bare_connect(sim_bare *bare) {
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer = sim_bare_add(bare, &config);

  if (peer == NULL || sim_bare_until(bare, sim_is_confirmed, peer, 0) != 0) {
    return NULL;
  }
  return peer;
}

void sim_bare_drop(sim_bare *bare, sim_peer *peer) {
  size_t i;

  for (i = 0; i < bare->npeers; ++i) {
    if (bare->peers[i] == peer) {
      bare->peers[i] = bare->peers[--bare->npeers];
      break;
    }
  }
  sim_network_remove_client(bare->network, peer->client);
  sim_peer_clear(peer);
  free(peer);
}

typedef struct wait_state {
  int (*condition)(sim_peer *peer, int64_t id);
  sim_peer *peer;
  int64_t id;
} wait_state;

static int met(void *user) {
  const wait_state *wait = user;

  return wait->condition(wait->peer, wait->id);
}

int sim_bare_until(sim_bare *bare, int (*condition)(sim_peer *peer, int64_t id),
                   sim_peer *peer, int64_t id) {
  wait_state wait = {condition, peer, id};
  int rv = sim_network_run(bare->network, met, &wait, PATIENCE);

  if (rv < 0) {
    fprintf(stderr, "the %s spins\n", sim_network_spinning(bare->network));
  }
  return rv;
}

int sim_bare_pass(sim_bare *bare, uint64_t time) {
  int rv = sim_network_run(bare->network, NULL, NULL, time);

  if (rv < 0) {
    fprintf(stderr, "the %s spins\n", sim_network_spinning(bare->network));
  }
  return rv < 0 ? -1 : 0;
}

int sim_bare_echoes(sim_bare *bare, sim_peer *peer, size_t len) {
  uint8_t *data = malloc(len + 1);
  const sim_peer_stream *stream;
  sim_random random;
  int64_t id;
  int ok;

  if (data == NULL) {
    return 0;
  }
  sim_random_seed(&random, len);
  sim_random_fill(&random, data, len);
  ok = sim_client_open_bidi(peer->client, SIM_NO_SESSION, &id) == 0 &&
       sim_client_stream_write(peer->client, id, data, len, 1) == 0 &&
       sim_bare_until(bare, sim_is_stream_ended, peer, id) == 0;
  if (ok) {
    stream = sim_peer_find_stream(peer, id);
    ok = stream->fin && stream->len == len &&
         memcmp(stream->data, data, len) == 0;
  }
  free(data);
  return ok;
}

const quic_endpoint_counters *sim_bare_counters(const sim_bare *bare) {
  return quic_endpoint_get_counters(bare->endpoint);
}
