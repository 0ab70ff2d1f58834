/* SPDX-License-Identifier: Apache-2.0 */
/* The load's accounting, over the virtual network: what is counted adds up,
   and nothing is counted that did not come back. */
#include "tests/sim/check.h"
#include "tests/sim/workload.h"

static sim_load load;

typedef struct workers {
  sim_world *world;
  sim_worker *worker[8];
  sim_client *client[8];
  size_t count;
} workers;

static void begin_at(workers *all, uint64_t seed, size_t count,
                     const char *path) {
  sim_client_config config;
  size_t i;

  memset(all, 0, sizeof(*all));
  all->world = check_world(seed);
  all->count = count;
  config = sim_world_config(all->world);
  config.callbacks = sim_worker_callbacks;
  load.config.request.authority = "localhost:4433";
  load.config.request.path = path;
  for (i = 0; i < count; ++i) {
    all->worker[i] = sim_worker_new(&load);
    assert_non_null(all->worker[i]);
    config.user = all->worker[i];
    assert_int_equal(
        sim_network_add_client(all->world->network, &config, &all->client[i]),
        0);
    sim_worker_begin(all->worker[i], all->client[i],
                     sim_network_now(all->world->network));
  }
}

static void begin(workers *all, uint64_t seed, size_t count) {
  begin_at(all, seed, count, "/echo");
}

/* As the load generator's loop, a millisecond at a time. */
static void pass(workers *all, uint64_t time) {
  uint64_t end = sim_network_now(all->world->network) + time, now;
  size_t i;

  while ((now = sim_network_now(all->world->network)) < end) {
    for (i = 0; i < all->count; ++i) {
      sim_worker_run(all->worker[i], now);
    }
    assert_int_equal(sim_world_pass(all->world, SIM_MILLISECOND), 0);
  }
}

static void end(workers *all) {
  size_t i;

  for (i = 0; i < all->count; ++i) {
    sim_network_remove_client(all->world->network, all->client[i]);
    sim_worker_free(all->worker[i]);
  }
  check_world_end(all->world);
}

static size_t outstanding(const workers *all) {
  size_t i, n = 0;

  for (i = 0; i < all->count; ++i) {
    n += sim_worker_outstanding(all->worker[i]);
  }
  return n;
}

/* Waits for the sessions, then measures for a second and drains. */
static void measure(workers *all) {
  size_t i;

  load.start = load.stop = UINT64_MAX;
  pass(all, 2 * SIM_SECOND);
  for (i = 0; i < all->count; ++i) {
    assert_true(sim_worker_ready(all->worker[i]));
  }
  load.start = sim_network_now(all->world->network);
  load.stop = load.start + SIM_SECOND;
  pass(all, 3 * SIM_SECOND);
}

static void test_datagrams(void **state) {
  const sim_link lossy = {.delay = 5 * SIM_MILLISECOND, .loss = 20000};
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_DATAGRAMS;
  load.config.size = 900;
  load.config.window = 8;
  load.config.patience = 200 * SIM_MILLISECOND;
  begin(&all, 70, 4);
  sim_network_set_link(all.world->network, &lossy, &lossy);
  measure(&all);
  assert_int_equal(outstanding(&all), 0);
  assert_int_equal(load.wrong, 0);
  assert_true(load.datagrams_echoed > 1000);
  assert_int_equal(load.datagrams_offered,
                   load.datagrams_echoed + load.datagrams_lost);
  /* 2 % each way, and those that a full queue has dropped. */
  assert_true(load.datagrams_lost > load.datagrams_offered / 100);
  assert_true(load.datagrams_lost < load.datagrams_offered / 5);
  assert_int_equal(load.times.count, load.datagrams_echoed);
  /* Nobody is faster than the link, to the millisecond of the loop. */
  assert_true(sim_histogram_percentile(&load.times, 0.1) >=
              9 * SIM_MILLISECOND);
  end(&all);
}

static void test_datagrams_at_a_rate(void **state) {
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_DATAGRAMS;
  load.config.size = 100;
  load.config.interval = 5 * SIM_MILLISECOND;
  load.config.patience = SIM_SECOND;
  begin(&all, 71, 2);
  measure(&all);
  assert_int_equal(load.datagrams_offered, 400);
  assert_int_equal(load.datagrams_echoed, 400);
  assert_int_equal(load.datagrams_lost, 0);
  assert_int_equal(load.wrong, 0);
  end(&all);
}

static void test_streams(void **state) {
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_STREAM;
  load.config.streams = 3;
  load.config.size = 50000;
  load.config.window = 20000;
  begin(&all, 72, 3);
  measure(&all);
  assert_int_equal(load.wrong, 0);
  assert_true(load.streams > 9);
  assert_true(load.octets >= load.streams * 50000);
  assert_int_equal(load.times.count, load.streams);
  end(&all);
}

/* The octets are those acknowledged, the streams those that the server has
   answered with their right number. */
static void test_upload(void **state) {
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_UPLOAD;
  load.config.streams = 3;
  load.config.size = 50000;
  load.config.window = 20000;
  begin_at(&all, 75, 3, "/sink");
  measure(&all);
  assert_int_equal(load.wrong, 0);
  assert_true(load.streams > 9);
  assert_true(load.octets >= load.streams * 50000);
  assert_int_equal(load.times.count, load.streams);
  end(&all);
}

static void test_upload_to_an_echo(void **state) {
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_UPLOAD;
  load.config.streams = 1;
  load.config.size = 50000;
  load.config.window = 20000;
  begin(&all, 76, 1);
  measure(&all);
  assert_true(load.wrong > 0);
  end(&all);
}

static void test_download(void **state) {
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_DOWNLOAD;
  load.config.streams = 3;
  load.config.size = 50000;
  begin_at(&all, 77, 3, "/source?streams=0&bytes=50000");
  measure(&all);
  assert_int_equal(load.wrong, 0);
  assert_true(load.streams > 9);
  assert_true(load.octets >= load.streams * 50000);
  assert_int_equal(load.times.count, load.streams);
  end(&all);
}

/* Streams of another length than was asked for are told. */
static void test_download_cut_short(void **state) {
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_DOWNLOAD;
  load.config.streams = 1;
  load.config.size = 50000;
  begin_at(&all, 78, 1, "/source?streams=0&bytes=49999");
  measure(&all);
  assert_true(load.streams > 0);
  /* The last of them end after the time that counts. */
  assert_true(load.wrong >= load.streams);
  end(&all);
}

/* Sessions that are there, and nothing that comes from them. */
static void test_idle(void **state) {
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_IDLE;
  begin(&all, 79, 3);
  measure(&all);
  assert_true(sim_worker_ready(all.worker[0]));
  assert_int_equal(load.failures, 0);
  assert_int_equal(load.octets + load.times.count, 0);
  end(&all);
}

static void test_handshakes(void **state) {
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_HANDSHAKES;
  load.stop = UINT64_MAX;
  begin(&all, 73, 5);
  pass(&all, 2 * SIM_SECOND);
  assert_int_equal(load.handshakes, 5);
  assert_int_equal(load.failures, 0);
  assert_int_equal(sim_world_counters(all.world)->handshakes_completed, 5);
  end(&all);
}

/* With no server, or one that is refused, nothing is counted. */
static void test_nothing_from_nothing(void **state) {
  const sim_link cut = {.loss = 1000000};
  workers all;

  (void)state;
  memset(&load, 0, sizeof(load));
  load.config.mode = SIM_LOAD_SESSIONS;
  load.stop = UINT64_MAX;
  begin(&all, 74, 5);
  sim_network_set_link(all.world->network, &cut, &cut);
  pass(&all, 12 * SIM_SECOND);
  assert_int_equal(load.sessions, 0);
  assert_int_equal(load.times.count, 0);
  assert_int_equal(load.failures, 5);
  assert_int_equal(load.last_failure.by, SIM_CLOSED_HANDSHAKE_TIMEOUT);
  end(&all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_datagrams),
      cmocka_unit_test(test_datagrams_at_a_rate),
      cmocka_unit_test(test_streams),
      cmocka_unit_test(test_upload),
      cmocka_unit_test(test_upload_to_an_echo),
      cmocka_unit_test(test_download),
      cmocka_unit_test(test_download_cut_short),
      cmocka_unit_test(test_idle),
      cmocka_unit_test(test_handshakes),
      cmocka_unit_test(test_nothing_from_nothing),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
