/* SPDX-License-Identifier: Apache-2.0 */
#include "server/varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct vector {
  uint64_t value;
  size_t len;
  uint8_t octets[VARINT_LEN_MAX];
} vector;

/* RFC 9000 appendix A.1, and both sides of each border. */
static const vector vectors[] = {
    {UINT64_C(151288809941952652),
     8,
     {0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}},
    {494878333, 4, {0x9d, 0x7f, 0x3e, 0x7d}},
    {15293, 2, {0x7b, 0xbd}},
    {37, 1, {0x25}},
    {0, 1, {0x00}},
    {63, 1, {0x3f}},
    {64, 2, {0x40, 0x40}},
    {16383, 2, {0x7f, 0xff}},
    {16384, 4, {0x80, 0x00, 0x40, 0x00}},
    {1073741823, 4, {0xbf, 0xff, 0xff, 0xff}},
    {1073741824, 8, {0xc0, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00}},
    {VARINT_MAX, 8, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
};

#define NVECTORS (sizeof(vectors) / sizeof(vectors[0]))

static void test_vectors(void **state) {
  (void)state;
  for (size_t i = 0; i < NVECTORS; i++) {
    const vector *v = &vectors[i];
    uint8_t buf[VARINT_LEN_MAX + 1];
    uint64_t value = 0;

    memset(buf, 0xaa, sizeof(buf));
    assert_int_equal(varint_len(v->value), v->len);
    assert_int_equal(varint_len_of(v->octets[0]), v->len);
    assert_int_equal(varint_put(buf, sizeof(buf), v->value), v->len);
    assert_memory_equal(buf, v->octets, v->len);
    assert_int_equal(buf[v->len], 0xaa);
    assert_int_equal(varint_get(&value, v->octets, v->len), v->len);
    assert_true(value == v->value);
  }
}

static void test_too_little_room(void **state) {
  (void)state;
  for (size_t i = 0; i < NVECTORS; i++) {
    const vector *v = &vectors[i];
    for (size_t room = 0; room < v->len; room++) {
      uint8_t buf[VARINT_LEN_MAX];
      uint64_t value = 4711;

      memset(buf, 0xaa, sizeof(buf));
      assert_int_equal(varint_put(buf, room, v->value), 0);
      for (size_t j = 0; j < sizeof(buf); j++) {
        assert_int_equal(buf[j], 0xaa);
      }
      assert_int_equal(varint_get(&value, v->octets, room), 0);
      assert_true(value == 4711);
    }
  }
}

static void test_longer_forms_are_read(void **state) {
  static const uint8_t two[] = {0x40, 0x25};
  static const uint8_t eight[] = {0xc0, 0, 0, 0, 0, 0, 0, 0x25};
  uint64_t value = 0;

  (void)state;
  assert_int_equal(varint_get(&value, two, sizeof(two)), 2);
  assert_true(value == 37);
  value = 0;
  assert_int_equal(varint_get(&value, eight, sizeof(eight)), 8);
  assert_true(value == 37);
}

static void test_too_large(void **state) {
  uint8_t buf[16];

  (void)state;
  assert_int_equal(varint_len(VARINT_MAX + 1), 0);
  assert_int_equal(varint_put(buf, sizeof(buf), VARINT_MAX + 1), 0);
  assert_int_equal(varint_put(buf, sizeof(buf), UINT64_MAX), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vectors),
      cmocka_unit_test(test_too_little_room),
      cmocka_unit_test(test_longer_forms_are_read),
      cmocka_unit_test(test_too_large),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
