/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/journal.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STRING_MAX 200

/* What stands at the end of each line, before the hash and after it. */
static const char prev_key[] = ",\"prev\":\"";
static const char tail[] = "\"}";

/* A line in the making; |len| goes on counting when the room is used up. */
typedef struct line {
  char *dest;
  size_t destlen;
  size_t len;
} line;

static void put(line *l, const char *s) {
  for (; *s != '\0'; s++, l->len++) {
    if (l->len < l->destlen) {
      l->dest[l->len] = *s;
    }
  }
}

static void put_hex(line *l, const uint8_t hash[32]) {
  char hex[3];

  for (int i = 0; i < 32; i++) {
    snprintf(hex, sizeof(hex), "%02x", hash[i]);
    put(l, hex);
  }
}

static void put_string(line *l, const char *name, const char *value) {
  char escaped[7];
  size_t end;

  if (value == NULL) {
    return;
  }
  put(l, ",\"");
  put(l, name);
  put(l, "\":\"");
  end = l->len + STRING_MAX;
  for (size_t i = 0; value[i] != '\0'; i++) {
    unsigned char c = (unsigned char)value[i];
    if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f) {
      /* An octet of its own, whatever it was part of: the line stays ASCII. */
      snprintf(escaped, sizeof(escaped), "\\u%04x", c);
    } else {
      escaped[0] = (char)c;
      escaped[1] = '\0';
    }
    if (l->len + strlen(escaped) > end) {
      break;
    }
    put(l, escaped);
  }
  put(l, "\"");
}

static void put_number(line *l, const char *name, int64_t value) {
  char text[64];

  snprintf(text, sizeof(text), ",\"%s\":%" PRId64, name, value);
  put(l, text);
}

void cm_journal_init(cm_journal *journal) {
  memset(journal, 0, sizeof(*journal));
  journal->next = 1;
}

int cm_journal_line(cm_journal *journal, char *dest, size_t destlen,
                    const cm_journal_entry *entry) {
  line l = {dest, destlen, 0};
  char number[32];
  uint8_t hash[32];

  snprintf(number, sizeof(number), "{\"n\":%" PRIu64, journal->next);
  put(&l, number);
  put_number(&l, "time", entry->time);
  put_string(&l, "event", entry->event);
  if (entry->id != 0) {
    snprintf(number, sizeof(number), ",\"id\":%" PRIu64, entry->id);
    put(&l, number);
  }
  put_string(&l, "from", entry->from);
  put_string(&l, "to", entry->to);
  if (entry->has_value) {
    put_number(&l, "value", entry->value);
  }
  put_string(&l, "text", entry->text);
  put(&l, prev_key);
  put_hex(&l, journal->head);
  put(&l, tail);
  put(&l, "\n");
  if (l.len >= destlen) {
    return CM_ERR_NOBUF;
  }
  dest[l.len] = '\0';
  if (wc_Sha256Hash((const byte *)dest, (word32)(l.len - 1), hash) != 0) {
    return CM_ERR_CRYPTO;
  }
  memcpy(journal->head, hash, sizeof(hash));
  journal->next++;
  return (int)l.len;
}

static int nibble(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes number and "prev" out of the line |text| of |len| octets, which has no
   newline.  0, or -1 if it is no such line. */
static int parse(const char *text, size_t len, uint64_t *number,
                 uint8_t prev[32]) {
  const size_t end = sizeof(prev_key) - 1 + 64 + sizeof(tail) - 1;
  const char *p;
  size_t i;

  if (len < 5 + end || memcmp(text, "{\"n\":", 5) != 0) {
    return -1;
  }
  *number = 0;
  for (i = 5; i < len && text[i] >= '0' && text[i] <= '9' && i < 24; i++) {
    *number = *number * 10 + (uint64_t)(text[i] - '0');
  }
  p = text + len - end;
  if (text[i] != ',' || memcmp(p, prev_key, sizeof(prev_key) - 1) != 0 ||
      memcmp(text + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1) != 0) {
    return -1;
  }
  p += sizeof(prev_key) - 1;
  for (i = 0; i < 32; i++) {
    int high = nibble(p[2 * i]), low = nibble(p[2 * i + 1]);
    if (high < 0 || low < 0) {
      return -1;
    }
    prev[i] = (uint8_t)(high << 4 | low);
  }
  return 0;
}

int cm_journal_verify(cm_journal *journal, const char *text, size_t len,
                      size_t *valid) {
  int first = 1;

  cm_journal_init(journal);
  *valid = 0;
  while (*valid < len) {
    const char *begin = text + *valid;
    const char *newline = memchr(begin, '\n', len - *valid);
    uint64_t number;
    uint8_t prev[32];
    size_t n;

    if (newline == NULL) {
      return CM_ERR_SIGNATURE;
    }
    n = (size_t)(newline - begin);
    if (parse(begin, n, &number, prev) != 0 ||
        (!first && (number != journal->next ||
                    memcmp(prev, journal->head, sizeof(prev)) != 0))) {
      return CM_ERR_SIGNATURE;
    }
    if (wc_Sha256Hash((const byte *)begin, (word32)n, journal->head) != 0) {
      return CM_ERR_CRYPTO;
    }
    journal->next = number + 1;
    first = 0;
    *valid += n + 1;
  }
  return 0;
}

size_t cm_journal_trim(const char *text, size_t len, size_t max) {
  size_t off = len > max ? len - max : 0;

  while (off > 0 && off < len && text[off - 1] != '\n') {
    off++;
  }
  return off;
}
