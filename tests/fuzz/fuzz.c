/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "tests/sim/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static sim_random generator;

void fuzz_fail(const char *what, const char *file, int line) {
  fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
  abort();
}

size_t fuzz_take(fuzz_input *in, const uint8_t **data, size_t n) {
  if (n > in->len) {
    n = in->len;
  }
  *data = in->data;
  in->data += n;
  in->len -= n;
  return n;
}

static uint64_t number(fuzz_input *in, size_t octets) {
  const uint8_t *data;
  size_t i, n = fuzz_take(in, &data, octets);
  uint64_t value = 0;

  for (i = 0; i < n; ++i) {
    value = value << 8 | data[i];
  }
  return value;
}

uint8_t fuzz_u8(fuzz_input *in) { return (uint8_t)number(in, 1); }

uint16_t fuzz_u16(fuzz_input *in) { return (uint16_t)number(in, 2); }

uint32_t fuzz_u32(fuzz_input *in) { return (uint32_t)number(in, 4); }

uint64_t fuzz_u64(fuzz_input *in) { return number(in, 8); }

char *fuzz_text(fuzz_input *in, size_t n) {
  const uint8_t *data;
  size_t len = fuzz_take(in, &data, n);
  const uint8_t *end = len ? memchr(data, '\0', len) : NULL;
  char *text;

  if (end) {
    len = (size_t)(end - data);
  }
  /* No longer than it must be: what reads on is seen. */
  text = malloc(len + 1);
  FUZZ_CHECK(text != NULL);
  if (len) {
    memcpy(text, data, len);
  }
  text[len] = '\0';
  return text;
}

void fuzz_seed(uint64_t seed) { sim_random_seed(&generator, seed); }

static int fill(void *user, uint8_t *dest, size_t len) {
  (void)user;
  sim_random_fill(&generator, dest, len);
  return 0;
}

const cm_random fuzz_random = {fill, NULL};

/* A large quarantine is all page faults. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "quarantine_size_mb=16:malloc_context_size=8";
}

/* Instead of the system's. */
ssize_t getrandom(void *buf, size_t len, unsigned int flags) {
  (void)flags;
  sim_random_fill(&generator, buf, len);
  return (ssize_t)len;
}
