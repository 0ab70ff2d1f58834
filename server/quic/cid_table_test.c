/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/cid_table.h"

#include "tests/sim/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IDS 600

/* Connections are never looked into: places in an array will do. */
static uint8_t places[IDS];

static struct quic_conn *conn_of(size_t i) {
  return (struct quic_conn *)(void *)&places[i];
}

static void *scarce_calloc(size_t nmemb, size_t size, void *user) {
  size_t *left = user;

  if (*left == 0) {
    return NULL;
  }
  --*left;
  return calloc(nmemb, size);
}

static void scarce_free(void *ptr, void *user) {
  (void)user;
  free(ptr);
}

static ngtcp2_mem scarce_mem(size_t *left) {
  const ngtcp2_mem mem = {
      .user_data = left, .free = scarce_free, .calloc = scarce_calloc};

  return mem;
}

/* Different IDs of all lengths; many are the beginning of others. */
static void make_ids(ngtcp2_cid *ids, sim_random *random) {
  size_t i, j;

  for (i = 0; i < IDS;) {
    size_t len = sim_random_size(random, NGTCP2_MAX_CIDLEN + 1);

    memset(&ids[i], 0, sizeof(ids[i]));
    ids[i].datalen = len;
    for (j = 0; j < len; ++j) {
      ids[i].data[j] = (uint8_t)sim_random_below(random, j < 2 ? 256 : 3);
    }
    for (j = 0; j < i && !ngtcp2_cid_eq(&ids[i], &ids[j]); ++j) {
    }
    i += j == i;
  }
}

static void check(const cid_table *table, const ngtcp2_cid *ids,
                  const uint8_t *there) {
  size_t i, count = 0;

  for (i = 0; i < IDS; ++i) {
    assert_ptr_equal(cid_table_find(table, ids[i].data, ids[i].datalen),
                     there[i] ? conn_of(i) : NULL);
    count += there[i];
  }
  assert_int_equal(table->count, count);
}

static void test_against_model(void **state) {
  static ngtcp2_cid ids[IDS];
  static uint8_t there[IDS];
  uint64_t seed;

  (void)state;
  for (seed = 1; seed <= 8; ++seed) {
    size_t left = SIZE_MAX;
    ngtcp2_mem mem = scarce_mem(&left);
    uint8_t key[CID_TABLE_KEYLEN];
    cid_table table;
    sim_random random;
    int op;

    sim_random_seed(&random, seed);
    sim_random_fill(&random, key, sizeof(key));
    if (seed == 1) {
      /* All in few slots: long runs and holes in them. */
      memset(key, 0, sizeof(key));
    }
    make_ids(ids, &random);
    memset(there, 0, sizeof(there));
    cid_table_init(&table, key, &mem);
    check(&table, ids, there);
    cid_table_remove(&table, &ids[0]);
    for (op = 0; op < 6000; ++op) {
      size_t i = sim_random_size(&random, IDS);
      /* It fills, empties, fills. */
      int insert = sim_random_chance(&random, op / 2000 == 1 ? 300000 : 700000);

      if (insert) {
        assert_int_equal(cid_table_insert(&table, &ids[i], conn_of(i)),
                         there[i] ? NGTCP2_ERR_INVALID_STATE : 0);
        there[i] = 1;
      } else {
        cid_table_remove(&table, &ids[i]);
        there[i] = 0;
      }
      if (op % 50 == 0) {
        check(&table, ids, there);
      }
    }
    check(&table, ids, there);
    cid_table_free(&table);
  }
}

static void test_taken(void **state) {
  size_t left = SIZE_MAX;
  ngtcp2_mem mem = scarce_mem(&left);
  const uint8_t key[CID_TABLE_KEYLEN] = {1, 2, 3};
  const uint8_t long_id[NGTCP2_MAX_CIDLEN + 10] = {9};
  cid_table table;
  ngtcp2_cid cid;

  (void)state;
  cid_table_init(&table, key, &mem);
  ngtcp2_cid_init(&cid, (const uint8_t *)"abcdefgh", 8);
  assert_int_equal(cid_table_insert(&table, &cid, conn_of(0)), 0);
  assert_int_equal(cid_table_insert(&table, &cid, conn_of(1)),
                   NGTCP2_ERR_INVALID_STATE);
  assert_ptr_equal(cid_table_find(&table, cid.data, 8), conn_of(0));
  assert_null(cid_table_find(&table, cid.data, 7));
  assert_null(cid_table_find(&table, cid.data, 0));
  /* Longer than any in version 1: nobody's. */
  assert_null(cid_table_find(&table, long_id, sizeof(long_id)));
  cid_table_free(&table);
  assert_null(cid_table_find(&table, cid.data, 8));
}

static void test_no_memory(void **state) {
  static ngtcp2_cid ids[IDS];
  static uint8_t there[IDS];
  size_t fail, reached = 0;

  (void)state;
  for (fail = 0; fail < 6; ++fail) {
    size_t left = fail;
    ngtcp2_mem mem = scarce_mem(&left);
    uint8_t key[CID_TABLE_KEYLEN];
    cid_table table;
    sim_random random;
    size_t i;

    sim_random_seed(&random, fail);
    sim_random_fill(&random, key, sizeof(key));
    make_ids(ids, &random);
    memset(there, 0, sizeof(there));
    cid_table_init(&table, key, &mem);
    for (i = 0; i < IDS; ++i) {
      int rv = cid_table_insert(&table, &ids[i], conn_of(i));

      if (rv != 0) {
        assert_int_equal(rv, NGTCP2_ERR_NOMEM);
        check(&table, ids, there);
        ++reached;
        left = SIZE_MAX;
        assert_int_equal(cid_table_insert(&table, &ids[i], conn_of(i)), 0);
      }
      there[i] = 1;
    }
    check(&table, ids, there);
    cid_table_free(&table);
  }
  assert_true(reached >= 4);
}

/* Chosen IDs do not gather in one place: the longest search stays short, for
   counters in each octet and for multiples. */
static void test_chosen_ids_spread(void **state) {
  size_t shape;

  (void)state;
  for (shape = 0; shape < 12; ++shape) {
    size_t left = SIZE_MAX, run = 0, longest = 0, i;
    ngtcp2_mem mem = scarce_mem(&left);
    uint8_t key[CID_TABLE_KEYLEN];
    cid_table table;
    sim_random random;

    sim_random_seed(&random, 1000 + shape);
    sim_random_fill(&random, key, sizeof(key));
    cid_table_init(&table, key, &mem);
    for (i = 0; i < IDS; ++i) {
      ngtcp2_cid cid = {.datalen = 20};
      size_t at = shape < 9 ? 2 * shape : 0;

      if (shape < 9) {
        cid.data[at] = (uint8_t)i;
        cid.data[at + 1] = (uint8_t)(i >> 8);
      } else {
        uint64_t multiple = i << (16 * (shape - 8));

        memcpy(cid.data, &multiple, sizeof(multiple));
        memcpy(cid.data + 8, &multiple, sizeof(multiple));
      }
      assert_int_equal(cid_table_insert(&table, &cid, conn_of(i)), 0);
    }
    for (i = 0; i < table.capacity; ++i) {
      run = table.entries[i].conn ? run + 1 : 0;
      longest = run > longest ? run : longest;
    }
    assert_in_range(longest, 1, 60);
    cid_table_free(&table);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_model),
      cmocka_unit_test(test_taken),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_chosen_ids_spread),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
