/* SPDX-License-Identifier: Apache-2.0 */
/* What a client does below its streams: moving, tokens, and lies. */
#ifndef TESTS_SIM_CLIENT_WIRE_H
#define TESTS_SIM_CLIENT_WIRE_H

#include "server/udp.h"
#include "tests/sim/client.h"

/* The last token that came in NEW_TOKEN; |*len| 0: none did.  Lives until the
   next comes. */
const uint8_t *sim_client_token(const sim_client *client, size_t *len);

/* Goes over to another address of its own, knowingly (RFC 9000 section 9.2),
   at once.  Fails with SIM_ERR_INVALID if it may not now. */
int sim_client_migrate(sim_client *client, const udp_address *local,
                       uint64_t now);

/*
 * Called for the frames of each packet before it is encrypted: they may be
 * overwritten, PADDING to the end.  What QUIC thinks was sent was not.  |head|:
 * the packet's first octet, 0xc0 to 0xcf for an Initial of version 1, below
 * 0x80 for 1-RTT.
 */
typedef void (*sim_tamper)(void *user, uint8_t head, uint8_t *frames,
                           size_t len);
/* |tamper| NULL: no more. */
void sim_client_set_tamper(sim_client *client, sim_tamper tamper, void *user);

#endif
