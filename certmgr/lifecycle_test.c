/* SPDX-License-Identifier: Apache-2.0 */
/* One situation at a time; tests/sim/lifecycle_sim_test.c has the years. */
#include "certmgr/lifecycle.h"

#include "certmgr/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define BUILD INT64_C(1760000000)
#define START (BUILD + 30 * DAY)

/* A host without any weakness, unless told otherwise. */
typedef struct host {
  cm_lifecycle lc;
  cm_output out;
  int64_t wall, mono;
  int fail[CM_ACTION_COUNT]; /* The status for each action. */
  unsigned count[CM_ACTION_COUNT];
  uint8_t serial;
  int stuck; /* The serial does not change. */
  /* The key, and the hash, are the second one's. */
  int same_key;
  int same_hash;
  uint64_t held[64];
  size_t nheld;
  uint64_t last_id[CM_ACTION_COUNT];
  unsigned seen[CM_EVENT_LOST + 1];
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX];
  int image_len;
} host;

static host h;

static void take(cm_result *result) {
  cm_action action = h.out.action;
  cm_document doc;

  h.count[action]++;
  h.last_id[action] = h.out.id;
  result->action = action;
  result->status = h.fail[action];
  if (action == CM_ACTION_GENERATE) {
    h.serial = (uint8_t)(h.serial + !h.stuck);
    memset(result->serial, h.serial, sizeof(result->serial));
    memset(result->sha256, h.same_hash ? 2 : h.serial, sizeof(result->sha256));
    memset(result->key_id, h.same_key ? 2 : h.serial, sizeof(result->key_id));
  } else if (action == CM_ACTION_PERSIST && result->status == 0) {
    h.image_len = cm_lifecycle_encode(&h.lc, h.image, sizeof(h.image));
    assert_true(h.image_len > 0);
  } else if (action == CM_ACTION_PUBLISH) {
    cm_lifecycle_document(&h.lc, &doc);
    assert_int_equal(doc.seq, h.out.seq);
  }
}

/* Does all there is to do now. */
static cm_refused settle(cm_command command) {
  cm_input in = {.command = command};
  cm_refused refused = CM_COMMAND_ACCEPTED;

  for (int i = 0; i < 200; i++) {
    in.wall = h.wall;
    in.mono = h.mono;
    in.held = h.held;
    in.nheld = h.nheld;
    cm_lifecycle_step(&h.lc, &in, &h.out);
    assert_int_equal(cm_lifecycle_check(&h.lc), 0);
    for (size_t e = 0; e < h.out.nevents; e++) {
      h.seen[h.out.events[e].kind]++;
    }
    if (i == 0) {
      refused = h.out.refused;
    }
    memset(&in, 0, sizeof(in));
    if (h.out.action == CM_ACTION_NONE) {
      assert_true(h.out.wait > 0);
      return refused;
    }
    take(&in.result);
  }
  fail_msg("there is no end of it");
  return refused;
}

/* Lets |seconds| go by, with a step whenever one is due. */
static void pass(int64_t seconds) {
  int64_t end = h.wall + seconds;

  while (h.wall < end) {
    int64_t wait = h.out.wait < end - h.wall ? h.out.wait : end - h.wall;
    h.wall += wait;
    h.mono += wait;
    settle(CM_COMMAND_NONE);
  }
}

static void jump(int64_t seconds) {
  h.wall += seconds;
  settle(CM_COMMAND_NONE);
}

static void begin(const cm_profile *profile, int64_t wall) {
  memset(&h, 0, sizeof(h));
  h.wall = wall;
  h.mono = 4711;
  cm_lifecycle_init(&h.lc, profile, BUILD, 1);
  settle(CM_COMMAND_NONE);
}

static void begin_healthy(void) {
  begin(&cm_profile_hot_standby, START);
  pass(2 * HOUR);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
}

/* Another process takes up what is durable. */
static void restart(void) {
  assert_int_equal(cm_lifecycle_decode(&h.lc, h.image, (size_t)h.image_len), 0);
  cm_lifecycle_resume(&h.lc, &cm_profile_hot_standby, BUILD, 2);
  h.mono = 17;
}

static uint64_t active_id(void) {
  const cm_slot *slot = cm_lifecycle_active(&h.lc);
  return slot != NULL ? slot->id : 0;
}

static uint64_t standby_id(void) {
  const cm_slot *slot = cm_lifecycle_standby(&h.lc);
  return slot != NULL ? slot->id : 0;
}

static void assert_serving(uint64_t id) {
  const cm_slot *slot = cm_lifecycle_serving(&h.lc, h.wall);
  assert_non_null(slot);
  assert_int_equal(slot->id, id);
}

/* Every transition from nothing to READY, action by action. */
static void test_order(void **state) {
  static const cm_action actions[] = {
      CM_ACTION_GENERATE, CM_ACTION_PERSIST,  CM_ACTION_PUBLISH,
      CM_ACTION_ACTIVATE, CM_ACTION_GENERATE, CM_ACTION_PERSIST,
      CM_ACTION_PUBLISH,  CM_ACTION_PERSIST,  CM_ACTION_NONE};
  cm_input in = {.wall = START, .mono = 1};

  (void)state;
  memset(&h, 0, sizeof(h));
  cm_lifecycle_init(&h.lc, &cm_profile_hot_standby, BUILD, 1);
  for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
    cm_lifecycle_step(&h.lc, &in, &h.out);
    assert_int_equal(h.out.action, actions[i]);
    assert_int_equal(cm_lifecycle_check(&h.lc), 0);
    assert_true(i > 3 || cm_lifecycle_serving(&h.lc, START) == NULL);
    if (i == 1) {
      assert_int_equal(h.out.action, CM_ACTION_PERSIST);
      assert_int_equal(h.lc.slots[0].state, CM_CERT_GENERATED);
      /* Without its result nothing goes on; a wrong one is ignored. */
      in.result = (cm_result){.action = CM_ACTION_PUBLISH};
      cm_lifecycle_step(&h.lc, &in, &h.out);
      assert_int_equal(h.out.action, CM_ACTION_NONE);
      assert_int_equal(h.lc.slots[0].state, CM_CERT_GENERATED);
      h.out.action = CM_ACTION_PERSIST;
    }
    memset(&in.result, 0, sizeof(in.result));
    take(&in.result);
  }
  assert_int_equal(h.lc.state, CM_STATE_NO_STANDBY);
  assert_int_equal(h.lc.seq, 2);
}

static void test_dates(void **state) {
  const cm_slot *active, *standby;

  (void)state;
  begin_healthy();
  active = cm_lifecycle_active(&h.lc);
  standby = cm_lifecycle_standby(&h.lc);
  assert_true(active->not_before == START - 7 * DAY);
  assert_true(active->not_after == START + 7 * DAY - 1);
  assert_true(active->retire_at >= START + 6 * DAY + 900);
  assert_true(active->retire_at <= START + 6 * DAY + 1800);
  assert_true(active->guard_at == active->not_after - 23 * HOUR);
  assert_true(standby->active_at == active->retire_at);
  assert_true(standby->not_before == standby->active_at - 7 * DAY);
  assert_true(standby->not_before < START - 23 * HOUR);
}

static void test_planned_swap(void **state) {
  uint64_t first, second;
  int64_t due;

  (void)state;
  begin_healthy();
  first = active_id();
  second = standby_id();
  due = cm_lifecycle_active(&h.lc)->retire_at;
  h.held[0] = first;
  h.nheld = 1;
  pass(due - 1 - h.wall);
  assert_serving(first);
  pass(1);
  assert_serving(second);
  assert_int_equal(h.lc.state, CM_STATE_NO_STANDBY);
  pass(599);
  assert_int_equal(h.lc.state, CM_STATE_NO_STANDBY);
  pass(1);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
  /* A connection holds on to the first. */
  assert_int_equal(cm_lifecycle_find(&h.lc, first)->state, CM_CERT_RETIRED);
  h.nheld = 0;
  pass(HOUR);
  assert_null(cm_lifecycle_find(&h.lc, first));
  assert_int_equal(h.count[CM_ACTION_DESTROY], 1);
  assert_int_equal(h.last_id[CM_ACTION_DESTROY], first);
}

/* A timer that never came: the Initial asks, and is told to step. */
static void test_asleep(void **state) {
  uint64_t second;

  (void)state;
  begin_healthy();
  second = standby_id();
  h.wall += 6 * DAY + 12 * HOUR;
  assert_null(cm_lifecycle_serving(&h.lc, h.wall));
  settle(CM_COMMAND_NONE);
  assert_serving(second);
  /* It is the same on a clock that went on: the planned end stays. */
  assert_true(cm_lifecycle_active(&h.lc)->retire_at < h.wall + 6 * DAY);
  /* Asleep beyond both: new ones. */
  jump(30 * DAY);
  assert_true(active_id() > second);
  assert_serving(active_id());
}

static void test_rotate(void **state) {
  uint64_t second;

  (void)state;
  begin(&cm_profile_hot_standby, START);
  assert_int_equal(settle(CM_COMMAND_ROTATE), CM_COMMAND_NOT_READY);
  pass(600);
  second = standby_id();
  assert_int_equal(settle(CM_COMMAND_ROTATE), CM_COMMAND_ACCEPTED);
  assert_serving(second);
  assert_true(cm_lifecycle_active(&h.lc)->retire_at <= h.wall + 6 * DAY + 1800);
  /* Too soon again, unless it is meant. */
  assert_int_equal(settle(CM_COMMAND_ROTATE), CM_COMMAND_NOT_READY);
  second = standby_id();
  assert_int_equal(settle(CM_COMMAND_ROTATE_FORCED), CM_COMMAND_ACCEPTED);
  assert_serving(second);
  h.fail[CM_ACTION_GENERATE] = CM_ERR_RANDOM;
  assert_int_equal(settle(CM_COMMAND_ROTATE_FORCED), CM_COMMAND_ACCEPTED);
  assert_int_equal(settle(CM_COMMAND_ROTATE_FORCED), CM_COMMAND_NO_STANDBY);
  /* What is cold is not put into service. */
  begin(&cm_profile_long, START);
  pass(HOUR);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
  assert_int_equal(settle(CM_COMMAND_ROTATE), CM_COMMAND_COLD);
  /* Nothing is there at all. */
  begin(&cm_profile_long, 0);
  assert_int_equal(settle(CM_COMMAND_ROTATE), CM_COMMAND_NO_ACTIVE);
  assert_int_equal(settle(CM_COMMAND_REVOKE), CM_COMMAND_NO_ACTIVE);
  assert_int_equal(settle(CM_COMMAND_RESET), CM_COMMAND_NO_TIME);
}

static void test_revoke(void **state) {
  uint64_t first, second;
  cm_document doc;

  (void)state;
  begin_healthy();
  first = active_id();
  second = standby_id();
  h.held[0] = first;
  h.nheld = 1;
  assert_int_equal(settle(CM_COMMAND_REVOKE), CM_COMMAND_ACCEPTED);
  assert_serving(second);
  assert_int_equal(h.last_id[CM_ACTION_CLOSE], first);
  cm_lifecycle_document(&h.lc, &doc);
  assert_int_equal(doc.active->id, second);
  assert_true(doc.standby->id > second);
  assert_int_equal(doc.seq, h.lc.seq);
  assert_int_equal(h.lc.doc_active, second);
  /* Its key goes, whoever holds it. */
  assert_int_equal(h.last_id[CM_ACTION_DESTROY], first);
  assert_null(cm_lifecycle_find(&h.lc, first));
  /* With a disk that is full, it leaves service and documents as well, but
     stays until that is durable. */
  h.fail[CM_ACTION_PERSIST] = -1;
  first = active_id();
  pass(600);
  assert_int_equal(settle(CM_COMMAND_REVOKE), CM_COMMAND_ACCEPTED);
  pass(10);
  assert_true(h.lc.doc_active != first && h.lc.doc_standby != first);
  assert_int_equal(cm_lifecycle_find(&h.lc, first)->state, CM_CERT_REVOKED);
  restart();
  assert_int_equal(cm_lifecycle_active(&h.lc)->id, first);
}

/* A revoke with nothing to take over: nothing is served, and published. */
static void test_revoke_the_last(void **state) {
  (void)state;
  begin_healthy();
  h.fail[CM_ACTION_GENERATE] = CM_ERR_RANDOM;
  settle(CM_COMMAND_REVOKE);
  settle(CM_COMMAND_REVOKE);
  assert_null(cm_lifecycle_serving(&h.lc, h.wall));
  assert_int_equal(h.lc.state, CM_STATE_EXPIRED);
  assert_int_equal(h.lc.doc_active, 0);
  h.fail[CM_ACTION_GENERATE] = 0;
  pass(HOUR);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
}

static void test_reset(void **state) {
  uint64_t second;

  (void)state;
  begin_healthy();
  second = standby_id();
  assert_int_equal(settle(CM_COMMAND_RESET), CM_COMMAND_ACCEPTED);
  assert_int_equal(h.lc.epoch, 2);
  assert_true(active_id() > second && standby_id() > second);
  assert_serving(active_id());
  assert_int_equal(h.count[CM_ACTION_CLOSE], 2);
  assert_null(cm_lifecycle_find(&h.lc, second));
}

/* The standby cannot be put into service: the old one goes on. */
static void test_activation_fails(void **state) {
  uint64_t first, second;

  (void)state;
  begin_healthy();
  first = active_id();
  second = standby_id();
  h.fail[CM_ACTION_ACTIVATE] = CM_ERR_NOMEM;
  pass(6 * DAY);
  assert_serving(first);
  assert_int_equal(h.lc.state,
                   CM_STATE_GUARD == h.lc.state ? CM_STATE_GUARD : h.lc.state);
  assert_int_equal(standby_id(), second);
  /* It is its own fault: another one is made. */
  h.fail[CM_ACTION_ACTIVATE] = CM_ERR_SELF_CHECK;
  pass(2 * HOUR);
  assert_true(standby_id() > second);
  assert_serving(first);
  h.fail[CM_ACTION_ACTIVATE] = 0;
  pass(2 * HOUR);
  assert_true(active_id() > second);
}

/* No successor: it is served in its guard, and the state says so. */
static void test_guard_and_expiry(void **state) {
  uint64_t first;

  (void)state;
  begin(&cm_profile_hot_standby, START);
  h.fail[CM_ACTION_GENERATE] = CM_ERR_RANDOM;
  pass(600);
  settle(CM_COMMAND_ROTATE);
  first = active_id();
  assert_int_equal(standby_id(), 0);
  assert_int_equal(h.seen[CM_EVENT_WARNING], 0);
  pass(DAY);
  assert_int_equal(h.seen[CM_EVENT_WARNING], 1);
  assert_int_equal(h.seen[CM_EVENT_ERROR], 0);
  pass(2 * DAY);
  assert_int_equal(h.seen[CM_EVENT_WARNING], 1);
  assert_int_equal(h.seen[CM_EVENT_ERROR], 1);
  pass(cm_lifecycle_active(&h.lc)->guard_at - 1 - h.wall);
  assert_int_equal(h.lc.state, CM_STATE_NO_STANDBY);
  pass(1);
  assert_int_equal(h.lc.state, CM_STATE_GUARD);
  assert_serving(first);
  pass(cm_lifecycle_active(&h.lc)->not_after - 1 - h.wall);
  assert_serving(first);
  pass(1);
  assert_null(cm_lifecycle_serving(&h.lc, h.wall));
  assert_int_equal(h.lc.state, CM_STATE_EXPIRED);
  h.fail[CM_ACTION_GENERATE] = 0;
  pass(HOUR);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
}

static void test_store_fails(void **state) {
  uint64_t second;

  (void)state;
  /* Nothing is served that is not durable. */
  memset(&h, 0, sizeof(h));
  h.wall = START;
  h.fail[CM_ACTION_PERSIST] = -1;
  cm_lifecycle_init(&h.lc, &cm_profile_hot_standby, BUILD, 1);
  settle(CM_COMMAND_NONE);
  pass(DAY);
  assert_int_equal(h.lc.state, CM_STATE_BOOTSTRAP);
  assert_int_equal(h.count[CM_ACTION_PUBLISH] + h.count[CM_ACTION_ACTIVATE], 0);
  assert_int_equal(h.count[CM_ACTION_GENERATE], 1);
  /* About every ten minutes. */
  assert_in_range(h.count[CM_ACTION_PERSIST], 115, 200);
  h.fail[CM_ACTION_PERSIST] = 0;
  pass(HOUR);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
  /* A swap needs no disk. */
  second = standby_id();
  h.fail[CM_ACTION_PERSIST] = -1;
  pass(6 * DAY + HOUR);
  assert_serving(second);
  assert_int_equal(h.lc.state, CM_STATE_STORE_FAILED);
  /* And after a crash it is made again. */
  restart();
  settle(CM_COMMAND_NONE);
  assert_serving(second);
}

/* The generator is stuck: its second certificate is not taken. */
static void test_serial_reused(void **state) {
  (void)state;
  memset(&h, 0, sizeof(h));
  h.wall = START;
  h.serial = 1;
  h.stuck = 1;
  cm_lifecycle_init(&h.lc, &cm_profile_hot_standby, BUILD, 1);
  settle(CM_COMMAND_NONE);
  pass(HOUR);
  assert_true(active_id() != 0);
  assert_int_equal(standby_id(), 0);
  h.stuck = 0;
  pass(HOUR);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
}

static void test_no_time(void **state) {
  uint64_t first;

  (void)state;
  begin(&cm_profile_hot_standby, 0);
  assert_int_equal(h.lc.state, CM_STATE_WAITING_FOR_TIME);
  assert_int_equal(h.count[CM_ACTION_GENERATE], 0);
  assert_true(h.out.wait <= 60);
  jump(BUILD - 1);
  assert_int_equal(h.count[CM_ACTION_GENERATE], 0);
  jump(1);
  assert_serving(active_id());
  pass(2 * HOUR);
  first = active_id();
  /* The clock falls to 1970: what is there is served by the other clock, and
     in turn. */
  jump(-h.wall);
  assert_int_equal(h.lc.state, CM_STATE_WAITING_FOR_TIME);
  assert_serving(first);
  pass(6 * DAY);
  assert_true(active_id() > first);
  assert_serving(active_id());
  assert_int_equal(standby_id(), 0);
  /* Beyond what can be written. */
  jump(INT64_MAX / 2);
  assert_int_equal(h.lc.state, CM_STATE_WAITING_FOR_TIME);
  h.wall = INT64_MIN;
  settle(CM_COMMAND_NONE);
  assert_int_equal(h.lc.state, CM_STATE_WAITING_FOR_TIME);
  h.wall = BUILD + 6 * DAY + 2 * HOUR;
  settle(CM_COMMAND_NONE);
  pass(2 * HOUR);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
}

/* Steps of the clock and back, of every size: the same two are in use
   afterwards, and nothing has been destroyed. */
static void test_clock_comes_back(void **state) {
  static const int64_t steps[] = {
      1,        61,       HOUR,     DAY,       3 * DAY,       5 * DAY,
      6 * DAY,  7 * DAY,  8 * DAY,  10 * DAY,  12 * DAY,      13 * DAY,
      14 * DAY, 20 * DAY, 40 * DAY, 400 * DAY, 50 * 365 * DAY};

  (void)state;
  for (size_t i = 0; i < 2 * sizeof(steps) / sizeof(steps[0]); i++) {
    int64_t step = steps[i / 2] * (i % 2 == 0 ? 1 : -1);
    uint64_t first, second;

    begin_healthy();
    pass(9 * DAY); /* In the middle of the second. */
    first = active_id();
    second = standby_id();
    memset(h.count, 0, sizeof(h.count));
    jump(step);
    pass(HOUR / 2);
    assert_true(cm_lifecycle_serving(&h.lc, h.wall) != NULL);
    jump(-step);
    assert_serving(first);
    assert_int_equal(standby_id(), second);
    assert_int_equal(h.count[CM_ACTION_DESTROY], 0);
    pass(20 * DAY);
    assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
  }
}

static void test_suspect(void **state) {
  (void)state;
  begin_healthy();
  jump(-120);
  assert_int_equal(h.lc.state, CM_STATE_CLOCK_SUSPECT);
  pass(HOUR - 1);
  assert_int_equal(h.lc.state, CM_STATE_CLOCK_SUSPECT);
  pass(1);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
  /* A night's sleep is nothing to talk about. */
  jump(8 * HOUR);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
  /* Neither is a machine that was off; one whose clock has gone back is. */
  pass(2 * DAY);
  restart();
  h.wall += 3 * HOUR;
  settle(CM_COMMAND_NONE);
  pass(600);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
  restart();
  h.wall -= 3 * DAY;
  settle(CM_COMMAND_NONE);
  assert_int_equal(h.lc.state, CM_STATE_CLOCK_SUSPECT);
}

/* Numbers of documents grow across a crash, whatever became of them. */
static void test_sequence(void **state) {
  uint64_t seq;

  (void)state;
  begin_healthy();
  for (int i = 0; i < 10; i++) {
    seq = h.lc.seq;
    restart();
    settle(CM_COMMAND_NONE);
    assert_true(h.lc.seq > seq);
    pass(HOUR);
  }
  /* When what is reserved is used up, nothing more is published before the
     disk takes it. */
  h.fail[CM_ACTION_PERSIST] = -1;
  for (int i = 0; i < 100; i++) {
    h.lc.doc_known = 0;
    pass(1);
  }
  assert_int_equal(h.lc.seq, h.lc.seq_limit);
}

/* More rotations than there are slots, each with sessions that stay: the oldest
   record is given up, and nothing is held up. */
static void test_slots(void **state) {
  (void)state;
  begin(&cm_profile_hot_standby, START);
  for (int i = 0; i < 60; i++) {
    uint64_t standby;
    pass(600);
    standby = standby_id();
    h.held[h.nheld++] = active_id();
    assert_int_equal(settle(CM_COMMAND_ROTATE), CM_COMMAND_ACCEPTED);
    assert_serving(standby);
  }
  assert_int_equal(active_id(), 61);
  assert_null(cm_lifecycle_find(&h.lc, 40));
  assert_non_null(cm_lifecycle_find(&h.lc, 60));
}

/* A clock that jumps on and on, each time to where nothing is valid: what was
   made for a wrong time gives way to what is new, and what was there before
   the first jump is there after the last. */
static void test_slots_and_clock(void **state) {
  uint64_t first, second;

  (void)state;
  begin_healthy();
  first = active_id();
  second = standby_id();
  for (int i = 0; i < 20; i++) {
    jump(40 * DAY);
    assert_serving(active_id());
    assert_true(standby_id() > active_id());
  }
  assert_true(active_id() > CM_SLOTS);
  jump(-20 * 40 * DAY);
  assert_serving(first);
  assert_int_equal(standby_id(), second);
  pass(20 * DAY);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
}

/* Without a standby, and a clock that goes back: the next one is not planned
   for further off than a standby can be. */
static void test_back_without_standby(void **state) {
  (void)state;
  begin_healthy();
  h.fail[CM_ACTION_GENERATE] = CM_ERR_RANDOM;
  settle(CM_COMMAND_ROTATE);
  pass(HOUR);
  jump(-3 * DAY);
  h.fail[CM_ACTION_GENERATE] = 0;
  pass(HOUR);
  assert_true(standby_id() > 0);
  assert_true(cm_lifecycle_active(&h.lc)->retire_at <= h.wall + 7 * DAY);
  assert_true(cm_lifecycle_standby(&h.lc)->active_at ==
              cm_lifecycle_active(&h.lc)->retire_at);
  assert_true(cm_lifecycle_standby(&h.lc)->not_before < h.wall);
}

/* Whatever of it is used twice, another one is made. */
static void test_reuse(void **state) {
  (void)state;
  begin(&cm_profile_hot_standby, START);
  pass(600);
  h.same_key = 1;
  assert_int_equal(settle(CM_COMMAND_ROTATE), CM_COMMAND_ACCEPTED);
  assert_int_equal(standby_id(), 0);
  h.same_key = 0;
  h.same_hash = 1;
  pass(4);
  assert_int_equal(standby_id(), 0);
  h.same_hash = 0;
  pass(HOUR);
  assert_true(standby_id() > 0);
}

/* What is to be closed and destroyed fails, and is tried again. */
static void test_closing_fails(void **state) {
  uint64_t first;

  (void)state;
  begin_healthy();
  first = active_id();
  h.fail[CM_ACTION_CLOSE] = h.fail[CM_ACTION_DESTROY] = CM_ERR_NOMEM;
  assert_int_equal(settle(CM_COMMAND_REVOKE), CM_COMMAND_ACCEPTED);
  pass(HOUR);
  assert_int_equal(cm_lifecycle_find(&h.lc, first)->state, CM_CERT_REVOKED);
  assert_true(h.count[CM_ACTION_CLOSE] > 5);
  assert_int_equal(h.count[CM_ACTION_DESTROY], 0);
  h.fail[CM_ACTION_CLOSE] = 0;
  pass(HOUR);
  assert_int_equal(cm_lifecycle_find(&h.lc, first)->state, CM_CERT_REVOKED);
  assert_true(h.count[CM_ACTION_DESTROY] > 3);
  h.fail[CM_ACTION_DESTROY] = 0;
  pass(HOUR);
  assert_null(cm_lifecycle_find(&h.lc, first));
}

/* Full slots, and one that cannot be destroyed either. */
static void test_eviction_fails(void **state) {
  (void)state;
  begin(&cm_profile_hot_standby, START);
  h.fail[CM_ACTION_DESTROY] = CM_ERR_NOMEM;
  for (int i = 0; i < CM_SLOTS; i++) {
    pass(600);
    h.held[h.nheld++] = active_id();
    settle(CM_COMMAND_ROTATE);
  }
  assert_int_equal(standby_id(), 0);
  cm_lifecycle_quarantine(&h.lc, 1);
  h.fail[CM_ACTION_DESTROY] = 0;
  pass(600);
  assert_true(standby_id() > 0);
  assert_null(cm_lifecycle_find(&h.lc, 1));
}

/* All slots hold what was put aside, and the clock is trusted: the eldest goes,
   for what is to be served comes first. */
static void test_eviction_of_parked(void **state) {
  cm_slot *slots = h.lc.slots;

  (void)state;
  begin_healthy();
  for (int i = 1; i < CM_SLOTS; i++) {
    slots[i] = slots[0];
    slots[i].id = h.lc.next_id++;
    memset(slots[i].sha256, 100 + i, sizeof(slots[i].sha256));
    memset(slots[i].serial, 100 + i, sizeof(slots[i].serial));
    memset(slots[i].key_id, 100 + i, sizeof(slots[i].key_id));
    slots[i].state = CM_CERT_RETIRED;
    slots[i].parked = 1;
    slots[i].keep = DAY;
  }
  pass(60);
  assert_true(standby_id() > 0);
  assert_null(cm_lifecycle_find(&h.lc, 3));
  assert_non_null(cm_lifecycle_find(&h.lc, 4));
}

/* Twice, with nothing to publish in between: each epoch is told. */
static void test_reset_twice(void **state) {
  uint64_t seq;

  (void)state;
  begin_healthy();
  h.fail[CM_ACTION_GENERATE] = CM_ERR_RANDOM;
  cm_lifecycle_quarantine(&h.lc, standby_id());
  assert_int_equal(settle(CM_COMMAND_RESET), CM_COMMAND_ACCEPTED);
  seq = h.lc.seq;
  assert_int_equal(settle(CM_COMMAND_RESET), CM_COMMAND_ACCEPTED);
  assert_int_equal(h.lc.epoch, 3);
  assert_true(h.lc.seq > seq);
}

/* No such command. */
static void test_no_command(void **state) {
  const uint64_t before = h.lc.version;

  (void)state;
  begin_healthy();
  settle((cm_command)99);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
  assert_true(h.lc.version != before);
}

/* The standby's hash cannot be published. */
static void test_rotate_unpublished(void **state) {
  (void)state;
  begin(&cm_profile_hot_standby, START);
  pass(600);
  h.fail[CM_ACTION_PUBLISH] = CM_ERR_STORE;
  assert_int_equal(settle(CM_COMMAND_ROTATE), CM_COMMAND_ACCEPTED);
  assert_int_equal(settle(CM_COMMAND_ROTATE_FORCED), CM_COMMAND_NO_STANDBY);
}

/* Asked for another time than that of the last step. */
static void test_serving_later(void **state) {
  (void)state;
  begin_healthy();
  assert_serving(active_id());
  assert_null(cm_lifecycle_serving(&h.lc, h.wall + 30 * DAY));
  assert_null(cm_lifecycle_serving(&h.lc, h.wall + 6 * DAY + 2 * HOUR));
  assert_non_null(cm_lifecycle_serving(&h.lc, h.wall + 6 * DAY - 2 * HOUR));
}

/* Near 1970 there is less to backdate. */
static void test_1970(void **state) {
  (void)state;
  memset(&h, 0, sizeof(h));
  h.wall = 1000;
  cm_lifecycle_init(&h.lc, &cm_profile_hot_standby, 0, 0);
  settle(CM_COMMAND_NONE);
  assert_true(cm_lifecycle_active(&h.lc)->not_before == 0);
  assert_serving(active_id());
  pass(30 * DAY);
  assert_int_equal(h.lc.state, CM_STATE_HEALTHY);
}

static void test_quarantine(void **state) {
  uint64_t first, second;

  (void)state;
  begin_healthy();
  first = active_id();
  second = standby_id();
  cm_lifecycle_quarantine(&h.lc, 0);
  cm_lifecycle_quarantine(&h.lc, 4711);
  assert_serving(first);
  cm_lifecycle_quarantine(&h.lc, first);
  settle(CM_COMMAND_NONE);
  assert_serving(second);
  assert_true(standby_id() > second);
  /* Not what is on its way out already. */
  h.fail[CM_ACTION_CLOSE] = CM_ERR_NOMEM;
  settle(CM_COMMAND_REVOKE);
  cm_lifecycle_quarantine(&h.lc, second);
  assert_int_equal(cm_lifecycle_find(&h.lc, second)->state, CM_CERT_REVOKED);
  h.fail[CM_ACTION_CLOSE] = 0;
  h.fail[CM_ACTION_PERSIST] = CM_ERR_STORE;
  pass(30);
  settle(CM_COMMAND_NONE);
  h.lc.slots[0].state = CM_CERT_DESTROYED;
  cm_lifecycle_quarantine(&h.lc, h.lc.slots[0].id);
  assert_int_equal(h.lc.slots[0].state, CM_CERT_DESTROYED);
}

static void test_encode(void **state) {
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX], again[CM_LIFECYCLE_ENCODED_MAX];
  static cm_lifecycle lc;
  int len;

  (void)state;
  begin_healthy();
  len = cm_lifecycle_encode(&h.lc, image, sizeof(image));
  assert_true(len > 0);
  for (int i = 0; i < len; i++) {
    assert_int_equal(cm_lifecycle_encode(&h.lc, again, (size_t)i),
                     CM_ERR_NOBUF);
    assert_int_equal(cm_lifecycle_decode(&lc, image, (size_t)i),
                     CM_ERR_INVALID);
  }
  assert_int_equal(cm_lifecycle_decode(&lc, image, (size_t)len), 0);
  assert_int_equal(lc.slots[0].id, h.lc.slots[0].id);
  assert_true(lc.slots[1].retire_at == h.lc.slots[1].retire_at);
  assert_true(lc.seq > h.lc.seq);
  /* Epoch, next id and number of a document come after the format and the
     profile: those without a successor are damage. */
  for (size_t off = 72; off <= 88; off += 8) {
    memcpy(again, image, (size_t)len);
    memset(again + off, 0xff, 8);
    assert_int_equal(cm_lifecycle_decode(&lc, again, (size_t)len),
                     CM_ERR_INVALID);
  }
  memcpy(again, image, (size_t)len);
  memset(again + 80, 0, 8);
  assert_int_equal(cm_lifecycle_decode(&lc, again, (size_t)len),
                   CM_ERR_INVALID);
  image[len] = 0;
  assert_int_equal(cm_lifecycle_decode(&lc, image, (size_t)len + 1),
                   CM_ERR_INVALID);
  /* Whatever the octets, what is accepted holds together. */
  for (int bit = 0; bit < 8 * len; bit++) {
    memcpy(again, image, (size_t)len);
    again[bit / 8] ^= (uint8_t)(1 << bit % 8);
    if (cm_lifecycle_decode(&lc, again, (size_t)len) == 0) {
      cm_input in = {.wall = START, .mono = 1};
      cm_lifecycle_resume(&lc, &cm_profile_hot_standby, BUILD, 1);
      cm_lifecycle_step(&lc, &in, &h.out);
      assert_int_equal(cm_lifecycle_check(&lc), 0);
    }
  }
  /* As many as there can be fit. */
  for (size_t i = 0; i < CM_SLOTS; i++) {
    h.lc.slots[i].state = CM_CERT_RETIRED;
  }
  assert_true(cm_lifecycle_encode(&h.lc, image, sizeof(image)) > 0);
}

/* The checks themselves: each invariant, broken by hand. */
static void test_invariants(void **state) {
  cm_lifecycle good;
  cm_slot *active, *standby;

  (void)state;
  begin_healthy();
  good = h.lc;
  active = &h.lc.slots[0];
  standby = &h.lc.slots[1];
  assert_int_equal(active->state, CM_CERT_ACTIVE);
  active->durable = 0;
  assert_int_equal(cm_lifecycle_check(&h.lc), 1);
  h.lc = good;
  active->published = 0;
  assert_int_equal(cm_lifecycle_check(&h.lc), 1);
  h.lc = good;
  standby->state = CM_CERT_ACTIVE;
  assert_int_equal(cm_lifecycle_check(&h.lc), 2);
  h.lc = good;
  active->state = CM_CERT_PUBLISHED;
  assert_int_equal(cm_lifecycle_check(&h.lc), 2);
  h.lc = good;
  active->state = CM_CERT_RETIRED;
  assert_int_equal(cm_lifecycle_check(&h.lc), 2);
  h.lc = good;
  h.lc.state = CM_STATE_EXPIRED;
  assert_int_equal(cm_lifecycle_check(&h.lc), 2);
  h.lc = good;
  active->not_after = h.lc.now;
  assert_int_equal(cm_lifecycle_check(&h.lc), 3);
  h.lc = good;
  memcpy(active->serial, standby->serial, sizeof(active->serial));
  assert_int_equal(cm_lifecycle_check(&h.lc), 4);
  h.lc = good;
  memcpy(active->key_id, standby->key_id, sizeof(active->key_id));
  assert_int_equal(cm_lifecycle_check(&h.lc), 4);
  h.lc = good;
  memcpy(active->sha256, standby->sha256, sizeof(active->sha256));
  assert_int_equal(cm_lifecycle_check(&h.lc), 4);
  h.lc = good;
  active->id = standby->id;
  assert_int_equal(cm_lifecycle_check(&h.lc), 4);
  h.lc = good;
  h.lc.state = (cm_manager_state)99;
  assert_int_equal(cm_lifecycle_check(&h.lc), 0);
  h.lc = good;
  active->id = h.lc.next_id;
  assert_int_equal(cm_lifecycle_check(&h.lc), 4);
  h.lc = good;
  h.lc.seq = h.lc.seq_limit + 1;
  assert_int_equal(cm_lifecycle_check(&h.lc), 5);
  h.lc = good;
  active->not_after++;
  assert_int_equal(cm_lifecycle_check(&h.lc), 6);
  h.lc = good;
  h.lc.profile.guard++;
  assert_int_equal(cm_lifecycle_check(&h.lc), 6);
  h.lc = good;
  /* In its guard, and nobody has said so. */
  active->guard_at = h.lc.now;
  assert_null(cm_lifecycle_serving(&h.lc, h.lc.now));
}

static void test_names(void **state) {
  (void)state;
  for (int i = 0; i < CM_CERT_STATE_COUNT; i++) {
    assert_string_not_equal(cm_cert_state_name((cm_cert_state)i), "?");
  }
  for (int i = 0; i < CM_MANAGER_STATE_COUNT; i++) {
    const char *name = cm_manager_state_name((cm_manager_state)i);

    assert_string_not_equal(name, "?");
    assert_string_not_equal(cm_manager_state_words(name), "");
  }
  assert_string_equal(cm_manager_state_words("MERRY"), "");
  for (int i = 0; i < CM_ACTION_COUNT; i++) {
    assert_string_not_equal(cm_action_name((cm_action)i), "?");
  }
  for (int i = 0; i <= CM_COMMAND_NO_TIME; i++) {
    assert_string_not_equal(cm_refused_text((cm_refused)i), "?");
  }
  for (int i = 0; i <= CM_EVENT_LOST; i++) {
    assert_string_not_equal(cm_event_name((cm_event_kind)i), "?");
  }
  assert_string_equal(cm_cert_state_name(CM_CERT_STATE_COUNT), "?");
  assert_string_equal(cm_manager_state_name(CM_MANAGER_STATE_COUNT), "?");
  assert_string_equal(cm_action_name(CM_ACTION_COUNT), "?");
  assert_string_equal(cm_refused_text((cm_refused)99), "?");
  assert_string_equal(cm_event_name((cm_event_kind)99), "?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_dates),
      cmocka_unit_test(test_planned_swap),
      cmocka_unit_test(test_asleep),
      cmocka_unit_test(test_rotate),
      cmocka_unit_test(test_revoke),
      cmocka_unit_test(test_revoke_the_last),
      cmocka_unit_test(test_reset),
      cmocka_unit_test(test_activation_fails),
      cmocka_unit_test(test_guard_and_expiry),
      cmocka_unit_test(test_store_fails),
      cmocka_unit_test(test_serial_reused),
      cmocka_unit_test(test_no_time),
      cmocka_unit_test(test_clock_comes_back),
      cmocka_unit_test(test_suspect),
      cmocka_unit_test(test_sequence),
      cmocka_unit_test(test_slots),
      cmocka_unit_test(test_slots_and_clock),
      cmocka_unit_test(test_back_without_standby),
      cmocka_unit_test(test_reuse),
      cmocka_unit_test(test_closing_fails),
      cmocka_unit_test(test_eviction_fails),
      cmocka_unit_test(test_eviction_of_parked),
      cmocka_unit_test(test_reset_twice),
      cmocka_unit_test(test_no_command),
      cmocka_unit_test(test_rotate_unpublished),
      cmocka_unit_test(test_serving_later),
      cmocka_unit_test(test_1970),
      cmocka_unit_test(test_quarantine),
      cmocka_unit_test(test_encode),
      cmocka_unit_test(test_invariants),
      cmocka_unit_test(test_names),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
