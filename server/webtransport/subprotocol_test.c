/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webtransport/subprotocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const offered[] = {"chat.v1", "chat.v2", "a\"b\\c", "",
                                      NULL};

typedef struct choice {
  const char *available;
  const char *chosen; /* NULL: none */
} choice;

static const choice choices[] = {
    {NULL, NULL},
    {"", NULL},
    {"   ", NULL},
    {"\"chat.v1\"", "chat.v1"},
    {"\"chat.v2\", \"chat.v1\"", "chat.v2"},
    {"\"x\",\"chat.v1\"", "chat.v1"},
    {"\"x\"\t , \t\"chat.v1\"", "chat.v1"},
    {"  \"chat.v1\"  ", "chat.v1"},
    {"\"chat.v3\"", NULL},
    {"\"chat.v\"", NULL},
    {"\"chat.v11\"", NULL},
    {"\"Chat.v1\"", NULL},
    {"\"\"", ""},
    {"\"a\\\"b\\\\c\"", "a\"b\\c"},
    /* Parameters are read over. */
    {"\"chat.v1\";q=0.5", "chat.v1"},
    {"\"x\";a;b=?1;c=tok/en;d=\"s;,\";e=:YQ==:;f=-12;g=@1659578233;"
     "h=%\"f%c3%bc\";*k=*t, \"chat.v1\"",
     "chat.v1"},
    {"\"chat.v1\"; a=1", "chat.v1"},
    /* Not a List of nothing but Strings: ignored, all of it. */
    {"chat.v1", NULL},
    {"\"chat.v1\", chat.v2", NULL},
    {"\"chat.v1\", 1", NULL},
    {"\"chat.v1\", ?1", NULL},
    {"\"chat.v1\", (\"chat.v2\")", NULL},
    {"\"chat.v1\", :YQ==:", NULL},
    {"\"chat.v1\", @1659578233", NULL},
    {"\"chat.v1\", %\"x\"", NULL},
    /* Malformed. */
    {"\"chat.v1", NULL},
    {"\"chat.v1\",", NULL},
    {"\"chat.v1\", ", NULL},
    {",\"chat.v1\"", NULL},
    {"\"chat.v1\",,\"chat.v2\"", NULL},
    {"\"chat.v1\" \"chat.v2\"", NULL},
    {"\"chat.v1\"x", NULL},
    {"\"chat.v1\" ;a", NULL},
    {"\"chat.v1\";", NULL},
    {"\"chat.v1\";A=1", NULL},
    {"\"chat.v1\";a=", NULL},
    {"\"chat.v1\";a=1.", NULL},
    {"\"chat.v1\";a=1.1234", NULL},
    {"\"chat.v1\";a=-", NULL},
    {"\"chat.v1\";a=1234567890123456", NULL},
    {"\"chat.v1\";a=?2", NULL},
    {"\"chat.v1\";a=:YQ", NULL},
    {"\"chat.v1\";a=\"x", NULL},
    {"\"chat.v1\";a=%x", NULL},
    {"\"chat.v1\";a=%\"%C3\"", NULL},
    {"\"chat.v1\";a=%\"x", NULL},
    {"\"chat.v1\\x\"", NULL},
    {"\"chat.v1\\", NULL},
    {"\"chat.v1\", \"\x01\"", NULL},
    {"\"chat.v1\", \"\x7f\"", NULL},
    {"\"chat.v1\", \"\xc3\xbc\"", NULL},
};

static void test_choose(void **state) {
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(choices) / sizeof(choices[0]); ++i) {
    const char *chosen = wt_subprotocol_choose(choices[i].available, offered);

    if (!choices[i].chosen) {
      if (chosen) {
        print_error("%s\n", choices[i].available);
      }
      assert_null(chosen);
    } else {
      assert_non_null(chosen);
      assert_string_equal(chosen, choices[i].chosen);
    }
  }
  assert_null(wt_subprotocol_choose("\"chat.v1\"", NULL));
  assert_null(wt_subprotocol_choose("\"chat.v1\"", offered + 4));
}

/* Each piece of a good field: no octet beyond its end is read, as ASAN sees. */
static void test_cut(void **state) {
  static const char field[] =
      "\"x\";a=\"y\\\\\";b=:YQ==:;c=%\"%c3\", \"chat.v1\"";
  size_t len;

  (void)state;
  for (len = 0; len < sizeof(field); ++len) {
    char *piece = malloc(len + 1);

    assert_non_null(piece);
    memcpy(piece, field, len);
    piece[len] = '\0';
    if (len == sizeof(field) - 1) {
      assert_non_null(wt_subprotocol_choose(piece, offered));
    } else {
      assert_null(wt_subprotocol_choose(piece, offered));
    }
    free(piece);
  }
}

static void test_write(void **state) {
  char text[16];

  (void)state;
  assert_int_equal(wt_subprotocol_write(text, sizeof(text), "chat.v1"), 9);
  assert_string_equal(text, "\"chat.v1\"");
  assert_int_equal(wt_subprotocol_write(text, sizeof(text), "a\"b\\c"), 9);
  assert_string_equal(text, "\"a\\\"b\\\\c\"");
  assert_string_equal(wt_subprotocol_choose(text, offered), "a\"b\\c");
  assert_int_equal(wt_subprotocol_write(text, sizeof(text), ""), 2);
  assert_string_equal(text, "\"\"");
  assert_int_equal(wt_subprotocol_write(text, sizeof(text), "\xc3\xbc"), -1);
  assert_int_equal(wt_subprotocol_write(text, sizeof(text), "a\nb"), -1);
  assert_int_equal(wt_subprotocol_write(text, 3, ""), -1);
  assert_int_equal(wt_subprotocol_write(text, sizeof(text), "123456789012345"),
                   -1);
  assert_int_equal(
      wt_subprotocol_write(text, sizeof(text), "\"\"\"\"\"\"\"\"\""), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_choose),
      cmocka_unit_test(test_cut),
      cmocka_unit_test(test_write),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
