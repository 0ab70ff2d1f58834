/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webtransport/capsule.h"

#include "server/varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The stream that a test writes. */
typedef struct stream {
  uint8_t octets[8192];
  size_t len;
} stream;

static void put_varint(stream *s, uint64_t value) {
  size_t n = varint_put(s->octets + s->len, sizeof(s->octets) - s->len, value);

  assert_int_not_equal(n, 0);
  s->len += n;
}

static void put_octets(stream *s, const void *octets, size_t len) {
  assert_true(len <= sizeof(s->octets) - s->len);
  if (len > 0) {
    memcpy(s->octets + s->len, octets, len);
    s->len += len;
  }
}

static void put_capsule(stream *s, uint64_t type, const void *value,
                        size_t len) {
  put_varint(s, type);
  put_varint(s, len);
  put_octets(s, value, len);
}

static void put_number(stream *s, uint64_t type, uint64_t number) {
  put_varint(s, type);
  put_varint(s, varint_len(number));
  put_varint(s, number);
}

static void put_close(stream *s, uint32_t code, const char *reason) {
  int n = wt_capsule_put_close(s->octets + s->len, sizeof(s->octets) - s->len,
                               code, (const uint8_t *)reason, strlen(reason));

  assert_true(n > 0);
  s->len += (size_t)n;
}

/* What came out of a stream. */
typedef struct result {
  wt_capsule capsules[32];
  char reason[WT_CLOSE_REASON_MAX + 1];
  size_t count;
  /* What feed, or else finish, returned last. */
  int rv;
  /* Octets taken before an error. */
  size_t taken;
} result;

/* Feeds |s| in pieces of |piece| octets, then FIN if |fin|. */
static void run(result *r, const stream *s, size_t piece, int fin) {
  wt_capsule_parser parser;
  size_t off = 0;

  memset(r, 0, sizeof(*r));
  /* The parser may not rely on what was in memory. */
  memset(&parser, 0xa5, sizeof(parser));
  wt_capsule_parser_init(&parser);
  while (off < s->len) {
    size_t n = s->len - off < piece ? s->len - off : piece, consumed = 4711;
    wt_capsule *out = &r->capsules[r->count];

    r->rv = wt_capsule_parser_feed(&parser, s->octets + off, n, &consumed, out);
    assert_true(consumed <= n);
    off += consumed;
    r->taken = off;
    if (r->rv < 0) {
      size_t more = 4711;
      /* It stays in error. */
      assert_int_equal(
          wt_capsule_parser_feed(&parser, s->octets, s->len, &more, out),
          WT_CAPSULE_ERR_MESSAGE);
      assert_int_equal(more, 0);
      assert_int_equal(wt_capsule_parser_finish(&parser),
                       WT_CAPSULE_ERR_MESSAGE);
      return;
    }
    if (r->rv == 1) {
      if (out->type == WT_CAPSULE_CLOSE) {
        assert_true(out->reason_len <= WT_CLOSE_REASON_MAX);
        memcpy(r->reason, out->reason, out->reason_len);
      }
      r->count++;
      assert_true(r->count < 32);
    } else {
      assert_int_equal(consumed, n);
    }
  }
  if (fin) {
    r->rv = wt_capsule_parser_finish(&parser);
  }
}

/* |s| gives the error, however it is cut. */
static void check_error(const stream *s, int fin) {
  static const size_t pieces[] = {1, 2, 3, 7, 100, 8192};
  result r;

  for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
    run(&r, s, pieces[i], fin);
    assert_int_equal(r.rv, WT_CAPSULE_ERR_MESSAGE);
  }
}

static void test_every_split(void **state) {
  static const uint8_t grease[300];
  stream s = {.len = 0};
  result r;

  (void)state;
  put_capsule(&s, 0x1f * 7 + 0x17, grease, 5);
  put_number(&s, WT_CAPSULE_MAX_DATA, 1 << 20);
  put_capsule(&s, 0x00, "datagram", 8);
  put_number(&s, WT_CAPSULE_MAX_STREAMS_BIDI, 100);
  put_number(&s, WT_CAPSULE_MAX_STREAMS_UNI, VARINT_MAX);
  put_number(&s, WT_CAPSULE_DATA_BLOCKED, 0);
  put_number(&s, WT_CAPSULE_STREAMS_BLOCKED_BIDI, 64);
  put_capsule(&s, VARINT_MAX, grease, sizeof(grease));
  put_number(&s, WT_CAPSULE_STREAMS_BLOCKED_UNI, 16384);
  put_capsule(&s, WT_CAPSULE_DRAIN, NULL, 0);
  put_capsule(&s, 0x17, NULL, 0);
  put_close(&s, 0xdeadbeef, "gr\xc3\xbc\xc3\x9f dich");

  for (size_t piece = 1; piece <= s.len; piece++) {
    run(&r, &s, piece, 1);
    assert_int_equal(r.rv, 0);
    assert_int_equal(r.taken, s.len);
    assert_int_equal(r.count, 8);
    assert_true(r.capsules[0].type == WT_CAPSULE_MAX_DATA);
    assert_true(r.capsules[0].value == 1 << 20);
    assert_true(r.capsules[1].type == WT_CAPSULE_MAX_STREAMS_BIDI);
    assert_true(r.capsules[1].value == 100);
    assert_true(r.capsules[2].type == WT_CAPSULE_MAX_STREAMS_UNI);
    assert_true(r.capsules[2].value == VARINT_MAX);
    assert_true(r.capsules[3].type == WT_CAPSULE_DATA_BLOCKED);
    assert_true(r.capsules[3].value == 0);
    assert_true(r.capsules[4].type == WT_CAPSULE_STREAMS_BLOCKED_BIDI);
    assert_true(r.capsules[4].value == 64);
    assert_true(r.capsules[5].type == WT_CAPSULE_STREAMS_BLOCKED_UNI);
    assert_true(r.capsules[5].value == 16384);
    assert_true(r.capsules[6].type == WT_CAPSULE_DRAIN);
    assert_true(r.capsules[7].type == WT_CAPSULE_CLOSE);
    assert_true(r.capsules[7].code == 0xdeadbeef);
    assert_string_equal(r.reason, "gr\xc3\xbc\xc3\x9f dich");
  }
}

/* The same capsules with types and lengths in their longest form. */
static void test_long_varints(void **state) {
  static const uint8_t octets[] = {0xc0, 0, 0, 0, 0,   0,  0x28, 0x43,
                                   0xc0, 0, 0, 0, 0,   0,  0,    0x06,
                                   0,    0, 1, 2, 'o', 'k'};
  stream s = {.len = 0};
  result r;

  (void)state;
  put_octets(&s, octets, sizeof(octets));
  for (size_t piece = 1; piece <= s.len; piece++) {
    run(&r, &s, piece, 1);
    assert_int_equal(r.rv, 0);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.capsules[0].code, 258);
    assert_string_equal(r.reason, "ok");
  }
}

static void test_close_without_reason(void **state) {
  stream s = {.len = 0};
  result r;

  (void)state;
  put_close(&s, 7, "");
  assert_int_equal(s.len, 7);
  run(&r, &s, 100, 1);
  assert_int_equal(r.rv, 0);
  assert_int_equal(r.count, 1);
  assert_int_equal(r.capsules[0].code, 7);
  assert_int_equal(r.capsules[0].reason_len, 0);
}

static void test_close_of_any_length(void **state) {
  uint8_t value[4 + WT_CLOSE_REASON_MAX + 1];
  result r;

  (void)state;
  memset(value, 'x', sizeof(value));
  for (size_t len = 0; len <= sizeof(value); len++) {
    stream s = {.len = 0};
    put_capsule(&s, WT_CAPSULE_CLOSE, value, len);
    run(&r, &s, 1000, 1);
    if (len < 4 || len > 4 + WT_CLOSE_REASON_MAX) {
      assert_int_equal(r.rv, WT_CAPSULE_ERR_MESSAGE);
      assert_int_equal(r.count, 0);
    } else {
      assert_int_equal(r.rv, 0);
      assert_int_equal(r.count, 1);
      assert_int_equal(r.capsules[0].reason_len, len - 4);
    }
  }
}

/* The length alone is enough to refuse: nothing of the value is waited for. */
static void test_close_too_long_at_once(void **state) {
  stream s = {.len = 0};

  (void)state;
  put_varint(&s, WT_CAPSULE_CLOSE);
  put_varint(&s, VARINT_MAX);
  check_error(&s, 0);
}

static void test_close_with_bad_utf8(void **state) {
  stream s = {.len = 0};

  (void)state;
  put_capsule(&s, WT_CAPSULE_CLOSE, "\0\0\0\0a\xff", 6);
  check_error(&s, 0);
  s.len = 0;
  /* Cut inside of a character. */
  put_capsule(&s, WT_CAPSULE_CLOSE, "\0\0\0\0\xe2\x82", 6);
  check_error(&s, 0);
}

static void test_nothing_after_close(void **state) {
  stream s = {.len = 0};
  result r;

  (void)state;
  put_close(&s, 1, "bye");
  put_capsule(&s, 0x17, NULL, 0);
  check_error(&s, 0);
  run(&r, &s, s.len, 0);
  assert_int_equal(r.count, 1);
}

static void test_truncated_by_fin(void **state) {
  stream whole = {.len = 0};
  size_t borders[4], nborders = 0;

  (void)state;
  borders[nborders++] = 0;
  put_capsule(&whole, 0x17, "abc", 3);
  borders[nborders++] = whole.len;
  put_number(&whole, WT_CAPSULE_MAX_DATA, 100000);
  borders[nborders++] = whole.len;
  put_close(&whole, 1, "reason");
  borders[nborders++] = whole.len;
  for (size_t len = 0; len <= whole.len; len++) {
    stream s = whole;
    int at_border = 0;
    for (size_t i = 0; i < nborders; i++) {
      at_border |= borders[i] == len;
    }
    s.len = len;
    for (size_t piece = 1; piece <= 8; piece++) {
      result r;
      run(&r, &s, piece, 1);
      assert_int_equal(r.rv, at_border ? 0 : WT_CAPSULE_ERR_MESSAGE);
    }
  }
}

static void test_malformed_values(void **state) {
  stream s = {.len = 0};

  (void)state;
  /* A varint and something behind it. */
  put_capsule(&s, WT_CAPSULE_MAX_DATA, "\x01\x02", 2);
  check_error(&s, 0);
  s.len = 0;
  /* Half a varint. */
  put_capsule(&s, WT_CAPSULE_MAX_STREAMS_UNI, "\x80\x00\x01", 3);
  check_error(&s, 0);
  s.len = 0;
  put_capsule(&s, WT_CAPSULE_DATA_BLOCKED, NULL, 0);
  check_error(&s, 0);
  s.len = 0;
  put_varint(&s, WT_CAPSULE_MAX_STREAMS_BIDI);
  put_varint(&s, 9);
  check_error(&s, 0);
  s.len = 0;
  put_capsule(&s, WT_CAPSULE_DRAIN, "x", 1);
  check_error(&s, 0);
}

static void test_forbidden_types(void **state) {
  stream s = {.len = 0};

  (void)state;
  put_capsule(&s, WT_CAPSULE_MAX_STREAM_DATA, "\x00\x01", 2);
  check_error(&s, 0);
  s.len = 0;
  put_capsule(&s, WT_CAPSULE_STREAM_DATA_BLOCKED, "\x00\x01", 2);
  check_error(&s, 0);
}

/* A capsule that claims 2^62 - 1 octets is skipped without being held. */
static void test_endless_unknown_capsule(void **state) {
  static const uint8_t zeros[4096];
  wt_capsule_parser parser;
  wt_capsule out;
  stream s = {.len = 0};
  size_t consumed;

  (void)state;
  put_varint(&s, 0x1f * 1000 + 0x17);
  put_varint(&s, VARINT_MAX);
  wt_capsule_parser_init(&parser);
  assert_int_equal(
      wt_capsule_parser_feed(&parser, s.octets, s.len, &consumed, &out), 0);
  for (int i = 0; i < 10000; i++) {
    assert_int_equal(
        wt_capsule_parser_feed(&parser, zeros, sizeof(zeros), &consumed, &out),
        0);
    assert_int_equal(consumed, sizeof(zeros));
  }
  assert_int_equal(wt_capsule_parser_finish(&parser), WT_CAPSULE_ERR_MESSAGE);
}

static void test_random_octets(void **state) {
  uint32_t random = 1;

  (void)state;
  for (int i = 0; i < 20000; i++) {
    stream s;
    result whole, pieces;

    s.len = 64;
    for (size_t j = 0; j < s.len; j++) {
      random = random * 1664525 + 1013904223;
      s.octets[j] = (uint8_t)(random >> 24);
    }
    /* Make the interesting types come up. */
    if (i % 2 == 0) {
      s.octets[0] = 0x68;
      s.octets[1] = 0x43;
      s.octets[2] &= 0x3f;
    }
    run(&whole, &s, s.len, 1);
    run(&pieces, &s, 1, 1);
    assert_int_equal(whole.rv, pieces.rv);
    assert_int_equal(whole.count, pieces.count);
  }
}

static void test_put_close(void **state) {
  static const uint8_t expected[] = {0x68, 0x43, 0x06, 0x00, 0x00,
                                     0x01, 0x02, 'o',  'k'};
  uint8_t reason[WT_CLOSE_REASON_MAX + 1], buf[WT_CAPSULE_CLOSE_MAX];

  (void)state;
  memset(reason, 'x', sizeof(reason));
  assert_int_equal(
      wt_capsule_put_close(buf, sizeof(buf), 258, (const uint8_t *)"ok", 2),
      sizeof(expected));
  assert_memory_equal(buf, expected, sizeof(expected));
  for (size_t room = 0; room < sizeof(expected); room++) {
    assert_int_equal(
        wt_capsule_put_close(buf, room, 258, (const uint8_t *)"ok", 2),
        WT_CAPSULE_ERR_NOBUF);
  }
  assert_int_equal(
      wt_capsule_put_close(buf, sizeof(buf), 0, reason, WT_CLOSE_REASON_MAX),
      WT_CAPSULE_CLOSE_MAX);
  assert_int_equal(
      wt_capsule_put_close(buf, sizeof(buf), 0, reason, sizeof(reason)),
      WT_CAPSULE_ERR_NOBUF);
  assert_int_equal(
      wt_capsule_put_close(buf, sizeof(buf), 0, (const uint8_t *)"\xc0\x80", 2),
      WT_CAPSULE_ERR_UTF8);
  assert_int_equal(wt_capsule_put_close(buf, sizeof(buf), 0, NULL, 0), 7);
}

static void test_put_drain(void **state) {
  static const uint8_t expected[] = {0x80, 0x00, 0x78, 0xae, 0x00};
  uint8_t buf[WT_CAPSULE_DRAIN_LEN];

  (void)state;
  assert_int_equal(wt_capsule_put_drain(buf, sizeof(buf)), sizeof(expected));
  assert_memory_equal(buf, expected, sizeof(expected));
  assert_int_equal(wt_capsule_put_drain(buf, sizeof(buf) - 1),
                   WT_CAPSULE_ERR_NOBUF);
}

/* UTF-8 of |c|, also for what UTF-8 may not hold. */
static size_t encode(uint8_t dest[4], uint32_t c) {
  if (c < 0x80) {
    dest[0] = (uint8_t)c;
    return 1;
  }
  if (c < 0x800) {
    dest[0] = (uint8_t)(0xc0 | c >> 6);
    dest[1] = (uint8_t)(0x80 | (c & 0x3f));
    return 2;
  }
  if (c < 0x10000) {
    dest[0] = (uint8_t)(0xe0 | c >> 12);
    dest[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    dest[2] = (uint8_t)(0x80 | (c & 0x3f));
    return 3;
  }
  dest[0] = (uint8_t)(0xf0 | c >> 18);
  dest[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
  dest[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
  dest[3] = (uint8_t)(0x80 | (c & 0x3f));
  return 4;
}

static void test_utf8_every_character(void **state) {
  (void)state;
  for (uint32_t c = 0; c < 0x200000; c++) {
    uint8_t octets[4];
    size_t len = encode(octets, c);
    int valid = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);

    assert_int_equal(wt_utf8_valid(octets, len), valid);
    if (len > 1) {
      assert_int_equal(wt_utf8_valid(octets, len - 1), 0);
    }
  }
}

static void test_utf8_bad(void **state) {
  static const char *const bad[] = {"\x80",
                                    "\xbf",
                                    "\xc0\x80",
                                    "\xc1\xbf",
                                    "\xe0\x80\x80",
                                    "\xe0\x9f\xbf",
                                    "\xf0\x80\x80\x80",
                                    "\xf0\x8f\xbf\xbf",
                                    "\xf5\x80\x80\x80",
                                    "\xff",
                                    "\xfe",
                                    "\xc3(",
                                    "\xe2\x82(",
                                    "\xf0\x9f\x98(",
                                    "a\xed\xa0\x80",
                                    "\xc3\xc3\xa9"};

  (void)state;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(wt_utf8_valid((const uint8_t *)bad[i], strlen(bad[i])), 0);
  }
  assert_int_equal(wt_utf8_valid(NULL, 0), 1);
  assert_int_equal(wt_utf8_valid((const uint8_t *)"a\0b", 3), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_split),
      cmocka_unit_test(test_long_varints),
      cmocka_unit_test(test_close_without_reason),
      cmocka_unit_test(test_close_of_any_length),
      cmocka_unit_test(test_close_too_long_at_once),
      cmocka_unit_test(test_close_with_bad_utf8),
      cmocka_unit_test(test_nothing_after_close),
      cmocka_unit_test(test_truncated_by_fin),
      cmocka_unit_test(test_malformed_values),
      cmocka_unit_test(test_forbidden_types),
      cmocka_unit_test(test_endless_unknown_capsule),
      cmocka_unit_test(test_random_octets),
      cmocka_unit_test(test_put_close),
      cmocka_unit_test(test_put_drain),
      cmocka_unit_test(test_utf8_every_character),
      cmocka_unit_test(test_utf8_bad),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
