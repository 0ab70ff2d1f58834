/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/path_guard.h"

#include "server/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct place {
  udp_address local, remote;
  ngtcp2_path path;
} place;

static void at(place *p, uint16_t port) {
  memset(p, 0, sizeof(*p));
  assert_int_equal(udp_address_parse(&p->local, "192.0.2.1", 4433), 0);
  assert_int_equal(udp_address_parse(&p->remote, "198.51.100.7", port), 0);
  ngtcp2_addr_init(&p->path.local, &p->local.sa, sizeof(p->local.in));
  ngtcp2_addr_init(&p->path.remote, &p->remote.sa, sizeof(p->remote.in));
}

static void test_nothing_to_guard(void **state) {
  path_guard guard = {0};
  place a;
  (void)state;

  at(&a, 1);
  path_guard_sent(&guard, &a.path, 100000);
  path_guard_received(&guard, &a.path, &a.path, 10);
  assert_false(path_guard_blocks(&guard, &a.path));
}

static void test_three_times_what_came(void **state) {
  path_guard guard = {0};
  place a, b;
  (void)state;

  at(&a, 1);
  at(&b, 2);
  path_guard_begin(&guard, &b.path, &b.path);
  path_guard_received(&guard, &b.path, &b.path, 40);
  assert_false(path_guard_blocks(&guard, &b.path));
  path_guard_sent(&guard, &b.path, 119);
  assert_false(path_guard_blocks(&guard, &b.path));
  path_guard_sent(&guard, &b.path, 1);
  assert_true(path_guard_blocks(&guard, &b.path));
  /* Back where it came from, it may say what it likes. */
  assert_false(path_guard_blocks(&guard, &a.path));
  path_guard_received(&guard, &b.path, &b.path, 1);
  assert_false(path_guard_blocks(&guard, &b.path));
}

static void test_until_it_is_validated(void **state) {
  path_guard guard = {0};
  place a, b;
  (void)state;

  at(&a, 1);
  at(&b, 2);
  path_guard_begin(&guard, &b.path, &b.path);
  assert_true(path_guard_blocks(&guard, &b.path));
  /* Another one's end is not this one's. */
  path_guard_end(&guard, &a.path);
  assert_true(path_guard_blocks(&guard, &b.path));
  path_guard_end(&guard, &b.path);
  assert_false(path_guard_blocks(&guard, &b.path));
  /* Where it came from is looked at, too, and is not where it sends. */
  path_guard_begin(&guard, &a.path, &b.path);
  assert_false(path_guard_blocks(&guard, &a.path));
  assert_false(path_guard_blocks(&guard, &b.path));
}

/* PATH_CHALLENGE was shorter than 1200 octets for want of allowance: when it is
   answered, the path is validated and asked again for its MTU. */
static void test_twice_the_same(void **state) {
  path_guard guard = {0};
  place b;
  (void)state;

  at(&b, 2);
  path_guard_begin(&guard, &b.path, &b.path);
  path_guard_begin(&guard, &b.path, &b.path);
  assert_false(path_guard_blocks(&guard, &b.path));
}

static void test_begins_anew(void **state) {
  path_guard guard = {0};
  place b, c;
  (void)state;

  at(&b, 2);
  at(&c, 3);
  path_guard_begin(&guard, &b.path, &b.path);
  path_guard_received(&guard, &b.path, &b.path, 1000);
  path_guard_end(&guard, &b.path);
  path_guard_begin(&guard, &c.path, &c.path);
  assert_true(path_guard_blocks(&guard, &c.path));
  path_guard_received(&guard, &b.path, &c.path, 100);
  assert_true(path_guard_blocks(&guard, &c.path));
  path_guard_end(&guard, &c.path);
  path_guard_begin(&guard, &b.path, &b.path);
  assert_true(path_guard_blocks(&guard, &b.path));
}

/* A client that goes knowingly sends PATH_CHALLENGE first. */
static void test_probed_before(void **state) {
  path_guard guard = {0};
  place a, b, c;
  (void)state;

  at(&a, 1);
  at(&b, 2);
  at(&c, 3);
  /* Neither of these is a challenge on a new path. */
  path_guard_received(&guard, &a.path, &a.path, 1200);
  path_guard_received(&guard, &b.path, &a.path, 1199);
  path_guard_begin(&guard, &b.path, &b.path);
  assert_true(path_guard_blocks(&guard, &b.path));
  path_guard_end(&guard, &b.path);

  path_guard_received(&guard, &c.path, &a.path, 1200);
  path_guard_sent(&guard, &c.path, 1200);
  path_guard_begin(&guard, &c.path, &c.path);
  path_guard_received(&guard, &c.path, &c.path, 40);
  path_guard_sent(&guard, &c.path, 2519);
  assert_false(path_guard_blocks(&guard, &c.path));
  path_guard_sent(&guard, &c.path, 1);
  assert_true(path_guard_blocks(&guard, &c.path));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_to_guard),
      cmocka_unit_test(test_three_times_what_came),
      cmocka_unit_test(test_until_it_is_validated),
      cmocka_unit_test(test_twice_the_same),
      cmocka_unit_test(test_begins_anew),
      cmocka_unit_test(test_probed_before),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
