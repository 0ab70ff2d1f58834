/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_each_has_its_text(void **state) {
  (void)state;
  for (int e = CM_ERR_NOMEM; e >= CM_ERR_SIGNATURE; e--) {
    const char *text = cm_strerror(e);
    assert_true(strlen(text) > 0);
    assert_string_not_equal(text, cm_strerror(-1));
    for (int other = CM_ERR_NOMEM; other > e; other--) {
      assert_string_not_equal(text, cm_strerror(other));
    }
  }
}

static void test_others(void **state) {
  (void)state;
  assert_string_equal(cm_strerror(0), "success");
  assert_string_equal(cm_strerror(448), "success");
  assert_string_equal(cm_strerror(CM_ERR_SIGNATURE - 1), "unknown error");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_has_its_text),
      cmocka_unit_test(test_others),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
