/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "server/control_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* No step may take longer. */
#define PATIENCE_MS 10000

static char folder[] = "/tmp/control-test-XXXXXX";
static char path[64];

/* What answers: the line in brackets; "long" gives |long_len| octets, "none"
   nothing. */
typedef struct server {
  control *control;
  size_t answered;
  size_t long_len;
} server;

static char *answer(void *user, const char *line) {
  server *s = user;
  char *reply;

  ++s->answered;
  if (strcmp(line, "none") == 0) {
    return NULL;
  }
  if (strcmp(line, "long") == 0) {
    reply = malloc(s->long_len + 1);
    assert_non_null(reply);
    memset(reply, 'x', s->long_len);
    reply[s->long_len] = '\0';
    return reply;
  }
  reply = malloc(strlen(line) + 3);
  assert_non_null(reply);
  sprintf(reply, "[%s]", line);
  return reply;
}

static int set_up(void **state) {
  (void)state;
  if (!mkdtemp(folder)) {
    return -1;
  }
  snprintf(path, sizeof(path), "%s/run/s.sock", folder);
  return setenv("XDG_RUNTIME_DIR", folder, 1);
}

static int tear_down(void **state) {
  char dir[64];

  (void)state;
  snprintf(dir, sizeof(dir), "%s/run", folder);
  rmdir(dir);
  snprintf(dir, sizeof(dir), "%s/fortnight-%lu", folder,
           (unsigned long)getuid());
  rmdir(dir);
  /* Fails if a test left something. */
  return rmdir(folder);
}

static void open_server(server *s) {
  memset(s, 0, sizeof(*s));
  assert_int_equal(control_open(&s->control, path), 0);
}

static void address_of(struct sockaddr_un *address, const char *at) {
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  strcpy(address->sun_path, at);
}

static int dial(void) {
  const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
  struct sockaddr_un address;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  assert_true(fd >= 0);
  address_of(&address, path);
  assert_int_equal(
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
  assert_int_equal(
      connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
  return fd;
}

/* Serves whoever is ready, |timeout| milliseconds at most.  How many were. */
static int serve(server *s, int timeout) {
  struct pollfd fds[CONTROL_POLLFDS_MAX];
  size_t n = control_pollfds(s->control, fds);
  int rv;

  assert_in_range(n, 1, CONTROL_POLLFDS_MAX);
  rv = poll(fds, (nfds_t)n, timeout);
  assert_true(rv >= 0);
  control_serve(s->control, fds, n, answer, s);
  return rv;
}

/* Serves until nobody is ready. */
static void settle(server *s) {
  int turns = 0;

  while (serve(s, 0)) {
    assert_true(++turns < 10000);
  }
}

static void tell(int fd, const char *text) {
  assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What is there to read now, as a string. */
static void check_heard(int fd, const char *expected) {
  char text[256];
  ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

  if (*expected == '\0') {
    assert_int_equal(n, -1);
    assert_int_equal(errno, EAGAIN);
    return;
  }
  assert_true(n > 0);
  text[n] = '\0';
  assert_string_equal(text, expected);
}

static void check_hung_up(int fd) {
  char c;
  ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);

  /* What it did not read makes it a reset. */
  assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

static void test_modes(void **state) {
  mode_t mask = umask(0);
  struct stat st;
  char dir[64];
  server s;

  (void)state;
  open_server(&s);
  assert_int_equal(stat(path, &st), 0);
  assert_true(S_ISSOCK(st.st_mode));
  assert_int_equal(st.st_mode & 0777, 0600);
  snprintf(dir, sizeof(dir), "%s/run", folder);
  assert_int_equal(stat(dir, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  /* The process's own mask is as it was. */
  assert_int_equal(umask(mask), 0);
  control_close(s.control);
  assert_int_equal(stat(path, &st), -1);
  control_close(NULL);
}

static void test_default_path(void **state) {
  char expected[128], text[128], small[8], dir[100];
  control *c;

  (void)state;
  snprintf(dir, sizeof(dir), "%s/fortnight-%lu", folder,
           (unsigned long)getuid());
  snprintf(expected, sizeof(expected), "%s/4433.sock", dir);
  assert_int_equal(control_default_path(text, sizeof(text), 4433), 0);
  assert_string_equal(text, expected);
  assert_int_equal(control_default_path(small, sizeof(small), 4433),
                   CONTROL_ERR_PATH);
  /* Nobody is there. */
  assert_int_equal(control_find(text, sizeof(text)), CONTROL_ERR_NOBODY);
  assert_int_equal(control_open(&c, expected), 0);
  assert_int_equal(control_find(text, sizeof(text)), 0);
  assert_string_equal(text, expected);
  assert_int_equal(control_find(small, sizeof(small)), CONTROL_ERR_NOBODY);
  control_close(c);

  /* A folder that others may write to is not ours alone. */
  assert_int_equal(chmod(dir, 0770), 0);
  assert_int_equal(control_open(&c, expected), CONTROL_ERR_PATH);
  assert_int_equal(errno, EPERM);
  assert_null(c);
  assert_int_equal(rmdir(dir), 0);
  /* Nor is a link to one. */
  assert_int_equal(symlink(folder, dir), 0);
  assert_int_equal(control_open(&c, expected), CONTROL_ERR_PATH);
  assert_int_equal(unlink(dir), 0);
}

static void test_find_among_several(void **state) {
  char at[2][128], text[128];
  control *c[2];
  unsigned i;

  (void)state;
  for (i = 0; i < 2; ++i) {
    assert_int_equal(control_default_path(at[i], sizeof(at[i]), 1000 + i), 0);
    assert_int_equal(control_open(&c[i], at[i]), 0);
  }
  assert_int_equal(control_find(text, sizeof(text)), CONTROL_ERR_IN_USE);
  control_close(c[0]);
  assert_int_equal(control_find(text, sizeof(text)), 0);
  assert_string_equal(text, at[1]);
  control_close(c[1]);
}

static void test_bad_paths(void **state) {
  char long_path[200];
  char *reply;
  control *c;

  (void)state;
  memset(long_path, 'x', sizeof(long_path));
  memcpy(long_path, "/tmp/", 5);
  long_path[sizeof(long_path) - 1] = '\0';
  assert_int_equal(control_open(&c, long_path), CONTROL_ERR_PATH);
  assert_null(c);
  assert_int_equal(control_open(&c, ""), CONTROL_ERR_PATH);
  assert_int_equal(control_open(&c, "/nonexistent/deep/s.sock"),
                   CONTROL_ERR_PATH);
  assert_int_equal(control_request(&reply, long_path, "x"), CONTROL_ERR_PATH);
  assert_null(reply);
  assert_int_equal(control_request(&reply, path, "x"), CONTROL_ERR_NOBODY);
}

static void test_live_one_is_refused(void **state) {
  server s;
  control *c;
  int fd;

  (void)state;
  open_server(&s);
  assert_int_equal(control_open(&c, path), CONTROL_ERR_IN_USE);
  assert_null(c);
  /* The first is not disturbed. */
  settle(&s);
  fd = dial();
  tell(fd, "hello\n");
  settle(&s);
  check_heard(fd, "[hello]\n");
  close(fd);
  control_close(s.control);
}

static void test_stale_one_is_replaced(void **state) {
  struct sockaddr_un address;
  server s;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  (void)state;
  address_of(&address, path);
  assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)),
                   0);
  assert_int_equal(listen(fd, 1), 0);
  close(fd);
  open_server(&s);
  fd = dial();
  tell(fd, "a\n");
  settle(&s);
  check_heard(fd, "[a]\n");
  close(fd);
  control_close(s.control);
}

/* A plain file with that name is somebody's, and stays. */
static void test_file_is_not_replaced(void **state) {
  struct stat st;
  control *c;
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

  (void)state;
  assert_true(fd >= 0);
  assert_int_equal(write(fd, "dear", 4), 4);
  close(fd);
  assert_int_equal(control_open(&c, path), CONTROL_ERR_PATH);
  assert_null(c);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_size, 4);
  assert_int_equal(unlink(path), 0);
}

static void test_partial_lines(void **state) {
  server s;
  int fd;

  (void)state;
  open_server(&s);
  fd = dial();
  tell(fd, "{\"comm");
  settle(&s);
  assert_int_equal(s.answered, 0);
  check_heard(fd, "");
  tell(fd, "and\":1}");
  settle(&s);
  tell(fd, "\n");
  settle(&s);
  check_heard(fd, "[{\"command\":1}]\n");
  /* An empty line is a line. */
  tell(fd, "\n");
  settle(&s);
  check_heard(fd, "[]\n");
  close(fd);
  control_close(s.control);
}

/* Several lines at once are answered one by one, without another word. */
static void test_lines_at_once(void **state) {
  server s;
  int fd;

  (void)state;
  open_server(&s);
  fd = dial();
  tell(fd, "one\ntwo\nthree\nfo");
  settle(&s);
  assert_int_equal(s.answered, 3);
  check_heard(fd, "[one]\n[two]\n[three]\n");
  tell(fd, "ur\n");
  settle(&s);
  check_heard(fd, "[four]\n");
  /* And no more is said: what came before is answered. */
  tell(fd, "five\nsix\n");
  assert_int_equal(shutdown(fd, SHUT_WR), 0);
  settle(&s);
  check_heard(fd, "[five]\n[six]\n");
  check_hung_up(fd);
  close(fd);
  control_close(s.control);
}

static void test_long_line(void **state) {
  char line[CONTROL_LINE_MAX + 1];
  char reply[CONTROL_LINE_MAX + 10];
  server s;
  int fd;

  (void)state;
  open_server(&s);
  /* The longest. */
  memset(line, 'x', sizeof(line));
  line[CONTROL_LINE_MAX - 1] = '\n';
  line[CONTROL_LINE_MAX] = '\0';
  fd = dial();
  tell(fd, line);
  settle(&s);
  assert_int_equal(s.answered, 1);
  assert_int_equal(recv(fd, reply, sizeof(reply), MSG_DONTWAIT),
                   CONTROL_LINE_MAX + 2);
  /* The same again, behind a short one: the buffer is full in between. */
  tell(fd, "short\n");
  tell(fd, line);
  settle(&s);
  assert_int_equal(s.answered, 3);
  close(fd);
  settle(&s);
  /* One octet more. */
  line[CONTROL_LINE_MAX - 1] = 'x';
  fd = dial();
  tell(fd, line);
  settle(&s);
  assert_int_equal(s.answered, 3);
  check_hung_up(fd);
  close(fd);
  control_close(s.control);
}

static void test_client_hangs_up(void **state) {
  server s;
  int fd;

  (void)state;
  open_server(&s);
  s.long_len = 4 << 20;
  /* At once, in the middle of a line, behind one, in the middle of a reply. */
  close(dial());
  settle(&s);
  fd = dial();
  tell(fd, "half a li");
  settle(&s);
  close(fd);
  settle(&s);
  fd = dial();
  tell(fd, "a\n");
  close(fd);
  settle(&s);
  fd = dial();
  tell(fd, "long\n");
  settle(&s);
  close(fd);
  settle(&s);
  /* No answer for want of memory: it is hung up on. */
  fd = dial();
  tell(fd, "none\n");
  settle(&s);
  check_hung_up(fd);
  close(fd);
  /* All places are free again. */
  {
    struct pollfd fds[CONTROL_POLLFDS_MAX];

    assert_int_equal(control_pollfds(s.control, fds), 1);
  }
  control_close(s.control);
}

static void test_several_clients(void **state) {
  int fds[CONTROL_CLIENTS_MAX + 2];
  char text[32], expected[32];
  server s;
  size_t i;

  (void)state;
  open_server(&s);
  for (i = 0; i < CONTROL_CLIENTS_MAX + 2; ++i) {
    fds[i] = dial();
    settle(&s);
  }
  for (i = 0; i < CONTROL_CLIENTS_MAX + 2; ++i) {
    snprintf(text, sizeof(text), "client %zu\n", i);
    tell(fds[i], text);
  }
  settle(&s);
  for (i = 0; i < CONTROL_CLIENTS_MAX; ++i) {
    snprintf(expected, sizeof(expected), "[client %zu]\n", i);
    check_heard(fds[i], expected);
  }
  /* More wait until somebody goes. */
  check_heard(fds[CONTROL_CLIENTS_MAX], "");
  close(fds[3]);
  close(fds[5]);
  settle(&s);
  for (; i < CONTROL_CLIENTS_MAX + 2; ++i) {
    snprintf(expected, sizeof(expected), "[client %zu]\n", i);
    check_heard(fds[i], expected);
  }
  for (i = 0; i < CONTROL_CLIENTS_MAX + 2; ++i) {
    if (i != 3 && i != 5) {
      close(fds[i]);
    }
  }
  control_close(s.control);
}

/* A reply that the socket does not take at once, while others are served. */
static void test_slow_reader(void **state) {
  static char text[1 << 16];
  size_t total = 0;
  server s;
  int slow, other;

  (void)state;
  open_server(&s);
  s.long_len = 4 << 20;
  slow = dial();
  tell(slow, "long\nafter\n");
  settle(&s);
  other = dial();
  tell(other, "quick\n");
  settle(&s);
  check_heard(other, "[quick]\n");
  assert_int_equal(s.answered, 2);
  while (total < s.long_len + 1 + 8) {
    ssize_t n = recv(slow, text, sizeof(text), MSG_DONTWAIT);

    assert_true(n > 0);
    total += (size_t)n;
    settle(&s);
  }
  assert_int_equal(total, s.long_len + 1 + 8);
  assert_int_equal(s.answered, 3);
  close(slow);
  close(other);
  control_close(s.control);
}

/* Another process asks; it ends with 0 if all was well. */
static void ask(server *s, const char *line, int expected, size_t len) {
  int status, turns = 0;
  pid_t pid = fork();

  assert_true(pid >= 0);
  if (pid == 0) {
    char *reply;
    int rv = control_request(&reply, path, line);

    _exit(rv == expected && (rv != 0 || strlen(reply) == len) &&
                  (rv == 0 || !reply)
              ? 0
              : 1);
  }
  while (waitpid(pid, &status, WNOHANG) == 0) {
    serve(s, 10);
    assert_true(++turns < PATIENCE_MS);
  }
  settle(s);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_request(void **state) {
  server s;

  (void)state;
  open_server(&s);
  ask(&s, "{\"command\":\"status\"}", 0, 22);
  s.long_len = 65535;
  ask(&s, "long", 0, s.long_len);
  s.long_len = 65536;
  ask(&s, "long", 0, s.long_len);
  s.long_len = 5000000;
  ask(&s, "long", 0, s.long_len);
  ask(&s, "none", CONTROL_ERR_REPLY, 0);
  control_close(s.control);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_modes),
      cmocka_unit_test(test_default_path),
      cmocka_unit_test(test_find_among_several),
      cmocka_unit_test(test_bad_paths),
      cmocka_unit_test(test_live_one_is_refused),
      cmocka_unit_test(test_stale_one_is_replaced),
      cmocka_unit_test(test_file_is_not_replaced),
      cmocka_unit_test(test_partial_lines),
      cmocka_unit_test(test_lines_at_once),
      cmocka_unit_test(test_long_line),
      cmocka_unit_test(test_client_hangs_up),
      cmocka_unit_test(test_several_clients),
      cmocka_unit_test(test_slow_reader),
      cmocka_unit_test(test_request),
  };

  return cmocka_run_group_tests(tests, set_up, tear_down);
}
