/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/error.h"

const char *cm_strerror(int error) {
  /* No default: the compiler then tells of a member without a text. */
  switch ((cm_error)error) {
  case CM_ERR_NOMEM:
    return "out of memory";
  case CM_ERR_INVALID:
    return "invalid argument";
  case CM_ERR_NOBUF:
    return "not enough room";
  case CM_ERR_HOST:
    return "a host is neither a DNS name nor an IP address";
  case CM_ERR_HOST_COUNT:
    return "no hosts, or too many";
  case CM_ERR_VALIDITY:
    return "the validity is empty, too long, or out of range";
  case CM_ERR_RANDOM:
    return "no randomness to be had";
  case CM_ERR_CRYPTO:
    return "the cryptographic library failed";
  case CM_ERR_SELF_CHECK:
    return "the new certificate did not pass its own check";
  case CM_ERR_CLOCK:
    return "the wall clock is out of range";
  case CM_ERR_STORE:
    return "the store cannot be read or written";
  case CM_ERR_STORE_LOCKED:
    return "the store is in use by another process";
  case CM_ERR_STORE_PERMISSIONS:
    return "others have access to the store";
  case CM_ERR_STORE_BAD:
    return "what is stored is damaged";
  case CM_ERR_SIGNATURE:
    return "the signature does not verify";
  }
  return error >= 0 ? "success" : "unknown error";
}
