/* SPDX-License-Identifier: Apache-2.0 */
#include "server/keys.h"

#include "certmgr/error.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/keys_test.XXXXXX";
static char file[64];

/* Counts up, so that no two draws are the same. */
static uint8_t drawn;

static int draw(void *user, uint8_t *dest, size_t len) {
  (void)user;
  memset(dest, ++drawn, len);
  return 0;
}

static int draw_nothing(void *user, uint8_t *dest, size_t len) {
  (void)user;
  (void)dest;
  (void)len;
  return -1;
}

static const cm_random counting = {draw, NULL};
static const cm_random dry = {draw_nothing, NULL};

static int setup(void **state) {
  (void)state;
  strcpy(folder + strlen(folder) - 6, "XXXXXX");
  if (mkdtemp(folder) == NULL) {
    return -1;
  }
  snprintf(file, sizeof(file), "%s/%s", folder, QUIC_KEYS_FILE);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  (void)unlink(file);
  return rmdir(folder);
}

/* Opens them, checks what is told, and says by which draw they came. */
static uint8_t open_keys(const char *level, const char *words) {
  quic_endpoint_keys keys, same;
  keys_note note;
  struct stat st;

  memset(&keys, 0, sizeof(keys));
  assert_int_equal(keys_open(&keys, folder, &counting, &note), 0);
  if (level) {
    assert_string_equal(note.level, level);
    assert_non_null(strstr(note.text, words));
    assert_non_null(strstr(note.text, folder));
  } else {
    assert_null(note.level);
  }
  memset(&same, keys.token[0], sizeof(same));
  assert_memory_equal(&keys, &same, sizeof(same));
  if (stat(file, &st) == 0) {
    assert_int_equal(st.st_mode & 07777, 0600);
  }
  return keys.token[0];
}

static void test_kept(void **state) {
  struct stat st;
  uint8_t first = open_keys("info", "is new");
  int i;

  (void)state;
  assert_int_equal(stat(file, &st), 0);
  assert_int_equal(st.st_size, QUIC_KEYS_LEN);
  for (i = 0; i < 3; ++i) {
    assert_int_equal(open_keys(NULL, NULL), first);
  }
}

static void put(const uint8_t *octets, size_t len) {
  int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  assert_true(fd >= 0);
  assert_int_equal(write(fd, octets, len), len);
  close(fd);
}

static void get(uint8_t octets[QUIC_KEYS_LEN]) {
  int fd = open(file, O_RDONLY);

  assert_true(fd >= 0);
  assert_int_equal(read(fd, octets, QUIC_KEYS_LEN), QUIC_KEYS_LEN);
  close(fd);
}

/* Whichever octet it is, and wherever it is cut off. */
static void test_damaged(void **state) {
  uint8_t whole[QUIC_KEYS_LEN + 1] = {0};
  uint8_t before = open_keys("info", "is new"), after;
  size_t i;

  (void)state;
  get(whole);
  for (i = 0; i < 2 * QUIC_KEYS_LEN + 1; ++i) {
    uint8_t octets[QUIC_KEYS_LEN + 1];
    size_t len = i < QUIC_KEYS_LEN ? QUIC_KEYS_LEN : i - QUIC_KEYS_LEN;

    memcpy(octets, whole, sizeof(octets));
    if (i < QUIC_KEYS_LEN) {
      octets[i] ^= 1;
    } else if (len == QUIC_KEYS_LEN) {
      len = QUIC_KEYS_LEN + 1;
    }
    put(octets, len);
    after = open_keys("warning", "was damaged: new keys");
    assert_int_not_equal(after, before);
    /* Once. */
    assert_int_equal(open_keys(NULL, NULL), after);
  }
  put(whole, 0);
  (void)open_keys("warning", "was damaged: new keys");
}

static void test_seen_by_others(void **state) {
  uint8_t before = open_keys("info", "is new");

  (void)state;
  assert_int_equal(chmod(file, 0640), 0);
  assert_int_not_equal(open_keys("warning", "could be read by others"), before);
}

/* A link could lead to anybody's file. */
static void test_link(void **state) {
  char other[80];
  uint8_t before = open_keys("info", "is new");

  (void)state;
  snprintf(other, sizeof(other), "%s.other", file);
  assert_int_equal(rename(file, other), 0);
  assert_int_equal(symlink(other, file), 0);
  assert_int_not_equal(open_keys("warning", "new keys"), before);
  assert_int_equal(unlink(other), 0);
  (void)open_keys(NULL, NULL);
}

static void test_not_kept(void **state) {
  char temporary[80];

  (void)state;
  /* Whoever is root may write anywhere, but not onto a folder. */
  snprintf(temporary, sizeof(temporary), "%s.new", file);
  assert_int_equal(mkdir(temporary, 0700), 0);
  (void)open_keys("warning", "are not kept");
  assert_int_equal(access(file, F_OK), -1);
  assert_int_equal(rmdir(temporary), 0);
  (void)open_keys("info", "is new");
}

/* What a crash has left behind. */
static void test_half_written(void **state) {
  char temporary[80];
  FILE *half;

  (void)state;
  snprintf(temporary, sizeof(temporary), "%s.new", file);
  half = fopen(temporary, "w");
  assert_non_null(half);
  fputs("FNQU", half);
  fclose(half);
  (void)open_keys("info", "is new");
  (void)open_keys(NULL, NULL);
  assert_int_equal(access(temporary, F_OK), -1);
}

static void test_no_randomness(void **state) {
  quic_endpoint_keys keys;
  keys_note note;

  (void)state;
  assert_int_equal(keys_open(&keys, folder, &dry, &note), CM_ERR_RANDOM);
  assert_int_equal(access(file, F_OK), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
      cmocka_unit_test_setup_teardown(test_seen_by_others, setup, teardown),
      cmocka_unit_test_setup_teardown(test_link, setup, teardown),
      cmocka_unit_test_setup_teardown(test_not_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(test_half_written, setup, teardown),
      cmocka_unit_test_setup_teardown(test_no_randomness, setup, teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
