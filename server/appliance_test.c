/* SPDX-License-Identifier: Apache-2.0 */
#include "server/appliance_internal.h"

#include "tests/sim/check.h"

#include <stdio.h>
#include <stdlib.h>

#define WALL INT64_C(1795300000)
#define DAY INT64_C(86400)

/* An appliance without a network, but with a source of randomness that may
   dry up, and what it told. */
typedef struct bench {
  appliance *appliance;
  sim_random source;
  cm_random random;
  int dry;
  appliance_time now;
  size_t certificates, errors, others;
  char info[256];    /* The last line of that level. */
  char warning[256]; /* The last about the clock. */
  uint8_t packets[4][UDP_SEND_MAX];
  udp_datagram slots[4];
} bench;

static int fill(void *user, uint8_t *dest, size_t len) {
  bench *b = user;

  if (b->dry) {
    return -1;
  }
  sim_random_fill(&b->source, dest, len);
  return 0;
}

static const char *text_of(const cJSON *object, const char *name) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static double number_of(const cJSON *object, const char *name) {
  return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static int size_of(const cJSON *object, const char *name) {
  return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(object, name));
}

static void on_event(void *user, cJSON *event) {
  const char *type = text_of(event, "type");
  bench *b = user;

  assert_non_null(type);
  if (strcmp(type, "certificates") == 0) {
    ++b->certificates;
    assert_non_null(text_of(event, "link"));
    assert_in_range(size_of(event, "hashes"), 1, 2);
  } else if (strcmp(type, "log") == 0 &&
             strcmp(text_of(event, "level"), "error") == 0) {
    ++b->errors;
  } else if (strcmp(type, "log") == 0 &&
             strcmp(text_of(event, "level"), "info") == 0) {
    snprintf(b->info, sizeof(b->info), "%s", text_of(event, "text"));
  } else if (strcmp(type, "log") == 0 &&
             strcmp(text_of(event, "level"), "warning") == 0 &&
             strstr(text_of(event, "text"), "the wall clock went")) {
    snprintf(b->warning, sizeof(b->warning), "%s", text_of(event, "text"));
  } else {
    ++b->others;
  }
}

static void configure(bench *b, appliance_config *config,
                      const char *const *hosts, size_t nhosts) {
  size_t i;

  memset(b, 0, sizeof(*b));
  sim_random_seed(&b->source, 8);
  b->random.fill = fill;
  b->random.user = b;
  b->now.mono = 77;
  b->now.wall = WALL;
  for (i = 0; i < 4; ++i) {
    b->slots[i].data = b->packets[i];
  }
  appliance_config_default(config);
  config->hosts = hosts;
  config->nhosts = nhosts;
  config->port = 4433;
  config->random = &b->random;
  config->on_event = on_event;
  config->user = b;
}

static void begin(bench *b) {
  static const char *const hosts[] = {"localhost", "127.0.0.1"};
  appliance_config config;

  configure(b, &config, hosts, 2);
  assert_int_equal(appliance_new(&b->appliance, &config, &b->now), 0);
  assert_true(appliance_is_ready(b->appliance));
  assert_int_equal(b->errors, 0);
  /* The first alone, then both. */
  assert_int_equal(b->certificates, 2);
  b->certificates = 0;
}

static void step(bench *b) {
  udp_batch out = {b->slots, 0, 4};

  assert_int_equal(appliance_step(b->appliance, &b->now, NULL, &out), 0);
  assert_int_equal(out.count, 0);
}

/* Does what is due now, one thing a step. */
static void settle(bench *b) {
  int i = 0;

  while (appliance_deadline(b->appliance) <= b->now.mono) {
    assert_true(++i < 50);
    step(b);
  }
}

/* Goes to the next deadline, the wall clock along with the other. */
static void next(bench *b) {
  uint64_t deadline;

  settle(b);
  deadline = appliance_deadline(b->appliance);
  assert_true(deadline > b->now.mono);
  assert_true(deadline - b->now.mono <= 60 * SIM_SECOND);
  b->now.wall += (int64_t)((deadline - 77) / SIM_SECOND) -
                 (int64_t)((b->now.mono - 77) / SIM_SECOND);
  b->now.mono = deadline;
  step(b);
  settle(b);
}

static cJSON *command(bench *b, const char *json) {
  cJSON *object = cJSON_Parse(json);
  cJSON *reply = appliance_command(b->appliance, object, &b->now);

  cJSON_Delete(object);
  assert_non_null(reply);
  return reply;
}

static void check_refused(bench *b, const char *json) {
  cJSON *reply = command(b, json);

  if (!text_of(reply, "error")) {
    fail_msg("%s was not refused", json);
  }
  assert_int_equal(cJSON_GetArraySize(reply),
                   cJSON_HasObjectItem(reply, "can_force") ? 2 : 1);
  cJSON_Delete(reply);
}

static const char *hash_of(const cJSON *object, const char *use) {
  const cJSON *hash;

  cJSON_ArrayForEach(hash, cJSON_GetObjectItemCaseSensitive(object, "hashes")) {
    if (strcmp(text_of(hash, "use"), use) == 0) {
      return text_of(hash, "hex");
    }
  }
  return NULL;
}

static void active_hex(const bench *b, char hex[65]) {
  const cm_certificate *certificate = appliance_certificate(b->appliance);
  size_t i;

  for (i = 0; i < CM_HASH_LEN; ++i) {
    sprintf(hex + 2 * i, "%02x", certificate->sha256[i]);
  }
}

static void test_describe(void **state) {
  static const struct {
    const char *hosts[3];
    const char *path;
    const char *url;
  } cases[] = {
      {{"localhost", NULL, NULL}, NULL, "https://localhost:4433/echo"},
      {{"127.0.0.1", "localhost", NULL}, "/x", "https://127.0.0.1:4433/x"},
      {{"::1", NULL, NULL}, NULL, "https://[::1]:4433/echo"},
      {{"*.example.org", "example.org", NULL},
       NULL,
       "https://example.org:4433/echo"},
      {{"*.a.example", "*.b.example", "c.example"},
       NULL,
       "https://c.example:4433/echo"},
  };
  appliance_config config;
  size_t i, n;
  bench b;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    cJSON *object;
    char hex[65];

    for (n = 0; n < 3 && cases[i].hosts[n]; ++n) {
    }
    configure(&b, &config, cases[i].hosts, n);
    config.path = cases[i].path;
    assert_int_equal(appliance_new(&b.appliance, &config, &b.now), 0);
    object = appliance_describe(b.appliance);
    assert_string_equal(text_of(object, "url"), cases[i].url);
    assert_non_null(text_of(object, "link"));
    assert_memory_equal(text_of(object, "link"), cases[i].url,
                        strlen(cases[i].url));
    assert_int_equal(size_of(object, "hashes"), 2);
    active_hex(&b, hex);
    assert_string_equal(hash_of(object, "active"), hex);
    assert_string_not_equal(hash_of(object, "standby"), hex);
    assert_non_null(strstr(text_of(object, "link"), "#"));
    cJSON_Delete(object);
    appliance_free(b.appliance);
  }
  appliance_free(NULL);
}

static void test_refused_configurations(void **state) {
  static const char *const wild[] = {"*.example.org", "*.example.net"};
  static const char *const bad[] = {"localhost", "not a host"};
  static const char *const good[] = {"localhost"};
  char long_path[5000];
  appliance_config config;
  bench b;

  (void)state;
  configure(&b, &config, good, 0);
  assert_int_equal(appliance_new(&b.appliance, &config, &b.now),
                   CM_ERR_HOST_COUNT);
  assert_null(b.appliance);
  configure(&b, &config, wild, 2);
  assert_int_equal(appliance_new(&b.appliance, &config, &b.now), CM_ERR_HOST);
  assert_null(b.appliance);
  configure(&b, &config, bad, 2);
  assert_int_equal(appliance_new(&b.appliance, &config, &b.now), CM_ERR_HOST);
  assert_null(b.appliance);
  configure(&b, &config, good, 1);
  config.path = "echo";
  assert_int_equal(appliance_new(&b.appliance, &config, &b.now),
                   CM_ERR_INVALID);
  assert_null(b.appliance);
  memset(long_path, '/', sizeof(long_path) - 1);
  long_path[sizeof(long_path) - 1] = '\0';
  config.path = long_path;
  assert_int_equal(appliance_new(&b.appliance, &config, &b.now), CM_ERR_NOBUF);
  assert_null(b.appliance);
  configure(&b, &config, good, 1);
  b.dry = 1;
  assert_int_equal(appliance_new(&b.appliance, &config, &b.now), CM_ERR_RANDOM);
  assert_null(b.appliance);
}

/* Started before the network has told the time: it waits for it. */
static void test_waits_for_time(void **state) {
  static const char *const hosts[] = {"localhost"};
  appliance_config config;
  cJSON *object;
  bench b;
  int i;

  (void)state;
  configure(&b, &config, hosts, 1);
  b.now.wall = -1;
  assert_int_equal(appliance_new(&b.appliance, &config, &b.now), 0);
  for (i = 0; i < 5; ++i) {
    next(&b);
    assert_false(appliance_is_ready(b.appliance));
  }
  object = appliance_describe(b.appliance);
  assert_string_equal(text_of(object, "state"), "WAITING_FOR_TIME");
  assert_null(text_of(object, "link"));
  assert_int_equal(size_of(object, "hashes"), 0);
  cJSON_Delete(object);
  check_refused(&b, "{\"command\":\"hashes\",\"form\":\"link\"}");
  check_refused(&b, "{\"command\":\"rotate\",\"force\":true}");
  /* At the next turn of the loop, not when a timer runs out. */
  b.now.wall = WALL;
  step(&b);
  settle(&b);
  assert_true(appliance_is_ready(b.appliance));
  appliance_free(b.appliance);
}

static void test_malformed_commands(void **state) {
  static const char *const bad[] = {
      "null",
      "[]",
      "{}",
      "7",
      "\"status\"",
      "[{\"command\":\"status\"}]",
      "no json at all",
      "{\"command\":7}",
      "{\"command\":null}",
      "{\"Command\":\"status\"}",
      "{\"command\":\"\"}",
      "{\"command\":\"reboot\"}",
      "{\"command\":\"status \"}",
      "{\"command\":\"close\"}",
      "{\"command\":\"close\",\"session\":\"1\"}",
      "{\"command\":\"close\",\"session\":1}",
      "{\"command\":\"close\",\"session\":-1}",
      "{\"command\":\"close\",\"session\":1e300}"};
  size_t i;
  bench b;

  (void)state;
  begin(&b);
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
    check_refused(&b, bad[i]);
  }
  assert_false(appliance_is_stopping(b.appliance));
  step(&b);
  appliance_free(b.appliance);
}

static void test_status(void **state) {
  cJSON *reply;
  bench b;

  (void)state;
  begin(&b);
  b.now.mono += 5 * SIM_SECOND;
  reply = command(&b, "{\"command\":\"status\",\"id\":1}");
  assert_null(text_of(reply, "error"));
  assert_string_equal(text_of(reply, "url"), "https://localhost:4433/echo");
  assert_int_equal(size_of(reply, "hashes"), 2);
  assert_int_equal(size_of(reply, "sessions"), 0);
  assert_int_equal(size_of(reply, "closed"), 0);
  assert_true(number_of(reply, "uptime_s") == 5);
  assert_true(number_of(reply, "connections") == 0);
  assert_true(number_of(cJSON_GetObjectItem(reply, "counters"),
                        "datagrams_received") == 0);
  cJSON_Delete(reply);
  appliance_free(b.appliance);
}

/* "rotate" serves the former standby, and says so in every way. */
static void test_rotate(void **state) {
  cJSON *before, *after, *again;
  char hex[65];
  bench b;
  int i;

  (void)state;
  begin(&b);
  for (i = 0; i < 5; ++i) {
    before = command(&b, "{\"command\":\"hashes\"}");
    after = command(&b, "{\"command\":\"rotate\",\"force\":true}");
    again = command(&b, "{\"command\":\"hashes\"}");
    assert_string_equal(hash_of(after, "active"), hash_of(before, "standby"));
    assert_string_not_equal(hash_of(after, "standby"),
                            hash_of(before, "active"));
    assert_string_not_equal(hash_of(after, "standby"),
                            hash_of(before, "standby"));
    assert_true(cJSON_Compare(after, again, 1));
    active_hex(&b, hex);
    assert_string_equal(hash_of(after, "active"), hex);
    assert_int_equal(b.certificates, i + 1);
    cJSON_Delete(before);
    cJSON_Delete(after);
    cJSON_Delete(again);
  }
  assert_int_equal(b.errors, 0);
  appliance_free(b.appliance);
}

/* A rotation needs no randomness: only the next standby has to wait for it. */
static void test_rotate_without_randomness(void **state) {
  cJSON *before, *after;
  bench b;
  int i;

  (void)state;
  begin(&b);
  before = command(&b, "{\"command\":\"hashes\"}");
  b.dry = 1;
  after = command(&b, "{\"command\":\"rotate\",\"force\":true}");
  assert_string_equal(hash_of(after, "active"), hash_of(before, "standby"));
  assert_null(hash_of(after, "standby"));
  assert_true(b.errors > 0);
  check_refused(&b, "{\"command\":\"rotate\",\"force\":true}");
  cJSON_Delete(before);
  cJSON_Delete(after);
  b.dry = 0;
  for (i = 0; i < 20; ++i) {
    next(&b);
  }
  after = command(&b, "{\"command\":\"hashes\"}");
  assert_non_null(hash_of(after, "standby"));
  cJSON_Delete(after);
  appliance_free(b.appliance);
}

/* Clients may not know the standby yet: refused until it is READY. */
static void test_rotate_is_refused_at_first(void **state) {
  bench b;
  int i;

  (void)state;
  begin(&b);
  check_refused(&b, "{\"command\":\"rotate\"}");
  for (i = 0; i < 12; ++i) {
    next(&b);
  }
  cJSON_Delete(command(&b, "{\"command\":\"rotate\"}"));
  assert_int_equal(b.certificates, 1);
  appliance_free(b.appliance);
}

static void test_revoke_and_reset(void **state) {
  cJSON *before, *after;
  bench b;

  (void)state;
  begin(&b);
  before = command(&b, "{\"command\":\"hashes\"}");
  after = command(&b, "{\"command\":\"revoke\"}");
  assert_string_equal(hash_of(after, "active"), hash_of(before, "standby"));
  assert_string_not_equal(hash_of(after, "standby"), hash_of(before, "active"));
  assert_true(number_of(after, "epoch") == 1);
  cJSON_Delete(before);
  before = after;
  after = command(&b, "{\"command\":\"reset\"}");
  assert_true(number_of(after, "epoch") == 2);
  assert_string_not_equal(hash_of(after, "active"), hash_of(before, "active"));
  assert_string_not_equal(hash_of(after, "active"), hash_of(before, "standby"));
  assert_string_not_equal(hash_of(after, "standby"),
                          hash_of(before, "standby"));
  assert_string_equal(text_of(after, "identity"), text_of(before, "identity"));
  cJSON_Delete(before);
  cJSON_Delete(after);
  appliance_free(b.appliance);
}

static void test_forms(void **state) {
  static const struct {
    const char *form;
    const char *begins;
  } cases[] = {{"link", "https://localhost:4433/echo#wt="},
               {"url", "https://localhost:4433/echo"},
               {"multiaddr", "/dns/localhost/udp/4433/quic-v1/webtransport/"},
               {"snippet", "const transport = new WebTransport("},
               {"text", ""},
               {"json", "[{\"use\":\"active\","},
               {"hex", ""},
               {"openssl", ""},
               {"base64", ""},
               {"base64url", ""},
               {"certhash", "uEi"},
               {"jws", "ey"}};
  cJSON *reply;
  char text[128];
  size_t i;
  bench b;

  (void)state;
  begin(&b);
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    snprintf(text, sizeof(text), "{\"command\":\"hashes\",\"form\":\"%s\"}",
             cases[i].form);
    reply = command(&b, text);
    assert_non_null(text_of(reply, "text"));
    assert_true(strlen(text_of(reply, "text")) > 20);
    assert_memory_equal(text_of(reply, "text"), cases[i].begins,
                        strlen(cases[i].begins));
    cJSON_Delete(reply);
  }
  /* One hash a line. */
  reply = command(&b, "{\"command\":\"hashes\",\"form\":\"hex\"}");
  assert_int_equal(strlen(text_of(reply, "text")), 64 + 1 + 64);
  assert_int_equal(text_of(reply, "text")[64], '\n');
  cJSON_Delete(reply);
  check_refused(&b, "{\"command\":\"hashes\",\"form\":\"crc32\"}");
  appliance_free(b.appliance);
}

static void test_identity(void **state) {
  cJSON *one, *two;
  char text[256];
  bench b;

  (void)state;
  begin(&b);
  one = command(&b, "{\"command\":\"identity\"}");
  assert_null(text_of(one, "backup"));
  cJSON_Delete(one);
  one = command(&b, "{\"command\":\"identity\",\"backup\":true}");
  assert_int_equal(strlen(text_of(one, "thumbprint")), 43);
  appliance_free(b.appliance);

  begin(&b);
  check_refused(&b, "{\"command\":\"identity\",\"restore\":\"x\"}");
  check_refused(&b, "{\"command\":\"identity\",\"restore\":7}");
  snprintf(text, sizeof(text), "{\"command\":\"identity\",\"restore\":\"%s\"}",
           text_of(one, "backup"));
  two = command(&b, text);
  assert_string_equal(text_of(two, "identity"), text_of(one, "thumbprint"));
  cJSON_Delete(one);
  cJSON_Delete(two);
  appliance_free(b.appliance);
}

/* Thirteen days by the deadlines alone: it rotates twice, each time to what
   was announced, and what it serves is always valid. */
static void test_thirteen_days(void **state) {
  char active[65], standby[65], hex[65];
  size_t rotations = 0, steps = 0;
  cJSON *object;
  bench b;

  (void)state;
  begin(&b);
  active_hex(&b, active);
  object = appliance_describe(b.appliance);
  strcpy(standby, hash_of(object, "standby"));
  cJSON_Delete(object);
  while (b.now.wall < WALL + 13 * DAY) {
    const cm_certificate *certificate;

    next(&b);
    ++steps;
    certificate = appliance_certificate(b.appliance);
    assert_true(certificate->not_before <= b.now.wall);
    assert_true(b.now.wall + cm_profile_hot_standby.guard -
                    cm_profile_hot_standby.slack <=
                certificate->not_after);
    assert_int_equal(cm_x509_check(certificate->der, certificate->der_len,
                                   CM_BROWSER_CHROMIUM, b.now.wall),
                     CM_ACCEPTED);
    active_hex(&b, hex);
    if (strcmp(hex, active) != 0) {
      assert_string_equal(hex, standby);
      strcpy(active, hex);
      object = appliance_describe(b.appliance);
      strcpy(standby, hash_of(object, "standby"));
      cJSON_Delete(object);
      ++rotations;
    }
    assert_int_equal(b.certificates, rotations);
  }
  assert_int_equal(rotations, 2);
  assert_int_equal(b.errors, 0);
  /* A tick a minute, no more. */
  assert_in_range(steps, 13 * 1440, 13 * 1440 + 200);
  object = command(&b, "{\"command\":\"status\"}");
  assert_true(number_of(cJSON_GetObjectItem(object, "counters"), "rotations") ==
              2);
  cJSON_Delete(object);
  appliance_free(b.appliance);
}

/* In words, and what is normal is told to be. */
static void test_log(void **state) {
  cJSON *reply;
  bench b;

  (void)state;
  begin(&b);
  assert_non_null(strstr(b.info, "NO_STANDBY: serving; "));
  assert_non_null(strstr(b.info, "normal for some minutes"));
  reply = command(&b, "{\"command\":\"rotate\"}");
  assert_non_null(strstr(text_of(reply, "error"), "it is ready in "));
  assert_true(
      cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(reply, "can_force")));
  cJSON_Delete(reply);
  while (strstr(b.info, "HEALTHY") == NULL) {
    assert_true(b.now.wall < WALL + DAY);
    next(&b);
  }
  assert_non_null(strstr(b.info, "the next certificate is ready"));
  b.now.wall -= 2 * DAY;
  next(&b);
  assert_non_null(strstr(b.warning, "went back by 2 days"));
  b.now.wall += 2 * DAY;
  next(&b);
  assert_non_null(strstr(b.warning, "went forward by 2 days"));
  appliance_free(b.appliance);
}

/* For how long it runs has nothing to do with the wall clock. */
static void test_uptime(void **state) {
  static const int64_t jumps[] = {-365 * DAY, 800 * DAY};
  cJSON *reply;
  size_t i;
  bench b;

  (void)state;
  begin(&b);
  for (i = 0; i < 2; ++i) {
    b.now.wall += jumps[i];
    b.now.mono += 7 * SIM_SECOND;
    reply = command(&b, "{\"command\":\"status\"}");
    assert_true(number_of(reply, "uptime_s") == 7 * (double)(i + 1));
    cJSON_Delete(reply);
  }
  appliance_free(b.appliance);
}

static size_t count_contexts(const appliance *a) {
  size_t i, n = 0;

  for (i = 0; i < sizeof(a->contexts) / sizeof(a->contexts[0]); ++i) {
    n += a->contexts[i].tls != NULL;
  }
  return n;
}

/* What has a copy of a key goes when that is destroyed, not with the next
   swap. */
static void test_keys_go(void **state) {
  static const char *const commands[] = {
      "{\"command\":\"rotate\",\"force\":true}", "{\"command\":\"revoke\"}"};
  const cm_counters *counters;
  size_t i, steps = 0;
  bench b;

  (void)state;
  begin(&b);
  counters = cm_manager_counters(appliance_certificates(b.appliance));
  for (i = 0; i < 2; ++i) {
    cJSON_Delete(command(&b, commands[i]));
    while (counters->destroyed == i) {
      assert_true(++steps < 200);
      next(&b);
    }
    assert_int_equal(counters->destroyed, i + 1);
    assert_int_equal(count_contexts(b.appliance), 1);
    assert_true(appliance_is_ready(b.appliance));
  }
  appliance_free(b.appliance);
}

/* No randomness on the day: the swap does without, what comes after it is
   made up for later. */
static void test_rotation_is_retried(void **state) {
  char standby[65], hex[65];
  cJSON *object;
  bench b;
  int i;

  (void)state;
  begin(&b);
  object = appliance_describe(b.appliance);
  strcpy(standby, hash_of(object, "standby"));
  cJSON_Delete(object);
  for (i = 0; i < 12; ++i) {
    next(&b);
  }
  b.dry = 1;
  b.now.wall += 6 * DAY + DAY / 24;
  for (i = 0; i < 10; ++i) {
    next(&b);
  }
  assert_true(b.errors > 0);
  active_hex(&b, hex);
  assert_string_equal(hex, standby);
  b.dry = 0;
  for (i = 0; i < 20; ++i) {
    next(&b);
  }
  object = appliance_describe(b.appliance);
  assert_string_equal(hash_of(object, "active"), standby);
  assert_non_null(hash_of(object, "standby"));
  cJSON_Delete(object);
  appliance_free(b.appliance);
}

/* The wall clock jumps, the monotonic one does not: at the next tick what is
   served is valid again. */
static void test_clock_jumps(void **state) {
  static const int64_t jumps[] = {30 * DAY, -60 * DAY, 400 * DAY,
                                  -DAY,     13 * DAY,  7 * DAY};
  size_t i;
  bench b;

  (void)state;
  begin(&b);
  for (i = 0; i < sizeof(jumps) / sizeof(jumps[0]); ++i) {
    const cm_certificate *certificate;

    b.now.wall += jumps[i];
    b.now.mono = appliance_deadline(b.appliance);
    step(&b);
    settle(&b);
    certificate = appliance_certificate(b.appliance);
    assert_in_range(b.now.wall, certificate->not_before,
                    certificate->not_after);
  }
  assert_int_equal(b.errors, 0);
  assert_true(b.certificates >= 4);
  appliance_free(b.appliance);
}

static void test_stop(void **state) {
  sim_world *world = check_world(60);
  sim_peer *peer = sim_world_connect(world, "h3");
  cJSON *reply;

  (void)state;
  assert_non_null(peer);
  assert_true(sim_world_session(world, peer, "/echo") >= 0);
  assert_false(appliance_is_stopping(world->appliance));
  reply = sim_world_command(world, "{\"command\":\"stop\"}");
  assert_non_null(reply);
  cJSON_Delete(reply);
  /* The session is told first. */
  RUN_UNTIL(world, sim_is_session_closed, peer, 0);
  assert_false(peer->closed);
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_true(appliance_is_stopping(world->appliance));
  assert_int_equal(quic_endpoint_connections(world->endpoint), 0);
  assert_false(peer->end.local);
  assert_int_equal(peer->end.error_code, 0);
  assert_int_equal(world->sessions_closed, 1);
  assert_string_equal(world->last_close.by, "server");
  /* Once more does no harm; nobody new is let in. */
  reply = sim_world_command(world, "{\"command\":\"stop\"}");
  cJSON_Delete(reply);
  assert_null(sim_world_connect(world, "h3"));
  check_world_end(world);
}

/* There are more certificates than are remembered, and connections under all of
   them: a reset reaches the first as well as the last. */
static void test_reset_reaches_all(void **state) {
  enum { SWAPS = CM_SLOTS + 4 };
  sim_world *world = check_world(62);
  sim_peer *peers[SWAPS];
  int i;

  (void)state;
  for (i = 0; i < SWAPS; ++i) {
    peers[i] = sim_world_connect(world, "h3");
    assert_non_null(peers[i]);
    assert_true(sim_world_session(world, peers[i], "/echo") >= 0);
    assert_int_equal(sim_world_rotate(world), 0);
    assert_int_equal(sim_world_pass(world, SIM_SECOND / 10), 0);
  }
  for (i = 0; i < SWAPS; ++i) {
    assert_false(peers[i]->closed);
  }
  cJSON_Delete(sim_world_command(world, "{\"command\":\"reset\"}"));
  for (i = 0; i < SWAPS; ++i) {
    RUN_UNTIL(world, sim_is_closed, peers[i], 0);
    assert_int_equal(peers[i]->end.error_code, 0x100 + 44);
  }
  assert_int_equal(quic_endpoint_connections(world->endpoint), 0);
  assert_non_null(sim_world_connect(world, "h3"));
  check_world_end(world);
}

static void test_apps(void **state) {
  static const char *const hosts[] = {"localhost"};
  static const char *const paths[][2] = {{"echo", "/echo"},
                                         {"room", "/room?name=x"},
                                         {"measure", "/sink"},
                                         {"measure", "/source"}};
  unsigned all = 0;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(paths) / sizeof(paths[0]); ++i) {
    unsigned bit = appliance_app_bit(paths[i][0]);
    size_t others = 0;
    int omitted;

    assert_int_not_equal(bit, 0);
    all |= bit;
    /* Whoever follows the link finds it, or the log says so. */
    for (omitted = 0; omitted < 2; ++omitted) {
      appliance_config config;
      bench b;

      configure(&b, &config, hosts, 1);
      config.path = paths[i][1];
      config.omitted = omitted ? bit : APPLIANCE_APPS_OWN & ~bit;
      assert_int_equal(appliance_new(&b.appliance, &config, &b.now), 0);
      assert_int_equal(b.others - others, omitted ? 1 : b.others);
      others = b.others;
      appliance_free(b.appliance);
    }
  }
  assert_int_equal(all, APPLIANCE_APPS_OWN);
  assert_int_equal(appliance_app_bit("hashes"), 0);
  assert_int_equal(appliance_app_bit(""), 0);
}

static void test_sessions_in_status(void **state) {
  sim_world *world = check_world(61);
  sim_peer *peer = sim_world_connect(world, "h3");
  cJSON *reply;
  const cJSON *sessions, *session;
  char json[128];
  int64_t id;

  (void)state;
  assert_non_null(peer);
  id = sim_world_session(world, peer, "/echo?who=\"me\"");
  assert_true(id >= 0);
  assert_int_equal(sim_world_pass(world, 3 * SIM_SECOND), 0);
  reply = sim_world_command(world, "{\"command\":\"status\"}");
  assert_non_null(reply);
  sessions = cJSON_GetObjectItemCaseSensitive(reply, "sessions");
  assert_int_equal(cJSON_GetArraySize(sessions), 1);
  session = cJSON_GetArrayItem(sessions, 0);
  assert_string_equal(text_of(session, "path"), "/echo?who=\"me\"");
  assert_string_equal(text_of(session, "origin"), "https://example.org");
  assert_non_null(strchr(text_of(session, "peer"), ':'));
  assert_true(number_of(session, "age_s") >= 3);
  assert_true(number_of(session, "rtt_us") > 0);
  assert_true(number_of(session, "rtt_us") < 1e6);
  assert_true(number_of(session, "octets_received") >= 1200);
  assert_true(number_of(session, "octets_sent") >= 1200);
  assert_true(number_of(reply, "connections") == 1);

  /* By its number it can be closed. */
  snprintf(json, sizeof(json),
           "{\"command\":\"close\",\"session\":%.0f,\"code\":4294967295,"
           "\"reason\":\"gr\xc3\xbc\xc3\x9f\"}",
           number_of(session, "session"));
  cJSON_Delete(reply);
  reply = sim_world_command(world, json);
  assert_non_null(reply);
  assert_int_equal(cJSON_GetArraySize(reply), 0);
  cJSON_Delete(reply);
  RUN_UNTIL(world, sim_is_session_closed, peer, id);
  assert_true(sim_peer_find_session(peer, id)->by_server);
  assert_true(sim_peer_find_session(peer, id)->code == 4294967295u);
  assert_string_equal(sim_peer_find_session(peer, id)->reason,
                      "gr\xc3\xbc\xc3\x9f");
  /* Not twice. */
  assert_null(sim_world_command(world, json));

  reply = sim_world_command(world, "{\"command\":\"status\"}");
  assert_int_equal(size_of(reply, "sessions"), 0);
  assert_int_equal(size_of(reply, "closed"), 1);
  session =
      cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(reply, "closed"), 0);
  assert_string_equal(text_of(session, "by"), "server");
  assert_true(number_of(session, "code") == 4294967295.0);
  cJSON_Delete(reply);
  check_world_end(world);
}

/* A close that is refused leaves the session as it is. */
static void test_close_refused(void **state) {
  static const char *const bad[] = {
      "\"code\":-1",          "\"code\":4294967296", "\"code\":1.5",
      "\"code\":\"7\"",       "\"code\":1e999",      "\"code\":7,\"reason\":7",
      "\"reason\":\"\xc3(\"", "\"code\":null"};
  sim_world *world = check_world(62);
  sim_peer *peer = sim_world_connect(world, "h3");
  char json[2048], reason[1026];
  double number;
  cJSON *reply;
  int64_t id;
  size_t i;

  (void)state;
  assert_non_null(peer);
  id = sim_world_session(world, peer, "/echo");
  assert_true(id >= 0);
  reply = sim_world_command(world, "{\"command\":\"status\"}");
  number = number_of(
      cJSON_GetArrayItem(cJSON_GetObjectItem(reply, "sessions"), 0), "session");
  cJSON_Delete(reply);
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
    snprintf(json, sizeof(json), "{\"command\":\"close\",\"session\":%.0f,%s}",
             number, bad[i]);
    reply = sim_world_command(world, json);
    if (reply) {
      fail_msg("%s was not refused", bad[i]);
    }
  }
  memset(reason, 'r', 1025);
  reason[1025] = '\0';
  snprintf(json, sizeof(json),
           "{\"command\":\"close\",\"session\":%.0f,\"reason\":\"%s\"}", number,
           reason);
  assert_null(sim_world_command(world, json));
  check_echo(world, peer, id, "still there", 11);
  check_world_end(world);
}

/* The last 64 ends are told, oldest first. */
static void test_closed_is_bounded(void **state) {
  sim_world *world = check_world(63);
  const cJSON *closed;
  sim_peer *peer = NULL;
  char path[64];
  cJSON *reply;
  int64_t id;
  int i;

  (void)state;
  for (i = 0; i < 70; ++i) {
    if (i % 25 == 0) {
      peer = sim_world_connect(world, "h3");
      assert_non_null(peer);
    }
    snprintf(path, sizeof(path), "/echo?close=%d&reason=%d", i, i);
    id = sim_world_session(world, peer, path);
    assert_true(id >= 0);
    RUN_UNTIL(world, sim_is_session_closed, peer, id);
  }
  reply = sim_world_command(world, "{\"command\":\"status\"}");
  closed = cJSON_GetObjectItemCaseSensitive(reply, "closed");
  assert_int_equal(cJSON_GetArraySize(closed), 64);
  for (i = 0; i < 64; ++i) {
    assert_true(number_of(cJSON_GetArrayItem(closed, i), "code") == i + 6);
  }
  cJSON_Delete(reply);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_describe),
      cmocka_unit_test(test_refused_configurations),
      cmocka_unit_test(test_waits_for_time),
      cmocka_unit_test(test_malformed_commands),
      cmocka_unit_test(test_status),
      cmocka_unit_test(test_rotate),
      cmocka_unit_test(test_rotate_without_randomness),
      cmocka_unit_test(test_rotate_is_refused_at_first),
      cmocka_unit_test(test_revoke_and_reset),
      cmocka_unit_test(test_forms),
      cmocka_unit_test(test_identity),
      cmocka_unit_test(test_thirteen_days),
      cmocka_unit_test(test_log),
      cmocka_unit_test(test_uptime),
      cmocka_unit_test(test_keys_go),
      cmocka_unit_test(test_rotation_is_retried),
      cmocka_unit_test(test_clock_jumps),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_reset_reaches_all),
      cmocka_unit_test(test_apps),
      cmocka_unit_test(test_sessions_in_status),
      cmocka_unit_test(test_close_refused),
      cmocka_unit_test(test_closed_is_bounded),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
