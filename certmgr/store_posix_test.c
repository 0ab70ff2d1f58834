/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store on a real disk.  The system calls that it makes pass through here,
 * so that the process can die after any of them, and any of them can fail.
 */
#include "certmgr/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DIED 77

/* The call with this number is the last one, or the one that fails. */
static int armed, die_at, fail_at, ncalls, fail_errno;
static char calls[256];

/* Whether the call |name| is to fail. */
static int pass(char name) {
  if (!armed) {
    return 0;
  }
  if (++ncalls < (int)sizeof(calls)) {
    calls[ncalls - 1] = name;
  }
  if (ncalls == die_at) {
    _exit(DIED);
  }
  if (ncalls == fail_at) {
    errno = fail_errno;
    return 1;
  }
  return 0;
}

int openat(int dir, const char *path, int flags, ...) {
  mode_t mode = 0;

  if ((flags & O_CREAT) != 0) {
    va_list args;
    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
  }
  return pass('o') ? -1 : (int)syscall(SYS_openat, dir, path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t len) {
  /* In two parts, so that there is something between them. */
  return pass('w') ? -1
                   : syscall(SYS_write, fd, data,
                             armed && len > 32 ? len / 2 + 1 : len);
}

int fsync(int fd) { return pass('f') ? -1 : (int)syscall(SYS_fsync, fd); }

int close(int fd) {
  int rv = (int)syscall(SYS_close, fd);

  return pass('c') ? -1 : rv;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
  return pass('r') ? -1
                   : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int unlinkat(int dir, const char *path, int flags) {
  return pass('u') ? -1 : (int)syscall(SYS_unlinkat, dir, path, flags);
}

static char folder[64], path[80];

static int setup(void **state) {
  (void)state;
  snprintf(folder, sizeof(folder), "/tmp/fortnight-store-XXXXXX");
  if (mkdtemp(folder) == NULL) {
    return -1;
  }
  snprintf(path, sizeof(path), "%s/state", folder);
  return 0;
}

static int teardown(void **state) {
  char command[128];

  (void)state;
  armed = 0;
  snprintf(command, sizeof(command), "rm -rf '%s'", folder);
  return system(command);
}

static const char *in_folder(const char *name) {
  static char full[128];

  snprintf(full, sizeof(full), "%s/%s", path, name);
  return full;
}

static cm_store *open_store(void) {
  cm_store *store;

  assert_int_equal(cm_store_open_posix(&store, path, &cm_random_system), 0);
  return store;
}

static void save(cm_store *store, const char *text) {
  assert_int_equal(
      cm_store_save(store, (const uint8_t *)text, strlen(text) + 1), 0);
}

static const char *load(cm_store *store) {
  static char text[CM_STORE_BODY_MAX];
  size_t len;

  assert_int_equal(cm_store_load(store, (uint8_t *)text, sizeof(text), &len),
                   0);
  if (len == 0) {
    return "";
  }
  assert_int_equal(text[len - 1], '\0');
  return text;
}

/* What a new process would find. */
static void assert_stored(const char *text) {
  cm_store *store = open_store();

  assert_string_equal(load(store), text);
  cm_store_close(store);
}

/* A store with two generations. */
static void prepare(void) {
  cm_store *store = open_store();

  assert_string_equal(load(store), "");
  save(store, "older");
  save(store, "old");
  cm_store_close(store);
}

static void test_turns(void **state) {
  cm_store *store = open_store();
  struct stat st;

  (void)state;
  /* Nothing is written before it is known what there is. */
  assert_int_equal(cm_store_save(store, (const uint8_t *)"x", 1),
                   CM_ERR_INVALID);
  assert_string_equal(load(store), "");
  for (int i = 0; i < 20; i++) {
    char text[24];
    snprintf(text, sizeof(text), "body %d", i);
    save(store, text);
    if (i % 3 == 0) {
      cm_store_close(store);
      assert_stored(text);
      store = open_store();
    }
    assert_string_equal(load(store), text);
  }
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  for (int i = 0; i < 3; i++) {
    static const char *const names[] = {"state.0", "state.1", "key"};
    assert_int_equal(stat(in_folder(names[i]), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
  }
  cm_store_close(store);
}

/* All is flushed before it gets its name, and the name is flushed too. */
static void test_order(void **state) {
  cm_store *store;

  (void)state;
  prepare();
  store = open_store();
  (void)load(store);
  memset(calls, 0, sizeof(calls));
  ncalls = die_at = fail_at = 0;
  armed = 1;
  save(store, "new");
  armed = 0;
  assert_string_equal(calls, "uowwfcrf");
  cm_store_close(store);
}

/* Killed after each system call: the old state or the new one. */
static void test_crash_matrix(void **state) {
  int news = 0, olds = 0, points = 0, done = 0;

  (void)state;
  for (int point = 1; !done; point++) {
    int status;
    pid_t child;
    cm_store *store;
    const char *text;

    prepare();
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      static uint8_t body[CM_STORE_BODY_MAX];
      size_t len;
      ncalls = fail_at = 0;
      die_at = point;
      armed = 1;
      if (cm_store_open_posix(&store, path, &cm_random_system) != 0 ||
          cm_store_load(store, body, sizeof(body), &len) != 0 ||
          cm_store_save(store, (const uint8_t *)"new", 4) != 0) {
        _exit(1);
      }
      armed = 0;
      _exit(0);
    }
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    done = WEXITSTATUS(status) == 0;
    assert_true(done || WEXITSTATUS(status) == DIED);
    store = open_store();
    text = load(store);
    assert_true(strcmp(text, "old") == 0 || strcmp(text, "new") == 0);
    assert_int_equal(store->bad, 0);
    news += strcmp(text, "new") == 0;
    olds += strcmp(text, "old") == 0;
    /* And it goes on from there. */
    save(store, "next");
    assert_string_equal(load(store), "next");
    cm_store_close(store);
    assert_int_equal(teardown(NULL), 0);
    assert_int_equal(setup(NULL), 0);
    points++;
  }
  assert_true(points > 12);
  assert_true(news >= 1 && olds > 8);
}

/* Each system call of a save fails: an error, nothing is lost, and the next
   save succeeds. */
static void test_failures(void **state) {
  static const int errors[] = {ENOSPC, EIO, EINTR};

  (void)state;
  for (int e = 0; e < 3; e++) {
    int rv = -1;
    for (int point = 1; point < 20; point++) {
      cm_store *store;
      const char *text;

      prepare();
      store = open_store();
      (void)load(store);
      fail_errno = errors[e];
      ncalls = die_at = 0;
      fail_at = point;
      armed = 1;
      rv = cm_store_save(store, (const uint8_t *)"new", 4);
      armed = 0;
      assert_true(rv == 0 || rv == CM_ERR_STORE);
      assert_int_equal(rv != 0, store->message[0] != '\0');
      assert_true(rv == 0 || strstr(store->message, path) != NULL);
      cm_store_close(store);
      store = open_store();
      text = load(store);
      assert_true(strcmp(text, "new") == 0 ||
                  (rv != 0 && strcmp(text, "old") == 0));
      save(store, "next");
      cm_store_close(store);
      assert_stored("next");
      assert_int_equal(teardown(NULL), 0);
      assert_int_equal(setup(NULL), 0);
    }
    assert_int_equal(rv, 0); /* Beyond the last call. */
  }
}

static void flip(const char *name, long bit) {
  FILE *file = fopen(in_folder(name), "r+b");
  int c;

  assert_non_null(file);
  assert_int_equal(fseek(file, bit / 8, SEEK_SET), 0);
  c = fgetc(file);
  assert_int_equal(fseek(file, bit / 8, SEEK_SET), 0);
  assert_int_equal(fputc(c ^ (1 << bit % 8), file), c ^ (1 << bit % 8));
  assert_int_equal(fclose(file), 0);
}

/* Every bit of the newest slot: the other one is used, and the damaged one is
   kept for whoever wants to look at it. */
static void test_bit_flips(void **state) {
  (void)state;
  for (long bit = 0; bit < 8 * (4 + CM_STORE_OVERHEAD); bit++) {
    cm_store *store;

    prepare();
    flip("state.1", bit);
    store = open_store();
    assert_string_equal(load(store), "older");
    assert_int_equal(store->bad, 1);
    assert_non_null(strstr(store->message, "state.1.bad"));
    assert_int_equal(access(in_folder("state.1.bad"), F_OK), 0);
    assert_int_equal(access(in_folder("state.1"), F_OK), -1);
    save(store, "mended");
    assert_string_equal(load(store), "mended");
    cm_store_close(store);
    assert_int_equal(teardown(NULL), 0);
    assert_int_equal(setup(NULL), 0);
  }
}

static void test_both_bad(void **state) {
  uint8_t body[16];
  cm_store *store;
  size_t len;

  (void)state;
  prepare();
  flip("state.0", 100);
  flip("state.1", 100);
  store = open_store();
  assert_int_equal(cm_store_load(store, body, sizeof(body), &len),
                   CM_ERR_STORE_BAD);
  assert_int_equal(store->bad, 2);
  save(store, "anew");
  cm_store_close(store);
  assert_stored("anew");
  /* A key that is cut off is not used. */
  assert_int_equal(truncate(in_folder("key"), 31), 0);
  assert_int_equal(cm_store_open_posix(&store, path, &cm_random_system),
                   CM_ERR_STORE_BAD);
  cm_store_close(store);
}

/* What it belongs to is whole, and is not condemned by a new one. */
static void test_key_is_missing(void **state) {
  uint8_t key[CM_STORE_KEY_LEN];
  cm_store *store;
  FILE *file;

  (void)state;
  prepare();
  file = fopen(in_folder("key"), "rb");
  assert_non_null(file);
  assert_int_equal(fread(key, 1, sizeof(key), file), sizeof(key));
  fclose(file);
  assert_int_equal(unlink(in_folder("key")), 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(cm_store_open_posix(&store, path, &cm_random_system),
                     CM_ERR_STORE_BAD);
    assert_non_null(strstr(store->message, "key is missing"));
    cm_store_close(store);
  }
  file = fopen(in_folder("key"), "wb");
  assert_non_null(file);
  assert_int_equal(fchmod(fileno(file), 0600), 0);
  assert_int_equal(fwrite(key, 1, sizeof(key), file), sizeof(key));
  assert_int_equal(fclose(file), 0);
  assert_stored("old");
}

static void test_permissions(void **state) {
  static const char *const names[] = {".", "key", "state.0", "state.1"};

  (void)state;
  prepare();
  for (int i = 0; i < 4; i++) {
    static uint8_t body[64];
    cm_store *store;
    size_t len;
    mode_t mode = i == 0 ? 0700 : 0600;
    int rv;

    assert_int_equal(chmod(in_folder(names[i]), mode | 040), 0);
    rv = cm_store_open_posix(&store, path, &cm_random_system);
    if (rv == 0) {
      rv = cm_store_load(store, body, sizeof(body), &len);
    }
    assert_int_equal(rv, CM_ERR_STORE_PERMISSIONS);
    assert_non_null(strstr(store->message, "chmod"));
    /* The command mends it. */
    assert_int_equal(system(strstr(store->message, "chmod")), 0);
    cm_store_close(store);
    assert_stored("old");
  }
}

static void test_links_and_lock(void **state) {
  cm_store *store = open_store(), *second;
  uint8_t body[16];
  size_t len;

  (void)state;
  assert_string_equal(load(store), "");
  assert_int_equal(cm_store_open_posix(&second, path, &cm_random_system),
                   CM_ERR_STORE_LOCKED);
  assert_non_null(strstr(second->message, "another process"));
  cm_store_close(second);
  save(store, "old");
  assert_int_equal(cm_store_save(store, body, (size_t)CM_STORE_BODY_MAX + 1),
                   CM_ERR_NOBUF);
  assert_int_equal(cm_store_load(store, body, 3, &len), CM_ERR_NOBUF);
  /* A symbolic link is not followed. */
  assert_int_equal(symlink("/etc/passwd", in_folder("state.1")), 0);
  assert_int_equal(cm_store_load(store, body, sizeof(body), &len),
                   CM_ERR_STORE);
  cm_store_close(store);
  cm_store_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_turns),          TEST(test_order),
      TEST(test_crash_matrix),   TEST(test_failures),
      TEST(test_bit_flips),      TEST(test_both_bad),
      TEST(test_permissions),    TEST(test_links_and_lock),
      TEST(test_key_is_missing),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
