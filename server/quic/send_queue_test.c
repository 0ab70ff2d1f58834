/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/send_queue.h"

#include "tests/sim/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STREAM_LEN (1 << 20)
#define VECS 16

/* What an octet of the stream is, by its position. */
static uint8_t octets[STREAM_LEN];

/* Memory that gives out after |left| allocations, and counts what is out. */
typedef struct scarce {
  size_t left;
  size_t live;
} scarce;

static void *scarce_malloc(size_t size, void *user) {
  scarce *s = user;
  void *ptr;

  if (s->left == 0) {
    return NULL;
  }
  --s->left;
  ptr = malloc(size);
  s->live += ptr != NULL;
  return ptr;
}

static void scarce_free(void *ptr, void *user) {
  scarce *s = user;

  if (ptr) {
    assert_true(s->live > 0);
    --s->live;
    free(ptr);
  }
}

static ngtcp2_mem scarce_mem(scarce *s) {
  const ngtcp2_mem mem = {
      .user_data = s, .malloc = scarce_malloc, .free = scarce_free};

  return mem;
}

static int fill_octets(void **state) {
  sim_random random;

  (void)state;
  sim_random_seed(&random, 7);
  sim_random_fill(&random, octets, sizeof(octets));
  return 0;
}

/* The naive model: three positions in one long array. */
typedef struct model {
  size_t appended, sent, acked;
} model;

static void check(const send_queue *queue, const model *m) {
  ngtcp2_vec vec[VECS];
  size_t at = m->sent, n, i;

  assert_int_equal(queue->pending, m->appended - m->sent);
  assert_int_equal(queue->in_flight, m->sent - m->acked);
  n = send_queue_peek(queue, vec, VECS);
  for (i = 0; i < n; ++i) {
    assert_true(vec[i].len > 0);
    assert_true(vec[i].len <= m->appended - at);
    assert_memory_equal(vec[i].base, octets + at, vec[i].len);
    at += vec[i].len;
  }
  assert_true(n == VECS || at == m->appended);
  if (n) {
    assert_int_equal(send_queue_peek(queue, vec, 1), 1);
    assert_memory_equal(vec[0].base, octets + m->sent, vec[0].len);
  }
  assert_int_equal(send_queue_peek(queue, vec, 0), 0);
}

static size_t some_len(sim_random *random) {
  switch (sim_random_below(random, 4)) {
  case 0:
    return sim_random_size(random, 4);
  case 1:
    return sim_random_size(random, 100);
  case 2:
    /* Around the size of a chunk. */
    return 2040 + sim_random_size(random, 20);
  default:
    return sim_random_size(random, 9000);
  }
}

static size_t part_of(sim_random *random, size_t len) {
  return sim_random_chance(random, 300000) ? len
                                           : sim_random_size(random, len + 1);
}

static void test_against_model(void **state) {
  uint64_t seed;

  (void)state;
  for (seed = 1; seed <= 60; ++seed) {
    scarce memory = {.left = SIZE_MAX};
    ngtcp2_mem mem = scarce_mem(&memory);
    send_queue queue;
    model m = {0, 0, 0};
    sim_random random;
    int i;

    sim_random_seed(&random, seed);
    memset(&queue, 0xa5, sizeof(queue));
    send_queue_init(&queue);
    for (i = 0; i < 400; ++i) {
      size_t len;

      switch (sim_random_below(&random, 3)) {
      case 0:
        len = some_len(&random);
        if (len > STREAM_LEN - m.appended) {
          break;
        }
        assert_int_equal(
            send_queue_append(&queue, octets + m.appended, len, &mem), 0);
        m.appended += len;
        break;
      case 1:
        len = part_of(&random, m.appended - m.sent);
        send_queue_sent(&queue, len);
        m.sent += len;
        break;
      default:
        len = part_of(&random, m.sent - m.acked);
        send_queue_acked(&queue, len, &mem);
        m.acked += len;
        break;
      }
      check(&queue, &m);
    }
    if (seed % 2) {
      send_queue_sent(&queue, m.appended - m.sent);
      send_queue_acked(&queue, m.appended - m.acked, &mem);
      m.sent = m.acked = m.appended;
      check(&queue, &m);
    } else {
      send_queue_clear(&queue, &mem);
      assert_int_equal(queue.pending, 0);
      assert_int_equal(queue.in_flight, 0);
    }
    /* Nothing that was acknowledged is kept. */
    assert_null(queue.head);
    assert_int_equal(memory.live, 0);
  }
}

/* QUIC sends lost octets again from where they were: they must not move. */
static void test_vectors_hold(void **state) {
  scarce memory = {.left = SIZE_MAX};
  ngtcp2_mem mem = scarce_mem(&memory);
  ngtcp2_vec vec[VECS], again[VECS];
  send_queue queue;
  size_t n, i, at = 0;

  (void)state;
  send_queue_init(&queue);
  assert_int_equal(send_queue_append(&queue, octets, 100, &mem), 0);
  assert_int_equal(send_queue_append(&queue, octets + 100, 5000, &mem), 0);
  n = send_queue_peek(&queue, vec, VECS);
  send_queue_sent(&queue, 5100);
  assert_int_equal(send_queue_peek(&queue, again, VECS), 0);
  assert_int_equal(send_queue_append(&queue, octets + 5100, 3000, &mem), 0);
  for (i = 0; i < n; ++i) {
    assert_memory_equal(vec[i].base, octets + at, vec[i].len);
    at += vec[i].len;
  }
  assert_int_equal(at, 5100);
  send_queue_clear(&queue, &mem);
  assert_int_equal(memory.live, 0);
}

/* Acknowledgements that come late, for what was cleared meanwhile. */
static void test_acked_after_clear(void **state) {
  scarce memory = {.left = SIZE_MAX};
  ngtcp2_mem mem = scarce_mem(&memory);
  send_queue queue;

  (void)state;
  send_queue_init(&queue);
  assert_int_equal(send_queue_append(&queue, octets, 3000, &mem), 0);
  send_queue_sent(&queue, 2500);
  send_queue_clear(&queue, &mem);
  send_queue_acked(&queue, 2500, &mem);
  assert_int_equal(queue.pending, 0);
  assert_int_equal(queue.in_flight, 0);
  assert_int_equal(memory.live, 0);
  /* Never more than is in flight. */
  assert_int_equal(send_queue_append(&queue, octets, 10, &mem), 0);
  send_queue_sent(&queue, 4);
  send_queue_acked(&queue, 4000, &mem);
  assert_int_equal(queue.pending, 6);
  assert_int_equal(queue.in_flight, 0);
  send_queue_clear(&queue, &mem);
  assert_int_equal(memory.live, 0);
}

/* Small writes do not take a chunk each. */
static void test_small_writes_share(void **state) {
  scarce memory = {.left = SIZE_MAX};
  ngtcp2_mem mem = scarce_mem(&memory);
  send_queue queue;
  size_t i;

  (void)state;
  send_queue_init(&queue);
  for (i = 0; i < 2048; ++i) {
    assert_int_equal(send_queue_append(&queue, octets + i, 1, &mem), 0);
  }
  assert_int_equal(memory.live, 1);
  send_queue_clear(&queue, &mem);
}

/* What waits in a long queue is not in small pieces. */
static void test_long_queue_has_long_chunks(void **state) {
  scarce memory = {.left = SIZE_MAX};
  ngtcp2_mem mem = scarce_mem(&memory);
  send_queue queue;
  ngtcp2_vec vec[16];
  size_t i, n;

  (void)state;
  send_queue_init(&queue);
  for (i = 0; i < 60; ++i) {
    assert_int_equal(send_queue_append(&queue, octets + 1000 * i, 1000, &mem),
                     0);
  }
  assert_in_range(memory.live, 2, 9);
  n = send_queue_peek(&queue, vec, 16);
  assert_int_equal(n, memory.live);
  for (i = 0; i < n; ++i) {
    assert_in_range(vec[i].len, 1, 16384);
  }
  send_queue_clear(&queue, &mem);
}

/* The same operations, with each allocation failing once. */
static void test_no_memory(void **state) {
  size_t fail, reached = 0;

  (void)state;
  for (fail = 0; fail < 12; ++fail) {
    scarce memory = {.left = fail};
    ngtcp2_mem mem = scarce_mem(&memory);
    send_queue queue;
    model m = {0, 0, 0};
    sim_random random;
    int i;

    sim_random_seed(&random, 3);
    send_queue_init(&queue);
    for (i = 0; i < 40; ++i) {
      size_t len = 1500;
      int rv = send_queue_append(&queue, octets + m.appended, len, &mem);

      if (rv != 0) {
        assert_int_equal(rv, NGTCP2_ERR_NOMEM);
        check(&queue, &m);
        ++reached;
        memory.left = SIZE_MAX;
        assert_int_equal(
            send_queue_append(&queue, octets + m.appended, len, &mem), 0);
      }
      m.appended += len;
      check(&queue, &m);
    }
    send_queue_sent(&queue, m.appended);
    send_queue_acked(&queue, m.appended, &mem);
    assert_int_equal(memory.live, 0);
  }
  assert_true(reached >= 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_model),
      cmocka_unit_test(test_vectors_hold),
      cmocka_unit_test(test_acked_after_clear),
      cmocka_unit_test(test_small_writes_share),
      cmocka_unit_test(test_long_queue_has_long_chunks),
      cmocka_unit_test(test_no_memory),
  };

  return cmocka_run_group_tests(tests, fill_octets, NULL);
}
