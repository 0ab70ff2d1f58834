/* SPDX-License-Identifier: Apache-2.0 */
/* In a folder, and in files that are written in place (tests/unit). */
#include "server/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <emscripten/em_js.h>

/* clang-format off */
EM_JS(void, js_begin, (int in_place), { Module.testStore.begin(in_place); });
EM_JS(void, js_end, (void), { Module.testStore.end(); });
EM_JS(int, js_open, (void), { return Module.testStore.open(); });
EM_JS(void, js_close, (void), { Module.testStore.close(); });
EM_JS(int, js_size, (const char *name), {
  return Module.testStore.read(UTF8ToString(name))?.length ?? -1;
});
EM_JS(void, js_flip, (const char *name, int bit), {
  Module.testStore.flip(UTF8ToString(name), bit);
});
EM_JS(void, js_cut, (const char *name, int size), {
  Module.testStore.cut(UTF8ToString(name), size);
});
EM_JS(void, js_throw, (const char *name), {
  Module.testStore.fail(UTF8ToString(name));
});
EM_JS_DEPS(keys_web_test, "$UTF8ToString");
/* clang-format on */

static int setup_folder(void **state) {
  (void)state;
  js_begin(0);
  return js_open();
}

static int setup_in_place(void **state) {
  (void)state;
  js_begin(1);
  return js_open();
}

static int teardown(void **state) {
  (void)state;
  js_close();
  js_end();
  return 0;
}

static void open_keys(quic_endpoint_keys *keys, const char *level,
                      const char *words) {
  keys_note note;

  assert_int_equal(keys_open(keys, "state", &cm_random_system, &note), 0);
  if (level) {
    assert_string_equal(note.level, level);
    assert_non_null(strstr(note.text, words));
  } else {
    assert_null(note.level);
  }
}

static void test_kept(void **state) {
  quic_endpoint_keys first, again;

  (void)state;
  open_keys(&first, "info", "is new");
  assert_int_equal(js_size(QUIC_KEYS_FILE), QUIC_KEYS_LEN);
  js_close();
  assert_int_equal(js_open(), 0);
  open_keys(&again, NULL, NULL);
  assert_memory_equal(&first, &again, sizeof(first));
}

static void test_damaged(void **state) {
  quic_endpoint_keys first, again;
  int bit;

  (void)state;
  for (bit = 0; bit < 8 * QUIC_KEYS_LEN; bit += 41) {
    open_keys(&first, bit ? NULL : "info", "is new");
    js_flip(QUIC_KEYS_FILE, bit);
    open_keys(&again, "warning", "was damaged");
    assert_memory_not_equal(&first, &again, sizeof(first));
  }
  js_cut(QUIC_KEYS_FILE, QUIC_KEYS_LEN - 1);
  open_keys(&first, "warning", "was damaged");
  open_keys(&again, NULL, NULL);
  assert_memory_equal(&first, &again, sizeof(first));
}

static void test_refused(void **state) {
  quic_endpoint_keys keys;

  (void)state;
  js_throw("QuotaExceededError");
  open_keys(&keys, "warning", "are not kept");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_kept, setup_folder, teardown),
      cmocka_unit_test_setup_teardown(test_kept, setup_in_place, teardown),
      cmocka_unit_test_setup_teardown(test_damaged, setup_folder, teardown),
      cmocka_unit_test_setup_teardown(test_damaged, setup_in_place, teardown),
      cmocka_unit_test_setup_teardown(test_refused, setup_in_place, teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
