/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation fails once, and ten times in a row, while documents are
 * asked for, hooks are told and HTTP is served.  Nothing leaks, nothing
 * crashes, no reply is cut off, and once the failures are over all goes on.
 *
 * The linker puts the functions named __wrap_ here in the place of the C
 * library's (scripts/build.mk), in libmicrohttpd as well.
 */
#define _GNU_SOURCE
#include "server/documents.h"
#include "server/hook_posix.h"
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

#define START INT64_C(1790000000)
#define SECOND UINT64_C(1000000000)

/* No step may take longer. */
#define PATIENCE_MS 20000

static struct {
  int armed;
  size_t count;
  size_t fail_at;
  size_t fail_count;
  /* Allocations that were not freed. */
  size_t live;
} plan;

/* ---- In the place of the C library ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *ptr);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *ptr);
char *__wrap_strdup(const char *text);

static int fails(void) {
  size_t n;

  if (!plan.armed) {
    return 0;
  }
  n = plan.count++;
  if (n < plan.fail_at || n - plan.fail_at >= plan.fail_count) {
    return 0;
  }
  errno = ENOMEM;
  return 1;
}

void *__wrap_malloc(size_t size) {
  void *ptr = fails() ? NULL : __real_malloc(size);

  plan.live += ptr != NULL;
  return ptr;
}

void *__wrap_calloc(size_t n, size_t size) {
  void *ptr = fails() ? NULL : __real_calloc(n, size);

  plan.live += ptr != NULL;
  return ptr;
}

void *__wrap_realloc(void *old, size_t size) {
  void *ptr = fails() ? NULL : __real_realloc(old, size);

  plan.live += ptr != NULL && !old;
  return ptr;
}

void __wrap_free(void *ptr) {
  plan.live -= ptr != NULL;
  __real_free(ptr);
}

char *__wrap_strdup(const char *text) {
  size_t len = strlen(text) + 1;
  char *copy = __wrap_malloc(len);

  return copy ? memcpy(copy, text, len) : NULL;
}

/* ---- Plans ---- */

/* Calls |run| with every allocation failing, once and ten times in a row, until
   none is left to fail. */
static void torture(void (*run)(void *user), void *user) {
  static const size_t counts[] = {1, 10};
  size_t i, at, live;

  for (i = 0; i < 2; ++i) {
    for (at = 0;; ++at) {
      memset(&plan, 0, sizeof(plan));
      plan.fail_at = at;
      plan.fail_count = counts[i];
      live = plan.live;
      run(user);
      plan.armed = 0;
      assert_int_equal(plan.live, live);
      if (plan.count <= at) {
        break;
      }
    }
    /* There was something to fail. */
    assert_true(at > 0);
  }
}

/* ---- Documents ---- */

static int activate(void *user, const cm_certificate *certificate) {
  (void)user;
  (void)certificate;
  return 0;
}

static cm_manager *new_manager(void) {
  static const char *const hosts[] = {"localhost"};
  const cm_time now = {START, 0};
  cm_config config;
  cm_manager *mgr;
  int64_t wait;

  memset(&config, 0, sizeof(config));
  config.hosts = hosts;
  config.nhosts = 1;
  config.port = 4433;
  config.callbacks.activate = activate;
  assert_int_equal(cm_manager_new(&mgr, &config), 0);
  while (cm_manager_step(mgr, &now, &wait) == 1) {
  }
  return mgr;
}

typedef struct asked {
  documents_source source;
  documents_request request;
  const char *expected;
} asked;

static void ask(void *user) {
  const asked *a = user;
  documents_reply reply;
  int rv;

  plan.armed = 1;
  rv = documents_get(&reply, &a->source, &a->request);
  plan.armed = 0;
  if (rv == 0) {
    assert_string_equal(reply.body, a->expected);
  } else {
    assert_int_equal(rv, DOCUMENTS_ERR_NOMEM);
    assert_null(reply.body);
    assert_int_equal(reply.len, 0);
  }
  documents_reply_free(&reply);
}

static void documents_come_whole_or_not_at_all(void **state) {
  static const char *const paths[] = {
      "/",        "/hashes.json", "/certificate.sha256", "/share", "/healthz",
      "/metrics", "/nowhere"};
  const documents_hook failing = {.name = "on-test", .last_error = "x"};
  documents_reply reply;
  asked a;
  size_t i;

  (void)state;
  memset(&a, 0, sizeof(a));
  a.source.certificates = new_manager();
  a.source.wall = START;
  a.source.hooks = &failing;
  a.source.nhooks = 1;
  a.request.method = "GET";
  a.request.accept = "text/html";
  for (i = 0; i < sizeof(paths) / sizeof(paths[0]); ++i) {
    a.request.path = paths[i];
    assert_int_equal(documents_get(&reply, &a.source, &a.request), 0);
    a.expected = reply.body;
    torture(ask, &a);
    documents_reply_free(&reply);
  }
  cm_manager_free((cm_manager *)a.source.certificates);
}

/* ---- Hooks ---- */

static void settle(hook *h, uint64_t now) {
  struct pollfd fd;

  hook_serve(h, now);
  while (hook_is_busy(h, now)) {
    if (hook_pollfds(h, &fd)) {
      assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    }
    hook_serve(h, now);
  }
}

static void tell(void *user) {
  static uint8_t active[CM_HASH_LEN];
  const hook_config config = {
      .name = "on-test", .command = "cat >/dev/null", .kind = HOOK_ALL};
  const cm_journal_entry entry = {.time = START, .event = "state", .id = 1};
  uint64_t now = SECOND;
  documents_hook health;
  cm_publication pub;
  hook *h;
  int rv;

  (void)user;
  memset(&pub, 0, sizeof(pub));
  pub.set.host = "localhost";
  pub.set.port = 4433;
  pub.set.path = "/";
  pub.set.active = active;
  pub.jws = "e30.e30.AA";
  pub.jws_len = strlen(pub.jws);
  plan.armed = 1;
  rv = hook_open(&h, &config);
  if (rv == 0) {
    hook_publish(h, &pub, now);
    hook_event(h, &entry, "{}\n", 3, now);
    hook_serve(h, now);
    plan.armed = 0;
    while (hook_deadline(h) != UINT64_MAX) {
      settle(h, now);
      now += SECOND * 1000;
    }
    hook_get_health(h, &health);
    assert_int_equal(health.runs - health.failures + health.dropped, 2);
    assert_int_equal(health.pending, 0);
    assert_true(health.ok);
    /* It goes on. */
    assert_int_equal(hook_tell(h, "x", 1, NULL, 0, now), 0);
    settle(h, now);
    hook_get_health(h, &health);
    assert_int_equal(health.runs - health.failures + health.dropped, 3);
  } else {
    assert_int_equal(rv, HOOK_ERR_NOMEM);
    assert_null(h);
  }
  plan.armed = 0;
  hook_close(h);
}

static void hooks_run_or_count(void **state) {
  (void)state;
  torture(tell, NULL);
}

/* ---- HTTP ---- */

static int get(void *user, documents_reply *reply,
               const documents_request *request) {
  (void)user;
  (void)request;
  memset(reply, 0, sizeof(*reply));
  reply->status = 200;
  reply->headers[0].name = "etag";
  strcpy(reply->headers[0].value, "\"1\"");
  reply->nheaders = 1;
  reply->body = strdup("whole");
  if (!reply->body) {
    return DOCUMENTS_ERR_NOMEM;
  }
  reply->len = 5;
  return 0;
}

/* One request; what comes back, "" if nothing does. */
static void fetch(publisher *p, char *text, size_t room) {
  static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  struct sockaddr_in a = {.sin_family = AF_INET};
  struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
  uint64_t now = SECOND;
  size_t len = 0;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(publisher_port(p));
  assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
  assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL),
                   strlen(request));
  fds[0].fd = publisher_fd(p);
  fds[1].fd = fd;
  for (;;) {
    ssize_t n = recv(fd, text + len, room - 1 - len, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
      break;
    }
    if (n > 0) {
      len += (size_t)n;
      continue;
    }
    if (publisher_deadline(p) > now) {
      assert_true(poll(fds, 2, PATIENCE_MS) > 0);
    }
    publisher_serve(p, now);
  }
  text[len] = '\0';
  close(fd);
}

static void serve(void *user) {
  const publisher_config config = {.get = get};
  char text[4096];
  publisher *p;
  int rv;

  (void)user;
  plan.armed = 1;
  rv = publisher_open(&p, &config);
  if (rv == 0) {
    fetch(p, text, sizeof(text));
    plan.armed = 0;
    if (strncmp(text, "HTTP/1.1 200", 12) == 0) {
      assert_string_equal(text + strlen(text) - 5, "whole");
    } else {
      assert_true(!*text || strncmp(text, "HTTP/1.1 5", 10) == 0);
    }
    fetch(p, text, sizeof(text));
    assert_string_equal(text + strlen(text) - 5, "whole");
  } else {
    assert_int_equal(rv, PUBLISHER_ERR_NOMEM);
    assert_null(p);
  }
  plan.armed = 0;
  publisher_close(p);
}

static void the_publisher_serves_who_comes_later(void **state) {
  (void)state;
  torture(serve, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(documents_come_whole_or_not_at_all),
      cmocka_unit_test(hooks_run_or_count),
      cmocka_unit_test(the_publisher_serves_who_comes_later)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
