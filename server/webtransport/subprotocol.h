/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Negotiation of an application's protocol (draft-ietf-webtrans-http3 section
 * 3.3): the client offers WT-Available-Protocols, a List of Strings, in the
 * order in which it likes them; the server answers with WT-Protocol, one
 * String (RFC 9651 sections 3.1 and 3.3.3).
 */
#ifndef SERVER_WEBTRANSPORT_SUBPROTOCOL_H
#define SERVER_WEBTRANSPORT_SUBPROTOCOL_H

#include <stddef.h>

/*
 * The first string of |available| that is among |protocols|, an array that
 * ends with NULL, or is NULL: that element.  NULL if there is none, and if
 * |available| is not a List of nothing but Strings: then all of it is to be
 * ignored.  Parameters are ignored.  |available| may be NULL.
 */
const char *wt_subprotocol_choose(const char *available,
                                  const char *const *protocols);

/* Writes |protocol| as a String, with its quotes and a closing NUL, to |dest|
   of |destlen| octets.  Returns its length, or -1 if there is no room or it has
   characters that a String cannot have. */
int wt_subprotocol_write(char *dest, size_t destlen, const char *protocol);

#endif
