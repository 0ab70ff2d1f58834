/* SPDX-License-Identifier: Apache-2.0 */
#include "server/documents.h"

#include "certmgr/hashset_signed.h"
#include "server/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#define DAY INT64_C(86400)
#define START INT64_C(1790000000)

/* A manager, and a host that serves whatever it is given. */
typedef struct bench {
  cm_manager *mgr;
  cm_time now;
  cm_random random;
  int random_fails;
  int activate_error;
  documents_source source;
  documents_request request;
  documents_reply reply;
} bench;

static int activate(void *user, const cm_certificate *certificate) {
  (void)certificate;
  return ((const bench *)user)->activate_error;
}

static int fill(void *user, uint8_t *dest, size_t len) {
  return ((const bench *)user)->random_fails
             ? -1
             : cm_random_system.fill(cm_random_system.user, dest, len);
}

/* Steps until there is nothing more to do. */
static void settle(bench *b) {
  int64_t wait;
  int n = 0;

  while (cm_manager_step(b->mgr, &b->now, &wait) == 1) {
    assert_true(++n < 100);
  }
  b->source.wall = b->now.wall;
}

/* Steps through |seconds|, as a host would. */
static void pass(bench *b, int64_t seconds) {
  while (seconds > 0) {
    int64_t step = seconds < 60 ? seconds : 60;

    b->now.wall += step;
    b->now.mono += step;
    seconds -= step;
    settle(b);
  }
}

static void set_up(bench *b, int64_t wall) {
  static const char *const hosts[] = {"localhost", "::1"};
  cm_config config;

  memset(b, 0, sizeof(*b));
  memset(&config, 0, sizeof(config));
  config.hosts = hosts;
  config.nhosts = 2;
  config.port = 4433;
  config.path = "/echo?a=\"<&>";
  b->random.fill = fill;
  b->random.user = b;
  config.random = &b->random;
  config.callbacks.activate = activate;
  config.user = b;
  b->now.wall = wall;
  b->now.mono = 1000;
  assert_int_equal(cm_manager_new(&b->mgr, &config), 0);
  b->source.certificates = b->mgr;
  b->source.wall = wall;
  b->request.method = "GET";
}

static void tear_down(bench *b) {
  documents_reply_free(&b->reply);
  cm_manager_free(b->mgr);
}

static void get(bench *b, const char *path) {
  documents_reply_free(&b->reply);
  b->request.path = path;
  assert_int_equal(documents_get(&b->reply, &b->source, &b->request), 0);
  assert_int_equal(b->reply.body != NULL, b->reply.len > 0);
  if (b->reply.body) {
    assert_int_equal(strlen(b->reply.body), b->reply.len);
  }
  assert_non_null(documents_reply_header(&b->reply, "content-type"));
  assert_non_null(documents_reply_header(&b->reply, "cache-control"));
}

static void header_is(const bench *b, const char *name, const char *value) {
  const char *found = documents_reply_header(&b->reply, name);

  if (!value) {
    assert_null(found);
    return;
  }
  assert_non_null(found);
  assert_string_equal(found, value);
}

/* ---- The hashes ---- */

static void the_hashes_are_signed_and_public(void **state) {
  const cm_publication *pub;
  cm_signed_set set;
  char etag[64], age[64];
  bench b;

  (void)state;
  set_up(&b, START);
  settle(&b);
  pub = cm_manager_publication(b.mgr);
  snprintf(etag, sizeof(etag), "\"%llu-%.16s\"", (unsigned long long)pub->seq,
           strrchr(pub->jws, '.') + 1);
  snprintf(age, sizeof(age), "public, max-age=%lld", (long long)pub->max_age);

  get(&b, "/hashes.json");
  assert_int_equal(b.reply.status, 200);
  header_is(&b, "content-type", "application/jose");
  header_is(&b, "etag", etag);
  header_is(&b, "cache-control", age);
  header_is(&b, "access-control-allow-origin", "*");
  header_is(&b, "x-content-type-options", "nosniff");
  assert_int_equal(cm_signed_set_read(&set, b.reply.body, b.reply.len,
                                      cm_manager_thumbprint(b.mgr)),
                   0);
  assert_int_equal(set.seq, pub->seq);
  assert_memory_equal(set.hashes[0].sha256, pub->set.active, CM_HASH_LEN);

  get(&b, "/certificate.sha256");
  assert_int_equal(b.reply.status, 200);
  header_is(&b, "content-type", "text/plain; charset=utf-8");
  header_is(&b, "etag", etag);
  header_is(&b, "cache-control", age);
  header_is(&b, "access-control-allow-origin", "*");
  {
    char lines[2 * (CM_HEX_LEN + 1) + 1];

    cm_hash_hex(lines, sizeof(lines), pub->set.active);
    strcat(lines, "\n");
    assert_non_null(pub->set.standby);
    cm_hash_hex(lines + strlen(lines), CM_HEX_LEN + 1, pub->set.standby);
    strcat(lines, "\n");
    assert_string_equal(b.reply.body, lines);
  }
  tear_down(&b);
}

static void the_link_is_text_or_a_page(void **state) {
  static const struct {
    const char *accept;
    int html;
  } rows[] = {{NULL, 0},
              {"", 0},
              {"*/*", 0},
              {"text/plain", 0},
              {"text/html", 1},
              {"TEXT/HTML;charset=utf-8", 1},
              {"text/html;q=0.9", 1},
              {"text/html;q=0.09,*/*", 1},
              {"text/html;q=0", 0},
              {"text/html; q=0.0, text/plain;q=1", 0},
              {"text/html;level=1;q=0.000", 0},
              {"text/htmlx", 0},
              {"image/png, ,text/html, */*;q=0.8", 1},
              {"text/html,application/xhtml+xml;q=0", 1},
              {",,,;;;", 0},
              {"text/html;", 1}};
  char link[CM_LINK_MAX];
  size_t i;
  bench b;

  (void)state;
  set_up(&b, START);
  settle(&b);
  assert_true(cm_hashset_link(link, sizeof(link),
                              &cm_manager_publication(b.mgr)->set) > 0);
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    b.request.accept = rows[i].accept;
    get(&b, "/share");
    assert_int_equal(b.reply.status, 200);
    header_is(&b, "vary", "accept");
    header_is(&b, "access-control-allow-origin", "*");
    if (!rows[i].html) {
      header_is(&b, "content-type", "text/plain; charset=utf-8");
      header_is(&b, "content-security-policy", NULL);
      assert_int_equal(b.reply.len, strlen(link) + 1);
      assert_memory_equal(b.reply.body, link, strlen(link));
      assert_int_equal(b.reply.body[b.reply.len - 1], '\n');
    } else {
      text escaped = {0};

      header_is(&b, "content-type", "text/html; charset=utf-8");
      assert_non_null(
          documents_reply_header(&b.reply, "content-security-policy"));
      text_add_html(&escaped, link);
      assert_non_null(strstr(b.reply.body, escaped.data));
      /* The text and the page are two representations. */
      assert_non_null(
          strstr(documents_reply_header(&b.reply, "etag"), "-html\""));
      text_free(&escaped);
    }
  }
  tear_down(&b);
}

static void a_client_that_has_it_is_told_so(void **state) {
  char etag[64], other[192];
  bench b;
  size_t i;
  static const char *const yes[] = {
      "%s", "W/%s", "\"x\", %s", "\"x\",%s", "W/\"y\" , W/%s", "*", ", %s"};
  static const char *const no[] = {"\"x\"", "",     "x%s",  "\"x",
                                   "W/",    "W/\"", "\"%s", "garbage"};

  (void)state;
  set_up(&b, START);
  settle(&b);
  get(&b, "/hashes.json");
  strcpy(etag, documents_reply_header(&b.reply, "etag"));
  b.request.if_none_match = other;
  for (i = 0; i < sizeof(yes) / sizeof(yes[0]); ++i) {
    snprintf(other, sizeof(other), yes[i], etag);
    get(&b, "/hashes.json");
    assert_int_equal(b.reply.status, 304);
    assert_int_equal(b.reply.len, 0);
    header_is(&b, "etag", etag);
    get(&b, "/certificate.sha256");
    assert_int_equal(b.reply.status, 304);
    get(&b, "/share");
    assert_int_equal(b.reply.status, 304);
    header_is(&b, "vary", "accept");
    /* What has no ETag does not care. */
    get(&b, "/healthz");
    assert_int_equal(b.reply.status, 200);
  }
  for (i = 0; i < sizeof(no) / sizeof(no[0]); ++i) {
    snprintf(other, sizeof(other), no[i], etag);
    get(&b, "/hashes.json");
    assert_int_equal(b.reply.status, 200);
  }
  /* The next document has another number. */
  strcpy(other, etag);
  pass(&b, 7 * DAY);
  get(&b, "/hashes.json");
  assert_int_equal(b.reply.status, 200);
  assert_string_not_equal(documents_reply_header(&b.reply, "etag"), etag);
  tear_down(&b);
}

/* Without a store, each start begins with the same numbers. */
static void no_other_identity_has_its_etag(void **state) {
  uint64_t seq;
  char etag[64];
  bench b;

  (void)state;
  set_up(&b, START);
  settle(&b);
  seq = cm_manager_publication(b.mgr)->seq;
  get(&b, "/hashes.json");
  strcpy(etag, documents_reply_header(&b.reply, "etag"));
  tear_down(&b);

  set_up(&b, START);
  settle(&b);
  assert_int_equal(cm_manager_publication(b.mgr)->seq, seq);
  b.request.if_none_match = etag;
  get(&b, "/hashes.json");
  assert_int_equal(b.reply.status, 200);
  tear_down(&b);
}

static void no_cache_keeps_it_beyond_its_end(void **state) {
  const cm_publication *pub;
  bench b;

  (void)state;
  set_up(&b, START);
  settle(&b);
  pub = cm_manager_publication(b.mgr);
  assert_true(pub->max_age > 5);
  b.source.wall = pub->valid_until - 5;
  get(&b, "/hashes.json");
  header_is(&b, "cache-control", "public, max-age=5");
  b.source.wall = pub->valid_until + 5;
  get(&b, "/hashes.json");
  header_is(&b, "cache-control", "public, max-age=0");
  tear_down(&b);
}

static void what_is_not_there_is_not_told(void **state) {
  static const char *const all[] = {"/hashes.json", "/certificate.sha256",
                                    "/share"};
  size_t i, k;
  bench b;

  (void)state;
  set_up(&b, START);
  b.request.if_none_match = "*";
  for (k = 0; k < 2; ++k) {
    for (i = 0; i < 3; ++i) {
      get(&b, all[i]);
      assert_int_equal(b.reply.status, 503);
      header_is(&b, "cache-control", "no-store");
      header_is(&b, "etag", NULL);
      header_is(&b, "retry-after", "30");
      header_is(&b, "access-control-allow-origin", "*");
      assert_true(b.reply.len > 0);
    }
    if (k == 0) {
      /* Published, and then withdrawn: all are revoked, and no other can be
         made. */
      settle(&b);
      get(&b, "/share");
      assert_int_equal(b.reply.status, 304);
      b.random_fails = 1;
      assert_int_equal(cm_manager_command(b.mgr, CM_COMMAND_RESET, &b.now),
                       CM_COMMAND_ACCEPTED);
      settle(&b);
      assert_non_null(cm_manager_publication(b.mgr));
      assert_null(cm_manager_publication(b.mgr)->set.active);
    }
  }
  tear_down(&b);
}

/* ---- Health ---- */

static cJSON *health(bench *b, int status, const char *state) {
  cJSON *json;

  get(b, "/healthz");
  assert_int_equal(b->reply.status, status);
  header_is(b, "content-type", "application/json");
  header_is(b, "cache-control", "no-store");
  header_is(b, "access-control-allow-origin", NULL);
  json = cJSON_Parse(b->reply.body);
  assert_non_null(json);
  assert_string_equal(cJSON_GetObjectItem(json, "state")->valuestring, state);
  assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(json, "ok")),
                   status == 200);
  return json;
}

static int warnings_of(const cJSON *json) {
  return cJSON_GetArraySize(cJSON_GetObjectItem(json, "warnings"));
}

static void health_is_the_managers(void **state) {
  cJSON *json;
  bench b;

  (void)state;
  set_up(&b, START);
  b.activate_error = CM_ERR_CRYPTO;
  settle(&b);
  json = health(&b, 503, "BOOTSTRAP");
  assert_int_equal(warnings_of(json), 1);
  assert_true(strlen(cJSON_GetObjectItem(json, "problem")->valuestring) > 0);
  cJSON_Delete(json);
  b.activate_error = 0;
  pass(&b, 60);
  pass(&b, DAY);
  json = health(&b, 200, "HEALTHY");
  assert_int_equal(warnings_of(json), 0);
  assert_string_equal(cJSON_GetObjectItem(json, "problem")->valuestring, "");
  assert_int_equal(cJSON_GetObjectItem(
                       cJSON_GetObjectItem(json, "seconds_until"), "rotation")
                       ->valueint,
                   cm_manager_until(b.mgr, CM_MILESTONE_ROTATION));
  cJSON_Delete(json);

  /* The next one can never be installed: the guard comes, and the end. */
  b.activate_error = CM_ERR_CRYPTO;
  pass(&b, 6 * DAY);
  get(&b, "/healthz");
  json = cJSON_Parse(b.reply.body);
  assert_true(strlen(cJSON_GetObjectItem(json, "problem")->valuestring) > 0);
  cJSON_Delete(json);
  pass(&b, 14 * DAY);
  json = health(&b, 503, "EXPIRED");
  assert_int_equal(warnings_of(json), 1);
  cJSON_Delete(json);
  tear_down(&b);
}

static void a_clock_before_all_is_unhealthy(void **state) {
  bench b;

  (void)state;
  set_up(&b, 1000);
  settle(&b);
  cJSON_Delete(health(&b, 503, "WAITING_FOR_TIME"));
  tear_down(&b);
}

static void a_failing_hook_warns(void **state) {
  const documents_hook hooks[] = {
      {"on-publish", 1, 3, 0, 0, 0, ""},
      {"on-event", 0, 9, 4, 2, 7, "exit status 1 of \"x\\y\"\n"},
      {"bare", 0, 1, 1, 0, 0, NULL}};
  const cJSON *list, *item;
  cJSON *json;
  bench b;

  (void)state;
  set_up(&b, START);
  settle(&b);
  pass(&b, DAY);
  b.source.hooks = hooks;
  b.source.nhooks = 3;
  json = health(&b, 200, "HEALTHY");
  assert_int_equal(warnings_of(json), 2);
  list = cJSON_GetObjectItem(json, "hooks");
  assert_int_equal(cJSON_GetArraySize(list), 3);
  item = cJSON_GetArrayItem(list, 1);
  assert_string_equal(cJSON_GetObjectItem(item, "name")->valuestring,
                      "on-event");
  assert_true(cJSON_IsFalse(cJSON_GetObjectItem(item, "ok")));
  assert_int_equal(cJSON_GetObjectItem(item, "runs")->valueint, 9);
  assert_int_equal(cJSON_GetObjectItem(item, "failures")->valueint, 4);
  assert_int_equal(cJSON_GetObjectItem(item, "dropped")->valueint, 2);
  assert_int_equal(cJSON_GetObjectItem(item, "pending")->valueint, 7);
  assert_string_equal(cJSON_GetObjectItem(item, "last_error")->valuestring,
                      hooks[1].last_error);
  cJSON_Delete(json);
  tear_down(&b);
}

/* ---- Metrics ---- */

/* Reads the text as Prometheus would, and more strictly.  |sample| is looked
   for, name and labels; its value, or -1 if there is none. */
static double read_metrics(const bench *b, const char *sample) {
  char *all = strdup(b->reply.body);
  char *line, *rest = NULL;
  char metric[128] = "";
  char *seen[256];
  size_t nseen = 0, i;
  double found = -1;

  assert_non_null(all);
  assert_int_equal(all[b->reply.len - 1], '\n');
  for (line = strtok_r(all, "\n", &rest); line;
       line = strtok_r(NULL, "\n", &rest)) {
    char *space, *end, *brace;
    double value;

    if (strncmp(line, "# HELP ", 7) == 0) {
      /* Each metric once, all its samples together. */
      assert_int_equal(sscanf(line + 7, "%127s", metric), 1);
      assert_true(strlen(line) > 7 + strlen(metric) + 1);
      for (i = 0; i < nseen; ++i) {
        assert_false(strncmp(seen[i], metric, strlen(metric)) == 0 &&
                     strchr(" {", seen[i][strlen(metric)]));
      }
      continue;
    }
    if (strncmp(line, "# TYPE ", 7) == 0) {
      assert_memory_equal(line + 7, metric, strlen(metric));
      space = line + 7 + strlen(metric);
      assert_int_equal(strcmp(space, " counter") == 0,
                       strlen(metric) > 6 &&
                           strcmp(metric + strlen(metric) - 6, "_total") == 0);
      assert_true(strcmp(space, " counter") == 0 ||
                  strcmp(space, " gauge") == 0);
      continue;
    }
    assert_memory_equal(line, "fortnight_", 10);
    assert_memory_equal(line, metric, strlen(metric));
    assert_non_null(strchr(" {", line[strlen(metric)]));
    space = strrchr(line, ' ');
    assert_non_null(space);
    value = strtod(space + 1, &end);
    assert_int_equal(*end, '\0');
    assert_true(end > space + 1);
    *space = '\0';
    brace = strchr(line, '{');
    if (brace) {
      assert_int_equal(space[-1], '}');
      assert_non_null(strstr(brace, "=\""));
    }
    for (i = 0; i < nseen; ++i) {
      assert_string_not_equal(seen[i], line);
    }
    assert_true(nseen < 256);
    seen[nseen++] = line;
    if (strcmp(line, sample) == 0) {
      found = value;
    }
  }
  free(all);
  return found;
}

static void metric_is(const bench *b, const char *sample, int64_t value) {
  double found = read_metrics(b, sample);

  if (found != (double)value) {
    fail_msg("%s is %.0f and not %.0f", sample, found, (double)value);
  }
}

static void metrics_before_anything_was_made(void **state) {
  bench b;

  (void)state;
  set_up(&b, START);
  get(&b, "/metrics");
  assert_int_equal(b.reply.status, 200);
  metric_is(&b, "fortnight_state{state=\"WAITING_FOR_TIME\"}", 1);
  metric_is(&b, "fortnight_published", 0);
  metric_is(&b, "fortnight_certificate_not_after_seconds{use=\"active\"}", -1);
  metric_is(&b, "fortnight_start_time_seconds", -1);
  metric_is(&b, "fortnight_datagrams_received_total", -1);
  metric_is(&b, "fortnight_build_info{version=\"\"}", 1);
  tear_down(&b);
}

static void metrics_tell_all(void **state) {
  static const documents_count handshakes[] = {{"completed", 5},
                                               {"chromium \"\\\n", 2}};
  static const documents_hook hooks[] = {{"on-publish", 1, 3, 1, 0, 2, ""}};
  quic_endpoint_counters network;
  bench b;

  (void)state;
  set_up(&b, START);
  settle(&b);
  pass(&b, 6 * DAY + DAY / 2);
  memset(&network, 0, sizeof(network));
  network.datagrams_received = 11;
  network.octets_sent = UINT64_MAX;
  network.refused[QUIC_REFUSED_HANDSHAKES] = 12;
  network.retries_sent = 13;
  network.tokens_accepted = 14;
  network.tokens_refused = 15;
  network.tokens_expired = 16;
  network.stateless_resets = 17;
  b.source.started = START;
  b.source.version = "1.2.3";
  b.source.network = &network;
  b.source.connections = 7;
  b.source.handshakes_open = 18;
  b.source.memory = 19;
  b.source.sessions = 8;
  b.source.sessions_total = 9;
  b.source.handshakes = handshakes;
  b.source.nhandshakes = 2;
  b.source.hooks = hooks;
  b.source.nhooks = 1;
  get(&b, "/metrics");
  header_is(&b, "content-type", "text/plain; version=0.0.4; charset=utf-8");
  header_is(&b, "cache-control", "no-store");
  header_is(&b, "access-control-allow-origin", NULL);
  metric_is(&b, "fortnight_build_info{version=\"1.2.3\"}", 1);
  metric_is(&b, "fortnight_start_time_seconds", START);
  metric_is(&b, "fortnight_wall_time_seconds", b.now.wall);
  metric_is(&b, "fortnight_state{state=\"HEALTHY\"}", 1);
  metric_is(&b, "fortnight_state{state=\"EXPIRED\"}", 0);
  metric_is(&b, "fortnight_milestone_seconds{milestone=\"rotation\"}",
            cm_manager_until(b.mgr, CM_MILESTONE_ROTATION));
  metric_is(&b, "fortnight_milestone_seconds{milestone=\"retry\"}", -1);
  metric_is(&b, "fortnight_rotations_total",
            (int64_t)cm_manager_counters(b.mgr)->rotations);
  assert_true(cm_manager_counters(b.mgr)->rotations > 0);
  metric_is(&b, "fortnight_certificates_minted_total",
            (int64_t)cm_manager_counters(b.mgr)->minted);
  metric_is(&b, "fortnight_sequence",
            (int64_t)cm_manager_publication(b.mgr)->seq);
  metric_is(&b, "fortnight_epoch",
            (int64_t)cm_manager_publication(b.mgr)->epoch);
  metric_is(&b, "fortnight_published", 1);
  metric_is(&b, "fortnight_certificate_not_after_seconds{use=\"active\"}",
            cm_manager_active(b.mgr)->not_after);
  metric_is(&b, "fortnight_certificate_not_before_seconds{use=\"standby\"}",
            cm_manager_standby(b.mgr)->not_before);
  metric_is(&b, "fortnight_failures_total{action=\"generate\"}", 0);
  metric_is(&b, "fortnight_datagrams_received_total", 11);
  metric_is(&b, "fortnight_connections_refused_total{limit=\"memory\"}", 0);
  metric_is(&b, "fortnight_connections_refused_total{limit=\"max_handshakes\"}",
            12);
  metric_is(&b, "fortnight_retries_total", 13);
  metric_is(&b, "fortnight_tokens_total{result=\"accepted\"}", 14);
  metric_is(&b, "fortnight_tokens_total{result=\"refused\"}", 15);
  metric_is(&b, "fortnight_tokens_total{result=\"expired\"}", 16);
  metric_is(&b, "fortnight_stateless_resets_total", 17);
  metric_is(&b, "fortnight_handshakes_open", 18);
  metric_is(&b, "fortnight_connections_memory_bytes", 19);
  /* What handshakes_total tells is not told again. */
  metric_is(&b, "fortnight_handshakes_completed_total", -1);
  metric_is(&b, "fortnight_sent_bytes_total", INT64_MAX);
  metric_is(&b, "fortnight_connections", 7);
  metric_is(&b, "fortnight_sessions", 8);
  metric_is(&b, "fortnight_sessions_total", 9);
  metric_is(&b, "fortnight_handshakes_total{result=\"completed\"}", 5);
  metric_is(&b, "fortnight_handshakes_total{result=\"chromium \\\"\\\\\\n\"}",
            2);
  metric_is(&b, "fortnight_hook_ok{hook=\"on-publish\"}", 1);
  metric_is(&b, "fortnight_hook_failures_total{hook=\"on-publish\"}", 1);
  metric_is(&b, "fortnight_hook_pending{hook=\"on-publish\"}", 2);
  tear_down(&b);
}

/* ---- Requests ---- */

static void only_what_is_there_can_be_fetched(void **state) {
  static const char *const nowhere[] = {
      "",   "hashes.json", "/hashes.json/", "/Hashes.json",
      "//", "/metrics?",   "/..",           "/\xff\xfe",
      "*",  "/.fortnight"};
  static const char *const all[] = {
      "/",      "/hashes.json", "/certificate.sha256",
      "/share", "/healthz",     "/metrics"};
  static const char *const methods[] = {"POST", "PUT",  "DELETE", "OPTIONS",
                                        "get",  "GETX", ""};
  size_t i, k;
  bench b;

  (void)state;
  set_up(&b, START);
  settle(&b);
  for (i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); ++i) {
    get(&b, nowhere[i]);
    assert_int_equal(b.reply.status, 404);
    for (k = 1; k < sizeof(all) / sizeof(all[0]); ++k) {
      assert_non_null(strstr(b.reply.body, all[k]));
    }
  }
  for (i = 0; i < sizeof(all) / sizeof(all[0]); ++i) {
    char *body;
    size_t len;

    b.request.method = "GET";
    get(&b, all[i]);
    assert_int_not_equal(b.reply.status, 404);
    body = b.reply.body;
    len = b.reply.len;
    b.reply.body = NULL;
    b.request.method = "HEAD";
    get(&b, all[i]);
    assert_int_equal(b.reply.len, len);
    assert_string_equal(b.reply.body, body);
    free(body);
    for (k = 0; k < sizeof(methods) / sizeof(methods[0]); ++k) {
      b.request.method = methods[k];
      get(&b, all[i]);
      assert_int_equal(b.reply.status, 405);
      header_is(&b, "allow", "GET, HEAD");
    }
  }
  tear_down(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_hashes_are_signed_and_public),
      cmocka_unit_test(the_link_is_text_or_a_page),
      cmocka_unit_test(a_client_that_has_it_is_told_so),
      cmocka_unit_test(no_other_identity_has_its_etag),
      cmocka_unit_test(no_cache_keeps_it_beyond_its_end),
      cmocka_unit_test(what_is_not_there_is_not_told),
      cmocka_unit_test(health_is_the_managers),
      cmocka_unit_test(a_clock_before_all_is_unhealthy),
      cmocka_unit_test(a_failing_hook_warns),
      cmocka_unit_test(metrics_before_anything_was_made),
      cmocka_unit_test(metrics_tell_all),
      cmocka_unit_test(only_what_is_there_can_be_fetched)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
