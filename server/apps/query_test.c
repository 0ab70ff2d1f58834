/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/query.h"

#include "tests/sim/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct query_case {
  const char *path, *name;
  /* NULL: not there. */
  const char *value;
} query_case;

static const query_case cases[] = {
    {"/echo", "a", NULL},
    {"/echo?", "a", NULL},
    {"/echo?a", "a", NULL},
    {"/echo?a=", "a", ""},
    {"/echo?a=1", "a", "1"},
    {"/echo?a=1", "b", NULL},
    {"/echo?a=1&b=2&c=3", "a", "1"},
    {"/echo?a=1&b=2&c=3", "b", "2"},
    {"/echo?a=1&b=2&c=3", "c", "3"},
    {"/echo?&&a=1&", "a", "1"},
    {"/echo?ab=1&a=2", "a", "2"},
    {"/echo?a=1&ab=2", "ab", "2"},
    {"/echo?ba=1", "a", NULL},
    {"/echo?b=a=1", "a", NULL},
    {"/echo?a=b=c", "a", "b=c"},
    /* The first counts. */
    {"/echo?a=1&a=2", "a", "1"},
    {"/echo?a=x?y&b=1", "b", "1"},
    {"/a=1?b=2", "a", NULL},
    {"?a=1", "a", "1"},
    {"", "a", NULL},
    /* Percent and plus. */
    {"/echo?a=one+two%20three", "a", "one two three"},
    {"/echo?a=%41%6a%6A", "a", "Ajj"},
    {"/echo?a=%26%3D%25%2B", "a", "&=%+"},
    {"/echo?a=f%C3%BCr", "a", "f\xc3\xbcr"},
    /* What is no escape is itself; it does not reach into what follows. */
    {"/echo?a=100%", "a", "100%"},
    {"/echo?a=%4", "a", "%4"},
    {"/echo?a=%4&b=1", "a", "%4"},
    {"/echo?a=%&41=1", "a", "%"},
    {"/echo?a=%zz%4g", "a", "%zz%4g"},
    {"/echo?a=%%41", "a", "%A"},
    {"/echo?a=%2541", "a", "%41"},
    /* A NUL would cut it short. */
    {"/echo?a=x%00y", "a", NULL},
    {"/echo?a=%00", "a", NULL},
};

static void test_cases(void **state) {
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    const query_case *c = &cases[i];
    char value[64];
    int rv = query_get(value, sizeof(value), c->path, c->name);

    if (rv != (c->value ? 0 : -1) || (c->value && strcmp(value, c->value))) {
      fail_msg("%s of %s: %d, %s", c->name, c->path, rv,
               rv == 0 ? value : "nothing");
    }
  }
}

static void test_room(void **state) {
  char value[8];

  (void)state;
  memset(value, 'z', sizeof(value));
  assert_int_equal(query_get(value, 4, "/?a=123", "a"), 0);
  assert_string_equal(value, "123");
  assert_int_equal(value[4], 'z');
  memset(value, 'z', sizeof(value));
  assert_int_equal(query_get(value, 3, "/?a=123", "a"), -1);
  assert_int_equal(value[3], 'z');
  assert_int_equal(query_get(value, 1, "/?a=1", "a"), -1);
  assert_int_equal(query_get(value, 1, "/?a=", "a"), 0);
  assert_string_equal(value, "");
  /* Octets count as decoded. */
  assert_int_equal(query_get(value, 2, "/?a=%41", "a"), 0);
  assert_string_equal(value, "A");
}

/* Whatever is asked, nothing is written behind the room. */
static void test_random(void **state) {
  static const char alphabet[] = "a%&=?+04F/";
  sim_random random;
  size_t found = 0;
  int i;

  (void)state;
  sim_random_seed(&random, 1);
  for (i = 0; i < 20000; ++i) {
    char path[40], value[16];
    size_t len = sim_random_size(&random, sizeof(path)), j;
    size_t room = 1 + sim_random_size(&random, sizeof(value) - 1);

    for (j = 0; j < len; ++j) {
      path[j] = alphabet[sim_random_size(&random, sizeof(alphabet) - 1)];
    }
    path[len] = '\0';
    memset(value, 'z', sizeof(value));
    if (query_get(value, room, path, "a") == 0) {
      ++found;
      assert_true(strlen(value) < room);
    }
    for (j = room; j < sizeof(value); ++j) {
      assert_int_equal(value[j], 'z');
    }
  }
  assert_true(found > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cases),
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_random),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
