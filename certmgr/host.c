/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/host.h"

#include <arpa/inet.h>
#include <string.h>

#define LABEL_MAX 63

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether a browser's URL parser would read |label| as part of an IPv4 address:
   all digits, or 0x and hexadecimal digits. */
static int is_number(const char *label, size_t len) {
  size_t i = 0;
  int hex = 0;

  if (len >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X')) {
    hex = 1;
    i = 2;
  }
  for (; i < len; i++) {
    char c = label[i];
    if (!is_digit(c) &&
        !(hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))) {
      return 0;
    }
  }
  return 1;
}

static int is_label(const char *label, size_t len) {
  if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-') {
    return 0;
  }
  for (size_t i = 0; i < len; i++) {
    if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-') {
      return 0;
    }
  }
  return 1;
}

int cm_host_parse(cm_host *host, const char *text) {
  const char *label = text;
  size_t len;

  memset(host, 0, sizeof(*host));
  len = strnlen(text, CM_HOST_MAX + 1);
  if (len == 0 || len > CM_HOST_MAX) {
    return CM_ERR_HOST;
  }
  if (inet_pton(AF_INET, text, host->address) == 1) {
    host->kind = CM_HOST_IPV4;
    host->address_len = 4;
    return 0;
  }
  if (memchr(text, ':', len) != NULL) {
    if (inet_pton(AF_INET6, text, host->address) != 1) {
      return CM_ERR_HOST;
    }
    host->kind = CM_HOST_IPV6;
    host->address_len = 16;
    return 0;
  }

  host->kind = CM_HOST_DNS;
  if (text[0] == '*' && text[1] == '.') {
    host->kind = CM_HOST_WILDCARD;
    label += 2;
  }
  for (;;) {
    size_t label_len = strcspn(label, ".");
    if (!is_label(label, label_len)) {
      return CM_ERR_HOST;
    }
    if (label[label_len] == '\0') {
      return is_number(label, label_len) ? CM_ERR_HOST : 0;
    }
    label += label_len + 1;
  }
}
