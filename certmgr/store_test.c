/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[CM_STORE_KEY_LEN] = "a key of no importance at all.";

static void test_round_trip(void **state) {
  static uint8_t big[CM_STORE_BODY_MAX + 1];
  static uint8_t slot[sizeof(big) + CM_STORE_OVERHEAD];
  static const size_t lengths[] = {0, 1, 4096, CM_STORE_BODY_MAX};
  const uint8_t *body;
  uint64_t seq;
  size_t len;

  (void)state;
  for (size_t i = 0; i < sizeof(big); i++) {
    big[i] = (uint8_t)(i * 7);
  }
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    int n =
        cm_store_seal(slot, sizeof(slot), key, UINT64_MAX - i, big, lengths[i]);
    assert_int_equal(n, lengths[i] + CM_STORE_OVERHEAD);
    assert_int_equal(cm_store_unseal(slot, (size_t)n, key, &seq, &body, &len),
                     0);
    assert_true(seq == UINT64_MAX - i);
    assert_int_equal(len, lengths[i]);
    assert_memory_equal(body, big, len);
    assert_int_equal(cm_store_seal(slot, (size_t)n - 1, key, 1, big, len),
                     CM_ERR_NOBUF);
  }
  assert_int_equal(cm_store_seal(slot, sizeof(slot), key, 1, big, sizeof(big)),
                   CM_ERR_NOBUF);
}

/* Every bit, every length, and another key: never accepted. */
static void test_damage(void **state) {
  uint8_t slot[300 + CM_STORE_OVERHEAD + 1] = {0}, other[CM_STORE_KEY_LEN];
  const uint8_t zeros[300] = {0};
  const uint8_t *body;
  uint64_t seq;
  size_t len;
  int n = cm_store_seal(slot, sizeof(slot), key, 3, zeros, sizeof(zeros));

  (void)state;
  assert_int_equal(n, 300 + CM_STORE_OVERHEAD);
  for (int bit = 0; bit < 8 * n; bit++) {
    slot[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(cm_store_unseal(slot, (size_t)n, key, &seq, &body, &len),
                     CM_ERR_STORE_BAD);
    slot[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  for (int i = 0; i <= n + 1; i++) {
    assert_int_equal(cm_store_unseal(slot, (size_t)i, key, &seq, &body, &len),
                     i == n ? 0 : CM_ERR_STORE_BAD);
  }
  memcpy(other, key, sizeof(other));
  other[31] ^= 1;
  assert_int_equal(cm_store_unseal(slot, (size_t)n, other, &seq, &body, &len),
                   CM_ERR_STORE_BAD);
}

/* The format is fixed: what is on a disk today can be read tomorrow. */
static void test_golden(void **state) {
  static const uint8_t head[] = {'F', 'N', 'S', 'T', 'O', 'R', 'E', 0,   1,
                                 0,   0,   0,   3,   0,   0,   0,   2,   1,
                                 0,   0,   0,   0,   0,   0,   'a', 'b', 'c'};
  uint8_t slot[64 + CM_STORE_OVERHEAD];

  (void)state;
  assert_int_equal(
      cm_store_seal(slot, sizeof(slot), key, 0x102, (const uint8_t *)"abc", 3),
      3 + CM_STORE_OVERHEAD);
  assert_memory_equal(slot, head, sizeof(head));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_damage),
      cmocka_unit_test(test_golden),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
