/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/x509.h"

#include "certmgr/der.h"
#include "certmgr/host.h"
#include "certmgr/p256.h"
#include "certmgr/x509_view.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/random.h>

#include <stdlib.h>
#include <string.h>

/* Octets of an uncompressed point of P-256: 0x04, x, y. */
#define POINT_LEN 65
#define SUBJECT "Fortnight"

/* A source that has not given a fit serial by then is broken. */
#define DRAWS_MAX 8

/* What minting needs for a while; on the heap, for wolfSSL's Cert is 24 kB. */
typedef struct workshop {
  Cert cert;
  ecc_key key;
  WC_RNG no_rng;
} workshop;

void cm_certificate_wipe(cm_certificate *cert) {
  if (cert != NULL) {
    explicit_bzero(cert, sizeof(*cert));
  }
}

int cm_x509_check_host(const char *host) {
  cm_host parsed;

  return cm_host_parse(&parsed, host);
}

static int draw(const cm_random *random, uint8_t *dest, size_t len) {
  return random->fill(random->user, dest, len) == 0 ? 0 : CM_ERR_RANDOM;
}

static int make_key(ecc_key *key, const cm_random *random) {
  uint8_t scalar[CM_P256_LEN];
  int rv = cm_p256_draw(scalar, random);

  if (rv == 0) {
    rv = cm_p256_import(key, scalar);
  }
  explicit_bzero(scalar, sizeof(scalar));
  return rv;
}

/* Puts the SubjectAltName of |hosts| into |cert| (RFC 5280 section 4.2.1.6). */
static int set_hosts(Cert *cert, const char *const *hosts, size_t nhosts) {
  /* The whole certificate has to fit into CM_CERTIFICATE_MAX, so the names
     do: two octets suffice for every length. */
  uint8_t names[CM_CERTIFICATE_MAX] = {0};
  size_t off = 0, head;

  for (size_t i = 0; i < nhosts; i++) {
    cm_host host;
    const void *value;
    size_t len;
    uint8_t tag;

    if (hosts[i] == NULL || cm_host_parse(&host, hosts[i]) != 0) {
      return CM_ERR_HOST;
    }
    if (host.address_len > 0) {
      tag = CM_DER_CONTEXT_PRIMITIVE(7); /* iPAddress */
      value = host.address;
      len = host.address_len;
    } else {
      tag = CM_DER_CONTEXT_PRIMITIVE(2); /* dNSName */
      value = hosts[i];
      len = strlen(hosts[i]);
    }
    if (off + 3 + len > sizeof(names)) {
      return CM_ERR_NOBUF;
    }
    names[off++] = tag;
    if (len >= 0x80) {
      names[off++] = 0x81;
    }
    names[off++] = (uint8_t)len;
    memcpy(names + off, value, len);
    off += len;
  }

  head = 0;
  cert->altNames[head++] = CM_DER_SEQUENCE;
  if (off >= 0x100) {
    cert->altNames[head++] = 0x82;
    cert->altNames[head++] = (uint8_t)(off >> 8);
  } else if (off >= 0x80) {
    cert->altNames[head++] = 0x81;
  }
  cert->altNames[head++] = (uint8_t)off;
  memcpy(cert->altNames + head, names, off);
  cert->altNamesSz = (int)(head + off);
  return 0;
}

static int set_dates(Cert *cert, int64_t not_before, int64_t not_after) {
  if (not_before < 0 || not_after <= not_before ||
      not_after - not_before > CM_VALIDITY_MAX) {
    return CM_ERR_VALIDITY;
  }
  /* wolfSSL's own daysValid = 14 gives 15 days. */
  cert->beforeDateSz = (int)cm_der_put_time(cert->beforeDate, not_before);
  cert->afterDateSz = (int)cm_der_put_time(cert->afterDate, not_after);
  if (cert->beforeDateSz == 0 || cert->afterDateSz == 0) {
    return CM_ERR_VALIDITY;
  }
  return 0;
}

/* A positive INTEGER of exactly 20 octets (RFC 5280 section 4.1.2.2): the top
   bit is clear, and the first octet is not 0, or DER would drop it. */
static int set_serial(Cert *cert, uint8_t serial[CM_SERIAL_LEN],
                      const cm_random *random) {
  for (int i = 0; i < DRAWS_MAX; i++) {
    int rv = draw(random, serial, CM_SERIAL_LEN);
    if (rv != 0) {
      return rv;
    }
    serial[0] &= 0x7f;
    if (serial[0] != 0) {
      memcpy(cert->serial, serial, CM_SERIAL_LEN);
      cert->serialSz = CM_SERIAL_LEN;
      return 0;
    }
  }
  return CM_ERR_RANDOM;
}

static int set_profile(Cert *cert, ecc_key *key) {
  cert->version = 2; /* counts from 0: v3 */
  cert->selfSigned = 1;
  cert->sigType = CTC_SHA256wECDSA;
  cert->isCA = 0;
  cert->basicConstSet = 1;
  cert->basicConstCrit = 1;
  memcpy(cert->subject.commonName, SUBJECT, sizeof(SUBJECT));
  cert->subject.commonNameEnc = CTC_UTF8;
  /* wolfSSL writes keyUsage as critical. */
  if (wc_SetKeyUsage(cert, "digitalSignature") != 0 ||
      wc_SetExtKeyUsage(cert, "serverAuth") != 0 ||
      wc_SetSubjectKeyIdFromPublicKey_ex(cert, ECC_TYPE, key) != 0) {
    return CM_ERR_CRYPTO;
  }
  return 0;
}

/* Signs, and fills in |out|. */
static int sign(cm_certificate *out, workshop *shop) {
  int n, body;

  /* No step draws from |no_rng|: the serial is given, and with a deterministic
     nonce P-256 needs no randomness.  It has never been seeded, so if a later
     wolfSSL does draw from it, that fails instead of going unnoticed. */
  body = wc_MakeCert_ex(&shop->cert, out->der, sizeof(out->der), ECC_TYPE,
                        &shop->key, &shop->no_rng);
  if (body <= 0) {
    return body == BUFFER_E ? CM_ERR_NOBUF : CM_ERR_CRYPTO;
  }
  n = wc_SignCert_ex(body, shop->cert.sigType, out->der, sizeof(out->der),
                     ECC_TYPE, &shop->key, &shop->no_rng);
  if (n <= 0) {
    return n == BUFFER_E ? CM_ERR_NOBUF : CM_ERR_CRYPTO;
  }
  out->der_len = (size_t)n;

  n = wc_EccKeyToDer(&shop->key, out->key_der, sizeof(out->key_der));
  if (n <= 0) {
    return CM_ERR_CRYPTO;
  }
  out->key_der_len = (size_t)n;
  if (wc_Sha256Hash(out->der, (word32)out->der_len, out->sha256) != 0) {
    return CM_ERR_CRYPTO;
  }
  return 0;
}

/* Whether the SubjectAltName |san| names |hosts|, in their order, and nothing
   else: 0 or CM_ERR_SELF_CHECK. */
static int check_names(cm_octets san, const char *const *hosts, size_t nhosts) {
  cm_octets names, name;

  if (cm_der_expect(&san, CM_DER_SEQUENCE, &names) != 0 || san.len != 0) {
    return CM_ERR_SELF_CHECK;
  }
  for (size_t i = 0; i < nhosts; i++) {
    uint8_t tag = CM_DER_CONTEXT_PRIMITIVE(2);
    cm_octets asked = {(const uint8_t *)hosts[i], strlen(hosts[i])};
    cm_host host;

    if (cm_host_parse(&host, hosts[i]) != 0) {
      return CM_ERR_SELF_CHECK;
    }
    if (host.address_len > 0) {
      tag = CM_DER_CONTEXT_PRIMITIVE(7);
      asked = (cm_octets){host.address, host.address_len};
    }
    if (cm_der_expect(&names, tag, &name) != 0 || !cm_octets_eq(name, asked)) {
      return CM_ERR_SELF_CHECK;
    }
  }
  return names.len == 0 ? 0 : CM_ERR_SELF_CHECK;
}

/* Reads |cert| back, independently of what wrote it: the fields are those that
   were asked for, the key belongs to the certificate, the signature holds.
   Without |hosts|, any names will do. */
static int self_check(const cm_certificate *cert, const char *const *hosts,
                      size_t nhosts) {
  static const uint8_t ecdsa_with_sha256[] = {0x06, 0x08, 0x2a, 0x86, 0x48,
                                              0xce, 0x3d, 0x04, 0x03, 0x02};
  cm_x509_view view;
  ecc_key key;
  uint8_t point[POINT_LEN], hash[CM_HASH_LEN];
  word32 index = 0, point_len = sizeof(point);
  int verified = 0, rv = CM_ERR_SELF_CHECK;

  if (cm_x509_view_parse(&view, cert->der, cert->der_len) != 0 ||
      view.version != 3 || view.key_type != CM_KEY_P256 ||
      view.not_before != cert->not_before ||
      view.not_after != cert->not_after ||
      !cm_octets_eq(view.serial, (cm_octets){cert->serial, CM_SERIAL_LEN}) ||
      !cm_octets_eq(view.issuer, view.subject) ||
      !cm_octets_eq(
          view.signature_algorithm,
          (cm_octets){ecdsa_with_sha256, sizeof(ecdsa_with_sha256)}) ||
      (hosts != NULL && check_names(view.san, hosts, nhosts) != 0) ||
      !view.has_key_usage || !view.key_usage_critical ||
      view.key_usage != CM_KEY_USAGE_DIGITAL_SIGNATURE ||
      !view.has_basic_constraints || view.ca || view.eku.len == 0 ||
      view.skid.len == 0) {
    return CM_ERR_SELF_CHECK;
  }
  for (int i = 0; i < CM_BROWSER_COUNT; i++) {
    if (cm_x509_check(cert->der, cert->der_len, (cm_browser)i,
                      cert->not_before) != CM_ACCEPTED) {
      return CM_ERR_SELF_CHECK;
    }
  }

  if (wc_ecc_init(&key) != 0) {
    return CM_ERR_CRYPTO;
  }
  if (wc_EccPrivateKeyDecode(cert->key_der, &index, &key,
                             (word32)cert->key_der_len) == 0 &&
      wc_ecc_export_x963(&key, point, &point_len) == 0 &&
      cm_octets_eq(view.public_key, (cm_octets){point, point_len}) &&
      wc_Sha256Hash(view.tbs.data, (word32)view.tbs.len, hash) == 0 &&
      wc_ecc_verify_hash(view.signature.data, (word32)view.signature.len, hash,
                         sizeof(hash), &verified, &key) == 0 &&
      verified == 1) {
    rv = 0;
  }
  wc_ecc_free(&key);
  return rv;
}

int cm_x509_mint(cm_certificate *cert, const char *const *hosts, size_t nhosts,
                 int64_t not_before, int64_t not_after,
                 const cm_random *random) {
  workshop *shop;
  int rv;

  if (cert == NULL) {
    return CM_ERR_INVALID;
  }
  memset(cert, 0, sizeof(*cert));
  if (hosts == NULL || random == NULL || random->fill == NULL) {
    return CM_ERR_INVALID;
  }
  if (nhosts == 0 || nhosts > CM_HOSTS_MAX) {
    return CM_ERR_HOST_COUNT;
  }

  shop = calloc(1, sizeof(*shop));
  if (shop == NULL) {
    return CM_ERR_NOMEM;
  }
  rv = CM_ERR_CRYPTO;
  if (wc_InitCert(&shop->cert) != 0 || wc_ecc_init(&shop->key) != 0) {
    goto fail_init;
  }
  rv = set_dates(&shop->cert, not_before, not_after);
  if (rv != 0) {
    goto fail_mint;
  }
  rv = set_hosts(&shop->cert, hosts, nhosts);
  if (rv != 0) {
    goto fail_mint;
  }
  rv = make_key(&shop->key, random);
  if (rv != 0) {
    goto fail_mint;
  }
  rv = set_serial(&shop->cert, cert->serial, random);
  if (rv != 0) {
    goto fail_mint;
  }
  rv = set_profile(&shop->cert, &shop->key);
  if (rv != 0) {
    goto fail_mint;
  }
  cert->not_before = not_before;
  cert->not_after = not_after;
  rv = sign(cert, shop);
  if (rv != 0) {
    goto fail_mint;
  }
  rv = self_check(cert, hosts, nhosts);

fail_mint:
  wc_ecc_free(&shop->key);
fail_init:
  explicit_bzero(shop, sizeof(*shop));
  free(shop);
  if (rv != 0) {
    cm_certificate_wipe(cert);
  }
  return rv;
}

int cm_x509_load(cm_certificate *cert, const uint8_t *der, size_t der_len,
                 const uint8_t *key_der, size_t key_der_len) {
  cm_x509_view view;
  int rv = CM_ERR_SELF_CHECK;

  memset(cert, 0, sizeof(*cert));
  if (der_len > sizeof(cert->der) || key_der_len > sizeof(cert->key_der) ||
      cm_x509_view_parse(&view, der, der_len) != 0 ||
      view.serial.len != sizeof(cert->serial)) {
    return CM_ERR_SELF_CHECK;
  }
  memcpy(cert->der, der, der_len);
  cert->der_len = der_len;
  memcpy(cert->key_der, key_der, key_der_len);
  cert->key_der_len = key_der_len;
  memcpy(cert->serial, view.serial.data, sizeof(cert->serial));
  cert->not_before = view.not_before;
  cert->not_after = view.not_after;
  if (wc_Sha256Hash(der, (word32)der_len, cert->sha256) != 0) {
    rv = CM_ERR_CRYPTO;
  } else {
    rv = self_check(cert, NULL, 0);
  }
  if (rv != 0) {
    cm_certificate_wipe(cert);
  }
  return rv;
}

int cm_x509_key_id(uint8_t key_id[CM_HASH_LEN], const cm_certificate *cert) {
  cm_x509_view view;

  if (cm_x509_view_parse(&view, cert->der, cert->der_len) != 0) {
    return CM_ERR_SELF_CHECK;
  }
  return wc_Sha256Hash(view.public_key.data, (word32)view.public_key.len,
                       key_id) == 0
             ? 0
             : CM_ERR_CRYPTO;
}
