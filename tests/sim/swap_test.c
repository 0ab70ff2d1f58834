/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate is swapped while sessions are held. */
#include "tests/sim/check.h"

#define SWAPS 20

static bystander by;

static void test_session_outlives_swaps(void **state) {
  sim_world *world = check_world(40);
  uint8_t seen[SWAPS + 1][32], next[32];
  sim_peer *peer;
  int64_t session;
  int i, j;

  (void)state;
  bystander_begin(&by, world);
  memcpy(seen[0], sim_client_certificate(by.peer->client), 32);
  for (i = 1; i <= SWAPS; ++i) {
    memcpy(next, world->standby, 32);
    bystander_go_on(&by);
    assert_int_equal(sim_world_rotate(world), 0);
    assert_memory_equal(world->active, next, 32);

    peer = sim_world_connect(world, "h3");
    assert_non_null(peer);
    memcpy(seen[i], sim_client_certificate(peer->client), 32);
    assert_memory_equal(seen[i], next, 32);
    for (j = 0; j < i; ++j) {
      assert_memory_not_equal(seen[i], seen[j], 32);
    }
    session = sim_world_session(world, peer, "/echo");
    assert_true(session >= 0);
    check_echo(world, peer, session, "new", 3);
    sim_client_close(peer->client, SIM_H3_NO_ERROR, NULL);
  }
  bystander_end(&by, world);
  check_world_end(world);
}

/* A page that knows the active and the standby hash connects before and after
   the swap; one that knows only the old one, before. */
static void test_hashes_around_a_swap(void **state) {
  sim_world *world = check_world(41);
  uint8_t known[2][32], old[1][32];
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;

  (void)state;
  memcpy(old[0], world->active, 32);
  memcpy(known[0], old[0], 32);
  memcpy(known[1], world->standby, 32);

  config.hashes = (const uint8_t(*)[32])known;
  config.nhashes = 2;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  assert_memory_equal(sim_client_certificate(peer->client), known[0], 32);

  assert_int_equal(sim_world_rotate(world), 0);
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  assert_memory_equal(sim_client_certificate(peer->client), known[1], 32);

  config.hashes = (const uint8_t(*)[32])old;
  config.nhashes = 1;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_true(peer->end.local);
  assert_false(peer->handshake_done);
  check_world_end(world);
}

/* The swap falls into the middle of handshakes: each is made under one
   certificate or the other, and none fails. */
static void test_swap_during_handshakes(void **state) {
  sim_world *world = check_world(42);
  uint8_t known[2][32];
  sim_client_config config = sim_world_config(world);
  sim_peer *peers[30];
  size_t old = 0, i;

  (void)state;
  memcpy(known[0], world->active, 32);
  memcpy(known[1], world->standby, 32);
  config.hashes = (const uint8_t(*)[32])known;
  config.nhashes = 2;
  for (i = 0; i < 30; ++i) {
    peers[i] = sim_world_add(world, &config);
    assert_non_null(peers[i]);
    assert_int_equal(sim_world_pass(world, 2 * SIM_MILLISECOND), 0);
    if (i == 15) {
      assert_int_equal(sim_world_rotate(world), 0);
    }
  }
  for (i = 0; i < 30; ++i) {
    RUN_UNTIL(world, sim_is_handshake_done, peers[i], 0);
    assert_false(peers[i]->closed);
    old += memcmp(sim_client_certificate(peers[i]->client), known[0], 32) == 0;
  }
  assert_in_range(old, 1, 29);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_session_outlives_swaps),
      cmocka_unit_test(test_hashes_around_a_swap),
      cmocka_unit_test(test_swap_during_handshakes),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
