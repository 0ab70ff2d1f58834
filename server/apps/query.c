/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/query.h"

#include <string.h>

static int hex(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int decode(char *dest, size_t destlen, const char *src, size_t len) {
  size_t i, n = 0;

  for (i = 0; i < len; ++i) {
    char c = src[i] == '+' ? ' ' : src[i];

    if (c == '%' && i + 2 < len && hex(src[i + 1]) >= 0 &&
        hex(src[i + 2]) >= 0) {
      c = (char)(hex(src[i + 1]) * 16 + hex(src[i + 2]));
      i += 2;
    }
    if (c == '\0' || n + 1 >= destlen) {
      return -1;
    }
    dest[n++] = c;
  }
  dest[n] = '\0';
  return 0;
}

int query_get(char *dest, size_t destlen, const char *path, const char *name) {
  const char *at = strchr(path, '?');
  size_t namelen = strlen(name);

  while (at) {
    size_t len = strcspn(++at, "&");

    if (len > namelen && at[namelen] == '=' && memcmp(at, name, namelen) == 0) {
      return decode(dest, destlen, at + namelen + 1, len - namelen - 1);
    }
    at = at[len] == '&' ? at + len : NULL;
  }
  return -1;
}
