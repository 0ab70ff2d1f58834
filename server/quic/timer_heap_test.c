/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/timer_heap.h"

#include "tests/sim/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMERS 200

/* Memory that gives out after |left| allocations. */
static void *scarce_realloc(void *ptr, size_t size, void *user) {
  size_t *left = user;

  if (*left == 0) {
    return NULL;
  }
  --*left;
  return realloc(ptr, size);
}

static void scarce_free(void *ptr, void *user) {
  (void)user;
  free(ptr);
}

static ngtcp2_mem scarce_mem(size_t *left) {
  const ngtcp2_mem mem = {
      .user_data = left, .free = scarce_free, .realloc = scarce_realloc};

  return mem;
}

static void init_timers(timer *timers) {
  size_t i;

  for (i = 0; i < TIMERS; ++i) {
    timers[i].deadline = 0;
    timers[i].index = TIMER_NOT_QUEUED;
  }
}

/* The naive model: UINT64_MAX where a timer is not queued. */
static void check(const timer_heap *heap, const timer *timers,
                  const uint64_t *model) {
  uint64_t earliest = UINT64_MAX;
  size_t i, queued = 0;

  for (i = 0; i < TIMERS; ++i) {
    if (model[i] == UINT64_MAX) {
      assert_true(timers[i].index == TIMER_NOT_QUEUED);
      continue;
    }
    ++queued;
    assert_true(timers[i].index < heap->count);
    assert_ptr_equal(heap->timers[timers[i].index], &timers[i]);
    assert_true(timers[i].deadline == model[i]);
    if (model[i] < earliest) {
      earliest = model[i];
    }
  }
  assert_int_equal(heap->count, queued);
  if (queued == 0) {
    assert_null(timer_heap_first(heap));
  } else {
    assert_true(timer_heap_first(heap)->deadline == earliest);
  }
}

static void test_against_model(void **state) {
  static timer timers[TIMERS];
  static uint64_t model[TIMERS];
  uint64_t seed;

  (void)state;
  for (seed = 1; seed <= 20; ++seed) {
    size_t left = SIZE_MAX;
    ngtcp2_mem mem = scarce_mem(&left);
    timer_heap heap;
    sim_random random;
    size_t i;
    int op;

    sim_random_seed(&random, seed);
    init_timers(timers);
    timer_heap_init(&heap, &mem);
    for (i = 0; i < TIMERS; ++i) {
      model[i] = UINT64_MAX;
    }
    assert_int_equal(timer_heap_reserve(&heap, TIMERS), 0);
    for (op = 0; op < 2000; ++op) {
      /* Few different deadlines, so that many are equal. */
      uint64_t deadline = sim_random_below(&random, seed % 2 ? 16 : 1 << 20);

      i = sim_random_size(&random, TIMERS);
      switch (sim_random_below(&random, 5)) {
      case 0:
        timer_heap_remove(&heap, &timers[i]);
        model[i] = UINT64_MAX;
        break;
      case 1:
        timer_heap_set(&heap, &timers[i], UINT64_MAX);
        model[i] = UINT64_MAX;
        break;
      default:
        timer_heap_set(&heap, &timers[i], deadline);
        model[i] = deadline;
        break;
      }
      check(&heap, timers, model);
    }
    /* They come out in order. */
    while (timer_heap_first(&heap)) {
      timer *first = timer_heap_first(&heap);

      i = (size_t)(first - timers);
      check(&heap, timers, model);
      timer_heap_remove(&heap, first);
      model[i] = UINT64_MAX;
    }
    check(&heap, timers, model);
    timer_heap_free(&heap);
  }
}

static void test_reserve(void **state) {
  static timer timers[TIMERS];
  size_t left = SIZE_MAX;
  ngtcp2_mem mem = scarce_mem(&left);
  timer_heap heap;
  size_t i;

  (void)state;
  init_timers(timers);
  timer_heap_init(&heap, &mem);
  assert_null(timer_heap_first(&heap));
  assert_int_equal(timer_heap_reserve(&heap, 0), 0);
  for (i = 0; i < TIMERS; ++i) {
    assert_int_equal(timer_heap_reserve(&heap, i + 1), 0);
    timer_heap_set(&heap, &timers[i], TIMERS - i);
  }
  /* Growing costs few allocations. */
  assert_true(SIZE_MAX - left <= 8);
  assert_ptr_equal(timer_heap_first(&heap), &timers[TIMERS - 1]);
  timer_heap_free(&heap);
  assert_null(timer_heap_first(&heap));
}

static void test_no_memory(void **state) {
  static timer timers[TIMERS];
  static uint64_t model[TIMERS];
  size_t fail, reached = 0;

  (void)state;
  for (fail = 0; fail < 6; ++fail) {
    size_t left = fail;
    ngtcp2_mem mem = scarce_mem(&left);
    timer_heap heap;
    size_t i;

    init_timers(timers);
    timer_heap_init(&heap, &mem);
    for (i = 0; i < TIMERS; ++i) {
      model[i] = UINT64_MAX;
    }
    for (i = 0; i < TIMERS; ++i) {
      int rv = timer_heap_reserve(&heap, i + 1);

      if (rv != 0) {
        assert_int_equal(rv, NGTCP2_ERR_NOMEM);
        /* What is queued stays, and room that was reserved is good. */
        check(&heap, timers, model);
        ++reached;
        left = SIZE_MAX;
        assert_int_equal(timer_heap_reserve(&heap, i + 1), 0);
      }
      timer_heap_set(&heap, &timers[i], 1000 - i);
      model[i] = 1000 - i;
    }
    check(&heap, timers, model);
    timer_heap_free(&heap);
  }
  assert_true(reached >= 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_model),
      cmocka_unit_test(test_reserve),
      cmocka_unit_test(test_no_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
