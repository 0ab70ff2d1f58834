/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each allocation of the server fails once, in the middle of everything: what
 * suffers is the connection, or less.  Nothing is lost or used after it was
 * freed (ASAN looks on), and who comes later is served.
 */
#include "tests/sim/check.h"

#include <stdlib.h>

#define WALL INT64_C(1795300000)

/* The server's memory.  While |armed|, the allocation number |fail_at| fails,
   and the |fail_count| - 1 that follow. */
typedef struct scarce {
  int armed;
  size_t count;
  size_t fail_at, fail_count;
  size_t live;
} scarce;

static int gives_out(scarce *s) {
  size_t n;

  if (!s->armed) {
    return 0;
  }
  n = s->count++;
  return n >= s->fail_at && n - s->fail_at < s->fail_count;
}

static void *scarce_malloc(size_t size, void *user) {
  scarce *s = user;
  void *ptr = gives_out(s) ? NULL : malloc(size);

  s->live += ptr != NULL;
  return ptr;
}

static void *scarce_calloc(size_t nmemb, size_t size, void *user) {
  scarce *s = user;
  void *ptr = gives_out(s) ? NULL : calloc(nmemb, size);

  s->live += ptr != NULL;
  return ptr;
}

static void *scarce_realloc(void *old, size_t size, void *user) {
  scarce *s = user;
  void *ptr = gives_out(s) ? NULL : realloc(old, size);

  s->live += ptr != NULL && old == NULL;
  return ptr;
}

static void scarce_free(void *ptr, void *user) {
  scarce *s = user;

  s->live -= ptr != NULL;
  free(ptr);
}

/* A world of its own, since that one's server has malloc. */
typedef struct place {
  scarce memory;
  ngtcp2_mem mem;
  sim_random source;
  cm_random random;
  appliance *appliance;
  sim_network *network;
  uint8_t hash[1][32];
  sim_peer peers[3];
} place;

static sim_tls *tls;

static int set_up(void **state) {
  (void)state;
  return sim_tls_new(&tls);
}

static int tear_down(void **state) {
  (void)state;
  sim_tls_free(tls);
  return 0;
}

static appliance_time time_at(uint64_t now) {
  const appliance_time time = {now, WALL + (int64_t)(now / SIM_SECOND)};

  return time;
}

static void receive(void *server, udp_batch *in, uint64_t now) {
  const appliance_time time = time_at(now);
  udp_batch none = {NULL, 0, 0};

  appliance_step(server, &time, in, &none);
}

static int send_packets(void *server, udp_batch *out, uint64_t now) {
  const appliance_time time = time_at(now);

  return appliance_step(server, &time, NULL, out);
}

static uint64_t deadline(void *server) { return appliance_deadline(server); }

static int begin(place *p, uint64_t seed) {
  static const char *const hosts[] = {"localhost"};
  const appliance_time time = time_at(SIM_SECOND);
  sim_server server = {receive, send_packets, deadline, NULL};
  appliance_config config;
  int rv;

  p->mem.user_data = &p->memory;
  p->mem.malloc = scarce_malloc;
  p->mem.calloc = scarce_calloc;
  p->mem.realloc = scarce_realloc;
  p->mem.free = scarce_free;
  sim_random_seed(&p->source, seed);
  p->random.fill = sim_random_fill_user;
  p->random.user = &p->source;
  appliance_config_default(&config);
  config.hosts = hosts;
  config.nhosts = 1;
  config.port = 4433;
  config.random = &p->random;
  config.mem = &p->mem;
  rv = appliance_new(&p->appliance, &config, &time);
  if (rv != 0) {
    return rv;
  }
  memcpy(p->hash[0], appliance_certificate(p->appliance)->sha256, 32);
  server.server = p->appliance;
  p->network = sim_network_new(&server, seed);
  assert_non_null(p->network);
  return 0;
}

static void end(place *p) {
  size_t i;

  sim_network_free(p->network);
  appliance_free(p->appliance);
  for (i = 0; i < 3; ++i) {
    sim_peer_clear(&p->peers[i]);
  }
  assert_int_equal(p->memory.live, 0);
}

static sim_client *add(place *p, size_t i, const char *alpn,
                       uint64_t max_streams) {
  sim_client_config config;

  memset(&config, 0, sizeof(config));
  config.mode = strcmp(alpn, "h3") == 0 ? SIM_MODE_H3 : SIM_MODE_RAW;
  config.alpn = alpn;
  config.server_name = "localhost";
  config.hashes = (const uint8_t(*)[32])p->hash;
  config.nhashes = 1;
  config.tls = tls;
  config.max_streams = max_streams;
  config.callbacks = sim_peer_callbacks;
  config.user = &p->peers[i];
  assert_int_equal(
      sim_network_add_client(p->network, &config, &p->peers[i].client), 0);
  return p->peers[i].client;
}

static void pass(place *p, uint64_t time) {
  assert_true(sim_network_run(p->network, NULL, NULL, time) >= 0);
}

static void write_to(sim_client *client, int64_t id, const char *text,
                     int fin) {
  sim_client_stream_write(client, id, (const uint8_t *)text, strlen(text), fin);
}

/* Everything that a client may do, as far as it gets. */
static void h3_scene(place *p) {
  static const uint8_t much[30000];
  const sim_request echo = {.authority = "localhost:4433",
                            .path = "/echo?bidi=2&uni=2",
                            .origin = "https://example.org"};
  const sim_request plain = {.authority = "a", .path = "/echo"};
  const sim_request get = {.authority = "localhost:4433", .path = "/status"};
  sim_client *client = add(p, 0, "h3", 3);
  int64_t session, other, id;
  int i;

  pass(p, 100 * SIM_MILLISECOND);
  if (sim_client_session_reserve(client, &session) != 0) {
    return;
  }
  /* Before the session. */
  if (sim_client_open_bidi(client, session, &id) == 0) {
    write_to(client, id, "early", 1);
  }
  for (i = 0; i < 4; ++i) {
    if (sim_client_open_uni(client, session, &id) == 0) {
      write_to(client, id, "early", i % 2);
    }
  }
  sim_client_datagram(client, session, (const uint8_t *)"d", 1);
  pass(p, 50 * SIM_MILLISECOND);
  sim_client_session_request(client, session, &echo);
  if (sim_client_session_open(client, &plain, &other) == 0 &&
      sim_client_open_uni(client, other, &id) == 0) {
    write_to(client, id, "other", 1);
  }
  pass(p, 100 * SIM_MILLISECOND);
  for (i = 0; i < 6; ++i) {
    if (sim_client_open_bidi(client, session, &id) == 0) {
      sim_client_stream_write(client, id, much, sizeof(much), i % 2);
      if (i == 2) {
        sim_client_stream_reset(client, id, 1);
      }
      if (i == 4) {
        sim_client_stream_stop(client, id, 1);
      }
    }
    if (sim_client_open_uni(client, session, &id) == 0) {
      write_to(client, id, "uni", 1);
    }
    sim_client_datagram(client, session, (const uint8_t *)"dd", 2);
  }
  if (sim_client_get(client, &get, &id) == 0) {
    pass(p, 20 * SIM_MILLISECOND);
  }
  pass(p, 200 * SIM_MILLISECOND);
  sim_network_rebind(p->network, client);
  sim_client_session_close(client, session, 3, "three");
  pass(p, 300 * SIM_MILLISECOND);
  sim_client_close(client, SIM_H3_NO_ERROR, NULL);
  pass(p, 300 * SIM_MILLISECOND);
}

static void echo_scene(place *p) {
  static const uint8_t much[30000];
  sim_client *client = add(p, 0, "echo", 1);
  int64_t id;
  int i;

  pass(p, 100 * SIM_MILLISECOND);
  for (i = 0; i < 8; ++i) {
    if (sim_client_open_bidi(client, SIM_NO_SESSION, &id) == 0) {
      sim_client_stream_write(client, id, much, sizeof(much), i % 2);
    }
    if (sim_client_open_uni(client, SIM_NO_SESSION, &id) == 0) {
      write_to(client, id, "uni", i != 3);
      if (i == 3) {
        sim_client_stream_reset(client, id, 1);
      }
    }
    sim_client_datagram(client, SIM_NO_SESSION, (const uint8_t *)"d", 1);
  }
  pass(p, 400 * SIM_MILLISECOND);
  sim_client_close(client, 0, NULL);
  pass(p, 300 * SIM_MILLISECOND);
}

/* Plays |scene| with |count| allocations failing from |fail_at| on; returns how
   many there were.  Whoever comes then is served. */
static size_t play_once(void (*scene)(place *), const char *alpn,
                        size_t fail_at, size_t count) {
  place *p = calloc(1, sizeof(*p));
  size_t total;

  assert_non_null(p);
  assert_int_equal(begin(p, 3), 0);
  p->memory.fail_at = fail_at;
  p->memory.fail_count = count;
  p->memory.armed = 1;
  scene(p);
  p->memory.armed = 0;
  total = p->memory.count;
  add(p, 1, alpn, 0);
  pass(p, SIM_SECOND);
  assert_true(p->peers[1].handshake_done);
  assert_false(p->peers[1].closed);
  end(p);
  free(p);
  return total;
}

static void play(void (*scene)(place *), const char *alpn, size_t count) {
  size_t total = play_once(scene, alpn, 0, 0), fail_at;

  /* The scene does reach far. */
  assert_true(total > 200);
  for (fail_at = 0; fail_at < total; ++fail_at) {
    play_once(scene, alpn, fail_at, count);
  }
}

static void test_h3(void **state) {
  (void)state;
  play(h3_scene, "h3", 1);
}

static void test_h3_for_long(void **state) {
  (void)state;
  play(h3_scene, "h3", 20);
}

static void test_echo(void **state) {
  (void)state;
  play(echo_scene, "echo", 1);
}

static void test_start(void **state) {
  size_t fail_at;

  (void)state;
  for (fail_at = 0;; ++fail_at) {
    place *p = calloc(1, sizeof(*p));
    int rv;

    assert_non_null(p);
    p->memory.fail_at = fail_at;
    p->memory.fail_count = 1;
    p->memory.armed = 1;
    rv = begin(p, 4);
    if (rv == 0) {
      end(p);
      free(p);
      break;
    }
    assert_int_equal(rv, QUIC_ERR_NOMEM);
    assert_null(p->appliance);
    assert_int_equal(p->memory.live, 0);
    free(p);
  }
  assert_true(fail_at > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_start),
      cmocka_unit_test(test_echo),
      cmocka_unit_test(test_h3),
      cmocka_unit_test(test_h3_for_long),
  };

  return cmocka_run_group_tests(tests, set_up, tear_down);
}
