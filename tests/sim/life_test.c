/* SPDX-License-Identifier: Apache-2.0 */
/* What clients notice of the life of the certificates. */
#include "server/apps/hash_feed.h"
#include "tests/sim/check.h"

#include "certmgr/hashset_signed.h"

#define DAY INT64_C(86400)

static bystander by;

static sim_peer *connect_with(sim_world *world, const uint8_t hash[32]) {
  uint8_t known[1][32];
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;

  memcpy(known[0], hash, 32);
  config.hashes = (const uint8_t(*)[32])known;
  config.nhashes = 1;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  return peer;
}

static void check_connects(sim_world *world, const uint8_t hash[32]) {
  sim_peer *peer = connect_with(world, hash);

  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  assert_memory_equal(sim_client_certificate(peer->client), hash, 32);
  sim_client_close(peer->client, SIM_H3_NO_ERROR, NULL);
}

static void check_refuses(sim_world *world, const uint8_t hash[32]) {
  sim_peer *peer = connect_with(world, hash);

  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_true(peer->end.local);
  assert_false(peer->handshake_done);
}

static void command(sim_world *world, const char *json) {
  cJSON *reply = sim_world_command(world, json);

  assert_non_null(reply);
  cJSON_Delete(reply);
}

/* After a revoke the old hash is refused and its sessions are closed; whoever
   came by another certificate notices nothing. */
static void test_revoke(void **state) {
  sim_world *world = check_world(70);
  uint8_t revoked[32], next[32];
  sim_peer *old;
  int64_t session;

  (void)state;
  /* Made under the first; not the one that is revoked. */
  bystander_begin(&by, world);
  assert_int_equal(sim_world_rotate(world), 0);
  bystander_go_on(&by);
  memcpy(revoked, world->active, 32);
  memcpy(next, world->standby, 32);
  old = sim_world_connect(world, "h3");
  assert_non_null(old);
  session = sim_world_session(world, old, "/echo");
  assert_true(session >= 0);

  command(world, "{\"command\":\"revoke\"}");
  assert_memory_equal(world->active, next, 32);
  RUN_UNTIL(world, sim_is_closed, old, 0);
  assert_false(old->end.local);
  assert_string_equal(world->last_close.by, "connection");
  check_refuses(world, revoked);
  check_connects(world, next);
  bystander_end(&by, world);
  check_world_end(world);
}

/* A reset ends everything: only a new link connects. */
static void test_reset(void **state) {
  sim_world *world = check_world(71);
  uint8_t active[32], standby[32];
  sim_peer *old = sim_world_connect(world, "h3");

  (void)state;
  assert_non_null(old);
  assert_true(sim_world_session(world, old, "/echo") >= 0);
  memcpy(active, world->active, 32);
  memcpy(standby, world->standby, 32);
  command(world, "{\"command\":\"reset\"}");
  RUN_UNTIL(world, sim_is_closed, old, 0);
  check_refuses(world, active);
  check_refuses(world, standby);
  check_connects(world, world->active);
  check_world_end(world);
}

/* Asleep over the planned swap: the first Initial after that, before any timer
   has run, is answered with the certificate whose time it is by then. */
static void test_asleep_over_a_swap(void **state) {
  sim_world *world = check_world(72);
  uint8_t active[32], standby[32];

  (void)state;
  memcpy(active, world->active, 32);
  memcpy(standby, world->standby, 32);
  assert_int_equal(sim_world_pass(world, 700 * SIM_SECOND), 0);
  world->asleep += 6 * DAY + 3600;
  check_connects(world, standby);
  check_refuses(world, active);
  check_world_end(world);
}

/* Asleep for longer than any certificate lasts: what it knew is all expired,
   and nobody is ever shown that. */
static void test_asleep_for_a_month(void **state) {
  sim_world *world = check_world(73);
  uint8_t active[32], standby[32];

  (void)state;
  memcpy(active, world->active, 32);
  memcpy(standby, world->standby, 32);
  world->asleep += 30 * DAY;
  check_refuses(world, active);
  check_refuses(world, standby);
  check_connects(world, world->active);
  check_connects(world, world->active);
  check_world_end(world);
}

/* The feed tells the document of now, and each new one; a client that keeps
   them is ahead of every swap. */
static void test_feed(void **state) {
  sim_world *world = check_world(74);
  const char *thumbprint =
      cm_manager_thumbprint(appliance_certificates(world->appliance));
  sim_peer *peer = sim_world_connect(world, "h3");
  uint64_t seq = 0;
  size_t i, n;

  (void)state;
  assert_non_null(peer);
  assert_true(sim_world_session(world, peer, HASH_FEED_PATH) >= 0);
  for (n = 1; n <= 5; ++n) {
    cm_signed_set set = {0};

    RUN_UNTIL(world, sim_is_server_streams, peer, (int64_t)n);
    for (i = 0; i < peer->nstreams; ++i) {
      const sim_peer_stream *stream = &peer->streams[i];
      cm_signed_set one;

      if (stream->by_server && stream->fin && stream->len > 100) {
        assert_int_equal(cm_signed_set_read(&one, (const char *)stream->data,
                                            stream->len, thumbprint),
                         0);
        if (set.seq == 0 || cm_signed_set_supersedes(&one, &set)) {
          set = one;
        }
      }
    }
    assert_true(set.seq > seq);
    seq = set.seq;
    assert_int_equal(set.nhashes, 2);
    assert_memory_equal(set.hashes[0].sha256, world->active, 32);
    assert_memory_equal(set.hashes[1].sha256, world->standby, 32);
    assert_int_equal(sim_world_rotate(world), 0);
    check_connects(world, set.hashes[1].sha256);
  }
  check_world_end(world);
}

/* The operator is told why a client went away. */
static void test_refusal_is_told(void **state) {
  sim_world *world = check_world(75);
  uint8_t wrong[32] = {1, 2, 3};
  documents_source source;
  cJSON *status, *refusals, *line;
  uint64_t refused = 0;
  size_t i;

  (void)state;
  check_refuses(world, wrong);
  check_refuses(world, wrong);
  /* It is told once the connection is over, its draining period too. */
  assert_int_equal(sim_world_pass(world, 5 * SIM_SECOND), 0);
  status = sim_world_command(world, "{\"command\":\"status\"}");
  refusals = cJSON_GetObjectItem(status, "refusals");
  assert_int_equal(cJSON_GetArraySize(refusals), 1);
  line = cJSON_GetArrayItem(refusals, 0);
  assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(line, "count")), 2);
  assert_non_null(strstr(
      cJSON_GetStringValue(cJSON_GetObjectItem(line, "text")), "refused"));
  cJSON_Delete(status);
  appliance_documents(world->appliance, &source);
  for (i = 0; i < source.nhandshakes; ++i) {
    if (strcmp(source.handshakes[i].label, "ok") != 0) {
      refused += source.handshakes[i].count;
    }
  }
  assert_int_equal(refused, 2);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_revoke),
      cmocka_unit_test(test_reset),
      cmocka_unit_test(test_asleep_over_a_swap),
      cmocka_unit_test(test_asleep_for_a_month),
      cmocka_unit_test(test_feed),
      cmocka_unit_test(test_refusal_is_told),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
