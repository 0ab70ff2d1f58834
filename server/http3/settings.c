/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http3/settings.h"

#include "server/varint.h"

#include <string.h>

#define STREAM_TYPE_CONTROL 0x00
#define FRAME_SETTINGS 0x04

void h3_webtransport_settings(h3_setting settings[H3_WEBTRANSPORT_SETTINGS],
                              uint64_t max_sessions) {
  settings[0] = (h3_setting){H3_SETTING_H3_DATAGRAM_DRAFT04, 1};
  settings[1] = (h3_setting){H3_SETTING_ENABLE_WEBTRANSPORT_DRAFT02, 1};
  settings[2] =
      (h3_setting){H3_SETTING_WEBTRANSPORT_MAX_SESSIONS_DRAFT07, max_sessions};
  settings[3] = (h3_setting){H3_SETTING_WT_MAX_SESSIONS_DRAFT13, max_sessions};
}

/* Sets |*payload| and |*payload_len| to the entries of the SETTINGS frame at
   the beginning of a control stream.  Returns 0 or H3_SETTINGS_ERR_FRAME. */
static int find_settings(const uint8_t **payload, size_t *payload_len,
                         const uint8_t *src, size_t srclen) {
  uint64_t type, len;
  size_t off = 0, n;

  n = varint_get(&type, src, srclen);
  if (n == 0 || type != STREAM_TYPE_CONTROL) {
    return H3_SETTINGS_ERR_FRAME;
  }
  off += n;
  n = varint_get(&type, src + off, srclen - off);
  if (n == 0 || type != FRAME_SETTINGS) {
    return H3_SETTINGS_ERR_FRAME;
  }
  off += n;
  n = varint_get(&len, src + off, srclen - off);
  if (n == 0 || len > srclen - off - n) {
    return H3_SETTINGS_ERR_FRAME;
  }
  off += n;
  *payload = src + off;
  *payload_len = (size_t)len;
  return 0;
}

/* Whether |id| is among the entries at |payload|: 1, 0, or
   H3_SETTINGS_ERR_FRAME if they are not pairs of varints. */
static int has_entry(const uint8_t *payload, size_t len, uint64_t id) {
  int found = 0;

  while (len > 0) {
    uint64_t entry_id, value;
    size_t n = varint_get(&entry_id, payload, len);
    size_t m = n == 0 ? 0 : varint_get(&value, payload + n, len - n);
    if (m == 0) {
      return H3_SETTINGS_ERR_FRAME;
    }
    found |= entry_id == id;
    payload += n + m;
    len -= n + m;
  }
  return found;
}

int h3_settings_splice(uint8_t *dest, size_t destlen, const uint8_t *src,
                       size_t srclen, const h3_setting *extra, size_t nextra,
                       size_t *src_used) {
  const uint8_t *payload;
  size_t payload_len, extra_len = 0, head_len, off;
  int rv;

  rv = find_settings(&payload, &payload_len, src, srclen);
  if (rv != 0) {
    return rv;
  }
  /* Also tells whether the entries are well-formed when nothing is added. */
  rv = has_entry(payload, payload_len, 0);
  if (rv < 0) {
    return rv;
  }
  for (size_t i = 0; i < nextra; i++) {
    size_t id_len = varint_len(extra[i].id);
    size_t value_len = varint_len(extra[i].value);
    if (id_len == 0 || value_len == 0 ||
        has_entry(payload, payload_len, extra[i].id) != 0) {
      return H3_SETTINGS_ERR_ENTRY;
    }
    for (size_t j = 0; j < i; j++) {
      if (extra[j].id == extra[i].id) {
        return H3_SETTINGS_ERR_ENTRY;
      }
    }
    extra_len += id_len + value_len;
  }

  head_len = 2 + varint_len(payload_len + extra_len);
  if (destlen > INT32_MAX) {
    destlen = INT32_MAX;
  }
  if (head_len + payload_len + extra_len > destlen) {
    return H3_SETTINGS_ERR_NOBUF;
  }
  off = varint_put(dest, destlen, STREAM_TYPE_CONTROL);
  off += varint_put(dest + off, destlen - off, FRAME_SETTINGS);
  off += varint_put(dest + off, destlen - off, payload_len + extra_len);
  memcpy(dest + off, payload, payload_len);
  off += payload_len;
  for (size_t i = 0; i < nextra; i++) {
    off += varint_put(dest + off, destlen - off, extra[i].id);
    off += varint_put(dest + off, destlen - off, extra[i].value);
  }
  *src_used = (size_t)(payload + payload_len - src);
  return (int)off;
}

void h3_splice_init(h3_splice *splice, const h3_setting *extra, size_t nextra) {
  memset(splice, 0, sizeof(*splice));
  splice->extra = extra;
  splice->nextra = nextra;
}

/* Rewrites the beginning, once all of it is in |vec|. */
static int rewrite(h3_splice *splice, const nghttp3_vec *vec, size_t nvec) {
  uint8_t head[H3_SPLICE_MAX];
  size_t len = 0;
  int rv;

  for (size_t i = 0; i < nvec && len < sizeof(head); i++) {
    size_t n = vec[i].len;
    if (n > sizeof(head) - len) {
      n = sizeof(head) - len;
    }
    if (n > 0) {
      memcpy(head + len, vec[i].base, n);
      len += n;
    }
  }
  rv = h3_settings_splice(splice->buf, sizeof(splice->buf), head, len,
                          splice->extra, splice->nextra, &splice->src_len);
  if (rv < 0) {
    return rv;
  }
  splice->len = (size_t)rv;
  splice->extra = NULL;
  splice->nextra = 0;
  return 0;
}

nghttp3_ssize h3_splice_vec(h3_splice *splice, nghttp3_vec *dest,
                            size_t destcnt, const nghttp3_vec *vec,
                            size_t nvec) {
  size_t skip = 0, cnt = 0;
  int rv;

  if (splice->len == 0) {
    rv = rewrite(splice, vec, nvec);
    if (rv != 0) {
      return rv;
    }
  }
  if (splice->written < splice->len) {
    /* nghttp3 has been told of nothing yet, so |vec| starts at offset 0. */
    if (destcnt == 0) {
      return H3_SETTINGS_ERR_NOBUF;
    }
    dest[cnt].base = splice->buf + splice->written;
    dest[cnt].len = splice->len - (size_t)splice->written;
    cnt++;
    skip = splice->src_len;
  }
  for (size_t i = 0; i < nvec; i++) {
    size_t n = skip < vec[i].len ? skip : vec[i].len;
    skip -= n;
    if (n == vec[i].len) {
      continue;
    }
    if (cnt == destcnt) {
      return H3_SETTINGS_ERR_NOBUF;
    }
    dest[cnt].base = vec[i].base + n;
    dest[cnt].len = vec[i].len - n;
    cnt++;
  }
  return (nghttp3_ssize)cnt;
}

/* The offset in nghttp3's stream that belongs to |offset| in ngtcp2's. */
static uint64_t source_offset(const h3_splice *splice, uint64_t offset) {
  return offset < splice->len ? 0 : offset - splice->len + splice->src_len;
}

size_t h3_splice_written(h3_splice *splice, size_t n) {
  uint64_t before = source_offset(splice, splice->written);

  splice->written += n;
  return (size_t)(source_offset(splice, splice->written) - before);
}

uint64_t h3_splice_acked(h3_splice *splice, uint64_t n) {
  uint64_t before = source_offset(splice, splice->acked);

  splice->acked += n;
  return source_offset(splice, splice->acked) - before;
}
