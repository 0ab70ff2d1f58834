/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store over both of its backends: a real folder on Node, and files that
 * are written in place as OPFS has them (tests/unit/opfs.mjs), of which any
 * write can fail half-way.
 */
#include "certmgr/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <emscripten/em_js.h>

/* clang-format off */
/* Begins with nothing stored; in a folder, or in place. */
EM_JS(void, js_begin, (int in_place), { Module.testStore.begin(in_place); });
EM_JS(void, js_end, (void), { Module.testStore.end(); });
/* What a new process would do first; 0, or 1 if somebody has it. */
EM_JS(int, js_open, (void), { return Module.testStore.open(); });
EM_JS(void, js_close, (void), { Module.testStore.close(); });
EM_JS(int, js_size, (const char *name), {
  return Module.testStore.read(UTF8ToString(name))?.length ?? -1;
});
EM_JS(void, js_flip, (const char *name, int bit), {
  Module.testStore.flip(UTF8ToString(name), bit);
});
EM_JS(void, js_remove, (const char *name), {
  Module.testStore.remove(UTF8ToString(name));
});
EM_JS(void, js_cut, (const char *name, int size), {
  Module.testStore.cut(UTF8ToString(name), size);
});
/* The |call|-th write, truncation or flush from now on does half its work and
   fails; only in place. */
EM_JS(void, js_fail_at, (int call), { Module.testStore.disk.failAt = call; });
EM_JS(void, js_take_calls, (char *dest, int destlen), {
  stringToUTF8(Module.testStore.disk.calls, dest, destlen);
  Module.testStore.disk.calls = "";
});
/* All that is asked of JavaScript throws an exception of that name. */
EM_JS(void, js_throw, (const char *name), {
  Module.testStore.fail(UTF8ToString(name));
});
EM_JS_DEPS(store_web_test, "$UTF8ToString,$stringToUTF8");
/* clang-format on */

static int in_place;

static int setup_folder(void **state) {
  (void)state;
  in_place = 0;
  js_begin(in_place);
  return 0;
}

static int setup_in_place(void **state) {
  (void)state;
  in_place = 1;
  js_begin(in_place);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  js_end();
  return 0;
}

static cm_store *open_store(void) {
  cm_store *store;

  assert_int_equal(js_open(), 0);
  assert_int_equal(cm_store_open_web(&store, &cm_random_system), 0);
  return store;
}

static void close_store(cm_store *store) {
  cm_store_close(store);
  js_close();
}

static void save(cm_store *store, const char *text) {
  assert_int_equal(
      cm_store_save(store, (const uint8_t *)text, strlen(text) + 1), 0);
}

static const char *load(cm_store *store) {
  static char text[CM_STORE_BODY_MAX];
  size_t len;

  assert_int_equal(cm_store_load(store, (uint8_t *)text, sizeof(text), &len),
                   0);
  if (len == 0) {
    return "";
  }
  assert_int_equal(text[len - 1], '\0');
  return text;
}

static void assert_stored(const char *text) {
  cm_store *store = open_store();

  assert_string_equal(load(store), text);
  close_store(store);
}

/* A store with two generations. */
static void prepare(void) {
  cm_store *store = open_store();

  assert_string_equal(load(store), "");
  save(store, "older");
  save(store, "old");
  close_store(store);
}

static void test_turns(void **state) {
  cm_store *store = open_store();
  static uint8_t body[CM_STORE_BODY_MAX + 1];
  size_t len;

  (void)state;
  /* Nothing is written before it is known what there is. */
  assert_int_equal(cm_store_save(store, (const uint8_t *)"x", 1),
                   CM_ERR_INVALID);
  assert_string_equal(load(store), "");
  for (int i = 0; i < 20; i++) {
    char text[64];
    /* Longer and shorter ones in turn. */
    snprintf(text, sizeof(text), "body %d%s", i, i % 3 ? "" : " is longer");
    save(store, text);
    if (i % 3 == 0) {
      close_store(store);
      assert_stored(text);
      store = open_store();
    }
    assert_string_equal(load(store), text);
  }
  memset(body, 'x', sizeof(body));
  assert_int_equal(cm_store_save(store, body, sizeof(body)), CM_ERR_NOBUF);
  assert_int_equal(cm_store_save(store, body, CM_STORE_BODY_MAX), 0);
  assert_int_equal(cm_store_load(store, body, 3, &len), CM_ERR_NOBUF);
  assert_int_equal(cm_store_load(store, body, sizeof(body), &len), 0);
  assert_int_equal(len, CM_STORE_BODY_MAX);
  close_store(store);
  assert_int_equal(js_size("key"), CM_STORE_KEY_LEN);
  cm_store_close(NULL);
}

/* Who has the files has them alone. */
static void test_lock(void **state) {
  cm_store *store = open_store();

  (void)state;
  assert_int_equal(js_open(), 1);
  assert_string_equal(load(store), "");
  save(store, "one");
  close_store(store);
  assert_stored("one");
}

/* Every bit of the newest slot. */
static void test_bit_flips(void **state) {
  (void)state;
  for (int bit = 0; bit < 8 * (4 + CM_STORE_OVERHEAD); bit++) {
    cm_store *store;

    prepare();
    js_flip("state.1", bit);
    store = open_store();
    assert_string_equal(load(store), "older");
    assert_int_equal(store->bad, 1);
    assert_non_null(strstr(store->message, "state.1.bad"));
    assert_int_equal(js_size("state.1.bad"), 4 + CM_STORE_OVERHEAD);
    assert_int_equal(js_size("state.1"), -1);
    save(store, "mended");
    assert_string_equal(load(store), "mended");
    close_store(store);
    js_end();
    js_begin(in_place);
  }
}

static void test_bad(void **state) {
  uint8_t body[16];
  cm_store *store;
  size_t len;

  (void)state;
  prepare();
  js_cut("state.0", 30);
  js_cut("state.1", CM_STORE_BODY_MAX + CM_STORE_OVERHEAD + 9);
  store = open_store();
  assert_int_equal(cm_store_load(store, body, sizeof(body), &len),
                   CM_ERR_STORE_BAD);
  assert_int_equal(store->bad, 2);
  close_store(store);
  /* However often it is tried, until somebody says otherwise. */
  store = open_store();
  assert_int_equal(cm_store_load(store, body, sizeof(body), &len),
                   CM_ERR_STORE_BAD);
  assert_non_null(strstr(store->message, "to begin anew"));
  close_store(store);
  js_remove("state.0.bad");
  js_remove("state.1.bad");
  store = open_store();
  assert_string_equal(load(store), "");
  save(store, "anew");
  close_store(store);
  assert_stored("anew");
  /* A key that is cut off is not used. */
  js_cut("key", 31);
  assert_int_equal(js_open(), 0);
  assert_int_equal(cm_store_open_web(&store, &cm_random_system),
                   CM_ERR_STORE_BAD);
  assert_non_null(strstr(store->message, "key of the state folder is damaged"));
  close_store(store);
  /* Nor is one that is missing replaced. */
  js_remove("key");
  assert_int_equal(js_open(), 0);
  assert_int_equal(cm_store_open_web(&store, &cm_random_system),
                   CM_ERR_STORE_BAD);
  assert_non_null(strstr(store->message, "key of the state folder is missing"));
  assert_int_equal(js_size("key"), -1);
  close_store(store);
}

/* With nothing behind it, it is one that was cut off when it was made. */
static void test_key_cut_off(void **state) {
  cm_store *store = open_store();

  (void)state;
  close_store(store);
  js_cut("key", 5);
  store = open_store();
  assert_string_equal(load(store), "");
  save(store, "one");
  close_store(store);
  assert_stored("one");
}

/* The first save of all, cut off: there was nothing before it, and nobody has
   heard of what it was. */
static void test_first_cut_off(void **state) {
  cm_store *store = open_store();

  (void)state;
  assert_string_equal(load(store), "");
  save(store, "one");
  close_store(store);
  js_cut("state.0", 30);
  assert_stored("");
  store = open_store();
  assert_string_equal(load(store), "");
  assert_int_equal(store->bad, 0);
  save(store, "again");
  close_store(store);
  assert_stored("again");
}

static int no_random(void *user, uint8_t *dest, size_t len) {
  (void)user;
  (void)dest;
  (void)len;
  return -1;
}

static void test_random_fails(void **state) {
  const cm_random random = {no_random, NULL};
  cm_store *store;

  (void)state;
  assert_int_equal(js_open(), 0);
  assert_int_equal(cm_store_open_web(&store, &random), CM_ERR_RANDOM);
  assert_int_equal(js_size("key"), -1);
  close_store(store);
}

/* Written over what was there, then cut, then flushed. */
static void test_order(void **state) {
  cm_store *store;
  char calls[32];

  (void)state;
  prepare();
  store = open_store();
  (void)load(store);
  js_take_calls(calls, sizeof(calls));
  save(store, "new");
  js_take_calls(calls, sizeof(calls));
  assert_string_equal(calls, "wtf");
  close_store(store);
}

/* Each change of the disk is the last one, or fails: the old state or the new
   one, an error if it was told, and the next save succeeds. */
static void test_torn(void **state) {
  static const char *const bodies[] = {"new", "a new one that is longer"};

  (void)state;
  for (int b = 0; b < 2; b++) {
    for (int crash = 0; crash < 2; crash++) {
      int rv = -1;

      for (int point = 1; rv != 0; point++) {
        cm_store *store;
        const char *text;

        prepare();
        store = open_store();
        (void)load(store);
        js_fail_at(point);
        rv = cm_store_save(store, (const uint8_t *)bodies[b],
                           strlen(bodies[b]) + 1);
        js_fail_at(0);
        assert_true(rv == 0 || rv == CM_ERR_STORE);
        assert_int_equal(rv != 0, store->message[0] != '\0');
        assert_true(rv == 0 || strstr(store->message, "no room") != NULL);
        if (!crash) {
          save(store, "retried");
          assert_string_equal(load(store), "retried");
        }
        close_store(store);
        store = open_store();
        text = load(store);
        if (crash) {
          assert_true(strcmp(text, bodies[b]) == 0 ||
                      (rv != 0 && strcmp(text, "old") == 0));
        } else {
          assert_string_equal(text, "retried");
        }
        save(store, "next");
        close_store(store);
        assert_stored("next");
        js_end();
        js_begin(in_place);
        assert_true(point < 10);
      }
    }
  }
}

static void test_exceptions(void **state) {
  static const struct {
    const char *name;
    int error;
  } cases[] = {
      {"QuotaExceededError", CM_ERR_STORE},
      {"InvalidStateError", CM_ERR_STORE},
      {"TypeError", CM_ERR_STORE},
      {"NoModificationAllowedError", CM_ERR_STORE_LOCKED},
      {"EIO", CM_ERR_STORE},
      {"EACCES", CM_ERR_STORE_PERMISSIONS},
      {"EWOULDBLOCK", CM_ERR_STORE_LOCKED},
      {"undefined", CM_ERR_STORE},
  };

  (void)state;
  prepare();
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    cm_store *store = open_store(), *other;
    uint8_t body[16];
    size_t len;

    assert_string_equal(load(store), "old");
    js_throw(cases[i].name);
    assert_int_equal(cm_store_save(store, (const uint8_t *)"x", 2),
                     cases[i].error);
    assert_int_not_equal(store->message[0], '\0');
    assert_int_equal(cm_store_load(store, body, sizeof(body), &len),
                     cases[i].error);
    assert_int_equal(len, 0);
    assert_int_equal(cm_store_open_web(&other, &cm_random_system),
                     cases[i].error);
    assert_int_not_equal(other->message[0], '\0');
    cm_store_close(other);
    js_throw("");
    assert_string_equal(load(store), "old");
    close_store(store);
  }
  assert_stored("old");
}

/* Nothing was handed in, or it is closed already. */
static void test_none(void **state) {
  cm_store *store;

  (void)state;
  assert_int_equal(cm_store_open_web(&store, &cm_random_system), CM_ERR_STORE);
  assert_non_null(strstr(store->message, "opened first"));
  cm_store_close(store);
  store = open_store();
  (void)load(store);
  js_close();
  assert_int_equal(cm_store_save(store, (const uint8_t *)"x", 2), CM_ERR_STORE);
  cm_store_close(store);
}

#define FOLDER(name)                                                           \
  cmocka_unit_test_setup_teardown(name, setup_folder, teardown)
#define IN_PLACE(name)                                                         \
  cmocka_unit_test_setup_teardown(name, setup_in_place, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      FOLDER(test_turns),         IN_PLACE(test_turns),
      FOLDER(test_lock),          IN_PLACE(test_lock),
      FOLDER(test_bit_flips),     IN_PLACE(test_bit_flips),
      FOLDER(test_bad),           IN_PLACE(test_bad),
      IN_PLACE(test_key_cut_off), IN_PLACE(test_order),
      FOLDER(test_first_cut_off), IN_PLACE(test_first_cut_off),
      IN_PLACE(test_torn),        FOLDER(test_exceptions),
      FOLDER(test_random_fails),  FOLDER(test_none),
      IN_PLACE(test_none),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
