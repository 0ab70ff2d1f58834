/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the browsers for serverCertificateHashes, as measured with
 * Chromium 156 and Firefox ESR 153 and read in WebKit's source:
 *
 *                                     Chromium   Firefox    Safari
 *   X.509 v1, or no extensions        refuses    ?          ?
 *   longest validity, in seconds      14 d + 1   14 d       14 d
 *   outside of its validity           refuses    refuses    refuses
 *   RSA                               refuses    refuses    refuses
 *   P-256                             accepts    accepts    accepts
 *   P-384                             accepts    accepts    ?
 *   P-521                             refuses    accepts    ?
 *   Ed25519                           refuses    refuses    ?
 *   keyUsage without digitalSignature refuses    accepts    ?
 *   issuer and serial seen before     accepts    refuses    ?
 *   no SAN, other names, no subject   accepts    accepts    accepts
 *
 * Where it is not known (?), the answer is "refuses": what this file accepts
 * is accepted.
 */
#include "certmgr/x509.h"

#include "certmgr/x509_view.h"

#define DAY INT64_C(86400)

typedef struct rules {
  const char *name;
  int64_t validity_max;
  /* Whether the last second, notAfter itself, still counts. */
  int not_after_inclusive;
  int takes_p384;
  int takes_p521;
  int needs_digital_signature;
  int remembers_serials;
} rules;

static const rules table[CM_BROWSER_COUNT] = {
    [CM_BROWSER_CHROMIUM] = {.name = "Chromium",
                             .validity_max = 14 * DAY + 1,
                             .not_after_inclusive = 0,
                             .takes_p384 = 1,
                             .takes_p521 = 0,
                             .needs_digital_signature = 1,
                             .remembers_serials = 0},
    [CM_BROWSER_FIREFOX] = {.name = "Firefox",
                            .validity_max = 14 * DAY,
                            .not_after_inclusive = 1,
                            .takes_p384 = 1,
                            .takes_p521 = 1,
                            .needs_digital_signature = 0,
                            .remembers_serials = 1},
    [CM_BROWSER_SAFARI] = {.name = "Safari",
                           .validity_max = 14 * DAY,
                           .not_after_inclusive = 0,
                           .takes_p384 = 0,
                           .takes_p521 = 0,
                           .needs_digital_signature = 1,
                           .remembers_serials = 1},
};

static const rules *rules_of(cm_browser browser) {
  /* Anything else is held to the strictest rules. */
  return &table[(unsigned)browser < CM_BROWSER_COUNT ? browser
                                                     : CM_BROWSER_SAFARI];
}

static cm_refusal check_key(const cm_x509_view *view, const rules *r) {
  switch (view->key_type) {
  case CM_KEY_P256:
    return CM_ACCEPTED;
  case CM_KEY_P384:
    return r->takes_p384 ? CM_ACCEPTED : CM_REFUSED_CURVE;
  case CM_KEY_P521:
    return r->takes_p521 ? CM_ACCEPTED : CM_REFUSED_CURVE;
  case CM_KEY_OTHER_CURVE:
    return CM_REFUSED_CURVE;
  case CM_KEY_RSA:
    return CM_REFUSED_RSA;
  case CM_KEY_ED25519:
  case CM_KEY_OTHER:
    break;
  }
  return CM_REFUSED_KEY_TYPE;
}

cm_refusal cm_x509_check(const uint8_t *der, size_t len, cm_browser browser,
                         int64_t now) {
  const rules *r = rules_of(browser);
  cm_x509_view view;
  cm_refusal refusal;

  if (cm_x509_view_parse(&view, der, len) != 0) {
    return CM_REFUSED_MALFORMED;
  }
  if (view.version != 3) {
    return CM_REFUSED_VERSION;
  }
  if (!view.has_extensions) {
    return CM_REFUSED_NO_EXTENSIONS;
  }
  if (view.not_after <= view.not_before) {
    return CM_REFUSED_DATES;
  }
  if (view.not_after - view.not_before > r->validity_max) {
    return CM_REFUSED_TOO_LONG;
  }
  if (now < view.not_before) {
    return CM_REFUSED_NOT_YET_VALID;
  }
  if (now > view.not_after - (r->not_after_inclusive ? 0 : 1)) {
    return CM_REFUSED_EXPIRED;
  }
  refusal = check_key(&view, r);
  if (refusal != CM_ACCEPTED) {
    return refusal;
  }
  if (r->needs_digital_signature && view.has_key_usage &&
      !(view.key_usage & CM_KEY_USAGE_DIGITAL_SIGNATURE)) {
    return CM_REFUSED_KEY_USAGE;
  }
  return CM_ACCEPTED;
}

cm_refusal cm_x509_check_reuse(const uint8_t *der, size_t len,
                               const uint8_t *seen, size_t seen_len,
                               cm_browser browser) {
  cm_x509_view a, b;

  if (cm_x509_view_parse(&a, der, len) != 0 ||
      cm_x509_view_parse(&b, seen, seen_len) != 0) {
    return CM_REFUSED_MALFORMED;
  }
  if (!rules_of(browser)->remembers_serials ||
      !cm_octets_eq(a.serial, b.serial) || !cm_octets_eq(a.issuer, b.issuer) ||
      cm_octets_eq((cm_octets){der, len}, (cm_octets){seen, seen_len})) {
    return CM_ACCEPTED;
  }
  return CM_REFUSED_SERIAL_REUSED;
}

const char *cm_browser_name(cm_browser browser) {
  return (unsigned)browser < CM_BROWSER_COUNT ? table[browser].name : "?";
}

const char *cm_refusal_text(cm_refusal refusal, cm_browser browser) {
  switch (refusal) {
  case CM_ACCEPTED:
    return "accepted";
  case CM_REFUSED_MALFORMED:
    return "not a certificate in DER";
  case CM_REFUSED_VERSION:
    return browser == CM_BROWSER_CHROMIUM
               ? "Chromium takes X.509 v3 only"
               : "X.509 v3 is the only version known to be accepted";
  case CM_REFUSED_NO_EXTENSIONS:
    return browser == CM_BROWSER_CHROMIUM
               ? "Chromium wants an extensions field"
               : "a certificate without extensions is not known to be accepted";
  case CM_REFUSED_DATES:
    return "notAfter does not come after notBefore";
  case CM_REFUSED_TOO_LONG:
    return browser == CM_BROWSER_CHROMIUM
               ? "Chromium takes a validity of at most 14 days and 1 second"
           : browser == CM_BROWSER_FIREFOX
               ? "Firefox takes a validity of at most 14 days"
               : "Safari takes a validity of at most 14 days";
  case CM_REFUSED_NOT_YET_VALID:
    return "not yet valid: the certificate or the browser's clock is off";
  case CM_REFUSED_EXPIRED:
    return "expired";
  case CM_REFUSED_RSA:
    return "RSA keys are not allowed with serverCertificateHashes";
  case CM_REFUSED_CURVE:
    return browser == CM_BROWSER_CHROMIUM ? "Chromium takes P-256 and P-384"
           : browser == CM_BROWSER_FIREFOX
               ? "Firefox takes P-256, P-384 and P-521"
               : "Safari is known to take P-256 only";
  case CM_REFUSED_KEY_TYPE:
    return "only elliptic curve keys are accepted (P-256 everywhere)";
  case CM_REFUSED_KEY_USAGE:
    return browser == CM_BROWSER_CHROMIUM
               ? "Chromium wants digitalSignature in keyUsage (alert 47)"
               : "keyUsage without digitalSignature is not known to be "
                 "accepted";
  case CM_REFUSED_SERIAL_REUSED:
    return browser == CM_BROWSER_FIREFOX
               ? "Firefox has seen another certificate of this issuer and "
                 "serial (alert 42)"
               : "issuer and serial were used before";
  }
  return "?";
}
