/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/measure.h"

#include "server/apps/query.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX 100
/* Octets of one stream that wait to leave, and of one write. */
#define BACKLOG (256 * 1024)
#define BLOCK (251 * 128)

static const ngtcp2_mem *mem_of(wt_session *session) {
  return quic_conn_mem(wt_session_conn(session));
}

static uint64_t number(const char *path, const char *name, uint64_t otherwise) {
  char text[24], *end;
  uint64_t n;

  if (query_get(text, sizeof(text), path, name) != 0 || text[0] < '0' ||
      text[0] > '9') {
    return otherwise;
  }
  n = strtoull(text, &end, 10);
  return *end == '\0' ? n : otherwise;
}

static void free_user(wt_stream *stream) {
  const ngtcp2_mem *mem = mem_of(wt_stream_session(stream));

  mem->free(wt_stream_user(stream), mem->user_data);
  wt_stream_set_user(stream, NULL);
}

static void on_stream_closed(void *user, wt_stream *stream) {
  (void)user;
  free_user(stream);
}

/* ---- /sink ---- */

/* wt_stream_user(): the octets so far. */
static int sink_data(void *user, wt_stream *stream, const uint8_t *data,
                     size_t len, int fin) {
  const ngtcp2_mem *mem = mem_of(wt_stream_session(stream));
  uint64_t *count = wt_stream_user(stream);
  char text[24];
  int rv;
  (void)user;
  (void)data;

  if (!count) {
    count = mem->calloc(1, sizeof(*count), mem->user_data);
    if (!count) {
      return QUIC_ERR_NOMEM;
    }
    wt_stream_set_user(stream, count);
  }
  *count += len;
  wt_stream_consume(stream, len);
  if (!fin || !wt_stream_is_bidi(stream)) {
    return 0;
  }
  snprintf(text, sizeof(text), "%" PRIu64, *count);
  rv = wt_stream_write(stream, (const uint8_t *)text, strlen(text), 1);
  return rv == QUIC_ERR_NOMEM ? rv : 0;
}

const app app_sink = {
    .path = SINK_PATH,
    .on_stream_data = sink_data,
    .on_stream_closed = on_stream_closed,
};

/* ---- /source ---- */

/* wt_session_user(). */
typedef struct source {
  uint64_t bytes; /* of each stream; UINT64_MAX: no end */
  uint64_t left;  /* streams to be opened */
} source;

/* wt_stream_user(). */
typedef struct source_stream {
  uint64_t left;
  size_t at; /* in the block */
} source_stream;

static const uint8_t *block(void) {
  static uint8_t octets[BLOCK];
  size_t i;

  if (octets[1] == 0) {
    for (i = 0; i < BLOCK; ++i) {
      octets[i] = (uint8_t)(i % 251);
    }
  }
  return octets;
}

/* Writes until enough waits to leave. */
static int pour(wt_stream *stream) {
  source_stream *s = wt_stream_user(stream);

  while (s->left > 0 && quic_stream_pending(wt_stream_quic(stream)) < BACKLOG) {
    size_t n = BLOCK - s->at;
    int rv;

    if (n > s->left) {
      n = (size_t)s->left;
    }
    rv = wt_stream_write(stream, block() + s->at, n, n == s->left);
    if (rv == QUIC_ERR_STATE) {
      /* The peer wants no more of it. */
      s->left = 0;
      return 0;
    }
    if (rv != 0) {
      return rv;
    }
    s->left -= s->left == UINT64_MAX ? 0 : n;
    s->at = (s->at + n) % BLOCK;
  }
  return 0;
}

static int start(wt_stream *stream, const source *s) {
  const ngtcp2_mem *mem = mem_of(wt_stream_session(stream));
  source_stream *out = mem->calloc(1, sizeof(*out), mem->user_data);

  if (!out) {
    return QUIC_ERR_NOMEM;
  }
  out->left = s->bytes;
  wt_stream_set_user(stream, out);
  return pour(stream);
}

static int open_streams(wt_session *session) {
  source *s = wt_session_user(session);
  wt_stream *stream;

  while (s->left > 0) {
    int rv = wt_session_open_stream(session, &stream, 0);

    if (rv == 0) {
      rv = start(stream, s);
    }
    if (rv != 0) {
      return rv == QUIC_ERR_NOMEM ? rv : 0;
    }
    --s->left;
  }
  return 0;
}

static int source_session(void *user, wt_session *session) {
  const ngtcp2_mem *mem = mem_of(session);
  const char *path = wt_session_path(session);
  source *s = mem->calloc(1, sizeof(*s), mem->user_data);
  (void)user;

  if (!s) {
    return QUIC_ERR_NOMEM;
  }
  s->bytes = number(path, "bytes", 0);
  if (s->bytes == 0) {
    s->bytes = UINT64_MAX;
  }
  s->left = number(path, "streams", 1);
  if (s->left > STREAMS_MAX) {
    s->left = STREAMS_MAX;
  }
  wt_session_set_user(session, s);
  return open_streams(session);
}

static void source_session_closed(void *user, wt_session *session) {
  const ngtcp2_mem *mem = mem_of(session);
  (void)user;

  mem->free(wt_session_user(session), mem->user_data);
  wt_session_set_user(session, NULL);
}

static int source_data(void *user, wt_stream *stream, const uint8_t *data,
                       size_t len, int fin) {
  (void)user;
  (void)data;
  (void)fin;
  wt_stream_consume(stream, len);
  if (!wt_stream_is_bidi(stream) || wt_stream_user(stream)) {
    return 0;
  }
  return start(stream, wt_session_user(wt_stream_session(stream)));
}

static void source_sent(void *user, wt_stream *stream, size_t n) {
  (void)user;
  (void)n;
  if (wt_stream_user(stream)) {
    /* For want of memory now, it goes on when more has left. */
    (void)pour(stream);
  }
}

static int source_streams_available(void *user, wt_session *session, int bidi) {
  (void)user;
  return bidi ? 0 : open_streams(session);
}

const app app_source = {
    .path = SOURCE_PATH,
    .on_session = source_session,
    .on_session_closed = source_session_closed,
    .on_stream_data = source_data,
    .on_stream_sent = source_sent,
    .on_stream_closed = on_stream_closed,
    .on_streams_available = source_streams_available,
};
