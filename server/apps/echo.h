/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application "/echo": everything comes back.
 *
 * Bidirectional streams on themselves, each of the peer's unidirectional
 * streams on one of ours, FIN after FIN, resets with their code, datagrams as
 * datagrams.  The query asks for what a test or a demonstration needs:
 *
 *   bidi=N            N streams of ours at once, each with "hello I"; what
 *                     comes back on them is echoed
 *   uni=N             N unidirectional ones, each with "hello" and FIN
 *   close=C&reason=T  the session is closed with code C and text T
 */
#ifndef SERVER_APPS_ECHO_H
#define SERVER_APPS_ECHO_H

#include "server/apps/app.h"

extern const app app_echo;

#endif
