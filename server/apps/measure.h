/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For measuring each direction alone.
 *
 *   /sink                          reads all and keeps none; a bidirectional
 *                                  stream is answered with the number of its
 *                                  octets in decimal, and FIN
 *   /source?streams=K&bytes=N      opens K unidirectional streams (1 if not
 *                                  said, 100 at most) of N octets each (0 or
 *                                  not said: until the peer stops them); each
 *                                  bidirectional stream of the peer's is sent
 *                                  as many
 *
 * Octet i of a source is i modulo 251.
 */
#ifndef SERVER_APPS_MEASURE_H
#define SERVER_APPS_MEASURE_H

#include "server/apps/app.h"

#define SINK_PATH "/sink"
#define SOURCE_PATH "/source"

extern const app app_sink;
extern const app app_source;

#endif
