/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/store.h"

#include "tests/sim/memory_store.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A store in memory whose saves wait until they are let go. */
typedef struct slow_store {
  memory_store memory;
  const cm_store_ops *ops;
  cm_store_ops slow;
  int gate[2];
  int closed;
} slow_store;

static slow_store disk;

static int slow_save(cm_store *store, const uint8_t *body, size_t len) {
  char c;

  if (read(disk.gate[0], &c, 1) != 1) {
    return CM_ERR_STORE;
  }
  return disk.ops->save(store, body, len);
}

static void slow_close(cm_store *store) {
  (void)store;
  disk.closed = 1;
}

static cm_store *open_slow(void) {
  cm_store *store;

  memset(&disk, 0, sizeof(disk));
  memory_store_init(&disk.memory);
  disk.ops = disk.memory.base.ops;
  disk.slow = *disk.ops;
  disk.slow.save = slow_save;
  disk.slow.close = slow_close;
  disk.memory.base.ops = &disk.slow;
  assert_int_equal(pipe(disk.gate), 0);
  assert_int_equal(cm_store_open_thread_posix(&store, &disk.memory.base), 0);
  return store;
}

static void let_go(void) { assert_int_equal(write(disk.gate[1], "x", 1), 1); }

static void close_slow(cm_store *store) {
  cm_store_close(store);
  assert_int_equal(disk.closed, 1);
  close(disk.gate[0]);
  close(disk.gate[1]);
}

/* Waits for the descriptor, as a host does. */
static int finish(cm_store *store) {
  struct pollfd fd = {cm_store_thread_fd(store), POLLIN, 0};
  int result = 1;

  assert_int_equal(poll(&fd, 1, 10000), 1);
  assert_int_equal(cm_store_poll(store, &result), 1);
  assert_int_equal(poll(&fd, 1, 0), 0);
  return result;
}

static void check_loaded(cm_store *store, const char *text) {
  uint8_t body[64];
  size_t len;

  assert_int_equal(cm_store_load(store, body, sizeof(body), &len), 0);
  assert_int_equal(len, strlen(text));
  assert_memory_equal(body, text, len);
}

static void test_begin_does_not_wait(void **state) {
  cm_store *store = open_slow();
  uint8_t body[] = "one";
  int result;

  (void)state;
  assert_int_equal(cm_store_begin(store, body, 3), CM_STORE_PENDING);
  /* It has a copy. */
  memset(body, 0, sizeof(body));
  assert_int_equal(cm_store_poll(store, &result), 0);
  assert_int_equal(disk.memory.saves, 0);
  let_go();
  assert_int_equal(finish(store), 0);
  assert_int_equal(cm_store_poll(store, &result), 0);
  check_loaded(store, "one");
  close_slow(store);
}

static void test_many_in_a_row(void **state) {
  cm_store *store = open_slow();
  char text[8];

  (void)state;
  for (int i = 0; i < 500; i++) {
    text[0] = (char)('a' + i % 26);
    text[1] = '\0';
    assert_int_equal(cm_store_begin(store, (uint8_t *)text, 1),
                     CM_STORE_PENDING);
    let_go();
    assert_int_equal(finish(store), 0);
    check_loaded(store, text);
  }
  assert_int_equal(disk.memory.saves, 500);
  close_slow(store);
}

static void test_failure_is_told(void **state) {
  cm_store *store = open_slow();

  (void)state;
  disk.memory.error = CM_ERR_STORE;
  assert_int_equal(cm_store_begin(store, (const uint8_t *)"one", 3),
                   CM_STORE_PENDING);
  let_go();
  assert_int_equal(finish(store), CM_ERR_STORE);
  assert_string_equal(store->message, "the disk is full");
  disk.memory.error = 0;
  assert_int_equal(cm_store_begin(store, (const uint8_t *)"two", 3),
                   CM_STORE_PENDING);
  assert_string_equal(store->message, "");
  let_go();
  assert_int_equal(finish(store), 0);
  close_slow(store);
}

/* The later one wins, whichever way it goes. */
static void test_save_comes_after_what_was_begun(void **state) {
  cm_store *store = open_slow();

  (void)state;
  assert_int_equal(cm_store_begin(store, (const uint8_t *)"one", 3),
                   CM_STORE_PENDING);
  let_go();
  let_go();
  assert_int_equal(cm_store_save(store, (const uint8_t *)"two", 3), 0);
  assert_int_equal(finish(store), 0);
  check_loaded(store, "two");
  close_slow(store);
}

/* ... and the message is that of what is told about. */
static void test_each_has_its_message(void **state) {
  cm_store *store = open_slow();
  struct pollfd fd = {cm_store_thread_fd(store), POLLIN, 0};

  (void)state;
  disk.memory.error = CM_ERR_STORE;
  assert_int_equal(cm_store_begin(store, (const uint8_t *)"one", 3),
                   CM_STORE_PENDING);
  let_go();
  assert_int_equal(poll(&fd, 1, 10000), 1);
  disk.memory.error = 0;
  let_go();
  assert_int_equal(cm_store_save(store, (const uint8_t *)"two", 3), 0);
  assert_string_equal(store->message, "");
  assert_int_equal(finish(store), CM_ERR_STORE);
  assert_string_equal(store->message, "the disk is full");
  close_slow(store);
}

static void test_closing_finishes(void **state) {
  cm_store *store = open_slow();

  (void)state;
  assert_int_equal(cm_store_begin(store, (const uint8_t *)"one", 3),
                   CM_STORE_PENDING);
  let_go();
  close_slow(store);
  assert_int_equal(disk.memory.saves, 1);
}

static void test_too_long(void **state) {
  static uint8_t body[CM_STORE_BODY_MAX + 1];
  cm_store *store = open_slow();

  (void)state;
  assert_int_equal(cm_store_begin(store, body, sizeof(body)), CM_ERR_NOBUF);
  close_slow(store);
}

/* Where there is no thread, it is done at once. */
static void test_without_a_thread(void **state) {
  memory_store memory;

  (void)state;
  memory_store_init(&memory);
  assert_int_equal(cm_store_begin(&memory.base, (const uint8_t *)"one", 3), 0);
  check_loaded(&memory.base, "one");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_begin_does_not_wait),
      cmocka_unit_test(test_many_in_a_row),
      cmocka_unit_test(test_failure_is_told),
      cmocka_unit_test(test_save_comes_after_what_was_begun),
      cmocka_unit_test(test_each_has_its_message),
      cmocka_unit_test(test_closing_finishes),
      cmocka_unit_test(test_too_long),
      cmocka_unit_test(test_without_a_thread),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
