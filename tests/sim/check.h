/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests on the virtual network have in common. */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/world.h"

#define RUN_UNTIL(WORLD, CONDITION, PEER, ID)                                  \
  assert_int_equal(sim_world_until((WORLD), (CONDITION), (PEER), (ID)), 0)

/* A world for a test; fails the test if there is none. */
static inline sim_world *check_world(uint64_t seed) {
  sim_world *world = sim_world_new(seed, NULL);

  assert_non_null(world);
  return world;
}

/* Ends it; no peer may have seen more than it can remember. */
static inline void check_world_end(sim_world *world) {
  size_t i;

  for (i = 0; i < world->npeers; ++i) {
    assert_false(world->peers[i]->overflow);
  }
  sim_world_free(world);
}

static inline void check_bytes(const sim_peer_stream *stream, const void *data,
                               size_t len) {
  assert_int_equal(stream->len, len);
  if (len > 0) {
    assert_memory_equal(stream->data, data, len);
  }
}

/* Writes |len| octets and FIN on a new bidi stream of |session|, waits for the
   echo and its FIN, and compares. */
static inline void check_echo(sim_world *world, sim_peer *peer, int64_t session,
                              const void *data, size_t len) {
  int64_t id;

  assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
  assert_int_equal(sim_client_stream_write(peer->client, id, data, len, 1), 0);
  RUN_UNTIL(world, sim_is_stream_ended, peer, id);
  assert_true(sim_peer_find_stream(peer, id)->fin);
  check_bytes(sim_peer_find_stream(peer, id), data, len);
}

/* Somebody who is in the middle of an echo while other things happen. */
typedef struct bystander {
  sim_peer *peer;
  int64_t session;
  int64_t stream;
  size_t sent;
  uint8_t data[1 << 16];
} bystander;

static inline void bystander_begin(bystander *by, sim_world *world) {
  sim_random random;

  memset(by, 0, sizeof(*by));
  sim_random_seed(&random, 4242);
  sim_random_fill(&random, by->data, sizeof(by->data));
  by->peer = sim_world_connect(world, "h3");
  assert_non_null(by->peer);
  by->session = sim_world_session(world, by->peer, "/echo");
  assert_true(by->session >= 0);
  assert_int_equal(
      sim_client_open_bidi(by->peer->client, by->session, &by->stream), 0);
}

/* Sends a little more; the echo may come at leisure. */
static inline void bystander_go_on(bystander *by) {
  size_t n = 500;

  assert_true(by->sent + n <= sizeof(by->data));
  assert_int_equal(sim_client_stream_write(by->peer->client, by->stream,
                                           by->data + by->sent, n, 0),
                   0);
  by->sent += n;
}

/* Nothing was noticed: all came back, and the stream ends as it should. */
static inline void bystander_end(bystander *by, sim_world *world) {
  bystander_go_on(by);
  assert_int_equal(
      sim_client_stream_write(by->peer->client, by->stream, NULL, 0, 1), 0);
  RUN_UNTIL(world, sim_is_stream_ended, by->peer, by->stream);
  assert_false(by->peer->closed);
  assert_true(sim_peer_find_stream(by->peer, by->stream)->fin);
  check_bytes(sim_peer_find_stream(by->peer, by->stream), by->data, by->sent);
}

#endif
