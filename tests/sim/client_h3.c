/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/client_internal.h"

/* Field sections and SETTINGS are kept whole; all else is taken in passing. */

/* Reads from |data|; returns the octets taken.  |*done| is 1 when |v->value|
   is whole; |v| is then ready for the next. */
static size_t varint_read(sim_varint *v, const uint8_t *data, size_t len,
                          int *done) {
  size_t taken = 0;

  *done = 0;
  while (taken < len) {
    uint8_t octet = data[taken++];

    if (!v->started) {
      v->started = 1;
      v->left = (uint8_t)((1u << (octet >> 6)) - 1);
      v->value = octet & 0x3f;
    } else {
      v->value = (v->value << 8) | octet;
      --v->left;
    }
    if (v->left == 0) {
      v->started = 0;
      *done = 1;
      break;
    }
  }
  return taken;
}

void sim_h3_stream_free(sim_client *client, sim_stream *stream) {
  sim_dealloc(client, stream->buf);
  sim_dealloc(client, stream->held_data);
  nghttp3_qpack_stream_context_del(stream->qpack);
}

void sim_h3_session_over(sim_client *client, sim_stream *session, int by_peer,
                         uint32_t code, const char *reason, size_t len) {
  sim_stream *stream;

  if (session->session_over) {
    return;
  }
  session->session_over = 1;
  SIM_TELL(client, session_closed, session->id, by_peer, code, reason, len,
           client->config.user);
  if (client->is_closed) {
    return;
  }
  if (by_peer && !session->fin) {
    sim_stream_append(client, session, NULL, 0, 1);
  }
  for (stream = client->streams; stream != NULL; stream = stream->next) {
    if (stream->kind == SIM_STREAM_WT && stream->session == session->id) {
      ngtcp2_conn_shutdown_stream(client->conn, 0, stream->id,
                                  SIM_WT_SESSION_GONE);
    }
  }
}

/* Adds to what is kept of a frame or capsule. */
static int keep(sim_client *client, sim_stream *stream, const uint8_t *data,
                size_t len) {
  size_t cap = stream->buf_cap == 0 ? 256 : stream->buf_cap;
  uint8_t *buf;

  while (cap < stream->buf_len + len) {
    cap *= 2;
  }
  if (cap != stream->buf_cap) {
    buf = client->mem.realloc(stream->buf, cap, client->mem.user_data);
    if (buf == NULL) {
      return -1;
    }
    stream->buf = buf;
    stream->buf_cap = cap;
  }
  if (len > 0) {
    memcpy(stream->buf + stream->buf_len, data, len);
  }
  stream->buf_len += len;
  return 0;
}

/* SETTINGS (RFC 9114 section 7.2.4) */
static int read_settings(sim_client *client, const uint8_t *data, size_t len) {
  uint64_t id, seen;
  sim_varint v = {0};
  int done;
  size_t n;

  while (len > 0) {
    n = varint_read(&v, data, len, &done);
    data += n;
    len -= n;
    id = v.value;
    if (!done || len == 0) {
      return sim_h3_fail(client, SIM_H3_FRAME_ERROR, "SETTINGS cut short");
    }
    n = varint_read(&v, data, len, &done);
    data += n;
    len -= n;
    if (!done) {
      return sim_h3_fail(client, SIM_H3_FRAME_ERROR, "SETTINGS cut short");
    }
    if (id == 0 || (id >= 2 && id <= 5)) {
      return sim_h3_fail(client, SIM_H3_SETTINGS_ERROR, "a setting of HTTP/2");
    }
    if (sim_client_setting(client, id, &seen)) {
      return sim_h3_fail(client, SIM_H3_SETTINGS_ERROR, "a setting twice");
    }
    if ((id == 0x08 || id == 0x33 || id == 0x2b603742) && v.value > 1) {
      return sim_h3_fail(client, SIM_H3_SETTINGS_ERROR, "neither 0 nor 1");
    }
    if (client->nsettings == SIM_MAX_SETTINGS) {
      return sim_h3_fail(client, SIM_H3_EXCESSIVE_LOAD, "too many settings");
    }
    client->settings[client->nsettings].id = id;
    client->settings[client->nsettings].value = v.value;
    ++client->nsettings;
  }
  sim_h3_settings_received(client);
  return 0;
}

static int read_goaway(sim_client *client, const uint8_t *data, size_t len) {
  sim_varint v = {0};
  int done;

  if (varint_read(&v, data, len, &done) != len || !done) {
    return sim_h3_fail(client, SIM_H3_FRAME_ERROR, "GOAWAY");
  }
  if (v.value % 4 != 0 || v.value > client->goaway) {
    return sim_h3_fail(client, SIM_H3_ID_ERROR, "GOAWAY");
  }
  client->goaway = v.value;
  SIM_TELL(client, goaway, v.value, client->config.user);
  return client->is_closed ? -1 : 0;
}

/* A whole capsule (RFC 9297 section 3.2) that is kept: CLOSE, draft-02
   section 5. */
static int read_close(sim_client *client, sim_stream *stream) {
  const uint8_t *p = stream->buf;
  uint32_t code;

  if (stream->buf_len < 4) {
    return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR, "CLOSE cut short");
  }
  stream->close_received = 1;
  code = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
         (uint32_t)p[3];
  sim_h3_session_over(client, stream, 1, code, (const char *)p + 4,
                      stream->buf_len - 4);
  stream->buf_len = 0;
  return 0;
}

static int read_capsules(sim_client *client, sim_stream *stream,
                         const uint8_t *data, size_t len) {
  size_t n;
  int done;

  while (len > 0 && !client->is_closed) {
    if (stream->close_received) {
      return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR, "data after CLOSE");
    }
    if (stream->session_over) {
      /* We closed: what was on its way is of no interest. */
      return 0;
    }
    if (stream->capsule_parse != SIM_PARSE_PAYLOAD) {
      n = varint_read(&stream->capsule_varint, data, len, &done);
      data += n;
      len -= n;
      if (!done) {
        continue;
      }
      if (stream->capsule_parse == SIM_PARSE_TYPE) {
        stream->capsule_type = stream->capsule_varint.value;
        stream->capsule_parse = SIM_PARSE_LENGTH;
        continue;
      }
      stream->capsule_left = stream->capsule_varint.value;
      stream->capsule_parse = SIM_PARSE_PAYLOAD;
      stream->buf_len = 0;
      if (stream->capsule_type == 0x2843 &&
          stream->capsule_left > 4 + SIM_MAX_REASON) {
        return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR, "CLOSE too long");
      }
    }
    n = len < stream->capsule_left ? len : (size_t)stream->capsule_left;
    if (stream->capsule_type == 0x2843 && keep(client, stream, data, n) != 0) {
      return -1;
    }
    data += n;
    len -= n;
    stream->capsule_left -= n;
    if (stream->capsule_left > 0) {
      continue;
    }
    stream->capsule_parse = SIM_PARSE_TYPE;
    if (stream->capsule_type == 0x2843) {
      if (read_close(client, stream) != 0) {
        return -1;
      }
    } else if (stream->capsule_type == 0x78ae) {
      SIM_TELL(client, session_draining, stream->id, client->config.user);
    }
  }
  return client->is_closed ? -1 : 0;
}

/* Whether a frame may stand where it does (RFC 9114 section 7). */
static int check_frame(sim_client *client, sim_stream *stream) {
  uint64_t type = stream->frame_type;
  int control = stream->kind == SIM_STREAM_CONTROL;

  if (control && !stream->settings_received && type != 0x04) {
    return sim_h3_fail(client, SIM_H3_MISSING_SETTINGS,
                       "SETTINGS must be first");
  }
  switch (type) {
  case 0x00:
    return control || stream->status < 200
               ? sim_h3_fail(client, SIM_H3_FRAME_UNEXPECTED, "DATA")
               : 0;
  case 0x01:
    return control ? sim_h3_fail(client, SIM_H3_FRAME_UNEXPECTED, "HEADERS")
                   : 0;
  case 0x04:
    if (!control || stream->settings_received) {
      return sim_h3_fail(client, SIM_H3_FRAME_UNEXPECTED, "SETTINGS");
    }
    stream->settings_received = 1;
    return 0;
  case 0x03:
  case 0x07:
    return control ? 0 : sim_h3_fail(client, SIM_H3_FRAME_UNEXPECTED, "frame");
  case 0x05:
    return sim_h3_fail(client, SIM_H3_ID_ERROR, "PUSH_PROMISE");
  case 0x02:
  case 0x06:
  case 0x08:
  case 0x09:
  case 0x0d:
    return sim_h3_fail(client, SIM_H3_FRAME_UNEXPECTED, "frame");
  case 0x41:
    return sim_h3_fail(client, SIM_H3_FRAME_ERROR, "WEBTRANSPORT_STREAM");
  default:
    return 0;
  }
}

/* Part of a frame's payload; |last|: it ends here. */
static int read_payload(sim_client *client, sim_stream *stream,
                        const uint8_t *data, size_t len, int last) {
  switch (stream->frame_type) {
  case 0x00:
    if (stream->kind == SIM_STREAM_SESSION) {
      return read_capsules(client, stream, data, len);
    }
    if (len > 0) {
      SIM_TELL(client, stream_data, stream->id, data, len, 0,
               client->config.user);
    }
    return client->is_closed ? -1 : 0;
  case 0x01:
  case 0x04:
  case 0x07:
    if (keep(client, stream, data, len) != 0) {
      return -1;
    }
    if (!last) {
      return 0;
    }
    if (stream->frame_type == 0x01) {
      return sim_h3_read_section(client, stream);
    }
    len = stream->buf_len;
    stream->buf_len = 0;
    return stream->frame_type == 0x04 ? read_settings(client, stream->buf, len)
                                      : read_goaway(client, stream->buf, len);
  default:
    return 0;
  }
}

static int read_frames(sim_client *client, sim_stream *stream,
                       const uint8_t *data, size_t len, int fin);

/* Keeps what comes on a stream whose field section waits. */
static int hold(sim_client *client, sim_stream *stream, const uint8_t *data,
                size_t len, int fin) {
  if (stream->held_data == NULL) {
    stream->held_data = sim_alloc(client, SIM_MAX_HELD);
    if (stream->held_data == NULL) {
      return -1;
    }
  }
  if (len > SIM_MAX_HELD - stream->held_len) {
    return sim_h3_fail(client, SIM_H3_EXCESSIVE_LOAD,
                       "field section never came");
  }
  if (len > 0) {
    memmove(stream->held_data + stream->held_len, data, len);
  }
  stream->held_len += len;
  stream->held_fin |= fin;
  return 0;
}

static int end_of_frames(sim_client *client, sim_stream *stream) {
  if (stream->kind == SIM_STREAM_CONTROL) {
    return sim_h3_fail(client, SIM_H3_CLOSED_CRITICAL_STREAM, "control");
  }
  if (stream->parse != SIM_PARSE_TYPE || stream->varint.started) {
    return sim_h3_fail(client, SIM_H3_FRAME_ERROR, "frame cut short");
  }
  stream->fin_received = 1;
  if (stream->status < 200) {
    return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR, "no answer");
  }
  if (stream->kind == SIM_STREAM_GET) {
    SIM_TELL(client, stream_data, stream->id, NULL, 0, 1, client->config.user);
    return 0;
  }
  if (!stream->session_over && (stream->capsule_parse != SIM_PARSE_TYPE ||
                                stream->capsule_varint.started)) {
    return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR, "capsule cut short");
  }
  sim_h3_session_over(client, stream, 1, 0, NULL, 0);
  return 0;
}

static int read_frames(sim_client *client, sim_stream *stream,
                       const uint8_t *data, size_t len, int fin) {
  size_t n;
  int done;

  if (stream->qpack_blocked) {
    return hold(client, stream, data, len, fin);
  }
  while (len > 0) {
    if (stream->parse != SIM_PARSE_PAYLOAD) {
      n = varint_read(&stream->varint, data, len, &done);
      data += n;
      len -= n;
      if (!done) {
        continue;
      }
      if (stream->parse == SIM_PARSE_TYPE) {
        stream->frame_type = stream->varint.value;
        stream->parse = SIM_PARSE_LENGTH;
        if (check_frame(client, stream) != 0) {
          return -1;
        }
        continue;
      }
      stream->frame_left = stream->varint.value;
      stream->parse = SIM_PARSE_PAYLOAD;
      if (stream->frame_type == 0x01 || stream->frame_type == 0x04 ||
          stream->frame_type == 0x07) {
        stream->buf_len = 0;
        if (stream->frame_left > SIM_MAX_FIELD_SECTION) {
          return sim_h3_fail(client, SIM_H3_EXCESSIVE_LOAD, "frame too long");
        }
      }
    }
    n = len < stream->frame_left ? len : (size_t)stream->frame_left;
    stream->frame_left -= n;
    if (stream->frame_left == 0) {
      stream->parse = SIM_PARSE_TYPE;
    }
    if (read_payload(client, stream, data, n, stream->frame_left == 0) != 0) {
      return -1;
    }
    data += n;
    len -= n;
    if (stream->qpack_blocked) {
      return hold(client, stream, data, len, fin);
    }
  }
  return fin ? end_of_frames(client, stream) : 0;
}

/* The encoder stream went on: what waited for it may be ready. */
static int resume_blocked(sim_client *client) {
  sim_stream *stream, *next;
  size_t len;
  int fin, rv;

  for (stream = client->streams; stream != NULL; stream = next) {
    next = stream->next;
    if (!stream->qpack_blocked) {
      continue;
    }
    rv = sim_h3_read_section(client, stream);
    if (rv != 0 || stream->qpack_blocked) {
      if (rv != 0) {
        return rv;
      }
      continue;
    }
    len = stream->held_len;
    fin = stream->held_fin;
    stream->held_len = 0;
    stream->held_fin = 0;
    if (read_frames(client, stream, stream->held_data, len, fin) != 0) {
      return -1;
    }
  }
  return 0;
}

static int once(sim_client *client, int *seen, sim_stream *stream,
                sim_stream_kind kind) {
  if (*seen) {
    return sim_h3_fail(client, SIM_H3_STREAM_CREATION_ERROR, "a second one");
  }
  *seen = 1;
  stream->kind = kind;
  return 0;
}

/* The first varints of the server's stream (RFC 9114 section 6.2, draft-02
   sections 4.1 and 4.2). */
static int read_type(sim_client *client, sim_stream *stream,
                     const uint8_t **pdata, size_t *plen) {
  int bidi = ngtcp2_is_bidi_stream(stream->id);
  size_t n;
  int done;

  while (*plen > 0 && stream->kind == SIM_STREAM_UNTYPED) {
    n = varint_read(&stream->varint, *pdata, *plen, &done);
    *pdata += n;
    *plen -= n;
    if (!done) {
      continue;
    }
    if (stream->parse == SIM_PARSE_LENGTH) {
      /* The session ID. */
      if (stream->varint.value % 4 != 0) {
        return sim_h3_fail(client, SIM_H3_ID_ERROR, "not a session");
      }
      stream->session = (int64_t)stream->varint.value;
      stream->kind = SIM_STREAM_WT;
      stream->parse = SIM_PARSE_TYPE;
      SIM_TELL(client, stream_opened, stream->id, stream->session,
               client->config.user);
      return client->is_closed ? -1 : 0;
    }
    if (bidi && stream->varint.value != 0x41) {
      return sim_h3_fail(client, SIM_H3_STREAM_CREATION_ERROR, "bidi stream");
    }
    switch (stream->varint.value) {
    case 0x00:
      return once(client, &client->peer_control, stream, SIM_STREAM_CONTROL);
    case 0x01:
      return sim_h3_fail(client, SIM_H3_ID_ERROR, "push stream");
    case 0x02:
      return once(client, &client->peer_encoder, stream,
                  SIM_STREAM_QPACK_ENCODER);
    case 0x03:
      return once(client, &client->peer_decoder, stream,
                  SIM_STREAM_QPACK_DECODER);
    case 0x41:
    case 0x54:
      if (bidi == (stream->varint.value == 0x41)) {
        stream->parse = SIM_PARSE_LENGTH;
        continue;
      }
      break;
    default:
      break;
    }
    stream->kind = SIM_STREAM_IGNORED;
  }
  return 0;
}

int sim_h3_receive(sim_client *client, sim_stream *stream, const uint8_t *data,
                   size_t len, int fin) {
  if (stream->kind == SIM_STREAM_UNTYPED &&
      read_type(client, stream, &data, &len) != 0) {
    return -1;
  }
  switch (stream->kind) {
  case SIM_STREAM_UNTYPED:
    return fin && ngtcp2_is_bidi_stream(stream->id)
               ? sim_h3_fail(client, SIM_H3_FRAME_ERROR, "stream cut short")
               : 0;
  case SIM_STREAM_CONTROL:
  case SIM_STREAM_GET:
  case SIM_STREAM_SESSION:
    return read_frames(client, stream, data, len, fin);
  case SIM_STREAM_QPACK_ENCODER:
    if (fin) {
      return sim_h3_fail(client, SIM_H3_CLOSED_CRITICAL_STREAM, "encoder");
    }
    if (nghttp3_qpack_decoder_read_encoder(client->decoder, data, len) < 0) {
      return sim_h3_fail(client, SIM_QPACK_ENCODER_STREAM_ERROR, "encoder");
    }
    return sim_h3_flush_decoder(client) != 0 ? -1 : resume_blocked(client);
  case SIM_STREAM_QPACK_DECODER:
    if (fin) {
      return sim_h3_fail(client, SIM_H3_CLOSED_CRITICAL_STREAM, "decoder");
    }
    return nghttp3_qpack_encoder_read_decoder(client->encoder, data, len) < 0
               ? sim_h3_fail(client, 0x202, "decoder")
               : 0;
  case SIM_STREAM_WT:
    if (len > 0 || fin) {
      SIM_TELL(client, stream_data, stream->id, data, len, fin,
               client->config.user);
    }
    return client->is_closed ? -1 : 0;
  default:
    return 0;
  }
}

int sim_h3_datagram(sim_client *client, const uint8_t *data, size_t len) {
  sim_varint v = {0};
  size_t n;
  int done;

  /* RFC 9297 section 2.1 */
  n = varint_read(&v, data, len, &done);
  if (!done || v.value > (UINT64_C(1) << 60) - 1) {
    return sim_h3_fail(client, SIM_H3_DATAGRAM_ERROR, "quarter stream ID");
  }
  SIM_TELL(client, datagram, (int64_t)(v.value * 4), data + n, len - n,
           client->config.user);
  return client->is_closed ? -1 : 0;
}
