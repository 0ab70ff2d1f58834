/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of the appliance's, wolfSSL's and cJSON's fails once, and
 * ten in a row, while a certificate is swapped or revoked: whoever knows both
 * hashes gets in right after, sessions live on, and the appliance mends itself.
 *
 * The linker puts the functions named __wrap_ here in the place of the C
 * library's (scripts/build.mk).
 */
#include "tests/sim/check.h"

#include <stdlib.h>

#include <cjson/cJSON.h>

/* As in world.c. */
#define WALL INT64_C(1795300000)

static struct {
  int armed;
  size_t count;
  size_t fail_at;
  size_t fail_count;
  size_t live;
} plan;

static int fails(void) {
  size_t n;

  if (!plan.armed) {
    return 0;
  }
  n = plan.count++;
  return n >= plan.fail_at && n - plan.fail_at < plan.fail_count;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *ptr);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *ptr);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) {
  void *ptr = fails() ? NULL : __real_malloc(size);

  plan.live += ptr != NULL;
  return ptr;
}

void *__wrap_calloc(size_t n, size_t size) {
  void *ptr = fails() ? NULL : __real_calloc(n, size);

  plan.live += ptr != NULL;
  return ptr;
}

void *__wrap_realloc(void *old, size_t size) {
  void *ptr = fails() ? NULL : __real_realloc(old, size);

  plan.live += ptr != NULL && old == NULL;
  return ptr;
}

void __wrap_free(void *ptr) {
  plan.live -= ptr != NULL;
  __real_free(ptr);
}

char *__wrap_strdup(const char *text) {
  char *copy = __wrap_malloc(strlen(text) + 1);

  return copy != NULL ? strcpy(copy, text) : NULL;
}

static void get_in(sim_world *world, const uint8_t known[2][32]) {
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;

  config.hashes = known;
  config.nhashes = 2;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  assert_false(peer->closed);
  sim_client_close(peer->client, SIM_H3_NO_ERROR, NULL);
}

static void play(const char *json, int sessions_live) {
  sim_world *world = check_world(50);
  const cm_manager *certificates = appliance_certificates(world->appliance);
  cJSON *command = cJSON_Parse(json), *reply;
  uint8_t known[2][32];
  sim_peer *peer = sim_world_connect(world, "h3");
  appliance_time time;
  int64_t session;

  assert_non_null(command);
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  assert_true(session >= 0);
  memcpy(known[0], world->active, 32);
  memcpy(known[1], world->standby, 32);

  time.mono = sim_network_now(world->network);
  time.wall = WALL + (int64_t)(time.mono / SIM_SECOND);
  plan.count = 0;
  plan.armed = 1;
  reply = appliance_command(world->appliance, command, &time);
  plan.armed = 0;
  cJSON_Delete(reply);
  cJSON_Delete(command);

  if (sessions_live) {
    get_in(world, (const uint8_t(*)[32])known);
  }
  assert_int_equal(sim_world_pass(world, 10 * SIM_SECOND), 0);
  get_in(world, (const uint8_t(*)[32])known);
  assert_non_null(cm_manager_active(certificates));
  assert_memory_equal(cm_manager_active(certificates)->sha256, known[1], 32);
  assert_non_null(cm_manager_standby(certificates));
  assert_string_equal(cm_manager_problem(certificates), "");
  if (sessions_live) {
    check_echo(world, peer, session, "still", 5);
  } else {
    assert_true(peer->closed);
  }
  check_world_end(world);
}

static void torture(const char *json, int sessions_live) {
  size_t live;

  plan.fail_count = 0;
  play(json, sessions_live);
  live = plan.live;
  assert_true(plan.count > 100);
  print_message("%zu allocations\n", plan.count);
  for (size_t burst = 1; burst <= 10; burst += 9) {
    plan.fail_count = burst;
    for (plan.fail_at = 0;; plan.fail_at += burst) {
      play(json, sessions_live);
      assert_int_equal(plan.live, live);
      if (plan.count <= plan.fail_at) {
        break;
      }
    }
  }
}

static void test_swap(void **state) {
  (void)state;
  torture("{\"command\":\"rotate\",\"force\":true}", 1);
}

static void test_revoke(void **state) {
  (void)state;
  torture("{\"command\":\"revoke\"}", 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_swap),
      cmocka_unit_test(test_revoke),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
