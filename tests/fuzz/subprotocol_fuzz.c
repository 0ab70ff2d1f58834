/* SPDX-License-Identifier: Apache-2.0 */
/* WT-Available-Protocols (RFC 9651), of which one is chosen. */
#include "server/webtransport/subprotocol.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const protocols[] = {"a", "moq-00", "with \"quotes\\",
                                          NULL};
  fuzz_input in = {data, size};
  char *text = fuzz_text(&in, size), *written;
  const char *chosen = wt_subprotocol_choose(text, protocols);
  const char *const own[] = {text, NULL};
  size_t i, room = 2 * strlen(text) + 3;
  int n;

  for (i = 0; chosen && protocols[i] != chosen; ++i) {
    FUZZ_CHECK(protocols[i] != NULL);
  }
  /* What we write is read as what it was. */
  written = malloc(room);
  FUZZ_CHECK(written != NULL);
  n = wt_subprotocol_write(written, room, text);
  if (n >= 0) {
    FUZZ_CHECK(strlen(written) == (size_t)n);
    FUZZ_CHECK(wt_subprotocol_choose(written, own) == text);
    FUZZ_CHECK(wt_subprotocol_write(written, (size_t)n, text) == -1);
  }
  free(written);
  free(text);
  return 0;
}
