/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/duration.h"

#include <stdio.h>
#include <string.h>

#define UNITS 4

static const struct {
  int64_t seconds;
  const char *name;
} units[UNITS] = {
    {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};

static int finish(char *dest, size_t destlen, const char *text, size_t len) {
  if (len >= destlen) {
    return CM_ERR_NOBUF;
  }
  memcpy(dest, text, len + 1);
  return (int)len;
}

int cm_duration_text(char *dest, size_t destlen, int64_t seconds) {
  char text[CM_DURATION_MAX];
  size_t len = 0;

  for (size_t i = 0; i < UNITS; i++) {
    int64_t n = seconds / units[i].seconds;

    seconds -= n * units[i].seconds;
    if (n != 0 || (i == UNITS - 1 && len == 0)) {
      len += (size_t)snprintf(text + len, sizeof(text) - len, "%lld%c",
                              (long long)n, units[i].name[0]);
    }
  }
  return finish(dest, destlen, text, len);
}

int cm_duration_words(char *dest, size_t destlen, int64_t seconds) {
  char text[CM_DURATION_MAX];
  size_t len = 0, first = 0;

  while (first < UNITS - 1 && seconds < units[first].seconds) {
    first++;
  }
  for (size_t i = first; i < UNITS && i < first + 2; i++) {
    int64_t n = seconds / units[i].seconds;

    seconds -= n * units[i].seconds;
    if (n != 0 || i == first) {
      len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%lld %s%s",
                              len > 0 ? " " : "", (long long)n, units[i].name,
                              n == 1 ? "" : "s");
    }
  }
  return finish(dest, destlen, text, len);
}
