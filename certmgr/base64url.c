/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/base64url.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int cm_base64url_encode(char *dest, size_t destlen, const uint8_t *src,
                        size_t len) {
  uint32_t bits = 0;
  unsigned nbits = 0;
  size_t off = 0;

  if (len > INT32_MAX / 2 || destlen <= CM_BASE64URL_SIZE(len)) {
    return CM_ERR_NOBUF;
  }
  for (size_t i = 0; i < len; i++) {
    bits = bits << 8 | src[i];
    for (nbits += 8; nbits >= 6; nbits -= 6) {
      dest[off++] = alphabet[(bits >> (nbits - 6)) & 63];
    }
  }
  if (nbits > 0) {
    dest[off++] = alphabet[(bits << (6 - nbits)) & 63];
  }
  dest[off] = '\0';
  return (int)off;
}

int cm_base64url_decode(uint8_t *dest, size_t destlen, const char *src,
                        size_t len) {
  uint32_t bits = 0;
  unsigned nbits = 0;
  size_t off = 0;

  if (len > INT32_MAX || len % 4 == 1) {
    return CM_ERR_INVALID;
  }
  if (destlen < len / 4 * 3 + len % 4 * 3 / 4) {
    return CM_ERR_NOBUF;
  }
  for (size_t i = 0; i < len; i++) {
    const char *p = src[i] != '\0' ? strchr(alphabet, src[i]) : NULL;
    if (p == NULL) {
      return CM_ERR_INVALID;
    }
    bits = bits << 6 | (uint32_t)(p - alphabet);
    nbits += 6;
    if (nbits >= 8) {
      nbits -= 8;
      dest[off++] = (uint8_t)(bits >> nbits);
    }
  }
  /* What is left over must be zeros, or two texts would say the same. */
  return (bits & ((1U << nbits) - 1)) == 0 ? (int)off : CM_ERR_INVALID;
}
