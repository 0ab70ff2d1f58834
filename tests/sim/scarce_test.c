/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each allocation fails once while a peer does all that HTTP/3 and WebTransport
 * have: the server goes on, and nothing is left behind or used after it was
 * freed (ASAN looks on).
 */
#include "tests/sim/conformance.h"

static void act(void) {
  static const sim_field get[] = METHOD("GET", "/big");
  static const sim_field many[] = {GOOD,
                                   {"origin", ORIGIN},
                                   {"wt-available-protocols", "\"a\""},
                                   {"wt-available-protocols", "\"b\""}};
  const sim_request request = {.authority = "a",
                               .path = "/probe",
                               .origin = ORIGIN,
                               .available_protocols = "\"chat.v1\", \"b\""};
  sim_client *client = s.peer->client;
  int64_t session, early, id;

  if (sim_client_request(client, get, 4, 1, &id) != 0 ||
      sim_client_request(client, many, 7, 1, &id) != 0 ||
      sim_client_session_reserve(client, &session) != 0 ||
      sim_client_open_uni(client, session, &early) != 0) {
    return;
  }
  sim_client_stream_write(client, early, (const uint8_t *)"x", 1, 1);
  sim_client_datagram(client, session, (const uint8_t *)"x", 1);
  stage_pass(&s, SIM_SECOND / 2);
  sim_client_session_request(client, session, &request);
  /* A header block without end. */
  if (sim_client_request(client, NULL, 0, 0, &id) == 0) {
    sim_client_stream_write(
        client, id, (const uint8_t *)"\x01\x80\x98\x96\x80\x00\x00", 7, 0);
  }
  stage_pass(&s, SIM_SECOND / 2);
  if (sim_client_open_bidi(client, session, &id) == 0) {
    sim_client_stream_write(client, id, (const uint8_t *)"b\0\0\0\1", 5, 0);
  }
  if (sim_client_open_bidi(client, session, &id) == 0) {
    sim_client_stream_write(client, id, (const uint8_t *)"u", 1, 1);
  }
  stage_pass(&s, SIM_SECOND / 2);
  h3_service_drain(&s.h3, sim_network_now(s.world->network));
  stage_pass(&s, 2 * SIM_SECOND);
  sim_client_request(client, get, 4, 1, &id);
  sim_client_session_close(client, session, 1, "reason");
  stage_pass(&s, SIM_SECOND);
}

static void test_each_allocation(void **state) {
  size_t n = 1, count = 1;

  (void)state;
  for (; n <= count; ++n) {
    stage_begin(&s);
    stage_connect(&s);
    stage_pass(&s, SIM_SECOND);
    s.world->fail_at = n;
    act();
    count = s.world->allocations;
    s.world->fail_at = 0;
    s.h3.draining = 0;
    /* The bystander had the same memory: a new one. */
    sim_client_close(s.by.peer->client, SIM_H3_NO_ERROR, NULL);
    bystander_begin(&s.by, s.world);
    stage_end(&s);
  }
  /* All that there is was had. */
  assert_true(n > 100);
}

int main(void) {
  const struct CMUnitTest all[] = {
      cmocka_unit_test(test_each_allocation),
  };

  return cmocka_run_group_tests(all, NULL, NULL);
}
