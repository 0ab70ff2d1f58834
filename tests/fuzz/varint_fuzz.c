/* SPDX-License-Identifier: Apache-2.0 */
/* Variable-length integers (RFC 9000 section 16), there and back. */
#include "server/varint.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};

  while (in.len) {
    uint64_t value = UINT64_MAX, again;
    uint8_t buf[VARINT_LEN_MAX];
    size_t n, m, whole = varint_len_of(in.data[0]);
    /* On its own, so that no octet beside it is read. */
    size_t len = in.len < 9 ? in.len : 9;
    uint8_t *copy = malloc(len);

    FUZZ_CHECK(copy != NULL);
    memcpy(copy, in.data, len);
    n = varint_get(&value, copy, len);
    FUZZ_CHECK(whole == 1 || whole == 2 || whole == 4 || whole == 8);
    FUZZ_CHECK(n == (whole <= len ? whole : 0));
    if (n == 0) {
      FUZZ_CHECK(value == UINT64_MAX);
      n = len;
    } else {
      FUZZ_CHECK(value <= VARINT_MAX);
      m = varint_put(buf, n, value);
      FUZZ_CHECK(m && m <= n && m == varint_len(value));
      FUZZ_CHECK(varint_put(buf, m - 1, value) == 0);
      FUZZ_CHECK(varint_get(&again, buf, m) == m && again == value);
    }
    free(copy);
    in.data += n;
    in.len -= n;
  }
  return 0;
}
