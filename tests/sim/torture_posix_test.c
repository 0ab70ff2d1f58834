/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation, every call to the file system and every draw of randomness
 * fails once, and ten times in a row, while a manager with its store and its
 * journal starts, rotates, revokes and is asked how it is.  Nothing leaks,
 * nothing crashes, what was served goes on being served, and once the failures
 * are over the manager mends itself.
 *
 * The linker puts the functions named __wrap_ here in the place of the C
 * library's (scripts/build.mk), in wolfSSL and cJSON as well.
 */
#define _GNU_SOURCE
#include "certmgr/certmgr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#define START INT64_C(1790000000)

/* What fails. */
typedef enum kind { MEMORY, FILES, RANDOM } kind;

static struct {
  int armed;
  kind kind;
  size_t count;
  size_t fail_at;
  size_t fail_count;
  /* Allocations that were not freed. */
  size_t live;
} plan;

/* Whether the call that is being made is to fail. */
static int fails(kind k) {
  size_t n;

  if (!plan.armed || plan.kind != k) {
    return 0;
  }
  n = plan.count++;
  if (n < plan.fail_at || n - plan.fail_at >= plan.fail_count) {
    return 0;
  }
  errno = k == MEMORY ? ENOMEM : k == FILES ? ENOSPC : EIO;
  return 1;
}

/* --- in the place of the C library --------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *ptr);
int __real_openat(int dir, const char *name, int flags, mode_t mode);
int __real_open(const char *name, int flags, mode_t mode);
ssize_t __real_read(int fd, void *data, size_t len);
ssize_t __real_pread(int fd, void *data, size_t len, off_t off);
ssize_t __real_write(int fd, const void *data, size_t len);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_rename(const char *from, const char *to);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_fstat(int fd, struct stat *st);
int __real_flock(int fd, int operation);
int __real_mkdir(const char *path, mode_t mode);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *ptr);
char *__wrap_strdup(const char *text);
int __wrap_openat(int dir, const char *name, int flags, mode_t mode);
int __wrap_open(const char *name, int flags, mode_t mode);
ssize_t __wrap_read(int fd, void *data, size_t len);
ssize_t __wrap_pread(int fd, void *data, size_t len, off_t off);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_flock(int fd, int operation);
int __wrap_mkdir(const char *path, mode_t mode);

void *__wrap_malloc(size_t size) {
  void *ptr = fails(MEMORY) ? NULL : __real_malloc(size);

  plan.live += ptr != NULL;
  return ptr;
}

void *__wrap_calloc(size_t n, size_t size) {
  void *ptr = fails(MEMORY) ? NULL : __real_calloc(n, size);

  plan.live += ptr != NULL;
  return ptr;
}

void *__wrap_realloc(void *old, size_t size) {
  void *ptr = fails(MEMORY) ? NULL : __real_realloc(old, size);

  plan.live += ptr != NULL && old == NULL;
  return ptr;
}

void __wrap_free(void *ptr) {
  plan.live -= ptr != NULL;
  __real_free(ptr);
}

char *__wrap_strdup(const char *text) {
  char *copy = __wrap_malloc(strlen(text) + 1);

  return copy != NULL ? strcpy(copy, text) : NULL;
}

int __wrap_openat(int dir, const char *name, int flags, mode_t mode) {
  return fails(FILES) ? -1 : __real_openat(dir, name, flags, mode);
}

int __wrap_open(const char *name, int flags, mode_t mode) {
  return fails(FILES) ? -1 : __real_open(name, flags, mode);
}

ssize_t __wrap_read(int fd, void *data, size_t len) {
  return fails(FILES) ? -1 : __real_read(fd, data, len);
}

ssize_t __wrap_pread(int fd, void *data, size_t len, off_t off) {
  return fails(FILES) ? -1 : __real_pread(fd, data, len, off);
}

/* A disk that is full takes the first half. */
ssize_t __wrap_write(int fd, const void *data, size_t len) {
  if (fails(FILES)) {
    if (__real_write(fd, data, len / 2) < 0) {
      abort();
    }
    errno = ENOSPC;
    return -1;
  }
  return __real_write(fd, data, len);
}

int __wrap_fsync(int fd) { return fails(FILES) ? -1 : __real_fsync(fd); }

/* The descriptor is gone in any case. */
int __wrap_close(int fd) {
  int rv = fails(FILES) ? -1 : 0;

  return __real_close(fd) != 0 ? -1 : rv;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir,
                    const char *to) {
  return fails(FILES) ? -1 : __real_renameat(from_dir, from, to_dir, to);
}

int __wrap_rename(const char *from, const char *to) {
  return fails(FILES) ? -1 : __real_rename(from, to);
}

int __wrap_unlinkat(int dir, const char *name, int flags) {
  return fails(FILES) ? -1 : __real_unlinkat(dir, name, flags);
}

int __wrap_fstat(int fd, struct stat *st) {
  return fails(FILES) ? -1 : __real_fstat(fd, st);
}

int __wrap_flock(int fd, int operation) {
  return fails(FILES) ? -1 : __real_flock(fd, operation);
}

int __wrap_mkdir(const char *path, mode_t mode) {
  return fails(FILES) ? -1 : __real_mkdir(path, mode);
}

static int fill(void *user, uint8_t *dest, size_t len) {
  (void)user;
  return fails(RANDOM)
             ? -1
             : cm_random_system.fill(cm_random_system.user, dest, len);
}

static const cm_random randomness = {fill, NULL};

/* --- the host ------------------------------------------------------------ */

typedef struct host {
  cm_store *store;
  cm_journal_file *journal;
  cm_manager *mgr;
  cm_time now;
  uint64_t seq;
  cm_certificate served;
} host;

static char folder[64], state[80], journal_path[80];

static int activate(void *user, const cm_certificate *certificate) {
  host *h = user;
  void *context = malloc(1);

  if (context == NULL) {
    return CM_ERR_NOMEM;
  }
  free(context);
  h->served = *certificate;
  return 0;
}

static int publish(void *user, const cm_publication *pub) {
  host *h = user;
  char *copy = strdup(pub->jws);

  if (copy == NULL) {
    return CM_ERR_NOMEM;
  }
  free(copy);
  assert_true(pub->seq > h->seq);
  h->seq = pub->seq;
  return 0;
}

static void event(void *user, const cm_journal_entry *entry) {
  host *h = user;

  /* A journal that cannot be written is nobody's end. */
  if (h->journal != NULL) {
    (void)cm_journal_append(h->journal, entry);
  }
}

static int open_all(host *h) {
  static const char *const hosts[] = {"localhost", "192.0.2.1"};
  cm_config config;
  int bad, rv;

  rv = cm_store_open_posix(&h->store, state, &randomness);
  if (rv != 0) {
    return rv;
  }
  rv = cm_journal_open(&h->journal, journal_path, 5000, &bad);
  if (rv != 0) {
    return rv;
  }
  memset(&config, 0, sizeof(config));
  config.hosts = hosts;
  config.nhosts = 2;
  config.port = 4433;
  config.mirror = "https://example.org/hashes.json";
  config.random = &randomness;
  config.store = h->store;
  config.callbacks.activate = activate;
  config.callbacks.publish = publish;
  config.callbacks.event = event;
  config.user = h;
  return cm_manager_new(&h->mgr, &config);
}

static void close_host(host *h) {
  cm_manager_free(h->mgr);
  cm_journal_close(h->journal);
  cm_store_close(h->store);
  h->mgr = NULL;
  h->journal = NULL;
  h->store = NULL;
}

static void settle(host *h, int serves) {
  int n = 0, more = 1;

  while (more) {
    more = cm_manager_step(h->mgr, &h->now, NULL);
    assert_int_equal(cm_lifecycle_check(cm_manager_lifecycle(h->mgr)), 0);
    assert_true(++n < 200);
    if (serves) {
      const cm_certificate *cert = cm_manager_serving(h->mgr, h->now.wall);
      assert_non_null(cert);
      assert_memory_equal(cert, &h->served, sizeof(*cert));
    }
  }
}

static void run(host *h, int64_t seconds, int serves) {
  for (int64_t t = 0; t < seconds; t += 20) {
    h->now.wall += 20;
    h->now.mono += 20;
    settle(h, serves);
  }
}

/* It tells what it can. */
static void ask(host *h) {
  cJSON *status = cm_manager_status(h->mgr);
  char backup[CM_IDENTITY_BACKUP_MAX];

  cJSON_Delete(status);
  if (cm_manager_backup(h->mgr, backup, sizeof(backup)) > 0) {
    (void)cm_manager_restore(h->mgr, backup, &h->now);
  }
}

static void assert_healthy(host *h) {
  assert_int_equal(cm_manager_lifecycle(h->mgr)->state, CM_STATE_HEALTHY);
  assert_non_null(cm_manager_active(h->mgr));
  assert_non_null(cm_manager_standby(h->mgr));
  assert_string_equal(cm_manager_problem(h->mgr), "");
}

/* Begins in the folder as it is, whatever fails; then nothing does. */
static void start(host *h, int64_t wall) {
  memset(h, 0, sizeof(*h));
  h->now = (cm_time){wall, 5000};
  if (open_all(h) != 0) {
    close_host(h);
    plan.armed = 0;
    assert_int_equal(open_all(h), 0);
  }
}

static void heal(host *h) {
  plan.armed = 0;
  run(h, 1600, 0);
  assert_healthy(h);
  close_host(h);
}

/* --- what happens while it fails ----------------------------------------- */

static void begins(int64_t wall) {
  host h;

  start(&h, wall);
  settle(&h, 0);
  run(&h, 60, 0);
  heal(&h);
}

static void rotates(int64_t wall) {
  int armed = plan.armed;
  host h;

  plan.armed = 0;
  start(&h, wall - 20);
  settle(&h, 1);
  plan.armed = armed;
  run(&h, 100, 1);
  heal(&h);
}

static void restarts(int64_t wall) {
  host h;

  start(&h, wall);
  settle(&h, 0);
  run(&h, 20, 0);
  heal(&h);
}

static void revokes(int64_t wall) {
  int armed = plan.armed;
  host h;

  plan.armed = 0;
  start(&h, wall - 20);
  settle(&h, 1);
  plan.armed = armed;
  assert_int_equal(cm_manager_command(h.mgr, CM_COMMAND_REVOKE, &h.now),
                   CM_COMMAND_ACCEPTED);
  ask(&h);
  heal(&h);
}

/* --- the files ----------------------------------------------------------- */

static const char *const file_names[] = {"key", "state.0", "state.1"};

static struct {
  uint8_t data[CM_STORE_BODY_MAX];
  size_t len;
} files[3];

static void path_of(char *dest, size_t destlen, const char *name) {
  snprintf(dest, destlen, "%s/%s", state, name);
}

static void remove_all(void) {
  char command[256];

  snprintf(command, sizeof(command), "rm -rf '%s' '%s'*", state, journal_path);
  assert_int_equal(system(command), 0);
}

static void keep_files(void) {
  char path[128];

  for (int i = 0; i < 3; i++) {
    int fd;
    ssize_t n;

    path_of(path, sizeof(path), file_names[i]);
    fd = open(path, O_RDONLY, 0);
    assert_true(fd >= 0);
    n = read(fd, files[i].data, sizeof(files[i].data));
    assert_true(n > 0);
    files[i].len = (size_t)n;
    assert_int_equal(close(fd), 0);
  }
}

static void put_files(int all) {
  char path[128];
  DIR *dir;
  struct dirent *entry;

  (void)mkdir(state, 0700);
  dir = opendir(state);
  assert_non_null(dir);
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] != '.') {
      assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    }
  }
  assert_int_equal(closedir(dir), 0);
  (void)unlink(journal_path);
  if (!all) {
    assert_int_equal(rmdir(state), 0);
    return;
  }
  for (int i = 0; i < 3; i++) {
    int fd;

    path_of(path, sizeof(path), file_names[i]);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, files[i].data, files[i].len), files[i].len);
    assert_int_equal(close(fd), 0);
  }
}

static int count_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  int n = 0;

  assert_non_null(dir);
  while (readdir(dir) != NULL) {
    n++;
  }
  assert_int_equal(closedir(dir), 0);
  return n;
}

/* --- one after the other ------------------------------------------------- */

static void torture(void (*scenario)(int64_t), int64_t wall, int all) {
  static const char *const names[] = {"allocations", "calls to files",
                                      "draws of randomness"};
  size_t live;
  int descriptors;

  /* The first time, wolfSSL keeps some. */
  put_files(all);
  scenario(wall);
  live = plan.live;
  descriptors = count_descriptors();
  for (int k = MEMORY; k <= RANDOM; k++) {
    for (int burst = 1; burst <= 10; burst += 9) {
      for (size_t at = 0;; at += (size_t)burst) {
        put_files(all);
        plan.kind = (kind)k;
        plan.count = 0;
        plan.fail_at = at;
        plan.fail_count = (size_t)burst;
        plan.armed = 1;
        scenario(wall);
        assert_int_equal(plan.armed, 0);
        assert_int_equal(plan.live, live);
        assert_int_equal(count_descriptors(), descriptors);
        if (plan.count <= at) {
          break;
        }
      }
    }
    print_message("%zu %s\n", plan.count, names[k]);
  }
}

static int64_t rotation;

static int setup(void **cmocka_state) {
  host h;

  (void)cmocka_state;
  snprintf(folder, sizeof(folder), "%s/fortnight-torture-XXXXXX",
           access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  if (mkdtemp(folder) == NULL) {
    return -1;
  }
  snprintf(state, sizeof(state), "%s/state", folder);
  snprintf(journal_path, sizeof(journal_path), "%s/journal", folder);
  start(&h, START);
  settle(&h, 0);
  run(&h, 4000, 1);
  assert_healthy(&h);
  rotation = cm_lifecycle_active(cm_manager_lifecycle(h.mgr))->retire_at;
  close_host(&h);
  keep_files();
  return 0;
}

static int teardown(void **cmocka_state) {
  (void)cmocka_state;
  remove_all();
  return rmdir(folder);
}

static void test_first_start(void **cmocka_state) {
  (void)cmocka_state;
  torture(begins, START, 0);
}

static void test_start(void **cmocka_state) {
  (void)cmocka_state;
  torture(restarts, rotation - 86400, 1);
}

static void test_rotation(void **cmocka_state) {
  (void)cmocka_state;
  torture(rotates, rotation, 1);
}

static void test_revocation(void **cmocka_state) {
  (void)cmocka_state;
  torture(revokes, rotation - 2 * 86400, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_first_start),
      cmocka_unit_test(test_start),
      cmocka_unit_test(test_rotation),
      cmocka_unit_test(test_revocation),
  };

  return cmocka_run_group_tests(tests, setup, teardown);
}
