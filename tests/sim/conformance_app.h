/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application for tests, at /probe: it writes down what it is told, and does
 * what the octets on a stream say.
 */
#ifndef TESTS_SIM_CONFORMANCE_APP_H
#define TESTS_SIM_CONFORMANCE_APP_H

#include "server/apps/app.h"

#include <stddef.h>

#define PROBE_LOG_MAX 8192

typedef struct probe {
  /* A line for each call: "session chat.v1", "data 5", "data 5 fin", "reset 7",
     "stop 7", "closed stream", "datagram 3", "draining", "closed". */
  char log[PROBE_LOG_MAX];
  size_t len;
  app app;
} probe;

/*
 * The first octet on a stream says what is done to it: 'r' reset, 's' stop
 * sending, 'b' stop sending and reset, with the code in four octets behind it;
 * 'd' drain the session; 'u' an empty unidirectional stream; 'w' a write of two
 * octets and FIN.  All else is only written down.
 */
void probe_init(probe *p);

/* Whether |line| is in the log. */
int probe_heard(const probe *p, const char *line);

#endif
