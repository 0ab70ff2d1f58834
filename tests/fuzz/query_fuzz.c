/* SPDX-License-Identifier: Apache-2.0 */
/* The query of a request's path: no more than fits, and no NUL inside. */
#include "server/apps/query.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* Percent-encodes all of |value|, so that it has to come out as it is. */
static char *encode(const char *name, const char *value) {
  static const char digits[] = "0123456789aBcDeF";
  size_t i, n, len = strlen(value);
  char *path = malloc(strlen(name) + 3 * len + 4);

  FUZZ_CHECK(path != NULL);
  n = 0;
  path[n++] = '/';
  path[n++] = '?';
  memcpy(path + n, name, strlen(name));
  n += strlen(name);
  path[n++] = '=';
  for (i = 0; i < len; ++i) {
    path[n++] = '%';
    path[n++] = digits[(uint8_t)value[i] >> 4];
    path[n++] = digits[(uint8_t)value[i] & 15];
  }
  path[n] = '\0';
  return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  size_t destlen = fuzz_u8(&in) + 1u;
  char *dest = malloc(destlen), *again = malloc(destlen);
  char *name = fuzz_text(&in, fuzz_u8(&in) % 8u);
  char *path = fuzz_text(&in, in.len), *encoded;

  FUZZ_CHECK(dest != NULL && again != NULL);
  if (query_get(dest, destlen, path, name) == 0) {
    FUZZ_CHECK(memchr(dest, '\0', destlen) != NULL);
    FUZZ_CHECK(strlen(dest) <= strlen(path));
    if (*name && !strpbrk(name, "?&=")) {
      encoded = encode(name, dest);
      if (*dest) {
        FUZZ_CHECK(query_get(again, destlen, encoded, name) == 0);
        FUZZ_CHECK(strcmp(dest, again) == 0);
      }
      free(encoded);
    }
  }
  free(path);
  free(name);
  free(again);
  free(dest);
  return 0;
}
