/* SPDX-License-Identifier: Apache-2.0 */
/* What was kept of the certificates' life: what is taken up holds together,
   and goes on to hold whatever becomes of the actions. */
#include "certmgr/lifecycle.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define BUILD_DATE INT64_C(1760000000)
#define SCRIPT_LEN 24

/* Something that was not there before. */
static void result_of(cm_result *result, const cm_output *out, uint8_t how) {
  static uint64_t made;

  memset(result, 0, sizeof(*result));
  result->action = out->action;
  result->status = how % 8 == 0 ? CM_ERR_STORE : 0;
  if (out->action == CM_ACTION_GENERATE) {
    ++made;
    memcpy(result->sha256, &made, sizeof(made));
    memcpy(result->serial, &made, sizeof(made));
    memcpy(result->key_id, &made, sizeof(made));
    result->sha256[31] = result->serial[19] = result->key_id[31] = 0xfb;
    result->random = (uint32_t)made * 2654435761u;
  }
}

static void live(cm_lifecycle *lc, fuzz_input *script) {
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX];
  cm_input in;
  cm_output out;
  size_t i;
  int n;

  memset(&in, 0, sizeof(in));
  in.wall = lc->high_water;
  while (script->len) {
    uint8_t how = fuzz_u8(script);

    /* From a second to some weeks, now and then backwards. */
    in.wall += INT64_C(1) << (how % 22);
    in.mono += INT64_C(1) << (how % 22);
    if (how > 0xf8) {
      in.wall -= INT64_C(3) << (how % 22);
    }
    in.command = (cm_command)(how > 0xe0 ? how % 5 : 0);
    for (i = 0; i < 64; ++i) {
      cm_lifecycle_step(lc, &in, &out);
      in.command = CM_COMMAND_NONE;
      n = cm_lifecycle_check(lc);
      FUZZ_CHECK(n == 0);
      memset(&in.result, 0, sizeof(in.result));
      if (out.action == CM_ACTION_NONE) {
        break;
      }
      result_of(&in.result, &out, how);
      if (out.action == CM_ACTION_PERSIST) {
        n = cm_lifecycle_encode(lc, image, sizeof(image));
        FUZZ_CHECK(n > 0);
      }
    }
    /* A step leads to an end. */
    FUZZ_CHECK(i < 64);
    FUZZ_CHECK(out.wait >= 1);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size}, script;
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX], twice[CM_LIFECYCLE_ENCODED_MAX];
  cm_lifecycle lc, again;
  int n, m;

  script.len = fuzz_take(&in, &script.data, SCRIPT_LEN);
  if (cm_lifecycle_decode(&lc, in.data, in.len) != 0) {
    return 0;
  }
  n = cm_lifecycle_encode(&lc, image, sizeof(image));
  /* Numbers of documents are reserved with each image, and there is an end to
     numbers. */
  if (n > 0 && cm_lifecycle_decode(&again, image, (size_t)n) == 0) {
    again.seq = lc.seq;
    m = cm_lifecycle_encode(&again, twice, sizeof(twice));
    FUZZ_CHECK(n == m && memcmp(image, twice, (size_t)n) == 0);
  }
  cm_lifecycle_resume(&lc, &cm_profile_hot_standby, BUILD_DATE, 1);
  live(&lc, &script);
  return 0;
}
