/* SPDX-License-Identifier: Apache-2.0 */
/* A world whose server is an endpoint and nothing around it. */
#include "tests/sim/world_internal.h"

#include "server/webtransport/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_BEFORE INT64_C(1795300000)
/* In front of each block of metered memory: how long it is. */
#define METER_LEN 16

static void count(sim_world *world, size_t more, size_t less) {
  world->octets_live += more;
  world->octets_live -= less;
  if (world->octets_live > world->octets_peak) {
    world->octets_peak = world->octets_live;
  }
}

static size_t length_of(const uint8_t *block) {
  size_t len;

  memcpy(&len, block, sizeof(len));
  return len;
}

static void *meter_realloc(void *old, size_t size, void *user) {
  sim_world *world = user;
  uint8_t *block = old == NULL ? NULL : (uint8_t *)old - METER_LEN;
  size_t before = block == NULL ? 0 : length_of(block);
  uint8_t *more;

  if (world->fail_at != 0 && ++world->allocations == world->fail_at) {
    return NULL;
  }
  more = realloc(block, METER_LEN + size);
  if (more == NULL) {
    return NULL;
  }
  memcpy(more, &size, sizeof(size));
  count(world, size, before);
  return more + METER_LEN;
}

static void *meter_malloc(size_t size, void *user) {
  return meter_realloc(NULL, size, user);
}

static void *meter_calloc(size_t nmemb, size_t size, void *user) {
  void *ptr = meter_realloc(NULL, nmemb * size, user);

  if (ptr != NULL) {
    memset(ptr, 0, nmemb * size);
  }
  return ptr;
}

static void meter_free(void *ptr, void *user) {
  uint8_t *block;

  if (ptr == NULL) {
    return;
  }
  block = (uint8_t *)ptr - METER_LEN;
  count(user, 0, length_of(block));
  free(block);
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

static void on_session_opened(void *user, wt_session *session) {
  sim_world *world = user;

  (void)session;
  ++world->sessions_opened;
}

static void on_session_closed(void *user, wt_session *session, wt_closed_by by,
                              uint32_t code, const uint8_t *reason,
                              size_t len) {
  static const char *const names[] = {"client", "server", "connection"};
  sim_world *world = user;
  sim_world_close *close = &world->last_close;

  (void)session;
  ++world->sessions_closed;
  snprintf(close->by, sizeof(close->by), "%s", names[by]);
  close->code = code;
  snprintf(close->reason, sizeof(close->reason), "%.*s", (int)len,
           len > 0 ? (const char *)reason : "");
}

static int start(sim_world *world, uint64_t seed,
                 const quic_conn_limits *limits) {
  static const char *const hosts[] = {"localhost"};
  const tls_config alpn = {.alpn = "h3"};
  sim_server server = {receive, send_packets, deadline, NULL};
  quic_endpoint_config config;
  cm_certificate certificate;
  tls_context *context;

  if (sim_tls_new(&world->tls) != 0 ||
      cm_x509_mint(&certificate, hosts, 1, NOT_BEFORE,
                   NOT_BEFORE + CM_VALIDITY_MAX, &world->random) != 0) {
    return -1;
  }
  memcpy(world->active, certificate.sha256, sizeof(world->active));
  if (tls_context_new(&context, &certificate, &alpn) != 0) {
    return -1;
  }
  memset(&config, 0, sizeof(config));
  config.mem = &world->mem;
  config.random = &world->random;
  quic_conn_limits_default(&config.limits);
  if (limits != NULL) {
    config.limits = *limits;
  }
  world->service.protocol = &h3_protocol;
  world->service.service = world->h3;
  config.services = &world->service;
  config.nservices = 1;
  config.connections_max = 100;
  if (quic_endpoint_new(&world->endpoint, &config, context) != 0) {
    tls_context_unref(context);
    return -1;
  }
  server.server = world->endpoint;
  world->network = sim_network_new(&server, seed);
  return world->network == NULL ? -1 : 0;
}

sim_world *sim_world_new_service(uint64_t seed, const quic_conn_limits *limits,
                                 h3_service *h3) {
  sim_world *world = calloc(1, sizeof(*world));

  if (world == NULL) {
    return NULL;
  }
  if (tls_startup() != 0) {
    free(world);
    return NULL;
  }
  world->h3 = h3;
  h3->webtransport.on_session_opened = on_session_opened;
  h3->webtransport.on_session_closed = on_session_closed;
  h3->webtransport.user = world;
  world->mem.user_data = world;
  world->mem.malloc = meter_malloc;
  world->mem.calloc = meter_calloc;
  world->mem.realloc = meter_realloc;
  world->mem.free = meter_free;
  sim_random_seed(&world->server_random, seed ^ 0x5eed);
  world->random.fill = sim_random_fill_user;
  world->random.user = &world->server_random;
  if (start(world, seed, limits) != 0) {
    sim_world_free(world);
    return NULL;
  }
  return world;
}

void sim_world_end_service(sim_world *world) {
  quic_endpoint_free(world->endpoint);
  tls_cleanup();
}
