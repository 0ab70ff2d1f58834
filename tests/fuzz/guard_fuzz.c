/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as the guard before nghttp3 sees them: however they are cut, the
   verdict is the same, and so is its place. */
#include "server/http3/frame_guard.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static h3_frame_verdict look(const uint8_t *data, size_t len, uint64_t limit,
                             const uint8_t *cuts, size_t ncuts,
                             size_t *pwhere) {
  h3_frame_verdict verdict = H3_FRAME_FINE;
  h3_frame_guard guard;
  size_t turn = 0;

  memset(&guard, 0, sizeof(guard));
  *pwhere = 0;
  while (*pwhere < len && verdict == H3_FRAME_FINE) {
    size_t piece = len - *pwhere, used;
    uint8_t *copy;

    if (ncuts && piece > (size_t)(cuts[turn % ncuts] % 16 + 1)) {
      piece = cuts[turn % ncuts] % 16 + 1;
    }
    ++turn;
    copy = malloc(piece);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data + *pwhere, piece);
    verdict = h3_frame_guard_feed(&guard, copy, piece, limit, &used);
    FUZZ_CHECK(used <= piece);
    FUZZ_CHECK(verdict != H3_FRAME_FINE || used == piece);
    free(copy);
    *pwhere += used;
  }
  return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint64_t limit = fuzz_u16(&in);
  const uint8_t *cuts;
  size_t ncuts = fuzz_take(&in, &cuts, 4), whole, pieces;

  FUZZ_CHECK(look(in.data, in.len, limit, NULL, 0, &whole) ==
             look(in.data, in.len, limit, cuts, ncuts, &pieces));
  FUZZ_CHECK(whole == pieces);
  return 0;
}
