/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "server/publisher_posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* No step may take longer. */
#define PATIENCE_MS 10000

#define SECOND UINT64_C(1000000000)

/* What answers: the request, as it was understood; "/fail" fails, "/empty" has
   no body, "/long" gives |long_len| octets. */
typedef struct server {
  publisher *publisher;
  uint64_t now;
  unsigned asked;
  size_t long_len;
} server;

static int get(void *user, documents_reply *reply,
               const documents_request *request) {
  server *s = user;
  char line[512];

  ++s->asked;
  memset(reply, 0, sizeof(*reply));
  if (strcmp(request->path, "/fail") == 0) {
    return DOCUMENTS_ERR_NOMEM;
  }
  reply->status = 200;
  reply->headers[0].name = "etag";
  strcpy(reply->headers[0].value, "\"7\"");
  reply->nheaders = 1;
  if (strcmp(request->path, "/empty") == 0) {
    reply->status = 304;
    return 0;
  }
  if (strcmp(request->path, "/long") == 0) {
    reply->body = malloc(s->long_len);
    assert_non_null(reply->body);
    memset(reply->body, 'x', s->long_len);
    reply->len = s->long_len;
    return 0;
  }
  snprintf(line, sizeof(line), "%s %s inm=%s accept=%s", request->method,
           request->path, request->if_none_match ? request->if_none_match : "-",
           request->accept ? request->accept : "-");
  reply->body = strdup(line);
  assert_non_null(reply->body);
  reply->len = strlen(line);
  return 0;
}

static void open_server(server *s, const char *address, int anywhere) {
  publisher_config config = {
      .address = address, .anywhere = anywhere, .get = get, .user = s};

  memset(s, 0, sizeof(*s));
  s->now = 1000 * SECOND;
  assert_int_equal(publisher_open(&s->publisher, &config), 0);
  assert_true(publisher_port(s->publisher) > 0);
  publisher_serve(s->publisher, s->now);
  assert_true(publisher_deadline(s->publisher) == UINT64_MAX);
}

static int dial_at(const server *s, uint32_t address) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  assert_true(fd >= 0);
  a.sin_addr.s_addr = htonl(address);
  a.sin_port = htons(publisher_port(s->publisher));
  assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
  assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  return fd;
}

static int dial(const server *s) { return dial_at(s, INADDR_LOOPBACK); }

static void say(int fd, const char *text) {
  size_t len = strlen(text);

  assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* One turn of a host's loop, which also ends when |fd| is readable. */
static void turn(server *s, int fd) {
  struct pollfd fds[2] = {{.fd = publisher_fd(s->publisher), .events = POLLIN},
                          {.fd = fd, .events = POLLIN}};
  int now = publisher_deadline(s->publisher) <= s->now;

  assert_true(poll(fds, 2, now ? 0 : PATIENCE_MS) > (now ? -1 : 0));
  publisher_serve(s->publisher, s->now);
}

/* Serves until nothing more is to be done at once. */
static void settle(server *s) {
  struct pollfd fd = {.fd = publisher_fd(s->publisher), .events = POLLIN};
  int turns = 0;

  while (poll(&fd, 1, 0) > 0 || publisher_deadline(s->publisher) <= s->now) {
    assert_true(++turns < 1000);
    publisher_serve(s->publisher, s->now);
  }
}

/* Serves until |fd| has been told everything; to be freed. */
static char *hear(server *s, int fd) {
  size_t len = 0, room = 1024;
  char *text = malloc(room + 1);

  assert_non_null(text);
  for (;;) {
    ssize_t n;

    if (len == room) {
      room *= 2;
      text = realloc(text, room + 1);
      assert_non_null(text);
    }
    n = recv(fd, text + len, room - len, 0);
    if (n == 0 || (n < 0 && errno == ECONNRESET)) {
      break;
    }
    if (n > 0) {
      len += (size_t)n;
      continue;
    }
    assert_int_equal(errno, EAGAIN);
    turn(s, fd);
  }
  close(fd);
  text[len] = '\0';
  return text;
}

static char *ask(server *s, const char *request) {
  int fd = dial(s);

  say(fd, request);
  return hear(s, fd);
}

static int status_of(const char *reply) {
  int status = 0;

  assert_int_equal(sscanf(reply, "HTTP/1.%*d %d", &status), 1);
  return status;
}

static const char *body_of(const char *reply) {
  const char *body = strstr(reply, "\r\n\r\n");

  assert_non_null(body);
  return body + 4;
}

/* Whether |reply| has this line among its headers. */
static int has(const char *reply, const char *line) {
  const char *found = strcasestr(reply, line);

  return found && found < body_of(reply) && found[-1] == '\n' &&
         found[strlen(line)] == '\r';
}

static void a_request_is_answered(void **state) {
  char *reply;
  server s;

  (void)state;
  open_server(&s, NULL, 0);
  reply = ask(&s, "GET /hashes.json?x=1 HTTP/1.1\r\nHost: localhost:1\r\n"
                  "If-None-Match: W/\"6\"\r\nAccept: text/html\r\n\r\n");
  assert_int_equal(status_of(reply), 200);
  assert_string_equal(body_of(reply),
                      "GET /hashes.json inm=W/\"6\" accept=text/html");
  assert_true(has(reply, "etag: \"7\""));
  assert_true(has(reply, "connection: close"));
  assert_true(has(reply, "content-length: 43"));
  free(reply);
  /* The same to HEAD, without the body. */
  reply = ask(&s, "HEAD /hashes.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert_int_equal(status_of(reply), 200);
  assert_string_equal(body_of(reply), "");
  assert_true(has(reply, "content-length: 32"));
  free(reply);
  reply = ask(&s, "GET /empty HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert_int_equal(status_of(reply), 304);
  assert_string_equal(body_of(reply), "");
  assert_true(has(reply, "etag: \"7\""));
  free(reply);
  /* What is uploaded is of no use, and need not come. */
  reply = ask(&s, "POST / HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Length: 1000000\r\n\r\nabc");
  assert_string_equal(body_of(reply), "POST / inm=- accept=-");
  free(reply);
  /* As HTTP/1.0 has it. */
  reply = ask(&s, "GET / HTTP/1.0\r\n\r\n");
  assert_int_equal(status_of(reply), 200);
  free(reply);
  assert_int_equal(s.asked, 5);
  settle(&s);
  assert_true(publisher_deadline(s.publisher) == UINT64_MAX);
  publisher_close(s.publisher);
}

static void a_failure_is_told(void **state) {
  char *reply;
  server s;

  (void)state;
  open_server(&s, NULL, 0);
  reply = ask(&s, "GET /fail HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert_int_equal(status_of(reply), 500);
  free(reply);
  publisher_close(s.publisher);
}

static void only_loopback_hosts_are_answered(void **state) {
  static const struct {
    const char *host;
    int loopback;
  } rows[] = {{"localhost", 1},
              {"LOCALHOST:4433", 1},
              {"localhost.", 1},
              {"localhost:", 1},
              {"a.localhost:80", 1},
              {"127.0.0.1", 1},
              {"127.255.3.4:9", 1},
              {"[::1]", 1},
              {"[::1]:4433", 1},
              {"[0:0:0:0:0:0:0:1]", 1},
              {"", 0},
              {":80", 0},
              {".", 0},
              {"::1", 0},
              {"evil.example", 0},
              {"evil.example:4433", 0},
              {"localhost.evil.example", 0},
              {"evil-localhost", 0},
              {"127.0.0.1.evil.example", 0},
              {"127.0.0.1@evil.example", 0},
              {"localhost:80@evil.example", 0},
              {"127.1", 0},
              {"0x7f.0.0.1", 0},
              {"2130706433", 0},
              {"126.0.0.1", 0},
              {"128.0.0.1", 0},
              {"0.0.0.0", 0},
              {"192.168.1.1", 0},
              {"[::]", 0},
              {"[::2]", 0},
              {"[::1", 0},
              {"[::1]x", 0},
              {"[127.0.0.1]", 0},
              {"[localhost]", 0},
              {"[::ffff:10.0.0.1]", 0},
              {"local host", 0},
              {"localhost:x", 0}};
  char request[256], longest[400];
  unsigned asked = 0;
  char *reply;
  size_t i;
  server s;

  (void)state;
  open_server(&s, "127.0.0.1", 1);
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    assert_int_equal(publisher_is_loopback(rows[i].host), rows[i].loopback);
    snprintf(request, sizeof(request),
             "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
    reply = ask(&s, request);
    if (rows[i].loopback) {
      assert_int_equal(status_of(reply), 200);
      ++asked;
    } else {
      /* libmicrohttpd refuses some of them itself. */
      assert_true(status_of(reply) == 403 || status_of(reply) == 400);
      assert_null(strstr(reply, "metrics"));
    }
    assert_int_equal(s.asked, asked);
    free(reply);
  }
  reply = ask(&s, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  assert_int_equal(status_of(reply), 403);
  assert_non_null(strstr(body_of(reply), "localhost"));
  free(reply);
  /* Two, of which one is good, are none. */
  reply = ask(&s, "GET / HTTP/1.1\r\nHost: localhost\r\n"
                  "Host: evil.example\r\n\r\n");
  assert_int_equal(status_of(reply), 400);
  free(reply);
  memset(longest, 'a', sizeof(longest));
  strcpy(longest + sizeof(longest) - 11, ".localhost");
  assert_false(publisher_is_loopback(longest));
  publisher_close(s.publisher);
}

static void nonsense_is_refused(void **state) {
  static const char *const nonsense[] = {
      "\r\n\r\nxx\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"};
  char huge[64 * 1024];
  size_t i;
  int fd;
  char *reply;
  server s;

  (void)state;
  open_server(&s, NULL, 0);
  for (i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); ++i) {
    fd = dial(&s);
    say(fd, nonsense[i]);
    settle(&s);
    /* It may wait for more, but not for ever. */
    s.now += PUBLISHER_PATIENCE;
    publisher_serve(s.publisher, s.now);
    reply = hear(&s, fd);
    if (*reply) {
      assert_in_range(status_of(reply), 400, 599);
    }
    free(reply);
  }
  assert_int_equal(s.asked, 0);
  /* More than there is room for. */
  memset(huge, 'a', sizeof(huge) - 1);
  huge[sizeof(huge) - 1] = '\0';
  memcpy(huge, "GET /", 5);
  reply = ask(&s, huge);
  if (*reply) {
    assert_in_range(status_of(reply), 400, 599);
  }
  free(reply);
  assert_int_equal(s.asked, 0);
  /* It goes on. */
  reply = ask(&s, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert_int_equal(status_of(reply), 200);
  free(reply);
  publisher_close(s.publisher);
}

/* The peer has cut |fd| off without a word. */
static void is_cut_off(server *s, int fd) {
  char *reply = hear(s, fd);

  assert_string_equal(reply, "");
  free(reply);
}

static void who_is_slow_is_cut_off(void **state) {
  int silent, drop;
  char *reply;
  server s;
  int i;

  (void)state;
  open_server(&s, NULL, 0);
  silent = dial(&s);
  settle(&s);
  assert_true(publisher_deadline(s.publisher) == s.now + PUBLISHER_PATIENCE);
  s.now += SECOND;
  drop = dial(&s);
  settle(&s);
  /* An octet now and then does not help. */
  for (i = 0; i < 8; ++i) {
    s.now += SECOND;
    say(drop, "G");
    settle(&s);
  }
  /* Others are served meanwhile. */
  reply = ask(&s, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert_int_equal(status_of(reply), 200);
  free(reply);
  s.now = publisher_deadline(s.publisher);
  assert_true(s.now == 1000 * SECOND + PUBLISHER_PATIENCE);
  publisher_serve(s.publisher, s.now);
  is_cut_off(&s, silent);
  settle(&s);
  assert_true(publisher_deadline(s.publisher) == s.now + SECOND);
  s.now += SECOND;
  publisher_serve(s.publisher, s.now);
  is_cut_off(&s, drop);
  settle(&s);
  assert_true(publisher_deadline(s.publisher) == UINT64_MAX);
  assert_int_equal(s.asked, 1);
  publisher_close(s.publisher);
}

static void who_does_not_read_is_cut_off(void **state) {
  struct pollfd fd = {.events = POLLIN};
  char some[4096];
  size_t len = 0;
  ssize_t n;
  server s;

  (void)state;
  open_server(&s, NULL, 0);
  s.long_len = 64 * 1024 * 1024;
  fd.fd = dial(&s);
  say(fd.fd, "GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n");
  settle(&s);
  assert_int_equal(s.asked, 1);
  s.now = publisher_deadline(s.publisher);
  publisher_serve(s.publisher, s.now);
  settle(&s);
  assert_true(publisher_deadline(s.publisher) == UINT64_MAX);
  for (;;) {
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    n = recv(fd.fd, some, sizeof(some), 0);
    if (n <= 0) {
      break;
    }
    len += (size_t)n;
  }
  assert_true(len < s.long_len);
  close(fd.fd);
  publisher_close(s.publisher);
}

static void a_long_reply_comes_whole(void **state) {
  char *reply;
  server s;

  (void)state;
  open_server(&s, NULL, 0);
  s.long_len = 8 * 1024 * 1024;
  reply = ask(&s, "GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert_int_equal(status_of(reply), 200);
  assert_int_equal(strlen(body_of(reply)), s.long_len);
  free(reply);
  publisher_close(s.publisher);
}

static void who_goes_away_harms_nobody(void **state) {
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  char *reply;
  server s;
  int i, fd;

  (void)state;
  open_server(&s, NULL, 0);
  s.long_len = 8 * 1024 * 1024;
  for (i = 0; i < 20; ++i) {
    fd = dial(&s);
    if (i % 2) {
      say(fd, "GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    if (i % 4 >= 2) {
      settle(&s);
    }
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(fd);
  }
  settle(&s);
  assert_true(publisher_deadline(s.publisher) == UINT64_MAX);
  reply = ask(&s, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert_int_equal(status_of(reply), 200);
  free(reply);
  publisher_close(s.publisher);
}

static void the_number_of_clients_is_bounded(void **state) {
  int fds[PUBLISHER_CLIENTS_MAX + 8];
  const int n = PUBLISHER_CLIENTS_MAX + 8;
  char *reply;
  server s;
  int i;

  (void)state;
  open_server(&s, NULL, 0);
  for (i = 0; i < n; ++i) {
    fds[i] = dial(&s);
    publisher_serve(s.publisher, s.now);
  }
  /* This ends: those who wait do not keep the loop busy. */
  settle(&s);
  for (i = 0; i < n; ++i) {
    say(fds[i], "GET / HTTP/1.1\r\n");
  }
  settle(&s);
  say(fds[n - 1], "Host: localhost\r\n\r\n");
  settle(&s);
  assert_int_equal(s.asked, 0);
  /* There is a place when another's time is over. */
  s.now = publisher_deadline(s.publisher);
  reply = hear(&s, fds[n - 1]);
  assert_int_equal(status_of(reply), 200);
  free(reply);
  for (i = 0; i < n - 1; ++i) {
    close(fds[i]);
  }
  publisher_close(s.publisher);
}

static void closing_cuts_everybody_off(void **state) {
  struct pollfd fd = {.events = POLLIN};
  char c;
  server s;

  (void)state;
  open_server(&s, NULL, 0);
  fd.fd = dial(&s);
  say(fd.fd, "GET /");
  settle(&s);
  publisher_close(s.publisher);
  assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
  assert_true(recv(fd.fd, &c, 1, 0) <= 0);
  close(fd.fd);
  publisher_close(NULL);
}

static void only_loopback_is_bound_unasked(void **state) {
  static const char *const elsewhere[] = {"0.0.0.0", "::", "192.0.2.1",
                                          "2001:db8::1"};
  static const char *const nowhere[] = {"",      "localhost",   "127.0.0.1:80",
                                        "[::1]", "127.0.0.256", "evil"};
  publisher_config config = {.get = get};
  publisher *p;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); ++i) {
    config.address = elsewhere[i];
    config.anywhere = 0;
    assert_int_equal(publisher_open(&p, &config), PUBLISHER_ERR_NOT_LOOPBACK);
    assert_null(p);
  }
  for (i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); ++i) {
    config.address = nowhere[i];
    config.anywhere = 1;
    assert_int_equal(publisher_open(&p, &config), PUBLISHER_ERR_ADDRESS);
    assert_null(p);
  }
  /* No machine has this one: it is for documentation. */
  config.address = "192.0.2.1";
  assert_int_equal(publisher_open(&p, &config), PUBLISHER_ERR_ADDRESS);
}

static void anywhere_any_host_is_answered(void **state) {
  char *reply;
  int fd;
  server s;

  (void)state;
  open_server(&s, "0.0.0.0", 1);
  fd = dial_at(&s, INADDR_LOOPBACK + 1);
  say(fd, "GET / HTTP/1.1\r\nHost: appliance.example:8080\r\n\r\n");
  reply = hear(&s, fd);
  assert_int_equal(status_of(reply), 200);
  free(reply);
  publisher_close(s.publisher);
}

static void a_port_is_bound_once(void **state) {
  publisher_config config = {.get = get};
  publisher *p;
  char *reply;
  server s;

  (void)state;
  open_server(&s, NULL, 0);
  config.port = publisher_port(s.publisher);
  assert_int_equal(publisher_open(&p, &config), PUBLISHER_ERR_IN_USE);
  assert_null(p);
  /* And again at once when it is free. */
  reply = ask(&s, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  free(reply);
  publisher_close(s.publisher);
  assert_int_equal(publisher_open(&p, &config), 0);
  assert_int_equal(publisher_port(p), config.port);
  publisher_close(p);
}

static void nothing_is_inherited(void **state) {
  int before[256];
  int fd, flags, i, made = 0;
  server s;

  (void)state;
  for (i = 0; i < 256; ++i) {
    before[i] = fcntl(i, F_GETFD) >= 0;
  }
  open_server(&s, NULL, 0);
  fd = dial(&s);
  settle(&s);
  for (i = 0; i < 256; ++i) {
    flags = before[i] ? -1 : fcntl(i, F_GETFD);
    if (flags >= 0) {
      assert_true(flags & FD_CLOEXEC);
      ++made;
    }
  }
  /* Ours; and theirs: to listen, to poll, and one for the connection. */
  assert_true(made >= 4);
  close(fd);
  publisher_close(s.publisher);
}

static void addresses_are_read(void **state) {
  static const struct {
    const char *text;
    const char *address; /* NULL: refused */
    uint16_t port;
  } rows[] = {{"127.0.0.1:8080", "127.0.0.1", 8080},
              {"[::1]:1", "::1", 1},
              {"0.0.0.0:65535", "0.0.0.0", 65535},
              {"127.0.0.1:0", "127.0.0.1", 0},
              {"127.0.0.1:65536", NULL, 0},
              {"127.0.0.1:100000", NULL, 0},
              {"127.0.0.1:-1", NULL, 0},
              {"127.0.0.1:+1", NULL, 0},
              {"127.0.0.1: 1", NULL, 0},
              {"127.0.0.1:", NULL, 0},
              {"127.0.0.1", NULL, 0},
              {"[127.0.0.1]:80", NULL, 0},
              {"::1:80", NULL, 0},
              {"[::1]", NULL, 0},
              {"[::1]80", NULL, 0},
              {"[::1:80", NULL, 0},
              {"localhost:80", NULL, 0},
              {":80", NULL, 0},
              {"80", NULL, 0},
              {"", NULL, 0}};
  char address[PUBLISHER_ADDRESS_MAX];
  uint16_t port;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    int rv = publisher_parse(address, &port, rows[i].text);

    assert_int_equal(rv, rows[i].address ? 0 : PUBLISHER_ERR_ADDRESS);
    if (rows[i].address) {
      assert_string_equal(address, rows[i].address);
      assert_int_equal(port, rows[i].port);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_is_answered),
      cmocka_unit_test(a_failure_is_told),
      cmocka_unit_test(only_loopback_hosts_are_answered),
      cmocka_unit_test(nonsense_is_refused),
      cmocka_unit_test(who_is_slow_is_cut_off),
      cmocka_unit_test(who_does_not_read_is_cut_off),
      cmocka_unit_test(a_long_reply_comes_whole),
      cmocka_unit_test(who_goes_away_harms_nobody),
      cmocka_unit_test(the_number_of_clients_is_bounded),
      cmocka_unit_test(closing_cuts_everybody_off),
      cmocka_unit_test(only_loopback_is_bound_unasked),
      cmocka_unit_test(anywhere_any_host_is_answered),
      cmocka_unit_test(a_port_is_bound_once),
      cmocka_unit_test(nothing_is_inherited),
      cmocka_unit_test(addresses_are_read)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
