/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fields.h"

#include "server/varint.h"

#include <string.h>

/* An integer with a prefix of |bits| (RFC 7541 section 5.1). */
static void put_int(fuzz_frames *section, uint8_t first, unsigned bits,
                    size_t value) {
  size_t most = ((size_t)1 << bits) - 1;
  uint8_t octet;

  if (value < most) {
    octet = (uint8_t)(first | value);
    fuzz_put(section, &octet, 1);
    return;
  }
  octet = (uint8_t)(first | most);
  fuzz_put(section, &octet, 1);
  for (value -= most; value >= 128; value >>= 7) {
    octet = (uint8_t)(value | 0x80);
    fuzz_put(section, &octet, 1);
  }
  octet = (uint8_t)value;
  fuzz_put(section, &octet, 1);
}

void fuzz_put_section(fuzz_frames *section) {
  fuzz_put(section, (const uint8_t *)"\0\0", 2);
}

void fuzz_put_field(fuzz_frames *section, const uint8_t *name, size_t namelen,
                    const uint8_t *value, size_t valuelen) {
  if (namelen + valuelen + 16 > sizeof(section->data) - section->len) {
    return;
  }
  put_int(section, 0x20, 3, namelen);
  fuzz_put(section, name, namelen);
  put_int(section, 0, 7, valuelen);
  fuzz_put(section, value, valuelen);
}

static void put_text(fuzz_frames *section, const char *name,
                     const char *value) {
  fuzz_put_field(section, (const uint8_t *)name, strlen(name),
                 (const uint8_t *)value, strlen(value));
}

void fuzz_put_connect(fuzz_frames *section, const char *path) {
  fuzz_put_section(section);
  put_text(section, ":method", "CONNECT");
  put_text(section, ":protocol", "webtransport");
  put_text(section, ":scheme", "https");
  put_text(section, ":authority", "localhost:4433");
  put_text(section, ":path", path);
  put_text(section, "origin", "https://example.org");
}

void fuzz_put_h3(fuzz_frames *frames, uint64_t type, const uint8_t *payload,
                 size_t len) {
  fuzz_put_varint(frames, type);
  fuzz_put_varint(frames, len);
  fuzz_put(frames, payload, len);
}

void fuzz_put_control(fuzz_frames *frames) {
  fuzz_frames settings = {{0}, 0};

  fuzz_put_varint(&settings, 0x08); /* ENABLE_CONNECT_PROTOCOL */
  fuzz_put_varint(&settings, 1);
  fuzz_put_varint(&settings, 0x33); /* H3_DATAGRAM */
  fuzz_put_varint(&settings, 1);
  fuzz_put_varint(&settings, 0x2b603742); /* ENABLE_WEBTRANSPORT, draft 02 */
  fuzz_put_varint(&settings, 1);
  fuzz_put_varint(frames, 0);
  fuzz_put_h3(frames, FUZZ_H3_SETTINGS, settings.data, settings.len);
}
