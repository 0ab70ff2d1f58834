/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "server/hook_posix.h"
#include "server/process_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* No step may take longer. */
#define PATIENCE_MS 20000

#define SECOND UINT64_C(1000000000)

/* Where commands leave what they have to tell; it is their $DIR. */
static char folder[] = "/tmp/hook-test-XXXXXX";

typedef struct bench {
  hook *hook;
  uint64_t now;
  cm_random random;
  uint8_t octet; /* Of which all randomness consists. */
  char log[4096];
} bench;

static int fill(void *user, uint8_t *dest, size_t len) {
  memset(dest, ((const bench *)user)->octet, len);
  return 0;
}

static void on_log(void *user, const char *text) {
  bench *b = user;

  assert_true(strlen(b->log) + strlen(text) + 2 < sizeof(b->log));
  strcat(b->log, text);
  strcat(b->log, "\n");
}

static void open_with(bench *b, const hook_config *more) {
  hook_config config = *more;

  memset(b, 0, sizeof(*b));
  b->now = 1000 * SECOND;
  b->random.fill = fill;
  b->random.user = b;
  config.random = &b->random;
  config.log = on_log;
  config.user = b;
  assert_int_equal(hook_open(&b->hook, &config), 0);
  assert_true(hook_deadline(b->hook) == UINT64_MAX);
}

static void open_bench(bench *b, hook_kind kind, const char *command) {
  const hook_config config = {
      .name = "on-test", .command = command, .kind = kind};

  open_with(b, &config);
}

static void tell(bench *b, const char *text) {
  assert_int_equal(hook_tell(b->hook, text, strlen(text), NULL, 0, b->now), 0);
}

/* Serves until the command has ended. */
static void wait_for_end(bench *b) {
  uint64_t runs;
  documents_hook health;
  struct pollfd fd;

  hook_get_health(b->hook, &health);
  runs = health.runs;
  while (hook_pollfds(b->hook, &fd) == 1) {
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    hook_serve(b->hook, b->now);
    hook_get_health(b->hook, &health);
    if (health.runs != runs) {
      return; /* The next one runs. */
    }
  }
}

/* Runs what is due until its end, and no more. */
static void run(bench *b) {
  hook_serve(b->hook, b->now);
  wait_for_end(b);
}

/* Runs until nothing is due. */
static void settle(bench *b) {
  while (hook_is_busy(b->hook, b->now)) {
    run(b);
  }
}

static documents_hook health_of(const bench *b) {
  documents_hook health;

  hook_get_health(b->hook, &health);
  assert_string_equal(health.name, "on-test");
  return health;
}

static const char *path_of(const char *name) {
  static char path[64];

  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

/* What a command left in the file |name|, which is removed; to be freed. */
static char *left_in(const char *name) {
  FILE *file = fopen(path_of(name), "r");
  char *text = calloc(1, 65536);

  assert_non_null(text);
  if (file) {
    assert_true(fread(text, 1, 65535, file) < 65535);
    fclose(file);
    assert_int_equal(unlink(path_of(name)), 0);
  }
  return text;
}

static void file_is(const char *name, const char *expected) {
  char *text = left_in(name);

  assert_string_equal(text, expected);
  free(text);
}

static int set_up(void **state) {
  (void)state;
  return mkdtemp(folder) ? setenv("DIR", folder, 1) : -1;
}

static int tear_down(void **state) {
  (void)state;
  /* Fails if a test left something. */
  return rmdir(folder);
}

/* ---- A pipe that a command and all its children hold ---- */

static int make_fifo(void) {
  int fd;

  assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
  fd = open(path_of("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  assert_true(fd >= 0);
  return fd;
}

/* Waits for |n| octets. */
static void wait_for(int fd, size_t n) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  char c;

  while (n > 0) {
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    if (read(fd, &c, 1) == 1) {
      --n;
    }
  }
}

/* Waits until nobody holds it any more. */
static void wait_until_all_are_gone(int fd) {
  struct pollfd p = {.fd = fd};

  do {
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
  } while (!(p.revents & POLLHUP));
  close(fd);
  assert_int_equal(unlink(path_of("fifo")), 0);
}

/* ---- What is told ---- */

static cm_publication publication_of(uint64_t seq, const char *jws) {
  static uint8_t active[CM_HASH_LEN];
  cm_publication pub;

  memset(&pub, 0, sizeof(pub));
  pub.epoch = 2;
  pub.seq = seq;
  pub.issued_at = 1800000000;
  pub.refresh_after = 1800000100;
  pub.valid_until = 1800000200;
  pub.max_age = 3600;
  pub.set.host = "localhost";
  pub.set.port = 4433;
  pub.set.path = "/echo";
  pub.set.active = *jws ? active : NULL;
  pub.set.identity = "0123456789012345678901234567890123456789012";
  pub.jws = jws;
  pub.jws_len = strlen(jws);
  return pub;
}

static void a_publication_is_handed_over(void **state) {
  const cm_publication pub = publication_of(7, "e30.e30.AA");
  char link[CM_LINK_MAX], expected[CM_LINK_MAX + 512];
  bench b;

  (void)state;
  setenv("FORTNIGHT_SEQ", "what we were given ourselves", 1);
  open_bench(&b, HOOK_NEWEST,
             "cat >$DIR/out; env | grep ^FORTNIGHT_ | LC_ALL=C sort >$DIR/env");
  assert_int_equal(hook_publish(b.hook, &pub, b.now), 0);
  assert_true(hook_deadline(b.hook) == b.now);
  assert_true(hook_is_busy(b.hook, b.now));
  run(&b);
  file_is("out", "e30.e30.AA");
  assert_true(cm_hashset_link(link, sizeof(link), &pub.set) > 0);
  snprintf(expected, sizeof(expected),
           "FORTNIGHT_DROPPED=0\n"
           "FORTNIGHT_EPOCH=2\n"
           "FORTNIGHT_HOOK=on-test\n"
           "FORTNIGHT_IDENTITY=%s\n"
           "FORTNIGHT_ISSUED_AT=1800000000\n"
           "FORTNIGHT_LINK=%s\n"
           "FORTNIGHT_MAX_AGE=3600\n"
           "FORTNIGHT_REFRESH_AFTER=1800000100\n"
           "FORTNIGHT_SEQ=7\n"
           "FORTNIGHT_TRY=1\n"
           "FORTNIGHT_URL=https://localhost:4433/echo\n"
           "FORTNIGHT_VALID_UNTIL=1800000200\n",
           pub.set.identity, link);
  file_is("env", expected);
  unsetenv("FORTNIGHT_SEQ");
  assert_int_equal(health_of(&b).ok, 1);
  assert_int_equal(health_of(&b).runs, 1);
  assert_int_equal(health_of(&b).pending, 0);
  assert_string_equal(health_of(&b).last_error, "");
  assert_true(hook_deadline(b.hook) == UINT64_MAX);
  assert_string_equal(b.log, "");
  hook_close(b.hook);
}

static void an_event_is_handed_over(void **state) {
  static const char line[] = "{\"n\":7}\n";
  cm_journal_entry entry = {.time = 1800000000,
                            .event = "state",
                            .from = "HEALTHY",
                            .to = "GUARD",
                            .has_value = 1,
                            .value = -5};
  bench b;

  (void)state;
  open_bench(&b, HOOK_ALL,
             "{ cat; echo \"$FORTNIGHT_EVENT|$FORTNIGHT_TIME|$FORTNIGHT_ID|"
             "$FORTNIGHT_FROM|$FORTNIGHT_TO|$FORTNIGHT_TEXT|"
             "$FORTNIGHT_VALUE\"; } >>$DIR/out");
  assert_int_equal(hook_event(b.hook, &entry, line, strlen(line), b.now), 0);
  entry.id = 9;
  entry.from = entry.to = NULL;
  entry.text = "$(exit) `exit` 'x' \"y\" \\";
  entry.has_value = 0;
  assert_int_equal(hook_event(b.hook, &entry, line, strlen(line), b.now), 0);
  settle(&b);
  file_is("out", "{\"n\":7}\nstate|1800000000||HEALTHY|GUARD||-5\n"
                 "{\"n\":7}\nstate|1800000000|9|||$(exit) `exit` 'x' \"y\" \\|"
                 "\n");
  hook_close(b.hook);
}

static void what_is_withdrawn_is_not_told(void **state) {
  const cm_publication pub = publication_of(7, "e30.e30.AA");
  const cm_publication none = publication_of(8, "");
  bench b;

  (void)state;
  open_bench(&b, HOOK_NEWEST, "echo $FORTNIGHT_SEQ >>$DIR/out; exit 1");
  hook_publish(b.hook, &pub, b.now);
  hook_publish(b.hook, &none, b.now);
  assert_true(hook_deadline(b.hook) == UINT64_MAX);
  run(&b);
  file_is("out", "");
  /* Neither is it tried again. */
  hook_publish(b.hook, &pub, b.now);
  hook_serve(b.hook, b.now);
  hook_publish(b.hook, &none, b.now);
  wait_for_end(&b);
  assert_true(hook_deadline(b.hook) == UINT64_MAX);
  file_is("out", "7\n");
  assert_int_equal(health_of(&b).pending, 0);
  hook_close(b.hook);
}

/* ---- What a command is given ---- */

static void big_input_needs_no_reader(void **state) {
  const size_t len = 8 * 1024 * 1024;
  char *big = malloc(len);
  bench b;

  (void)state;
  assert_non_null(big);
  memset(big, 'x', len);
  open_bench(&b, HOOK_NEWEST, "true");
  assert_int_equal(hook_tell(b.hook, big, len, NULL, 0, b.now), 0);
  run(&b);
  assert_int_equal(health_of(&b).ok, 1);
  hook_close(b.hook);
  /* Or one that closes it, or one that reads all. */
  open_bench(&b, HOOK_NEWEST, "head -c 1 >$DIR/one; exec <&-; exit 0");
  assert_int_equal(hook_tell(b.hook, big, len, NULL, 0, b.now), 0);
  run(&b);
  file_is("one", "x");
  assert_int_equal(health_of(&b).ok, 1);
  hook_close(b.hook);
  open_bench(&b, HOOK_NEWEST, "cat | wc -c | tr -d ' ' >$DIR/out");
  assert_int_equal(hook_tell(b.hook, big, len, NULL, 0, b.now), 0);
  run(&b);
  file_is("out", "8388608\n");
  hook_close(b.hook);
  /* And there may be nothing to read. */
  open_bench(&b, HOOK_NEWEST, "wc -c </dev/stdin | tr -d ' ' >$DIR/out");
  assert_int_equal(hook_tell(b.hook, NULL, 0, NULL, 0, b.now), 0);
  run(&b);
  file_is("out", "0\n");
  hook_close(b.hook);
  free(big);
}

static void nothing_of_ours_is_inherited(void **state) {
  bench b;

  (void)state;
  open_bench(&b, HOOK_NEWEST,
             "ls -l /proc/$$/fd | grep -c memfd:fortnight >$DIR/out; "
             "ls -l /proc/$$/fd | grep -c pidfd >>$DIR/out; "
             "[ $(cut -d ' ' -f 5 /proc/$$/stat) = $$ ] && echo group "
             ">>$DIR/out");
  tell(&b, "x");
  run(&b);
  file_is("out", "1\n0\ngroup\n");
  hook_close(b.hook);
}

static void output_goes_to_our_standard_error(void **state) {
  int saved = dup(2);
  int fd;
  bench b;

  (void)state;
  fd = open(path_of("stderr"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  assert_true(fd >= 0 && saved >= 0);
  fflush(stderr);
  assert_int_equal(dup2(fd, 2), 2);
  open_bench(&b, HOOK_NEWEST, "echo out; echo err >&2");
  tell(&b, "x");
  run(&b);
  assert_int_equal(dup2(saved, 2), 2);
  close(saved);
  close(fd);
  file_is("stderr", "out\nerr\n");
  hook_close(b.hook);
}

/* The host has signals blocked and ignored; a command wants its own. */
static void signals_are_as_a_command_expects(void **state) {
  struct sigaction ignore = {.sa_handler = SIG_IGN}, old_pipe, old_child;
  sigset_t block, old;
  bench b;

  (void)state;
  sigemptyset(&block);
  sigaddset(&block, SIGTERM);
  sigaddset(&block, SIGINT);
  assert_int_equal(sigprocmask(SIG_BLOCK, &block, &old), 0);
  assert_int_equal(sigaction(SIGPIPE, &ignore, &old_pipe), 0);
  assert_int_equal(sigaction(SIGCHLD, &ignore, &old_child), 0);
  open_bench(&b, HOOK_NEWEST, "kill -TERM $$; exit 0");
  tell(&b, "x");
  run(&b);
  assert_string_equal(health_of(&b).last_error,
                      "ended by signal 15 (Terminated)");
  hook_close(b.hook);
  open_bench(&b, HOOK_NEWEST, "kill -PIPE $$; exit 0");
  tell(&b, "x");
  run(&b);
  assert_string_equal(health_of(&b).last_error,
                      "ended by signal 13 (Broken pipe)");
  hook_close(b.hook);
  sigaction(SIGCHLD, &old_child, NULL);
  sigaction(SIGPIPE, &old_pipe, NULL);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

/* ---- Failures ---- */

static void a_failure_climbs_the_ladder(void **state) {
  static const unsigned seconds[] = {1, 5, 30, 120, 600, 600, 600};
  const size_t n = sizeof(seconds) / sizeof(seconds[0]);
  uint64_t left;
  bench b;
  size_t i;

  (void)state;
  open_bench(&b, HOOK_NEWEST,
             "cat >/dev/null; echo $FORTNIGHT_TRY >$DIR/try; "
             "[ -e $DIR/good ] || exit 3");
  tell(&b, "x");
  for (i = 0; i < n; ++i) {
    b.octet = i % 2 ? 0xff : 0;
    run(&b);
    assert_int_equal(health_of(&b).ok, 0);
    assert_int_equal(health_of(&b).failures, i + 1);
    assert_int_equal(health_of(&b).pending, 1);
    assert_string_equal(health_of(&b).last_error, "exit status 3");
    left = hook_deadline(b.hook) - b.now;
    if (i % 2 == 0) {
      assert_true(left == seconds[i] * SECOND);
    } else {
      assert_in_range(left, seconds[i] * SECOND * 6 / 5,
                      seconds[i] * SECOND * 5 / 4);
    }
    /* Not before. */
    b.now += left - 1;
    assert_false(hook_is_busy(b.hook, b.now));
    hook_serve(b.hook, b.now);
    assert_int_equal(health_of(&b).runs, i + 1);
    ++b.now;
  }
  assert_non_null(strstr(b.log, "the command of on-test failed: exit status 3; "
                                "it is run again in 1 s\n"));
  close(open(path_of("good"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  run(&b);
  assert_int_equal(health_of(&b).ok, 1);
  assert_int_equal(health_of(&b).failures, n);
  assert_int_equal(health_of(&b).pending, 0);
  assert_non_null(strstr(b.log, "succeeds again\n"));
  file_is("try", "8\n");
  unlink(path_of("good"));
  /* After that it begins anew. */
  tell(&b, "y");
  b.octet = 0;
  run(&b);
  assert_true(hook_deadline(b.hook) == b.now + SECOND);
  file_is("try", "1\n");
  hook_close(b.hook);
}

static void an_event_is_given_up_in_the_end(void **state) {
  int i;
  bench b;

  (void)state;
  open_bench(&b, HOOK_ALL,
             "read x; echo $x $FORTNIGHT_TRY $FORTNIGHT_DROPPED >>$DIR/out; "
             "[ $x = good ]");
  tell(&b, "bad\n");
  tell(&b, "good\n");
  tell(&b, "good\n");
  for (i = 0; i < HOOK_TRIES_MAX; ++i) {
    assert_int_equal(health_of(&b).pending, 3);
    run(&b);
    if (i < HOOK_TRIES_MAX - 1) {
      b.now = hook_deadline(b.hook);
    }
  }
  assert_int_equal(health_of(&b).dropped, 1);
  assert_non_null(strstr(b.log, "failed 5 times: exit status 1; it is not told "
                                "about this again\n"));
  settle(&b);
  assert_int_equal(health_of(&b).ok, 1);
  assert_int_equal(health_of(&b).runs, 7);
  assert_int_equal(health_of(&b).pending, 0);
  file_is("out", "bad 1 0\nbad 2 0\nbad 3 0\nbad 4 0\nbad 5 0\ngood 1 1\n"
                 "good 1 0\n");
  hook_close(b.hook);
}

static void what_cannot_be_run_has_failed(void **state) {
  struct rlimit limit, none;
  int fd;
  bench b;

  (void)state;
  open_bench(&b, HOOK_NEWEST, "/nowhere/at/all 2>/dev/null");
  tell(&b, "x");
  run(&b);
  assert_string_equal(health_of(&b).last_error,
                      "exit status 127 (the command was not found)");
  hook_close(b.hook);
  open_bench(&b, HOOK_NEWEST, "/ 2>/dev/null");
  tell(&b, "x");
  run(&b);
  assert_string_equal(health_of(&b).last_error,
                      "exit status 126 (the command cannot be executed)");
  hook_close(b.hook);
  /* No descriptor is to be had. */
  open_bench(&b, HOOK_NEWEST, "cat >$DIR/out");
  tell(&b, "x");
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  fd = dup(0);
  assert_true(fd >= 0);
  close(fd);
  none = limit;
  none.rlim_cur = (rlim_t)fd;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  hook_serve(b.hook, b.now);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_string_equal(health_of(&b).last_error,
                      "it cannot be run: Too many open files");
  assert_int_equal(health_of(&b).failures, 1);
  b.now = hook_deadline(b.hook);
  assert_true(b.now == 1001 * SECOND);
  run(&b);
  assert_int_equal(health_of(&b).ok, 1);
  file_is("out", "x");
  hook_close(b.hook);
}

/* ---- Time ---- */

static void who_hangs_is_ended(void **state) {
  bench b;
  int fd;

  (void)state;
  fd = make_fifo();
  open_bench(&b, HOOK_NEWEST,
             "exec 3>$DIR/fifo; sleep 1000 & echo >&3; sleep 1000");
  tell(&b, "x");
  hook_serve(b.hook, b.now);
  assert_true(hook_deadline(b.hook) == b.now + HOOK_TIMEOUT);
  wait_for(fd, 1);
  b.now += HOOK_TIMEOUT - 1;
  hook_serve(b.hook, b.now);
  assert_true(hook_deadline(b.hook) == b.now + 1);
  ++b.now;
  hook_serve(b.hook, b.now);
  wait_for_end(&b);
  wait_until_all_are_gone(fd);
  assert_string_equal(health_of(&b).last_error,
                      "it was still there after 30 s and was ended");
  assert_true(hook_deadline(b.hook) == b.now + SECOND);
  hook_close(b.hook);
}

static void who_does_not_care_is_killed(void **state) {
  struct pollfd p;
  bench b;
  int fd;

  (void)state;
  fd = make_fifo();
  open_bench(&b, HOOK_NEWEST,
             /* wait, unlike sleep, is interrupted by the trap.  A sleep of
                which the shell waits may have been forked and not begun: then
                the signal is lost on it, and the shell goes on waiting. */
             "exec 3>$DIR/fifo 2>/dev/null; trap 'echo >&3' TERM; echo >&3; "
             "while :; do sleep 1000 & wait $!; done");
  tell(&b, "x");
  hook_serve(b.hook, b.now);
  wait_for(fd, 1);
  b.now = hook_deadline(b.hook);
  hook_serve(b.hook, b.now);
  /* It was told, and goes on. */
  wait_for(fd, 1);
  assert_int_equal(hook_pollfds(b.hook, &p), 1);
  assert_true(hook_deadline(b.hook) == b.now + PROCESS_GRACE);
  b.now += PROCESS_GRACE;
  hook_serve(b.hook, b.now);
  assert_true(hook_deadline(b.hook) == UINT64_MAX ||
              hook_deadline(b.hook) == b.now + SECOND);
  wait_for_end(&b);
  wait_until_all_are_gone(fd);
  assert_int_equal(health_of(&b).failures, 1);
  hook_close(b.hook);
}

static void its_children_are_killed_with_it(void **state) {
  bench b;
  int fd;

  (void)state;
  fd = make_fifo();
  open_bench(&b, HOOK_NEWEST,
             "exec 3>$DIR/fifo; (trap '' TERM; echo >&3; sleep 1000) & "
             "sleep 1000");
  tell(&b, "x");
  hook_serve(b.hook, b.now);
  wait_for(fd, 1);
  b.now = hook_deadline(b.hook);
  hook_serve(b.hook, b.now);
  wait_for_end(&b);
  wait_until_all_are_gone(fd);
  hook_close(b.hook);
}

static void a_time_out_can_be_chosen(void **state) {
  const hook_config config = {.name = "on-test",
                              .command = "sleep 1000",
                              .kind = HOOK_ALL,
                              .timeout = 2 * SECOND};
  bench b;

  (void)state;
  open_with(&b, &config);
  tell(&b, "x");
  hook_serve(b.hook, b.now);
  assert_true(hook_deadline(b.hook) == b.now + 2 * SECOND);
  b.now += 2 * SECOND;
  run(&b);
  assert_string_equal(health_of(&b).last_error,
                      "it was still there after 2 s and was ended");
  hook_close(b.hook);
}

static void closing_ends_what_runs(void **state) {
  bench b;
  int fd;

  (void)state;
  fd = make_fifo();
  open_bench(&b, HOOK_ALL,
             "exec 3>$DIR/fifo; (trap '' TERM; echo >&3; sleep 1000) & "
             "sleep 1000");
  tell(&b, "x");
  tell(&b, "y");
  hook_serve(b.hook, b.now);
  wait_for(fd, 1);
  hook_close(b.hook);
  wait_until_all_are_gone(fd);
}

/* ---- Many ---- */

static void only_the_newest_is_told(void **state) {
  bench b;
  int fd;

  (void)state;
  fd = make_fifo();
  open_bench(&b, HOOK_NEWEST,
             "cat >>$DIR/out; [ -e $DIR/go ] || "
             "{ echo >$DIR/fifo; until [ -e $DIR/go ]; do :; done; exit 1; }");
  tell(&b, "1 ");
  hook_serve(b.hook, b.now);
  wait_for(fd, 1);
  tell(&b, "2 ");
  tell(&b, "3 ");
  tell(&b, "4 ");
  assert_int_equal(health_of(&b).pending, 2);
  close(open(path_of("go"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  wait_for_end(&b);
  /* The first has failed, but the last does not wait for that. */
  assert_int_equal(health_of(&b).failures, 1);
  assert_int_equal(health_of(&b).runs, 2);
  wait_for_end(&b);
  assert_int_equal(health_of(&b).runs, 2);
  assert_int_equal(health_of(&b).ok, 1);
  assert_int_equal(health_of(&b).dropped, 0);
  assert_int_equal(health_of(&b).pending, 0);
  assert_true(hook_deadline(b.hook) == UINT64_MAX);
  file_is("out", "1 4 ");
  unlink(path_of("go"));
  close(fd);
  unlink(path_of("fifo"));
  hook_close(b.hook);
}

static void what_is_new_does_not_wait_for_the_ladder(void **state) {
  bench b;
  int i;

  (void)state;
  open_bench(&b, HOOK_NEWEST, "cat >>$DIR/out; exit 1");
  tell(&b, "1 ");
  for (i = 0; i < 3; ++i) {
    run(&b);
    b.now = hook_deadline(b.hook);
  }
  b.now -= SECOND;
  assert_false(hook_is_busy(b.hook, b.now));
  tell(&b, "2 ");
  assert_true(hook_deadline(b.hook) == b.now);
  run(&b);
  file_is("out", "1 1 1 2 ");
  /* But it fails as the ones before did. */
  assert_true(hook_deadline(b.hook) == b.now + 120 * SECOND);
  hook_close(b.hook);
}

static void many_events_come_in_order(void **state) {
  char line[16], expected[2048] = "";
  bench b;
  int i;

  (void)state;
  open_bench(&b, HOOK_ALL, "cat >>$DIR/out");
  for (i = 0; i < 100; ++i) {
    snprintf(line, sizeof(line), "%d\n", i);
    strcat(expected, line);
    tell(&b, line);
  }
  assert_int_equal(health_of(&b).pending, 100);
  settle(&b);
  assert_int_equal(health_of(&b).runs, 100);
  file_is("out", expected);
  hook_close(b.hook);
}

static void too_many_events_are_counted(void **state) {
  const hook_config config = {
      .name = "on-test",
      .command = "read x; echo $x $FORTNIGHT_DROPPED >>$DIR/out",
      .kind = HOOK_ALL,
      .queue_max = 4};
  const char *found;
  char line[16];
  bench b;
  int i;

  (void)state;
  open_with(&b, &config);
  for (i = 0; i < 10; ++i) {
    snprintf(line, sizeof(line), "%d\n", i);
    tell(&b, line);
    if (i == 0) {
      hook_serve(b.hook, b.now); /* It runs. */
    }
    assert_int_equal(health_of(&b).pending, i < 4 ? i + 1 : 4);
  }
  assert_int_equal(health_of(&b).dropped, 6);
  found = strstr(b.log, "does not keep up");
  assert_non_null(found);
  assert_null(strstr(found + 1, "does not keep up"));
  settle(&b);
  /* The one that ran when they were dropped could not know. */
  file_is("out", "0 0\n7 6\n8 0\n9 0\n");
  assert_int_equal(health_of(&b).pending, 0);
  hook_close(b.hook);
}

static void no_hook_has_nothing_to_do(void **state) {
  const cm_publication pub = publication_of(1, "e30.e30.AA");
  const cm_journal_entry entry = {.event = "x"};
  documents_hook health;
  struct pollfd fd;

  (void)state;
  assert_int_equal(hook_publish(NULL, &pub, 1), 0);
  assert_int_equal(hook_event(NULL, &entry, "x", 1, 1), 0);
  assert_int_equal(hook_tell(NULL, "x", 1, NULL, 0, 1), 0);
  assert_int_equal(hook_pollfds(NULL, &fd), 0);
  assert_true(hook_deadline(NULL) == UINT64_MAX);
  assert_false(hook_is_busy(NULL, 1));
  hook_serve(NULL, 1);
  hook_get_health(NULL, &health);
  assert_int_equal(health.ok, 1);
  hook_close(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_publication_is_handed_over),
      cmocka_unit_test(an_event_is_handed_over),
      cmocka_unit_test(what_is_withdrawn_is_not_told),
      cmocka_unit_test(big_input_needs_no_reader),
      cmocka_unit_test(nothing_of_ours_is_inherited),
      cmocka_unit_test(output_goes_to_our_standard_error),
      cmocka_unit_test(signals_are_as_a_command_expects),
      cmocka_unit_test(a_failure_climbs_the_ladder),
      cmocka_unit_test(an_event_is_given_up_in_the_end),
      cmocka_unit_test(what_cannot_be_run_has_failed),
      cmocka_unit_test(who_hangs_is_ended),
      cmocka_unit_test(who_does_not_care_is_killed),
      cmocka_unit_test(its_children_are_killed_with_it),
      cmocka_unit_test(a_time_out_can_be_chosen),
      cmocka_unit_test(closing_ends_what_runs),
      cmocka_unit_test(only_the_newest_is_told),
      cmocka_unit_test(what_is_new_does_not_wait_for_the_ladder),
      cmocka_unit_test(many_events_come_in_order),
      cmocka_unit_test(too_many_events_are_counted),
      cmocka_unit_test(no_hook_has_nothing_to_do)};

  return cmocka_run_group_tests(tests, set_up, tear_down);
}
