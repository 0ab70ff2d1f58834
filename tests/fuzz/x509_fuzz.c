/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: taken apart, judged by each browser's rules, taken up. */
#include "certmgr/x509.h"
#include "certmgr/x509_view.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_octets(cm_octets part, const uint8_t *der, size_t len) {
  FUZZ_CHECK(part.len == 0 || (part.data >= der && part.len <= len &&
                               part.data <= der + len - part.len));
}

static void check_view(const cm_x509_view *view, const uint8_t *der,
                       size_t len) {
  const cm_octets parts[] = {
      view->tbs,      view->serial,     view->issuer,
      view->subject,  view->public_key, view->san,
      view->eku,      view->skid,       view->signature_algorithm,
      view->signature};
  size_t i;

  for (i = 0; i < sizeof(parts) / sizeof(parts[0]); ++i) {
    check_octets(parts[i], der, len);
  }
  FUZZ_CHECK(view->version >= 1 && view->version <= 3);
}

static void load(const uint8_t *der, size_t len, const uint8_t *key,
                 size_t keylen) {
  cm_certificate certificate;

  if (cm_x509_load(&certificate, der, len, key, keylen) == 0) {
    FUZZ_CHECK(certificate.der_len == len &&
               memcmp(certificate.der, der, len) == 0);
    FUZZ_CHECK(certificate.not_after - certificate.not_before <=
               CM_VALIDITY_MAX);
    /* What we take up, browsers take too. */
    FUZZ_CHECK(cm_x509_check(der, len, CM_BROWSER_CHROMIUM,
                             certificate.not_before) == CM_ACCEPTED);
    FUZZ_CHECK(cm_x509_check(der, len, CM_BROWSER_FIREFOX,
                             certificate.not_before) == CM_ACCEPTED);
    FUZZ_CHECK(cm_x509_check(der, len, CM_BROWSER_SAFARI,
                             certificate.not_before) == CM_ACCEPTED);
  }
  cm_certificate_wipe(&certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  const uint8_t *key;
  size_t keylen = fuzz_u8(&in);
  int64_t now = (int64_t)fuzz_u32(&in);
  cm_x509_view view;
  int i, malformed;

  keylen = fuzz_take(&in, &key, keylen);
  malformed = cm_x509_view_parse(&view, in.data, in.len) != 0;
  if (!malformed) {
    check_view(&view, in.data, in.len);
  }
  for (i = 0; i < CM_BROWSER_COUNT; ++i) {
    cm_browser browser = (cm_browser)i;
    cm_refusal refusal = cm_x509_check(in.data, in.len, browser, now);

    FUZZ_CHECK(refusal < CM_REFUSAL_COUNT);
    FUZZ_CHECK((refusal == CM_REFUSED_MALFORMED) == malformed);
    FUZZ_CHECK(*cm_refusal_text(refusal, browser) != '\0');
    FUZZ_CHECK(cm_x509_check_reuse(in.data, in.len, in.data, in.len, browser) ==
               (malformed ? CM_REFUSED_MALFORMED : CM_ACCEPTED));
  }
  if (keylen) {
    load(in.data, in.len, key, keylen);
  }
  return 0;
}
