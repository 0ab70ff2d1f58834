/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every bit of what a real manager has stored is flipped, one at a time: never
 * is it taken.  The other slot is, if it is there; if not, the folder is
 * refused.  What was damaged is set aside.
 */
#include "certmgr/certmgr.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define START INT64_C(1790000000)

typedef struct file {
  const char *name;
  uint8_t data[CM_STORE_BODY_MAX];
  size_t len;
} file;

static file key = {.name = "key"};
static file slots[2] = {{.name = "state.0"}, {.name = "state.1"}};
static char folder[64];
static uint8_t body[CM_STORE_BODY_MAX];

static void path_of(char *dest, size_t destlen, const char *name,
                    const char *suffix) {
  snprintf(dest, destlen, "%s/%s%s", folder, name, suffix);
}

static void get(file *f) {
  char path[128];
  FILE *stream;

  path_of(path, sizeof(path), f->name, "");
  stream = fopen(path, "rb");
  assert_non_null(stream);
  f->len = fread(f->data, 1, sizeof(f->data), stream);
  assert_int_equal(fclose(stream), 0);
  assert_true(f->len > 0);
}

static void put(const file *f) {
  char path[128];
  int fd;

  path_of(path, sizeof(path), f->name, "");
  fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, f->data, f->len), f->len);
  assert_int_equal(close(fd), 0);
}

/* Whether there is a file of that name. */
static int there_is(const char *name, const char *suffix) {
  char path[128];

  path_of(path, sizeof(path), name, suffix);
  return access(path, F_OK) == 0;
}

static void drop(const char *name, const char *suffix) {
  char path[128];

  path_of(path, sizeof(path), name, suffix);
  (void)unlink(path);
}

static int activate(void *user, const cm_certificate *certificate) {
  (void)user;
  (void)certificate;
  return 0;
}

static cm_store *open_store(void) {
  cm_store *store;

  assert_int_equal(cm_store_open_posix(&store, folder, &cm_random_system), 0);
  return store;
}

static int open_manager(cm_manager **mgr, cm_store *store) {
  static const char *const hosts[] = {"localhost"};
  cm_config config;

  memset(&config, 0, sizeof(config));
  config.hosts = hosts;
  config.nhosts = 1;
  config.port = 4433;
  config.store = store;
  config.callbacks.activate = activate;
  return cm_manager_new(mgr, &config);
}

/* Leaves in the folder what a manager has that is HEALTHY. */
static int setup(void **state) {
  cm_store *store;
  cm_manager *mgr;
  cm_time now = {START, 0};

  (void)state;
  snprintf(folder, sizeof(folder), "%s/fortnight-state-XXXXXX",
           access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  if (mkdtemp(folder) == NULL) {
    return -1;
  }
  store = open_store();
  assert_int_equal(open_manager(&mgr, store), 0);
  for (int i = 0; i < 100; i++) {
    while (cm_manager_step(mgr, &now, NULL) == 1) {
    }
    now.wall += 60;
    now.mono += 60;
  }
  assert_int_equal(cm_manager_lifecycle(mgr)->state, CM_STATE_HEALTHY);
  cm_manager_free(mgr);
  cm_store_close(store);
  get(&key);
  get(&slots[0]);
  get(&slots[1]);
  return 0;
}

static int teardown(void **state) {
  char command[128];

  (void)state;
  snprintf(command, sizeof(command), "rm -rf '%s'", folder);
  return system(command);
}

static void flip(file *f, size_t bit) {
  f->data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
}

/* The other one is taken, as it is, and the manager has two certificates. */
static void test_the_other_slot(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    const file *other = &slots[1 - i];
    put(other);
    for (size_t bit = 0; bit < 8 * slots[i].len; bit++) {
      cm_store *store;
      size_t len;

      flip(&slots[i], bit);
      put(&slots[i]);
      flip(&slots[i], bit);
      store = open_store();
      assert_int_equal(cm_store_load(store, body, sizeof(body), &len), 0);
      assert_int_equal(len, other->len - CM_STORE_OVERHEAD);
      assert_memory_equal(body, other->data + CM_STORE_HEADER_LEN, len);
      assert_int_equal(store->bad, 1);
      assert_true(store->message[0] != '\0');
      if (bit % 512 == 0) {
        cm_manager *mgr;

        put(&slots[i]);
        assert_int_equal(open_manager(&mgr, store), 0);
        assert_non_null(cm_manager_active(mgr));
        assert_non_null(cm_manager_standby(mgr));
        cm_manager_free(mgr);
      }
      cm_store_close(store);
      assert_true(there_is(slots[i].name, ".bad"));
      drop(slots[i].name, ".bad");
    }
    put(&slots[i]);
  }
}

/* There is no other: the folder is refused, and not begun anew. */
static void test_no_other_slot(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    drop(slots[1 - i].name, "");
    for (size_t bit = 0; bit < 8 * slots[i].len; bit++) {
      cm_manager *mgr;
      cm_store *store;

      flip(&slots[i], bit);
      put(&slots[i]);
      flip(&slots[i], bit);
      store = open_store();
      assert_int_equal(open_manager(&mgr, store), CM_ERR_STORE_BAD);
      assert_null(mgr);
      /* Nor the next time. */
      assert_int_equal(open_manager(&mgr, store), CM_ERR_STORE_BAD);
      assert_non_null(strstr(store->message, "rm '"));
      cm_store_close(store);
      assert_true(there_is(slots[i].name, ".bad"));
      drop(slots[i].name, ".bad");
    }
  }
}

/* The key alone: neither slot is its any more. */
static void test_key(void **state) {
  (void)state;
  for (size_t bit = 0; bit < 8 * key.len; bit++) {
    cm_manager *mgr;
    cm_store *store;

    flip(&key, bit);
    put(&key);
    flip(&key, bit);
    put(&slots[0]);
    put(&slots[1]);
    store = open_store();
    assert_int_equal(open_manager(&mgr, store), CM_ERR_STORE_BAD);
    assert_int_equal(store->bad, 2);
    cm_store_close(store);
    drop(slots[0].name, ".bad");
    drop(slots[1].name, ".bad");
  }
  put(&key);
}

/* Cut off anywhere: as after a crash of another file system. */
static void test_cut_off(void **state) {
  (void)state;
  put(&slots[0]);
  for (size_t len = 0; len < slots[1].len; len++) {
    size_t whole = slots[1].len, n;
    cm_store *store;

    slots[1].len = len;
    put(&slots[1]);
    slots[1].len = whole;
    store = open_store();
    assert_int_equal(cm_store_load(store, body, sizeof(body), &n), 0);
    assert_memory_equal(body, slots[0].data + CM_STORE_HEADER_LEN, n);
    assert_int_equal(store->bad, 1);
    cm_store_close(store);
    drop(slots[1].name, ".bad");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_other_slot),
      cmocka_unit_test(test_no_other_slot),
      cmocka_unit_test(test_key),
      cmocka_unit_test(test_cut_off),
  };

  return cmocka_run_group_tests(tests, setup, teardown);
}
