/* SPDX-License-Identifier: Apache-2.0 */
/* base64url without padding: RFC 4648 section 5, RFC 7515 section 2. */
#ifndef CERTMGR_BASE64URL_H
#define CERTMGR_BASE64URL_H

#include "certmgr/error.h"

#include <stddef.h>
#include <stdint.h>

/* Characters for |n| octets. */
#define CM_BASE64URL_SIZE(n) ((4 * (n) + 2) / 3)

/* Writes |len| octets of |src| and a NUL to |dest|.  Returns the length without
   the NUL, or CM_ERR_NOBUF. */
int cm_base64url_encode(char *dest, size_t destlen, const uint8_t *src,
                        size_t len);

/* Reads |len| characters of |src|.  Returns the number of octets written to
   |dest|, CM_ERR_NOBUF, or CM_ERR_INVALID for anything that
   cm_base64url_encode() does not write. */
int cm_base64url_decode(uint8_t *dest, size_t destlen, const char *src,
                        size_t len);

#endif
