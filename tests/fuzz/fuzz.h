/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets have in common.
 *
 * A target is one file X_fuzz.c with LLVMFuzzerTestOneInput().  `make fuzz`
 * links it with libFuzzer, which invents inputs; as a test it is linked with
 * replay.c, which takes those of tests/fuzz/corpus/X.  It has no state between
 * two inputs and draws no true randomness, so that one file shows again what
 * it has shown once.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "certmgr/random.h"

#include <stddef.h>
#include <stdint.h>

/* Takes one input of |size| octets.  Returns 0; whatever is wrong aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts, also where assert() would not, and says where. */
#define FUZZ_CHECK(CONDITION)                                                  \
  ((CONDITION) ? (void)0 : fuzz_fail(#CONDITION, __FILE__, __LINE__))

_Noreturn void fuzz_fail(const char *what, const char *file, int line);

/* ---- An input, taken piece by piece ---- */

typedef struct fuzz_input {
  const uint8_t *data;
  size_t len;
} fuzz_input;

/* Numbers, most significant octet first; what is missing counts as 0. */
uint8_t fuzz_u8(fuzz_input *in);
uint16_t fuzz_u16(fuzz_input *in);
uint32_t fuzz_u32(fuzz_input *in);
uint64_t fuzz_u64(fuzz_input *in);

/* Takes |n| octets, or what is left of them: |*data| points into the input.
   Returns how many. */
size_t fuzz_take(fuzz_input *in, const uint8_t **data, size_t n);

/* Takes |n| octets, or what is left, as a string, up to the first NUL among
   them.  To be freed with free(). */
char *fuzz_text(fuzz_input *in, size_t n);

/* ---- Randomness that is the same for each input ---- */

/* Begins anew.  From here on getrandom(2) gives the same octets too, so that
   TLS does what it did the last time. */
void fuzz_seed(uint64_t seed);

extern const cm_random fuzz_random;

#endif
