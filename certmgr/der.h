/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader for DER (X.690), strict enough for certificates, and the dates of
 * X.509 (RFC 5280 section 4.1.2.5).  Any octets may be given: nothing is read
 * beyond the end, and nothing is allocated.
 */
#ifndef CERTMGR_DER_H
#define CERTMGR_DER_H

#include <stddef.h>
#include <stdint.h>

#define CM_DER_BOOLEAN 0x01
#define CM_DER_INTEGER 0x02
#define CM_DER_BIT_STRING 0x03
#define CM_DER_OCTET_STRING 0x04
#define CM_DER_OID 0x06
#define CM_DER_UTC_TIME 0x17
#define CM_DER_GENERALIZED_TIME 0x18
#define CM_DER_SEQUENCE 0x30
/* [n], constructed and primitive. */
#define CM_DER_CONTEXT(n) (0xa0 | (n))
#define CM_DER_CONTEXT_PRIMITIVE(n) (0x80 | (n))

/* Room for a date with its tag and length. */
#define CM_DER_TIME_MAX 17

/* Some octets of somebody else's. */
typedef struct cm_octets {
  const uint8_t *data;
  size_t len;
} cm_octets;

/* 1 if |a| and |b| hold the same octets, else 0. */
int cm_octets_eq(cm_octets a, cm_octets b);

/*
 * Reads the element at the beginning of |*in|: its tag (of one octet), its
 * contents, and, unless |whole| is NULL, all of it.  |*in| is moved behind it.
 * Returns 0, or -1 if there is no element, it is not complete, or its length is
 * not in the shortest form; then |*in| is unchanged.
 */
int cm_der_next(cm_octets *in, uint8_t *tag, cm_octets *contents,
                cm_octets *whole);

/* As cm_der_next(), but -1 if the tag is not |tag|. */
int cm_der_expect(cm_octets *in, uint8_t tag, cm_octets *contents);

/* The tag at the beginning of |in|, or 0 if it is empty. */
uint8_t cm_der_peek(cm_octets in);

/* Reads UTCTime or GeneralizedTime in the form that RFC 5280 demands (seconds,
   "Z", no fraction) from |*in| into |*seconds| since 1970 UTC.  Returns 0 or
   -1. */
int cm_der_get_time(cm_octets *in, int64_t *seconds);

/* Writes |seconds| since 1970 UTC to |dest|, with tag and length: UTCTime until
   2049, GeneralizedTime from 2050.  Returns the octets written (15 or 17), or 0
   if the year is not in 1970..9999. */
size_t cm_der_put_time(uint8_t dest[CM_DER_TIME_MAX], int64_t seconds);

#endif
