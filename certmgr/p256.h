/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys on P-256, from randomness that is passed in. */
#ifndef CERTMGR_P256_H
#define CERTMGR_P256_H

#include "certmgr/error.h"
#include "certmgr/random.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/ecc.h>

#include <stdint.h>

#define CM_P256_LEN 32

/* Draws a private key: uniform in 1..n-1, by drawing again what is not below
   the order n.  Returns 0 or CM_ERR_RANDOM.  To be wiped by the caller. */
int cm_p256_draw(uint8_t scalar[CM_P256_LEN], const cm_random *random);

/* Puts |scalar| and its public key into the initialised |key|, which then signs
   by RFC 6979.  Returns 0, or CM_ERR_CRYPTO if |scalar| is no private key. */
int cm_p256_import(ecc_key *key, const uint8_t scalar[CM_P256_LEN]);

#endif
