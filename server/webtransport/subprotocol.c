/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webtransport/subprotocol.h"

#include <string.h>

/* Each of the functions that follow reads one thing of RFC 9651 section 4.2 at
   |p| and returns what comes after it, or NULL if there is no such thing. */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int is_lower(char c) { return c >= 'a' && c <= 'z'; }

static int is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

/* |text| has no NUL in it that is not its end, which strchr() would find. */
static int is_one_of(char c, const char *text) {
  return c != '\0' && strchr(text, c) != NULL;
}

static const char *skip_ows(const char *p) { return p + strspn(p, " \t"); }

static const char *read_string(const char *p) {
  if (*p++ != '"') {
    return NULL;
  }
  for (; *p != '"'; ++p) {
    if (*p == '\\') {
      ++p;
      if (*p != '"' && *p != '\\') {
        return NULL;
      }
    } else if (*p < 0x20 || *p > 0x7e) {
      return NULL;
    }
  }
  return p + 1;
}

static const char *read_number(const char *p) {
  size_t digits, decimals;

  p += *p == '-';
  digits = strspn(p, "0123456789");
  p += digits;
  if (*p != '.') {
    return digits >= 1 && digits <= 15 ? p : NULL;
  }
  decimals = strspn(++p, "0123456789");
  p += decimals;
  return digits >= 1 && digits <= 12 && decimals >= 1 && decimals <= 3 ? p
                                                                       : NULL;
}

static const char *read_token(const char *p) {
  do {
    ++p;
  } while (is_alpha(*p) || is_digit(*p) || is_one_of(*p, "!#$%&'*+-.^_`|~:/"));
  return p;
}

/* A Byte Sequence; that its base64 makes sense nobody needs. */
static const char *read_bytes(const char *p) {
  do {
    ++p;
  } while (is_alpha(*p) || is_digit(*p) || is_one_of(*p, "+/="));
  return *p == ':' ? p + 1 : NULL;
}

static const char *read_display_string(const char *p) {
  if (*++p != '"') {
    return NULL;
  }
  for (++p; *p != '"'; ++p) {
    if (*p < 0x20 || *p > 0x7e) {
      return NULL;
    }
    if (*p == '%') {
      size_t digits = strspn(p + 1, "0123456789abcdef");

      if (digits < 2) {
        return NULL;
      }
      p += 2;
    }
  }
  return p + 1;
}

static const char *read_bare_item(const char *p) {
  switch (*p) {
  case '"':
    return read_string(p);
  case ':':
    return read_bytes(p);
  case '?':
    return p[1] == '0' || p[1] == '1' ? p + 2 : NULL;
  case '@':
    return read_number(p + 1);
  case '%':
    return read_display_string(p);
  default:
    if (*p == '-' || is_digit(*p)) {
      return read_number(p);
    }
    return is_alpha(*p) || *p == '*' ? read_token(p) : NULL;
  }
}

static const char *read_parameters(const char *p) {
  while (p && *p == ';') {
    p += 1 + strspn(p + 1, " ");
    if (!is_lower(*p) && *p != '*') {
      return NULL;
    }
    do {
      ++p;
    } while (is_lower(*p) || is_digit(*p) || is_one_of(*p, "_-.*"));
    if (*p == '=') {
      p = read_bare_item(p + 1);
    }
  }
  return p;
}

/* Whether the String at |p|, which is known to be one, says |text|. */
static int says(const char *p, const char *text) {
  for (++p; *p != '"'; ++p, ++text) {
    p += *p == '\\';
    if (*p != *text) {
      return 0;
    }
  }
  return *text == '\0';
}

static const char *find(const char *string, const char *const *protocols) {
  for (; *protocols; ++protocols) {
    if (says(string, *protocols)) {
      return *protocols;
    }
  }
  return NULL;
}

const char *wt_subprotocol_choose(const char *available,
                                  const char *const *protocols) {
  const char *chosen = NULL, *p = available;

  if (!p || !protocols) {
    return NULL;
  }
  p += strspn(p, " ");
  while (*p) {
    const char *string = p;

    p = read_string(p);
    p = p ? read_parameters(p) : NULL;
    if (!p) {
      return NULL;
    }
    if (!chosen) {
      chosen = find(string, protocols);
    }
    p = skip_ows(p);
    if (*p == '\0') {
      break;
    }
    if (*p != ',') {
      return NULL;
    }
    p = skip_ows(p + 1);
    if (*p == '\0') {
      /* A comma at the end. */
      return NULL;
    }
  }
  return chosen;
}

int wt_subprotocol_write(char *dest, size_t destlen, const char *protocol) {
  size_t n = 0;

  /* Room for an escaped character, the quote and the NUL. */
  if (destlen < 4) {
    return -1;
  }
  dest[n++] = '"';
  for (; *protocol; ++protocol) {
    if (*protocol < 0x20 || *protocol > 0x7e || destlen - n < 4) {
      return -1;
    }
    if (*protocol == '"' || *protocol == '\\') {
      dest[n++] = '\\';
    }
    dest[n++] = *protocol;
  }
  dest[n++] = '"';
  dest[n] = '\0';
  return (int)n;
}
