/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/client_internal.h"

#define SIM_MAX_REQUEST_FIELDS 600

size_t sim_varint_write(uint8_t *dest, uint64_t value) {
  size_t len = value < 64 ? 1 : value < 16384 ? 2 : value < 1073741824 ? 4 : 8;
  uint8_t log = len == 1 ? 0 : len == 2 ? 1 : len == 4 ? 2 : 3;
  size_t i;

  for (i = 0; i < len; ++i) {
    dest[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
  }
  dest[0] = (uint8_t)(dest[0] | (log << 6));
  return len;
}

uint64_t sim_wt_error(uint32_t code) {
  return 0x52e4a40fa8dbu + code + code / 0x1e;
}

int sim_wt_code(uint64_t error_code, uint32_t *code) {
  uint64_t shifted;

  if (error_code < 0x52e4a40fa8dbu || error_code > 0x52e5ac983162u ||
      (error_code - 0x21) % 0x1f == 0) {
    return 0;
  }
  shifted = error_code - 0x52e4a40fa8dbu;
  *code = (uint32_t)(shifted - shifted / 0x1f);
  return 1;
}

/* Opens one of our own uni streams with |data| as its first octets. */
static sim_stream *open_outgoing(sim_client *client, const uint8_t *data,
                                 size_t len) {
  sim_stream *stream;
  int64_t id;

  if (ngtcp2_conn_open_uni_stream(client->conn, &id, NULL) != 0) {
    sim_client_fail(client, 1, SIM_H3_GENERAL_PROTOCOL_ERROR,
                    "no stream for HTTP/3");
    return NULL;
  }
  stream = sim_stream_add(client, id, SIM_STREAM_OUTGOING);
  if (stream == NULL || sim_stream_append(client, stream, data, len, 0) != 0) {
    return NULL;
  }
  return stream;
}

/* What Chromium sends, a reserved identifier (RFC 9114 section 7.2.4.1)
   included. */
static size_t control_stream(sim_client *client, uint8_t *dest) {
  const uint64_t settings[][2] = {
      {0x01, 65536},
      {0x06, SIM_MAX_FIELD_SECTION},
      {0x07, 100},
      {0x33, 1},
      {0xffd277, 1},
      {0x2b603742, 1},
      {0x1f * sim_random_below(client->config.random, 1u << 24) + 0x21,
       sim_random_below(client->config.random, 1u << 30)}};
  uint8_t payload[128] = {0};
  size_t len = 0, n, i;

  for (i = 0; i < sizeof(settings) / sizeof(settings[0]); ++i) {
    len += sim_varint_write(payload + len, settings[i][0]);
    len += sim_varint_write(payload + len, settings[i][1]);
  }
  n = sim_varint_write(dest, 0x00);
  n += sim_varint_write(dest + n, 0x04);
  n += sim_varint_write(dest + n, len);
  memcpy(dest + n, payload, len);
  return n + len;
}

int sim_h3_start(sim_client *client) {
  static const uint8_t encoder_type = 0x02, decoder_type = 0x03;
  uint8_t control[160];
  size_t len;

  client->goaway = UINT64_MAX;
  if (nghttp3_qpack_encoder_new2(&client->encoder, 0, 0, &client->h3mem) != 0 ||
      nghttp3_qpack_decoder_new(&client->decoder, 65536, 100, &client->h3mem) !=
          0) {
    return -1;
  }
  len = control_stream(client, control);
  if (open_outgoing(client, control, len) == NULL ||
      open_outgoing(client, &encoder_type, 1) == NULL) {
    return -1;
  }
  client->decoder_stream = open_outgoing(client, &decoder_type, 1);
  return client->decoder_stream == NULL ? -1 : 0;
}

/* Writes HEADERS (RFC 9114 section 7.2.2) to |stream|. */
static int write_headers(sim_client *client, sim_stream *stream,
                         const nghttp3_nv *nva, size_t nvlen, int fin) {
  nghttp3_buf prefix, section, instructions;
  uint8_t head[16];
  size_t n;
  int rv = SIM_ERR_NOMEM;

  nghttp3_buf_init(&prefix);
  nghttp3_buf_init(&section);
  nghttp3_buf_init(&instructions);
  if (nghttp3_qpack_encoder_encode(client->encoder, &prefix, &section,
                                   &instructions, stream->id, nva,
                                   nvlen) != 0) {
    goto done;
  }
  /* Without a dynamic table the encoder stream has nothing to say. */
  n = sim_varint_write(head, 0x01);
  n += sim_varint_write(head + n,
                        nghttp3_buf_len(&prefix) + nghttp3_buf_len(&section));
  rv = sim_stream_append(client, stream, head, n, 0);
  if (rv == 0) {
    rv = sim_stream_append(client, stream, prefix.pos, nghttp3_buf_len(&prefix),
                           0);
  }
  if (rv == 0) {
    rv = sim_stream_append(client, stream, section.pos,
                           nghttp3_buf_len(&section), fin);
  }
done:
  nghttp3_buf_free(&prefix, &client->h3mem);
  nghttp3_buf_free(&section, &client->h3mem);
  nghttp3_buf_free(&instructions, &client->h3mem);
  return rv;
}

static void field(nghttp3_nv *nva, size_t *n, const char *name,
                  const char *value) {
  nghttp3_nv *nv = &nva[(*n)++];

  nv->name = (const uint8_t *)name;
  nv->namelen = strlen(name);
  nv->value = (const uint8_t *)value;
  nv->valuelen = strlen(value);
  nv->flags = NGHTTP3_NV_FLAG_NONE;
}

static int open_request(sim_client *client, sim_stream_kind kind,
                        sim_stream **pstream) {
  int64_t id;
  int rv;

  if (client->is_closed || client->encoder == NULL) {
    return SIM_ERR_CLOSED;
  }
  rv = ngtcp2_conn_open_bidi_stream(client->conn, &id, NULL);
  if (rv == NGTCP2_ERR_STREAM_ID_BLOCKED) {
    return SIM_ERR_BLOCKED;
  }
  if (rv != 0) {
    return SIM_ERR_NOMEM;
  }
  *pstream = sim_stream_add(client, id, kind);
  return *pstream == NULL ? SIM_ERR_NOMEM : 0;
}

/* A DATA frame of |len| octets of capsules. */
static int write_data(sim_client *client, sim_stream *stream,
                      const uint8_t *data, size_t len, int fin) {
  uint8_t head[16];
  size_t n;
  int rv;

  n = sim_varint_write(head, 0x00);
  n += sim_varint_write(head + n, len);
  rv = sim_stream_append(client, stream, head, n, 0);
  return rv != 0 ? rv : sim_stream_append(client, stream, data, len, fin);
}

static int write_connect(sim_client *client, sim_stream *stream,
                         const sim_request *request) {
  uint8_t capsule[24];
  nghttp3_nv nva[8];
  size_t n = 0;
  int rv;

  field(nva, &n, ":scheme", "https");
  field(nva, &n, ":method", "CONNECT");
  field(nva, &n, ":authority", request->authority);
  field(nva, &n, ":path", request->path);
  field(nva, &n, ":protocol",
        request->protocol == NULL ? "webtransport" : request->protocol);
  field(nva, &n, "sec-webtransport-http3-draft02", "1");
  if (request->available_protocols != NULL) {
    field(nva, &n, "wt-available-protocols", request->available_protocols);
  }
  if (request->origin != NULL) {
    field(nva, &n, "origin", request->origin);
  }
  rv = write_headers(client, stream, nva, n, 0);
  if (rv != 0) {
    return rv;
  }
  /* A reserved capsule (RFC 9297 section 5.4) at once, as Chromium does. */
  n = sim_varint_write(
      capsule, 0x29 * sim_random_below(client->config.random, 1u << 20) + 0x17);
  n += sim_varint_write(capsule + n, 4);
  sim_random_fill(client->config.random, capsule + n, 4);
  return write_data(client, stream, capsule, n + 4, 0);
}

int sim_client_session_reserve(sim_client *client, int64_t *psession) {
  sim_stream *stream;
  int rv = open_request(client, SIM_STREAM_SESSION, &stream);

  if (rv == 0) {
    *psession = stream->id;
  }
  return rv;
}

int sim_client_session_request(sim_client *client, int64_t session,
                               const sim_request *request) {
  sim_stream *stream;

  if (client->is_closed) {
    return SIM_ERR_CLOSED;
  }
  stream = sim_stream_find(client, session);
  if (stream == NULL || stream->kind != SIM_STREAM_SESSION) {
    return SIM_ERR_INVALID;
  }
  return write_connect(client, stream, request);
}

int sim_client_session_open(sim_client *client, const sim_request *request,
                            int64_t *psession) {
  sim_stream *stream;
  int rv = open_request(client, SIM_STREAM_SESSION, &stream);

  if (rv != 0) {
    return rv;
  }
  *psession = stream->id;
  stream->held = !client->settings_received;
  return write_connect(client, stream, request);
}

void sim_h3_settings_received(sim_client *client) {
  uint64_t connect = 0, webtransport = 0, datagram = 0;
  sim_stream *stream, *next;
  int able;

  client->settings_received = 1;
  SIM_TELL(client, settings, client->config.user);
  sim_client_setting(client, 0x08, &connect);
  sim_client_setting(client, 0x2b603742, &webtransport);
  if (!sim_client_setting(client, 0x33, &datagram)) {
    sim_client_setting(client, 0xffd277, &datagram);
  }
  /* Chromium asks for the last two, the draft for all. */
  able = connect == 1 && webtransport == 1 && datagram == 1;
  for (stream = client->streams; stream != NULL; stream = next) {
    next = stream->next;
    if (!stream->held) {
      continue;
    }
    stream->held = 0;
    if (able) {
      sim_stream_queue(client, stream);
      continue;
    }
    stream->session_over = 1;
    SIM_TELL(client, session_answered, stream->id, 0, client->config.user);
    sim_client_stream_reset(client, stream->id, 0x10c);
    sim_client_stream_stop(client, stream->id, 0x10c);
  }
}

int sim_client_session_close(sim_client *client, int64_t session, uint32_t code,
                             const char *reason) {
  uint8_t capsule[16 + SIM_MAX_REASON];
  size_t len = reason == NULL ? 0 : strlen(reason);
  sim_stream *stream;
  size_t n, i;
  int rv;

  if (client->is_closed) {
    return SIM_ERR_CLOSED;
  }
  stream = sim_stream_find(client, session);
  if (stream == NULL || stream->kind != SIM_STREAM_SESSION || stream->fin ||
      len > SIM_MAX_REASON) {
    return SIM_ERR_INVALID;
  }
  n = sim_varint_write(capsule, 0x2843);
  n += sim_varint_write(capsule + n, 4 + len);
  for (i = 0; i < 4; ++i) {
    capsule[n++] = (uint8_t)(code >> (24 - 8 * i));
  }
  if (len > 0) {
    memcpy(capsule + n, reason, len);
  }
  rv = write_data(client, stream, capsule, n + len, 1);
  if (rv == 0) {
    sim_h3_session_over(client, stream, 0, code, reason, len);
  }
  return rv;
}

int sim_client_request(sim_client *client, const sim_field *fields,
                       size_t nfields, int fin, int64_t *pstream) {
  nghttp3_nv nva[SIM_MAX_REQUEST_FIELDS];
  sim_stream *stream;
  size_t n = 0, i;
  int rv;

  if (nfields > SIM_MAX_REQUEST_FIELDS) {
    return SIM_ERR_INVALID;
  }
  rv = open_request(client, SIM_STREAM_GET, &stream);
  if (rv != 0) {
    return rv;
  }
  *pstream = stream->id;
  for (i = 0; i < nfields; ++i) {
    field(nva, &n, fields[i].name, fields[i].value);
  }
  return n == 0 ? 0 : write_headers(client, stream, nva, n, fin);
}

int sim_client_get(sim_client *client, const sim_request *request,
                   int64_t *pstream) {
  sim_stream *stream;
  nghttp3_nv nva[8];
  size_t n = 0;
  int rv = open_request(client, SIM_STREAM_GET, &stream);

  if (rv != 0) {
    return rv;
  }
  *pstream = stream->id;
  field(nva, &n, ":method", "GET");
  field(nva, &n, ":scheme", "https");
  field(nva, &n, ":authority", request->authority);
  field(nva, &n, ":path", request->path);
  if (request->origin != NULL) {
    field(nva, &n, "origin", request->origin);
  }
  return write_headers(client, stream, nva, n, 1);
}
