/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every plain form in which the hashes of the certificates are published.
 *
 * Each function writes a string with its closing NUL into the caller's |dest|
 * of |destlen| octets and returns its length without the NUL, or CM_ERR_NOBUF
 * if it does not fit, NUL included (then |dest| holds the empty string, if
 * |destlen| is not 0).  Nothing is allocated unless it says so.
 */
#ifndef CERTMGR_HASHSET_H
#define CERTMGR_HASHSET_H

#include "certmgr/error.h"
#include "certmgr/x509.h"

#include <stddef.h>
#include <stdint.h>

/* Lengths of the forms of one hash, without the NUL. */
#define CM_HEX_LEN 64
#define CM_OPENSSL_LEN 95
#define CM_BASE64_LEN 44
#define CM_BASE64URL_LEN 43
#define CM_CERTHASH_LEN 47
/* base58btc varies with the value; never more than this. */
#define CM_CERTHASH_BASE58_MAX 48

/* "ba7816bf...": lower case hexadecimal. */
int cm_hash_hex(char *dest, size_t destlen, const uint8_t hash[CM_HASH_LEN]);

/* "BA:78:16:BF:...": as `openssl x509 -fingerprint -sha256` prints it. */
int cm_hash_openssl(char *dest, size_t destlen,
                    const uint8_t hash[CM_HASH_LEN]);

/* RFC 4648 section 4, with padding. */
int cm_hash_base64(char *dest, size_t destlen, const uint8_t hash[CM_HASH_LEN]);

/* RFC 4648 section 5, without padding. */
int cm_hash_base64url(char *dest, size_t destlen,
                      const uint8_t hash[CM_HASH_LEN]);

/* libp2p's certhash: the multihash 0x12 0x20 and the hash, as multibase
   base64url ("uEi..."). */
int cm_hash_certhash(char *dest, size_t destlen,
                     const uint8_t hash[CM_HASH_LEN]);

/* The same as multibase base58btc ("zQm..."). */
int cm_hash_certhash_base58(char *dest, size_t destlen,
                            const uint8_t hash[CM_HASH_LEN]);

/* What is published together.  All pointers are borrowed. */
typedef struct cm_hashset {
  /* A DNS name or an IP literal, IPv6 without brackets. */
  const char *host;
  uint16_t port;
  /* Absolute path, with a query if there is one: "/echo".  Octets that a URL
     may not carry are percent-encoded on the way out. */
  const char *path;
  /* CM_HASH_LEN octets each; |standby| is NULL if there is none. */
  const uint8_t *active;
  const uint8_t *standby;
  /* For the link: the thumbprint of the identity (identity.h), and the https
     URL of a mirror that has the signed document; each NULL if there is
     none. */
  const char *identity;
  const char *mirror;
} cm_hashset;

/* Whether a link can carry |mirror|: an https URL with a host, without a
   fragment or a user, of the characters that a URL has (RFC 3986).  0, or
   CM_ERR_INVALID. */
int cm_mirror_check(const char *mirror);

/*
 * In each of the following: CM_ERR_HOST if |set->host| is no host,
 * CM_ERR_INVALID if |set->path| does not begin with "/" or holds a "#", the
 * port is 0, there is no active hash, or |set->identity| or |set->mirror| is
 * there and is none.
 */

/* "https://host:port/path"; an IPv6 host is bracketed. */
int cm_hashset_url(char *dest, size_t destlen, const cm_hashset *set);

/* "https://host:port/path#wt=<base64url>.<base64url>&id=<thumbprint>&mirror=
   <URL, percent-encoded>", active first; without what is not there. */
int cm_hashset_link(char *dest, size_t destlen, const cm_hashset *set);

/* "/ip4/127.0.0.1/udp/4433/quic-v1/webtransport/certhash/u.../certhash/u...";
   /ip6 or /dns as the host has it. */
int cm_hashset_multiaddr(char *dest, size_t destlen, const cm_hashset *set);

/* A JavaScript expression statement's worth of `new WebTransport(...)`, ready
   to paste; several lines, ends with a newline. */
int cm_hashset_snippet(char *dest, size_t destlen, const cm_hashset *set);

/* /certificate.sha256: one hash a line in hexadecimal, active first.  Only
   |active| and |standby| are looked at. */
int cm_hashset_text(char *dest, size_t destlen, const cm_hashset *set);

/* [{"use":"active","hex":"...","b64url":"..."},{"use":"standby",...}] without
   blanks.  Only |active| and |standby| are looked at.  Allocates for a moment;
   also CM_ERR_NOMEM. */
int cm_hashset_json(char *dest, size_t destlen, const cm_hashset *set);

#endif
