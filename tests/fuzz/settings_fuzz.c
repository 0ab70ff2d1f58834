/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The splice into our control stream: whatever nghttp3 writes and however it
 * cuts it, what goes out is that with our settings added, and every octet is
 * accounted for.
 */
#include "server/http3/settings.h"
#include "server/varint.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define EXTRA_MAX 6
#define VECS_MAX 5

/* What goes out for |src|, by h3_splice_vec() and in pieces by |cuts|. */
static void splice_in_pieces(const uint8_t *src, size_t len,
                             const h3_setting *extra, size_t nextra,
                             const uint8_t *expected, size_t expected_len,
                             fuzz_input *cuts) {
  h3_splice splice;
  nghttp3_vec in[VECS_MAX], out[VECS_MAX + 1];
  size_t i, nin = 0, off = 0, told = 0, written = 0;
  uint64_t acked = 0, acked_out = 0;

  h3_splice_init(&splice, extra, nextra);
  /* The first writing has all of it, in pieces. */
  while (off < len || nin == 0) {
    size_t n = nin == VECS_MAX - 1 ? len - off : fuzz_u8(cuts) % (len + 1);

    if (n > len - off) {
      n = len - off;
    }
    in[nin].base = (uint8_t *)(uintptr_t)(src + off);
    in[nin++].len = n;
    off += n;
    if (nin == VECS_MAX) {
      break;
    }
  }
  for (;;) {
    nghttp3_ssize nout = h3_splice_vec(&splice, out, VECS_MAX + 1, in, nin);
    size_t n, room = 0;

    FUZZ_CHECK(nout >= 0);
    /* What is offered is what has not gone out yet. */
    off = written;
    for (i = 0; i < (size_t)nout; ++i) {
      FUZZ_CHECK(out[i].len <= expected_len - off);
      FUZZ_CHECK(memcmp(out[i].base, expected + off, out[i].len) == 0);
      off += out[i].len;
      room += out[i].len;
    }
    FUZZ_CHECK(off == expected_len);
    if (room == 0) {
      break;
    }
    n = 1 + fuzz_u8(cuts) % room;
    written += n;
    n = h3_splice_written(&splice, n);
    told += n;
    FUZZ_CHECK(told <= len);
    /* nghttp3 offers what it was not told of. */
    while (n && nin) {
      size_t part = n < in[0].len ? n : in[0].len;

      in[0].base += part;
      in[0].len -= part;
      n -= part;
      if (in[0].len == 0) {
        memmove(in, in + 1, --nin * sizeof(in[0]));
      }
    }
    FUZZ_CHECK(n == 0);
  }
  FUZZ_CHECK(told == len);
  while (acked < written) {
    uint64_t n = 1 + fuzz_u8(cuts) % (written - acked);

    acked += n;
    acked_out += h3_splice_acked(&splice, n);
    FUZZ_CHECK(acked_out <= len);
  }
  FUZZ_CHECK(acked_out == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size}, cuts;
  h3_setting extra[EXTRA_MAX];
  size_t i, nextra, used = 0, destlen = 512;
  uint8_t *dest, *expected;
  const uint8_t *src;
  size_t len;
  int rv;

  cuts.len = fuzz_take(&in, &cuts.data, 16);
  nextra = fuzz_u8(&in) % (EXTRA_MAX + 1);
  if (nextra == EXTRA_MAX) {
    h3_webtransport_settings(extra, fuzz_u8(&in));
    nextra = H3_WEBTRANSPORT_SETTINGS;
  } else {
    for (i = 0; i < nextra; ++i) {
      extra[i].id = fuzz_u64(&in) >> (fuzz_u8(&in) % 64);
      extra[i].value = fuzz_u64(&in) >> (fuzz_u8(&in) % 64);
    }
  }
  if (fuzz_u8(&in) & 1) {
    destlen = fuzz_u8(&in);
  }
  src = in.data;
  len = in.len;
  dest = malloc(destlen ? destlen : 1);
  FUZZ_CHECK(dest != NULL);
  rv = h3_settings_splice(dest, destlen, src, len, extra, nextra, &used);
  FUZZ_CHECK(rv == H3_SETTINGS_ERR_FRAME || rv == H3_SETTINGS_ERR_ENTRY ||
             rv == H3_SETTINGS_ERR_NOBUF || rv > 0);
  if (rv > 0) {
    FUZZ_CHECK((size_t)rv <= destlen && used <= len);
    if (used <= H3_SPLICE_MAX / 2 && rv <= H3_SPLICE_MAX) {
      expected = malloc((size_t)rv + len - used);
      FUZZ_CHECK(expected != NULL);
      memcpy(expected, dest, (size_t)rv);
      memcpy(expected + rv, src + used, len - used);
      splice_in_pieces(src, len, extra, nextra, expected,
                       (size_t)rv + len - used, &cuts);
      free(expected);
    }
  }
  free(dest);
  return 0;
}
