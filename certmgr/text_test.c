/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_room(void **state) {
  (void)state;
  for (size_t room = 0; room <= 8; room++) {
    char buf[16];
    cm_text t = {buf, room, 0};

    memset(buf, '#', sizeof(buf));
    cm_text_put(&t, "%s", "abc");
    cm_text_put(&t, "%d", 1234);
    if (room == 8) {
      assert_int_equal(cm_text_end(&t), 7);
      assert_string_equal(buf, "abc1234");
    } else {
      assert_int_equal(cm_text_end(&t), CM_ERR_NOBUF);
      assert_int_equal(buf[0], room > 0 ? '\0' : '#');
    }
    assert_int_equal(buf[room], '#');
  }
}

static void test_empty(void **state) {
  char buf[1] = {'#'};
  cm_text t = {buf, 1, 0};

  (void)state;
  assert_int_equal(cm_text_end(&t), 0);
  assert_int_equal(buf[0], '\0');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_empty),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
