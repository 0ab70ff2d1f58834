/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appliance's long-lived key, and what it signs: JWS in the compact form
 * with ES256 (RFC 7515, RFC 7518 section 3.4).  The public key travels in the
 * header ("jwk"); who verifies knows its thumbprint (RFC 7638), which stands in
 * the link.
 */
#ifndef CERTMGR_IDENTITY_H
#define CERTMGR_IDENTITY_H

#include "certmgr/error.h"
#include "certmgr/random.h"

#include <stddef.h>
#include <stdint.h>

/* SHA-256 in base64url, without the NUL. */
#define CM_THUMBPRINT_LEN 43

/* Room for a backup, with its NUL. */
#define CM_IDENTITY_BACKUP_MAX 96

/* What a signature adds to a payload, which itself grows by a third. */
#define CM_JWS_OVERHEAD 384

/* Holds no pointers.  Wipe each copy with cm_identity_wipe(). */
typedef struct cm_identity {
  uint8_t scalar[32];
  /* The public key: both coordinates. */
  uint8_t x[32];
  uint8_t y[32];
} cm_identity;

/* Makes a new one.  0, CM_ERR_RANDOM, CM_ERR_CRYPTO, CM_ERR_NOMEM. */
int cm_identity_generate(cm_identity *identity, const cm_random *random);

/* Makes the one with this private key.  0, CM_ERR_CRYPTO (it is none),
   CM_ERR_NOMEM. */
int cm_identity_from_scalar(cm_identity *identity, const uint8_t scalar[32]);

/* NULL is allowed. */
void cm_identity_wipe(cm_identity *identity);

/* The thumbprint, with a NUL: CM_THUMBPRINT_LEN, CM_ERR_NOBUF or
   CM_ERR_CRYPTO. */
int cm_identity_thumbprint(char *dest, size_t destlen,
                           const cm_identity *identity);

/* One line of text that is all of the identity, to be kept secret:
   "fortnight-identity-1.<key>.<check>".  Its length, or CM_ERR_NOBUF,
   CM_ERR_CRYPTO. */
int cm_identity_backup(char *dest, size_t destlen, const cm_identity *identity);

/* Reads it back; blanks around it do not matter.  0, CM_ERR_SIGNATURE (there is
   a slip in it), CM_ERR_INVALID (it is no backup), CM_ERR_CRYPTO,
   CM_ERR_NOMEM. */
int cm_identity_restore(cm_identity *identity, const char *text);

/* ECDSA with SHA-256 by RFC 6979; |signature| is r, s (RFC 7518 section 3.4).
   0, CM_ERR_CRYPTO, CM_ERR_NOMEM. */
int cm_es256_sign(uint8_t signature[64], const cm_identity *identity,
                  const uint8_t *data, size_t len);

/* 0, CM_ERR_SIGNATURE, CM_ERR_CRYPTO, CM_ERR_NOMEM. */
int cm_es256_verify(const uint8_t signature[64], const uint8_t x[32],
                    const uint8_t y[32], const uint8_t *data, size_t len);

/* Writes the JWS of |payload| and a NUL to |dest|.  Its length, or
   CM_ERR_NOBUF, CM_ERR_CRYPTO, CM_ERR_NOMEM. */
int cm_jws_sign(char *dest, size_t destlen, const cm_identity *identity,
                const uint8_t *payload, size_t len);

/*
 * Verifies |jws| of |len| characters, and that the key has |thumbprint|.  Any
 * octets are allowed.  Writes the payload to |dest| and returns its length, or
 * CM_ERR_INVALID (no such JWS), CM_ERR_SIGNATURE (another key, or changed),
 * CM_ERR_NOBUF, CM_ERR_CRYPTO, CM_ERR_NOMEM.
 */
int cm_jws_verify(uint8_t *dest, size_t destlen, const char *jws, size_t len,
                  const char *thumbprint);

#endif
