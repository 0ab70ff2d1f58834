/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records in which sessions cross between the appliance and JavaScript
 * (ui/server/records.js has the other half).
 *
 * A batch is records one behind the other.  Each begins with 16 octets, all
 * numbers little-endian:
 *
 *   0  u32  octets of the record, these 16 included
 *   4  u8   type
 *   5  u8   flags
 *   6  u16  0
 *   8  u32  handle: of the session or stream that it is about
 *  12  u32  value: by type
 *  16       octets: by type
 *
 * A handle stands for one session or stream from the record that introduces it
 * until JavaScript gives it back (SCRIPT_RELEASE), so that neither side ever
 * takes a new one for an old one.
 */
#ifndef SERVER_APPS_SCRIPT_RECORD_H
#define SERVER_APPS_SCRIPT_RECORD_H

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_HEAD 16

/* What the appliance tells. */
typedef enum script_told {
  /* A client asks for session |handle|, which waits for SCRIPT_ACCEPT or
     SCRIPT_REJECT.  |value|: its number in the events and commands.  Octets:
     path, authority, origin, peer, available protocols, and names and values
     of the header fields, each with a NUL behind it. */
  SCRIPT_REQUEST = 1,
  /* It is accepted.  |value|: the longest datagram.  Octets: the protocol. */
  SCRIPT_OPENED = 2,
  /* It is over, its streams too.  |flags|: wt_closed_by.  |value|: the code.
     Octets: the reason.  SCRIPT_RELEASE gives back its handle and those of its
     streams. */
  SCRIPT_CLOSED = 3,
  /* The client asks to end it. */
  SCRIPT_DRAINING = 4,
  /* Stream |handle| is there, of session |value|. */
  SCRIPT_STREAM = 5,
  /* Octets of a stream; with SCRIPT_FIN: no more. */
  SCRIPT_DATA = 6,
  /* RESET_STREAM, STOP_SENDING.  |value|: the code. */
  SCRIPT_WAS_RESET = 7,
  SCRIPT_WAS_STOPPED = 8,
  /* |value| octets of SCRIPT_WRITE have left. */
  SCRIPT_SENT = 9,
  /* Both directions are done; SCRIPT_RELEASE gives the handle back. */
  SCRIPT_STREAM_CLOSED = 10,
  /* A datagram of session |handle|. */
  SCRIPT_DATAGRAM_CAME = 11,
  /* |value| datagrams of SCRIPT_DATAGRAM have left, or were dropped. */
  SCRIPT_DATAGRAMS_SENT = 12
} script_told;

/* What JavaScript asks. */
typedef enum script_asked {
  /* Octets: the protocol, if any. */
  SCRIPT_ACCEPT = 1,
  /* |value|: the status. */
  SCRIPT_REJECT = 2,
  /* |value|: the code.  Octets: the reason. */
  SCRIPT_CLOSE = 3,
  SCRIPT_DATAGRAM = 4,
  /* A stream of ours for session |handle|: SCRIPT_STREAM answers, in order for
     each of the two kinds, once the client allows it. */
  SCRIPT_OPEN = 5,
  /* Octets for a stream; with SCRIPT_FIN: no more. */
  SCRIPT_WRITE = 6,
  /* |value|: the code. */
  SCRIPT_RESET = 7,
  SCRIPT_STOP = 8,
  /* |value| octets of SCRIPT_DATA are dealt with: flow control. */
  SCRIPT_CONSUME = 9,
  SCRIPT_RELEASE = 10,
  /* Asks the client to end session |handle|. */
  SCRIPT_DRAIN = 11
} script_asked;

/* Flags. */
#define SCRIPT_FIN 1   /* SCRIPT_DATA, SCRIPT_WRITE */
#define SCRIPT_BIDI 1  /* SCRIPT_STREAM, SCRIPT_OPEN */
#define SCRIPT_LOCAL 2 /* SCRIPT_STREAM: we opened it */

typedef struct script_record {
  uint8_t type, flags;
  uint32_t handle, value;
  const uint8_t *data;
  size_t len;
} script_record;

/* A batch in the making. */
typedef struct script_batch {
  uint8_t *data;
  size_t len, size;
  size_t last; /* where the last record begins; |len| if there is none */
  const ngtcp2_mem *mem;
} script_batch;

void script_batch_init(script_batch *batch, const ngtcp2_mem *mem);
void script_batch_free(script_batch *batch);
/* Empties it; what is large is given back. */
void script_batch_clear(script_batch *batch);

/* Appends |record|; its octets are copied.  0, or -1 for want of memory:
   nothing was appended. */
int script_batch_add(script_batch *batch, const script_record *record);

/* Appends |len| octets to the last record if that is of |type|, of |handle| and
   has no flags, else as a new record.  As script_batch_add(). */
int script_batch_extend(script_batch *batch, uint8_t type, uint32_t handle,
                        const uint8_t *data, size_t len, uint8_t flags);

/* Reads the record at |*pdata|, which has |*plen| octets, and moves both on.
   1, 0 at the end, -1 if it is none. */
int script_record_next(script_record *record, const uint8_t **pdata,
                       size_t *plen);

#endif
