/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/client_internal.h"

int sim_h3_fail(sim_client *client, uint64_t error_code, const char *reason) {
  sim_client_fail(client, 1, error_code, reason);
  return -1;
}

/* One field of an answer. */
static int read_field(sim_client *client, const sim_stream *stream,
                      const nghttp3_qpack_nv *nv, int *status) {
  nghttp3_vec name = nghttp3_rcbuf_get_buf(nv->name);
  nghttp3_vec value = nghttp3_rcbuf_get_buf(nv->value);
  size_t i;

  SIM_TELL(client, field, stream->id, (const char *)name.base, name.len,
           (const char *)value.base, value.len, client->config.user);
  for (i = 0; i < name.len; ++i) {
    if (name.base[i] >= 'A' && name.base[i] <= 'Z') {
      return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR,
                         "upper case in a field name");
    }
  }
  if (name.len == 0 || name.base[0] != ':') {
    /* RFC 9114 section 4.3.2 */
    return *status == 0 ? sim_h3_fail(client, SIM_H3_MESSAGE_ERROR,
                                      ":status is not first")
                        : 0;
  }
  if (name.len != 7 || memcmp(name.base, ":status", 7) != 0 || *status != 0 ||
      value.len != 3) {
    return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR,
                       "wrong pseudo-header field");
  }
  *status = (value.base[0] - '0') * 100 + (value.base[1] - '0') * 10 +
            (value.base[2] - '0');
  if (*status < 100 || *status > 999) {
    return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR, "wrong :status");
  }
  return 0;
}

/* Hands what the decoder has to say to the decoder stream. */
int sim_h3_flush_decoder(sim_client *client) {
  size_t len = nghttp3_qpack_decoder_get_decoder_streamlen(client->decoder);
  uint8_t octets[4096];
  nghttp3_buf buf;

  if (len == 0) {
    return 0;
  }
  if (len > sizeof(octets)) {
    return sim_h3_fail(client, SIM_H3_EXCESSIVE_LOAD, "decoder stream");
  }
  buf.begin = buf.pos = buf.last = octets;
  buf.end = octets + sizeof(octets);
  nghttp3_qpack_decoder_write_decoder(client->decoder, &buf);
  return sim_stream_append(client, client->decoder_stream, buf.pos,
                           nghttp3_buf_len(&buf), 0) == 0
             ? 0
             : -1;
}

static int answered(sim_client *client, sim_stream *stream, int status) {
  if (stream->status >= 200) {
    return status == 0
               ? 0
               : sim_h3_fail(client, SIM_H3_MESSAGE_ERROR, "two answers");
  }
  stream->status = status;
  if (status < 200) {
    return 0;
  }
  if (stream->kind == SIM_STREAM_GET) {
    SIM_TELL(client, response, stream->id, status, client->config.user);
    return 0;
  }
  SIM_TELL(client, session_answered, stream->id, status, client->config.user);
  if (status >= 300 && !stream->fin && !client->is_closed) {
    stream->session_over = 1;
    return sim_stream_append(client, stream, NULL, 0, 1);
  }
  return 0;
}

/* Decodes the field section in |stream->buf|, from |stream->qpack_pos|. */
int sim_h3_read_section(sim_client *client, sim_stream *stream) {
  nghttp3_qpack_nv nv;
  nghttp3_ssize n;
  /* After the final answer only a trailer may come: no pseudo-header. */
  int status = stream->status >= 200 ? -1 : 0;
  uint8_t flags;
  int rv;

  stream->qpack_blocked = 0;
  if (stream->qpack == NULL &&
      nghttp3_qpack_stream_context_new(&stream->qpack, stream->id,
                                       &client->h3mem) != 0) {
    return -1;
  }
  for (;;) {
    n = nghttp3_qpack_decoder_read_request(
        client->decoder, stream->qpack, &nv, &flags,
        stream->buf + stream->qpack_pos, stream->buf_len - stream->qpack_pos,
        1);
    if (n < 0) {
      return sim_h3_fail(client, SIM_QPACK_DECOMPRESSION_FAILED,
                         "field section");
    }
    stream->qpack_pos += (size_t)n;
    if (flags & NGHTTP3_QPACK_DECODE_FLAG_BLOCKED) {
      stream->qpack_blocked = 1;
      return 0;
    }
    if (flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT) {
      rv = read_field(client, stream, &nv, &status);
      nghttp3_rcbuf_decref(nv.name);
      nghttp3_rcbuf_decref(nv.value);
      if (rv != 0) {
        return rv;
      }
    }
    if (flags & NGHTTP3_QPACK_DECODE_FLAG_FINAL) {
      break;
    }
    if (n == 0 && !(flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT)) {
      return sim_h3_fail(client, SIM_QPACK_DECOMPRESSION_FAILED, "no end");
    }
  }
  nghttp3_qpack_stream_context_reset(stream->qpack);
  stream->qpack_pos = 0;
  stream->buf_len = 0;
  if (sim_h3_flush_decoder(client) != 0) {
    return -1;
  }
  if (status == 0) {
    return sim_h3_fail(client, SIM_H3_MESSAGE_ERROR, "no :status");
  }
  return answered(client, stream, status < 0 ? 0 : status);
}
