/* SPDX-License-Identifier: Apache-2.0 */
/* Capsules (RFC 9297 section 3.2): however they are cut, the same comes out. */
#include "server/varint.h"
#include "server/webtransport/capsule.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* What has come out of a parser, in short. */
typedef struct outcome {
  size_t ncapsules;
  uint64_t digest;
  /* Octets taken until the error, or all. */
  size_t taken;
  int error;
  int finish;
} outcome;

static void mix(outcome *out, uint64_t value) {
  out->digest = (out->digest ^ value) * UINT64_C(0x100000001b3);
}

static void note(outcome *out, const wt_capsule *capsule) {
  size_t i;

  ++out->ncapsules;
  mix(out, capsule->type);
  mix(out, capsule->value);
  mix(out, capsule->code);
  mix(out, capsule->reason_len);
  for (i = 0; i < capsule->reason_len; ++i) {
    mix(out, capsule->reason[i]);
  }
  FUZZ_CHECK(capsule->reason_len <= WT_CLOSE_REASON_MAX);
  FUZZ_CHECK(capsule->value <= VARINT_MAX);
  if (capsule->type == WT_CAPSULE_CLOSE) {
    uint8_t encoded[WT_CAPSULE_CLOSE_MAX];

    FUZZ_CHECK(wt_utf8_valid(capsule->reason, capsule->reason_len));
    FUZZ_CHECK(wt_capsule_put_close(encoded, sizeof(encoded), capsule->code,
                                    capsule->reason, capsule->reason_len) > 0);
  } else {
    FUZZ_CHECK(capsule->reason_len == 0);
  }
}

/* Feeds |len| octets, at most |*cut++ % 16 + 1| at a time if |cut| is there. */
static void parse(outcome *out, const uint8_t *data, size_t len,
                  const uint8_t *cut, size_t ncut) {
  wt_capsule_parser parser;
  size_t turn = 0;

  memset(out, 0, sizeof(*out));
  wt_capsule_parser_init(&parser);
  while (out->taken < len && out->error == 0) {
    size_t piece = len - out->taken, consumed, off = 0;
    uint8_t *copy;

    if (ncut && piece > (size_t)(cut[turn % ncut] % 16 + 1)) {
      piece = cut[turn % ncut] % 16 + 1;
    }
    ++turn;
    /* On its own, so that no octet beside it is read. */
    copy = malloc(piece);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data + out->taken, piece);
    while (off < piece) {
      wt_capsule capsule;
      int rv = wt_capsule_parser_feed(&parser, copy + off, piece - off,
                                      &consumed, &capsule);

      FUZZ_CHECK(consumed <= piece - off);
      off += consumed;
      if (rv < 0) {
        FUZZ_CHECK(rv == WT_CAPSULE_ERR_MESSAGE);
        out->error = rv;
        break;
      }
      if (rv == 0) {
        FUZZ_CHECK(off == piece);
        break;
      }
      FUZZ_CHECK(rv == 1);
      note(out, &capsule);
    }
    out->taken += off;
    free(copy);
  }
  if (out->error) {
    wt_capsule capsule;
    size_t consumed;

    /* It stays so. */
    FUZZ_CHECK(wt_capsule_parser_feed(&parser, data, len, &consumed,
                                      &capsule) == WT_CAPSULE_ERR_MESSAGE);
  }
  out->finish = wt_capsule_parser_finish(&parser);
  FUZZ_CHECK(out->finish == 0 || out->finish == WT_CAPSULE_ERR_MESSAGE);
  FUZZ_CHECK(!out->error || out->finish);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  const uint8_t *cut;
  size_t ncut = fuzz_take(&in, &cut, 4);
  outcome whole, pieces;

  parse(&whole, in.data, in.len, NULL, 0);
  parse(&pieces, in.data, in.len, cut, ncut);
  FUZZ_CHECK(whole.ncapsules == pieces.ncapsules);
  FUZZ_CHECK(whole.digest == pieces.digest);
  FUZZ_CHECK(whole.error == pieces.error);
  FUZZ_CHECK(whole.finish == pieces.finish);
  return 0;
}
