/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/identity.h"

#include "certmgr/base64url.h"
#include "certmgr/p256.h"

#include <cjson/cJSON.h>

#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/random.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COORDINATE_LEN CM_BASE64URL_SIZE(32)
#define HEADER_MAX 256
#define BACKUP_PREFIX "fortnight-identity-1."
/* Octets of a hash that tell of a slip of the pen. */
#define BACKUP_CHECK_LEN 6

/* A key and an empty generator, which a deterministic signature never asks. */
typedef struct desk {
  ecc_key key;
  WC_RNG no_rng;
} desk;

static int open_desk(desk **pdesk) {
  *pdesk = calloc(1, sizeof(**pdesk));
  if (*pdesk == NULL) {
    return CM_ERR_NOMEM;
  }
  if (wc_ecc_init(&(*pdesk)->key) != 0) {
    free(*pdesk);
    return CM_ERR_CRYPTO;
  }
  return 0;
}

static void close_desk(desk *d) {
  wc_ecc_free(&d->key);
  explicit_bzero(d, sizeof(*d));
  free(d);
}

static int sha256(uint8_t hash[32], const void *data, size_t len) {
  return wc_Sha256Hash(data, (word32)len, hash) == 0 ? 0 : CM_ERR_CRYPTO;
}

/* --- the key ------------------------------------------------------------ */

int cm_identity_from_scalar(cm_identity *identity, const uint8_t scalar[32]) {
  word32 xlen = sizeof(identity->x), ylen = sizeof(identity->y);
  desk *d;
  int rv = open_desk(&d);

  if (rv != 0) {
    return rv;
  }
  rv = cm_p256_import(&d->key, scalar);
  if (rv == 0 && (wc_ecc_export_public_raw(&d->key, identity->x, &xlen,
                                           identity->y, &ylen) != 0 ||
                  xlen != sizeof(identity->x) || ylen != sizeof(identity->y))) {
    rv = CM_ERR_CRYPTO;
  }
  if (rv == 0) {
    memcpy(identity->scalar, scalar, sizeof(identity->scalar));
  } else {
    cm_identity_wipe(identity);
  }
  close_desk(d);
  return rv;
}

int cm_identity_generate(cm_identity *identity, const cm_random *random) {
  uint8_t scalar[32];
  int rv = cm_p256_draw(scalar, random);

  if (rv == 0) {
    rv = cm_identity_from_scalar(identity, scalar);
  }
  explicit_bzero(scalar, sizeof(scalar));
  return rv;
}

void cm_identity_wipe(cm_identity *identity) {
  if (identity != NULL) {
    explicit_bzero(identity, sizeof(*identity));
  }
}

/* The public key as JSON, with its members in the order that RFC 7638 section
   3.3 wants.  Returns the length. */
static size_t write_jwk(char dest[HEADER_MAX], const uint8_t x[32],
                        const uint8_t y[32]) {
  char xtext[COORDINATE_LEN + 1], ytext[COORDINATE_LEN + 1];

  (void)cm_base64url_encode(xtext, sizeof(xtext), x, 32);
  (void)cm_base64url_encode(ytext, sizeof(ytext), y, 32);
  return (size_t)snprintf(
      dest, HEADER_MAX,
      "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", xtext,
      ytext);
}

static int make_thumbprint(char dest[CM_THUMBPRINT_LEN + 1],
                           const uint8_t x[32], const uint8_t y[32]) {
  char jwk[HEADER_MAX];
  uint8_t hash[32];
  int rv = sha256(hash, jwk, write_jwk(jwk, x, y));

  return rv != 0 ? rv
                 : cm_base64url_encode(dest, CM_THUMBPRINT_LEN + 1, hash,
                                       sizeof(hash));
}

int cm_identity_thumbprint(char *dest, size_t destlen,
                           const cm_identity *identity) {
  return destlen <= CM_THUMBPRINT_LEN
             ? CM_ERR_NOBUF
             : make_thumbprint(dest, identity->x, identity->y);
}

/* --- backup ------------------------------------------------------------- */

int cm_identity_backup(char *dest, size_t destlen,
                       const cm_identity *identity) {
  char key[COORDINATE_LEN + 1];
  char check[CM_BASE64URL_SIZE(BACKUP_CHECK_LEN) + 1];
  uint8_t hash[32];
  int n, rv = sha256(hash, identity->scalar, sizeof(identity->scalar));

  if (rv != 0) {
    return rv;
  }
  (void)cm_base64url_encode(key, sizeof(key), identity->scalar,
                            sizeof(identity->scalar));
  (void)cm_base64url_encode(check, sizeof(check), hash, BACKUP_CHECK_LEN);
  n = snprintf(dest, destlen, BACKUP_PREFIX "%s.%s", key, check);
  explicit_bzero(key, sizeof(key));
  if (n < 0 || (size_t)n >= destlen) {
    explicit_bzero(dest, destlen);
    return CM_ERR_NOBUF;
  }
  return n;
}

int cm_identity_restore(cm_identity *identity, const char *text) {
  const size_t check_len = CM_BASE64URL_SIZE(BACKUP_CHECK_LEN);
  uint8_t scalar[32], check[BACKUP_CHECK_LEN], hash[32];
  int rv = CM_ERR_INVALID;

  text += strspn(text, " \t\r\n");
  if (strncmp(text, BACKUP_PREFIX, sizeof(BACKUP_PREFIX) - 1) != 0) {
    return CM_ERR_INVALID;
  }
  text += sizeof(BACKUP_PREFIX) - 1;
  if (strcspn(text, ".") != COORDINATE_LEN ||
      strcspn(text + COORDINATE_LEN, " \t\r\n") != 1 + check_len) {
    return CM_ERR_INVALID;
  }
  if (cm_base64url_decode(scalar, sizeof(scalar), text, COORDINATE_LEN) ==
          (int)sizeof(scalar) &&
      cm_base64url_decode(check, sizeof(check), text + COORDINATE_LEN + 1,
                          check_len) == (int)sizeof(check)) {
    rv = sha256(hash, scalar, sizeof(scalar));
    if (rv == 0 && memcmp(hash, check, sizeof(check)) != 0) {
      rv = CM_ERR_SIGNATURE;
    }
  }
  if (rv == 0) {
    rv = cm_identity_from_scalar(identity, scalar);
  }
  explicit_bzero(scalar, sizeof(scalar));
  return rv;
}

/* --- signatures --------------------------------------------------------- */

int cm_es256_sign(uint8_t signature[64], const cm_identity *identity,
                  const uint8_t *data, size_t len) {
  uint8_t hash[32];
  mp_int r, s;
  desk *d;
  int rv = open_desk(&d);

  if (rv != 0) {
    return rv;
  }
  rv = cm_p256_import(&d->key, identity->scalar);
  if (rv == 0) {
    rv = sha256(hash, data, len);
  }
  if (rv == 0) {
    rv = CM_ERR_CRYPTO;
    if (mp_init_multi(&r, &s, NULL, NULL, NULL, NULL) == 0) {
      if (wc_ecc_sign_hash_ex(hash, sizeof(hash), &d->no_rng, &d->key, &r,
                              &s) == 0 &&
          mp_to_unsigned_bin_len(&r, signature, 32) == 0 &&
          mp_to_unsigned_bin_len(&s, signature + 32, 32) == 0) {
        rv = 0;
      }
      mp_clear(&r);
      mp_clear(&s);
    }
  }
  close_desk(d);
  return rv;
}

int cm_es256_verify(const uint8_t signature[64], const uint8_t x[32],
                    const uint8_t y[32], const uint8_t *data, size_t len) {
  uint8_t hash[32];
  int valid = 0, rv;
  mp_int r, s;
  desk *d;

  rv = open_desk(&d);
  if (rv != 0) {
    return rv;
  }
  rv = sha256(hash, data, len);
  if (rv != 0) {
    goto fail_desk;
  }
  /* Neither a point off the curve nor a failing library verifies anything. */
  rv = CM_ERR_SIGNATURE;
  if (wc_ecc_import_unsigned(&d->key, x, y, NULL, ECC_SECP256R1) != 0 ||
      wc_ecc_check_key(&d->key) != 0 ||
      mp_init_multi(&r, &s, NULL, NULL, NULL, NULL) != 0) {
    goto fail_desk;
  }
  if (mp_read_unsigned_bin(&r, signature, 32) == 0 &&
      mp_read_unsigned_bin(&s, signature + 32, 32) == 0 &&
      wc_ecc_verify_hash_ex(&r, &s, hash, sizeof(hash), &valid, &d->key) == 0 &&
      valid == 1) {
    rv = 0;
  }
  mp_clear(&r);
  mp_clear(&s);

fail_desk:
  close_desk(d);
  return rv;
}

/* --- JWS ---------------------------------------------------------------- */

int cm_jws_sign(char *dest, size_t destlen, const cm_identity *identity,
                const uint8_t *payload, size_t len) {
  char header[HEADER_MAX + 32], jwk[HEADER_MAX];
  uint8_t signature[64];
  size_t off;
  int n, rv;

  (void)write_jwk(jwk, identity->x, identity->y);
  n = snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":%s}", jwk);
  n = cm_base64url_encode(dest, destlen, (const uint8_t *)header, (size_t)n);
  if (n < 0) {
    return n;
  }
  off = (size_t)n;
  dest[off++] = '.';
  n = cm_base64url_encode(dest + off, destlen - off, payload, len);
  if (n < 0) {
    return n;
  }
  off += (size_t)n;
  rv = cm_es256_sign(signature, identity, (const uint8_t *)dest, off);
  if (rv != 0) {
    return rv;
  }
  dest[off++] = '.';
  n = cm_base64url_encode(dest + off, destlen - off, signature,
                          sizeof(signature));
  return n < 0 ? n : (int)(off + (size_t)n);
}

/* The member |name| of |object|, if it is a string equal to |value|. */
static int has_string(const cJSON *object, const char *name,
                      const char *value) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

  return cJSON_IsString(item) && strcmp(item->valuestring, value) == 0;
}

static int get_coordinate(uint8_t dest[32], const cJSON *jwk,
                          const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(jwk, name);

  return cJSON_IsString(item) &&
         cm_base64url_decode(dest, 32, item->valuestring,
                             strlen(item->valuestring)) == 32;
}

/* Takes the public key out of the header. */
static int read_header(uint8_t x[32], uint8_t y[32], const char *text,
                       size_t len) {
  uint8_t json[HEADER_MAX + 32];
  int n = cm_base64url_decode(json, sizeof(json), text, len);
  const cJSON *jwk;
  cJSON *header;
  int rv = CM_ERR_INVALID;

  if (n < 0) {
    return CM_ERR_INVALID;
  }
  header = cJSON_ParseWithLength((const char *)json, (size_t)n);
  jwk = cJSON_GetObjectItemCaseSensitive(header, "jwk");
  /* RFC 7515 section 4.1.11: what is critical and not known is refused. */
  if (has_string(header, "alg", "ES256") && has_string(jwk, "kty", "EC") &&
      has_string(jwk, "crv", "P-256") && get_coordinate(x, jwk, "x") &&
      get_coordinate(y, jwk, "y") &&
      cJSON_GetObjectItemCaseSensitive(header, "crit") == NULL) {
    rv = 0;
  }
  cJSON_Delete(header);
  return rv;
}

int cm_jws_verify(uint8_t *dest, size_t destlen, const char *jws, size_t len,
                  const char *thumbprint) {
  const char *first = memchr(jws, '.', len), *second = NULL;
  char actual[CM_THUMBPRINT_LEN + 1];
  uint8_t signature[64], x[32], y[32];
  int rv;

  if (first != NULL) {
    second = memchr(first + 1, '.', len - (size_t)(first + 1 - jws));
  }
  if (second == NULL ||
      cm_base64url_decode(signature, sizeof(signature), second + 1,
                          len - (size_t)(second + 1 - jws)) !=
          (int)sizeof(signature)) {
    return CM_ERR_INVALID;
  }
  rv = read_header(x, y, jws, (size_t)(first - jws));
  if (rv != 0) {
    return rv;
  }
  rv = make_thumbprint(actual, x, y);
  if (rv < 0) {
    return rv;
  }
  if (strcmp(actual, thumbprint) != 0) {
    return CM_ERR_SIGNATURE;
  }
  rv = cm_es256_verify(signature, x, y, (const uint8_t *)jws,
                       (size_t)(second - jws));
  return rv != 0 ? rv
                 : cm_base64url_decode(dest, destlen, first + 1,
                                       (size_t)(second - first - 1));
}
