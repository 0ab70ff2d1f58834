/* SPDX-License-Identifier: Apache-2.0 */
#include "server/appliance_internal.h"

#include "tests/sim/check.h"

static sim_world *draining_world(uint64_t seed, uint64_t seconds) {
  sim_world *world = check_world(seed);

  world->appliance->drain_timeout = seconds * SIM_SECOND;
  return world;
}

static void stop(sim_world *world) {
  cJSON *reply = sim_world_command(world, "{\"command\":\"stop\"}");

  assert_non_null(reply);
  cJSON_Delete(reply);
}

static sim_peer *come(sim_world *world, int64_t *session) {
  sim_peer *peer = sim_world_connect(world, "h3");

  assert_non_null(peer);
  *session = sim_world_session(world, peer, "/echo");
  assert_true(*session >= 0);
  return peer;
}

/* Sessions are asked to end, and have time for it: what is under way goes on,
   and whoever ends is not waited for. */
static void test_drain(void **state) {
  sim_world *world = draining_world(95, 10);
  int64_t one, two;
  sim_peer *a = come(world, &one), *b = come(world, &two);

  (void)state;
  stop(world);
  RUN_UNTIL(world, sim_is_draining, a, one);
  RUN_UNTIL(world, sim_is_draining, b, two);
  check_echo(world, a, one, "still here", 10);
  assert_false(appliance_is_stopping(world->appliance));
  assert_int_equal(sim_client_session_close(a->client, one, 0, ""), 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  check_echo(world, b, two, "me too", 6);
  assert_false(appliance_is_stopping(world->appliance));
  assert_int_equal(sim_client_session_close(b->client, two, 0, ""), 0);
  RUN_UNTIL(world, sim_is_closed, b, 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_true(appliance_is_stopping(world->appliance));
  assert_int_equal(world->sessions_closed, 2);
  assert_string_equal(world->last_close.by, "client");
  check_world_end(world);
}

/* Who does not end is closed in the end, session first. */
static void test_drain_runs_out(void **state) {
  sim_world *world = draining_world(96, 3);
  int64_t session;
  sim_peer *peer = come(world, &session);

  (void)state;
  stop(world);
  RUN_UNTIL(world, sim_is_draining, peer, session);
  assert_int_equal(sim_world_pass(world, 2 * SIM_SECOND), 0);
  assert_false(sim_peer_find_session(peer, session)->closed);
  RUN_UNTIL(world, sim_is_session_closed, peer, session);
  assert_true(sim_peer_find_session(peer, session)->by_server);
  assert_string_equal(sim_peer_find_session(peer, session)->reason,
                      "the server stops");
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_true(appliance_is_stopping(world->appliance));
  check_world_end(world);
}

/* Asked twice, it waits for nobody. */
static void test_out_of_patience(void **state) {
  sim_world *world = draining_world(97, 1000);
  int64_t session;
  sim_peer *peer = come(world, &session);

  (void)state;
  stop(world);
  RUN_UNTIL(world, sim_is_draining, peer, session);
  stop(world);
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_true(sim_peer_find_session(peer, session)->closed);
  assert_true(appliance_is_stopping(world->appliance));
  check_world_end(world);
}

static void test_nobody_is_there(void **state) {
  sim_world *world = draining_world(98, 1000);

  (void)state;
  stop(world);
  assert_true(appliance_is_stopping(world->appliance));
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_drain),
      cmocka_unit_test(test_drain_runs_out),
      cmocka_unit_test(test_out_of_patience),
      cmocka_unit_test(test_nobody_is_there),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
