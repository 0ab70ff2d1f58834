/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a function of certmgr returns when it fails.  0 (or a length) means
 * success; nothing else is positive.
 */
#ifndef CERTMGR_ERROR_H
#define CERTMGR_ERROR_H

typedef enum cm_error {
  /* Memory could not be allocated. */
  CM_ERR_NOMEM = -101,
  /* An argument is outside of what the function allows. */
  CM_ERR_INVALID = -102,
  /* The caller's buffer, or the room in a certificate, is too small. */
  CM_ERR_NOBUF = -103,
  /* A host is neither a DNS name nor an IPv4 or IPv6 literal. */
  CM_ERR_HOST = -104,
  /* There are more hosts than CM_HOSTS_MAX, or none. */
  CM_ERR_HOST_COUNT = -105,
  /* The dates are in the wrong order, too far apart, or cannot be written. */
  CM_ERR_VALIDITY = -106,
  /* The source of randomness failed. */
  CM_ERR_RANDOM = -107,
  /* The cryptographic library failed. */
  CM_ERR_CRYPTO = -108,
  /* The certificate that was made did not pass its own check. */
  CM_ERR_SELF_CHECK = -109,
  /* The wall clock stands outside of the years 1970 to 9999. */
  CM_ERR_CLOCK = -110,
  /* The store could not be read or written; its message says more. */
  CM_ERR_STORE = -111,
  /* Another process has the store. */
  CM_ERR_STORE_LOCKED = -112,
  /* Others could read or change the store. */
  CM_ERR_STORE_PERMISSIONS = -113,
  /* What is stored is damaged, or not from this store. */
  CM_ERR_STORE_BAD = -114,
  /* A document, a backup or a journal has been changed. */
  CM_ERR_SIGNATURE = -115
} cm_error;

/* The text for |error|: English, static, never NULL, without a full stop. */
const char *cm_strerror(int error);

#endif
