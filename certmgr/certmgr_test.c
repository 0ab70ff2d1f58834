/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/certmgr.h"

#include "certmgr/x509_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400)
#define START INT64_C(1767225600) /* 2026-01-01T00:00:00Z */

static const char *const hosts[] = {"localhost", "127.0.0.1"};

/* The system's randomness, until |*fail| is set. */
static int fill(void *user, uint8_t *dest, size_t len) {
  if (*(const int *)user) {
    return -1;
  }
  return cm_random_system.fill(cm_random_system.user, dest, len);
}

static cm_manager *new_manager(int64_t wall) {
  const cm_config config = {hosts, 2, NULL};
  cm_manager *mgr = NULL;

  assert_int_equal(cm_manager_new(&mgr, &config, wall), 0);
  assert_non_null(mgr);
  return mgr;
}

/* What always holds: both certificates are valid now for every browser, the
   guard of the active one has not begun, and they are not the same. */
static void check(const cm_manager *mgr, int64_t wall) {
  const cm_certificate *active = cm_manager_active(mgr);
  const cm_certificate *standby = cm_manager_standby(mgr);

  assert_memory_not_equal(active->sha256, standby->sha256, CM_HASH_LEN);
  assert_memory_not_equal(active->serial, standby->serial, CM_SERIAL_LEN);
  assert_true(active->not_after - active->not_before <= CM_VALIDITY_MAX);
  assert_true(wall < active->not_after - CM_GUARD_TIME);
  assert_true(wall < standby->not_after - CM_GUARD_TIME);
  for (int b = 0; b < CM_BROWSER_COUNT; b++) {
    assert_int_equal(
        cm_x509_check(active->der, active->der_len, (cm_browser)b, wall),
        CM_ACCEPTED);
    assert_int_equal(
        cm_x509_check(standby->der, standby->der_len, (cm_browser)b, wall),
        CM_ACCEPTED);
  }
}

static int is_same(const cm_certificate *a, const cm_certificate *b) {
  return memcmp(a->sha256, b->sha256, CM_HASH_LEN) == 0;
}

static void test_parts_add_up(void **state) {
  (void)state;
  assert_int_equal(CM_BACKDATE + CM_STANDBY_TIME + CM_ACTIVE_TIME +
                       CM_GUARD_TIME,
                   CM_VALIDITY_MAX);
  assert_int_equal(CM_GUARD_TIME, DAY - 1);
}

static void test_new(void **state) {
  cm_manager *mgr = new_manager(START);
  cm_x509_view view;
  int64_t next = 0;

  (void)state;
  check(mgr, START);
  assert_int_equal(cm_manager_sequence(mgr), 1);
  assert_true(cm_manager_standby(mgr)->not_before == START - DAY);
  /* Clients' clocks may be a day slow. */
  assert_true(cm_manager_active(mgr)->not_before <= START - DAY);
  assert_int_equal(cm_x509_view_parse(&view, cm_manager_active(mgr)->der,
                                      cm_manager_active(mgr)->der_len),
                   0);
  assert_int_equal(view.san.len, 2 + 2 + 9 + 2 + 4);
  assert_int_equal(cm_manager_tick(mgr, START, &next), 0);
  assert_true(next == START + 6 * DAY);
  cm_manager_free(mgr);
}

/* Ten years, woken when asked for: a swap every 6 days, and every active
   certificate has been the standby of the pair before. */
static void test_ten_years(void **state) {
  cm_manager *mgr = new_manager(START);
  int64_t wall = START, next = 0;
  uint64_t sequence = 1;

  (void)state;
  assert_int_equal(cm_manager_tick(mgr, wall, &next), 0);
  while (wall < START + 3653 * DAY) {
    cm_certificate standby = *cm_manager_standby(mgr);

    assert_true(next == wall + 6 * DAY);
    assert_int_equal(cm_manager_tick(mgr, next - 1, &wall), 0);
    assert_true(wall == next);
    check(mgr, wall - 1);
    assert_int_equal(cm_manager_tick(mgr, wall, &next), 1);
    check(mgr, wall);
    assert_true(is_same(cm_manager_active(mgr), &standby));
    assert_int_equal(cm_manager_sequence(mgr), ++sequence);
    cm_certificate_wipe(&standby);
  }
  cm_manager_free(mgr);
}

/* A year in which the host is woken late, early and at random, and a person
   rotates at random: who has seen a pair can connect for 6 days, unless more
   than one swap was made by hand. */
static void test_random_year(void **state) {
  cm_manager *mgr = new_manager(START);
  int64_t wall = START, next = 0;
  uint32_t random = 1;

  (void)state;
  for (int i = 0; i < 300; i++) {
    cm_certificate standby = *cm_manager_standby(mgr);
    uint64_t sequence = cm_manager_sequence(mgr);
    int rv;

    random = random * 1664525 + 1013904223;
    wall += (random >> 8) % (3 * DAY);
    random = random * 1664525 + 1013904223;
    if (random >> 29 == 0) {
      assert_int_equal(cm_manager_rotate(mgr, wall), 0);
      rv = 1;
      assert_int_equal(cm_manager_tick(mgr, wall, &next), 0);
    } else {
      rv = cm_manager_tick(mgr, wall, &next);
    }
    check(mgr, wall);
    assert_int_equal(cm_manager_sequence(mgr), sequence + (uint64_t)rv);
    if (rv == 1) {
      assert_true(is_same(cm_manager_active(mgr), &standby));
    } else {
      assert_int_equal(rv, 0);
      assert_true(is_same(cm_manager_standby(mgr), &standby));
    }
    assert_true(next > wall && next <= wall + 6 * DAY);
    assert_true(next <= cm_manager_active(mgr)->not_after - CM_GUARD_TIME);
    /* Whoever learns the pair now: the standby can serve for 6 days after the
       next swap. */
    assert_true(cm_manager_standby(mgr)->not_after - CM_GUARD_TIME >=
                next + 6 * DAY);
    cm_certificate_wipe(&standby);
  }
  cm_manager_free(mgr);
}

static void test_rotate(void **state) {
  cm_manager *mgr = new_manager(START);
  int64_t next = 0;

  (void)state;
  for (int i = 0; i < 20; i++) {
    cm_certificate standby = *cm_manager_standby(mgr);
    assert_int_equal(cm_manager_rotate(mgr, START + i), 0);
    assert_true(is_same(cm_manager_active(mgr), &standby));
    assert_int_equal(cm_manager_sequence(mgr), 2 + i);
    check(mgr, START + i);
    assert_int_equal(cm_manager_tick(mgr, START + i, &next), 0);
    assert_true(next == START + i + 6 * DAY);
    cm_certificate_wipe(&standby);
  }
  cm_manager_free(mgr);
}

/* What one tick at |wall| makes of a manager that was started at START. */
static void jump(int64_t wall, int rv, int keeps_active, int promotes,
                 int keeps_standby) {
  cm_manager *mgr = new_manager(START);
  cm_certificate active = *cm_manager_active(mgr);
  cm_certificate standby = *cm_manager_standby(mgr);
  int64_t next = 0;

  assert_int_equal(cm_manager_tick(mgr, wall, &next), rv);
  check(mgr, wall);
  assert_int_equal(cm_manager_sequence(mgr), 1 + rv);
  assert_int_equal(is_same(cm_manager_active(mgr), &active), keeps_active);
  assert_int_equal(is_same(cm_manager_active(mgr), &standby), promotes);
  assert_int_equal(is_same(cm_manager_standby(mgr), &standby), keeps_standby);
  assert_true(next > wall);
  assert_true(next <= cm_manager_active(mgr)->not_after - CM_GUARD_TIME);
  /* And it goes on from there. */
  assert_int_equal(cm_manager_tick(mgr, next, &wall), 1);
  check(mgr, next);
  cm_manager_free(mgr);
}

static void test_clock_jumps(void **state) {
  (void)state;
  /* Asleep for longer than planned: the standby takes over. */
  jump(START + 6 * DAY + DAY / 2, 1, 0, 1, 0);
  jump(START + 12 * DAY - 1, 1, 0, 1, 0);
  /* Beyond what the standby covers: both are new. */
  jump(START + 12 * DAY, 1, 0, 0, 0);
  jump(START + 365 * DAY, 1, 0, 0, 0);
  /* Set back: within the backdating nothing happens ... */
  jump(START - DAY, 0, 1, 0, 1);
  /* ... then the standby is not yet valid, ... */
  jump(START - DAY - 1, 1, 1, 0, 0);
  jump(START - 7 * DAY, 1, 1, 0, 0);
  /* ... then the active one neither. */
  jump(START - 7 * DAY - 1, 1, 0, 0, 0);
  jump(START - 365 * DAY, 1, 0, 0, 0);
}

/* A rotation by hand after such a jump does not put something in service that
   is not valid. */
static void test_rotate_after_jump(void **state) {
  cm_manager *mgr = new_manager(START);

  (void)state;
  assert_int_equal(cm_manager_rotate(mgr, START + 100 * DAY), 0);
  check(mgr, START + 100 * DAY);
  assert_int_equal(cm_manager_rotate(mgr, START - 100 * DAY), 0);
  check(mgr, START - 100 * DAY);
  cm_manager_free(mgr);
}

/* When minting fails, the pair stays as it is, and a later tick succeeds. */
static void test_failure_changes_nothing(void **state) {
  int broken = 0;
  cm_random random = {fill, &broken};
  const cm_config config = {hosts, 2, &random};
  cm_certificate active, standby;
  cm_manager *mgr;
  int64_t wall = START + 6 * DAY, next = 0;

  (void)state;
  assert_int_equal(cm_manager_new(&mgr, &config, START), 0);
  active = *cm_manager_active(mgr);
  standby = *cm_manager_standby(mgr);
  broken = 1;
  assert_int_equal(cm_manager_rotate(mgr, START), CM_ERR_RANDOM);
  assert_int_equal(cm_manager_rotate(mgr, START + 365 * DAY), CM_ERR_RANDOM);
  assert_int_equal(cm_manager_tick(mgr, wall, &next), CM_ERR_RANDOM);
  assert_true(next == wall + 60);
  /* Only the standby is due. */
  assert_int_equal(cm_manager_tick(mgr, START - 2 * DAY, &next), CM_ERR_RANDOM);
  assert_memory_equal(&active, cm_manager_active(mgr), sizeof(active));
  assert_memory_equal(&standby, cm_manager_standby(mgr), sizeof(standby));
  assert_int_equal(cm_manager_sequence(mgr), 1);
  broken = 0;
  assert_int_equal(cm_manager_tick(mgr, wall, &next), 1);
  assert_true(is_same(cm_manager_active(mgr), &standby));
  check(mgr, wall);
  cm_manager_free(mgr);
  cm_certificate_wipe(&active);
  cm_certificate_wipe(&standby);
}

static void test_impossible_clock(void **state) {
  static const int64_t walls[] = {
      INT64_MIN, -1, 0, DAY - 1, INT64_C(253402300799), INT64_MAX};
  const cm_config config = {hosts, 2, NULL};
  cm_manager *mgr = new_manager(START), *other;

  (void)state;
  for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
    int64_t next = 4711;
    assert_int_equal(cm_manager_tick(mgr, walls[i], &next), CM_ERR_CLOCK);
    assert_true(next >= walls[i]);
    assert_int_equal(cm_manager_rotate(mgr, walls[i]), CM_ERR_CLOCK);
    assert_int_equal(cm_manager_new(&other, &config, walls[i]), CM_ERR_CLOCK);
    assert_null(other);
  }
  assert_int_equal(cm_manager_sequence(mgr), 1);
  check(mgr, START);
  cm_manager_free(mgr);
  /* A machine without a clock starts in 1970. */
  mgr = new_manager(DAY);
  check(mgr, DAY);
  cm_manager_free(mgr);
}

static void test_arguments(void **state) {
  static const char *const bad[] = {"localhost", "not a host"};
  static const char *const null[] = {"localhost", NULL};
  int broken = 1;
  cm_random random = {fill, &broken};
  cm_config config = {hosts, 2, NULL};
  cm_manager *mgr = (cm_manager *)&config;

  (void)state;
  assert_int_equal(cm_manager_new(NULL, &config, START), CM_ERR_INVALID);
  assert_int_equal(cm_manager_new(&mgr, NULL, START), CM_ERR_INVALID);
  assert_null(mgr);
  config.hosts = NULL;
  assert_int_equal(cm_manager_new(&mgr, &config, START), CM_ERR_INVALID);
  config.hosts = hosts;
  config.nhosts = 0;
  assert_int_equal(cm_manager_new(&mgr, &config, START), CM_ERR_HOST_COUNT);
  config.nhosts = CM_HOSTS_MAX + 1;
  assert_int_equal(cm_manager_new(&mgr, &config, START), CM_ERR_HOST_COUNT);
  config.nhosts = 2;
  config.hosts = bad;
  assert_int_equal(cm_manager_new(&mgr, &config, START), CM_ERR_HOST);
  config.hosts = null;
  assert_int_equal(cm_manager_new(&mgr, &config, START), CM_ERR_HOST);
  config.hosts = hosts;
  config.random = &random;
  assert_int_equal(cm_manager_new(&mgr, &config, START), CM_ERR_RANDOM);
  assert_null(mgr);
  cm_manager_free(NULL);
}

/* The configuration may go away. */
static void test_config_is_copied(void **state) {
  char name[] = "copied.example";
  const char *list[] = {name};
  cm_config config = {list, 1, NULL};
  cm_manager *mgr;
  cm_x509_view view;

  (void)state;
  assert_int_equal(cm_manager_new(&mgr, &config, START), 0);
  memset(name, '!', sizeof(name) - 1);
  list[0] = NULL;
  assert_int_equal(cm_manager_rotate(mgr, START), 0);
  assert_int_equal(cm_x509_view_parse(&view, cm_manager_standby(mgr)->der,
                                      cm_manager_standby(mgr)->der_len),
                   0);
  assert_int_equal(view.san.len, 2 + 2 + 14);
  assert_memory_equal(view.san.data + 4, "copied.example", 14);
  cm_manager_free(mgr);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts_add_up),
      cmocka_unit_test(test_new),
      cmocka_unit_test(test_ten_years),
      cmocka_unit_test(test_random_year),
      cmocka_unit_test(test_rotate),
      cmocka_unit_test(test_clock_jumps),
      cmocka_unit_test(test_rotate_after_jump),
      cmocka_unit_test(test_failure_changes_nothing),
      cmocka_unit_test(test_impossible_clock),
      cmocka_unit_test(test_arguments),
      cmocka_unit_test(test_config_is_copied),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
