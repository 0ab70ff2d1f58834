/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webtransport/capsule.h"

#include "server/varint.h"

#include <string.h>

enum {
  STATE_TYPE,
  STATE_LENGTH,
  /* The value of a capsule that matters is gathered in |buf|. */
  STATE_VALUE,
  /* The value of any other capsule is dropped. */
  STATE_SKIP,
  /* A CLOSE has come: nothing may follow. */
  STATE_CLOSED,
  STATE_ERROR
};

/* Octets of the code in a CLOSE capsule. */
#define CLOSE_CODE_LEN 4

void wt_capsule_parser_init(wt_capsule_parser *parser) {
  /* |buf| needs no initial value. */
  parser->state = STATE_TYPE;
  parser->type = 0;
  parser->left = 0;
  parser->buf_len = 0;
}

static int is_flow_control(uint64_t type) {
  return type == WT_CAPSULE_MAX_DATA || type == WT_CAPSULE_MAX_STREAMS_BIDI ||
         type == WT_CAPSULE_MAX_STREAMS_UNI ||
         type == WT_CAPSULE_DATA_BLOCKED ||
         type == WT_CAPSULE_STREAMS_BLOCKED_BIDI ||
         type == WT_CAPSULE_STREAMS_BLOCKED_UNI;
}

/* What to do with a capsule of |type| whose value has |len| octets: the next
   state. */
static int state_for(uint64_t type, uint64_t len) {
  uint64_t min = 0, max = 0;

  if (type == WT_CAPSULE_CLOSE) {
    min = CLOSE_CODE_LEN;
    max = CLOSE_CODE_LEN + WT_CLOSE_REASON_MAX;
  } else if (is_flow_control(type)) {
    min = 1;
    max = VARINT_LEN_MAX;
  } else if (type == WT_CAPSULE_MAX_STREAM_DATA ||
             type == WT_CAPSULE_STREAM_DATA_BLOCKED) {
    return STATE_ERROR;
  } else if (type != WT_CAPSULE_DRAIN) {
    return STATE_SKIP;
  }
  return len < min || len > max ? STATE_ERROR : STATE_VALUE;
}

/* Gathers a varint in |buf|.  Takes what it needs of |data| and returns how
   much; |*value| is set and |buf| emptied once it is complete. */
static size_t gather_varint(wt_capsule_parser *parser, const uint8_t *data,
                            size_t len, uint64_t *value, int *complete) {
  size_t used = 0;

  *complete = 0;
  while (used < len && !*complete) {
    parser->buf[parser->buf_len++] = data[used++];
    *complete = varint_get(value, parser->buf, parser->buf_len) != 0;
  }
  if (*complete) {
    parser->buf_len = 0;
  }
  return used;
}

/* The value of a capsule that matters is complete in |buf|: fills in |*out| and
   sets the next state.  Returns 1 or WT_CAPSULE_ERR_MESSAGE. */
static int complete(wt_capsule_parser *parser, wt_capsule *out) {
  const uint8_t *buf = parser->buf;
  size_t len = parser->buf_len;

  memset(out, 0, sizeof(*out));
  out->type = parser->type;
  parser->state = STATE_TYPE;
  parser->buf_len = 0;
  if (parser->type == WT_CAPSULE_CLOSE) {
    out->code = (uint32_t)buf[0] << 24 | (uint32_t)buf[1] << 16 |
                (uint32_t)buf[2] << 8 | buf[3];
    out->reason = buf + CLOSE_CODE_LEN;
    out->reason_len = len - CLOSE_CODE_LEN;
    if (!wt_utf8_valid(out->reason, out->reason_len)) {
      parser->state = STATE_ERROR;
      return WT_CAPSULE_ERR_MESSAGE;
    }
    parser->state = STATE_CLOSED;
  } else if (is_flow_control(parser->type) &&
             varint_get(&out->value, buf, len) != len) {
    parser->state = STATE_ERROR;
    return WT_CAPSULE_ERR_MESSAGE;
  }
  return 1;
}

int wt_capsule_parser_feed(wt_capsule_parser *parser, const uint8_t *data,
                           size_t len, size_t *consumed, wt_capsule *out) {
  size_t off = 0, n;
  uint64_t value = 0;
  int whole;

  *consumed = 0;
  for (;;) {
    /* A value of no octets is complete before any octet of it comes. */
    if (parser->state == STATE_VALUE && parser->left == 0) {
      *consumed = off;
      return complete(parser, out);
    }
    if (parser->state == STATE_SKIP && parser->left == 0) {
      parser->state = STATE_TYPE;
    }
    if (parser->state == STATE_ERROR) {
      *consumed = off;
      return WT_CAPSULE_ERR_MESSAGE;
    }
    if (off == len) {
      *consumed = off;
      return 0;
    }
    switch (parser->state) {
    case STATE_TYPE:
      off += gather_varint(parser, data + off, len - off, &value, &whole);
      if (whole) {
        parser->type = value;
        parser->state = STATE_LENGTH;
      }
      break;
    case STATE_LENGTH:
      off += gather_varint(parser, data + off, len - off, &value, &whole);
      if (whole) {
        parser->left = value;
        parser->state = state_for(parser->type, value);
      }
      break;
    case STATE_VALUE:
    case STATE_SKIP:
      n = len - off;
      if (n > parser->left) {
        n = (size_t)parser->left;
      }
      if (parser->state == STATE_VALUE) {
        memcpy(parser->buf + parser->buf_len, data + off, n);
        parser->buf_len += n;
      }
      parser->left -= n;
      off += n;
      break;
    default: /* STATE_CLOSED */
      parser->state = STATE_ERROR;
      break;
    }
  }
}

int wt_capsule_parser_finish(wt_capsule_parser *parser) {
  if (parser->state == STATE_CLOSED ||
      (parser->state == STATE_TYPE && parser->buf_len == 0)) {
    return 0;
  }
  parser->state = STATE_ERROR;
  return WT_CAPSULE_ERR_MESSAGE;
}

int wt_capsule_put_close(uint8_t *dest, size_t destlen, uint32_t code,
                         const uint8_t *reason, size_t reason_len) {
  size_t off, value_len = CLOSE_CODE_LEN + reason_len;

  if (reason_len > WT_CLOSE_REASON_MAX ||
      destlen <
          varint_len(WT_CAPSULE_CLOSE) + varint_len(value_len) + value_len) {
    return WT_CAPSULE_ERR_NOBUF;
  }
  if (!wt_utf8_valid(reason, reason_len)) {
    return WT_CAPSULE_ERR_UTF8;
  }
  off = varint_put(dest, destlen, WT_CAPSULE_CLOSE);
  off += varint_put(dest + off, destlen - off, value_len);
  dest[off++] = (uint8_t)(code >> 24);
  dest[off++] = (uint8_t)(code >> 16);
  dest[off++] = (uint8_t)(code >> 8);
  dest[off++] = (uint8_t)code;
  if (reason_len > 0) {
    memcpy(dest + off, reason, reason_len);
  }
  return (int)(off + reason_len);
}

int wt_capsule_put_drain(uint8_t *dest, size_t destlen) {
  size_t off;

  if (destlen < WT_CAPSULE_DRAIN_LEN) {
    return WT_CAPSULE_ERR_NOBUF;
  }
  off = varint_put(dest, destlen, WT_CAPSULE_DRAIN);
  off += varint_put(dest + off, destlen - off, 0);
  return (int)off;
}

int wt_utf8_valid(const uint8_t *text, size_t len) {
  size_t i = 0;

  while (i < len) {
    uint8_t c = text[i++];
    /* What the octet after |c| may be (RFC 3629 section 4), and how many
       octets there are after that one. */
    uint8_t low = 0x80, high = 0xbf;
    size_t more;

    if (c < 0x80) {
      continue;
    }
    if (c >= 0xc2 && c <= 0xdf) {
      more = 0;
    } else if (c >= 0xe0 && c <= 0xef) {
      more = 1;
      low = c == 0xe0 ? 0xa0 : low;   /* overlong */
      high = c == 0xed ? 0x9f : high; /* surrogates */
    } else if (c >= 0xf0 && c <= 0xf4) {
      more = 2;
      low = c == 0xf0 ? 0x90 : low;   /* overlong */
      high = c == 0xf4 ? 0x8f : high; /* above U+10FFFF */
    } else {
      return 0;
    }
    if (len - i < more + 1 || text[i] < low || text[i] > high) {
      return 0;
    }
    i++;
    for (; more > 0; more--, i++) {
      if (text[i] < 0x80 || text[i] > 0xbf) {
        return 0;
      }
    }
  }
  return 1;
}
