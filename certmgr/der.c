/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/der.h"

#include <string.h>

#define DAY INT64_C(86400)

int cm_octets_eq(cm_octets a, cm_octets b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int cm_der_next(cm_octets *in, uint8_t *tag, cm_octets *contents,
                cm_octets *whole) {
  size_t head = 2, len;

  /* Tags of several octets (low five bits all set) do not occur in X.509. */
  if (in->len < head || (in->data[0] & 0x1f) == 0x1f) {
    return -1;
  }
  len = in->data[1];
  if (len >= 0x80) {
    size_t n = len & 0x7f;
    /* 0x80, the indefinite form, is not DER.  Four octets are plenty. */
    if (n == 0 || n > 4 || in->len - head < n) {
      return -1;
    }
    len = 0;
    for (size_t i = 0; i < n; i++) {
      len = (len << 8) | in->data[head + i];
    }
    if (len < 0x80 || in->data[head] == 0) {
      return -1;
    }
    head += n;
  }
  if (len > in->len - head) {
    return -1;
  }
  *tag = in->data[0];
  *contents = (cm_octets){in->data + head, len};
  if (whole != NULL) {
    *whole = (cm_octets){in->data, head + len};
  }
  in->data += head + len;
  in->len -= head + len;
  return 0;
}

int cm_der_expect(cm_octets *in, uint8_t tag, cm_octets *contents) {
  uint8_t found;

  if (cm_der_peek(*in) != tag) {
    return -1;
  }
  return cm_der_next(in, &found, contents, NULL);
}

uint8_t cm_der_peek(cm_octets in) { return in.len == 0 ? 0 : in.data[0]; }

/* Days from 1970-01-01 to the given day of the Gregorian calendar. */
static int64_t days_from_date(int64_t year, int month, int day) {
  /* Counting years from March puts the leap day last. */
  int64_t y = month <= 2 ? year - 1 : year;
  int64_t era = y / 400;
  int64_t year_of_era = y - era * 400;
  int64_t day_of_year =
      (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

  return era * 146097 + year_of_era * 365 + year_of_era / 4 -
         year_of_era / 100 + day_of_year - 719468;
}

/* The reverse, for |days| of the year 0 and later. */
static void date_from_days(int64_t days, int64_t *year, int *month, int *day) {
  int64_t z = days + 719468;
  int64_t era = z / 146097;
  int64_t day_of_era = z - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                         day_of_era / 146096) /
                        365;
  int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t m = (5 * day_of_year + 2) / 153;

  *day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
  *month = (int)(m < 10 ? m + 3 : m - 9);
  *year = year_of_era + era * 400 + (*month <= 2);
}

/* Reads |n| digits at |*p| and moves it on; -1 if they are no digits. */
static int get_digits(const uint8_t **p, int n) {
  int value = 0;

  while (n-- > 0) {
    uint8_t c = *(*p)++;
    if (c < '0' || c > '9') {
      return -1;
    }
    value = value * 10 + (c - '0');
  }
  return value;
}

static int days_in_month(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

  if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
    return 29;
  }
  return days[month - 1];
}

int cm_der_get_time(cm_octets *in, int64_t *seconds) {
  cm_octets rest = *in, text;
  const uint8_t *p;
  uint8_t tag;
  int year, month, day, hour, minute, second;

  if (cm_der_next(&rest, &tag, &text, NULL) != 0) {
    return -1;
  }
  p = text.data;
  if (tag == CM_DER_UTC_TIME && text.len == 13) {
    year = get_digits(&p, 2);
    if (year >= 0) {
      year += year >= 50 ? 1900 : 2000;
    }
  } else if (tag == CM_DER_GENERALIZED_TIME && text.len == 15) {
    year = get_digits(&p, 4);
  } else {
    return -1;
  }
  month = get_digits(&p, 2);
  day = get_digits(&p, 2);
  hour = get_digits(&p, 2);
  minute = get_digits(&p, 2);
  second = get_digits(&p, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 ||
      day > days_in_month(year, month) || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 59 || *p != 'Z') {
    return -1;
  }
  *seconds = days_from_date(year, month, day) * DAY +
             (hour * 60 + minute) * 60 + second;
  *in = rest;
  return 0;
}

/* Writes |value| with |n| digits at |*p| and moves it on. */
static void put_digits(uint8_t **p, int n, int64_t value) {
  for (int i = n; i-- > 0;) {
    (*p)[i] = (uint8_t)('0' + value % 10);
    value /= 10;
  }
  *p += n;
}

size_t cm_der_put_time(uint8_t dest[CM_DER_TIME_MAX], int64_t seconds) {
  uint8_t *p = dest;
  int64_t year, second_of_day;
  int month, day;

  /* 9999-12-31T23:59:59Z */
  if (seconds < 0 || seconds > INT64_C(253402300799)) {
    return 0;
  }
  date_from_days(seconds / DAY, &year, &month, &day);
  second_of_day = seconds % DAY;
  if (year < 2050) {
    *p++ = CM_DER_UTC_TIME;
    *p++ = 13;
    put_digits(&p, 2, year % 100);
  } else {
    *p++ = CM_DER_GENERALIZED_TIME;
    *p++ = 15;
    put_digits(&p, 4, year);
  }
  put_digits(&p, 2, month);
  put_digits(&p, 2, day);
  put_digits(&p, 2, second_of_day / 3600);
  put_digits(&p, 2, second_of_day / 60 % 60);
  put_digits(&p, 2, second_of_day % 60);
  *p++ = 'Z';
  return (size_t)(p - dest);
}
