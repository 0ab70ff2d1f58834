/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALL_MAX (20 * NGTCP2_SECONDS)

sim_peer_stream *sim_peer_find_stream(sim_peer *peer, int64_t id) {
  size_t i;

  for (i = 0; i < peer->nstreams; ++i) {
    if (peer->streams[i].id == id) {
      return &peer->streams[i];
    }
  }
  if (peer->nstreams == SIM_PEER_STREAMS) {
    peer->overflow = 1;
    return &peer->streams[0];
  }
  peer->streams[i].id = id;
  peer->streams[i].session = SIM_NO_SESSION;
  ++peer->nstreams;
  return &peer->streams[i];
}

sim_peer_session *sim_peer_find_session(sim_peer *peer, int64_t id) {
  size_t i;

  for (i = 0; i < peer->nsessions; ++i) {
    if (peer->sessions[i].id == id) {
      return &peer->sessions[i];
    }
  }
  if (peer->nsessions == SIM_PEER_SESSIONS) {
    peer->overflow = 1;
    return &peer->sessions[0];
  }
  peer->sessions[i].id = id;
  ++peer->nsessions;
  return &peer->sessions[i];
}

void sim_peer_forget_streams(sim_peer *peer) {
  size_t i;

  for (i = 0; i < peer->nstreams; ++i) {
    free(peer->streams[i].data);
    free(peer->streams[i].fields);
  }
  memset(peer->streams, 0, sizeof(peer->streams));
  peer->nstreams = 0;
}

int sim_peer_gives_up(sim_peer *peer, uint64_t now) {
  ngtcp2_conn_info info;

  if (peer->closed) {
    return 0;
  }
  ngtcp2_conn_get_conn_info2(sim_client_conn(peer->client), &info);
  if (info.bytes_in_flight < info.cwnd ||
      info.bytes_in_flight != peer->stall_octets) {
    peer->stall_octets = info.bytes_in_flight;
    peer->stall_since = now;
    return 0;
  }
  if (now - peer->stall_since <= STALL_MAX) {
    return 0;
  }
  sim_client_close(peer->client, SIM_H3_NO_ERROR, NULL);
  return 1;
}

void sim_peer_clear(sim_peer *peer) {
  size_t i;

  sim_peer_forget_streams(peer);
  for (i = 0; i < peer->ndatagrams; ++i) {
    free(peer->datagrams[i].data);
  }
  memset(peer, 0, sizeof(*peer));
}

static void on_handshake_done(sim_client *client, void *user) {
  sim_peer *peer = user;

  (void)client;
  peer->handshake_done = 1;
}

static void on_confirmed(sim_client *client, void *user) {
  sim_peer *peer = user;

  (void)client;
  peer->confirmed = 1;
}

static void on_settings(sim_client *client, void *user) {
  sim_peer *peer = user;

  (void)client;
  peer->settings = 1;
}

static void on_answered(sim_client *client, int64_t id, int status,
                        void *user) {
  sim_peer_session *session = sim_peer_find_session(user, id);

  (void)client;
  session->answered = 1;
  session->status = status;
}

static void on_session_closed(sim_client *client, int64_t id, int by_peer,
                              uint32_t code, const char *reason, size_t len,
                              void *user) {
  sim_peer_session *session = sim_peer_find_session(user, id);

  (void)client;
  session->closed = 1;
  session->by_server = by_peer;
  session->code = code;
  if (len > 0 && len < sizeof(session->reason)) {
    memcpy(session->reason, reason, len);
  }
}

static void on_draining(sim_client *client, int64_t id, void *user) {
  (void)client;
  sim_peer_find_session(user, id)->draining = 1;
}

static void on_response(sim_client *client, int64_t id, int status,
                        void *user) {
  (void)client;
  sim_peer_find_stream(user, id)->status = status;
}

static void on_field(sim_client *client, int64_t id, const char *name,
                     size_t name_len, const char *value, size_t value_len,
                     void *user) {
  sim_peer *peer = user;
  sim_peer_stream *stream = sim_peer_find_stream(peer, id);
  size_t len = stream->fields == NULL ? 0 : strlen(stream->fields);
  char *more = realloc(stream->fields, len + name_len + value_len + 4);

  (void)client;
  if (more == NULL) {
    peer->overflow = 1;
    return;
  }
  snprintf(more + len, name_len + value_len + 4, "%.*s: %.*s\n", (int)name_len,
           name, (int)value_len, value);
  stream->fields = more;
}

int sim_peer_find_field(sim_peer *peer, int64_t id, const char *name,
                        char *dest, size_t destlen) {
  const char *line = sim_peer_find_stream(peer, id)->fields;
  size_t name_len = strlen(name), len;

  for (; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
    if (strncmp(line, name, name_len) == 0 &&
        strncmp(line + name_len, ": ", 2) == 0) {
      line += name_len + 2;
      len = strcspn(line, "\n");
      if (len >= destlen) {
        return 0;
      }
      memcpy(dest, line, len);
      dest[len] = '\0';
      return 1;
    }
  }
  return 0;
}

static void on_goaway(sim_client *client, uint64_t id, void *user) {
  sim_peer *peer = user;

  (void)client;
  ++peer->ngoaways;
  peer->goaway = id;
}

static void on_stream_opened(sim_client *client, int64_t id, int64_t session,
                             void *user) {
  sim_peer_stream *stream = sim_peer_find_stream(user, id);

  (void)client;
  stream->session = session;
  stream->by_server = 1;
}

static void on_stream_data(sim_client *client, int64_t id, const uint8_t *data,
                           size_t len, int fin, void *user) {
  sim_peer *peer = user;
  sim_peer_stream *stream = sim_peer_find_stream(peer, id);
  uint8_t *more;
  size_t cap;

  (void)client;
  if (len > stream->cap - stream->len) {
    cap = 2 * stream->cap + len;
    more = realloc(stream->data, cap);
    if (more == NULL) {
      peer->overflow = 1;
      return;
    }
    stream->data = more;
    stream->cap = cap;
  }
  if (len > 0) {
    memcpy(stream->data + stream->len, data, len);
    stream->len += len;
  }
  stream->fin |= fin;
}

static void on_stream_reset(sim_client *client, int64_t id, uint64_t code,
                            void *user) {
  sim_peer_stream *stream = sim_peer_find_stream(user, id);

  (void)client;
  stream->reset = 1;
  stream->reset_code = code;
}

static void on_stream_stopped(sim_client *client, int64_t id, uint64_t code,
                              void *user) {
  sim_peer_stream *stream = sim_peer_find_stream(user, id);

  (void)client;
  stream->stopped = 1;
  stream->stopped_code = code;
  stream->stopped_first = !stream->reset;
}

static void on_stream_closed(sim_client *client, int64_t id, void *user) {
  (void)client;
  sim_peer_find_stream(user, id)->closed = 1;
}

static void on_datagram(sim_client *client, int64_t session,
                        const uint8_t *data, size_t len, void *user) {
  sim_peer *peer = user;
  sim_peer_datagram *datagram;

  (void)client;
  if (peer->ndatagrams == SIM_PEER_DATAGRAMS) {
    peer->overflow = 1;
    return;
  }
  datagram = &peer->datagrams[peer->ndatagrams];
  datagram->data = malloc(len > 0 ? len : 1);
  if (datagram->data == NULL) {
    peer->overflow = 1;
    return;
  }
  memcpy(datagram->data, data, len);
  datagram->len = len;
  datagram->session = session;
  ++peer->ndatagrams;
}

static void on_closed(sim_client *client, const sim_closed *closed,
                      void *user) {
  sim_peer *peer = user;

  (void)client;
  peer->closed = 1;
  peer->end = *closed;
}

const sim_callbacks sim_peer_callbacks = {
    .handshake_done = on_handshake_done,
    .handshake_confirmed = on_confirmed,
    .settings = on_settings,
    .session_answered = on_answered,
    .session_closed = on_session_closed,
    .session_draining = on_draining,
    .response = on_response,
    .field = on_field,
    .goaway = on_goaway,
    .stream_opened = on_stream_opened,
    .stream_data = on_stream_data,
    .stream_reset = on_stream_reset,
    .stream_stopped = on_stream_stopped,
    .stream_closed = on_stream_closed,
    .datagram = on_datagram,
    .closed = on_closed,
};
