/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server for documents.h, in the host's own loop: no threads, and
 * nothing here blocks.
 *
 *   publisher_open(&p, &config);
 *   for (;;) {
 *     ppoll() for POLLIN on publisher_fd(p), until publisher_deadline(p);
 *     publisher_serve(p, now);
 *   }
 *
 * It is meant for this machine: unless the person says otherwise only a
 * loopback address is bound, and there only requests are answered whose Host is
 * a loopback name or address, so that no page on the web can read it under a
 * name of its own that leads to 127.0.0.1 (DNS rebinding).  Each connection
 * carries one request, and is cut off PUBLISHER_PATIENCE after it was accepted,
 * so whoever is slow takes one place of PUBLISHER_CLIENTS_MAX for a while and
 * nothing else.
 */
#ifndef SERVER_PUBLISHER_POSIX_H
#define SERVER_PUBLISHER_POSIX_H

#include "server/documents.h"

#include <stddef.h>
#include <stdint.h>

/* Clients served at once; more wait in the kernel's queue. */
#define PUBLISHER_CLIENTS_MAX 32

/* For how long a client may take for its request and the reply to it, in
   nanoseconds. */
#define PUBLISHER_PATIENCE UINT64_C(10000000000)

/* Room for an address, with its NUL. */
#define PUBLISHER_ADDRESS_MAX 64

typedef enum publisher_error {
  PUBLISHER_ERR_NOMEM = -1001,
  /* Not an IP address, or one that cannot be had; errno tells more. */
  PUBLISHER_ERR_ADDRESS = -1002,
  /* Others could reach it, and the person has not asked for that. */
  PUBLISHER_ERR_NOT_LOOPBACK = -1003,
  PUBLISHER_ERR_IN_USE = -1004,
  PUBLISHER_ERR_PERMISSION = -1005
} publisher_error;

typedef struct publisher publisher;

/* Answers |request|, as documents_get() does, which is what it is to call.  0,
   or anything else: the client is told that the server failed. */
typedef int (*publisher_get)(void *user, documents_reply *reply,
                             const documents_request *request);

typedef struct publisher_config {
  /* An IPv4 or IPv6 address, without brackets.  NULL: 127.0.0.1. */
  const char *address;
  uint16_t port; /* 0: any free one. */
  /* The person has named |address|: it may be any, and if it is no loopback
     address every Host is answered. */
  int anywhere;
  publisher_get get;
  void *user;
} publisher_config;

/* Listens.  0, or PUBLISHER_ERR_*; then |*ppublisher| is NULL. */
int publisher_open(publisher **ppublisher, const publisher_config *config);

/* Cuts everybody off; NULL is allowed. */
void publisher_close(publisher *publisher);

/* The port that is bound. */
uint16_t publisher_port(const publisher *publisher);

/* To be polled for POLLIN. */
int publisher_fd(const publisher *publisher);

/* When publisher_serve() is to be called if nothing comes until then, in
   nanoseconds of the clock that it is given; UINT64_MAX if never. */
uint64_t publisher_deadline(const publisher *publisher);

/* Serves whoever is ready at |now| (nanoseconds of a clock that never runs
   backwards), and cuts off who took too long.  To be called when publisher_fd()
   is readable or the deadline is over; it may be called at any time. */
void publisher_serve(publisher *publisher, uint64_t now);

/* Reads "127.0.0.1:8080" or "[::1]:8080".  0, or PUBLISHER_ERR_ADDRESS. */
int publisher_parse(char address[PUBLISHER_ADDRESS_MAX], uint16_t *port,
                    const char *text);

/* Whether the field value |host| (RFC 9110 section 7.2) names this machine by
   itself: localhost, a name below it, 127.0.0.0/8 or ::1, with a port or
   without. */
int publisher_is_loopback(const char *host);

/* The text for PUBLISHER_ERR_*: English, static, without a full stop. */
const char *publisher_strerror(int error);

#endif
