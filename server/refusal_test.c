/* SPDX-License-Identifier: Apache-2.0 */
#include "server/refusal.h"

#include "tests/sim/check.h"

#define DAY INT64_C(86400)
#define WALL INT64_C(1795300000)

static const uint8_t hash[CM_HASH_LEN] = {0x3c, 0x92, 0x24, 0x4d, 0x11};
static const uint8_t next_hash[CM_HASH_LEN] = {0x3c, 0x92, 0x24, 0x4d, 0x12};

static refusal_facts facts_of(const uint8_t *certificate) {
  const refusal_facts facts = {.certificate = certificate,
                               .published = 9 * DAY + 7,
                               .valid_since = 10 * DAY + 7,
                               .valid_for = 3 * DAY + 7};

  return facts;
}

static quic_conn_end end_of(int by_peer, ngtcp2_ccerr_type type,
                            uint64_t error_code) {
  quic_conn_end end;

  memset(&end, 0, sizeof(end));
  end.by_peer = by_peer;
  end.type = type;
  end.error_code = error_code;
  return end;
}

/* Each kind of end: what it is called, and what is said of it. */
static void test_kinds(void **state) {
  static const struct {
    int by_peer;
    ngtcp2_ccerr_type type;
    uint64_t error_code;
    refusal_kind kind;
    const char *by;
    int telling;
    const char *text;
  } cases[] = {
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x12e, REFUSAL_VERIFIER_CHROMIUM,
       "chromium", 1,
       "a Chromium client refused certificate 3c92244d\u2026: its link is "
       "older "
       "than 9 days, or its clock is more than 10 days slow or more than 3 "
       "days fast"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x12f, REFUSAL_KEY_USAGE_CHROMIUM,
       "chromium", 1,
       "a Chromium client refused certificate 3c92244d\u2026: its keyUsage "
       "does "
       "not allow digitalSignature"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x12b, REFUSAL_VERIFIER_FIREFOX,
       "firefox", 1,
       "a Firefox client refused certificate 3c92244d\u2026: its link is older "
       "than 9 days, or its clock is more than 10 days slow or more than 3 "
       "days fast"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x12a, REFUSAL_SERIAL_REUSED_FIREFOX,
       "firefox", 1,
       "a Firefox client refused certificate 3c92244d\u2026: it has seen its "
       "issuer and serial number with another key (clients that are no "
       "browsers say the same of any certificate that they do not trust)"},
      {0, NGTCP2_CCERR_TYPE_TRANSPORT, 0x128, REFUSAL_NO_COMMON_SIGNATURE,
       "server", 1,
       "a client has no signature algorithm or key exchange in common with "
       "this server: it would have to take P-256 with SHA-256"},
      {0, NGTCP2_CCERR_TYPE_TRANSPORT, 0x178, REFUSAL_NO_APPLICATION_PROTOCOL,
       "server", 1,
       "a client and this server speak no common protocol: it did not offer "
       "h3"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x178, REFUSAL_NO_APPLICATION_PROTOCOL,
       "client", 1,
       "a client and this server speak no common protocol: it did not offer "
       "h3"},
      /* The same alerts, said by the other side, are other things. */
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x128, REFUSAL_OTHER, "client", 1,
       "a client gave up its handshake: TLS alert handshake_failure (40)"},
      {0, NGTCP2_CCERR_TYPE_TRANSPORT, 0x12e, REFUSAL_OTHER, "server", 1,
       "a client's handshake was refused: TLS alert certificate_unknown (46)"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x130, REFUSAL_OTHER, "client", 1,
       "a client refused certificate 3c92244d\u2026: TLS alert unknown_ca "
       "(48): its link is older than 9 days, or its clock is more than 10 days "
       "slow or more than 3 days fast"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x131, REFUSAL_OTHER, "client", 1,
       "a client refused certificate 3c92244d\u2026: TLS alert access_denied "
       "(49)"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x1ff, REFUSAL_OTHER, "client", 1,
       "a client gave up its handshake: TLS alert 255"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x200, REFUSAL_OTHER, "client", 1,
       "a client gave up its handshake: QUIC error 0x200"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x100, REFUSAL_OTHER, "client", 1,
       "a client gave up its handshake: TLS alert 0"},
      {0, NGTCP2_CCERR_TYPE_TRANSPORT, 0xa, REFUSAL_OTHER, "server", 1,
       "a client's handshake was refused: QUIC error 0xa"},
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, UINT64_MAX >> 2, REFUSAL_OTHER, "client",
       1, "a client gave up its handshake: QUIC error 0x3fffffffffffffff"},
      /* Went away; was sent away. */
      {1, NGTCP2_CCERR_TYPE_TRANSPORT, 0, REFUSAL_OTHER, "client", 0, NULL},
      {0, NGTCP2_CCERR_TYPE_TRANSPORT, 0, REFUSAL_OTHER, "server", 0, NULL},
      {0, NGTCP2_CCERR_TYPE_TRANSPORT, 0x12c, REFUSAL_OTHER, "server", 0, NULL},
      {0, NGTCP2_CCERR_TYPE_TRANSPORT, 2, REFUSAL_OTHER, "server", 0, NULL},
      /* An application's codes are no alerts. */
      {1, NGTCP2_CCERR_TYPE_APPLICATION, 0x12e, REFUSAL_OTHER, "client", 1,
       NULL},
  };
  const refusal_facts facts = facts_of(hash);
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    char text[REFUSAL_TEXT_MAX];
    quic_conn_end end =
        end_of(cases[i].by_peer, cases[i].type, cases[i].error_code);
    refusal r = refusal_decode(&end);

    assert_int_equal(r.kind, cases[i].kind);
    assert_string_equal(r.by, cases[i].by);
    assert_int_equal(r.error_code, cases[i].error_code);
    assert_int_equal(r.telling, cases[i].telling);
    if (cases[i].text) {
      assert_string_equal(refusal_text(text, sizeof(text), &r, &facts),
                          cases[i].text);
    }
    /* Once established, nothing was refused. */
    end.established = 1;
    r = refusal_decode(&end);
    assert_int_equal(r.kind, REFUSAL_OK);
    assert_false(r.telling);
  }
}

static void test_silence(void **state) {
  quic_conn_end end = end_of(0, NGTCP2_CCERR_TYPE_TRANSPORT, 0);
  const refusal_facts facts = facts_of(hash);
  char text[REFUSAL_TEXT_MAX];
  refusal r;

  (void)state;
  end.idle = 1;
  r = refusal_decode(&end);
  assert_int_equal(r.kind, REFUSAL_TIMEOUT);
  assert_string_equal(r.by, "nobody");
  assert_true(r.telling);
  assert_string_equal(refusal_text(text, sizeof(text), &r, &facts),
                      "a client fell silent in its handshake: it went away, or "
                      "packets are lost between it and this server");
  /* After it that is no failure. */
  end.established = 1;
  assert_int_equal(refusal_decode(&end).kind, REFUSAL_OK);
}

static void test_names(void **state) {
  static const char *const names[] = {"ok",
                                      "refused_verifier_chromium",
                                      "refused_key_usage_chromium",
                                      "refused_verifier_firefox",
                                      "refused_serial_reused_firefox",
                                      "no_common_signature",
                                      "no_application_protocol",
                                      "timeout",
                                      "other"};
  size_t i;

  (void)state;
  assert_int_equal(sizeof(names) / sizeof(names[0]), REFUSAL_KIND_COUNT);
  for (i = 0; i < REFUSAL_KIND_COUNT; ++i) {
    assert_string_equal(refusal_kind_name((refusal_kind)i), names[i]);
  }
}

static refusal verifier(void) {
  const quic_conn_end end = end_of(1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x12e);

  return refusal_decode(&end);
}

/* What a client says is repeated, as far as it does no harm. */
static void test_words(void **state) {
  static const char begin[] =
      "a client gave up its handshake: TLS alert user_canceled (90), \"";
  static const struct {
    const char *reason, *said;
  } cases[] = {
      {"why not", "why not\""},
      {"a\nb\x1b[31m\"\x7f\xc3\xa4%s", "a?b?[31m????%s\""},
      {"12345678901234567890123456789012345678901234567890123456789012",
       "123456789012345678901234567890123456789012345678901234567890"
       "\""}};
  const refusal_facts facts = facts_of(hash);
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    quic_conn_end end = end_of(1, NGTCP2_CCERR_TYPE_TRANSPORT, 0x15a);
    char text[REFUSAL_TEXT_MAX];
    refusal r;

    end.reason = (const uint8_t *)cases[i].reason;
    end.reason_len = strlen(cases[i].reason);
    r = refusal_decode(&end);
    refusal_text(text, sizeof(text), &r, &facts);
    assert_memory_equal(text, begin, sizeof(begin) - 1);
    assert_string_equal(text + sizeof(begin) - 1, cases[i].said);
  }
}

/* What is not known is not said. */
static void test_causes(void **state) {
  static const char begin[] = "a Chromium client refused certificate "
                              "3c92244d\u2026: ";
  static const struct {
    int64_t published, valid_since, valid_for;
    int clock_doubt;
    const char *text;
  } cases[] = {
      {0, 0, 0, 0,
       "its link is older than 0 seconds, or its clock is more than 0 seconds "
       "slow or more than 0 seconds fast"},
      {1, 59, 60, 0,
       "its link is older than 1 second, or its clock is more than 59 seconds "
       "slow or more than 1 minute fast"},
      {3599, 3600, 86399, 0,
       "its link is older than 59 minutes, or its clock is more than 1 hour "
       "slow or more than 23 hours fast"},
      {DAY, 2 * DAY, 13 * DAY, 1,
       "its link is older than 1 day, or its clock is more than 2 days slow or "
       "more than 13 days fast, or the clock of this server is wrong"},
      {-1, 5, 5, 0,
       "its link does not name this certificate, or its clock is more than 5 "
       "seconds slow or more than 5 seconds fast"},
      {-1, -1, 5, 0,
       "its link does not name this certificate, or its clock is wrong"},
      {DAY, 5, -1, 1,
       "its link is older than 1 day, or its clock is wrong, or the clock of "
       "this server is wrong"},
  };
  const refusal r = verifier();
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    const refusal_facts facts = {hash, cases[i].published, cases[i].valid_since,
                                 cases[i].valid_for, cases[i].clock_doubt};
    char text[REFUSAL_TEXT_MAX];

    refusal_text(text, sizeof(text), &r, &facts);
    assert_memory_equal(text, begin, sizeof(begin) - 1);
    assert_string_equal(text + sizeof(begin) - 1, cases[i].text);
  }
}

/* No text is longer than the room that is promised, and none leaves it. */
static void test_room(void **state) {
  const refusal_facts facts = {hash, INT64_MAX, INT64_MAX, INT64_MAX, 1};
  size_t kind, len;

  (void)state;
  for (kind = 0; kind < REFUSAL_KIND_COUNT; ++kind) {
    static const uint8_t reason[1000] = "x";
    /* The longest of "other". */
    const refusal r = {(refusal_kind)kind, "client", 0x12d, reason,
                       sizeof(reason),     1};
    char text[REFUSAL_TEXT_MAX], whole[2 * REFUSAL_TEXT_MAX];

    refusal_text(whole, sizeof(whole), &r, &facts);
    assert_in_range(strlen(whole), 10, REFUSAL_TEXT_MAX - 1);
    for (len = 1; len <= sizeof(text); ++len) {
      memset(text, '#', sizeof(text));
      refusal_text(text, len, &r, &facts);
      assert_int_equal(strlen(text),
                       len - 1 < strlen(whole) ? len - 1 : strlen(whole));
      assert_memory_equal(text, whole, strlen(text));
      if (len < sizeof(text)) {
        assert_int_equal(text[len], '#');
      }
    }
  }
}

/* ---- Many of them ---- */

static refusals all;

static void add_one(refusal_kind kind, const uint8_t *certificate,
                    int64_t wall) {
  const refusal r = {kind, "client", 0x12e, NULL, 0, kind != REFUSAL_OK};
  const refusal_facts facts = facts_of(certificate);
  udp_address peer;

  assert_int_equal(udp_address_parse(&peer, "192.0.2.1", 4433), 0);
  refusals_add(&all, &r, &facts, &peer, wall);
}

static void test_counts(void **state) {
  const refusal_facts facts = facts_of(hash);
  refusal r = verifier();
  size_t i;

  (void)state;
  memset(&all, 0, sizeof(all));
  assert_null(refusals_next(&all, 0));
  assert_null(refusals_line(&all, 0));
  for (i = 0; i < REFUSAL_KIND_COUNT; ++i) {
    add_one((refusal_kind)i, hash, WALL);
    add_one((refusal_kind)i, hash, WALL + 1);
    assert_int_equal(all.counts[i], 2);
  }
  /* All but "ok" have a line. */
  assert_int_equal(all.nlines, REFUSAL_KIND_COUNT - 1);
  /* Counted, and no more. */
  memset(&all, 0, sizeof(all));
  r.telling = 0;
  refusals_add(&all, &r, &facts, NULL, WALL);
  assert_int_equal(all.counts[REFUSAL_VERIFIER_CHROMIUM], 1);
  assert_null(refusals_next(&all, 0));
  assert_null(refusals_line(&all, 0));
}

/* At once, then once a minute, with what came meanwhile. */
static void test_told_once_a_minute(void **state) {
  const refusal_line *line;
  int64_t t;

  (void)state;
  memset(&all, 0, sizeof(all));
  add_one(REFUSAL_VERIFIER_CHROMIUM, hash, WALL);
  line = refusals_next(&all, 1000);
  assert_non_null(line);
  assert_int_equal(line->since, 1);
  assert_int_equal(line->count, 1);
  assert_int_equal(line->time, WALL);
  assert_int_equal(line->kind, REFUSAL_VERIFIER_CHROMIUM);
  assert_memory_equal(line->certificate, hash, CM_HASH_LEN);
  assert_string_equal(line->peer, "192.0.2.1:4433");
  assert_non_null(strstr(line->text, "3c92244d"));
  assert_null(refusals_next(&all, 1000));
  assert_null(refusals_next(&all, 5000));

  for (t = 5000; t < 5010; ++t) {
    add_one(REFUSAL_VERIFIER_CHROMIUM, hash, WALL + t);
    /* The minute since the last one was over at the first. */
    assert_int_equal(refusals_next(&all, t) != NULL, t == 5000);
  }
  /* Another certificate, another kind: not the same. */
  add_one(REFUSAL_VERIFIER_CHROMIUM, next_hash, WALL);
  assert_non_null(refusals_next(&all, 5010));
  add_one(REFUSAL_TIMEOUT, hash, WALL);
  assert_non_null(refusals_next(&all, 5010));
  assert_null(refusals_next(&all, 5059));

  /* Nobody need fail for it to be told. */
  line = refusals_next(&all, 5060);
  assert_non_null(line);
  assert_int_equal(line->since, 9);
  assert_int_equal(line->count, 11);
  assert_int_equal(line->time, WALL + 5009);
  assert_null(refusals_next(&all, 5060));
}

/* A hostile peer fails in every way, all the time. */
static void test_flood(void **state) {
  uint64_t told = 0, sum = 0;
  const refusal_line *line;
  int64_t t;
  size_t i;

  (void)state;
  memset(&all, 0, sizeof(all));
  for (t = 0; t < 10 * REFUSALS_INTERVAL; ++t) {
    for (i = 0; i < 40; ++i) {
      add_one((refusal_kind)(1 + i % (REFUSAL_KIND_COUNT - 1)),
              i % 2 ? hash : next_hash, WALL + t);
      while ((line = refusals_next(&all, t)) != NULL) {
        ++told;
        sum += line->since;
      }
    }
  }
  assert_int_equal(told, 10 * all.nlines);
  for (i = 0; i < all.nlines; ++i) {
    sum += all.lines[i].untold;
  }
  /* None was lost. */
  assert_int_equal(sum, 40 * 10 * REFUSALS_INTERVAL);
}

/* The latest first; of more than there is room for the longest ago goes. */
static void test_lines(void **state) {
  uint8_t certificate[CM_HASH_LEN] = {0};
  const refusal_line *line;
  size_t i;

  (void)state;
  memset(&all, 0, sizeof(all));
  for (i = 0; i < REFUSALS_LINES; ++i) {
    certificate[0] = (uint8_t)i;
    add_one(REFUSAL_TIMEOUT, certificate, WALL + (int64_t)i);
  }
  /* The first comes again, so that the second is now the oldest. */
  certificate[0] = 0;
  add_one(REFUSAL_TIMEOUT, certificate, WALL + 100);
  assert_int_equal(all.nlines, REFUSALS_LINES);
  certificate[0] = 99;
  add_one(REFUSAL_TIMEOUT, certificate, WALL + 101);
  assert_int_equal(all.nlines, REFUSALS_LINES);

  line = refusals_line(&all, 0);
  assert_int_equal(line->certificate[0], 99);
  assert_int_equal(line->count, 1);
  line = refusals_line(&all, 1);
  assert_int_equal(line->certificate[0], 0);
  assert_int_equal(line->count, 2);
  for (i = 2; i < REFUSALS_LINES; ++i) {
    line = refusals_line(&all, i);
    assert_int_equal(line->certificate[0], REFUSALS_LINES + 1 - i);
  }
  assert_null(refusals_line(&all, REFUSALS_LINES));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kinds),  cmocka_unit_test(test_silence),
      cmocka_unit_test(test_names),  cmocka_unit_test(test_words),
      cmocka_unit_test(test_causes), cmocka_unit_test(test_room),
      cmocka_unit_test(test_counts), cmocka_unit_test(test_told_once_a_minute),
      cmocka_unit_test(test_flood),  cmocka_unit_test(test_lines),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
