/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says what time it is, for the test of the test clock: for each line on
 * standard input one JSON array of seconds, by CLOCK_REALTIME, time(),
 * gettimeofday() and CLOCK_MONOTONIC.
 */
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

int main(void) {
  struct timespec wall, mono;
  struct timeval tv;
  char line[16];

  while (fgets(line, sizeof(line), stdin) != NULL) {
    if (clock_gettime(CLOCK_REALTIME, &wall) != 0 ||
        gettimeofday(&tv, NULL) != 0 ||
        clock_gettime(CLOCK_MONOTONIC, &mono) != 0) {
      return 1;
    }
    printf("[%lld,%lld,%lld,%lld]\n", (long long)wall.tv_sec,
           (long long)time(NULL), (long long)tv.tv_sec, (long long)mono.tv_sec);
    fflush(stdout);
  }
  return 0;
}
