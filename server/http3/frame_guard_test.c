/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http3/frame_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT 100

/* Feeds |text| in pieces of |piece| octets; returns the verdict, and in
   |*pused| how far it came. */
static h3_frame_verdict feed(const char *text, size_t len, size_t piece,
                             size_t *pused) {
  h3_frame_guard guard;
  size_t off = 0, used;

  memset(&guard, 0, sizeof(guard));
  while (off < len) {
    size_t n = len - off < piece ? len - off : piece;
    h3_frame_verdict verdict = h3_frame_guard_feed(
        &guard, (const uint8_t *)text + off, n, LIMIT, &used);

    assert_true(used <= n);
    off += used;
    if (verdict != H3_FRAME_FINE) {
      *pused = off;
      return verdict;
    }
    assert_int_equal(used, n);
  }
  *pused = off;
  return H3_FRAME_FINE;
}

typedef struct guard_case {
  const char *text;
  size_t len;
  h3_frame_verdict verdict;
  size_t used;
} guard_case;

#define BYTES(TEXT) TEXT, sizeof(TEXT) - 1

static const guard_case cases[] = {
    {BYTES(""), H3_FRAME_FINE, 0},
    {BYTES("\x01\x02xx\x00\x03yyy"), H3_FRAME_FINE, 9},
    {BYTES("\x01\x02xx\x00\x00\x21\x01z"), H3_FRAME_FINE, 9},
    /* What is in a payload is no frame. */
    {BYTES("\x00\x04\x40\x41\x40\x41"), H3_FRAME_FINE, 6},
    {BYTES("\x40\x41"), H3_FRAME_WEBTRANSPORT, 2},
    {BYTES("\x80\x00\x00\x41\x00"), H3_FRAME_WEBTRANSPORT, 4},
    {BYTES("\x01\x02xx\x40\x41\x04"), H3_FRAME_WEBTRANSPORT, 6},
    {BYTES("\x00\x00\x40\x41\x04"), H3_FRAME_WEBTRANSPORT, 4},
    /* A length of 0x41 is none. */
    {BYTES("\x21\x40\x41"), H3_FRAME_FINE, 3},
    {BYTES("\x01\x40\x64"), H3_FRAME_FINE, 3},
    {BYTES("\x01\x40\x65xxx"), H3_FRAME_TOO_LONG, 3},
    {BYTES("\x04\x40\x65xxx"), H3_FRAME_TOO_LONG, 3},
    {BYTES("\x01\xff\xff\xff\xff\xff\xff\xff\xff"), H3_FRAME_TOO_LONG, 9},
    {BYTES("\x00\x01x\x01\xc0\x00\x00\x00\x00\x00\x00\x65"), H3_FRAME_TOO_LONG,
     12},
    /* An identifier and nothing else; too few octets is nghttp3's to see. */
    {BYTES("\x07\x01\x3f\x0d\x02\x40\x01\x00\x00"), H3_FRAME_FINE, 9},
    {BYTES("\x07\x08\xc0\x00\x00\x00\x00\x00\x00\x00"), H3_FRAME_FINE, 10},
    {BYTES("\x07\x01\x80\x21\x00"), H3_FRAME_FINE, 5},
    {BYTES("\x07\x00\x0d\x00"), H3_FRAME_FINE, 4},
    {BYTES("\x07\x02\x04\x04"), H3_FRAME_SURPLUS, 2},
    {BYTES("\x0d\x05\x80\x00\x00\x00\x00"), H3_FRAME_SURPLUS, 2},
    {BYTES("\x21\x02\x04\x04"), H3_FRAME_FINE, 4},
    /* Others may be as long as they like. */
    {BYTES("\x00\xff\xff\xff\xff\xff\xff\xff\xff\x01\xff"), H3_FRAME_FINE, 11},
    {BYTES("\x21\xff\xff\xff\xff\xff\xff\xff\xff\x40\x41"), H3_FRAME_FINE, 11},
};

static void test_cases(void **state) {
  size_t i, piece, used;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    for (piece = 1; piece <= 12; ++piece) {
      assert_int_equal(feed(cases[i].text, cases[i].len, piece, &used),
                       cases[i].verdict);
      assert_int_equal(used, cases[i].used);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cases),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
