/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mints one certificate for serverCertificateHashes, and checks one by the
 * rules that browsers apply to it (W3C WebTransport, "custom certificate
 * requirements").  RFC 5280 names the fields.
 *
 * Nothing here has a state, reads a clock or draws randomness of its own: the
 * same arguments give the same octets.
 */
#ifndef CERTMGR_X509_H
#define CERTMGR_X509_H

#include "certmgr/error.h"
#include "certmgr/random.h"

#include <stddef.h>
#include <stdint.h>

/* Room for a certificate and for a private key, in octets of DER. */
#define CM_CERTIFICATE_MAX 2048
#define CM_KEY_MAX 160

/* Octets of a SHA-256 digest, and of a serial number. */
#define CM_HASH_LEN 32
#define CM_SERIAL_LEN 20

/* The longest validity, notAfter - notBefore in seconds, that every browser
   takes: 14 days less one second. */
#define CM_VALIDITY_MAX 1209599

/* Hosts that one certificate may name. */
#define CM_HOSTS_MAX 16

/* A certificate and its private key.  Holds no pointers: it may be copied.
   Wipe each copy with cm_certificate_wipe(). */
typedef struct cm_certificate {
  /* X.509 v3 in DER. */
  uint8_t der[CM_CERTIFICATE_MAX];
  size_t der_len;
  /* The private key: ECPrivateKey of RFC 5915 in DER, as
     wolfSSL_CTX_use_PrivateKey_buffer() takes it (WOLFSSL_FILETYPE_ASN1). */
  uint8_t key_der[CM_KEY_MAX];
  size_t key_der_len;
  /* SHA-256 of |der|: what a page puts into serverCertificateHashes. */
  uint8_t sha256[CM_HASH_LEN];
  uint8_t serial[CM_SERIAL_LEN];
  /* Seconds since 1970-01-01T00:00:00Z; both ends belong to the validity
     (RFC 5280 section 4.1.2.5). */
  int64_t not_before;
  int64_t not_after;
} cm_certificate;

/*
 * Mints a self-signed certificate with a new key into |cert|: v3, P-256,
 * ecdsa-with-SHA256, CN=Fortnight as subject and issuer, CA=false, keyUsage
 * digitalSignature (critical), extendedKeyUsage serverAuth, subjectAltName
 * with |hosts|, subjectKeyIdentifier, and a random positive serial of 20
 * octets.
 *
 * |hosts| are |nhosts| strings: DNS names (letters, digits and hyphens; the
 * first label may be "*") or IPv4 and IPv6 literals, IPv6 without brackets and
 * without a zone.  |not_before| and |not_after| are seconds since 1970 UTC.
 * All randomness is taken from |random|; with the same octets from it, the
 * certificate is the same to the last octet (the signature's nonce is
 * RFC 6979).
 *
 * The certificate is parsed back, compared and verified before it is given
 * out.  On failure |cert| is wiped.
 *
 * Returns 0, or CM_ERR_INVALID (a NULL argument), CM_ERR_HOST_COUNT,
 * CM_ERR_HOST, CM_ERR_NOBUF (the hosts are too long together),
 * CM_ERR_VALIDITY (not_after - not_before is not in 1..CM_VALIDITY_MAX, or a
 * date is before 1970 or after 9999), CM_ERR_RANDOM, CM_ERR_NOMEM,
 * CM_ERR_CRYPTO, CM_ERR_SELF_CHECK.
 */
int cm_x509_mint(cm_certificate *cert, const char *const *hosts, size_t nhosts,
                 int64_t not_before, int64_t not_after,
                 const cm_random *random);

/*
 * Takes up a certificate that cm_x509_mint() made, from its octets, which may
 * be anything: it is checked as after minting, but for the names in it.  On
 * failure |cert| is wiped.  Returns 0, or CM_ERR_SELF_CHECK (it is none of
 * ours, or the key is not its key), CM_ERR_CRYPTO.
 */
int cm_x509_load(cm_certificate *cert, const uint8_t *der, size_t der_len,
                 const uint8_t *key_der, size_t key_der_len);

/* SHA-256 of the public key.  0, CM_ERR_SELF_CHECK (|cert| holds no
   certificate), CM_ERR_CRYPTO. */
int cm_x509_key_id(uint8_t key_id[CM_HASH_LEN], const cm_certificate *cert);

/* Overwrites all of |cert| with zeros, in a way that a compiler keeps.  NULL is
   allowed. */
void cm_certificate_wipe(cm_certificate *cert);

/* Whether |host| can be named in a certificate: 0, or CM_ERR_HOST. */
int cm_x509_check_host(const char *host);

/* A browser whose rules are to be applied. */
typedef enum cm_browser {
  CM_BROWSER_CHROMIUM,
  CM_BROWSER_FIREFOX,
  CM_BROWSER_SAFARI
} cm_browser;

#define CM_BROWSER_COUNT 3

/* Why a browser refuses a certificate whose hash the page has named. */
typedef enum cm_refusal {
  CM_ACCEPTED = 0,
  /* Not DER, or not the DER of one certificate. */
  CM_REFUSED_MALFORMED,
  /* X.509 v1 or v2. */
  CM_REFUSED_VERSION,
  /* v3 without the extensions field. */
  CM_REFUSED_NO_EXTENSIONS,
  /* notAfter does not come after notBefore. */
  CM_REFUSED_DATES,
  /* notAfter - notBefore is more than this browser allows. */
  CM_REFUSED_TOO_LONG,
  CM_REFUSED_NOT_YET_VALID,
  CM_REFUSED_EXPIRED,
  /* An RSA key: the specification forbids it. */
  CM_REFUSED_RSA,
  /* An elliptic curve key on a curve that this browser does not take. */
  CM_REFUSED_CURVE,
  /* Another kind of key (Ed25519, ...). */
  CM_REFUSED_KEY_TYPE,
  /* There is a keyUsage extension, and it lacks digitalSignature. */
  CM_REFUSED_KEY_USAGE,
  /* The browser has seen another certificate of this issuer and serial. */
  CM_REFUSED_SERIAL_REUSED
} cm_refusal;

#define CM_REFUSAL_COUNT 13

/*
 * Says whether |browser| would accept the certificate |der| of |len| octets at
 * |now| (seconds since 1970 UTC) from a server, if the page has named its
 * hash.  Any octets are allowed.  The first reason that applies is returned,
 * in the order of the enum.  Host names play no part: no browser compares
 * them.
 */
cm_refusal cm_x509_check(const uint8_t *der, size_t len, cm_browser browser,
                         int64_t now);

/*
 * Says whether |browser| would refuse |der| because it has before seen |seen|:
 * CM_REFUSED_SERIAL_REUSED, or CM_ACCEPTED; CM_REFUSED_MALFORMED if one of
 * them is no certificate.  The same certificate twice is no reuse.
 */
cm_refusal cm_x509_check_reuse(const uint8_t *der, size_t len,
                               const uint8_t *seen, size_t seen_len,
                               cm_browser browser);

/* What |refusal| by |browser| means, in English for a person: static, never
   NULL, without a full stop.  CM_ACCEPTED gives "accepted". */
const char *cm_refusal_text(cm_refusal refusal, cm_browser browser);

/* "Chromium", "Firefox", "Safari"; "?" for anything else. */
const char *cm_browser_name(cm_browser browser);

#endif
