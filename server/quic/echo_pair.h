/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes in on one stream goes out on another, or on the same.
 *
 * Flow control is credited as octets leave, not as they come: a peer that
 * sends and does not read stops at its window, and that bounds what is held.
 */
#ifndef SERVER_QUIC_ECHO_PAIR_H
#define SERVER_QUIC_ECHO_PAIR_H

#include "server/quic/conn.h"

typedef struct echo_pair echo_pair;

struct echo_pair {
  quic_conn *conn;
  quic_stream *in;  /* NULL: gone */
  quic_stream *out; /* NULL: gone, or not open yet */
  /* Received and not credited. */
  size_t owed;
  /* What came while |out| could not be opened yet. */
  send_queue held;
  int held_fin;
  int waiting;
  /* The peer may open no other stream in the place of |in| yet: else one that
     lets us open none could make any number of pairs that wait. */
  int credit_held;
  /* |in| was reset while |out| was not open. */
  int aborted;
  uint64_t abort_code;
  /* The list of those that wait; kept by the owner. */
  echo_pair *next;
};

/* |out| NULL: it is still to be opened, see echo_pair_opened().  The caller
   frees it with echo_pair_free().  NULL for want of memory. */
echo_pair *echo_pair_new(quic_conn *conn, quic_stream *in, quic_stream *out);
void echo_pair_free(echo_pair *pair);

/* |out| is open: what was held goes out.  QUIC_ERR_NOMEM, QUIC_ERR_STATE. */
int echo_pair_opened(echo_pair *pair, quic_stream *out);

/* QUIC_ERR_NOMEM. */
int echo_pair_data(echo_pair *pair, const uint8_t *data, size_t len, int fin);
/* |n| octets of |out| have left. */
void echo_pair_sent(echo_pair *pair, size_t n);
/* The peer abandoned |in|: |out| is abandoned with the same code. */
void echo_pair_reset(echo_pair *pair, uint64_t error_code);
/* The peer does not want |out|: |in| is not wanted either. */
void echo_pair_stopped(echo_pair *pair, uint64_t error_code);
/* |stream| is closed.  Returns 1 if no stream is left: free the pair. */
int echo_pair_closed(echo_pair *pair, const quic_stream *stream);

#endif
