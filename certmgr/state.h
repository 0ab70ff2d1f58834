/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that outlives a process, as one body of octets for the store (store.h):
 *
 *   magic      8   "FNSTATE" and a NUL
 *   version    4   1
 *   length     4   of the image
 *   image          cm_lifecycle_encode()
 *   identity  32   the private key
 *   count      4   of certificates
 *   each:  id 8, length of the certificate 4, of its key 4, and both
 *
 * numbers least significant octet first.
 */
#ifndef CERTMGR_STATE_H
#define CERTMGR_STATE_H

#include "certmgr/error.h"
#include "certmgr/identity.h"
#include "certmgr/lifecycle.h"
#include "certmgr/x509.h"

#include <stddef.h>
#include <stdint.h>

/* The certificates of the slots, found by the slots' ids. */
typedef struct cm_keyring {
  uint64_t ids[CM_SLOTS]; /* 0: a free place. */
  cm_certificate certificates[CM_SLOTS];
} cm_keyring;

/* The certificate |id|, or NULL. */
const cm_certificate *cm_keyring_find(const cm_keyring *ring, uint64_t id);

/* A place for the new certificate |id|, or NULL if there is none free. */
cm_certificate *cm_keyring_add(cm_keyring *ring, uint64_t id);

/* Wipes |id|, if it is there. */
void cm_keyring_remove(cm_keyring *ring, uint64_t id);

/*
 * Writes the body.  Certificates of slots that the image does not hold are left
 * out.  Returns its length, or CM_ERR_NOBUF; CM_STORE_BODY_MAX always suffices.
 */
int cm_state_encode(uint8_t *dest, size_t destlen, const cm_lifecycle *lc,
                    const cm_identity *identity, const cm_keyring *ring);

/*
 * Reads it back; any octets are allowed.  A certificate that is missing, fails
 * its check or is not the one of its slot leaves no entry in |ring|, and its
 * slot quarantined in |lc|.  cm_lifecycle_resume() has to follow.  Returns 0,
 * or CM_ERR_STORE_BAD (this is no such body, or one of a later version),
 * CM_ERR_CRYPTO, CM_ERR_NOMEM; then everything is wiped.
 */
int cm_state_decode(cm_lifecycle *lc, cm_identity *identity, cm_keyring *ring,
                    const uint8_t *src, size_t len);

#endif
