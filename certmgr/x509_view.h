/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a certificate apart (RFC 5280 section 4.1), without judging it and
 * without trusting it.
 */
#ifndef CERTMGR_X509_VIEW_H
#define CERTMGR_X509_VIEW_H

#include "certmgr/der.h"

#include <stddef.h>
#include <stdint.h>

/* The bits of keyUsage, first bit first (RFC 5280 section 4.2.1.3). */
#define CM_KEY_USAGE_DIGITAL_SIGNATURE 0x80
#define CM_KEY_USAGE_KEY_AGREEMENT 0x08

typedef enum cm_key_type {
  CM_KEY_P256,
  CM_KEY_P384,
  CM_KEY_P521,
  /* An elliptic curve without a name, or one not in this list. */
  CM_KEY_OTHER_CURVE,
  CM_KEY_RSA,
  CM_KEY_ED25519,
  CM_KEY_OTHER
} cm_key_type;

/* All octets point into the certificate. */
typedef struct cm_x509_view {
  /* The whole TBSCertificate: what is signed. */
  cm_octets tbs;
  /* 1, 2 or 3. */
  int version;
  /* The contents of the INTEGER. */
  cm_octets serial;
  /* Names, with tag and length. */
  cm_octets issuer;
  cm_octets subject;
  int64_t not_before;
  int64_t not_after;
  cm_key_type key_type;
  /* The contents of the BIT STRING: for a curve, the point. */
  cm_octets public_key;
  /* Whether there is an extensions field. */
  int has_extensions;
  int has_key_usage;
  int key_usage_critical;
  /* The first octet of the bits. */
  uint8_t key_usage;
  int has_basic_constraints;
  int ca;
  /* What is inside of the OCTET STRING; empty if the extension is not there. */
  cm_octets san;
  cm_octets eku;
  cm_octets skid;
  /* Contents of the AlgorithmIdentifier of the signature, and its value. */
  cm_octets signature_algorithm;
  cm_octets signature;
} cm_x509_view;

/* Takes |der| of |len| octets apart.  Returns 0, or -1 if it is not exactly one
   certificate in DER. */
int cm_x509_view_parse(cm_x509_view *view, const uint8_t *der, size_t len);

#endif
