/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be fetched over HTTP, and what is answered.  No I/O: whoever speaks
 * HTTP (publisher_posix.h, or a test) hands a request in and gets a reply.
 *
 *   /hashes.json         the signed hash set (hashset_signed.h), a JWS
 *   /certificate.sha256  the hashes in hexadecimal, one a line, active first
 *   /share               the link; a page with it for whoever prefers HTML
 *   /healthz             where the appliance stands, as JSON
 *   /metrics             the same in numbers, in Prometheus' text format
 *   /                    names these
 *
 * The first three are public: any page may read them (CORS), they carry the
 * document's number and the beginning of its signature as ETag, may be cached
 * for as long as the document says, and are answered 503 while there is
 * nothing to connect with.  /healthz is
 * answered 200 if new clients are served safely (HEALTHY, NO_STANDBY,
 * CLOCK_SUSPECT, STORE_FAILED), 503 if not (WAITING_FOR_TIME, BOOTSTRAP,
 * EXPIRED, GUARD).
 */
#ifndef SERVER_DOCUMENTS_H
#define SERVER_DOCUMENTS_H

#include "certmgr/certmgr.h"
#include "server/quic/endpoint.h"

#include <stddef.h>
#include <stdint.h>

typedef enum documents_error { DOCUMENTS_ERR_NOMEM = -901 } documents_error;

typedef struct documents_count {
  const char *label;
  uint64_t count;
} documents_count;

/* How a command that is run for every publication or event is doing. */
typedef struct documents_hook {
  const char *name;
  int ok; /* The last run succeeded, or there was none. */
  uint64_t runs;
  uint64_t failures; /* Of all runs. */
  uint64_t dropped;  /* What was never delivered. */
  size_t pending;
  const char *last_error; /* For a person; "" if there was none. */
} documents_hook;

/* All that the answers are made from; everything is borrowed. */
typedef struct documents_source {
  const cm_manager *certificates;
  int64_t wall;    /* Seconds since 1970 UTC. */
  int64_t started; /* The same; 0: not told. */
  const char *version;
  /* NULL: not told. */
  const quic_endpoint_counters *network;
  size_t connections;
  size_t handshakes_open;
  size_t memory; /* Octets that connections have, TLS apart. */
  size_t sessions;
  uint64_t sessions_total;
  /* Handshakes by what became of them. */
  const documents_count *handshakes;
  size_t nhandshakes;
  const documents_hook *hooks;
  size_t nhooks;
} documents_source;

/* Each may be NULL but |method| and |path|; any octets are allowed. */
typedef struct documents_request {
  const char *method;
  /* Without the query. */
  const char *path;
  const char *if_none_match;
  const char *accept;
} documents_request;

#define DOCUMENTS_HEADERS_MAX 10

typedef struct documents_header {
  const char *name; /* Static, in lower case. */
  char value[128];
} documents_header;

typedef struct documents_reply {
  int status;
  documents_header headers[DOCUMENTS_HEADERS_MAX];
  size_t nheaders;
  /* To be freed with free(); NULL if |len| is 0.  A reply to HEAD has it too:
     its length goes into content-length, the octets do not go out. */
  char *body;
  size_t len;
} documents_reply;

/* Answers |request|.  Returns 0, or DOCUMENTS_ERR_NOMEM; then |*reply| is
   empty. */
int documents_get(documents_reply *reply, const documents_source *source,
                  const documents_request *request);

/* Frees the body, if there is one. */
void documents_reply_free(documents_reply *reply);

/* The value of a header, or NULL. */
const char *documents_reply_header(const documents_reply *reply,
                                   const char *name);

#endif
