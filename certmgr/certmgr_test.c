/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/certmgr.h"

#include "certmgr/hashset_signed.h"
#include "tests/sim/memory_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#define DAY INT64_C(86400)
#define START INT64_C(1790000000)

static const char *const names[] = {"*.example.org", "localhost", "127.0.0.1"};

/* What a server would do, remembered. */
typedef struct bench {
  cm_manager *mgr;
  memory_store store;
  cm_random random;
  int random_fails;
  cm_time now;
  uint8_t served[CM_HASH_LEN];
  int is_serving;
  unsigned activations;
  int activate_error;
  int publish_error;
  uint64_t seq;
  uint8_t closed[CM_HASH_LEN];
  unsigned closes;
  uint8_t held[CM_HASH_LEN]; /* By a connection, if |holds|. */
  int holds;
  char state[32];
  unsigned failures;
  unsigned quarantined;
} bench;

static int activate(void *user, const cm_certificate *certificate) {
  bench *b = user;

  if (b->activate_error != 0) {
    return b->activate_error;
  }
  for (int i = 0; i < CM_BROWSER_COUNT; i++) {
    assert_int_equal(cm_x509_check(certificate->der, certificate->der_len,
                                   (cm_browser)i, b->now.wall),
                     CM_ACCEPTED);
  }
  memcpy(b->served, certificate->sha256, CM_HASH_LEN);
  b->is_serving = 1;
  b->activations++;
  return 0;
}

static int publish(void *user, const cm_publication *pub) {
  bench *b = user;
  cm_signed_set set;

  if (b->publish_error != 0) {
    return b->publish_error;
  }
  assert_true(pub->seq > b->seq);
  b->seq = pub->seq;
  if (pub->set.active == NULL) {
    assert_string_equal(pub->jws, "");
    return 0;
  }
  assert_int_equal(
      cm_signed_set_read(&set, pub->jws, pub->jws_len, pub->set.identity), 0);
  assert_memory_equal(set.hashes[0].sha256, pub->set.active, CM_HASH_LEN);
  assert_int_equal(set.nhashes, pub->set.standby != NULL ? 2 : 1);
  return 0;
}

static int close_all(void *user, const uint8_t sha256[CM_HASH_LEN]) {
  bench *b = user;

  memcpy(b->closed, sha256, CM_HASH_LEN);
  b->closes++;
  return 0;
}

static int holds(void *user, const uint8_t sha256[CM_HASH_LEN]) {
  const bench *b = user;

  return b->holds && memcmp(b->held, sha256, CM_HASH_LEN) == 0;
}

static void event(void *user, const cm_journal_entry *entry) {
  bench *b = user;

  if (strcmp(entry->event, "state") == 0) {
    strcpy(b->state, entry->to);
  }
  b->failures += strcmp(entry->event, "failed") == 0;
  b->quarantined += strcmp(entry->event, "quarantined") == 0;
}

static int fill(void *user, uint8_t *dest, size_t len) {
  const bench *b = user;

  return b->random_fails
             ? -1
             : cm_random_system.fill(cm_random_system.user, dest, len);
}

static cm_config config_of(bench *b) {
  cm_config config;

  memset(&config, 0, sizeof(config));
  config.hosts = names;
  config.nhosts = 3;
  config.port = 4433;
  config.path = "/echo";
  config.random = &b->random;
  config.store = &b->store.base;
  config.callbacks = (cm_callbacks){activate, publish, close_all, holds, event};
  config.user = b;
  return config;
}

static void check(const bench *b) {
  assert_int_equal(cm_lifecycle_check(cm_manager_lifecycle(b->mgr)), 0);
}

/* Steps until there is nothing more to do now. */
static int64_t settle(bench *b) {
  int64_t wait = 0;
  int n = 0;

  while (cm_manager_step(b->mgr, &b->now, &wait) == 1) {
    check(b);
    assert_true(++n < 100);
  }
  check(b);
  assert_true(wait >= 1 && wait <= 60);
  return wait;
}

static void begin(bench *b) {
  memset(b, 0, sizeof(*b));
  b->random = (cm_random){fill, b};
  b->now = (cm_time){START, 1000};
  memory_store_init(&b->store);
}

static void boot(bench *b) {
  cm_config config = config_of(b);

  assert_int_equal(cm_manager_new(&b->mgr, &config), 0);
  settle(b);
}

static void end(bench *b) {
  cm_manager_free(b->mgr);
  b->mgr = NULL;
}

/* |seconds| go by, awake. */
static void run(bench *b, int64_t seconds) {
  int64_t until = b->now.mono + seconds;

  while (b->now.mono < until) {
    int64_t wait = settle(b);

    if (wait > until - b->now.mono) {
      wait = until - b->now.mono;
    }
    b->now.wall += wait;
    b->now.mono += wait;
  }
  settle(b);
}

static void test_first_start(void **state) {
  const cm_publication *pub;
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  pub = cm_manager_publication(b.mgr);
  assert_non_null(pub);
  assert_true(b.is_serving);
  assert_memory_equal(pub->set.active, b.served, CM_HASH_LEN);
  assert_memory_equal(cm_manager_active(b.mgr)->sha256, b.served, CM_HASH_LEN);
  assert_memory_equal(cm_manager_serving(b.mgr, b.now.wall)->sha256, b.served,
                      CM_HASH_LEN);
  assert_non_null(pub->set.standby);
  assert_memory_equal(pub->set.standby, cm_manager_standby(b.mgr)->sha256,
                      CM_HASH_LEN);
  assert_string_equal(pub->set.host, "localhost");
  assert_string_equal(b.state, "NO_STANDBY");
  assert_string_equal(cm_manager_problem(b.mgr), "");
  run(&b, 700);
  assert_string_equal(b.state, "HEALTHY");
  assert_int_equal(cm_manager_until(b.mgr, CM_MILESTONE_STANDBY_READY), 0);
  end(&b);
}

/* What was the standby is served after each swap, and nobody else ever. */
static void test_rotates_for_a_year(void **state) {
  uint8_t next[CM_HASH_LEN];
  unsigned before;
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  for (int i = 0; i < 60; i++) {
    memcpy(next, cm_manager_standby(b.mgr)->sha256, CM_HASH_LEN);
    before = b.activations;
    while (b.activations == before) {
      run(&b, DAY / 4);
    }
    assert_int_equal(b.activations, before + 1);
    assert_memory_equal(b.served, next, CM_HASH_LEN);
  }
  assert_int_equal(cm_manager_counters(b.mgr)->rotations, 60);
  assert_int_equal(cm_manager_counters(b.mgr)->failures[CM_ACTION_PERSIST], 0);
  assert_true(cm_manager_counters(b.mgr)->destroyed >= 58);
  assert_string_equal(b.state, "HEALTHY");
  end(&b);
}

static void test_restart_takes_up_the_same(void **state) {
  uint8_t active[CM_HASH_LEN], standby[CM_HASH_LEN];
  char thumbprint[64];
  uint64_t seq;
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  run(&b, 7 * DAY);
  memcpy(active, cm_manager_active(b.mgr)->sha256, CM_HASH_LEN);
  memcpy(standby, cm_manager_standby(b.mgr)->sha256, CM_HASH_LEN);
  strcpy(thumbprint, cm_manager_thumbprint(b.mgr));
  seq = b.seq;
  end(&b);
  b.now.mono = 5;
  b.is_serving = 0;
  boot(&b);
  assert_memory_equal(b.served, active, CM_HASH_LEN);
  assert_memory_equal(cm_manager_standby(b.mgr)->sha256, standby, CM_HASH_LEN);
  assert_string_equal(cm_manager_thumbprint(b.mgr), thumbprint);
  assert_true(b.seq > seq);
  end(&b);
}

static void test_commands(void **state) {
  uint8_t active[CM_HASH_LEN], standby[CM_HASH_LEN];
  uint64_t epoch;
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  memcpy(active, b.served, CM_HASH_LEN);
  memcpy(standby, cm_manager_standby(b.mgr)->sha256, CM_HASH_LEN);
  assert_int_equal(cm_manager_command(b.mgr, CM_COMMAND_ROTATE, &b.now),
                   CM_COMMAND_NOT_READY);
  assert_memory_equal(b.served, active, CM_HASH_LEN);
  assert_int_equal(cm_manager_command(b.mgr, CM_COMMAND_ROTATE_FORCED, &b.now),
                   CM_COMMAND_ACCEPTED);
  assert_memory_equal(b.served, standby, CM_HASH_LEN);
  assert_non_null(cm_manager_publication(b.mgr)->set.standby);
  assert_int_equal(b.closes, 0);

  memcpy(active, b.served, CM_HASH_LEN);
  memcpy(standby, cm_manager_standby(b.mgr)->sha256, CM_HASH_LEN);
  assert_int_equal(cm_manager_command(b.mgr, CM_COMMAND_REVOKE, &b.now),
                   CM_COMMAND_ACCEPTED);
  assert_memory_equal(b.served, standby, CM_HASH_LEN);
  assert_int_equal(b.closes, 1);
  assert_memory_equal(b.closed, active, CM_HASH_LEN);
  assert_memory_equal(cm_manager_publication(b.mgr)->set.active, standby,
                      CM_HASH_LEN);
  assert_int_equal(cm_manager_counters(b.mgr)->revocations, 1);

  epoch = cm_manager_publication(b.mgr)->epoch;
  memcpy(standby, cm_manager_standby(b.mgr)->sha256, CM_HASH_LEN);
  assert_int_equal(cm_manager_command(b.mgr, CM_COMMAND_RESET, &b.now),
                   CM_COMMAND_ACCEPTED);
  assert_int_equal(cm_manager_publication(b.mgr)->epoch, epoch + 1);
  assert_memory_not_equal(b.served, standby, CM_HASH_LEN);
  check(&b);
  run(&b, 2 * DAY);
  assert_string_equal(b.state, "HEALTHY");
  end(&b);
}

/* With the disk full, what was served is served on, and all is made up for
   when there is room again. */
static void test_disk_full(void **state) {
  uint8_t active[CM_HASH_LEN];
  unsigned failures;
  bench b;

  (void)state;
  for (int leaks = 0; leaks < 2; leaks++) {
    begin(&b);
    boot(&b);
    run(&b, DAY);
    memcpy(active, b.served, CM_HASH_LEN);
    b.store.error = CM_ERR_STORE;
    b.store.leaks = leaks;
    failures = b.failures;
    run(&b, 6 * DAY);
    assert_true(b.failures > failures);
    assert_string_equal(b.state, "STORE_FAILED");
    assert_non_null(strstr(cm_manager_problem(b.mgr), "the disk is full"));
    /* The standby was durable before: it took over nevertheless. */
    assert_memory_not_equal(b.served, active, CM_HASH_LEN);
    assert_non_null(cm_manager_serving(b.mgr, b.now.wall));
    b.store.error = 0;
    run(&b, 3600);
    assert_string_equal(b.state, "HEALTHY");
    assert_string_equal(cm_manager_problem(b.mgr), "");
    end(&b);
  }
}

static void test_no_randomness(void **state) {
  uint8_t active[CM_HASH_LEN];
  cm_config config;
  bench b;

  (void)state;
  begin(&b);
  b.random_fails = 1;
  config = config_of(&b);
  assert_int_equal(cm_manager_new(&b.mgr, &config), CM_ERR_RANDOM);
  assert_null(b.mgr);
  b.random_fails = 0;
  boot(&b);
  run(&b, DAY);
  memcpy(active, b.served, CM_HASH_LEN);
  b.random_fails = 1;
  assert_int_equal(cm_manager_command(b.mgr, CM_COMMAND_ROTATE, &b.now),
                   CM_COMMAND_ACCEPTED);
  assert_memory_not_equal(b.served, active, CM_HASH_LEN);
  assert_null(cm_manager_standby(b.mgr));
  assert_string_equal(cm_manager_problem(b.mgr), cm_strerror(CM_ERR_RANDOM));
  assert_true(cm_manager_until(b.mgr, CM_MILESTONE_RETRY) >= 0);
  b.random_fails = 0;
  run(&b, 3600);
  assert_string_equal(b.state, "HEALTHY");
  end(&b);
}

static void test_standby_that_tls_refuses(void **state) {
  uint8_t active[CM_HASH_LEN], standby[CM_HASH_LEN];
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  run(&b, DAY);
  memcpy(active, b.served, CM_HASH_LEN);
  memcpy(standby, cm_manager_standby(b.mgr)->sha256, CM_HASH_LEN);
  b.activate_error = CM_ERR_SELF_CHECK;
  assert_int_equal(cm_manager_command(b.mgr, CM_COMMAND_ROTATE, &b.now),
                   CM_COMMAND_ACCEPTED);
  assert_memory_equal(b.served, active, CM_HASH_LEN);
  run(&b, 600);
  assert_memory_equal(b.served, active, CM_HASH_LEN);
  /* Given up after three times: there is a new standby by now. */
  assert_memory_not_equal(cm_manager_standby(b.mgr)->sha256, standby,
                          CM_HASH_LEN);
  b.activate_error = 0;
  run(&b, 3600);
  assert_non_null(cm_manager_serving(b.mgr, b.now.wall));
  end(&b);
}

/* A disk that hangs, until it is let go. */
static struct {
  int hangs;
  int is_begun;
} slow;

static int slow_begin(cm_store *store, const uint8_t *body, size_t len) {
  slow.is_begun = 1;
  return cm_store_save(store, body, len);
}

static int slow_poll(cm_store *store, int *result) {
  (void)store;
  if (slow.hangs || !slow.is_begun) {
    return 0;
  }
  slow.is_begun = 0;
  *result = 0;
  return 1;
}

/* Who is revoked goes at once, whatever the disk does. */
static void test_revoked_while_saving(void **state) {
  uint8_t active[CM_HASH_LEN];
  cm_store_ops ops;
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  run(&b, DAY);
  ops = *b.store.base.ops;
  ops.begin = slow_begin;
  ops.poll = slow_poll;
  b.store.base.ops = &ops;
  slow.hangs = 1;
  memcpy(active, cm_manager_standby(b.mgr)->sha256, CM_HASH_LEN);
  (void)cm_manager_command(b.mgr, CM_COMMAND_ROTATE, &b.now);
  assert_true(cm_manager_is_saving(b.mgr));
  assert_memory_equal(b.served, active, CM_HASH_LEN);
  assert_int_equal(b.closes, 0);
  assert_int_equal(cm_manager_command(b.mgr, CM_COMMAND_REVOKE, &b.now),
                   CM_COMMAND_ACCEPTED);
  assert_true(cm_manager_is_saving(b.mgr));
  assert_int_equal(b.closes, 1);
  assert_memory_equal(b.closed, active, CM_HASH_LEN);
  assert_null(cm_manager_serving(b.mgr, b.now.wall));
  slow.hangs = 0;
  run(&b, 60);
  assert_non_null(cm_manager_serving(b.mgr, b.now.wall));
  assert_memory_not_equal(b.served, active, CM_HASH_LEN);
  end(&b);
}

static void test_publishing_fails(void **state) {
  uint64_t seq;
  bench b;

  (void)state;
  begin(&b);
  b.publish_error = CM_ERR_NOMEM;
  boot(&b);
  assert_false(b.is_serving);
  assert_null(cm_manager_publication(b.mgr));
  assert_int_equal(cm_manager_lifecycle(b.mgr)->state, CM_STATE_BOOTSTRAP);
  b.publish_error = 0;
  run(&b, 60);
  assert_true(b.is_serving);
  seq = b.seq;
  b.publish_error = CM_ERR_NOMEM;
  (void)cm_manager_command(b.mgr, CM_COMMAND_REVOKE, &b.now);
  assert_int_equal(cm_manager_publication(b.mgr)->seq, seq);
  b.publish_error = 0;
  run(&b, 60);
  assert_true(cm_manager_publication(b.mgr)->seq > seq);
  end(&b);
}

static void test_held_certificate_is_kept(void **state) {
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  memcpy(b.held, b.served, CM_HASH_LEN);
  b.holds = 1;
  run(&b, 13 * DAY);
  assert_int_equal(cm_manager_counters(b.mgr)->rotations, 2);
  assert_int_equal(cm_manager_counters(b.mgr)->destroyed, 1);
  b.holds = 0;
  run(&b, DAY);
  assert_int_equal(cm_manager_counters(b.mgr)->destroyed, 2);
  end(&b);
}

static void test_before_the_build_date(void **state) {
  bench b;

  (void)state;
  begin(&b);
  b.now.wall = 1000;
  boot(&b);
  assert_string_equal(b.state, "WAITING_FOR_TIME");
  assert_null(cm_manager_serving(b.mgr, b.now.wall));
  b.now.wall = START;
  run(&b, 60);
  assert_non_null(cm_manager_serving(b.mgr, b.now.wall));
  end(&b);
}

static void test_asleep(void **state) {
  uint8_t active[CM_HASH_LEN];
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  run(&b, DAY);
  memcpy(active, b.served, CM_HASH_LEN);
  b.now.wall += 30 * DAY;
  assert_null(cm_manager_serving(b.mgr, b.now.wall));
  settle(&b);
  assert_non_null(cm_manager_serving(b.mgr, b.now.wall));
  assert_memory_not_equal(b.served, active, CM_HASH_LEN);
  assert_int_equal(cm_manager_counters(b.mgr)->clock_jumps, 1);
  end(&b);
}

static void test_identity(void **state) {
  char backup[CM_IDENTITY_BACKUP_MAX], thumbprint[64], own[64];
  uint64_t seq, epoch;
  bench a, b;

  (void)state;
  begin(&a);
  boot(&a);
  assert_true(cm_manager_backup(a.mgr, backup, sizeof(backup)) > 0);
  strcpy(thumbprint, cm_manager_thumbprint(a.mgr));
  end(&a);
  begin(&b);
  boot(&b);
  seq = b.seq;
  assert_string_not_equal(cm_manager_thumbprint(b.mgr), thumbprint);
  assert_int_equal(cm_manager_restore(b.mgr, "nonsense", &b.now),
                   CM_ERR_INVALID);
  strcpy(own, cm_manager_thumbprint(b.mgr));
  b.store.error = CM_ERR_STORE;
  /* It fails, and yet it is on the disk. */
  b.store.leaks = 1;
  assert_int_equal(cm_manager_restore(b.mgr, backup, &b.now), CM_ERR_STORE);
  assert_string_equal(cm_manager_thumbprint(b.mgr), own);
  assert_int_equal(cm_manager_lifecycle(b.mgr)->epoch, 1);
  b.store.error = b.store.leaks = 0;
  settle(&b);
  end(&b);
  boot(&b);
  assert_string_equal(cm_manager_thumbprint(b.mgr), own);
  assert_int_equal(cm_manager_restore(b.mgr, backup, &b.now), 0);
  assert_string_equal(cm_manager_thumbprint(b.mgr), thumbprint);
  assert_string_equal(cm_manager_publication(b.mgr)->set.identity, thumbprint);
  /* Later than what the other machine has published, and what it would have
     after some resets. */
  epoch = cm_manager_publication(b.mgr)->epoch;
  assert_int_equal(epoch, b.now.wall);
  assert_int_equal(cm_manager_restore(b.mgr, backup, &b.now), 0);
  assert_int_equal(cm_manager_publication(b.mgr)->epoch, epoch + 1);
  assert_true(b.seq > seq);
  end(&b);
  boot(&b);
  assert_int_equal(cm_manager_publication(b.mgr)->epoch, epoch + 1);
  assert_string_equal(cm_manager_thumbprint(b.mgr), thumbprint);
  end(&b);
}

static void test_refused_configs(void **state) {
  static const char *const bad[] = {"not a host"};
  static const char *const wild[] = {"*.example.org"};
  const cm_profile profile = {0};
  cm_config config;
  cm_manager *mgr;
  bench b;

  (void)state;
  begin(&b);
  assert_int_equal(cm_manager_new(NULL, NULL), CM_ERR_INVALID);
  assert_int_equal(cm_manager_new(&mgr, NULL), CM_ERR_INVALID);
  config = config_of(&b);
  config.nhosts = 0;
  assert_int_equal(cm_manager_new(&mgr, &config), CM_ERR_HOST_COUNT);
  config = config_of(&b);
  config.callbacks.activate = NULL;
  assert_int_equal(cm_manager_new(&mgr, &config), CM_ERR_INVALID);
  config = config_of(&b);
  config.hosts = bad;
  config.nhosts = 1;
  assert_int_equal(cm_manager_new(&mgr, &config), CM_ERR_HOST);
  config.hosts = wild;
  assert_int_equal(cm_manager_new(&mgr, &config), CM_ERR_HOST);
  config = config_of(&b);
  config.profile = &profile;
  assert_int_equal(cm_manager_new(&mgr, &config), CM_ERR_INVALID);
  config = config_of(&b);
  config.port = 0;
  assert_int_equal(cm_manager_new(&mgr, &config), CM_ERR_INVALID);
  config = config_of(&b);
  config.path = "no slash";
  assert_int_equal(cm_manager_new(&mgr, &config), CM_ERR_INVALID);
  config = config_of(&b);
  config.mirror = "http://example.org/";
  assert_int_equal(cm_manager_new(&mgr, &config), CM_ERR_INVALID);
  assert_null(mgr);
}

/* A stored certificate that was changed is set aside, the other one serves. */
static void test_damaged_certificate(void **state) {
  uint8_t standby[CM_HASH_LEN];
  bench b;
  size_t i;

  (void)state;
  begin(&b);
  boot(&b);
  run(&b, DAY);
  memcpy(standby, cm_manager_standby(b.mgr)->sha256, CM_HASH_LEN);
  for (i = 0; memcmp(b.store.body + i, cm_manager_active(b.mgr)->der, 40) != 0;
       i++) {
    assert_true(i + 40 < b.store.len);
  }
  end(&b);
  b.store.body[i + 200] ^= 1;
  boot(&b);
  assert_int_equal(b.quarantined, 1);
  assert_memory_equal(b.served, standby, CM_HASH_LEN);
  run(&b, 3600);
  assert_string_equal(b.state, "HEALTHY");
  end(&b);
}

static void test_body_of_a_later_version(void **state) {
  cm_config config;
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  end(&b);
  b.store.body[8] = 2;
  config = config_of(&b);
  assert_int_equal(cm_manager_new(&b.mgr, &config), CM_ERR_STORE_BAD);
  assert_non_null(strstr(b.store.base.message, "later version"));
}

static void test_status(void **state) {
  cJSON *status, *slots;
  bench b;

  (void)state;
  begin(&b);
  boot(&b);
  status = cm_manager_status(b.mgr);
  slots = cJSON_GetObjectItem(status, "slots");
  assert_int_equal(cJSON_GetArraySize(slots), 2);
  assert_string_equal(
      cJSON_GetObjectItem(cJSON_GetArrayItem(slots, 0), "state")->valuestring,
      "ACTIVE");
  assert_string_equal(
      cJSON_GetObjectItem(cJSON_GetArrayItem(slots, 1), "state")->valuestring,
      "PUBLISHED");
  assert_string_equal(cJSON_GetObjectItem(status, "identity")->valuestring,
                      cm_manager_thumbprint(b.mgr));
  assert_true(cJSON_IsTrue(
      cJSON_GetObjectItem(cJSON_GetArrayItem(slots, 0), "serving")));
  for (int i = 0; i < 2; i++) {
    const cJSON *slot = cJSON_GetArrayItem(slots, i);

    assert_true(cJSON_GetObjectItem(slot, "standby_from")->valuedouble -
                    cJSON_GetObjectItem(slot, "not_before")->valuedouble ==
                DAY);
  }
  cJSON_Delete(status);
  /* What has run out is installed still, and serves nobody. */
  b.random_fails = 1;
  b.now.wall += 40 * DAY;
  b.now.mono += 40 * DAY;
  settle(&b);
  status = cm_manager_status(b.mgr);
  assert_string_equal(cJSON_GetObjectItem(status, "state")->valuestring,
                      "EXPIRED");
  slots = cJSON_GetObjectItem(status, "slots");
  assert_true(cJSON_GetArraySize(slots) > 0);
  for (int i = 0; i < cJSON_GetArraySize(slots); i++) {
    assert_false(cJSON_IsTrue(
        cJSON_GetObjectItem(cJSON_GetArrayItem(slots, i), "serving")));
  }
  cJSON_Delete(status);
  for (int i = 0; i < CM_MILESTONE_COUNT; i++) {
    assert_string_not_equal(cm_milestone_name((cm_milestone)i), "?");
  }
  end(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_first_start),
      cmocka_unit_test(test_rotates_for_a_year),
      cmocka_unit_test(test_restart_takes_up_the_same),
      cmocka_unit_test(test_commands),
      cmocka_unit_test(test_disk_full),
      cmocka_unit_test(test_no_randomness),
      cmocka_unit_test(test_standby_that_tls_refuses),
      cmocka_unit_test(test_revoked_while_saving),
      cmocka_unit_test(test_publishing_fails),
      cmocka_unit_test(test_held_certificate_is_kept),
      cmocka_unit_test(test_before_the_build_date),
      cmocka_unit_test(test_asleep),
      cmocka_unit_test(test_identity),
      cmocka_unit_test(test_refused_configs),
      cmocka_unit_test(test_damaged_certificate),
      cmocka_unit_test(test_body_of_a_later_version),
      cmocka_unit_test(test_status),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
