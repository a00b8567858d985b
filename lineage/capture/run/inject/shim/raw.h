/* System calls made directly, in signal handlers, after vfork and before constructors alike: they touch
 * neither errno nor another library's wrapper. */
#ifndef LINEAGE_RAW_H
#define LINEAGE_RAW_H
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef SYS_statx
#if defined(__x86_64__)
#define SYS_statx 332
#else
#define SYS_statx 291
#endif
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

#if defined(__x86_64__)
static long raw6(long n, long a, long b, long c, long d, long e, long f) {
  long out;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(out)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return out;
}
#elif defined(__aarch64__)
static long raw6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}
#else
#error "no raw system calls for this machine: the Python hook is used alone"
#endif

#define RAW(n, ...) RAW_(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_(n, a, b, c, d, e, f, ...)                                                    \
  raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static long checked(long result) { /* raw result -> the way libc returns it */
  if (result < 0 && result > -4096) {
    errno = (int)-result;
    return -1;
  }
  return result;
}

enum { ABSENT = 0, REGULAR = 1, DIRECTORY = 2, OTHER = 3 };

struct stamp {
  int64_t sec;
  uint32_t nsec;
  int32_t pad;
};
struct facts { /* struct statx of the kernel, the same on every machine */
  uint32_t mask, blksize;
  uint64_t attributes;
  uint32_t nlink, uid, gid;
  uint16_t mode, pad;
  uint64_t ino, size, blocks, attributes_mask;
  struct stamp atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t spare[14];
};

static long look(int dirfd, const char *path, int flags, struct facts *into) {
  return RAW(SYS_statx, dirfd, path, flags, 0x7ff, into);
}

static int kind_of(int dirfd, const char *path, int flags) {
  struct facts found;
  if (!path || look(dirfd, path, flags, &found) != 0) return ABSENT;
  switch (found.mode & 0170000) {
  case 0100000:
    return REGULAR;
  case 0040000:
    return DIRECTORY;
  }
  return OTHER;
}

static size_t length(const char *text, size_t most) {
  size_t n = 0;
  while (n < most && text[n]) n++;
  return n;
}

static int starts(const char *text, const char *with) {
  while (*with)
    if (*text++ != *with++) return 0;
  return 1;
}

#endif
