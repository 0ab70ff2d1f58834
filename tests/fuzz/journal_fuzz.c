/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: what is said to hold together does, and a line can always be
   added. */
#include "certmgr/journal.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  char line[CM_JOURNAL_LINE_MAX];
  size_t valid = SIZE_MAX, max = fuzz_u16(&in), again, from;
  const uint8_t *said;
  char *text, *words;
  cm_journal journal, end;
  cm_journal_entry entry;
  size_t len;
  int n;

  words = fuzz_text(&in, fuzz_u8(&in));
  len = fuzz_take(&in, &said, in.len);
  text = malloc(len + CM_JOURNAL_LINE_MAX);
  FUZZ_CHECK(text != NULL);
  if (len) {
    memcpy(text, said, len);
  }
  cm_journal_init(&journal);
  n = cm_journal_verify(&journal, text, len, &valid);
  FUZZ_CHECK(valid <= len);
  FUZZ_CHECK((n == 0) == (valid == len));
  FUZZ_CHECK(n == 0 || n == CM_ERR_SIGNATURE);
  from = cm_journal_trim(text, len, max);
  FUZZ_CHECK(from <= len && len - from <= max);
  FUZZ_CHECK(from == 0 || from == len || text[from - 1] == '\n');

  /* The valid part and one line more. */
  memset(&entry, 0, sizeof(entry));
  entry.time = (int64_t)max;
  entry.event = "state";
  entry.from = words;
  entry.to = valid & 1 ? words : NULL;
  entry.text = words;
  end = journal;
  n = cm_journal_line(&end, line, sizeof(line), &entry);
  FUZZ_CHECK(n > 0 && strlen(line) == (size_t)n);
  memcpy(text + valid, line, (size_t)n);
  cm_journal_init(&journal);
  FUZZ_CHECK(cm_journal_verify(&journal, text, valid + (size_t)n, &again) == 0);
  FUZZ_CHECK(again == valid + (size_t)n);
  FUZZ_CHECK(journal.next == end.next &&
             memcmp(journal.head, end.head, sizeof(end.head)) == 0);
  free(text);
  free(words);
  return 0;
}
