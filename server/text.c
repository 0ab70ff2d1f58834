/* SPDX-License-Identifier: Apache-2.0 */
#include "server/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reserve(text *t, size_t more) {
  size_t room = t->room ? t->room : 256;
  char *data;

  if (t->failed) {
    return -1;
  }
  while (room <= t->len + more) {
    room *= 2;
  }
  if (room == t->room) {
    return 0;
  }
  data = realloc(t->data, room);
  if (!data) {
    t->failed = 1;
    return -1;
  }
  t->data = data;
  t->room = room;
  return 0;
}

void text_add(text *t, const char *format, ...) {
  va_list args;
  int n;

  va_start(args, format);
  n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n < 0) {
    t->failed = 1;
    return;
  }
  if (reserve(t, (size_t)n) != 0) {
    return;
  }
  va_start(args, format);
  vsnprintf(t->data + t->len, t->room - t->len, format, args);
  va_end(args);
  t->len += (size_t)n;
}

void text_add_html(text *t, const char *string) {
  for (; *string; ++string) {
    switch (*string) {
    case '&':
      text_add(t, "&amp;");
      break;
    case '<':
      text_add(t, "&lt;");
      break;
    case '>':
      text_add(t, "&gt;");
      break;
    case '"':
      text_add(t, "&quot;");
      break;
    default:
      text_add(t, "%c", *string);
      break;
    }
  }
}

void text_add_label(text *t, const char *string) {
  for (; *string; ++string) {
    switch (*string) {
    case '\\':
      text_add(t, "\\\\");
      break;
    case '"':
      text_add(t, "\\\"");
      break;
    case '\n':
      text_add(t, "\\n");
      break;
    default:
      text_add(t, "%c", *string);
      break;
    }
  }
}

void text_add_json(text *t, const char *string) {
  text_add(t, "\"");
  for (; *string; ++string) {
    if (*string == '"' || *string == '\\') {
      text_add(t, "\\%c", *string);
    } else if ((unsigned char)*string < 0x20 || *string == 0x7f) {
      text_add(t, "\\u%04x", (unsigned)*string);
    } else {
      text_add(t, "%c", *string);
    }
  }
  text_add(t, "\"");
}

void text_free(text *t) {
  free(t->data);
  memset(t, 0, sizeof(*t));
}
