/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash matrix: a process that starts, rotates, or revokes is killed right
 * before and right after each of its system calls, once for each.  What it
 * leaves in the folder is the state before a save or the one after it, and
 * another process goes on from there: with the same identity, with the keys of
 * all that was published, and with higher numbers.
 */
#define _GNU_SOURCE
#include "certmgr/certmgr.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define START INT64_C(1790000000)
/* Saves in one scenario. */
#define SAVES_MAX 64

/* What the killed process was seen to do. */
typedef struct witness {
  /* The bodies that it gave to the store, and how many saves were begun, and
     came to their end.  The first is what was there before. */
  struct {
    uint8_t data[CM_STORE_BODY_MAX];
    size_t len;
  } bodies[SAVES_MAX];
  int begun;
  int done;
  uint64_t seq;
  size_t nhashes;
  uint8_t hashes[2][CM_HASH_LEN];
  char thumbprint[CM_THUMBPRINT_LEN + 1];
  int is_serving;
  uint8_t served[CM_HASH_LEN];
  int commanded; /* The command was answered. */
  uint8_t revoked[CM_HASH_LEN];
} witness;

/* A store that tells the witness. */
typedef struct told_store {
  cm_store base;
  cm_store *inner;
} told_store;

typedef struct host {
  told_store store;
  cm_manager *mgr;
  cm_time now;
} host;

typedef enum scenario { STARTS, ROTATES, REVOKES } scenario;

static witness *seen;
static char folder[64], first[80], state[80];

/* --- the host ----------------------------------------------------------- */

static int load(cm_store *store, uint8_t *dest, size_t destlen, size_t *len) {
  return cm_store_load(((told_store *)store)->inner, dest, destlen, len);
}

static int save(cm_store *store, const uint8_t *body, size_t len) {
  int n = seen->done + 1, rv;

  if (n >= SAVES_MAX) {
    abort();
  }
  memcpy(seen->bodies[n].data, body, len);
  seen->bodies[n].len = len;
  seen->begun = n;
  rv = cm_store_save(((told_store *)store)->inner, body, len);
  if (rv == 0) {
    seen->done = n;
  }
  return rv;
}

static void close_inner(cm_store *store) {
  cm_store_close(((told_store *)store)->inner);
}

static int activate(void *user, const cm_certificate *certificate) {
  (void)user;
  memcpy(seen->served, certificate->sha256, CM_HASH_LEN);
  seen->is_serving = 1;
  return 0;
}

static int publish(void *user, const cm_publication *pub) {
  (void)user;
  if (pub->seq <= seen->seq) {
    abort();
  }
  seen->seq = pub->seq;
  memcpy(seen->thumbprint, pub->set.identity, sizeof(seen->thumbprint));
  seen->nhashes = 0;
  if (pub->set.active != NULL) {
    memcpy(seen->hashes[seen->nhashes++], pub->set.active, CM_HASH_LEN);
  }
  if (pub->set.standby != NULL) {
    memcpy(seen->hashes[seen->nhashes++], pub->set.standby, CM_HASH_LEN);
  }
  return 0;
}

/* Opens the store and takes up what is in it. */
static int begin(host *h, int64_t wall) {
  static const cm_store_ops ops = {load, save, close_inner, NULL, NULL};
  static const char *const hosts[] = {"localhost"};
  cm_config config;

  memset(h, 0, sizeof(*h));
  h->now = (cm_time){wall, 1000};
  h->store.base.ops = &ops;
  if (cm_store_open_posix(&h->store.inner, state, &cm_random_system) != 0) {
    return -1;
  }
  memset(&config, 0, sizeof(config));
  config.hosts = hosts;
  config.nhosts = 1;
  config.port = 4433;
  config.store = &h->store.base;
  config.callbacks.activate = activate;
  config.callbacks.publish = publish;
  return cm_manager_new(&h->mgr, &config);
}

static void end(host *h) {
  cm_manager_free(h->mgr);
  cm_store_close(&h->store.base);
}

static int settle(host *h) {
  for (int i = 0; i < 200; i++) {
    if (cm_manager_step(h->mgr, &h->now, NULL) == 0) {
      return cm_lifecycle_check(cm_manager_lifecycle(h->mgr));
    }
  }
  return -1;
}

/* Until the standby is READY. */
static int run(host *h) {
  int rv = settle(h);

  for (int i = 0; rv == 0 && i < 80; i++) {
    h->now.wall += 60;
    h->now.mono += 60;
    rv = settle(h);
  }
  return rv;
}

/* --- the process that is killed ------------------------------------------ */

static void act(scenario what, int64_t wall) {
  host h;
  int rv;

  if (what == STARTS) {
    raise(SIGSTOP);
  }
  rv = begin(&h, wall - (what == STARTS ? 0 : 1));
  if (rv != 0) {
    _exit(3);
  }
  if (what != STARTS) {
    rv = settle(&h);
    h.now.wall++;
    h.now.mono++;
    raise(SIGSTOP);
  }
  if (rv == 0 && what == REVOKES) {
    memcpy(seen->revoked, cm_manager_active(h.mgr)->sha256, CM_HASH_LEN);
    rv = (int)cm_manager_command(h.mgr, CM_COMMAND_REVOKE, &h.now);
    seen->commanded = 1;
  }
  if (rv == 0) {
    /* Until the new standby is READY, and what was destroyed is gone. */
    rv = run(&h);
  }
  _exit(rv == 0 ? 0 : 4);
}

/* Runs |what| until it has come |stops| times to the beginning or the end of a
   system call, and kills it there.  Returns 0 if it came to its own end
   before. */
static int kill_at(scenario what, int64_t wall, int stops) {
  int status;
  pid_t pid = fork();

  assert_true(pid >= 0);
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
      _exit(2);
    }
    act(what, wall);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  assert_int_equal(
      ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD), 0);
  for (int i = 0; i < stops; i++) {
    assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status)) {
      assert_int_equal(WEXITSTATUS(status), 0);
      return 0;
    }
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
  }
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return 1;
}

/* --- and the one after it ------------------------------------------------ */

static void check_files(void) {
  DIR *dir = opendir(state);
  struct dirent *entry;

  assert_non_null(dir);
  while ((entry = readdir(dir)) != NULL) {
    assert_null(strstr(entry->d_name, ".bad"));
  }
  assert_int_equal(closedir(dir), 0);
}

/* What is stored is what was there before a save, or what that saved. */
static void check_body(void) {
  static uint8_t body[CM_STORE_BODY_MAX];
  cm_store *store;
  size_t len;
  int found = 0;

  assert_int_equal(cm_store_open_posix(&store, state, &cm_random_system), 0);
  assert_int_equal(cm_store_load(store, body, sizeof(body), &len), 0);
  assert_int_equal(store->bad, 0);
  cm_store_close(store);
  for (int i = seen->done; i <= seen->begun; i++) {
    found |= seen->bodies[i].len == len &&
             memcmp(seen->bodies[i].data, body, len) == 0;
  }
  assert_true(found);
}

/* Whether the manager has the key of |hash|, to serve with now or next. */
static int has(const host *h, const uint8_t *hash) {
  const cm_certificate *active = cm_manager_active(h->mgr);
  const cm_certificate *standby = cm_manager_standby(h->mgr);

  return (active != NULL && memcmp(active->sha256, hash, CM_HASH_LEN) == 0) ||
         (standby != NULL && memcmp(standby->sha256, hash, CM_HASH_LEN) == 0);
}

static void go_on(int64_t wall) {
  static witness before;
  const cm_certificate *serving;
  int known = 0;
  host h;

  before = *seen;

  assert_int_equal(begin(&h, wall), 0);
  if (before.nhashes > 0) {
    assert_string_equal(cm_manager_thumbprint(h.mgr), before.thumbprint);
  }
  assert_true(!before.is_serving || has(&h, before.served));
  assert_int_equal(settle(&h), 0);
  /* Higher numbers, which publish() checks; and it serves. */
  assert_true(seen->seq > before.seq);
  serving = cm_manager_serving(h.mgr, h.now.wall);
  assert_non_null(serving);
  /* Who has the last document gets in. */
  for (size_t i = 0; i < before.nhashes; i++) {
    known |= memcmp(before.hashes[i], serving->sha256, CM_HASH_LEN) == 0;
  }
  assert_true(known || before.nhashes == 0);
  assert_int_equal(run(&h), 0);
  assert_int_equal(cm_manager_lifecycle(h.mgr)->state, CM_STATE_HEALTHY);
  assert_int_equal(seen->nhashes, 2);
  assert_true(has(&h, seen->hashes[0]) && has(&h, seen->hashes[1]));
  assert_true(!before.commanded || !has(&h, before.revoked));
  assert_int_equal(h.store.inner->bad, 0);
  end(&h);
  check_files();
}

static void shell(const char *format, ...) {
  char command[256];
  va_list args;

  va_start(args, format);
  vsnprintf(command, sizeof(command), format, args);
  va_end(args);
  assert_int_equal(system(command), 0);
}

/* Kills |what|, which begins with what is in |first|, at every place. */
static void matrix(scenario what, int64_t wall, const witness *at_first) {
  int stops = 0, more = 1;

  while (more) {
    shell("rm -rf '%s'", state);
    if (what != STARTS) {
      shell("cp -a '%s' '%s'", first, state);
    }
    *seen = *at_first;
    more = kill_at(what, wall, ++stops);
    check_body();
    go_on(wall + 2 * HOUR);
  }
  print_message("killed at %d places\n", stops - 1);
  /* Each save alone makes more than a dozen. */
  assert_true(stops > 50);
}

/* Leaves in |first| what a manager has that is HEALTHY; returns when it
   rotates. */
static int64_t prepare(void) {
  int64_t wall;
  host h;

  assert_int_equal(begin(&h, START), 0);
  assert_int_equal(run(&h), 0);
  wall = cm_lifecycle_active(cm_manager_lifecycle(h.mgr))->retire_at;
  end(&h);
  shell("cp -a '%s' '%s'", state, first);
  seen->bodies[0] = seen->bodies[seen->done];
  seen->begun = seen->done = 0;
  return wall;
}

static int setup(void **cmocka_state) {
  (void)cmocka_state;
  /* Where fsync() takes no time, if there is such a place. */
  snprintf(folder, sizeof(folder), "%s/fortnight-crash-XXXXXX",
           access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (seen == MAP_FAILED || mkdtemp(folder) == NULL) {
    return -1;
  }
  snprintf(first, sizeof(first), "%s/first", folder);
  snprintf(state, sizeof(state), "%s/state", folder);
  return 0;
}

static int teardown(void **cmocka_state) {
  (void)cmocka_state;
  shell("rm -rf '%s'", folder);
  return munmap(seen, sizeof(*seen));
}

static void test_start(void **cmocka_state) {
  static witness nothing;

  (void)cmocka_state;
  matrix(STARTS, START, &nothing);
}

static void test_rotation(void **cmocka_state) {
  static witness at_first;
  int64_t wall = prepare();

  (void)cmocka_state;
  at_first = *seen;
  matrix(ROTATES, wall, &at_first);
}

static void test_revocation(void **cmocka_state) {
  static witness at_first;
  int64_t wall = prepare() - 2 * DAY;

  (void)cmocka_state;
  at_first = *seen;
  matrix(REVOKES, wall, &at_first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_start),
      TEST(test_rotation),
      TEST(test_revocation),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
