/* SPDX-License-Identifier: Apache-2.0 */
/* The journal over both backends of the store; see store_web_test.c. */
#include "certmgr/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <emscripten/em_js.h>

/* clang-format off */
EM_JS(void, js_begin, (int in_place), { Module.testStore.begin(in_place); });
EM_JS(void, js_end, (void), { Module.testStore.end(); });
EM_JS(int, js_open, (void), { return Module.testStore.open(); });
EM_JS(int, js_read, (const char *name, char *dest, int destlen), {
  const octets = Module.testStore.read(UTF8ToString(name));
  if (!octets) {
    return -1;
  }
  HEAPU8.set(octets.subarray(0, destlen), dest);
  return octets.length;
});
EM_JS(void, js_flip, (const char *name, int bit), {
  Module.testStore.flip(UTF8ToString(name), bit);
});
EM_JS(void, js_cut, (const char *name, int size), {
  Module.testStore.cut(UTF8ToString(name), size);
});
EM_JS(void, js_fail_at, (int call), { Module.testStore.disk.failAt = call; });
EM_JS(void, js_throw, (const char *name), {
  Module.testStore.fail(UTF8ToString(name));
});
EM_JS_DEPS(journal_web_test, "$UTF8ToString");
/* clang-format on */

#define MAX 5000

static char text[4 * MAX];

static int setup_folder(void **state) {
  (void)state;
  js_begin(0);
  return js_open();
}

static int setup_in_place(void **state) {
  (void)state;
  js_begin(1);
  return js_open();
}

static int teardown(void **state) {
  (void)state;
  js_end();
  return 0;
}

static cm_journal_file *open_journal(int expect_bad) {
  cm_journal_file *file;
  int bad;

  assert_int_equal(cm_journal_open(&file, "journal.jsonl", MAX, &bad), 0);
  assert_int_equal(bad, expect_bad);
  return file;
}

static int try_append(cm_journal_file *file, int64_t time) {
  cm_journal_entry entry = {.time = time, .event = "state", .to = "HEALTHY"};

  return cm_journal_append(file, &entry);
}

static void append(cm_journal_file *file, int64_t time) {
  assert_int_equal(try_append(file, time), 0);
}

/* What is stored, in |text|; its chain must hold. */
static size_t read_text(cm_journal *journal) {
  int len = js_read("journal.jsonl", text, sizeof(text) - 1);
  size_t valid;

  assert_in_range(len, 1, MAX);
  text[len] = '\0';
  assert_int_equal(cm_journal_verify(journal, text, (size_t)len, &valid), 0);
  return (size_t)len;
}

/* Over many openings, one chain, and never more than what is allowed. */
static void test_bounded(void **state) {
  cm_journal journal;

  (void)state;
  for (int i = 0; i < 40; i++) {
    cm_journal_file *file = open_journal(0);
    for (int j = 0; j < 10; j++) {
      append(file, i * 10 + j);
      (void)read_text(&journal);
      assert_int_equal(journal.next, i * 10 + j + 2);
    }
    cm_journal_close(file);
  }
  assert_true(read_text(&journal) > 2000);
}

/* A line cut off by a crash, and one that was changed. */
static void test_damage(void **state) {
  cm_journal journal;
  cm_journal_file *file = open_journal(0);
  size_t len;

  (void)state;
  for (int i = 0; i < 5; i++) {
    append(file, i);
  }
  cm_journal_close(file);
  len = read_text(&journal);
  js_cut("journal.jsonl", (int)len - 7);
  file = open_journal(1);
  append(file, 100);
  cm_journal_close(file);
  (void)read_text(&journal);
  assert_int_equal(journal.next, 6);
  assert_true(js_read("journal.jsonl.bad", text, sizeof(text)) > 10);

  js_flip("journal.jsonl", 20 * 8);
  file = open_journal(1);
  cm_journal_close(file);
  (void)read_text(&journal);
  assert_int_equal(journal.next, 2);
}

/* What a hook is given is what stands in the file. */
static void test_last(void **state) {
  cm_journal journal;
  cm_journal_file *file = open_journal(0);
  size_t len, total = 0, n;

  (void)state;
  assert_string_equal(cm_journal_last(file, &len), "");
  assert_int_equal(len, 0);
  for (int i = 0; i < 5; i++) {
    append(file, i);
    n = read_text(&journal);
    assert_string_equal(cm_journal_last(file, &len), text + total);
    assert_int_equal(len, n - total);
    total = n;
  }
  cm_journal_close(file);
}

/* Each change of the disk fails, and it goes on or dies: afterwards there is
   one chain with room for more, and with every line that was acknowledged
   unless making room was torn; then what is missing has been set aside. */
static void test_torn(void **state) {
  int asides = 0;

  (void)state;
  for (int crash = 0; crash < 2; crash++) {
    int failed = 1;

    for (int point = 1; failed; point++) {
      cm_journal journal;
      cm_journal_file *file = open_journal(0);
      int bad, aside, n;

      failed = 0;
      js_fail_at(point);
      /* So many that room has to be made, more than once. */
      for (n = 0; n < 100 && !failed; n++) {
        failed = try_append(file, n) != 0;
      }
      js_fail_at(0);
      n -= failed;
      if (failed && !crash) {
        append(file, n++);
      }
      cm_journal_close(file);
      assert_int_equal(cm_journal_open(&file, "journal.jsonl", MAX, &bad), 0);
      append(file, 1000);
      cm_journal_close(file);
      (void)read_text(&journal);
      aside = js_read("journal.jsonl.bad", text, sizeof(text)) > 0;
      asides += aside;
      assert_true(aside || !bad);
      assert_true(crash || !bad);
      assert_in_range(journal.next, aside ? n / 2 : n + 2, n + 2);
      js_end();
      js_begin(1);
      assert_int_equal(js_open(), 0);
      assert_in_range(point, failed ? 1 : 100, 150);
    }
  }
  assert_true(asides > 2);
}

static void test_refused(void **state) {
  cm_journal_file *file = open_journal(0), *other;
  int bad;

  (void)state;
  append(file, 1);
  js_throw("QuotaExceededError");
  assert_int_equal(try_append(file, 2), CM_ERR_STORE);
  assert_int_equal(cm_journal_open(&other, "journal.jsonl", MAX, &bad),
                   CM_ERR_STORE);
  assert_null(other);
  js_throw("");
  append(file, 2);
  cm_journal_close(file);
  cm_journal_close(open_journal(0));
  cm_journal_close(NULL);
}

#define FOLDER(name)                                                           \
  cmocka_unit_test_setup_teardown(name, setup_folder, teardown)
#define IN_PLACE(name)                                                         \
  cmocka_unit_test_setup_teardown(name, setup_in_place, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      FOLDER(test_bounded),  IN_PLACE(test_bounded), FOLDER(test_damage),
      IN_PLACE(test_damage), FOLDER(test_last),      IN_PLACE(test_last),
      IN_PLACE(test_torn),   FOLDER(test_refused),   IN_PLACE(test_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
