/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/x509_view.h"

#include <string.h>

static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce,
                                            0x3d, 0x02, 0x01};
static const uint8_t oid_rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
                                  0x0d, 0x01, 0x01, 0x01};
static const uint8_t oid_rsa_pss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
                                      0x0d, 0x01, 0x01, 0x0a};
static const uint8_t oid_ed25519[] = {0x2b, 0x65, 0x70};
static const uint8_t oid_p256[] = {0x2a, 0x86, 0x48, 0xce,
                                   0x3d, 0x03, 0x01, 0x07};
static const uint8_t oid_p384[] = {0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t oid_p521[] = {0x2b, 0x81, 0x04, 0x00, 0x23};
static const uint8_t oid_skid[] = {0x55, 0x1d, 0x0e};
static const uint8_t oid_key_usage[] = {0x55, 0x1d, 0x0f};
static const uint8_t oid_san[] = {0x55, 0x1d, 0x11};
static const uint8_t oid_basic_constraints[] = {0x55, 0x1d, 0x13};
static const uint8_t oid_eku[] = {0x55, 0x1d, 0x25};

#define IS_OID(octets, oid) is_oid(octets, oid, sizeof(oid))

static int is_oid(cm_octets octets, const uint8_t *oid, size_t len) {
  return cm_octets_eq(octets, (cm_octets){oid, len});
}

/* An element of any kind, with tag and length, if its tag is |tag|. */
static int expect_whole(cm_octets *in, uint8_t tag, cm_octets *whole) {
  cm_octets contents;

  if (cm_der_peek(*in) != tag) {
    return -1;
  }
  return cm_der_next(in, &tag, &contents, whole);
}

/* The contents of a BIT STRING of whole octets. */
static int expect_bits(cm_octets *in, cm_octets *bits) {
  cm_octets contents;

  if (cm_der_expect(in, CM_DER_BIT_STRING, &contents) != 0 ||
      contents.len == 0 || contents.data[0] != 0) {
    return -1;
  }
  *bits = (cm_octets){contents.data + 1, contents.len - 1};
  return 0;
}

static int parse_version(cm_octets *tbs, int *version) {
  cm_octets outer, number;

  if (cm_der_peek(*tbs) != CM_DER_CONTEXT(0)) {
    *version = 1;
    return 0;
  }
  if (cm_der_expect(tbs, CM_DER_CONTEXT(0), &outer) != 0 ||
      cm_der_expect(&outer, CM_DER_INTEGER, &number) != 0 || outer.len != 0 ||
      number.len != 1 || number.data[0] > 2) {
    return -1;
  }
  *version = number.data[0] + 1;
  return 0;
}

static int parse_serial(cm_octets *tbs, cm_octets *serial) {
  if (cm_der_expect(tbs, CM_DER_INTEGER, serial) != 0 || serial->len == 0) {
    return -1;
  }
  /* DER: nine leading bits that are all the same are one octet too many. */
  if (serial->len > 1 &&
      ((serial->data[0] == 0x00 && serial->data[1] < 0x80) ||
       (serial->data[0] == 0xff && serial->data[1] >= 0x80))) {
    return -1;
  }
  return 0;
}

static int parse_validity(cm_octets *tbs, cm_x509_view *view) {
  cm_octets validity;

  return cm_der_expect(tbs, CM_DER_SEQUENCE, &validity) != 0 ||
                 cm_der_get_time(&validity, &view->not_before) != 0 ||
                 cm_der_get_time(&validity, &view->not_after) != 0 ||
                 validity.len != 0
             ? -1
             : 0;
}

static int parse_key(cm_octets *tbs, cm_x509_view *view) {
  cm_octets info, algorithm, oid, curve;

  if (cm_der_expect(tbs, CM_DER_SEQUENCE, &info) != 0 ||
      cm_der_expect(&info, CM_DER_SEQUENCE, &algorithm) != 0 ||
      cm_der_expect(&algorithm, CM_DER_OID, &oid) != 0 ||
      expect_bits(&info, &view->public_key) != 0 || info.len != 0) {
    return -1;
  }
  view->key_type = CM_KEY_OTHER;
  if (IS_OID(oid, oid_rsa) || IS_OID(oid, oid_rsa_pss)) {
    view->key_type = CM_KEY_RSA;
  } else if (IS_OID(oid, oid_ed25519)) {
    view->key_type = CM_KEY_ED25519;
  } else if (IS_OID(oid, oid_ec_public_key)) {
    view->key_type = CM_KEY_OTHER_CURVE;
    if (cm_der_peek(algorithm) == CM_DER_OID) {
      if (cm_der_expect(&algorithm, CM_DER_OID, &curve) != 0 ||
          algorithm.len != 0) {
        return -1;
      }
      if (IS_OID(curve, oid_p256)) {
        view->key_type = CM_KEY_P256;
      } else if (IS_OID(curve, oid_p384)) {
        view->key_type = CM_KEY_P384;
      } else if (IS_OID(curve, oid_p521)) {
        view->key_type = CM_KEY_P521;
      }
    }
  }
  return 0;
}

static int parse_key_usage(cm_octets value, cm_x509_view *view) {
  cm_octets bits;

  if (cm_der_expect(&value, CM_DER_BIT_STRING, &bits) != 0 || value.len != 0 ||
      bits.len == 0 || bits.data[0] > 7 || (bits.len == 1 && bits.data[0])) {
    return -1;
  }
  view->has_key_usage = 1;
  view->key_usage = bits.len > 1 ? bits.data[1] : 0;
  return 0;
}

static int parse_basic_constraints(cm_octets value, cm_x509_view *view) {
  cm_octets seq, flag, number;

  if (cm_der_expect(&value, CM_DER_SEQUENCE, &seq) != 0 || value.len != 0) {
    return -1;
  }
  if (cm_der_peek(seq) == CM_DER_BOOLEAN) {
    if (cm_der_expect(&seq, CM_DER_BOOLEAN, &flag) != 0 || flag.len != 1) {
      return -1;
    }
    view->ca = flag.data[0] != 0;
  }
  if (seq.len != 0 &&
      (cm_der_expect(&seq, CM_DER_INTEGER, &number) != 0 || seq.len != 0)) {
    return -1;
  }
  view->has_basic_constraints = 1;
  return 0;
}

static int parse_extension(cm_octets *list, cm_x509_view *view) {
  cm_octets extension, oid, flag, value;
  int critical = 0;

  if (cm_der_expect(list, CM_DER_SEQUENCE, &extension) != 0 ||
      cm_der_expect(&extension, CM_DER_OID, &oid) != 0) {
    return -1;
  }
  if (cm_der_peek(extension) == CM_DER_BOOLEAN) {
    /* FALSE is the default, so DER does not write it. */
    if (cm_der_expect(&extension, CM_DER_BOOLEAN, &flag) != 0 ||
        flag.len != 1 || flag.data[0] != 0xff) {
      return -1;
    }
    critical = 1;
  }
  if (cm_der_expect(&extension, CM_DER_OCTET_STRING, &value) != 0 ||
      extension.len != 0) {
    return -1;
  }
  if (IS_OID(oid, oid_key_usage)) {
    if (view->has_key_usage) {
      return -1;
    }
    view->key_usage_critical = critical;
    return parse_key_usage(value, view);
  }
  if (IS_OID(oid, oid_basic_constraints)) {
    return view->has_basic_constraints ? -1
                                       : parse_basic_constraints(value, view);
  }
  if (IS_OID(oid, oid_san)) {
    view->san = value;
  } else if (IS_OID(oid, oid_eku)) {
    view->eku = value;
  } else if (IS_OID(oid, oid_skid)) {
    view->skid = value;
  }
  return 0;
}

static int parse_extensions(cm_octets *tbs, cm_x509_view *view) {
  cm_octets outer, list, unique_id;

  /* issuerUniqueID [1] and subjectUniqueID [2]: nobody looks at them. */
  for (uint8_t i = 1; i <= 2; i++) {
    if (cm_der_peek(*tbs) == CM_DER_CONTEXT_PRIMITIVE(i) &&
        cm_der_expect(tbs, CM_DER_CONTEXT_PRIMITIVE(i), &unique_id) != 0) {
      return -1;
    }
  }
  if (tbs->len == 0) {
    return 0;
  }
  if (cm_der_expect(tbs, CM_DER_CONTEXT(3), &outer) != 0 || tbs->len != 0 ||
      cm_der_expect(&outer, CM_DER_SEQUENCE, &list) != 0 || outer.len != 0 ||
      list.len == 0) {
    return -1;
  }
  view->has_extensions = 1;
  while (list.len > 0) {
    if (parse_extension(&list, view) != 0) {
      return -1;
    }
  }
  return 0;
}

int cm_x509_view_parse(cm_x509_view *view, const uint8_t *der, size_t len) {
  cm_octets in = {der, len}, certificate, tbs, algorithm;
  uint8_t tag;

  memset(view, 0, sizeof(*view));
  if (cm_der_expect(&in, CM_DER_SEQUENCE, &certificate) != 0 || in.len != 0 ||
      cm_der_peek(certificate) != CM_DER_SEQUENCE ||
      cm_der_next(&certificate, &tag, &tbs, &view->tbs) != 0 ||
      cm_der_expect(&certificate, CM_DER_SEQUENCE,
                    &view->signature_algorithm) != 0 ||
      expect_bits(&certificate, &view->signature) != 0 ||
      certificate.len != 0) {
    return -1;
  }
  if (parse_version(&tbs, &view->version) != 0 ||
      parse_serial(&tbs, &view->serial) != 0 ||
      cm_der_expect(&tbs, CM_DER_SEQUENCE, &algorithm) != 0 ||
      !cm_octets_eq(algorithm, view->signature_algorithm) ||
      expect_whole(&tbs, CM_DER_SEQUENCE, &view->issuer) != 0 ||
      parse_validity(&tbs, view) != 0 ||
      expect_whole(&tbs, CM_DER_SEQUENCE, &view->subject) != 0 ||
      parse_key(&tbs, view) != 0 || parse_extensions(&tbs, view) != 0) {
    return -1;
  }
  return 0;
}
