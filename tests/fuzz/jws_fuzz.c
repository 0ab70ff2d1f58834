/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed hash sets, which travel over any channel: as they come, and with the
 * signature made right, so that what is behind it is reached.
 */
#include "certmgr/base64url.h"
#include "certmgr/hashset_signed.h"
#include "certmgr/identity.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define JWS_MAX (3 * CM_SIGNED_MAX)

static cm_identity identity;
static char thumbprint[CM_THUMBPRINT_LEN + 1];

static void begin(void) {
  static const uint8_t scalar[32] = {[0] = 0x42, [31] = 1};

  if (!*thumbprint) {
    FUZZ_CHECK(cm_identity_from_scalar(&identity, scalar) == 0);
    FUZZ_CHECK(cm_identity_thumbprint(thumbprint, sizeof(thumbprint),
                                      &identity) == CM_THUMBPRINT_LEN);
  }
}

static void read_set(const char *jws, size_t len) {
  cm_signed_set set, again;
  char written[CM_SIGNED_MAX];
  int rv = cm_signed_set_read(&set, jws, len, thumbprint);

  FUZZ_CHECK(rv == 0 || rv == CM_ERR_INVALID || rv == CM_ERR_SIGNATURE);
  if (rv != 0) {
    return;
  }
  /* What is taken can be told on. */
  rv = cm_signed_set_write(written, sizeof(written), &set, &identity);
  FUZZ_CHECK(rv > 0);
  FUZZ_CHECK(cm_signed_set_read(&again, written, (size_t)rv, thumbprint) == 0);
  FUZZ_CHECK(memcmp(&set, &again, sizeof(set)) == 0);
  FUZZ_CHECK(!cm_signed_set_supersedes(&set, &again));
}

static void verify(const char *jws, size_t len) {
  static uint8_t payload[JWS_MAX];
  int rv = cm_jws_verify(payload, sizeof(payload), jws, len, thumbprint);

  FUZZ_CHECK(rv >= 0 || rv == CM_ERR_INVALID || rv == CM_ERR_SIGNATURE ||
             rv == CM_ERR_NOBUF);
  read_set(jws, len);
}

/* |payload| as cm_jws_sign() signs it. */
static void sign(const uint8_t *payload, size_t len) {
  static char jws[JWS_MAX];
  static uint8_t back[JWS_MAX];
  int n = cm_jws_sign(jws, sizeof(jws), &identity, payload, len);

  if (n < 0) {
    FUZZ_CHECK(n == CM_ERR_NOBUF);
    return;
  }
  FUZZ_CHECK(cm_jws_verify(back, sizeof(back), jws, (size_t)n, thumbprint) ==
             (int)len);
  FUZZ_CHECK(len == 0 || memcmp(back, payload, len) == 0);
  read_set(jws, (size_t)n);
}

/* Any header and payload under a signature that is right. */
static void sign_all(const uint8_t *header, size_t headerlen,
                     const uint8_t *payload, size_t len) {
  static char jws[JWS_MAX];
  uint8_t signature[64];
  size_t off;
  int n = cm_base64url_encode(jws, sizeof(jws), header, headerlen);

  if (n < 0) {
    return;
  }
  off = (size_t)n;
  jws[off++] = '.';
  n = cm_base64url_encode(jws + off, sizeof(jws) - off, payload, len);
  if (n < 0) {
    return;
  }
  off += (size_t)n;
  if (sizeof(jws) - off < CM_BASE64URL_SIZE(sizeof(signature)) + 2) {
    return;
  }
  FUZZ_CHECK(cm_es256_sign(signature, &identity, (const uint8_t *)jws, off) ==
             0);
  jws[off++] = '.';
  n = cm_base64url_encode(jws + off, sizeof(jws) - off, signature,
                          sizeof(signature));
  FUZZ_CHECK(n > 0);
  verify(jws, off + (size_t)n);
}

static void restore(const char *text) {
  char backup[CM_IDENTITY_BACKUP_MAX];
  cm_identity restored, again;
  int rv = cm_identity_restore(&restored, text);

  FUZZ_CHECK(rv == 0 || rv == CM_ERR_INVALID || rv == CM_ERR_SIGNATURE ||
             rv == CM_ERR_CRYPTO);
  if (rv == 0) {
    FUZZ_CHECK(cm_identity_backup(backup, sizeof(backup), &restored) > 0);
    FUZZ_CHECK(cm_identity_restore(&again, backup) == 0);
    FUZZ_CHECK(memcmp(&restored, &again, sizeof(restored)) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  const uint8_t *header;
  size_t len;
  char *text;

  begin();
  switch (fuzz_u8(&in) % 4) {
  case 0:
    verify((const char *)in.data, in.len);
    break;
  case 1:
    sign(in.data, in.len);
    break;
  case 2:
    len = fuzz_u16(&in);
    len = fuzz_take(&in, &header, len);
    sign_all(header, len, in.data, in.len);
    break;
  default:
    text = fuzz_text(&in, in.len);
    restore(text);
    free(text);
  }
  return 0;
}
