/* SPDX-License-Identifier: Apache-2.0 */
#include "server/varint.h"

size_t varint_len(uint64_t value) {
  if (value < 0x40) {
    return 1;
  }
  if (value < 0x4000) {
    return 2;
  }
  if (value < 0x40000000) {
    return 4;
  }
  return value <= VARINT_MAX ? 8 : 0;
}

size_t varint_len_of(uint8_t first) { return (size_t)1 << (first >> 6); }

size_t varint_get(uint64_t *value, const uint8_t *src, size_t len) {
  size_t n;
  uint64_t v;

  if (len == 0 || len < (n = varint_len_of(src[0]))) {
    return 0;
  }
  v = src[0] & 0x3f;
  for (size_t i = 1; i < n; i++) {
    v = (v << 8) | src[i];
  }
  *value = v;
  return n;
}

size_t varint_put(uint8_t *dest, size_t destlen, uint64_t value) {
  size_t n = varint_len(value);

  if (n == 0 || n > destlen) {
    return 0;
  }
  for (size_t i = n; i-- > 0;) {
    dest[i] = (uint8_t)(value & 0xff);
    value >>= 8;
  }
  /* The length class: 1, 2, 4, 8 octets are 0, 1, 2, 3. */
  dest[0] |= (uint8_t)((n == 8 ? 3 : n >> 1) << 6);
  return n;
}
