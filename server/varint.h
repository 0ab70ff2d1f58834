/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variable-length integers of RFC 9000 section 16: 1, 2, 4 or 8 octets, the
 * first two bits say which; values up to 2^62 - 1.
 */
#ifndef SERVER_VARINT_H
#define SERVER_VARINT_H

#include <stddef.h>
#include <stdint.h>

/* The largest value: 2^62 - 1. */
#define VARINT_MAX ((UINT64_C(1) << 62) - 1)

/* The most octets that one takes. */
#define VARINT_LEN_MAX 8

/* Octets of the shortest form of |value|: 1, 2, 4 or 8, or 0 if |value| is
   more than VARINT_MAX. */
size_t varint_len(uint64_t value);

/* Octets of the varint that begins with the octet |first|: 1, 2, 4 or 8. */
size_t varint_len_of(uint8_t first);

/* Reads a varint from |src| of |len| octets into |*value|.  Any form is
   accepted, the shortest or not.  Returns the octets read (1, 2, 4 or 8), or
   0 if |src| does not hold all of it; then |*value| is unchanged. */
size_t varint_get(uint64_t *value, const uint8_t *src, size_t len);

/* Writes the shortest form of |value| to |dest| of |destlen| octets.  Returns
   the octets written, or 0 if they do not fit or |value| is too large; then
   nothing is written. */
size_t varint_put(uint8_t *dest, size_t destlen, uint64_t value);

#endif
