/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes back when the clock does, and in which order.  The situations are
 * made by hand where it would take a chain of accidents to come by them; those
 * are in tests/sim.
 */
#include "certmgr/lifecycle.h"

#include "certmgr/error.h"
#include "certmgr/lifecycle_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define YEAR (365 * DAY)
#define BUILD INT64_C(1760000000)
#define START (BUILD + 30 * DAY)

static cm_lifecycle lc;
static cm_output out;
static int64_t wall, mono;
static int fail_action[CM_ACTION_COUNT]; /* The status for each action. */
static uint8_t last_serial;
static uint64_t a, b; /* The active one and the standby to begin with. */

static void name(cm_result *result) {
  last_serial++;
  memset(result->serial, last_serial, sizeof(result->serial));
  memset(result->sha256, last_serial, sizeof(result->sha256));
  memset(result->key_id, last_serial, sizeof(result->key_id));
}

static void step(const cm_result *result, cm_command command) {
  cm_input in = {.wall = wall, .mono = mono, .command = command};

  if (result != NULL) {
    in.result = *result;
  }
  cm_lifecycle_step(&lc, &in, &out);
  assert_int_equal(cm_lifecycle_check(&lc), 0);
}

/* Does all there is to do now. */
static void settle(cm_command command) {
  cm_result result;

  step(NULL, command);
  for (int i = 0; out.action != CM_ACTION_NONE; i++) {
    assert_true(i < 100);
    memset(&result, 0, sizeof(result));
    result.action = out.action;
    result.status = fail_action[out.action];
    if (out.action == CM_ACTION_GENERATE) {
      name(&result);
    }
    step(&result, CM_COMMAND_NONE);
  }
}

static void jump(int64_t seconds) {
  wall += seconds;
  settle(CM_COMMAND_NONE);
}

static void pass(int64_t seconds) {
  for (; seconds > 0; seconds -= 60) {
    wall += 60;
    mono += 60;
    settle(CM_COMMAND_NONE);
  }
}

static uint64_t active_id(void) {
  const cm_slot *slot = cm_lifecycle_active(&lc);
  return slot != NULL ? slot->id : 0;
}

static uint64_t standby_id(void) {
  const cm_slot *slot = cm_lifecycle_standby(&lc);
  return slot != NULL ? slot->id : 0;
}

static cm_slot *slot_of(uint64_t id) {
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (lc.slots[i].id == id) {
      return &lc.slots[i];
    }
  }
  fail();
  return NULL;
}

static void remove_slot(uint64_t id) {
  memset(slot_of(id), 0, sizeof(cm_slot));
}

/* One that was put aside, with the times of |like|. */
static cm_slot *add_parked(const cm_slot *like) {
  cm_slot *slot = slot_of(0);
  cm_result result;

  name(&result);
  *slot = *like;
  slot->id = lc.next_id++;
  slot->state = CM_CERT_RETIRED;
  slot->parked = slot->durable = slot->published = 1;
  slot->outlived = slot->doubtful = 0;
  slot->keep = 14 * DAY;
  memcpy(slot->sha256, result.sha256, sizeof(slot->sha256));
  memcpy(slot->serial, result.serial, sizeof(slot->serial));
  memcpy(slot->key_id, result.key_id, sizeof(slot->key_id));
  return slot;
}

static void begin(void) {
  memset(fail_action, 0, sizeof(fail_action));
  wall = START;
  mono = 4711;
  cm_lifecycle_init(&lc, &cm_profile_hot_standby, BUILD, 1);
  settle(CM_COMMAND_NONE);
}

static void begin_healthy(void) {
  begin();
  pass(2 * HOUR);
  assert_int_equal(lc.state, CM_STATE_HEALTHY);
  a = active_id();
  b = standby_id();
}

/* Both are put aside, and no other can be made. */
static void begin_parked(void) {
  begin_healthy();
  fail_action[CM_ACTION_GENERATE] = CM_ERR_RANDOM;
  jump(10 * YEAR);
  assert_int_equal(lc.state, CM_STATE_EXPIRED);
  assert_true(slot_of(a)->parked && slot_of(b)->parked);
}

/* Nobody's turn, and nothing can be made: better one whose time is over than
   one whose time has not come. */
static void test_last_resort(void **state) {
  (void)state;
  begin_parked();
  slot_of(a)->retire_at = START + HOUR;
  jump(-10 * YEAR);
  assert_int_equal(active_id(), a);

  /* Not in the last minute. */
  begin_parked();
  slot_of(a)->retire_at = START + HOUR;
  slot_of(a)->not_after = START + 2 * HOUR + 60;
  jump(-10 * YEAR);
  assert_int_equal(active_id(), b);

  /* Not one that is not valid; and it is kept while it cannot be served. */
  begin_parked();
  slot_of(a)->not_after = START + HOUR;
  slot_of(b)->retire_at = START + HOUR;
  fail_action[CM_ACTION_ACTIVATE] = CM_ERR_NOMEM;
  jump(-10 * YEAR);
  assert_int_equal(active_id(), 0);
  assert_int_equal(standby_id(), b);
  pass(HOUR);
  assert_int_equal(standby_id(), b);
  fail_action[CM_ACTION_ACTIVATE] = 0;
  pass(HOUR);
  assert_int_equal(active_id(), b);
}

/* Nobody's turn has come. */
static void test_before_all(void **state) {
  (void)state;
  /* The last that was in service, */
  begin_parked();
  jump(-10 * YEAR - 14 * HOUR);
  assert_int_equal(active_id(), a);
  /* unless it was made in doubt: then the next whose turn will come; */
  begin_parked();
  slot_of(a)->doubtful = 1;
  jump(-10 * YEAR - 14 * HOUR);
  assert_int_equal(active_id(), b);
  begin_parked();
  slot_of(a)->doubtful = slot_of(b)->doubtful = 1;
  slot_of(b)->active_at = slot_of(a)->active_at - 1;
  jump(-10 * YEAR - 14 * HOUR);
  assert_int_equal(active_id(), b);
  /* and what was never published is the last. */
  begin_parked();
  slot_of(a)->published = 0;
  jump(-10 * YEAR - 14 * HOUR);
  assert_int_equal(active_id(), b);
}

/* Two whose turn it is. */
static void test_two_at_a_time(void **state) {
  uint64_t c;

  (void)state;
  begin_parked();
  c = add_parked(slot_of(a))->id;
  slot_of(c)->turn = slot_of(a)->turn + 1;
  jump(-10 * YEAR);
  assert_int_equal(active_id(), c);

  /* The younger of those that never were. */
  begin_parked();
  c = add_parked(slot_of(a))->id;
  slot_of(a)->turn = slot_of(c)->turn = 0;
  slot_of(c)->active_at++;
  jump(-10 * YEAR);
  assert_int_equal(active_id(), c);

  /* Life has gone on without one of them. */
  begin_parked();
  c = add_parked(slot_of(a))->id;
  slot_of(c)->turn = slot_of(a)->turn + 1;
  slot_of(c)->outlived = 1;
  jump(-10 * YEAR);
  assert_int_equal(active_id(), a);
}

/* It was put aside before anybody could know it. */
static void test_unpublished(void **state) {
  uint64_t first, second;

  (void)state;
  begin();
  pass(2 * HOUR);
  fail_action[CM_ACTION_PUBLISH] = CM_ERR_STORE;
  jump(10 * YEAR);
  first = standby_id();
  assert_int_equal(slot_of(first)->state, CM_CERT_PERSISTED);
  jump(YEAR);
  assert_true(slot_of(first)->parked);
  assert_true(standby_id() > first);
  /* When the clock comes back, so does it, to be published. */
  jump(-YEAR);
  assert_int_equal(standby_id(), first);
  assert_int_equal(slot_of(first)->state, CM_CERT_PERSISTED);
  fail_action[CM_ACTION_PUBLISH] = 0;
  pass(HOUR);
  assert_int_equal(active_id(), first);

  /* Of two that nobody knows, the one that is there goes on. */
  begin();
  fail_action[CM_ACTION_PUBLISH] = CM_ERR_STORE;
  jump(10 * YEAR);
  first = standby_id();
  second = add_parked(slot_of(first))->id;
  slot_of(second)->published = 0;
  slot_of(second)->turn = 9;
  settle(CM_COMMAND_NONE);
  assert_int_equal(standby_id(), first);
  assert_true(slot_of(second)->parked);
}

/* A clock that went back has made one that nobody knows, and that would do when
   the clock comes back: the one that is known does. */
static void test_known_first(void **state) {
  uint64_t c;

  (void)state;
  begin_healthy();
  fail_action[CM_ACTION_PUBLISH] = CM_ERR_STORE;
  jump(-10 * DAY);
  c = standby_id();
  assert_true(c > b);
  slot_of(c)->retire_at = slot_of(c)->not_after = wall + 14 * DAY - 1;
  slot_of(c)->not_before = wall;
  jump(10 * DAY);
  assert_int_equal(active_id(), a);
  assert_int_equal(slot_of(c)->parked, 1);
}

/* Not durable, and then the clock goes on. */
static void test_not_durable(void **state) {
  uint64_t c;

  (void)state;
  begin_healthy();
  remove_slot(b);
  fail_action[CM_ACTION_PERSIST] = CM_ERR_STORE;
  pass(60);
  c = standby_id();
  assert_int_equal(slot_of(c)->state, CM_CERT_GENERATED);
  jump(10 * YEAR);
  assert_int_equal(slot_of(c)->state, CM_CERT_QUARANTINED);
  /* What was made next is not waited for when the clock comes back. */
  assert_int_equal(active_id(), 0);
  jump(-10 * YEAR);
  assert_int_equal(active_id(), a);
}

/* The active one was made by a clock that was wrong, and its standby is the one
   that was there before. */
static void test_standby_is_better(void **state) {
  uint64_t c;

  (void)state;
  begin_healthy();
  jump(120);
  slot_of(a)->doubtful = 1;
  slot_of(b)->active_at = wall - DAY;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), b);
  assert_int_equal(slot_of(a)->parked, 1);

  /* There is another one, but it is the better one. */
  begin_healthy();
  jump(120);
  slot_of(a)->doubtful = 1;
  c = add_parked(slot_of(a))->id;
  slot_of(c)->turn = 0;
  slot_of(b)->active_at = wall - DAY;
  slot_of(c)->active_at = wall - 2 * DAY;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), b);

  /* The other one is. */
  begin_healthy();
  jump(120);
  slot_of(a)->doubtful = 1;
  c = add_parked(slot_of(a))->id;
  slot_of(c)->turn = 7;
  slot_of(b)->active_at = wall - DAY;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), c);
  assert_int_equal(slot_of(b)->parked, 1);

  /* It was made by a wrong clock too. */
  begin_healthy();
  jump(120);
  slot_of(a)->doubtful = slot_of(b)->doubtful = 1;
  slot_of(b)->active_at = wall - DAY;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), a);

  /* Without a standby. */
  begin_healthy();
  jump(120);
  slot_of(a)->doubtful = 1;
  c = add_parked(slot_of(a))->id;
  slot_of(c)->turn = 7;
  remove_slot(b);
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), c);
}

/* An active one before its time, and what life has gone on without. */
static void test_early(void **state) {
  uint64_t c;

  (void)state;
  begin_healthy();
  c = add_parked(slot_of(a))->id;
  slot_of(a)->active_at = wall + DAY;
  slot_of(c)->outlived = 1;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), a);
  slot_of(c)->outlived = 0;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), c);

  /* What was made in doubt as well goes before that. */
  begin_healthy();
  jump(120);
  c = add_parked(slot_of(a))->id;
  slot_of(a)->active_at = wall + DAY;
  slot_of(a)->doubtful = slot_of(c)->outlived = 1;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), c);
}

/* Life has gone on without it, and it came back for a moment. */
static void test_outlived(void **state) {
  uint64_t c;

  (void)state;
  begin_healthy();
  jump(120);
  slot_of(a)->outlived = 1;
  c = add_parked(slot_of(a))->id;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), c);
  /* When the clock is trusted, what is in service is right. */
  slot_of(c)->outlived = 1;
  slot_of(a)->state = CM_CERT_DESTROYED;
  pass(2 * HOUR);
  assert_int_equal(slot_of(c)->outlived, 0);
}

/* Two that would follow it. */
static void test_two_standbys(void **state) {
  uint64_t c;

  (void)state;
  begin_healthy();
  slot_of(b)->state = CM_CERT_RETIRED;
  slot_of(b)->parked = 1;
  c = add_parked(slot_of(b))->id;
  slot_of(c)->outlived = 1;
  settle(CM_COMMAND_NONE);
  assert_int_equal(standby_id(), b);
}

/* The clock has come back, and its time is over. */
static void test_over(void **state) {
  uint64_t c;

  (void)state;
  begin_healthy();
  jump(120);
  slot_of(a)->retire_at = wall;
  slot_of(b)->doubtful = 1;
  slot_of(b)->state = CM_CERT_PERSISTED;
  c = add_parked(slot_of(a))->id;
  slot_of(c)->retire_at = wall + DAY;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), c);

  /* As long as there is a standby of its own, that is its successor. */
  begin_healthy();
  jump(120);
  slot_of(a)->retire_at = slot_of(b)->active_at = wall;
  c = add_parked(slot_of(a))->id;
  slot_of(c)->retire_at = wall + DAY;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), b);

  begin_healthy();
  jump(120);
  slot_of(a)->retire_at = wall;
  remove_slot(b);
  c = add_parked(slot_of(a))->id;
  slot_of(c)->retire_at = wall + DAY;
  settle(CM_COMMAND_NONE);
  assert_int_equal(active_id(), c);
}

/* The clock went back a little, and what had just come into service became the
   standby: it does not wait for being READY again. */
static void test_back_and_forth(void **state) {
  (void)state;
  begin_healthy();
  jump(6 * DAY);
  assert_int_equal(active_id(), b);
  jump(-DAY);
  assert_int_equal(active_id(), a);
  assert_int_equal(standby_id(), b);
  jump(DAY);
  assert_int_equal(active_id(), b);
}

/* It has had its time before it was active, and is not taken back. */
static void test_standby_is_over(void **state) {
  (void)state;
  begin_healthy();
  slot_of(b)->retire_at = wall;
  settle(CM_COMMAND_NONE);
  assert_int_equal(slot_of(b)->parked, 1);
  assert_true(standby_id() > b);
}

/* A standby that is in no document is not READY. */
static void test_not_in_document(void **state) {
  (void)state;
  begin_healthy();
  slot_of(b)->state = CM_CERT_PUBLISHED;
  lc.doc_standby = 0;
  fail_action[CM_ACTION_PUBLISH] = CM_ERR_STORE;
  pass(HOUR);
  assert_int_equal(slot_of(b)->state, CM_CERT_PUBLISHED);
  fail_action[CM_ACTION_PUBLISH] = 0;
  pass(HOUR);
  assert_int_equal(slot_of(b)->state, CM_CERT_READY);
}

/* The standby comes back while another one is being made. */
static void test_back_while_making(void **state) {
  cm_result result = {.action = CM_ACTION_GENERATE};

  (void)state;
  begin_healthy();
  slot_of(b)->state = CM_CERT_RETIRED;
  slot_of(b)->parked = 1;
  slot_of(a)->retire_at += DAY;
  step(NULL, CM_COMMAND_NONE);
  assert_int_equal(out.action, CM_ACTION_GENERATE);
  slot_of(a)->retire_at -= DAY;
  step(NULL, CM_COMMAND_NONE);
  assert_int_equal(standby_id(), b);
  name(&result);
  step(&result, CM_COMMAND_NONE);
  assert_int_equal(standby_id(), b);
  assert_int_equal(lc.retry[CM_ACTION_GENERATE].failures, 1);
}

/* The active one is to be there for longer than a standby can be. */
static void test_too_long(void **state) {
  (void)state;
  begin_healthy();
  remove_slot(b);
  slot_of(a)->retire_at = wall + 9 * DAY;
  settle(CM_COMMAND_NONE);
  assert_true(slot_of(a)->retire_at < wall + 7 * DAY);
  assert_true(slot_of(standby_id())->active_at == slot_of(a)->retire_at);
}

/* More has happened than can be told. */
static void test_events(void **state) {
  cm_step s = {&lc, NULL, &out};

  (void)state;
  memset(&out, 0, sizeof(out));
  for (int i = 0; i <= CM_EVENTS_MAX; i++) {
    cm_emit(&s, CM_EVENT_CLOCK, 0, 0, 0, i);
  }
  assert_int_equal(out.nevents, CM_EVENTS_MAX);
  assert_int_equal(out.events[CM_EVENTS_MAX - 2].kind, CM_EVENT_CLOCK);
  assert_int_equal(out.events[CM_EVENTS_MAX - 1].kind, CM_EVENT_LOST);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_last_resort),
      cmocka_unit_test(test_before_all),
      cmocka_unit_test(test_two_at_a_time),
      cmocka_unit_test(test_unpublished),
      cmocka_unit_test(test_known_first),
      cmocka_unit_test(test_not_durable),
      cmocka_unit_test(test_standby_is_better),
      cmocka_unit_test(test_early),
      cmocka_unit_test(test_outlived),
      cmocka_unit_test(test_two_standbys),
      cmocka_unit_test(test_over),
      cmocka_unit_test(test_back_and_forth),
      cmocka_unit_test(test_standby_is_over),
      cmocka_unit_test(test_not_in_document),
      cmocka_unit_test(test_back_while_making),
      cmocka_unit_test(test_too_long),
      cmocka_unit_test(test_events),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
