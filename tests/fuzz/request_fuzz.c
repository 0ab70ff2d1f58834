/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: any header section, and what follows it.
 *
 *   octet  bit 0: SETTINGS come after the request; bit 1: the field section is
 *          the octets as they are, QPACK and all; bit 2: FIN
 *   then   lines "name: value", an empty line, the payload of a DATA frame
 */
#include "tests/fuzz/fields.h"

#include <string.h>

static void put_lines(fuzz_frames *section, fuzz_input *in) {
  fuzz_put_section(section);
  while (in->len) {
    const uint8_t *line, *end = memchr(in->data, '\n', in->len), *colon;
    size_t len =
        fuzz_take(in, &line, end ? (size_t)(end - in->data) + 1 : in->len);

    len -= end != NULL;
    if (len == 0) {
      return;
    }
    colon = memchr(line + 1, ':', len - 1);
    if (!colon) {
      fuzz_put_field(section, line, len, line, 0);
      continue;
    }
    end = line + len;
    len = (size_t)(colon - line);
    colon += colon + 1 < end && colon[1] == ' ' ? 2 : 1;
    fuzz_put_field(section, line, len, colon, (size_t)(end - colon));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  fuzz_frames control = {{0}, 0}, section = {{0}, 0}, stream = {{0}, 0};
  uint8_t how = fuzz_u8(&in);
  const uint8_t *rest;
  fuzz_frames packet;
  static fuzz_peer peer;
  size_t len;

  fuzz_seed(1);
  fuzz_peer_new(&peer, "h3", 0, NULL);
  fuzz_peer_shake_hands(&peer);
  fuzz_put_control(&control);
  if (how & 2) {
    len = fuzz_u8(&in);
    len = fuzz_take(&in, &rest, len);
    fuzz_put(&section, rest, len);
  } else {
    put_lines(&section, &in);
  }
  fuzz_put_h3(&stream, FUZZ_H3_HEADERS, section.data, section.len);
  len = fuzz_take(&in, &rest, 300);
  if (len) {
    fuzz_put_h3(&stream, FUZZ_H3_DATA, rest, len);
  }
  packet.len = 0;
  if (!(how & 1)) {
    fuzz_put_stream(&packet, 2, 0, control.data, control.len, 0);
  }
  fuzz_put_stream(&packet, 0, 0, stream.data, stream.len, (how & 4) != 0);
  fuzz_peer_packet(&peer, FUZZ_APPLICATION, packet.data, packet.len);
  if (how & 1) {
    packet.len = 0;
    fuzz_put_stream(&packet, 2, 0, control.data, control.len, 0);
    fuzz_peer_packet(&peer, FUZZ_APPLICATION, packet.data, packet.len);
  }
  fuzz_peer_acknowledge(&peer);
  fuzz_peer_free(&peer);
  return 0;
}
