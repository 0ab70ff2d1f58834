/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash set as a signed document, so that it may travel over any channel:
 *
 *   {"v":1,"epoch":1,"seq":7,"issued_at":...,"refresh_after":...,
 *    "valid_until":...,"url":"https://...","hashes":[
 *     {"use":"active","alg":"sha-256","hex":"...","b64url":"...",
 *      "not_before":...,"not_after":...,"active_from":...},
 *     {"use":"standby",...}]}
 *
 * without blanks, as the payload of a JWS (identity.h).  All times are seconds
 * since 1970 UTC.
 */
#ifndef CERTMGR_HASHSET_SIGNED_H
#define CERTMGR_HASHSET_SIGNED_H

#include "certmgr/error.h"
#include "certmgr/identity.h"
#include "certmgr/lifecycle.h"

#include <stddef.h>
#include <stdint.h>

#define CM_SIGNED_URL_MAX 512

/* Room for any signed document, with its NUL. */
#define CM_SIGNED_MAX 4096

typedef struct cm_signed_hash {
  uint8_t sha256[32];
  int64_t not_before;
  int64_t not_after;
  int64_t active_from;
} cm_signed_hash;

typedef struct cm_signed_set {
  /* Each 1 .. 2^53 - 1, for JavaScript. */
  uint64_t epoch;
  uint64_t seq;
  int64_t issued_at;
  int64_t refresh_after;
  int64_t valid_until;
  char url[CM_SIGNED_URL_MAX];
  /* 1 or 2: the active one, then the standby. */
  size_t nhashes;
  cm_signed_hash hashes[2];
} cm_signed_set;

/* Fills |set| from what the lifecycle wants published.  0, or CM_ERR_INVALID if
   there is no active certificate or |url| is too long. */
int cm_signed_set_from(cm_signed_set *set, const cm_document *doc,
                       const char *url);

/* Writes the signed document, with a NUL.  Its length, or CM_ERR_INVALID (a
   member is out of range), CM_ERR_NOBUF, CM_ERR_CRYPTO, CM_ERR_NOMEM. */
int cm_signed_set_write(char *dest, size_t destlen, const cm_signed_set *set,
                        const cm_identity *identity);

/* Verifies and reads |jws| of |len| octets, which may be anything.  0, or
   CM_ERR_INVALID (no such document), CM_ERR_SIGNATURE (not signed by the
   identity with |thumbprint|), CM_ERR_CRYPTO, CM_ERR_NOMEM. */
int cm_signed_set_read(cm_signed_set *set, const char *jws, size_t len,
                       const char *thumbprint);

/* Whether somebody who has |old| is to take |set| instead: 1, or 0 if it is the
   same one or an older one that somebody plays back. */
int cm_signed_set_supersedes(const cm_signed_set *set,
                             const cm_signed_set *old);

#endif
