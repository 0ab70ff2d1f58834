/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles as a person writes them: what is read can be lived by, and is read
   again from what it is written as. */
#include "certmgr/profile.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  char *text = fuzz_text(&in, size);
  char written[CM_PROFILE_TEXT_MAX];
  const char *reason = NULL;
  cm_profile profile, again;

  if (cm_profile_parse(&profile, text, &reason) == 0) {
    cm_promise promise;
    int n;

    FUZZ_CHECK(cm_profile_check(&profile) == NULL);
    cm_profile_promise(&promise, &profile);
    FUZZ_CHECK(promise.cached > 0);
    FUZZ_CHECK(cm_profile_validity(&profile) > 0 &&
               cm_profile_validity(&profile) <= 1209599);
    FUZZ_CHECK(cm_profile_name(&profile) != NULL);
    n = cm_profile_text(written, sizeof(written), &profile);
    FUZZ_CHECK(n > 0 && strlen(written) == (size_t)n);
    FUZZ_CHECK(cm_profile_parse(&again, written, &reason) == 0);
    FUZZ_CHECK(memcmp(&profile, &again, sizeof(profile)) == 0);
  } else {
    FUZZ_CHECK(reason != NULL && *reason != '\0');
  }
  free(text);
  return 0;
}
