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

/* Takes what comes from the client at the address |user|. */
static int mute(sim_network *network, const sim_packet *packet, void *user) {
  (void)network;
  return packet->to_server &&
         udp_address_eq(packet->client, (const udp_address *)user);
}

/* Who ends its side is not kept for those who do not. */
static void test_each_by_itself(void **state) {
  sim_world *world = draining_world(99, 0);
  int64_t one, two;
  sim_peer *a = come(world, &one), *b = come(world, &two);
  udp_address silent = *sim_network_address(world->network, b->client);

  (void)state;
  sim_network_set_filter(world->network, mute, &silent);
  stop(world);
  RUN_UNTIL(world, sim_is_closed, a, 0);
  assert_false(appliance_is_stopping(world->appliance));
  assert_false(a->end.local);
  assert_int_equal(a->end.by, SIM_CLOSED_TRANSPORT);
  assert_int_equal(a->end.error_code, NGTCP2_NO_ERROR);
  assert_string_equal(sim_peer_find_session(a, one)->reason,
                      "the server stops");
  RUN_UNTIL(world, sim_is_closed, b, 0);
  assert_true(appliance_is_stopping(world->appliance));
  assert_string_equal(sim_peer_find_session(b, two)->reason,
                      "the server stops");
  check_world_end(world);
}

/* Who connects is refused, and closed only when it has read that; or when it
   does not ask. */
static void test_who_connects(void **state) {
  sim_world *world = draining_world(100, 0);
  const sim_request request = {.authority = "localhost:4433",
                               .path = "/echo",
                               .origin = "https://example.org"};
  sim_peer *asks = sim_world_connect(world, "h3");
  sim_peer *idles = sim_world_connect(world, "h3");
  int64_t session;

  (void)state;
  assert_non_null(asks);
  assert_non_null(idles);
  stop(world);
  assert_false(appliance_is_stopping(world->appliance));
  assert_int_equal(sim_client_session_open(asks->client, &request, &session),
                   0);
  RUN_UNTIL(world, sim_is_stream_ended, asks, session);
  assert_int_equal(sim_peer_find_stream(asks, session)->reset_code,
                   SIM_H3_REQUEST_REJECTED);
  assert_false(asks->closed);
  RUN_UNTIL(world, sim_is_closed, idles, 0);
  RUN_UNTIL(world, sim_is_closed, asks, 0);
  assert_int_equal(idles->end.by, SIM_CLOSED_APPLICATION);
  assert_int_equal(idles->end.error_code, SIM_H3_NO_ERROR);
  assert_int_equal(asks->end.by, SIM_CLOSED_TRANSPORT);
  assert_int_equal(asks->end.error_code, NGTCP2_NO_ERROR);
  assert_true(appliance_is_stopping(world->appliance));
  assert_int_equal(world->sessions_opened, 0);
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
      cmocka_unit_test(test_each_by_itself),
      cmocka_unit_test(test_who_connects),
      cmocka_unit_test(test_nobody_is_there),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
