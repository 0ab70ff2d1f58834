/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[80];

static int setup(void **state) {
  (void)state;
  snprintf(folder, sizeof(folder), "/tmp/fortnight-journal-XXXXXX");
  if (mkdtemp(folder) == NULL) {
    return -1;
  }
  snprintf(path, sizeof(path), "%s/journal", folder);
  return 0;
}

static int teardown(void **state) {
  char command[128];

  (void)state;
  snprintf(command, sizeof(command), "rm -rf '%s'", folder);
  return system(command);
}

static cm_journal_file *open_journal(size_t max, int expect_bad) {
  cm_journal_file *file;
  int bad;

  assert_int_equal(cm_journal_open(&file, path, max, &bad), 0);
  assert_int_equal(bad, expect_bad);
  return file;
}

static void append(cm_journal_file *file, int64_t time) {
  cm_journal_entry entry = {.time = time, .event = "state", .to = "HEALTHY"};

  assert_int_equal(cm_journal_append(file, &entry), 0);
}

/* The file's text; its chain must hold. */
static size_t read_text(char *text, size_t room, cm_journal *journal) {
  FILE *f = fopen(path, "rb");
  size_t valid, len;

  assert_non_null(f);
  len = fread(text, 1, room - 1, f);
  text[len] = '\0';
  assert_int_equal(fclose(f), 0);
  assert_int_equal(cm_journal_verify(journal, text, len, &valid), 0);
  return len;
}

/* Over many openings, one chain, and never more than what is allowed. */
static void test_bounded(void **state) {
  static char text[20000];
  cm_journal journal;
  struct stat st;

  (void)state;
  for (int i = 0; i < 40; i++) {
    cm_journal_file *file = open_journal(5000, 0);
    for (int j = 0; j < 10; j++) {
      append(file, i * 10 + j);
      assert_int_equal(stat(path, &st), 0);
      assert_true(st.st_size <= 5000);
    }
    cm_journal_close(file);
  }
  assert_int_equal(st.st_mode & 0777, 0600);
  assert_true(read_text(text, sizeof(text), &journal) > 2000);
  assert_int_equal(journal.next, 401);
}

/* A line cut off by a crash, and one that was changed. */
static void test_damage(void **state) {
  static char text[20000], bad_path[128];
  cm_journal journal;
  cm_journal_file *file;
  size_t len;
  FILE *f;

  (void)state;
  file = open_journal(5000, 0);
  for (int i = 0; i < 5; i++) {
    append(file, i);
  }
  cm_journal_close(file);
  len = read_text(text, sizeof(text), &journal);
  assert_int_equal(truncate(path, (off_t)len - 7), 0);
  file = open_journal(5000, 1);
  append(file, 100);
  cm_journal_close(file);
  (void)read_text(text, sizeof(text), &journal);
  assert_int_equal(journal.next, 6);
  snprintf(bad_path, sizeof(bad_path), "%s.bad", path);
  assert_int_equal(access(bad_path, F_OK), 0);

  f = fopen(path, "r+b");
  assert_non_null(f);
  assert_int_equal(fseek(f, 20, SEEK_SET), 0);
  assert_int_equal(fputc('9', f), '9');
  assert_int_equal(fclose(f), 0);
  file = open_journal(5000, 1);
  cm_journal_close(file);
  (void)read_text(text, sizeof(text), &journal);
  assert_int_equal(journal.next, 2);
}

/* What a hook is given is what stands in the file. */
static void test_last(void **state) {
  static char text[20000];
  cm_journal journal;
  cm_journal_file *file = open_journal(5000, 0);
  size_t len, total = 0, n;

  (void)state;
  assert_string_equal(cm_journal_last(file, &len), "");
  assert_int_equal(len, 0);
  for (int i = 0; i < 5; i++) {
    append(file, i);
    n = read_text(text, sizeof(text), &journal);
    assert_string_equal(cm_journal_last(file, &len), text + total);
    assert_int_equal(len, n - total);
    total = n;
  }
  cm_journal_close(file);
}

static void test_refused(void **state) {
  cm_journal_file *file;
  int bad;

  (void)state;
  assert_int_equal(symlink("/etc/hostname", path), 0);
  assert_int_equal(cm_journal_open(&file, path, 5000, &bad), CM_ERR_STORE);
  assert_null(file);
  cm_journal_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_bounded),
      TEST(test_damage),
      TEST(test_last),
      TEST(test_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
