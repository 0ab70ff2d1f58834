/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol "echo": raw QUIC, everything comes back.
 *
 * Bidirectional streams on themselves, each unidirectional stream on one of
 * ours, FIN after FIN, datagrams as datagrams.
 */
#ifndef SERVER_QUIC_ECHO_H
#define SERVER_QUIC_ECHO_H

#include "server/quic/protocol.h"

/* Needs no service: quic_service.service may be NULL. */
extern const quic_protocol quic_echo;

#endif
