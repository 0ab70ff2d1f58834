/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may stand for a host: in a certificate, a URL and a multiaddr.
 */
#ifndef CERTMGR_HOST_H
#define CERTMGR_HOST_H

#include "certmgr/error.h"

#include <stddef.h>
#include <stdint.h>

/* The longest DNS name in its text form (RFC 1035 section 2.3.4). */
#define CM_HOST_MAX 253

typedef enum cm_host_kind {
  /* Letters, digits and hyphens in labels (RFC 5890's LDH form, RFC 1123
     section 2.1); an internationalised name has to come in its A-label form. */
  CM_HOST_DNS,
  /* The same, but the first label is "*". */
  CM_HOST_WILDCARD,
  CM_HOST_IPV4,
  CM_HOST_IPV6
} cm_host_kind;

typedef struct cm_host {
  cm_host_kind kind;
  /* The address in network byte order; 4 or 16 octets for the IP kinds. */
  uint8_t address[16];
  size_t address_len;
} cm_host;

/* Says what |text| is.  An IPv6 literal comes without brackets and without a
   zone.  Names that a browser would take for an IPv4 address (the last label is
   a number: "1.2.3", "0x7f.1") are refused (WHATWG URL, "ends in a number").
   Returns 0 or CM_ERR_HOST. */
int cm_host_parse(cm_host *host, const char *text);

#endif
