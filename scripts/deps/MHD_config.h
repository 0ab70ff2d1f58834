/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd's configuration: HTTP/1.1 without TLS over epoll(7), in the
 * caller's own loop.  No authentication, no cookies, no upgrade, no bodies of
 * error replies; what configure would have found out on Linux with glibc.
 */
#ifndef MHD_CONFIG_H
#define MHD_CONFIG_H

#define _GNU_SOURCE 1

#define EPOLL_SUPPORT 1
#define HAVE_POLL 1
#define HAVE_POLL_H 1
#define HAVE_EPOLL_CREATE1 1
#define HAVE_INET6 1
#define _MHD_ITC_EVENTFD 1
#define MHD_USE_SYS_TSEARCH 1
#define MHD_USE_GETSOCKNAME 1
#define MHD_FAVOR_FAST_CODE 1
#define MHD_NO_THREAD_NAMES 1
/* None is ever started, but 1.0.10 cannot be compiled without. */
#define MHD_USE_POSIX_THREADS 1
#define MHD_USE_THREADS 1
#define HAVE_PTHREAD_H 1
#define HAVE_PTHREAD_SIGMASK 1

#define HAS_SIGNED_SOCKET 1
#define HAVE_ACCEPT4 1
#define HAVE_CALLOC 1
#define HAVE_CLOCK_GETTIME 1
#define HAVE_C_ALIGNOF 1
#define HAVE_GMTIME_R 1
#define HAVE_INLINE_FUNCS 1
#define HAVE_LISTEN_SHUTDOWN 1
#define HAVE_LSEEK64 1
#define HAVE_PREAD64 1
#define HAVE_SENDMSG 1
#define HAVE_SNPRINTF 1
#define HAVE_SOCK_NONBLOCK 1
#define HAVE_SYSCONF 1
#define HAVE_WRITEV 1
#define HAVE___FUNC__ 1
#define MHD_SYS_FD_SETSIZE_ 1024
#define SIZEOF_INT64_T 8
#define SIZEOF_UINT64_T 8
#define SIZEOF_INT __SIZEOF_INT__
#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#define SIZEOF_STRUCT_TIMEVAL_TV_SEC __SIZEOF_LONG__
#define SIZEOF_UNSIGNED_INT __SIZEOF_INT__
#define SIZEOF_UNSIGNED_LONG_LONG __SIZEOF_LONG_LONG__

#define HAVE_ARPA_INET_H 1
#define HAVE_ENDIAN_H 1
#define HAVE_ERRNO_H 1
#define HAVE_FCNTL_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_LIMITS_H 1
#define HAVE_NETDB_H 1
#define HAVE_NETINET_IN_H 1
#define HAVE_NETINET_TCP_H 1
#define HAVE_NET_IF_H 1
#define HAVE_SEARCH_H 1
#define HAVE_SIGNAL_H 1
#define HAVE_STDALIGN_H 1
#define HAVE_STDBOOL_H 1
#define HAVE_STDDEF_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDIO_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRING_H 1
#define HAVE_SYS_EVENTFD_H 1
#define HAVE_SYS_IOCTL_H 1
#define HAVE_SYS_MMAN_H 1
#define HAVE_SYS_PARAM_H 1
#define HAVE_SYS_SELECT_H 1
#define HAVE_SYS_SOCKET_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_UIO_H 1
#define HAVE_TIME_H 1
#define HAVE_UNISTD_H 1

#define _MHD_EXTERN extern
#define _MHD_NORETURN _Noreturn
#define _MHD_static_inline static inline __attribute__((always_inline))
#define MHD_HAVE___BUILTIN_BSWAP32 1
#define MHD_HAVE___BUILTIN_BSWAP64 1

#endif
