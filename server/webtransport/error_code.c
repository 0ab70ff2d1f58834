/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webtransport/error_code.h"

uint64_t wt_error_to_h3(uint32_t code) {
  /* One reserved codepoint is skipped after every 0x1e codes. */
  return WT_APPLICATION_ERROR_FIRST + code + code / 0x1e;
}

int h3_error_to_wt(uint64_t h3_code, uint32_t *code) {
  uint64_t shifted;

  if (h3_code < WT_APPLICATION_ERROR_FIRST ||
      h3_code > WT_APPLICATION_ERROR_LAST || (h3_code - 0x21) % 0x1f == 0) {
    return -1;
  }
  shifted = h3_code - WT_APPLICATION_ERROR_FIRST;
  *code = (uint32_t)(shifted - shifted / 0x1f);
  return 0;
}
