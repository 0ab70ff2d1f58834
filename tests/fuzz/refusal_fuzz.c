/* SPDX-License-Identifier: Apache-2.0 */
/* What a client says when it refuses us: it ends up in a log and on a
   person's screen, without controls and of bounded length. */
#include "server/refusal.h"
#include "server/webtransport/capsule.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (REFUSAL_TEXT_MAX + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t certificate[CM_HASH_LEN];
  fuzz_input in = {data, size};
  const refusal_line *line;
  udp_address peer;
  refusals all;

  memset(&all, 0, sizeof(all));
  memset(&peer, 0, sizeof(peer));
  peer.in.sin_family = AF_INET;
  while (in.len) {
    uint8_t flags = fuzz_u8(&in);
    refusal_facts facts;
    quic_conn_end end;
    refusal r;
    size_t i, destlen;
    char *dest;

    memset(&end, 0, sizeof(end));
    end.established = flags & 1;
    end.by_peer = (flags & 2) != 0;
    end.idle = (flags & 4) != 0;
    end.type = (ngtcp2_ccerr_type)(flags >> 4 & 3);
    end.error_code = flags & 8 ? 0x100u + fuzz_u8(&in) : fuzz_u32(&in);
    end.reason_len = fuzz_u8(&in);
    end.reason_len = fuzz_take(&in, &end.reason, end.reason_len);
    certificate[0] = flags & 3;
    facts.certificate = certificate;
    facts.published = (int32_t)fuzz_u32(&in);
    facts.valid_since = (int32_t)fuzz_u32(&in);
    facts.valid_for = (int32_t)fuzz_u32(&in);
    facts.clock_doubt = (flags & 0x80) != 0;
    r = refusal_decode(&end);
    FUZZ_CHECK(r.kind < REFUSAL_KIND_COUNT && r.by != NULL);
    FUZZ_CHECK(*refusal_kind_name(r.kind) != '\0');
    destlen = fuzz_u16(&in) % TEXT_MAX + 1;
    dest = malloc(destlen);
    FUZZ_CHECK(dest != NULL);
    FUZZ_CHECK(refusal_text(dest, destlen, &r, &facts) == dest);
    FUZZ_CHECK(memchr(dest, '\0', destlen) != NULL);
    for (i = 0; dest[i]; ++i) {
      FUZZ_CHECK((uint8_t)dest[i] >= ' ' && dest[i] != 0x7f);
    }
    /* Only what was cut off may end inside of a character. */
    FUZZ_CHECK(
        destlen < REFUSAL_TEXT_MAX ||
        (i < REFUSAL_TEXT_MAX - 1 && wt_utf8_valid((const uint8_t *)dest, i)));
    free(dest);
    refusals_add(&all, &r, &facts, &peer, 1795300000);
    while ((line = refusals_next(&all, 7)) != NULL) {
      FUZZ_CHECK(memchr(line->text, '\0', sizeof(line->text)) != NULL);
    }
  }
  return 0;
}
